use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply, text};
use std::sync::Mutex;

fn open(field: Option<&str>, world: World) -> (Arc<World>, Box<dyn Store>) {
    let toml = "kind = 'aws-secrets-manager'\nregion = 'eu-central-1'\ncredential = 'env:AWS'";
    let spec: Spec = toml::from_str(toml).unwrap();
    let mut world = world;
    let json = r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"sk","SessionToken":"st"}"#;
    world.values.insert("env:AWS".to_owned(), json.to_owned());
    let (world, doors) = world.share();
    let place = Place { path: "shop/key".to_owned(), field: field.map(str::to_owned), ..Place::default() };
    (world, spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")))
}

#[derive(Default)]
struct Service {
    versions: Vec<(String, String)>,
    current: String,
    pending: String,
}

fn wrong(name: &str) -> Answer {
    reply(400, &format!("{{\"__type\":\"com.amazonaws#{name}\",\"message\":\"x\"}}"))
}

/// The three actions, with the conditions that their pages name.
fn service(first: &str) -> impl Fn(&Sent) -> Answer + Send + Sync + 'static {
    let state = Mutex::new(Service {
        versions: vec![("v1".to_owned(), first.to_owned())],
        current: "v1".to_owned(),
        pending: String::new(),
    });
    move |sent: &Sent| {
        let mut s = state.lock().unwrap();
        let scope = "Credential=id/19700101/eu-central-1/secretsmanager/aws4_request";
        assert!(sent.headers["authorization"].contains(scope), "{}", sent.headers["authorization"]);
        assert_eq!(sent.headers["x-amz-security-token"], "st");
        let body: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
        assert_eq!(body["SecretId"], "shop/key");
        match sent.headers["x-amz-target"].as_str() {
            "secretsmanager.GetSecretValue" => {
                let id = if body["VersionStage"] == "AWSPENDING" { &s.pending } else { &s.current };
                match s.versions.iter().find(|(own, _)| own == id) {
                    Some((id, value)) => {
                        reply(200, &serde_json::json!({"VersionId": id, "SecretString": value}).to_string())
                    }
                    None => wrong("ResourceNotFoundException"),
                }
            }
            "secretsmanager.PutSecretValue" => {
                let id = body["ClientRequestToken"].as_str().unwrap().to_owned();
                let value = body["SecretString"].as_str().unwrap().to_owned();
                assert!((32..=64).contains(&id.len()));
                match s.versions.iter().find(|(own, _)| *own == id) {
                    Some((_, old)) if *old != value => return wrong("ResourceExistsException"),
                    Some(_) => {}
                    None => s.versions.push((id.clone(), value)),
                }
                for stage in body["VersionStages"].as_array().unwrap() {
                    match stage.as_str() {
                        Some("AWSPENDING") => s.pending = id.clone(),
                        _ => s.current = id.clone(),
                    }
                }
                reply(200, "{}")
            }
            "secretsmanager.UpdateSecretVersionStage" => {
                if body["RemoveFromVersionId"] != s.current.as_str() {
                    return wrong("InvalidParameterException");
                }
                s.current = body["MoveToVersionId"].as_str().unwrap().to_owned();
                reply(200, "{}")
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_key_is_pending_then_current_and_can_go_back() {
    for (field, whole) in
        [(None, text(&key(1))), (Some("K"), format!("{{\"a\":1.0,\"K\":\"{}\"}}", text(&key(1))))]
    {
        let (world, store) = open(field, World::new(service(&whole)));
        let first = store.read(call()).unwrap();
        assert_eq!((first.current, first.pending, first.version.as_str()), (Some(key(1)), None, "v1/-"));
        let second = store.write(call(), &key(2), "v1/-").unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, read.pending, &read.version), (Some(key(1)), Some(key(2)), &second));
        assert_eq!(store.write(call(), &key(3), "v1/-"), Err(StoreError::Conflict));
        assert_eq!(store.promote(call(), "v1/-"), Err(StoreError::Conflict));
        let third = store.promote(call(), &second).unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, read.pending, &read.version), (Some(key(2)), None, &third));
        let fourth = store.restore(call(), &key(1), &third).unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, read.pending, &read.version), (Some(key(1)), None, &fourth));
        if field.is_some() {
            let sent = world.sent.lock().unwrap();
            let put = sent.iter().find(|s| s.headers["x-amz-target"].ends_with("PutSecretValue")).unwrap();
            let body: serde_json::Value = serde_json::from_str(&put.body).unwrap();
            let wanted = format!("{{\"a\":1.0,\"K\":\"{}\"}}", text(&key(2)));
            assert_eq!(body["SecretString"], wanted.as_str());
        }
    }
}

