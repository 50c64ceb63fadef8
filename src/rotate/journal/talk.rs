//! What goes out and what people set: alerts, pauses, claims.

use super::{Journal, JournalError, RotationId};
use crate::alert::{Event, Outbox, Queued, put};
use crate::rotate::time::Moment;
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;

/// An alert that has not been sent yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its number; a receiver that has seen it may drop a repetition.
    pub id: i64,
    /// The rotation.
    pub rotation: RotationId,
    /// A stable word for routing.
    pub kind: String,
    /// A sentence.
    pub text: String,
    /// When it arose.
    pub at: Moment,
}

/// What a pause of new rotations covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// One provider's.
    Provider(String),
    /// One lineage.
    Lineage(String),
}

impl Scope {
    fn name(&self) -> String {
        match self {
            Scope::All => "all".to_owned(),
            Scope::Provider(id) => format!("provider {id}"),
            Scope::Lineage(id) => format!("lineage {id}"),
        }
    }
}

/// The pause that keeps new rotations of a lineage from starting. A provider's is for the scheduler, which knows
/// whose lineage it is.
pub(super) fn paused(tx: &Transaction<'_>, lineage: &str) -> Result<Option<String>, JournalError> {
    let lineage = Scope::Lineage(lineage.to_owned()).name();
    let row = tx
        .query_row(
            "SELECT scope, reason FROM pauses WHERE scope IN ('all', ?1) ORDER BY scope",
            [lineage],
            |row| Ok(format!("{}: {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )
        .optional()?;
    Ok(row)
}

impl Journal {
    /// Keeps new rotations from starting, with a reason.
    ///
    /// # Errors
    /// SQLite's.
    pub fn pause(&self, scope: &Scope, who: &str, reason: &str, now: Moment) -> Result<(), JournalError> {
        self.transact(|tx| {
            let name = scope.name();
            tx.execute(
                "INSERT OR REPLACE INTO pauses VALUES (?1, ?2, ?3, ?4)",
                params![name, who, reason, now.0],
            )?;
            self.note(tx, 0, now, &json!({"paused": name, "by": who, "reason": reason}).to_string())
        })
    }

    /// Lets new rotations start again.
    ///
    /// # Errors
    /// SQLite's.
    pub fn resume(&self, scope: &Scope, who: &str, now: Moment) -> Result<(), JournalError> {
        self.transact(|tx| {
            tx.execute("DELETE FROM pauses WHERE scope = ?1", [scope.name()])?;
            self.note(tx, 0, now, &json!({"resumed": scope.name(), "by": who}).to_string())
        })
    }

    /// Whether a pause covers exactly this scope, and its reason.
    ///
    /// # Errors
    /// SQLite's.
    pub fn pause_of(&self, scope: &Scope) -> Result<Option<String>, JournalError> {
        let db = self.db.borrow();
        let reason =
            db.query_row("SELECT reason FROM pauses WHERE scope = ?1", [scope.name()], |row| row.get(0));
        Ok(reason.optional()?)
    }

    /// Alerts that no route has been told of yet, oldest first: each was written with the change that it is about.
    ///
    /// # Errors
    /// SQLite's.
    pub fn letters(&self) -> Result<Vec<Letter>, JournalError> {
        let db = self.db.borrow();
        let mut rows =
            db.prepare("SELECT id, rotation, kind, text, at FROM outbox WHERE sent IS NULL ORDER BY id")?;
        let letters = rows.query_map([], |row| {
            Ok(Letter {
                id: row.get(0)?,
                rotation: RotationId(row.get(1)?),
                kind: row.get(2)?,
                text: row.get(3)?,
                at: Moment(row.get(4)?),
            })
        })?;
        Ok(letters.collect::<Result<_, _>>()?)
    }

    /// Hands an alert to its routes: the event is written for them and the alert marked in one transaction, so that it
    /// is neither lost nor handed over twice, whoever else tries. The same event within `quiet` seconds is not written
    /// again.
    ///
    /// # Errors
    /// SQLite's.
    pub fn hand_over(
        &self,
        letter: &Letter,
        event: &Event,
        routes: &[&str],
        quiet: i64,
        now: Moment,
    ) -> Result<(), JournalError> {
        self.outbox()?;
        self.transact(|tx| {
            let mine = tx.execute(
                "UPDATE outbox SET sent = ?2 WHERE id = ?1 AND sent IS NULL",
                params![letter.id, now.0],
            )?;
            if mine == 1 {
                put(tx, event, routes, quiet)?;
            }
            Ok(())
        })
    }

    /// Tells of something that no change of state brings, such as a time that comes near; whether it is new.
    ///
    /// # Errors
    /// SQLite's.
    pub fn announce(&self, event: &Event, routes: &[&str], quiet: i64) -> Result<bool, JournalError> {
        Ok(matches!(self.outbox()?.put(event, routes, quiet)?, Queued::New(_)))
    }

    /// Where alerts wait for their routes.
    ///
    /// # Errors
    /// SQLite's.
    pub fn outbox(&self) -> Result<Outbox<'_>, JournalError> {
        Ok(Outbox::new(&self.db)?)
    }

    /// Another lineage that uses one of the stores of `lineage`.
    ///
    /// # Errors
    /// SQLite's.
    pub fn sharer(&self, lineage: &str) -> Result<Option<String>, JournalError> {
        let db = self.db.borrow();
        let other = db.query_row(
            "SELECT l.name FROM claims mine JOIN claims c ON c.store = mine.store AND c.lineage <> mine.lineage
             JOIN lineages l ON l.id = c.lineage
             WHERE mine.lineage = (SELECT id FROM lineages WHERE name = ?1) ORDER BY l.name",
            [lineage],
            |row| row.get(0),
        );
        Ok(other.optional()?)
    }

    /// When the newest finished rotation of a lineage was done.
    ///
    /// # Errors
    /// SQLite's.
    pub fn done_since(&self, lineage: &str) -> Result<Option<Moment>, JournalError> {
        let db = self.db.borrow();
        let at: Option<i64> = db.query_row(
            "SELECT max(r.ended) FROM rotations r JOIN lineages l ON l.id = r.lineage
             WHERE l.name = ?1 AND r.phase = 'done'",
            [lineage],
            |row| row.get(0),
        )?;
        Ok(at.map(Moment))
    }
}
