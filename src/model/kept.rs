//! Findings as they are kept from one sweep to the next: where they stand, and never a value.

use super::{Confidence, Encoding, Location, Note, Severity};
use serde::{Deserialize, Serialize};

/// A finding without its value, the text around it, and names out of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Identity of the value, which tells whether a place still holds it.
    pub fingerprint: String,
    /// The rule that names it, by its id.
    pub rule: String,
    /// Ids of other rules that saw the same value.
    pub also: Vec<String>,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// What is known about it beyond the rule.
    pub notes: Vec<Note>,
    /// Every place that is told, in order.
    pub spots: Vec<Spot>,
}

/// One place of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The number of the text that it stands in.
    pub text: u32,
    /// The span of the value, as encoded there.
    pub location: Location,
    /// Layers undone to see it, outermost first.
    pub via: Vec<Encoding>,
    /// In how many versions of the file it stands.
    pub versions: u64,
    /// Whether these bytes are the value, and nothing else near them is hidden: then no rule is needed
    /// to tell it again.
    pub plain: bool,
}
