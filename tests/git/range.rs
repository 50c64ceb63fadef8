//! Ranges: what is new, what was there before, and what cannot be told.

use super::dags::{self, Dice};
use super::made::{Kept, Made, id, ids};
use keywheel::model::{Blob, Held, Look, ObjectId, Sink, SkipReason, Skipped, Window};
use keywheel::source::Options;
use keywheel::source::git::range::{self, Range};
use keywheel::source::git::{Commits, GitError};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

fn push(made: &Made, spec: &str) -> Kept {
    push_with(made, spec, &Options { jobs: 3, ..Options::default() })
}

fn push_with(made: &Made, spec: &str, options: &Options) -> Kept {
    let repo = made.open();
    let kept = Kept::default();
    range::push(&repo, &Range::parse(&repo, spec).unwrap(), options, &kept).unwrap();
    kept
}

fn texts(kept: &Kept, held: Held) -> Vec<String> {
    kept.new_of(held).iter().map(|p| p.text()).collect()
}

fn places(kept: &Kept) -> Vec<String> {
    let place = |p: &super::made::Pushed| format!("{}={}", p.provenance.path.text(), p.text().trim_end());
    let mut list: Vec<String> = kept.new_of(Held::Blob).iter().map(place).collect();
    list.sort();
    list
}

/// The objects that differ from those of all parents, by `git diff-tree`.
fn new_by_git(made: &Made, commits: &BTreeSet<ObjectId>) -> BTreeSet<ObjectId> {
    let list: String = commits.iter().map(|c| format!("{c}\n")).collect();
    let args = [
        "diff-tree",
        "--stdin",
        "-r",
        "-c",
        "--root",
        "--no-renames",
        "--raw",
        "--no-abbrev",
        "--no-commit-id",
    ];
    let out = made.git_with(&args, list.as_bytes());
    let object = |line: &str| {
        let sides = line.chars().take_while(|&c| c == ':').count();
        // Modes of all sides, then objects of all sides; the last of each is the commit's own.
        id(line.split_whitespace().nth(2 * sides + 1).unwrap())
    };
    out.lines().map(object).filter(|id| !id.is_null()).collect()
}

/// The texts of all blobs that these commits hold.
fn texts_of(made: &Made, commits: &BTreeSet<ObjectId>) -> BTreeSet<String> {
    let list: String = commits.iter().map(|c| format!("{c}\n")).collect();
    let blobs = ["--filter=object:type=blob", "--filter-provided-objects"];
    let args = [&["rev-list", "--objects", "--no-walk", "--stdin"][..], &blobs].concat();
    let all = made.git_with(&args, list.as_bytes());
    let ids: String = all.lines().filter_map(|l| l.split(' ').next()).map(|id| format!("{id}\n")).collect();
    let out = made.git_with(&["cat-file", "--batch"], ids.as_bytes());
    // Each text of these histories is a line of its own.
    out.lines().filter(|l| l.starts_with("text ")).map(|l| format!("{l}\n")).collect()
}

