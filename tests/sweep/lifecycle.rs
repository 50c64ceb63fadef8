//! What becomes of findings, and what is read again.

use super::{Lab, Random, Swept, holds, key};
use serde_json::Value;
use std::fs;

fn line(n: u64) -> String {
    format!("token = \"{}\"\n", key(n))
}

#[test]
fn what_was_told_is_known_and_only_what_is_new_is_read() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1)), ("b.txt", "nothing\n")]);
    let first = lab.sweep(&[]).gives(1);
    first.has(&[("a.py", "new")]);
    assert_eq!((first.blobs(), first.remembered()), (2, 0));

    let second = lab.sweep(&[]).gives(0);
    second.has(&[("a.py", "known")]);
    assert_eq!((second.blobs(), second.remembered()), (0, 4));
    assert_eq!(first.findings(), second.findings());

    lab.commit("two", &[("c.py", &line(2)), ("d.txt", "nothing else\n")]);
    let third = lab.sweep(&[]).gives(1);
    third.has(&[("a.py", "known"), ("c.py", "new")]);
    assert_eq!((third.blobs(), third.remembered()), (2, 4));

    // The same value in another file is no news, but a place.
    lab.commit("three", &[("e.py", &line(1))]);
    let fourth = lab.sweep(&[]).gives(0);
    fourth.has(&[("a.py", "known"), ("c.py", "known")]);
    let all = lab.keywheel(&["scan", "--history", "a", "--format", "json", "--quiet"]).output().unwrap();
    let all = Swept { code: 0, told: String::new(), json: serde_json::from_slice(&all.stdout).unwrap() };
    assert_eq!(fourth.findings(), all.findings());
    assert_eq!(lab.sweep(&[]).gives(0).findings(), all.findings());
}

#[test]
fn a_new_pack_of_known_objects_is_not_read() {
    let lab = Lab::with_repository();
    for n in 0..30 {
        lab.commit("more", &[("a.py", &format!("{}{}", "line\n".repeat(n), line(n as u64 / 10)))]);
    }
    let first = lab.sweep(&[]).gives(1);
    assert_eq!(first.blobs(), 30);
    lab.git("a", &["gc", "-q"]);
    let packed = lab.sweep(&[]).gives(0);
    assert_eq!(packed.blobs(), 0);
    assert_eq!(first.findings(), packed.findings());
    lab.commit("new", &[("b.py", &line(7))]);
    lab.git("a", &["repack", "-q", "-a", "-d", "-f"]);
    let again = lab.sweep(&[]).gives(1);
    assert_eq!(again.blobs(), 1);
    again.has(&[("a.py", "known"), ("b.py", "new")]);
}

#[test]
fn forced_away_is_fixed_and_what_comes_back_is_reopened() {
    let lab = Lab::with_repository();
    let base = lab.commit("one", &[("a.py", &line(1))]);
    let leak = lab.commit("two", &[("b.py", &line(2))]);
    let first = lab.sweep(&[]).gives(1);
    first.has(&[("a.py", "new"), ("b.py", "new")]);
    let print = first.fingerprint("b.py");

    lab.git("a", &["update-ref", "refs/heads/main", &base]);
    // It can still be fetched by its name, so it is told, and does not count.
    let fixed = lab.sweep(&[]).gives(0);
    fixed.has(&[("a.py", "known"), ("b.py", "known")]);
    assert_eq!(fixed.gone("fixed"), std::slice::from_ref(&print));
    assert_eq!(lab.sweep(&[]).gives(0).gone("fixed"), [""; 0]);

    lab.git("a", &["update-ref", "refs/heads/other", &leak]);
    let reopened = lab.sweep(&[]).gives(1);
    reopened.has(&[("a.py", "known"), ("b.py", "reopened")]);
    lab.sweep(&[]).gives(0).has(&[("a.py", "known"), ("b.py", "known")]);

    lab.git("a", &["update-ref", "-d", "refs/heads/other"]);
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.git("a", &["prune", "--expire=now"]);
    let gone = lab.sweep(&[]).gives(0);
    gone.has(&[("a.py", "known")]);
    assert_eq!(gone.gone("fixed"), [print]);
    // Nobody was told of it while no ref led to it.
    let dangling = lab.commit("three", &[("c.py", &line(3))]);
    lab.git("a", &["reset", "-q", "--hard", &base]);
    lab.sweep(&[]).gives(1).has(&[("a.py", "known"), ("c.py", "new")]);
    lab.git("a", &["update-ref", "refs/heads/late", &dangling]);
    lab.sweep(&[]).gives(0).has(&[("a.py", "known"), ("c.py", "known")]);
}

