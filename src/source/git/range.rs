//! What some commits bring that others do not have: a pull request, a push, the commits since a tag.
//!
//! New is every object that a commit of the range has under a path where none of its parents has
//! the same one; so what a merge makes of its parents and what comes with a second parent is new
//! too. Everything new is read whole. What stood in its place before is the old side: a value that
//! stands there is not news.

mod head;
mod plan;
mod spread;
mod tips;

use super::commits::Commits;
use super::diff::{self, Changes, Trees};
use super::parse::Kind;
use super::repo::Repository;
use super::{GitError, Objects};
use crate::model::{Blob, Held, ObjectId, OldSide, Origin, Provenance, RawPath, Sink, SkipReason, Skipped};
use crate::source::{Options, SourceError, bytes, files};
use head::Head;
use plan::{New, Plan};
use spread::spread;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tips::Tips;

/// Commits that are compared before their changes are joined, so that memory stays flat.
const WINDOW: usize = 2048;
/// Neighbouring commits that one thread compares: they share most of their trees.
const BLOCK: usize = 16;

/// What to read: all that `tips` lead to and `hidden` do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Commits, or tags, trees and blobs.
    pub tips: Vec<ObjectId>,
    /// Commits, or tags of such.
    pub hidden: Vec<ObjectId>,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Commits of the range.
    pub commits: u64,
    /// Objects and names that were pushed, those of old sides not counted.
    pub pushed: u64,
}

impl Range {
    /// Reads `A..B` and `A...B`; a side left out is HEAD. Both mean what B has and A has not; with
    /// three dots the two must have a common ancestor, since a range that begins nowhere is mostly
    /// a mistake.
    ///
    /// # Errors
    /// It is no range, a side names nothing here, or there is no common ancestor.
    pub fn parse(repo: &Repository, spec: &str) -> Result<Self, GitError> {
        let unknown = |cure: &str| GitError::UnknownRevision { spec: spec.to_owned(), cure: cure.to_owned() };
        let (a, b) = spec.split_once("..").ok_or_else(|| unknown("write a range as A..B or A...B"))?;
        let (b, three) = b.strip_prefix('.').map_or((b, false), |b| (b, true));
        if a.is_empty() && b.is_empty() {
            return Err(unknown("write a range as A..B or A...B"));
        }
        let side = |text: &'_ str| if text.is_empty() { "HEAD".to_owned() } else { text.to_owned() };
        let hidden = repo.resolve_commit(&side(a))?;
        let tip = repo.resolve(&side(b))?;
        // What names no commit has no place in a range.
        let commit = repo.resolve_commit(&side(b))?;
        if three && Commits::merge_bases(&repo.objects, &hidden, &commit)?.is_empty() {
            return Err(GitError::NoCommonAncestor { spec: spec.to_owned() });
        }
        Ok(Range { tips: vec![tip], hidden: vec![hidden] })
    }
}

/// Pushes all that is new in a range, from `options.jobs` threads; then, if the sink asks for it,
/// the old sides. What cannot be read is counted by the sink.
///
/// # Errors
/// An exclude is not a glob.
pub fn push(
    repo: &Repository,
    range: &Range,
    options: &Options,
    sink: &dyn Sink,
) -> Result<Read, SourceError> {
    repo.skipped.iter().chain(repo.objects.broken()).for_each(|s| sink.skipped(s.clone()));
    let head = repo.head().ok().flatten();
    run(&repo.objects, &repo.shallow, head, range, options, sink)
}

fn run(
    objects: &Objects,
    shallow: &BTreeSet<ObjectId>,
    head: Option<ObjectId>,
    range: &Range,
    options: &Options,
    sink: &dyn Sink,
) -> Result<Read, SourceError> {
    let excludes = files::excludes(&options.exclude)?;
    let tips = Tips::of(objects, range, sink);
    let walk = Commits::walk(objects, &tips.commits, &tips.hidden, shallow);
    walk.skipped.into_iter().for_each(|s| sink.skipped(s));
    let commits = &walk.commits;
    let order = commits.order(&walk.wanted);
    let mut plan = Plan::new(commits, &walk.wanted, &excludes);

    for tree in &tips.trees {
        let found = diff::changes(&mut Trees::new(objects), tree, &[], &|| sink.stopped());
        plan.add(None, &[], found);
    }
    tips.blobs.iter().for_each(|id| plan.blob(*id));
    for (window, list) in order.chunks(WINDOW).enumerate() {
        for (i, (parents, found)) in
            compare(objects, commits, list, options.jobs, sink).into_iter().enumerate()
        {
            plan.add(Some((list[i], (window * WINDOW + i) as u64)), &parents, found);
        }
    }
    plan.skipped.drain(..).for_each(|s| sink.skipped(s));

    let pusher = Pusher { objects, commits, options, sink, plan: &plan, tips: &tips, order: &order, head };
    let pushed = pusher.new_side();
    pusher.old_side();
    Ok(Read { commits: order.len() as u64, pushed })
}

/// Compares each commit of `list` with those of its parents that are there.
fn compare(
    objects: &Objects,
    commits: &Commits,
    list: &[u32],
    jobs: usize,
    sink: &dyn Sink,
) -> Vec<(Vec<u32>, Changes)> {
    let blocks: Vec<&[u32]> = list.chunks(BLOCK).collect();
    let done = Mutex::new(Vec::new());
    spread(
        jobs,
        blocks.len(),
        || Trees::new(objects),
        |trees, i| {
            let changes = |&n: &u32| {
                let parents: Vec<u32> =
                    commits.parents(n).iter().copied().filter(|&p| commits.is_known(p)).collect();
                let folders: Vec<ObjectId> = parents.iter().map(|&p| commits.tree(p)).collect();
                let found = diff::changes(trees, &commits.tree(n), &folders, &|| sink.stopped());
                (parents, found)
            };
            let found: Vec<_> = blocks[i].iter().map(changes).collect();
            done.lock().unwrap_or_else(PoisonError::into_inner).push((i, found));
        },
    );
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().flat_map(|(_, found)| found).collect()
}

