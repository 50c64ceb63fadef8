//! Seed phrases (BIP-39): 11 bits a word, the last bits of which begin the SHA-256 of the others.

use super::bytes::Draw;
use super::{Checksum, Verdict};
use ::bip39::Language;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// `bip39`.
pub(super) struct Bip39;

/// The words' bits, or nothing if one is not of the list. The list is in order.
fn bits(phrase: &str) -> Option<Vec<bool>> {
    let list = Language::English.word_list();
    let mut out = Vec::with_capacity(24 * 11);
    for word in phrase.split_ascii_whitespace() {
        let at = list.binary_search(&word.to_ascii_lowercase().as_str()).ok()?;
        out.extend((0..11).rev().map(|i| at >> i & 1 == 1));
    }
    Some(out)
}

/// The checksum bits of `entropy`, one for each 32.
fn sum(entropy: &[bool]) -> Vec<bool> {
    let bytes: Vec<u8> =
        entropy.chunks(8).map(|c| c.iter().fold(0, |acc, &bit| acc << 1 | u8::from(bit))).collect();
    let digest = Sha256::digest(&bytes);
    (0..entropy.len() / 32).map(|i| digest[i / 8] >> (7 - i % 8) & 1 == 1).collect()
}

impl Checksum for Bip39 {
    fn name(&self) -> &'static str {
        "bip39"
    }

    fn proved(&self) -> bool {
        true
    }

    fn width(&self) -> usize {
        0
    }

    /// A phrase with a word outside the list fails: it is prose.
    fn verify(&self, secret: &[u8]) -> Verdict {
        let Ok(phrase) = std::str::from_utf8(secret) else { return Verdict::NotApplicable };
        if !matches!(phrase.split_ascii_whitespace().take(25).count(), 12 | 15 | 18 | 21 | 24) {
            return Verdict::NotApplicable;
        }
        let Some(bits) = bits(phrase) else { return Verdict::Fails };
        let (entropy, claimed) = bits.split_at(bits.len() / 33 * 32);
        Verdict::of(sum(entropy) == claimed)
    }

    fn fill(&self, secret: &mut Vec<u8>, _hole: Range<usize>, seed: u64) {
        let mut draw = Draw::new(seed);
        let n = if draw.below(2) == 0 { 128 } else { 256 };
        let mut bits: Vec<bool> = (0..n).map(|_| draw.below(2) == 1).collect();
        bits.extend(sum(&bits));
        let list = Language::English.word_list();
        let words: Vec<&str> = bits
            .chunks(11)
            .map(|c| list[c.iter().fold(0, |acc, &bit| acc << 1 | usize::from(bit))])
            .collect();
        *secret = words.join(" ").into_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_vectors_hold() {
        let zeros = format!("{}about", "abandon ".repeat(11));
        let ones = format!("{}wrong", "zoo ".repeat(11));
        let long = format!("{}art", "abandon ".repeat(23));
        for phrase in [&zeros, &ones, &long, &zeros.to_uppercase()] {
            assert_eq!(Bip39.verify(phrase.as_bytes()), Verdict::Holds, "{phrase}");
        }
        assert_eq!(Bip39.verify(zeros.replace("about", "abandon").as_bytes()), Verdict::Fails);
        assert_eq!(Bip39.verify(zeros.replace("about", "hello").as_bytes()), Verdict::Fails);
        assert_eq!(Bip39.verify(b"abandon abandon about"), Verdict::NotApplicable);
    }

    #[test]
    fn the_word_list_is_in_order() {
        assert!(Language::English.word_list().is_sorted());
    }
}