/// A value that only a rule of the user finds.
fn wheel() -> String {
    let mut random = Random(9);
    let digits: String = (0..18).map(|_| format!("{:x}", random.below(16))).collect();
    format!("wheel-{digits}")
}

#[test]
fn other_rules_read_all_and_fix_nothing() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1)), ("b.txt", &format!("{}\n", wheel()))]);
    let first = lab.sweep(&[]).gives(1);
    lab.put(
        "rules.toml",
        "[provider]\nid = \"wheel\"\nname = \"Wheel\"\n\n[[rule]]\nid = \"wheel-key\"\nname = \"Wheel key\"\n\
         class = \"structured\"\nseverity = \"high\"\nconfidence = \"high\"\nmax_len = 30\nentropy = 1.0\n\
         pattern = '''\\b(?<secret>wheel-[0-9a-f]{18})\\b'''\n",
    );
    let more = lab.sweep(&["--rules", "rules.toml"]).gives(1);
    more.has(&[("a.py", "known"), ("b.txt", "new")]);
    assert_eq!((more.blobs(), more.remembered()), (2, 0));
    assert!(more.told.contains("changed"), "{}", more.told);
    let print = more.fingerprint("b.txt");

    let less = lab.sweep(&[]).gives(0);
    less.has(&[("a.py", "known")]);
    assert_eq!((less.gone("withdrawn"), less.gone("fixed")), (vec![print], vec![]));
    assert_eq!(first.findings(), less.findings());
    // Options that only hide do not read again, and fix nothing.
    let hidden = lab.sweep(&["--exclude", "*.py"]).gives(0);
    hidden.has(&[]);
    assert_eq!((hidden.blobs(), hidden.gone("withdrawn").len(), hidden.gone("fixed").len()), (0, 1, 0));
    let (twice, code) = (lab.sweep(&["--exclude", "*.py"]), 0);
    assert_eq!(twice.gives(code).json["coverage"]["skipped"], hidden.json["coverage"]["skipped"]);
}

#[test]
fn hiding_all_places_that_a_ref_leads_to_fixes_nothing() {
    let lab = Lab::with_repository();
    let base = lab.commit("one", &[("a.py", &line(1))]);
    lab.commit("two", &[("b.txt", &line(1))]);
    lab.git("a", &["update-ref", "refs/heads/main", &base]);
    lab.sweep(&[]).gives(1).has(&[("a.py", "new")]);
    for _ in 0..2 {
        let hidden = lab.sweep(&["--exclude", "*.py"]).gives(0);
        hidden.has(&[("b.txt", "known")]);
        assert_eq!((hidden.gone("fixed"), hidden.gone("withdrawn")), (vec![], vec![]));
    }
    lab.sweep(&[]).gives(0).has(&[("a.py", "known")]);
}

#[test]
fn what_is_accepted_is_no_news_until_that_ends() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1)), ("b.py", &line(2))]);
    let print = lab.sweep(&[]).gives(1).fingerprint("a.py");
    fs::remove_file(lab.path("s")).unwrap();
    lab.put("keywheel.toml", format!("[[allow]]\nfingerprint = \"{print}\"\nreason = \"a sample\"\n"));
    lab.sweep(&[]).gives(1).has(&[("a.py", "suppressed"), ("b.py", "new")]);
    lab.sweep(&[]).gives(0).has(&[("a.py", "suppressed"), ("b.py", "known")]);
    fs::remove_file(lab.path("keywheel.toml")).unwrap();
    lab.sweep(&[]).gives(1).has(&[("a.py", "new"), ("b.py", "known")]);
}

