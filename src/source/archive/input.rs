//! Input that can be read at any place, and windows on it.

use std::fs::File;
use std::io::{self, Read};

/// An archive as it is handed over.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Held in memory.
    Bytes(&'a [u8]),
    /// An open file, read at offsets of our own: its cursor is neither used nor kept.
    File(&'a File),
}

impl<'a> Input<'a> {
    /// Its length now.
    pub fn len(self) -> io::Result<u64> {
        match self {
            Input::Bytes(b) => Ok(b.len() as u64),
            Input::File(f) => Ok(f.metadata()?.len()),
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    fn read_at(self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Input::Bytes(b) => {
                let rest = usize::try_from(at).ok().and_then(|at| b.get(at..)).unwrap_or_default();
                let n = rest.len().min(buf.len());
                buf[..n].copy_from_slice(&rest[..n]);
                Ok(n)
            }
            #[cfg(unix)]
            Input::File(f) => std::os::unix::fs::FileExt::read_at(f, buf, at),
            #[cfg(windows)]
            Input::File(f) => std::os::windows::fs::FileExt::seek_read(f, buf, at),
        }
    }

    /// The bytes from `at` to `end`.
    pub(super) fn span(self, at: u64, end: u64) -> Span<'a> {
        Span { input: self, at, end }
    }
}

/// A window on an input, read from front to back.
pub(super) struct Span<'a> {
    input: Input<'a>,
    at: u64,
    end: u64,
}

impl Read for Span<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buf.len());
        if room == 0 {
            return Ok(0);
        }
        let n = self.input.read_at(&mut buf[..room], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
