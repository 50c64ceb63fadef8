//! What surveys have looked at, so that one goes on where another ended.

use super::objects::Objects;
use super::parse::Kind;
use crate::model::ObjectId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What looks pointed at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hot {
    /// Contents of files to be read again, under their paths.
    pub blobs: BTreeSet<ObjectId>,
    /// Commits and tags whose text is to be read again.
    pub texts: BTreeSet<ObjectId>,
    /// Names of files and folders to be read again.
    pub names: BTreeSet<Vec<u8>>,
}

impl Hot {
    /// Whether looks pointed at nothing.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.texts.is_empty() && self.names.is_empty()
    }
}

/// An object that was looked at, and what the look pointed at.
#[derive(Clone, Copy, Debug)]
pub struct Learned<'a> {
    /// Its name.
    pub id: ObjectId,
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub size: u64,
    /// Whether its text is to be read again.
    pub hot: bool,
    /// Whether it makes sense. What does not stays unknown, so that every survey counts it.
    pub sound: bool,
    /// Of a tree: the names in it that are to be read again, each with the place of its entry.
    pub names: &'a [(u32, &'a [u8])],
    /// Of a tree: the blobs that rules want by the names that it gives them.
    pub wanted: &'a [ObjectId],
}

impl Learned<'_> {
    /// An object whose text was looked at.
    pub fn text(id: ObjectId, kind: Kind, size: u64, hot: bool) -> Self {
        Learned { id, kind, size, hot, sound: true, names: &[], wanted: &[] }
    }
}

/// Remembers what surveys have looked at. Called from several threads at once.
pub trait Memory: Sync {
    /// Whether it remembers nothing at all.
    fn is_empty(&self) -> bool;
    /// Whether an object was looked at, by this survey or an earlier one.
    fn knows(&self, id: &ObjectId) -> bool;
    /// Takes note of a look. `false` if the object was known already: it is not counted again.
    fn learned(&self, learned: &Learned<'_>) -> bool;
    /// All that looks pointed at. `objects` are those of the repository.
    fn hot(&self, objects: &Objects) -> Hot;
}

/// The memory of a single survey: nothing was looked at before.
#[derive(Debug, Default)]
pub struct Once(Mutex<Hot>);

impl Memory for Once {
    fn is_empty(&self) -> bool {
        true
    }

    fn knows(&self, _: &ObjectId) -> bool {
        false
    }

    fn learned(&self, learned: &Learned<'_>) -> bool {
        if learned.hot || !learned.names.is_empty() || !learned.wanted.is_empty() {
            let mut hot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match learned.kind {
                Kind::Blob if learned.hot => drop(hot.blobs.insert(learned.id)),
                Kind::Commit | Kind::Tag if learned.hot => drop(hot.texts.insert(learned.id)),
                _ => {}
            }
            for (_, name) in learned.names {
                if !hot.names.contains(*name) {
                    hot.names.insert(name.to_vec());
                }
            }
            hot.blobs.extend(learned.wanted);
        }
        true
    }

    fn hot(&self, _: &Objects) -> Hot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
