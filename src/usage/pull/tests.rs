use super::*;
use crate::call::{CallError, Clock, Hosts, Origin, Prepared, Reply, SystemClock, Transport};
use crate::rule::{Metered, RuleSet, embedded_texts, meters};
use crate::usage::store::{Filter, Line, Mark};
use crate::usage::tests::Folder;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn embedded(id: &str) -> Metered {
    let files = embedded_texts().iter().map(|(name, text)| (Path::new(name), *text, false));
    meters(files).unwrap().remove(id).unwrap()
}

/// A provider written from OpenAI's documentation: hours in pages of 24, every hour there whether used or not.
struct Double {
    /// Requests of a key in an hour, as the provider tells them now.
    told: Box<dyn Fn(i64) -> u64 + Send + Sync>,
    /// How many calls are answered before the line goes dead.
    calls: AtomicUsize,
    /// Which page, from 0 over all calls, is left out or comes twice.
    fault: Option<(usize, bool)>,
    served: AtomicUsize,
    asked: Mutex<Vec<String>>,
    /// How long each answer takes.
    delay: Duration,
}

impl Double {
    fn new(told: impl Fn(i64) -> u64 + Send + Sync + 'static) -> Self {
        Double {
            told: Box::new(told),
            calls: AtomicUsize::new(usize::MAX),
            fault: None,
            served: AtomicUsize::new(0),
            asked: Mutex::default(),
            delay: Duration::ZERO,
        }
    }
}

fn parameter(target: &str, name: &str) -> Option<i64> {
    let query = target.split_once('?')?.1;
    query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

impl Transport for Double {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        if self.calls.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(CallError::Lost("the process was killed".to_owned()));
        }
        std::thread::sleep(self.delay);
        let target = String::from_utf8(request.target.expose().to_vec()).unwrap();
        self.asked.lock().unwrap().push(target.clone());
        let (from, to) = (parameter(&target, "start_time").unwrap(), parameter(&target, "end_time").unwrap());
        let mut at = parameter(&target, "page").unwrap_or(from);
        match self.fault {
            Some((page, true)) if self.served.load(Ordering::Relaxed) == page => at = from,
            Some((page, false)) if self.served.load(Ordering::Relaxed) == page => at += 24 * HOUR,
            _ => {}
        }
        self.served.fetch_add(1, Ordering::Relaxed);
        let end = (at + 24 * HOUR).min(to);
        let bucket = |at: i64| {
            let n = (self.told)(at);
            let rows = if n == 0 {
                String::new()
            } else {
                format!(
                    r#"{{"api_key_id":"key_a","model":"m","num_model_requests":{n},"input_tokens":{},"output_tokens":1}}"#,
                    n * 10
                )
            };
            format!(r#"{{"object":"bucket","start_time":{at},"results":[{rows}]}}"#)
        };
        let buckets: Vec<String> =
            (0..).map(|n| at + n * HOUR).take_while(|at| *at < end).map(bucket).collect();
        let more = end < to;
        let next = if more { format!("\"{end}\"") } else { "null".to_owned() };
        let body = format!(
            r#"{{"object":"page","data":[{}],"has_more":{more},"next_page":{next}}}"#,
            buckets.join(",")
        );
        Ok(Reply { status: 200, headers: BTreeMap::new(), body })
    }
}

const NOW: i64 = 1_767_225_600 + 30 * DAY + 1_234;
const BEGIN: i64 = 1_767_225_600;

fn pull(store: &Store, double: &Double, now: i64) -> Result<Pulled, PullError> {
    pull_of(store, double, "openai-completions", &[("admin", "made-up")], (BEGIN, now))
}

