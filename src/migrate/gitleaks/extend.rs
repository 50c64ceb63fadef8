//! Configurations that extend others, put together as Gitleaks does.

use super::super::table::Placed;
use super::super::{MigrateError, Note, Options, at};
use super::read::{Config, Rule, read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a configuration may extend another.
const DEPTH: usize = 2;

/// Reads a configuration and all that it extends.
pub(super) fn assemble(
    path: &Path,
    text: &str,
    options: &Options<'_>,
    notes: &mut Vec<Note>,
) -> Result<Config, MigrateError> {
    let mut config = level(path, &Arc::from(text), options, notes, 0)?;
    config.rules.sort_by(|a, b| a.id.value.cmp(&b.id.value));
    Ok(config)
}

fn level(
    path: &Path,
    text: &Arc<str>,
    options: &Options<'_>,
    notes: &mut Vec<Note>,
    depth: usize,
) -> Result<Config, MigrateError> {
    let mut config = read(path, text, notes)?;
    let extend = config.extend.clone();
    let line = crate::rule::line_and_column(text, extend.at).0;
    let note = |message: &str| Note { path: path.to_owned(), line, message: message.to_owned() };
    if depth == DEPTH {
        if extend.path.is_some() || extend.defaults {
            notes.push(note("what stands here is not extended: Gitleaks goes no deeper either"));
        }
        return Ok(config);
    }
    let base: PathBuf = match (&extend.path, extend.defaults) {
        (Some(file), true) => {
            let message =
                "`path` and `useDefault` do not stand together; Gitleaks refuses them too: remove one";
            return Err(at(path, text, file.at, message));
        }
        (Some(file), false) => path.parent().unwrap_or(Path::new("")).join(&file.value),
        (None, true) => match options.defaults {
            Some(file) => file.to_owned(),
            None => {
                notes.push(note(
                    "Keywheel's own rules stand for Gitleaks' default ones, which are not here; what this file \
                     allows holds for its own rules only. For Gitleaks' rules: --gitleaks-defaults FILE \
                     (config/gitleaks.toml of its release)",
                ));
                if !extend.disabled.is_empty() {
                    notes.push(note("`disabledRules` of the default rules mean nothing to Keywheel's own"));
                }
                return Ok(config);
            }
        },
        (None, false) => return Ok(config),
    };
    let below = (options.read)(&base).map_err(|source| MigrateError::Io { path: base.clone(), source })?;
    let below = level(&base, &Arc::from(below), options, notes, depth + 1)?;
    let disabled = |rule: &Rule| extend.disabled.iter().any(|d| d.value == rule.id.value);
    for id in extend.disabled.iter().filter(|d| !below.rules.iter().any(|r| r.id.value == d.value)) {
        let line = crate::rule::line_and_column(text, id.at).0;
        let message = format!("`{}` is no rule of what is extended, and disables nothing", id.value);
        notes.push(Note { path: path.to_owned(), line, message });
    }
    for rule in below.rules.into_iter().filter(|r| !disabled(r)) {
        match config.rules.iter_mut().find(|r| r.id.value == rule.id.value) {
            Some(own) => *own = merged(rule, own),
            None => config.rules.push(rule),
        }
    }
    for list in below.lists {
        // Lists for certain rules count in the first file only.
        if list.targets.is_empty() {
            config.lists.push(list);
        } else {
            let line = crate::rule::line_and_column(&list.text, list.at).0;
            let message =
                "a list with `targetRules` counts in the first file only, in Gitleaks too".to_owned();
            notes.push(Note { path: list.file.clone(), line, message });
        }
    }
    Ok(config)
}

/// A rule with what a later file says of it.
fn merged(base: Rule, over: &Rule) -> Rule {
    // Places are those of the file that a field stands in; what is taken over stands in the later one.
    let mut out =
        Rule { file: over.file.clone(), text: over.text.clone(), id: over.id.clone(), ..base.clone() };
    let moved = |p: Placed<String>| Placed { at: over.id.at, ..p };
    out.description = over.description.clone().or(base.description);
    out.regex = over.regex.clone().or(base.regex.map(moved));
    out.path = over.path.clone().or(base.path.map(moved));
    out.entropy = over.entropy.clone().filter(|e| e.value != 0.0).or(base.entropy);
    let group = over.secret_group.clone().filter(|g| g.value != 0);
    out.secret_group = group.or(base.secret_group.map(|g| Placed { at: over.id.at, ..g }));
    out.keywords = base.keywords.iter().chain(&over.keywords).cloned().collect();
    out.lists = base.lists.iter().chain(&over.lists).cloned().collect();
    out
}