#[test]
fn several_repositories_are_kept_apart() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1)), ("both.py", &line(2))]);
    lab.git(".", &["clone", "-q", "a", "b"]);
    lab.sweep(&[]).gives(1);
    let both = lab.sweep_of(&["a", "b"]).gives(1);
    both.has(&[("a/a.py", "new"), ("a/both.py", "new")]);
    let paths: Vec<_> = both.json["findings"][0]["occurrences"].as_array().unwrap().iter().collect();
    assert_eq!((paths[0]["path"].as_str(), paths[1]["path"].as_str()), (Some("a/a.py"), Some("b/a.py")));
    lab.sweep_of(&["b", "a", "./a"]).gives(0).has(&[("a/a.py", "known"), ("a/both.py", "known")]);

    // Another repository in the place of one: what was there is not fixed.
    fs::remove_dir_all(lab.path("b")).unwrap();
    lab.git(".", &["init", "-q", "-b", "main", "b"]);
    lab.put("b/c.py", line(3));
    lab.git("b", &["add", "-A"]);
    lab.git("b", &["commit", "-q", "-m", "other"]);
    let other = lab.sweep_of(&["b"]).gives(1);
    other.has(&[("c.py", "new")]);
    assert!(other.told.contains("another repository"), "{}", other.told);
    assert_eq!((other.gone("fixed"), other.remembered()), (vec![], 0));
}

#[test]
fn another_repository_in_its_place_is_no_fix_when_its_sweep_is_ended_early_either() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1))]);
    lab.sweep(&[]).gives(1);
    fs::remove_dir_all(lab.path("a")).unwrap();
    lab.repository("a");
    lab.commit("other", &[("c.py", &line(3))]);
    // All is read, and the report cannot be written.
    let full = ["sweep", "a", "--state", "s", "--quiet", "--format", "json=/dev/full"];
    let out = lab.keywheel(&full).output().unwrap();
    assert_ne!(out.status.code(), Some(1), "{}", String::from_utf8_lossy(&out.stderr));
    let after = lab.sweep(&[]).gives(1);
    after.has(&[("c.py", "new")]);
    assert_eq!((after.gone("fixed"), after.blobs(), after.remembered()), (vec![], 1, 0));
}

#[test]
fn what_holds_nothing_and_is_not_read_whole_is_counted_each_time() {
    let lab = Lab::with_repository();
    let sum = "0123456789abcdef".repeat(4);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sum}\nsize 7\n");
    lab.commit("one", &[("big.bin", &pointer), ("a.py", &line(1)), ("b.txt", "nothing\n")]);
    let skipped = |swept: Swept| swept.json["coverage"]["skipped"].clone();
    let first = skipped(lab.sweep(&[]).gives(1));
    assert_eq!(first[0]["reason"], "lfs-pointer", "{first:#}");
    assert_eq!(skipped(lab.sweep(&[]).gives(0)), first);
    lab.commit("two", &[("c.txt", "more\n")]);
    assert_eq!(skipped(lab.sweep(&[]).gives(0)), first);
    // A lower bound tells of what was read under a higher one, and fixes nothing.
    let lower = lab.sweep(&["--max-file-size", "20"]);
    assert_eq!((lower.code, lower.gone("fixed")), (3, vec![]), "{:#}", lower.json);
}

