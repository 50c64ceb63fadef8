//! GitHub: from an event to what is scanned. Pure, so that the whole table is tested.
//!
//! Sources: GitHub's pages "Events that trigger workflows" and "Webhook events and payloads".

use super::plan::{Base, Choice, Plan, Wanted, object};
use keywheel::model::ObjectId;
use serde_json::Value;

/// An event as the runner hands it over.
pub(super) struct Event<'a> {
    /// `GITHUB_EVENT_NAME`.
    pub(super) name: &'a str,
    /// The content of the file `GITHUB_EVENT_PATH`.
    pub(super) payload: &'a Value,
    /// `GITHUB_SHA`.
    pub(super) sha: &'a str,
    /// `GITHUB_REF`, such as `refs/heads/main`.
    pub(super) reference: &'a str,
}

/// What the operator allows and asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    /// What to scan instead.
    pub(super) wanted: Wanted,
    /// Whether the event that runs with the target's rights may scan a stranger's commits.
    pub(super) allow_target: bool,
}

/// Chooses.
pub(super) fn choose(event: &Event<'_>, wish: Wish) -> Choice {
    let default_branch = text(event.payload, &["repository", "default_branch"])
        .filter(|name| !name.is_empty())
        .or_else(|| text(event.payload, &["master_branch"]))
        .map(str::to_owned);
    let on_default = match event.name {
        // Runs on the default branch and nowhere else, and its payload need not name that branch.
        "schedule" => true,
        _ => default_branch
            .as_deref()
            .is_some_and(|name| event.reference.strip_prefix("refs/heads/") == Some(name)),
    };
    let plan = plan(event, wish).unwrap_or_else(|refusal| refusal);
    Choice { plan, default_branch, on_default, foreign: is_foreign(event) }
}

/// Whether a stranger may have written what the event brings. What the payload does not say is taken for it.
fn is_foreign(event: &Event<'_>) -> bool {
    match event.name {
        "push"
        | "merge_group"
        | "schedule"
        | "workflow_dispatch"
        | "repository_dispatch"
        | "release"
        | "create"
        | "delete" => false,
        "pull_request" | "pull_request_target" | "pull_request_review" | "pull_request_review_comment" => {
            let of = |side| text(event.payload, &["pull_request", side, "repo", "full_name"]);
            of("head").is_none() || of("head") != of("base")
        }
        _ => true,
    }
}

fn plan(event: &Event<'_>, wish: Wish) -> Result<Plan, Plan> {
    let payload = event.payload;
    if event.name == "pull_request_target" && !wish.allow_target {
        return Err(Plan::Refused {
            why:
                "pull_request_target runs with the rights and secrets of the target branch on a change that \
                  anyone can propose"
                    .to_owned(),
            cure: "run on pull_request, which needs no secrets; or, if the workflow never runs code of the \
                   change, pass --allow-pull-request-target",
        });
    }
    if let Some(plan) = wish.wanted.plan() {
        return Ok(plan);
    }
    match event.name {
        "pull_request" | "pull_request_review" | "pull_request_review_comment" => pull(payload, event.sha),
        // Here GITHUB_SHA is the tip of the target branch, not a trial merge.
        "pull_request_target" => pull(payload, ""),
        "push" => push(payload),
        "merge_group" => group(payload),
        "schedule" => Ok(Plan::History),
        "workflow_dispatch" | "repository_dispatch" => Ok(Plan::Tree),
        "release" => Ok(match text(payload, &["action"]) {
            Some("deleted" | "unpublished") => Plan::Nothing("the release was taken back"),
            _ => Plan::Tree,
        }),
        "create" => Ok(Plan::Range { base: Base::New, head: id(Some(event.sha), "GITHUB_SHA")? }),
        "delete" => Ok(Plan::Nothing("a branch or tag was deleted")),
        "workflow_run" | "issue_comment" => Err(Plan::Refused {
            why: format!("{} runs with the rights of the default branch on what others wrote", event.name),
            cure: "run on pull_request; or choose what to scan: --scan tree, --scan history",
        }),
        _ => Err(Plan::Refused {
            why: format!("the event `{}` does not say what changed", event.name),
            cure: "choose what to scan: --scan tree, --scan history",
        }),
    }
}

fn pull(payload: &Value, sha: &str) -> Result<Plan, Plan> {
    let onto = id(text(payload, &["pull_request", "base", "sha"]), "pull_request.base.sha")?;
    let head = id(text(payload, &["pull_request", "head", "sha"]), "pull_request.head.sha")?;
    let merge = ObjectId::parse(sha.as_bytes()).filter(|id| !id.is_null() && *id != head);
    Ok(Plan::Range { base: Base::Fork { onto, merge }, head })
}

fn push(payload: &Value) -> Result<Plan, Plan> {
    let tip = |key| object(text(payload, &[key]).unwrap_or_default(), key);
    // For an annotated tag `after` is the tag itself, whose message is scanned too.
    let Some(head) = tip("after")? else {
        return Ok(Plan::Nothing("a branch or tag was deleted"));
    };
    let base = match tip("before")? {
        Some(tip) => Base::Before { tip, forced: payload.get("forced") == Some(&Value::Bool(true)) },
        None => Base::New,
    };
    Ok(Plan::Range { base, head })
}

fn group(payload: &Value) -> Result<Plan, Plan> {
    if text(payload, &["action"]) == Some("destroyed") {
        return Ok(Plan::Nothing("the merge group was dissolved"));
    }
    let onto = id(text(payload, &["merge_group", "base_sha"]), "merge_group.base_sha")?;
    let head = id(text(payload, &["merge_group", "head_sha"]), "merge_group.head_sha")?;
    Ok(Plan::Range { base: Base::Fork { onto, merge: None }, head })
}

/// A name that has to be there.
fn id(text: Option<&str>, what: &str) -> Result<ObjectId, Plan> {
    object(text.unwrap_or_default(), what)?.ok_or_else(|| Plan::Refused {
        why: format!("{what} is the name of no object"),
        cure: "run the job again on the newest commit; or choose what to scan: --scan tree, --scan history",
    })
}

fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    path.iter().try_fold(value, |v, key| v.get(key))?.as_str()
}

#[cfg(test)]
mod tests;
