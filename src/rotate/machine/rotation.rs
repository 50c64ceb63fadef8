//! The state of one rotation: everything the next decision depends on, and nothing secret.

use super::action::Effect;
use super::class::Powers;
use super::frozen::{Frozen, Path, Proof, digest};
use super::halt::Halt;
use crate::rotate::time::{Moment, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What a provider calls a key: its public id, never its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a rotation stands. What a phase is named after is done, or under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Written down; waits for approvals and for the staging key.
    Planned,
    /// A worker holds the lease.
    Leased,
    /// Reads that must succeed before anything is changed.
    Preflight,
    /// The new key is being made.
    Creating,
    /// The new key exists and has not yet been seen to work.
    Created,
    /// The new key works.
    Verified,
    /// The new key is being written to the stores.
    Distributing,
    /// Every store holds the new key; both keys work.
    Overlap,
    /// Nobody uses the old key any more, or that no longer matters.
    Drained,
    /// The old key's use is exported, or a reason is recorded why it is not.
    UsageExported,
    /// The old key is being switched off.
    Disabling,
    /// The old key is off and can still come back.
    Disabled,
    /// The old key and whatever is left over are being deleted.
    Deleting,
    /// The new key works everywhere, the old one is dead.
    Done,
    /// The stores get the old key back and the new one is removed.
    RollingBack,
    /// The old key works everywhere, the new one is gone.
    RolledBack,
    /// Nothing was changed.
    Aborted,
}

impl Phase {
    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        matches!(self, Phase::Done | Phase::RolledBack | Phase::Aborted)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Planned => "planned",
            Phase::Leased => "leased",
            Phase::Preflight => "preflight",
            Phase::Creating => "creating",
            Phase::Created => "created",
            Phase::Verified => "verified",
            Phase::Distributing => "distributing",
            Phase::Overlap => "overlap",
            Phase::Drained => "drained",
            Phase::UsageExported => "usage-exported",
            Phase::Disabling => "disabling",
            Phase::Disabled => "disabled",
            Phase::Deleting => "deleting",
            Phase::Done => "done",
            Phase::RollingBack => "rolling-back",
            Phase::RolledBack => "rolled-back",
            Phase::Aborted => "aborted",
        })
    }
}

/// One of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// The key that goes.
    Old,
    /// The key that comes.
    New,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Which::Old => "old",
            Which::New => "new",
        })
    }
}

/// What a live check proved last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// It works.
    Live,
    /// It does not work.
    Dead,
    /// Nothing is proved.
    Unknown,
}

/// What we, or the provider, did to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// In force.
    Enabled,
    /// Switched off by us.
    Disabled,
    /// Deleted by us, or ended by the provider's own clock.
    Deleted,
}

/// A key of this rotation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The provider's id.
    pub id: KeyId,
    /// What was proved last.
    pub life: Life,
    /// What we did to it.
    pub standing: Standing,
    /// When it was made or its standing last changed.
    pub changed: Moment,
    /// Whether a store ever held it, so that its use is worth keeping.
    pub handed_out: bool,
}

impl Key {
    /// A key that is in force and has not been tried.
    pub fn new(id: KeyId, changed: Moment) -> Key {
        Key { id, life: Life::Unknown, standing: Standing::Enabled, changed, handed_out: false }
    }
}

/// What a store is known to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// The old key.
    Old,
    /// The old key for readers, the new one waiting to be promoted.
    Pending,
    /// The new key.
    New,
    /// A key that an earlier attempt of this rotation made.
    Former,
    /// One of ours; which is not known.
    Unsure,
}

/// A store as this rotation knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// What it holds.
    pub holds: Holds,
    /// The version that the next write expects; none before it was read.
    pub version: Option<String>,
    /// Versions that a write or a read went beyond: a read that shows one of them lags behind and proves nothing.
    pub past: Vec<String>,
    /// Whether it was read since the last write, and confirmed what `holds` says.
    pub seen: bool,
    /// Whether a person allowed a foreign value to be overwritten.
    pub overwrite: bool,
}

