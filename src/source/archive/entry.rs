//! The content of one member that stands between headers, as in tar, ar and cpio.

use super::meter::{Told, discard};
use super::walk::{Level, Walk};
use crate::model::SkipReason;
use std::io::{self, Read};

const CUT: &str = "the archive ends inside it";

/// A window of stated length on the archive's own bytes.
pub(super) struct Entry<'e, 'a> {
    walk: &'e Walk<'a>,
    level: &'e Level,
    reader: &'e mut dyn Read,
    left: u64,
    /// The archive ended or failed inside it, as was told.
    cut: bool,
}

impl<'e, 'a> Entry<'e, 'a> {
    /// The next `size` bytes, which are what `level` names.
    pub(super) fn new(walk: &'e Walk<'a>, level: &'e Level, reader: &'e mut dyn Read, size: u64) -> Self {
        Entry { walk, level, reader, left: size, cut: false }
    }

    /// Bytes that are still to be read.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Passes over what is left and over `padding` bytes behind it; whether the archive goes on.
    pub(super) fn finish(self, padding: u64) -> bool {
        if self.cut {
            return false;
        }
        let left = self.left.saturating_add(padding);
        if discard(self.reader, left) == left {
            return true;
        }
        if self.reader.read(&mut [0]).is_ok() {
            self.walk.tell(self.level, SkipReason::Broken, CUT.to_owned());
        }
        false
    }
}

impl Read for Entry<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.cut {
            return Err(Told::error());
        }
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        if want == 0 {
            return Ok(0);
        }
        let result = self.reader.read(&mut buf[..want]);
        match &result {
            Ok(0) => {
                self.cut = true;
                self.walk.tell(self.level, SkipReason::Broken, CUT.to_owned());
                return Err(Told::error());
            }
            Ok(n) => self.left -= *n as u64,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.cut = true,
        }
        result
    }
}
