//! One pass over the sources, with progress and signals.

use super::settings::Settings;
use super::what::What;
use super::{progress::Progress, signal};
use anyhow::Result;
use jiff::Timestamp;
use keywheel::model::{Provenance, RawPath, Sink, SkipReason, Skipped};
use keywheel::report::Veil;
use keywheel::scan::{Collector, Outcome};
use keywheel::source;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How often signals are looked at and progress is drawn.
const BEAT: Duration = Duration::from_millis(50);

/// What a pass gave.
pub(crate) struct Pass {
    /// Findings at or above the floors, coverage, near misses.
    pub(crate) outcome: Outcome,
    /// Hides all findings, those below the floors included.
    pub(crate) veil: Veil,
    /// When it began and ended.
    pub(crate) times: (Timestamp, Timestamp),
    /// Findings below the floors.
    pub(crate) below: u64,
    /// The exit code of a signal that ended it.
    pub(crate) signal: Option<u8>,
}

/// Reads everything that the settings name.
pub(crate) fn run(settings: Settings) -> Result<Pass> {
    let (paths, what) = (settings.paths.clone(), settings.what.clone());
    run_with(settings, |files, collector| {
        paths.iter().try_for_each(|path| push(path, &what, files, collector))
    })
}

/// Reads what `feed` pushes.
pub(crate) fn run_with(
    settings: Settings,
    feed: impl FnOnce(&source::Options, &Collector) -> Result<()>,
) -> Result<Pass> {
    let started = Timestamp::now();
    let mut options = settings.options;
    options.floor = Some(settings.floors.0);
    let collector = Collector::new(settings.detector, options);
    signal::watch();
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let mut progress = Progress::new(settings.quiet);
        let shared = &collector;
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(BEAT) {
                if signal::caught().is_some() {
                    shared.stop();
                }
                progress.draw(|| shared.progress());
            }
            progress.clear();
        });
        // Dropped on every way out, which ends the watcher.
        let _done = done;
        feed(&settings.files, &collector)
    })?;
    if signal::caught().is_some() {
        collector.stop();
    }
    let interrupted = collector.interrupted();
    let mut outcome = collector.finish();
    if interrupted && !outcome.coverage.skipped.contains_key(&SkipReason::Budget) {
        outcome.coverage.skip(unread(Path::new("."), stopped_by()));
        outcome.coverage.settle();
    }
    let (confidence, severity) = settings.floors;
    let all = outcome.findings.len();
    let veil = Veil::new(&outcome.findings);
    outcome.findings.retain(|f| f.confidence >= confidence && f.severity >= severity);
    let below = (all - outcome.findings.len()) as u64;
    Ok(Pass { outcome, veil, times: (started, Timestamp::now()), below, signal: signal::caught() })
}

fn push(path: &Path, what: &What, files: &source::Options, collector: &Collector) -> Result<()> {
    if collector.stopped() {
        collector.skipped(unread(path, stopped_by()));
        return Ok(());
    }
    what.push(path, files, collector)
}

fn stopped_by() -> &'static str {
    if signal::caught().is_some() { "a signal ended the scan" } else { "the time of --budget was spent" }
}

fn unread(path: &Path, detail: &str) -> Skipped {
    let provenance = Provenance::file(RawPath::from_path(path));
    Skipped { provenance, reason: SkipReason::Budget, detail: format!("{detail} before all of it was read") }
}
