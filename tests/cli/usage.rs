//! Usage, as a process: the provider is a server of our own on loopback, which the organisation's file puts in
//! OpenAI's place.

use super::server::{Server, authority};
use super::{Folder, Output, example};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Hours of use, in pages of a day; every hour is there whether used or not.
struct OpenAi {
    port: u16,
    calls: Arc<AtomicUsize>,
    /// Milliseconds that an answer takes.
    delay: Arc<AtomicU64>,
}

const ADMIN: &str = "made-up-admin";

impl OpenAi {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (calls, delay) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let (seen, wait) = (Arc::clone(&calls), Arc::clone(&delay));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, wait) = (Arc::clone(&seen), Arc::clone(&wait));
                std::thread::spawn(move || serve(stream, &seen, &wait));
            }
        });
        OpenAi { port, calls, delay }
    }

    fn file(&self) -> String {
        format!(
            "[endpoint.openai]\nbase = \"http://127.0.0.1:{}\"\nplain = true\ninternal = true\n",
            self.port
        )
    }
}

fn number(target: &str, name: &str) -> Option<i64> {
    target.split(['?', '&']).find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

fn serve(stream: std::net::TcpStream, seen: &AtomicUsize, wait: &AtomicU64) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut known) = (String::new(), false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            known |= line.trim_end().ends_with(&format!("Bearer {ADMIN}"));
            if first.is_empty() {
                first.clone_from(&line);
            }
            if line == "\r\n" {
                break;
            }
        }
        seen.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(wait.load(Ordering::Relaxed)));
        let (status, body) = if known { ("200 OK", page(&first)) } else { ("401 Unauthorized", refusal()) };
        let reply = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if out.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

fn refusal() -> String {
    r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#.to_owned()
}

fn page(line: &str) -> String {
    let target = line.split(' ').nth(1).unwrap();
    let (from, to) = (number(target, "start_time").unwrap(), number(target, "end_time").unwrap());
    let at = number(target, "page").unwrap_or(from);
    let end = (at + 86_400).min(to);
    let bucket = |at: i64| {
        let n = at / 3600 % 5;
        format!(
            r#"{{"start_time":{at},"results":[{{"api_key_id":"key_a","model":"m","num_model_requests":{n},"input_tokens":{},"output_tokens":{n}}}]}}"#,
            n * 100
        )
    };
    let buckets: Vec<String> = (at..end).step_by(3600).map(bucket).collect();
    let next = if end < to { format!("\"{end}\"") } else { "null".to_owned() };
    format!(
        r#"{{"object":"page","data":[{}],"has_more":{},"next_page":{next}}}"#,
        buckets.join(","),
        end < to
    )
}

const PULL: [&str; 11] = [
    "usage",
    "pull",
    "--store",
    "u.db",
    "--org-config",
    "org.toml",
    "--admin",
    "openai=env:ADMIN",
    "--source",
    "openai-completions",
    "--since",
];

fn pull(f: &Folder, store: &str, since: &str) -> std::process::Command {
    let mut args = PULL.to_vec();
    args[3] = store;
    args.push(since);
    let mut command = f.command(&args);
    command.env("ADMIN", ADMIN);
    command
}

impl Output {
    /// Ends so, and prints that.
    #[track_caller]
    fn shows(self, code: i32, text: &str) -> Self {
        assert!(self.code == code && self.out.contains(text), "expected {code} and {text:?}, got {self:#?}");
        self
    }
}

