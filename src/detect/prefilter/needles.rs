//! Words that are searched for near a run: more of them than windows can tell apart, over stretches that are short.
//! An automaton of so many is too large for the caches of a processor, and slower than a hash of each place.

use super::literals::{Bits, FOLD, Keyed, folded, has, head, no_heads, put};
use std::ops::Range;

/// Lower-case words of two bytes or more, each told by its index.
#[derive(Clone, Debug)]
pub(crate) struct Needles {
    /// The first four bytes of the longer ones, and whatever may stand at a place where one of three begins.
    heads: Box<Bits>,
    /// By four bytes.
    long: Keyed<(Vec<u8>, u32)>,
    /// Of three.
    three: Keyed<(Vec<u8>, u32)>,
    /// Of two: few rules have such words.
    two: Vec<(Vec<u8>, u32)>,
    longest: usize,
}

impl Needles {
    /// Lays out `texts`.
    pub(crate) fn new(texts: &[&[u8]]) -> Self {
        let (mut long, mut three, mut two) = (Vec::new(), Vec::new(), Vec::new());
        let mut heads = no_heads();
        for (&text, i) in texts.iter().zip(0..) {
            let entry = (text.to_vec(), i);
            match *text {
                [a, b, c, d, ..] => {
                    let four = u32::from_le_bytes([a, b, c, d]) | FOLD;
                    put(&mut heads, head(four));
                    long.push((four, entry));
                }
                [a, b, c] => {
                    for d in 0..=u8::MAX {
                        put(&mut heads, head(u32::from_le_bytes([a, b, c, d]) | FOLD));
                    }
                    three.push((folded(text), entry));
                }
                _ => two.push(entry),
            }
        }
        Needles {
            heads,
            long: Keyed::new(long),
            three: Keyed::new(three),
            two,
            longest: texts.iter().map(|t| t.len()).max().unwrap_or(0),
        }
    }

    /// Bytes of the longest.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Tells of each that stands in `range`, with its index; those of two bytes after the others.
    pub(crate) fn find(&self, hay: &[u8], range: Range<usize>, mut found: impl FnMut(Range<usize>, usize)) {
        let hay = &hay[..range.end];
        let mut stands = |at: usize, (text, i): &(Vec<u8>, u32)| {
            if hay[at..].get(..text.len()).is_some_and(|h| h.eq_ignore_ascii_case(text)) {
                found(at..at + text.len(), *i as usize);
            }
        };
        for (four, at) in hay[range.start..].windows(4).zip(range.start..) {
            let four = u32::from_le_bytes([four[0], four[1], four[2], four[3]]) | FOLD;
            if has(&self.heads, head(four)) {
                self.long.get(four).for_each(|entry| stands(at, entry));
                self.three.get(folded(&hay[at..])).for_each(|entry| stands(at, entry));
            }
        }
        if let Some(at) = hay.len().checked_sub(3).filter(|at| range.contains(at)) {
            self.three.get(folded(&hay[at..])).for_each(|entry| stands(at, entry));
        }
        for entry in &self.two {
            range.clone().for_each(|at| stands(at, entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_told_where_it_stands_and_nowhere_else() {
        let texts: &[&[u8]] = &[b"ab", b"abc", b"abcd", b"bcd_", b"api_key", b"::"];
        let needles = Needles::new(texts);
        let mut seed = 5u64;
        let mut told = 0;
        for _ in 0..2000 {
            let hay: Vec<u8> = (0..40)
                .map(|_| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    b"aAbBcCdD_:\x1f\x7f"[(seed >> 33) as usize % 12]
                })
                .chain(*b"API_keyab")
                .collect();
            let range = (seed >> 20) as usize % 40..hay.len() - (seed >> 40) as usize % 3;
            let mut wanted = Vec::new();
            for at in range.clone() {
                for (i, text) in texts.iter().enumerate() {
                    if hay[at..range.end].get(..text.len()).is_some_and(|h| h.eq_ignore_ascii_case(text)) {
                        wanted.push((at, at + text.len(), i));
                    }
                }
            }
            let mut found = Vec::new();
            needles.find(&hay, range, |r, i| found.push((r.start, r.end, i)));
            assert!(found.iter().filter(|f| f.1 - f.0 > 2).is_sorted_by_key(|f| f.0));
            found.sort_unstable();
            told += found.len();
            assert_eq!(found, wanted, "{:?}", String::from_utf8_lossy(&hay));
        }
        assert!(told > 2000, "{told}");
        assert_eq!(needles.longest(), 7);
    }
}
