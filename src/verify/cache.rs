//! Verdicts kept between runs, so that a pull request, a hook and a nightly sweep ask once.
//!
//! An entry's name is an HMAC, under a random key of this file alone, of everything the verdict depends on. The
//! file holds no secret and no fingerprint; whoever may read it could still test guesses, and whoever may write it
//! could call a live key dead, so it is used only if it is ours and nobody else may touch it.

use super::run::Verdict;
use crate::model::{Access, Evidence, Grade, Level, Unknown, Validity};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Version of the file's form.
const VERSION: u32 = 1;
/// Longest file that is read.
const BYTES: u64 = 64 << 20;
/// Entries kept; the oldest go first.
const ENTRIES: usize = 100_000;
/// How long another process is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Seconds for which a verdict holds. A working key may be revoked at any moment, a dead one rarely comes back.
const ACTIVE: i64 = 10 * 60;
const INACTIVE: i64 = 7 * 24 * 3600;
const UNKNOWN: i64 = 5 * 60;

/// What is wrong with a cache. The run goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum CacheFault {
    /// The file is somebody else's, open to others, or no plain file.
    #[error("the cache {0} is not used: {1}")]
    Foreign(PathBuf, &'static str),
    /// It does not parse. It is taken for empty and written anew.
    #[error("the cache {0} is damaged and taken for empty")]
    Corrupt(PathBuf),
    /// The system refused.
    #[error("the cache {0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// Another process held it for too long, so that nothing was written.
    #[error("the cache {0} is in use; what was learnt is not kept")]
    Busy(PathBuf),
}

/// The verdicts of earlier runs.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    key: [u8; 32],
    entries: BTreeMap<String, Kept>,
    /// What this run learnt. Named only when it is written, since another process may have made the file by then.
    fresh: Vec<([u8; 32], Kept)>,
    /// Whether the file may be replaced.
    ours: bool,
}

/// One verdict as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    at: i64,
    rule: String,
    validity: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    identity: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    expectation: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    host: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<Rights>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rights {
    grade: Option<(String, String)>,
    facts: BTreeMap<String, String>,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    version: u32,
    key: String,
    entries: BTreeMap<String, Kept>,
}

impl Kept {
    /// A verdict that is worth keeping: one for which somebody was asked.
    pub(super) fn of(verdict: &Verdict) -> Option<Self> {
        let evidence = verdict.evidence.clone()?;
        let (because, identity) = match &verdict.validity {
            Validity::Active { identity, .. } => (None, identity.clone()),
            Validity::Inactive => (None, BTreeMap::new()),
            Validity::NotChecked(_) | Validity::Unknown(Unknown::Refused) => return None,
            Validity::Unknown(why) => (Some(why.as_str().to_owned()), BTreeMap::new()),
        };
        let rights = |access: &Access| Rights {
            grade: access.grade.as_ref().map(|g| (g.level.as_str().to_owned(), g.means.clone())),
            facts: access.facts.clone(),
        };
        let Evidence { rule, status, expectation, host, at, detail, .. } = evidence;
        Some(Kept {
            at,
            rule,
            validity: verdict.validity.as_str().to_owned(),
            because,
            identity,
            status,
            expectation,
            host,
            detail,
            access: verdict.access.as_ref().map(rights),
        })
    }

    /// The verdict again; `None` if the words are none of ours.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let identity = || self.identity.clone();
        let validity = match (self.validity.as_str(), &self.because) {
            ("active", None) => Validity::Active { restricted: false, identity: identity() },
            ("active-restricted", None) => Validity::Active { restricted: true, identity: identity() },
            ("inactive", None) => Validity::Inactive,
            ("unknown", Some(why)) => Validity::Unknown(Unknown::from_word(why)?),
            _ => return None,
        };
        let grade = |(level, means): &(String, String)| {
            Some(Grade { level: Level::from_word(level)?, means: means.clone() })
        };
        let access = |r: &Rights| Access { grade: r.grade.as_ref().and_then(grade), facts: r.facts.clone() };
        let evidence = Evidence {
            rule: self.rule.clone(),
            status: self.status,
            expectation: self.expectation.clone(),
            host: self.host.clone(),
            at: self.at,
            cached: true,
            detail: self.detail.clone(),
        };
        Some(Verdict { validity, evidence: Some(evidence), access: self.access.as_ref().map(access) })
    }

    /// Whether it still holds. What claims to come from the future does not.
    fn holds(&self, now: i64) -> bool {
        let life = match self.validity.as_str() {
            "inactive" => INACTIVE,
            "unknown" => UNKNOWN,
            _ => ACTIVE,
        };
        (self.at..self.at.saturating_add(life)).contains(&now)
    }
}

impl Cache {
    /// Opens the cache at `path`. A file that cannot be used gives an empty cache and the reason. `random` becomes
    /// the key if the file has none yet.
    pub fn open(path: &Path, random: [u8; 32]) -> (Self, Option<CacheFault>) {
        let path = path.to_owned();
        let (whole, ours, fault) = match load(&path) {
            Ok(whole) => (whole, true, None),
            Err(fault) => (None, matches!(fault, CacheFault::Corrupt(_)), Some(fault)),
        };
        let (key, entries) = whole.unwrap_or((random, BTreeMap::new()));
        (Cache { path, key, entries, fresh: Vec::new(), ours }, fault)
    }

