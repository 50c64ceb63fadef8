//! What a rule says beyond what the search needs: its calls and examples, read when they are wanted.

use super::load::{RuleSet, embedded_texts, parse};
use super::schema::{Provider, Rule};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A rule as its file states it.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Whose credentials it finds.
    pub provider: Provider,
    /// The rule.
    pub rule: Rule,
    /// SHA-256 of the file: what an organisation lists to trust it, and what a cached verdict depends on.
    pub digest: [u8; 32],
    /// Whether the file is one of the embedded ones.
    pub embedded: bool,
}

/// Every rule of a file, with the file's digest.
pub(super) fn of_file(path: &Path, text: &str, embedded: bool) -> Vec<Declared> {
    let digest = Sha256::digest(text).into();
    let Ok(file) = parse(path, text) else { return Vec::new() };
    let provider = file.provider;
    let whole = |rule| Declared { provider: provider.clone(), rule, digest, embedded };
    file.rule.into_iter().map(whole).collect()
}

impl RuleSet {
    /// A rule of the set as its file states it.
    pub fn declared(&self, id: &str) -> Option<Declared> {
        let kind = self.position(id)?;
        if let Some(own) = self.added(id) {
            return Some(own.clone());
        }
        let file = format!("{}.toml", self.reference(kind).provider);
        let (name, text) = embedded_texts().iter().find(|(name, _)| *name == file)?;
        of_file(Path::new(name), text, true).into_iter().find(|d| d.rule.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn a_rule_that_replaces_an_embedded_one_is_the_users() {
        let mut rules = RuleSet::embedded();
        let before = rules.declared("github-pat-classic").unwrap();
        assert!(before.embedded && before.rule.verify.is_some() && before.provider.id == "github");
        let text = "[provider]\nid = 'mine'\nname = 'Mine'\n[[rule]]\nid = 'github-pat-classic'\nname = 'x'\n\
                    severity = 'low'\nconfidence = 'low'\npattern = 'ghp_(?<secret>[a-z]{30})'\n";
        rules.add_texts(vec![(PathBuf::from("mine.toml"), text.to_owned())]).unwrap();
        let after = rules.declared("github-pat-classic").unwrap();
        assert!(!after.embedded && after.rule.verify.is_none() && after.digest != before.digest);
        assert!(rules.declared("no-such-rule").is_none());
    }
}
