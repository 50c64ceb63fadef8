//! What goes wrong at which call, by seed or by number.

use crate::rotate::machine::digest;
use std::collections::BTreeMap;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives, and nobody learns that.
    Cut,
    /// It arrives and its answer is lost.
    Lost,
    /// It arrives twice.
    Twice,
    /// Refused for now: a rate limit.
    Busy,
    /// Refused: no right.
    Denied,
    /// Refused: no room.
    Full,
    /// A store's version moved on.
    Conflict,
}

/// When what goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Decides which calls fail and how; the same seed gives the same faults.
    pub seed: u64,
    /// Of a thousand calls, so many fail.
    pub per_mille: u64,
    /// Faults of single calls, by number from 1.
    pub at: BTreeMap<u64, Fault>,
}

impl Faults {
    /// The fault of the `n`th call, if it has one. By seed come only those that pass.
    pub fn of(&self, n: u64) -> Option<Fault> {
        if let Some(fault) = self.at.get(&n) {
            return Some(*fault);
        }
        let hash = digest(format!("fault {} {n}", self.seed).as_bytes());
        let number = u64::from_str_radix(&hash[..12], 16).unwrap_or(0);
        if number % 1000 >= self.per_mille {
            return None;
        }
        Some([Fault::Cut, Fault::Lost, Fault::Twice, Fault::Busy][(number / 1000 % 4) as usize])
    }
}
