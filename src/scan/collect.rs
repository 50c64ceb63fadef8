//! The sink at the end of a scan: each blob is searched, and what is found is joined by value.

mod kept;
mod sink;

use super::baseline::{Allow, Baseline};
use super::excerpt::excerpt;
use super::fold;
use super::inline::marker;
use super::locate::Locator;
use crate::detect::{Detector, Found, Ranked, Why, Workspace, is_reported};
use crate::model::{
    Blob, By, Class, Confidence, Coverage, Encoding, Finding, Fingerprint, FingerprintKey, Location, Note,
    Occurrence, Partner, Provenance, Role, Severity, Sink, SkipReason, Skipped, Status, Suppression,
    Validity,
};
use ahash::{AHashMap, AHashSet};
pub use kept::{Retelling, Spread, keep};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How a scan treats what it finds.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Key of the fingerprints.
    pub key: FingerprintKey,
    /// Whether comments in the scanned text may accept findings.
    pub inline_allow: bool,
    /// Accepted findings.
    pub baseline: Baseline,
    /// Accepted rules, values and paths.
    pub allow: Vec<Allow>,
    /// Today, `YYYY-MM-DD`, for expiry dates.
    pub today: String,
    /// Whether dropped candidates are kept and told.
    pub explain: bool,
    /// When to stop, if there is a budget.
    pub deadline: Option<Instant>,
    /// What first looks pass over: findings less sure than this. Without it no first looks are taken.
    pub floor: Option<Confidence>,
}

/// A candidate that came near and was dropped.
#[derive(Clone, Debug)]
pub struct NearMiss {
    /// The rule's id.
    pub rule: String,
    /// Where.
    pub provenance: Arc<Provenance>,
    /// The span.
    pub location: Location,
    /// Layers undone.
    pub via: Vec<Encoding>,
    /// The filter's word.
    pub reason: String,
    /// A sentence on it.
    pub detail: String,
}

/// A ranked candidate that was kept, and what decided.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// The rule's id.
    pub rule: String,
    /// Where.
    pub provenance: Arc<Provenance>,
    /// The span.
    pub location: Location,
    /// Layers undone.
    pub via: Vec<Encoding>,
    /// What the score comes to.
    pub confidence: Confidence,
    /// Thousandths of the logarithm of the odds.
    pub points: i32,
    /// The features that decided, in words, with their points; weightiest first.
    pub why: Vec<(&'static str, i32)>,
}

/// What a scan gives.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Everything found, worst first.
    pub findings: Vec<Finding>,
    /// What was read and what was not.
    pub coverage: Coverage,
    /// With `explain`: what was dropped, by place.
    pub near: Vec<NearMiss>,
    /// With `explain`: what was ranked and kept, by place.
    pub ranked: Vec<Ranking>,
}

/// Searches what sources push. One for a scan, shared by all threads.
pub struct Collector {
    detector: Arc<Detector>,
    options: Options,
    idle: Mutex<Vec<Workspace>>,
    state: Mutex<State>,
    stop: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Where in `findings` each value stands. Findings are large, and a table keeps room to spare.
    places: AHashMap<Fingerprint, usize>,
    findings: Vec<(Finding, Fit)>,
    /// Findings of an earlier run that are told again as they were.
    kept: Vec<Finding>,
    coverage: Coverage,
    near: Vec<NearMiss>,
    ranked: Vec<Ranking>,
    /// Values that stand in an old side of the change: they are not new.
    old: AHashSet<Fingerprint>,
    /// Values that stand in what the change leaves alone.
    base: AHashSet<Fingerprint>,
}

/// How well a rule names a value at a place; the best over all places names the finding. What the rules
/// leave open the places decide, the outermost layer and the first in order, so that a finding is named
/// by the place that is shown first, whatever order the threads came in.
type Fit =
    (Class, Confidence, Severity, usize, bool, Reverse<(usize, Arc<Provenance>, Location)>, Reverse<usize>);

/// Most drafts that a thread holds.
const DRAFTS: usize = 256;

/// An occurrence on its way to its finding.
struct Draft {
    found: Found,
    fingerprint: Fingerprint,
    occurrence: Occurrence,
}

impl Collector {
    /// Prepares a scan.
    pub fn new(detector: impl Into<Arc<Detector>>, options: Options) -> Self {
        Collector {
            detector: detector.into(),
            options,
            idle: Mutex::default(),
            state: Mutex::default(),
            stop: AtomicBool::new(false),
        }
    }

