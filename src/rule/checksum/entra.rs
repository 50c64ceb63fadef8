//! Client secrets of Entra applications: three characters of a Marvin32 over the rest.

use super::bytes::{Draw, digits};
use super::marvin::{marvin32, seed};
use super::{Checksum, Verdict, put};
use std::ops::Range;

/// `azure-entra-marvin`.
pub(super) struct Entra;

const SEED: u64 = seed(b"AadPwd00");
const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~";
const LENGTH: usize = 40;
const WIDTH: usize = 3;

/// The first three of six digits: the issuer keeps no more, to keep the secret short.
fn sum(rest: &[u8]) -> Vec<u8> {
    let mut text = digits(marvin32(rest, SEED), ALPHABET, 6);
    text.truncate(WIDTH);
    text
}

impl Checksum for Entra {
    fn name(&self) -> &'static str {
        "azure-entra-marvin"
    }

    fn proved(&self) -> bool {
        true
    }

    fn width(&self) -> usize {
        WIDTH
    }

    fn makes_whole(&self) -> bool {
        true
    }

    fn verify(&self, secret: &[u8]) -> Verdict {
        // The older `7Q~` form carries no checksum.
        if secret.len() != LENGTH || secret[3..6] != *b"8Q~" {
            return Verdict::NotApplicable;
        }
        let (rest, claimed) = secret.split_at(LENGTH - WIDTH);
        Verdict::of(sum(rest) == claimed)
    }

    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, seed: u64) {
        let mut hole = hole;
        if hole.start == 0 {
            let mut draw = Draw::new(seed);
            // Ends of a word at both ends, so that the value stands clear of what surrounds it.
            *secret = draw.text(&ALPHABET[..62], 3);
            secret.extend_from_slice(b"8Q~");
            secret.extend(draw.text(ALPHABET, LENGTH - WIDTH - 6));
            secret.resize(LENGTH, b'a');
            hole = LENGTH - WIDTH..LENGTH;
        }
        if let Some(rest) = hole.end.checked_sub(WIDTH).and_then(|end| secret.get(..end)) {
            let sum = sum(rest);
            put(secret, &hole, &sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuers_own_test_value_holds() {
        let value = format!("zzz8Q~{}blP", "z".repeat(31));
        assert_eq!(Entra.verify(value.as_bytes()), Verdict::Holds);
        assert_eq!(Entra.verify(value.replace("blP", "blQ").as_bytes()), Verdict::Fails);
        let old = format!("yyy7Q~{}", "y".repeat(31));
        assert_eq!(Entra.verify(old.as_bytes()), Verdict::NotApplicable);
    }

    #[test]
    fn the_last_characters_are_filled() {
        let mut secret = format!("aB38Q~{}???", "xY7-_".repeat(7)).into_bytes();
        secret.drain(6..10);
        let end = secret.len();
        Entra.fill(&mut secret, end - 3..end, 0);
        assert_eq!((secret.len(), Entra.verify(&secret)), (LENGTH, Verdict::Holds));
    }
}
