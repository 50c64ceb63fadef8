//! Use over time as one page that asks nobody for anything: data, drawing and the library for it stand in the file.

use super::table::{By, Owners, Table, table};
use super::{Numbers, Store, StoreError, time};
use crate::report::escape::xml as escape;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The library, as its npm package has it; see `uplot/README.md`.
const UPLOT: &str = include_str!("uplot/uPlot.iife.min.js");
const UPLOT_CSS: &str = include_str!("uplot/uPlot.min.css");
const LICENSE: &str = include_str!("uplot/LICENSE");
const CSS: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Most services that are drawn one by one; the others are drawn together.
const MOST: usize = 10;
/// Most keys in the table of the page.
const KEYS: usize = 500;
/// Longest time that is drawn by the hour.
const BY_HOUR: i64 = 8 * time::DAY;

/// A moment that the drawing shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Seconds since 1970.
    pub at: i64,
    /// `rotation`, `spike` or another word.
    pub kind: String,
    /// The lineage or key.
    pub subject: String,
    /// A sentence.
    pub text: String,
}

/// A time in which the old and the new key of a rotation both worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Seconds since 1970.
    pub from: i64,
    /// None while the old key still works.
    pub to: Option<i64>,
    /// The lineage.
    pub subject: String,
}

/// Writes the page.
///
/// # Errors
/// SQLite's.
pub fn page(
    store: &Store,
    from: i64,
    to: i64,
    owners: &Owners,
    marks: &[Mark],
    overlaps: &[Overlap],
) -> Result<String, StoreError> {
    let step = if to - from <= BY_HOUR { time::HOUR } else { time::DAY };
    let by_time = if step == time::HOUR { By::Hour } else { By::Day };
    let series = table(store, from, to, &[By::Service, by_time], owners)?;
    let keys = table(store, from, to, &[By::Service, By::Key, By::Provider], owners)?;
    let data = data(&series, from, to, step, marks, overlaps).to_string();
    let mut out = String::with_capacity(160 << 10);
    let [first, last] = [from, to].map(|at| time::shown(at, time::HOUR));
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Use of keys</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <style>{UPLOT_CSS}\n{CSS}</style>\n</head>\n<body>\n<h1>Use of keys</h1>\n\
         <p class=\"quiet\">{first} to {last}, in UTC. Each figure is that of the nearest source.</p>\n"
    );
    let t = &keys.total;
    let _ = writeln!(
        out,
        "<p>{} requests, {} tokens in, {} out, {:.2} US dollars, {} errors.</p>",
        thousands(t.requests),
        thousands(t.input),
        thousands(t.output),
        t.dollars(),
        thousands(t.errors)
    );
    out += "<h2>By service</h2>\n<p><button data-measure=\"requests\">Requests</button> <button \
            data-measure=\"tokens\">Tokens</button> <button data-measure=\"cost\">US dollars</button></p>\n\
            <div id=\"plot\"></div>\n<div id=\"legend\"></div>\n<div id=\"signs\"></div>\n\
            <noscript><p>The drawing needs scripts; the tables do not.</p></noscript>\n";
    key_table(&keys, &mut out);
    mark_table(marks, from, to, &mut out);
    overlap_table(overlaps, to, &mut out);
    // Nothing in a text may end the element that it stands in.
    let data = data.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let license = LICENSE.trim();
    let _ = write!(
        out,
        "<script type=\"application/json\" id=\"data\">{data}</script>\n<!-- uPlot:\n{license}\n-->\n\
         <script>{UPLOT}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    );
    Ok(out)
}

