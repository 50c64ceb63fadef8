//! Gates, bounds and alphabets of patterns.

use super::*;

fn gate_of(pattern: &str, words: &[&str]) -> Gate {
    let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    analyse(pattern, Facts { words: &words, ..Facts::default() }).expect(pattern).gate
}

fn front(pattern: &str) -> Option<String> {
    Some(pattern.to_owned())
}

fn bytes(list: &[&str]) -> Vec<Vec<u8>> {
    list.iter().map(|s| s.as_bytes().to_vec()).collect()
}

#[test]
fn the_gate_follows_from_the_pattern() {
    assert_eq!(gate_of(r"\b(?<secret>acme_[A-Za-z0-9]{20})\b", &[]), Gate::Prefix(bytes(&["acme_"])));
    assert_eq!(
        gate_of(r"\b(?<secret>gh[pousr]_[A-Za-z0-9]{36})\b", &[]),
        Gate::Prefix(bytes(&["gho_", "ghp_", "ghr_", "ghs_", "ghu_"]))
    );
    assert_eq!(
        gate_of(r"\b(?<secret>[a-f0-9]{32})\b", &["acme"]),
        Gate::Value { run: 32, at_start: true, needles: bytes(&["acme"]) }
    );
    assert_eq!(
        gate_of(r"https://acme\.example/(?<secret>[a-z0-9]{24})", &[]),
        Gate::Value { run: 24, at_start: false, needles: bytes(&["https://acme.example/"]) }
    );
    assert_eq!(gate_of(r"\b(?<secret>AC\.[a-z]{4,9}\.[a-z0-9-]{22})\b", &[]), Gate::Word(bytes(&["ac."])));
    assert_eq!(
        gate_of(r"[0-9]{8}(?<secret>:AA[a-z_]{9})", &[]),
        Gate::Inside { literals: bytes(&[":aa"]), back: 8, front: front("(?-u:[0-9]){8}") }
    );
    assert_eq!(
        gate_of(r"\b[a-z]{1,9}:(?<secret>\$2[ab]\$[./a-z]{20})", &[]),
        Gate::Inside {
            literals: bytes(&["$2a$", "$2b$"]),
            back: 10,
            front: front(r"(?:(?-u:\b)(?-u:[a-z]){1,9}:)")
        }
    );
    assert_eq!(gate_of(r"\b(?<secret>[a-z_]{20})\b", &["acme"]), Gate::Near(bytes(&["acme"])));
    assert_eq!(gate_of(r"\b(?<secret>[a-z0-9_]{30})\b", &["acme"]), Gate::Near(bytes(&["acme"])));
    assert_eq!(gate_of(r"\b(?<secret>[a-z0-9_]{40})\b", &["acme"]), Gate::Near(bytes(&["acme"])));
    assert_eq!(
        gate_of(r"\b(?<secret>[A-Za-z0-9_]{30})\b", &["acme"]),
        Gate::Opaque { needles: bytes(&["acme"]), around: 0 }
    );
    assert_eq!(gate_of(r"\b(?<secret>ac://[a-z]{4}:[a-z-]{22})", &[]), Gate::Word(bytes(&["ac://"])));
    assert_eq!(
        gate_of(r"\bacs?(?:\+[a-z]{1,5})?://(?<secret>[a-z]{9})", &[]),
        Gate::Inside {
            literals: bytes(&["://"]),
            back: 9,
            front: front(r"(?:(?-u:\b)(?:ac)s?(?:\+(?-u:[a-z]){1,5})?)")
        }
    );
    assert_eq!(
        gate_of(r"\bacme(?:\+[a-z]{1,5})?://(?<secret>[a-z]{3})", &[]),
        Gate::Scheme { literals: bytes(&["acme"]), back: 0 }
    );
    assert_eq!(
        gate_of(r"\b(?:[a-z]{3}\+)?acme://(?<secret>[a-z]{3})", &[]),
        Gate::Scheme { literals: bytes(&["acme"]), back: 4 }
    );
    // What may be left out is spelled both ways: `api` alone stands everywhere.
    assert_eq!(
        gate_of(r"\b(?:tls\+)?acme://(?<secret>[a-z]{3})", &[]),
        Gate::Scheme { literals: bytes(&["acme", "tls+acme"]), back: 0 }
    );
    assert_eq!(
        gate_of(r"(?i)(?:api|app)[_-]?key=(?<secret>[a-z ]{3,9})", &[]),
        Gate::Start(bytes(&["api-key=", "api_key=", "apikey=", "app-key=", "app_key=", "appkey="]))
    );
    assert_eq!(gate_of(r"acme [a-z]{1,5}://(?<secret>[a-z]{3})", &[]), Gate::Start(bytes(&["acme "])));
    assert_eq!(gate_of(r"(?i)(?<secret>pwd=[a-z]{3,9})", &[]), Gate::Start(bytes(&["pwd="])));
}

#[test]
fn what_cannot_be_anchored_or_bounded_is_refused() {
    let err = |p| analyse(p, Facts::default()).expect_err(p);
    assert!(err(r"\b(?<secret>[a-f_]{32})\b").contains("nothing to search for"));
    assert!(err(r"\b(?<secret>acme_[a-z]+)").contains("upper bound"));
    assert!(err(r"\bacme_[a-z]{20}").contains("secret"));
    assert!(err(r"acme_(?<secret>[a-z]{20}").contains("unclosed"));
}

#[test]
fn runs_are_least_lengths() {
    let best = |p| run(&parse(p).expect(p), |b| b.is_ascii_alphanumeric()).best();
    assert_eq!(best(r"ab-?[a-f0-9]{8,9}"), 8);
    assert_eq!(best(r"(?:ab|cde)[a-f0-9]{8}"), 10);
    assert_eq!(best(r"(?:[a-f]{3}-){4}[0-9]{2}"), 3);
    assert_eq!(best(r"(?:[a-f]{3}|[a-f_]{20})"), 0);
}

#[test]
fn the_fixed_part_and_the_alphabet_are_the_secrets_own() {
    let a = analyse(r"token=(?<secret>sk-[a-f0-9]{32})", Facts::default()).expect("because it is valid");
    assert_eq!(a.fixed, 3);
    assert!(has(&a.alphabet, b'f') && !has(&a.alphabet, b'g') && !has(&a.alphabet, b'k'));
}
