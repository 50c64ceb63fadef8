//! The ordered words by which findings are sorted and gated.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($name:ident: $($variant:ident = $word:literal),+ $(,)?) => {
        impl $name {
            /// Every value, lowest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in rule files, options and reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                match s {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{s}` is not one of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

/// How bad it is if the credential is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not a risk by itself: public by design, or a well-known development value.
    Info,
    /// Limited or indirect access.
    Low,
    /// Access to data or spending of one service.
    Medium,
    /// Full use of an account or service.
    High,
    /// Control of an organisation, of infrastructure, or of other credentials.
    Critical,
}
words!(Severity: Info = "info", Low = "low", Medium = "medium", High = "high", Critical = "critical");

/// How sure the engine is that the value is a credential of the named kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A guess; below the default gate.
    Low,
    /// The shape and its surroundings agree.
    Medium,
    /// The shape alone is distinctive, or a checksum holds.
    High,
}
words!(Confidence: Low = "low", Medium = "medium", High = "high");

/// What kind of statement a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Not a secret: an account id or public key that completes a multi-part credential. Never reported alone.
    Identifier,
    /// A value that is secret because of the name beside it.
    Generic,
    /// A credential of a named kind.
    #[default]
    Structured,
}
words!(Class: Identifier = "identifier", Generic = "generic", Structured = "structured");
