//! What the checked-out commit has under a path.

use crate::model::{ObjectId, RawPath};
use crate::source::git::Objects;
use crate::source::git::commits::Commits;
use crate::source::git::diff::Trees;
use crate::source::git::parse::{self, Commit, Kind};
use ahash::AHashMap;

/// Answers for many paths; each folder is read once.
pub(super) struct Head<'a> {
    trees: Trees<'a>,
    root: Option<ObjectId>,
    folders: AHashMap<ObjectId, AHashMap<Box<[u8]>, ObjectId>>,
}

impl<'a> Head<'a> {
    pub(super) fn new(objects: &'a Objects, commits: &Commits, head: Option<ObjectId>) -> Self {
        let tree = |id: ObjectId| match commits.number(&id) {
            Some(n) => Some(commits.tree(n)),
            None => Some(Commit::parse(&objects.read_as(&id, Kind::Commit).ok()?)?.tree),
        };
        Head { trees: Trees::new(objects), root: head.and_then(tree), folders: AHashMap::new() }
    }

    /// The object at a path; `None` too if the way there cannot be read.
    pub(super) fn at(&mut self, path: &RawPath) -> Option<ObjectId> {
        let mut at = self.root?;
        for part in path.as_bytes().split(|&b| b == b'/') {
            if !self.folders.contains_key(&at) {
                let bytes = self.trees.read(&at).ok()?;
                let list = parse::entries(&bytes).map(|e| (e.name.into(), e.id)).collect();
                self.folders.insert(at, list);
            }
            at = *self.folders[&at].get(part)?;
        }
        Some(at)
    }
}
