//! From bytes to raw matches: the sweep's places, each tried with its pattern.

use super::context;
use super::decode::{self, Trigger, View};
use super::pattern::{Caches, Patterns};
use super::prefilter::{Needles, Prefilter, Visit, drawn_near};
use crate::rule::analyse::Gate;
use crate::rule::{Kind, RuleSet};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::OnceLock;

/// A match of a pattern with its context words in place, before any filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// Index of the rule.
    pub kind: usize,
    /// The secret.
    pub secret: Range<usize>,
    /// The whole match.
    pub whole: Range<usize>,
}

/// Finds raw matches.
#[derive(Debug)]
pub(crate) struct Gatherer {
    prefilter: Prefilter,
    pub(crate) patterns: Patterns,
    words: OnceLock<Words>,
    shortest: usize,
    /// How far before and after a run a word of some kind may stand.
    reach: (usize, usize),
    /// Kinds that a long run opens without any word.
    wordless: Vec<usize>,
    /// Kinds that are searched for only near a partner, with the partner's index and reach.
    partnered: Vec<(usize, usize, usize)>,
    /// Kinds whose gate is told to [`Scratch::far`] when it opens.
    far: Vec<bool>,
}

/// The words of the rules that are gated by a run.
#[derive(Debug)]
struct Words {
    needles: Needles,
    /// The kinds of each.
    kinds: Vec<Vec<u32>>,
}

/// A thread's working memory.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) caches: Caches,
    stamps: Vec<u64>,
    stamp: u64,
    /// Where gates of far kinds have opened. Grows until it is taken.
    pub(crate) far: Vec<usize>,
}

impl Gatherer {
    pub(crate) fn new(rules: &RuleSet, far: Vec<bool>) -> Self {
        let kinds = rules.kinds();
        let runs = kinds.iter().filter_map(|k| match k.analysis.gate {
            Gate::Value { run, .. } => Some(run),
            _ => None,
        });
        let partnered = kinds
            .iter()
            .enumerate()
            .filter(|(_, k)| k.analysis.gate == Gate::Partner)
            .filter_map(|(i, k)| {
                let with = k.with.iter().find(|w| w.required)?;
                Some((i, rules.position(&with.rule)?, with.bytes))
            })
            .collect();
        let reach = kinds.iter().fold((0, 0), |(before, after), k| {
            let (back, ahead) = match k.analysis.gate {
                Gate::Value { at_start: true, run, .. } => (0, k.analysis.max_len - run),
                Gate::Value { run, .. } => (k.analysis.max_len - run, k.analysis.max_len - run),
                Gate::Opaque { around, .. } => (around, around),
                _ => return (before, after),
            };
            let context = k.context.as_ref().map_or((0, 0), |c| (c.before, c.after));
            (before.max(back + context.0), after.max(ahead + context.1))
        });
        let bare = |k: &Kind| matches!(&k.analysis.gate, Gate::Value { needles, .. } if needles.is_empty());
        Gatherer {
            reach,
            wordless: (0..kinds.len()).filter(|&i| bare(&kinds[i])).collect(),
            prefilter: Prefilter::new(kinds),
            patterns: Patterns::new(kinds),
            words: OnceLock::new(),
            shortest: runs.min().unwrap_or(usize::MAX),
            partnered,
            far,
        }
    }

    /// Every raw match in `hay`, sorted, at most one of a rule for each stretch; with the decoded
    /// views that `hay` holds, if `decode` asks for them.
    pub(crate) fn gather(
        &self,
        kinds: &[Kind],
        hay: &[u8],
        decode: bool,
        by_path: &[usize],
        scratch: &mut Scratch,
    ) -> (Vec<Raw>, Vec<View>) {
        let mut collect = Collect {
            all: self,
            kinds,
            hay,
            scratch,
            raws: Vec::new(),
            windows: Vec::new(),
            views: Vec::new(),
            known: Known::default(),
            decode,
            done: [0; Trigger::COUNT],
        };
        self.prefilter.sweep(hay, &mut collect);
        collect.windows.extend(by_path.iter().map(|&kind| (kind, 0..hay.len())));
        collect.search_windows();
        for &(kind, partner, reach) in &self.partnered {
            let reach = reach + kinds[kind].analysis.max_len;
            let near: Vec<_> =
                collect.raws.iter().filter(|r| r.kind == partner).map(|r| r.whole.clone()).collect();
            collect
                .windows
                .extend(near.into_iter().map(|w| (kind, w.start.saturating_sub(reach)..w.end + reach)));
        }
        collect.search_windows();
        let Collect { mut raws, views, .. } = collect;
        raws.sort_by_key(|r| (r.kind, r.secret.start, r.secret.end, r.whole.start, r.whole.end));
        raws.dedup();
        keep_longest(&mut raws);
        (raws, views)
    }

