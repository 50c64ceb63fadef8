//! Declarations of stores, and what the tests of all of them share.

use super::*;
use crate::call::{CallError, Prepared, Reply};
use crate::rotate::engine::Call;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// A key of no provider.
pub(super) fn key(n: u32) -> Secret {
    Secret::new(format!("acme-{n:04}-{}", "x".repeat(24)).as_bytes())
}

pub(super) fn text(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

pub(super) fn call() -> Call {
    Call { deadline: Instant::now() + Duration::from_secs(20) }
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

pub(super) type Answer = Result<Reply, CallError>;
type Server = Box<dyn Fn(&Sent) -> Answer + Send + Sync>;

/// A world in which a closure answers, and every reference resolves to its own name.
pub(super) struct World {
    server: Server,
    pub(super) sent: Mutex<Vec<Sent>>,
    pub(super) now: AtomicI64,
    pub(super) tracked: Mutex<Vec<PathBuf>>,
    pub(super) values: BTreeMap<String, String>,
}

impl World {
    pub(super) fn new(server: impl Fn(&Sent) -> Answer + Send + Sync + 'static) -> World {
        World {
            server: Box::new(server),
            sent: Mutex::default(),
            now: AtomicI64::new(0),
            tracked: Mutex::default(),
            values: BTreeMap::new(),
        }
    }

    /// Answers in order, whatever is asked.
    pub(super) fn script(answers: Vec<Answer>) -> World {
        let answers = Mutex::new(VecDeque::from(answers));
        World::new(move |sent| {
            let next = answers.lock().unwrap().pop_front();
            next.unwrap_or_else(|| panic!("nobody expected {} {}", sent.method, sent.target))
        })
    }

    pub(super) fn share(self) -> (Arc<World>, Arc<dyn Doors>) {
        let world = Arc::new(self);
        let doors: Arc<dyn Doors> = Arc::new(Shared(Arc::clone(&world)));
        (world, doors)
    }

    /// Method and target of every request.
    pub(super) fn asked(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(|s| format!("{} {}", s.method, s.target)).collect()
    }
}

struct Shared(Arc<World>);

impl Transport for Shared {
    fn send(&self, request: &Prepared, _: Instant) -> Answer {
        let sent = Sent {
            method: request.method.clone(),
            target: text(&request.target),
            headers: request.headers.iter().map(|(k, v)| (k.to_lowercase(), text(v))).collect(),
            body: request.body.as_ref().map(text).unwrap_or_default(),
        };
        self.0.sent.lock().unwrap().push(sent.clone());
        (self.0.server)(&sent)
    }
}

impl Doors for Shared {
    fn transport(&self, _: &super::Server) -> Result<Arc<dyn Transport>, String> {
        Ok(Arc::new(Shared(Arc::clone(&self.0))))
    }
    fn fetch(&self, reference: &str) -> Result<Secret, String> {
        if reference == "env:GONE" {
            return Err("it is not set".to_owned());
        }
        let value = self.0.values.get(reference).map_or(reference, String::as_str);
        Ok(Secret::new(value.as_bytes()))
    }
    fn tracked(&self, file: &Path) -> Result<bool, String> {
        if file.ends_with("unknown.env") {
            return Err("the repository cannot be read".to_owned());
        }
        Ok(self.0.tracked.lock().unwrap().iter().any(|f| f == file))
    }
    fn now(&self) -> Moment {
        Moment(self.0.now.load(Ordering::SeqCst))
    }
    fn mark(&self, bytes: &[u8]) -> String {
        crate::rotate::machine::digest(bytes)
    }
}

pub(super) fn reply(status: u16, body: &str) -> Answer {
    Ok(Reply { status, body: body.to_owned(), headers: BTreeMap::new() })
}

pub(super) fn lost() -> Answer {
    Err(CallError::Lost("the connection ended".to_owned()))
}

/// No server.
pub(super) fn nowhere() -> Arc<dyn Doors> {
    World::script(Vec::new()).share().1
}

fn spec(toml: &str) -> Result<Spec, String> {
    ::toml::from_str(toml).map_err(|e| e.to_string())
}

fn place(path: &str, field: &str) -> Place {
    let field = Some(field.to_owned()).filter(|f| !f.is_empty());
    Place { lineage: "acme".to_owned(), path: path.to_owned(), field, rollout: Vec::new() }
}

const BAO: &str = "kind = 'openbao'\naddress = 'https://bao.corp.example:8200/x/'\ntoken = 'env:T'";

#[test]
fn every_kind_is_declared_and_opened() {
    for (toml, path, field, staged, readable) in [
        ("kind = 'file'", "/srv/shop/.env", "KEY", false, true),
        ("kind = 'file'\nform = 'yaml'", "/srv/values", "/a/b", false, true),
        ("kind = 'hook'\nrun = ['/usr/lib/put']\nstaged = true\nreadable = false", "x", "", true, false),
        (BAO, "kv/shop/production", "KEY", false, true),
        (
            "kind = 'aws-secrets-manager'\nregion = 'eu-central-1'\ncredential = 'env:A'",
            "shop",
            "",
            true,
            true,
        ),
        (
            "kind = 'aws-parameter-store'\nregion = 'eu-central-1'\ncredential = 'env:A'",
            "/shop/production/key",
            "",
            false,
            true,
        ),
        ("kind = 'gcp-secret-manager'\ncredential = 'env:G'", "shop-1/key", "", false, true),
        (
            "kind = 'azure-key-vault'\naddress = 'https://a.vault.azure.net'\ncredential = 'env:A'",
            "key",
            "",
            false,
            true,
        ),
        ("kind = 'github-actions'\ncredential = 'env:G'", "acme/shop/production", "KEY", false, false),
        (
            "kind = 'kubernetes'\naddress = 'https://[::1]:6443'\ntoken = 'file:/t'\nca = 'file:/c'",
            "shop/api",
            "key",
            false,
            true,
        ),
        ("kind = 'doppler'\ncredential = 'env:D'", "shop/prd", "API_KEY", false, true),
        ("kind = 'infisical'\ntoken = 'env:T'", "p-1/prod", "API_KEY", false, true),
        (
            "kind = 'infisical'\nidentity = { client-id = 'env:I', client-secret = 'env:S' }",
            "p-1/prod/payments/eu",
            "API_KEY",
            false,
            true,
        ),
    ] {
        let spec = spec(toml).unwrap();
        assert_eq!((spec.staged(), spec.readable()), (staged, readable), "{toml}");
        assert_eq!(super::tests::spec(&::toml::to_string(&spec).unwrap()), Ok(spec.clone()));
        if let Err(e) = spec.open(&place(path, field), &nowhere()) {
            panic!("{toml}: {e}");
        }
    }
}

#[test]
fn a_wrong_declaration_or_place_is_refused() {
    let http = BAO.replace("https", "http");
    for (toml, path, field, why) in [
        (BAO, "kv", "KEY", "mount/path"),
        (BAO, "kv/a/../b", "KEY", "dots"),
        (BAO, "kv//b", "KEY", "empty"),
        (BAO, "kv/a", "", "which field"),
        (&http, "kv/a", "KEY", "plain = true"),
        (&BAO.replace("https://", "https://u@"), "kv/a", "KEY", "no plain host"),
        (&BAO.replace("8200", "82000"), "kv/a", "KEY", "port"),
        (&BAO.replace("/x/", "/x/../y"), "kv/a", "KEY", "path"),
        (&BAO.replace("token", "namespace"), "kv/a", "KEY", "either"),
        ("kind = 'file'", "shop/.env", "KEY", "absolute"),
        ("kind = 'file'", "/srv/../etc/passwd", "KEY", "absolute"),
        ("kind = 'file'", "/srv/.env", "", "which variable"),
        ("kind = 'hook'\nrun = ['put']", "x", "", "absolute"),
        ("kind = 'hook'\nrun = []", "x", "", "name the program"),
        ("kind = 'aws-secrets-manager'\nregion = 'eu/1'\ncredential = 'env:A'", "shop", "", "region"),
        ("kind = 'aws-parameter-store'\nregion = 'eu/1'\ncredential = 'env:A'", "shop", "", "region"),
        ("kind = 'aws-parameter-store'\nregion = 'eu-1'\ncredential = 'env:A'", "/shop:3", "", "no version"),
        ("kind = 'gcp-secret-manager'\ncredential = 'env:G'", "projects/1/secrets/a", "", "project/secret"),
        ("kind = 'gcp-secret-manager'\ncredential = 'env:G'", "shop/a:b", "", "letters"),
        ("kind = 'gcp-secret-manager'\ncredential = 'env:G'\nregion = 'a.b'", "shop/a", "", "region"),
        (
            "kind = 'azure-key-vault'\naddress = 'https://a.example'\ncredential = 'env:A'",
            "a/b",
            "",
            "letters",
        ),
        (
            "kind = 'azure-key-vault'\naddress = 'http://a.example'\ncredential = 'env:A'",
            "a",
            "",
            "plain = true",
        ),
        ("kind = 'github-actions'\ncredential = 'env:G'", "acme/shop", "GITHUB_TOKEN", "name belongs"),
        ("kind = 'github-actions'\ncredential = 'env:G'", "acme/", "KEY", "owner/repository"),
        ("kind = 'kubernetes'\naddress = 'https://k'\ntoken = 'env:T'", "shop", "k", "namespace/name"),
        ("kind = 'kubernetes'\naddress = 'https://k'\ntoken = 'env:T'", "shop/A?x", "k", "small letters"),
        ("kind = 'doppler'\ncredential = 'env:D'", "shop", "KEY", "project/config"),
        ("kind = 'doppler'\ncredential = 'env:D'", "shop/", "KEY", "project/config"),
        ("kind = 'doppler'\ncredential = 'env:D'", "shop/prd/x", "KEY", "project/config"),
        ("kind = 'doppler'\ncredential = 'env:D'", "shop/prd", "key", "name belongs"),
        ("kind = 'infisical'\ntoken = 'env:T'", "p-1", "KEY", "project-id/environment"),
        ("kind = 'infisical'\ntoken = 'env:T'", "p-1/prod/../x", "KEY", "dots"),
        ("kind = 'infisical'\ntoken = 'env:T'", "p-1/prod", "", "name belongs"),
        ("kind = 'infisical'", "p-1/prod", "KEY", "either"),
        ("kind = 'infisical'\naddress = 'http://i'\ntoken = 'env:T'", "p-1/prod", "KEY", "plain = true"),
    ] {
        let opened = spec(toml).unwrap().open(&place(path, field), &nowhere());
        let told = opened.err().unwrap_or_else(|| panic!("{toml} {path} was opened")).to_string();
        assert!(told.contains(why), "{told}");
    }
    for toml in [&format!("{BAO}\nnmespace = 'x'"), "kind = 'vault'", "kind = 'file'\nmode = 'x'"] {
        assert!(spec(toml).is_err(), "{toml}");
    }
    assert!(
        spec(&http.replace("token", "plain = true\ntoken"))
            .unwrap()
            .open(&place("kv/a", "K"), &nowhere())
            .is_ok()
    );
}
