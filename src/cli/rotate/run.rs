//! `keywheel rotate run` and `keywheel rotate watch`: what is due, once or for ever. Several may run on one journal:
//! each rotation has one lease, and begins only from the generation that was looked at.

use super::desk::{Desk, Stop};
use super::office::{Office, OfficeArgs};
use super::subject::AskArgs;
use crate::cli::organisation::{Organisation, OrganisationArgs};
use crate::cli::{code, output, signal};
use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use keywheel::config::duration;
use keywheel::rotate::RotationId;
use keywheel::rotate::inventory::Key;
use keywheel::rotate::journal::{JournalError, New, Scope};
use keywheel::rotate::machine::{Halt, Kind, Phase};
use keywheel::rotate::news::due_soon;
use keywheel::rotate::schedule::{History, Now, turn};
use keywheel::rotate::time::{Moment, Span};
use std::collections::BTreeMap;
use std::time::Duration;

/// After a rotation that did not end well nobody begins the next one by itself for so long.
const REST: Span = Span::days(1);
/// How often signals are looked at between two passes.
const BEAT: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Longest time between two passes
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1m")]
    every: Duration,
}

/// Where each rotation stood when that was last said: a loop says what is new.
type Told = BTreeMap<RotationId, Stop>;

/// What a pass came to.
#[derive(Default)]
struct Pass {
    /// Somebody must act.
    asks: bool,
    /// When something is to be done next, if that is known.
    next: Option<Moment>,
    signal: Option<u8>,
}

