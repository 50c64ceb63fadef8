//! Reading: rows of a time, with numbers in the place of names.

use super::write::numbers;
use super::{Measures, SourceInfo, Store, StoreError};
use crate::rule::Class;
use crate::usage::rows::Numbers;
use rusqlite::params;
use std::collections::{BTreeSet, HashMap};

/// What is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// First second.
    pub from: i64,
    /// First second after.
    pub to: i64,
    /// Whether hours and places are wanted, or days are enough.
    pub hours: bool,
}

/// One row. Names are in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The source.
    pub source: i64,
    /// First second of its hour or day.
    pub at: i64,
    /// The key.
    pub key: i64,
    /// The model; 0 for none.
    pub model: i64,
    /// The place; 0 for none, and for days.
    pub place: i64,
    /// How much.
    pub numbers: Numbers,
}

/// The names of what lines point to.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Provider and name.
    pub keys: HashMap<i64, (String, String)>,
    /// Models and places.
    pub labels: HashMap<i64, String>,
    /// Sources.
    pub sources: HashMap<i64, SourceInfo>,
}

/// When a key was used last, as its provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// The key.
    pub key: i64,
    /// Seconds since 1970.
    pub at: i64,
}

/// A source that tells of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teller {
    /// The source.
    pub source: i64,
    /// The key.
    pub key: i64,
    /// The first day of which the source tells anything; none if it tells of no days.
    pub since: Option<i64>,
}

impl Store {
    /// All names.
    ///
    /// # Errors
    /// SQLite's.
    pub fn names(&self) -> Result<Names, StoreError> {
        let db = self.db.borrow();
        let mut names = Names::default();
        let mut rows = db.prepare("SELECT id, provider, name FROM key")?;
        for row in rows.query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?))))? {
            let (id, key) = row?;
            names.keys.insert(id, key);
        }
        let mut rows = db.prepare("SELECT id, text FROM label")?;
        for row in rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))? {
            let (id, label) = row?;
            names.labels.insert(id, label);
        }
        let mut rows = db.prepare("SELECT id, name, provider, class, grain, measures FROM source")?;
        let read = rows.query_map([], |r| {
            let class: String = r.get(3)?;
            let info = SourceInfo {
                name: r.get(1)?,
                provider: r.get(2)?,
                class: Class::from_word(&class).unwrap_or(Class::Weak),
                grain: r.get(4)?,
                measures: Measures::from_bits(r.get(5)?),
            };
            Ok((r.get(0)?, info))
        })?;
        for row in read {
            let (id, info) = row?;
            names.sources.insert(id, info);
        }
        Ok(names)
    }

    /// Hands over each row of a time, source by source and in order of time.
    ///
    /// # Errors
    /// SQLite's.
    pub fn lines(&self, filter: &Filter, each: &mut dyn FnMut(Line)) -> Result<(), StoreError> {
        let db = self.db.borrow();
        let (table, place, seconds) =
            if filter.hours { ("hour", "place", 3_600) } else { ("day", "0", 86_400) };
        let mut query = db.prepare(&format!(
            "SELECT source, at, key, model, {place}, requests, input, output, cost, errors FROM {table}
             WHERE source = ?1 AND at >= ?2 AND at < ?3 ORDER BY at, key, model"
        ))?;
        let mut sources: Vec<i64> = db
            .prepare("SELECT id FROM source ORDER BY id")?
            .query_map([], |r| r.get(0))?
            .collect::<Result<_, _>>()?;
        sources.dedup();
        let (from, to) = (filter.from.div_euclid(seconds), (filter.to + seconds - 1).div_euclid(seconds));
        for source in sources {
            let mut rows = query.query(params![source, from, to])?;
            while let Some(r) = rows.next()? {
                each(Line {
                    source: r.get(0)?,
                    at: r.get::<_, i64>(1)? * seconds,
                    key: r.get(2)?,
                    model: r.get(3)?,
                    place: r.get(4)?,
                    numbers: numbers(r, 5)?,
                });
            }
        }
        Ok(())
    }

    /// The first second of the newest hour of a source.
    ///
    /// # Errors
    /// SQLite's.
    pub fn newest(&self, source: i64) -> Result<Option<i64>, StoreError> {
        let db = self.db.borrow();
        let hour: Option<i64> =
            db.query_row("SELECT max(at) FROM hour WHERE source = ?1", [source], |r| r.get(0))?;
        Ok(hour.map(|hour| hour * 3_600))
    }

    /// The keys that a source ever told of.
    ///
    /// # Errors
    /// SQLite's.
    pub fn told_of(&self, source: i64) -> Result<BTreeSet<i64>, StoreError> {
        let db = self.db.borrow();
        let mut rows = db.prepare("SELECT DISTINCT key FROM day WHERE source = ?1")?;
        let keys = rows.query_map([source], |r| r.get(0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// When keys were used last, where a provider tells it.
    ///
    /// # Errors
    /// SQLite's.
    pub fn last_uses(&self) -> Result<Vec<LastUse>, StoreError> {
        let db = self.db.borrow();
        let mut rows = db.prepare("SELECT key, max(at) FROM last_use GROUP BY key ORDER BY key")?;
        let list = rows.query_map([], |r| Ok(LastUse { key: r.get(0)?, at: r.get(1)? }))?;
        Ok(list.collect::<Result<_, _>>()?)
    }

    /// The last day of each key with use, by whoever sees uses and not only readings.
    ///
    /// # Errors
    /// SQLite's.
    pub fn last_days(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        let db = self.db.borrow();
        let mut rows = db.prepare(
            "SELECT d.key, max(d.at) FROM day d JOIN source s ON s.id = d.source
             WHERE s.class <> 'weak' AND (d.requests > 0 OR d.input > 0 OR d.output > 0 OR d.cost > 0)
             GROUP BY d.key ORDER BY d.key",
        )?;
        let list = rows.query_map([], |r| Ok((r.get(0)?, r.get::<_, i64>(1)? * 86_400)))?;
        Ok(list.collect::<Result<_, _>>()?)
    }

    /// Which source tells of which key, each with the first day of which the source tells anything.
    ///
    /// # Errors
    /// SQLite's.
    pub fn tellers(&self) -> Result<Vec<Teller>, StoreError> {
        let db = self.db.borrow();
        let mut rows = db.prepare(
            "SELECT k.source, k.key, (SELECT min(at) FROM day WHERE source = k.source)
             FROM (SELECT source, key FROM day UNION SELECT source, key FROM last_use) k ORDER BY k.source, k.key",
        )?;
        let list = rows.query_map([], |r| {
            let since = r.get::<_, Option<i64>>(2)?.map(|day| day * 86_400);
            Ok(Teller { source: r.get(0)?, key: r.get(1)?, since })
        })?;
        Ok(list.collect::<Result<_, _>>()?)
    }
}
