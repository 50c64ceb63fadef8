//! Damage at seeded places of a pack and its index: nothing panics or hangs, every object that the
//! damage does not touch is still visited, and every one that is lost is counted.

use crate::dags::Dice;
use crate::forge::{self, BLOB, COMMIT, Delta, Forge, TREE};
use crate::{Lab, in_time};
use keywheel::model::{Blob, ObjectId, Sink, SkipReason, Skipped};
use keywheel::source::Options;
use keywheel::source::git::{Repository, Surroundings, history};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

/// Places that are damaged, in sum.
const PLACES: usize = 2000;
/// Of so many, each its own repository on one thread.
const BATCH: usize = 250;

/// An object of the pack: its text, where its entry stands, and what it is a delta against.
struct Part {
    id: ObjectId,
    text: Vec<u8>,
    bytes: Range<usize>,
    base: Option<ObjectId>,
}

/// A bare repository with one pack of known layout.
struct Site {
    lab: Lab,
    pack: PathBuf,
    good: Vec<u8>,
    index: Vec<u8>,
    parts: Vec<Part>,
}

/// Blobs in chains of deltas by offset and by name, a tree over them, and a commit.
fn site() -> Site {
    let lab = Lab::empty();
    lab.git(".", &["init", "-q", "-b", "main", "--bare", "a"]);
    let mut dice = Dice(5);
    let mut pack = Forge::default();
    let mut parts: Vec<Part> = Vec::new();
    let mut rows = Vec::new();
    for family in 0..8 {
        let mut text: Vec<u8> = format!("family {family}\n").into_bytes();
        (0..40).for_each(|_| text.extend(format!("word{} ", dice.roll(100_000)).bytes()));
        let mut at = pack.next();
        let mut id = pack.whole(BLOB, &text);
        let mut base = None;
        for n in 0..6 {
            rows.push((format!("f{family}-{n}"), id));
            parts.push(Part { id, text: text.clone(), bytes: at as usize..pack.next() as usize, base });
            let own = format!("step {n} {}\n", dice.roll(1000));
            let keep = text.len() as u32 - dice.roll(20) as u32;
            let next = [&text[..keep as usize], own.as_bytes()].concat();
            let delta =
                Delta::new(text.len() as u64, next.len() as u64).copy(0, keep).insert(own.as_bytes()).done();
            let made = forge::name("blob", &next);
            base = Some(id);
            at = if n % 2 == 0 { pack.by_offset(made, at, &delta) } else { pack.by_name(made, &id, &delta) };
            (id, text) = (made, next);
        }
        // The last one was not listed yet.
        rows.push((format!("f{family}-6"), id));
        parts.push(Part { id, text, bytes: at as usize..pack.next() as usize, base });
    }
    rows.sort();
    let tree: Vec<u8> = rows.iter().flat_map(|(n, id)| forge::row("100644", n.as_bytes(), id)).collect();
    let tree = pack.whole(TREE, &tree);
    let tip = pack.whole(COMMIT, &forge::commit(&tree, &[], 1_700_000_000, "all"));
    lab.put("a/refs/heads/main", format!("{tip}\n"));
    let path = pack.write(&lab.path("a/objects"), &"7".repeat(40));
    let (good, index) = (fs::read(&path).unwrap(), fs::read(path.with_extension("idx")).unwrap());
    // Git finds nothing wrong before the damage.
    lab.git("a", &["fsck", "--strict"]);
    Site { lab, pack: path, good, index, parts }
}

/// Wants everything, and keeps the texts that are pushed.
#[derive(Default)]
struct All {
    texts: Mutex<BTreeSet<Vec<u8>>>,
    skipped: Mutex<Vec<Skipped>>,
}

impl Sink for All {
    fn blob(&self, blob: Blob<'_>) {
        self.texts.lock().unwrap().insert(blob.bytes.to_vec());
    }

    fn skipped(&self, skipped: Skipped) {
        self.skipped.lock().unwrap().push(skipped);
    }
}

/// What a damaged repository gives: the texts, and whether a loss was counted.
fn read(site: &Site) -> (BTreeSet<Vec<u8>>, bool) {
    let path = site.lab.path("a");
    in_time(move || {
        let all = All::default();
        let mut repository = Repository::open(&path, &Surroundings::default()).unwrap();
        history::push(&mut repository, false, &Options { jobs: 1, ..Options::default() }, &all).unwrap();
        let skipped = all.skipped.into_inner().unwrap();
        let told = skipped.iter().any(|s| matches!(s.reason, SkipReason::Broken | SkipReason::Unreadable));
        (all.texts.into_inner().unwrap(), told)
    })
}