impl Pass {
    fn until(&mut self, at: Moment) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

pub(super) fn run(args: &RunArgs) -> Result<u8> {
    let office = args.office.open()?;
    signal::watch();
    let pass = pass(args, &office, &mut Told::new())?;
    Ok(pass.signal.unwrap_or(if pass.asks { code::FINDINGS } else { code::CLEAN }))
}

pub(super) fn watch(args: &WatchArgs) -> Result<u8> {
    let office = args.run.office.open()?;
    signal::watch();
    let mut told = Told::new();
    loop {
        // The policy is read anew each time, so that an edit counts without a restart.
        let next = match pass(&args.run, &office, &mut told) {
            Ok(Pass { signal: Some(code), .. }) => return Ok(code),
            Ok(pass) => pass.next,
            Err(error) => {
                output::tell(&format!("{error:#}"));
                None
            }
        };
        let most = office.now() + Span::millis(u64::try_from(args.every.as_millis()).unwrap_or(u64::MAX));
        let until = next.map_or(most, |next| next.min(most));
        while office.now() < until {
            if let Some(code) = signal::caught() {
                return Ok(code);
            }
            std::thread::sleep(BEAT);
        }
        if let Some(code) = signal::caught() {
            return Ok(code);
        }
    }
}

fn pass(args: &RunArgs, office: &Office, told: &mut Told) -> Result<Pass> {
    let organisation = Organisation::new(&args.files)?;
    let asker = args.ask.asker(&organisation)?;
    let desk = Desk { office, organisation: &organisation, asker: &asker, worker: office.worker()? };
    let mut pass = Pass::default();
    for id in office.journal.active()? {
        drive(&desk, id, &mut pass, told);
        desk.last_call(id);
    }
    for key in &organisation.policy.file.key {
        if pass.signal.is_some() {
            break;
        }
        match begin(&desk, key, &mut pass) {
            Ok(Some(id)) => drive(&desk, id, &mut pass, told),
            Ok(None) => {}
            Err(error) => {
                output::tell(&format!("{}: {error:#}", key.id));
                pass.asks = true;
            }
        }
    }
    super::pool::watch(&desk)?;
    desk.post();
    Ok(pass)
}

/// One rotation's trouble is not another's.
fn drive(desk: &Desk<'_>, id: RotationId, pass: &mut Pass, told: &mut Told) {
    if pass.signal.is_some() {
        return;
    }
    match desk.drive(id, Span::ZERO, None) {
        Ok(stop) => {
            if told.get(&id) != Some(&stop) {
                super::tell(desk, id, &stop);
                told.insert(id, stop.clone());
            }
            match stop {
                Stop::Waits(at) => pass.until(at),
                Stop::Asks(_) | Stop::Brings => pass.asks = true,
                Stop::Signal(code) => pass.signal = Some(code),
                Stop::Ended(phase) => pass.asks |= phase != Phase::Done,
                Stop::Busy => {}
            }
        }
        Err(error) => {
            output::tell(&format!("rotation {}: {error:#}", id.0));
            pass.asks = true;
        }
    }
}

/// Since when a key's current value is in use: by its last rotation, else by the policy.
pub(super) fn since(office: &Office, key: &Key) -> Result<Option<Timestamp>> {
    let done = office.journal.done_since(key.id.as_str())?;
    let done = done.and_then(|at| Timestamp::from_millisecond(at.0).ok());
    Ok(done.max(key.since()))
}

/// Plans the rotation of a key whose turn has come.
fn begin(desk: &Desk<'_>, key: &Key, pass: &mut Pass) -> Result<Option<RotationId>> {
    let journal = &desk.office.journal;
    // Read before anything that depends on it: a rotation that ends meanwhile changes the generation.
    let plan = desk.plan(key.id.as_str(), Kind::Scheduled)?;
    if let Some(last) = journal.newest(key.id.as_str())? {
        let last = journal.load(last)?.rotation;
        if !last.phase.is_terminal() {
            return Ok(None);
        }
        if last.phase != Phase::Done && desk.office.now() < last.since + REST {
            pass.until(last.since + REST);
            return Ok(None);
        }
    }
    let paused = paused(desk, key)?;
    let resolved = desk.organisation.policy.resolve(key);
    let history = History { since: since(desk.office, key)?, paused: paused.as_deref() };
    match turn(&key.id, &resolved, history, desk.organisation.now).now {
        Now::Begin => {}
        Now::Wait(at) => {
            let begins = Moment(at.as_millisecond());
            desk.announce(due_soon(key.id.as_str(), plan.generation(), begins, desk.office.now()));
            pass.until(begins);
            return Ok(None);
        }
        Now::Paused | Now::Never => return Ok(None),
    }
    if !plan.gaps.is_empty() {
        anyhow::bail!("it is due and cannot begin: {}", plan.gaps.join("; "));
    }
    let current = desk.current(&plan)?;
    desk.must_fit(&plan, current.as_ref())?;
    let claims = plan.claims();
    let new = New {
        lineage: &plan.lineage,
        frozen: plan.frozen().clone(),
        old: plan.old().clone(),
        value: current.as_ref(),
        claims: &claims,
        leaked: None,
    };
    match journal.plan_from(&new, Some(plan.generation() - 1), desk.office.now()) {
        Ok(id) => Ok(Some(id)),
        // Another worker was quicker, or somebody paused it.
        Err(JournalError::Active(_) | JournalError::Moved(_) | JournalError::Paused(_)) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Why no rotation of a key may begin by itself: somebody paused it, or one of its provider is stuck.
fn paused(desk: &Desk<'_>, key: &Key) -> Result<Option<String>> {
    let journal = &desk.office.journal;
    let scopes = [Scope::All, Scope::Provider(key.provider.to_string()), Scope::Lineage(key.id.to_string())];
    for scope in &scopes {
        if let Some(why) = journal.pause_of(scope)? {
            return Ok(Some(why));
        }
    }
    for id in journal.active()? {
        let other = journal.load(id)?.rotation;
        let same = desk.organisation.policy.key(&other.lineage).is_some_and(|k| k.provider == key.provider);
        if same && matches!(other.halt, Some(Halt::Stuck(_))) {
            return Ok(Some(format!("the rotation of {} at the same provider is stuck", other.lineage)));
        }
    }
    Ok(None)
}
