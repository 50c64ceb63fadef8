//! Any bytes as text: each byte that is no part of UTF-8 becomes one replacement character, so that
//! patterns count characters as scanners do that know nothing but text.

use std::borrow::Cow;
use std::ops::Range;

/// What stands for a byte that is no part of UTF-8.
const REPLACEMENT: &str = "\u{fffd}";

/// Bytes as text, with the way back.
pub(super) struct Utf8<'a> {
    text: Cow<'a, str>,
    /// The places in the text, and in the bytes, behind each replaced byte.
    shifts: Vec<(usize, usize)>,
}

impl<'a> Utf8<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Utf8 { text: Cow::Borrowed(text), shifts: Vec::new() };
        }
        let (mut text, mut shifts, mut at) = (String::with_capacity(bytes.len() * 2), Vec::new(), 0);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            at += chunk.valid().len();
            for _ in chunk.invalid() {
                text.push_str(REPLACEMENT);
                at += 1;
                shifts.push((text.len(), at));
            }
        }
        Utf8 { text: Cow::Owned(text), shifts }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where a span of the text stands in the bytes.
    pub(super) fn outer(&self, span: Range<usize>) -> Range<usize> {
        self.back(span.start)..self.back(span.end)
    }

    fn back(&self, at: usize) -> usize {
        match self.shifts.partition_point(|(text, _)| *text <= at).checked_sub(1) {
            Some(n) => self.shifts[n].1 + (at - self.shifts[n].0),
            None => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_byte_is_one_character_and_places_come_back() {
        let bytes = b"a\xffb\xe2\x82c\xc3\xa9d";
        let utf8 = Utf8::new(bytes);
        assert_eq!(utf8.text(), "a\u{fffd}b\u{fffd}\u{fffd}c\u{e9}d");
        for part in ["a", "b", "c", "\u{e9}", "d"] {
            let at = utf8.text().find(part).unwrap();
            assert_eq!(&bytes[utf8.outer(at..at + part.len())], part.as_bytes());
        }
        assert_eq!(&bytes[utf8.outer(1..4)], b"\xff");
        let plain = Utf8::new(b"plain");
        assert_eq!(plain.outer(1..3), 1..3);
    }
}
