//! Answers about keys: whether they work, are used, are listed or left over.

use super::apply::{again, proved};
use super::event::{Ground, Keys, Swept, Usage, Use};
use super::frozen::{Export, Proof};
use super::halt::{Halt, InUse, Stuck, Verb};
use super::rotation::{Exported, Key, Life, Phase, Rotation, Standing, Which};
use crate::rotate::time::Moment;

pub(super) fn ground(n: &mut Rotation, ground: &Ground) {
    match ground {
        Ground::Firm => n.ground = true,
        Ground::SealingKey(id) => n.halt = Some(Halt::Stuck(Stuck::SealingKey(id.clone()))),
        Ground::Shared(other) => n.halt = Some(Halt::Stuck(Stuck::Shared(other.clone()))),
    }
}

pub(super) fn listed(n: &mut Rotation, keys: &Keys, now: Moment) {
    let Keys::Listed { snapshot, slot_in_use } = keys else {
        return again(n, Stuck::Silent(Verb::List), now);
    };
    proved(n);
    let room = n.powers().quota.is_none_or(|quota| snapshot.ids.len() < quota as usize);
    if n.powers().class.separate() && !room {
        n.halt = Some(Halt::Stuck(Stuck::Quota));
    } else if *slot_in_use {
        n.halt = Some(Halt::Stuck(Stuck::SlotInUse));
    } else {
        n.baseline.get_or_insert_with(|| snapshot.ids.clone());
        n.snapshot = Some(snapshot.clone());
    }
}

pub(super) fn old_life(n: &mut Rotation, life: Life, now: Moment) {
    n.probed = now;
    let settled = n.old.changed + n.powers().propagation;
    match (life, n.old.standing) {
        (Life::Unknown, _) => {
            again(n, Stuck::Unverifiable(Which::Old), now);
            // A leaked key must go whether or not it can be proved alive; its death must be proved.
            if n.halt.is_some() && n.hurries() && n.old.standing == Standing::Enabled {
                (n.halt, n.check_old) = (None, false);
                proved(n);
            }
        }
        (Life::Live, Standing::Enabled) => {
            let ends = n.new.as_ref().map(|new| new.changed + n.powers().native_overlap);
            let overdue =
                n.powers().class.in_place() && n.phase == Phase::Overlap && ends.is_some_and(|at| now >= at);
            n.old.life = Life::Live;
            n.check_old = false;
            if overdue { again(n, Stuck::StillAlive, now) } else { proved(n) }
        }
        (Life::Live, _) if now < settled => n.not_before = Some(settled),
        (Life::Live, _) => again(n, Stuck::StillAlive, now),
        // Switched on again a moment ago.
        (Life::Dead, Standing::Enabled) if n.phase == Phase::RollingBack && now < settled => {
            n.not_before = Some(settled);
        }
        (Life::Dead, standing) => {
            proved(n);
            n.old.life = Life::Dead;
            n.check_old = false;
            if standing == Standing::Enabled {
                let ends = n.new.as_ref().map(|new| new.changed + n.powers().native_overlap);
                if n.powers().class.in_place() && ends.is_some_and(|at| now >= at) {
                    (n.old.standing, n.old.changed) = (Standing::Deleted, now);
                } else {
                    n.died_early = true;
                }
            }
        }
    }
}

pub(super) fn new_life(n: &mut Rotation, life: Life, now: Moment) {
    let propagation = n.powers().propagation;
    let Some(new) = &mut n.new else { return };
    match life {
        Life::Live => {
            new.life = Life::Live;
            n.check_new = false;
            proved(n);
            if n.phase == Phase::Created {
                super::apply::enter(n, Phase::Verified, now);
            }
        }
        // A key that was just made may not be known everywhere yet.
        Life::Dead if now < new.changed + propagation => n.not_before = Some(new.changed + propagation),
        Life::Dead => {
            new.life = Life::Dead;
            n.check_new = false;
            proved(n);
        }
        Life::Unknown => again(n, Stuck::Unverifiable(Which::New), now),
    }
}

pub(super) fn drained(n: &mut Rotation, drain: &Use, now: Moment) {
    let from = n.distributed.unwrap_or(n.since);
    let quiet = n.frozen.quiet;
    let (proof, in_use) = match drain {
        Use::Seen { proof, last, watermark } => {
            let silent = last.is_none_or(|last| last + quiet <= *watermark) && *watermark >= from + quiet;
            (silent.then_some(*proof), last.map_or(InUse::Unproved, InUse::LastUsed))
        }
        Use::Quiet(proof) => (Some(*proof), InUse::Unproved),
        Use::Now { busy: true, .. } => {
            n.idle_since = None;
            (None, InUse::LastUsed(now))
        }
        // One look tells nothing of the time before it: two, and all between them, must find it idle.
        Use::Now { proof, busy: false } => {
            let since = *n.idle_since.get_or_insert(now);
            ((since < now && since + quiet <= now).then_some(*proof), InUse::Unproved)
        }
        Use::Unproved => (Some(Proof::Timer).filter(|_| now >= from + n.frozen.quiet), InUse::Unproved),
    };
    if let Some(proof) = proof.filter(|p| n.frozen.proofs.contains(p)) {
        n.proof = Some(proof);
        return proved(n);
    }
    let limit = from + n.frozen.max_overlap;
    // Found idle at last, it gets the time to prove it: nobody is asked meanwhile.
    if matches!(drain, Use::Now { proof, busy: false } if n.frozen.proofs.contains(proof)) {
        n.not_before = Some(now + n.poll());
    } else if now >= limit {
        n.halt = Some(Halt::Blocked(in_use));
    } else {
        n.not_before = Some((now + n.poll()).min(limit));
    }
}

pub(super) fn exported(n: &mut Rotation, usage: &Usage, now: Moment) {
    let since = *n.export_since.get_or_insert(now);
    let late = n.is_emergency() && now >= since + n.frozen.emergency.export_deadline;
    match usage {
        Usage::Kept { digest, through } => {
            n.exported = Some(Exported::Kept { digest: digest.clone(), through: *through });
            proved(n);
        }
        Usage::None if n.frozen.export == Export::Offered || n.is_emergency() => {
            n.exported = Some(Exported::Waived("the provider has no figures of use by key".to_owned()));
            proved(n);
        }
        Usage::None => n.halt = Some(Halt::Stuck(Stuck::Export)),
        Usage::Unknown if late => {
            n.exported = Some(Exported::Waived("the emergency's deadline for the export passed".to_owned()));
            proved(n);
        }
        Usage::Unknown if n.is_emergency() => {
            n.not_before = Some((now + n.poll()).min(since + n.frozen.emergency.export_deadline));
        }
        Usage::Unknown => again(n, Stuck::Export, now),
    }
}

pub(super) fn swept(n: &mut Rotation, swept: &Swept, now: Moment) {
    match swept {
        Swept::Unknown => again(n, Stuck::Silent(Verb::List), now),
        Swept::Doubtful(id) => n.halt = Some(Halt::Stuck(Stuck::Surplus(id.clone()))),
        Swept::Ours(ids) => {
            proved(n);
            let ids: Vec<_> = ids
                .iter()
                .filter(|id| **id != n.old.id && n.new.as_ref().is_none_or(|new| new.id != **id))
                .filter(|id| !n.disowned.contains(id))
                .cloned()
                .collect();
            n.swept = ids.is_empty();
            n.discards.extend(ids.into_iter().map(|id| Key::new(id, now)));
        }
    }
}
