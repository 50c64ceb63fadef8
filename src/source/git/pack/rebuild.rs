//! Makes a pack's index anew from the pack alone: finds the entries by reading one after another, and
//! names the objects by unfolding them. Where an entry is damaged, the next one that can be read is
//! searched for.

use super::table::Table;
use super::{Entry, Pack, Stored, delta};
use crate::model::ObjectId;
use crate::source::git::parse::Kind;
use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::Decompressor;
use rayon::prelude::*;
use sha1::{Digest, Sha1};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes that one thread keeps of bases whose deltas are not all read yet.
const HELD: usize = 64 << 20;
/// Bytes that a byte of the pack may unfold to over all, before the rest is given up: real packs
/// stay far below.
const WORK: u64 = 1000;
/// Bytes that a byte of the pack may cost in attempts to find an entry behind damage.
const SEARCH: u64 = 64;

/// What could be found.
pub(super) struct Rebuilt {
    pub(super) table: Table,
    /// What could not, in words.
    pub(super) lost: Option<String>,
}

/// An entry on its way to a name.
struct Found {
    offset: u64,
    entry: Entry,
    /// Of a whole entry.
    id: Option<ObjectId>,
}

/// Reads a pack whose index is not used.
pub(super) fn rebuild(pack: &Pack) -> Rebuilt {
    let (found, gaps) = sequence(pack);
    let family = Family::new(pack, &found);
    let mut rows: Vec<(ObjectId, u64)> = (0..found.len() as u32)
        .into_par_iter()
        .flat_map_iter(|root| found[root as usize].id.map(|id| family.name(root, id)).unwrap_or_default())
        .collect();
    rows.sort_unstable();
    let named = rows.len();
    let missing = (pack.claimed() as usize).max(found.len()) - named.min(found.len());
    let lost = (missing > 0 || gaps > 0).then(|| {
        format!("its index was made anew; {missing} of its objects were not found, and {gaps} places in it do not parse")
    });
    Rebuilt { table: Table::new(rows), lost }
}

/// The entries in their order, and how many times bytes had to be passed over.
fn sequence(pack: &Pack) -> (Vec<Found>, usize) {
    let end = pack.end() as u64;
    let mut work = end.saturating_mul(WORK);
    let mut search = end.saturating_mul(SEARCH);
    let (mut found, mut gaps) = (Vec::new(), 0);
    let (mut at, mut lost) = (12, false);
    while at < end {
        let entry = pack.entry(at).ok().filter(|e| !lost || begins_zlib(pack, e));
        let measured =
            entry.map(|entry| (entry, measure(pack, &entry, if lost { &mut search } else { &mut work })));
        match measured {
            Some((entry, Some((next, id)))) => {
                found.push(Found { offset: at, entry, id });
                (at, lost) = (next as u64, false);
            }
            _ => {
                gaps += usize::from(!lost);
                (at, lost) = (at + 1, true);
            }
        }
        if work == 0 || search == 0 {
            gaps += 1;
            break;
        }
    }
    (found, gaps)
}

/// Whether an entry's data begins as DEFLATE in zlib's frame does.
fn begins_zlib(pack: &Pack, entry: &Entry) -> bool {
    match pack.bytes().get(entry.data..entry.data + 2) {
        Some(&[a, b]) => a & 15 == 8 && a >> 4 <= 7 && (u16::from(a) << 8 | u16::from(b)) % 31 == 0,
        _ => false,
    }
}

/// Unfolds an entry without keeping it: where the next begins, and the name of a whole one.
fn measure(pack: &Pack, entry: &Entry, work: &mut u64) -> Option<(usize, Option<ObjectId>)> {
    let data = pack.bytes().get(entry.data..pack.end())?;
    let mut hash = match entry.stored {
        Stored::Whole(kind) => Some(Sha1::new().chain_update(head(kind, entry.size))),
        _ => None,
    };
    let mut tool = Decompress::new(true);
    let mut out = vec![0; 1 << 15];
    loop {
        let (read, made) = (tool.total_in(), tool.total_out());
        let status = tool.decompress(&data[read as usize..], &mut out, FlushDecompress::None).ok()?;
        let fresh = tool.total_out() - made;
        *work = work.saturating_sub(fresh.max(1));
        if let Some(hash) = &mut hash {
            hash.update(&out[..fresh as usize]);
        }
        let ended = status == Status::StreamEnd;
        let stuck = !ended && fresh == 0 && tool.total_in() == read;
        if tool.total_out() > entry.size || stuck || *work == 0 {
            return None;
        }
        if ended {
            let whole = tool.total_out() == entry.size;
            let id = hash.and_then(|h| ObjectId::from_bytes(&h.finalize()));
            return whole.then_some((entry.data + tool.total_in() as usize, id));
        }
    }
}

/// The head that an object's name covers beside its bytes.
fn head(kind: Kind, size: u64) -> String {
    format!("{kind} {size}\0")
}

/// Entries with those that are deltas against them.
struct Family<'a> {
    pack: &'a Pack,
    found: &'a [Found],
    /// Children by their base's place among the entries, sorted.
    by_place: Vec<(u32, u32)>,
    /// Children by their base's name.
    by_name: HashMap<ObjectId, Vec<u32>>,
    /// Each entry is named once, also where several hold the same object.
    taken: Vec<AtomicBool>,
    work: AtomicU64,
}

/// A delta whose base is known: its bytes if they are kept, and the entries from the root down to it.
struct Open {
    entry: u32,
    base: Option<Arc<Vec<u8>>>,
    chain: Option<Arc<Link>>,
}

