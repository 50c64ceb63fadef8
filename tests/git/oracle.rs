//! Four readers of one repository, object for object: our walk over packs and loose files, our reading
//! by name (with and without kept bases), libgit2, and `git cat-file`.
//!
//! Each object that a reader gives is held against its name, which is a digest of kind, length and
//! bytes: readers that give the same names give the same objects.
//!
//! Real repositories, any number of them:
//! `KEYWHEEL_REPOSITORIES=/a:/b cargo test --profile quick --test git -- --ignored --nocapture real`

use crate::Lab;
use crate::dags::Dice;
use crate::forge;
use keywheel::model::ObjectId;
use keywheel::source::git::loose;
use keywheel::source::git::pack::{Entry, Graph, Pack, Visited, Visitor, walk};
use keywheel::source::git::parse::Kind;
use keywheel::source::git::{Objects, Reader, Repository, Surroundings};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

/// The objects that a reader gave, by name.
type All = BTreeMap<ObjectId, Kind>;

/// The name of an object has to be that of its bytes.
fn check(id: ObjectId, kind: Kind, bytes: &[u8]) {
    assert_eq!(forge::name(kind.as_str(), bytes), id, "the bytes are another object's");
}

fn take(all: &mut All, id: ObjectId, kind: Kind, bytes: &[u8]) {
    check(id, kind, bytes);
    all.insert(id, kind);
}

struct Gather<'a> {
    objects: &'a Objects,
    all: Mutex<All>,
}

impl Visitor for Gather<'_> {
    fn wants(&self, _: Kind) -> bool {
        true
    }

    fn visit(&self, object: &Visited<'_>) {
        // Outside of the lock: digests take the time.
        check(object.id, object.kind, object.bytes);
        self.all.lock().unwrap().insert(object.id, object.kind);
    }

    fn large(&self, pack: &Pack, entry: &Entry, node: u32, id: ObjectId, kind: Kind) {
        let mut bytes = Vec::new();
        pack.inflate(entry, &mut libdeflater::Decompressor::new(), &mut bytes).unwrap();
        self.visit(&Visited { node, id, kind, bytes: &bytes });
    }

    fn broken(&self, _: &Pack, id: ObjectId, why: &str) {
        panic!("{id}: {why}");
    }

    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        self.objects.read(id).ok().map(|o| (o.kind, o.bytes))
    }

    fn stopped(&self) -> bool {
        false
    }
}

/// By the walk over packs, and over the loose files.
fn by_walk(objects: &Objects) -> All {
    let gather = Gather { objects, all: Mutex::default() };
    for store in objects.stores() {
        for pack in &store.packs {
            let graph = Graph::new(pack);
            assert_eq!(graph.broken(), []);
            walk(pack, &graph, None, 2, &gather);
        }
        for (id, path) in loose::list(&store.path) {
            let object = loose::read(fs::File::open(path).unwrap()).unwrap();
            take(&mut gather.all.lock().unwrap(), id, object.kind, &object.bytes);
        }
    }
    gather.all.into_inner().unwrap()
}

/// By name: `Objects` alone, and a `Reader` that is asked in the order of the packs.
fn by_name(objects: &Objects, ids: impl Iterator<Item = ObjectId>) -> (All, All) {
    let mut list: Vec<_> = ids.map(|id| (objects.packed(&id).map(|(p, at)| (p.path(), at)), id)).collect();
    list.sort();
    let both = Mutex::new((All::new(), All::new()));
    std::thread::scope(|scope| {
        for half in list.chunks(list.len().div_ceil(2).max(1)) {
            let both = &both;
            scope.spawn(move || {
                let (mut plain, mut kept) = (All::new(), All::new());
                let mut reader = Reader::new(objects);
                for (_, id) in half {
                    let object = objects.read(id).unwrap();
                    take(&mut plain, *id, object.kind, &object.bytes);
                    let (kind, bytes) = reader.read(id).unwrap();
                    // Held against each other: a second digest would cost more.
                    assert!(kind == object.kind && *bytes == object.bytes, "{id}");
                    kept.insert(*id, kind);
                }
                let mut both = both.lock().unwrap();
                both.0.append(&mut plain);
                both.1.append(&mut kept);
            });
        }
    });
    both.into_inner().unwrap()
}

