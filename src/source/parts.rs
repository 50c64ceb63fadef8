//! One large file, scanned in overlapping parts by several threads at once. Reading stays in file
//! order, so that each part knows the line and column at which it begins.

use super::chunk::{Cutter, End};
use crate::model::{Blob, Provenance, Sink, SkipReason, Skipped};
use std::fs::{File, Metadata};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

struct Reader {
    file: File,
    cutter: Cutter,
    end: Option<End>,
}

/// Pushes the file at `path`. A size that no longer fits `metadata` afterwards is counted as changed.
pub(super) fn push(
    path: &Path,
    metadata: &Metadata,
    jobs: usize,
    provenance: &Arc<Provenance>,
    sink: &dyn Sink,
) {
    let skip =
        |reason, detail: String| sink.skipped(Skipped { provenance: (**provenance).clone(), reason, detail });
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return skip(SkipReason::Unreadable, error.to_string()),
    };
    let reader = Mutex::new(Reader { file, cutter: Cutter::default(), end: None });
    let work = || {
        let mut buffer = Vec::new();
        while !sink.stopped() {
            let (part, len) = {
                let mut guard = reader.lock().unwrap_or_else(PoisonError::into_inner);
                let Reader { file, cutter, end } = &mut *guard;
                if end.is_some() {
                    return;
                }
                let (part, len, ended) = cutter.next(&mut buffer, file);
                *end = ended;
                (part, len)
            };
            if len > 0 {
                sink.blob(Blob { part, ..Blob::whole(&buffer[..len], provenance.clone()) });
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.max(1) {
            scope.spawn(work);
        }
        work();
    });
    let Reader { cutter, end, .. } = reader.into_inner().unwrap_or_else(PoisonError::into_inner);
    match end {
        Some(End::Failed(error)) => skip(SkipReason::Unreadable, error.to_string()),
        Some(_) if cutter.read() != metadata.len() => {
            skip(SkipReason::Changed, "its size changed while it was read".to_owned());
        }
        Some(_) => {}
        None => skip(SkipReason::Budget, format!("read up to byte {}", cutter.read())),
    }
}
