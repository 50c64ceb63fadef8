//! Asking providers: for the findings of a scan, and `keywheel verify`.

mod again;
mod args;
mod asking;
mod check;
mod single;

pub(crate) use again::find as again;
pub(crate) use args::{CallArgs, Caller, Policy, VerifyArgs};
pub(crate) use asking::{Asking, asking, http, proxy, roots};
pub(crate) use check::{check, check_with, private_folder};
pub(crate) use single::{find as single, of_rule};

use super::args::{RuleChoice, Selection};
use super::{code, output, terminal, usage};
use anyhow::Result;
use clap::{Args, ValueEnum};
use keywheel::model::{Finding, Unchecked, Validity};
use keywheel::report::{Veil, Verdicts};
use std::io::Read;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct VerifyCommand {
    /// Check the findings of this report (format json) again, instead of a secret on standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["with", "stdin_json"])]
    report: Option<PathBuf>,
    /// Folder that was scanned for the report
    #[arg(long, value_name = "DIR", default_value = ".", requires = "report")]
    root: PathBuf,
    /// Another part of the credential, read from a file
    #[arg(long, value_name = "NAME=FILE")]
    with: Vec<String>,
    /// Standard input is JSON: {"secret": "…", "with": {"name": "…"}}
    #[arg(long)]
    stdin_json: bool,
    #[command(flatten)]
    rules: RuleChoice,
    /// The organisation's configuration
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ORG_CONFIG")]
    org_config: Option<PathBuf>,
    /// The baseline whose key made the fingerprints of the report
    #[arg(long, value_name = "FILE", requires = "report")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    calls: CallArgs,
    /// How the verdict is written
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Form,
    /// No progress on the terminal
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    #[default]
    Text,
    Json,
}

impl VerifyCommand {
    /// The choices that a scan takes too. The project's own file has no say.
    fn selection(&self) -> Selection {
        Selection {
            paths: vec![PathBuf::from("-")],
            rules: self.rules.clone(),
            no_config: true,
            org_config: self.org_config.clone(),
            baseline: self.baseline.clone(),
            quiet: self.quiet,
            ..Selection::default()
        }
    }
}

pub(crate) fn run(args: &VerifyCommand) -> Result<u8> {
    let (findings, gone, checks) = match &args.report {
        Some(report) => again::run(args, report)?,
        None => single::run(args)?,
    };
    let veil = Veil::new(&findings);
    let verdicts = Verdicts {
        findings: &findings,
        gone: &gone,
        checks: &checks,
        veil: &veil,
        color: args.format == Form::Text && terminal::color(),
    };
    let mut text = Vec::new();
    match args.format {
        Form::Text => verdicts.text(&mut text)?,
        Form::Json => verdicts.json(&mut text)?,
    }
    output::print(&text)?;
    Ok(exit_code(&findings, gone.len()))
}

/// 1 if something works, 3 if of something it is not known, else 0. What was left out on purpose counts for nothing.
fn exit_code(findings: &[Finding], gone: usize) -> u8 {
    let open = |f: &Finding| match f.validity {
        Validity::Active { .. } | Validity::Inactive => false,
        Validity::Unknown(_) => true,
        Validity::NotChecked(why) => !matches!(
            why,
            Unchecked::Canary
                | Unchecked::Public
                | Unchecked::Development
                | Unchecked::Accepted
                | Unchecked::Forbidden
        ),
    };
    if findings.iter().any(|f| f.validity.is_active()) {
        code::FINDINGS
    } else if gone > 0 || findings.iter().any(open) {
        code::INCOMPLETE
    } else {
        code::CLEAN
    }
}

/// Reads a small file or standard input, without the line break at its end.
pub(crate) fn secret_text(mut from: impl Read, name: &str) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    /// Most bytes of a credential.
    const MOST: u64 = 1 << 20;
    let mut text = zeroize::Zeroizing::new(Vec::new());
    (&mut from)
        .take(MOST + 1)
        .read_to_end(&mut text)
        .map_err(|e| usage(format!("cannot read {name}: {e}")))?;
    if text.len() as u64 > MOST {
        return Err(usage(format!("{name} is longer than any credential")));
    }
    while text.ends_with(b"\n") || text.ends_with(b"\r") {
        text.pop();
    }
    if text.is_empty() {
        return Err(usage(format!("{name} is empty; write the secret to it")));
    }
    Ok(text)
}
