//! Configurations of Gitleaks 8, and of Betterleaks as far as they are the same.

mod extend;
mod read;

use super::go::{self, Translated};
use super::table::Placed;
use super::write::{NewFile, NewRule, list, quoted};
use super::{Converted, MigrateError, Note, Options, at};
use crate::model::{Class, Severity};
use crate::rule::{Allowed, With};
use read::{List, Required, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// The provider of the rules.
pub(super) const PROVIDER: &str = "gitleaks";
/// How far a required rule may be that is wanted anywhere in the text.
const ANYWHERE: usize = u32::MAX as usize;

/// Converts a configuration.
pub(super) fn convert(path: &Path, text: &str, options: &Options<'_>) -> Result<Converted, MigrateError> {
    let mut notes = Vec::new();
    let config = extend::assemble(path, text, options, &mut notes)?;
    let mut maker = Maker { ids: BTreeMap::new(), notes, config: String::new() };
    maker.name(&config.rules);
    let partners: BTreeSet<&str> =
        config.rules.iter().flat_map(|r| r.required.iter().map(|q| q.id.value.as_str())).collect();
    let mut file = NewFile {
        id: PROVIDER,
        name: "Gitleaks",
        docs: "https://github.com/gitleaks/gitleaks",
        ..NewFile::default()
    };
    for rule in &config.rules {
        let made = maker.rule(rule, partners.contains(rule.id.value.as_str()))?;
        file.rules.push(made);
    }
    for list in &config.lists {
        file.allow.extend(maker.list(list, None)?);
    }
    let Maker { notes, config, .. } = maker;
    let some = !file.rules.is_empty();
    let rules = some.then(|| (format!("{PROVIDER}.toml"), file.render())).into_iter().collect();
    Ok(Converted { rules, config, notes })
}

struct Maker {
    /// The ids that rules have here.
    ids: BTreeMap<String, String>,
    notes: Vec<Note>,
    config: String,
}

impl Maker {
    /// Gives each rule an id of ours.
    fn name(&mut self, rules: &[Rule]) {
        let mut taken = BTreeSet::new();
        for rule in rules {
            let mut id = super::rule_id(PROVIDER, &rule.id.value);
            while !taken.insert(id.clone()) {
                id.push_str("-x");
            }
            self.ids.insert(rule.id.value.clone(), id);
        }
    }

    fn note(&mut self, path: &Path, line: usize, message: impl Into<String>) {
        self.notes.push(Note { path: path.to_owned(), line, message: message.into() });
    }

    fn rule(&mut self, rule: &Rule, partner: bool) -> Result<NewRule, MigrateError> {
        let id = self.ids[&rule.id.value].clone();
        let generic = rule.id.value.to_lowercase().contains("generic");
        let name = match &rule.description {
            Some(text) if !text.value.trim().is_empty() => text.value.trim().to_owned(),
            _ => rule.id.value.clone(),
        };
        let pattern = match &rule.regex {
            Some(regex) => rule.pattern(regex)?,
            None if rule.path.is_none() => {
                return Err(rule.error(
                    rule.id.at,
                    "the rule has neither `regex` nor `path`, so that it does nothing; if it changes a rule of \
                     Gitleaks' defaults, give those: --gitleaks-defaults FILE (config/gitleaks.toml of its release)",
                ));
            }
            None => String::new(),
        };
        let path = rule.path.as_ref().map(|p| rule.translate(p, None)).transpose()?.map(|t| t.pattern);
        let mut allow = Vec::new();
        for list in &rule.lists {
            allow.extend(self.list(list, Some(&id))?);
        }
        // A required rule is tried whatever words stand there; one that reports by itself is not.
        let keywords = if partner && rule.skip_report { Vec::new() } else { rule.keywords.clone() };
        if partner && !keywords.is_empty() {
            let message = format!(
                "`{}` is required by other rules: Gitleaks finds it for them without its keywords, Keywheel with them",
                rule.id.value
            );
            self.note(&rule.file, rule.line(), message);
        }
        let with = rule.required.iter().map(|r| self.with(rule, r)).collect::<Result<_, _>>()?;
        Ok(NewRule {
            id,
            name,
            class: match (rule.skip_report, generic) {
                (true, _) => Class::Identifier,
                (_, true) => Class::Generic,
                _ => Class::Structured,
            },
            severity: generic.then_some(Severity::Medium),
            confidence: None,
            pattern,
            entropy: rule.entropy.as_ref().map(|e| e.value).filter(|e| *e != 0.0),
            keywords,
            path,
            allow,
            with,
            source: vec![format!("Gitleaks rule {}", rule.id.value)],
        })
    }

    fn with(&mut self, rule: &Rule, required: &Required) -> Result<With, MigrateError> {
        let Some(partner) = self.ids.get(&required.id.value) else {
            let message = format!("`required` names `{}`, which no rule has as its id", required.id.value);
            return Err(rule.error(required.id.at, message));
        };
        if let Some(columns) = &required.columns {
            return Err(rule.error(
                columns.at,
                "a distance in columns cannot be said here; remove `withinColumns`, or write `withinLines`",
            ));
        }
        let lines = required.lines.as_ref().map_or(ANYWHERE, |l| l.value) as u64;
        let name: String =
            required.id.value.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        Ok(With { rule: partner.clone(), name, lines, bytes: ANYWHERE, required: true })
    }

    /// An allow list; its commits become entries of the configuration.
    fn list(&mut self, from: &List, rule: Option<&str>) -> Result<Option<Allowed>, MigrateError> {
        let mut targets = Vec::new();
        for target in &from.targets {
            let id = self.ids.get(&target.value).ok_or_else(|| {
                let message = format!("`targetRules` names `{}`, which no rule has as its id", target.value);
                from.error(target.at, message)
            })?;
            targets.push(id.clone());
        }
        let others = !from.paths.is_empty() || !from.regexes.is_empty() || !from.words.is_empty();
        if !from.commits.is_empty() {
            if from.all && others {
                self.note(
                    &from.file,
                    from.line(),
                    "the list holds only in some commits, and for more than those: Gitleaks does not use it for \
                     files; Keywheel uses it nowhere, and reports what it allows",
                );
                return Ok(None);
            }
            self.commits(from, rule, &targets)?;
        }
        if !others {
            return Ok(None);
        }
        if from.all && rule.is_none() && from.targets.is_empty() && !from.paths.is_empty() {
            self.note(
                &from.file,
                from.line(),
                "Gitleaks 8.30 leaves files at these paths out of scans of folders, whatever else the list \
                 demands; Keywheel allows only where all of it holds, as Gitleaks does in histories",
            );
        }
        Ok(Some(Allowed {
            rules: targets,
            reason: from.description.as_ref().map(|d| d.value.trim().to_owned()).unwrap_or_default(),
            all: from.all,
            paths: from.translate(&from.paths)?,
            patterns: from.translate(&from.regexes)?,
            on: from.on,
            words: from.words.iter().map(|w| w.value.clone()).collect(),
        }))
    }

    fn commits(&mut self, from: &List, rule: Option<&str>, targets: &[String]) -> Result<(), MigrateError> {
        let mut ids = BTreeSet::new();
        for commit in &from.commits {
            let id = commit.value.trim().to_lowercase();
            if id.len() != 40 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(from.error(
                    commit.at,
                    "the commit is not written with all of its 40 digits, so that Gitleaks allows nothing by it; \
                     write all of them, or remove it",
                ));
            }
            ids.insert(id);
        }
        let ids: Vec<String> = ids.into_iter().collect();
        let reason = from.description.as_ref().map(|d| d.value.trim()).filter(|d| !d.is_empty());
        let reason = reason.unwrap_or("allowed by Gitleaks' configuration");
        let everywhere = [PROVIDER.to_owned()];
        let own: Vec<String> = rule.map(str::to_owned).into_iter().collect();
        let rules = match (own.is_empty(), targets.is_empty()) {
            (false, _) => &own[..],
            (true, false) => targets,
            (true, true) => &everywhere,
        };
        for rule in rules {
            let (commits, reason) = (list(&ids), quoted(reason));
            let _ = writeln!(
                self.config,
                "[[allow]]\nrule = \"{rule}\"\ncommits = {commits}\nreason = {reason}\n"
            );
        }
        Ok(())
    }
}