    /// A cache that is kept elsewhere: what [`Cache::into_bytes`] gave, or an empty one. `random` becomes the key of
    /// an empty one. What does not parse is taken for none.
    pub fn of_bytes(bytes: Option<&[u8]>, random: [u8; 32]) -> Self {
        let (key, entries) = bytes.and_then(content).unwrap_or((random, BTreeMap::new()));
        Cache { path: PathBuf::new(), key, entries, fresh: Vec::new(), ours: false }
    }

    /// What is to be kept elsewhere, if this run learnt anything. Holds no secret.
    pub fn into_bytes(self, now: i64) -> Option<Vec<u8>> {
        let (fresh, content) = (self.fresh, (self.key, self.entries));
        (!fresh.is_empty()).then(|| written(content, fresh, now)).transpose().ok().flatten()
    }

    /// What is known under a key, if it still holds.
    pub(super) fn get(&self, key: &[u8; 32], now: i64) -> Option<Verdict> {
        self.entries.get(&name(&self.key, key)).filter(|kept| kept.holds(now))?.verdict()
    }

    /// Keeps a verdict until the cache is saved.
    pub(super) fn put(&mut self, key: &[u8; 32], verdict: &Verdict) {
        if let Some(kept) = Kept::of(verdict) {
            self.fresh.push((*key, kept));
        }
    }

    /// Writes what this run learnt beside what other processes have written since. Readers see the old file or the
    /// new one, never a part.
    ///
    /// # Errors
    /// Nothing was written, and why.
    pub fn save(mut self, now: i64) -> Result<(), CacheFault> {
        if self.fresh.is_empty() || !self.ours {
            return Ok(());
        }
        let io = |error| CacheFault::Io(self.path.clone(), error);
        let _held = lock(&self.path)?;
        let before = match load(&self.path) {
            Ok(Some(whole)) => whole,
            Ok(None) | Err(CacheFault::Corrupt(_)) => (self.key, BTreeMap::new()),
            Err(fault) => return Err(fault),
        };
        let text = written(before, std::mem::take(&mut self.fresh), now).map_err(|e| io(e.into()))?;
        let beside = suffixed(&self.path, &format!(".{}.part", std::process::id()));
        let written =
            private(&beside, OpenOptions::new().write(true).create_new(true)).and_then(|mut file| {
                file.write_all(&text)?;
                file.sync_data()?;
                fs::rename(&beside, &self.path)
            });
        if written.is_err() {
            // What cannot be removed is a part of a cache, under a name of this process.
            let _ = fs::remove_file(&beside);
        }
        written.map_err(io)
    }
}

/// The form in which verdicts are kept, with the new ones, without those that do not hold any more.
fn written(
    (key, mut entries): Content,
    fresh: Vec<([u8; 32], Kept)>,
    now: i64,
) -> Result<Vec<u8>, serde_json::Error> {
    for (raw, kept) in fresh {
        entries.insert(name(&key, &raw), kept);
    }
    entries.retain(|_, kept| kept.holds(now));
    if entries.len() > ENTRIES {
        let mut ages: Vec<i64> = entries.values().map(|kept| kept.at).collect();
        ages.sort_unstable();
        let oldest = ages[entries.len() - ENTRIES];
        entries.retain(|_, kept| kept.at >= oldest);
    }
    serde_json::to_vec(&Whole { version: VERSION, key: hex(&key), entries })
}

/// The content of that form.
fn content(text: &[u8]) -> Option<Content> {
    let whole: Whole = serde_json::from_slice(text).ok()?;
    let key = unhex(&whole.key).filter(|_| whole.version == VERSION)?;
    Some((key, whole.entries))
}

/// The name of an entry.
fn name(key: &[u8; 32], raw: &[u8; 32]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("because HMAC takes a key of any length");
    hex(&mac.chain_update(b"keywheel verdict\0").chain_update(raw).finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(out)
}

/// The key of a file, and its entries by name.
type Content = ([u8; 32], BTreeMap<String, Kept>);

/// Reads the file; `None` if there is none.
fn load(path: &Path) -> Result<Option<Content>, CacheFault> {
    let file = match private(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) => {
            return Err(CacheFault::Foreign(path.to_owned(), "it is a link"));
        }
        Err(e) => return Err(CacheFault::Io(path.to_owned(), e)),
    };
    let io = |error| CacheFault::Io(path.to_owned(), error);
    if let Some(why) = foreign(&file.metadata().map_err(io)?) {
        return Err(CacheFault::Foreign(path.to_owned(), why));
    }
    let corrupt = || CacheFault::Corrupt(path.to_owned());
    let mut text = Vec::new();
    file.take(BYTES + 1).read_to_end(&mut text).map_err(io)?;
    if text.len() as u64 > BYTES {
        return Err(corrupt());
    }
    content(&text).map(Some).ok_or_else(corrupt)
}

/// Why a file is not to be trusted.
fn foreign(metadata: &fs::Metadata) -> Option<&'static str> {
    if !metadata.is_file() {
        return Some("it is no plain file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Some("it belongs to another user");
        }
        if metadata.mode() & 0o077 != 0 {
            return Some("others may read or write it; remove it, or make it 0600");
        }
    }
    None
}

/// Opens a file that is for its owner only, and no link.
fn private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe of that name must not be waited for.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

/// Waits for the lock of a cache, a file beside it that stays.
fn lock(path: &Path) -> Result<File, CacheFault> {
    let io = |error| CacheFault::Io(path.to_owned(), error);
    let file = private(&suffixed(path, ".lock"), OpenOptions::new().write(true).create(true)).map_err(io)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(fs::TryLockError::WouldBlock) => return Err(CacheFault::Busy(path.to_owned())),
            Err(fs::TryLockError::Error(e)) => return Err(io(e)),
        }
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests;
