//! One finding a place: where rules overlap, the one that says most stays.

use super::engine::{Dropped, Found, Why};
use crate::model::{Class, Note};
use crate::rule::RuleSet;

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
/// The same value at the same place counts once; a generic finding gives way to a named one.
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
            a.secret == f.secret && rank(rules, a).0 >= rank(rules, f).0 || generic(f) && !generic(a)
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
