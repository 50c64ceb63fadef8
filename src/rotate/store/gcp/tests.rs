use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply, text};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

fn open(field: Option<&str>, world: World) -> (Arc<World>, Box<dyn Store>) {
    let spec: Spec = toml::from_str("kind = 'gcp-secret-manager'\ncredential = 'env:G'").unwrap();
    let (world, doors) = world.share();
    let place = Place { path: "shop-1/key".to_owned(), field: field.map(str::to_owned), ..Place::default() };
    (world, spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")))
}

fn wrong(code: u16, status: &str) -> Answer {
    reply(code, &json!({"error": {"code": code, "message": "x", "status": status}}).to_string())
}

fn version(number: u64, value: &str) -> Answer {
    let name = format!("projects/4711/secrets/key/versions/{number}");
    reply(
        200,
        &json!({"name": name, "payload": {"data": Base64::encode_string(value.as_bytes())}}).to_string(),
    )
}

fn added(number: u64) -> Answer {
    let name = format!("projects/4711/secrets/key/versions/{number}");
    reply(200, &json!({"name": name, "state": "ENABLED"}).to_string())
}

/// The two methods as their pages describe them.
fn service(first: Vec<String>) -> impl Fn(&Sent) -> Answer + Send + Sync + 'static {
    let versions = Mutex::new(first);
    move |sent: &Sent| {
        let mut versions = versions.lock().unwrap();
        assert_eq!(sent.headers["authorization"], "Bearer env:G");
        match (sent.method.as_str(), sent.target.as_str()) {
            ("GET", "/v1/projects/shop-1/secrets/key/versions/latest:access") => match versions.last() {
                Some(value) => version(versions.len() as u64, value),
                None => wrong(404, "NOT_FOUND"),
            },
            ("POST", "/v1/projects/shop-1/secrets/key:addVersion") => {
                let body: Value = serde_json::from_str(&sent.body).unwrap();
                let data = Base64::decode_vec(body["payload"]["data"].as_str().unwrap()).unwrap();
                versions.push(String::from_utf8(data).unwrap());
                added(versions.len() as u64)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_key_is_added_and_can_go_back() {
    for (field, whole) in
        [(None, text(&key(1))), (Some("K"), format!("{{\"a\":1.0,\"K\":\"{}\"}}", text(&key(1))))]
    {
        let (_, store) = open(field, World::new(service(vec!["older".to_owned(), whole])));
        let first = store.read(call()).unwrap();
        assert_eq!((&first.current, &first.pending), (&Some(key(1)), &None));
        assert!(first.version.starts_with("2/") && first.version.len() == 34, "{}", first.version);
        let second = store.write(call(), &key(2), &first.version).unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, &read.version), (Some(key(2)), &second));
        assert_eq!(store.write(call(), &key(3), &first.version), Err(StoreError::Conflict));
        assert!(matches!(store.promote(call(), &second), Err(StoreError::Refused(_))));
        let third = store.restore(call(), &key(1), &second).unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, &read.version), (Some(key(1)), &third));
        assert!(third.starts_with("4/"), "{third}");
    }
    let (_, empty) = open(Some("K"), World::new(service(Vec::new())));
    assert_eq!(empty.read(call()).unwrap(), Content { version: "-".to_owned(), ..Content::default() });
    let one = empty.write(call(), &key(1), "-").unwrap();
    assert!(one.starts_with("1/"), "{one}");
    assert_eq!(empty.read(call()).unwrap().current, Some(key(1)));
}

#[test]
fn a_number_that_came_back_is_another_version() {
    let (_, store) = open(None, World::script(vec![version(1, "a"), version(1, "b")]));
    let first = store.read(call()).unwrap().version;
    assert_eq!(store.write(call(), &key(2), &first), Err(StoreError::Conflict));
}

#[test]
fn a_write_of_somebody_else_in_between_is_told() {
    let (_, store) = open(None, World::script(vec![version(1, "a"), version(1, "a"), added(3)]));
    let first = store.read(call()).unwrap().version;
    let told = store.write(call(), &key(2), &first).unwrap_err();
    assert!(matches!(&told, StoreError::Unknown(why) if why.contains("somebody wrote")), "{told}");
}

