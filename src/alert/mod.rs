//! Telling people: events into an outbox, in the transaction of whatever they are about; from there to routes, with
//! retries, until each route has taken it or is given up and shown. Nothing here holds a value of a key.

mod config;
mod outbox;
mod post;
mod route;

pub use config::{AlertError, Config, Filter, Kind, MailSpec, Quiet, RouteSpec};
pub use outbox::{Delivery, Outbox, OutboxError, Queued, Standing, TABLES, put};
pub use post::{Post, Posted};
pub use route::{Fetch, Mail, MailError, Mailer, Smtp};

use serde::{Deserialize, Serialize};

/// How soon somebody must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// Some day.
    Info,
    /// Today.
    Warning,
    /// Now; quiet hours do not hold.
    Emergency,
}

impl Urgency {
    /// The word in tables and files.
    pub fn word(self) -> &'static str {
        match self {
            Urgency::Info => "info",
            Urgency::Warning => "warning",
            Urgency::Emergency => "emergency",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Urgency::Info, Urgency::Warning, Urgency::Emergency].into_iter().find(|u| u.word() == word)
    }
}

/// Something that people must hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// A stable word for routing: `spike`, `use-after-rotation`, `budget`, `halted`, …
    pub kind: String,
    /// How soon somebody must look.
    pub urgency: Urgency,
    /// What it is about: the id of a lineage, or what a provider calls a key. Never a value.
    pub subject: String,
    /// A sentence.
    pub text: String,
    /// Further facts, each a name and a value.
    pub facts: Vec<(String, String)>,
    /// Events with the same text here are one, told once within the time that the outbox is given.
    pub same: String,
    /// When it arose, in seconds since 1970.
    pub at: i64,
}
