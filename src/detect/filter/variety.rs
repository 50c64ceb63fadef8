//! Values that a person typed or a test made: runs, sequences, repetitions, words without digits.

use super::words::is_wordlike;
use super::{Candidate, Outcome, Reason};
use crate::model::Class;

/// Shortest secret: `u:p@host` is how forms are shown.
const WORTH: usize = 3;
/// Shortest variable part that is judged.
const SHORTEST: usize = 6;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    let value = c.variable();
    if c.secret().len() < WORTH {
        return Outcome::Drop(Reason::Length);
    }
    if c.rule.block || value.len() < SHORTEST {
        return Outcome::Keep;
    }
    // An account may well be number 123456.
    if c.rule.class == Class::Identifier {
        return if has_long_run(value) { Outcome::Drop(Reason::LowVariety) } else { Outcome::Keep };
    }
    if has_long_run(value)
        || has_few_characters(value)
        || counts_up(value, 1)
        || counts_up(value, 2)
        || repeats(value)
    {
        return Outcome::Drop(Reason::LowVariety);
    }
    if c.rule.class == Class::Structured && is_identifier(c) {
        return Outcome::Drop(Reason::CodeNotLiteral);
    }
    Outcome::Keep
}

/// One character in a row over at least half of the value.
fn has_long_run(value: &[u8]) -> bool {
    value.chunk_by(|a, b| a == b).any(|run| run.len() * 2 >= value.len())
}

/// Fewer kinds of characters than chance would ever leave.
fn has_few_characters(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    let mut kinds = 0;
    for &b in value {
        kinds += usize::from(!std::mem::replace(&mut seen[b as usize], true));
    }
    match value.len() {
        0..=7 => kinds <= 2,
        8..=19 => kinds <= 3,
        _ => kinds <= 4,
    }
}

/// Whether most characters follow the one `stride` before them: `abcdef`, `98765`, `a1b2c3d4`.
fn counts_up(value: &[u8], stride: usize) -> bool {
    if value.len() < 8 * stride {
        return false;
    }
    let follows = |a: u8, b: u8| {
        b == a.wrapping_add(1) && a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()
            || matches!(
                (a, b),
                (b'9', b'0' | b'a' | b'A')
                    | (b'z', b'a' | b'A' | b'0')
                    | (b'Z', b'A' | b'a' | b'0')
                    | (b'f', b'0')
                    | (b'F', b'0')
            )
    };
    let (mut up, mut down) = (0, 0);
    for (a, b) in value.iter().zip(&value[stride..]) {
        up += usize::from(follows(a.to_ascii_lowercase(), b.to_ascii_lowercase()));
        down += usize::from(follows(b.to_ascii_lowercase(), a.to_ascii_lowercase()));
    }
    // Of ten digits one in ten follows by chance.
    let share = if value.iter().all(u8::is_ascii_digit) { 75 } else { 50 };
    up.max(down) * 100 >= (value.len() - stride) * share
}

/// Whether the value is a piece of at most half its length over and over.
fn repeats(value: &[u8]) -> bool {
    // Digits repeat by chance in short values: 1212 is a year and a day.
    let longest = (value.len() / 2).min(64);
    (1..=longest).any(|period| value[period] == value[0] && value[period..] == value[..value.len() - period])
}

/// Words alone where the alphabet has digits too, or many words and a digit or two: chance leaves no digit
/// out of twenty characters, nor does it make nearly all of them words that can be spoken.
fn is_identifier(c: &Candidate<'_>) -> bool {
    let value = c.variable();
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    if value.len() < if digits == 0 { 20 } else { 30 }
        || digits > 2
        || (b'0'..=b'9').filter(|&b| c.rule.allows(b)).count() < 6
    {
        return false;
    }
    // A word is a stretch of lower case with at most one capital before it; rows of capitals are
    // acronyms and count for nothing either way.
    let (mut spoken, mut letters, mut count) = (0, 0, 0);
    for part in value.split(|b| !b.is_ascii_alphabetic()) {
        for stretch in part.chunk_by(|a, b| a.is_ascii_lowercase() == b.is_ascii_lowercase()) {
            if stretch[0].is_ascii_lowercase() {
                letters += stretch.len();
                if stretch.len() >= 3 && is_wordlike(stretch) && stretch.iter().any(|b| b"aeiouy".contains(b))
                {
                    spoken += stretch.len();
                    count += 1;
                }
            }
        }
    }
    letters * 100 >= value.len() * 65 && spoken * 10 >= letters * 9 && spoken >= count * 4
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, hex, random, table, with};
    use super::*;

    #[test]
    fn runs_sequences_and_repetitions() {
        table(
            &Rule::structured(4),
            run,
            Reason::LowVariety,
            &[
                "«acm_aaaaaaaaaaaaaaaa»",
                "«acm_00000000000000000000000000a1b2c3»",
                "«acm_abcdefghijklmnopqrstuvwxyz012345»",
                "«acm_1234567890abcdef1234567890abcdef»",
                "«acm_0123456789abcdef0123456789ABCDEF»",
                "«acm_9876543210987654»",
                "«acm_a1b2c3d4e5f6g7h8i9j0»",
                "«acm_deadbeefdeadbeefdeadbeefdeadbeef»",
                "«acm_abababababababab»",
                "«acm_1122112211221122»",
                "«acm_qX7qX7qX7qX7qX7q»",
                "«acm_ABCDEFGHIJKLMNOPQRST»",
            ],
            &[
                &format!("«acm_{}»", random(1, 40)),
                "«acm_12»",
                "«acm_k3abcdefTq9x7Lw2»",
                "«acm_Zq11118xPw3k»",
            ],
        );
        let block = Rule { block: true, ..Rule::structured(4) };
        table(&block, run, Reason::LowVariety, &[], &["«acm_aaaaaaaaaaaaaaaaaaa»"]);
    }

    #[test]
    fn fair_values_pass() {
        let mut lost = 0;
        for seed in 0..20_000 {
            for text in [format!("«acm_{}»", random(seed, 20)), format!("«acm_{}»", hex(seed, 32))] {
                lost += usize::from(with(&Rule::structured(4), &text, run) != Outcome::Keep);
            }
        }
        // Twenty characters without a digit that could be words: two in 10,000.
        assert!(lost <= 6, "{lost} of 40,000");
        let digits = Rule { alphabet: b"0123456789", ..Rule::structured(0) };
        for seed in 0..2000 {
            let text: String = hex(seed, 60).chars().filter(char::is_ascii_digit).take(16).collect();
            table(&digits, run, Reason::LowVariety, &[], &[&format!("«{text}»")]);
        }
    }

    #[test]
    fn identifiers_are_no_keys() {
        let lower = Rule { alphabet: b"abcdefghijklmnopqrstuvwxyz0123456789-_", ..Rule::structured(3) };
        table(
            &lower,
            run,
            Reason::CodeNotLiteral,
            &["«sk-learn-decision-tree-classifier-base»"],
            &["«sk-abcqkzjwhfpxvtyrnmlb»", "«sk-learn-model»", "«sk-ab3qkzjwhfpxvtyrnmlbabqkzj»"],
        );
        table(
            &Rule::structured(4),
            run,
            Reason::CodeNotLiteral,
            &[
                "«acm_somethingVeryLongWithWords»",
                "«acm_AmazonEBSCSIDriverEKSClusterScopedPolicy»",
                "«acm_V1OrganizationExternalKeysPostRequestGcp»",
            ],
            &["«acm_sOmEtHiNgwithManyChanGES»", "«acm_something1VeryLongWithWords»"],
        );
    }
}
