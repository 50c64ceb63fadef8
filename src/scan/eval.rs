//! Scores the rules on a labelled folder: what they find of the secrets in it, and what else.
//!
//! `labels.jsonl` in the folder has one label a line:
//!
//! ```json
//! {"path": "src/a.py", "line": 3, "start": 12, "end": 22, "class": "password", "secret": true}
//! ```
//!
//! `line` counts from 1; `start` and `end` are bytes of the line from 0, and without them the label
//! is for the whole line. `secret` says whether a secret stands there, or something that only looks
//! like one. What is found where no label stands counts as wrong, unless the caller says otherwise.

use crate::detect::rank::Feature;
use crate::detect::{Detector, Workspace, is_reported};
use crate::model::Confidence;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// The file of labels.
pub const LABELS: &str = "labels.jsonl";

/// A place that a person has judged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The file, relative to the folder.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// First byte on the line, from 0.
    pub start: Option<usize>,
    /// Byte behind the last.
    pub end: Option<usize>,
    /// What sort of secret it is or looks like.
    pub class: String,
    /// Whether it is one.
    pub secret: bool,
}

/// Why a folder cannot be scored.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A label is not as it should be.
    #[error("{path}:{line}: {message}")]
    Label {
        /// The file of labels.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong and how to cure it.
        message: String,
    },
}

/// What was right, wrong and missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Secrets found.
    pub found: u64,
    /// Other things reported.
    pub wrong: u64,
    /// Secrets missed.
    pub missed: u64,
}

impl Count {
    /// Share of what is reported that is a secret; 1 if nothing is.
    pub fn precision(&self) -> f64 {
        ratio(self.found, self.found + self.wrong)
    }

    /// Share of the secrets that are reported; 1 if there are none.
    pub fn recall(&self) -> f64 {
        ratio(self.found, self.found + self.missed)
    }

    /// The harmonic mean of both.
    pub fn f1(&self) -> f64 {
        ratio(2 * self.found, 2 * self.found + self.wrong + self.missed)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// What a scoring gives.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Files read.
    pub files: u64,
    /// Labels of secrets, and of other things.
    pub labels: (u64, u64),
    /// All of it.
    pub all: Count,
    /// By the class of the label; `unlabelled` for findings where none stands.
    pub classes: BTreeMap<String, Count>,
    /// By rule; what is missed is no rule's.
    pub rules: BTreeMap<String, Count>,
    /// Findings where no label stands.
    pub unlabelled: u64,
    /// Labels that were missed or wrongly reported, in order: path, line, class, whether it is a secret.
    pub faults: Vec<(String, usize, String, bool)>,
}

/// What counts.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Lowest confidence that counts as reported.
    pub floor: Confidence,
    /// Whether findings without a label are left out of the count.
    pub labelled_only: bool,
}

/// A folder with its labels.
#[derive(Debug)]
pub struct Labelled {
    root: PathBuf,
    files: BTreeMap<String, Vec<Label>>,
}

