//! `keywheel rules`

use super::args::RuleChoice;
use super::eval::EvalArgs;
use super::{code, settings, usage};
use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use keywheel::rule::{self, checksum};
use keywheel::scan::check;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// One line a rule
    List {
        #[command(flatten)]
        rules: RuleChoice,
        /// The checksum algorithms instead
        #[arg(long)]
        checksums: bool,
        /// What is listed of them
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Listing,
    },
    /// Everything about a rule, and the provider's file
    Show {
        /// Id of a rule or provider
        id: String,
        #[command(flatten)]
        rules: RuleChoice,
    },
    /// Prove rule files by their own examples; without a path, the embedded ones
    Check {
        /// Rule files or folders
        paths: Vec<PathBuf>,
    },
    /// Score the rules on a labelled folder: precision, recall and F1 by class and by rule
    Eval(EvalArgs),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listing {
    /// One line a rule
    #[default]
    Text,
    /// The table of what is checked and how
    Markdown,
    /// The table of every rule and what can be done with what it finds
    Catalogue,
}

pub(crate) fn run(args: &RulesArgs) -> Result<u8> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match &args.command {
        RulesCommand::List { checksums: true, .. } => {
            for c in checksum::ALL {
                let proved =
                    if c.proved() { "reproduced on published samples" } else { "from its description" };
                writeln!(out, "{:<32} {proved}", c.name())?;
            }
        }
        RulesCommand::List { rules, format: Listing::Markdown, .. } => {
            let rules = settings::rules(&rules.rule_paths, &rules.only)?;
            out.write_all(rule::verification(&rules).as_bytes())?;
        }
        RulesCommand::List { rules, format: Listing::Catalogue, .. } => {
            let rules = settings::rules(&rules.rule_paths, &rules.only)?;
            out.write_all(rule::catalogue(&rules).as_bytes())?;
        }
        RulesCommand::List { rules, .. } => {
            let rules = settings::rules(&rules.rule_paths, &rules.only)?;
            for (i, k) in rules.kinds().iter().enumerate() {
                let r = rules.reference(i);
                writeln!(
                    out,
                    "{:<44} {:<9} {:<7} {:<11} {}",
                    k.id, k.severity, k.confidence, k.class, r.name
                )?;
            }
        }
        RulesCommand::Show { id, rules } => {
            let rules = settings::rules(&rules.rule_paths, &rules.only)?;
            let at = rules
                .position(id)
                .or_else(|| (0..rules.kinds().len()).find(|&i| rules.reference(i).provider == *id));
            let at = at.ok_or_else(|| {
                usage(format!("there is no rule or provider `{id}`; `keywheel rules list` names them"))
            })?;
            let (kind, reference) = (&rules.kinds()[at], rules.reference(at));
            writeln!(out, "# {}: {}", reference.provider_name, kind.name)?;
            writeln!(out, "# found by: {:?}", kind.analysis.gate)?;
            if kind.text.is_none() {
                writeln!(out, "# longest match: {} bytes", kind.analysis.max_len)?;
            }
            let file = format!("{}.toml", reference.provider);
            match keywheel::rule::embedded_texts().iter().find(|(name, _)| *name == file) {
                Some((_, text)) => write!(out, "{text}")?,
                None => writeln!(out, "pattern = '''{}'''", kind.pattern)?,
            }
        }
        RulesCommand::Check { paths } => {
            let report =
                if paths.is_empty() { check::embedded() } else { check::paths(paths).map_err(usage)? };
            for fault in &report.faults {
                writeln!(out, "{fault}")?;
            }
            writeln!(
                out,
                "{} rules in {} files, {} matches, {} rejects, {} replies: {}",
                report.rules,
                report.files,
                report.matches,
                report.rejects,
                report.replies,
                if report.faults.is_empty() {
                    "all hold".to_owned()
                } else {
                    format!("{} faults", report.faults.len())
                }
            )?;
            out.flush()?;
            return Ok(if report.faults.is_empty() { code::CLEAN } else { code::FINDINGS });
        }
        RulesCommand::Eval(args) => super::eval::run(args, &mut out)?,
    }
    out.flush()?;
    Ok(code::CLEAN)
}
