//! `keywheel rotate revoke`.

use super::words::Words;
use super::{admin, ask};
use crate::cli::args::{RuleChoice, Selection};
use crate::cli::settings::Settings;
use crate::cli::verify::{self, Asking, Form};
use crate::cli::{code, output, random, usage};
use anyhow::Result;
use clap::Args;
use keywheel::call::Right;
use keywheel::config::{self, Config, duration};
use keywheel::model::{Finding, Fingerprint, Unchecked, Validity};
use keywheel::report::Veil;
use keywheel::rotate::revoke::{Done, Entry, Log, Order, Outcome, Revoker};
use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// Find the key again by this report (format json), instead of standard input
    #[arg(long, value_name = "FILE", requires = "fingerprint", conflicts_with_all = ["with", "stdin_json"])]
    report: Option<PathBuf>,
    /// The key that is meant; with standard input, refuse any other
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// Folder that was scanned for the report
    #[arg(long, value_name = "DIR", default_value = ".", requires = "report")]
    root: PathBuf,
    /// The baseline whose key made the fingerprints of the report
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Another part of the credential, read from a file
    #[arg(long, value_name = "NAME=FILE")]
    with: Vec<String>,
    /// Standard input is JSON: {"secret": "…", "with": {"name": "…"}}
    #[arg(long)]
    stdin_json: bool,
    #[command(flatten)]
    rules: RuleChoice,
    /// The administrator's credential: env:NAME or file:PATH
    #[arg(long, value_name = "REF")]
    admin: Option<String>,
    /// What the rule asks for, such as the id of the key
    #[arg(long, value_name = "NAME=VALUE")]
    ask: Vec<String>,
    /// Why the key may be reported to a provider's public service, which ends whosever key it is
    #[arg(long, value_name = "REASON")]
    mine: Option<String>,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Say what would happen, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// How long the proof of death is waited for [default: what the provider says it takes, and a minute]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    /// The file of intents and outcomes [default: keywheel/revocations.jsonl in the user's folder of states]
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,
    /// Let this host have an address that is not public
    #[arg(long, value_name = "HOST")]
    allow_internal: Vec<String>,
    /// The organisation's configuration
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ORG_CONFIG")]
    org_config: Option<PathBuf>,
    /// How the outcome is written
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Form,
}

pub(crate) fn run(args: &RevokeArgs) -> Result<u8> {
    let selection = Selection {
        paths: vec![PathBuf::from("-")],
        rules: args.rules.clone(),
        no_config: true,
        org_config: args.org_config.clone(),
        baseline: args.baseline.clone(),
        quiet: true,
        ..Selection::default()
    };
    let mut settings = Settings::new(&selection)?;
    settings.load_baseline()?;
    let config = settings.config.clone();
    let rules = settings.detector.rules().clone();
    let finding = one(args, settings)?;
    let asked = asked(&args.ask)?;
    let admin = args.admin.as_deref().map(admin::read).transpose()?;
    let order = Order::new(&finding, &rules, &asked, admin).map_err(usage)?;
    let reason = owned(args, &config, order.revoke().right)?;
    let words = Words { order: &order, asked: &asked, veil: Veil::new(std::slice::from_ref(&finding)) };
    if args.dry_run {
        let text = match args.format {
            Form::Text => words.plan(None) + "dry run: nothing was sent\n",
            Form::Json => words.json(None, "dry-run", None),
        };
        output::print(text.as_bytes())?;
        return Ok(code::CLEAN);
    }
    let policy = config.revoke.clone().unwrap_or_default();
    if in_ci() && !policy.allow {
        return Err(usage(
            "a job switches keys off only if the organisation's file lets it: `allow = true` in [revoke] of \
             --org-config",
        ));
    }
    // Found out before anything is sent.
    let mut log = Log::open(&log_path(args, &policy)?).map_err(usage)?;
    let calls = verify::Policy::uncached(&config, args.allow_internal.clone());
    verify::asking(
        &rules,
        &config,
        &calls,
        None,
        |_| (),
        |Asking { verifier, stop, notices, .. }| {
            notices.iter().for_each(|notice| output::tell(notice));
            let revoker = Revoker { verifier, cancel: stop, wait: args.wait };
            act(args, &revoker, &order, &words, &mut log, &asked, reason)
        },
    )?
}

