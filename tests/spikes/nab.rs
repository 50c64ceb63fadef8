//! The labelled series of the Numenta Anomaly Benchmark with its own scores, if `KEYWHEEL_NAB` names a copy of it
//! (<https://github.com/numenta/NAB>, MIT). Its series are of all kinds, every five minutes, up and down; the watch is
//! made for counts, by the hour, and looks for more only. A row stands for an hour here.

use keywheel::usage::spike::{Baseline, Hour, Watch};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How often it learns anew, in rows, and from how many.
const ANEW: usize = 168;
const FROM: usize = 672;
/// Weights of the standard profile: a false alarm. Windows found and missed weigh one.
const FALSE: f64 = 0.11;

fn told(values: &[f64]) -> Vec<usize> {
    let mut hours: Vec<Hour> = values
        .iter()
        .enumerate()
        .map(|(n, v)| Hour { at: n as i64 * 3600, count: v.max(0.0).round() as u64, flagged: false })
        .collect();
    let probation = (values.len() * 15 / 100).min(750);
    let (mut watch, mut model, mut out) = (Watch::new(), None, Vec::new());
    for n in probation..hours.len() {
        if (n - probation).is_multiple_of(ANEW) {
            model = Baseline::fit(&hours[n.saturating_sub(FROM)..n]).or(model);
        }
        let Some(model) = &model else { continue };
        if watch.hour(model, hours[n].at, hours[n].count).is_some() {
            hours[n].flagged = true;
            out.push(n);
        }
    }
    out
}

/// NAB's scaled sigmoid: nearly 1 at the beginning of a window, 0 at its end, towards -1 behind it.
fn weight(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * position).exp()) - 1.0 }
}

/// The score of one series, and how many windows it has and how many were found.
fn score(told: &[usize], windows: &[(usize, usize)]) -> (f64, usize) {
    let (mut sum, mut found) = (0.0, 0);
    for (from, to) in windows {
        let width = (to - from + 1) as f64;
        match told.iter().find(|n| (*from..=*to).contains(n)) {
            Some(n) => {
                sum += weight(-((to - n + 1) as f64) / width) / weight(-1.0);
                found += 1;
            }
            None => sum -= 1.0,
        }
    }
    for n in told.iter().filter(|n| !windows.iter().any(|(from, to)| (from..=to).contains(n))) {
        let before = windows.iter().rfind(|(_, to)| to < n);
        let position = before.map_or(f64::INFINITY, |(from, to)| (n - to) as f64 / (to - from + 1) as f64);
        sum += FALSE * weight(position);
    }
    (sum, found)
}

#[test]
fn labelled_series_of_numenta() {
    let Ok(root) = std::env::var("KEYWHEEL_NAB") else {
        println!("skipped: KEYWHEEL_NAB names no copy of the Numenta Anomaly Benchmark");
        return;
    };
    let root = Path::new(&root);
    let text = fs::read_to_string(root.join("labels/combined_windows.json")).unwrap();
    let labels: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(&text).unwrap();
    let mut of_group: BTreeMap<String, (f64, usize, usize, usize)> = BTreeMap::new();
    for (name, spans) in &labels {
        let mut reader = csv::Reader::from_path(root.join("data").join(name)).unwrap();
        let rows: Vec<(String, f64)> = reader.deserialize().map(|r| r.unwrap()).collect();
        // Labels have fractions of a second, rows have none.
        let at =
            |text: &str| rows.iter().position(|(t, _)| t.as_str() >= &text[..19]).unwrap_or(rows.len() - 1);
        let windows: Vec<(usize, usize)> = spans.iter().map(|[from, to]| (at(from), at(to))).collect();
        let values: Vec<f64> = rows.iter().map(|(_, v)| *v).collect();
        let told = told(&values);
        let (sum, found) = score(&told, &windows);
        let group = name.split('/').next().unwrap().to_owned();
        let slot = of_group.entry(group).or_default();
        *slot = (slot.0 + sum, slot.1 + windows.len(), slot.2 + found, slot.3 + told.len());
    }
    let mut all = (0.0, 0, 0, 0);
    for (group, one) in of_group {
        println!("{group:22} {:6.1}  {} of {} windows, {} told", normal(one.0, one.1), one.2, one.1, one.3);
        all = (all.0 + one.0, all.1 + one.1, all.2 + one.2, all.3 + one.3);
    }
    println!("{:22} {:6.1}  {} of {} windows, {} told", "all", normal(all.0, all.1), all.2, all.1, all.3);
    assert_eq!(all.1, labels.values().map(Vec::len).sum::<usize>());
    assert!(all.2 > 0, "nothing is found at all");
}

/// 0 for telling nothing, 100 for telling all at once.
fn normal(sum: f64, windows: usize) -> f64 {
    let windows = windows as f64;
    if windows == 0.0 { 0.0 } else { 100.0 * (sum + windows) / (2.0 * windows) }
}

#[test]
fn the_score_is_numentas() {
    // From nab/tests: a detection at the window's beginning is worth 1, at its end nothing.
    assert!((score(&[10], &[(10, 19)]).0 - 1.0).abs() < 1e-9);
    assert!(score(&[19], &[(10, 19)]).0 < 0.26);
    assert_eq!(score(&[], &[(10, 19)]), (-1.0, 0));
    assert!((score(&[5], &[(10, 19)]).0 - (-1.0 - FALSE)).abs() < 1e-9);
}
