//! The rule file as it is written. Unknown fields are errors.

use super::rotate::Capabilities;
use super::text::{Allowed, Text};
use super::usage::Meter;
use crate::call::{Access, Revoke, Verify};
use crate::model::{Class, Confidence, Severity};
use serde::{Deserialize, Serialize};

/// One file of `rules/`: a provider and the kinds of credentials it issues.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Who issues them.
    pub provider: Provider,
    /// The kinds.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// Allow lists of the file's text rules.
    #[serde(default)]
    pub allow: Vec<Allowed>,
    /// How it tells who used them.
    #[serde(default)]
    pub usage: Vec<Meter>,
}

/// The issuer of credentials.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Lower-case id, the same as the file's name.
    pub id: String,
    /// Name as its owner writes it.
    pub name: String,
    /// The only hosts that a call of these rules may reach; a leading `*.` stands for one label.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Page that tells a person about these credentials.
    #[serde(default)]
    pub docs: String,
    /// Calls a second that its hosts take from one caller, where that is less than is usual.
    #[serde(default)]
    pub rate: Option<f64>,
    /// SHA-256 sums of values that documents show, whatever rule of the file they fit.
    #[serde(default)]
    pub samples: Vec<String>,
    /// SHA-256 of the file, for a user's file; none for an embedded one. Not part of the file itself.
    #[serde(skip)]
    pub file: Option<[u8; 32]>,
}

/// One kind of credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique id, lower case with hyphens, beginning with the provider's id.
    pub id: String,
    /// What a report calls it.
    pub name: String,
    /// What kind of statement a match makes.
    #[serde(default)]
    pub class: Class,
    /// How bad it is if it works.
    pub severity: Severity,
    /// How sure a match is.
    pub confidence: Confidence,
    /// Regular expression over bytes with Unicode off. The group `secret` is the credential;
    /// other named groups are captures for calls.
    pub pattern: String,
    /// Makes it a text rule: no bound is needed, and the secret is the group `secret`, else the first
    /// group that holds something, else the whole match. None of the engine's own filters is asked.
    #[serde(default)]
    pub text: Option<Text>,
    /// Words of which one must stand near the match.
    #[serde(default)]
    pub context: Option<Context>,
    /// Globs on the path; with any, the rule reports only in files that one of them names.
    #[serde(default)]
    pub paths: Vec<String>,
    /// A pattern that spans lines and has no useful length bound, such as PEM.
    #[serde(default)]
    pub block: bool,
    /// Upper bound of a match in bytes; needed only for block rules, otherwise computed.
    #[serde(default)]
    pub max_len: Option<usize>,
    /// Least Shannon entropy in bits a character of the secret's variable part. By default the
    /// first percentile of fair values of the same alphabet and length; `0` switches the filter off.
    #[serde(default)]
    pub entropy: Option<f64>,
    /// A checksum inside the secret.
    #[serde(default)]
    pub checksum: Option<ChecksumUse>,
    /// Other parts of a multi-part credential.
    #[serde(default)]
    pub with: Vec<With>,
    /// Whether the provider means the value to be public.
    #[serde(default)]
    pub public: bool,
    /// SHA-256 (hexadecimal) of values from documentation that are never reported.
    #[serde(default)]
    pub samples: Vec<String>,
    /// SHA-256 (hexadecimal) of well-known development values, reported as info.
    #[serde(default)]
    pub development: Vec<String>,
    /// Usual names of the environment variables that hold it.
    #[serde(default)]
    pub env: Vec<String>,
    /// Where the facts come from.
    #[serde(default)]
    pub source: Vec<String>,
    /// Examples that must match; `<…>` is the expected secret. See `rule::example`.
    #[serde(default)]
    pub matches: Vec<String>,
    /// Near misses that this rule must not report.
    #[serde(default)]
    pub rejects: Vec<String>,
    /// How to tell whether it works.
    #[serde(default)]
    pub verify: Option<Verify>,
    /// How to tell what it may do, once it is proved to work.
    #[serde(default)]
    pub access: Option<Access>,
    /// How to switch it off.
    #[serde(default)]
    pub revoke: Option<Revoke>,
    /// How it can be turned over.
    #[serde(default)]
    pub rotate: Option<Capabilities>,
}

/// Words near a match.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Lower case; compared without regard to case. A word of up to four letters counts only
    /// where it is a whole part of a name (`box` in `BOX_TOKEN` and `boxToken`, not in `checkbox`).
    pub words: Vec<String>,
    /// Bytes before the match in which a word may begin.
    #[serde(default = "context_before")]
    pub before: usize,
    /// Bytes after the match in which a word may end.
    #[serde(default)]
    pub after: usize,
}

fn context_before() -> usize {
    80
}

/// A named checksum algorithm and what its failure means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecksumUse {
    /// Name in `rule::checksum`.
    pub algorithm: String,
    /// What a failure does.
    #[serde(default)]
    pub mode: ChecksumMode,
}

/// What a failing checksum does to a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumMode {
    /// Confidence falls to low.
    #[default]
    Lower,
    /// The match is dropped; only where the algorithm was reproduced on published samples.
    Drop,
}

/// Another part that makes a credential usable.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct With {
    /// Id of the rule that finds the part; in the same file or another.
    pub rule: String,
    /// Name under which calls use it.
    #[serde(rename = "as")]
    pub name: String,
    /// Lines between the two at the most.
    #[serde(default = "with_lines")]
    pub lines: u64,
    /// Bytes between the two at the most.
    #[serde(default = "with_bytes")]
    pub bytes: usize,
    /// Whether a match without it is dropped.
    #[serde(default)]
    pub required: bool,
}

fn with_lines() -> u64 {
    10
}

fn with_bytes() -> usize {
    2000
}
