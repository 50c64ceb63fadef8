//! Nobody is cut off, on real parts: services read their key from an OpenBao server, which `.ci/run stores` starts, and
//! call a double of OpenRouter over TLS, while the command turns the key over. Without that server the tests say that they
//! were skipped.

use super::router::{HOST, Router, admin, value};
use super::server::{authority, http_of};
use super::wire;
use super::{Folder, Output};
use keywheel::call::{Prepared, Transport};
use keywheel::model::{FingerprintKey, Secret};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Services that use the key at the same time.
const SERVICES: usize = 4;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes())
}

/// A place in OpenBao.
struct Bao {
    address: String,
    token: String,
    path: String,
}

impl Bao {
    fn named(name: &str) -> Option<Bao> {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let Some(address) = var("KEYWHEEL_STORES_BAO") else {
            println!("skipped: KEYWHEEL_STORES_BAO is not set; `.ci/run stores` sets it");
            return None;
        };
        let token = var("KEYWHEEL_STORES_BAO_TOKEN").unwrap();
        Some(Bao { address, token, path: format!("demonstration-{}/{name}", std::process::id()) })
    }

    fn ask(&self, method: &str, body: Option<&str>) -> serde_json::Value {
        let (host, port) = self.address.strip_prefix("http://").unwrap().rsplit_once(':').unwrap();
        let request = Prepared {
            method: method.to_owned(),
            tls: false,
            host: host.to_owned(),
            port: Some(port.parse().unwrap()),
            target: secret(&format!("/v1/secret/data/{}", self.path)),
            headers: vec![("X-Vault-Token".to_owned(), secret(&self.token))],
            body: body.map(secret),
        };
        let reply = wire::send(&request, soon()).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    fn put(&self, key: &str) {
        self.ask("POST", Some(&serde_json::json!({ "data": { "API_KEY": key, "PORT": "1" } }).to_string()));
    }

    fn read(&self) -> Secret {
        secret(self.ask("GET", None)["data"]["data"]["API_KEY"].as_str().unwrap())
    }
}

/// What the services saw.
#[derive(Default)]
struct Seen {
    calls: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    keys: AtomicU64,
}

fn count(n: &AtomicU64) -> u64 {
    n.load(Ordering::Relaxed)
}

/// A service: reads its key, uses it, and reads it again now and then, or only when it is refused.
fn service(bao: &Bao, provider: SocketAddr, rereads: Option<Duration>, seen: &Seen, stop: &AtomicBool) {
    let http = http_of(&[HOST], provider);
    let works = |key: &Secret| {
        let bearer = [b"Bearer ", key.expose()].concat();
        let request = Prepared {
            method: "POST".to_owned(),
            tls: true,
            host: HOST.to_owned(),
            port: None,
            target: secret("/api/v1/chat/completions"),
            headers: vec![("Authorization".to_owned(), Secret::new(&bearer))],
            body: Some(secret("{}")),
        };
        match http.send(&request, soon()).unwrap().status {
            200 => true,
            401 => false,
            other => panic!("status {other}"),
        }
    };
    let take = |key: &mut Secret| {
        let new = bao.read();
        if new != *key {
            seen.keys.fetch_add(1, Ordering::Relaxed);
            *key = new;
        }
        Instant::now()
    };
    let (mut key, mut read_at) = (bao.read(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        if rereads.is_some_and(|every| read_at.elapsed() >= every) {
            read_at = take(&mut key);
        }
        seen.calls.fetch_add(1, Ordering::Relaxed);
        if !works(&key) {
            seen.refused.fetch_add(1, Ordering::Relaxed);
            read_at = take(&mut key);
            if !works(&key) {
                seen.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends the services also where a test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Scene {
    folder: Folder,
    router: Router,
    bao: Bao,
}

impl Scene {
    fn new(name: &str) -> Option<Scene> {
        let bao = Bao::named(name)?;
        bao.put(&value(1));
        let (router, folder) = (Router::new(1), Folder::new());
        folder.put("roots.pem", authority()).put("org.toml", router.endpoint());
        let print = FingerprintKey::default().fingerprint(value(1).as_bytes());
        folder.put(
            "policy.toml",
            format!(
                "version = 1\n[default]\nowners = ['@web']\noverlap = '2s'\ngrace = '0s'\nquiet = '1s'\nsoak = '1s'\n\
                 jitter = '0s'\nproof = ['timer']\nexport-usage = 'required'\nemergency-auto = true\n\
                 emergency-soak = '0s'\n[team.web]\n[admin.or]\ncredential = 'env:OR_ADMIN'\nprovider = 'openrouter'\n\
                 [store.bao]\nkind = 'openbao'\naddress = '{}'\ncredential = 'env:BAO'\n[[key]]\n\
                 id = 'web/shop/openrouter'\nteam = 'web'\nservice = 'shop'\nenvironment = 'production'\n\
                 provider = 'openrouter'\nrule = 'openrouter-api-key'\naccount = 'acme'\nkey-id = 'hash1'\n\
                 fingerprints = ['{print}']\nrotated = 2020-01-01\nadmin = 'or'\n\
                 stores = [{{ store = 'bao', path = 'secret/{}', field = 'API_KEY' }}]\n",
                bao.address, bao.path
            ),
        );
        Some(Scene { folder, router, bao })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.folder.command(args);
        command
            .env("SSL_CERT_FILE", "roots.pem")
            .env("KEYWHEEL_POLICY", "policy.toml")
            .env("KEYWHEEL_STATE", "state")
            .env("KEYWHEEL_MASTER_KEY", "env:MASTER")
            .env("MASTER", "0f".repeat(32))
            .env("OR_ADMIN", admin())
            .env("BAO", &self.bao.token);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        Output::of(self.command(args).output().unwrap())
    }

    /// Lets the services work while `turn` turns the key over. Gives what they saw, and when the old key died after
    /// `turn` said that the clock starts.
    fn during(&self, rereads: Option<Duration>, turn: impl FnOnce(&mut dyn FnMut())) -> (Seen, Duration) {
        let (seen, stop) = (Seen::default(), AtomicBool::new(false));
        let mut started = Instant::now();
        let died = std::thread::scope(|scope| {
            let ends = Ends(&stop);
            for _ in 0..SERVICES {
                let (seen, stop) = (&seen, &stop);
                scope.spawn(move || service(&self.bao, self.router.server.address, rereads, seen, stop));
            }
            let watched = &stop;
            let death = scope.spawn(move || {
                while self.router.works(&value(1)) && !watched.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Instant::now()
            });
            std::thread::sleep(Duration::from_millis(300));
            started = Instant::now();
            turn(&mut || started = Instant::now());
            std::thread::sleep(Duration::from_millis(300));
            drop(ends);
            death.join().unwrap()
        });
        (seen, died.saturating_duration_since(started))
    }

    /// The new key is in OpenBao and works, the old one is gone, its use is kept, and nothing shows a key.
    fn check(&self) {
        assert_eq!(self.bao.read(), secret(&value(41)));
        assert_eq!(self.router.hashes(), ["hash41"]);
        let status = self.run(&["rotate", "status", "--lineage", "web/shop/openrouter"]).gives(0, "");
        for told in ["the old key's use is exported", "done"] {
            assert!(status.out.contains(told), "{told}: {status:#?}");
        }
        self.run(&["rotate", "audit", "verify"]).gives(0, "");
        for entry in std::fs::read_dir(self.folder.0.join("state")).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            for text in [value(1), value(41), admin(), self.bao.token.clone()] {
                assert!(!bytes.windows(text.len()).any(|w| w == text.as_bytes()), "a secret is at rest");
            }
        }
    }
}

#[test]
fn by_the_calendar_no_call_fails() {
    let Some(scene) = Scene::new("calendar") else { return };
    let since = Instant::now();
    let (seen, died) = scene.during(Some(Duration::from_millis(200)), |_| {
        let mut watch = scene.command(&["rotate", "watch", "--every", "200ms", "--org-config", "org.toml"]);
        let child = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while scene.router.hashes() != ["hash41"] {
            assert!(since.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        // The last steps are looks.
        while !scene.run(&["rotate", "status", "--format", "json"]).out.contains(r#""phase":"done""#) {
            assert!(since.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(100));
        }
        // The loop says so before it is ended.
        std::thread::sleep(Duration::from_millis(300));
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(told.success());
        let out = Output::of(child.wait_with_output().unwrap()).gives(143, "done; generation 2");
        assert!(!out.err.contains(&value(1)) && !out.err.contains(&value(41)));
    });
    scene.check();
    println!(
        "OpenBao, scheduled: {} calls of {SERVICES} services, {} refused, {} failed; the old key went after {died:.1?}",
        count(&seen.calls),
        count(&seen.refused),
        count(&seen.failed)
    );
    assert!(
        count(&seen.calls) > 200 && count(&seen.keys) == SERVICES as u64,
        "each service took the new key"
    );
    assert_eq!((count(&seen.refused), count(&seen.failed)), (0, 0));
    assert!(died >= Duration::from_secs(2), "the overlap is kept");
}

#[test]
fn a_leaked_key_is_dead_in_five_seconds_and_whoever_reads_again_is_served() {
    let Some(scene) = Scene::new("leak") else { return };
    scene.folder.put("tree/a.env", format!("OPENROUTER_API_KEY={}\n", value(1)));
    let print = FingerprintKey::default().fingerprint(value(1).as_bytes()).to_string();
    let mut scanned = Duration::ZERO;
    let (seen, died) = scene.during(None, |found| {
        let since = Instant::now();
        let scan = ["scan", "tree", "--verify", "--verify-cache", "none", "--org-config", "org.toml"];
        let out = scene.run(&[&scan[..], &["--format", "json=report.json"]].concat()).gives(1, "");
        scanned = since.elapsed();
        assert!(!out.out.contains(&value(1)) && !out.err.contains(&value(1)));
        found();
        let apply = ["rotate", "apply", "--report", "report.json", "--fingerprint", &print, "--root", "tree"];
        let out = scene.run(&[&apply[..], &["--auto", "--org-config", "org.toml"]].concat());
        out.gives(0, "done; generation 2");
    });
    scene.check();
    println!(
        "OpenBao, emergency: the scan that proved it took {scanned:.2?}; from finding to the old key's death, export \
         included: {died:.2?}; {} calls of {SERVICES} services, {} refused and made again, {} failed",
        count(&seen.calls),
        count(&seen.refused),
        count(&seen.failed)
    );
    assert_eq!(count(&seen.failed), 0);
    assert!((1..=SERVICES as u64).contains(&count(&seen.refused)), "each service learns of it once");
    assert!(died <= Duration::from_secs(5), "{died:?}");
}
