//! The journal: what was planned, announced and done, in SQLite, so that a crash at any instant loses nothing.
//!
//! Every change of a rotation is one transaction that loads the state, applies the event by the machine's own
//! [`apply`](crate::rotate::machine::apply), and writes state, intent, sealed material, labels, alerts and audit together. Writes under a lease
//! check its fencing number inside the transaction.

mod history;
mod lease;
mod leaves;
mod open;
mod pool;
mod record;
mod schema;
mod talk;
#[cfg(test)]
mod tests;
mod wrapped;

use crate::alert::OutboxError;
use crate::rotate::audit::{AuditFault, Head};
use crate::rotate::machine::Illegal;
use crate::rotate::seal::{Keyring, SealError};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

pub use history::Kept;
pub use pool::{Level, Pooled};
pub use record::{Extra, New, Record, RotationId};
pub use talk::{Letter, Scope};
pub use wrapped::{WrapError, Wrapper};

/// An open journal. One thread's; other processes and threads open their own.
pub struct Journal {
    db: RefCell<Connection>,
    path: PathBuf,
    keyring: Keyring,
    commits: Cell<u64>,
    failpoint: Box<dyn Failpoint>,
}

/// Where a crash may be staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Just before a commit.
    Before,
    /// Just after a commit.
    After,
}

/// A seam for tests: may end the process around a commit.
pub trait Failpoint {
    /// The journal is about to commit, or just has, for the `n`th time since it was opened.
    fn reached(&self, point: Point, n: u64);
}

/// Nothing fails.
struct Steady;

impl Failpoint for Steady {
    fn reached(&self, _: Point, _: u64) {}
}

/// Why the journal cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] std::io::Error),
    /// Others may read the file.
    #[error("{0}: others may read it; a journal needs mode 0600")]
    Rights(PathBuf),
    /// Locks do not hold there.
    #[error("a journal cannot live on a file system of kind {0}: its locks do not hold between hosts")]
    Network(&'static str),
    /// No write-ahead log.
    #[error("{0}: the database has no write-ahead log")]
    NoWal(PathBuf),
    /// Some other file.
    #[error("{0}: this is not a journal of Keywheel")]
    Foreign(PathBuf),
    /// Made by another release.
    #[error("the journal has version {0}, this release knows version 1")]
    Version(i64),
    /// SQLite.
    #[error("journal: {0}")]
    Db(#[from] rusqlite::Error),
    /// What is stored cannot be read.
    #[error("journal: rotation {0} cannot be read: {1}")]
    Unreadable(i64, String),
    /// The frozen policy is not the one whose hash was kept.
    #[error("journal: the frozen policy of rotation {0} was changed")]
    Thawed(i64),
    /// No such rotation.
    #[error("there is no rotation {0}")]
    NoRotation(i64),
    /// A rotation of this lineage is under way.
    #[error("a rotation of `{0}` is under way")]
    Active(String),
    /// Somebody rotated it since.
    #[error("`{0}` was rotated meanwhile: look at it again")]
    Moved(String),
    /// New rotations are paused.
    #[error("new rotations are paused ({0})")]
    Paused(String),
    /// A key that is in a pool, or was drawn or dropped.
    #[error("this key was put in a pool before, and no key is used twice")]
    Pooled,
    /// A key that is in no pool any more.
    #[error("key {0} is in no pool: it was drawn, dropped, or never there")]
    NotPooled(i64),
    /// Another worker took over.
    #[error("the lease was lost to another worker")]
    Fenced,
    /// The machine refuses.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The data key that something else wraps.
    #[error("the key that seals the journal: {0}")]
    Wrap(#[from] WrapError),
    /// No data key is there.
    #[error("the journal holds no data key that `{0}` wraps: is this the right journal, and the right key?")]
    Unwrapped(String),
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The audit.
    #[error(transparent)]
    Audit(#[from] AuditFault),
    /// The outbox of alerts.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl Journal {
    fn new(db: Connection, path: PathBuf, keyring: Keyring) -> Journal {
        Journal { db: RefCell::new(db), path, keyring, commits: Cell::new(0), failpoint: Box::new(Steady) }
    }

    /// The same with a place for staged crashes.
    pub fn with_failpoint(mut self, failpoint: Box<dyn Failpoint>) -> Journal {
        self.failpoint = failpoint;
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys that seal.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// How many transactions this handle committed.
    pub fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// Runs `work` in one writing transaction.
    fn transact<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut db = self.db.borrow_mut();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        let n = self.commits.get() + 1;
        self.failpoint.reached(Point::Before, n);
        tx.commit()?;
        self.commits.set(n);
        self.failpoint.reached(Point::After, n);
        Ok(done)
    }

    /// Checks the audit's chain, against an exported head if there is one, and gives its own head.
    ///
    /// # Errors
    /// The first fault, or SQLite's.
    pub fn verify_audit(&self, exported: Option<&Head>) -> Result<Head, JournalError> {
        let entries = self.audit_entries()?;
        Ok(crate::rotate::audit::verify(&self.keyring, entries, exported)?)
    }

    /// Makes sure that what was erased is in no file any more: the write-ahead log is emptied.
    ///
    /// # Errors
    /// SQLite's. Another reader may hold the log; then it is emptied by the next call.
    pub fn tidy(&self) -> Result<(), JournalError> {
        let db = self.db.borrow();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).optional()?;
        Ok(())
    }
}
