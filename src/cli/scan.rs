//! `keywheel scan`

use super::args::Selection;
use super::reporting::Reporting;
use super::rotate::ProposalArgs;
use super::session::Pass;
use super::settings::Settings;
use super::verify::{Caller, VerifyArgs};
use super::what::What;
use super::{gate, output, session, terminal};
use anyhow::Result;
use clap::Args;
use keywheel::config;
use keywheel::report::{Report, Veil};
use keywheel::scan::{Collector, Outcome};
use keywheel::source;
use std::io::{self, Write};

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    pub(crate) what: What,
    #[command(flatten)]
    pub(crate) verify: VerifyArgs,
    #[command(flatten)]
    proposals: ProposalArgs,
    #[command(flatten)]
    reporting: Reporting,
    /// Tell on standard error what came near and what dropped it
    #[arg(long)]
    explain: bool,
}

pub(crate) fn run(args: &ScanArgs, caller: Caller) -> Result<u8> {
    report(args, caller, session::run)
}

/// Scans what `feed` pushes, and reports.
pub(crate) fn run_with(
    args: &ScanArgs,
    caller: Caller,
    feed: impl FnOnce(&source::Options, &Collector) -> Result<()>,
) -> Result<u8> {
    report(args, caller, |settings| session::run_with(settings, feed))
}

fn report(args: &ScanArgs, caller: Caller, scan: impl FnOnce(Settings) -> Result<Pass>) -> Result<u8> {
    let targets = args.reporting.targets()?;
    let mut settings = Settings::new(&args.selection)?;
    settings.load_baseline()?;
    settings.options.explain = args.explain;
    settings.what = args.what.clone();
    output::check(&targets)?;
    let policy = args.verify.policy(&settings.config, caller)?;
    let only = policy.as_ref().filter(|p| p.only_active).map(|_| config::FailOn::Active);
    let fail_on = args.reporting.fail_on(&settings.config, only);
    if policy.is_none() {
        gate::tell_unproved(fail_on);
    }
    let (rules, config, quiet) = (settings.detector.rules().clone(), settings.config.clone(), settings.quiet);
    let mut pass = scan(settings)?;
    if let Some(policy) = &policy {
        pass.verify(&rules, &config, policy, quiet)?;
    }
    let gate = gate::exit_code(&pass.outcome.findings, &pass.outcome.coverage, fail_on);
    // What is hidden has been weighed before.
    if policy.is_some_and(|p| p.only_active) {
        pass.keep_active();
    }
    let outcome = pass.outcome;
    if args.explain {
        // A closed standard error must not cost the report.
        let _ = explain(&outcome, &pass.veil);
    }
    let report = Report {
        findings: &outcome.findings,
        below: pass.below,
        coverage: &outcome.coverage,
        lifecycle: None,
        checks: pass.checks.as_ref(),
        veil: &pass.veil,
        started: pass.times.0,
        finished: pass.times.1,
        exit_code: pass.signal.unwrap_or(gate),
        show_secrets: false,
        color: false,
        category: "",
    };
    args.reporting.write(&targets, report)?;
    args.proposals.tell(&outcome.findings, caller);
    Ok(args.reporting.code(pass.signal, gate))
}

/// One line a near miss, and one a ranked candidate that was kept. It begins with a word of ours, so that no build log takes a file's name
/// for a command.
fn explain(outcome: &Outcome, veil: &Veil) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stderr().lock());
    for n in &outcome.near {
        let via: String = n.via.iter().map(|v| format!(" via {}", v.as_str())).collect();
        writeln!(
            out,
            "near miss: {}:{}:{}: {}{via} dropped by {}: {}",
            terminal::plain(&veil.place(&n.provenance)),
            n.location.line,
            n.location.start + 1,
            n.rule,
            n.reason,
            n.detail
        )?;
    }
    for r in &outcome.ranked {
        let via: String = r.via.iter().map(|v| format!(" via {}", v.as_str())).collect();
        let why: Vec<String> = r
            .why
            .iter()
            .map(|(what, points)| format!("{what} {:+.2}", f64::from(*points) / 1000.0))
            .collect();
        writeln!(
            out,
            "ranked: {}:{}:{}: {}{via} {} at {:+.2}: {}",
            terminal::plain(&veil.place(&r.provenance)),
            r.location.line,
            r.location.start + 1,
            r.rule,
            r.confidence,
            f64::from(r.points) / 1000.0,
            why.join(", ")
        )?;
    }
    out.flush()
}
