//! Pools: keys that people made beforehand for lineages whose provider makes none by call. Each is sealed, and drawn
//! once: what draws it for a rotation seals it there in the same transaction.

use super::{Journal, JournalError, RotationId};
use crate::model::Secret;
use crate::rotate::seal::{Binding, Sealed};
use crate::rotate::time::Moment;
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;

/// The table, added to journals that were made before there were pools. A mark is keyed and tells no value; it stays,
/// so that a key which was drawn is not put in again.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS pool(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  lineage TEXT NOT NULL,
  mark TEXT NOT NULL UNIQUE,
  name TEXT,
  off INTEGER NOT NULL DEFAULT 0,
  key TEXT,
  nonce BLOB,
  text BLOB,
  who TEXT NOT NULL,
  added INTEGER NOT NULL,
  rotation INTEGER REFERENCES rotations(id),
  step TEXT,
  ended INTEGER
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_a_draw ON pool(rotation, step) WHERE rotation IS NOT NULL;
";

/// A key of a pool. Holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooled {
    /// Its number.
    pub id: i64,
    /// The lineage that it is for.
    pub lineage: String,
    /// What the provider calls it, where somebody said.
    pub name: Option<String>,
    /// Whether it was switched off until it is drawn.
    pub off: bool,
    /// Who put it in.
    pub who: String,
    /// When.
    pub added: Moment,
}

/// How full a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The lineage.
    pub lineage: String,
    /// Keys that wait.
    pub waiting: u32,
    /// Keys that were ever put in.
    pub ever: u32,
}

impl Journal {
    /// Puts a key in: sealed, once for all lineages.
    ///
    /// # Errors
    /// [`JournalError::Pooled`] if it was put in before.
    pub fn pool_add(
        &self,
        lineage: &str,
        value: &Secret,
        name: Option<&str>,
        who: &str,
        now: Moment,
    ) -> Result<i64, JournalError> {
        self.transact(|tx| {
            // Marks under a former master key differ, so what waits is opened and compared as well.
            let mark = self.keyring.mark(value);
            let known: bool =
                tx.query_row("SELECT EXISTS(SELECT 1 FROM pool WHERE mark = ?1)", [&mark], |row| row.get(0))?;
            if known || self.opened(tx)?.contains(value) {
                return Err(JournalError::Pooled);
            }
            tx.execute(
                "INSERT INTO pool(lineage, mark, name, who, added) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![lineage, mark, name, who, now.0],
            )?;
            let id = tx.last_insert_rowid();
            let step = step(id, lineage);
            let sealed = self.keyring.seal(binding(&step), value)?;
            tx.execute(
                "UPDATE pool SET key = ?2, nonce = ?3, text = ?4 WHERE id = ?1",
                params![id, sealed.key, sealed.nonce, sealed.text],
            )?;
            self.note(tx, 0, now, &json!({"pooled": id, "lineage": lineage, "by": who}).to_string())?;
            Ok(id)
        })
    }

    /// Notes that a key of the pool was switched off at its provider until it is drawn.
    ///
    /// # Errors
    /// [`JournalError::NotPooled`].
    pub fn pool_off(&self, id: i64, now: Moment) -> Result<(), JournalError> {
        self.transact(|tx| {
            let changed = tx.execute("UPDATE pool SET off = 1 WHERE id = ?1 AND ended IS NULL", [id])?;
            if changed != 1 {
                return Err(JournalError::NotPooled(id));
            }
            self.note(tx, 0, now, &json!({"pool_off": id}).to_string())
        })
    }

    /// Takes a key out and erases its value.
    ///
    /// # Errors
    /// [`JournalError::NotPooled`].
    pub fn pool_drop(&self, id: i64, who: &str, why: &str, now: Moment) -> Result<(), JournalError> {
        self.transact(|tx| {
            let changed = tx.execute(
                "UPDATE pool SET ended = ?2, key = NULL, nonce = NULL, text = NULL WHERE id = ?1 AND ended IS NULL",
                params![id, now.0],
            )?;
            if changed != 1 {
                return Err(JournalError::NotPooled(id));
            }
            self.note(tx, 0, now, &json!({"pool_dropped": id, "by": who, "reason": why}).to_string())
        })?;
        self.tidy()
    }

