//! What sweeps remember between runs, in one SQLite file: which objects were looked at, which of
//! those are to be read again, what became of findings, and what providers said of them. Never a value, and
//! never a path or name out of a repository.
//!
//! What a look gives is written in one row, sealed, with the looks themselves: an object counts as
//! looked at only where what it points at is written too, whenever the process ends.

mod entry;
mod file;
mod lifecycle;
mod recall;
mod seal;
mod verdicts;

pub use entry::{Entry, Finished, Left};
pub use lifecycle::{Judged, Of, Row, Trust, judge};
pub use recall::{Counts, Recall};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use seal::Key;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Marks the file as ours: `KWsw`.
const APPLICATION: u32 = 0x4b57_7377;
/// The form of the tables.
const VERSION: u32 = 2;

const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE repository (
    id INTEGER PRIMARY KEY, place BLOB NOT NULL UNIQUE, body BLOB NOT NULL, seal BLOB NOT NULL
) STRICT;
CREATE TABLE batch (
    id INTEGER PRIMARY KEY, repository INTEGER NOT NULL, sweep INTEGER NOT NULL, objects INTEGER NOT NULL,
    texts INTEGER NOT NULL, bytes INTEGER NOT NULL, hashes BLOB NOT NULL, hot BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;
CREATE INDEX batch_repository ON batch (repository, sweep);
";

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is somebody else's.
    #[error("`{}` is no state file of keywheel: {what}; it was left alone, name another with --state", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Another process has it.
    #[error("`{}` is in use by another sweep; wait until that has ended, or name another file with --state", .0.display())]
    Busy(PathBuf),
    /// It is ours, and cannot be used any more.
    #[error("`{}` cannot be used: {what}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system refused.
    #[error("cannot use the state file `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database refused.
    #[error("cannot use the state file `{}`: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// Its fingerprints were made with another key.
    #[error(
        "the findings in `{}` have fingerprints of the key `{found}`, this run's key is `{expected}`: use the \
         baseline of the earlier sweeps, or name another file with --state", path.display()
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The key id there.
        found: String,
        /// The key id of this run.
        expected: String,
    },
}

/// A file that could not be used, and was moved out of the way.
#[derive(Debug)]
pub struct Aside {
    /// Where it is now.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// An open state file. No other process can use it meanwhile.
pub struct State {
    path: PathBuf,
    db: Mutex<Connection>,
    key: Key,
}

impl State {
    /// Opens a state, or begins one where there is none. What is ours and cannot be used any more is
    /// moved aside, and a new one begun. `secret` is a new state's key: nobody may guess it.
    ///
    /// # Errors
    /// The file is somebody else's, in use, or cannot be read or written.
    pub fn open(path: &Path, secret: [u8; 32]) -> Result<(Self, Option<Aside>), StateError> {
        let what = match file::examine(path)? {
            file::Is::Nothing => return Ok((State::create(path, secret)?, None)),
            file::Is::Ours(VERSION) => match State::connect(path) {
                Err(StateError::Broken { what, .. }) => what,
                other => return Ok((other?, None)),
            },
            file::Is::Ours(version) => {
                // A program of that version may have it in use.
                let busy = open(path).and_then(|db| exclusive(&db).map_err(|e| told(path, e)));
                if let Err(busy @ StateError::Busy(_)) = busy {
                    return Err(busy);
                }
                format!("it has the form {version}, this program uses {VERSION}")
            }
        };
        let aside = State::rebuild(path, what)?;
        Ok((State::create(path, secret)?, Some(aside)))
    }

    /// Moves a state aside that turned out to be unusable, so that [`State::open`] begins a new one.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn rebuild(path: &Path, what: String) -> Result<Aside, StateError> {
        file::move_aside(path).map(|path| Aside { path, what })
    }

    fn create(path: &Path, secret: [u8; 32]) -> Result<Self, StateError> {
        file::make(path)?;
        let db = open(path)?;
        let fill = || {
            // One transaction of the journal that SQLite begins with: the file is empty or whole.
            db.execute_batch("BEGIN EXCLUSIVE;")?;
            if db.pragma_query_value(None, "application_id", |row| row.get(0)) == Ok(APPLICATION) {
                // Another sweep was quicker.
                return db.execute_batch("ROLLBACK;");
            }
            db.pragma_update(None, "application_id", APPLICATION)?;
            db.pragma_update(None, "user_version", VERSION)?;
            db.execute_batch(TABLES)?;
            db.execute("INSERT INTO meta VALUES ('key', ?1)", [&secret[..]])?;
            db.execute_batch("COMMIT;")
        };
        fill().map_err(|e| told(path, e))?;
        drop(db);
        State::connect(path)
    }

    fn connect(path: &Path) -> Result<Self, StateError> {
        let db = open(path)?;
        let begin = || {
            db.pragma_update(None, "trusted_schema", false)?;
            exclusive(&db)?;
            db.pragma_update(None, "journal_mode", "WAL")?;
            db.pragma_update(None, "synchronous", "NORMAL")?;
            db.execute_batch("BEGIN EXCLUSIVE; COMMIT;")?;
            for table in ["repository", "batch"] {
                db.query_row(&format!("SELECT count(*) FROM {table} WHERE 0"), [], |_| Ok(()))?;
            }
            db.query_row("SELECT value FROM meta WHERE name = 'key'", [], |row| row.get::<_, Vec<u8>>(0))
        };
        let broken = |what: String| StateError::Broken { path: path.to_owned(), what };
        let key = match begin() {
            Ok(key) => Key::new(&key).ok_or_else(|| broken("its key is damaged".to_owned()))?,
            Err(e) => return Err(told(path, e)),
        };
        Ok(State { path: path.to_owned(), db: Mutex::new(db), key })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the database.
    fn ask<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, StateError> {
        work(&mut self.db()).map_err(|e| told(&self.path, e))
    }

    fn broken(&self, what: &str) -> StateError {
        StateError::Broken { path: self.path.clone(), what: what.to_owned() }
    }
}

fn open(path: &Path) -> Result<Connection, StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|e| told(path, e))?;
    db.busy_timeout(std::time::Duration::ZERO).map_err(|e| told(path, e))?;
    Ok(db)
}

/// Takes the file for this process, for as long as it is open.
fn exclusive(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.execute_batch("BEGIN EXCLUSIVE; COMMIT;")
}

/// What an error of the database means.
fn told(path: &Path, source: rusqlite::Error) -> StateError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            StateError::Busy(path)
        }
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::DiskFull
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure,
        ) => StateError::Refused { path, source },
        // What we ask never changes, so whatever else is wrong is wrong with the file.
        _ => StateError::Broken { path, what: source.to_string() },
    }
}
