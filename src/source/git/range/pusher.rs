//! Reads what was planned.

use super::head::Head;
use super::plan::{New, Plan};
use super::spread::spread;
use super::tips::Tips;
use crate::model::{
    Blob, Held, ObjectId, Origin, Provenance, RawPath, Role, Side, Sink, SkipReason, Skipped,
};
use crate::source::git::commits::Commits;
use crate::source::git::diff::{self, Trees};
use crate::source::git::history::{Again, pseudo};
use crate::source::git::pack::LARGE;
use crate::source::git::parse::{Kind, Mode};
use crate::source::git::reader::family;
use crate::source::git::reuse::{Seen, is_packed};
use crate::source::git::{GitError, Objects, Reader};
use crate::source::{Options, bytes};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Objects without a family that one thread reads in a row.
const BLOCK: usize = 16;
/// Bytes of untouched files that are searched for copies: half a second's work.
const BASE: u64 = 128 << 20;

/// Reads what was planned and pushes it.
pub(super) struct Pusher<'a> {
    pub(super) objects: &'a Objects,
    pub(super) commits: &'a Commits,
    pub(super) options: &'a Options,
    pub(super) sink: &'a dyn Sink,
    pub(super) plan: &'a Plan<'a>,
    pub(super) tips: &'a Tips,
    pub(super) order: &'a [u32],
    pub(super) head: Option<ObjectId>,
    /// What was looked at; without it all is pushed.
    pub(super) seen: Option<Seen>,
}

