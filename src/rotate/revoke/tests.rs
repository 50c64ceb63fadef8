#![allow(clippy::unwrap_used)]

use super::*;
use crate::call::{Clock, Hosts};
use crate::model::{
    Class, Confidence, Excerpt, Finding, FingerprintKey, Location, Occurrence, Partner, Provenance, RawPath,
    RuleRef, Secret, Severity, Status,
};
use crate::rule::RuleSet;
use crate::verify::Options;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

const KEY: &str = "acmev_k3y0k3y0k3y0";
const RULES: &str = r#"
    [provider]
    id = "acmev"
    name = "Acme"
    docs = "https://docs.acme.example/keys"
    hosts = ["api.acme.example"]
    [[rule]]
    id = "acmev-key"
    name = "Acme key"
    severity = "high"
    confidence = "high"
    pattern = '\b(?<secret>acmev_[a-z0-9]{12})\b'
    matches = ['k=<acmev_{lnum:12}>']
    [rule.verify]
    request = { method = "GET", url = "https://api.acme.example/me", headers = { Authorization = "Bearer {{ secret }}" } }
    active = [{ status = 200, json = { "/id" = "*" } }]
    inactive = [{ status = 401, json = { "/error" = "bad_key" } }]
    [rule.revoke]
    right = "admin"
    admin = "acmev-admin"
    effect = "delete"
    propagation = 120
    ask = { project = "the project" }
    [[rule.revoke.reads]]
    request = { method = "GET", url = "https://api.acme.example/p/{{ project }}/keys", headers = { X-Key = "{{ admin }}", X-Account = "{{ account }}" } }
    done = [{ status = 200, json = { "/keys" = "*" } }]
    find = { items = "/keys", where = { "/value" = "{{ secret }}" }, full = 3 }
    capture = { id = { json = "/id" } }
    [rule.revoke.change]
    request = { method = "DELETE", url = "https://api.acme.example/keys/{{ id }}", headers = { X-Key = "{{ admin }}" } }
    done = [{ status = 204 }]
    already = [{ status = 404, json = { "/error" = "no_key" } }]
    refused = [{ status = 403, json = { "/error" = "no_right" } }]
    [[rule]]
    id = "acmev-admin"
    name = "Acme admin key"
    severity = "high"
    confidence = "high"
    pattern = '\b(?<secret>acmeadm_[a-z0-9]{12})\b'
    matches = ['k=<acmeadm_{lnum:12}>']
"#;

fn rules() -> RuleSet {
    let mut rules = RuleSet::embedded();
    rules.add_texts(vec![(PathBuf::from("acmev.toml"), RULES.to_owned())]).unwrap();
    rules
}

fn finding(rule: &str, accounts: &[&str]) -> Finding {
    let partner =
        |value: &&str| Partner { name: "account".into(), value: Secret::new(value.as_bytes()), line: 1 };
    Finding {
        fingerprint: FingerprintKey::default().fingerprint(KEY.as_bytes()),
        rule: Arc::new(RuleRef {
            id: rule.into(),
            name: "Key".into(),
            provider: "acmev".into(),
            provider_name: "Acme".into(),
            class: Class::Structured,
            docs: String::new(),
        }),
        also: vec![],
        severity: Severity::High,
        confidence: Confidence::High,
        validity: Validity::default(),
        evidence: None,
        access: None,
        status: Status::New,
        secret: Secret::new(KEY.as_bytes()),
        notes: vec![],
        occurrences: vec![Occurrence {
            provenance: Arc::new(Provenance::file(RawPath::new(b"a"))),
            location: Location { byte_start: 0, byte_end: 1, line: 1, end_line: 1, start: 0, end: 1 },
            via: vec![],
            excerpt: Excerpt::default(),
            partners: accounts.iter().map(partner).collect(),
            suppression: None,
            versions: 1,
        }],
    }
}

fn asked() -> BTreeMap<String, String> {
    BTreeMap::from([("project".to_owned(), "p/1".to_owned())])
}

fn admin() -> Option<Secret> {
    Some(Secret::new(b"acmeadm_adm1adm1adm1"))
}

fn order(rules: &RuleSet) -> Order {
    Order::new(&finding("acmev-key", &["acc"]), rules, &asked(), admin()).unwrap()
}

/// Time that passes only while somebody sleeps.
struct Time {
    begun: Instant,
    passed: Mutex<Duration>,
}

impl Time {
    fn passed(&self) -> Duration {
        *self.passed.lock().unwrap()
    }
}

