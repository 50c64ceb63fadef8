//! One directory of objects and its packs.

use super::pack::{MultiIndex, Pack};
use super::{file, loose};
use crate::model::{ObjectId, Provenance, RawPath, SkipReason, Skipped};
use std::fs;
use std::path::{Path, PathBuf};

/// One directory of objects.
#[derive(Debug)]
pub struct Store {
    /// The directory `objects` of a repository.
    pub path: PathBuf,
    /// Its packs, sorted by name.
    pub packs: Vec<Pack>,
    /// The files that were there when it was opened, those that could not be opened among them.
    seen: Vec<PathBuf>,
    /// Whether a pack of it came from a partial clone: others have promised what it lacks.
    pub promised: bool,
}

impl Store {
    /// Whether an object is in this directory.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.packs.iter().any(|p| p.find(id).is_some()) || loose::path(&self.path, id).exists()
    }

    /// Every object of this directory, sorted.
    pub fn ids(&self) -> Vec<ObjectId> {
        let mut ids: Vec<_> = self.packs.iter().flat_map(|p| (0..p.len()).map(|at| p.id(at))).collect();
        ids.extend(loose::list(&self.path).into_iter().map(|(id, _)| id));
        ids.sort();
        ids.dedup();
        ids
    }

    /// Opens the packs. Each takes its names from the index beside it; if that is gone or damaged,
    /// from the index over several packs, or from the pack itself.
    pub(super) fn open(dir: &Path, broken: &mut Vec<Skipped>) -> Self {
        let (packs, seen) = (Vec::new(), Vec::new());
        let mut store = Store { path: dir.to_owned(), packs, seen, promised: false };
        let mut paths: Vec<PathBuf> = match fs::read_dir(dir.join("pack")) {
            Ok(list) => list.flatten().map(|e| e.path()).collect(),
            Err(error) if file::is_absent(&error) => return store,
            Err(error) => {
                broken.push(skipped(&dir.join("pack"), error.to_string()));
                return store;
            }
        };
        paths.sort();
        let is = |path: &Path, end: &str| path.extension().is_some_and(|e| e == end);
        store.promised = paths.iter().any(|p| is(p, "promisor"));
        let mut unnamed = Vec::new();
        for path in paths.iter().filter(|p| is(p, "pack")) {
            match Pack::without_index(path) {
                Ok(mut pack) => {
                    if let Err(detail) = pack.check_head() {
                        broken.push(skipped(path, detail));
                    }
                    if pack.take_index().is_err() {
                        unnamed.push(store.packs.len());
                    }
                    store.packs.push(pack);
                }
                Err(detail) => broken.push(skipped(path, detail)),
            }
        }
        store.seen = paths.iter().filter(|p| is(p, "pack")).cloned().collect();
        store.make_indexes(&unnamed, broken);
        for path in paths.iter().filter(|p| is(p, "idx")) {
            if paths.binary_search(&path.with_extension("pack")).is_err() {
                broken.push(skipped(path, "its pack is not there".to_owned()));
            }
        }
        store
    }

    /// Whether the packs are those that were there when it was opened.
    pub(super) fn is_current(&self) -> bool {
        let Ok(list) = fs::read_dir(self.path.join("pack")) else { return self.packs.is_empty() };
        let mut now: Vec<PathBuf> = list.flatten().map(|e| e.path()).collect();
        now.retain(|path| path.extension().is_some_and(|e| e == "pack"));
        now.sort();
        now == self.seen
    }

    /// Makes those indexes anew that turn out to be damaged when they are read whole.
    pub(super) fn repair(&mut self, broken: &mut Vec<Skipped>) {
        let unsound: Vec<usize> =
            (0..self.packs.len()).filter(|&i| self.packs[i].check_index().is_err()).collect();
        self.make_indexes(&unsound, broken);
    }

    fn make_indexes(&mut self, packs: &[usize], broken: &mut Vec<Skipped>) {
        if packs.is_empty() {
            return;
        }
        let over = MultiIndex::open(&self.path.join("pack/multi-pack-index"));
        for &i in packs {
            if let Some(lost) = self.packs[i].make_index(over.as_ref()) {
                broken.push(skipped(self.packs[i].path(), lost));
            }
        }
    }
}

fn skipped(path: &Path, detail: String) -> Skipped {
    Skipped { provenance: Provenance::file(RawPath::from_path(path)), reason: SkipReason::Broken, detail }
}
