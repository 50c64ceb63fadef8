//! Use by service, key, model or time, from whichever source is nearest to the key.

use super::store::{Filter, Line, Names, Store, StoreError};
use super::{Numbers, time};
use crate::rule::Class;
use std::collections::HashMap;
use words::{Words, labels, moments};

/// What rows are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The service that a key belongs to, by the inventory.
    Service,
    /// The team.
    Team,
    /// The environment.
    Environment,
    /// The lineage of keys.
    Lineage,
    /// Who issued the key.
    Provider,
    /// The key.
    Key,
    /// The model.
    Model,
    /// Country or address.
    Place,
    /// The hour, in UTC.
    Hour,
    /// The day, in UTC.
    Day,
}

/// The words of [`By`].
const WORDS: [(&str, By); 10] = [
    ("service", By::Service),
    ("team", By::Team),
    ("environment", By::Environment),
    ("lineage", By::Lineage),
    ("provider", By::Provider),
    ("key", By::Key),
    ("model", By::Model),
    ("place", By::Place),
    ("hour", By::Hour),
    ("day", By::Day),
];

impl By {
    /// Its word.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(_, by)| *by == self).map_or("", |(word, _)| word)
    }

    /// Reads a word.
    ///
    /// # Errors
    /// A sentence with the words that there are.
    pub fn from_word(text: &str) -> Result<By, String> {
        WORDS.iter().find(|(word, _)| *word == text).map(|(_, by)| *by).ok_or_else(|| {
            let words: Vec<_> = WORDS.iter().map(|(word, _)| *word).collect();
            format!("`{text}` is none of {}", words.join(", "))
        })
    }
}

/// Whose a key is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The lineage's id in the inventory.
    pub lineage: String,
    /// The service.
    pub service: String,
    /// The team.
    pub team: String,
    /// The environment.
    pub environment: String,
}

/// Owners by provider and what that calls the key.
pub type Owners = HashMap<(String, String), Owner>;

/// What an unknown key has in the place of a name of the inventory.
pub const UNKNOWN: &str = "(unknown)";

/// Rows of a table, most costly first, or in order of time if that is among what they are told apart by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What they are told apart by.
    pub by: Vec<&'static str>,
    /// Values in that order, and how much.
    pub rows: Vec<(Vec<String>, Numbers)>,
    /// Everything together.
    pub total: Numbers,
    /// Keys that have a source that was left out, since a nearer one tells the same.
    pub doubled: usize,
    /// Keys for which a weak source is all there is.
    pub weak: usize,
    /// Keys that the inventory does not know.
    pub unknown: usize,
}

/// The nearest class of source for each measure of each key.
pub(super) type Nearest = ahash::HashMap<i64, [Option<Class>; 4]>;