/// Pulls a meter's use of that time with these values.
fn pull_of(
    store: &Store,
    transport: &dyn Transport,
    id: &str,
    given: &[(&str, &str)],
    (since, now): (i64, i64),
) -> Result<Pulled, PullError> {
    let Metered { provider, meter } = embedded(id);
    let hosts = Hosts::default();
    let caller = Caller {
        transport,
        hosts: &hosts,
        origin: Origin { provider: &provider.id, hosts: &provider.hosts, file: None },
        clock: &SystemClock,
        each: Duration::from_secs(5),
        until: SystemClock.now() + Duration::from_secs(60),
    };
    let mut values = Values::new();
    for (name, value) in given {
        values.set(name, Secret::new(value.as_bytes()));
    }
    Pull {
        store,
        caller: &caller,
        meter: &meter,
        provider: &provider.id,
        account: "main",
        values: &values,
        since,
        now,
        screen: &|_| None,
    }
    .run()
}

fn hours(store: &Store) -> Vec<(i64, i64)> {
    let mut out = Vec::new();
    let filter = Filter { from: 0, to: 1 << 40, hours: true };
    store.lines(&filter, &mut |l| out.push((l.at, l.numbers.requests))).unwrap();
    out.retain(|(_, n)| *n > 0);
    out
}

fn shape(at: i64) -> u64 {
    u64::try_from(at / HOUR % 7).unwrap()
}

#[test]
fn late_figures_are_read_again_and_taken_over() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    // Figures are complete after 30 hours; before, a part of them is told.
    let lagging = |now: i64| {
        Double::new(move |at| {
            let complete = now - at > 30 * HOUR;
            if complete { shape(at) } else { shape(at) / 2 }
        })
    };
    let first = pull(&store, &lagging(NOW), NOW).unwrap();
    assert_eq!((first.from, first.to), (BEGIN, (NOW - HOUR) / HOUR * HOUR), "nothing younger than the lag");
    assert_eq!(first.stretches, 5);
    let later = NOW + DAY;
    let second = pull(&store, &lagging(later), later).unwrap();
    assert!(second.changed.corrected > 10 && second.changed.added > 10, "{second:?}");
    assert!(second.from >= NOW - 3 * DAY, "what has settled is not read again: {second:?}");
    let much = later + 5 * DAY;
    pull(&store, &lagging(much), much).unwrap();
    let known = hours(&store);
    let settled: Vec<_> = known.iter().filter(|(at, _)| much - at > 30 * HOUR).copied().collect();
    let truth: Vec<_> = (0..)
        .map(|n| BEGIN + n * HOUR)
        .take_while(|at| much - at > 30 * HOUR)
        .map(|at| (at, i64::try_from(shape(at)).unwrap()))
        .filter(|(_, n)| *n > 0)
        .collect();
    assert_eq!(settled, truth);
    assert_eq!(pull(&store, &lagging(much), much).unwrap().changed, Changed::default());
}