impl Place {
    /// Moves on to a version.
    pub(super) fn move_to(&mut self, version: String) {
        self.past.retain(|past| *past != version);
        if let Some(before) = self.version.replace(version)
            && !before.is_empty()
            // It names a value, which may come back.
            && !before.starts_with('=')
            && self.version.as_ref() != Some(&before)
            && !self.past.contains(&before)
        {
            self.past.push(before);
        }
    }

    /// Forgets the version, so that the store is read before it is written; a read of that version is not stale.
    pub(super) fn forget(&mut self) {
        (self.version, self.seen) = (None, false);
    }
}

/// An effect that was announced and whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// What was to be done.
    pub effect: Effect,
    /// When it was announced.
    pub at: Moment,
    /// How often nothing was found of it.
    pub looks: u8,
}

/// What became of the old key's use.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exported {
    /// Kept, with its digest, complete up to that time.
    Kept {
        /// SHA-256 of the export.
        digest: String,
        /// Watermark of the provider's figures.
        through: Moment,
    },
    /// Not kept, and why: the provider has none, a deadline passed, or a person broke the glass.
    Waived(String),
}

/// What the list of keys showed just before a creation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// Ids that were there.
    pub ids: Vec<KeyId>,
    /// For slots and in-place changes: digest or stamp by which a change is recognised.
    pub mark: Option<String>,
}

/// Which kind of rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// By the calendar.
    Scheduled,
    /// The old key is leaked.
    Emergency,
}

/// One rotation of a lineage from generation *g* to *g+1*.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rotation {
    /// The lineage.
    pub lineage: String,
    /// The generation of the new key.
    pub generation: u64,
    /// Scheduled or emergency.
    pub kind: Kind,
    /// The frozen policy and powers.
    pub frozen: Frozen,
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub since: Moment,
    /// Why it waits for a person, if it does.
    pub halt: Option<Halt>,
    /// The key that goes.
    pub old: Key,
    /// Whether the old key's value is at hand, so that stores can get it back.
    pub old_at_hand: bool,
    /// Whether the old key died before we touched it.
    pub died_early: bool,
    /// When the old key was last tried.
    pub probed: Moment,
    /// The key that comes.
    pub new: Option<Key>,
    /// Number of the attempt to make it; names and tokens derive from it.
    pub attempt: u32,
    /// New keys in a row that did not work.
    pub duds: u8,
    /// Keys of ours that must not be left over.
    pub discards: Vec<Key>,
    /// Keys that a person declared not ours.
    pub disowned: Vec<KeyId>,
    /// The list before the creation.
    pub snapshot: Option<Snapshot>,
    /// The ids of the first such list: what is not among them may be ours.
    pub baseline: Option<Vec<KeyId>>,
    /// When the first creation was announced.
    pub first_create: Option<Moment>,
    /// When the last creation was announced.
    pub last_create: Option<Moment>,
    /// The stores, in the order of `frozen.stores`.
    pub places: Vec<Place>,
    /// The effect that is open.
    pub intent: Option<Intent>,
    /// Whether the old key is to be tried before anything else.
    pub check_old: bool,
    /// Whether the new key is to be tried before anything else.
    pub check_new: bool,
    /// Whether sealing and sharing were found in order.
    pub ground: bool,
    /// Whether the staging key was found green.
    pub staged: bool,
    /// Earliest time of the next look.
    pub not_before: Option<Moment>,
    /// Answers in a row that proved nothing.
    pub tries: u8,
    /// Who approved.
    pub approvals: BTreeSet<String>,
    /// Who said that the consumers have the new key.
    pub acks: BTreeSet<String>,
    /// When the last store was confirmed.
    pub distributed: Option<Moment>,
    /// Since when every look of a source that sees the present only found the old key out of use.
    #[serde(default)]
    pub idle_since: Option<Moment>,
    /// The proof of drain that was reached.
    pub proof: Option<Proof>,
    /// What became of the old key's use.
    pub exported: Option<Exported>,
    /// When the export was first tried.
    pub export_since: Option<Moment>,
    /// Why the old key may go though it may be in use.
    pub forced: Option<String>,
    /// Whether a person wants to go back.
    pub abort: bool,
    /// Whether nothing of ours was found left over.
    pub swept: bool,
}

