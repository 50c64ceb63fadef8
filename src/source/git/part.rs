//! One pack of a survey: its graph, made when it is needed, and what of it is new.

use super::memory::Memory;
use super::pack::{Graph, Pack};
use crate::model::ObjectId;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// A pack that is surveyed.
pub(super) struct Part<'a> {
    /// The pack.
    pub(super) pack: &'a Pack,
    graph: OnceLock<Graph>,
    news: OnceLock<News>,
}

/// What of a pack was not looked at before.
enum News {
    All,
    None,
    /// By node: what is new, and what has to be unfolded for it.
    Some {
        new: Vec<bool>,
        needed: Vec<bool>,
    },
}

impl<'a> Part<'a> {
    /// Nothing of it is known.
    pub(super) fn new(pack: &'a Pack) -> Self {
        Part { pack, graph: OnceLock::new(), news: OnceLock::new() }
    }

    /// Which entry is a delta against which. Reads the head of every entry the first time.
    pub(super) fn graph(&self) -> &Graph {
        self.graph.get_or_init(|| Graph::new(self.pack))
    }

    /// Whether the heads of its entries were read.
    pub(super) fn has_graph(&self) -> bool {
        self.graph.get().is_some()
    }

    /// The name of a node.
    pub(super) fn id(&self, node: u32) -> ObjectId {
        self.pack.id(self.graph().position(node))
    }

    /// Asks what of it was looked at, here or in another pack. Once.
    pub(super) fn ask(&self, memory: &dyn Memory) {
        self.news.get_or_init(|| {
            if memory.is_empty() {
                return News::All;
            }
            let new: Vec<bool> = (0..self.pack.len()).map(|at| !memory.knows(&self.pack.id(at))).collect();
            if !new.contains(&true) {
                return News::None;
            }
            let graph = self.graph();
            let new: Vec<bool> =
                (0..graph.len() as u32).map(|node| new[graph.position(node) as usize]).collect();
            let needed = self.above(|node| new[node as usize]);
            News::Some { new, needed }
        });
    }

    /// Whether nothing of it is new.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.news.get(), Some(News::None))
    }

    /// Whether a node is new.
    pub(super) fn is_new(&self, node: u32) -> bool {
        match self.news.get() {
            Some(News::Some { new, .. }) => new[node as usize],
            Some(News::None) => false,
            Some(News::All) | None => true,
        }
    }

    /// What has to be unfolded for what is new; all of it if `None`.
    pub(super) fn needed(&self) -> Option<&[bool]> {
        match self.news.get() {
            Some(News::Some { needed, .. }) => Some(needed),
            _ => None,
        }
    }

    /// What has to be unfolded for the wanted objects; `None` if it holds none of them.
    pub(super) fn leading_to(&self, wanted: &BTreeSet<ObjectId>) -> Option<Vec<bool>> {
        if wanted.iter().all(|id| self.pack.find(id).is_none()) {
            return None;
        }
        Some(self.above(|node| wanted.contains(&self.id(node))))
    }

    /// The nodes that fit, with all that they are deltas against.
    fn above(&self, fits: impl Fn(u32) -> bool) -> Vec<bool> {
        let graph = self.graph();
        let mut needed = vec![false; graph.len()];
        for node in (0..graph.len() as u32).filter(|&n| fits(n)) {
            let mut at = Some(node);
            while let Some(n) = at.filter(|&n| !std::mem::replace(&mut needed[n as usize], true)) {
                at = graph.parent(n);
            }
        }
        needed
    }
}
