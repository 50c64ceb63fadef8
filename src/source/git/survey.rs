//! A first look at every object of a repository, each stretch of text once. What it points at is
//! read again, under its paths.

use super::Objects;
use super::file;
use super::history::pseudo;
use super::loose::{self, Stream};
use super::pack::{Entry, Graph, LARGE, Pack, Visited, Visitor, walk};
use super::parse::{Kind, Mode};
use super::reuse::Seen;
use super::trees::{self, PerThread};
use crate::model::{ObjectId, Provenance, RawPath, Sink, SkipReason, Skipped, Window};
use ahash::{AHashSet, RandomState};
use flate2::bufread::ZlibDecoder;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names that are remembered to have been looked at.
const NAMES: usize = 1 << 22;

/// What the first look pointed at.
#[derive(Debug, Default)]
pub struct Surveyed {
    /// Contents of files to be read again, under their paths.
    pub blobs: BTreeSet<ObjectId>,
    /// Commits and tags whose text is to be read again.
    pub texts: BTreeSet<ObjectId>,
    /// Names of files and folders to be read again.
    pub names: BTreeSet<Vec<u8>>,
}

/// A blob that is read again.
pub enum Content<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// It is too large for memory: each call opens it anew.
    Large {
        /// Its length in bytes.
        size: u64,
        /// Opens it.
        open: &'a dyn Fn() -> Box<dyn Read + 'a>,
    },
}

/// Takes commits and tags as they pass.
pub type OnText<'a> = &'a (dyn Fn(ObjectId, Kind, &[u8]) + Sync);

/// A survey of all objects of a repository.
pub struct Survey<'a> {
    objects: &'a Objects,
    graphs: Vec<(&'a Pack, Graph)>,
    loose: Vec<(ObjectId, PathBuf)>,
    sink: &'a dyn Sink,
    jobs: usize,
    most: u64,
    found: Mutex<Surveyed>,
    /// What cannot be read where it was looked for; each is dealt with once.
    lost: Mutex<AHashSet<ObjectId>>,
    /// Of that, what stands elsewhere too.
    beside: Mutex<BTreeMap<ObjectId, Kind>>,
}

impl<'a> Survey<'a> {
    /// Reads the heads of all packs. What cannot be read is counted by the sink, blobs of more than
    /// `most` bytes among it.
    pub fn new(objects: &'a Objects, sink: &'a dyn Sink, jobs: usize, most: u64) -> Self {
        objects.broken().iter().for_each(|skipped| sink.skipped(skipped.clone()));
        let packs: Vec<&Pack> = objects.stores().iter().flat_map(|s| &s.packs).collect();
        let graphs: Vec<(&Pack, Graph)> = packs.iter().map(|p| (*p, Graph::new(p))).collect();
        let mut loose: Vec<_> = objects.stores().iter().flat_map(|s| loose::list(&s.path)).collect();
        loose.sort();
        loose.dedup_by(|a, b| a.0 == b.0);
        loose.retain(|(id, _)| objects.packed(id).is_none());
        let (found, lost, beside) = (Mutex::default(), Mutex::default(), Mutex::default());
        let survey = Survey { objects, graphs, loose, sink, jobs, most, found, lost, beside };
        for (pack, graph) in &survey.graphs {
            for &(node, why) in graph.broken() {
                survey.lost(Some(pack), pack.id(graph.position(node)), why);
            }
            if u64::from(pack.claimed()) > graph.len() as u64 {
                survey.skip(
                    RawPath::from_path(pack.path()),
                    SkipReason::Broken,
                    format!("it holds {} objects, and its index names {}", pack.claimed(), graph.len()),
                );
            }
        }
        survey
    }

