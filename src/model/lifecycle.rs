//! What a sweep knows of findings beyond the present one.

use super::{Fingerprint, Severity};

/// What became of findings since the last sweep, and what was remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// Findings that no ref leads to any more.
    pub fixed: Vec<Past>,
    /// Findings that are not reported any more since rules or options changed.
    pub withdrawn: Vec<Past>,
    /// Objects that earlier sweeps had looked at.
    pub remembered: u64,
}

/// A finding of an earlier sweep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Past {
    /// Identity of the value.
    pub fingerprint: Fingerprint,
    /// The id of the rule that named it.
    pub rule: String,
    /// How bad it was.
    pub severity: Severity,
    /// The repository, as it was named to the sweep.
    pub repository: String,
}
