//! What a repository's configuration may say under an organisation's: it may raise the bar, and lower
//! it only where the organisation's file lets it.
//!
//! What it may not say is left out and told, rather than ending the run: the bar holds either way, and
//! a repository that is also scanned elsewhere keeps its file.

use super::{Config, ConfigError, MIN_CONFIDENCE, MIN_SEVERITY};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The table `[organisation]`, which only the organisation's file has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Organisation {
    /// What repositories may lower, by the names of the configuration's own keys.
    pub repository_may: Vec<May>,
}

macro_rules! permissions {
    ($($variant:ident = $word:literal, $what:literal;)+) => {
        /// A key by which a configuration can lower the bar.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum May { $(#[doc = concat!("May ", $what, ".")] $variant),+ }
        impl May {
            /// Every one.
            pub const ALL: &'static [May] = &[$(May::$variant),+];
            /// The key, which is the permission's name too.
            pub fn as_str(self) -> &'static str { match self { $(May::$variant => $word),+ } }
            fn what(self) -> &'static str { match self { $(May::$variant => $what),+ } }
        }
    };
}

permissions! {
    Exclude = "exclude", "leave files out";
    Gitignore = "gitignore", "leave out what git ignores";
    Rules = "rules", "bring rules, which may name a value in place of the embedded ones";
    MinConfidence = "min-confidence", "report less by confidence";
    MinSeverity = "min-severity", "report less by severity";
    FailOn = "fail-on", "fail on fewer findings";
    Baseline = "baseline", "bring a baseline";
    MaxFileSize = "max-file-size", "read only smaller files";
    Archives = "archives", "leave archives closed";
    Ranking = "ranking", "leave unnamed secrets unranked, and so below the gate";
    InlineAllow = "inline-allow", "accept findings by comments";
    Allow = "allow", "accept findings";
}

/// One thing that a repository's configuration says in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The repository's file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// The key.
    pub key: May,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (key, what) = (self.key.as_str(), self.key.what());
        write!(
            f,
            "{}:{}: `{key}` is not taken: the organisation does not let a repository {what}; remove it, or \
             have \"{key}\" added to `repository-may` in the organisation's file",
            self.path.display(),
            self.line
        )
    }
}

impl Config {
    /// Reads a repository's file: a configuration that sets no rules for others.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse_repository(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config = Config::parse(path, text)?;
        let foreign = [
            ("organisation", config.organisation.is_some()),
            ("call", config.call.is_some()),
            ("endpoint", !config.endpoint.is_empty()),
            ("verify", config.verify.is_some()),
            ("revoke", config.revoke.is_some()),
        ];
        if let Some((key, _)) = foreign.into_iter().find(|(_, there)| *there) {
            let (line, column) = place(text, &[key]);
            return Err(ConfigError {
                path: path.to_owned(),
                line,
                column,
                message: format!("`{key}` stands only in the organisation's file (--org-config); remove it"),
            });
        }
        Ok(config)
    }

    /// This organisation's configuration with a repository's over it, and what of that was not taken.
    /// `path` and `text` are the repository's file, for places.
    pub fn with_repository(self, repository: Config, path: &Path, text: &str) -> (Config, Vec<Refused>) {
        let may = self.organisation.clone().unwrap_or_default().repository_may;
        let mut refused = Vec::new();
        // Whether a value that `lowers` the bar is taken.
        let mut takes = |key: May, lowers: bool| {
            let taken = !lowers || may.contains(&key);
            if !taken {
                let at: &[&str] = if key == May::Allow { &["allow"] } else { &["scan", key.as_str()] };
                refused.push(Refused { path: path.to_owned(), line: place(text, at).0, key });
            }
            taken
        };
        let (mut out, from) = (self, repository.scan);
        let scan = &mut out.scan;
        if takes(May::Exclude, !from.exclude.is_empty()) {
            scan.exclude.extend(from.exclude);
        }
        let ignores = scan.gitignore.unwrap_or(false);
        over(&mut scan.gitignore, from.gitignore, |new| takes(May::Gitignore, new && !ignores));
        if takes(May::Rules, !from.rules.is_empty()) {
            scan.rules.extend(from.rules);
        }
        let floor = scan.min_confidence.unwrap_or(MIN_CONFIDENCE);
        over(&mut scan.min_confidence, from.min_confidence, |new| takes(May::MinConfidence, new > floor));
        let floor = scan.min_severity.unwrap_or(MIN_SEVERITY);
        over(&mut scan.min_severity, from.min_severity, |new| takes(May::MinSeverity, new > floor));
        let strict = scan.fail_on.unwrap_or_default();
        over(&mut scan.fail_on, from.fail_on, |new| takes(May::FailOn, new < strict));
        if let Some(baseline) = from.baseline.filter(|_| takes(May::Baseline, true)) {
            scan.baseline = Some(baseline);
        }
        let most = scan.max_file_size.unwrap_or(u64::MAX);
        over(&mut scan.max_file_size, from.max_file_size, |new| takes(May::MaxFileSize, new < most));
        let opens = scan.archives.unwrap_or(true);
        over(&mut scan.archives, from.archives, |new| takes(May::Archives, !new && opens));
        let ranks = scan.ranking.unwrap_or(true);
        over(&mut scan.ranking, from.ranking, |new| takes(May::Ranking, !new && ranks));
        // A comment is the repository's own word too, so that silence forbids it.
        let comments = scan.inline_allow.unwrap_or_else(|| may.contains(&May::InlineAllow));
        scan.inline_allow = Some(comments);
        over(&mut scan.inline_allow, from.inline_allow, |new| takes(May::InlineAllow, new && !comments));
        if takes(May::Allow, !repository.allow.is_empty()) {
            out.allow.extend(repository.allow);
        }
        refused.sort_by_key(|r| (r.line, r.key));
        (out, refused)
    }
}

fn over<T: Copy>(old: &mut Option<T>, new: Option<T>, mut takes: impl FnMut(T) -> bool) {
    if let Some(new) = new.filter(|new| takes(*new)) {
        *old = Some(new);
    }
}

/// Line and column, from 1, of a key in a file that parses.
fn place(text: &str, keys: &[&str]) -> (usize, usize) {
    let mut at = 0;
    if let Ok(root) = toml::de::DeTable::parse(text) {
        let mut table = Some(root.get_ref());
        for key in keys {
            let Some((name, value)) = table.and_then(|t| t.get_key_value(*key)) else { break };
            at = name.span().start;
            table = value.get_ref().as_table();
        }
    }
    crate::rule::line_and_column(text, at)
}
