//! `keywheel usage pull` and `usage sources`.

use super::{StoreArgs, now, organisation, period, screen, told};
use crate::cli::organisation::OrganisationArgs;
use crate::cli::rotate::last_uses;
use crate::cli::verify::{http, secret_text};
use crate::cli::{code, output, settings, usage};
use anyhow::Result;
use clap::Args;
use keywheel::call::{Caller, Limited, Limits, Origin, SystemClock, Values};
use keywheel::config::Config;
use keywheel::detect::Detector;
use keywheel::model::Secret;
use keywheel::rotate::policy::Reference;
use keywheel::rule::{Class, Metered, embedded_texts, meters};
use keywheel::usage::pull::{Pull, Pulled};
use keywheel::usage::{Measures, SourceInfo, Store, Stretch, time};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Longest time of one call, pauses that a host asks for included.
const CALL: Duration = Duration::from_secs(120);
/// How often signals are looked at.
const BEAT: Duration = Duration::from_millis(100);
/// The name of the lists that say when keys were used last.
const LAST_USED: &str = "last-used";
/// Fewest seconds for which hours are kept: the spikes learn from five weeks.
const LEAST_KEPT: i64 = 60 * time::DAY;

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    files: OrganisationArgs,
    /// A credential that may read usage: `PROVIDER=env:NAME` or `PROVIDER=file:/path`; `PROVIDER/ACCOUNT=…` for several
    #[arg(long = "admin", value_name = "WHAT=WHERE")]
    admins: Vec<String>,
    /// Read only this: see `usage sources`, or `last-used`
    #[arg(long = "source", value_name = "ID")]
    only: Vec<String>,
    /// What a source asks for and no call finds: `ID.NAME=VALUE`
    #[arg(long = "set", value_name = "ID.NAME=VALUE")]
    set: Vec<String>,
    /// How far back the first read goes
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = period)]
    since: i64,
    /// For how long hours are kept; days are kept for good
    #[arg(long, value_name = "TIME", default_value = "400d", value_parser = period)]
    keep: i64,
    /// Longest time that all reads take together
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = keywheel::config::duration)]
    budget: Duration,
    /// The organisation's configuration, with its endpoints
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ORG_CONFIG")]
    org_config: Option<PathBuf>,
    /// Let this host have an address that is not public
    #[arg(long, value_name = "HOST")]
    allow_internal: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SourcesArgs {
    /// The file of usage, to show how far each was read
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_USAGE")]
    store: Option<PathBuf>,
    /// A rule file or folder beside the embedded rules
    #[arg(long = "rules", value_name = "PATH")]
    rule_paths: Vec<PathBuf>,
}

/// A credential that may read.
struct Admin {
    provider: String,
    account: String,
    place: Reference,
}

