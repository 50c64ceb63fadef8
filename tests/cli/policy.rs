//! `keywheel policy` and `keywheel inventory` as processes.

use super::{Folder, key};
use keywheel::model::FingerprintKey;

const HEAD: &str = "version = 1\n[default]\nowners = ['@web']\nalerts = ['ops']\nsmoke = ['try']\njitter = '0s'\n\
    [team.web]\npaths = ['tree/**']\n[hook.try]\nrun = ['/usr/bin/true']\n[route.ops]\n\
    kind = 'pagerduty'\ncredential = 'env:PAGER'\n[store.env]\nkind = 'file'\n\
    [admin.github]\ncredential = 'env:GITHUB_ADMIN'\nprovider = 'github'\n";

fn entry(id: &str, more: &str) -> String {
    format!(
        "[[key]]\nid = '{id}'\nteam = 'web'\nservice = 's'\nenvironment = 'staging'\nprovider = 'github'\n\
         rule = 'github-pat-classic'\naccount = '{id}'\nadmin = 'github'\n\
         stores = [{{ store = 'env', path = '/srv/{id}' }}]\n{more}\n"
    )
}

fn fingerprint(value: &str) -> String {
    FingerprintKey::default().fingerprint(value.as_bytes()).to_string()
}

#[test]
fn the_file_must_be_named_and_is_never_looked_for() {
    let f = Folder::new();
    f.put("keywheel-policy.toml", HEAD);
    for args in [&["policy", "check"][..], &["inventory", "list"]] {
        let run = f.run(args);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.contains("name the organisation's policy: --policy FILE"), "{run:?}");
    }
    let run = f.run(&["policy", "check", "--policy", "none.toml"]);
    assert!(run.code == 2 && run.err.contains("cannot read `none.toml`"), "{run:?}");
    let by_variable =
        f.command(&["policy", "check"]).env("KEYWHEEL_POLICY", "keywheel-policy.toml").status().unwrap();
    assert_eq!(by_variable.code(), Some(0));
}

