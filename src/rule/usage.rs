//! How a provider tells who used its keys: `[[usage]]` of a rule file. Reads only.

use crate::call::{Expect, Next, Request};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One read that gives the use of keys over time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// Unique id, beginning with the provider's id.
    pub id: String,
    /// What it tells, in a few words.
    pub what: String,
    /// Id of the rule of the credential that may read it; its value fills the hole `admin`.
    pub admin: String,
    /// Where that credential has several parts: their names, which are holes then in the place of `admin`. The value is a
    /// JSON object of these texts.
    #[serde(default)]
    pub parts: Vec<String>,
    /// Names that the operator gives because no call finds them; name → what it is.
    #[serde(default)]
    pub ask: BTreeMap<String, String>,
    /// Whether the provider itself tells, or a gateway before it.
    #[serde(default)]
    pub class: Class,
    /// What one row stands for.
    pub grain: Grain,
    /// Seconds by which figures may be late. What is younger is not read yet.
    pub lag: u64,
    /// Seconds after which figures are corrected no more. What is younger is read again.
    pub settle: u64,
    /// Seconds back that the provider keeps its figures, as far as it says.
    #[serde(default)]
    pub retention: Option<u64>,
    /// Most seconds of time that one read may ask for.
    pub span: u64,
    /// How `from` and `to` are written into the request.
    #[serde(default)]
    pub time: TimeForm,
    /// A list to go through first, where figures are given one key at a time.
    #[serde(default)]
    pub each: Option<Each>,
    /// The call; the holes `from` and `to` are the first second and the first one after.
    pub request: Request,
    /// Answers that prove that it was done.
    pub done: Vec<Expect>,
    /// How to get the next page.
    #[serde(default)]
    pub next: Option<Next>,
    /// Where rows are.
    pub rows: RowsAt,
    /// What a row holds.
    pub columns: Columns,
    /// Recorded answers and how many rows each must give.
    #[serde(default)]
    pub replies: Vec<Told>,
    /// Pages that say so.
    #[serde(default)]
    pub source: Vec<String>,
}

/// Who tells of use; the first is believed before the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Whoever issued the key.
    #[default]
    Provider,
    /// A gateway that the calls go through; calls past it are not seen.
    Gateway,
    /// A store that hands the key out: a reading of the key is not a use of it.
    Weak,
}

impl Class {
    /// The word in files and tables.
    pub fn word(self) -> &'static str {
        match self {
            Class::Provider => "provider",
            Class::Gateway => "gateway",
            Class::Weak => "weak",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Class::Provider, Class::Gateway, Class::Weak].into_iter().find(|c| c.word() == word)
    }
}

/// What one row of an answer stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grain {
    /// An hour, in UTC.
    Hour,
    /// A day, in UTC.
    Day,
    /// One request.
    Request,
    /// The last use of a key, and nothing before it.
    LastUsed,
}

impl Grain {
    /// Seconds of a bucket in which its figures are kept.
    pub fn seconds(self) -> i64 {
        match self {
            Grain::Day => 86_400,
            Grain::Hour | Grain::Request | Grain::LastUsed => 3_600,
        }
    }
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeForm {
    /// Seconds since 1970.
    #[default]
    Unix,
    /// `2026-01-01T00:00:00Z`.
    Rfc3339,
    /// `2026-01-01`.
    Date,
    /// `2026-01-01 00:00:00`, in UTC.
    DateTime,
}

/// A list whose items are asked about one by one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// The call.
    pub request: Request,
    /// Answers that prove that it was done.
    pub done: Vec<Expect>,
    /// How to get the next page.
    #[serde(default)]
    pub next: Option<Next>,
    /// Whether the list goes on at the number in the hole `offset`, until a page is empty.
    #[serde(default)]
    pub offset: bool,
    /// JSON pointer to the list.
    pub items: String,
    /// JSON pointer within an item to the key's id, which fills the hole `key`.
    pub key: String,
}

