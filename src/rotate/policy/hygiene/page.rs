//! The account as one page that asks nobody for anything: tables, and drawings as SVG without a script.

use super::words::{count, rough, spots};
use super::{Hygiene, InUse, Standing, TeamLine};
use crate::report::escape::xml as escape;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Write;

const CSS: &str = include_str!("page.css");
/// Size of a drawing of weeks, in pixels.
const DRAWING: (f64, f64) = (120.0, 24.0);

impl Hygiene {
    /// The page.
    pub fn html(&self, now: Timestamp) -> String {
        let mut out = String::with_capacity(16 << 10);
        let day = now.to_zoned(TimeZone::UTC).date();
        let _ = write!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Keys by team</title>\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<style>{CSS}</style>\n</head>\n<body>\n\
             <h1>Keys by team</h1>\n<p class=\"{}\">{day}. {}</p>\n",
            if self.is_clean() { "good" } else { "bad" },
            self.verdict()
        );
        self.team_table(&mut out);
        let late = self.late.iter().map(|l| {
            let age = l.age.map_or("unknown".to_owned(), |age| rough(age).to_string());
            vec![code(&l.key), escape(&l.team), age, l.cadence.to_string(), rough(l.late).to_string()]
        });
        table(&mut out, "Late", &["Key", "Team", "Age", "Cadence", "Late by"], late);
        table(&mut out, "Nobody answers for", &["Key"], self.unowned.iter().map(|key| vec![code(key)]));
        table(&mut out, "No room for a new key", &["Key"], self.over_quota.iter().map(|key| vec![code(key)]));
        self.code_tables(&mut out);
        if let Some(usage) = &self.usage {
            usage_tables(usage, &mut out);
        }
        out += "</body>\n</html>\n";
        out
    }

    fn team_table(&self, out: &mut String) {
        let of = |t: &TeamLine| {
            let numbers = [t.keys, t.late, t.never_rotated, t.unowned, t.over_quota, t.in_code];
            [vec![escape(&t.team)], numbers.iter().map(ToString::to_string).collect()].concat()
        };
        let heads = ["Team", "Keys", "Late", "Never rotated", "Unowned", "Over quota", "In code"];
        table(out, "", &heads, self.teams.iter().map(of));
    }

    fn code_tables(&self, out: &mut String) {
        let Some(found) = &self.code else { return };
        let live = |active: bool| if active { "proved active" } else { "" }.to_owned();
        let known = found.known.iter().map(|k| {
            let value = if k.current { "current" } else { "earlier" };
            vec![code(&k.key), value.to_owned(), live(k.active), spots(&k.spots, &code)]
        });
        table(out, "In the inventory and in code", &["Key", "Value", "", "Where"], known);
        let unknown = found.unknown.iter().map(|gap| {
            let ask = gap.nearest.as_ref().map_or(String::new(), |n| escape(&n.owners.join(" ")));
            vec![escape(&gap.rule), live(gap.active), spots(&gap.spots, &code), ask]
        });
        table(out, "In code and not in the inventory", &["Rule", "", "Where", "Nearest to ask"], unknown);
        let _ = writeln!(out, "<p>{} of the inventory not seen in code.</p>", count(found.unseen, "key"));
    }
}

