//! What happened: each is written to the journal in the transaction that changes the state.

use super::action::Effect;
use super::frozen::Proof;
use super::rotation::{KeyId, Life, Phase, Snapshot, Which};
use crate::rotate::time::Moment;
use serde::{Deserialize, Serialize};

/// Something that happened to a rotation. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A worker holds the lease.
    Leased,
    /// The staging key is green, or not yet.
    Staging(bool),
    /// Sealing and sharing were looked at.
    Ground(Ground),
    /// The keys were listed.
    Keys(Keys),
    /// A store was read.
    Store {
        /// Which.
        store: usize,
        /// What it holds.
        sees: Sees,
        /// Its version.
        version: Option<String>,
    },
    /// A key was tried.
    Life {
        /// Which.
        which: Which,
        /// What was proved.
        life: Life,
    },
    /// An effect is announced.
    Intended(Effect),
    /// The announced effect has this outcome.
    Outcome(Outcome),
    /// A lost creation was looked for.
    Found(Found),
    /// The key of a lost change is in this state.
    Standing(State),
    /// The old key's use was looked at.
    Drain(Use),
    /// The old key's use was to be exported.
    Usage(Usage),
    /// What is left over was looked for.
    Swept(Swept),
    /// The machine moves on.
    Advanced,
    /// A person acted.
    Person(Person),
}

/// What is found of our own house.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// In order.
    Firm,
    /// The sealing key with this id is missing or wrong.
    SealingKey(String),
    /// Another lineage uses one of the stores.
    Shared(String),
}

/// A list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keys {
    /// The whole list.
    Listed {
        /// What is there.
        snapshot: Snapshot,
        /// Whether the slot that is to be regenerated is in use.
        slot_in_use: bool,
    },
    /// No usable answer.
    Unknown,
}

/// What a store was seen to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sees {
    /// The old key.
    Old,
    /// The old key for readers and the new one waiting.
    Pending,
    /// The new key.
    New,
    /// A key of an earlier attempt of this rotation.
    Former,
    /// Something else, or nothing.
    Foreign,
    /// It cannot be read back.
    Blind,
    /// No usable answer.
    Unknown,
}

/// The outcome of an announced effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A key was made.
    Created(KeyId),
    /// A store took the value and has this version now.
    Stored(String),
    /// A key was changed, or was so before.
    Changed,
    /// Proved that nothing was changed.
    Refused(Refusal),
    /// The store's version is another than expected; nothing was changed.
    Conflict,
    /// Nothing is proved.
    Unknown,
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Later perhaps: a rate limit, maintenance.
    Busy,
    /// No room.
    Quota,
    /// No right to it, or not a lawful request.
    Denied,
}

/// The state of a key at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is there and in force.
    Enabled,
    /// It is there and switched off.
    Disabled,
    /// It is not there.
    Gone,
    /// No usable answer.
    Unknown,
}

/// What was found of a lost creation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Nothing.
    Nothing,
    /// The key, with its value at hand.
    Whole(KeyId),
    /// Keys of ours whose value is lost.
    Lost(Vec<KeyId>),
    /// A key that may be ours.
    Doubtful(KeyId),
    /// No usable answer.
    Unknown,
    /// The repetition under the same token was refused, which says nothing of the first.
    Refused(Refusal),
}

/// Whether the old key is used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// By this source, complete up to `watermark`, it was last used at `last`.
    Seen {
        /// The source.
        proof: Proof,
        /// Last use; none for never.
        last: Option<Moment>,
        /// Up to when the source is complete.
        watermark: Moment,
    },
    /// A source without times says that nobody uses it.
    Quiet(Proof),
    /// By this source, which sees the present only, it is in use at this moment, or not.
    Now {
        /// The source.
        proof: Proof,
        /// Whether it is in use.
        busy: bool,
    },
    /// Nothing is proved.
    Unproved,
}

/// What became of an export.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// Kept.
    Kept {
        /// SHA-256 of the export.
        digest: String,
        /// Watermark.
        through: Moment,
    },
    /// The provider has no such figures.
    None,
    /// No usable answer.
    Unknown,
}

/// What is left over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Swept {
    /// These keys are ours and not needed.
    Ours(Vec<KeyId>),
    /// This key may be ours.
    Doubtful(KeyId),
    /// No usable answer.
    Unknown,
}

/// What a person did. Whoever hands it in has checked that the person may.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub by: String,
    /// What.
    pub does: Does,
}

/// What a person may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// Approves the plan with this hash.
    Approve(String),
    /// Says that the consumers have the new key, for the plan with this hash.
    Ack(String),
    /// Stops it, with a reason.
    Pause(String),
    /// Lets a paused rotation go on.
    Resume,
    /// Has mended what it is stuck at.
    Retry,
    /// Lets the old key go though it may be in use, with a reason.
    Force(String),
    /// Does without the export, with a reason.
    BreakGlass(String),
    /// Allows the foreign value in this store to be overwritten.
    Overwrite(usize),
    /// Declares that this key is not ours.
    Disown(KeyId),
    /// Wants to go back.
    Abort,
    /// Declares the old key leaked. `capped` when today's emergencies are used up.
    Emergency {
        /// Whether the daily cap is reached.
        capped: bool,
    },
}

/// Why an event cannot be applied. The state is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The rotation has ended.
    #[error("the rotation has ended ({0}): plan a new one")]
    Ended(Phase),
    /// The machine would not do this now: somebody else moved it on.
    #[error("the rotation has moved on since; look at it again")]
    Overtaken,
    /// There is no open effect.
    #[error("no effect is open")]
    NoIntent,
    /// The approval is for another plan.
    #[error("the approval is for another plan")]
    OtherPlan,
    /// Nothing halts it in that way.
    #[error("nothing waits for this")]
    NotAsked,
    /// The old key cannot take over.
    #[error("there is no way back: the old key is leaked, dead or cannot be restored")]
    NoWayBack,
    /// No such store.
    #[error("there is no store {0}")]
    NoStore(usize),
    /// The answer does not belong to the question.
    #[error("this outcome does not belong to the open effect")]
    Unfit,
}
