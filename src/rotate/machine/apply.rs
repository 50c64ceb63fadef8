//! What an event makes of a rotation: a pure function of state, event and time.

use super::action::{Action, Effect, Read, Reconcile};
use super::event::{Event, Ground, Illegal};
use super::halt::{Halt, Stuck};
use super::next::decide;
use super::rotation::{Holds, Intent, Life, Phase, Rotation, Standing, Which};
use super::{key, lost, person, store};
use crate::rotate::time::Moment;

/// The rotation after `event`.
///
/// # Errors
/// [`Illegal`] if the event does not fit the state; the caller looks again. An outcome of the open effect
/// always fits.
pub fn apply(r: &Rotation, event: &Event, now: Moment) -> Result<Rotation, Illegal> {
    if r.phase.is_terminal() {
        return Err(Illegal::Ended(r.phase));
    }
    let mut n = r.clone();
    match event {
        Event::Person(person) => person::acts(&mut n, person, now)?,
        Event::Outcome(outcome) => {
            let intent = n.intent.clone().ok_or(Illegal::NoIntent)?;
            lost::outcome(&mut n, &intent, outcome, now)?;
        }
        Event::Intended(effect) => intend(&mut n, effect, now)?,
        // Found out at any step that opens sealed material.
        Event::Ground(ground @ Ground::SealingKey(_)) => key::ground(&mut n, ground),
        answer => {
            if !fits(&decide(r, now), answer) {
                return Err(Illegal::Overtaken);
            }
            take(&mut n, answer, now)?;
        }
    }
    steer(&mut n, now);
    Ok(n)
}

/// Whether an answer belongs to what is to be done now.
fn fits(action: &Action, answer: &Event) -> bool {
    match (action, answer) {
        (Action::Begin, Event::Leased)
        | (Action::Advance, Event::Advanced)
        | (Action::Read(Read::Staging), Event::Staging(_))
        | (Action::Read(Read::Ground), Event::Ground(_))
        | (Action::Read(Read::Keys), Event::Keys(_))
        | (Action::Read(Read::Drain), Event::Drain(_))
        | (Action::Read(Read::Usage), Event::Usage(_))
        | (Action::Read(Read::Sweep), Event::Swept(_))
        | (Action::Reconcile(Reconcile::Key(_)), Event::Found(_))
        | (Action::Reconcile(Reconcile::Standing(_)), Event::Standing(_)) => true,
        (
            Action::Read(Read::Store(wanted)) | Action::Reconcile(Reconcile::Store(wanted)),
            Event::Store { store, .. },
        ) => wanted == store,
        (Action::Read(Read::Verify(wanted)), Event::Life { which, .. }) => wanted == which,
        _ => false,
    }
}

fn take(n: &mut Rotation, answer: &Event, now: Moment) -> Result<(), Illegal> {
    match answer {
        Event::Leased => enter(n, Phase::Leased, now),
        Event::Staging(green) => match green {
            true => n.staged = true,
            false => n.not_before = Some(now + n.frozen.poll),
        },
        Event::Ground(ground) => key::ground(n, ground),
        Event::Keys(keys) => key::listed(n, keys, now),
        Event::Store { store, sees, version } => store::seen(n, *store, *sees, version.clone(), now)?,
        Event::Life { which: Which::Old, life } => key::old_life(n, *life, now),
        Event::Life { which: Which::New, life } => key::new_life(n, *life, now),
        Event::Found(found) => lost::found(n, found, now)?,
        Event::Standing(state) => lost::standing(n, *state, now)?,
        Event::Drain(drain) => key::drained(n, drain, now),
        Event::Usage(usage) => key::exported(n, usage, now),
        Event::Swept(swept) => key::swept(n, swept, now),
        Event::Advanced => advance(n, now),
        Event::Intended(_) | Event::Outcome(_) | Event::Person(_) => return Err(Illegal::Unfit),
    }
    Ok(())
}

fn intend(n: &mut Rotation, effect: &Effect, now: Moment) -> Result<(), Illegal> {
    if n.halt.is_some() || decide(n, now) != Action::Effect(effect.clone()) {
        return Err(Illegal::Overtaken);
    }
    match effect {
        Effect::Create(_) => {
            n.first_create.get_or_insert(now);
            n.last_create = Some(now);
            n.swept = false;
        }
        // The last line of defence: the key that works everywhere, and a key whose use is not kept, stay.
        Effect::Disable(id) | Effect::Delete(id)
            if *id != n.old.id && n.new.as_ref().is_some_and(|new| new.id == *id) =>
        {
            return Err(Illegal::Unfit);
        }
        Effect::Delete(id) if *id == n.old.id && n.exported.is_none() => return Err(Illegal::Unfit),
        _ => {}
    }
    n.intent = Some(Intent { effect: effect.clone(), at: now, looks: 0 });
    Ok(())
}

