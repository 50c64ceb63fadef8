//! Several scans told as one.

use super::collect::{Outcome, sort};
use crate::model::{Finding, Fingerprint, Origin, Provenance, RawPath, Status};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Joins the outcomes of several scans by value. Each path begins with the name that stands with its
/// outcome. A value that counts in one of them counts.
pub fn join(parts: Vec<(RawPath, Outcome)>) -> Outcome {
    let mut all = Outcome::default();
    let mut findings: BTreeMap<Fingerprint, Finding> = BTreeMap::new();
    for (name, part) in parts {
        for mut finding in part.findings {
            for occurrence in &mut finding.occurrences {
                occurrence.provenance = Arc::new(below(&name, &occurrence.provenance));
            }
            match findings.remove(&finding.fingerprint) {
                Some(known) => drop(findings.insert(finding.fingerprint.clone(), both(known, finding))),
                None => drop(findings.insert(finding.fingerprint.clone(), finding)),
            }
        }
        let mut coverage = part.coverage;
        for skipped in &mut coverage.list {
            skipped.provenance = below(&name, &skipped.provenance);
        }
        all.coverage.merge(coverage);
        all.near.extend(part.near);
        all.ranked.extend(part.ranked);
    }
    all.coverage.settle();
    all.findings = findings.into_values().collect();
    sort(&mut all.findings);
    all
}

/// One value in two scans: the surer of the two names it.
fn both(a: Finding, b: Finding) -> Finding {
    let fit = |f: &Finding| (f.rule.class, f.confidence, f.severity);
    let (mut main, other) = if fit(&b) > fit(&a) { (b, a) } else { (a, b) };
    main.also.push(other.rule.id.clone());
    main.also.extend(other.also);
    main.also.sort();
    main.also.dedup();
    main.also.retain(|id| *id != main.rule.id);
    main.severity = main.severity.max(other.severity);
    main.confidence = main.confidence.max(other.confidence);
    main.notes.extend(other.notes);
    main.notes.sort();
    main.notes.dedup();
    main.occurrences.extend(other.occurrences);
    main.occurrences.sort_by(|a, b| (&a.provenance, &a.location).cmp(&(&b.provenance, &b.location)));
    if weight(&other.status) > weight(&main.status) {
        main.status = other.status;
    }
    main
}

fn weight(status: &Status) -> u8 {
    match status {
        Status::New => 3,
        Status::Reopened => 2,
        Status::Known(_) => 1,
        Status::Suppressed(_) => 0,
    }
}

fn below(name: &RawPath, provenance: &Provenance) -> Provenance {
    let path = |path: &RawPath| RawPath::new(&[name.as_bytes(), b"/", path.as_bytes()].concat());
    let origin = provenance.origin.as_deref().map(|origin| {
        let also_at = origin.also_at.iter().map(path).collect();
        Arc::new(Origin { also_at, ..origin.clone() })
    });
    Provenance { path: path(&provenance.path), members: provenance.members.clone(), origin }
}
