//! Least lengths of runs: how many bytes of a class every match holds in a row.

use super::{bytes_of, has};
use regex_syntax::hir::{Hir, HirKind};

/// Least number of members of a set in a row: over all of a match, at its front, at its back, anywhere.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// Every byte is a member; at least so many.
    All(usize),
    /// Some byte may not be.
    Some { front: usize, back: usize, best: usize },
}

impl Run {
    const NONE: Run = Run::Some { front: 0, back: 0, best: 0 };

    pub(super) fn front(self) -> usize {
        match self {
            Run::All(n) => n,
            Run::Some { front, .. } => front,
        }
    }

    fn back(self) -> usize {
        match self {
            Run::All(n) => n,
            Run::Some { back, .. } => back,
        }
    }

    pub(super) fn best(self) -> usize {
        match self {
            Run::All(n) => n,
            Run::Some { best, .. } => best,
        }
    }

    fn then(self, next: Run) -> Run {
        if let (Run::All(a), Run::All(b)) = (self, next) {
            return Run::All(a + b);
        }
        Run::Some {
            front: if let Run::All(n) = self { n + next.front() } else { self.front() },
            back: if let Run::All(n) = next { n + self.back() } else { next.back() },
            best: self.best().max(next.best()).max(self.back() + next.front()),
        }
    }

    fn or(self, other: Run) -> Run {
        if let (Run::All(a), Run::All(b)) = (self, other) {
            return Run::All(a.min(b));
        }
        Run::Some {
            front: self.front().min(other.front()),
            back: self.back().min(other.back()),
            best: self.best().min(other.best()),
        }
    }
}

pub(super) fn run(hir: &Hir, member: fn(u8) -> bool) -> Run {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Run::All(0),
        HirKind::Literal(l) => {
            l.0.iter().fold(Run::All(0), |r, &b| r.then(if member(b) { Run::All(1) } else { Run::NONE }))
        }
        HirKind::Class(class) => {
            if bytes_of(class).is_some_and(|set| (0..=255u8).filter(|&b| has(&set, b)).all(member)) {
                Run::All(1)
            } else {
                Run::NONE
            }
        }
        HirKind::Repetition(rep) => {
            let one = run(&rep.sub, member);
            let min = rep.min as usize;
            match one {
                Run::All(n) => Run::All(n * min),
                Run::Some { .. } if min == 0 => Run::NONE,
                Run::Some { front, back, best } => {
                    Run::Some { front, back, best: if min > 1 { best.max(back + front) } else { best } }
                }
            }
        }
        HirKind::Capture(c) => run(&c.sub, member),
        HirKind::Concat(parts) => parts.iter().fold(Run::All(0), |r, p| r.then(run(p, member))),
        HirKind::Alternation(parts) => {
            parts.iter().map(|p| run(p, member)).reduce(Run::or).unwrap_or(Run::All(0))
        }
    }
}
