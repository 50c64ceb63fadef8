//! Times and numbers that contradict each other, whatever the provider.

use super::{Code, One, Run};
use crate::rotate::policy::{Order, Period, Proof};
use crate::rotate::schedule::{History, Now, turn};
use jiff::SignedDuration;

/// Longest freeze.
const FREEZE: SignedDuration = SignedDuration::from_hours(366 * 24);

pub(super) fn key(run: &mut Run<'_>, one: &One<'_>) {
    let r = one.resolved;
    if r.cadence.value.as_secs() == 0 {
        run.tell_setting(Code::CadenceZero, one, "cadence", "it would be rotated without end".to_owned());
    } else {
        let taken = r.overlap.value.plus(r.soak.value);
        if taken >= r.cadence.value {
            let message =
                format!("overlap and soak take {taken}, and the next turn comes after {}", r.cadence.value);
            run.tell_setting(Code::OverlapCadence, one, "overlap", message);
        }
    }
    let least = r.overlap.value.max(r.grace.value).max(r.quiet.value);
    if least > r.max_overlap.value {
        let message = format!("the old key must live {least}, and may live {}", r.max_overlap.value);
        run.tell_setting(Code::OverlapMost, one, "max-overlap", message);
    }
    for (order, overlap, setting, name) in [
        (r.order.value, r.overlap.value, "overlap", "a scheduled rotation"),
        (r.emergency_order.value, r.emergency_overlap.value, "emergency-overlap", "an emergency"),
    ] {
        if order == Order::RevokeFirst && overlap.as_secs() > 0 {
            let message = format!("{name} switches the old key off first, and `{setting}` is {overlap}");
            run.tell_setting(Code::RevokeOverlap, one, setting, message);
        }
    }
    approvals(run, one);
    calendar(run, one);
    if r.proof.value == [Proof::Timer] {
        run.tell_setting(Code::ProofTimer, one, "proof", "only time is asked for".to_owned());
    }
}

fn approvals(run: &mut Run<'_>, one: &One<'_>) {
    let r = one.resolved;
    let mut people = r.approvers.value.clone();
    people.sort();
    people.dedup();
    for (setting, asked) in
        [("approvals", r.approvals.value), ("emergency-approvals", r.emergency_approvals.value)]
    {
        if usize::from(asked) > people.len() {
            let message = format!("{asked} must agree, and there are {} who may", people.len());
            run.tell_setting(Code::Approvers, one, setting, message);
        }
    }
    if r.emergency_auto.value && r.emergency_approvals.value > 0 {
        let message = format!("it is to begin by itself and to wait for {}", r.emergency_approvals.value);
        run.tell_setting(Code::AutoUnapproved, one, "emergency-auto", message);
    }
}

fn calendar(run: &mut Run<'_>, one: &One<'_>) {
    let (r, now) = (one.resolved, run.facts.now);
    let mut sound = true;
    for window in r.window.value.iter().filter(|w| w.after(now).is_none()) {
        sound = false;
        run.tell_setting(Code::WindowNever, one, "window", format!("the window {window} never opens"));
    }
    for freeze in &r.freeze {
        let (from, until) = freeze.value.span();
        if until <= from || until.duration_since(from) > FREEZE {
            sound = false;
            let message = format!("the freeze {} ({}) does not end within a year", freeze.value, freeze.from);
            run.tell_level(Code::FreezeForever, one, "freeze", &freeze.from, message);
        }
    }
    let shortest = r.window.value.iter().map(|w| w.seconds()).filter(|s| *s > 0).min();
    if let Some(shortest) = shortest.filter(|s| r.jitter.value.as_secs() > *s) {
        let window = Period::seconds(shortest);
        let message = format!("the jitter is {}, and a window is open for {window}", r.jitter.value);
        run.tell_setting(Code::JitterWindow, one, "jitter", message);
    }
    let next = turn(&one.key.id, r, History { since: one.key.since(), paused: None }, now);
    if sound && next.now == Now::Never {
        run.tell_setting(Code::NeverTurn, one, "window", "the freezes cover every window".to_owned());
    }
}
