//! `keywheel scan --history` as a process: whatever a repository holds a key in, it is found, and
//! what is said of it is what git says.

use super::made::Made;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// A made-up token of GitHub's form with its true checksum.
fn key(n: u32) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut state = u64::from(n) + 1;
    let body: String = (0..30)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            DIGITS[(state >> 33) as usize % 62] as char
        })
        .collect();
    let mut left = crc32fast::hash(body.as_bytes());
    let mut tail = [b'0'; 6];
    for slot in tail.iter_mut().rev() {
        *slot = DIGITS[left as usize % 62];
        left /= 62;
    }
    format!("ghp_{body}{}", String::from_utf8(tail.to_vec()).unwrap())
}

fn line(n: u32) -> String {
    format!("token = {}\n", key(n))
}

/// The exit code and, by number of the key, its occurrences as jsonl tells them.
fn scan(made: &Made, args: &[&str]) -> (i32, BTreeMap<u32, Vec<Value>>, String) {
    let (report, words) = (made.path("report.jsonl"), made.path("report.txt"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
    command.arg("scan").arg("--history").args(args).arg("--show-secrets").arg("--format");
    command.arg(format!("jsonl={}", report.display()));
    command.arg("--format").arg(format!("text={}", words.display()));
    let out = command.current_dir(made.path("")).env_clear().stdin(Stdio::null()).output();
    let out = out.unwrap();
    let told = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    let text = told + &std::fs::read_to_string(&words).unwrap_or_default();
    let mut found: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
    for row in std::fs::read_to_string(&report).unwrap_or_default().lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let n = (0..40).find(|n| row["secret"] == key(*n).as_str()).expect("because only ours are planted");
        found.entry(n).or_default().push(row);
    }
    let _ = std::fs::remove_file(report);
    let _ = std::fs::remove_file(words);
    (out.status.code().unwrap(), found, text)
}

/// Every place of a repository that can hold a key, each with one of its own.
fn everywhere() -> (Made, BTreeMap<&'static str, String>) {
    let made = Made::new();
    let mut names = BTreeMap::new();
    made.put(".gitignore", "report.jsonl\n");
    names.insert("first", made.put("a.env", line(0)).put("f", "clean\n").commit("one"));
    names.insert("second", made.put("a.env", format!("# edited\n{}", line(0))).commit("two"));
    made.git(&["rm", "-q", "a.env"]);
    names.insert("removed", made.commit("three"));
    names.insert("message", made.commit(&format!("the key is {}", key(1))));
    made.git(&["tag", "-a", "-m", &format!("signed with {}", key(2)), "v1"]);
    let blob = made.git_with(&["hash-object", "-w", "--stdin"], line(3).as_bytes());
    made.git(&["tag", "blob-tag", &blob]);
    made.put(&format!("{}.txt", key(4)), "clean\n").commit("a name");
    made.git(&["branch", &format!("x/{}", key(5))]);
    made.git(&["checkout", "-q", "-b", "side", "main~1"]);
    made.put("side.env", line(6)).commit("side");
    made.git(&["checkout", "-q", "main"]);
    made.git(&["merge", "-q", "--no-commit", "side"]);
    names.insert("merge", made.put("evil.env", line(7)).commit("merge"));
    made.git(&["notes", "add", "-m", &format!("note {}", key(8)), "HEAD"]);
    made.put("f", line(9));
    made.git(&["stash", "-q"]);
    made.put("gone.env", line(10)).commit("reset away");
    made.git(&["reset", "-q", "--hard", "HEAD~1"]);
    made.git_with(&["hash-object", "-w", "--stdin"], line(11).as_bytes());
    std::os::unix::fs::symlink(format!("/{}", key(12)), made.path("link")).unwrap();
    names.insert("head", made.put("sub/dir/deep.env", line(13)).commit("last"));
    (made, names)
}

#[test]
fn every_place_is_read_and_told_as_git_has_it() {
    let (made, names) = everywhere();
    for packed in [false, true] {
        if packed {
            // What nothing leads to is not packed, and stays as it is.
            made.git(&["repack", "-q", "-a", "-d"]);
            made.git(&["pack-refs", "--all"]);
        }
        let (code, found, text) = scan(&made, &[]);
        assert_eq!(code, 1, "{text}");
        let missing: Vec<u32> = (0..14).filter(|n| !found.contains_key(n)).collect();
        assert!(missing.is_empty(), "packed {packed}: not found: {missing:?}\n{text}");
        let of = |n: u32| &found[&n][0]["history"];
        assert_eq!(of(0)["commit"], names["first"].as_str());
        assert_eq!((&of(0)["versions"], &of(0)["at_head"]), (&Value::from(2), &Value::from(false)));
        assert_eq!(found[&0].len(), 1, "two versions are one place");
        assert_eq!(found[&0][0]["path"], "a.env");
        assert_eq!(of(0)["author"], "A U Thor <author@example.com>");
        assert_eq!(of(0)["authored"], "2023-11-14T22:13:20Z");
        assert_eq!((&of(1)["held"], &of(1)["commit"]), (&"commit".into(), &names["message"].as_str().into()));
        assert_eq!((&of(2)["held"], &of(2)["reachable"]), (&"tag".into(), &true.into()));
        assert_eq!((&of(3)["commit"], &of(3)["reachable"]), (&Value::Null, &true.into()));
        assert!(found[&4].iter().any(|o| o["history"]["held"] == "name"));
        assert_eq!(of(5)["held"], "ref");
        assert_eq!(of(7)["commit"], names["merge"].as_str());
        assert_eq!(of(10)["reachable"], true, "a reflog leads to it");
        assert_eq!((&of(11)["commit"], &of(11)["reachable"]), (&Value::Null, &false.into()));
        assert_eq!((&found[&13][0]["path"], &of(13)["at_head"]), (&"sub/dir/deep.env".into(), &true.into()));
        assert_eq!(of(13)["commit"], names["head"].as_str());
    }
}

#[test]
fn only_what_is_led_to_on_demand() {
    let (made, _) = everywhere();
    let (_, found, _) = scan(&made, &["--reachable-only"]);
    assert!(!found.contains_key(&11) && found.contains_key(&10) && found.contains_key(&3));
    made.git(&["reflog", "expire", "--expire=now", "--all"]);
    made.git(&["update-ref", "-d", "ORIG_HEAD"]);
    let (_, found, _) = scan(&made, &["--reachable-only"]);
    assert!(!found.contains_key(&10) && found.contains_key(&8));
    let (_, found, _) = scan(&made, &[]);
    assert_eq!(found[&10][0]["history"]["reachable"], false);
    assert_eq!(found[&10][0]["path"], "gone.env", "its commit is still there");
}

#[test]
fn what_is_not_there_is_never_clean() {
    let made = Made::new();
    for n in 0..4 {
        made.put("f", format!("clean {n}\n")).commit("c");
    }
    assert_eq!(scan(&made, &[]).0, 0);
    let shallow = Made::folder();
    shallow.git(&["clone", "-q", "--depth", "2", &made.url(), "."]);
    let (code, _, text) = scan(&shallow, &[]);
    assert!(code == 3 && text.contains("git fetch --unshallow"), "{code} {text}");
    let id = made.git(&["rev-parse", "HEAD:f"]);
    let object = made.path(".git/objects").join(&id[..2]).join(&id[2..]);
    std::fs::set_permissions(&object, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(&object, b"damaged").unwrap();
    let (code, _, text) = scan(&made, &[]);
    assert!(code == 3 && text.contains(&id), "{code} {text}");
}