#[test]
fn use_is_pulled_shown_and_exported_and_no_credential_kept() {
    let (f, server) = (Folder::new(), OpenAi::new());
    f.put("org.toml", server.file());
    let run = || Output::of(pull(&f, "u.db", "10d").output().unwrap());
    run().shows(0, "openai-completions@main");
    let calls = server.calls.load(Ordering::Relaxed);
    assert!(calls >= 10, "{calls} pages");
    run().shows(0, ": 0 new");

    let out =
        f.run(&["usage", "show", "--store", "u.db", "--by", "key,model", "--format", "json"]).gives(0, "");
    let doc: serde_json::Value = serde_json::from_str(&out.out).unwrap();
    let row = &doc["rows"][0];
    assert_eq!((&row["key"], &row["model"], &doc["unknown_keys"]), (&"key_a".into(), &"m".into(), &1.into()));
    assert_eq!(row["input_tokens"].as_i64(), row["requests"].as_i64().map(|n| n * 100));
    f.run(&["usage", "show", "--store", "u.db", "--by", "day", "--format", "csv"]).shows(0, "day,requests,");
    f.run(&["usage", "export", "--store", "u.db", "--format", "csv"])
        .shows(0, "openai-completions@main,provider");
    f.run(&["usage", "show", "--store", "u.db", "--format", "html"]).shows(0, "<!doctype html>");
    f.run(&["usage", "sources", "--store", "u.db"]).shows(0, "openai-costs");
    f.run(&["usage", "watch", "--store", "u.db"]).shows(0, "too young");
    f.run(&["usage", "show", "--store", "none.db"]).gives(2, "there is no file");

    let kept = std::fs::read(f.0.join("u.db")).unwrap();
    assert!(!kept.windows(ADMIN.len()).any(|w| w == ADMIN.as_bytes()));
    let mut wrong = pull(&f, "u.db", "10d");
    let out = Output::of(wrong.env("ADMIN", "other").output().unwrap()).gives(3, "");
    assert!(out.err.contains("status 401") && !out.err.contains("other"), "{out:?}");
}

#[test]
fn a_process_that_was_killed_while_it_pulled_loses_nothing() {
    let (f, server) = (Folder::new(), OpenAi::new());
    f.put("org.toml", server.file());
    Output::of(pull(&f, "whole.db", "20d").output().unwrap()).gives(0, "");
    let export = |store: &str| {
        let args = ["usage", "export", "--store", store, "--since", "15d"];
        f.run(&args).gives(0, "").out
    };
    let whole = export("whole.db");
    assert!(whole.lines().count() > 300);
    server.delay.store(1, Ordering::Relaxed);
    let mut seed = 5_u64;
    // Calls are five a second, so that a whole pull takes seconds.
    for round in 0..4 {
        let store = format!("k{round}.db");
        for _ in 0..2 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut child =
                pull(&f, &store, "20d").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(50 + (seed >> 40) % 2500));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        Output::of(pull(&f, &store, "20d").output().unwrap()).gives(0, "");
        assert_eq!(export(&store), whole, "round {round}");
    }
}

#[test]
fn a_log_that_names_keys_by_their_values_is_taken_in_by_fingerprint() {
    let f = Folder::new();
    let key = example("openai.toml", "openai-project-key", 0);
    let value = String::from_utf8(key.value).unwrap();
    let line = format!(
        "{{\"t\":\"2026-01-01T00:00:00Z\",\"key\":\"{value}\",\"n\":3}}\n{{\"t\":\"2026-01-01T00:00:00Z\",\"key\":\"team-a\",\"n\":1}}\n"
    );
    let mapping =
        "form = 'jsonl'\nprovider = 'openai'\n[columns]\nat = '/t'\nkey = '/key'\nrequests = '/n'\n";
    f.put("log", &line).put("map.toml", mapping);
    let args = ["usage", "import", "--store", "u.db", "--mapping", "map.toml", "--name", "gateway", "log"];
    f.run(&args).shows(0, "gateway: 2 rows");
    f.run(&args).shows(0, "gateway: 0 rows");
    let out =
        f.run(&["usage", "show", "--store", "u.db", "--by", "key", "--since", "3650d"]).shows(0, "kw1:");
    assert!(out.out.contains("team-a") && !out.out.contains(&value), "{out:?}");
    for name in ["u.db", "u.db-wal"] {
        let kept = std::fs::read(f.0.join(name)).unwrap_or_default();
        assert!(!kept.windows(value.len()).any(|w| w == value.as_bytes()), "{name}");
    }
    f.put("bad", "no json\n");
    let bad = ["usage", "import", "--store", "u.db", "--mapping", "map.toml", "--name", "gateway", "bad"];
    let out = f.run(&bad).gives(2, "");
    assert!(out.err.contains("line 1") && out.err.contains("nothing of it"), "{out:?}");
}

/// The day so many days ago.
fn day(ago: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * ago);
    at.strftime("%Y-%m-%d").to_string()
}

