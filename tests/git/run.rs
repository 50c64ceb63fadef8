//! The command beside the repositories of a lab, and made-up keys to plant in them.

use crate::Lab;
use std::path::Path;
use std::process::{Command, Output};

/// The n-th made-up key with a valid checksum, put together at run time.
pub(crate) fn key(n: usize) -> String {
    let (name, text) =
        keywheel::rule::embedded_texts().iter().find(|(name, _)| *name == "github.toml").unwrap();
    let examples = keywheel::scan::check::examples(Path::new(name), text).unwrap();
    let of_rule = examples.iter().filter(|(rule, _)| rule == "github-pat-classic");
    String::from_utf8(of_rule.map(|(_, e)| e.value.clone()).nth(n).unwrap()).unwrap()
}

/// A line that holds it.
pub(crate) fn line(n: usize) -> String {
    format!("token = {}\n", key(n))
}

/// What a process said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = [output.stdout, b"\n".to_vec(), output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        // Git itself names the refs that were rejected.
        let ours: String = text.lines().filter(|l| !l.starts_with(" ! [")).collect();
        assert!((0..3).all(|n| !ours.contains(&key(n))), "a whole key was shown: {text}");
        Said { code: output.status.code().unwrap_or(-1), text }
    }

    #[track_caller]
    pub(crate) fn gives(self, code: i32, text: &str) -> Self {
        assert!(self.code == code && self.text.contains(text), "expected {code} and {text:?}, got {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn lacks(self, text: &str) -> Self {
        assert!(!self.text.contains(text), "unexpected {text:?} in {self:#?}");
        self
    }
}

impl Lab {
    /// `keywheel`, or the binary that `KEYWHEEL` names, in a repository.
    pub(crate) fn keywheel_command(&self, repository: &str, args: &[&str]) -> Command {
        let built = || env!("CARGO_BIN_EXE_keywheel").into();
        let mut command = Command::new(std::env::var_os("KEYWHEEL").unwrap_or_else(built));
        command.args(args).current_dir(self.path(repository)).env_clear();
        command.stdin(std::process::Stdio::null());
        command
    }

    /// Runs `keywheel` in a repository.
    pub(crate) fn keywheel(&self, repository: &str, args: &[&str]) -> Said {
        Said::of(self.keywheel_command(repository, args).output().unwrap())
    }

    /// Runs `git`, which may fail.
    pub(crate) fn try_git(&self, repository: &str, args: &[&str]) -> Said {
        Said::of(self.command(repository, args).output().unwrap())
    }
}