#[test]
fn check_tells_place_code_and_cure() {
    let f = Folder::new();
    f.put("p.toml", format!("{HEAD}{}", entry("a", "rotated = 2026-01-01")));
    let run = f.run(&["policy", "check", "--policy", "p.toml"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out.contains("p.toml:25:1: warning[not-rotatable]: key a: the rule github-pat-classic declares"),
        "{run:?}"
    );
    assert!(run.out.ends_with("1 key of 1 team: 0 errors, 1 warning\n"), "{run:?}");
    f.put("p.toml", format!("{HEAD}{}", entry("a", "").replace("team = 'web'", "team = 'wob'")));
    let run = f.run(&["policy", "check", "--policy", "p.toml", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (run.code, &told["errors"], &told["faults"][0]["code"]),
        (1, &1.into(), &"unknown-name".into())
    );
    f.put("p.toml", "version = 1\nteams = 1");
    let run = f.run(&["policy", "check", "--policy", "p.toml"]);
    assert!(run.code == 2 && run.err.contains("p.toml:2:1: unknown field `teams`"), "{run:?}");
}

#[test]
fn a_key_in_the_file_is_refused_and_not_shown() {
    let f = Folder::new();
    let value = key(0);
    for text in [
        format!("{HEAD}[admin.x]\ncredential = '{value}'\nprovider = 'github'\n"),
        format!("{HEAD}[hook.x]\nrun = ['/usr/bin/put', '--token', '{value}']\n"),
        format!("{HEAD}# {value}\n"),
    ] {
        f.put("p.toml", &text);
        let run = f.run(&["policy", "check", "--policy", "p.toml"]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.contains("this looks like a credential (GitHub"), "{run:?}");
        assert!(!run.err.contains(&value) && !run.out.contains(&value), "the value is shown");
    }
    // Fingerprints and ids of accounts are none, whatever stands near them.
    let print = fingerprint("x");
    let id = "0123abcd-0123-4567-89ab-0123456789ab";
    let text = entry("heroku-datadog-mailchimp", &format!("fingerprints = ['{print}']"));
    f.put(
        "p.toml",
        format!(
            "{HEAD}{}",
            text.replace("account = 'heroku-datadog-mailchimp'", &format!("account = '{id}'"))
        ),
    );
    let run = f.run(&["policy", "check", "--policy", "p.toml"]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[cfg(unix)]
#[test]
fn a_policy_that_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let f = Folder::new();
    f.put("p.toml", HEAD);
    std::fs::set_permissions(f.0.join("p.toml"), PermissionsExt::from_mode(0o666)).unwrap();
    let run = f.run(&["policy", "check", "--policy", "p.toml"]);
    assert!(run.code == 2 && run.err.contains("everybody may write this file"), "{run:?}");
}

#[test]
fn explain_names_every_setting_and_its_level() {
    let f = Folder::new();
    f.put("p.toml", format!("{HEAD}{}", entry("a", "created = 2020-01-01\npolicy.cadence = '30d'")));
    let run = f.run(&["policy", "explain", "a", "--policy", "p.toml"]);
    assert_eq!(run.code, 0, "{run:?}");
    let line = |name: &str| {
        let line =
            run.out.lines().find(|l| l.trim_start().starts_with(&format!("{name} "))).unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        (line("cadence"), line("jitter"), line("soak")),
        ("cadence 30d key".into(), "jitter 0s default".into(), "soak 7d built in".into())
    );
    assert!(
        run.out.contains("cadence 30d (key): due 2020-01-31T00:00:00Z") && run.out.ends_with("now: begin\n"),
        "{run:?}"
    );
    let run = f.run(&["policy", "explain", "b", "--policy", "p.toml"]);
    assert!(run.code == 2 && run.err.contains("no key of that id"), "{run:?}");
}

#[test]
fn a_repositorys_file_is_only_ever_stricter() {
    let f = Folder::new();
    let own = entry("a", "rotated = 2026-01-01\nconsumers = [{ name = 'x', repository = 'acme/x' }]");
    f.put("p.toml", format!("{HEAD}{own}"));
    f.put("r.toml", "version = 1\n[[key]]\nid = 'a'\npolicy.cadence = '30d'\n");
    let args =
        ["policy", "explain", "a", "--policy", "p.toml", "--repository-file", "r.toml", "--repository"];
    let run = f.run(&[&args[..], &["acme/x"]].concat());
    assert!(run.code == 0 && run.out.contains("repository (r.toml)"), "{run:?}");
    let run = f.run(&[&args[..], &["acme/y"]].concat());
    assert!(
        run.code == 2 && run.err.contains("r.toml:3:1: no key `a` lists the repository acme/y"),
        "{run:?}"
    );
    f.put("r.toml", "version = 1\n[hook.x]\nrun = ['/bin/sh']\n[[key]]\nid = 'a'\nstores = []\n");
    let run = f.run(&[&args[..], &["acme/x"]].concat());
    assert!(
        run.code == 2
            && run.err.contains("2:2: `hook` is not taken")
            && run.err.contains("6:1: the inventory"),
        "{run:?}"
    );
}

#[test]
fn a_scan_is_held_against_the_inventory() {
    let f = Folder::new();
    let (known, unknown) = (key(0), key(1));
    f.put("tree/known.env", format!("GITHUB_TOKEN={known}\n"))
        .put("tree/unknown.env", format!("GITHUB_TOKEN={unknown}\n"));
    f.run(&["scan", "tree", "--format", "json=report.json"]);
    f.put(
        "p.toml",
        format!(
            "{HEAD}{}",
            entry("a", &format!("rotated = 2026-01-01\nfingerprints = ['{}']", fingerprint(&known)))
        ),
    );
    f.put("OWNERS", "*unknown* @org/finders\n");
    let run = f.run(&[
        "inventory",
        "check",
        "--from",
        "report.json",
        "--policy",
        "p.toml",
        "--codeowners",
        "OWNERS",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("known    a: current value: ") && run.out.contains("known.env:1"), "{run:?}");
    assert!(
        run.out.contains("unknown  github-pat-classic: ")
            && run.out.contains("ask @org/finders (CODEOWNERS line 1)"),
        "{run:?}"
    );
    assert!(!run.out.contains(&known) && !run.out.contains(&unknown), "a value is shown");

    let run =
        f.run(&["policy", "report", "--policy", "p.toml", "--scan", "report.json", "--format", "markdown"]);
    assert!(
        run.code == 1
            && run.out.starts_with("## Keywheel: keys by team\n")
            && run.out.contains("### In code and not"),
        "{run:?}"
    );
    let run = f.run(&["policy", "report", "--policy", "p.toml", "--scan", "report.json", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&told["code"]["known"][0]["key"], &told["code"]["unseen"]), (&"a".into(), &0.into()));

    let other = FingerprintKey::new(b"other").fingerprint(known.as_bytes()).to_string();
    f.put("p.toml", format!("{HEAD}{}", entry("a", &format!("fingerprints = ['{other}']"))));
    let run = f.run(&["inventory", "check", "--from", "report.json", "--policy", "p.toml"]);
    assert!(run.code == 2 && run.err.contains("no key would ever be recognised"), "{run:?}");
    f.put("report.json", "{");
    let run = f.run(&["inventory", "check", "--from", "report.json", "--policy", "p.toml"]);
    assert!(run.code == 2 && run.err.contains("report.json: line 1, column 1: this is no report"), "{run:?}");
}

#[test]
fn list_shows_a_line_a_key() {
    let f = Folder::new();
    f.put("p.toml", format!("{HEAD}{}{}", entry("a", "created = 2020-01-01"), entry("bb", "owner = 'byok'")));
    let run = f.run(&["inventory", "list", "--policy", "p.toml"]);
    let lines: Vec<Vec<&str>> = run.out.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["KEY", "TEAM", "SERVICE", "ENVIRONMENT", "RULE", "OWNER", "AGE", "TURN"]);
    assert_eq!((lines[1][0], lines[1][5], lines[1][7]), ("a", "@web", "begin"));
    assert_eq!((lines[2][0], lines[2][5], lines[2][6]), ("bb", "byok", "-"));
    let run = f.run(&["inventory", "list", "--policy", "p.toml", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (&told["keys"][1]["owner"], &told["keys"][0]["due"]),
        (&"byok".into(), &"2020-03-31T00:00:00Z".into())
    );
}
