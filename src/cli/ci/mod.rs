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

use anyhow::Result;
use args::Server;

pub(crate) use args::CiArgs;

pub(crate) fn run(args: &CiArgs) -> Result<u8> {
    match &args.server {
        Server::Github(args) => github::run(args),
        Server::Gitlab(args) => gitlab::run(args),
    }
}