    /// Asks the sources to stop; what they have not read is counted.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped or ran out of its budget.
    pub fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Blobs and bytes read so far, for progress.
    pub fn progress(&self) -> (u64, u64) {
        let state = lock(&self.state);
        (state.coverage.blobs, state.coverage.bytes)
    }

    /// The values that were found so far, whether they are reported or not.
    pub fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        let state = lock(&self.state);
        state.findings.iter().map(|(f, _)| f).chain(&state.kept).map(|f| f.fingerprint.clone()).collect()
    }

    /// Where in a history something was found so far, whether it is reported or not, and of what something
    /// was not read: an account without that would be another.
    pub fn spread(&self) -> Spread {
        let state = lock(&self.state);
        let object = |p: &Provenance| Some(p.origin.as_ref()?.object);
        let of = |f: &Finding| f.occurrences.iter().filter_map(|o| object(&o.provenance)).collect();
        Spread {
            findings: state.findings.iter().map(|(f, _)| (f.fingerprint.clone(), of(f))).collect(),
            skipped: state.coverage.list.iter().filter_map(|s| object(&s.provenance)).collect(),
        }
    }

    /// The result, in an order that depends on the input alone.
    pub fn finish(self) -> Outcome {
        let State { findings, kept, mut coverage, mut near, mut ranked, old, base, .. } =
            self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        coverage.settle();
        let mut findings: Vec<Finding> = findings.into_iter().map(|(f, _)| f).collect();
        for f in &mut findings {
            f.occurrences.sort_by(|a, b| {
                (&a.provenance, &a.location, a.via.len(), &a.via).cmp(&(
                    &b.provenance,
                    &b.location,
                    b.via.len(),
                    &b.via,
                ))
            });
            // Key material with its line breaks escaped is seen as it stands and again with them undone.
            f.occurrences.dedup_by(|b, a| a.provenance == b.provenance && a.location == b.location);
            fold::versions(&mut f.occurrences);
            f.also.sort();
            f.also.dedup();
            f.status = status(f, &self.options, &old);
            if f.status == Status::New && base.contains(&f.fingerprint) {
                f.notes.push(Note::Copied);
            }
        }
        findings.extend(kept.into_iter().map(|f| Finding { status: status(&f, &self.options, &old), ..f }));
        sort(&mut findings);
        near.sort_by(|a, b| {
            (&a.provenance, &a.location, &a.rule).cmp(&(&b.provenance, &b.location, &b.rule))
        });
        ranked.sort_by(|a, b| {
            (&a.provenance, &a.location, &a.rule).cmp(&(&b.provenance, &b.location, &b.rule))
        });
        Outcome { findings, coverage, near, ranked }
    }

    fn search(&self, blob: &Blob<'_>) {
        let mut work = lock(&self.idle).pop().unwrap_or_default();
        work.dropped = self.options.explain.then(Vec::new);
        let name = blob.provenance.name().as_bytes();
        let found = self.detector.scan_until(blob.bytes, name, &|| self.stopped(), &mut work);
        let cut = work.cut;
        let dropped = work.dropped.take().unwrap_or_default();
        let ranked = std::mem::take(&mut work.ranked);
        lock(&self.idle).push(work);
        if blob.role != Role::New {
            let key = &self.options.key;
            let values = found.iter().filter(|f| self.reports(f));
            let old: Vec<_> = values.map(|f| fingerprint(key, f.secret.expose())).collect();
            let mut state = lock(&self.state);
            return if blob.role == Role::Old { &mut state.old } else { &mut state.base }.extend(old);
        }
        let owned = blob.part.lead..blob.bytes.len().saturating_sub(blob.part.trail).max(blob.part.lead);
        self.keep_all(blob, found, &owned);
        let mut locator = Locator::new(blob.bytes, blob.part);
        let near: Vec<NearMiss> = dropped
            .into_iter()
            .filter(|d| owned.contains(&d.span.start))
            .map(|d| self.near(d.kind, &d.span, d.via, d.why, blob, &mut locator))
            .collect();
        let ranked: Vec<Ranking> = ranked
            .into_iter()
            .filter(|r| owned.contains(&r.span.start))
            .map(|r| self.ranking(r, blob, &mut locator))
            .collect();
        let mut state = lock(&self.state);
        if !blob.counted {
            state.coverage.bytes += owned.len() as u64;
            state.coverage.blobs += u64::from(blob.part.base == 0);
        }
        state.near.extend(near);
        state.ranked.extend(ranked);
        drop(state);
        if cut {
            let detail = format!("stopped within {} bytes from byte {}", blob.bytes.len(), blob.part.base);
            self.skipped(Skipped {
                provenance: (*blob.provenance).clone(),
                reason: SkipReason::Budget,
                detail,
            });
        }
    }

    /// Keeps what was found, a few at a time: a draft takes several times the room of what it is made
    /// of, and is made without the lock.
    fn keep_all(&self, blob: &Blob<'_>, found: Vec<Found>, owned: &Range<usize>) {
        if found.is_empty() {
            return;
        }
        let mut drafts = self.drafts(blob, found, owned);
        loop {
            let some: Vec<Draft> = drafts.by_ref().take(DRAFTS).collect();
            if some.is_empty() {
                return;
            }
            let mut state = lock(&self.state);
            for draft in some {
                self.keep(&mut state, draft);
            }
        }
    }

    fn drafts(
        &self,
        blob: &Blob<'_>,
        found: Vec<Found>,
        owned: &Range<usize>,
    ) -> impl Iterator<Item = Draft> {
        let mut spans: Vec<Range<usize>> =
            found.iter().filter(|f| self.reports(f)).map(|f| f.span.clone()).collect();
        spans.extend(found.iter().flat_map(|f| f.parts.iter().map(|p| p.span.clone())));
        spans.sort_by_key(|s| (s.start, s.end));
        spans.dedup_by(|next, kept| {
            let joined = next.start <= kept.end;
            if joined {
                kept.end = kept.end.max(next.end);
            }
            joined
        });
        let mut locator = Locator::new(blob.bytes, blob.part);
        found.into_iter().filter_map(move |found| {
            if !self.reports(&found) || !owned.contains(&found.span.start) {
                return None;
            }
            let location = locator.locate(&found.span);
            let value = found.secret.expose();
            let partners = found
                .parts
                .iter()
                .map(|p| Partner {
                    name: p.name.clone(),
                    value: p.value.clone(),
                    line: locator.locate(&p.span).line,
                })
                .collect();
            let occurrence = Occurrence {
                provenance: blob.provenance.clone(),
                location,
                via: found.via.clone(),
                excerpt: excerpt(blob.bytes, &found.span, &spans, value, &found.secret.redacted()),
                partners,
                suppression: self.inline(blob.bytes, &found.span),
                versions: 1,
            };
            let fingerprint = fingerprint(&self.options.key, value);
            Some(Draft { found, fingerprint, occurrence })
        })
    }

    fn reports(&self, found: &Found) -> bool {
        is_reported(self.detector.rules().kinds()[found.kind].class)
    }

    fn inline(&self, bytes: &[u8], span: &Range<usize>) -> Option<crate::model::Suppression> {
        if !self.options.inline_allow {
            return None;
        }
        // On a line without end a comment far away speaks of something else.
        let from = span.start.saturating_sub(4096);
        let to = bytes.len().min(span.end + 4096);
        let from = memchr::memrchr(b'\n', &bytes[from..span.start]).map_or(from, |n| from + n + 1);
        let to = memchr::memchr(b'\n', &bytes[span.end..to]).map_or(to, |n| span.end + n);
        marker(&bytes[from..span.start], &self.options.today)
            .or_else(|| marker(&bytes[span.end..to], &self.options.today))
    }

    fn near(
        &self,
        kind: usize,
        span: &Range<usize>,
        via: Vec<Encoding>,
        why: Why,
        blob: &Blob<'_>,
        at: &mut Locator<'_>,
    ) -> NearMiss {
        let rules = self.detector.rules();
        let (reason, detail) = match why {
            Why::Filter(reason) => (reason.as_str().to_owned(), reason.sentence().to_owned()),
            Why::NoPartner => {
                ("no-partner".to_owned(), "a part that the credential needs is not near".to_owned())
            }
            Why::Merged(other) => {
                ("merged".to_owned(), format!("`{}` says more about the same value", rules.kinds()[other].id))
            }
        };
        let rule = rules.kinds()[kind].id.clone();
        NearMiss { rule, provenance: blob.provenance.clone(), location: at.locate(span), via, reason, detail }
    }

    fn ranking(&self, ranked: Ranked, blob: &Blob<'_>, at: &mut Locator<'_>) -> Ranking {
        Ranking {
            rule: self.detector.rules().kinds()[ranked.kind].id.clone(),
            provenance: blob.provenance.clone(),
            location: at.locate(&ranked.span),
            via: ranked.via,
            confidence: ranked.score.confidence(),
            points: ranked.score.0,
            why: ranked.why.into_iter().map(|(feature, points)| (feature.sentence(), points)).collect(),
        }
    }

    fn fit(&self, found: &Found, at: &Occurrence) -> Fit {
        let kind = &self.detector.rules().kinds()[found.kind];
        let place = Reverse((at.via.len(), at.provenance.clone(), at.location));
        let context = kind.context.is_some();
        let order = Reverse(found.kind);
        (kind.class, found.confidence, found.severity, kind.analysis.fixed, context, place, order)
    }

    fn keep(&self, state: &mut State, draft: Draft) {
        let rules = self.detector.rules();
        let Draft { found, fingerprint, occurrence } = draft;
        let id = |kind: usize| rules.kinds()[kind].id.clone();
        let fit = self.fit(&found, &occurrence);
        let fresh = Finding {
            fingerprint: fingerprint.clone(),
            rule: rules.reference(found.kind).clone(),
            also: found.also.iter().map(|&k| id(k)).collect(),
            severity: found.severity,
            confidence: found.confidence,
            validity: Validity::default(),
            evidence: None,
            access: None,
            status: Status::New,
            secret: found.secret,
            notes: found.notes,
            occurrences: vec![occurrence],
        };
        match state.places.entry(fingerprint) {
            std::collections::hash_map::Entry::Vacant(slot) => {
                slot.insert(state.findings.len());
                state.findings.push((fresh, fit));
            }
            std::collections::hash_map::Entry::Occupied(slot) => {
                let (known, best) = &mut state.findings[*slot.get()];
                let mut other = fresh;
                if fit > *best {
                    *best = fit;
                    std::mem::swap(known, &mut other);
                }
                known.also.push(other.rule.id.clone());
                known.also.append(&mut other.also);
                let own = known.rule.id.clone();
                known.also.retain(|a| *a != own);
                known.also.sort();
                known.also.dedup();
                known.severity = known.severity.max(other.severity);
                known.confidence = known.confidence.max(other.confidence);
                known.occurrences.append(&mut other.occurrences);
                known.notes.append(&mut other.notes);
                known.notes.sort();
                known.notes.dedup();
            }
        }
    }
}

