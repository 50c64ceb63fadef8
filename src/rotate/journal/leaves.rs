//! The audit's entries in the journal.

use super::{Journal, JournalError, RotationId};
use crate::rotate::audit::{Entry, Head, mac};
use crate::rotate::time::Moment;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        seq: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        at: row.get(1)?,
        rotation: row.get(2)?,
        body: row.get(3)?,
        key: row.get(4)?,
        mac: row.get(5)?,
    })
}

fn head(db: &Connection) -> rusqlite::Result<Head> {
    let newest = db.query_row("SELECT * FROM audit ORDER BY seq DESC LIMIT 1", [], entry).optional()?;
    Ok(newest.map_or(Head { seq: 0, mac: String::new() }, |e| Head { seq: e.seq, mac: e.mac }))
}

impl Journal {
    /// Adds an entry to the audit, in the transaction of what it tells.
    pub(super) fn note(
        &self,
        tx: &Transaction<'_>,
        rotation: i64,
        now: Moment,
        body: &str,
    ) -> Result<(), JournalError> {
        let before = head(tx)?;
        let mut new = Entry {
            seq: before.seq + 1,
            at: now.0,
            rotation,
            body: body.to_owned(),
            key: self.keyring.id().to_owned(),
            mac: String::new(),
        };
        new.mac = mac(&self.keyring, &new, &before.mac)?;
        tx.execute(
            "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![i64::try_from(new.seq).unwrap_or(i64::MAX), new.at, rotation, new.body, new.key, new.mac],
        )?;
        Ok(())
    }

    /// The newest entry, to be kept elsewhere.
    ///
    /// # Errors
    /// SQLite's.
    pub fn audit_head(&self) -> Result<Head, JournalError> {
        Ok(head(&self.db.borrow())?)
    }

    /// Every entry in order.
    ///
    /// # Errors
    /// SQLite's.
    pub fn audit_entries(&self) -> Result<Vec<Entry>, JournalError> {
        let db = self.db.borrow();
        let mut rows = db.prepare("SELECT * FROM audit ORDER BY seq")?;
        let entries = rows.query_map([], entry)?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// What the provider or a store said to the newest step of a rotation, if that was not done.
    ///
    /// # Errors
    /// SQLite's.
    pub fn answered(&self, id: RotationId) -> Result<Option<String>, JournalError> {
        // What people did since does not explain where the machine stands.
        let newest = "SELECT json_extract(body, '$.said') FROM audit
                      WHERE rotation = ?1 AND json_extract(body, '$.event.person') IS NULL
                      ORDER BY seq DESC LIMIT 1";
        Ok(self.db.borrow().query_row(newest, [id.0], |row| row.get(0)).optional()?.flatten())
    }
}
