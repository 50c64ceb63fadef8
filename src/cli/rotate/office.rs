//! Where rotations are written down: the folder of the journal, the keys that seal it, the head of its audit.

use super::world::{World, transit};
use crate::cli::verify::private_folder;
use crate::cli::{output, random, usage};
use anyhow::{Context, Result};
use clap::Args;
use keywheel::model::Secret;
use keywheel::rotate::Journal;
use keywheel::rotate::engine::{Clock, SystemClock};
use keywheel::rotate::seal::Keyring;
use keywheel::rotate::store::Doors;
use keywheel::rotate::time::Moment;
use keywheel::rotate::transit::Transit;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, Args)]
pub(crate) struct OfficeArgs {
    /// Folder of the journal
    #[arg(long, value_name = "DIR", env = "KEYWHEEL_STATE")]
    state: Option<PathBuf>,
    /// Where the key is that seals the journal: env:NAME, file:/path, openbao:mount/path#field, or transit:KEY, a key of OpenBao that wraps it
    #[arg(long, value_name = "REF", env = "KEYWHEEL_MASTER_KEY", hide_env_values = true)]
    master_key: Option<String>,
    /// Where a former one is, which still opens what it sealed
    #[arg(long, value_name = "REF")]
    former_master_key: Vec<String>,
    /// Say that the folder outlives this job: needed where CI is set
    #[arg(long)]
    durable: bool,
    /// Write the head of the audit to this file after each change; keep it where the journal's owner cannot change it
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_AUDIT_HEAD")]
    audit_head: Option<PathBuf>,
    /// The file that `keywheel usage` keeps, in which the logs of gateways are: who still uses an old key
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_USAGE")]
    usage: Option<PathBuf>,
}

/// The journal, open.
pub(super) struct Office {
    pub(super) journal: Journal,
    pub(super) doors: Arc<dyn Doors>,
    /// The file of usage, if one is named.
    pub(super) usage: Option<PathBuf>,
    head: Option<PathBuf>,
}

impl OfficeArgs {
    /// Whether a journal is named.
    pub(super) fn named(&self) -> bool {
        self.state.as_deref().is_some_and(|state| !state.as_os_str().is_empty())
    }

    /// Whether a journal is named and there: opening one that is not there makes it.
    pub(super) fn is_there(&self) -> bool {
        self.named() && self.state.as_deref().is_some_and(|state| state.join(JOURNAL).exists())
    }

    /// Opens the journal to change something.
    pub(super) fn open(&self) -> Result<Office> {
        not_proposed()?;
        if in_ci() && !self.durable {
            return Err(usage(
                "a rotation takes longer than a job: name a folder that outlives it with --state, and say so with --durable",
            ));
        }
        self.look()
    }

    /// Opens the journal to look at it.
    pub(super) fn look(&self) -> Result<Office> {
        let folder = self.state.as_deref().filter(|_| self.named()).ok_or_else(|| {
            usage("name the folder of the journal: --state DIR, or KEYWHEEL_STATE; it must outlive every rotation")
        })?;
        let reference = self.master_key.as_deref().filter(|r| !r.is_empty()).ok_or_else(|| {
            usage(
                "name the key that seals the journal: --master-key REF, or KEYWHEEL_MASTER_KEY; make one with \
                 `openssl rand -hex 32`, and keep it apart from the journal",
            )
        })?;
        owned(folder)?;
        let path = folder.join(JOURNAL);
        let master = key(&path, reference, true)?;
        let former =
            self.former_master_key.iter().map(|r| key(&path, r, false)).collect::<Result<Vec<_>>>()?;
        let ring = || -> Result<Keyring> {
            let ring = Keyring::new(master.expose()).map_err(usage)?;
            former.iter().try_fold(ring, |ring, key| ring.with_former(key.expose()).map_err(usage))
        };
        let journal = Journal::open(&path, ring()?).map_err(usage)?;
        let doors = Arc::new(World::new(Some(ring()?)));
        let usage = self.usage.clone().filter(|path| !path.as_os_str().is_empty());
        Ok(Office { journal, doors, usage, head: self.audit_head.clone() })
    }
}

