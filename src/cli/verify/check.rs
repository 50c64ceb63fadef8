//! The calls themselves: a transport within limits, with progress, until a signal or the budget ends them.

use super::Policy;
use crate::cli::progress::Progress;
use crate::cli::{output, random, signal, usage};
use anyhow::Result;
use keywheel::call::{Http, HttpOptions, Limited, Limits, Pattern, Proxy, SystemClock, SystemResolver};
use keywheel::config::Config;
use keywheel::model::{Checks, Finding};
use keywheel::probe::{AwsSts, GoogleServiceAccount, Mongodb, Mysql, Net, Postgres, Probe, Redis, Smtp};
use keywheel::rule::RuleSet;
use keywheel::verify::{Cache, Options, Verifier, Watch};
use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often signals are looked at and progress is drawn.
const BEAT: Duration = Duration::from_millis(50);
/// Longest time of one call, with the wait for its turn and for pauses that a host asks for.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest file of further certificates.
const ROOTS: u64 = 16 << 20;

/// The transport, and the only hosts that are asked if there are any: whatever of them cannot be used is found out
/// before a long scan.
///
/// # Errors
/// The proxy, the certificates or an option cannot be used.
pub(crate) fn ready(config: &Config, policy: &Policy) -> Result<(Http, Net, Vec<Pattern>)> {
    let mut reach = config.hosts().reach(Arc::new(SystemResolver::default()));
    for host in &policy.internal {
        reach
            .allow_internal(Pattern::of_operator(host).map_err(|e| usage(format!("--allow-internal: {e}")))?);
    }
    let only = policy.hosts.iter().map(|host| Pattern::of_operator(host)).collect::<Result<Vec<_>, _>>();
    let only = only.map_err(|e| usage(format!("`hosts` of [verify]: {e}")))?;
    let roots = roots()?;
    let net = Net::new(config.hosts(), reach.clone(), only.clone(), &roots).map_err(usage)?;
    let options = HttpOptions { reach, roots, proxy: proxy()?, connect: None };
    Ok((Http::new(options).map_err(usage)?, net, only))
}

/// Asks about each finding.
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
    let (http, net, only) = ready(config, policy)?;
    let hosts = config.hosts();
    let notices = http.notices();
    let until = Instant::now().checked_add(policy.budget);
    let limits = Limits { until, slower: rules.rates(), ..Limits::default() };
    let stop = limits.stop.clone();
    let transport = Limited::new(http, limits, Arc::new(SystemClock));
    let mut seed = [0; 8];
    random::fill(&mut seed)?;
    let asked = only.clone();
    let options = Options {
        seed: u64::from_le_bytes(seed),
        timeout: TIMEOUT,
        never: policy.never.clone(),
        only,
        ..Options::default()
    };
    let sts = AwsSts { transport: &transport, hosts: &hosts, only: &asked, clock: &SystemClock };
    let google =
        GoogleServiceAccount { transport: &transport, hosts: &hosts, only: &asked, clock: &SystemClock };
    let (postgres, mysql, mongodb) = (Postgres(&net), Mysql(&net), Mongodb(&net));
    let (redis, smtp) = (Redis(&net), Smtp(&net));
    let probes: [&dyn Probe; 7] = [&sts, &google, &postgres, &mysql, &mongodb, &redis, &smtp];
    let verifier = Verifier {
        rules,
        transport: &transport,
        hosts: &hosts,
        probes: &probes,
        clock: &SystemClock,
        options,
    };
    let mut cache = policy.cache.as_deref().map(open).transpose()?.flatten();

    signal::watch();
    let counts = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (done, ended) = mpsc::channel::<()>();
    let mut checks = std::thread::scope(|scope| {
        let mut progress = Progress::new(quiet);
        let (counts, stop) = (&counts, &stop);
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(BEAT) {
                if signal::caught().is_some() {
                    stop.store(true, Ordering::Relaxed);
                }
                let (done, all) = (counts.0.load(Ordering::Relaxed), counts.1.load(Ordering::Relaxed));
                progress.line(|| format!("verifying: {done} of {all}"));
            }
            progress.clear();
        });
        // Dropped on every way out, which ends the watcher.
        let _done = done;
        let told = |done, all| {
            counts.0.fetch_max(done, Ordering::Relaxed);
            counts.1.store(all, Ordering::Relaxed);
        };
        verifier.check(findings, cache.as_mut(), &Watch { progress: &told, cancel: stop })
    });
    if let Some(Err(fault)) = cache.map(|cache| cache.save(jiff::Timestamp::now().as_second())) {
        output::tell(&fault.to_string());
    }
    checks.notices.splice(0..0, notices);
    Ok(checks)
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

/// The further authorities that the operator trusts.
fn roots() -> Result<Vec<u8>> {
    let Some(path) = env::var_os("SSL_CERT_FILE").filter(|p| !p.is_empty()) else { return Ok(Vec::new()) };
    let path = Path::new(&path);
    let cannot = |e: &dyn std::fmt::Display| usage(format!("SSL_CERT_FILE: {}: {e}", path.display()));
    match fs::metadata(path) {
        Ok(m) if m.is_file() && m.len() <= ROOTS => fs::read(path).map_err(|e| cannot(&e)),
        Ok(_) => Err(cannot(&"it is no file of certificates")),
        Err(e) => Err(cannot(&e)),
    }
}

/// The proxy that the environment names.
fn proxy() -> Result<Option<Proxy>> {
    let var = |names: [&str; 2]| names.into_iter().filter_map(|n| env::var(n).ok()).find(|v| !v.is_empty());
    let Some(proxy) = var(["HTTPS_PROXY", "https_proxy"]) else { return Ok(None) };
    let except = var(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    Proxy::parse(&proxy, &except).map(Some).map_err(|e| usage(format!("HTTPS_PROXY: {e}")))
}
