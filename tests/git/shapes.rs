//! Every way to bring a key into a repository by a push.

use crate::Lab;
use crate::run::{key, line};
use std::fs;
use std::io::Write;

pub(crate) fn commit(lab: &Lab, message: &str) {
    lab.git("c", &["add", "-A"]);
    lab.git("c", &["commit", "-q", "--allow-empty", "-m", message]);
}

/// A way to bring a key: what it does in `c`, what it pushes, and where the key is seen.
pub(crate) type Shape = (&'static str, fn(&Lab), &'static [&'static str], &'static str);

pub(crate) const SHAPES: &[Shape] = &[
    (
        "an existing branch",
        |l| {
            l.put("c/src/app.py", line(0));
            commit(l, "x");
        },
        &["main"],
        "src/app.py:1 in commit",
    ),
    (
        "a new branch",
        |l| {
            l.git("c", &["checkout", "-q", "-b", "new"]);
            l.put("c/x", line(0));
            commit(l, "x");
        },
        &["new"],
        "x:1 in commit",
    ),
    (
        "a branch from an older commit",
        |l| {
            l.git("c", &["checkout", "-q", "-b", "older", "main~2"]);
            l.put("c/x", line(0));
            commit(l, "x");
        },
        &["older"],
        "x:1 in commit",
    ),
    (
        "taken out again by a later commit",
        |l| {
            l.put("c/x", line(0));
            commit(l, "x");
            fs::remove_file(l.path("c/x")).unwrap();
            commit(l, "y");
        },
        &["main"],
        "x:1 in commit",
    ),
    (
        "a forced push",
        |l| {
            l.git("c", &["reset", "-q", "--hard", "main~1"]);
            l.put("c/x", line(0));
            commit(l, "x");
        },
        &["--force", "main"],
        "x:1 in commit",
    ),
    (
        "a light tag on a commit of no branch",
        |l| {
            l.put("c/x", line(0));
            commit(l, "x");
            l.git("c", &["tag", "t"]);
        },
        &["t"],
        "x:1 in commit",
    ),
    (
        "the message of a tag",
        |l| drop(l.git("c", &["tag", "-a", "-m", &line(0), "t"])),
        &["t"],
        "the message of tag",
    ),
    (
        "a tag on a tag",
        |l| {
            l.git("c", &["tag", "-a", "-m", &line(0), "inner"]);
            l.git("c", &["tag", "-a", "-m", "outer", "t", "inner"]);
        },
        &["t"],
        "the message of tag",
    ),
    (
        "a tag on a blob",
        |l| {
            let id = l.git_with("c", &["hash-object", "-w", "--stdin"], line(0).as_bytes());
            l.git("c", &["tag", "-a", "-m", "x", "t", &id]);
        },
        &["t"],
        "id kw1:",
    ),
    (
        "a light tag on a blob",
        |l| {
            let id = l.git_with("c", &["hash-object", "-w", "--stdin"], line(0).as_bytes());
            l.git("c", &["tag", "t", &id]);
        },
        &["t"],
        "id kw1:",
    ),
    (
        "a tag on a folder",
        |l| {
            l.put("c/sub/x", line(0));
            l.git("c", &["add", "-A"]);
            let id = l.git("c", &["write-tree"]);
            l.git("c", &["tag", "-a", "-m", "x", "t", &id]);
        },
        &["t"],
        "sub/x:1",
    ),
    ("the message of a commit", |l| commit(l, &line(0)), &["main"], "the message of commit"),
    (
        "the author of a commit",
        |l| {
            drop(l.git(
                "c",
                &["commit", "-q", "--allow-empty", "-m", "x", "--author", &format!("{} <a@b.c>", key(0))],
            ))
        },
        &["main"],
        "the message of commit",
    ),
    (
        "a binary file",
        |l| {
            l.put("c/x.bin", [b"\0\x01\x02".to_vec(), line(0).into_bytes()].concat());
            commit(l, "x");
        },
        &["main"],
        "x.bin:1",
    ),
    (
        "a file without differences",
        |l| {
            l.put("c/.gitattributes", "* -diff -text\n");
            l.put("c/x", line(0));
            commit(l, "x");
        },
        &["main"],
        "x:1",
    ),
    (
        "a compressed file",
        |l| {
            let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            zip.write_all(line(0).as_bytes()).unwrap();
            l.put("c/x.gz", zip.finish().unwrap());
            commit(l, "x");
        },
        &["main"],
        "x.gz!",
    ),
    (
        "a merge's own change",
        |l| {
            l.git("c", &["checkout", "-q", "-b", "side"]);
            l.put("c/side", "side");
            commit(l, "side");
            l.git("c", &["checkout", "-q", "main"]);
            l.put("c/main", "main");
            commit(l, "main");
            l.git("c", &["merge", "-q", "--no-commit", "side"]);
            l.put("c/evil", line(0));
            commit(l, "merge");
        },
        &["main"],
        "evil:1 in commit",
    ),
    (
        "a second parent",
        |l| {
            l.git("c", &["checkout", "-q", "-b", "side"]);
            l.put("c/side", line(0));
            commit(l, "side");
            fs::remove_file(l.path("c/side")).unwrap();
            commit(l, "side without it");
            l.git("c", &["checkout", "-q", "main"]);
            l.git("c", &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
        },
        &["main"],
        "side:1 in commit",
    ),
    (
        "a history of its own",
        |l| {
            l.git("c", &["checkout", "-q", "--orphan", "apart"]);
            l.git("c", &["rm", "-qrf", "."]);
            l.put("c/x", line(0));
            commit(l, "x");
        },
        &["apart"],
        "x:1 in commit",
    ),
    (
        "a rename with an edit",
        |l| {
            l.git("c", &["mv", "old", "new"]);
            let text = fs::read_to_string(l.path("c/new")).unwrap();
            l.put("c/new", text + &line(0));
            commit(l, "x");
        },
        &["main"],
        "new:3002 in commit",
    ),
    (
        "the target of a link",
        |l| {
            std::os::unix::fs::symlink(format!("/x/{}", key(0)), l.path("c/link")).unwrap();
            commit(l, "x");
        },
        &["main"],
        "link:1",
    ),
    (
        "the path of a submodule",
        |l| {
            let id = l.git("c", &["rev-parse", "HEAD"]);
            l.git("c", &["update-index", "--add", "--cacheinfo", &format!("160000,{id},{}", key(0))]);
            l.git("c", &["commit", "-qm", "x"]);
        },
        &["main"],
        "the name of [secret]",
    ),
    (
        "the name of a folder",
        |l| {
            l.put(format!("c/dir/{}/x", key(0)), "x");
            commit(l, "x");
        },
        &["main"],
        "the name of dir/[secret]",
    ),
    (
        "the name of a branch",
        |l| drop(l.git("c", &["branch", &format!("x/{}", key(0)), "main"])),
        &["--all"],
        "the name of the ref refs/heads/x/[secret]",
    ),
    (
        "a comment that would allow it",
        |l| {
            l.put("c/x", format!("token = {} # keywheel:allow reason=none\n", key(0)));
            commit(l, "x");
        },
        &["main"],
        "x:1",
    ),
    (
        "a configuration that would allow it",
        |l| {
            l.put("c/keywheel.toml", "[scan]\nexclude = [\"x\"]\nfail-on = \"none\"\n");
            l.put("c/x", line(0));
            commit(l, "x");
        },
        &["main"],
        "x:1",
    ),
    (
        "one of several refs",
        |l| {
            l.git("c", &["branch", "clean"]);
            l.git("c", &["checkout", "-q", "-b", "leak"]);
            l.put("c/x", line(0));
            commit(l, "x");
        },
        &["clean", "leak"],
        "x:1",
    ),
    (
        "notes",
        |l| drop(l.git("c", &["notes", "add", "-m", &line(0), "HEAD"])),
        &["refs/notes/commits"],
        "id kw1:",
    ),
];
