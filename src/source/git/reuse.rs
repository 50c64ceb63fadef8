//! Remembers which stretches of text were looked at, so that each is looked at once however many
//! versions, copies and branches hold it.
//!
//! A text is cut into *chunks* at places that its own bytes choose, so that two versions are cut
//! alike on both sides of an edit. What a look finds in a chunk depends on it and on what stands
//! within reach, which its two neighbours show: a chunk is known if it was seen between the same
//! two. That covers what an edit inserts, what a deletion brings together, and text that moved.

use crate::model::{Look, Sink, Window};
use crate::source::{archive, is_lfs_pointer};
use ahash::{AHashMap, RandomState};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One line in so many ends a chunk that is long enough.
const LINES: u64 = 8;
/// Letters in a line of wrapped base64, at least.
const WRAPPED: usize = 24;
/// Chunks that are remembered before the older half is forgotten: some 40 MB.
const MOST: usize = 1 << 20;

/// What a look found in a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Something that may be worth reporting.
    pub(super) hot: bool,
    /// Something that depends on more than the neighbours show.
    pub(super) far: bool,
}

/// The chunks that were seen.
pub(super) struct Seen {
    hasher: RandomState,
    reach: usize,
    known: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: AHashMap<u64, Marks>,
    old: AHashMap<u64, Marks>,
}

/// A text cut into chunks, and what is known of each.
pub(super) struct Cut {
    chunks: Vec<Range<usize>>,
    keys: Vec<u64>,
    marks: Vec<Option<Marks>>,
}

impl Seen {
    /// Nothing seen. `reach` is how far from a place anything can depend on it, in bytes.
    pub(super) fn new(reach: usize) -> Self {
        Seen { hasher: RandomState::new(), reach, known: Mutex::default() }
    }

    /// Cuts a text, and tells what was seen before.
    pub(super) fn cut(&self, text: &[u8]) -> Cut {
        let chunks = chunks(text, self.reach);
        let own: Vec<u64> = chunks.iter().map(|c| self.hasher.hash_one(&text[c.clone()])).collect();
        let beside = |i: Option<usize>| i.and_then(|i| own.get(i)).copied();
        let key = |i: usize| self.hasher.hash_one((beside(i.checked_sub(1)), own[i], beside(Some(i + 1))));
        let keys: Vec<u64> = (0..own.len()).map(key).collect();
        let mut known = self.lock();
        let marks = keys.iter().map(|k| known.get(*k)).collect();
        Cut { chunks, keys, marks }
    }

    /// Remembers what a look found in the chunks that were new.
    pub(super) fn learn(&self, cut: &mut Cut, look: &Look) {
        let within = |list: &[Range<usize>], c: &Range<usize>| {
            list.iter().any(|r| r.start < c.end && c.start < r.end.max(r.start + 1))
        };
        let mut known = self.lock();
        for ((chunk, key), marks) in cut.chunks.iter().zip(&cut.keys).zip(&mut cut.marks) {
            if marks.is_none() {
                let found = Marks { hot: within(&look.hot, chunk), far: within(&look.far, chunk) };
                *marks = Some(found);
                known.put(*key, found);
            }
        }
    }

    /// Whether a text may hold something worth reporting. Only what was not seen before is looked at.
    pub(super) fn is_hot(&self, text: &[u8], sink: &dyn Sink) -> bool {
        // A pointer is counted as what it stands for.
        if is_packed(text) || is_lfs_pointer(text) {
            return true;
        }
        let mut cut = self.cut(text);
        let windows = cut.windows();
        if !windows.is_empty() {
            let look = sink.look(text, &windows);
            self.learn(&mut cut, &look);
        }
        let marks = cut.marks();
        let all = Window { span: 0..text.len(), own: 0..text.len() };
        marks.hot || marks.far && !sink.look(text, &[all]).hot.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn get(&mut self, key: u64) -> Option<Marks> {
        if let Some(marks) = self.young.get(&key) {
            return Some(*marks);
        }
        let marks = *self.old.get(&key)?;
        self.put(key, marks);
        Some(marks)
    }

    fn put(&mut self, key: u64, marks: Marks) {
        if self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, marks);
    }
}

impl Cut {
    /// What has to be looked at: the new chunks, each with its neighbours around it.
    pub(super) fn windows(&self) -> Vec<Window> {
        let mut list: Vec<Window> = Vec::new();
        for (i, own) in self.chunks.iter().enumerate().filter(|(i, _)| self.marks[*i].is_none()) {
            let from = self.chunks[i.saturating_sub(1)].start;
            let to = self.chunks[(i + 1).min(self.chunks.len() - 1)].end;
            match list.last_mut() {
                Some(last) if from < last.span.end => {
                    last.span.end = to;
                    last.own.end = own.end;
                }
                _ => list.push(Window { span: from..to, own: own.clone() }),
            }
        }
        list
    }

    /// What is known of all chunks together.
    pub(super) fn marks(&self) -> Marks {
        self.marks
            .iter()
            .flatten()
            .fold(Marks::default(), |a, b| Marks { hot: a.hot | b.hot, far: a.far | b.far })
    }
}

/// Whether it is, or under some name may be, an archive.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    [&b""[..], b"a.z", b"a.lzma"].iter().any(|name| archive::kind(bytes, name).is_some())
        || archive::ends_zip(&bytes[bytes.len().saturating_sub(22)..])
}

