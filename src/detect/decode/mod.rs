//! Layers of encoding, undone, with every decoded byte mapped back to where it stood.

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
/// What a sweep notices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// .
    Run,
    /// .
    Percent,
    /// .
    Escape,
    /// .
    Entity,
    /// .
    Join,
}
impl Trigger {
    /// .
    pub const COUNT: usize = 5;
}
/// .
pub fn expand(_t: Trigger, _h: &[u8], _at: usize, _out: &mut Vec<View>) {}
/// .
pub fn utf16(_h: &[u8]) -> Option<View> {
    None
}
