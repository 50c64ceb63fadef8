//! Rotations: planned, loaded, and changed by one event a transaction.

use super::lease::fenced;
use super::{Journal, JournalError};
use crate::model::Secret;
use crate::rotate::lease::Lease;
use crate::rotate::machine::{Does, Event, Frozen, KeyId, Person, Phase, Rotation, alerts, apply};
use crate::rotate::seal::{Binding, SealError, Sealed};
use crate::rotate::time::Moment;
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;

/// Number of a rotation in its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RotationId(pub i64);

/// A rotation as the journal holds it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number.
    pub id: RotationId,
    /// Its state.
    pub rotation: Rotation,
}

/// A rotation to be planned.
pub struct New<'a> {
    /// The lineage.
    pub lineage: &'a str,
    /// The frozen policy.
    pub frozen: Frozen,
    /// The provider's id of the key that goes.
    pub old: KeyId,
    /// Its value, where it is at hand.
    pub value: Option<&'a Secret>,
    /// References of the stores, which no other lineage may use.
    pub claims: &'a [String],
    /// Whether the key is known to be leaked; a pause of all new rotations does not hold these up.
    pub leaked: Option<Person>,
}

/// What goes into the same transaction as an event.
#[derive(Default)]
pub struct Extra<'a> {
    /// Material to be sealed, with its step.
    pub seal: Vec<(String, &'a Secret)>,
    /// The key of the pool that is drawn for this step, with the step under which its value is sealed.
    pub draw: Option<(i64, String)>,
    /// The body of an export, whose digest the event holds.
    pub export: Option<&'a [u8]>,
    /// What the provider or the store said where it did not do as asked, without a secret.
    pub said: Option<String>,
}

impl Journal {
    /// Writes a rotation down.
    ///
    /// # Errors
    /// [`JournalError::Active`] if one of the lineage is under way, [`JournalError::Paused`].
    pub fn plan(&self, new: &New<'_>, now: Moment) -> Result<RotationId, JournalError> {
        self.plan_from(new, None, now)
    }

