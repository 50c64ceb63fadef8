//! Where else a repository's objects may stand. What the caller's environment names is followed;
//! what a repository names, only below the operator's storage root, since the repository is hostile.

use super::file::{self, Bounds};
use crate::model::{Provenance, RawPath, SkipReason, Skipped};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How deep alternates of alternates are followed; git's own bound.
const DEPTH: usize = 5;
/// Largest list of alternates.
const LIST: u64 = 1 << 20;
/// Directories of objects that one repository may have.
const MOST: usize = 256;

/// Reads `GIT_ALTERNATE_OBJECT_DIRECTORIES`: paths between colons, those with odd bytes in quotes
/// as C writes them.
pub fn alternates_from_env(value: &[u8]) -> Vec<PathBuf> {
    list(value, b':').iter().map(|p| file::path_of(p)).collect()
}

/// The entries of a list of alternates, as git reads one: empty ones and comments left out, broken
/// quotes taken as they stand.
fn list(text: &[u8], separator: u8) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.iter().position(|&b| b == separator).unwrap_or(rest.len());
        let (entry, end) = match rest[0] {
            b'#' => (Vec::new(), plain),
            b'"' => unquoted(rest).unwrap_or_else(|| (rest[..plain].to_vec(), plain)),
            _ => (rest[..plain].to_vec(), plain),
        };
        rest = rest.get(end + 1..).unwrap_or_default();
        if !entry.is_empty() {
            found.push(entry);
        }
    }
    found
}

/// The text in quotes at the front, and where the quotes end.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut out = Vec::new();
    let mut at = 1;
    loop {
        match *text.get(at)? {
            b'"' => return Some((out, at + 1)),
            b'\\' => {
                let octal = |i: usize| text.get(i).filter(|&&b| (b'0'..=b'7').contains(&b)).map(|b| b - b'0');
                let (byte, used) = match *text.get(at + 1)? {
                    b'a' => (7, 2),
                    b'b' => (8, 2),
                    b'f' => (12, 2),
                    b'n' => (b'\n', 2),
                    b'r' => (b'\r', 2),
                    b't' => (b'\t', 2),
                    b'v' => (11, 2),
                    b @ (b'\\' | b'"') => (b, 2),
                    b'0'..=b'3' => (octal(at + 1)? << 6 | octal(at + 2)? << 3 | octal(at + 3)?, 4),
                    _ => return None,
                };
                out.push(byte);
                at += used;
            }
            b => {
                out.push(b);
                at += 1;
            }
        }
    }
}

/// The directories of objects of a repository, in git's order.
#[derive(Debug, Default)]
pub(super) struct Stores {
    /// The directories, each once, symbolic links followed.
    pub(super) dirs: Vec<PathBuf>,
    /// Alternates that are not followed.
    pub(super) skipped: Vec<Skipped>,
    seen: BTreeSet<PathBuf>,
}

impl Stores {
    /// Adds the directories that are the repository's own, those of the environment, and what all
    /// of them name as far as it lies within `bounds`.
    pub(super) fn gather(own: &[PathBuf], named: &[PathBuf], bounds: &Bounds) -> Self {
        let mut stores = Stores::default();
        for dir in own {
            let real = dir.canonicalize().unwrap_or_else(|_| dir.clone());
            stores.seen.insert(real.clone());
            stores.dirs.push(real);
        }
        for dir in named {
            stores.add(dir, dir, None, bounds, 0);
        }
        for dir in own {
            stores.below(dir, bounds, 0);
        }
        stores
    }

    /// Follows one entry: that of the list `named_in`, or one that the caller gave.
    fn add(&mut self, dir: &Path, shown: &Path, named_in: Option<&Path>, bounds: &Bounds, depth: usize) {
        let why = match dir.canonicalize() {
            Ok(real) if self.seen.contains(&real) => return,
            Ok(real) if !real.is_dir() => "it is no folder".to_owned(),
            Ok(real) if named_in.is_some() && bounds.real(&real).is_err() => {
                "it lies outside of the repository and of the storage root".to_owned()
            }
            Ok(_) if depth > DEPTH => "alternates of alternates are nested too deep".to_owned(),
            Ok(_) if self.dirs.len() >= MOST => "there are too many alternates".to_owned(),
            Ok(real) => {
                self.seen.insert(real.clone());
                self.dirs.push(real.clone());
                return self.below(&real, bounds, depth + 1);
            }
            Err(error) if file::is_absent(&error) => "it is not there".to_owned(),
            Err(error) => error.to_string(),
        };
        let place = named_in.map_or_else(|| shown.to_owned(), |list| list.to_owned());
        self.skip(&place, format!("objects in `{}`: {why}", RawPath::from_path(shown)));
    }

