use super::*;
use crate::rotate::store::tests::{World, call, key, nowhere, text};
use crate::rotate::store::{Spec, tests};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A folder of its own, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = fs::canonicalize(std::env::temp_dir()).unwrap();
        let path = base.join(format!("keywheel-file-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn place(path: &Path) -> Place {
    Place { path: path.to_str().unwrap().to_owned(), field: Some("KEY".to_owned()), ..Place::default() }
}

fn store(path: &Path) -> Box<dyn Store> {
    Spec::File(FileSpec::default()).open(&place(path), &nowhere()).unwrap_or_else(|e| panic!("{e}"))
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

fn content(n: u32) -> String {
    format!("# shop\nA=1\nKEY={}\nB=2\n", text(&key(n)))
}

fn why<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_written_and_the_file_stays_what_it_was() {
    let scratch = Scratch::new();
    let path = scratch.file(".env", &content(1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
    }
    let store = store(&path);
    let first = store.read(call()).unwrap();
    assert_eq!(first.current, Some(key(1)));
    let second = store.write(call(), &key(2), &first.version).unwrap();
    assert_ne!(first.version, second);
    assert_eq!(fs::read_to_string(&path).unwrap(), content(2));
    let meta = fs::metadata(&path).unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o640);
    if root {
        assert_eq!((meta.uid(), meta.gid()), (1234, 4321));
    }
    assert_eq!(store.read(call()).unwrap().version, second);
    assert_eq!(store.write(call(), &key(3), &first.version), Err(StoreError::Conflict));
    // The content comes back, the version does not: a read that shows the first one would be taken for stale.
    let third = store.restore(call(), &key(1), &second).unwrap();
    assert!(third != first.version && third != second);
    assert_eq!(store.read(call()).unwrap().version, third);
    assert_eq!(fs::read_to_string(&path).unwrap(), content(1));
    assert_eq!(names(&scratch.0), [".env"]);
    why(store.promote(call(), ""));
}

#[test]
fn what_is_not_plainly_a_file_of_ours_is_refused() {
    let scratch = Scratch::new();
    let real = scratch.file("real.env", &content(1));
    let link = scratch.0.join("link.env");
    symlink(&real, &link).unwrap();
    assert!(why(store(&link).read(call())).contains("link"));
    let inner = scratch.0.join("inner");
    fs::create_dir(&inner).unwrap();
    symlink(&inner, scratch.0.join("way")).unwrap();
    fs::write(inner.join(".env"), content(1)).unwrap();
    assert!(why(store(&scratch.0.join("way/.env")).read(call())).contains("link"));
    assert!(why(store(&inner).read(call())).contains("no regular file"));

    let expect = |path: &Path| store(path).read(call()).unwrap().version;
    fs::hard_link(&real, scratch.0.join("other.env")).unwrap();
    assert!(why(store(&real).write(call(), &key(2), &expect(&real))).contains("hard link"));
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(why(store(&inner.join(".env")).read(call())).contains("everybody"));
    let absent = scratch.0.join("absent.env");
    assert_eq!(store(&absent).read(call()).unwrap().current, None);
    assert!(why(store(&absent).write(call(), &key(2), &expect(&absent))).contains("not there"));
    let latin = scratch.0.join("latin.env");
    fs::write(&latin, b"KEY=\xe4\n").unwrap();
    assert!(why(store(&latin).read(call())).contains("UTF-8"));
    let without = scratch.file("without.env", "A=1\n");
    assert!(why(store(&without).write(call(), &key(2), &expect(&without))).contains("no such field"));
    assert_eq!(fs::read_to_string(&real).unwrap(), content(1));
}

#[test]
fn a_file_that_git_tracks_is_refused_and_so_is_doubt() {
    let scratch = Scratch::new();
    let (tracked, unknown) = (scratch.file(".env", &content(1)), scratch.file("unknown.env", &content(1)));
    let (world, doors) = World::script(Vec::new()).share();
    world.tracked.lock().unwrap().push(tracked.clone());
    for (path, told) in [(tracked, "git tracks the file"), (unknown, "is not known")] {
        let store =
            Spec::File(FileSpec::default()).open(&place(&path), &doors).unwrap_or_else(|e| panic!("{e}"));
        let version = store.read(call()).unwrap().version;
        assert!(why(store.write(call(), &key(2), &version)).contains(told));
        assert_eq!(fs::read_to_string(&path).unwrap(), content(1));
    }
}

#[test]
fn two_writers_take_turns_and_one_who_waits_too_long_is_told() {
    let scratch = Scratch::new();
    let path = scratch.file(".env", &content(1));
    let version = store(&path).read(call()).unwrap().version;
    let done: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (2..10)
            .map(|n| {
                let (path, version) = (&path, &version);
                scope.spawn(move || store(path).write(call(), &key(n), version))
            })
            .collect();
        writers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    assert_eq!(done.iter().filter(|d| d.is_ok()).count(), 1);
    assert_eq!(done.iter().filter(|d| **d == Err(StoreError::Conflict)).count(), 7);
    let lock = fs::File::open(&scratch.0).unwrap();
    lock.lock().unwrap();
    let soon = Call { deadline: Instant::now() + Duration::from_millis(30) };
    assert!(matches!(store(&path).read(soon), Err(StoreError::Retry(_))));
}

#[test]
fn a_version_never_comes_back_whatever_the_clock_says() {
    let scratch = Scratch::new();
    let path = scratch.file(".env", &content(1));
    let ahead = std::time::SystemTime::now() + Duration::from_secs(86_400);
    fs::File::options().write(true).open(&path).unwrap().set_modified(ahead).unwrap();
    let store = store(&path);
    let mut seen = vec![store.read(call()).unwrap().version];
    for n in 0..20 {
        let next = store.write(call(), &key(n % 2 + 1), seen.last().unwrap()).unwrap();
        assert_eq!(store.read(call()).unwrap().version, next);
        assert!(!seen.contains(&next), "write {n}");
        seen.push(next);
    }
}

#[test]
fn who_writes_without_our_lock_is_not_overwritten() {
    static PATH: std::sync::Mutex<Option<PathBuf>> = std::sync::Mutex::new(None);
    let scratch = Scratch::new();
    let path = scratch.file(".env", &content(1));
    *PATH.lock().unwrap() = Some(path.clone());
    let spec = FileSpec::default();
    let mut store = FileStore::new(&spec, &place(&path), nowhere()).unwrap_or_else(|e| panic!("{e}"));
    let version = store.read(call()).unwrap().version;
    store.step = |n| {
        if n == 3 {
            let path = PATH.lock().unwrap().clone().unwrap();
            fs::write(path, content(7)).unwrap();
        }
    };
    assert_eq!(store.write(call(), &key(2), &version), Err(StoreError::Conflict));
    assert_eq!(fs::read_to_string(&path).unwrap(), content(7));
    assert_eq!(names(&scratch.0), [".env"]);
}

const AT: &str = "KEYWHEEL_TEST_FILE_STORE_STEP";
const FILE: &str = "KEYWHEEL_TEST_FILE_STORE_PATH";

/// What the test below starts: a write that kills its own process before a step.
#[test]
fn child_that_is_killed_before_a_step() {
    let Ok(path) = std::env::var(FILE) else { return };
    let spec = FileSpec::default();
    let mut store =
        FileStore::new(&spec, &place(Path::new(&path)), nowhere()).unwrap_or_else(|e| panic!("{e}"));
    store.step = |n| {
        if std::env::var(AT).is_ok_and(|at| at == n.to_string()) {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
        }
    };
    let version = store.read(call()).unwrap().version;
    store.write(call(), &key(2), &version).unwrap();
}

#[test]
fn a_kill_between_any_two_steps_leaves_the_old_file_or_the_new_one() {
    let mut killed = 0;
    for step in 0..=6 {
        let scratch = Scratch::new();
        let path = scratch.file(".env", &content(1));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rotate::store::file::tests::child_that_is_killed_before_a_step", "--quiet"])
            .env(AT, step.to_string())
            .env(FILE, &path)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        killed += u32::from(std::os::unix::process::ExitStatusExt::signal(&status) == Some(9));
        // The name changes between steps 3 and 4, and not otherwise.
        let wanted = content(if step < 4 { 1 } else { 2 });
        assert_eq!(fs::read_to_string(&path).unwrap(), wanted, "before step {step}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o604);
        // A reader removes what is left, and the write can be made again.
        let version = store(&path).read(call()).unwrap().version;
        assert_eq!(names(&scratch.0), [".env"], "before step {step}");
        store(&path).write(call(), &key(3), &version).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content(3));
    }
    assert_eq!(killed, 6, "the steps are numbered 0 to 5");
}

#[test]
fn errors_hold_nothing_of_the_file() {
    let scratch = Scratch::new();
    let doubled = scratch.file(".env", &format!("{}{}", content(1), content(2)));
    let told = format!("{:?}", store(&doubled).read(call()));
    assert!(told.contains("more than once") && !told.contains(&tests::text(&key(1))[..8]), "{told}");
}