#[test]
fn what_is_told_again_is_what_a_search_tells() {
    let lab = Lab::with_repository();
    let hex = |n| key(n).bytes().map(|b| format!("{b:02x}")).collect::<String>();
    let crowded = format!("a = \"{}\"; b = \"{}\"  # {}\n", key(2), key(3), key(2));
    let allowed = format!("token = \"{}\" # keywheel:allow until=2999-01-01 a sample\n", key(4));
    lab.put("a/both.gz", gzipped(&format!("{}{}", line(5), line(6))));
    lab.commit(
        &format!("message with {}", key(7)),
        &[("plain.py", &line(1)), ("crowded.py", &crowded), ("allowed.py", &allowed), ("hex.txt", &hex(8))],
    );
    for n in 0..3 {
        let text = format!("{}{}", "x\n".repeat(n + 1), line(1));
        // The value of the archive stands beside one that stands elsewhere too, and so on.
        lab.commit("more", &[("plain.py", &text), ("beside.py", &format!("{}{}", line(5), line(9)))]);
    }
    let first = lab.sweep(&[]).gives(1);
    assert_eq!(first.json["findings"].as_array().unwrap().len(), 9, "{:#}", first.json);
    for _ in 0..2 {
        let again = lab.sweep(&[]).gives(0);
        assert_eq!((again.blobs(), again.findings()), (0, first.findings()));
    }
    (1..10).for_each(|n| assert!(!holds(&lab.state(), &key(n)), "key {n} stands in the state"));
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn more_paths_than_are_told_are_counted() {
    let lab = Lab::with_repository();
    (0..70).for_each(|n| lab.put(&format!("a/copies/{n:02}/a.py"), line(1)));
    lab.commit("one", &[]);
    let skipped = |swept: &Swept| swept.json["coverage"]["skipped"].clone();
    let first = lab.sweep(&[]).gives(1);
    let places = first.json["findings"][0]["occurrences"].as_array().unwrap().len();
    assert_eq!((places, skipped(&first)[0]["reason"].as_str()), (64, Some("more-paths")), "{:#}", first.json);
    assert_eq!(skipped(&lab.sweep(&[]).gives(0)), skipped(&first));
    // To exclude what is listed hides nothing of the rest.
    let excluded: Vec<String> = first.json["findings"][0]["occurrences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| format!("--exclude={}", o["path"].as_str().unwrap()))
        .collect();
    let hidden = lab.sweep(&excluded.iter().map(String::as_str).collect::<Vec<_>>()).gives(0);
    assert_eq!(hidden.statuses().len(), 1, "{:#}", hidden.json);
}

#[test]
fn a_repository_that_only_seems_unchanged_is_read_anew() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1)), ("b.txt", &"nothing\n".repeat(99))]);
    lab.git("a", &["gc", "-q"]);
    lab.sweep(&[]).gives(1);
    // The index leads from the key's name to another entry: no name, no length and no ref has changed.
    let list = fs::read_dir(lab.path("a/.git/objects/pack")).unwrap().map(|e| e.unwrap().path());
    let index = list.into_iter().find(|p| p.extension().is_some_and(|e| e == "idx")).unwrap();
    let mut bytes = fs::read(&index).unwrap();
    let objects = u32::from_be_bytes(bytes[8 + 255 * 4..][..4].try_into().unwrap()) as usize;
    let names: Vec<String> = lab
        .git("a", &["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"])
        .lines()
        .map(str::to_owned)
        .collect();
    let at = |path: &str| {
        let id = lab.git("a", &["rev-parse", path]);
        8 + 256 * 4 + objects * 24 + 4 * names.iter().position(|n| *n == id).unwrap()
    };
    let (key, other) = (at("HEAD:a.py"), at("HEAD:b.txt"));
    let swapped = [bytes[other..][..4].to_vec(), bytes[key..][..4].to_vec()];
    bytes[key..][..4].copy_from_slice(&swapped[0]);
    bytes[other..][..4].copy_from_slice(&swapped[1]);
    fs::remove_file(&index).unwrap();
    fs::write(&index, bytes).unwrap();
    let second = lab.sweep(&[]).gives(0);
    second.has(&[("a.py", "known")]);
    assert_eq!(second.gone("fixed"), [""; 0]);
}

#[test]
fn names_messages_tags_and_refs_are_swept_and_never_kept() {
    let lab = Lab::with_repository();
    let name = format!("dir/{}.txt", key(11));
    lab.commit(&format!("message with {}", key(12)), &[("x.py", &line(13)), (&name, "nothing\n")]);
    lab.commit("more", &[(&name, "nothing again\n"), (&format!("dir/{}/y.py", key(17)), &line(18))]);
    lab.git("a", &["tag", "-a", "v1", "-m", &format!("tag with {}", key(14))]);
    lab.git("a", &["branch", &key(15)]);
    let author = format!("{} <author@example.com>", key(16));
    lab.git("a", &["commit", "-q", "--allow-empty", "--author", &author, "-m", "by somebody"]);
    let first = lab.sweep(&[]).gives(1);
    assert_eq!(first.json["findings"].as_array().unwrap().len(), 8, "{:#}", first.json);
    let places = |swept: &Swept| -> Vec<Value> { swept.findings() };
    let second = lab.sweep(&[]).gives(0);
    assert_eq!(places(&first), places(&second));
    lab.git("a", &["gc", "-q"]);
    let third = lab.sweep(&[]).gives(0);
    assert_eq!(places(&first), places(&third));
    assert_eq!((second.blobs(), third.blobs()), (0, 0));
    let state = lab.state();
    assert!(holds(&state, &first.fingerprint("x.py")));
    for n in 11..=18 {
        assert!(!holds(&state, &key(n)), "key {n} stands in the state");
    }
}

