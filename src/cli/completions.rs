//! `keywheel completions`

use super::args::Cli;
use super::{code, output};
use anyhow::Result;
use clap::{Args, CommandFactory};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "keywheel", &mut text);
    output::print(&text)?;
    Ok(code::CLEAN)
}
