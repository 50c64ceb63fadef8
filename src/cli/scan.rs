//! `keywheel scan`

use super::args::{FailOn, RuleChoice, ScanArgs};
use super::{code, gate, output, usage};
use anyhow::Result;
use keywheel::detect::Detector;
use keywheel::model::{Confidence, Severity};
use keywheel::report::Report;
use keywheel::rule::RuleSet;
use keywheel::scan::{Collector, NearMiss, Options};
use keywheel::source;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Instant;

pub(crate) fn run(args: &ScanArgs) -> Result<u8> {
    let targets = output::targets(&args.formats, args.output.as_deref())?;
    if args.show_secrets && !output::may_show_secrets(&targets) {
        return Err(usage(
            "--show-secrets writes to a terminal or to a file named with --format F=FILE or --output, not into a pipe",
        ));
    }
    let detector = Detector::new(Arc::new(rules(&args.rules)?));
    let options = Options {
        inline_allow: !args.no_inline_allow,
        today: jiff::Zoned::now().date().to_string(),
        explain: args.explain,
        deadline: args.budget.map(|b| Instant::now() + b),
        ..Options::default()
    };
    let collector = Collector::new(detector, options);
    let files = source::Options {
        exclude: args.exclude.clone(),
        gitignore: args.gitignore,
        max_file_size: args.max_file_size.unwrap_or(u64::MAX),
        jobs: args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1),
        archives: !args.no_archives,
        ..source::Options::default()
    };
    for path in &args.paths {
        if path.as_os_str() == "-" {
            source::stdin(&files, &collector);
        } else {
            source::walk(path, &files, &collector).map_err(usage)?;
        }
    }
    let mut outcome = collector.finish();
    let (confidence, severity) =
        (args.min_confidence.unwrap_or(Confidence::Medium), args.min_severity.unwrap_or(Severity::Info));
    let all = outcome.findings.len();
    outcome.findings.retain(|f| f.confidence >= confidence && f.severity >= severity);
    let exit_code =
        gate::exit_code(&outcome.findings, &outcome.coverage, args.fail_on.unwrap_or(FailOn::New));
    if args.explain {
        explain(&outcome.near)?;
    }
    for target in &targets {
        let color =
            target.1.is_none() && io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let report = Report {
            findings: &outcome.findings,
            below: (all - outcome.findings.len()) as u64,
            coverage: &outcome.coverage,
            exit_code,
            show_secrets: args.show_secrets,
            color,
            category: &args.category,
        };
        output::write(target, &report)?;
    }
    Ok(if args.exit_zero { code::CLEAN } else { exit_code })
}

/// The rules of a run: embedded, then the user's over them, then the choice among them.
pub(crate) fn rules(choice: &RuleChoice) -> Result<RuleSet> {
    let mut rules = RuleSet::embedded();
    for path in &choice.rule_paths {
        rules.add_path(path).map_err(usage)?;
    }
    if !choice.only.is_empty() {
        rules.keep(&choice.only).map_err(usage)?;
    }
    rules.check_partners().map_err(usage)?;
    Ok(rules)
}

fn explain(near: &[NearMiss]) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stderr().lock());
    for n in near {
        let via: String = n.via.iter().map(|v| format!(" via {}", v.as_str())).collect();
        writeln!(
            out,
            "{}:{}:{}: {}{via} dropped by {}: {}",
            n.provenance.text(),
            n.location.line,
            n.location.start + 1,
            n.rule,
            n.reason,
            n.detail
        )?;
    }
    out.flush()
}
