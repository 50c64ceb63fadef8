//! What a run uses: the command line over the configuration file over the defaults.

use super::args::Selection;
use super::what::What;
use super::{output, usage};
use anyhow::Result;
use keywheel::config::{self, Config};
use keywheel::detect::Detector;
use keywheel::migrate;
use keywheel::model::{Confidence, FingerprintKey, Severity};
use keywheel::rule::RuleSet;
use keywheel::scan::{Allow, Baseline, Options};
use keywheel::source;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The configuration that is used without being named.
pub(crate) const CONFIG: &str = "keywheel.toml";
/// Most bytes of a configuration or baseline.
const MOST: u64 = 256 << 20;

/// The settled choice.
pub(crate) struct Settings {
    /// The configuration's own words, for what only one subcommand uses.
    pub(crate) config: Config,
    /// Finds.
    pub(crate) detector: Detector,
    /// How findings are treated.
    pub(crate) options: Options,
    /// How files are read.
    pub(crate) files: source::Options,
    /// Where.
    pub(crate) paths: Vec<PathBuf>,
    /// What of them.
    pub(crate) what: What,
    /// Lowest confidence and severity.
    pub(crate) floors: (Confidence, Severity),
    /// The baseline's file.
    pub(crate) baseline: Option<PathBuf>,
    /// Whether to keep the terminal quiet.
    pub(crate) quiet: bool,
}

impl Settings {
    /// Reads the configuration and settles everything but the baseline's content.
    pub(crate) fn new(args: &Selection) -> Result<Self> {
        let config = config(args)?;
        let mut rule_paths = config.scan.rules.clone();
        rule_paths.extend_from_slice(&args.rules.rule_paths);
        for path in args.paths.iter().filter(|p| p.as_os_str() != "-") {
            fs::metadata(path).map_err(|e| usage(format!("cannot read `{}`: {e}", path.display())))?;
        }
        let baseline = args.baseline.clone().or_else(|| config.scan.baseline.clone());
        let rules = rules(&rule_paths, &args.rules.only)?;
        Ok(Self { baseline, ..Self::with(args, config, rules) })
    }

    /// Settles the command line over a configuration and rules that were read elsewhere, without a
    /// baseline.
    pub(crate) fn with(args: &Selection, config: Config, rules: RuleSet) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let files = source::Options {
            exclude: config.scan.exclude.iter().chain(&args.exclude).cloned().collect(),
            gitignore: args.gitignore.or(config.scan.gitignore).unwrap_or(false),
            max_file_size: args.max_file_size.or(config.scan.max_file_size).unwrap_or(u64::MAX),
            jobs: args.jobs.unwrap_or_else(cores).max(1),
            archives: args.no_archives.map(|no| !no).or(config.scan.archives).unwrap_or(true),
            ..source::Options::default()
        };
        let options = Options {
            inline_allow: args.no_inline_allow.map(|no| !no).or(config.scan.inline_allow).unwrap_or(true),
            allow: config.allow.iter().map(|a| a.0.clone()).collect(),
            today: jiff::Zoned::now().date().to_string(),
            deadline: args.budget.map(|b| Instant::now() + b),
            ..Options::default()
        };
        let ranking = args.no_ranking.map(|no| !no).or(config.scan.ranking).unwrap_or(true);
        let floors = (
            args.min_confidence.or(config.scan.min_confidence).unwrap_or(config::MIN_CONFIDENCE),
            args.min_severity.or(config.scan.min_severity).unwrap_or(config::MIN_SEVERITY),
        );
        Settings {
            detector: Detector::with_ranking(Arc::new(rules), ranking),
            options,
            files,
            paths: args.paths.clone(),
            what: What::default(),
            floors,
            baseline: None,
            quiet: args.quiet,
            config,
        }
    }

    /// Reads the baseline, if one is named, and takes its key.
    pub(crate) fn load_baseline(&mut self) -> Result<()> {
        match &self.baseline {
            Some(path) => self.accept(read_baseline(path)?),
            None => check_keys(&self.options.allow, &self.options.key),
        }
    }

    /// Takes a baseline and its key.
    pub(crate) fn accept(&mut self, baseline: Baseline) -> Result<()> {
        self.options.key = baseline.key().unwrap_or_default();
        self.options.baseline = baseline;
        check_keys(&self.options.allow, &self.options.key)
    }
}

