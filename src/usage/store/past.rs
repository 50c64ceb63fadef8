//! The numbers of earlier reports, for a trend.

use super::{Store, StoreError};
use rusqlite::{TransactionBehavior, params};
use std::collections::BTreeMap;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS past(
  day INTEGER NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(day, what)
) STRICT, WITHOUT ROWID";

/// What was counted in a report, and how many.
pub type Counts = Vec<(String, u64)>;

impl Store {
    /// Keeps the numbers of a report under its day, in seconds; those of an earlier one of that day go.
    ///
    /// # Errors
    /// SQLite's.
    pub fn keep_counts(&self, day: i64, counts: &[(&str, u64)]) -> Result<(), StoreError> {
        let day = day.div_euclid(86_400);
        let mut db = self.db.borrow_mut();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(TABLE)?;
        tx.execute("DELETE FROM past WHERE day = ?1", [day])?;
        for (what, n) in counts {
            let n = i64::try_from(*n).unwrap_or(i64::MAX);
            tx.execute("INSERT OR REPLACE INTO past VALUES (?1, ?2, ?3)", params![day, what, n])?;
        }
        tx.commit()?;
        Ok(())
    }

    /// The numbers of all reports by the first second of their day, the oldest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn counts(&self) -> Result<Vec<(i64, Counts)>, StoreError> {
        let db = self.db.borrow();
        db.execute_batch(TABLE)?;
        let mut query = db.prepare("SELECT day, what, n FROM past ORDER BY day, what")?;
        let mut days: BTreeMap<i64, Counts> = BTreeMap::new();
        let rows = query.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get(1)?, r.get::<_, i64>(2)?)))?;
        for row in rows {
            let (day, what, n) = row?;
            days.entry(day * 86_400).or_default().push((what, n.unsigned_abs()));
        }
        Ok(days.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::tests::Folder;

    #[test]
    fn a_day_has_the_numbers_of_its_last_report() {
        let folder = Folder::new();
        let store = Store::open(&folder.0.join("u")).unwrap();
        assert_eq!(store.counts().unwrap(), []);
        store.keep_counts(86_400 * 9 + 5, &[("late", 4), ("unused", 1)]).unwrap();
        store.keep_counts(86_400 * 2, &[("late", 7)]).unwrap();
        store.keep_counts(86_400 * 9 + 9, &[("late", 3)]).unwrap();
        let late = |n| vec![("late".to_owned(), n)];
        assert_eq!(store.counts().unwrap(), [(86_400 * 2, late(7)), (86_400 * 9, late(3))]);
    }
}