/// Neon's list of keys: one was used yesterday, one long ago, one never, and one is not in the inventory.
fn neon() -> Server {
    Server::standing_in("console.neon.tech", |request| {
        let right = request.starts_with("GET /api/v2/api_keys ") && request.contains(ADMIN);
        let item = |id: u64, used: &str| {
            format!(
                r#"{{"id":{id},"name":"k","created_at":"2025-01-15T10:30:00Z","created_by":{{"id":"u1"}},"last_used_at":{used},"last_used_from_addr":"192.0.2.1"}}"#
            )
        };
        let used = |ago: i64| format!("\"{}T10:00:00Z\"", day(ago));
        let list = [item(1, &used(1)), item(2, &used(200)), item(3, "null"), item(9, &used(2))].join(",");
        let (status, body) = match right {
            true => ("200 OK", format!("[{list}]")),
            false => ("401 Unauthorized", r#"{"message":"authorization failed","code":""}"#.to_owned()),
        };
        Some(format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    })
}

#[test]
fn last_uses_come_from_the_lists_of_rotation_and_tell_what_may_be_deleted() {
    let (f, server) = (Folder::new(), neon());
    let entry = |id: &str, name: &str| {
        format!(
            "[[key]]\nid = '{id}'\nteam = 'web'\nservice = 's'\nenvironment = 'staging'\nprovider = 'neon'\n\
             rule = 'neon-api-key'\naccount = '{id}'\nadmin = 'neon'\nowner = 'ann'\nrotated = 2020-01-01\n\
             known-as = ['{name}']\n"
        )
    };
    let policy =
        [entry("used", "1"), entry("dusty", "2"), entry("never", "3"), entry("elsewhere", "4")].concat();
    f.put("roots.pem", authority()).put(
        "policy.toml",
        format!(
            "version = 1\n[default]\ncadence = '36500d'\n[team.web]\n[admin.neon]\ncredential = 'env:ADMIN'\nprovider = 'neon'\n{policy}"
        ),
    );
    f.put(
        "org.toml",
        format!("[endpoint.neon]\nbase = \"https://console.neon.tech\"\nconnect = \"{}\"\n", server.address),
    );
    let pull = |admin: &str| {
        let args =
            ["usage", "pull", "--store", "u.db", "--policy", "policy.toml", "--org-config", "org.toml"];
        let mut command = f.command(&args);
        Output::of(command.env("ADMIN", admin).env("SSL_CERT_FILE", "roots.pem").output().unwrap())
    };
    let wrong = pull("other").gives(3, "neon-api-key-last-used@neon");
    assert!(!wrong.err.contains("other"), "{wrong:?}");
    pull(ADMIN).shows(0, "4 keys listed");

    let report = |format: &str, more: &[&str]| {
        let args = ["policy", "report", "--policy", "policy.toml", "--usage", "u.db", "--format", format];
        f.run(&[&args[..], more].concat()).gives(0, "").out
    };
    let doc: serde_json::Value = serde_json::from_str(&report("json", &["--record"])).unwrap();
    let mut standing: Vec<(&str, &str, &str)> = doc["usage"]["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|k| {
            (k["key"].as_str().unwrap(), k["standing"].as_str().unwrap(), k["last"].as_str().unwrap_or("-"))
        })
        .collect();
    standing.sort_unstable();
    let (old, new) = (day(200), day(1));
    assert_eq!(
        standing,
        [
            ("dusty", "unused", &*old),
            ("elsewhere", "untold", "-"),
            ("never", "unused", "-"),
            ("used", "used", &*new)
        ]
    );
    assert_eq!(doc["usage"]["strangers"][0]["key"], "9");
    let markdown = report("markdown", &[]);
    assert!(markdown.contains("### Unused: candidates for deletion"), "{markdown}");
    assert!(markdown.contains(&format!("- {}: 4 keys, 0 late", day(0))), "the report before it: {markdown}");
    let html = report("html", &[]);
    assert!(html.contains("Unused: candidates for deletion") && html.contains("<svg"), "{html}");
}

/// The cells of a Parquet file, as the table of the same question writes them.
fn cells(path: &std::path::Path) -> Vec<Vec<String>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let columns = reader.metadata().file_metadata().schema_descr().columns().to_vec();
    let cell = |(name, field): (&String, &Field)| match field {
        Field::Null if ["requests", "input_tokens", "output_tokens", "errors"].contains(&&**name) => {
            "0".to_owned()
        }
        Field::Null if name == "cost_usd" => "0.000000000".to_owned(),
        Field::Null => String::new(),
        Field::Double(n) => format!("{n:.9}"),
        Field::Long(n) => n.to_string(),
        Field::Str(text) => text.clone(),
        Field::TimestampMillis(at) => {
            let form = if name == "day" { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%MZ" };
            jiff::Timestamp::from_millisecond(*at).unwrap().strftime(form).to_string()
        }
        other => panic!("{name}: {other:?}"),
    };
    let head = columns.iter().map(|c| c.name().to_owned()).collect();
    let rows = reader.get_row_iter(None).unwrap();
    let rows = rows.map(|row| row.unwrap().get_column_iter().map(cell).collect());
    std::iter::once(head).chain(rows).collect()
}

#[test]
fn parquet_holds_what_the_table_of_the_same_question_holds() {
    let f = Folder::new();
    let key = example("openai.toml", "openai-project-key", 0);
    let value = String::from_utf8(key.value).unwrap();
    let mut log = String::new();
    for n in 0..300_i64 {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(n);
        let (key, model) = if n % 4 == 0 { (value.as_str(), "") } else { ("key_b", "m") };
        let usd = format!("{}.{:09}", n / 7, n * 1_234_567 % 1_000_000_000);
        log += &format!(
            "{{\"t\":\"{at}\",\"k\":\"{key}\",\"m\":\"{model}\",\"n\":{n},\"in\":{},\"usd\":{usd}}}\n",
            n * 99
        );
    }
    let mapping = "form = 'jsonl'\nprovider = 'openai'\n[columns]\nat = '/t'\nkey = '/k'\nmodel = '/m'\n\
                   requests = '/n'\ninput = ['/in']\ncost = '/usd'\n";
    f.put("log", &log).put("map.toml", mapping);
    let import = ["usage", "import", "--store", "u.db", "--mapping", "map.toml", "--name", "gateway", "log"];
    f.run(&import).shows(0, "gateway: 300 rows");

    let show = |by: &'static str| vec!["usage", "show", "--store", "u.db", "--by", by];
    for ask in [
        show("service,key,model"),
        show("model,hour"),
        show("day,key"),
        vec!["usage", "export", "--store", "u.db"],
    ] {
        let to = |format: &'static str, file: &'static str| {
            [&ask[..], &["--format", format, "--output", file]].concat()
        };
        f.run(&to("csv", "out.csv")).gives(0, "");
        f.run(&to("parquet", "out.parquet")).gives(0, "");
        let table = std::fs::read_to_string(f.0.join("out.csv")).unwrap();
        let table: Vec<Vec<String>> =
            table.lines().map(|l| l.split(',').map(str::to_owned).collect()).collect();
        assert!(table.len() > 2, "{ask:?}");
        assert_eq!(cells(&f.0.join("out.parquet")), table, "{ask:?}");
        assert_eq!(f.run(&[&ask[..], &["--format", "csv"]].concat()).gives(0, "").out, table_text(&table));
        for name in ["out.csv", "out.parquet"] {
            let kept = std::fs::read(f.0.join(name)).unwrap();
            assert!(!kept.windows(value.len()).any(|w| w == value.as_bytes()), "{ask:?}: {name}");
        }
    }
    // A source that tells no errors says nothing of them, rather than that there were none.
    let kept = std::fs::read(f.0.join("out.parquet")).unwrap();
    use parquet::file::reader::FileReader;
    let reader = parquet::file::reader::SerializedFileReader::new(
        std::fs::File::open(f.0.join("out.parquet")).unwrap(),
    );
    let errors = reader.unwrap().metadata().row_group(0).column(11).statistics().unwrap().null_count_opt();
    assert_eq!(errors, Some(300));

    let parquet = [&show("key")[..], &["--format", "parquet"]].concat();
    f.run(&parquet).gives(2, "written to a file only");
    f.run(&[&parquet[..], &["--output", "-"]].concat()).gives(2, "written to a file only");
    f.run(&[&parquet[..], &["--output", "/dev/full"]].concat()).gives(2, "`/dev/full` is none");
    f.run(&[&parquet[..], &["--output", "none/out.parquet"]].concat())
        .gives(4, "cannot write none/out.parquet");
    assert_eq!(std::fs::read(f.0.join("out.parquet")).unwrap(), kept);
}

fn table_text(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| row.join(",") + "\n").collect()
}