/// What the drawing needs.
fn data(series: &Table, from: i64, to: i64, step: i64, marks: &[Mark], overlaps: &[Overlap]) -> Value {
    let mut services: BTreeMap<&str, BTreeMap<i64, Numbers>> = BTreeMap::new();
    let mut times: BTreeSet<i64> =
        (time::floor(from, step)..to).step_by(usize::try_from(step).unwrap_or(3600)).collect();
    for (names, numbers) in &series.rows {
        let Some(at) = time::read(&Value::from(names[1].as_str())) else { continue };
        times.insert(at);
        services.entry(&names[0]).or_default().entry(at).or_default().add(numbers);
    }
    let size = |of: &BTreeMap<i64, Numbers>| {
        of.values()
            .fold((0, 0), |(cost, tokens), n| (cost + n.cost, tokens + n.input + n.output + n.requests))
    };
    let mut order: Vec<_> = services.into_iter().collect();
    order.sort_by_key(|(_, of)| std::cmp::Reverse(size(of)));
    let mut drawn: Vec<(String, BTreeMap<i64, Numbers>)> = Vec::new();
    for (n, (name, of)) in order.into_iter().enumerate() {
        if n < MOST {
            drawn.push((name.to_owned(), of));
        } else {
            if n == MOST {
                drawn.push(("(others)".to_owned(), BTreeMap::new()));
            }
            if let Some((_, others)) = drawn.last_mut() {
                of.into_iter().for_each(|(at, n)| others.entry(at).or_default().add(&n));
            }
        }
    }
    let column = |of: &BTreeMap<i64, Numbers>, value: fn(&Numbers) -> f64| -> Vec<f64> {
        times.iter().map(|at| of.get(at).map_or(0.0, value)).collect()
    };
    #[allow(clippy::cast_precision_loss)] // because it is drawn
    let services: Vec<Value> = drawn
        .iter()
        .map(|(name, of)| {
            json!({
                "name": name, "requests": column(of, |n| n.requests as f64),
                "tokens": column(of, |n| n.input.saturating_add(n.output) as f64),
                "cost": column(of, Numbers::dollars),
            })
        })
        .collect();
    let t = &series.total;
    let first = match (t.cost, t.requests) {
        (1.., _) => "cost",
        (_, 1..) => "requests",
        _ => "tokens",
    };
    let marks: Vec<Value> = marks.iter().map(|m| json!({"at": m.at, "kind": m.kind})).collect();
    let overlaps: Vec<Value> = overlaps
        .iter()
        .map(|o| json!({"from": o.from.max(from), "to": o.to.unwrap_or(to).min(to)}))
        .collect();
    json!({"times": times, "services": services, "marks": marks, "overlaps": overlaps, "first": first})
}

fn key_table(keys: &Table, out: &mut String) {
    let most = keys.rows.iter().map(|(_, n)| weight(n)).fold(0.0, f64::max).max(1e-9);
    *out += "<h2>By key</h2>\n<table>\n<tr><th>Service<th>Key<th>Provider<th class=\"n\">Requests<th class=\"n\">Tokens \
             in<th class=\"n\">out<th class=\"n\">USD<th class=\"n\">Errors<th style=\"width:20%\"></tr>\n";
    for (names, n) in keys.rows.iter().take(KEYS) {
        let _ = writeln!(
            out,
            "<tr><td>{}<td class=\"code\">{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td \
             class=\"n\">{:.2}<td class=\"n\">{}<td><div class=\"bar\" style=\"width:{:.1}%\"></div></tr>",
            escape(&names[0]),
            escape(&names[1]),
            escape(&names[2]),
            thousands(n.requests),
            thousands(n.input),
            thousands(n.output),
            n.dollars(),
            thousands(n.errors),
            100.0 * weight(n) / most
        );
    }
    *out += "</table>\n";
    if keys.rows.len() > KEYS {
        let _ =
            writeln!(out, "<p class=\"quiet\">{} further keys are not listed.</p>", keys.rows.len() - KEYS);
    }
    for (n, what) in [
        (keys.unknown, "keys are not in the inventory"),
        (keys.weak, "keys are known from an audit log only: readings of the key, not uses"),
        (keys.doubled, "keys are told of by several sources"),
    ] {
        if n > 0 {
            let _ = writeln!(out, "<p class=\"quiet\">{n} {what}.</p>");
        }
    }
}

/// What a key's bar is as long as: its cost, or its tokens where nothing tells what they cost.
#[allow(clippy::cast_precision_loss)] // because it is drawn
fn weight(n: &Numbers) -> f64 {
    if n.cost > 0 { n.dollars() } else { (n.input.saturating_add(n.output)) as f64 / 1e9 }
}

