//! A rotation on doubles in a folder, so that several processes can drive it.

use keywheel::model::Secret;
use keywheel::rotate::double::{
    Cell, Faults, Habits, Keys, Manner, ManualClock, ProviderDouble, Shelf, StoreDouble,
};
use keywheel::rotate::engine::Clock;
use keywheel::rotate::journal::{Failpoint, New};
use keywheel::rotate::machine::{
    Ask, Class, Does, Emergency, Export, Halt, KeyId, Path as Order, Person, Phase, Powers, Proof, Target,
};
use keywheel::rotate::seal::Keyring;
use keywheel::rotate::time::{Moment, Span};
use keywheel::rotate::{Engine, Frozen, Journal, Progress, RotationId, Store};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const LINEAGE: &str = "team/app/prod";
pub(crate) const OVERLAP: Span = Span::hours(1);

/// What is rotated, where, and what goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) class: Class,
    pub(crate) manners: [Manner; 2],
    pub(crate) emergency: bool,
    pub(crate) liar: bool,
    pub(crate) overlap: Span,
    pub(crate) provider: Faults,
    pub(crate) stores: [Faults; 2],
}

impl Spec {
    pub(crate) fn new(class: Class, first: Manner) -> Spec {
        let second = match first {
            Manner::Checked => Manner::Staged,
            Manner::Staged => Manner::Blind,
            Manner::Blind => Manner::Checked,
        };
        Spec {
            class,
            manners: [first, second],
            emergency: false,
            liar: false,
            overlap: OVERLAP,
            provider: Faults::default(),
            stores: [Faults::default(), Faults::default()],
        }
    }

    /// As a word for a child process. Faults by number and another overlap do not travel.
    pub(crate) fn word(&self) -> String {
        let class = Class::ALL.iter().position(|c| *c == self.class).unwrap();
        let manner = Manner::ALL.iter().position(|m| *m == self.manners[0]).unwrap();
        let (seed, rate) = (self.provider.seed, self.provider.per_mille);
        format!("{class}:{manner}:{}:{}:{seed}:{rate}", u8::from(self.emergency), u8::from(self.liar))
    }

    pub(crate) fn parse(word: &str) -> Spec {
        let n: Vec<u64> = word.split(':').map(|w| w.parse().unwrap()).collect();
        let mut spec = Spec::new(Class::ALL[n[0] as usize], Manner::ALL[n[1] as usize]);
        (spec.emergency, spec.liar) = (n[2] == 1, n[3] == 1);
        spec.seeded(n[4], n[5])
    }

    /// The same with faults by seed, at provider and stores.
    pub(crate) fn seeded(mut self, seed: u64, per_mille: u64) -> Spec {
        let faults = |seed| Faults { seed, per_mille, at: BTreeMap::new() };
        self.provider = faults(seed);
        self.stores = [faults(seed + 1_000_000), faults(seed + 2_000_000)];
        self
    }

    fn powers(&self) -> Powers {
        let separate = !matches!(self.class, Class::F | Class::G);
        Powers {
            class: self.class,
            quota: (self.class == Class::D).then_some(2),
            disable: separate,
            enable: separate,
            delete: self.class != Class::G,
            list: true,
            usage: true,
            propagation: Span::seconds(30),
            native_overlap: Span::hours(2),
            chained: true,
        }
    }

    pub(crate) fn frozen(&self) -> Frozen {
        let target = |name: &str, manner: Manner| Target {
            name: name.to_owned(),
            staged: manner == Manner::Staged,
            readable: manner != Manner::Blind,
        };
        Frozen {
            path: Order::CreateFirst,
            overlap: self.overlap,
            max_overlap: Span(self.overlap.0 + Span::hours(5).0),
            quiet: Span::seconds(600),
            soak: Span::days(1),
            proofs: vec![Proof::LastUsed],
            export: Export::Required,
            approvals: 0,
            acks: 1,
            staging: None,
            stores: vec![target("first", self.manners[0]), target("second", self.manners[1])],
            poll: Span::seconds(10),
            probe: Span::seconds(900),
            probes_count: false,
            patience: 6,
            emergency: Emergency {
                path: Order::CreateFirst,
                overlap: Span::ZERO,
                soak: Span::ZERO,
                export_deadline: Span::seconds(60),
                approvals: 0,
                poll: Span::seconds(1),
                daily_cap: 3,
            },
            powers: self.powers(),
        }
    }

