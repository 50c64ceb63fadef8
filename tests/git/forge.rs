//! Packs and loose objects written by hand: what git itself would never write.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use keywheel::model::ObjectId;
use libdeflater::{CompressionLvl, Compressor};
use sha1::{Digest, Sha1};
use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The codes of entries of a pack.
pub(crate) const COMMIT: u8 = 1;
pub(crate) const TREE: u8 = 2;
pub(crate) const BLOB: u8 = 3;
pub(crate) const TAG: u8 = 4;

/// The name of an object.
pub(crate) fn name(kind: &str, bytes: &[u8]) -> ObjectId {
    let sum = Sha1::new().chain_update(format!("{kind} {}\0", bytes.len())).chain_update(bytes).finalize();
    ObjectId::from_bytes(&sum).unwrap()
}

/// Bytes in zlib's frame.
pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    // Hundreds of thousands of small objects: making a compressor takes longer than using it.
    thread_local! {
        static TOOL: RefCell<Compressor> = RefCell::new(Compressor::new(CompressionLvl::fastest()));
    }
    TOOL.with_borrow_mut(|tool| {
        let mut out = vec![0; tool.zlib_compress_bound(bytes.len())];
        let len = tool.zlib_compress(bytes, &mut out).unwrap();
        out.truncate(len);
        out
    })
}

/// Zeros in zlib's frame after a head, without ever holding them.
pub(crate) fn deflated_zeros(head: &[u8], count: u64) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
    out.write_all(head).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), count), &mut out).unwrap();
    out.finish().unwrap()
}

/// A pack on its way.
#[derive(Default)]
pub(crate) struct Forge {
    entries: Vec<u8>,
    rows: Vec<(ObjectId, u64, u32)>,
}

impl Forge {
    /// Where the next entry will begin.
    pub(crate) fn next(&self) -> u64 {
        12 + self.entries.len() as u64
    }

    fn head(code: u8, mut size: u64) -> Vec<u8> {
        let mut out = vec![code << 4 | (size & 15) as u8];
        size >>= 4;
        while size > 0 {
            *out.last_mut().unwrap() |= 0x80;
            out.push((size & 0x7f) as u8);
            size >>= 7;
        }
        out
    }

    /// Any bytes as an entry, under any name; where it stands.
    pub(crate) fn raw(&mut self, id: ObjectId, entry: &[u8]) -> u64 {
        let at = self.next();
        self.entries.extend_from_slice(entry);
        self.rows.push((id, at, crc32fast::hash(entry)));
        at
    }

    /// An entry whose head claims `size` bytes.
    pub(crate) fn claiming(&mut self, id: ObjectId, code: u8, size: u64, deflated: &[u8]) -> u64 {
        self.raw(id, &[&Self::head(code, size)[..], deflated].concat())
    }

    /// A whole object.
    pub(crate) fn whole(&mut self, code: u8, bytes: &[u8]) -> ObjectId {
        let id = name(["", "commit", "tree", "blob", "tag"][usize::from(code)], bytes);
        self.claiming(id, code, bytes.len() as u64, &deflated(bytes));
        id
    }

    /// A delta against the entry at `base`.
    pub(crate) fn by_offset(&mut self, id: ObjectId, base: u64, delta: &[u8]) -> u64 {
        let mut back = self.next() - base;
        let mut distance = vec![(back & 0x7f) as u8];
        while back > 0x7f {
            back = (back >> 7) - 1;
            distance.push(0x80 | (back & 0x7f) as u8);
        }
        distance.reverse();
        let entry = [Self::head(6, delta.len() as u64), distance, deflated(delta)].concat();
        self.raw(id, &entry)
    }

    /// A delta against the object `base`.
    pub(crate) fn by_name(&mut self, id: ObjectId, base: &ObjectId, delta: &[u8]) -> u64 {
        let entry = [Self::head(7, delta.len() as u64), base.as_bytes().to_vec(), deflated(delta)].concat();
        self.raw(id, &entry)
    }

    /// The pack, whose head claims `claimed` objects.
    pub(crate) fn pack(&self, claimed: u32) -> Vec<u8> {
        let mut pack = [b"PACK\0\0\0\x02", &claimed.to_be_bytes()[..], &self.entries].concat();
        let sum = Sha1::digest(&pack);
        pack.extend_from_slice(&sum);
        pack
    }

