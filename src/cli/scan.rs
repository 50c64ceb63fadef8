//! `keywheel scan`

use super::args::Selection;
use super::session::Pass;
use super::settings::Settings;
use super::what::What;
use super::{code, gate, output, session, terminal, usage};
use anyhow::Result;
use clap::{Args, ValueEnum};
use keywheel::config;
use keywheel::report::{Report, Veil};
use keywheel::scan::{Collector, Outcome};
use keywheel::source;
use std::io::{self, Write};
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

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    pub(crate) what: What,
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
    let targets = output::targets(&args.formats, args.output.as_deref())?;
    if args.show_secrets && !output::may_show_secrets(&targets) {
        return Err(usage(
            "--show-secrets writes to a terminal or to a file named with --format F=FILE or --output, not into a pipe",
        ));
    }
    let mut settings = Settings::new(&args.selection)?;
    settings.load_baseline()?;
    settings.options.explain = args.explain;
    settings.what = args.what.clone();
    output::check(&targets)?;
    let fail_on = args.fail_on.map(Into::into).or(settings.config.scan.fail_on);
    let pass = scan(settings)?;
    let outcome = pass.outcome;
    let gate = gate::exit_code(&outcome.findings, &outcome.coverage, fail_on.unwrap_or_default());
    if args.explain {
        // A closed standard error must not cost the report.
        let _ = explain(&outcome, &pass.veil);
    }
    for target in &targets {
        let report = Report {
            findings: &outcome.findings,
            below: pass.below,
            coverage: &outcome.coverage,
            veil: &pass.veil,
            started: pass.times.0,
            finished: pass.times.1,
            exit_code: pass.signal.unwrap_or(gate),
            show_secrets: args.show_secrets,
            color: target.1.is_none() && terminal::color(),
            category: &args.category,
        };
        output::write(target, &report)?;
    }
    Ok(pass.signal.unwrap_or(if args.exit_zero { code::CLEAN } else { gate }))
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
