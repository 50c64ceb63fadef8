use super::*;
use crate::call::SystemClock;
use serde_json::json;
use std::sync::Mutex;

/// Answers one after the other, and keeps what was asked.
#[derive(Default)]
struct Script {
    replies: Mutex<Vec<Result<Reply, CallError>>>,
    asked: Mutex<Vec<String>>,
}

impl Transport for Script {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        let target = String::from_utf8_lossy(request.target.expose()).into_owned();
        self.asked.lock().unwrap().push(format!("{} {}{target}", request.method, request.host));
        self.replies.lock().unwrap().remove(0)
    }
}

fn reply(status: u16, body: Value) -> Result<Reply, CallError> {
    Ok(Reply { status, headers: [("x-id".to_owned(), "h1".to_owned())].into(), body: body.to_string() })
}

fn step(toml: &str) -> Step {
    toml::from_str(toml).unwrap()
}

/// Runs a test with a caller of the provider `acme`.
fn with<T>(replies: Vec<Result<Reply, CallError>>, run: impl FnOnce(&Caller<'_>) -> T) -> (T, Vec<String>) {
    let script = Script { replies: Mutex::new(replies), asked: Mutex::default() };
    let hosts = Hosts::default();
    let declared = ["api.acme.example".to_owned()];
    let caller = Caller {
        transport: &script,
        hosts: &hosts,
        origin: Origin { provider: "acme", hosts: &declared, file: None },
        clock: &SystemClock,
        each: Duration::from_secs(5),
        until: Instant::now() + Duration::from_secs(60),
    };
    let result = run(&caller);
    let asked = script.asked.lock().unwrap().clone();
    (result, asked)
}

fn values() -> Values {
    let mut values = Values::new();
    values.set("secret", Secret::new(b"s3"));
    values
}

const LIST: &str = r#"
    request = { method = "GET", url = "https://api.acme.example/keys?limit=2&after=x" }
    done = [{ status = 200, json = { "/data" = "*" } }]
    find = { items = "/data", where = { "/value" = "{{ secret }}", "/kind" = "*" }, next = { from = "/next", parameter = "after" } }
    capture = { id = { json = "/id" }, name = { json = "/name", required = false }, at = { header = "x-id" } }
"#;

fn item(id: u32, value: &str) -> Value {
    json!({"id": id, "value": value, "kind": "k"})
}

#[test]
fn a_list_is_read_to_its_end() {
    let pages = vec![
        reply(200, json!({"data": [item(1, "a"), item(2, "s3")], "next": "p&2"})),
        reply(200, json!({"data": [item(3, "b")], "next": null})),
    ];
    let mut got = values();
    let (result, asked) = with(pages, |c| c.reads(&[step(LIST)], &mut got));
    assert_eq!(result, Ok(()));
    assert_eq!(
        asked,
        ["GET api.acme.example/keys?limit=2&after=x", "GET api.acme.example/keys?limit=2&after=p%262"]
    );
    assert_eq!(got.get("id").unwrap().expose(), b"2");
    assert_eq!(got.get("at").unwrap().expose(), b"h1");
    assert!(got.get("name").is_none());
}

#[test]
fn none_or_several_is_no_result() {
    let page = |items: Vec<Value>, next: Value| reply(200, json!({"data": items, "next": next}));
    let run = |pages| with(pages, |c| c.reads(&[step(LIST)], &mut values())).0.map_err(|s| s.why);
    assert_eq!(run(vec![page(vec![item(1, "a")], json!(""))]), Err(StepError::NotFound));
    assert_eq!(
        run(vec![page(vec![item(1, "s3")], json!(2)), page(vec![item(2, "s3")], json!(null))]),
        Err(StepError::Several)
    );
    // A value of another type, a missing field and null do not fit.
    let near = vec![
        json!({"id": 1, "value": ["s3"], "kind": "k"}),
        json!({"id": 1, "value": "s3"}),
        json!({"id": 1, "value": "s3", "kind": null}),
    ];
    assert_eq!(run(vec![page(near, json!(false))]), Err(StepError::NotFound));
    assert_eq!(run(vec![page(vec![], json!("a")), page(vec![], json!("a"))]), Err(StepError::Endless));
    assert_eq!(run((0..200).map(|n| page(vec![], json!(n + 1))).collect()), Err(StepError::Endless));
    assert_eq!(run(vec![reply(200, json!({"data": {}}))]), Err(StepError::NoList("/data".to_owned())));
    assert_eq!(
        run(vec![reply(403, json!({}))]),
        Err(StepError::Unproved { effect: Effect::Unknown, status: 403 })
    );
    assert_eq!(
        run(vec![page(vec![json!({"value": "s3", "kind": "k"})], json!(null))]),
        Err(StepError::Missing("id".to_owned()))
    );
    let lost = CallError::Lost("cut".to_owned());
    assert_eq!(run(vec![page(vec![item(1, "s3")], json!(2)), Err(lost.clone())]), Err(StepError::Call(lost)));
}

#[test]
fn a_list_goes_on_only_if_its_flag_says_so() {
    let text = LIST.replace("parameter = \"after\"", "parameter = \"after\", more = \"/more\"");
    let pages = vec![reply(200, json!({"data": [item(1, "s3")], "next": "p2", "more": false}))];
    let (result, asked) = with(pages, |c| c.reads(&[step(&text)], &mut values()));
    assert_eq!((result, asked.len()), (Ok(()), 1));
}

#[test]
fn later_steps_use_what_earlier_ones_captured() {
    let first = step(
        r#"
        request = { method = "GET", url = "https://api.acme.example/me" }
        done = [{ status = 200 }]
        capture = { org = { json = "/org" }, live = { json = "/live" } }
        "#,
    );
    let second = step(
        r#"
        request = { method = "GET", url = "https://api.acme.example/orgs/{{ org }}?live={{ live }}" }
        done = [{ status = 200 }]
        "#,
    );
    let replies = vec![reply(200, json!({"org": "a/b", "live": true})), reply(200, json!(null))];
    let steps = [first, second];
    let (result, asked) = with(replies, |c| c.reads(&steps, &mut values()));
    assert_eq!(result, Ok(()));
    assert_eq!(asked[1], "GET api.acme.example/orgs/a%2Fb?live=true");
    let (result, asked) = with(vec![reply(200, json!({"org": "o"}))], |c| c.reads(&steps, &mut values()));
    assert_eq!(result, Err(Stopped { at: 0, why: StepError::Missing("live".to_owned()) }));
    assert_eq!(asked.len(), 1);
}

const CHANGE: &str = r#"
    request = { method = "DELETE", url = "https://api.acme.example/keys/{{ id }}" }
    done = [{ status = 200, json = { "/deleted" = "true" } }]
    already = [{ status = 404, json = { "/code" = "gone" } }]
    refused = [{ status = 403, json = { "/code" = "denied" } }]
    capture = { left = { json = "/left" } }
"#;

#[test]
fn a_change_is_what_its_answer_proves() {
    let run = |reply| {
        let mut values = values();
        values.set("id", Secret::new(b"k1"));
        let (result, asked) = with(vec![reply], |c| c.change(&step(CHANGE), &values));
        assert_eq!(asked, ["DELETE api.acme.example/keys/k1"]);
        result.map(|o| (o.effect, o.missing.len(), o.captured.get("left").is_some()))
    };
    assert_eq!(run(reply(200, json!({"deleted": true, "left": 3}))), Ok((Effect::Done, 0, true)));
    assert_eq!(run(reply(200, json!({"deleted": true}))), Ok((Effect::Done, 1, false)));
    assert_eq!(run(reply(404, json!({"code": "gone"}))), Ok((Effect::Already, 0, false)));
    assert_eq!(run(reply(403, json!({"code": "denied", "left": 3}))), Ok((Effect::Refused, 0, false)));
    for unknown in [
        reply(200, json!({})),
        reply(404, json!({})),
        reply(302, json!({"deleted": true})),
        reply(500, json!(1)),
    ] {
        assert_eq!(run(unknown), Ok((Effect::Unknown, 0, false)));
    }
    for (error, unsent) in [
        (CallError::Lost("x".to_owned()), false),
        (CallError::Unreadable("x".to_owned()), false),
        (CallError::Unconnected("x".to_owned()), true),
        (CallError::Refused("x".to_owned()), true),
        (CallError::Limited("x".to_owned()), true),
    ] {
        assert_eq!(run(Err(error)).unwrap_err().is_unsent(), unsent);
    }
}

#[test]
fn what_cannot_be_prepared_is_not_sent() {
    let (result, asked) = with(vec![], |c| c.change(&step(CHANGE), &values()));
    let error = result.unwrap_err();
    assert!(error.is_unsent() && matches!(error, StepError::Render(RenderError::Missing(_))));
    let elsewhere = step(&CHANGE.replace("api.acme.example", "evil.example").replace("{{ id }}", "1"));
    let (result, more) = with(vec![], |c| c.change(&elsewhere, &values()));
    assert!(matches!(result.unwrap_err(), StepError::Host(HostError::Undeclared(_))));
    assert!(asked.is_empty() && more.is_empty());
}

#[test]
fn a_captured_host_goes_nowhere_by_itself() {
    let mut values = values();
    values.set("id", Secret::new(b"k1")).set(CAPTURED_HOST, Secret::new(b"git.corp.example"));
    let (result, asked) = with(vec![], |c| c.change(&step(CHANGE), &values));
    assert!(matches!(result.unwrap_err(), StepError::Host(HostError::NotAllowed(_))));
    assert!(asked.is_empty());
}

#[test]
fn a_parameter_is_set_once() {
    for (target, expected) in [
        ("/x", "/x?p=a%20b"),
        ("/x?", "/x?p=a%20b"),
        ("/x?p=1", "/x?p=a%20b"),
        ("/x?p=1&q=2&p=3&pp=4&p", "/x?q=2&pp=4&p=a%20b"),
    ] {
        let mut request = Prepared {
            method: "GET".to_owned(),
            tls: true,
            host: "a.example".to_owned(),
            port: None,
            target: Secret::new(target.as_bytes()),
            headers: Vec::new(),
            body: None,
        };
        set_parameter(&mut request, "p", "a b");
        assert_eq!(request.target.expose(), expected.as_bytes());
    }
}
