use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply};
use serde_json::{Value, json};
use std::sync::Mutex;

const SPEC: &str =
    "kind = 'kubernetes'\naddress = 'https://k8s.corp.example:6443'\ntoken = 'file:/t'\nca = 'file:/c'";

fn place(rollout: &[&str]) -> Place {
    let rollout = rollout.iter().map(|&d| d.to_owned()).collect();
    Place { lineage: String::new(), path: "shop/api".to_owned(), field: Some("key".to_owned()), rollout }
}

fn open(rollout: &[&str], world: World) -> (Arc<World>, Box<dyn Store>, Option<Rollout>) {
    let spec: Spec = toml::from_str(SPEC).unwrap();
    let (world, doors) = world.share();
    let store = spec.open(&place(rollout), &doors).unwrap_or_else(|e| panic!("{e}"));
    let Spec::Kubernetes(spec) = spec else { panic!("another kind") };
    (world, store, Rollout::new(&spec, &place(rollout), doors).unwrap_or_else(|e| panic!("{e}")))
}

/// RFC 7396.
fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in patch {
        merge(&mut into[name.as_str()], value);
    }
}

/// An API server with one Secret and one Deployment, whose pods follow when `settle` is called.
struct Server {
    secret: Value,
    deployment: Value,
    deaf: bool,
}

impl Server {
    fn new() -> Server {
        Server {
            secret: json!({
                "metadata": {"resourceVersion": "10", "labels": {"a": "b"}},
                "data": {"key": Base64::encode_string(key(1).expose()), "other": "AA=="},
            }),
            deployment: json!({
                "metadata": {"generation": 1},
                "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "api"}}}},
                "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
            }),
            deaf: false,
        }
    }

    fn answer(&mut self, sent: &Sent) -> Answer {
        assert_eq!(sent.headers["authorization"], "Bearer file:/t");
        let patch: Option<Value> = (sent.method == "PATCH").then(|| {
            assert_eq!(sent.headers["content-type"], "application/merge-patch+json");
            serde_json::from_str(&sent.body).unwrap()
        });
        match sent.target.as_str() {
            "/api/v1/namespaces/shop/secrets/api" => {
                if let Some(patch) = patch {
                    if patch["metadata"]["resourceVersion"] != self.secret["metadata"]["resourceVersion"] {
                        return reply(409, r#"{"reason":"Conflict"}"#);
                    }
                    let last: u64 =
                        self.secret["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
                    merge(&mut self.secret, &patch);
                    self.secret["metadata"]["resourceVersion"] = json!((last + 1).to_string());
                }
                reply(200, &self.secret.to_string())
            }
            "/apis/apps/v1/namespaces/shop/deployments/api" => {
                if self.deaf {
                    return reply(500, "");
                }
                if let Some(patch) = patch {
                    merge(&mut self.deployment, &patch);
                    let next = self.deployment["metadata"]["generation"].as_u64().unwrap() + 1;
                    self.deployment["metadata"]["generation"] = json!(next);
                }
                reply(200, &self.deployment.to_string())
            }
            _ => reply(404, ""),
        }
    }
}

fn share(server: Server) -> (Arc<Mutex<Server>>, World) {
    let server = Arc::new(Mutex::new(server));
    let own = Arc::clone(&server);
    (server, World::new(move |sent| own.lock().unwrap().answer(sent)))
}

#[test]
fn one_data_key_changes_under_its_version() {
    let (server, world) = share(Server::new());
    let (_, store, rollout) = open(&[], world);
    assert!(rollout.is_none());
    let first = store.read(call()).unwrap();
    assert_eq!((first.current, first.version.as_str()), (Some(key(1)), "10"));
    assert_eq!(store.write(call(), &key(2), "10"), Ok("11".to_owned()));
    assert_eq!(store.write(call(), &key(3), "10"), Err(StoreError::Conflict));
    assert_eq!(store.read(call()).unwrap().current, Some(key(2)));
    assert_eq!(store.restore(call(), &key(1), "11"), Ok("12".to_owned()));
    let server = server.lock().unwrap();
    let coded = Base64::encode_string(key(1).expose());
    assert_eq!(server.secret["data"], json!({"key": coded, "other": "AA=="}));
    assert_eq!(server.secret["metadata"]["labels"], json!({"a": "b"}));
}

#[test]
fn deployments_are_told_once_and_watched_to_the_end() {
    let (server, world) = share(Server::new());
    let (world, store, rollout) = open(&["api"], world);
    let rollout = rollout.unwrap();
    // Pods that run since before anybody told them prove nothing.
    store.write(call(), &key(2), "10").unwrap();
    assert_eq!(server.lock().unwrap().deployment["metadata"]["generation"], 2);
    assert_eq!(rollout.complete(call()), Ok(false));
    let status = |observed: u64, all: u64, new: u64, available: u64| {
        server.lock().unwrap().deployment["status"] = json!({
            "observedGeneration": observed, "replicas": all, "updatedReplicas": new, "availableReplicas": available,
        });
    };
    for (observed, all, new, available, done) in [
        (2, 3, 1, 2, false),
        (2, 3, 2, 3, false),
        (2, 2, 2, 1, false),
        (1, 2, 2, 2, false),
        (2, 2, 2, 2, true),
    ] {
        status(observed, all, new, available);
        assert_eq!(rollout.complete(call()), Ok(done), "{observed} {all} {new} {available}");
    }
    let patches = world.asked().iter().filter(|a| a.starts_with("PATCH /apis")).count();
    assert_eq!(patches, 1);
    // A label on the Secret is no new key.
    server.lock().unwrap().secret["metadata"]["resourceVersion"] = json!("99");
    assert_eq!(rollout.complete(call()), Ok(true));
    // Another key is.
    store.write(call(), &key(3), "99").unwrap();
    assert_eq!(rollout.complete(call()), Ok(false));
    let sent = world.sent.lock().unwrap();
    let told: Vec<_> = sent.iter().filter(|s| s.target.contains("deployments")).collect();
    assert!(told.iter().all(|s| !s.body.contains("acme-")));
}

#[test]
fn a_deployment_that_was_missed_is_told_by_the_proof() {
    let (server, world) = share(Server { deaf: true, ..Server::new() });
    let (_, store, rollout) = open(&["api"], world);
    let rollout = rollout.unwrap();
    assert_eq!(store.write(call(), &key(2), "10"), Ok("11".to_owned()));
    assert!(matches!(rollout.complete(call()), Err(StoreError::Unknown(_))));
    server.lock().unwrap().deaf = false;
    assert_eq!(rollout.complete(call()), Ok(false));
    assert_eq!(server.lock().unwrap().deployment["metadata"]["generation"], 2);
}

#[test]
fn answers_are_told_apart() {
    for (answer, wanted) in [
        (lost(), "Unknown"),
        (reply(200, "{}"), "Unknown"),
        (reply(403, r#"{"reason":"Forbidden"}"#), "Refused"),
        (reply(404, ""), "Refused"),
        (reply(409, ""), "Conflict"),
        (reply(422, r#"{"reason":"Invalid"}"#), "Refused"),
        (reply(429, ""), "Retry"),
        (reply(504, ""), "Unknown"),
    ] {
        let shown = format!("{answer:?}");
        let (_, store, _) = open(&[], World::script(vec![answer]));
        let told = format!("{:?}", store.write(call(), &key(2), "10"));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{shown}: {told}");
    }
}
