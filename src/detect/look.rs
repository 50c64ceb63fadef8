//! A first look at a text whose path is not known: whether anything in it may be worth reporting.
//! It errs on one side only. What it passes over, a search of the whole text would not report
//! under any path; what it points at is searched again, whole and under its paths.

use super::decode;
use super::engine::{DEPTH, Detector, Workspace, is_reported};
use super::filter::{self, Candidate, FileKind, Judged};
use super::gather::Raw;
use super::rank;
use crate::model::{Confidence, Look, Window};
use crate::rule::{Kind, RuleSet};
use std::ops::Range;

/// Kinds of files under which a value may pass that does not pass under others.
const FILES: [FileKind; 5] =
    [FileKind::Config, FileKind::Code, FileKind::Data, FileKind::Prose, FileKind::Translation];
/// A rule whose matches and context words together stretch farther than this is *far*.
const NEAR: usize = 900;

/// What a first look needs to know of the rules.
#[derive(Debug)]
pub(super) struct Lookout {
    /// Kinds whose matches depend on more than windows show.
    far: Vec<bool>,
    /// How far from a change anything else can depend on it.
    reach: usize,
}

impl Lookout {
    pub(super) fn new(rules: &RuleSet) -> Self {
        let kinds = rules.kinds();
        let mut far: Vec<bool> = kinds.iter().map(is_far).collect();
        for (i, kind) in kinds.iter().enumerate() {
            for with in kind.with.iter().filter(|w| w.required) {
                far[i] = true;
                if let Some(partner) = rules.position(&with.rule) {
                    far[partner] = true;
                }
            }
        }
        let near = kinds.iter().zip(&far).filter(|(_, far)| !**far);
        let reach = near.map(|(kind, _)| stretch(kind));
        // Filters look at the line and at up to 400 bytes before a value; the ranking at as much.
        Lookout { reach: reach.max().unwrap_or(0).max(512), far }
    }

    pub(super) fn is_far(&self, kind: usize) -> bool {
        self.far[kind]
    }
}

/// The bytes of a text that a match and its context words can take, runs without white space aside:
/// windows are never cut within those.
fn stretch(kind: &Kind) -> usize {
    let context = kind.context.as_ref().map_or(0, |c| c.before.max(c.after));
    kind.analysis.loose_len.saturating_add(context)
}

fn is_far(kind: &Kind) -> bool {
    kind.block || stretch(kind) > NEAR
}

impl Detector {
    /// How far from a change anything can depend on it, if [`Detector::look`] says no more.
    pub fn reach(&self) -> usize {
        self.lookout.reach
    }

    /// Looks at windows of a text for anything at least as sure as `floor`.
    pub fn look(&self, text: &[u8], windows: &[Window], floor: Confidence, work: &mut Workspace) -> Look {
        let mut look = Look::default();
        work.scratch.far.clear();
        for Window { span, own } in windows {
            let hay = &text[span.clone()];
            let cut = (span.start > 0, span.end < text.len());
            let place = |r: Range<usize>| r.start + span.start..r.end + span.start;
            let mut seen = Look::default();
            seen.far.extend(memchr::memchr(0, hay).map(|_| 0..hay.len()));
            self.look_at(hay, 0, cut, floor, work, &mut seen);
            let counts = |r: &Range<usize>| r.start < own.end && own.start < r.end.max(r.start + 1);
            look.hot.extend(seen.hot.into_iter().map(place).filter(counts));
            look.far.extend(seen.far.into_iter().map(place).filter(counts));
        }
        look
    }

    fn look_at(
        &self,
        hay: &[u8],
        depth: usize,
        cut: (bool, bool),
        floor: Confidence,
        work: &mut Workspace,
        seen: &mut Look,
    ) {
        let kinds = self.rules.kinds();
        let (raws, views) = self.gatherer.gather(kinds, hay, depth < DEPTH, &[], &mut work.scratch);
        seen.far.extend(work.scratch.far.drain(..).map(|at| at..at));
        for raw in raws {
            let span = raw.whole.start.min(raw.secret.start)..raw.whole.end.max(raw.secret.end);
            if self.lookout.far[raw.kind] {
                seen.far.push(span.clone());
            }
            if is_reported(kinds[raw.kind].class) && self.may_count(hay, &raw, floor) {
                seen.hot.push(span);
            }
        }
        let wide = if depth == 0 { decode::utf16(hay) } else { None };
        for view in views.into_iter().chain(wide) {
            if cut.0 && view.outer.start == 0 || cut.1 && view.outer.end == hay.len() {
                seen.far.push(view.outer.clone());
            }
            let mut inner = Look::default();
            self.look_at(&view.bytes, depth + 1, (false, false), floor, work, &mut inner);
            let outward = |r: Range<usize>| view.outer_of(r);
            seen.hot.extend(inner.hot.into_iter().map(outward));
            if !inner.far.is_empty() {
                seen.far.push(view.outer.clone());
            }
        }
    }

    /// Whether a match may be as sure as `floor` under some path.
    fn may_count(&self, hay: &[u8], raw: &Raw, floor: Confidence) -> bool {
        let kind = &self.rules.kinds()[raw.kind];
        if kind.confidence < floor && !self.facts[raw.kind].ranked {
            return false;
        }
        let mut candidate = Candidate {
            hay,
            span: raw.secret.clone(),
            whole: raw.whole.clone(),
            rule: &self.facts[raw.kind],
            path: b"",
            file: FILES[0],
            place: None,
        };
        // Most values of keys are none under any path, which one look tells.
        let mut measured = self.facts[raw.kind].ranked.then(|| rank::measure(&candidate));
        let most = measured.as_ref().map(|m| rank::most(m).confidence());
        if kind.confidence < floor && most.is_some_and(|most| most < floor) {
            return false;
        }
        FILES.iter().any(|&file| {
            candidate.file = file;
            match filter::weigh_again(&candidate, &mut measured).0 {
                Judged::Keep { confidence, .. } => confidence.unwrap_or(kind.confidence) >= floor,
                Judged::Drop(_) => false,
            }
        })
    }
}
