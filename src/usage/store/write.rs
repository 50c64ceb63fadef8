//! Writing: a stretch of time takes the place of what was there, or a log is added to it.

use super::{SourceInfo, Store, StoreError};
use crate::usage::rows::{Numbers, Row};
use crate::usage::time;
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::{BTreeMap, HashMap};

/// All that a source tells of a stretch of time.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// The source.
    pub source: &'a SourceInfo,
    /// First second.
    pub from: i64,
    /// First second after.
    pub to: i64,
    /// The rows; what is not among them was not used.
    pub rows: &'a [Row],
    /// When keys were used last, where the source tells only that.
    pub last: &'a BTreeMap<String, i64>,
    /// Now.
    pub now: i64,
}

/// What a stretch or a log changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Rows that are new.
    pub added: u64,
    /// Rows whose figures are others now.
    pub corrected: u64,
    /// Rows that the source does not tell of any more.
    pub withdrawn: u64,
}

impl Changed {
    /// Adds another one.
    pub fn add(&mut self, other: Changed) {
        self.added += other.added;
        self.corrected += other.corrected;
        self.withdrawn += other.withdrawn;
    }
}

/// How far a log is taken in: its digest up to there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Bytes from the beginning.
    pub bytes: u64,
    /// SHA-256 of those bytes.
    pub digest: [u8; 32],
}

/// A row's place in the table: hour, key, model, place.
type Spot = (i64, i64, i64, i64);

impl Store {
    /// Writes a stretch and the mark behind it, all or nothing. A later stretch over the same time corrects it.
    ///
    /// # Errors
    /// SQLite's, or a source that was another one before.
    pub fn replace(&self, stretch: &Stretch<'_>) -> Result<Changed, StoreError> {
        let mut db = self.db.borrow_mut();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let source = source_id(&tx, stretch.source)?;
        let (from, to) = (stretch.from.div_euclid(3600), stretch.to.div_euclid(3600));
        within(&tx, from)?;
        let mut names = Ids::default();
        let mut wanted: HashMap<Spot, Numbers> = HashMap::with_capacity(stretch.rows.len());
        for row in stretch.rows {
            let spot = names.spot(&tx, stretch.source, row)?;
            wanted.entry(spot).or_default().add(&row.numbers);
        }
        let mut changed = Changed::default();
        let mut there = tx.prepare(
            "SELECT at, key, model, place, requests, input, output, cost, errors FROM hour
             WHERE source = ?1 AND at >= ?2 AND at < ?3",
        )?;
        let rows = there.query_map(params![source, from, to], |r| {
            let spot: Spot = (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?);
            Ok((spot, numbers(r, 4)?))
        })?;
        let mut other = Vec::new();
        for row in rows {
            let (spot, old) = row?;
            match wanted.remove(&spot) {
                Some(new) if new == old => {}
                Some(new) => other.push((spot, new, true)),
                None if old == Numbers::default() => {}
                None => other.push((spot, Numbers::default(), false)),
            }
        }
        drop(there);
        let mut update = tx.prepare(
            "UPDATE hour SET requests = ?6, input = ?7, output = ?8, cost = ?9, errors = ?10,
             revision = revision + 1 WHERE source = ?1 AND at = ?2 AND key = ?3 AND model = ?4 AND place = ?5",
        )?;
        for ((at, key, model, place), n, told) in other {
            update.execute(params![
                source, at, key, model, place, n.requests, n.input, n.output, n.cost, n.errors
            ])?;
            if told {
                changed.corrected += 1;
            } else {
                changed.withdrawn += 1;
            }
        }
        drop(update);
        let mut insert =
            tx.prepare("INSERT INTO hour VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1)")?;
        // In the order of the table, which is the quickest.
        let mut new: Vec<_> = wanted.into_iter().collect();
        new.sort_unstable_by_key(|(spot, _)| *spot);
        for ((at, key, model, place), n) in new {
            insert.execute(params![
                source, at, key, model, place, n.requests, n.input, n.output, n.cost, n.errors
            ])?;
            changed.added += 1;
        }
        drop(insert);
        for (key, at) in stretch.last {
            let key = names.key(&tx, &stretch.source.provider, key)?;
            tx.execute(
                "INSERT INTO last_use VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
                params![source, key, at],
            )?;
        }
        days(&tx, source, from, to)?;
        tx.execute(
            "UPDATE source SET mark = max(coalesce(mark, 0), ?2), read_at = ?3 WHERE id = ?1",
            params![source, stretch.to, stretch.now],
        )?;
        tx.commit()?;
        Ok(changed)
    }

