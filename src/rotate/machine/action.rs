//! What is to be done next.

use super::class::Look;
use super::halt::Halt;
use super::rotation::{KeyId, Phase, Which};
use crate::rotate::time::Moment;
use serde::{Deserialize, Serialize};

/// The one next thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Take the lease.
    Begin,
    /// Read; may be repeated at will.
    Read(Read),
    /// Announce, do once, write down the outcome.
    Effect(Effect),
    /// An announced effect has no outcome: find out, do not repeat.
    Reconcile(Reconcile),
    /// Write down that the machine moves on.
    Advance,
    /// Nothing to do before that time.
    Wait(Moment),
    /// A person must act.
    Ask(Ask),
    /// Nothing follows.
    Finish(Phase),
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// That many more approvals of the plan.
    Approve(u8),
    /// To resolve what halts it.
    Resolve(Halt),
}

/// A read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// Is the staging key green?
    Staging,
    /// Does sealing round-trip, and does no other lineage use these stores?
    Ground,
    /// Which keys are there?
    Keys,
    /// What does this store hold?
    Store(usize),
    /// Does this key work?
    Verify(Which),
    /// Is the old key still used?
    Drain,
    /// Export the old key's use.
    Usage,
    /// Is anything of ours left over?
    Sweep,
}

/// A change outside. Exactly one call each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Make a key; the number names the attempt.
    Create(u32),
    /// Write the new key to this store.
    Write(usize),
    /// Give the written key to the store's readers.
    Promote(usize),
    /// Write the old key back to this store.
    Restore(usize),
    /// Switch this key off.
    Disable(KeyId),
    /// Switch the old key on again.
    Enable(KeyId),
    /// Delete this key.
    Delete(KeyId),
}

/// How an effect without outcome is cleared up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reconcile {
    /// Look for a new key.
    Key(Look),
    /// Read this store.
    Store(usize),
    /// Ask in which state this key is.
    Standing(KeyId),
}
