//! Reading many trees that are nearly alike. A history holds a folder once for each change below it, and most of
//! its entries are those of the version before; only the others are taken apart.

use super::parse::{Entry, entries};
use ahash::AHashMap;
use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

/// Remembers one tree, to tell what of the next is new.
#[derive(Debug)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    /// Where each entry begins, and where the last one ends.
    starts: Vec<u32>,
    /// The same of the tree at hand, before they change places.
    next: Vec<u32>,
}

impl Default for Reader {
    fn default() -> Self {
        Reader { bytes: Vec::new(), starts: vec![0], next: Vec::new() }
    }
}

/// A tree beside the one that was read before it.
#[derive(Clone, Debug)]
pub(super) struct Fresh<'a> {
    /// The entries that the tree before did not have, each with its number in this tree.
    pub(super) entries: Vec<(usize, Entry<'a>)>,
    /// The others, in runs.
    kept: Vec<Run>,
    /// Whether the bytes stop making sense behind the last entry.
    pub(super) broken: bool,
}

/// Entries that two trees have in common, byte for byte.
#[derive(Clone, Copy, Debug)]
struct Run {
    before: usize,
    now: usize,
    len: usize,
}

impl Fresh<'_> {
    /// The number of an entry of the tree before, if it is kept.
    pub(super) fn now(&self, before: usize) -> Option<usize> {
        let at = self.kept.partition_point(|run| run.before <= before).checked_sub(1)?;
        let run = self.kept[at];
        (before < run.before + run.len).then(|| run.now + before - run.before)
    }
}

impl Reader {
    /// Reads a tree, and keeps it for the next.
    pub(super) fn read<'a>(&mut self, bytes: &'a [u8]) -> Fresh<'a> {
        let mut fresh = Fresh { entries: Vec::new(), kept: Vec::new(), broken: false };
        self.next.clear();
        let last = self.starts.len() - 1;
        // The entry of the tree before that stands where we are.
        let (mut old, mut at) = (0, 0);
        while at < bytes.len() {
            let from = self.starts[old];
            let same = alike(&self.bytes[from as usize..], &bytes[at..]) as u32;
            let len = self.starts[old + 1..].partition_point(|&end| end - from <= same);
            if len > 0 {
                fresh.kept.push(Run { before: old, now: self.next.len(), len });
                self.next.extend(self.starts[old..old + len].iter().map(|s| s - from + at as u32));
                at += (self.starts[old + len] - from) as usize;
                old += len;
                continue;
            }
            let mut list = entries(&bytes[at..]);
            let Some(entry) = list.next() else {
                fresh.broken = true;
                break;
            };
            fresh.entries.push((self.next.len(), entry));
            self.next.push(at as u32);
            at = bytes.len() - list.left();
            // Trees are sorted. One that is not costs time only: what is kept is the same in any case.
            while old < last {
                let there = entries(&self.bytes[self.starts[old] as usize..]).next();
                match there.map(|e| e.name.cmp(entry.name)) {
                    Some(Ordering::Less) => old += 1,
                    Some(Ordering::Equal) => {
                        old += 1;
                        break;
                    }
                    _ => break,
                }
            }
        }
        if fresh.broken || bytes.len() > u32::MAX as usize {
            *self = Reader::default();
            return fresh;
        }
        self.next.push(bytes.len() as u32);
        std::mem::swap(&mut self.starts, &mut self.next);
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        fresh
    }
}

/// How many bytes two texts have in common from the start.
fn alike(a: &[u8], b: &[u8]) -> usize {
    let (wide, _) = a.as_chunks::<32>();
    let (other, _) = b.as_chunks::<32>();
    let whole = wide.iter().zip(other).take_while(|(x, y)| x == y).count() * 32;
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(x, y)| x == y).count()
}

/// Something that each thread has one of, made when it first asks.
#[derive(Debug, Default)]
pub(super) struct PerThread<S>(Mutex<AHashMap<ThreadId, S>>);

impl<S: Default> PerThread<S> {
    /// Lends the thread its own.
    pub(super) fn with<R>(&self, take: impl FnOnce(&mut S) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let me = std::thread::current().id();
        let own = lock().remove(&me);
        let mut own = own.unwrap_or_default();
        let result = take(&mut own);
        lock().insert(me, own);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::git::parse::Mode;

    fn tree(list: &[(u8, u8)]) -> Vec<u8> {
        let entry = |&(name, id): &(u8, u8)| {
            let name = vec![b'a' + name % 26; 1 + usize::from(name / 26) * 3];
            [if id % 5 == 0 { &b"40000 "[..] } else { b"100644 " }, &name, b"\0", &[id; 20]].concat()
        };
        list.iter().flat_map(entry).collect()
    }

    fn step(seed: &mut u64) -> usize {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize
    }

    #[test]
    fn what_is_put_together_is_what_is_read_alone() {
        let seed = &mut 7;
        let mut reader = Reader::default();
        let mut list: Vec<(u8, u8)> = Vec::new();
        let mut known: Vec<(Mode, Vec<u8>, u8)> = Vec::new();
        let mut skipped = 0;
        for round in 0..3000 {
            for _ in 0..step(seed) % 3 {
                let at = step(seed) % (list.len() + 1);
                match step(seed) % 4 {
                    0 | 1 => list.insert(at, (step(seed) as u8, step(seed) as u8)),
                    2 if at < list.len() => list[at].1 = step(seed) as u8,
                    _ if at < list.len() => drop(list.remove(at)),
                    _ => {}
                }
            }
            let mut bytes = tree(&list);
            let cut = round % 50 == 49;
            if cut {
                bytes.truncate(bytes.len().saturating_sub(step(seed) % 30));
            }
            let owned = |e: Entry<'_>| (e.mode, e.name.to_vec(), e.id.as_bytes()[0]);
            let mut alone = entries(&bytes);
            let want: Vec<_> = alone.by_ref().map(owned).collect();
            let fresh = reader.read(&bytes);
            let mut got: Vec<_> = fresh.entries.iter().map(|&(n, e)| (n, owned(e))).collect();
            let kept = known.iter().enumerate().filter_map(|(n, e)| Some((fresh.now(n)?, e.clone())));
            got.extend(kept);
            skipped += got.len() - fresh.entries.len();
            got.sort();
            let want: Vec<_> = want.into_iter().enumerate().collect();
            assert_eq!((&got, fresh.broken), (&want, alone.broken), "round {round}");
            let want: Vec<_> = want.into_iter().map(|(_, e)| e).collect();
            known = if fresh.broken { Vec::new() } else { want };
        }
        assert!(skipped > 10_000, "{skipped}");
    }

    #[test]
    fn texts_are_compared_to_the_byte() {
        let text: Vec<u8> = (0..200).collect();
        for at in 0..text.len() {
            let mut other = text.clone();
            other[at] ^= 0x80;
            assert_eq!(alike(&text, &other), at);
        }
        assert_eq!((alike(b"", b"x"), alike(b"ab", b"ab")), (0, 2));
    }
}
