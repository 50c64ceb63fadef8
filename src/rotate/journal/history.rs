//! What the journal knows of a lineage beside its running rotation.

use super::{Journal, JournalError, RotationId};
use crate::rotate::machine::KeyId;
use crate::rotate::time::Moment;
use rusqlite::OptionalExtension;

/// An export of a key's use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of the body.
    pub digest: String,
    /// Complete up to then.
    pub through: Moment,
    /// As the provider gave it.
    pub body: Vec<u8>,
    /// When it was taken.
    pub at: Moment,
}

impl Journal {
    /// The generation of a lineage's current key; 1 before its first rotation.
    ///
    /// # Errors
    /// SQLite's.
    pub fn generation(&self, lineage: &str) -> Result<u64, JournalError> {
        let db = self.db.borrow();
        let found: Option<i64> = db
            .query_row("SELECT generation FROM lineages WHERE name = ?1", [lineage], |row| row.get(0))
            .optional()?;
        Ok(found.and_then(|n| u64::try_from(n).ok()).unwrap_or(1))
    }

    /// What the provider calls a lineage's current key, if a rotation ended well.
    ///
    /// # Errors
    /// SQLite's.
    pub fn current(&self, lineage: &str) -> Result<Option<KeyId>, JournalError> {
        let db = self.db.borrow();
        let found = db.query_row(
            "SELECT v.key FROM versions v JOIN lineages l ON l.id = v.lineage
             WHERE l.name = ?1 AND v.label = 'current'",
            [lineage],
            |row| row.get(0),
        );
        Ok(found.optional()?.map(KeyId))
    }

    /// What the provider calls a lineage's keys that are not retired: the current one first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn known(&self, lineage: &str) -> Result<Vec<KeyId>, JournalError> {
        let db = self.db.borrow();
        let mut query = db.prepare(
            "SELECT v.key FROM versions v JOIN lineages l ON l.id = v.lineage
             WHERE l.name = ?1 AND v.label <> 'retired' ORDER BY v.label <> 'current', v.since DESC",
        )?;
        let keys = query.query_map([lineage], |row| row.get(0).map(KeyId))?.collect::<Result<_, _>>()?;
        Ok(keys)
    }

    /// The rotations that ended last, newest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn ended(&self, most: u32) -> Result<Vec<RotationId>, JournalError> {
        let db = self.db.borrow();
        let mut rows = db.prepare(
            "SELECT id FROM rotations WHERE ended IS NOT NULL ORDER BY ended DESC, id DESC LIMIT ?1",
        )?;
        let ids = rows.query_map([most], |row| Ok(RotationId(row.get(0)?)))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// The exports of a rotation, oldest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn exports(&self, id: RotationId) -> Result<Vec<Kept>, JournalError> {
        let db = self.db.borrow();
        let mut rows = db.prepare(
            "SELECT digest, through, body, at FROM exports WHERE rotation = ?1 ORDER BY at, digest",
        )?;
        let kept = rows.query_map([id.0], |row| {
            Ok(Kept {
                digest: row.get(0)?,
                through: Moment(row.get(1)?),
                body: row.get(2)?,
                at: Moment(row.get(3)?),
            })
        })?;
        Ok(kept.collect::<Result<_, _>>()?)
    }
}