#[test]
fn a_pull_that_was_killed_goes_on() {
    let folder = Folder::new();
    let whole = Store::open(&folder.0.join("whole")).unwrap();
    let undisturbed = Double::new(shape);
    pull(&whole, &undisturbed, NOW).unwrap();
    let calls = undisturbed.asked.lock().unwrap().len();
    assert!(calls > 25, "{calls} pages");
    let mut seed = 7_u64;
    for round in 0..100 {
        let path = folder.0.join(format!("s{round}"));
        let mut kills = 0;
        loop {
            // A new process each time.
            let store = Store::open(&path).unwrap();
            let double = Double::new(shape);
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if kills < 3 {
                double.calls.store((seed >> 33) as usize % calls, Ordering::Relaxed);
            }
            match pull(&store, &double, NOW) {
                Ok(_) => {
                    assert_eq!(hours(&store), hours(&whole), "round {round}");
                    break;
                }
                Err(PullError::Call(StepError::Call(CallError::Lost(_)))) => kills += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// A pull in a process of its own, which the next test kills.
#[test]
#[ignore = "a process of the next test"]
fn child_that_pulls() {
    let Some(path) = std::env::var_os("KEYWHEEL_TEST_STORE") else { return };
    let store = Store::open(Path::new(&path)).unwrap();
    let double = Double { delay: Duration::from_millis(1), ..Double::new(shape) };
    pull(&store, &double, NOW).unwrap();
}

/// All that a store tells, by the hour and by the day, and how far it was read.
fn whole(store: &Store) -> (Vec<(bool, Line)>, Option<Mark>) {
    let mut lines = Vec::new();
    for by_hour in [true, false] {
        let filter = Filter { from: 0, to: 1 << 40, hours: by_hour };
        store.lines(&filter, &mut |line| lines.push((by_hour, line))).unwrap();
    }
    (lines, store.mark("openai-completions@main").unwrap())
}

#[test]
fn a_hundred_kills_at_any_moment_lose_nothing() {
    let folder = Folder::new();
    let undisturbed = Store::open(&folder.0.join("whole")).unwrap();
    pull(&undisturbed, &Double::new(shape), NOW).unwrap();
    let wanted = whole(&undisturbed);
    let child = |path: &Path| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "usage::pull::tests::child_that_pulls"])
            .env("KEYWHEEL_TEST_STORE", path)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let begun = Instant::now();
    assert!(child(&folder.0.join("timed")).wait().unwrap().success());
    let takes = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let (mut seed, mut kills, mut within) = (11_u64, 0, 0);
    for round in 0.. {
        if kills >= 100 {
            break;
        }
        let path = folder.0.join(format!("k{round}"));
        for _ in 0..4 {
            let mut process = child(&path);
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_micros((seed >> 20) % takes));
            process.kill().unwrap();
            kills += usize::from(!process.wait().unwrap().success());
            // Looked at as whoever shows usage would: what is there is whole stretches, none in part.
            if path.is_file() {
                let (_, mark) = whole(&Store::open(&path).unwrap());
                within += usize::from(mark.is_some() && mark != wanted.1);
            }
        }
        let store = Store::open(&path).unwrap();
        pull(&store, &Double::new(shape), NOW).unwrap();
        assert_eq!(whole(&store), wanted, "round {round}");
    }
    assert!(within >= 10, "of {kills} kills {within} fell between the stretches");
}

#[test]
fn a_page_that_is_repeated_or_left_out_is_noticed_and_nothing_of_it_kept() {
    for (repeated, told) in [(true, "repeated"), (false, "left out")] {
        let folder = Folder::new();
        let store = Store::open(&folder.0.join("u")).unwrap();
        // In the second stretch, so that the first one stays.
        let double = Double { fault: Some((9, repeated)), ..Double::new(shape) };
        let error = pull(&store, &double, NOW).unwrap_err().to_string();
        assert!(error.contains(told) || error.contains("does not end"), "{error}");
        let known = hours(&store);
        assert!(!known.is_empty() && known.iter().all(|(at, _)| *at < BEGIN + 7 * DAY), "{error}");
        assert_eq!(store.mark("openai-completions@main").unwrap().unwrap().to, BEGIN + 7 * DAY);
    }
}

#[test]
fn what_a_provider_no_longer_keeps_is_told() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    let Metered { provider, mut meter } = embedded("openai-completions");
    meter.retention = Some(7 * 86_400);
    let double = Double::new(shape);
    let hosts = Hosts::default();
    let caller = Caller {
        transport: &double,
        hosts: &hosts,
        origin: Origin { provider: &provider.id, hosts: &provider.hosts, file: None },
        clock: &SystemClock,
        each: Duration::from_secs(5),
        until: SystemClock.now() + Duration::from_secs(60),
    };
    let mut values = Values::new();
    values.set("admin", Secret::new(b"made-up"));
    let at = |now| Pull {
        store: &store,
        caller: &caller,
        meter: &meter,
        provider: &provider.id,
        account: "main",
        values: &values,
        since: BEGIN,
        now,
        screen: &|_| None,
    };
    let first = at(BEGIN + 10 * DAY).run().unwrap();
    assert_eq!((first.from, first.lost), (BEGIN + 3 * DAY, None));
    let second = at(BEGIN + 30 * DAY).run().unwrap();
    assert_eq!(second.from, BEGIN + 23 * DAY);
    assert_eq!(second.lost.unwrap().1, BEGIN + 23 * DAY);
}

