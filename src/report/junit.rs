//! `junit`: one test case an occurrence. What is accepted is skipped, what is information passes,
//! the rest fails; each reason for which the scan is incomplete is an error. The place stands in the
//! name, because the one schema that readers enforce (Jenkins') knows no attributes for it.

use super::view::View;
use super::words::{self, skipped};
use super::{Format, Report, escape};
use crate::model::{Occurrence, Scope, Severity};
use std::io::{self, Write};

/// The format.
pub(super) struct Junit;

impl Format for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let (mut places, mut failures, mut skips) = (0, 0, 0);
        for f in report.findings {
            let view = View::new(f, report.veil);
            for o in &f.occurrences {
                places += 1;
                match outcome(&view, o) {
                    Outcome::Fail => failures += 1,
                    Outcome::Skip => skips += 1,
                    Outcome::Pass => {}
                }
            }
        }
        let errors = skipped(report.coverage, Scope::Failed).count();
        let counts = format!(
            "name=\"keywheel\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skips}\" time=\"0\"",
            places + errors.max(1),
        );
        let open = counts.replace(&format!(" skipped=\"{skips}\""), "");
        write!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {open}>\n<testsuite {counts}>\n"
        )?;
        coverage(report, out)?;
        for f in report.findings {
            let view = View::new(f, report.veil);
            for o in &f.occurrences {
                case(&view, o, out)?;
            }
        }
        out.write_all(b"</testsuite>\n</testsuites>\n")
    }
}

enum Outcome {
    Pass,
    Skip,
    Fail,
}

fn outcome(view: &View<'_>, o: &Occurrence) -> Outcome {
    match view.standing(o) {
        ("new", _) if view.finding.severity == Severity::Info => Outcome::Pass,
        ("new", _) => Outcome::Fail,
        _ => Outcome::Skip,
    }
}

/// The scan itself is a case of its own, so that a clean report is not an empty one.
fn coverage(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let c = report.coverage;
    if c.is_complete() {
        return out.write_all(
            b"<testcase classname=\"keywheel.coverage\" name=\"everything was read\" time=\"0\"/>\n",
        );
    }
    for (reason, n) in skipped(c, Scope::Failed) {
        let word = reason.as_str();
        write!(out, "<testcase classname=\"keywheel.coverage\" name=\"{word}\" time=\"0\">")?;
        write!(
            out,
            "<error type=\"{word}\" message=\"{n} not read whole: {}\">",
            escape::xml(reason.cure())
        )?;
        for s in c.list.iter().filter(|s| s.reason == reason) {
            let detail = words::detail(&s.detail, report.veil);
            write!(out, "\n{}", escape::xml(&(report.veil.place(&s.provenance) + &detail)))?;
        }
        out.write_all(b"</error></testcase>\n")?;
    }
    Ok(())
}

fn case(view: &View<'_>, o: &Occurrence, out: &mut dyn Write) -> io::Result<()> {
    let f = view.finding;
    let place = view.place(o);
    write!(
        out,
        "<testcase classname=\"keywheel.{}\" name=\"{}\" time=\"0\">",
        escape::xml(&f.rule.id),
        escape::xml(&format!("{} at {place}", f.rule.name)),
    )?;
    let what = escape::xml(&format!("{} {} ({})", f.severity, f.rule.name, f.secret.redacted()));
    let mut body = escape::xml(&place);
    if let Some(e) = view.excerpt(o) {
        body += &format!("\n{}", escape::xml(&e.text));
    }
    let validity = escape::xml(&view.verdict());
    body += &format!("\nvalidity: {validity}\nnext: {}\n{}", escape::xml(&view.next()), f.fingerprint);
    match outcome(view, o) {
        Outcome::Fail => write!(out, "<failure type=\"{}\" message=\"{what}\">{body}</failure>", f.severity)?,
        Outcome::Pass => write!(out, "<system-out>{what}\n{body}</system-out>")?,
        Outcome::Skip => {
            let (word, by) = view.standing(o);
            let by = by.map(|s| view.accepted(s)).unwrap_or_default();
            write!(out, "<skipped message=\"{}\"/>", escape::xml(&format!("{word}, accepted by {by}")))?;
        }
    }
    out.write_all(b"</testcase>\n")
}
