//! Rules that are for certain paths only.

use crate::rule::Kind;
use crate::rule::analyse::Gate;
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
    /// The last parts of the globs of rules that search whole files.
    names: OnceLock<GlobSet>,
}

impl PathRules {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let globs = kinds.iter().enumerate().filter(|(_, k)| !k.paths.is_empty());
        PathRules {
            globs: globs.map(|(i, k)| (i, k.paths.clone())).collect(),
            set: OnceLock::new(),
            names: OnceLock::new(),
        }
    }

    /// Whether a file of this name may be one that a rule searches whole, in whatever folder.
    pub(crate) fn names(&self, kinds: &[Kind], name: &[u8]) -> bool {
        let set = self.names.get_or_init(|| {
            let mut builder = GlobSetBuilder::new();
            let whole = self.globs.iter().filter(|(k, _)| kinds[*k].analysis.gate == Gate::Path);
            for glob in whole.flat_map(|(_, globs)| globs) {
                let last = glob.rsplit('/').next().unwrap_or(glob);
                let last = if last == "**" { "*" } else { last };
                // Alternatives may hold a slash: whatever does not stand alone fits every name.
                let glob = globset::Glob::new(last).or_else(|_| globset::Glob::new("*"));
                builder.add(glob.expect("because a star is a glob"));
            }
            builder.build().unwrap_or_default()
        });
        set.is_match(OsStr::from_bytes(name))
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