impl Labelled {
    /// Reads the labels of a folder and lists its files.
    ///
    /// # Errors
    /// A folder that cannot be read, or a label that is not as it should be.
    pub fn open(root: &Path) -> Result<Self, EvalError> {
        let mut files = BTreeMap::new();
        list(root, "", &mut files)?;
        let path = root.join(LABELS);
        let text = match std::fs::read_to_string(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(EvalError::Io { path, source });
            }
            text => text.unwrap_or_default(),
        };
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let fault = |message: String| EvalError::Label { path: path.clone(), line: n + 1, message };
            let label: Label = serde_json::from_str(line).map_err(|e| fault(e.to_string()))?;
            if label.line == 0 || label.start.is_some() != label.end.is_some() || label.start > label.end {
                return Err(fault(
                    "`line` counts from 1; `start` and `end` go together, the lower first".into(),
                ));
            }
            let inside = Path::new(&label.path).components().all(|c| matches!(c, Component::Normal(_)));
            match files.get_mut(&label.path).filter(|_| inside) {
                Some(labels) => Vec::push(labels, label),
                None => return Err(fault(format!("there is no file `{}` in the folder", label.path))),
            }
        }
        Ok(Labelled { root: root.to_owned(), files })
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, EvalError> {
        let path = self.root.join(path);
        std::fs::read(&path).map_err(|source| EvalError::Io { path, source })
    }

    /// Searches every file and compares.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn score(&self, detector: &Detector, options: Options) -> Result<Report, EvalError> {
        let mut report = Report::default();
        let mut work = Workspace::default();
        for (path, labels) in &self.files {
            let bytes = self.read(path)?;
            report.files += 1;
            score(&mut report, detector, options, path, &bytes, labels, &mut work);
        }
        Ok(report)
    }

    /// Writes what is measured of every ranked candidate, tabs between: path, first byte, byte behind
    /// the last, rule, class, whether it is a secret (`1`, `0`, or `-` where no label stands), the
    /// filter that is against it or `-`, the score, and the features. No value is written.
    ///
    /// # Errors
    /// A file that cannot be read; what the writer says.
    pub fn features(&self, detector: &Detector, out: &mut dyn Write) -> Result<(), EvalError> {
        let io = |source| EvalError::Io { path: PathBuf::from("the output"), source };
        let names: Vec<&str> = Feature::ALL.iter().map(|f| f.as_str()).collect();
        let head = "path\tstart\tend\trule\tclass\tsecret\tdropped\tscore";
        writeln!(out, "{head}\t{}", names.join("\t")).map_err(io)?;
        let mut work = Workspace::default();
        for (path, labels) in &self.files {
            let bytes = self.read(path)?;
            let lines = Lines::new(&bytes);
            for w in detector.weigh(&bytes, path.as_bytes(), &mut work) {
                let label = labels.iter().find(|l| meets(&lines.span(l), &w.span));
                let (class, secret) = match label {
                    Some(l) => (l.class.as_str(), if l.secret { "1" } else { "0" }),
                    None => ("-", "-"),
                };
                let dropped = w.dropped.map_or("-", |r| r.as_str());
                let rule = &detector.rules().kinds()[w.kind].id;
                write!(
                    out,
                    "{path}\t{}\t{}\t{rule}\t{class}\t{secret}\t{dropped}\t{}",
                    w.span.start, w.span.end, w.score.0
                )
                .map_err(io)?;
                w.features.values().iter().try_for_each(|v| write!(out, "\t{v}")).map_err(io)?;
                writeln!(out).map_err(io)?;
            }
        }
        Ok(())
    }
}

/// Scores one text.
pub fn score(
    report: &mut Report,
    detector: &Detector,
    options: Options,
    path: &str,
    bytes: &[u8],
    labels: &[Label],
    work: &mut Workspace,
) {
    let kinds = detector.rules().kinds();
    let lines = Lines::new(bytes);
    let found: Vec<_> = detector
        .scan(bytes, path.as_bytes(), work)
        .into_iter()
        .filter(|f| f.confidence >= options.floor && is_reported(kinds[f.kind].class))
        .collect();
    let mut met = vec![false; found.len()];
    for label in labels {
        let span = lines.span(label);
        let mut here = found.iter().enumerate().filter(|(_, f)| meets(&span, &f.span)).peekable();
        let first = here.peek().map(|(_, f)| f.kind);
        here.for_each(|(i, _)| met[i] = true);
        let class = report.classes.entry(label.class.clone()).or_default();
        let add: fn(&mut Count) = match (label.secret, first) {
            (true, Some(_)) => |c| c.found += 1,
            (true, None) => |c| c.missed += 1,
            (false, Some(_)) => |c| c.wrong += 1,
            (false, None) => |_| {},
        };
        add(class);
        add(&mut report.all);
        if let Some(kind) = first {
            add(report.rules.entry(kinds[kind].id.clone()).or_default());
        }
        if label.secret != first.is_some() {
            report.faults.push((label.path.clone(), label.line, label.class.clone(), label.secret));
        }
        if label.secret {
            report.labels.0 += 1;
        } else {
            report.labels.1 += 1;
        }
    }
    for (f, _) in found.iter().zip(met).filter(|(_, met)| !met) {
        report.unlabelled += 1;
        if !options.labelled_only {
            report.all.wrong += 1;
            report.classes.entry("unlabelled".to_owned()).or_default().wrong += 1;
            report.rules.entry(kinds[f.kind].id.clone()).or_default().wrong += 1;
            report.faults.push((
                path.to_owned(),
                lines.line_of(f.span.start),
                "unlabelled".to_owned(),
                false,
            ));
        }
    }
}

