//! `keywheel hook`: the scans that git starts, and their installation.

mod audit;
mod install;
mod push;
mod receive;
mod remote;

use super::scan::{self, ScanArgs};
use super::verify::Caller;
use super::{code, output, usage};
use anyhow::Result;
use clap::{Args, Subcommand};
use install::InstallArgs;
use push::PushArgs;
use receive::ReceiveArgs;
use std::io::{self, Read};

/// Most bytes that git may write to a hook: about half a million refs.
const STDIN: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(crate) struct HookArgs {
    #[command(subcommand)]
    command: HookCommand,
}

#[derive(Debug, Subcommand)]
enum HookCommand {
    /// Scan what is about to be committed
    PreCommit(Box<ScanArgs>),
    /// Scan what is about to be pushed; git names the refs on standard input
    PrePush(Box<PushArgs>),
    /// On a server: scan what is being pushed, and reject it if it holds a secret
    #[command(after_help = receive::HELP)]
    PreReceive(Box<ReceiveArgs>),
    /// Write a hook into a repository
    #[command(after_help = "Examples:
  keywheel hook install pre-commit
  keywheel hook install pre-receive /srv/git/app.git -- --config /etc/keywheel.toml")]
    Install(InstallArgs),
}

pub(crate) fn run(args: HookArgs) -> Result<u8> {
    match args.command {
        HookCommand::PreCommit(args) => pre_commit(*args),
        HookCommand::PrePush(args) => push::run(&args),
        HookCommand::PreReceive(args) => receive::run(*args),
        HookCommand::Install(args) => install::run(&args),
    }
}

fn pre_commit(mut args: ScanArgs) -> Result<u8> {
    args.what.staged = true;
    let code = scan::run(&args, Caller::Hook)?;
    match code {
        code::FINDINGS => output::tell(
            "not committed: take the secret out and `git add` the file again, or accept it (a comment \
             `keywheel:allow reason=…` on its line, or a baseline)",
        ),
        code::INCOMPLETE => {
            output::tell("not committed: what could not be read may hold a secret; see above");
        }
        _ => {}
    }
    Ok(code)
}

/// All that git writes.
fn stdin() -> Result<Vec<u8>> {
    let mut text = Vec::new();
    io::stdin().lock().take(STDIN + 1).read_to_end(&mut text)?;
    if text.len() as u64 > STDIN {
        return Err(usage("standard input is longer than any list of refs"));
    }
    Ok(text)
}
