//! Whether a credential works, as far as it was proved.

use std::collections::BTreeMap;

/// Why a verdict could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The provider asked us to slow down.
    RateLimited,
    /// A firewall or proxy answered in the provider's place.
    Blocked,
    /// The answer fits no declared expectation.
    Ambiguous,
    /// No answer.
    Unreachable,
    /// We declined to send the call.
    Refused,
}

/// The verdict on a credential. What is not proved is `Unknown`, never `Inactive`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Validity {
    /// Nobody asked.
    #[default]
    NotChecked,
    /// It works.
    Active {
        /// It authenticates but may do little.
        restricted: bool,
        /// Who owns it, as the provider says.
        identity: BTreeMap<String, String>,
    },
    /// The provider says that it does not work.
    Inactive,
    /// Asked, and still not known.
    Unknown(Unknown),
}

impl Validity {
    /// The word used in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Validity::NotChecked => "not-checked",
            Validity::Active { restricted: false, .. } => "active",
            Validity::Active { restricted: true, .. } => "active-restricted",
            Validity::Inactive => "inactive",
            Validity::Unknown(_) => "unknown",
        }
    }
}
