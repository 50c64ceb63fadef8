//! One pass over the sources, with progress and signals.

use super::settings::Settings;
use super::verify::{self, Policy};
use super::what::What;
use super::{gate, progress::Progress, signal};
use anyhow::Result;
use jiff::Timestamp;
use keywheel::config::Config;
use keywheel::model::{Checks, Provenance, RawPath, Sink, SkipReason, Skipped};
use keywheel::report::Veil;
use keywheel::rule::RuleSet;
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
    /// What was asked of providers, if anything was.
    pub(crate) checks: Option<Checks>,
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
    watched(&collector, settings.quiet, &|| false, || feed(&settings.files, &collector))?;
    let mut outcome = settle(collector, Path::new("."));
    let (confidence, severity) = settings.floors;
    let all = outcome.findings.len();
    let veil = Veil::new(&outcome.findings);
    outcome.findings.retain(|f| f.confidence >= confidence && f.severity >= severity);
    let below = (all - outcome.findings.len()) as u64;
    Ok(Pass {
        outcome,
        veil,
        checks: None,
        times: (started, Timestamp::now()),
        below,
        signal: signal::caught(),
    })
}

impl Pass {
    /// Asks providers about what was found, unless a signal has ended the run.
    pub(crate) fn verify(
        &mut self,
        rules: &RuleSet,
        config: &Config,
        policy: &Policy,
        quiet: bool,
    ) -> Result<()> {
        if self.signal.is_none() {
            let checks = verify::check(&mut self.outcome.findings, rules, config, policy, quiet)?;
            self.checks = Some(checks);
            self.signal = signal::caught();
            self.times.1 = Timestamp::now();
        }
        Ok(())
    }

    /// Leaves only what is proved to work, and says what that hides.
    pub(crate) fn keep_active(&mut self) {
        gate::keep_active(&mut self.outcome.findings, self.checks.as_mut());
    }
}

/// Does `work` while signals are watched and progress is drawn. A signal stops the collector, and so
/// does `failed`.
pub(crate) fn watched<T>(
    collector: &Collector,
    quiet: bool,
    failed: &(dyn Fn() -> bool + Sync),
    work: impl FnOnce() -> T,
) -> T {
    signal::watch();
    let (done, ended) = mpsc::channel::<()>();
    let result = std::thread::scope(|scope| {
        let mut progress = Progress::new(quiet);
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(BEAT) {
                if signal::caught().is_some() || failed() {
                    collector.stop();
                }
                progress.draw(|| collector.progress());
            }
            progress.clear();
        });
        // Dropped on every way out, which ends the watcher.
        let _done = done;
        work()
    });
    if signal::caught().is_some() {
        collector.stop();
    }
    result
}

/// The outcome; that it was stopped stands in its account of `path`.
pub(crate) fn settle(collector: Collector, path: &Path) -> Outcome {
    let interrupted = collector.interrupted();
    let mut outcome = collector.finish();
    if interrupted && !outcome.coverage.skipped.contains_key(&SkipReason::Budget) {
        outcome.coverage.skip(unread(path, stopped_by()));
        outcome.coverage.settle();
    }
    outcome
}

fn push(path: &Path, what: &What, files: &source::Options, collector: &Collector) -> Result<()> {
    if collector.stopped() {
        collector.skipped(unread(path, stopped_by()));
        return Ok(());
    }
    what.push(path, files, collector)
}

pub(crate) fn stopped_by() -> &'static str {
    if signal::caught().is_some() { "a signal ended the scan" } else { "the time of --budget was spent" }
}

pub(crate) fn unread(path: &Path, detail: &str) -> Skipped {
    let provenance = Provenance::file(RawPath::from_path(path));
    Skipped { provenance, reason: SkipReason::Budget, detail: format!("{detail} before all of it was read") }
}