fn meets(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>, usize);

impl Lines {
    fn new(bytes: &[u8]) -> Self {
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', bytes).map(|i| i + 1));
        Lines(starts.collect(), bytes.len())
    }

    fn span(&self, label: &Label) -> Range<usize> {
        let start = self.0.get(label.line - 1).copied().unwrap_or(self.1);
        let end = self.0.get(label.line).copied().unwrap_or(self.1);
        match (label.start, label.end) {
            (Some(from), Some(to)) => start + from..start + to,
            _ => start..end,
        }
    }

    fn line_of(&self, at: usize) -> usize {
        self.0.partition_point(|&start| start <= at)
    }
}

/// Files below a folder by their path with `/`; links are not followed.
fn list(at: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<Label>>) -> Result<(), EvalError> {
    let fault = |source| EvalError::Io { path: at.to_owned(), source };
    for entry in std::fs::read_dir(at).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let kind = entry.file_type().map_err(fault)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() {
            list(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file() && !(prefix.is_empty() && name == LABELS) {
            files.insert(format!("{prefix}{name}"), Vec::new());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::RuleSet;
    use std::sync::Arc;

    fn label(line: usize, span: Option<(usize, usize)>, secret: bool) -> Label {
        Label {
            path: "a.py".into(),
            line,
            start: span.map(|s| s.0),
            end: span.map(|s| s.1),
            class: "password".into(),
            secret,
        }
    }

    #[test]
    fn found_missed_and_wrong_are_told_apart() {
        let detector = Detector::new(Arc::new(RuleSet::embedded()));
        let login = "svc:w1nter-Zk23@";
        let text = format!("url = 'https://{login}git.acme.org/x'\nx = 1\nu = 'ftp://{login}acme.org'\n");
        let labels = [label(1, Some((19, 30)), true), label(2, None, true)];
        let mut report = Report::default();
        let options = Options { floor: Confidence::Low, labelled_only: false };
        score(&mut report, &detector, options, "a.py", text.as_bytes(), &labels, &mut Workspace::default());
        assert_eq!(report.all, Count { found: 1, wrong: 1, missed: 1 });
        assert_eq!(report.classes["unlabelled"].wrong, 1);
        assert_eq!(report.faults.len(), 2);
        assert!((report.all.f1() - 0.5).abs() < 1e-9 && (report.all.precision() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn labels_are_checked() {
        let dir = std::env::temp_dir().join(format!("keywheel-eval-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("sub")).unwrap();
        std::fs::write(dir.join("sub/a.py"), "x\n").unwrap();
        let try_with = |line: &str| {
            std::fs::write(dir.join(LABELS), line).unwrap();
            Labelled::open(&dir).map(|l| l.files.len()).map_err(|e| e.to_string())
        };
        assert_eq!(try_with(r#"{"path":"sub/a.py","line":1,"class":"x","secret":true}"#), Ok(1));
        for (line, fault) in [
            (r#"{"path":"b.py","line":1,"class":"x","secret":true}"#, "no file `b.py`"),
            (r#"{"path":"sub/a.py","line":0,"class":"x","secret":true}"#, "counts from 1"),
            (r#"{"path":"sub/a.py","line":1,"start":1,"class":"x","secret":true}"#, "go together"),
            (r#"{"path":"sub/a.py","line":1,"class":"x","secret":true,"more":1}"#, "unknown field"),
        ] {
            let error = try_with(line).unwrap_err();
            assert!(error.contains(fault) && error.contains("labels.jsonl:1"), "{error}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
