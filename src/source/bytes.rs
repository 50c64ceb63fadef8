//! Bytes that are in memory, such as a blob of a repository: opened if they are an archive, searched
//! in parts if they are many.

use super::archive::{self, Input, Kind};
use super::chunk::{Chunker, End};
use super::files::{Options, TAIL, WHOLE};
use crate::model::{Blob, Provenance, Sink, SkipReason, Skipped};
use std::io::Read;
use std::sync::Arc;

/// Pushes `bytes`; their name, which helps to tell what they are, is that of `provenance`.
pub fn push(bytes: &[u8], provenance: &Arc<Provenance>, options: &Options, sink: &dyn Sink) {
    let skip =
        |reason, detail: String| sink.skipped(Skipped { provenance: (**provenance).clone(), reason, detail });
    let size = bytes.len() as u64;
    if size > options.max_file_size {
        return skip(SkipReason::TooLarge, format!("{size} bytes"));
    }
    if let Some(kind) = kind(bytes, provenance.name().as_bytes()).filter(|_| options.archives) {
        return archive::unpack(kind, Input::Bytes(bytes), provenance, &options.budget, sink);
    }
    if size <= WHOLE {
        return sink.blob(Blob::whole(bytes, provenance.clone()));
    }
    if let End::Stopped = Chunker::new().run(&mut &*bytes, provenance, sink).end {
        skip(SkipReason::Budget, String::new());
    }
}

/// Pushes what a stream gives, whatever its length.
pub fn stream(input: &mut dyn Read, provenance: &Arc<Provenance>, options: &Options, sink: &dyn Sink) {
    if options.archives {
        return archive::unpack_stream(input, provenance, &options.budget, sink);
    }
    let (reason, detail) = match Chunker::new().run(input, provenance, sink).end {
        End::Whole => return,
        End::Stopped => (SkipReason::Budget, String::new()),
        End::Failed(error) => (SkipReason::Unreadable, error.to_string()),
    };
    sink.skipped(Skipped { provenance: (**provenance).clone(), reason, detail });
}

/// The kind of archive that the bytes of a whole file are, if they are one. A program or script may
/// have a zip behind it, which only its end shows.
fn kind(bytes: &[u8], name: &[u8]) -> Option<Kind> {
    let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
    archive::kind(bytes, name).or_else(|| archive::ends_zip(tail).then_some(Kind::Zip))
}
