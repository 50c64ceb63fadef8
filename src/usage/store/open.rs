//! Opening a store: ours, of this version, for its owner alone.

use super::{APPLICATION, Store, StoreError, TABLES, VERSION};
use crate::sqlite;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(10);

impl Store {
    /// Opens a store, or makes it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let file = private(path)?;
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        let empty = file.metadata().map_err(io)?.len() == 0;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(PATIENCE)?;
        let foreign = |e: rusqlite::Error| match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign(path.to_owned()),
            _ => StoreError::Sql(e),
        };
        let number = |db: &Connection, name: &str| {
            db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).map_err(foreign)
        };
        match (number(&db, "application_id")?, number(&db, "user_version")?) {
            (APPLICATION, VERSION) => {}
            (APPLICATION, found) => return Err(StoreError::Version { path: path.to_owned(), found }),
            // A process may have ended before it made the tables.
            (0, 0) if empty || tables(&db)? == 0 => {}
            _ => return Err(StoreError::Foreign(path.to_owned())),
        }
        sqlite::write_ahead(&db, PATIENCE)?;
        // What a lost power supply may take is read again from the provider, or imported again.
        db.execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -32000;",
        )?;
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if tx.query_row("PRAGMA application_id", [], |row| row.get::<_, i64>(0))? == 0 {
            tx.execute_batch(TABLES)?;
            tx.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
            ))?;
        }
        tx.commit()?;
        Ok(Store { path: path.to_owned(), db: RefCell::new(db) })
    }
}

fn tables(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

fn private(path: &Path) -> Result<File, StoreError> {
    let io = |source| StoreError::Io { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    let file = options.open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(StoreError::Rights(path.to_owned()));
        }
    }
    Ok(file)
}
