//! The use of each key for a report: how much, how much before, when last, from where; and of which keys silence says
//! anything at all.

use super::store::{Filter, Measures, Store, StoreError};
use super::table::{chosen, nearest};
use super::{Numbers, time};
use crate::rule::Class;
use std::collections::BTreeMap;

/// Seconds of a week.
const WEEK: i64 = 7 * time::DAY;

/// Over which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// First second of it.
    pub from: i64,
    /// First second after it.
    pub to: i64,
    /// How many weeks up to its end are told one by one.
    pub weeks: usize,
}

/// The use of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Within the time that was asked for.
    pub numbers: Numbers,
    /// Within as long a time before.
    pub before: Numbers,
    /// The first second of the hour or day of its last use ever.
    pub last: Option<i64>,
    /// Countries and addresses, each with the hour of its last use, within the time that was asked for.
    pub places: BTreeMap<String, i64>,
    /// Week by week, the oldest first.
    pub weeks: Vec<Numbers>,
    /// Whether a reading of the key is all that is known.
    pub weak: bool,
    /// From when until when a source told of each of its uses: within that time silence means that it was not used.
    /// None if no provider ever told of this key.
    pub covered: Option<(i64, i64)>,
}

/// The use of all keys, by provider and what that calls the key.
pub type Account = BTreeMap<(String, String), Held>;

