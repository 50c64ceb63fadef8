//! What is remembered of one repository's objects, for the length of a sweep.

use super::entry::Entry;
use super::{State, StateError};
use crate::model::ObjectId;
use crate::source::git::Objects;
use crate::source::git::memory::{Hot, Learned, Memory};
use crate::source::git::parse::{Kind, entries};
use ahash::AHashSet;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Looks that are written together, at most, and how long they may wait.
const LOOKS: usize = 1000;
const WAIT: Duration = Duration::from_millis(200);
/// Rows of earlier sweeps beyond which they are joined into one.
const ROWS: usize = 16;
/// Trees that are remembered of one name; folders of all versions may hold it.
const TREES: usize = 32;

/// The memory of one repository.
pub struct Recall<'s> {
    state: &'s State,
    repository: i64,
    sweep: i64,
    /// Rows of earlier sweeps.
    rows: usize,
    /// Whether this sweep goes on where it was interrupted.
    resumes: bool,
    inner: Mutex<Inner>,
}

/// What looks pointed at, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Pointed {
    blobs: BTreeSet<ObjectId>,
    texts: BTreeSet<ObjectId>,
    /// Names by their short names: each tree that holds one, and the place of its entry.
    names: BTreeMap<u64, BTreeSet<(ObjectId, u32)>>,
}

#[derive(Default)]
struct Inner {
    /// Short names of all objects that were looked at.
    known: AHashSet<u64>,
    hot: Pointed,
    pending: Batch,
    last: Option<Instant>,
    counts: Counts,
    failed: Option<StateError>,
}

/// What is written in one row.
#[derive(Default)]
struct Batch {
    hashes: Vec<u64>,
    counts: Counts,
    hot: Pointed,
    is_hot: bool,
}

/// Texts and bytes that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Contents of files.
    pub texts: u64,
    /// Bytes, those of commits and tags among them.
    pub bytes: u64,
}

