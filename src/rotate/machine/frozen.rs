//! What policy and provider say of one rotation, frozen when it is planned.

use super::class::Powers;
use crate::rotate::time::Span;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The part of the policy that the machine needs. A copy and its hash go into each rotation, so that a later
/// edit of the policy changes no rotation that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// Which comes first in a scheduled rotation.
    pub path: Path,
    /// How long both keys work after the last store holds the new one.
    pub overlap: Span,
    /// How long the old key may stay in use after that before a person is asked.
    pub max_overlap: Span,
    /// How long the old key must show no use before it is switched off.
    pub quiet: Span,
    /// How long the old key stays switched off, and can come back, before it is deleted.
    pub soak: Span,
    /// What is accepted as proof that nobody uses the old key, strongest first.
    pub proofs: Vec<Proof>,
    /// Whether the old key's use must be exported before it goes.
    pub export: Export,
    /// How many people must agree to the plan.
    pub approvals: u8,
    /// How many people must say that the consumers have the new key, where that is the proof.
    pub acks: u8,
    /// The lineage of the staging key that is rotated first, and how long it must have worked.
    pub staging: Option<Staging>,
    /// Where the new key goes, in order.
    pub stores: Vec<Target>,
    /// How often an unfinished matter is looked at.
    pub poll: Span,
    /// How often the old key is tried during the overlap; zero for never.
    pub probe: Span,
    /// Whether trying the old key counts as its use, so that it is left alone during the quiet time.
    pub probes_count: bool,
    /// How many answers in a row may prove nothing before a person is asked.
    pub patience: u8,
    /// What is different in an emergency.
    pub emergency: Emergency,
    /// What the provider can do.
    pub powers: Powers,
}

/// What is different when a key is known to be leaked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// Which comes first.
    pub path: Path,
    /// How long both keys work; often zero.
    pub overlap: Span,
    /// How long the old key stays switched off before it is deleted.
    pub soak: Span,
    /// After that long without the old key's use exported, the rotation goes on without and says so.
    pub export_deadline: Span,
    /// How many people must agree.
    pub approvals: u8,
    /// How often an unfinished matter is looked at.
    pub poll: Span,
    /// How many emergencies of one lineage may begin by themselves on one day (UTC).
    pub daily_cap: u32,
}

/// Which of the two keys is dealt with first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// The new key works everywhere before the old one is touched.
    CreateFirst,
    /// The old key is switched off before the new one is made. There is no way back.
    RevokeFirst,
}

/// Whether the old key's use must be exported before anything that cannot be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Export {
    /// Without it a person must decide.
    Required,
    /// Where the provider offers it; else the rotation notes that there is none.
    Offered,
}

/// A proof that nobody uses the old key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The provider's usage figures by key.
    Usage,
    /// The provider's time of last use.
    LastUsed,
    /// Every consumer was rolled out anew.
    Rollout,
    /// Logs of a gateway through which all calls run.
    Gateway,
    /// Every consumer said so.
    Ack,
    /// A command that proves that the consumers work.
    Smoke,
    /// Only time: nothing is proved.
    Timer,
}

/// A lineage that goes first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staging {
    /// Id of the staging lineage.
    pub lineage: String,
    /// How long its new key must have worked.
    pub green: Span,
}

/// A place where the new key goes, as far as the machine cares.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name of the store in the organisation's file.
    pub name: String,
    /// Whether a written value must be promoted before readers get it.
    pub staged: bool,
    /// Whether the value can be read back.
    pub readable: bool,
}

impl std::hash::Hash for Frozen {
    /// Of the few fields that differ between rotations that are compared: a hash need not tell all apart.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.path, self.emergency.path, self.overlap, self.powers.class).hash(state);
    }
}

impl Frozen {
    /// SHA-256 over its canonical JSON, in hexadecimal digits.
    pub fn hash(&self) -> String {
        digest(&serde_json::to_vec(self).expect("because it holds plain numbers, names and lists"))
    }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