/// Puts findings in their final order: worst first.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let place = |f: &Finding| (f.occurrences[0].provenance.clone(), f.occurrences[0].location);
        (b.severity, b.confidence)
            .cmp(&(a.severity, a.confidence))
            .then_with(|| place(a).cmp(&place(b)))
            .then_with(|| a.fingerprint.cmp(&b.fingerprint))
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn status(finding: &Finding, options: &Options, old: &AHashSet<Fingerprint>) -> Status {
    if let Some(s) = options.baseline.knows(&finding.fingerprint, &options.today) {
        return Status::Known(s);
    }
    if let Some(s) = options.allow.iter().find_map(|a| a.accepts(finding, &options.today)) {
        return Status::Suppressed(s);
    }
    // One unmarked place is enough to count.
    if finding.occurrences.iter().all(|o| o.suppression.is_some())
        && let Some(s) = finding.occurrences.first().and_then(|o| o.suppression.clone())
    {
        return Status::Suppressed(s);
    }
    if old.contains(&finding.fingerprint) {
        return Status::Known(Suppression {
            by: By::Old,
            reason: "it stood there before this change".to_owned(),
            owner: String::new(),
            until: String::new(),
        });
    }
    Status::New
}

/// The fingerprint of a secret as it stands in a text.
pub fn fingerprint(key: &FingerprintKey, secret: &[u8]) -> Fingerprint {
    key.fingerprint(&normalised(secret))
}

/// The form of a secret that its fingerprint is made of: key material by its bytes, whatever the
/// line breaks around them; anything else as it is.
fn normalised(secret: &[u8]) -> Vec<u8> {
    if !secret.starts_with(b"-----BEGIN") {
        return secret.to_vec();
    }
    // Escaped line breaks in a string are line breaks that were not undone there.
    let text = String::from_utf8_lossy(secret).replace("\\n", "\n").replace("\\r", "");
    let body: String = text.lines().filter(|l| !l.trim().starts_with("-----") && !l.contains(':')).collect();
    body.bytes().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).collect()
}