/// Reads what was planned.
struct Pusher<'a> {
    objects: &'a Objects,
    commits: &'a Commits,
    options: &'a Options,
    sink: &'a dyn Sink,
    plan: &'a Plan<'a>,
    tips: &'a Tips,
    order: &'a [u32],
    head: Option<ObjectId>,
}

impl Pusher<'_> {
    /// Pushes what is new; how many objects and names that were.
    fn new_side(&self) -> u64 {
        let names: Vec<_> = self.plan.names.iter().collect();
        let ends = [self.tips.tags.len(), self.order.len(), names.len(), self.plan.new.len()];
        let all: usize = ends.iter().sum();
        let pushed = AtomicU64::new(0);
        spread(
            self.options.jobs,
            all,
            || Head::new(self.objects, self.commits, self.head),
            |head, mut i| {
                if self.sink.stopped() {
                    return;
                }
                pushed.fetch_add(1, Ordering::Relaxed);
                if i < ends[0] {
                    let (id, bytes) = &self.tips.tags[i];
                    let origin = self.origin(Held::Tag, *id, None, self.head == Some(*id));
                    return self.sink.blob(Blob::whole(bytes, provenance(RawPath::new(b""), origin)));
                }
                i -= ends[0];
                if i < ends[1] {
                    return self.commit(self.order[i], i as u64);
                }
                i -= ends[1];
                if let Some((name, place)) = names.get(i) {
                    let at_head = head.at(&place.path).is_some();
                    let origin = self.origin(Held::Name, place.object, place.commit, at_head);
                    return self
                        .sink
                        .blob(Blob::whole(name.as_bytes(), provenance(place.path.clone(), origin)));
                }
                self.blob(&self.plan.new[i - ends[2]], head);
            },
        );
        let pushed = pushed.into_inner();
        if pushed < all as u64 {
            self.sink.skipped(Skipped {
                provenance: Provenance::file(RawPath::new(b".")),
                reason: SkipReason::Budget,
                detail: format!("{} of {all} new objects were not read", all as u64 - pushed),
            });
        }
        pushed
    }

    fn commit(&self, n: u32, rank: u64) {
        let id = self.commits.id(n);
        let origin = self.origin(Held::Commit, id, Some((n, rank)), self.head == Some(id));
        let provenance = provenance(RawPath::new(b""), origin);
        match self.objects.read_as(&id, Kind::Commit) {
            Ok(bytes) => self.sink.blob(Blob::whole(&bytes, provenance)),
            Err(error) => self.sink.skipped(error.skipped((*provenance).clone())),
        }
    }

    fn blob(&self, new: &New, head: &mut Head<'_>) {
        let at_head = new.paths().any(|path| head.at(path) == Some(new.id));
        let mut origin = self.origin(Held::Blob, new.id, new.commit, at_head);
        origin.also_at = new.also.iter().cloned().collect();
        let provenance = provenance(new.path.clone(), origin);
        let skip = |reason| {
            self.sink.skipped(Skipped { provenance: (*provenance).clone(), reason, detail: String::new() })
        };
        if new.submodule {
            return skip(SkipReason::Submodule);
        }
        if new.excluded {
            return skip(SkipReason::Excluded);
        }
        let object = match self.objects.read(&new.id) {
            Ok(object) => object,
            Err(error) => return self.sink.skipped(error.skipped((*provenance).clone())),
        };
        if object.kind != Kind::Blob {
            let what = format!("the folder that holds it says that it is a file; it is a {:?}", object.kind);
            let error = GitError::BadObject { id: new.id, what };
            self.sink.skipped(error.skipped((*provenance).clone()));
        }
        if new.link {
            return self.sink.blob(Blob::whole(&object.bytes, provenance));
        }
        bytes::push(&object.bytes, &provenance, self.options, self.sink);
    }

    /// Pushes what stood there before, for as long as the sink wants to know it. What of it cannot
    /// be read is not counted: then more is new, not less.
    fn old_side(&self) {
        let sink = OldSide(self.sink);
        let old: Vec<_> = self.plan.old.iter().collect();
        let names: Vec<_> = self.plan.old_names.iter().collect();
        spread(
            self.options.jobs,
            old.len() + names.len(),
            || (),
            |(), i| {
                if sink.stopped() || !sink.wants_old() {
                    return;
                }
                if let Some((id, path)) = old.get(i) {
                    let provenance = Arc::new(Provenance::file((*path).clone()));
                    if let Ok(bytes) = self.objects.read_as(id, Kind::Blob) {
                        bytes::push(&bytes, &provenance, self.options, &sink);
                    }
                } else {
                    let name = names[i - old.len()];
                    sink.blob(Blob::whole(name.as_bytes(), Arc::new(Provenance::file(name.clone()))));
                }
            },
        );
    }

    fn origin(&self, held: Held, object: ObjectId, commit: Option<(u32, u64)>, at_head: bool) -> Origin {
        let commit = commit.map(|(n, rank)| self.commits.reference(n, rank));
        Origin { held, object, commit, reachable: true, at_head, also_at: Vec::new() }
    }
}

fn provenance(path: RawPath, origin: Origin) -> Arc<Provenance> {
    Arc::new(Provenance::history(path, origin))
}