    fn habits(&self) -> Habits {
        Habits {
            powers: self.powers(),
            list_lag: Span::seconds(20),
            work_lag: Span::seconds(5),
            kills_old_after: self.liar.then_some(Span::seconds(1200)),
            readable: matches!(self.class, Class::E | Class::F),
        }
    }
}

/// A folder that goes away; in memory where the system has that, because every commit is synced.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = base.join(format!("keywheel-rotate-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The value of the key that goes.
pub(crate) fn old() -> Secret {
    Secret::new(format!("double-old-{}", "0a1b2c3d".repeat(4)).as_bytes())
}

pub(crate) struct Rig {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) provider: ProviderDouble<ManualClock>,
    pub(crate) journal: Journal,
    dir: PathBuf,
    spec: Spec,
    stores: Vec<Box<dyn Store>>,
}

/// The doubles past all faults, for clients and checks.
pub(crate) struct Outside {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) provider: ProviderDouble<ManualClock>,
    pub(crate) stores: [StoreDouble; 2],
}

fn clock(dir: &Path) -> Arc<ManualClock> {
    Arc::new(ManualClock::file(&dir.join("clock.json"), Moment(1_800_000_000_000)).unwrap())
}

pub(crate) fn provider(
    dir: &Path,
    spec: &Spec,
    faults: Faults,
    clock: &Arc<ManualClock>,
) -> ProviderDouble<ManualClock> {
    let keys = Keys::starting(spec.class, &KeyId("old".into()), &old(), clock.now());
    let cell = Cell::file(&dir.join("keys.json"), &keys).unwrap();
    ProviderDouble::new(cell, spec.habits(), faults, clock.clone())
}

fn store(dir: &Path, spec: &Spec, i: usize, faults: Faults) -> StoreDouble {
    let cell = Cell::file(&dir.join(format!("store{i}.json")), &Shelf::holding(&old())).unwrap();
    StoreDouble::new(cell, spec.manners[i], faults)
}

impl Outside {
    pub(crate) fn open(dir: &Path, spec: &Spec) -> Outside {
        let clock = clock(dir);
        let none = Faults::default;
        let provider = provider(dir, spec, none(), &clock);
        Outside { clock, provider, stores: [store(dir, spec, 0, none()), store(dir, spec, 1, none())] }
    }
}

impl Rig {
    pub(crate) fn open(dir: &Path, spec: &Spec, failpoint: Option<Box<dyn Failpoint>>) -> Rig {
        let clock = clock(dir);
        let mut journal = Journal::open(&dir.join("j.db"), Keyring::new(&[7; 32]).unwrap()).unwrap();
        if let Some(failpoint) = failpoint {
            journal = journal.with_failpoint(failpoint);
        }
        let stores: Vec<Box<dyn Store>> =
            (0..2).map(|i| Box::new(store(dir, spec, i, spec.stores[i].clone())) as Box<dyn Store>).collect();
        Rig {
            provider: provider(dir, spec, spec.provider.clone(), &clock),
            clock,
            journal,
            dir: dir.to_owned(),
            spec: spec.clone(),
            stores,
        }
    }

    /// Plans the rotation, or finds the one that was planned.
    pub(crate) fn rotation(&self) -> RotationId {
        if let Some(id) = self.journal.newest(LINEAGE).unwrap() {
            return id;
        }
        let claims = ["vault:one".to_owned(), "vault:two".to_owned()];
        let person = Person { by: "ana".into(), does: Does::Emergency { capped: false } };
        let old = old();
        let new = New {
            lineage: LINEAGE,
            frozen: self.spec.frozen(),
            old: KeyId("old".into()),
            value: Some(&old),
            claims: &claims,
            leaked: self.spec.emergency.then_some(person),
        };
        self.journal.plan(&new, self.clock.now()).unwrap()
    }

