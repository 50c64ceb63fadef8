//! Several workers at one database: every rotation happens once.

use super::crash::Order;
use super::rig::{Folder, Outside, Rig, Spec};
use keywheel::rotate::RotationId;
use keywheel::rotate::double::Manner;
use keywheel::rotate::engine::{Clock, Progress};
use keywheel::rotate::journal::Point;
use keywheel::rotate::machine::{Class, Phase};
use keywheel::rotate::time::Span;
use rustix::process::{Pid, Signal, kill_process};
use std::process::Child;
use std::time::Duration;

fn order(folder: &Folder, spec: &Spec, worker: &str) -> Order {
    Order { dir: folder.0.clone(), spec: spec.clone(), worker: worker.into(), rival_lives: true, at: None }
}

fn check(folder: &Folder, spec: &Spec) {
    let rig = Rig::open(&folder.0, spec, None);
    let record = rig.journal.load(RotationId(1)).unwrap();
    assert_eq!(record.rotation.phase, Phase::Done);
    assert_eq!(record.rotation.attempt, 1, "made once");
    rig.check_end(Phase::Done);
}

#[test]
fn two_workers_rotate_once() {
    for class in Class::ALL {
        let spec = Spec::new(class, Manner::Staged);
        let folder = Folder::new("two");
        // Planned before they start: they race for its steps.
        Rig::open(&folder.0, &spec, None).rotation();
        let mut workers: Vec<Child> =
            ["w1", "w2", "w3"].iter().map(|name| order(&folder, &spec, name).spawn()).collect();
        for worker in &mut workers {
            assert!(worker.wait().unwrap().success(), "{class:?}");
        }
        check(&folder, &spec);
    }
}

#[test]
fn a_worker_that_ends_leaves_the_next_one_nothing_to_wait_for() {
    let spec = Spec::new(Class::C, Manner::Checked);
    let folder = Folder::new("handed");
    let rig = Rig::open(&folder.0, &spec, None);
    let id = rig.rotation();
    let first = rig.engine("w1");
    assert_eq!(first.advance(id).unwrap(), Progress::Stepped);
    assert_eq!(rig.engine("w2").advance(id).unwrap(), Progress::Busy, "while the first has the lease");
    drop(first);
    assert_eq!(rig.engine("w2").advance(id).unwrap(), Progress::Stepped);
}

fn wait_until_stopped(pid: u32) {
    for _ in 0..5000 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        if stat.rsplit(')').next().unwrap().trim_start().starts_with('T') {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("the worker did not stop");
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_stopped_beyond_its_lease_sends_nothing_afterwards() {
    let full = std::env::var("KEYWHEEL_BATTERY").is_ok_and(|v| v == "full");
    let mut stops = 0;
    for class in Class::ALL {
        let spec = Spec::new(class, Manner::Checked);
        for n in (2..=30).filter(|n| full || n % 9 == 3) {
            let folder = Folder::new("stop");
            Rig::open(&folder.0, &spec, None).rotation();
            let mut first = order(&folder, &spec, "w1");
            first.at = Some((false, Point::After, n));
            let mut first = first.spawn();
            let pid = first.id();
            wait_until_stopped(pid);
            let outside = Outside::open(&folder.0, &spec);
            // Far beyond the lease. The rival finds the lock of the stopped one and calls nobody.
            outside.clock.move_to(outside.clock.now() + Span::seconds(600)).unwrap();
            let before = outside.provider.look().unwrap().calls();
            let mut second = order(&folder, &spec, "w2").spawn();
            std::thread::sleep(Duration::from_millis(150));
            assert_eq!(outside.provider.look().unwrap().calls(), before, "{class:?} at {n}");
            assert!(second.try_wait().unwrap().is_none());
            let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            kill_process(pid, Signal::CONT).unwrap();
            assert!(first.wait().unwrap().success() && second.wait().unwrap().success(), "{class:?} at {n}");
            let rig = Rig::open(&folder.0, &spec, None);
            rig.check_end(Phase::Done);
            stops += 1;
        }
    }
    println!("stopped beyond the lease: {stops} times, no call by a stale worker");
}
