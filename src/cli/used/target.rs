//! Where figures go: to a file, whole or not at all, or to standard output.

use crate::cli::{output, usage};
use anyhow::{Context, Error, Result};
use clap::Args;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Args)]
pub(super) struct Target {
    /// Where to write it, whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Target {
    /// The file, for a format that is no text: what stands there may be a regular file only.
    pub(super) fn file(&self, format: &str) -> Result<&Path> {
        let Some(path) = self.output.as_deref().filter(|p| p.as_os_str() != "-") else {
            return Err(usage(format!("{format} is written to a file only; name one by --output")));
        };
        if std::fs::metadata(path).is_ok_and(|m| !m.is_file()) {
            return Err(usage(format!(
                "{format} is written to a file only, and `{}` is none",
                path.display()
            )));
        }
        Ok(path)
    }

    /// Writes a file; where it cannot be filled, what stood there stays.
    pub(super) fn whole(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
    ) -> Result<()> {
        let mut reason: Option<Error> = None;
        let done = output::write_whole(path, None, |out| {
            fill(out).map_err(|e| {
                reason = Some(e);
                io::ErrorKind::Other.into()
            })
        });
        let written = reason.map_or(done.map_err(Error::from), Err);
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes text.
    pub(super) fn write(&self, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        match self.output.as_deref().filter(|p| p.as_os_str() != "-") {
            Some(path) => self.whole(path, |out| fill(out)),
            None => {
                let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
                match fill(&mut out).and_then(|()| Ok(out.flush()?)) {
                    // Whoever closed the pipe has read enough.
                    Err(e) if is_broken_pipe(&e) => Ok(()),
                    other => other.context("cannot write to standard output"),
                }
            }
        }
    }
}

fn is_broken_pipe(e: &Error) -> bool {
    e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
