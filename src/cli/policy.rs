//! `keywheel policy`: checks, explains and reports on the organisation's file. Contacts nobody.

use super::organisation::{Organisation, OrganisationArgs, report};
use super::used::HygieneArgs;
use super::{code, output, usage};
use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use keywheel::rotate::policy::Hygiene;
use keywheel::rotate::policy::check::{Discovered, Fault, Weight, check};
use keywheel::rotate::schedule::{History, turn};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const CODES: &str = "Exit codes:
  0    sound, or warnings only
  1    errors
  2    wrong usage, or a file that cannot be read";

const REPORT: &str = "Exit codes:
  0    nothing is late, unowned, without room or in code
  1    something is; what use adds does not count
  2    wrong usage, or a file that cannot be read

Example, each week:
  keywheel usage pull --store usage.db --policy policy.toml
  keywheel policy report --policy policy.toml --usage usage.db --record --format html > keys.html";

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Tell whether the policy can work, and whether a repository's file is taken
    #[command(after_help = CODES)]
    Check {
        #[command(flatten)]
        files: OrganisationArgs,
        /// What was found at the providers, as JSON
        #[arg(long, value_name = "FILE")]
        discovered: Option<PathBuf>,
        /// How to write the result
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Plain,
    },
    /// Every setting that holds for a key, and who set it; and when its turn comes
    Explain {
        /// Id of the key
        key: String,
        #[command(flatten)]
        files: OrganisationArgs,
        /// How to write the result
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Plain,
    },
    /// How well each team keeps its keys
    #[command(after_help = REPORT)]
    Report {
        #[command(flatten)]
        files: OrganisationArgs,
        /// A report of `keywheel scan --format json`, to count keys in code
        #[arg(long, value_name = "FILE")]
        scan: Option<PathBuf>,
        /// The CODEOWNERS file of the scanned repository, to name whom to ask
        #[arg(long, value_name = "FILE", requires = "scan")]
        codeowners: Option<PathBuf>,
        /// What was found at the providers, as JSON
        #[arg(long, value_name = "FILE")]
        discovered: Option<PathBuf>,
        #[command(flatten)]
        used: Box<HygieneArgs>,
        /// How to write the result
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Rich,
    },
}

/// Formats of lists.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Plain {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Formats of the report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rich {
    /// For a terminal.
    Text,
    /// For a job summary.
    Markdown,
    /// One page, which asks nobody for anything.
    Html,
    /// For programs.
    Json,
}

pub(crate) fn run(args: &PolicyArgs) -> Result<u8> {
    match &args.command {
        PolicyCommand::Check { files, discovered, format } => checked(files, discovered.as_deref(), *format),
        PolicyCommand::Explain { key, files, format } => explain(files, key, *format),
        PolicyCommand::Report { files, scan, codeowners, discovered, used, format } => {
            let organisation = Organisation::new(files)?;
            let discovered = found(discovered.as_deref())?;
            let scan = scan.as_deref().map(|scan| report(scan, codeowners.as_deref())).transpose()?;
            let matched = scan.as_ref().map(|scan| scan.matched(&organisation.policy)).transpose()?;
            let hygiene =
                Hygiene::new(&organisation.policy, organisation.facts(discovered.as_ref()), matched.as_ref());
            let hygiene = used.add(hygiene, &organisation)?;
            let text = match format {
                Rich::Text => hygiene.text(),
                Rich::Markdown => hygiene.markdown(),
                Rich::Html => hygiene.html(organisation.now),
                Rich::Json => json_line(&serde_json::to_value(&hygiene)?)?,
            };
            output::print(text.as_bytes())?;
            Ok(if hygiene.is_clean() { code::CLEAN } else { code::FINDINGS })
        }
    }
}

fn checked(files: &OrganisationArgs, discovered: Option<&Path>, format: Plain) -> Result<u8> {
    let organisation = Organisation::new(files)?;
    let discovered = found(discovered)?;
    let faults = check(&organisation.policy, organisation.facts(discovered.as_ref()));
    tell(&organisation, &faults, format)
}

/// Writes faults and their number.
pub(crate) fn tell(organisation: &Organisation, faults: &[Fault], format: Plain) -> Result<u8> {
    let number = |weight| faults.iter().filter(|f| f.code.weight() == weight).count();
    let (errors, warnings) = (number(Weight::Error), number(Weight::Warning));
    let text = match format {
        Plain::Text => {
            let mut out = String::new();
            for fault in faults {
                writeln!(out, "{fault}")?;
            }
            let keys = &organisation.policy.file.key;
            let mut teams: Vec<_> = keys.iter().map(|key| &key.team).collect();
            teams.sort();
            teams.dedup();
            let [keys, teams] = [count(keys.len(), "key"), count(teams.len(), "team")];
            writeln!(out, "{keys} of {teams}: {}, {}", count(errors, "error"), count(warnings, "warning"))?;
            out
        }
        Plain::Json => {
            let one = |f: &Fault| {
                json!({
                    "code": f.code.as_str(), "weight": f.code.weight().to_string(), "keys": f.keys,
                    "path": f.path.display().to_string(), "line": f.place.line, "column": f.place.column,
                    "message": f.message, "cure": f.code.cure(),
                })
            };
            let list: Vec<_> = faults.iter().map(one).collect();
            json_line(&json!({ "version": 1, "errors": errors, "warnings": warnings, "faults": list }))?
        }
    };
    output::print(text.as_bytes())?;
    Ok(if errors == 0 { code::CLEAN } else { code::FINDINGS })
}

fn explain(files: &OrganisationArgs, id: &str, format: Plain) -> Result<u8> {
    let organisation = Organisation::new(files)?;
    let policy = &organisation.policy;
    let key = policy.key(id).ok_or_else(|| {
        usage(format!(
            "{} has no key of that id; `keywheel inventory list` names them",
            policy.path().display()
        ))
    })?;
    let resolved = policy.resolve(key);
    let rows = resolved.rows();
    let turn = turn(&key.id, &resolved, History { since: key.since(), paused: None }, organisation.now);
    let text = match format {
        Plain::Text => {
            let value = rows.iter().map(|row| row.value.chars().count()).max().unwrap_or(0);
            let mut out = format!("{id}\n");
            for row in &rows {
                writeln!(out, "  {:20} {:value$}  {}", row.name, row.value, row.from)?;
            }
            for sentence in &turn.because {
                writeln!(out, "{sentence}")?;
            }
            writeln!(out, "now: {}", turn.now)?;
            out
        }
        Plain::Json => {
            let one = |row: &keywheel::rotate::policy::Row| json!({ "setting": row.name, "value": row.value, "from": row.from.to_string() });
            let settings: Vec<_> = rows.iter().map(one).collect();
            json_line(&json!({
                "version": 1, "key": id, "settings": settings,
                "due": turn.due.map(|t| t.to_string()), "begins": turn.first.map(|t| t.to_string()),
                "now": turn.now.to_string(), "because": turn.because,
            }))?
        }
    };
    output::print(text.as_bytes())?;
    Ok(code::CLEAN)
}

fn found(path: Option<&Path>) -> Result<Option<Discovered>> {
    let Some(path) = path else { return Ok(None) };
    let text = super::organisation::read(path)?;
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|e| usage(format!("{}:{}:{}: {e}", path.display(), e.line(), e.column())))
}

/// One document of JSON, a line.
pub(crate) fn json_line(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string(value)? + "\n")
}

pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
