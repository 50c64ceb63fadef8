//! UTF-16, as a whole blob or inside another layer.

use super::text::printable;
use super::{Growing, View};
use crate::model::Encoding;

/// Pairs of bytes looked at where no byte-order mark says what they are.
const SAMPLE: usize = 256;

/// Fewer pairs than this prove nothing.
const FEWEST: usize = 8;

/// `hay` as UTF-8, if it is UTF-16: by its byte-order mark, or because every other byte of its
/// beginning is NUL. An unpaired surrogate becomes U+FFFD.
pub fn utf16(hay: &[u8]) -> Option<View> {
    if hay.len() > u32::MAX as usize {
        return None;
    }
    let (start, via) = match hay {
        [0xff, 0xfe, ..] => (2, Encoding::Utf16Le),
        [0xfe, 0xff, ..] => (2, Encoding::Utf16Be),
        _ => (0, guess(hay)?),
    };
    let end = hay.len() - (hay.len() - start) % 2;
    if end == start {
        return None;
    }
    let mut grown = Growing::with_capacity((end - start) / 2);
    let from = if via == Encoding::Utf16Le { u16::from_le_bytes } else { u16::from_be_bytes };
    transcode(&hay[start..end], from, |c, i| grown.push_char(c, start + i));
    Some(grown.finish(&[via], start..end))
}

/// The characters of `bytes` with the offset of each one's first byte.
pub(super) fn transcode(bytes: &[u8], unit: fn([u8; 2]) -> u16, mut each: impl FnMut(char, usize)) {
    let units = bytes.as_chunks::<2>().0.iter().map(|&pair| unit(pair));
    let mut i = 0;
    for c in char::decode_utf16(units) {
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        each(c, i);
        i += 2 * c.len_utf16();
    }
}

/// The byte order of text without a mark. Tables of small numbers look alike, so nearly all the
/// other bytes have to be printable.
fn guess(hay: &[u8]) -> Option<Encoding> {
    let pairs = hay.as_chunks::<2>().0;
    let pairs = &pairs[..pairs.len().min(SAMPLE)];
    if pairs.len() < FEWEST {
        return None;
    }
    let looks = |high: usize| {
        let fit = pairs.iter().filter(|p| p[high] == 0 && printable(p[1 - high])).count();
        fit * 10 >= pairs.len() * 9
    };
    if looks(1) {
        Some(Encoding::Utf16Le)
    } else if looks(0) {
        Some(Encoding::Utf16Be)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, random};
    use super::*;

    fn encode(text: &str, be: bool, bom: bool) -> Vec<u8> {
        let units = bom.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|u| if be { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    }

    #[test]
    fn either_order_with_and_without_a_mark() {
        for text in ["key = sk-0123456789abcdef", "naïve plain words, €"] {
            for (be, bom) in [(false, false), (false, true), (true, false), (true, true)] {
                let hay = encode(text, be, bom);
                let v = utf16(&hay).unwrap();
                check(&v, &hay);
                assert_eq!(v.bytes, text.as_bytes());
                assert_eq!(v.via, [if be { Encoding::Utf16Be } else { Encoding::Utf16Le }]);
                assert_eq!(v.map[2], if bom { 6 } else { 4 });
            }
        }
    }

    #[test]
    fn surrogates_pair_up_or_are_replaced() {
        let mut hay = encode("a😀b", false, true);
        hay.extend([0x3d, 0xd8, b'c', 0, b'!']);
        let v = utf16(&hay).unwrap();
        assert_eq!(v.bytes, "a😀b\u{fffd}c".as_bytes());
        assert_eq!(v.map, [2, 4, 4, 4, 4, 8, 10, 10, 10, 12, 14]);
        assert_eq!(v.outer, 2..14);
    }

    #[test]
    fn other_bytes_are_not_text() {
        assert!(utf16(b"plain ASCII text of some length").is_none());
        assert!(utf16(&[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0]).is_none());
        assert!(utf16(&[0; 64]).is_none() && utf16(b"").is_none() && utf16(b"\xff\xfe").is_none());
    }

    #[test]
    fn anything_after_a_mark_gives_a_sound_view() {
        let mut next = random(7);
        for len in 1..200 {
            let mut hay = vec![0xfe, 0xff];
            hay.extend((0..len).map(|_| next() as u8));
            if let Some(v) = utf16(&hay) {
                check(&v, &hay);
            }
        }
    }
}
