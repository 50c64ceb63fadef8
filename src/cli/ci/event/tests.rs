use super::*;
use serde_json::json;

const MAIN: &str = "refs/heads/main";

fn hex(digit: char) -> String {
    digit.to_string().repeat(40)
}

fn name(digit: char) -> ObjectId {
    ObjectId::parse(hex(digit).as_bytes()).expect("because it is hexadecimal")
}

fn chosen(name: &str, payload: &Value, wish: Wish) -> Choice {
    choose(&Event { name, payload, sha: &hex('c'), reference: MAIN }, wish)
}

fn planned(name: &str, payload: Value) -> Plan {
    chosen(name, &payload, Wish::default()).plan
}

fn range(base: Base, head: char) -> Plan {
    Plan::Range { base, head: name(head) }
}

#[track_caller]
fn refused(plan: Plan, words: &str) {
    match plan {
        Plan::Refused { why, cure } => assert!(format!("{why}; {cure}").contains(words), "{why}; {cure}"),
        other => panic!("{other:?} is no refusal"),
    }
}

fn pull_payload() -> Value {
    json!({"action": "synchronize", "pull_request": {"base": {"sha": hex('a')}, "head": {"sha": hex('b')}}})
}

#[test]
fn a_change_is_compared_with_its_target() {
    let merge = Some(name('c'));
    for event in ["pull_request", "pull_request_review", "pull_request_review_comment"] {
        let expected = range(Base::Fork { onto: name('a'), merge }, 'b');
        assert_eq!(planned(event, pull_payload()), expected, "{event}");
    }
    // Where the workflow runs on the head itself there is no trial merge.
    let mut on_head = pull_payload();
    on_head["pull_request"]["head"]["sha"] = json!(hex('c'));
    assert_eq!(planned("pull_request", on_head), range(Base::Fork { onto: name('a'), merge: None }, 'c'));
    for absent in ["/pull_request/base/sha", "/pull_request/head/sha"] {
        let mut payload = pull_payload();
        *payload.pointer_mut(absent).expect("because it is there") = Value::Null;
        refused(planned("pull_request", payload), "the event names no pull_request.");
    }
    let mut nought = pull_payload();
    nought["pull_request"]["base"]["sha"] = json!(hex('0'));
    refused(planned("pull_request", nought), "pull_request.base.sha is the name of no object");
}

#[test]
fn the_privileged_event_is_refused_unless_allowed() {
    refused(planned("pull_request_target", pull_payload()), "--allow-pull-request-target");
    let wish = Wish { wanted: Wanted::Tree, ..Wish::default() };
    refused(chosen("pull_request_target", &pull_payload(), wish).plan, "--allow-pull-request-target");
    let wish = Wish { allow_target: true, ..Wish::default() };
    let plan = chosen("pull_request_target", &pull_payload(), wish).plan;
    assert_eq!(plan, range(Base::Fork { onto: name('a'), merge: None }, 'b'));
}

#[test]
fn a_push_is_compared_with_what_was_there() {
    let push = |before: char, after: char, forced: bool| {
        planned("push", json!({"ref": MAIN, "before": hex(before), "after": hex(after), "forced": forced}))
    };
    assert_eq!(push('a', 'b', false), range(Base::Before { tip: name('a'), forced: false }, 'b'));
    assert_eq!(push('a', 'b', true), range(Base::Before { tip: name('a'), forced: true }, 'b'));
    assert_eq!(push('0', 'b', false), range(Base::New, 'b'));
    assert_eq!(push('a', '0', false), Plan::Nothing("a branch or tag was deleted"));
    refused(planned("push", json!({"ref": MAIN})), "the event names no after");
    refused(planned("push", json!({"after": hex('b'), "before": "main"})), "the event names no before");
    let long = "ab".repeat(32);
    refused(planned("push", json!({"after": long, "before": long})), "SHA-256");
}

