//! From an answer or a log to rows: pointers into JSON, checked numbers, buckets.

use super::time;
use crate::rule::{Columns, Grain, RowsAt, Unit};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Longest name of a key, model or place; the rest is cut off.
const LONGEST: usize = 200;
/// Most places of one key in one hour. Whoever sends made-up addresses must not fill the store.
const MOST_PLACES: usize = 32;
/// The place of all further ones.
const MANY: &str = "(many)";
/// The name of what no key is named for.
pub(super) const NOBODY: &str = "(none)";
/// Largest number that is taken for a count.
const MOST: f64 = 9e15;

/// How much was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Requests.
    pub requests: i64,
    /// Tokens that came in.
    pub input: i64,
    /// Tokens that went out.
    pub output: i64,
    /// Cost in billionths of a US dollar.
    pub cost: i64,
    /// Requests that failed.
    pub errors: i64,
}

impl Numbers {
    /// Adds others; what would overflow stays at the largest number.
    pub fn add(&mut self, other: &Numbers) {
        self.requests = self.requests.saturating_add(other.requests);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cost = self.cost.saturating_add(other.cost);
        self.errors = self.errors.saturating_add(other.errors);
    }

    /// Cost in US dollars.
    #[allow(clippy::cast_precision_loss)] // because it is shown, not added up
    pub fn dollars(&self) -> f64 {
        self.cost as f64 / 1e9
    }
}

/// The use of one key in one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key, by what its provider calls it.
    pub key: String,
    /// First second of the bucket.
    pub at: i64,
    /// The model, or empty.
    pub model: String,
    /// Country or address, or empty.
    pub place: String,
    /// How much.
    pub numbers: Numbers,
}

/// What is wrong with a row. Names the column, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// There is no list of rows.
    #[error("there is no list at `{0}`")]
    NoList(String),
    /// No moment, or none that can be read.
    #[error("row {0}: `at` holds no moment")]
    NoTime(usize),
    /// A number that is negative, too large, or none.
    #[error("row {row}: `{column}` holds no number that can count")]
    NoNumber {
        /// From 1.
        row: usize,
        /// Which column.
        column: &'static str,
    },
    /// Another currency than US dollars.
    #[error("row {0}: the cost is not in US dollars")]
    Currency(usize),
    /// A bucket outside of what was asked for.
    #[error("row {0}: its time is not within what was asked for")]
    Outside(usize),
    /// The same bucket or request twice.
    #[error("row {0} was there before: a page is repeated")]
    Twice(usize),
    /// A bucket that must be there is not.
    #[error("the bucket {0} is missing: a page was left out")]
    Gap(String),
}

/// Collects the rows of one stretch of time.
#[derive(Debug)]
pub struct Rows<'a> {
    columns: &'a Columns,
    grain: Grain,
    /// From and to; none for a log, which says itself how far it reaches.
    within: Option<(i64, i64)>,
    /// Whose rows these are, where no column says so.
    key: Option<String>,
    sums: BTreeMap<(String, i64, String, String), Numbers>,
    places: BTreeMap<(String, i64), HashSet<String>>,
    buckets: HashSet<i64>,
    ids: HashSet<u64>,
    last: BTreeMap<String, i64>,
    read: usize,
}

impl<'a> Rows<'a> {
    /// No rows yet.
    pub fn new(columns: &'a Columns, grain: Grain, within: Option<(i64, i64)>) -> Self {
        Rows {
            columns,
            grain,
            within,
            key: None,
            sums: BTreeMap::new(),
            places: BTreeMap::new(),
            buckets: HashSet::new(),
            ids: HashSet::new(),
            last: BTreeMap::new(),
            read: 0,
        }
    }

    /// Says whose rows follow, where no column does. Other keys have the same buckets again.
    pub fn of_key(&mut self, key: &str) {
        self.key = Some(cut(key));
        self.buckets.clear();
    }

    /// How many rows were read.
    pub fn read(&self) -> usize {
        self.read
    }

    /// Takes the rows of one page.
    ///
    /// # Errors
    /// The first row that cannot count. Nothing of the stretch may be used then.
    pub fn page(&mut self, at: &RowsAt, page: &Value) -> Result<(), RowError> {
        let list = page.pointer(&at.items).and_then(Value::as_array);
        let list = list.ok_or_else(|| RowError::NoList(at.items.clone()))?;
        let Some(inner) = &at.inner else {
            return list.iter().try_for_each(|row| self.row(row, row));
        };
        for bucket in list {
            let start = bucket.pointer(&self.columns.at).and_then(time::read);
            let start = start.ok_or(RowError::NoTime(self.read + 1))?;
            if !self.buckets.insert(start) {
                return Err(RowError::Twice(self.read + 1));
            }
            let rows = bucket.pointer(inner).and_then(Value::as_array);
            let rows = rows.ok_or_else(|| RowError::NoList(inner.clone()))?;
            rows.iter().try_for_each(|row| self.row(row, bucket))?;
        }
        Ok(())
    }

