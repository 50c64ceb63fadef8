//! Two roles of a real PostgreSQL take turns: rotations as processes, with cuts, kills and sessions that stay.

use super::{Servers, servers};
use keywheel::model::Secret;
use keywheel::probe::{Console, Login, SignedIn};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A shop whose connection string stands in a file, and the organisation's policy.
struct Shop {
    servers: Servers,
    dir: PathBuf,
    name: String,
    first: String,
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(8)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes())
}

impl Shop {
    /// A pair of roles of this name, the first of which is in use. The administrator comes by way of `port`.
    fn new(name: &str, settings: &str, way: impl Fn(u64) -> u64) -> Option<Shop> {
        let servers = servers()?;
        let dir = std::env::temp_dir().join(format!("keywheel-roles-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("app")).unwrap();
        let dir = fs::canonicalize(dir).unwrap();
        let first = format!("first{}", "0a1b2c3d".repeat(3));
        let shop = Shop { servers, dir, name: name.to_owned(), first };
        for half in ["a", "b"] {
            shop.sql(&format!("DROP ROLE IF EXISTS {name}_{half}"));
        }
        shop.sql(&format!("CREATE ROLE {name}_a LOGIN IN ROLE turning PASSWORD '{}'", shop.first));
        shop.sql(&format!("CREATE ROLE {name}_b NOLOGIN IN ROLE turning VALID UNTIL '2999-01-01'"));
        shop.sql(&format!("ALTER ROLE {name}_a VALID UNTIL '2999-01-01'"));
        let port = shop.servers.port("postgres", "port");
        let via = way(port);
        let allow = format!(
            "[endpoint.postgres]\nallow = ['127.0.0.1:{port}', '127.0.0.1:{via}']\ninternal = true\n"
        );
        fs::write(shop.dir.join("org.toml"), allow).unwrap();
        fs::write(
            shop.dir.join("app/.env"),
            format!("PORT=1\nDATABASE_URL={}\n", shop.url(&format!("{name}_a"), &shop.first)),
        )
        .unwrap();
        shop.admin(&shop.at("turner", shop.servers.password("postgres"), via));
        shop.policy(settings);
        Some(shop)
    }

    fn policy(&self, settings: &str) {
        let (name, dir) = (&self.name, self.dir.display());
        let text = format!(
            "version = 1\n[default]\nowners = ['@web']\noverlap = '1s'\ngrace = '0s'\nquiet = '1s'\nsoak = '1s'\njitter = '0s'\n\
             proof = ['usage', 'last-used']\nstaging-first = false\n{settings}\n[team.web]\n[store.env]\nkind = 'file'\n\
             [admin.db]\nprovider = 'database-url'\ncredential = 'file:{dir}/admin'\n\
             [[key]]\nid = 'web/shop/db'\nteam = 'web'\nservice = 'shop'\nenvironment = 'staging'\nprovider = 'database-url'\n\
             rule = 'database-url-postgres'\naccount = 'shop'\nkey-id = '{name}_a'\nadmin = 'db'\nrotated = 2020-01-01\n\
             roles = {{ names = ['{name}_a', '{name}_b'] }}\n\
             stores = [{{ store = 'env', path = '{dir}/app/.env', field = 'DATABASE_URL' }}]\n"
        );
        fs::write(self.dir.join("policy.toml"), text).unwrap();
    }

    fn at(&self, user: &str, password: &str, port: u64) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{port}/postgres?sslmode=disable")
    }

    fn url(&self, user: &str, password: &str) -> String {
        self.at(user, password, self.servers.port("postgres", "port"))
    }

    fn admin(&self, url: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.join("admin");
        fs::write(&path, url).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn sql(&self, sql: &str) {
        let boss = Login::read(&secret(&self.url("boss", self.servers.password("postgres")))).unwrap();
        Console::open(&self.servers.net, &boss, soon()).unwrap().does(sql).unwrap();
    }

    /// The connection string that the service reads.
    fn held(&self) -> Login {
        let text = fs::read_to_string(self.dir.join("app/.env")).unwrap();
        let url = text.lines().find_map(|l| l.strip_prefix("DATABASE_URL=")).unwrap();
        Login::read(&secret(url.trim_matches(['"', '\'']))).unwrap()
    }

    fn signs_in(&self, login: &Login) -> SignedIn {
        login.sign_in(&self.servers.net, soon())
    }

    fn start(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_keywheel"))
            .arg("rotate")
            .args(args)
            .args(["--lineage", "web/shop/db"])
            .current_dir(&self.dir)
            .env_clear()
            .envs([
                ("KEYWHEEL_POLICY", "policy.toml"),
                ("KEYWHEEL_STATE", "state"),
                ("KEYWHEEL_MASTER_KEY", "env:M"),
            ])
            .envs([("M", "0f".repeat(32).as_str()), ("KEYWHEEL_ORG_CONFIG", "org.toml")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn rotate(&self, args: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.start(args).wait_with_output().unwrap();
        let told = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        let held = self.held();
        let password = std::str::from_utf8(held.password().expose()).unwrap();
        assert!(!told.contains(password) && !told.contains(&self.first), "a password is told");
        (status.code().unwrap_or(-1), told)
    }

    fn planned(&self) -> String {
        let (_, told) = self.rotate(&["plan", "--format", "json"]);
        let at = told.find("\"plan\":").unwrap_or_else(|| panic!("{told}"));
        told[at..].split('"').nth(3).unwrap().to_owned()
    }

    fn apply(&self) -> (i32, String) {
        self.rotate(&["apply", "--plan", &self.planned(), "--wait", "30s"])
    }

    fn resume(&self) -> (i32, String) {
        self.rotate(&["resume", "--wait", "30s"])
    }

    /// What a minute does to the lease of a worker that was killed.
    fn let_the_lease_end(&self) {
        if let Ok(db) = rusqlite::Connection::open(self.dir.join("state/journal.db")) {
            db.busy_timeout(Duration::from_secs(10)).unwrap();
            // Before the first rotation there is no such table.
            db.execute("UPDATE leases SET until = 0", []).ok();
        }
    }

    /// The pair after a rotation: who is in use, and that the other one is out.
    fn stands(&self, half: &str, before: &Login) {
        let held = self.held();
        assert_eq!(held.user(), format!("{}_{half}", self.name));
        assert!(held.password().len() >= 32 && held.password() != before.password());
        assert_eq!(self.signs_in(&held), SignedIn::In);
        assert!(matches!(self.signs_in(before), SignedIn::Out(_)), "the old one is dead");
        self.nothing_at_rest(&[before, &held]);
    }

    /// No password stands in the journal, nor in the server's log, which keeps every statement.
    fn nothing_at_rest(&self, logins: &[&Login]) {
        let log = fs::read(self.servers.about["postgres"]["log"].as_str().unwrap()).unwrap();
        let text = String::from_utf8_lossy(&log);
        assert!(text.contains(&format!("ALTER ROLE \"{}_b\"", self.name)), "the log keeps statements");
        let mut texts = vec![log];
        for entry in fs::read_dir(self.dir.join("state")).unwrap() {
            texts.push(fs::read(entry.unwrap().path()).unwrap());
        }
        // The first password was set by the test in a statement of its own.
        for (n, password) in logins.iter().map(|login| login.password().expose()).enumerate() {
            let from = usize::from(password == self.first.as_bytes());
            let found = texts[from..].iter().any(|t| t.windows(password.len()).any(|w| w == password));
            assert!(!found, "password {n} is at rest");
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What the way to the server does to the n-th COMMIT that comes along.
#[derive(Clone, Copy)]
enum Cut {
    Before,
    After,
}

/// A way to the server that is cut once at a COMMIT, before or after the server heard of it.
fn cut(to: u64, how: Cut, nth: usize) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, seen) = (client.unwrap(), seen.clone());
            std::thread::spawn(move || {
                let mut server = TcpStream::connect(("127.0.0.1", to as u16)).unwrap();
                let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let mute = Arc::new(AtomicBool::new(false));
                let muted = mute.clone();
                std::thread::spawn(move || {
                    let mut buf = [0; 4096];
                    while let Ok(n @ 1..) = from.read(&mut buf) {
                        if muted.load(Ordering::SeqCst) || back.write_all(&buf[..n]).is_err() {
                            break;
                        }
                    }
                    back.shutdown(std::net::Shutdown::Both).ok();
                });
                let mut buf = [0; 4096];
                while let Ok(n @ 1..) = client.read(&mut buf) {
                    let commits = buf[..n].windows(6).any(|w| w == b"COMMIT");
                    if commits && seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
                        mute.store(true, Ordering::SeqCst);
                        if let Cut::Before = how {
                            break;
                        }
                    }
                    if server.write_all(&buf[..n]).is_err() {
                        break;
                    }
                }
                server.shutdown(std::net::Shutdown::Both).ok();
            });
        }
    });
    u64::from(port)
}

#[test]
fn roles_take_turns_there_and_back() {
    let Some(shop) = Shop::new("turns", "", |port| port) else { return };
    let first = shop.held();
    let (code, told) = shop.apply();
    assert_eq!(code, 0, "{told}");
    shop.stands("b", &first);
    // The switched-off role stays, its VALID UNTIL untouched, and is the idle one of the way back.
    let second = shop.held();
    let (code, told) = shop.apply();
    assert_eq!(code, 0, "{told}");
    shop.stands("a", &second);
    assert!(matches!(shop.signs_in(&first), SignedIn::Out(_)), "the very first password stays dead");
    shop.sql(
        "DO $$ BEGIN ASSERT (SELECT count(*) = 2 FROM pg_roles WHERE rolname LIKE 'turns\\__' AND \
              rolvaliduntil = '2999-01-01'); END $$",
    );
}

#[test]
fn a_cut_at_any_commit_is_found_out_about() {
    // The commits of a rotation: create, disable, delete.
    for (n, how) in [(1, Cut::Before), (1, Cut::After), (2, Cut::Before), (2, Cut::After), (3, Cut::After)] {
        let Some(shop) = Shop::new(&format!("cut{n}{}", how as u8), "", |port| cut(port, how, n)) else {
            return;
        };
        let first = shop.held();
        let (mut code, mut told) = shop.apply();
        for _ in 0..3 {
            if code == 0 && shop.rotate(&["status"]).1.contains("done") {
                break;
            }
            (code, told) = shop.resume();
        }
        assert_eq!(code, 0, "{told}");
        shop.stands("b", &first);
    }
}

#[test]
fn what_keeps_a_role_from_its_turn_is_told_and_can_be_mended() {
    let Some(shop) = Shop::new("mend", "", |port| port) else { return };
    let first = shop.held();
    let stuck = |what: &str, part: &str| {
        let (code, told) = shop.rotate(&["plan"]);
        assert!(code == 1 && told.contains(part), "{what}: {told}");
        assert_eq!(shop.held().password(), first.password());
        assert_eq!(shop.signs_in(&first), SignedIn::In, "{what}");
        let (code, told) = if what == "admin" { shop.apply() } else { shop.resume() };
        assert!(code == 1 && told.contains(part), "{what}: {told}");
    };
    let admin = fs::read_to_string(shop.dir.join("admin")).unwrap();
    shop.admin(&shop.url("turner", "wrong"));
    stuck("admin", "28P01");
    shop.admin(&admin);
    shop.sql("DROP ROLE mend_b");
    stuck("role", "no role mend_b");
    shop.sql("CREATE ROLE mend_b IN ROLE turning VALID UNTIL '2999-01-01'");
    shop.sql("GRANT pg_monitor TO mend_a");
    stuck("rights", "only mend_a has member of pg_monitor");
    shop.sql("REVOKE pg_monitor FROM mend_a; ALTER ROLE mend_b SUPERUSER");
    stuck("superuser", "mend_b is a superuser");
    shop.sql("ALTER ROLE mend_b NOSUPERUSER VALID UNTIL '2001-01-01'");
    stuck("expired", "VALID UNTIL that is over");
    shop.sql("ALTER ROLE mend_b VALID UNTIL '2999-01-01'");
    let (code, told) = shop.resume();
    assert_eq!(code, 0, "{told}");
    shop.stands("b", &first);
}

#[test]
fn sessions_that_stay_block_and_are_told() {
    let Some(shop) = Shop::new("stay", "max-overlap = '3s'", |port| port) else { return };
    let first = shop.held();
    let psql = shop.servers.about["postgres"]["psql"].as_str().unwrap();
    let mut session = Command::new(psql)
        .arg(shop.url("stay_a", &shop.first))
        .env("PGAPPNAME", "shop-api")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(500));
    let (code, told) = shop.apply();
    assert!(code == 1 && told.contains("shop-api from 127.0.0.1 (1)"), "{told}");
    assert_eq!((shop.signs_in(&first), shop.signs_in(&shop.held())), (SignedIn::In, SignedIn::In));
    assert!(session.try_wait().unwrap().is_none(), "nobody is thrown out");
    drop(session.stdin.take());
    session.wait().unwrap();
    let (code, told) = shop.resume();
    assert_eq!(code, 0, "{told}");
    shop.stands("b", &first);
}

#[test]
fn an_emergency_ends_the_sessions_of_the_leaked_role() {
    let Some(shop) = Shop::new("leak", "emergency-soak = '0s'", |port| port) else { return };
    let first = shop.held();
    let psql = shop.servers.about["postgres"]["psql"].as_str().unwrap();
    let mut session = Command::new(psql)
        .arg(shop.url("leak_a", &shop.first))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(500));
    let (_, told) = shop.rotate(&["plan", "--leaked", "--format", "json"]);
    let hash = told[told.find("\"plan\":").unwrap()..].split('"').nth(3).unwrap().to_owned();
    let (code, told) = shop.rotate(&["apply", "--leaked", "--plan", &hash, "--wait", "30s"]);
    assert_eq!(code, 0, "{told}");
    // It notices when it says something.
    session.stdin.as_mut().unwrap().write_all(b"SELECT 1;\n").unwrap();
    assert!(!session.wait().unwrap().success(), "its session was ended");
    shop.stands("b", &first);
}