/// Cuts at the ends of lines that their last bytes choose, at least `least` bytes apart. A chunk is
/// as long as it has to be: no line is cut, nor what goes on from one to the next.
fn chunks(text: &[u8], least: usize) -> Vec<Range<usize>> {
    let mut list = Vec::new();
    let mut start = 0;
    let mut from = least;
    while let Some(found) = text.get(from..).and_then(|rest| memchr::memchr(b'\n', rest)) {
        let end = from + found + 1;
        if ends_chunk(text, end) && !goes_on(text, end) {
            list.push(start..end);
            start = end;
            from = end + least;
        } else {
            from = end;
        }
    }
    if start < text.len() {
        list.push(start..text.len());
    }
    list
}

/// Whether the last bytes of the line that ends at `end` choose it.
fn ends_chunk(text: &[u8], end: usize) -> bool {
    let Some(last) = text[..end - 1].last_chunk::<8>() else { return false };
    // Multiplicative hashing: the upper bits depend on every byte.
    let mixed = u64::from_le_bytes(*last).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> (64 - LINES.ilog2()) == 0
}

fn is_letter(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// Whether what stands before the start of a line goes on in it: wrapped letters, or literals
/// that the language joins.
fn goes_on(text: &[u8], line: usize) -> bool {
    let before = &text[line.saturating_sub(256)..line].trim_ascii_end();
    let after = text[line..text.len().min(line + 256)].trim_ascii_start();
    let tail = before.iter().rev().skip_while(|b| !is_letter(**b)).take(WRAPPED);
    let head = after.iter().skip_while(|b| !is_letter(**b)).take(WRAPPED);
    if tail.take_while(|b| is_letter(**b)).count() == WRAPPED
        || head.take_while(|b| is_letter(**b)).count() == WRAPPED
    {
        return true;
    }
    let glue = |b: Option<&u8>| {
        b.is_some_and(|b| matches!(b, b'"' | b'\'' | b'`' | b'+' | b'.' | b'&' | b'|' | b'\\' | b'_' | b'>'))
    };
    // Blank lines or blanks for longer than any gap between literals end a chain.
    !before.is_empty() && !after.is_empty() && glue(before.last()) && glue(after.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64, lines: usize) -> Vec<u8> {
        let mut state = seed;
        let mut out = Vec::new();
        for _ in 0..lines {
            for _ in 0..6 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                out.extend(format!("word{} ", state >> 52).bytes());
            }
            out.extend(format!("end{};\n", state >> 40).bytes());
        }
        out
    }

    fn looked(seen: &Seen, text: &[u8]) -> usize {
        let mut cut = seen.cut(text);
        let bytes = cut.windows().iter().map(|w| w.span.len()).sum();
        seen.learn(&mut cut, &Look::default());
        bytes
    }

    #[test]
    fn a_text_is_looked_at_once_and_an_edit_only_where_it_is() {
        let seen = Seen::new(800);
        let first = text(1, 4000);
        assert_eq!(looked(&seen, &first), first.len());
        assert_eq!(looked(&seen, &first), 0);
        let at = first.len() / 2;
        let inserted = [&first[..at], b"x", &first[at..]].concat();
        let once = looked(&seen, &inserted);
        assert!((2400..40_000).contains(&once), "{once}");
        let cut_out = [&first[..at - 50], &first[at + 50..]].concat();
        assert!((1600..40_000).contains(&looked(&seen, &cut_out)));
        let moved = [&first[at..], &first[..at]].concat();
        assert!((1600..60_000).contains(&looked(&seen, &moved)));
    }

    #[test]
    fn chunks_cover_the_text_and_cut_nothing_in_two() {
        let words = text(2, 200);
        let wrapped: Vec<u8> = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJz\n".repeat(500);
        let joined: Vec<u8> = b"  \"some words in a literal of one\" +\n".repeat(500);
        for middle in [&wrapped[..], &joined, &b"x".repeat(50_000)] {
            let all = [&words, middle, b"\n", &words].concat();
            let list = chunks(&all, 800);
            assert_eq!((list[0].start, list.last().unwrap().end), (0, all.len()));
            assert!(list.windows(2).all(|w| w[0].end == w[1].start && w[0].len() >= 800));
            let within = words.len() + 1..words.len() + middle.len();
            assert!(list.iter().all(|c| !within.contains(&c.end)), "{list:?}");
        }
        assert!(chunks(b"", 800).is_empty());
    }

    #[test]
    fn marks_are_remembered_with_their_neighbours() {
        let seen = Seen::new(800);
        let first = text(3, 400);
        let mut cut = seen.cut(&first);
        seen.learn(
            &mut cut,
            &Look { hot: std::iter::once(5000..5010).collect(), far: std::iter::once(9000..9000).collect() },
        );
        let again = seen.cut(&first);
        assert!(again.windows().is_empty());
        assert_eq!(again.marks(), Marks { hot: true, far: true });
        let tail = seen.cut(&first[again.chunks[6].start..]);
        assert!(!tail.windows().is_empty(), "the first chunk has lost its neighbour");
    }

    #[test]
    fn the_old_are_forgotten_and_the_used_stay() {
        let mut known = Generations::default();
        known.put(0, Marks::default());
        for key in 1..=2 * MOST as u64 {
            known.put(key, Marks::default());
            if key == MOST as u64 {
                assert!(known.get(0).is_some());
            }
        }
        assert!(known.get(0).is_some() && known.get(1).is_none());
        assert!(known.young.len() + known.old.len() <= 2 * MOST);
    }
}
