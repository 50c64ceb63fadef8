//! Unfolds a pack: each entry once, every delta right after its base, families shared out to threads.

use super::delta;
use super::{Entry, Graph, Pack, Stored, TOO_LARGE};
use crate::model::ObjectId;
use crate::source::git::parse::Kind;
use libdeflater::Decompressor;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that one thread keeps of bases that are still needed; beyond it the oldest are made again.
const HELD: usize = 24 << 20;
/// Spare buffers that a thread keeps.
const SPARE: usize = 8;
/// Largest spare buffer that is kept.
const SPARE_LEN: usize = 4 << 20;
/// Objects above this size are unfolded by one thread at a time.
const ALONE: u64 = 4 << 20;
/// Bytes that a thread makes again of bases that were given up: so many for each byte of the pack,
/// and some in any case. Real packs need next to none.
const AGAIN: (u64, u64) = (1000, 4 << 30);

/// An object on its way.
#[derive(Debug)]
pub struct Visited<'a> {
    /// Its node in the graph.
    pub node: u32,
    /// Its name.
    pub id: ObjectId,
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Whoever wants the objects.
pub trait Visitor: Sync {
    /// Whether a family whose root is of this kind is wanted.
    fn wants(&self, kind: Kind) -> bool;
    /// Takes an object.
    fn visit(&self, object: &Visited<'_>);
    /// Takes a whole entry of more than [`LARGE`] bytes that nothing is a delta against.
    fn large(&self, pack: &Pack, entry: &Entry, node: u32, id: ObjectId, kind: Kind);
    /// Counts an entry that cannot be read; everything that is a delta against it goes with it.
    fn broken(&self, pack: &Pack, id: ObjectId, why: &str);
    /// Gives an object that is not in the pack.
    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)>;
    /// Whether to stop.
    fn stopped(&self) -> bool;
}

const LOST_BASE: &str = "the base of its delta cannot be read";
const SPENT: &str = "its deltas take more work than such a pack may";

/// Whole entries above this size are handed over by [`Visitor::large`].
pub const LARGE: u64 = 16 << 20;

/// Visits the entries that a visitor wants, from `jobs` threads. Entries that the graph could not
/// place are told to [`Visitor::broken`] by the caller, since their kind is not known.
pub fn walk<V: Visitor>(pack: &Pack, graph: &Graph, needed: Option<&[bool]>, jobs: usize, visitor: &V) {
    let mut families: Vec<(u32, u32)> =
        graph.roots().iter().filter(|r| needed.is_none_or(|n| n[**r as usize])).map(|&r| (r, 0)).collect();
    // The largest families first, so that no thread is left alone with one at the end.
    let mut open = Vec::new();
    for (root, size) in &mut families {
        open.push(*root);
        while let Some(node) = open.pop() {
            *size += 1;
            open.extend_from_slice(graph.children(node));
        }
    }
    families.sort_by_key(|&(root, size)| (std::cmp::Reverse(size), root));
    let next = AtomicUsize::new(0);
    let alone = Mutex::new(());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                let mut walker = Walker::new(pack, graph, needed, visitor, &alone);
                while let Some(&(root, _)) = families.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if visitor.stopped() {
                        return;
                    }
                    walker.family(root);
                }
            });
        }
    });
}

struct Frame {
    node: u32,
    len: u64,
    bytes: Option<Vec<u8>>,
    next: usize,
}

struct Walker<'a, V: Visitor> {
    pack: &'a Pack,
    graph: &'a Graph,
    needed: Option<&'a [bool]>,
    visitor: &'a V,
    tool: Decompressor,
    delta: Vec<u8>,
    spare: Vec<Vec<u8>>,
    held: usize,
    /// Bytes that may still be made again.
    again: u64,
    alone: &'a Mutex<()>,
    /// Held while a family has large objects.
    guard: Option<MutexGuard<'a, ()>>,
}

impl<'a, V: Visitor> Walker<'a, V> {
    fn new(
        pack: &'a Pack,
        graph: &'a Graph,
        needed: Option<&'a [bool]>,
        visitor: &'a V,
        alone: &'a Mutex<()>,
    ) -> Self {
        Walker {
            pack,
            graph,
            needed,
            visitor,
            tool: Decompressor::new(),
            delta: Vec::new(),
            spare: Vec::new(),
            held: 0,
            again: (pack.bytes().len() as u64).saturating_mul(AGAIN.0).saturating_add(AGAIN.1),
            alone,
            guard: None,
        }
    }

    fn id(&self, node: u32) -> ObjectId {
        self.pack.id(self.graph.position(node))
    }

    /// Visits a root and everything that is made from it, depth first.
    fn family(&mut self, root: u32) {
        self.descend(root);
        self.guard = None;
    }

