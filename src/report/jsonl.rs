//! `jsonl`: one line an occurrence, flat, for programs that read as they go.

use super::record::{Identity, Place};
use super::view::View;
use super::{Format, Report, escape};
use serde::Serialize;
use std::io::{self, Write};

/// The format.
pub(super) struct Jsonl;

#[derive(Serialize)]
struct Line<'v, 'a> {
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(flatten)]
    identity: &'v Identity<'a>,
}

impl Format for Jsonl {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut line = Vec::new();
        for finding in report.findings {
            let view = View::new(finding, report.veil);
            let identity = Identity::of(&view, report);
            for occurrence in &finding.occurrences {
                line.clear();
                escape::json(&mut line, &Line { place: Place::of(&view, occurrence), identity: &identity })?;
                line.push(b'\n');
                out.write_all(&line)?;
            }
        }
        Ok(())
    }
}