impl Clock for Time {
    fn now(&self) -> Instant {
        self.begun + self.passed()
    }

    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH + self.passed()
    }

    fn sleep(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }
}

/// A provider whose key dies some time after the change.
struct Provider<'t> {
    time: &'t Time,
    /// How long after the change the key still works; `None` for ever.
    lives: Option<Duration>,
    /// What the list holds.
    list: &'static str,
    /// Answer to the change.
    answer: Result<(u16, &'static str), CallError>,
    changed: Mutex<Option<Duration>>,
    changes: AtomicUsize,
}

impl Transport for Provider<'_> {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        let reply =
            |(status, body): (u16, &str)| Reply { status, headers: BTreeMap::new(), body: body.to_owned() };
        let target = String::from_utf8(request.target.expose().to_vec()).unwrap();
        if request.method == "DELETE" {
            assert_eq!(target, "/keys/7");
            self.changes.fetch_add(1, Ordering::SeqCst);
            self.changed.lock().unwrap().get_or_insert(self.time.passed());
            return self.answer.clone().map(reply);
        }
        if target == "/p/p%2F1/keys" {
            return Ok(reply((200, self.list)));
        }
        let own = request.headers.iter().any(|(_, v)| v.expose().ends_with(KEY.as_bytes()));
        let dead =
            self.changed.lock().unwrap().zip(self.lives).is_some_and(|(at, l)| self.time.passed() >= at + l);
        Ok(reply(if own && !dead { (200, r#"{"id":1}"#) } else { (401, r#"{"error":"bad_key"}"#) }))
    }
}

const LIST: &str = r#"{"keys":[{"id":6,"value":"other"},{"id":7,"value":"acmev_k3y0k3y0k3y0"}]}"#;
const DONE: Result<(u16, &str), CallError> = Ok((204, ""));

struct Came {
    outcome: Outcome,
    changes: usize,
    passed: Duration,
    log: String,
}

fn run(lives: Option<u64>, list: &'static str, answer: Result<(u16, &'static str), CallError>) -> Came {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    let path = std::env::temp_dir().join(format!("keywheel-revoke-{}-{n}", std::process::id()));
    let time = Time { begun: Instant::now(), passed: Mutex::default() };
    let lives = lives.map(Duration::from_secs);
    let provider = Provider {
        time: &time,
        lives,
        list,
        answer,
        changed: Mutex::default(),
        changes: AtomicUsize::new(0),
    };
    let (rules, cancel) = (rules(), AtomicBool::new(false));
    let hosts = Hosts::new(BTreeMap::new(), [rules.declared("acmev-key").unwrap().digest].into());
    let options = Options { jobs: 1, ..Options::default() };
    let verifier =
        Verifier { rules: &rules, transport: &provider, hosts: &hosts, probes: &[], clock: &time, options };
    let order = order(&rules);
    let mut log = Log::open(&path).unwrap();
    let intent = Entry::intent(&order, "1".into(), time.wall(), asked(), None);
    let done =
        Revoker { verifier: &verifier, cancel: &cancel, wait: None }.run(&order, &mut log, &intent).unwrap();
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(!log.contains(KEY) && !log.contains("acmeadm_"), "{log}");
    Came { outcome: done.outcome, changes: provider.changes.into_inner(), passed: time.passed(), log }
}

#[test]
fn dead_is_what_the_check_has_found_dead_however_long_it_takes() {
    let came = run(Some(0), LIST, DONE);
    assert_eq!((came.outcome, came.changes, came.passed), (Outcome::Dead, 1, Duration::ZERO));
    // Within what the provider says it takes, and a minute.
    let came = run(Some(170), LIST, DONE);
    assert_eq!((came.outcome, came.changes), (Outcome::Dead, 1));
    assert!((170..=180).contains(&came.passed.as_secs()), "{:?}", came.passed);
    let came = run(None, LIST, DONE);
    let Outcome::StillWorks(why) = came.outcome else { panic!("{:?}", came.outcome) };
    assert!(why.contains("may be another key's"), "an id was asked for: {why}");
    assert_eq!((came.changes, came.passed.as_secs()), (1, 180));
    assert_eq!(came.log.lines().count(), 2);
    assert!(came.log.contains(r#""outcome":"still-works","status":204"#), "{}", came.log);
}

#[test]
fn answers_to_the_change_are_weighed_and_it_is_sent_once() {
    let lost = || Err(CallError::Lost("the connection ended in the middle".to_owned()));
    let unsent = Err(CallError::Unconnected("the host took no connection".to_owned()));
    for (lives, answer, word, told) in [
        (Some(0), lost(), "dead", ""),
        (None, lost(), "unknown", "the key still works; look at the provider"),
        (None, unsent, "refused", "nothing was changed: not sent"),
        (None, Ok((403, r#"{"error":"no_right"}"#)), "refused", "the provider refused with status 403"),
        (None, Ok((403, "<html>")), "unknown", "the answer (status 403) proves nothing"),
        (None, Ok((404, r#"{"error":"no_key"}"#)), "still-works", ""),
        (Some(0), Ok((404, r#"{"error":"no_key"}"#)), "dead", ""),
        // Refused, since it is dead.
        (Some(0), Ok((403, r#"{"error":"no_right"}"#)), "dead", ""),
    ] {
        let came = run(lives, LIST, answer.clone());
        assert_eq!((came.outcome.as_str(), came.changes), (word, 1), "{answer:?}: {:?}", came.outcome);
        assert!(came.outcome.detail().contains(told), "{answer:?}: {:?}", came.outcome);
    }
}

#[test]
fn without_certainty_which_key_it_is_nothing_is_sent() {
    for (list, told) in [
        (r#"{"keys":[]}"#, "no item of the list fits"),
        (
            r#"{"keys":[{"id":7,"value":"acmev_k3y0k3y0k3y0"},{"id":8,"value":"acmev_k3y0k3y0k3y0"}]}"#,
            "more than one",
        ),
        // A third item fills the page, so that there may be another.
        (r#"{"keys":[{"id":7,"value":"acmev_k3y0k3y0k3y0"},{},{}]}"#, "may be longer"),
        (r#"{"keys":[{"value":"acmev_k3y0k3y0k3y0"}]}"#, "does not hold `id`"),
        ("<html>", "not that the read was done"),
    ] {
        let came = run(Some(0), list, DONE);
        assert!(
            matches!(&came.outcome, Outcome::Refused(why) if why.contains(told)),
            "{list}: {:?}",
            came.outcome
        );
        assert_eq!((came.changes, &*came.log), (0, ""));
    }
}

#[test]
fn orders_say_what_they_lack() {
    let rules = rules();
    let fault = |finding: &Finding, asked: &BTreeMap<String, String>, admin| {
        Order::new(finding, &rules, asked, admin).err().unwrap().to_string()
    };
    let (own, none) = (finding("acmev-key", &["acc"]), BTreeMap::new());
    let with = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    assert!(fault(&finding("acmev-admin", &[]), &none, None).contains("docs.acme.example"));
    assert!(fault(&own, &asked(), None).contains("(rule `acmev-admin`)"));
    assert!(fault(&own, &asked(), Some(own.secret.clone())).contains("the very key"));
    assert!(fault(&own, &none, admin()).contains("--ask project=VALUE (the project)"));
    assert!(fault(&own, &with("other", "x"), admin()).contains("asks for no `other`"));
    for bad in ["", " ", "a\nb", KEY, "x acmeadm_adm1adm1adm1"] {
        let told = fault(&own, &with("project", bad), admin());
        assert!(
            told.contains("`project` is empty") && !told.contains(KEY) && !told.contains("acmeadm_"),
            "{told}"
        );
    }
    assert!(fault(&finding("acmev-key", &[]), &asked(), admin()).contains("--with account=FILE"));
    assert!(fault(&finding("acmev-key", &["a", "b"]), &asked(), admin()).contains("more than one `account`"));
    assert!(Order::new(&finding("acmev-key", &["a", "a"]), &rules, &asked(), admin()).is_ok());
}

#[test]
fn a_log_is_a_file_of_its_owner_that_grows() {
    let folder = std::env::temp_dir().join(format!("keywheel-revoke-log-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (path, rules) = (folder.join("log"), rules());
    let intent = Entry::intent(&order(&rules), "1".into(), jiff::Timestamp::UNIX_EPOCH, asked(), None);
    for lines in 1..4 {
        Log::open(&path).unwrap().write(&intent).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), lines);
    }
    assert!(Log::open(&folder).unwrap_err().to_string().contains("no regular file"));
    assert!(Log::open(&folder.join("no/where")).is_err());
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        // A pipe would wait for a reader for ever.
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.join("pipe"),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
        assert!(Log::open(&folder.join("pipe")).unwrap_err().to_string().contains("no regular file"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
