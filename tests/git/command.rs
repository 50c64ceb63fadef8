//! `keywheel scan --range` as a process: what fails a pull request, and what cannot be told.

use super::made::Made;
use std::path::Path;
use std::process::{Command, Stdio};

/// A made-up key with a valid checksum, put together at run time.
fn key(n: usize) -> String {
    let (name, text) =
        keywheel::rule::embedded_texts().iter().find(|(name, _)| *name == "github.toml").unwrap();
    let examples = keywheel::scan::check::examples(Path::new(name), text).unwrap();
    let of_rule = examples.iter().filter(|(rule, _)| rule == "github-pat-classic");
    String::from_utf8(of_rule.map(|(_, e)| e.value.clone()).nth(n).unwrap()).unwrap()
}

/// The exit code, and all that was written.
fn scan(made: &Made, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
    command.arg("scan").args(args).current_dir(made.path("")).env_clear().stdin(Stdio::null());
    let out = command.output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn gives(made: &Made, range: &str, code: i32, told: &str) {
    for explain in [&[][..], &["--explain"]] {
        let (found, text) = scan(made, &[&["--range", range], explain].concat());
        assert_eq!(found, code, "{range}: {text}");
        assert!(text.contains(told), "{range}: {told:?} is not in {text}");
        assert!((0..3).all(|n| !text.contains(&key(n)[8..])), "{range}: a key is shown:\n{text}");
    }
}

#[test]
fn what_a_range_brings_fails_and_what_was_there_does_not() {
    let made = Made::new();
    made.put("old.env", format!("A={}\n", key(0))).put("f", "clean\n").commit("base");
    made.put("g", "clean too\n").commit("clean");
    gives(&made, "main~1..main", 0, "");
    made.put("new.env", format!("B={}\n", key(1))).commit("leak");
    gives(&made, "main~1..main", 1, "new.env");
    gives(&made, "main~1...main", 1, "new.env");
    gives(&made, "main~2..main~1", 0, "");
    // What goes again was there all the same; its going alone brings nothing.
    made.git(&["rm", "-q", "new.env"]);
    made.commit("gone");
    gives(&made, "main~2..main", 1, "new.env");
    gives(&made, "main~1..main", 0, "");
    // Moved and edited it is the old value; copied out of an untouched file it is new.
    made.git(&["mv", "old.env", "moved.env"]);
    made.put("moved.env", format!("# edited\nexport A=\"{}\"\n", key(0))).commit("moved");
    gives(&made, "main~1..main", 0, "known (old-side)");
    made.put("copy.env", format!("A={}\n", key(0))).commit("copied");
    gives(&made, "main~1..main", 1, "copy.env");
    gives(&made, "main~1..main", 1, "a copy: it stands in a file that this change leaves alone");
    made.put("coded", hex(&key(1))).commit("in hexadecimal");
    made.put("plain.env", format!("C={}\n", key(1))).commit("the same");
    gives(&made, "main~1..main", 1, "a copy: it stands in a file that this change leaves alone");
    made.put("moved.env", format!("A={}\nB={}\n", key(0), key(2))).commit("one old, one new");
    gives(&made, "main~1..main", 1, "1 new, 1 known (old-side)");
}

#[test]
fn a_key_is_found_wherever_a_range_may_carry_one() {
    let made = Made::new();
    made.put("f", "clean\n").commit("base");
    made.commit(&format!("the key is {}", key(0)));
    gives(&made, "main~1..main", 1, ".git/commit/");
    made.put("g", "clean\n").commit("clean");
    made.git(&["tag", "-a", "-m", &format!("the key is {}", key(1)), "release"]);
    gives(&made, "main~1..main", 0, "");
    gives(&made, "main~1..release", 1, ".git/tag/");
    made.put(&format!("key-{}.txt", key(2)), "clean\n").commit("a name");
    gives(&made, "main~1..main", 1, "");
    std::os::unix::fs::symlink(format!("/{}", key(1)), made.path("link")).unwrap();
    made.commit("a link");
    gives(&made, "main~1..main", 1, "link");
    made.put("binary", [b"\0\x01\x02 ", key(0).as_bytes(), b"\xff"].concat()).commit("binary");
    gives(&made, "main~1..main", 1, "binary");
    // Changes that only a merge has, and those of its second parent.
    made.git(&["checkout", "-q", "-b", "side", "main~1"]);
    made.put("side", format!("{}\n", key(2))).commit("on the side");
    made.git(&["checkout", "-q", "main"]);
    made.git(&["merge", "-q", "--no-commit", "side"]);
    made.put("evil", format!("{}\n", key(1))).commit("merge");
    gives(&made, "main~1..main", 1, "evil");
    gives(&made, "main~1..main", 1, "side");
}

#[test]
fn what_cannot_be_told_is_never_clean() {
    let made = Made::new();
    for n in 0..5 {
        made.put("f", format!("clean {n}\n")).commit("c");
    }
    gives(&made, "main~2..none", 2, "none");
    gives(&made, "main", 2, "A..B");
    let (code, text) = scan(&made, &["--range", "main~1..main", "-"]);
    assert_eq!(code, 2, "{text}");
    let clone = Made::folder();
    clone.git(&["clone", "-q", "--depth", "2", &made.url(), "."]);
    gives(&clone, "HEAD~1..HEAD", 0, "");
    gives(&clone, "HEAD~2..HEAD", 2, "--unshallow");
    let base = made.git(&["rev-parse", "main~3"]);
    clone.git(&["fetch", "-q", "--depth", "1", "origin", &base]);
    gives(&clone, &format!("{base}..HEAD"), 3, "fetch-depth: 0");
    gives(&clone, &format!("{base}...HEAD"), 3, "");
}

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}
