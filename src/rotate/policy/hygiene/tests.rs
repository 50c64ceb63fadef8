//! The account of a made-up organisation.

use super::*;
use crate::rotate::inventory::{CodeOwners, ScanReport, match_report};
use crate::rotate::policy::tests::{catalogue, fingerprint, policy};

const NOW: &str = "2026-11-23T00:00:00Z";

fn key(id: &str, team: &str, more: &str) -> String {
    format!(
        "[[key]]\nid = '{id}'\nteam = '{team}'\nservice = 's'\nenvironment = 'staging'\nprovider = 'acme'\n\
         rule = 'acme-key'\naccount = '{id}'\n{more}\n"
    )
}

fn sample() -> Policy {
    policy(&[
        "[default]\njitter = '0s'\ncadence = '30d'\n[team.web]\n[team.ops]\npolicy.owners = ['@ops']\n",
        &key("young", "ops", "rotated = 2026-11-01"),
        &key("old", "ops", "rotated = 2026-01-01"),
        &key("ancient", "ops", "created = 2020-01-01"),
        &key("ageless", "web", "owner = 'ann'"),
        &key("full-1", "web", "created = 2026-11-20").replace("account = 'full-1'", "account = 'one'"),
        &key("full-2", "ops", "rotated = 2026-11-20").replace("account = 'full-2'", "account = 'one'"),
        &key("leaked", "ops", &format!("rotated = 2026-11-20\nfingerprints = ['{}']", fingerprint("v"))),
    ])
}

