//! The index beside a pack: names and offsets of its objects. Versions 1 and 2; any bytes are
//! answered or refused, none are trusted.

use crate::model::ObjectId;
use std::ops::Range;

/// A table of names, sorted, with the offset of each object in the pack.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// Names and offsets interleaved: 4 + 20 bytes each.
    One,
    /// Names, checksums, offsets, large offsets, each in a block of its own.
    Two { names: usize, offsets: usize, large: usize, large_count: usize },
}

/// The parsed head of an index; the bytes stay where they are.
#[derive(Clone, Debug)]
pub struct PackIndex {
    layout: Layout,
    fanout: usize,
    count: u32,
}

impl PackIndex {
    /// Reads the head.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let two = bytes.starts_with(b"\xfftOc");
        if two && be32(bytes, 4) != Some(2) {
            return Err("it has a version of which nothing is known".to_owned());
        }
        let fanout = if two { 8 } else { 0 };
        let mut last = 0;
        for i in 0..256 {
            let n = be32(bytes, fanout + 4 * i).ok_or("it ends within its first table")?;
            if n < last {
                return Err("its first table is not sorted".to_owned());
            }
            last = n;
        }
        let (count, after) = (last as usize, fanout + 1024);
        let (layout, least) = if two {
            let offsets = after + count * 24;
            let large = offsets + count * 4;
            let rest = bytes.len().saturating_sub(large + 40);
            (Layout::Two { names: after, offsets, large, large_count: rest / 8 }, large + 40)
        } else {
            (Layout::One, after + count * 24 + 40)
        };
        if bytes.len() < least {
            return Err("it is shorter than its table says".to_owned());
        }
        Ok(PackIndex { layout, fanout, count: last })
    }

    /// How many objects it names.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name at a position in the sorted table.
    pub fn id(&self, bytes: &[u8], at: u32) -> ObjectId {
        let from = match self.layout {
            Layout::One => self.fanout + 1024 + at as usize * 24 + 4,
            Layout::Two { names, .. } => names + at as usize * 20,
        };
        bytes.get(from..from + 20).and_then(ObjectId::from_bytes).unwrap_or_default()
    }

    /// The offset in the pack of the object at a position; `None` if the table points nowhere.
    pub fn offset(&self, bytes: &[u8], at: u32) -> Option<u64> {
        match self.layout {
            Layout::One => be32(bytes, self.fanout + 1024 + at as usize * 24).map(u64::from),
            Layout::Two { offsets, large, large_count, .. } => {
                let small = be32(bytes, offsets + at as usize * 4)?;
                if small >> 31 == 0 {
                    return Some(u64::from(small));
                }
                let slot = (small & 0x7fff_ffff) as usize;
                if slot >= large_count {
                    return None;
                }
                let wide = bytes.get(large + slot * 8..large + slot * 8 + 8)?;
                Some(u64::from_be_bytes(wide.try_into().ok()?))
            }
        }
    }

    /// The positions of the names that begin with `first`.
    fn bucket(&self, bytes: &[u8], first: u8) -> Range<u32> {
        let at = |i: usize| be32(bytes, self.fanout + 4 * i).unwrap_or(0);
        let from = if first == 0 { 0 } else { at(usize::from(first) - 1) };
        from..at(usize::from(first))
    }

    /// Reads all of it: names in order and where the first table says, and every offset a place of its
    /// own within `entries`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn check(&self, bytes: &[u8], entries: Range<u64>) -> Result<(), &'static str> {
        let mut places = Vec::with_capacity(self.count as usize);
        let mut last = None;
        for first in 0..=255 {
            for at in self.bucket(bytes, first) {
                let id = self.id(bytes, at);
                if id.as_bytes()[0] != first || last.is_some_and(|l| l >= id) {
                    return Err("its names are not sorted");
                }
                last = Some(id);
                let place = self.offset(bytes, at).filter(|o| entries.contains(o));
                places.push(place.ok_or("it points outside of the pack")?);
            }
        }
        places.sort_unstable();
        match places.windows(2).any(|p| p[0] == p[1]) {
            true => Err("it gives one place to two objects"),
            false => Ok(()),
        }
    }

    /// The position of the first name that is not less than `id`.
    pub fn lower(&self, bytes: &[u8], id: &ObjectId) -> u32 {
        let Range { mut start, mut end } = self.bucket(bytes, id.as_bytes()[0]);
        while start < end {
            let middle = start + (end - start) / 2;
            if self.id(bytes, middle) < *id {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of version 2 over objects whose names begin with the given bytes.
    fn two(firsts: &[u8], offsets: &[u32], large: &[u64]) -> Vec<u8> {
        let mut out = b"\xfftOc\0\0\0\x02".to_vec();
        for i in 0..=255u8 {
            out.extend((firsts.iter().filter(|&&f| f <= i).count() as u32).to_be_bytes());
        }
        firsts.iter().for_each(|&f| out.extend([f; 20]));
        firsts.iter().for_each(|_| out.extend([0; 4]));
        offsets.iter().for_each(|o| out.extend(o.to_be_bytes()));
        large.iter().for_each(|o| out.extend(o.to_be_bytes()));
        out.extend([0; 40]);
        out
    }

    #[test]
    fn names_are_found_with_their_offsets() {
        let bytes = two(&[0, 7, 7, 255], &[12, 34, 0x8000_0000, 0x8000_0001], &[1 << 40]);
        let index = PackIndex::parse(&bytes).unwrap();
        assert_eq!(index.len(), 4);
        let at = |b| index.lower(&bytes, &ObjectId::from_bytes(&[b; 20]).unwrap());
        assert_eq!(index.offset(&bytes, at(0)), Some(12));
        assert_eq!(index.offset(&bytes, at(7)), Some(34));
        assert_eq!(index.offset(&bytes, 2), Some(1 << 40));
        assert_eq!(index.offset(&bytes, 3), None);
        assert_eq!((at(8), at(254), at(255)), (3, 3, 3));
    }

    #[test]
    fn a_whole_index_is_held_to_its_order_and_places() {
        let check = |bytes: &[u8]| PackIndex::parse(bytes).unwrap().check(bytes, 12..100);
        assert_eq!(check(&two(&[0, 7, 255], &[40, 12, 99], &[])), Ok(()));
        assert_eq!(check(&two(&[], &[], &[])), Ok(()));
        for (bytes, told) in [
            (two(&[7, 7], &[12, 40], &[]), "sorted"),
            (two(&[1, 2], &[12, 100], &[]), "outside"),
            (two(&[1, 2], &[12, 0x8000_0000], &[]), "outside"),
            (two(&[1, 2], &[12, 12], &[]), "two objects"),
        ] {
            assert!(check(&bytes).unwrap_err().contains(told), "{told}");
        }
        let mut swapped = two(&[1, 2], &[12, 40], &[]);
        swapped[8 + 1024] = 9;
        assert!(check(&swapped).is_err());
    }

    #[test]
    fn damage_is_refused() {
        let good = two(&[1, 2], &[1, 2], &[]);
        for cut in 0..good.len() {
            assert!(PackIndex::parse(&good[..cut]).is_err(), "{cut}");
        }
        let mut unsorted = good.clone();
        unsorted[8] = 9;
        assert!(PackIndex::parse(&unsorted).is_err());
        let mut version = good;
        version[7] = 3;
        assert!(PackIndex::parse(&version).is_err());
    }
}
