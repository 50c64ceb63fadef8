//! Pairs of hexadecimal digits. Written here for the same reason as base64: the places.

use super::base64::SHORTEST;
use super::text::{Judge, printable};
use super::wrapped::{Letters, Wrapped};
use super::{Growing, View, gzip, hex_pair};
use crate::model::Encoding;

const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Where the digits begin in the run at `at`: after `0x`, if that is how it starts.
fn digits(hay: &[u8], at: usize) -> usize {
    if hay[at..].starts_with(b"0x") || hay[at..].starts_with(b"0X") { at + 2 } else { at }
}

/// Whether the first digits of the run at `at` decode to text or to gzip data.
#[inline]
pub(super) fn promising(hay: &[u8], at: usize) -> bool {
    // '0' and '1' begin control characters, 'x' follows a '0'; text begins with '2' to '7'.
    if !matches!(hay.get(at), Some(b'0'..=b'7')) {
        return false;
    }
    let start = digits(hay, at);
    let first = |i: usize| hex_pair(hay, start + 2 * i);
    (0..4).all(|i| first(i).is_some_and(printable)) || (0..3).all(|i| first(i) == Some(GZIP[i]))
}

/// Decodes the run at `at`, which has to be digits to its end.
pub(super) fn view(hay: &[u8], at: usize) -> Option<View> {
    let start = digits(hay, at);
    let len = hay[start..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let ends = !hay.get(start + len).is_some_and(|&b| Letters::Base64.has(b));
    if !ends || !len.is_multiple_of(2) {
        return None;
    }
    if hex_pair(hay, start) == Some(GZIP[0]) {
        return unpacked(hay, start);
    }
    let mut walk = Wrapped::new(hay, start, Letters::Hex);
    let mut pairs = std::iter::from_fn(|| pair(&mut walk));
    let mut grown = Growing::default();
    let mut judge = Judge::default();
    let whole = pairs.all(|(byte, from, end)| {
        grown.push(byte, from);
        judge.feed(byte, end)
    });
    let kept = judge.kept(whole);
    grown.truncate(kept.len);
    (kept.len >= SHORTEST).then(|| grown.finish(&[Encoding::Hex], start..kept.end))
}

/// The next decoded byte with the offset of its first digit and the end of its second.
fn pair(walk: &mut Wrapped<'_>) -> Option<(u8, usize, usize)> {
    let ((high, from), (low, last)) = (walk.next()?, walk.next()?);
    Some((hex_pair(&[high, low], 0)?, from, last + 1))
}

fn unpacked(hay: &[u8], start: usize) -> Option<View> {
    let mut walk = Wrapped::new(hay, start, Letters::Hex);
    if !gzip::sound(std::iter::from_fn(|| pair(&mut walk)).map(|(byte, ..)| byte)) {
        return None;
    }
    let mut walk = Wrapped::new(hay, start, Letters::Hex);
    let bytes = gzip::inflate(std::iter::from_fn(|| pair(&mut walk)).map(|(byte, ..)| byte));
    gzip::view(bytes, Encoding::Hex, start..walk.pos)
}

#[cfg(test)]
mod tests {
    use super::super::Trigger::Run;
    use super::super::tests::{places, view};
    use super::*;
    use std::fmt::Write;

    fn encode(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut out, b| {
            write!(out, "{b:02x}").unwrap();
            out
        })
    }

    #[test]
    fn pairs_of_digits_become_bytes() {
        let text = "token=sk-0123456789abcdef";
        let digits = encode(text.as_bytes());
        let folded = format!("{}\n  {}", &digits[..32], &digits[32..]);
        for (hay, at) in [
            (digits.clone(), 0),
            (format!("x = 0x{digits};"), 4),
            (digits.to_uppercase(), 0),
            (folded, 0),
            (format!("{digits}0001ff8899aabb"), 0),
        ] {
            let v = view(Run, hay.as_bytes(), at).unwrap_or_else(|| panic!("{hay}"));
            assert_eq!((v.via.as_slice(), v.bytes.as_slice()), (&[Encoding::Hex][..], text.as_bytes()));
            assert_eq!(places(&v, hay.as_bytes(), "sk").join("").to_lowercase(), "736b");
            assert_eq!(v.map[1], v.map[0] + 2);
        }
    }

    #[test]
    fn digests_and_odd_lengths_are_left_alone() {
        let text = encode(b"some text of a length");
        for hay in [
            "d41d8cd98f00b204e9800998ecf8427e",
            "0x736b2d30313233",
            "4142434445464748494a4b4c4d4e4f50_x",
            "5d41402abc4b2a76b9719d911017c5925d41402a",
            &text[1..],
            &text[..30],
            &format!("{text}7"),
        ] {
            let v = view(Run, hay.as_bytes(), 0);
            assert!(v.is_none_or(|v| v.via != [Encoding::Hex]), "{hay}");
        }
    }
}
