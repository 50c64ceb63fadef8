//! What a gateway's silence proves, and what it does not.

use super::*;
use crate::usage::import::{Mapping, import};
use std::fs;
use std::path::PathBuf;

/// A moment on the hour.
const NOON: i64 = 1_780_315_200;

struct Lab(PathBuf);

impl Lab {
    fn new(name: &str) -> Lab {
        let path = std::env::temp_dir().join(format!("keywheel-traffic-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Lab(path)
    }

    fn store(&self) -> Store {
        Store::open(&self.0.join("u.db")).unwrap()
    }

    /// Takes in a log of requests: key, seconds after noon, place.
    fn log(&self, store: &Store, name: &str, lines: &[(&str, i64, &str)]) {
        let text: String = lines
            .iter()
            .map(|(key, at, place)| {
                format!("{{\"t\":{},\"k\":\"{key}\",\"p\":\"{place}\",\"m\":\"gpt\"}}\n", NOON + at)
            })
            .collect();
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        let mapping = "form = 'jsonl'\nprovider = 'openai'\n[columns]\nat = '/t'\nkey = '/k'\nplace = '/p'\nmodel = '/m'";
        import(store, name, &path, &Mapping::parse(mapping).unwrap(), NOON + 90_000, &|_| None).unwrap();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn gate(name: &str) -> Gate {
    Gate { name: name.to_owned(), lag: 600 }
}

fn seen(store: &Store, gates: &[&str], since: i64) -> Option<Traffic> {
    let names = BTreeSet::from(["key_old".to_owned()]);
    let gates: Vec<Gate> = gates.iter().map(|name| gate(name)).collect();
    traffic(store, "openai", &names, &gates, NOON + since).unwrap()
}

#[test]
fn use_is_told_with_who_and_silence_with_how_far_it_reaches() {
    let lab = Lab::new("use");
    let store = lab.store();
    let lines = [
        ("key_old", 60, "10.0.0.1"),
        ("key_old", 4_000, "10.0.0.2"),
        ("key_old", 4_100, "10.0.0.2"),
        ("key_new", 12_000, "10.0.0.1"),
    ];
    lab.log(&store, "proxy", &lines);
    let found = seen(&store, &["proxy"], 0).unwrap();
    assert_eq!((found.last, found.watermark), (Some(NOON + 7_200), NOON + 10_800 - 600));
    assert_eq!(found.users, ["10.0.0.2 for gpt", "10.0.0.1 for gpt"]);
    // Later the old key is silent, and the log reaches on.
    let found = seen(&store, &["proxy"], 7_200).unwrap();
    assert_eq!((found.last, found.users.len()), (None, 0));
}

#[test]
fn silence_of_whoever_does_not_know_the_key_proves_nothing() {
    let lab = Lab::new("silence");
    let store = lab.store();
    assert_eq!(seen(&store, &["proxy"], 0), None, "it was never read");
    lab.log(&store, "proxy", &[("key_new", 60, ""), ("other", 20_000, "")]);
    assert_eq!(seen(&store, &["proxy"], 0), None, "it never told of this key");
    lab.log(&store, "edge", &[("key_old", -90_000, ""), ("other", 20_000, "")]);
    assert_eq!(seen(&store, &["proxy"], 0), None);
    assert_eq!(seen(&store, &["proxy", "third"], 0), None, "one of them was never read");
    let both = seen(&store, &["proxy", "edge"], 0).unwrap();
    assert_eq!((both.last, both.watermark), (None, NOON + 18_000 - 600));
    // A log that ends early holds the others up.
    lab.log(&store, "late", &[("key_old", -90_000, "")]);
    let three = seen(&store, &["proxy", "edge", "late"], 0).unwrap();
    assert_eq!(three.watermark, NOON - 90_000 - 600);
}
