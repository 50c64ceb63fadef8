//! Rules that are for certain paths only.

use crate::rule::Kind;
use globset::{GlobSet, GlobSetBuilder};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

/// The globs of those rules, compiled when the first path is asked about.
#[derive(Debug)]
pub(crate) struct PathRules {
    globs: Vec<(usize, Vec<String>)>,
    /// All globs together, and for each the kind that it belongs to.
    set: OnceLock<(GlobSet, Vec<usize>)>,
}

impl PathRules {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let globs = kinds.iter().enumerate().filter(|(_, k)| !k.paths.is_empty());
        PathRules { globs: globs.map(|(i, k)| (i, k.paths.clone())).collect(), set: OnceLock::new() }
    }

    /// The kinds that have globs of which one names `path`.
    pub(crate) fn fitting(&self, path: &[u8]) -> Vec<usize> {
        if self.globs.is_empty() || path.is_empty() {
            return Vec::new();
        }
        let (set, owners) = self.set.get_or_init(|| {
            let mut builder = GlobSetBuilder::new();
            let mut owners = Vec::new();
            for (kind, globs) in &self.globs {
                // `rules check` refuses a malformed glob; one of a user's rule opens nothing.
                for glob in globs.iter().filter_map(|g| globset::Glob::new(g).ok()) {
                    builder.add(glob);
                    owners.push(*kind);
                }
            }
            (builder.build().unwrap_or_default(), owners)
        });
        let mut kinds: Vec<usize> =
            set.matches(OsStr::from_bytes(path)).into_iter().map(|i| owners[i]).collect();
        kinds.dedup();
        kinds
    }
}
