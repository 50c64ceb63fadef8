//! Layers of encoding, undone, with every decoded byte mapped back to where it stood.

mod base64;
mod entity;
mod escape;
mod gzip;
mod hex;
mod join;
mod percent;
mod run;
mod text;
mod utf16;
mod wrapped;

#[cfg(test)]
mod tests;

pub use utf16::utf16;

use crate::model::Encoding;
use std::ops::Range;

/// A decoded layer over a span of the bytes it was found in.
#[derive(Clone, Debug)]
pub struct View {
    /// Layers undone, outermost first: one, or two for gzip inside base64.
    pub via: Vec<Encoding>,
    /// The decoded bytes.
    pub bytes: Vec<u8>,
    /// The encoded span.
    pub outer: Range<usize>,
    /// For each decoded byte, the offset (in the bytes the view was found in) of the first
    /// encoded byte it comes from, and one more entry for the end. Never decreases.
    pub map: Vec<u32>,
}

impl View {
    /// The encoded span of a decoded one.
    pub fn outer_of(&self, inner: Range<usize>) -> Range<usize> {
        let end = if inner.end > inner.start {
            self.map[inner.end] as usize
        } else {
            self.map[inner.start] as usize
        };
        self.map[inner.start] as usize..end
    }
}

/// What made the sweep stop: each kind has its own decoder and its own byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// The first byte of a maximal run of at least 24 of `[A-Za-z0-9+/_-]`.
    Run,
    /// A `%`.
    Percent,
    /// A backslash.
    Escape,
    /// A `&`.
    Entity,
    /// A quote: `"`, `'` or a backtick.
    Join,
}

impl Trigger {
    /// How many kinds there are.
    pub const COUNT: usize = 5;
}

/// Signs that are a trigger, each line with the bytes of which one stands right behind a sign that
/// [`expand`] takes. Any other sign it leaves alone, so that the sweep need not stop there.
pub(crate) const SIGNS: [(&[u8], &[u8]); 8] = [
    (b"\"'", b" +.&\"'"),
    (b"\"'", b"\t\r\n"),
    (b"\"'", b"<|\\"),
    (b"`", b" \t\r\n+.&<|\\`"),
    (b"%", b"234567"),
    (b"&", b"#"),
    (b"&", b"algq"),
    (b"\\", b"xu0123/ntr\"\n\r"),
];

/// Appends the views (0, 1 or 2) that begin at a trigger.
///
/// Every view ends after `at`, so a caller that skips the triggers inside the views it was given
/// does work linear in `hay`.
#[inline]
pub fn expand(trigger: Trigger, hay: &[u8], at: usize, out: &mut Vec<View>) {
    // The map holds 32-bit offsets; what lies beyond them is not decoded.
    let hay = &hay[..hay.len().min(u32::MAX as usize)];
    let wanted = match trigger {
        Trigger::Run => run::wanted(hay, at),
        Trigger::Percent => percent::wanted(hay, at),
        Trigger::Escape => escape::wanted(hay, at),
        Trigger::Entity => entity::wanted(hay, at),
        Trigger::Join => join::wanted(hay, at),
    };
    if wanted {
        out.extend(build(trigger, hay, at));
    }
}

/// The slow half of [`expand`], kept out of line so that the usual "no" stays short.
#[cold]
#[inline(never)]
fn build(trigger: Trigger, hay: &[u8], at: usize) -> Option<View> {
    match trigger {
        Trigger::Run => run::build(hay, at),
        Trigger::Percent => percent::build(hay, at),
        Trigger::Escape => escape::build(hay, at),
        Trigger::Entity => entity::build(hay, at),
        Trigger::Join => join::build(hay, at),
    }
}

/// Decoded bytes and their places, while a view grows.
#[derive(Default)]
struct Growing {
    bytes: Vec<u8>,
    map: Vec<u32>,
}

impl Growing {
    fn with_capacity(len: usize) -> Self {
        Growing { bytes: Vec::with_capacity(len), map: Vec::with_capacity(len + 1) }
    }

    /// Adds a byte whose unit starts at `from`.
    fn push(&mut self, byte: u8, from: usize) {
        self.bytes.push(byte);
        self.map.push(from as u32);
    }

    /// Adds a character, as UTF-8, whose unit starts at `from`.
    fn push_char(&mut self, c: char, from: usize) {
        for &byte in c.encode_utf8(&mut [0; 4]).as_bytes() {
            self.push(byte, from);
        }
    }

    /// Forgets all but the first `len` bytes.
    fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.map.truncate(len);
    }

    fn finish(mut self, via: &[Encoding], outer: Range<usize>) -> View {
        self.map.push(outer.end as u32);
        View { via: via.to_vec(), bytes: self.bytes, outer, map: self.map }
    }
}

/// How far a stretch is followed to both sides of what began it, and how long it has to be.
const BACK: usize = 512;
const FORWARD: usize = 4096;
const SHORTEST: usize = 16;

/// The stretch around `at` of bytes that may stand `within` it; `None` if it is too short to matter.
fn stretch(hay: &[u8], at: usize, within: impl Fn(u8) -> bool) -> Option<Range<usize>> {
    let back = hay[at.saturating_sub(BACK)..at].iter().rev().take_while(|&&b| within(b)).count();
    let ahead = hay[at..].iter().take(FORWARD).take_while(|&&b| within(b)).count();
    (back + ahead >= SHORTEST).then(|| at - back..at + ahead)
}

/// The value of a hexadecimal digit.
fn hex_digit(b: u8) -> Option<u8> {
    (b as char).to_digit(16).map(|d| d as u8)
}

/// The value that two hexadecimal digits at `at` spell.
fn hex_pair(hay: &[u8], at: usize) -> Option<u8> {
    let &[high, low] = hay.get(at..)?.first_chunk()?;
    Some(hex_digit(high)? << 4 | hex_digit(low)?)
}
