//! Names and offsets of a pack's objects that come from elsewhere than the index beside it.

use crate::model::ObjectId;
use std::ops::Range;

/// The rows, sorted by name, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table(Vec<(ObjectId, u64)>);

impl Table {
    /// Sorts the rows.
    pub(super) fn new(mut rows: Vec<(ObjectId, u64)>) -> Self {
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.0);
        Table(rows)
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn row(&self, at: u32) -> (ObjectId, u64) {
        self.0.get(at as usize).copied().unwrap_or_default()
    }

    /// The position of the first name that is not less than `id`.
    pub(super) fn lower(&self, id: &ObjectId) -> u32 {
        self.0.partition_point(|row| row.0 < *id) as u32
    }

    /// Whether every offset is a place of its own within `entries`.
    pub(super) fn is_within(&self, entries: Range<u64>) -> bool {
        let mut places: Vec<u64> = self.0.iter().map(|row| row.1).collect();
        places.sort_unstable();
        places.iter().all(|p| entries.contains(p)) && places.windows(2).all(|p| p[0] < p[1])
    }
}
