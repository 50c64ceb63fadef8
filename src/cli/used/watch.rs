//! `keywheel usage watch`: what is not usual, and alerts of it.

use super::{StoreArgs, now, organisation, owners, read_text};
use crate::cli::organisation::{Organisation, OrganisationArgs, report};
use crate::cli::policy::{Plain, json_line};
use crate::cli::rotate::{EscalateArgs, Escalated, Leak};
use crate::cli::terminal::plain;
use crate::cli::{code, output, usage};
use anyhow::Result;
use clap::Args;
use keywheel::alert::{Config, Event, Urgency};
use keywheel::model::Fingerprint;
use keywheel::usage::look::{Looked, Subject, Told, What, look, note};
use keywheel::usage::spike::facts::Known;
use keywheel::usage::time;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 1 something is not usual, 0 nothing is, 2 wrong usage.

Example, each hour:
  keywheel usage pull … && keywheel usage watch --store usage.db --policy policy.toml --alerts alerts.toml
  keywheel alert send --store usage.db --alerts alerts.toml

With --findings REPORT --escalate a spike of a key of the report begins its emergency rotation, where the policy's
`emergency-auto` says so and the key, read from its place again, is proved to work.")]
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
    #[command(flatten)]
    escalation: EscalateArgs,
}

pub(crate) fn run(args: &WatchArgs) -> Result<u8> {
    let organisation = organisation(&args.files)?;
    // Found out before anything is done.
    let escalation = args.escalation.open(&args.files)?;
    let owners = owners(organisation.as_ref());
    let config = args
        .alerts
        .as_deref()
        .map(|path| Config::parse(&read_text(path)?).map_err(|e| usage(format!("{}: {e}", path.display()))));
    let config = config.transpose()?;
    let mut prints: BTreeMap<String, Vec<Fingerprint>> = BTreeMap::new();
    match (&args.findings, &organisation) {
        (Some(path), Some(organisation)) => {
            for hit in report(path, None)?.matched(&organisation.policy)?.hits {
                prints.entry(hit.key.id.to_string()).or_default().push(hit.fingerprint);
            }
        }
        (Some(_), None) => return Err(usage("--findings needs --policy, which says whose keys they are")),
        (None, _) => {}
    }
    let retired = retired(organisation.as_ref());
    #[allow(clippy::cast_possible_truncation)]
    let budget = |name: &str| config.as_ref()?.budget.get(name).map(|usd| (usd * 1e9) as i64);
    let known = |subject: &Subject| Known {
        retired: retired.get(&(subject.provider.clone(), subject.key.clone())).copied(),
        found: prints.contains_key(&subject.name),
        budget: budget(&subject.name),
    };
    let (store, now) = (args.store.existing()?, now());
    let looked = look(&store, &owners, &known, now).map_err(usage)?;
    let new = match &config {
        Some(config) => Some(note(&store, &looked.told, config, now).map_err(usage)?),
        None => None,
    };
    let escalated = match (&escalation, &organisation, &args.findings) {
        (Some(escalation), Some(organisation), Some(findings)) => {
            let done = escalation.run(organisation, findings, &leaks(&looked, &prints))?;
            if let Some(config) = &config {
                let outbox = store.outbox().map_err(usage)?;
                for one in done.iter().filter(|one| one.news) {
                    let event = event(one, now);
                    outbox.put(&event, &config.routes(&event), time::DAY).map_err(usage)?;
                }
            }
            done
        }
        _ => Vec::new(),
    };
    let text = match args.format {
        Plain::Text => account(&looked, &escalated, new)?,
        Plain::Json => json_line(&document(&looked, &escalated, new, now))?,
    };
    output::print(text.as_bytes())?;
    Ok(if looked.told.is_empty() { code::CLEAN } else { code::FINDINGS })
}

/// The keys that stand in code and are used more than usual, each once.
fn leaks(looked: &Looked, prints: &BTreeMap<String, Vec<Fingerprint>>) -> Vec<Leak> {
    let mut spikes: BTreeMap<&str, i64> = BTreeMap::new();
    for told in looked.told.iter().filter(|told| told.found && matches!(told.what, What::Spike(_))) {
        let at = spikes.entry(&told.subject.name).or_insert(told.at());
        *at = told.at().max(*at);
    }
    let of = |(lineage, at): (&str, i64)| {
        let prints = prints.get(lineage).map_or(&[][..], Vec::as_slice);
        let leak = |print: &Fingerprint| Leak { lineage: lineage.to_owned(), fingerprint: print.clone(), at };
        prints.iter().map(leak).collect::<Vec<_>>()
    };
    spikes.into_iter().flat_map(of).collect()
}

/// What came of an escalation, for those who must hear of it.
fn event(one: &Escalated, now: i64) -> Event {
    let kind = if one.rotation.is_some() { "emergency" } else { "not-escalated" };
    let facts = one.rotation.map(|id| ("rotation".to_owned(), id.to_string()));
    Event {
        kind: kind.to_owned(),
        urgency: Urgency::Emergency,
        subject: one.lineage.clone(),
        text: one.text.clone(),
        facts: facts.into_iter().collect(),
        same: format!("{kind}:{}:{}", one.lineage, one.text),
        at: now,
    }
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

fn account(looked: &Looked, escalated: &[Escalated], new: Option<usize>) -> Result<String> {
    let mut out = String::new();
    for told in &looked.told {
        let key =
            if told.subject.key.is_empty() { String::new() } else { format!(" ({})", told.subject.key) };
        let line = format!("{:9}  {}{key}: {}", told.urgency().word(), told.subject.name, told.words());
        writeln!(out, "{}", plain(&line))?;
    }
    for one in escalated {
        writeln!(out, "{}", plain(&format!("escalated  {}: {}", one.lineage, one.text)))?;
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

fn document(looked: &Looked, escalated: &[Escalated], new: Option<usize>, now: i64) -> serde_json::Value {
    let one = |told: &Told| {
        let event = told.event(now);
        json!({"kind": event.kind, "urgency": event.urgency.word(), "subject": event.subject,
               "key": told.subject.key, "provider": told.subject.provider, "at": event.facts[1].1,
               "text": event.text, "open_finding": told.found})
    };
    let escalated: Vec<_> = escalated
        .iter()
        .map(|e| json!({"subject": e.lineage, "rotation": e.rotation, "text": e.text}))
        .collect();
    json!({"version": 1, "told": looked.told.iter().map(one).collect::<Vec<_>>(), "subjects": looked.subjects,
           "young": looked.young, "daily": looked.daily, "new_alerts": new, "escalated": escalated})
}
