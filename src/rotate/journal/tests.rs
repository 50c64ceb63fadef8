//! The journal: fencing, one active rotation, sealing and erasure, audit, caps, rights.

use super::*;
use crate::alert::Standing;
use crate::model::Secret;
use crate::rotate::lease::OsLock;
use crate::rotate::machine::{
    Class, Does, Effect, Emergency, Event, Export, Frozen, Halt, KeyId, Path as Order, Pause, Person, Phase,
    Powers, Proof, Rotation, Target,
};
use crate::rotate::news::{ONCE, QUIET, due_soon, of_letter, overlap_ending};
use crate::rotate::time::{Moment, Span};
use std::fs;
use std::path::PathBuf;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("keywheel-journal-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn open(&self) -> Journal {
        Journal::open(&self.0.join("j.db"), Keyring::new(&[5; 32]).unwrap()).unwrap()
    }

    /// Whether any file here holds these bytes.
    fn holds(&self, needle: &[u8]) -> bool {
        fs::read_dir(&self.0)
            .unwrap()
            .any(|f| fs::read(f.unwrap().path()).unwrap().windows(needle.len()).any(|w| w == needle))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn frozen() -> Frozen {
    Frozen {
        path: Order::CreateFirst,
        overlap: Span(10),
        max_overlap: Span(20),
        quiet: Span(5),
        soak: Span(5),
        proofs: vec![Proof::Timer],
        export: Export::Offered,
        approvals: 0,
        acks: 0,
        staging: None,
        stores: vec![Target { name: "a".into(), staged: false, readable: true }],
        poll: Span(1),
        probe: Span(0),
        probes_count: false,
        patience: 3,
        emergency: Emergency {
            path: Order::CreateFirst,
            overlap: Span(0),
            soak: Span(0),
            export_deadline: Span(1),
            approvals: 0,
            poll: Span(1),
            daily_cap: 2,
        },
        powers: Powers {
            class: Class::C,
            quota: None,
            disable: true,
            enable: true,
            delete: true,
            list: true,
            usage: false,
            propagation: Span(1),
            native_overlap: Span(0),
            chained: false,
        },
    }
}

fn plan(journal: &Journal, lineage: &str, value: Option<&Secret>) -> Result<RotationId, JournalError> {
    let claims = [format!("vault:{}", lineage.len())];
    let new =
        New { lineage, frozen: frozen(), old: KeyId("k1".into()), value, claims: &claims, leaked: None };
    journal.plan(&new, Moment(0))
}

fn person(does: Does) -> Person {
    Person { by: "ana".into(), does }
}

#[test]
fn the_file_is_its_owners_alone_and_no_other_database_is_taken() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("rights");
    let path = folder.0.join("j.db");
    drop(folder.open());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let journal = folder.open();
    for file in fs::read_dir(&folder.0).unwrap() {
        assert_eq!(
            file.unwrap().metadata().unwrap().permissions().mode() & 0o077,
            0,
            "log and index as well"
        );
    }
    drop(journal);
    let open = |path: &Path| Journal::open(path, Keyring::new(&[5; 32]).unwrap()).err();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(open(&path), Some(JournalError::Rights(_))));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let link = folder.0.join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(open(&link), Some(JournalError::File(..))));
    let other = folder.0.join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(open(&other), Some(JournalError::Foreign(_))));
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
    assert!(matches!(open(&path), Some(JournalError::Version(9))));
}

#[test]
fn one_rotation_of_a_lineage_and_a_pause_holds_new_ones() {
    let folder = Folder::new("one");
    let journal = folder.open();
    let id = plan(&journal, "a", None).unwrap();
    assert!(matches!(plan(&journal, "a", None), Err(JournalError::Active(_))));
    // Also when two handles plan: the second sees the first's.
    assert!(matches!(plan(&folder.open(), "a", None), Err(JournalError::Active(_))));
    // The index itself refuses a second one, whatever the code does.
    let copy = "INSERT INTO rotations(lineage, generation, phase, planned, frozen, frozen_hash, state)
                SELECT lineage, generation, phase, planned, frozen, frozen_hash, state FROM rotations";
    assert!(journal.db.borrow().execute(copy, []).is_err());
    journal.say(id, &person(Does::Abort), Moment(1)).unwrap();
    assert_eq!(journal.load(id).unwrap().rotation.phase, Phase::Aborted);
    journal.pause(&Scope::All, "ana", "audit week", Moment(2)).unwrap();
    assert!(
        matches!(plan(&journal, "a", None), Err(JournalError::Paused(why)) if why.contains("audit week"))
    );
    let claims = ["x".to_owned()];
    let leaked = New {
        lineage: "a",
        frozen: frozen(),
        old: KeyId("k1".into()),
        value: None,
        claims: &claims,
        leaked: Some(person(Does::Emergency { capped: false })),
    };
    let id = journal.plan(&leaked, Moment(3)).unwrap();
    assert!(journal.load(id).unwrap().rotation.is_emergency());
    journal.resume(&Scope::All, "ana", Moment(4)).unwrap();
    plan(&journal, "bb", None).unwrap();
    assert_eq!(journal.active().unwrap().len(), 2);
}

