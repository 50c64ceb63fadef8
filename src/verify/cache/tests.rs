#![allow(clippy::unwrap_used)]

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("keywheel-cache-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("verdicts.json")
    }

    fn open(&self) -> Cache {
        let (cache, fault) = Cache::open(&self.file(), [7; 32]);
        assert!(fault.is_none(), "{fault:?}");
        cache
    }

    fn fault(&self) -> String {
        Cache::open(&self.file(), [7; 32]).1.unwrap().to_string()
    }

    fn keep(&self, n: u8, verdict: &Verdict, now: i64) {
        let mut cache = self.open();
        cache.put(&[n; 32], verdict);
        cache.save(now).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn verdict(validity: Validity, at: i64) -> Verdict {
    let evidence = Evidence {
        rule: "acme-key".into(),
        status: Some(200),
        host: "a.example".into(),
        at,
        ..Evidence::default()
    };
    let grade = Grade { level: Level::Admin, means: "everything".into() };
    let access = Access { grade: Some(grade), facts: BTreeMap::from([("scopes".into(), "all".into())]) };
    Verdict { access: validity.is_active().then_some(access), validity, evidence: Some(evidence) }
}

fn active() -> Validity {
    Validity::Active { restricted: false, identity: BTreeMap::from([("owner".into(), "ann".into())]) }
}

#[test]
fn a_verdict_comes_back_as_it_was_and_no_longer_than_it_holds() {
    let f = Folder::new();
    for (n, validity, life) in [
        (1, active(), ACTIVE),
        (2, Validity::Active { restricted: true, identity: BTreeMap::new() }, ACTIVE),
        (3, Validity::Inactive, INACTIVE),
        (4, Validity::Unknown(Unknown::RateLimited), UNKNOWN),
    ] {
        let given = verdict(validity, 1000);
        f.keep(n, &given, 1000);
        let cache = f.open();
        let back = cache.get(&[n; 32], 1000 + life - 1).unwrap();
        assert_eq!((&back.validity, &back.access), (&given.validity, &given.access));
        let evidence = back.evidence.unwrap();
        assert!(evidence.cached && evidence.at == 1000 && evidence.status == Some(200));
        assert!(cache.get(&[n; 32], 1000 + life).is_none());
        assert!(cache.get(&[n; 32], 999).is_none(), "what comes from the future holds");
        assert!(cache.get(&[9; 32], 1000).is_none());
    }
}

#[test]
fn nothing_is_kept_for_which_nobody_was_asked() {
    let f = Folder::new();
    let mut cache = f.open();
    cache.put(&[1; 32], &verdict(Validity::default(), 1000));
    cache.put(&[2; 32], &verdict(Validity::Unknown(Unknown::Refused), 1000));
    cache.save(1000).unwrap();
    assert!(!f.file().exists());
}

#[test]
fn what_is_damaged_is_empty_and_written_anew() {
    let f = Folder::new();
    f.keep(1, &verdict(active(), 1000), 1000);
    let good = fs::read(f.file()).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    for bad in [
        b"{".to_vec(),
        good[..good.len() / 2].to_vec(),
        text.replace("\"version\":1", "\"version\":2").into_bytes(),
        text.replace("\"key\":\"0707", "\"key\":\"zz07").into_bytes(),
        b"\0".repeat(100),
    ] {
        fs::write(f.file(), &bad).unwrap();
        assert!(f.fault().contains("damaged"), "{}", f.fault());
        let (mut cache, _) = Cache::open(&f.file(), [8; 32]);
        assert!(cache.get(&[1; 32], 1000).is_none());
        cache.put(&[2; 32], &verdict(active(), 1000));
        cache.save(1000).unwrap();
        assert!(f.open().get(&[2; 32], 1001).is_some());
    }
    // Words that are none of ours are no verdict.
    fs::write(f.file(), text.replace("\"active\"", "\"harmless\"")).unwrap();
    assert!(f.open().get(&[1; 32], 1000).is_none());
}

#[test]
#[cfg(unix)]
fn what_others_may_touch_is_not_used() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let f = Folder::new();
    f.keep(1, &verdict(active(), 1000), 1000);
    assert_eq!(fs::metadata(f.file()).unwrap().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o602] {
        fs::set_permissions(f.file(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(f.fault().contains("others may"), "{mode:o}");
    }
    // It is left alone, too.
    let (mut cache, _) = Cache::open(&f.file(), [7; 32]);
    cache.put(&[2; 32], &verdict(active(), 1000));
    cache.save(1000).unwrap();
    fs::set_permissions(f.file(), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(f.open().get(&[2; 32], 1001).is_none());

    let target = f.0.join("target");
    fs::rename(f.file(), &target).unwrap();
    symlink(&target, f.file()).unwrap();
    assert!(f.fault().contains("it is a link"));
    fs::remove_file(f.file()).unwrap();
    fs::create_dir(f.file()).unwrap();
    assert!(f.fault().contains("no plain file"));
}

#[test]
fn processes_add_to_each_other() {
    let f = Folder::new();
    // Both begin without a file, and with keys of their own.
    let (mut a, _) = Cache::open(&f.file(), [1; 32]);
    let (mut b, _) = Cache::open(&f.file(), [2; 32]);
    a.put(&[10; 32], &verdict(active(), 1000));
    b.put(&[20; 32], &verdict(Validity::Inactive, 1000));
    a.save(1000).unwrap();
    b.save(1000).unwrap();
    let both = f.open();
    assert!(both.get(&[10; 32], 1001).is_some() && both.get(&[20; 32], 1001).is_some());
    // Many at once.
    std::thread::scope(|scope| {
        for n in 30..50 {
            let f = &f;
            scope.spawn(move || f.keep(n, &verdict(active(), 1000), 1000));
        }
    });
    let all = f.open();
    assert!((30..50).all(|n| all.get(&[n; 32], 1001).is_some()));
    assert_eq!(fs::read_dir(&f.0).unwrap().count(), 2, "nothing is left but the file and its lock");
}

#[test]
fn what_no_longer_holds_is_dropped() {
    let f = Folder::new();
    f.keep(1, &verdict(active(), 1000), 1000);
    f.keep(2, &verdict(Validity::Inactive, 1000), 1000 + ACTIVE);
    assert_eq!(f.open().entries.len(), 1);
}

#[test]
fn what_is_kept_elsewhere_comes_back_and_what_is_damaged_does_not() {
    let (dead, now) = (verdict(Validity::Inactive, 1000), 1000);
    let mut cache = Cache::of_bytes(None, [7; 32]);
    cache.put(&[1; 32], &dead);
    let bytes = cache.into_bytes(now).unwrap();
    let cache = Cache::of_bytes(Some(&bytes), [8; 32]);
    assert_eq!(cache.get(&[1; 32], now).unwrap().validity, Validity::Inactive);
    assert!(cache.get(&[1; 32], now + INACTIVE).is_none());
    assert!(cache.into_bytes(now).is_none(), "nothing new is nothing to keep");
    for bad in [&b""[..], b"{}", &bytes[..bytes.len() - 1]] {
        assert!(Cache::of_bytes(Some(bad), [8; 32]).get(&[1; 32], now).is_none());
    }
    // It has no file of its own.
    let mut cache = Cache::of_bytes(Some(&bytes), [8; 32]);
    cache.put(&[2; 32], &dead);
    assert!(cache.save(now).is_ok());
}