    /// How far the log that begins like this is taken in, of the lengths that were: `digest` gives the digest of so
    /// many bytes from its beginning, or none if it is shorter.
    ///
    /// # Errors
    /// SQLite's.
    #[allow(clippy::type_complexity)] // because one digest a length is what it is
    pub fn taken(
        &self,
        source: &str,
        digest: &mut dyn FnMut(&[u64]) -> Vec<Option<[u8; 32]>>,
    ) -> Result<Option<Taken>, StoreError> {
        let db = self.db.borrow();
        let mut rows = db.prepare(
            "SELECT l.bytes, l.digest FROM log l JOIN source s ON s.id = l.source WHERE s.name = ?1 ORDER BY bytes",
        )?;
        let known: Vec<(u64, Vec<u8>)> = rows
            .query_map([source], |r| Ok((r.get::<_, i64>(0)?.unsigned_abs(), r.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let lengths: Vec<u64> = known.iter().map(|(n, _)| *n).collect();
        let found = digest(&lengths);
        let same = known.into_iter().zip(found).rev().find_map(|((bytes, old), now)| {
            now.filter(|d| d[..] == old[..]).map(|digest| Taken { bytes, digest })
        });
        Ok(same)
    }

    /// Which of these requests were counted before.
    ///
    /// # Errors
    /// SQLite's.
    pub fn counted(&self, source: &str, id: u64) -> Result<bool, StoreError> {
        let db = self.db.borrow();
        let mut query = db.prepare(
            "SELECT 1 FROM request r JOIN source s ON s.id = r.source WHERE s.name = ?1 AND r.id = ?2",
        )?;
        Ok(query.query_row(params![source, id.cast_signed()], |_| Ok(())).optional()?.is_some())
    }

    /// Adds what a log holds beyond what was taken in before, all or nothing.
    ///
    /// # Errors
    /// SQLite's, or a source that was another one before.
    pub fn add(
        &self,
        info: &SourceInfo,
        rows: &[Row],
        ids: &[u64],
        before: Option<&Taken>,
        now_taken: &Taken,
        now: i64,
    ) -> Result<Changed, StoreError> {
        let mut db = self.db.borrow_mut();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let source = source_id(&tx, info)?;
        let mut names = Ids::default();
        let mut changed = Changed::default();
        let (mut from, mut to) = (i64::MAX, i64::MIN);
        let mut put = tx.prepare(
            "INSERT INTO hour VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1) ON CONFLICT DO UPDATE SET
             requests = requests + excluded.requests, input = input + excluded.input,
             output = output + excluded.output, cost = cost + excluded.cost, errors = errors + excluded.errors,
             revision = revision + 1 RETURNING revision",
        )?;
        for row in rows {
            let (at, key, model, place) = names.spot(&tx, info, row)?;
            let n = &row.numbers;
            let revision: i64 = put.query_row(
                params![source, at, key, model, place, n.requests, n.input, n.output, n.cost, n.errors],
                |r| r.get(0),
            )?;
            if revision == 1 {
                changed.added += 1;
            } else {
                changed.corrected += 1;
            }
            (from, to) = (from.min(at), to.max(at + 1));
        }
        drop(put);
        let newest = if to > i64::MIN { to } else { now.div_euclid(3600) };
        let mut seen = tx.prepare("INSERT OR IGNORE INTO request VALUES (?1, ?2, ?3)")?;
        for id in ids {
            seen.execute(params![source, id.cast_signed(), newest])?;
        }
        drop(seen);
        if let Some(before) = before {
            tx.execute(
                "DELETE FROM log WHERE source = ?1 AND digest = ?2",
                params![source, &before.digest[..]],
            )?;
        }
        tx.execute(
            "INSERT OR REPLACE INTO log VALUES (?1, ?2, ?3, ?4)",
            params![source, now_taken.bytes.cast_signed(), &now_taken.digest[..], now],
        )?;
        if from < to {
            within(&tx, from)?;
            days(&tx, source, from, to)?;
        }
        tx.execute(
            "UPDATE source SET mark = max(coalesce(mark, 0), ?2), read_at = ?3 WHERE id = ?1",
            params![source, newest.saturating_mul(3600), now],
        )?;
        tx.commit()?;
        Ok(changed)
    }
}

/// Whether hours are still kept from there on.
fn within(tx: &Transaction<'_>, from: i64) -> Result<(), StoreError> {
    let kept = super::kept(tx)?;
    if from < kept { Err(StoreError::Old(time::shown(kept * 3600, time::DAY))) } else { Ok(()) }
}

/// Makes the days anew that these hours lie in.
fn days(tx: &Transaction<'_>, source: i64, from: i64, to: i64) -> rusqlite::Result<()> {
    let (first, last) = (from.div_euclid(24), (to - 1).div_euclid(24));
    tx.execute("DELETE FROM day WHERE source = ?1 AND at >= ?2 AND at <= ?3", params![source, first, last])?;
    tx.execute(
        "INSERT INTO day SELECT source, at / 24, key, model, sum(requests), sum(input), sum(output), sum(cost),
         sum(errors) FROM hour WHERE source = ?1 AND at >= ?2 AND at < ?3 GROUP BY at / 24, key, model",
        params![source, first * 24, (last + 1) * 24],
    )?;
    Ok(())
}

pub(super) fn numbers(r: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Numbers> {
    Ok(Numbers {
        requests: r.get(first)?,
        input: r.get(first + 1)?,
        output: r.get(first + 2)?,
        cost: r.get(first + 3)?,
        errors: r.get(first + 4)?,
    })
}

fn source_id(tx: &Transaction<'_>, info: &SourceInfo) -> Result<i64, StoreError> {
    let row = tx
        .query_row(
            "SELECT id, provider, class, grain, measures FROM source WHERE name = ?1",
            [&info.name],
            |r| {
                Ok((
                    r.get::<_, i64>(0)?,
                    r.get::<_, String>(1)?,
                    r.get::<_, String>(2)?,
                    r.get::<_, i64>(3)?,
                    r.get::<_, i64>(4)?,
                ))
            },
        )
        .optional()?;
    if let Some((id, provider, class, grain, measures)) = row {
        if provider != info.provider || class != info.class.word() || grain != info.grain {
            return Err(StoreError::Source(info.name.clone()));
        }
        if measures != info.measures.bits() {
            tx.execute("UPDATE source SET measures = ?2 WHERE id = ?1", params![id, info.measures.bits()])?;
        }
        return Ok(id);
    }
    tx.execute(
        "INSERT INTO source(name, provider, class, grain, measures) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![info.name, info.provider, info.class.word(), info.grain, info.measures.bits()],
    )?;
    Ok(tx.last_insert_rowid())
}

/// Numbers of names, kept for one transaction.
#[derive(Default)]
struct Ids {
    keys: HashMap<String, i64>,
    labels: HashMap<String, i64>,
}

impl Ids {
    fn spot(&mut self, tx: &Transaction<'_>, info: &SourceInfo, row: &Row) -> rusqlite::Result<Spot> {
        let key = self.key(tx, &info.provider, &row.key)?;
        Ok((row.at.div_euclid(3600), key, self.label(tx, &row.model)?, self.label(tx, &row.place)?))
    }

    fn key(&mut self, tx: &Transaction<'_>, provider: &str, name: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.keys.get(name) {
            return Ok(*id);
        }
        tx.prepare("INSERT OR IGNORE INTO key(provider, name) VALUES (?1, ?2)")?.execute([provider, name])?;
        let id = tx
            .prepare("SELECT id FROM key WHERE provider = ?1 AND name = ?2")?
            .query_row([provider, name], |r| r.get(0))?;
        self.keys.insert(name.to_owned(), id);
        Ok(id)
    }

    fn label(&mut self, tx: &Transaction<'_>, text: &str) -> rusqlite::Result<i64> {
        if text.is_empty() {
            return Ok(0);
        }
        if let Some(id) = self.labels.get(text) {
            return Ok(*id);
        }
        tx.prepare("INSERT OR IGNORE INTO label(text) VALUES (?1)")?.execute([text])?;
        let id = tx.prepare("SELECT id FROM label WHERE text = ?1")?.query_row([text], |r| r.get(0))?;
        self.labels.insert(text.to_owned(), id);
        Ok(id)
    }
}