impl Rotation {
    /// A rotation that was just planned. `old_at_hand` says whether the old key's value can be had.
    pub fn plan(
        lineage: &str,
        generation: u64,
        frozen: Frozen,
        old: KeyId,
        old_at_hand: bool,
        now: Moment,
    ) -> Self {
        let place =
            Place { holds: Holds::Old, version: None, past: Vec::new(), seen: false, overwrite: false };
        let mut old = Key::new(old, now);
        old.handed_out = true;
        Rotation {
            lineage: lineage.to_owned(),
            generation,
            kind: Kind::Scheduled,
            phase: Phase::Planned,
            since: now,
            halt: None,
            old,
            old_at_hand,
            died_early: false,
            probed: now,
            new: None,
            attempt: 1,
            duds: 0,
            discards: Vec::new(),
            disowned: Vec::new(),
            snapshot: None,
            baseline: None,
            first_create: None,
            last_create: None,
            places: vec![place; frozen.stores.len()],
            intent: None,
            check_old: false,
            check_new: false,
            ground: false,
            staged: false,
            not_before: None,
            tries: 0,
            approvals: BTreeSet::new(),
            acks: BTreeSet::new(),
            distributed: None,
            idle_since: None,
            proof: None,
            exported: None,
            export_since: None,
            forced: None,
            abort: false,
            swept: false,
            frozen,
        }
    }

    /// What approvals and acknowledgements are bound to: lineage, generation, old key and frozen policy.
    pub fn plan_hash(&self) -> String {
        digest(
            format!("{}\0{}\0{}\0{}", self.lineage, self.generation, self.old.id, self.frozen.hash())
                .as_bytes(),
        )
    }

    /// What the provider can do.
    pub fn powers(&self) -> &Powers {
        &self.frozen.powers
    }

    /// Whether the old key is known to be leaked.
    pub fn is_emergency(&self) -> bool {
        self.kind == Kind::Emergency
    }

    /// Which key is dealt with first. A key that is changed in place knows one path only.
    pub fn path(&self) -> Path {
        match self.kind {
            _ if self.powers().class.in_place() => Path::CreateFirst,
            Kind::Scheduled => self.frozen.path,
            Kind::Emergency => self.frozen.emergency.path,
        }
    }

    /// Whether nobody is to be spared any more: waits for overlap and drain are skipped.
    pub fn hurries(&self) -> bool {
        self.is_emergency() || self.died_early
    }

    /// How often an unfinished matter is looked at.
    pub fn poll(&self) -> Span {
        if self.hurries() { self.frozen.emergency.poll } else { self.frozen.poll }
    }

    /// How long both keys work. In place, the provider's clock says.
    pub fn overlap(&self) -> Span {
        match self.kind {
            _ if self.died_early => Span::ZERO,
            Kind::Scheduled => self.frozen.overlap,
            Kind::Emergency => self.frozen.emergency.overlap,
        }
    }

    /// How long the old key stays off before it is deleted.
    pub fn soak(&self) -> Span {
        if self.is_emergency() { self.frozen.emergency.soak } else { self.frozen.soak }
    }

    /// Whether the old key can take over again: never a leaked one, never one that is gone.
    pub fn can_go_back(&self) -> bool {
        let never_made = self.first_create.is_none();
        let standing = match self.old.standing {
            Standing::Enabled => true,
            Standing::Disabled => self.powers().enable,
            Standing::Deleted => false,
        };
        let handed = self.places.iter().any(|p| p.holds != Holds::Old);
        let in_place = self.powers().class.in_place() && !never_made;
        standing
            && !in_place
            && !self.died_early
            && !self.is_emergency()
            && self.path() == Path::CreateFirst
            && (self.old_at_hand || !handed)
    }

    /// Whether the old key is to be switched off before anything else.
    pub fn revokes_now(&self) -> bool {
        self.path() == Path::RevokeFirst
            && self.old.standing == Standing::Enabled
            && (self.powers().disable || self.powers().delete)
            && self.phase >= Phase::Preflight
            && self.phase < Phase::Disabling
    }
}