pub(crate) fn run(args: &PullArgs) -> Result<u8> {
    if args.keep < LEAST_KEPT {
        return Err(usage("--keep must be 60 days at least: what is usual is learnt from five weeks"));
    }
    let organisation = organisation(&args.files)?;
    let mut admins: Vec<Admin> = args.admins.iter().map(|text| admin(text)).collect::<Result<_>>()?;
    for (name, admin) in organisation.iter().flat_map(|o| &o.policy.file.admin) {
        let provider = admin.provider.to_string();
        admins.push(Admin { provider, account: name.to_string(), place: admin.credential.clone() });
    }
    if admins.is_empty() {
        return Err(usage(
            "name a credential that may read usage: --admin PROVIDER=env:NAME, or --policy FILE",
        ));
    }
    let config = match args.org_config.as_deref().filter(|p| !p.as_os_str().is_empty()) {
        Some(path) => settings::organisation(path)?,
        None => Config::default(),
    };
    let all = all(args.files.rule_paths())?;
    let lasts = args.only.iter().any(|id| id == LAST_USED);
    if let Some(unknown) = args.only.iter().find(|id| !all.contains_key(*id) && *id != LAST_USED) {
        return Err(usage(format!("there is no source `{unknown}`; `keywheel usage sources` names them")));
    }
    let asked = asked(&args.set, &all)?;
    let rules = settings::rules(args.files.rule_paths(), &[])?;
    let http = http(&config, &args.allow_internal)?;
    http.notices().iter().for_each(|notice| told(notice));
    let until = Instant::now() + args.budget;
    let limits = Limits { until: Some(until), slower: rules.rates(), ..Limits::default() };
    let stop = Arc::clone(&limits.stop);
    let transport = Limited::new(http, limits, Arc::new(SystemClock));
    let hosts = config.hosts();
    let detector = Detector::new(Arc::new(rules));
    let store = args.store.open()?;
    let now = now();
    let mut failed = false;
    let mut out = String::new();
    stoppable(&stop, || -> Result<()> {
        for admin in &admins {
            let mine: Vec<_> = all
                .values()
                .filter(|m| m.provider.id == admin.provider)
                .filter(|m| args.only.is_empty() || args.only.contains(&m.meter.id))
                .collect();
            if mine.is_empty() {
                continue;
            }
            let secret = fetch(&admin.place)?;
            for Metered { provider, meter } in mine {
                let mut values = Values::new();
                for (name, part) in parts(&meter.parts, &secret, &admin.place)? {
                    values.set(&name, part);
                }
                let given = asked.get(&meter.id);
                for name in meter.ask.keys() {
                    let value = given.and_then(|g| g.get(name)).ok_or_else(|| {
                        usage(format!(
                            "`{0}` asks for `{name}` ({1}): --set {0}.{name}=…",
                            meter.id, meter.ask[name]
                        ))
                    })?;
                    values.set(name, Secret::new(value.as_bytes()));
                }
                let caller = Caller {
                    transport: &transport,
                    hosts: &hosts,
                    origin: Origin { provider: &provider.id, hosts: &provider.hosts, file: provider.file },
                    clock: &SystemClock,
                    each: CALL,
                    until,
                };
                let pull = Pull {
                    store: &store,
                    caller: &caller,
                    meter,
                    provider: &provider.id,
                    account: &admin.account,
                    values: &values,
                    since: now.saturating_sub(args.since),
                    now,
                    screen: &|name| screen(&detector, &provider.id, name),
                };
                let name = pull.source().name;
                match pull.run() {
                    Ok(done) => writeln!(out, "{name:40} {}", line(&done))?,
                    Err(error) => {
                        failed = true;
                        told(&format!(
                            "{name}: {error}; what was read before is kept, the next pull goes on there"
                        ));
                    }
                }
            }
        }
        Ok(())
    })?;
    if let Some(organisation) = organisation.as_ref().filter(|_| args.only.is_empty() || lasts) {
        for read in last_uses(organisation, config, &args.allow_internal)? {
            match read.told {
                Ok(told) => {
                    let provider = read.provider.as_str();
                    let safe = |key: String| screen(&detector, provider, &key).unwrap_or(key);
                    let last: BTreeMap<_, _> = told.into_iter().map(|(key, at)| (safe(key), at)).collect();
                    keep(&store, &read.source, provider, &last, now)?;
                    writeln!(out, "{:40} {} keys listed", read.source, last.len())?;
                }
                Err(error) => {
                    failed = true;
                    told(&format!("{}: {error:#}", read.source));
                }
            }
        }
    }
    store.prune(now.saturating_sub(args.keep)).map_err(anyhow::Error::new)?;
    output::print(out.as_bytes())?;
    Ok(if failed { code::INCOMPLETE } else { code::CLEAN })
}

/// Keeps when keys were used last.
fn keep(store: &Store, name: &str, provider: &str, last: &BTreeMap<String, i64>, now: i64) -> Result<()> {
    let source = SourceInfo {
        name: name.to_owned(),
        provider: provider.to_owned(),
        class: Class::Provider,
        grain: time::HOUR,
        measures: Measures::default(),
    };
    let at = time::floor(now, time::HOUR);
    let stretch = Stretch { source: &source, from: at, to: at, rows: &[], last, now };
    store.replace(&stretch).map_err(usage)?;
    Ok(())
}

fn line(done: &Pulled) -> String {
    let c = done.changed;
    let mut text = format!("to {}: {} new", time::shown(done.to, time::HOUR), c.added);
    for (n, what) in [(c.corrected, "corrected"), (c.withdrawn, "withdrawn")] {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    }
    if let Some((from, to)) = done.lost {
        let [from, to] = [from, to].map(|at| time::shown(at, time::HOUR));
        text += &format!("; from {from} to {to} is lost: it was read too late");
    }
    text
}

/// Runs while a signal stops the calls.
fn stoppable<T>(stop: &AtomicBool, work: impl FnOnce() -> T) -> T {
    crate::cli::signal::watch();
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(BEAT) {
                if crate::cli::signal::caught().is_some() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        });
        // Dropped on every way out, which ends the watcher.
        let _done = done;
        work()
    })
}

/// All that can be read.
fn all(rule_paths: &[PathBuf]) -> Result<BTreeMap<String, Metered>> {
    let own = crate::cli::organisation::rule_texts(rule_paths)?;
    let embedded = embedded_texts().iter().map(|(name, text)| (Path::new(name), *text, false));
    let own = own.iter().map(|(path, text)| (path.as_path(), text.as_str(), true));
    meters(embedded.chain(own)).map_err(usage)
}

