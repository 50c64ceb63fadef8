//! A history that is read again and again: only what is new is looked at, and as long as nothing has
//! changed only what holds something is read.
//!
//! What is kept from one sweep to the next names objects and places of entries in trees, never a
//! path or a name: those are of the repository, and may hold a secret.

use super::attribute::{Attributed, Places, tell_others};
use super::history::{History, Told};
use super::memory::{Memory, Once};
use super::objects::Objects;
use super::parse::{Commit, Kind, entries};
use super::repo::Repository;
use super::standing::Standing;
use crate::model::{CommitRef, Held, ObjectId, Origin, RawPath, Sink};
use crate::source::{Options, SourceError};
use ahash::AHashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

/// Where something stands, told without its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    held: Held,
    object: ObjectId,
    /// The first commit that has it there, and its rank.
    commit: Option<(ObjectId, u64)>,
    reachable: bool,
    at_head: bool,
    /// From the commit's tree: which entry leads on, and last which one it is.
    steps: Vec<u32>,
}

/// All places of one object or name, in their order.
pub type Group = Vec<Place>;

/// What a sweep has read.
pub struct Swept {
    told: Told,
    noted: BTreeSet<ObjectId>,
}

/// Looks at all that `memory` does not know, and pushes all that looks pointed at, now or before.
///
/// # Errors
/// An exclude is not a glob. What cannot be read is counted by the sink.
pub fn push(
    repo: &Repository,
    standing: &Standing,
    memory: &dyn Memory,
    options: &Options,
    sink: &dyn Sink,
) -> Result<Swept, SourceError> {
    let history = History::new(repo, standing, false, options, sink)?;
    let told = history.survey(memory);
    Ok(Swept { told, noted: history.noted() })
}

impl Swept {
    /// What is to be pushed again as long as nothing changes: all places of the objects that were
    /// `found` to hold something or were not read whole, and of those that were left out. `None` if one of them cannot be
    /// told, or if there are objects that could not be looked at: those are tried again.
    pub fn groups(&self, objects: &Objects, found: &BTreeSet<ObjectId>) -> Option<Vec<Group>> {
        if !self.told.whole {
            return None;
        }
        let holds = |origin: &Origin| found.contains(&origin.object) || self.noted.contains(&origin.object);
        let mut trees = Trees { objects, read: AHashMap::new() };
        let placed = self.told.placed.blobs.values().chain(self.told.placed.names.values());
        let placed = placed.filter(|places| places.list.iter().any(|(_, origin)| holds(origin)));
        let mut groups: Vec<Group> = Vec::new();
        for places in placed {
            let place =
                |(path, origin): &(RawPath, Origin)| trees.steps(path, origin).map(|s| told(origin, s));
            groups.push(places.list.iter().map(place).collect::<Option<_>>()?);
        }
        let texts = self.told.texts.iter().filter(|o| holds(o));
        groups.extend(texts.map(|origin| vec![told(origin, Vec::new())]));
        Some(groups)
    }
}

fn told(origin: &Origin, steps: Vec<u32>) -> Place {
    Place {
        held: origin.held,
        object: origin.object,
        commit: origin.commit.as_ref().map(|c| (c.id, c.rank)),
        reachable: origin.reachable,
        at_head: origin.at_head,
        steps,
    }
}

/// What stands where a sweep has left it.
pub struct Unchanged(Told);

impl Unchanged {
    /// Finds the places again; `None` if one of them is not there.
    pub fn new(repo: &Repository, groups: &[Group]) -> Option<Self> {
        let mut trees = Trees { objects: &repo.objects, read: AHashMap::new() };
        let mut out = Told::default();
        for group in groups {
            let first = group.first()?;
            let list: Vec<(RawPath, Origin)> =
                group.iter().map(|place| trees.origin(place)).collect::<Option<_>>()?;
            trees.keep(list, first, &mut out)?;
        }
        Some(Unchanged(out))
    }

    /// Pushes what stands there.
    ///
    /// # Errors
    /// An exclude is not a glob. What cannot be read is counted by the sink.
    pub fn push(
        &self,
        repo: &Repository,
        standing: &Standing,
        options: &Options,
        sink: &dyn Sink,
    ) -> Result<(), SourceError> {
        let history = History::new(repo, standing, false, options, sink)?;
        let memory = Once::default();
        let survey = history.look_over(&memory);
        history.push(&survey, &self.0);
        Ok(())
    }
}

/// Trees that were read.
struct Trees<'a> {
    objects: &'a Objects,
    read: AHashMap<ObjectId, Vec<u8>>,
}

impl Trees<'_> {
    fn tree(&mut self, id: ObjectId) -> Option<&[u8]> {
        Some(match self.read.entry(id) {
            std::collections::hash_map::Entry::Occupied(slot) => slot.into_mut(),
            std::collections::hash_map::Entry::Vacant(slot) => {
                slot.insert(self.objects.read_as(&id, Kind::Tree).ok()?)
            }
        })
    }

    /// The way from a commit's tree to a path of it.
    fn steps(&mut self, path: &RawPath, origin: &Origin) -> Option<Vec<u32>> {
        if path.as_bytes().is_empty() {
            return Some(Vec::new());
        }
        let commit = self.objects.read_as(&origin.commit.as_ref()?.id, Kind::Commit).ok()?;
        let mut at = Commit::parse(&commit)?.tree;
        let mut steps = Vec::new();
        for name in path.as_bytes().split(|&b| b == b'/') {
            let (n, entry) = entries(self.tree(at)?).enumerate().find(|(_, e)| e.name == name)?;
            steps.push(u32::try_from(n).ok()?);
            at = entry.id;
        }
        // Trees may hold a name twice.
        (origin.held == Held::Name || at == origin.object).then_some(steps)
    }

    fn origin(&mut self, place: &Place) -> Option<(RawPath, Origin)> {
        if place.held != Held::Name && !self.objects.contains(&place.object) {
            return None;
        }
        let mut path = Vec::new();
        let mut commit = None;
        if let Some((id, rank)) = place.commit {
            let bytes = self.objects.read_as(&id, Kind::Commit).ok()?;
            let parsed = Commit::parse(&bytes)?;
            let mut at = parsed.tree;
            for (i, &step) in place.steps.iter().enumerate() {
                let entry = entries(self.tree(at)?).nth(step as usize)?;
                if i > 0 {
                    path.push(b'/');
                }
                path.extend_from_slice(entry.name);
                at = entry.id;
            }
            let author = RawPath::new(parsed.author);
            commit = Some(CommitRef { rank, id, author, authored: parsed.authored });
        }
        let origin = Origin {
            held: place.held,
            object: place.object,
            commit,
            reachable: place.reachable,
            at_head: place.at_head,
            also_at: Vec::new(),
        };
        Some((RawPath::new(&path), origin))
    }

    /// Puts the places of one object or name where they belong.
    fn keep(&self, mut list: Vec<(RawPath, Origin)>, first: &Place, out: &mut Told) -> Option<()> {
        let Attributed { blobs, names } = &mut out.placed;
        match first.held {
            Held::Commit | Held::Tag => out.texts.extend(list.into_iter().map(|(_, origin)| origin)),
            Held::Blob => {
                let Entry::Vacant(slot) = blobs.entry(first.object) else { return None };
                tell_others(&mut list);
                slot.insert(Places { list, more: 0 });
            }
            Held::Name => {
                let path = list.first()?.0.as_bytes();
                let name = path.rsplit(|&b| b == b'/').next()?.to_vec();
                tell_others(&mut list);
                names.insert(name, Places { list, more: 0 });
            }
            Held::Ref => return None,
        }
        Some(())
    }
}
