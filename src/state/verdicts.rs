//! Verdicts of earlier sweeps, kept with the state: what providers said of credentials, never the credentials.
//!
//! The bytes are those of [`crate::verify::Cache`], whose entries have names that nobody can guess; here they are only
//! sealed. A state without them is as good as new, so that what is damaged is left out and asked again.

use super::{State, StateError};
use rusqlite::{OptionalExtension, params};

/// Bytes of a seal, which stands first.
const SEAL: usize = 16;
/// The row of the table `meta`.
const NAME: &str = "verdicts";

impl State {
    /// What was kept, if anything was and it is as it was written.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn verdicts(&self) -> Result<Option<Vec<u8>>, StateError> {
        let row: Option<Vec<u8>> = self.ask(|db| {
            db.query_row("SELECT value FROM meta WHERE name = ?1", [NAME], |r| r.get(0)).optional()
        })?;
        Ok(row.and_then(|row| {
            let (seal, bytes) = row.split_at_checked(SEAL)?;
            (seal == self.key.seal(&[NAME.as_bytes(), bytes])).then(|| bytes.to_vec())
        }))
    }

    /// Keeps verdicts for the next sweep in the place of what was kept.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn keep_verdicts(&self, bytes: &[u8]) -> Result<(), StateError> {
        let row = [&self.key.seal(&[NAME.as_bytes(), bytes])[..], bytes].concat();
        self.ask(|db| db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![NAME, row]))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
