//! Text rules: patterns that are searched through whole texts, match after match, and judged by nothing
//! but what the rule itself says. For rules that were written for other scanners.

use super::analyse::{Analysis, Gate, parse};
use super::schema::Rule;
use regex_syntax::hir::{Class, Hir, HirKind};
use serde::{Deserialize, Serialize};

/// Longest pattern, counted in states of its automaton, that is compiled.
const MOST_STATES: usize = 300_000;
/// States of one character of a Unicode class, about.
const STATES_OF_RANGE: usize = 6;

/// What a text rule says beyond its pattern; the table `[rule.text]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// Words of which one stands anywhere in the text, in whatever case; without any, every text is
    /// searched.
    pub keywords: Vec<String>,
    /// Regular expression that the path must match.
    pub path: Option<String>,
    /// What is allowed, beside the lists of the file.
    pub allow: Vec<Allowed>,
}

/// An allow list of text rules: what is found is left out where the list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allowed {
    /// In a list of the file: the rules that it is for; without any, all text rules of the file.
    pub rules: Vec<String>,
    /// Why.
    pub reason: String,
    /// Whether paths, patterns and words must all hold, as far as they are given, and not only one.
    pub all: bool,
    /// Regular expressions on the path.
    pub paths: Vec<String>,
    /// Regular expressions on what `on` names.
    pub patterns: Vec<String>,
    /// What the patterns are held against.
    pub on: On,
    /// Words that the secret holds, in whatever case.
    pub words: Vec<String>,
}

/// What the patterns of an allow list are held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// The secret.
    #[default]
    Secret,
    /// All that the pattern matched, without line breaks at its ends.
    Match,
    /// The lines of the match, with the line break before them and without the one after.
    Line,
}

/// A text rule in the form the engine runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TextKind {
    /// Lower case; see [`Text::keywords`].
    pub keywords: Vec<String>,
    /// See [`Text::path`].
    pub path: Option<String>,
    /// Indices into [`Pack::allowed`](super::Pack).
    pub allowed: Vec<u32>,
}

/// What the engine knows of a text rule's pattern, once all that the rule says is checked.
///
/// # Errors
/// The field at fault, and what is wrong with it.
pub(super) fn analyse(rule: &Rule, text: &Text) -> Result<Analysis, (&'static str, String)> {
    let foreign = [
        ("context", rule.context.is_some()),
        ("paths", !rule.paths.is_empty()),
        ("block", rule.block),
        ("max_len", rule.max_len.is_some()),
        ("checksum", rule.checksum.is_some()),
        ("samples", !rule.samples.is_empty()),
        ("development", !rule.development.is_empty()),
        ("public", rule.public),
        ("verify", rule.verify.is_some()),
        ("revoke", rule.revoke.is_some()),
    ];
    if let Some((field, _)) = foreign.into_iter().find(|(_, there)| *there) {
        return Err((field, format!("a text rule has no `{field}`; remove it, or remove `[rule.text]`")));
    }
    if rule.pattern.is_empty() {
        if text.path.is_none() {
            return Err(("pattern", "the rule has neither a pattern nor a path; give it one".to_owned()));
        }
    } else {
        let hir = pattern(&rule.pattern).map_err(|m| ("pattern", m))?;
        if hir.properties().minimum_len() == Some(0) {
            return Err(("pattern", "the pattern matches nothing at all; give it a least length".to_owned()));
        }
    }
    if let Some(path) = &text.path {
        pattern(path).map_err(|m| ("text.path", m))?;
    }
    if text.keywords.iter().any(String::is_empty) {
        return Err(("text.keywords", "an empty keyword stands everywhere; remove it".to_owned()));
    }
    text.allow.iter().try_for_each(check).map_err(|m| ("text.allow", m))?;
    let most = u32::MAX as usize;
    Ok(Analysis { gate: Gate::Text, max_len: most, alphabet: [0; 4], fixed: 0, loose_len: most })
}

/// Checks an allow list.
///
/// # Errors
/// A sentence with the cure.
pub(super) fn check(list: &Allowed) -> Result<(), String> {
    if list.paths.is_empty() && list.patterns.is_empty() && list.words.is_empty() {
        return Err("the allow list names no paths, patterns or words; remove it".to_owned());
    }
    if list.words.iter().any(String::is_empty) {
        return Err("an empty word stands in every secret; remove it".to_owned());
    }
    list.paths.iter().chain(&list.patterns).try_for_each(|p| pattern(p).map(drop))
}

/// Parses a pattern that the engine compiles, and refuses what would take more memory than it may.
fn pattern(text: &str) -> Result<Hir, String> {
    let hir = parse(text)?;
    match states(&hir) {
        n if n > MOST_STATES => Err(format!(
            "the pattern unrolls to more than {MOST_STATES} states; write smaller counts of repetition"
        )),
        _ => Ok(hir),
    }
}

fn states(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(l) => l.0.len(),
        HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Class(Class::Unicode(c)) => match c.is_ascii() {
            true => 1,
            false => STATES_OF_RANGE.saturating_mul(c.ranges().len()),
        },
        HirKind::Repetition(r) => {
            let times = r.max.unwrap_or(r.min.saturating_add(1)).max(1) as usize;
            states(&r.sub).saturating_add(1).saturating_mul(times)
        }
        HirKind::Capture(c) => states(&c.sub).saturating_add(2),
        HirKind::Concat(list) | HirKind::Alternation(list) => {
            list.iter().map(states).fold(1, usize::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::{LoadError, RuleSet};
    use std::path::PathBuf;

    fn fault(rule: &str) -> String {
        let text = format!(
            "[provider]\nid = 'peer'\nname = 'Peer'\n[[rule]]\nid = \"peer-a\"\nname = 'A'\nseverity = 'low'\n\
             confidence = 'medium'\n{rule}\n"
        );
        match RuleSet::empty().add_texts(vec![(PathBuf::from("peer.toml"), text)]) {
            Ok(()) => String::new(),
            Err(LoadError::Rule { field, message, .. }) => format!("{field}: {message}"),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn an_unbounded_pattern_without_a_group_is_a_text_rule() {
        assert_eq!(fault("pattern = 'key=.*'\n[rule.text]\nkeywords = ['key']"), "");
        assert_eq!(fault("pattern = ''\n[rule.text]\npath = '\\.p12$'"), "");
        assert!(fault("pattern = 'key=.*'").contains("upper bound"));
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (rule, told) in [
            ("pattern = ''\n[rule.text]", "neither a pattern nor a path"),
            ("pattern = 'a*'\n[rule.text]", "matches nothing at all"),
            ("pattern = 'a'\npaths = ['*.x']\n[rule.text]", "paths: a text rule has no `paths`"),
            ("pattern = 'a'\n[rule.text]\nkeywords = ['']", "empty keyword"),
            ("pattern = 'a'\n[rule.text]\npath = '('", "text.path: "),
            ("pattern = 'a'\n[rule.text]\n[[rule.text.allow]]\nall = true", "names no paths"),
            ("pattern = 'a'\n[rule.text]\n[[rule.text.allow]]\npatterns = ['(']", "text.allow: "),
            ("pattern = '((a{999}){999})'\n[rule.text]", "unrolls to more"),
            ("pattern = 'a'\n[rule.text]\nwords = ['a']", "unknown field"),
        ] {
            let found = fault(rule);
            assert!(found.contains(told), "{rule}: {found}");
        }
    }
}
