//! `sarif`: SARIF 2.1.0 within what GitHub takes. One result an occurrence.
//!
//! A run is written piece by piece: tool, results, then the invocation, because what had to be cut
//! is only known once the results are out.

mod cut;
mod notice;
mod rules;

use super::verdict::{Proof, Rights};
use super::view::{STDIN, View, is_stdin, via};
use super::{Format, Report, escape};
use crate::model::{By, Occurrence, Provenance, Severity, Suppression};
use cut::Plan;
use rules::Rules;
use serde::Serialize;
use serde_json::json;
use std::collections::HashMap;
use std::io::{self, Write};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const ROOT: &str = "%SRCROOT%";

/// What a run may hold. GitHub refuses more than 25,000 results, or 10 MB once compressed, which
/// text of this kind reaches at about eight times that.
const LIMITS: Limits = Limits { results: 25_000, bytes: 80_000_000 };

#[derive(Clone, Copy)]
struct Limits {
    results: usize,
    bytes: usize,
}

/// The format.
pub(super) struct Sarif;

impl Format for Sarif {
    fn name(&self) -> &'static str {
        "sarif"
    }

    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        write_within(report, LIMITS, out)
    }
}

fn write_within(report: &Report<'_>, limits: Limits, out: &mut dyn Write) -> io::Result<()> {
    let plan = Plan::new(report.findings, limits.results);
    let rules = Rules::of(report.findings, report.veil);
    let mut line = Vec::new();
    write!(line, "{{\n\"$schema\":\"{SCHEMA}\",\n\"version\":\"2.1.0\",\n\"runs\":[{{\n\"tool\":")?;
    escape::json(&mut line, &rules.tool(report.coverage))?;
    line.extend_from_slice(b",\n\"columnKind\":\"unicodeCodePoints\",\n\"automationDetails\":");
    escape::json(&mut line, &json!({"id": automation(report.category)}))?;
    write!(line, ",\n\"originalUriBaseIds\":{{\"{ROOT}\":{{\"description\":")?;
    escape::json(&mut line, &json!({"text": "The folder that was scanned."}))?;
    line.extend_from_slice(b"}},\n\"results\":[");
    out.write_all(&line)?;

    let mut written = line.len();
    let mut results = 0;
    'findings: for (index, quota) in plan.quotas() {
        let view = View::new(&report.findings[index], report.veil);
        let mut nth = HashMap::new();
        for o in view.finding.occurrences.iter().take(quota) {
            line.clear();
            line.extend_from_slice(if results == 0 { b"\n" } else { b",\n" });
            escape::json(&mut line, &result(&view, o, &rules, plan.any_accepted, &mut nth))?;
            if written + line.len() > limits.bytes {
                break 'findings;
            }
            out.write_all(&line)?;
            written += line.len();
            results += 1;
        }
    }

    line.clear();
    line.extend_from_slice(b"\n],\n\"invocations\":[");
    escape::json(&mut line, &notice::invocation(report, results, plan.total))?;
    line.extend_from_slice(b"]\n}]\n}\n");
    out.write_all(&line)
}

/// GitHub takes what stands before the last slash as the category, and none if there is no slash.
fn automation(category: &str) -> String {
    match category {
        "" => "keywheel/".to_owned(),
        c if c.ends_with('/') => c.to_owned(),
        c => format!("{c}/"),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Place; 1],
    partial_fingerprints: Prints<'a>,
    baseline_state: &'static str,
    /// All results of a run have it, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressions: Option<Vec<Accepted>>,
    properties: Properties,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    physical_location: Physical,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
    start_column: u64,
    end_line: u64,
    end_column: u64,
}

#[derive(Serialize)]
struct Prints<'a> {
    #[serde(rename = "primaryLocationLineHash")]
    line: String,
    #[serde(rename = "keywheelFingerprint/v1")]
    value: &'a str,
}

