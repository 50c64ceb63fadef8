//! How often a key is used in each hour of the week: a rate, a shape of days and weeks, and the size of a negative
//! binomial, since real use is more uneven than chance alone makes it.
//!
//! Hours that were flagged are left out, and what stands far above the rest counts no more than its limit, so that
//! neither an attack nor a run of batches teaches the model that it is usual.

use super::watch::{Pace, Watch};
use crate::usage::time::HOUR;

/// Hours of a week.
pub const WEEK: usize = 168;
/// Hours of a day.
const DAY: usize = 24;
/// Fewest hours that a model is made from: two weeks.
const LEAST: usize = 2 * WEEK;
/// How often the model is made anew with what stood out cut down.
const ROUNDS: usize = 4;
/// Requests that a factor of the shape must be worth before it is believed half.
const PSEUDO: f64 = 8.0;
/// Standard deviations above which a count is cut down.
const CUT: f64 = 3.5;
/// Least and largest size of the negative binomial: nearly anything goes, and nearly a Poisson.
const SIZES: (f64, f64) = (0.15, 1e5);
/// Least rate, in requests an hour: a key that was never used is not impossible to use.
const LEAST_RATE: f64 = 0.02;
/// By how much the limit of a key stands above the highest that its own training came to.
const ABOVE: f64 = 1.15;
/// Most that a key's own limit may be of the general one, so that an attack within the training cannot switch the
/// watch off.
const MOST_LIMIT: f64 = 3.0;

/// One hour of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// First second.
    pub at: i64,
    /// Requests; tokens in thousands where a provider tells no requests.
    pub count: u64,
    /// Whether it is known to be unusual, so that nothing is learnt from it.
    pub flagged: bool,
}

/// What is usual for a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Requests of each hour of the week, from Thursday 00:00 UTC on, as 1970 began.
    expected: Vec<f64>,
    /// Size of the negative binomial; the smaller, the more uneven.
    size: f64,
    /// The limits of the watch, slow and fast.
    limits: [f64; 2],
}

/// The hour of the week of a moment.
fn cell(at: i64) -> usize {
    usize::try_from(at.div_euclid(HOUR).rem_euclid(168)).unwrap_or(0)
}

/// Whether a cell is of a weekend. 1970 began on a Thursday.
fn weekend(cell: usize) -> usize {
    usize::from(matches!(cell / DAY, 2 | 3))
}

impl Baseline {
    /// Learns from hours without gaps; a missing hour is one without use. None from less than two weeks.
    #[allow(clippy::cast_precision_loss)] // because counts are far below 2^53
    pub fn fit(hours: &[Hour]) -> Option<Baseline> {
        let good: Vec<(usize, f64)> =
            hours.iter().filter(|h| !h.flagged).map(|h| (cell(h.at), h.count as f64)).collect();
        if good.len() < LEAST {
            return None;
        }
        let mut counts = good.clone();
        let mut expected = vec![0.0; WEEK];
        let mut size = 1.0;
        for round in 0..ROUNDS {
            expected = shape(&counts);
            size = unevenness(&counts, &expected);
            if round + 1 == ROUNDS {
                break;
            }
            for ((cell, count), (_, real)) in counts.iter_mut().zip(&good) {
                let mean = expected[*cell];
                let most = mean + CUT * (mean + mean * mean / size).sqrt() + 1.0;
                *count = real.min(most);
            }
        }
        let mut model = Baseline { expected, size, limits: [Pace::Slow.limit(), Pace::Fast.limit()] };
        model.limits = model.own_limits(hours);
        Some(model)
    }

    /// What is expected of the hour that begins at `at`.
    pub fn expected(&self, at: i64) -> f64 {
        self.expected[cell(at)]
    }

    /// How uneven the use is: the variance is `mean + mean² / size`.
    pub fn size(&self) -> f64 {
        self.size
    }

    /// The limit that the watch has for this key.
    pub fn limit(&self, pace: Pace) -> f64 {
        self.limits[pace as usize]
    }