/// Looks first, asks, acts, and says what came of it.
fn act(
    args: &RevokeArgs,
    revoker: &Revoker<'_>,
    order: &Order,
    words: &Words<'_>,
    log: &mut Log,
    asked: &BTreeMap<String, String>,
    reason: Option<String>,
) -> Result<u8> {
    let (before, evidence) = revoker.look(order);
    match &before {
        Validity::Inactive => {
            let text = match args.format {
                Form::Text => format!("dead already: {}; nothing to do\n", order.finding().fingerprint),
                Form::Json => {
                    let done = Done { outcome: Outcome::Dead, status: None, evidence, unlogged: None };
                    words.json(Some(&before), "dead", Some(&done))
                }
            };
            output::print(text.as_bytes())?;
            return Ok(code::CLEAN);
        }
        Validity::NotChecked(
            why @ (Unchecked::Canary | Unchecked::Public | Unchecked::Development | Unchecked::Forbidden),
        ) => {
            return Err(usage(format!("nothing is sent for this key: {}", why.sentence())));
        }
        _ => {}
    }
    words.plan(Some(&before)).lines().for_each(output::tell);
    if !args.yes {
        match ask::confirmed()? {
            Some(true) => {}
            Some(false) => {
                output::tell("nothing was changed");
                return Ok(code::FINDINGS);
            }
            None => return Err(usage("there is no terminal to ask on; add --yes to go on without")),
        }
    }
    let intent = Entry::intent(order, random::hex(8)?, jiff::Timestamp::now(), asked.clone(), reason);
    let done = revoker.run(order, log, &intent)?;
    if let Some(fault) = &done.unlogged {
        output::tell(&fault.to_string());
    }
    let text = match args.format {
        Form::Text => words.text(&done),
        Form::Json => words.json(Some(&before), done.outcome.as_str(), Some(&done)),
    };
    output::print(text.as_bytes())?;
    Ok(match done.outcome {
        Outcome::Dead => code::CLEAN,
        Outcome::StillWorks(_) | Outcome::Refused(_) => code::FINDINGS,
        Outcome::RevokedNotProved(_) | Outcome::Unknown(_) => code::INCOMPLETE,
    })
}

/// The one key that is meant.
fn one(args: &RevokeArgs, settings: Settings) -> Result<Finding> {
    let key = settings.options.key.id().to_owned();
    let wanted = args.fingerprint.as_deref().map(|text| {
        let print = Fingerprint::parse(text)
            .ok_or_else(|| usage("--fingerprint: that is no fingerprint; copy one from a report"))?;
        if print.key_id() != key {
            return Err(usage(format!(
                "the fingerprint was made with the key `{}`, this run's is `{key}`: name the same --baseline",
                print.key_id()
            )));
        }
        Ok(print)
    });
    match (&args.report, wanted.transpose()?) {
        (Some(report), Some(print)) => {
            let (findings, _) = verify::again(report, &args.root, settings, Some(&print))?;
            findings
                .into_iter()
                .find(|f| f.fingerprint == print)
                .ok_or_else(|| usage("the key does not stand there any more; give it on standard input"))
        }
        (_, wanted) => {
            let finding = verify::single(&settings, &args.with, args.stdin_json, &args.rules.only)?;
            match wanted.filter(|print| *print != finding.fingerprint) {
                Some(_) => Err(usage("standard input holds another key than --fingerprint names")),
                None => Ok(finding),
            }
        }
    }
}

/// `name=value`, each name once. The words show no value: a slip could have put the key there.
fn asked(pairs: &[String]) -> Result<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or_else(|| usage("--ask takes NAME=VALUE"))?;
        if out.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(usage("--ask gives a name twice"));
        }
    }
    Ok(out)
}

/// The reason for which a key may be reported to a public service, which ends the keys of strangers too.
fn owned(args: &RevokeArgs, config: &Config, right: Right) -> Result<Option<String>> {
    let said = args.mine.as_deref().map(str::trim);
    if said.is_some_and(|s| s.is_empty() || s.chars().any(char::is_control)) {
        return Err(usage("--mine takes a reason, in one line"));
    }
    let organisation = config.revoke.as_ref().is_some_and(|r| r.unowned);
    match (right, said) {
        (Right::Anyone, None) if !organisation => Err(usage(
            "this call ends the key whosever it is: say why it is yours, --mine \"REASON\", or have the organisation's \
             file say `unowned = true` in [revoke]",
        )),
        (_, said) => Ok(said.map(str::to_owned)),
    }
}

fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false" && v != "0")
}

/// Where intents and outcomes go. The organisation's choice is not overruled.
fn log_path(args: &RevokeArgs, policy: &config::Revoke) -> Result<PathBuf> {
    if let Some(path) = policy.audit_log.as_ref().or(args.audit_log.as_ref()) {
        return Ok(path.clone());
    }
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local").join("state")));
    let state = state.ok_or_else(|| {
        usage("there is no folder for the log of revocations; name the file: --audit-log FILE")
    })?;
    let folder = state.join("keywheel");
    if !folder.is_dir() {
        verify::private_folder(&folder)
            .map_err(|e| usage(format!("cannot make the folder {}: {e}", folder.display())))?;
    }
    Ok(folder.join("revocations.jsonl"))
}
