//! `keywheel ci`: what it reads of events and base commits, and what it writes for build servers.

use crate::Lab;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The n-th made-up key with a valid checksum, put together at run time.
fn key(n: usize) -> String {
    let texts = keywheel::rule::embedded_texts();
    let (name, text) = texts.iter().find(|(name, _)| *name == "github.toml").unwrap();
    let examples = keywheel::scan::check::examples(Path::new(name), text).unwrap();
    let of_rule = examples.iter().filter(|(rule, _)| rule == "github-pat-classic");
    String::from_utf8(of_rule.map(|(_, e)| e.value.clone()).nth(n).unwrap()).unwrap()
}

fn commit(lab: &Lab, message: &str, files: &[(&str, &str)]) -> String {
    files.iter().for_each(|(name, text)| drop(lab.put(Path::new("a").join(name), text)));
    lab.commit("a", message)
}

/// What a run left.
#[derive(Debug)]
struct Left {
    code: i32,
    out: String,
    err: String,
    outputs: BTreeMap<String, String>,
    summary: String,
    sarif: String,
}

impl Left {
    #[track_caller]
    fn gives(self, code: i32, words: &str) -> Self {
        let all = format!("{}{}{}", self.out, self.err, self.summary);
        assert!(self.code == code && all.contains(words), "expected {code} and {words:?}, got {self:#?}");
        for n in 0..2 {
            for (place, text) in [("log", &all), ("report", &self.sarif)] {
                assert!(!text.contains(&key(n)), "a whole key in the {place}: {self:#?}");
            }
        }
        self
    }

    #[track_caller]
    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name}: {self:#?}"))
    }
}

/// The values of a file of outputs, by the rules of the runner.
fn read_outputs(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").expect("a line begins an output");
        let value: Vec<&str> = lines.by_ref().take_while(|l| *l != delimiter).collect();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}

