//! The engine against a reference that has no gate, no window and no block: every pattern over the
//! whole of every buffer, by the `regex` crate. Whatever differs is a lost or an invented match.
//!
//! Two things are the engine's contract and therefore the reference's too:
//! - a rule that is gated by a required partner is looked for only around matches of that partner,
//!   as far away as `bytes` and its own longest match allow;
//! - a rule that rests on its paths alone is not part of `Detector::raw`, which knows no path.
//!
//! `KEYWHEEL_BATTERY=full` runs 100,000 buffers; `KEYWHEEL_CORPUS=folder:folder` names real source,
//! of which `KEYWHEEL_CORPUS_MB` are read at the most.

// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

mod buffers;
mod reference;

use buffers::{buffer, examples};
use keywheel::detect::Workspace;
use keywheel::rule::analyse::Gate;
use rayon::prelude::*;
use reference::{Pair, Searched};
use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn judge(what: &str, start: Instant, bytes: usize, matches: usize, faults: &[String]) {
    let (seconds, mb) = (start.elapsed().as_secs_f64(), bytes as f64 / 1e6);
    println!("{what}: {mb:.1} MB, {matches} matches, {} inequalities, {seconds:.0} s", faults.len());
    assert!(faults.is_empty(), "{what}: {} inequalities\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn generated_buffers_give_the_same() {
    const BATCH: usize = 2000;
    let full = env::var("KEYWHEEL_BATTERY").is_ok_and(|v| v == "full");
    let (pair, examples, start) = (Pair::new(), examples(), Instant::now());
    let kinds = pair.naive.rules.kinds();
    let count = if full { 100_000 } else { 3_000 };
    let (mut bytes, mut matches, mut faults, mut seen) = (0, 0, Vec::new(), BTreeSet::new());
    for first in (0..count).step_by(BATCH) {
        let make = |work: &mut Workspace, n: usize| {
            let hay = buffer(n, &examples);
            let raws = pair.detector.raw(&hay, work);
            (format!("buffer {n}"), hay, raws)
        };
        let batch: Vec<_> =
            (first..count.min(first + BATCH)).into_par_iter().map_init(Workspace::default, make).collect();
        bytes += batch.iter().map(|(_, hay, _)| hay.len()).sum::<usize>();
        matches += batch.iter().map(|(_, _, raws)| raws.len()).sum::<usize>();
        seen.extend(batch.iter().flat_map(|(_, _, raws)| raws.iter().map(|r| r.kind)));
        faults.extend(pair.compare(&batch));
    }
    let unseen: Vec<&str> = (0..kinds.len())
        .filter(|k| !seen.contains(k) && kinds[*k].analysis.gate != Gate::Path)
        .map(|k| kinds[k].id.as_str())
        .collect();
    judge(&format!("{count} generated buffers"), start, bytes, matches, &faults);
    assert!(unseen.is_empty(), "no buffer holds a match of {unseen:?}");
}

/// The files of the named folders, or of this repository and what cargo has unpacked nearby.
fn corpus() -> (Vec<PathBuf>, u64) {
    let roots: Vec<PathBuf> = match env::var_os("KEYWHEEL_CORPUS") {
        Some(list) => env::split_paths(&list).collect(),
        None => {
            let own = Path::new(env!("CARGO_MANIFEST_DIR"));
            let home = env::var_os("CARGO_HOME").map(PathBuf::from);
            let cargo = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
            let mut roots: Vec<_> = ["src", "rules", "docs", "tests"].map(|d| own.join(d)).into();
            roots.extend(cargo.map(|c| c.join("registry/src")).filter(|c| c.is_dir()));
            roots
        }
    };
    let most = env::var("KEYWHEEL_CORPUS_MB").ok().and_then(|n| n.parse().ok());
    let most = most.unwrap_or(if env::var_os("KEYWHEEL_CORPUS").is_some() { 400 } else { 8 });
    let mut files = Vec::new();
    for root in roots {
        let walk = ignore::WalkBuilder::new(root).standard_filters(false).sort_by_file_name(Ord::cmp).build();
        files.extend(walk.filter_map(|e| e.ok()).filter(|e| e.file_type().is_some_and(|t| t.is_file())));
    }
    (files.into_iter().map(ignore::DirEntry::into_path).collect(), most << 20)
}

#[test]
fn real_source_gives_the_same() {
    const BATCH: usize = 48 << 20;
    let (files, most) = corpus();
    let (pair, start) = (Pair::new(), Instant::now());
    let (mut bytes, mut matches, mut faults) = (0, 0, Vec::new());
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() && (bytes as u64) < most {
        let (mut batch, mut size) = (Vec::new(), 0);
        while size < BATCH
            && ((bytes + size) as u64) < most
            && let Some(path) = files.next()
        {
            let text = std::fs::read(&path).unwrap_or_default();
            size += text.len();
            batch.push((path.display().to_string(), text));
        }
        let search = |work: &mut Workspace, (name, text): (String, Vec<u8>)| {
            let raws = pair.detector.raw(&text, work);
            (name, text, raws)
        };
        let batch: Vec<Searched> = batch.into_par_iter().map_init(Workspace::default, search).collect();
        matches += batch.iter().map(|(_, _, raws)| raws.len()).sum::<usize>();
        faults.extend(pair.compare(&batch));
        bytes += size;
        eprintln!(
            "{} MB, {matches} matches, {} inequalities, {:?}",
            bytes >> 20,
            faults.len(),
            start.elapsed()
        );
    }
    judge("real source", start, bytes, matches, &faults);
}
