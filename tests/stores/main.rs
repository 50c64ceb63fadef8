//! Stores against real servers on loopback, which `.ci/run stores` installs and starts: OpenBao, moto's Secrets Manager
//! and Parameter Store, drongo's Secret Manager of Google, and a double of GitHub's interface that opens sealed boxes with libsodium. What is not there is skipped and said.

// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

mod wire;

use keywheel::call::{Prepared, Reply};
use keywheel::model::Secret;
use keywheel::rotate::engine::{Content, Store, StoreError};
use keywheel::rotate::store::{Place, Spec};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use wire::{World, call};

/// A key of no provider.
fn key(n: u32) -> Secret {
    Secret::new(format!("acme-{n:04}-{}", "x".repeat(24)).as_bytes())
}

/// What the script gives; none, with a note, if this part could not be had.
fn part(name: &str) -> Option<String> {
    let found = std::env::var(name).ok().filter(|v| !v.is_empty());
    if found.is_none() {
        println!("skipped: {name} is not set; `.ci/run stores` sets it");
    }
    found
}

fn open(world: &World, spec: &str, path: &str, field: Option<&str>) -> Box<dyn Store> {
    let spec: Spec = toml::from_str(spec).unwrap();
    let place = Place {
        lineage: "acme".to_owned(),
        path: path.to_owned(),
        field: field.map(str::to_owned),
        rollout: Vec::new(),
    };
    spec.open(&place, &(Arc::new(world.clone()) as _)).unwrap_or_else(|e| panic!("{e}"))
}

/// The paths that a store lists.
fn listed(world: &World, spec: &str, shelf: &str) -> Vec<String> {
    let spec: Spec = toml::from_str(spec).unwrap();
    let listing = spec.list(shelf, &(Arc::new(world.clone()) as _), call()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(listing.failed, Vec::<String>::new());
    listing.entries.into_iter().map(|entry| entry.path).collect()
}

fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let (host, port) = address.strip_prefix("http://").unwrap().rsplit_once(':').unwrap();
    let secret = |text: &str| Secret::new(text.as_bytes());
    let request = Prepared {
        method: method.to_owned(),
        tls: false,
        host: host.to_owned(),
        port: Some(port.parse().unwrap()),
        target: secret(path),
        headers: headers.iter().map(|(k, v)| ((*k).to_owned(), secret(v))).collect(),
        body: (!body.is_empty()).then(|| secret(body)),
    };
    let reply = wire::send(&request, call().deadline).unwrap();
    assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.body);
    reply
}

fn json(reply: &Reply, pointer: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    body.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_else(|| panic!("{pointer}")).to_owned()
}

/// What every store that can be read does, from the first look to the way back.
fn through(store: &dyn Store, staged: bool) {
    let first = store.read(call()).unwrap();
    assert_eq!((&first.current, &first.pending), (&Some(key(1)), &None));
    let mut version = store.write(call(), &key(2), &first.version).unwrap();
    assert_eq!(store.write(call(), &key(3), &first.version), Err(StoreError::Conflict));
    if staged {
        let read = store.read(call()).unwrap();
        let wanted = Content { current: Some(key(1)), pending: Some(key(2)), version: version.clone() };
        assert_eq!(read, wanted);
        assert_eq!(store.promote(call(), &first.version), Err(StoreError::Conflict));
        version = store.promote(call(), &version).unwrap();
    }
    let read = store.read(call()).unwrap();
    assert_eq!(read, Content { current: Some(key(2)), pending: None, version: version.clone() });
    if staged {
        // moto lets two versions keep a label when one put names both labels, which AWS never does: it cannot judge the
        // way back. The double in the unit tests does.
        return;
    }
    let back = store.restore(call(), &key(1), &version).unwrap();
    let read = store.read(call()).unwrap();
    assert_eq!(read, Content { current: Some(key(1)), pending: None, version: back });
}

