use super::*;
use crate::usage::rows::{Numbers, Row};
use crate::usage::tests::Folder;
use std::collections::BTreeMap;

fn info() -> SourceInfo {
    SourceInfo {
        name: "acme-usage@main".to_owned(),
        provider: "acme".to_owned(),
        class: Class::Provider,
        grain: 3600,
        measures: Measures { requests: true, tokens: true, ..Measures::default() },
    }
}

fn row(key: &str, at: i64, requests: i64) -> Row {
    let numbers = Numbers { requests, input: 10 * requests, ..Numbers::default() };
    Row { key: key.to_owned(), at, model: "m".to_owned(), place: String::new(), numbers }
}

fn write(store: &Store, from: i64, to: i64, rows: &[Row]) -> Changed {
    let last = BTreeMap::new();
    store.replace(&Stretch { source: &info(), from, to, rows, last: &last, now: to }).unwrap()
}

fn all(store: &Store, hours: bool) -> Vec<(i64, String, i64)> {
    let names = store.names().unwrap();
    let mut out = Vec::new();
    let filter = Filter { from: 0, to: 1 << 40, hours };
    store
        .lines(&filter, &mut |l| out.push((l.at, names.keys[&l.key].1.clone(), l.numbers.requests)))
        .unwrap();
    out
}

#[test]
fn a_stretch_takes_the_place_of_what_was_there() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    let first = [row("a", 0, 1), row("b", 3600, 2)];
    assert_eq!(write(&store, 0, 7200, &first), Changed { added: 2, ..Changed::default() });
    assert_eq!(write(&store, 0, 7200, &first), Changed::default(), "the same again changes nothing");
    let late = [row("a", 0, 5)];
    assert_eq!(write(&store, 0, 7200, &late), Changed { corrected: 1, withdrawn: 1, added: 0 });
    assert_eq!(all(&store, true), [(0, "a".into(), 5), (3600, "b".into(), 0)]);
    assert_eq!(all(&store, false), [(0, "a".into(), 5), (0, "b".into(), 0)]);
    assert_eq!(store.mark("acme-usage@main").unwrap(), Some(Mark { to: 7200, read_at: 7200 }));
    assert_eq!(store.mark("other").unwrap(), None);
    let revision: i64 =
        store.db.borrow().query_row("SELECT max(revision) FROM hour", [], |r| r.get(0)).unwrap();
    assert_eq!(revision, 2);
}

#[test]
fn a_mark_never_goes_back_and_hours_may_go_while_days_stay() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    write(&store, 0, 86_400, &[row("a", 0, 1), row("a", 3600, 1)]);
    write(&store, 86_400, 172_800, &[row("a", 90_000, 4)]);
    write(&store, 0, 3600, &[row("a", 0, 1)]);
    assert_eq!(store.mark("acme-usage@main").unwrap().unwrap().to, 172_800);
    assert_eq!(store.prune(100_000).unwrap(), 2);
    assert_eq!(all(&store, true), [(90_000, "a".into(), 4)]);
    assert_eq!(all(&store, false), [(0, "a".into(), 2), (86_400, "a".into(), 4)]);
    let last = BTreeMap::new();
    let old = Stretch { source: &info(), from: 0, to: 3600, rows: &[], last: &last, now: 0 };
    assert!(matches!(store.replace(&old), Err(StoreError::Old(_))), "half a day must not become a day");
    assert_eq!(store.kept().unwrap(), 86_400);
}

#[test]
fn only_a_store_is_opened_and_only_its_owners() {
    let folder = Folder::new();
    let path = folder.0.join("text");
    std::fs::write(&path, "not a database, and left alone").unwrap();
    assert!(Store::open(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a database, and left alone");
    let other = folder.0.join("other");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert!(matches!(Store::open(&other), Err(StoreError::Rights(_))));
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(matches!(Store::open(&other), Err(StoreError::Foreign(_))));
    let mine = folder.0.join("mine");
    drop(Store::open(&mine).unwrap());
    assert!(Store::open(&mine).is_ok());
}

#[test]
fn a_source_stays_what_it_was() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    write(&store, 0, 3600, &[row("a", 0, 1)]);
    let other = SourceInfo { grain: 86_400, ..info() };
    let last = BTreeMap::new();
    let stretch = Stretch { source: &other, from: 0, to: 86_400, rows: &[], last: &last, now: 0 };
    assert!(matches!(store.replace(&stretch), Err(StoreError::Source(_))));
    assert_eq!(all(&store, true).len(), 1);
}