/// Adds up. Each measure of a key comes from the nearest source that tells it.
///
/// # Errors
/// SQLite's.
pub fn account(store: &Store, spell: Spell) -> Result<Account, StoreError> {
    let names = store.names()?;
    let Spell { from, to, weeks } = spell;
    let before = from - (to - from);
    let first_week = time::floor(to + time::DAY - 1, time::DAY) - WEEK * i64::try_from(weeks).unwrap_or(0);
    let earliest = before.min(first_week);
    let (near, _) = nearest(store, earliest, to, &names)?;
    let mut account = Account::default();
    let name = |id: i64| names.keys.get(&id).cloned();
    store.lines(&Filter { from: earliest, to, hours: false }, &mut |line| {
        let Some(key) = name(line.key) else { return };
        let numbers = chosen(&line, &names, &near);
        if numbers == Numbers::default() {
            return;
        }
        let weak = names.sources.get(&line.source).is_some_and(|s| s.class == Class::Weak);
        let held = account.entry(key).or_insert_with(|| Held {
            weeks: vec![Numbers::default(); weeks],
            weak: true,
            ..Held::default()
        });
        held.weak &= weak;
        if line.at >= from {
            held.numbers.add(&numbers);
        } else if line.at >= before {
            held.before.add(&numbers);
        }
        let week = usize::try_from((line.at - first_week).div_euclid(WEEK)).ok();
        if let Some(slot) = week.and_then(|n| held.weeks.get_mut(n)) {
            slot.add(&numbers);
        }
    })?;
    store.lines(&Filter { from, to, hours: true }, &mut |line| {
        let place = names.labels.get(&line.place).filter(|_| line.place != 0);
        let weak = names.sources.get(&line.source).is_some_and(|s| s.class == Class::Weak);
        let used = !weak && line.numbers != Numbers::default();
        if let (Some(place), Some(key), true) = (place, name(line.key), used) {
            let held = account.entry(key).or_default();
            let last = held.places.entry(place.clone()).or_insert(line.at);
            *last = line.at.max(*last);
        }
    })?;
    for (key, at) in store.last_days()? {
        if let Some(key) = name(key) {
            let held = account.entry(key).or_default();
            held.last = held.last.max(Some(at));
        }
    }
    for told in store.last_uses()? {
        if let Some(key) = name(told.key) {
            let held = account.entry(key).or_default();
            // A key that is listed and was never used.
            held.last = held.last.max(Some(told.at).filter(|at| *at > 0));
        }
    }
    for held in account.values_mut() {
        held.weeks.resize(weeks, Numbers::default());
    }
    for teller in store.tellers()? {
        let (Some(info), Some(key)) = (names.sources.get(&teller.source), name(teller.key)) else { continue };
        let Some(mark) = store.mark(&info.name)? else { continue };
        // A source of last uses alone has no rows of days, and speaks of all time.
        let all_time = info.measures == Measures::default();
        let tells = info.measures.requests || info.measures.tokens || all_time;
        let since = if all_time { Some(0) } else { teller.since };
        if let (Class::Provider, true, Some(since)) = (info.class, tells, since) {
            let held = account.entry(key).or_default();
            held.weeks.resize(weeks, Numbers::default());
            let known = held.covered.get_or_insert((since, mark.to));
            *known = (known.0.min(since), known.1.max(mark.to));
        }
    }
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::tests::Folder;
    use crate::usage::{Row, SourceInfo, Stretch};

    const DAY: i64 = time::DAY;
    const TO: i64 = 100 * DAY;

    fn put(store: &Store, name: &str, class: Class, measures: Measures, rows: &[Row], last: &[(&str, i64)]) {
        let source =
            SourceInfo { name: name.to_owned(), provider: "acme".to_owned(), class, grain: 3600, measures };
        let last = last.iter().map(|(key, at)| ((*key).to_owned(), *at)).collect();
        store.replace(&Stretch { source: &source, from: 0, to: TO, rows, last: &last, now: TO }).unwrap();
    }

    fn row(key: &str, day: i64, place: &str, requests: i64) -> Row {
        let numbers = Numbers { requests, cost: requests * 10, ..Numbers::default() };
        let (key, place) = (key.to_owned(), place.to_owned());
        Row { key, at: day * DAY + 3600, model: String::new(), place, numbers }
    }

    #[test]
    fn each_key_is_told_by_its_nearest_source() {
        let folder = Folder::new();
        let store = Store::open(&folder.0.join("u")).unwrap();
        let told = Measures { requests: true, cost: true, ..Measures::default() };
        let rows = [
            row("a", 95, "192.0.2.1", 5),
            row("a", 96, "CH", 7),
            row("a", 60, "", 3),
            row("a", 20, "", 1),
            row("b", 10, "", 2),
        ];
        put(&store, "p", Class::Provider, told, &rows, &[]);
        put(&store, "g", Class::Gateway, told, &[row("a", 95, "DE", 4)], &[]);
        put(&store, "w", Class::Weak, told, &[row("c", 95, "FR", 4)], &[]);
        let account = account(&store, Spell { from: 70 * DAY, to: TO, weeks: 4 }).unwrap();
        let of = |key: &str| &account[&("acme".to_owned(), key.to_owned())];
        assert_eq!((of("a").numbers.requests, of("a").numbers.cost, of("a").before.requests), (12, 120, 3));
        assert_eq!(of("a").last, Some(96 * DAY));
        let places: Vec<_> = of("a").places.iter().map(|(p, at)| (p.as_str(), at / DAY)).collect();
        assert_eq!(places, [("192.0.2.1", 95), ("CH", 96), ("DE", 95)], "whoever tells of a place is heard");
        let weeks: Vec<i64> = of("a").weeks.iter().map(|n| n.requests).collect();
        assert_eq!(weeks, [0, 0, 0, 12]);
        assert_eq!((of("b").numbers.requests, of("b").last, of("b").weeks.len()), (0, Some(10 * DAY), 4));
        assert!(of("c").weak && of("c").last.is_none() && of("c").places.is_empty(), "{:?}", of("c"));
        assert_eq!(
            (of("a").covered, of("b").covered, of("c").covered),
            (Some((10 * DAY, TO)), Some((10 * DAY, TO)), None)
        );
    }

    #[test]
    fn what_nobody_tells_of_is_not_covered() {
        let folder = Folder::new();
        let store = Store::open(&folder.0.join("u")).unwrap();
        let cost = Measures { cost: true, ..Measures::default() };
        put(&store, "costs", Class::Provider, cost, &[row("a", 95, "", 1)], &[]);
        let requests = Measures { requests: true, ..Measures::default() };
        put(&store, "gateway", Class::Gateway, requests, &[row("a", 95, "", 1)], &[]);
        put(&store, "empty", Class::Provider, requests, &[], &[]);
        let spell = Spell { from: 70 * DAY, to: TO, weeks: 4 };
        assert!(account(&store, spell).unwrap().values().all(|held| held.covered.is_none()));
        put(&store, "last", Class::Provider, Measures::default(), &[], &[("y", 0), ("z", 40 * DAY)]);
        let account = account(&store, spell).unwrap();
        let of = |key: &str| &account[&("acme".to_owned(), key.to_owned())];
        assert_eq!((of("z").covered, of("z").last), (Some((0, TO)), Some(40 * DAY)));
        assert_eq!((of("y").covered, of("y").last), (Some((0, TO)), None), "listed, and never used");
        assert_eq!(of("a").covered, None, "another key of the same provider may be of another account");
    }
}
