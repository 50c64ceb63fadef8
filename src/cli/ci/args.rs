//! The command lines of `keywheel ci`.

use super::plan::Wanted;
use crate::cli::args::Selection;
use crate::cli::reporting::FailOn;
use crate::cli::verify::VerifyArgs;
use clap::{Args, Subcommand};
use keywheel::config::{duration, size};
use keywheel::model::{Confidence, Severity};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    #[command(subcommand)]
    pub(super) server: Server,
}

#[derive(Debug, Subcommand)]
pub(super) enum Server {
    /// Scan what an event of GitHub Actions brings, and report it there
    #[command(
        after_help = "Reads GITHUB_EVENT_NAME, GITHUB_EVENT_PATH, GITHUB_SHA and GITHUB_REF. Writes annotations to the \
log, a summary to GITHUB_STEP_SUMMARY and outputs to GITHUB_OUTPUT."
    )]
    Github(Box<GithubArgs>),
    /// Scan what a pipeline of GitLab brings, and write its report
    #[command(
        after_help = "Reads CI_PIPELINE_SOURCE, CI_COMMIT_SHA, CI_COMMIT_BEFORE_SHA and CI_MERGE_REQUEST_DIFF_BASE_SHA."
    )]
    Gitlab(Box<GitlabArgs>),
}

#[derive(Debug, Args)]
pub(super) struct GithubArgs {
    #[command(flatten)]
    pub(super) common: Common,
    /// The SARIF file [default: keywheel.sarif in RUNNER_TEMP, or else in the current folder]
    #[arg(long, value_name = "FILE")]
    pub(super) sarif: Option<PathBuf>,
    /// Scan changes on pull_request_target, which runs with the target's secrets
    #[arg(long)]
    pub(super) allow_pull_request_target: bool,
    /// The organisation's policy: the summary says for each key that is proved to work how it would be rotated. Never
    /// for changes from forks
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_POLICY")]
    pub(super) policy: Option<PathBuf>,
    /// Scan nothing; print what has to be fetched before: lines of a word and a name
    #[arg(long)]
    pub(super) print_needs: bool,
}

#[derive(Debug, Args)]
pub(super) struct GitlabArgs {
    #[command(flatten)]
    pub(super) common: Common,
    /// The report
    #[arg(long, value_name = "FILE", default_value = "gl-secret-detection-report.json")]
    pub(super) report: PathBuf,
}

/// What both take. Configuration, baseline and rules are files of the base commit: those of the
/// scanned change hold nothing.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// The repository
    #[arg(default_value = ".", value_name = "PATH")]
    pub(super) repository: PathBuf,
    /// What to scan
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub(super) scan: Wanted,
    /// Configuration file, a path in the base commit [default: keywheel.toml, if there is one]
    #[arg(long, value_name = "PATH")]
    pub(super) config: Option<String>,
    /// Use no configuration file of the repository
    #[arg(long)]
    pub(super) no_config: bool,
    /// The organisation's configuration, below which the repository's may not go; a file of its own
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ORG_CONFIG")]
    org_config: Option<PathBuf>,
    /// Accepted findings, a path in the base commit
    #[arg(long, value_name = "PATH")]
    pub(super) baseline: Option<String>,
    /// A rule file or folder beside the embedded rules, a path in the base commit
    #[arg(long = "rules", value_name = "PATH")]
    pub(super) rule_paths: Vec<String>,
    /// Use only this rule, or all of this provider
    #[arg(long = "rule", value_name = "ID")]
    only: Vec<String>,
    /// Leave out what fits this glob
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Report findings of at least this confidence: low, medium, high [default: medium]
    #[arg(long, value_name = "LEVEL")]
    min_confidence: Option<Confidence>,
    /// Report findings of at least this severity: info, low, medium, high, critical [default: info]
    #[arg(long, value_name = "LEVEL")]
    min_severity: Option<Severity>,
    /// Which findings make the exit code 1 [default: new]
    #[arg(long, value_name = "WHICH")]
    pub(super) fail_on: Option<FailOn>,
    /// Exit 0 whatever is found or missed
    #[arg(long)]
    pub(super) exit_zero: bool,
    #[command(flatten)]
    pub(super) verify: VerifyArgs,
    /// Do not open archives
    #[arg(long)]
    no_archives: bool,
    /// Threads [default: one a core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Skip larger files, and count them as not read: 10M, 2G [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_file_size: Option<u64>,
    /// Stop after so long; what was not read makes the scan incomplete: 4s, 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Option<Duration>,
    /// Name of this run for systems that keep several apart
    #[arg(long, value_name = "NAME", default_value = "keywheel")]
    pub(super) category: String,
}

impl Common {
    /// The organisation's file, if one is named.
    pub(super) fn organisation(&self) -> Option<&Path> {
        self.org_config.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// The choices that `scan` takes too. Ignore files of the scanned change leave nothing out.
    pub(super) fn selection(&self) -> Selection {
        let mut selection = Selection {
            paths: vec![self.repository.clone()],
            exclude: self.exclude.clone(),
            gitignore: Some(false),
            no_archives: self.no_archives.then_some(true),
            min_confidence: self.min_confidence,
            min_severity: self.min_severity,
            jobs: self.jobs,
            max_file_size: self.max_file_size,
            budget: self.budget,
            quiet: true,
            ..Selection::default()
        };
        selection.rules.only = self.only.clone();
        selection
    }
}
