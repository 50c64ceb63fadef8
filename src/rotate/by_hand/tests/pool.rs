//! Keys of a pool through crashes, and what is refused of them.

use crate::model::Secret;
use crate::rotate::by_hand::{ByHand, Judge};
use crate::rotate::double::{Cell as Kept, Faults, Manner, ManualClock, Shelf, StoreDouble};
use crate::rotate::engine::{Answer, Call, Clock};
use crate::rotate::journal::{Failpoint, JournalError, New, Point};
use crate::rotate::machine::{
    Ask, Does, Emergency, Export, Frozen, KeyId, Life, Path as Order, Person, Phase, Proof, Target,
};
use crate::rotate::plan::powers_by_hand;
use crate::rotate::seal::Keyring;
use crate::rotate::time::{Moment, Span};
use crate::rotate::{Engine, Journal, Progress, RotationId, Store};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

const LINEAGE: &str = "team/app/prod";

/// A key of no provider.
fn key(n: usize) -> Secret {
    Secret::new(format!("acme-{n}-{}", "5a".repeat(12)).as_bytes())
}

fn frozen() -> Frozen {
    Frozen {
        path: Order::CreateFirst,
        overlap: Span::ZERO,
        max_overlap: Span::hours(1),
        quiet: Span::ZERO,
        soak: Span::ZERO,
        proofs: vec![Proof::Timer],
        export: Export::Offered,
        approvals: 0,
        acks: 0,
        staging: None,
        stores: vec![Target { name: "s".to_owned(), staged: false, readable: true }],
        poll: Span::seconds(1),
        probe: Span::hours(1),
        probes_count: false,
        patience: 3,
        emergency: Emergency {
            path: Order::CreateFirst,
            overlap: Span::ZERO,
            soak: Span::ZERO,
            export_deadline: Span::ZERO,
            approvals: 0,
            poll: Span::seconds(1),
            daily_cap: 3,
        },
        powers: powers_by_hand(Span::ZERO),
    }
}

/// Whatever is not known to be dead works.
struct Dead(RefCell<BTreeSet<Vec<u8>>>);

impl Judge for Dead {
    fn life(&self, value: &Secret, _: Call) -> Life {
        if self.0.borrow().contains(value.expose()) { Life::Dead } else { Life::Live }
    }
}

/// Ends the process, as far as a test can, at one commit.
struct At(Point, u64, Cell<bool>);

impl Failpoint for At {
    fn reached(&self, point: Point, n: u64) {
        // Once: what the worker leaves behind is cleared up on the way out.
        if (point, n) == (self.0, self.1) && !self.2.replace(true) {
            // Past the hook that prints: it is meant.
            std::panic::resume_unwind(Box::new("the crash"));
        }
    }
}

struct Desk {
    dir: PathBuf,
    clock: ManualClock,
    judge: Dead,
}

