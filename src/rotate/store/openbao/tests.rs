use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply, text};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

const SPEC: &str = "kind = 'openbao'\naddress = 'https://bao.corp.example/x'\nnamespace = 'team'\n";

fn open(auth: &str, world: World) -> (Arc<World>, Box<dyn Store>) {
    let spec: Spec = toml::from_str(&format!("{SPEC}{auth}")).unwrap();
    let (world, doors) = world.share();
    let place = Place { path: "kv/shop/a b".to_owned(), field: Some("KEY".to_owned()), ..Place::default() };
    (world, spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")))
}

/// The engine's answers about a secret, as a real server gives them.
fn server() -> impl Fn(&Sent) -> Answer + Send + Sync + 'static {
    let held = Mutex::new((3, format!("{{\"KEY\":\"{}\",\"n\":1e400, \"b\" :[] }}", text(&key(1)))));
    move |sent: &Sent| {
        let mut held = held.lock().unwrap();
        if sent.method == "GET" {
            let body =
                format!("{{\"data\":{{\"data\":{},\"metadata\":{{\"version\":{}}}}}}}", held.1, held.0);
            return reply(200, &body);
        }
        let cas = json::number(&sent.body, &["options", "cas"]).unwrap();
        if cas != held.0 {
            let why = "check-and-set parameter did not match the current version";
            return reply(400, &format!("{{\"errors\":[\"{why}\"]}}"));
        }
        *held = (held.0 + 1, json::part(&sent.body, &["data"]).unwrap().unwrap().to_owned());
        reply(200, &format!("{{\"data\":{{\"version\":{}}}}}", held.0))
    }
}

#[test]
fn one_field_is_written_with_check_and_set() {
    let (world, store) = open("token = 'env:T'", World::new(server()));
    let read = store.read(call()).unwrap();
    assert_eq!(read, Content { current: Some(key(1)), pending: None, version: "3".to_owned() });
    assert_eq!(store.write(call(), &key(2), "3"), Ok("4".to_owned()));
    assert_eq!(store.read(call()).unwrap().current, Some(key(2)));
    assert_eq!(store.write(call(), &key(3), "3"), Err(StoreError::Conflict));
    assert_eq!(store.restore(call(), &key(1), "4"), Ok("5".to_owned()));
    let sent = world.sent.lock().unwrap();
    // Numbers that no machine word holds, blanks and order stay.
    let wanted = format!("{{\"KEY\":\"{}\",\"n\":1e400, \"b\" :[] }}", text(&key(2)));
    assert_eq!(json::part(&sent[2].body, &["data"]).unwrap(), Some(wanted.as_str()));
    for one in sent.iter() {
        assert_eq!(one.target, "/x/v1/kv/data/shop/a%20b");
        assert_eq!(
            (one.headers["x-vault-token"].as_str(), one.headers["x-vault-namespace"].as_str()),
            ("env:T", "team")
        );
    }
}

#[test]
fn a_writer_in_between_is_a_conflict() {
    let read = r#"{"data":{"data":{"KEY":"a"},"metadata":{"version":3}}}"#;
    let no = r#"{"errors":["check-and-set parameter did not match the current version"]}"#;
    let (_, store) = open("token = 'env:T'", World::script(vec![reply(200, read), reply(400, no)]));
    assert_eq!(store.write(call(), &key(2), "3"), Err(StoreError::Conflict));
}

