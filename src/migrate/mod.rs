//! Files of other scanners, as rules, settings and accepted findings of ours.
//!
//! Nothing is dropped in silence: what has no counterpart is an error with its place and a cure, and
//! what means a little else here is told as a difference. `docs/migrate.md` has the whole account.

mod gitleaks;
mod go;
mod known;
mod peers;
mod table;
mod write;
mod yaml;

pub use known::{Accepted, Known, Told, entries, read as accepted};

use crate::rule::{LoadError, RuleSet};
use std::path::{Path, PathBuf};

/// Why a file cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Something in it has no counterpart, or is wrong.
    #[error("{path}:{line}:{column}: {message}", path = .path.display())]
    At {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong and how to cure it.
        message: String,
    },
    /// A file that it extends cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is of no kind that is known.
    #[error("{path}: {message}", path = .path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What was looked for, and how to cure it.
        message: String,
    },
    /// What was made of it is no rule file: a fault of the conversion's.
    #[error("the rules that were made of it do not load: {0}")]
    Made(#[from] LoadError),
}

/// What means a little else here, or was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// What, and what it means.
    pub message: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

/// What a file came to.
#[derive(Clone, Debug, Default)]
pub struct Converted {
    /// Rule files: name and text.
    pub rules: Vec<(String, String)>,
    /// Entries for `keywheel.toml`; empty if there are none.
    pub config: String,
    /// What means a little else.
    pub notes: Vec<Note>,
}

/// How files that a file names are read.
pub type Reader<'a> = &'a dyn Fn(&Path) -> std::io::Result<String>;

/// What a conversion may lean on.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Reads what a configuration extends.
    pub read: Reader<'a>,
    /// Gitleaks' own default configuration, for one that extends it.
    pub defaults: Option<&'a Path>,
}

/// Whether a file is one of another scanner's rules, by its name, and no rule file that was made of one.
pub fn is_foreign(path: &Path, text: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ours = || text.lines().any(|l| l.trim() == "[provider]");
    (name.ends_with("gitleaks.toml") || name.ends_with("betterleaks.toml")) && !ours()
}

/// Converts a file of rules.
///
/// # Errors
/// The first thing that has no counterpart.
pub fn rules(path: &Path, text: &str, options: &Options<'_>) -> Result<Converted, MigrateError> {
    let ends =
        |list: &[&str]| path.extension().is_some_and(|e| list.iter().any(|l| e.eq_ignore_ascii_case(l)));
    let converted = match (ends(&["yml", "yaml"]), ends(&["toml"])) {
        (true, _) => peers::convert(path, text)?,
        (_, true) => gitleaks::convert(path, text, options)?,
        _ => {
            return Err(MigrateError::Unknown {
                path: path.to_owned(),
                message: "no file of another scanner by its name: .toml is a configuration of Gitleaks, .yml are \
                          rules of Kingfisher or Nosey Parker, .gitleaksignore, .secrets.baseline and reports in \
                          JSON are accepted findings; name it so"
                    .to_owned(),
            });
        }
    };
    // Whatever is handed out loads.
    let files = converted.rules.iter().map(|(name, text)| (PathBuf::from(name), text.clone()));
    RuleSet::empty().add_texts(files.collect())?;
    Ok(converted)
}

/// A rule's id in the form of ours: the provider's, then small letters and digits.
fn rule_id(provider: &str, id: &str) -> String {
    let mut out = provider.to_owned();
    for word in id.to_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
        out.push('-');
        out.push_str(word);
    }
    out
}

/// Line and column of a byte of a text, as an error.
fn at(path: &Path, text: &str, byte: usize, message: impl Into<String>) -> MigrateError {
    let (line, column) = crate::rule::line_and_column(text, byte);
    MigrateError::At { path: path.to_owned(), line, column, message: message.into() }
}
