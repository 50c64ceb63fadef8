//! A first look passes over nothing that a search of the whole text would report: histories of
//! random edits, packed by `git`, surveyed, and searched version by version beside it.
//!
//! `KEYWHEEL_BATTERY=full` runs 1,000 histories; `KEYWHEEL_HISTORIES` names repositories, separated
//! by colons, whose every blob is compared as well.
#![allow(clippy::unwrap_used)]

mod edits;

use keywheel::detect::{Detector, Workspace, is_reported};
use keywheel::model::{Blob, Confidence, Look, ObjectId, Sink, Skipped, Window};
use keywheel::rule::RuleSet;
use keywheel::scan::{Collector, Options};
use keywheel::source::git::Objects;
use keywheel::source::git::memory::Once;
use keywheel::source::git::survey::{Content, Survey};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

const FLOOR: Confidence = Confidence::Medium;
/// A value can pass the filters under one path and not under another.
const PATHS: [&[u8]; 4] = [b"", b"src/main.c", b"deploy/app.yaml", b"docs/guide.md"];

fn detector() -> Detector {
    Detector::new(Arc::new(RuleSet::embedded()))
}

/// Packs texts with deltas against each other; gives their names in order.
fn pack(dir: &Path, versions: &[Vec<u8>]) -> Vec<ObjectId> {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(args).current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", dir).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
    };
    assert!(git(&["init", "-q", "--bare", "."]).status().unwrap().success());
    let marks = dir.join("marks");
    let mut import = git(&["fast-import", "--quiet", "--depth=50"])
        .arg(format!("--export-marks={}", marks.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = import.stdin.take().unwrap();
    for (i, text) in versions.iter().enumerate() {
        write!(input, "blob\nmark :{}\ndata {}\n", i + 1, text.len()).unwrap();
        input.write_all(text).unwrap();
        input.write_all(b"\n").unwrap();
    }
    drop(input);
    assert!(import.wait().unwrap().success());
    let listed = std::fs::read_to_string(marks).unwrap();
    let mut ids = BTreeMap::new();
    for line in listed.lines() {
        let (mark, id) = line.split_once(' ').unwrap();
        ids.insert(mark[1..].parse::<usize>().unwrap(), ObjectId::parse(id.as_bytes()).unwrap());
    }
    ids.into_values().collect()
}

fn flagged(objects: &Objects) -> BTreeSet<ObjectId> {
    let options = Options { floor: Some(FLOOR), ..Options::default() };
    let collector = Collector::new(detector(), options);
    let memory = Once::default();
    let survey = Survey::new(objects, &collector, &memory, 2, u64::MAX);
    survey.look(&|_, _, _| true);
    let found = survey.hot();
    let coverage = collector.finish().coverage;
    assert!(coverage.is_complete(), "{:?}", coverage.list);
    found.blobs
}

fn reports(detector: &Detector, text: &[u8], work: &mut Workspace) -> bool {
    PATHS.iter().any(|path| {
        let found = detector.scan(text, path, work);
        let kinds = detector.rules().kinds();
        found.iter().any(|f| f.confidence >= FLOOR && is_reported(kinds[f.kind].class))
    })
}

#[test]
fn generated_histories() {
    let count = if std::env::var_os("KEYWHEEL_BATTERY").is_some() { 1000 } else { 40 };
    let examples = edits::examples();
    let detector = detector();
    let mut work = Workspace::default();
    let (mut told, mut quiet, mut spared) = (0, 0, 0);
    for seed in 0..count {
        let dir = Folder::new(&format!("history-{seed}"));
        let versions = edits::history(seed, &examples);
        let ids = pack(&dir.0, &versions);
        assert_eq!(ids.len(), versions.len());
        let found = flagged(&Objects::open(&[dir.0.join("objects")]).unwrap());
        for (i, (id, text)) in ids.iter().zip(&versions).enumerate() {
            if reports(&detector, text, &mut work) {
                told += 1;
                assert!(found.contains(id), "history {seed}, version {i} is passed over");
            } else {
                quiet += 1;
                spared += usize::from(!found.contains(id));
            }
        }
    }
    println!(
        "{count} histories: {told} versions with a finding, {quiet} without, {spared} of those passed over"
    );
    assert!(told > count as usize && quiet > count as usize && spared * 2 > quiet);
}

#[test]
fn real_histories() {
    let Some(list) = std::env::var_os("KEYWHEEL_HISTORIES") else { return };
    for path in std::env::split_paths(&list) {
        let objects = Objects::open(&[path.join("objects")]).unwrap();
        let found = flagged(&objects);
        let whole = Whole { detector: detector(), told: Mutex::default() };
        let memory = Once::default();
        let survey = Survey::new(&objects, &whole, &memory, 2, u64::MAX);
        survey.look(&|_, _, _| true);
        let all = survey.hot().blobs;
        survey_each(&objects, &all, &whole);
        let told = whole.told.into_inner().unwrap();
        let missed: Vec<_> = told.difference(&found).collect();
        println!("{}: {} blobs, {} told, {} pointed at", path.display(), all.len(), told.len(), found.len());
        assert!(missed.is_empty(), "{missed:?}");
    }
}

fn survey_each(objects: &Objects, all: &BTreeSet<ObjectId>, whole: &Whole) {
    let memory = Once::default();
    let survey = Survey::new(objects, whole, &memory, 2, u64::MAX);
    survey.again(all, &|id, content| {
        let Content::Bytes(bytes) = content else { return };
        if reports(&whole.detector, bytes, &mut Workspace::default()) {
            whole.told.lock().unwrap().insert(id);
        }
    });
}

/// Takes no first looks, so that every blob is pointed at.
struct Whole {
    detector: Detector,
    told: Mutex<BTreeSet<ObjectId>>,
}

impl Sink for Whole {
    fn blob(&self, _: Blob<'_>) {}
    fn skipped(&self, skipped: Skipped) {
        panic!("{skipped:?}");
    }
    fn look(&self, text: &[u8], _: &[Window]) -> Look {
        Look { hot: std::iter::once(0..text.len()).collect(), far: Vec::new() }
    }
}

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("keywheel-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
