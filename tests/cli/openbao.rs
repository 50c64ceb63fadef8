//! A real OpenBao server, which `.ci/run stores` starts: what `inventory discover` sees of it, and the journal's key
//! under its transit engine. Without that server the tests say that they were skipped.

use super::openrouter::Shop;
use super::router::{admin, value};
use super::{Output, wire};
use keywheel::call::{Prepared, Reply};
use keywheel::model::Secret;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

struct Bao {
    address: String,
    token: String,
    /// Tells the mounts, keys and policies of a test from those of others.
    own: String,
}

impl Bao {
    fn named(name: &str) -> Option<Bao> {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let Some(address) = var("KEYWHEEL_STORES_BAO") else {
            println!("skipped: KEYWHEEL_STORES_BAO is not set; `.ci/run stores` sets it");
            return None;
        };
        let token = var("KEYWHEEL_STORES_BAO_TOKEN").unwrap();
        Some(Bao { address, token, own: format!("{name}-{}", std::process::id()) })
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let (host, port) = self.address.strip_prefix("http://").unwrap().rsplit_once(':').unwrap();
        let secret = |text: &str| Secret::new(text.as_bytes());
        let request = Prepared {
            method: method.to_owned(),
            tls: false,
            host: host.to_owned(),
            port: Some(port.parse().unwrap()),
            target: secret(&format!("/v1/{path}")),
            headers: vec![("X-Vault-Token".to_owned(), secret(&self.token))],
            body: (!body.is_empty()).then(|| secret(body)),
        };
        wire::send(&request, Instant::now() + Duration::from_secs(20)).unwrap()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let reply = self.send(method, path, body);
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.body);
        serde_json::from_str(&reply.body).unwrap_or_default()
    }

    /// A token that may do what these rules say.
    fn token(&self, rules: &str) -> String {
        let policy = serde_json::json!({ "policy": rules }).to_string();
        self.ask("PUT", &format!("sys/policies/acl/{}", self.own), &policy);
        let made = self.ask("POST", "auth/token/create", &format!(r#"{{"policies":["{}"]}}"#, self.own));
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}

fn discover(shop: &Shop, token: &str, args: &[&str]) -> Output {
    let all = [&["inventory", "discover", "--org-config", "org.toml", "--format", "json"][..], args].concat();
    let mut command = shop.folder.command(&all);
    command.env("SSL_CERT_FILE", "roots.pem").env("KEYWHEEL_POLICY", "policy.toml").env("OR_ADMIN", admin());
    let out = Output::of(command.env("BAO", token).output().unwrap());
    for secret in [&value(1), &value(2), &admin(), token] {
        assert!(!out.out.contains(secret) && !out.err.contains(secret), "a secret is shown: {out:#?}");
    }
    out
}

#[test]
fn names_are_told_without_the_right_to_values_and_values_join_with_it() {
    let Some(bao) = Bao::named("kv") else { return };
    let mount = &bao.own;
    bao.ask("POST", &format!("sys/mounts/{mount}"), r#"{"type":"kv","options":{"version":"2"}}"#);
    let put = |path: &str, data: serde_json::Value| {
        bao.ask("POST", &format!("{mount}/data/{path}"), &serde_json::json!({ "data": data }).to_string());
    };
    put("shop/live", serde_json::json!({ "COPY": value(1), "PORT": 1, "nested": { "a": "b" } }));
    put("shop/deep/spare", serde_json::json!({ "K": value(2) }));
    put("gone", serde_json::json!({ "K": "x" }));
    bao.ask("DELETE", &format!("{mount}/data/gone"), "");
    let shop = Shop::new("");
    let store = format!(
        "[store.bao]\nkind = 'openbao'\naddress = '{}'\ncredential = 'env:BAO'\n[store.env]\n",
        bao.address
    );
    shop.edit("[store.env]\n", &store);
    let under = format!("bao={mount}");
    let args = ["--under", under.as_str()];
    let names = bao.token(&format!(
        "path \"{mount}/metadata/*\" {{ capabilities = [\"list\"] }}\npath \"{mount}/metadata\" {{ capabilities = [\"list\"] }}\n\
         path \"{mount}/subkeys/*\" {{ capabilities = [\"read\"] }}"
    ));
    let told = |out: &Output| -> serde_json::Value { serde_json::from_str(&out.out).unwrap() };
    let unnamed = |found: &serde_json::Value| -> Vec<String> {
        let gaps = found["gaps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|g| g["kind"] == "unnamed" && g["store"] == "bao");
        gaps.map(|g| format!("{}#{}", g["path"].as_str().unwrap(), g["field"].as_str().unwrap())).collect()
    };
    let found = told(&discover(&shop, &names, &args).gives(1, ""));
    let wanted =
        ["shop/deep/spare#K", "shop/live#COPY", "shop/live#PORT"].map(|path| format!("{mount}/{path}"));
    assert_eq!(unnamed(&found), wanted);
    // The values may not be read with that token: each is told, and nothing is complete.
    let reads = [&args[..], &["--read-stores"]].concat();
    let found = told(&discover(&shop, &names, &reads).gives(3, "the value of store bao"));
    assert_eq!(found["complete"], false);
    assert_eq!(unnamed(&found), wanted);
    let found = told(&discover(&shop, &bao.token, &reads).gives(1, ""));
    let holds = |field: &str| {
        let gaps = found["gaps"].as_array().unwrap();
        gaps.iter().find(|g| g["field"] == field).unwrap_or_else(|| panic!("{field}: {found}")).clone()
    };
    assert_eq!(holds("COPY")["holds"][0], "web/shop/openrouter");
    assert_eq!(holds("K")["rule"], "openrouter-api-key");
    // No right to anything: what was named could not be looked into.
    discover(&shop, "no-token", &args).gives(3, &format!("store bao, {mount}: "));
}

/// Any command on the journal, under a key of the transit engine.
fn rotate(shop: &Shop, bao: &Bao, vars: &[(&str, &str)], args: &[&str]) -> Output {
    let key = format!("transit:{}/journal", bao.own);
    let own = [("KEYWHEEL_MASTER_KEY", key.as_str()), ("BAO_ADDR", &bao.address), ("BAO_TOKEN", &bao.token)];
    shop.rotate_with(&[&own[..], vars].concat(), args)
}

fn engine(bao: &Bao) {
    bao.ask("POST", &format!("sys/mounts/{}", bao.own), r#"{"type":"transit"}"#);
    bao.ask("POST", &format!("{}/keys/journal", bao.own), "");
}

#[test]
fn a_journal_under_a_key_of_openbao() {
    let Some(bao) = Bao::named("transit") else { return };
    engine(&bao);
    let shop = Shop::new("");
    rotate(&shop, &bao, &[], &["run"]).gives(0, "done; generation 2");
    let status =
        |vars: &[(&str, &str)]| rotate(&shop, &bao, vars, &["status", "--lineage", "web/shop/openrouter"]);
    status(&[]).gives(0, "");
    // The right to decrypt is all that a journal takes once it is made; a role signs in as well as a token.
    let rules = format!("path \"{}/decrypt/journal\" {{ capabilities = [\"update\"] }}", bao.own);
    let least = bao.token(&rules);
    status(&[("BAO_TOKEN", &least)]).gives(0, "");
    bao.send("POST", "sys/auth/approle", r#"{"type":"approle"}"#);
    let role = format!("auth/approle/role/{}", bao.own);
    bao.ask("POST", &role, &format!(r#"{{"token_policies":["{}"]}}"#, bao.own));
    let id = bao.ask("GET", &format!("{role}/role-id"), "")["data"]["role_id"].as_str().unwrap().to_owned();
    let secret =
        bao.ask("POST", &format!("{role}/secret-id"), "")["data"]["secret_id"].as_str().unwrap().to_owned();
    status(&[("BAO_TOKEN", ""), ("BAO_ROLE_ID", &id), ("BAO_SECRET_ID", &secret)]).gives(0, "");

    // A new version of the key: wrapped anew, the journal needs the old one no more.
    bao.ask("POST", &format!("{}/keys/journal/rotate", bao.own), "");
    let config = |body: &str| bao.ask("POST", &format!("{}/keys/journal/config", bao.own), body);
    config(r#"{"min_decryption_version":2}"#);
    status(&[]).gives(2, "does not open versions as old");
    config(r#"{"min_decryption_version":1}"#);
    let head = shop.folder.0.join("head");
    let kept = [("KEYWHEEL_AUDIT_HEAD", head.to_str().unwrap())];
    let rewrap = |vars: &[(&str, &str)]| {
        let all = [&[("KEYWHEEL_STATE", "state")][..], vars].concat();
        let mut command = shop.folder.command(&["rotate", "rewrap"]);
        Output::of(command.envs(all.iter().copied()).output().unwrap())
    };
    let key = format!("transit:{}/journal", bao.own);
    let full = [
        ("KEYWHEEL_MASTER_KEY", key.as_str()),
        ("BAO_ADDR", bao.address.as_str()),
        ("BAO_TOKEN", bao.token.as_str()),
    ];
    rewrap(&[&full[..], &kept].concat()).gives(0, "wrapped by the newest version");
    assert!(!fs::read_to_string(&head).unwrap().is_empty());
    config(r#"{"min_decryption_version":2}"#);
    status(&[]).gives(0, "");
    rewrap(&[("KEYWHEEL_MASTER_KEY", "env:M"), ("M", &"0f".repeat(32))]).gives(2, "nothing wraps the key");
    let mut verify = shop.folder.command(&["rotate", "audit", "verify", "--head", "head"]);
    let out = Output::of(verify.env("KEYWHEEL_STATE", "state").envs(full).output().unwrap());
    assert!(out.gives(0, "").out.contains("the chain holds"));

    // Closed, and each time it says why.
    status(&[("BAO_TOKEN", "no-token")]).gives(2, "OpenBao forbids it");
    status(&[("BAO_TOKEN", "")]).gives(2, "set BAO_TOKEN");
    status(&[("BAO_ADDR", "http://127.0.0.1:9")]).gives(2, "OpenBao does not decrypt by");
    config(r#"{"deletion_allowed":true}"#);
    bao.ask("DELETE", &format!("{}/keys/journal", bao.own), "");
    status(&[]).gives(2, "has no key");
    // A key of the same name is another one.
    bao.ask("POST", &format!("{}/keys/journal", bao.own), "");
    bao.ask("POST", &format!("{}/keys/journal/rotate", bao.own), "");
    status(&[]).gives(2, "does not open what the journal holds");
}

#[test]
fn a_key_of_another_type_is_refused_before_anything_is_sealed() {
    let Some(bao) = Bao::named("type") else { return };
    bao.ask("POST", &format!("sys/mounts/{}", bao.own), r#"{"type":"transit"}"#);
    bao.ask("POST", &format!("{}/keys/journal", bao.own), r#"{"type":"rsa-2048"}"#);
    let shop = Shop::new("");
    rotate(&shop, &bao, &[], &["run"]).gives(2, "of another type");
    assert_eq!(shop.router.hashes(), ["hash1"]);
}

#[test]
fn from_a_file_to_openbao_and_back() {
    let Some(bao) = Bao::named("move") else { return };
    engine(&bao);
    let shop = Shop::new("");
    // Under `env:MASTER`, then under OpenBao with that as the former one.
    shop.rotate(&["run"]).gives(0, "done; generation 2");
    let verify = |vars: &[(&str, &str)], former: &str| {
        let args = ["rotate", "audit", "verify", "--former-master-key", former];
        let mut command = shop.folder.command(&args);
        command.env("KEYWHEEL_STATE", "state").env("MASTER", "0f".repeat(32));
        command.env("BAO_ADDR", &bao.address).env("BAO_TOKEN", &bao.token);
        Output::of(command.envs(vars.iter().copied()).output().unwrap())
    };
    let key = format!("transit:{}/journal", bao.own);
    verify(&[("KEYWHEEL_MASTER_KEY", "env:MASTER")], &key).gives(2, "holds no data key that");
    verify(&[("KEYWHEEL_MASTER_KEY", &key)], "env:MASTER").gives(0, "");
    verify(&[("KEYWHEEL_MASTER_KEY", "env:MASTER")], &key).gives(0, "");
}

#[test]
fn workers_that_open_it_first_at_once_end_with_one_key() {
    let Some(bao) = Bao::named("race") else { return };
    engine(&bao);
    let shop = Shop::new("");
    let key = format!("transit:{}/journal", bao.own);
    let start = || {
        let mut command = shop.folder.command(&["rotate", "pause", "--all", "--reason", "race"]);
        command.env("KEYWHEEL_STATE", "state").env("KEYWHEEL_MASTER_KEY", &key);
        command.env("BAO_ADDR", &bao.address).env("BAO_TOKEN", &bao.token);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let workers: Vec<_> = (0..6).map(|_| start()).collect();
    for worker in workers {
        Output::of(worker.wait_with_output().unwrap()).gives(0, "");
    }
    // Each wrote an entry of the audit: all of them hold under the one key.
    let mut verify = shop.folder.command(&["rotate", "audit", "verify"]);
    verify.env("KEYWHEEL_STATE", "state").env("KEYWHEEL_MASTER_KEY", &key);
    let out = Output::of(verify.env("BAO_ADDR", &bao.address).env("BAO_TOKEN", &bao.token).output().unwrap());
    assert_eq!(out.gives(0, "").out, "6 entries, and the chain holds\n");
}
