//! What else is used for this: mean and standard deviation, median and median deviation, an exponentially weighted
//! mean. Each is given the same limit on false episodes, by the seeds of the limits.

use super::sample::{TRAINING, WEEK};

/// A score of each hour of the test; the higher, the odder.
pub(crate) type Scores = fn(&[u64]) -> Vec<f64>;

pub(crate) const RIVALS: [(&str, Scores); 3] = [("mean/sd", mean_sd), ("median/MAD", mad), ("EWMA", ewma)];

fn training(seen: &[u64]) -> Vec<f64> {
    seen[..TRAINING * WEEK].iter().map(|n| *n as f64).collect()
}

fn tests(seen: &[u64]) -> impl Iterator<Item = f64> + '_ {
    seen[TRAINING * WEEK..].iter().map(|n| *n as f64)
}

fn spread(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt().max(0.1))
}

fn mean_sd(seen: &[u64]) -> Vec<f64> {
    let (mean, sd) = spread(&training(seen));
    tests(seen).map(|n| (n - mean) / sd).collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn mad(seen: &[u64]) -> Vec<f64> {
    let mut values = training(seen);
    let middle = median(&mut values);
    let mut off: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
    let mad = (1.4826 * median(&mut off)).max(0.5);
    tests(seen).map(|n| (n - middle) / mad).collect()
}

fn ewma(seen: &[u64]) -> Vec<f64> {
    const WEIGHT: f64 = 0.3;
    let (mean, sd) = spread(&training(seen));
    let sd = sd * (WEIGHT / (2.0 - WEIGHT)).sqrt();
    let mut at = mean;
    tests(seen)
        .map(|n| {
            at += WEIGHT * (n - at);
            (at - mean) / sd
        })
        .collect()
}
