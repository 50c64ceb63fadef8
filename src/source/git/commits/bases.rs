//! The best common ancestors of two commits.

use super::{Commits, Set};
use crate::model::ObjectId;
use crate::source::git::{GitError, Objects};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const ONE: u8 = 1;
const TWO: u8 = 2;
const BOTH: u8 = ONE | TWO;
/// Below a common ancestor: common too, but not the best.
const STALE: u8 = 4;

/// Commits that are read after the last open one to find that one base lies below another.
const SLOP: usize = 256;
/// How far a clock may be wrong before a base is kept that lies below another, in seconds.
const SKEW: i64 = 86_400;

#[derive(Default)]
struct Painter {
    commits: Commits,
    flags: Vec<u8>,
    queued: Set,
    queue: BinaryHeap<(i64, Reverse<ObjectId>, u32)>,
    /// Commits in the queue that are not stale.
    open: usize,
    /// A parent that could not be read.
    missing: Option<GitError>,
}

impl Commits {
    /// The common ancestors of `a` and `b` below which all others lie, sorted by name: none for
    /// histories without a common commit, several after criss-cross merges. Each best one is
    /// found, whatever the clocks were; with wrong ones, one that lies below another may stay.
    ///
    /// # Errors
    /// A commit cannot be read without which the answer is not known.
    pub fn merge_bases(objects: &Objects, a: &ObjectId, b: &ObjectId) -> Result<Vec<ObjectId>, GitError> {
        let mut painter = Painter::default();
        for (id, flag) in [(a, ONE), (b, TWO)] {
            let number = painter.commits.load(objects, id)?;
            painter.mark(objects, number, flag);
        }
        let found = painter.run(objects);
        // Without a base, a hole in the history may be where it was; with one, it only may hide
        // a second.
        match painter.missing {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }
}

impl Painter {
    fn run(&mut self, objects: &Objects) -> Vec<ObjectId> {
        let mut found: Vec<u32> = Vec::new();
        let mut extra = 0;
        while let Some(&(date, _, n)) = self.queue.peek() {
            if self.open == 0 {
                let oldest = found.iter().map(|&n| self.commits.committed(n)).min().unwrap_or(i64::MAX);
                if found.len() < 2 || extra >= SLOP && date < oldest.saturating_sub(SKEW) {
                    break;
                }
                extra += 1;
            }
            self.queue.pop();
            self.queued.remove(n);
            let mut flags = self.flags[n as usize];
            self.open -= usize::from(flags & STALE == 0);
            if flags == BOTH {
                if !found.contains(&n) {
                    found.push(n);
                }
                flags |= STALE;
            }
            for i in 0..self.commits.parents(n).len() {
                self.mark(objects, self.commits.parents(n)[i], flags);
            }
        }
        found.retain(|&n| self.flags[n as usize] & STALE == 0);
        let mut found: Vec<ObjectId> = found.into_iter().map(|n| self.commits.id(n)).collect();
        found.sort();
        found
    }

    fn mark(&mut self, objects: &Objects, n: u32, flags: u8) {
        if self.flags.len() <= n as usize {
            self.flags.resize(n as usize + 1, 0);
        }
        let had = self.flags[n as usize];
        let now = had | flags;
        if now == had {
            return;
        }
        self.flags[n as usize] = now;
        if self.queued.contains(n) {
            self.open -= usize::from(had & STALE == 0 && now & STALE != 0);
            return;
        }
        let id = self.commits.id(n);
        match self.commits.load(objects, &id) {
            Ok(_) => {
                self.queue.push((self.commits.committed(n), Reverse(id), n));
                self.queued.insert(n);
                self.open += usize::from(now & STALE == 0);
            }
            Err(error) => {
                if now & STALE == 0 {
                    self.missing.get_or_insert(error);
                }
            }
        }
    }
}
