//! What people hear of rotations, as processes: a web hook on loopback listens.

use super::openrouter::Shop;
use super::server::{Server, request};
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A web hook that answers with a status.
struct Hook {
    server: Server,
    status: Arc<AtomicU16>,
}

impl Hook {
    fn new() -> Hook {
        let status = Arc::new(AtomicU16::new(200));
        let says = Arc::clone(&status);
        let server = Server::hearing(move |mut stream, heard| {
            while let Some(text) = request(&mut stream) {
                heard.lock().unwrap().push(text);
                let status = says.load(Ordering::Relaxed);
                let reply = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                if stream.write_all(reply.as_bytes()).is_err() {
                    return;
                }
            }
        });
        Hook { server, status }
    }

    /// What it was told: kind and body.
    fn told(&self) -> Vec<(String, Value)> {
        let bodies = self.server.heard().into_iter().map(|text| {
            assert!(text.to_lowercase().contains("x-keywheel-signature: t="), "{text}");
            let body: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
            (body["kind"].as_str().unwrap().to_owned(), body)
        });
        bodies.collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.told().into_iter().map(|(kind, _)| kind).collect()
    }

    fn address(&self) -> String {
        format!("http://{}/hook", self.server.address)
    }
}

const ROUTES: &str = "alerts = ['ops']\n[route.ops]\nkind = 'webhook'\naddress = 'env:HOOK'\n\
                      credential = 'env:HOOK_KEY'\nplain = true\n[route.others]\nkind = 'webhook'\n\
                      address = 'env:NO_HOOK'\ncredential = 'env:HOOK_KEY'\n";

fn run(shop: &Shop, hook: &Hook, args: &[&str]) -> super::Output {
    let address = hook.address();
    let vars = [("HOOK", address.as_str()), ("HOOK_KEY", "signs"), ("KEYWHEEL_USAGE", "u.db")];
    shop.rotate_with(&vars, &[args, &["--allow-internal", "127.0.0.1"]].concat())
}

#[test]
fn the_routes_that_the_policy_names_hear_of_each_step_once() {
    let (shop, hook) = (Shop::new(ROUTES), Hook::new());
    shop.edit("grace = '0s'", "grace = '0s'\ncadence = '5d'");
    run(&shop, &hook, &["run"]).gives(0, "done; generation 2");
    assert_eq!(hook.kinds(), ["started", "done"]);
    let told = &hook.told()[1].1;
    assert_eq!((&told["subject"], &told["urgency"]), (&"web/shop/openrouter".into(), &"info".into()));
    assert!(told["text"].as_str().unwrap().starts_with("generation 2: "), "{told}");
    // Nothing is told twice; what comes near is told once.
    for _ in 0..3 {
        run(&shop, &hook, &["run"]).gives(0, "");
    }
    assert_eq!(hook.kinds(), ["started", "done", "due-soon"]);
    let out = shop.rotate(&["alerts"]).gives(0, "");
    assert!(out.out.contains("0 not handed over, 0 wait, 0 were given up"), "{out:#?}");
}

#[test]
fn an_alert_that_cannot_be_sent_stops_nothing_and_is_not_lost() {
    let (shop, hook) = (Shop::new(ROUTES), Hook::new());
    hook.status.store(503, Ordering::Relaxed);
    run(&shop, &hook, &["run"]).gives(0, "done; generation 2");
    let out = shop.rotate(&["alerts"]).gives(0, "");
    assert!(out.out.contains("waits     ops started") && out.out.contains(" 2 wait, 0 were"), "{out:#?}");
    hook.status.store(404, Ordering::Relaxed);
    let (shop, other) = (Shop::new(ROUTES), Hook::new());
    other.status.store(404, Ordering::Relaxed);
    run(&shop, &other, &["run"]).gives(0, "2 alerts were given up");
    let out = shop.rotate(&["alerts"]).gives(1, "");
    assert!(out.out.contains("given up  ops done") && out.out.contains("404"), "{out:#?}");
    other.status.store(200, Ordering::Relaxed);
    shop.rotate(&["alerts", "--retry"]).gives(0, "");
    run(&shop, &other, &["run"]).gives(0, "");
    assert_eq!(other.kinds()[2..], ["started", "done"]);
    shop.rotate(&["alerts"]).gives(0, "");
}

#[test]
fn who_still_uses_the_old_key_is_told_and_a_silent_gateway_proves_it_unused() {
    let (shop, hook) = (Shop::new(ROUTES), Hook::new());
    shop.edit("proof = ['timer']", "proof = ['gateway']\ngateways = ['edge']\nmax-overlap = '1s'");
    shop.edit("[team.web]", "[gateway.edge]\naddress = 'https://edge.example'\nlag = '0s'\n[team.web]");
    let now = jiff::Timestamp::now().as_second();
    let line =
        |at: i64, key: &str| format!("{{\"t\":{at},\"k\":\"{key}\",\"p\":\"10.0.0.9\",\"m\":\"gpt\"}}\n");
    let log = [
        line(now - 90_000, "hash1"),
        line(now + 1, "hash1"),
        line(now + 30, "hash1"),
        line(now + 31, "hash41"),
    ]
    .concat();
    shop.folder.put("edge.jsonl", &log).put(
        "map.toml",
        "form = 'jsonl'\nprovider = 'openrouter'\n[columns]\nat = '/t'\nkey = '/k'\nplace = '/p'\nmodel = '/m'\n",
    );
    let import = || {
        let args = ["usage", "import", "--store", "u.db", "--mapping", "map.toml", "--name", "edge"];
        shop.folder.run(&[&args[..], &["edge.jsonl"]].concat()).gives(0, "");
    };
    import();
    run(&shop, &hook, &["run"]).gives(0, "waits until");
    std::thread::sleep(Duration::from_millis(1500));
    run(&shop, &hook, &["run"]).gives(1, "blocked: the old key was last used at");
    assert_eq!(hook.kinds(), ["started", "blocked"]);
    let told = &hook.told()[1].1;
    assert_eq!(told["urgency"], "warning");
    let facts = told["facts"].to_string();
    assert!(facts.contains(r#"["used by","10.0.0.9 for gpt"]"#) && facts.contains("last used"), "{told}");
    // It stays blocked while the log says nothing new.
    let resume = ["resume", "--lineage", "web/shop/openrouter"];
    run(&shop, &hook, &resume).gives(1, "blocked");
    // The log goes on without the old key, beyond the hour in which it was used.
    shop.folder.put("edge.jsonl", log + &line(now + 7_231, "hash41"));
    import();
    run(&shop, &hook, &resume).gives(0, "done; generation 2");
    let status = shop.rotate(&["status", "--format", "json"]).gives(0, "");
    assert!(status.out.contains(r#""proof":"gateway""#), "{status:#?}");
    assert_eq!(hook.kinds().last().unwrap(), "done");
    assert_eq!(shop.router.hashes(), ["hash41"]);
}
