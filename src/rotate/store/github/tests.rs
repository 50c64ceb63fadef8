use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply, text};
use crypto_box::SecretKey;
use std::sync::Mutex;

fn open(path: &str, world: World) -> (Arc<World>, Box<dyn Store>) {
    let spec: Spec = toml::from_str("kind = 'github-actions'\ncredential = 'env:G'").unwrap();
    let (world, doors) = world.share();
    let place = Place { path: path.to_owned(), field: Some("API_KEY".to_owned()), ..Place::default() };
    (world, spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")))
}

fn ours() -> SecretKey {
    SecretKey::from([7; 32])
}

/// GitHub's side: opens what is sealed.
fn hub(
    visibility: Option<&'static str>,
    got: Arc<Mutex<Vec<Secret>>>,
) -> impl Fn(&Sent) -> Answer + Send + Sync {
    let updated = Mutex::new(1);
    move |sent: &Sent| {
        assert_eq!(sent.headers["authorization"], "Bearer env:G");
        let mut n = updated.lock().unwrap();
        if sent.target.ends_with("/public-key") {
            let key = Base64::encode_string(ours().public_key().as_bytes());
            return reply(200, &format!("{{\"key_id\":\"k1\",\"key\":\"{key}\"}}"));
        }
        if let Some(page) = sent.target.split("&page=").nth(1) {
            return match page {
                "1" => reply(200, r#"{"total_count":3,"repositories":[{"id":5,"name":"x"},{"id":6}]}"#),
                _ => reply(200, r#"{"total_count":3,"repositories":[{"id":9}]}"#),
            };
        }
        if sent.method == "GET" {
            let shown = visibility.map(|v| format!(",\"visibility\":\"{v}\"")).unwrap_or_default();
            return reply(
                200,
                &format!("{{\"name\":\"API_KEY\",\"updated_at\":\"2026-01-0{n}T00:00:00Z\"{shown}}}"),
            );
        }
        let body: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
        assert_eq!((&body["key_id"], body["visibility"].as_str()), (&"k1".into(), visibility));
        let listed = (visibility == Some("selected")).then(|| serde_json::json!([5, 6, 9]));
        assert_eq!(body.get("selected_repository_ids"), listed.as_ref());
        let sealed = Base64::decode_vec(body["encrypted_value"].as_str().unwrap()).unwrap();
        got.lock().unwrap().push(Secret::new(&ours().unseal(&sealed).unwrap()));
        *n += 1;
        reply(204, "")
    }
}

#[test]
fn a_secret_is_sealed_for_each_kind_of_place() {
    for (path, base, visibility) in [
        ("acme/shop", "/repos/acme/shop/actions/secrets", None),
        ("acme/shop/prod eu", "/repos/acme/shop/environments/prod%20eu/secrets", None),
        ("acme", "/orgs/acme/actions/secrets", Some("private")),
        ("acme", "/orgs/acme/actions/secrets", Some("selected")),
    ] {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (world, store) = open(path, World::new(hub(visibility, Arc::clone(&got))));
        let first = store.read(call()).unwrap();
        assert_eq!((first.current, first.version.as_str()), (None, "2026-01-01T00:00:00Z k1"));
        let second = store.write(call(), &key(2), &first.version).unwrap();
        assert_eq!(second, "2026-01-02T00:00:00Z k1");
        assert_eq!(store.write(call(), &key(3), &first.version), Err(StoreError::Conflict));
        store.restore(call(), &key(1), &second).unwrap();
        assert_eq!(*got.lock().unwrap(), [key(2), key(1)]);
        let sent = world.sent.lock().unwrap();
        assert!(sent.iter().all(|s| s.target.starts_with(base) && !s.body.contains(&text(&key(2)))));
        // A sealed box of the same value is never the same twice.
        assert_ne!(seal(&ours().public_key(), &key(2)), seal(&ours().public_key(), &key(2)));
    }
}

#[test]
fn answers_are_told_apart() {
    let said = || reply(200, r#"{"updated_at":"t"}"#);
    let sealer = || {
        let key = Base64::encode_string(ours().public_key().as_bytes());
        reply(200, &format!("{{\"key_id\":\"k\",\"key\":\"{key}\"}}"))
    };
    let mut limited = reply(403, "{}");
    if let Ok(reply) = &mut limited {
        reply.headers.insert("x-ratelimit-remaining".to_owned(), "0".to_owned());
    }
    for (answers, wanted) in [
        (vec![said(), sealer(), lost()], "Unknown"),
        (vec![said(), sealer(), reply(422, "")], "Refused"),
        (vec![said(), sealer(), limited], "Retry"),
        (vec![said(), sealer(), reply(502, "")], "Unknown"),
        // Written, but nobody knows which version that made.
        (vec![said(), sealer(), reply(204, ""), lost()], "Unknown"),
        (vec![said(), reply(200, r#"{"key_id":"k","key":"AAAA"}"#)], "Unknown"),
        (vec![reply(404, "{}"), sealer()], "Conflict"),
        (vec![reply(401, "")], "Refused"),
    ] {
        let (_, store) = open("acme/shop", World::script(answers));
        let told = format!("{:?}", store.write(call(), &key(2), "t k"));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{wanted}: {told}");
    }
    let (_, store) = open("acme/shop", World::script(vec![reply(404, "{}"), sealer()]));
    assert_eq!(store.read(call()).unwrap().version, "none k");
}
