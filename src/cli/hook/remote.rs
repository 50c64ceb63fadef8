//! What whoever pushes reads behind `remote:`: plain text of places and fingerprints, nothing else of
//! what was found.

use crate::cli::terminal::plain;
use crate::cli::{code, gate};
use keywheel::config::FailOn;
use keywheel::model::{Coverage, Finding, Held, Occurrence, RawPath, Scope};
use keywheel::report::Veil;
use std::fmt::Write;

/// Findings told one by one, and places of each.
const FINDINGS: usize = 20;
const PLACES: usize = 5;
/// Things that were not read, told one by one.
const UNREAD: usize = 10;

/// Text of the repository in one line, without any secret.
fn clean(text: &str, veil: &Veil) -> String {
    plain(&veil.text(text))
}

/// `src/a.py:3 in commit 0123456789ab`. A name may hold the finding's own secret, or another's.
pub(super) fn place(finding: &Finding, o: &Occurrence, veil: &Veil) -> String {
    let own = finding.secret.expose();
    let name = |name: &RawPath| {
        let (mut out, mut done) = (Vec::new(), 0);
        for at in memchr::memmem::find_iter(name.as_bytes(), own) {
            out.extend_from_slice(&name.as_bytes()[done..at]);
            out.extend_from_slice(b"[secret]");
            done = at + own.len();
        }
        out.extend_from_slice(&name.as_bytes()[done..]);
        RawPath::new(&out)
    };
    let mut hidden = (*o.provenance).clone();
    hidden.path = name(&hidden.path);
    hidden.members = hidden.members.iter().map(name).collect();
    let (path, line) = (plain(&veil.place(&hidden)), o.location.line);
    let Some(origin) = &o.provenance.origin else { return format!("{path}:{line}") };
    let object = origin.object.short();
    let mut out = match origin.held {
        Held::Commit => return format!("the message of commit {object}, line {line}"),
        Held::Tag => return format!("the message of tag {object}, line {line}"),
        Held::Ref => return format!("the name of the ref {path}"),
        Held::Name => format!("the name of {path}"),
        Held::Blob if hidden.path.as_bytes().is_empty() => format!("blob {object}{path}:{line}"),
        Held::Blob => format!("{path}:{line}"),
    };
    if let Some(commit) = &origin.commit {
        out.push_str(&format!(" in commit {}", commit.id.short()));
    }
    out
}

/// The findings that count for the gate.
pub(super) fn counting(findings: &[Finding], fail_on: FailOn) -> Vec<&Finding> {
    let counts = |f: &&Finding| {
        gate::exit_code(std::slice::from_ref(*f), &Coverage::default(), fail_on) == code::FINDINGS
    };
    findings.iter().filter(counts).collect()
}

/// What was found, and what could not be read.
pub(super) fn told(findings: &[&Finding], coverage: &Coverage, veil: &Veil) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("because writing to a String cannot fail");
    for finding in findings.iter().take(FINDINGS) {
        line(format!("  {} ({})", plain(&finding.rule.name), plain(&finding.rule.id)));
        for o in finding.occurrences.iter().take(PLACES) {
            line(format!("    at {}", place(finding, o, veil)));
        }
        if finding.occurrences.len() > PLACES {
            line(format!("    and at {} more places", finding.occurrences.len() - PLACES));
        }
        line(format!("    id {}", finding.fingerprint));
    }
    if findings.len() > FINDINGS {
        line(format!("  and {} more", findings.len() - FINDINGS));
    }
    if !coverage.is_complete() {
        line(format!("  {} things could not be read:", coverage.failed()));
        let failed = coverage.list.iter().filter(|s| s.reason.scope() == Scope::Failed);
        for s in failed.take(UNREAD) {
            let detail = if s.detail.is_empty() { String::new() } else { format!(" ({})", s.detail) };
            let what = plain(&veil.place(&s.provenance));
            let what = if what.is_empty() { "an object" } else { &what };
            line(format!("    {what}: {}{}", s.reason.as_str(), clean(&detail, veil)));
        }
    }
    out
}

/// What to do.
pub(super) fn cure(findings: &[&Finding], coverage: &Coverage, bypass: bool) -> String {
    let mut out = String::from("what to do:\n");
    if !findings.is_empty() {
        out.push_str(
            "  take the secret out of every commit that holds it: git commit --amend for the last one,\n  \
             git rebase -i for older ones; then push again. Whoever may have seen it can use it: if it\n  \
             left your machine before, replace it.\n  \
             if it is no secret, give its id to those who run this server: they can put it in the baseline.\n",
        );
    } else if !coverage.is_complete() {
        out.push_str(
            "  what cannot be read may hold a secret. Push less at once, or mend what is named above;\n  \
             those who run this server can exclude it or raise the budget.\n",
        );
    }
    if bypass {
        out.push_str("  or push with -o keywheel.bypass='reason', which is put on record.\n");
    }
    out
}
