//! The gate of a server, through real pushes: over a local path, or through the servers of
//! `tests/transports/run.py`, which says so by variables.

use crate::Lab;
use crate::run::{Said, key, line};
use crate::shapes::{SHAPES, Shape, commit};
use std::env;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// A server with an old leak and the hook, and a clone `c` of it. `limit` decides whether pushed
/// objects wait as loose files or as a pack.
fn lab(limit: u32, args: &[&str]) -> Lab {
    let lab = Lab::with_commits(&["one", "two"]);
    lab.put("a/old", format!("{}{}", line(2), (0..3000).map(|n| format!("line {n}\n")).collect::<String>()));
    lab.put("a/dir/plain", "some plain text\n");
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["commit", "-qm", "an old leak"]);
    lab.git(".", &["clone", "-q", "--bare", "a", "s.git"]);
    lab.git("s.git", &["config", "receive.unpackLimit", &limit.to_string()]);
    lab.git("s.git", &["config", "receive.advertisePushOptions", "true"]);
    lab.git(".", &["clone", "-q", "s.git", "c"]);
    let install = ["hook", "install", "pre-receive", "s.git", "--", "--budget", "60s"];
    lab.keywheel(".", &[&install[..], args].concat()).gives(0, "installed");
    if let Ok(base) = env::var("KEYWHEEL_TRANSPORT") {
        // The server's root is the folder for temporary files.
        let (server, root) = (lab.path("s.git"), env::temp_dir().canonicalize().unwrap());
        let url = format!("{base}/{}", server.strip_prefix(root).unwrap().display());
        lab.git("c", &["remote", "set-url", "origin", &url]);
        lab.git("c", &["config", "core.sshCommand", &env::var("KEYWHEEL_SSH").unwrap_or_default()]);
    }
    lab
}

/// The shapes to try: all, or as many as `KEYWHEEL_SHAPES` says, from all over the list.
fn shapes() -> impl Iterator<Item = &'static Shape> {
    let some = env::var("KEYWHEEL_SHAPES").map_or(SHAPES.len(), |n| n.parse().unwrap());
    SHAPES.iter().step_by(SHAPES.len().div_ceil(some)).take(some)
}

fn refs(lab: &Lab) -> String {
    lab.git("s.git", &["for-each-ref"])
}

/// The push is rejected, for a finding, at such a place.
#[track_caller]
fn rejected(lab: &Lab, push: &[&str], place: &str) -> Said {
    let before = refs(lab);
    let said = lab.try_git("c", &[&["push", "-q", "origin"], push].concat());
    assert_eq!(refs(lab), before, "{push:?} got through: {said:#?}");
    let said = said.gives(1, "remote: keywheel: push rejected: it holds 1 secret").gives_text(place);
    assert!(said.text.lines().any(|l| l.starts_with("remote: ") && l.contains(place)), "{said:#?}");
    said
}

#[track_caller]
fn accepted(lab: &Lab, push: &[&str]) {
    let before = refs(lab);
    lab.try_git("c", &[&["push", "-q", "origin"], push].concat()).gives(0, "");
    assert_ne!(refs(lab), before, "{push:?} did nothing");
}

impl Said {
    #[track_caller]
    fn gives_text(self, text: &str) -> Self {
        let code = self.code;
        self.gives(code, text)
    }
}

#[track_caller]
fn every_shape(limit: u32) {
    let lab = lab(limit, &[]);
    let start = lab.git("c", &["rev-parse", "main"]);
    for (name, make, push, place) in shapes() {
        println!("{name}");
        lab.git("c", &["checkout", "-q", "-f", "-B", "main", &start]);
        lab.git("c", &["clean", "-qfd"]);
        for ref_name in lab
            .git("c", &["for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags", "refs/notes"])
            .lines()
        {
            if ref_name != "refs/heads/main" {
                lab.git("c", &["update-ref", "-d", ref_name]);
            }
        }
        make(&lab);
        rejected(&lab, push, place).gives_text("what to do").lacks("\u{1b}");
    }
}

