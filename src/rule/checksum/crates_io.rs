//! The trusted-publishing tokens of Rust's package registry: one character that folds the other 31 together.

use super::{Checksum, Verdict, put};
use std::ops::Range;

/// `crates-io-xor62`.
pub(super) struct CratesIo;

const PREFIX: &[u8] = b"cio_tp_";
const BODY: usize = 31;

fn sum(body: &[u8]) -> u8 {
    const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    DIGITS[body.iter().fold(0, |acc, b| acc ^ b) as usize % DIGITS.len()]
}

impl Checksum for CratesIo {
    fn name(&self) -> &'static str {
        "crates-io-xor62"
    }

    fn proved(&self) -> bool {
        true
    }

    fn width(&self) -> usize {
        1
    }

    fn verify(&self, secret: &[u8]) -> Verdict {
        match secret.strip_prefix(PREFIX).and_then(<[u8]>::split_last) {
            Some((&claimed, body)) if body.len() == BODY => Verdict::of(sum(body) == claimed),
            _ => Verdict::NotApplicable,
        }
    }

    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, _seed: u64) {
        let body = hole.end.checked_sub(1).and_then(|end| secret.get(PREFIX.len()..end));
        if let Some(sum) = body.map(sum) {
            put(secret, &hole, &[sum]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_own_vectors_hold() {
        let zeros = format!("cio_tp_{}w", "0".repeat(31));
        let drawn = ["cio", "_tp_", "gGK6jurSwKyl9V3", "Az19z7YEFQI9aoOO", "d"].concat();
        for sample in [&zeros, &drawn] {
            assert_eq!(CratesIo.verify(sample.as_bytes()), Verdict::Holds);
        }
        assert_eq!(CratesIo.verify(zeros.replace('w', "0").as_bytes()), Verdict::Fails);
        assert_eq!(CratesIo.verify(b"cio_tp_00"), Verdict::NotApplicable);
    }

    #[test]
    fn the_last_character_is_filled() {
        let mut secret = format!("cio_tp_{}", "Ab3".repeat(11)).into_bytes();
        secret.truncate(39);
        CratesIo.fill(&mut secret, 38..39, 0);
        assert_eq!(CratesIo.verify(&secret), Verdict::Holds);
    }
}
