//! `keywheel usage`: who used which key, when, for how much.

mod export;
mod hygiene;
mod import;
mod marks;
mod pull;
mod show;
mod target;
mod watch;

pub(crate) use hygiene::HygieneArgs;

use super::organisation::{Organisation, OrganisationArgs};
use super::{output, usage};
use anyhow::Result;
use clap::{Args, Subcommand};
use keywheel::detect::{Detector, Workspace};
use keywheel::model::{Class, FingerprintKey};
use keywheel::rotate::policy::Period;
use keywheel::usage::table::{Owner, Owners};
use keywheel::usage::{Store, time};
use std::path::{Path, PathBuf};

const CODES: &str = "Exit codes:
  0    everything was read or shown
  2    wrong usage or configuration
  3    of some source not everything could be read
  4    internal error";

#[derive(Debug, Args)]
#[command(after_help = CODES)]
pub(crate) struct UsageArgs {
    #[command(subcommand)]
    command: UsageCommand,
}

#[derive(Debug, Subcommand)]
enum UsageCommand {
    /// Read from providers what is due
    #[command(after_help = "Examples:
  keywheel usage pull --store usage.db --admin openai=env:OPENAI_ADMIN_KEY --admin anthropic=file:/run/secrets/admin
  keywheel usage pull --store usage.db --policy policy.toml        with the [admin.NAME] of the policy

A pull that is killed goes on where it was. What a provider corrects later takes the place of what was there.")]
    Pull(Box<pull::PullArgs>),
    /// Take a log in: of LiteLLM, of OpenBao, or by a mapping
    Import(import::ImportArgs),
    /// Show use by service, key, model or time
    #[command(after_help = "Examples:
  keywheel usage show --store usage.db --by service,day --since 30d --policy policy.toml
  keywheel usage show --store usage.db --by key,model --format csv
  keywheel usage show --store usage.db --by service,model,hour --format parquet --output use.parquet")]
    Show(Box<show::ShowArgs>),
    /// Write every row: each source's hours, as they were told
    Export(export::ExportArgs),
    /// Look for use that is not usual, and write alerts of it
    Watch(Box<watch::WatchArgs>),
    /// List what can be read, and how far it was
    Sources(pull::SourcesArgs),
}

pub(crate) fn run(args: &UsageArgs) -> Result<u8> {
    match &args.command {
        UsageCommand::Pull(args) => pull::run(args),
        UsageCommand::Import(args) => import::run(args),
        UsageCommand::Show(args) => show::show(args),
        UsageCommand::Export(args) => export::run(args),
        UsageCommand::Watch(args) => watch::run(args),
        UsageCommand::Sources(args) => pull::sources(args),
    }
}

/// Which file.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArgs {
    /// The file of usage; made if it is not there
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_USAGE")]
    store: PathBuf,
}

impl StoreArgs {
    fn open(&self) -> Result<Store> {
        Store::open(&self.store).map_err(usage)
    }

    /// Opens one that is there: showing makes no file.
    fn existing(&self) -> Result<Store> {
        if !self.store.is_file() {
            return Err(usage(format!(
                "there is no file `{}`; `usage pull` and `usage import` make one",
                self.store.display()
            )));
        }
        self.open()
    }
}

/// Which time.
#[derive(Clone, Debug, Args)]
struct When {
    /// From so long ago
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = period)]
    since: i64,
    /// Until so long ago [default: now]
    #[arg(long, value_name = "TIME", value_parser = period)]
    until: Option<i64>,
}

impl When {
    /// From and to; whole days, so that tables by day and by hour come to the same.
    fn range(&self) -> (i64, i64) {
        let now = now();
        let from = time::floor(now.saturating_sub(self.since), time::DAY).max(0);
        let to = self.until.map_or(time::floor(now, time::HOUR) + time::HOUR, |ago| {
            time::floor(now.saturating_sub(ago), time::DAY)
        });
        (from, to.max(from))
    }
}

/// The organisation's policy, if one is named.
fn organisation(args: &OrganisationArgs) -> Result<Option<Organisation>> {
    if args.is_named() { Organisation::new(args).map(Some) } else { Ok(None) }
}

/// Whose keys are, by what providers call them and by fingerprint.
fn owners(organisation: Option<&Organisation>) -> Owners {
    let mut owners = Owners::new();
    for key in organisation.iter().flat_map(|o| &o.policy.file.key) {
        let owner = Owner {
            lineage: key.id.to_string(),
            service: key.service.to_string(),
            team: key.team.to_string(),
            environment: key.environment.to_string(),
        };
        let names = key.known_as.iter().map(ToString::to_string);
        for name in names.chain(key.fingerprints.iter().map(|f| f.as_str().to_owned())) {
            owners.insert((key.provider.to_string(), name), owner.clone());
        }
    }
    owners
}

/// What to call a key in the place of its value, should a log name it by that.
pub(crate) fn screen(detector: &Detector, provider: &str, name: &str) -> Option<String> {
    // Some keys are known by the words beside them only.
    let text = format!("{provider}_api_key={name}");
    let found = detector.scan(text.as_bytes(), b"", &mut Workspace::default());
    let kinds = detector.rules().kinds();
    let secret = found.iter().any(|f| kinds[f.kind].class == Class::Structured);
    secret.then(|| FingerprintKey::default().fingerprint(name.as_bytes()).as_str().to_owned())
}

/// Reads `30d`, `12h`.
fn period(text: &str) -> Result<i64, String> {
    text.parse::<Period>().map(|p| p.signed().as_secs())
}

/// Now, in seconds.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn read_text(path: &Path) -> Result<String> {
    super::organisation::read(path)
}

fn told(text: &str) {
    output::tell(text);
}
