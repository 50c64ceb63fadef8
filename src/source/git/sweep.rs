//! A history that is read again and again: only what is new is looked at, and as long as nothing has
//! changed only what holds something is read.
//!
//! What is kept from one sweep to the next names objects and places of entries in trees, never a
//! path or a name: those are of the repository, and may hold a secret.

use super::attribute::{Attributed, Places, tell_others};
use super::history::{History, Told, pseudo};
use super::memory::{Memory, Once};
use super::objects::Objects;
use super::pack::LARGE;
use super::parse::{Commit, Kind, entries};
use super::reader::{Reader, family};
use super::repo::Repository;
use super::standing::Standing;
use crate::model::{CommitRef, Held, ObjectId, Origin, Provenance, RawPath, Sink};
use crate::source::{Options, SourceError};
use ahash::AHashMap;
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    places: Vec<Place>,
    /// At least so many are not listed.
    more: u64,
}

/// Groups of places, and the number of each place among all of them.
pub struct Marked {
    /// The groups.
    pub groups: Vec<Group>,
    numbers: BTreeMap<(Held, ObjectId, RawPath), u32>,
}

impl Marked {
    /// The number of a place; `None` if it is not among them, or too large to be read at once.
    pub fn number(&self, place: &Provenance) -> Option<u32> {
        let origin = place.origin.as_ref()?;
        self.numbers.get(&(origin.held, origin.object, place.path.clone())).copied()
    }
}

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
    /// Objects that were left out.
    pub fn noted(&self) -> &BTreeSet<ObjectId> {
        &self.noted
    }

    /// All places of these objects, told so that they are found again as long as nothing changes. `None`
    /// if one of them cannot be told, or if there are objects that could not be looked at: those are tried
    /// again.
    pub fn places(&self, objects: &Objects, of: &BTreeSet<ObjectId>) -> Option<Marked> {
        if !self.told.whole {
            return None;
        }
        let mut trees = Trees { objects, read: AHashMap::new() };
        let mut marked = Marked { groups: Vec::new(), numbers: BTreeMap::new() };
        let mut next = 0;
        let mut number = |path: &RawPath, origin: &Origin| {
            let is_large = || objects.stream(&origin.object).is_some_and(|s| s.size > LARGE);
            if origin.held == Held::Name || !is_large() {
                marked.numbers.insert((origin.held, origin.object, shown(path, origin)), next);
            }
            next += 1;
        };
        let placed = self.told.placed.blobs.values().chain(self.told.placed.names.values());
        for places in placed.filter(|p| p.list.iter().any(|(_, origin)| of.contains(&origin.object))) {
            places.list.iter().for_each(|(path, origin)| number(path, origin));
            let place =
                |(path, origin): &(RawPath, Origin)| trees.steps(path, origin).map(|s| told(origin, s));
            marked.groups.push(Group {
                places: places.list.iter().map(place).collect::<Option<_>>()?,
                more: places.more,
            });
        }
        for origin in self.told.texts.iter().filter(|origin| of.contains(&origin.object)) {
            number(&RawPath::new(b""), origin);
            marked.groups.push(Group { places: vec![told(origin, Vec::new())], more: 0 });
        }
        Some(marked)
    }
}

/// The path under which a place is told.
fn shown(path: &RawPath, origin: &Origin) -> RawPath {
    match origin.held {
        Held::Commit | Held::Tag => pseudo(origin.held.as_str(), origin.object),
        Held::Blob if path.as_bytes().is_empty() => pseudo("blob", origin.object),
        _ => path.clone(),
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
pub struct Unchanged {
    told: Told,
    /// All places, by their numbers.
    places: Vec<Provenance>,
}

impl Unchanged {
    /// Finds the places again; `None` if one of them is not there.
    pub fn new(repo: &Repository, groups: &[Group]) -> Option<Self> {
        let mut trees = Trees { objects: &repo.objects, read: AHashMap::new() };
        let mut out = Unchanged { told: Told::default(), places: Vec::new() };
        for group in groups {
            let first = group.places.first()?;
            let mut list: Vec<(RawPath, Origin)> =
                group.places.iter().map(|place| trees.origin(place)).collect::<Option<_>>()?;
            tell_others(&mut list);
            let place =
                |(path, origin): &(RawPath, Origin)| Provenance::history(shown(path, origin), origin.clone());
            out.places.extend(list.iter().map(place));
            trees.keep(list, (first, group.more), &mut out.told)?;
        }
        Some(out)
    }

    /// Reads the texts of these numbers, and gives each with its place. One that cannot be read, or is not
    /// there, is passed by.
    pub fn read(
        &self,
        repo: &Repository,
        numbers: &BTreeSet<u32>,
        stopped: &dyn Fn() -> bool,
        take: &mut impl FnMut(u32, &Arc<Provenance>, &[u8]),
    ) {
        let place = |n: &u32| Some((*n, self.places.get(*n as usize)?));
        let mut list: Vec<_> = numbers.iter().filter_map(place).collect();
        let object = |place: &Provenance| place.origin.as_ref().map(|origin| origin.object);
        list.sort_by_cached_key(|(n, place)| {
            (object(place).map(|id| family(&repo.objects, &id)), object(place), *n)
        });
        let mut reader = Reader::new(&repo.objects);
        for (n, place) in list {
            let Some(origin) = place.origin.as_ref().filter(|_| !stopped()) else { continue };
            let place = Arc::new(place.clone());
            let kind = match origin.held {
                Held::Blob => Kind::Blob,
                Held::Commit => Kind::Commit,
                Held::Tag => Kind::Tag,
                Held::Ref => continue,
                Held::Name => {
                    let name = place.path.as_bytes().rsplit(|&b| b == b'/').next().unwrap_or_default();
                    take(n, &place, name);
                    continue;
                }
            };
            if let Ok(bytes) = reader.read_as(&origin.object, kind) {
                take(n, &place, &bytes);
            }
        }
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
        history.push(&survey, &self.told);
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
    fn keep(&self, list: Vec<(RawPath, Origin)>, (first, more): (&Place, u64), out: &mut Told) -> Option<()> {
        let Attributed { blobs, names } = &mut out.placed;
        match first.held {
            Held::Commit | Held::Tag => out.texts.extend(list.into_iter().map(|(_, origin)| origin)),
            Held::Blob => {
                let Entry::Vacant(slot) = blobs.entry(first.object) else { return None };
                slot.insert(Places { list, more });
            }
            Held::Name => {
                let path = list.first()?.0.as_bytes();
                let name = path.rsplit(|&b| b == b'/').next()?.to_vec();
                names.insert(name, Places { list, more });
            }
            Held::Ref => return None,
        }
        Some(())
    }
}
