//! A key that calls make, from a scan's finding to its death, as processes: a stateful double stands in for OpenRouter,
//! written from its documentation.

use super::server::{Server, authority};
use super::{Folder, Output, example};
use keywheel::model::FingerprintKey;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A key as OpenRouter keeps it.
#[derive(Clone)]
struct Row {
    hash: String,
    name: String,
    value: String,
    disabled: bool,
}

impl Row {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "hash": self.hash, "name": self.name, "label": format!("{}...", &self.value[..12]),
            "disabled": self.disabled, "limit": 5, "limit_reset": "monthly", "include_byok_in_limit": false,
            "usage": 1.5, "created_at": "2026-01-01T00:00:00Z", "last_used_at": null,
        })
    }
}

/// The value of a key: the first one is what a scan takes for a key of OpenRouter.
fn value(n: u8) -> String {
    if n == 1 {
        return String::from_utf8(example("openrouter.toml", "openrouter-api-key", 0).value).unwrap();
    }
    format!("sk-or-{}-{}", "v1", format!("{n:02x}9a3c5e7b1d2f4068").repeat(4).split_at(64).0)
}

fn admin() -> String {
    format!("management-{}", "7d".repeat(12))
}

fn reply(status: &str, body: &serde_json::Value) -> Option<String> {
    let body = body.to_string();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn refused(status: &str, code: u16, words: &str) -> Option<String> {
    reply(status, &serde_json::json!({ "error": { "message": words, "code": code } }))
}

fn answer(rows: &mut Vec<Row>, request: &str) -> Option<String> {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let bearer = head
        .lines()
        .find_map(|l| l.strip_prefix("authorization: Bearer ").or(l.strip_prefix("Authorization: Bearer ")));
    let bearer = bearer.unwrap_or_default().to_owned();
    if target == "/api/v1/key" {
        return match rows.iter().find(|row| row.value == bearer && !row.disabled) {
            Some(row) => reply("200 OK", &serde_json::json!({ "data": row.json() })),
            None => refused("401 Unauthorized", 401, "User not found."),
        };
    }
    if bearer != admin() {
        return refused("401 Unauthorized", 401, "Missing Authentication header");
    }
    let hash = target.strip_prefix("/api/v1/keys/").map(str::to_owned);
    let at = hash.as_ref().and_then(|hash| rows.iter().position(|row| row.hash == *hash));
    match (method, hash, at) {
        ("GET", None, _) if target.contains("offset=") => reply("200 OK", &serde_json::json!({ "data": [] })),
        ("GET", None, _) => {
            let list: Vec<_> = rows.iter().map(Row::json).collect();
            reply("200 OK", &serde_json::json!({ "data": list }))
        }
        ("POST", None, _) => {
            let asked: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(asked["limit"], 5, "the new key gets the old one's limit");
            let n = u8::try_from(rows.len()).unwrap() + 40;
            let name = asked["name"].as_str().unwrap().to_owned();
            let row = Row { hash: format!("hash{n}"), name, value: value(n), disabled: false };
            rows.push(row.clone());
            reply("201 Created", &serde_json::json!({ "data": row.json(), "key": row.value }))
        }
        ("GET", Some(_), Some(at)) => reply("200 OK", &serde_json::json!({ "data": rows[at].json() })),
        ("PATCH", Some(_), Some(at)) => {
            rows[at].disabled = body.contains("true");
            reply("200 OK", &serde_json::json!({ "data": rows[at].json() }))
        }
        ("DELETE", Some(_), Some(at)) => {
            rows.remove(at);
            reply("200 OK", &serde_json::json!({ "deleted": true }))
        }
        _ => refused("404 Not Found", 404, "API key not found"),
    }
}

struct Shop {
    folder: Folder,
    rows: Arc<Mutex<Vec<Row>>>,
    server: Server,
}

impl Shop {
    fn new(settings: &str) -> Shop {
        let old = Row { hash: "hash1".into(), name: "shop".into(), value: value(1), disabled: false };
        let rows = Arc::new(Mutex::new(vec![old]));
        let kept = Arc::clone(&rows);
        let server =
            Server::standing_in("openrouter.ai", move |request| answer(&mut kept.lock().unwrap(), request));
        let folder = Folder::new();
        folder.put("roots.pem", authority());
        let connect = format!("connect = \"{}\"", server.address);
        folder
            .put("org.toml", format!("[endpoint.openrouter]\nbase = \"https://openrouter.ai\"\n{connect}\n"));
        folder.put("app/.env", format!("OPENROUTER_API_KEY={}\n", value(1)));
        let print = FingerprintKey::default().fingerprint(value(1).as_bytes());
        let path = fs::canonicalize(folder.0.join("app")).unwrap().join(".env");
        folder.put(
            "policy.toml",
            format!(
                "version = 1\n[default]\nowners = ['@web']\noverlap = '0s'\ngrace = '0s'\nquiet = '0s'\nsoak = '0s'\n\
                 jitter = '0s'\nproof = ['timer']\nemergency-auto = true\nemergency-soak = '0s'\n{settings}\n[team.web]\n\
                 [admin.or]\ncredential = 'env:OR_ADMIN'\nprovider = 'openrouter'\n[store.env]\nkind = 'file'\n\
                 [[key]]\nid = 'web/shop/openrouter'\nteam = 'web'\nservice = 'shop'\nenvironment = 'staging'\n\
                 provider = 'openrouter'\nrule = 'openrouter-api-key'\naccount = 'acme'\nkey-id = 'hash1'\n\
                 fingerprints = ['{print}']\nrotated = 2020-01-01\nadmin = 'or'\n\
                 stores = [{{ store = 'env', path = '{}', field = 'OPENROUTER_API_KEY' }}]\n",
                path.display()
            ),
        );
        Shop { folder, rows, server }
    }

    fn path(&self) -> PathBuf {
        self.folder.0.join("app/.env")
    }

    fn rotate(&self, args: &[&str]) -> Output {
        // Only what asks providers takes the organisation's file.
        let asks: &[&str] = if args[0] == "status" { &[] } else { &["--org-config", "org.toml"] };
        let mut command = self.folder.command(&[&["rotate"][..], args, asks].concat());
        command
            .env("SSL_CERT_FILE", "roots.pem")
            .env("KEYWHEEL_POLICY", "policy.toml")
            .env("KEYWHEEL_STATE", "state")
            .env("KEYWHEEL_MASTER_KEY", "env:MASTER")
            .env("MASTER", "0f".repeat(32))
            .env("OR_ADMIN", admin());
        let out = Output::of(command.output().unwrap());
        self.nothing_is_shown(&out);
        out
    }

    /// No key, and no administrator's credential, in outputs and in all that the journal keeps.
    fn nothing_is_shown(&self, out: &Output) {
        let mut texts = vec![out.out.clone().into_bytes(), out.err.clone().into_bytes()];
        for entry in fs::read_dir(self.folder.0.join("state")).into_iter().flatten() {
            texts.push(fs::read(entry.unwrap().path()).unwrap());
        }
        let secrets = [value(1), value(41), value(42), admin(), "0f".repeat(32)];
        for (text, secret) in texts.iter().flat_map(|t| secrets.iter().map(move |s| (t, s))) {
            assert!(
                !text.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "a secret is shown: {out:#?}"
            );
        }
    }

    fn hashes(&self) -> Vec<String> {
        self.rows.lock().unwrap().iter().map(|row| row.hash.clone()).collect()
    }
}

#[test]
fn a_due_key_is_turned_over_by_one_pass_and_not_twice() {
    let shop = Shop::new("");
    let plan = shop.rotate(&["plan", "--lineage", "web/shop/openrouter"]).gives(0, "");
    for told in
        ["keys are made by call", "* make a new key", "* switch the old key off", "* delete the old key"]
    {
        assert!(plan.out.contains(told), "{told}: {plan:#?}");
    }
    assert!(shop.server.heard().is_empty(), "a plan calls nobody");
    let out = shop.rotate(&["run"]).gives(0, "done; generation 2");
    assert_eq!(
        fs::read_to_string(shop.path()).unwrap(),
        format!("OPENROUTER_API_KEY={}\n", value(41)),
        "{out:#?}"
    );
    assert_eq!(shop.hashes(), ["hash41"]);
    let changes = |shop: &Shop| shop.server.heard().iter().filter(|r| !r.starts_with("GET ")).count();
    assert_eq!(changes(&shop), 3, "made, switched off, deleted: one call each");
    shop.rotate(&["run"]).gives(0, "");
    assert_eq!(changes(&shop), 3);
    // The journal knows the new key's id, so the next plan needs no word of the policy.
    let plan = shop.rotate(&["plan", "--lineage", "web/shop/openrouter"]).gives(0, "");
    assert!(plan.out.contains("old key: hash41") && plan.out.contains("generation 3"), "{plan:#?}");
}

#[test]
fn from_a_finding_to_the_old_keys_death_without_a_person() {
    let shop = Shop::new("");
    shop.folder.put("tree/a.env", format!("OPENROUTER_API_KEY={}\n", value(1)));
    let mut scan = shop.folder.command(&["scan", "tree", "--format", "json=report.json"]);
    assert_eq!(scan.status().unwrap().code(), Some(1));
    let print = FingerprintKey::default().fingerprint(value(1).as_bytes()).to_string();
    let since = Instant::now();
    let args = ["apply", "--report", "report.json", "--fingerprint", &print, "--root", "tree", "--auto"];
    let out = shop.rotate(&args).gives(0, "done; generation 2");
    let took = since.elapsed();
    println!(
        "from the finding to the old key's death, export included: {took:?}, {} calls",
        shop.server.heard().len()
    );
    assert_eq!(shop.hashes(), ["hash41"], "{out:#?}");
    let heard = shop.server.heard();
    let place =
        |text: &str| heard.iter().position(|r| r.starts_with(text)).unwrap_or_else(|| panic!("{text}"));
    let exported = heard.iter().rposition(|r| r.starts_with("GET /api/v1/keys/hash1 ")).unwrap();
    assert!(place("POST ") < exported && exported < place("PATCH ") && place("PATCH ") < place("DELETE "));
    // Generous: many tests share the machine. The demonstration holds it to five seconds.
    assert!(took < Duration::from_secs(60));
    let status = shop.rotate(&["status", "--lineage", "web/shop/openrouter"]).gives(0, "");
    for told in ["emergency", "declares the old key leaked", "the old key's use is exported", "done"] {
        assert!(status.out.contains(told), "{told}: {status:#?}");
    }
}

#[test]
fn a_refusal_waits_for_a_person_and_stops_others_at_the_provider() {
    let shop = Shop::new("");
    // The administrator's credential is of no use there.
    let text = fs::read_to_string(shop.folder.0.join("policy.toml")).unwrap();
    shop.folder.put("wrong", "no-such-credential");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(shop.folder.0.join("wrong"), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let wrong = format!("file:{}", fs::canonicalize(shop.folder.0.join("wrong")).unwrap().display());
    shop.folder.put("policy.toml", text.replace("env:OR_ADMIN", &wrong));
    shop.rotate(&["run"]).gives(1, "mend the administrator's access, then retry or abort");
    assert_eq!(shop.hashes(), ["hash1"]);
    shop.folder.put("policy.toml", &text);
    shop.rotate(&["resume", "--lineage", "web/shop/openrouter"]).gives(0, "done; generation 2");
    assert_eq!(shop.hashes(), ["hash41"]);
}
