//! Whether a policy can work: each check has its own code, and tells the place and the cure.

mod names;
mod owned;
mod provider;
mod times;

use super::{Catalogue, Level, Locator, Place, Policy, Resolved};
use crate::rotate::inventory::Key;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a policy is held against.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Rules and what their providers can do.
    pub catalogue: &'a Catalogue,
    /// The present.
    pub now: Timestamp,
    /// What was found at the providers, if anybody looked.
    pub discovered: Option<&'a Discovered>,
}

/// What was found at the providers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovered {
    /// Accounts and how many keys they hold.
    pub accounts: Vec<Account>,
}

/// One project, user or resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The provider's id.
    pub provider: String,
    /// What it is called there.
    pub account: String,
    /// Keys that it holds, used or not.
    pub keys: u32,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It works, and somebody should know.
    Warning,
    /// It cannot work, or not safely.
    Error,
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Weight::Error { "error" } else { "warning" })
    }
}

macro_rules! codes {
    ($($variant:ident = $word:literal, $weight:ident, $cure:literal;)+) => {
        /// What a check looks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $(#[doc = concat!("`", $word, "`; the cure: ", $cure, ".")] $variant),+ }
        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$variant),+];
            /// The code in reports.
            pub fn as_str(self) -> &'static str { match self { $(Code::$variant => $word),+ } }
            /// How bad it is.
            pub fn weight(self) -> Weight { match self { $(Code::$variant => Weight::$weight),+ } }
            /// What to do about it.
            pub fn cure(self) -> &'static str { match self { $(Code::$variant => $cure),+ } }
        }
    };
}

codes! {
    DuplicateKey = "duplicate-key", Error, "give one of them another id";
    Unfilled = "unfilled", Error, "write what it is: `inventory discover` could not know it";
    UnknownProvider = "unknown-provider", Error, "take an id of `keywheel rules list`";
    UnknownRule = "unknown-rule", Error, "take an id of `keywheel rules list`";
    RuleOfOther = "rule-of-other-provider", Error, "name the provider's own rule";
    UnknownName = "unknown-name", Error, "declare it, or correct the name";
    ServiceTeam = "service-of-other-team", Error, "name the service's team, or another service";
    DuplicateFingerprint = "duplicate-fingerprint", Error, "give each lineage a key of its own, or name the other in `shared-with`";
    SharedPlace = "shared-place", Error, "give each lineage a place of its own";
    NoStore = "no-store", Error, "list where the key goes in `stores`";
    StoreIncomplete = "store-incomplete", Error, "add what is missing to the store";
    RouteUnclear = "route-unclear", Error, "give the route what its kind needs";
    Unowned = "unowned", Error, "name an `owner`, or `owners` for its team or service";
    NoAlert = "no-alert", Warning, "name a route in `alerts`, so that somebody learns of a failure";
    StagingLoop = "staging-loop", Error, "let a staging lineage have no `staging` that leads back";
    StagingShared = "staging-shares-production", Error, "make a key of its own for staging, or say in production's `shared-with` that the value is shared";
    StagingMissing = "staging-missing", Warning, "name its `staging` lineage, or set `staging-first = false`";
    AdminIsKey = "admin-is-rotated-key", Error, "let another credential make and remove the key";
    AdminMissing = "admin-missing", Error, "name the `[admin.NAME]` that makes and removes it in `admin`";
    AdminOfOther = "admin-of-other-provider", Error, "name an administrator's credential of the key's provider";
    RolesUnclear = "roles-unclear", Error, "name two roles of the rule's server, one of them in `key-id`";
    NotRotatable = "not-rotatable", Warning, "nothing can be done by call: its owner is asked when it is due";
    MadeByHand = "made-by-hand", Warning, "keep a pool of keys, or expect to be asked for one when it is due";
    OverlapCadence = "overlap-exceeds-cadence", Error, "shorten `overlap` and `soak`, or lengthen `cadence`";
    OverlapSingle = "overlap-single-key", Error, "set `order = \"revoke-first\"` and `overlap = \"0s\"`: the provider allows one key";
    OverlapMost = "overlap-exceeds-most", Error, "lengthen `max-overlap`, or shorten `overlap`, `grace` or `quiet`";
    OverlapNative = "overlap-exceeds-native", Error, "shorten `overlap`, `grace` and `quiet`: the provider's own clock ends the old key";
    OverlapSpread = "overlap-under-propagation", Error, "lengthen `overlap`: the provider takes that long to spread a new key";
    RevokeOverlap = "revoke-first-overlap", Error, "set the overlap to \"0s\", or the order to \"create-first\"";
    SoakUseless = "soak-without-disable", Warning, "nothing: the provider cannot switch off, so the key goes at once and for good";
    ExportImpossible = "export-impossible", Error, "set `export-usage = \"where-offered\"`: the provider reports no use by key";
    ProofUnreachable = "proof-unreachable", Error, "accept a proof that can be had, or add what it needs";
    ProofTimer = "proof-timer", Warning, "accept a proof beside `timer`, which proves nothing";
    QuietLag = "quiet-under-lag", Error, "lengthen `quiet`: the provider's figures are that late";
    QuotaFull = "quota-full", Error, "remove a key of that account first: there is no room for a new one";
    WindowNever = "window-never-opens", Error, "name days, and different times for `from` and `until`";
    FreezeForever = "freeze-never-ends", Error, "give it an `until` that is not before `from`, within a year";
    NeverTurn = "turn-never-comes", Error, "let the windows and the freezes leave a time";
    JitterWindow = "jitter-exceeds-window", Error, "shorten `jitter`, or lengthen the shortest window";
    CadenceZero = "cadence-zero", Error, "set a cadence of a day or more";
    Approvers = "approvals-exceed-approvers", Error, "name more `approvers`, or ask for fewer approvals";
    ApproverTwice = "approver-twice", Error, "give each approver a key of their own: one person would count twice";
    AutoUnapproved = "auto-needs-approval", Error, "set `emergency-auto = false`, or `emergency-approvals = 0`";
    FutureDate = "date-in-future", Error, "correct `created` or `rotated`";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub code: Code,
    /// The keys it concerns; none if it is the file's.
    pub keys: Vec<String>,
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// In a sentence, without the cure.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, weight) = (self.code, self.code.weight());
        write!(f, "{}:{}: {weight}[{code}]: ", self.path.display(), self.place)?;
        match &self.keys[..] {
            [] => {}
            [key] => write!(f, "key {key}: ")?,
            [key, others @ ..] => write!(f, "key {key} and {} more: ", others.len())?,
        }
        write!(f, "{}; {}", self.message, code.cure())
    }
}

