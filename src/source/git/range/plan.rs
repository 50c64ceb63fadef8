//! What of a range has to be read, each object once.

use crate::model::{Held, ObjectId, Origin, Provenance, RawPath, Sink, SkipReason, Skipped};
use crate::source::git::commits::{Commits, Set};
use crate::source::git::diff::{Changes, Why};
use crate::source::git::parse::Mode;
use ahash::{AHashMap, AHashSet};
use globset::GlobSet;
use std::collections::{BTreeMap, BTreeSet};

/// Paths that are kept of an object beside its first.
const PATHS: usize = 64;
/// Paths that are kept because rules may go by them.
const NAMED: usize = 4096;

/// A commit and its place among those of the range.
type Ranked = Option<(u32, u64)>;

/// An object that is new.
pub(super) struct New {
    pub(super) id: ObjectId,
    /// Its first path that is not excluded, in the first commit that has it.
    pub(super) path: RawPath,
    pub(super) also: BTreeSet<RawPath>,
    /// Those among all its paths for whose name the sink asks.
    pub(super) named: BTreeSet<RawPath>,
    /// How many of such were left out.
    pub(super) missed: u64,
    pub(super) commit: Ranked,
    /// The target of a symbolic link wherever it stands.
    pub(super) link: bool,
    pub(super) submodule: bool,
    /// Excluded wherever it stands.
    pub(super) excluded: bool,
}

impl New {
    fn of(id: ObjectId, path: RawPath, commit: Ranked) -> Self {
        New {
            id,
            path,
            also: BTreeSet::new(),
            named: BTreeSet::new(),
            missed: 0,
            commit,
            link: false,
            submodule: false,
            excluded: false,
        }
    }

    /// All paths that are kept, the first one first.
    pub(super) fn paths(&self) -> impl Iterator<Item = &RawPath> {
        let named = self.named.iter().filter(|p| **p != self.path && !self.also.contains(*p));
        std::iter::once(&self.path).chain(&self.also).chain(named)
    }
}

/// Where a new name stands.
pub(super) struct Place {
    pub(super) path: RawPath,
    /// The tree that holds it.
    pub(super) object: ObjectId,
    pub(super) commit: Ranked,
}

/// What has to be read.
pub(super) struct Plan<'a> {
    commits: &'a Commits,
    wanted: &'a Set,
    excludes: &'a GlobSet,
    sink: &'a dyn Sink,
    pub(super) new: Vec<New>,
    places: AHashMap<ObjectId, usize>,
    pub(super) names: BTreeMap<RawPath, Place>,
    /// Objects that stood where something changed, before the range; and a path of each.
    pub(super) old: BTreeMap<ObjectId, RawPath>,
    pub(super) old_names: BTreeSet<RawPath>,
    pub(super) skipped: Vec<Skipped>,
    told: AHashSet<(RawPath, SkipReason)>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        commits: &'a Commits,
        wanted: &'a Set,
        excludes: &'a GlobSet,
        sink: &'a dyn Sink,
    ) -> Self {
        Plan {
            commits,
            wanted,
            excludes,
            sink,
            new: Vec::new(),
            places: AHashMap::new(),
            names: BTreeMap::new(),
            old: BTreeMap::new(),
            old_names: BTreeSet::new(),
            skipped: Vec::new(),
            told: AHashSet::new(),
        }
    }

    /// Adds what a commit brings; commits come parents first. `parents` are those that it was
    /// compared with.
    ///
    /// What a parent *outside* of the range has stood there before the range. What a parent inside
    /// has did so only if nothing up to here brought it; by object, not by path, since of an object
    /// with very many paths not all are looked at.
    pub(super) fn add(&mut self, commit: Ranked, parents: &[u32], found: Changes) {
        let outside = |parent: usize| parents.get(parent).is_some_and(|&p| !self.wanted.contains(p));
        for former in found.old {
            if outside(former.parent) || !self.places.contains_key(&former.was.id) {
                self.old.entry(former.was.id).or_insert(former.was.path);
            }
        }
        for (parent, name) in found.old_names {
            if outside(parent) || !self.names.contains_key(&name.name) {
                self.old_names.insert(name.name);
            }
        }
        // Where paths were left out, one that is not excluded may be among them.
        let all = found.repeated == 0;
        for change in found.new {
            let excluded = all && self.excluded(&change.path);
            self.put(New {
                link: change.mode == Mode::Link,
                submodule: change.mode == Mode::Submodule,
                excluded,
                ..New::of(change.id, change.path, commit)
            });
        }
        for name in found.names {
            if !(all && self.excluded(&name.path)) {
                let place = Place { path: name.path, object: name.tree, commit };
                self.names.entry(name.name).or_insert(place);
            }
        }
        if !all {
            let detail = format!("{} folders are there under more paths than are followed", found.repeated);
            self.skip(RawPath::new(b"."), commit, SkipReason::TooManyEntries, detail);
        }
        for unread in found.unread {
            let (reason, detail) = match &unread.why {
                Why::Error(error) => (error.reason(), error.to_string()),
                Why::EndsEarly => (SkipReason::Broken, "the folder ends within an entry".to_owned()),
                Why::TooDeep => {
                    (SkipReason::TooDeep, "more folders inside each other than git follows".to_owned())
                }
                Why::Stopped => (SkipReason::Budget, String::new()),
            };
            self.skip(unread.path, commit, reason, detail);
        }
    }

    fn skip(&mut self, path: RawPath, commit: Ranked, reason: SkipReason, detail: String) {
        if self.told.insert((path.clone(), reason)) {
            self.skipped.push(Skipped { provenance: self.provenance(path, commit), reason, detail });
        }
    }

    /// Adds a blob that a ref or tag names by itself.
    pub(super) fn blob(&mut self, id: ObjectId) {
        self.put(New::of(id, RawPath::new(b""), None));
    }

    fn put(&mut self, mut new: New) {
        let name = new.path.as_bytes().rsplit(|&b| b == b'/').next().unwrap_or_default();
        let asked = self.sink.wants_name(name);
        let Some(&at) = self.places.get(&new.id) else {
            new.named.extend(asked.then(|| new.path.clone()));
            self.places.insert(new.id, self.new.len());
            return self.new.push(new);
        };
        let known = &mut self.new[at];
        known.link &= new.link;
        known.submodule &= new.submodule;
        if new.excluded {
            return;
        }
        if known.excluded {
            (known.excluded, known.commit) = (false, new.commit);
            known.named.clear();
            known.path = new.path.clone();
        }
        if asked && !known.named.contains(&new.path) {
            if known.named.len() < NAMED {
                known.named.insert(new.path.clone());
            } else {
                known.missed += 1;
            }
        }
        if new.path != known.path && known.also.len() < PATHS {
            known.also.insert(new.path);
        }
    }

    fn excluded(&self, path: &RawPath) -> bool {
        self.excludes.is_match(&*path.as_path())
    }

    fn provenance(&self, path: RawPath, commit: Ranked) -> Provenance {
        let origin = Origin {
            held: Held::Blob,
            object: ObjectId::NULL,
            commit: commit.map(|(n, rank)| self.commits.reference(n, rank)),
            reachable: true,
            at_head: false,
            also_at: Vec::new(),
        };
        Provenance::history(path, origin)
    }
}
