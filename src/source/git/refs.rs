//! The names that lead into a repository's history: branches, tags, notes, the stash, HEAD of every
//! work tree and what git leaves beside it.

use super::file::{self, path_of};
use super::packed::Packed;
use super::ref_file::{Value, is_beside_head, is_per_worktree, is_safe, parse, read};
use super::{GitError, Repository};
use crate::model::{ObjectId, Provenance, RawPath, SkipReason, Skipped};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

/// Symbolic refs that are followed in a row; git's own bound.
const HOPS: usize = 5;
/// Largest file with many lines.
const LIST: u64 = 256 << 20;
/// Files of a rebase under way that name commits which nothing else may name.
const REBASE: &[&str] =
    &["rebase-apply/autostash", "rebase-apply/orig-head", "rebase-merge/autostash", "rebase-merge/orig-head"];

/// A name that leads to an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Its full name, as git writes it: `refs/heads/main`, `HEAD`, and for another work tree
    /// `worktrees/side/HEAD` or `main-worktree/HEAD`. Any bytes. `FETCH_HEAD` and `MERGE_HEAD` may
    /// stand here several times.
    pub name: RawPath,
    /// The object, symbolic refs followed; `None` if they lead nowhere, as HEAD does before the first
    /// commit.
    pub target: Option<ObjectId>,
    /// For a symbolic ref: the name in it.
    pub symbolic: Option<RawPath>,
}

type Refs = BTreeMap<Vec<u8>, Value>;

impl Repository {
    /// Every ref, sorted by name, and those that cannot be read. Replacement refs are listed as refs,
    /// and never applied.
    pub fn references(&self) -> (Vec<Reference>, Vec<Skipped>) {
        let mut skipped = Vec::new();
        // All at once: they are sorted already, and there may be very many.
        let lines = self.packed_lines(&mut skipped).into_iter();
        let mut shared: Refs = lines.map(|(name, id)| (name.to_vec(), Value::Id(id))).collect();
        self.loose(&self.common_dir, "refs", &mut shared, &mut skipped);
        let mut found = Vec::with_capacity(shared.len() + 8);
        for (prefix, dir) in self.work_trees(&mut skipped) {
            let mut own = Refs::new();
            if dir == self.common_dir {
                // These stand among the shared ones, and belong to the main work tree alone.
                shared.retain(|name, value| {
                    let is_own = is_per_worktree(name);
                    if is_own {
                        own.insert(name.clone(), value.clone());
                    }
                    !is_own
                });
            } else {
                self.loose(&dir, "refs", &mut own, &mut skipped);
            }
            self.beside_head(&dir, &prefix, &mut own, &mut found, &mut skipped);
            settle(&own, &shared, &prefix, &mut found, &mut skipped);
        }
        settle(&shared, &shared, b"", &mut found, &mut skipped);
        skipped.sort();
        skipped.dedup();
        found.sort_unstable();
        found.dedup();
        (found, skipped)
    }

    /// Every object that a ref below `refs/` points at, sorted, and the refs that cannot be read: those
    /// of [`Repository::references`] without their names, and quicker where there are very many.
    pub fn tips(&self) -> (Vec<ObjectId>, Vec<Skipped>) {
        let (mut ids, mut skipped) = (Vec::new(), Vec::new());
        let mut shared = Refs::new();
        for (_, dir) in self.work_trees(&mut skipped) {
            let mut own = Refs::new();
            self.loose(&dir, "refs", &mut own, &mut skipped);
            ids.extend(own.values().filter_map(Value::id));
            if dir == self.common_dir {
                shared = own;
            }
        }
        // A packed ref counts for nothing beside a loose one of its name, be that damaged.
        let damaged: BTreeSet<RawPath> = skipped.iter().map(|s| s.provenance.path.clone()).collect();
        let is_loose = |name: &[u8]| shared.contains_key(name) || damaged.contains(&RawPath::new(name));
        let alone = shared.is_empty() && damaged.is_empty();
        let packed = self.packed_lines(&mut skipped).into_iter();
        ids.extend(packed.filter(|(name, _)| alone || !is_loose(name)).map(|(_, id)| id));
        ids.sort_unstable();
        ids.dedup();
        skipped.sort();
        skipped.dedup();
        (ids, skipped)
    }

    /// The commit that is checked out; `None` before the first commit.
    ///
    /// # Errors
    /// HEAD cannot be read.
    pub fn head(&self) -> Result<Option<ObjectId>, GitError> {
        match self.follow(b"HEAD")? {
            Found::Id(id) => Ok(Some(id)),
            Found::Dangling => Ok(None),
            Found::None => Err(GitError::Damaged {
                path: RawPath::from_path(&self.git_dir.join("HEAD")),
                what: "it is not there; see `git symbolic-ref HEAD`".to_owned(),
            }),
        }
    }

