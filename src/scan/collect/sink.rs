//! What sources push into a scan.

use super::{Collector, lock};
use crate::model::{Blob, Confidence, Look, MayHold, Part, Role, Sink, SkipReason, Skipped, Window};
use crate::scan::traces::Traces;
use crate::source::is_lfs_pointer;
use std::time::Instant;

impl Sink for Collector {
    fn blob(&self, blob: Blob<'_>) {
        let whole = blob.part == Part::default() && blob.role == Role::New;
        if whole && is_lfs_pointer(blob.bytes) {
            let provenance = (*blob.provenance).clone();
            self.skipped(Skipped { provenance, reason: SkipReason::LfsPointer, detail: String::new() });
        }
        // A bug in the engine must neither end the scan nor pass unseen.
        let searched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.search(&blob)));
        if searched.is_err() {
            let provenance = (*blob.provenance).clone();
            self.skipped(Skipped {
                provenance,
                reason: SkipReason::Internal,
                detail: "the engine failed on it".to_owned(),
            });
        }
    }

    fn skipped(&self, skipped: Skipped) {
        lock(&self.state).coverage.skip(skipped);
    }

    fn reach(&self) -> Option<usize> {
        // What was dropped is told only by a whole search.
        let whole = self.options.explain || self.detector.needs_whole_texts();
        (!whole && self.options.floor.is_some()).then(|| self.detector.reach())
    }

    fn look(&self, text: &[u8], windows: &[Window]) -> Look {
        let mut work = lock(&self.idle).pop().unwrap_or_default();
        let floor = self.options.floor.unwrap_or(Confidence::Low);
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.detector.look(text, windows, floor, &mut work)
        }));
        lock(&self.idle).push(work);
        // Whatever the engine failed on is searched whole, which counts the failure.
        looked.unwrap_or_else(|_| Look { hot: std::iter::once(0..text.len()).collect(), far: Vec::new() })
    }

    fn looked(&self, texts: u64, bytes: u64) {
        let mut state = lock(&self.state);
        state.coverage.blobs += texts;
        state.coverage.bytes += bytes;
    }

    fn wants_name(&self, name: &[u8]) -> bool {
        self.detector.wants_name(name)
    }

    fn wants_old(&self) -> bool {
        let state = lock(&self.state);
        state.findings.iter().any(|(f, _)| !state.old.contains(&f.fingerprint))
    }

    fn wants_base(&self) -> Option<MayHold<'_>> {
        let state = lock(&self.state);
        let new = || state.findings.iter().map(|(f, _)| f).filter(|f| !state.old.contains(&f.fingerprint));
        new().next()?;
        Some(match Traces::new(new().map(|f| &f.secret)) {
            Some(traces) => Box::new(move |text| traces.may_be_in(text)),
            None => Box::new(|_| true),
        })
    }

    fn stopped(&self) -> bool {
        if self.options.deadline.is_some_and(|d| Instant::now() >= d) {
            self.stop();
        }
        self.interrupted()
    }
}
