use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply, text};
use serde_json::{Value, json};
use std::sync::Mutex;

const TOKEN: &str = "kind = 'infisical'\ntoken = 'env:T'";
const IDENTITY: &str = "kind = 'infisical'\naddress = 'https://vault.acme.example'\n\
                        identity = { client-id = 'env:ID', client-secret = 'env:SECRET' }";

fn open(spec: &str, world: World) -> (Arc<World>, Box<dyn Store>) {
    let spec: Spec = toml::from_str(spec).unwrap();
    let (world, doors) = world.share();
    let place =
        Place { path: "p-1/prod/a b/c".to_owned(), field: Some("API_KEY".to_owned()), ..Place::default() };
    (world, spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")))
}

fn shown(value: &str, version: u64) -> Answer {
    let secret = json!({"id": "s1", "version": version, "secretKey": "API_KEY", "secretValue": value,
                        "secretValueHidden": false, "secretPath": "/a b/c"});
    reply(200, &json!({ "secret": secret }).to_string())
}

/// Infisical's side.
struct Side {
    value: String,
    version: u64,
    tokens: u32,
    /// Whether it knows version 4.
    new: bool,
    /// Whether an access token ends as soon as it was used.
    short: bool,
}

impl Side {
    fn answer(&mut self, sent: &Sent) -> Answer {
        let body: Value = serde_json::from_str(&sent.body).unwrap_or_default();
        if sent.target == "/api/v1/auth/universal-auth/login" {
            assert_eq!(body, json!({"clientId": "env:ID", "clientSecret": "env:SECRET"}));
            self.tokens += 1;
            let token = format!("t{}", self.tokens);
            return reply(
                200,
                &json!({"accessToken": token, "expiresIn": 7200, "tokenType": "Bearer"}).to_string(),
            );
        }
        if sent.headers["authorization"] != format!("Bearer t{}", self.tokens) {
            return reply(401, r#"{"statusCode":401,"message":"Token expired"}"#);
        }
        let (path, project) = match self.new {
            true => ("/api/v4/secrets/API_KEY", "projectId"),
            false => ("/api/v3/secrets/raw/API_KEY", "workspaceId"),
        };
        let Some(rest) = sent.target.strip_prefix(path) else {
            let why = format!("Route {}:/api/… not found", sent.method);
            return reply(404, &json!({"message": why, "error": "Not Found", "statusCode": 404}).to_string());
        };
        if sent.method == "GET" {
            let wanted = format!(
                "?{project}=p-1&environment=prod&secretPath=%2Fa%20b%2Fc&viewSecretValue=true\
                 &expandSecretReferences=false&include_imports=false"
            );
            assert_eq!(rest, wanted);
        } else {
            assert_eq!((sent.method.as_str(), rest), ("PATCH", ""));
            assert_eq!((&body[project], &body["secretPath"]), (&json!("p-1"), &json!("/a b/c")));
            assert_eq!((&body["environment"], &body["type"]), (&json!("prod"), &json!("shared")));
            self.value = body["secretValue"].as_str().unwrap().to_owned();
            self.version += 1;
        }
        if self.short {
            self.tokens += 1;
        }
        shown(&self.value, self.version)
    }
}

fn side(new: bool, short: bool) -> (Arc<Mutex<Side>>, World) {
    let side = Arc::new(Mutex::new(Side { value: text(&key(1)), version: 4, tokens: 0, new, short }));
    let own = Arc::clone(&side);
    (side, World::new(move |sent: &Sent| own.lock().unwrap().answer(sent)))
}

#[test]
fn a_value_goes_there_and_back() {
    // Both interfaces, and a token that is refused each time it is used again.
    for (new, short) in [(true, false), (false, false), (true, true)] {
        let (side, world) = side(new, short);
        let (world, store) = open(IDENTITY, world);
        let first = store.read(call()).unwrap();
        assert_eq!((&first.current, first.version.as_str()), (&Some(key(1)), "s1/4"));
        let second = store.write(call(), &key(2), &first.version).unwrap();
        assert_eq!(store.read(call()).unwrap().version, second);
        assert_eq!(store.write(call(), &key(3), &first.version), Err(StoreError::Conflict));
        assert_eq!(store.restore(call(), &key(1), &second), Ok("s1/6".to_owned()));
        assert_eq!(side.lock().unwrap().value, text(&key(1)));
        let sent = world.sent.lock().unwrap();
        let shows = |text: &str| text.contains("acme-");
        assert!(sent.iter().all(|s| !shows(&s.target) && !s.headers.values().any(|v| shows(v))));
        let logins = sent.iter().filter(|s| s.target.ends_with("/login")).count();
        assert_eq!(logins == 1, !short, "a token is kept as long as it is taken");
    }
}

#[test]
fn answers_are_told_apart() {
    let one = || shown(&text(&key(1)), 4);
    let two = |version| shown(&text(&key(2)), version);
    let hidden = r#"{"secret":{"id":"s1","version":4,"secretValue":"<hidden>","secretValueHidden":true}}"#;
    for (answers, wanted) in [
        (vec![one(), two(5), two(5)], "Ok"),
        (vec![one(), lost()], "Unknown"),
        (vec![one(), reply(502, "")], "Unknown"),
        (vec![one(), reply(429, "")], "Retry"),
        (vec![one(), reply(403, "")], "Refused"),
        (vec![one(), reply(400, "")], "Refused"),
        (vec![one(), reply(200, r#"{"approval":{"id":"a1","status":"open"}}"#)], "request for approval"),
        // Written, but its version is not known, or another's write went before or after.
        (vec![one(), two(5), lost()], "Unknown"),
        (vec![one(), two(6), two(6)], "somebody else"),
        (vec![one(), two(5), shown(&text(&key(9)), 6)], "somebody else"),
        (vec![shown(&text(&key(7)), 5)], "Conflict"),
        (vec![reply(401, "")], "Refused"),
        (vec![reply(404, r#"{"message":"Secret with name 'API_KEY' not found"}"#)], "Refused"),
        (vec![reply(200, hidden)], "may not see"),
        (vec![shown("${prod.API_KEY}", 4)], "refers to another"),
        (vec![reply(200, "{}")], "Unknown"),
        (vec![reply(200, "<html>")], "Unknown"),
    ] {
        let (world, store) = open(TOKEN, World::script(answers));
        let told = format!("{:?}", store.write(call(), &key(2), "s1/4"));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{wanted}: {told} {:?}", world.asked());
    }
    for value in ["a${B}", " padded", "padded\n", ""] {
        let (world, store) = open(TOKEN, World::script(Vec::new()));
        let told = store.write(call(), &Secret::new(value.as_bytes()), "s1/4");
        assert!(matches!(told, Err(StoreError::Refused(_))) && world.asked().is_empty(), "{value}");
    }
}

#[test]
fn a_login_that_fails_changes_nothing() {
    for (answer, wanted) in [
        (lost(), "Retry"),
        (reply(500, ""), "Retry"),
        (reply(200, "{}"), "Retry"),
        (reply(429, ""), "Retry"),
        (reply(401, r#"{"message":"Invalid credentials"}"#), "Refused"),
    ] {
        let (world, store) = open(IDENTITY, World::script(vec![answer]));
        let told = format!("{:?}", store.write(call(), &key(2), "s1/4"));
        assert!(told.contains(wanted), "{wanted}: {told}");
        assert_eq!(world.asked(), ["POST /api/v1/auth/universal-auth/login"]);
    }
}
