//! The configuration as it is written. Every field is known, or an error.

use super::super::table::{Placed, Source, Table};
use super::super::{MigrateError, Note};
use crate::rule::On;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::DeTable;

/// One file's words.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    pub(super) extend: Extend,
    pub(super) rules: Vec<Rule>,
    /// Lists for all rules, or for those they target.
    pub(super) lists: Vec<List>,
}

/// What a configuration extends.
#[derive(Clone, Debug, Default)]
pub(super) struct Extend {
    pub(super) path: Option<Placed<String>>,
    pub(super) defaults: bool,
    pub(super) disabled: Vec<Placed<String>>,
    pub(super) at: usize,
}

/// A rule, and the file it stands in.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) file: PathBuf,
    pub(super) text: Arc<str>,
    pub(super) id: Placed<String>,
    pub(super) description: Option<Placed<String>>,
    pub(super) regex: Option<Placed<String>>,
    pub(super) path: Option<Placed<String>>,
    pub(super) secret_group: Option<Placed<usize>>,
    pub(super) entropy: Option<Placed<f64>>,
    pub(super) keywords: Vec<String>,
    pub(super) lists: Vec<List>,
    pub(super) required: Vec<Required>,
    pub(super) skip_report: bool,
}

/// A rule that another one needs near.
#[derive(Clone, Debug)]
pub(super) struct Required {
    pub(super) id: Placed<String>,
    pub(super) lines: Option<Placed<usize>>,
    pub(super) columns: Option<Placed<usize>>,
}

/// An allow list, and the file it stands in.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) file: PathBuf,
    pub(super) text: Arc<str>,
    pub(super) at: usize,
    pub(super) targets: Vec<Placed<String>>,
    pub(super) description: Option<Placed<String>>,
    pub(super) all: bool,
    pub(super) commits: Vec<Placed<String>>,
    pub(super) paths: Vec<Placed<String>>,
    pub(super) regexes: Vec<Placed<String>>,
    pub(super) on: On,
    pub(super) words: Vec<Placed<String>>,
}

/// Reads a file.
pub(super) fn read(path: &Path, text: &Arc<str>, notes: &mut Vec<Note>) -> Result<Config, MigrateError> {
    let source = Source { path, text };
    let root = DeTable::parse(text)
        .map_err(|e| source.error(e.span().map_or(0, |s| s.start), e.message().to_owned()))?;
    let mut top = Table::new(source, "the file", 0, root.get_ref())?;
    for word in ["title", "description", "minVersion", "betterleaksMinVersion"] {
        top.text(word)?;
    }
    for word in ["prefilter", "filter"] {
        expression(source, word, top.text(word)?)?;
    }
    let mut extend = Extend::default();
    if let Some(mut table) = top.table("extend", "[extend]")? {
        extend.at = table.at;
        extend.path = table.text("path")?.filter(|p| !p.value.is_empty());
        extend.defaults = table.flag("useDefault")?;
        extend.disabled = table.texts("disabledRules")?;
        if let Some(url) = table.text("url")?.filter(|u| !u.value.is_empty()) {
            return Err(source.error(
                url.at,
                "Gitleaks reads nothing from `url`; remove it, or fetch the file and name its `path`",
            ));
        }
        table.done()?;
    }
    let mut rules = Vec::new();
    let mut tags = None;
    for table in top.tables("rules", "a rule")? {
        let (rule, tagged) = rule(source, text, table, notes)?;
        tags = tags.or(tagged);
        rules.push(rule);
    }
    if let Some(byte) = tags {
        let message = "tags are not kept".to_owned();
        notes.push(Note { path: path.to_owned(), line: source.line(byte), message });
    }
    let lists = lists(source, text, &mut top, true)?;
    top.done()?;
    // Of two rules with one id the later stands.
    let mut kept: Vec<Rule> = Vec::new();
    for rule in rules {
        match kept.iter_mut().find(|k| k.id.value == rule.id.value) {
            Some(old) => *old = rule,
            None => kept.push(rule),
        }
    }
    Ok(Config { extend, rules: kept, lists })
}

/// An expression of Betterleaks has no counterpart.
fn expression(source: Source<'_>, name: &str, said: Option<Placed<String>>) -> Result<(), MigrateError> {
    match said.filter(|s| !s.value.trim().is_empty()) {
        None => Ok(()),
        Some(said) => {
            let message =
                format!("`{name}` is an expression, which cannot be said here; write it as `allowlists`");
            Err(source.error(said.at, message))
        }
    }
}

