//! Packs whose index is gone or damaged: every object is still read, or its loss is told.

use crate::{Lab, in_time};
use keywheel::model::ObjectId;
use keywheel::source::git::{Objects, Repository, Surroundings};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

type All = BTreeMap<ObjectId, (String, Vec<u8>)>;

/// Every object that git finds, by its own reading.
fn of_git(lab: &Lab, repository: &str) -> All {
    let out = lab.command(repository, &["cat-file", "--batch-all-objects", "--batch"]).output().unwrap();
    let (mut rest, mut all) = (out.stdout.as_slice(), All::new());
    while !rest.is_empty() {
        let end = rest.iter().position(|&b| b == b'\n').unwrap();
        let head = String::from_utf8(rest[..end].to_vec()).unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        let size: usize = words[2].parse().unwrap();
        let bytes = rest[end + 1..end + 1 + size].to_vec();
        all.insert(ObjectId::parse(words[0].as_bytes()).unwrap(), (words[1].to_owned(), bytes));
        rest = &rest[end + 2 + size..];
    }
    all
}

/// Every object that our packs name and that can be read.
fn of_ours(objects: &Objects) -> All {
    let packs = || objects.stores().iter().flat_map(|s| &s.packs);
    let ids: BTreeSet<ObjectId> = packs().flat_map(|p| (0..p.len()).map(|i| p.id(i))).collect();
    let read = |id: ObjectId| objects.read(&id).ok().map(|o| (id, (o.kind.to_string(), o.bytes)));
    ids.into_iter().filter_map(read).collect()
}

fn objects(lab: &Lab) -> Objects {
    Objects::open(&[lab.path("a/.git/objects")]).unwrap()
}

fn found(lab: &Lab, end: &str) -> Vec<PathBuf> {
    found_in(lab, "a/.git/objects/pack", end)
}

/// The files of a folder whose names end so, made writable.
pub(crate) fn found_in(lab: &Lab, folder: &str, end: &str) -> Vec<PathBuf> {
    let list = fs::read_dir(lab.path(folder)).unwrap();
    let mut found: Vec<PathBuf> = list.map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == end));
    found.sort();
    // Git makes them read-only.
    found.iter().for_each(|p| fs::set_permissions(p, fs::Permissions::from_mode(0o644)).unwrap());
    found
}

/// A repository of two packs with chains of deltas.
fn packed(base_by_name: bool) -> Lab {
    let lab = Lab::with_commits(&["one"]);
    let mut lines: Vec<String> =
        (0..400).map(|n| format!("line {n} of a file: {}", n * 7919 % 1000)).collect();
    for n in 0..60 {
        lines[n * 37 % 400] = format!("changed {n} in its turn");
        lab.put("a/big", lines.join("\n"));
        lab.put(format!("a/dir/{}", n % 7), format!("{n}\n"));
        lab.commit("a", &format!("edit {n}"));
        if n == 40 {
            lab.git("a", &["tag", "-a", "-m", "note", "v1"]);
            lab.git("a", &["-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-d"]);
        }
    }
    let offsets = format!("repack.useDeltaBaseOffset={}", !base_by_name);
    lab.git("a", &["-c", &offsets, "repack", "-q", "-d"]);
    lab.git("a", &["prune-packed"]);
    lab
}

#[test]
fn without_an_index_every_object_has_its_name() {
    for base_by_name in [false, true] {
        let lab = packed(base_by_name);
        let all = of_git(&lab, "a");
        assert!(all.len() > 200);
        assert_eq!(of_ours(&objects(&lab)), all);
        let indexes = found(&lab, "idx");
        assert_eq!(indexes.len(), 2);
        indexes.iter().for_each(|i| fs::remove_file(i).unwrap());
        let ours = objects(&lab);
        assert_eq!(of_ours(&ours), all, "bases by name: {base_by_name}");
        assert_eq!(ours.broken(), []);
        let head = Repository::open(&lab.path("a"), &Surroundings::default()).unwrap().resolve("v1~3");
        assert!(head.is_ok(), "{head:?}");
    }
}

#[test]
fn an_index_over_several_packs_stands_in() {
    let lab = packed(false);
    let all = of_git(&lab, "a");
    lab.git("a", &["multi-pack-index", "write"]);
    found(&lab, "idx").iter().for_each(|i| fs::remove_file(i).unwrap());
    assert_eq!(of_ours(&objects(&lab)), all);
    // Where the pack is damaged its names are still known, as they would not be from the pack alone.
    let pack = &found(&lab, "pack")[0];
    let mut bytes = fs::read(pack).unwrap();
    bytes[200] ^= 0x55;
    fs::write(pack, &bytes).unwrap();
    let ours = objects(&lab);
    assert_eq!(ours.broken(), []);
    let named: u32 = ours.stores()[0].packs.iter().map(|p| p.len()).sum();
    assert_eq!(named as usize, all.len());
    // And if it is worthless, the packs speak for themselves.
    bytes[200] ^= 0x55;
    fs::write(pack, &bytes).unwrap();
    let over = lab.path("a/.git/objects/pack/multi-pack-index");
    let good = fs::read(&over).unwrap();
    fs::set_permissions(&over, fs::Permissions::from_mode(0o644)).unwrap();
    for at in (0..good.len()).step_by(good.len() / 60) {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        fs::write(&over, bad).unwrap();
        let ours = objects(&lab);
        assert_eq!(of_ours(&ours), all, "{at}");
        assert_eq!(ours.broken(), [], "{at}");
    }
}

