//! The next thing to do: a pure function of the state and the time.

use super::action::{Action, Ask, Effect, Read, Reconcile};
use super::frozen::Path;
use super::rotation::{Holds, Key, Life, Phase, Rotation, Standing, Which};
use crate::rotate::time::Moment;

/// What is to be done next. Reads nothing but its arguments.
pub fn next(r: &Rotation, now: Moment) -> Action {
    if r.phase.is_terminal() {
        return Action::Finish(r.phase);
    }
    if let Some(halt) = &r.halt {
        return Action::Ask(Ask::Resolve(halt.clone()));
    }
    if let Some(at) = r.not_before.filter(|at| now < *at) {
        return Action::Wait(at);
    }
    decide(r, now)
}

/// The same without regard to halts and waits between looks: what an answer that comes in must fit.
pub(super) fn decide(r: &Rotation, now: Moment) -> Action {
    if let Some(intent) = &r.intent {
        return Action::Reconcile(reconcile(r, &intent.effect));
    }
    if r.phase == Phase::Planned {
        return planned(r);
    }
    if r.phase == Phase::Leased {
        return Action::Advance;
    }
    if r.check_old {
        return Action::Read(Read::Verify(Which::Old));
    }
    if r.check_new {
        return Action::Read(Read::Verify(Which::New));
    }
    if r.revokes_now() {
        return retire(r);
    }
    match r.phase {
        Phase::Preflight => preflight(r),
        Phase::Creating => creating(r, now),
        Phase::Created => Action::Read(Read::Verify(Which::New)),
        Phase::Verified => Action::Advance,
        Phase::Distributing => distributing(r),
        Phase::Overlap => overlap(r, now),
        Phase::Drained => export(r).unwrap_or(Action::Advance),
        // Somebody may have put the old key back while it was still good.
        Phase::UsageExported => confirm(r).unwrap_or(Action::Advance),
        Phase::Disabling => Action::Effect(Effect::Disable(r.old.id.clone())),
        Phase::Disabled => soaking(r, now),
        Phase::Deleting => deleting(r, now),
        Phase::RollingBack => back(r, now),
        Phase::Planned | Phase::Leased | Phase::Done | Phase::RolledBack | Phase::Aborted => Action::Advance,
    }
}

fn reconcile(r: &Rotation, effect: &Effect) -> Reconcile {
    match effect {
        Effect::Create(_) => Reconcile::Key(r.powers().class.look()),
        Effect::Write(i) | Effect::Promote(i) | Effect::Restore(i) => Reconcile::Store(*i),
        Effect::Disable(id) | Effect::Enable(id) | Effect::Delete(id) => Reconcile::Standing(id.clone()),
    }
}

fn planned(r: &Rotation) -> Action {
    let needed = if r.is_emergency() { r.frozen.emergency.approvals } else { r.frozen.approvals };
    let given = u8::try_from(r.approvals.len()).unwrap_or(u8::MAX);
    if given < needed {
        return Action::Ask(Ask::Approve(needed - given));
    }
    if r.frozen.staging.is_some() && !r.staged && !r.is_emergency() {
        return Action::Read(Read::Staging);
    }
    Action::Begin
}

fn preflight(r: &Rotation) -> Action {
    if !r.ground {
        return Action::Read(Read::Ground);
    }
    if let Some(i) = r.places.iter().position(|p| !p.seen) {
        return Action::Read(Read::Store(i));
    }
    if r.snapshot.is_none() && wants_list(r) {
        return Action::Read(Read::Keys);
    }
    // An in-place change begins the old key's end, so its use is taken first.
    if r.powers().class.in_place()
        && let Some(action) = export(r)
    {
        return action;
    }
    Action::Advance
}

/// Whether the keys are listed before a creation.
fn wants_list(r: &Rotation) -> bool {
    r.powers().list && (r.powers().class.needs_list() || r.powers().quota.is_some())
}

fn creating(r: &Rotation, now: Moment) -> Action {
    // What a lost answer left behind goes first: it takes room, and a second one must not join it.
    if let Some(action) = clean(r, now) {
        return action;
    }
    if r.snapshot.is_none() && wants_list(r) {
        return Action::Read(Read::Keys);
    }
    Action::Effect(Effect::Create(r.attempt))
}

/// The first thing that a store still needs to hold the new key for its readers, confirmed.
fn confirm(r: &Rotation) -> Option<Action> {
    for (i, (place, target)) in r.places.iter().zip(&r.frozen.stores).enumerate() {
        match place.holds {
            Holds::New if place.seen => {}
            Holds::New => return Some(Action::Read(Read::Store(i))),
            Holds::Pending if target.staged && place.version.is_some() => {
                return Some(Action::Effect(Effect::Promote(i)));
            }
            _ if place.version.is_none() => return Some(Action::Read(Read::Store(i))),
            _ => return Some(Action::Effect(Effect::Write(i))),
        }
    }
    None
}