fn usage_tables(usage: &InUse, out: &mut String) {
    let _ = writeln!(out, "<h2>Use from {} to {}</h2>", usage.from, usage.to);
    let weeks: Vec<f64> = usage.weeks.iter().map(|w| w.dollars).collect();
    let total: f64 = weeks.iter().sum();
    // Where nothing tells a cost the requests show the course.
    #[allow(clippy::cast_precision_loss)] // because it is drawn
    let of = |weeks: &[(u64, f64)]| -> Vec<f64> {
        weeks.iter().map(|(n, dollars)| if total > 0.0 { *dollars } else { *n as f64 }).collect()
    };
    let told = usage.keys.iter().filter(|line| line.standing != Standing::Untold).map(|line| {
        let age = line.age.map_or("unknown".to_owned(), |age| rough(age).to_string());
        vec![
            code(&line.key),
            escape(&line.team),
            age,
            line.cadence.to_string(),
            line.requests.to_string(),
            line.tokens.to_string(),
            format!("{:.2}", line.dollars),
            format!("{:.2}", line.dollars_before),
            line.errors.to_string(),
            line.last.clone().unwrap_or_default(),
            drawing(&of(&line.weeks)),
        ]
    });
    let heads = [
        "Key",
        "Team",
        "Age",
        "Cadence",
        "Requests",
        "Tokens",
        "USD",
        "USD before",
        "Errors",
        "Last used",
        "Weeks",
    ];
    table(out, "", &heads, told);
    let unused = usage.unused().map(|line| {
        let last = line.last.clone().unwrap_or_else(|| "no use is known".to_owned());
        vec![code(&line.key), escape(&line.team), last]
    });
    table(out, "Unused: candidates for deletion", &["Key", "Team", "Last used"], unused);
    let places = usage.places.iter().map(|p| vec![code(&p.key), code(&p.place), p.last.clone()]);
    table(out, "Used from places that the inventory does not know", &["Key", "Place", "Last"], places);
    let strangers = usage.strangers.iter().map(|s| {
        let last = s.last.clone().unwrap_or_default();
        vec![code(&s.key), escape(&s.provider), s.requests.to_string(), format!("{:.2}", s.dollars), last]
    });
    let heads = ["Key", "Provider", "Requests", "USD", "Last used"];
    table(out, "In use and not in the inventory", &heads, strangers);
    #[allow(clippy::cast_precision_loss)] // because it is drawn
    let requests: Vec<f64> = usage.weeks.iter().map(|w| w.requests as f64).collect();
    let _ = writeln!(
        out,
        "<h2>Trend</h2>\n<p>By week since {}: requests {} US dollars {}</p>",
        usage.weeks.first().map_or("", |w| w.begins.as_str()),
        drawing(&requests),
        drawing(&weeks)
    );
    let past = usage.past.iter().map(|past| {
        let counts: Vec<_> = past.counts.iter().map(|(what, n)| format!("{n} {}", escape(what))).collect();
        vec![past.day.clone(), counts.join(", ")]
    });
    table(out, "", &["Day", "Counted"], past);
    let untold = usage.keys.iter().filter(|line| line.standing == Standing::Untold);
    let untold = untold.map(|line| vec![code(&line.key), escape(line.why)]);
    table(out, "Nothing is told of their use", &["Key", "Why"], untold);
    if usage.undeclared > 0 {
        let keys = count(usage.undeclared, "key");
        let _ = writeln!(
            out,
            "<p>{keys} used from places that nobody looked at: no consumer of theirs names its <code>places</code>.</p>"
        );
    }
}

/// A table with a heading; nothing if there are no rows. Cells are markup already.
fn table(out: &mut String, title: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    if !title.is_empty() {
        let _ = writeln!(out, "<h2>{title}</h2>");
    }
    let _ = writeln!(out, "<table>\n<tr><th>{}</tr>", heads.join("<th>"));
    for row in rows {
        let _ = writeln!(out, "<tr><td>{}</tr>", row.join("<td>"));
    }
    *out += "</table>\n";
}

/// Bars, one a week.
fn drawing(weeks: &[f64]) -> String {
    let most = weeks.iter().copied().fold(0.0, f64::max);
    let (width, height) = DRAWING;
    #[allow(clippy::cast_precision_loss)] // because it is drawn
    let step = width / weeks.len().max(1) as f64;
    let mut out = format!("<svg width=\"{width}\" height=\"{height}\" role=\"img\">");
    for (n, value) in weeks.iter().enumerate().filter(|(_, value)| **value > 0.0) {
        let tall = (height * value / most).max(1.0);
        #[allow(clippy::cast_precision_loss)]
        let left = step * n as f64;
        let _ = write!(
            out,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
            height - tall,
            step - 1.0
        );
    }
    out + "</svg>"
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}
