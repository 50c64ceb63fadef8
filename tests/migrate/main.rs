//! Configurations of Gitleaks, unchanged, over one tree: the same findings, by file, line and secret.
//!
//! What Gitleaks finds is recorded in `recorded.txt`, a line for each finding with a digest of the secret.
//! With `KEYWHEEL_GITLEAKS` (the program's path) it is run anew and compared with the record; with
//! `KEYWHEEL_RECORD` as well, the record is written.
#![allow(clippy::unwrap_used)]

use keywheel::detect::Detector;
use keywheel::migrate::{self, Options};
use keywheel::model::{Blob, Provenance, RawPath, Sink};
use keywheel::rule::{RuleSet, example};
use keywheel::scan::{self, Collector};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The version whose findings are recorded.
const VERSION: &str = "8.30.1";
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/migrate/recorded.txt");

/// File, line and a digest of the secret.
type Place = (String, u64, String);

/// Sections of a file: `=== name` and what follows; with `===-` without the last line break.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String, bool)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let head = line.strip_prefix("===");
        if let Some(name) = head.and_then(|h| h.strip_prefix(' ').or(h.strip_prefix("- "))) {
            out.push((name.trim().to_owned(), String::new(), line.starts_with("===-")));
        } else if let Some(last) = out.last_mut() {
            last.1.push_str(line);
        }
    }
    let ended = |(name, text, cut): (String, String, bool)| {
        let text = if cut { text.trim_end_matches('\n').to_owned() } else { text };
        (name, text)
    };
    out.into_iter().map(ended).collect()
}

/// The tree, with generated values, by path.
fn tree() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for (n, (name, text)) in sections(include_str!("tree.txt")).into_iter().enumerate() {
        let mut bytes = example::expand_plain(&text, None, 7 + n as u64).unwrap();
        if name.contains("crlf") {
            bytes = String::from_utf8(bytes).unwrap().replace('\n', "\r\n").into_bytes();
        }
        files.push((name, bytes));
    }
    // Bytes that are no UTF-8.
    let key = |n| example::expand_plain("acme_{a62:24}", None, n).unwrap();
    let mut latin = Vec::new();
    for (n, before) in [&b"caf\xe9="[..], b" na\xefve=", b" \n\xe2\x82caf\xe9="].into_iter().enumerate() {
        latin.extend_from_slice(before);
        latin.extend(key(91 + n as u64));
    }
    latin.push(b'\n');
    files.push(("latin.txt".to_owned(), latin));
    files
}

/// The configurations, by name; what they extend ends in `.inc`.
fn configs() -> Vec<(String, String)> {
    sections(include_str!("configs.txt"))
}

/// The file that a configuration stands in.
fn file(name: &str) -> String {
    if name.ends_with(".inc") { name.to_owned() } else { format!("{name}.toml") }
}

fn digest(secret: &[u8]) -> String {
    Sha256::digest(secret).iter().take(6).map(|b| format!("{b:02x}")).collect()
}

/// What we find with a configuration.
fn ours(name: &str, text: &str, tree: &[(String, Vec<u8>)]) -> (BTreeSet<Place>, Vec<String>) {
    let all = configs();
    let read = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy();
        let found = all.iter().find(|(n, _)| *n == name);
        found.map(|(_, text)| text.clone()).ok_or(std::io::ErrorKind::NotFound.into())
    };
    let path = PathBuf::from("configs").join(file(name));
    let made = migrate::rules(&path, text, &Options { read: &read, defaults: None }).unwrap();
    let mut rules = RuleSet::empty();
    rules.add_texts(made.rules.into_iter().map(|(n, t)| (PathBuf::from(n), t)).collect()).unwrap();
    let files: BTreeSet<String> =
        rules.kinds().iter().filter(|k| k.pattern.is_empty()).map(|k| k.id.clone()).collect();
    let options = scan::Options { inline_allow: true, ..scan::Options::default() };
    let collector = Collector::new(Detector::new(Arc::new(rules)), options);
    for (name, bytes) in tree {
        let provenance = Provenance::file(RawPath::new(name.as_bytes()));
        collector.blob(Blob::whole(bytes, Arc::new(provenance)));
    }
    let mut places = BTreeSet::new();
    for finding in collector.finish().findings {
        for o in finding.occurrences.iter().filter(|o| o.suppression.is_none()) {
            let file = String::from_utf8(o.provenance.path.as_bytes().to_vec()).unwrap();
            // A file that is the finding has neither line nor secret there.
            places.insert(match files.contains(&finding.rule.id) {
                true => (file, 0, digest(b"")),
                false => (file, o.location.line, digest(finding.secret.expose())),
            });
        }
    }
    (places, made.notes.iter().map(ToString::to_string).collect())
}

