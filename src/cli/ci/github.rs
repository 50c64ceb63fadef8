//! `keywheel ci github`

use super::args::GithubArgs;
use super::event::{Event, Wish, choose};
use super::pass::{self, Done};
use super::plan::{Choice, Plan};
use super::{code_of, runner};
use crate::cli::rotate::{Shape, proposals};
use crate::cli::{code, output, usage};
use anyhow::Result;
use keywheel::report::{self, Report, workflow_command};
use std::env;
use std::path::{Path, PathBuf};

/// How to fetch what is missing.
const CURE: &str = "check out with `fetch-depth: 0`, or fetch it before: git fetch --unshallow origin";

pub(super) fn run(args: &GithubArgs) -> Result<u8> {
    if args.print_needs {
        output::print(chosen(args)?.needs().map_err(usage)?.as_bytes())?;
        return Ok(code::CLEAN);
    }
    match scanned(args) {
        Ok(code) => Ok(code),
        Err(error) => {
            output::print(
                format!("{}\n", workflow_command("error", "Keywheel", &format!("{error:#}"))).as_bytes(),
            )?;
            outputs(&[("exit-code", code_of(&error).to_string()), ("complete", "false".to_owned())])?;
            Err(error)
        }
    }
}

fn scanned(args: &GithubArgs) -> Result<u8> {
    let sarif = match (&args.sarif, env::var_os("RUNNER_TEMP")) {
        (Some(path), _) => path.clone(),
        // Not in the work tree, where the change could have put a link.
        (None, Some(folder)) if !folder.is_empty() => Path::new(&folder).join("keywheel.sarif"),
        _ => PathBuf::from("keywheel.sarif"),
    };
    let sarif = (report::by_name("sarif").expect("because it is a format"), Some(sarif));
    output::check(std::slice::from_ref(&sarif))?;
    let choice = chosen(args)?;
    if let Plan::Nothing(why) = choice.plan {
        output::print(format!("keywheel: nothing to scan: {why}\n").as_bytes())?;
        let zero = || "0".to_owned();
        outputs(&[
            ("findings", zero()),
            ("new-findings", zero()),
            ("active-findings", zero()),
            ("sarif-file", String::new()),
            ("exit-code", zero()),
            ("complete", "true".to_owned()),
            ("scanned-commits", zero()),
            ("scanned-bytes", zero()),
        ])?;
        return Ok(code::CLEAN);
    }
    let done = pass::scan(&args.common, &choice, CURE)?;
    let report = done.report(&args.common.category);
    output::write(&sarif, &report)?;
    annotate(&report)?;
    log(&done, &report)?;
    let policy = args.policy.as_deref().filter(|p| !choice.foreign && !p.as_os_str().is_empty());
    summarise(&done, &report, policy)?;
    outputs(&[
        ("findings", report.findings.len().to_string()),
        ("new-findings", done.new_findings().to_string()),
        ("active-findings", done.active_findings().to_string()),
        ("sarif-file", sarif.1.map(|p| p.display().to_string()).unwrap_or_default()),
        ("exit-code", done.exit_code.to_string()),
        ("complete", report.coverage.is_complete().to_string()),
        ("scanned-commits", done.commits.to_string()),
        ("scanned-bytes", report.coverage.bytes.to_string()),
    ])?;
    Ok(done.code(args.common.exit_zero))
}

fn chosen(args: &GithubArgs) -> Result<Choice> {
    let var = |name: &str| {
        env::var(name).ok().filter(|v| !v.is_empty()).ok_or_else(|| {
            usage(format!("{name} is not set; run it in a step of GitHub Actions, or use `keywheel scan`"))
        })
    };
    let name = var("GITHUB_EVENT_NAME")?;
    let payload =
        runner::payload(Path::new(&var("GITHUB_EVENT_PATH")?)).map_err(|e| usage(format!("{e:#}")))?;
    let (sha, reference) = (var("GITHUB_SHA")?, env::var("GITHUB_REF").unwrap_or_default());
    let event = Event { name: &name, payload: &payload, sha: &sha, reference: &reference };
    let wish = Wish { wanted: args.common.scan, allow_target: args.allow_pull_request_target };
    Ok(choose(&event, wish))
}

fn rendered(format: &str, report: &Report<'_>) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    report::by_name(format).expect("because it is a format").write(report, &mut text)?;
    Ok(text)
}

/// The ten worst findings, as commands to the runner.
fn annotate(report: &Report<'_>) -> Result<()> {
    output::print(&rendered("github", report)?)
}

/// The whole report, in which the runner obeys nothing.
fn log(done: &Done, report: &Report<'_>) -> Result<()> {
    let mut text = Vec::new();
    for (word, lines) in [("note", &done.notes), ("proposed", &done.proposed)] {
        for line in lines {
            text.extend(format!("keywheel: {word}: {line}\n").bytes());
        }
    }
    text.extend(rendered("text", report)?);
    runner::echo(&text)
}

fn summarise(done: &Done, report: &Report<'_>, policy: Option<&Path>) -> Result<()> {
    let Some(path) = file("GITHUB_STEP_SUMMARY") else { return Ok(()) };
    let mut text = rendered("markdown", report)?;
    if !done.proposed.is_empty() {
        text.extend(
            b"\nThe change proposes to accept or to set the following. It holds once the base branch says so:\n\n",
        );
        for line in &done.proposed {
            text.extend(format!("- `{line}`\n").bytes());
        }
    }
    match policy.map(|policy| proposals(policy, report.findings, Shape::Markdown)).transpose() {
        Ok(plans) => text.extend(plans.unwrap_or_default().bytes()),
        // What was found counts for more than what could be done about it.
        Err(error) => output::tell(&format!("no plans of rotation: {error:#}")),
    }
    let n = report.findings.len();
    let short = format!(
        "## Keywheel: {n} findings\n\nThe summary would be too long; the log and the SARIF file list all.\n"
    );
    runner::summarise(&path, &text, &short)
}

fn outputs(pairs: &[(&str, String)]) -> Result<()> {
    match file("GITHUB_OUTPUT") {
        Some(path) => runner::append(&path, runner::outputs(pairs)?.as_bytes()),
        None => Ok(()),
    }
}

/// A file that the runner names.
fn file(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from)
}
