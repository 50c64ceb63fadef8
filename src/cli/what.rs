//! What of the named paths is read: their files, or something of the repository there.

use super::{environment, usage};
use anyhow::Result;
use clap::Args;
use keywheel::model::{Provenance, RawPath, Sink};
use keywheel::source::git::{Repository, Surroundings, history, range, staged};
use keywheel::source::{self, SourceError};
use std::path::{Path, PathBuf};

/// The flags that name a part of a repository.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct What {
    /// Scan all of a repository's history: every blob, commit and tag, whatever leads to it
    #[arg(long, conflicts_with_all = ["range", "staged"])]
    history: bool,
    /// Report nothing that no ref and no reflog leads to
    #[arg(long, requires = "history")]
    reachable_only: bool,
    /// Scan what commits bring: all that B has and A has not
    #[arg(long, value_name = "A..B")]
    range: Option<String>,
    /// Scan what the next commit would hold
    #[arg(long, conflicts_with = "range")]
    pub(crate) staged: bool,
    /// Folder below which the alternates and links of a repository are followed
    #[arg(long, value_name = "DIR")]
    storage_root: Option<PathBuf>,
}

impl What {
    /// Whether files are read, not a repository.
    pub(crate) fn is_files(&self) -> bool {
        !self.history && !self.staged && self.range.is_none()
    }

    /// Pushes what is named of `path`.
    pub(crate) fn push(&self, path: &Path, files: &source::Options, sink: &dyn Sink) -> Result<()> {
        if self.is_files() {
            return if path.as_os_str() == "-" {
                source::stdin(files, sink);
                Ok(())
            } else {
                source::walk(path, files, sink).map_err(usage)
            };
        }
        if path.as_os_str() == "-" {
            return Err(usage("standard input is no repository; name the path of one"));
        }
        counted(self.repository(path, files, sink), path, sink)
    }

    /// What git says of the repository at `path`, and what the operator does.
    pub(crate) fn around(&self, path: &Path) -> Surroundings {
        // Git speaks of the repository in which it has started us, not of any other.
        let around =
            if path == Path::new(".") { environment::surroundings() } else { Surroundings::default() };
        Surroundings { storage_root: self.storage_root.clone(), ..around }
    }

    fn repository(&self, path: &Path, files: &source::Options, sink: &dyn Sink) -> Result<(), SourceError> {
        let mut repo = Repository::open(path, &self.around(path))?;
        if let Some(spec) = &self.range {
            let range = range::Range::parse(&repo, spec)?;
            range::push(&repo, &range, files, sink)?;
        } else if self.staged {
            staged::push(&repo, files, sink)?;
        } else {
            history::push(&mut repo, self.reachable_only, files, sink)?;
        }
        Ok(())
    }
}

/// A repository that is there and could not be read makes an incomplete scan, which is reported as one.
pub(crate) fn counted(read: Result<(), SourceError>, path: &Path, sink: &dyn Sink) -> Result<()> {
    match read {
        Err(SourceError::Git(error)) if error.is_incomplete() => {
            sink.skipped(error.skipped(Provenance::file(RawPath::from_path(path))));
            Ok(())
        }
        other => other.map_err(usage),
    }
}
