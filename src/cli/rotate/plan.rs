//! `keywheel rotate plan` and `keywheel rotate apply`.

use super::desk::{self, Desk};
use super::office::OfficeArgs;
use super::proposals::{self, Proposal, Shape};
use super::subject::{AskArgs, Subject, SubjectArgs};
use super::world::World;
use super::{rehearse, stopped};
use crate::cli::organisation::{Organisation, OrganisationArgs};
use crate::cli::policy::json_line;
use crate::cli::verify::secret_text;
use crate::cli::{code, output, usage};
use anyhow::Result;
use clap::{Args, ValueEnum};
use keywheel::config::duration;
use keywheel::model::Secret;
use keywheel::rotate::RotationId;
use keywheel::rotate::journal::{JournalError, New};
use keywheel::rotate::machine::{Does, Kind, Person};
use keywheel::rotate::plan::{Plan, Way};
use keywheel::rotate::schedule::{History, Now, turn};
use keywheel::rotate::store::Doors;
use keywheel::rotate::time::Span;
use serde_json::json;
use std::io;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
    #[command(flatten)]
    ask: AskArgs,
    /// How to write the plan
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Form,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
    #[command(flatten)]
    ask: AskArgs,
    /// The plan that is meant, as `rotate plan` printed it
    #[arg(long, value_name = "HASH")]
    plan: Option<String>,
    /// Begin by the policy alone: when the key is due, or when it is proved to work and `emergency-auto` says so
    #[arg(long, conflicts_with = "plan")]
    auto: bool,
    /// Wait as long as that for what comes next, then leave it to `rotate run`
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1m")]
    wait: Duration,
    /// Standard input holds the new key, which a person made
    #[arg(long)]
    new_key: bool,
    /// Run the plan on doubles of provider and stores, with faults, and print what would have happened
    #[arg(long, conflicts_with_all = ["plan", "auto", "new_key", "report"])]
    rehearse: bool,
    /// Decides which calls of the rehearsal fail, and how
    #[arg(long, value_name = "N", default_value_t = 1, requires = "rehearse")]
    seed: u64,
    /// Of a thousand calls of the rehearsal, so many fail
    #[arg(long, value_name = "N", default_value_t = 100, requires = "rehearse")]
    faults: u64,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Form {
    /// For a terminal.
    Text,
    /// For a job summary or a comment.
    Markdown,
    /// For programs.
    Json,
}

pub(super) fn run(args: &PlanArgs) -> Result<u8> {
    let organisation = Organisation::new(&args.files)?;
    if let Some(report) = args.subject.whole_report() {
        return all(args, &organisation, report);
    }
    let asker = args.ask.asker(&organisation)?;
    let subject = args.subject.settle(&organisation, &args.files, &args.ask, &asker)?;
    let office = args.office.named().then(|| args.office.look()).transpose()?;
    let mut plan = desk::plan(&organisation, office.as_ref(), &subject.id, subject.kind)?;
    let lone = World::new(None);
    let doors = office.as_ref().map_or(&lone as &dyn Doors, |office| &*office.doors);
    desk::survey(doors, &asker, &mut plan)?;
    let text = match args.format {
        Form::Text => plan.text(),
        Form::Markdown => plan.markdown(),
        Form::Json => json_line(&plan.json())?,
    };
    output::print(text.as_bytes())?;
    if office.is_none() {
        output::tell(FIRST);
    }
    Ok(if plan.gaps.is_empty() { code::CLEAN } else { code::FINDINGS })
}

/// Said where nobody brings keys.
pub(super) const NOT_BROUGHT: &str = "this key is made by call: leave --new-key out";

/// Said where generations are not known.
const FIRST: &str =
    "no journal is named, so this is the plan of a first rotation; name it with --state to apply it";

/// A plan, or why there is none, for every key that a report says is proved to work.
fn all(args: &PlanArgs, organisation: &Organisation, report: &Path) -> Result<u8> {
    let office = args.office.named().then(|| args.office.look()).transpose()?;
    let list = proposals::of_report(organisation, office.as_ref(), report)?;
    let text = match args.format {
        Form::Text => proposals::written(&list, Shape::Text),
        Form::Markdown => proposals::written(&list, Shape::Markdown),
        Form::Json => {
            let plans: Vec<_> = list.iter().map(Proposal::json).collect();
            json_line(&json!({ "version": 1, "plans": plans }))?
        }
    };
    output::print(text.as_bytes())?;
    if list.is_empty() {
        output::tell("no key of the report is proved to work; `keywheel scan --verify` proves");
    } else if office.is_none() {
        output::tell(FIRST);
    }
    Ok(if list.iter().all(Proposal::is_whole) { code::CLEAN } else { code::FINDINGS })
}

pub(super) fn apply(args: &ApplyArgs) -> Result<u8> {
    let organisation = Organisation::new(&args.files)?;
    if args.rehearse {
        let id = args.subject.lineage.as_deref().ok_or_else(|| usage("name the key: --lineage ID"))?;
        let plan = desk::plan(&organisation, None, id, args.subject.kind())?;
        return rehearse::run(&plan, args.seed, args.faults);
    }
    let office = args.office.open()?;
    let asker = args.ask.asker(&organisation)?;
    let subject = args.subject.settle(&organisation, &args.files, &args.ask, &asker)?;
    let worker = office.worker()?;
    let desk = Desk { office: &office, organisation: &organisation, asker: &asker, worker };
    let brought = args.new_key.then(new_key).transpose()?;
    let id = begin(&desk, &subject, args.plan.as_deref(), args.auto, brought.as_ref())?;
    let stop =
        desk.drive(id, Span::millis(u64::try_from(args.wait.as_millis()).unwrap_or(u64::MAX)), brought)?;
    desk.post();
    stopped(&desk, id, &stop)
}