    fn words(&self, kinds: &[Kind]) -> &Words {
        self.words.get_or_init(|| {
            let mut words: Vec<(&[u8], u32)> = Vec::new();
            for (i, kind) in kinds.iter().enumerate() {
                if let Gate::Value { needles, .. } | Gate::Opaque { needles, .. } = &kind.analysis.gate {
                    words.extend(needles.iter().map(|n| (n.as_slice(), i as u32)));
                }
            }
            words.sort();
            let mut texts: Vec<&[u8]> = Vec::new();
            let mut kinds: Vec<Vec<u32>> = Vec::new();
            for (word, kind) in words {
                if texts.last() != Some(&word) {
                    texts.push(word);
                    kinds.push(Vec::new());
                }
                kinds.last_mut().expect("because one was just pushed").push(kind);
            }
            Words { needles: Needles::new(&texts), kinds }
        })
    }
}

/// Of overlapping matches of one rule the longest secret stays; of equals the first.
fn keep_longest(raws: &mut Vec<Raw>) {
    raws.dedup_by(|next, kept| {
        if next.kind != kept.kind || next.secret.start >= kept.secret.end {
            return false;
        }
        if next.secret.len() > kept.secret.len() {
            std::mem::swap(next, kept);
        }
        true
    });
}

/// Words that were found, and where all of them are known.
#[derive(Default)]
struct Known {
    range: Range<usize>,
    hits: VecDeque<(Range<usize>, usize)>,
}

struct Collect<'a> {
    all: &'a Gatherer,
    kinds: &'a [Kind],
    hay: &'a [u8],
    scratch: &'a mut Scratch,
    raws: Vec<Raw>,
    windows: Vec<(usize, Range<usize>)>,
    views: Vec<View>,
    known: Known,
    decode: bool,
    /// For each trigger, up to where its views have been taken.
    done: [usize; Trigger::COUNT],
}