/// Where rows stand in an answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsAt {
    /// JSON pointer to the list of rows, or of buckets if `inner` is given; empty for an answer that is the list.
    #[serde(default)]
    pub items: String,
    /// JSON pointer within a bucket to its rows.
    #[serde(default)]
    pub inner: Option<String>,
    /// Whether a bucket without use is there as well, so that a missing one is a missing page.
    #[serde(default)]
    pub dense: bool,
}

/// JSON pointers into a row; what is not there is looked for in its bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The beginning of the bucket, or the moment of the request: seconds or milliseconds since 1970, RFC 3339,
    /// or a day.
    pub at: String,
    /// The key, by what the provider calls it.
    #[serde(default)]
    pub key: Option<String>,
    /// Where the provider does not tell by key: project or workspace.
    #[serde(default)]
    pub account: Option<String>,
    /// The model.
    #[serde(default)]
    pub model: Option<String>,
    /// Country or address.
    #[serde(default)]
    pub place: Option<String>,
    /// The id of a request, so that none counts twice.
    #[serde(default)]
    pub id: Option<String>,
    /// Requests. Without it each row of grain `request` is one.
    #[serde(default)]
    pub requests: Option<String>,
    /// Tokens that came in; the sum of these.
    #[serde(default)]
    pub input: Vec<String>,
    /// Tokens that went out; the sum of these.
    #[serde(default)]
    pub output: Vec<String>,
    /// Cost.
    #[serde(default)]
    pub cost: Option<String>,
    /// What one unit of `cost` is.
    #[serde(default)]
    pub unit: Unit,
    /// The currency; a row in another one than US dollars is refused.
    #[serde(default)]
    pub currency: Option<String>,
    /// How many requests failed.
    #[serde(default)]
    pub errors: Option<String>,
    /// What says that the request of this row failed.
    #[serde(default)]
    pub failed: Option<Failed>,
}

/// A value that says that a request failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// JSON pointer.
    pub at: String,
    /// The values that say so; `*` for any that is there, not empty and not null.
    pub is: Vec<String>,
}

/// What one unit of a cost is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A US dollar.
    #[default]
    Dollar,
    /// A hundredth of one.
    Cent,
}

/// A recorded answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// Body as text.
    #[serde(default)]
    pub body: String,
    /// How many rows it must give; without it, it must prove nothing.
    #[serde(default)]
    pub rows: Option<usize>,
}

impl Meter {
    /// What in it contradicts itself, a sentence each.
    pub fn faults(&self, provider: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, text: &str| {
            if wrong {
                faults.push(text.to_owned());
            }
        };
        fault(!self.id.starts_with(&format!("{provider}-")), "the id must begin with the provider's");
        fault(self.request.method != "GET" && self.request.method != "POST", "a read is GET or POST");
        fault(self.done.is_empty(), "no answer proves that it was done");
        fault(self.done.iter().any(Expect::is_status_only), "`done` looks at the status alone");
        fault(self.source.is_empty(), "no `source` says so; name the page");
        fault(self.replies.is_empty(), "no recorded replies");
        fault(
            self.columns.key.is_some() as u8
                + self.columns.account.is_some() as u8
                + self.each.is_some() as u8
                != 1,
            "exactly one of `key`, `account` and `each` tells whose use a row is",
        );
        let step = u64::try_from(self.grain.seconds()).unwrap_or(1);
        fault(self.span < step || !self.span.is_multiple_of(step), "`span` must be whole buckets");
        fault(self.time == TimeForm::Date && !self.span.is_multiple_of(86_400), "days need a `span` of days");
        fault(self.settle < self.lag, "`settle` ends before `lag`");
        let buckets = matches!(self.grain, Grain::Hour | Grain::Day) && self.rows.inner.is_some();
        fault(self.rows.dense && !buckets, "`dense` is about hours and days that hold their rows in `inner`");
        fault(
            self.columns.failed.is_some() && self.grain != Grain::Request,
            "`failed` is about single requests",
        );
        let c = &self.columns;
        let none = c.requests.is_none() && c.input.is_empty() && c.output.is_empty() && c.cost.is_none();
        fault(none && matches!(self.grain, Grain::Hour | Grain::Day), "no column tells how much was used");
        faults
    }
}
