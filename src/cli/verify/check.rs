//! Checking findings: with progress, and with verdicts of earlier runs.

use super::{Asking, Policy, asking};
use crate::cli::progress::Progress;
use crate::cli::{output, random};
use anyhow::Result;
use keywheel::config::Config;
use keywheel::model::{Checks, Finding};
use keywheel::rule::RuleSet;
use keywheel::verify::{Cache, Watch};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Asks about each finding. Verdicts are kept in the file that the policy names.
///
/// # Errors
/// The proxy, the certificates or an option cannot be used. What goes wrong later makes verdicts unknown.
pub(crate) fn check(
    findings: &mut [Finding],
    rules: &RuleSet,
    config: &Config,
    policy: &Policy,
    quiet: bool,
) -> Result<Checks> {
    let mut cache = policy.cache.as_deref().map(open).transpose()?.flatten();
    let checks = check_with(findings, rules, config, policy, quiet, cache.as_mut())?;
    if let Some(Err(fault)) = cache.map(|cache| cache.save(jiff::Timestamp::now().as_second())) {
        output::tell(&fault.to_string());
    }
    Ok(checks)
}

/// Asks about each finding, with verdicts that are kept elsewhere.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_with(
    findings: &mut [Finding],
    rules: &RuleSet,
    config: &Config,
    policy: &Policy,
    quiet: bool,
    cache: Option<&mut Cache>,
) -> Result<Checks> {
    let counts = (AtomicUsize::new(0), AtomicUsize::new(0));
    let told = |done, all| {
        counts.0.fetch_max(done, Ordering::Relaxed);
        counts.1.store(all, Ordering::Relaxed);
    };
    let mut progress = Progress::new(quiet);
    let beat = |over| {
        if over {
            return progress.clear();
        }
        let (done, all) = (counts.0.load(Ordering::Relaxed), counts.1.load(Ordering::Relaxed));
        progress.line(|| format!("verifying: {done} of {all}"));
    };
    let until = Instant::now().checked_add(policy.budget);
    asking(rules, config, policy, until, beat, |Asking { verifier, stop, notices, .. }| {
        let mut checks = verifier.check(findings, cache, &Watch { progress: &told, cancel: stop });
        checks.notices.splice(0..0, notices);
        checks
    })
}

/// The cache, if it can be used; why not is told.
fn open(path: &Path) -> Result<Option<Cache>> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty() && !p.is_dir())
        && let Err(e) = private_folder(folder)
    {
        output::tell(&format!("no cache: cannot make the folder {}: {e}", folder.display()));
        return Ok(None);
    }
    let mut key = [0; 32];
    random::fill(&mut key)?;
    let (cache, fault) = Cache::open(path, key);
    if let Some(fault) = fault {
        output::tell(&fault.to_string());
    }
    Ok(Some(cache))
}

/// Makes a folder that is its owner's alone.
///
/// # Errors
/// It cannot be made.
pub(crate) fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
