//! The options by which a command asks providers, and what they come to under an organisation's file.

use crate::cli::{output, usage};
use anyhow::Result;
use clap::Args;
use keywheel::config::{Config, duration};
use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Time for all calls together unless something else is said.
const BUDGET: Duration = Duration::from_secs(300);

/// How providers are asked: shared by all commands that do.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CallArgs {
    /// Longest time that all calls take together: 90s, 5m [default: 5m]; what is not asked by then is unknown
    #[arg(long, value_name = "TIME", value_parser = duration)]
    verify_budget: Option<Duration>,
    /// File of earlier verdicts; `none` for no such file [default: keywheel/verdicts.json in the user's cache folder;
    /// of a sweep, its state]
    #[arg(long, value_name = "FILE")]
    verify_cache: Option<PathBuf>,
    /// Let this host have an address that is not public
    #[arg(long, value_name = "HOST")]
    allow_internal: Vec<String>,
}

/// Whether providers are asked.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct VerifyArgs {
    /// Ask providers whether what is found works. Sends each credential to the provider that issued it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    verify: Option<bool>,
    #[command(flatten)]
    calls: CallArgs,
    /// List only what is proved to work, and fail on that alone unless --fail-on says otherwise
    #[arg(long)]
    only_active: bool,
}

/// On whose behalf a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody who gives the command himself.
    Person,
    /// A hook of git: only the organisation's file can switch it on.
    Hook,
    /// A job on what a stranger proposes: never.
    Stranger,
}

/// How providers are asked, settled.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(super) budget: Duration,
    pub(super) cache: Option<PathBuf>,
    pub(super) internal: Vec<String>,
    pub(super) never: Vec<String>,
    pub(super) hosts: Vec<String>,
    /// Whether only what is proved to work is listed.
    pub(crate) only_active: bool,
}

impl Policy {
    /// The policy of a command that keeps no verdicts and has no budget of its own.
    pub(crate) fn uncached(config: &Config, internal: Vec<String>) -> Self {
        let said = config.verify.clone().unwrap_or_default();
        Policy {
            budget: BUDGET,
            cache: None,
            internal,
            never: said.never,
            hosts: said.hosts,
            only_active: false,
        }
    }
}

impl VerifyArgs {
    /// Whether the command line says where verdicts are kept.
    pub(crate) fn names_cache(&self) -> bool {
        self.calls.verify_cache.is_some()
    }

    /// The policy of a run, if it asks at all.
    ///
    /// # Errors
    /// An option that means nothing here.
    pub(crate) fn policy(&self, config: &Config, caller: Caller) -> Result<Option<Policy>> {
        let said = config.verify.clone().unwrap_or_default();
        let on = match (caller, self.verify) {
            (Caller::Person, asked) => asked.unwrap_or(said.enabled),
            (Caller::Hook, Some(true)) => {
                return Err(usage(
                    "a hook asks providers only by the organisation's file: `enabled = true` and `hooks = true` in \
                     [verify] of --org-config",
                ));
            }
            (Caller::Hook, asked) => asked.unwrap_or(said.enabled && said.hooks),
            (Caller::Stranger, asked) => {
                if asked.unwrap_or(said.enabled) {
                    output::tell(
                        "nothing is verified: the change comes from a fork, whose author could choose what is sent",
                    );
                }
                false
            }
        };
        // In a job on a stranger's change everything is listed instead, since nothing would be.
        if !on && self.only_active && caller != Caller::Stranger {
            return Err(usage("--only-active lists what is proved to work, and proof takes --verify"));
        }
        if !on {
            return Ok(None);
        }
        let policy = Policy { only_active: self.only_active, ..self.calls.policy(config) };
        super::asking::ready(config, &policy)?;
        Ok(Some(policy))
    }
}

impl CallArgs {
    /// The policy of a command that always asks.
    pub(crate) fn policy(&self, config: &Config) -> Policy {
        let said = config.verify.clone().unwrap_or_default();
        let cache = match &self.verify_cache {
            Some(path) if path.as_os_str() == "none" => None,
            Some(path) => Some(path.clone()),
            None => default_cache(),
        };
        Policy {
            budget: self.verify_budget.or(said.budget).unwrap_or(BUDGET),
            cache,
            internal: self.allow_internal.clone(),
            never: said.never,
            hosts: said.hosts,
            only_active: false,
        }
    }
}

/// Where verdicts are kept without being told: the user's cache folder, if he has one.
fn default_cache() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("keywheel").join("verdicts.json"))
}
