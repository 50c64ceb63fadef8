//! `&#65;`, `&#x41;` and the five names that XML knows.

use super::{Growing, SHORTEST, View, stretch};
use crate::model::Encoding;
use std::ops::Range;

const NAMES: [(&[u8], char); 5] =
    [(b"amp;", '&'), (b"lt;", '<'), (b"gt;", '>'), (b"quot;", '"'), (b"apos;", '\'')];

/// Whether the `&` at `at` begins an entity.
#[inline]
pub(super) fn wanted(hay: &[u8], at: usize) -> bool {
    // An address-of operator is followed by a letter too; only these five begin an entity.
    matches!(hay.get(at + 1), Some(b'#' | b'a' | b'l' | b'g' | b'q')) && unit(hay, at).is_some()
}

/// The entity at `at`: its character and length.
fn unit(hay: &[u8], at: usize) -> Option<(char, usize)> {
    let rest = hay.get(at + 1..)?;
    if *rest.first()? != b'#' {
        let (name, c) = NAMES.iter().find(|(name, _)| rest.starts_with(name))?;
        return Some((*c, 1 + name.len()));
    }
    let (radix, digits) = match rest.get(1)? {
        b'x' | b'X' => (16, 2),
        _ => (10, 1),
    };
    let mut value = 0;
    // Seven digits hold every character in either radix; more would be padding.
    for (i, &b) in rest.iter().enumerate().skip(digits).take(8) {
        match (b as char).to_digit(radix) {
            Some(digit) => value = value * radix + digit,
            None if b == b';' && i > digits => return Some((char::from_u32(value)?, i + 2)),
            None => return None,
        }
    }
    None
}

fn in_stretch(b: u8) -> bool {
    !matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | b'<' | b'>')
}

/// The stretch around `at`, decoded.
pub(super) fn build(hay: &[u8], at: usize) -> Option<View> {
    let Range { start, end } = stretch(hay, at, in_stretch)?;
    let mut grown = Growing::with_capacity(end - start);
    let mut i = start;
    while i < end {
        match unit(&hay[..end], i) {
            Some((c, len)) if hay[i] == b'&' => {
                grown.push_char(c, i);
                i += len;
            }
            _ => {
                grown.push(hay[i], i);
                i += 1;
            }
        }
    }
    if grown.bytes.len() < SHORTEST {
        return None;
    }
    Some(grown.finish(&[Encoding::Entity], start..end))
}

#[cfg(test)]
mod tests {
    use super::super::Trigger::Entity;
    use super::super::tests::{places, view};

    #[test]
    fn entities_become_their_characters() {
        let hay = "<v>a=1&amp;key=&quot;s&#107;-&#x41;b&#233;&lt;&gt;&apos;&nope;</v>".as_bytes();
        let v = view(Entity, hay, 6).unwrap();
        assert_eq!(v.bytes, "a=1&key=\"sk-Abé<>'&nope;".as_bytes());
        assert_eq!(v.outer, 3..hay.len() - 4);
        assert_eq!(places(&v, hay, "sk-A"), ["s&#107;-&#x41;"]);
        assert_eq!(places(&v, hay, "é"), ["&#233;"]);
        assert_eq!(places(&v, hay, "nope;"), ["nope;"]);
    }

    #[test]
    fn operators_are_left_alone() {
        let hay = b"if (a && &list->lock & mask &amp &#; &#x; &#99999999; &#xd800;_____________ &gt) &lt;";
        for at in 0..hay.len() {
            assert!(view(Entity, hay, at).is_none(), "at {at}");
        }
    }
}