    /// Follows what a directory of objects names.
    fn below(&mut self, dir: &Path, bounds: &Bounds, depth: usize) {
        let path = dir.join("info/alternates");
        // The list of a directory that the caller named is hostile as well; it must be its own.
        let text = match Bounds::new([dir]).read(&path, LIST) {
            Ok(text) => text,
            Err(error) if file::is_absent(&error) => return,
            Err(error) => return self.skip(&path, error.to_string()),
        };
        for entry in list(&text, b'\n') {
            let shown = file::path_of(&entry);
            self.add(&dir.join(&shown), &shown, Some(&path), bounds, depth);
        }
    }

    fn skip(&mut self, path: &Path, detail: String) {
        self.skipped.push(Skipped {
            provenance: Provenance::file(RawPath::from_path(path)),
            reason: SkipReason::Alternate,
            detail,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::git::tests::Scratch;

    fn texts(value: &[u8], separator: u8) -> Vec<String> {
        list(value, separator).iter().map(|e| RawPath::new(e).text()).collect()
    }

    #[test]
    fn lists_are_read_as_git_reads_them() {
        assert_eq!(texts(b"/a:/b c::#x:\"/d\\072\\\"\\n\":/e", b':'), ["/a", "/b c", "/d:\"\\u{a}", "/e"]);
        assert_eq!(texts(b"/a\n\n# note\n../b\n", b'\n'), ["/a", "../b"]);
        // Broken quotes stand for themselves.
        assert_eq!(texts(b"\"/a:/b", b':'), ["\"/a", "/b"]);
        assert_eq!(texts(b"\"/a\\x\":/b", b':'), ["\"/a\\\\x\"", "/b"]);
        assert_eq!(texts(b"\"\\377\"", b':'), ["\\xff"]);
        assert!(texts(b"", b':').is_empty() && texts(b"::", b':').is_empty());
        assert_eq!(alternates_from_env(b"\"/a\\\\b\":/c"), [PathBuf::from("/a\\b"), PathBuf::from("/c")]);
    }

    #[test]
    fn entries_of_a_repository_are_followed_below_the_root_only() {
        let dir = Scratch::new();
        for name in ["store/a", "store/b", "store/c", "out"] {
            dir.put(format!("{name}/info/x"), "");
        }
        dir.put("store/a/info/alternates", "../b\n../../out\n../none\n");
        dir.put("store/b/info/alternates", format!("{}\n../a\n", dir.path("store/c").display()));
        dir.put("store/c/info/alternates", "# nothing\n../../store/b\n");
        let own = [dir.path("store/a")];
        let with = |root: &str| Stores::gather(&own, &[], &Bounds::new([dir.path(root).as_path()]));
        let some = with("store");
        assert_eq!(some.dirs, [dir.path("store/a"), dir.path("store/b"), dir.path("store/c")]);
        assert_eq!(some.skipped.len(), 2, "{:?}", some.skipped);
        assert!(some.skipped[0].detail.contains("../../out") && some.skipped[1].detail.contains("not there"));
        let own_only = with("store/a");
        assert_eq!((own_only.dirs.len(), own_only.skipped.len()), (1, 3));
        assert!(own_only.skipped.iter().all(|s| s.reason == SkipReason::Alternate));
        // What the caller names needs no root, but what stands in there does.
        let named = Stores::gather(&own, &[dir.path("out"), dir.path("store/b")], &Bounds::default());
        assert_eq!(named.dirs, [dir.path("store/a"), dir.path("out"), dir.path("store/b")]);
        assert_eq!(named.skipped.len(), 2, "{:?}", named.skipped);
    }

    #[test]
    fn depth_is_bounded() {
        let dir = Scratch::new();
        for n in 0..9 {
            dir.put(format!("{n}/info/alternates"), format!("../{}\n", n + 1));
        }
        let stores = Stores::gather(&[dir.path("0")], &[], &Bounds::new([dir.path(".").as_path()]));
        assert_eq!(stores.dirs.len(), 7);
        assert_eq!(stores.skipped.len(), 1);
        assert!(stores.skipped[0].detail.contains("too deep"));
    }

    #[cfg(unix)]
    #[test]
    fn a_list_that_would_block_is_counted() {
        let dir = Scratch::new();
        dir.fifo("a/info/alternates");
        let stores = Stores::gather(&[dir.path("a")], &[], &Bounds::default());
        assert_eq!(stores.skipped.len(), 1);
    }
}
