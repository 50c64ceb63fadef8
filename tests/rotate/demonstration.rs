//! Nobody is cut off: clients read their key from a real file and call a provider in a loop, while the engine turns the
//! key over by the clock on the wall.

use crate::rig::Folder;
use keywheel::call::Transport;
use keywheel::model::Secret;
use keywheel::rotate::double::{Cell, Faults, Habits, Keys, ProviderDouble};
use keywheel::rotate::engine::{Clock, SystemClock};
use keywheel::rotate::journal::New;
use keywheel::rotate::machine::{
    Class, Does, Emergency, Export, Frozen, KeyId, Path as Order, Person, Phase, Powers, Proof, Target,
};
use keywheel::rotate::seal::Keyring;
use keywheel::rotate::store::{Doors, FileSpec, Place, Server, Spec};
use keywheel::rotate::time::{Moment, Span};
use keywheel::rotate::{Engine, Journal, Progress, Store};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Files only.
struct Files(Keyring);

impl Doors for Files {
    fn transport(&self, _: &Server) -> Result<Arc<dyn Transport>, String> {
        Err("there is no network here".to_owned())
    }
    fn fetch(&self, _: &str) -> Result<Secret, String> {
        Err("there is no credential here".to_owned())
    }
    fn tracked(&self, _: &Path) -> Result<bool, String> {
        Ok(false)
    }
    fn now(&self) -> Moment {
        SystemClock.now()
    }
    fn mark(&self, bytes: &[u8]) -> String {
        self.0.mark(&Secret::new(bytes))
    }
}

