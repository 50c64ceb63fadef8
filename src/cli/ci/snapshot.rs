//! Files as a commit holds them, read from the repository's objects. The work tree is not looked at.

use super::unread;
use crate::cli::usage;
use anyhow::Result;
use keywheel::model::ObjectId;
use keywheel::source::git::parse::{Commit, Kind, Mode, entries};
use keywheel::source::git::{GitError, Objects};
use std::path::PathBuf;

/// Most bytes of a file that is read this way.
const MOST: usize = 64 << 20;

/// The folder of a commit.
pub(super) struct Snapshot<'o> {
    objects: &'o Objects,
    tree: ObjectId,
    /// The commit, for messages.
    commit: ObjectId,
}

impl<'o> Snapshot<'o> {
    /// The folder of a commit.
    ///
    /// # Errors
    /// The commit cannot be read.
    pub(super) fn of(objects: &'o Objects, commit: ObjectId) -> Result<Self, GitError> {
        let bytes = objects.read_as(&commit, Kind::Commit)?;
        match Commit::parse(&bytes) {
            Some(c) => Ok(Snapshot { objects, tree: c.tree, commit }),
            None => Err(GitError::BadObject { id: commit, what: "it does not parse".to_owned() }),
        }
    }

    /// The text of a file; `None` if the commit has none of that name.
    ///
    /// # Errors
    /// It is there and is no text file, or cannot be read.
    pub(super) fn text(&self, path: &str) -> Result<Option<String>> {
        let Some((mode, id)) = self.find(path)? else { return Ok(None) };
        let name = format!("{path} of the commit {}", self.commit.short());
        if mode != Mode::File {
            return Err(usage(format!("{name} is no regular file; put the file itself there")));
        }
        let bytes = self.objects.read_as(&id, Kind::Blob).map_err(unread)?;
        if bytes.len() > MOST {
            return Err(usage(format!("{name} has {} bytes; {MOST} are the most", bytes.len())));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(usage(format!("{name} is not UTF-8"))),
        }
    }

    /// A file, or the `*.toml` of a folder, by name; empty if the commit has none of that name.
    ///
    /// # Errors
    /// As [`Snapshot::text`].
    pub(super) fn texts(&self, path: &str) -> Result<Vec<(PathBuf, String)>> {
        let names = match self.find(path)? {
            Some((Mode::Tree, id)) => {
                let bytes = self.objects.read_as(&id, Kind::Tree).map_err(unread)?;
                let mut names: Vec<String> = entries(&bytes)
                    .filter_map(|e| Some(format!("{path}/{}", std::str::from_utf8(e.name).ok()?)))
                    .filter(|name| name.ends_with(".toml"))
                    .collect();
                names.sort();
                names
            }
            _ => vec![path.to_owned()],
        };
        let mut texts = Vec::new();
        for name in names {
            if let Some(text) = self.text(&name)? {
                texts.push((PathBuf::from(name), text));
            }
        }
        Ok(texts)
    }

    fn find(&self, path: &str) -> Result<Option<(Mode, ObjectId)>> {
        let mut at = (Mode::Tree, self.tree);
        for part in path.split('/') {
            if at.0 != Mode::Tree {
                return Ok(None);
            }
            let bytes = self.objects.read_as(&at.1, Kind::Tree).map_err(unread)?;
            let mut list = entries(&bytes);
            match list.find(|e| e.name == part.as_bytes()) {
                Some(entry) => at = (entry.mode, entry.id),
                None if list.broken => {
                    let what = "it is a tree that does not parse".to_owned();
                    return Err(unread(GitError::BadObject { id: at.1, what }));
                }
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }
}

/// `folder` and `path` as one path from the top of the repository: `a/b`.
///
/// # Errors
/// It leads out of the repository.
pub(super) fn inside(folder: &str, path: &str) -> Result<String> {
    let out = || usage(format!("`{path}` leads out of the repository; name a file in it"));
    if path.starts_with('/') {
        return Err(out());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(out)?;
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { Err(out()) } else { Ok(parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_repository() {
        let told = |folder, path| inside(folder, path).ok();
        assert_eq!(told("", "./a//b"), Some("a/b".to_owned()));
        assert_eq!(told("conf", "../a"), Some("a".to_owned()));
        for (folder, path) in [("", "../a"), ("a", "../../b"), ("", "/etc/passwd"), ("", "."), ("a", "..")] {
            assert_eq!(told(folder, path), None, "{folder} {path}");
        }
    }
}
