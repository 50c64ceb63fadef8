use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply, text};
use serde_json::{Value, json};
use std::sync::Mutex;

fn open(world: World) -> (Arc<World>, Box<dyn Store>) {
    let spec: Spec = toml::from_str("kind = 'doppler'\ncredential = 'env:D'").unwrap();
    let (world, doors) = world.share();
    let place =
        Place { path: "shop/prd eu".to_owned(), field: Some("API_KEY".to_owned()), ..Place::default() };
    (world, spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")))
}

fn shown(value: &str) -> Answer {
    let value = json!({"raw": value, "computed": value, "note": "", "rawVisibility": "masked"});
    reply(200, &json!({"name": "API_KEY", "value": value}).to_string())
}

/// Doppler's side: a change request is done if the original value is what it has.
fn config(held: Arc<Mutex<String>>) -> impl Fn(&Sent) -> Answer + Send + Sync {
    move |sent: &Sent| {
        assert_eq!(sent.headers["authorization"], "Bearer env:D");
        let mut held = held.lock().unwrap();
        if sent.method == "GET" {
            assert_eq!(sent.target, "/v3/configs/config/secret?project=shop&config=prd%20eu&name=API_KEY");
            return shown(&held);
        }
        assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v3/configs/config/secrets"));
        let body: Value = serde_json::from_str(&sent.body).unwrap();
        assert_eq!((&body["project"], &body["config"]), (&json!("shop"), &json!("prd eu")));
        let change = &body["change_requests"][0];
        assert_eq!((&change["name"], &change["originalName"]), (&json!("API_KEY"), &json!("API_KEY")));
        if change["originalValue"] != held.as_str() {
            return reply(400, r#"{"success":false,"messages":["no"]}"#);
        }
        *held = change["value"].as_str().unwrap().to_owned();
        reply(200, r#"{"success":true}"#)
    }
}

#[test]
fn a_value_goes_there_and_back() {
    let held = Arc::new(Mutex::new(text(&key(1))));
    let (world, store) = open(World::new(config(Arc::clone(&held))));
    let first = store.read(call()).unwrap();
    assert_eq!((&first.current, &first.pending), (&Some(key(1)), &None));
    let second = store.write(call(), &key(2), &first.version).unwrap();
    assert_eq!(store.read(call()).unwrap().version, second);
    assert_eq!(store.write(call(), &key(3), &first.version), Err(StoreError::Conflict));
    let third = store.restore(call(), &key(1), &second).unwrap();
    // The value names the version, so that it comes back with it, and says that it may.
    assert_eq!(third, first.version);
    assert!(third.starts_with('='));
    assert_eq!(*held.lock().unwrap(), text(&key(1)));
    let sent = world.sent.lock().unwrap();
    let shows = |text: &str| text.contains("acme-");
    assert!(sent.iter().all(|s| !shows(&s.target) && !s.headers.values().any(|v| shows(v))));
    assert!(!shows(&second));
}

#[test]
fn somebody_quicker_is_told_by_the_platform() {
    let held = Arc::new(Mutex::new(text(&key(1))));
    let other = Arc::clone(&held);
    let inner = config(held);
    let (_, store) = open(World::new(move |sent: &Sent| {
        if sent.method == "POST" {
            *other.lock().unwrap() = text(&key(9));
        }
        inner(sent)
    }));
    let first = store.read(call()).unwrap();
    assert_eq!(store.write(call(), &key(2), &first.version), Err(StoreError::Conflict));
    assert_eq!(store.read(call()).unwrap().current, Some(key(9)));
}

#[test]
fn answers_are_told_apart() {
    let one = || shown(&text(&key(1)));
    let version = format!("={}", crate::rotate::machine::digest(key(1).expose()));
    let hidden = r#"{"name":"API_KEY","value":{"raw":null,"computed":null,"rawVisibility":"restricted"}}"#;
    let refers = r#"{"name":"API_KEY","value":{"raw":"${shop.prd.API_KEY}","computed":"x"}}"#;
    for (answers, wanted) in [
        (vec![one(), lost()], "Unknown"),
        (vec![one(), reply(500, "")], "Unknown"),
        (vec![one(), reply(429, "")], "Retry"),
        (vec![one(), reply(403, "")], "Refused"),
        (vec![one(), reply(409, "")], "Conflict"),
        // It says no, and nobody wrote: it is not the version.
        (vec![one(), reply(400, ""), one()], "Refused"),
        (vec![one(), reply(400, ""), lost()], "Refused"),
        (vec![one(), reply(422, ""), shown(&text(&key(7)))], "Conflict"),
        (vec![shown(&text(&key(7)))], "Conflict"),
        (vec![reply(401, "")], "Refused"),
        (vec![reply(404, r#"{"messages":["Could not find requested secret"]}"#)], "Refused"),
        (vec![reply(200, hidden)], "service token"),
        (vec![reply(200, refers)], "refers to another"),
        (vec![reply(200, r#"{"value":{}}"#)], "Unknown"),
        (vec![reply(200, "<html>")], "Unknown"),
    ] {
        let (world, store) = open(World::script(answers));
        let told = format!("{:?}", store.write(call(), &key(2), &version));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{wanted}: {told} {:?}", world.asked());
    }
    let (world, store) = open(World::script(Vec::new()));
    let told = store.write(call(), &Secret::new(b"a${B}"), &version);
    assert!(matches!(told, Err(StoreError::Refused(_))) && world.asked().is_empty());
    assert!(matches!(store.promote(call(), &version), Err(StoreError::Refused(_))));
}
