//! The command line as declared to clap; what only one subcommand takes stands in its own file.

use super::alert::AlertArgs;
use super::baseline::BaselineArgs;
use super::ci::CiArgs;
use super::completions::CompletionsArgs;
use super::hook::HookArgs;
use super::inventory::InventoryArgs;
use super::man::ManArgs;
use super::migrate::MigrateArgs;
use super::policy::PolicyArgs;
use super::rotate::RotateCommand;
use super::rules::RulesArgs;
use super::scan::ScanArgs;
use super::sweep::SweepArgs;
use super::used::UsageArgs;
use super::verify::VerifyCommand;
use clap::{Args, Parser, Subcommand};
use keywheel::config::{duration, size};
use keywheel::model::{Confidence, Severity};
use std::path::PathBuf;

const EXIT: &str = "Exit codes:
  0    complete, and nothing at or above the gate
  1    findings at or above the gate
  2    wrong usage or configuration
  3    nothing found, but something could not be read
  4    internal error, or a report that could not be written
  130  interrupted; 143 terminated";

/// Finds leaked keys, proves which are live, and turns them over without downtime.
#[derive(Debug, Parser)]
#[command(name = "keywheel", version, after_help = EXIT, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Scan files, folders or standard input for secrets
    #[command(after_help = concat!("Examples:
  keywheel scan                              the current folder
  keywheel scan src config.yaml              a folder and a file
  cat log | keywheel scan -                  standard input
  keywheel scan --format sarif=out.sarif     SARIF to a file
  keywheel scan --baseline .keywheel-baseline --min-confidence low"))]
    Scan(Box<ScanArgs>),
    /// Scan all of some repositories' history, and remember it: the next sweep reads only what is new
    #[command(after_help = "Examples:
  keywheel sweep --state ~/.cache/keywheel.state                 the repository of the current folder
  keywheel sweep /srv/git/*.git --state sweep.state -f sarif=out.sarif

A sweep that is killed goes on where it was. Findings are new, known (reported by an earlier sweep), fixed
(no ref leads to them any more) or reopened; --fail-on new counts new and reopened ones.")]
    Sweep(Box<SweepArgs>),
    /// Ask providers whether a secret works, or the findings of a report
    #[command(
        after_help = "Reads one secret from standard input, never from the command line. Exit codes: 1 it works, \
0 it does not, 3 it is not known.

Examples:
  keywheel verify < key.txt                          the rule is named by the key's look
  keywheel verify --rule acme-key --with account=account.txt < key.txt
  keywheel verify --report report.json --root src    every finding of a report, read from its place again"
    )]
    Verify(Box<VerifyCommand>),
    /// Turn keys over: switch one off
    Rotate(RotateCommand),
    /// List, show and check rules
    Rules(RulesArgs),
    /// Accept what is found today, so that only new findings count
    Baseline(Box<BaselineArgs>),
    /// Scan what a build server's event brings, and report it there
    Ci(CiArgs),
    /// Run as a hook of git, or install one
    Hook(Box<HookArgs>),
    /// Check, explain and report on the organisation's policy for its keys
    Policy(PolicyArgs),
    /// List the organisation's keys, or hold a scan's report against them
    Inventory(InventoryArgs),
    /// Convert the rules, settings and baselines of other scanners
    #[command(
        after_help = "What means a little else here is told on standard error; what has no counterpart is an error.

Examples:
  keywheel migrate .gitleaks.toml                          show what it comes to
  keywheel migrate .gitleaks.toml .gitleaksignore --out .  rules/gitleaks.toml, keywheel.toml, .keywheel-baseline
  keywheel scan --rules .gitleaks.toml                     use it as it is"
    )]
    Migrate(MigrateArgs),
    /// Read who used which key and what it cost, and show it by service, key, model and time
    Usage(UsageArgs),
    /// Send alerts that wait, and list those that could not be sent
    Alert(AlertArgs),
    /// Write completions for a shell
    Completions(CompletionsArgs),
    /// Write the manual page
    Man(ManArgs),
}

/// Which rules, from where.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RuleChoice {
    /// A rule file or folder beside the embedded rules; a rule with an embedded id replaces that
    #[arg(long = "rules", value_name = "PATH")]
    pub(crate) rule_paths: Vec<PathBuf>,
    /// Use only this rule, or all of this provider
    #[arg(long = "rule", value_name = "ID")]
    pub(crate) only: Vec<String>,
}

/// What is read and which findings are looked at: shared by `scan` and `baseline`.
#[derive(Debug, Default, Args)]
pub(crate) struct Selection {
    /// Files and folders; `-` is standard input
    #[arg(default_value = ".", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleChoice,
    /// Configuration file [default: `keywheel.toml` of the current folder, if there is one]
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Use no configuration file of the project
    #[arg(long)]
    pub(crate) no_config: bool,
    /// The organisation's configuration, below which the project's may not go
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ORG_CONFIG")]
    pub(crate) org_config: Option<PathBuf>,
    /// Leave out what fits this glob, relative to the scanned folder
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Leave out what git ignores; `--gitignore=false` overrules the configuration
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) gitignore: Option<bool>,
    /// Do not open archives
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) no_archives: Option<bool>,
    /// Do not rank unnamed secrets: they keep the confidence of their rule, low
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) no_ranking: Option<bool>,
    /// Report findings of at least this confidence: low, medium, high [default: medium]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) min_confidence: Option<Confidence>,
    /// Report findings of at least this severity: info, low, medium, high, critical [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) min_severity: Option<Severity>,
    /// Accepted findings; see `keywheel baseline`
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Let no comment in the scanned text accept a finding
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) no_inline_allow: Option<bool>,
    /// Threads [default: one a core]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Skip larger files, and count them as not read: 10M, 2G [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_file_size: Option<u64>,
    /// Stop after so long; what was not read makes the scan incomplete: 4s, 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) budget: Option<std::time::Duration>,
    /// No progress on the terminal
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_times() {
        assert_eq!(size("10M"), Ok(10 << 20));
        assert_eq!(size("7"), Ok(7));
        assert!(size("ten").is_err() && size("99999999999G").is_err());
        assert_eq!(duration("4s").map(|d| d.as_millis()), Ok(4000));
        assert!(duration("4 parsecs").is_err());
    }
}
