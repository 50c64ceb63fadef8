//! Reads many objects one after another. Versions of a file are deltas against each other: what one
//! was made from is kept for the next, so that each link of a chain is unfolded once.

use super::pack::{Pack, Stored, delta};
use super::parse::Kind;
use super::{GitError, Objects};
use crate::model::ObjectId;
use ahash::AHashMap;
use libdeflater::Decompressor;
use std::sync::Arc;

/// Bytes of one generation of bases; two are held.
const HELD: usize = 8 << 20;
/// Deltas against deltas that are followed here; longer chains are left to [`Objects`].
const CHAIN: usize = 4096;

/// An object in a pack.
type Place = (usize, u64);
/// What it unfolds to.
type Unfolded = (Kind, Arc<Vec<u8>>);

/// Reads objects, and keeps bases. One for each thread.
pub struct Reader<'a> {
    objects: &'a Objects,
    tool: Decompressor,
    delta: Vec<u8>,
    young: AHashMap<Place, Unfolded>,
    old: AHashMap<Place, Unfolded>,
    /// Bytes of `young`.
    held: usize,
}

impl<'a> Reader<'a> {
    /// Reads from `objects`.
    pub fn new(objects: &'a Objects) -> Self {
        Reader {
            objects,
            tool: Decompressor::new(),
            delta: Vec::new(),
            young: AHashMap::new(),
            old: AHashMap::new(),
            held: 0,
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// As [`Objects::read`].
    pub fn read(&mut self, id: &ObjectId) -> Result<(Kind, Arc<Vec<u8>>), GitError> {
        let objects = self.objects;
        if let Some((pack, offset)) = objects.packed(id)
            && let Some(found) = self.unfold(pack, offset)
        {
            return Ok(found);
        }
        // Loose, damaged, or a delta against what another pack holds.
        objects.read(id).map(|object| (object.kind, Arc::new(object.bytes)))
    }

    /// Reads an object that has to be of one kind.
    ///
    /// # Errors
    /// As [`Objects::read_as`].
    pub fn read_as(&mut self, id: &ObjectId, kind: Kind) -> Result<Arc<Vec<u8>>, GitError> {
        match self.read(id) {
            Ok((found, bytes)) if found == kind => Ok(bytes),
            // The empty tree need not be stored, and another kind has its own error.
            _ => self.objects.read_as(id, kind).map(Arc::new),
        }
    }

    fn unfold(&mut self, pack: &Pack, offset: u64) -> Option<Unfolded> {
        let place = |offset| (std::ptr::from_ref(pack) as usize, offset);
        let mut chain = Vec::new();
        let mut at = offset;
        let (kind, mut bytes) = loop {
            if let Some(found) = self.known(place(at)) {
                break found;
            }
            let entry = pack.entry(at).ok().filter(|e| e.size <= pack.most())?;
            match entry.stored {
                Stored::Whole(kind) => {
                    let mut bytes = Vec::new();
                    pack.inflate(&entry, &mut self.tool, &mut bytes).ok()?;
                    break self.keep(place(at), (kind, Arc::new(bytes)));
                }
                Stored::OfsDelta(base) => {
                    chain.push((at, entry));
                    at = base;
                }
                Stored::RefDelta(id) => {
                    chain.push((at, entry));
                    at = pack.find(&id).and_then(|i| pack.offset(i))?;
                }
            }
            if chain.len() > CHAIN {
                return None;
            }
        };
        while let Some((at, entry)) = chain.pop() {
            pack.inflate(&entry, &mut self.tool, &mut self.delta).ok()?;
            delta::sizes(&self.delta).filter(|(_, result, _)| *result <= pack.most())?;
            let mut out = Vec::new();
            delta::apply(&bytes, &self.delta, &mut out).ok()?;
            bytes = self.keep(place(at), (kind, Arc::new(out))).1;
        }
        Some((kind, bytes))
    }

    fn known(&mut self, place: Place) -> Option<Unfolded> {
        if let Some(found) = self.young.get(&place) {
            return Some(found.clone());
        }
        let found = self.old.get(&place)?.clone();
        Some(self.keep(place, found))
    }

    fn keep(&mut self, place: Place, unfolded: Unfolded) -> Unfolded {
        let len = unfolded.1.len();
        if len < HELD {
            if self.held + len > HELD {
                self.old = std::mem::take(&mut self.young);
                self.held = 0;
            }
            self.held += len;
            self.young.insert(place, unfolded.clone());
        }
        unfolded
    }
}

/// What an object's chain of deltas begins with, as a place in a pack: objects of one family are
/// best read one after another. `None` for what is not packed, or damaged.
pub(super) fn family(objects: &Objects, id: &ObjectId) -> Option<(usize, u64)> {
    let (pack, mut at) = objects.packed(id)?;
    for _ in 0..CHAIN {
        at = match pack.entry(at).ok()?.stored {
            Stored::Whole(_) => return Some((std::ptr::from_ref(pack) as usize, at)),
            Stored::OfsDelta(base) => base,
            Stored::RefDelta(id) => pack.find(&id).and_then(|i| pack.offset(i))?,
        };
    }
    None
}
