//! Names of files and folders, each judged once however many trees hold it.

use crate::source::git::parse::Entry;
use crate::source::git::trees::Reader;
use ahash::{AHashMap, AHashSet, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names that are remembered to have been judged.
const NAMES: usize = 1 << 22;

/// What a name is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It has to be searched.
    pub(super) hot: bool,
    /// Rules want a file by it.
    pub(super) wanted: bool,
}

/// The tree that a thread has read before, and the names in it that have to be searched.
#[derive(Default)]
pub(super) struct Before {
    pub(super) reader: Reader,
    /// Each with the number of its entry.
    pub(super) hot: Vec<(usize, Box<[u8]>)>,
}

/// The names that were judged, by hashes that nobody can foresee.
#[derive(Default)]
pub(super) struct Names {
    hasher: RandomState,
    judged: Mutex<Judged>,
}

#[derive(Default)]
struct Judged {
    /// Worth nothing, as nearly all are.
    cold: AHashSet<u64>,
    warm: AHashMap<u64, Verdict>,
}

impl Names {
    /// Those entries whose names are worth something.
    pub(super) fn judge<'t>(
        &self,
        entries: &[(usize, Entry<'t>)],
        judge: &dyn Fn(&[u8]) -> Verdict,
    ) -> Vec<(usize, Entry<'t>, Verdict)> {
        if entries.is_empty() {
            return Vec::new();
        }
        let (mut warm, mut unknown) = (Vec::new(), Vec::new());
        {
            let known = self.lock();
            for &(at, entry) in entries {
                let hash = self.hasher.hash_one(entry.name);
                if known.cold.contains(&hash) {
                    continue;
                }
                match known.warm.get(&hash) {
                    Some(&verdict) => warm.push((at, entry, verdict)),
                    None => unknown.push((at, entry, hash)),
                }
            }
        }
        if unknown.is_empty() {
            return warm;
        }
        // A tree may hold a name many times.
        let mut fresh: AHashMap<u64, Verdict> = AHashMap::new();
        for (at, entry, hash) in unknown {
            let verdict = *fresh.entry(hash).or_insert_with(|| judge(entry.name));
            if verdict.is_warm() {
                warm.push((at, entry, verdict));
            }
        }
        let mut known = self.lock();
        // Whoever makes up names without end has them judged twice, and costs no memory.
        if known.cold.len() + known.warm.len() > NAMES {
            *known = Judged::default();
        }
        for (hash, verdict) in fresh {
            if verdict.is_warm() {
                known.warm.insert(hash, verdict);
            } else {
                known.cold.insert(hash);
            }
        }
        warm
    }

    fn lock(&self) -> MutexGuard<'_, Judged> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verdict {
    fn is_warm(self) -> bool {
        self.hot || self.wanted
    }
}
