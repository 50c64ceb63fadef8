//! The seam to checks that HTTP data does not express: a database login, a signed token.

use crate::call::Values;
use crate::model::Validity;
use std::time::Instant;

/// One native check, named by rules in `verify.probe`.
pub trait Probe: Sync {
    /// The name that rules use.
    fn name(&self) -> &'static str;

    /// Names of the values that it needs besides `secret`.
    fn needs(&self) -> &'static [&'static str];

    /// Asks. What the other side says of the owner must hold no secret; it is looked through once more.
    fn check(&self, values: &Values, deadline: Instant) -> Probed;
}

/// What a probe came to.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The verdict; `NotChecked` is taken for a refusal to send.
    pub validity: Validity,
    /// Whom it asked; empty if nobody.
    pub host: String,
    /// What decided, in words of ours: `28P01 of PostgreSQL`.
    pub detail: String,
}
