//! Opening a journal: whose file it is, on which file system, with which rights.

use super::schema::{APPLICATION, TABLES, VERSION};
use super::{Journal, JournalError};
use crate::rotate::seal::Keyring;
use crate::sqlite;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(10);

impl Journal {
    /// Opens the journal at `path`, or makes it with rights for its owner only.
    ///
    /// # Errors
    /// See [`JournalError`]: a network file system, a file that others may read, a database that is no journal
    /// or one of a newer version.
    pub fn open(path: &Path, keyring: Keyring) -> Result<Journal, JournalError> {
        Ok(Journal::new(connect(path)?, path.to_owned(), keyring))
    }
}

/// Opens the database, or makes it.
pub(super) fn connect(path: &Path) -> Result<Connection, JournalError> {
    let file = private(path)?;
    local(&file, path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    let empty = file.metadata().map_err(|e| JournalError::File(path.into(), e))?.len() == 0;
    if sqlite::write_ahead(&db, PATIENCE)? != "wal" {
        return Err(JournalError::NoWal(path.into()));
    }
    db.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;
             PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
    )?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pragma = |name: &str| tx.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    match (pragma("application_id")?, pragma("user_version")?) {
        (APPLICATION, VERSION) => {}
        (APPLICATION, version) => return Err(JournalError::Version(version)),
        (0, 0) if empty || tables(&tx)? == 0 => {
            tx.execute_batch(TABLES)?;
            tx.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
            ))?;
        }
        _ => return Err(JournalError::Foreign(path.into())),
    }
    tx.execute_batch(super::pool::TABLE)?;
    tx.commit()?;
    Ok(db)
}

fn tables(db: &Connection) -> Result<i64, rusqlite::Error> {
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

/// The file, with rights for its owner only; made if it is not there.
fn private(path: &Path) -> Result<File, JournalError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    let file = options.open(path).map_err(|e| JournalError::File(path.into(), e))?;
    let meta = file.metadata().map_err(|e| JournalError::File(path.into(), e))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(JournalError::Rights(path.into()));
        }
    }
    if !meta.is_file() {
        return Err(JournalError::Foreign(path.into()));
    }
    Ok(file)
}

/// File systems whose locks or shared memory do not hold between hosts, by the magic numbers of statfs(2).
#[cfg(target_os = "linux")]
const REMOTE: [(u32, &str); 14] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "kAFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x7375_7245, "Coda"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x786F_4256, "vboxsf"),
];

#[cfg(target_os = "linux")]
fn local(file: &File, path: &Path) -> Result<(), JournalError> {
    let stat = rustix::fs::fstatfs(file).map_err(|e| JournalError::File(path.into(), e.into()))?;
    // The field's type and sign differ between machines; the number is 32 bits wide everywhere.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
    remote(stat.f_type as u32).map_or(Ok(()), |name| Err(JournalError::Network(name)))
}

#[cfg(target_os = "linux")]
fn remote(magic: u32) -> Option<&'static str> {
    REMOTE.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

#[cfg(target_os = "macos")]
fn local(file: &File, path: &Path) -> Result<(), JournalError> {
    /// `MNT_LOCAL` of statfs(2).
    const LOCAL: u32 = 0x1000;
    let stat = rustix::fs::fstatfs(file).map_err(|e| JournalError::File(path.into(), e.into()))?;
    if stat.f_flags & LOCAL == 0 { Err(JournalError::Network("network")) } else { Ok(()) }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn local(_: &File, _: &Path) -> Result<(), JournalError> {
    Err(JournalError::Network("unknown"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        for (magic, name) in REMOTE {
            assert_eq!(remote(magic), Some(name));
        }
        // ext4, btrfs, xfs, tmpfs, overlayfs, zfs
        for magic in [0xEF53, 0x9123_683E, 0x5846_5342, 0x0102_1994, 0x794C_7630, 0x2FC1_2FC1] {
            assert_eq!(remote(magic), None);
        }
    }
}
