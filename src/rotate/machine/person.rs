//! What a person does to a rotation.

use super::event::{Does, Illegal, Person};
use super::frozen::Proof;
use super::halt::{Halt, Pause, Stuck};
use super::rotation::{Exported, Holds, Kind, Life, Phase, Rotation, Standing};
use crate::rotate::time::Moment;

pub(super) fn acts(n: &mut Rotation, person: &Person, now: Moment) -> Result<(), Illegal> {
    match &person.does {
        Does::Approve(plan) | Does::Ack(plan) if *plan != n.plan_hash() => return Err(Illegal::OtherPlan),
        // Before every store holds the new key, nobody can have it.
        Does::Ack(_) if n.distributed.is_none() => return Err(Illegal::NotAsked),
        Does::Ack(_) => {
            n.acks.insert(person.by.clone());
            let enough = n.acks.len() >= usize::from(n.frozen.acks.max(1));
            if enough && n.proof.is_none() && n.frozen.proofs.contains(&Proof::Ack) {
                n.proof = Some(Proof::Ack);
                n.halt.take_if(|halt| matches!(halt, Halt::Blocked(_)));
            }
        }
        Does::Approve(_) => {
            n.approvals.insert(person.by.clone());
        }
        Does::Pause(_) if n.halt.is_some() => return Err(Illegal::NotAsked),
        Does::Pause(reason) => n.halt = Some(Halt::Paused(Pause::Person(reason.clone()))),
        Does::Resume => match n.halt {
            Some(Halt::Paused(_)) => n.halt = None,
            _ => return Err(Illegal::NotAsked),
        },
        Does::Retry => retry(n, now)?,
        Does::Force(reason) => {
            n.forced = Some(format!("{}: {reason}", person.by));
            if matches!(n.halt, Some(Halt::Blocked(_))) {
                n.halt = None;
            }
        }
        Does::BreakGlass(_) if n.exported.is_some() => return Err(Illegal::NotAsked),
        Does::BreakGlass(reason) => {
            n.exported = Some(Exported::Waived(format!("glass broken by {}: {reason}", person.by)));
            settle(n, &Stuck::Export);
        }
        Does::Overwrite(i) => {
            n.places.get_mut(*i).ok_or(Illegal::NoStore(*i))?.overwrite = true;
            settle(n, &Stuck::Foreign(*i));
        }
        Does::Disown(id) => {
            n.disowned.push(id.clone());
            settle(n, &Stuck::Surplus(id.clone()));
        }
        Does::Abort => {
            if !n.can_go_back() {
                return Err(Illegal::NoWayBack);
            }
            n.abort = true;
            n.halt = None;
            look_anew(n);
        }
        Does::Emergency { capped } => {
            if n.is_emergency() {
                return Err(Illegal::NotAsked);
            }
            n.kind = Kind::Emergency;
            n.abort = false;
            n.not_before = None;
            n.export_since = None;
            if matches!(n.halt, Some(Halt::Paused(_) | Halt::Blocked(_))) {
                n.halt = None;
            }
            if *capped {
                n.halt = Some(Halt::Paused(Pause::DailyCap));
            }
        }
    }
    Ok(())
}

/// Lifts the halt if it is this one.
fn settle(n: &mut Rotation, stuck: &Stuck) {
    if matches!(&n.halt, Some(Halt::Stuck(why)) if why == stuck) {
        n.halt = None;
        look_anew(n);
    }
}

fn look_anew(n: &mut Rotation) {
    (n.tries, n.duds, n.not_before) = (0, 0, None);
}

fn retry(n: &mut Rotation, now: Moment) -> Result<(), Illegal> {
    let why = match n.halt.take() {
        Some(Halt::Stuck(why)) => Some(why),
        Some(Halt::Blocked(_)) => None,
        halt => {
            n.halt = halt;
            return Err(Illegal::NotAsked);
        }
    };
    look_anew(n);
    match why {
        Some(Stuck::Foreign(i) | Stuck::Unconfirmed(i) | Stuck::StoreRefused(i)) => {
            // What is there is read again, and what should be there is written again.
            let preflight = n.phase == Phase::Preflight;
            if let Some(place) = n.places.get_mut(i) {
                place.forget();
                place.past.clear();
                place.holds = if preflight { Holds::Old } else { Holds::Unsure };
            }
            if n.phase == Phase::UsageExported {
                super::apply::enter(n, Phase::Distributing, now);
                n.proof = None;
            }
        }
        Some(Stuck::StillAlive) if !n.powers().class.in_place() => {
            let deleted = n.old.standing == Standing::Deleted;
            (n.old.standing, n.old.life, n.check_old) = (Standing::Enabled, Life::Unknown, false);
            if n.phase == Phase::Disabled && !deleted {
                super::apply::enter(n, Phase::Disabling, now);
            }
        }
        Some(Stuck::Quota | Stuck::SlotInUse) => n.snapshot = None,
        _ => {}
    }
    Ok(())
}
