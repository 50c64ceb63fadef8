//! The trees that lie above what is wanted.

use super::{AllTrees, Wanted};
use crate::model::ObjectId;
use crate::source::git::parse::{self, Mode};
use ahash::{AHashMap, AHashSet};

/// An entry that leads to what is wanted.
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
fn above(closure: &Closure, all_trees: &mut AllTrees<'_>) -> Vec<ObjectId> {
    let mut pairs: Vec<(ObjectId, ObjectId)> = Vec::new();
    all_trees(&mut |id, bytes| {
        if pairs.len() < PAIRS && !closure.numbers.contains_key(&id) {
            pairs.extend(parse::entries(bytes).filter(|e| e.mode == Mode::Tree).map(|e| (e.id, id)));
        }
    });
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
    pub(super) fn gather(wanted: Wanted<'_>, all_trees: &mut AllTrees<'_>) -> Self {
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
            all_trees(&mut |id, bytes| {
                let entries = parse::entries(bytes)
                    .filter(|e| ids.contains(&e.id) || !names.is_empty() && names.contains(e.name));
                let list: Vec<Relevant> = entries
                    .map(|e| Relevant {
                        name: e.name.into(),
                        blob: wanted.blobs.contains(&e.id).then_some(e.id),
                        tree: (e.mode == Mode::Tree && ids.contains(&e.id)).then_some(e.id),
                        named: names.contains(e.name),
                    })
                    .filter(|r| r.blob.is_some() || r.tree.is_some() || r.named)
                    .collect();
                if list.is_empty() {
                    return;
                }
                match closure.numbers.get(&id) {
                    Some(&number) => closure.entries[number] = list,
                    None => {
                        closure.numbers.insert(id, closure.ids.len());
                        closure.ids.push(id);
                        closure.entries.push(list);
                        ids.insert(id);
                    }
                }
            });
            // In the last round nothing joined, so that it saw all entries of all that had.
            if closure.ids.len() == before {
                break;
            }
        }
        closure
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
