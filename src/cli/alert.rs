//! `keywheel alert`: sends what waits in an outbox, and shows what could not be sent.

use super::policy::{Plain, json_line};
use super::terminal::plain;
use super::verify::{self, secret_text};
use super::{code, organisation, output, settings, usage};
use anyhow::Result;
use clap::{Args, Subcommand};
use keywheel::alert::{Delivery, Event, Fetch, Post, Smtp, Standing, Urgency};
use keywheel::call::SystemClock;
use keywheel::config::Config;
use keywheel::model::Secret;
use keywheel::rotate::policy::Reference;
use keywheel::usage::Store;
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const CODES: &str = "Exit codes:
  0    all that was due is sent
  1    something was given up, or waits for another try
  2    wrong usage or configuration";

#[derive(Debug, Args)]
#[command(after_help = CODES)]
pub(crate) struct AlertArgs {
    #[command(subcommand)]
    command: AlertCommand,
}

#[derive(Debug, Subcommand)]
enum AlertCommand {
    /// Send what is due
    Send(SendArgs),
    /// Send one alert through each route, to see that it comes
    Test(SendArgs),
    /// List what waits and what was given up
    List {
        /// The file of usage, in which the outbox stands
        #[arg(long, value_name = "FILE", env = "KEYWHEEL_USAGE")]
        store: PathBuf,
        /// How to write the result
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Plain,
    },
    /// Let what was given up be tried again
    Retry {
        /// The file of usage, in which the outbox stands
        #[arg(long, value_name = "FILE", env = "KEYWHEEL_USAGE")]
        store: PathBuf,
    },
}

#[derive(Debug, Args)]
struct SendArgs {
    /// The file of usage, in which the outbox stands
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_USAGE")]
    store: PathBuf,
    /// Routes of alerts
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ALERTS")]
    alerts: PathBuf,
    /// The organisation's configuration, with its endpoints
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ORG_CONFIG")]
    org_config: Option<PathBuf>,
    /// Let this host have an address that is not public
    #[arg(long, value_name = "HOST")]
    allow_internal: Vec<String>,
}

pub(crate) fn run(args: &AlertArgs) -> Result<u8> {
    match &args.command {
        AlertCommand::Send(args) => send(args, false),
        AlertCommand::Test(args) => send(args, true),
        AlertCommand::List { store, format } => list(store, *format),
        AlertCommand::Retry { store } => {
            let revived = open(store)?.outbox().and_then(|o| o.revive(now())).map_err(usage)?;
            output::print(format!("{revived} to be tried again\n").as_bytes())?;
            Ok(code::CLEAN)
        }
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn open(path: &Path) -> Result<Store> {
    if !path.is_file() {
        return Err(usage(format!(
            "there is no file `{}`; `usage pull` and `usage import` make one",
            path.display()
        )));
    }
    Store::open(path).map_err(usage)
}

fn send(args: &SendArgs, test: bool) -> Result<u8> {
    let store = open(&args.store)?;
    let text = organisation::read(&args.alerts)?;
    let routes = keywheel::alert::Config::parse(&text)
        .map_err(|e| usage(format!("{}: {e}", args.alerts.display())))?;
    let config = match args.org_config.as_deref().filter(|p| !p.as_os_str().is_empty()) {
        Some(path) => settings::organisation(path)?,
        None => Config::default(),
    };
    let http = verify::http(&config, &args.allow_internal)?;
    let outbox = store.outbox().map_err(usage)?;
    if test {
        let event = Event {
            kind: "test".to_owned(),
            // Quiet hours do not hold for somebody who waits for it.
            urgency: Urgency::Emergency,
            subject: "keywheel".to_owned(),
            text: "this is a test; nothing happened".to_owned(),
            facts: Vec::new(),
            same: format!("test:{}", now()),
            at: now(),
        };
        let names: Vec<&str> = routes.route.keys().map(String::as_str).collect();
        outbox.put(&event, &names, 0).map_err(usage)?;
    }
    let post = Post {
        outbox: &outbox,
        config: &routes,
        transport: &http,
        mailer: &Smtp::default(),
        fetch: &Places,
        clock: &SystemClock,
    };
    let done = post.run().map_err(usage)?;
    let text = format!("{} sent, {} to be tried again, {} given up\n", done.sent, done.waiting, done.dead);
    output::print(text.as_bytes())?;
    Ok(if done.waiting + done.dead == 0 { code::CLEAN } else { code::FINDINGS })
}

fn list(store: &Path, format: Plain) -> Result<u8> {
    let store = open(store)?;
    let outbox = store.outbox().map_err(usage)?;
    let (due, dead) =
        (outbox.list(Standing::Due).map_err(usage)?, outbox.list(Standing::Dead).map_err(usage)?);
    let text = match format {
        Plain::Text => {
            let mut out = String::new();
            for (word, d) in due.iter().map(|d| ("waits", d)).chain(dead.iter().map(|d| ("given up", d))) {
                let error = if d.error.is_empty() { String::new() } else { format!(" ({})", d.error) };
                let line = format!(
                    "{word:8}  {} by {}, {} tries{error}: {}: {}",
                    d.letter, d.route, d.tries, d.event.subject, d.event.text
                );
                writeln!(out, "{}", plain(&line))?;
            }
            writeln!(out, "{} wait, {} were given up", due.len(), dead.len())?;
            out
        }
        Plain::Json => {
            let one = |d: &Delivery| {
                json!({"alert": d.letter, "route": d.route, "tries": d.tries, "error": d.error, "kind": d.event.kind,
                       "subject": d.event.subject, "text": d.event.text})
            };
            let [due, dead] = [&due, &dead].map(|l| l.iter().map(one).collect::<Vec<_>>());
            json_line(&json!({"version": 1, "waiting": due, "given_up": dead}))?
        }
    };
    output::print(text.as_bytes())?;
    Ok(if dead.is_empty() { code::CLEAN } else { code::FINDINGS })
}

/// Reads credentials from the environment and from files.
pub(crate) struct Places;

impl Fetch for Places {
    fn fetch(&self, reference: &str) -> Result<Secret, String> {
        match Reference::try_from(reference.to_owned())? {
            Reference::Env(name) => {
                let value =
                    std::env::var(name).map(zeroize::Zeroizing::new).ok().filter(|v| !v.trim().is_empty());
                value
                    .map(|v| Secret::new(v.trim().as_bytes()))
                    .ok_or_else(|| "it is not set, or empty".to_owned())
            }
            Reference::File(path) => {
                let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
                let text = secret_text(file, "the file").map_err(|e| e.to_string())?;
                Ok(Secret::new(&text))
            }
            Reference::OpenBao { .. } => Err("routes read from env: and file: only".to_owned()),
        }
    }
}
