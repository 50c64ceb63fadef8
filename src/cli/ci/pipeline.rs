//! GitLab: from a pipeline's variables to what is scanned.
//!
//! Source: GitLab's page "Predefined CI/CD variables reference".

use super::plan::{Base, Choice, Plan, Wanted, object};
use keywheel::model::ObjectId;

/// Chooses. `var` gives a variable of the environment.
pub(super) fn choose(var: &dyn Fn(&str) -> Option<String>, wanted: Wanted) -> Choice {
    let var = |name: &str| var(name).filter(|value| !value.is_empty());
    let default_branch = var("CI_DEFAULT_BRANCH");
    let on_default = default_branch.is_some() && var("CI_COMMIT_BRANCH") == default_branch;
    let plan = wanted.plan().unwrap_or_else(|| plan(&var).unwrap_or_else(|refusal| refusal));
    let foreign = is_foreign(&var);
    Choice { plan, default_branch, on_default, foreign }
}

/// Whether a stranger may have written what the pipeline brings: a merge request from another project, or a pull
/// request from another repository. What the variables do not say is taken for it.
fn is_foreign(var: &dyn Fn(&str) -> Option<String>) -> bool {
    let differ = |a: &str, b: &str| var(a).is_none() || var(a) != var(b);
    if var("CI_MERGE_REQUEST_IID").is_some() || var("CI_MERGE_REQUEST_DIFF_BASE_SHA").is_some() {
        return differ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "CI_MERGE_REQUEST_PROJECT_ID");
    }
    if var("CI_EXTERNAL_PULL_REQUEST_IID").is_some()
        || var("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA").is_some()
    {
        return differ(
            "CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY",
            "CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY",
        );
    }
    matches!(
        var("CI_PIPELINE_SOURCE").as_deref(),
        None | Some("merge_request_event" | "external_pull_request_event")
    )
}

