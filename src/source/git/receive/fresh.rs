//! Keeps from the sink what a repository held before a push.

use crate::model::{Blob, Held, Look, ObjectId, Provenance, Role, Sink, Skipped, Window};
use crate::source::git::Repository;
use crate::source::git::parse::Kind;
use ahash::AHashMap;

/// Passes on what is added.
pub(super) struct Fresh<'a> {
    repository: &'a Repository,
    added: &'a AHashMap<ObjectId, Kind>,
    /// Whether the refs lead to nothing that was there before but commits, and so to no folder.
    only_commits: bool,
    inner: &'a dyn Sink,
}

impl<'a> Fresh<'a> {
    pub(super) fn new(
        repository: &'a Repository,
        added: &'a AHashMap<ObjectId, Kind>,
        only_commits: bool,
        inner: &'a dyn Sink,
    ) -> Self {
        Fresh { repository, added, only_commits, inner }
    }

    /// Whether a blob was there before, and a commit or folder that is added only names it again. A
    /// commit or folder that was there and that no ref led to brings what it holds.
    fn is_old(&self, provenance: &Provenance) -> bool {
        let Some(origin) = provenance.origin.as_ref().filter(|o| o.held == Held::Blob) else { return false };
        let by_added = match &origin.commit {
            Some(commit) => self.added.contains_key(&commit.id),
            None => self.only_commits && !provenance.path.as_bytes().is_empty(),
        };
        by_added
            && !self.added.contains_key(&origin.object)
            && self.repository.objects.contains(&origin.object)
    }
}

impl Sink for Fresh<'_> {
    fn blob(&self, blob: Blob<'_>) {
        if blob.role != Role::New || !self.is_old(&blob.provenance) {
            self.inner.blob(blob);
        }
    }

    fn skipped(&self, skipped: Skipped) {
        self.inner.skipped(skipped);
    }

    fn reach(&self) -> Option<usize> {
        self.inner.reach()
    }

    fn look(&self, text: &[u8], windows: &[Window]) -> Look {
        self.inner.look(text, windows)
    }

    fn looked(&self, texts: u64, bytes: u64) {
        self.inner.looked(texts, bytes);
    }

    fn wants_name(&self, name: &[u8]) -> bool {
        self.inner.wants_name(name)
    }

    fn stopped(&self) -> bool {
        self.inner.stopped()
    }

    fn wants_old(&self) -> bool {
        self.inner.wants_old()
    }
}
