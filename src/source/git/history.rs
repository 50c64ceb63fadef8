//! All of a repository: every blob once, whatever leads to it, and every text that a person wrote
//! beside them: messages, tags, names of files and of refs.

use super::attribute::{Attributed, Reach, Wanted, attribute};
use super::commits::Commits;
use super::parse::{Kind, tag_target};
use super::repo::Repository;
use super::survey::{Content, Survey, Surveyed};
use crate::model::{
    Blob, Held, Look, ObjectId, Origin, Provenance, RawPath, Sink, SkipReason, Skipped, Window,
};
use crate::source::{Options, SourceError, bytes, files};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Commits.
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
    let excludes = files::excludes(&options.exclude)?;
    // A damaged index would hide objects without a word.
    repo.objects.repair();
    let repo = &*repo;
    repo.skipped.iter().for_each(|s| sink.skipped(s.clone()));
    let history =
        History { repo, options, excludes, reachable_only, sink: Again(sink), left: AtomicU64::new(0) };
    history.incomplete(sink);
    let survey = Survey::new(&repo.objects, sink, options.jobs, options.max_file_size);
    let (commits, tags) = history.look(&survey);
    let found = std::mem::take(&mut *survey.found());
    let (reach, led) = history.reach(&commits, &tags, sink);
    let wanted = Wanted { blobs: &found.blobs, names: &found.names };
    // Most repositories hold nothing to be placed.
    let placed = if found.blobs.is_empty() && found.names.is_empty() {
        Attributed::default()
    } else {
        attribute(&commits, wanted, &reach, &|take| survey.each_tree(&|tree| take(tree.id, tree.bytes)))
    };
    history.blobs(&survey, &found.blobs, &placed);
    history.names(&placed);
    history.texts(&found, &commits, &tags, (&reach, &led));
    Ok(Read { commits: commits.len() as u64, unreachable: history.left.into_inner() })
}

struct History<'a> {
    repo: &'a Repository,
    options: &'a Options,
    excludes: globset::GlobSet,
    reachable_only: bool,
    sink: Again<'a>,
    left: AtomicU64,
}

/// Annotated tags, with what each points at.
type Tags = BTreeMap<ObjectId, ObjectId>;

impl History<'_> {
    /// Counts what is known not to be there.
    fn incomplete(&self, sink: &dyn Sink) {
        let skip = |reason, detail: String| {
            let provenance = Provenance::file(RawPath::from_path(&self.repo.common_dir));
            sink.skipped(Skipped { provenance, reason, detail });
        };
        match self.repo.shallow.len() {
            0 => {}
            n => skip(SkipReason::Shallow, format!("the history ends at {n} commits")),
        }
        if self.repo.partial {
            skip(SkipReason::Absent, "objects that a remote promises were not fetched".to_owned());
        }
    }

    fn look(&self, survey: &Survey<'_>) -> (Commits, Tags) {
        let (commits, tags) = (Mutex::new(Commits::default()), Mutex::new(Tags::new()));
        survey.look(&|id, kind, bytes| match kind {
            Kind::Commit => {
                if !commits.lock().unwrap_or_else(PoisonError::into_inner).add(id, bytes) {
                    survey.damaged(id, "its headers do not parse");
                }
            }
            _ => match tag_target(bytes) {
                Some(target) => {
                    tags.lock().unwrap_or_else(PoisonError::into_inner).insert(id, target);
                }
                None => survey.damaged(id, "its headers do not parse"),
            },
        });
        survey.names();
        let inner = |m: Mutex<Commits>| m.into_inner().unwrap_or_else(PoisonError::into_inner);
        (inner(commits), tags.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// What refs and reflogs lead to, tags apart. The names of refs are pushed on the way.
    fn reach(&self, commits: &Commits, tags: &Tags, sink: &dyn Sink) -> (Reach, BTreeSet<ObjectId>) {
        let (references, skipped) = self.repo.references();
        let (logged, more) = self.repo.reflogs();
        skipped.into_iter().chain(more).for_each(|s| sink.skipped(s));
        let head = self.repo.head().ok().flatten();
        let mut tips: BTreeSet<ObjectId> = logged.into_iter().collect();
        for reference in &references {
            tips.extend(reference.target);
            let origin = Origin {
                held: Held::Ref,
                object: reference.target.unwrap_or_default(),
                commit: None,
                reachable: true,
                at_head: false,
                also_at: Vec::new(),
            };
            let path = [b".git/", reference.name.as_bytes()].concat();
            self.text(&RawPath::new(&path), origin, reference.name.as_bytes());
        }
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
            head,
        };
        (reach, tips)
    }

    fn wanted(&self, path: &RawPath, origin: &Origin) -> bool {
        if self.reachable_only && !origin.reachable {
            self.left.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if !path.as_bytes().is_empty() && self.excludes.is_match(path.as_path()) {
            self.skip(path, SkipReason::Excluded);
            return false;
        }
        true
    }

    fn skip(&self, path: &RawPath, reason: SkipReason) {
        let provenance = Provenance::file(path.clone());
        self.sink.skipped(Skipped { provenance, reason, detail: String::new() });
    }

    fn blobs(&self, survey: &Survey<'_>, blobs: &BTreeSet<ObjectId>, placed: &Attributed) {
        survey.again(blobs, &|id, content| {
            let places = placed.blobs.get(&id).map_or(&[][..], |p| &p.list);
            for (path, origin) in places.iter().filter(|(p, o)| self.wanted(p, o)) {
                let path = if path.as_bytes().is_empty() { pseudo("blob", id) } else { path.clone() };
                let provenance = Arc::new(Provenance::history(path, origin.clone()));
                match &content {
                    Content::Bytes(text) => bytes::push(text, &provenance, self.options, &self.sink),
                    Content::Large { open, .. } => {
                        bytes::stream(&mut *open(), &provenance, self.options, &self.sink)
                    }
                }
            }
        });
    }

    fn names(&self, placed: &Attributed) {
        for (name, places) in &placed.names {
            for (path, origin) in places.list.iter().filter(|(p, o)| self.wanted(p, o)) {
                self.text(path, origin.clone(), name);
            }
        }
    }

    /// Messages of commits and tags.
    fn texts(
        &self,
        found: &Surveyed,
        commits: &Commits,
        tags: &Tags,
        (reach, tips): (&Reach, &BTreeSet<ObjectId>),
    ) {
        if found.texts.is_empty() {
            return;
        }
        let ranks = commits.ranks();
        for id in &found.texts {
            let number = commits.number(id);
            let (held, word) = if number.is_some() { (Held::Commit, "commit") } else { (Held::Tag, "tag") };
            let of = number.or_else(|| tags.get(id).and_then(|t| commits.number(t)));
            let origin = Origin {
                held,
                object: *id,
                commit: of.map(|n| commits.reference(n, ranks[n as usize])),
                reachable: number.map_or(tips.contains(id), |n| reach.commits.contains(n)),
                at_head: reach.head == Some(*id),
                also_at: Vec::new(),
            };
            let path = pseudo(word, *id);
            if !self.wanted(&path, &origin) {
                continue;
            }
            match self.repo.objects.read(id) {
                Ok(object) => self.text(&path, origin, &object.bytes),
                Err(_) => self.skip(&path, SkipReason::Broken),
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
