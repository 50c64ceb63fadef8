//! What was intended and what came of it, a line of JSON each, written through to the disk before anything goes on.

use super::{Order, Outcome};
use crate::call::{Ending, Right};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// One line. Holds no secret: a key is named by its fingerprint.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Version of the form.
    pub version: u32,
    /// When, by RFC 3339.
    pub at: String,
    /// Binds an outcome to its intent.
    pub id: String,
    /// Which of the two.
    pub event: Event,
    /// The rule whose declaration is followed.
    pub rule: String,
    /// Whose key it is.
    pub provider: String,
    /// The key.
    pub fingerprint: String,
    /// Whose right the call uses.
    pub right: Right,
    /// What becomes of the key.
    pub effect: Ending,
    /// Ids that the operator gave.
    pub asked: BTreeMap<String, String>,
    /// Why a key may be reported to a public service, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// HTTP status of the answer to the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What else there is to say of that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// The change is about to be sent.
    Intent,
    /// What came of it.
    Outcome,
}

impl Entry {
    /// The intent to carry out an order.
    pub fn intent(
        order: &Order,
        id: String,
        at: Timestamp,
        asked: BTreeMap<String, String>,
        reason: Option<String>,
    ) -> Self {
        Entry {
            version: 1,
            at: at.to_string(),
            id,
            event: Event::Intent,
            rule: order.declared.rule.id.clone(),
            provider: order.declared.provider.id.clone(),
            fingerprint: order.finding.fingerprint.to_string(),
            right: order.revoke().right,
            effect: order.revoke().effect,
            asked,
            reason,
            outcome: None,
            status: None,
            detail: String::new(),
        }
    }

    pub(super) fn ended(&self, at: Timestamp, outcome: &Outcome, status: Option<u16>) -> Self {
        let (word, detail) = (Some(outcome.as_str()), outcome.detail().to_owned());
        Entry { at: at.to_string(), event: Event::Outcome, outcome: word, status, detail, ..self.clone() }
    }
}

/// Why a line was not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the log of revocations {path}: {why}", path = path.display())]
pub struct LogError {
    path: PathBuf,
    why: io::Error,
}

/// A file that only grows.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens it, or makes it for its owner alone.
    ///
    /// # Errors
    /// It cannot be written, or is no file.
    pub fn open(path: &Path) -> Result<Log, LogError> {
        let wrong = |why| LogError { path: path.to_owned(), why };
        // Before it is opened: a pipe would wait for a reader.
        if path.metadata().is_ok_and(|m| !m.is_file()) {
            return Err(wrong(io::Error::other("it is no regular file")));
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(wrong)?;
        // A new name is on the disk only once its folder is.
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder).and_then(|f| f.sync_all()).map_err(wrong)?;
        }
        Ok(Log { path: path.to_owned(), file })
    }

    /// Appends a line in one write, and returns once it is on the disk.
    ///
    /// # Errors
    /// It is not.
    pub fn write(&mut self, entry: &Entry) -> Result<(), LogError> {
        let line = serde_json::to_vec(entry).map_err(io::Error::other);
        line.and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)?;
            self.file.sync_all()
        })
        .map_err(|why| LogError { path: self.path.clone(), why })
    }
}