#[test]
fn openbao() {
    let Some(address) = part("KEYWHEEL_STORES_BAO") else { return };
    let root = part("KEYWHEEL_STORES_BAO_TOKEN").unwrap();
    let bao = |method: &str, path: &str, body: &str| {
        ask(&address, method, &format!("/v1/{path}"), &[("X-Vault-Token", &root)], body)
    };
    bao("POST", "sys/mounts/team/kv", r#"{"type":"kv","options":{"version":"2"}}"#);
    bao("POST", "sys/auth/machine", r#"{"type":"approle"}"#);
    let policy =
        r#"{"policy":"path \"team/kv/data/shop/*\" { capabilities = [\"read\", \"create\", \"update\"] }"}"#;
    bao("PUT", "sys/policies/acl/keywheel", policy);
    bao("POST", "auth/machine/role/keywheel", r#"{"token_policies":["keywheel"],"token_ttl":"2m"}"#);
    let mut world = World::default();
    let role = bao("GET", "auth/machine/role/keywheel/role-id", "");
    let secret = bao("POST", "auth/machine/role/keywheel/secret-id", "");
    world.set("env:ROLE", &json(&role, "/data/role_id"));
    world.set("env:SECRET", &json(&secret, "/data/secret_id"));
    world.set("env:ROOT", &root);
    world.set("env:BAD", "no token of anybody");

    let one = String::from_utf8(key(1).expose().to_vec()).unwrap();
    bao("POST", "team/kv/data/shop/a%20b", &format!(r#"{{"data":{{"KEY":"{one}","n":12345678}}}}"#));
    let role = format!(
        "kind = 'openbao'\naddress = '{address}'\nplain = true\nmount = 'team/kv'\n\
         approle = {{ role-id = 'env:ROLE', secret-id = 'env:SECRET', mount = 'machine' }}"
    );
    let store = open(&world, &role, "shop/a b", Some("KEY"));
    through(&*store, false);
    let after = bao("GET", "team/kv/data/shop/a%20b", "");
    assert!(after.body.contains("12345678"), "{}", after.body);

    // Deleted: it counts on, and can be written again.
    bao("DELETE", "team/kv/data/shop/a%20b", "");
    let gone = store.read(call()).unwrap();
    assert_eq!(gone.current, None);
    assert_eq!(store.write(call(), &key(4), "1"), Err(StoreError::Conflict));
    store.write(call(), &key(4), &gone.version).unwrap();
    assert_eq!(store.read(call()).unwrap().current, Some(key(4)));

    // Never there.
    let fresh = open(&world, &role, "shop/new", Some("KEY"));
    assert_eq!(fresh.read(call()).unwrap(), Content { version: "0".to_owned(), ..Content::default() });
    assert_eq!(fresh.write(call(), &key(5), "0"), Ok("1".to_owned()));

    // No right to it, no such mount, no such token.
    let refused =
        |store: &dyn Store| matches!(store.write(call(), &key(2), "0"), Err(StoreError::Refused(_)));
    assert!(refused(&*open(&world, &role, "other/x", Some("KEY"))));
    let token = |t: &str| format!("kind = 'openbao'\naddress = '{address}'\nplain = true\ntoken = 'env:{t}'");
    assert!(refused(&*open(&world, &token("ROOT"), "nomount/x", Some("KEY"))));
    assert!(refused(&*open(&world, &token("BAD"), "secret/x", Some("KEY"))));
    // Two writers, one version: the engine's own check decides.
    let stores: Vec<_> = (0..4).map(|_| open(&world, &token("ROOT"), "secret/race", Some("KEY"))).collect();
    let wins: Vec<_> = stores.iter().map(|s| s.write(call(), &key(6), "0")).collect();
    assert_eq!(wins.iter().filter(|w| w.is_ok()).count(), 1);
    assert_eq!(wins.iter().filter(|w| **w == Err(StoreError::Conflict)).count(), 3);
}

#[test]
fn secrets_manager() {
    let Some(address) = part("KEYWHEEL_STORES_AWS") else { return };
    let mut world = World::default();
    world.set("env:AWS", r#"{"Version":1,"AccessKeyId":"testing","SecretAccessKey":"testing"}"#);
    let spec = format!(
        "kind = 'aws-secrets-manager'\nregion = 'eu-central-1'\ncredential = 'env:AWS'\n\
         address = '{address}'\nplain = true"
    );
    let one = String::from_utf8(key(1).expose().to_vec()).unwrap();
    for (name, field, value) in
        [("plain", None, one.clone()), ("json", Some("KEY"), format!("{{\"a\":1,\"KEY\":\"{one}\"}}"))]
    {
        let body = serde_json::json!({"Name": name, "SecretString": value}).to_string();
        let authorization = wire::authorization("testing", "eu-central-1", "secretsmanager");
        let headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("X-Amz-Target", "secretsmanager.CreateSecret"),
            ("Authorization", authorization.as_str()),
        ];
        ask(&address, "POST", "/", &headers, &body);
        through(&*open(&world, &spec, name, field), true);
    }
    let names = listed(&world, &spec, "");
    assert!(["plain", "json"].iter().all(|name| names.iter().any(|n| n == name)), "{names:?}");
    let absent = open(&world, &spec, "absent", None);
    assert_eq!(absent.read(call()).unwrap().version, "-/-");
    assert!(matches!(absent.write(call(), &key(2), "-/-"), Err(StoreError::Refused(_))));
}

#[test]
fn parameter_store() {
    let Some(address) = part("KEYWHEEL_STORES_AWS") else { return };
    let mut world = World::default();
    world.set("env:AWS", r#"{"Version":1,"AccessKeyId":"testing","SecretAccessKey":"testing"}"#);
    let spec = format!(
        "kind = 'aws-parameter-store'\nregion = 'eu-central-1'\ncredential = 'env:AWS'\n\
         address = '{address}'\nplain = true"
    );
    let authorization = wire::authorization("testing", "eu-central-1", "ssm");
    let ssm = |action: &str, body: serde_json::Value| {
        let target = format!("AmazonSSM.{action}");
        let headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("X-Amz-Target", target.as_str()),
            ("Authorization", authorization.as_str()),
        ];
        ask(&address, "POST", "/", &headers, &body.to_string())
    };
    let one = String::from_utf8(key(1).expose().to_vec()).unwrap();
    for (name, field, value) in [
        ("/shop/plain", None, one.clone()),
        ("/shop/json", Some("KEY"), format!("{{\"a\":1,\"KEY\":\"{one}\"}}")),
    ] {
        let made = serde_json::json!({"Name": name, "Value": value, "Type": "SecureString", "KeyId": "alias/shop",
            "Description": "the shop's", "Tier": "Advanced"});
        ssm("PutParameter", made);
        through(&*open(&world, &spec, name, field), false);
        let filter = serde_json::json!({"Key": "Name", "Option": "Equals", "Values": [name]});
        let told = ssm("DescribeParameters", serde_json::json!({ "ParameterFilters": [filter] }));
        for (member, wanted) in [
            ("KeyId", "alias/shop"),
            ("Description", "the shop's"),
            ("Tier", "Advanced"),
            ("Type", "SecureString"),
        ] {
            assert_eq!(json(&told, &format!("/Parameters/0/{member}")), wanted);
        }
    }
    // Deleted and made anew, the numbers begin again, and an old version is none of it.
    ssm("PutParameter", serde_json::json!({"Name": "/shop/anew", "Value": "other", "Type": "SecureString"}));
    let anew = open(&world, &spec, "/shop/anew", None);
    let first = anew.read(call()).unwrap().version;
    ssm("DeleteParameter", serde_json::json!({"Name": "/shop/anew"}));
    assert_eq!(anew.read(call()).unwrap().version, "-");
    ssm(
        "PutParameter",
        serde_json::json!({"Name": "/shop/anew", "Value": "another", "Type": "SecureString"}),
    );
    assert_eq!(anew.write(call(), &key(2), &first), Err(StoreError::Conflict));

    ssm("PutParameter", serde_json::json!({"Name": "/shop/clear", "Value": one, "Type": "String"}));
    let clear = open(&world, &spec, "/shop/clear", None);
    assert!(matches!(clear.read(call()), Err(StoreError::Refused(_))));
    // Only what is encrypted, whichever page it is on.
    for n in 0..60 {
        let name = format!("/many/{n:02}");
        ssm("PutParameter", serde_json::json!({"Name": name, "Value": "x", "Type": "SecureString"}));
    }
    let names = listed(&world, &spec, "");
    assert_eq!(names.iter().filter(|name| name.starts_with("/many/")).count(), 60, "{names:?}");
    assert!(
        names.iter().any(|n| n == "/shop/plain") && !names.iter().any(|n| n == "/shop/clear"),
        "{names:?}"
    );
    let absent = open(&world, &spec, "/shop/absent", None);
    assert_eq!(absent.read(call()).unwrap().version, "-");
    assert!(matches!(absent.write(call(), &key(2), "-"), Err(StoreError::Refused(_))));
}

#[test]
fn gcp_secret_manager() {
    let Some(address) = part("KEYWHEEL_STORES_GCP") else { return };
    let mut world = World::default();
    // An access token as it stands: drongo asks for none.
    world.set("env:G", "anybody");
    let spec =
        format!("kind = 'gcp-secret-manager'\ncredential = 'env:G'\naddress = '{address}'\nplain = true");
    let made = |name: &str| {
        let path = format!("/v1/projects/shop-1/secrets?secretId={name}");
        ask(
            &address,
            "POST",
            &path,
            &[("Content-Type", "application/json")],
            r#"{"replication":{"automatic":{}}}"#,
        );
    };
    for (name, field) in [("plain", None), ("json", Some("KEY"))] {
        made(name);
        let store = open(&world, &spec, &format!("shop-1/{name}"), field);
        // Made, and without a version: the first is ours.
        assert_eq!(store.read(call()).unwrap(), Content { version: "-".to_owned(), ..Content::default() });
        store.write(call(), &key(1), "-").unwrap();
        assert_eq!(store.write(call(), &key(1), "-"), Err(StoreError::Conflict));
        through(&*store, false);
        let path = format!("/v1/projects/shop-1/secrets/{name}/versions");
        let versions: serde_json::Value =
            serde_json::from_str(&ask(&address, "GET", &path, &[], "").body).unwrap();
        assert_eq!(versions["totalSize"], 3, "nothing is added but what is written");
    }
    let names = listed(&world, &spec, "shop-1");
    assert_eq!(names, ["shop-1/json", "shop-1/plain"]);
    let absent = open(&world, &spec, "shop-1/absent", None);
    assert_eq!(absent.read(call()).unwrap().version, "-");
    assert!(matches!(absent.write(call(), &key(2), "-"), Err(StoreError::Refused(_))));
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn libsodium_opens_what_is_sealed_for_github() {
    let Some(python) = part("KEYWHEEL_STORES_PYTHON") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stores/github.py");
    let mut child = Running(Command::new(python).arg(script).stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let address = format!("http://127.0.0.1:{}", port.trim());
    let mut world = World::default();
    world.set("env:G", "anybody");
    let spec =
        format!("kind = 'github-actions'\ncredential = 'env:G'\naddress = '{address}/api/v3'\nplain = true");
    for (n, path) in ["acme/shop", "acme/shop/prod", "acme"].into_iter().enumerate() {
        let store = open(&world, &spec, path, Some("API_KEY"));
        let version = store.read(call()).unwrap().version;
        let value = key(10 + u32::try_from(n).unwrap());
        let after = store.write(call(), &value, &version).unwrap();
        assert_ne!(after, version);
        assert_eq!(store.write(call(), &value, &version), Err(StoreError::Conflict));
        let opened = ask(&address, "GET", "/opened", &[], "");
        assert_eq!(opened.body.as_bytes(), value.expose());
    }
}
