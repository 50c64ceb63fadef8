//! Turning keys over.

mod admin;
mod ask;
mod asker;
mod audit;
mod desk;
mod discover;
mod escalate;
mod last;
mod office;
mod people;
mod plan;
mod pool;
mod post;
mod proposals;
mod rehearse;
mod revoke;
mod run;
mod status;
mod subject;
mod traffic;
mod words;
mod world;

pub(crate) use discover::{CODES as DISCOVER_CODES, DiscoverArgs, run as discover};
pub(crate) use escalate::{EscalateArgs, Escalated, Leak};
pub(crate) use last::last_uses;
pub(crate) use office::OfficeArgs;
pub(crate) use proposals::{ProposalArgs, Shape, proposals};

use super::{code, output};
use anyhow::Result;
use clap::{Args, Subcommand};
use desk::{Desk, Stop};
use keywheel::rotate::course::{self, Course};
use keywheel::rotate::machine::{Halt, Phase, Stuck, Verb};
use keywheel::rotate::plan::Way;
use keywheel::rotate::signed::Word;
use keywheel::rotate::{Rotation, RotationId};

const CODES: &str = "Exit codes:
  0    it ended well, or waits for a time as planned
  1    a person must act, or it was rolled back or aborted
  2    wrong usage, or a plan that cannot begin
  4    internal error; nothing is lost, and `rotate resume` goes on
  130  interrupted; 143 terminated; `rotate resume` goes on";

#[derive(Debug, Args)]
pub(crate) struct RotateCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say what would be done for a key, and change nothing
    #[command(after_help = "Examples:
  keywheel rotate plan --lineage web/shop/openai                    by the calendar, or now
  keywheel rotate plan --report report.json --fingerprint kw1:…     a key that leaked")]
    Plan(Box<plan::PlanArgs>),
    /// Carry a plan out, as far as it goes now
    #[command(after_help = CODES)]
    Apply(Box<plan::ApplyArgs>),
    /// Let a rotation go on: after a crash, a pause, or what a person had to mend
    #[command(after_help = CODES)]
    Resume(Box<people::ResumeArgs>),
    /// List rotations, and what they wait for
    Status(status::StatusArgs),
    /// Approve a plan, with a signature
    Approve(people::SignedArgs),
    /// Say that the consumers have the new key, with a signature
    Ack(people::SignedArgs),
    /// Stop a rotation, or let no new one begin
    Pause(people::PauseArgs),
    /// Go back to the old key
    #[command(after_help = CODES)]
    Abort(people::AbortArgs),
    /// Do what is due, once
    #[command(after_help = CODES)]
    Run(run::RunArgs),
    /// Do what is due, until a signal
    Watch(run::WatchArgs),
    /// Write down what a person needs to turn a key over by hand, and what was done
    Runbook(status::RunbookArgs),
    /// Keep keys that people made beforehand
    #[command(subcommand)]
    Pool(pool::PoolWhat),
    /// List alerts that wait or were given up; whatever turns keys over sends what is due
    Alerts(post::AlertsArgs),
    /// Check, export or summarise the audit
    Audit(audit::AuditArgs),
    /// Wrap the key that seals the journal anew, by the newest version of OpenBao's key
    #[command(
        after_help = "For a journal with --master-key transit:KEY, after `bao write -f transit/keys/KEY/rotate`. What is \
sealed stays as it is."
    )]
    Rewrap(OfficeArgs),
    /// Switch one key off at its provider, and prove that it is dead
    #[command(
        after_help = "Reads one key from standard input, never from the command line, or finds it again by a report. \
Says what will happen, asks, makes the one call that the rule declares, and checks the key until it is dead.
Exit codes: 0 it is dead, 1 nothing was changed or it still works, 3 it is not known.

Examples:
  keywheel rotate revoke < key.txt                                the holder's own right
  keywheel rotate revoke --mine \"our CI token\" < key.txt          a provider's public service
  keywheel rotate revoke --admin env:ADMIN_KEY --ask key_id=key_1 --ask project_id=proj_1 < key.txt
  keywheel rotate revoke --report report.json --fingerprint kw1:… --yes"
    )]
    Revoke(Box<revoke::RevokeArgs>),
}

