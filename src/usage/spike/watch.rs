//! The watch over a key: sums of evidence that grow while more is used than usual, and fall back to nothing else.

use super::Baseline;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A few times the usual, over hours.
    Slow = 0,
    /// Many times the usual, at once.
    Fast = 1,
}

impl Pace {
    /// The multiple that is looked for.
    fn factor(self) -> f64 {
        match self {
            Pace::Slow => 2.6,
            Pace::Fast => 7.0,
        }
    }

    /// The sum at which it is told, in nats. Found on samples whose seeds are not those of the evaluation; see
    /// `tests/spikes`.
    pub(super) fn limit(self) -> f64 {
        match self {
            Pace::Slow => 7.4,
            Pace::Fast => 7.5,
        }
    }

    /// Most that one hour may add, as a part of the limit: a single odd hour is no episode.
    fn share(self) -> f64 {
        match self {
            Pace::Slow => 0.5,
            Pace::Fast => 0.62,
        }
    }

    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Pace::Slow => "slow",
            Pace::Fast => "fast",
        }
    }
}

/// Something that is not usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// What told.
    pub pace: Pace,
    /// First second of the hour in which it began to grow.
    pub since: i64,
    /// First second of the hour in which it was told.
    pub at: i64,
    /// What was used since then.
    pub seen: f64,
    /// What would have been usual.
    pub usual: f64,
}

/// One sum.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    score: f64,
    since: i64,
    seen: f64,
    usual: f64,
}

/// The watch over one key.
#[derive(Clone, Debug)]
pub struct Watch {
    paces: Vec<(Pace, Sum)>,
    /// Until when a spike that was told counts as the same one.
    told_until: Option<i64>,
}

/// Hours for which what is told again is the same spike.
const SAME: i64 = 12 * 3600;

impl Default for Watch {
    fn default() -> Self {
        Watch::new()
    }
}

impl Watch {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Watch { paces: vec![(Pace::Slow, Sum::default()), (Pace::Fast, Sum::default())], told_until: None }
    }

    /// One pace alone, for the limits of a key.
    pub(super) fn without_limit(pace: Pace) -> Self {
        Watch { paces: vec![(pace, Sum::default())], told_until: None }
    }

    /// Adds an hour; the highest sum. Nothing is told and nothing begins anew.
    pub(super) fn score(&mut self, model: &Baseline, at: i64, count: u64) -> f64 {
        self.paces.iter_mut().map(|(pace, sum)| sum.add(*pace, model, at, count)).fold(0.0, f64::max)
    }

    /// Adds an hour. What is told is told once until it has been quiet for half a day.
    pub fn hour(&mut self, model: &Baseline, at: i64, count: u64) -> Option<Spike> {
        let mut told = None;
        for (pace, sum) in &mut self.paces {
            if sum.add(*pace, model, at, count) >= model.limit(*pace) {
                told = told.or(Some(Spike {
                    pace: *pace,
                    since: sum.since,
                    at,
                    seen: sum.seen,
                    usual: sum.usual,
                }));
                *sum = Sum::default();
            }
        }
        told?;
        let same = self.told_until.is_some_and(|until| at < until);
        self.told_until = Some(at + SAME);
        told.filter(|_| !same)
    }
}

impl Sum {
    #[allow(clippy::cast_precision_loss)] // because counts are far below 2^53
    fn add(&mut self, pace: Pace, model: &Baseline, at: i64, count: u64) -> f64 {
        let count = count as f64;
        let most = pace.share() * model.limit(pace);
        let more = model.evidence(at, count, pace.factor()).min(most);
        if self.score <= 0.0 {
            *self = Sum { since: at, ..Sum::default() };
        }
        self.score = (self.score + more).max(0.0);
        self.seen += count;
        self.usual += model.expected(at);
        self.score
    }
}
