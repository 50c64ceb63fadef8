//! Tar: v7, ustar, GNU and pax, read block by block.
//!
//! Written here rather than taken from a crate because hostile archives decide it: long names and
//! pax records have a bound, a damaged header does not end the archive, and nothing behind the end
//! marker goes unread.

mod header;
mod sparse;

pub(super) use header::{decimal, is_tar};

use super::entry::Entry;
use super::meter::{Counted, Meter, discard, fill};
use super::walk::{Level, Walk};
use crate::model::SkipReason;
use header::{BLOCK, Header, Pax};
use sparse::Holes;
use std::cell::Cell;
use std::io::{self, Read};

/// Most bytes of a name or of a pax record that are kept; what goes beyond is passed over.
const NOTE: u64 = 1 << 20;

/// Reads a tar to the end of `reader` and hands each member to the walk.
pub(super) fn walk(walk: &Walk<'_>, reader: &mut dyn Read, level: &Level) {
    Tar { walk, level, reader }.run();
}

struct Tar<'t, 'a> {
    walk: &'t Walk<'a>,
    level: &'t Level,
    reader: &'t mut dyn Read,
}

impl Tar<'_, '_> {
    fn run(&mut self) {
        let mut pax = Pax::default();
        let mut global = Pax::default();
        let (mut ended, mut lost) = (false, false);
        while !self.walk.stopped() {
            let mut block = [0; BLOCK];
            let n = match self.block(&mut block) {
                Ok(n) => n,
                Err(_) => return,
            };
            if block.iter().all(|&b| b == 0) {
                if n < BLOCK {
                    if !ended {
                        self.broken("ends without its end marker");
                    }
                    return;
                }
                ended = true;
                continue;
            }
            let header = Header::parse(&block).filter(|_| n == BLOCK);
            let Some(header) = header else {
                // One report for each stretch that is no header; the next good one is found again.
                if !lost {
                    self.broken(if n < BLOCK { "ends inside a header" } else { "not a tar header" });
                }
                if n < BLOCK {
                    return;
                }
                lost = true;
                continue;
            };
            (lost, ended) = (false, false);
            let more = match header.kind {
                // Solaris writes the same records under a name of its own.
                b'x' | b'X' => self.note(&header, |note| pax.records(note)),
                b'g' => self.note(&header, |note| global.records(note)),
                b'L' => self.note(&header, |note| pax.name = Some(header::until_nul(note).to_vec())),
                b'K' => self.note(&header, |_| ()),
                _ => {
                    let pax = std::mem::take(&mut pax).over(&global);
                    self.member(&header, &pax)
                }
            };
            if !more {
                return;
            }
        }
    }

    /// Reads one block; fewer bytes at the end.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> io::Result<usize> {
        let n = fill(self.reader, block);
        // A failure shows again, which makes the difference to an end.
        if n < BLOCK { self.reader.read(&mut [0]).map(|_| n) } else { Ok(n) }
    }

    /// Reads what describes the next member; whether to go on.
    fn note(&mut self, header: &Header, take: impl FnOnce(&[u8])) -> bool {
        let mut note = Vec::new();
        let kept = header.size.min(NOTE);
        let read = (&mut *self.reader).take(kept).read_to_end(&mut note);
        let left = header.padded().saturating_sub(note.len() as u64);
        if read.is_err() {
            return false;
        }
        take(&note);
        let whole = note.len() as u64 == kept && discard(self.reader, left) == left;
        if !whole {
            self.broken("ends inside a long name");
        }
        whole
    }

    /// Hands on one member; whether to go on.
    fn member(&mut self, header: &Header, pax: &Pax) -> bool {
        if !self.walk.entry() {
            return false;
        }
        let level = self.level.inner(pax.name.as_deref().unwrap_or(&header.name));
        // Links, devices and folders have no content, whatever their size field says.
        if matches!(header.kind, b'1'..=b'6') {
            return true;
        }
        // Before there was a flag for folders, a slash at the end was it.
        if level.provenance.name().as_bytes().ends_with(b"/") && pax.size.unwrap_or(header.size) == 0 {
            return true;
        }
        let broken = |why: &str| self.walk.tell(&level, SkipReason::Broken, why.to_owned());
        let map = match header.kind {
            b'S' => Some(Holes::gnu(header, self.reader)),
            _ => None,
        };
        let size = pax.size.unwrap_or(header.size);
        let mut entry = Entry::new(self.walk, &level, self.reader, size);
        let map = map.unwrap_or_else(|| Holes::pax(pax, &mut entry)).unwrap_or_else(|why| {
            broken(why);
            None
        });
        match map {
            Some(holes) => {
                let taken = Cell::new(0);
                let whole = {
                    let mut stored = Counted { reader: &mut entry, count: &taken };
                    let filled = holes.filled(&mut stored);
                    let mut meter = Meter::counting(self.walk, &level, filled, &taken);
                    self.walk.member(&mut meter, &level);
                    meter.ended()
                };
                if whole && entry.left() > 0 {
                    broken("stored bytes that its sparse map leaves out");
                }
            }
            None => self.walk.member(&mut entry, &level),
        }
        entry.finish(header::padding(size))
    }

    fn broken(&self, why: &str) {
        self.walk.tell(self.level, SkipReason::Broken, why.to_owned());
    }
}
