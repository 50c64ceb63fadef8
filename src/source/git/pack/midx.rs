//! The index over several packs, which stands in for one that is gone.

use super::table::Table;
use crate::model::ObjectId;
use memmap2::Mmap;
use std::path::Path;

/// A multi-pack index, version 1. From git's gitformat-pack.
#[derive(Debug)]
pub struct MultiIndex {
    bytes: Mmap,
}

impl MultiIndex {
    /// Maps the file, if there is one and it is as it was written; whether it makes sense shows when
    /// something is asked.
    pub(in crate::source::git) fn open(path: &Path) -> Option<Self> {
        let bytes = super::map(path).ok()?;
        super::is_sealed(&bytes).then_some(MultiIndex { bytes })
    }

    /// What it says of the pack whose index would have this name; `None` if nothing can be used. Of
    /// an object that stands in several packs it names one place only, so a table may lack some.
    pub(super) fn table(&self, index_name: &[u8]) -> Option<Table> {
        table(&self.bytes, index_name)
    }
}

fn table(bytes: &[u8], index_name: &[u8]) -> Option<Table> {
    // Signature, version 1, names by SHA-1, chunks, no base.
    let head = bytes.get(..12).filter(|h| h.starts_with(b"MIDX\x01\x01"))?;
    let chunks = usize::from(head[6]);
    let chunk = |name: &[u8; 4]| {
        let row = |i: usize| bytes.get(12 + 12 * i..24 + 12 * i);
        let start = |i: usize| Some(u64::from_be_bytes(row(i)?[4..].try_into().ok()?));
        let at = (0..chunks).find(|&i| row(i).is_some_and(|r| r.starts_with(name)))?;
        bytes.get(usize::try_from(start(at)?).ok()?..usize::try_from(start(at + 1)?).ok()?)
    };
    let (names, ids, places) = (chunk(b"PNAM")?, chunk(b"OIDL")?, chunk(b"OOFF")?);
    let large = chunk(b"LOFF").unwrap_or_default();
    let wanted = names.split(|&b| b == 0).take_while(|n| !n.is_empty()).position(|n| n == index_name)?;
    let mut rows = Vec::new();
    for (id, place) in ids.chunks_exact(ObjectId::LEN).zip(places.chunks_exact(8)) {
        let word = |at: usize| Some(u32::from_be_bytes(place[at..at + 4].try_into().ok()?));
        if word(0)? as usize != wanted {
            continue;
        }
        let offset = match word(4)? {
            small if small >> 31 == 0 || large.is_empty() => u64::from(small),
            slot => {
                let at = (slot & 0x7fff_ffff) as usize * 8;
                u64::from_be_bytes(large.get(at..at + 8)?.try_into().ok()?)
            }
        };
        rows.push((ObjectId::from_bytes(id)?, offset));
    }
    Some(Table::new(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
        let mut out = [b"MIDX\x01\x01".as_slice(), &[chunks.len() as u8, 0, 0, 0, 0, 2]].concat();
        let mut at = (12 + 12 * (chunks.len() + 1)) as u64;
        for (name, body) in chunks {
            out.extend_from_slice(*name);
            out.extend(at.to_be_bytes());
            at += body.len() as u64;
        }
        out.extend([0; 4]);
        out.extend(at.to_be_bytes());
        chunks.iter().for_each(|(_, body)| out.extend(body));
        out
    }

    fn sample() -> Vec<u8> {
        let ids: Vec<u8> = (1..=3).flat_map(|b| [b; 20]).collect();
        let places: Vec<u8> = [(0u32, 12u32), (1, 0x8000_0000), (1, 40)]
            .iter()
            .flat_map(|(pack, at)| [pack.to_be_bytes(), at.to_be_bytes()].concat())
            .collect();
        let names = b"pack-a.idx\0pack-b.idx\0\0\0".to_vec();
        chunked(&[
            (b"PNAM", names),
            (b"OIDL", ids),
            (b"OOFF", places),
            (b"LOFF", (1u64 << 33).to_be_bytes().to_vec()),
        ])
    }

    #[test]
    fn each_pack_gets_its_own_rows() {
        let bytes = sample();
        let id = |b: u8| ObjectId::from_bytes(&[b; 20]).unwrap();
        let of =
            |name: &[u8]| table(&bytes, name).map(|t| (0..t.len()).map(|i| t.row(i)).collect::<Vec<_>>());
        assert_eq!(of(b"pack-a.idx"), Some(vec![(id(1), 12)]));
        assert_eq!(of(b"pack-b.idx"), Some(vec![(id(2), 1 << 33), (id(3), 40)]));
        assert_eq!(of(b"pack-c.idx"), None);
        assert_eq!(of(b""), None);
    }

    #[test]
    fn any_bytes_are_answered_or_refused() {
        let good = sample();
        for cut in 0..good.len() {
            let _ = table(&good[..cut], b"pack-b.idx");
        }
        for at in 0..good.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = table(&bad, b"pack-b.idx");
            }
        }
        assert!(table(b"MIDX\x01\x02\x00\x00\0\0\0\0", b"x").is_none());
    }
}
