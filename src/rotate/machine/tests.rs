//! The machine against a small world that answers truthfully, with one thing at a time going wrong.

use super::*;
use crate::rotate::time::{Moment, Span};

mod world;

use world::{World, frozen, honest, id};

#[test]
fn the_ordinary_path_runs_through_every_phase_in_order() {
    let mut w = World::new(frozen(Class::C));
    assert_eq!(w.run(), Phase::Done);
    use Phase::*;
    assert_eq!(
        w.phases,
        [
            Planned,
            Leased,
            Preflight,
            Creating,
            Created,
            Verified,
            Distributing,
            Overlap,
            Drained,
            UsageExported,
            Disabling,
            Disabled,
            Deleting,
            Done
        ]
    );
    use Effect::*;
    assert_eq!(w.log, [Create(1), Write(0), Write(1), Promote(1), Disable(id("old")), Delete(id("old"))]);
    assert!(w.now >= Moment(0) + Span(1000 + 500), "overlap and soak were kept");
    assert_eq!(w.r.proof, Some(Proof::LastUsed));
}

#[test]
fn every_class_ends_done_with_one_key() {
    for class in Class::ALL {
        let mut w = World::new(frozen(class));
        assert_eq!(w.run(), Phase::Done, "{class:?}: {:?}", w.r.halt);
        let creates = w.log.iter().filter(|e| matches!(e, Effect::Create(_))).count();
        assert_eq!(creates, 1, "{class:?}");
        assert!(w.stores.iter().all(|s| s.0 == Holds::New), "{class:?}");
    }
}

#[test]
fn revoke_first_exports_and_disables_before_it_creates() {
    let mut policy = frozen(Class::A);
    policy.path = Path::RevokeFirst;
    let mut w = World::new(policy);
    assert_eq!(w.run(), Phase::Done);
    assert_eq!(w.log[..2], [Effect::Disable(id("old")), Effect::Create(1)]);
    assert!(matches!(w.r.exported, Some(Exported::Kept { .. })));
    // There is no way back on this path.
    let mut policy = frozen(Class::A);
    policy.path = Path::RevokeFirst;
    let mut w = World::new(policy);
    w.run_to(Phase::Creating);
    let abort = Event::Person(Person { by: "ana".into(), does: Does::Abort });
    assert_eq!(apply(&w.r, &abort, w.now), Err(Illegal::NoWayBack));
}

#[test]
fn an_upgrade_to_an_emergency_ends_with_the_old_key_dead_from_every_phase() {
    for path in [Path::CreateFirst, Path::RevokeFirst] {
        let mut policy = frozen(Class::C);
        policy.emergency.path = path;
        let mut whole = World::new(policy.clone());
        whole.run();
        for &phase in &whole.phases {
            if phase.is_terminal() {
                continue;
            }
            let mut w = World::new(policy.clone());
            w.run_to(phase);
            w.person(Does::Emergency { capped: false });
            let from = w.now;
            assert_eq!(w.run(), Phase::Done, "{path:?} {phase}: {:?}", w.r);
            assert!(!w.works(&id("old")) && w.stores.iter().all(|s| s.0 == Holds::New), "{path:?} {phase}");
            assert!(w.r.exported.is_some());
            assert!(w.now.since(from) < Span(200), "{path:?} {phase}: {}", w.now.since(from));
        }
        // From the way back it turns round, also when the new key is gone already.
        for steps in 0..12 {
            let mut w = World::new(policy.clone());
            w.run_to(Phase::Overlap);
            w.person(Does::Abort);
            assert_eq!(w.r.phase, Phase::RollingBack);
            for _ in 0..steps {
                w.step();
            }
            if w.r.phase.is_terminal() {
                continue;
            }
            w.person(Does::Emergency { capped: false });
            assert_eq!(w.run(), Phase::Done, "{path:?} after {steps}: {:?}", w.r);
            assert!(!w.works(&id("old")));
        }
    }
}

