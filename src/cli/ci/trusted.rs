//! The configuration, rules and baseline that hold for a scan: those of the base commit. What the
//! scanned change says of them is read only to be told as proposed; it weakens nothing.

use super::snapshot::{Snapshot, inside};
use crate::cli::{settings, usage};
use anyhow::Result;
use keywheel::config::{Config, May};
use keywheel::model::Fingerprint;
use keywheel::rule::RuleSet;
use keywheel::scan::Baseline;
use std::collections::BTreeSet;
use std::path::Path;

/// Proposals told one by one.
const TOLD: usize = 50;

/// What the operator names; paths are from the top of the repository.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names<'a> {
    /// The organisation's file, the one that is no file of the repository.
    pub(super) organisation: Option<&'a Path>,
    pub(super) config: Option<&'a str>,
    pub(super) no_config: bool,
    pub(super) baseline: Option<&'a str>,
    pub(super) rules: &'a [String],
}

/// What holds.
pub(super) struct Trusted {
    pub(super) config: Config,
    pub(super) rules: RuleSet,
    pub(super) baseline: Option<Baseline>,
    /// What was named and is not there, in words.
    pub(super) notes: Vec<String>,
    /// The files, and what they say: for the comparison with the change.
    config_file: Option<(String, String)>,
    baseline_file: Option<String>,
}

impl Trusted {
    /// Reads what the base commit says; without one the defaults hold.
    ///
    /// # Errors
    /// A file of the base does not parse or cannot be read.
    pub(super) fn read(base: Option<&Snapshot<'_>>, names: Names<'_>) -> Result<Self> {
        let mut notes = Vec::new();
        let text = |path: &str| base.map_or(Ok(None), |base| base.text(path));
        let (mut own, mut config_file, mut home) = (Config::default(), None, String::new());
        if !names.no_config {
            let path = inside("", names.config.unwrap_or(settings::CONFIG))?;
            let found = text(&path)?;
            if let Some(text) = &found {
                own = Config::parse_repository(Path::new(&path), text).map_err(usage)?;
                home = path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
            } else if names.config.is_some() {
                notes.push(format!("the base has no {path}, so the defaults hold"));
            }
            config_file = Some((path, found.unwrap_or_default()));
        }
        let mut rules = RuleSet::embedded();
        // How many of the rules, and whether the baseline, are the organisation's: files, not of the base.
        let (mut config, mut foreign, mut known) = (own, 0, None);
        if let Some(path) = names.organisation {
            let floor = settings::organisation(path)?;
            (foreign, known) = (floor.scan.rules.len(), floor.scan.baseline.clone());
            let (path, text) = config_file.as_ref().map_or(("", ""), |(path, text)| (path, text));
            let brings = config.scan.baseline.is_some();
            let (whole, refused) = floor.with_repository(config, Path::new(path), text);
            if brings && !refused.iter().any(|r| r.key == May::Baseline) {
                known = None;
            }
            notes.extend(refused.iter().map(ToString::to_string));
            config = whole;
        }
        for path in &config.scan.rules[..foreign] {
            rules.add_path(path).map_err(usage)?;
        }
        let listed = config.scan.rules[foreign..].iter().map(|p| inside(&home, &p.to_string_lossy()));
        for path in listed.chain(names.rules.iter().map(|p| inside("", p))) {
            let path = path?;
            let texts = base.map_or(Ok(Vec::new()), |base| base.texts(&path))?;
            if texts.is_empty() {
                return Err(usage(format!("the base has no rules at {path}; add them there first")));
            }
            rules.add_texts(texts).map_err(usage)?;
        }
        let baseline_file = match (names.baseline, &config.scan.baseline) {
            (Some(path), _) => Some(inside("", path)?),
            (None, Some(path)) if known.is_none() => Some(inside(&home, &path.to_string_lossy())?),
            (None, _) => None,
        };
        let mut baseline = None;
        if let Some(path) = &baseline_file {
            match text(path)? {
                Some(text) => baseline = Some(settings::parse_baseline(path, &text)?),
                None => notes.push(format!("the base has no {path}, so nothing is known yet")),
            }
        } else if let Some(path) = &known {
            baseline = Some(settings::read_baseline(path)?);
        }
        Ok(Trusted { config, rules, baseline, notes, config_file, baseline_file })
    }

    /// What the change adds to configuration and baseline, a sentence each, in words that are ours.
    pub(super) fn proposed(&self, head: &Snapshot<'_>) -> Vec<String> {
        let mut told = Vec::new();
        if let Some((path, before)) = &self.config_file {
            match head.text(path) {
                Ok(after) => self.compare(path, before, &after.unwrap_or_default(), &mut told),
                Err(_) => told.push(format!("{path} of the change cannot be read")),
            }
        }
        if let Some(path) = &self.baseline_file {
            match head.text(path).ok().flatten().map(|text| Baseline::parse(&text)) {
                None => {}
                Some(Err(_)) => told.push(format!("{path} of the change does not parse")),
                Some(Ok(after)) => self.added(path, &after, &mut told),
            }
        }
        if told.len() > TOLD {
            let more = told.len() - TOLD;
            told.truncate(TOLD);
            told.push(format!("and {more} more"));
        }
        told
    }

    fn compare(&self, path: &str, before: &str, after: &str, told: &mut Vec<String>) {
        if before == after {
            return;
        }
        let parsed = Config::parse_repository(Path::new(path), after).is_ok();
        let (Ok(old), Ok(new), true) = (before.parse::<toml::Table>(), after.parse::<toml::Table>(), parsed)
        else {
            told.push(format!("{path} of the change does not parse"));
            return;
        };
        let none = toml::Value::Array(Vec::new());
        let entries =
            |table: &toml::Table| table.get("allow").unwrap_or(&none).as_array().cloned().unwrap_or_default();
        let known = entries(&old);
        for entry in entries(&new).iter().filter(|e| !known.contains(e)) {
            let text = |key| entry.get(key).and_then(toml::Value::as_str);
            // Whatever else stands there is the change's own words, and may be anything.
            let what = match (text("fingerprint").and_then(Fingerprint::parse), text("rule")) {
                (Some(fingerprint), _) => fingerprint.to_string(),
                (None, Some(rule)) if self.rules.position(rule).is_some() => format!("the rule {rule}"),
                _ => "some paths or an unknown rule".to_owned(),
            };
            told.push(format!("{path} of the change would allow {what}"));
        }
        let empty = toml::Table::new();
        let scan = |table: &toml::Table| {
            table.get("scan").and_then(toml::Value::as_table).cloned().unwrap_or_else(|| empty.clone())
        };
        let (old, new) = (scan(&old), scan(&new));
        // The configuration parsed, so these are names of its schema.
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
            told.push(format!("{path} of the change would set scan.{key} anew"));
        }
    }

    fn added(&self, path: &str, after: &Baseline, told: &mut Vec<String>) {
        let none = Baseline::default();
        let before = self.baseline.as_ref().unwrap_or(&none);
        if self.baseline.is_some() && before.salt != after.salt {
            told.push(format!("{path} of the change would have another salt"));
            return;
        }
        for fingerprint in after.entries.keys().filter(|f| !before.entries.contains_key(f)) {
            told.push(format!("{path} of the change would accept {fingerprint}"));
        }
    }
}
