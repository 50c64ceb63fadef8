//! What git ignores in a tree: `.gitignore` of each folder up to that of the repository, and the
//! repository's `info/exclude`. The user's own list is not asked, since it lies outside of the tree.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes that are read of a list. Lines beyond them ignore nothing, so that more is scanned.
const LONGEST: u64 = 1 << 20;

/// The lists of the folders that a walk has come through.
pub(super) struct GitIgnore {
    root: PathBuf,
    folders: HashMap<PathBuf, Arc<Folder>>,
}

struct Folder {
    own: Gitignore,
    /// For the top folder of a repository, what `info/exclude` says; nothing above it counts.
    top: Option<Gitignore>,
}

impl GitIgnore {
    /// For a walk from `root`, an absolute path.
    pub(super) fn new(root: &Path) -> Self {
        GitIgnore { root: root.to_owned(), folders: HashMap::new() }
    }

    /// Whether the entry at `relative` to the root is ignored. The folders around it are not, or the
    /// walk would not have come to it.
    pub(super) fn ignores(&mut self, relative: &Path, is_dir: bool) -> bool {
        let path = self.root.join(relative);
        for at in path.ancestors().skip(1) {
            let folder = self.folder(at);
            for list in [Some(&folder.own), folder.top.as_ref()].into_iter().flatten() {
                match list.matched(&path, is_dir) {
                    ignore::Match::Ignore(_) => return true,
                    ignore::Match::Whitelist(_) => return false,
                    ignore::Match::None => {}
                }
            }
            if folder.top.is_some() {
                break;
            }
        }
        false
    }

    fn folder(&mut self, at: &Path) -> Arc<Folder> {
        if let Some(known) = self.folders.get(at) {
            return known.clone();
        }
        let git = at.join(".git");
        let top = fs::symlink_metadata(&git).is_ok().then(|| list(at, &git.join("info/exclude")));
        let folder = Arc::new(Folder { own: list(at, &at.join(".gitignore")), top });
        self.folders.insert(at.to_owned(), folder.clone());
        folder
    }
}

/// The list in `file`, for what is under `folder`; empty if there is none. A line that is no pattern
/// ignores nothing.
fn list(folder: &Path, file: &Path) -> Gitignore {
    let mut text = Vec::new();
    // Anything but a file, such as a pipe, could keep the walk waiting. Git takes no links here.
    if !fs::symlink_metadata(file).is_ok_and(|m| m.is_file())
        || fs::File::open(file).and_then(|f| f.take(LONGEST).read_to_end(&mut text)).is_err()
    {
        return Gitignore::empty();
    }
    let text = String::from_utf8_lossy(&text);
    let mut builder = GitignoreBuilder::new(folder);
    for line in text.strip_prefix('\u{feff}').unwrap_or(&text).lines() {
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests;
