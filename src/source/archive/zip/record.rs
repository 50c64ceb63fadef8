//! The records of a zip, as they stand in the bytes.

use std::io::{self, Read};

pub(super) const LOCAL: &[u8; 4] = b"PK\x03\x04";
pub(super) const CENTRAL: &[u8; 4] = b"PK\x01\x02";
pub(super) const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const END: &[u8; 4] = b"PK\x05\x06";
const END64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR64: &[u8; 4] = b"PK\x06\x07";

/// Bytes of the end record without its comment.
const END_LEN: usize = 22;
/// Bytes in which the end record is looked for: itself and the longest comment.
pub(super) const END_REACH: u64 = END_LEN as u64 + 0xffff;

pub(super) fn u16_at(b: &[u8], at: usize) -> u16 {
    b.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

pub(super) fn u32_at(b: &[u8], at: usize) -> u32 {
    b.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

pub(super) fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from(u32_at(b, at)) | u64::from(u32_at(b, at + 4)) << 32
}

/// One member, as the directory or its own header describes it.
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    /// Of the content; `None` if it is said only behind the content.
    pub(super) crc: Option<u32>,
    /// Bytes as stored; `None` likewise.
    pub(super) packed: Option<u64>,
    /// Bytes of content; `None` likewise.
    pub(super) size: Option<u64>,
    /// Where its own header stands; only the directory says so.
    pub(super) at: u64,
}

impl Member {
    pub(super) fn encrypted(&self) -> bool {
        self.flags & 1 != 0 || self.method == 99
    }

    /// Sizes and checksum stand behind the content.
    pub(super) fn described(&self) -> bool {
        self.flags & 8 != 0
    }

    /// The next record of the directory; `None` at its end.
    pub(super) fn central(reader: &mut dyn Read) -> io::Result<Option<Member>> {
        let mut fixed = [0; 46];
        reader.read_exact(&mut fixed[..4])?;
        if fixed[..4] != *CENTRAL {
            return Ok(None);
        }
        reader.read_exact(&mut fixed[4..])?;
        let mut name = vec![0; usize::from(u16_at(&fixed, 28))];
        reader.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(u16_at(&fixed, 30))];
        reader.read_exact(&mut extra)?;
        io::copy(&mut reader.take(u64::from(u16_at(&fixed, 32))), &mut io::sink())?;
        let mut wide = Wide::new(&extra);
        let size = wide.or(u32_at(&fixed, 24));
        let packed = wide.or(u32_at(&fixed, 20));
        let at = wide.or(u32_at(&fixed, 42));
        Ok(Some(Member {
            name,
            flags: u16_at(&fixed, 8),
            method: u16_at(&fixed, 10),
            crc: Some(u32_at(&fixed, 16)),
            packed: Some(packed),
            size: Some(size),
            at,
        }))
    }

    /// The header in front of a member's content, which stands at `at`, and its length; `None` if
    /// there is none.
    pub(super) fn local(reader: &mut dyn Read, at: u64) -> io::Result<Option<(Member, u64)>> {
        let mut fixed = [0; 30];
        reader.read_exact(&mut fixed)?;
        if fixed[..4] != *LOCAL {
            return Ok(None);
        }
        let mut name = vec![0; usize::from(u16_at(&fixed, 26))];
        reader.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(u16_at(&fixed, 28))];
        reader.read_exact(&mut extra)?;
        let len = (fixed.len() + name.len() + extra.len()) as u64;
        let mut wide = Wide::new(&extra);
        let size = wide.or(u32_at(&fixed, 22));
        let packed = wide.or(u32_at(&fixed, 18));
        let flags = u16_at(&fixed, 6);
        let known = flags & 8 == 0 || packed != 0;
        Ok(Some((
            Member {
                name,
                flags,
                method: u16_at(&fixed, 8),
                crc: known.then(|| u32_at(&fixed, 14)),
                packed: known.then_some(packed),
                size: known.then_some(size),
                at,
            },
            len,
        )))
    }
}

/// The zip64 field: it holds, in order, the values that the fixed record marks as too large.
struct Wide<'x>(&'x [u8]);

