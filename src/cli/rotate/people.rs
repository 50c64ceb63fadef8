//! What people do to a rotation: approve, acknowledge, resume, pause, abort.

use super::desk::Desk;
use super::office::{Office, OfficeArgs};
use super::plan::{NOT_BROUGHT, new_key, operator};
use super::stopped;
use super::subject::AskArgs;
use crate::cli::organisation::{self, Organisation, OrganisationArgs};
use crate::cli::{code, output, usage};
use anyhow::Result;
use clap::Args;
use keywheel::config::duration;
use keywheel::rotate::RotationId;
use keywheel::rotate::journal::{JournalError, Scope};
use keywheel::rotate::machine::{Does, Halt, KeyId, Person, Rotation};
use keywheel::rotate::plan::Way;
use keywheel::rotate::signed::{Word, signer};
use keywheel::rotate::time::Span;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct SignedArgs {
    /// The key, by its id in the policy
    #[arg(long, value_name = "ID")]
    lineage: String,
    /// The signature that `ssh-keygen -Y sign -n keywheel` made of the line; without it the line is printed
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The key, by its id in the policy; without it pauses of `--all` or `--provider` end
    #[arg(long, value_name = "ID", required_unless_present_any = ["all", "provider"])]
    lineage: Option<String>,
    /// Let new rotations begin again
    #[arg(long, conflicts_with_all = ["lineage", "provider"])]
    all: bool,
    /// Let new rotations of this provider begin again
    #[arg(long, value_name = "ID", conflicts_with = "lineage")]
    provider: Option<String>,
    /// Let the old key go though it may be in use, with the reason
    #[arg(long, value_name = "REASON", requires = "lineage")]
    force: Option<String>,
    /// Do without the export of the old key's use, with the reason
    #[arg(long, value_name = "REASON", requires = "lineage")]
    break_glass: Option<String>,
    /// Overwrite the foreign value in this place, as `rotate status` names it
    #[arg(long, value_name = "PLACE", requires = "lineage")]
    overwrite: Option<String>,
    /// Say that this key of the provider is not ours
    #[arg(long, value_name = "KEY", requires = "lineage")]
    disown: Option<String>,
    /// Standard input holds the new key, which a person made
    #[arg(long, requires = "lineage")]
    new_key: bool,
    /// Wait as long as that for what comes next, then leave it to `rotate run`
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1m")]
    wait: Duration,
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// Pause this key: its rotation under way, or the next one
    #[arg(long, value_name = "ID", required_unless_present_any = ["all", "provider"])]
    lineage: Option<String>,
    /// Let no new rotation begin
    #[arg(long, conflicts_with_all = ["lineage", "provider"])]
    all: bool,
    /// Let no new rotation of this provider begin by itself
    #[arg(long, value_name = "ID", conflicts_with = "lineage")]
    provider: Option<String>,
    /// Why
    #[arg(long, value_name = "REASON")]
    reason: String,
    #[command(flatten)]
    office: OfficeArgs,
}

#[derive(Debug, Args)]
pub(super) struct AbortArgs {
    /// The key, by its id in the policy
    #[arg(long, value_name = "ID")]
    lineage: String,
    /// Wait as long as that for what comes next, then leave it to `rotate run`
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1m")]
    wait: Duration,
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
    #[command(flatten)]
    ask: AskArgs,
}

/// The rotation of a lineage that is under way.
pub(super) fn under_way(office: &Office, lineage: &str) -> Result<(RotationId, Rotation)> {
    let none =
        || usage(format!("no rotation of `{lineage}` is under way; `keywheel rotate status` lists them"));
    let id = office.journal.newest(lineage)?.ok_or_else(none)?;
    let rotation = office.journal.load(id)?.rotation;
    if rotation.phase.is_terminal() { Err(none()) } else { Ok((id, rotation)) }
}

fn say(office: &Office, id: RotationId, by: &str, does: Does) -> Result<Rotation> {
    let person = Person { by: by.to_owned(), does };
    match office.journal.say(id, &person, office.now()) {
        Ok(after) => {
            office.export_head()?;
            Ok(after)
        }
        Err(JournalError::Illegal(why)) => Err(usage(why)),
        Err(e) => Err(e.into()),
    }
}

/// Takes a signed word, or prints the line that is to be signed.
pub(super) fn signed(args: &SignedArgs, word: Word) -> Result<u8> {
    let organisation = Organisation::new(&args.files)?;
    let Some(path) = &args.signature else {
        let (_, rotation) = under_way(&args.office.look()?, &args.lineage)?;
        output::print(word.line(&rotation.plan_hash()).as_bytes())?;
        return Ok(code::CLEAN);
    };
    let office = args.office.open()?;
    let (id, rotation) = under_way(&office, &args.lineage)?;
    let policy = &organisation.policy;
    let key = policy.key(&args.lineage).ok_or_else(|| usage("the policy has no such key any more"))?;
    let line = word.line(&rotation.plan_hash());
    let armoured = organisation::read(path)?;
    let name = signer(&armoured, &line, &policy.file.approver)
        .map_err(|e| usage(format!("{}: {e}", path.display())))?;
    let may: BTreeSet<_> = match word {
        Word::Approve => policy.resolve(key).approvers.value.into_iter().collect(),
        Word::Ack => key.consumers.iter().filter_map(|c| c.owner.clone()).collect(),
    };
    if !may.contains(name) {
        let what = if word == Word::Approve { "approvers" } else { "owners of consumers" };
        return Err(usage(format!("{name} is not among the {what} of `{}`", args.lineage)));
    }
    let does = match word {
        Word::Approve => Does::Approve(rotation.plan_hash()),
        Word::Ack => Does::Ack(rotation.plan_hash()),
    };
    let after = say(&office, id, name.as_str(), does)?;
    let given = if word == Word::Approve { after.approvals.len() } else { after.acks.len() };
    output::print(format!("{}: heard {name}; {given} so far\n", args.lineage).as_bytes())?;
    Ok(code::CLEAN)
}

