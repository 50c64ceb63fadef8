//! What a commit brings: the entries of its tree that stand in none of its parents' trees under the
//! same path, and what stood in their place.
//!
//! Total on hostile trees: no recursion, bounds on depth and on how often the same folders are
//! compared, duplicate and unsorted entries compared as sets.

use super::parse::{self, Entry, Kind, Mode};
use super::{GitError, Objects, Reader};
use crate::model::{ObjectId, RawPath};
use ahash::{AHashMap, AHashSet};
use std::sync::Arc;

/// Folders inside each other that are followed, as many as git itself follows.
pub const DEPTH: u32 = 4096;
/// Most bytes of a path, no fewer than systems allow; of a longer one its end is kept.
pub const LONGEST: usize = 1 << 12;
/// Entries of folders that a commit has under several paths, beyond the first time. A few folders
/// that hold each other many times over have more paths than can be counted, yet no more content.
const REPEATS: usize = 1 << 17;
/// Bytes of trees that are kept for the next comparison.
const KEPT: usize = 8 << 20;

/// Reads trees, and keeps the last ones: most of a commit's trees are its parent's.
pub struct Trees<'a> {
    reader: Reader<'a>,
    made: AHashMap<ObjectId, Arc<Vec<u8>>>,
    kept: AHashMap<ObjectId, Arc<Vec<u8>>>,
    bytes: usize,
}

impl<'a> Trees<'a> {
    /// Reads from `objects`.
    pub fn new(objects: &'a Objects) -> Self {
        Self::with(objects, AHashMap::new())
    }

    /// Reads from `objects`, and has trees that stand nowhere yet.
    pub fn with(objects: &'a Objects, made: AHashMap<ObjectId, Arc<Vec<u8>>>) -> Self {
        Trees { reader: Reader::new(objects), made, kept: AHashMap::new(), bytes: 0 }
    }

    /// The bytes of a tree.
    ///
    /// # Errors
    /// It cannot be read, or is no tree.
    pub fn read(&mut self, id: &ObjectId) -> Result<Arc<Vec<u8>>, GitError> {
        if let Some(bytes) = self.made.get(id).or_else(|| self.kept.get(id)) {
            return Ok(bytes.clone());
        }
        let bytes = self.reader.read_as(id, Kind::Tree)?;
        if self.bytes + bytes.len() > KEPT {
            self.kept.clear();
            self.bytes = 0;
        }
        self.bytes += bytes.len();
        self.kept.insert(*id, bytes.clone());
        Ok(bytes)
    }
}

/// An entry that is no folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Where it stands.
    pub path: RawPath,
    /// What it is.
    pub mode: Mode,
    /// The object.
    pub id: ObjectId,
}

/// What stood at a path that changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Former {
    /// In the tree of which parent, by its position.
    pub parent: usize,
    /// What stood there.
    pub was: Change,
}

/// The name of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The name alone.
    pub name: RawPath,
    /// Where it stands, itself included.
    pub path: RawPath,
    /// The tree that holds it.
    pub tree: ObjectId,
}

/// What could not be compared.
#[derive(Debug)]
pub struct Unread {
    /// Where.
    pub path: RawPath,
    /// Why.
    pub why: Why,
}

/// Why something could not be compared.
#[derive(Debug)]
pub enum Why {
    /// It cannot be read.
    Error(GitError),
    /// The folder ends in the middle of an entry.
    EndsEarly,
    /// It lies deeper than [`DEPTH`].
    TooDeep,
    /// The caller asked to stop.
    Stopped,
}

/// What a commit brings.
#[derive(Debug, Default)]
pub struct Changes {
    /// Files, links and submodules that no parent has under the same path.
    pub new: Vec<Change>,
    /// Files and links that stood in a parent's tree where the commit has something else or nothing.
    pub old: Vec<Former>,
    /// Names that no parent has in the same folder, those of folders included.
    pub names: Vec<Name>,
    /// Names that are gone, with the position of each parent that has them.
    pub old_names: Vec<(usize, Name)>,
    /// What could not be compared.
    pub unread: Vec<Unread>,
    /// Folders that were met under more paths than are followed. Their content is in `new` all the
    /// same, under another path.
    pub repeated: u64,
}

