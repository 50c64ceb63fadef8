//! What other scanners were told to leave alone, as entries of a baseline.
//!
//! They name places; a baseline here names values. A scan tells which value stands at a place, so an entry
//! accepts what is found there and nothing else, and one where nothing is found accepts nothing.

mod gitleaks;
mod secrets;

use super::{MigrateError, Note, gitleaks::PROVIDER, rule_id};
use crate::model::{Finding, Fingerprint, FingerprintKey, Secret};
use crate::scan::{Entry, fingerprint};
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longest value of which every part is compared with a digest.
const LONGEST: usize = 300;

/// One thing that was left alone.
#[derive(Clone, Debug)]
pub struct Known {
    /// The file that says so, and its line, from 1.
    pub said: (PathBuf, usize),
    /// The file in which it stands, from the root of the tree.
    pub file: String,
    /// On which line, from 1, if one is named.
    pub line: Option<u64>,
    /// The other scanner's rule, if one is named.
    pub rule: Option<String>,
    /// The value, as far as it is told.
    pub value: Told,
    /// Why.
    pub reason: String,
}

/// What is told of a value.
#[derive(Clone, Debug)]
pub enum Told {
    /// Nothing but its place.
    Nothing,
    /// All of it.
    Whole(Secret),
    /// Its SHA-1.
    Sha1([u8; 20]),
}

/// What a file of accepted findings came to.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// What it accepts.
    pub known: Vec<Known>,
    /// Entries for `keywheel.toml`.
    pub config: String,
    /// What means a little else.
    pub notes: Vec<Note>,
}

/// Reads a file of accepted findings; `None` if it is of no such kind by its name and first character.
///
/// # Errors
/// The first thing that has no counterpart.
pub fn read(path: &Path, text: &str) -> Result<Option<Accepted>, MigrateError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".gitleaksignore") || name.ends_with(".betterleaksignore") {
        return gitleaks::ignore(path, text).map(Some);
    }
    match text.trim_start().chars().next() {
        Some('[') if !name.ends_with(".toml") => gitleaks::baseline(path, text).map(Some),
        Some('{') => secrets::baseline(path, text).map(Some),
        _ => Ok(None),
    }
}

/// Entries for what a scan of the tree found where something was left alone, and a note on each place where
/// it found nothing that fits.
pub fn entries(
    known: &[Known],
    findings: &[Finding],
    key: &FingerprintKey,
) -> (BTreeMap<Fingerprint, Entry>, Vec<Note>) {
    let mut places: BTreeMap<&[u8], Vec<(&Finding, u64)>> = BTreeMap::new();
    for finding in findings {
        for o in &finding.occurrences {
            places.entry(o.provenance.path.as_bytes()).or_default().push((finding, o.location.line));
        }
    }
    let (mut entries, mut notes) = (BTreeMap::new(), Vec::new());
    for one in known {
        let near = places.get(one.file.as_bytes()).map_or(&[][..], Vec::as_slice);
        let entry =
            |rule: &str| Entry { rule: rule.to_owned(), reason: one.reason.clone(), ..Entry::default() };
        let mut some = false;
        if let Told::Whole(value) = &one.value {
            let rule = one.rule.as_deref().map(|r| rule_id(PROVIDER, r)).unwrap_or_default();
            entries.entry(fingerprint(key, value.expose())).or_insert_with(|| entry(&rule));
            some = true;
        }
        for (finding, line) in near {
            if one.fits(finding, *line, near) {
                entries.entry(finding.fingerprint.clone()).or_insert_with(|| entry(&finding.rule.id));
                some = true;
            }
        }
        if !some {
            let place = one.line.map_or_else(|| one.file.clone(), |line| format!("{}:{line}", one.file));
            let message = format!("nothing that fits is found at {place}, so that nothing is accepted there");
            notes.push(Note { path: one.said.0.clone(), line: one.said.1, message });
        }
    }
    (entries, notes)
}

impl Known {
    /// Whether it speaks of a finding, which stands on `line` of its file among others.
    fn fits(&self, finding: &Finding, line: u64, near: &[(&Finding, u64)]) -> bool {
        let here = self.line.is_none_or(|l| l == line);
        let value = finding.secret.expose();
        match &self.value {
            Told::Whole(told) => here && (holds(value, told.expose()) || holds(told.expose(), value)),
            // A digest names its value, on whatever line that stands by now; of a part only on its own.
            Told::Sha1(digest) => *digest == sha1(value) || here && part_has(value, digest),
            Told::Nothing => here && self.names(finding, near),
        }
    }

    /// Whether a finding is of the rule that is named, or no finding of the place is.
    fn names(&self, finding: &Finding, near: &[(&Finding, u64)]) -> bool {
        let Some(rule) = &self.rule else { return true };
        let id = rule_id(PROVIDER, rule);
        let is = |f: &Finding| f.rule.id == id || f.also.contains(&id);
        is(finding) || !near.iter().any(|(f, l)| self.line.is_none_or(|line| line == *l) && is(f))
    }
}

/// What is wrong with a text of JSON. The message may quote a key of it, and no value.
fn json_fault(path: &Path, e: &serde_json::Error) -> MigrateError {
    let told = e.to_string();
    let message = match e.classify() {
        serde_json::error::Category::Data if told.starts_with("unknown field") => {
            format!("{}; remove it, or make the file anew", told.split(" at line").next().unwrap_or_default())
        }
        _ => "this is no such report as Gitleaks, Betterleaks and detect-secrets write; make it anew"
            .to_owned(),
    };
    MigrateError::At { path: path.to_owned(), line: e.line().max(1), column: e.column().max(1), message }
}

fn holds(all: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && memchr::memmem::find(all, part).is_some()
}

fn sha1(value: &[u8]) -> [u8; 20] {
    Sha1::digest(value).into()
}

/// Whether a part of a value has a digest: scanners differ in where a value begins and ends.
fn part_has(value: &[u8], digest: &[u8; 20]) -> bool {
    let value = &value[..value.len().min(LONGEST)];
    (0..value.len()).any(|from| (from + 4..=value.len()).any(|to| sha1(&value[from..to]) == *digest))
}

#[cfg(test)]
mod tests;
