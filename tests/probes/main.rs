//! Logins at real servers, which `tests/probes/run.py` starts.
#![cfg(unix)]
// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

mod roles;

use keywheel::call::{Endpoint, Hosts, Pattern, Reach, SystemResolver, Values};
use keywheel::model::{Secret, Unknown, Validity};
use keywheel::probe::{Mysql, Net, Postgres, Probe, Probed, Redis, Smtp, Ssh, SshAccount};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the servers are.
struct Servers {
    about: Value,
    /// Trusts the servers' authority.
    net: Net,
    /// Does not.
    stranger: Net,
    /// A port that nobody listens on.
    down: u16,
}

/// The servers, or nothing where nobody started them.
fn servers() -> Option<Servers> {
    let Ok(path) = std::env::var("KEYWHEEL_PROBES") else {
        println!("skipped: no servers; tests/probes/run.py starts them");
        return None;
    };
    let about: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let roots = std::fs::read(about["ca"].as_str().unwrap()).unwrap();
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut hosts = BTreeMap::new();
    for protocol in ["postgres", "mysql", "redis", "smtp"] {
        let ports = about[protocol].as_object().unwrap().values().filter_map(Value::as_u64);
        let mut allow: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
        allow.push(format!("127.0.0.1:{down}"));
        hosts.insert(protocol.to_owned(), Endpoint::new(None, false, None, &allow, true).unwrap());
    }
    let hosts = Hosts::new(hosts, [].into());
    let mut reach = Reach::new(Arc::new(SystemResolver::default()));
    reach.allow_internal(Pattern::of_operator("127.0.0.1").unwrap());
    let net = Net::new(hosts.clone(), reach.clone(), Vec::new(), &roots).unwrap();
    let stranger = Net::new(hosts, reach, Vec::new(), &[]).unwrap();
    Some(Servers { about, net, stranger, down })
}

impl Servers {
    fn port(&self, protocol: &str, name: &str) -> u64 {
        self.about[protocol][name].as_u64().unwrap()
    }

    fn password(&self, protocol: &str) -> &str {
        self.about[protocol]["password"].as_str().unwrap()
    }
}

fn ask(probe: &dyn Probe, url: &str) -> Probed {
    let mut values = Values::new();
    values.set("url", Secret::new(url.as_bytes()));
    let probed = probe.check(&values, Instant::now() + Duration::from_secs(8));
    println!("{}: {:?} {}", probe.name(), probed.validity, probed.detail);
    probed
}

fn word(probed: &Probed) -> String {
    match &probed.validity {
        Validity::Unknown(why) => format!("unknown: {why:?}").to_ascii_lowercase(),
        other => other.as_str().to_owned(),
    }
}

const REFUSED: &str = "unknown: refused";
const AMBIGUOUS: &str = "unknown: ambiguous";
const UNREACHABLE: &str = "unknown: unreachable";

#[test]
fn postgres() {
    let Some(s) = servers() else { return };
    let (right, port) = (s.password("postgres"), s.port("postgres", "port"));
    for (user, password, tail, expected) in [
        ("svc", right, "postgres", "active"),
        ("svc", right, "postgres?sslmode=disable", "active"),
        ("svc", right, "postgres?sslmode=require", "active"),
        ("svc", right, "postgres?sslmode=verify-full", "active"),
        ("svc", "wrong", "postgres", "inactive"),
        ("svc", "wrong", "postgres?sslmode=disable", "inactive"),
        ("svc", right, "no_such_database", "active"),
        ("nobody", right, "postgres", "inactive"),
        ("old", right, "postgres", "active"),
        ("old", "wrong", "postgres", "inactive"),
        // The server asks for the password itself; loopback may have it.
        ("clear", right, "postgres?sslmode=verify-full", "active"),
        ("clear", "wrong", "postgres?sslmode=verify-full", "inactive"),
        ("idle", right, "postgres", AMBIGUOUS),
        ("open", "wrong", "postgres", AMBIGUOUS),
        // pg_hba.conf has no line for it.
        ("barred", right, "postgres", "unknown: blocked"),
    ] {
        let probed =
            ask(&Postgres(&s.net), &format!("postgresql://{user}:{password}@127.0.0.1:{port}/{tail}"));
        assert_eq!(word(&probed), expected, "{user} {tail}: {}", probed.detail);
        assert!(!probed.detail.contains(right));
    }
    let pairs =
        format!("host=127.0.0.1 port={port} user=svc dbname=postgres sslmode=verify-full password={right}");
    let probed = ask(&Postgres(&s.net), &pairs);
    let Validity::Active { identity, .. } = &probed.validity else { panic!("{probed:?}") };
    assert_eq!((&*identity["user"], &*identity["is superuser"]), ("svc", "off"));
    let url = format!("postgresql://svc:{right}@127.0.0.1:{port}/postgres");
    assert_eq!(word(&ask(&Postgres(&s.stranger), &url)), "active");
    assert_eq!(word(&ask(&Postgres(&s.stranger), &format!("{url}?sslmode=verify-full"))), UNREACHABLE);
    let down = format!("postgresql://svc:{right}@127.0.0.1:{}/", s.down);
    assert_eq!(word(&ask(&Postgres(&s.net), &down)), UNREACHABLE);
}

