//! `keywheel sweep`

mod left;
mod repository;

use super::args::Selection;
use super::reporting::Reporting;
use super::rotate::ProposalArgs;
use super::settings::Settings;
use super::verify::{self, Caller, VerifyArgs};
use super::{gate, output, random, signal, usage};
use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use keywheel::config::{self, Config};
use keywheel::model::{Checks, Finding, Lifecycle, RawPath};
use keywheel::report::{Report, Veil};
use keywheel::rule::RuleSet;
use keywheel::scan::{Outcome, join};
use keywheel::state::{Finished, State, StateError};
use keywheel::verify::Cache;
use repository::{Done, Sweeper};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    selection: Selection,
    /// What is remembered from one sweep to the next; made if it is not there
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Folder below which the alternates and links of a repository are followed
    #[arg(long, value_name = "DIR")]
    storage_root: Option<PathBuf>,
    #[command(flatten)]
    verify: VerifyArgs,
    #[command(flatten)]
    proposals: ProposalArgs,
    #[command(flatten)]
    reporting: Reporting,
}

pub(crate) fn run(args: &SweepArgs) -> Result<u8> {
    let targets = args.reporting.targets()?;
    let mut settings = Settings::new(&args.selection)?;
    settings.load_baseline()?;
    output::check(&targets)?;
    // Whoever runs a sweep names the repositories, and has a state that they cannot write.
    let policy = args.verify.policy(&settings.config, Caller::Person)?;
    let only = policy.as_ref().filter(|p| p.only_active).map(|_| config::FailOn::Active);
    let fail_on = args.reporting.fail_on(&settings.config, only);
    if policy.is_none() {
        gate::tell_unproved(fail_on);
    }
    let paths = settings.paths.clone();
    if paths.iter().any(|p| p.as_os_str() == "-") {
        return Err(usage("standard input is no repository; name the path of one"));
    }
    let (rules, config, quiet) = (settings.detector.rules().clone(), settings.config.clone(), settings.quiet);
    let started = Timestamp::now();
    let sweeper = Sweeper::new(settings, args.storage_root.clone());
    let mut state = open(&args.state)?;
    let mut swept = sweep(&sweeper, &state, &paths);
    if let Some(what) = swept.as_ref().err().and_then(damage) {
        // Some damage shows only when a row is read.
        drop(state);
        tell(&args.state, &State::rebuild(&args.state, what)?);
        state = open(&args.state)?;
        swept = sweep(&sweeper, &state, &paths);
    }
    let Swept { mut outcome, veil, below, lifecycle, mut done } = swept?;
    let mut checks = None;
    if let Some(policy) = policy.as_ref().filter(|_| signal::caught().is_none()) {
        let asking = Asking { args: &args.verify, rules: &rules, config: &config, policy, quiet };
        checks = Some(asking.check(&mut outcome.findings, &state)?);
    }
    let gate = gate::exit_code(&outcome.findings, &outcome.coverage, fail_on);
    // What is hidden has been weighed before.
    if policy.is_some_and(|p| p.only_active) {
        gate::keep_active(&mut outcome.findings, checks.as_mut());
    }
    let caught = signal::caught();
    let report = Report {
        findings: &outcome.findings,
        below,
        coverage: &outcome.coverage,
        lifecycle: Some(&lifecycle),
        checks: checks.as_ref(),
        veil: &veil,
        started,
        finished: Timestamp::now(),
        exit_code: caught.unwrap_or(gate),
        show_secrets: false,
        color: false,
        category: "",
    };
    args.reporting.write(&targets, report)?;
    args.proposals.tell(&outcome.findings, Caller::Person);
    // Only now: whatever ends the process before, the same is told again.
    if caught.is_none() {
        let finished: Vec<Finished<'_>> = done.iter_mut().filter_map(Done::finished).collect();
        state.finish(finished)?;
    }
    Ok(args.reporting.code(caught, gate))
}

/// How providers are asked about what a sweep has found.
struct Asking<'a> {
    args: &'a VerifyArgs,
    rules: &'a RuleSet,
    config: &'a Config,
    policy: &'a verify::Policy,
    quiet: bool,
}

impl Asking<'_> {
    /// Asks; verdicts are kept in the state, unless the command line names another place.
    fn check(&self, findings: &mut [Finding], state: &State) -> Result<Checks> {
        let &Asking { args, rules, config, policy, quiet } = self;
        if args.names_cache() {
            return verify::check(findings, rules, config, policy, quiet);
        }
        let mut cache = Cache::of_bytes(state.verdicts()?.as_deref(), random::key()?);
        let checks = verify::check_with(findings, rules, config, policy, quiet, Some(&mut cache))?;
        if let Some(bytes) = cache.into_bytes(Timestamp::now().as_second()) {
            state.keep_verdicts(&bytes)?;
        }
        Ok(checks)
    }
}

/// All repositories together.
struct Swept {
    outcome: Outcome,
    veil: Veil,
    below: u64,
    lifecycle: Lifecycle,
    done: Vec<Done>,
}

fn sweep(sweeper: &Sweeper, state: &State, paths: &[PathBuf]) -> Result<Swept> {
    let (mut veil, mut below) = (Veil::default(), 0);
    let mut lifecycle = Lifecycle::default();
    let (mut parts, mut done) = (Vec::new(), Vec::<Done>::new());
    for path in paths {
        let Some(mut one) = sweeper.sweep(path, state, &done)? else { continue };
        veil.add(&one.outcome.findings);
        veil.add(&one.below);
        below += one.below.len() as u64;
        if one.anew {
            output::tell(&format!(
                "{}: rules or options have changed, so everything is read",
                path.display()
            ));
        }
        lifecycle.remembered += one.remembered;
        lifecycle.fixed.append(&mut one.judged.fixed);
        lifecycle.withdrawn.append(&mut one.judged.withdrawn);
        parts.push((RawPath::from_path(path), std::mem::take(&mut one.outcome)));
        done.push(one);
    }
    lifecycle.fixed.sort();
    lifecycle.withdrawn.sort();
    let outcome = match parts.len() {
        1 => parts.pop().map(|(_, outcome)| outcome).unwrap_or_default(),
        _ => join(parts),
    };
    Ok(Swept { outcome, veil, below, lifecycle, done })
}

fn open(path: &Path) -> Result<State> {
    let (state, aside) = State::open(path, random::key()?).map_err(usage)?;
    if let Some(aside) = aside {
        tell(path, &aside);
    }
    Ok(state)
}

fn tell(path: &Path, aside: &keywheel::state::Aside) {
    output::tell(&format!(
        "the state `{}` could not be used ({}); it is now `{}`, and everything is read anew",
        path.display(),
        aside.what,
        aside.path.display()
    ));
}

fn damage(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref() {
        Some(StateError::Broken { what, .. }) => Some(what.clone()),
        _ => None,
    }
}