impl<'x> Wide<'x> {
    fn new(mut extra: &'x [u8]) -> Self {
        while extra.len() >= 4 {
            let len = usize::from(u16_at(extra, 2)).min(extra.len() - 4);
            let field = &extra[4..4 + len];
            if u16_at(extra, 0) == 1 {
                return Wide(field);
            }
            extra = &extra[4 + len..];
        }
        Wide(&[])
    }

    fn or(&mut self, narrow: u32) -> u64 {
        if narrow == u32::MAX && self.0.len() >= 8 {
            let value = u64_at(self.0, 0);
            self.0 = &self.0[8..];
            return value;
        }
        u64::from(narrow)
    }
}

/// Where the directory stands.
pub(super) struct Directory {
    /// Its first byte.
    pub(super) start: u64,
    /// Its first byte that is no longer a member's record.
    pub(super) end: u64,
    /// One past the end record and its comment.
    pub(super) after: u64,
    /// What to add to every offset: bytes that were put in front of the zip.
    pub(super) shift: u64,
    /// How many members it claims to have.
    count: u64,
    /// The claim has sixteen bits, which many writers let wrap around.
    wraps: bool,
}

impl Directory {
    /// Finds the directory; `tail` is the end of the zip and begins at `base`. `read` reads at an
    /// offset.
    pub(super) fn find(
        tail: &[u8],
        base: u64,
        read: &dyn Fn(u64, &mut [u8]) -> io::Result<()>,
    ) -> Option<Directory> {
        // The record whose comment ends with the file; else the last that holds together.
        let places = || memchr::memmem::rfind_iter(tail, END).filter(|at| tail.len() - at >= END_LEN);
        let ends = |at: usize| at + END_LEN + usize::from(u16_at(tail, at + 20));
        let exact = places().filter(|&at| ends(at) == tail.len());
        let loose = places().filter(|&at| ends(at) < tail.len());
        exact.chain(loose).find_map(|at| {
            let record = &tail[at..];
            let here = base + at as u64;
            let after = base + ends(at) as u64;
            Directory::wide(here, after, read).or_else(|| {
                let (size, offset) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
                let count = u64::from(u16_at(record, 10));
                Directory { start: 0, end: here, after, shift: 0, count, wraps: true }
                    .placed(size, offset, read)
            })
        })
    }

    /// Whether `n` is the number of members that it claims.
    pub(super) fn counts(&self, n: u64) -> bool {
        self.count == if self.wraps { n & 0xffff } else { n }
    }

    /// By the zip64 end record, if a locator stands in front of the end record.
    fn wide(here: u64, after: u64, read: &dyn Fn(u64, &mut [u8]) -> io::Result<()>) -> Option<Directory> {
        let mut locator = [0; 20];
        read(here.checked_sub(20)?, &mut locator).ok()?;
        if locator[..4] != *LOCATOR64 {
            return None;
        }
        let mut record = [0; 56];
        // With bytes put in front the stated place is wrong; the record usually touches its locator.
        let places = [u64_at(&locator, 8), here.saturating_sub(20 + 56)];
        let end = places.into_iter().find(|&at| read(at, &mut record).is_ok() && record[..4] == *END64)?;
        let directory =
            Directory { start: 0, end, after, shift: 0, count: u64_at(&record, 32), wraps: false };
        directory.placed(u64_at(&record, 40), u64_at(&record, 48), read)
    }

    /// Checks where the first record stands, with and without bytes in front.
    fn placed(
        mut self,
        size: u64,
        offset: u64,
        read: &dyn Fn(u64, &mut [u8]) -> io::Result<()>,
    ) -> Option<Directory> {
        let back = self.end.checked_sub(size)?;
        for start in [back, offset] {
            let mut mark = [0; 4];
            let empty = size == 0 && start == self.end;
            if empty || (start < self.end && read(start, &mut mark).is_ok() && mark == *CENTRAL) {
                self.shift = start.saturating_sub(offset);
                self.start = start;
                return Some(self);
            }
        }
        None
    }
}