#[test]
fn random_histories_give_what_git_gives() {
    let (made, list) = dags::make(200, 1);
    let repo = made.open();
    let mut dice = Dice(7);
    let (mut several, mut none, mut renamed) = (0, 0, 0);
    for dag in &list {
        let a = dag[dice.roll(dag.len())];
        let b = if dice.roll(3) == 0 { dag[dice.roll(dag.len())] } else { dag[dag.len() - 1] };
        let expected = ids(&made.git(&["rev-list", &b.to_string(), &format!("^{a}")]));
        let walk = Commits::walk(&repo.objects, &[b], &[a], &repo.shallow);
        let found: BTreeSet<ObjectId> = walk.wanted.iter().map(|n| walk.commits.id(n)).collect();
        assert_eq!(found, expected, "{a}..{b}");
        assert!(walk.skipped.is_empty());

        let out = made.command(&["merge-base", "--all", &a.to_string(), &b.to_string()]).output().unwrap();
        let bases = ids(&String::from_utf8(out.stdout).unwrap());
        let ours = Commits::merge_bases(&repo.objects, &a, &b).unwrap();
        assert_eq!(ours.into_iter().collect::<BTreeSet<_>>(), bases, "{a} {b}");
        several += usize::from(bases.len() > 1);
        none += usize::from(bases.is_empty());

        let kept = Kept::default();
        let range = Range { tips: vec![b], hidden: vec![a] };
        let read = range::push(&repo, &range, &Options { jobs: 2, ..Options::default() }, &kept).unwrap();
        assert_eq!(read.commits as usize, expected.len());
        let new: BTreeSet<ObjectId> = kept.new_of(Held::Blob).iter().map(|p| p.origin().object).collect();
        assert_eq!(new, new_by_git(&made, &expected), "{a}..{b}");
        let messages: BTreeSet<ObjectId> =
            kept.new_of(Held::Commit).iter().map(|p| p.origin().object).collect();
        assert_eq!(messages, expected);
        assert!(kept.skipped.lock().unwrap().is_empty());

        // Nothing may count as old that the hidden side does not hold.
        let before = ids(&made.git(&["rev-list", &a.to_string()]));
        let before = texts_of(&made, &before);
        let names = ["a", "b", "c", "dir", "sub", "other"];
        for old in kept.old().iter().filter(|t| !names.contains(&t.as_str())) {
            assert!(before.contains(old), "{a}..{b}: {old:?}");
            renamed += usize::from(texts(&kept, Held::Blob).contains(old));
        }
    }
    assert!(several > 2 && none > 3 && renamed > 3, "{several} {none} {renamed}: too plain to prove much");
}

#[test]
fn every_commit_stands_after_its_parents() {
    let (made, list) = dags::make(20, 2);
    let repo = made.open();
    for dag in &list {
        let tip = dag[dag.len() - 1];
        let walk = Commits::walk(&repo.objects, &[tip], &[], &repo.shallow);
        let order = walk.commits.order(&walk.wanted);
        assert_eq!(order.len(), ids(&made.git(&["rev-list", &tip.to_string()])).len());
        let ranks = walk.commits.ranks();
        for (i, &n) in order.iter().enumerate() {
            assert!(walk.commits.parents(n).iter().all(|p| order[..i].contains(p)));
            assert_eq!(ranks[n as usize], i as u64);
        }
        assert_eq!(walk.commits.reachable([&tip]), walk.wanted);
    }
}

#[test]
fn one_commit_does_not_read_the_history() {
    let made = Made::folder();
    made.git(&["init", "-q", "-b", "main", "."]);
    let mut stream = String::new();
    for n in 1..=3000 {
        stream +=
            &format!("commit refs/heads/main\nmark :{n}\ncommitter C <c@d.e> {} +0000\n", 1_600_000_000 + n);
        stream += &format!("data 1\nm\nM 100644 inline f{}\ndata 4\n{n:04}\n\n", n % 7);
    }
    // A branch from long ago, merged only now.
    stream += "commit refs/heads/side\nmark :4000\ncommitter C <c@d.e> 1600001000 +0000\ndata 1\ns\n\
               from :100\nM 100644 inline side\ndata 1\ns\n\n\
               commit refs/heads/main\nmark :4001\ncommitter C <c@d.e> 1600009000 +0000\ndata 1\nm\n\
               from :3000\nmerge :4000\nM 100644 inline side\ndata 1\ns\n\n";
    made.git_with(&["fast-import", "--quiet"], stream.as_bytes());
    let repo = made.open();
    let walk = |spec: &str| {
        let range = Range::parse(&repo, spec).unwrap();
        Commits::walk(&repo.objects, &range.tips, &range.hidden, &repo.shallow)
    };
    let last = walk("main~2..main~1");
    assert_eq!((last.wanted.len(), last.commits.len()), (1, 2));
    // The side branch has to be told from what is hidden, down to where it began.
    let merge = walk("main~1..main");
    assert_eq!(merge.wanted.len(), 2);
    assert_eq!(walk("main~500..main").wanted.len(), 501);
    assert_eq!(walk("main..side").wanted.len(), 0);
    assert_eq!(walk("side..main").wanted.len(), 2901);
    let kept = push(&made, "main~1..main");
    assert_eq!(places(&kept), ["side=s"]);
}

