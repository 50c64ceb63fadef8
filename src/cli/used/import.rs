//! `keywheel usage import`.

use super::{StoreArgs, now, read_text, screen};
use crate::cli::{code, output, settings, usage};
use anyhow::Result;
use clap::Args;
use keywheel::detect::Detector;
use keywheel::usage::import::{Mapping, import};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  keywheel usage import --store usage.db --format litellm --name proxy spend.json
  keywheel usage import --store usage.db --format openbao --name bao /var/log/openbao/audit.log
  keywheel usage import --store usage.db --mapping gateway.toml --name gateway calls.jsonl

A log that grew is read on from where it ended; one that was taken in before adds nothing.")]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// A built-in mapping: litellm, litellm-lines, openbao
    #[arg(long, value_name = "NAME", conflicts_with = "mapping", required_unless_present = "mapping")]
    format: Option<String>,
    /// What the log's lines mean
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// What to call this source
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The log
    #[arg(value_name = "LOG")]
    log: PathBuf,
}

pub(crate) fn run(args: &ImportArgs) -> Result<u8> {
    let mapping = match (&args.format, &args.mapping) {
        (Some(name), _) => Mapping::named(name).ok_or_else(|| {
            usage(format!("there is no format `{name}`; there are litellm, litellm-lines, openbao"))
        })?,
        (None, Some(path)) => {
            Mapping::parse(&read_text(path)?).map_err(|e| usage(format!("{}: {e}", path.display())))?
        }
        (None, None) => return Err(usage("name a --format or a --mapping")),
    };
    if args.name.is_empty() || args.name.contains('@') || args.name.chars().any(char::is_control) {
        return Err(usage("--name is a word without `@`, which stands in the names of what is pulled"));
    }
    let detector = Detector::new(Arc::new(settings::rules(&[], &[])?));
    let store = args.store.open()?;
    let screen = |name: &str| screen(&detector, &mapping.provider, name);
    let done = import(&store, &args.name, &args.log, &mapping, now(), &screen)
        .map_err(|e| usage(format!("{}: {e}; nothing of it was taken in", args.log.display())))?;
    let mut text = format!("{}: {} rows", args.name, done.rows);
    for (n, what) in [(done.known, "known before"), (done.other, "left out by the mapping")] {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    }
    if done.skipped > 0 {
        text += &format!("; {} bytes were read before", done.skipped);
    }
    output::print((text + "\n").as_bytes())?;
    Ok(code::CLEAN)
}
