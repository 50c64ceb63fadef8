//! One scan for a build server: repository, trusted configuration, work, outcome.

use super::args::Common;
use super::plan::Choice;
use super::resolve::{Resolved, resolve};
use super::snapshot::Snapshot;
use super::trusted::{Names, Trusted};
use super::{feed, unread};
use crate::cli::gate;
use crate::cli::session::{self, Pass};
use crate::cli::settings::{Settings, chosen};
use crate::cli::verify::Caller;
use anyhow::Result;
use keywheel::config::FailOn;
use keywheel::model::Status;
use keywheel::report::Report;
use keywheel::source::git::{Repository, Surroundings};

/// What a scan gave.
pub(super) struct Done {
    pass: Pass,
    /// What the gate says: the exit code, unless it is overruled.
    pub(super) exit_code: u8,
    /// Commits whose content was read.
    pub(super) commits: u64,
    /// What a person should know of the choice of commits and configuration, in words that are ours.
    pub(super) notes: Vec<String>,
    /// What the change proposes, likewise.
    pub(super) proposed: Vec<String>,
}

/// Scans. `cure` says how to fetch what is missing.
pub(super) fn scan(args: &Common, choice: &Choice, cure: &str) -> Result<Done> {
    let mut repository = Repository::open(&args.repository, &Surroundings::default()).map_err(unread)?;
    let Resolved { work, trusted, proposing, mut notes } = resolve(choice, &repository, cure)?;
    let snapshot = |commit| Snapshot::of(&repository.objects, commit).map_err(unread);
    let names = Names {
        organisation: args.organisation(),
        config: args.config.as_deref(),
        no_config: args.no_config,
        baseline: args.baseline.as_deref(),
        rules: &args.rule_paths,
    };
    let selection = args.selection();
    let base = trusted.map(snapshot).transpose()?;
    let mut trusted = Trusted::read(base.as_ref(), names)?;
    notes.append(&mut trusted.notes);
    let proposed = match proposing {
        Some(commit) => trusted.proposed(&snapshot(commit)?),
        None => Vec::new(),
    };
    let rules = chosen(trusted.rules, &selection.rules.only)?;
    let inline_allow = trusted.config.scan.inline_allow.unwrap_or(false);
    let mut settings = Settings::with(&selection, trusted.config, rules);
    settings.files.gitignore = false;
    settings.options.inline_allow = inline_allow;
    settings.accept(trusted.baseline.unwrap_or_default())?;
    let caller = if choice.foreign { Caller::Stranger } else { Caller::Person };
    let policy = args.verify.policy(&settings.config, caller)?;
    let only = policy.as_ref().filter(|p| p.only_active).map(|_| FailOn::Active);
    let fail_on = args.fail_on.map(Into::into).or(only).or(settings.config.scan.fail_on).unwrap_or_default();
    let (rules, config) = (settings.detector.rules().clone(), settings.config.clone());
    let mut commits = 0;
    let mut pass = session::run_with(settings, |files, collector| {
        commits = feed::push(&mut repository, &work, &args.repository, files, collector)?;
        Ok(())
    })?;
    if let Some(policy) = &policy {
        pass.verify(&rules, &config, policy, true)?;
    }
    let gate = gate::exit_code(&pass.outcome.findings, &pass.outcome.coverage, fail_on);
    if policy.is_some_and(|p| p.only_active) {
        pass.keep_active();
    }
    Ok(Done { exit_code: pass.signal.unwrap_or(gate), pass, commits, notes, proposed })
}

impl Done {
    /// The report's content.
    pub(super) fn report<'a>(&'a self, category: &'a str) -> Report<'a> {
        Report {
            findings: &self.pass.outcome.findings,
            below: self.pass.below,
            coverage: &self.pass.outcome.coverage,
            lifecycle: None,
            checks: self.pass.checks.as_ref(),
            veil: &self.pass.veil,
            started: self.pass.times.0,
            finished: self.pass.times.1,
            exit_code: self.exit_code,
            show_secrets: false,
            color: false,
            category,
        }
    }

    /// The exit code of the process: that of a signal always, the gate's unless it is overruled.
    pub(super) fn code(&self, exit_zero: bool) -> u8 {
        if exit_zero && self.pass.signal.is_none() { crate::cli::code::CLEAN } else { self.exit_code }
    }

    /// Findings that nothing accepts.
    pub(super) fn new_findings(&self) -> usize {
        self.pass.outcome.findings.iter().filter(|f| f.status == Status::New).count()
    }

    /// Findings that were proved to work.
    pub(super) fn active_findings(&self) -> usize {
        self.pass.outcome.findings.iter().filter(|f| f.validity.is_active()).count()
    }
}
