//! Whether a credential works, as far as it was proved.

use std::collections::BTreeMap;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal, $says:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$about])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in reports and caches.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What it means, as a clause.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $says),+ }
            }

            /// The value of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.as_str() == word)
            }
        }
    };
}

words! {
    /// Why nothing was sent.
    Unchecked {
        /// Nobody asked for it.
        NotAsked = "not-asked", "nobody asked";
        /// No rule that saw the value declares a check.
        NoCall = "no-call", "no rule declares a check for it";
        /// A part that the call needs does not stand near the value.
        MissingPart = "missing-part", "a part of the credential is not near";
        /// A trap: a call would set off its owner's alarm and prove nothing.
        Canary = "canary", "a canary token: a call would only alert whoever set it out";
        /// Its provider means it to be public.
        Public = "public", "public by design";
        /// A well-known development default.
        Development = "development", "a well-known development default";
        /// The configuration accepts it.
        Accepted = "accepted", "the configuration accepts it";
        /// The organisation lets nobody call for this rule.
        Forbidden = "forbidden", "the organisation forbids calls for this rule";
        /// The rule names a probe that this program does not have, or that nobody has set up.
        NoProbe = "no-probe", "its probe is not there, or not set up";
        /// The run ended before its turn.
        Stopped = "stopped", "the run ended before its turn";
        /// The value is no longer where the report says.
        Gone = "gone", "it does not stand there any more";
    }
}

words! {
    /// Why a verdict could not be had.
    Unknown {
        /// The provider asked us to slow down.
        RateLimited = "rate-limited", "the provider asked to slow down";
        /// A firewall, proxy or portal answered in the provider's place.
        Blocked = "blocked", "something answered in the provider's place";
        /// The answer fits no declared expectation, or cannot be relied on.
        Ambiguous = "ambiguous", "the answer proves nothing";
        /// No answer, or the provider says that it is down.
        Unreachable = "unreachable", "no answer";
        /// We declined to send the call.
        Refused = "refused", "the call was not made";
    }
}

/// The verdict on a credential. What is not proved is `Unknown`, never `Inactive`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Nothing was sent.
    NotChecked(Unchecked),
    /// It works.
    Active {
        /// It authenticates but may do little.
        restricted: bool,
        /// Who owns it, as the provider says; without any secret.
        identity: BTreeMap<String, String>,
    },
    /// The provider says that it does not work.
    Inactive,
    /// Asked, and still not known.
    Unknown(Unknown),
}

impl Default for Validity {
    fn default() -> Self {
        Validity::NotChecked(Unchecked::NotAsked)
    }
}

impl Validity {
    /// The word used in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Validity::NotChecked(_) => "not-checked",
            Validity::Active { restricted: false, .. } => "active",
            Validity::Active { restricted: true, .. } => "active-restricted",
            Validity::Inactive => "inactive",
            Validity::Unknown(_) => "unknown",
        }
    }

    /// Whether it was proved to work.
    pub fn is_active(&self) -> bool {
        matches!(self, Validity::Active { .. })
    }
}

/// What a verdict rests on. Holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Id of the rule whose check it was.
    pub rule: String,
    /// HTTP status of the answer; `None` if there was none, or the check speaks another protocol.
    pub status: Option<u16>,
    /// Which declared expectation the answer fits, such as `active[0]`; empty if none.
    pub expectation: String,
    /// Host that was asked; empty if nothing was sent.
    pub host: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Whether the answer is an earlier one, from the cache.
    pub cached: bool,
    /// What else there is to say, in words of ours; empty if nothing.
    pub detail: String,
}

/// What a working credential may do, as far as its provider tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// How bad that is, and why, if it can be told.
    pub grade: Option<Grade>,
    /// Owner, organisation, scopes, limits: word → what the provider says; without any secret.
    pub facts: BTreeMap<String, String>,
}

/// A plain judgement of what a credential may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// How much it may do.
    pub level: Level,
    /// What that means, in a clause of the rule's author.
    pub means: String,
}

words! {
    /// How much a credential may do.
    Level {
        /// Nothing of value.
        Little = "little", "may do little";
        /// Reads data.
        Read = "read", "reads";
        /// Changes data or spends money.
        Write = "write", "writes or spends";
        /// Controls accounts, members or other credentials.
        Admin = "admin", "administers";
    }
}

/// What a run of checks says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Calls that asked about a credential.
    pub calls: u64,
    /// Calls with a made-up credential, to see whether an answer can be relied on.
    pub controls: u64,
    /// Reads of what working credentials may do.
    pub reads: u64,
    /// Verdicts taken from the cache.
    pub cached: u64,
    /// What a person should know: quarantined rules, a cache that could not be used. Words of ours.
    pub notices: Vec<String>,
}