#[test]
fn kills_at_any_time_leave_the_service_connected() {
    let Some(shop) = Shop::new("kills", "", |port| port) else { return };
    let shop = Arc::new(shop);
    let (stop, uses) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = {
        let (shop, stop, uses) = (shop.clone(), stop.clone(), uses.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let login = shop.held();
                let came = shop.signs_in(&login);
                // What was read before the file changed may be dead: whoever is refused reads again.
                let again = shop.held();
                assert!(came == SignedIn::In || again.password() != login.password(), "{came:?}");
                uses.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(5));
            }
        })
    };
    let mut kills = 0;
    for round in 0..2 {
        let before = shop.held();
        let hash = shop.planned();
        let mut child = shop.start(&["apply", "--plan", &hash, "--wait", "30s"]);
        for n in 0..6u64 {
            sleep(Duration::from_millis(60 + (n * 97 + round * 41) % 330));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                kills += 1;
            }
            child.wait().unwrap();
            shop.let_the_lease_end();
            // It begins, goes on, or finds that this plan was carried out.
            child = shop.start(&["apply", "--plan", &hash, "--wait", "30s"]);
        }
        let out = child.wait_with_output().unwrap();
        let (_, told) = shop.rotate(&["status"]);
        assert!(told.contains(&format!("generation {} scheduled: done", round + 2)), "{told} {out:?}");
        shop.stands(if round == 0 { "b" } else { "a" }, &before);
    }
    stop.store(true, Ordering::Relaxed);
    client.join().unwrap();
    println!(
        "roles: {kills} kills in 2 rotations, {} uses by a client, 0 failed",
        uses.load(Ordering::Relaxed)
    );
    assert!(kills > 5 && uses.load(Ordering::Relaxed) > 50);
}
