//! Ordered filters over a candidate: each keeps it, drops it with a named reason, or adjusts what
//! is said of it. The cheapest and surest come first; the order is that of [`FILTERS`].

mod checksum;
mod code;
mod entropy;
mod facts;
mod file;
mod generated;
mod hash;
mod known;
mod name;
mod opaque;
mod path;
mod placeholder;
mod prose;
mod reason;
mod slice;
mod structure;
mod template;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod variety;
mod words;

pub use facts::RuleFacts;
pub use file::FileKind;
pub use reason::Reason;

use crate::model::{Class, Confidence, Note, Severity};
use std::ops::Range;

/// A match of a rule's pattern, before it is believed.
pub struct Candidate<'a> {
    /// The bytes that were searched.
    pub hay: &'a [u8],
    /// The secret in them.
    pub span: Range<usize>,
    /// The whole match of the pattern.
    pub whole: Range<usize>,
    /// What the filters need of the rule.
    pub rule: &'a RuleFacts,
    /// The path of the file, as bytes.
    pub path: &'a [u8],
    /// The kind of file.
    pub file: FileKind,
}

impl<'a> Candidate<'a> {
    /// The secret.
    pub fn secret(&self) -> &'a [u8] {
        &self.hay[self.span.clone()]
    }

    /// The secret without the fixed text at its front.
    fn variable(&self) -> &'a [u8] {
        let secret = self.secret();
        &secret[self.rule.fixed.min(secret.len())..]
    }

    fn before(&self) -> &'a [u8] {
        &self.hay[..self.span.start]
    }

    fn after(&self) -> &'a [u8] {
        &self.hay[self.span.end..]
    }

    fn is_generic(&self) -> bool {
        self.rule.class == Class::Generic
    }
}

/// What a filter says of a candidate beyond keeping it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjust {
    /// The most that its confidence may be.
    pub confidence: Option<Confidence>,
    /// Its severity in place of the rule's.
    pub severity: Option<Severity>,
    /// Something known of it.
    pub note: Option<Note>,
}

/// A filter's word on a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing against it.
    Keep,
    /// No secret.
    Drop(Reason),
    /// Kept, with a remark.
    Adjust(Adjust),
    /// Kept with a remark, and no later filter is asked.
    Settle(Adjust),
}

/// A filter with its name.
pub struct Filter {
    /// The name that `--explain` shows.
    pub name: &'static str,
    /// Whether a value with a proved checksum is put to it. Nothing that rests on looks is held
    /// against such a value.
    pub despite_checksum: bool,
    /// The filter.
    pub run: fn(&Candidate<'_>) -> Outcome,
}

const fn sure(name: &'static str, run: fn(&Candidate<'_>) -> Outcome) -> Filter {
    Filter { name, despite_checksum: true, run }
}

const fn looks(name: &'static str, run: fn(&Candidate<'_>) -> Outcome) -> Filter {
    Filter { name, despite_checksum: false, run }
}

/// Every filter, in the order in which they are asked.
pub const FILTERS: &[Filter] = &[
    sure("slice", slice::run),
    sure("known", known::run),
    sure("checksum", checksum::run),
    sure("structure", structure::run),
    sure("opaque", opaque::run),
    looks("template", template::run),
    looks("placeholder", placeholder::run),
    sure("variety", variety::run),
    looks("generated", generated::run),
    looks("path", path::run),
    looks("name", name::run),
    looks("code", code::run),
    looks("prose", prose::run),
    looks("hash", hash::run),
    looks("entropy", entropy::run),
    sure("standing", known::standing),
];

/// The sum of the filters' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// A finding, with what the filters learned.
    Keep {
        /// The most that its confidence may be.
        confidence: Option<Confidence>,
        /// Its severity in place of the rule's.
        severity: Option<Severity>,
        /// What is known of it.
        notes: Vec<Note>,
    },
    /// No secret.
    Drop(Reason),
}

/// Puts a candidate to every filter.
pub fn judge(candidate: &Candidate<'_>) -> Judged {
    let (mut confidence, mut severity, mut notes) = (None, None, Vec::new());
    let mut proved = false;
    for filter in FILTERS {
        if proved && !filter.despite_checksum {
            continue;
        }
        let outcome = (filter.run)(candidate);
        let (Outcome::Adjust(a) | Outcome::Settle(a)) = outcome else {
            match outcome {
                Outcome::Drop(reason) => return Judged::Drop(reason),
                _ => continue,
            }
        };
        confidence = match (confidence, a.confidence) {
            (Some(old), Some(new)) => Some(std::cmp::min::<Confidence>(old, new)),
            (old, new) => old.or(new),
        };
        severity = a.severity.or(severity);
        notes.extend(a.note);
        proved |= a.note == Some(Note::ChecksumHolds) && checksum::is_strong(candidate);
        if matches!(outcome, Outcome::Settle(_)) {
            break;
        }
    }
    Judged::Keep { confidence, severity, notes }
}