fn admin(text: &str) -> Result<Admin> {
    let wrong = || {
        usage("--admin is PROVIDER=env:NAME or PROVIDER=file:/path; the credential itself never stands there")
    };
    let (what, place) = text.split_once('=').ok_or_else(wrong)?;
    let (provider, account) = what.split_once('/').unwrap_or((what, "main"));
    let plain =
        |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !plain(provider) || !plain(account) {
        return Err(wrong());
    }
    let place = Reference::try_from(place.to_owned()).map_err(|_| wrong())?;
    Ok(Admin { provider: provider.to_owned(), account: account.to_owned(), place })
}

fn fetch(place: &Reference) -> Result<Secret> {
    match place {
        Reference::Env(name) => {
            let value =
                std::env::var(name).map(zeroize::Zeroizing::new).ok().filter(|v| !v.trim().is_empty());
            let value = value.ok_or_else(|| usage(format!("{place} is not set, or empty")))?;
            Ok(Secret::new(value.trim().as_bytes()))
        }
        Reference::File(path) => {
            let file = std::fs::File::open(path).map_err(|e| usage(format!("cannot read {place}: {e}")))?;
            Ok(Secret::new(&secret_text(file, &place.to_string())?))
        }
        Reference::OpenBao { .. } => Err(usage(format!(
            "{place}: usage reads credentials from env: and file: only; let an agent write the file"
        ))),
    }
}

/// The holes that a credential fills: the whole of it, or its parts.
fn parts(names: &[String], secret: &Secret, place: &Reference) -> Result<Vec<(String, Secret)>> {
    if names.is_empty() {
        return Ok(vec![("admin".to_owned(), secret.clone())]);
    }
    let given: Option<BTreeMap<String, zeroize::Zeroizing<String>>> =
        serde_json::from_slice(secret.expose()).ok();
    let part = |name: &String| Some((name.clone(), Secret::new(given.as_ref()?.get(name)?.as_bytes())));
    names
        .iter()
        .map(part)
        .collect::<Option<_>>()
        .ok_or_else(|| usage(format!("{place} must hold a JSON object with the texts {}", names.join(", "))))
}

/// What `--set` gives, by source and name.
fn asked(
    set: &[String],
    all: &BTreeMap<String, Metered>,
) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut out: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for text in set {
        let read = text.split_once('=').and_then(|(what, value)| {
            let (id, name) = what.rsplit_once('.')?;
            all.get(id)?.meter.ask.contains_key(name).then_some((id, name, value))
        });
        let (id, name, value) = read.ok_or_else(|| {
            usage(format!(
                "--set `{text}` is no ID.NAME=VALUE that a source asks for; see `keywheel usage sources`"
            ))
        })?;
        out.entry(id.to_owned()).or_default().insert(name.to_owned(), value.to_owned());
    }
    Ok(out)
}

pub(crate) fn sources(args: &SourcesArgs) -> Result<u8> {
    let store = match args.store.as_deref().filter(|p| p.is_file()) {
        Some(path) => Some(Store::open(path).map_err(usage)?),
        None => None,
    };
    let mut out = String::new();
    for (id, Metered { meter, .. }) in all(&args.rule_paths)? {
        writeln!(out, "{id:28} {}; {:?}, {}", meter.what, meter.grain, meter.class.word())?;
        writeln!(
            out,
            "{:28} read with {}; late by {} s, settled after {} s",
            "", meter.admin, meter.lag, meter.settle
        )?;
        for (name, what) in &meter.ask {
            writeln!(out, "{:28} asks for {name}: {what}", "")?;
        }
    }
    if let Some(store) = store {
        let names = store.names().map_err(anyhow::Error::new)?;
        let mut marks: Vec<_> = names.sources.values().collect();
        marks.sort_by(|a, b| a.name.cmp(&b.name));
        for source in marks {
            if let Some(mark) = store.mark(&source.name).map_err(anyhow::Error::new)? {
                let [to, at] = [mark.to, mark.read_at].map(|t| time::shown(t, time::HOUR));
                writeln!(out, "{:40} {} to {to}, read {at}", source.name, source.class.word())?;
            }
        }
    }
    output::print(out.as_bytes())?;
    Ok(code::CLEAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_never_an_argument() {
        let value = format!("{}-{}", "sk", "a1B2".repeat(12));
        for text in [value.clone(), format!("openai={value}"), format!("openai=key:{value}"), "openai".into()]
        {
            let told = admin(&text).err().expect(&text).to_string();
            assert!(told.contains("never stands there") && !told.contains(&value), "{told}");
        }
        let read = admin("openai/team-a=env:OPENAI_ADMIN_KEY").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((read.provider.as_str(), read.account.as_str()), ("openai", "team-a"));
    }
}