impl Desk {
    fn new(name: &str) -> Desk {
        let base = Path::new("/dev/shm");
        let base = if base.is_dir() { base.to_owned() } else { std::env::temp_dir() };
        let dir = base.join(format!("keywheel-pool-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Desk { dir, clock: ManualClock::new(Moment(1_800_000_000_000)), judge: Dead(RefCell::default()) }
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.dir.join("j.db"), Keyring::new(&[7; 32]).unwrap()).unwrap()
    }

    fn store(&self) -> StoreDouble {
        let cell = Kept::file(&self.dir.join("store.json"), &Shelf::holding(&key(0))).unwrap();
        StoreDouble::new(cell, Manner::Checked, Faults::default())
    }

    fn plan(&self, journal: &Journal) -> RotationId {
        let (value, claims) = (key(0), ["s:x".to_owned()]);
        let new = New {
            lineage: LINEAGE,
            frozen: frozen(),
            old: KeyId("old".to_owned()),
            value: Some(&value),
            claims: &claims,
            leaked: None,
        };
        journal.plan(&new, self.clock.now()).unwrap()
    }

    fn fill(&self, journal: &Journal, keys: impl IntoIterator<Item = usize>) {
        for n in keys {
            journal.pool_add(LINEAGE, &key(n), None, "ann", self.clock.now()).unwrap();
        }
    }

    /// Drives until it ends, or somebody must bring a key. A person deletes the old key when asked.
    fn drive(&self, journal: &Journal, id: RotationId, worker: &str) -> Option<Phase> {
        let old = |_: &KeyId| Some(key(0));
        let on = |_: &KeyId, _: Call| Answer::Done(());
        let hand = ByHand::new(&self.judge, None, &old, &on);
        let stores: Vec<Box<dyn Store>> = vec![Box::new(self.store())];
        let engine = Engine::new(journal, &hand, &stores, &self.clock, worker);
        loop {
            match engine.advance(id) {
                Ok(Progress::Stepped) => {}
                Ok(Progress::Wait(at)) => self.clock.move_to(at).unwrap(),
                Ok(Progress::Busy) => self.clock.move_to(self.clock.now() + Span::seconds(61)).unwrap(),
                Ok(Progress::Finished(phase)) => return Some(phase),
                Ok(Progress::Ask(Ask::Resolve(_))) => {
                    self.judge.0.borrow_mut().insert(key(0).expose().to_vec());
                    let retry = Person { by: "ann".to_owned(), does: Does::Retry };
                    journal.say(id, &retry, self.clock.now()).unwrap();
                }
                Err(crate::rotate::EngineError::NoMaterial(_)) => return None,
                other => panic!("{other:?}"),
            }
        }
    }

    fn held(&self) -> Secret {
        self.store().current().unwrap().unwrap()
    }

    fn nothing_at_rest(&self) {
        for file in fs::read_dir(&self.dir).unwrap().map(|f| f.unwrap().path()) {
            if file.file_name().unwrap().to_string_lossy().starts_with("j.db") {
                let bytes = fs::read(file).unwrap();
                for n in 0..5 {
                    assert!(!bytes.windows(key(n).len()).any(|w| w == key(n).expose()), "key {n}");
                }
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn a_crash_around_any_commit_loses_no_key_and_draws_none_twice() {
    let mut crashes = 0;
    // The draw is among the first; of the rest a sample.
    for n in (1..=12).chain((13..).step_by(6)) {
        let mut ended = false;
        for point in [Point::Before, Point::After] {
            let desk = Desk::new(&format!("crash-{n}-{point:?}"));
            let journal = desk.journal();
            desk.fill(&journal, [1, 2]);
            let id = desk.plan(&journal);
            drop(journal);
            let journal = desk.journal().with_failpoint(Box::new(At(point, n, Cell::new(false))));
            let first = catch_unwind(AssertUnwindSafe(|| desk.drive(&journal, id, "w1")));
            drop(journal);
            ended |= first.is_ok();
            crashes += usize::from(first.is_err());
            let journal = desk.journal();
            assert_eq!(desk.drive(&journal, id, "w2"), Some(Phase::Done), "{point:?} {n}");
            assert_eq!(desk.held(), key(1), "the oldest, and it alone: {point:?} {n}");
            let left: Vec<_> = journal.pool().unwrap().into_iter().map(|key| key.id).collect();
            assert_eq!(left, [2], "{point:?} {n}");
            assert_eq!(journal.pool_next(LINEAGE).unwrap().unwrap().1, key(2));
            journal.verify_audit(None).unwrap();
            desk.nothing_at_rest();
        }
        if ended {
            break;
        }
    }
    assert!(crashes > 20, "{crashes}");
}

#[test]
fn what_died_in_the_pool_is_dropped_and_an_empty_one_asks() {
    let desk = Desk::new("dead");
    let journal = desk.journal();
    desk.fill(&journal, [1, 2]);
    desk.judge.0.borrow_mut().extend([key(1), key(2)].map(|k| k.expose().to_vec()));
    let id = desk.plan(&journal);
    assert_eq!(desk.drive(&journal, id, "w"), None, "a person is asked");
    assert_eq!((desk.held(), journal.pool().unwrap().len()), (key(0), 0));
    desk.fill(&journal, [3]);
    assert_eq!(desk.drive(&journal, id, "w"), Some(Phase::Done));
    assert_eq!(desk.held(), key(3));
    desk.nothing_at_rest();
}

#[test]
fn a_key_is_put_in_once_for_all_lineages() {
    let desk = Desk::new("once");
    let journal = desk.journal();
    let add = |lineage: &str, n| journal.pool_add(lineage, &key(n), None, "ann", desk.clock.now());
    let id = add("a", 1).unwrap();
    assert!(matches!(add("a", 1), Err(JournalError::Pooled)));
    assert!(matches!(add("b", 1), Err(JournalError::Pooled)));
    assert!(journal.pool_next("b").unwrap().is_none());
    journal.pool_drop(id, "ann", "spoilt", desk.clock.now()).unwrap();
    assert!(matches!(add("a", 1), Err(JournalError::Pooled)), "also what was dropped");
    assert!(matches!(journal.pool_drop(id, "ann", "x", desk.clock.now()), Err(JournalError::NotPooled(1))));
    // Under another master key marks differ, and what waits is still known.
    add("a", 2).unwrap();
    drop(journal);
    let ring = Keyring::new(&[8; 32]).unwrap().with_former(&[7; 32]).unwrap();
    let journal = Journal::open(&desk.dir.join("j.db"), ring).unwrap();
    let again = journal.pool_add("a", &key(2), None, "ann", desk.clock.now());
    assert!(matches!(again, Err(JournalError::Pooled)));
    let level = journal.pool_levels().unwrap().remove(0);
    assert_eq!((level.waiting, level.ever), (1, 2));
    assert!(crate::rotate::news::pool_low(&level, 1, desk.clock.now()).is_none());
    assert!(crate::rotate::news::pool_low(&level, 2, desk.clock.now()).is_some());
    desk.nothing_at_rest();
}