#[test]
fn emergencies_beyond_the_daily_cap_wait_for_a_person() {
    let folder = Folder::new("cap");
    let journal = folder.open();
    for (n, day) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
        let id = plan(&journal, "a", None).unwrap();
        let at = Moment(day * 86_400_000 + n);
        let r = journal.say(id, &person(Does::Emergency { capped: false }), at).unwrap();
        assert_eq!(r.halt == Some(Halt::Paused(Pause::DailyCap)), n == 3, "{n}");
        // An emergency has no way back, but this one has changed nothing yet.
        journal.db.borrow().execute("UPDATE rotations SET ended = 1 WHERE id = ?1", [id.0]).unwrap();
    }
}

#[test]
fn a_former_holder_writes_nothing() {
    let folder = Folder::new("fence");
    let (one, two) = (folder.open(), folder.open());
    let id = plan(&one, "a", None).unwrap();
    let first = one.lease("a", "w1", Moment(0), Span(100)).unwrap().unwrap();
    assert!(two.lease("a", "w2", Moment(50), Span(100)).unwrap().is_none());
    assert_eq!(one.lease("a", "w1", Moment(60), Span(100)).unwrap().unwrap().fence, first.fence);
    let second = two.lease("a", "w2", Moment(160), Span(100)).unwrap().unwrap();
    assert!(second.fence > first.fence);
    let event = Event::Leased;
    let refused = one.record(&first, id, &event, &Extra::default(), Moment(161));
    assert!(matches!(refused, Err(JournalError::Fenced)));
    assert_eq!(one.load(id).unwrap().rotation.phase, Phase::Planned, "nothing of it was written");
    two.record(&second, id, &event, &Extra::default(), Moment(161)).unwrap();
    // Its own lease that ran out is a new one too.
    two.release(&second).unwrap();
    let third = two.lease("a", "w2", Moment(162), Span(100)).unwrap().unwrap();
    assert!(third.fence > second.fence);

    let path = folder.0.join("j.db");
    let lock = OsLock::try_take(&path, "a").unwrap();
    assert!(lock.is_some() && OsLock::try_take(&path, "a").unwrap().is_none());
    assert!(OsLock::try_take(&path, "b").unwrap().is_some());
    drop(lock);
    assert!(OsLock::try_take(&path, "a").unwrap().is_some());
}

#[test]
fn material_is_sealed_while_it_is_needed_and_gone_afterwards() {
    let folder = Folder::new("seal");
    let journal = folder.open();
    let value = Secret::new(format!("old-value-{}", "x".repeat(40)).as_bytes());
    let id = plan(&journal, "a", Some(&value)).unwrap();
    let record = journal.load(id).unwrap();
    assert_eq!(journal.material(&record, "old").unwrap(), Some(value.clone()));
    assert!(!folder.holds(value.expose()));
    let sealed: Vec<u8> =
        journal.db.borrow().query_row("SELECT text FROM sealed", [], |row| row.get(0)).unwrap();
    assert!(folder.holds(&sealed), "the look itself finds what is there");

    let other = Journal::open(&folder.0.join("j.db"), Keyring::new(&[6; 32]).unwrap()).unwrap();
    let missing = other.material(&record, "old").unwrap_err();
    assert_eq!(missing.sealing_key(), Some(journal.keyring().id()));
    // Moved to another step it does not open.
    journal.db.borrow().execute("UPDATE sealed SET step = 'new/1'", []).unwrap();
    assert!(journal.material(&record, "new/1").unwrap_err().sealing_key().is_some());
    drop(other);

    journal.say(id, &person(Does::Abort), Moment(1)).unwrap();
    journal.tidy().unwrap();
    assert!(!folder.holds(&sealed), "neither in the database nor in its log");
}