    /// Reads one ref, symbolic ones followed.
    pub(super) fn follow(&self, name: &[u8]) -> Result<Found, GitError> {
        let mut name = name.to_vec();
        for hop in 0..=HOPS {
            match self.look_up(&name)? {
                Some(Value::Id(id)) => return Ok(Found::Id(id)),
                Some(Value::Symbolic(next)) => name = next,
                None if hop == 0 => return Ok(Found::None),
                None => return Ok(Found::Dangling),
            }
        }
        let what = "its symbolic refs have no end".to_owned();
        Err(GitError::Damaged { path: RawPath::new(&name), what })
    }

    /// Reads what stands in one ref.
    fn look_up(&self, name: &[u8]) -> Result<Option<Value>, GitError> {
        if !is_safe(name) {
            return Ok(None);
        }
        let path = self.path_of_ref(name);
        let damaged = |what: String| GitError::Damaged { path: RawPath::from_path(&path), what };
        let found = fs::symlink_metadata(&path);
        let value = match found {
            Ok(found) if found.is_symlink() => self.linked(&path).map(Some),
            Ok(found) if found.is_dir() => Ok(None),
            Ok(_) => self.bounds.open(&path).map_err(|e| e.to_string()).and_then(|f| read(f).map(Some)),
            Err(error) if file::is_absent(&error) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        match value.map_err(damaged)? {
            Some(value) => Ok(Some(value)),
            None if name.starts_with(b"refs/") => {
                let packed = self.packed();
                match &packed.unreadable {
                    Some(why) => Err(GitError::Damaged {
                        path: RawPath::from_path(&self.common_dir.join("packed-refs")),
                        what: why.clone(),
                    }),
                    None => Ok(packed.find(name).map(Value::Id)),
                }
            }
            None => Ok(None),
        }
    }

    /// Where a loose ref of this name would stand.
    fn path_of_ref(&self, name: &[u8]) -> PathBuf {
        if let Some(rest) = name.strip_prefix(b"main-worktree/") {
            return self.common_dir.join(path_of(rest));
        }
        let shared = name.starts_with(b"refs/") && !is_per_worktree(name) || name.starts_with(b"worktrees/");
        let dir = if shared { &self.common_dir } else { &self.git_dir };
        dir.join(path_of(name))
    }

    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| match self.bounds.read(&self.common_dir.join("packed-refs"), LIST) {
            Ok(bytes) => Packed::new(bytes),
            Err(error) if file::is_absent(&error) => Packed::default(),
            Err(error) => Packed::unreadable(error.to_string()),
        })
    }

    fn packed_lines(&self, skipped: &mut Vec<Skipped>) -> Vec<(&[u8], ObjectId)> {
        let (packed, path) = (self.packed(), self.common_dir.join("packed-refs"));
        if let Some(why) = &packed.unreadable {
            skipped.push(self.broken(&path, why));
        }
        let mut bad = 0;
        let lines = packed.iter().filter_map(|line| {
            bad += usize::from(line.is_err());
            line.ok()
        });
        let lines = lines.collect();
        if bad > 0 {
            skipped.push(self.broken(&path, format!("{bad} lines of it are no refs")));
        }
        lines
    }

    /// The work trees by the prefix of their refs' names; the current one has none.
    pub(super) fn work_trees(&self, skipped: &mut Vec<Skipped>) -> Vec<(Vec<u8>, PathBuf)> {
        let mut found = vec![(Vec::new(), self.git_dir.clone())];
        if self.git_dir != self.common_dir {
            found.push((b"main-worktree/".to_vec(), self.common_dir.clone()));
        }
        let dir = self.common_dir.join("worktrees");
        for entry in self.list(&dir, skipped) {
            let path = entry.path();
            match self.bounds.real(&path) {
                Ok(real) if real == self.git_dir => {}
                Ok(real) if real.is_dir() => {
                    let name = entry.file_name();
                    found.push(([b"worktrees/", name.as_encoded_bytes(), b"/"].concat(), path));
                }
                Ok(_) => {}
                Err(error) => skipped.push(self.broken(&path, error.to_string())),
            }
        }
        found
    }

    /// The entries of a folder within the repository, sorted; none if it is not there.
    pub(super) fn list(&self, dir: &Path, skipped: &mut Vec<Skipped>) -> Vec<DirEntry> {
        let read = || -> io::Result<Vec<DirEntry>> { fs::read_dir(self.bounds.real(dir)?)?.collect() };
        match read() {
            Ok(mut entries) => {
                entries.sort_by_key(DirEntry::file_name);
                entries
            }
            Err(error) if file::is_absent(&error) => Vec::new(),
            Err(error) => {
                skipped.push(self.broken(dir, error.to_string()));
                Vec::new()
            }
        }
    }

    /// Reads the refs in the files below a folder. What stands there wins over what `refs` holds.
    fn loose(&self, dir: &Path, name: &str, refs: &mut Refs, skipped: &mut Vec<Skipped>) {
        let mut open = vec![(dir.join(name), name.as_bytes().to_vec())];
        let mut linked = BTreeSet::new();
        while let Some((dir, name)) = open.pop() {
            for entry in self.list(&dir, skipped) {
                let (own, path) = (entry.file_name(), entry.path());
                let own = own.as_encoded_bytes();
                // As git does: these are its own files, or nobody's.
                if own.starts_with(b".") || own.ends_with(b".lock") {
                    continue;
                }
                let full = [&name, b"/".as_slice(), own].concat();
                let value = match entry.file_type() {
                    Ok(kind) if kind.is_dir() => {
                        open.push((path, full));
                        continue;
                    }
                    Ok(kind) if kind.is_file() => {
                        file::open_checked(&path).map_err(|e| e.to_string()).and_then(read)
                    }
                    Ok(kind) if kind.is_symlink() => match self.bounds.real(&path) {
                        Ok(real) if real.is_dir() => {
                            // Each once, so that links in a ring have an end.
                            if linked.insert(real) {
                                open.push((path, full));
                            }
                            continue;
                        }
                        _ => self.linked(&path),
                    },
                    Ok(_) => Err("it is no regular file".to_owned()),
                    Err(error) => Err(error.to_string()),
                };
                match value {
                    Ok(value) => drop(refs.insert(full, value)),
                    Err(why) => {
                        refs.remove(&full);
                        skipped.push(self.broken(&path, why));
                    }
                }
            }
        }
    }

    /// Reads a ref that is a symbolic link: the oldest form of a symbolic ref, or a file elsewhere.
    fn linked(&self, path: &Path) -> Result<Value, String> {
        let target = fs::read_link(path).map_err(|e| e.to_string())?;
        let target = target.as_os_str().as_encoded_bytes();
        if target.starts_with(b"refs/") && is_safe(target) {
            return Ok(Value::Symbolic(target.to_vec()));
        }
        self.bounds.open(path).map_err(|e| e.to_string()).and_then(read)
    }

    /// Reads HEAD of a work tree and what stands beside it.
    fn beside_head(
        &self,
        dir: &Path,
        prefix: &[u8],
        own: &mut Refs,
        found: &mut Vec<Reference>,
        skipped: &mut Vec<Skipped>,
    ) {
        let names: Vec<Vec<u8>> = self
            .list(dir, skipped)
            .iter()
            .map(|e| e.file_name().as_encoded_bytes().to_vec())
            .filter(|name| is_beside_head(name))
            .chain(REBASE.iter().map(|name| name.as_bytes().to_vec()))
            .collect();
        if !names.iter().any(|name| name == b"HEAD") {
            skipped.push(self.broken(&dir.join("HEAD"), "it is not there"));
        }
        for name in names {
            let path = dir.join(path_of(&name));
            let Ok(kind) = path.symlink_metadata() else { continue };
            if name == b"FETCH_HEAD" || name == b"MERGE_HEAD" {
                self.lines(&path, &[prefix, &name].concat(), found, skipped);
                continue;
            }
            let value = match kind.is_symlink() {
                true => self.linked(&path),
                false => self.bounds.open(&path).map_err(|e| e.to_string()).and_then(read),
            };
            match value {
                Ok(value) => drop(own.insert(name, value)),
                Err(why) => skipped.push(self.broken(&path, why)),
            }
        }
    }

    /// Reads a file of which every line begins with an object's name.
    fn lines(&self, path: &Path, name: &[u8], found: &mut Vec<Reference>, skipped: &mut Vec<Skipped>) {
        let text = match self.bounds.read(path, LIST) {
            Ok(text) => text,
            Err(error) => return skipped.push(self.broken(path, error.to_string())),
        };
        let mut bad = 0;
        for line in text.split(|&b| b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
            match parse(line) {
                Ok(Value::Id(id)) => {
                    found.push(Reference { name: RawPath::new(name), target: Some(id), symbolic: None });
                }
                _ => bad += 1,
            }
        }
        if bad > 0 {
            skipped.push(self.broken(path, format!("{bad} lines of it name no object")));
        }
    }
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An object.
    Id(ObjectId),
    /// A symbolic ref to one that is not there.
    Dangling,
    /// There is no such ref.
    None,
}

/// Follows the symbolic refs among `own` and adds all of it to `found`.
fn settle(own: &Refs, shared: &Refs, prefix: &[u8], found: &mut Vec<Reference>, skipped: &mut Vec<Skipped>) {
    for (name, value) in own {
        let full = RawPath::new(&[prefix, name].concat());
        let (mut at, mut hops) = (Some(value), 0);
        while let Some(Value::Symbolic(next)) = at
            && hops <= HOPS
        {
            at = own.get(next).or_else(|| shared.get(next));
            hops += 1;
        }
        let target = match at {
            Some(Value::Id(id)) => Some(*id),
            Some(Value::Symbolic(_)) => {
                skipped.push(Skipped {
                    provenance: Provenance::file(full),
                    reason: SkipReason::Broken,
                    detail: "its symbolic refs have no end".to_owned(),
                });
                continue;
            }
            None => None,
        };
        let symbolic = match value {
            Value::Symbolic(next) => Some(RawPath::new(next)),
            Value::Id(_) => None,
        };
        found.push(Reference { name: full, target, symbolic });
    }
}