/// A key on standard input.
pub(super) fn new_key() -> Result<Secret> {
    Ok(Secret::new(&secret_text(io::stdin().lock(), "standard input")?))
}

/// The rotation of a subject: one that is under way, or a new one if the caller may begin it.
pub(super) fn begin(
    desk: &Desk<'_>,
    subject: &Subject,
    hash: Option<&str>,
    auto: bool,
    brought: Option<&Secret>,
) -> Result<RotationId> {
    let plan = desk.plan(&subject.id, subject.kind)?;
    let journal = &desk.office.journal;
    if let Some(brought) = brought {
        if plan.way != Way::ByHand {
            return Err(usage(NOT_BROUGHT));
        }
        desk.must_work(&plan.rule, brought)?;
    }
    if let Some(id) = journal.newest(&subject.id)? {
        let record = journal.load(id)?;
        if !record.rotation.phase.is_terminal() {
            return upgrade(desk, id, subject);
        }
    }
    if !plan.gaps.is_empty() {
        plan.gaps.iter().for_each(|gap| output::tell(gap));
        return Err(usage(format!("`{}` cannot be rotated as it stands", subject.id)));
    }
    match hash {
        Some(hash) if hash != plan.hash() => {
            return Err(usage(format!(
                "the plan is another one now ({}): look at it with `keywheel rotate plan`",
                plan.hash()
            )));
        }
        Some(_) => {}
        None if auto => by_policy(desk, &plan, subject)?,
        None => {
            return Err(usage(
                "say which plan is meant, --plan HASH as `keywheel rotate plan` prints it, or --auto to go by the policy",
            ));
        }
    }
    let current = desk.current(&plan)?;
    desk.must_fit(&plan, current.as_ref())?;
    if let (Some(leaked), Some(current)) = (&subject.value, &current)
        && *leaked != desk::secret(&plan, current.clone())
    {
        return Err(usage(
            "the stores hold another value than the one that leaked, so that a new one would change nothing: \
             `keywheel rotate revoke` ends the leaked one",
        ));
    }
    if brought.is_some() && brought == current.as_ref() {
        return Err(usage("the key that was brought is the one that goes"));
    }
    let person = Person { by: operator(), does: Does::Emergency { capped: false } };
    let claims = plan.claims();
    let new = New {
        lineage: &plan.lineage,
        frozen: plan.frozen().clone(),
        old: plan.old().clone(),
        value: current.as_ref().or(subject.value.as_ref()),
        claims: &claims,
        leaked: (subject.kind == Kind::Emergency).then_some(person),
    };
    match journal.plan_from(&new, Some(plan.generation() - 1), desk.office.now()) {
        Ok(id) => Ok(id),
        Err(e @ (JournalError::Active(_) | JournalError::Paused(_) | JournalError::Moved(_))) => {
            Err(usage(e))
        }
        Err(e) => Err(e.into()),
    }
}

/// A rotation that is under way goes on; a leak makes it an emergency.
fn upgrade(desk: &Desk<'_>, id: RotationId, subject: &Subject) -> Result<RotationId> {
    let record = desk.office.journal.load(id)?;
    if subject.kind == Kind::Emergency && !record.rotation.is_emergency() {
        let person = Person { by: operator(), does: Does::Emergency { capped: false } };
        desk.office.journal.say(id, &person, desk.office.now())?;
    }
    Ok(id)
}

/// Whether the policy alone lets it begin.
fn by_policy(desk: &Desk<'_>, plan: &Plan, subject: &Subject) -> Result<()> {
    let policy = &desk.organisation.policy;
    let Some(key) = policy.key(&plan.lineage) else { return Err(usage("the policy has no such key")) };
    let resolved = policy.resolve(key);
    match subject.kind {
        Kind::Emergency if !resolved.emergency_auto.value => Err(usage(
            "the policy lets no emergency begin by itself (`emergency-auto`): say which plan is meant, --plan HASH",
        )),
        Kind::Emergency if !subject.active => {
            Err(usage("an emergency begins by itself only for a key that is proved to work: --plan HASH"))
        }
        Kind::Emergency if plan.owners.is_empty() => {
            Err(usage("an emergency begins by itself only for a key with an owner: --plan HASH"))
        }
        Kind::Emergency => Ok(()),
        Kind::Scheduled => {
            let since = super::run::since(desk.office, key)?;
            let turn = turn(&key.id, &resolved, History { since, paused: None }, desk.organisation.now);
            match turn.now {
                Now::Begin => Ok(()),
                other => {
                    Err(usage(format!("its turn has not come: {other}; --plan HASH rotates it all the same")))
                }
            }
        }
    }
}

/// Who gives the command, as far as the system says.
pub(super) fn operator() -> String {
    let said = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let plain = |name: &String| {
        name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b))
    };
    said.filter(plain).unwrap_or_else(|| "operator".to_owned())
}
