//! A first look at every object of a repository, each stretch of text once. What it points at is
//! read again, under its paths.

use super::file;
use super::history::pseudo;
use super::objects::{Objects, loose, loose_objects};
use super::pack::{Entry, Graph, Pack, Visited, Visitor, walk};
use super::parse::{Kind, Mode, entries};
use super::reuse::Seen;
use crate::model::{ObjectId, Provenance, RawPath, Sink, SkipReason, Skipped, Window};
use ahash::AHashSet;
use flate2::bufread::ZlibDecoder;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    Large(&'a dyn Fn() -> Box<dyn Read + 'a>),
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
}

impl<'a> Survey<'a> {
    /// Reads the heads of all packs. What cannot be read is counted by the sink, blobs of more than
    /// `most` bytes among it.
    pub fn new(objects: &'a Objects, sink: &'a dyn Sink, jobs: usize, most: u64) -> Self {
        objects.broken().iter().for_each(|skipped| sink.skipped(skipped.clone()));
        let packs: Vec<&Pack> = objects.stores().iter().flat_map(|s| &s.packs).collect();
        let graphs: Vec<(&Pack, Graph)> = packs.iter().map(|p| (*p, Graph::new(p))).collect();
        let survey = |loose| Survey { objects, graphs, loose, sink, jobs, most, found: Mutex::default() };
        let mut loose: Vec<_> = objects.stores().iter().flat_map(|s| loose_objects(&s.path)).collect();
        loose.sort();
        loose.dedup_by(|a, b| a.0 == b.0);
        loose.retain(|(id, _)| objects.packed(id).is_none());
        let survey = survey(loose);
        for (pack, graph) in &survey.graphs {
            for &(node, why) in graph.broken() {
                survey.lost(pack.id(graph.position(node)), why);
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
        self.each_loose(&|id, object| match object.kind {
            Kind::Blob => {
                contents.content(id, &object.bytes);
            }
            kind if is_text(kind) => text(id, kind, &object.bytes),
            _ => {}
        });
    }

    /// Looks at the names in every tree, and notes those blobs that rules want by their name.
    pub fn names(&self) {
        let names: Mutex<AHashSet<Box<[u8]>>> = Mutex::default();
        let wanted = Mutex::new(BTreeSet::new());
        self.each_tree(&|tree: &Visited<'_>| {
            let mut known = lock(&names);
            let mut list = entries(tree.bytes);
            for entry in list.by_ref() {
                if !known.contains(entry.name) {
                    known.insert(entry.name.into());
                }
                if matches!(entry.mode, Mode::File | Mode::Link) && self.sink.wants_name(entry.name) {
                    lock(&wanted).insert(entry.id);
                }
            }
            if list.broken {
                self.lost(tree.id, "its entries do not parse");
            }
        });
        let names = names.into_inner().unwrap_or_else(PoisonError::into_inner);
        let hot: BTreeSet<Vec<u8>> = names.iter().filter(|n| self.is_hot(n)).map(|n| n.to_vec()).collect();
        let mut found = lock(&self.found);
        found.names = hot;
        found.blobs.append(&mut lock(&wanted));
    }

    /// Visits every tree.
    pub fn each_tree(&self, take: &(dyn Fn(&Visited<'_>) + Sync)) {
        let trees = Each { survey: self, wants: &|kind| kind == Kind::Tree, take };
        for (pack, graph) in &self.graphs {
            walk(pack, graph, None, self.jobs, &trees);
        }
        self.each_loose(&|id, object| {
            if object.kind == Kind::Tree {
                take(&Visited { node: 0, id, kind: Kind::Tree, bytes: &object.bytes });
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
        self.each_loose(&|id, object| {
            if object.kind == Kind::Blob {
                once(id, Content::Bytes(&object.bytes));
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

    fn each_loose(&self, take: &(dyn Fn(ObjectId, super::Object) + Sync)) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(self.loose.len()) {
                scope.spawn(|| {
                    while let Some((id, path)) = self.loose.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.sink.stopped() {
                            return;
                        }
                        match file::open_own(path).map_err(|e| e.to_string()).and_then(loose) {
                            Ok(object) => take(*id, object),
                            Err(why) => self.lost(*id, &why),
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

    fn lost(&self, id: ObjectId, why: &str) {
        // Another copy may be whole; only what cannot be read at all is lost.
        match self.objects.read(&id) {
            Ok(object) if object.kind == Kind::Blob => {
                lock(&self.found).blobs.insert(id);
            }
            Ok(object) if object.kind != Kind::Tree => {
                lock(&self.found).texts.insert(id);
            }
            _ => {
                self.skip(RawPath::new(format!("object {id}").as_bytes()), SkipReason::Broken, why.to_owned())
            }
        }
    }

    fn skip(&self, path: RawPath, reason: SkipReason, detail: String) {
        self.sink.skipped(Skipped { provenance: Provenance::file(path), reason, detail });
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

    fn large(&self, _: &Pack, entry: &Entry, id: ObjectId, kind: Kind) {
        if kind == Kind::Blob {
            if self.survey.is_too_large(id, entry.size) {
                return;
            }
            self.survey.sink.looked(1, entry.size);
            lock(&self.survey.found).blobs.insert(id);
        } else {
            self.survey.lost(id, "it is larger than the bound");
        }
    }

    fn broken(&self, id: ObjectId, why: &str) {
        self.survey.lost(id, why);
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
        match pack.inflate(entry, &mut libdeflater::Decompressor::new(), &mut bytes) {
            Ok(()) => {
                (self.take)(&Visited { node: 0, id, kind, bytes: &bytes });
            }
            Err(why) => self.survey.lost(id, why),
        }
    }

    fn broken(&self, id: ObjectId, why: &str) {
        self.survey.lost(id, why);
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
        (self.take)(id, Content::Large(&open));
    }

    fn broken(&self, id: ObjectId, why: &str) {
        // Another copy, loose or in another pack, may be whole.
        match self.survey.objects.read(&id) {
            Ok(object) => (self.take)(id, Content::Bytes(&object.bytes)),
            Err(_) => self.survey.damaged(id, why),
        }
    }

    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        self.survey.objects.read(id).ok().map(|o| (o.kind, o.bytes))
    }

    fn stopped(&self) -> bool {
        self.survey.sink.stopped()
    }
}
