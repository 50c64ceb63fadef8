//! The rules of a run: one descriptor for each rule that found something.

use super::super::view::{GENERAL_DOCS, View};
use super::{level, notice};
use crate::model::{Confidence, Coverage, Finding, Severity};
use crate::report::{Veil, escape};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The descriptors, in order of first use.
pub(super) struct Rules<'a> {
    list: Vec<Entry<'a>>,
    index: HashMap<&'a str, usize>,
}

/// Grades belong to findings, while a descriptor has but one of each: the highest that occurs.
struct Entry<'a> {
    view: View<'a>,
    severity: Severity,
    confidence: Confidence,
}

impl<'a> Rules<'a> {
    /// Gathers them.
    pub(super) fn of(findings: &'a [Finding], veil: &'a Veil) -> Self {
        let mut rules = Rules { list: Vec::new(), index: HashMap::new() };
        for f in findings {
            let at = *rules.index.entry(f.rule.id.as_str()).or_insert(rules.list.len());
            if let Some(entry) = rules.list.get_mut(at) {
                entry.severity = entry.severity.max(f.severity);
                entry.confidence = entry.confidence.max(f.confidence);
            } else {
                let entry =
                    Entry { view: View::new(f, veil), severity: f.severity, confidence: f.confidence };
                rules.list.push(entry);
            }
        }
        rules
    }

    /// Where the rule of that id stands.
    pub(super) fn index(&self, id: &str) -> usize {
        self.index.get(id).copied().unwrap_or_default()
    }

    /// The `tool` property.
    pub(super) fn tool(&self, coverage: &Coverage) -> Value {
        let mut driver = json!({
            "name": "Keywheel",
            "version": env!("CARGO_PKG_VERSION"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": self.list.iter().map(descriptor).collect::<Vec<_>>(),
            "notifications": notice::descriptors(coverage),
        });
        let home = [env!("CARGO_PKG_HOMEPAGE"), env!("CARGO_PKG_REPOSITORY")];
        if let Some(url) = home.into_iter().find(|url| !url.is_empty()) {
            driver["informationUri"] = json!(url);
        }
        json!({ "driver": driver })
    }
}

fn descriptor(entry: &Entry<'_>) -> Value {
    let rule = &entry.view.finding.rule;
    let url = entry.view.docs().unwrap_or(GENERAL_DOCS);
    let (name, provider) = (escape::sarif(&rule.name), escape::sarif(&rule.provider_name));
    let what = format!("A credential of the kind \"{name}\" ({provider}) stands in the scanned content.");
    let steps = [
        "Rotate it at the provider: make a new one, move every user of the old one over, revoke the old one.",
        "Remove it from the content and read it from a secret store or the environment instead.",
        "Look for use of it that was not yours. Removing it does not undo the leak: history, caches and clones keep it.",
        "If it is no secret, write a comment 'keywheel:allow reason=...' on its line.",
    ];
    let numbered: Vec<_> = steps.iter().enumerate().map(|(i, s)| format!("{}. {s}", i + 1)).collect();
    let mut tags = vec!["security".to_owned(), "secret".to_owned(), "external/cwe/cwe-798".to_owned()];
    tags.push(format!("provider/{}", rule.provider));
    json!({
        "id": rule.id,
        "name": pascal(&rule.id),
        "shortDescription": {"text": format!("{name}.")},
        "fullDescription": {"text": what},
        "help": {
            "text": format!("{what}\n{}\nSee {url}.", numbered.join("\n")),
            "markdown": format!(
                "A credential of the kind **{}** ({}) stands in the scanned content.\n\n{}\n\nSee <{url}>.\n",
                escape::markdown(&rule.name),
                escape::markdown(&rule.provider_name),
                numbered.join("\n"),
            ),
        },
        "helpUri": url,
        "defaultConfiguration": {"level": level(entry.severity)},
        "properties": {
            "security-severity": score(entry.severity),
            "precision": entry.confidence.as_str(),
            "tags": tags,
        },
    })
}

/// The score by which GitHub sorts. Zero, like no score, is no security severity to it.
fn score(s: Severity) -> &'static str {
    match s {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.0",
    }
}

/// `github-pat-classic` as `GithubPatClassic`: a readable name, which the standard wants to be
/// different from the id and a Pascal-case identifier.
fn pascal(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for part in id.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()) {
        let (head, tail) = part.split_at(1);
        out.push_str(&head.to_ascii_uppercase());
        out.push_str(tail);
    }
    if !out.starts_with(|c: char| c.is_ascii_alphabetic()) || out == id {
        out.insert_str(0, "Rule");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::pascal;

    #[test]
    fn names_are_pascal_case_and_not_the_id() {
        for (id, name) in [
            ("github-pat-classic", "GithubPatClassic"),
            ("1password-token", "Rule1passwordToken"),
            ("Acme", "RuleAcme"),
            ("ä", "Rule"),
        ] {
            assert_eq!(pascal(id), name);
        }
    }
}
