//! All of a repository: every blob once, whatever leads to it, and every text that a person wrote
//! beside them: messages, tags, names of files and of refs.

use super::attribute::{Attributed, Places, Reach, Wanted, attribute};
use super::commits::Commits;
use super::memory::{Hot, Memory, Once};
use super::parse::{Commit, Kind, tag_target};
use super::repo::Repository;
use super::standing::Standing;
use super::survey::{Content, Survey};
use crate::model::{
    Blob, Held, Look, ObjectId, Origin, Provenance, RawPath, Sink, SkipReason, Skipped, Window,
};
use crate::source::{Options, SourceError, bytes, files};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Commits; none if nothing had to be placed among them.
    pub commits: u64,
    /// Places that were left out because no ref and no reflog leads to them.
    pub unreachable: u64,
}

/// Pushes whatever may hold a finding, from `options.jobs` threads, under its paths and with the
/// first commit that has it. Everything is looked at; with `reachable_only` nothing is pushed that
/// no ref and no reflog leads to.
///
/// # Errors
/// An exclude is not a glob. What cannot be read is counted by the sink.
pub fn push(
    repo: &mut Repository,
    reachable_only: bool,
    options: &Options,
    sink: &dyn Sink,
) -> Result<Read, SourceError> {
    repo.objects.settle();
    // A damaged index would hide objects without a word.
    repo.objects.repair();
    let repo = &*repo;
    let standing = Standing::of(repo);
    let history = History::new(repo, &standing, reachable_only, options, sink)?;
    let told = history.survey(&Once::default());
    Ok(Read { commits: told.commits, unreachable: history.left.into_inner() })
}

/// All that may hold a finding, each with where it stands.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Blobs and names.
    pub(super) placed: Attributed,
    /// Commits and tags, in order of their names.
    pub(super) texts: Vec<Origin>,
    /// Whether every object could be looked at.
    pub(super) whole: bool,
    commits: u64,
}

/// A walk through a repository's history.
pub(super) struct History<'a> {
    repo: &'a Repository,
    standing: &'a Standing,
    options: &'a Options,
    excludes: globset::GlobSet,
    reachable_only: bool,
    sink: Again<'a>,
    /// Objects that were left out.
    noted: Mutex<BTreeSet<ObjectId>>,
    left: AtomicU64,
}

/// Annotated tags, with what each points at.
type Tags = BTreeMap<ObjectId, ObjectId>;

impl<'a> History<'a> {
    /// Prepares a walk, and counts what is known not to be there.
    ///
    /// # Errors
    /// An exclude is not a glob.
    pub(super) fn new(
        repo: &'a Repository,
        standing: &'a Standing,
        reachable_only: bool,
        options: &'a Options,
        sink: &'a dyn Sink,
    ) -> Result<Self, SourceError> {
        let excludes = files::excludes(&options.exclude)?;
        repo.skipped.iter().chain(&standing.skipped).for_each(|s| sink.skipped(s.clone()));
        let (sink, noted, left) = (Again(sink), Mutex::default(), AtomicU64::new(0));
        let history = History { repo, standing, options, excludes, reachable_only, sink, noted, left };
        history.incomplete();
        Ok(history)
    }

    /// Looks at all that `memory` does not know, and pushes all that looks pointed at.
    pub(super) fn survey(&self, memory: &dyn Memory) -> Told {
        let survey = self.look_over(memory);
        let (commits, tags) = self.look(&survey, memory.is_empty());
        let found = survey.hot();
        let mut told = Told::default();
        // Most repositories hold nothing to be placed.
        if !found.is_empty() {
            let (commits, tags) = match commits {
                Some(all) => (all, tags),
                None => every_commit(&survey),
            };
            let (reach, led) = self.reach(&commits, &tags);
            told.commits = commits.len() as u64;
            told.placed = place(&survey, &commits, &found, &reach);
            told.texts = self.texts(&found, &commits, &tags, (&reach, &led));
        }
        self.push(&survey, &told);
        told.whole = !survey.has_skipped();
        told
    }

    /// A survey of its objects.
    pub(super) fn look_over<'m>(&'m self, memory: &'m dyn Memory) -> Survey<'m> {
        Survey::new(&self.repo.objects, self.sink.0, memory, self.options.jobs, self.options.max_file_size)
    }

    /// Pushes what stands somewhere, and the names of refs.
    pub(super) fn push(&self, survey: &Survey<'_>, told: &Told) {
        self.refs(survey);
        self.blobs(survey, &told.placed);
        self.names(&told.placed);
        self.push_texts(&told.texts);
    }

