//! Zip, read by its directory, and by the members' own headers where the directory is silent.
//!
//! Written here rather than taken from a crate because a scanner must see what a reader may ignore:
//! members that share a name, members that no directory lists, bytes in front and in between, and
//! whatever is left of an archive that was cut off.

mod record;

use super::meter::{Counted, Meter, fill};
use super::walk::{Level, Walk};
use super::{Input, decode};
use crate::model::SkipReason;
use crate::source::chunk::Mark;
use record::{DESCRIPTOR, Directory, END_REACH, LOCAL, Member};
use std::cell::Cell;
use std::io::{self, BufReader, Read};

/// Reads a zip of `len` bytes and hands each member to the walk.
pub(super) fn walk(walk: &Walk<'_>, input: Input<'_>, len: u64, level: &Level) {
    let mut zip = Zip { walk, input, len, level, known: Vec::new(), mark: Mark::default() };
    zip.run();
}

struct Zip<'z, 'a> {
    walk: &'z Walk<'a>,
    input: Input<'z>,
    len: u64,
    level: &'z Level,
    /// Stretches that were read or accounted for.
    known: Vec<(u64, u64)>,
    /// A place up to which lines were counted.
    mark: Mark,
}

impl Zip<'_, '_> {
    fn run(&mut self) {
        match self.directory() {
            Ok(Some(directory)) => self.members(&directory),
            Ok(None) => {
                self.broken("no directory: cut off, or not a zip");
                self.locals(0, self.len);
            }
            Err(e) => return self.walk.fault(self.level, &e),
        }
        self.gaps();
    }

    fn directory(&self) -> io::Result<Option<Directory>> {
        let base = self.len.saturating_sub(END_REACH);
        let mut tail = Vec::new();
        self.input.span(base, self.len).read_to_end(&mut tail)?;
        let read = |at: u64, buf: &mut [u8]| self.input.span(at, self.len).read_exact(buf);
        Ok(Directory::find(&tail, base, &read))
    }

    /// Reads the members that the directory lists.
    fn members(&mut self, directory: &Directory) {
        let mut records = BufReader::new(self.input.span(directory.start, directory.after));
        self.known.push((directory.start, directory.after));
        let mut count = 0u64;
        // The end is where the records end: a count can lie.
        loop {
            let member = match Member::central(&mut records) {
                Ok(Some(member)) => member,
                Ok(None) => break,
                Err(e) => return self.walk.fault(self.level, &e),
            };
            if !self.walk.entry() {
                return;
            }
            count += 1;
            let at = member.at.saturating_add(directory.shift);
            match Member::local(&mut BufReader::with_capacity(512, self.input.span(at, self.len)), at) {
                Ok(Some((local, head))) => {
                    let start = at + head;
                    let end = start.saturating_add(member.packed.unwrap_or(0));
                    self.known.push((at, end.min(self.len).saturating_add(self.descriptor_len(&local, end))));
                    self.member(&member, start, end);
                }
                Ok(None) => self.broken_member(&member, "its header is not where the directory says"),
                Err(e) => self.walk.fault(&self.level.inner(&member.name), &e),
            }
        }
        if !directory.counts(count) {
            self.broken("its directory lists another number of members than it says");
        }
    }

    /// Reads members by their own headers, from `at` on while there are any.
    fn locals(&mut self, mut at: u64, end: u64) {
        while at < end {
            let mut head = BufReader::with_capacity(512, self.input.span(at, end));
            let Ok(Some((member, len))) = Member::local(&mut head, at) else { return };
            if !self.walk.entry() {
                return;
            }
            let start = at + len;
            let stop = match member.packed {
                Some(packed) => start.saturating_add(packed),
                None => self.described_end(start, end),
            };
            self.member(&member, start, stop);
            let next = stop.saturating_add(self.descriptor_len(&member, stop)).min(end);
            self.known.push((at, next));
            at = next;
        }
    }

    /// Where the content that begins at `start` ends: at the descriptor that states its length.
    fn described_end(&self, start: u64, end: u64) -> u64 {
        let mut window = vec![0; 64 << 10];
        let mut at = start;
        while at < end && !self.walk.stopped() {
            let n = fill(&mut self.input.span(at, end), &mut window);
            for found in memchr::memmem::find_iter(&window[..n], DESCRIPTOR) {
                let place = at + found as u64;
                if n - found >= 16 && u64::from(record::u32_at(&window, found + 8)) == place - start {
                    return place;
                }
            }
            if n < window.len() {
                break;
            }
            at += (n - 15) as u64;
        }
        end
    }