#[test]
fn an_old_key_that_dies_early_sends_the_rotation_forward_at_once() {
    let mut w = World::new(frozen(Class::C));
    w.run_to(Phase::Overlap);
    w.set(&id("old"), false);
    let from = w.now;
    assert_eq!(w.run(), Phase::Done);
    assert!(w.r.died_early);
    // Noticed at the next probe; the soak remains.
    assert!(w.now.since(from) <= Span(200 + 500 + 100), "{}", w.now.since(from));
    // Dead while going back: forward again.
    let mut w = World::new(frozen(Class::C));
    w.run_to(Phase::Overlap);
    w.person(Does::Abort);
    w.set(&id("old"), false);
    assert_eq!(w.run(), Phase::Done);
    assert!(w.stores.iter().all(|s| s.0 == Holds::New));
}

#[test]
fn a_person_can_go_back_until_the_old_key_is_deleted() {
    for phase in [Phase::Planned, Phase::Preflight, Phase::Creating] {
        let mut w = World::new(frozen(Class::C));
        w.run_to(phase);
        w.person(Does::Abort);
        assert_eq!(w.run(), Phase::Aborted, "{phase}");
        assert!(w.log.is_empty());
    }
    for phase in [Phase::Created, Phase::Distributing, Phase::Overlap, Phase::Drained, Phase::Disabled] {
        let mut w = World::new(frozen(Class::C));
        w.run_to(phase);
        w.person(Does::Abort);
        assert_eq!(w.run(), Phase::RolledBack, "{phase}: {:?}", w.r);
        assert_eq!(w.keys, [(id("old"), true)], "{phase}");
        assert!(w.stores.iter().all(|s| s.0 == Holds::Old), "{phase}");
    }
}

#[test]
fn a_new_key_that_dies_in_use_gives_way_to_the_old_one() {
    let mut w = World::new(frozen(Class::C));
    w.run_to(Phase::Disabling);
    w.set(&id("new1"), false);
    assert_eq!(w.run(), Phase::RolledBack, "{:?}", w.r);
    assert!(w.works(&id("old")));
    // In an emergency there is no way back: another key is made.
    let mut w = World::new(frozen(Class::C));
    w.person(Does::Emergency { capped: false });
    w.run_to(Phase::Distributing);
    w.set(&id("new1"), false);
    w.twist = |w, a| {
        let dead = w.r.new.as_ref().is_some_and(|n| n.id == id("new1"));
        matches!(a, Action::Read(Read::Verify(Which::New)) if dead)
            .then_some(Event::Life { which: Which::New, life: Life::Dead })
    };
    // The first store holds the dead one.
    assert_eq!(w.run(), Phase::Done, "{:?}", w.r);
    assert_eq!(w.r.new.as_ref().unwrap().id, id("new2"));
}

#[test]
fn an_old_key_in_use_blocks_until_a_person_forces_it() {
    let mut w = World::new(frozen(Class::C));
    w.twist = |w, a| {
        let seen = Use::Seen { proof: Proof::LastUsed, last: Some(w.now), watermark: w.now };
        (*a == Action::Read(Read::Drain)).then_some(Event::Drain(seen))
    };
    w.run();
    assert!(matches!(w.r.halt, Some(Halt::Blocked(InUse::LastUsed(_)))), "{:?}", w.r.halt);
    assert!(w.works(&id("old")));
    w.person(Does::Force("moved by hand".into()));
    assert_eq!(w.run(), Phase::Done);
    assert_eq!(w.r.forced.as_deref(), Some("ana: moved by hand"));
}

