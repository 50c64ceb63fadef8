//! What was read, what was left out, and why.

use super::Provenance;
use std::collections::BTreeMap;

/// Whether a skip makes the scan incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Left out on purpose; counted, and the scan stays complete.
    Out,
    /// Should have been read; the scan is incomplete.
    Failed,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident, $scope:ident, $word:literal, $cure:literal;)+) => {
        /// Why something was not read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SkipReason { $($(#[$doc])* $variant),+ }
        impl SkipReason {
            /// Every reason.
            pub const ALL: &'static [SkipReason] = &[$(SkipReason::$variant),+];
            /// The word used in reports.
            pub fn as_str(self) -> &'static str { match self { $(SkipReason::$variant => $word),+ } }
            /// What a person can do about it.
            pub fn cure(self) -> &'static str { match self { $(SkipReason::$variant => $cure),+ } }
            /// Whether it makes the scan incomplete.
            pub fn scope(self) -> Scope { match self { $(SkipReason::$variant => Scope::$scope),+ } }
        }
    };
}

reasons! {
    /// Named by `--exclude` or a trusted configuration.
    Excluded, Out, "excluded", "remove the exclude to scan it";
    /// Named by an ignore file, with `--gitignore`.
    Ignored, Out, "ignored", "drop --gitignore to scan it";
    /// A FIFO, socket or device: opening one could block or act.
    NotAFile, Out, "not-a-file", "nothing to do";
    /// A symbolic link that leaves the scanned root, or dangles.
    OutwardLink, Out, "outward-link", "scan its target by name";
    /// A Git LFS pointer: the content is elsewhere.
    LfsPointer, Out, "lfs-pointer", "fetch the LFS objects and scan them";
    /// A file or name that a history has under more paths than are told: it was searched under those.
    MorePaths, Out, "more-paths", "nothing to do; git log --find-object=ID names the other paths";
    /// A submodule: a repository of its own.
    Submodule, Out, "submodule", "scan its repository";
    /// The operating system refused.
    Unreadable, Failed, "unreadable", "check permissions";
    /// Larger than `--max-file-size`.
    TooLarge, Failed, "too-large", "raise --max-file-size, or exclude it";
    /// To open it more memory would be held than the budget allows: a window, or a zip in an archive.
    TooMuchMemory, Failed, "too-much-memory", "unpack it and scan what it holds, or exclude it";
    /// An archive or stream that ends early or does not parse.
    Broken, Failed, "broken", "check the file, or exclude it";
    /// An archive member that is encrypted.
    Encrypted, Failed, "encrypted", "unpack it, or exclude it";
    /// More nested containers than the depth budget.
    TooDeep, Failed, "too-deep", "unpack the inner archive, or exclude it";
    /// More entries than the budget.
    TooManyEntries, Failed, "too-many-entries", "unpack the archive, or exclude it";
    /// Inflates to more than the budget of bytes or ratio.
    Bomb, Failed, "bomb", "unpack it yourself if it is genuine, or exclude it";
    /// A compression or container that is not supported.
    Unsupported, Failed, "unsupported", "unpack it, or exclude it";
    /// Its size or time changed while it was read.
    Changed, Failed, "changed", "scan again when nothing writes to it";
    /// A part of a repository's history that is not there: a shallow clone.
    Shallow, Failed, "shallow", "fetch the rest: git fetch --unshallow, or fetch-depth: 0 for a checkout in CI";
    /// A git object that something names and that is not there: a partial clone, or damage.
    Absent, Failed, "absent", "fetch it: git fetch --refetch --no-filter, then git fsck";
    /// A folder of objects that a repository names and that is not below the operator's storage root,
    /// or is not there.
    Alternate, Failed, "alternate", "name the folder that holds it: --storage-root DIR";
    /// `--budget` was spent or the run was interrupted before it was read.
    Budget, Failed, "budget", "raise --budget";
    /// The engine failed on it: a bug, reported as such.
    Internal, Failed, "internal", "please report it";
}

/// One thing that was not read, or not read whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// What.
    pub provenance: Provenance,
    /// Why.
    pub reason: SkipReason,
    /// More words, such as the operating system's own; empty if there are none.
    pub detail: String,
}

/// The account of a scan.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Blobs scanned: files, archive members, standard input.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How often each reason applied.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// The first of them in sorted order, at most [`Coverage::LISTED`] a reason.
    pub list: Vec<Skipped>,
}

impl Coverage {
    /// Skips listed by name for each reason; all are counted.
    pub const LISTED: usize = 1000;

    /// How many skips make the scan incomplete.
    pub fn failed(&self) -> u64 {
        self.skipped.iter().filter(|(r, _)| r.scope() == Scope::Failed).map(|(_, n)| n).sum()
    }

    /// How many things were left out on purpose.
    pub fn out_of_scope(&self) -> u64 {
        self.skipped.iter().filter(|(r, _)| r.scope() == Scope::Out).map(|(_, n)| n).sum()
    }

    /// Whether everything that should have been read was read.
    pub fn is_complete(&self) -> bool {
        self.failed() == 0
    }

    /// Counts a skip; lists it while there is room.
    pub fn skip(&mut self, skipped: Skipped) {
        *self.skipped.entry(skipped.reason).or_default() += 1;
        self.list.push(skipped);
    }

    /// Adds another account to this one.
    pub fn merge(&mut self, other: Coverage) {
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        for (reason, n) in other.skipped {
            *self.skipped.entry(reason).or_default() += n;
        }
        self.list.extend(other.list);
    }

    /// Sorts the list and cuts it to its bound.
    pub fn settle(&mut self) {
        self.list
            .sort_by(|a, b| (a.reason, &a.provenance, &a.detail).cmp(&(b.reason, &b.provenance, &b.detail)));
        let mut seen = BTreeMap::<SkipReason, usize>::new();
        self.list.retain(|s| {
            let n = seen.entry(s.reason).or_default();
            *n += 1;
            *n <= Self::LISTED
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RawPath;

    #[test]
    fn only_failures_make_a_scan_incomplete() {
        let skip = |reason| Skipped {
            provenance: Provenance::file(RawPath::new(b"x")),
            reason,
            detail: String::new(),
        };
        let mut c = Coverage::default();
        c.skip(skip(SkipReason::Excluded));
        assert!(c.is_complete());
        c.skip(skip(SkipReason::Unreadable));
        assert!(!c.is_complete());
        assert_eq!((c.failed(), c.out_of_scope()), (1, 1));
    }
}