/// Compares the tree of a commit with those of its parents. `stopped` is asked now and then.
pub fn changes(
    trees: &mut Trees<'_>,
    tree: &ObjectId,
    parents: &[ObjectId],
    stopped: &dyn Fn() -> bool,
) -> Changes {
    let mut compare = Compare {
        trees,
        parents: parents.len(),
        paths: vec![(0, Box::default())],
        seen: AHashSet::new(),
        repeats: REPEATS,
        stack: Vec::new(),
        found: Changes::default(),
    };
    if !parents.contains(tree) {
        let old = parents.iter().copied().enumerate().collect();
        compare.stack.push(Folder { path: 0, depth: 0, new: Some(*tree), old });
    }
    let mut round = 0u32;
    while let Some(folder) = compare.stack.pop() {
        round = round.wrapping_add(1);
        if round.is_multiple_of(64) && stopped() {
            compare.unread(folder.path, Why::Stopped);
            break;
        }
        compare.folder(&folder);
    }
    compare.found
}

/// A folder to compare.
struct Folder {
    /// Its path, in `Compare::paths`.
    path: usize,
    depth: u32,
    /// The commit's; none if it has nothing there, or something else.
    new: Option<ObjectId>,
    /// The parents', by their position. A hostile tree may hold a name twice.
    old: Vec<(usize, ObjectId)>,
}

/// What is compared, which tells how it ends.
type Pair = (Option<ObjectId>, Vec<(usize, ObjectId)>);

struct Compare<'t, 'o> {
    trees: &'t mut Trees<'o>,
    /// How many parents there are.
    parents: usize,
    /// Paths of folders: the one above, and a name. Deep ones share what they have in common.
    paths: Vec<(usize, Box<[u8]>)>,
    seen: AHashSet<Pair>,
    /// What is left of [`REPEATS`].
    repeats: usize,
    stack: Vec<Folder>,
    found: Changes,
}

