//! The trees that a commit of an index would have, made in memory.

use crate::model::ObjectId;
use crate::source::git::Index;
use ahash::AHashMap;
use sha1::{Digest, Sha1};
use std::sync::Arc;

/// Trees by their names.
pub(super) type Made = AHashMap<ObjectId, Arc<Vec<u8>>>;

/// Makes the trees and gives the name of the outermost. Entries that are only announced are left
/// out; of an unmerged path every side stands there, which git itself would refuse to commit.
pub(super) fn make(index: &Index) -> (ObjectId, Made) {
    let mut trees = Trees { made: Made::new(), open: vec![(0, Vec::new())] };
    let mut folder: &[u8] = b"";
    for entry in index.entries().iter().filter(|e| !e.intent_to_add) {
        // The path of a sparse folder ends with a slash; its tree stands in the folder above.
        let path = index.path(entry);
        let path = path.strip_suffix(b"/").unwrap_or(path);
        while !path.starts_with(&folder[..trees.open.last().map_or(0, |t| t.0)]) {
            trees.close(folder);
        }
        let known = trees.open.last().map_or(0, |t| t.0);
        let ends = memchr::memchr_iter(b'/', &path[known..]).map(|at| known + at + 1);
        trees.open.extend(ends.map(|end| (end, Vec::new())));
        let name = trees.open.last().map_or(0, |t| t.0);
        folder = &path[..name];
        trees.add(entry.mode, &path[name..], &entry.id);
    }
    while trees.open.len() > 1 {
        trees.close(folder);
    }
    let root = trees.open.pop().map(|t| t.1).unwrap_or_default();
    let id = keep(&mut trees.made, root);
    (id, trees.made)
}

struct Trees {
    made: Made,
    /// The folders that lead to the current one, outermost first: how long their paths are, and what
    /// they hold so far.
    open: Vec<(usize, Vec<u8>)>,
}

impl Trees {
    fn add(&mut self, mode: u32, name: &[u8], id: &ObjectId) {
        if let Some((_, tree)) = self.open.last_mut() {
            tree.extend(format!("{mode:o} ").into_bytes());
            tree.extend_from_slice(name);
            tree.push(0);
            tree.extend_from_slice(id.as_bytes());
        }
    }

    /// Ends the innermost folder, which lies at the end of `folder` or above it.
    fn close(&mut self, folder: &[u8]) {
        let Some((end, tree)) = self.open.pop() else { return };
        let id = keep(&mut self.made, tree);
        let from = self.open.last().map_or(0, |t| t.0);
        self.add(0o040_000, &folder[from..end - 1], &id);
    }
}

fn keep(made: &mut Made, tree: Vec<u8>) -> ObjectId {
    let digest = Sha1::new().chain_update(format!("tree {}\0", tree.len())).chain_update(&tree).finalize();
    let id = ObjectId::from_bytes(&digest).unwrap_or_default();
    made.insert(id, Arc::new(tree));
    id
}
