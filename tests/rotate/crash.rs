//! Kills around every commit of the journal, with a client that uses the key all the while.
//!
//! The test binary runs itself as the worker. A worker kills itself at the chosen commit; the next one goes on.

use super::rig::{Folder, OVERLAP, Outside, Rig, Spec};
use keywheel::rotate::double::Manner;
use keywheel::rotate::engine::Clock;
use keywheel::rotate::journal::{Failpoint, Point};
use keywheel::rotate::machine::{Class, Phase};
use keywheel::rotate::{Progress, RotationId};
use rustix::process::{Signal, getpid, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const ORDER: &str = "KEYWHEEL_ROTATE_CHILD";

/// Sends a signal to its own process at one commit.
struct At {
    point: Point,
    n: u64,
    signal: Signal,
}

impl Failpoint for At {
    fn reached(&self, point: Point, n: u64) {
        if (point, n) == (self.point, self.n) {
            kill_process(getpid(), self.signal).unwrap();
            // A stop may reach another thread first: this one waits for it here.
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

/// What a worker is to do.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) dir: PathBuf,
    pub(crate) spec: Spec,
    pub(crate) worker: String,
    pub(crate) rival_lives: bool,
    /// Kill or stop itself at this commit.
    pub(crate) at: Option<(bool, Point, u64)>,
}

impl Order {
    fn word(&self) -> String {
        let at = self.at.map_or("-".to_owned(), |(kill, point, n)| {
            format!("{}{}{n}", if kill { 'k' } else { 's' }, if point == Point::Before { 'b' } else { 'a' })
        });
        let rival = u8::from(self.rival_lives);
        format!("{}|{}|{}|{rival}|{at}", self.dir.display(), self.spec.word(), self.worker)
    }

    fn parse(word: &str) -> Order {
        let w: Vec<&str> = word.split('|').collect();
        let at = w[4].strip_prefix(['k', 's']).map(|rest| {
            let point = if rest.starts_with('b') { Point::Before } else { Point::After };
            (w[4].starts_with('k'), point, rest[1..].parse().unwrap())
        });
        Order {
            dir: w[0].into(),
            spec: Spec::parse(w[1]),
            worker: w[2].to_owned(),
            rival_lives: w[3] == "1",
            at,
        }
    }

    pub(crate) fn spawn(&self) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["crash::worker", "--exact", "--nocapture", "--test-threads=1"])
            .env(ORDER, self.word())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn run(&self) -> ExitStatus {
        self.spawn().wait().unwrap()
    }
}

/// Not a test by itself: what a worker process does.
#[test]
fn worker() {
    let Ok(word) = std::env::var(ORDER) else { return };
    let order = Order::parse(&word);
    let failpoint = order.at.map(|(kill, point, n)| -> Box<dyn Failpoint> {
        Box::new(At { point, n, signal: if kill { Signal::KILL } else { Signal::STOP } })
    });
    let rig = Rig::open(&order.dir, &order.spec, failpoint);
    let id = rig.rotation();
    let end = rig.drive(id, &order.worker, order.rival_lives);
    assert!(matches!(end, Progress::Finished(_)), "{end:?}");
}

/// A client that reads the key from the first store and uses it, over and over.
struct Client {
    stop: Arc<AtomicBool>,
    uses: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Client {
    fn start(dir: &Path, spec: &Spec) -> Client {
        let outside = Outside::open(dir, spec);
        let (stop, uses, failed) = <(Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let flags = (stop.clone(), uses.clone(), failed.clone());
        let thread = std::thread::spawn(move || {
            let (stop, uses, failed) = flags;
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                let store = &outside.stores[n % 2];
                n += 1;
                let read = outside.clock.now();
                let value = store.current().unwrap().unwrap();
                let worked = outside.provider.use_key(&value).unwrap();
                uses.fetch_add(1, Ordering::Relaxed);
                // The clock leaps; a key that was held longer than half the overlap is read again, as any client does.
                if !worked && outside.clock.now().since(read) < keywheel::rotate::time::Span(OVERLAP.0 / 2) {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Client { stop, uses, failed, thread }
    }

    fn end(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        (self.uses.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
struct Tally {
    kills: u64,
    rotations: u64,
    uses: u64,
}

impl Tally {
    /// One rotation that is killed at each of these commits in turn and then goes on to its end.
    fn rotate(&mut self, spec: &Spec, kills: &[(Point, u64)]) {
        let folder = Folder::new("crash");
        let client = Client::start(&folder.0, spec);
        let mut order = Order {
            dir: folder.0.clone(),
            spec: spec.clone(),
            worker: "w0".into(),
            rival_lives: false,
            at: None,
        };
        for (i, &(point, n)) in kills.iter().enumerate() {
            order.worker = format!("w{i}");
            order.at = Some((true, point, n));
            let status = order.run();
            match status.signal() {
                Some(9) => self.kills += 1,
                // It ended before it came to that commit.
                None if status.success() => {}
                _ => panic!("{status:?} {spec:?} {kills:?}"),
            }
        }
        (order.worker, order.at) = ("last".into(), None);
        assert!(order.run().success(), "{spec:?} {kills:?}");
        let (uses, failed) = client.end();
        assert_eq!(failed, 0, "the client saw a dead key: {spec:?} {kills:?}");
        let rig = Rig::open(&folder.0, spec, None);
        let phase = rig.journal.load(RotationId(1)).unwrap().rotation.phase;
        assert_eq!(phase, Phase::Done, "{spec:?} {kills:?}");
        rig.check_end(phase);
        self.uses += uses;
        self.rotations += 1;
    }

    fn print(&self, name: &str) {
        println!(
            "{name}: {} kills in {} rotations, {} uses by clients, 0 failed, 0 keys lost, 0 left over",
            self.kills, self.rotations, self.uses
        );
    }
}

fn full() -> bool {
    std::env::var("KEYWHEEL_BATTERY").is_ok_and(|v| v == "full")
}

/// How many commits a rotation takes when nothing happens.
fn commits(spec: &Spec) -> u64 {
    let folder = Folder::new("commits");
    let rig = Rig::open(&folder.0, spec, None);
    rig.drive(rig.rotation(), "w", false);
    rig.journal.commits()
}

#[test]
fn a_kill_around_every_commit_loses_nothing() {
    let mut tally = Tally::default();
    for (c, class) in Class::ALL.into_iter().enumerate() {
        for (m, manner) in Manner::ALL.into_iter().enumerate() {
            let spec = Spec::new(class, manner);
            let last = commits(&spec);
            let stride = if full() { 1 } else { 17 };
            for n in (1..=last).filter(|n| (n + c as u64 * 3 + m as u64 * 7).is_multiple_of(stride)) {
                for point in [Point::Before, Point::After] {
                    // The workers that follow are killed too, soon after they take over.
                    let again = [(Point::After, 1 + n % 5), (Point::Before, 2 + n % 3)];
                    let kills = [(point, n), again[0], again[1]];
                    tally.rotate(&spec, if full() { &kills } else { &kills[..2] });
                }
            }
        }
    }
    tally.print("kills at commits");
    assert!(tally.kills >= if full() { 5000 } else { 100 }, "{}", tally.kills);
}

#[test]
fn kills_at_any_time_with_faults_lose_nothing() {
    let mut tally = Tally::default();
    for seed in 0..if full() { 40 } else { 2 } {
        for class in Class::ALL {
            let manner = Manner::ALL[(seed % 3) as usize];
            let spec = Spec::new(class, manner).seeded(seed * 17 + 5, 60);
            let folder = Folder::new("any");
            let mut order = Order {
                dir: folder.0.clone(),
                spec: spec.clone(),
                worker: "w0".into(),
                rival_lives: false,
                at: None,
            };
            for i in 0..4u64 {
                order.worker = format!("w{i}");
                let mut child = order.spawn();
                std::thread::sleep(Duration::from_millis((seed * 7 + i * 5) % 29 + 4));
                if child.try_wait().unwrap().is_none() {
                    child.kill().unwrap();
                    tally.kills += 1;
                }
                child.wait().unwrap();
            }
            let rig = Rig::open(&folder.0, &spec, None);
            let (phase, _) = rig.drive_with_help(rig.rotation());
            rig.check_end(phase);
            tally.rotations += 1;
        }
    }
    tally.print("kills at any time, with faults");
}
