//! Sparse members: stored without their holes, which are filled in again so that places are right.

use super::header::{BLOCK, Header, Pax, decimal, number};
use crate::source::archive::meter::fill;
use std::io::{self, Read};

/// Most stretches of a map that are kept.
const STRETCHES: usize = 1 << 16;

/// Where the stored bytes of a sparse member belong.
pub(super) struct Holes {
    /// Offset and length of each stretch, ascending.
    stretches: Vec<(u64, u64)>,
    size: u64,
}

impl Holes {
    /// The map of an old GNU sparse member: in its header and the blocks that follow.
    pub(super) fn gnu(header: &Header, reader: &mut dyn Read) -> Result<Option<Holes>, &'static str> {
        let mut numbers = Vec::new();
        let mut fields = |block: &[u8]| {
            // An entry of zero bytes in the middle is legal; the unused ones at the end read as zero.
            numbers.extend(block.chunks_exact(12).map_while(number));
        };
        fields(&header.block[386..386 + 4 * 24]);
        let mut more = header.block[482] != 0;
        let mut blocks = 0;
        while more {
            let mut block = [0; BLOCK];
            if fill(reader, &mut block) < BLOCK {
                return Err("ends inside a sparse map");
            }
            blocks += 1;
            if blocks <= STRETCHES / 21 {
                fields(&block[..21 * 24]);
            }
            more = block[504] != 0;
        }
        let size = number(&header.block[483..495]).ok_or("a sparse member without a size")?;
        Holes::new(&numbers, size).map(Some).ok_or("a sparse map that does not parse")
    }

    /// The map of a pax sparse member, if it is one: in its records, or in front of `content`.
    pub(super) fn pax(pax: &Pax, content: &mut dyn Read) -> Result<Option<Holes>, &'static str> {
        let Some(size) = pax.real_size else { return Ok(None) };
        let holes = match &pax.map {
            Some(map) => Holes::new(map, size),
            None if pax.map_ahead => Holes::ahead(content, size),
            None => return Ok(None),
        };
        holes.map(Some).ok_or("a sparse map that does not parse")
    }

    fn ahead(content: &mut dyn Read, size: u64) -> Option<Holes> {
        let mut lines = Lines { content, block: [0; BLOCK], at: BLOCK };
        let count = usize::try_from(lines.number()?).ok().filter(|n| *n <= STRETCHES)?;
        let numbers = (0..2 * count).map(|_| lines.number()).collect::<Option<Vec<_>>>()?;
        Holes::new(&numbers, size)
    }

    fn new(numbers: &[u64], size: u64) -> Option<Holes> {
        let mut stretches = Vec::with_capacity(numbers.len() / 2);
        let mut end = 0;
        for pair in numbers.chunks_exact(2) {
            let (offset, len) = (pair[0], pair[1]);
            if len == 0 {
                continue;
            }
            if offset < end {
                return None;
            }
            end = offset.checked_add(len).filter(|end| *end <= size)?;
            stretches.push((offset, len));
        }
        Some(Holes { stretches, size })
    }

    /// `content` with the holes filled with zeros.
    pub(super) fn filled<'r>(self, content: &'r mut dyn Read) -> impl Read + 'r {
        Filled { content, stretches: self.stretches.into_iter().peekable(), at: 0, size: self.size }
    }
}

struct Filled<'r> {
    content: &'r mut dyn Read,
    stretches: std::iter::Peekable<std::vec::IntoIter<(u64, u64)>>,
    at: u64,
    size: u64,
}

impl Read for Filled<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.stretches.next_if(|(offset, len)| offset + len <= self.at).is_some() {}
        let (stored, until) = match self.stretches.peek() {
            Some(&(offset, len)) if offset <= self.at => (true, offset + len),
            Some(&(offset, _)) => (false, offset),
            None => (false, self.size),
        };
        let room = usize::try_from(until.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buf.len());
        let n = if stored {
            match self.content.read(&mut buf[..room])? {
                0 if room > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => n,
            }
        } else {
            buf[..room].fill(0);
            room
        };
        self.at += n as u64;
        Ok(n)
    }
}

/// Decimal numbers, one a line, in whole blocks.
struct Lines<'r> {
    content: &'r mut dyn Read,
    block: [u8; BLOCK],
    at: usize,
}

impl Lines<'_> {
    fn number(&mut self) -> Option<u64> {
        let mut digits = Vec::new();
        loop {
            if self.at == BLOCK {
                if fill(self.content, &mut self.block) < BLOCK {
                    return None;
                }
                self.at = 0;
            }
            let b = self.block[self.at];
            self.at += 1;
            if b == b'\n' {
                return decimal(&digits);
            }
            if digits.len() == 20 {
                return None;
            }
            digits.push(b);
        }
    }
}