    /// The keys that wait, oldest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn pool(&self) -> Result<Vec<Pooled>, JournalError> {
        let db = self.db.borrow();
        let mut rows = db
            .prepare("SELECT id, lineage, name, off, who, added FROM pool WHERE ended IS NULL ORDER BY id")?;
        let list = rows.query_map([], pooled)?;
        Ok(list.collect::<Result<_, _>>()?)
    }

    /// How full each pool is that ever held a key.
    ///
    /// # Errors
    /// SQLite's.
    pub fn pool_levels(&self) -> Result<Vec<Level>, JournalError> {
        let db = self.db.borrow();
        let mut rows = db.prepare(
            "SELECT lineage, count(*) FILTER (WHERE ended IS NULL), count(*) FROM pool GROUP BY 1 ORDER BY 1",
        )?;
        let list = rows.query_map([], |row| {
            Ok(Level { lineage: row.get(0)?, waiting: row.get(1)?, ever: row.get(2)? })
        })?;
        Ok(list.collect::<Result<_, _>>()?)
    }

    /// The oldest key that waits for a lineage, with its value.
    ///
    /// # Errors
    /// It does not open: see [`SealError`](crate::rotate::seal::SealError).
    pub fn pool_next(&self, lineage: &str) -> Result<Option<(Pooled, Secret)>, JournalError> {
        let db = self.db.borrow();
        let next = db
            .query_row(
                "SELECT id, lineage, name, off, who, added, key, nonce, text FROM pool
                 WHERE lineage = ?1 AND ended IS NULL ORDER BY id LIMIT 1",
                [lineage],
                |row| Ok((pooled(row)?, sealed(row, 6)?)),
            )
            .optional()?;
        let Some((key, sealed)) = next else { return Ok(None) };
        let value = self.keyring.open(binding(&step(key.id, lineage)), &sealed)?;
        Ok(Some((key, value)))
    }

    /// The key of the pool that was drawn for a step of a rotation.
    ///
    /// # Errors
    /// SQLite's.
    pub fn drawn(&self, rotation: RotationId, step: &str) -> Result<Option<Pooled>, JournalError> {
        let db = self.db.borrow();
        let sql = "SELECT id, lineage, name, off, who, added FROM pool WHERE rotation = ?1 AND step = ?2";
        Ok(db.query_row(sql, params![rotation.0, step], pooled).optional()?)
    }

    /// Draws a key for a step of a rotation, in the transaction that seals its value there.
    pub(super) fn draw(
        &self,
        tx: &Transaction<'_>,
        id: i64,
        (rotation, lineage): (i64, &str),
        step: &str,
        now: Moment,
    ) -> Result<(), JournalError> {
        let changed = tx.execute(
            "UPDATE pool SET rotation = ?3, step = ?4, ended = ?5, key = NULL, nonce = NULL, text = NULL
             WHERE id = ?1 AND lineage = ?2 AND ended IS NULL",
            params![id, lineage, rotation, step, now.0],
        )?;
        if changed != 1 {
            return Err(JournalError::NotPooled(id));
        }
        self.note(tx, rotation, now, &json!({"pool_drawn": id, "step": step}).to_string())
    }

    fn opened(&self, tx: &Transaction<'_>) -> Result<Vec<Secret>, JournalError> {
        let mut rows = tx.prepare("SELECT id, lineage, key, nonce, text FROM pool WHERE ended IS NULL")?;
        let list = rows.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, sealed(row, 2)?)))?;
        let open = |(id, lineage, sealed): (i64, String, Sealed)| {
            Ok(self.keyring.open(binding(&step(id, &lineage)), &sealed)?)
        };
        list.map(|row| row.map_err(JournalError::from).and_then(open)).collect()
    }
}

/// What the value of a waiting key is bound to: no rotation yet, and no other entry or lineage.
fn step(id: i64, lineage: &str) -> String {
    format!("pool/{id}/{lineage}")
}

fn binding(step: &str) -> Binding<'_> {
    Binding { rotation: 0, step, generation: 0 }
}

fn pooled(row: &rusqlite::Row<'_>) -> rusqlite::Result<Pooled> {
    Ok(Pooled {
        id: row.get(0)?,
        lineage: row.get(1)?,
        name: row.get(2)?,
        off: row.get(3)?,
        who: row.get(4)?,
        added: Moment(row.get(5)?),
    })
}

fn sealed(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Sealed> {
    Ok(Sealed { key: row.get(from)?, nonce: row.get(from + 1)?, text: row.get(from + 2)? })
}
