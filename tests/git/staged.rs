//! What is staged, by the command and through real commits.

use crate::Lab;
use crate::run::{key, line};
use std::fs;

/// A repository with one commit.
fn lab() -> Lab {
    Lab::with_commits(&["one"])
}

#[test]
fn only_what_is_staged_counts() {
    let lab = lab();
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
    lab.put("a/key", line(0));
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
    lab.git("a", &["add", "key"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "key:1:");
    // Taken out of the work tree alone, it is still staged; staged again, it is gone.
    lab.put("a/key", "nothing");
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "key:1:");
    lab.git("a", &["add", "key"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
    // Another folder than the top, another repository than the current folder.
    lab.put("a/sub/key", line(0));
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a/sub", &["scan", "--staged"]).gives(1, "sub/key:1:");
    lab.keywheel(".", &["scan", "--staged", "a"]).gives(1, "sub/key:1:");
    lab.keywheel(".", &["scan", "--staged"]).gives(2, "not a git repository");
    lab.keywheel("a", &["scan", "--staged", "--exclude", "sub"]).gives(0, "excluded");
}

#[test]
fn what_stood_there_before_is_known() {
    let lab = lab();
    lab.put("a/old", line(0) + &"text\n".repeat(50));
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["commit", "-qm", "a leak of old"]);
    lab.put("a/old", format!("{}more\n{}", line(0), "text\n".repeat(50)));
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "known (old-side)");
    lab.keywheel("a", &["scan", "--staged", "--fail-on", "any"]).gives(1, "");
    // A second key in the same file is new.
    lab.put("a/old", line(0) + &line(1));
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "1 new, 1 known");
    // Renamed, with an edit and without; and into a folder of its own.
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.git("a", &["mv", "old", "new"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "known (old-side)");
    lab.put("a/new", format!("{}edited\n", line(0)));
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "known (old-side)");
    fs::create_dir(lab.path("a/dir")).unwrap();
    lab.git("a", &["mv", "new", "dir/new"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "known (old-side)");
    // A copy out of a file that stays as it is, is new.
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.put("a/copy", line(0));
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "copy:1:");
    // Deleting a leak is no leak.
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.git("a", &["rm", "-q", "old"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "No findings");
}

#[test]
fn names_links_and_modules_are_looked_at() {
    let lab = lab();
    lab.put(format!("a/{}/file", key(0)), "x");
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "1 finding");
    lab.git("a", &["commit", "-qm", "a name of old"]);
    lab.put(format!("a/{}/other", key(0)), "x");
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
    lab.git("a", &["reset", "-q", "--hard"]);
    std::os::unix::fs::symlink(format!("/nowhere/{}", key(1)), lab.path("a/link.zip")).unwrap();
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "link.zip:1:");
    lab.git("a", &["reset", "-q", "--hard"]);
    let id = lab.git("a", &["rev-parse", "HEAD"]);
    lab.git("a", &["update-index", "--add", "--cacheinfo", &format!("160000,{id},{}", key(2))]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "submodule 1");
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.git("a", &["update-index", "--add", "--cacheinfo", &format!("160000,{id},module")]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "submodule 1");
}