fn plan(var: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Plan> {
    let id = |name: &str| object(&var(name).unwrap_or_default(), name);
    let source = var("CI_PIPELINE_SOURCE").unwrap_or_default();
    // A child pipeline has a source of its own, and the variables of the request that began it.
    if var("CI_MERGE_REQUEST_DIFF_BASE_SHA").is_some() {
        return request(var, "CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA");
    }
    if var("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA").is_some() {
        return request(
            var,
            "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA",
            "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA",
        );
    }
    match source.as_str() {
        "push" | "webide" => {
            let head = needed(id("CI_COMMIT_SHA")?, "CI_COMMIT_SHA")?;
            let base = match object(&var("CI_COMMIT_BEFORE_SHA").unwrap_or_default(), "CI_COMMIT_BEFORE_SHA")?
            {
                // GitLab does not say whether a push was forced.
                Some(tip) => Base::Before { tip, forced: false },
                None => Base::New,
            };
            Ok(Plan::Range { base, head })
        }
        "schedule" => Ok(Plan::History),
        "web"
        | "api"
        | "trigger"
        | "pipeline"
        | "parent_pipeline"
        | "chat"
        | "security_orchestration_policy" => Ok(Plan::Tree),
        "merge_request_event" | "external_pull_request_event" => Err(Plan::Refused {
            why: "the pipeline of a merge request does not name the base of its changes".to_owned(),
            cure: "choose what to scan: --scan tree, --scan history",
        }),
        "" => Err(Plan::Refused {
            why: "CI_PIPELINE_SOURCE is not set, so this is no pipeline of GitLab".to_owned(),
            cure: "run it in a job of GitLab, or use `keywheel scan`",
        }),
        _ => Err(Plan::Refused {
            why: format!("a pipeline of source `{source}` does not say what changed"),
            cure: "choose what to scan: --scan tree, --scan history",
        }),
    }
}

/// The range of a merge request. In the pipeline of a merged result CI_COMMIT_SHA is the trial merge
/// and `source` is set; else CI_COMMIT_SHA is the tip of the source branch.
fn request(var: &dyn Fn(&str) -> Option<String>, base: &str, source: &str) -> Result<Plan, Plan> {
    let id = |name: &str| object(&var(name).unwrap_or_default(), name);
    let onto = needed(id(base)?, base)?;
    let commit = needed(id("CI_COMMIT_SHA")?, "CI_COMMIT_SHA")?;
    let (head, merge) = match var(source) {
        Some(_) => {
            let head = needed(id(source)?, source)?;
            (head, (commit != head).then_some(commit))
        }
        None => (commit, None),
    };
    Ok(Plan::Range { base: Base::Fork { onto, merge }, head })
}

fn needed(id: Option<ObjectId>, what: &str) -> Result<ObjectId, Plan> {
    id.ok_or_else(|| Plan::Refused {
        why: format!("{what} is the name of no object"),
        cure: "run the pipeline again; or choose what to scan: --scan tree, --scan history",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn name(digit: char) -> ObjectId {
        ObjectId::parse(hex(digit).as_bytes()).expect("because it is hexadecimal")
    }

    fn chosen(vars: &[(&str, &str)]) -> Choice {
        let var = |n: &str| vars.iter().find(|(k, _)| *k == n).map(|(_, v)| (*v).to_owned());
        choose(&var, Wanted::Auto)
    }

    fn fork(merge: Option<char>, head: char) -> Plan {
        Plan::Range { base: Base::Fork { onto: name('a'), merge: merge.map(name) }, head: name(head) }
    }

    #[test]
    fn merge_requests() {
        let (a, b, c) = (hex('a'), hex('b'), hex('c'));
        let own = [
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", a.as_str()),
            ("CI_COMMIT_SHA", b.as_str()),
        ];
        assert_eq!(chosen(&own).plan, fork(None, 'b'));
        let merged = [own[0], own[1], ("CI_COMMIT_SHA", &c), ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", &b)];
        assert_eq!(chosen(&merged).plan, fork(Some('c'), 'b'));
        let child = [("CI_PIPELINE_SOURCE", "parent_pipeline"), own[1], own[2]];
        assert_eq!(chosen(&child).plan, fork(None, 'b'));
        let external = [
            ("CI_PIPELINE_SOURCE", "external_pull_request_event"),
            ("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA", a.as_str()),
            ("CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA", b.as_str()),
            own[2],
        ];
        assert_eq!(chosen(&external).plan, fork(None, 'b'));
        assert!(matches!(chosen(&own[..1]).plan, Plan::Refused { .. }));
        assert!(matches!(chosen(&own[..2]).plan, Plan::Refused { .. }));
    }

    #[test]
    fn pushes_and_the_rest() {
        let (a, b, none) = (hex('a'), hex('b'), hex('0'));
        let push = |before| {
            [("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_BEFORE_SHA", before), ("CI_COMMIT_SHA", b.as_str())]
        };
        let head = name('b');
        let before = Base::Before { tip: name('a'), forced: false };
        assert_eq!(chosen(&push(&a)).plan, Plan::Range { base: before, head });
        assert_eq!(chosen(&push(&none)).plan, Plan::Range { base: Base::New, head });
        assert_eq!(chosen(&[("CI_PIPELINE_SOURCE", "schedule")]).plan, Plan::History);
        assert_eq!(chosen(&[("CI_PIPELINE_SOURCE", "web")]).plan, Plan::Tree);
        for source in ["", "ondemand_dast_scan", "push"] {
            let plan = chosen(&[("CI_PIPELINE_SOURCE", source)]).plan;
            assert!(matches!(plan, Plan::Refused { .. }), "{source}: {plan:?}");
        }
        let asked = choose(&|_| None, Wanted::History).plan;
        assert_eq!(asked, Plan::History);
    }

    #[test]
    fn strangers() {
        let foreign = |vars: &[(&str, &str)]| chosen(vars).foreign;
        let request = [("CI_PIPELINE_SOURCE", "merge_request_event"), ("CI_MERGE_REQUEST_IID", "1")];
        let of = |source, target| {
            [
                request[0],
                request[1],
                ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", source),
                ("CI_MERGE_REQUEST_PROJECT_ID", target),
            ]
        };
        assert!(!foreign(&of("7", "7")));
        assert!(foreign(&of("8", "7")) && foreign(&request) && foreign(&of("", "")) && foreign(&[]));
        let pull = |source| {
            [
                ("CI_PIPELINE_SOURCE", "external_pull_request_event"),
                ("CI_EXTERNAL_PULL_REQUEST_IID", "1"),
                ("CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY", source),
                ("CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY", "acme/app"),
            ]
        };
        assert!(!foreign(&pull("acme/app")) && foreign(&pull("stranger/app")));
        assert!(
            !foreign(&[("CI_PIPELINE_SOURCE", "push")]) && !foreign(&[("CI_PIPELINE_SOURCE", "schedule")])
        );
        // The pipeline of a child has a source of its own, and the variables of the request that began it.
        let child = [("CI_PIPELINE_SOURCE", "parent_pipeline"), ("CI_MERGE_REQUEST_IID", "1")];
        assert!(foreign(&child));
    }

    #[test]
    fn the_default_branch() {
        let on = |branch| {
            let choice = chosen(&[("CI_DEFAULT_BRANCH", "main"), ("CI_COMMIT_BRANCH", branch)]);
            (choice.default_branch, choice.on_default)
        };
        assert_eq!(on("main"), (Some("main".to_owned()), true));
        assert_eq!(on("other"), (Some("main".to_owned()), false));
        assert!(!chosen(&[]).on_default);
    }
}
