//! What a scan reports.

use super::{
    Access, Class, Confidence, Encoding, Evidence, Fingerprint, Location, Provenance, Secret, Severity,
    Validity,
};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// The part of a rule that a finding carries into reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRef {
    /// `github-pat-classic`.
    pub id: String,
    /// `GitHub personal access token (classic)`.
    pub name: String,
    /// `github`; `generic` for rules that name no provider.
    pub provider: String,
    /// `GitHub`.
    pub provider_name: String,
    /// What kind of statement the rule makes.
    pub class: Class,
    /// The provider's page on the credential; empty if there is none.
    pub docs: String,
}

/// One secret and every place where it stands.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Identity of the value.
    pub fingerprint: Fingerprint,
    /// The rule that names it best.
    pub rule: Arc<RuleRef>,
    /// Ids of other rules that saw the same value.
    pub also: Vec<String>,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// Whether it works.
    pub validity: Validity,
    /// What that verdict rests on, if somebody was asked.
    pub evidence: Option<Box<Evidence>>,
    /// What it may do, if it works and its provider tells.
    pub access: Option<Box<Access>>,
    /// New, known or suppressed.
    pub status: Status,
    /// The value.
    pub secret: Secret,
    /// What is known about it beyond the rule.
    pub notes: Vec<Note>,
    /// Every place, sorted; at least one.
    pub occurrences: Vec<Occurrence>,
}

/// One place where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The file or archive member.
    pub provenance: Arc<Provenance>,
    /// The span of the secret, as encoded there.
    pub location: Location,
    /// Layers undone to see it, outermost first.
    pub via: Vec<Encoding>,
    /// The line around it, with every secret in it redacted.
    pub excerpt: Excerpt,
    /// Other parts of a multi-part credential, nearest first.
    pub partners: Vec<Partner>,
    /// Why this place is accepted, if it is.
    pub suppression: Option<Suppression>,
    /// In how many versions of the file it stands, in a history; 1 elsewhere.
    pub versions: u64,
}

/// A line or a piece of it that is safe to show: secrets replaced, control characters escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The text, one line.
    pub text: String,
    /// Byte range in `text` of the redaction that stands for this secret.
    pub mark: Range<usize>,
}

/// Another part of a multi-part credential, found near the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// The name under which calls use it.
    pub name: String,
    /// Its value; not shown, since it may be secret too.
    pub value: Secret,
    /// Its line.
    pub line: u64,
}

/// What stands between a finding and the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not seen before: counts.
    #[default]
    New,
    /// Seen before, then gone, and here again: counts.
    Reopened,
    /// In the baseline, or seen by an earlier sweep.
    Known(Suppression),
    /// Accepted in every place where it stands.
    Suppressed(Suppression),
}

impl Status {
    /// Whether nothing accepts it, so that it counts.
    pub fn counts(&self) -> bool {
        matches!(self, Status::New | Status::Reopened)
    }

    /// The word used in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Reopened => "reopened",
            Status::Known(_) => "known",
            Status::Suppressed(_) => "suppressed",
        }
    }
}

/// What accepted a finding or one of its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The mechanism.
    pub by: By,
    /// Why, in the words of whoever accepted it; empty if none were given.
    pub reason: String,
    /// Who answers for it; empty if not said.
    pub owner: String,
    /// Last day on which it holds, `YYYY-MM-DD`; empty for no end.
    pub until: String,
}

/// The mechanisms that accept findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// An entry of the baseline file.
    Baseline,
    /// A comment on the line.
    Inline,
    /// An allow-list of the configuration.
    Config,
    /// The old side of the change that was scanned: the value stood there before.
    Old,
    /// An earlier sweep, which reported it.
    Sweep,
}

impl By {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Baseline => "baseline",
            By::Inline => "inline",
            By::Config => "config",
            By::Old => "old-side",
            By::Sweep => "sweep",
        }
    }
}

/// Something known about a value beyond the rule that found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Note {
    /// Its checksum holds.
    ChecksumHolds,
    /// Its checksum fails, under an algorithm that is not proved on published samples.
    ChecksumFails,
    /// A well-known development default.
    DevelopmentDefault,
    /// Meant to be public by its provider.
    PublicByDesign,
    /// Short or regular enough to be guessed from its fingerprint under a public salt.
    Guessable,
    /// Stands in a path of tests, fixtures or examples.
    TestPath,
    /// A copy: the value also stands in a file that the change leaves alone.
    Copied,
}

impl Note {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Note::ChecksumHolds => "checksum-holds",
            Note::ChecksumFails => "checksum-fails",
            Note::DevelopmentDefault => "development-default",
            Note::PublicByDesign => "public-by-design",
            Note::Guessable => "guessable",
            Note::Copied => "copied",
            Note::TestPath => "test-path",
        }
    }
}
