//! Archives and compressed streams, unpacked in memory while they are read.
//!
//! Everything that is read comes out as blobs named `archive!member`; everything that is not read is
//! told to the sink with its reason. Budgets count work, not time, so that the same input always
//! gives the same output. Nothing is written to disk and a member's name is only a label.
//!
//! Tar, ar, cpio and the compressed streams flow through without being held. A zip needs its directory, which
//! stands at the end: the outer one is read in place, a nested one is held in memory.

mod ar;
mod cpio;
mod decode;
mod entry;
mod input;
mod kind;
mod meter;
mod tar;
mod walk;
mod zip;

#[cfg(test)]
mod tests;

pub use input::Input;
pub use kind::{HEAD, Kind, ends_zip, kind};

use crate::model::{Provenance, Sink};
use std::io::Read;
use std::sync::Arc;
use walk::Walk;

/// How much work one outer file may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Containers inside each other, the outer one included. A compressed tar counts as one.
    pub depth: u32,
    /// Members, those of nested containers included.
    pub entries: u64,
    /// Bytes that all streams together may inflate to, beyond the size of the outer file.
    pub bytes: u64,
    /// How many times its own size a stream may inflate to, once past `floor`; and the whole file,
    /// once past sixteen times `floor`.
    pub ratio: u64,
    /// Bytes that any stream may inflate to whatever its ratio.
    pub floor: u64,
    /// Bytes held in memory at once: a nested zip, or the window of an xz or zstd stream. One inside
    /// another may hold half as much, so that the sum stays below twice this.
    pub member: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { depth: 8, entries: 100_000, bytes: 4 << 30, ratio: 200, floor: 16 << 20, member: 64 << 20 }
    }
}

/// Unpacks `input`, named `provenance`, which [`kind()`] or [`ends_zip`] found to be a `kind`.
///
/// If nothing at all can be unpacked, its bytes are pushed as they are beside the reported failure.
pub fn unpack(kind: Kind, input: Input<'_>, provenance: &Arc<Provenance>, budget: &Budget, sink: &dyn Sink) {
    let walk = Walk::new(budget, sink, provenance);
    walk.outer(kind, input);
}

/// Pushes a stream of unknown content that cannot be sought in, such as standard input: unpacked if
/// it is an archive, else as it is. A zip has to fit in [`Budget::member`].
pub fn unpack_stream(reader: &mut dyn Read, provenance: &Arc<Provenance>, budget: &Budget, sink: &dyn Sink) {
    let walk = Walk::new(budget, sink, provenance);
    walk.outer_stream(reader);
}
