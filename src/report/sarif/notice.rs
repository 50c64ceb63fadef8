//! What a run says about itself: whether it read everything, and what it left out.

use super::super::view::GENERAL_DOCS;
use super::super::words;
use super::{Artifact, Physical, Place, artifact};
use crate::model::{Coverage, Scope, SkipReason, Skipped};
use crate::report::{Report, Veil, escape};
use serde_json::{Value, json};

/// Items named for one reason; their number is always given.
const ITEMS: usize = 100;
const CUT: &str = "results-cut";
const CHECKS: &str = "verification";

/// A descriptor for each kind of notification of this run.
pub(super) fn descriptors(coverage: &Coverage) -> Vec<Value> {
    let of = |r: &SkipReason| {
        let what = match r.scope() {
            Scope::Failed => {
                format!("Something was not read whole, so keys in it are not seen: {}.", r.as_str())
            }
            Scope::Out => format!("Something was left out on purpose: {}.", r.as_str()),
        };
        descriptor(&id(*r), &format!("{r:?}Skipped"), &what, &format!("What to do: {}.", r.cure()))
    };
    let what = "There are more results than a run may hold.";
    let cut = descriptor(CUT, "ResultsCut", what, "Read the report in the format 'json' or 'jsonl'.");
    let what = "Something about the verdicts that a person should know.";
    let checks = descriptor(
        CHECKS,
        "VerificationNotice",
        what,
        "Read the message; the verdicts concerned are unknown.",
    );
    coverage.skipped.keys().map(of).chain([cut, checks]).collect()
}

fn descriptor(id: &str, name: &str, what: &str, help: &str) -> Value {
    json!({
        "id": id,
        "name": name,
        "shortDescription": {"text": what},
        "fullDescription": {"text": what},
        "help": {"text": help, "markdown": help},
        "helpUri": GENERAL_DOCS,
    })
}

/// The invocation. `written` of `total` results stand in the run.
pub(super) fn invocation(report: &Report<'_>, written: usize, total: usize) -> Value {
    let c = report.coverage;
    let mut list = Vec::new();
    if written < total {
        let text = format!(
            "Only {written} of {total} results are listed, the worst first, because GitHub refuses larger files. \
             The formats 'json' and 'jsonl' list all."
        );
        list.push(json!({"descriptor": {"id": CUT}, "level": "warning", "message": {"text": text}}));
    }
    for notice in report.checks.iter().flat_map(|checks| &checks.notices).take(ITEMS) {
        let text = escape::sarif(&report.veil.text(notice));
        list.push(json!({"descriptor": {"id": CHECKS}, "level": "warning", "message": {"text": text}}));
    }
    for (scope, level) in [(Scope::Failed, "warning"), (Scope::Out, "note")] {
        for (reason, n) in words::skipped(c, scope) {
            let what = if scope == Scope::Failed { "not read whole" } else { "left out on purpose" };
            let text = format!("{n} {what} ({}). What to do: {}.", reason.as_str(), reason.cure());
            list.push(json!({"descriptor": {"id": id(reason)}, "level": level, "message": {"text": text}}));
            // What was left out on purpose is a number; what failed is named.
            let named = if scope == Scope::Failed { ITEMS } else { 0 };
            list.extend(
                c.list.iter().filter(|s| s.reason == reason).take(named).map(|s| item(s, report.veil)),
            );
        }
    }
    json!({
        "executionSuccessful": c.is_complete() && matches!(report.exit_code, 0 | 1),
        "exitCode": report.exit_code,
        "toolExecutionNotifications": list,
    })
}

fn item(s: &Skipped, veil: &Veil) -> Value {
    let detail = words::detail(&s.detail, veil);
    let place = veil.place(&s.provenance);
    let text = format!("'{}' was not read whole{}.", escape::sarif(&place), escape::sarif(&detail));
    let artifact_location: Artifact = artifact(&s.provenance, &veil.bytes(s.provenance.path.as_bytes()));
    json!({
        "descriptor": {"id": id(s.reason)},
        "level": "warning",
        "message": {"text": text},
        "locations": [Place { physical_location: Physical { artifact_location, region: None } }],
    })
}

fn id(r: SkipReason) -> String {
    format!("skipped-{}", r.as_str())
}
