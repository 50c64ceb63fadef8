//! Accepted findings: the baseline file, one sorted line an entry, and the allow-list of the
//! configuration. Both are bound to values or rules, never to lines.

use crate::model::{By, Finding, Fingerprint, FingerprintKey, ObjectId, Occurrence, Suppression};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The first words of a baseline file.
const HEADER: &str = "# keywheel baseline 1 salt=";

/// A baseline: the salt of its fingerprints and what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The public salt, hexadecimal; empty for the built-in one.
    pub salt: String,
    /// What is known, by fingerprint.
    pub entries: BTreeMap<Fingerprint, Entry>,
}

/// One known finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The rule that named it when it was written; for people.
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Last day on which it holds, `YYYY-MM-DD`; empty for no end.
    pub until: String,
    /// Why it is accepted.
    pub reason: String,
}

/// Why a baseline cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// It does not begin as a baseline does.
    #[error("line 1: not a baseline; it begins with `{HEADER}…`. Make one with `keywheel baseline create`")]
    Header,
    /// A line does not parse.
    #[error("line {line}: {message}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong and how to cure it.
        message: String,
    },
    /// Fingerprints of another key.
    #[error(
        "line {line}: the fingerprint was made with the key `{found}`, this baseline's salt gives `{expected}`; \
         create the baseline anew, or restore the salt of its first line"
    )]
    Key {
        /// From 1.
        line: usize,
        /// The entry's key id.
        found: String,
        /// The salt's key id.
        expected: String,
    },
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// The first line that is wrong. A baseline is used whole or not at all.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let mut lines = text.lines().enumerate();
        let salt = lines.next().and_then(|(_, l)| l.strip_prefix(HEADER)).ok_or(BaselineError::Header)?;
        let mut out = Baseline { salt: salt.trim().to_owned(), entries: BTreeMap::new() };
        let key = out.key().ok_or_else(|| BaselineError::Line {
            line: 1,
            message: "the salt is not hexadecimal; restore it, or create the baseline anew".to_owned(),
        })?;
        for (n, line) in lines {
            let line_number = n + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let error = |message: String| BaselineError::Line { line: line_number, message };
            let (head, reason) = line.split_once(" reason=").unwrap_or((line, ""));
            let mut words = head.split_whitespace();
            let text = words.next().unwrap_or_default();
            let fingerprint = Fingerprint::parse(text).ok_or_else(|| {
                error(format!("`{text}` is no fingerprint; remove the line, or write the baseline anew"))
            })?;
            if fingerprint.key_id() != key.id() {
                let found = fingerprint.key_id().to_owned();
                return Err(BaselineError::Key { line: line_number, found, expected: key.id().to_owned() });
            }
            let mut entry = Entry { reason: reason.trim().to_owned(), ..Entry::default() };
            for word in words {
                match word.split_once('=') {
                    Some(("rule", v)) => entry.rule = v.to_owned(),
                    Some(("owner", v)) => entry.owner = v.to_owned(),
                    Some(("until", v)) => {
                        v.parse::<jiff::civil::Date>()
                            .map_err(|_| error(format!("until=`{v}` is no date; write it as YYYY-MM-DD")))?;
                        entry.until = v.to_owned();
                    }
                    _ => return Err(error(format!("`{word}` is none of rule=, owner=, until=, reason="))),
                }
            }
            if out.entries.insert(fingerprint, entry).is_some() {
                return Err(error("the fingerprint stands twice; keep one of the lines".to_owned()));
            }
        }
        Ok(out)
    }

    /// The key of its fingerprints; `None` if the salt is not hexadecimal.
    pub fn key(&self) -> Option<FingerprintKey> {
        if self.salt.is_empty() {
            return Some(FingerprintKey::default());
        }
        if !self.salt.len().is_multiple_of(2) || !self.salt.is_ascii() {
            return None;
        }
        let bytes: Option<Vec<u8>> = (0..self.salt.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&self.salt[i..i + 2], 16).ok())
            .collect();
        bytes.map(|b| FingerprintKey::new(&b))
    }

    /// The file's text: header, then one line an entry in the order of fingerprints.
    pub fn render(&self) -> String {
        let mut out = format!("{HEADER}{}\n", self.salt);
        for (fingerprint, e) in &self.entries {
            write!(out, "{fingerprint}").expect("because writing to a String cannot fail");
            for (name, value) in [("rule", &e.rule), ("owner", &e.owner), ("until", &e.until)] {
                if !value.is_empty() {
                    let value: String =
                        value.chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
                    write!(out, " {name}={value}").expect("because writing to a String cannot fail");
                }
            }
            if !e.reason.is_empty() {
                let reason: String = e.reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                write!(out, " reason={reason}").expect("because writing to a String cannot fail");
            }
            out.push('\n');
        }
        out
    }

    /// What the baseline says of a finding on `today`; expired entries say nothing.
    pub fn knows(&self, fingerprint: &Fingerprint, today: &str) -> Option<Suppression> {
        let e = self.entries.get(fingerprint)?;
        (e.until.is_empty() || e.until.as_str() >= today).then(|| Suppression {
            by: By::Baseline,
            reason: e.reason.clone(),
            owner: e.owner.clone(),
            until: e.until.clone(),
        })
    }
}

/// One entry of the configuration's allow-list. Every field that is given must fit.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    /// The exact value, by fingerprint.
    pub fingerprint: Option<Fingerprint>,
    /// The id of a rule, or of a provider for all of its rules.
    pub rule: Option<String>,
    /// Commits; all places of the finding must have come with one of them.
    pub commits: Vec<ObjectId>,
    /// Globs of paths; all places of the finding must be in one of them.
    pub paths: Option<globset::GlobSet>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Last day on which it holds; empty for no end.
    pub until: String,
}

