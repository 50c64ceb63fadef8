use super::*;
use crate::alert::Standing;
use crate::usage::table::Owner;
use crate::usage::tests::Folder;
use crate::usage::{Measures, Row, SourceInfo, Stretch};

const END: i64 = 1_767_225_600;
const BEGIN: i64 = END - 36 * DAY;

/// Two keys of one lineage, the second in the place of the first; `many` in the hours of an attack.
fn fill(store: &Store, attack: std::ops::Range<i64>) {
    let source = SourceInfo {
        name: "s@main".to_owned(),
        provider: "acme".to_owned(),
        class: crate::rule::Class::Provider,
        grain: 3600,
        measures: Measures { requests: true, ..Measures::default() },
    };
    let rows: Vec<Row> = (BEGIN..END)
        .step_by(3600)
        .map(|at| {
            let usual = 10 + (at / HOUR) % 5;
            let requests = if attack.contains(&at) { 12 * usual } else { usual };
            let numbers = Numbers { requests, ..Numbers::default() };
            let key = if at < END - 10 * DAY { "old" } else { "new" };
            Row { key: key.to_owned(), at, model: "m".to_owned(), place: String::new(), numbers }
        })
        .collect();
    let last = BTreeMap::new();
    store
        .replace(&Stretch { source: &source, from: BEGIN, to: END, rows: &rows, last: &last, now: END })
        .unwrap();
}

fn owners() -> Owners {
    let owner = Owner { lineage: "shop".to_owned(), ..Owner::default() };
    ["old", "new"].iter().map(|k| (("acme".to_owned(), (*k).to_owned()), owner.clone())).collect()
}

#[test]
fn a_spike_is_told_once_and_nothing_is_learnt_from_it() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    let attack = END - 30 * HOUR..END - 18 * HOUR;
    fill(&store, attack.clone());
    let known = |_: &Subject| Known::default();
    let looked = look(&store, &owners(), &known, END).unwrap();
    assert_eq!((looked.subjects, looked.young), (1, 0), "a new key is of its lineage");
    assert_eq!(looked.told.len(), 1, "{:?}", looked.told);
    let spike = &looked.told[0];
    assert_eq!((spike.subject.name.as_str(), spike.urgency()), ("shop", Urgency::Warning));
    assert!(spike.at() <= attack.start + 2 * HOUR, "{spike:?}");

    let config = Config::parse("[route.x]\nkind = 'slack'\naddress = 'env:A'").unwrap();
    assert_eq!(note(&store, &looked.told, &config, END).unwrap(), 1);
    assert_eq!(note(&store, &looked.told, &config, END + HOUR).unwrap(), 0, "it was told");
    let waiting = store.outbox().unwrap().list(Standing::Due).unwrap();
    assert_eq!((waiting.len(), waiting[0].event.subject.as_str()), (1, "shop"));
    assert!(store.flags(BEGIN).unwrap()["shop"].len() >= 2);

    // Without the history of its lineage the key would be too young.
    let looked = look(&store, &Owners::new(), &known, END).unwrap();
    assert_eq!((looked.subjects, looked.young), (2, 1), "{looked:?}");
}

#[test]
fn a_finding_makes_it_an_emergency() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    fill(&store, END - 30 * HOUR..END - 18 * HOUR);
    let known = |s: &Subject| Known {
        found: true,
        retired: (s.key == "old").then_some(END - 20 * DAY),
        ..Known::default()
    };
    let looked = look(&store, &owners(), &known, END).unwrap();
    let words: BTreeSet<_> = looked.told.iter().map(Told::word).collect();
    assert!(words.contains("spike") && words.contains("use-with-finding"), "{words:?}");
    assert!(looked.told.iter().filter(|t| t.word() == "spike").all(|t| t.urgency() == Urgency::Emergency));
}

#[test]
fn usual_use_is_quiet() {
    let folder = Folder::new();
    let store = Store::open(&folder.0.join("u")).unwrap();
    fill(&store, 0..0);
    let looked = look(&store, &owners(), &|_| Known::default(), END).unwrap();
    assert_eq!(looked.told, []);
    assert_eq!(look(&store, &owners(), &|_| Known::default(), END - 400 * DAY).unwrap(), Looked::default());
}