impl Collect<'_> {
    fn find(&mut self, kind: usize, starts: Range<usize>, anchored: bool) -> Option<usize> {
        let found =
            self.all.patterns.find(self.kinds, kind, self.hay, starts, anchored, &mut self.scratch.caches)?;
        let whole = found.get_match()?.range();
        let secret = found.get_group_by_name("secret").map_or(whole.clone(), |s| s.range());
        let start = whole.start;
        let context = self.kinds[kind].context.as_ref();
        let opaque = matches!(self.kinds[kind].analysis.gate, Gate::Opaque { .. });
        if context.is_none_or(|c| context::holds(c, self.hay, &whole, &secret))
            && (!opaque || drawn_near(self.hay, &whole))
        {
            self.raws.push(Raw { kind, secret, whole });
        }
        Some(start)
    }

    /// Calls `f` once for each kind of which a word stands within reach of a run. Runs come nearly in
    /// order, and each byte is searched for words at most once.
    fn near_words(&mut self, run: Range<usize>, f: impl Fn(&mut Self, usize)) {
        let words = self.all.words(self.kinds);
        let region =
            run.start.saturating_sub(self.all.reach.0)..self.hay.len().min(run.end + self.all.reach.1);
        // Calls of one block may come out of order.
        let (from, to) = (region.start.saturating_sub(64), region.end);
        let known = &mut self.known;
        if from > known.range.end || from < known.range.start {
            known.range = from..from;
            known.hits.clear();
        }
        if to > known.range.end {
            let start = known.range.end.saturating_sub(words.needles.longest()).max(known.range.start);
            words.needles.find(self.hay, start..to, |at, word| {
                if at.end > known.range.end {
                    known.hits.push_back((at, word));
                }
            });
            known.range.end = to;
        }
        while known.hits.front().is_some_and(|(h, _)| h.start + 64 < from) {
            known.hits.pop_front();
        }
        if known.hits.is_empty() {
            return;
        }
        let near = known.hits.iter().filter(|(h, _)| h.start >= region.start && h.end <= region.end);
        let near: Vec<usize> = near.map(|(_, word)| *word).collect();
        self.scratch.stamps.resize(self.kinds.len(), 0);
        self.scratch.stamp += 1;
        for word in near {
            for &kind in &words.kinds[word] {
                let kind = kind as usize;
                if std::mem::replace(&mut self.scratch.stamps[kind], self.scratch.stamp) != self.scratch.stamp
                {
                    f(self, kind);
                }
            }
        }
    }

    /// Tries a kind that is gated by a run on the run of `len` alphanumerics at `at`.
    fn try_run(&mut self, kind: usize, at: usize, len: usize) {
        let Gate::Value { run, at_start, .. } = self.kinds[kind].analysis.gate else { return };
        if len < run {
            return;
        }
        if at_start {
            self.find(kind, at..at + 1, true);
        } else {
            let back = self.kinds[kind].analysis.max_len - run;
            self.windows.push((kind, at.saturating_sub(back)..at + len - run + 1));
        }
    }

    /// Searches the collected windows, each place once.
    fn search_windows(&mut self) {
        let mut windows = std::mem::take(&mut self.windows);
        windows.sort_unstable_by_key(|(kind, w)| (*kind, w.start));
        let mut from = (usize::MAX, 0);
        for (kind, w) in windows {
            let mut at = if from.0 == kind { w.start.max(from.1) } else { w.start };
            let end = w.end.min(self.hay.len());
            while at < end {
                match self.find(kind, at..end, false) {
                    Some(start) => at = start + 1,
                    None => at = end,
                }
            }
            from = (kind, if from.0 == kind { end.max(from.1) } else { end });
        }
    }

    fn expand(&mut self, trigger: Trigger, at: usize) {
        if self.decode && at >= self.done[trigger as usize] {
            let before = self.views.len();
            decode::expand(trigger, self.hay, at, &mut self.views);
            if let Some(end) = self.views[before..].iter().map(|v| v.outer.end).max() {
                self.done[trigger as usize] = end;
            }
        }
    }
}

impl Visit for Collect<'_> {
    fn start(&mut self, kind: usize, at: usize) {
        if self.all.far[kind] {
            self.scratch.far.push(at);
        }
        self.find(kind, at..at + 1, true);
    }

    fn near(&mut self, kind: usize, at: usize, end: usize) {
        if self.all.far[kind] {
            self.scratch.far.push(at);
        }
        let k = &self.kinds[kind];
        let starts = match (&k.analysis.gate, &k.context) {
            (Gate::Near(_), Some(c)) => {
                end.saturating_sub(c.after + k.analysis.max_len)..at.saturating_add(c.before + 1)
            }
            (Gate::Inside { back, front: Some(front), .. }, _) => {
                let low = at.saturating_sub(*back);
                let Some(start) =
                    self.all.patterns.starts(kind, front, self.hay, low..at, &mut self.scratch.caches)
                else {
                    return;
                };
                start..at + 1
            }
            (Gate::Inside { back, .. } | Gate::Scheme { back, .. }, _) => at.saturating_sub(*back)..at + 1,
            _ => end.saturating_sub(k.analysis.max_len)..at + 1,
        };
        self.windows.push((kind, starts));
    }

    fn value(&mut self, at: usize) {
        let len = self.hay[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        if len < self.all.shortest {
            return;
        }
        let end = at + len;
        self.near_words(at..end, |this, kind| this.try_run(kind, at, len));
        for &kind in &self.all.wordless {
            self.try_run(kind, at, len);
        }
    }

    fn opaque(&mut self, at: usize, len: usize) {
        self.near_words(at..at + len, |this, kind| {
            if let Gate::Opaque { around, .. } = this.kinds[kind].analysis.gate {
                this.windows.push((kind, at.saturating_sub(around)..at + len));
            }
        });
    }

    fn run(&mut self, at: usize) {
        self.expand(Trigger::Run, at);
    }

    fn sign(&mut self, at: usize) {
        let trigger = match self.hay[at] {
            b'%' => Trigger::Percent,
            b'&' => Trigger::Entity,
            b'\\' => Trigger::Escape,
            _ => Trigger::Join,
        };
        self.expand(trigger, at);
    }
}
