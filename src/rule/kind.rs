//! Rules in the form the engine runs: checked, analysed, and cheap to load.

use super::analyse::{Analysis, Facts, analyse};
use super::schema::{ChecksumUse, Context, Provider, Rule, RuleFile, With};
use super::text::{self, Allowed, TextKind};
use crate::model::{Class, Confidence, Severity};
use serde::{Deserialize, Serialize};

/// One kind of credential, ready to be searched for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kind {
    /// See [`Rule::id`](super::Rule).
    pub id: String,
    /// What a report calls it.
    pub name: String,
    /// Index into [`Pack::providers`].
    pub provider: u32,
    /// What kind of statement a match makes.
    pub class: Class,
    /// How bad it is if it works.
    pub severity: Severity,
    /// How sure a match is.
    pub confidence: Confidence,
    /// The regular expression.
    pub pattern: String,
    /// Words of which one must stand near.
    pub context: Option<Context>,
    /// Globs on the path, applied to findings.
    pub paths: Vec<String>,
    /// Whether it spans lines.
    pub block: bool,
    /// Entropy floor, if not the default.
    pub entropy: Option<f64>,
    /// Checksum inside the secret.
    pub checksum: Option<ChecksumUse>,
    /// Other parts.
    pub with: Vec<With>,
    /// Whether it is public by design.
    pub public: bool,
    /// SHA-256 of documented samples.
    pub samples: Vec<[u8; 32]>,
    /// SHA-256 of development defaults.
    pub development: Vec<[u8; 32]>,
    /// What the pattern guarantees.
    pub analysis: Analysis,
    /// Whether it declares how to verify.
    pub verifies: bool,
    /// What a text rule says beyond its pattern.
    pub text: Option<TextKind>,
}

/// Providers and their kinds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pack {
    /// Who issues them.
    pub providers: Vec<Provider>,
    /// What they look like.
    pub kinds: Vec<Kind>,
    /// Allow lists of text rules.
    pub allowed: Vec<Allowed>,
}

/// What is wrong with a rule: which, in which field, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule's id.
    pub rule: String,
    /// The field that is at fault.
    pub field: &'static str,
    /// What is wrong and how to cure it.
    pub message: String,
}

impl Pack {
    /// Adds a parsed file. Faulty rules are left out and reported.
    pub fn add(&mut self, file: &RuleFile) -> Vec<Fault> {
        let provider = u32::try_from(self.providers.len()).unwrap_or(u32::MAX);
        self.providers.push(file.provider.clone());
        let mut faults = Vec::new();
        let shared: Vec<u32> = file.allow.iter().map(|list| self.allow(list)).collect();
        faults.extend(file.allow.iter().filter_map(|list| shared_fault(list, file)));
        for rule in &file.rule {
            match kind(rule, &file.provider, provider) {
                Ok(mut kind) => {
                    if let (Some(text), Some(declared)) = (&mut kind.text, &rule.text) {
                        let of_file = file.allow.iter().zip(&shared);
                        let mine = of_file
                            .filter(|(list, _)| list.rules.is_empty() || list.rules.contains(&rule.id));
                        text.allowed.extend(mine.map(|(_, at)| at));
                        text.allowed.extend(declared.allow.iter().map(|list| self.allow(list)));
                    }
                    self.kinds.push(kind);
                }
                Err(fault) => faults.push(fault),
            }
        }
        faults
    }

    fn allow(&mut self, list: &Allowed) -> u32 {
        self.allowed.push(list.clone());
        u32::try_from(self.allowed.len() - 1).unwrap_or(u32::MAX)
    }

    /// Puts another pack behind this one.
    pub fn append(&mut self, mut other: Pack) {
        let providers = self.providers.len() as u32;
        let lists = self.allowed.len() as u32;
        for kind in &mut other.kinds {
            kind.provider += providers;
            kind.text.iter_mut().flat_map(|t| &mut t.allowed).for_each(|at| *at += lists);
        }
        self.providers.append(&mut other.providers);
        self.kinds.append(&mut other.kinds);
        self.allowed.append(&mut other.allowed);
    }
}

/// What is wrong with an allow list of a file.
fn shared_fault(list: &Allowed, file: &RuleFile) -> Option<Fault> {
    let fault =
        |message| Fault { rule: list.rules.first().cloned().unwrap_or_default(), field: "allow", message };
    if let Err(message) = text::check(list) {
        return Some(fault(message));
    }
    let known = |id: &&String| file.rule.iter().any(|r| r.text.is_some() && r.id == **id);
    let stray = list.rules.iter().find(|id| !known(id))?;
    Some(fault(format!("`{stray}` is no text rule of this file; remove it from `rules`")))
}

fn kind(rule: &Rule, of: &Provider, provider: u32) -> Result<Kind, Fault> {
    let fault = |field, message| Fault { rule: rule.id.clone(), field, message };
    let words = |t: &text::Text| TextKind {
        keywords: t.keywords.iter().map(|k| k.to_lowercase()).collect(),
        path: t.path.clone(),
        allowed: Vec::new(),
    };
    let facts = Facts {
        words: rule.context.as_ref().map_or(&[], |c| &c.words),
        before: rule.context.as_ref().map_or(0, |c| c.before),
        after: rule.context.as_ref().map_or(0, |c| c.after),
        partner: rule.with.iter().any(|w| w.required),
        max_len: rule.max_len,
        block: rule.block,
        paths: !rule.paths.is_empty(),
    };
    let analysis = match &rule.text {
        Some(declared) => text::analyse(rule, declared).map_err(|(field, m)| fault(field, m))?,
        None => analyse(&rule.pattern, facts).map_err(|m| fault("pattern", m))?,
    };
    let digests = |field, list: &[String]| {
        list.iter()
            .map(|s| {
                digest(s).ok_or_else(|| fault(field, format!("`{s}` is not a SHA-256 sum in hexadecimal")))
            })
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Kind {
        id: rule.id.clone(),
        name: rule.name.clone(),
        provider,
        class: rule.class,
        severity: rule.severity,
        confidence: rule.confidence,
        pattern: rule.pattern.clone(),
        context: rule.context.clone(),
        paths: rule.paths.clone(),
        block: rule.block,
        entropy: rule.entropy,
        checksum: rule.checksum.clone(),
        with: rule.with.clone(),
        public: rule.public,
        samples: digests("samples", &[rule.samples.as_slice(), &of.samples].concat())?,
        development: digests("development", &rule.development)?,
        analysis,
        verifies: rule.verify.is_some(),
        text: rule.text.as_ref().map(words),
    })
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(out)
}
