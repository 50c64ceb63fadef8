//! Asking a provider from a sweep: what it says is kept in the state, the values never.

use super::github::Github;
use super::{Lab, exists, holds, key};
use rusqlite::Connection;
use serde_json::Value;

/// A repository with a value that works and one that does not.
fn lab() -> (Lab, Github) {
    let (lab, github) = (Lab::with_repository(), Github::new(key(1), key(2)));
    let line = |n| format!("token = \"{}\"\n", key(n));
    lab.commit("one", &[("a.py", &line(1)), ("b.py", &line(1)), ("c.py", &line(3))]);
    lab.put("org.toml", github.file(""));
    (lab, github)
}

const ASK: [&str; 3] = ["--verify", "--org-config", "org.toml"];

fn count(github: &Github, n: u64) -> usize {
    github.asked().iter().filter(|token| **token == key(n)).count()
}

fn checks(json: &Value) -> (u64, u64) {
    let number = |name: &str| json["checks"][name].as_u64().unwrap();
    (number("calls"), number("cached"))
}

fn validity(json: &Value, path: &str) -> String {
    let list = json["findings"].as_array().unwrap();
    let of = |f: &&Value| f["occurrences"].as_array().unwrap().iter().any(|o| o["path"] == path);
    list.iter().find(of).unwrap()["validity"].as_str().unwrap().to_owned()
}

#[test]
fn each_value_is_asked_about_once_and_the_verdict_kept_in_the_state() {
    let (lab, github) = lab();
    lab.sweep(&["--org-config", "org.toml"]).gives(1);
    assert!(github.asked().is_empty(), "nothing is sent unasked");
    let swept = lab.sweep(&ASK).gives(0);
    assert_eq!(
        (validity(&swept.json, "a.py"), validity(&swept.json, "c.py")),
        ("active".into(), "unknown".into())
    );
    assert_eq!((count(&github, 1), count(&github, 3), checks(&swept.json)), (1, 1, (2, 0)));
    let before = github.asked().len();
    assert_eq!(checks(&lab.sweep(&ASK).gives(0).json), (0, 2));
    assert_eq!(github.asked().len(), before);

    // What is new is asked about, and nothing else.
    lab.commit("two", &[("d.py", &format!("token = \"{}\"\n", key(4)))]);
    let swept = lab.sweep(&ASK).gives(1);
    assert_eq!((checks(&swept.json), count(&github, 4)), ((1, 2), 1));
    for n in 1..5 {
        assert!(!holds(&lab.state(), &key(n)), "the state holds a value");
    }
    assert!(!exists(&lab.path("keywheel")), "a cache was written elsewhere");
}

#[test]
fn the_gate_counts_what_is_proved_to_work() {
    let (lab, _github) = lab();
    let active = [&ASK[..], &["--fail-on", "active"]].concat();
    lab.sweep(&active).gives(1);
    // Known since the last sweep, and it still works.
    lab.sweep(&active).gives(1);
    let only = lab.sweep(&[&ASK[..], &["--only-active"]].concat()).gives(1);
    assert_eq!(only.json["findings"].as_array().unwrap().len(), 1);
    assert!(only.json["checks"]["notices"].to_string().contains("not listed"), "{:#}", only.json);
    let told = lab.sweep(&["--fail-on", "active"]).gives(0).told;
    assert!(told.contains("pass --verify to have it proved"), "{told}");
    lab.sweep(&["--only-active"]).gives(2);
}

#[test]
fn verdicts_that_are_damaged_or_kept_elsewhere_are_asked_for_again() {
    let (lab, github) = lab();
    lab.sweep(&ASK).gives(1);
    let change = "UPDATE meta SET value = zeroblob(length(value)) WHERE name = 'verdicts'";
    assert_eq!(Connection::open(lab.path("s")).unwrap().execute(change, []).unwrap(), 1);
    let swept = lab.sweep(&ASK).gives(0);
    assert_eq!((checks(&swept.json), count(&github, 1)), ((2, 0), 2));
    let elsewhere = [&ASK[..], &["--verify-cache", "kept.json"]].concat();
    assert_eq!(checks(&lab.sweep(&elsewhere).gives(0).json), (2, 0));
    assert!(exists(&lab.path("kept.json")));
    assert_eq!(checks(&lab.sweep(&ASK).gives(0).json), (0, 2));
    let nowhere = [&ASK[..], &["--verify-cache", "none"]].concat();
    assert_eq!(checks(&lab.sweep(&nowhere).gives(0).json), (2, 0));
}

#[test]
fn only_whoever_runs_it_and_the_organisation_can_switch_it_on() {
    let (lab, github) = lab();
    lab.put("keywheel.toml", "[verify]\nenabled = true\n");
    let told = lab.sweep(&["--org-config", "org.toml"]).gives(2).told;
    assert!(told.contains("`verify` stands only in the organisation's file"), "{told}");
    lab.put("keywheel.toml", "");
    lab.sweep(&["--org-config", "org.toml"]).gives(1);
    assert!(github.asked().is_empty());
    lab.put("on.toml", github.file("[verify]\nenabled = true\n"));
    assert_eq!(checks(&lab.sweep(&["--org-config", "on.toml"]).gives(0).json), (2, 0));
    assert!(lab.sweep(&["--org-config", "on.toml", "--verify=false"]).gives(0).json["checks"].is_null());
}

#[test]
fn a_sweep_goes_on_to_the_plan_of_what_it_proved() {
    let (lab, _github) = lab();
    let print = keywheel::model::FingerprintKey::default().fingerprint(key(1).as_bytes());
    let policy = |print: &str| {
        format!(
            "version = 1\n[default]\nowners = ['ann']\n[team.web]\npaths = ['a.py']\n[store.env]\nkind = 'file'\n\
             [[key]]\nid = 'web/github'\nteam = 'web'\nservice = 's'\nenvironment = 'staging'\nprovider = 'github'\n\
             rule = 'github-pat-classic'\naccount = 'a'\nfingerprints = ['{print}']\n\
             stores = [{{ store = 'env', path = '/srv/.env', field = 'T' }}]\n"
        )
    };
    lab.put("policy.toml", policy(print.as_str()));
    let swept = lab.sweep(&[&ASK[..], &["--policy", "policy.toml"]].concat());
    assert!(swept.told.contains("web/github: emergency rotation to generation 2"), "{}", swept.told);
    assert!(!swept.told.contains(&key(1)));
    // The other finding does not work, and nothing follows from it.
    assert_eq!(swept.told.matches("generation 2").count(), 1, "{}", swept.told);
    let other = keywheel::model::FingerprintKey::default().fingerprint(key(3).as_bytes());
    lab.put("policy.toml", policy(other.as_str()));
    let swept = lab.sweep(&[&ASK[..], &["--policy", "policy.toml"]].concat());
    let told = "no plan: no lineage of the inventory has it; the nearest to ask: web (a path of team web)";
    assert!(swept.told.contains(told), "{}", swept.told);
}
