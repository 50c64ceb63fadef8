//! The outbox: tables that stand in the database of whoever tells, so that an event is written with the change that
//! it is about, or not at all.

use super::{Event, Urgency};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::cell::RefCell;

/// The tables, for the database that holds them.
pub const TABLES: &str = "
CREATE TABLE IF NOT EXISTS letter(
  id INTEGER PRIMARY KEY AUTOINCREMENT, same TEXT NOT NULL, kind TEXT NOT NULL, urgency TEXT NOT NULL,
  subject TEXT NOT NULL, text TEXT NOT NULL, facts TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS letter_same ON letter(same, at);
CREATE TABLE IF NOT EXISTS delivery(
  letter INTEGER NOT NULL REFERENCES letter(id), route TEXT NOT NULL, tries INTEGER NOT NULL,
  next INTEGER NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL, PRIMARY KEY(letter, route)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery(state, next);
CREATE TABLE IF NOT EXISTS thread(
  route TEXT NOT NULL, subject TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(route, subject)
) STRICT, WITHOUT ROWID;
";

/// Why the outbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database refused.
    #[error("the outbox refused: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A row that nobody here wrote.
    #[error("letter {0} in the outbox is damaged")]
    Damaged(i64),
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It waits under this number.
    New(i64),
    /// The same was told a short while ago, under this number.
    Known(i64),
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// To be sent.
    Due,
    /// Taken by the route.
    Sent,
    /// Given up.
    Dead,
}

impl Standing {
    pub(super) fn word(self) -> &'static str {
        match self {
            Standing::Due => "due",
            Standing::Sent => "sent",
            Standing::Dead => "dead",
        }
    }
}

/// One event on its way to one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The event's number. The same in every try.
    pub letter: i64,
    /// The route.
    pub route: String,
    /// Tries so far.
    pub tries: u32,
    /// When the next one is, in seconds since 1970.
    pub next: i64,
    /// What went wrong last.
    pub error: String,
    /// The event.
    pub event: Event,
}

/// Writes an event for these routes, in the transaction of the change that it is about. The same event within
/// `quiet` seconds is not written again.
///
/// # Errors
/// SQLite's.
pub fn put(tx: &Transaction<'_>, event: &Event, routes: &[&str], quiet: i64) -> Result<Queued, OutboxError> {
    let known = tx
        .query_row(
            "SELECT id FROM letter WHERE same = ?1 AND at > ?2 ORDER BY id DESC LIMIT 1",
            params![event.same, event.at.saturating_sub(quiet)],
            |r| r.get(0),
        )
        .optional()?;
    if let Some(id) = known {
        return Ok(Queued::Known(id));
    }
    let facts = serde_json::to_string(&event.facts).unwrap_or_default();
    tx.execute(
        "INSERT INTO letter(same, kind, urgency, subject, text, facts, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![event.same, event.kind, event.urgency.word(), event.subject, event.text, facts, event.at],
    )?;
    let id = tx.last_insert_rowid();
    for route in routes {
        tx.execute("INSERT INTO delivery VALUES (?1, ?2, 0, ?3, 'due', '')", params![id, route, event.at])?;
    }
    Ok(Queued::New(id))
}

/// An outbox that is being emptied.
#[derive(Debug)]
pub struct Outbox<'a> {
    db: &'a RefCell<Connection>,
}

impl<'a> Outbox<'a> {
    /// The outbox of a database, whose tables are made if they are not there.
    ///
    /// # Errors
    /// SQLite's.
    pub fn new(db: &'a RefCell<Connection>) -> Result<Self, OutboxError> {
        db.borrow().execute_batch(TABLES)?;
        Ok(Outbox { db })
    }

    /// Writes an event by itself.
    ///
    /// # Errors
    /// SQLite's.
    pub fn put(&self, event: &Event, routes: &[&str], quiet: i64) -> Result<Queued, OutboxError> {
        let mut db = self.db.borrow_mut();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let queued = put(&tx, event, routes, quiet)?;
        tx.commit()?;
        Ok(queued)
    }

