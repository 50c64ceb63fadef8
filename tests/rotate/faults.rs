//! Every fault at every call of a provider or store: the rotation ends, or says what a person must do.

use super::rig::{Folder, Rig, Spec};
use keywheel::rotate::double::{Fault, Manner};
use keywheel::rotate::machine::{Class, Phase};

const FAULTS: [Fault; 7] =
    [Fault::Cut, Fault::Lost, Fault::Twice, Fault::Busy, Fault::Denied, Fault::Full, Fault::Conflict];

/// Runs one rotation with help; gives the end and how many halts there were.
fn run(spec: &Spec, name: &str) -> (Phase, usize, Rig, Folder) {
    let folder = Folder::new(name);
    let rig = Rig::open(&folder.0, spec, None);
    let (phase, asked) = rig.drive_with_help(rig.rotation());
    rig.check_end(phase);
    (phase, asked.len(), rig, folder)
}

fn full() -> bool {
    std::env::var("KEYWHEEL_BATTERY").is_ok_and(|v| v == "full")
}

#[test]
fn without_faults_every_class_and_store_is_done_unasked() {
    for class in Class::ALL {
        for manner in Manner::ALL {
            let (phase, asked, ..) = run(&Spec::new(class, manner), &format!("clean-{class:?}-{manner:?}"));
            assert_eq!((phase, asked), (Phase::Done, 0), "{class:?} {manner:?}");
        }
    }
}

#[test]
fn each_fault_at_each_call_ends_well() {
    let (mut runs, mut halts) = (0, 0);
    for class in Class::ALL {
        for (m, manner) in Manner::ALL.into_iter().enumerate() {
            let spec = Spec::new(class, manner);
            let (.., rig, _folder) = run(&spec, &format!("count-{class:?}-{m}"));
            let calls = rig.provider.look().unwrap().calls();
            for fault in FAULTS {
                // The stores see at most twenty calls. The sample takes a different part for each.
                let skip = if full() { 1 } else { 5 };
                for n in (1..=calls + 20).filter(|n| (n + m as u64).is_multiple_of(skip)) {
                    let mut spec = spec.clone();
                    if n <= calls {
                        spec.provider.at.insert(n, fault);
                    } else {
                        let at = n - calls;
                        spec.stores[(at % 2) as usize].at.insert(at.div_ceil(2), fault);
                    }
                    let (phase, asked, ..) = run(&spec, "fault");
                    assert_ne!(phase, Phase::Aborted);
                    runs += 1;
                    halts += asked;
                }
            }
        }
    }
    println!("single faults: {runs} rotations, {halts} times a person was asked, all ended well");
}

#[test]
fn many_faults_at_once_end_well() {
    let rounds = if full() { 60 } else { 4 };
    let mut asked = 0;
    for seed in 0..rounds {
        for class in Class::ALL {
            let spec = Spec::new(class, Manner::ALL[(seed % 3) as usize]).seeded(seed * 31 + 1, 150);
            asked += run(&spec, "many").1;
        }
    }
    println!("seeded faults: {} rotations, {asked} times a person was asked", rounds * 7);
}

#[test]
fn a_lying_provider_is_noticed_and_the_rotation_rolls_forward() {
    for class in Class::ALL {
        let mut spec = Spec::new(class, Manner::Checked);
        spec.liar = true;
        let (phase, _, rig, _folder) = run(&spec, &format!("liar-{class:?}"));
        assert_eq!(phase, Phase::Done, "{class:?}");
        let kinds: Vec<String> = rig.journal.letters().unwrap().into_iter().map(|l| l.kind).collect();
        assert!(kinds.contains(&"died-early".to_owned()), "{class:?}: {kinds:?}");
    }
}

#[test]
fn an_emergency_is_done_without_overlap() {
    for class in Class::ALL {
        let mut spec = Spec::new(class, Manner::Staged);
        spec.emergency = true;
        let (phase, asked, rig, _folder) = run(&spec, &format!("emergency-{class:?}"));
        assert_eq!((phase, asked), (Phase::Done, 0), "{class:?}");
        assert!(rig.journal.letters().unwrap().iter().any(|l| l.kind == "emergency"));
    }
}