/// An entry and what it is a delta against.
struct Link {
    entry: u32,
    up: Option<Arc<Link>>,
}

impl Drop for Link {
    /// One after another: a chain can be longer than the stack is deep.
    fn drop(&mut self) {
        let mut next = self.up.take();
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.up.take();
        }
    }
}

impl<'a> Family<'a> {
    fn new(pack: &'a Pack, found: &'a [Found]) -> Self {
        let (mut by_place, mut by_name) = (Vec::new(), HashMap::<ObjectId, Vec<u32>>::new());
        for (child, one) in found.iter().enumerate() {
            match one.entry.stored {
                Stored::OfsDelta(base) => {
                    if let Ok(parent) = found.binary_search_by_key(&base, |f| f.offset) {
                        by_place.push((parent as u32, child as u32));
                    }
                }
                Stored::RefDelta(id) => by_name.entry(id).or_default().push(child as u32),
                Stored::Whole(_) => {}
            }
        }
        by_place.sort_unstable();
        let taken = found.iter().map(|_| AtomicBool::new(false)).collect();
        let work = AtomicU64::new((pack.end() as u64).saturating_mul(WORK));
        Family { pack, found, by_place, by_name, taken, work }
    }

    /// The deltas against an entry that nobody has taken yet.
    fn children(&self, entry: u32, id: &ObjectId) -> impl Iterator<Item = u32> {
        let from = self.by_place.partition_point(|c| c.0 < entry);
        let placed = self.by_place[from..].iter().take_while(move |c| c.0 == entry).map(|c| c.1);
        let named = self.by_name.get(id).into_iter().flatten().copied();
        placed.chain(named).filter(|&c| !self.taken[c as usize].swap(true, Ordering::Relaxed))
    }

    /// Names a whole entry and everything that is made from it.
    fn name(&self, root: u32, id: ObjectId) -> Vec<(ObjectId, u64)> {
        let mut rows = vec![(id, self.found[root as usize].offset)];
        let Stored::Whole(kind) = self.found[root as usize].entry.stored else { return rows };
        let (mut open, mut held) = (Vec::new(), 0usize);
        let mut tool = Decompressor::new();
        self.push(root, &id, None, || self.whole(root), &mut open, &mut held);
        while let Some(Open { entry, base, chain }) = open.pop() {
            let base = match base {
                Some(base) => Some(base),
                None => self.made(chain.as_deref(), &mut tool).map(Arc::new),
            };
            let made = base.as_ref().and_then(|base| self.apply(entry, base, &mut tool));
            if let Some(base) = base.and_then(Arc::into_inner) {
                held = held.saturating_sub(base.len());
            }
            // What cannot be made is counted by its absence, and all that is made from it.
            let Some(bytes) = made else { continue };
            let digest =
                Sha1::new().chain_update(head(kind, bytes.len() as u64)).chain_update(&bytes).finalize();
            let Some(id) = ObjectId::from_bytes(&digest) else { continue };
            rows.push((id, self.found[entry as usize].offset));
            self.push(entry, &id, chain, || Some(bytes), &mut open, &mut held);
        }
        rows
    }

    /// Opens the deltas against an entry; its bytes are asked for if there are any.
    fn push(
        &self,
        entry: u32,
        id: &ObjectId,
        up: Option<Arc<Link>>,
        bytes: impl FnOnce() -> Option<Vec<u8>>,
        open: &mut Vec<Open>,
        held: &mut usize,
    ) {
        let mut children = self.children(entry, id).peekable();
        if children.peek().is_none() {
            return;
        }
        let base = bytes().filter(|b| *held + b.len() <= HELD).map(Arc::new);
        *held += base.as_ref().map_or(0, |b| b.len());
        let chain = Some(Arc::new(Link { entry, up }));
        open.extend(children.map(|entry| Open { entry, base: base.clone(), chain: chain.clone() }));
    }

    /// The bytes of the entry at the end of a chain, made from its root.
    fn made(&self, chain: Option<&Link>, tool: &mut Decompressor) -> Option<Vec<u8>> {
        let mut entries = Vec::new();
        let mut at = chain;
        while let Some(link) = at {
            entries.push(link.entry);
            at = link.up.as_deref();
        }
        let mut bytes = self.whole(entries.pop()?)?;
        while let Some(entry) = entries.pop() {
            bytes = self.apply(entry, &bytes, tool)?;
        }
        Some(bytes)
    }

    fn whole(&self, root: u32) -> Option<Vec<u8>> {
        let entry = &self.found[root as usize].entry;
        let mut out = Vec::new();
        if entry.size > self.pack.most() || !self.spend(entry.size) {
            return None;
        }
        self.pack.inflate(entry, &mut Decompressor::new(), &mut out).ok()?;
        Some(out)
    }

    fn apply(&self, entry: u32, base: &[u8], tool: &mut Decompressor) -> Option<Vec<u8>> {
        let entry = &self.found[entry as usize].entry;
        let (mut delta, mut out) = (Vec::new(), Vec::new());
        if entry.size > self.pack.most() || !self.spend(entry.size) {
            return None;
        }
        self.pack.inflate(entry, tool, &mut delta).ok()?;
        let (_, result, _) = delta::sizes(&delta)?;
        if result > self.pack.most() || !self.spend(result) {
            return None;
        }
        delta::apply(base, &delta, &mut out).ok()?;
        Some(out)
    }

    /// Takes from the work that is left; `false` if there is none.
    fn spend(&self, bytes: u64) -> bool {
        let take = |left: u64| left.checked_sub(bytes);
        self.work.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}