    /// Objects that were to be pushed and were left out.
    pub(super) fn noted(self) -> BTreeSet<ObjectId> {
        inner(self.noted)
    }

    /// Counts what is known not to be there.
    fn incomplete(&self) {
        let skip = |reason, detail: String| {
            let provenance = Provenance::file(RawPath::from_path(&self.repo.common_dir));
            self.sink.skipped(Skipped { provenance, reason, detail });
        };
        match self.repo.shallow.len() {
            0 => {}
            n => skip(SkipReason::Shallow, format!("the history ends at {n} commits")),
        }
        if self.repo.partial {
            skip(SkipReason::Absent, "objects that a remote promises were not fetched".to_owned());
        }
    }

    /// All commits and tags, if all are new.
    fn look(&self, survey: &Survey<'_>, all_new: bool) -> (Option<Commits>, Tags) {
        let (commits, tags) = (Mutex::new(Commits::default()), Mutex::new(Tags::new()));
        survey.look(&|id, kind, bytes| {
            let sound = match kind {
                Kind::Commit if all_new => lock(&commits).add(id, bytes),
                Kind::Commit => Commit::parse(bytes).is_some(),
                _ => tag_target(bytes).map(|target| lock(&tags).insert(id, target)).is_some(),
            };
            if !sound {
                survey.damaged(id, "its headers do not parse");
            }
            sound
        });
        survey.names();
        (all_new.then(|| inner(commits)), inner(tags))
    }

    /// Pushes the names of refs.
    fn refs(&self, survey: &Survey<'_>) {
        for reference in &self.standing.references {
            let name = reference.name.as_bytes();
            if !survey.is_hot(name) {
                continue;
            }
            let origin = Origin {
                held: Held::Ref,
                object: reference.target.unwrap_or_default(),
                commit: None,
                reachable: true,
                at_head: false,
                also_at: Vec::new(),
            };
            self.text(&RawPath::new(&[b".git/", name].concat()), origin, name);
        }
    }

    /// What refs and reflogs lead to, tags apart.
    fn reach(&self, commits: &Commits, tags: &Tags) -> (Reach, BTreeSet<ObjectId>) {
        let mut tips: BTreeSet<ObjectId> = self.standing.logged.iter().copied().collect();
        tips.extend(self.standing.references.iter().filter_map(|r| r.target));
        // A tag of a tag leads on.
        let mut open: Vec<ObjectId> = tips.iter().copied().collect();
        while let Some(target) = open.pop().and_then(|id| tags.get(&id)) {
            if tips.insert(*target) {
                open.push(*target);
            }
        }
        let named = tips.iter().filter(|id| commits.number(id).is_none() && !tags.contains_key(id));
        let reach = Reach {
            commits: commits.reachable(&tips),
            named: named.map(|id| (*id, RawPath::new(b""))).collect(),
            head: self.standing.head,
        };
        (reach, tips)
    }

