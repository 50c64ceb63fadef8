//! A repository, as the choice of a range asks it.

use super::resolve::Known;
use super::unread;
use anyhow::Result;
use keywheel::model::ObjectId;
use keywheel::source::git::parse::{Commit, Kind};
use keywheel::source::git::{Commits, GitError, Repository};

impl Known for Repository {
    fn commit(&self, id: &ObjectId) -> Result<Option<ObjectId>> {
        there(self.peel(id))
    }

    fn named(&self, name: &str) -> Result<Option<ObjectId>> {
        there(self.resolve_commit(name))
    }

    fn parents(&self, commit: &ObjectId) -> Result<Vec<ObjectId>> {
        let bytes = self.objects.read_as(commit, Kind::Commit).map_err(unread)?;
        Ok(Commit::parse(&bytes).map(|c| c.parents).unwrap_or_default())
    }

    fn related(&self, a: &ObjectId, b: &ObjectId) -> Result<bool> {
        match Commits::merge_bases(&self.objects, a, b) {
            Ok(bases) => Ok(!bases.is_empty()),
            // The way to it was not fetched.
            Err(GitError::Absent { .. }) => Ok(false),
            Err(e) => Err(unread(e)),
        }
    }

    fn head(&self) -> Result<Option<ObjectId>> {
        Repository::head(self).map_err(unread)
    }

    fn is_cut(&self) -> bool {
        !self.shallow.is_empty() || self.partial
    }
}

fn there(found: Result<ObjectId, GitError>) -> Result<Option<ObjectId>> {
    match found {
        Ok(id) => Ok(Some(id)),
        Err(GitError::Absent { .. } | GitError::UnknownRevision { .. }) => Ok(None),
        Err(e) => Err(unread(e)),
    }
}
