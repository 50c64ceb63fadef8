//! `keywheel inventory`: the keys that the organisation's policy lists. Contacts nobody, but for `discover`.

use super::organisation::{Organisation, OrganisationArgs, report};
use super::policy::{Plain, count, json_line};
use super::rotate::{DISCOVER_CODES, DiscoverArgs, discover};
use super::terminal::plain;
use super::{code, output};
use anyhow::Result;
use clap::{Args, Subcommand};
use keywheel::rotate::inventory::{Gap, Hit, Key, Matched, Spot};
use keywheel::rotate::schedule::{History, Turn, turn};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

const CODES: &str = "Exit codes:
  0    no key of the report is unknown, and none of the inventory stands in code
  1    some are
  2    wrong usage, a file that cannot be read, or a report with other fingerprints";

#[derive(Debug, Args)]
pub(crate) struct InventoryArgs {
    #[command(subcommand)]
    command: InventoryCommand,
}

#[derive(Debug, Subcommand)]
enum InventoryCommand {
    /// One line a key: whose it is, how old, and when its turn comes
    List {
        #[command(flatten)]
        files: OrganisationArgs,
        /// How to write the result
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Plain,
    },
    /// Ask providers and stores what there is, and draft what the inventory lacks; changes nothing
    #[command(after_help = DISCOVER_CODES)]
    Discover(Box<DiscoverArgs>),
    /// Hold a scan's report against the inventory: known keys in code, and unknown ones with the nearest owner
    #[command(after_help = CODES)]
    Check {
        /// A report of `keywheel scan --format json`
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// The CODEOWNERS file of the scanned repository, to name whom to ask
        #[arg(long, value_name = "FILE")]
        codeowners: Option<PathBuf>,
        #[command(flatten)]
        files: OrganisationArgs,
        /// How to write the result
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Plain,
    },
}

pub(crate) fn run(args: &InventoryArgs) -> Result<u8> {
    match &args.command {
        InventoryCommand::Discover(args) => discover(args),
        InventoryCommand::List { files, format } => {
            let organisation = Organisation::new(files)?;
            let keys: Vec<_> =
                organisation.policy.file.key.iter().map(|key| (key, turn_of(&organisation, key))).collect();
            let text = match format {
                Plain::Text => table(&organisation, &keys),
                Plain::Json => {
                    json_line(&json!({ "version": 1, "keys": keys.iter().map(one).collect::<Vec<_>>() }))?
                }
            };
            output::print(text.as_bytes())?;
            Ok(code::CLEAN)
        }
        InventoryCommand::Check { from, codeowners, files, format } => {
            let organisation = Organisation::new(files)?;
            let scanned = report(from, codeowners.as_deref())?;
            let matched = scanned.matched(&organisation.policy)?;
            let text = match format {
                Plain::Text => account(&matched)?,
                Plain::Json => {
                    let hits: Vec<_> = matched.hits.iter().map(hit).collect();
                    json_line(&json!({ "version": 1, "known": hits, "unknown": matched.gaps }))?
                }
            };
            output::print(text.as_bytes())?;
            let clean = matched.hits.is_empty() && matched.gaps.is_empty();
            Ok(if clean { code::CLEAN } else { code::FINDINGS })
        }
    }
}

fn turn_of(organisation: &Organisation, key: &Key) -> Turn {
    let resolved = organisation.policy.resolve(key);
    turn(&key.id, &resolved, History { since: key.since(), paused: None }, organisation.now)
}

fn age(organisation: &Organisation, key: &Key) -> String {
    let days = |since: jiff::Timestamp| organisation.now.duration_since(since).as_hours() / 24;
    key.since().map_or("-".to_owned(), |since| format!("{}d", days(since)))
}

fn table(organisation: &Organisation, keys: &[(&Key, Turn)]) -> String {
    let head = ["KEY", "TEAM", "SERVICE", "ENVIRONMENT", "RULE", "OWNER", "AGE", "TURN"].map(str::to_owned);
    let mut rows = vec![head];
    for (key, turn) in keys {
        let said = organisation.policy.resolve(key).owners.value;
        let owners: Vec<_> = said.iter().map(ToString::to_string).collect();
        let owner = key.owner.as_ref().map_or(owners.join(","), ToString::to_string);
        rows.push([
            key.id.to_string(),
            key.team.to_string(),
            key.service.to_string(),
            key.environment.to_string(),
            key.rule.to_string(),
            if owner.is_empty() { "-".to_owned() } else { owner },
            age(organisation, key),
            turn.now.to_string(),
        ]);
    }
    let width = |n: usize| rows.iter().map(|row| row[n].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let line = |row: &[String; 8]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn one((key, turn): &(&Key, Turn)) -> serde_json::Value {
    json!({
        "id": key.id, "team": key.team, "service": key.service, "environment": key.environment,
        "provider": key.provider, "rule": key.rule, "account": key.account, "owner": key.owner,
        "class": key.class, "since": key.since().map(|t| t.to_string()), "staging": key.staging,
        "stores": key.stores.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "due": turn.due.map(|t| t.to_string()), "begins": turn.first.map(|t| t.to_string()),
        "now": turn.now.to_string(),
    })
}

fn hit(hit: &Hit<'_>) -> serde_json::Value {
    json!({
        "key": hit.key.id, "fingerprint": hit.fingerprint.as_str(), "current": hit.current, "active": hit.active,
        "spots": hit.spots,
    })
}

fn account(matched: &Matched<'_>) -> Result<String> {
    let mut out = String::new();
    let spots = |list: &[Spot]| {
        list.iter().map(|s| plain(&format!("{}:{}", s.path, s.line))).collect::<Vec<_>>().join(", ")
    };
    let live = |active: bool| if active { ", proved active" } else { "" };
    for hit in &matched.hits {
        let value = if hit.current { "current value" } else { "earlier value" };
        writeln!(out, "known    {}: {value}{}: {}", hit.key.id, live(hit.active), spots(&hit.spots))?;
    }
    for Gap { rule, active, spots: list, nearest, .. } in &matched.gaps {
        let ask = nearest.as_ref().map_or("nobody is known to ask".to_owned(), |n| {
            plain(&format!("ask {} ({})", n.owners.join(" "), n.because))
        });
        writeln!(out, "unknown  {}{}: {}; {ask}", plain(rule), live(*active), spots(list))?;
    }
    let (hits, gaps) = (matched.hits.len(), matched.gaps.len());
    writeln!(
        out,
        "{} of the inventory in code, {} that it does not list",
        count(hits, "key"),
        count(gaps, "key")
    )?;
    Ok(out)
}
