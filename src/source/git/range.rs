//! What some commits bring that others do not have: a pull request, a push, the commits since a tag.
//!
//! New is every object that a commit of the range has under a path where none of its parents has
//! the same one; so what a merge makes of its parents and what comes with a second parent is new
//! too. Everything new is read whole. What stood in its place before is the old side: a value that
//! stands there is not news.

mod head;
mod plan;
mod pusher;
mod spread;
mod tips;

use super::commits::{Commits, Set};
use super::diff::{self, Changes, Trees};
use super::repo::Repository;
use super::reuse::Seen;
use super::{GitError, Objects};
use crate::model::{ObjectId, Sink};
use crate::source::{Options, SourceError, files};
use plan::Plan;
use pusher::Pusher;
use spread::spread;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tips::Tips;

/// Commits that are compared before their changes are joined.
const WINDOW: usize = 2048;
/// Changes that are held before they are joined, so that memory stays flat whatever commits bring.
const HELD: usize = 1 << 18;
/// Parents that a commit is compared with; a merge of people has a few.
const PARENTS: usize = 256;
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
    push_only(repo, range, options, sink)
}

/// As [`push`], for one range of several: what could not be followed when the repository was opened is
/// left for the caller to count.
pub(super) fn push_only(
    repo: &Repository,
    range: &Range,
    options: &Options,
    sink: &dyn Sink,
) -> Result<Read, SourceError> {
    let (objects, shallow, head) = (&repo.objects, &repo.shallow, repo.head().ok().flatten());
    let excludes = files::excludes(&options.exclude)?;
    let tips = Tips::of(objects, range, sink);
    let walk = Commits::walk(objects, &tips.commits, &tips.hidden, shallow);
    walk.skipped.into_iter().for_each(|s| sink.skipped(s));
    let commits = &walk.commits;
    let order = commits.order(&walk.wanted);
    let mut plan = Plan::new(commits, &walk.wanted, &excludes, sink);
    for tree in &tips.trees {
        let found = diff::changes(&mut Trees::new(objects), tree, &[], &|| sink.stopped());
        plan.add(None, &[], found);
    }
    tips.blobs.iter().for_each(|id| plan.blob(*id));
    let mut rank = 0;
    while rank < order.len() {
        let list = &order[rank..order.len().min(rank + WINDOW)];
        for (parents, found) in compare(objects, commits, &walk.wanted, list, options.jobs, sink) {
            plan.add(Some((order[rank], rank as u64)), &parents, found);
            rank += 1;
        }
    }
    plan.skipped.drain(..).for_each(|s| sink.skipped(s));

    let seen = sink.reach().map(Seen::new);
    let pusher =
        Pusher { objects, commits, options, sink, plan: &plan, tips: &tips, order: &order, head, seen };
    let pushed = pusher.new_side();
    pusher.old_side();
    pusher.base_side();
    Ok(Read { commits: order.len() as u64, pushed })
}

/// Pushes what no commit holds yet, compared with `parents` trees, as [`push`] does what commits bring.
pub(super) fn push_changes(
    repo: &Repository,
    parents: usize,
    found: Changes,
    options: &Options,
    sink: &dyn Sink,
) -> Result<Read, SourceError> {
    let excludes = files::excludes(&options.exclude)?;
    let (objects, head) = (&repo.objects, repo.head().ok().flatten());
    let (commits, wanted, tips) = (&Commits::default(), Set::default(), &Tips::default());
    let mut plan = Plan::new(commits, &wanted, &excludes, sink);
    plan.add(None, &vec![0; parents], found);
    plan.skipped.drain(..).for_each(|s| sink.skipped(s));
    let seen = sink.reach().map(Seen::new);
    let pusher = Pusher { objects, commits, options, sink, plan: &plan, tips, order: &[], head, seen };
    let pushed = pusher.new_side();
    pusher.old_side();
    Ok(Read { commits: 0, pushed })
}

/// The parents that a commit is compared with: those that are there, of several with the same tree
/// one from outside of the range if there is one, and at most [`PARENTS`]. What only the others have
/// counts as new.
fn parents(commits: &Commits, wanted: &Set, n: u32) -> Vec<u32> {
    let mut list: Vec<u32> = commits.parents(n).iter().copied().filter(|&p| commits.is_known(p)).collect();
    if list.len() > 2 {
        list.sort_by_key(|&p| (commits.tree(p), wanted.contains(p), p));
        list.dedup_by_key(|p| commits.tree(*p));
        list.truncate(PARENTS);
    }
    list
}

/// Compares commits with those of their parents that are there: as many of `list`, from its start
/// on, as fit in memory, and at least one.
fn compare(
    objects: &Objects,
    commits: &Commits,
    wanted: &Set,
    list: &[u32],
    jobs: usize,
    sink: &dyn Sink,
) -> Vec<(Vec<u32>, Changes)> {
    let done: Mutex<Vec<(usize, Vec<u32>, Changes)>> = Mutex::default();
    let held = AtomicUsize::new(0);
    spread(
        jobs,
        list.len().div_ceil(BLOCK),
        || Trees::new(objects),
        |trees, block| {
            for (i, &n) in list.iter().enumerate().skip(block * BLOCK).take(BLOCK) {
                if i > 0 && held.load(Ordering::Relaxed) > HELD {
                    return;
                }
                let parents = parents(commits, wanted, n);
                let folders: Vec<ObjectId> = parents.iter().map(|&p| commits.tree(p)).collect();
                let found = diff::changes(trees, &commits.tree(n), &folders, &|| sink.stopped());
                held.fetch_add(found.new.len() + found.old.len() + found.names.len(), Ordering::Relaxed);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((i, parents, found));
            }
        },
    );
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, ..)| *i);
    let prefix = done.into_iter().enumerate().take_while(|(at, (i, ..))| at == i);
    prefix.map(|(_, (_, parents, found))| (parents, found)).collect()
}