    pub(crate) fn engine(&self, worker: &str) -> Engine<'_> {
        Engine::new(&self.journal, &self.provider, &self.stores, &*self.clock, worker)
            .with_spans(Span::seconds(60), Duration::from_secs(20))
    }

    /// Steps until it ends or a person is asked. Waiting moves the clock; so does a rival that may be dead, unless
    /// one is known to live.
    pub(crate) fn drive(&self, id: RotationId, worker: &str, rival_lives: bool) -> Progress {
        let engine = self.engine(worker);
        for _ in 0..20_000 {
            match engine.advance(id).unwrap() {
                Progress::Stepped => {}
                Progress::Wait(until) => self.clock.move_to(until).unwrap(),
                Progress::Busy if rival_lives => std::thread::sleep(Duration::from_millis(1)),
                Progress::Busy => self.clock.move_to(self.clock.now() + Span::seconds(10)).unwrap(),
                end => return end,
            }
        }
        panic!("no end: {:?}", self.journal.load(id).unwrap());
    }

    /// Drives to the very end, with a person who mends what is asked. Gives the end and how often one was asked.
    pub(crate) fn drive_with_help(&self, id: RotationId) -> (Phase, Vec<Halt>) {
        let mut asked = Vec::new();
        for _ in 0..20 {
            match self.drive(id, "w", false) {
                Progress::Finished(phase) => return (phase, asked),
                Progress::Ask(Ask::Resolve(halt)) => {
                    assert!(halt.words().len() > 20, "{halt:?} says what to do");
                    self.check_running();
                    asked.push(halt);
                    let retry = Person { by: "ana".into(), does: Does::Retry };
                    self.journal.say(id, &retry, self.clock.now()).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("never ends: {asked:?}");
    }

    /// While it runs or waits for a person, every store holds a key that works.
    pub(crate) fn check_running(&self) {
        let outside = Outside::open(&self.dir, &self.spec);
        for store in &outside.stores {
            let value = store.current().unwrap().unwrap();
            assert!(outside.provider.works(&value).unwrap() || self.spec.liar, "{:?}", self.spec);
        }
    }

    /// What must hold at the end.
    pub(crate) fn check_end(&self, phase: Phase) {
        let outside = Outside::open(&self.dir, &self.spec);
        let spec = &self.spec;
        let held: Vec<Secret> = outside.stores.iter().map(|s| s.current().unwrap().unwrap()).collect();
        for value in &held {
            assert!(outside.provider.works(value).unwrap(), "a store holds a dead key: {spec:?}");
        }
        assert_eq!(held[0], held[1], "{spec:?}");
        let done = phase == Phase::Done;
        assert_eq!(held[0] == old(), !done, "{phase} {spec:?}");
        assert_eq!(outside.provider.works(&old()).unwrap(), !done, "{phase} {spec:?}");
        let left = outside.provider.look().unwrap().ids().len();
        let wanted = if spec.class == Class::F { 2 } else { 1 };
        assert_eq!(left, wanted, "surplus key: {spec:?} {:?}", outside.provider.look());
        self.journal.verify_audit(None).unwrap();
        self.check_no_key_at_rest();
    }

    /// No value of any key stands in the journal's files, nor in what it gives out.
    pub(crate) fn check_no_key_at_rest(&self) {
        let doubles = fs::read_to_string(self.dir.join("keys.json")).unwrap();
        let mut values: Vec<String> =
            doubles.split('"').filter(|w| w.starts_with("double-")).map(str::to_owned).collect();
        values.push(String::from_utf8(old().expose().to_vec()).unwrap());
        let mut texts = vec![format!("{:?}", self.journal.letters().unwrap()).into_bytes()];
        texts.push(format!("{:?}", self.journal.audit_entries().unwrap()).into_bytes());
        for file in fs::read_dir(&self.dir).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("j.db") {
                texts.push(fs::read(path).unwrap());
            }
        }
        for value in &values {
            let found = texts.iter().any(|text| text.windows(value.len()).any(|w| w == value.as_bytes()));
            assert!(!found, "a raw key is at rest: {:?}", self.spec);
        }
    }
}
