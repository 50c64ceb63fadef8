use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply, text};
use serde_json::{Value, json};
use std::sync::Mutex;

const VAULT: &str = "https://acme.vault.azure.net";

fn open_at(address: &str, field: Option<&str>, world: World) -> (Arc<World>, Box<dyn Store>) {
    let toml = format!("kind = 'azure-key-vault'\naddress = '{address}'\ncredential = 'env:A'");
    let spec: Spec = toml::from_str(&toml).unwrap();
    let (world, doors) = world.share();
    let place = Place { path: "shop-key".to_owned(), field: field.map(str::to_owned), ..Place::default() };
    (world, spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")))
}

fn open(field: Option<&str>, world: World) -> (Arc<World>, Box<dyn Store>) {
    open_at(VAULT, field, world)
}

fn wrong(status: u16, code: &str) -> Answer {
    reply(status, &json!({"error": {"code": code, "message": "x"}}).to_string())
}

fn inner(status: u16, code: &str, inner: &str) -> Answer {
    let error = json!({"code": code, "message": "x", "innererror": {"code": inner}});
    reply(status, &json!({ "error": error }).to_string())
}

fn bundle(version: &str, value: &str) -> Answer {
    let id = format!("{VAULT}/secrets/shop-key/{version}");
    reply(200, &json!({"value": value, "id": id, "attributes": {"enabled": true}}).to_string())
}

/// Get and set as their pages describe them: a new version has what the set says and nothing else.
fn service(first: Option<String>) -> impl Fn(&Sent) -> Answer + Send + Sync + 'static {
    let first =
        first.map(|value| json!({"value": value, "contentType": "text/\"x\"", "tags": {"team": "web"}}));
    let versions = Mutex::new(first.into_iter().collect::<Vec<Value>>());
    move |sent: &Sent| {
        let mut versions = versions.lock().unwrap();
        assert_eq!(sent.headers["authorization"], "Bearer env:A");
        assert_eq!(sent.target, "/secrets/shop-key?api-version=7.4");
        if sent.method == "PUT" {
            let body: Value = serde_json::from_str(&sent.body).unwrap();
            if let Some(last) = versions.last() {
                assert_eq!((&body["contentType"], &body["tags"]), (&last["contentType"], &last["tags"]));
            }
            versions.push(body);
        }
        let Some(mut last) = versions.last().cloned() else { return wrong(404, "SecretNotFound") };
        last["id"] = format!("{VAULT}/secrets/shop-key/{:032x}", versions.len()).into();
        reply(200, &last.to_string())
    }
}

#[test]
fn a_key_is_set_and_can_go_back() {
    for (field, whole) in
        [(None, text(&key(1))), (Some("K"), format!("{{\"a\":1.0,\"K\":\"{}\"}}", text(&key(1))))]
    {
        let (_, store) = open(field, World::new(service(Some(whole))));
        let first = store.read(call()).unwrap();
        assert_eq!((&first.current, &first.pending), (&Some(key(1)), &None));
        assert_eq!(first.version, format!("{:032x}", 1));
        let second = store.write(call(), &key(2), &first.version).unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, &read.version), (Some(key(2)), &second));
        assert_eq!(store.write(call(), &key(3), &first.version), Err(StoreError::Conflict));
        assert!(matches!(store.promote(call(), &second), Err(StoreError::Refused(_))));
        let third = store.restore(call(), &key(1), &second).unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, &read.version), (Some(key(1)), &third));
    }
    let (_, empty) = open(None, World::new(service(None)));
    assert_eq!(empty.read(call()).unwrap(), Content { version: "-".to_owned(), ..Content::default() });
    empty.write(call(), &key(1), "-").unwrap();
    assert_eq!(empty.read(call()).unwrap().current, Some(key(1)));
}

#[test]
fn what_was_set_is_looked_at_again() {
    for (after, why) in [
        (bundle("ffff", "c"), "somebody wrote"),
        (wrong(404, "SecretNotFound"), "somebody wrote"),
        (lost(), "not seen again"),
        (wrong(403, "Forbidden"), "not seen again"),
    ] {
        let (_, store) = open(None, World::script(vec![bundle("aaaa", "a"), bundle("bbbb", "b"), after]));
        let told = store.write(call(), &key(2), "aaaa").unwrap_err();
        assert!(matches!(&told, StoreError::Unknown(said) if said.contains(why)), "{told}");
    }
}