#[test]
fn every_change_is_in_the_audit_and_no_edit_passes() {
    let folder = Folder::new("audit");
    let journal = folder.open();
    let id = plan(&journal, "a", None).unwrap();
    let lease = journal.lease("a", "w", Moment(0), Span(100)).unwrap().unwrap();
    journal.record(&lease, id, &Event::Leased, &Extra::default(), Moment(1)).unwrap();
    journal.record(&lease, id, &Event::Advanced, &Extra::default(), Moment(2)).unwrap();
    let head = journal.audit_head().unwrap();
    assert_eq!(head.seq, 3);
    assert_eq!(journal.verify_audit(Some(&head)).unwrap(), head);
    let edits = [
        ("UPDATE audit SET body = replace(body, 'leased', 'aborted') WHERE seq = 2", "entry 2 was changed"),
        ("UPDATE audit SET at = 77 WHERE seq = 1", "entry 1 was changed"),
        ("DELETE FROM audit WHERE seq = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE seq = 3", "ends at entry 2"),
        ("DELETE FROM audit", "ends at entry 0"),
    ];
    for (sql, told) in edits {
        let db = journal.db.borrow();
        db.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM audit").unwrap();
        db.execute(sql, []).unwrap();
        drop(db);
        let fault = journal.verify_audit(Some(&head)).unwrap_err().to_string();
        assert!(fault.contains(told), "{sql}: {fault}");
        let undo = "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept";
        journal.db.borrow().execute_batch(undo).unwrap();
    }
    // A policy that thawed is refused.
    journal.db.borrow().execute("UPDATE rotations SET frozen_hash = 'x'", []).unwrap();
    assert!(matches!(journal.load(id), Err(JournalError::Thawed(_))));
}

#[test]
fn a_lost_transaction_leaves_nothing_of_itself() {
    let folder = Folder::new("whole");
    let journal = folder.open();
    let id = plan(&journal, "a", None).unwrap();
    let lease = journal.lease("a", "w", Moment(0), Span(100)).unwrap().unwrap();
    let before = (journal.audit_head().unwrap(), journal.letters().unwrap(), journal.commits());
    // The machine refuses what it would not do now.
    let event = Event::Intended(Effect::Create(1));
    assert!(matches!(
        journal.record(&lease, id, &event, &Extra::default(), Moment(1)),
        Err(JournalError::Illegal(_))
    ));
    assert_eq!((journal.audit_head().unwrap(), journal.letters().unwrap(), journal.commits()), before);
}

#[test]
fn alerts_wait_in_the_outbox_until_they_are_sent() {
    let folder = Folder::new("outbox");
    let journal = folder.open();
    let id = plan(&journal, "a", None).unwrap();
    journal.say(id, &person(Does::Emergency { capped: false }), Moment(1)).unwrap();
    let letters = journal.letters().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].kind.as_str(), letters[0].rotation), ("emergency", id));
    let record = journal.load(id).unwrap();
    let event = of_letter(&letters[0], &record.rotation, vec![("used by".into(), "10.0.0.1".into())]);
    assert_eq!((event.kind.as_str(), event.subject.as_str()), ("emergency", "a"));
    // Two that look at once: only one of them hands it over.
    let other = folder.open();
    other.hand_over(&letters[0], &event, &["ops", "mail"], QUIET, Moment(2)).unwrap();
    journal.hand_over(&letters[0], &event, &["ops", "mail"], QUIET, Moment(3)).unwrap();
    assert!(journal.letters().unwrap().is_empty());
    let due = journal.outbox().unwrap().list(Standing::Due).unwrap();
    let routes: Vec<&str> = due.iter().map(|d| d.route.as_str()).collect();
    assert_eq!((routes, due[0].event == event), (vec!["mail", "ops"], true));
    // What a time brings is told once, however often it is looked at.
    let begins = Moment(86_400_000 * 3);
    assert_eq!(due_soon("a", 2, begins, Moment(0) + Span::days(4)), None, "it has begun");
    assert_eq!(due_soon("a", 2, begins + Span::days(9), Moment(0)), None, "it is far");
    let soon = due_soon("a", 2, begins, Moment(5)).unwrap();
    assert!(journal.announce(&soon, &["ops"], ONCE).unwrap());
    assert!(!other.announce(&soon, &["ops"], ONCE).unwrap());
}

#[test]
fn the_end_of_the_longest_overlap_is_announced_to_those_who_wait_for_it() {
    // Overlap 10, at the longest 20: the last quarter is 5.
    let mut r = Rotation::plan("a", 2, frozen(), KeyId("k1".into()), true, Moment(0));
    (r.phase, r.distributed) = (Phase::Overlap, Some(Moment(0)));
    let told = |r: &Rotation, at| overlap_ending(r, Vec::new(), Moment(at)).map(|e| e.same);
    let same = Some("overlap-ending:a:2".to_owned());
    for (at, wanted) in [(9, None), (14, None), (15, same.clone()), (19, same), (20, None)] {
        assert_eq!(told(&r, at), wanted, "{at}");
    }
    for (proof, died_early) in [(Some(Proof::Timer), false), (None, true)] {
        let settled = Rotation { proof, died_early, ..r.clone() };
        assert_eq!(told(&settled, 16), None, "nobody waits for it");
    }
}

#[test]
fn lineages_that_share_a_store_are_told() {
    let folder = Folder::new("share");
    let journal = folder.open();
    plan(&journal, "a", None).unwrap();
    assert_eq!(journal.sharer("a").unwrap(), None);
    plan(&journal, "b", None).unwrap();
    assert_eq!(journal.sharer("a").unwrap().as_deref(), Some("b"));
}