impl Allow {
    /// Whether it accepts a finding on `today`.
    pub fn accepts(&self, finding: &Finding, today: &str) -> Option<Suppression> {
        let live = self.until.is_empty() || self.until.as_str() >= today;
        let value = self.fingerprint.as_ref().is_none_or(|f| *f == finding.fingerprint);
        let rule = self.rule.as_ref().is_none_or(|r| *r == finding.rule.id || *r == finding.rule.provider);
        let from = |o: &Occurrence| o.provenance.origin.as_ref()?.commit.as_ref().map(|c| c.id);
        let commits = self.commits.is_empty()
            || finding.occurrences.iter().all(|o| from(o).is_some_and(|id| self.commits.contains(&id)));
        let paths = self.paths.as_ref().is_none_or(|set| {
            finding
                .occurrences
                .iter()
                .all(|o| set.is_match(String::from_utf8_lossy(o.provenance.path.as_bytes()).as_ref()))
        });
        let given = self.fingerprint.is_some()
            || self.rule.is_some()
            || self.paths.is_some()
            || !self.commits.is_empty();
        (given && live && value && rule && paths && commits).then(|| Suppression {
            by: By::Config,
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            until: self.until.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Detector;
    use crate::model::{Blob, CommitRef, Held, Origin, Provenance, RawPath, Sink};
    use crate::rule::RuleSet;
    use crate::scan::{Collector, Options};
    use std::sync::Arc;

    #[test]
    fn a_baseline_comes_back_as_it_was_written() {
        let mut b = Baseline { salt: "00ff".to_owned(), ..Baseline::default() };
        let key = b.key().expect("because the salt is hexadecimal");
        let entry = |reason: &str| Entry {
            rule: "acme-key".to_owned(),
            owner: "ops team".to_owned(),
            until: "2027-01-01".to_owned(),
            reason: reason.to_owned(),
        };
        b.entries.insert(key.fingerprint(b"one"), entry("kept, until=later reason=none"));
        b.entries.insert(key.fingerprint(b"two"), entry(""));
        let text = b.render();
        let again = Baseline::parse(&text).expect("because it was rendered");
        assert_eq!(again.render(), text);
        let known =
            again.knows(&key.fingerprint(b"one"), "2027-01-01").expect("because it holds on its last day");
        assert_eq!(known.reason, "kept, until=later reason=none");
        assert_eq!(again.knows(&key.fingerprint(b"one"), "2027-01-02"), None);
    }

    #[test]
    fn what_is_wrong_is_named_by_line() {
        assert_eq!(Baseline::parse("[]"), Err(BaselineError::Header));
        let head = format!("{HEADER}\n");
        let line = |text: &str| Baseline::parse(&format!("{head}{text}\n")).expect_err(text).to_string();
        assert!(line("kw1:zz").starts_with("line 2: `kw1:zz`"));
        let other = FingerprintKey::new(b"x").fingerprint(b"y");
        assert!(line(other.as_str()).contains("key"));
        let own = FingerprintKey::default().fingerprint(b"y");
        assert!(line(&format!("{own} until=tomorrow")).contains("YYYY-MM-DD"));
        assert!(line(&format!("{own}\n{own}")).contains("line 3: the fingerprint stands twice"));
    }

    #[test]
    fn a_provider_and_commits_accept_only_what_is_theirs() {
        let rules = "[provider]\nid = 'peer'\nname = 'P'\n[[rule]]\nid = 'peer-a'\nname = 'A'\nseverity = 'low'\n\
                     confidence = 'medium'\npattern = 'key=(\\w+)'\n[rule.text]\n";
        let mut set = RuleSet::empty();
        set.add_texts(vec![("peer.toml".into(), rules.to_owned())]).expect("because the rule is right");
        let collector = Collector::new(Detector::new(set.into()), Options::default());
        let id = |n| ObjectId::from_bytes(&[n; 20]).expect("because there are twenty");
        // One value came with the first commit, another with both.
        for (n, text) in [(1, "key=alone key=both"), (2, "key=both")] {
            let commit = CommitRef { rank: u64::from(n), id: id(n), author: RawPath::new(b"a"), authored: 0 };
            let origin = Origin {
                held: Held::Blob,
                object: id(n + 10),
                commit: Some(commit),
                reachable: true,
                at_head: true,
                also_at: Vec::new(),
            };
            let provenance = Provenance::history(RawPath::new(b"a.txt"), origin);
            collector.blob(Blob::whole(text.as_bytes(), Arc::new(provenance)));
        }
        let findings = collector.finish().findings;
        let accepted = |rule: &str, commits: Vec<ObjectId>| {
            let allow = Allow { rule: Some(rule.to_owned()), commits, ..Allow::default() };
            findings.iter().filter(|f| allow.accepts(f, "2026-01-01").is_some()).count()
        };
        assert_eq!(findings.len(), 2);
        for rule in ["peer", "peer-a"] {
            assert_eq!(accepted(rule, Vec::new()), 2);
            assert_eq!(accepted(rule, vec![id(1)]), 1);
            assert_eq!(accepted(rule, vec![id(2)]), 0);
            assert_eq!(accepted(rule, vec![id(1), id(2)]), 2);
        }
        assert_eq!(accepted("other", vec![id(1), id(2)]), 0);
    }
}
