//! Opening repositories of every form, their refs, reflogs and revisions.

use crate::{Lab, in_time};
use keywheel::model::{ObjectId, RawPath, SkipReason};
use keywheel::source::git::{GitError, Reference, Repository, Surroundings};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::Instant;

fn open(lab: &Lab, name: &str) -> Repository {
    Repository::open(&lab.path(name), &Surroundings::default()).unwrap()
}

fn id(hex: &str) -> ObjectId {
    ObjectId::parse(hex.as_bytes()).unwrap()
}

/// `id name` of what has a target.
fn texts(refs: &[Reference]) -> BTreeSet<String> {
    refs.iter().filter_map(|r| Some(format!("{} {}", r.target?, r.name))).collect()
}

/// The objects that refs below `refs/` point at.
fn tips(refs: &[Reference]) -> Vec<ObjectId> {
    let below = refs.iter().filter(|r| r.name.text().contains("refs/"));
    below.filter_map(|r| r.target).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What git lists, with HEAD.
fn of_git(lab: &Lab, name: &str) -> BTreeSet<String> {
    let format = "--format=%(objectname) %(refname)";
    let mut all: BTreeSet<String> =
        lab.git(name, &["for-each-ref", format]).lines().map(str::to_owned).collect();
    all.insert(format!("{} HEAD", lab.git(name, &["rev-parse", "HEAD"])));
    all
}

/// A repository with refs of every kind.
fn busy() -> Lab {
    let lab = Lab::with_commits(&["one", "two", "three"]);
    let g = |args: &[&str]| lab.git("a", args);
    g(&["branch", "feature/deep/er", "HEAD~1"]);
    g(&["tag", "light", "HEAD~2"]);
    g(&["tag", "-a", "-m", "note", "v1", "HEAD~1"]);
    g(&["tag", "-a", "-m", "tag of a tag", "v1-again", "v1"]);
    g(&["tag", "of-a-blob", "HEAD:file"]);
    g(&["tag", "of-a-tree", "HEAD^{tree}"]);
    g(&["notes", "add", "-m", "a note", "HEAD"]);
    g(&["update-ref", "refs/remotes/origin/main", "HEAD~1"]);
    g(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    g(&["symbolic-ref", "refs/remotes/gone/HEAD", "refs/remotes/gone/main"]);
    // Git goes through replacements unless told otherwise; we never do.
    g(&["config", "core.useReplaceRefs", "false"]);
    g(&["replace", "HEAD~1", "HEAD~2"]);
    lab.put("a/file", "changed");
    g(&["stash"]);
    g(&["update-ref", "refs/heads/-x", "HEAD"]);
    g(&["update-ref", "refs/heads/\u{e4}\u{2603}", "HEAD"]);
    lab
}

#[test]
fn refs_are_those_that_git_lists() {
    let lab = busy();
    for packed in [false, true, false] {
        if packed {
            lab.git("a", &["pack-refs", "--all"]);
        }
        let (refs, skipped) = open(&lab, "a").references();
        // ORIG_HEAD and its like are refs beside those that git lists.
        let beside = |r: &Reference| r.name.text().ends_with("_HEAD");
        let listed: Vec<_> = refs.iter().filter(|r| !beside(r)).cloned().collect();
        assert_eq!(texts(&listed), of_git(&lab, "a"), "packed: {packed}");
        assert_eq!(skipped, []);
        assert_eq!(open(&lab, "a").tips(), (tips(&refs), vec![]));
        let gone = refs.iter().find(|r| r.name.text() == "refs/remotes/gone/HEAD").unwrap();
        assert_eq!(
            (gone.target, gone.symbolic.clone()),
            (None, Some(RawPath::new(b"refs/remotes/gone/main")))
        );
        if packed {
            lab.commit("a", "a loose ref over a packed one");
        }
    }
}

#[test]
fn every_form_of_repository_opens() {
    let lab = busy();
    let head = lab.git("a", &["rev-parse", "HEAD"]);
    lab.git(".", &["clone", "-q", "--bare", "a", "bare.git"]);
    lab.git("a", &["worktree", "add", "-q", "../side", "feature/deep/er"]);
    lab.git("a", &["worktree", "add", "-q", "--detach", "../loose", "HEAD~2"]);
    lab.git(".", &["init", "-q", "-b", "main", "super"]);
    lab.git("super", &["submodule", "add", "-q", "../a", "sub"]);
    lab.git("super", &["commit", "-q", "-m", "with a submodule"]);
    lab.git(".", &["clone", "-q", "--separate-git-dir=apart.git", "a", "apart"]);
    lab.put("a/deep/down/x", "");
    for (path, git_dir, tree) in [
        ("a", "a/.git", Some("a")),
        ("a/deep/down", "a/.git", Some("a")),
        ("a/.git", "a/.git", Some("a")),
        ("a/.git/refs", "a/.git", Some("a")),
        ("bare.git", "bare.git", None),
        ("side", "a/.git/worktrees/side", Some("side")),
        ("loose", "a/.git/worktrees/loose", Some("loose")),
        ("super/sub", "super/.git/modules/sub", Some("super/sub")),
        ("apart", "apart.git", Some("apart")),
    ] {
        let repository = open(&lab, path);
        assert_eq!(repository.git_dir, lab.path(git_dir), "{path}");
        assert_eq!(repository.work_tree, tree.map(|t| lab.path(t)), "{path}");
        assert_eq!(repository.head().unwrap(), Some(id(&lab.git(path, &["rev-parse", "HEAD"]))), "{path}");
        assert_eq!(repository.skipped, [], "{path}");
        assert!(!repository.partial && repository.shallow.is_empty());
        assert!(repository.objects.read(&repository.head().unwrap().unwrap()).is_ok(), "{path}");
    }
    // Heads of the other work trees are refs as well.
    let (refs, skipped) = open(&lab, "side").references();
    let texts = texts(&refs);
    assert!(texts.contains(&format!("{head} main-worktree/HEAD")), "{texts:?}");
    let loose = lab.git("loose", &["rev-parse", "HEAD"]);
    assert!(texts.contains(&format!("{loose} worktrees/loose/HEAD")), "{texts:?}");
    assert!(texts.contains(&format!("{} HEAD", lab.git("side", &["rev-parse", "HEAD"]))));
    assert_eq!(skipped, []);
    assert!(matches!(
        Repository::open(&lab.path("."), &Surroundings::default()),
        Err(GitError::NotARepository { .. })
    ));
}

#[test]
fn refs_of_a_work_tree_are_its_own() {
    let lab = busy();
    lab.git("a", &["worktree", "add", "-q", "../side", "feature/deep/er"]);
    lab.git("a", &["update-ref", "refs/bisect/bad", "HEAD"]);
    lab.git("side", &["update-ref", "refs/worktree/own", "HEAD"]);
    lab.put("a/.git/MERGE_HEAD", format!("{0}\n{0}\n", lab.git("a", &["rev-parse", "light"])));
    lab.git(".", &["-C", "a", "fetch", "-q", ".", "main", "feature/deep/er"]);
    for (at, own, other, beside) in [
        ("a", "refs/bisect/bad", "worktrees/side/refs/worktree/own", "MERGE_HEAD"),
        ("side", "refs/worktree/own", "main-worktree/refs/bisect/bad", "main-worktree/MERGE_HEAD"),
    ] {
        let repository = open(&lab, at);
        let (refs, skipped) = repository.references();
        let names: Vec<String> = refs.iter().map(|r| r.name.text()).collect();
        for name in [own, other, beside] {
            assert!(names.iter().any(|n| n == name), "{at}: {name}: {names:?}");
        }
        assert_eq!(names.iter().filter(|n| n.ends_with("FETCH_HEAD")).count(), 2, "{names:?}");
        assert_eq!(skipped, [], "{at}");
        assert_eq!(repository.tips(), (tips(&refs), vec![]), "{at}");
        for name in [own, other] {
            let git = lab.git(at, &["rev-parse", name]);
            assert_eq!(repository.resolve(name).unwrap(), id(&git), "{at}: {name}");
        }
    }
}

#[test]
fn revisions_mean_what_git_says() {
    let lab = busy();
    lab.git("a", &["checkout", "-q", "-b", "topic", "HEAD~1"]);
    lab.put("a/other", "x");
    lab.git("a", &["add", "-A"]);
    lab.git("a", &["commit", "-q", "-m", "beside"]);
    lab.git("a", &["checkout", "-q", "main"]);
    lab.git("a", &["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
    // A name that is a tag, a branch, and a remote's.
    lab.git("a", &["tag", "twice", "HEAD~1"]);
    lab.git("a", &["branch", "twice", "HEAD~2"]);
    lab.git("a", &["update-ref", "refs/remotes/twice/HEAD", "HEAD"]);
    // A branch whose name is an abbreviation of a commit.
    let short = lab.git("a", &["rev-parse", "--short=7", "HEAD~1"]);
    lab.git("a", &["update-ref", &format!("refs/heads/{short}"), "HEAD~2"]);
    let head = lab.git("a", &["rev-parse", "HEAD"]);
    let upper = head.to_uppercase();
    let describe = lab.git("a", &["describe", "--long", "HEAD"]);
    let repository = open(&lab, "a");
    let specs = [
        "HEAD",
        "@",
        "@~1",
        "@^2",
        "HEAD^",
        "HEAD^1",
        "HEAD^2",
        "HEAD^0",
        "HEAD^3",
        "HEAD~0",
        "HEAD~1",
        "HEAD~3",
        "HEAD~99",
        "HEAD^^",
        "HEAD~1^0~1",
        "HEAD^{tree}",
        "HEAD^{commit}",
        "HEAD^{}",
        "HEAD^{object}",
        "HEAD^{blob}",
        "HEAD^{tag}",
        "main",
        "heads/main",
        "refs/heads/main",
        "feature/deep/er",
        "deep/er",
        "light",
        "v1",
        "v1^{}",
        "v1^{tag}",
        "v1~1",
        "v1^0",
        "v1-again",
        "v1-again^{}",
        "v1-again^{tag}",
        "v1-again~1",
        "tags/v1",
        "of-a-blob",
        "of-a-blob^{blob}",
        "of-a-blob^{tree}",
        "of-a-blob~1",
        "of-a-tree",
        "of-a-tree^{tree}",
        "of-a-tree^{commit}",
        "origin",
        "origin/main",
        "origin/HEAD",
        "gone",
        "stash",
        "refs/stash^2",
        "refs/notes/commits",
        "notes/commits",
        "twice",
        "heads/twice",
        "remotes/twice",
        "\u{e4}\u{2603}",
        "heads/-x",
        "none",
        "x y",
        "config",
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904^{tree}",
        "ORIG_HEAD",
        "COMMIT_EDITMSG",
        "abc",
        "0000",
        "refs/heads/../../HEAD",
        "refs/heads",
        "HEAD^{nonsense}",
        "",
        &head,
        &upper,
        &head[..4],
        &head[..12],
        &upper[..9],
        &head[..39],
        &short,
        &describe,
        "nothing-g",
        "v1-9-gffffffff",
    ];
    for spec in specs {
        let git = lab.ask("a", &["rev-parse", "--verify", "-q", "--end-of-options", spec]).map(|t| id(&t));
        assert_eq!(repository.resolve(spec).ok(), git, "{spec}");
        let peeled = format!("{spec}^{{commit}}");
        let git = lab.ask("a", &["rev-parse", "--verify", "-q", "--end-of-options", &peeled]).map(|t| id(&t));
        assert_eq!(repository.resolve_commit(spec).ok(), git, "{spec} as a commit");
    }
    for (spec, told) in [
        ("main@{u}", "upstreams"),
        ("HEAD@{1}", "reflogs"),
        ("@{-1}", "reflogs"),
        ("HEAD:file", "paths"),
        ("HEAD^{/one}", "suffixes"),
        ("HEAD~1..HEAD", "range"),
        ("none", "git fetch"),
        ("HEAD^7", "2 parents"),
        ("of-a-blob~1", "a blob, not a commit"),
        (&"7".repeat(40), "not here"),
        ("\u{1b}[31m", "\\u{1b}"),
    ] {
        let error = repository.resolve_commit(spec).unwrap_err();
        assert!(error.to_string().contains(told), "{spec}: {error}");
        assert!(!error.is_incomplete(), "{spec}");
    }
}

#[test]
fn abbreviations_that_several_objects_share_are_no_guess() {
    let lab = Lab::with_commits(&["one"]);
    let mut stream = String::new();
    for n in 0..700 {
        stream.push_str(&format!(
            "blob\ndata 4\n{n:04}\ncommit refs/heads/c{n}\ncommitter A <a@b> {n} +0000\ndata 4\n{n:04}\n"
        ));
    }
    lab.git_with("a", &["fast-import", "--quiet"], stream.as_bytes());
    let all = lab.git("a", &["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"]);
    let mut sorted: Vec<(&str, &str)> = all.lines().map(|l| l.split_at(40)).collect();
    sorted.sort();
    let repository = open(&lab, "a");
    let (mut blobs, mut mixed) = (0, 0);
    for pair in sorted.windows(2).filter(|p| p[0].0[..4] == p[1].0[..4]) {
        let digits = &pair[0].0[..4];
        let git = lab.ask("a", &["rev-parse", "--verify", "-q", &format!("{digits}^{{commit}}")]);
        let ours = repository.resolve_commit(digits);
        assert_eq!(ours.as_ref().ok().copied(), git.as_deref().map(id), "{digits}");
        match git {
            Some(_) => mixed += 1,
            None => {
                blobs += 1;
                let told = ours.unwrap_err().to_string();
                assert!(told.contains(pair[0].0) && told.contains(pair[1].0), "{told}");
            }
        }
        assert!(repository.resolve(digits).is_err(), "{digits}");
    }
    assert!(blobs > 0 && mixed > 0, "{blobs} {mixed}");
}

#[test]
fn before_the_first_commit_there_is_no_head() {
    let lab = Lab::with_commits(&[]);
    let repository = open(&lab, "a");
    assert_eq!(repository.head().unwrap(), None);
    let (refs, skipped) = repository.references();
    assert_eq!(refs.len(), 1);
    assert_eq!(
        (refs[0].target, refs[0].symbolic.as_ref().unwrap().text()),
        (None, "refs/heads/main".to_owned())
    );
    assert_eq!((skipped, repository.reflogs()), (vec![], (vec![], vec![])));
    assert!(repository.resolve("HEAD").unwrap_err().to_string().contains("nothing is committed"));
}

#[test]
fn alternates_are_followed_on_the_operators_word_only() {
    let lab = Lab::with_commits(&["one", "two"]);
    lab.git(".", &["clone", "-q", "--shared", "a", "shared"]);
    lab.git(".", &["clone", "-q", "--reference", "shared", "--shared", "shared", "third"]);
    let alone = open(&lab, "third");
    assert_eq!(alone.skipped.len(), 1, "{:?}", alone.skipped);
    assert_eq!(alone.skipped[0].reason, SkipReason::Alternate);
    assert!(alone.skipped[0].reason.cure().contains("--storage-root"));
    let head = alone.head().unwrap().unwrap();
    assert!(matches!(alone.objects.read(&head), Err(GitError::Absent { .. })));
    let root = Surroundings { storage_root: Some(lab.path(".")), ..Surroundings::default() };
    let with = Repository::open(&lab.path("third"), &root).unwrap();
    assert_eq!(with.skipped, []);
    assert!(with.objects.read(&head).is_ok());
    let quoted = format!("\"{}\"", lab.path("a/.git/objects").display());
    let named = Surroundings {
        alternates: keywheel::source::git::alternates_from_env(quoted.as_bytes()),
        ..Surroundings::default()
    };
    let with = Repository::open(&lab.path("third"), &named).unwrap();
    assert!(with.objects.read(&head).is_ok());
    assert_eq!(with.skipped.len(), 1);
}

#[test]
fn a_quarantine_goes_before_the_repository() {
    let lab = Lab::with_commits(&["one"]);
    lab.git(".", &["clone", "-q", "--bare", "a", "server.git"]);
    let hook = lab.put(
        "server.git/hooks/pre-receive",
        "#!/bin/sh\nenv | grep ^GIT_ > \"$GIT_DIR/../env\"\ncp -r \"$GIT_QUARANTINE_PATH\" ../kept\n",
    );
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let pushed = id(&lab.commit("a", "two"));
    lab.git("a", &["push", "-q", "../server.git", "HEAD:refs/heads/new"]);
    lab.git("server.git", &["update-ref", "-d", "refs/heads/new"]);
    lab.git("server.git", &["gc", "-q", "--prune=now"]);
    let env = fs::read_to_string(lab.path("env")).unwrap();
    let value = |name: &str| env.lines().find_map(|l| l.strip_prefix(&format!("{name}=")));
    let alternates = value("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap();
    let around = Surroundings {
        git_dir: Some(lab.path("server.git").join(value("GIT_DIR").unwrap())),
        object_directory: Some(lab.path("kept")),
        quarantine: Some(lab.path("kept")),
        alternates: keywheel::source::git::alternates_from_env(alternates.as_bytes()),
        ..Surroundings::default()
    };
    let repository = Repository::open(&lab.path("server.git"), &around).unwrap();
    let stores: Vec<_> = repository.objects.stores().iter().map(|s| s.path.clone()).collect();
    assert_eq!(stores, [lab.path("kept"), lab.path("server.git/objects")]);
    assert!(repository.objects.read(&pushed).is_ok());
    assert_eq!(repository.work_tree, None);
    assert!(open(&lab, "server.git").objects.read(&pushed).is_err());
}

#[test]
fn parts_of_a_repository_say_so() {
    let lab = Lab::with_commits(&["one", "two", "three"]);
    lab.git("a", &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", lab.path("a").display());
    lab.git(".", &["clone", "-q", "--depth", "2", &url, "shallow"]);
    let shallow = open(&lab, "shallow");
    let edge = lab.git("shallow", &["rev-parse", "HEAD~1"]);
    assert_eq!(shallow.shallow, BTreeSet::from([id(&edge)]));
    for spec in ["HEAD~2", "HEAD~1^", &lab.git("a", &["rev-parse", "HEAD~2"])] {
        let error = shallow.resolve(spec).unwrap_err().to_string();
        assert!(error.contains("--unshallow") && error.contains("fetch-depth"), "{error}");
    }
    lab.git(".", &["clone", "-q", "--bare", "--filter=blob:none", &url, "partial"]);
    assert!(open(&lab, "partial").partial);
    // The configuration may lie; the packs still tell.
    lab.put("partial/config", "[core]\n\tbare = true\n");
    assert!(open(&lab, "partial").partial);
    lab.put("a/.git/shallow", format!("{edge}\nodd\n"));
    assert_eq!(open(&lab, "a").skipped.len(), 1);
}

#[test]
fn forms_that_are_not_read_are_never_clean() {
    let lab = Lab::empty();
    lab.git(".", &["init", "-q", "-b", "main", "--object-format=sha256", "sha256"]);
    lab.commit("sha256", "one");
    lab.git("sha256", &["checkout", "-q", "--detach"]);
    let mut forms = vec!["sha256"];
    if lab.ask(".", &["init", "-q", "-b", "main", "--ref-format=reftable", "reftable"]).is_some() {
        lab.commit("reftable", "one");
        forms.push("reftable");
    }
    for form in forms {
        for lie in [false, true] {
            if lie {
                lab.put(format!("{form}/.git/config"), "[core]\n\trepositoryformatversion = 0\n");
            }
            let error = Repository::open(&lab.path(form), &Surroundings::default()).unwrap_err();
            assert!(
                matches!(error, GitError::Unsupported { .. }) && error.is_incomplete(),
                "{form}: {error}"
            );
            assert!(
                error.to_string().contains(if form == "sha256" { "SHA-256" } else { "reftable" }),
                "{error}"
            );
        }
    }
    // On a branch, the refs tell.
    lab.git(".", &["init", "-q", "-b", "main", "--object-format=sha256", "branch"]);
    lab.commit("branch", "one");
    lab.put("branch/.git/config", "");
    let (refs, skipped) = open(&lab, "branch").references();
    assert!(texts(&refs).is_empty() && skipped.iter().any(|s| s.detail.contains("SHA-256")), "{skipped:?}");
}

#[test]
fn nothing_that_would_block_is_waited_for() {
    let lab = busy();
    for name in [
        "config",
        "HEAD",
        "packed-refs",
        "refs/heads/fifo",
        "shallow",
        "logs/HEAD",
        "ORIG_HEAD",
        "refs/replace",
    ] {
        fs::remove_dir_all(lab.path("b")).ok();
        lab.git(".", &["clone", "-q", "--mirror", "a", "b"]);
        fs::remove_dir_all(lab.path("b").join(name)).ok();
        lab.fifo(&format!("b/{name}"));
        let path = lab.path("b");
        let complete = in_time(move || {
            let Ok(repository) = Repository::open(&path, &Surroundings::default()) else { return false };
            let skipped = [repository.references().1, repository.reflogs().1].concat();
            let _ = (repository.head(), repository.resolve("main"), repository.resolve("fifo"));
            skipped.is_empty()
        });
        assert!(!complete, "{name}");
    }
    // What git would include is not even looked at; neither is what it would run or go to.
    lab.fifo("trap");
    let text = format!(
        "[include]\n\tpath = {0}\n[includeIf \"gitdir:/**\"]\n\tpath = {0}\n[core]\n\tworktree = /\n\
         \tfsmonitor = touch {1}\n\trepositoryformatversion = 0\n",
        lab.path("trap").display(),
        lab.path("ran").display()
    );
    lab.put("a/.git/config", text);
    let path = lab.path("a");
    let tree = in_time(move || Repository::open(&path, &Surroundings::default()).unwrap().work_tree);
    assert_eq!(tree, Some(lab.path("a")));
    assert!(!lab.path("ran").exists());
}

#[test]
fn hostile_refs_lead_nowhere_and_are_counted() {
    let lab = Lab::with_commits(&["one"]);
    let head = lab.git("a", &["rev-parse", "HEAD"]);
    let other = lab.git("a", &["rev-parse", "HEAD^{tree}"]);
    lab.put("outside", format!("{head}\n"));
    lab.put("elsewhere/x", format!("{head}\n"));
    let heads = lab.path("a/.git/refs/heads");
    symlink(lab.path("outside"), heads.join("out")).unwrap();
    symlink(lab.path("elsewhere"), heads.join("folder")).unwrap();
    symlink(".", heads.join("ring")).unwrap();
    symlink("refs/heads/main", heads.join("old-style")).unwrap();
    symlink("main", heads.join("within")).unwrap();
    symlink("none", heads.join("dangling")).unwrap();
    let put = |name: &str, text: &str| lab.put(format!("a/.git/refs/heads/{name}"), text);
    put("loop-a", "ref: refs/heads/loop-b\n");
    put("loop-b", "ref: refs/heads/loop-a\n");
    put("climb", "ref: refs/heads/../../../../outside\n");
    put("empty", "");
    put("null", &"0".repeat(40));
    put("odd", "x");
    put("kept.lock", "x");
    put(&format!("{}x", "deep/".repeat(200)), &head);
    let raw = heads.join(std::ffi::OsStr::from_bytes(b"\xff\xfe\n name"));
    fs::write(raw, &head).unwrap();
    lab.put("a/.git/packed-refs", format!("{head} refs/heads/../../x\nodd\n{head} refs/tags/t\n^{head}\n"));
    let repository = open(&lab, "a");
    let (refs, skipped) = repository.references();
    let named: Vec<String> = refs.iter().map(|r| r.name.text()).collect();
    for name in ["main", "old-style", "within", "\\xff\\xfe\\u{a} name", "ring/main"] {
        assert!(named.iter().any(|n| n == &format!("refs/heads/{name}")), "{name}: {named:?}");
    }
    let mut told: Vec<String> = skipped.iter().map(|s| s.provenance.text()).collect();
    told.retain(|t| !t.contains("ring"));
    let mut bad: Vec<String> =
        ["out", "folder", "dangling", "loop-a", "loop-b", "climb", "empty", "null", "odd"]
            .iter()
            .map(|n| format!("refs/heads/{n}"))
            .collect();
    bad.push("packed-refs".to_owned());
    bad.sort();
    assert_eq!(told, bad);
    for spec in ["out", "folder/x", "dangling", "loop-a", "climb", "empty", "odd", "../../outside"] {
        assert!(repository.resolve(spec).is_err(), "{spec}");
    }
    for spec in ["within", "old-style", "t"] {
        assert_eq!(repository.resolve(spec).unwrap(), id(&head), "{spec}");
    }
    // A damaged loose ref hides the packed one of its name, as an intact one does.
    lab.put("a/.git/packed-refs", format!("{other} refs/heads/empty\n{other} refs/heads/main\n"));
    assert_eq!(open(&lab, "a").tips().0, [id(&head)]);
}

#[test]
fn reflogs_keep_what_refs_have_lost() {
    let lab = Lab::with_commits(&["one", "two", "three"]);
    let lost = lab.git("a", &["rev-parse", "HEAD"]);
    lab.git("a", &["reset", "-q", "--hard", "HEAD~2"]);
    lab.git("a", &["worktree", "add", "-q", "-b", "side", "../side"]);
    let in_side = lab.commit("side", "four");
    lab.git("side", &["reset", "-q", "--hard", "HEAD~1"]);
    for at in ["a", "side"] {
        let (ids, skipped) = open(&lab, at).reflogs();
        assert!(ids.contains(&id(&lost)) && ids.contains(&id(&in_side)), "{at}");
        assert!(!ids.contains(&ObjectId::NULL));
        assert_eq!(skipped, [], "{at}");
    }
    let git = lab.git("a", &["rev-list", "--no-walk", "--reflog"]);
    let git: BTreeSet<ObjectId> = git.lines().map(id).collect();
    assert!(git.is_subset(&open(&lab, "a").reflogs().0.into_iter().collect()));
    let path = lab.path("a/.git/logs/HEAD");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("odd\n{text}{lost} 12\n")).unwrap();
    let (ids, skipped) = open(&lab, "a").reflogs();
    assert!(ids.contains(&id(&lost)));
    assert_eq!(skipped.len(), 1);
    assert!(
        skipped[0].detail.starts_with("2 lines") && skipped[0].provenance.text() == "logs/HEAD",
        "{skipped:?}"
    );
}

#[test]
fn nothing_is_written() {
    let lab = busy();
    let before = lab.listing("a");
    let repository = open(&lab, "a");
    let _ =
        (repository.references(), repository.reflogs(), repository.head(), repository.resolve_commit("v1"));
    assert_eq!(before, lab.listing("a"));
}

#[test]
fn many_refs_are_quick() {
    let lab = Lab::with_commits(&["one"]);
    let head = lab.git("a", &["rev-parse", "HEAD"]);
    const MANY: usize = 50_000;
    let mut text = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for n in 0..MANY {
        text.push_str(&format!("{head} refs/heads/p/{n:05}\n"));
    }
    lab.put("a/.git/packed-refs", text);
    let from = Instant::now();
    let repository = open(&lab, "a");
    assert_eq!(repository.head().unwrap(), Some(id(&head)));
    assert_eq!(repository.resolve("p/49999").unwrap(), id(&head));
    println!("open, HEAD and one of {MANY} packed refs: {:?}", from.elapsed());
    let from = Instant::now();
    assert_eq!(repository.references().0.len(), MANY + 2);
    println!("{MANY} packed refs: {:?}", from.elapsed());
    let from = Instant::now();
    assert_eq!(repository.tips().0, [id(&head)]);
    println!("their tips: {:?}", from.elapsed());
    let heads = lab.path("a/.git/refs/heads/l");
    fs::create_dir_all(&heads).unwrap();
    for n in 0..MANY {
        fs::write(heads.join(format!("{n:05}")), format!("{head}\n")).unwrap();
    }
    let from = Instant::now();
    let repository = open(&lab, "a");
    assert_eq!(repository.head().unwrap(), Some(id(&head)));
    assert_eq!(repository.resolve("l/49999").unwrap(), id(&head));
    println!("open, HEAD and one of {MANY} loose refs: {:?}", from.elapsed());
    let from = Instant::now();
    let (refs, skipped) = repository.references();
    println!("{MANY} packed and {MANY} loose refs: {:?}", from.elapsed());
    assert_eq!((refs.len(), skipped.len()), (2 * MANY + 2, 0));
    assert!(from.elapsed().as_secs() < 30);
}