fn recorded() -> BTreeMap<String, BTreeSet<Place>> {
    let mut out: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
    for line in fs::read_to_string(RECORDED).unwrap().lines().filter(|l| !l.starts_with('#')) {
        let parts: Vec<&str> = line.split('\t').collect();
        let [name, file, line, digest] = parts[..] else { panic!("{line}") };
        out.entry(name.to_owned()).or_default().insert((
            file.to_owned(),
            line.parse().unwrap(),
            digest.to_owned(),
        ));
    }
    out
}

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What Gitleaks finds with each configuration.
fn theirs(program: &str) -> BTreeMap<String, BTreeSet<Place>> {
    let folder = Folder(std::env::temp_dir().join(format!("keywheel-migrate-{}", std::process::id())));
    let put = |path: PathBuf, bytes: &[u8]| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for (name, bytes) in tree() {
        put(folder.0.join("tree").join(name), &bytes);
    }
    for (name, text) in configs() {
        put(folder.0.join("configs").join(file(&name)), text.as_bytes());
    }
    let version = Command::new(program).arg("version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&version.stdout).trim(), VERSION);
    let mut out = BTreeMap::new();
    for (name, _) in configs().into_iter().filter(|(name, _)| !name.ends_with(".inc")) {
        let config = format!("../configs/{}", file(&name));
        let args = [
            "dir",
            ".",
            "--no-banner",
            "-l",
            "error",
            "--exit-code",
            "0",
            "-f",
            "json",
            "-r",
            "../report.json",
            "-c",
        ];
        let run =
            Command::new(program).args(args).arg(config).current_dir(folder.0.join("tree")).output().unwrap();
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
        let report = fs::read_to_string(folder.0.join("report.json")).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_str(&report).unwrap();
        let place = |f: &serde_json::Value| {
            let secret = digest(f["Secret"].as_str().unwrap().as_bytes());
            (f["File"].as_str().unwrap().to_owned(), f["StartLine"].as_u64().unwrap(), secret)
        };
        out.insert(name, list.iter().map(place).collect());
    }
    out
}

/// Both sides of a difference, for people.
fn differences(ours: &BTreeSet<Place>, theirs: &BTreeSet<Place>) -> String {
    let list = |a: &BTreeSet<Place>, b: &BTreeSet<Place>| {
        let line = |(file, line, digest): &Place| format!("\n  {file}:{line} {digest}");
        a.difference(b).map(line).collect::<String>()
    };
    format!("\n only ours:{}\n only theirs:{}", list(ours, theirs), list(theirs, ours))
}

#[test]
fn an_unchanged_configuration_finds_the_same() {
    let (tree, recorded) = (tree(), recorded());
    let (mut same, mut wrong) = (0, String::new());
    for (name, text) in configs().into_iter().filter(|(n, _)| !n.ends_with(".inc") && !n.starts_with("more-"))
    {
        let empty = BTreeSet::new();
        let theirs = recorded.get(&name).unwrap_or(&empty);
        assert!(!theirs.is_empty(), "{name} finds nothing, and so proves nothing");
        let (ours, notes) = ours(&name, &text, &tree);
        assert!(notes.iter().all(|n| n.contains("tags are not kept")), "{name}: {notes:?}");
        if ours == *theirs {
            same += 1;
        } else {
            wrong.push_str(&format!("{name}: {}\n", differences(&ours, theirs)));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(same >= 30, "{same}");
}

/// The differences that `docs/migrate.md` tells: where Gitleaks leaves more out.
#[test]
fn where_it_differs_more_is_found() {
    let (tree, recorded) = (tree(), recorded());
    for (name, text) in configs().into_iter().filter(|(name, _)| name.starts_with("more-")) {
        let empty = BTreeSet::new();
        let theirs = recorded.get(&name).unwrap_or(&empty);
        let (ours, _) = ours(&name, &text, &tree);
        assert!(
            ours.is_superset(theirs) && ours.len() > theirs.len(),
            "{name}: {}",
            differences(&ours, theirs)
        );
    }
}

#[test]
fn the_record_is_what_gitleaks_finds() {
    let Ok(program) = std::env::var("KEYWHEEL_GITLEAKS") else {
        eprintln!("not compared with Gitleaks: KEYWHEEL_GITLEAKS does not name it");
        return;
    };
    let theirs = theirs(&program);
    if std::env::var_os("KEYWHEEL_RECORD").is_some() {
        let mut text =
            format!("# What Gitleaks {VERSION} finds: configuration, file, line, digest of the secret.\n");
        for (name, places) in &theirs {
            for (file, line, digest) in places {
                text.push_str(&format!("{name}\t{file}\t{line}\t{digest}\n"));
            }
        }
        fs::write(RECORDED, text).unwrap();
    }
    let some: BTreeMap<_, _> = theirs.into_iter().filter(|(_, places)| !places.is_empty()).collect();
    assert_eq!(some, recorded());
}