fn mark_table(marks: &[Mark], from: i64, to: i64, out: &mut String) {
    let inside: Vec<_> = marks.iter().filter(|m| (from..to).contains(&m.at)).collect();
    if inside.is_empty() {
        return;
    }
    *out += "<h2>Marks</h2>\n<table>\n<tr><th>When<th>What<th>Key<th></tr>\n";
    for mark in inside {
        let _ = writeln!(
            out,
            "<tr><td>{}<td>{}<td class=\"code\">{}<td>{}</tr>",
            time::shown(mark.at, time::HOUR),
            escape(&mark.kind),
            escape(&mark.subject),
            escape(&mark.text)
        );
    }
    *out += "</table>\n";
}

fn overlap_table(overlaps: &[Overlap], to: i64, out: &mut String) {
    if overlaps.is_empty() {
        return;
    }
    *out += "<h2>Both keys at work</h2>\n<table>\n<tr><th>Key<th>From<th>Until<th class=\"n\">Hours</tr>\n";
    for o in overlaps {
        let until = o.to.map_or_else(|| "still".to_owned(), |at| time::shown(at, time::HOUR));
        let _ = writeln!(
            out,
            "<tr><td class=\"code\">{}<td>{}<td>{until}<td class=\"n\">{}</tr>",
            escape(&o.subject),
            time::shown(o.from, time::HOUR),
            thousands((o.to.unwrap_or(to) - o.from).max(0) / time::HOUR)
        );
    }
    *out += "</table>\n";
}

fn thousands(n: i64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Class;
    use crate::usage::{Measures, Row, SourceInfo, Stretch};

    #[test]
    fn a_page_holds_all_that_it_needs_and_no_name_becomes_markup() {
        let path = std::env::temp_dir().join(format!("keywheel-page-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let store = Store::open(&path).unwrap();
        let source = SourceInfo {
            name: "s".to_owned(),
            provider: "acme".to_owned(),
            class: Class::Provider,
            grain: 3600,
            measures: Measures { requests: true, cost: true, ..Measures::default() },
        };
        let numbers = Numbers { requests: 1_234, cost: 2_500_000_000, ..Numbers::default() };
        let name = "</script><img src=x>";
        let row = Row { key: name.to_owned(), at: 3600, model: String::new(), place: String::new(), numbers };
        let last = BTreeMap::new();
        let stretch = Stretch { source: &source, from: 0, to: 86_400, rows: &[row], last: &last, now: 0 };
        store.replace(&stretch).unwrap();
        let owner = crate::usage::table::Owner { service: name.to_owned(), ..Default::default() };
        let owners = Owners::from([(("acme".to_owned(), name.to_owned()), owner)]);
        let mark =
            Mark { at: 7200, kind: "spike".to_owned(), subject: name.to_owned(), text: "x & y".to_owned() };
        let overlaps = [
            Overlap { from: -7200, to: Some(18_000), subject: name.to_owned() },
            Overlap { from: 36_000, to: None, subject: "shop".to_owned() },
        ];
        let text = page(&store, 0, 86_400, &owners, &[mark], &overlaps).unwrap();
        drop(store);
        let _ = std::fs::remove_file(&path);
        assert!(!text.contains("<img"), "a name became markup");
        assert!(text.contains("1\u{202f}234") && text.contains("2.50") && text.contains("x &amp; y"));
        assert!(
            text.contains("<td>still<td class=\"n\">14</tr>") && text.contains("<td class=\"n\">7</tr>"),
            "{text}"
        );
        assert!(text.contains("default-src 'none'") && text.contains("Leon Sorokin"));
        for loads in ["src=\"", "href=", "@import", "fetch(", "XMLHttpRequest", "url("] {
            assert!(!text.contains(loads), "{loads}");
        }
        let data = text.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((data["times"].as_array().unwrap().len(), &data["first"]), (24, &"cost".into()));
        let windows = json!([{"from": 0, "to": 18_000}, {"from": 36_000, "to": 86_400}]);
        assert_eq!(data["overlaps"], windows, "what is drawn lies within the page's time");
        assert_eq!(
            (&data["services"][0]["name"], &data["services"][0]["cost"][1]),
            (&name.into(), &2.5.into())
        );
    }
}
