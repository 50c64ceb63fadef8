//! Turning keys over, as processes: a server on loopback stands in for GitHub, whose tokens only people make, and the
//! key lands in a file.

use super::server::{Server, authority};
use super::{Folder, Output, key};
use keywheel::model::FingerprintKey;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MASTER: &str = "MASTER";

/// GitHub, a shop that reads its token from a file, and the organisation's policy.
struct Shop {
    folder: Folder,
    live: Arc<Mutex<BTreeSet<String>>>,
    _server: Server,
}

fn reply(status: &str, body: &str) -> Option<String> {
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

impl Shop {
    fn new(settings: &str) -> Shop {
        let live = Arc::new(Mutex::new(BTreeSet::from([key(0), key(1)])));
        let known = Arc::clone(&live);
        let server = Server::standing_in("api.github.com", move |request| {
            let works = known.lock().unwrap().iter().any(|token| request.contains(token));
            match works {
                true => reply("200 OK", r#"{"login":"octo","id":1}"#),
                false => reply("401 Unauthorized", r#"{"message":"Bad credentials"}"#),
            }
        });
        let folder = Folder::new();
        folder.put("roots.pem", authority());
        folder.put(
            "org.toml",
            format!(
                "[endpoint.github]\nbase = \"https://api.github.com\"\nconnect = \"{}\"\n",
                server.address
            ),
        );
        folder.put("app/.env", format!("PORT=1\nTOKEN={}\n", key(0)));
        let shop = Shop { folder, live, _server: server };
        shop.policy(settings);
        shop
    }

    fn policy(&self, settings: &str) {
        let print = FingerprintKey::default().fingerprint(key(0).as_bytes());
        let text = format!(
            "version = 1\n[default]\nowners = ['@web']\noverlap = '0s'\ngrace = '0s'\nquiet = '0s'\nsoak = '0s'\njitter = '0s'\n\
             proof = ['timer']\n{settings}\n[team.web]\npaths = ['tree/**']\n[store.env]\nkind = 'file'\n\
             [[key]]\nid = 'web/shop/github'\nteam = 'web'\nservice = 'shop'\nenvironment = 'staging'\nprovider = 'github'\n\
             rule = 'github-pat-classic'\naccount = 'octo'\nfingerprints = ['{print}']\nrotated = 2020-01-01\n\
             stores = [{{ store = 'env', path = '{}', field = 'TOKEN' }}]\n",
            self.env().display()
        );
        self.folder.put("policy.toml", text);
    }

    fn env(&self) -> PathBuf {
        fs::canonicalize(self.folder.0.join("app")).unwrap().join(".env")
    }

    fn token(&self) -> String {
        let text = fs::read_to_string(self.env()).unwrap();
        text.lines().find_map(|l| l.strip_prefix("TOKEN=")).unwrap().to_owned()
    }

    fn start(&self, env: &[(&str, &str)], args: &[&str]) -> Child {
        self.start_any(env, &[&["rotate"][..], args].concat())
    }

    fn start_any(&self, env: &[(&str, &str)], args: &[&str]) -> Child {
        let mut command = self.folder.command(args);
        command
            .env("SSL_CERT_FILE", "roots.pem")
            .env("KEYWHEEL_POLICY", "policy.toml")
            .env("KEYWHEEL_STATE", "state")
            .env("KEYWHEEL_MASTER_KEY", format!("env:{MASTER}"))
            .env(MASTER, "0f".repeat(32))
            .envs(env.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn end(&self, mut child: Child, input: &str) -> Output {
        // A command that ends before it reads has closed the pipe.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let out = Output::of(child.wait_with_output().unwrap());
        for n in 0..3 {
            assert!(!out.out.contains(&key(n)) && !out.err.contains(&key(n)), "a key is shown: {out:#?}");
        }
        assert!(!out.err.contains(&"0f".repeat(32)), "{out:#?}");
        out
    }

    fn rotate(&self, args: &[&str]) -> Output {
        self.end(self.start(&[], args), "")
    }

    fn bring(&self, args: &[&str], n: usize) -> Output {
        self.end(self.start(&[], args), &format!("{}\n", key(n)))
    }

    fn kill(&self, n: usize) {
        self.live.lock().unwrap().remove(&key(n));
    }

    /// The hash that `plan` prints.
    fn planned(&self) -> String {
        let out = self.rotate(&["plan", "--lineage", "web/shop/github", "--format", "json"]).gives(0, "");
        let doc: serde_json::Value = serde_json::from_str(&out.out).unwrap();
        doc["plan"].as_str().unwrap().to_owned()
    }

    fn status(&self) -> serde_json::Value {
        let out = self.rotate(&["status", "--format", "json"]);
        serde_json::from_str(&out.out).unwrap_or_else(|e| panic!("{e}: {out:#?}"))
    }

    /// No key stands in the journal or anything beside it.
    fn nothing_at_rest(&self) {
        for entry in fs::read_dir(self.folder.0.join("state")).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            for n in 0..3 {
                let key = key(n);
                assert!(!bytes.windows(key.len()).any(|w| w == key.as_bytes()), "{}", path.display());
            }
        }
    }
}

const ASK: [&str; 4] = ["--lineage", "web/shop/github", "--org-config", "org.toml"];

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, &ASK, more].concat()
}

#[test]
fn a_key_that_only_people_make_is_turned_over() {
    let shop = Shop::new("");
    let plan = shop.rotate(&with(&["plan"], &[])).gives(0, "");
    for told in [
        "keys are made by hand",
        "env:/",
        "@web makes the new key at github",
        "unless one waits in the pool",
        "* write the new key",
    ] {
        assert!(plan.out.contains(told), "{told}: {plan:#?}");
    }
    let hash = shop.planned();
    assert!(plan.out.contains(&hash), "{plan:#?}");
    shop.rotate(&with(&["apply"], &[])).gives(2, "say which plan is meant");
    shop.rotate(&with(&["apply"], &["--plan", &"0".repeat(64)])).gives(2, "the plan is another one now");
    assert_eq!(shop.token(), key(0));

    shop.rotate(&with(&["apply"], &["--plan", &hash])).gives(1, "bring it: keywheel rotate resume");
    assert_eq!(shop.token(), key(0), "nothing is written before there is a key");
    shop.bring(&with(&["resume"], &["--new-key"]), 2).gives(2, "does not work");
    shop.bring(&with(&["resume"], &["--new-key"]), 0).gives(2, "is the one that goes");
    let out =
        shop.bring(&with(&["resume"], &["--new-key"]), 1).gives(1, "the old key still works: delete it");
    assert_eq!(shop.token(), key(1), "{out:#?}");
    shop.nothing_at_rest();
    shop.rotate(&with(&["resume"], &[])).gives(1, "delete it at the provider");
    shop.kill(0);
    let out = shop.rotate(&with(&["resume"], &[])).gives(0, "web/shop/github: done; generation 2");
    let print = FingerprintKey::default().fingerprint(key(1).as_bytes());
    assert!(out.err.contains(print.as_str()), "the inventory is told the new fingerprint: {out:#?}");
    assert_eq!(fs::read_to_string(shop.env()).unwrap(), format!("PORT=1\nTOKEN={}\n", key(1)));
    shop.nothing_at_rest();

    let status = shop.status();
    assert_eq!(
        (&status["rotations"][0]["phase"], &status["rotations"][0]["asks"]),
        (&"done".into(), &false.into())
    );
    let out = shop.rotate(&["status", "--lineage", "web/shop/github"]).gives(0, "");
    for told in ["about to make a key", "about to write the new key to env:/", "the old key is dead"] {
        assert!(out.out.contains(told), "{told}: {out:#?}");
    }
    let out = shop.rotate(&["status", "--lineage", "web/shop/github", "--format", "markdown"]).gives(0, "");
    for told in
        ["| <code>web/shop/github</code> | 1, generation 2 | scheduled | done |", "the old key is dead"]
    {
        assert!(out.out.contains(told), "{told}: {out:#?}");
    }
    assert!(!out.out.contains("env:/"), "nothing in a comment is a link: {out:#?}");
    let out = shop.rotate(&["runbook", "web/shop/github"]).gives(0, "");
    assert!(out.out.contains("## What was done") && out.out.contains("## By hand"), "{out:#?}");
    // It is not due again, and nothing is under way.
    shop.rotate(&["run", "--org-config", "org.toml"]).gives(0, "");
    assert_eq!(shop.status()["rotations"].as_array().unwrap().len(), 1);
    shop.rotate(&with(&["abort"], &[])).gives(2, "no rotation of `web/shop/github` is under way");
}

#[test]
fn a_key_of_the_pool_serves_without_a_person() {
    const KEY: &str = "web/shop/github";
    let shop = Shop::new("pool-low = 2");
    let org = ["--org-config", "org.toml"];
    let add = |n| shop.bring(&[&["pool", "add", KEY][..], &org].concat(), n);
    add(2).gives(2, "does not work");
    add(0).gives(2, "in use already");
    let out = add(1).gives(0, "");
    assert!(
        out.out.contains("key 1 waits in the pool; it stays in force"),
        "GitHub's tokens cannot be switched off: {out:#?}"
    );
    add(1).gives(2, "was put in a pool before");
    shop.live.lock().unwrap().insert(key(2));
    shop.folder.put("new.txt", key(2));
    shop.rotate(&[&["pool", "add", KEY, "--file", "new.txt"][..], &org].concat()).gives(0, "");
    let list = shop.rotate(&["pool", "list", KEY]).gives(0, "").out;
    assert!(list.lines().count() == 2 && list.starts_with("1  web/shop/github  added"), "{list}");
    shop.rotate(&["pool", "drop", "2"]).gives(2, "--reason");
    shop.rotate(&["pool", "drop", "2", "--reason", "made twice"]).gives(0, "delete it at the provider");
    shop.rotate(&["pool", "drop", "2", "--reason", "again"]).gives(2, "is in no pool");
    shop.nothing_at_rest();
    // It is due, and two copies are at it: one key is drawn, once, and nobody is asked for one.
    let run = || shop.start(&[], &[&["run"][..], &org].concat());
    for child in [run(), run()] {
        shop.end(child, "");
    }
    shop.rotate(&[&["run"][..], &org].concat()).gives(1, "delete it at the provider");
    assert_eq!(shop.token(), key(1));
    shop.nothing_at_rest();
    shop.kill(0);
    shop.rotate(&with(&["resume"], &[])).gives(0, "done; generation 2");
    let status = shop.status();
    assert_eq!(status["rotations"].as_array().unwrap().len(), 1);
    assert_eq!(status["pools"], serde_json::json!([{ "lineage": KEY, "waiting": 0 }]));
    let text = shop.rotate(&["status"]).gives(0, "").out;
    assert!(text.contains("0 keys wait in its pool; the next rotation asks a person"), "{text}");
    let told = shop.rotate(&["audit", "export"]).gives(0, "").out;
    assert_eq!(told.matches("pool_drawn").count(), 1, "{told}");
    add(1).gives(2, "in use already");
}

#[test]
fn a_rotation_goes_back_while_it_can() {
    let shop = Shop::new("");
    let hash = shop.planned();
    shop.bring(&with(&["apply"], &["--plan", &hash, "--new-key"]), 1).gives(1, "delete it");
    assert_eq!(shop.token(), key(1));
    let out = shop.rotate(&with(&["abort"], &[])).gives(1, "the new key still works: delete it");
    assert_eq!(shop.token(), key(0), "{out:#?}");
    shop.kill(1);
    shop.rotate(&with(&["resume"], &[])).gives(1, "rolled-back; the old key is in force");
    assert_eq!(shop.token(), key(0));
    shop.nothing_at_rest();
    // It is due still, and nobody begins again by himself for a day.
    shop.rotate(&["run", "--org-config", "org.toml"]).gives(0, "");
    assert_eq!(shop.status()["rotations"].as_array().unwrap().len(), 1);
}

#[test]
fn the_audit_shows_what_was_tampered_with() {
    let shop = Shop::new("");
    let hash = shop.planned();
    shop.bring(&with(&["apply"], &["--plan", &hash, "--new-key", "--audit-head", "head"]), 1).gives(1, "");
    shop.rotate(&["audit", "verify"]).gives(0, "");
    shop.rotate(&["audit", "verify", "--head", "head"]).gives(0, "");
    let head = shop.rotate(&["audit", "head"]).gives(0, "").out;
    assert_eq!(head, fs::read_to_string(shop.folder.0.join("head")).unwrap());
    let lines = shop.rotate(&["audit", "export"]).gives(0, "").out;
    assert!(
        lines.lines().count() > 5
            && lines.lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok())
    );
    let number: u64 = head.split(':').nth(1).unwrap().parse().unwrap();
    shop.folder.put("head", head.replace(&format!(":{number}:"), &format!(":{}:", number + 1)));
    shop.rotate(&["audit", "verify", "--head", "head"]).gives(1, "the exported head names entry");
    shop.folder.put("head", "kwa1:x");
    shop.rotate(&["audit", "verify", "--head", "head"]).gives(2, "a head of an audit reads");
    let other = ("MASTER", "aa".repeat(32));
    shop.end(shop.start(&[(other.0, &other.1)], &["audit", "verify"]), "").gives(1, "is not at hand");
}

#[test]
fn a_proposed_change_and_a_passing_job_rotate_nothing() {
    let shop = Shop::new("");
    let apply = with(&["apply"], &["--auto"]);
    for event in [
        &[("GITHUB_EVENT_NAME", "pull_request")][..],
        &[("GITHUB_EVENT_NAME", "pull_request_target"), ("CI", "true")],
        &[("CI_PIPELINE_SOURCE", "merge_request_event")],
        &[("BUILDKITE_PULL_REQUEST", "7")],
    ] {
        for args in [&apply[..], &["run"], &["watch"], &with(&["resume"], &[]), &with(&["abort"], &[])] {
            shop.end(shop.start(event, args), "").gives(2, "nothing is rotated here");
        }
    }
    shop.end(shop.start(&[("CI", "true")], &apply), "").gives(2, "say so with --durable");
    shop.end(shop.start(&[("KEYWHEEL_MASTER_KEY", "")], &apply), "").gives(2, "openssl rand -hex 32");
    let short = shop.end(shop.start(&[(MASTER, "short")], &apply), "").gives(2, "at least 32 bytes");
    assert!(!short.err.contains("`short`"));
    shop.end(shop.start(&[("KEYWHEEL_STATE", "")], &apply), "").gives(2, "a value is required for '--state");
    assert_eq!(shop.token(), key(0));
}

#[cfg(unix)]
#[test]
fn what_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Shop::new("");
    let mode = |name: &str, mode| {
        fs::set_permissions(shop.folder.0.join(name), fs::Permissions::from_mode(mode)).unwrap()
    };
    shop.folder.put("master", "0e".repeat(32));
    let file = format!("file:{}", shop.folder.0.join("master").display());
    let head = || shop.end(shop.start(&[("KEYWHEEL_MASTER_KEY", &file)], &["audit", "head"]), "");
    mode("master", 0o640);
    head().gives(2, "others may read");
    mode("master", 0o600);
    head().gives(0, "");
    assert_eq!(fs::metadata(shop.folder.0.join("state")).unwrap().permissions().mode() & 0o777, 0o700);
    mode("state", 0o750);
    head().gives(2, "chmod 700");
}

