//! The sweep of one repository.

use super::left;
use crate::cli::session::{settle, stopped_by, unread, watched};
use crate::cli::settings::Settings;
use crate::cli::{output, usage};
use anyhow::Result;
use keywheel::detect::{Detector, GENERATION};
use keywheel::model::{Confidence, Finding, Provenance, RawPath, Severity, Sink};
use keywheel::scan::{Collector, Options, Outcome};
use keywheel::source::git::sweep::{self, Swept};
use keywheel::source::git::{GitError, Repository, Standing, Surroundings};
use keywheel::source::{self, SourceError};
use keywheel::state::{Entry, Finished, Judged, Left, Of, Recall, State, StateError, Trust, judge};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What all repositories of a run have in common.
pub(super) struct Sweeper {
    detector: Arc<Detector>,
    options: Options,
    files: source::Options,
    floors: (Confidence, Severity),
    quiet: bool,
    storage_root: Option<PathBuf>,
    /// A digest over what decides what is looked for.
    eyes: [u8; 32],
    /// A digest over what decides what is reported of it.
    view: [u8; 32],
}

/// A repository that was swept, or could not be.
pub(super) struct Done {
    /// What was found at or above the floors, and the account.
    pub(super) outcome: Outcome,
    /// What was found below them.
    pub(super) below: Vec<Finding>,
    /// What became of earlier findings.
    pub(super) judged: Judged,
    /// Objects that earlier sweeps had looked at.
    pub(super) remembered: u64,
    /// Whether what was remembered was of no use.
    pub(super) anew: bool,
    place: PathBuf,
    view: [u8; 32],
    entry: Option<Entry>,
    left: Option<([u8; 32], Left)>,
    interrupted: bool,
    /// Whether all was read.
    complete: bool,
}