#[test]
fn other_forms_of_index_are_read() {
    for form in ["--index-version=1", "--index-version=2,0x40"] {
        let lab = packed(false);
        let all = of_git(&lab, "a");
        for pack in found(&lab, "pack") {
            let index = pack.with_extension("idx");
            fs::remove_file(&index).unwrap();
            lab.git("a", &["index-pack", form, "-o", index.to_str().unwrap(), pack.to_str().unwrap()]);
        }
        let mut ours = objects(&lab);
        ours.repair();
        assert_eq!(of_ours(&ours), all, "{form}");
        assert_eq!(ours.broken(), []);
    }
}

#[test]
fn a_damaged_index_is_made_anew() {
    let lab = packed(false);
    let all = of_git(&lab, "a");
    let [first, second] = &found(&lab, "idx")[..] else { panic!("two packs") };
    let good = fs::read(first).unwrap();
    let mut kinds = vec![
        ("empty", Vec::new()),
        ("cut", good[..good.len() / 2].to_vec()),
        ("noise", vec![0x5a; good.len()]),
        ("another's", fs::read(second).unwrap()),
    ];
    // In turn: version, first table, names, checksums, places, checksum of the pack.
    for at in (4..good.len() - 20).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 0x81;
        kinds.push(("a byte", bad));
    }
    for (kind, bytes) in kinds {
        fs::write(first, &bytes).unwrap();
        let mut ours = objects(&lab);
        ours.repair();
        let read = of_ours(&ours);
        assert_eq!(read, all, "{kind}");
        assert_eq!(ours.broken(), [], "{kind}");
    }
}

#[test]
fn what_a_damaged_pack_still_holds_is_found() {
    let lab = packed(false);
    let all = of_git(&lab, "a");
    found(&lab, "idx").iter().for_each(|i| fs::remove_file(i).unwrap());
    let pack = found(&lab, "pack").into_iter().max_by_key(|p| fs::metadata(p).unwrap().len()).unwrap();
    let good = fs::read(&pack).unwrap();
    for at in (12..good.len() - 20).step_by(good.len() / 30) {
        let mut bad = good.clone();
        bad[at] ^= 0x11;
        fs::write(&pack, &bad).unwrap();
        let ours = objects(&lab);
        let read = of_ours(&ours);
        assert!(read.iter().all(|(id, object)| all.get(id).is_none_or(|o| o == object)), "{at}");
        let missing = all.keys().filter(|id| !read.contains_key(id)).count();
        assert!(missing < all.len() / 2, "{at}: {missing} of {} lost", all.len());
        if missing > 0 {
            assert!(ours.broken().iter().any(|s| s.detail.contains("made anew")), "{at}");
        }
    }
    fs::write(&pack, &good[..good.len() * 2 / 3]).unwrap();
    let ours = objects(&lab);
    let read = of_ours(&ours);
    assert!(read.len() > all.len() / 4 && read.len() < all.len());
    assert_eq!(ours.broken().len(), 1);
    fs::write(&pack, b"PACK\0\0\0\x02\xff\xff\xff\xff").unwrap();
    assert!(objects(&lab).broken()[0].detail.contains("4294967295"));
}

#[test]
fn an_index_without_its_pack_is_told() {
    let lab = packed(false);
    fs::remove_file(&found(&lab, "pack")[0]).unwrap();
    let ours = objects(&lab);
    assert_eq!(ours.broken().len(), 1);
    assert!(ours.broken()[0].detail.contains("pack is not there"));
}

#[test]
fn nothing_that_would_block_is_waited_for() {
    for end in ["idx", "pack", "rev", "multi-pack-index", "loose"] {
        let lab = packed(false);
        let pack = &found(&lab, "pack")[0];
        let name = match end {
            "multi-pack-index" => pack.with_file_name(end),
            "loose" => lab.path("a/.git/objects/00/00000000000000000000000000000000000000"),
            end => pack.with_extension(end),
        };
        lab.fifo(name.to_str().unwrap());
        let dir = lab.path("a/.git/objects");
        in_time(move || {
            let mut ours = Objects::open(&[dir]).unwrap();
            ours.repair();
            assert!(ours.read(&ObjectId::parse(&[b'0'; 40]).unwrap()).is_err());
            assert_eq!(ours.broken().is_empty(), end != "pack");
        });
    }
}