#[test]
fn a_leak_that_is_proved_becomes_an_emergency() {
    let shop = Shop::new("emergency-auto = true\nemergency-soak = '0s'");
    shop.folder.put("tree/a", format!("t = {}\n", key(0)));
    let mut scan = shop.folder.command(&["scan", "tree", "--format", "json=report.json"]);
    assert_eq!(scan.status().unwrap().code(), Some(1));
    let print = FingerprintKey::default().fingerprint(key(0).as_bytes()).to_string();
    let leak =
        ["--report", "report.json", "--fingerprint", &print, "--root", "tree", "--org-config", "org.toml"];
    let with = |first: &[&'static str], more: &[&'static str]| -> Vec<String> {
        first.iter().chain(&leak).chain(more).map(|s| (*s).to_owned()).collect()
    };
    let run = |args: Vec<String>, input: &str| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        shop.end(shop.start(&[], &args), input)
    };
    let plan = run(with(&["plan"], &[]), "").gives(0, "");
    assert!(plan.out.contains("emergency rotation to generation 2"), "{plan:#?}");
    let new = format!("{}\n", key(1));
    run(with(&["apply"], &["--auto", "--new-key"]), &new).gives(1, "delete it at the provider");
    assert_eq!(shop.token(), key(1));
    assert_eq!(shop.status()["rotations"][0]["kind"], "emergency");
    shop.kill(0);
    shop.rotate(&["run", "--org-config", "org.toml"]).gives(1, "");
    shop.rotate(&["resume", "--lineage", "web/shop/github", "--org-config", "org.toml"]).gives(0, "done");
    // The place still holds the dead key: nothing is proved to work, so nothing begins.
    run(with(&["apply"], &["--auto"]), "").gives(2, "not proved to work");
    fs::remove_file(shop.folder.0.join("tree/a")).unwrap();
    run(with(&["apply"], &["--auto"]), "").gives(2, "does not stand there any more");
    shop.nothing_at_rest();
}

