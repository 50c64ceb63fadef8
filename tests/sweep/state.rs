//! The state file: private, ours or left alone, rebuilt when it is damaged.

use super::{Lab, exists, holds, key};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn lab() -> Lab {
    let lab = Lab::with_repository();
    lab.commit("one", &[("a.py", &format!("token = \"{}\"\n", key(1)))]);
    lab
}

#[test]
fn it_is_private_and_holds_no_value() {
    let lab = lab();
    // An empty file is taken, and made private.
    lab.put("s", "");
    lab.sweep(&[]).gives(1);
    assert_eq!(fs::metadata(lab.path("s")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!holds(&lab.state(), &key(1)) && !holds(&lab.state(), "a.py"));
    let list: Vec<_> = fs::read_dir(lab.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(list.iter().all(|n| n == "a" || n == "s"), "{list:?}");
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let lab = lab();
    let python = "import sqlite3; c = sqlite3.connect('s'); c.execute('create table t (a)'); c.commit()";
    let made = Command::new("python3").args(["-c", python]).current_dir(lab.path("")).status();
    let database = made.is_ok_and(|s| s.success()).then(|| fs::read(lab.path("s")).unwrap());
    for bytes in [Some(b"my notes\n".to_vec()), Some(vec![0; 5000]), database].into_iter().flatten() {
        fs::write(lab.path("s"), &bytes).unwrap();
        let told = lab.sweep(&[]).gives(2).told;
        assert!(told.contains("no state file of keywheel"), "{told}");
        assert_eq!(fs::read(lab.path("s")).unwrap(), bytes);
        assert!(!exists(&lab.path("s.broken-1")));
    }
    fs::remove_file(lab.path("s")).unwrap();
    fs::create_dir(lab.path("s")).unwrap();
    lab.sweep(&[]).gives(2);
    fs::remove_dir(lab.path("s")).unwrap();
    assert!(Command::new("mkfifo").arg(lab.path("s")).status().unwrap().success());
    lab.sweep(&[]).gives(2);
}

#[test]
fn what_is_damaged_or_of_another_form_is_moved_aside_and_made_anew() {
    let lab = lab();
    for n in 2..60 {
        lab.commit("more", &[(&format!("{n}.txt"), &format!("{n}\n"))]);
    }
    lab.sweep(&[]).gives(1);
    let good = fs::read(lab.path("s")).unwrap();
    lab.sweep(&[]).gives(0);
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("a cut file", |b| b.truncate(b.len() / 2)),
        ("another form", |b| b[63] += 1),
        ("a lost table", |b| {
            let at = memchr::memmem::find(b, b"CREATE TABLE batch").unwrap();
            b[at - 40..at].fill(0xff);
        }),
        ("noise", |b| b[4096..].iter_mut().step_by(97).for_each(|b| *b ^= 0x55)),
        ("all but the head", |b| b[100..].fill(0)),
    ];
    for (n, (name, damage)) in damages.iter().enumerate() {
        let mut bytes = good.clone();
        damage(&mut bytes);
        fs::write(lab.path("s"), &bytes).unwrap();
        let again = lab.sweep(&[]).gives(1);
        again.has(&[("a.py", "new")]);
        assert!(again.told.contains("read anew"), "{name}: {}", again.told);
        let aside = lab.path(&format!("s.broken-{}", n + 1));
        assert_eq!(fs::read(aside).unwrap().len(), bytes.len(), "{name}");
        lab.sweep(&[]).gives(0);
    }
}

#[test]
fn no_bit_of_damage_hides_anything() {
    let lab = lab();
    for n in 2..20 {
        lab.commit("more", &[(&format!("{n}.txt"), &format!("{n}\n"))]);
    }
    lab.sweep(&[]).gives(1);
    let good = fs::read(lab.path("s")).unwrap();
    let count = if std::env::var_os("KEYWHEEL_BATTERY").is_some() { 2000 } else { 60 };
    let mut random = super::Random(5);
    for _ in 0..count {
        let mut bytes = good.clone();
        // What tells that it is ours stays.
        let at = 100 + random.below(bytes.len() as u64 - 100) as usize;
        bytes[at] ^= 1 << random.below(8);
        fs::write(lab.path("s"), &bytes).unwrap();
        let again = lab.sweep(&[]);
        assert!(matches!(again.code, 0 | 1), "byte {at}: {} {}", again.code, again.told);
        assert_eq!(again.statuses().len(), 1, "byte {at}: {:#}", again.json);
    }
}

#[test]
fn two_sweeps_at_once_do_not_meet() {
    let lab = lab();
    let (state, aside) = keywheel::state::State::open(&lab.path("s"), [7; 32]).unwrap();
    assert!(aside.is_none());
    let told = lab.sweep(&[]).gives(2).told;
    assert!(told.contains("in use by another sweep"), "{told}");
    drop(state);
    lab.sweep(&[]).gives(1);
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let lab = lab();
    for state in ["nowhere/s", "/proc/keywheel-sweep-state"] {
        let out = lab.keywheel(&["sweep", "a", "--quiet", "--state", state]).output().unwrap();
        let told = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.code() == Some(2) && told.contains("cannot use the state file"), "{told}");
    }
}

#[test]
fn fingerprints_of_another_key_are_refused() {
    let lab = lab();
    lab.sweep(&[]).gives(1);
    lab.put("base", format!("# keywheel baseline 1 salt={}\n", "00ff".repeat(8)));
    let told = lab.sweep(&["--baseline", "base"]).gives(2).told;
    assert!(told.contains("baseline"), "{told}");
    lab.sweep(&[]).gives(0);
}
