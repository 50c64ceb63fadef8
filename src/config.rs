//! `keywheel.toml`: how a project wants to be scanned; and an organisation's file, which has the same
//! form and sets what a project may not lower. Parsing and composing only; finding and reading the file is
//! the command's work. Paths in it are relative to its own folder, which the command resolves.

use crate::model::{Confidence, Fingerprint, ObjectId, Severity};
use crate::rule::line_and_column;
use crate::scan::Allow;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod calls;
mod revoke;
mod trust;
mod verify;

pub use calls::{Call, SelfHosted};
pub use revoke::Revoke;
pub use trust::{May, Organisation, Refused};
pub use verify::{SshLogin, Verify};

/// Lowest confidence that is reported unless something else is said.
pub const MIN_CONFIDENCE: Confidence = Confidence::Medium;
/// Lowest severity that is reported unless something else is said.
pub const MIN_SEVERITY: Severity = Severity::Info;

/// A configuration file. Whatever it does not name is left to the command line and the defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is read and what counts.
    #[serde(default)]
    pub scan: Scan,
    /// Accepted findings, beside those of the baseline.
    #[serde(default)]
    pub allow: Vec<Accepted>,
    /// What repositories may say; in the organisation's file only.
    pub organisation: Option<Organisation>,
    /// What a server's hook does.
    #[serde(default)]
    pub hook: Hook,
    /// Whose calls may be made; in the organisation's file only.
    pub call: Option<Call>,
    /// Endpoints in the place of a provider's hosts, by its id; in the organisation's file only.
    #[serde(default)]
    pub endpoint: BTreeMap<String, SelfHosted>,
    /// What is asked of providers; in the organisation's file only.
    pub verify: Option<Verify>,
    /// Who may switch keys off; in the organisation's file only.
    pub revoke: Option<Revoke>,
}

/// The table `[hook]`: what the pre-receive hook of a server does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Hook {
    /// Whether a push with the option `keywheel.bypass=<reason>` is accepted whatever it holds.
    pub bypass: bool,
    /// The file to which each such push is written, a line of JSON each. Without it nothing is bypassed.
    /// Absolute: a hook runs in the folder of whatever repository is pushed to.
    #[serde(deserialize_with = "absolute")]
    pub audit_log: Option<PathBuf>,
}

/// The table `[scan]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Scan {
    /// Globs left out, relative to the scanned folder; those of the command line are added.
    #[serde(deserialize_with = "globs")]
    pub exclude: Vec<String>,
    /// Whether what git ignores is left out.
    pub gitignore: Option<bool>,
    /// Rule files and folders beside the embedded ones; those of the command line come after.
    pub rules: Vec<PathBuf>,
    /// Lowest confidence to report.
    #[serde(deserialize_with = "word")]
    pub min_confidence: Option<Confidence>,
    /// Lowest severity to report.
    #[serde(deserialize_with = "word")]
    pub min_severity: Option<Severity>,
    /// Which findings make the exit code 1.
    #[serde(deserialize_with = "word")]
    pub fail_on: Option<FailOn>,
    /// The baseline file.
    pub baseline: Option<PathBuf>,
    /// Largest file to read, in bytes; in the file a number, or text such as `10M`.
    #[serde(deserialize_with = "bytes")]
    pub max_file_size: Option<u64>,
    /// Whether archives are opened.
    pub archives: Option<bool>,
    /// Whether unnamed secrets are ranked. Without it they have the confidence of their rule, which is low.
    pub ranking: Option<bool>,
    /// Whether comments in the scanned text may accept findings.
    pub inline_allow: Option<bool>,
}

/// When findings make the exit code 1; the strictest is the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailOn {
    /// Never.
    None,
    /// Findings that were verified to work.
    Active,
    /// Findings that neither baseline nor an allowance covers.
    #[default]
    New,
    /// Any finding, known or not.
    Any,
}

impl std::str::FromStr for FailOn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "new" => Ok(FailOn::New),
            "active" => Ok(FailOn::Active),
            "any" => Ok(FailOn::Any),
            "none" => Ok(FailOn::None),
            _ => Err(format!("`{text}` is not one of new, active, any, none")),
        }
    }
}

/// An entry of `[[allow]]`, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Entry")]
pub struct Accepted(pub Allow);

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fingerprint: Option<String>,
    rule: Option<String>,
    #[serde(default)]
    commits: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    reason: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    until: String,
}

impl TryFrom<Entry> for Accepted {
    type Error = String;

