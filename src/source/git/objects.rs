//! The objects of a repository: packs and loose files, of its own and of its alternates.

use super::GitError;
use super::file::{self, Bounds};
use super::pack::Pack;
use super::parse::Kind;
pub use super::store::Store;
use crate::model::{ObjectId, RawPath, Skipped};
use flate2::bufread::ZlibDecoder;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Largest object that is read into memory.
pub const LARGEST: u64 = 1 << 30;
/// Bases in other packs that are followed before a chain is given up.
const HOPS: usize = 50;

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
}

impl Objects {
    /// Opens the directories, in the order in which they are asked. A pack that cannot be opened is
    /// listed by [`Objects::broken`].
    ///
    /// # Errors
    /// A directory is not there.
    pub fn open(dirs: &[PathBuf]) -> Result<Self, GitError> {
        let mut opened = Objects { stores: Vec::new(), broken: Vec::new(), last: Mutex::new((0, 0)) };
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

    /// Reads the indexes of all packs from end to end, and makes those anew that are damaged. What is
    /// lost by that is listed by [`Objects::broken`]. Opening reads no more of an index than it needs;
    /// whoever wants every object calls this first.
    pub fn repair(&mut self) {
        self.stores.iter_mut().for_each(|store| store.repair(&mut self.broken));
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
        self.packed(id).is_some() || self.stores.iter().any(|s| loose_path(&s.path, id).exists())
    }

    /// Reads an object.
    ///
    /// # Errors
    /// It is not there, damaged, or larger than [`LARGEST`].
    pub fn read(&self, id: &ObjectId) -> Result<Object, GitError> {
        self.read_within(id, HOPS)
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
            found.extend(loose_in(&store.path, first).into_iter().map(|(id, _)| id).filter(fits).take(most));
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

    fn read_within(&self, id: &ObjectId, hops: usize) -> Result<Object, GitError> {
        let bad = |what: &str| GitError::BadObject { id: *id, what: what.to_owned() };
        let mut damage = None;
        if let Some((pack, offset)) = self.packed(id) {
            let other = |base: &ObjectId| {
                let object = self.read_within(base, hops.checked_sub(1)?).ok()?;
                Some((object.kind, object.bytes))
            };
            match pack.read(offset, LARGEST, &other) {
                Ok((kind, bytes)) => return Ok(Object { kind, bytes }),
                Err(what) => damage = Some(bad(what)),
            }
        }
        // The same object may be stored twice, and only one of the two be damaged.
        for store in &self.stores {
            match file::open_own(&loose_path(&store.path, id)) {
                Ok(file) => match loose(file) {
                    Ok(object) => return Ok(object),
                    Err(what) => damage = Some(bad(&what)),
                },
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => damage = Some(bad(&e.to_string())),
            }
        }
        Err(damage.unwrap_or(GitError::Absent { id: *id }))
    }
}

pub(super) fn loose_path(dir: &Path, id: &ObjectId) -> PathBuf {
    let hex = id.to_string();
    dir.join(&hex[..2]).join(&hex[2..])
}

/// The loose objects of a directory, sorted by name.
pub fn loose_objects(dir: &Path) -> Vec<(ObjectId, PathBuf)> {
    (0..=255).flat_map(|first| loose_in(dir, first)).collect()
}

fn loose_in(dir: &Path, first: u8) -> Vec<(ObjectId, PathBuf)> {
    let prefix = format!("{first:02x}");
    let Ok(list) = fs::read_dir(dir.join(&prefix)) else { return Vec::new() };
    let mut found: Vec<_> = list
        .flatten()
        .filter_map(|e| {
            let name = [prefix.as_bytes(), e.file_name().as_encoded_bytes()].concat();
            Some((ObjectId::parse(&name)?, e.path()))
        })
        .collect();
    found.sort();
    found
}

/// Reads a loose object.
///
/// # Errors
/// What is wrong, in words.
pub fn loose(file: File) -> Result<Object, String> {
    if !file.metadata().map_err(|e| e.to_string())?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut stream = ZlibDecoder::new(BufReader::new(file));
    let mut head = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).map_err(|_| "its data does not unfold")?;
        if byte[0] == 0 {
            break;
        }
        head.push(byte[0]);
        if head.len() > 32 {
            return Err("its head is no object's".to_owned());
        }
    }
    let mut words = head.splitn(2, |&b| b == b' ');
    let kind = words.next().and_then(Kind::parse).ok_or("its head names no kind")?;
    let size: u64 = words
        .next()
        .and_then(|w| std::str::from_utf8(w).ok()?.parse().ok())
        .ok_or("its head gives no size")?;
    if size > LARGEST {
        return Err(format!("it is larger than the bound: {size} bytes"));
    }
    let mut bytes = Vec::with_capacity(size.min(1 << 20) as usize);
    stream.take(size + 1).read_to_end(&mut bytes).map_err(|_| "its data does not unfold")?;
    if bytes.len() as u64 != size {
        return Err("its data has another length than its head says".to_owned());
    }
    Ok(Object { kind, bytes })
}
