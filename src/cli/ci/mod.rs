//! `keywheel ci`: what a build server's event brings is scanned and reported in the server's own ways.

mod args;
mod event;
mod feed;
mod github;
mod gitlab;
mod known;
mod pass;
mod pipeline;
mod plan;
mod resolve;
mod runner;
mod snapshot;
mod trusted;

use super::{Usage, code, output, usage};
use anyhow::{Error, Result};
use args::Server;
use keywheel::source::git::GitError;
use std::path::Path;

pub(crate) use args::CiArgs;

pub(crate) fn run(args: &CiArgs) -> Result<u8> {
    let result = match &args.server {
        Server::Github(args) => github::run(args),
        Server::Gitlab(args) => gitlab::run(args),
    };
    match result {
        Err(error) if code_of(&error) == code::INCOMPLETE => {
            output::tell(&format!("{error:#}"));
            Ok(code::INCOMPLETE)
        }
        other => other,
    }
}

/// Appends to a job's summary, or appends `short` where it would grow too large.
pub(crate) fn add_to_summary(path: &Path, text: &str, short: &str) -> Result<()> {
    runner::summarise(path, text.as_bytes(), short)
}

/// A repository that cannot be read is no fault of the command line, and no clean one.
fn unread(error: GitError) -> Error {
    if error.is_incomplete() { Error::new(error) } else { usage(error) }
}

/// The exit code of a run that ended with an error.
fn code_of(error: &Error) -> u8 {
    match () {
        () if error.is::<Usage>() => code::USAGE,
        () if error.is::<GitError>() => code::INCOMPLETE,
        () => code::INTERNAL,
    }
}