    fn wanted(&self, path: &RawPath, origin: &Origin) -> bool {
        if self.reachable_only && !origin.reachable {
            self.left.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if !path.as_bytes().is_empty() && self.excludes.is_match(path.as_path()) {
            lock(&self.noted).insert(origin.object);
            self.skip(path, SkipReason::Excluded);
            return false;
        }
        true
    }

    fn skip(&self, path: &RawPath, reason: SkipReason) {
        let provenance = Provenance::file(path.clone());
        self.sink.skipped(Skipped { provenance, reason, detail: String::new() });
    }

    fn blobs(&self, survey: &Survey<'_>, placed: &Attributed) {
        let blobs = placed.blobs.keys().copied().collect();
        survey.again(&blobs, &|id, content| {
            let Some(places) = placed.blobs.get(&id) else { return };
            let mut wanted: Vec<_> = places.list.iter().filter(|(p, o)| self.wanted(p, o)).cloned().collect();
            self.tell_more(places);
            if let Some((_, origin)) = places.list.first().filter(|_| wanted.is_empty() && places.more > 0)
                && (origin.reachable || !self.reachable_only)
            {
                // Paths that are not listed may not be excluded.
                wanted.push((RawPath::new(b""), origin.clone()));
            }
            for (path, origin) in wanted {
                let path = if path.as_bytes().is_empty() { pseudo("blob", id) } else { path };
                let provenance = Arc::new(Provenance::history(path, origin));
                match &content {
                    Content::Bytes(text) => bytes::push(text, &provenance, self.options, &self.sink),
                    // The bound may have been another when it was first looked at.
                    Content::Large { size, .. } if *size > self.options.max_file_size => {
                        let (provenance, detail) = ((*provenance).clone(), format!("{size} bytes"));
                        self.sink.skipped(Skipped { provenance, reason: SkipReason::TooLarge, detail });
                    }
                    Content::Large { open, .. } => {
                        bytes::stream(&mut *open(), &provenance, self.options, &self.sink)
                    }
                }
            }
        });
    }

    /// Counts what stands under more paths than are told.
    fn tell_more(&self, places: &Places) {
        let first =
            places.list.first().filter(|(_, o)| places.more > 0 && (o.reachable || !self.reachable_only));
        if let Some((path, origin)) = first {
            self.sink.skipped(Skipped {
                provenance: Provenance::history(path.clone(), origin.clone()),
                reason: SkipReason::MorePaths,
                detail: format!("{} paths or more beside the {} listed", places.more, places.list.len()),
            });
        }
    }

    fn names(&self, placed: &Attributed) {
        for (name, places) in &placed.names {
            self.tell_more(places);
            for (path, origin) in places.list.iter().filter(|(p, o)| self.wanted(p, o)) {
                self.text(path, origin.clone(), name);
            }
        }
    }

    /// Where messages of commits and tags stand.
    fn texts(
        &self,
        found: &Hot,
        commits: &Commits,
        tags: &Tags,
        (reach, tips): (&Reach, &BTreeSet<ObjectId>),
    ) -> Vec<Origin> {
        if found.texts.is_empty() {
            return Vec::new();
        }
        let ranks = commits.ranks();
        let origin = |id: &ObjectId| {
            let number = commits.number(id);
            let of = number.or_else(|| tags.get(id).and_then(|t| commits.number(t)));
            Origin {
                held: if number.is_some() { Held::Commit } else { Held::Tag },
                object: *id,
                commit: of.map(|n| commits.reference(n, ranks[n as usize])),
                reachable: number.map_or(tips.contains(id), |n| reach.commits.contains(n)),
                at_head: reach.head == Some(*id),
                also_at: Vec::new(),
            }
        };
        found.texts.iter().map(origin).collect()
    }

    fn push_texts(&self, texts: &[Origin]) {
        for origin in texts {
            let path = pseudo(origin.held.as_str(), origin.object);
            if !self.wanted(&path, origin) {
                continue;
            }
            match self.repo.objects.read(&origin.object) {
                Ok(object) => self.text(&path, origin.clone(), &object.bytes),
                Err(_) => {
                    lock(&self.noted).insert(origin.object);
                    self.skip(&path, SkipReason::Broken);
                }
            }
        }
    }

    fn text(&self, path: &RawPath, origin: Origin, text: &[u8]) {
        let provenance = Arc::new(Provenance::history(path.clone(), origin));
        self.sink.blob(Blob::whole(text, provenance));
    }
}

/// The path under which something is told that has none.
pub fn pseudo(word: &str, id: ObjectId) -> RawPath {
    RawPath::new(format!(".git/{word}/{id}.txt").as_bytes())
}

/// Every commit and tag of a repository.
fn every_commit(survey: &Survey<'_>) -> (Commits, Tags) {
    let (commits, tags) = (Mutex::new(Commits::default()), Mutex::new(Tags::new()));
    survey.each_text(&|id, kind, bytes| match (kind, tag_target(bytes)) {
        (Kind::Commit, _) => drop(lock(&commits).add(id, bytes)),
        (_, Some(target)) => drop(lock(&tags).insert(id, target)),
        _ => {}
    });
    (inner(commits), inner(tags))
}

fn place(survey: &Survey<'_>, commits: &Commits, found: &Hot, reach: &Reach) -> Attributed {
    if found.blobs.is_empty() && found.names.is_empty() {
        return Attributed::default();
    }
    let wanted = Wanted { blobs: &found.blobs, names: &found.names };
    attribute(commits, wanted, reach, &|take| survey.each_tree(&|tree| take(tree.id, tree.bytes)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Passes on what a first look has counted.
pub(super) struct Again<'a>(pub(super) &'a dyn Sink);

impl Sink for Again<'_> {
    fn blob(&self, blob: Blob<'_>) {
        self.0.blob(Blob { counted: true, ..blob });
    }

    fn skipped(&self, skipped: Skipped) {
        self.0.skipped(skipped);
    }

    fn look(&self, text: &[u8], windows: &[Window]) -> Look {
        self.0.look(text, windows)
    }

    fn stopped(&self) -> bool {
        self.0.stopped()
    }
}
