//! `keywheel hook install`: a small shell script in a repository's folder of hooks.

use crate::cli::{code, output, usage};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use keywheel::source::git::{Repository, Surroundings};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The line by which a hook is known as ours.
const MARK: &str =
    "# keywheel hook 1: written by `keywheel hook install`; changes are lost with the next one";

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    #[value(name = "pre-commit")]
    Commit,
    #[value(name = "pre-push")]
    Push,
    #[value(name = "pre-receive")]
    Receive,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Commit => "pre-commit",
            Kind::Push => "pre-push",
            Kind::Receive => "pre-receive",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// Which hook
    kind: Kind,
    /// The repository
    #[arg(default_value = ".", value_name = "PATH")]
    path: PathBuf,
    /// Put it in the place of a hook that is not ours; that one is kept as KIND.old
    #[arg(long)]
    force: bool,
    /// Arguments for `keywheel hook KIND`
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

pub(crate) fn run(args: &InstallArgs) -> Result<u8> {
    let repository = Repository::open(&args.path, &Surroundings::default()).map_err(usage)?;
    // Every work tree of a repository runs the hooks of the common directory.
    let folder = repository.common_dir.join("hooks");
    let path = folder.join(args.kind.as_str());
    let program = env::current_exe().context("cannot tell the path of this program")?;
    let script = script(args.kind, &program, &args.args);
    if fs::symlink_metadata(&folder).is_ok_and(|m| m.is_symlink()) {
        return Err(usage(format!(
            "{} is a symbolic link; put this line into its {}: {}",
            folder.display(),
            args.kind.as_str(),
            line(args.kind, &program)
        )));
    }
    match fs::symlink_metadata(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        Ok(found) => {
            let old = if found.is_file() { fs::read(&path).unwrap_or_default() } else { Vec::new() };
            if old == script {
                output::tell(&format!("{} is installed already", path.display()));
                return Ok(code::CLEAN);
            }
            if !old.split(|&b| b == b'\n').any(|l| l == MARK.as_bytes()) {
                keep(args, &path, &program)?;
            }
        }
    }
    let written = fs::create_dir_all(&folder)
        .and_then(|()| output::write_whole(&path, Some(0o755), |out| out.write_all(&script)));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    output::tell(&format!(
        "{} installed; git runs it unless `core.hooksPath` names another folder, which was not looked at",
        path.display()
    ));
    Ok(code::CLEAN)
}

/// Moves a hook that is not ours aside; without `--force` it stays.
fn keep(args: &InstallArgs, path: &Path, program: &Path) -> Result<()> {
    let kept = path.with_extension("old");
    if !args.force {
        return Err(usage(format!(
            "{} is there and is not ours; put this line into it: {} (or pass --force, which keeps it as {})",
            path.display(),
            line(args.kind, program),
            kept.display()
        )));
    }
    if fs::symlink_metadata(&kept).is_ok() {
        return Err(usage(format!("{} is there already; move it away first", kept.display())));
    }
    fs::rename(path, &kept).with_context(|| format!("cannot move {} away", path.display()))
}

/// What a hook that is not ours has to say to run ours.
fn line(kind: Kind, program: &Path) -> String {
    let quoted = String::from_utf8_lossy(&quoted(program.as_os_str().as_encoded_bytes())).into_owned();
    format!("{quoted} hook {} \"$@\" || exit 1", kind.as_str())
}

/// The hook. It names this very program, since what `PATH` leads to may be another one tomorrow; only
/// on a person's own machine, where programs move with each upgrade, `PATH` is the second choice.
fn script(kind: Kind, program: &Path, args: &[OsString]) -> Vec<u8> {
    let mut out = format!("#!/bin/sh\n{MARK}\nkeywheel=").into_bytes();
    out.extend(quoted(program.as_os_str().as_encoded_bytes()));
    out.push(b'\n');
    if kind != Kind::Receive {
        out.extend(b"[ -x \"$keywheel\" ] || keywheel=$(command -v keywheel) || keywheel=keywheel\n");
    }
    let name = kind.as_str();
    out.extend(
        format!(
            "if ! [ -x \"$keywheel\" ]; then\n  echo \"keywheel: $keywheel is gone; install it again, then: \
             keywheel hook install {name}\" >&2\n  exit 1\nfi\nexec \"$keywheel\" hook {name}"
        )
        .into_bytes(),
    );
    for arg in args {
        out.push(b' ');
        out.extend(quoted(arg.as_encoded_bytes()));
    }
    // Git gives pre-push the name and address of the remote; the other two get nothing.
    out.extend(if kind == Kind::Push { &b" \"$@\"\n"[..] } else { b"\n" });
    out
}

/// A word that the shell takes as it is.
fn quoted(word: &[u8]) -> Vec<u8> {
    let mut out = b"'".to_vec();
    for &b in word {
        match b {
            b'\'' => out.extend(b"'\\''"),
            b => out.push(b),
        }
    }
    out.push(b'\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_takes_odd_paths_as_they_are() {
        let odd = "/a b/$(id)'\"\\`x`/keywheel";
        let text = script(Kind::Receive, Path::new(odd), &["--config".into(), "/etc/it's".into()]);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("keywheel='/a b/$(id)'\\''\"\\`x`/keywheel'\n"), "{text}");
        assert!(text.ends_with("exec \"$keywheel\" hook pre-receive '--config' '/etc/it'\\''s'\n"), "{text}");
        assert!(!text.contains("command -v"));
        assert!(text.lines().any(|l| l == MARK));
    }
}
