//! The allow lists of text rules.

use super::compile;
use crate::rule::{Allowed, On};
use regex_automata::meta::Regex;

/// An allow list, compiled.
#[derive(Debug)]
pub(super) struct Allow {
    all: bool,
    paths: Vec<Regex>,
    patterns: Vec<Regex>,
    on: On,
    words: Vec<String>,
}

/// What an allow list may look at.
pub(super) struct Subject<'a> {
    pub(super) secret: &'a [u8],
    pub(super) whole: &'a [u8],
    pub(super) line: &'a [u8],
}

impl Allow {
    pub(super) fn new(list: &Allowed) -> Self {
        let compiled = |list: &[String]| list.iter().map(|p| compile(p)).collect();
        Allow {
            all: list.all,
            paths: compiled(&list.paths),
            patterns: compiled(&list.patterns),
            on: list.on,
            words: list.words.iter().map(|w| w.to_lowercase()).collect(),
        }
    }

    /// Whether it leaves a whole file out.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        (!self.all || self.patterns.is_empty() && self.words.is_empty()) && self.names(path)
    }

    /// Whether it allows a match in the file at `path`.
    pub(super) fn allows(&self, subject: &Subject<'_>, path: &str) -> bool {
        let target = match self.on {
            On::Secret => subject.secret,
            On::Match => subject.whole,
            On::Line => subject.line,
        };
        // What is empty is allowed by nothing, whatever a pattern says.
        let fits = || !target.is_empty() && self.patterns.iter().any(|p| p.is_match(target));
        let holds = || {
            let secret = String::from_utf8_lossy(subject.secret).to_lowercase();
            self.words.iter().any(|w| secret.contains(w.as_str()))
        };
        if !self.all {
            return fits() || holds();
        }
        (self.paths.is_empty() || self.names(path))
            && (self.patterns.is_empty() || fits())
            && (self.words.is_empty() || holds())
    }

    fn names(&self, path: &str) -> bool {
        !path.is_empty() && self.paths.iter().any(|p| p.is_match(path))
    }
}
