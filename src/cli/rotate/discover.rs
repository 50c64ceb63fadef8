//! `keywheel inventory discover`: asks providers for their keys and stores for their names, and drafts what the
//! inventory lacks. Changes nothing anywhere.

mod providers;
mod stores;

use super::office::{OfficeArgs, is_proposed};
use super::subject::AskArgs;
use crate::cli::organisation::{Organisation, OrganisationArgs, report};
use crate::cli::policy::{Plain, count, json_line};
use crate::cli::settings::read_baseline;
use crate::cli::{code, output, signal, usage, used};
use anyhow::{Context, Result};
use clap::Args;
use keywheel::detect::Detector;
use keywheel::model::FingerprintKey;
use keywheel::rotate::inventory::discover::{Discovery, Shown, discover, draft};
use keywheel::rotate::inventory::{Gap, GapError};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const CODES: &str = "Exit codes:
  0    the inventory lacks nothing
  1    it lacks something: the draft says what
  2    wrong usage, or a file that cannot be read
  3    a provider or store that should have been looked at could not be: the draft says which, and why
  130  interrupted; 143 terminated

Examples:
  keywheel inventory discover --policy policy.toml --output draft.toml
  keywheel inventory discover --policy policy.toml --report report.json --codeowners CODEOWNERS --read-stores
  keywheel inventory discover --policy policy.toml --under bao=kv --under actions=acme/shop --new-only";

#[derive(Debug, Args)]
pub(crate) struct DiscoverArgs {
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
    #[command(flatten)]
    ask: AskArgs,
    /// A report of `keywheel scan --format json`, to join keys in code
    #[arg(long = "report", value_name = "FILE")]
    reports: Vec<PathBuf>,
    /// The CODEOWNERS file of the scanned repository, to name likely owners
    #[arg(long, value_name = "FILE", requires = "reports")]
    codeowners: Option<PathBuf>,
    /// The baseline whose key made the fingerprints of the inventory and of the reports
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Ask only this provider
    #[arg(long = "provider", value_name = "ID")]
    providers: Vec<String>,
    /// Look only into this store
    #[arg(long = "store", value_name = "NAME")]
    stores: Vec<String>,
    /// What a rule's calls ask for, where no key of the inventory says it
    #[arg(long, value_name = "RULE.NAME=VALUE")]
    set: Vec<String>,
    /// Where to look in a store beside the places of the inventory: a folder, project, repository, namespace or file
    #[arg(long, value_name = "STORE=PATH")]
    under: Vec<String>,
    /// Read the values that lie in stores, to recognise keys; they are shown nowhere and forgotten at once
    #[arg(long)]
    read_stores: bool,
    /// Write to this new file, which only its owner may read; one that is there is never written over
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave out what the policy says already
    #[arg(long)]
    new_only: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Plain,
}