fn run(lab: &Lab, args: &[&str], vars: &[(&str, &str)]) -> Left {
    for name in ["output", "summary", "temp/keywheel.sarif", "report.json"] {
        let _ = fs::remove_file(lab.path(name));
    }
    fs::create_dir_all(lab.path("temp")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
    command.args(["ci"]).args(args).current_dir(lab.path("a")).env_clear().stdin(Stdio::null());
    command.env("RUNNER_TEMP", lab.path("temp"));
    command.env("GITHUB_OUTPUT", lab.path("output")).env("GITHUB_STEP_SUMMARY", lab.path("summary"));
    let done = command.envs(vars.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let file = |name: &str| fs::read_to_string(lab.path(name)).unwrap_or_default();
    let (sarif, report) = (file("temp/keywheel.sarif"), file("report.json"));
    Left {
        code: done.status.code().unwrap(),
        out: text(done.stdout),
        err: text(done.stderr),
        outputs: read_outputs(&file("output")),
        summary: file("summary"),
        sarif: if sarif.is_empty() { report } else { sarif },
    }
}

fn github(lab: &Lab, event: &str, payload: &Value, sha: &str, args: &[&str]) -> Left {
    let mut payload = payload.clone();
    payload["repository"] = json!({"default_branch": "main"});
    let path = lab.put("event.json", payload.to_string());
    let path = path.to_str().unwrap();
    let vars = [
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_EVENT_PATH", path),
        ("GITHUB_SHA", sha),
        ("GITHUB_REF", "refs/heads/main"),
    ];
    run(lab, &[&["github"], args].concat(), &vars)
}

fn push(lab: &Lab, before: &str, after: &str, args: &[&str]) -> Left {
    github(lab, "push", &json!({"before": before, "after": after}), after, args)
}

fn pull(base: &str, head: &str) -> Value {
    json!({"pull_request": {"base": {"sha": base}, "head": {"sha": head}}})
}

#[test]
fn a_push_reports_in_every_way() {
    let lab = Lab::with_commits(&["one"]);
    let before = lab.git("a", &["rev-parse", "HEAD"]);
    let after = commit(&lab, "two", &[("src/a.py", &format!("x = 1\ntoken = '{}'\n", key(0)))]);
    let left = push(&lab, &before, &after, &[]).gives(1, "::error file=src/a.py,line=2,endLine=2,");
    let expected = [
        ("findings", "1"),
        ("new-findings", "1"),
        ("active-findings", "0"),
        ("exit-code", "1"),
        ("complete", "true"),
        ("scanned-commits", "1"),
    ];
    expected.iter().for_each(|(name, value)| assert_eq!(left.output(name), *value, "{name}"));
    assert!(left.output("scanned-bytes").parse::<u64>().unwrap() > 50);
    assert_eq!(left.output("sarif-file"), lab.path("temp/keywheel.sarif").to_str().unwrap());
    assert!(left.sarif.contains("\"ruleId\":\"github-pat-classic\""), "{}", left.sarif);
    assert!(left.summary.contains("## Keywheel: 1 finding") && left.summary.contains("src/a.py"));
    let overruled = push(&lab, &before, &after, &["--exit-zero"]).gives(0, "");
    assert_eq!(overruled.output("exit-code"), "1");
    let clean = push(&lab, &after, &after, &[]).gives(0, "No findings");
    assert_eq!((clean.output("findings"), clean.output("exit-code")), ("0", "0"));
    let deleted = push(&lab, &before, &"0".repeat(40), &[]).gives(0, "nothing to scan");
    assert_eq!(deleted.output("complete"), "true");
}

#[test]
fn the_runner_obeys_nothing_of_the_change() {
    let lab = Lab::with_commits(&["one"]);
    let before = lab.git("a", &["rev-parse", "HEAD"]);
    let names = ["x\n::error::injected", "y,line=1::injected", "##[error]injected", "%0A::notice::injected"];
    let text = format!("token = '{}'\n", key(0));
    let files: Vec<_> = names.iter().map(|name| (*name, text.as_str())).collect();
    let after = commit(&lab, "::warning::injected", &files);
    let left = push(&lab, &before, &after, &[]).gives(1, "stop-commands");
    let mut stopped = None;
    for line in left.out.lines() {
        let text = line.trim_start();
        match &stopped {
            Some(token) if text == format!("::{token}::") => stopped = None,
            Some(_) => {}
            None => {
                let is_ours = ["::error file=", "::error title=", "::stop-commands::", "keywheel: "];
                assert!(is_ours.iter().any(|s| line.starts_with(s)), "{line:?}");
                assert!(!line.contains("::injected") || line.matches("::").count() == 2, "{line:?}");
                stopped = text.strip_prefix("::stop-commands::").map(str::to_owned);
            }
        }
        assert!(!line.contains("##["), "{line:?}");
    }
    assert_eq!(stopped, None, "the commands were not started again");
    // The next run has another token.
    let token = |left: &Left| left.out.split("::stop-commands::").nth(1).unwrap()[..32].to_owned();
    assert_ne!(token(&left), token(&push(&lab, &before, &after, &[])));
}

#[test]
fn configuration_is_the_base_s_alone() {
    let lab = Lab::with_commits(&["one"]);
    let plain = lab.git("a", &["rev-parse", "HEAD"]);
    let leak = format!("token = '{}' # keywheel:allow reason=mine\n", key(0));
    let allow = "[scan]\ninline-allow = true\n\n[[allow]]\nrule = 'github-pat-classic'\nreason = 'made up'\n";
    let trusting = commit(&lab, "two", &[("keywheel.toml", allow)]);
    let head = commit(&lab, "three", &[("a.py", &leak)]);
    // The work tree holds the configuration; the base of the first range does not.
    let own = push(&lab, &plain, &head, &[])
        .gives(1, "keywheel.toml of the change would allow the rule github-pat-classic");
    assert!(
        own.out.contains("would set scan.inline-allow anew") && own.summary.contains("The change proposes")
    );
    push(&lab, &trusting, &head, &[]).gives(0, "1 suppressed (config 1)");
    push(&lab, &trusting, &head, &["--no-config"]).gives(1, "");
    // Inline comments count where the base says so.
    let inline = commit(&lab, "four", &[("keywheel.toml", "[scan]\ninline-allow = true\n")]);
    let again = commit(&lab, "five", &[("b.py", &leak)]);
    push(&lab, &inline, &again, &[]).gives(0, "inline 1");
    // A base whose configuration is broken is an error; a change's is only told.
    let broken = commit(&lab, "six", &[("keywheel.toml", "[scan\n")]);
    push(&lab, &again, &broken, &[]).gives(0, "keywheel.toml of the change does not parse");
    let mended = commit(&lab, "seven", &[("keywheel.toml", "")]);
    let failed = push(&lab, &broken, &mended, &[]).gives(2, "keywheel.toml:1:");
    assert_eq!(failed.output("complete"), "false");
    push(&lab, &inline, &again, &["--config", "../a.toml"]).gives(2, "leads out of the repository");
    push(&lab, &inline, &again, &["--config", "none.toml"]).gives(1, "the base has no none.toml");
}

#[test]
fn an_organisation_s_configuration_stands_above_the_base_s() {
    let lab = Lab::with_commits(&["one"]);
    let allow = "[[allow]]\nrule = 'github-pat-classic'\nreason = 'made up'\n";
    let base =
        commit(&lab, "two", &[("conf/keywheel.toml", &format!("[scan]\nbaseline = 'known'\n{allow}"))]);
    let leak = format!("token = '{}'\n", key(0));
    let head = commit(&lab, "three", &[("a.py", &leak)]);
    let with = |text: &str| {
        lab.put("org.toml", text);
        push(&lab, &base, &head, &["--config", "conf/keywheel.toml", "--org-config", "../org.toml"])
    };
    let refused = with("").gives(1, "conf/keywheel.toml:3: `allow` is not taken");
    assert!(refused.out.contains("`baseline` is not taken"), "{}", refused.out);
    with("[organisation]\nrepository-may = ['allow']\n").gives(0, "1 suppressed (config 1)");
    with(allow).gives(0, "1 suppressed (config 1)");
    // Its own baseline is a file beside it, not of the base.
    let fingerprint = keywheel::model::FingerprintKey::default().fingerprint(key(0).as_bytes());
    lab.put("known", format!("# keywheel baseline 1 salt=\n{fingerprint} rule=x reason=old\n"));
    with("[scan]\nbaseline = 'known'\n").gives(0, "1 known (baseline)");
    with("[scan]\nbaseline = 'none'\n").gives(2, "cannot read the baseline");
    with("[scan\n").gives(2, "org.toml:1:");
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_the_configuration_is_not_followed() {
    let lab = Lab::with_commits(&["one"]);
    std::os::unix::fs::symlink("/dev/zero", lab.path("a/keywheel.toml")).unwrap();
    let base = lab.commit("a", "two");
    let head = lab.commit("a", "three");
    push(&lab, &base, &head, &[]).gives(2, "keywheel.toml of the commit");
}

#[test]
fn baselines_and_rules_are_the_base_s_too() {
    let lab = Lab::with_commits(&["one"]);
    let none = lab.git("a", &["rev-parse", "HEAD"]);
    let fingerprint = keywheel::model::FingerprintKey::default().fingerprint(key(0).as_bytes());
    let known = format!("# keywheel baseline 1 salt=\n{fingerprint} rule=github-pat-classic reason=old\n");
    let base = commit(&lab, "two", &[("known", &known)]);
    let head = commit(&lab, "three", &[("a.py", &format!("token = '{}'\n", key(0)))]);
    let baseline = ["--baseline", "known"];
    push(&lab, &base, &head, &baseline).gives(0, "1 known");
    let proposed = push(&lab, &none, &head, &baseline).gives(1, "the base has no known");
    assert!(proposed.out.contains(&format!("would accept {fingerprint}")), "{}", proposed.out);
    push(&lab, &base, &head, &["--rules", "rules"]).gives(2, "the base has no rules at rules");
    let rule = "[provider]\nid = 'acme'\nname = 'Acme'\n\n[[rule]]\nid = 'acme-word'\nname = 'Acme word'\n\
                class = 'structured'\nseverity = 'high'\nconfidence = 'high'\n\
                pattern = '''\\b(?<secret>acmeword-[0-9]{12})\\b'''\nmax_len = 21\n\
                matches = ['<acmeword-{d:12}>']\nrejects = ['acmeword-1']\n";
    let base = commit(&lab, "four", &[("rules/acme.toml", rule)]);
    let word = ["acmeword", "493817264058"].join("-");
    let head = commit(&lab, "five", &[("b.py", &format!("w = '{word}'\n"))]);
    push(&lab, &base, &head, &["--rules", "rules"]).gives(1, "Acme word");
    push(&lab, &base, &head, &[]).gives(0, "No findings");
}

#[test]
fn a_pull_request_is_read_from_its_trial_merge_or_from_the_fork() {
    let lab = Lab::with_commits(&["one"]);
    let base = lab.git("a", &["rev-parse", "HEAD"]);
    lab.git("a", &["checkout", "-q", "-b", "topic"]);
    commit(&lab, "key", &[("gone.py", &format!("token = '{}'\n", key(0)))]);
    fs::remove_file(lab.path("a/gone.py")).unwrap();
    let head = lab.commit("a", "gone");
    lab.git("a", &["checkout", "-q", "main"]);
    commit(&lab, "meanwhile", &[("other.py", &format!("token = '{}'\n", key(1)))]);
    lab.git("a", &["merge", "-q", "--no-ff", "-s", "ours", "-m", "trial", "topic"]);
    let merge = lab.git("a", &["rev-parse", "HEAD"]);
    for sha in [&merge, &head] {
        let left = github(&lab, "pull_request", &pull(&base, &head), sha, &[]).gives(1, "gone.py");
        assert_eq!(left.output("findings"), "1", "{sha}");
        assert!(!left.out.contains("other.py"), "{sha}");
    }
    github(&lab, "pull_request_target", &pull(&base, &head), &base, &[])
        .gives(2, "--allow-pull-request-target");
    let allowed = ["--allow-pull-request-target"];
    github(&lab, "pull_request_target", &pull(&base, &head), &base, &allowed).gives(1, "gone.py");
    // Histories that share nothing.
    lab.git("a", &["checkout", "-q", "--orphan", "alone"]);
    let alone = lab.commit("a", "alone");
    github(&lab, "pull_request", &pull(&base, &alone), &alone, &[]).gives(2, "no common ancestor");
}

#[test]
fn what_was_not_fetched_is_no_clean_scan() {
    let lab = Lab::with_commits(&["one", "two", "three"]);
    let ids: Vec<_> = lab.git("a", &["rev-list", "--reverse", "HEAD"]).lines().map(str::to_owned).collect();
    let from = format!("file://{}", lab.path("a").display());
    lab.git(".", &["clone", "-q", "--depth=1", &from, "shallow"]);
    fs::rename(lab.path("a"), lab.path("whole")).unwrap();
    fs::rename(lab.path("shallow"), lab.path("a")).unwrap();
    let cure = "fetch-depth: 0";
    let missing = push(&lab, &ids[1], &ids[2], &[]).gives(2, cure);
    assert!(missing.out.starts_with("::error title=Keywheel::"), "{}", missing.out);
    assert_eq!((missing.output("exit-code"), missing.output("complete")), ("2", "false"));
    github(&lab, "pull_request", &pull(&ids[0], &ids[2]), &ids[2], &[]).gives(2, cure);
    let shallow = github(&lab, "schedule", &json!({}), &ids[2], &[]).gives(3, "incomplete");
    assert_eq!(shallow.output("complete"), "false");
    github(&lab, "label", &json!({}), &ids[2], &[]).gives(2, "--scan tree");
    github(&lab, "label", &json!({}), &ids[2], &["--scan", "tree"]).gives(0, "No findings");
    run(&lab, &["github"], &[]).gives(2, "GITHUB_EVENT_NAME is not set");
}

#[test]
fn what_a_scan_needs_can_be_asked_before() {
    let lab = Lab::with_commits(&["one"]);
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let asked = |event: &str, payload: &Value| github(&lab, event, payload, &b, &["--print-needs"]);
    assert_eq!(
        asked("push", &json!({"before": a, "after": b})).gives(0, "").out,
        format!("head {b}\nbefore {a}\n")
    );
    assert_eq!(asked("schedule", &json!({})).gives(0, "").out, "history all\n");
    assert_eq!(asked("delete", &json!({})).gives(0, "").out, "");
    assert_eq!(asked("label", &json!({})).gives(2, "").out, "");
}

#[test]
fn a_whole_history_holds_every_branch() {
    let lab = Lab::with_commits(&["one"]);
    lab.git("a", &["checkout", "-q", "-b", "side"]);
    commit(&lab, "key", &[("side.py", &format!("token = '{}'\n", key(0)))]);
    lab.git("a", &["checkout", "-q", "main"]);
    let head = commit(&lab, "key", &[("main.py", &format!("token = '{}'\n", key(1)))]);
    let left = github(&lab, "schedule", &json!({}), &head, &[]).gives(1, "side.py");
    assert_eq!(left.output("findings"), "2");
}

#[test]
fn gitlab_gets_its_own_report() {
    let lab = Lab::with_commits(&["one"]);
    let base = lab.git("a", &["rev-parse", "HEAD"]);
    lab.git("a", &["checkout", "-q", "-b", "topic"]);
    let head = commit(&lab, "two", &[("src/a.py", &format!("x = 1\ntoken = '{}'\n", key(0)))]);
    let args = ["gitlab", "--report", "../report.json"];
    let request = [
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str()),
        ("CI_COMMIT_SHA", head.as_str()),
        ("CI_DEFAULT_BRANCH", "main"),
    ];
    let left = run(&lab, &args, &request).gives(1, "src/a.py");
    let report: Value = serde_json::from_str(&left.sarif).unwrap();
    assert_eq!(report["vulnerabilities"][0]["location"]["start_line"], 2);
    let zero = "0".repeat(40);
    let pushed =
        [("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_BEFORE_SHA", zero.as_str()), request[2], request[3]];
    run(&lab, &args, &pushed).gives(1, "src/a.py");
    let gone = "1".repeat(40);
    let unknown = [request[0], ("CI_MERGE_REQUEST_DIFF_BASE_SHA", gone.as_str()), request[2], request[3]];
    run(&lab, &args, &unknown).gives(2, "GIT_DEPTH: 0");
    run(&lab, &args, &[]).gives(2, "CI_PIPELINE_SOURCE is not set");
}

#[test]
fn plans_of_rotation_are_for_the_repository_s_own_changes() {
    let lab = Lab::with_commits(&["one"]);
    let base = lab.git("a", &["rev-parse", "HEAD"]);
    let head = commit(&lab, "two", &[("a.py", &format!("token = '{}'\n", key(0)))]);
    let provider = crate::provider::Github::new(key(0), key(1));
    lab.put("org.toml", provider.file(""));
    let print = keywheel::model::FingerprintKey::default().fingerprint(key(0).as_bytes());
    let policy = lab.put(
        "policy.toml",
        format!(
            "version = 1\n[default]\nowners = ['ann']\n[team.web]\n[store.env]\nkind = 'file'\n[[key]]\n\
             id = 'web/github'\nteam = 'web'\nservice = 's'\nenvironment = 'staging'\nprovider = 'github'\n\
             rule = 'github-pat-classic'\naccount = 'a'\nfingerprints = ['{print}']\n\
             stores = [{{ store = 'env', path = '/srv/.env', field = 'T' }}]\n"
        ),
    );
    let ask = ["--verify", "--verify-cache", "none", "--org-config", "../org.toml", "--policy"];
    let ask = [&ask[..], &[policy.to_str().unwrap()]].concat();
    let of = |from: &str| {
        let mut payload = pull(&base, &head);
        payload["pull_request"]["base"]["repo"]["full_name"] = "acme/shop".into();
        payload["pull_request"]["head"]["repo"]["full_name"] = from.into();
        github(&lab, "pull_request", &payload, &head, &ask).gives(1, "a.py")
    };
    let own = of("acme/shop");
    assert!(own.summary.contains("### `web/github`: emergency rotation to generation 2"), "{}", own.summary);
    assert_eq!((own.output("active-findings"), provider.asked().contains(&key(0))), ("1", true));
    let asked = provider.asked().len();
    let fork = of("stranger/shop");
    for told in ["Rotation", "web/github", "no plan"] {
        assert!(!format!("{}{}{}", fork.summary, fork.out, fork.err).contains(told), "{told}: {fork:#?}");
    }
    assert_eq!((fork.output("active-findings"), provider.asked().len()), ("0", asked), "nobody is asked");
}
