//! The command line as declared to clap.

use clap::{Args, Parser, Subcommand, ValueEnum};
use keywheel::model::{Confidence, Severity};
use std::path::PathBuf;

const EXIT: &str = "Exit codes:
  0  complete, and nothing at or above the gate
  1  findings at or above the gate
  2  wrong usage or configuration
  3  nothing found, but something could not be read
  4  internal error";

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
  keywheel scan --format sarif=out.sarif     text to the terminal, SARIF to a file
  keywheel scan --baseline .keywheel-baseline --min-confidence low"))]
    Scan(ScanArgs),
    /// List, show and check rules
    Rules(RulesArgs),
}

/// When findings make the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Findings that neither baseline nor an allowance covers.
    New,
    /// Findings that were verified to work.
    Active,
    /// Any finding, known or not.
    Any,
    /// Never.
    None,
}

/// Which rules, from where.
#[derive(Debug, Args)]
pub(crate) struct RuleChoice {
    /// A rule file or folder beside the embedded rules; a rule with an embedded id replaces that
    #[arg(long = "rules", value_name = "PATH")]
    pub(crate) rule_paths: Vec<PathBuf>,
    /// Use only this rule, or all of this provider
    #[arg(long = "rule", value_name = "ID")]
    pub(crate) only: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Files and folders; `-` is standard input
    #[arg(default_value = ".", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleChoice,
    /// Configuration file; by default `keywheel.toml` of the current folder, if there is one
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Leave out what fits this glob, relative to the scanned folder
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Leave out what git ignores
    #[arg(long)]
    pub(crate) gitignore: bool,
    /// Do not open archives
    #[arg(long)]
    pub(crate) no_archives: bool,
    /// Report findings of at least this confidence: low, medium, high [default: medium]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) min_confidence: Option<Confidence>,
    /// Report findings of at least this severity: info, low, medium, high, critical [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) min_severity: Option<Severity>,
    /// Which findings make the exit code 1 [default: new]
    #[arg(long, value_name = "WHICH")]
    pub(crate) fail_on: Option<FailOn>,
    /// Exit 0 whatever is found or missed
    #[arg(long)]
    pub(crate) exit_zero: bool,
    /// Accepted findings; see `keywheel baseline`
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Let no comment in the scanned text accept a finding
    #[arg(long)]
    pub(crate) no_inline_allow: bool,
    /// Report format, optionally with a file: text, json, jsonl, sarif, csv, junit, markdown, github, gitlab
    #[arg(short, long = "format", value_name = "FORMAT[=FILE]")]
    pub(crate) formats: Vec<String>,
    /// Where the formats without a file go [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Name of this run for systems that keep several apart
    #[arg(long, value_name = "NAME", default_value = "keywheel")]
    pub(crate) category: String,
    /// Write whole secrets: to a terminal or to a file named here, never into a pipe
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// Tell on standard error what came near and what dropped it
    #[arg(long)]
    pub(crate) explain: bool,
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

#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// One line a rule
    List {
        #[command(flatten)]
        rules: RuleChoice,
        /// The checksum algorithms instead
        #[arg(long)]
        checksums: bool,
    },
    /// Everything about a rule, and the provider's file
    Show {
        /// Id of a rule or provider
        id: String,
        #[command(flatten)]
        rules: RuleChoice,
    },
    /// Prove rule files by their own examples; without a path, the embedded ones
    Check {
        /// Rule files or folders
        paths: Vec<PathBuf>,
    },
}

/// `10M` → bytes.
fn size(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.trim_end_matches(['b', 'B']).char_indices().last() {
        Some((i, 'k' | 'K')) => (&text[..i], 1 << 10),
        Some((i, 'm' | 'M')) => (&text[..i], 1 << 20),
        Some((i, 'g' | 'G')) => (&text[..i], 1u64 << 30),
        _ => (text, 1),
    };
    let n: u64 = digits.parse().map_err(|_| format!("`{text}` is no size; write 500K, 10M or 2G"))?;
    n.checked_mul(factor).ok_or_else(|| format!("`{text}` is too large"))
}

/// `4s`, `500ms`, `10m` → time.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let error = || format!("`{text}` is no time; write 500ms, 4s or 10m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: u64 = digits.parse().map_err(|_| error())?;
    let ms = match &text[digits.len()..] {
        "ms" => n,
        "" | "s" => n.saturating_mul(1000),
        "m" => n.saturating_mul(60_000),
        "h" => n.saturating_mul(3_600_000),
        _ => return Err(error()),
    };
    Ok(std::time::Duration::from_millis(ms))
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
