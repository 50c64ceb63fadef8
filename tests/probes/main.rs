//! Logins at real servers, which `tests/probes/run.py` starts.
#![cfg(unix)]
// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

mod roles;

use keywheel::call::{Endpoint, Hosts, Pattern, Reach, SystemResolver, Values};
use keywheel::model::{Secret, Unknown, Validity};
use keywheel::probe::{Mysql, Net, Postgres, Probe, Probed, Redis, Smtp};
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

#[test]
fn hosts_that_nobody_allowed_are_not_asked() {
    let Some(s) = servers() else { return };
    let (right, port) = (s.password("postgres"), s.port("postgres", "port"));
    for host in ["localhost", "127.0.0.2", "127.1", "[::ffff:127.0.0.1]", "evil.example"] {
        let probed = ask(&Postgres(&s.net), &format!("postgres://svc:{right}@{host}:{port}/postgres"));
        assert_eq!(probed.validity, Validity::Unknown(Unknown::Refused), "{host}");
    }
}
