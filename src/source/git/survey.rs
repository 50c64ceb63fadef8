//! A first look at every object of a repository, each stretch of text once. What it points at is
//! read again, under its paths.

mod names;
mod visitors;

use super::file;
use super::history::pseudo;
use super::loose::{self, Stream};
use super::memory::{Hot, Learned, Memory};
use super::objects::Objects;
use super::pack::{Graph, LARGE, Pack, Visited, walk};
use super::parse::{Kind, Mode};
use super::part::Part;
use super::reader::{Reader, family};
use super::reuse::Seen;
use super::trees::PerThread;
use crate::model::{ObjectId, Provenance, RawPath, Sink, SkipReason, Skipped, Window};
use ahash::AHashSet;
use names::{Before, Names, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use visitors::{Blobs, Contents, Each};

/// So few blobs are read one by one where the heads of a pack's entries were not read: to read by
/// families takes all of them.
const FEW: usize = 64;

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

/// Takes commits and tags as they pass; `false` if one makes no sense.
pub type OnText<'a> = &'a (dyn Fn(ObjectId, Kind, &[u8]) -> bool + Sync);

/// A survey of all objects of a repository.
pub struct Survey<'a> {
    objects: &'a Objects,
    parts: Vec<Part<'a>>,
    loose: Vec<&'a (ObjectId, PathBuf)>,
    sink: &'a dyn Sink,
    memory: &'a dyn Memory,
    jobs: usize,
    most: u64,
    /// What cannot be read where it was looked for; each is dealt with once.
    lost: Mutex<AHashSet<ObjectId>>,
    /// Of that, what stands elsewhere too.
    beside: Mutex<BTreeMap<ObjectId, Kind>>,
    skipped: AtomicBool,
}

impl<'a> Survey<'a> {
    /// Finds the packs and loose objects. What cannot be read is counted by the sink, blobs of more
    /// than `most` bytes among it. What `memory` knows is not looked at.
    pub fn new(
        objects: &'a Objects,
        sink: &'a dyn Sink,
        memory: &'a dyn Memory,
        jobs: usize,
        most: u64,
    ) -> Self {
        objects.broken().iter().for_each(|skipped| sink.skipped(skipped.clone()));
        let parts: Vec<Part<'a>> = objects.stores().iter().flat_map(|s| &s.packs).map(Part::new).collect();
        let loose = objects.loose().iter().filter(|(id, _)| objects.packed(id).is_none()).collect();
        let (lost, beside) = (Mutex::default(), Mutex::default());
        let skipped = AtomicBool::new(!objects.broken().is_empty());
        let survey = Survey { objects, parts, loose, sink, memory, jobs, most, lost, beside, skipped };
        for pack in survey.parts.iter().map(|p| p.pack).filter(|p| p.claimed() > p.len()) {
            survey.skip(
                RawPath::from_path(pack.path()),
                SkipReason::Broken,
                format!("it holds {} objects, and its index names {}", pack.claimed(), pack.len()),
            );
        }
        survey
    }

