//! Lines and columns of spans.

use crate::model::{Location, Part};
use std::ops::Range;

/// Locates spans of one buffer. Cheapest if asked in ascending order.
pub(super) struct Locator<'a> {
    bytes: &'a [u8],
    part: Part,
    /// The last line start that was found, and its line.
    line_start: usize,
    line: u64,
}

impl<'a> Locator<'a> {
    pub(super) fn new(bytes: &'a [u8], part: Part) -> Self {
        Locator { bytes, part, line_start: 0, line: part.lines + 1 }
    }

    /// The line and the character column of an offset.
    fn place(&mut self, at: usize) -> (u64, u64) {
        if at < self.line_start {
            *self = Locator::new(self.bytes, self.part);
        }
        if let Some(last) = memchr::memrchr(b'\n', &self.bytes[self.line_start..at]) {
            let start = self.line_start + last + 1;
            self.line += memchr::memchr_iter(b'\n', &self.bytes[self.line_start..start]).count() as u64;
            self.line_start = start;
        }
        let before = if self.line == self.part.lines + 1 { self.part.column } else { 0 };
        (self.line, before + characters(&self.bytes[self.line_start..at]))
    }

    /// The location of a span of the buffer.
    pub(super) fn locate(&mut self, span: &Range<usize>) -> Location {
        let (line, start) = self.place(span.start);
        let (end_line, end) = self.place(span.end);
        let byte = |at: usize| self.part.base + at as u64;
        Location { byte_start: byte(span.start), byte_end: byte(span.end), line, end_line, start, end }
    }
}

/// Characters of a text, each maximal invalid UTF-8 sequence counting as one.
fn characters(bytes: &[u8]) -> u64 {
    if bytes.is_ascii() {
        return bytes.len() as u64;
    }
    bytes.utf8_chunks().map(|c| c.valid().chars().count() as u64 + u64::from(!c.invalid().is_empty())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_lf_and_columns_count_characters() {
        let text = "a\r\nbä\u{1f600}key\nx".as_bytes();
        let at = text.windows(3).position(|w| w == b"key").expect("because it is there");
        let l = Locator::new(text, Part::default()).locate(&(at..at + 3));
        assert_eq!((l.line, l.end_line, l.start, l.end), (2, 2, 3, 6));
    }

    #[test]
    fn an_invalid_sequence_is_one_character() {
        let l = Locator::new(b"\xff\xfe\xe2\x82key", Part::default()).locate(&(4..7));
        assert_eq!((l.start, l.end), (3, 6));
    }

    #[test]
    fn parts_go_on_where_the_last_one_ended() {
        let part = Part { base: 100, lines: 4, column: 7, ..Part::default() };
        let mut locator = Locator::new(b"abkey\nkey", part);
        let l = locator.locate(&(2..5));
        assert_eq!((l.line, l.start, l.byte_start), (5, 9, 102));
        let l = locator.locate(&(6..9));
        assert_eq!((l.line, l.start), (6, 0));
        assert_eq!(locator.locate(&(2..5)).start, 9);
    }
}
