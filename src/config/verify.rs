//! The table `[verify]`: what an organisation says of asking providers. A repository has no say in it, since a call
//! sends what was found to others, and since silence could hide that a key works.

use super::duration;
use crate::probe::SshAccount;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::time::Duration;

/// The table `[verify]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Verify {
    /// Whether providers are asked if the command line does not say.
    pub enabled: bool,
    /// Whether hooks ask as well, which the command line cannot say.
    pub hooks: bool,
    /// Ids of rules and providers for which nothing is sent.
    pub never: Vec<String>,
    /// If there are any, the only hosts that are asked; `*.` stands for one label or more.
    pub hosts: Vec<String>,
    /// Longest time that all calls of a run take together.
    #[serde(deserialize_with = "time")]
    pub budget: Option<Duration>,
    /// Accounts at which SSH keys are tried.
    pub ssh: Vec<SshLogin>,
}

/// An entry of `[[verify.ssh]]`, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Entry")]
pub struct SshLogin(pub SshAccount);

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    user: String,
    host: String,
    #[serde(default)]
    host_keys: Vec<String>,
    #[serde(default)]
    internal: bool,
}

impl TryFrom<Entry> for SshLogin {
    type Error = String;

    fn try_from(e: Entry) -> Result<Self, String> {
        SshAccount::new(&e.user, &e.host, &e.host_keys, e.internal).map(SshLogin)
    }
}

impl super::Config {
    /// The accounts at which SSH keys are tried.
    pub fn ssh_accounts(&self) -> Vec<SshAccount> {
        self.verify.iter().flat_map(|v| &v.ssh).map(|login| login.0.clone()).collect()
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration(&String::deserialize(from)?).map(Some).map_err(D::Error::custom)
}
