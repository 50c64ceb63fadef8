//! `keywheel rules eval`

use super::args::RuleChoice;
use super::{settings, usage};
use anyhow::{Context, Result};
use clap::Args;
use keywheel::detect::Detector;
use keywheel::model::Confidence;
use keywheel::scan::eval::{Count, LABELS, Labelled, Options, Report};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// The folder, with its labels in labels.jsonl
    folder: PathBuf,
    #[command(flatten)]
    rules: RuleChoice,
    /// Count findings of at least this confidence: low, medium, high
    #[arg(long, value_name = "LEVEL", default_value = "medium")]
    min_confidence: Confidence,
    /// Do not rank unnamed secrets
    #[arg(long)]
    no_ranking: bool,
    /// Leave out of the count what is found where no label stands
    #[arg(long)]
    labelled_only: bool,
    /// Tell each label that was missed or wrongly reported
    #[arg(long)]
    faults: bool,
    /// Write what is measured of every ranked candidate to this file, for training; no value is written
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
}

pub(crate) fn run(args: &EvalArgs, out: &mut dyn Write) -> Result<()> {
    let rules = settings::rules(&args.rules.rule_paths, &args.rules.only)?;
    let detector = Detector::with_ranking(Arc::new(rules), !args.no_ranking);
    let labelled = Labelled::open(&args.folder).map_err(usage)?;
    if let Some(path) = &args.features {
        let file =
            std::fs::File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
        let mut file = BufWriter::new(file);
        labelled.features(&detector, &mut file).map_err(usage)?;
        file.flush()?;
        return Ok(());
    }
    let options = Options { floor: args.min_confidence, labelled_only: args.labelled_only };
    let report = labelled.score(&detector, options).map_err(usage)?;
    if report.labels == (0, 0) && args.labelled_only {
        return Err(usage(format!("there are no labels in `{}`", args.folder.join(LABELS).display())));
    }
    if args.faults {
        for (path, line, class, secret) in &report.faults {
            let what = if *secret { "missed" } else { "wrong" };
            writeln!(out, "{what}: {}:{line}: {class}", super::terminal::plain(path))?;
        }
    }
    table(&report, out)
}

fn table(report: &Report, out: &mut dyn Write) -> Result<()> {
    let (secrets, others) = report.labels;
    writeln!(
        out,
        "{} files, {secrets} secrets and {others} other places labelled, {} findings without a label",
        report.files, report.unlabelled
    )?;
    writeln!(
        out,
        "{:<40} {:>7} {:>7} {:>7} {:>9} {:>7} {:>7}",
        "", "found", "wrong", "missed", "precision", "recall", "F1"
    )?;
    let mut row = |name: &str, c: &Count| {
        writeln!(
            out,
            "{:<40} {:>7} {:>7} {:>7} {:>9.4} {:>7.4} {:>7.4}",
            super::terminal::plain(name),
            c.found,
            c.wrong,
            c.missed,
            c.precision(),
            c.recall(),
            c.f1()
        )
    };
    row("all", &report.all)?;
    report.classes.iter().try_for_each(|(name, count)| row(&format!("class {name}"), count))?;
    report.rules.iter().try_for_each(|(name, count)| row(&format!("rule {name}"), count))?;
    Ok(())
}