#[test]
fn a_name_that_is_a_key_is_not_kept() {
    let mut rows = vec![
        super::super::Row {
            key: "secret".to_owned(),
            at: 0,
            model: String::new(),
            place: String::new(),
            numbers: Default::default(),
        };
        2
    ];
    screened(&mut rows, &|name| (name == "secret").then(|| "kw1:x".to_owned()));
    assert!(rows.iter().all(|r| r.key == "kw1:x"));
}

#[test]
fn every_recorded_answer_gives_the_rows_that_it_says() {
    let files = embedded_texts().iter().map(|(name, text)| (Path::new(name), *text, false));
    let all = meters(files).unwrap();
    assert!(all.len() >= 7, "{}", all.len());
    let rules = RuleSet::embedded();
    for Metered { meter, .. } in all.values() {
        assert!(rules.position(&meter.admin).is_some());
        for (n, told) in meter.replies.iter().enumerate() {
            let Some(expected) = told.rows else { continue };
            let page: Value = serde_json::from_str(&told.body).unwrap();
            let mut rows = Rows::new(&meter.columns, meter.grain, None);
            rows.of_key("k");
            rows.page(&meter.rows, &page).unwrap_or_else(|e| panic!("{} {n}: {e}", meter.id));
            let (rows, last) = rows.finish();
            assert_eq!(rows.len() + last.len(), expected, "{} {n}", meter.id);
            let used = rows.iter().any(|r| r.numbers != Default::default());
            assert!(used || !last.is_empty() || expected == 0, "{} {n}: no column counts", meter.id);
        }
        assert!(meter.replies.iter().any(|t| t.rows.is_some_and(|n| n > 0)), "{}", meter.id);
    }
}

/// OpenRouter's keys by offset, and the days of each.
struct Router;

impl Transport for Router {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        let target = String::from_utf8(request.target.expose().to_vec()).unwrap();
        let body = match (parameter(&target, "offset"), target.split("date=").nth(1)) {
            (Some(0), _) => r#"{"data":[{"hash":"h1"},{"hash":"h2"}]}"#.to_owned(),
            (Some(2), _) => r#"{"data":[{"hash":"h3"}]}"#.to_owned(),
            (Some(_), _) => r#"{"data":[]}"#.to_owned(),
            (None, Some(rest)) => {
                let (date, key) = rest.split_once("&api_key_hash=h").unwrap();
                // Two endpoints of one model.
                let row = format!(
                    r#"{{"date":"{date}","model_permaslug":"m","requests":{key},"prompt_tokens":10,"completion_tokens":2,"usage":0.5}}"#
                );
                format!(r#"{{"data":[{row},{row}]}}"#)
            }
            (None, None) => panic!("{target}"),
        };
        Ok(Reply { status: 200, headers: BTreeMap::new(), body })
    }
}

#[test]
fn a_list_of_keys_is_gone_through_whole() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    let done = pull_of(&store, &Router, "openrouter-activity", &[("admin", "made-up")], (NOW - 3 * DAY, NOW))
        .unwrap();
    // The day before is not whole yet half an hour after midnight.
    assert_eq!((done.stretches, done.rows), (2, 12), "two days, three keys, two rows each");
    let names = store.names().unwrap();
    let mut told = BTreeMap::new();
    let filter = Filter { from: 0, to: 1 << 40, hours: false };
    store
        .lines(&filter, &mut |l| {
            *told.entry(names.keys[&l.key].1.clone()).or_insert(0) += l.numbers.requests;
        })
        .unwrap();
    let expected: BTreeMap<_, _> =
        [("h1", 4), ("h2", 8), ("h3", 12)].into_iter().map(|(k, n)| (k.to_owned(), n)).collect();
    assert_eq!(told, expected);
}