#[test]
fn a_source_that_sees_the_present_only_proves_by_looks_through_the_quiet_time() {
    let look = |busy| Use::Now { proof: Proof::Usage, busy };
    let mut w = World::new(Frozen { proofs: vec![Proof::Usage], ..frozen(Class::C) });
    w.run_to(Phase::Overlap);
    let (from, quiet) = (w.r.distributed.unwrap() + w.r.frozen.overlap, w.r.frozen.quiet);
    let at = |r: &Rotation, busy, now| apply(r, &Event::Drain(look(busy)), now).unwrap();
    w.r.not_before = None;
    let one = at(&w.r, false, from);
    assert_eq!((one.proof, one.idle_since), (None, Some(from)), "the first look tells nothing of before");
    let nearly = at(&one, false, from + Span(quiet.0 - 1));
    assert_eq!(nearly.proof, None);
    assert_eq!(at(&nearly, false, from + quiet).proof, Some(Proof::Usage));
    // Whoever is seen in between makes the time begin anew.
    let seen = at(&nearly, true, from + quiet);
    assert_eq!((seen.proof, seen.idle_since), (None, None));
    let again = at(&seen, false, from + quiet + Span(1));
    assert_eq!(at(&again, false, from + quiet + quiet).proof, None);
    let late = from + w.r.frozen.max_overlap;
    assert_eq!(at(&seen, true, late).halt, Some(Halt::Blocked(InUse::LastUsed(late))));
    let idle = at(&seen, false, late);
    assert_eq!((&idle.halt, idle.proof), (&None, None), "idle at last, nobody is asked");
    assert_eq!(at(&idle, false, late + quiet).proof, Some(Proof::Usage));
}

#[test]
fn nothing_goes_before_the_export_or_a_recorded_reason() {
    let none =
        |_: &mut World, a: &Action| (*a == Action::Read(Read::Usage)).then_some(Event::Usage(Usage::None));
    let mut w = World::new(frozen(Class::C));
    w.twist = none;
    w.run();
    assert_eq!(w.r.halt, Some(Halt::Stuck(Stuck::Export)));
    assert!(w.works(&id("old")));
    w.person(Does::BreakGlass("audit agreed".into()));
    assert_eq!(w.run(), Phase::Done);
    assert!(matches!(&w.r.exported, Some(Exported::Waived(why)) if why.contains("audit agreed")));

    // An emergency waits for the export no longer than its deadline.
    let mut w = World::new(frozen(Class::C));
    w.twist = |_, a| (*a == Action::Read(Read::Usage)).then_some(Event::Usage(Usage::Unknown));
    w.person(Does::Emergency { capped: false });
    assert_eq!(w.run(), Phase::Done);
    assert!(matches!(w.r.exported, Some(Exported::Waived(_))));
    assert!(w.now >= Moment(300));
}

/// Drops the first outcome of a creation, with or without its effect.
fn lost(w: &mut World, action: &Action, done: bool) -> Option<Event> {
    let Action::Effect(effect @ Effect::Create(1)) = action else { return None };
    w.tell(&Event::Intended(effect.clone()));
    if done {
        w.carry(effect);
    }
    Some(Event::Outcome(Outcome::Unknown))
}

#[test]
fn a_lost_creation_is_cleared_up_by_the_rule_of_its_class() {
    // Not done: found out twice, after the propagation, then made again.
    for class in [Class::A, Class::C, Class::D, Class::E, Class::F, Class::G] {
        let mut w = World::new(frozen(class));
        w.twist = |w, a| {
            if w.r.attempt == 1 && w.made == 0 && w.log.is_empty() && w.r.first_create.is_none() {
                lost(w, a, false)
            } else {
                None
            }
        };
        assert_eq!(w.run(), Phase::Done, "{class:?}: {:?}", w.r);
        let attempt = if class.same_attempt() { 1 } else { 2 };
        assert_eq!((w.r.attempt, w.made), (attempt, 1), "{class:?}");
    }
    // Done, and its value lost: removed before another is made.
    for class in [Class::C, Class::D] {
        let mut w = World::new(frozen(class));
        w.twist = |w, a| match a {
            Action::Effect(Effect::Create(1)) => lost(w, a, true),
            Action::Reconcile(_) => Some(Event::Found(Found::Lost(vec![id("new1")]))),
            _ => None,
        };
        // The reconciliation of other effects is never needed here.
        assert_eq!(w.run(), Phase::Done, "{class:?}: {:?}", w.r);
        assert_eq!(
            w.log[..4],
            [Effect::Create(1), Effect::Disable(id("new1")), Effect::Delete(id("new1")), Effect::Create(2)],
            "{class:?}"
        );
        assert_eq!(w.keys, [(id("new2"), true)]);
    }
    // Done, and found whole: adopted.
    let mut w = World::new(frozen(Class::E));
    w.twist = |w, a| match a {
        Action::Effect(Effect::Create(1)) => lost(w, a, true),
        Action::Reconcile(_) => Some(Event::Found(Found::Whole(id("new1")))),
        _ => None,
    };
    assert_eq!(w.run(), Phase::Done);
    assert_eq!(w.made, 1);
    // A doubtful one is for a person.
    let mut w = World::new(frozen(Class::D));
    w.twist = |w, a| match a {
        Action::Effect(Effect::Create(1)) => lost(w, a, false),
        Action::Reconcile(_) if w.r.disowned.is_empty() => Some(Event::Found(Found::Doubtful(id("stray")))),
        _ => None,
    };
    w.run();
    assert_eq!(w.r.halt, Some(Halt::Stuck(Stuck::Surplus(id("stray")))));
    w.person(Does::Disown(id("stray")));
    assert_eq!(w.run(), Phase::Done);
}

