//! The series in one SQLite file. No value of a key is in it, only what providers call their keys.

mod open;
mod past;
mod read;
mod write;

pub use past::Counts;
pub use read::{Filter, LastUse, Line, Names, Teller};
pub use write::{Changed, Stretch, Taken};

use crate::alert::{Event, Outbox, OutboxError};
use crate::rule::{Class, Columns, Grain};
use crate::usage::time;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Marks the file as ours: `KWus`.
const APPLICATION: i64 = 0x4b57_7573;
/// The form of the tables.
const VERSION: i64 = 1;

/// Moments of `hour` are hours and those of `day` days since 1970, so that a row stays small. `day` is the sum of
/// `hour` and goes with it in every transaction.
const TABLES: &str = "
CREATE TABLE source(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, provider TEXT NOT NULL, class TEXT NOT NULL,
  grain INTEGER NOT NULL, measures INTEGER NOT NULL, mark INTEGER, read_at INTEGER
) STRICT;
CREATE TABLE key(id INTEGER PRIMARY KEY, provider TEXT NOT NULL, name TEXT NOT NULL, UNIQUE(provider, name)) STRICT;
CREATE TABLE label(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE hour(
  source INTEGER NOT NULL, at INTEGER NOT NULL, key INTEGER NOT NULL, model INTEGER NOT NULL,
  place INTEGER NOT NULL, requests INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL,
  cost INTEGER NOT NULL, errors INTEGER NOT NULL, revision INTEGER NOT NULL,
  PRIMARY KEY(source, at, key, model, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE day(
  source INTEGER NOT NULL, at INTEGER NOT NULL, key INTEGER NOT NULL, model INTEGER NOT NULL,
  requests INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cost INTEGER NOT NULL,
  errors INTEGER NOT NULL, PRIMARY KEY(source, at, key, model)
) STRICT, WITHOUT ROWID;
CREATE TABLE last_use(
  source INTEGER NOT NULL, key INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(source, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE request(source INTEGER NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(source, id))
STRICT, WITHOUT ROWID;
CREATE TABLE log(
  source INTEGER NOT NULL, bytes INTEGER NOT NULL, digest BLOB NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY(source, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE flag(subject TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(subject, at)) STRICT, WITHOUT ROWID;
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO label VALUES (0, '');
";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("cannot use `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is somebody else's.
    #[error("`{}` is another program's file; it was left alone", .0.display())]
    Foreign(PathBuf),
    /// It is of another version.
    #[error("`{path}` has the form {found}; this program reads {VERSION}", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: i64,
    },
    /// Others may read it.
    #[error("`{}` may be read by others; take that right away (chmod 600)", .0.display())]
    Rights(PathBuf),
    /// The same source was written before with other properties.
    #[error(
        "the source `{0}` was written before as one of another provider, class or grain; give it another name"
    )]
    Source(String),
    /// Figures of hours that were taken away for their age: their days would be made from a part of them.
    #[error("the hours before {0} were taken away for their age; what is older cannot be written any more")]
    Old(String),
    /// The database refused.
    #[error("the store of usage refused: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// What a source tells, so that two sources of one key are not added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Requests.
    pub requests: bool,
    /// Tokens.
    pub tokens: bool,
    /// Cost.
    pub cost: bool,
    /// Errors.
    pub errors: bool,
}

impl Measures {
    /// What columns tell.
    pub fn of(columns: &Columns, grain: Grain) -> Self {
        Measures {
            requests: columns.requests.is_some() || grain == Grain::Request,
            tokens: !columns.input.is_empty() || !columns.output.is_empty(),
            cost: columns.cost.is_some(),
            errors: columns.errors.is_some() || columns.failed.is_some(),
        }
    }

    fn bits(self) -> i64 {
        [self.requests, self.tokens, self.cost, self.errors]
            .iter()
            .enumerate()
            .map(|(n, on)| i64::from(*on) << n)
            .sum()
    }

    fn from_bits(bits: i64) -> Self {
        let bit = |n: u32| bits >> n & 1 == 1;
        Measures { requests: bit(0), tokens: bit(1), cost: bit(2), errors: bit(3) }
    }
}

/// A credential under which a meter is read; the same meter may be read under several.
pub type Account = String;

/// Where figures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Unique: the meter's id and the account, or what the operator calls a log.
    pub name: String,
    /// Whose keys they are.
    pub provider: String,
    /// How near it is to the key.
    pub class: Class,
    /// Seconds of a bucket.
    pub grain: i64,
    /// What it tells.
    pub measures: Measures,
}

/// How far a source was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Everything before this second is read.
    pub to: i64,
    /// When that was.
    pub read_at: i64,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    db: RefCell<Connection>,
}

impl Store {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far a source was read; none if never.
    ///
    /// # Errors
    /// SQLite's.
    pub fn mark(&self, source: &str) -> Result<Option<Mark>, StoreError> {
        let db = self.db.borrow();
        let row = db
            .query_row("SELECT mark, read_at FROM source WHERE name = ?1", [source], |r| {
                Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<i64>>(1)?))
            })
            .optional()?;
        Ok(row.and_then(|(to, at)| Some(Mark { to: to?, read_at: at? })))
    }

    /// The outbox of alerts, which stands in the same file.
    ///
    /// # Errors
    /// SQLite's.
    pub fn outbox(&self) -> Result<Outbox<'_>, OutboxError> {
        Outbox::new(&self.db)
    }

    /// The hours of each subject from which nothing is learnt.
    ///
    /// # Errors
    /// SQLite's.
    pub fn flags(&self, from: i64) -> Result<BTreeMap<String, BTreeSet<i64>>, StoreError> {
        let db = self.db.borrow();
        let mut query = db.prepare("SELECT subject, at FROM flag WHERE at >= ?1")?;
        let mut flags: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for row in query.query_map([from], |r| Ok((r.get(0)?, r.get(1)?)))? {
            let (subject, at) = row?;
            flags.entry(subject).or_default().insert(at);
        }
        Ok(flags)
    }

    /// What was told from `from` on, each with the hour that it is about.
    ///
    /// # Errors
    /// SQLite's.
    pub fn told(&self, from: i64) -> Result<Vec<(i64, Event)>, OutboxError> {
        let events = self.outbox()?.events(from)?;
        let seen = |event: &Event| {
            let fact = event.facts.iter().find(|(name, _)| name == "seen")?;
            time::read(&serde_json::Value::from(fact.1.as_str()))
        };
        Ok(events.into_iter().map(|event| (seen(&event).unwrap_or(event.at), event)).collect())
    }

    /// Writes what a look told, with its events, all or nothing.
    pub(super) fn noted<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, OutboxError>,
    ) -> Result<T, OutboxError> {
        self.outbox()?;
        let mut db = self.db.borrow_mut();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// The first second of which hours are kept.
    ///
    /// # Errors
    /// SQLite's.
    pub fn kept(&self) -> Result<i64, StoreError> {
        Ok(kept(&self.db.borrow())? * 3600)
    }

    /// Takes away hours that are older than `before`, and requests of logs; days stay.
    ///
    /// # Errors
    /// SQLite's.
    pub fn prune(&self, before: i64) -> Result<usize, StoreError> {
        let mut db = self.db.borrow_mut();
        let tx = db.transaction()?;
        // Whole days only, since `day` is made from what is there.
        let hour = before.div_euclid(86_400) * 24;
        let gone = tx.execute("DELETE FROM hour WHERE at < ?1", [hour])?;
        tx.execute("DELETE FROM request WHERE at < ?1", params![hour])?;
        tx.execute(
            "INSERT INTO meta VALUES ('kept', ?1) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            params![hour],
        )?;
        tx.commit()?;
        Ok(gone)
    }
}

/// The first hour that is kept.
fn kept(db: &Connection) -> rusqlite::Result<i64> {
    let row = db.query_row("SELECT value FROM meta WHERE name = 'kept'", [], |r| r.get(0)).optional()?;
    Ok(row.unwrap_or(0))
}

#[cfg(test)]
mod tests;