impl Pusher<'_> {
    /// Pushes what is new; how many objects and names that were.
    pub(super) fn new_side(&self) -> u64 {
        let names: Vec<_> = self.plan.names.iter().collect();
        let texts = self.tips.tags.len() + self.order.len() + names.len();
        let all = (texts + self.plan.new.len()) as u64;
        let pushed = AtomicU64::new(0);
        let next = || {
            let go = !self.sink.stopped();
            pushed.fetch_add(u64::from(go), Ordering::Relaxed);
            go
        };
        let head = || Head::new(self.objects, self.commits, self.head);
        spread(self.options.jobs, texts, head, |head, i| {
            if !next() {
                return;
            }
            let (tags, commits) = (self.tips.tags.len(), self.order.len());
            if let Some((id, text)) = self.tips.tags.get(i) {
                let origin = self.origin(Held::Tag, *id, None, false);
                self.sink.blob(Blob::whole(text, provenance(pseudo("tag", *id), origin)));
            } else if let Some(&n) = self.order.get(i - tags) {
                self.commit(n, (i - tags) as u64);
            } else {
                let (name, place) = names[i - tags - commits];
                let at_head = head.at(&place.path).is_some();
                let origin = self.origin(Held::Name, place.object, place.commit, at_head);
                self.sink.blob(Blob::whole(name.as_bytes(), provenance(place.path.clone(), origin)));
            }
        });
        let groups = self.groups(self.plan.new.iter().map(|new| new.id));
        let state = || (head(), Reader::new(self.objects));
        spread(self.options.jobs, groups.len(), state, |(head, reader), group| {
            for &i in groups[group].iter().take_while(|_| next()) {
                self.blob(&self.plan.new[i], head, reader);
            }
        });
        let pushed = pushed.into_inner();
        if pushed < all {
            self.sink.skipped(Skipped {
                provenance: Provenance::file(RawPath::new(b".")),
                reason: SkipReason::Budget,
                detail: format!("{} of {all} new objects were not read", all - pushed),
            });
        }
        pushed
    }

    /// Objects that are best read by one thread in a row, by position: those made from each other.
    fn groups(&self, ids: impl Iterator<Item = ObjectId>) -> Vec<Vec<usize>> {
        let mut families: BTreeMap<(usize, u64), Vec<usize>> = BTreeMap::new();
        let mut others = Vec::new();
        for (i, id) in ids.enumerate() {
            match family(self.objects, &id) {
                Some(family) => families.entry(family).or_default().push(i),
                None => others.push(i),
            }
        }
        let mut groups: Vec<Vec<usize>> = families.into_values().collect();
        groups.extend(others.chunks(BLOCK).map(<[usize]>::to_vec));
        // The largest first, so that no thread is left alone with one at the end.
        groups.sort_by_key(|g| std::cmp::Reverse(g.len()));
        groups
    }

    fn commit(&self, n: u32, rank: u64) {
        let id = self.commits.id(n);
        let origin = self.origin(Held::Commit, id, Some((n, rank)), self.head == Some(id));
        let provenance = provenance(pseudo("commit", id), origin);
        match self.objects.read_as(&id, Kind::Commit) {
            Ok(text) => self.sink.blob(Blob::whole(&text, provenance)),
            Err(error) => self.sink.skipped(error.skipped((*provenance).clone())),
        }
    }

    fn blob(&self, new: &New, head: &mut Head<'_>, reader: &mut Reader<'_>) {
        if new.submodule {
            return self.skip(new, SkipReason::Submodule, String::new());
        }
        if new.excluded {
            return self.skip(new, SkipReason::Excluded, String::new());
        }
        if new.missed > 0 {
            let detail = format!("{} of its paths were not searched under", new.missed);
            self.skip(new, SkipReason::TooManyEntries, detail);
        }
        let (kind, text) = match reader.read(&new.id) {
            Ok(object) => object,
            Err(error) => return self.large(new, head, &error),
        };
        if kind != Kind::Blob {
            let what = format!("the folder that holds it says that it is a file; it is a {kind}");
            self.skip(new, SkipReason::Broken, GitError::BadObject { id: new.id, what }.to_string());
        }
        let size = text.len() as u64;
        if size > self.options.max_file_size {
            return self.skip(new, SkipReason::TooLarge, format!("{size} bytes"));
        }
        // A first look does not know the path; rules that go by it are tried under each that may fit.
        let cold = !new.link && self.seen.as_ref().is_some_and(|seen| !seen.is_hot(&text, self.sink));
        let paths: Vec<&RawPath> = new.paths().filter(|p| !cold || new.named.contains(*p)).collect();
        if paths.is_empty() {
            return self.sink.looked(1, size);
        }
        let again = Again(self.sink);
        for (i, provenance) in self.places(new, &paths, head).into_iter().enumerate() {
            let sink: &dyn Sink = if i == 0 { self.sink } else { &again };
            match new.link {
                true => sink.blob(Blob::whole(&text, provenance)),
                false => bytes::push(&text, &provenance, self.options, sink),
            }
        }
    }

    /// Pushes a blob piece by piece that is too large for memory. `error` says why it was not read whole.
    fn large(&self, new: &New, head: &mut Head<'_>, error: &GitError) {
        let open = || self.objects.stream(&new.id).filter(|s| s.kind == Kind::Blob && s.size > LARGE);
        let Some(size) = open().map(|stream| stream.size) else {
            return self.skip(new, error.reason(), error.to_string());
        };
        if size > self.options.max_file_size {
            return self.skip(new, SkipReason::TooLarge, format!("{size} bytes"));
        }
        let paths: Vec<&RawPath> = new.paths().collect();
        let again = Again(self.sink);
        for (i, provenance) in self.places(new, &paths, head).into_iter().enumerate() {
            let sink: &dyn Sink = if i == 0 { self.sink } else { &again };
            match open() {
                Some(stream) => bytes::stream(&mut stream.bytes(), &provenance, self.options, sink),
                None => self.skip(new, error.reason(), error.to_string()),
            }
        }
    }

    /// The places of a blob under some of its paths; the first names all others.
    fn places(&self, new: &New, paths: &[&RawPath], head: &mut Head<'_>) -> Vec<Arc<Provenance>> {
        let at_head = new.paths().any(|path| head.at(path) == Some(new.id));
        let one = |(i, path): (usize, &&RawPath)| {
            let mut origin = self.origin(Held::Blob, new.id, new.commit, at_head);
            if i == 0 {
                origin.also_at = new.paths().filter(|p| p != path).cloned().collect();
                origin.also_at.sort();
            }
            provenance(place(new.id, path), origin)
        };
        paths.iter().enumerate().map(one).collect()
    }

    /// Counts a blob that was not read, or not whole.
    fn skip(&self, new: &New, reason: SkipReason, detail: String) {
        let origin = self.origin(Held::Blob, new.id, new.commit, false);
        let provenance = Provenance::history(place(new.id, &new.path), origin);
        self.sink.skipped(Skipped { provenance, reason, detail });
    }

    /// Pushes what stood there before, for as long as the sink wants to know it. What of it cannot
    /// be read is not counted: then more is new, not less.
    pub(super) fn old_side(&self) {
        let sink = Side(self.sink, Role::Old);
        let wanted = || !sink.stopped() && sink.wants_old();
        if !wanted() {
            return;
        }
        for name in self.plan.old_names.iter().take_while(|_| wanted()) {
            sink.blob(Blob::whole(name.as_bytes(), Arc::new(Provenance::file(name.clone()))));
        }
        let old: Vec<_> = self.plan.old.iter().collect();
        let groups = self.groups(old.iter().map(|(id, _)| **id));
        let reader = || Reader::new(self.objects);
        spread(self.options.jobs, groups.len(), reader, |reader, group| {
            for &i in groups[group].iter().take_while(|_| wanted()) {
                let (id, path) = old[i];
                if let Ok(text) = reader.read_as(id, Kind::Blob) {
                    bytes::push(&text, &Arc::new(Provenance::file(path.clone())), self.options, &sink);
                }
            }
        });
    }

    /// Pushes what the commits at the start of the range hold besides, while something is still new: a
    /// copy of a value is new all the same, and is told as a copy.
    pub(super) fn base_side(&self) {
        let sink = Side(self.sink, Role::Base);
        let stop = || sink.stopped();
        let Some(may_hold) = self.sink.wants_base().filter(|_| !stop()) else { return };
        let mut trees = Trees::new(self.objects);
        let mut files: BTreeMap<ObjectId, RawPath> = BTreeMap::new();
        for n in self.tips.hidden.iter().filter_map(|id| self.commits.number(id)) {
            let all = diff::changes(&mut trees, &self.commits.tree(n), &[], &stop).new;
            let rest = all.into_iter().filter(|f| f.mode == Mode::File && !self.plan.old.contains_key(&f.id));
            for file in rest {
                files.entry(file.id).or_insert(file.path);
            }
        }
        let files: Vec<_> = files.into_iter().collect();
        let groups = self.groups(files.iter().map(|(id, _)| *id));
        let read = AtomicU64::new(0);
        spread(
            self.options.jobs,
            groups.len(),
            || Reader::new(self.objects),
            |reader, group| {
                for &i in groups[group].iter().take_while(|_| !stop() && read.load(Ordering::Relaxed) < BASE)
                {
                    let (id, path) = &files[i];
                    if let Ok(text) = reader.read_as(id, Kind::Blob) {
                        read.fetch_add(text.len() as u64, Ordering::Relaxed);
                        if is_packed(&text) || may_hold(&text) {
                            let provenance = Arc::new(Provenance::file(path.clone()));
                            bytes::push(&text, &provenance, self.options, &sink);
                        }
                    }
                }
            },
        );
    }

    fn origin(&self, held: Held, object: ObjectId, commit: Option<(u32, u64)>, at_head: bool) -> Origin {
        let commit = commit.map(|(n, rank)| self.commits.reference(n, rank));
        Origin { held, object, commit, reachable: true, at_head, also_at: Vec::new() }
    }
}

/// The path under which a blob is told.
fn place(id: ObjectId, path: &RawPath) -> RawPath {
    if path.as_bytes().is_empty() { pseudo("blob", id) } else { path.clone() }
}

fn provenance(path: RawPath, origin: Origin) -> Arc<Provenance> {
    Arc::new(Provenance::history(path, origin))
}