#[test]
fn a_whole_report_gets_plans_or_names_whom_to_ask() {
    let shop = Shop::new("");
    shop.rotate(&["status", "--format", "markdown"]).gives(0, "");
    let print = |text: &str| FingerprintKey::default().fingerprint(text.as_bytes()).to_string();
    let finding = |text: &str, validity: &str, path: &str| {
        serde_json::json!({
            "fingerprint": print(text), "rule": "github-pat-classic", "provider": "github", "validity": validity,
            "status": "new", "occurrences": [{"path": path, "line": 1, "via": []}],
        })
    };
    let put = |found: &[serde_json::Value]| {
        let report = serde_json::json!({ "version": 1, "findings": found });
        shop.folder.put("report.json", report.to_string());
    };
    put(&[
        finding(&key(0), "active", "tree/a"),
        finding("stranger", "active", "tree/b"),
        finding("nobody's", "active", "elsewhere"),
        finding("dead", "inactive", "tree/c"),
    ]);
    let plan = |more: &[&str]| shop.rotate(&[&["plan", "--report", "report.json"][..], more].concat());
    let text = plan(&[]).gives(1, "").out;
    for told in [
        "web/shop/github: emergency rotation to generation 2",
        &format!("to carry it out: keywheel rotate apply --report REPORT --fingerprint {}", print(&key(0))),
        &format!(
            "{} (github-pat-classic): no plan: no lineage of the inventory has it; the nearest to ask: web (a path of team web)",
            print("stranger")
        ),
        "nobody answers for its place",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains(&print("dead")), "{text}");
    let markdown = plan(&["--format", "markdown"]).gives(1, "").out;
    assert!(markdown.contains("### `web/shop/github`: emergency rotation"), "{markdown}");
    assert!(markdown.contains("Owners: <span>@</span>web.") && !markdown.contains("@web"), "{markdown}");
    let out = plan(&["--format", "json"]).gives(1, "");
    let doc: serde_json::Value = serde_json::from_str(&out.out).unwrap();
    assert_eq!(doc["plans"].as_array().unwrap().len(), 3);
    assert_eq!(doc["plans"][0]["plan"]["lineage"], "web/shop/github");
    assert!(doc["plans"][1]["gap"].as_str().unwrap().starts_with("no lineage"), "{doc}");

    put(&[finding(&key(0), "active", "tree/a")]);
    plan(&[]).gives(0, "");
    put(&[finding(&key(0), "unknown", "tree/a")]);
    assert_eq!(plan(&[]).gives(0, "no key of the report is proved to work").out, "");
    shop.rotate(&["apply", "--report", "report.json", "--org-config", "org.toml"]).gives(2, "--fingerprint");
}