#[test]
fn mariadb() {
    let Some(s) = servers() else { return };
    let (right, port) = (s.password("mysql"), s.port("mysql", "port"));
    for (user, password, tail, expected) in [
        ("svc", right, "", "active"),
        ("svc", right, "?ssl-mode=DISABLED", "active"),
        ("svc", right, "?ssl-mode=VERIFY_IDENTITY", "active"),
        ("svc", right, "no_such_database", "active"),
        ("svc", "wrong", "", AMBIGUOUS),
        ("svc", "wrong", "?ssl-mode=DISABLED", AMBIGUOUS),
        ("nobody", right, "", AMBIGUOUS),
        // The right password, of an account that may come from elsewhere only: refused as a wrong one is.
        ("away", right, "", AMBIGUOUS),
        ("old", right, "", "active-restricted"),
        ("old", "wrong", "", AMBIGUOUS),
        ("locked", right, "", AMBIGUOUS),
    ] {
        let probed = ask(&Mysql(&s.net), &format!("mysql://{user}:{password}@127.0.0.1:{port}/{tail}"));
        assert_eq!(word(&probed), expected, "{user} {tail}: {}", probed.detail);
    }
    let verified = format!("mariadb://svc:{right}@127.0.0.1:{port}/?sslmode=verify-ca");
    assert_eq!(word(&ask(&Mysql(&s.stranger), &verified)), UNREACHABLE);
    assert_eq!(
        word(&ask(&Mysql(&s.net), &format!("mysql://svc:{right}@127.0.0.1:{}/", s.down))),
        UNREACHABLE
    );
}

#[test]
fn redis() {
    let Some(s) = servers() else { return };
    let (right, default) = (s.password("redis"), s.about["redis"]["default"].as_str().unwrap());
    let (port, tls, open) = (s.port("redis", "port"), s.port("redis", "tls"), s.port("redis", "open"));
    for (login, place, expected) in [
        (format!("redis://svc:{right}"), port, "active"),
        (format!("redis://named:{right}"), port, "active"),
        (format!("redis://:{default}"), port, "active"),
        (format!("redis://default:{default}"), port, "active"),
        (format!("rediss://named:{right}"), tls, "active"),
        ("redis://svc:wrong".to_owned(), port, "inactive"),
        ("redis://:wrong".to_owned(), port, "inactive"),
        (format!("redis://nobody:{right}"), port, "inactive"),
        (format!("redis://off:{right}"), port, "inactive"),
        ("rediss://svc:wrong".to_owned(), tls, "inactive"),
        // It takes any password.
        ("redis://open:wrong".to_owned(), port, AMBIGUOUS),
        ("redis://:wrong".to_owned(), open, AMBIGUOUS),
        ("redis://svc:wrong".to_owned(), open, "inactive"),
        (format!("rediss://svc:{right}"), port, UNREACHABLE),
        (format!("redis://svc:{right}"), u64::from(s.down), UNREACHABLE),
    ] {
        let probed = ask(&Redis(&s.net), &format!("{login}@127.0.0.1:{place}/0"));
        assert_eq!(word(&probed), expected, "{login} {place}: {}", probed.detail);
    }
    let named = ask(&Redis(&s.net), &format!("redis://named:{right}@127.0.0.1:{port}"));
    assert!(matches!(named.validity, Validity::Active { identity, .. } if identity["user"] == "named"));
    assert_eq!(
        word(&ask(&Redis(&s.stranger), &format!("rediss://svc:{right}@127.0.0.1:{tls}"))),
        UNREACHABLE
    );
}

