//! Asking a provider, as a process.

use super::github::Github;
use super::{Folder, Output, key};
use std::io::{Read, Write};
use std::process::Stdio;

/// It knows the first key, and answers oddly for the second.
fn github() -> Github {
    Github::new(key(0), key(1))
}

fn fed(f: &Folder, args: &[&str], input: &str) -> Output {
    let mut child =
        f.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A usage error ends it before it reads.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    Output::of(child.wait_with_output().unwrap())
}

const ASK: [&str; 5] = ["--verify", "--org-config", "org.toml", "--verify-cache", "cache.json"];

fn json(out: &Output) -> serde_json::Value {
    serde_json::from_str(&out.out).unwrap_or_else(|e| panic!("{e}: {out:#?}"))
}

#[test]
fn a_scan_proves_what_works_and_asks_once() {
    let (f, github) = (Folder::new(), github());
    f.put("org.toml", github.file("")).put("tree/a", format!("t = {}\n", key(0)));
    f.put("tree/b", format!("x\nt = {}\n", key(0))).put("tree/c", format!("t = {}\n", key(1)));
    f.put("dead/c", format!("t = {}\n", key(2)));

    f.run(&["scan", "tree", "--org-config", "org.toml"]).gives(1, "");
    assert_eq!(github.asked().len(), 0, "nothing is sent unasked");

    let scan = |more: &[&str]| f.run(&[&["scan", "tree", "--format", "json"][..], &ASK, more].concat());
    let out = scan(&[]).gives(1, "");
    let doc = json(&out);
    let of = |n: usize| {
        let print = keywheel::model::FingerprintKey::default().fingerprint(key(n).as_bytes());
        let mut list = doc["findings"].as_array().unwrap().iter();
        list.find(|f| f["fingerprint"] == print.as_str()).unwrap().clone()
    };
    let (works, limited) = (of(0), of(1));
    assert_eq!(works["validity"], "active");
    assert_eq!(
        (&works["evidence"]["status"], &works["evidence"]["expectation"]),
        (&200.into(), &"active[0]".into())
    );
    assert_eq!((&works["identity"]["owner"], &works["access"]["level"]), (&"octo".into(), &"admin".into()));
    assert_eq!(
        (&limited["validity"], &limited["unknown_because"]),
        (&"unknown".into(), &"rate-limited".into())
    );
    let count = |n: usize| github.asked().iter().filter(|t| **t == key(n)).count();
    assert_eq!(count(0), 1, "one value, one call");
    assert!((1..=3).contains(&count(1)), "{} tries", count(1));
    // One more is made up.
    assert_eq!(github.asked().iter().filter(|t| **t != key(0) && **t != key(1)).count(), 1);

    // Now it is known.
    let before = github.asked().len();
    let doc = json(&scan(&["--fail-on", "active"]).gives(1, ""));
    assert_eq!((&doc["checks"]["calls"], &doc["checks"]["cached"]), (&0.into(), &2.into()));
    assert_eq!(github.asked().len(), before);
    let doc = json(&scan(&["--only-active"]).gives(1, ""));
    assert_eq!(doc["findings"].as_array().unwrap().len(), 1);
    assert!(doc["checks"]["notices"].to_string().contains("not listed"), "{doc:#}");

    // Death at a server of one's own is no proof, and without proof the gate does not pass.
    let args = [&["scan", "dead", "--fail-on", "active"][..], &ASK].concat();
    let unknown = f.run(&args).gives(3, "");
    assert!(unknown.out.contains("the organisation's own endpoint does not know it"), "{unknown:#?}");
    f.run(&["scan", "dead", "--fail-on", "active"]).gives(0, "pass --verify to have it proved");

    let kept = std::fs::read_to_string(f.0.join("cache.json")).unwrap();
    for text in [&out.out, &out.err, &unknown.out, &kept] {
        assert!((0..3).all(|n| !text.contains(&key(n))), "{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(std::fs::metadata(f.0.join("cache.json")).unwrap().mode() & 0o777, 0o600);
    }
}

#[test]
fn one_secret_from_standard_input() {
    let (f, github) = (Folder::new(), github());
    f.put("org.toml", github.file(""));
    let verify = |more: &[&str], input: &str| fed(&f, &[&["verify"][..], &ASK[1..], more].concat(), input);
    let out = verify(&[], &format!("{}\n", key(0))).gives(1, "");
    assert!(
        out.out.starts_with("active (id 1, name …, owner octo): proved by 200 from 127.0.0.1:"),
        "{out:#?}"
    );
    assert!(out.out.contains("\n  access admin: ") && !out.out.contains(&key(0)), "{out:#?}");
    let input = format!("{{\"secret\": \"{}\", \"with\": {{}}}}", key(1));
    let out = verify(&["--stdin-json", "--format", "json"], &input).gives(3, "");
    let doc = json(&out);
    assert_eq!(doc["verdicts"][0]["because"], "rate-limited");
    verify(&["--rule", "github-pat-classic"], &key(2)).gives(3, "");
    let before = github.asked().len();
    verify(&[], "no key at all").gives(2, "no rule knows this value by its look");
    verify(&["--rule", "no-such-rule"], &key(0)).gives(2, "no-such-rule");
    verify(&["--stdin-json"], "{\"secret\": \"hunter2hunter2\"").gives(2, "standard input is not");
    verify(&["--with", "x"], &key(0)).gives(2, "--with takes NAME=FILE");
    verify(&[], "").gives(2, "is empty");
    assert_eq!(github.asked().len(), before);
}

#[test]
fn the_findings_of_a_report_again() {
    let (f, github) = (Folder::new(), github());
    f.put("org.toml", github.file(""));
    f.put("tree/a\\b\u{7}", format!("t = {}\n", key(0))).put("tree/gone", format!("t = {}\n", key(2)));
    f.put("tree/new", "");
    f.run(&["scan", "tree", "--format", "json=report.json"]).gives(1, "");
    std::fs::write(f.0.join("tree/gone"), "").unwrap();
    // What has come since is not in the report, and so is not sent.
    f.put("tree/new", format!("t = {}\n", key(1)));
    let args = [&["verify", "--report", "report.json", "--root", "tree", "--format", "json"][..], &ASK[1..]]
        .concat();
    let out = f.run(&args).gives(1, "");
    let doc = json(&out);
    let list = doc["verdicts"].as_array().unwrap();
    assert_eq!(list.len(), 2, "{doc:#}");
    assert_eq!((&list[0]["validity"], &list[1]["because"]), (&"active".into(), &"gone".into()));
    assert!(!github.asked().contains(&key(1)) && !github.asked().contains(&key(2)));
    f.put("bad.json", "{}");
    f.run(&["verify", "--report", "bad.json"]).gives(2, "it is not of the format `json`");
    f.put("other.json", r#"{"version":1,"findings":[{"fingerprint":"kw1:00000000:00000000000000000000000000000000","occurrences":[]}]}"#);
    f.run(&["verify", "--report", "other.json"]).gives(2, "made with the key `00000000`");
}

#[test]
fn who_may_switch_it_on() {
    let (f, github) = (Folder::new(), github());
    f.put("on.toml", github.file("[verify]\nenabled = true\n")).put("tree/a", format!("t = {}\n", key(0)));
    f.put("never.toml", github.file("[verify]\nenabled = true\nnever = [\"github\"]\n"));
    f.put("hosts.toml", github.file("[verify]\nenabled = true\nhosts = [\"api.github.com\"]\n"));
    let scan = |more: &[&str]| {
        f.run(&[&["scan", "tree", "--verify-cache", "none"][..], more].concat()).gives(1, "").out
    };
    assert!(scan(&["--org-config", "on.toml"]).contains("validity  active"));
    assert!(scan(&["--org-config", "on.toml", "--verify=false"]).contains("validity  not checked ·"));
    let before = github.asked().len();
    assert!(scan(&["--org-config", "never.toml"]).contains("the organisation forbids calls for this rule"));
    assert!(scan(&["--org-config", "hosts.toml"]).contains("is not among `hosts` of [verify]"));
    f.run(&["scan", "tree", "--only-active"]).gives(2, "proof takes --verify");
    f.run(&["hook", "pre-commit", "--verify"])
        .gives(2, "a hook asks providers only by the organisation's file");
    f.put("keywheel.toml", "[verify]\nenabled = true\n");
    f.run(&["scan", "tree"]).gives(2, "`verify` stands only in the organisation's file");
    assert_eq!(github.asked().len(), before);
}

#[test]
fn a_cache_that_cannot_be_used_is_told_and_ends_nothing() {
    let (f, github) = (Folder::new(), github());
    f.put("org.toml", github.file("")).put("tree/a", format!("t = {}\n", key(0)));
    f.put("cache.json", "not a cache");
    let args = [&["scan", "tree"][..], &ASK].concat();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(f.0.join("cache.json"), std::fs::Permissions::from_mode(0o666)).unwrap();
        f.run(&args).gives(1, "others may read or write it");
        std::fs::set_permissions(f.0.join("cache.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    f.run(&args).gives(1, "is damaged and taken for empty");
    let mut text = String::new();
    std::fs::File::open(f.0.join("cache.json")).unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("\"version\":1") && !text.contains(&key(0)));
}