    /// The same if the lineage's current key is still of that generation: whoever decided by what was read before
    /// does nothing twice.
    ///
    /// # Errors
    /// As [`Journal::plan`], and [`JournalError::Moved`].
    pub fn plan_from(
        &self,
        new: &New<'_>,
        current: Option<u64>,
        now: Moment,
    ) -> Result<RotationId, JournalError> {
        self.transact(|tx| {
            if new.leaked.is_none()
                && let Some(scope) = super::talk::paused(tx, new.lineage)?
            {
                return Err(JournalError::Paused(scope));
            }
            tx.execute(
                "INSERT INTO lineages(name, generation) VALUES (?1, 1) ON CONFLICT(name) DO NOTHING",
                [new.lineage],
            )?;
            let (lineage, generation): (i64, i64) =
                tx.query_row("SELECT id, generation FROM lineages WHERE name = ?1", [new.lineage], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let active: Option<i64> = tx
                .query_row(
                    "SELECT id FROM rotations WHERE lineage = ?1 AND ended IS NULL",
                    [lineage],
                    |row| row.get(0),
                )
                .optional()?;
            if active.is_some() {
                return Err(JournalError::Active(new.lineage.to_owned()));
            }
            if current.is_some_and(|current| i64::try_from(current) != Ok(generation)) {
                return Err(JournalError::Moved(new.lineage.to_owned()));
            }
            tx.execute("DELETE FROM claims WHERE lineage = ?1", [lineage])?;
            for store in new.claims {
                tx.execute("INSERT OR IGNORE INTO claims VALUES (?1, ?2)", params![store, lineage])?;
            }
            let next = u64::try_from(generation).unwrap_or(0) + 1;
            let at_hand = new.value.is_some();
            let mut r = Rotation::plan(new.lineage, next, new.frozen.clone(), new.old.clone(), at_hand, now);
            tx.execute(
                "INSERT INTO rotations(lineage, generation, phase, planned, frozen, frozen_hash, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, '')",
                params![
                    lineage,
                    generation + 1,
                    r.phase.to_string(),
                    now.0,
                    text(&r.frozen),
                    r.frozen.hash()
                ],
            )?;
            let id = tx.last_insert_rowid();
            if let Some(value) = new.value {
                self.keep(tx, id, &r, "old", value)?;
            }
            let plan =
                json!({"planned": r.plan_hash(), "lineage": r.lineage, "generation": next, "old": r.old.id});
            self.note(tx, id, now, &plan.to_string())?;
            label(tx, lineage, None, &r, now)?;
            if let Some(person) = &new.leaked {
                let event = self.counted(tx, lineage, &r, person, now)?;
                r = self.change(tx, (id, lineage), &r, &event, None, now)?;
            }
            write(tx, id, &r, now)?;
            Ok(RotationId(id))
        })
    }

    /// Loads a rotation.
    ///
    /// # Errors
    /// None of that number, or one that was tampered with.
    pub fn load(&self, id: RotationId) -> Result<Record, JournalError> {
        let db = self.db.borrow();
        let tx = db.unchecked_transaction()?;
        let (_, rotation) = load(&tx, id.0)?;
        Ok(Record { id, rotation })
    }

    /// The rotations that have not ended, oldest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn active(&self) -> Result<Vec<RotationId>, JournalError> {
        let db = self.db.borrow();
        let mut rows = db.prepare("SELECT id FROM rotations WHERE ended IS NULL ORDER BY id")?;
        let ids = rows.query_map([], |row| Ok(RotationId(row.get(0)?)))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// The newest rotation of a lineage.
    ///
    /// # Errors
    /// SQLite's.
    pub fn newest(&self, lineage: &str) -> Result<Option<RotationId>, JournalError> {
        let db = self.db.borrow();
        Ok(db
            .query_row(
                "SELECT max(r.id) FROM rotations r JOIN lineages l ON l.id = r.lineage WHERE l.name = ?1",
                [lineage],
                |row| row.get::<_, Option<i64>>(0),
            )?
            .map(RotationId))
    }

    /// Applies an event under a lease and writes what belongs to it, in one transaction.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] if another worker took over, [`JournalError::Illegal`] if the state moved on.
    pub fn record(
        &self,
        lease: &Lease,
        id: RotationId,
        event: &Event,
        extra: &Extra<'_>,
        now: Moment,
    ) -> Result<Rotation, JournalError> {
        self.transact(|tx| {
            let (lineage, before) = load(tx, id.0)?;
            fenced(tx, lineage, lease)?;
            let after = self.change(tx, (id.0, lineage), &before, event, extra.said.as_deref(), now)?;
            match event {
                Event::Intended(effect) => {
                    tx.execute(
                        "INSERT INTO intents(rotation, effect, at, fence) VALUES (?1, ?2, ?3, ?4)",
                        params![id.0, text(effect), now.0, lease.fence],
                    )?;
                }
                _ if before.intent.is_some() && after.intent.is_none() => {
                    tx.execute(
                        "UPDATE intents SET outcome = ?2, ended = ?3 WHERE rotation = ?1 AND ended IS NULL",
                        params![id.0, text(event), now.0],
                    )?;
                }
                _ => {}
            }
            if let Some((pooled, step)) = &extra.draw {
                self.draw(tx, *pooled, (id.0, &after.lineage), step, now)?;
            }
            for (step, secret) in &extra.seal {
                self.keep(tx, id.0, &after, step, secret)?;
            }
            if let (Event::Usage(crate::rotate::machine::Usage::Kept { digest, through }), Some(body)) =
                (event, extra.export)
            {
                tx.execute(
                    "INSERT OR IGNORE INTO exports VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id.0, digest, through.0, body, now.0],
                )?;
            }
            write(tx, id.0, &after, now)?;
            Ok(after)
        })
    }

    /// Applies what a person did. The caller has checked who it is and that they may.
    ///
    /// # Errors
    /// [`JournalError::Illegal`] if nothing waits for it.
    pub fn say(&self, id: RotationId, person: &Person, now: Moment) -> Result<Rotation, JournalError> {
        self.transact(|tx| {
            let (lineage, before) = load(tx, id.0)?;
            let event = self.counted(tx, lineage, &before, person, now)?;
            let after = self.change(tx, (id.0, lineage), &before, &event, None, now)?;
            tx.execute(
                "INSERT INTO said(rotation, who, does, at) VALUES (?1, ?2, ?3, ?4)",
                params![id.0, person.by, text(&person.does), now.0],
            )?;
            write(tx, id.0, &after, now)?;
            Ok(after)
        })
    }

    /// The sealed material of a step.
    ///
    /// # Errors
    /// It does not open: see [`SealError`].
    pub fn material(&self, record: &Record, step: &str) -> Result<Option<Secret>, JournalError> {
        let db = self.db.borrow();
        let sealed = db
            .query_row(
                "SELECT key, nonce, text FROM sealed WHERE rotation = ?1 AND step = ?2",
                params![record.id.0, step],
                |row| Ok(Sealed { key: row.get(0)?, nonce: row.get(1)?, text: row.get(2)? }),
            )
            .optional()?;
        let binding = Binding { rotation: record.id.0, step, generation: record.rotation.generation };
        Ok(sealed.map(|sealed| self.keyring.open(binding, &sealed)).transpose()?)
    }

    fn keep(
        &self,
        tx: &Transaction<'_>,
        id: i64,
        r: &Rotation,
        step: &str,
        secret: &Secret,
    ) -> Result<(), JournalError> {
        let sealed = self.keyring.seal(Binding { rotation: id, step, generation: r.generation }, secret)?;
        tx.execute(
            "INSERT OR REPLACE INTO sealed VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                id,
                step,
                i64::try_from(r.generation).unwrap_or(i64::MAX),
                sealed.key,
                sealed.nonce,
                sealed.text
            ],
        )?;
        Ok(())
    }

