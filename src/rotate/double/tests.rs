//! The doubles themselves: a double that cannot fail proves nothing.

use super::*;
use crate::model::Secret;
use crate::rotate::engine::{Answer, Call, Clock, Provider, Store, StoreError, Wish};
use crate::rotate::machine::{Class, KeyId, Life, Powers, Refusal};
use crate::rotate::time::{Moment, Span};
use std::sync::Arc;
use std::time::Instant;

fn call() -> Call {
    Call { deadline: Instant::now() }
}

fn habits(class: Class) -> Habits {
    Habits {
        powers: Powers {
            class,
            quota: Some(2),
            disable: true,
            enable: true,
            delete: true,
            list: true,
            usage: true,
            propagation: Span(100),
            native_overlap: Span(1000),
            chained: true,
        },
        list_lag: Span(50),
        work_lag: Span(20),
        kills_old_after: None,
        readable: false,
    }
}

fn provider(class: Class, faults: Faults) -> (ProviderDouble<ManualClock>, Arc<ManualClock>, Secret) {
    let clock = Arc::new(ManualClock::new(Moment(0)));
    let old = Secret::new(b"the old value");
    let keys = Keys::starting(class, &KeyId("old".into()), &old, Moment(0));
    (ProviderDouble::new(Cell::memory(keys), habits(class), faults, clock.clone()), clock, old)
}

fn wish<'a>(token: &'a str, like: &'a KeyId) -> Wish<'a> {
    Wish { name: token, token, value: None, like }
}

#[test]
fn a_new_key_shows_and_works_after_its_lags_and_room_is_little() {
    let (p, clock, old) = provider(Class::C, Faults::default());
    let like = KeyId("old".into());
    let Answer::Done(made) = p.create(call(), &wish("n1", &like)) else { panic!() };
    assert_eq!(p.verify(call(), &made.value), Life::Dead);
    assert!(matches!(p.list(call()), Answer::Done(list) if list.len() == 1));
    clock.move_to(Moment(50)).unwrap();
    assert_eq!(p.verify(call(), &made.value), Life::Live);
    assert!(matches!(p.list(call()), Answer::Done(list) if list.len() == 2));
    assert!(matches!(p.create(call(), &wish("n2", &like)), Answer::Refused(Refusal::Quota, _)));
    assert_eq!(p.verify(call(), &old), Life::Live);
    p.disable(call(), &like);
    assert_eq!(p.verify(call(), &old), Life::Dead);
}

#[test]
fn repetitions_differ_by_class() {
    let like = KeyId("old".into());
    for (class, keys) in [(Class::B, 2), (Class::E, 3)] {
        let (mut p, clock, _) = provider(class, Faults::default());
        p = ProviderDouble::new(
            Cell::memory(p.look().unwrap()),
            Habits { powers: Powers { quota: None, ..habits(class).powers }, ..habits(class) },
            Faults::default(),
            clock,
        );
        for _ in 0..2 {
            assert!(matches!(p.create(call(), &wish("t", &like)), Answer::Done(_)));
        }
        assert_eq!(p.look().unwrap().ids().len(), keys, "{class:?}");
    }
    // In place, the old value ends by the provider's clock.
    let (p, clock, old) = provider(Class::G, Faults::default());
    assert!(matches!(p.create(call(), &wish("t", &like)), Answer::Done(_)));
    assert!(p.works(&old).unwrap());
    clock.move_to(Moment(1000)).unwrap();
    assert!(!p.works(&old).unwrap());
}

#[test]
fn faults_take_effect_or_not_as_they_say() {
    let like = KeyId("old".into());
    for (fault, keys, unknown) in
        [(Fault::Cut, 1, true), (Fault::Lost, 2, true), (Fault::Twice, 2, false), (Fault::Busy, 1, false)]
    {
        let (p, ..) = provider(Class::C, Faults { at: [(1, fault)].into(), ..Faults::default() });
        let answer = p.create(call(), &wish("n", &like));
        assert_eq!(p.look().unwrap().ids().len(), keys, "{fault:?}");
        assert_eq!(matches!(answer, Answer::Unknown(_)), unknown, "{fault:?}");
    }
    let some = Faults { seed: 3, per_mille: 200, ..Faults::default() };
    let hits = (1..=1000).filter(|n| some.of(*n).is_some()).count();
    assert!((120..280).contains(&hits), "{hits}");
    assert!((1..=1000).all(|n| some.of(n) == some.clone().of(n)));
}

#[test]
fn a_liar_kills_the_old_key_inside_its_overlap() {
    let (p, clock, old) = provider(Class::C, Faults::default());
    let liar = Habits { kills_old_after: Some(Span(300)), ..habits(Class::C) };
    let p = ProviderDouble::new(Cell::memory(p.look().unwrap()), liar, Faults::default(), clock.clone());
    assert!(matches!(p.create(call(), &wish("n", &KeyId("old".into()))), Answer::Done(_)));
    assert!(p.works(&old).unwrap());
    clock.move_to(Moment(300)).unwrap();
    assert!(!p.works(&old).unwrap());
}

#[test]
fn a_store_takes_a_write_only_at_the_expected_version() {
    let (old, new) = (Secret::new(b"old"), Secret::new(b"new"));
    for manner in Manner::ALL {
        let store = StoreDouble::new(Cell::memory(Shelf::holding(&old)), manner, Faults::default());
        let version = store.read(call()).unwrap().version;
        assert_eq!(store.write(call(), &new, "9"), Err(StoreError::Conflict));
        let next = store.write(call(), &new, &version).unwrap();
        assert_eq!(store.write(call(), &new, &version), Err(StoreError::Conflict));
        let staged = manner == Manner::Staged;
        assert_eq!(store.current().unwrap(), Some(if staged { old.clone() } else { new.clone() }));
        if staged {
            assert!(store.promote(call(), &next).is_ok());
        }
        assert_eq!(store.current().unwrap(), Some(new.clone()));
        let content = store.read(call()).unwrap();
        assert_eq!(content.current.is_none(), manner == Manner::Blind);
        assert!(store.restore(call(), &old, &content.version).is_ok());
        assert_eq!(store.current().unwrap(), Some(old.clone()));
    }
}

#[test]
fn files_are_shared_and_whole() {
    let dir = std::env::temp_dir().join(format!("keywheel-cell-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("clock");
    let (one, two) =
        (ManualClock::file(&path, Moment(5)).unwrap(), ManualClock::file(&path, Moment(9)).unwrap());
    one.move_to(Moment(7)).unwrap();
    one.move_to(Moment(6)).unwrap();
    assert_eq!(two.now(), Moment(7));
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(two.now(), Moment(i64::MAX), "a clock that is gone lets no lease last");
}
