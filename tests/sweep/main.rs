//! `keywheel sweep`: repositories made by `git`, swept again and again while things happen to them
//! and to the state file.
#![cfg(unix)]
// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

#[path = "../cli/github.rs"]
mod github;
mod kill;
mod lifecycle;
mod state;
#[path = "../cli/token.rs"]
mod token;
mod verify;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use token::{Random, token as key};

/// A folder that goes away with its owner.
struct Lab(PathBuf);

impl Lab {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("keywheel-sweep-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Lab(path.canonicalize().unwrap())
    }

    /// With a repository `a` that keeps no reflogs, as those on servers do.
    fn with_repository() -> Self {
        let lab = Lab::new();
        lab.repository("a");
        lab
    }

    fn repository(&self, name: &str) {
        self.git(".", &["init", "-q", "-b", "main", name]);
        self.git(name, &["config", "core.logAllRefUpdates", "false"]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A `git` that knows nothing of whoever runs the test.
    fn command(&self, repository: &str, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(self.path(repository)).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("nobody")).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "A U Thor");
            command.env(format!("GIT_{who}_EMAIL"), "author@example.com");
            command.env(format!("GIT_{who}_DATE"), "1700000000 +0100");
        }
        command.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"]).args(args);
        command
    }

    /// What `git` says.
    fn git(&self, repository: &str, args: &[&str]) -> String {
        let out = self.command(repository, args).output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
    }

    fn git_with(&self, repository: &str, args: &[&str], input: &[u8]) {
        let mut child = self.command(repository, args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert!(child.wait().unwrap().success(), "git {args:?}");
    }

    /// Writes files and commits them in `a`; the commit.
    fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        files.iter().for_each(|(name, text)| self.put(&format!("a/{name}"), text));
        self.git("a", &["add", "-A"]);
        self.git("a", &["commit", "-q", "--allow-empty", "-m", message]);
        self.git("a", &["rev-parse", "HEAD"])
    }

    /// The program, with a scrubbed environment.
    fn keywheel(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
        command.current_dir(&self.0).env_clear().stdin(Stdio::null()).args(args);
        command
    }

    /// A sweep of `a` with the state `s`.
    fn sweep(&self, more: &[&str]) -> Swept {
        self.sweep_of(&[&["a"], more].concat())
    }

    fn sweep_of(&self, args: &[&str]) -> Swept {
        let out = self
            .keywheel(&[&["sweep", "--state", "s", "--format", "json", "--quiet", "-j", "2"], args].concat())
            .output()
            .unwrap();
        let told = String::from_utf8(out.stderr).unwrap();
        let json = serde_json::from_slice(&out.stdout).unwrap_or(Value::Null);
        Swept { code: out.status.code().unwrap(), told, json }
    }

    /// Everything that the state has written, files beside it included.
    fn state(&self) -> Vec<u8> {
        let list = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap());
        let list = list.filter(|e| e.file_name().to_string_lossy().starts_with('s'));
        list.flat_map(|e| fs::read(e.path()).unwrap()).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a sweep told.
#[derive(Debug)]
struct Swept {
    code: i32,
    told: String,
    json: Value,
}

impl Swept {
    #[track_caller]
    fn gives(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{} {:#}", self.told, self.json);
        self
    }

    /// The status of each finding, by its first place.
    fn statuses(&self) -> BTreeMap<String, String> {
        let one = |f: &Value| {
            let path = f["occurrences"][0]["path"].as_str().unwrap();
            (path.to_owned(), f["status"].as_str().unwrap().to_owned())
        };
        self.json["findings"].as_array().unwrap().iter().map(one).collect()
    }

    #[track_caller]
    fn has(&self, expected: &[(&str, &str)]) {
        let expected: BTreeMap<String, String> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(self.statuses(), expected, "{:#}", self.json);
    }

    /// Findings without their standing.
    fn findings(&self) -> Vec<Value> {
        let mut list = self.json["findings"].as_array().unwrap().clone();
        for finding in &mut list {
            for gone in ["status", "acceptance", "next"] {
                finding.as_object_mut().unwrap().remove(gone);
            }
            for place in finding["occurrences"].as_array_mut().unwrap() {
                place.as_object_mut().unwrap().remove("status");
                place.as_object_mut().unwrap().remove("acceptance");
            }
        }
        list
    }

    fn blobs(&self) -> u64 {
        self.json["coverage"]["blobs"].as_u64().unwrap()
    }

    fn remembered(&self) -> u64 {
        self.json["sweep"]["remembered"].as_u64().unwrap()
    }

    /// Fingerprints of what is fixed or withdrawn.
    fn gone(&self, word: &str) -> Vec<String> {
        let list = self.json["sweep"][word].as_array().unwrap().iter();
        list.map(|p| p["fingerprint"].as_str().unwrap().to_owned()).collect()
    }

    fn fingerprint(&self, path: &str) -> String {
        let list = self.json["findings"].as_array().unwrap();
        let found = list.iter().find(|f| f["occurrences"][0]["path"] == path).unwrap();
        found["fingerprint"].as_str().unwrap().to_owned()
    }
}

/// Whether bytes hold a text.
fn holds(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
