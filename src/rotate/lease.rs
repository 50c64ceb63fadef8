//! A worker's right to drive a lineage: a lease in the journal, and a lock of the operating system.
//!
//! The lease's fencing number guards the journal. A provider cannot check it, so whoever makes a call also holds
//! a lock that ends with the process: a worker that was stopped beyond its lease keeps others from calling until
//! it goes on or dies, and then finds its lease gone.

use super::machine::digest;
use super::time::Moment;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// A lease as the journal gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The lineage.
    pub lineage: String,
    /// The fencing number.
    pub fence: i64,
    /// The worker.
    pub holder: String,
    /// When it ends.
    pub until: Moment,
}

/// The lock of one lineage. Held until dropped, or until the process ends however it ends.
#[derive(Debug)]
pub struct OsLock {
    _file: File,
}

impl OsLock {
    /// Takes the lock of `lineage` beside `journal`; `None` while another worker has it.
    ///
    /// # Errors
    /// The lock file cannot be made or locked.
    pub fn try_take(journal: &Path, lineage: &str) -> io::Result<Option<OsLock>> {
        let mut path = journal.as_os_str().to_owned();
        path.push(format!("-lock-{}", &digest(lineage.as_bytes())[..16]));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(OsLock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}
