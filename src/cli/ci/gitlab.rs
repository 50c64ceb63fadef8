//! `keywheel ci gitlab`

use super::args::GitlabArgs;
use super::pass;
use super::pipeline::choose;
use super::plan::Plan;
use crate::cli::{code, output, terminal};
use anyhow::Result;
use keywheel::report::{self, Report};
use std::env;

/// How to fetch what is missing.
const CURE: &str = "set GIT_DEPTH: 0 for the job";

pub(super) fn run(args: &GitlabArgs) -> Result<u8> {
    let target = (report::by_name("gitlab").expect("because it is a format"), Some(args.report.clone()));
    output::check(std::slice::from_ref(&target))?;
    let choice = choose(&|name| env::var(name).ok(), args.common.scan);
    if let Plan::Nothing(why) = choice.plan {
        output::tell(&format!("nothing to scan: {why}"));
        return Ok(code::CLEAN);
    }
    let done = pass::scan(&args.common, &choice, CURE)?;
    let report = done.report(&args.common.category);
    output::write(&target, &report)?;
    for (word, lines) in [("note", &done.notes), ("proposed", &done.proposed)] {
        lines.iter().for_each(|line| output::tell(&format!("{word}: {line}")));
    }
    let text = (report::by_name("text").expect("because it is a format"), None);
    output::write(&text, &Report { color: terminal::color(), ..report })?;
    Ok(done.code(args.common.exit_zero))
}
