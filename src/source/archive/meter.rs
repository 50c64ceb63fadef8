//! Readers that count, that keep to the budget and that report what fails beneath them.

use super::walk::{Level, Walk};
use crate::model::SkipReason;
use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

/// The error of a reader whose failure has been told to the sink.
#[derive(Debug)]
pub(super) struct Told;

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader below failed, as reported")
    }
}

impl std::error::Error for Told {}

impl Told {
    /// As an error to return.
    pub(super) fn error() -> io::Error {
        io::Error::other(Told)
    }

    /// Whether `error` is one.
    pub(super) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|e| e.is::<Told>())
    }
}

/// Counts what is read through it.
pub(super) struct Counted<'c, R> {
    pub(super) reader: R,
    pub(super) count: &'c Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buf)?;
        self.count.set(self.count.get() + n as u64);
        Ok(n)
    }
}

/// The top of each layer: every error that leaves it has been told, and it fails for good.
pub(super) struct Meter<'w, 'a, R> {
    walk: &'w Walk<'a>,
    level: &'w Level,
    reader: R,
    /// For a decoder: the bytes it took.
    taken: Option<&'w Cell<u64>>,
    given: u64,
    ended: bool,
    failed: bool,
}

impl<'w, 'a, R: Read> Meter<'w, 'a, R> {
    /// Over bytes that are as they were stored.
    pub(super) fn plain(walk: &'w Walk<'a>, level: &'w Level, reader: R) -> Self {
        Meter { walk, level, reader, taken: None, given: 0, ended: false, failed: false }
    }

    /// Over a decoder that has read `taken` bytes.
    pub(super) fn counting(walk: &'w Walk<'a>, level: &'w Level, reader: R, taken: &'w Cell<u64>) -> Self {
        Meter { walk, level, reader, taken: Some(taken), given: 0, ended: false, failed: false }
    }

    /// Whether everything was read, to the end.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    fn within_budget(&mut self, n: u64) -> bool {
        let Some(taken) = self.taken else { return true };
        if !self.walk.inflated(n) {
            return false;
        }
        self.given += n;
        let budget = self.walk.budget;
        if self.given > budget.floor && self.given / budget.ratio.max(1) > taken.get() {
            let detail = format!("inflates to more than {} times its size", budget.ratio);
            self.walk.tell(self.level, SkipReason::Bomb, detail);
            return false;
        }
        true
    }
}

impl<R: Read> Read for Meter<'_, '_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.failed || self.walk.stopped() {
            return Err(Told::error());
        }
        match self.reader.read(buf) {
            // The bytes that break the budget are still given, the next call fails.
            Ok(n) => {
                self.failed = !self.within_budget(n as u64);
                self.ended = n == 0 && !buf.is_empty();
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                self.failed = true;
                // A reader that was told to stop fails too, which is no fault of the input.
                if !self.walk.stopped() {
                    self.walk.fault(self.level, &e);
                }
                Err(Told::error())
            }
        }
    }
}

/// Reads until `buf` is full or nothing more comes, for whatever reason; the readers here fail for
/// good, so a failure shows again to whoever reads on.
pub(super) fn fill(reader: &mut dyn Read, buf: &mut [u8]) -> usize {
    let mut n = 0;
    while n < buf.len() {
        match reader.read(&mut buf[n..]) {
            Ok(0) => break,
            Ok(k) => n += k,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    n
}

/// Reads and drops `n` bytes; how many there were.
pub(super) fn discard(reader: &mut dyn Read, n: u64) -> u64 {
    let mut buf = [0; 16 << 10];
    let mut left = n;
    while left > 0 {
        let want = left.min(buf.len() as u64) as usize;
        let got = fill(reader, &mut buf[..want]);
        left -= got as u64;
        if got < want {
            break;
        }
    }
    n - left
}
