//! The reader of the index beside `git ls-files --stage --debug`.

use crate::Lab;
use keywheel::source::git::Index;

/// Every entry as `mode id stage path flags`, by us.
fn ours(lab: &Lab, repository: &str) -> Vec<String> {
    let dir = lab.path(repository).join(".git");
    let index = Index::read(&dir.join("index"), &dir).unwrap();
    let flags = |e: &keywheel::source::git::index::Entry| {
        u32::from(e.stage) << 12
            | u32::from(e.assume_valid) << 15
            | u32::from(e.intent_to_add) << 29
            | u32::from(e.skip_worktree) << 30
    };
    let line = |e| {
        let path = String::from_utf8(index.path(e).to_vec()).unwrap();
        format!("{:06o} {} {} {path} {:x}", e.mode, e.id, e.stage, flags(e))
    };
    index.entries().iter().map(line).collect()
}

/// The same by git.
fn theirs(lab: &Lab, repository: &str) -> Vec<String> {
    let text = lab.git(repository, &["ls-files", "--stage", "--debug", "--sparse", "-z"]);
    // `entry NUL` and five lines about it, the last of which ends with the flags.
    let mut parts = text.split('\0');
    let mut entry = parts.next().unwrap().to_owned();
    let mut found = Vec::new();
    for rest in parts {
        let flags = rest.split("flags: ").nth(1).unwrap().lines().next().unwrap();
        // Stages and the marks for "skip" and "announced"; what git keeps in memory alone is left out.
        let flags = u64::from_str_radix(flags, 16).unwrap() & 0x6000_b000;
        let (head, path) = entry.split_once('\t').unwrap();
        found.push(format!("{head} {path} {flags:x}"));
        entry = rest.split("flags: ").nth(1).unwrap().split_once('\n').map_or("", |l| l.1).to_owned();
    }
    found
}

/// A repository with every kind of entry.
fn repository() -> Lab {
    let lab = Lab::with_commits(&["one"]);
    for name in ["a/b/c", "a/b/d", "a/e", "a.txt", "a-b", "z", "ä/ö"] {
        lab.put(format!("a/{name}"), name);
    }
    lab.put(format!("a/{}", ["deep/"; 40].concat() + "file"), "x");
    std::os::unix::fs::symlink("z", lab.path("a/link")).unwrap();
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["update-index", "--chmod=+x", "z"]);
    lab.git("a", &["update-index", "--assume-unchanged", "a/e"]);
    let id = lab.git("a", &["rev-parse", "HEAD"]);
    lab.git("a", &["update-index", "--add", "--cacheinfo", &format!("160000,{id},module")]);
    lab
}

#[track_caller]
fn same(lab: &Lab, least: usize) {
    let (ours, theirs) = (ours(lab, "a"), theirs(lab, "a"));
    assert!(theirs.len() >= least, "{theirs:#?}");
    assert_eq!(ours, theirs);
}

#[test]
fn every_version_reads_as_git_reads_it() {
    let lab = repository();
    same(&lab, 11);
    lab.git("a", &["update-index", "--index-version", "4"]);
    same(&lab, 11);
    lab.git("a", &["update-index", "--index-version", "2"]);
    lab.put("a/later", "x");
    lab.git("a", &["add", "-N", "later"]);
    lab.git("a", &["update-index", "--skip-worktree", "z"]);
    // Those marks need version 3.
    assert_eq!(std::fs::read(lab.path("a/.git/index")).unwrap()[7], 3);
    same(&lab, 12);
    lab.git("a", &["update-index", "--index-version", "4"]);
    same(&lab, 12);
    lab.git("a", &["-c", "index.skipHash=true", "update-index", "--force-write-index"]);
    assert!(std::fs::read(lab.path("a/.git/index")).unwrap().ends_with(&[0; 20]));
    same(&lab, 12);
    // Blocks for several threads, in which version 4 begins its names anew.
    lab.git("a", &["-c", "index.threads=2", "update-index", "--force-write-index"]);
    same(&lab, 12);
}

#[test]
fn unmerged_paths_have_their_stages() {
    let lab = Lab::with_commits(&["one"]);
    lab.git("a", &["checkout", "-q", "-b", "side"]);
    lab.commit("a", "two");
    lab.git("a", &["checkout", "-q", "main"]);
    lab.commit("a", "three");
    assert_ne!(lab.try_git("a", &["merge", "-q", "side"]).code, 0);
    same(&lab, 3);
}

#[test]
fn split_indexes_are_put_together() {
    let lab = repository();
    lab.git("a", &["commit", "-qm", "all"]);
    lab.git("a", &["update-index", "--split-index"]);
    same(&lab, 11);
    lab.put("a/new", "x");
    lab.put("a/z", "changed");
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["rm", "-q", "--cached", "a.txt"]);
    same(&lab, 10);
    lab.git("a", &["update-index", "--index-version", "4"]);
    for n in 0..200 {
        lab.put(format!("a/many/{n}"), "x");
    }
    lab.git("a", &["-c", "splitIndex.maxPercentChange=100", "add", "-A"]);
    lab.git("a", &["update-index", "--split-index"]);
    for n in (0..200).step_by(3) {
        lab.put(format!("a/many/{n}"), "y");
        let _ = std::fs::remove_file(lab.path(format!("a/many/{}", n + 1)));
    }
    lab.git("a", &["-c", "splitIndex.maxPercentChange=100", "add", "-A"]);
    let own = std::fs::read(lab.path("a/.git/index")).unwrap();
    assert!(own.windows(4).any(|w| w == b"link"), "the index is split");
    same(&lab, 130);
    let shared = std::fs::read_dir(lab.path("a/.git")).unwrap().flatten();
    for file in shared.filter(|f| f.file_name().to_string_lossy().starts_with("sharedindex.")) {
        std::fs::remove_file(file.path()).unwrap();
    }
    lab.keywheel("a", &["scan", "--staged"]).gives(3, "sharedindex.");
}

#[test]
fn sparse_folders_stay_folders() {
    let lab = repository();
    lab.git("a", &["commit", "-qm", "all"]);
    lab.git("a", &["sparse-checkout", "set", "--cone", "--sparse-index", "ä"]);
    let list = ours(&lab, "a");
    assert!(list.iter().any(|l| l.starts_with("040000") && l.contains(" a/ ")), "{list:#?}");
    same(&lab, 8);
}