/// The rules of a run: embedded, then the user's over them, then the choice among them.
pub(crate) fn rules(paths: &[PathBuf], only: &[String]) -> Result<RuleSet> {
    let mut rules = RuleSet::embedded();
    for path in paths {
        let text = path.is_file().then(|| read(path).ok()).flatten();
        match text.filter(|text| migrate::is_foreign(path, text)) {
            Some(text) => foreign(&mut rules, path, &text)?,
            None => rules.add_path(path).map_err(usage)?,
        }
    }
    chosen(rules, only)
}

/// Adds the rules of another scanner's file, as far as they are all of it.
fn foreign(rules: &mut RuleSet, path: &Path, text: &str) -> Result<()> {
    let made = super::migrate::convert(path, text, None)?;
    if !made.config.is_empty() {
        return Err(usage(format!(
            "{}: it allows commits, which only a configuration can: run `keywheel migrate {0} --out DIR`",
            path.display()
        )));
    }
    for note in &made.notes {
        output::tell(&format!("differs: {note}"));
    }
    let files = made.rules.into_iter().map(|(name, text)| (path.with_file_name(name), text));
    rules.add_texts(files.collect()).map_err(usage)
}

/// The named rules of a set; all of them if none is named.
pub(crate) fn chosen(mut rules: RuleSet, only: &[String]) -> Result<RuleSet> {
    if !only.is_empty() {
        rules.keep(only).map_err(usage)?;
    }
    rules.check_partners().map_err(usage)?;
    Ok(rules)
}

/// Reads a baseline; what is wrong with it is named by file and line.
pub(crate) fn read_baseline(path: &Path) -> Result<Baseline> {
    let text = read(path).map_err(|e| {
        usage(format!(
            "cannot read the baseline `{}`: {e}; make one with `keywheel baseline create`",
            path.display()
        ))
    })?;
    parse_baseline(&path.display().to_string(), &text)
}

/// Reads the text of a baseline of that name.
pub(crate) fn parse_baseline(name: &str, text: &str) -> Result<Baseline> {
    Baseline::parse(text).map_err(|e| {
        let told = e.to_string();
        usage(format!("{name}:{}", told.strip_prefix("line ").unwrap_or(&told)))
    })
}

/// What the files say: the project's, or what of it the organisation's lets stand. What it does not let
/// stand is told.
fn config(args: &Selection) -> Result<Config> {
    let project = project_file(args)?;
    let Some(org) = args.org_config.as_deref().filter(|p| !p.as_os_str().is_empty()) else {
        let Some(path) = project else { return Ok(Config::default()) };
        let config = Config::parse_repository(&path, &config_text(&path)?).map_err(usage)?;
        return Ok(config.in_folder(folder(&path)));
    };
    let floor = organisation(org)?;
    let (own, path, text) = match project {
        Some(path) => {
            let text = config_text(&path)?;
            let own = Config::parse_repository(&path, &text).map_err(usage)?;
            (own.in_folder(folder(&path)), path, text)
        }
        None => Default::default(),
    };
    let (config, refused) = floor.with_repository(own, &path, &text);
    for one in refused {
        output::tell(&one.to_string());
    }
    Ok(config)
}

/// The organisation's configuration.
pub(crate) fn organisation(path: &Path) -> Result<Config> {
    Ok(Config::parse(path, &config_text(path)?).map_err(usage)?.in_folder(folder(path)))
}

/// The project's file, if it has one and it is wanted.
fn project_file(args: &Selection) -> Result<Option<PathBuf>> {
    match &args.config {
        _ if args.no_config => return Ok(None),
        Some(path) if !path.as_os_str().is_empty() => return Ok(Some(path.clone())),
        _ => {}
    }
    let path = PathBuf::from(CONFIG);
    match fs::symlink_metadata(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        // A pipe of that name would never end.
        Ok(_) if !fs::metadata(&path).is_ok_and(|m| m.is_file()) => {
            Err(usage(format!("{CONFIG} is no file; remove it, or pass --no-config")))
        }
        _ => Ok(Some(path)),
    }
}

fn config_text(path: &Path) -> Result<String> {
    read(path).map_err(|e| usage(format!("cannot read the configuration `{}`: {e}", path.display())))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

/// A fingerprint made with another key would silently accept nothing.
fn check_keys(allow: &[Allow], key: &FingerprintKey) -> Result<()> {
    match allow.iter().filter_map(|a| a.fingerprint.as_ref()).find(|f| f.key_id() != key.id()) {
        Some(f) => Err(usage(format!(
            "the configuration allows {f}, made with the key `{}`; this run's key is `{}`: take the fingerprint \
             from a scan with the same baseline",
            f.key_id(),
            key.id()
        ))),
        None => Ok(()),
    }
}
