//! What can be set for a key, and at which level: default ▸ class ▸ team ▸ service ▸ key.

use super::{Freeze, Name, Period, Window};
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// Where a setting comes from, weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Keywheel's own default.
    Builtin,
    /// `[default]`.
    Default,
    /// `[class.NAME]`.
    Class(Name),
    /// `[team.NAME.policy]`.
    Team(Name),
    /// `[service.NAME.policy]`.
    Service(Name),
    /// `[key.policy]` of the key itself.
    Key,
    /// A repository's file, which can only be stricter.
    Repository(PathBuf),
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Builtin => f.pad("built in"),
            Level::Default => f.pad("default"),
            Level::Class(name) => write!(f, "class {name}"),
            Level::Team(name) => write!(f, "team {name}"),
            Level::Service(name) => write!(f, "service {name}"),
            Level::Key => f.pad("key"),
            Level::Repository(path) => write!(f, "repository ({})", path.display()),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        pub enum $name { $($(#[$each])* #[serde(rename = $word)] $variant),+ }
        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// The word in the file.
            pub fn as_str(self) -> &'static str { match self { $($name::$variant => $word),+ } }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }
    };
}

words!(
    /// What can show that the old key is out of use, strongest first.
    Proof:
    /// The provider's use by key.
    Usage = "usage",
    /// The provider's time of last use.
    LastUsed = "last-used",
    /// Every consumer runs a version that was started with the new key.
    Rollout = "rollout",
    /// A gateway's logs.
    Gateway = "gateway",
    /// The word of each consumer's owner.
    Ack = "ack",
    /// A command that uses the service.
    Smoke = "smoke",
    /// Nothing but time. Proves nothing; only where the policy says so.
    Timer = "timer",
);

words!(
    /// Whether the old key's use is exported before it is switched off; the strictest is the largest.
    Export:
    /// Where the provider reports it.
    Offered = "where-offered",
    /// Always: without it the rotation stops.
    Required = "required",
);

words!(
    /// What a rotation does first.
    Order:
    /// The new key is made and handed out, then the old one is switched off: nobody is cut off.
    CreateFirst = "create-first",
    /// The old key is switched off at once: the shortest exposure, and an outage until the new one is there.
    RevokeFirst = "revoke-first",
);

/// One value and the level that set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    /// What holds.
    pub value: T,
    /// Who said so.
    pub from: Level,
}

/// A value as `explain` shows it.
trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown {
    ($($type:ty),+) => { $(impl Shown for $type { fn shown(&self) -> String { self.to_string() } })+ };
}
shown!(Period, u8, u32, bool, Export, Order);

impl<T: fmt::Display> Shown for Vec<T> {
    fn shown(&self) -> String {
        let list: Vec<_> = self.iter().map(ToString::to_string).collect();
        if list.is_empty() { "-".to_owned() } else { list.join(", ") }
    }
}

/// A line of `explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The setting, as it is called in the file.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// The level that set it.
    pub from: Level,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $name:literal, $default:expr;)+) => {
        /// What one level says. Whatever it leaves out is taken from the level above.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings {
            $($(#[$doc])* #[serde(rename = $name)] pub $field: Option<$type>,)+
            /// Days without scheduled rotations. Those of every level hold.
            pub freeze: Vec<Freeze>,
        }

        /// What holds for one key, setting by setting.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Resolved {
            $($(#[$doc])* pub $field: Set<$type>,)+
            /// Days without scheduled rotations, of every level.
            pub freeze: Vec<Set<Freeze>>,
        }

        impl Default for Resolved {
            fn default() -> Self {
                Resolved {
                    $($field: Set { value: $default, from: Level::Builtin },)+
                    freeze: Vec::new(),
                }
            }
        }

        impl Resolved {
            /// Puts what a closer level says over what holds so far.
            pub fn overlay(&mut self, settings: &Settings, from: &Level) {
                $(if let Some(value) = &settings.$field {
                    self.$field = Set { value: value.clone(), from: from.clone() };
                })+
                self.freeze.extend(
                    settings.freeze.iter().map(|f| Set { value: f.clone(), from: from.clone() }),
                );
            }

            /// Every setting in the order of the documentation.
            pub fn rows(&self) -> Vec<Row> {
                let row = |name, value, from: &Level| Row { name, value, from: from.clone() };
                let mut rows = vec![$(row($name, self.$field.value.shown(), &self.$field.from)),+];
                rows.extend(self.freeze.iter().map(|f| row("freeze", f.value.to_string(), &f.from)));
                rows
            }
        }

        impl Settings {
            /// The names of all settings.
            pub const NAMES: &'static [&'static str] = &[$($name,)+ "freeze"];

            /// The names of those that are said here.
            pub fn said(&self) -> Vec<&'static str> {
                let mut said = Vec::new();
                $(if self.$field.is_some() { said.push($name); })+
                if !self.freeze.is_empty() { said.push("freeze"); }
                said
            }
        }
    };
}

