//! `text`: for a person at a terminal. Each line begins with words or spaces of ours, so that no
//! build log can take a piece of the input for a command.

use super::escape::{plain, width};
use super::view::{View, via};
use super::words::{self, Tally, count};
use super::{Format, Report};
use crate::model::{Occurrence, Scope, Severity};
use std::io::{self, Write};

/// Further places listed by name for one finding.
const PLACES: usize = 5;
/// Items listed by name for one reason of incompleteness.
const ITEMS: usize = 10;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const BOLD_RED: &str = "1;31";

/// The format.
pub(super) struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let paint = Paint(report.color);
        let mut block = Vec::new();
        for finding in report.findings {
            block.clear();
            entry(&View::new(finding, report.veil), report, paint, &mut block)?;
            out.write_all(&block)?;
        }
        summary(report, paint, out)
    }
}

/// Colours, or none.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn on(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn shade(s: Severity) -> &'static str {
    match s {
        Severity::Critical => "1;97;41",
        Severity::High => BOLD_RED,
        Severity::Medium => "1;33",
        Severity::Low => "1;34",
        Severity::Info => "1;36",
    }
}

fn entry(view: &View<'_>, report: &Report<'_>, paint: Paint, out: &mut Vec<u8>) -> io::Result<()> {
    let f = view.finding;
    writeln!(
        out,
        "{} {} · {} · {}",
        paint.on(shade(f.severity), &format!("{:<8}", f.severity.as_str().to_uppercase())),
        paint.on(BOLD, &plain(&f.rule.name)),
        plain(&f.rule.provider_name),
        view.secret(report),
    )?;
    if let Some(o) = view.first() {
        writeln!(out, "  at        {}", paint.on(BOLD, &view.place(o)))?;
        excerpt(view, o, paint, out)?;
        about(view, o, out)?;
        others(view, out)?;
    }
    let notes = view.notes();
    if !notes.is_empty() {
        writeln!(out, "  note      {}", notes.join("; "))?;
    }
    if !f.also.is_empty() {
        writeln!(out, "  also      {}", plain(&f.also.join(", ")))?;
    }
    let status = f.status.as_str();
    writeln!(out, "  validity  {} · {status} · confidence {}", view.validity(), f.confidence)?;
    if let Some(access) = view.access() {
        writeln!(out, "  access    {access}")?;
    }
    writeln!(out, "  next      {}", view.next())?;
    writeln!(
        out,
        "  id        {} {}\n",
        paint.on(DIM, f.fingerprint.as_str()),
        paint.on(DIM, &plain(&f.rule.id))
    )
}

fn excerpt(view: &View<'_>, o: &Occurrence, paint: Paint, out: &mut Vec<u8>) -> io::Result<()> {
    let Some(marked) = view.excerpt(o) else { return Ok(()) };
    let [before, mark, after] = marked.parts();
    let number = o.location.line.to_string();
    writeln!(out, "  {number:>7} | {before}{}{after}", paint.on(RED, mark))?;
    let (pad, carets) = (width(before), "^".repeat(width(mark).max(1)));
    writeln!(out, "  {:>7} | {:pad$}{}", "", "", paint.on(BOLD_RED, &carets))
}

fn about(view: &View<'_>, o: &Occurrence, out: &mut Vec<u8>) -> io::Result<()> {
    if let Some(since) = view.since(o) {
        writeln!(out, "  since     {since}")?;
    }
    let via = via(o);
    if !via.is_empty() {
        writeln!(out, "  within    {via}")?;
    }
    for p in &o.partners {
        writeln!(out, "  with      {} on line {}", plain(&p.name), p.line)?;
    }
    if let (_, Some(by)) = view.standing(o) {
        writeln!(out, "  accepted  {}", view.accepted(by))?;
    }
    Ok(())
}

fn others(view: &View<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let total = view.finding.occurrences.len() - 1;
    for o in view.others().take(PLACES) {
        let standing = match view.standing(o) {
            ("new", _) => String::new(),
            (word, _) => format!(" ({word})"),
        };
        writeln!(out, "  and at    {}{standing}", view.place(o))?;
    }
    if total > PLACES {
        writeln!(out, "            and {} more", total - PLACES)?;
    }
    Ok(())
}

/// Findings of earlier sweeps that are gone.
fn past(report: &Report<'_>, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    for (sentence, list) in words::past(report) {
        writeln!(out, "{}.", paint.on(BOLD, &sentence))?;
        for past in list {
            let repository = plain(&report.veil.text(&past.repository)).into_owned();
            writeln!(
                out,
                "  {} {} ({}) in {repository}",
                past.fingerprint,
                plain(&past.rule),
                past.severity.as_str()
            )?;
        }
    }
    Ok(())
}

fn summary(report: &Report<'_>, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let c = report.coverage;
    if report.findings.is_empty() {
        writeln!(out, "{}", paint.on(BOLD, "No findings."))?;
    } else {
        let tally = Tally::of(report.findings);
        let head = count(report.findings.len() as u64, "finding");
        let places = count(tally.places, "place");
        writeln!(out, "{} in {places}: {}", paint.on(BOLD, &head), tally.severities())?;
        writeln!(out, "  {}", tally.standing())?;
    }
    if report.below > 0 {
        let these = count(report.below, "weaker finding");
        writeln!(out, "  {these} not listed: lower --min-confidence or --min-severity to see more")?;
    }
    past(report, paint, out)?;
    writeln!(out, "Read {}.", words::read(c))?;
    if let Some(life) = report.lifecycle.filter(|l| l.remembered > 0) {
        writeln!(out, "Known from earlier sweeps: {}.", count(life.remembered, "object"))?;
    }
    if let Some(asked) = words::asked(report) {
        writeln!(out, "{asked}.")?;
    }
    for notice in report.checks.iter().flat_map(|checks| &checks.notices) {
        writeln!(out, "  {}", plain(&report.veil.text(notice)))?;
    }
    if c.out_of_scope() > 0 {
        writeln!(out, "Left out on purpose: {}.", count(c.out_of_scope(), "item"))?;
        for (reason, n) in words::skipped(c, Scope::Out) {
            writeln!(out, "  {} {n}: {}", reason.as_str(), reason.cure())?;
        }
    }
    if let Some(sentence) = words::incomplete(c) {
        writeln!(out, "{}", paint.on(BOLD_RED, &format!("{sentence}.")))?;
        for (reason, n) in words::skipped(c, Scope::Failed) {
            writeln!(out, "  {} {n}: {}", reason.as_str(), reason.cure())?;
            let listed = c.list.iter().filter(|s| s.reason == reason).take(ITEMS);
            let mut shown = 0;
            for s in listed {
                writeln!(
                    out,
                    "    {}{}",
                    plain(&report.veil.place(&s.provenance)),
                    plain(&words::detail(&s.detail, report.veil))
                )?;
                shown += 1;
            }
            if shown > 0 && n > shown {
                writeln!(out, "    and {} more", n - shown)?;
            }
        }
    }
    writeln!(out, "{} (exit {})", words::verdict(report), report.exit_code)
}