#[test]
fn every_shape_is_rejected_as_loose_objects() {
    every_shape(1000);
}

#[test]
fn every_shape_is_rejected_as_a_pack() {
    every_shape(1);
}

#[test]
fn clean_pushes_pass() {
    for limit in [1, 1000] {
        let lab = lab(limit, &[]);
        // A thin pack: the base with the old leak is sent along by nobody, and put back by the server.
        let text = fs::read_to_string(lab.path("c/old")).unwrap();
        lab.put("c/old", text.replace("line 1500\n", "another line\n"));
        commit(&lab, "edit beside an old leak");
        accepted(&lab, &["main"]);
        lab.git("c", &["mv", "old", "renamed"]);
        commit(&lab, "rename");
        lab.put("c/renamed", text.replace("line 1600\n", "a third line\n"));
        commit(&lab, "edit");
        accepted(&lab, &["main"]);
        // What is there already comes back, on a branch that had lost it.
        lab.git("c", &["rm", "-q", "renamed"]);
        commit(&lab, "gone");
        accepted(&lab, &["main"]);
        lab.git("c", &["revert", "--no-edit", "HEAD"]);
        accepted(&lab, &["main"]);
        lab.git("c", &["checkout", "-q", "-b", "new", "main~3"]);
        accepted(&lab, &["new"]);
        lab.put("c/clean", "x");
        commit(&lab, "clean");
        lab.git("c", &["tag", "-a", "-m", "a tag", "t"]);
        accepted(&lab, &["new", "t"]);
        lab.git("c", &["reset", "-q", "--hard", "HEAD~1"]);
        lab.put("c/other", "x");
        commit(&lab, "forced");
        accepted(&lab, &["--force", "new"]);
        accepted(&lab, &["--delete", "t"]);
        // A deletion and a clean commit at once.
        lab.put("c/third", "x");
        commit(&lab, "third");
        accepted(&lab, &["new:second", ":new"]);
    }
}

#[test]
fn what_no_ref_leads_to_is_new_when_one_does() {
    for limit in [1, 1000] {
        let lab = lab(limit, &[]);
        let hook = lab.path("s.git/hooks/pre-receive");
        lab.git("c", &["checkout", "-q", "-b", "leak"]);
        lab.put("c/x", line(0));
        commit(&lab, "x");
        fs::rename(&hook, hook.with_extension("off")).unwrap();
        accepted(&lab, &["leak"]);
        accepted(&lab, &["--delete", "leak"]);
        fs::rename(hook.with_extension("off"), &hook).unwrap();
        let id = lab.git("c", &["rev-parse", "HEAD"]);
        lab.git("s.git", &["cat-file", "-e", &id]);
        rejected(&lab, &["leak"], "x:1 in commit");
        // And when a new commit stands on it.
        lab.put("c/y", "y");
        commit(&lab, "y");
        rejected(&lab, &["leak"], "x:1 in commit");
    }
}

/// Runs the hook by hand on objects in quarantine.
fn by_hand(lab: &Lab, stdin: &str, quarantine: bool, args: &[&str]) -> Said {
    let mut command = lab.keywheel_command("s.git", &[&["hook", "pre-receive"], args].concat());
    command.env("GIT_DIR", ".").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if quarantine {
        let at = lab.path("s.git/objects/tmp_objdir-incoming-x");
        command.env("GIT_QUARANTINE_PATH", &at).env("GIT_OBJECT_DIRECTORY", &at);
        command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", lab.path("s.git/objects"));
    }
    let mut child = command.spawn().unwrap();
    // Wrong usage is told before anything is read.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    Said::of(child.wait_with_output().unwrap())
}

