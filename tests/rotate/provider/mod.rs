//! The engine with the calls that rules declare, against HTTP doubles of the providers.

mod book;
mod clock;
mod clouds;
mod listed;
mod net;
mod platforms;
mod rig;
mod services;

use self::net::Fault;
use self::rig::{CASES, Case, Twist};
use keywheel::model::Secret;
use keywheel::rotate::Provider;
use keywheel::rotate::engine::{Answer, Call, Used, Wish};
use keywheel::rotate::machine::{Halt, KeyId, Life, Phase, Refusal, State, Stuck};
use keywheel::rotate::provider::powers;
use keywheel::rule::RuleSet;
use std::time::{Duration, Instant};

fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| case.possible())
}

#[test]
fn on_a_quiet_day_every_provider_is_done_unasked() {
    for case in cases() {
        let end = case.rotate(&Twist::default());
        assert_eq!((end.phase, end.asked.len()), (Some(Phase::Done), 0), "{}: {end:?}", case.name);
        println!("{}: {} calls", case.name, end.calls);
    }
}

#[test]
fn the_new_key_gets_the_limits_of_the_old_one() {
    let asked = |name| Case::named(name).rotate(&Twist::default()).keys.pop().unwrap().asked;
    let key = asked("openrouter");
    assert_eq!((&key["limit"], &key["limit_reset"]), (&100.into(), &"monthly".into()));
    // What the old key does not have is left out, not sent as null.
    assert!(key.get("include_byok_in_limit").is_none(), "{key}");
    let key = asked("litellm");
    assert_eq!((&key["models"], &key["max_budget"]), (&serde_json::json!(["m1"]), &10.0.into()));
}

#[test]
fn each_fault_at_each_call_ends_well() {
    let full = std::env::var("KEYWHEEL_BATTERY").is_ok_and(|v| v == "full");
    let (mut runs, mut asked) = (0, 0);
    for (at, case) in cases().enumerate() {
        let calls = case.rotate(&Twist::default()).calls;
        for (f, fault) in Fault::ALL.into_iter().enumerate() {
            // The sample takes a different part for each provider and fault.
            let skip = if full { 1 } else { 13 };
            for n in (1..=calls).filter(|n| (n + (at + f) as u64).is_multiple_of(skip)) {
                let twist = Twist { faults: [(n, fault)].into(), ..Twist::default() };
                let end = case.rotate(&twist);
                assert!(
                    matches!(end.phase, Some(Phase::Done | Phase::RolledBack)),
                    "{}: {twist:?} {end:?}",
                    case.name
                );
                runs += 1;
                asked += end.asked.len();
            }
        }
    }
    println!(
        "single faults at calls over HTTP: {runs} rotations, {asked} times a person was asked, all ended well"
    );
}

#[test]
fn a_provider_that_breaks_its_word_is_noticed_and_the_rotation_rolls_forward() {
    for case in cases() {
        let end = case.rotate(&Twist { lies: true, ..Twist::default() });
        assert_eq!(end.phase, Some(Phase::Done), "{}: {end:?}", case.name);
        assert!(end.kinds.contains(&"died-early".to_owned()), "{}: {:?}", case.name, end.kinds);
    }
}

#[test]
fn a_wrong_administrator_is_told_and_changes_nothing() {
    for case in cases() {
        let end = case.rotate(&Twist { stranger: true, ..Twist::default() });
        assert_eq!(end.phase, Some(Phase::Done), "{}: {end:?}", case.name);
        assert!(!end.asked.is_empty(), "{}: nobody was asked", case.name);
        assert!(
            end.said.first().is_some_and(|s| s.contains("status 40")),
            "{}: {:?} {:?}",
            case.name,
            end.said,
            end.asked
        );
    }
}

#[test]
fn a_full_account_is_told_and_goes_on_once_there_is_room() {
    for case in cases() {
        let end = case.rotate(&Twist { full: true, ..Twist::default() });
        assert_eq!(end.phase, Some(Phase::Done), "{}: {end:?}", case.name);
        assert!(!end.asked.is_empty(), "{}: nobody was asked", case.name);
    }
}

#[test]
fn an_emergency_is_done_without_overlap() {
    // The provider's own clock ends a value that changes in place, and a slot needs no soak.
    for case in cases().filter(|case| case.name != "xai") {
        let end = case.rotate(&Twist { emergency: true, ..Twist::default() });
        assert_eq!((end.phase, end.asked.len()), (Some(Phase::Done), 0), "{}: {end:?}", case.name);
    }
}

