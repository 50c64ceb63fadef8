use super::*;
use crate::rotate::engine::{Used, own_names};
use crate::rotate::inventory::Key;
use crate::rotate::machine::KeyId;
use crate::rotate::policy::Policy;
use crate::rotate::policy::tests::{fingerprint, policy};
use crate::rotate::time::Moment;
use jiff::Timestamp;

const NOW: &str = "2026-11-23T00:00:00Z";

fn inventory() -> Policy {
    let key = |id: &str, more: &str| {
        format!(
            "[[key]]\nid = '{id}'\nteam = 'web'\nservice = 'shop'\nenvironment = 'production'\nprovider = 'acme'\n\
             rule = 'acme-key'\naccount = 'one'\nadmin = 'acme'\n{more}\n"
        )
    };
    let print = fingerprint("mine");
    policy(&[
        "[team.web]\n[team.ops]\n[service.web-shop]\nteam = 'ops'\n[admin.acme]\ncredential = 'env:A'\nprovider = 'acme'\n",
        "[store.bao]\nkind = 'openbao'\n",
        &key(
            "a",
            &format!(
                "key-id = 'k-a'\nfingerprints = ['{print}']\nstores = [{{ store = 'bao', path = 'kv/shop', field = 'KEY' }}]"
            ),
        ),
        &key("b", "key-id = 'k-gone'"),
        &key("c", ""),
        &key("d", "key-id = 'k-former'"),
    ])
}

fn listed(id: &str, name: &str) -> Listed {
    Listed {
        id: KeyId(id.to_owned()),
        name: Some(name.to_owned()),
        created: Some(Moment(1_763_856_000_000)),
        used: Used::Never,
        enabled: true,
        stamp: None,
    }
}

fn list(keys: Vec<Listed>) -> KeyList {
    KeyList {
        admin: "acme".to_owned(),
        provider: "acme".to_owned(),
        rule: "acme-key".to_owned(),
        ask: BTreeMap::new(),
        usual: vec!["ACME_KEY".to_owned()],
        keys,
    }
}

fn shelved(path: &str, field: &str, value: Option<(&str, Option<&str>)>) -> Shelved {
    Shelved {
        store: "bao".to_owned(),
        entry: Entry { path: path.to_owned(), field: Field::Named(field.to_owned()) },
        value: value.map(|(value, rule)| Valued {
            fingerprint: Fingerprint::parse(&fingerprint(value)).unwrap(),
            rule: rule.map(str::to_owned),
        }),
    }
}

fn code(value: &str) -> Gap {
    Gap {
        fingerprint: fingerprint(value),
        rule: "acme-key".to_owned(),
        provider: "acme".to_owned(),
        active: true,
        spots: Vec::new(),
        nearest: Some(Nearest { owners: vec!["@dba".to_owned()], because: "CODEOWNERS line 3".to_owned() }),
    }
}

fn found(shown: Shown) -> Discovery {
    discover(&inventory(), shown, &|_, text| text.contains("credential"), NOW.parse::<Timestamp>().unwrap())
}

fn kinds(found: &Discovery) -> Vec<String> {
    let kind = |gap: &Lack| serde_json::to_value(gap).unwrap()["kind"].as_str().unwrap().to_owned();
    found.gaps.iter().map(kind).collect()
}

#[test]
fn listed_keys_are_known_by_id_by_journal_or_by_the_name_of_a_rotation() {
    let made = format!("{}g2-r7-a1", own_names("d"));
    let keys = vec![
        listed("k-a", "x"),
        listed("k-c", "y"),
        listed("k-d", &made),
        listed("k-new", "prod web-shop 2"),
    ];
    let journal = BTreeMap::from([("c".to_owned(), vec!["k-c".to_owned()])]);
    let found = found(Shown { lists: vec![list(keys)], journal, ..Shown::default() });
    assert_eq!(found.known, 3);
    let [draft] = &found.keys[..] else { panic!("{found:#?}") };
    assert_eq!((draft.id.as_str(), draft.key_id.as_deref()), ("acme/prod-web-shop-2", Some("k-new")));
    // The longer of two names that overlap, and whose it is.
    assert_eq!((draft.team.as_deref(), draft.service.as_deref()), (Some("ops"), Some("web-shop")));
    assert_eq!((draft.environment.as_deref(), draft.account.as_deref()), (Some("production"), Some("one")));
    assert_eq!((draft.age_days, draft.used.as_deref()), (Some(365), Some("never")));
    assert_eq!(draft.missing, ["stores", "owner"]);
    // What the inventory names and nobody shows.
    assert_eq!(kinds(&found), ["not-listed"]);
    assert!(matches!(&found.gaps[0], Lack::NotListed { key, .. } if key == "b"));
}