/// Enters a phase with a clean count of tries.
pub(super) fn enter(n: &mut Rotation, phase: Phase, now: Moment) {
    n.phase = phase;
    n.since = now;
    n.tries = 0;
    n.not_before = None;
}

/// Counts an answer that proved nothing; too many in a row halt the rotation.
pub(super) fn again(n: &mut Rotation, why: Stuck, now: Moment) {
    n.tries = n.tries.saturating_add(1);
    n.not_before = Some(now + n.poll());
    if n.tries > n.frozen.patience {
        n.halt = Some(Halt::Stuck(why));
    }
}

/// An answer that proved something.
pub(super) fn proved(n: &mut Rotation) {
    n.tries = 0;
    n.not_before = None;
}

fn advance(n: &mut Rotation, now: Moment) {
    match n.phase {
        Phase::Leased => {
            enter(n, Phase::Preflight, now);
            n.check_old = true;
        }
        Phase::Preflight => enter(n, Phase::Creating, now),
        Phase::Verified => enter(n, Phase::Distributing, now),
        Phase::Distributing => {
            enter(n, Phase::Overlap, now);
            n.distributed = Some(now);
            n.duds = 0;
        }
        Phase::Overlap => enter(n, Phase::Drained, now),
        Phase::Drained => {
            enter(n, Phase::UsageExported, now);
            n.places.iter_mut().for_each(|p| p.seen = false);
            n.check_new = true;
        }
        Phase::UsageExported => {
            let phase = match n.old.standing {
                Standing::Disabled => Phase::Disabled,
                Standing::Enabled if n.powers().disable && !n.powers().class.in_place() => Phase::Disabling,
                _ => Phase::Deleting,
            };
            enter(n, phase, now);
        }
        Phase::Disabled => enter(n, Phase::Deleting, now),
        Phase::Deleting => enter(n, Phase::Done, now),
        Phase::RollingBack if n.new.is_some() => discard(n),
        Phase::RollingBack if n.first_create.is_some() => enter(n, Phase::RolledBack, now),
        Phase::RollingBack => enter(n, Phase::Aborted, now),
        Phase::Planned
        | Phase::Creating
        | Phase::Created
        | Phase::Disabling
        | Phase::Done
        | Phase::RolledBack
        | Phase::Aborted => {}
    }
}

/// Puts the new key among those that must not be left over.
fn discard(n: &mut Rotation) {
    n.check_new = false;
    n.swept = false;
    let Some(key) = n.new.take() else { return };
    for place in n.places.iter_mut().filter(|p| p.holds != Holds::Old) {
        place.forget();
        place.holds = Holds::Former;
    }
    if n.powers().class.separate() {
        n.discards.push(key);
    }
}

/// Starts over with a fresh attempt.
pub(super) fn make_another(n: &mut Rotation, now: Moment) {
    discard(n);
    n.attempt = n.attempt.saturating_add(1);
    n.snapshot = None;
    (n.distributed, n.idle_since, n.proof) = (None, None, None);
    n.acks.clear();
    enter(n, Phase::Creating, now);
}

/// Turns the rotation where the facts point: back when a person wants it and it can be, forward when it cannot.
fn steer(n: &mut Rotation, now: Moment) {
    if n.intent.is_some() || n.phase.is_terminal() {
        return;
    }
    if n.abort {
        n.abort = false;
        let untouched = n.first_create.is_none() && n.old.standing == Standing::Enabled;
        if untouched {
            return enter(n, Phase::Aborted, now);
        }
        if n.can_go_back() && n.phase != Phase::RollingBack {
            return go_back(n, now);
        }
    }
    if n.phase == Phase::RollingBack && !n.can_go_back() {
        if n.new.as_ref().is_some_and(|new| new.life != Life::Dead) {
            n.places.iter_mut().for_each(|p| p.seen = false);
            n.check_new = true;
            return enter(n, Phase::Distributing, now);
        }
        return make_another(n, now);
    }
    let dead = n.new.as_ref().is_some_and(|new| new.life == Life::Dead);
    if dead && n.phase >= Phase::Created && n.phase < Phase::Done {
        if n.phase > Phase::Verified && n.can_go_back() {
            return go_back(n, now);
        }
        n.duds = n.duds.saturating_add(1);
        make_another(n, now);
        if n.duds > n.frozen.patience {
            n.halt = Some(Halt::Stuck(Stuck::NoneWorks));
        }
    }
}

fn go_back(n: &mut Rotation, now: Moment) {
    enter(n, Phase::RollingBack, now);
    n.places.iter_mut().for_each(|p| p.seen = false);
    (n.check_new, n.distributed, n.idle_since, n.proof) = (false, None, None, None);
    n.acks.clear();
    n.old.life = Life::Unknown;
}