    /// By how much likelier `factor` times the usual is than the usual, for that count; in nats.
    pub fn evidence(&self, at: i64, count: f64, factor: f64) -> f64 {
        let (mean, k) = (self.expected(at), self.size);
        let more = mean * factor;
        let step = (factor * (k + mean) / (k + more)).ln();
        count * step - k * ((k + more) / (k + mean)).ln()
    }

    /// A key whose own weeks come near the general limit gets a higher one: it has bursts that are usual for it. The
    /// highest of its weeks is left out of account if it stands alone.
    fn own_limits(&self, hours: &[Hour]) -> [f64; 2] {
        [Pace::Slow, Pace::Fast].map(|pace| {
            let mut peaks: Vec<f64> = hours
                .chunks(WEEK)
                .map(|week| {
                    let mut watch = Watch::without_limit(pace);
                    let usual = week.iter().filter(|h| !h.flagged);
                    usual.map(|h| watch.score(self, h.at, h.count)).fold(0.0, f64::max)
                })
                .collect();
            peaks.sort_unstable_by(|a, b| b.total_cmp(a));
            let second = peaks.get(1).copied().unwrap_or(0.0);
            let first = peaks.first().copied().unwrap_or(0.0).min(2.0 * second);
            let own = first.max(second) * ABOVE;
            own.clamp(pace.limit(), pace.limit() * MOST_LIMIT)
        })
    }
}

/// The expected count of each hour of the week: a rate, times a factor of the day, times one of the hour on working
/// days and weekends, times one of the very hour if three weeks agree on it.
fn shape(counts: &[(usize, f64)]) -> Vec<f64> {
    let sum: f64 = counts.iter().map(|(_, n)| n).sum();
    #[allow(clippy::cast_precision_loss)]
    let rate = (sum / counts.len() as f64).max(LEAST_RATE);
    let mut of_cell = vec![(0.0, 0.0); WEEK];
    for (cell, n) in counts {
        of_cell[*cell].0 += n;
        of_cell[*cell].1 += rate;
    }
    let factor = |real: f64, expected: f64| (real + PSEUDO) / (expected + PSEUDO);
    let mut days = [1.0; 7];
    let mut hours = [[1.0; DAY]; 2];
    // Each is found with the other held.
    for _ in 0..3 {
        for (day, slot) in days.iter_mut().enumerate() {
            let (mut real, mut want) = (0.0, 0.0);
            for cell in day * DAY..(day + 1) * DAY {
                real += of_cell[cell].0;
                want += of_cell[cell].1 * hours[weekend(cell)][cell % DAY];
            }
            *slot = factor(real, want);
        }
        for (kind, row) in hours.iter_mut().enumerate() {
            for (hour, slot) in row.iter_mut().enumerate() {
                let (mut real, mut want) = (0.0, 0.0);
                for day in (0..7).filter(|d| weekend(d * DAY) == kind) {
                    real += of_cell[day * DAY + hour].0;
                    want += of_cell[day * DAY + hour].1 * days[day];
                }
                *slot = factor(real, want);
            }
        }
    }
    let mut expected: Vec<f64> = (0..WEEK)
        .map(|c| (rate * days[c / DAY] * hours[weekend(c)][c % DAY]).max(LEAST_RATE / 4.0))
        .collect();
    let mut of_week: Vec<Vec<f64>> = vec![Vec::new(); WEEK];
    for (cell, n) in counts {
        of_week[*cell].push(*n);
    }
    for (cell, list) in of_week.iter_mut().enumerate() {
        list.sort_unstable_by(f64::total_cmp);
        // What is there in all weeks but one, such as a weekly batch.
        if list.len() >= 3 && list[1] > 3.0 * expected[cell] + 10.0 {
            expected[cell] = list[1..].iter().sum::<f64>() / (list.len() - 1) as f64;
        }
    }
    expected
}

/// The size of the negative binomial, by moments.
fn unevenness(counts: &[(usize, f64)], expected: &[f64]) -> f64 {
    let (mut squares, mut extra) = (0.0, 0.0);
    for (cell, n) in counts {
        let mean = expected[*cell];
        squares += mean * mean;
        extra += (n - mean) * (n - mean) - mean;
    }
    if extra <= 0.0 { SIZES.1 } else { (squares / extra).clamp(SIZES.0, SIZES.1) }
}
