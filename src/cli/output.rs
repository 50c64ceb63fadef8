//! Where reports go: each written whole, or not at all.

use super::{terminal, usage};
use anyhow::{Context, Result, bail};
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

/// Whether whole secrets may go to every target: a terminal, or a file that is no pipe.
pub(crate) fn may_show_secrets(targets: &[Target]) -> bool {
    targets.iter().all(|(_, path)| match path {
        None => io::stdout().is_terminal(),
        Some(path) => !fs::metadata(path).is_ok_and(|m| is_pipe(&m)),
    })
}

#[cfg(unix)]
fn is_pipe(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_fifo() || metadata.file_type().is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_: &fs::Metadata) -> bool {
    false
}

/// Finds out before a long scan that a report could not be written after it.
pub(crate) fn check(targets: &[Target]) -> Result<()> {
    for path in targets.iter().filter_map(|(_, p)| p.as_deref()) {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.is_dir() {
            bail!("cannot write the report {}: it is a folder", path.display());
        }
        if !folder.is_dir() {
            bail!("cannot write the report {}: there is no folder {}", path.display(), folder.display());
        }
    }
    Ok(())
}

/// Says something on standard error, in one line that begins with the program's name.
pub(crate) fn tell(text: &str) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(io::stderr(), "keywheel: {}", terminal::plain(text.trim_end()));
}

/// Writes to standard output; whoever closes the pipe has read enough.
pub(crate) fn print(text: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e).context("cannot write to standard output"),
        _ => Ok(()),
    }
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
        Some(path) => {
            write_whole(path, report.show_secrets.then_some(0o600), |out| format.write(report, out))
                .with_context(|| format!("cannot write the report {}", path.display()))
        }
    }
}

/// Writes a file beside its place and moves it there once it is complete, so that a full disk
/// leaves the old one. What is no regular file (a pipe, /dev/stderr) is written to directly.
/// `mode` are the permissions of a new file, where its default will not do.
pub(crate) fn write_whole(
    path: &Path,
    mode: Option<u32>,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        let mut out = BufWriter::new(fs::OpenOptions::new().write(true).open(path)?);
        return fill(&mut out).and_then(|()| out.flush());
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(name);
    let result = (|| {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if let Some(mode) = mode {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        }
        let mut out = BufWriter::with_capacity(1 << 16, options.open(&beside)?);
        fill(&mut out)?;
        out.flush()?;
        #[cfg(unix)]
        if let Some(mode) = mode {
            // The mask of the process has taken bits away.
            out.get_ref().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        }
        out.get_ref().sync_data()?;
        drop(out);
        fs::rename(&beside, path)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result
}