fn by_git2(objects: &Objects) -> All {
    let odb = git2::Odb::new().unwrap();
    objects.stores().iter().for_each(|s| odb.add_disk_alternate(s.path.to_str().unwrap()).unwrap());
    let mut ids = Vec::new();
    odb.foreach(|id| {
        ids.push(*id);
        true
    })
    .unwrap();
    let mut all = All::new();
    for id in ids {
        let object = odb.read(id).unwrap();
        let kind = Kind::parse(object.kind().str().as_bytes()).unwrap();
        take(&mut all, ObjectId::from_bytes(id.as_bytes()).unwrap(), kind, object.data());
    }
    all
}

fn by_git(command: &mut Command) -> All {
    command.args(["-c", "safe.directory=*", "cat-file", "--batch-all-objects", "--unordered", "--batch"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
    let (mut all, mut line, mut bytes) = (All::new(), String::new(), Vec::new());
    loop {
        line.clear();
        if out.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, kind, size] = words[..] else { panic!("{line:?}") };
        // A line break follows the bytes.
        bytes.resize(size.parse::<usize>().unwrap() + 1, 0);
        out.read_exact(&mut bytes).unwrap();
        bytes.pop();
        take(
            &mut all,
            ObjectId::parse(id.as_bytes()).unwrap(),
            Kind::parse(kind.as_bytes()).unwrap(),
            &bytes,
        );
    }
    assert!(child.wait().unwrap().success());
    all
}

/// Holds all readers against each other; how many objects there are, by kind.
fn agree(what: &str, path: &Path, mut git: Command) -> BTreeMap<&'static str, usize> {
    let begun = Instant::now();
    let around = Surroundings { storage_root: path.parent().map(Path::to_owned), ..Surroundings::default() };
    let mut repository = Repository::open(path, &around).unwrap();
    repository.objects.repair();
    let objects = &repository.objects;
    assert_eq!(objects.broken(), [], "{what}");
    assert_eq!(repository.skipped, [], "{what}");
    let mut times = Vec::new();
    let mut timed = |name: &str| times.push(format!("{name} {:.1} s", begun.elapsed().as_secs_f64()));
    let walked = by_walk(objects);
    timed("walk");
    let told = by_git(&mut git);
    timed("git");
    same(what, "git", &told, &walked);
    same(what, "git2", &by_git2(objects), &walked);
    timed("git2");
    let (plain, kept) = by_name(objects, walked.keys().copied());
    timed("by name");
    same(what, "reading by name", &plain, &walked);
    same(what, "reading with kept bases", &kept, &walked);
    let mut kinds = BTreeMap::new();
    walked.values().for_each(|k| *kinds.entry(k.as_str()).or_default() += 1);
    println!(
        "{what}: {} objects in {} packs and loose, five readers agree: {kinds:?} (up to {})",
        walked.len(),
        objects.stores().iter().map(|s| s.packs.len()).sum::<usize>(),
        times.join(", ")
    );
    kinds
}

fn same(what: &str, who: &str, told: &All, walked: &All) {
    let lacks = |a: &All, b: &All| a.iter().find(|(id, kind)| b.get(*id) != Some(kind)).map(|(id, _)| *id);
    assert_eq!(lacks(told, walked), None, "{what}: only {who} has it");
    assert_eq!(lacks(walked, told), None, "{what}: {who} lacks it");
}

fn agree_on(lab: &Lab, what: &str, repository: &str) -> usize {
    let path = lab.path(repository);
    agree(what, &path, lab.command(repository, &[])).values().sum()
}

/// The stream of a history with `commits` edits of texts, binaries and folders, from commit `from` on.
fn stream(commits: usize, from: usize) -> Vec<u8> {
    let mut dice = Dice(17);
    let mut lines: Vec<String> = (0..600).map(|n| format!("line {n}: {}", dice.roll(100_000))).collect();
    let mut binary: Vec<u8> = (0..60_000).map(|_| dice.roll(256) as u8).collect();
    let mut out = Vec::new();
    for n in 0..from + commits {
        for _ in 0..3 {
            let at = dice.roll(lines.len());
            match dice.roll(3) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, format!("inserted {n} {}", dice.roll(1000))),
                _ => lines[at] = format!("changed {n} {}", dice.roll(1000)),
            }
        }
        let at = dice.roll(binary.len());
        binary[at] ^= 0x5a;
        if n < from {
            continue;
        }
        let date = 1_700_000_000 + n;
        out.extend(
            format!("commit refs/heads/main\ncommitter C <c@d.e> {date} +0000\ndata 4\nedit\n").bytes(),
        );
        if n == from && from > 0 {
            out.extend(b"from refs/heads/main^0\n");
        }
        let mut file = |path: String, bytes: &[u8]| {
            out.extend(format!("M 100644 inline {path}\ndata {}\n", bytes.len()).bytes());
            out.extend(bytes);
            out.push(b'\n');
        };
        file("text".to_owned(), lines.join("\n").as_bytes());
        file(format!("d{}/deep/er/{}", n % 5, n % 7), format!("{n}\n").as_bytes());
        if n % 8 == 0 {
            file("binary".to_owned(), &binary);
        }
        if n % 40 == 39 {
            out.extend(
                format!("\ntag v{n}\nfrom refs/heads/main\ntagger C <c@d.e> {date} +0000\ndata 3\ntag\n")
                    .bytes(),
            );
        }
    }
    out.extend(b"done\n");
    out
}