impl Compare<'_, '_> {
    fn folder(&mut self, folder: &Folder) {
        let again = !self.seen.insert((folder.new, folder.old.clone()));
        if again && self.repeats == 0 {
            self.found.repeated += 1;
            return;
        }
        if folder.depth > DEPTH {
            return self.unread(folder.path, Why::TooDeep);
        }
        let new_bytes = match folder.new.map(|id| (id, self.trees.read(&id))) {
            None => Arc::default(),
            Some((_, Ok(bytes))) => bytes,
            Some((id, Err(error))) => {
                // Whatever calls itself a folder: what it is said to hold, or what it is, is read.
                if let Ok((Kind::Blob, _)) = self.trees.reader.read(&id) {
                    let path = self.path(folder.path, b"");
                    self.found.new.push(Change { path, mode: Mode::File, id });
                }
                return self.unread(folder.path, Why::Error(error));
            }
        };
        let mut list = parse::entries(&new_bytes);
        let mut new: Vec<Entry<'_>> = list.by_ref().collect();
        if list.broken {
            self.unread(folder.path, Why::EndsEarly);
        }
        if again {
            self.repeats = self.repeats.saturating_sub(new.len().max(1));
        }
        // What cannot be read of the old side makes nothing known, and so hides nothing.
        let old_bytes: Vec<(usize, Arc<Vec<u8>>)> =
            folder.old.iter().filter_map(|(p, id)| Some((*p, self.trees.read(id).ok()?))).collect();
        let mut old: Vec<(usize, Entry<'_>)> =
            old_bytes.iter().flat_map(|(p, bytes)| parse::entries(bytes).map(|e| (*p, e))).collect();
        // Git sorts folders as if their names ended in a slash; by the bare name, mostly sorted
        // already, each name's entries come together.
        new.sort_by_key(|e| e.name);
        old.sort_by_key(|(p, e)| (e.name, *p));
        let (mut new, mut old) = (&new[..], &old[..]);
        loop {
            let name = match (new.first(), old.first()) {
                (Some(n), Some((_, o))) => n.name.min(o.name),
                (Some(n), None) => n.name,
                (None, Some((_, o))) => o.name,
                (None, None) => break,
            };
            let (these, rest) = new.split_at(new.iter().take_while(|e| e.name == name).count());
            let (those, left) = old.split_at(old.iter().take_while(|e| e.1.name == name).count());
            (new, old) = (rest, left);
            // Nearly always: one entry, and every parent has the same.
            if let ([this], [(_, that)]) = (these, those)
                && this == that
            {
                continue;
            }
            self.name(folder, name, these, those);
        }
    }

    /// Compares what stands under one name.
    fn name(&mut self, folder: &Folder, name: &[u8], new: &[Entry<'_>], old: &[(usize, Entry<'_>)]) {
        let changed = |e: &&Entry<'_>| !old.iter().any(|(_, o)| o.mode == e.mode && o.id == e.id);
        let mut fresh = new.iter().filter(changed).peekable();
        // Nothing stands there now; a parent that has nothing there either is no different.
        let gone = new.is_empty() && self.is_in_all(old.iter().map(|(p, _)| *p));
        if fresh.peek().is_none() && !gone {
            return;
        }
        if old.is_empty() || gone {
            let path = self.path(folder.path, name);
            let named = |tree| Name { name: RawPath::new(name), path: path.clone(), tree };
            self.found.names.extend(folder.new.filter(|_| !gone).map(named));
            let former = folder.old.iter().filter(|(p, _)| gone && old.iter().any(|(o, _)| o == p));
            self.found.old_names.extend(former.map(|(p, tree)| (*p, named(*tree))));
        }
        let folders: Vec<(usize, ObjectId)> =
            old.iter().filter(|(_, e)| e.mode == Mode::Tree).map(|(p, e)| (*p, e.id)).collect();
        let mut followed = false;
        for entry in fresh {
            if entry.mode == Mode::Tree {
                followed = true;
                self.enter(folder, name, Some(entry.id), folders.clone());
            } else {
                let path = self.path(folder.path, name);
                self.found.new.push(Change { path, mode: entry.mode, id: entry.id });
            }
        }
        for (parent, entry) in old.iter().filter(|(_, e)| matches!(e.mode, Mode::File | Mode::Link)) {
            let was = Change { path: self.path(folder.path, name), mode: entry.mode, id: entry.id };
            self.found.old.push(Former { parent: *parent, was });
        }
        // What a folder held that is gone, or is a file now.
        if !followed && self.is_in_all(folders.iter().map(|(p, _)| *p)) {
            self.enter(folder, name, None, folders);
        }
    }

    /// Whether each parent is among those at which something stands.
    fn is_in_all(&self, parents: impl Iterator<Item = usize>) -> bool {
        let mut list: Vec<usize> = parents.collect();
        list.sort_unstable();
        list.dedup();
        list.len() == self.parents && !list.is_empty()
    }

    fn enter(&mut self, folder: &Folder, name: &[u8], new: Option<ObjectId>, old: Vec<(usize, ObjectId)>) {
        self.paths.push((folder.path, name.into()));
        self.stack.push(Folder { path: self.paths.len() - 1, depth: folder.depth + 1, new, old });
    }

    fn unread(&mut self, path: usize, why: Why) {
        let path = self.path(path, b"");
        self.found.unread.push(Unread { path, why });
    }

    /// The path of an entry of a folder, or of the folder itself for an empty name.
    fn path(&self, mut folder: usize, name: &[u8]) -> RawPath {
        let mut parts = vec![name];
        let mut len = name.len();
        while folder != 0 && len < LONGEST {
            let (above, part) = &self.paths[folder];
            len += part.len() + 1;
            parts.push(part);
            folder = *above;
        }
        parts.reverse();
        if name.is_empty() {
            parts.pop();
        }
        let path = parts.join(&b'/');
        RawPath::new(&path[path.len().saturating_sub(LONGEST)..])
    }
}

#[cfg(test)]
mod tests;