    /// Looks at every blob, commit and tag.
    pub fn look(&self, on_text: OnText<'_>) {
        let contents = Contents { survey: self, seen: self.sink.reach().map(Seen::new) };
        let text = |id: ObjectId, kind: Kind, bytes: &[u8]| {
            self.sink.looked(0, bytes.len() as u64);
            if self.is_hot(bytes) {
                lock(&self.found).texts.insert(id);
            }
            on_text(id, kind, bytes);
        };
        let is_text = |kind| matches!(kind, Kind::Commit | Kind::Tag);
        let texts =
            Each { survey: self, wants: &is_text, take: |o: &Visited<'_>| text(o.id, o.kind, o.bytes) };
        for (pack, graph) in &self.graphs {
            walk(pack, graph, None, self.jobs, &contents);
            walk(pack, graph, None, self.jobs, &texts);
        }
        self.each_loose(&|kind| kind != Kind::Tree, &|id, kind, content| match content {
            Content::Bytes(bytes) if kind == Kind::Blob => contents.content(id, bytes),
            Content::Bytes(bytes) => text(id, kind, bytes),
            Content::Large { size, .. } => contents.beyond(id, size),
        });
        self.each_beside(&|id, kind, bytes| match kind {
            Kind::Blob => contents.content(id, bytes),
            Kind::Commit | Kind::Tag => text(id, kind, bytes),
            Kind::Tree => {}
        });
    }

    /// Looks at the names in every tree, and notes those blobs that rules want by their name.
    pub fn names(&self) {
        let hasher = RandomState::new();
        let known: Mutex<AHashSet<u64>> = Mutex::default();
        let readers: PerThread<trees::Reader> = PerThread::default();
        self.each_tree(&|tree: &Visited<'_>| {
            let list = readers.with(|reader| reader.read(tree.bytes));
            let mut fresh = Vec::new();
            if !list.entries.is_empty() {
                let mut known = lock(&known);
                for (_, entry) in &list.entries {
                    if known.insert(hasher.hash_one(entry.name)) {
                        fresh.push(entry.name);
                    }
                    if matches!(entry.mode, Mode::File | Mode::Link) && self.sink.wants_name(entry.name) {
                        lock(&self.found).blobs.insert(entry.id);
                    }
                }
                // Whoever makes up names without end has them looked at twice, and costs no memory.
                if known.len() > NAMES {
                    known.clear();
                }
            }
            for name in fresh.into_iter().filter(|n| self.is_hot(n)) {
                lock(&self.found).names.insert(name.to_vec());
            }
            if list.broken {
                self.damaged(tree.id, "its entries do not parse");
            }
        });
    }

