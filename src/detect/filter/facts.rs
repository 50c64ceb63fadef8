//! What the filters need to know of a rule.

use crate::model::{Class, Confidence, Severity};
use crate::rule::checksum::{self, Checksum};
use crate::rule::{ChecksumMode, Kind};

/// The part of a rule that filters read; made once for each rule.
pub struct RuleFacts {
    /// What kind of statement a match makes.
    pub class: Class,
    /// How sure a match is.
    pub confidence: Confidence,
    /// Bytes of fixed text at the front of the secret.
    pub fixed: usize,
    /// The bytes that the variable part may hold, a bit each.
    pub alphabet: [u64; 4],
    /// Entropy floor, if not the default; 0 for none.
    pub entropy: Option<f64>,
    /// The checksum inside the secret, and what a failure does.
    pub checksum: Option<(&'static dyn Checksum, ChecksumMode)>,
    /// SHA-256 of documented samples.
    pub samples: Vec<[u8; 32]>,
    /// SHA-256 of development defaults.
    pub development: Vec<[u8; 32]>,
    /// Whether the provider means the value to be public.
    pub public: bool,
    /// Whether a match spans lines.
    pub block: bool,
    /// Whether the rule is for what does little harm by itself, such as sealed keys.
    pub minor: bool,
    /// Whether a word must stand near.
    pub has_context: bool,
    /// Whether the pattern has named groups besides `secret`.
    pub has_groups: bool,
    /// Whether a match is ranked by what is measured of it, and the filters that may err only advise.
    pub ranked: bool,
}

/// Fixed text this long at the front tells a kind from chance.
const DISTINCTIVE: usize = 3;

impl RuleFacts {
    /// The facts of a rule; unnamed secrets are ranked if `ranking` is on. An unknown checksum counts as none; `rules check` refuses it.
    pub fn new(kind: &Kind, ranking: bool) -> Self {
        RuleFacts {
            class: kind.class,
            confidence: kind.confidence,
            fixed: kind.analysis.fixed,
            alphabet: kind.analysis.alphabet,
            entropy: kind.entropy,
            checksum: kind
                .checksum
                .as_ref()
                .and_then(|c| checksum::by_name(&c.algorithm).map(|algorithm| (algorithm, c.mode))),
            samples: kind.samples.clone(),
            development: kind.development.clone(),
            public: kind.public,
            block: kind.block,
            minor: kind.severity <= Severity::Low,
            has_context: kind.context.is_some(),
            ranked: ranking && kind.class == Class::Generic,
            has_groups: kind.pattern.matches("(?<").count() + kind.pattern.matches("(?P<").count() > 1,
        }
    }

    /// Whether the secret begins with a text of its own, so that its surroundings cannot refute it.
    pub fn is_distinctive(&self) -> bool {
        self.class != Class::Generic && self.fixed >= DISTINCTIVE
    }

    /// Whether a byte may stand in the variable part.
    pub fn allows(&self, byte: u8) -> bool {
        self.alphabet[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }
}

impl std::fmt::Debug for RuleFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleFacts")
            .field("class", &self.class)
            .field("fixed", &self.fixed)
            .field("checksum", &self.checksum.map(|(c, mode)| (c.name(), mode)))
            .finish_non_exhaustive()
    }
}
