//! The commits that some tips lead to and others do not.

use super::{Commits, Set};
use crate::model::{Held, ObjectId, Origin, Provenance, RawPath, SkipReason, Skipped};
use crate::source::git::{GitError, Objects};
use ahash::AHashMap;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// Hidden commits that are read after the last wanted one, in case a clock was wrong.
const SLOP: usize = 256;
/// How far a clock may be wrong before it costs precision, in seconds.
const SKEW: i64 = 86_400;

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walk {
    /// All commits that were read, hidden ones among them.
    pub commits: Commits,
    /// Those that a tip leads to and that nothing hidden leads to.
    ///
    /// Never too few. With clocks that are wrong by more than a day and several hidden tips or
    /// side branches it may hold commits that a full walk would have found to be hidden.
    pub wanted: Set,
    /// Tips that could not be read, and parents of wanted commits.
    pub skipped: Vec<Skipped>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Colour {
    #[default]
    None,
    Wanted,
    Hidden,
}

#[derive(Default)]
struct Painter {
    commits: Commits,
    colours: Vec<Colour>,
    queued: Set,
    queue: BinaryHeap<(i64, Reverse<ObjectId>, u32)>,
    /// Wanted commits in the queue.
    open: usize,
    /// Why a commit could not be read.
    missing: AHashMap<u32, GitError>,
}

impl Commits {
    /// Reads the commits that `tips` lead to and `hidden` do not. `shallow` are the commits whose
    /// parents the repository is known to lack; a parent that is there is followed all the same.
    pub fn walk(
        objects: &Objects,
        tips: &[ObjectId],
        hidden: &[ObjectId],
        shallow: &BTreeSet<ObjectId>,
    ) -> Walk {
        let mut painter = Painter::default();
        let mut skipped = Vec::new();
        for (list, colour) in [(hidden, Colour::Hidden), (tips, Colour::Wanted)] {
            for id in list {
                let number = painter.commits.intern(*id);
                painter.mark(objects, number, colour);
                if let Some(error) = painter.missing.get(&number) {
                    skipped.push(unread(*id, error, false));
                }
            }
        }
        painter.run(objects, hidden);
        let Painter { commits, colours, missing, .. } = painter;
        let mut wanted = Set::default();
        for n in (0..colours.len() as u32).filter(|&n| colours[n as usize] == Colour::Wanted) {
            if !commits.is_known(n) {
                continue;
            }
            wanted.insert(n);
            let cut = shallow.contains(&commits.id(n));
            for p in commits.parents(n) {
                if let Some(error) = missing.get(p) {
                    skipped.push(unread(commits.id(*p), error, cut));
                }
            }
        }
        skipped.sort();
        skipped.dedup();
        Walk { commits, wanted, skipped }
    }
}

impl Painter {
    fn run(&mut self, objects: &Objects, hidden: &[ObjectId]) {
        let mut end: Option<End> = None;
        while let Some(&(date, _, n)) = self.queue.peek() {
            if self.open == 0 {
                let end = end.get_or_insert_with(|| self.end(hidden));
                if end.proved || end.extra >= SLOP && date < end.oldest {
                    return;
                }
                end.extra += 1;
            }
            self.queue.pop();
            let colour = self.colours[n as usize];
            self.open -= usize::from(colour == Colour::Wanted);
            self.queued.remove(n);
            for i in 0..self.commits.parents(n).len() {
                self.mark(objects, self.commits.parents(n)[i], colour);
            }
        }
    }

    /// Gives a commit a colour. Hidden wins over wanted, and runs down through all that was read.
    fn mark(&mut self, objects: &Objects, number: u32, colour: Colour) {
        let mut stack = vec![number];
        while let Some(n) = stack.pop() {
            if self.colours.len() <= n as usize {
                self.colours.resize(n as usize + 1, Colour::None);
            }
            match (self.colours[n as usize], colour) {
                (Colour::None, _) => {
                    self.colours[n as usize] = colour;
                    self.enqueue(objects, n, colour);
                }
                (Colour::Wanted, Colour::Hidden) => {
                    self.colours[n as usize] = colour;
                    if self.queued.contains(n) {
                        self.open -= 1;
                    } else {
                        stack.extend(self.commits.parents(n));
                    }
                }
                _ => {}
            }
        }
    }

    fn enqueue(&mut self, objects: &Objects, n: u32, colour: Colour) {
        let id = self.commits.id(n);
        if let Err(error) = self.commits.load(objects, &id) {
            self.missing.insert(n, error);
            return;
        }
        self.queue.push((self.commits.committed(n), Reverse(id), n));
        self.queued.insert(n);
        self.open += usize::from(colour == Colour::Wanted);
    }

    /// What is known once nothing wanted is left to follow.
    fn end(&self, hidden: &[ObjectId]) -> End {
        let numbers = 0..self.colours.len() as u32;
        let wanted: Vec<u32> = numbers
            .filter(|&n| self.colours[n as usize] == Colour::Wanted && self.commits.is_known(n))
            .collect();
        let oldest = wanted.iter().map(|&n| self.commits.committed(n)).min();
        let proved = match hidden {
            _ if wanted.is_empty() => true,
            [tip] => self.all_lead_to(&wanted, tip),
            _ => false,
        };
        End { proved, oldest: oldest.unwrap_or(i64::MAX).saturating_sub(SKEW), extra: 0 }
    }

    /// Whether each wanted commit descends from `tip`. None of them can then be an ancestor of it,
    /// since no commit descends from itself: the rest of the hidden side need not be read.
    fn all_lead_to(&self, wanted: &[u32], tip: &ObjectId) -> bool {
        let Some(tip) = self.commits.number(tip) else { return false };
        let mut edges: Vec<(u32, u32)> =
            wanted.iter().flat_map(|&n| self.commits.parents(n).iter().map(move |&p| (p, n))).collect();
        edges.sort_unstable();
        let mut found = Set::default();
        let mut stack = vec![tip];
        while let Some(parent) = stack.pop() {
            let from = edges.partition_point(|e| e.0 < parent);
            let children = edges[from..].iter().take_while(|e| e.0 == parent).map(|e| e.1);
            stack.extend(children.filter(|&child| found.insert(child)));
        }
        wanted.iter().all(|&n| found.contains(n))
    }
}

/// When to stop reading the hidden side.
struct End {
    proved: bool,
    /// The date before which no hidden commit is likely to descend from a wanted one.
    oldest: i64,
    extra: usize,
}

/// A commit that was not read. `cut`: the repository says that it has no parents of its child.
fn unread(id: ObjectId, error: &GitError, cut: bool) -> Skipped {
    let reason = match error.reason() {
        SkipReason::Absent if cut => SkipReason::Shallow,
        reason => reason,
    };
    Skipped { provenance: provenance(id), reason, detail: error.to_string() }
}

/// The place of a commit of which nothing more is known.
fn provenance(id: ObjectId) -> Provenance {
    let origin = Origin {
        held: Held::Commit,
        object: id,
        commit: None,
        reachable: true,
        at_head: false,
        also_at: Vec::new(),
    };
    Provenance::history(RawPath::new(b""), origin)
}