impl Rule {
    fn error(&self, byte: usize, message: impl Into<String>) -> MigrateError {
        at(&self.file, &self.text, byte, message)
    }

    fn line(&self) -> usize {
        crate::rule::line_and_column(&self.text, self.id.at).0
    }

    fn pattern(&self, regex: &Placed<String>) -> Result<String, MigrateError> {
        let group = self.secret_group.as_ref().filter(|g| g.value > 0);
        let made = self.translate(regex, group.map(|g| g.value))?;
        match group.filter(|g| g.value > made.groups) {
            Some(group) => {
                let message =
                    format!("`secretGroup` is {}, but the pattern has {} groups", group.value, made.groups);
                Err(self.error(group.at, message))
            }
            None => Ok(made.pattern),
        }
    }

    fn translate(&self, pattern: &Placed<String>, group: Option<usize>) -> Result<Translated, MigrateError> {
        go::translate(&pattern.value, group).map_err(|m| self.error(pattern.at, m))
    }
}

impl List {
    fn error(&self, byte: usize, message: impl Into<String>) -> MigrateError {
        at(&self.file, &self.text, byte, message)
    }

    fn line(&self) -> usize {
        crate::rule::line_and_column(&self.text, self.at).0
    }

    /// The patterns. A flag that one sets for all that is behind it holds for the later ones too: they
    /// are joined there, in one group.
    fn translate(&self, patterns: &[Placed<String>]) -> Result<Vec<String>, MigrateError> {
        let one = |p: &Placed<String>| go::translate(&p.value, None).map_err(|m| self.error(p.at, m));
        let each = patterns.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        if each.iter().rev().skip(1).any(|t| t.leaks) {
            let joined: Vec<&str> = patterns.iter().map(|p| p.value.as_str()).collect();
            let joined = Placed { value: joined.join("|"), at: patterns[0].at };
            return Ok(vec![one(&joined)?.pattern]);
        }
        Ok(each.into_iter().map(|t| t.pattern).collect())
    }
}

#[cfg(test)]
mod tests;
