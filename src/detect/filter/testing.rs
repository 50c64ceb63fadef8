//! What the tests of the filters share.

use super::{Candidate, FileKind, Judged, Outcome, Reason, RuleFacts, judge};
use crate::detect::entropy::set_of;
use crate::model::{Class, Confidence};
use crate::rule::ChecksumMode;
use crate::rule::checksum::Checksum;
use crate::rule::checksum::bytes::{BASE62, Draw};
use sha2::{Digest, Sha256};

/// A rule in the words that matter to filters.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) class: Class,
    pub(super) fixed: usize,
    pub(super) alphabet: &'static [u8],
    pub(super) entropy: Option<f64>,
    pub(super) checksum: Option<&'static dyn Checksum>,
    pub(super) mode: ChecksumMode,
    pub(super) samples: Vec<&'static str>,
    pub(super) development: Vec<&'static str>,
    pub(super) public: bool,
    pub(super) block: bool,
    pub(super) minor: bool,
    pub(super) path: &'static str,
}

impl Rule {
    pub(super) fn structured(fixed: usize) -> Self {
        Rule {
            class: Class::Structured,
            fixed,
            alphabet: BASE62,
            entropy: None,
            checksum: None,
            mode: ChecksumMode::Lower,
            samples: Vec::new(),
            development: Vec::new(),
            public: false,
            block: false,
            minor: false,
            path: "src/main.py",
        }
    }

    pub(super) fn generic() -> Self {
        Rule { class: Class::Generic, alphabet: b"azAZ09+/=_-.", ..Rule::structured(0) }
    }

    pub(super) fn at(self, path: &'static str) -> Self {
        Rule { path, ..self }
    }

    fn facts(&self) -> RuleFacts {
        let digest = |s: &&str| Sha256::digest(s.as_bytes()).into();
        RuleFacts {
            class: self.class,
            confidence: Confidence::High,
            fixed: self.fixed,
            alphabet: set_of(self.alphabet),
            entropy: self.entropy,
            checksum: self.checksum.map(|c| (c, self.mode)),
            samples: self.samples.iter().map(digest).collect(),
            development: self.development.iter().map(digest).collect(),
            public: self.public,
            block: self.block,
            minor: self.minor,
            has_context: false,
            has_groups: false,
            ranked: false,
        }
    }
}

/// Calls `run` with the candidate that `«` and `»` mark; the match is the secret alone.
pub(super) fn with<T>(rule: &Rule, text: &str, run: impl FnOnce(&Candidate<'_>) -> T) -> T {
    let start = text.find('«').expect("a mark");
    let end = text.find('»').expect("an end mark") - '«'.len_utf8();
    let hay = text.replacen('«', "", 1).replacen('»', "", 1).into_bytes();
    let path = rule.path.as_bytes();
    run(&Candidate {
        hay: &hay,
        span: start..end,
        whole: start..end,
        rule: &rule.facts(),
        path,
        file: FileKind::of(path, &hay),
        place: None,
    })
}

pub(super) fn judged(rule: &Rule, text: &str) -> Judged {
    with(rule, text, judge)
}

/// Puts every text to one filter: the first list is dropped for `reason`, the second kept.
pub(super) fn table(
    rule: &Rule,
    run: fn(&Candidate<'_>) -> Outcome,
    reason: Reason,
    dropped: &[&str],
    kept: &[&str],
) {
    for text in dropped {
        assert_eq!(with(rule, text, run), Outcome::Drop(reason), "{text}");
    }
    for text in kept {
        assert_eq!(with(rule, text, run), Outcome::Keep, "{text}");
    }
}

/// `n` random letters and digits.
pub(super) fn random(seed: u64, n: usize) -> String {
    String::from_utf8(Draw::new(seed).text(BASE62, n)).expect("ASCII")
}

/// `n` random hexadecimal digits.
pub(super) fn hex(seed: u64, n: usize) -> String {
    String::from_utf8(Draw::new(seed).text(b"0123456789abcdef", n)).expect("ASCII")
}
