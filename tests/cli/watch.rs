//! Two copies of `rotate watch` on one journal: what is due happens once.

use super::router::{Router, admin, value};
use super::server::authority;
use super::{Folder, Output};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How many keys are due at once.
const KEYS: u8 = 6;

/// Several keys of OpenRouter, each in a file of its own, all long due.
struct Shop {
    folder: Folder,
    router: Router,
}

impl Shop {
    fn new() -> Shop {
        let router = Router::new(KEYS);
        // So that the second copy looks while the first has a step open.
        router.slow_down(Duration::from_millis(30));
        let folder = Folder::new();
        folder.put("roots.pem", authority()).put("org.toml", router.endpoint());
        let mut policy = String::from(
            "version = 1\n[default]\nowners = ['@web']\noverlap = '1s'\ngrace = '0s'\nquiet = '0s'\nsoak = '0s'\n\
             jitter = '0s'\nproof = ['timer']\n[team.web]\n[admin.or]\ncredential = 'env:OR_ADMIN'\n\
             provider = 'openrouter'\n[store.env]\nkind = 'file'\n",
        );
        let base = fs::canonicalize(&folder.0).unwrap();
        for n in 1..=KEYS {
            folder.put(format!("app/{n}.env"), format!("KEY={}\n", value(n)));
            policy += &format!(
                "[[key]]\nid = 'web/shop/{n}'\nteam = 'web'\nservice = 'shop'\nenvironment = 'staging'\n\
                 provider = 'openrouter'\nrule = 'openrouter-api-key'\naccount = 'acme'\nkey-id = 'hash{n}'\n\
                 rotated = 2020-01-01\nadmin = 'or'\n\
                 stores = [{{ store = 'env', path = '{}/app/{n}.env', field = 'KEY' }}]\n",
                base.display()
            );
        }
        folder.put("policy.toml", policy);
        Shop { folder, router }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.folder.command(&[&["rotate"][..], args].concat());
        command
            .env("SSL_CERT_FILE", "roots.pem")
            .env("KEYWHEEL_POLICY", "policy.toml")
            .env("KEYWHEEL_STATE", "state")
            .env("KEYWHEEL_MASTER_KEY", "env:MASTER")
            .env("MASTER", "0f".repeat(32))
            .env("OR_ADMIN", admin());
        command
    }

    fn watch(&self) -> Child {
        let mut command = self.command(&["watch", "--every", "100ms", "--org-config", "org.toml"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn path(&self, n: u8) -> PathBuf {
        self.folder.0.join(format!("app/{n}.env"))
    }

    fn holds_a_new_one(&self, n: u8) -> bool {
        fs::read_to_string(self.path(n)).unwrap() != format!("KEY={}\n", value(n))
    }

    fn status(&self) -> serde_json::Value {
        let out = Output::of(self.command(&["status", "--format", "json"]).output().unwrap());
        serde_json::from_str(&out.out).unwrap_or_else(|e| panic!("{e}: {out:#?}"))
    }
}

fn end(child: Child) -> Output {
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    Output::of(child.wait_with_output().unwrap())
}

#[cfg(unix)]
#[test]
fn two_copies_do_everything_once() {
    let shop = Shop::new();
    let both = [shop.watch(), shop.watch()];
    let since = Instant::now();
    let turned = |shop: &Shop| (1..=KEYS).all(|n| !shop.router.works(&value(n)) && shop.holds_a_new_one(n));
    let done = |shop: &Shop| {
        let status = shop.status();
        status["rotations"].as_array().unwrap().iter().filter(|r| r["phase"] == "done").count()
            >= usize::from(KEYS)
    };
    while !turned(&shop) || !done(&shop) {
        assert!(since.elapsed() < Duration::from_secs(120), "they are never done: {:#}", shop.status());
        std::thread::sleep(Duration::from_millis(100));
    }
    // Further passes must find nothing left to do.
    std::thread::sleep(Duration::from_secs(1));
    let ended: Vec<Output> = both.into_iter().map(end).collect();
    for out in &ended {
        assert_eq!(out.code, 143, "{out:#?}");
        for n in (1..=KEYS).chain(41..41 + KEYS) {
            assert!(!out.out.contains(&value(n)) && !out.err.contains(&value(n)), "a key is shown");
        }
    }

    let status = shop.status();
    let rotations = status["rotations"].as_array().unwrap();
    let mut lineages: Vec<&str> = rotations.iter().map(|r| r["lineage"].as_str().unwrap()).collect();
    lineages.sort_unstable();
    let wanted: Vec<String> = (1..=KEYS).map(|n| format!("web/shop/{n}")).collect();
    assert_eq!(lineages, wanted, "one rotation a key: {ended:#?}");
    assert!(rotations.iter().all(|r| r["phase"] == "done" && r["generation"] == 2), "{status:#}");

    // At the provider: one key made, one switched off and one deleted for each, and nothing else is left.
    let old: Vec<String> = (1..=KEYS).map(|n| format!("/api/v1/keys/hash{n}")).collect();
    assert_eq!(shop.router.changes("POST").len(), usize::from(KEYS), "{ended:#?}");
    assert_eq!(shop.router.changes("PATCH"), old);
    assert_eq!(shop.router.changes("DELETE"), old);
    let mut left = shop.router.hashes();
    left.sort();
    assert_eq!(left, (41..41 + KEYS).map(|n| format!("hash{n}")).collect::<Vec<_>>());
    // Each file holds a key of its own.
    let mut held: Vec<String> = (1..=KEYS).map(|n| fs::read_to_string(shop.path(n)).unwrap()).collect();
    held.sort();
    held.dedup();
    assert_eq!(held.len(), usize::from(KEYS));
    let audit = Output::of(shop.command(&["audit", "verify"]).output().unwrap());
    assert_eq!(audit.code, 0, "{audit:#?}");
    // Both took part, or the test would say nothing of two.
    let told = |out: &Output| out.err.lines().filter(|l| l.contains("web/shop/")).count();
    assert!(ended.iter().all(|out| told(out) > 0), "{ended:#?}");
}
