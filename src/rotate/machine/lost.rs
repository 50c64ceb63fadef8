//! Outcomes of announced effects, and what is found where the outcome was lost.

use super::action::Effect;
use super::apply::{again, enter, make_another, proved};
use super::event::{Found, Illegal, Outcome, Refusal, State};
use super::halt::{Halt, Stuck, Verb};
use super::next::creates_first;
use super::rotation::{Intent, Key, KeyId, Life, Phase, Rotation, Standing};
use super::store;
use crate::rotate::time::Moment;

pub(super) fn outcome(
    n: &mut Rotation,
    intent: &Intent,
    outcome: &Outcome,
    now: Moment,
) -> Result<(), Illegal> {
    match (&intent.effect, outcome) {
        // The intent stays open; the next step is to find out.
        (_, Outcome::Unknown) => n.not_before = Some(now + n.poll()),
        (Effect::Create(_), Outcome::Created(id)) => created(n, id.clone(), now),
        (Effect::Write(_) | Effect::Promote(_) | Effect::Restore(_), Outcome::Stored(version)) => {
            store::stored(n, &intent.effect, version.clone());
        }
        (Effect::Disable(_) | Effect::Enable(_) | Effect::Delete(_), Outcome::Changed) => {
            changed(n, &intent.effect, now);
        }
        (Effect::Write(i) | Effect::Promote(i) | Effect::Restore(i), Outcome::Conflict) => {
            n.intent = None;
            store::conflict(n, *i, now);
        }
        (effect, Outcome::Refused(refusal)) => {
            n.intent = None;
            refused(n, effect, *refusal, now);
        }
        _ => return Err(Illegal::Unfit),
    }
    Ok(())
}

fn refused(n: &mut Rotation, effect: &Effect, refusal: Refusal, now: Moment) {
    let verb = match effect {
        Effect::Create(_) => Verb::Create,
        Effect::Disable(_) => Verb::Disable,
        Effect::Enable(_) => Verb::Enable,
        Effect::Delete(_) => Verb::Delete,
        Effect::Write(_) | Effect::Promote(_) | Effect::Restore(_) => Verb::Write,
    };
    match (refusal, effect) {
        (Refusal::Busy, _) => again(n, Stuck::Silent(verb), now),
        (Refusal::Quota, Effect::Create(_)) => {
            // What filled it may be ours: the list is taken anew.
            n.snapshot = None;
            n.halt = Some(Halt::Stuck(Stuck::Quota));
        }
        (_, Effect::Write(i) | Effect::Promote(i) | Effect::Restore(i)) => {
            n.halt = Some(Halt::Stuck(Stuck::StoreRefused(*i)));
        }
        _ => n.halt = Some(Halt::Stuck(Stuck::Refused(verb))),
    }
}

fn created(n: &mut Rotation, id: KeyId, now: Moment) {
    n.intent = None;
    proved(n);
    n.new = Some(Key::new(id, now));
    (n.check_old, n.check_new) = (true, true);
    if n.phase == Phase::Creating {
        enter(n, Phase::Created, now);
    }
}

pub(super) fn found(n: &mut Rotation, found: &Found, now: Moment) -> Result<(), Illegal> {
    let Some(intent) = n.intent.as_mut().filter(|i| matches!(i.effect, Effect::Create(_))) else {
        return Err(Illegal::NoIntent);
    };
    let settled = intent.at + n.frozen.powers.propagation;
    let class = n.frozen.powers.class;
    match found {
        Found::Whole(id) => created(n, id.clone(), now),
        // A list may lag behind; so may a call that was cut off.
        Found::Nothing if intent.looks == 0 || now < settled => {
            intent.looks = intent.looks.saturating_add(1);
            n.not_before = Some(settled.max(now + n.poll()));
        }
        Found::Nothing => {
            n.intent = None;
            proved(n);
            if !class.same_attempt() {
                n.attempt = n.attempt.saturating_add(1);
                n.snapshot = None;
            }
        }
        Found::Lost(ids) => {
            n.intent = None;
            proved(n);
            if class.in_place() && !n.powers().chained {
                n.halt = Some(Halt::Stuck(Stuck::LostInPlace));
            }
            if class.separate() {
                n.discards.extend(ids.iter().map(|id| Key::new(id.clone(), now)));
            }
            make_another(n, now);
        }
        Found::Doubtful(id) => n.halt = Some(Halt::Stuck(Stuck::Surplus(id.clone()))),
        Found::Unknown | Found::Refused(Refusal::Busy) => again(n, Stuck::Silent(Verb::List), now),
        Found::Refused(_) => n.halt = Some(Halt::Stuck(Stuck::Refused(Verb::Create))),
    }
    Ok(())
}

/// The outcome of a lost change, from the key's present state. Changes of a key may be repeated: the second
/// one does nothing.
pub(super) fn standing(n: &mut Rotation, state: State, now: Moment) -> Result<(), Illegal> {
    let effect = n.intent.as_ref().ok_or(Illegal::NoIntent)?.effect.clone();
    match (&effect, state) {
        (_, State::Unknown) => again(n, Stuck::Silent(Verb::List), now),
        (Effect::Disable(_), State::Disabled | State::Gone)
        | (Effect::Delete(_), State::Gone)
        | (Effect::Enable(_), State::Enabled) => changed(n, &effect, now),
        (Effect::Enable(_), State::Gone) => {
            n.intent = None;
            proved(n);
            (n.old.standing, n.old.life, n.died_early) = (Standing::Deleted, Life::Dead, true);
        }
        (Effect::Disable(_), _) => not_done(n, Verb::Disable, now),
        (Effect::Delete(_), _) => not_done(n, Verb::Delete, now),
        (Effect::Enable(_), _) => not_done(n, Verb::Enable, now),
        _ => return Err(Illegal::Unfit),
    }
    Ok(())
}

fn not_done(n: &mut Rotation, verb: Verb, now: Moment) {
    n.intent = None;
    again(n, Stuck::Silent(verb), now);
}

fn changed(n: &mut Rotation, effect: &Effect, now: Moment) {
    n.intent = None;
    proved(n);
    let (id, standing) = match effect {
        Effect::Disable(id) => (id, Standing::Disabled),
        Effect::Enable(id) => (id, Standing::Enabled),
        Effect::Delete(id) => (id, Standing::Deleted),
        Effect::Create(_) | Effect::Write(_) | Effect::Promote(_) | Effect::Restore(_) => return,
    };
    if let Some(at) = n.discards.iter().position(|key| key.id == *id) {
        let key = &mut n.discards[at];
        (key.standing, key.changed) = (standing, now);
        if standing == Standing::Deleted || !n.frozen.powers.delete {
            n.discards.remove(at);
        }
        n.check_old = true;
        n.check_new = n.new.is_some();
        return;
    }
    (n.old.standing, n.old.changed, n.old.life) = (standing, now, Life::Unknown);
    // Where the old key goes first, the way to the new one is not held up by the proof of its death.
    n.check_old = creates_first(n) || standing == Standing::Enabled;
    n.check_new = n.new.is_some();
    if n.phase == Phase::Disabling {
        enter(n, Phase::Disabled, now);
    }
}