#[derive(Serialize)]
struct Accepted {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

#[derive(Serialize)]
struct Properties {
    severity: &'static str,
    confidence: &'static str,
    validity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<Rights>,
}

fn result<'a>(
    view: &View<'a>,
    o: &'a Occurrence,
    rules: &Rules<'_>,
    any_accepted: bool,
    nth: &mut HashMap<String, u64>,
) -> SarifResult<'a> {
    let f = view.finding;
    let place = physical(view, o);
    let n = nth.entry(place.artifact_location.uri.clone()).and_modify(|n| *n += 1).or_insert(1);
    let tag = f.fingerprint.as_str().rsplit(':').next().unwrap_or_default();
    let (status, by) = view.standing(o);
    SarifResult {
        rule_id: &f.rule.id,
        rule_index: rules.index(&f.rule.id),
        level: level(f.severity),
        message: Text { text: message(view, o) },
        locations: [Place { physical_location: place }],
        partial_fingerprints: Prints {
            line: format!("{}:{n}", tag.get(..16).unwrap_or(tag)),
            value: f.fingerprint.as_str(),
        },
        baseline_state: if status == "known" { "unchanged" } else { "new" },
        suppressions: any_accepted.then(|| by.map(|s| accepted(view, s)).into_iter().collect()),
        properties: Properties {
            severity: f.severity.as_str(),
            confidence: f.confidence.as_str(),
            validity: f.validity.as_str(),
            evidence: view.evidence(),
            access: view.rights(),
        },
    }
}

fn accepted(view: &View<'_>, s: &Suppression) -> Accepted {
    let kind = match s.by {
        By::Inline => "inSource",
        By::Baseline | By::Config | By::Old | By::Sweep => "external",
    };
    Accepted { kind, status: "accepted", justification: view.accepted(s) }
}

/// The level that belongs to a severity.
fn level(s: Severity) -> &'static str {
    match s {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

fn message(view: &View<'_>, o: &Occurrence) -> String {
    let f = view.finding;
    let mut text = format!(
        "{} ('{}') of {} stands here",
        escape::sarif(&f.rule.name),
        escape::sarif(&f.secret.redacted()),
        escape::sarif(&f.rule.provider_name),
    );
    let members: Vec<_> = o.provenance.members.iter().map(|m| escape::sarif(&member(view, m))).collect();
    if !members.is_empty() {
        let (line, column) = (o.location.line, o.location.start + 1);
        text += &format!(", in the member '{}' at line {line}, column {column}", members.join("!"));
    }
    let via = via(o);
    if !via.is_empty() {
        text += &format!(", within {via}");
    }
    if let Some(since) = view.since(o) {
        text += &format!(", since {}", escape::sarif(&since));
    }
    // Its words are ours, and an address must stay whole, except where it quotes who accepted.
    let next = view.next();
    let next = if view.acceptance().is_some() { escape::sarif(&next) } else { next };
    text += &format!(". Validity: {}. Next: {next}.", escape::sarif(&view.verdict()));
    text
}

/// A member's name. Its valid text stays readable, since [`escape::sarif`] encodes the rest.
fn member(view: &View<'_>, name: &crate::model::RawPath) -> String {
    let bytes = view.name(name);
    match std::str::from_utf8(&bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => crate::model::RawPath::new(&bytes).text(),
    }
}

fn physical(view: &View<'_>, o: &Occurrence) -> Physical {
    let l = o.location;
    // An archive has no lines of its own; the message says where in the member the value stands.
    let region = if o.provenance.members.is_empty() {
        let end_line = l.end_line.max(l.line).max(1);
        let start_column = l.start + 1;
        let end_column = if end_line > l.line { l.end + 1 } else { (l.end + 1).max(start_column) };
        Region { start_line: l.line.max(1), start_column, end_line, end_column }
    } else {
        Region { start_line: 1, start_column: 1, end_line: 1, end_column: 1 }
    };
    Physical {
        artifact_location: artifact(&o.provenance, &view.name(&o.provenance.path)),
        region: Some(region),
    }
}

/// A place as a URI: relative to the scanned root, unless the path is absolute.
fn artifact(p: &Provenance, path: &[u8]) -> Artifact {
    if is_stdin(p) {
        Artifact { uri: STDIN.to_owned(), uri_base_id: Some(ROOT) }
    } else if path.first() == Some(&b'/') {
        Artifact { uri: format!("file://{}", escape::uri(path)), uri_base_id: None }
    } else {
        // What is not in the files that are checked out has no file to be shown in. Its own name
        // would put the alert on whatever stands there now.
        let gone = p.origin.as_ref().is_some_and(|o| !o.at_head) && !path.starts_with(b".git/");
        let folder = if gone { ".git/history/" } else { "" };
        Artifact { uri: format!("{folder}{}", escape::uri(path)), uri_base_id: Some(ROOT) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