#[test]
fn smtp() {
    let Some(s) = servers() else { return };
    let right = s.password("smtp");
    let (port, within, bare) = (s.port("smtp", "port"), s.port("smtp", "within"), s.port("smtp", "bare"));
    for (login, place, expected) in [
        (format!("smtp://svc:{right}"), port, "active"),
        ("smtp://svc:wrong".to_owned(), port, "inactive"),
        (format!("smtp://nobody:{right}"), port, "inactive"),
        (format!("smtps://svc:{right}"), within, "active"),
        ("smtps://svc:wrong".to_owned(), within, "inactive"),
        // It takes any password.
        ("smtp://svc:wrong".to_owned(), bare, AMBIGUOUS),
        (format!("smtps://svc:{right}"), bare, UNREACHABLE),
        (format!("imap://svc:{right}"), port, REFUSED),
        (format!("smtp://svc:{right}"), u64::from(s.down), UNREACHABLE),
    ] {
        let probed = ask(&Smtp(&s.net), &format!("{login}@127.0.0.1:{place}"));
        assert_eq!(word(&probed), expected, "{login} {place}: {}", probed.detail);
    }
    assert_eq!(word(&ask(&Smtp(&s.stranger), &format!("smtp://svc:{right}@127.0.0.1:{port}"))), UNREACHABLE);
}

impl Servers {
    /// An account at one of the ports of sshd, whose host shows the key of a kind.
    fn account(&self, port: u64, kind: &str) -> SshAccount {
        let pin = self.about["ssh"]["hosts"][kind].as_str().unwrap().to_owned();
        let user = self.about["ssh"]["user"].as_str().unwrap();
        SshAccount::new(user, &format!("127.0.0.1:{port}"), &[pin], true).unwrap()
    }

    fn sign_in(&self, accounts: &[SshAccount], key: &str) -> Probed {
        let mut values = Values::new();
        values.set("secret", Secret::new(self.about["ssh"]["keys"][key].as_str().unwrap().as_bytes()));
        let probe = Ssh { net: &self.net, accounts };
        let probed = probe.check(&values, Instant::now() + Duration::from_secs(20));
        println!("ssh {key}: {:?} {}", probed.validity, probed.detail);
        probed
    }
}

