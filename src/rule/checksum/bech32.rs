//! Bech32 (BIP-173) as age uses it for its identities: upper case, six checksum characters over
//! the human part and the data.

use super::bytes::Draw;
use super::{Checksum, Verdict, put};
use std::ops::Range;

/// `bech32-age`.
pub(super) struct Age;

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const PREFIX: &[u8] = b"AGE-SECRET-KEY-1";
const WIDTH: usize = 6;
/// Longest value that is looked at; post-quantum identities are the longest in use.
const LONGEST: usize = 4096;

fn step(state: u32, value: u8) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = state >> 25;
    let next = (state & 0x01ff_ffff) << 5 ^ u32::from(value);
    GENERATOR.iter().enumerate().filter(|(i, _)| top >> i & 1 == 1).fold(next, |s, (_, g)| s ^ g)
}

/// The state after the human part and the data characters of `text`, the separator left out.
fn state(text: &[u8]) -> Option<u32> {
    let at = text.iter().rposition(|&b| b == b'1')?;
    let human = || text[..at].iter().map(u8::to_ascii_lowercase);
    let mut state = human().fold(1, |s, b| step(s, b >> 5));
    state = step(state, 0);
    state = human().fold(state, |s, b| step(s, b & 31));
    for b in &text[at + 1..] {
        // Mixed case is not allowed, and age writes identities in upper case.
        let value = ALPHABET.iter().position(|c| c.to_ascii_uppercase() == *b)?;
        state = step(state, value as u8);
    }
    Some(state)
}

impl Checksum for Age {
    fn name(&self) -> &'static str {
        "bech32-age"
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
        if secret.len() > LONGEST || !secret.starts_with(b"AGE-SECRET-KEY-") {
            return Verdict::NotApplicable;
        }
        state(secret).map_or(Verdict::NotApplicable, |state| Verdict::of(state == 1))
    }

    /// The body is made up when the hole begins at the prefix or before it.
    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, seed: u64) {
        let mut hole = hole;
        if hole.start <= PREFIX.len() {
            let mut draw = Draw::new(seed);
            *secret = PREFIX.to_vec();
            secret.extend(draw.text(&ALPHABET.map(|b| b.to_ascii_uppercase()), 51));
            // 52 characters hold 260 bits; the last four stay zero.
            secret.push(if draw.below(2) == 0 { b'Q' } else { b'S' });
            hole = secret.len()..secret.len() + WIDTH;
            secret.resize(hole.end, b'Q');
        }
        let Some(mut state) = secret.get(..hole.start).and_then(state) else { return };
        for _ in 0..WIDTH {
            state = step(state, 0);
        }
        state ^= 1;
        let sum: Vec<u8> = (0..WIDTH)
            .map(|i| ALPHABET[(state >> (5 * (WIDTH - 1 - i)) & 31) as usize].to_ascii_uppercase())
            .collect();
        put(secret, &hole, &sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_example_holds() {
        let value = ["AGE-SECRET-", "KEY-1", &"GFPYYSJZ".repeat(6), "GFPQ4EGAEX"].concat();
        assert_eq!(Age.verify(value.as_bytes()), Verdict::Holds);
        assert_eq!(Age.verify(value.replace("AEX", "AEY").as_bytes()), Verdict::Fails);
        assert_eq!(Age.verify(value.replace("GAEX", "GAEB").as_bytes()), Verdict::NotApplicable);
        assert_eq!(Age.verify(b"age1qqqq"), Verdict::NotApplicable);
    }

    #[test]
    fn a_given_body_is_closed() {
        let mut secret = [b"AGE-SECRET-KEY-1", &b"GFPYYSJZ".repeat(6)[..], b"GFPQ", b"??????"].concat();
        let end = secret.len();
        Age.fill(&mut secret, end - 6..end, 0);
        assert!(secret.ends_with(b"4EGAEX"));
    }
}