#[test]
fn announced_entries_are_in_no_commit() {
    let lab = lab();
    lab.put("a/key", line(0));
    lab.git("a", &["add", "-N", "key"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
    lab.git("a", &["add", "key"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "key:1:");
}

#[test]
fn before_the_first_commit_all_is_new() {
    let lab = Lab::empty();
    lab.git(".", &["init", "-q", "a"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
    lab.put("a/key", line(0));
    lab.git("a", &["add", "-N", "key"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
    lab.git("a", &["add", "key"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "key:1:");
}

#[test]
fn every_side_of_an_unmerged_path_is_read_and_a_merge_knows_its_parents() {
    let lab = lab();
    lab.git("a", &["checkout", "-q", "-b", "side"]);
    lab.put("a/theirs", line(0));
    lab.put("a/file", line(1));
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["commit", "-qm", "side"]);
    lab.git("a", &["checkout", "-q", "main"]);
    lab.commit("a", "ours");
    assert_ne!(lab.try_git("a", &["merge", "-q", "side"]).code, 0);
    // What the other branch committed long ago is not new with the merge.
    lab.put("a/file", "solved");
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
    lab.put("a/file", line(2));
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "1 new");
    // A stash that does not apply leaves stages, and no second parent.
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.put("a/file", line(2));
    lab.git("a", &["stash", "-q"]);
    lab.commit("a", "again");
    assert_ne!(lab.try_git("a", &["stash", "pop", "-q"]).code, 0);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "file:1:");
}

#[test]
fn archives_are_opened() {
    let lab = lab();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zip, line(0).as_bytes()).unwrap();
    let zip = zip.finish().unwrap();
    lab.put("a/log.gz", &zip);
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "log.gz!");
    lab.git("a", &["commit", "-qm", "old"]);
    lab.git("a", &["mv", "log.gz", "other.gz"]);
    lab.put("a/other", line(0));
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "known (old-side)");
    // What is cut (before a token is whole) cannot be read: not clean. As an old side it only hides nothing.
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.put("a/cut.gz", &zip[..16]);
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(3, "cut.gz");
    lab.git("a", &["commit", "-qm", "cut"]);
    lab.git("a", &["rm", "-q", "cut.gz"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(0, "");
}

#[test]
fn split_sparse_and_compressed_indexes() {
    let lab = lab();
    lab.put("a/in/x", "x");
    lab.put("a/out/old", line(0));
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["commit", "-qm", "folders"]);
    lab.git("a", &["update-index", "--index-version", "4"]);
    lab.git("a", &["update-index", "--split-index"]);
    lab.put("a/in/key", line(1));
    lab.git("a", &["add", "-A"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "in/key:1:").lacks("old:1:");
    lab.git("a", &["update-index", "--no-split-index"]);
    lab.git("a", &["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "in/key:1:").lacks("old:1:");
    // A folder that is not checked out, and differs from HEAD as a whole.
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.git("a", &["commit", "-q", "--allow-empty", "-m", "next"]);
    lab.git("a", &["sparse-checkout", "disable"]);
    lab.put("a/out/fresh", line(2));
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["commit", "-qm", "fresh"]);
    lab.git("a", &["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    lab.git("a", &["reset", "-q", "--soft", "HEAD~1"]);
    lab.keywheel("a", &["scan", "--staged"]).gives(1, "out/fresh:1:").lacks("old:1:");
}

#[test]
fn a_missing_object_is_told() {
    let lab = lab();
    lab.put("a/file2", "some text of its own");
    lab.git("a", &["add", "-A"]);
    let id = lab.git("a", &["rev-parse", ":file2"]);
    fs::remove_file(lab.path(format!("a/.git/objects/{}/{}", &id[..2], &id[2..]))).unwrap();
    lab.keywheel("a", &["scan", "--staged"]).gives(3, "file2");
    fs::write(lab.path("a/.git/index"), "DIRC").unwrap();
    lab.keywheel("a", &["scan", "--staged"]).gives(3, "shorter than any index");
}

#[test]
fn commits_go_through_the_hook() {
    let lab = lab();
    let hook = "a/.git/hooks/pre-commit";
    lab.keywheel("a", &["hook", "install", "pre-commit"]).gives(0, "pre-commit installed");
    let first = fs::read(lab.path(hook)).unwrap();
    lab.keywheel("a", &["hook", "install", "pre-commit"]).gives(0, "is installed already");
    assert_eq!(fs::read(lab.path(hook)).unwrap(), first);
    let head = || lab.git("a", &["rev-parse", "HEAD"]);
    let before = head();
    lab.put("a/key", line(0));
    lab.git("a", &["add", "key"]);
    lab.try_git("a", &["commit", "-qm", "x"]).gives(1, "not committed");
    lab.git("a", &["rm", "-q", "--cached", "key"]);
    // Partial staging: the first line is staged, the second is not.
    lab.put("a/part", "fine\n");
    lab.git("a", &["add", "part"]);
    lab.put("a/part", format!("fine\n{}", line(0)));
    lab.try_git("a", &["commit", "-qm", "part"]).gives(0, "");
    assert_ne!(head(), before);
    let before = head();
    // `-a` and a path given use an index of their own, which holds what the real one does not.
    lab.try_git("a", &["commit", "-qam", "x"]).gives(1, "part:2:");
    lab.try_git("a", &["commit", "-qm", "x", "part"]).gives(1, "part:2:");
    lab.try_git("a", &["commit", "-qm", "x", "--include", "part"]).gives(1, "part:2:");
    // The key is staged, but not in what is committed by path.
    lab.put("a/key", line(1));
    lab.git("a", &["add", "key"]);
    lab.put("a/file", "new text");
    lab.try_git("a", &["commit", "-qm", "x"]).gives(1, "key:1:");
    assert_eq!(head(), before);
    lab.try_git("a", &["commit", "-qm", "file", "file"]).gives(0, "").lacks("key:1:");
    assert_ne!(head(), before);
    // From a folder below, and in a work tree of its own.
    lab.git("a", &["reset", "-q", "--hard"]);
    lab.put("a/sub/key", line(0));
    lab.git("a", &["add", "-A"]);
    lab.try_git("a/sub", &["commit", "-qm", "x"]).gives(1, "sub/key:1:");
    lab.git("a", &["worktree", "add", "-q", "../other"]);
    lab.put("other/key", line(0));
    lab.git("other", &["add", "-A"]);
    lab.try_git("other", &["commit", "-qm", "x"]).gives(1, "key:1:");
    lab.keywheel("other", &["hook", "install", "pre-commit"]).gives(0, "is installed already");
}

#[test]
fn an_index_named_by_the_environment_is_the_one_read() {
    let lab = lab();
    lab.put("a/key", line(0));
    let with = |args: &[&str], file: &str| {
        let mut command = lab.keywheel_command("a", args);
        crate::run::Said::of(command.env("GIT_INDEX_FILE", file).output().unwrap())
    };
    lab.git("a", &["read-tree", "--index-output=.git/other", "HEAD"]);
    let mut add = lab.command("a", &["add", "key"]);
    assert!(add.env("GIT_INDEX_FILE", ".git/other").status().unwrap().success());
    with(&["scan", "--staged"], ".git/other").gives(1, "key:1:");
    with(&["scan", "--staged"], ".git/index").gives(0, "");
    with(&["scan", "--staged"], ".git/none").gives(3, "none");
    // It speaks of this repository, not of one that is named.
    with(&["scan", "--staged", "../a"], ".git/other").gives(0, "");
}

#[test]
fn foreign_hooks_are_left_alone() {
    let lab = lab();
    let hook = lab.put("a/.git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    let before = fs::read(&hook).unwrap();
    lab.keywheel("a", &["hook", "install", "pre-commit"]).gives(2, "|| exit 1");
    assert_eq!(fs::read(&hook).unwrap(), before);
    lab.keywheel("a", &["hook", "install", "pre-commit", "--force"]).gives(0, "installed");
    assert_eq!(fs::read(hook.with_extension("old")).unwrap(), before);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&hook).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o755);
    // Ours is brought up to date, and only ours is in the way of nothing.
    let text = fs::read_to_string(&hook).unwrap() + "# changed\n";
    fs::write(&hook, text).unwrap();
    lab.keywheel("a", &["hook", "install", "pre-commit"]).gives(0, "pre-commit installed");
    assert!(!fs::read_to_string(&hook).unwrap().contains("changed"));
    fs::remove_file(&hook).unwrap();
    fs::remove_dir_all(lab.path("a/.git/hooks")).unwrap();
    std::os::unix::fs::symlink("/tmp", lab.path("a/.git/hooks")).unwrap();
    lab.keywheel("a", &["hook", "install", "pre-commit"]).gives(2, "symbolic link");
    lab.keywheel(".", &["hook", "install", "pre-commit"]).gives(2, "not a git repository");
}