impl Site {
    /// The parts that damage at such a place cannot have touched.
    fn sound(&self, hurt: &Range<usize>) -> Vec<&Part> {
        let by_id: BTreeMap<ObjectId, &Part> = self.parts.iter().map(|p| (p.id, p)).collect();
        let whole = |p: &&Part| {
            let mut at = Some(*p);
            while let Some(part) = at {
                if part.bytes.start < hurt.end && hurt.start < part.bytes.end {
                    return false;
                }
                at = part.base.and_then(|id| by_id.get(&id).copied());
            }
            true
        };
        self.parts.iter().filter(whole).collect()
    }

    /// Damages the pack or the index at a seeded place and reads; `hurt` is the damage to the pack.
    fn round(&self, dice: &mut Dice, what: &str) {
        let (mut pack, mut index) = (self.good.clone(), self.index.clone());
        let in_pack = dice.roll(2) == 0;
        let file = if in_pack { &mut pack } else { &mut index };
        let at = dice.roll(file.len());
        let (kind, end) = match dice.roll(8) {
            0 => {
                let end = file.len();
                file.truncate(at);
                ("cut", end)
            }
            1 => {
                let end = (at + 1 + dice.roll(60)).min(file.len());
                file[at..end].fill(0);
                ("zeroed", end)
            }
            2 => {
                let end = (at + 1 + dice.roll(60)).min(file.len());
                file[at..end].iter_mut().for_each(|b| *b = dice.roll(256) as u8);
                ("noise", end)
            }
            _ => {
                file[at] ^= 1 << dice.roll(8);
                ("flip", at + 1)
            }
        };
        let what = format!("{what}: {kind} in the {} at {at}", if in_pack { "pack" } else { "index" });
        let hurt = if in_pack { at..end } else { 0..0 };
        let same = pack == self.good && index == self.index;
        fs::write(&self.pack, &pack).unwrap();
        fs::write(self.pack.with_extension("idx"), &index).unwrap();
        let (texts, told) = read(self);
        for part in self.sound(&hurt) {
            assert!(texts.contains(&part.text), "{what}: {} is not damaged and was not visited", part.id);
        }
        let lost = self.parts.iter().filter(|p| !texts.contains(&p.text)).count();
        assert!(told || lost == 0, "{what}: {lost} are lost and nothing is told");
        assert!(!same || !told, "{what}: nothing is damaged, and yet something is told");
    }
}

#[test]
fn damage_loses_what_it_hits_and_nothing_else() {
    let threads: Vec<_> = (0..PLACES / BATCH)
        .map(|batch| {
            std::thread::spawn(move || {
                let site = site();
                assert!(read(&site).0.len() >= site.parts.len());
                let mut dice = Dice(1000 + batch as u64);
                (0..BATCH).for_each(|n| site.round(&mut dice, &format!("{batch}.{n}")));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// A loose copy, or one in another pack, stands in for a damaged one.
#[test]
fn another_copy_stands_in() {
    for packed in [false, true] {
        let site = site();
        let part = &site.parts[3];
        if packed {
            let mut other = Forge::default();
            other.whole(BLOB, &part.text);
            other.write(&site.lab.path("a/objects"), &"8".repeat(40));
        } else {
            let head = format!("blob {}\0", part.text.len());
            let bytes = forge::deflated(&[head.as_bytes(), &part.text].concat());
            forge::put_loose(&site.lab.path("a/objects"), &part.id, &bytes);
        }
        let mut bad = site.good.clone();
        bad[part.bytes.end - 6] ^= 0xff;
        fs::write(&site.pack, bad).unwrap();
        let (texts, told) = read(&site);
        assert!(texts.contains(&part.text), "packed: {packed}");
        // Those made from it are lost all the same.
        assert!(told && !texts.contains(&site.parts[6].text));
        let repository = Repository::open(&site.lab.path("a"), &Surroundings::default()).unwrap();
        assert_eq!(repository.objects.read(&part.id).unwrap().bytes, part.text);
    }
}