fn report(policy: &Policy) -> ScanReport {
    let _ = policy;
    let one = |value: &str, path: &str| {
        format!(
            r#"{{"fingerprint":"{}","rule":"acme-key","provider":"acme","validity":"active","status":"new",
            "occurrences":[{{"path":"{path}","line":7}}]}}"#,
            fingerprint(value)
        )
    };
    let list = [one("v", "src/a.rs"), one("stranger", "docs/<b>|@all.md")].join(",");
    ScanReport::parse(&format!(r#"{{"version":1,"findings":[{list}]}}"#)).unwrap()
}

fn hygiene(policy: &Policy, scan: Option<&Matched<'_>>) -> Hygiene {
    let catalogue = catalogue();
    Hygiene::new(policy, Facts { catalogue: &catalogue, now: NOW.parse().unwrap(), discovered: None }, scan)
}

#[test]
fn every_team_is_counted() {
    let policy = sample();
    let h = hygiene(&policy, None);
    let line = |team: &str, keys, late, never_rotated, unowned, over_quota| TeamLine {
        team: team.to_owned(),
        keys,
        late,
        never_rotated,
        unowned,
        over_quota,
        in_code: 0,
    };
    assert_eq!(h.teams, [line("ops", 5, 2, 1, 0, 1), line("web", 2, 1, 2, 1, 1)]);
    let late: Vec<_> = h.late.iter().map(|l| (l.key.as_str(), l.age.map(|a| a.to_string()))).collect();
    assert_eq!(late, [("ageless", None), ("ancient", Some("2518d".into())), ("old", Some("326d".into()))]);
    assert_eq!(
        (h.unowned, h.over_quota),
        (vec!["full-1".to_owned()], vec!["full-1".to_owned(), "full-2".to_owned()])
    );
    assert!(h.code.is_none());
}

#[test]
fn a_scan_adds_what_stands_in_code() {
    let policy = sample();
    let owners = CodeOwners::parse("docs/ @org/writers");
    let matched = match_report(&policy, &report(&policy), Some(&owners)).unwrap();
    let h = hygiene(&policy, Some(&matched));
    let code = h.code.as_ref().unwrap();
    assert_eq!((code.known.len(), code.unknown.len(), code.unseen, code.blind.len()), (1, 1, 6, 6));
    let text = h.text();
    assert!(text.contains("leaked: its current value, proved active: src/a.rs:7"), "{text}");
    assert!(text.contains("ask @org/writers (CODEOWNERS line 1)"), "{text}");
    let md = h.markdown();
    assert!(!md.contains("<b>") && !md.contains("@org") && md.contains("**The gate fails.**"), "{md}");
    // Each row of the table has the same number of cells.
    let cells: BTreeSet<_> =
        md.lines().filter(|l| l.starts_with('|')).map(|l| l.matches('|').count()).collect();
    assert_eq!(cells.len(), 1, "{md}");
}

#[test]
fn the_gate_fails_for_each_reason_and_passes_without() {
    let clean = [
        "[default]\njitter = '0s'\nowners = ['@ops']\n[team.ops]\n",
        &key("young", "ops", "rotated = 2026-11-01"),
    ];
    assert!(hygiene(&policy(&clean), None).is_clean());
    assert!(hygiene(&policy(&clean), None).text().ends_with("The gate passes.\n"));
    for more in ["rotated = 2026-01-01", "", "rotated = 2026-11-01\naccount = 'one'"] {
        let extra = key("other", "ops", more);
        // An account may be named once only.
        let extra = if more.contains("account") { extra.replace("account = 'other'\n", "") } else { extra };
        let twin = key("twin", "ops", "rotated = 2026-11-01").replace("account = 'twin'", "account = 'one'");
        let all =
            if more.contains("account") { vec![clean[0], &extra, &twin] } else { vec![clean[0], &extra] };
        assert!(!hygiene(&policy(&all), None).is_clean(), "{more}");
    }
    let unowned = key("young", "ops", "rotated = 2026-11-01");
    assert!(!hygiene(&policy(&["[default]\njitter = '0s'\n[team.ops]\n", &unowned]), None).is_clean());
    let known =
        key("young", "ops", &format!("rotated = 2026-11-01\nfingerprints = ['{}']", fingerprint("v")));
    let policy = policy(&[clean[0], &known]);
    let matched = match_report(&policy, &report(&policy), None).unwrap();
    assert!(!hygiene(&policy, Some(&matched)).is_clean());
}

/// Six weeks of use: `young` from a known and a strange place, `old` not at all, `leaked` long ago; and a stranger.
fn usage() -> Usage {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let told = || Some((at("2026-01-01T00:00:00Z"), at("2026-11-22T22:00:00Z")));
    let seen = |dollars: f64, last: &str, places: &[&str]| Seen {
        requests: 10,
        tokens: 500,
        dollars,
        dollars_before: 1.0,
        errors: 2,
        last: Some(at(last)),
        places: places.iter().map(|p| ((*p).to_owned(), at(last))).collect(),
        weeks: vec![(3, 0.5), (7, dollars - 0.5)],
        covered: told(),
    };
    let name = |key: &str| ("acme".to_owned(), key.to_owned());
    let none = |last: &str| Seen {
        last: last.parse().ok(),
        weeks: vec![(0, 0.0); 2],
        covered: told(),
        ..Seen::default()
    };
    Usage {
        from: at("2026-10-24T00:00:00Z"),
        to: at(NOW),
        keys: BTreeMap::from([
            (name("key_young"), seen(12.5, "2026-11-22T10:00:00Z", &["192.0.2.7", "203.0.113.9"])),
            (name("key_wide"), seen(2.0, "2026-11-20T10:00:00Z", &["CH"])),
            (name("key_gone"), none("2026-06-01T00:00:00Z")),
            (name("key_never"), none("")),
            (name("key_fresh"), none("")),
            (name("key_<b>stranger"), seen(7.0, "2026-11-21T10:00:00Z", &["DE"])),
            (name("account:default"), seen(9.0, "2026-11-21T10:00:00Z", &[])),
            (name("key_long_gone_stranger"), none("2026-01-01T00:00:00Z")),
        ]),
        weeks: vec![at("2026-11-10T00:00:00Z"), at("2026-11-17T00:00:00Z")],
        past: vec![Past { day: "2026-11-16".to_owned(), counts: vec![("late".to_owned(), 4)] }],
    }
}

fn used_sample() -> Policy {
    let places = "consumers = [{ name = 'api', places = ['192.0.2.0/24'] }]";
    policy(&[
        "[default]\njitter = '0s'\ncadence = '300d'\nowners = ['@ops']\n[team.ops]\n",
        &key("young", "ops", &format!("rotated = 2026-09-01\nknown-as = ['key_young']\n{places}")),
        &key("wide", "ops", "rotated = 2026-09-01\nknown-as = ['key_wide']"),
        &key("gone", "ops", "rotated = 2026-03-01\nknown-as = ['key_gone']"),
        &key("never", "ops", "rotated = 2026-03-01\nknown-as = ['key_never']"),
        &key("fresh", "ops", "rotated = 2026-11-10\nknown-as = ['key_fresh']"),
        &key("nameless", "ops", "rotated = 2026-03-01"),
        &key("elsewhere", "ops", "rotated = 2026-03-01\nknown-as = ['key_of_another_account']"),
    ])
}

#[test]
fn use_tells_what_may_be_deleted_and_what_nobody_knows() {
    let policy = used_sample();
    let now = NOW.parse().unwrap();
    let h = hygiene(&policy, None).with_usage(&policy, &usage(), Period::days(30), now);
    let told = h.usage.as_ref().unwrap();
    let standing: BTreeMap<_, _> = told.keys.iter().map(|l| (l.key.as_str(), l.standing)).collect();
    let expected = [
        ("young", Standing::Used),
        ("wide", Standing::Used),
        ("gone", Standing::Unused),
        ("never", Standing::Unused),
        ("fresh", Standing::Untold),
        ("nameless", Standing::Untold),
        ("elsewhere", Standing::Untold),
    ];
    assert_eq!(standing, BTreeMap::from(expected));
    assert_eq!((told.keys[0].key.as_str(), told.keys[0].dollars, told.undeclared), ("young", 12.5, 1));
    let place =
        Unknown { key: "young".to_owned(), place: "203.0.113.9".to_owned(), last: "2026-11-22".to_owned() };
    assert_eq!(told.places, [place]);
    assert_eq!(told.strangers.iter().map(|s| s.key.as_str()).collect::<Vec<_>>(), ["key_<b>stranger"]);
    assert_eq!(told.weeks[1].dollars, 12.0 + 1.5 + 6.5 + 8.5);
    let counts: BTreeMap<_, _> = h.counts().into_iter().collect();
    assert_eq!((counts["keys"], counts["unused"], counts["strangers"]), (7, 2, 1));
    assert!(!counts.contains_key("in code"), "nobody looked");
    assert!(h.is_clean(), "what is unused may stay");
}

#[test]
fn silence_of_whoever_does_not_tell_proves_nothing() {
    let policy = used_sample();
    let now: jiff::Timestamp = NOW.parse().unwrap();
    fn never(usage: &mut Usage) -> &mut Seen {
        usage.keys.get_mut(&("acme".to_owned(), "key_never".to_owned())).unwrap()
    }
    let standing = |change: &dyn Fn(&mut Usage)| {
        let mut usage = usage();
        change(&mut usage);
        let h = hygiene(&policy, None).with_usage(&policy, &usage, Period::days(30), now);
        let line = h.usage.unwrap().keys.into_iter().find(|l| l.key == "never").unwrap();
        (line.standing, line.why)
    };
    assert_eq!(standing(&|_| {}), (Standing::Unused, ""));
    let old: jiff::Timestamp = "2026-11-10T00:00:00Z".parse().unwrap();
    for (change, why) in [
        (&(|u: &mut Usage| never(u).covered = None) as &dyn Fn(&mut Usage), "ever told of it"),
        (&move |u: &mut Usage| never(u).covered.as_mut().unwrap().0 = old, "do not reach back"),
        (&move |u: &mut Usage| never(u).covered.as_mut().unwrap().1 = old, "were not read lately"),
    ] {
        let (standing, told) = standing(change);
        assert!(standing == Standing::Untold && told.contains(why), "{why}: {told}");
    }
}

#[test]
fn use_is_shown_in_every_form_and_no_name_becomes_markup() {
    let policy = used_sample();
    let now = NOW.parse().unwrap();
    let h = hygiene(&policy, None).with_usage(&policy, &usage(), Period::days(30), now);
    let (text, md, html) = (h.text(), h.markdown(), h.html(now));
    for told in
        ["Unused: candidates for deletion", "last used 2026-06-01", "203.0.113.9", "2026-11-16: 4 late"]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(text.contains("young (team ops): 83d old, cadence 300d; 10 requests, 12.50 US dollars (before: 1.00), 2 failed; last used 2026-11-22"), "{text}");
    assert!(!md.contains("<b>") && md.contains("### In use and not in the inventory"), "{md}");
    assert!(!html.contains("<b>") && html.contains("key_&lt;b&gt;stranger"), "{html}");
    for told in [
        "<svg",
        "<rect",
        "203.0.113.9",
        "2026-06-01",
        "no use is known",
        "default-src 'none'",
        "class=\"good\"",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
    for loads in ["src=", "href=", "<script", "@import", "url("] {
        assert!(!html.contains(loads), "{loads}");
    }
    assert_eq!(html.matches("<table>").count(), html.matches("</table>").count());
}
