//! One finding a place: where rules overlap, the one that says most stays.

use super::engine::{Dropped, Found, Why, is_reported};
use crate::model::{Class, Encoding, Note};
use crate::rule::RuleSet;
use std::collections::{BTreeMap, HashMap};

/// How much a finding says; larger is better.
type Rank = (u8, bool, u8, usize, bool, usize, std::cmp::Reverse<usize>);

fn rank(rules: &RuleSet, f: &Found) -> Rank {
    let kind = &rules.kinds()[f.kind];
    let class = match kind.class {
        Class::Structured => 2,
        Class::Identifier => 1,
        Class::Generic => 0,
    };
    (
        class,
        f.notes.contains(&Note::ChecksumHolds),
        f.confidence as u8,
        kind.analysis.fixed,
        kind.context.is_some(),
        f.span.len(),
        std::cmp::Reverse(f.kind),
    )
}

/// Reduces the findings of one layer to those that do not overlap.
pub(crate) fn same_place(
    rules: &RuleSet,
    mut found: Vec<Found>,
    mut dropped: Option<&mut Vec<Dropped>>,
) -> Vec<Found> {
    found.sort_by_key(|f| (f.span.start, f.span.end, f.kind));
    let mut out: Vec<Found> = Vec::with_capacity(found.len());
    let mut cluster: Vec<Found> = Vec::new();
    let mut end = 0;
    let mut settle = |cluster: &mut Vec<Found>, out: &mut Vec<Found>| {
        cluster.sort_by_key(|f| std::cmp::Reverse(rank(rules, f)));
        let first = out.len();
        for f in cluster.drain(..) {
            match out[first..]
                .iter_mut()
                .find(|kept| kept.span.start < f.span.end && f.span.start < kept.span.end)
            {
                Some(kept) => {
                    if let Some(list) = dropped.as_mut() {
                        let why = Why::Merged(kept.kind);
                        list.push(Dropped { kind: f.kind, span: f.span.clone(), via: f.via.clone(), why });
                    }
                    if kept.kind != f.kind && !kept.also.contains(&f.kind) {
                        kept.also.push(f.kind);
                    }
                }
                None => out.push(f),
            }
        }
        out[first..].sort_by_key(|f| f.span.start);
    };
    for f in found {
        if f.span.start >= end {
            settle(&mut cluster, &mut out);
        }
        end = end.max(f.span.end);
        cluster.push(f);
    }
    settle(&mut cluster, &mut out);
    out
}

/// Adds what the layers below hold to the findings of a layer, which are sorted and do not overlap.
/// The same value at the same place counts once; a generic finding gives way to a named one. A rule that
/// matches with percent escapes, as in a URL, may match with them undone too, and end elsewhere then: its
/// value is what stands there, escapes and all.
pub(crate) fn layers(rules: &RuleSet, above: &mut Vec<Found>, mut below: Vec<Found>) {
    if below.is_empty() {
        return;
    }
    let generic = |f: &Found| rules.kinds()[f.kind].class == Class::Generic;
    below.sort_by(|a, b| {
        (a.span.start, a.span.end, a.kind, a.via.len()).cmp(&(b.span.start, b.span.end, b.kind, b.via.len()))
    });
    below.dedup_by(|b, a| a.span == b.span && a.kind == b.kind && a.secret == b.secret);
    let mut gone = vec![false; above.len()];
    below.retain(|f| {
        let from = above.partition_point(|a| a.span.end <= f.span.start);
        let to = above.partition_point(|a| a.span.start < f.span.end).max(from);
        let beaten = above[from..to].iter().any(|a| {
            let covers = a.span.start <= f.span.start && f.span.end <= a.span.end;
            let reads_again = covers && a.kind == f.kind && f.via.iter().all(|e| *e == Encoding::Percent);
            a.secret == f.secret && rank(rules, a).0 >= rank(rules, f).0
                || generic(f) && !generic(a)
                || reads_again
        });
        if !beaten && !generic(f) {
            (from..to).filter(|&i| generic(&above[i])).for_each(|i| gone[i] = true);
        }
        !beaten
    });
    let mut gone = gone.into_iter();
    above.retain(|_| !gone.next().unwrap_or(false));
    above.append(&mut below);
}

fn class(rules: &RuleSet, kind: usize) -> Class {
    rules.kinds()[kind].class
}

/// Findings of a line, before and after a generic one, that it may give way to: a line may hold very many.
const NEIGHBOURS: usize = 128;