pub(super) fn resume(args: &ResumeArgs) -> Result<u8> {
    let office = args.office.open()?;
    let Some(lineage) = &args.lineage else {
        let scope = args.provider.clone().map_or(Scope::All, Scope::Provider);
        office.journal.resume(&scope, &operator(), office.now())?;
        office.export_head()?;
        return Ok(code::CLEAN);
    };
    let scope = Scope::Lineage(lineage.clone());
    let was_paused = office.journal.pause_of(&scope)?.is_some();
    if was_paused {
        office.journal.resume(&scope, &operator(), office.now())?;
    }
    let (id, rotation) = match under_way(&office, lineage) {
        Ok(found) => found,
        Err(_) if was_paused => return Ok(code::CLEAN),
        Err(e) => return Err(e),
    };
    let organisation = Organisation::new(&args.files)?;
    let asker = args.ask.asker(&organisation)?;
    let desk = Desk { office: &office, organisation: &organisation, asker: &asker, worker: office.worker()? };
    let brought = args.new_key.then(new_key).transpose()?;
    if let Some(value) = &brought {
        let plan = desk.plan(lineage, rotation.kind)?;
        if plan.way_of(&rotation) != Way::ByHand {
            return Err(usage(NOT_BROUGHT));
        }
        if office.journal.material(&office.journal.load(id)?, "old")?.as_ref() == Some(value) {
            return Err(usage("the key that was brought is the one that goes"));
        }
        desk.must_work(&plan.rule, value)?;
    }
    for does in deeds(args, &rotation)? {
        say(&office, id, &operator(), does)?;
    }
    let patience = Span::millis(u64::try_from(args.wait.as_millis()).unwrap_or(u64::MAX));
    let stop = desk.drive(id, patience, brought)?;
    desk.post();
    stopped(&desk, id, &stop)
}

/// What the options say, then what lets it go on.
fn deeds(args: &ResumeArgs, rotation: &Rotation) -> Result<Vec<Does>> {
    let mut list = Vec::new();
    list.extend(args.force.clone().map(Does::Force));
    list.extend(args.break_glass.clone().map(Does::BreakGlass));
    list.extend(args.disown.clone().map(|key| Does::Disown(KeyId(key))));
    if let Some(place) = &args.overwrite {
        let at = rotation.frozen.stores.iter().position(|target| target.name == *place);
        list.push(Does::Overwrite(at.ok_or_else(|| usage("--overwrite: the rotation has no such place"))?));
    }
    if list.is_empty() {
        match rotation.halt {
            Some(Halt::Paused(_)) => list.push(Does::Resume),
            Some(Halt::Blocked(_) | Halt::Stuck(_)) => list.push(Does::Retry),
            None => {}
        }
    }
    Ok(list)
}

pub(super) fn pause(args: &PauseArgs) -> Result<u8> {
    let office = args.office.open()?;
    if args.reason.trim().is_empty() || args.reason.len() > 512 || args.reason.chars().any(char::is_control) {
        return Err(usage("--reason takes one line"));
    }
    let scope = match (&args.lineage, &args.provider) {
        (Some(lineage), _) => {
            if let Ok((id, rotation)) = under_way(&office, lineage)
                && rotation.halt.is_none()
            {
                say(&office, id, &operator(), Does::Pause(args.reason.clone()))?;
                return Ok(code::CLEAN);
            }
            Scope::Lineage(lineage.clone())
        }
        (None, Some(provider)) => Scope::Provider(provider.clone()),
        (None, None) => Scope::All,
    };
    office.journal.pause(&scope, &operator(), &args.reason, office.now())?;
    office.export_head()?;
    Ok(code::CLEAN)
}

pub(super) fn abort(args: &AbortArgs) -> Result<u8> {
    let office = args.office.open()?;
    let (id, _) = under_way(&office, &args.lineage)?;
    let organisation = Organisation::new(&args.files)?;
    let asker = args.ask.asker(&organisation)?;
    say(&office, id, &operator(), Does::Abort)?;
    let desk = Desk { office: &office, organisation: &organisation, asker: &asker, worker: office.worker()? };
    let patience = Span::millis(u64::try_from(args.wait.as_millis()).unwrap_or(u64::MAX));
    let stop = desk.drive(id, patience, None)?;
    desk.post();
    stopped(&desk, id, &stop)
}
