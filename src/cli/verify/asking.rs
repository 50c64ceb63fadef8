//! What every command needs that asks providers: a transport within limits, the probes, and signals that end it.

use super::Policy;
use crate::cli::{random, signal, usage};
use anyhow::Result;
use keywheel::call::{
    Http, HttpOptions, Limited, Limits, Pattern, Proxy, Reach, SystemClock, SystemResolver,
};
use keywheel::config::Config;
use keywheel::probe::{
    AwsSts, GoogleServiceAccount, Mongodb, Mysql, Net, Postgres, Probe, Redis, Smtp, Ssh, SshAccount,
};
use keywheel::rule::RuleSet;
use keywheel::verify::{Options, Verifier};
use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often signals are looked at and progress is drawn.
const BEAT: Duration = Duration::from_millis(50);
/// Longest time of one call, with the wait for its turn and for pauses that a host asks for.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest file of further certificates.
const ROOTS: u64 = 16 << 20;

/// Ready to ask.
pub(crate) struct Asking<'a> {
    /// Asks.
    pub(crate) verifier: &'a Verifier<'a>,
    /// Where logins may go.
    pub(crate) net: &'a Net,
    /// Set by a signal: nothing more is sent.
    pub(crate) stop: &'a AtomicBool,
    /// What the operator should know of the way there.
    pub(crate) notices: Vec<String>,
}

/// Does `act` with everything that calls need, until a signal or `until` ends them. `beat` is told every few
/// milliseconds that it goes on, and once that it is over.
///
/// # Errors
/// The proxy, the certificates or an option cannot be used.
pub(crate) fn asking<T>(
    rules: &RuleSet,
    config: &Config,
    policy: &Policy,
    until: Option<Instant>,
    mut beat: impl FnMut(bool) + Send,
    act: impl FnOnce(Asking<'_>) -> T,
) -> Result<T> {
    let (http, net, only) = ready(config, policy)?;
    let hosts = config.hosts();
    let notices = http.notices();
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
    let accounts = config.ssh_accounts();
    let ssh = Ssh { net: &net, accounts: &accounts };
    let mut probes: Vec<&dyn Probe> = vec![&sts, &google, &postgres, &mysql, &mongodb, &redis, &smtp];
    if !accounts.is_empty() {
        // A private key comes without a host: where no account is named, it stays unchecked.
        probes.push(&ssh);
    }
    let verifier = Verifier {
        rules,
        transport: &transport,
        hosts: &hosts,
        probes: &probes,
        clock: &SystemClock,
        options,
    };
    signal::watch();
    let (done, ended) = mpsc::channel::<()>();
    Ok(std::thread::scope(|scope| {
        let stop = &*stop;
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(BEAT) {
                if signal::caught().is_some() {
                    stop.store(true, Ordering::Relaxed);
                }
                beat(false);
            }
            beat(true);
        });
        // Dropped on every way out, which ends the watcher.
        let _done = done;
        act(Asking { verifier: &verifier, net: &net, stop, notices })
    }))
}

/// The transport, and the only hosts that are asked if there are any: whatever of them cannot be used is found out
/// before a long scan.
///
/// # Errors
/// The proxy, the certificates or an option cannot be used.
pub(super) fn ready(config: &Config, policy: &Policy) -> Result<(Http, Net, Vec<Pattern>)> {
    let reach = reach(config, &policy.internal)?;
    let only = policy.hosts.iter().map(|host| Pattern::of_operator(host)).collect::<Result<Vec<_>, _>>();
    let only = only.map_err(|e| usage(format!("`hosts` of [verify]: {e}")))?;
    let roots = roots()?;
    let net = Net::new(config.hosts(), reach.clone(), only.clone(), &roots).map_err(usage)?;
    let options = HttpOptions { reach, roots, proxy: proxy()?, connect: None };
    Ok((Http::new(options).map_err(usage)?, net, only))
}

/// The transport alone, for commands that do not verify.
///
/// # Errors
/// The proxy, the certificates or a host cannot be used.
pub(crate) fn http(config: &Config, internal: &[String]) -> Result<Http> {
    let options =
        HttpOptions { reach: reach(config, internal)?, roots: roots()?, proxy: proxy()?, connect: None };
    Http::new(options).map_err(usage)
}

/// Which addresses may be reached.
fn reach(config: &Config, internal: &[String]) -> Result<Reach> {
    let mut reach = config.hosts().reach(Arc::new(SystemResolver::default()));
    config.ssh_accounts().iter().filter_map(SshAccount::internal).for_each(|host| reach.allow_internal(host));
    for host in internal {
        let hosts = Pattern::of_operator(host).map_err(|e| usage(format!("--allow-internal: {e}")))?;
        reach.allow_internal(hosts);
    }
    Ok(reach)
}

/// The further authorities that the operator trusts.
pub(crate) fn roots() -> Result<Vec<u8>> {
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
pub(crate) fn proxy() -> Result<Option<Proxy>> {
    let var = |names: [&str; 2]| names.into_iter().filter_map(|n| env::var(n).ok()).find(|v| !v.is_empty());
    let Some(proxy) = var(["HTTPS_PROXY", "https_proxy"]) else { return Ok(None) };
    let except = var(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    Proxy::parse(&proxy, &except).map(Some).map_err(|e| usage(format!("HTTPS_PROXY: {e}")))
}
