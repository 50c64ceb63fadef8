//! One key in every guise: each case holds its own synthetic, checksum-valid GitHub token, and the
//! command must report it, whole, at the right line. `docs/matrix.md` sets peers beside it.
//!
//! `KEYWHEEL_MATRIX_OUT=folder cargo test --test matrix` leaves the files and `manifest.json` there,
//! for `benches/matrix.py`.

// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

mod cases;
mod pack;

use keywheel::rule::{checksum, example};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A key in one guise.
pub(crate) struct Case {
    /// What it is, in words; unique.
    pub(crate) name: &'static str,
    /// The file that holds it.
    pub(crate) file: &'static str,
    /// Makes the file of the key.
    pub(crate) build: fn(&str) -> Vec<u8>,
    /// The line on which the key begins, in the file or in the member of the archive.
    pub(crate) line: fn(&str) -> u64,
}

impl Case {
    /// Each case has a folder of its own, so that a file's name can be what tools go by.
    fn folder(&self) -> String {
        self.name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
            .join("-")
            .to_lowercase()
    }
}

/// The key of case `n`.
fn token(n: usize) -> String {
    let crc = checksum::by_name("crc32-base62");
    let made = example::expand("<ghp_{a62:30}{checksum}>", crc, 0x6d61_7472 + n as u64).unwrap();
    String::from_utf8(made.value).unwrap()
}

struct Planted {
    folder: String,
    line: u64,
    token: String,
}

/// Writes every case under `root/cases`, and the list of them beside it.
fn plant(root: &Path) -> Vec<Planted> {
    let mut planted = Vec::new();
    let mut manifest = Vec::new();
    for (n, case) in cases::all().iter().enumerate() {
        let token = token(n);
        let (folder, line) = (case.folder(), (case.line)(&token));
        let place = root.join("cases").join(&folder);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(case.file), (case.build)(&token)).unwrap();
        manifest.push(serde_json::json!({
            "name": case.name, "folder": folder, "file": case.file, "line": line, "token": token,
        }));
        planted.push(Planted { folder, line, token });
    }
    fs::write(root.join("manifest.json"), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
    planted
}

#[test]
fn every_guise_is_found_at_its_line() {
    let kept = env::var_os("KEYWHEEL_MATRIX_OUT").map(PathBuf::from);
    let root = kept.clone().unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix"));
    if kept.is_none() && root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    let planted = plant(&root);
    let report = root.join("keywheel.jsonl");
    let run = Command::new(env!("CARGO_BIN_EXE_keywheel"))
        .args(["scan", "--show-secrets", "--format"])
        .arg(format!("jsonl={}", report.display()))
        .arg(root.join("cases"))
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", String::from_utf8_lossy(&run.stderr));
    let report = fs::read_to_string(report).unwrap();
    let found: Vec<serde_json::Value> = report.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let mut faults = Vec::new();
    for p in &planted {
        let inside = |f: &&serde_json::Value| {
            f["path"].as_str().is_some_and(|path| path.split(['/', '\\']).any(|part| part == p.folder))
        };
        let here: Vec<_> = found.iter().filter(inside).collect();
        let seen: Vec<String> = here
            .iter()
            .map(|f| {
                format!("{} line {} {} whole: {}", f["path"], f["line"], f["rule"], f["secret"] == p.token)
            })
            .collect();
        let right = |f: &&&serde_json::Value| {
            f["secret"] == p.token && f["line"] == p.line && f["rule"] == "github-pat-classic"
        };
        if here.iter().find(right).is_none() {
            faults.push(format!("{}: expected line {}, found {seen:?}", p.folder, p.line));
        }
    }
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), planted.len(), faults.join("\n"));
}

#[test]
fn the_table_is_large_enough_and_its_names_differ() {
    let all = cases::all();
    let folders: BTreeSet<String> = all.iter().map(Case::folder).collect();
    assert_eq!(folders.len(), all.len());
    assert!(all.len() >= 40);
    let tokens: BTreeSet<String> = (0..all.len()).map(token).collect();
    assert_eq!(tokens.len(), all.len());
}