#[test]
fn clocks_never_hide_what_is_new() {
    // The hidden side is long and its clocks run backwards, so that all of it looks older than
    // what is new; and what is new branches off at its end.
    let made = Made::folder();
    made.git(&["init", "-q", "-b", "main", "."]);
    let mut stream = String::new();
    for n in 1..=1000 {
        stream += &format!(
            "commit refs/heads/main\nmark :{n}\ncommitter C <c@d.e> {} +0000\n",
            1_500_000_000 - n * 1_000_000
        );
        stream += &format!("data 1\nm\nM 100644 inline f\ndata 4\n{n:04}\n\n");
    }
    stream += "commit refs/heads/new\nmark :2000\ncommitter C <c@d.e> 1900000000 +0000\ndata 1\nn\nfrom :3\n\
               M 100644 inline n\ndata 1\nn\n\n";
    made.git_with(&["fast-import", "--quiet"], stream.as_bytes());
    let repo = made.open();
    let range = Range::parse(&repo, "main..new").unwrap();
    let walk = Commits::walk(&repo.objects, &range.tips, &range.hidden, &repo.shallow);
    let found: BTreeSet<ObjectId> = walk.wanted.iter().map(|n| walk.commits.id(n)).collect();
    assert!(found.is_superset(&ids(&made.git(&["rev-list", "main..new"]))));
    assert!(places(&push(&made, "main..new")).contains(&"n=n".to_owned()));
    let range = Range { tips: vec![id(&made.git(&["rev-parse", "main"]))], hidden: range.tips };
    let walk = Commits::walk(&repo.objects, &range.tips, &range.hidden, &repo.shallow);
    assert!(walk.wanted.len() >= 997);
}

#[test]
fn merges_bring_what_is_their_own() {
    let made = Made::new();
    made.put("f", "base\n").put("g", "base g\n").commit("base");
    made.git(&["checkout", "-q", "-b", "side"]);
    made.put("side", "of the side\n").put("f", "side's f\n").commit("on the side");
    made.git(&["checkout", "-q", "main"]);
    made.put("main", "of main\n").put("f", "main's f\n").commit("on main");
    made.git(&["merge", "-q", "--no-commit", "-s", "ours", "side"]);
    made.git(&["checkout", "side", "--", "side"]);
    made.put("f", "neither\n").put("evil", "of the merge alone\n").commit("merge side");
    // The pull request of `main` against its state before: the merge and the second parent.
    let kept = push(&made, "main~1..main");
    assert_eq!(places(&kept), ["evil=of the merge alone", "f=neither", "f=side's f", "side=of the side"]);
    assert_eq!(kept.old(), ["base\n", "main's f\n"]);
    assert_eq!(texts(&kept, Held::Name), ["evil", "side"]);
    let commits = texts(&kept, Held::Commit);
    assert!(commits.iter().any(|c| c.ends_with("\n\nmerge side\n")) && commits.len() == 2, "{commits:?}");
    for pushed in kept.new_of(Held::Blob) {
        let commit = pushed.origin().commit.as_ref().unwrap();
        let first = made.git(&[
            "log",
            "-m",
            "--format=%H",
            "--find-object",
            &pushed.origin().object.to_string(),
            "main",
            "--",
        ]);
        assert!(first.contains(&commit.id.to_string()), "{first} {commit:?}");
        assert_eq!(commit.author.text(), "A U Thor <author@example.com>");
        assert_eq!(commit.authored, 1_700_000_000);
        assert_eq!(pushed.origin().at_head, pushed.text() != "side's f\n");
    }
    // An octopus, and three dots from either side.
    for n in ["x", "y"] {
        made.git(&["checkout", "-q", "-b", n, "main"]);
        made.put(n, format!("of {n}\n")).commit(n);
    }
    made.git(&["checkout", "-q", "main"]);
    made.put("z", "of z\n").commit("z");
    made.git(&["merge", "-q", "-m", "octopus", "x", "y"]);
    assert_eq!(made.git(&["log", "-1", "--format=%p"]).split(' ').count(), 3);
    assert_eq!(places(&push(&made, "main~1..main")), ["x=of x", "y=of y"]);
    assert_eq!(places(&push(&made, "x...main")), ["y=of y", "z=of z"]);
    assert_eq!(places(&push(&made, "main...x")), [""; 0]);
    assert_eq!(places(&push(&made, "x..")), ["y=of y", "z=of z"]);
}