/// Deepgram's requests of a day, 1000 a page, whose pages count from 0, or from 1 with 0 for the first as well.
struct Requests(i64);

impl Transport for Requests {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        let target = String::from_utf8(request.target.expose().to_vec()).unwrap();
        assert!(target.starts_with("/v1/projects/p1/requests?start=2026-01-"), "{target}");
        let day = target.split("start=").nth(1).unwrap().split('&').next().unwrap();
        let page = (parameter(&target, "page").unwrap() - self.0).max(0);
        let row = |n: i64| {
            format!(
                r#"{{"request_id":"{day}-{n}","created":"{day}T10:00:00Z","api_key_id":"k{}","response":{{"details":{{"usd":0.5}}}}}}"#,
                n % 2
            )
        };
        let rows: Vec<String> = (page * 1000..1500.min((page + 1) * 1000)).map(row).collect();
        let body = format!(r#"{{"page":{page},"limit":1000,"requests":[{}]}}"#, rows.join(","));
        Ok(Reply { status: 200, headers: BTreeMap::new(), body })
    }
}

#[test]
fn pages_that_are_counted_are_read_to_the_end() {
    for (first, expected) in [(0, Ok(1500)), (1, Err("row 1001 was there before"))] {
        let folder = Folder::new();
        let store = Store::open(&folder.0.join("u")).unwrap();
        let done = pull_of(
            &store,
            &Requests(first),
            "deepgram-requests",
            &[("admin", "made-up"), ("project_id", "p1")],
            (NOW, NOW),
        );
        match (done, expected) {
            (Ok(done), Ok(rows)) => {
                assert_eq!(done.rows, rows);
                let mut cost = 0;
                let filter = Filter { from: 0, to: 1 << 40, hours: true };
                store.lines(&filter, &mut |l| cost += l.numbers.cost).unwrap();
                assert_eq!(cost, 750 * 1_000_000_000);
            }
            (Err(error), Err(told)) => assert!(error.to_string().contains(told), "{error}"),
            (done, expected) => panic!("{done:?}, and not {expected:?}"),
        }
    }
}

/// CloudTrail's events of an hour in two pages, the second under a token that goes into the body.
struct Trail;

impl Transport for Trail {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            String::from_utf8(found.unwrap().1.expose().to_vec()).unwrap()
        };
        assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=id-of-admin/"));
        assert!(header("x-amz-target").ends_with(".LookupEvents"));
        let body: Value = serde_json::from_slice(request.body.as_ref().unwrap().expose()).unwrap();
        let from = body["StartTime"].as_i64().unwrap();
        assert_eq!((body["EndTime"].as_i64(), body["MaxResults"].as_i64()), (Some(from + HOUR), Some(50)));
        let (n, token) = match body.get("NextToken").and_then(Value::as_str) {
            None => (0, r#","NextToken":"more""#),
            Some("more") => (1, ""),
            Some(other) => panic!("{other}"),
        };
        let body = format!(
            r#"{{"Events":[{{"AccessKeyId":"k","EventId":"{from}-{n}","EventSource":"iam.amazonaws.com","EventTime":{}}}]{token}}}"#,
            from + 5
        );
        Ok(Reply { status: 200, headers: BTreeMap::new(), body })
    }
}

#[test]
fn pages_that_are_named_in_the_body_are_asked_for_there_and_signed() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    let given = [("admin_key_id", "id-of-admin"), ("admin_secret", "made-up")];
    let done = pull_of(&store, &Trail, "aws-cloudtrail", &given, (NOW - 3 * HOUR, NOW)).unwrap();
    assert_eq!((done.stretches, done.rows), (3, 6));
    assert_eq!(hours(&store).iter().map(|(_, n)| n).sum::<i64>(), 6);
}
