//! Packs: objects of any number in one file, most of them as deltas against others.

pub mod delta;
mod graph;
mod index;
mod midx;
mod rebuild;
mod table;
mod walk;

pub use graph::Graph;
pub use index::PackIndex;
pub use midx::MultiIndex;
pub use walk::{LARGE, Visited, Visitor, walk};

use super::file;
use super::objects::LARGEST;
use super::parse::Kind;
use crate::model::ObjectId;
use libdeflater::Decompressor;
use memmap2::Mmap;
use sha1::{Digest, Sha1};
use std::path::{Path, PathBuf};
use table::Table;

/// Longest chain of deltas that is followed; git itself makes none beyond 4095.
const CHAIN: usize = 10_000;
/// Bytes of the checksum that ends a pack.
const TRAILER: usize = 20;
/// DEFLATE cannot unfold one byte to more than this.
const RATIO: u64 = 1100;
/// Bytes that an object may take in memory for each byte of its pack. Real packs that hold large
/// objects are large themselves; a bomb is not.
const SHOWN: u64 = 32;
/// Bytes that an object of any pack may take in memory.
const LEAST: u64 = 16 << 20;

/// A pack, mapped, and the names of what it holds.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    pack: Mmap,
    /// Where its entries end.
    end: usize,
    names: Names,
}

/// Where names and offsets come from.
#[derive(Debug)]
enum Names {
    /// The index beside the pack.
    Beside { bytes: Mmap, index: PackIndex },
    /// The index over several packs, or the pack itself.
    Made(Table),
}

/// How an entry of a pack is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// In full.
    Whole(Kind),
    /// As a delta against the entry at an earlier offset of the same pack.
    OfsDelta(u64),
    /// As a delta against a named object.
    RefDelta(ObjectId),
}

/// The head of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How it is stored.
    pub stored: Stored,
    /// Bytes that it unfolds to: of the object, or of the delta.
    pub size: u64,
    /// Where its compressed bytes begin.
    pub data: usize,
}

/// Gives an object that is not in the pack.
pub type Elsewhere<'a> = dyn Fn(&ObjectId) -> Option<(Kind, Vec<u8>)> + 'a;

