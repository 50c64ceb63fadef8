//! `json`: one versioned document, one finding a line.

use super::record::{Account, Sweep, Whole};
use super::view::View;
use super::words::Tally;
use super::{Format, Report, escape};
use crate::model::Severity;
use serde_json::json;
use std::io::{self, Write};

/// The version of the document. It rises when a reader of the old one would be misled.
const VERSION: u32 = 1;

/// The format.
pub(super) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let tally = Tally::of(report.findings);
        let count =
            |s: &Severity| (s.as_str().to_owned(), json!(tally.severity.get(s).copied().unwrap_or(0)));
        let by_severity: serde_json::Map<_, _> = Severity::ALL.iter().rev().map(count).collect();
        let suppressed: serde_json::Map<_, _> =
            tally.suppressed.iter().map(|(by, n)| (by.as_str().to_owned(), json!(n))).collect();

        let known: serde_json::Map<_, _> =
            tally.known.iter().map(|(by, n)| (by.as_str().to_owned(), json!(n))).collect();

        let mut line = Vec::new();
        write!(line, "{{\n\"version\":{VERSION},\n\"tool\":")?;
        escape::json(&mut line, &json!({"name": "keywheel", "version": env!("CARGO_PKG_VERSION")}))?;
        line.extend_from_slice(b",\n\"category\":");
        escape::json(&mut line, &report.category)?;
        write!(line, ",\n\"exit_code\":{},\n\"summary\":", report.exit_code)?;
        escape::json(
            &mut line,
            &json!({
                "findings": report.findings.len(),
                "occurrences": tally.places,
                "by_severity": by_severity,
                "new": tally.new,
                "reopened": tally.reopened,
                "known": tally.known(),
                "known_by": known,
                "suppressed": tally.suppressed(),
                "suppressed_by": suppressed,
                "accepted_places": tally.accepted_places,
                "active": tally.active,
                "unknown": tally.unknown,
                "below_gate": report.below,
            }),
        )?;
        if let Some(c) = report.checks {
            line.extend_from_slice(b",\n\"checks\":");
            let notices: Vec<_> = c.notices.iter().map(|n| report.veil.text(n)).collect();
            let (calls, controls, reads, cached) = (c.calls, c.controls, c.reads, c.cached);
            escape::json(
                &mut line,
                &json!({"calls": calls, "controls": controls, "reads": reads, "cached": cached, "notices": notices}),
            )?;
        }
        line.extend_from_slice(b",\n\"coverage\":");
        escape::json(&mut line, &Account::of(report.coverage, report.veil))?;
        if let Some(life) = report.lifecycle {
            line.extend_from_slice(b",\n\"sweep\":");
            escape::json(&mut line, &Sweep::of(life, report.veil))?;
        }
        line.extend_from_slice(b",\n\"findings\":[");
        out.write_all(&line)?;
        for (i, finding) in report.findings.iter().enumerate() {
            line.clear();
            line.extend_from_slice(if i == 0 { b"\n" } else { b",\n" });
            escape::json(&mut line, &Whole::of(&View::new(finding, report.veil), report))?;
            out.write_all(&line)?;
        }
        out.write_all(b"\n]\n}\n")
    }
}
