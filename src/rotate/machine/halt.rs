//! Why a rotation waits for a person, in words that say what to do.

use super::rotation::{KeyId, Which};
use crate::rotate::time::Moment;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a rotation waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halt {
    /// A person or a cap stopped it. `resume` lets it go on.
    Paused(Pause),
    /// The old key is still in use after the longest overlap. `revoke --force` or `abort` lets it go on.
    Blocked(InUse),
    /// It cannot decide by itself. What to do is in the words of [`Stuck`].
    Stuck(Stuck),
}

/// Who paused a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pause {
    /// A person, with a reason.
    Person(String),
    /// As many emergencies of this lineage began today as the policy allows.
    DailyCap,
}

/// What is known of the old key's use when the longest overlap is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InUse {
    /// It was used at that time.
    LastUsed(Moment),
    /// No source proved anything.
    Unproved,
}

/// What a rotation cannot decide by itself. The words say what a person must do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Stuck {
    /// The sealing key is missing or wrong.
    #[error("the sealed key material cannot be opened: give the sealing key `{0}`, then retry")]
    SealingKey(String),
    /// Another lineage writes to the same place.
    #[error(
        "lineage `{0}` uses the same store: one key cannot be rotated without the other; separate them, then retry"
    )]
    Shared(String),
    /// A store holds a value that is neither key.
    #[error(
        "store {0} holds neither the old nor the new key: find out who wrote it, then retry, or overwrite it"
    )]
    Foreign(usize),
    /// A store does not confirm what was written.
    #[error("store {0} does not confirm what was written: look at it, then retry")]
    Unconfirmed(usize),
    /// A store refused.
    #[error("store {0} refused the write: mend its access, then retry or abort")]
    StoreRefused(usize),
    /// No room for another key.
    #[error("the provider has no room for another key: delete one that is not needed, then retry or abort")]
    Quota,
    /// The idle slot is in use.
    #[error("the idle slot is in use, so it cannot be regenerated: move its users, then retry or abort")]
    SlotInUse,
    /// The provider refused a change.
    #[error("the provider refused to {0}: mend the administrator's access, then retry or abort")]
    Refused(Verb),
    /// A key cannot be proved alive or dead.
    #[error("the {0} key cannot be proved alive or dead: look at the provider, then retry or abort")]
    Unverifiable(Which),
    /// Several new keys in a row did not work.
    #[error("no new key works: look at the provider, then retry or abort")]
    NoneWorks,
    /// Keys turned up that may be ours.
    #[error("key {0} was made by an unknown hand: if it is nobody's, delete it and retry; else disown it")]
    Surplus(KeyId),
    /// The old key still works though it was switched off.
    #[error("the old key still works though the provider called it off: look there, then retry")]
    StillAlive,
    /// The old key's use cannot be exported.
    #[error(
        "the old key's use cannot be exported and is lost with the key: retry, or break glass with a reason"
    )]
    Export,
    /// The provider or store gives no usable answer.
    #[error("no usable answer to {0} after many tries: see that it can be reached, then retry")]
    Silent(Verb),
    /// An in-place change happened and its value is lost.
    #[error(
        "the provider changed the key and its answer is lost; changing it again ends the old value at once: retry to do that"
    )]
    LostInPlace,
    /// Neither key works.
    #[error("neither key can be used and the provider allows no way back: make a key by hand, then retry")]
    NoKey,
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Make a key.
    Create,
    /// Switch a key off.
    Disable,
    /// Switch a key on again.
    Enable,
    /// Delete a key.
    Delete,
    /// List the keys.
    List,
    /// Write to a store.
    Write,
    /// Read a store.
    Read,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Create => "make a key",
            Verb::Disable => "switch a key off",
            Verb::Enable => "switch a key on",
            Verb::Delete => "delete a key",
            Verb::List => "list the keys",
            Verb::Write => "write to a store",
            Verb::Read => "read a store",
        })
    }
}
