use super::*;
use crate::usage::tests::Folder;
use crate::usage::{Measures, Row, SourceInfo, Stretch};
use std::collections::BTreeMap;

fn put(store: &Store, name: &str, class: Class, measures: Measures, rows: &[Row]) {
    let source =
        SourceInfo { name: name.to_owned(), provider: "acme".to_owned(), class, grain: 3600, measures };
    let last = BTreeMap::new();
    store.replace(&Stretch { source: &source, from: 0, to: 172_800, rows, last: &last, now: 0 }).unwrap();
}

fn row(key: &str, at: i64, requests: i64, cost: i64) -> Row {
    let numbers = Numbers { requests, cost, ..Numbers::default() };
    Row { key: key.to_owned(), at, model: "m".to_owned(), place: "p".to_owned(), numbers }
}

#[test]
fn two_sources_of_a_key_do_not_count_twice() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    let requests = Measures { requests: true, ..Measures::default() };
    let both = Measures { requests: true, cost: true, ..Measures::default() };
    put(&store, "provider", Class::Provider, requests, &[row("a", 0, 10, 0), row("a", 90_000, 5, 0)]);
    put(&store, "gateway", Class::Gateway, both, &[row("a", 0, 9, 700), row("b", 0, 3, 50)]);
    put(&store, "audit", Class::Weak, requests, &[row("a", 0, 1, 0), row("c", 0, 1, 0)]);
    let owner = Owner { service: "shop".to_owned(), ..Owner::default() };
    let owners = Owners::from([(("acme".to_owned(), "a".to_owned()), owner)]);
    let of = |by: &[By]| table(&store, 0, 172_800, by, &owners).unwrap();

    let keys = of(&[By::Key]);
    let told: Vec<_> = keys.rows.iter().map(|(k, n)| (k[0].as_str(), n.requests, n.cost)).collect();
    assert_eq!(
        told,
        [("a", 15, 700), ("b", 3, 50), ("c", 1, 0)],
        "requests of the provider, cost of the gateway"
    );
    assert_eq!((keys.doubled, keys.weak, keys.unknown), (1, 1, 2));
    assert_eq!(keys.total.requests, 19);

    let days = of(&[By::Service, By::Day]);
    let told: Vec<_> = days.rows.iter().map(|(k, n)| (k.join(" "), n.requests)).collect();
    assert_eq!(
        told,
        [("(unknown) 1970-01-01".into(), 4), ("shop 1970-01-01".into(), 10), ("shop 1970-01-02".into(), 5)]
    );
    let hours = of(&[By::Hour, By::Place]);
    assert_eq!(hours.rows[1].0, ["1970-01-02T01:00Z", "p"]);
    let sum = hours.rows.iter().map(|(_, n)| n.requests).sum::<i64>();
    assert_eq!(sum, 19, "hours and days come to the same");
}

#[test]
fn words_are_read_back() {
    for (word, by) in WORDS {
        assert_eq!((By::from_word(word), by.word()), (Ok(by), word));
    }
    assert!(By::from_word("colour").unwrap_err().contains("service"));
}

/// What the store must bear: a thousand keys for a year, an hour each.
#[test]
#[ignore = "writes nine million rows"]
fn a_year_of_a_thousand_keys() {
    let folder = Folder::new();
    let path = folder.0.join("u");
    let store = Store::open(&path).unwrap();
    let source = SourceInfo {
        name: "s".to_owned(),
        provider: "acme".to_owned(),
        class: Class::Provider,
        grain: 3600,
        measures: Measures { requests: true, tokens: true, cost: true, errors: true },
    };
    let last = BTreeMap::new();
    let keys: Vec<String> = (0..1000).map(|n| format!("key_{n:024}")).collect();
    let mut newest = std::time::Duration::ZERO;
    for day in 0..365_i64 {
        let mut rows = Vec::with_capacity(24_000);
        for (n, key) in keys.iter().enumerate() {
            for hour in 0..24_i64 {
                let n = (n as i64 * 31 + day * 24 + hour) % 977;
                let numbers = Numbers {
                    requests: n,
                    input: n * 811,
                    output: n * 97,
                    cost: n * 1_700_003,
                    errors: n / 100,
                };
                let model = if n % 3 == 0 { "small" } else { "large" };
                let at = day * 86_400 + hour * 3600;
                rows.push(Row {
                    key: key.clone(),
                    at,
                    model: model.to_owned(),
                    place: String::new(),
                    numbers,
                });
            }
        }
        let begun = std::time::Instant::now();
        let (from, to) = (day * 86_400, (day + 1) * 86_400);
        store.replace(&Stretch { source: &source, from, to, rows: &rows, last: &last, now: to }).unwrap();
        newest = begun.elapsed();
    }
    let end = 365 * 86_400;
    let timed = |from: i64, by: &[By]| {
        let begun = std::time::Instant::now();
        let rows = table(&store, from, end, by, &Owners::new()).unwrap().rows.len();
        (begun.elapsed(), rows)
    };
    let month = end - 30 * 86_400;
    let [by_key, by_hour, year] = [
        timed(month, &[By::Service, By::Key]),
        timed(month, &[By::Service, By::Hour]),
        timed(0, &[By::Key, By::Day]),
    ];
    let size = std::fs::metadata(&path).unwrap().len()
        + std::fs::metadata(folder.0.join("u-wal")).map_or(0, |m| m.len());
    println!(
        "one day {newest:?}; month by key {by_key:?}, by hour {by_hour:?}; year by day {year:?}; {} MB",
        size >> 20
    );
    assert!(size < 1 << 30 && newest.as_secs() < 5 && by_key.0.as_secs_f64() < 1.0);
}