#[test]
fn a_key_that_two_credentials_are_shown_is_one_key() {
    let keys = || vec![listed("k-a", "x"), listed("k-new", "y")];
    let other = KeyList { admin: "second".to_owned(), rule: "acme-other".to_owned(), ..list(keys()) };
    let found = found(Shown { lists: vec![other, list(keys())], ..Shown::default() });
    assert_eq!((found.known, found.keys.len()), (1, 1));
}

#[test]
fn an_id_or_name_that_looks_like_a_credential_is_left_out() {
    let found =
        found(Shown { lists: vec![list(vec![listed("credential-1", "credential 2")])], ..Shown::default() });
    let draft = &found.keys[0];
    assert_eq!((draft.id.as_str(), &draft.key_id, &draft.name), ("acme/key", &None, &None));
    assert!(draft.missing.contains(&"key-id"));
}

#[test]
fn a_lineage_that_nobody_can_recognise_is_said_so() {
    let found = found(Shown { lists: vec![list(vec![listed("k-a", "x")])], ..Shown::default() });
    assert_eq!(kinds(&found), ["not-listed", "not-recognised", "not-listed"]);
    // Where no list was read, nothing is said to be gone.
    let other = KeyList { admin: "other".to_owned(), ..list(Vec::new()) };
    assert_eq!(
        kinds(&discover(
            &inventory(),
            Shown { lists: vec![other], ..Shown::default() },
            &|_, _| false,
            Timestamp::UNIX_EPOCH
        )),
        Vec::<String>::new()
    );
}

#[test]
fn values_join_stores_code_and_inventory() {
    let places = vec![
        shelved("kv/shop", "KEY", Some(("mine", Some("acme-key")))),
        shelved("kv/copy", "KEY", Some(("mine", Some("acme-key")))),
        shelved("kv/new", "ANY", Some(("leaked", Some("acme-key")))),
        shelved("kv/new", "PORT", Some(("8080", None))),
        shelved("kv/unread", "acme_key", None),
    ];
    let found = found(Shown {
        lists: vec![list(vec![listed("k-new", "?")])],
        places,
        code: vec![code("leaked")],
        ..Shown::default()
    });
    let draft = &found.keys[0];
    let perhaps: Vec<_> = draft.perhaps_in.iter().map(|p| (p.path.as_str(), p.because)).collect();
    assert_eq!(
        perhaps,
        [("kv/new", "it holds such a key"), ("kv/unread", "its name is usual for such keys")]
    );
    assert_eq!(draft.likely_owners[0].owners, ["@dba"]);
    let told: Vec<String> = found.gaps.iter().map(ToString::to_string).collect();
    let has = |text: &str| assert!(told.iter().any(|t| t.contains(text)), "{text}: {told:#?}");
    has(
        "the same value lies in bao:kv/new#ANY; ask @dba (CODEOWNERS line 3); it may be one of those drafted here (acme/k-new)",
    );
    has("bao:kv/copy#KEY is named by no lineage; it holds the value of `a`");
    has("bao:kv/new#PORT is named by no lineage");
    assert!(!told.iter().any(|t| t.contains("bao:kv/shop#KEY is named by no")), "{told:#?}");
}

#[test]
fn a_place_with_another_value_is_told() {
    let place = shelved("kv/shop", "KEY", Some(("other", None)));
    let found = found(Shown { places: vec![place], ..Shown::default() });
    assert_eq!(kinds(&found), ["other-value"]);
}

#[test]
fn the_draft_is_the_policys_language_whatever_a_provider_says() {
    let hostile = "x\"\n[store.evil]\nkind = 'hook' \u{202e}";
    let found = found(Shown {
        lists: vec![list(vec![listed("k-1", hostile), listed("k\n2", "b"), listed("k-3", "shop staging")])],
        places: vec![shelved("kv/\"x\n[admin.evil]", "ACME_KEY", None)],
        passed: vec![Missed { what: "store x\n[hook.evil]".to_owned(), why: "no".to_owned() }],
        ..Shown::default()
    });
    let text = draft(&found, "2026-11-23");
    let tables = text.lines().filter(|line| line.starts_with('[')).collect::<Vec<_>>();
    assert_eq!(tables, ["[[key]]"; 3], "{text}");
    let read = policy(&[&text]);
    let keys: Vec<&Key> = read.file.key.iter().collect();
    assert_eq!(keys.len(), 3);
    assert_eq!((keys[2].service.as_str(), keys[2].environment.as_str()), ("shop", "staging"));
    assert_eq!((keys[0].team.as_str(), keys[0].key_id.as_ref().unwrap().as_str()), (FILL_IN, "k-1"));
    assert!(keys[1].key_id.is_none(), "an id that is no line of text is left out");
    assert!(!text.contains('\u{202e}'));
}