#[test]
fn what_was_moved_is_old_and_what_comes_and_goes_is_new() {
    let made = Made::new();
    made.put("kept", "untouched\n")
        .put("moved", "to be moved\n")
        .put("edited", "to be edited\n")
        .put("gone", "to go\n");
    made.commit("base");
    made.git(&["mv", "moved", "elsewhere"]);
    made.git(&["rm", "-q", "gone"]);
    made.put("edited", "edited now\n").put("brief", "comes and goes\n").put("copy", "untouched\n");
    made.commit("one");
    made.git(&["rm", "-q", "brief"]);
    made.git(&["mv", "edited", "dir-edited"]);
    made.put("dir-edited", "edited again\n").commit("two");
    // Moved once more, inside of the range: what it was before the range it still is.
    made.git(&["mv", "kept", "kept-not"]);
    made.commit("three");
    let kept = push(&made, "main~3..main");
    let expected = [
        "brief=comes and goes",
        "copy=untouched",
        "dir-edited=edited again",
        "edited=edited now",
        "elsewhere=to be moved",
        "kept-not=untouched",
    ];
    assert_eq!(places(&kept), expected);
    // `untouched` was copied before it was moved, so that by itself it is no old side.
    assert_eq!(kept.old(), ["edited", "gone", "kept", "moved", "to be edited\n", "to be moved\n", "to go\n"]);
    let copies: Vec<_> = kept.new_of(Held::Blob).into_iter().filter(|p| p.text() == "untouched\n").collect();
    let copy = copies.iter().find(|p| p.provenance.path.as_bytes() == b"copy").unwrap();
    assert_eq!(copy.origin().also_at.iter().map(|p| p.text()).collect::<Vec<_>>(), ["kept-not"]);
    assert!(copy.origin().at_head);
    // Alone, the last step is a mere move.
    let kept = push(&made, "main~1..main");
    assert_eq!(
        (places(&kept), kept.old()),
        (vec!["kept-not=untouched".to_owned()], vec!["kept".to_owned(), "untouched\n".to_owned()])
    );
}

#[test]
fn tags_links_and_submodules() {
    let made = Made::new();
    made.put("f", "base\n").commit("base");
    std::os::unix::fs::symlink("the/target", made.path("link")).unwrap();
    made.git(&["add", "-A"]);
    let other = "0123456789012345678901234567890123456789";
    made.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{other},sub")]);
    made.git(&["commit", "-q", "-m", "link and submodule"]);
    made.git(&["tag", "-a", "-m", "inner message", "inner"]);
    made.git(&["tag", "-a", "-m", "outer message", "outer", "inner"]);
    let kept = push(&made, "main~1..outer");
    assert_eq!(places(&kept), ["link=the/target"]);
    let tags = texts(&kept, Held::Tag);
    assert!(tags.len() == 2 && tags.iter().any(|t| t.ends_with("\nouter message\n")), "{tags:?}");
    let skipped = kept.skipped.lock().unwrap();
    assert!(
        matches!(&skipped[..], [s] if s.reason == SkipReason::Submodule && s.provenance.path.as_bytes() == b"sub")
    );
    // Without the tag, without its text.
    assert!(texts(&push(&made, "main~1..main"), Held::Tag).is_empty());

    // A tag may be put on a tree or a blob, which a push carries too.
    let blob = made.git_with(&["hash-object", "-w", "--stdin"], b"blob under a tag\n");
    made.git(&["tag", "-a", "-m", "on a blob", "on-blob", &blob]);
    let tree = made.git(&["rev-parse", "main^{tree}"]);
    made.git(&["tag", "-a", "-m", "on a tree", "on-tree", &tree]);
    let repo = made.open();
    let tip = |name: &str| id(&made.git(&["rev-parse", name]));
    let range = Range { tips: vec![tip("on-blob"), tip("on-tree")], hidden: vec![tip("inner")] };
    let kept = Kept::default();
    range::push(&repo, &range, &Options::default(), &kept).unwrap();
    assert_eq!(texts(&kept, Held::Blob), ["base\n", "blob under a tag\n", "the/target"]);
    assert_eq!(texts(&kept, Held::Tag).len(), 2);
    assert!(Range::parse(&repo, "main..on-blob").is_err());
}