pub(crate) fn run(args: &RotateCommand) -> Result<u8> {
    match &args.what {
        What::Plan(args) => plan::run(args),
        What::Apply(args) => plan::apply(args),
        What::Resume(args) => people::resume(args),
        What::Status(args) => status::status(args),
        What::Approve(args) => people::signed(args, Word::Approve),
        What::Ack(args) => people::signed(args, Word::Ack),
        What::Pause(args) => people::pause(args),
        What::Abort(args) => people::abort(args),
        What::Run(args) => run::run(args),
        What::Watch(args) => run::watch(args),
        What::Runbook(args) => status::runbook(args),
        What::Pool(what) => pool::run(what),
        What::Alerts(args) => post::alerts(args),
        What::Audit(args) => audit::run(args),
        What::Rewrap(args) => audit::rewrap(args),
        What::Revoke(args) => revoke::run(args),
    }
}

/// The courses of all rotations of the journal that is named, after its audit was checked; none if none is named.
pub(crate) fn courses(args: &OfficeArgs) -> Result<Vec<Course>> {
    if !args.named() {
        return Ok(Vec::new());
    }
    let office = args.look()?;
    office.journal.verify_audit(None).map_err(super::usage)?;
    Ok(course::courses(&office.journal.audit_entries()?))
}

/// Says where a rotation stopped, and what follows, on standard error.
fn tell(desk: &Desk<'_>, id: RotationId, stop: &Stop) {
    let Ok(record) = desk.office.journal.load(id) else { return };
    let lineage = &record.rotation.lineage;
    match stop {
        Stop::Ended(Phase::Done) => {
            output::tell(&format!("{lineage}: done; generation {}", record.rotation.generation));
            if let Some(print) =
                desk.plan(lineage, record.rotation.kind).ok().and_then(|plan| desk.fingerprint(&plan))
            {
                output::tell(&format!("{lineage}: put {print} first in its `fingerprints`"));
            }
        }
        Stop::Ended(phase) => output::tell(&format!("{lineage}: {phase}; the old key is in force")),
        Stop::Brings => output::tell(&format!(
            "{lineage}: make a new key at the provider, with the scopes and limits of the old one, and bring it: \
             keywheel rotate resume --lineage {lineage} --new-key < FILE"
        )),
        Stop::Busy => output::tell(&format!("{lineage}: another worker is at it")),
        Stop::Signal(_) => output::tell(&format!(
            "{lineage}: stopped{}; keywheel rotate resume --lineage {lineage} goes on",
            if record.rotation.intent.is_some() {
                " while a step was open; what became of it will be found out"
            } else {
                ""
            }
        )),
        Stop::Waits(_) | Stop::Asks(_) => {
            output::tell(status::line(&record, desk.office.now()).trim_end());
            if let Ok(answer) = status::answer(desk.office, &record)
                && !answer.is_empty()
            {
                output::tell(answer.trim_end());
            }
            by_hand(desk, lineage, &record.rotation);
        }
    }
}

/// What a person has to do at the provider, where no call does it.
fn by_hand(desk: &Desk<'_>, lineage: &str, rotation: &Rotation) {
    let by_hand = desk.plan(lineage, rotation.kind).is_ok_and(|plan| plan.way_of(rotation) == Way::ByHand);
    if by_hand && rotation.halt == Some(Halt::Stuck(Stuck::Refused(Verb::Delete))) {
        let which = if rotation.phase == Phase::RollingBack { "new" } else { "old" };
        output::tell(&format!(
            "{lineage}: the {which} key still works: delete it at the provider, then keywheel rotate resume --lineage {lineage}"
        ));
    }
}

/// The same, with the exit code.
fn stopped(desk: &Desk<'_>, id: RotationId, stop: &Stop) -> Result<u8> {
    tell(desk, id, stop);
    Ok(match stop {
        Stop::Ended(Phase::Done) | Stop::Waits(_) => code::CLEAN,
        Stop::Ended(_) | Stop::Asks(_) | Stop::Brings | Stop::Busy => code::FINDINGS,
        Stop::Signal(code) => *code,
    })
}