impl OfficeArgs {
    /// The key of OpenBao that wraps the journal's data key.
    pub(super) fn wrapper(&self) -> Result<Transit> {
        let named = self.master_key.as_deref().and_then(|reference| reference.strip_prefix(TRANSIT));
        let named = named.ok_or_else(|| {
            usage("nothing wraps the key that seals this journal: only with --master-key transit:KEY there is something to wrap anew")
        })?;
        transit(named).map_err(|why| usage(format!("the key that seals the journal: {why}")))
    }
}

/// The journal's file in its folder.
const JOURNAL: &str = "journal.db";
/// What a reference begins with that names a key of OpenBao's transit engine.
const TRANSIT: &str = "transit:";

/// The key behind a reference, or the journal's data key that it wraps.
fn key(journal: &Path, reference: &str, make: bool) -> Result<Secret> {
    let wrong = |why: String| usage(format!("the key that seals the journal: {why}"));
    match reference.strip_prefix(TRANSIT) {
        Some(named) => Journal::data_key(journal, &transit(named).map_err(wrong)?, make).map_err(usage),
        None => World::new(None).fetch(reference).map_err(wrong),
    }
}

impl Office {
    /// A name that no other worker has.
    pub(super) fn worker(&self) -> Result<String> {
        Ok(format!("{}-{}", std::process::id(), random::hex(8)?))
    }

    /// Writes the audit's head down where the caller wants it.
    pub(super) fn export_head(&self) -> Result<()> {
        let Some(path) = &self.head else { return Ok(()) };
        let head = self.journal.audit_head()?;
        output::write_whole(path, Some(0o600), |out| writeln!(out, "{head}"))
            .with_context(|| format!("cannot write the audit's head to {}", path.display()))
    }

    pub(super) fn now(&self) -> Moment {
        SystemClock.now()
    }
}

/// Makes the folder if it is not there, and sees that it is its owner's alone.
fn owned(folder: &Path) -> Result<()> {
    let cannot = |e: std::io::Error| usage(format!("cannot use the folder {}: {e}", folder.display()));
    if folder.symlink_metadata().is_err() {
        private_folder(folder).map_err(cannot)?;
    }
    let meta = std::fs::metadata(folder).map_err(cannot)?;
    if !meta.is_dir() {
        return Err(usage(format!("{} is no folder", folder.display())));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(usage(format!("others may enter {}: chmod 700 it", folder.display())));
        }
    }
    Ok(())
}

fn set(name: &str) -> bool {
    env::var(name).is_ok_and(|v| !v.is_empty() && v != "false" && v != "0")
}

pub(super) fn in_ci() -> bool {
    set("CI") || set("GITHUB_ACTIONS") || set("TF_BUILD") || set("JENKINS_URL")
}

/// Refuses wherever a change is only proposed: its author could choose what is done with keys.
fn not_proposed() -> Result<()> {
    if is_proposed() {
        return Err(usage(
            "this job runs for a proposed change, whose author could choose what is done with keys: nothing is rotated \
             here; `keywheel rotate plan` may be looked at",
        ));
    }
    Ok(())
}

/// Whether this job runs for a change that is only proposed.
pub(super) fn is_proposed() -> bool {
    let text = |name: &str| env::var(name).unwrap_or_default();
    let event = text("GITHUB_EVENT_NAME");
    event.starts_with("pull_request")
        || event.starts_with("issue_comment")
        || event == "merge_group"
        || text("GITHUB_REF").starts_with("refs/pull/")
        || text("CI_PIPELINE_SOURCE") == "merge_request_event"
        || [
            "CI_MERGE_REQUEST_IID",
            "BITBUCKET_PR_ID",
            "CHANGE_ID",
            "CIRCLE_PULL_REQUEST",
            "DRONE_PULL_REQUEST",
        ]
        .into_iter()
        .any(set)
        || ["BUILDKITE_PULL_REQUEST", "TRAVIS_PULL_REQUEST", "SYSTEM_PULLREQUEST_PULLREQUESTID"]
            .into_iter()
            .any(set)
}
