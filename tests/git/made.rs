//! A repository to ask questions of, and a sink that keeps what is pushed.

use super::Lab;
use keywheel::model::{Blob, Held, ObjectId, Origin, Provenance, Role, Sink, Skipped};
use keywheel::source::git::{Repository, Surroundings};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A repository that fills a lab of its own.
pub(crate) struct Made(Lab);

impl Made {
    /// An empty one with a work tree, on the branch `main`.
    pub(crate) fn new() -> Self {
        let made = Made::folder();
        made.git(&["init", "-q", "-b", "main", "."]);
        made
    }

    /// An empty folder.
    pub(crate) fn folder() -> Self {
        Made(Lab::empty())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    /// Where `git clone` finds it.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path("").display())
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.0.command(".", args)
    }

    /// Runs `git`; its output without the last line break.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.0.git(".", args)
    }

    /// Runs `git` with something to read.
    pub(crate) fn git_with(&self, args: &[&str], input: &[u8]) -> String {
        self.0.git_with(".", args, input)
    }

    /// Writes a file.
    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        self.0.put(name, text);
        self
    }

    /// Commits all that stands in the work tree; the commit's name.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn open(&self) -> Repository {
        Repository::open(&self.path(""), &Surroundings::default()).unwrap()
    }
}

pub(crate) fn id(hex: &str) -> ObjectId {
    ObjectId::parse(hex.as_bytes()).unwrap_or_else(|| panic!("{hex:?} is no object's name"))
}

pub(crate) fn ids(lines: &str) -> BTreeSet<ObjectId> {
    lines.lines().map(id).collect()
}

/// Something that was pushed.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) provenance: Arc<Provenance>,
    pub(crate) role: Role,
}

impl Pushed {
    pub(crate) fn origin(&self) -> &Origin {
        self.provenance.origin.as_ref().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Keeps what is pushed.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) pushed: Mutex<Vec<Pushed>>,
    pub(crate) skipped: Mutex<Vec<Skipped>>,
}

impl Kept {
    /// What is new and held in such a way, sorted by its bytes.
    pub(crate) fn new_of(&self, held: Held) -> Vec<Pushed> {
        let pushed = self.pushed.lock().unwrap();
        let fits = |p: &&Pushed| p.role == Role::New && p.origin().held == held;
        let mut list: Vec<Pushed> = pushed.iter().filter(fits).cloned().collect();
        list.sort_by(|a, b| a.bytes.cmp(&b.bytes));
        list
    }

    /// The texts of all that was pushed as an old side, sorted.
    pub(crate) fn old(&self) -> Vec<String> {
        let pushed = self.pushed.lock().unwrap();
        let mut list: Vec<String> = pushed.iter().filter(|p| p.role == Role::Old).map(Pushed::text).collect();
        list.sort();
        list
    }
}

impl Sink for Kept {
    fn blob(&self, blob: Blob<'_>) {
        self.pushed.lock().unwrap().push(Pushed {
            bytes: blob.bytes.to_vec(),
            provenance: blob.provenance,
            role: blob.role,
        });
    }

    fn skipped(&self, skipped: Skipped) {
        self.skipped.lock().unwrap().push(skipped);
    }
}
