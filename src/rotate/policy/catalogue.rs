//! Which rules there are and what their providers can do: what a policy is held against.

use crate::rule::{Capabilities, LoadError, RuleSet, capabilities, embedded_texts};
use std::collections::BTreeMap;
use std::path::Path;

/// Rules, their providers and what those can do.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    rules: BTreeMap<String, String>,
    turning: BTreeMap<String, Capabilities>,
}

impl Catalogue {
    /// Of the embedded rules.
    ///
    /// # Errors
    /// An embedded file that does not parse, which the build refuses.
    pub fn embedded() -> Result<Self, LoadError> {
        let texts = embedded_texts().iter().map(|(name, text)| (Path::new(name), *text));
        Catalogue::new(&RuleSet::embedded(), texts)
    }

    /// Of a rule set, and of the files in which its rules declare what can be done.
    ///
    /// # Errors
    /// The first fault of a file.
    pub fn new<'a>(
        rules: &RuleSet,
        files: impl IntoIterator<Item = (&'a Path, &'a str)>,
    ) -> Result<Self, LoadError> {
        let pair = |i| {
            let reference = rules.reference(i);
            (reference.id.clone(), reference.provider.clone())
        };
        Ok(Catalogue { rules: (0..rules.kinds().len()).map(pair).collect(), turning: capabilities(files)? })
    }

    /// The provider of a rule.
    pub fn provider_of(&self, rule: &str) -> Option<&str> {
        self.rules.get(rule).map(String::as_str)
    }

    /// Whether there is such a provider.
    pub fn has_provider(&self, id: &str) -> bool {
        self.rules.values().any(|provider| provider == id)
    }

    /// What can be done with the credentials of a rule; `None` if nothing is declared or its facts are off.
    pub fn capabilities(&self, rule: &str) -> Option<&Capabilities> {
        self.turning.get(rule).filter(|c| c.off.is_none())
    }
}