#[test]
fn what_is_deleted_or_was_never_there() {
    for (status, body, version) in [
        (404, r#"{"errors":[]}"#, Some("0")),
        (404, r#"{"data":{"data":null,"metadata":{"version":7,"deletion_time":"x"}}}"#, Some("7")),
        (404, r#"{"errors":["no handler for route"]}"#, None),
        (404, "<html>", None),
        (200, r#"{"data":{"KEY":"of version 1 of the engine"}}"#, None),
        (200, "<html>", None),
    ] {
        let (_, store) = open("token = 'env:T'", World::script(vec![reply(status, body)]));
        let read = store.read(call());
        assert_eq!(read.as_ref().ok().map(|c| c.version.as_str()), version, "{body}");
        assert!(read.is_err() || read.unwrap().current.is_none());
    }
    let made = vec![reply(404, r#"{"errors":[]}"#), reply(200, r#"{"data":{"version":1}}"#)];
    let (world, store) = open("token = 'env:T'", World::script(made));
    assert_eq!(store.write(call(), &key(2), "0"), Ok("1".to_owned()));
    assert!(world.sent.lock().unwrap()[1].body.contains("\"cas\":0"));
}

#[test]
fn answers_to_a_write_are_told_apart() {
    let read = || reply(200, r#"{"data":{"data":{"KEY":"a"},"metadata":{"version":3}}}"#);
    for (answer, wanted) in [
        (lost(), "Unknown"),
        (Err(crate::call::CallError::Unconnected("x".into())), "Retry"),
        (Err(crate::call::CallError::Refused("x".into())), "Refused"),
        (reply(200, "{}"), "Unknown"),
        (reply(302, ""), "Unknown"),
        (reply(400, r#"{"errors":["bad"]}"#), "Refused"),
        (reply(403, ""), "Refused"),
        (reply(412, ""), "Retry"),
        (reply(429, ""), "Retry"),
        (reply(472, ""), "Retry"),
        (reply(500, ""), "Unknown"),
        (reply(503, r#"{"errors":["Vault is sealed"]}"#), "Retry"),
        (reply(503, "<html>"), "Unknown"),
    ] {
        let shown = format!("{answer:?}");
        let (_, store) = open("token = 'env:T'", World::script(vec![read(), answer]));
        let told = format!("{:?}", store.write(call(), &key(2), "3"));
        assert!(told.contains(wanted), "{shown}: {told}");
        assert!(!told.contains("acme-"), "{told}");
    }
}

const ROLE: &str = "approle = { role-id = 'file:/r', secret-id = 'file:/s' }";

#[test]
fn a_role_logs_in_once_and_again_when_it_must() {
    let engine = server();
    let logins = Mutex::new(0);
    let (world, store) = open(
        ROLE,
        World::new(move |sent| {
            if sent.target == "/x/v1/auth/approle/login" {
                let mut logins = logins.lock().unwrap();
                *logins += 1;
                assert_eq!(sent.body, r#"{"role_id":"file:/r","secret_id":"file:/s"}"#);
                assert!(!sent.headers.contains_key("x-vault-token"));
                return reply(
                    200,
                    &format!("{{\"auth\":{{\"client_token\":\"t{logins}\",\"lease_duration\":120}}}}"),
                );
            }
            // The second token is taken back before its time.
            if sent.headers["x-vault-token"] == "t2" && *logins.lock().unwrap() == 2 && sent.method == "POST"
            {
                return reply(403, r#"{"errors":["permission denied"]}"#);
            }
            engine(sent)
        }),
    );
    store.read(call()).unwrap();
    store.read(call()).unwrap();
    let logins = |world: &World| world.asked().iter().filter(|a| a.contains("login")).count();
    assert_eq!(logins(&world), 1);
    world.now.store(90_000, Ordering::SeqCst);
    assert_eq!(store.write(call(), &key(2), "3"), Ok("4".to_owned()));
    assert_eq!(logins(&world), 3);
    assert_eq!(store.read(call()).unwrap().current, Some(key(2)));
}

#[test]
fn a_login_that_fails_changes_nothing() {
    for (answer, wanted) in [
        (lost(), "Retry"),
        (reply(500, ""), "Retry"),
        (reply(400, ""), "Refused"),
        (reply(200, "{}"), "Retry"),
    ] {
        let (world, store) = open(ROLE, World::script(vec![answer]));
        let told = format!("{:?}", store.write(call(), &key(2), "3"));
        assert!(told.contains(wanted), "{told}");
        assert_eq!(world.asked().len(), 1);
    }
    let (_, store) = open("token = 'env:GONE'", World::script(Vec::new()));
    assert_eq!(store.read(call()), Err(StoreError::Refused("env:GONE: it is not set".to_owned())));
}

#[test]
fn a_field_is_added_to_an_object() {
    let add = |object: &str| member(object, "K", "\"v\"").map(|o| o.to_string());
    assert_eq!(add("{}").unwrap(), r#"{"K":"v"}"#);
    assert_eq!(add(r#"{ "a":1 }"#).unwrap(), r#"{ "a":1 ,"K":"v"}"#);
    for bad in ["[]", "1", "{", r#"{"K":1,"K":2}"#] {
        assert!(add(bad).is_err(), "{bad}");
    }
}
