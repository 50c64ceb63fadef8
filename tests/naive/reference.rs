//! The reference: each pattern over the whole text, and what the engine says differently.

use keywheel::detect::{Detector, Raw};
use keywheel::rule::analyse::Gate;
use keywheel::rule::{Context, RuleSet};
use rayon::prelude::*;
use regex::bytes::{Regex, RegexBuilder};
use std::ops::Range;
use std::sync::Arc;

pub(crate) struct Naive {
    pub(crate) rules: Arc<RuleSet>,
    regexes: Vec<Regex>,
}

impl Naive {
    fn new(rules: Arc<RuleSet>) -> Self {
        let compile =
            |pattern: &str| RegexBuilder::new(pattern).unicode(false).size_limit(64 << 20).build().unwrap();
        let regexes = rules.kinds().iter().map(|k| compile(&k.pattern)).collect();
        Naive { rules, regexes }
    }

    /// Every place where a rule's pattern matches and one of its words is near.
    fn places(&self, kind: usize, hay: &[u8]) -> Vec<Raw> {
        let (regex, rule) = (&self.regexes[kind], &self.rules.kinds()[kind]);
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(found) = regex.find_at(hay, at) {
            at = found.start() + 1;
            let secret = regex.captures_at(hay, found.start()).unwrap().name("secret").unwrap().range();
            let near = rule.context.as_ref().is_none_or(|c| word_near(c, hay, &found.range(), &secret));
            let drawn = !matches!(rule.analysis.gate, Gate::Opaque { .. }) || drawn(hay, &found.range());
            let near = near && drawn;
            // The declared bound of a block rule is part of its pattern.
            if near && found.len() <= rule.analysis.max_len {
                out.push(Raw { kind, secret, whole: found.range() });
            }
            if at > hay.len() {
                break;
            }
        }
        out
    }

    /// What `Detector::raw` must give of one rule.
    fn raw(&self, kind: usize, hay: &[u8]) -> Vec<Raw> {
        let rule = &self.rules.kinds()[kind];
        if rule.analysis.gate == Gate::Path {
            return Vec::new();
        }
        let mut raws = self.places(kind, hay);
        if rule.analysis.gate == Gate::Partner && !raws.is_empty() {
            let with = rule.with.iter().find(|w| w.required).unwrap();
            let reach = with.bytes + rule.analysis.max_len;
            let partners = self.places(self.rules.position(&with.rule).unwrap(), hay);
            let near = |start: usize, p: &Range<usize>| start + reach >= p.start && start < p.end + reach;
            raws.retain(|r| partners.iter().any(|p| near(r.whole.start, &p.whole)));
        }
        longest(raws)
    }
}

/// Of overlapping secrets of a rule the longest stays; of equals the first.
fn longest(mut raws: Vec<Raw>) -> Vec<Raw> {
    raws.sort_by_key(|r| (r.secret.start, r.secret.end, r.whole.start, r.whole.end));
    let mut kept: Vec<Raw> = Vec::new();
    for raw in raws {
        match kept.last_mut() {
            Some(last) if raw.secret.start < last.secret.end => {
                if raw.secret.len() > last.secret.len() {
                    *last = raw;
                }
            }
            _ => kept.push(raw),
        }
    }
    kept
}

/// Whether a context word begins at most `before` bytes before the match, or ends at most `after`
/// behind it, and does not touch the secret.
fn word_near(context: &Context, hay: &[u8], whole: &Range<usize>, secret: &Range<usize>) -> bool {
    let left = whole.start.saturating_sub(context.before)..secret.start;
    let right = secret.end..hay.len().min(whole.end + context.after);
    context.words.iter().any(|word| {
        [left.clone(), right.clone()].into_iter().any(|side| {
            (side.start..side.end.saturating_sub(word.len() - 1)).any(|at| {
                let end = at + word.len();
                hay[at..end].eq_ignore_ascii_case(word.as_bytes())
                    && (word.len() > 4 || stands_alone(hay, at, end))
            })
        })
    })
}