fn frozen() -> Frozen {
    let store = |name: &str| Target { name: name.to_owned(), staged: false, readable: true };
    Frozen {
        path: Order::CreateFirst,
        overlap: Span::millis(400),
        max_overlap: Span::seconds(30),
        quiet: Span::millis(300),
        soak: Span::millis(200),
        proofs: vec![Proof::LastUsed],
        export: Export::Required,
        approvals: 0,
        acks: 0,
        staging: None,
        stores: vec![store("env"), store("json")],
        poll: Span::millis(20),
        probe: Span::millis(100),
        probes_count: false,
        patience: 200,
        emergency: Emergency {
            path: Order::CreateFirst,
            overlap: Span::ZERO,
            soak: Span::ZERO,
            export_deadline: Span::seconds(2),
            approvals: 0,
            poll: Span::millis(20),
            daily_cap: 3,
        },
        powers: Powers {
            class: Class::C,
            quota: None,
            disable: true,
            enable: true,
            delete: true,
            list: true,
            usage: true,
            propagation: Span::millis(50),
            native_overlap: Span::ZERO,
            chained: false,
        },
    }
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    calls: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

/// A client: reads the key, uses it, and reads it again now and then, or only when it is refused.
fn client(
    read: &dyn Fn() -> Secret,
    provider: &ProviderDouble<SystemClock>,
    rereads: Option<Duration>,
    seen: &Seen,
    stop: &AtomicBool,
) {
    let (mut key, mut since) = (read(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        if rereads.is_some_and(|every| since.elapsed() >= every) {
            (key, since) = (read(), Instant::now());
        }
        seen.calls.fetch_add(1, Ordering::Relaxed);
        if !provider.use_key(&key).unwrap() {
            seen.refused.fetch_add(1, Ordering::Relaxed);
            key = read();
            if !provider.use_key(&key).unwrap() {
                seen.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn value(path: &Path, before: &str) -> Secret {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|l| l.trim().strip_prefix(before)).unwrap();
    Secret::new(line.trim_matches(['"', ',']).as_bytes())
}

struct Scene {
    folder: Folder,
    provider: ProviderDouble<SystemClock>,
    journal: Journal,
    stores: Vec<Box<dyn Store>>,
    paths: [PathBuf; 2],
    old: Secret,
}

fn scene(name: &str) -> Scene {
    let folder = Folder::new(name);
    let base = fs::canonicalize(&folder.0).unwrap();
    let old = Secret::new(format!("double-{}", "5e".repeat(20)).as_bytes());
    let text = String::from_utf8(old.expose().to_vec()).unwrap();
    let paths = [base.join(".env"), base.join("app.json")];
    fs::write(&paths[0], format!("PORT=1\nKEY={text}\n")).unwrap();
    fs::write(&paths[1], format!("{{\n  \"KEY\": \"{text}\",\n  \"port\": 1\n}}\n")).unwrap();
    let ring = || Keyring::new(&[9; 32]).unwrap();
    let doors: Arc<dyn Doors> = Arc::new(Files(ring()));
    let open = |path: &PathBuf| {
        let place = Place {
            path: path.to_str().unwrap().to_owned(),
            field: Some("KEY".to_owned()),
            ..Place::default()
        };
        Spec::File(FileSpec::default()).open(&place, &doors).unwrap_or_else(|e| panic!("{e}"))
    };
    let habits = Habits {
        powers: frozen().powers,
        list_lag: Span::millis(30),
        work_lag: Span::millis(20),
        kills_old_after: None,
        readable: false,
    };
    let keys = Keys::starting(Class::C, &KeyId("old".into()), &old, SystemClock.now());
    Scene {
        provider: ProviderDouble::new(Cell::memory(keys), habits, Faults::default(), Arc::new(SystemClock)),
        journal: Journal::open(&base.join("journal.db"), ring()).unwrap(),
        stores: paths.iter().map(open).collect(),
        paths,
        old,
        folder,
    }
}

impl Scene {
    /// Turns the key over while four clients call. Gives what they saw, and how long the old key lived.
    fn turn(&self, leaked: bool) -> (Seen, Duration) {
        let (seen, stop) = (Seen::default(), AtomicBool::new(false));
        let died = std::thread::scope(|scope| {
            for n in 0..4 {
                let (path, before) = [(&self.paths[0], "KEY="), (&self.paths[1], "\"KEY\": ")][n % 2];
                let rereads = (!leaked).then_some(Duration::from_millis(40));
                let (seen, stop, provider) = (&seen, &stop, &self.provider);
                scope.spawn(move || client(&|| value(path, before), provider, rereads, seen, stop));
            }
            std::thread::sleep(Duration::from_millis(50));
            let died = self.drive(leaked);
            std::thread::sleep(Duration::from_millis(50));
            stop.store(true, Ordering::Relaxed);
            died
        });
        (seen, died)
    }

    fn drive(&self, leaked: bool) -> Duration {
        let found = Instant::now();
        let person = Person { by: "sweep".into(), does: Does::Emergency { capped: false } };
        let claims = ["env".to_owned(), "json".to_owned()];
        let new = New {
            lineage: "web/shop/prod",
            frozen: frozen(),
            old: KeyId("old".into()),
            value: Some(&self.old),
            claims: &claims,
            leaked: leaked.then_some(person),
        };
        let id = self.journal.plan(&new, SystemClock.now()).unwrap();
        let clock = SystemClock;
        let engine = Engine::new(&self.journal, &self.provider, &self.stores, &clock, "w");
        let mut died = None;
        loop {
            let progress = engine.advance(id).unwrap();
            if died.is_none() && !self.provider.works(&self.old).unwrap() {
                died = Some(found.elapsed());
            }
            match progress {
                Progress::Stepped | Progress::Busy => {}
                Progress::Wait(at) => {
                    std::thread::sleep(Duration::from_millis(at.since(SystemClock.now()).0.min(5)));
                }
                Progress::Finished(phase) => {
                    assert_eq!(phase, Phase::Done);
                    break;
                }
                Progress::Ask(ask) => panic!("{ask:?}"),
            }
            assert!(found.elapsed() < Duration::from_secs(60), "it does not end");
        }
        let exports = self.journal.exports(id).unwrap();
        assert_eq!(exports.len(), 1, "the old key's use is kept");
        died.unwrap()
    }

    fn check(&self) {
        let new = value(&self.paths[0], "KEY=");
        assert!(new != self.old && new == value(&self.paths[1], "\"KEY\": "));
        assert!(self.provider.works(&new).unwrap() && !self.provider.works(&self.old).unwrap());
        self.journal.verify_audit(None).unwrap();
        for entry in fs::read_dir(&self.folder.0).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("journal") {
                let bytes = fs::read(&path).unwrap();
                for value in [&new, &self.old] {
                    assert!(!bytes.windows(value.len()).any(|w| w == value.expose()), "{}", path.display());
                }
            }
        }
    }
}

fn count(n: &AtomicU64) -> u64 {
    n.load(Ordering::Relaxed)
}

#[test]
fn by_the_calendar_no_call_fails() {
    let scene = scene("calendar");
    let (seen, died) = scene.turn(false);
    scene.check();
    println!(
        "scheduled: {} calls, {} refused, {} failed; the old key lived {died:?}",
        count(&seen.calls),
        count(&seen.refused),
        count(&seen.failed)
    );
    assert!(count(&seen.calls) > 100);
    assert_eq!((count(&seen.refused), count(&seen.failed)), (0, 0));
    assert!(died >= Duration::from_millis(400), "the overlap is kept: {died:?}");
}

#[test]
fn a_leaked_key_is_dead_in_five_seconds_and_whoever_reads_again_is_served() {
    let scene = scene("leak");
    let (seen, died) = scene.turn(true);
    scene.check();
    println!(
        "emergency: {} calls, {} refused and made again, {} failed; from finding to death, export included: {died:?}",
        count(&seen.calls),
        count(&seen.refused),
        count(&seen.failed)
    );
    assert_eq!(count(&seen.failed), 0);
    assert!((1..=4).contains(&count(&seen.refused)), "each client learns of it once");
    assert!(died <= Duration::from_secs(5), "{died:?}");
}
