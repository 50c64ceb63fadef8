//! The common annotated keys of many Azure services: 52 random characters, `JQQJ9` and a kind,
//! a date, platform and provider data, four letters for the service, and four checksum characters.

use super::bytes::{BASE62, BASE64, Draw, base64_decode, base64_encode};
use super::marvin::{marvin32, seed};
use super::{Checksum, Verdict, put};
use std::ops::Range;

/// `azure-marvin-common-annotated`.
pub(super) struct CommonAnnotated;

const SEED: u64 = seed(b"Default0");
/// Characters covered; the rest is the checksum.
const COVERED: usize = 80;
const SHORT: usize = 84;
const LONG: usize = 88;

/// The sum in base 62 with the least significant byte first, padded on the right, and cut to what
/// four bytes of base64 can hold.
fn base62(sum: u32) -> Vec<u8> {
    let mut value = sum.swap_bytes();
    let mut text = Vec::with_capacity(6);
    // Every leading zero byte is a digit of its own.
    let zeros = (value.leading_zeros() / 8).min(3) as usize;
    loop {
        text.push(BASE62[(value % 62) as usize]);
        value /= 62;
        if value == 0 {
            break;
        }
    }
    text.extend(std::iter::repeat_n(b'0', zeros));
    text.reverse();
    text.resize(6, b'0');
    base64_decode(&text).map(|bytes| base64_encode(&bytes, BASE64, false)).unwrap_or_default()
}

fn sum(secret: &[u8]) -> Option<u32> {
    base64_decode(secret.get(..COVERED)?).map(|bytes| marvin32(&bytes, SEED))
}

impl Checksum for CommonAnnotated {
    fn name(&self) -> &'static str {
        "azure-marvin-common-annotated"
    }

    fn proved(&self) -> bool {
        true
    }

    fn width(&self) -> usize {
        SHORT - COVERED
    }

    fn makes_whole(&self) -> bool {
        true
    }

    fn verify(&self, secret: &[u8]) -> Verdict {
        let Some(sum) = Some(secret).filter(|s| [SHORT, LONG].contains(&s.len())).and_then(sum) else {
            return Verdict::NotApplicable;
        };
        let claimed = secret[COVERED..].strip_suffix(b"==").unwrap_or(&secret[COVERED..]);
        // Older keys spell the same sum in plain base64.
        let bytes = if secret.len() == LONG { 4 } else { 3 };
        let old = base64_encode(&sum.to_le_bytes()[..bytes], BASE64, false);
        Verdict::of(base62(sum).starts_with(claimed) || old == claimed)
    }

    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, seed: u64) {
        let mut hole = hole;
        if hole.start < COVERED {
            let mut draw = Draw::new(seed);
            let months = b"ABCDEFGHIJKL";
            let services: [&[u8; 4]; 4] = [b"AZDO", b"ACOG", b"AZMP", b"AZCS"];
            *secret = draw.text(BASE62, 52);
            let mark = b"JQQJ99B";
            secret.extend_from_slice(mark);
            secret.push(months[draw.below(months.len())]);
            secret.extend_from_slice(b"AC");
            secret.extend(draw.text(BASE62, 6));
            secret.extend_from_slice(b"AAAAAAAA");
            secret.extend_from_slice(services[draw.below(services.len())]);
            secret.resize(SHORT, b'0');
            hole = COVERED..SHORT;
        }
        if let Some(sum) = sum(secret) {
            put(secret, &hole, &base62(sum)[..hole.len().min(4)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a sum, lowest first, and how they are written: cut to what four bytes decode to.
    const CASES: &[([u8; 4], &str)] = &[
        ([0xc7, 0xca, 0xe2, 0x5d], "3eqUUQ"),
        ([0xd2, 0xac, 0x5a, 0x4e], "3rCRgQ"),
        ([0, 0, 0, 61], "000z0w"),
        ([0, 0, 0, 0], "00000w"),
    ];

    #[test]
    fn the_base62_spelling_keeps_leading_zero_bytes_and_drops_leftover_bits() {
        for (bytes, text) in CASES {
            assert_eq!(base62(u32::from_le_bytes(*bytes)), text.as_bytes(), "{bytes:x?}");
        }
    }

    #[test]
    fn altered_values_fail_and_other_lengths_are_not_judged() {
        let mut secret = Vec::new();
        CommonAnnotated.fill(&mut secret, 0..0, 3);
        assert_eq!(CommonAnnotated.verify(&secret[1..]), Verdict::NotApplicable);
        secret[78] ^= 1;
        assert_eq!(CommonAnnotated.verify(&secret), Verdict::Fails);
    }

    #[test]
    fn both_spellings_and_the_long_form_hold() {
        let mut secret = Vec::new();
        CommonAnnotated.fill(&mut secret, 0..0, 9);
        let sum = sum(&secret).unwrap();
        for n in [3, 4] {
            let mut old = secret[..COVERED].to_vec();
            old.extend(base64_encode(&sum.to_le_bytes()[..n], BASE64, true));
            assert_eq!(CommonAnnotated.verify(&old), Verdict::Holds);
        }
        let mut long = secret[..COVERED].to_vec();
        long.extend(base62(sum));
        long.extend_from_slice(b"==");
        assert_eq!(CommonAnnotated.verify(&long), Verdict::Holds);
    }
}
