//! Which entry of a pack is a delta against which: the order in which to unfold them.

use super::{Pack, Stored};
use crate::model::ObjectId;
use std::collections::HashMap;

/// Stands for "none" among nodes.
const NONE: u32 = u32::MAX;

/// The entries of a pack by their place in it, each with those that are deltas against it.
#[derive(Debug)]
pub struct Graph {
    /// Of each node: where its entry begins. Ascending.
    offsets: Vec<u64>,
    /// Of each node: its position in the index.
    positions: Vec<u32>,
    /// Of each node: where its children begin in `children`; one more at the end.
    first: Vec<u32>,
    children: Vec<u32>,
    parents: Vec<u32>,
    /// Entries that are whole, or deltas against an object of another pack.
    roots: Vec<u32>,
    /// Entries that cannot be read, and why.
    broken: Vec<(u32, &'static str)>,
}

impl Graph {
    /// Reads the head of every entry.
    pub fn new(pack: &Pack) -> Self {
        let mut broken = Vec::new();
        let mut places: Vec<(u64, u32)> = Vec::with_capacity(pack.len() as usize);
        let mut nowhere = Vec::new();
        for at in 0..pack.len() {
            match pack.offset(at) {
                Some(offset) => places.push((offset, at)),
                None => nowhere.push(at),
            }
        }
        places.sort_unstable();
        // Unreadable places come last, so that the rest stays in order.
        broken.extend(
            (0..nowhere.len()).map(|i| ((places.len() + i) as u32, "its index points outside of the pack")),
        );
        places.extend(nowhere.into_iter().map(|at| (u64::MAX, at)));
        let (offsets, positions): (Vec<u64>, Vec<u32>) = places.into_iter().unzip();
        let mut parents = vec![NONE; offsets.len()];
        let mut roots = Vec::new();
        let mut named: Option<HashMap<ObjectId, u32>> = None;
        for node in 0..offsets.len() - broken.len() {
            match pack.entry(offsets[node]).map(|e| e.stored) {
                Ok(Stored::Whole(_)) => roots.push(node as u32),
                Ok(Stored::OfsDelta(base)) => match offsets.binary_search(&base) {
                    Ok(parent) => parents[node] = parent as u32,
                    Err(_) => broken.push((node as u32, "its delta points between entries")),
                },
                Ok(Stored::RefDelta(id)) => {
                    let named = named.get_or_insert_with(|| {
                        (0..positions.len()).map(|n| (pack.id(positions[n]), n as u32)).collect()
                    });
                    match named.get(&id) {
                        Some(&parent) => parents[node] = parent,
                        None => roots.push(node as u32),
                    }
                }
                Err(why) => broken.push((node as u32, why)),
            }
        }
        let mut first = vec![0u32; offsets.len() + 1];
        parents.iter().filter(|&&p| p != NONE).for_each(|&p| first[p as usize + 1] += 1);
        for i in 0..offsets.len() {
            first[i + 1] += first[i];
        }
        let mut next = first.clone();
        let mut children = vec![0u32; first[offsets.len()] as usize];
        for (node, &parent) in parents.iter().enumerate().filter(|(_, p)| **p != NONE) {
            children[next[parent as usize] as usize] = node as u32;
            next[parent as usize] += 1;
        }
        let mut graph = Graph { offsets, positions, first, children, parents, roots, broken };
        graph.cut_off();
        graph
    }

    /// Counts what no root leads to: deltas against each other, or against what is broken. Puts of
    /// each node's children that one last from which most is made: whoever goes depth first then
    /// comes back to few nodes only, however deep the deltas are.
    fn cut_off(&mut self) {
        let mut seen = vec![false; self.offsets.len()];
        let mut order: Vec<u32> = self.roots.clone();
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            seen[node as usize] = true;
            order.extend_from_slice(self.children(node));
            next += 1;
        }
        let mut weight = vec![1u32; self.offsets.len()];
        for &node in order.iter().rev() {
            let range = self.first[node as usize] as usize..self.first[node as usize + 1] as usize;
            self.children[range].sort_by_key(|&child| weight[child as usize]);
            if let Some(parent) = self.parent(node) {
                weight[parent as usize] += weight[node as usize];
            }
        }
        self.broken.iter().for_each(|(node, _)| seen[*node as usize] = true);
        let lost = (0..seen.len()).filter(|&n| !seen[n]);
        self.broken.extend(lost.map(|n| (n as u32, "the base of its delta cannot be read")));
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a node's entry begins.
    pub fn offset(&self, node: u32) -> u64 {
        self.offsets[node as usize]
    }

    /// A node's position in the index.
    pub fn position(&self, node: u32) -> u32 {
        self.positions[node as usize]
    }

    /// The nodes that are deltas against this one.
    pub fn children(&self, node: u32) -> &[u32] {
        &self.children[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }

    /// What a node is a delta against, within the pack.
    pub fn parent(&self, node: u32) -> Option<u32> {
        Some(self.parents[node as usize]).filter(|&p| p != NONE)
    }

    /// Where unfolding begins.
    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// Entries that cannot be read, and why.
    pub fn broken(&self) -> &[(u32, &'static str)] {
        &self.broken
    }
}