#[test]
fn errors_are_told_apart() {
    for (answer, wanted) in [
        (lost(), "Unknown"),
        (wrong(500, "INTERNAL"), "Unknown"),
        (wrong(503, "UNAVAILABLE"), "Unknown"),
        (wrong(409, "ABORTED"), "Conflict"),
        (wrong(429, "RESOURCE_EXHAUSTED"), "Retry"),
        (wrong(400, "INVALID_ARGUMENT"), "Refused"),
        (wrong(401, "UNAUTHENTICATED"), "Refused"),
        (wrong(403, "PERMISSION_DENIED"), "Refused"),
        (wrong(404, "NOT_FOUND"), "Refused"),
        (wrong(418, "SOMETHING_NEW"), "Unknown"),
        (reply(403, "<html>"), "Unknown"),
        (reply(429, ""), "Retry"),
        (reply(200, "{}"), "Unknown"),
    ] {
        let shown = format!("{answer:?}");
        let (_, store) = open(None, World::script(vec![version(1, "a"), version(1, "a"), answer]));
        let first = store.read(call()).unwrap().version;
        let told = format!("{:?}", store.write(call(), &key(2), &first));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{shown}: {told}");
    }
    for (answer, wanted) in [
        (wrong(400, "FAILED_PRECONDITION"), "disabled or destroyed"),
        (reply(404, "<html>"), "Unknown"),
        (reply(200, r#"{"name":"projects/1/secrets/key/versions/1","payload":{"data":"?"}}"#), "Unknown"),
    ] {
        let (_, store) = open(None, World::script(vec![answer]));
        let told = format!("{:?}", store.read(call()));
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn a_service_account_signs_in_and_its_token_is_kept_until_its_end() {
    let args = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let made = std::process::Command::new("openssl").args(args).output().ok().filter(|o| o.status.success());
    let Some(made) = made else {
        println!("skipped: there is no openssl to make a key with");
        return;
    };
    let pem = String::from_utf8(made.stdout).unwrap();
    let logins = Mutex::new(0);
    let mut world = World::new(move |sent| {
        let mut logins = logins.lock().unwrap();
        if sent.target == "/token" {
            assert!(sent.body.starts_with(
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey"
            ));
            assert!(!sent.headers.contains_key("authorization"));
            *logins += 1;
            return reply(
                200,
                &json!({"access_token": format!("t{logins}"), "expires_in": 3599}).to_string(),
            );
        }
        // The second token is taken back early.
        match sent.headers["authorization"].as_str() {
            "Bearer t1" | "Bearer t3" => version(1, "a"),
            "Bearer t2" => wrong(401, "UNAUTHENTICATED"),
            other => panic!("{other}"),
        }
    });
    let account = |uri: &str| {
        json!({"type": "service_account", "client_email": "me@acme.example", "private_key": pem, "token_uri": uri})
            .to_string()
    };
    world.values.insert("env:G".to_owned(), account("https://oauth2.googleapis.com/token"));
    let (world, store) = open(None, world);
    store.read(call()).unwrap();
    store.read(call()).unwrap();
    assert_eq!(world.asked().iter().filter(|a| *a == "POST /token").count(), 1);
    // After an hour a new one is asked for. It is refused at once: a fresh token that is refused is no stale one.
    world.now.fetch_add(3_600_000, Ordering::SeqCst);
    assert!(matches!(store.read(call()), Err(StoreError::Refused(_))));
    // Kept, refused again, and so given up and asked for anew.
    store.read(call()).unwrap();
    assert_eq!(world.asked().iter().filter(|a| *a == "POST /token").count(), 3);

    for (value, why) in [
        (account("https://token.acme.example/"), "not given by"),
        (json!({"client_email": "me@acme.example"}).to_string(), "private_key"),
        (account("https://oauth2.googleapis.com/token").replace("BEGIN", "BIN"), "the key cannot sign"),
    ] {
        let mut world = World::script(Vec::new());
        world.values.insert("env:G".to_owned(), value);
        let (_, store) = open(None, world);
        let told = store.read(call()).unwrap_err();
        assert!(matches!(&told, StoreError::Refused(said) if said.contains(why)), "{told}");
    }
}

#[test]
fn regional_secrets_have_a_host_and_a_path_of_their_own() {
    let toml = "kind = 'gcp-secret-manager'\ncredential = 'env:G'\nregion = 'europe-west3'";
    let spec: Spec = toml::from_str(toml).unwrap();
    let (world, doors) = World::script(vec![version(1, "a")]).share();
    let place = Place { path: "shop-1/key".to_owned(), ..Place::default() };
    spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")).read(call()).unwrap();
    let wanted = "GET /v1/projects/shop-1/locations/europe-west3/secrets/key/versions/latest:access";
    assert_eq!(world.asked(), [wanted]);
}