fn distributing(r: &Rotation) -> Action {
    confirm(r).unwrap_or(Action::Advance)
}

fn overlap(r: &Rotation, now: Moment) -> Action {
    let from = r.distributed.unwrap_or(r.since);
    let until = match &r.new {
        // Its own clock ends the old value; nothing we do would.
        Some(new) if r.powers().class.in_place() => new.changed + r.powers().native_overlap,
        _ => from + r.overlap(),
    };
    let gone = r.old.life == Life::Dead || r.old.standing != Standing::Enabled;
    if now < until && !gone {
        let silent = r.frozen.probes_count && now + r.frozen.quiet >= until;
        if r.frozen.probe.0 == 0 || silent {
            return Action::Wait(until);
        }
        let probe = r.probed + r.frozen.probe;
        return if probe <= now {
            Action::Read(Read::Verify(Which::Old))
        } else {
            Action::Wait(probe.min(until))
        };
    }
    if r.powers().class.in_place() && !gone {
        return Action::Read(Read::Verify(Which::Old));
    }
    if gone || r.hurries() || r.forced.is_some() || r.proof.is_some() {
        return Action::Advance;
    }
    Action::Read(Read::Drain)
}

/// The read that exports the old key's use, unless that is settled.
fn export(r: &Rotation) -> Option<Action> {
    r.exported.is_none().then_some(Action::Read(Read::Usage))
}

/// Switches the old key off, or deletes it where it cannot be switched off; its use first.
fn retire(r: &Rotation) -> Action {
    if let Some(action) = export(r) {
        return action;
    }
    let id = r.old.id.clone();
    Action::Effect(if r.powers().disable { Effect::Disable(id) } else { Effect::Delete(id) })
}

fn soaking(r: &Rotation, now: Moment) -> Action {
    let until = r.old.changed + r.soak();
    if r.old.standing == Standing::Disabled && now < until { Action::Wait(until) } else { Action::Advance }
}

fn deleting(r: &Rotation, now: Moment) -> Action {
    if r.old.standing != Standing::Deleted && r.powers().delete && !r.powers().class.in_place() {
        return Action::Effect(Effect::Delete(r.old.id.clone()));
    }
    if r.old.life != Life::Dead && (r.powers().disable || r.powers().delete || r.powers().class.in_place()) {
        return Action::Read(Read::Verify(Which::Old));
    }
    clean(r, now).or_else(|| sweep(r, now)).unwrap_or(Action::Advance)
}

/// The next step in removing keys of ours that must not be left over.
fn clean(r: &Rotation, now: Moment) -> Option<Action> {
    let key = r.discards.first()?;
    if key.standing == Standing::Enabled && r.powers().disable {
        return Some(Action::Effect(Effect::Disable(key.id.clone())));
    }
    if let Some(until) = grace(r, key).filter(|until| now < *until) {
        return Some(Action::Wait(until));
    }
    Some(Action::Effect(Effect::Delete(key.id.clone())))
}

/// Until when a leftover stays switched off, because it is ours by inference only.
fn grace(r: &Rotation, key: &Key) -> Option<Moment> {
    (r.powers().class == super::class::Class::D && key.standing == Standing::Disabled && !key.handed_out)
        .then(|| key.changed + r.soak())
}

/// The look for leftovers, once a list shows everything that was made.
fn sweep(r: &Rotation, now: Moment) -> Option<Action> {
    if r.swept || !r.powers().list || !r.powers().class.separate() {
        return None;
    }
    let settled = r.last_create? + r.powers().propagation;
    Some(if now < settled { Action::Wait(settled) } else { Action::Read(Read::Sweep) })
}

fn back(r: &Rotation, now: Moment) -> Action {
    if r.old.standing == Standing::Disabled {
        return Action::Effect(Effect::Enable(r.old.id.clone()));
    }
    if r.old.life != Life::Live {
        return Action::Read(Read::Verify(Which::Old));
    }
    for (i, place) in r.places.iter().enumerate() {
        match place.holds {
            Holds::Old if place.seen || r.new.is_none() && r.discards.is_empty() => {}
            Holds::Old => return Action::Read(Read::Store(i)),
            _ if place.version.is_none() => return Action::Read(Read::Store(i)),
            _ => return Action::Effect(Effect::Restore(i)),
        }
    }
    if let Some(new) = &r.new {
        // Whoever took the new key meanwhile gets the time to read the old one again.
        let until = r.since + r.frozen.overlap;
        if new.handed_out && new.life == Life::Live && now < until {
            return Action::Wait(until);
        }
        return Action::Advance;
    }
    clean(r, now).or_else(|| sweep(r, now)).unwrap_or(Action::Advance)
}

/// Whether the order of this rotation is the ordinary one.
pub(super) fn creates_first(r: &Rotation) -> bool {
    r.path() == Path::CreateFirst
}