pub(crate) fn run(args: &DiscoverArgs) -> Result<u8> {
    if is_proposed() {
        return Err(usage(
            "this job runs for a proposed change, whose author could choose what is asked with an administrator's \
             credential: nothing is looked up here",
        ));
    }
    // Found out before anybody is asked.
    if let Some(path) = args.output.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(usage(format!("{} is there already, and is not written over", path.display())));
    }
    let organisation = Organisation::new(&args.files)?;
    let policy = &organisation.policy;
    let fingerprints = args.fingerprints(&organisation)?;
    signal::watch();
    let mut shown = Shown { code: args.code(&organisation)?, ..Shown::default() };
    if args.office.named() && !args.office.is_there() {
        output::tell(
            "the folder of --state holds no journal yet: keys are known by what the policy says alone",
        );
    } else if args.office.named() {
        let journal = args.office.look()?.journal;
        for key in &policy.file.key {
            let ids = journal.known(key.id.as_str())?.into_iter().map(|id| id.0).collect();
            shown.journal.insert(key.id.to_string(), ids);
        }
    }
    let detector = Detector::new(Arc::clone(&organisation.rules));
    providers::ask(args, &organisation, &mut shown)?;
    stores::look(args, &organisation, &detector, &fingerprints, &mut shown)?;
    if let Some(code) = signal::caught() {
        return Ok(code);
    }
    let hides = |provider: &str, text: &str| used::screen(&detector, provider, text).is_some();
    let found = discover(policy, shown, &hides, organisation.now);
    let text = match args.format {
        Plain::Json => json_line(&json!({
            "version": 1, "complete": found.is_complete(), "known": found.known, "keys": found.keys,
            "gaps": found.gaps, "failed": found.failed, "not_looked_at": found.passed,
        }))?,
        Plain::Text => text(args, &organisation, &found)?,
    };
    match &args.output {
        Some(path) => new_file(path, text.as_bytes())?,
        None => output::print(text.as_bytes())?,
    }
    found.failed.iter().for_each(|missed| output::tell(&missed.to_string()));
    output::tell(&format!(
        "{} drafted, {} known, {}{}",
        count(found.keys.len(), "key"),
        found.known,
        count(found.gaps.len(), "gap"),
        if found.is_complete() { "" } else { "; INCOMPLETE" }
    ));
    Ok(match (found.is_complete(), found.is_empty()) {
        (false, _) => code::INCOMPLETE,
        (true, false) => code::FINDINGS,
        (true, true) => code::CLEAN,
    })
}

/// The draft behind what the policy says, and read again as `policy check` will read it.
fn text(args: &DiscoverArgs, organisation: &Organisation, found: &Discovery) -> Result<String> {
    let policy = &organisation.policy;
    let day = organisation.now.strftime("%Y-%m-%d").to_string();
    let new = draft(found, &day);
    let between = if policy.text().ends_with('\n') { "\n" } else { "\n\n" };
    let whole = format!("{}{between}{new}", policy.text());
    organisation.parsed(&whole).map_err(|e| {
        usage(format!(
            "the draft cannot stand behind what {} says ({e}); write its keys as [[key]] tables, or take --format json",
            policy.path().display()
        ))
    })?;
    Ok(if args.new_only { new } else { whole })
}

fn new_file(path: &Path, text: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(text)?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

impl DiscoverArgs {
    /// Keys in code that the inventory does not know, each once.
    fn code(&self, organisation: &Organisation) -> Result<Vec<Gap>> {
        let mut gaps: BTreeMap<String, Gap> = BTreeMap::new();
        for path in &self.reports {
            let scanned = report(path, self.codeowners.as_deref())?;
            for gap in scanned.matched(&organisation.policy)?.gaps {
                match gaps.get_mut(&gap.fingerprint) {
                    Some(known) => {
                        known.active |= gap.active;
                        known.spots.extend(gap.spots);
                    }
                    None => {
                        gaps.insert(gap.fingerprint.clone(), gap);
                    }
                }
            }
        }
        let mut gaps: Vec<Gap> = gaps.into_values().collect();
        gaps.sort_by_key(|gap| !gap.active);
        Ok(gaps)
    }

    /// The key of fingerprints; with another one than the inventory's no value would be recognised.
    fn fingerprints(&self, organisation: &Organisation) -> Result<FingerprintKey> {
        let key = match &self.baseline {
            Some(path) => read_baseline(path)?.key().unwrap_or_default(),
            None => FingerprintKey::default(),
        };
        let own = organisation.policy.file.key.iter().flat_map(|key| &key.fingerprints);
        let ids: Vec<&str> = own.map(|fingerprint| fingerprint.key_id()).collect();
        if self.read_stores && !ids.is_empty() && !ids.contains(&key.id()) {
            let inventory = format!("`{}`", ids[0]);
            let error = GapError::OtherKey { report: key.id().to_owned(), inventory };
            return Err(usage(format!("--read-stores, without the right --baseline: {error}")));
        }
        Ok(key)
    }
}