fn rule(
    source: Source<'_>,
    text: &Arc<str>,
    mut table: Table<'_>,
    notes: &mut Vec<Note>,
) -> Result<(Rule, Option<usize>), MigrateError> {
    let start = table.at;
    let id = table.text("id")?.filter(|id| !id.value.trim().is_empty());
    let id = id.ok_or_else(|| source.error(start, "the rule has no `id`; give it one"))?;
    let given = |t: &Placed<String>| !t.value.is_empty();
    let description = table.text("description")?.filter(given);
    let regex = table.text("regex")?.filter(given);
    let path = table.text("path")?.filter(given);
    let secret_group = table.count("secretGroup")?;
    let entropy = table.number("entropy")?;
    let keywords = table.texts("keywords")?;
    if let Some(empty) = keywords.iter().find(|k| k.value.is_empty()) {
        return Err(source.error(empty.at, "an empty keyword stands nowhere for Gitleaks; remove it"));
    }
    let keywords = keywords.into_iter().map(|k| k.value).collect();
    let tags = table.texts("tags")?.first().map(|t| t.at);
    let lists = lists(source, text, &mut table, false)?;
    let mut required = Vec::new();
    for mut one in table.tables("required", "[[rules.required]]")? {
        let at = one.at;
        let id = one.text("id")?.filter(given);
        let id = id.ok_or_else(|| source.error(at, "a required rule has no `id`; give it one"))?;
        required.push(Required {
            id,
            lines: one.count("withinLines")?,
            columns: one.count("withinColumns")?,
        });
        one.done()?;
    }
    let skip_report = table.flag("skipReport")?;
    expression(source, "filter", table.text("filter")?)?;
    let mut note = |at: usize, message: &str| {
        notes.push(Note { path: source.path.to_owned(), line: source.line(at), message: message.to_owned() });
    };
    if let Some(call) = table.text("validate")? {
        note(call.at, "the call that proves it is not taken over; a rule of Keywheel's own may have one");
    }
    if let Some(rank) = table.number("specificity")? {
        note(rank.at, "`specificity` is not kept: every rule reports what it finds");
    }
    if table.flag("tokenEfficiency")? {
        note(start, "`tokenEfficiency` is not kept: words of a language are reported too");
    }
    table.done()?;
    let file = source.path.to_owned();
    let rule = Rule {
        file,
        text: text.clone(),
        id,
        description,
        regex,
        path,
        secret_group,
        entropy,
        keywords,
        lists,
        required,
        skip_report,
    };
    Ok((rule, tags))
}

/// The allow lists of a table, in the old form or the new one.
fn lists(
    source: Source<'_>,
    text: &Arc<str>,
    table: &mut Table<'_>,
    global: bool,
) -> Result<Vec<List>, MigrateError> {
    let old = table.table("allowlist", "[allowlist]")?;
    let new = table.tables("allowlists", "[[allowlists]]")?;
    if let (Some(old), false) = (&old, new.is_empty()) {
        return Err(source
            .error(old.at, "`allowlist` and `allowlists` do not stand together; make it one of the latter"));
    }
    old.into_iter().chain(new).map(|t| list(source, text, t, global)).collect()
}

fn list(
    source: Source<'_>,
    text: &Arc<str>,
    mut table: Table<'_>,
    global: bool,
) -> Result<List, MigrateError> {
    let at = table.at;
    let targets = if global { table.texts("targetRules")? } else { Vec::new() };
    let description = table.text("description")?;
    let all = match table.text("condition")? {
        None => false,
        Some(word) => match word.value.to_uppercase().as_str() {
            "AND" | "&&" => true,
            "" | "OR" | "||" => false,
            _ => {
                return Err(
                    source.error(word.at, format!("`{}` is no condition; write `and` or `or`", word.value))
                );
            }
        },
    };
    let on = match table.text("regexTarget")? {
        None => On::Secret,
        Some(word) => match word.value.as_str() {
            "" | "secret" => On::Secret,
            "match" => On::Match,
            "line" => On::Line,
            _ => {
                let message = format!("`{}` is no target; write `secret`, `match` or `line`", word.value);
                return Err(source.error(word.at, message));
            }
        },
    };
    let list = List {
        file: source.path.to_owned(),
        text: text.clone(),
        at,
        targets,
        description,
        all,
        commits: table.texts("commits")?,
        paths: table.texts("paths")?,
        regexes: table.texts("regexes")?,
        on,
        words: table.texts("stopwords")?,
    };
    table.done()?;
    if list.commits.is_empty() && list.paths.is_empty() && list.regexes.is_empty() && list.words.is_empty() {
        return Err(source.error(
            at,
            "the allow list names no commits, paths, regexes or stopwords; Gitleaks refuses it too: remove it",
        ));
    }
    Ok(list)
}