    /// Looks at every blob, commit and tag that is new.
    pub fn look(&self, on_text: OnText<'_>) {
        let seen = self.sink.reach().map(Seen::new);
        let is_text = |kind| matches!(kind, Kind::Commit | Kind::Tag);
        for part in &self.parts {
            part.ask(self.memory);
            if part.is_known() {
                continue;
            }
            let graph = self.graph(part);
            let contents = Contents { survey: self, part: Some(part), seen: seen.as_ref() };
            walk(part.pack, graph, part.needed(), self.jobs, &contents);
            let take = |o: &Visited<'_>| {
                if part.is_new(o.node) {
                    self.text(o.id, o.kind, o.bytes, on_text);
                }
            };
            let texts = Each { survey: self, wants: &is_text, take };
            walk(part.pack, graph, part.needed(), self.jobs, &texts);
        }
        let contents = Contents { survey: self, part: None, seen: seen.as_ref() };
        let is_new = |id: &ObjectId| !self.memory.knows(id);
        self.each_loose(&is_new, &|kind| kind != Kind::Tree, &|id, kind, content| match content {
            Content::Bytes(bytes) if kind == Kind::Blob => contents.content(id, bytes),
            Content::Bytes(bytes) => self.text(id, kind, bytes, on_text),
            Content::Large { size, .. } => contents.beyond(id, size),
        });
        self.each_beside(&is_new, &|kind| kind != Kind::Tree, &|id, kind, bytes| match kind {
            Kind::Blob => contents.content(id, bytes),
            _ => self.text(id, kind, bytes, on_text),
        });
    }

    fn text(&self, id: ObjectId, kind: Kind, bytes: &[u8], on_text: OnText<'_>) {
        let size = bytes.len() as u64;
        let learned = Learned::text(id, kind, size, self.is_hot(bytes));
        if self.memory.learned(&Learned { sound: on_text(id, kind, bytes), ..learned }) {
            self.sink.looked(0, size);
        }
    }

    /// Looks at the names in every tree that is new, and notes those blobs that rules want by their
    /// name.
    pub fn names(&self) {
        let known = Names::default();
        let before: PerThread<Before> = PerThread::default();
        let judge = |name: &[u8]| Verdict { hot: self.is_hot(name), wanted: self.sink.wants_name(name) };
        self.trees(true, &|tree: &Visited<'_>| {
            before.with(|before| {
                let list = before.reader.read(tree.bytes);
                let found = known.judge(&list.entries, &judge);
                let is_file = |mode| matches!(mode, Mode::File | Mode::Link);
                // One that is kept was noted with the tree before.
                let wanted =
                    found.iter().filter(|(_, e, v)| v.wanted && is_file(e.mode)).map(|(_, e, _)| e.id);
                before.hot.retain_mut(|(at, _)| list.now(*at).map(|now| *at = now).is_some());
                let fresh = found.iter().filter(|(_, _, v)| v.hot);
                before.hot.extend(fresh.map(|(at, entry, _)| (*at, Box::from(entry.name))));
                let named = before.hot.iter().map(|(at, name)| (*at as u32, &**name));
                let learned = Learned {
                    names: &named.collect::<Vec<_>>(),
                    wanted: &wanted.collect::<Vec<_>>(),
                    sound: !list.broken,
                    ..Learned::text(tree.id, Kind::Tree, tree.bytes.len() as u64, false)
                };
                self.memory.learned(&learned);
                if list.broken {
                    self.damaged(tree.id, "its entries do not parse");
                }
            });
        });
    }

    /// Visits every tree, known or not.
    pub fn each_tree(&self, take: &(dyn Fn(&Visited<'_>) + Sync)) {
        self.trees(false, take);
    }

    fn trees(&self, only_new: bool, take: &(dyn Fn(&Visited<'_>) + Sync)) {
        for part in self.parts.iter().filter(|p| !only_new || !p.is_known()) {
            let take = |tree: &Visited<'_>| {
                if !only_new || part.is_new(tree.node) {
                    take(tree);
                }
            };
            let needed = part.needed().filter(|_| only_new);
            let trees = Each { survey: self, wants: &|kind| kind == Kind::Tree, take };
            walk(part.pack, self.graph(part), needed, self.jobs, &trees);
        }
        let which = |id: &ObjectId| !only_new || !self.memory.knows(id);
        let is_tree = |kind| kind == Kind::Tree;
        self.each_loose(&which, &is_tree, &|id, kind, content| {
            if let Content::Bytes(bytes) = content {
                take(&Visited { node: 0, id, kind, bytes });
            }
        });
        self.each_beside(&which, &is_tree, &|id, kind, bytes| {
            take(&Visited { node: 0, id, kind, bytes });
        });
    }

    /// Visits every commit and tag, known or not.
    pub fn each_text(&self, take: &(dyn Fn(ObjectId, Kind, &[u8]) + Sync)) {
        let wants = |kind| matches!(kind, Kind::Commit | Kind::Tag);
        for part in &self.parts {
            let texts =
                Each { survey: self, wants: &wants, take: |o: &Visited<'_>| take(o.id, o.kind, o.bytes) };
            walk(part.pack, self.graph(part), None, self.jobs, &texts);
        }
        self.each_loose(&|_| true, &wants, &|id, kind, content| {
            if let Content::Bytes(bytes) = content {
                take(id, kind, bytes);
            }
        });
        self.each_beside(&|_| true, &wants, take);
    }

    /// Reads the wanted blobs again, each once. One that is not there any more, or cannot be read, is
    /// counted.
    pub fn again(&self, wanted: &BTreeSet<ObjectId>, take: &(dyn Fn(ObjectId, Content<'_>) + Sync)) {
        let done = Mutex::new(BTreeSet::new());
        let once = |id: ObjectId, content: Content<'_>| {
            if wanted.contains(&id) && lock(&done).insert(id) {
                take(id, content);
            }
        };
        let is_walked = |part: &&Part<'a>| wanted.len() > FEW || part.has_graph();
        let walked: Vec<&Part<'a>> = self.parts.iter().filter(is_walked).collect();
        for part in &walked {
            if let Some(needed) = part.leading_to(wanted) {
                let blobs = Blobs { survey: self, take: &once };
                walk(part.pack, self.graph(part), Some(&needed), self.jobs, &blobs);
            }
        }
        let (which, is_blob) = (|id: &ObjectId| wanted.contains(id), |kind| kind == Kind::Blob);
        self.each_loose(&which, &is_blob, &|id, _, content| once(id, content));
        self.each_beside(&which, &is_blob, &|id, _, bytes| once(id, Content::Bytes(bytes)));
        if self.sink.stopped() {
            return;
        }
        let (done, lost) = (lock(&done).clone(), lock(&self.lost).clone());
        // What a walk passed by is no blob, whatever a folder says.
        let passed = |id: &ObjectId| walked.iter().any(|part| part.pack.find(id).is_some());
        let missed = wanted.iter().filter(|id| !done.contains(id) && !lost.contains(*id) && !passed(id));
        self.singly(missed.copied().collect(), take);
    }

    /// Reads blobs one by one.
    fn singly(&self, mut list: Vec<ObjectId>, take: &(dyn Fn(ObjectId, Content<'_>) + Sync)) {
        list.sort_by_cached_key(|id| family(self.objects, id));
        let shares: Vec<&[ObjectId]> = list.chunks(list.len().div_ceil(self.jobs.max(1)).max(1)).collect();
        self.each(&shares, &|share| {
            let mut reader = Reader::new(self.objects);
            for id in share.iter().take_while(|_| !self.sink.stopped()) {
                self.single(*id, &mut reader, take);
            }
        });
    }

    fn single(&self, id: ObjectId, reader: &mut Reader<'_>, take: &(dyn Fn(ObjectId, Content<'_>) + Sync)) {
        let open = || self.objects.stream(&id).filter(|s| s.kind == Kind::Blob && s.size > LARGE);
        if let Some(size) = open().map(|stream| stream.size) {
            let open = || match open() {
                Some(stream) => Box::new(stream.bytes()) as Box<dyn Read>,
                None => Box::new(Failed("it is not there any more".to_owned())),
            };
            return take(id, Content::Large { size, open: &open });
        }
        match reader.read(&id) {
            Ok((Kind::Blob, bytes)) => take(id, Content::Bytes(&bytes)),
            Ok(_) => {}
            Err(error) => self.damaged(id, &error.to_string()),
        }
    }

    /// Whether a short text has to be searched.
    pub fn is_hot(&self, text: &[u8]) -> bool {
        if self.sink.reach().is_none() {
            return true;
        }
        let look = self.sink.look(text, &[all(text)]);
        !look.hot.is_empty()
    }

    /// All that looks pointed at, in this survey and those that are remembered, and that is there.
    pub fn hot(&self) -> Hot {
        let mut hot = self.memory.hot(self.objects);
        hot.blobs.retain(|id| self.objects.contains(id));
        hot.texts.retain(|id| self.objects.contains(id));
        hot
    }

    /// Which entry of a pack is a delta against which. Counts what has no place in that.
    fn graph<'p>(&self, part: &'p Part<'a>) -> &'p Graph {
        let graph = part.graph();
        for &(node, why) in graph.broken() {
            self.lost(Some(part.pack), part.id(node), why);
        }
        graph
    }

    /// Gives those loose objects that are of the wanted kinds; large blobs as streams.
    fn each_loose(
        &self,
        which: &dyn Fn(&ObjectId) -> bool,
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
        let list: Vec<_> = self.loose.iter().filter(|(id, _)| which(id)).collect();
        self.each(&list, &|(id, path)| {
            if let Err(why) = one(*id, path) {
                self.lost(None, *id, &why);
            }
        });
    }

    /// Does some work for each, from several threads, until it is to stop.
    fn each<T: Sync>(&self, list: &[T], work: &(dyn Fn(&T) + Sync)) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(list.len()) {
                scope.spawn(|| {
                    while let Some(one) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.sink.stopped() {
                            return;
                        }
                        work(one);
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
    fn each_beside(
        &self,
        which: &dyn Fn(&ObjectId) -> bool,
        wants: &dyn Fn(Kind) -> bool,
        take: &dyn Fn(ObjectId, Kind, &[u8]),
    ) {
        let list = lock(&self.beside).clone();
        for (id, kind) in list.into_iter().filter(|(id, kind)| wants(*kind) && which(id)) {
            match self.objects.read(&id) {
                Ok(object) => take(id, kind, &object.bytes),
                Err(error) => self.damaged(id, &error.to_string()),
            }
        }
    }

    /// Whether any object could not be looked at.
    pub fn has_skipped(&self) -> bool {
        self.skipped.load(Ordering::Relaxed)
    }

    fn skip(&self, path: RawPath, reason: SkipReason, detail: String) {
        self.skipped.store(true, Ordering::Relaxed);
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
