//! `csv`: one row an occurrence, for spreadsheets. Every cell is quoted and none is a formula.

use super::view::{View, via};
use super::{Format, Report, escape};
use std::io::{self, Write};

/// The columns. Severity stands first, so that no line begins with anything from the input.
const COLUMNS: &[&str] = &[
    "severity",
    "confidence",
    "validity",
    "evidence",
    "access",
    "status",
    "rule",
    "rule_name",
    "provider",
    "path",
    "members",
    "line",
    "column",
    "end_line",
    "end_column",
    "secret",
    "via",
    "notes",
    "fingerprint",
    "accepted_by",
    "next",
];

/// The format.
pub(super) struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        row(out, COLUMNS)?;
        for finding in report.findings {
            let view = View::new(finding, report.veil);
            let rule = &finding.rule;
            let secret = view.secret(report);
            let notes = finding.notes.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
            let next = view.next();
            let (proof, access) = (view.proof(), view.access().unwrap_or_default());
            for o in &finding.occurrences {
                let (status, by) = view.standing(o);
                let l = o.location;
                row(
                    out,
                    &[
                        finding.severity.as_str(),
                        finding.confidence.as_str(),
                        finding.validity.as_str(),
                        &proof,
                        &access,
                        status,
                        &rule.id,
                        &rule.name,
                        &rule.provider,
                        &view.file(&o.provenance),
                        &view.members(&o.provenance).join("!"),
                        &l.line.to_string(),
                        &(l.start + 1).to_string(),
                        &l.end_line.to_string(),
                        &(l.end + 1).to_string(),
                        &secret,
                        &via(o),
                        &notes,
                        finding.fingerprint.as_str(),
                        &by.map(|s| view.accepted(s)).unwrap_or_default(),
                        &next,
                    ],
                )?;
            }
        }
        Ok(())
    }
}

fn row(out: &mut dyn Write, cells: &[&str]) -> io::Result<()> {
    let line = cells.iter().map(|c| escape::csv(c)).collect::<Vec<_>>().join(",");
    write!(out, "{line}\r\n")
}