    /// Takes the next delivery that is due, for this sender alone until `lease` seconds from now: whoever else looks
    /// sees it as not due yet, and after a crash it is due again.
    ///
    /// # Errors
    /// SQLite's, or a damaged row.
    pub(super) fn take(&self, now: i64, lease: i64) -> Result<Option<Delivery>, OutboxError> {
        let mut db = self.db.borrow_mut();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = tx
            .query_row(
                "SELECT letter, route FROM delivery WHERE state = 'due' AND next <= ?1 ORDER BY letter, route LIMIT 1",
                [now],
                |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)),
            )
            .optional()?;
        let Some((letter, route)) = found else { return Ok(None) };
        tx.execute(
            "UPDATE delivery SET tries = tries + 1, next = ?3 WHERE letter = ?1 AND route = ?2",
            params![letter, route, now.saturating_add(lease)],
        )?;
        tx.commit()?;
        drop(db);
        let mut list = self.read("WHERE d.letter = ?1 AND d.route = ?2", params![letter, route])?;
        list.pop().map(Some).ok_or(OutboxError::Damaged(letter))
    }

    /// Writes down how a try went; `next` is when to try again.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn note(
        &self,
        delivery: &Delivery,
        standing: Standing,
        next: i64,
        error: &str,
    ) -> Result<(), OutboxError> {
        self.db.borrow().execute(
            "UPDATE delivery SET state = ?3, next = ?4, error = ?5 WHERE letter = ?1 AND route = ?2",
            params![delivery.letter, delivery.route, standing.word(), next, error],
        )?;
        Ok(())
    }

    /// Leaves a delivery for later, without counting a try.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn put_off(&self, delivery: &Delivery, until: i64) -> Result<(), OutboxError> {
        let sql = "UPDATE delivery SET tries = tries - 1, next = ?3 WHERE letter = ?1 AND route = ?2";
        self.db.borrow().execute(sql, params![delivery.letter, delivery.route, until])?;
        Ok(())
    }

    /// Deliveries that stand so, oldest first.
    ///
    /// # Errors
    /// SQLite's, or a damaged row.
    pub fn list(&self, standing: Standing) -> Result<Vec<Delivery>, OutboxError> {
        self.read("WHERE d.state = ?1", params![standing.word()])
    }

    /// Every event that was written down from `from` on, whether or not a route was told, oldest first.
    ///
    /// # Errors
    /// SQLite's, or a damaged row.
    pub fn events(&self, from: i64) -> Result<Vec<Event>, OutboxError> {
        let db = self.db.borrow();
        let mut query = db.prepare(
            "SELECT id, same, kind, urgency, subject, text, facts, at FROM letter WHERE at >= ?1 ORDER BY id",
        )?;
        let mut rows = query.query([from])?;
        let mut list = Vec::new();
        while let Some(r) = rows.next()? {
            list.push(event(r, 1)?.ok_or(OutboxError::Damaged(r.get(0)?))?);
        }
        Ok(list)
    }

    /// Lets what was given up be tried again; how many.
    ///
    /// # Errors
    /// SQLite's.
    pub fn revive(&self, now: i64) -> Result<usize, OutboxError> {
        let sql = "UPDATE delivery SET state = 'due', tries = 0, next = ?1 WHERE state = 'dead'";
        Ok(self.db.borrow().execute(sql, [now])?)
    }

    /// The number under which a route keeps what it is told about a subject, such as an issue.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn thread(&self, route: &str, subject: &str) -> Result<Option<i64>, OutboxError> {
        let sql = "SELECT number FROM thread WHERE route = ?1 AND subject = ?2";
        Ok(self.db.borrow().query_row(sql, [route, subject], |r| r.get(0)).optional()?)
    }

    /// Keeps that number.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn set_thread(&self, route: &str, subject: &str, number: i64) -> Result<(), OutboxError> {
        let sql = "INSERT OR REPLACE INTO thread VALUES (?1, ?2, ?3)";
        self.db.borrow().execute(sql, params![route, subject, number])?;
        Ok(())
    }

    fn read(&self, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Delivery>, OutboxError> {
        let db = self.db.borrow();
        let mut query = db.prepare(&format!(
            "SELECT d.letter, d.route, d.tries, d.next, d.error, l.same, l.kind, l.urgency, l.subject, l.text, l.facts,
             l.at FROM delivery d JOIN letter l ON l.id = d.letter {which} ORDER BY d.letter, d.route"
        ))?;
        let mut rows = query.query(values)?;
        let mut list = Vec::new();
        while let Some(r) = rows.next()? {
            let letter = r.get(0)?;
            let event = event(r, 5)?.ok_or(OutboxError::Damaged(letter))?;
            list.push(Delivery {
                letter,
                route: r.get(1)?,
                tries: r.get(2)?,
                next: r.get(3)?,
                error: r.get(4)?,
                event,
            });
        }
        Ok(list)
    }
}

/// The event of a row whose columns from `first` on are those of a letter; none if nobody here wrote it.
fn event(r: &Row<'_>, first: usize) -> rusqlite::Result<Option<Event>> {
    let urgency = Urgency::from_word(&r.get::<_, String>(first + 2)?);
    let facts = serde_json::from_str(&r.get::<_, String>(first + 5)?).ok();
    let (Some(urgency), Some(facts)) = (urgency, facts) else { return Ok(None) };
    Ok(Some(Event {
        kind: r.get(first + 1)?,
        urgency,
        subject: r.get(first + 3)?,
        text: r.get(first + 4)?,
        facts,
        same: r.get(first)?,
        at: r.get(first + 6)?,
    }))
}