/// Of what text rules found in a layer: a generic finding gives way where another rule names a value that
/// holds its own, on the same line.
pub(crate) fn unnamed(
    rules: &RuleSet,
    hay: &[u8],
    found: &mut Vec<Found>,
    mut dropped: Option<&mut Vec<Dropped>>,
) {
    let class = |f: &Found| rules.kinds()[f.kind].class;
    if !found.iter().any(|f| class(f) == Class::Generic) {
        return;
    }
    let mut line = (0, 0);
    found.sort_by_key(|f| (f.span.start, f.span.end, f.kind));
    let mut lines = Vec::with_capacity(found.len());
    for f in found.iter() {
        line = (line.0 + memchr::memchr_iter(b'\n', &hay[line.1..f.span.start]).count(), f.span.start);
        lines.push(line.0);
    }
    let mut named: HashMap<usize, Vec<usize>> = HashMap::new();
    for (i, _) in found.iter().enumerate().filter(|(_, f)| class(f) == Class::Structured) {
        named.entry(lines[i]).or_default().push(i);
    }
    let better = |i: usize| {
        let value = found[i].secret.expose();
        let others = named.get(&lines[i]).filter(|_| class(&found[i]) == Class::Generic)?;
        let next = others.partition_point(|&o| o < i);
        let near = &others[next.saturating_sub(NEIGHBOURS)..others.len().min(next + NEIGHBOURS)];
        let holds = |&&o: &&usize| memchr::memmem::find(found[o].secret.expose(), value).is_some();
        near.iter().find(holds).map(|&o| found[o].kind)
    };
    let gone: Vec<Option<usize>> = (0..found.len()).map(better).collect();
    let mut gone = gone.into_iter();
    found.retain(|f| {
        let by = gone.next().flatten();
        if let (Some(kind), Some(list)) = (by, dropped.as_mut()) {
            let why = Why::Merged(kind);
            list.push(Dropped { kind: f.kind, span: f.span.clone(), via: f.via.clone(), why });
        }
        by.is_none()
    });
}

/// Adds what text rules found to all else. One finding stays of the same value at the same place, and
/// what stands in a layer is left out where its rule finds the value in the layer above.
pub(crate) fn texts(
    rules: &RuleSet,
    found: &mut Vec<Found>,
    mut texts: Vec<Found>,
    mut dropped: Option<&mut Vec<Dropped>>,
) {
    texts.sort_by_key(|f| (f.via.len(), f.span.start, f.span.end, std::cmp::Reverse(rank(rules, f))));
    let mut places: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
    for (i, f) in found.iter().enumerate() {
        places.entry((f.span.start, f.span.end)).or_default().push(i);
    }
    // Where each rule has found each value in the layers above.
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    let mut above: HashMap<(usize, u64), BTreeMap<usize, (usize, usize)>> = HashMap::new();
    for mut f in texts {
        // What is not reported must not stand for what is.
        if !is_reported(class(rules, f.kind)) {
            found.push(f);
            continue;
        }
        let place = places.entry((f.span.start, f.span.end)).or_default();
        let known = above.entry((f.kind, hasher.hash_one(f.secret.expose()))).or_default();
        let same = |&i: &usize| found[i].secret == f.secret && is_reported(class(rules, found[i].kind));
        let same = place.iter().copied().find(same);
        let near = known.range(..f.span.end).next_back().filter(|(_, (end, _))| *end > f.span.start);
        let repeated = !f.via.is_empty() && near.is_some_and(|(_, (_, i))| found[*i].secret == f.secret);
        match same {
            Some(i) => {
                let kind = found[i].kind;
                found[i].confidence = found[i].confidence.max(f.confidence);
                found[i].severity = found[i].severity.max(f.severity);
                found[i].notes.append(&mut f.notes);
                if kind != f.kind && !found[i].also.contains(&f.kind) {
                    found[i].also.push(f.kind);
                    if let Some(list) = dropped.as_mut() {
                        let why = Why::Merged(kind);
                        list.push(Dropped { kind: f.kind, span: f.span.clone(), via: f.via.clone(), why });
                    }
                }
                known.insert(f.span.start, (f.span.end, i));
            }
            None if repeated => {}
            None => {
                place.push(found.len());
                known.insert(f.span.start, (f.span.end, found.len()));
                found.push(f);
            }
        }
    }
}
