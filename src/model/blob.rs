//! The unit of scanning and the seam by which sources hand it over.

use super::{Provenance, Skipped};
use std::sync::Arc;

/// Bytes to scan and where they came from. A large file arrives as several overlapping blobs.
#[derive(Clone)]
pub struct Blob<'a> {
    /// What to scan.
    pub bytes: &'a [u8],
    /// Where it was read from.
    pub provenance: Arc<Provenance>,
    /// What `bytes` is of the whole, when it is not all of it.
    pub part: Part,
}

/// The place of a blob's bytes in a larger whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Offset of `bytes[0]` in the whole.
    pub base: u64,
    /// Bytes at the front that repeat the previous part: context only, nothing starts there.
    pub lead: usize,
    /// Bytes at the back that the next part repeats: something may end there, nothing starts there.
    pub trail: usize,
    /// Line breaks before `bytes[0]`.
    pub lines: u64,
    /// Characters between the last line break before `bytes[0]` and `bytes[0]`.
    pub column: u64,
}

impl<'a> Blob<'a> {
    /// A whole blob.
    pub fn whole(bytes: &'a [u8], provenance: Arc<Provenance>) -> Self {
        Blob { bytes, provenance, part: Part::default() }
    }
}

/// Where sources push what they read. Called from several threads at once.
pub trait Sink: Sync {
    /// Scans one blob; returns once its bytes may be reused.
    fn blob(&self, blob: Blob<'_>);
    /// Counts something that was not read.
    fn skipped(&self, skipped: Skipped);
    /// Whether to stop early: the budget is spent or the user interrupted.
    fn stopped(&self) -> bool {
        false
    }
}