impl Pack {
    /// Maps a pack and the index beside it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut pack = Pack::without_index(path)?;
        pack.check_head()?;
        pack.take_index().map_err(|e| format!("its index: {e}"))?;
        Ok(pack)
    }

    /// Maps a pack of which no object has a name yet.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(in crate::source::git) fn without_index(path: &Path) -> Result<Self, String> {
        let pack = map(path)?;
        let end = pack.len().saturating_sub(TRAILER);
        Ok(Pack { path: path.to_owned(), pack, end, names: Names::Made(Table::default()) })
    }

    /// Reads how it begins. Behind a damaged head all entries may still be whole.
    ///
    /// # Errors
    /// It does not begin as a pack does.
    pub(in crate::source::git) fn check_head(&self) -> Result<(), String> {
        match self.pack.get(..8) {
            Some(b"PACK\0\0\0\x02" | b"PACK\0\0\0\x03") => Ok(()),
            _ => Err("it does not begin as a pack does".to_owned()),
        }
    }

    /// Takes the names from the index beside it.
    ///
    /// # Errors
    /// There is none, or it is damaged or another pack's, in words.
    pub(in crate::source::git) fn take_index(&mut self) -> Result<(), String> {
        let bytes = map(&self.path.with_extension("idx"))?;
        let index = PackIndex::parse(&bytes)?;
        // Its last words but its own checksum are the pack's.
        let told = bytes.len().checked_sub(2 * TRAILER).and_then(|at| bytes.get(at..at + TRAILER));
        if index.len() != self.claimed() || told != self.pack.get(self.end()..) {
            return Err("it is another pack's".to_owned());
        }
        self.names = Names::Beside { bytes, index };
        Ok(())
    }

    /// Reads the whole index beside it, which opening does not.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(in crate::source::git) fn check_index(&self) -> Result<(), &'static str> {
        match &self.names {
            Names::Beside { bytes, .. } if !is_sealed(bytes) => Err("it is not as it was written"),
            Names::Beside { bytes, index } => index.check(bytes, 12..self.end() as u64),
            Names::Made(_) => Ok(()),
        }
    }

    /// Takes the names from the index over several packs if that knows all of them, or from the
    /// pack itself. Tells what was lost, in words.
    pub(in crate::source::git) fn make_index(&mut self, over: Option<&MultiIndex>) -> Option<String> {
        let beside = self.path.with_extension("idx");
        let told = over.and_then(|o| o.table(beside.file_name()?.as_encoded_bytes()));
        if let Some(table) = told.filter(|t| t.len() == self.claimed() && t.is_within(12..self.end() as u64))
        {
            self.names = Names::Made(table);
            return None;
        }
        if !is_sealed(&self.pack) {
            // A pack that was cut has no checksum behind its last entry.
            self.end = self.pack.len();
        }
        let rebuilt = rebuild::rebuild(self);
        self.names = Names::Made(rebuilt.table);
        rebuilt.lost
    }

    /// Where its entries end.
    fn end(&self) -> usize {
        self.end
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.pack
    }

    /// How many objects its index names.
    pub fn len(&self) -> u32 {
        match &self.names {
            Names::Beside { index, .. } => index.len(),
            Names::Made(table) => table.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most bytes that one of its objects may take in memory, so that a small pack costs little
    /// whatever it claims. Whole objects beyond it can still be read as streams.
    pub fn most(&self) -> u64 {
        (self.pack.len() as u64).saturating_mul(SHOWN).clamp(LEAST, LARGEST)
    }

    /// How many objects its own head claims.
    pub fn claimed(&self) -> u32 {
        self.pack.get(8..12).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
    }

    /// The name at a position of the index.
    pub fn id(&self, at: u32) -> ObjectId {
        match &self.names {
            Names::Beside { bytes, index } => index.id(bytes, at),
            Names::Made(table) => table.row(at).0,
        }
    }

    /// The offset at a position of the index.
    pub fn offset(&self, at: u32) -> Option<u64> {
        match &self.names {
            Names::Beside { bytes, index } => index.offset(bytes, at),
            Names::Made(table) => Some(table.row(at).1),
        }
    }

    /// The position of a name in the index.
    pub fn find(&self, id: &ObjectId) -> Option<u32> {
        let at = self.lower(id);
        (at < self.len() && self.id(at) == *id).then_some(at)
    }

    /// The position in the index of the first name not less than `id`.
    pub fn lower(&self, id: &ObjectId) -> u32 {
        match &self.names {
            Names::Beside { bytes, index } => index.lower(bytes, id),
            Names::Made(table) => table.lower(id),
        }
    }

    /// Reads the head of the entry at `offset`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn entry(&self, offset: u64) -> Result<Entry, &'static str> {
        const SHORT: &str = "its entry lies outside of the pack";
        let end = self.end();
        let mut at = usize::try_from(offset).ok().filter(|&o| (12..end).contains(&o)).ok_or(SHORT)?;
        let mut next = || {
            let b = *self.pack[..end].get(at).ok_or(SHORT)?;
            at += 1;
            Ok::<u8, &'static str>(b)
        };
        let first = next()?;
        let mut size = u64::from(first & 15);
        let (mut shift, mut more) = (4, first & 0x80 != 0);
        while more {
            let b = next()?;
            if shift > 57 {
                return Err("its entry claims a size beyond all bounds");
            }
            size |= u64::from(b & 0x7f) << shift;
            shift += 7;
            more = b & 0x80 != 0;
        }
        let stored = match first >> 4 & 7 {
            1 => Stored::Whole(Kind::Commit),
            2 => Stored::Whole(Kind::Tree),
            3 => Stored::Whole(Kind::Blob),
            4 => Stored::Whole(Kind::Tag),
            6 => {
                let mut b = next()?;
                let mut back = u64::from(b & 0x7f);
                while b & 0x80 != 0 {
                    b = next()?;
                    back = back.checked_add(1).and_then(|v| v.checked_mul(128)).ok_or(SHORT)?;
                    back |= u64::from(b & 0x7f);
                }
                let base = offset.checked_sub(back).filter(|_| back > 0);
                Stored::OfsDelta(base.ok_or("its delta points before the pack")?)
            }
            7 => {
                let id = self.pack[..end].get(at..at + ObjectId::LEN).and_then(ObjectId::from_bytes);
                at += ObjectId::LEN;
                Stored::RefDelta(id.ok_or(SHORT)?)
            }
            _ => return Err("its entry has an unknown type"),
        };
        Ok(Entry { stored, size, data: at })
    }

    /// What the object at `offset` is: what its chain of deltas ends in. `other` tells it of a base that
    /// is not in this pack.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn kind(
        &self,
        mut offset: u64,
        other: &dyn Fn(&ObjectId) -> Option<Kind>,
    ) -> Result<Kind, &'static str> {
        for _ in 0..=CHAIN {
            match self.entry(offset)?.stored {
                Stored::Whole(kind) => return Ok(kind),
                Stored::OfsDelta(base) => offset = base,
                Stored::RefDelta(id) => match self.find(&id).and_then(|i| self.offset(i)) {
                    Some(base) => offset = base,
                    None => return other(&id).ok_or("the base of its delta is not there"),
                },
            }
        }
        Err("its chain of deltas has no end")
    }

    /// Unfolds an entry's bytes into `out`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn inflate(
        &self,
        entry: &Entry,
        tool: &mut Decompressor,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        let end = self.end();
        let data = self.pack.get(entry.data..end).ok_or("its entry lies outside of the pack")?;
        if entry.size / RATIO > data.len() as u64 {
            return Err("its entry claims more bytes than its data can unfold to");
        }
        let size = usize::try_from(entry.size).map_err(|_| "its entry is larger than memory")?;
        out.clear();
        out.resize(size, 0);
        match tool.zlib_decompress(data, out) {
            Ok(n) if n == size => Ok(()),
            Ok(_) => Err("its data unfolds to less than its entry says"),
            Err(_) => Err("its data does not unfold"),
        }
    }

    /// Reads the object at `offset`, its chain of deltas undone. `other` gives the bytes of a base
    /// that is not in this pack.
    ///
    /// # Errors
    /// What is wrong, in words; that it is larger than [`Pack::most`] among it.
    pub fn read(&self, offset: u64, other: &Elsewhere<'_>) -> Result<(Kind, Vec<u8>), &'static str> {
        let most = self.most();
        let mut chain = Vec::new();
        let mut tool = Decompressor::new();
        let mut at = offset;
        let (kind, mut base) = loop {
            let entry = self.entry(at)?;
            if entry.size > most {
                return Err(TOO_LARGE);
            }
            match entry.stored {
                Stored::Whole(kind) => {
                    let mut bytes = Vec::new();
                    self.inflate(&entry, &mut tool, &mut bytes)?;
                    break (kind, bytes);
                }
                Stored::OfsDelta(base) => {
                    chain.push(entry);
                    at = base;
                }
                Stored::RefDelta(id) => {
                    chain.push(entry);
                    match self.find(&id).and_then(|i| self.offset(i)) {
                        Some(base) => at = base,
                        None => break other(&id).ok_or("the base of its delta is not there")?,
                    }
                }
            }
            if chain.len() > CHAIN {
                return Err("its chain of deltas has no end");
            }
        };
        let (mut delta, mut out) = (Vec::new(), Vec::new());
        while let Some(entry) = chain.pop() {
            self.inflate(&entry, &mut tool, &mut delta)?;
            if delta::sizes(&delta).is_some_and(|(_, result, _)| result > most) {
                return Err(TOO_LARGE);
            }
            delta::apply(&base, &delta, &mut out)?;
            std::mem::swap(&mut base, &mut out);
        }
        Ok((kind, base))
    }
}

const TOO_LARGE: &str = "it takes more memory than an object of such a pack may";

/// Whether a file ends in the checksum of what stands before it.
fn is_sealed(bytes: &[u8]) -> bool {
    bytes.split_last_chunk::<TRAILER>().is_some_and(|(all, sum)| Sha1::digest(all).as_slice() == sum)
}

/// Maps a file of a pack.
fn map(path: &Path) -> Result<Mmap, String> {
    let file = file::open_own(path).map_err(|e| e.to_string())?;
    // SAFETY: git never changes a pack or an index once it has its name; whoever can cut one under us
    // owns the repository, and gains no more than the end of the scan.
    unsafe { Mmap::map(&file) }.map_err(|e| e.to_string())
}
