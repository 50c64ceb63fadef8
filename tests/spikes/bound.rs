//! The most that anybody can tell.
//!
//! Whoever watches tells at some hours. With so many false episodes a key-week, the chance that one begins within the
//! first hours of an attack that does not happen is, on average over hours and keys, at most `size` below. So "is it
//! told within these hours?" is a test of that size, and by Neyman and Pearson none of that size finds more than the
//! one that compares the true likelihood ratio of these hours with one threshold. It is given what no
//! watch has: the truth of each key, the strength of the attack, and which hours to look at.

use super::sample::{ATTACK, Key, Random, WEEK};
use super::{BANDS, MOST_FALSE, ln_gamma, log_likelihood};

/// Hours of windows with and without an attack that are made up for each key.
const MADE_UP: usize = 24 * ATTACK;
/// From this rate on everything is taken for told, at no cost: it stays a bound, and large counts need no sums.
const TOLD: f64 = 10.0;

/// Shares of attacks.
pub(crate) struct Bound {
    /// Of all keys, where false episodes may be spent on whichever keys they serve best.
    pub(crate) all: f64,
    /// Of each band, with as many false episodes a key-week as are allowed on average.
    pub(crate) bands: [f64; 4],
}

/// What is learnt of one key: ratios of windows without and with an attack.
struct Ratios {
    band: usize,
    usual: Vec<f64>,
    attacked: Vec<f64>,
}

/// The bound on telling, within their first `hours`, attacks that bring the use to `factor` times the mean.
pub(crate) fn bound(keys: &[Key], factor: f64, hours: usize) -> Bound {
    let each = MADE_UP / hours;
    let ratios: Vec<Ratios> = keys
        .iter()
        .enumerate()
        .filter(|(_, key)| key.rate < TOLD)
        .map(|(n, key)| {
            let mut r = Random::new(0xb0d1e5 ^ (n as u64) << 8 ^ factor as u64);
            let mut windows = |factor: f64, truth: f64| -> Vec<f64> {
                (0..each).map(|_| window(key, &mut r, factor, truth, hours)).collect()
            };
            let (usual, attacked) = (windows(1.0, factor), windows(factor, factor));
            let band = BANDS.iter().position(|(low, high)| (*low..*high).contains(&key.rate)).unwrap_or(3);
            Ratios { band, usual, attacked }
        })
        .collect();
    let told = |of: &dyn Fn(&Ratios) -> bool, certain: usize| -> f64 {
        let pick = |list: fn(&Ratios) -> &Vec<f64>| -> Vec<f64> {
            ratios.iter().filter(|r| of(r)).flat_map(|r| list(r).iter().copied()).collect()
        };
        let (mut usual, attacked) = (pick(|r| &r.usual), pick(|r| &r.attacked));
        usual.sort_unstable_by(|a, b| b.total_cmp(a));
        // The keys that are told for nothing leave their share of the false episodes to the others.
        let windows = usual.len() + certain * each;
        let size = MOST_FALSE * hours as f64 / WEEK as f64;
        let threshold = usual.get((size * windows as f64).ceil() as usize).copied().unwrap_or(f64::MIN);
        let found = attacked.iter().filter(|ratio| **ratio >= threshold).count();
        (found + certain * each) as f64 / (attacked.len() + certain * each) as f64
    };
    let certain = keys.len() - ratios.len();
    let band = |n: usize| if BANDS[n].0 >= TOLD { 1.0 } else { told(&|r| r.band == n, 0) };
    Bound { all: told(&|_| true, certain), bands: [band(0), band(1), band(2), band(3)] }
}

/// The log likelihood ratio of some hours of made-up use.
fn window(key: &Key, r: &mut Random, factor: f64, truth: f64, hours: usize) -> f64 {
    let from = (r.unit() * (WEEK - ATTACK) as f64) as usize;
    (from..from + hours)
        .map(|h| {
            let mean = key.shape[h % WEEK];
            let burst = key.bursts && r.unit() < OFTEN;
            let mean_now = if burst { mean * r.between(4.0, 10.0) } else { mean };
            let n = r.uneven(mean_now, key.size) + r.poisson(key.rate * (factor - 1.0));
            likely(key, mean, n, key.rate * (truth - 1.0)) - likely(key, mean, n, 0.0)
        })
        .sum()
}

/// How often an hour holds a batch, for keys that have them.
const OFTEN: f64 = 2.0 / WEEK as f64;

/// The log likelihood of an hour's count, with a steady attack on top.
fn likely(key: &Key, mean: f64, n: u64, attack: f64) -> f64 {
    let one = |mean: f64| sum_of_two(n, mean, key.size, attack);
    if !key.bursts {
        return one(mean);
    }
    let mut parts = vec![(1.0 - OFTEN).ln() + one(mean)];
    parts.extend((0..12).map(|i| (OFTEN / 12.0).ln() + one(mean * (4.25 + 0.5 * f64::from(i)))));
    log_sum(&parts)
}

/// Of uneven use and a Poisson on top: the sum over all ways to come to `n`.
fn sum_of_two(n: u64, mean: f64, size: Option<f64>, attack: f64) -> f64 {
    let (Some(k), true) = (size, attack > 0.0) else {
        return log_likelihood(n as f64, mean + attack, size);
    };
    // Both parts by their recurrences, since this is asked millions of times.
    let mut part = k * (k / (k + mean)).ln() + n as f64 * attack.ln() - attack - ln_gamma(n as f64 + 1.0);
    let step = mean / ((k + mean) * attack);
    let parts: Vec<f64> = (0..=n)
        .map(|j| {
            let this = part;
            part += (step * (j as f64 + k) * (n - j) as f64 / (j as f64 + 1.0)).ln();
            this
        })
        .collect();
    log_sum(&parts)
}

fn log_sum(parts: &[f64]) -> f64 {
    let most = parts.iter().copied().fold(f64::MIN, f64::max);
    most + parts.iter().map(|part| (part - most).exp()).sum::<f64>().ln()
}

#[test]
fn likelihoods_add_up_to_one() {
    let mut key = Key::new(7, 3);
    for (size, bursts, attack) in [(None, false, 2.0), (Some(1.7), false, 3.0), (Some(4.0), true, 0.0)] {
        (key.size, key.bursts) = (size, bursts);
        let sum: f64 = (0..400).map(|n| likely(&key, 1.5, n, attack).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{size:?} {bursts} {attack}: {sum}");
    }
}