#[test]
fn openssh() {
    let Some(s) = servers() else { return };
    let port = |name: &str| s.port("ssh", name);
    let ed25519 = |name: &str| [s.account(port(name), "ed25519")];
    for key in s.about["ssh"]["keys"].as_object().unwrap().keys() {
        let expected = match key.as_str() {
            "stranger" => AMBIGUOUS,
            // The passphrase is not known; the curve is not tried.
            "locked" | "p521" => REFUSED,
            _ => "active",
        };
        for name in ["port", "fips"] {
            let probed = s.sign_in(&ed25519(name), key);
            assert_eq!(word(&probed), expected, "{key} {name}: {}", probed.detail);
            if let Validity::Active { identity, .. } = &probed.validity {
                assert!(identity["key"].starts_with("SHA256:"), "{identity:?}");
            }
        }
    }
    for (name, key, expected) in [
        ("more", "ed25519", "active-restricted"),
        ("more", "rsa", "active-restricted"),
        ("more", "stranger", AMBIGUOUS),
        // It takes RSA with SHA-256 only.
        ("older", "rsa", "active"),
        ("older", "ed25519", AMBIGUOUS),
        // It takes the key, but lets this user in nowhere.
        ("barred", "ed25519", AMBIGUOUS),
    ] {
        let probed = s.sign_in(&ed25519(name), key);
        assert_eq!(word(&probed), expected, "{key} at {name}: {}", probed.detail);
    }
    // Each kind of host key proves the host; one of another host does not.
    for kind in ["p256", "p384", "rsa"] {
        let probed = s.sign_in(&[s.account(port("port"), kind)], "ed25519");
        assert_eq!(word(&probed), "active", "{kind}: {}", probed.detail);
    }
    let user = s.about["ssh"]["user"].as_str().unwrap();
    let place = format!("127.0.0.1:{}", port("port"));
    let other = format!("SHA256:{}", "A".repeat(43));
    let other = SshAccount::new(user, &place, &[other], true).unwrap();
    let probed = s.sign_in(std::slice::from_ref(&other), "ed25519");
    assert_eq!(word(&probed), REFUSED);
    assert!(probed.detail.contains("another host key"), "{}", probed.detail);
    let nobody = SshAccount::new(
        "no-such-user",
        &place,
        &[s.about["ssh"]["hosts"]["rsa"].as_str().unwrap().to_owned()],
        true,
    );
    assert_eq!(word(&s.sign_in(&[nobody.unwrap()], "ed25519")), AMBIGUOUS);
    let down = [s.account(u64::from(s.down), "rsa")];
    assert_eq!(word(&s.sign_in(&down, "ed25519")), UNREACHABLE);
    // One account that is down and one of another host do not keep the third from proving it.
    let [works] = ed25519("port");
    let all = [down[0].clone(), other, works];
    assert_eq!(word(&s.sign_in(&all, "p256-sec1")), "active");
}

/// From a file with a private key to the report, as a process.
#[test]
fn a_scan_tries_private_keys_where_the_organisation_says() {
    let Some(s) = servers() else { return };
    let ssh = &s.about["ssh"];
    let folder = std::path::PathBuf::from(std::env::var("KEYWHEEL_PROBES").unwrap()).with_file_name("scan");
    std::fs::create_dir_all(folder.join("tree")).unwrap();
    let account = format!(
        "[[verify.ssh]]\nuser = {}\nhost = '127.0.0.1:{}'\nhost-keys = [{}]\ninternal = true\n",
        ssh["user"], ssh["port"], ssh["hosts"]["ed25519"]
    );
    for name in ["ed25519", "rsa-pkcs1", "p256-sec1", "p384-pkcs8", "stranger", "locked"] {
        std::fs::write(folder.join("tree").join(name), ssh["keys"][name].as_str().unwrap()).unwrap();
    }
    let scan = |organisation: &str| {
        std::fs::write(folder.join("org.toml"), organisation).unwrap();
        let args = [
            "scan",
            "tree",
            "--verify",
            "--verify-cache",
            "none",
            "--org-config",
            "org.toml",
            "--format",
            "json",
        ];
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_keywheel"))
            .args(args)
            .current_dir(&folder)
            .output();
        let out = String::from_utf8(run.unwrap().stdout).unwrap();
        let doc: Value = serde_json::from_str(&out).unwrap();
        let verdict = |f: &Value| {
            let path = f["occurrences"][0]["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            (path, f["validity"].as_str().unwrap().to_owned())
        };
        doc["findings"].as_array().unwrap().iter().map(verdict).collect::<BTreeMap<_, _>>()
    };
    let seen = scan(&account);
    for (name, expected) in [
        ("ed25519", "active"),
        ("rsa-pkcs1", "active"),
        ("p256-sec1", "active"),
        ("p384-pkcs8", "active"),
        ("stranger", "unknown"),
        ("locked", "not-checked"),
    ] {
        assert_eq!(seen[name], expected, "{name}: {seen:?}");
    }
    assert!(scan("").values().all(|verdict| verdict == "not-checked"));
}

#[test]
fn hosts_that_nobody_allowed_are_not_asked() {
    let Some(s) = servers() else { return };
    let (right, port) = (s.password("postgres"), s.port("postgres", "port"));
    for host in ["localhost", "127.0.0.2", "127.1", "[::ffff:127.0.0.1]", "evil.example"] {
        let probed = ask(&Postgres(&s.net), &format!("postgres://svc:{right}@{host}:{port}/postgres"));
        assert_eq!(probed.validity, Validity::Unknown(Unknown::Refused), "{host}");
    }
}