/// Runs every check. The order is that of the file.
pub fn check(policy: &Policy, facts: Facts<'_>) -> Vec<Fault> {
    let keys: Vec<_> = policy.file.key.iter().map(|key| (key, policy.resolve(key))).collect();
    let mut run = Run { policy, facts, locator: policy.locator(), faults: Vec::new() };
    names::file(&mut run);
    owned::file(&mut run);
    for (at, (key, resolved)) in keys.iter().enumerate() {
        let one = One { at: at.to_string(), key, resolved };
        names::key(&mut run, &one);
        owned::key(&mut run, &one);
        times::key(&mut run, &one);
        provider::key(&mut run, &one);
    }
    let mut faults = run.faults;
    faults.sort_by(|a, b| (a.place, a.code, &a.message).cmp(&(b.place, b.code, &b.message)));
    // What one line says wrong for many keys is one fault.
    faults.dedup_by(|next, first| {
        let same = (next.place, next.code, &next.message) == (first.place, first.code, &first.message);
        if same {
            first.keys.append(&mut next.keys);
        }
        same
    });
    faults
}

/// A run of the checks.
struct Run<'a> {
    policy: &'a Policy,
    facts: Facts<'a>,
    locator: Locator<'a>,
    faults: Vec<Fault>,
}

/// The key that is looked at.
struct One<'a> {
    /// Its number in the file, as a step of a path.
    at: String,
    key: &'a Key,
    resolved: &'a Resolved,
}

impl Run<'_> {
    /// Tells a fault of the file itself.
    fn tell(&mut self, code: Code, at: &[&str], message: String) {
        let place = self.locator.place(at);
        self.put(code, None, place, message);
    }

    /// Tells a fault of a field of a key.
    fn tell_field(&mut self, code: Code, one: &One<'_>, field: &[&str], message: String) {
        let place = self.locator.place(&[&["key", one.at.as_str()][..], field].concat());
        self.put(code, Some(one.key.id.to_string()), place, message);
    }

    /// Tells a fault of a setting of a key, where it was set.
    fn tell_setting(&mut self, code: Code, one: &One<'_>, setting: &str, message: String) {
        self.tell_level(code, one, setting, &one.resolved.level_of(setting), message);
    }

    /// Tells a fault of what a level says for a key.
    fn tell_level(&mut self, code: Code, one: &One<'_>, setting: &str, level: &Level, message: String) {
        let place = match level {
            Level::Builtin | Level::Repository(_) => self.locator.place(&["key", &one.at]),
            Level::Default => self.locator.place(&["default", setting]),
            Level::Class(name) => self.locator.place(&["class", name.as_str(), setting]),
            Level::Team(name) => self.locator.place(&["team", name.as_str(), "policy", setting]),
            Level::Service(name) => self.locator.place(&["service", name.as_str(), "policy", setting]),
            Level::Key => self.locator.place(&["key", &one.at, "policy", setting]),
        };
        self.put(code, Some(one.key.id.to_string()), place, message);
    }

    fn put(&mut self, code: Code, key: Option<String>, place: Place, message: String) {
        let path: &Path = self.policy.path();
        self.faults.push(Fault {
            code,
            keys: key.into_iter().collect(),
            path: path.to_owned(),
            place,
            message,
        });
    }
}

/// Things that several keys have, with the keys that have them.
fn shared<'k, T: Ord>(pairs: impl Iterator<Item = (T, &'k Key)>) -> BTreeMap<T, Vec<&'k Key>> {
    let mut map: BTreeMap<T, Vec<&Key>> = BTreeMap::new();
    for (thing, key) in pairs {
        map.entry(thing).or_default().push(key);
    }
    map.retain(|_, keys| keys.len() > 1);
    map
}

#[cfg(test)]
mod tests;