    /// Applies the event and writes labels, alerts and audit; the state itself is for the caller to write.
    fn change(
        &self,
        tx: &Transaction<'_>,
        (id, lineage): (i64, i64),
        before: &Rotation,
        event: &Event,
        said: Option<&str>,
        now: Moment,
    ) -> Result<Rotation, JournalError> {
        let after = apply(before, event, now)?;
        label(tx, lineage, Some(before), &after, now)?;
        for alert in alerts(before, &after) {
            tx.execute(
                "INSERT INTO outbox(rotation, kind, text, at) VALUES (?1, ?2, ?3, ?4)",
                params![id, alert.kind, alert.text, now.0],
            )?;
        }
        let mut body = json!({"event": event, "phase": after.phase});
        if let Some(said) = said {
            body["said"] = said.into();
        }
        self.note(tx, id, now, &body.to_string())?;
        if after.phase.is_terminal() {
            // `secure_delete` overwrites; `tidy` then empties the log.
            tx.execute("DELETE FROM sealed WHERE rotation = ?1", [id])?;
            let generation = if after.phase == Phase::Done { after.generation } else { after.generation - 1 };
            tx.execute(
                "UPDATE lineages SET generation = ?2 WHERE id = ?1",
                params![lineage, i64::try_from(generation).unwrap_or(i64::MAX)],
            )?;
        }
        Ok(after)
    }

    /// Counts an emergency against the day's cap and marks it when the cap is reached.
    fn counted(
        &self,
        tx: &Transaction<'_>,
        lineage: i64,
        r: &Rotation,
        person: &Person,
        now: Moment,
    ) -> Result<Event, JournalError> {
        let mut person = person.clone();
        if matches!(person.does, Does::Emergency { .. }) {
            let before: Option<i64> = tx
                .query_row(
                    "SELECT count FROM emergencies WHERE lineage = ?1 AND day = ?2",
                    params![lineage, now.day()],
                    |row| row.get(0),
                )
                .optional()?;
            let before = before.unwrap_or(0);
            person.does = Does::Emergency { capped: before >= i64::from(r.frozen.emergency.daily_cap) };
            tx.execute(
                "INSERT INTO emergencies VALUES (?1, ?2, 1)
                 ON CONFLICT(lineage, day) DO UPDATE SET count = count + 1",
                params![lineage, now.day()],
            )?;
        }
        Ok(Event::Person(person))
    }
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("because it holds plain numbers, names and lists")
}

fn load(tx: &Transaction<'_>, id: i64) -> Result<(i64, Rotation), JournalError> {
    let (lineage, hash, state): (i64, String, String) = tx
        .query_row("SELECT lineage, frozen_hash, state FROM rotations WHERE id = ?1", [id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?
        .ok_or(JournalError::NoRotation(id))?;
    let rotation: Rotation =
        serde_json::from_str(&state).map_err(|e| JournalError::Unreadable(id, e.to_string()))?;
    if rotation.frozen.hash() != hash {
        return Err(JournalError::Thawed(id));
    }
    Ok((lineage, rotation))
}

fn write(tx: &Transaction<'_>, id: i64, r: &Rotation, now: Moment) -> Result<(), JournalError> {
    let ended = r.phase.is_terminal().then_some(now.0);
    tx.execute(
        "UPDATE rotations SET phase = ?2, ended = ?3, state = ?4 WHERE id = ?1",
        params![id, r.phase.to_string(), ended, text(r)],
    )?;
    Ok(())
}

/// The labels that the keys of a rotation carry.
fn labels(r: &Rotation) -> Vec<(KeyId, u64, &'static str)> {
    let (old, new) = match r.phase {
        Phase::Done => ("retired", "current"),
        Phase::RolledBack | Phase::Aborted | Phase::RollingBack => ("current", "retired"),
        _ if r.distributed.is_some() => ("previous", "current"),
        _ => ("current", "pending"),
    };
    let mut list = vec![(r.old.id.clone(), r.generation - 1, old)];
    list.extend(r.new.as_ref().map(|key| (key.id.clone(), r.generation, new)));
    list
}

fn label(
    tx: &Transaction<'_>,
    lineage: i64,
    before: Option<&Rotation>,
    after: &Rotation,
    now: Moment,
) -> Result<(), JournalError> {
    let list = labels(after);
    if before.is_some_and(|before| labels(before) == list) {
        return Ok(());
    }
    tx.execute("UPDATE versions SET label = 'retired' WHERE lineage = ?1", [lineage])?;
    for (key, generation, label) in list {
        tx.execute(
            "INSERT INTO versions VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(lineage, generation, key)
             DO UPDATE SET label = ?4, since = ?5",
            params![lineage, i64::try_from(generation).unwrap_or(i64::MAX), key.0, label, now.0],
        )?;
    }
    Ok(())
}

impl JournalError {
    /// The sealing key that is missing or wrong, if that is the trouble.
    pub fn sealing_key(&self) -> Option<&str> {
        match self {
            JournalError::Seal(SealError::Missing(id) | SealError::Broken(id)) => Some(id),
            _ => None,
        }
    }
}
