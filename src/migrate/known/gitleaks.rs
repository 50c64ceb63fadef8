//! `.gitleaksignore` and the baseline of Gitleaks and Betterleaks, which is a report in JSON.

use super::super::{MigrateError, Note, at, gitleaks::PROVIDER, rule_id, write::quoted};
use super::{Accepted, Known, Told};
use crate::model::Secret;
use serde::Deserialize;
use std::fmt::Write;
use std::path::Path;

/// Reads an ignore file: `file:rule:line` or `commit:file:rule:line` on each line.
pub(super) fn ignore(path: &Path, text: &str) -> Result<Accepted, MigrateError> {
    let mut out = Accepted::default();
    let mut start = 0;
    for (n, raw) in text.split('\n').enumerate() {
        let from = start;
        start += raw.len() + 1;
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fault = |message: &str| at(path, text, from, message);
        let parts: Vec<&str> = line.split(':').collect();
        let (commit, file, rule, number) = match parts[..] {
            [file, rule, line] => (None, file, rule, line),
            [commit, file, rule, line] => (Some(commit), file, rule, line),
            _ => {
                return Err(fault(
                    "not `file:rule:line` or `commit:file:rule:line`; Gitleaks ignores nothing by it: remove it",
                ));
            }
        };
        let number: u64 = number.parse().map_err(|_| {
            fault("the last part is no line number; Gitleaks ignores nothing by it: remove it")
        })?;
        let file = file.replace('\\', "/");
        if let Some(commit) = commit {
            let commit = commit.to_lowercase();
            if commit.len() != 40 || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(fault(
                    "the commit is not written with all of its 40 digits; write all of them, or remove it",
                ));
            }
            let _ = writeln!(
                out.config,
                "[[allow]]\nrule = \"{}\"\ncommits = [\"{commit}\"]\npaths = [{}]\nreason = \"in .gitleaksignore\"\n",
                rule_id(PROVIDER, rule),
                quoted(&globset::escape(&file))
            );
            let message = "an entry for a commit accepts what its rule finds in this file of that commit, on \
                           whatever line";
            out.notes.push(Note { path: path.to_owned(), line: n + 1, message: message.to_owned() });
            continue;
        }
        out.known.push(Known {
            said: (path.to_owned(), n + 1),
            file,
            // A file that is the finding has no line.
            line: Some(number).filter(|n| *n > 0),
            rule: Some(rule.to_owned()),
            value: Told::Nothing,
            reason: "in .gitleaksignore".to_owned(),
        });
    }
    Ok(out)
}

/// A finding of a report. Its fields are those of the report, no more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reported {
    #[serde(rename = "RuleID")]
    rule: String,
    #[serde(rename = "File")]
    file: String,
    #[serde(rename = "StartLine")]
    line: u64,
    #[serde(rename = "Secret")]
    secret: String,
    #[serde(rename = "Match", default)]
    matched: String,
    #[serde(rename = "Description", default)]
    _description: String,
    #[serde(rename = "EndLine", default)]
    _end_line: u64,
    #[serde(rename = "StartColumn", default)]
    _start_column: u64,
    #[serde(rename = "EndColumn", default)]
    _end_column: u64,
    #[serde(rename = "Line", default)]
    _line: String,
    #[serde(rename = "SymlinkFile", default)]
    _symlink: String,
    #[serde(rename = "Link", default)]
    _link: String,
    #[serde(rename = "Commit", default)]
    _commit: String,
    #[serde(rename = "Entropy", default)]
    _entropy: f64,
    #[serde(rename = "Author", default)]
    _author: String,
    #[serde(rename = "Email", default)]
    _email: String,
    #[serde(rename = "Date", default)]
    _date: String,
    #[serde(rename = "Message", default)]
    _message: String,
    #[serde(rename = "Tags", default)]
    _tags: Option<Vec<String>>,
    #[serde(rename = "Fingerprint", default)]
    _fingerprint: String,
    #[serde(rename = "Fragment", default)]
    _fragment: serde_json::Value,
    // What Betterleaks adds.
    #[serde(rename = "Attributes", default)]
    _attributes: serde_json::Value,
    #[serde(rename = "MatchContext", default)]
    _context: String,
    #[serde(rename = "CaptureGroups", default)]
    _groups: serde_json::Value,
    #[serde(rename = "ValidationStatus", default)]
    _status: serde_json::Value,
    #[serde(rename = "ValidationReason", default)]
    _why: serde_json::Value,
    #[serde(rename = "ValidationMeta", default)]
    _meta: serde_json::Value,
    #[serde(rename = "RequiredSets", alias = "RequiredFindings", default)]
    _required: serde_json::Value,
}

/// Reads a baseline.
pub(super) fn baseline(path: &Path, text: &str) -> Result<Accepted, MigrateError> {
    let list: Vec<Reported> = serde_json::from_str(text).map_err(|e| super::json_fault(path, &e))?;
    let mut out = Accepted::default();
    let lines = places(text, "\"RuleID\"");
    for (n, one) in list.into_iter().enumerate() {
        let line = lines.get(n).copied().unwrap_or(1);
        let told = told(&one);
        if let Told::Nothing = told
            && !one.secret.is_empty()
        {
            let message = "the value was left out of the report; what is found at the place is taken for it";
            out.notes.push(Note { path: path.to_owned(), line, message: message.to_owned() });
        }
        out.known.push(Known {
            said: (path.to_owned(), line),
            file: one.file.replace('\\', "/"),
            line: Some(one.line).filter(|n| *n > 0),
            rule: Some(one.rule),
            value: told,
            reason: "in Gitleaks' baseline".to_owned(),
        });
    }
    if !out.known.is_empty() {
        let message = "a baseline of Gitleaks is bound to places, and this one to values: what is accepted is so \
                       wherever it stands";
        out.notes.push(Note { path: path.to_owned(), line: 1, message: message.to_owned() });
    }
    Ok(out)
}

/// The value, unless it was made unreadable: wholly, or but for its front.
fn told(one: &Reported) -> Told {
    let hidden = one.secret == "REDACTED" || one.secret.ends_with("...") || one.matched.contains("REDACTED");
    match one.secret.is_empty() || hidden {
        true => Told::Nothing,
        false => Told::Whole(Secret::new(one.secret.as_bytes())),
    }
}

/// The lines, from 1, on which a text stands.
pub(super) fn places(text: &str, what: &str) -> Vec<usize> {
    text.lines().enumerate().filter(|(_, l)| l.contains(what)).map(|(n, _)| n + 1).collect()
}
