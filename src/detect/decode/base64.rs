//! Base64 in either alphabet. Written here rather than taken from a crate because each decoded
//! byte has to know where it came from, over line breaks and comment signs.

use super::text::{Judge, printable};
use super::wrapped::{Letters, Wrapped};
use super::{Growing, View, gzip};
use crate::model::Encoding;

/// Fewer decoded bytes than this hold no secret.
pub(super) const SHORTEST: usize = 16;

/// The value of each letter; 0xff for what is none.
const VALUES: [u8; 256] = {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [0xff; 256];
    let mut i = 0;
    while i < 64 {
        table[letters[i] as usize] = i as u8;
        i += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

/// Of each letter: at which places of a quad it may stand so that text can come out. Three bits
/// settle most names, which are what a long run usually is, in a few lookups.
const PLACES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let v = VALUES[i];
        if v != 0xff {
            // Six bits of the first byte: space to `~`, or tab, LF and CR.
            table[i] |= (matches!(v, 2 | 3 | 8..=31) as u8) * FIRST;
            // NUL: UTF-16 has one where the second quad begins.
            table[i] |= (matches!(v, 0 | 2 | 3 | 8..=31) as u8) * FOURTH;
            // The upper half of the second byte, which is NUL in UTF-16.
            table[i] |= (matches!(v & 15, 0 | 2..=7) as u8) * SECOND;
            // The top two bits of the third.
            table[i] |= ((v & 2 == 0) as u8) * THIRD;
            table[i] |= LETTER | (((v >= 62) as u8) * SIGN);
        }
        i += 1;
    }
    table
};

const FIRST: u8 = 1;
const SECOND: u8 = 2;
const THIRD: u8 = 4;
const FOURTH: u8 = 8;
const LETTER: u8 = 16;
const SIGN: u8 = 32;

/// Whether `b` is a letter of either alphabet.
#[inline]
pub(super) fn is_letter(b: u8) -> bool {
    PLACES[b as usize] & LETTER != 0
}

/// Whether `b` is a letter that is neither a letter nor a digit elsewhere: one that joins words.
#[inline]
pub(super) fn is_sign(b: u8) -> bool {
    PLACES[b as usize] & SIGN != 0
}

/// What the first letters promise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Promise {
    Text,
    /// UTF-16LE, as in PowerShell's `-EncodedCommand`.
    Wide,
    Gzip,
}

/// What the first two quads at `start` decode to, if it is anything worth decoding. Images,
/// archives, keys in DER and fonts all betray themselves here or within the next few bytes.
#[inline]
pub(super) fn promise(hay: &[u8], start: usize) -> Option<Promise> {
    let quads: &[u8; 8] = hay.get(start..)?.first_chunk()?;
    let may = |i: usize, bit: u8| PLACES[quads[i] as usize] & bit != 0;
    // Without short circuits: the outcome of each test is a coin toss, that of all is not.
    let text =
        may(0, FIRST) & may(1, SECOND) & may(2, THIRD) & may(4, FOURTH) & may(5, SECOND) & may(6, THIRD);
    if text | (quads[..4] == *b"H4sI") { promise_of(quads) } else { None }
}

#[cold]
fn promise_of(quads: &[u8; 8]) -> Option<Promise> {
    let values = quads.map(|b| VALUES[b as usize]);
    if values.contains(&0xff) {
        return None;
    }
    if quads.starts_with(b"H4sI") {
        return Some(Promise::Gzip);
    }
    let bits = values.iter().fold(0u64, |bits, &v| bits << 6 | u64::from(v));
    let [_, _, bytes @ ..] = bits.to_be_bytes();
    let wide = |i: usize, b: u8| if i.is_multiple_of(2) { printable(b) } else { b == 0 };
    if bytes.iter().all(|&b| printable(b)) {
        Some(Promise::Text)
    } else if bytes.iter().enumerate().all(|(i, &b)| wide(i, b)) {
        Some(Promise::Wide)
    } else {
        None
    }
}

/// The decoded bytes of a walk, each with the offset of its first letter and the end of its last.
struct Decoded<'a> {
    walk: Wrapped<'a>,
    held: u32,
    /// Letters read of the current quad.
    read: u8,
    last: usize,
}

impl<'a> Decoded<'a> {
    fn new(hay: &'a [u8], start: usize) -> Self {
        Decoded { walk: Wrapped::new(hay, start, Letters::Base64), held: 0, read: 0, last: start }
    }
}

impl Iterator for Decoded<'_> {
    type Item = (u8, usize, usize);

    fn next(&mut self) -> Option<(u8, usize, usize)> {
        loop {
            let (letter, at) = self.walk.next()?;
            self.held = self.held << 6 | u32::from(VALUES[letter as usize]);
            let from = std::mem::replace(&mut self.last, at);
            let first = self.read == 0;
            self.read = (self.read + 1) % 4;
            if !first {
                // After the second letter 4 bits are left over, after the third 2, then none.
                let spare = 2 * (4 - u32::from(self.read)) % 8;
                return Some(((self.held >> spare) as u8, from, at + 1));
            }
        }
    }
}

/// Decodes the run at `start`, which promised text.
pub(super) fn text(hay: &[u8], start: usize) -> Option<View> {
    let mut decoded = Decoded::new(hay, start);
    let mut grown = Growing::default();
    let mut judge = Judge::default();
    let whole = decoded.by_ref().all(|(byte, from, end)| {
        grown.push(byte, from);
        judge.feed(byte, end)
    });
    let kept = judge.kept(whole);
    let (mut len, mut end) = (kept.len, kept.end);
    if whole && len == grown.bytes.len() {
        end = decoded.walk.end();
    }
    // A line that stops making sense at once is no continuation; it gets its own trial.
    let line = decoded.walk.line;
    if !whole && line > start && (line..line + SHORTEST).contains(&end) {
        len = grown.map.partition_point(|&from| (from as usize) < line).min(len);
        end = decoded.walk.before;
    }
    grown.truncate(len);
    (len >= SHORTEST).then(|| grown.finish(&[Encoding::Base64], start..end))
}

/// Decodes the run at `start`, which promised UTF-16LE.
pub(super) fn wide(hay: &[u8], start: usize) -> Option<View> {
    let mut grown = Growing::default();
    let mut end = start;
    let mut pair = [(0, 0); 2];
    for (i, (byte, from, after)) in Decoded::new(hay, start).enumerate() {
        pair[i % 2] = (byte, from);
        if i % 2 == 1 {
            // Commands are ASCII with the odd accent; a second block of letters is noise.
            match char::from_u32(u32::from(u16::from_le_bytes([pair[0].0, pair[1].0]))) {
                Some(c) if c < '\u{250}' && (c > '~' || printable(c as u8)) => grown.push_char(c, pair[0].1),
                _ => break,
            }
            end = after;
        }
    }
    (grown.bytes.len() >= SHORTEST).then(|| grown.finish(&[Encoding::Base64, Encoding::Utf16Le], start..end))
}

/// Decodes and inflates the run at `start`, which promised gzip.
pub(super) fn gzip(hay: &[u8], start: usize) -> Option<View> {
    let probe = Decoded::new(hay, start).map(|(byte, ..)| byte);
    if !gzip::sound(probe) {
        return None;
    }
    let mut decoded = Decoded::new(hay, start);
    let bytes = gzip::inflate(decoded.by_ref().map(|(byte, ..)| byte));
    gzip::view(bytes, Encoding::Base64, start..decoded.walk.end())
}

#[cfg(test)]
mod tests;
