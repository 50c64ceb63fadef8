//! Azure DevOps tokens of the old form: 52 base-32 characters with a CRC-32 scattered among the
//! 32 decoded bytes.

use super::bytes::Draw;
use super::{Checksum, Verdict};
use std::ops::Range;

/// `azure-devops-crc32`.
pub(super) struct AzureDevOps;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const LENGTH: usize = 52;
/// Places of the checksum's bytes, least significant first.
const PLACES: [usize; 4] = [22, 8, 7, 2];
/// What is mixed into the sum: one value for users, one for applications.
const MAGIC: [u32; 2] = [0xe0b9_692d, 0x1019_f92e];

fn decode(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != LENGTH {
        return None;
    }
    let mut out = [0; 32];
    let (mut bits, mut held, mut n) = (0u32, 0, 0);
    for b in text {
        let value = match b.to_ascii_lowercase() {
            c @ b'a'..=b'z' => c - b'a',
            c @ b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        held += 5;
        if held >= 8 && n < out.len() {
            held -= 8;
            out[n] = (bits >> held) as u8;
            n += 1;
        }
    }
    Some(out)
}

fn encode(bytes: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(LENGTH);
    let (mut bits, mut held) = (0u32, 0);
    for b in bytes {
        bits = bits << 8 | u32::from(*b);
        held += 8;
        while held >= 5 {
            held -= 5;
            out.push(ALPHABET[(bits >> held & 31) as usize]);
        }
    }
    out.push(ALPHABET[(bits << (5 - held) & 31) as usize]);
    out
}

fn sum(bytes: &[u8; 32]) -> u32 {
    let covered: Vec<u8> =
        bytes.iter().enumerate().filter(|(i, _)| !PLACES.contains(i)).map(|(_, &b)| b).collect();
    crc32fast::hash(&covered)
}

impl Checksum for AzureDevOps {
    fn name(&self) -> &'static str {
        "azure-devops-crc32"
    }

    fn proved(&self) -> bool {
        false
    }

    fn width(&self) -> usize {
        0
    }

    fn verify(&self, secret: &[u8]) -> Verdict {
        let Some(bytes) = decode(secret) else { return Verdict::NotApplicable };
        let claimed = u32::from_le_bytes(PLACES.map(|at| bytes[at]));
        let sum = sum(&bytes);
        Verdict::of(MAGIC.iter().any(|magic| sum ^ magic == claimed))
    }

    fn fill(&self, secret: &mut Vec<u8>, _hole: Range<usize>, seed: u64) {
        let mut draw = Draw::new(seed);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&draw.bytes(32));
        let sum = sum(&bytes) ^ MAGIC[draw.below(2)];
        for (at, b) in PLACES.into_iter().zip(sum.to_le_bytes()) {
            bytes[at] = b;
        }
        *secret = encode(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_values_hold_in_either_case_and_random_ones_fail() {
        for seed in 0..50 {
            let mut secret = Vec::new();
            AzureDevOps.fill(&mut secret, 0..0, seed);
            assert_eq!(AzureDevOps.verify(&secret), Verdict::Holds);
            assert_eq!(AzureDevOps.verify(&secret.to_ascii_uppercase()), Verdict::Holds);
            assert_eq!(encode(&decode(&secret).unwrap()), secret);
            let random = Draw::new(seed).text(ALPHABET, LENGTH);
            assert_eq!(AzureDevOps.verify(&random), Verdict::Fails);
        }
        assert_eq!(AzureDevOps.verify(&[b'1'; 52]), Verdict::NotApplicable);
        assert_eq!(AzureDevOps.verify(b"abc"), Verdict::NotApplicable);
    }
}
