//! The checksum that an issuer built into the secret.

use super::{Adjust, Candidate, Outcome, Reason};
use crate::model::{Confidence, Note};
use crate::rule::ChecksumMode;
use crate::rule::checksum::Verdict;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    let Some((algorithm, mode)) = c.rule.checksum else { return Outcome::Keep };
    match algorithm.verify(c.secret()) {
        Verdict::NotApplicable => Outcome::Keep,
        Verdict::Holds => Outcome::Adjust(Adjust { note: Some(Note::ChecksumHolds), ..Adjust::default() }),
        Verdict::Fails if mode == ChecksumMode::Drop && algorithm.proved() => {
            Outcome::Drop(Reason::ChecksumFails)
        }
        Verdict::Fails => Outcome::Adjust(Adjust {
            confidence: Some(Confidence::Low),
            note: Some(Note::ChecksumFails),
            ..Adjust::default()
        }),
    }
}

/// Whether the rule's checksum is long enough that chance does not make it hold.
pub(super) fn is_strong(c: &Candidate<'_>) -> bool {
    c.rule.checksum.is_some_and(|(algorithm, _)| algorithm.width() == 0 || algorithm.width() >= 4)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, random, with};
    use super::*;
    use crate::rule::checksum::by_name;

    #[test]
    fn a_failure_drops_only_where_the_algorithm_is_proved() {
        for (name, prefix, n, mode, expected) in [
            ("crc32-base62", "ghp_", 36, ChecksumMode::Drop, None),
            ("crc32-base62", "ghp_", 36, ChecksumMode::Lower, Some(Note::ChecksumFails)),
            ("synapse", "syt_dXNlcg_abcdefghijklmnopqrst_", 6, ChecksumMode::Drop, Some(Note::ChecksumFails)),
        ] {
            let rule = Rule { checksum: by_name(name), mode, ..Rule::structured(4) };
            let text = format!("«{prefix}{}»", random(3, n));
            match (with(&rule, &text, run), expected) {
                (Outcome::Drop(Reason::ChecksumFails), None) => {}
                (Outcome::Adjust(a), Some(note)) => {
                    assert_eq!((a.note, a.confidence), (Some(note), Some(Confidence::Low)));
                }
                (other, _) => panic!("{name} {mode:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_right_one_is_noted_and_other_forms_are_left_alone() {
        let algorithm = by_name("crc32-base62").unwrap();
        let rule = Rule { checksum: Some(algorithm), mode: ChecksumMode::Drop, ..Rule::structured(4) };
        let mut secret = format!("ghp_{}", random(3, 36)).into_bytes();
        algorithm.fill(&mut secret, 34..40, 0);
        let text = format!("«{}»", String::from_utf8(secret).unwrap());
        assert!(matches!(with(&rule, &text, run), Outcome::Adjust(a) if a.note == Some(Note::ChecksumHolds)));
        assert_eq!(with(&rule, "«ghp_short»", run), Outcome::Keep);
    }
}