/// A repository `called` with such a history in one pack.
fn history(lab: &Lab, called: &str, commits: usize) {
    lab.git(".", &["init", "-q", "-b", "main", "--bare", called]);
    lab.git_with(called, &["fast-import", "--quiet", "--done"], &stream(commits, 0));
}

#[test]
fn packed_with_deep_chains() {
    let lab = Lab::empty();
    history(&lab, "a", 250);
    for (what, offsets) in [("bases by offset", "true"), ("bases by name", "false")] {
        let by = format!("repack.useDeltaBaseOffset={offsets}");
        lab.git("a", &["-c", &by, "repack", "-q", "-a", "-d", "-f", "--depth=4000", "--window=4"]);
        let packs = Objects::open(&[lab.path("a/objects")]).unwrap();
        let graph = Graph::new(&packs.stores()[0].packs[0]);
        let depth = |mut node: u32| {
            let mut depth = 0;
            while let Some(parent) = graph.parent(node) {
                (node, depth) = (parent, depth + 1);
            }
            depth
        };
        let deepest = (0..graph.len() as u32).map(depth).max();
        assert!(deepest > Some(25), "{deepest:?}");
        assert!(agree_on(&lab, what, "a") > 900);
    }
}

#[test]
fn loose_and_twice() {
    let lab = Lab::empty();
    history(&lab, "a", 60);
    lab.git(".", &["init", "-q", "--bare", "loose"]);
    let pack = crate::packs::found_in(&lab, "a/objects/pack", "pack").remove(0);
    lab.git_with("loose", &["unpack-objects", "-q"], &fs::read(pack).unwrap());
    let count = agree_on(&lab, "loose", "loose");
    lab.git("loose", &["update-ref", "refs/heads/main", &lab.git("a", &["rev-parse", "main"])]);
    // Now in a pack as well, and then in two.
    lab.git("loose", &["repack", "-q"]);
    assert_eq!(agree_on(&lab, "loose and packed", "loose"), count);
    lab.git("loose", &["repack", "-q", "-a", "-f", "--window=2"]);
    assert_eq!(agree_on(&lab, "loose and packed twice", "loose"), count);
}

#[test]
fn several_packs_with_and_without_an_index_over_them() {
    let lab = Lab::empty();
    history(&lab, "a", 40);
    for from in [40, 80, 120] {
        lab.git_with(
            "a",
            &["-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--done"],
            &stream(40, from),
        );
    }
    assert!(crate::packs::found_in(&lab, "a/objects/pack", "pack").len() >= 4);
    let count = agree_on(&lab, "several packs", "a");
    lab.git("a", &["multi-pack-index", "write"]);
    assert_eq!(agree_on(&lab, "an index over several packs", "a"), count);
    let indexes = crate::packs::found_in(&lab, "a/objects/pack", "idx");
    for form in ["--index-version=1", "--index-version=2,0x40"] {
        let _ = fs::remove_file(lab.path("a/objects/pack/multi-pack-index"));
        for index in &indexes {
            fs::remove_file(index).unwrap();
            let pack = index.with_extension("pack");
            lab.git("a", &["index-pack", form, "-o", index.to_str().unwrap(), pack.to_str().unwrap()]);
        }
        assert_eq!(agree_on(&lab, form, "a"), count);
    }
}

#[test]
fn alternates_of_alternates() {
    let lab = Lab::empty();
    history(&lab, "store/a", 50);
    lab.git(".", &["clone", "-q", "--bare", "--shared", "store/a", "store/b"]);
    lab.git_with("store/b", &["fast-import", "--quiet", "--done"], &stream(30, 50));
    lab.git(".", &["clone", "-q", "--bare", "--shared", "store/b", "store/c"]);
    lab.git_with("store/c", &["fast-import", "--quiet", "--done"], &stream(30, 80));
    let counts = ["store/a", "store/b", "store/c"].map(|r| agree_on(&lab, r, r));
    assert!(counts[0] < counts[1] && counts[1] < counts[2], "{counts:?}");
}

