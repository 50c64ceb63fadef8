//! A split index: a shared file, and beside it what has changed since.

use super::{Cursor, Index, NAMES, bytes, damaged, name, parse};
use crate::model::ObjectId;
use crate::source::git::GitError;
use std::collections::BTreeMap;
use std::path::Path;

/// The names of the two maps of bits, for messages.
const WRONG: &str = "its link to a shared index does not parse; git update-index --no-split-index mends it";

/// Puts the shared index that `link` names under the entries of `own`.
pub(super) fn join(path: &Path, git_dir: &Path, own: Index, link: &[u8]) -> Result<Index, GitError> {
    let wrong = || damaged(path, WRONG);
    let mut rest = Cursor(link);
    let id = rest.take(ObjectId::LEN).and_then(ObjectId::from_bytes).ok_or_else(wrong)?;
    if id.is_null() {
        return Ok(own);
    }
    let shared = git_dir.join(format!("sharedindex.{id}"));
    let base = parse(&shared, &bytes(&shared)?)?;
    if base.link.is_some() {
        return Err(damaged(&shared, "it is shared, and links to another one"));
    }
    // A link without maps changes nothing of the shared entries.
    let mut bits = || -> Option<Vec<bool>> {
        if rest.0.is_empty() { Some(Vec::new()) } else { ewah(&mut rest, base.entries.len()) }
    };
    let deleted = bits().ok_or_else(wrong)?;
    let replaced = bits().ok_or_else(wrong)?;
    let set = |map: &[bool], i: usize| map.get(i).copied().unwrap_or(false);

    let Index { names: own_names, entries: own_entries } = own;
    let mut own = own_entries.into_iter();
    let mut index = Index { names: base.names, entries: Vec::new() };
    for (i, shared) in base.entries.into_iter().enumerate() {
        let entry = if set(&replaced, i) {
            let new = own.next().filter(|e| e.name.0 == e.name.1).ok_or_else(wrong)?;
            super::Entry { name: shared.name, ..new }
        } else {
            shared
        };
        if !set(&deleted, i) {
            index.entries.push(entry);
        }
    }
    // What is left of the own entries is added; where both have one, the own one holds.
    let mut places = BTreeMap::new();
    for (i, entry) in index.entries.iter().enumerate() {
        places.insert((name(&index.names, entry).to_vec(), entry.stage), i);
    }
    for entry in own {
        let text = name(&own_names, &entry);
        if text.is_empty() || index.names.len() + text.len() > NAMES {
            return Err(wrong());
        }
        let start = index.names.len();
        index.names.extend_from_slice(text);
        let entry = super::Entry { name: (start, index.names.len()), ..entry };
        match places.get(&(text.to_vec(), entry.stage)) {
            Some(&i) => index.entries[i] = entry,
            None => index.entries.push(entry),
        }
    }
    Ok(index)
}

/// Unfolds a compressed map of bits: words that tell how many equal words come and how many follow
/// as they are. `None` if it does not parse or sets a bit at or above `most`.
fn ewah(rest: &mut Cursor<'_>, most: usize) -> Option<Vec<bool>> {
    let _bits = rest.be32()?;
    let words = rest.be32()? as usize;
    let mut words = Cursor(rest.take(words.checked_mul(8)?)?);
    // The place of the last marker, which only a writer needs.
    rest.be32()?;
    let mut out = Vec::new();
    let mut at = 0usize;
    while !words.0.is_empty() {
        let marker = words.be64()?;
        let run = usize::try_from(marker >> 1 & 0xffff_ffff).ok()?.checked_mul(64)?;
        if marker & 1 != 0 && run > 0 {
            if at + run > most.next_multiple_of(64) {
                return None;
            }
            out.resize(at, false);
            out.resize(at + run, true);
        }
        at = at.checked_add(run)?;
        for _ in 0..marker >> 33 {
            let word = words.be64()?;
            for bit in (0..64).filter(|bit| word >> bit & 1 != 0) {
                let place = at.checked_add(bit).filter(|&p| p < most)?;
                out.resize(place, false);
                out.push(true);
            }
            at = at.checked_add(64)?;
        }
    }
    out.truncate(most);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(words: &[u64]) -> Vec<u8> {
        let mut out = 0u32.to_be_bytes().to_vec();
        out.extend((words.len() as u32).to_be_bytes());
        words.iter().for_each(|w| out.extend(w.to_be_bytes()));
        out.extend([0; 4]);
        out
    }

    fn set(words: &[u64], most: usize) -> Option<Vec<usize>> {
        let bytes = map(words);
        let bits = ewah(&mut Cursor(&bytes), most)?;
        Some(bits.iter().enumerate().filter(|(_, b)| **b).map(|(i, _)| i).collect())
    }

    #[test]
    fn runs_and_words_unfold() {
        // One empty word, then one word as it is.
        assert_eq!(set(&[1 << 1 | 1 << 33, 0b101], 200), Some(vec![64, 66]));
        // One full word; then nothing.
        assert_eq!(set(&[1 | 1 << 1], 64), Some((0..64).collect()));
        assert_eq!(set(&[], 9), Some(vec![]));
    }

    #[test]
    fn maps_that_reach_too_far_are_refused() {
        assert_eq!(set(&[1 | 0xffff_ffff << 1], 64), None);
        assert_eq!(set(&[1 << 33, 1 << 9], 9), None);
        assert_eq!(set(&[2 << 33, 1], 9), None);
        // Empty words may run as far as they like.
        assert_eq!(set(&[0xffff_ffff << 1], 9), Some(vec![]));
        for cut in 0..map(&[1 << 33, 1]).len() {
            assert!(ewah(&mut Cursor(&map(&[1 << 33, 1])[..cut]), 9).is_none(), "{cut}");
        }
    }
}
