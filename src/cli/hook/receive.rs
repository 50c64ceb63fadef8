//! `keywheel hook pre-receive`: the gate of a server.

use super::{audit, remote};
use crate::cli::args::Selection;
use crate::cli::settings::Settings;
use crate::cli::what::counted;
use crate::cli::{code, environment, gate, output, session, usage};
use anyhow::Result;
use clap::{Args, ValueEnum};
use keywheel::config::{FailOn, Hook};
use keywheel::model::{Coverage, Finding, Scope, SkipReason};
use keywheel::report::Veil;
use keywheel::source::git::receive::{self, ReceiveError, Update};
use keywheel::source::git::{Repository, Surroundings};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str =
    "The configuration is the operator's: --config or KEYWHEEL_CONFIG; none is looked
for in the repository, and comments in what is pushed accept nothing unless it
sets `inline-allow = true`. To let pushes through on record:
  [hook]
  bypass = true
  audit-log = \"/var/log/keywheel.jsonl\"";

/// Some servers give all hooks together five seconds.
const BUDGET: Duration = Duration::from_secs(4);

/// What becomes of a push that could not be read in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnTimeout {
    Reject,
    Accept,
}

#[derive(Debug, Args)]
pub(crate) struct ReceiveArgs {
    #[command(flatten)]
    selection: Selection,
    /// What becomes of a push that could not be read within --budget [4s unless given]
    #[arg(long, value_name = "WHAT", default_value = "reject")]
    on_timeout: OnTimeout,
    /// Folder below which the alternates and links of a repository are followed
    #[arg(long, value_name = "DIR")]
    storage_root: Option<PathBuf>,
}

pub(crate) fn run(mut args: ReceiveArgs) -> Result<u8> {
    let rejected = |error: &dyn std::fmt::Display| usage(format!("push rejected: {error}"));
    let updates = receive::parse(&super::stdin()?).map_err(|e| rejected(&e))?;
    let [path] = &args.selection.paths[..] else {
        return Err(rejected(&"name one repository, or none for the current folder"));
    };
    let path = path.clone();
    args.selection.budget.get_or_insert(BUDGET);
    args.selection.quiet = true;
    // A server's folder is nobody's project: what lies there configures nothing.
    args.selection.no_config |= args.selection.config.is_none();
    let mut settings = Settings::new(&args.selection)?;
    settings.load_baseline()?;
    let asked = args.selection.no_inline_allow.map(|no| !no);
    settings.options.inline_allow = asked.or(settings.config.scan.inline_allow).unwrap_or(false);
    let fail_on = settings.config.scan.fail_on.unwrap_or(FailOn::New);
    let hook = settings.config.hook.clone();

    let around = Surroundings { storage_root: args.storage_root.clone(), ..environment::surroundings() };
    let pass = session::run_with(settings, |files, sink| {
        let read = || -> Result<(), ReceiveError> {
            let repository = Repository::open(&path, &around).map_err(|e| ReceiveError::Source(e.into()))?;
            receive::push(&repository, &updates, around.quarantine.as_deref(), files, sink)
        };
        match read() {
            Err(ReceiveError::Source(error)) => counted(Err(error), &path, sink),
            other => other.map_err(|e| rejected(&e)),
        }
    })?;
    let (findings, coverage) = (&pass.outcome.findings, &pass.outcome.coverage);
    if let Some(signal) = pass.signal {
        output::tell("push rejected: the scan was ended by a signal");
        return Ok(signal);
    }
    let code = gate::exit_code(findings, coverage, fail_on);
    let counting = remote::counting(findings, fail_on);
    let in_time = args.on_timeout == OnTimeout::Reject || !only_late(coverage);
    let accepted = code == code::CLEAN || code == code::INCOMPLETE && !in_time;

    let mut text = String::new();
    let mut code = code;
    if !accepted {
        text = format!("keywheel: push rejected: {}\n", head(counting.len(), coverage));
        text += &remote::told(&counting, coverage, &pass.veil);
    } else if code == code::INCOMPLETE {
        text = "keywheel: push accepted, although not all of it was read in time\n".to_owned();
        code = code::CLEAN;
    }
    let bypass = bypass(&hook, accepted, &updates, &counting, coverage, &pass.veil)?;
    match bypass {
        Bypass::Taken => {
            text += "keywheel: push accepted all the same, by keywheel.bypass; this is on record\n";
            code = code::CLEAN;
        }
        Bypass::Refused(why) => text += &format!("keywheel: {why}\n"),
        Bypass::No => {}
    }
    if code != code::CLEAN {
        text += &remote::cure(&counting, coverage, hook.bypass && hook.audit_log.is_some());
    }
    // Where nobody listens the exit code still speaks.
    let _ = io::stderr().write_all(text.as_bytes());
    Ok(code)
}

fn head(findings: usize, coverage: &Coverage) -> String {
    let plural = if findings == 1 { "" } else { "s" };
    match (findings, coverage.is_complete()) {
        (0, _) => "not all of it could be read".to_owned(),
        (n, true) => format!("it holds {n} secret{plural}"),
        (n, false) => format!("it holds {n} secret{plural}, and not all of it could be read"),
    }
}

/// Whether nothing is missing but what the budget left no time for.
fn only_late(coverage: &Coverage) -> bool {
    let failed = |(reason, _): &(&SkipReason, &u64)| reason.scope() == Scope::Failed;
    coverage.skipped.iter().filter(failed).all(|(reason, _)| *reason == SkipReason::Budget)
}

enum Bypass {
    No,
    Taken,
    Refused(&'static str),
}

/// Looks at the push option, and writes what came of it to the audit log.
fn bypass(
    hook: &Hook,
    accepted: bool,
    updates: &[Update],
    findings: &[&Finding],
    coverage: &Coverage,
    veil: &Veil,
) -> Result<Bypass> {
    let Some(reason) = audit::reason() else { return Ok(Bypass::No) };
    let refused = audit::refused(hook, &reason);
    let outcome = match (accepted, refused) {
        (true, _) => "not-needed",
        (false, None) => "bypassed",
        (false, Some(_)) => "refused",
    };
    if let Some(log) = &hook.audit_log {
        let list: Vec<_> = findings
            .iter()
            .map(|f| {
                let at: Vec<_> = f.occurrences.iter().map(|o| remote::place(f, o, veil)).collect();
                json!({"fingerprint": f.fingerprint.as_str(), "rule": f.rule.id, "at": at})
            })
            .collect();
        let scan = json!({"findings": list, "unread": coverage.failed()});
        audit::write(log, outcome, &veil.text(&reason), updates, scan)?;
    }
    Ok(match (accepted, refused) {
        (true, _) => Bypass::No,
        (false, None) => Bypass::Taken,
        (false, Some(why)) => Bypass::Refused(why),
    })
}
