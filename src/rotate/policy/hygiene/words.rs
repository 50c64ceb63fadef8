//! The account in words: for a terminal, and in Markdown.

use super::{Hygiene, InUse, KeyLine, Standing};
use crate::report::escape::{markdown, markdown_code, plain};
use crate::rotate::inventory::Spot;
use crate::rotate::policy::Period;
use std::fmt::{self, Write};

/// Places listed for one key.
const SPOTS: usize = 3;
/// Weeks of the trend that have room in a line.
const WEEKS: usize = 6;
/// Earlier accounts that are listed.
const PAST: usize = 12;

impl Hygiene {
    /// For a job summary or a comment.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let _ = self.write_markdown(&mut out);
        out
    }

    fn write_markdown(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "## Keywheel: keys by team\n")?;
        writeln!(out, "| Team | Keys | Late | Never rotated | Unowned | Over quota | In code |")?;
        writeln!(out, "|---|---:|---:|---:|---:|---:|---:|")?;
        for t in &self.teams {
            let name = markdown(&t.team);
            let (never, full) = (t.never_rotated, t.over_quota);
            writeln!(
                out,
                "| {name} | {} | {} | {never} | {} | {full} | {} |",
                t.keys, t.late, t.unowned, t.in_code
            )?;
        }
        self.lists(out, "\n### ", "- ", &|text| markdown(text), &|text| markdown_code(text))?;
        writeln!(out, "\n**{}**", self.verdict())
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = self.write_text(&mut out);
        out
    }

    fn write_text(&self, out: &mut String) -> fmt::Result {
        let head = ["team", "keys", "late", "never rotated", "unowned", "over quota", "in code"];
        let width = self.teams.iter().map(|t| t.team.len()).chain([head[0].len()]).max().unwrap_or(0);
        let [a, b, c, d, e, f, g] = head;
        writeln!(out, "{a:width$}  {b:>4}  {c:>4}  {d:>13}  {e:>7}  {f:>10}  {g:>7}")?;
        for t in &self.teams {
            let (name, never, full) = (plain(&t.team), t.never_rotated, t.over_quota);
            let (unowned, code) = (t.unowned, t.in_code);
            writeln!(
                out,
                "{name:width$}  {:>4}  {:>4}  {never:>13}  {unowned:>7}  {full:>10}  {code:>7}",
                t.keys, t.late
            )?;
        }
        self.lists(out, "\n", "  ", &|text| plain(text).into_owned(), &|text| plain(text).into_owned())?;
        writeln!(out, "\n{}", self.verdict())
    }

    fn lists(
        &self,
        out: &mut String,
        heading: &str,
        item: &str,
        words: Put<'_>,
        code: Put<'_>,
    ) -> fmt::Result {
        if !self.late.is_empty() {
            writeln!(out, "{heading}Late\n")?;
        }
        for l in &self.late {
            let age = l.age.map_or("of unknown age".to_owned(), |age| {
                format!("{} old, late by {}", rough(age), rough(l.late))
            });
            writeln!(out, "{item}{} (team {}): {age}; cadence {}", code(&l.key), words(&l.team), l.cadence)?;
        }
        for (title, list) in
            [("Nobody answers for", &self.unowned), ("No room for a new key", &self.over_quota)]
        {
            if !list.is_empty() {
                writeln!(out, "{heading}{title}\n")?;
            }
            for key in list {
                writeln!(out, "{item}{}", code(key))?;
            }
        }
        self.in_code(out, heading, item, words, code)?;
        self.usage.as_ref().map_or(Ok(()), |usage| in_use(usage, out, heading, item, words, code))
    }

    fn in_code(
        &self,
        out: &mut String,
        heading: &str,
        item: &str,
        words: Put<'_>,
        code: Put<'_>,
    ) -> fmt::Result {
        let Some(found) = &self.code else { return Ok(()) };
        if !found.known.is_empty() {
            writeln!(out, "{heading}In the inventory and in code\n")?;
        }
        for k in &found.known {
            let value = if k.current { "its current value" } else { "an earlier value" };
            let live = if k.active { ", proved active" } else { "" };
            writeln!(out, "{item}{}: {value}{live}: {}", code(&k.key), spots(&k.spots, code))?;
        }
        if !found.unknown.is_empty() {
            writeln!(out, "{heading}In code and not in the inventory\n")?;
        }
        for gap in &found.unknown {
            let live = if gap.active { ", proved active" } else { "" };
            let ask = gap.nearest.as_ref().map_or("nobody is known to ask".to_owned(), |n| {
                format!("ask {} ({})", words(&n.owners.join(" ")), words(&n.because))
            });
            writeln!(out, "{item}{}{live}: {}; {ask}", words(&gap.rule), spots(&gap.spots, code))?;
        }
        writeln!(out, "\n{} of the inventory not seen in code.", count(found.unseen, "key"))?;
        if !found.blind.is_empty() {
            let n = found.blind.len();
            writeln!(out, "{} without a fingerprint, which no scan can recognise.", count(n, "key"))?;
        }
        Ok(())
    }

    pub(super) fn verdict(&self) -> &'static str {
        if self.is_clean() { "The gate passes." } else { "The gate fails." }
    }
}

