//! `keywheel scan`

use super::args::Selection;
use super::reporting::Reporting;
use super::session::Pass;
use super::settings::Settings;
use super::what::What;
use super::{gate, output, session, terminal};
use anyhow::Result;
use clap::Args;
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
    reporting: Reporting,
    /// Tell on standard error what came near and what dropped it
    #[arg(long)]
    explain: bool,
}

pub(crate) fn run(args: &ScanArgs) -> Result<u8> {
    report(args, session::run)
}

/// Scans what `feed` pushes, and reports.
pub(crate) fn run_with(
    args: &ScanArgs,
    feed: impl FnOnce(&source::Options, &Collector) -> Result<()>,
) -> Result<u8> {
    report(args, |settings| session::run_with(settings, feed))
}

fn report(args: &ScanArgs, scan: impl FnOnce(Settings) -> Result<Pass>) -> Result<u8> {
    let targets = args.reporting.targets()?;
    let mut settings = Settings::new(&args.selection)?;
    settings.load_baseline()?;
    settings.options.explain = args.explain;
    settings.what = args.what.clone();
    output::check(&targets)?;
    let fail_on = args.reporting.fail_on(&settings.config);
    let pass = scan(settings)?;
    let outcome = pass.outcome;
    let gate = gate::exit_code(&outcome.findings, &outcome.coverage, fail_on);
    if args.explain {
        // A closed standard error must not cost the report.
        let _ = explain(&outcome, &pass.veil);
    }
    let report = Report {
        findings: &outcome.findings,
        below: pass.below,
        coverage: &outcome.coverage,
        lifecycle: None,
        veil: &pass.veil,
        started: pass.times.0,
        finished: pass.times.1,
        exit_code: pass.signal.unwrap_or(gate),
        show_secrets: false,
        color: false,
        category: "",
    };
    args.reporting.write(&targets, report)?;
    Ok(args.reporting.code(pass.signal, gate))
}

/// One line a near miss. It begins with a word of ours, so that no build log takes a file's name
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
    out.flush()
}
