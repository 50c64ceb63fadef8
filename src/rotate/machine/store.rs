//! Answers about stores: what they hold and what became of a write.

use super::action::Effect;
use super::apply::{again, proved};
use super::event::{Illegal, Sees};
use super::halt::{Halt, Stuck, Verb};
use super::rotation::{Holds, Phase, Rotation};
use crate::rotate::time::Moment;

pub(super) fn stored(n: &mut Rotation, effect: &Effect, version: String) {
    n.intent = None;
    proved(n);
    let (i, holds) = match effect {
        Effect::Write(i) if n.frozen.stores.get(*i).is_some_and(|t| t.staged) => (*i, Holds::Pending),
        Effect::Write(i) | Effect::Promote(i) => (*i, Holds::New),
        Effect::Restore(i) => (*i, Holds::Old),
        Effect::Create(_) | Effect::Disable(_) | Effect::Enable(_) | Effect::Delete(_) => return,
    };
    if let Some(place) = n.places.get_mut(i) {
        place.move_to(version);
        (place.holds, place.seen, place.overwrite) = (holds, false, false);
    }
    handed_out(n);
    n.check_old = true;
    n.check_new = n.new.is_some() && n.phase != Phase::RollingBack;
}

fn handed_out(n: &mut Rotation) {
    if let Some(new) = &mut n.new {
        new.handed_out |= n.places.iter().any(|p| p.holds == Holds::New);
    }
}

pub(super) fn conflict(n: &mut Rotation, i: usize, now: Moment) {
    if let Some(place) = n.places.get_mut(i) {
        place.forget();
        place.holds = Holds::Unsure;
    }
    again(n, Stuck::Unconfirmed(i), now);
}

/// A store was read: to clear up a lost write, or in the course of things.
pub(super) fn seen(
    n: &mut Rotation,
    i: usize,
    sees: Sees,
    version: Option<String>,
    now: Moment,
) -> Result<(), Illegal> {
    let phase = n.phase;
    let place = n.places.get_mut(i).ok_or(Illegal::NoStore(i))?;
    if sees == Sees::Unknown {
        again(n, Stuck::Silent(Verb::Read), now);
        return Ok(());
    }
    let version = version.unwrap_or_default();
    if place.past.contains(&version) {
        // It lags behind what was there already. An open effect stays open.
        again(n, Stuck::Unconfirmed(i), now);
        return Ok(());
    }
    let lost = n.intent.take().is_some();
    let wanted = match phase {
        Phase::Preflight | Phase::RollingBack => Holds::Old,
        _ => Holds::New,
    };
    let holds = match sees {
        Sees::Old => Holds::Old,
        Sees::Pending => Holds::Pending,
        Sees::New => Holds::New,
        Sees::Former => Holds::Former,
        // A write to such a store may be repeated: nobody can tell one from two.
        Sees::Blind if lost => Holds::Unsure,
        Sees::Blind => place.holds,
        Sees::Foreign | Sees::Unknown => Holds::Unsure,
    };
    let believed = place.holds == wanted && !place.seen && !lost;
    if sees == Sees::Foreign && !place.overwrite {
        place.forget();
        place.holds = if phase == Phase::Preflight { Holds::Old } else { Holds::Unsure };
        n.halt = Some(Halt::Stuck(Stuck::Foreign(i)));
        return Ok(());
    }
    if phase == Phase::Preflight {
        // Before anything was written only the old key, or what a person allowed, may be there.
        if !matches!(sees, Sees::Old | Sees::Blind | Sees::Foreign) {
            n.halt = Some(Halt::Stuck(Stuck::Foreign(i)));
            return Ok(());
        }
        place.move_to(version);
        (place.holds, place.seen) = (holds, true);
        proved(n);
        return Ok(());
    }
    if believed && holds != wanted {
        // We wrote it and it does not show: the read may lag behind.
        again(n, Stuck::Unconfirmed(i), now);
        return Ok(());
    }
    place.seen = holds == wanted;
    place.holds = holds;
    place.move_to(version);
    handed_out(n);
    if lost && holds != wanted {
        // Not done, as far as can be seen.
        again(n, Stuck::Unconfirmed(i), now);
    } else {
        proved(n);
    }
    Ok(())
}
