//! One file a subcommand. Only this room touches the terminal, the environment and the exit code.

mod args;
mod gate;
mod output;
mod rules;
mod scan;

use args::{Cli, Command};
use clap::Parser;
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

pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Scan(args) => scan::run(&args),
        Command::Rules(args) => rules::run(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let mine = error.is::<Usage>();
            eprintln!("keywheel: {error:#}");
            ExitCode::from(if mine { code::USAGE } else { code::INTERNAL })
        }
    }
}