/// Puts objects of `c` into quarantine, as loose files or as a pack.
fn quarantine(lab: &Lab, ids: &[String], packed: bool) {
    let at = lab.path("s.git/objects/tmp_objdir-incoming-x");
    let _ = fs::remove_dir_all(&at);
    fs::create_dir_all(at.join("pack")).unwrap();
    if packed {
        let list = ids.join("\n") + "\n";
        let to = at.join("pack/pack");
        lab.git_with("c", &["pack-objects", "-q", to.to_str().unwrap()], list.as_bytes());
    } else {
        for id in ids {
            let name = format!("{}/{}", &id[..2], &id[2..]);
            fs::create_dir_all(at.join(&id[..2])).unwrap();
            fs::copy(lab.path(format!("c/.git/objects/{name}")), at.join(&name)).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_a_push_is_rejected() {
    let lab = lab(1, &[]);
    let (main, zero) = (lab.git("s.git", &["rev-parse", "main"]), "0".repeat(40));
    by_hand(&lab, "", false, &[]).gives(0, "");
    by_hand(&lab, &format!("{main} {zero} refs/heads/main\n"), false, &[]).gives(0, "");
    by_hand(&lab, &format!("{zero} {main} refs/heads/x\n"), false, &[]).gives(0, "");
    by_hand(&lab, "garbage\n", false, &[]).gives(2, "push rejected: line 1 of standard input");
    by_hand(&lab, &format!("{main} {main} refs/heads/x"), false, &[]).gives(2, "line 1");
    let wide = "0".repeat(64);
    by_hand(&lab, &format!("{wide} {wide} refs/heads/x\n"), false, &[]).gives(2, "SHA-256");
    let none = "1".repeat(40);
    by_hand(&lab, &format!("{zero} {none} refs/heads/x\n"), false, &[]).gives(2, "is not there");
    let id = lab.git_with("c", &["hash-object", "-w", "--stdin"], b"nothing");
    quarantine(&lab, std::slice::from_ref(&id), false);
    by_hand(&lab, "", true, &[]).gives(2, "names no ref");
    by_hand(&lab, &format!("{zero} {id} refs/tags/x\n"), true, &[]).gives(0, "");
    fs::remove_dir_all(lab.path("s.git/objects/tmp_objdir-incoming-x")).unwrap();
    assert_ne!(by_hand(&lab, &format!("{zero} {main} refs/heads/x\n"), true, &[]).code, 0);
}

#[test]
fn what_no_ref_names_is_read_too() {
    let lab = lab(1, &[]);
    lab.put("c/clean", "clean");
    commit(&lab, "clean");
    let pushed: Vec<String> =
        ["HEAD", "HEAD^{tree}", "HEAD:clean"].iter().map(|spec| lab.git("c", &["rev-parse", spec])).collect();
    let push = format!("{} {} refs/heads/main\n", lab.git("s.git", &["rev-parse", "main"]), pushed[0]);
    let blob = lab.git_with("c", &["hash-object", "-w", "--stdin"], line(0).as_bytes());
    let empty = lab.git_with("c", &["hash-object", "-w", "--stdin"], b"");
    let named = format!("100644 blob {empty}\t{}\n", key(0));
    let tree = lab.git_with("c", &["mktree"], named.as_bytes());
    let message = lab.git("c", &["commit-tree", "HEAD^{tree}", "-m", &line(0)]);
    let tag = format!("object {}\ntype commit\ntag t\ntagger A <a@b.c> 1 +0000\n\n{}", pushed[0], line(0));
    let tag = lab.git_with("c", &["mktag"], tag.as_bytes());
    for packed in [false, true] {
        quarantine(&lab, &pushed, packed);
        by_hand(&lab, &push, true, &[]).gives(0, "");
        for (extra, what) in [(&blob, "blob"), (&tree, "tree"), (&message, "commit"), (&tag, "tag")] {
            let all = [&pushed[..], std::slice::from_ref(extra), std::slice::from_ref(&empty)].concat();
            quarantine(&lab, &all, packed);
            by_hand(&lab, &push, true, &[]).gives(1, "it holds 1 secret");
            println!("{what} was seen, packed: {packed}");
        }
        // A damaged object is never taken for a clean one.
        quarantine(&lab, &pushed, false);
        let loose = lab.path("s.git/objects/tmp_objdir-incoming-x").join(format!(
            "{}/{}",
            &pushed[2][..2],
            &pushed[2][2..]
        ));
        fs::set_permissions(&loose, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        fs::write(&loose, "torn").unwrap();
        by_hand(&lab, &push, true, &[]).gives(3, "could not be read");
    }
}

#[test]
fn the_budget_decides_as_it_is_told() {
    let lab = lab(1, &[]);
    lab.put("c/x", line(0));
    commit(&lab, "x");
    let ids: Vec<String> =
        ["HEAD", "HEAD^{tree}", "HEAD:x"].iter().map(|s| lab.git("c", &["rev-parse", s])).collect();
    quarantine(&lab, &ids, true);
    let push = format!("{} {} refs/heads/main\n", lab.git("s.git", &["rev-parse", "main"]), ids[0]);
    by_hand(&lab, &push, true, &["--budget", "0s"]).gives(3, "push rejected: not all of it could be read");
    by_hand(&lab, &push, true, &["--budget", "0s", "--on-timeout", "accept"])
        .gives(0, "not all of it was read");
    by_hand(&lab, &push, true, &["--on-timeout", "accept"]).gives(1, "it holds 1 secret");
    by_hand(&lab, &push, true, &["--fail-on", "none"]).gives(2, "");
}

#[test]
fn a_bypass_needs_leave_and_is_on_record() {
    let lab = lab_with_config();
    lab.put("c/x", line(0));
    commit(&lab, "x");
    let (config, log) = (lab.path("keywheel.toml"), lab.path("audit.jsonl"));
    let pushed = |option: &[&str]| lab.try_git("c", &[&["push", "-q"], option, &["origin", "main"]].concat());
    pushed(&[]).gives(1, "-o keywheel.bypass='reason'");
    assert!(!log.exists());
    pushed(&["-o", "keywheel.bypass"]).gives(1, "give a reason");
    fs::write(&config, format!("[hook]\naudit-log = \"{}\"\n", log.display())).unwrap();
    pushed(&["-o", "keywheel.bypass=a sample"]).gives(1, "takes no keywheel.bypass");
    fs::write(&config, "[hook]\nbypass = true\n").unwrap();
    pushed(&["-o", "keywheel.bypass=a sample"]).gives(1, "takes no keywheel.bypass");
    fs::write(&config, "[hook]\nbypass = true\naudit-log = \"/nowhere/at/all\"\n").unwrap();
    pushed(&["-o", "keywheel.bypass=a sample"]).gives(1, "cannot write the audit log");
    fs::write(&config, "[hook]\nbypass = true\naudit-log = \"audit\"\n").unwrap();
    pushed(&["-o", "keywheel.bypass=a sample"]).gives(1, "not absolute");
    let told = fs::read_to_string(&log).unwrap();
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.lines().all(|l| l.contains("\"outcome\":\"refused\"")), "{told}");
    fs::write(&config, format!("[hook]\nbypass = true\naudit-log = \"{}\"\n", log.display())).unwrap();
    pushed(&["-o", "keywheel.bypass=a sample"]).gives(0, "on record");
    let told = fs::read_to_string(&log).unwrap();
    let last: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!((&last["outcome"], &last["reason"]), (&"bypassed".into(), &"a sample".into()));
    assert_eq!(last["refs"][0]["ref"], "refs/heads/main");
    assert!(last["scan"]["findings"][0]["fingerprint"].as_str().unwrap().starts_with("kw1:"));
    assert!(!told.contains(&key(0)));
}

/// A lab whose hook reads `keywheel.toml` beside the repositories.
fn lab_with_config() -> Lab {
    let lab = lab(1, &[]);
    let (config, log) = (lab.path("keywheel.toml"), lab.path("audit.jsonl"));
    fs::write(&config, format!("[hook]\nbypass = true\naudit-log = \"{}\"\n", log.display())).unwrap();
    fs::remove_file(lab.path("s.git/hooks/pre-receive")).unwrap();
    let args = ["hook", "install", "pre-receive", "s.git", "--", "--config", config.to_str().unwrap()];
    lab.keywheel(".", &args).gives(0, "installed");
    lab
}