    /// Whether every bucket was there.
    ///
    /// # Errors
    /// [`RowError::Gap`].
    pub fn whole(&self) -> Result<(), RowError> {
        let Some((from, to)) = self.within else { return Ok(()) };
        let step = self.grain.seconds();
        let mut at = from;
        while at < to {
            if !self.buckets.contains(&at) {
                return Err(RowError::Gap(time::shown(at, step)));
            }
            at += step;
        }
        Ok(())
    }

    /// Takes one row; `bucket` is where it stands, or the row itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn row(&mut self, row: &Value, bucket: &Value) -> Result<(), RowError> {
        self.read += 1;
        let n = self.read;
        let c = self.columns;
        let find =
            |pointer: &str| row.pointer(pointer).or_else(|| bucket.pointer(pointer)).filter(|v| !v.is_null());
        let name = |pointer: &Option<String>| pointer.as_deref().and_then(find).and_then(text);
        let key = match (&c.key, &c.account, &self.key) {
            (Some(_), _, _) => name(&c.key).unwrap_or_else(|| NOBODY.to_owned()),
            (None, Some(_), _) => {
                format!("account:{}", name(&c.account).unwrap_or_else(|| "(default)".to_owned()))
            }
            (None, None, Some(key)) => key.clone(),
            (None, None, None) => NOBODY.to_owned(),
        };
        let moment = find(&c.at).and_then(time::read);
        if self.grain == Grain::LastUsed {
            // A key that was never used has no moment, and that is no fault.
            if let Some(at) = moment {
                let last = self.last.entry(key).or_insert(at);
                *last = at.max(*last);
            }
            return Ok(());
        }
        let moment = moment.ok_or(RowError::NoTime(n))?;
        if let Some((from, to)) = self.within
            && !(from..to).contains(&moment)
        {
            // A request at the edge belongs to the next stretch; a whole bucket out of place is an odd answer.
            return if self.grain == Grain::Request { Ok(()) } else { Err(RowError::Outside(n)) };
        }
        if let Some(id) = name(&c.id)
            && !self.ids.insert(digest(&id))
        {
            return Err(RowError::Twice(n));
        }
        if name(&c.currency).is_some_and(|c| !c.eq_ignore_ascii_case("usd")) {
            return Err(RowError::Currency(n));
        }
        let number = |pointer: &str, column| match find(pointer) {
            None => Ok(0.0),
            Some(value) => count(value).ok_or(RowError::NoNumber { row: n, column }),
        };
        let sum = |list: &[String], column| {
            list.iter().try_fold(0.0, |sum, pointer| Ok(sum + number(pointer, column)?))
        };
        let failed = c.failed.as_ref().is_some_and(|f| {
            find(&f.at).and_then(text).is_some_and(|t| f.is.iter().any(|w| w == "*" || *w == t))
        });
        let optional = |pointer: &Option<String>, column, otherwise: f64| match pointer {
            Some(pointer) => number(pointer, column),
            None => Ok(otherwise),
        };
        let one = if self.grain == Grain::Request { 1.0 } else { 0.0 };
        let unit = match c.unit {
            Unit::Dollar => 1e9,
            Unit::Cent => 1e7,
        };
        let numbers = Numbers {
            requests: whole(optional(&c.requests, "requests", one)?),
            input: whole(sum(&c.input, "input")?),
            output: whole(sum(&c.output, "output")?),
            cost: whole(optional(&c.cost, "cost", 0.0)? * unit),
            errors: whole(optional(&c.errors, "errors", f64::from(u8::from(failed)))?),
        };
        let at = time::floor(moment, self.grain.seconds());
        let place = self.place(&key, at, name(&c.place).unwrap_or_default());
        let model = name(&c.model).unwrap_or_default();
        self.sums.entry((key, at, model, place)).or_default().add(&numbers);
        Ok(())
    }

    fn place(&mut self, key: &str, at: i64, place: String) -> String {
        if place.is_empty() {
            return place;
        }
        let known = self.places.entry((key.to_owned(), at)).or_default();
        if known.len() >= MOST_PLACES && !known.contains(&place) {
            return MANY.to_owned();
        }
        known.insert(place.clone());
        place
    }

    /// The first and the last hour with a row, as a stretch.
    pub fn reach(&self) -> Option<(i64, i64)> {
        let times = || self.sums.keys().map(|(_, at, _, _)| *at);
        Some((times().min()?, times().max()? + self.grain.seconds()))
    }

    /// The digests of the requests that were counted, for those that come again later.
    pub fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.ids.iter().copied()
    }

    /// The rows, and when keys were used last.
    pub fn finish(self) -> (Vec<Row>, BTreeMap<String, i64>) {
        let row = |((key, at, model, place), numbers)| Row { key, at, model, place, numbers };
        (self.sums.into_iter().map(row).collect(), self.last)
    }
}

