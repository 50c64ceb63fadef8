//! A line on the terminal that says how far a scan has come.

use super::terminal;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Scans that end sooner show nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// Draws on standard error, if that is a terminal that a person looks at.
pub(crate) struct Progress {
    begun: Instant,
    wanted: bool,
    drawn: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Progress { begun: Instant::now(), wanted: !quiet && terminal::interactive(), drawn: false }
    }

    /// Shows files and bytes, which are asked for only when they are shown.
    pub(crate) fn draw(&mut self, counts: impl FnOnce() -> (u64, u64)) {
        let begun = self.begun;
        self.line(|| {
            let (files, bytes) = counts();
            let (mb, seconds) = (bytes as f64 / 1e6, begun.elapsed().as_secs_f64());
            format!("scanning: {files} files, {mb:.1} MB, {:.0} MB/s", mb / seconds.max(0.001))
        });
    }

    /// Shows a line, which is made only when it is shown.
    pub(crate) fn line(&mut self, text: impl FnOnce() -> String) {
        if !self.wanted || self.begun.elapsed() < PATIENCE {
            return;
        }
        // A terminal that takes nothing is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[K{}", text());
        self.drawn = true;
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