settings! {
    /// Longest age of a key before its rotation begins.
    cadence: Period = "cadence", Period::days(90);
    /// Over how much time the beginnings of rotations are spread, from the due time or a window's opening.
    jitter: Period = "jitter", Period::hours(1);
    /// When scheduled rotations may begin; at any time if there are none.
    window: Vec<Window> = "window", Vec::new();
    /// What a scheduled rotation does first.
    order: Order = "order", Order::CreateFirst;
    /// How long the old key lives on after the new one is everywhere, at least.
    overlap: Period = "overlap", Period::days(1);
    /// How long the old key lives on at the most; then the rotation is blocked and a person is asked.
    max_overlap: Period = "max-overlap", Period::days(30);
    /// How long the old key lives on after the new one was first used, at least.
    grace: Period = "grace", Period::hours(1);
    /// For how long the old key must have been out of use before it is switched off.
    quiet: Period = "quiet", Period::hours(24);
    /// How long the old key stays switched off before it is deleted.
    soak: Period = "soak", Period::days(7);
    /// Whether the key's staging lineage is rotated first.
    staging_first: bool = "staging-first", true;
    /// How long the staging key must have worked before production's turn comes.
    staging_green: Period = "staging-green", Period::days(1);
    /// How many approvers must agree.
    approvals: u8 = "approvals", 0;
    /// Who they may be.
    approvers: Vec<Name> = "approvers", Vec::new();
    /// Which proofs that the old key is out of use are accepted.
    proof: Vec<Proof> = "proof", Proof::ALL[..6].to_vec();
    /// Whether the old key's use is exported before anything that cannot be undone.
    export_usage: Export = "export-usage", Export::Offered;
    /// What an emergency does first.
    emergency_order: Order = "emergency-order", Order::CreateFirst;
    /// How long the old key lives on in an emergency after the new one is everywhere.
    emergency_overlap: Period = "emergency-overlap", Period::ZERO;
    /// How long an emergency waits for the export of the old key's use.
    emergency_export: Period = "emergency-export", Period::seconds(300);
    /// How long the old key stays switched off in an emergency before it is deleted.
    emergency_soak: Period = "emergency-soak", Period::days(1);
    /// How many approvers must agree to an emergency.
    emergency_approvals: u8 = "emergency-approvals", 0;
    /// Emergencies of one key on one day at the most; then it is paused.
    emergency_daily: u32 = "emergency-daily", 3;
    /// Keys that a pool should hold at the least, once it held any.
    pool_low: u32 = "pool-low", 1;
    /// Whether a leak that is proved active begins an emergency without a person.
    emergency_auto: bool = "emergency-auto", false;
    /// Who answers for the key.
    owners: Vec<Name> = "owners", Vec::new();
    /// Routes that are told what happens.
    alerts: Vec<Name> = "alerts", Vec::new();
    /// Hooks that try the service with the new key.
    smoke: Vec<Name> = "smoke", Vec::new();
    /// Gateways whose logs show the key's use.
    gateways: Vec<Name> = "gateways", Vec::new();
}

impl Resolved {
    /// The level that set the setting of that name.
    pub fn level_of(&self, name: &str) -> Level {
        self.rows().into_iter().find(|row| row.name == name).map_or(Level::Builtin, |row| row.from)
    }
}