    /// Visits every tree.
    pub fn each_tree(&self, take: &(dyn Fn(&Visited<'_>) + Sync)) {
        let trees = Each { survey: self, wants: &|kind| kind == Kind::Tree, take };
        for (pack, graph) in &self.graphs {
            walk(pack, graph, None, self.jobs, &trees);
        }
        self.each_loose(&|kind| kind == Kind::Tree, &|id, kind, content| {
            if let Content::Bytes(bytes) = content {
                take(&Visited { node: 0, id, kind, bytes });
            }
        });
        self.each_beside(&|id, kind, bytes| {
            if kind == Kind::Tree {
                take(&Visited { node: 0, id, kind, bytes });
            }
        });
    }

    /// Reads the wanted blobs again, each once.
    pub fn again(&self, wanted: &BTreeSet<ObjectId>, take: &(dyn Fn(ObjectId, Content<'_>) + Sync)) {
        let done = Mutex::new(BTreeSet::new());
        let once = |id: ObjectId, content: Content<'_>| {
            if wanted.contains(&id) && lock(&done).insert(id) {
                take(id, content);
            }
        };
        let blobs = Blobs { survey: self, take: &once };
        for (pack, graph) in &self.graphs {
            let mut needed = vec![false; graph.len()];
            for node in 0..graph.len() as u32 {
                if !wanted.contains(&pack.id(graph.position(node))) {
                    continue;
                }
                let mut at = Some(node);
                while let Some(n) = at.filter(|&n| !std::mem::replace(&mut needed[n as usize], true)) {
                    at = graph.parent(n);
                }
            }
            walk(pack, graph, Some(&needed), self.jobs, &blobs);
        }
        self.each_loose(&|kind| kind == Kind::Blob, &|id, _, content| once(id, content));
        self.each_beside(&|id, kind, bytes| {
            if kind == Kind::Blob {
                once(id, Content::Bytes(bytes));
            }
        });
    }

    fn is_hot(&self, text: &[u8]) -> bool {
        if self.sink.reach().is_none() {
            return true;
        }
        let look = self.sink.look(text, &[all(text)]);
        !look.hot.is_empty()
    }

    /// What the looks pointed at.
    pub fn finish(self) -> Surveyed {
        self.found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the looks have pointed at so far.
    pub fn found(&self) -> MutexGuard<'_, Surveyed> {
        lock(&self.found)
    }

    /// Gives the loose objects of the wanted kinds; large blobs as streams.
    fn each_loose(
        &self,
        wants: &(dyn Fn(Kind) -> bool + Sync),
        take: &(dyn Fn(ObjectId, Kind, Content<'_>) + Sync),
    ) {
        let one = |id: ObjectId, path: &Path| -> Result<(), String> {
            let open = || Stream::loose(file::open_own(path).map_err(|e| e.to_string())?);
            let stream = open()?;
            let (kind, size) = (stream.kind, stream.size);
            if !wants(kind) {
                return Ok(());
            }
            if kind == Kind::Blob && size > LARGE {
                let again = || match open() {
                    Ok(stream) => Box::new(stream.bytes()) as Box<dyn Read>,
                    Err(why) => Box::new(Failed(why)),
                };
                take(id, kind, Content::Large { size, open: &again });
                return Ok(());
            }
            let file = file::open_own(path).map_err(|e| e.to_string())?;
            let object = loose::read(file)?;
            take(id, kind, Content::Bytes(&object.bytes));
            Ok(())
        };
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(self.loose.len()) {
                scope.spawn(|| {
                    while let Some((id, path)) = self.loose.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.sink.stopped() {
                            return;
                        }
                        if let Err(why) = one(*id, path) {
                            self.lost(None, *id, &why);
                        }
                    }
                });
            }
        });
    }

    fn is_too_large(&self, id: ObjectId, size: u64) -> bool {
        if size > self.most {
            self.skip(pseudo("blob", id), SkipReason::TooLarge, format!("{size} bytes"));
        }
        size > self.most
    }

    /// Counts an object that can be unfolded and makes no sense.
    pub fn damaged(&self, id: ObjectId, why: &str) {
        self.skip(RawPath::new(format!("object {id}").as_bytes()), SkipReason::Broken, why.to_owned());
    }

    /// Takes note of an object that cannot be read where it stands. Asked for it by name, each link
    /// of a chain would be followed down to the same damage: only other places are tried.
    fn lost(&self, pack: Option<&Pack>, id: ObjectId, why: &str) {
        if !lock(&self.lost).insert(id) {
            return;
        }
        let beside = match pack {
            Some(pack) => self.objects.read_beside(pack, &id),
            None => self.objects.read(&id),
        };
        // Only what cannot be read at all is lost.
        match beside {
            Ok(object) => drop(lock(&self.beside).insert(id, object.kind)),
            Err(_) => self.damaged(id, why),
        }
    }

    /// Gives what is damaged where it was looked for and stands elsewhere too.
    fn each_beside(&self, take: &dyn Fn(ObjectId, Kind, &[u8])) {
        let list = lock(&self.beside).clone();
        for (id, kind) in list {
            match self.objects.read(&id) {
                Ok(object) => take(id, kind, &object.bytes),
                Err(error) => self.damaged(id, &error.to_string()),
            }
        }
    }

    fn skip(&self, path: RawPath, reason: SkipReason, detail: String) {
        self.sink.skipped(Skipped { provenance: Provenance::file(path), reason, detail });
    }
}

/// What could be opened once and not again.
struct Failed(String);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other(self.0.clone()))
    }
}

