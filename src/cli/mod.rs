//! One file a subcommand. Only this room touches the terminal, the environment and the exit code.

mod alert;
mod args;
mod baseline;
mod ci;
mod completions;
mod environment;
mod eval;
mod gate;
mod guard;
mod hook;
mod inventory;
mod man;
mod migrate;
mod organisation;
mod output;
mod policy;
mod progress;
mod random;
mod reporting;
mod rotate;
mod rules;
mod scan;
mod session;
mod settings;
mod signal;
mod sweep;
mod terminal;
mod used;
mod verify;
mod what;

use anyhow::Result;
use args::{Cli, Command};
use clap::Parser;
use std::io;
use std::process::ExitCode;

/// Exit codes; see the command's help.
pub(crate) mod code {
    pub(crate) const CLEAN: u8 = 0;
    pub(crate) const FINDINGS: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const INCOMPLETE: u8 = 3;
    pub(crate) const INTERNAL: u8 = 4;
}

/// An error that is the user's to mend: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

pub(crate) fn usage(message: impl std::fmt::Display) -> anyhow::Error {
    anyhow::Error::new(Usage(message.to_string()))
}

/// Runs the command; a panic is an internal error, told by the guard.
pub(crate) fn main() -> ExitCode {
    guard::set();
    std::panic::catch_unwind(run).unwrap_or(ExitCode::from(code::INTERNAL))
}

fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Scan(args) => scan::run(&args, verify::Caller::Person),
        Command::Sweep(args) => sweep::run(&args),
        Command::Rules(args) => or_closed(rules::run(&args)),
        Command::Baseline(args) => baseline::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Hook(args) => hook::run(*args),
        Command::Policy(args) => policy::run(&args),
        Command::Inventory(args) => inventory::run(&args),
        Command::Usage(args) => used::run(&args),
        Command::Alert(args) => alert::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Rotate(args) => rotate::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Man(args) => man::run(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let mine = error.is::<Usage>();
            output::tell(&format!("{error:#}"));
            ExitCode::from(if mine { code::USAGE } else { code::INTERNAL })
        }
    }
}

/// Whoever closed the pipe has read enough.
fn or_closed(result: Result<u8>) -> Result<u8> {
    match result {
        Err(e) if e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => {
            Ok(code::CLEAN)
        }
        other => other,
    }
}
