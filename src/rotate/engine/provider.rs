//! The seam to a provider: calls about keys, each of which is done, refused or unknown.

use crate::model::Secret;
use crate::rotate::machine::{KeyId, Life, Refusal, State};
use crate::rotate::time::Moment;
use std::time::Instant;

/// The bound of one call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// No answer after this is waited for.
    pub deadline: Instant,
}

/// What a call proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It was done, or had been before.
    Done(T),
    /// Proved that nothing was changed. The words hold no secret.
    Refused(Refusal, String),
    /// Nothing is proved. The words hold no secret.
    Unknown(String),
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// A name that only this attempt uses. A provider that takes names gets it.
    pub name: &'a str,
    /// A token that only this attempt uses, for providers that know repetitions by it.
    pub token: &'a str,
    /// The value, where the caller chooses it. A provider that has the very value already answers as if it had
    /// just been made.
    pub value: Option<&'a Secret>,
    /// The key whose scopes, limits, restrictions and owner the new one gets.
    pub like: &'a KeyId,
}

/// A key that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The provider's id.
    pub id: KeyId,
    /// Its value.
    pub value: Secret,
}

/// When a key was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// Never.
    Never,
    /// Then.
    At(Moment),
    /// The provider does not say.
    Unsaid,
    /// It is in use at this moment, or not; the provider keeps nothing of the past.
    Now(bool),
}

/// A key in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The provider's id.
    pub id: KeyId,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// When it was made, where that is said.
    pub created: Option<Moment>,
    /// When it was last used.
    pub used: Used,
    /// Whether it is in force.
    pub enabled: bool,
    /// For keys that change in place: a stamp that changes with the value.
    pub stamp: Option<String>,
}

/// The use of a key as the provider gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// As it came, without secrets.
    pub body: Vec<u8>,
    /// Complete up to then.
    pub through: Moment,
}

/// A provider's calls for one lineage. Each method makes at most one change, and tries it once: what to repeat is
/// the engine's to know. Capabilities are frozen in the rotation; a method that the provider lacks is not called.
pub trait Provider {
    /// A value of the right shape, where the caller chooses it.
    fn propose(&self) -> Option<Secret> {
        None
    }

    /// Whether keys that people made beforehand serve: the value is then drawn from the lineage's pool.
    fn draws(&self) -> bool {
        false
    }

    /// What the key of an attempt is called where keys cannot be listed. `like` is the key that goes.
    fn id(&self, name: &str, like: &KeyId) -> KeyId {
        let _ = like;
        KeyId(name.to_owned())
    }

    /// Makes a key.
    fn create(&self, call: Call, wish: &Wish<'_>) -> Answer<Made>;

    /// Every key that could be mistaken for one of the lineage.
    fn list(&self, call: Call) -> Answer<Vec<Listed>>;

    /// The value of a key, where it can be read afterwards.
    fn reveal(&self, call: Call, key: &KeyId) -> Answer<Option<Secret>>;

    /// Whether a key works, tried by its value.
    fn verify(&self, call: Call, value: &Secret) -> Life;

    /// The state of one key.
    fn state(&self, call: Call, key: &KeyId) -> State {
        match self.list(call) {
            Answer::Done(list) => match list.iter().find(|k| k.id == *key) {
                Some(k) if k.enabled => State::Enabled,
                Some(_) => State::Disabled,
                None => State::Gone,
            },
            Answer::Refused(..) | Answer::Unknown(_) => State::Unknown,
        }
    }

    /// Switches a key off. One that is off or gone is done.
    fn disable(&self, call: Call, key: &KeyId) -> Answer<()>;

    /// Switches a key on.
    fn enable(&self, call: Call, key: &KeyId) -> Answer<()>;

    /// Deletes this one key and nothing above it. One that is gone is done.
    fn delete(&self, call: Call, key: &KeyId) -> Answer<()>;

    /// The use of a key as far back as it goes; none where there are no such figures.
    fn usage(&self, call: Call, key: &KeyId) -> Answer<Option<Figures>>;

    /// What the last call that was not done came to, for a person and without a secret; told once.
    fn said(&self) -> Option<String> {
        None
    }

    /// When a key was last used, and up to when that is complete.
    fn last_used(&self, call: Call, key: &KeyId) -> Answer<(Used, Moment)>;
}