#[test]
fn a_name_is_not_lost_with_the_trees_that_told_it() {
    let lab = Lab::with_repository();
    let name = format!("dir/{}.txt", key(11));
    for n in 0..100 {
        lab.commit("more", &[(&name, "nothing\n"), ("dir/x.txt", &format!("{n}\n"))]);
    }
    lab.sweep(&[]).gives(1);
    let last = lab.git("a", &["commit-tree", "-m", "squashed", "HEAD^{tree}"]);
    lab.git("a", &["reset", "-q", "--hard", &last]);
    lab.git("a", &["prune", "--expire=now"]);
    let after = lab.sweep(&[]).gives(0);
    assert_eq!((after.statuses().len(), after.gone("fixed")), (1, vec![]), "{:#}", after.json);
}

#[test]
fn what_an_incomplete_sweep_told_is_known_and_never_lost() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1)), ("b.py", &line(2))]);
    let id = lab.git("a", &["rev-parse", "HEAD:b.py"]);
    let object = lab.path(&format!("a/.git/objects/{}/{}", &id[..2], &id[2..]));
    let whole = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    lab.put(&format!("a/.git/objects/{}/{}", &id[..2], &id[2..]), &whole[..whole.len() / 2]);
    lab.sweep(&[]).gives(1).has(&[("a.py", "new")]);
    // The same gap the next night is no news; a new key beside it is.
    lab.sweep(&[]).gives(3).has(&[("a.py", "known")]);
    lab.commit("two", &[("c.py", &line(3))]);
    lab.sweep(&[]).gives(1).has(&[("a.py", "known"), ("c.py", "new")]);
    // What the gap held is new once it can be read; nothing of what was told is told again.
    fs::write(&object, whole).unwrap();
    lab.sweep(&[]).gives(1).has(&[("a.py", "known"), ("b.py", "new"), ("c.py", "known")]);
    lab.sweep(&[]).gives(0).has(&[("a.py", "known"), ("b.py", "known"), ("c.py", "known")]);
}

#[test]
fn rules_that_changed_in_an_incomplete_sweep_fix_nothing_in_the_next() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1)), ("b.txt", &line(2)), ("c.txt", "nothing\n")]);
    let print = lab.sweep(&[]).gives(1).fingerprint("a.py");
    let id = lab.git("a", &["rev-parse", "HEAD:c.txt"]);
    let object = lab.path(&format!("a/.git/objects/{}/{}", &id[..2], &id[2..]));
    let whole = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    fs::write(&object, &whole[..whole.len() / 2]).unwrap();
    lab.commit("two", &[("c.txt", "other\n")]);
    fs::remove_file(lab.path("s")).unwrap();
    let first = lab.sweep(&[]).gives(1);
    first.has(&[("a.py", "new"), ("b.txt", "new")]);
    let hidden = lab.sweep(&["--exclude", "*.py"]).gives(3);
    assert_eq!((hidden.gone("fixed"), hidden.gone("withdrawn")), (vec![], vec![]));
    fs::write(&object, whole).unwrap();
    let complete = lab.sweep(&["--exclude", "*.py"]).gives(0);
    complete.has(&[("b.txt", "known")]);
    assert_eq!((complete.gone("fixed"), complete.gone("withdrawn")), (vec![], vec![print]));
    let after = lab.sweep(&["--exclude", "*.py"]).gives(0);
    assert_eq!((after.gone("fixed"), after.gone("withdrawn")), (vec![], vec![]));
}

#[test]
fn what_cannot_be_read_is_told_each_time_and_fixes_nothing() {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &line(1)), ("b.py", &line(2)), ("c.txt", "nothing\n")]);
    lab.sweep(&[]).gives(1);
    let id = lab.git("a", &["rev-parse", "HEAD:b.py"]);
    let object = lab.path(&format!("a/.git/objects/{}/{}", &id[..2], &id[2..]));
    let whole = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    fs::write(&object, &whole[..whole.len() / 2]).unwrap();
    // It was read when it was whole; what it held is neither told nor fixed while it cannot be read.
    lab.commit("two", &[("d.txt", "more\n")]);
    for _ in 0..2 {
        let broken = lab.sweep(&[]).gives(3);
        broken.has(&[("a.py", "known")]);
        assert_eq!(broken.gone("fixed"), [""; 0]);
        assert_eq!(broken.json["coverage"]["skipped"][0]["reason"], "broken");
    }
    fs::write(&object, whole).unwrap();
    lab.sweep(&[]).gives(0).has(&[("a.py", "known"), ("b.py", "known")]);
}
