//! Rule sets: the embedded catalogue, and folders of the user beside or over it.

use super::declared::{self, Declared};
use super::kind::{Kind, Pack};
use super::rotate::Capabilities;
use super::schema::{Provider, RuleFile};
use super::text::Allowed;
use super::usage::Meter;
use crate::call::{Origin, Pattern};
use crate::model::RuleRef;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rules of a run.
#[derive(Clone, Debug)]
pub struct RuleSet {
    pack: Pack,
    refs: Vec<Arc<RuleRef>>,
    /// Rules that are not embedded, as their files state them.
    own: BTreeMap<String, Arc<Declared>>,
}

/// Why rules could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder or file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a rule file.
    #[error("{path}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A rule cannot be used.
    #[error("{path}:{line}: rule `{rule}`, field `{field}`: {message}")]
    Rule {
        /// The file.
        path: PathBuf,
        /// Line of the rule, from 1.
        line: usize,
        /// Its id.
        rule: String,
        /// The field at fault.
        field: &'static str,
        /// What is wrong and how to cure it.
        message: String,
    },
    /// Two rules of one folder share an id.
    #[error("{path}:{line}: the rule id `{rule}` stands twice; give one of them another id")]
    Twice {
        /// The file of the second.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The id.
        rule: String,
    },
    /// No rule of that name.
    #[error("there is no rule or provider `{0}`; `keywheel rules list` names them")]
    NoSuchRule(String),
    /// A partner that no rule finds.
    #[error("rule `{rule}` names the partner `{partner}`, which no rule has as its id")]
    NoSuchPartner {
        /// The rule.
        rule: String,
        /// What it names.
        partner: String,
    },
}

/// The embedded rule files: name and text.
pub fn embedded_texts() -> &'static [(&'static str, &'static str)] {
    include!(concat!(env!("OUT_DIR"), "/rules.rs"))
}

impl RuleSet {
    /// The embedded catalogue.
    pub fn embedded() -> Self {
        let packed = include_bytes!(concat!(env!("OUT_DIR"), "/rules.bin"));
        let pack = postcard::from_bytes(packed).expect("because build.rs wrote it with the same types");
        RuleSet::from_pack(pack)
    }

    /// No rules at all; a start for [`RuleSet::add_path`].
    pub fn empty() -> Self {
        RuleSet::from_pack(Pack::default())
    }

    fn from_pack(pack: Pack) -> Self {
        let mut set = RuleSet { pack, refs: Vec::new(), own: BTreeMap::new() };
        set.index();
        set
    }

    fn index(&mut self) {
        let providers = &self.pack.providers;
        self.refs = self
            .pack
            .kinds
            .iter()
            .map(|k| {
                let provider = &providers[k.provider as usize];
                Arc::new(RuleRef {
                    id: k.id.clone(),
                    name: k.name.clone(),
                    provider: provider.id.clone(),
                    provider_name: provider.name.clone(),
                    class: k.class,
                    docs: provider.docs.clone(),
                })
            })
            .collect();
    }

    /// Every kind, in a fixed order.
    pub fn kinds(&self) -> &[Kind] {
        &self.pack.kinds
    }

    /// Allow lists of text rules, by the indices in their kinds.
    pub fn allowed(&self) -> &[Allowed] {
        &self.pack.allowed
    }

    /// What reports show of a kind, by its index.
    pub fn reference(&self, kind: usize) -> &Arc<RuleRef> {
        &self.refs[kind]
    }

