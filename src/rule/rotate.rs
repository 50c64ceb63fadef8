//! What a provider lets one do with its keys: the head of `[rule.rotate]`, which policy is checked against, and
//! the calls by which it is done.

mod calls;

pub use calls::Calls;

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How the credentials of a rule can be turned over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// How a new key comes about.
    pub class: CreateClass,
    /// Most keys that one account (project, user, resource) may hold at once, where the provider has a limit.
    #[serde(default)]
    pub keys: Option<u32>,
    /// What else the provider offers.
    #[serde(default)]
    pub can: BTreeSet<Can>,
    /// Fixed places for keys, of which one is idle between rotations; with class F, or two users in turn.
    #[serde(default)]
    pub slots: Option<u32>,
    /// Seconds for which the provider itself lets the old value live on at the most; with class G.
    #[serde(default)]
    pub native_overlap: Option<u64>,
    /// Seconds that a change takes to reach every server of the provider, as far as it says.
    #[serde(default)]
    pub propagation: u64,
    /// Seconds by which its usage or last-use data may be late. What is younger proves nothing.
    #[serde(default)]
    pub lag: u64,
    /// Set while the facts are not confirmed: why. The rule is then not rotated.
    #[serde(default)]
    pub off: Option<String>,
    /// Pages that say so.
    #[serde(default)]
    pub source: Vec<String>,
    /// Code of ours that turns it over, where no HTTP call does.
    #[serde(default)]
    pub native: Option<Native>,
    /// The calls; none where turning over is known to be possible and nobody wrote them down.
    #[serde(default)]
    pub calls: Option<Box<Calls>>,
}

/// How a new key comes about, which decides what an unknown outcome of its creation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CreateClass {
    /// The caller chooses the value.
    A,
    /// A token makes the creation idempotent.
    B,
    /// The caller chooses a name that a list shows.
    C,
    /// Neither, and few keys at once.
    D,
    /// The value can be read afterwards.
    E,
    /// The idle one of several fixed slots is made anew.
    F,
    /// The value changes in place, and the provider's own clock ends the old one.
    G,
    /// No call creates one: keys come from a person, or from a pool that a person filled.
    #[serde(rename = "none")]
    None,
}

/// Code that turns credentials over, one file each, as probes check them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Native {
    /// Two roles of a PostgreSQL server take turns: the idle one gets a new password.
    PostgresRoles,
}

/// One thing that a provider offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Can {
    /// Switch a key off.
    Disable,
    /// Switch it on again.
    Enable,
    /// Remove it for good.
    Delete,
    /// Report use by key.
    Usage,
    /// Report when a key was used last.
    LastUsed,
    /// Take a value that the caller chose.
    ChosenValue,
    /// Keep a name that the caller chose.
    NameTag,
    /// Show a key's value after its creation.
    Readable,
}

impl Capabilities {
    /// Whether the provider offers it.
    pub fn can(&self, what: Can) -> bool {
        self.can.contains(&what)
    }

    /// Whether old and new key can live side by side.
    pub fn overlaps(&self) -> bool {
        let slots = self.slots.is_some_and(|n| n > 1);
        slots || self.native_overlap.is_some_and(|s| s > 0) || self.keys.is_none_or(|n| n > 1)
    }

    /// What in them contradicts itself, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        let needs = match self.class {
            CreateClass::A => Some((self.can(Can::ChosenValue), "A needs `chosen-value`")),
            CreateClass::C => Some((self.can(Can::NameTag), "C needs `name-tag`")),
            CreateClass::D => Some((self.keys.is_some(), "D needs `keys`")),
            CreateClass::E => Some((self.can(Can::Readable), "E needs `readable`")),
            CreateClass::F => Some((self.slots.is_some_and(|n| n > 1), "F needs at least two `slots`")),
            CreateClass::G => Some((self.native_overlap.is_some(), "G needs `native_overlap`")),
            CreateClass::B | CreateClass::None => None,
        };
        let mut faults = Vec::new();
        if let Some((false, what)) = needs {
            faults.push(format!("class {what}"));
        }
        if self.keys == Some(0) {
            faults.push("`keys = 0` leaves no key to rotate".to_owned());
        }
        if self.can(Can::Enable) && !self.can(Can::Disable) {
            faults.push("`enable` means nothing without `disable`".to_owned());
        }
        if self.source.is_empty() && self.off.is_none() {
            faults.push("no `source` says so; name the page, or switch it `off` with the reason".to_owned());
        }
        if self.native.is_some() && (self.calls.is_some() || self.slots != Some(2)) {
            faults.push("`native` needs two `slots`, and no `calls` beside it".to_owned());
        }
        faults.extend(self.calls.iter().flat_map(|calls| calls.faults(self)));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        toml::from_str::<Capabilities>(text).unwrap().faults().join("; ")
    }

    #[test]
    fn each_class_needs_what_its_reconciliation_uses() {
        let source = "source = ['https://docs.acme.example']";
        for (head, missing) in [
            ("class = 'A'", "chosen-value"),
            ("class = 'C'\ncan = ['disable']", "name-tag"),
            ("class = 'D'", "`keys`"),
            ("class = 'E'", "readable"),
            ("class = 'F'\nslots = 1", "two `slots`"),
            ("class = 'G'", "native_overlap"),
            ("class = 'B'\nkeys = 0", "no key to rotate"),
            ("class = 'none'\ncan = ['enable']", "without `disable`"),
        ] {
            let told = faults(&format!("{head}\n{source}"));
            assert!(told.contains(missing), "{head}: {told}");
        }
        let native = "class = 'A'\ncan = ['chosen-value']\nnative = 'postgres-roles'";
        assert!(faults(&format!("{native}\n{source}")).contains("two `slots`"));
        assert_eq!(faults(&format!("{native}\nslots = 2\n{source}")), "");
        assert!(faults("class = 'B'").contains("no `source`"));
        assert_eq!(faults("class = 'B'\noff = 'not confirmed'"), "");
        assert_eq!(faults(&format!("class = 'A'\ncan = ['chosen-value', 'delete']\n{source}")), "");
    }

    #[test]
    fn two_keys_need_room() {
        let overlaps = |text: &str| toml::from_str::<Capabilities>(text).unwrap().overlaps();
        assert!(overlaps("class = 'C'") && overlaps("class = 'D'\nkeys = 2"));
        assert!(!overlaps("class = 'D'\nkeys = 1"));
        assert!(overlaps("class = 'F'\nkeys = 1\nslots = 2"));
        assert!(overlaps("class = 'G'\nkeys = 1\nnative_overlap = 60"));
    }
}
