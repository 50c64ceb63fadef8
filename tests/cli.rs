//! The command as a process: exit codes, baseline, configuration, and what it does with hostile input.
#![allow(clippy::unwrap_used)]

#[path = "cli/alerts.rs"]
mod alerts;
#[cfg(unix)]
#[path = "cli/aws.rs"]
mod aws;
#[cfg(target_os = "linux")]
#[path = "cli/crowd.rs"]
mod crowd;
#[cfg(unix)]
#[path = "cli/demonstration.rs"]
mod demonstration;
#[path = "cli/discover.rs"]
mod discover;
#[path = "cli/github.rs"]
mod github;
#[cfg(unix)]
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/migrate.rs"]
mod migrate;
#[cfg(target_os = "linux")]
#[path = "wire/namespace.rs"]
mod namespace;
#[cfg(unix)]
#[path = "cli/openbao.rs"]
mod openbao;
#[path = "cli/openrouter.rs"]
mod openrouter;
#[path = "cli/policy.rs"]
mod policy;
#[path = "cli/pool.rs"]
mod pool;
#[path = "cli/reach.rs"]
mod reach;
#[path = "cli/revoke.rs"]
mod revoke;
#[path = "cli/rotate.rs"]
mod rotate;
#[path = "cli/router.rs"]
mod router;
#[path = "wire/server.rs"]
#[allow(dead_code, reason = "most of it serves the tests of the transport")]
mod server;
#[cfg(target_os = "linux")]
#[path = "cli/token.rs"]
mod token;
#[path = "cli/usage.rs"]
mod usage;
#[path = "cli/verify.rs"]
mod verify;
#[cfg(unix)]
#[path = "cli/watch.rs"]
mod watch;
#[cfg(unix)]
#[path = "stores/wire.rs"]
#[allow(dead_code, reason = "most of it serves the tests of stores")]
mod wire;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which tests are run once more where there is nothing but loopback: those that ask providers.
#[cfg(target_os = "linux")]
const IN_NAMESPACE: &[&str] = &["verify::", "revoke::", "reach::"];

const FORMATS: [&str; 9] = ["text", "json", "jsonl", "sarif", "csv", "junit", "markdown", "github", "gitlab"];

/// A made-up key with a valid checksum, put together at run time.
fn key(n: usize) -> String {
    String::from_utf8(example("github.toml", "github-pat-classic", n).value).unwrap()
}