#[test]
fn a_restore_drops_what_is_only_pending() {
    let (_, store) = open(None, World::new(service(&text(&key(1)))));
    let pending = store.write(call(), &key(2), "v1/-").unwrap();
    store.restore(call(), &key(1), &pending).unwrap();
    let read = store.read(call()).unwrap();
    assert_eq!((read.current, read.pending), (Some(key(1)), None));
    assert!(matches!(store.promote(call(), &read.version), Err(StoreError::Refused(_))));
}

#[test]
fn a_put_whose_answer_was_lost_makes_no_second_version() {
    let real = service(&text(&key(1)));
    let cut = Mutex::new(true);
    let (world, store) = open(
        None,
        World::new(move |sent| {
            let answer = real(sent);
            let put = sent.headers["x-amz-target"].ends_with("PutSecretValue");
            if put && std::mem::take(&mut *cut.lock().unwrap()) { lost() } else { answer }
        }),
    );
    assert!(matches!(store.write(call(), &key(2), "v1/-"), Err(StoreError::Unknown(_))));
    let read = store.read(call()).unwrap();
    assert_eq!(read.pending, Some(key(2)));
    // The same write again would be a conflict: what it expects is no longer there.
    assert_eq!(store.write(call(), &key(2), "v1/-"), Err(StoreError::Conflict));
    let tokens = |world: &World| {
        let sent = world.sent.lock().unwrap();
        sent.iter()
            .filter(|s| s.body.contains("ClientRequestToken"))
            .map(|s| s.body.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(tokens(&world).len(), 1);
}

#[test]
fn errors_are_told_apart() {
    let current = || reply(200, r#"{"VersionId":"v1","SecretString":"a"}"#);
    let none = || wrong("ResourceNotFoundException");
    for (answer, wanted) in [
        (lost(), "Unknown"),
        (reply(500, r#"{"__type":"InternalServiceError"}"#), "Unknown"),
        (reply(400, r#"{"__type":"ThrottlingException"}"#), "Retry"),
        (reply(400, r#"{"__type":"AccessDeniedException","Message":"x"}"#), "Refused"),
        (wrong("LimitExceededException"), "Refused"),
        (wrong("ResourceExistsException"), "Conflict"),
        (wrong("SomethingNew"), "Unknown"),
        (reply(403, "<html>"), "Unknown"),
        (reply(429, ""), "Retry"),
    ] {
        let shown = format!("{answer:?}");
        let (_, store) = open(None, World::script(vec![current(), none(), answer]));
        let told = format!("{:?}", store.write(call(), &key(2), "v1/-"));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{shown}: {told}");
    }
    // Another moved the label between the look and the move.
    let pending = reply(200, r#"{"VersionId":"v2","SecretString":"b"}"#);
    let (_, store) = open(None, World::script(vec![current(), pending, wrong("InvalidParameterException")]));
    assert_eq!(store.promote(call(), "v1/v2"), Err(StoreError::Conflict));
    let binary = reply(200, r#"{"VersionId":"v1","SecretBinary":"AA=="}"#);
    let (_, store) = open(None, World::script(vec![binary]));
    assert!(matches!(store.read(call()), Err(StoreError::Refused(_))));
}
