//! The entropy floor: less random than 99 of 100 fair values.

use super::{Candidate, Outcome, Reason};
use crate::detect::entropy::{Alphabet, alphabet_of, floor, set_of, shannon};
use crate::model::Class;

/// Longer values often hold a structure (JSON, dates, zeros) whose entropy does not grow with
/// their length, so that they are held to the floor of this length.
const CAP: usize = 64;
/// Shortest part between separators that may speak for the whole.
const SHORTEST_PART: usize = 16;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    let value = c.variable();
    let low = match c.rule.entropy {
        Some(least) => shannon(value) < least,
        None if c.rule.block || c.rule.class == Class::Identifier => false,
        None => {
            let alphabet = alphabet_of(&c.rule.alphabet);
            is_low(value, alphabet) && !has_fair_part(value, alphabet)
        }
    };
    if low { Outcome::Drop(Reason::Entropy) } else { Outcome::Keep }
}

/// Whether a part between separators, or all after one, is fair by itself: parts of different
/// alphabets lower the whole, and so does a word at the front.
fn has_fair_part(value: &[u8], alphabet: Alphabet) -> bool {
    let part = |b: &u8| !b.is_ascii_alphanumeric();
    let long = |text: &&[u8]| text.len() >= SHORTEST_PART && text.len() < value.len();
    value.split(part).filter(long).any(|text| !is_low(text, alphabet))
        || (0..value.len() / 2)
            .filter(|&i| part(&value[i]))
            .map(|i| &value[i + 1..])
            .filter(long)
            .any(|text| !is_low(text, alphabet))
}

/// Whether a value lies below the floor of its rule's alphabet, or of a smaller one that it keeps
/// to: patterns are often wider than what is issued.
fn is_low(value: &[u8], alphabet: Alphabet) -> bool {
    let own = match alphabet_of(&set_of(value)) {
        own @ (Alphabet::Hex | Alphabet::Base32 | Alphabet::Alnum36) => own,
        _ => alphabet,
    };
    shannon(value) < floor(own.min(alphabet), value.len().min(CAP))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, hex, random, table, with};
    use super::*;

    #[test]
    fn one_in_a_hundred_fair_values_is_lost() {
        for (rule, make) in [
            (Rule::structured(4), (|seed| random(seed, 40)) as fn(u64) -> String),
            (Rule { alphabet: b"0123456789abcdef", ..Rule::structured(4) }, |seed| hex(seed, 32)),
            // The issuer draws from less than the pattern allows.
            (Rule::structured(4), |seed| hex(seed, 32)),
        ] {
            let lost = (0..5000)
                .filter(|&seed| with(&rule, &format!("«acm_{}»", make(seed)), run) != Outcome::Keep)
                .count();
            assert!((20..=85).contains(&lost), "{lost} of 5000");
        }
    }

    #[test]
    fn words_and_patterns_are_low() {
        table(
            &Rule::structured(4),
            run,
            Reason::Entropy,
            &["«acm_thisisthesecretthatisnotsecret»", "«acm_aaaabbbbccccddddeeeeffff12121212»"],
            &["«acm_x»"],
        );
    }

    #[test]
    fn the_rules_own_floor_comes_first() {
        let text = "«acm_thisisthesecretthatisnotsecret»";
        let off = Rule { entropy: Some(0.0), ..Rule::structured(4) };
        table(&off, run, Reason::Entropy, &[], &[text, "«acm_aaaa»"]);
        let high = Rule { entropy: Some(4.9), ..Rule::structured(4) };
        let fair = format!("«acm_{}»", random(1, 24));
        table(&high, run, Reason::Entropy, &[&fair, text], &[]);
    }

    #[test]
    fn one_fair_part_speaks_for_the_whole() {
        let rule = Rule { alphabet: b"azAZ09:_-", ..Rule::structured(0) };
        let text = format!("«1111111111:{}»", random(1, 35));
        table(&rule, run, Reason::Entropy, &["«1111111111:22222222222222222222222»"], &[&text]);
        let uuids = format!("«word_at-{}-{}»", hex(1, 32), hex(2, 8));
        table(&Rule { alphabet: b"azAZ09_-", ..Rule::structured(0) }, run, Reason::Entropy, &[], &[&uuids]);
    }
}
