//! What every provider's list shows is drafted for the inventory, and is known there afterwards.

use super::call;
use super::rig::{CASES, Case, Twist};
use keywheel::rotate::Provider;
use keywheel::rotate::engine::{Answer, Listed};
use keywheel::rotate::inventory::discover::{Discovery, KeyList, Shown, discover, draft};
use keywheel::rotate::policy::Policy;
use keywheel::rule::RuleSet;
use std::path::Path;

fn parse(text: &str) -> Policy {
    Policy::parse(Path::new("policy.toml"), text, &|_| None).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn found(policy: &Policy, case: &Case, provider: &str, keys: &[Listed]) -> Discovery {
    let list = KeyList {
        admin: "root".to_owned(),
        provider: provider.to_owned(),
        rule: case.rule.to_owned(),
        ask: case.asked.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        usual: Vec::new(),
        keys: keys.to_vec(),
    };
    let now = "2100-01-01T00:00:00Z".parse().unwrap();
    discover(policy, Shown { lists: vec![list], ..Shown::default() }, &|_, _| false, now)
}

#[test]
fn every_list_is_drafted_once_and_known_ever_after() {
    let (rules, mut drafted) = (RuleSet::embedded(), 0);
    for case in CASES.iter().filter(|case| case.possible()) {
        let declared = rules.declared(case.rule).unwrap();
        let calls = declared.rule.rotate.unwrap().calls.unwrap();
        if calls.list.is_none() {
            continue;
        }
        let listed = case.with(&Twist::default(), |provider, _, _| provider.list(call()));
        let Answer::Done(keys) = listed else { panic!("{}: {listed:?}", case.name) };
        assert!(!keys.is_empty(), "{}", case.name);
        let provider = declared.provider.id;
        let text =
            format!("version = 1\n[team.web]\n[admin.root]\ncredential = 'env:A'\nprovider = '{provider}'\n");
        let before = found(&parse(&text), case, &provider, &keys);
        assert_eq!((before.keys.len(), before.known), (keys.len(), 0), "{}: {before:#?}", case.name);
        let whole = format!("{text}{}", draft(&before, "2100-01-01"));
        let policy = parse(&whole);
        assert_eq!(policy.file.key.len(), keys.len(), "{whole}");
        let after = found(&policy, case, &provider, &keys);
        assert!(after.is_empty() && after.known == keys.len(), "{}: {after:#?}\n{whole}", case.name);
        // Without the list's keys the inventory's are gone.
        assert_eq!(found(&policy, case, &provider, &[]).gaps.len(), keys.len(), "{}", case.name);
        // A stranger's list is none.
        let refused =
            case.with(&Twist { stranger: true, ..Twist::default() }, |provider, _, _| provider.list(call()));
        assert!(!matches!(refused, Answer::Done(_)), "{}: {refused:?}", case.name);
        drafted += keys.len();
    }
    println!("{drafted} keys of all classes were drafted");
}
