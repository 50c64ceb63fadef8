//! The filters together.

use super::testing::{Rule, judged, random, with};
use super::*;
use crate::rule::checksum::by_name;

#[test]
fn fair_values_of_a_distinctive_kind_pass_whatever_stands_around_them() {
    let rule = Rule::structured(4);
    let mut lost = 0;
    for seed in 0..1000 {
        let key = format!("acm_{}", random(seed, 40));
        for text in [
            "commit_sha = «»",
            "password: «»",
            "token_url=«»&x=1",
            "<key>«»</key>",
            "'«»',",
            "see «».",
            "sha256-«»",
            "x = get(«»)",
            "«»\u{0}\u{0}",
        ] {
            let text = text.replace("«»", &format!("«{key}»"));
            lost += usize::from(matches!(judged(&rule, &text), Judged::Drop(_)));
        }
    }
    // One in a hundred lies below the entropy floor, and nothing else may drop one.
    assert!(lost <= 9 * 16, "{lost} of 9000");
}

#[test]
fn a_proved_checksum_overrules_looks_but_not_low_variety() {
    let algorithm = by_name("crc32-base62");
    let rule = Rule { checksum: algorithm, ..Rule::structured(4) };
    let make = |body: &str| {
        let mut secret = format!("ghp_{body}??????").into_bytes();
        algorithm.unwrap().fill(&mut secret, 34..40, 0);
        format!("«{}»", String::from_utf8(secret).unwrap())
    };
    let kept = judged(&rule, &make("EXAMPLEabEXAMPLEabEXAMPLEcdefg"));
    assert!(matches!(kept, Judged::Keep { notes, .. } if notes == [Note::ChecksumHolds]));
    let zeros = judged(&rule, &make(&"0".repeat(30)));
    assert_eq!(zeros, Judged::Drop(Reason::LowVariety));
}

#[test]
#[ignore = "prints how long each filter takes"]
fn times() {
    let generic = Rule::generic();
    for (name, rule, text) in [
        ("structured", Rule::structured(4), format!("key = \"«acm_{}»\"", random(1, 40))),
        ("generic", Rule { entropy: Some(3.0), ..generic }, format!("api_key = \"«{}»\"", random(1, 40))),
    ] {
        with(&rule, &text, |c| {
            let n = 200_000u32;
            let start = std::time::Instant::now();
            for _ in 0..n {
                std::hint::black_box(judge(std::hint::black_box(c)));
            }
            println!("{name}: {} ns, {:?}", start.elapsed().as_nanos() / u128::from(n), judge(c));
            for filter in FILTERS {
                let start = std::time::Instant::now();
                for _ in 0..n {
                    std::hint::black_box((filter.run)(std::hint::black_box(c)));
                }
                println!("  {} {} ns", filter.name, start.elapsed().as_nanos() / u128::from(n));
            }
        });
    }
}

#[test]
fn random_values_beside_a_name_pass() {
    let formats = [
        "api_key = \"«»\"",
        "\"clientSecret\": \"«»\",",
        "db.password: '«»'",
        "TOKEN = '«»';",
        "auth_token => \"«»\"",
        "secret=\"«»\" />",
        "headers['X-Api-Key'] = `«»`",
    ];
    for path in ["a.py", "b.yaml", ".env", "c.json", "README.md", "d.tf", "e.sql"] {
        let rule = Rule { entropy: Some(3.0), ..Rule::generic().at(path) };
        let mut lost = 0;
        for seed in 0..500 {
            for format in formats {
                let text = format.replace("«»", &format!("«{}»", random(seed, 24)));
                lost += usize::from(matches!(judged(&rule, &text), Judged::Drop(_)));
            }
        }
        assert!(lost <= 7, "{path}: {lost} of 3500");
    }
    for text in ["API_KEY=«»", "password: «»", "export TOKEN=«» # prod", "  secret: «»\n"] {
        let rule = Rule { entropy: Some(3.0), ..Rule::generic().at("deploy.yaml") };
        for seed in 0..500 {
            let text = text.replace("«»", &format!("«{}»", random(seed, 20)));
            assert!(matches!(judged(&rule, &text), Judged::Keep { .. }), "{text}");
        }
    }
}
