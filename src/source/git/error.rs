//! Why a repository cannot be read.

use super::parse::Kind;
use crate::model::{ObjectId, Provenance, RawPath, SkipReason, Skipped};
use std::io;

/// Why a repository, or a part of it that was asked for, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no repository at the path.
    #[error("`{path}` is not a git repository; name the work tree or the git directory itself")]
    NotARepository {
        /// What was named.
        path: RawPath,
    },
    /// The repository has a form that is not read. Never taken for a clean one.
    #[error("`{path}` {what}; {cure}")]
    Unsupported {
        /// The repository.
        path: RawPath,
        /// What it is.
        what: String,
        /// What to do.
        cure: String,
    },
    /// The operating system refused.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: RawPath,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the repository does not parse.
    #[error("`{path}` is damaged: {what}")]
    Damaged {
        /// The file.
        path: RawPath,
        /// What is wrong with it.
        what: String,
    },
    /// A revision that names nothing.
    #[error("`{spec}` names no commit here; {cure}")]
    UnknownRevision {
        /// As it was given.
        spec: String,
        /// What to do.
        cure: String,
    },
    /// Two commits that no commit leads to both of.
    #[error(
        "the two ends of `{spec}` have no common ancestor; fetch it (git fetch --unshallow, or fetch-depth: 0 for a checkout in CI), or write two dots for all that the second has and the first has not"
    )]
    NoCommonAncestor {
        /// The range as it was given.
        spec: String,
    },
    /// An object that is not there.
    #[error("the object {id} is not there; fetch it: git fetch --unshallow, or --refetch --no-filter")]
    Absent {
        /// Its name.
        id: ObjectId,
    },
    /// An object of another kind than the one that is asked for.
    #[error("the object {id} is a {found}, not a {wanted}; name another")]
    OtherKind {
        /// Its name.
        id: ObjectId,
        /// What it is.
        found: Kind,
        /// What was asked for.
        wanted: Kind,
    },
    /// An object that cannot be read.
    #[error("the object {id} is damaged: {what}; see git fsck")]
    BadObject {
        /// Its name.
        id: ObjectId,
        /// What is wrong with it.
        what: String,
    },
}

impl GitError {
    /// Whether the repository is there but cannot be read, which makes a scan incomplete rather
    /// than wrongly called.
    pub fn is_incomplete(&self) -> bool {
        use GitError::{NoCommonAncestor, NotARepository, OtherKind, UnknownRevision};
        !matches!(
            self,
            NotARepository { .. } | UnknownRevision { .. } | OtherKind { .. } | NoCommonAncestor { .. }
        )
    }

    /// Why what could not be read for this error was not.
    pub fn reason(&self) -> SkipReason {
        match self {
            GitError::Absent { .. } => SkipReason::Absent,
            GitError::Unsupported { .. } => SkipReason::Unsupported,
            GitError::Unreadable { .. } => SkipReason::Unreadable,
            _ => SkipReason::Broken,
        }
    }

    /// Counts what could not be read.
    pub fn skipped(&self, provenance: Provenance) -> Skipped {
        Skipped { provenance, reason: self.reason(), detail: self.to_string() }
    }
}
