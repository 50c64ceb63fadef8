//! Values known by their SHA-256, what the provider means to be public, and paths of tests.

use super::{Adjust, Candidate, Outcome, Reason};
use crate::model::{Note, Severity};
use sha2::{Digest, Sha256};

/// Drops documented samples and settles development defaults.
pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if c.rule.samples.is_empty() && c.rule.development.is_empty() {
        return Outcome::Keep;
    }
    let sum: [u8; 32] = Sha256::digest(c.secret()).into();
    if c.rule.samples.contains(&sum) {
        return Outcome::Drop(Reason::Sample);
    }
    if c.rule.development.contains(&sum) {
        return Outcome::Settle(Adjust {
            severity: Some(Severity::Info),
            note: Some(Note::DevelopmentDefault),
            ..Adjust::default()
        });
    }
    Outcome::Keep
}

/// Remarks that change nothing about whether it is a secret.
pub(super) fn standing(c: &Candidate<'_>) -> Outcome {
    if c.rule.public {
        return Outcome::Adjust(Adjust {
            severity: Some(Severity::Info),
            note: Some(Note::PublicByDesign),
            ..Adjust::default()
        });
    }
    if is_test(c.path) {
        return Outcome::Adjust(Adjust { note: Some(Note::TestPath), ..Adjust::default() });
    }
    Outcome::Keep
}

/// Parts of a path, or beginnings and ends of them set off by punctuation, that speak of tests.
#[rustfmt::skip]
const WORDS: &[&[u8]] = &[
    b"test", b"tests", b"testing", b"testdata", b"spec", b"specs", b"fixture", b"fixtures", b"mock",
    b"mocks", b"cassette", b"cassettes", b"example", b"examples", b"sample", b"samples", b"demo", b"e2e",
    b"snapshots",
];

fn is_test(path: &[u8]) -> bool {
    path.split(|b| !b.is_ascii_alphanumeric()).any(|part| WORDS.iter().any(|w| part.eq_ignore_ascii_case(w)))
}

#[cfg(test)]
mod tests {
    use super::super::Judged;
    use super::super::testing::{Rule, judged, table, with};
    use super::*;

    #[test]
    fn samples_drop_and_development_values_become_info() {
        let rule = Rule {
            samples: vec!["acm_sample00000000"],
            development: vec!["minioadmin"],
            ..Rule::structured(4)
        };
        table(&rule, run, Reason::Sample, &["«acm_sample00000000»"], &["«acm_sample00000001»"]);
        // Settled before anything can call it a placeholder.
        assert_eq!(
            judged(&rule, "«minioadmin»"),
            Judged::Keep {
                confidence: None,
                severity: Some(Severity::Info),
                notes: vec![Note::DevelopmentDefault],
                score: None,
            }
        );
    }

    #[test]
    fn public_kinds_and_test_paths_are_remarked() {
        let note = |rule: &Rule| match with(rule, "«x»", standing) {
            Outcome::Adjust(a) => a.note,
            _ => None,
        };
        assert_eq!(note(&Rule { public: true, ..Rule::structured(0) }), Some(Note::PublicByDesign));
        for path in ["tests/a.py", "src/__tests__/x.js", "a/user_test.go", "Foo.spec.ts", ".env.example"] {
            assert_eq!(note(&Rule::structured(0).at(path)), Some(Note::TestPath), "{path}");
        }
        for path in ["src/contest.py", "latest/attestation.go", "a/specification.md"] {
            assert_eq!(note(&Rule::structured(0).at(path)), None, "{path}");
        }
    }
}
