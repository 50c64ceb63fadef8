//! What the inventory lacks: keys that providers list, places in stores and keys in code that it does not name, and
//! what it names that is not there. Whoever asks providers and stores says what they showed; nothing is called here.

mod draft;
mod join;
mod name;
#[cfg(test)]
mod tests;

pub use draft::draft;
pub use join::{Hides, discover};

use super::{Gap, Nearest, Spot};
use crate::model::Fingerprint;
use crate::rotate::engine::Listed;
use crate::rotate::store::{Entry, Field};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What stands in a drafted key for what could not be known. `policy check` refuses it.
pub const FILL_IN: &str = "fill-in";

/// What was looked at, and what it showed.
#[derive(Debug, Default)]
pub struct Shown {
    /// The keys that providers list.
    pub lists: Vec<KeyList>,
    /// What lies in stores.
    pub places: Vec<Shelved>,
    /// Keys in code that the inventory does not know.
    pub code: Vec<Gap>,
    /// What the journal says that providers call the values of a lineage: id → ids, the current one first.
    pub journal: BTreeMap<String, Vec<String>>,
    /// What should have been looked at and could not be.
    pub failed: Vec<Missed>,
    /// What was not looked at, since it tells nothing or nobody said where to look.
    pub passed: Vec<Missed>,
}

/// The keys of one rule that one administrator's credential is shown.
#[derive(Clone, Debug)]
pub struct KeyList {
    /// The `[admin.NAME]`.
    pub admin: String,
    /// The provider's id.
    pub provider: String,
    /// The rule that finds such keys.
    pub rule: String,
    /// What the rule's calls asked for.
    pub ask: BTreeMap<String, String>,
    /// Usual names of the variables that hold such a key.
    pub usual: Vec<String>,
    /// The keys.
    pub keys: Vec<Listed>,
}

/// An entry of a store.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// The `[store.NAME]`.
    pub store: String,
    /// Where in it.
    pub entry: Entry,
    /// What its value is, if it was read.
    pub value: Option<Valued>,
}

/// What was learned of a value, which is forgotten.
#[derive(Clone, Debug)]
pub struct Valued {
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// The rule that knows it, if one does.
    pub rule: Option<String>,
}

/// Something that was not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// What the inventory lacks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Discovery {
    /// Keys that are listed at a provider and not in the inventory.
    pub keys: Vec<Drafted>,
    /// What else does not fit together.
    pub gaps: Vec<Lack>,
    /// How many listed keys the inventory knows.
    pub known: usize,
    /// What should have been looked at and could not be: while there is any, nothing is complete.
    pub failed: Vec<Missed>,
    /// What was not looked at, since it tells nothing or nobody said where to look.
    pub passed: Vec<Missed>,
}

/// A key that is listed at a provider and not in the inventory.
#[derive(Clone, Debug, Serialize)]
pub struct Drafted {
    /// A proposal.
    pub id: String,
    /// What the provider calls it; none if that looks like a credential.
    pub key_id: Option<String>,
    /// The name that it has at the provider.
    pub name: Option<String>,
    /// The provider.
    pub provider: String,
    /// The rule.
    pub rule: String,
    /// The credential that is shown it.
    pub admin: String,
    /// What the rule's calls asked for.
    pub ask: BTreeMap<String, String>,
    /// Its account, if other keys of the list say so or the calls asked for it.
    pub account: Option<String>,
    /// By its name.
    pub team: Option<String>,
    /// By its name.
    pub service: Option<String>,
    /// By its name.
    pub environment: Option<String>,
    /// When it was made, as RFC 3339.
    pub created: Option<String>,
    /// Whole days since then.
    pub age_days: Option<i64>,
    /// When it was used last, as RFC 3339; `never`; none where the provider does not say.
    pub used: Option<String>,
    /// Whether it is in force.
    pub enabled: bool,
    /// Where such keys lie that no lineage names. Nothing proves that it is this one.
    pub perhaps_in: Vec<Perhaps>,
    /// Where such keys stand in code that no lineage knows. Nothing proves that it is this one.
    pub perhaps_in_code: Vec<Spot>,
    /// Who answers for such places in code.
    pub likely_owners: Vec<Nearest>,
    /// What a person must fill in.
    pub missing: Vec<&'static str>,
}

