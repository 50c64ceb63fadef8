//! `gitlab`: GitLab's secret detection report, schema 15. It knows no acceptance, so what is known
//! or suppressed is counted in a message and not listed.

use super::view::View;
use super::words::{self, count};
use super::{Format, Report, escape};
use crate::model::{Finding, Occurrence, Scope, Severity};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{self, Write};

/// The schema that the report follows.
const VERSION: &str = "15.2.1";
/// How the schema wants a time: UTC, without saying so.
const TIME: &str = "%Y-%m-%dT%H:%M:%S";
/// What GitLab's own analyser writes where no commit is known.
const COMMIT: &str = "0000000";
/// The longest name, in characters.
const NAME: usize = 255;

/// The format.
pub(super) struct Gitlab;

impl Format for Gitlab {
    fn name(&self) -> &'static str {
        "gitlab"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut line = Vec::new();
        write!(line, "{{\n\"version\":\"{VERSION}\",\n\"scan\":")?;
        escape::json(&mut line, &scan(report))?;
        line.extend_from_slice(b",\n\"vulnerabilities\":[");
        out.write_all(&line)?;
        let mut first = true;
        for finding in report.findings {
            let view = View::new(finding, report.veil);
            let mut seen = HashMap::new();
            for o in finding.occurrences.iter().filter(|o| view.standing(o).0 == "new") {
                let nth = seen.entry(&o.provenance).and_modify(|n| *n += 1).or_insert(1u64);
                line.clear();
                line.extend_from_slice(if first { b"\n" } else { b",\n" });
                first = false;
                escape::json(&mut line, &vulnerability(&view, o, *nth))?;
                out.write_all(&line)?;
            }
        }
        out.write_all(b"\n]\n}\n")
    }
}

fn scan(report: &Report<'_>) -> Value {
    let c = report.coverage;
    let tool = json!({
        "id": "keywheel",
        "name": "Keywheel",
        "version": env!("CARGO_PKG_VERSION"),
        "vendor": {"name": "Keywheel"},
    });
    let mut messages = vec![json!({"level": "info", "value": format!("Read {}", words::read(c))})];
    let hidden = accepted(report);
    if hidden > 0 {
        let value =
            format!("{} not listed: known to the baseline or suppressed", count(hidden, "accepted place"));
        messages.push(json!({"level": "info", "value": value}));
    }
    for (reason, n) in words::skipped(c, Scope::Out) {
        let value = format!("Left out on purpose: {} {n} ({})", reason.as_str(), reason.cure());
        messages.push(json!({"level": "info", "value": value}));
    }
    for notice in report.checks.iter().flat_map(|checks| &checks.notices) {
        messages.push(json!({"level": "warn", "value": report.veil.text(notice)}));
    }
    if let Some(sentence) = words::incomplete(c) {
        messages.push(json!({"level": "warn", "value": sentence}));
    }
    for (reason, n) in words::skipped(c, Scope::Failed) {
        let value = format!("Not read whole: {} {n} ({})", reason.as_str(), reason.cure());
        messages.push(json!({"level": "warn", "value": value}));
    }
    json!({
        "analyzer": tool,
        "scanner": tool,
        "type": "secret_detection",
        "start_time": report.started.strftime(TIME).to_string(),
        "end_time": report.finished.strftime(TIME).to_string(),
        "status": if c.is_complete() { "success" } else { "failure" },
        "messages": messages,
    })
}

fn accepted(report: &Report<'_>) -> u64 {
    let of = |f: &Finding| {
        let view = View::new(f, report.veil);
        f.occurrences.iter().filter(|o| view.standing(o).0 != "new").count() as u64
    };
    report.findings.iter().map(of).sum()
}

fn vulnerability(view: &View<'_>, o: &Occurrence, nth: u64) -> Value {
    let f = view.finding;
    let severity = match f.severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
        Severity::Info => "Info",
    };
    let mut rule = json!({"type": "keywheel_rule_id", "name": format!("Keywheel rule {}", f.rule.id), "value": f.rule.id});
    let mut links = Vec::new();
    if let Some(url) = view.docs() {
        rule["url"] = json!(url);
        links.push(json!({"name": f.rule.provider_name, "url": url}));
    }
    let description = format!(
        "{} of {} ({}) at {}. Confidence {}, validity {}.",
        escape::markdown(&f.rule.name),
        escape::markdown(&f.rule.provider_name),
        escape::markdown(&f.secret.redacted()),
        escape::markdown_code(&view.place(o)),
        f.confidence,
        escape::markdown(&view.verdict()),
    );
    // The column for the source line stays empty: GitLab wants it raw, and raw it holds the secret.
    let mut out = json!({
        "id": id(view, o, nth),
        "category": "secret_detection",
        "name": f.rule.name.chars().take(NAME).collect::<String>(),
        "description": description,
        "severity": severity,
        "solution": format!("What to do: {}.", escape::markdown(&view.next())),
        "identifiers": [rule],
        "links": links,
        "location": {
            "file": view.file(&o.provenance),
            "commit": {"sha": COMMIT},
            "start_line": o.location.line,
            "end_line": o.location.end_line,
        },
        "details": {
            "fingerprint": {"name": "Fingerprint", "type": "text", "value": f.fingerprint.as_str()},
            "validity": {"name": "Validity", "type": "text", "value": f.validity.as_str()},
        },
    });
    for (key, name, text) in
        [("evidence", "Evidence", Some(view.proof())), ("access", "Access", view.access())]
    {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            out["details"][key] = json!({"name": name, "type": "text", "value": text});
        }
    }
    out
}

/// A UUID that depends on the value and its place in order, and not on its line.
fn id(view: &View<'_>, o: &Occurrence, nth: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(view.finding.fingerprint.as_str());
    for name in std::iter::once(&o.provenance.path).chain(&o.provenance.members) {
        hash.update([0]);
        hash.update(name.as_bytes());
    }
    hash.update([0, 0]);
    hash.update(nth.to_le_bytes());
    let mut raw: [u8; 16] = [0; 16];
    raw.copy_from_slice(&hash.finalize()[..16]);
    // Version 8 (made by a rule of one's own) and the usual variant.
    raw[6] = raw[6] & 0x0f | 0x80;
    raw[8] = raw[8] & 0x3f | 0x80;
    let n = u128::from_be_bytes(raw);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        (n >> 80) & 0xffff,
        (n >> 64) & 0xffff,
        (n >> 48) & 0xffff,
        n & 0xffff_ffff_ffff
    )
}
