//! Turning keys over: for now, switching one off.

mod admin;
mod ask;
mod revoke;
mod words;

use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct RotateCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Switch one key off at its provider, and prove that it is dead
    #[command(
        after_help = "Reads one key from standard input, never from the command line, or finds it again by a report. \
Says what will happen, asks, makes the one call that the rule declares, and checks the key until it is dead.
Exit codes: 0 it is dead, 1 nothing was changed or it still works, 3 it is not known.

Examples:
  keywheel rotate revoke < key.txt                                the holder's own right
  keywheel rotate revoke --mine \"our CI token\" < key.txt          a provider's public service
  keywheel rotate revoke --admin env:ADMIN_KEY --ask key_id=key_1 --ask project_id=proj_1 < key.txt
  keywheel rotate revoke --report report.json --fingerprint kw1:… --yes"
    )]
    Revoke(Box<revoke::RevokeArgs>),
}

pub(crate) fn run(args: &RotateCommand) -> Result<u8> {
    match &args.what {
        What::Revoke(args) => revoke::run(args),
    }
}