#[test]
fn errors_are_told_apart() {
    for (answer, wanted) in [
        (lost(), "Unknown"),
        (reply(500, ""), "Unknown"),
        (wrong(503, "Unavailable"), "Unknown"),
        (wrong(409, "Conflict"), "Conflict"),
        (inner(409, "Conflict", "ObjectIsDeletedButRecoverable"), "ObjectIsDeletedButRecoverable"),
        (wrong(429, "Throttled"), "Retry"),
        (reply(429, ""), "Retry"),
        (wrong(400, "BadParameter"), "Refused"),
        (wrong(401, "Unauthorized"), "Refused"),
        (inner(403, "Forbidden", "ForbiddenByPolicy"), "Refused"),
        (wrong(403, "SomethingNew"), "Unknown"),
        (reply(403, "<html>"), "Unknown"),
        (reply(200, "{}"), "Unknown"),
        (reply(200, r#"{"id":"https://acme.vault.azure.net/secrets/shop-key/"}"#), "Unknown"),
    ] {
        let shown = format!("{answer:?}");
        let (_, store) = open(None, World::script(vec![bundle("aaaa", "a"), answer]));
        let told = format!("{:?}", store.write(call(), &key(2), "aaaa"));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{shown}: {told}");
    }
    let managed = reply(200, r#"{"value":"a","id":"https://x/secrets/shop-key/aa","managed":true}"#);
    for (answer, wanted) in [
        (inner(403, "Forbidden", "SecretDisabled"), "SecretDisabled"),
        (reply(404, "<html>"), "Unknown"),
        (managed, "belongs to a certificate"),
        (reply(200, r#"{"id":"https://x/secrets/shop-key/aa"}"#), "no value"),
    ] {
        let (_, store) = open(None, World::script(vec![answer]));
        let told = format!("{:?}", store.read(call()));
        assert!(told.contains(wanted), "{told}");
    }
}

fn principal(tenant: &str) -> String {
    json!({"appId": "an app", "displayName": "x", "password": "p&w", "tenant": tenant}).to_string()
}

#[test]
fn a_service_principal_signs_in_where_its_cloud_does() {
    let mut world = World::new(|sent| {
        if sent.target == "/acme.example/oauth2/v2.0/token" {
            assert_eq!(
                sent.body,
                "grant_type=client_credentials&scope=https%3A%2F%2Fvault.azure.net%2F.default\
                 &client_id=an%20app&client_secret=p%26w"
            );
            return reply(200, r#"{"token_type":"Bearer","expires_in":3599,"access_token":"t1"}"#);
        }
        assert_eq!(sent.headers["authorization"], "Bearer t1");
        bundle("aaaa", "a")
    });
    world.values.insert("env:A".to_owned(), principal("acme.example"));
    let (world, store) = open(None, world);
    store.read(call()).unwrap();
    store.read(call()).unwrap();
    assert_eq!(world.asked().len(), 3);
    assert_eq!(CLOUDS.len(), 3);
    for (address, tenant, why) in [
        ("https://vault.acme.example", "acme.example", "vaults of Azure only"),
        ("https://evilvault.azure.net", "acme.example", "vaults of Azure only"),
        (VAULT, "a/../b", "tenant"),
        (VAULT, "..", "tenant"),
    ] {
        let mut world = World::script(Vec::new());
        world.values.insert("env:A".to_owned(), principal(tenant));
        let (_, store) = open_at(address, None, world);
        let told = store.read(call()).unwrap_err();
        assert!(matches!(&told, StoreError::Refused(said) if said.contains(why)), "{told}");
    }
}

#[test]
fn a_login_that_fails_changes_nothing() {
    for (answer, wanted) in [
        (lost(), "Retry"),
        (reply(500, ""), "Retry"),
        (reply(429, ""), "Retry"),
        (reply(200, "{}"), "Retry"),
        (reply(401, r#"{"error":"invalid_client"}"#), "Refused"),
    ] {
        let shown = format!("{answer:?}");
        let mut world = World::script(vec![answer]);
        world.values.insert("env:A".to_owned(), principal("acme.example"));
        let (_, store) = open(None, world);
        let told = format!("{:?}", store.read(call()));
        assert!(told.contains(wanted) && !told.contains("p&w"), "{shown}: {told}");
    }
}