    fn try_from(e: Entry) -> Result<Self, String> {
        if e.fingerprint.is_none() && e.rule.is_none() && e.paths.is_empty() && e.commits.is_empty() {
            return Err(
                "the entry would accept everything; give it a `fingerprint`, a `rule`, `paths` or `commits`"
                    .into(),
            );
        }
        if e.reason.trim().is_empty() {
            return Err("`reason` is empty; say why this is accepted".into());
        }
        if !e.until.is_empty() && (e.until.len() != 10 || e.until.parse::<jiff::civil::Date>().is_err()) {
            return Err(format!("until = `{}` is no date; write it as YYYY-MM-DD", e.until));
        }
        let fingerprint = e.fingerprint.map(|f| {
            Fingerprint::parse(&f).ok_or_else(|| format!("`{f}` is no fingerprint; copy one from a report"))
        });
        let commit = |text: &String| {
            let id = ObjectId::parse(text.as_bytes());
            id.ok_or_else(|| format!("`{text}` is no commit; write all of its 40 digits"))
        };
        let mut set = globset::GlobSetBuilder::new();
        for text in &e.paths {
            set.add(glob(text)?);
        }
        let set = set.build().map_err(|e| e.to_string())?;
        Ok(Accepted(Allow {
            fingerprint: fingerprint.transpose()?,
            rule: e.rule,
            commits: e.commits.iter().map(commit).collect::<Result<_, _>>()?,
            paths: (!e.paths.is_empty()).then_some(set),
            reason: e.reason,
            owner: e.owner,
            until: e.until,
        }))
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}", path = path.display())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong and how to cure it.
    pub message: String,
}

impl Config {
    /// Reads the text of the file at `path`, which is used for messages only.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| {
            let (line, column) = line_and_column(text, e.span().map_or(0, |s| s.start));
            ConfigError { path: path.to_owned(), line, column, message: e.message().to_owned() }
        })
    }

    /// Makes its paths, which are relative to the file's own `folder`, relative to where the run is.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        for path in self.scan.rules.iter_mut().chain(&mut self.scan.baseline) {
            *path = folder.join(&*path);
        }
        self
    }
}

/// `10M` → bytes. `K`, `M` and `G` are powers of 1024.
///
/// # Errors
/// Text that is no size, or more than 64 bits hold.
pub fn size(text: &str) -> Result<u64, String> {
    let bare = text.strip_suffix(['b', 'B']).unwrap_or(text);
    let (digits, factor) = match bare.char_indices().last() {
        Some((i, 'k' | 'K')) => (&bare[..i], 1 << 10),
        Some((i, 'm' | 'M')) => (&bare[..i], 1 << 20),
        Some((i, 'g' | 'G')) => (&bare[..i], 1u64 << 30),
        _ => (bare, 1),
    };
    let n: u64 = digits.parse().map_err(|_| format!("`{text}` is no size; write 500K, 10M or 2G"))?;
    n.checked_mul(factor).ok_or_else(|| format!("`{text}` is too large"))
}

/// `4s`, `500ms`, `10m` → time.
///
/// # Errors
/// Text that is no time.
pub fn duration(text: &str) -> Result<Duration, String> {
    let error = || format!("`{text}` is no time; write 500ms, 4s or 10m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: u64 = digits.parse().map_err(|_| error())?;
    let ms = match &text[digits.len()..] {
        "ms" => n,
        "" | "s" => n.saturating_mul(1000),
        "m" => n.saturating_mul(60_000),
        "h" => n.saturating_mul(3_600_000),
        _ => return Err(error()),
    };
    Ok(Duration::from_millis(ms))
}

fn glob(text: &str) -> Result<globset::Glob, String> {
    let built = globset::GlobBuilder::new(text).literal_separator(true).build();
    built.map_err(|e| format!("`{text}` is not a glob: {}", e.kind()))
}

fn absolute<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(from)?;
    if !path.is_absolute() {
        return Err(D::Error::custom(format!("`{}` is not absolute; begin it with /", path.display())));
    }
    Ok(Some(path))
}

fn globs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let list = Vec::<String>::deserialize(from)?;
    list.iter().try_for_each(|text| glob(text).map(drop)).map_err(D::Error::custom)?;
    Ok(list)
}

fn word<'de, D: Deserializer<'de>, T: std::str::FromStr<Err = String>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(from)?.parse().map(Some).map_err(D::Error::custom)
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a size is a number of bytes, or text such as \"10M\"")]
    enum Size {
        Number(u64),
        Text(String),
    }
    match Size::deserialize(from)? {
        Size::Number(n) => Ok(Some(n)),
        Size::Text(text) => size(&text).map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests;