/// Adds up a time. Each measure of a key comes from the nearest sources that tell it: a gateway before a provider sees
/// the same requests, and they must not count twice.
///
/// # Errors
/// SQLite's.
pub fn table(store: &Store, from: i64, to: i64, by: &[By], owners: &Owners) -> Result<Table, StoreError> {
    let names = store.names()?;
    let hours = by.iter().any(|b| matches!(b, By::Hour | By::Place));
    let (near, doubled) = nearest(store, from, to, &names)?;
    let mut sums: ahash::HashMap<Vec<i64>, Numbers> = ahash::HashMap::default();
    let mut keys: ahash::HashMap<i64, bool> = ahash::HashMap::default();
    let filter = Filter { from, to, hours };
    // What follows from the key is looked up once a key. A sum is kept under numbers that stand for what its row shows,
    // since most of the time goes into comparing.
    let mut words: Vec<Words> = by.iter().map(|_| Words::default()).collect();
    let mut spots: ahash::HashMap<i64, Vec<i64>> = ahash::HashMap::default();
    let mut spot = Vec::with_capacity(by.len());
    store.lines(&filter, &mut |line| {
        let numbers = chosen(&line, &names, &near);
        if numbers == Numbers::default() {
            return;
        }
        let weak = names.sources.get(&line.source).is_some_and(|s| s.class == Class::Weak);
        keys.entry(line.key).and_modify(|w| *w &= weak).or_insert(weak);
        let of_key = spots.entry(line.key).or_insert_with(|| {
            let name = |b: &By| key_name(*b, line.key, &names, owners);
            by.iter().zip(&mut words).map(|(b, words)| name(b).map_or(0, |name| words.number(name))).collect()
        });
        spot.clone_from(of_key);
        for (b, value) in by.iter().zip(&mut spot) {
            match b {
                By::Hour => *value = line.at,
                By::Day => *value = time::floor(line.at, time::DAY),
                By::Model => *value = line.model,
                By::Place => *value = line.place,
                _ => {}
            }
        }
        match sums.get_mut(&spot) {
            Some(sum) => sum.add(&numbers),
            None => drop(sums.insert(spot.clone(), numbers)),
        }
    })?;
    let mut sums: Vec<(Vec<i64>, Numbers)> = sums.into_iter().collect();
    for (n, b) in by.iter().enumerate() {
        let column = sums.iter_mut().map(|(spot, _)| &mut spot[n]);
        let shown = match b {
            By::Hour => moments(column, time::HOUR),
            By::Day => moments(column, time::DAY),
            By::Model | By::Place => labels(column, &names),
            _ => std::mem::take(&mut words[n]).sorted(column),
        };
        words[n].texts = shown;
    }
    // The numbers are in the order of their words by now.
    sums.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut total = Numbers::default();
    let mut rows = Vec::with_capacity(sums.len());
    for (spot, numbers) in sums {
        let row = spot.iter().zip(&words).map(|(n, words)| words.text(*n).to_owned()).collect();
        total.add(&numbers);
        rows.push((row, numbers));
    }
    if !by.iter().any(|b| matches!(b, By::Hour | By::Day)) {
        rows.sort_by_key(|(_, n)| std::cmp::Reverse((n.cost, n.output, n.input, n.requests)));
    }
    let unknown =
        keys.keys().filter(|key| names.keys.get(key).is_none_or(|k| !owners.contains_key(k))).count();
    let weak = keys.values().filter(|weak| **weak).count();
    Ok(Table { by: by.iter().map(|b| b.word()).collect(), rows, total, doubled, weak, unknown })
}

/// What a table says of a key; none for what does not follow from it.
fn key_name(by: By, key: i64, names: &Names, owners: &Owners) -> Option<String> {
    let owned = |field: fn(&Owner) -> &String| {
        let owner = names.keys.get(&key).and_then(|k| owners.get(k));
        owner.map(field).filter(|t| !t.is_empty()).cloned().unwrap_or_else(|| UNKNOWN.to_owned())
    };
    match by {
        By::Service => Some(owned(|o| &o.service)),
        By::Team => Some(owned(|o| &o.team)),
        By::Environment => Some(owned(|o| &o.environment)),
        By::Lineage => Some(owned(|o| &o.lineage)),
        By::Provider => Some(names.keys.get(&key).map(|k| k.0.clone()).unwrap_or_default()),
        By::Key => Some(names.keys.get(&key).map(|k| k.1.clone()).unwrap_or_default()),
        By::Model | By::Place | By::Hour | By::Day => None,
    }
}

/// For each key the nearest class that tells each measure, and how many keys are told of by several.
pub(super) fn nearest(
    store: &Store,
    from: i64,
    to: i64,
    names: &Names,
) -> Result<(Nearest, usize), StoreError> {
    let mut near = Nearest::default();
    let mut seen: HashMap<i64, (Class, bool)> = HashMap::new();
    // Days are enough to know who tells of a key.
    store.lines(&Filter { from, to, hours: false }, &mut |line| {
        let Some(source) = names.sources.get(&line.source) else { return };
        let m = source.measures;
        let slots = near.entry(line.key).or_default();
        for (slot, told) in slots.iter_mut().zip([m.requests, m.tokens, m.cost, m.errors]) {
            if told && slot.is_none_or(|class| source.class < class) {
                *slot = Some(source.class);
            }
        }
        let both = seen.entry(line.key).or_insert((source.class, false));
        both.1 |= both.0 != source.class;
    })?;
    Ok((near, seen.values().filter(|(_, both)| *both).count()))
}

/// What of a row counts.
pub(super) fn chosen(line: &Line, names: &Names, near: &Nearest) -> Numbers {
    let (Some(source), Some(slots)) = (names.sources.get(&line.source), near.get(&line.key)) else {
        return Numbers::default();
    };
    let of = |slot: usize, n: i64| if slots[slot] == Some(source.class) { n } else { 0 };
    let n = line.numbers;
    Numbers {
        requests: of(0, n.requests),
        input: of(1, n.input),
        output: of(1, n.output),
        cost: of(2, n.cost),
        errors: of(3, n.errors),
    }
}

#[cfg(test)]
mod tests;
mod words;
