//! Leases: who may drive a lineage, under which fencing number, until when.

use super::{Journal, JournalError};
use crate::rotate::lease::Lease;
use crate::rotate::time::{Moment, Span};
use rusqlite::{OptionalExtension, Transaction, params};

impl Journal {
    /// Takes or renews the lease of a lineage; `None` while another holder's runs. Whoever takes it over gets a
    /// higher fencing number, so that the former holder's writes are refused.
    ///
    /// # Errors
    /// SQLite's.
    pub fn lease(
        &self,
        lineage: &str,
        holder: &str,
        now: Moment,
        span: Span,
    ) -> Result<Option<Lease>, JournalError> {
        self.transact(|tx| {
            let id: i64 =
                tx.query_row("SELECT id FROM lineages WHERE name = ?1", [lineage], |row| row.get(0))?;
            let held: Option<(i64, String, i64)> = tx
                .query_row("SELECT fence, holder, until FROM leases WHERE lineage = ?1", [id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let fence = match held {
                Some((_, other, until)) if other != holder && now.0 < until => return Ok(None),
                // A lease that ran out is a new one, also for its former holder.
                Some((fence, same, until)) if same == holder && now.0 < until => fence,
                Some((fence, ..)) => fence + 1,
                None => 1,
            };
            let until = now + span;
            tx.execute(
                "INSERT INTO leases VALUES (?1, ?2, ?3, ?4) ON CONFLICT(lineage)
                 DO UPDATE SET fence = ?2, holder = ?3, until = ?4",
                params![id, fence, holder, until.0],
            )?;
            Ok(Some(Lease { lineage: lineage.to_owned(), fence, holder: holder.to_owned(), until }))
        })
    }

    /// Gives a lease back, so that another worker need not wait for its end.
    ///
    /// # Errors
    /// SQLite's.
    pub fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        self.transact(|tx| {
            tx.execute(
                "UPDATE leases SET until = 0 WHERE fence = ?1 AND holder = ?2
                 AND lineage = (SELECT id FROM lineages WHERE name = ?3)",
                params![lease.fence, lease.holder, lease.lineage],
            )?;
            Ok(())
        })
    }
}

/// Refuses a write under a lease that somebody else took over.
pub(super) fn fenced(tx: &Transaction<'_>, lineage: i64, lease: &Lease) -> Result<(), JournalError> {
    let fence: Option<i64> = tx
        .query_row("SELECT fence FROM leases WHERE lineage = ?1", [lineage], |row| row.get(0))
        .optional()?;
    if fence == Some(lease.fence) { Ok(()) } else { Err(JournalError::Fenced) }
}
