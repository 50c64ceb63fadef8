//! The objects of a repository: packs and loose files, of its own and of its alternates.

use super::GitError;
use super::file::{self, Bounds};
use super::loose::{self, Stream};
use super::pack::Pack;
use super::parse::Kind;
pub use super::store::Store;
use crate::model::{ObjectId, Provenance, RawPath, SkipReason, Skipped};
use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Largest object that is read into memory.
pub const LARGEST: u64 = 1 << 30;
/// Bases in other packs that are read for one object before it is given up.
const HOPS: usize = 50;
/// How often packs are opened anew that come and go meanwhile.
const TRIES: usize = 8;

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its bytes, without the header.
    pub bytes: Vec<u8>,
}

/// All directories of objects that belong to a repository.
#[derive(Debug)]
pub struct Objects {
    stores: Vec<Store>,
    /// Packs that could not be opened or read whole.
    broken: Vec<Skipped>,
    /// The pack of the last hit: neighbours in history are mostly neighbours on disk.
    last: Mutex<(usize, usize)>,
    /// The loose ones, once they were listed.
    loose: OnceLock<Vec<(ObjectId, PathBuf)>>,
}

impl Objects {
    /// Opens the directories, in the order in which they are asked. A pack that cannot be opened is
    /// listed by [`Objects::broken`].
    ///
    /// # Errors
    /// A directory is not there.
    pub fn open(dirs: &[PathBuf]) -> Result<Self, GitError> {
        let (stores, broken, last) = (Vec::new(), Vec::new(), Mutex::new((0, 0)));
        let mut opened = Objects { stores, broken, last, loose: OnceLock::new() };
        let within = Bounds::new(dirs.iter().map(PathBuf::as_path));
        for dir in dirs {
            let unreadable = |source| GitError::Unreadable { path: RawPath::from_path(dir), source };
            for entry in fs::read_dir(dir).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                let path = entry.path();
                if entry.file_type().is_ok_and(|t| t.is_symlink()) && within.real(&path).is_err() {
                    return Err(GitError::Unsupported {
                        path: RawPath::from_path(&path),
                        what: "is a symbolic link out of the repository's objects".to_owned(),
                        cure: "put the folder itself in its place".to_owned(),
                    });
                }
            }
            opened.stores.push(Store::open(dir, &mut opened.broken));
        }
        Ok(opened)
    }

    /// Lists the loose objects, and opens packs that came meanwhile: what is packed while a repository
    /// is read is in one of the two. Whoever wants every object calls this first.
    pub fn settle(&mut self) {
        for _ in 0..TRIES {
            self.loose.take();
            self.loose();
            if self.stores.iter().all(Store::is_current) {
                return;
            }
            self.broken.clear();
            for store in &mut self.stores {
                *store = Store::open(&store.path, &mut self.broken);
            }
        }
        for store in self.stores.iter().filter(|store| !store.is_current()) {
            let provenance = Provenance::file(RawPath::from_path(&store.path.join("pack")));
            let detail = "its packs came and went while they were read".to_owned();
            self.broken.push(Skipped { provenance, reason: SkipReason::Broken, detail });
        }
    }

    /// Reads the indexes of all packs from end to end, and makes those anew that are damaged. What is
    /// lost by that is listed by [`Objects::broken`]. Opening reads no more of an index than it needs;
    /// whoever wants every object calls this first.
    pub fn repair(&mut self) {
        self.stores.iter_mut().for_each(|store| store.repair(&mut self.broken));
    }

    /// The loose objects of all directories, sorted, each once. They are listed only once.
    pub fn loose(&self) -> &[(ObjectId, PathBuf)] {
        self.loose.get_or_init(|| {
            let mut list: Vec<_> = self.stores.iter().flat_map(|s| loose::list(&s.path)).collect();
            list.sort();
            list.dedup_by(|a, b| a.0 == b.0);
            list
        })
    }

    /// The directories.
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// Packs that could not be opened or read whole, and why.
    pub fn broken(&self) -> &[Skipped] {
        &self.broken
    }

    /// Whether an object is there.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.packed(id).is_some() || self.stores.iter().any(|s| loose::path(&s.path, id).exists())
    }

    /// Reads an object.
    ///
    /// # Errors
    /// It is not there, damaged, or too large for memory: see [`Pack::most`].
    pub fn read(&self, id: &ObjectId) -> Result<Object, GitError> {
        self.read_within(id, &Cell::new(HOPS))
    }

    /// Reads an object that has to be of one kind.
    ///
    /// # Errors
    /// As [`Objects::read`]; and another kind is damage.
    pub fn read_as(&self, id: &ObjectId, kind: Kind) -> Result<Vec<u8>, GitError> {
        if *id == ObjectId::EMPTY_TREE && kind == Kind::Tree {
            return Ok(Vec::new());
        }
        let object = self.read(id)?;
        if object.kind == kind {
            return Ok(object.bytes);
        }
        Err(GitError::BadObject { id: *id, what: format!("it is a {:?}, not a {kind:?}", object.kind) })
    }

    /// What an object is; one that is packed is not unfolded for it.
    ///
    /// # Errors
    /// As [`Objects::read`].
    pub fn kind(&self, id: &ObjectId) -> Result<Kind, GitError> {
        self.kind_within(id, HOPS)
    }

    fn kind_within(&self, id: &ObjectId, hops: usize) -> Result<Kind, GitError> {
        if let Some((pack, offset)) = self.packed(id) {
            let other = |base: &ObjectId| self.kind_within(base, hops.checked_sub(1)?).ok();
            if let Ok(kind) = pack.kind(offset, &other) {
                return Ok(kind);
            }
        }
        self.read(id).map(|object| object.kind)
    }

    /// Every object whose name begins with these hexadecimal digits, at most `most` of them.
    pub fn with_prefix(&self, hex: &str, most: usize) -> Vec<ObjectId> {
        let mut low = hex.as_bytes().to_vec();
        low.resize(40, b'0');
        let Some(low) = ObjectId::parse(&low) else { return Vec::new() };
        let fits = |id: &ObjectId| id.to_string().starts_with(hex);
        let mut found = Vec::new();
        for store in &self.stores {
            for pack in &store.packs {
                let from = pack.lower(&low);
                found.extend((from..pack.len()).map(|i| pack.id(i)).take_while(fits).take(most));
            }
            let first = low.as_bytes()[0];
            found.extend(
                loose::beginning(&store.path, first).into_iter().map(|(id, _)| id).filter(fits).take(most),
            );
        }
        found.sort();
        found.dedup();
        found.truncate(most);
        found
    }

    /// The store and pack that hold an object, and its offset there.
    pub fn packed(&self, id: &ObjectId) -> Option<(&Pack, u64)> {
        let (s, p) = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let hit = |pack: &Pack| pack.find(id).and_then(|at| pack.offset(at));
        if let Some(pack) = self.stores.get(s).and_then(|s| s.packs.get(p))
            && let Some(offset) = hit(pack)
        {
            return Some((pack, offset));
        }
        for (s, store) in self.stores.iter().enumerate() {
            for (p, pack) in store.packs.iter().enumerate() {
                if let Some(offset) = hit(pack) {
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (s, p);
                    return Some((pack, offset));
                }
            }
        }
        None
    }

    /// Reads an object that one pack holds damaged: the same may be stored twice.
    ///
    /// # Errors
    /// As [`Objects::read`].
    pub fn read_beside(&self, damaged: &Pack, id: &ObjectId) -> Result<Object, GitError> {
        self.search(id, Some(damaged), &Cell::new(HOPS))
    }

    /// Opens an object that is stored whole, to read it piece by piece: for those that are too large
    /// for memory. `None` if there is none, or if its head cannot be read.
    pub fn stream(&self, id: &ObjectId) -> Option<Stream<'_>> {
        if let Some((pack, offset)) = self.packed(id)
            && let Some(stream) = Stream::packed(pack, offset)
        {
            return Some(stream);
        }
        let loose = |store: &Store| Stream::loose(file::open_own(&loose::path(&store.path, id)).ok()?).ok();
        self.stores.iter().find_map(loose)
    }

    fn read_within(&self, id: &ObjectId, hops: &Cell<usize>) -> Result<Object, GitError> {
        let Some((pack, offset)) = self.packed(id) else { return self.search(id, None, hops) };
        match self.unfold(pack, offset, hops) {
            Ok(object) => Ok(object),
            // The same object may be stored twice, and only one of the two be damaged.
            Err(what) => match self.search(id, Some(pack), hops) {
                Err(GitError::Absent { .. }) => Err(GitError::BadObject { id: *id, what: what.to_owned() }),
                other => other,
            },
        }
    }

    fn unfold(&self, pack: &Pack, offset: u64, hops: &Cell<usize>) -> Result<Object, &'static str> {
        let other = |base: &ObjectId| {
            // Taken once and for all: packs that lead to each other cost no more for being many.
            hops.set(hops.get().checked_sub(1)?);
            let object = self.read_within(base, hops).ok()?;
            Some((object.kind, object.bytes))
        };
        pack.read(offset, &other).map(|(kind, bytes)| Object { kind, bytes })
    }

    /// Looks in all places but one pack.
    fn search(&self, id: &ObjectId, but: Option<&Pack>, hops: &Cell<usize>) -> Result<Object, GitError> {
        let mut damage = None;
        let packs = self.stores.iter().flat_map(|s| &s.packs);
        for pack in packs.filter(|p| but.is_none_or(|but| !std::ptr::eq(*p, but))) {
            if let Some(offset) = pack.find(id).and_then(|at| pack.offset(at)) {
                match self.unfold(pack, offset, hops) {
                    Ok(object) => return Ok(object),
                    Err(what) => damage = Some(what.to_owned()),
                }
            }
        }
        for store in &self.stores {
            match file::open_own(&loose::path(&store.path, id)) {
                Ok(file) => match loose::read(file) {
                    Ok(object) => return Ok(object),
                    Err(what) => damage = Some(what),
                },
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => damage = Some(e.to_string()),
            }
        }
        Err(damage.map_or(GitError::Absent { id: *id }, |what| GitError::BadObject { id: *id, what }))
    }
}
