//! Findings of an earlier run, told again where nothing has changed: of each only the texts are read in
//! which it is told to stand, and nothing is searched for.

#[cfg(test)]
mod tests;

use super::{Collector, Draft, fingerprint, lock};
use crate::model::{
    Blob, Finding, Fingerprint, Kept, ObjectId, Occurrence, Provenance, Secret, Spot, Status, Validity,
};
use crate::scan::excerpt::{excerpt, hides};
use ahash::AHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Where in a history something was found.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// The objects that hold each value, those that are not listed among them.
    pub findings: BTreeMap<Fingerprint, BTreeSet<ObjectId>>,
    /// Objects of which something was not read.
    pub skipped: BTreeSet<ObjectId>,
}

impl Spread {
    /// The objects that are to be searched again: `first`, all that hold a value that is not `kept`, and
    /// all that share a value with one of these. Such values are kept no more, so that each is told in one
    /// of the two ways.
    pub fn searched(
        &self,
        first: BTreeSet<ObjectId>,
        kept: &mut BTreeMap<Fingerprint, Kept>,
    ) -> BTreeSet<ObjectId> {
        let mut all = first;
        loop {
            let before = all.len();
            for (print, objects) in &self.findings {
                if !kept.contains_key(print) || !objects.is_disjoint(&all) {
                    kept.remove(print);
                    all.extend(objects);
                }
            }
            if all.len() == before {
                return all;
            }
        }
    }
}

/// What is kept of a finding. `number` gives the number of the text of a place; `None` if one has none,
/// or is the member of an archive.
pub fn keep(finding: &Finding, number: &dyn Fn(&Provenance) -> Option<u32>) -> Option<Kept> {
    let spot = |o: &Occurrence| {
        Some(Spot {
            text: number(&o.provenance).filter(|_| o.provenance.members.is_empty())?,
            location: o.location,
            via: o.via.clone(),
            versions: o.versions,
            plain: o.via.is_empty() && o.partners.is_empty() && !hides(&o.excerpt),
        })
    };
    Some(Kept {
        fingerprint: finding.fingerprint.as_str().to_owned(),
        rule: finding.rule.id.clone(),
        also: finding.also.clone(),
        severity: finding.severity,
        confidence: finding.confidence,
        notes: finding.notes.clone(),
        spots: finding.occurrences.iter().map(spot).collect::<Option<_>>()?,
    })
}

/// Tells kept findings again.
pub struct Retelling<'a> {
    collector: &'a Collector,
    kept: &'a [Kept],
    /// Finding and spot, by the number of the text.
    spots: BTreeMap<u32, Vec<(usize, usize)>>,
    told: AHashMap<(usize, usize), (Secret, Occurrence)>,
}

impl<'a> Retelling<'a> {
    /// Nothing is told yet.
    pub fn new(collector: &'a Collector, kept: &'a [Kept]) -> Self {
        let mut spots: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
        for (f, finding) in kept.iter().enumerate() {
            for (s, spot) in finding.spots.iter().enumerate() {
                spots.entry(spot.text).or_default().push((f, s));
            }
        }
        Retelling { collector, kept, spots, told: AHashMap::new() }
    }

    /// The numbers of the texts that are to be read.
    pub fn texts(&self) -> BTreeSet<u32> {
        self.spots.keys().copied().collect()
    }

    /// Takes a text. What does not stand in it any more stays untold.
    pub fn text(&mut self, number: u32, provenance: &Arc<Provenance>, bytes: &[u8]) {
        let blob = Blob::whole(bytes, provenance.clone());
        let mut drafts: Option<Vec<Draft>> = None;
        for &(f, s) in self.spots.get(&number).map_or(&[][..], Vec::as_slice) {
            let (kept, spot) = (&self.kept[f], &self.kept[f].spots[s]);
            let found = match spot.plain {
                true => self.collector.plain(&blob, kept, spot),
                false => {
                    let drafts = drafts.get_or_insert_with(|| self.collector.every(&blob));
                    let same = |d: &&Draft| {
                        d.fingerprint.as_str() == kept.fingerprint
                            && d.occurrence.location == spot.location
                            && d.occurrence.via == spot.via
                    };
                    drafts.iter().find(same).map(|d| (d.found.secret.clone(), d.occurrence.clone()))
                }
            };
            if let Some((secret, occurrence)) = found {
                self.told.insert((f, s), (secret, Occurrence { versions: spot.versions, ..occurrence }));
            }
        }
    }

    /// Hands over the findings that stand in all their places; `true` if all do.
    pub fn finish(mut self) -> bool {
        let rules = self.collector.detector.rules();
        let mut findings = Vec::with_capacity(self.kept.len());
        for (f, kept) in self.kept.iter().enumerate() {
            let told: Option<Vec<_>> = (0..kept.spots.len()).map(|s| self.told.remove(&(f, s))).collect();
            let (Some(told), Some(kind), Some(fingerprint)) =
                (told, rules.position(&kept.rule), Fingerprint::parse(&kept.fingerprint))
            else {
                continue;
            };
            let (secrets, occurrences): (Vec<Secret>, Vec<Occurrence>) = told.into_iter().unzip();
            let Some(secret) = secrets.into_iter().next() else { continue };
            findings.push(Finding {
                fingerprint,
                rule: rules.reference(kind).clone(),
                also: kept.also.clone(),
                severity: kept.severity,
                confidence: kept.confidence,
                validity: Validity::default(),
                evidence: None,
                access: None,
                status: Status::New,
                secret,
                notes: kept.notes.clone(),
                occurrences,
            });
        }
        let mut state = lock(&self.collector.state);
        let all = findings.len() == self.kept.len()
            && findings.iter().all(|f| !state.places.contains_key(&f.fingerprint));
        state.kept = findings;
        all
    }
}

impl Collector {
    /// A place at which the bytes are the value, if they still are.
    fn plain(&self, blob: &Blob<'_>, kept: &Kept, spot: &Spot) -> Option<(Secret, Occurrence)> {
        let at = |byte: u64| usize::try_from(byte).ok();
        let span = at(spot.location.byte_start)?..at(spot.location.byte_end)?;
        let value = blob.bytes.get(span.clone())?;
        if fingerprint(&self.options.key, value).as_str() != kept.fingerprint {
            return None;
        }
        let secret = Secret::new(value);
        let occurrence = Occurrence {
            provenance: blob.provenance.clone(),
            location: spot.location,
            via: Vec::new(),
            excerpt: excerpt(blob.bytes, &span, std::slice::from_ref(&span), value, &secret.redacted()),
            partners: Vec::new(),
            suppression: self.inline(blob.bytes, &span),
            versions: spot.versions,
        };
        Some((secret, occurrence))
    }

    /// All that a search of a text finds.
    fn every(&self, blob: &Blob<'_>) -> Vec<Draft> {
        let mut work = lock(&self.idle).pop().unwrap_or_default();
        let name = blob.provenance.name().as_bytes();
        // Where the engine fails nothing is told again, and the search that follows counts the failure.
        let found = catch_unwind(AssertUnwindSafe(|| {
            self.detector.scan_until(blob.bytes, name, &|| self.interrupted(), &mut work)
        }));
        lock(&self.idle).push(work);
        self.drafts(blob, found.unwrap_or_default(), &(0..blob.bytes.len())).collect()
    }
}
