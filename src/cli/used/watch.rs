//! `keywheel usage watch`: what is not usual, and alerts of it.

use super::{StoreArgs, now, organisation, owners, read_text};
use crate::cli::organisation::{Organisation, OrganisationArgs, report};
use crate::cli::policy::{Plain, json_line};
use crate::cli::terminal::plain;
use crate::cli::{code, output, usage};
use anyhow::Result;
use clap::Args;
use keywheel::alert::Config;
use keywheel::usage::look::{Looked, Subject, Told, look, note};
use keywheel::usage::spike::facts::Known;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 1 something is not usual, 0 nothing is, 2 wrong usage.

Example, each hour:
  keywheel usage pull … && keywheel usage watch --store usage.db --policy policy.toml --alerts alerts.toml
  keywheel alert send --store usage.db --alerts alerts.toml")]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    files: OrganisationArgs,
    /// Routes of alerts and budgets; without it nothing is written to the outbox
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ALERTS")]
    alerts: Option<PathBuf>,
    /// A report of `keywheel scan --format json`: keys of it that are used are an emergency
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Plain,
}

pub(crate) fn run(args: &WatchArgs) -> Result<u8> {
    let organisation = organisation(&args.files)?;
    let owners = owners(organisation.as_ref());
    let config = args
        .alerts
        .as_deref()
        .map(|path| Config::parse(&read_text(path)?).map_err(|e| usage(format!("{}: {e}", path.display()))));
    let config = config.transpose()?;
    let found = match (&args.findings, &organisation) {
        (Some(path), Some(organisation)) => {
            let scanned = report(path, None)?;
            let matched = scanned.matched(&organisation.policy)?;
            matched.hits.iter().map(|hit| hit.key.id.to_string()).collect()
        }
        (Some(_), None) => return Err(usage("--findings needs --policy, which says whose keys they are")),
        (None, _) => BTreeSet::new(),
    };
    let retired = retired(organisation.as_ref());
    #[allow(clippy::cast_possible_truncation)]
    let budget = |name: &str| config.as_ref()?.budget.get(name).map(|usd| (usd * 1e9) as i64);
    let known = |subject: &Subject| Known {
        retired: retired.get(&(subject.provider.clone(), subject.key.clone())).copied(),
        found: found.contains(&subject.name),
        budget: budget(&subject.name),
    };
    let (store, now) = (args.store.existing()?, now());
    let looked = look(&store, &owners, &known, now).map_err(usage)?;
    let new = match &config {
        Some(config) => Some(note(&store, &looked.told, config, now).map_err(usage)?),
        None => None,
    };
    let text = match args.format {
        Plain::Text => account(&looked, new)?,
        Plain::Json => json_line(&document(&looked, new, now))?,
    };
    output::print(text.as_bytes())?;
    Ok(if looked.told.is_empty() { code::CLEAN } else { code::FINDINGS })
}

/// Since when earlier values must not be used: what `known-as` names after the first.
fn retired(organisation: Option<&Organisation>) -> BTreeMap<(String, String), i64> {
    let mut out = BTreeMap::new();
    for key in organisation.iter().flat_map(|o| &o.policy.file.key) {
        if let Some(since) = key.rotated {
            for name in key.known_as.iter().skip(1) {
                out.insert((key.provider.to_string(), name.to_string()), since.0.as_second());
            }
        }
    }
    out
}

fn account(looked: &Looked, new: Option<usize>) -> Result<String> {
    let mut out = String::new();
    for told in &looked.told {
        let key =
            if told.subject.key.is_empty() { String::new() } else { format!(" ({})", told.subject.key) };
        let line = format!("{:9}  {}{key}: {}", told.urgency().word(), told.subject.name, told.words());
        writeln!(out, "{}", plain(&line))?;
    }
    write!(out, "{} keys looked at, {} not usual", looked.subjects, looked.told.len())?;
    for (n, what) in [(looked.young, "too young to say"), (looked.daily, "told by the day only")] {
        if n > 0 {
            write!(out, ", {n} {what}")?;
        }
    }
    match new {
        Some(new) => writeln!(out, "; {new} new in the outbox")?,
        None => writeln!(out)?,
    }
    Ok(out)
}

fn document(looked: &Looked, new: Option<usize>, now: i64) -> serde_json::Value {
    let one = |told: &Told| {
        let event = told.event(now);
        json!({"kind": event.kind, "urgency": event.urgency.word(), "subject": event.subject,
               "key": told.subject.key, "provider": told.subject.provider, "at": event.facts[1].1,
               "text": event.text, "open_finding": told.found})
    };
    json!({"version": 1, "told": looked.told.iter().map(one).collect::<Vec<_>>(), "subjects": looked.subjects,
           "young": looked.young, "daily": looked.daily, "new_alerts": new})
}
