//! `%41` in URLs and form bodies.

use super::{Growing, View, hex_pair, stretch};
use crate::model::Encoding;
use std::ops::Range;

/// Whether the `%` at `at` spells a printable character.
#[inline]
pub(super) fn wanted(hay: &[u8], at: usize) -> bool {
    matches!(hex_pair(hay, at + 1), Some(b' '..=b'~'))
}

/// What may stand in a URL or in a word around one.
fn in_url(b: u8) -> bool {
    b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'`' | b'<' | b'>')
}

/// The URL around `at`, decoded. A `+` stays one: it is a space only in query strings, and a
/// letter of base64 everywhere.
pub(super) fn build(hay: &[u8], at: usize) -> Option<View> {
    let Range { start, end } = stretch(hay, at, in_url)?;
    let mut grown = Growing::with_capacity(end - start);
    let mut i = start;
    while i < end {
        match hex_pair(&hay[..end], i + 1) {
            Some(value) if hay[i] == b'%' => {
                grown.push(value, i);
                i += 3;
            }
            _ => {
                grown.push(hay[i], i);
                i += 1;
            }
        }
    }
    Some(grown.finish(&[Encoding::Percent], start..end))
}

#[cfg(test)]
mod tests {
    use super::super::Trigger::Percent;
    use super::super::tests::{places, view};

    #[test]
    fn the_url_around_a_sign_is_decoded() {
        let hay = b"see <https://a.example/?k=sk%2Dab%C3%A9+c%4> now";
        let at = 28;
        assert_eq!(hay[at], b'%');
        let v = view(Percent, hay, at).unwrap();
        assert_eq!(v.bytes, "https://a.example/?k=sk-abé+c%4".as_bytes());
        assert_eq!(v.outer, 5..43);
        assert_eq!(places(&v, hay, "-"), ["%2D"]);
        assert_eq!(places(&v, hay, "é"), ["%C3%A9"]);
        assert_eq!(places(&v, hay, "sk-ab"), ["sk%2Dab"]);
    }

    #[test]
    fn formats_and_short_words_are_left_alone() {
        for hay in ["printf(\"%d %s %5.2f 100%\");", "%41", "x%41y%42z", "%0a_long_enough_to_be_seen", "%"] {
            for at in hay.bytes().enumerate().filter(|&(_, b)| b == b'%').map(|(i, _)| i) {
                assert!(view(Percent, hay.as_bytes(), at).is_none(), "{hay} at {at}");
            }
        }
    }

    #[test]
    fn a_long_run_is_bounded_on_both_sides() {
        let hay = "a%41".repeat(5000);
        let v = view(Percent, hay.as_bytes(), 4001).unwrap();
        assert_eq!(v.outer, 4001 - 512..4001 + 4096);
    }
}
