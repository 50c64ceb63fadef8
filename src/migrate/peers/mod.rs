//! Rules of Kingfisher and Nosey Parker, in YAML. Both compile them with the library that ours are compiled
//! with, over bytes and with Unicode off, so that a pattern means the same; what stands in the way is what
//! only their first stage, Vectorscan, can read.

use super::write::{NewFile, NewRule};
use super::yaml::{Fields, Is, Node, read};
use super::{Converted, MigrateError, Note, rule_id};
use crate::model::{Class, Confidence};
use crate::rule::With;
use std::collections::BTreeSet;
use std::path::Path;

/// How far another part may be that is wanted for a call.
const NEAR: (u64, usize) = (10, 2000);

/// Converts a file of rules.
pub(super) fn convert(path: &Path, text: &str) -> Result<Converted, MigrateError> {
    let mut top = Fields::new(path, "the file", read(path, text)?)?;
    let (line, node) =
        top.take("rules").ok_or_else(|| top.error(1, "the file has no `rules`; give it some"))?;
    let Is::List(items) = node.is else { return Err(top.error(line, "`rules` is no list; write it as one")) };
    top.done()?;
    let mut notes = Vec::new();
    let mut rules = Vec::new();
    for item in items {
        rules.push(Parsed::new(path, item, &mut notes)?);
    }
    let own = rules.iter().all(|r| r.id.starts_with("np."));
    let (provider, name, docs) = match own {
        true => ("noseyparker", "Nosey Parker", "https://github.com/praetorian-inc/noseyparker"),
        false => ("kingfisher", "Kingfisher", "https://github.com/mongodb/kingfisher"),
    };
    let short = |id: &str| rule_id(provider, id.trim_start_matches("np.").trim_start_matches("kingfisher."));
    let known: BTreeSet<String> = rules.iter().map(|r| short(&r.id)).collect();
    let mut file = NewFile { id: provider, name, docs, ..NewFile::default() };
    let mut taken = BTreeSet::new();
    for rule in rules {
        let id = short(&rule.id);
        if !taken.insert(id.clone()) {
            return Err(rule.error(
                path,
                rule.line,
                format!("the id `{}` stands twice; give it another", rule.id),
            ));
        }
        let mut with = Vec::new();
        for (line, id, variable) in &rule.needs {
            let partner = short(id);
            if !known.contains(&partner) {
                let message = format!("`{id}` is no rule of this file, so that its part is not looked for");
                notes.push(Note { path: path.to_owned(), line: *line, message });
                continue;
            }
            let name = variable.to_lowercase();
            with.push(With { rule: partner, name, lines: NEAR.0, bytes: NEAR.1, required: false });
        }
        file.rules.push(NewRule {
            id,
            name: rule.name.clone(),
            class: if rule.hidden { Class::Identifier } else { Class::Structured },
            severity: None,
            confidence: rule.confidence,
            pattern: rule.pattern.clone(),
            entropy: rule.entropy,
            with,
            source: rule.source.clone(),
            ..NewRule::default()
        });
    }
    let rules = vec![(format!("{provider}.toml"), file.render())];
    Ok(Converted { rules, config: String::new(), notes })
}

/// A rule as it is written.
struct Parsed {
    line: usize,
    id: String,
    name: String,
    pattern: String,
    entropy: Option<f64>,
    confidence: Option<Confidence>,
    hidden: bool,
    source: Vec<String>,
    /// Rules whose value its calls need: line, id, variable.
    needs: Vec<(usize, String, String)>,
}

impl Parsed {
    fn new(path: &Path, node: Node, notes: &mut Vec<Note>) -> Result<Self, MigrateError> {
        let mut fields = Fields::new(path, "a rule", node)?;
        let mut note = |line: usize, message: &str| {
            notes.push(Note { path: path.to_owned(), line, message: message.to_owned() });
        };
        let (_, id) = fields.needed("id")?;
        let (_, name) = fields.needed("name")?;
        let (at, pattern) = fields.needed("pattern")?;
        let pattern = ours(&pattern);
        check(&pattern).map_err(|m| fields.error(at, m))?;
        let entropy = match fields.text("min_entropy")? {
            None => None,
            Some((line, text)) => {
                let number: Option<f64> = text.parse().ok().filter(|n: &f64| n.is_finite());
                let number =
                    number.ok_or_else(|| fields.error(line, "`min_entropy` is no number; write one"))?;
                Some(number).filter(|n| *n > 0.0)
            }
        };
        let confidence = match fields.text("confidence")? {
            None => None,
            Some((line, text)) => {
                let word: Result<Confidence, _> = text.to_lowercase().parse();
                Some(word.map_err(|m| fields.error(line, m))?)
            }
        };
        let hidden = fields.flag("visible")?.is_some_and(|(_, visible)| !visible);
        let source = fields.texts("references")?;
        // Examples of a stranger may be real; the rule's own words are enough.
        for key in ["examples", "negative_examples", "categories"] {
            fields.texts(key)?;
        }
        fields.text("description")?;
        let mut needs = Vec::new();
        if let Some((line, node)) = fields.take("depends_on_rule") {
            let Is::List(items) = node.is else {
                return Err(fields.error(line, "`depends_on_rule` is no list; write it as one"));
            };
            for item in items {
                let mut one = Fields::new(path, "an entry of `depends_on_rule`", item)?;
                let (line, id) = one.needed("rule_id")?;
                needs.push((line, id, one.needed("variable")?.1));
                one.done()?;
            }
        }
        for (key, message) in [
            (
                "validation",
                "the call that proves it is not taken over; a rule of Keywheel's own may have one",
            ),
            ("revocation", "the call that revokes it is not taken over"),
            ("tls_mode", "it is about a call that is not taken over"),
        ] {
            if let Some((line, _)) = fields.take(key) {
                note(line, message);
            }
        }
        if let Some((line, true)) = fields.flag("prevalidated")? {
            note(line, "nothing counts as proved here before it is");
        }
        if let Some((line, _)) = fields.take("pattern_requirements") {
            return Err(fields.error(
                line,
                "`pattern_requirements` cannot be said here; remove it, which finds more, or write it into the pattern",
            ));
        }
        let line = fields.line;
        fields.done()?;
        Ok(Parsed { line, id, name, pattern, entropy, confidence, hidden, source, needs })
    }

    fn error(&self, path: &Path, line: usize, message: String) -> MigrateError {
        MigrateError::At { path: path.to_owned(), line, column: 1, message }
    }
}

/// A pattern without the comments that only Vectorscan reads, and with the group that they take for the
/// secret named as ours is: `TOKEN`, else the first.
fn ours(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("(?#") {
        out.push_str(before);
        rest = after.split_once(')').map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    out.replace("(?P<TOKEN>", "(?<secret>").replace("(?<TOKEN>", "(?<secret>")
}

/// That the pattern can be compiled here.
fn check(pattern: &str) -> Result<(), String> {
    for (sign, what) in [
        ("(?=", "a look-ahead"),
        ("(?!", "a look-ahead"),
        ("(?<=", "a look-behind"),
        ("(?<!", "a look-behind"),
    ] {
        if pattern.contains(sign) {
            return Err(format!("the pattern has {what}, which is not regular; write it without one"));
        }
    }
    crate::rule::analyse::parse(pattern).map(drop).map_err(|m| {
        let why = m.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("the pattern does not compile: {why}; write it without that")
    })
}

#[cfg(test)]
mod tests;
