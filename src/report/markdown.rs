//! `markdown`: for a job summary or a comment on a change. Nothing from the input can become
//! markup, a link, a mention or a reference.

use super::escape::{markdown, markdown_code};
use super::view::View;
use super::words::{self, Tally, count};
use super::{Format, Report};
use crate::model::Scope;
use std::io::{self, Write};

/// Rows of the table, and their bytes together. A forge's job summary holds 1 MiB; the machine
/// formats list everything.
const ROWS: usize = 1000;
const TABLE: usize = 768 << 10;
/// Items listed for one reason of incompleteness, and the bytes of all these lists together.
const ITEMS: usize = 20;
const LIST: usize = 64 << 10;

/// The format.
pub(super) struct Markdown;

impl Format for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let total = report.findings.len();
        if total == 0 {
            writeln!(out, "## Keywheel: no findings\n")?;
        } else {
            let tally = Tally::of(report.findings);
            writeln!(out, "## Keywheel: {}\n", count(total as u64, "finding"))?;
            writeln!(
                out,
                "{}. {}, in {}.\n",
                tally.severities(),
                tally.standing(),
                count(tally.places, "place")
            )?;
            out.write_all(
                b"| Severity | What | Where | Validity | Status | Next |\n|---|---|---|---|---|---|\n",
            )?;
            let (mut listed, mut room, mut line) = (0, TABLE, Vec::new());
            for finding in report.findings.iter().take(ROWS) {
                line.clear();
                row(&View::new(finding, report.veil), &mut line)?;
                // A name may be as long as its maker likes.
                if line.len() <= room {
                    room -= line.len();
                    listed += 1;
                    out.write_all(&line)?;
                }
            }
            if total > listed {
                write!(out, "\n{listed} of {total} findings are listed; the `json` format lists all.\n")?;
            }
            out.write_all(b"\n")?;
        }
        if report.below > 0 {
            writeln!(out, "{} not listed: below the gate.\n", count(report.below, "weaker finding"))?;
        }
        for (sentence, list) in words::past(report) {
            writeln!(out, "{sentence}:\n")?;
            for past in list.iter().take(ROWS) {
                let repository = report.veil.text(&past.repository);
                let (rule, at) = (markdown_code(&past.rule), markdown_code(&repository));
                writeln!(out, "- `{}` {rule} in {at}", past.fingerprint)?;
            }
            out.write_all(b"\n")?;
        }
        coverage(report, out)?;
        if let Some(asked) = words::asked(report) {
            writeln!(out, "{asked}.\n")?;
        }
        let notices = report.checks.map_or(&[][..], |checks| &checks.notices);
        for notice in notices.iter().take(ITEMS) {
            writeln!(out, "- {}\n", markdown(&report.veil.text(notice)))?;
        }
        writeln!(out, "**{}**", words::verdict(report))
    }
}

fn row(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let f = view.finding;
    let mut places = String::new();
    if let Some(o) = view.first() {
        places = markdown_code(&view.place(o));
        let via = super::view::via(o);
        if !via.is_empty() {
            places += &format!(" within {via}");
        }
        match f.occurrences.len() - 1 {
            0 => {}
            n => places += &format!(" and {}", count(n as u64, "other place")),
        }
    }
    let name = match view.docs() {
        Some(url) => format!("{} [docs](<{url}>)", markdown(&f.rule.name)),
        None => markdown(&f.rule.name),
    };
    writeln!(
        out,
        "| {} | {name}, {}, {} | {places} | {} | {} | {} |",
        f.severity,
        markdown(&f.rule.provider_name),
        markdown_code(&f.secret.redacted()),
        markdown(&view.verdict()),
        f.status.as_str(),
        markdown(&view.next()),
    )
}

fn coverage(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let c = report.coverage;
    writeln!(out, "Read {}. Left out on purpose: {}.\n", words::read(c), count(c.out_of_scope(), "item"))?;
    for (reason, n) in words::skipped(c, Scope::Out) {
        writeln!(out, "- {} {n}: {}", reason.as_str(), reason.cure())?;
    }
    if c.out_of_scope() > 0 {
        out.write_all(b"\n")?;
    }
    let Some(sentence) = words::incomplete(c) else { return Ok(()) };
    writeln!(out, "**{sentence}.**\n")?;
    let mut room = LIST;
    for (reason, n) in words::skipped(c, Scope::Failed) {
        writeln!(out, "- {} {n}: {}", reason.as_str(), reason.cure())?;
        for s in c.list.iter().filter(|s| s.reason == reason).take(ITEMS) {
            let detail = words::detail(&s.detail, report.veil);
            let line =
                format!("  - {}{}\n", markdown_code(&report.veil.place(&s.provenance)), markdown(&detail));
            if line.len() <= room {
                room -= line.len();
                out.write_all(line.as_bytes())?;
            }
        }
    }
    out.write_all(b"\n")
}