    fn descend(&mut self, root: u32) {
        let Some((kind, first)) = self.root(root) else { return };
        let mut stack = vec![first];
        while let Some(top) = stack.last_mut() {
            let Some(&child) = self.graph.children(top.node).get(top.next) else {
                let done = stack.pop().and_then(|f| f.bytes);
                self.release(done);
                continue;
            };
            top.next += 1;
            if !self.needed.is_none_or(|n| n[child as usize]) || self.visitor.stopped() {
                continue;
            }
            if top.bytes.is_none() {
                top.bytes = self.again(top);
                self.held += top.bytes.as_ref().map_or(0, Vec::len);
            }
            let mut bytes = self.spare.pop().unwrap_or_default();
            let made = match &top.bytes {
                Some(base) => self.unfold(child, base, &mut bytes),
                None => Err(SPENT),
            };
            if let Err(why) = made {
                self.lost(child, why);
                continue;
            }
            self.visitor.visit(&Visited { node: child, id: self.id(child), kind, bytes: &bytes });
            if top.next == self.graph.children(top.node).len() {
                let done = top.bytes.take();
                self.release(done);
            }
            self.held += bytes.len();
            if self.graph.children(child).is_empty() {
                self.release(Some(bytes));
                continue;
            }
            stack.push(Frame { node: child, len: bytes.len() as u64, bytes: Some(bytes), next: 0 });
            self.shed(&mut stack);
        }
    }

    fn root(&mut self, root: u32) -> Option<(Kind, Frame)> {
        let id = self.id(root);
        let mut bytes = self.spare.pop().unwrap_or_default();
        let made = self.pack.entry(self.graph.offset(root)).and_then(|entry| match entry.stored {
            Stored::Whole(kind) if !self.visitor.wants(kind) => Ok(None),
            Stored::Whole(kind) if entry.size > LARGE && self.graph.children(root).is_empty() => {
                if kind != Kind::Blob {
                    self.alone(entry.size);
                }
                self.visitor.large(self.pack, &entry, root, id, kind);
                Ok(None)
            }
            Stored::Whole(kind) if entry.size <= self.pack.most() => {
                self.alone(entry.size);
                self.pack.inflate(&entry, &mut self.tool, &mut bytes).map(|()| Some(kind))
            }
            Stored::Whole(_) => Err(TOO_LARGE),
            Stored::RefDelta(base) => {
                let (kind, base) = self.visitor.other(&base).ok_or("the base of its delta is not there")?;
                if !self.visitor.wants(kind) {
                    return Ok(None);
                }
                self.unfold(root, &base, &mut bytes).map(|()| Some(kind))
            }
            Stored::OfsDelta(_) => Err(LOST_BASE),
        });
        match made {
            Ok(Some(kind)) => {
                self.visitor.visit(&Visited { node: root, id, kind, bytes: &bytes });
                self.held += bytes.len();
                Some((kind, Frame { node: root, len: bytes.len() as u64, bytes: Some(bytes), next: 0 }))
            }
            Ok(None) => None,
            Err(why) => {
                self.lost(root, why);
                None
            }
        }
    }

    /// Applies the delta of a node to its base.
    fn unfold(&mut self, node: u32, base: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        let entry = self.pack.entry(self.graph.offset(node))?;
        if entry.size > self.pack.most() {
            return Err(TOO_LARGE);
        }
        self.alone(entry.size);
        self.pack.inflate(&entry, &mut self.tool, &mut self.delta)?;
        let (_, result, _) = delta::sizes(&self.delta).unwrap_or_default();
        if result > self.pack.most() {
            return Err(TOO_LARGE);
        }
        self.alone(result);
        let made = delta::apply(base, &self.delta, out);
        if self.delta.capacity() > SPARE_LEN {
            self.delta = Vec::new();
        }
        made
    }

    /// Waits until no other thread has a family with large objects in hand, if this one is large.
    fn alone(&mut self, size: u64) {
        if size > ALONE && self.guard.is_none() {
            self.guard = Some(self.alone.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Makes a base again whose bytes were given up; `None` if that has become too much.
    fn again(&mut self, frame: &Frame) -> Option<Vec<u8>> {
        let mut links = 1;
        let mut at = frame.node;
        while let Some(parent) = self.graph.parent(at) {
            (at, links) = (parent, links + 1);
        }
        self.again = self.again.checked_sub(frame.len.max(1).saturating_mul(links))?;
        let other = |id: &ObjectId| self.visitor.other(id);
        self.pack.read(self.graph.offset(frame.node), &other).ok().map(|(_, bytes)| bytes)
    }

    /// Gives up the bytes of bases far from the top while too much is held.
    fn shed(&mut self, stack: &mut [Frame]) {
        let Some((_, below)) = stack.split_last_mut() else { return };
        let mut bases = below.iter_mut();
        while self.held > HELD {
            let Some(base) = bases.next() else { return };
            let done = base.bytes.take();
            self.held -= done.map_or(0, |b| b.len());
        }
    }

    fn release(&mut self, bytes: Option<Vec<u8>>) {
        let Some(bytes) = bytes else { return };
        self.held -= bytes.len();
        if self.spare.len() < SPARE && bytes.capacity() <= SPARE_LEN {
            self.spare.push(bytes);
        }
    }

    /// Counts a node that cannot be read, and whatever is made from it.
    fn lost(&self, node: u32, why: &str) {
        self.visitor.broken(self.pack, self.id(node), why);
        let mut open = self.graph.children(node).to_vec();
        while let Some(next) = open.pop() {
            self.visitor.broken(self.pack, self.id(next), LOST_BASE);
            open.extend_from_slice(self.graph.children(next));
        }
    }
}
