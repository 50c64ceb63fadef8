//! Where reports go: each written whole, or not at all.

use super::usage;
use anyhow::{Context, Result};
use keywheel::report::{self, Format, Report};
use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// A format and its target; `None` is standard output.
pub(crate) type Target = (&'static dyn Format, Option<PathBuf>);

/// Reads `--format` values; the default is text.
pub(crate) fn targets(formats: &[String], output: Option<&Path>) -> Result<Vec<Target>> {
    let given: &[String] = if formats.is_empty() { &["text".to_owned()] } else { formats };
    let mut out: Vec<Target> = Vec::new();
    for text in given {
        let (name, file) = text.split_once('=').map_or((text.as_str(), None), |(n, f)| (n, Some(f)));
        let format = report::by_name(name).ok_or_else(|| {
            let known: Vec<_> = report::FORMATS.iter().map(|f| f.name()).collect();
            usage(format!("there is no format `{name}`; there are {}", known.join(", ")))
        })?;
        let path =
            file.map(PathBuf::from).or_else(|| output.map(Path::to_owned)).filter(|p| p.as_os_str() != "-");
        if out.iter().any(|(_, p)| *p == path) {
            return Err(usage(
                "two formats have the same target; give each its own: --format sarif=out.sarif",
            ));
        }
        out.push((format, path));
    }
    Ok(out)
}

/// Whether whole secrets may go to every target.
pub(crate) fn may_show_secrets(targets: &[Target]) -> bool {
    targets.iter().all(|(_, path)| path.is_some() || io::stdout().is_terminal())
}

/// Writes one report.
pub(crate) fn write(target: &Target, report: &Report<'_>) -> Result<()> {
    let (format, path) = target;
    match path {
        None => {
            let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            match format.write(report, &mut out).and_then(|()| out.flush()) {
                // Whoever closed the pipe has read enough.
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                other => other.context("cannot write the report to standard output"),
            }
        }
        Some(path) => write_whole(path, |out| format.write(report, out))
            .with_context(|| format!("cannot write the report {}", path.display())),
    }
}

/// Writes a file beside its place and moves it there once it is complete, so that a full disk
/// leaves the old one. What is no regular file (a pipe, /dev/stderr) is written to directly.
pub(crate) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        let mut out = BufWriter::new(fs::OpenOptions::new().write(true).open(path)?);
        return fill(&mut out).and_then(|()| out.flush());
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(name);
    let result = (|| {
        let mut out = BufWriter::with_capacity(
            1 << 16,
            fs::OpenOptions::new().write(true).create_new(true).open(&beside)?,
        );
        fill(&mut out)?;
        out.flush()?;
        out.get_ref().sync_data()?;
        drop(out);
        fs::rename(&beside, path)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result
}
