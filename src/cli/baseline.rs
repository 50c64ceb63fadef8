//! `keywheel baseline`

use super::args::Selection;
use super::settings::{self, Settings};
use super::what::What;
use super::{code, output, random, session, usage};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use keywheel::model::Status;
use keywheel::scan::{Baseline, Entry};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Bytes of a new salt.
const SALT: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
enum BaselineCommand {
    /// Write a new baseline of everything found at or above the floors
    #[command(after_help = "Example:
  keywheel baseline create --baseline .keywheel-baseline --owner platform --reason 'rotation planned' --until 2027-03-31
  keywheel baseline create --history --baseline .keywheel-baseline    all of a repository's history")]
    Create(WriteArgs),
    /// Add what is new, drop what is gone, keep the words on the rest
    Update(WriteArgs),
}

#[derive(Debug, Args)]
struct WriteArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    what: What,
    /// Who answers for the new entries
    #[arg(long, value_name = "NAME", default_value = "")]
    owner: String,
    /// Why the new entries are accepted
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Last day on which the new entries hold
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    until: Option<String>,
}

pub(crate) fn run(args: &BaselineArgs) -> Result<u8> {
    match &args.command {
        BaselineCommand::Create(args) => write(args, true),
        BaselineCommand::Update(args) => write(args, false),
    }
}

fn write(args: &WriteArgs, create: bool) -> Result<u8> {
    let mut settings = Settings::new(&args.selection)?;
    settings.what = args.what.clone();
    let path =
        settings.baseline.clone().ok_or_else(|| usage("name the file: --baseline .keywheel-baseline"))?;
    let mut old = if create { fresh(&path)? } else { settings::read_baseline(&path)? };
    // What is known must be found again, so the scan does not see the old entries.
    settings.options.key = old.key().unwrap_or_default();
    output::check(&[(keywheel::report::FORMATS[0], Some(path.clone()))])?;
    let pass = session::run(settings)?;
    if let Some(signal) = pass.signal {
        output::tell("interrupted; the baseline was not written");
        return Ok(signal);
    }
    let complete = pass.outcome.coverage.is_complete();
    let mut entries = BTreeMap::new();
    let (mut added, mut elsewhere) = (0, 0);
    for finding in pass.outcome.findings {
        let entry = match old.entries.remove(&finding.fingerprint) {
            Some(known) => known,
            // A comment or the configuration accepts it already, for as long as that holds.
            None if matches!(finding.status, Status::Suppressed(_)) => {
                elsewhere += 1;
                continue;
            }
            None => {
                added += 1;
                Entry {
                    rule: finding.rule.id.clone(),
                    owner: args.owner.clone(),
                    until: args.until.clone().unwrap_or_default(),
                    reason: args.reason.clone(),
                }
            }
        };
        entries.insert(finding.fingerprint, entry);
    }
    let kept = entries.len() - added;
    let gone = old.entries.len();
    if !complete {
        // What was not read may still hold them.
        entries.append(&mut old.entries);
    }
    let text = Baseline { salt: old.salt, entries }.render();
    output::write_whole(&path, None, |out| out.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write the baseline {}", path.display()))?;
    let mut told = format!("{}: {added} added", path.display());
    if !create {
        let fate = if complete { "dropped, as they are gone" } else { "not seen, but kept" };
        told.push_str(&format!(", {kept} kept, {gone} {fate}"));
    }
    if elsewhere > 0 {
        told.push_str(&format!("; {elsewhere} left out, which a comment or the configuration accepts"));
    }
    if !complete {
        told.push_str("; the scan is incomplete: `keywheel scan` tells what could not be read");
    }
    output::tell(&told);
    Ok(if complete { code::CLEAN } else { code::INCOMPLETE })
}

/// An empty baseline with a salt of its own, for a file that is not there yet.
fn fresh(path: &Path) -> Result<Baseline> {
    if fs::symlink_metadata(path).is_ok() {
        let path = path.display();
        return Err(usage(format!(
            "{path} is there already; `keywheel baseline update --baseline {path}` keeps what it says"
        )));
    }
    Ok(Baseline { salt: random::hex(SALT)?, entries: BTreeMap::new() })
}

fn date(text: &str) -> Result<String, String> {
    match text.parse::<jiff::civil::Date>() {
        Ok(_) if text.len() == 10 => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no date; write it as YYYY-MM-DD")),
    }
}
