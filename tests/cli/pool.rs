//! A pool at a provider that makes no keys by call and switches them off and on: a double of Anthropic's interface.

use super::server::{Server, authority};
use super::{Folder, Output, example};
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

const HOST: &str = "api.anthropic.com";
const KEY: &str = "web/shop/anthropic";

/// The n-th key, made up from the rule's own example.
fn value(n: usize) -> String {
    let value = String::from_utf8(example("anthropic.toml", "anthropic-api-key", 0).value).unwrap();
    format!("{}{n}{n}{}", &value[..20], &value[22..])
}

fn admin() -> String {
    String::from_utf8(example("anthropic.toml", "anthropic-admin-key", 0).value).unwrap()
}

struct Shop {
    folder: Folder,
    /// Which keys are active: `apikey_N`.
    active: Arc<Mutex<Vec<bool>>>,
    server: Server,
}

fn reply(status: &str, body: &serde_json::Value) -> Option<String> {
    let body = body.to_string();
    let head = format!("content-type: application/json\r\ncontent-length: {}", body.len());
    Some(format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}"))
}

fn answer(active: &mut [bool], request: &str) -> Option<String> {
    let error = |kind: &str| serde_json::json!({"type": "error", "error": {"type": kind, "message": "no"}});
    if request.starts_with("GET /v1/models") {
        let works = (0..active.len()).any(|n| active[n] && request.contains(&value(n)));
        return match works {
            true => reply("200 OK", &serde_json::json!({"data": [{"id": "m"}], "has_more": false})),
            false => reply("401 Unauthorized", &error("authentication_error")),
        };
    }
    let id = request.strip_prefix("POST /v1/organizations/api_keys/apikey_");
    let n = id.and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok()).filter(|n| *n < active.len());
    match n {
        _ if !request.contains(&admin()) => reply("401 Unauthorized", &error("authentication_error")),
        None => reply("404 Not Found", &error("not_found_error")),
        Some(n) => {
            active[n] = request.contains(r#""active""#);
            let status = if active[n] { "active" } else { "inactive" };
            reply(
                "200 OK",
                &serde_json::json!({"id": format!("apikey_{n}"), "type": "api_key", "status": status}),
            )
        }
    }
}

impl Shop {
    fn new() -> Shop {
        let active = Arc::new(Mutex::new(vec![true; 4]));
        let known = Arc::clone(&active);
        let server = Server::standing_in(HOST, move |request| answer(&mut known.lock().unwrap(), request));
        let folder = Folder::new();
        folder.put("roots.pem", authority());
        let endpoint =
            format!("[endpoint.anthropic]\nbase = \"https://{HOST}\"\nconnect = \"{}\"\n", server.address);
        folder.put("org.toml", endpoint);
        folder.put("app/.env", format!("ANTHROPIC_API_KEY={}\n", value(0)));
        let path = fs::canonicalize(folder.0.join("app")).unwrap().join(".env");
        folder.put(
            "policy.toml",
            format!(
                "version = 1\n[default]\nowners = ['@web']\noverlap = '0s'\ngrace = '0s'\nquiet = '0s'\nsoak = '0s'\njitter = '0s'\n\
                 proof = ['timer']\n[team.web]\n[admin.an]\ncredential = 'env:ADMIN'\nprovider = 'anthropic'\n[store.env]\n\
                 kind = 'file'\n[[key]]\nid = '{KEY}'\nteam = 'web'\nservice = 'shop'\nenvironment = 'staging'\n\
                 provider = 'anthropic'\nrule = 'anthropic-api-key'\naccount = 'acme'\nrotated = 2020-01-01\nadmin = 'an'\n\
                 stores = [{{ store = 'env', path = '{}', field = 'ANTHROPIC_API_KEY' }}]\n",
                path.display()
            ),
        );
        Shop { folder, active, server }
    }

    fn rotate(&self, args: &[&str], input: &str) -> Output {
        let asks = !["list", "status"].iter().any(|word| args.contains(word));
        let org: &[&str] = if asks { &["--org-config", "org.toml"] } else { &[] };
        let mut command = self.folder.command(&[&["rotate"][..], args, org].concat());
        command
            .env("SSL_CERT_FILE", "roots.pem")
            .env("KEYWHEEL_POLICY", "policy.toml")
            .env("KEYWHEEL_STATE", "state")
            .env("KEYWHEEL_MASTER_KEY", "env:MASTER")
            .env("MASTER", "0f".repeat(32))
            .env("ADMIN", admin())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read has closed the pipe.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let out = Output::of(child.wait_with_output().unwrap());
        let mut texts = vec![out.out.clone().into_bytes(), out.err.clone().into_bytes()];
        texts.extend(
            fs::read_dir(self.folder.0.join("state"))
                .into_iter()
                .flatten()
                .map(|f| fs::read(f.unwrap().path()).unwrap()),
        );
        for secret in (0..4).map(value).chain([admin()]) {
            let shown = texts.iter().any(|t| t.windows(secret.len()).any(|w| w == secret.as_bytes()));
            assert!(!shown, "a secret is shown: {out:#?}");
        }
        out
    }

    fn add(&self, n: usize, id: &str) -> Output {
        self.rotate(&["pool", "add", KEY, "--key-id", id], &value(n))
    }
}

#[test]
fn a_key_sleeps_in_the_pool_until_it_is_drawn() {
    let shop = Shop::new();
    let out = shop.add(1, "apikey_1").gives(0, "");
    assert!(out.out.contains("it is switched off until then"), "{out:#?}");
    // Another key's id: that one is not left off.
    let out = shop.add(2, "apikey_3").gives(0, "");
    assert!(out.out.contains("which was undone"), "{out:#?}");
    let out = shop.add(3, "apikey_9").gives(0, "");
    assert!(out.out.contains("could not be switched off"), "{out:#?}");
    assert_eq!(*shop.active.lock().unwrap(), [true, false, true, true]);
    let list = shop.rotate(&["pool", "list", "--format", "json"], "").gives(0, "").out;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list["keys"][0]["off"], &list["keys"][1]["off"]), (&true.into(), &false.into()));

    shop.rotate(&["run"], "").gives(1, "delete it at the provider");
    assert_eq!(*shop.active.lock().unwrap(), [true; 4], "drawn, and switched on again");
    let env = fs::read_to_string(shop.folder.0.join("app/.env")).unwrap();
    assert_eq!(env, format!("ANTHROPIC_API_KEY={}\n", value(1)));
    let wakes =
        shop.server.heard().iter().filter(|r| r.contains("apikey_1 ") && r.contains(r#""active""#)).count();
    assert_eq!(wakes, 1);
    shop.active.lock().unwrap()[0] = false;
    shop.rotate(&["resume", "--lineage", KEY], "").gives(0, "done; generation 2");
}