/// The engine's test for values that hold no long alphanumeric run. Around the match, 36 bytes to
/// each side, some run of base64 characters that touches it has either
/// - 20 in a row with a small letter, a capital and four changes of class, or
/// - 36 in a row, or all of its own 32 to 35, with four changes and at most four signs.
fn drawn(hay: &[u8], touching: &Range<usize>) -> bool {
    let member = |b: u8| b.is_ascii_alphanumeric() || b"_-+/".contains(&b);
    let around = touching.start.saturating_sub(36)..hay.len().min(touching.end + 36);
    let runs = hay[around.clone()].split(|&b| !member(b)).filter(|run| {
        let start = run.as_ptr() as usize - hay.as_ptr() as usize;
        start < touching.end && start + run.len() > touching.start
    });
    let changes = |w: &[u8]| {
        let class = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
        let both = |p: &&[u8]| p.iter().all(u8::is_ascii_alphanumeric) && class(p[0]) != class(p[1]);
        w.windows(2).filter(both).count() >= 4
    };
    let mixed =
        |w: &[u8]| changes(w) && w.iter().any(u8::is_ascii_lowercase) && w.iter().any(u8::is_ascii_uppercase);
    let single = |w: &[u8]| changes(w) && w.iter().filter(|b| !b.is_ascii_alphanumeric()).count() <= 4;
    runs.into_iter().any(|run| {
        run.windows(20).any(mixed) || (run.len() >= 32 && run.windows(run.len().min(36)).any(single))
    })
}

/// A short word counts only if no letter goes on beside it; `aB` is a seam between two words.
fn stands_alone(hay: &[u8], at: usize, end: usize) -> bool {
    let goes_on = |a: u8, b: u8| {
        a.is_ascii_alphabetic()
            && b.is_ascii_alphabetic()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    };
    let left = at > 0 && goes_on(hay[at - 1], hay[at]);
    let right = end < hay.len() && goes_on(hay[end - 1], hay[end]);
    !left && !right
}

/// Both engines, and what they disagree on.
pub(crate) struct Pair {
    pub(crate) naive: Naive,
    pub(crate) detector: Detector,
}

/// A text by its name, with the engine's matches in it.
pub(crate) type Searched = (String, Vec<u8>, Vec<Raw>);

impl Pair {
    pub(crate) fn new() -> Self {
        let rules = Arc::new(RuleSet::embedded());
        Pair { naive: Naive::new(rules.clone()), detector: Detector::new(rules) }
    }

    /// A sentence on each rule and text where the engine differs. Rule by rule, so that few patterns
    /// are at work at a time.
    pub(crate) fn compare(&self, batch: &[Searched]) -> Vec<String> {
        let kinds = self.naive.rules.kinds();
        let differ = |kind: usize| {
            batch.iter().filter_map(move |(name, text, raws)| {
                let (mine, engine) = (self.naive.raw(kind, text), of_kind(raws, kind));
                let show = |list: &[Raw], other: &[Raw]| {
                    let only = list.iter().filter(|r| !other.contains(r));
                    only.map(|r| format!("{:?} in {:?}", r.secret, r.whole)).collect::<Vec<_>>().join(", ")
                };
                let (lost, invented) = (show(&mine, engine), show(engine, &mine));
                let (id, gate) = (&kinds[kind].id, &kinds[kind].analysis.gate);
                (mine != engine)
                    .then(|| format!("{id}: {name}: lost [{lost}], invented [{invented}], gate {gate:?}"))
            })
        };
        (0..kinds.len()).into_par_iter().flat_map_iter(differ).collect()
    }
}

fn of_kind(raws: &[Raw], kind: usize) -> &[Raw] {
    let from = raws.partition_point(|r| r.kind < kind);
    let to = raws.partition_point(|r| r.kind <= kind);
    &raws[from..to]
}