#[test]
fn answers_that_prove_nothing_wait_and_then_ask() {
    let mut w = World::new(frozen(Class::C));
    w.twist = |_, a| match a {
        Action::Read(Read::Verify(which)) => Some(Event::Life { which: *which, life: Life::Unknown }),
        _ => None,
    };
    w.run();
    assert_eq!(w.r.halt, Some(Halt::Stuck(Stuck::Unverifiable(Which::Old))));
    assert_eq!(w.now, Moment(3 * 50), "tried as often as patience allows");
    w.twist = honest;
    w.person(Does::Retry);
    assert_eq!(w.run(), Phase::Done);
}

#[test]
fn a_foreign_value_in_a_store_is_never_overwritten_unasked() {
    let mut w = World::new(frozen(Class::C));
    w.twist = |w, a| match a {
        Action::Read(Read::Store(0)) if !w.r.places[0].overwrite && w.r.phase == Phase::Preflight => {
            Some(Event::Store { store: 0, sees: Sees::Foreign, version: Some("7".into()) })
        }
        _ => None,
    };
    w.run();
    assert_eq!(w.r.halt, Some(Halt::Stuck(Stuck::Foreign(0))));
    assert!(w.log.is_empty());
    w.person(Does::Overwrite(0));
    assert_eq!(w.run(), Phase::Done);
}

#[test]
fn approvals_are_bound_to_the_plan_and_pauses_hold() {
    let mut policy = frozen(Class::C);
    policy.approvals = 2;
    let mut w = World::new(policy);
    w.run();
    assert_eq!(next(&w.r, w.now), Action::Ask(Ask::Approve(2)));
    let other = Event::Person(Person { by: "ana".into(), does: Does::Approve("x".into()) });
    assert_eq!(apply(&w.r, &other, w.now), Err(Illegal::OtherPlan));
    let plan = w.r.plan_hash();
    w.person(Does::Approve(plan.clone()));
    w.person(Does::Approve(plan.clone()));
    assert_eq!(next(&w.r, w.now), Action::Ask(Ask::Approve(1)), "one person is one approval");
    w.tell(&Event::Person(Person { by: "bo".into(), does: Does::Approve(plan) }));
    w.run_to(Phase::Overlap);
    w.person(Does::Pause("incident".into()));
    assert!(!w.step());
    w.person(Does::Resume);
    assert_eq!(w.run(), Phase::Done);
    let late = Event::Person(Person { by: "ana".into(), does: Does::Emergency { capped: false } });
    assert_eq!(apply(&w.r, &late, w.now), Err(Illegal::Ended(Phase::Done)));
}

#[test]
fn answers_to_other_questions_are_refused() {
    let mut w = World::new(frozen(Class::C));
    w.run_to(Phase::Distributing);
    for event in [
        Event::Advanced,
        Event::Leased,
        Event::Swept(Swept::Ours(Vec::new())),
        Event::Standing(State::Gone),
        Event::Intended(Effect::Delete(id("new1"))),
        Event::Intended(Effect::Delete(id("old"))),
        Event::Store { store: 1, sees: Sees::New, version: None },
    ] {
        assert_eq!(apply(&w.r, &event, w.now), Err(Illegal::Overtaken), "{event:?}");
    }
    let stray = Event::Outcome(Outcome::Changed);
    assert_eq!(apply(&w.r, &stray, w.now), Err(Illegal::NoIntent));
}
