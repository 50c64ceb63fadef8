//! The findings of a report, checked again. A report holds no secrets, so the places that it names are read once
//! more, and only values whose fingerprints it lists are sent.

use super::{VerifyCommand, check};
use crate::cli::settings::Settings;
use crate::cli::{session, usage};
use anyhow::Result;
use keywheel::model::{Checks, Confidence, Finding, Fingerprint, ObjectId, Provenance, RawPath, Severity};
use keywheel::scan::Collector;
use keywheel::source::git::{Repository, Surroundings};
use keywheel::source::{self, bytes};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest report.
const MOST: u64 = 1 << 30;

#[derive(Deserialize)]
struct Report {
    version: u32,
    findings: Vec<Known>,
}

#[derive(Deserialize)]
struct Known {
    fingerprint: String,
    occurrences: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    path: String,
    history: Option<History>,
}

#[derive(Deserialize)]
struct History {
    object: String,
}

/// What is read once more.
#[derive(Default)]
struct Places {
    files: BTreeSet<PathBuf>,
    /// Objects of a repository, with the path that tells their kind.
    objects: BTreeMap<ObjectId, RawPath>,
}

pub(super) fn run(args: &VerifyCommand, path: &Path) -> Result<(Vec<Finding>, Vec<String>, Checks)> {
    let mut settings = Settings::new(&args.selection())?;
    settings.load_baseline()?;
    let (config, policy) = (settings.config.clone(), args.calls.policy(&settings.config));
    let rules = settings.detector.rules().clone();
    let (mut findings, gone) = find(path, &args.root, settings, None)?;
    let checks = check(&mut findings, &rules, &config, &policy, args.quiet)?;
    Ok((findings, gone.iter().map(ToString::to_string).collect(), checks))
}

/// The findings of a report as they stand now, and the fingerprints of those that are gone; or the one that is
/// named. The settings have the key of the report's fingerprints.
///
/// # Errors
/// The report or a place cannot be read, or the fingerprint is not in it.
pub(crate) fn find(
    path: &Path,
    root: &Path,
    mut settings: Settings,
    one: Option<&Fingerprint>,
) -> Result<(Vec<Finding>, BTreeSet<Fingerprint>)> {
    let mut report = read(path)?;
    if let Some(one) = one {
        report.findings.retain(|known| known.fingerprint == one.as_str());
        if report.findings.is_empty() {
            return Err(usage("the report has no finding of that fingerprint"));
        }
    }
    let key = settings.options.key.id().to_owned();
    let mut wanted = BTreeSet::new();
    for known in &report.findings {
        let fingerprint = Fingerprint::parse(&known.fingerprint)
            .ok_or_else(|| usage(format!("{}: a fingerprint is none", path.display())))?;
        if fingerprint.key_id() != key {
            return Err(usage(format!(
                "the report's fingerprints were made with the key `{}`, this run's is `{key}`: name the same \
                 --baseline as that scan",
                fingerprint.key_id()
            )));
        }
        wanted.insert(fingerprint);
    }
    let places = places(&report, root)?;
    // The report has passed its gate already, and comments on the way do not matter here.
    settings.floors = (Confidence::Low, Severity::Info);
    settings.options.inline_allow = false;
    let pass = session::run_with(settings, |files, collector| push(&places, root, files, collector))?;
    let mut findings = pass.outcome.findings;
    findings.retain(|f| wanted.contains(&f.fingerprint));
    findings.iter().for_each(|f| {
        wanted.remove(&f.fingerprint);
    });
    Ok((findings, wanted))
}

fn read(path: &Path) -> Result<Report> {
    let cannot =
        |e: &dyn std::fmt::Display| usage(format!("cannot read the report `{}`: {e}", path.display()));
    let mut text = Vec::new();
    let file = fs::File::open(path).map_err(|e| cannot(&e))?;
    file.take(MOST).read_to_end(&mut text).map_err(|e| cannot(&e))?;
    let report: Report = serde_json::from_slice(&text).map_err(|e| {
        cannot(&format!("it is not of the format `json` (line {}, column {})", e.line(), e.column()))
    })?;
    if report.version != 1 {
        return Err(cannot(&"it has another version than 1"));
    }
    Ok(report)
}

fn places(report: &Report, root: &Path) -> Result<Places> {
    let mut places = Places::default();
    for place in report.findings.iter().flat_map(|f| &f.occurrences) {
        let path = RawPath::parse(&place.path)
            .ok_or_else(|| usage("a path of the report is written as no report writes them"))?;
        match &place.history {
            Some(history) => {
                let id = ObjectId::parse(history.object.as_bytes())
                    .ok_or_else(|| usage("an object of the report has no name"))?;
                places.objects.insert(id, path);
            }
            None if path.as_bytes() == b"-" => {
                return Err(usage("the report is of standard input, which cannot be read once more"));
            }
            None => {
                places.files.insert(root.join(path.as_path()));
            }
        }
    }
    Ok(places)
}

/// Pushes what is still there. What is gone shows as findings that are.
fn push(places: &Places, root: &Path, files: &source::Options, collector: &Collector) -> Result<()> {
    for file in places.files.iter().filter(|f| f.symlink_metadata().is_ok()) {
        source::walk(file, files, collector).map_err(usage)?;
    }
    if places.objects.is_empty() {
        return Ok(());
    }
    let repository = Repository::open(root, &Surroundings::default()).map_err(usage)?;
    for (id, path) in &places.objects {
        if let Ok(object) = repository.objects.read(id) {
            bytes::push(&object.bytes, &Arc::new(Provenance::file(path.clone())), files, collector);
        }
    }
    Ok(())
}
