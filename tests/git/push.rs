//! The hook of whoever pushes, through real pushes.

use crate::Lab;
use crate::run::line;
use crate::shapes::{SHAPES, commit};

/// A remote with an old leak on its branch `leaky`, and a clone `c` of it with the hook.
fn lab() -> Lab {
    let lab = Lab::with_commits(&["one", "two"]);
    lab.git("a", &["checkout", "-q", "-b", "leaky"]);
    lab.put("a/old", line(2));
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["commit", "-qm", "an old leak"]);
    lab.git("a", &["checkout", "-q", "main"]);
    lab.git(".", &["clone", "-q", "--bare", "a", "s.git"]);
    lab.git(".", &["clone", "-q", "s.git", "c"]);
    lab.keywheel("c", &["hook", "install", "pre-push"]).gives(0, "installed");
    lab
}

fn push(lab: &Lab, args: &[&str]) -> crate::run::Said {
    lab.try_git("c", &[&["push", "-q"], args].concat())
}

#[test]
fn what_the_remote_lacks_is_read() {
    let lab = lab();
    push(&lab, &["origin", "main"]).gives(0, "");
    commit(&lab, "clean");
    push(&lab, &["origin", "main"]).gives(0, "No findings");
    // What the remote has on any branch is no news, on a new branch of ours either.
    lab.git("c", &["checkout", "-q", "-b", "mine", "origin/leaky"]);
    push(&lab, &["origin", "mine"]).gives(0, "No findings");
    lab.put("c/new", line(0));
    commit(&lab, "x");
    push(&lab, &["origin", "mine"]).gives(1, "not pushed").lacks("old:1:");
    push(&lab, &["origin", "mine:other"]).gives(1, "new:1:").lacks("old:1:");
    // A remote without a name: nothing is known of what it has but the refs that it tells.
    let url = lab.path("s.git").display().to_string();
    push(&lab, &[&url, "mine"]).gives(1, "new:1:").lacks("old:1:");
    push(&lab, &[&url, "mine:third"]).gives(1, "old:1:");
    push(&lab, &["origin", ":leaky"]).gives(0, "");
    push(&lab, &["--no-verify", "origin", "mine"]).gives(0, "");
    // The remote has moved on, and we have not fetched.
    lab.git("c", &["checkout", "-q", "main"]);
    lab.git(".", &["clone", "-q", "s.git", "d"]);
    lab.put("d/theirs", "x");
    lab.git("d", &["add", "-A"]);
    lab.git("d", &["commit", "-qm", "theirs"]);
    lab.git("d", &["push", "-q", "origin", "main"]);
    lab.put("c/ours", "x");
    commit(&lab, "ours");
    push(&lab, &["--force", "origin", "main"]).gives(0, "No findings");
    lab.put("c/ours", line(1));
    commit(&lab, "ours");
    push(&lab, &["--force", "origin", "main"]).gives(1, "ours:1:");
}

#[test]
fn every_shape_is_seen_before_it_leaves() {
    let lab = lab();
    let start = lab.git("c", &["rev-parse", "main"]);
    lab.put("c/old", "text\n".repeat(3001));
    for (name, make, refs, _) in SHAPES {
        println!("{name}");
        // A comment on the line is a person's own word, and here it counts; a ref's name is the remote's.
        if name.contains("comment") || name.contains("name of a branch") || name.contains("configuration") {
            continue;
        }
        lab.git("c", &["checkout", "-q", "-f", "-B", "main", &start]);
        lab.git("c", &["clean", "-qfd"]);
        let list =
            lab.git("c", &["for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags", "refs/notes"]);
        for other in list.lines().filter(|r| *r != "refs/heads/main") {
            lab.git("c", &["update-ref", "-d", other]);
        }
        lab.put("c/old", "some\ntext\n");
        commit(&lab, "before");
        make(&lab);
        push(&lab, &[&["origin"], *refs].concat()).gives(1, "not pushed");
    }
}

#[test]
fn garbage_is_refused() {
    let lab = lab();
    let mut command = lab.keywheel_command("c", &["hook", "pre-push", "origin", "x"]);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"garbage\n").unwrap();
    crate::run::Said::of(child.wait_with_output().unwrap()).gives(2, "line 1 of standard input");
    lab.keywheel("c", &["hook", "pre-push", "origin", "x"]).gives(0, "");
}
