//! The course of a rotation as its audit tells it, and a journal for the page of usage to draw.

use super::rig::{Folder, LINEAGE, OVERLAP, Rig, Spec};
use keywheel::rotate::course::courses;
use keywheel::rotate::double::{Manner, ManualClock};
use keywheel::rotate::machine::{Class, Phase};
use keywheel::rotate::seal::Keyring;
use keywheel::rotate::time::{Moment, Span};
use keywheel::rotate::{Journal, RotationId};
use std::path::Path;

#[test]
fn a_rotation_tells_when_both_keys_worked() {
    for emergency in [false, true] {
        let folder = Folder::new(&format!("course-{emergency}"));
        let mut spec = Spec::new(Class::A, Manner::Checked);
        spec.emergency = emergency;
        let rig = Rig::open(&folder.0, &spec, None);
        let id: RotationId = rig.rotation();
        assert_eq!(rig.drive_with_help(id).0, Phase::Done);
        let told = courses(&rig.journal.audit_entries().unwrap());
        let [course] = &told[..] else { panic!("{told:?}") };
        assert_eq!((course.rotation, course.lineage.as_str(), course.emergency), (id.0, LINEAGE, emergency));
        let (ended, phase) = course.ended.unwrap();
        assert_eq!(phase, Phase::Done);
        let (from, to) = course.overlap.unwrap();
        let to = to.unwrap();
        assert!(course.planned <= from && to <= ended, "{course:?}");
        if !emergency {
            assert!(to.since(from) >= OVERLAP && to.since(from) < Span::hours(6), "{course:?}");
        }
    }
}

/// Writes a journal with one rotation that ended, and whose keys overlapped for three days, for `.ci/run page`.
#[test]
#[ignore = "writes into the folder that KEYWHEEL_PAGE_STATE names"]
fn a_journal_to_draw() {
    let Some(dir) = std::env::var_os("KEYWHEEL_PAGE_STATE") else { return };
    let master = std::env::var("KEYWHEEL_PAGE_MASTER").unwrap();
    let folder = Folder::new("page");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let begun = Moment(now - 12 * 86_400_000);
    // The rig's clock goes on where it finds it.
    ManualClock::file(&folder.0.join("clock.json"), begun).unwrap();
    let ring = || Keyring::new(master.as_bytes()).unwrap();
    let spec = Spec { overlap: Span::days(3), ..Spec::new(Class::A, Manner::Checked) };
    let mut rig = Rig::open(&folder.0, &spec, None);
    let path = Path::new(&dir).join("journal.db");
    rig.journal = Journal::open(&path, ring()).unwrap();
    assert_eq!(rig.drive_with_help(rig.rotation()).0, Phase::Done);
}
