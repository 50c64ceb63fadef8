//! The trees that lie above what is wanted.

use super::{AllTrees, Wanted};
use crate::model::ObjectId;
use crate::source::git::parse::{self, Mode};
use crate::source::git::trees::{PerThread, Reader};
use ahash::{AHashMap, AHashSet};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// An entry that leads to what is wanted.
#[derive(Clone)]
pub(super) struct Relevant {
    pub(super) name: Box<[u8]>,
    /// A wanted blob.
    pub(super) blob: Option<ObjectId>,
    /// A tree above what is wanted.
    pub(super) tree: Option<ObjectId>,
    /// Its name is wanted.
    pub(super) named: bool,
}

/// The trees that lie above what is wanted, by number, each with the entries that lead there.
#[derive(Default)]
pub(super) struct Closure {
    numbers: AHashMap<ObjectId, usize>,
    ids: Vec<ObjectId>,
    entries: Vec<Vec<Relevant>>,
}

/// Rounds after which the trees above are gathered by what they hold, not one level a round: folders
/// of people lie less deep.
const ROUNDS: usize = 24;
/// Pairs of trees that are kept for that. Were there more, the rounds would go on.
const PAIRS: usize = 4 << 20;

/// The trees above those of `closure`.
fn above(closure: &Closure, all_trees: &AllTrees<'_>) -> Vec<ObjectId> {
    let gathered: Mutex<Vec<(ObjectId, ObjectId)>> = Mutex::default();
    all_trees(&|id, bytes| {
        let mut pairs = lock(&gathered);
        if pairs.len() < PAIRS && !closure.numbers.contains_key(&id) {
            pairs.extend(parse::entries(bytes).filter(|e| e.mode == Mode::Tree).map(|e| (e.id, id)));
        }
    });
    let mut pairs = gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
    pairs.sort_unstable();
    pairs.dedup();
    let mut found: AHashSet<ObjectId> = AHashSet::new();
    let mut open = closure.ids.clone();
    while let Some(tree) = open.pop() {
        let from = pairs.partition_point(|p| p.0 < tree);
        for (_, id) in pairs[from..].iter().take_while(|p| p.0 == tree) {
            if found.insert(*id) {
                open.push(*id);
            }
        }
    }
    found.into_iter().collect()
}

/// What stands somewhere below a tree.
#[derive(Default)]
pub(super) struct Below {
    pub(super) blobs: AHashSet<ObjectId>,
    pub(super) names: AHashSet<Box<[u8]>>,
}

impl Closure {
    /// Goes through all trees until no more of them join.
    pub(super) fn gather(wanted: Wanted<'_>, all_trees: &AllTrees<'_>) -> Self {
        let mut closure = Closure::default();
        if wanted.blobs.is_empty() && wanted.names.is_empty() {
            return closure;
        }
        // One look-up for each entry: nearly none of them leads anywhere.
        let mut ids: AHashSet<ObjectId> = wanted.blobs.iter().copied().collect();
        let names: AHashSet<&[u8]> = wanted.names.iter().map(Vec::as_slice).collect();
        for round in 0.. {
            if round == ROUNDS {
                ids.extend(above(&closure, all_trees));
            }
            let before = closure.ids.len();
            let (shared, state) = (Mutex::new(&mut closure), RwLock::new(&mut ids));
            let readers: PerThread<(Reader, Vec<(usize, Relevant)>)> = PerThread::default();
            all_trees(&|id, bytes| {
                readers.with(|(reader, hits)| {
                    let fresh = reader.read(bytes);
                    // What led somewhere in the tree before and is the same, and what is new.
                    hits.retain_mut(|(at, _)| match fresh.now(*at) {
                        Some(now) => {
                            *at = now;
                            true
                        }
                        None => false,
                    });
                    let ids = state.read().unwrap_or_else(PoisonError::into_inner);
                    for (at, e) in &fresh.entries {
                        let named = !names.is_empty() && names.contains(e.name);
                        if !named && !ids.contains(&e.id) {
                            continue;
                        }
                        let tree = e.mode == Mode::Tree && ids.contains(&e.id);
                        let blob = wanted.blobs.contains(&e.id);
                        if named || tree || blob {
                            let (blob, tree) = (blob.then_some(e.id), tree.then_some(e.id));
                            hits.push((*at, Relevant { name: e.name.into(), blob, tree, named }));
                        }
                    }
                    drop(ids);
                    if !hits.is_empty() {
                        hits.sort_unstable_by_key(|(at, _)| *at);
                        let list = hits.iter().map(|(_, r)| r.clone()).collect();
                        let joined = lock(&shared).put(id, list);
                        if joined {
                            state.write().unwrap_or_else(PoisonError::into_inner).insert(id);
                        }
                    }
                    if fresh.broken {
                        hits.clear();
                    }
                });
            });
            // In the last round nothing joined, so that it saw all entries of all that had.
            if closure.ids.len() == before {
                break;
            }
        }
        closure
    }

    /// Notes what of a tree leads on; true if nothing of it was known.
    fn put(&mut self, id: ObjectId, list: Vec<Relevant>) -> bool {
        if let Some(&number) = self.numbers.get(&id) {
            self.entries[number] = list;
            return false;
        }
        self.numbers.insert(id, self.ids.len());
        self.ids.push(id);
        self.entries.push(list);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn number(&self, id: &ObjectId) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    pub(super) fn id(&self, number: usize) -> ObjectId {
        self.ids[number]
    }

    pub(super) fn entries(&self, number: usize) -> &[Relevant] {
        &self.entries[number]
    }

    /// The trees that were not visited, those first that lie below no other such tree.
    pub(super) fn loose(&self, visited: impl Fn(usize) -> bool) -> Vec<ObjectId> {
        let mut loose: Vec<usize> = (0..self.len()).filter(|&n| !visited(n)).collect();
        let inner: AHashSet<ObjectId> =
            loose.iter().flat_map(|&n| self.entries[n].iter().filter_map(|e| e.tree)).collect();
        loose.sort_by_key(|&n| (inner.contains(&self.ids[n]), self.ids[n]));
        loose.into_iter().map(|n| self.ids[n]).collect()
    }

    /// All that stands below a tree.
    pub(super) fn below(&self, tree: &ObjectId) -> Below {
        let mut below = Below::default();
        let mut seen = AHashSet::new();
        let mut stack: Vec<usize> = self.number(tree).into_iter().collect();
        while let Some(number) = stack.pop() {
            if !seen.insert(number) {
                continue;
            }
            for entry in &self.entries[number] {
                below.blobs.extend(entry.blob);
                if entry.named {
                    below.names.insert(entry.name.clone());
                }
                stack.extend(entry.tree.and_then(|id| self.number(&id)));
            }
        }
        below
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