    /// Bytes of the descriptor behind content that ends at `end`. Its mark is optional and its sizes
    /// come in two widths, so what follows it has to tell.
    fn descriptor_len(&self, member: &Member, end: u64) -> u64 {
        let mut bytes = [0; 26];
        if !member.described() {
            return 0;
        }
        let n = fill(&mut self.input.span(end, self.len), &mut bytes);
        let marked = bytes.starts_with(DESCRIPTOR);
        let lengths: &[usize] = if marked { &[16, 24] } else { &[12, 20] };
        let len = lengths.iter().find(|&&len| bytes[..n].get(len..len + 2) == Some(b"PK"));
        len.map_or(if marked { 16 } else { 0 }, |&len| len as u64)
    }

    /// Unpacks the member whose packed bytes stand from `start` to `end`.
    fn member(&self, member: &Member, start: u64, end: u64) {
        let level = self.level.inner(&member.name);
        if member.encrypted() {
            return self.walk.tell(&level, SkipReason::Encrypted, String::new());
        }
        let taken = Cell::new(0);
        let stored = Meter::plain(self.walk, &level, self.input.span(start, end.min(self.len)));
        let input = BufReader::with_capacity(decode::BUFFER, Counted { reader: stored, count: &taken });
        let decoder = match decode::method(member.method, member.size, input, level.room) {
            Ok(Some(decoder)) => decoder,
            Ok(None) => {
                let detail = format!("zip method {}", member.method);
                return self.walk.tell(&level, SkipReason::Unsupported, detail);
            }
            Err(e) => return self.walk.fault(&level, &e),
        };
        let checked = Checked { decoder, crc: flate2::Crc::new(), given: 0, member };
        let mut meter = Meter::counting(self.walk, &level, checked, &taken);
        if !member.name.ends_with(b"/") {
            return self.walk.member(&mut meter, &level);
        }
        // A folder is no empty file; one with content is read like any other member.
        let mut first = [0];
        if fill(&mut meter, &mut first) > 0 {
            self.walk.member(&mut first.chain(meter), &level);
        }
    }

    /// Reads what neither the directory nor a member accounts for.
    fn gaps(&mut self) {
        self.known.sort_unstable();
        let mut at = 0;
        for (start, end) in std::mem::take(&mut self.known).into_iter().chain([(self.len, self.len)]) {
            if self.walk.stopped() {
                return;
            }
            if start > at {
                self.gap(at, start);
            }
            at = at.max(end);
        }
    }

    fn gap(&mut self, at: u64, end: u64) {
        let mut head = [0; 4];
        let n = fill(&mut self.input.span(at, end), &mut head);
        let mut at = at;
        if head[..n] == *LOCAL {
            self.locals(at, end);
            at = self.known.drain(..).map(|(_, end)| end).max().unwrap_or(at);
        }
        if at >= end || self.only_zeros(at, end) {
            return;
        }
        // Lines are counted from the front of the file, as for any text in it.
        let mut before = self.input.span(self.mark.base, at);
        self.mark = self.walk.count(&mut before, self.level, self.mark);
        let mut rest = Meter::plain(self.walk, self.level, self.input.span(at, end));
        self.mark = self.walk.scan(&mut rest, self.level, self.mark).mark;
    }

    fn only_zeros(&self, at: u64, end: u64) -> bool {
        let mut span = self.input.span(at, end);
        let mut buf = [0; 4096];
        loop {
            match fill(&mut span, &mut buf) {
                0 => return true,
                // Whoever reads on finds the walk ended.
                _ if self.walk.stopped() => return false,
                n if buf[..n].iter().any(|b| *b != 0) => return false,
                _ => {}
            }
        }
    }

    fn broken(&self, why: &str) {
        self.walk.tell(self.level, SkipReason::Broken, why.to_owned());
    }

    fn broken_member(&self, member: &Member, why: &str) {
        self.walk.tell(&self.level.inner(&member.name), SkipReason::Broken, why.to_owned());
    }
}

/// Holds a member's content against the size and the checksum that the zip states.
struct Checked<'m, R> {
    decoder: R,
    crc: flate2::Crc,
    given: u64,
    member: &'m Member,
}

impl<R: Read> Read for Checked<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.decoder.read(buf)?;
        self.crc.update(&buf[..n]);
        self.given += n as u64;
        if n == 0 && !buf.is_empty() {
            if self.member.size.is_some_and(|size| size != self.given) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its size is not the stated one"));
            }
            if self.member.crc.is_some_and(|crc| crc != self.crc.sum()) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum does not hold"));
            }
        }
        Ok(n)
    }
}