#[test]
fn an_idle_slot_that_nobody_vouched_for_is_not_regenerated() {
    let case = Case::named("azure");
    let end = case.rotate(&Twist { asked: Some(("idle", "not sure")), ..Twist::default() });
    assert_eq!(end.asked, [Halt::Stuck(Stuck::SlotInUse)]);
    assert_eq!(end.keys[0].former.len() + end.keys[1].former.len(), 0);
}

fn call() -> Call {
    Call { deadline: Instant::now() + Duration::from_secs(20) }
}

/// The Admin API of Anthropic makes no keys: everything else is done by calls, and the creation is a person's.
#[test]
fn a_provider_without_a_call_that_makes_keys_does_the_rest() {
    let anthropic = Case {
        name: "anthropic",
        rule: "anthropic-api-key",
        hosts: &["api.anthropic.com"],
        service: services::ANTHROPIC,
        admin: "admin",
        asked: &[],
        old: "old",
    };
    let head = RuleSet::embedded().declared(anthropic.rule).unwrap().rule.rotate.unwrap();
    assert!(powers(&head).is_none());
    anthropic.with(&Twist::default(), |provider, net, _| {
        let old = KeyId("old".to_owned());
        let wish = Wish { name: "n", token: "t", value: None, like: &old };
        assert!(matches!(provider.create(call(), &wish), Answer::Refused(Refusal::Denied, _)));
        assert_eq!(net.with(|s| s.calls), 0);
        let value = anthropic.value();
        assert_eq!(provider.verify(call(), &value), Life::Live);
        assert_eq!(provider.disable(call(), &old), Answer::Done(()));
        assert_eq!(
            (provider.verify(call(), &value), provider.state(call(), &old)),
            (Life::Dead, State::Disabled)
        );
        assert_eq!(provider.enable(call(), &old), Answer::Done(()));
        assert_eq!(
            (provider.verify(call(), &value), provider.state(call(), &old)),
            (Life::Live, State::Enabled)
        );
        let Answer::Done(Some(figures)) = provider.usage(call(), &old) else { panic!("no figures") };
        assert!(String::from_utf8(figures.body).unwrap().contains("starting_at"));
        assert!(matches!(provider.last_used(call(), &old), Answer::Done((Used::Unsaid, _))));
        // Archived for good; a second time is as good as the first.
        assert_eq!(provider.delete(call(), &old), Answer::Done(()));
        assert_eq!(provider.delete(call(), &old), Answer::Done(()));
        assert_eq!(provider.state(call(), &old), State::Gone);
        assert!(matches!(provider.enable(call(), &old), Answer::Refused(Refusal::Denied, _)));
        assert!(provider.said().unwrap().contains("404"));
    });
}

#[test]
fn an_answer_that_is_lost_is_unknown_and_a_pause_is_no_refusal() {
    let case = Case::named("openrouter");
    let old = KeyId("old".to_owned());
    let wish = Wish { name: "n", token: "t", value: None, like: &old };
    // The read of the old key's limits is the first call, the creation the second.
    for (fault, known) in [
        (Fault::Cut, None),
        (Fault::Lost, None),
        (Fault::Broken, None),
        (Fault::Between, None),
        (Fault::Conflict, None),
        (Fault::Denied, None),
        (Fault::Busy, Some(Refusal::Busy)),
    ] {
        let twist = Twist { faults: [(2, fault)].into(), ..Twist::default() };
        let (answer, keys) =
            case.with(&twist, |p, net, _| (p.create(call(), &wish), net.with(|s| s.book.keys.len())));
        match (&answer, known) {
            (Answer::Unknown(_), None) => {}
            (Answer::Refused(why, _), Some(known)) if *why == known => {}
            _ => panic!("{fault:?}: {answer:?}"),
        }
        assert_eq!(keys, if matches!(fault, Fault::Lost | Fault::Between) { 2 } else { 1 }, "{fault:?}");
    }
    let twist = Twist { faults: [(1, Fault::Cut)].into(), ..Twist::default() };
    let answer = case.with(&twist, |p, _, _| p.create(call(), &wish));
    assert!(
        matches!(answer, Answer::Refused(Refusal::Busy, _)),
        "a read that is cut changed nothing: {answer:?}"
    );
}

#[test]
fn a_value_in_another_form_is_tried_with_nobody() {
    Case::named("langfuse").with(&Twist::default(), |provider, net, _| {
        for bad in ["plain", r#"{"secret":"s"}"#, r#"{"secret":"s","public_key":"p","more":"m"}"#] {
            assert_eq!(provider.verify(call(), &Secret::new(bad.as_bytes())), Life::Unknown);
        }
        assert_eq!(net.with(|s| s.calls), 0);
        let proposed = [provider.propose().unwrap(), provider.propose().unwrap()];
        assert_ne!(proposed[0], proposed[1]);
        assert_eq!(provider.verify(call(), &proposed[0]), Life::Dead);
    });
}