    /// Who issues a kind, and whose file says so: what decides where its calls may go.
    pub fn origin(&self, kind: usize) -> Origin<'_> {
        let provider = &self.pack.providers[self.pack.kinds[kind].provider as usize];
        Origin { provider: &provider.id, hosts: &provider.hosts, file: provider.file }
    }

    /// The hosts of providers that take fewer calls than is usual, and how many a second.
    pub fn rates(&self) -> Vec<(Pattern, f64)> {
        let slow = self.pack.providers.iter().filter_map(|p| Some((p, p.rate?)));
        let hosts = slow.flat_map(|(p, rate)| p.hosts.iter().map(move |host| (host, rate)));
        hosts.filter_map(|(host, rate)| Some((Pattern::of_provider(host).ok()?, rate))).collect()
    }

    /// A digest over every rule as it was loaded.
    pub fn digest(&self) -> [u8; 32] {
        let bytes = postcard::to_stdvec(&self.pack).expect("because rules hold nothing that has no form");
        Sha256::digest(bytes).into()
    }

    /// A rule that is not embedded, as its file states it.
    pub(super) fn added(&self, id: &str) -> Option<&Declared> {
        self.own.get(id).map(Arc::as_ref)
    }

    /// The index of a rule.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.pack.kinds.iter().position(|k| k.id == id)
    }

    /// Adds a rule file, or every `*.toml` of a folder. A rule whose id is already there replaces it.
    ///
    /// # Errors
    /// The first fault, with file, line and cure. Nothing is added then.
    pub fn add_path(&mut self, path: &Path) -> Result<(), LoadError> {
        let io = |source| LoadError::Io { path: path.to_owned(), source };
        let mut files = Vec::new();
        if path.is_dir() {
            for entry in std::fs::read_dir(path).map_err(io)? {
                let file = entry.map_err(io)?.path();
                if file.extension().is_some_and(|e| e == "toml") {
                    files.push(file);
                }
            }
            files.sort();
        } else {
            files.push(path.to_owned());
        }
        let read = |path: PathBuf| match std::fs::read_to_string(&path) {
            Ok(text) => Ok((path, text)),
            Err(source) => Err(LoadError::Io { path, source }),
        };
        self.add_texts(files.into_iter().map(read).collect::<Result<_, _>>()?)
    }

    /// Adds rule files that were read elsewhere, such as from a commit; their paths are used for
    /// messages only. A rule whose id is already there replaces it.
    ///
    /// # Errors
    /// The first fault, with file, line and cure. Nothing is added then.
    pub fn add_texts(&mut self, files: Vec<(PathBuf, String)>) -> Result<(), LoadError> {
        let mut added = Pack::default();
        let mut seen = std::collections::BTreeSet::new();
        let mut own = Vec::new();
        for (path, text) in files {
            let mut file = parse(&path, &text)?;
            file.provider.file = Some(Sha256::digest(text.as_bytes()).into());
            for rule in &file.rule {
                if !seen.insert(rule.id.clone()) {
                    return Err(LoadError::Twice {
                        line: line_of(&text, &rule.id),
                        path,
                        rule: rule.id.clone(),
                    });
                }
            }
            own.append(&mut declared::of_file(&path, &text, false));
            if let Some(f) = added.add(&file).into_iter().next() {
                let line = line_of(&text, &f.rule);
                return Err(LoadError::Rule { path, line, rule: f.rule, field: f.field, message: f.message });
            }
        }
        self.own.extend(own.into_iter().map(|d| (d.rule.id.clone(), Arc::new(d))));
        self.pack.kinds.retain(|k| !seen.contains(&k.id));
        self.pack.append(added);
        self.index();
        Ok(())
    }

    /// Keeps only the named rules, and the partners they need. A provider's id stands for all of its rules.
    ///
    /// # Errors
    /// A name that is neither.
    pub fn keep(&mut self, names: &[String]) -> Result<(), LoadError> {
        let mut wanted = std::collections::BTreeSet::new();
        for name in names {
            let before = wanted.len();
            for (i, k) in self.pack.kinds.iter().enumerate() {
                if k.id == *name || self.refs[i].provider == *name {
                    wanted.insert(k.id.clone());
                    wanted.extend(k.with.iter().map(|w| w.rule.clone()));
                }
            }
            if wanted.len() == before {
                return Err(LoadError::NoSuchRule(name.clone()));
            }
        }
        self.pack.kinds.retain(|k| wanted.contains(&k.id));
        self.index();
        Ok(())
    }

    /// Whether every partner is a rule of the set.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check_partners(&self) -> Result<(), LoadError> {
        for kind in &self.pack.kinds {
            for with in &kind.with {
                if self.position(&with.rule).is_none() {
                    return Err(LoadError::NoSuchPartner {
                        rule: kind.id.clone(),
                        partner: with.rule.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Parses one rule file.
///
/// # Errors
/// A syntax error or an unknown field, with line and column.
pub fn parse(path: &Path, text: &str) -> Result<RuleFile, LoadError> {
    toml::from_str(text).map_err(|e| {
        let (line, column) = line_and_column(text, e.span().map_or(0, |s| s.start));
        LoadError::Syntax { path: path.to_owned(), line, column, message: e.message().to_owned() }
    })
}

/// Line and column, from 1 and in characters, of a byte of `text`.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let at = (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    let before = &text[..at];
    (before.matches('\n').count() + 1, before.chars().rev().take_while(|&c| c != '\n').count() + 1)
}

/// What the rules of these files declare of turning their credentials over, by rule id. A later file wins.
///
/// # Errors
/// The first fault of a file that declares any.
pub fn capabilities<'a>(
    files: impl IntoIterator<Item = (&'a Path, &'a str)>,
) -> Result<BTreeMap<String, Capabilities>, LoadError> {
    let mut all = BTreeMap::new();
    // Few files declare any, and parsing all of them takes longer than everything else a command does.
    for (path, text) in files.into_iter().filter(|(_, text)| text.contains("rotate")) {
        for rule in parse(path, text)?.rule {
            all.extend(rule.rotate.map(|c| (rule.id, c)));
        }
    }
    Ok(all)
}

/// A read that tells the use of keys, and whose it is.
#[derive(Clone, Debug)]
pub struct Metered {
    /// Who issues the keys. For a user's file, with its digest.
    pub provider: Provider,
    /// The read.
    pub meter: Meter,
}

/// What these files declare of the use of keys, by id. A later file wins. `own` says of a file that it is a user's.
///
/// # Errors
/// The first fault of a file that declares any.
pub fn meters<'a>(
    files: impl IntoIterator<Item = (&'a Path, &'a str, bool)>,
) -> Result<BTreeMap<String, Metered>, LoadError> {
    let mut all = BTreeMap::new();
    for (path, text, own) in files.into_iter().filter(|(_, text, _)| text.contains("[[usage]]")) {
        let RuleFile { mut provider, usage, .. } = parse(path, text)?;
        provider.file = own.then(|| Sha256::digest(text.as_bytes()).into());
        let whole = |meter: Meter| (meter.id.clone(), Metered { provider: provider.clone(), meter });
        all.extend(usage.into_iter().map(whole));
    }
    Ok(all)
}

/// The line on which a rule's id stands.
pub fn line_of(text: &str, id: &str) -> usize {
    text.lines()
        .position(|l| l.trim_start().starts_with("id") && l.contains(&format!("\"{id}\"")))
        .map_or(1, |n| n + 1)
}