#[test]
fn globs_leave_out_and_say_so() {
    let made = Made::new();
    made.put("f", "base\n").commit("base");
    made.put("docs/a.md", "left out\n").put("docs/b.md", "both\n").put("src/b", "both\n").commit("two");
    let options = Options { exclude: vec!["docs/**".to_owned()], jobs: 1, ..Options::default() };
    let kept = push_with(&made, "main~1..main", &options);
    assert_eq!(places(&kept), ["src/b=both"]);
    let skipped = kept.skipped.lock().unwrap();
    assert!(
        matches!(&skipped[..], [s] if s.reason == SkipReason::Excluded && s.provenance.path.as_bytes() == b"docs/a.md")
    );
    let repo = made.open();
    let bad = Options { exclude: vec!["{".to_owned()], ..Options::default() };
    assert!(range::push(&repo, &Range::default(), &bad, &Kept::default()).is_err());
}

#[test]
fn ranges_that_mean_nothing_are_refused() {
    let made = Made::new();
    made.put("f", "base\n").commit("base");
    made.git(&["checkout", "-q", "--orphan", "alone"]);
    made.git(&["rm", "-q", "-f", "f"]);
    made.put("alone", "alone\n").commit("alone");
    let repo = made.open();
    for spec in ["main", "..", "...", "main..nothing", "nothing..main", "main....alone", ""] {
        let error = Range::parse(&repo, spec).unwrap_err();
        assert!(!error.is_incomplete(), "{spec}: {error}");
    }
    let error = Range::parse(&repo, "main...alone").unwrap_err();
    assert!(matches!(error, GitError::NoCommonAncestor { .. }) && error.to_string().contains("--unshallow"));
    // Two dots say what they mean: all of it is new.
    assert_eq!(places(&push(&made, "main..alone")), ["alone=alone"]);
    assert_eq!(places(&push(&made, "alone..alone")), [""; 0]);
}

#[test]
fn a_cut_history_is_never_clean() {
    let made = Made::new();
    for n in 0..6 {
        made.put("f", format!("{n}\n")).put(&format!("f{n}"), format!("only {n}\n")).commit("c");
    }
    let url = made.url();
    let clone = Made::folder();
    clone.git(&["clone", "-q", "--depth", "2", &url, "."]);
    // The last commit is whole: its parent is there.
    let kept = push(&clone, "HEAD~1..HEAD");
    assert!(kept.skipped.lock().unwrap().is_empty());
    assert_eq!(places(&kept), ["f5=only 5", "f=5"]);
    let base = made.git(&["rev-parse", "main~4"]);
    let repo = clone.open();
    assert!(Range::parse(&repo, &format!("{base}..HEAD")).is_err());
    // A base that was fetched by itself does not tell what lies between.
    clone.git(&["fetch", "-q", "--depth", "1", "origin", &base]);
    let kept = push(&clone, &format!("{base}..HEAD"));
    let skipped = kept.skipped.lock().unwrap();
    assert!(matches!(&skipped[..], [s] if s.reason == SkipReason::Shallow), "{skipped:?}");
    assert!(SkipReason::Shallow.cure().contains("fetch-depth: 0"));
    let repo = clone.open();
    assert!(Range::parse(&repo, &format!("{base}...HEAD")).unwrap_err().is_incomplete());

    // A partial clone lacks old blobs, which hides nothing; a new one that is missing is told.
    made.git(&["config", "uploadpack.allowFilter", "true"]);
    let partial = Made::folder();
    partial.git(&["clone", "-q", "--no-checkout", "--filter=blob:none", &url, "."]);
    let kept = push(&partial, "HEAD~1..HEAD");
    let skipped = kept.skipped.lock().unwrap();
    assert!(skipped.len() == 2 && skipped.iter().all(|s| s.reason == SkipReason::Absent), "{skipped:?}");
}

