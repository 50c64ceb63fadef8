//! `keywheel man`

use super::args::Cli;
use super::{code, output, usage};
use anyhow::Result;
use clap::{Args, CommandFactory};

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The page of a subcommand, such as `baseline create` [default: the page of keywheel itself]
    command: Vec<String>,
}

pub(crate) fn run(args: &ManArgs) -> Result<u8> {
    let mut page = Cli::command();
    page.build();
    for name in &args.command {
        let inner = page.find_subcommand(name).cloned();
        page = inner.ok_or_else(|| usage(format!("there is no command `{}`", args.command.join(" "))))?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    output::print(&text)?;
    Ok(code::CLEAN)
}
