//! One lineage of keys: the same place in the organisation, whichever value stands there today.

use super::Whence;
use crate::model::Fingerprint;
use crate::rotate::policy::{Name, Settings, Text};
use crate::rotate::roles::{Pair, RolesError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// The owner that stands for somebody outside: a customer or another team who makes the keys.
const BYOK: &str = "byok";

/// `[[key]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Unique and lasting: journals, audit and jitter go by it.
    pub id: Name,
    /// The team that looks after it.
    pub team: Name,
    /// The service that uses it.
    pub service: Name,
    /// `production`, `staging` and the like.
    pub environment: Name,
    /// The provider's id in the rules.
    pub provider: Name,
    /// The rule that finds such keys.
    pub rule: Name,
    /// Project, user or resource at the provider.
    pub account: Text,
    /// What the provider calls the current value: its public id, for the first rotation. Later the journal knows it.
    #[serde(default, rename = "key-id")]
    pub key_id: Option<Text>,
    /// What the rule's calls ask for, such as a project id: name → value.
    #[serde(default)]
    pub ask: BTreeMap<Name, Text>,
    /// Two roles of a database that take turns, where the key is a connection string.
    #[serde(default)]
    pub roles: Option<Roles>,
    /// What kind of key it is, by a `[class.NAME]`.
    #[serde(default)]
    pub class: Option<Name>,
    /// Fingerprints of its values, the current one first, under whatever key they were made.
    #[serde(default, deserialize_with = "fingerprints")]
    pub fingerprints: Vec<Fingerprint>,
    /// What its provider calls its values: ids or names, the current one first. Use is told by these.
    #[serde(default, rename = "known-as")]
    pub known_as: Vec<Text>,
    /// Who answers for it; `byok` if somebody outside makes the keys.
    #[serde(default)]
    pub owner: Option<Name>,
    /// When its current value was made, if it was never rotated.
    #[serde(default)]
    pub created: Option<When>,
    /// When it was rotated last.
    #[serde(default)]
    pub rotated: Option<When>,
    /// The lineage that is rotated before this one.
    #[serde(default)]
    pub staging: Option<Name>,
    /// Lineages that hold the same value on purpose.
    #[serde(default, rename = "shared-with")]
    pub shared_with: Vec<Name>,
    /// The `[admin.NAME]` that makes and removes it.
    #[serde(default)]
    pub admin: Option<Name>,
    /// Where it goes, in order.
    #[serde(default)]
    pub stores: Vec<Target>,
    /// Who reads it.
    #[serde(default)]
    pub consumers: Vec<Consumer>,
    /// Settings of this key alone.
    #[serde(default)]
    pub policy: Settings,
}

impl Key {
    /// Whether somebody outside makes its values.
    pub fn is_byok(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.as_str() == BYOK)
    }

    /// Since when its value has been in use, as far as the file says.
    pub fn since(&self) -> Option<Timestamp> {
        self.rotated.or(self.created).map(|when| when.0)
    }
}

/// Two roles of a database that a person made with the same rights. `key-id` says which of them is in use first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Their names.
    pub names: [Text; 2],
    /// Whether they may be superusers.
    #[serde(default)]
    pub superuser: bool,
    /// Whether their rights may differ.
    #[serde(default)]
    pub differences: bool,
}

impl Roles {
    /// The pair, as it takes turns.
    ///
    /// # Errors
    /// The names cannot be used.
    pub fn pair(&self) -> Result<Pair, RolesError> {
        let [one, other] = &self.names;
        let mut pair = Pair::new(one.as_str(), other.as_str())?;
        (pair.superuser, pair.differences) = (self.superuser, self.differences);
        Ok(pair)
    }
}

/// A place in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The `[store.NAME]`.
    pub store: Name,
    /// Where in it: a path, the name of a secret, `owner/repository`.
    pub path: Text,
    /// Which field, variable or key of it.
    #[serde(default)]
    pub field: Option<Text>,
    /// With a Kubernetes store: Deployments of the same namespace that read the key at their start only.
    #[serde(default)]
    pub rollout: Vec<Name>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.store, self.path)?;
        self.field.as_ref().map_or(Ok(()), |field| write!(f, "#{field}"))
    }
}

/// Something that reads the key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// What it is called.
    pub name: Name,
    /// Who can say that it uses the new key: a `[approver.NAME]`.
    #[serde(default)]
    pub owner: Option<Name>,
    /// The repository that it is built from, whose own file may be stricter about this key.
    #[serde(default)]
    pub repository: Option<Name>,
    /// From where it calls: addresses, networks, or countries as its provider names them.
    #[serde(default)]
    pub places: Vec<Whence>,
}

/// A day, or a moment with its offset from UTC. A day stands for its first moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "toml::value::Datetime")]
pub struct When(pub Timestamp);

impl TryFrom<toml::value::Datetime> for When {
    type Error = &'static str;

    fn try_from(value: toml::value::Datetime) -> Result<Self, &'static str> {
        let text = value.to_string();
        let day =
            || text.parse::<jiff::civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp());
        let read = match (value.date, value.time, value.offset) {
            (Some(_), None, None) => day(),
            (Some(_), Some(_), Some(_)) => text.parse().ok(),
            _ => None,
        };
        read.map(When).ok_or("this is no moment; write 2026-09-01 or 2026-09-01T08:00:00Z, without quotes")
    }
}

fn fingerprints<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Fingerprint>, D::Error> {
    let read = Vec::<String>::deserialize(from)?.iter().map(|f| Fingerprint::parse(f)).collect::<Option<_>>();
    read.ok_or_else(|| {
        serde::de::Error::custom("one of these is no fingerprint; copy it from a report: kw1:…")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_whole() {
        #[derive(Deserialize)]
        struct One {
            at: When,
        }
        let read =
            |text: &str| toml::from_str::<One>(&format!("at = {text}")).map(|one| one.at.0.to_string());
        assert_eq!(read("2026-09-01").unwrap(), "2026-09-01T00:00:00Z");
        assert_eq!(read("2026-09-01T08:00:00+02:00").unwrap(), "2026-09-01T06:00:00Z");
        for text in ["2026-09-01T08:00:00", "08:00:00", "'2026-09-01'", "5"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