impl Sweeper {
    pub(super) fn new(settings: Settings, storage_root: Option<PathBuf>) -> Self {
        let mut options = settings.options;
        options.floor = Some(settings.floors.0);
        let (files, (confidence, severity)) = (settings.files, settings.floors);
        let eyes = digest(&[
            env!("CARGO_PKG_VERSION").as_bytes(),
            &GENERATION.to_le_bytes(),
            &settings.detector.rules().digest(),
            confidence.as_str().as_bytes(),
            &[u8::from(settings.detector.ranks())],
        ]);
        let mut parts = vec![
            eyes.to_vec(),
            severity.as_str().into(),
            vec![u8::from(files.archives)],
            files.max_file_size.to_le_bytes().to_vec(),
            storage_root.as_ref().map_or(Vec::new(), |p| p.as_os_str().as_encoded_bytes().to_vec()),
        ];
        parts.extend(files.exclude.iter().map(|glob| glob.clone().into_bytes()));
        let view = digest(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        Sweeper {
            detector: Arc::new(settings.detector),
            options,
            files,
            floors: settings.floors,
            quiet: settings.quiet,
            storage_root,
            eyes,
            view,
        }
    }

    /// Sweeps the repository at `path`; `None` if it is one of those that are done.
    pub(super) fn sweep(&self, path: &Path, state: &State, done: &[Done]) -> Result<Option<Done>> {
        let mut collector = self.collector();
        if collector.stopped() {
            collector.skipped(unread(path, stopped_by()));
            return Ok(Some(self.without(path, collector)));
        }
        let around = Surroundings { storage_root: self.storage_root.clone(), ..Surroundings::default() };
        let opened = Repository::open(path, &around).and_then(|repo| Ok((place_of(&repo)?, repo)));
        let (place, mut repo) = match opened {
            Ok(opened) => opened,
            // It is there and could not be read: that is an incomplete sweep, and reported as one.
            Err(error) if error.is_incomplete() => {
                collector.skipped(error.skipped(Provenance::file(RawPath::from_path(path))));
                return Ok(Some(self.without(path, collector)));
            }
            Err(error) => return Err(usage(error)),
        };
        if done.iter().any(|d| d.place == place) {
            return Ok(None);
        }
        let mut entry = state.entry(&place, &self.eyes)?;
        let mut before = state.findings(&entry, &self.options.key).map_err(|e| match e {
            StateError::OtherKey { .. } => usage(e),
            other => other.into(),
        })?;
        // Refs are read after the objects: what they lead to by then and was not seen changes the digest.
        repo.objects.settle();
        let standing = Standing::of(&repo);
        let digest = standing.digest(&repo);
        let (mut left, mut swept) = (entry.unchanged(&self.view, &digest).cloned(), None);
        if let Some(known) = &left {
            let tell = || left::tell_again(known, &repo, &standing, &self.files, &collector);
            let is_told = watched(&collector, self.quiet, &|| false, tell).map_err(usage)?;
            let found = collector.fingerprints();
            // All that was told is there again; if not, something has changed that no digest shows.
            let is_all = is_told && before.iter().all(|(f, r)| !r.open || found.contains(f));
            if !is_all && !collector.interrupted() {
                collector = self.collector();
                left = None;
            }
        }
        if left.is_none() {
            repo.objects.repair();
            let mut recall = Recall::load(state, &entry)?;
            if recall.is_of_another(&repo.objects) {
                output::tell(&format!("{}: another repository has taken its place", path.display()));
                state.forget(&mut entry)?;
                before.clear();
                recall = Recall::load(state, &entry)?;
            }
            if recall.has_lost_a_name(&repo.objects) {
                state.look_anew(&entry)?;
                recall = Recall::load(state, &entry)?;
            }
            recall.tidy(&repo.objects)?;
            swept = Some(self.read(&repo, &standing, &recall, &collector)?);
        }
        let remembered = state.remembered(&entry)?;
        let interrupted = collector.interrupted();
        let spread = collector.spread();
        let mut outcome = settle(collector, path);
        if let Some(swept) = swept.filter(|_| !interrupted) {
            left = left::leave(&repo.objects, &swept, &spread, &outcome.findings);
        }
        let complete = outcome.coverage.is_complete();
        let trust = match complete {
            false => Trust::None,
            true if !entry.is_same_view(&self.view) => Trust::Changed,
            true => Trust::Whole,
        };
        let name = path.display().to_string();
        let of = Of { sweep: entry.sweep, trust, repository: &name };
        let (confidence, severity) = self.floors;
        let reported = |f: &Finding| f.confidence >= confidence && f.severity >= severity;
        let (mut findings, below): (Vec<_>, Vec<_>) =
            std::mem::take(&mut outcome.findings).into_iter().partition(reported);
        let others: BTreeSet<_> = below.iter().map(|f| f.fingerprint.clone()).collect();
        let judged = judge(&before, &mut findings, &others, &of);
        outcome.findings = findings;
        Ok(Some(Done {
            outcome,
            below,
            judged,
            remembered,
            anew: entry.anew,
            place,
            view: self.view,
            left: left.map(|left| (digest, left)),
            entry: Some(entry),
            interrupted,
            complete,
        }))
    }

    fn collector(&self) -> Collector {
        Collector::new(self.detector.clone(), self.options.clone())
    }

    /// Looks at what is new, and searches all that holds something.
    fn read(
        &self,
        repo: &Repository,
        standing: &Standing,
        recall: &Recall<'_>,
        collector: &Collector,
    ) -> Result<Swept> {
        let resumed = recall.resumed();
        collector.looked(resumed.texts, resumed.bytes);
        let push = || sweep::push(repo, standing, recall, &self.files, collector);
        let swept = watched(collector, self.quiet, &|| recall.failed(), push);
        // Whatever comes now, what was looked at is not looked at again.
        recall.flush()?;
        swept.map_err(|e: SourceError| usage(e))
    }

    /// Of a repository that was not read.
    fn without(&self, path: &Path, collector: Collector) -> Done {
        Done {
            interrupted: collector.interrupted(),
            outcome: settle(collector, path),
            below: Vec::new(),
            judged: Judged::default(),
            remembered: 0,
            anew: false,
            place: path.to_owned(),
            view: self.view,
            entry: None,
            left: None,
            complete: false,
        }
    }
}

impl Done {
    /// What the sweep leaves, if it came to its end.
    pub(super) fn finished(&mut self) -> Option<Finished<'_>> {
        let entry = self.entry.as_ref().filter(|_| !self.interrupted)?;
        let rows = std::mem::take(&mut self.judged.rows);
        let complete = self.complete;
        Some(Finished { entry, view: self.view, complete, left: self.left.take(), rows })
    }
}

/// What tells a repository from others: where it is.
fn place_of(repo: &Repository) -> Result<PathBuf, GitError> {
    let path = &repo.common_dir;
    path.canonicalize().map_err(|source| GitError::Unreadable { path: RawPath::from_path(path), source })
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