    /// An index of version 2. `wide`: every offset but the first entry's stands in the table of large
    /// ones; git refuses an index in which none is small.
    pub(crate) fn index(&self, pack: &[u8], wide: bool) -> Vec<u8> {
        let mut rows = self.rows.clone();
        rows.sort_unstable();
        let mut out = b"\xfftOc\0\0\0\x02".to_vec();
        for first in 0..=255u8 {
            let upto = rows.partition_point(|(id, ..)| id.as_bytes()[0] <= first);
            out.extend((upto as u32).to_be_bytes());
        }
        rows.iter().for_each(|(id, ..)| out.extend(id.as_bytes()));
        rows.iter().for_each(|(.., crc)| out.extend(crc.to_be_bytes()));
        let mut large = Vec::new();
        for (_, at, _) in &rows {
            let slot = (1 << 31) | (large.len() as u32 / 8);
            let is_small = !wide || *at == 12;
            out.extend(if is_small { *at as u32 } else { slot }.to_be_bytes());
            if !is_small {
                large.extend(at.to_be_bytes());
            }
        }
        out.extend(large);
        out.extend_from_slice(&pack[pack.len() - 20..]);
        let sum = Sha1::digest(&out);
        out.extend_from_slice(&sum);
        out
    }

    /// How many objects it holds.
    pub(crate) fn len(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Writes pack and index into a folder of objects; the path of the pack.
    pub(crate) fn write(&self, objects: &Path, called: &str) -> PathBuf {
        let path = objects.join(format!("pack/pack-{called}.pack"));
        let pack = self.pack(self.len());
        fs::write(path.with_extension("idx"), self.index(&pack, false)).unwrap();
        fs::write(&path, pack).unwrap();
        path
    }
}

/// A delta by its instructions.
#[derive(Clone)]
pub(crate) struct Delta(Vec<u8>);

impl Delta {
    /// One that claims these sizes.
    pub(crate) fn new(base: u64, result: u64) -> Self {
        let mut out = Vec::new();
        for mut size in [base, result] {
            while size > 0x7f {
                out.push(0x80 | (size & 0x7f) as u8);
                size >>= 7;
            }
            out.push(size as u8);
        }
        Delta(out)
    }

    /// Copies from the base; `len` below 2²⁴.
    pub(crate) fn copy(mut self, at: u32, len: u32) -> Self {
        let (mut op, mut fields) = (0x80u8, Vec::new());
        let bytes = at.to_le_bytes().into_iter().chain(len.to_le_bytes().into_iter().take(3));
        for (i, byte) in bytes.enumerate().filter(|(_, b)| *b != 0) {
            op |= 1 << i;
            fields.push(byte);
        }
        self.0.push(op);
        self.0.extend(fields);
        self
    }

    /// Adds bytes of its own.
    pub(crate) fn insert(mut self, bytes: &[u8]) -> Self {
        for piece in bytes.chunks(127) {
            self.0.push(piece.len() as u8);
            self.0.extend_from_slice(piece);
        }
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// An entry of a tree.
pub(crate) fn row(mode: &str, called: &[u8], id: &ObjectId) -> Vec<u8> {
    [mode.as_bytes(), b" ", called, b"\0", id.as_bytes()].concat()
}

/// The text of a commit.
pub(crate) fn commit(tree: &ObjectId, parents: &[ObjectId], date: u32, message: &str) -> Vec<u8> {
    let mut text = format!("tree {tree}\n");
    parents.iter().for_each(|p| text += &format!("parent {p}\n"));
    let who = format!("A U Thor <author@example.com> {date} +0000");
    text += &format!("author {who}\ncommitter {who}\n\n{message}\n");
    text.into_bytes()
}

/// Writes a loose object from bytes in zlib's frame.
pub(crate) fn put_loose(objects: &Path, id: &ObjectId, deflated: &[u8]) -> PathBuf {
    let hex = id.to_string();
    let path = objects.join(&hex[..2]).join(&hex[2..]);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, deflated).unwrap();
    path
}
