//! `keywheel hook pre-push`: what the remote does not have yet.

use crate::cli::scan::{self, ScanArgs};
use crate::cli::verify::Caller;
use crate::cli::what::counted;
use crate::cli::{code, output, usage};
use anyhow::Result;
use clap::Args;
use keywheel::model::ObjectId;
use keywheel::source::SourceError;
use keywheel::source::git::Repository;
use keywheel::source::git::range::{self, Range};
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The remote's name, as git gives it
    #[arg(default_value = "", value_name = "REMOTE")]
    remote: String,
    /// The remote's address, as git gives it
    #[arg(default_value = "", value_name = "URL", hide = true)]
    url: String,
    #[command(flatten)]
    scan: Pathless,
}

/// The options of a scan, without its paths: git names the repository.
#[derive(Debug)]
struct Pathless(ScanArgs);

impl Args for Pathless {
    fn augment_args(command: clap::Command) -> clap::Command {
        ScanArgs::augment_args(command).mut_arg("paths", |arg| arg.long("repository").hide(true))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Pathless {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        ScanArgs::from_arg_matches(matches).map(Pathless)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

pub(crate) fn run(args: &PushArgs) -> Result<u8> {
    let updates = parse(&super::stdin()?)?;
    if updates.is_empty() {
        return Ok(code::CLEAN);
    }
    let path = Path::new(".");
    let around = args.scan.0.what.around(path);
    let code = scan::run_with(&args.scan.0, Caller::Hook, |files, sink| {
        let read = || -> Result<(), SourceError> {
            let repository = Repository::open(path, &around)?;
            let range = range(&repository, &updates, &args.remote, &args.url);
            range::push(&repository, &range, files, sink).map(drop)
        };
        counted(read(), path, sink)
    })?;
    match code {
        code::FINDINGS => output::tell(
            "not pushed: take the secret out of every commit that holds it (git commit --amend for the last \
             one, git rebase -i for older ones), and push again",
        ),
        code::INCOMPLETE => output::tell("not pushed: what could not be read may hold a secret; see above"),
        _ => {}
    }
    Ok(code)
}

/// A ref that is pushed: the object here, and what the remote's ref points at now.
#[derive(Debug, PartialEq, Eq)]
struct Update {
    local: ObjectId,
    remote: ObjectId,
}

/// Reads `<local ref> <local id> <remote ref> <remote id>` lines; deletions bring nothing.
fn parse(text: &[u8]) -> Result<Vec<Update>> {
    let mut updates = Vec::new();
    for (n, line) in text.split(|&b| b == b'\n').enumerate() {
        if line.is_empty() && n == text.iter().filter(|&&b| b == b'\n').count() {
            continue;
        }
        // The name of the local ref may be any revision, spaces included.
        let mut words = line.rsplitn(4, |&b| b == b' ');
        let (remote, name, local) = (words.next(), words.next(), words.next());
        match (local.and_then(ObjectId::parse), name, remote.and_then(ObjectId::parse), words.next()) {
            (Some(local), Some(_), Some(remote), Some(_)) => updates.push(Update { local, remote }),
            _ => {
                let line = n + 1;
                return Err(usage(format!(
                    "line {line} of standard input is no ref to push; git writes `<local ref> <local id> \
                     <remote ref> <remote id>` to a pre-push hook"
                )));
            }
        }
    }
    updates.retain(|u| !u.local.is_null());
    Ok(updates)
}

/// What the pushed refs lead to, and nothing leads to that the remote is known to have.
fn range(repository: &Repository, updates: &[Update], remote: &str, url: &str) -> Range {
    let mut tips: Vec<ObjectId> = updates.iter().map(|u| u.local).collect();
    let there = |id: &ObjectId| !id.is_null() && repository.objects.contains(id);
    let mut hidden: Vec<ObjectId> = updates.iter().map(|u| u.remote).filter(there).collect();
    // A remote without a name has no refs of its own here. One that cannot be read hides nothing.
    if !remote.is_empty() && remote != url {
        let prefix = format!("refs/remotes/{remote}/");
        let (list, _) = repository.references();
        let of_remote = list.iter().filter(|r| r.name.as_bytes().starts_with(prefix.as_bytes()));
        hidden.extend(of_remote.filter_map(|r| r.target));
    }
    for list in [&mut tips, &mut hidden] {
        list.sort();
        list.dedup();
    }
    Range { tips, hidden }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_git_are_read() {
        let (a, z) = ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", "0".repeat(40));
        let text = format!("refs/heads/x {a} refs/heads/x {z}\n(delete) {z} refs/heads/y {a}\n");
        let a = ObjectId::EMPTY_TREE;
        assert_eq!(parse(text.as_bytes()).unwrap(), [Update { local: a, remote: ObjectId::NULL }]);
        assert_eq!(parse(b"").unwrap(), []);
        let odd = format!("HEAD@{{one day ago}} {a} refs/heads/x {a}\n");
        assert_eq!(parse(odd.as_bytes()).unwrap(), [Update { local: a, remote: a }]);
        for bad in ["\n", "x\n", &format!("{a} refs/heads/x {a}\n"), &format!("x {a} y {a}0\n"), "x\n\n"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