#[test]
fn the_other_events() {
    let group =
        |action: &str| json!({"action": action, "merge_group": {"base_sha": hex('a'), "head_sha": hex('b')}});
    let expected = range(Base::Fork { onto: name('a'), merge: None }, 'b');
    assert_eq!(planned("merge_group", group("checks_requested")), expected);
    assert_eq!(planned("merge_group", group("destroyed")), Plan::Nothing("the merge group was dissolved"));
    refused(planned("merge_group", json!({})), "merge_group.base_sha");
    assert_eq!(planned("schedule", json!({"schedule": "0 3 * * *"})), Plan::History);
    assert_eq!(planned("workflow_dispatch", json!({})), Plan::Tree);
    assert_eq!(planned("repository_dispatch", json!({})), Plan::Tree);
    assert_eq!(planned("release", json!({"action": "published"})), Plan::Tree);
    assert_eq!(planned("release", json!({"action": "deleted"})), Plan::Nothing("the release was taken back"));
    assert_eq!(planned("create", json!({"ref_type": "tag"})), range(Base::New, 'c'));
    assert_eq!(planned("delete", json!({})), Plan::Nothing("a branch or tag was deleted"));
    for event in ["workflow_run", "issue_comment", "label", "", "\u{1b}[2J"] {
        refused(planned(event, json!({})), "--scan tree");
    }
    // A payload of any shape gives an answer.
    for payload in [json!(null), json!([]), json!({"pull_request": 1, "repository": "x", "after": {}})] {
        for event in ["pull_request", "push", "merge_group"] {
            refused(planned(event, payload.clone()), "the event names no");
        }
    }
}

#[test]
fn the_operator_may_choose_what_is_scanned() {
    for (wanted, plan) in [(Wanted::Tree, Plan::Tree), (Wanted::History, Plan::History)] {
        let wish = Wish { wanted, ..Wish::default() };
        for event in ["pull_request", "push", "workflow_run", "label"] {
            assert_eq!(chosen(event, &json!({}), wish).plan, plan, "{event}");
        }
    }
}

#[test]
fn the_default_branch_is_told_from_others() {
    let told = |name: &str, payload: Value, reference: &str| {
        let choice = choose(&Event { name, payload: &payload, sha: "", reference }, Wish::default());
        (choice.default_branch, choice.on_default)
    };
    let payload = || json!({"repository": {"default_branch": "main"}});
    let main = || Some("main".to_owned());
    assert_eq!(told("push", payload(), MAIN), (main(), true));
    assert_eq!(told("push", payload(), "refs/heads/other"), (main(), false));
    assert_eq!(told("push", payload(), "refs/tags/main"), (main(), false));
    assert_eq!(told("create", json!({"master_branch": "main"}), "refs/heads/x"), (main(), false));
    assert_eq!(told("schedule", json!({}), MAIN), (None, true));
    assert_eq!(told("push", json!({}), MAIN), (None, false));
}

#[test]
fn strangers_are_those_who_do_not_write_to_the_repository() {
    let foreign = |name: &str, payload: &Value| chosen(name, payload, Wish::default()).foreign;
    let mut own = pull_payload();
    own["pull_request"]["base"]["repo"] = json!({"full_name": "acme/app"});
    assert!(foreign("pull_request", &own), "a head without a repository was deleted with its fork");
    own["pull_request"]["head"]["repo"] = json!({"full_name": "acme/app"});
    let mut fork = own.clone();
    fork["pull_request"]["head"]["repo"]["full_name"] = json!("stranger/app");
    for event in ["pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"]
    {
        assert!(!foreign(event, &own) && foreign(event, &fork), "{event}");
        assert!(foreign(event, &json!({})), "{event}");
    }
    for event in ["push", "schedule", "merge_group", "release"] {
        assert!(!foreign(event, &json!({})), "{event}");
    }
    for event in ["workflow_run", "issue_comment", "fork"] {
        assert!(foreign(event, &own), "{event}");
    }
}
