//! `keywheel rotate pool`: keys that people made beforehand, for lineages whose provider makes none by call.

use super::desk::{Desk, declared};
use super::office::{Office, OfficeArgs};
use super::plan::{new_key, operator};
use super::subject::AskArgs;
use crate::cli::organisation::{Organisation, OrganisationArgs};
use crate::cli::policy::json_line;
use crate::cli::terminal::plain;
use crate::cli::verify::{Asking, secret_text};
use crate::cli::{code, output, usage};
use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use keywheel::model::Secret;
use keywheel::rotate::Provider;
use keywheel::rotate::engine::{Answer, Call};
use keywheel::rotate::journal::{JournalError, Pooled};
use keywheel::rotate::machine::{KeyId, Kind, Life, Refusal};
use keywheel::rotate::news::pool_low;
use keywheel::rotate::plan::{Plan, Way};
use serde_json::json;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest time of one call.
const READ: Duration = Duration::from_secs(20);

#[derive(Debug, Subcommand)]
pub(super) enum PoolWhat {
    /// Put a key in: it is proved to work, sealed, and drawn when one is needed
    Add(Box<AddArgs>),
    /// List the keys that wait, without their values
    List(ListArgs),
    /// Take a key out and erase its value
    Drop(DropArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The lineage, by its id in the policy
    #[arg(value_name = "KEY")]
    lineage: String,
    /// Read the value from a file in place of standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What the provider calls it; it is then switched off until it is drawn, where that can be taken back
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only the keys of this lineage
    #[arg(value_name = "KEY")]
    lineage: Option<String>,
    #[command(flatten)]
    office: OfficeArgs,
    /// How to write the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Shape,
}

#[derive(Debug, Args)]
pub(super) struct DropArgs {
    /// The key, by its number in `rotate pool list`
    #[arg(value_name = "N")]
    id: i64,
    /// Why
    #[arg(long, value_name = "REASON")]
    reason: String,
    #[command(flatten)]
    office: OfficeArgs,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
}

pub(super) fn run(what: &PoolWhat) -> Result<u8> {
    match what {
        PoolWhat::Add(args) => add(args),
        PoolWhat::List(args) => list(args),
        PoolWhat::Drop(args) => drop(args),
    }
}

fn add(args: &AddArgs) -> Result<u8> {
    let office = args.office.open()?;
    let organisation = Organisation::new(&args.files)?;
    let asker = args.ask.asker(&organisation)?;
    let desk = Desk { office: &office, organisation: &organisation, asker: &asker, worker: office.worker()? };
    let plan = desk.plan(&args.lineage, Kind::Scheduled)?;
    if plan.way != Way::ByHand {
        return Err(usage("keys of this lineage are made by call, so that no pool serves it"));
    }
    let name = args.key_id.as_deref();
    if name.is_some_and(|name| name.is_empty() || name.len() > 256 || name.chars().any(char::is_control)) {
        return Err(usage("--key-id takes what the provider calls the key, on one line"));
    }
    let value = match &args.file {
        None => new_key()?,
        Some(path) => {
            let file = File::open(path).map_err(|e| usage(format!("--file: cannot read it: {e}")))?;
            Secret::new(&secret_text(file, "--file")?)
        }
    };
    if name.is_some_and(|name| name.as_bytes().windows(value.len().max(1)).any(|w| w == value.expose())) {
        return Err(usage("--key-id takes what the provider calls the key, and never its value"));
    }
    unused(&desk, &plan, &value)?;
    desk.must_work(&plan.rule, &value)?;
    let added = office.journal.pool_add(&args.lineage, &value, name, &operator(), office.now());
    let id = match added {
        Ok(id) => id,
        Err(e @ JournalError::Pooled) => return Err(usage(e)),
        Err(e) => return Err(e.into()),
    };
    let state = match name.filter(|_| plan.switches()) {
        Some(name) => rest(&desk, &plan, id, name, &value)?,
        None => "it stays in force until then: nothing switches it off and on again".to_owned(),
    };
    office.export_head()?;
    output::print(format!("{}: key {id} waits in the pool; {state}\n", args.lineage).as_bytes())?;
    Ok(code::CLEAN)
}

/// Refuses a value that the stores hold, or that a rotation under way has.
fn unused(desk: &Desk<'_>, plan: &Plan, value: &Secret) -> Result<()> {
    let journal = &desk.office.journal;
    let mut used = desk.current(plan)?.as_ref() == Some(value);
    if let Some(id) = journal.newest(&plan.lineage)? {
        let record = journal.load(id)?;
        let attempts = (1..=record.rotation.attempt).map(|n| format!("new/{n}"));
        for step in attempts.chain(["old".to_owned()]) {
            used |= journal.material(&record, &step)?.as_ref() == Some(value);
        }
    }
    if used { Err(usage("this key is in use already: bring another one")) } else { Ok(()) }
}

/// Switches a key off until it is drawn. It counts as off only if it was switched off and is proved dead, so that no
/// other key was meant.
fn rest(desk: &Desk<'_>, plan: &Plan, id: i64, name: &str, value: &Secret) -> Result<String> {
    let (doors, key) = (&*desk.office.doors, KeyId(name.to_owned()));
    let answer = desk.asker.with(|asking| {
        let call = || Call { deadline: Instant::now() + READ };
        let provider = declared(doors, asking, plan)?;
        Ok(match provider.disable(call(), &key) {
            Answer::Done(()) if provider.verify(call(), value) == Life::Dead => Ok(()),
            // Whichever key that was, it must not stay off by our hand.
            Answer::Done(()) => match provider.enable(call(), &key) {
                Answer::Done(()) => {
                    Err("it still worked when that id was switched off, which was undone".to_owned())
                }
                Answer::Refused(_, why) | Answer::Unknown(why) => Err(format!(
                    "it still works though that id was switched off; switch that on again: {why}"
                )),
            },
            Answer::Refused(_, why) | Answer::Unknown(why) => Err(why),
        })
    });
    Ok(match answer {
        Ok(Ok(())) => {
            desk.office.journal.pool_off(id, desk.office.now())?;
            "it is switched off until then".to_owned()
        }
        Ok(Err(why)) => format!("it could not be switched off until then: {}", plain(&why)),
        Err(error) => format!("it could not be switched off until then: {}", plain(&format!("{error:#}"))),
    })
}

/// Switches a key of the pool on that was off until it was drawn; any other is as it was.
pub(super) fn wake(
    desk: &Desk<'_>,
    asking: &Asking<'_>,
    plan: &Plan,
    drawn: Result<Option<Pooled>, JournalError>,
    call: Call,
) -> Answer<()> {
    let key = match drawn {
        Ok(Some(key)) if key.off => key,
        Ok(_) => return Answer::Done(()),
        Err(error) => return Answer::Unknown(error.to_string()),
    };
    let denied = |why: String| Answer::Refused(Refusal::Denied, why);
    let Some(name) = key.name else {
        return denied("nobody said what the provider calls the key that was drawn".to_owned());
    };
    match declared(&*desk.office.doors, asking, plan) {
        Ok(provider) => provider.enable(call, &KeyId(name)),
        Err(error) => denied(format!("{error:#}")),
    }
}

fn list(args: &ListArgs) -> Result<u8> {
    let office = args.office.look()?;
    let mut keys = office.journal.pool()?;
    keys.retain(|key| args.lineage.as_ref().is_none_or(|lineage| *lineage == key.lineage));
    let text = match args.format {
        Shape::Text => {
            let line = |key: &Pooled| {
                let name = key.name.as_ref().map_or_else(String::new, |name| format!(", called {name}"));
                let state = if key.off { "switched off" } else { "in force" };
                let age = office.now().since(key.added);
                plain(&format!(
                    "{}  {}  added {} by {}, {age} ago{name}, {state}",
                    key.id, key.lineage, key.added, key.who
                )) + "\n"
            };
            let lines: String = keys.iter().map(line).collect();
            if lines.is_empty() { "no key waits\n".to_owned() } else { lines }
        }
        Shape::Json => {
            let one = |key: &Pooled| {
                json!({"id": key.id, "lineage": key.lineage, "key_id": key.name, "off": key.off,
                       "by": key.who, "added": key.added.to_string()})
            };
            json_line(&json!({"version": 1, "keys": keys.iter().map(one).collect::<Vec<_>>()}))?
        }
    };
    output::print(text.as_bytes())?;
    Ok(code::CLEAN)
}

fn drop(args: &DropArgs) -> Result<u8> {
    let office = args.office.open()?;
    if args.reason.trim().is_empty() || args.reason.len() > 512 || args.reason.chars().any(char::is_control) {
        return Err(usage("--reason takes one line"));
    }
    match office.journal.pool_drop(args.id, &operator(), &args.reason, office.now()) {
        Ok(()) => {}
        Err(e @ JournalError::NotPooled(_)) => return Err(usage(e)),
        Err(e) => return Err(e.into()),
    }
    office.export_head()?;
    output::tell("its value is erased here; delete it at the provider as well");
    Ok(code::CLEAN)
}

/// Lines of `rotate status`: how many keys wait for each lineage that ever had a pool.
pub(super) fn levels(office: &Office, lineage: Option<&str>) -> Result<Vec<(String, u32)>> {
    let levels = office.journal.pool_levels()?.into_iter().map(|level| (level.lineage, level.waiting));
    Ok(levels.filter(|(name, _)| lineage.is_none_or(|wanted| wanted == name)).collect())
}

/// Tells of pools that have few keys left.
pub(super) fn watch(desk: &Desk<'_>) -> Result<()> {
    let policy = &desk.organisation.policy;
    for level in desk.office.journal.pool_levels()? {
        let Some(key) = policy.key(&level.lineage) else { continue };
        let low = policy.resolve(key).pool_low.value;
        desk.announce(pool_low(&level, low, desk.office.now()));
    }
    Ok(())
}