/// The n-th example of a rule.
fn example(file: &str, id: &str, n: usize) -> keywheel::rule::example::Expanded {
    let (name, text) = keywheel::rule::embedded_texts().iter().find(|(name, _)| *name == file).unwrap();
    let examples = keywheel::scan::check::examples(Path::new(name), text).unwrap();
    examples.into_iter().filter(|(rule, _)| rule == id).map(|(_, e)| e).nth(n).unwrap()
}

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("keywheel-cli-{}-{n}", std::process::id()));
        fs::create_dir_all(path.join("tree")).unwrap();
        Folder(path)
    }

    fn put(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> &Self {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
        command.args(args).current_dir(&self.0).env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        Output::of(self.command(args).output().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
struct Output {
    code: i32,
    out: String,
    err: String,
}

impl Output {
    fn of(output: std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    #[track_caller]
    fn gives(self, code: i32, err: &str) -> Self {
        assert!(self.code == code && self.err.contains(err), "expected {code} and {err:?}, got {self:#?}");
        self
    }
}

#[test]
fn exit_codes() {
    let f = Folder::new();
    f.put("clean/a", "nothing").put("tree/a", format!("token = {}\n", key(0)));
    f.put("torn/a.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03torn");
    f.run(&["scan", "clean"]).gives(0, "");
    f.run(&["scan", "tree"]).gives(1, "");
    f.run(&["scan", "tree", "torn"]).gives(1, "");
    f.run(&["scan", "torn"]).gives(3, "");
    f.run(&["scan", "clean", "--budget", "0s"]).gives(3, "");
    f.run(&["scan", "clean/a", "--budget", "0s"]).gives(3, "");
    f.run(&["scan", "tree", "--exit-zero"]).gives(0, "");
    f.run(&["scan", "tree", "--fail-on", "none"]).gives(0, "");
    f.run(&["scan", "tree", "--fail-on", "active"]).gives(0, "");
    f.run(&["scan", "clean", "missing"]).gives(2, "cannot read `missing`");
    f.run(&["scan", "--no-such-option"]).gives(2, "");
    f.run(&["scan", "--format", "wrong"]).gives(2, "there is no format `wrong`");
    f.run(&["scan", "clean", "--exclude", "a{b"]).gives(2, "is not a glob");
    f.run(&["scan", "clean", "--baseline", "missing"]).gives(2, "cannot read the baseline `missing`");
    f.run(&["scan", "tree", "-o", "no/where"]).gives(4, "there is no folder no");
    f.run(&["scan", "tree", "-o", "clean"]).gives(4, "it is a folder");
}

#[test]
fn a_baseline_knows_values_not_places() {
    let f = Folder::new();
    f.put("tree/a.env", format!("A={}\nB={}\n", key(0), key(1)));
    let baseline = ["--baseline", "base"];
    let with = |args: &[&'static str]| f.run(&[args, &baseline].concat());
    with(&["baseline", "create", "tree", "--owner", "ops", "--reason", "planned"]).gives(0, "base: 2 added");
    with(&["baseline", "create", "tree"]).gives(2, "is there already");
    let text = fs::read_to_string(f.0.join("base")).unwrap();
    assert!(text.contains("owner=ops reason=planned") && !text.contains(&key(0)), "{text}");
    // The baseline itself is no finding.
    f.run(&["scan", "base", "--min-confidence", "low"]).gives(0, "");
    with(&["scan", "tree"]).gives(0, "");
    f.run(&["scan", "tree"]).gives(1, "");
    with(&["scan", "tree", "--fail-on", "any"]).gives(1, "");
    fs::remove_file(f.0.join("tree/a.env")).unwrap();
    f.put("tree/moved.txt", format!("\n\nx = '{}'\n\n y: {}\n", key(1), key(0)));
    with(&["scan", "tree"]).gives(0, "");
    f.put("tree/moved.txt", format!("A={}\nB={}\n", key(0), key(2)));
    with(&["scan", "tree"]).gives(1, "");
    with(&["baseline", "update", "tree", "--owner", "new"]).gives(0, "1 added, 1 kept, 1 dropped");
    with(&["scan", "tree"]).gives(0, "");
    let text = fs::read_to_string(f.0.join("base")).unwrap();
    assert!(text.contains("owner=ops") && text.contains("owner=new"), "{text}");
    f.put("base", format!("{text}nonsense\n"));
    with(&["scan", "tree"]).gives(2, "base:4: `nonsense`");
    f.put("base", "[]");
    with(&["scan", "tree"]).gives(2, "base:1: not a baseline");
}

#[test]
fn an_incomplete_update_drops_nothing() {
    let f = Folder::new();
    f.put("tree/a", format!("A={}\n", key(0)));
    f.run(&["baseline", "create", "tree", "--baseline", "base"]).gives(0, "1 added");
    f.put("tree/a", "").put("tree/a.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03torn");
    f.run(&["baseline", "update", "tree", "--baseline", "base"]).gives(3, "1 not seen, but kept");
    assert!(fs::read_to_string(f.0.join("base")).unwrap().contains("rule=github-pat-classic"));
}

#[test]
fn comments_accept_are_counted_and_can_be_forbidden() {
    let f = Folder::new();
    f.put("tree/a", format!("A={} # keywheel:allow reason=a test\n", key(0)));
    let seen = f.run(&["scan", "tree", "--format", "jsonl"]).gives(0, "");
    assert!(seen.out.contains("suppressed"), "{}", seen.out);
    f.run(&["scan", "tree", "--no-inline-allow"]).gives(1, "");
    f.put("keywheel.toml", "[scan]\ninline-allow = false\n");
    f.run(&["scan", "tree"]).gives(1, "");
    f.run(&["scan", "tree", "--no-inline-allow=false"]).gives(0, "");
    f.run(&["scan", "tree", "--no-config"]).gives(0, "");
}

#[test]
fn configuration() {
    let f = Folder::new();
    f.put("tree/a/key", format!("A={}\n", key(0)));
    let with = |text: &str| {
        f.put("keywheel.toml", text);
        f.run(&["scan", "tree"])
    };
    with("[scan]\nexclude = ['a']\n").gives(0, "");
    with("[scan]\nfail-on = 'none'\n").gives(0, "");
    f.run(&["scan", "tree", "--fail-on", "new"]).gives(1, "");
    with("[scan]\nmax-file-size = 3\n").gives(3, "");
    with("[[allow]]\npaths = ['a/**']\nreason = 'made up'\n").gives(0, "");
    with("[[allow]]\nrule = 'github-pat-classic'\nreason = 'made up'\nuntil = '2020-01-01'\n").gives(1, "");
    with("[[allow]]\nrule = 'github-pat-classic'\nreason = 'made up'\n").gives(0, "");
    with("[[allow]]\nreason = 'made up'\n").gives(2, "keywheel.toml:1:1: the entry would accept everything");
    with("[scan]\n\nexclude_ = []\n").gives(2, "keywheel.toml:3:1: unknown field");
    with("[scan]\n\"\\u001b\\n::error\" = 1\n").gives(2, "\\u{1b}\\u{a}::error");
    let other = format!("kw1:00000000:{}", "0".repeat(32));
    with(&format!("[[allow]]\nfingerprint = '{other}'\nreason = 'x'\n")).gives(2, "made with the key");
    f.put("sub/own.toml", "[scan]\nbaseline = 'base'\n");
    f.run(&["scan", "tree", "--config", "sub/own.toml"]).gives(2, "sub/base");
    f.put("broken.toml", "[");
    let named = f.command(&["scan", "tree"]).env("KEYWHEEL_CONFIG", "broken.toml").output().unwrap();
    Output::of(named).gives(2, "broken.toml:1:");
    f.run(&["scan", "tree", "--config", "missing.toml"]).gives(2, "cannot read the configuration");
}

#[test]
fn an_organisation_sets_the_floor() {
    let f = Folder::new();
    f.put("tree/a", format!("A={} # keywheel:allow\n", key(0))).put("tree/b/c", format!("B={}\n", key(1)));
    f.put("org/floor.toml", "").put("org/lax.toml", "[organisation]\nrepository-may = ['exclude']\n");
    f.put(
        "keywheel.toml",
        "[scan]\nexclude = ['b', 'a']\nfail-on = 'none'\n[[allow]]\npaths=['**']\nreason='x'\n",
    );
    f.run(&["scan", "tree"]).gives(0, "");
    let under = |org: &str, args: &[&str]| f.run(&[&["scan", "tree", "--org-config", org], args].concat());
    let seen = under("org/floor.toml", &[]).gives(1, "keywheel.toml:2: `exclude` is not taken");
    assert!(seen.err.contains("keywheel.toml:3: `fail-on`") && seen.err.contains("keywheel.toml:4: `allow`"));
    assert!(seen.out.contains("2 findings"), "a comment does not count either: {}", seen.out);
    let seen = under("org/lax.toml", &[]).gives(0, "`fail-on` is not taken");
    assert!(!seen.err.contains("`exclude` is"), "{}", seen.err);
    // Whoever runs the command has the last word.
    under("org/floor.toml", &["--exclude", "a", "--exclude", "b"]).gives(0, "");
    under("org/floor.toml", &["--fail-on", "none"]).gives(0, "");
    let seen = under("org/floor.toml", &["--no-inline-allow=false", "--format", "json"]).gives(1, "");
    assert!(seen.out.contains("\"suppressed\":1,"), "{}", seen.out);
    assert_eq!(under("org/floor.toml", &["--no-config"]).gives(1, "").err, "");
    under("org/missing.toml", &[]).gives(2, "cannot read the configuration `org/missing.toml`");
    let named = f.command(&["scan", "tree"]).env("KEYWHEEL_ORG_CONFIG", "org/floor.toml").output().unwrap();
    Output::of(named).gives(1, "`exclude` is not taken");
    // The paths of its file are relative to that.
    f.put("org/own.toml", "[scan]\nbaseline = 'base'\n");
    under("org/own.toml", &[]).gives(2, "org/base");
    f.put("keywheel.toml", "[organisation]\n");
    under("org/floor.toml", &[]).gives(2, "keywheel.toml:1:2: `organisation` stands only");
    f.run(&["scan", "tree"]).gives(2, "keywheel.toml:1:2: `organisation` stands only");
}

/// The rule, the others that saw the value, and the number of places, of the only finding.
fn named(f: &Folder) -> (String, Vec<String>, usize) {
    let seen = f.run(&["scan", "tree", "--format", "json"]).gives(1, "");
    let report: serde_json::Value = serde_json::from_str(&seen.out).unwrap();
    let [finding] = &report["findings"].as_array().unwrap()[..] else { panic!("{}", seen.out) };
    let also = finding["also"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    (
        text(&finding["rule"]),
        also.iter().map(text).collect(),
        finding["occurrences"].as_array().unwrap().len(),
    )
}

#[test]
fn a_value_is_named_by_the_place_that_is_shown_first() {
    let f = Folder::new();
    let url = |scheme: &str| format!("{scheme}://svc:Zk3m{}Xw1R@db1.acme.org:1234/main\n", "Q9p");
    f.put("tree/a", url("mssql+pyodbc")).put("tree/b", url("postgresql"));
    assert_eq!(named(&f).0, "database-url-mssql");
    assert_eq!(named(&f).1[..1], ["database-url-postgres"]);
    f.put("tree/a", url("postgresql")).put("tree/b", url("mssql+pyodbc"));
    assert_eq!(named(&f).0, "database-url-postgres");
    f.put("tree/a", url("mssql")).put("tree/b", "");
    assert_eq!((named(&f).0.as_str(), named(&f).2), ("database-url-mssql", 1));
}

#[test]
fn a_key_in_one_line_of_json_is_one_finding_of_its_own_kind() {
    let f = Folder::new();
    let account = example("google.toml", "google-service-account-key", 0).text;
    f.put("tree/a.json", &account);
    let also = ["google-service-account-key-unordered", "private-key-pkcs8"].map(str::to_owned).to_vec();
    assert_eq!(named(&f), ("google-service-account-key".to_owned(), also, 1));
    // The bare block beside it does not take the name.
    let value = String::from_utf8(example("google.toml", "google-service-account-key", 0).value).unwrap();
    f.put("tree/A.pem", value.replace("\\n", "\n"));
    let (rule, _, places) = named(&f);
    assert_eq!((rule.as_str(), places), ("google-service-account-key", 2));
}

#[test]
fn a_password_with_escapes_is_one_finding() {
    let f = Folder::new();
    let url = |password: &str| format!("{}://svc:{password}@db1.acme.org/app", "postgres");
    let word = "t7Kqz vR2xW9";
    let hidden = url(&word.replace(' ', "21")).replace(':', "%3A").replace('/', "%2F");
    // Decoded, the second would end at the sign that is part of the password.
    let urls = ["%21", "%40", "%2521"].map(|escape| url(&word.replace(' ', escape)));
    for url in urls.iter().chain([&hidden]) {
        f.put("tree/a.env", format!("DATABASE_URL={url}\n"));
        let (rule, _, places) = named(&f);
        assert_eq!((rule.as_str(), places), ("database-url-postgres", 1), "{url}");
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let f = Folder::new();
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 7\n# {}\n",
        "4d".repeat(32),
        key(0)
    );
    f.put("tree/.gitignore", "out/\n*.tmp\n").put("tree/big.bin", pointer);
    f.put("tree/out/a", key(1)).put("tree/out/deep/b", key(1)).put("tree/c.tmp", key(1));
    let seen = f.run(&["scan", "tree", "--gitignore", "--format", "json"]).gives(1, "");
    let report: serde_json::Value = serde_json::from_str(&seen.out).unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 1, "a pointer is scanned as text too");
    let skipped = &report["coverage"]["list"];
    let count = |word: &str| skipped.as_array().unwrap().iter().filter(|s| s["reason"] == word).count();
    assert_eq!((count("ignored"), count("lfs-pointer")), (2, 1), "{skipped:#}");
    let seen = f.run(&["scan", "tree", "--format", "json"]).gives(1, "");
    assert!(!seen.out.contains("ignored"), "{}", seen.out);
}

#[test]
fn colours_follow_the_environment() {
    let f = Folder::new();
    f.put("tree/a", format!("A={}\n", key(0)));
    let colored = |vars: &[(&str, &str)]| {
        let output = f.command(&["scan", "tree"]).envs(vars.iter().copied()).output().unwrap();
        Output::of(output).out.contains("\x1b[")
    };
    assert!(!colored(&[]) && colored(&[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn completions_and_manual() {
    let f = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(f.run(&["completions", shell]).gives(0, "").out.contains("baseline"), "{shell}");
    }
    assert!(f.run(&["man"]).gives(0, "").out.contains(".TH keywheel 1"));
    assert!(f.run(&["man", "baseline", "create"]).gives(0, "").out.contains("owner"));
    f.run(&["man", "nothing"]).gives(2, "there is no command `nothing`");
}

#[test]
fn standard_input() {
    let f = Folder::new();
    let mut child = f.command(&["scan", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    write!(child.stdin.take().unwrap(), "A={}", key(0)).unwrap();
    Output::of(child.wait_with_output().unwrap()).gives(1, "");
}

/// A password that no list has, put together at run time.
fn chosen() -> String {
    ["qz", "Vrk", "84", "!", "tw", "Xp"].concat()
}

#[test]
fn what_was_ranked_is_explained_without_the_value() {
    let folder = Folder::new();
    folder.put("tree/app.py", format!("db_password = \"{}\"\n", chosen()));
    let ranked = folder.run(&["scan", "tree", "--explain"]);
    assert_eq!(ranked.code, 1, "{}", ranked.err);
    let line = ranked.err.lines().find(|l| l.starts_with("ranked: ")).unwrap();
    assert!(line.contains("app.py:1:16: generic-password-quoted") && line.contains(" at +"), "{line}");
    assert!(!ranked.err.contains(&chosen()) && !ranked.out.contains(&chosen()));
    // Without ranking it is a guess, below the gate.
    for args in [&["scan", "tree", "--no-ranking"][..], &["scan", "tree", "--config", "off.toml"]] {
        folder.put("off.toml", "[scan]\nranking = false\n");
        assert_eq!(folder.run(args).code, 0, "{args:?}");
    }
}

#[test]
fn a_labelled_folder_is_scored() {
    let folder = Folder::new();
    let label = |line: usize, secret: bool| {
        format!("{{\"path\":\"app.py\",\"line\":{line},\"class\":\"password\",\"secret\":{secret}}}\n")
    };
    folder.put("tree/app.py", format!("db_password = \"{}\"\nx_password = getpass()\n", chosen()));
    folder.put("tree/labels.jsonl", label(1, true) + &label(2, false));
    let told = folder.run(&["rules", "eval", "tree", "--faults"]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.out.starts_with("1 files, 1 secrets and 1 other places labelled"), "{}", told.out);
    assert!(told.out.contains("class password") && told.out.contains("1.0000"), "{}", told.out);
    folder.put("tree/labels.jsonl", label(1, true).replace("app.py", "../app.py"));
    let refused = folder.run(&["rules", "eval", "tree"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("labels.jsonl:1"), "{}", refused.err);
}