/// A sink that takes first looks: hot is what says so, and one name is asked for.
#[derive(Default)]
struct Choosy {
    kept: Kept,
    looked: AtomicU64,
    windows: AtomicU64,
}

impl Sink for Choosy {
    fn blob(&self, blob: Blob<'_>) {
        self.kept.blob(blob);
    }

    fn skipped(&self, skipped: Skipped) {
        self.kept.skipped(skipped);
    }

    fn reach(&self) -> Option<usize> {
        Some(64)
    }

    fn look(&self, text: &[u8], windows: &[Window]) -> Look {
        let bytes: usize = windows.iter().map(|w| w.span.len()).sum();
        self.windows.fetch_add(bytes as u64, Ordering::Relaxed);
        let at = String::from_utf8_lossy(text).find("HOT");
        let seen = at.filter(|at| windows.iter().any(|w| w.own.contains(at)));
        Look { hot: seen.map(|at| at..at + 3).into_iter().collect(), far: Vec::new() }
    }

    fn looked(&self, texts: u64, _: u64) {
        self.looked.fetch_add(texts, Ordering::Relaxed);
    }

    fn wants_name(&self, name: &[u8]) -> bool {
        name == b".pgpass"
    }

    fn wants_old(&self) -> bool {
        !self.kept.new_of(Held::Blob).is_empty()
    }
}

#[test]
fn what_a_first_look_passes_over_is_counted_and_not_pushed() {
    let made = Made::new();
    let lines: String =
        (0..20_000).map(|n| format!("line {n} of a long file, {}\n", n * 7919 % 10_007)).collect();
    made.put("long", &lines).put("hot-before", "HOT\n").commit("base");
    for n in 0..10 {
        made.put("long", lines.replacen("line 77 ", &format!("line {n}77 "), 1)).commit("edit");
    }
    let ask = |spec: &str| {
        let (repo, sink) = (made.open(), Choosy::default());
        let range = Range::parse(&repo, spec).unwrap();
        range::push(&repo, &range, &Options { jobs: 1, ..Options::default() }, &sink).unwrap();
        sink
    };
    let sink = ask("main~10..main");
    assert_eq!((places(&sink.kept).len(), sink.looked.into_inner()), (0, 10));
    // Ten versions were searched, and little more than one was looked at; and with nothing found,
    // nothing of the old side.
    let windows = sink.windows.into_inner();
    assert!(windows < 2 * lines.len() as u64, "{windows} of {}", lines.len());
    assert_eq!(sink.kept.old().len(), 0);
    // A rule that goes by the name is tried there, however many other paths there are before it.
    for n in 0..80 {
        made.put(&format!("decoys/{n:02}"), "cold\n");
    }
    made.put("elsewhere/.pgpass", "cold\n").put("hot", "so HOT\n").commit("names");
    let sink = ask("main~1..main");
    assert_eq!(places(&sink.kept), ["elsewhere/.pgpass=cold", "hot=so HOT"]);
    assert_eq!(sink.looked.into_inner(), 0);
    made.git(&["mv", "hot-before", "hot-after"]);
    made.commit("move");
    let sink = ask("main~1..main");
    assert_eq!(sink.kept.old(), ["HOT\n", "hot-before"]);
}