/// A place where a key may lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Perhaps {
    /// The `[store.NAME]`.
    pub store: String,
    /// Where in it.
    pub path: String,
    /// Which field, if that is known.
    pub field: Option<String>,
    /// Why it is thought so.
    pub because: &'static str,
}

/// Something that does not fit together.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Lack {
    /// A key in code that no lineage knows, and of no list it can be said that it has it.
    InCode {
        /// The key.
        #[serde(flatten)]
        gap: Gap,
        /// Places in stores that hold the same value.
        places: Vec<String>,
        /// What the lists say.
        lists: String,
    },
    /// A lineage whose key its provider does not list any more.
    NotListed {
        /// The lineage.
        key: String,
        /// What the provider called it.
        key_id: String,
        /// The credential that is shown the list.
        admin: String,
    },
    /// A lineage of which nobody says what the provider calls its key.
    NotRecognised {
        /// The lineage.
        key: String,
    },
    /// An entry of a store that no lineage names.
    Unnamed {
        /// The `[store.NAME]`.
        store: String,
        /// Where in it.
        path: String,
        /// Which field, if that is known.
        field: Option<String>,
        /// The rule that knows its value, if it was read and one does.
        rule: Option<String>,
        /// The lineages that have the value.
        holds: Vec<String>,
    },
    /// A place of a lineage that holds none of its values.
    OtherValue {
        /// The lineage.
        key: String,
        /// The place.
        place: String,
    },
}

impl Discovery {
    /// Whether everything that should have been looked at was.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// Whether the inventory lacks nothing, as far as was looked.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.gaps.is_empty()
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::InCode { gap, places, lists } => {
                let live = if gap.active { ", proved active," } else { "" };
                let spots: Vec<_> = gap.spots.iter().map(|s| format!("{}:{}", s.path, s.line)).collect();
                write!(f, "a key in code ({}){live} that no lineage knows: {}", gap.rule, spots.join(", "))?;
                if !places.is_empty() {
                    write!(f, "; the same value lies in {}", places.join(", "))?;
                }
                if let Some(nearest) = &gap.nearest {
                    write!(f, "; ask {} ({})", nearest.owners.join(" "), nearest.because)?;
                }
                write!(f, "; {lists}")
            }
            Lack::NotListed { key, key_id, admin } => write!(
                f,
                "`{key}`: its provider shows no key `{key_id}` to the credential {admin}: it is gone, or of another \
                 account, or was turned over and the journal is not named"
            ),
            Lack::NotRecognised { key } => write!(
                f,
                "`{key}`: nobody says what its provider calls the key (`key-id`), so that it may be one of those drafted \
                 here"
            ),
            Lack::Unnamed { store, path, field, rule, holds } => {
                write!(f, "{} is named by no lineage", place(store, path, field.as_deref()))?;
                match (rule, &holds[..]) {
                    (_, [first, ..]) => {
                        write!(f, "; it holds the value of `{first}`: add it to its `stores`")
                    }
                    (Some(rule), []) => write!(f, "; it holds a key ({rule})"),
                    (None, []) => Ok(()),
                }
            }
            Lack::OtherValue { key, place } => write!(
                f,
                "`{key}`: {place} holds none of the values whose fingerprints the inventory lists: add its fingerprint, or \
                 see who wrote there"
            ),
        }
    }
}

/// A place as the inventory's messages write it.
fn place(store: &str, path: &str, field: Option<&str>) -> String {
    format!("{store}:{path}{}", field.map(|field| format!("#{field}")).unwrap_or_default())
}

impl Shelved {
    fn field(&self) -> Option<&str> {
        match &self.entry.field {
            Field::Named(field) => Some(field),
            Field::Whole | Field::Untold => None,
        }
    }

    fn place(&self) -> String {
        place(&self.store, &self.entry.path, self.field())
    }
}
