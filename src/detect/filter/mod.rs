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
mod list;
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
pub(super) mod words;

pub use facts::RuleFacts;
pub use file::FileKind;
pub use reason::Reason;

use super::rank::{self, Place, Score};
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
    /// What else the path says; `None` if it is not known.
    pub place: Option<Place>,
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
    /// Whether it goes by looks alone, so that the ranking may overrule it for an unnamed secret.
    pub advises: bool,
    /// The filter.
    pub run: fn(&Candidate<'_>) -> Outcome,
}

const fn sure(name: &'static str, run: fn(&Candidate<'_>) -> Outcome) -> Filter {
    Filter { name, despite_checksum: true, advises: false, run }
}

const fn looks(name: &'static str, run: fn(&Candidate<'_>) -> Outcome) -> Filter {
    Filter { name, despite_checksum: false, advises: false, run }
}

const fn advice(name: &'static str, run: fn(&Candidate<'_>) -> Outcome) -> Filter {
    Filter { name, despite_checksum: false, advises: true, run }
}

/// Every filter, in the order in which they are asked.
pub const FILTERS: &[Filter] = &[
    sure("slice", slice::run),
    sure("known", known::run),
    sure("checksum", checksum::run),
    sure("structure", structure::run),
    sure("opaque", opaque::run),
    looks("template", template::run),
    advice("placeholder", placeholder::run),
    sure("variety", variety::run),
    looks("generated", generated::run),
    looks("list", list::run),
    advice("path", path::run),
    advice("name", name::run),
    advice("code", code::run),
    advice("prose", prose::run),
    advice("hash", hash::run),
    advice("entropy", entropy::run),
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
        /// Its score, if it was ranked; then the confidence is the score's.
        score: Option<Score>,
    },
    /// No secret.
    Drop(Reason),
}

/// What the ranking may not overrule: too short to be anything, texts of translations, public keys; beside
/// them values of which a part is blotted out, constants in code, and what follows a verb.
const FIRM: [Reason; 3] = [Reason::Length, Reason::Translation, Reason::PublicKey];

/// Whether the words of a name end in that of an attribute, such as a length or a URL.
pub(super) fn is_attribute(last: &[u8]) -> bool {
    name::is_attribute(last)
}

/// Percent of a value that words of placeholders cover.
pub(super) fn placeholder_share(value: &[u8]) -> usize {
    placeholder::share(value)
}

/// Puts a candidate to every filter.
pub fn judge(candidate: &Candidate<'_>) -> Judged {
    weigh(candidate).0
}

/// Puts a candidate to every filter, and gives what was measured if it was ranked.
pub fn weigh(candidate: &Candidate<'_>) -> (Judged, Option<rank::Features>) {
    weigh_again(candidate, &mut None)
}

/// Like [`weigh`]; `measured` is kept between calls for one candidate under several kinds of file.
pub(super) fn weigh_again(
    candidate: &Candidate<'_>,
    measured: &mut Option<rank::Features>,
) -> (Judged, Option<rank::Features>) {
    let (mut confidence, mut severity, mut notes) = (None, None, Vec::new());
    let (mut proved, mut settled) = (false, false);
    let (mut said, mut count) = ([Reason::Length; FILTERS.len()], 0);
    for filter in FILTERS {
        if proved && !filter.despite_checksum {
            continue;
        }
        let outcome = (filter.run)(candidate);
        let (Outcome::Adjust(a) | Outcome::Settle(a)) = outcome else {
            match outcome {
                Outcome::Drop(reason) => {
                    let firm = match reason {
                        Reason::Placeholder => placeholder::is_masked(candidate.secret()),
                        Reason::CodeNotLiteral => code::is_constant(candidate),
                        Reason::Prose => prose::is_an_order(candidate),
                        _ => FIRM.contains(&reason),
                    };
                    if !candidate.rule.ranked || !filter.advises || firm {
                        return (Judged::Drop(reason), None);
                    }
                    said[count] = reason;
                    count += 1;
                    continue;
                }
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
            settled = true;
            break;
        }
    }
    if !candidate.rule.ranked || settled {
        return (Judged::Keep { confidence, severity, notes, score: None }, None);
    }
    let said = &said[..count];
    let features = measured.get_or_insert_with(|| rank::measure(candidate)).against(said);
    let score = rank::score(&features, candidate.place.is_some());
    let rated = score.confidence();
    let judged = match said.first() {
        Some(&reason) if rated == Confidence::Low => Judged::Drop(reason),
        _ => {
            let confidence = Some(confidence.map_or(rated, |most: Confidence| most.min(rated)));
            Judged::Keep { confidence, severity, notes, score: Some(score) }
        }
    };
    (judged, Some(features))
}