#[test]
fn thin_packs_with_their_bases_appended() {
    let lab = Lab::empty();
    history(&lab, "a", 120);
    // With bitmaps git would find no bases outside of the pack.
    lab.git("a", &["-c", "repack.writeBitmaps=false", "repack", "-q", "-a", "-d", "-f"]);
    lab.git(".", &["clone", "-q", "--bare", "--no-local", "a", "b"]);
    let old = lab.git("a", &["rev-parse", "main"]);
    lab.git_with(
        "a",
        &["-c", "fastimport.unpackLimit=9999", "fast-import", "--quiet", "--done"],
        &stream(30, 120),
    );
    let thin = lab.path("thin.pack");
    let mut make = lab.command("a", &["pack-objects", "-q", "--thin", "--revs", "--stdout"]);
    let mut child = make.stdin(Stdio::piped()).stdout(fs::File::create(&thin).unwrap()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("main\n^{old}\n").as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    let before = u32::from_be_bytes(fs::read(&thin).unwrap()[8..12].try_into().unwrap());
    lab.git_with("b", &["index-pack", "--stdin", "--fix-thin"], &fs::read(&thin).unwrap());
    let packs = Objects::open(&[lab.path("b/objects")]).unwrap();
    let appended = packs.stores()[0].packs.iter().map(Pack::len).min().unwrap();
    assert!(appended > before, "{appended} {before}");
    agree_on(&lab, "a completed thin pack", "b");
}

/// Blobs of more than 16 MiB, alone and as the base of a delta; a chain of 6,000 deltas; offsets in the
/// table of large ones.
#[test]
fn large_blobs_and_wide_offsets() {
    let lab = Lab::empty();
    lab.git(".", &["init", "-q", "--bare", "a"]);
    let mut pack = forge::Forge::default();
    let big: Vec<u8> = (0..17 << 20).map(|n: u32| (n >> 9) as u8).collect();
    pack.whole(forge::BLOB, &big);
    let other: Vec<u8> = big.iter().map(|b| b ^ 0x55).collect();
    let at = pack.next();
    pack.whole(forge::BLOB, &other);
    let more = [&other[..1 << 20], b"more", &other[9 << 20..10 << 20]].concat();
    let delta = forge::Delta::new(other.len() as u64, more.len() as u64);
    let delta = delta.copy(0, 1 << 20).insert(b"more").copy(9 << 20, 1 << 20).done();
    pack.by_offset(forge::name("blob", &more), at, &delta);
    // A chain deeper than any that git makes.
    let mut text = b"0\n".to_vec();
    let (mut at, mut id) = (pack.next(), pack.whole(forge::BLOB, &text));
    for n in 0..6000u32 {
        let own = format!("{n}\n");
        let next = [&text[text.len().saturating_sub(200)..], own.as_bytes()].concat();
        let kept = (next.len() - own.len()) as u32;
        let delta = forge::Delta::new(text.len() as u64, next.len() as u64);
        let delta = delta.copy(text.len() as u32 - kept, kept).insert(own.as_bytes()).done();
        let made = forge::name("blob", &next);
        at = if n % 3 == 0 { pack.by_name(made, &id, &delta) } else { pack.by_offset(made, at, &delta) };
        (text, id) = (next, made);
    }
    let path = pack.write(&lab.path("a/objects"), "0123456789012345678901234567890123456789");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(agree_on(&lab, "large blobs and a deep chain", "a"), 6004);
    fs::write(path.with_extension("idx"), pack.index(&bytes, true)).unwrap();
    assert_eq!(agree_on(&lab, "wide offsets", "a"), 6004);
}

#[test]
#[ignore = "reads real repositories, which KEYWHEEL_REPOSITORIES names"]
fn real() {
    let named = std::env::var("KEYWHEEL_REPOSITORIES").expect("KEYWHEEL_REPOSITORIES=/a:/b");
    for path in named.split(':').map(Path::new) {
        let mut git = Command::new("git");
        git.current_dir(path).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        git.env("GIT_NO_REPLACE_OBJECTS", "1").stdin(Stdio::null());
        agree(&path.display().to_string(), path, git);
    }
}
