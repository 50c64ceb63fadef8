//! What is reported, where, and with which exit code: shared by `scan` and `sweep`.

use super::output::{self, Target};
use super::{code, terminal, usage};
use anyhow::Result;
use clap::{Args, ValueEnum};
use keywheel::config::{self, Config};
use keywheel::report::Report;
use std::path::PathBuf;

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

impl From<FailOn> for config::FailOn {
    fn from(it: FailOn) -> Self {
        match it {
            FailOn::New => config::FailOn::New,
            FailOn::Active => config::FailOn::Active,
            FailOn::Any => config::FailOn::Any,
            FailOn::None => config::FailOn::None,
        }
    }
}

/// The flags for the report.
#[derive(Debug, Args)]
pub(crate) struct Reporting {
    /// Which findings make the exit code 1 [default: new]
    #[arg(long, value_name = "WHICH")]
    fail_on: Option<FailOn>,
    /// Exit 0 whatever is found or missed
    #[arg(long)]
    exit_zero: bool,
    /// Report format, optionally with a file: text, json, jsonl, sarif, csv, junit, markdown, github, gitlab
    #[arg(short, long = "format", value_name = "FORMAT[=FILE]")]
    formats: Vec<String>,
    /// Where the formats without a file go [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name of this run for systems that keep several apart
    #[arg(long, value_name = "NAME", default_value = "keywheel")]
    category: String,
    /// Write whole secrets: to a terminal or to a file named here, never into a pipe
    #[arg(long)]
    show_secrets: bool,
}

impl Reporting {
    /// Where the report goes, in which formats.
    pub(crate) fn targets(&self) -> Result<Vec<Target>> {
        let targets = output::targets(&self.formats, self.output.as_deref())?;
        if self.show_secrets && !output::may_show_secrets(&targets) {
            return Err(usage(
                "--show-secrets writes to a terminal or to a file named with --format F=FILE or --output, not into a pipe",
            ));
        }
        Ok(targets)
    }

    /// Which findings fail the gate: what the command line says, else `unsaid`, else the configuration.
    pub(crate) fn fail_on(&self, config: &Config, unsaid: Option<config::FailOn>) -> config::FailOn {
        self.fail_on.map(Into::into).or(unsaid).or(config.scan.fail_on).unwrap_or_default()
    }

    /// Writes a report everywhere it goes; how it looks is set here.
    pub(crate) fn write(&self, targets: &[Target], report: Report<'_>) -> Result<()> {
        for target in targets {
            let report = Report {
                show_secrets: self.show_secrets,
                color: target.1.is_none() && terminal::color(),
                category: &self.category,
                ..report
            };
            output::write(target, &report)?;
        }
        Ok(())
    }

    /// The exit code: that of a signal, or the gate's unless it is overruled.
    pub(crate) fn code(&self, signal: Option<u8>, gate: u8) -> u8 {
        signal.unwrap_or(if self.exit_zero { code::CLEAN } else { gate })
    }
}