/// The short name of a request.
pub(super) fn digest(id: &str) -> u64 {
    use sha2::{Digest, Sha256};
    Sha256::digest(id.as_bytes()).first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

fn cut(text: &str) -> String {
    // What steers a terminal or a page has no place in a name.
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(s) => cut(s),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn count(value: &Value) -> Option<f64> {
    let n = match value {
        Value::Number(n) => n.as_f64()?,
        Value::String(s) if s.trim().is_empty() => 0.0,
        Value::String(s) => s.trim().parse().ok()?,
        _ => return None,
    };
    (n.is_finite() && (0.0..MOST).contains(&n)).then_some(n)
}

#[allow(clippy::cast_possible_truncation)] // because `as` keeps to the bounds
fn whole(n: f64) -> i64 {
    n.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns(text: &str) -> Columns {
        toml::from_str(text).unwrap()
    }

    const BUCKETS: &str = "at = '/start'\nkey = '/key'\nmodel = '/model'\nrequests = '/n'\n\
                           input = ['/in', '/cached']\noutput = ['/out']\ncost = '/usd'\ncurrency = '/currency'";

    fn at() -> RowsAt {
        RowsAt { items: "/data".to_owned(), inner: Some("/results".to_owned()), dense: true }
    }

    #[test]
    fn buckets_are_flattened_and_their_columns_added_up() {
        let c = columns(BUCKETS);
        let mut rows = Rows::new(&c, Grain::Hour, Some((0, 7200)));
        let page = json!({"data": [
            {"start": 0, "results": [
                {"key": "key_a", "model": "m", "n": 2, "in": 5, "cached": 3, "out": 1, "usd": "0.0000000125"},
                {"key": "key_a", "model": "m", "n": 1, "in": 1, "out": 0},
                {"key": null, "n": 7}]},
            {"start": 3600, "results": []}]});
        rows.page(&at(), &page).unwrap();
        rows.whole().unwrap();
        let (rows, _) = rows.finish();
        assert_eq!(rows.len(), 2);
        let a = rows.iter().find(|r| r.key == "key_a").unwrap();
        assert_eq!(a.numbers, Numbers { requests: 3, input: 9, output: 1, cost: 13, errors: 0 });
        assert_eq!(rows.iter().find(|r| r.key == NOBODY).unwrap().numbers.requests, 7);
    }

    #[test]
    fn odd_answers_are_noticed() {
        let c = columns(BUCKETS);
        let bucket = |start: i64, row: Value| json!({"data": [{"start": start, "results": [row]}]});
        let run = |pages: &[Value]| {
            let mut rows = Rows::new(&c, Grain::Hour, Some((0, 7200)));
            pages.iter().try_for_each(|p| rows.page(&at(), p)).and_then(|()| rows.whole())
        };
        let fine = |start| bucket(start, json!({"key": "k", "n": 1}));
        assert_eq!(run(&[fine(0), fine(3600)]), Ok(()));
        assert_eq!(run(&[fine(0), fine(0)]), Err(RowError::Twice(2)), "a page came twice");
        assert!(matches!(run(&[fine(0)]), Err(RowError::Gap(_))), "a page was left out");
        assert_eq!(run(&[fine(0), fine(7200)]), Err(RowError::Outside(2)));
        for n in [json!(-1), json!("x"), json!(1e300), json!([1]), json!("inf")] {
            let odd = bucket(0, json!({"key": "k", "n": n}));
            assert_eq!(run(&[odd]), Err(RowError::NoNumber { row: 1, column: "requests" }));
        }
        let euro = bucket(0, json!({"key": "k", "usd": 1, "currency": "eur"}));
        assert_eq!(run(&[euro]), Err(RowError::Currency(1)));
        assert!(matches!(run(&[json!({"error": "x"})]), Err(RowError::NoList(_))));
    }

    #[test]
    fn requests_are_counted_once_and_their_places_bounded() {
        let c = columns(
            "at = '/t'\nkey = '/k'\nid = '/id'\nplace = '/ip'\nfailed = { at = '/s', is = ['failure'] }",
        );
        let mut rows = Rows::new(&c, Grain::Request, Some((0, 3600)));
        let row =
            |id: usize, t: i64, s: &str| json!({"id": id, "t": t, "k": "a", "s": s, "ip": format!("p{id}")});
        for id in 0..100 {
            let row = row(id, 5, if id == 0 { "failure" } else { "success" });
            rows.row(&row, &row).unwrap();
        }
        let late = row(500, 3600, "success");
        rows.row(&late, &late).unwrap();
        let again = row(7, 5, "success");
        assert_eq!(rows.row(&again, &again), Err(RowError::Twice(102)));
        let (rows, _) = rows.finish();
        assert_eq!(rows.len(), MOST_PLACES + 1);
        assert_eq!(rows.iter().map(|r| r.numbers.requests).sum::<i64>(), 100);
        assert_eq!(rows.iter().map(|r| r.numbers.errors).sum::<i64>(), 1);
    }

    #[test]
    fn names_hold_nothing_that_steers_a_terminal() {
        let c = columns("at = '/t'\nkey = '/k'");
        let mut rows = Rows::new(&c, Grain::Request, None);
        let row = json!({"t": 5, "k": format!("a\u{1b}[31m{}", "x".repeat(999))});
        rows.row(&row, &row).unwrap();
        let (rows, _) = rows.finish();
        assert!(!rows[0].key.contains('\u{1b}') && rows[0].key.len() == LONGEST);
    }
}
