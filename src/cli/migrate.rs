//! `keywheel migrate`

use super::args::Selection;
use super::settings::{self, Settings};
use super::{code, output, random, session, usage};
use anyhow::{Context, Result};
use clap::Args;
use keywheel::config::Config;
use keywheel::migrate::{self, Converted, Known, Options};
use keywheel::model::{Confidence, Severity};
use keywheel::rule::RuleSet;
use keywheel::scan::Baseline;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes of a file that is converted.
const MOST: u64 = 64 << 20;
/// Bytes of a new salt.
const SALT: usize = 16;
/// What is written.
const BASELINE: &str = ".keywheel-baseline";

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// What to convert: .gitleaks.toml, .gitleaksignore, a report of Gitleaks that is its baseline,
    /// .secrets.baseline, rules of Kingfisher or Nosey Parker in YAML
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write rules/, keywheel.toml and .keywheel-baseline here; without it all is shown
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The tree that accepted findings stand in
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// Gitleaks' own default configuration, for one that extends it
    #[arg(long, value_name = "FILE")]
    gitleaks_defaults: Option<PathBuf>,
}

pub(crate) fn run(args: &MigrateArgs) -> Result<u8> {
    let (mut made, mut known) = (Converted::default(), Vec::new());
    for path in &args.files {
        let text = read(path)?;
        if let Some(accepted) = migrate::accepted(path, &text).map_err(usage)? {
            known.extend(accepted.known);
            made.config.push_str(&accepted.config);
            made.notes.extend(accepted.notes);
            continue;
        }
        let one = convert(path, &text, args.gitleaks_defaults.as_deref())?;
        if let Some((name, _)) = one.rules.iter().find(|(name, _)| made.rules.iter().any(|(n, _)| n == name))
        {
            return Err(usage(format!("two of the files make rules/{name}; convert them one by one")));
        }
        made.rules.extend(one.rules);
        made.config.push_str(&one.config);
        made.notes.extend(one.notes);
    }
    let mut files: Vec<(PathBuf, String)> =
        made.rules.iter().map(|(name, text)| (Path::new("rules").join(name), text.clone())).collect();
    if !made.config.is_empty() || !made.rules.is_empty() {
        let rules = if made.rules.is_empty() { "" } else { "[scan]\nrules = [\"rules\"]\n\n" };
        files.push((settings::CONFIG.into(), format!("{rules}{}", made.config)));
    }
    let mut complete = true;
    if !known.is_empty() {
        let baseline = accept(args, &mut made, &known, &mut complete)?;
        files.push((BASELINE.into(), baseline.render()));
    }
    for note in &made.notes {
        output::tell(&format!("differs: {note}"));
    }
    match &args.out {
        Some(out) => write(out, &files)?,
        None => {
            let show = |(name, text): &(PathBuf, String)| format!("# {}\n{text}\n", name.display());
            output::print(files.iter().map(show).collect::<String>().as_bytes())?;
        }
    }
    if !complete {
        output::tell(
            "something of the tree could not be read: `keywheel scan` tells what; no entry was made for it",
        );
    }
    Ok(if complete { code::CLEAN } else { code::INCOMPLETE })
}

/// Converts a file of rules.
pub(crate) fn convert(path: &Path, text: &str, defaults: Option<&Path>) -> Result<Converted> {
    let read = |path: &Path| fs::read_to_string(path);
    migrate::rules(path, text, &Options { read: &read, defaults }).map_err(usage)
}

/// A baseline of what a scan of the tree finds where something was accepted.
fn accept(
    args: &MigrateArgs,
    made: &mut Converted,
    known: &[Known],
    complete: &mut bool,
) -> Result<Baseline> {
    let there = args.out.as_ref().map(|out| out.join(BASELINE)).filter(|path| path.exists());
    let mut baseline = match &there {
        Some(path) => settings::read_baseline(path)?,
        None => Baseline { salt: random::hex(SALT)?, ..Baseline::default() },
    };
    let mut rules = RuleSet::embedded();
    let files = made.rules.iter().map(|(name, text)| (PathBuf::from(name), text.clone()));
    rules.add_texts(files.collect()).map_err(usage)?;
    fs::metadata(&args.root).map_err(|e| usage(format!("cannot read `{}`: {e}", args.root.display())))?;
    let selection = Selection { paths: vec![args.root.clone()], ..Selection::default() };
    let mut settings = Settings::with(&selection, Config::default(), rules);
    settings.floors = (Confidence::Low, Severity::Info);
    settings.options.key = baseline.key().unwrap_or_default();
    let key = settings.options.key.clone();
    let pass = session::run(settings)?;
    *complete = pass.signal.is_none() && pass.outcome.coverage.is_complete();
    let (entries, notes) = migrate::entries(known, &pass.outcome.findings, &key);
    made.notes.extend(notes);
    for (fingerprint, entry) in entries {
        baseline.entries.entry(fingerprint).or_insert(entry);
    }
    Ok(baseline)
}

/// Writes the files below a folder. Only a baseline may be there already: it is added to.
fn write(out: &Path, files: &[(PathBuf, String)]) -> Result<()> {
    for (name, _) in files.iter().filter(|(name, _)| name != Path::new(BASELINE)) {
        let path = out.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(usage(format!(
                "{} is there already; move it away, or name another --out",
                path.display()
            )));
        }
    }
    for (name, text) in files {
        let path = out.join(name);
        let folder = path.parent().unwrap_or(out);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        output::write_whole(&path, None, |to| to.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        output::tell(&format!("{} written", path.display()));
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    let fault = |e: std::io::Error| usage(format!("cannot read `{}`: {e}", path.display()));
    let mut text = String::new();
    fs::File::open(path).and_then(|file| file.take(MOST + 1).read_to_string(&mut text)).map_err(fault)?;
    if text.len() as u64 > MOST {
        return Err(usage(format!("`{}` is larger than {} MiB; split it", path.display(), MOST >> 20)));
    }
    Ok(text)
}
