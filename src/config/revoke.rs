//! The table `[revoke]`: what an organisation says of switching keys off. A repository has no say in it.

use super::absolute;
use serde::Deserialize;
use std::path::PathBuf;

/// The table `[revoke]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Revoke {
    /// Whether a job may switch keys off, where nobody can be asked.
    pub allow: bool,
    /// Whether a key may be reported to a provider's public service without a word on whose it is.
    pub unowned: bool,
    /// The file to which intents and outcomes are written. Absolute, so that one file has them all.
    #[serde(deserialize_with = "absolute")]
    pub audit_log: Option<PathBuf>,
}
