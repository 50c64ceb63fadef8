//! Plain words for numbers and for what a scan covered, shared by the formats that people read.

use super::{Report, Veil};
use crate::model::{By, Checks, Coverage, Finding, Past, Scope, Severity, SkipReason, Status, Validity};
use std::collections::BTreeMap;

/// How many findings of which kind a report holds.
#[derive(Default)]
pub(super) struct Tally {
    /// Findings, by severity.
    pub(super) severity: BTreeMap<Severity, u64>,
    /// Places where they stand.
    pub(super) places: u64,
    /// Findings that nothing accepts and that were not seen before.
    pub(super) new: u64,
    /// Findings that were gone and are here again.
    pub(super) reopened: u64,
    /// Findings that are no news, by mechanism.
    pub(super) known: BTreeMap<By, u64>,
    /// Suppressed findings, by mechanism.
    pub(super) suppressed: BTreeMap<By, u64>,
    /// Findings that were proved to work.
    pub(super) active: u64,
    /// Findings about which somebody was asked, in vain.
    pub(super) unknown: u64,
    /// Accepted places of findings that stand elsewhere too, and there count.
    pub(super) accepted_places: u64,
}

impl Tally {
    /// Counts.
    pub(super) fn of(findings: &[Finding]) -> Self {
        let mut t = Tally::default();
        for f in findings {
            *t.severity.entry(f.severity).or_default() += 1;
            t.places += f.occurrences.len() as u64;
            t.active += u64::from(f.validity.is_active());
            t.unknown += u64::from(matches!(f.validity, Validity::Unknown(_)));
            match &f.status {
                Status::New | Status::Reopened => {
                    t.new += u64::from(f.status == Status::New);
                    t.reopened += u64::from(f.status == Status::Reopened);
                    t.accepted_places +=
                        f.occurrences.iter().filter(|o| o.suppression.is_some()).count() as u64;
                }
                Status::Known(s) => *t.known.entry(s.by).or_default() += 1,
                Status::Suppressed(s) => *t.suppressed.entry(s.by).or_default() += 1,
            }
        }
        t
    }

    /// How many are known.
    pub(super) fn known(&self) -> u64 {
        self.known.values().sum()
    }

    /// How many are suppressed.
    pub(super) fn suppressed(&self) -> u64 {
        self.suppressed.values().sum()
    }

    /// `2 critical, 1 low`, worst first; empty if there are none.
    pub(super) fn severities(&self) -> String {
        list(self.severity.iter().rev().map(|(s, n)| format!("{n} {s}")))
    }

    /// `3 new, 1 known (baseline), 2 suppressed (inline 1, config 1)`.
    pub(super) fn standing(&self) -> String {
        let mut parts = vec![format!("{} new", self.new)];
        if self.reopened > 0 {
            parts.push(format!("{} reopened", self.reopened));
        }
        if let [(by, n)] = self.known.iter().collect::<Vec<_>>()[..] {
            parts.push(format!("{n} known ({})", by.as_str()));
        } else if !self.known.is_empty() {
            let by = list(self.known.iter().map(|(by, n)| format!("{} {n}", by.as_str())));
            parts.push(format!("{} known ({by})", self.known()));
        }
        if !self.suppressed.is_empty() {
            let by = list(self.suppressed.iter().map(|(by, n)| format!("{} {n}", by.as_str())));
            parts.push(format!("{} suppressed ({by})", self.suppressed()));
        }
        if self.active > 0 {
            parts.push(format!("{} proved active", self.active));
        }
        if self.unknown > 0 {
            parts.push(format!("{} of unknown validity", self.unknown));
        }
        if self.accepted_places > 0 {
            parts.push(format!("{} of the new ones accepted", count(self.accepted_places, "place")));
        }
        parts.join(", ")
    }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// `1 finding`, `2 findings`.
pub(super) fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// `512 bytes`, `3.4 MB`: decimal units, cut and not rounded.
pub(super) fn bytes(n: u64) -> String {
    for (unit, name) in [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")] {
        if n >= unit {
            return format!("{}.{} {name}", n / unit, n % unit * 10 / unit);
        }
    }
    count(n, "byte")
}

/// `12 files and archive members, 3.4 MB`.
pub(super) fn read(c: &Coverage) -> String {
    let noun = if c.blobs == 1 { "file or archive member" } else { "files and archive members" };
    format!("{} {noun}, {}", c.blobs, bytes(c.bytes))
}

/// The reasons of one class with their numbers.
pub(super) fn skipped(c: &Coverage, scope: Scope) -> impl Iterator<Item = (SkipReason, u64)> + '_ {
    c.skipped.iter().filter(move |(r, _)| r.scope() == scope).map(|(r, n)| (*r, *n))
}

/// One sentence on what should have been read and was not; `None` if all was read.
pub(super) fn incomplete(c: &Coverage) -> Option<String> {
    if c.is_complete() {
        return None;
    }
    let (what, they) = match c.failed() {
        1 => ("1 item was".to_owned(), "it"),
        n => (format!("{n} items were"), "them"),
    };
    Some(format!("The scan is incomplete: {what} not read whole, so keys in {they} would not be seen"))
}

/// What the exit code says about the gate.
pub(super) fn verdict(report: &Report<'_>) -> &'static str {
    match (report.exit_code, report.coverage.is_complete()) {
        (0, true) => "The gate passes.",
        (0, false) => "The gate passes, although the scan is incomplete.",
        (1, true) => "The gate fails: findings stand at or above it.",
        (1, false) => {
            "The gate fails: findings stand at or above it. The scan is incomplete: there may be more."
        }
        (3, false) => "The gate fails: nothing was found at or above it, but the scan is incomplete.",
        (3, true) => "The gate fails: nothing was proved active, but of some it is not known.",
        _ => "The run did not end as it should.",
    }
}

/// What a sweep tells of findings that are not there any more, one sentence each with its list.
pub(super) fn past<'a>(report: &Report<'a>) -> Vec<(String, &'a [Past])> {
    let Some(life) = report.lifecycle else { return Vec::new() };
    let told = |list: &[Past], words: &str| format!("{} {words}", count(list.len() as u64, "finding"));
    [
        (told(&life.fixed, "of earlier sweeps fixed: no ref leads to them any more"), &life.fixed[..]),
        (told(&life.withdrawn, "of earlier sweeps withdrawn: the rules or options changed"), &life.withdrawn),
    ]
    .into_iter()
    .filter(|(_, list)| !list.is_empty())
    .collect()
}

/// What was asked of providers, in a sentence without its full stop; `None` if nobody was to be asked.
pub(super) fn asked(report: &Report<'_>) -> Option<String> {
    report.checks.map(asked_of)
}

/// What was asked, in a sentence without its full stop.
pub(super) fn asked_of(checks: &Checks) -> String {
    let mut out = format!("Asked providers in {}", count(checks.calls, "call"));
    if checks.controls > 0 {
        out += &format!(", {}", count(checks.controls, "control"));
    }
    if checks.reads > 0 {
        out += &format!(", {} of rights", count(checks.reads, "read"));
    }
    if checks.cached > 0 {
        out += &format!("; {} from the cache", count(checks.cached, "verdict"));
    }
    out
}

/// The detail of a skip as a suffix, or nothing.
pub(super) fn detail(text: &str, veil: &Veil) -> String {
    if text.is_empty() { String::new() } else { format!(": {}", veil.text(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (n, text) in
            [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"), (3_456_789, "3.4 MB")]
        {
            assert_eq!(bytes(n), text);
        }
        assert_eq!((count(1, "finding"), count(2, "finding")), ("1 finding".into(), "2 findings".into()));
    }
}
