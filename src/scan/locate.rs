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
    /// A place in that line where a character begins, and the characters before it: without it, many
    /// spans on one long line would take time in the square of their number.
    counted: (usize, u64),
}

impl<'a> Locator<'a> {
    pub(super) fn new(bytes: &'a [u8], part: Part) -> Self {
        Locator { bytes, part, line_start: 0, line: part.lines + 1, counted: (0, part.column) }
    }

    /// The line and the character column of an offset.
    fn place(&mut self, at: usize) -> (u64, u64) {
        if at < self.line_start {
            *self = Locator::new(self.bytes, self.part);
        } else if at < self.counted.0 {
            self.counted = (self.line_start, self.first_column());
        }
        let (from, _) = self.counted;
        if let Some(last) = memchr::memrchr(b'\n', &self.bytes[from..at]) {
            let start = from + last + 1;
            self.line += memchr::memchr_iter(b'\n', &self.bytes[from..start]).count() as u64;
            self.line_start = start;
            self.counted = (start, 0);
        }
        let (from, column) = self.counted;
        let column = column + characters(&self.bytes[from..at]);
        // Behind a whole character counting goes on as if it had never stopped; inside one it would not.
        if self.bytes.get(at).is_some_and(|b| b & 0xc0 != 0x80) {
            self.counted = (at, column);
        }
        (self.line, column)
    }

    /// The column at the start of the current line.
    fn first_column(&self) -> u64 {
        if self.line_start == 0 { self.part.column } else { 0 }
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

    #[test]
    fn the_order_of_asking_changes_nothing() {
        let text = "ab\u{e9}\n\u{1f600}x".repeat(9);
        let bytes = [text.as_bytes(), b"\xe2\x82\xff\x80k", text.as_bytes()].concat();
        let part = Part { lines: 3, column: 5, ..Part::default() };
        let fresh = |at| Locator::new(&bytes, part).place(at);
        let mut locator = Locator::new(&bytes, part);
        // Forwards, with steps back of several lengths, so that every pair of neighbours is met.
        for back in [0, 1, 2, 5, 17] {
            for at in 0..=bytes.len() {
                assert_eq!(locator.place(at), fresh(at), "at {at}");
                let before = at.saturating_sub(back);
                assert_eq!(locator.place(before), fresh(before), "at {before} after {at}");
            }
        }
    }
}
