//! Reports: one file a format. A format sees findings and coverage and writes bytes; it decides
//! nothing, opens nothing and never sees a terminal.
//!
//! Whatever comes from the scanned input passes through `escape` on its way out, and the value of
//! a secret leaves only by [`Report::show_secrets`], and then only in `text`, `json`, `jsonl` and `csv`.

mod csv;
pub(crate) mod escape;
mod github;
mod gitlab;
mod json;
mod jsonl;
mod junit;
mod markdown;
mod record;
mod sarif;
mod text;
mod veil;
mod verdict;
mod verdicts;
mod view;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use escape::{markdown as markdown_text, markdown_code};
pub use github::workflow_command;
pub use veil::Veil;
pub use verdicts::Verdicts;

use crate::model::{Checks, Coverage, Finding, Lifecycle};
use jiff::Timestamp;
use std::io::{self, Write};

/// Everything a format may show.
pub struct Report<'a> {
    /// In their final order: worst first.
    pub findings: &'a [Finding],
    /// Findings below `--min-confidence` or `--min-severity`, not listed but counted.
    pub below: u64,
    /// What was read and what was not.
    pub coverage: &'a Coverage,
    /// Of a sweep: what became of earlier findings.
    pub lifecycle: Option<&'a Lifecycle>,
    /// What was asked of providers, if anything was.
    pub checks: Option<&'a Checks>,
    /// Hides all that was found, whether it is listed or not, in names and reasons.
    pub veil: &'a Veil,
    /// When the scan began, by the caller's clock.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// What the gate said.
    pub exit_code: u8,
    /// Whether raw secrets may be written.
    pub show_secrets: bool,
    /// Whether the sink is a terminal that shows colours.
    pub color: bool,
    /// Name of this run for systems that keep several apart, such as SARIF's `automationDetails`.
    pub category: &'a str,
}

/// One way of writing a report.
pub trait Format: Sync {
    /// The name given to `--format`.
    fn name(&self) -> &'static str;
    /// Writes the whole report.
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()>;
}

/// Every format. A new one is a file and a line here.
pub const FORMATS: &[&dyn Format] = &[
    &text::Text,
    &json::Json,
    &jsonl::Jsonl,
    &sarif::Sarif,
    &csv::Csv,
    &junit::Junit,
    &markdown::Markdown,
    &github::Github,
    &gitlab::Gitlab,
];

/// The format of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|f| f.name() == name)
}
