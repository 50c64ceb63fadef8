//! Encoded runs that go on over several lines.

use super::base64;

/// Which letters a run is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// Both base64 alphabets.
    Base64,
    /// Hexadecimal digits.
    Hex,
}

impl Letters {
    pub(super) fn has(self, b: u8) -> bool {
        match self {
            Letters::Base64 => base64::is_letter(b),
            Letters::Hex => b.is_ascii_hexdigit(),
        }
    }
}

/// The longest margin that is compared line by line: indentation, a comment sign, a diff's `+`.
const MARGIN: usize = 32;

/// A shorter line after the first is a word, not the rest of something encoded.
const SHORTEST: usize = 4;

/// Walks the letters of a run, stepping over the line breaks inside it.
///
/// A wrapped run has lines of one width and then a shorter one. That rule keeps the walk from
/// swallowing a following line that merely happens to consist of letters.
pub(super) struct Wrapped<'a> {
    hay: &'a [u8],
    letters: Letters,
    /// The next byte to read.
    pub(super) pos: usize,
    /// Where the letters of the current line begin.
    pub(super) line: usize,
    /// Where those of the line before ended.
    pub(super) before: usize,
    width: Option<usize>,
    /// What stands before the first letter on its line, if it is nothing but decoration.
    margin: Option<&'a [u8]>,
}

impl<'a> Wrapped<'a> {
    pub(super) fn new(hay: &'a [u8], start: usize, letters: Letters) -> Self {
        let near = &hay[start.saturating_sub(MARGIN)..start];
        let decoration =
            |b: &u8| matches!(b, b' ' | b'\t' | b'#' | b'*' | b'/' | b'+' | b'-' | b'>' | b';' | b'|');
        let margin = &near[near.iter().rposition(|b| !decoration(b)).map_or(0, |i| i + 1)..];
        let from = start - margin.len();
        let margin = (from == 0 || hay[from - 1] == b'\n').then_some(margin);
        Wrapped { hay, letters, pos: start, line: start, before: start, width: None, margin }
    }

    fn is(&self, at: usize, wanted: impl Fn(u8) -> bool) -> bool {
        self.hay.get(at).is_some_and(|&b| wanted(b))
    }

    fn over(&self, mut at: usize, wanted: impl Fn(u8) -> bool) -> usize {
        while self.is(at, &wanted) {
            at += 1;
        }
        at
    }

    /// Moves to the next line of the run, if it has one.
    fn wrap(&mut self) -> bool {
        if let Some(next) = self.written_break() {
            self.width = None;
            self.margin = None;
            self.step(next);
            return true;
        }
        let Some(next) = self.line_break().and_then(|at| self.margin_end(at)) else { return false };
        let len = self.pos - self.line;
        let end = self.over(next, |b| self.letters.has(b));
        let padding =
            if self.letters == Letters::Base64 { self.over(end, |b| b == b'=').min(end + 2) } else { end };
        let (letters, all) = (end - next, padding - next);
        let width = self.width.or(self.margin.map(|_| len));
        let fits = width.is_none_or(|w| len == w && all <= w) && all >= SHORTEST;
        // A word that goes on with `:` or `(` is a key or a call.
        let ends = matches!(
            self.hay.get(padding),
            None | Some(
                b'\r'
                    | b'\n'
                    | b' '
                    | b'\t'
                    | b'"'
                    | b'\''
                    | b'`'
                    | b'\\'
                    | b','
                    | b';'
                    | b')'
                    | b']'
                    | b'}'
                    | b'<'
            )
        );
        let whole = self.letters == Letters::Base64 || (len.is_multiple_of(2) && letters.is_multiple_of(2));
        if !(fits && ends && whole) {
            return false;
        }
        self.width = width.or(Some(letters));
        self.step(next);
        true
    }

    fn step(&mut self, next: usize) {
        self.before = self.pos;
        self.pos = next;
        self.line = next;
    }

    /// The end of a line break that a string literal spells: `\n`, `\r\n`, with any escaping.
    fn written_break(&self) -> Option<usize> {
        let slashes = |at| (self.over(at, |b| b == b'\\').min(at + 4), self.is(at, |b| b == b'\\'));
        let (mut at, some) = slashes(self.pos);
        if some && self.is(at, |b| b == b'r') {
            at = slashes(at + 1).0;
        }
        (some && self.is(at, |b| b == b'n') && self.is(at + 1, |b| self.letters.has(b))).then_some(at + 1)
    }

    /// The end of a real line break, with a backslash before it or not.
    fn line_break(&self) -> Option<usize> {
        let mut at = self.pos;
        for mark in [b'\\', b'\r'] {
            at += usize::from(self.is(at, |b| b == mark));
        }
        self.is(at, |b| b == b'\n').then_some(at + 1)
    }

    /// Where the letters of the line that begins at `at` start.
    fn margin_end(&self, at: usize) -> Option<usize> {
        let blank = |b| b == b' ' || b == b'\t';
        let mut next = at;
        match self.margin {
            // `+` and `/` are letters as well: only what the first line shows is decoration.
            Some(margin) if !margin.iter().all(|&b| blank(b)) => {
                next += self.hay[at..].starts_with(margin).then_some(margin.len())?;
            }
            _ => {
                next = self.over(next, blank);
                if self.is(next, |b| matches!(b, b'#' | b'*' | b'>')) {
                    next = self.over(next + 1, blank);
                }
            }
        }
        self.is(next, |b| self.letters.has(b)).then_some(next)
    }

    /// The end of the run once the walk is over, with its padding.
    pub(super) fn end(&self) -> usize {
        self.over(self.pos, |b| b == b'=').min(self.pos + 2)
    }
}

impl Iterator for Wrapped<'_> {
    type Item = (u8, usize);

    fn next(&mut self) -> Option<(u8, usize)> {
        if !self.is(self.pos, |b| self.letters.has(b)) && !self.wrap() {
            return None;
        }
        self.pos += 1;
        Some((self.hay[self.pos - 1], self.pos - 1))
    }
}
