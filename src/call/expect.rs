//! What an answer means, as a rule file states it.

use super::Request;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The native probes that a rule may name: checks of a credential that no HTTP data can express.
pub const PROBES: &[&str] =
    &["aws-sts", "google-service-account", "mongodb", "mysql", "postgres", "redis", "smtp", "ssh"];

/// How a provider proves whether a credential works.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The call.
    #[serde(default)]
    pub request: Option<Request>,
    /// Name of a native probe, where HTTP data does not reach: a database login, a signed token. Stands in the
    /// place of the request and of all expectations.
    #[serde(default)]
    pub probe: Option<String>,
    /// Set where the provider is known to answer loosely: an example (see `rule::example`) of a well-formed
    /// credential that cannot exist. It is sent first; if it seems to work, the rule's verdicts are not used.
    #[serde(default)]
    pub control: Option<String>,
    /// Answers that prove it works.
    #[serde(default)]
    pub active: Vec<Expect>,
    /// Answers that prove it authenticates but may do little.
    #[serde(default)]
    pub restricted: Vec<Expect>,
    /// Answers that prove it does not work. Everything else is unknown.
    #[serde(default)]
    pub inactive: Vec<Expect>,
    /// Where the answer names the owner: word → JSON pointer.
    #[serde(default)]
    pub identity: BTreeMap<String, String>,
    /// Set where the provider's answers carry nothing but a status, with the reason.
    #[serde(default)]
    pub status_only: Option<String>,
    /// Recorded answers and what each must be judged as: the tests of the expectations.
    #[serde(default)]
    pub replies: Vec<Recorded>,
}

/// One pattern of answers. All given parts must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// One status or several.
    pub status: StatusSet,
    /// JSON pointer → expected text; `*` accepts any value that is there and not null.
    #[serde(default)]
    pub json: BTreeMap<String, String>,
    /// Header field (lower case) → text that its value must contain; `*` accepts any.
    #[serde(default)]
    pub header: BTreeMap<String, String>,
    /// Text that the body must contain.
    #[serde(default)]
    pub contains: Option<String>,
}

impl Expect {
    /// Whether it looks at nothing but the status.
    pub fn is_status_only(&self) -> bool {
        self.json.is_empty() && self.header.is_empty() && self.contains.is_none()
    }
}

/// A set of HTTP statuses, written as one number or a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StatusSet {
    /// No status given: never holds.
    #[default]
    None,
    /// One.
    One(u16),
    /// Several.
    Many(Vec<u16>),
}

impl StatusSet {
    /// Whether `status` is in it.
    pub fn contains(&self, status: u16) -> bool {
        match self {
            StatusSet::None => false,
            StatusSet::One(s) => *s == status,
            StatusSet::Many(list) => list.contains(&status),
        }
    }
}

/// A recorded answer and its judgement.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// HTTP status.
    pub status: u16,
    /// Header fields, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body as text.
    #[serde(default)]
    pub body: String,
    /// What it must be judged as.
    pub is: Judgement,
}

/// What one answer proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// It works.
    Active,
    /// It authenticates, with few rights.
    Restricted,
    /// It does not work.
    Inactive,
    /// Nothing.
    Unknown,
}