fn all(text: &[u8]) -> Window {
    Window { span: 0..text.len(), own: 0..text.len() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at blobs.
struct Contents<'s, 'a> {
    survey: &'s Survey<'a>,
    /// Chunks that were looked at; without it every blob is read again whole.
    seen: Option<Seen>,
}

impl Contents<'_, '_> {
    /// Has one read again that is too large for a first look.
    fn beyond(&self, id: ObjectId, size: u64) {
        if !self.survey.is_too_large(id, size) {
            self.survey.sink.looked(1, size);
            lock(&self.survey.found).blobs.insert(id);
        }
    }

    fn content(&self, id: ObjectId, bytes: &[u8]) {
        if self.survey.is_too_large(id, bytes.len() as u64) {
            return;
        }
        self.survey.sink.looked(1, bytes.len() as u64);
        if self.seen.as_ref().is_none_or(|seen| seen.is_hot(bytes, self.survey.sink)) {
            lock(&self.survey.found).blobs.insert(id);
        }
    }
}

impl Visitor for Contents<'_, '_> {
    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Blob
    }

    fn visit(&self, object: &Visited<'_>) {
        self.content(object.id, object.bytes);
    }

    fn large(&self, _: &Pack, entry: &Entry, id: ObjectId, _: Kind) {
        self.beyond(id, entry.size);
    }

    fn broken(&self, pack: &Pack, id: ObjectId, why: &str) {
        self.survey.lost(Some(pack), id, why);
    }

    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        self.survey.objects.read(id).ok().map(|o| (o.kind, o.bytes))
    }

    fn stopped(&self) -> bool {
        self.survey.sink.stopped()
    }
}

/// Hands over every object of some kinds.
struct Each<'s, 'a, F> {
    survey: &'s Survey<'a>,
    wants: &'s (dyn Fn(Kind) -> bool + Sync),
    take: F,
}

impl<F: Fn(&Visited<'_>) + Sync> Visitor for Each<'_, '_, F> {
    fn wants(&self, kind: Kind) -> bool {
        (self.wants)(kind)
    }

    fn visit(&self, object: &Visited<'_>) {
        (self.take)(object);
    }

    fn large(&self, pack: &Pack, entry: &Entry, id: ObjectId, kind: Kind) {
        let mut bytes = Vec::new();
        let made = match entry.size > pack.most() {
            true => Err("it takes more memory than an object of such a pack may"),
            false => pack.inflate(entry, &mut libdeflater::Decompressor::new(), &mut bytes),
        };
        match made {
            Ok(()) => (self.take)(&Visited { node: 0, id, kind, bytes: &bytes }),
            Err(why) => self.survey.lost(Some(pack), id, why),
        }
    }

    fn broken(&self, pack: &Pack, id: ObjectId, why: &str) {
        self.survey.lost(Some(pack), id, why);
    }

    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        self.survey.objects.read(id).ok().map(|o| (o.kind, o.bytes))
    }

    fn stopped(&self) -> bool {
        self.survey.sink.stopped()
    }
}

/// Hands over blobs, large ones as streams.
struct Blobs<'s, 'a> {
    survey: &'s Survey<'a>,
    take: &'s (dyn Fn(ObjectId, Content<'_>) + Sync),
}

impl Visitor for Blobs<'_, '_> {
    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Blob
    }

    fn visit(&self, object: &Visited<'_>) {
        (self.take)(object.id, Content::Bytes(object.bytes));
    }

    fn large(&self, pack: &Pack, entry: &Entry, id: ObjectId, _: Kind) {
        let data = pack.bytes().get(entry.data..).unwrap_or_default();
        let open = || Box::new(ZlibDecoder::new(data).take(entry.size)) as Box<dyn Read + '_>;
        (self.take)(id, Content::Large { size: entry.size, open: &open });
    }

    fn broken(&self, pack: &Pack, id: ObjectId, why: &str) {
        self.survey.lost(Some(pack), id, why);
    }

    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        self.survey.objects.read(id).ok().map(|o| (o.kind, o.bytes))
    }

    fn stopped(&self) -> bool {
        self.survey.sink.stopped()
    }
}
