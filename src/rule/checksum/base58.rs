//! Base58Check: private keys of Bitcoin wallets and extended private keys. The last four decoded
//! bytes begin the SHA-256 of the SHA-256 of the rest.

use super::bytes::Draw;
use super::{Checksum, Verdict};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// `base58check`.
pub(super) struct Base58Check;

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Decoded lengths: a key, a key with the mark of a compressed public key, an extended key.
const LENGTHS: [usize; 3] = [37, 38, 82];
/// Longest value that is looked at: the work grows with the square of the length.
const LONGEST: usize = 120;
const WIDTH: usize = 6;

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > LONGEST {
        return None;
    }
    let mut out: Vec<u8> = Vec::with_capacity(text.len()); // least significant first
    for b in text {
        let mut carry = ALPHABET.iter().position(|c| c == b)? as u32;
        for place in &mut out {
            carry += u32::from(*place) * 58;
            *place = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            out.push(carry as u8);
        }
    }
    out.extend(text.iter().take_while(|&&b| b == ALPHABET[0]).map(|_| 0));
    out.reverse();
    Some(out)
}

fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len() * 2);
    for b in bytes {
        let mut carry = u32::from(*b);
        for place in &mut out {
            carry += u32::from(*place) << 8;
            *place = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            out.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    out.extend(bytes.iter().take_while(|&&b| b == 0).map(|_| 0));
    out.iter().rev().map(|&d| ALPHABET[d as usize]).collect()
}

fn close(payload: &[u8]) -> Vec<u8> {
    let sum = Sha256::digest(Sha256::digest(payload));
    [payload, &sum[..4]].concat()
}

impl Checksum for Base58Check {
    fn name(&self) -> &'static str {
        "base58check"
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
        match decode(secret) {
            Some(bytes) if LENGTHS.contains(&bytes.len()) => {
                Verdict::of(close(&bytes[..bytes.len() - 4]) == bytes)
            }
            _ => Verdict::NotApplicable,
        }
    }

    /// A whole value is a wallet key. With characters before the hole, six digits span more than
    /// the four bytes of a checksum, so that some payload with that beginning always fits.
    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, seed: u64) {
        if hole.start == 0 {
            let mut draw = Draw::new(seed);
            let mut payload = vec![0x80];
            payload.extend(draw.bytes(32));
            if draw.below(2) == 0 {
                payload.push(1);
            }
            *secret = encode(&close(&payload));
            return;
        }
        let Some(head) = secret.get(..hole.start) else { return };
        // The highest value with this beginning; the payload just below its own lies in the span.
        let mut top = head.to_vec();
        top.extend(std::iter::repeat_n(b'z', hole.len()));
        let Some(mut bytes) = decode(&top).filter(|b| b.len() > 4) else { return };
        bytes.truncate(bytes.len() - 4);
        for place in bytes.iter_mut().rev() {
            *place = place.wrapping_sub(1);
            if *place != 0xff {
                break;
            }
        }
        let made = encode(&close(&bytes));
        if made.len() == top.len() && made.starts_with(head) {
            *secret = made;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_key_holds() {
        let value = ["5HueCGU8rMjxEXx", "iPuD5BDku4MkFqeZyd", "4dZ1jvhTVqvbTLvyTJ"].concat();
        assert_eq!(Base58Check.verify(value.as_bytes()), Verdict::Holds);
        assert_eq!(
            Base58Check.verify(value.replace("dku", "dkv").replace('8', "9").as_bytes()),
            Verdict::Fails
        );
        assert_eq!(Base58Check.verify(&value.as_bytes()[..40]), Verdict::NotApplicable);
        assert_eq!(Base58Check.verify(value.replace('H', "0").as_bytes()), Verdict::NotApplicable);
    }

    #[test]
    fn a_given_beginning_is_completed() {
        for (head, n) in [("xprv", 101), ("tprv", 101), ("KwDi", 42), ("5J", 43)] {
            for seed in 0..20 {
                let mut secret = head.as_bytes().to_vec();
                secret.extend(Draw::new(seed).text(ALPHABET, n));
                let start = secret.len();
                let given = secret.clone();
                secret.extend_from_slice(b"??????");
                Base58Check.fill(&mut secret, start..start + 6, seed);
                assert!(secret.starts_with(&given));
                assert_eq!(Base58Check.verify(&secret), Verdict::Holds, "{head}");
            }
        }
    }
}
