//! `github`: workflow commands that annotate a change. GitHub shows ten of each kind a step, so
//! only the ten worst findings that nothing accepts are written; SARIF carries the rest.

use super::escape::{workflow_data, workflow_property};
use super::view::{View, is_stdin};
use super::words::{self, Tally, count};
use super::{Format, Report};
use crate::model::{Held, Occurrence, Scope, Severity};
use std::io::{self, Write};

/// Annotations a step.
const SHOWN: usize = 10;

/// The format.
pub(super) struct Github;

impl Format for Github {
    fn name(&self) -> &'static str {
        "github"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let new = || report.findings.iter().filter(|f| f.status.counts());
        for finding in new().take(SHOWN) {
            annotate(&View::new(finding, report.veil), out)?;
        }
        let c = report.coverage;
        if let Some(sentence) = words::incomplete(c) {
            let reasons: Vec<_> = words::skipped(c, Scope::Failed)
                .map(|(r, n)| format!("{} {n} ({})", r.as_str(), r.cure()))
                .collect();
            let message = format!("{sentence}: {}", reasons.join(", "));
            writeln!(out, "::warning title=Scan incomplete::{}", workflow_data(&message))?;
        }
        for notice in report.checks.iter().flat_map(|checks| &checks.notices) {
            let notice = report.veil.text(notice);
            writeln!(out, "::warning title=Verification::{}", workflow_data(&notice))?;
        }
        let tally = Tally::of(report.findings);
        writeln!(out, "keywheel: {}: {}", count(report.findings.len() as u64, "finding"), tally.standing())?;
        let total = new().count();
        if total > SHOWN {
            writeln!(
                out,
                "keywheel: the {SHOWN} worst of {total} new findings are annotated; the sarif format lists all"
            )?;
        }
        writeln!(out, "keywheel: read {}", words::read(c))
    }
}

/// One workflow command with a title, such as `::error title=…::…`, whatever the texts hold.
pub fn workflow_command(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}", workflow_property(title), workflow_data(message))
}

/// Whether a place stands in a file that a change can show: a commit's message or a name does not.
fn in_a_file(o: &Occurrence) -> bool {
    !is_stdin(&o.provenance) && o.provenance.origin.as_ref().is_none_or(|origin| origin.held == Held::Blob)
}

fn annotate(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let f = view.finding;
    let level = match f.severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "notice",
    };
    let title = workflow_property(&format!("{} ({})", f.rule.name, f.severity));
    let Some(o) = view.first() else {
        return writeln!(out, "::{level} title={title}::{}", workflow_data(&view.next()));
    };
    let l = o.location;
    let mut at = String::new();
    if in_a_file(o) {
        at = format!("file={},", workflow_property(&view.path(&o.provenance)));
        // Lines of a member mean nothing in the archive that holds it, and columns nothing over lines.
        if o.provenance.members.is_empty() {
            at += &format!("line={},endLine={},", l.line, l.end_line);
            if l.line == l.end_line {
                at += &format!("col={},endColumn={},", l.start + 1, l.end + 1);
            }
        }
    }
    let more = match f.occurrences.len() - 1 {
        0 => String::new(),
        n => format!(" and {}", count(n as u64, "other place")),
    };
    let message = format!(
        "{} of {} ({}) at {}{more}. Validity: {}. Next: {}.",
        f.rule.name,
        f.rule.provider_name,
        f.secret.redacted(),
        view.place(o),
        view.verdict(),
        view.next(),
    );
    writeln!(out, "::{level} {at}title={title}::{}", workflow_data(&message))
}