/// Five weeks of use by the hour, twelve hours of it a dozen times as much, as a log that names the key by its
/// fingerprint.
fn log(print: &str) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 3600 * 3600;
    let line = |hour: u64| {
        let usual = 10 + hour % 5;
        let n = if (18..30).contains(&hour) { usual * 12 } else { usual };
        format!("{{\"t\":{},\"k\":\"{print}\",\"n\":{n}}}\n", now - hour * 3600)
    };
    (1..36 * 24).rev().map(line).collect()
}

#[test]
fn a_spike_of_a_leaked_key_begins_its_emergency_if_the_policy_says_so() {
    let shop = Shop::new("emergency-soak = '0s'");
    shop.folder.put("tree/a", format!("t = {}\n", key(0)));
    let mut scan = shop.folder.command(&["scan", "tree", "--format", "json=report.json"]);
    assert_eq!(scan.status().unwrap().code(), Some(1));
    let print = FingerprintKey::default().fingerprint(key(0).as_bytes()).to_string();
    shop.folder.put("log", log(&print)).put("alerts.toml", "[route.x]\nkind = 'slack'\naddress = 'env:A'\n");
    shop.folder.put(
        "map.toml",
        "form = 'jsonl'\nprovider = 'github'\n[columns]\nat = '/t'\nkey = '/k'\nrequests = '/n'\n",
    );
    shop.folder
        .run(&["usage", "import", "--store", "u.db", "--mapping", "map.toml", "--name", "gateway", "log"])
        .gives(0, "");
    let watch = |env: &[(&str, &str)], more: &[&str]| {
        let args =
            ["usage", "watch", "--store", "u.db", "--alerts", "alerts.toml", "--findings", "report.json"];
        let how = ["--root", "tree", "--org-config", "org.toml"];
        shop.end(shop.start_any(env, &[&args[..], &how, more].concat()), "")
    };
    let rotations = || shop.status()["rotations"].as_array().unwrap().len();
    let told = |out: &Output, text: &str| assert!(out.out.contains(text), "{text}: {out:#?}");

    told(&watch(&[], &[]).gives(1, ""), "emergency  web/shop/github");
    assert!(!shop.folder.0.join("state").exists(), "nothing was asked for");
    watch(&[("GITHUB_EVENT_NAME", "pull_request")], &["--escalate"]).gives(2, "nothing is rotated here");
    watch(&[("CI", "true")], &["--escalate"]).gives(2, "say so with --durable");
    assert!(!shop.folder.0.join("state").exists());
    told(&watch(&[], &["--escalate"]).gives(1, ""), "the policy lets no emergency begin by itself");
    assert_eq!(rotations(), 0);

    shop.policy("emergency-auto = true\nemergency-soak = '0s'");
    // A key that is not proved to work is nobody's emergency, and somebody hears why.
    shop.kill(0);
    told(&watch(&[], &["--escalate"]).gives(1, ""), "not proved to work");
    assert_eq!(rotations(), 0);
    shop.live.lock().unwrap().insert(key(0));
    let out = watch(&[], &["--escalate"]).gives(1, "bring it: keywheel rotate resume");
    told(&out, "its emergency rotation to generation 2 began: a person must bring the new key");
    assert_eq!((rotations(), &shop.status()["rotations"][0]["kind"]), (1, &"emergency".into()));
    // The next hour looks at the same spike.
    told(&watch(&[], &["--escalate"]).gives(1, ""), "generation 2 goes on");
    let waiting = shop.folder.run(&["alert", "list", "--store", "u.db", "--format", "json"]).out;
    let doc: serde_json::Value = serde_json::from_str(&waiting).unwrap();
    let mut kinds: Vec<&str> =
        doc["waiting"].as_array().unwrap().iter().map(|w| w["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["emergency", "not-escalated", "spike", "use-with-finding"], "{waiting}");

    shop.bring(&with(&["resume"], &["--new-key"]), 1).gives(1, "delete it at the provider");
    shop.kill(0);
    shop.rotate(&with(&["resume"], &[])).gives(0, "done; generation 2");
    told(&watch(&[], &["--escalate"]).gives(1, ""), "it was rotated since");
    assert_eq!((rotations(), shop.token()), (1, key(1)));
    shop.nothing_at_rest();
}

#[test]
fn a_rehearsal_runs_the_whole_plan_and_touches_nothing() {
    let shop = Shop::new("approvals = 1\napprovers = ['ann']\n[approver.ann]\npublic-key = 'SSH'");
    let ssh = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}", "A".repeat(43));
    let text = fs::read_to_string(shop.folder.0.join("policy.toml")).unwrap().replace("SSH", &ssh);
    shop.folder.put("policy.toml", text);
    let rehearse = |more: &[&str]| {
        shop.rotate(&[&["apply", "--lineage", "web/shop/github", "--rehearse"][..], more].concat())
    };
    let out = rehearse(&[]).gives(0, "");
    for told in ["nothing outside was called", "1 approvals were given", "done after", "keys left over: 0"] {
        assert!(out.out.contains(told), "{told}: {out:#?}");
    }
    assert_eq!(out.out, rehearse(&[]).out, "the same seed, the same rehearsal");
    assert_ne!(out.out, rehearse(&["--seed", "2"]).out);
    assert!(rehearse(&["--faults", "0"]).gives(0, "").out.contains(" 0 of them failed on purpose"));
    rehearse(&["--leaked"]).gives(0, "");
    assert_eq!(shop.token(), key(0));
    assert!(!shop.folder.0.join("state").exists());
}

#[test]
fn two_workers_on_one_journal_begin_a_rotation_once() {
    let shop = Shop::new("");
    let run = ["run", "--org-config", "org.toml"];
    let both: Vec<Child> = (0..4).map(|_| shop.start(&[], &run)).collect();
    for child in both {
        let out = shop.end(child, "");
        assert!(out.code == 0 || out.code == 1, "{out:#?}");
    }
    let list = shop.status()["rotations"].as_array().unwrap().len();
    assert_eq!(list, 1);
    shop.rotate(&["audit", "verify"]).gives(0, "");
}

#[cfg(unix)]
#[test]
fn a_signal_stops_in_good_order_and_resume_goes_on() {
    let shop = Shop::new("");
    let text = fs::read_to_string(shop.folder.0.join("policy.toml")).unwrap();
    shop.folder.put("policy.toml", text.replace("overlap = '0s'\ngrace", "overlap = '3s'\ngrace"));
    let hash = shop.planned();
    let mut child = shop.start(&[], &with(&["apply"], &["--plan", &hash, "--new-key", "--wait", "1h"]));
    child.stdin.take().unwrap().write_all(key(1).as_bytes()).unwrap();
    let since = Instant::now();
    while shop.token() != key(1) {
        assert!(since.elapsed() < Duration::from_secs(60), "the new key is never written");
        std::thread::sleep(Duration::from_millis(10));
    }
    let status =
        std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let out = Output::of(child.wait_with_output().unwrap());
    assert!(out.code == 143 && out.err.contains("rotate resume"), "{out:#?}");
    shop.kill(0);
    shop.rotate(&with(&["resume"], &["--wait", "1h"])).gives(0, "done; generation 2");
}

#[test]
fn pauses_hold_new_rotations_and_words_are_signed() {
    let shop = Shop::new("approvals = 1\napprovers = ['ann']\n[approver.ann]\npublic-key = 'SSH'");
    let ssh = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}", "A".repeat(43));
    let text = fs::read_to_string(shop.folder.0.join("policy.toml")).unwrap().replace("SSH", &ssh);
    shop.folder.put("policy.toml", text);
    let hash = shop.planned();
    shop.rotate(&["pause", "--all", "--reason", "audit"]).gives(0, "");
    shop.rotate(&with(&["apply"], &["--plan", &hash])).gives(2, "new rotations are paused (all: audit)");
    shop.rotate(&["resume", "--all"]).gives(0, "");
    shop.rotate(&with(&["apply"], &["--plan", &hash])).gives(1, "waits for 1 approvals");
    let lineage = ["--lineage", "web/shop/github"];
    let line = shop.rotate(&[&["approve"][..], &lineage].concat()).gives(0, "").out;
    assert_eq!(line, format!("keywheel approve {hash}\n"));
    shop.folder.put("sig", "no signature");
    shop.rotate(&[&["approve", "--signature", "sig"][..], &lineage].concat())
        .gives(2, "this is no signature");
    shop.rotate(&with(&["abort"], &[])).gives(1, "aborted");
}

#[test]
fn the_documentations_two_commands_run() {
    let folder = Folder::new();
    folder.put("docs/example-policy.toml", include_str!("../../docs/example-policy.toml"));
    let page = include_str!("../../docs/rotation.md");
    let commands: Vec<&str> = page
        .lines()
        .filter_map(|l| l.strip_prefix("$ keywheel "))
        .filter(|l| l.contains("example-policy"))
        .collect();
    assert_eq!(commands.len(), 2);
    for (command, told) in commands.iter().zip(["* make a new key", "done after"]) {
        let words: Vec<&str> = command.split(' ').collect();
        let out = folder.run(&words).gives(0, "");
        assert!(out.out.contains(told), "{out:#?}");
    }
}