/// What makes a text harmless where it is put.
type Put<'a> = &'a dyn Fn(&str) -> String;

fn in_use(
    usage: &InUse,
    out: &mut String,
    heading: &str,
    item: &str,
    words: Put<'_>,
    code: Put<'_>,
) -> fmt::Result {
    writeln!(out, "{heading}Use from {} to {}\n", usage.from, usage.to)?;
    for line in usage.keys.iter().filter(|line| line.standing != Standing::Untold) {
        writeln!(out, "{item}{} (team {}): {}", code(&line.key), words(&line.team), spent(line))?;
    }
    let mut unused = usage.unused().peekable();
    if unused.peek().is_some() {
        writeln!(out, "{heading}Unused: candidates for deletion\n")?;
    }
    for line in unused {
        let last =
            line.last.as_ref().map_or("no use is known".to_owned(), |last| format!("last used {last}"));
        writeln!(out, "{item}{} (team {}): {last}", code(&line.key), words(&line.team))?;
    }
    if !usage.places.is_empty() {
        writeln!(out, "{heading}Used from places that the inventory does not know\n")?;
    }
    for place in &usage.places {
        writeln!(out, "{item}{} from {}, last {}", code(&place.key), code(&place.place), place.last)?;
    }
    if !usage.strangers.is_empty() {
        writeln!(out, "{heading}In use and not in the inventory\n")?;
    }
    for s in &usage.strangers {
        let (requests, dollars) = (s.requests, s.dollars);
        writeln!(
            out,
            "{item}{} of {}: {requests} requests, {dollars:.2} US dollars, last used {}",
            code(&s.key),
            words(&s.provider),
            s.last.as_deref().unwrap_or("at a time that nobody tells")
        )?;
    }
    writeln!(out, "{heading}Trend\n")?;
    for week in usage.weeks.iter().rev().take(WEEKS).rev() {
        let (requests, dollars) = (week.requests, week.dollars);
        writeln!(out, "{item}week of {}: {requests} requests, {dollars:.2} US dollars", week.begins)?;
    }
    for past in usage.past.iter().rev().take(PAST).rev() {
        let counts: Vec<_> = past.counts.iter().map(|(what, n)| format!("{n} {}", words(what))).collect();
        writeln!(out, "{item}{}: {}", past.day, counts.join(", "))?;
    }
    let untold: Vec<_> = usage.keys.iter().filter(|line| line.standing == Standing::Untold).collect();
    if !untold.is_empty() {
        writeln!(out, "{heading}Nothing is told of their use\n")?;
    }
    for line in untold {
        writeln!(out, "{item}{}: {}", code(&line.key), line.why)?;
    }
    if usage.undeclared > 0 {
        writeln!(
            out,
            "\n{} used from places that nobody looked at: no consumer of theirs names its `places`.",
            count(usage.undeclared, "key")
        )?;
    }
    Ok(())
}

/// What a key did and cost.
fn spent(line: &KeyLine) -> String {
    let age = line.age.map_or("of unknown age".to_owned(), |age| format!("{} old", rough(age)));
    let mut text = format!(
        "{age}, cadence {}; {} requests, {:.2} US dollars (before: {:.2})",
        line.cadence, line.requests, line.dollars, line.dollars_before
    );
    if line.errors > 0 {
        let _ = write!(text, ", {} failed", line.errors);
    }
    if let Some(last) = &line.last {
        let _ = write!(text, "; last used {last}");
    }
    text
}

/// Whole days of more than one.
pub(super) fn rough(time: Period) -> Period {
    const DAY: u64 = 86_400;
    if time.as_secs() < DAY { time } else { Period::days(time.as_secs() / DAY) }
}

pub(super) fn spots(spots: &[Spot], code: Put<'_>) -> String {
    let shown: Vec<_> = spots.iter().take(SPOTS).map(|s| code(&format!("{}:{}", s.path, s.line))).collect();
    let more = spots.len().saturating_sub(SPOTS);
    let more = if more == 0 { String::new() } else { format!(" and {}", count(more, "other place")) };
    format!("{}{more}", shown.join(", "))
}

pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