impl<'s> Recall<'s> {
    /// Loads what is remembered.
    ///
    /// # Errors
    /// The state cannot be read, or is damaged.
    pub fn load(state: &'s State, entry: &Entry) -> Result<Self, StateError> {
        let (repository, sweep) = (entry.id, entry.sweep);
        let mut inner = Inner::default();
        let (mut rows, mut resumes) = (0, false);
        let list = state.ask(|db| {
            let mut ask = db.prepare(
                "SELECT sweep, objects, texts, bytes, hashes, hot, seal FROM batch WHERE repository = ?1",
            )?;
            let row = |r: &rusqlite::Row<'_>| {
                let body: (Vec<u8>, Vec<u8>, Vec<u8>) = (r.get(4)?, r.get(5)?, r.get(6)?);
                Ok(([r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?], body))
            };
            ask.query_map([repository], row)?.collect::<rusqlite::Result<Vec<([i64; 4], _)>>>()
        })?;
        for (numbers, (hashes, hot, seal)) in list {
            if seal != seal_of(state, repository, numbers, &hashes, &hot) {
                return Err(state.broken("a row of it is not as it was written"));
            }
            let hot: Pointed =
                postcard::from_bytes(&hot).map_err(|_| state.broken("a row of it does not parse"))?;
            let hashes = hashes.chunks_exact(8).filter_map(|b| b.try_into().ok()).map(u64::from_le_bytes);
            inner.known.extend(hashes);
            if numbers[0] < sweep {
                rows += 1;
            } else {
                resumes = true;
                inner.counts.texts += numbers[2].unsigned_abs();
                inner.counts.bytes += numbers[3].unsigned_abs();
            }
            inner.hot.add(&hot);
        }
        Ok(Recall { state, repository, sweep, rows, resumes, inner: Mutex::new(inner) })
    }

    /// Joins the rows of earlier sweeps once they are many, and forgets what the repository does not
    /// hold any more.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn tidy(&self, objects: &Objects) -> Result<(), StateError> {
        if self.rows > ROWS && !self.resumes { self.join(objects) } else { Ok(()) }
    }

    /// Whether it knows much, and nothing of what is there: another repository stands in the place of
    /// the one that was swept.
    pub fn is_of_another(&self, objects: &Objects) -> bool {
        let mut any = false;
        let packs = objects.stores().iter().flat_map(|s| &s.packs);
        let packed = packs.flat_map(|pack| (0..pack.len()).map(|at| pack.id(at)));
        let loose = objects.loose().iter().map(|(id, _)| *id);
        let known = packed.chain(loose).inspect(|_| any = true).any(|id| self.knows(&id));
        any && !known && !self.is_empty()
    }

    /// Whether a name may stand in trees that were looked at, and none of those is left that would
    /// tell it.
    pub fn has_lost_a_name(&self, objects: &Objects) -> bool {
        let gone = |trees: &BTreeSet<(ObjectId, u32)>| !trees.iter().any(|(id, _)| objects.contains(id));
        self.inner().hot.names.values().any(|trees| trees.len() >= TREES && gone(trees))
    }

    /// Texts and bytes that this sweep has looked at before it was interrupted.
    pub fn resumed(&self) -> Counts {
        self.inner().counts
    }

    /// Whether something could not be written; then [`Recall::flush`] tells what.
    pub fn failed(&self) -> bool {
        self.inner().failed.is_some()
    }

    /// Writes what was not written yet.
    ///
    /// # Errors
    /// It, or something before it, could not be written.
    pub fn flush(&self) -> Result<(), StateError> {
        let mut inner = self.inner();
        self.write(&mut inner);
        inner.failed.take().map_or(Ok(()), Err)
    }

    fn write(&self, inner: &mut Inner) {
        inner.last = Some(Instant::now());
        let batch = std::mem::take(&mut inner.pending);
        if inner.failed.is_some() || batch.hashes.is_empty() && !batch.is_hot {
            return;
        }
        if let Err(error) = self.insert(self.sweep, batch) {
            inner.failed = Some(error);
        }
    }

    fn insert(&self, sweep: i64, batch: Batch) -> Result<(), StateError> {
        let Row { numbers, hashes, hot, seal } = self.row(sweep, batch);
        self.state.ask(|db| {
            let [sweep, objects, texts, bytes] = numbers;
            let values = params![self.repository, sweep, objects, texts, bytes, hashes, hot, seal];
            db.execute(INSERT, values)
        })?;
        Ok(())
    }

    fn row(&self, sweep: i64, mut batch: Batch) -> Row {
        batch.hashes.sort_unstable();
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let Counts { texts, bytes } = batch.counts;
        let numbers = [sweep, number(batch.hashes.len() as u64), number(texts), number(bytes)];
        let hashes: Vec<u8> = batch.hashes.iter().flat_map(|h| h.to_le_bytes()).collect();
        let hot = postcard::to_stdvec(&batch.hot).expect("because names and numbers have a form");
        let seal = seal_of(self.state, self.repository, numbers, &hashes, &hot);
        Row { numbers, hashes, hot, seal }
    }

    /// Joins all rows into one, without what is not there any more.
    fn join(&self, objects: &Objects) -> Result<(), StateError> {
        let mut inner = self.inner();
        let packs = objects.stores().iter().flat_map(|s| &s.packs);
        let packed = packs.flat_map(|pack| (0..pack.len()).map(|at| pack.id(at)));
        let loose = objects.loose().iter().map(|(id, _)| *id);
        let present: AHashSet<u64> = packed.chain(loose).map(|id| self.state.key.object(&id)).collect();
        let stays = |id: &ObjectId| present.contains(&self.state.key.object(id));
        let hot = &mut inner.hot;
        // Blobs stay: a tree that is known may want one by its name that comes later.
        hot.texts.retain(stays);
        // Of a name that more trees hold than are remembered it has to be seen when all of those are gone.
        let all_told = hot.names.values_mut().filter(|trees| trees.len() < TREES);
        all_told.for_each(|trees| trees.retain(|(id, _)| stays(id)));
        hot.names.retain(|_, trees| !trees.is_empty());
        inner.known.retain(|hash| present.contains(hash));
        let hashes: Vec<u64> = inner.known.iter().copied().collect();
        let batch = Batch { hashes, counts: Counts::default(), hot: inner.hot.clone(), is_hot: true };
        let row = self.row(self.sweep - 1, batch);
        self.state.ask(|db| {
            let work = db.transaction()?;
            work.execute("DELETE FROM batch WHERE repository = ?1", [self.repository])?;
            let [sweep, objects, texts, bytes] = row.numbers;
            let Row { hashes, hot, seal, .. } = row;
            let values = params![self.repository, sweep, objects, texts, bytes, hashes, hot, seal];
            work.execute(INSERT, values)?;
            work.commit()
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const INSERT: &str = "INSERT INTO batch (repository, sweep, objects, texts, bytes, hashes, hot, seal)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// A row as it is stored.
struct Row {
    /// Sweep, objects, texts, bytes.
    numbers: [i64; 4],
    hashes: Vec<u8>,
    hot: Vec<u8>,
    seal: Vec<u8>,
}

fn seal_of(state: &State, repository: i64, numbers: [i64; 4], hashes: &[u8], hot: &[u8]) -> Vec<u8> {
    let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    state.key.seal(&[b"batch", &repository.to_le_bytes(), &numbers, hashes, hot])
}

impl Pointed {
    fn add(&mut self, other: &Pointed) {
        self.blobs.extend(&other.blobs);
        self.texts.extend(&other.texts);
        for (name, trees) in &other.names {
            self.names.entry(*name).or_default().extend(trees);
        }
    }
}

impl Inner {
    /// Notes what a look pointed at, if that is new.
    fn point(&mut self, learned: &Learned<'_>, names: &[(u64, u32)]) {
        let (all, new) = (&mut self.hot, &mut self.pending);
        let mut blob = |id: ObjectId| {
            if all.blobs.insert(id) {
                new.is_hot |= new.hot.blobs.insert(id);
            }
        };
        learned.wanted.iter().for_each(|id| blob(*id));
        match learned.kind {
            Kind::Blob if learned.hot => blob(learned.id),
            Kind::Commit | Kind::Tag if learned.hot && all.texts.insert(learned.id) => {
                new.is_hot |= new.hot.texts.insert(learned.id);
            }
            _ => {}
        }
        for &(name, at) in names {
            let trees = all.names.entry(name).or_default();
            if trees.len() < TREES && trees.insert((learned.id, at)) {
                new.is_hot |= new.hot.names.entry(name).or_default().insert((learned.id, at));
            }
        }
    }
}

impl Memory for Recall<'_> {
    fn is_empty(&self) -> bool {
        self.inner().known.is_empty()
    }

    fn knows(&self, id: &ObjectId) -> bool {
        let hash = self.state.key.object(id);
        self.inner().known.contains(&hash)
    }

    fn learned(&self, learned: &Learned<'_>) -> bool {
        let hash = self.state.key.object(&learned.id);
        let names: Vec<_> = learned.names.iter().map(|(at, name)| (self.state.key.name(name), *at)).collect();
        let mut inner = self.inner();
        if learned.sound && !inner.known.insert(hash) {
            return false;
        }
        inner.point(learned, &names);
        if learned.sound {
            inner.pending.hashes.push(hash);
            if learned.kind != Kind::Tree {
                inner.pending.counts.bytes += learned.size;
                inner.pending.counts.texts += u64::from(learned.kind == Kind::Blob);
            }
        }
        let since = *inner.last.get_or_insert_with(Instant::now);
        if inner.pending.hashes.len() >= LOOKS || since.elapsed() >= WAIT {
            self.write(&mut inner);
        }
        true
    }

    fn hot(&self, objects: &Objects) -> Hot {
        let hot = self.inner().hot.clone();
        let name = |(name, trees): (u64, BTreeSet<(ObjectId, u32)>)| {
            trees.into_iter().find_map(|(tree, at)| {
                let bytes = objects.read_as(&tree, Kind::Tree).ok()?;
                let entry = entries(&bytes).nth(at as usize)?;
                (self.state.key.name(entry.name) == name).then(|| entry.name.to_vec())
            })
        };
        Hot { blobs: hot.blobs, texts: hot.texts, names: hot.names.into_iter().filter_map(name).collect() }
    }
}
