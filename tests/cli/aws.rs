//! Access keys of AWS, against what behaves as IAM and STS do: MiniStack checks signatures and refuses dead keys, moto
//! keeps to the quota. `.ci/run stores` starts both; where they are not, these tests pass over themselves.

use super::{Folder, Output, wire};
use keywheel::call::{
    AwsKey, CallError, Clock, Hosts, Prepared, Reply, SystemClock, Transport, Values, aws_sigv4,
};
use keywheel::model::{FingerprintKey, Secret, Unknown, Validity};
use keywheel::probe::{AwsSts, Probe, Probed};
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// An emulator, by its port on loopback.
#[derive(Clone, Copy)]
struct Cloud(u16);

impl Cloud {
    fn of(variable: &str) -> Option<Cloud> {
        let port = std::env::var(variable).ok().and_then(|text| text.parse().ok());
        if port.is_none() {
            println!("skipped: {variable} names no port; `.ci/run stores` does");
        }
        port.map(Cloud)
    }
}

impl Transport for Cloud {
    fn send(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        // The host that was signed: that of AWS.
        wire::send_as(request, &request.host, self.0, deadline)
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// An access key: its id and its secret.
#[derive(Clone)]
struct Pair(String, String);

/// What both emulators take from the start.
fn root() -> Pair {
    Pair("test".to_owned(), "test".to_owned())
}

impl Pair {
    /// As the value of a key with two parts.
    fn json(&self) -> String {
        serde_json::json!({"access_key_id": self.0, "secret": self.1}).to_string()
    }
}

/// A call of IAM by the emulator's root.
fn iam(cloud: Cloud, form: &str) -> String {
    let form_kind = Secret::new(b"application/x-www-form-urlencoded");
    let mut request = Prepared {
        method: "POST".to_owned(),
        tls: true,
        host: "iam.amazonaws.com".to_owned(),
        port: None,
        target: Secret::new(b"/"),
        headers: vec![("Content-Type".to_owned(), form_kind)],
        body: Some(Secret::new(format!("{form}&Version=2010-05-08").as_bytes())),
    };
    let Pair(id, secret) = root();
    let (id, secret) = (Secret::new(id.as_bytes()), Secret::new(secret.as_bytes()));
    let key = AwsKey { id: &id, secret: &secret, token: None };
    aws_sigv4(&mut request, &key, "us-east-1", "iam", SystemClock.wall()).unwrap();
    let reply = cloud.send(&request, soon()).unwrap();
    assert_eq!(reply.status, 200, "{form}: {}", reply.body);
    reply.body.clone()
}

/// A user who may manage access keys, if `may`.
fn user(cloud: Cloud, name: &str, may: bool) {
    iam(cloud, &format!("Action=CreateUser&UserName={name}"));
    if may {
        let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22iam%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
        iam(cloud, &format!("Action=PutUserPolicy&UserName={name}&PolicyName=p&PolicyDocument={policy}"));
    }
}

fn key_of(cloud: Cloud, user: &str) -> Pair {
    let body = iam(cloud, &format!("Action=CreateAccessKey&UserName={user}"));
    let text = |tag: &str| {
        let rest = body.split_once(&format!("<{tag}>")).unwrap().1;
        rest.split_once("</").unwrap().0.to_owned()
    };
    Pair(text("AccessKeyId"), text("SecretAccessKey"))
}

fn ids(cloud: Cloud, user: &str) -> Vec<String> {
    let body = iam(cloud, &format!("Action=ListAccessKeys&UserName={user}"));
    body.split("<AccessKeyId>").skip(1).map(|t| t.split_once('<').unwrap().0.to_owned()).collect()
}

struct Ahead(jiff::SignedDuration);

impl Clock for Ahead {
    fn now(&self) -> Instant {
        SystemClock.now()
    }
    fn sleep(&self, time: Duration) {
        SystemClock.sleep(time);
    }
    fn wall(&self) -> jiff::Timestamp {
        SystemClock.wall() + self.0
    }
}

fn ask_at(cloud: Cloud, pair: &Pair, clock: &dyn Clock) -> Probed {
    let mut values = Values::new();
    values.set("access_key_id", Secret::new(pair.0.as_bytes()));
    values.set("secret", Secret::new(pair.1.as_bytes()));
    let probe = AwsSts { transport: &cloud, hosts: &Hosts::default(), only: &[], clock };
    let probed = probe.check(&values, soon());
    println!("aws-sts: {:?} {}", probed.validity, probed.detail);
    probed
}

fn ask(cloud: Cloud, pair: &Pair) -> Validity {
    ask_at(cloud, pair, &SystemClock).validity
}

#[test]
fn the_probe_tells_live_keys_from_dead_ones() {
    let Some(cloud) = Cloud::of("KEYWHEEL_AWS_MINISTACK") else { return };
    user(cloud, "probed", false);
    let pair = key_of(cloud, "probed");
    let Validity::Active { identity, .. } = ask(cloud, &pair) else { panic!("it works") };
    assert!(identity["arn"].ends_with(":user/probed"), "{identity:?}");
    let wrong = ask_at(cloud, &Pair(pair.0.clone(), "x".repeat(40)), &SystemClock);
    assert!(
        wrong.validity == Validity::Inactive && wrong.detail.contains("SignatureDoesNotMatch"),
        "{wrong:?}"
    );
    assert_eq!(ask(cloud, &Pair(format!("AKIA{}", "Q".repeat(16)), pair.1.clone())), Validity::Inactive);
    // A clock that is wrong proves nothing.
    let late = ask_at(cloud, &pair, &Ahead(jiff::SignedDuration::from_hours(2)));
    assert!(matches!(late.validity, Validity::Unknown(_)), "{late:?}");
    let set = |status: &str| {
        iam(cloud, &format!("Action=UpdateAccessKey&UserName=probed&AccessKeyId={}&Status={status}", pair.0));
    };
    set("Inactive");
    assert_eq!(ask(cloud, &pair), Validity::Inactive);
    set("Active");
    assert!(ask(cloud, &pair).is_active());
    iam(cloud, &format!("Action=DeleteAccessKey&UserName=probed&AccessKeyId={}", pair.0));
    assert_eq!(ask(cloud, &pair), Validity::Inactive);
    let none = Cloud(std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    assert_eq!(ask(none, &pair), Validity::Unknown(Unknown::Unreachable));
}

/// The emulator as the organisation's endpoint.
fn endpoint(cloud: Cloud) -> String {
    format!("[endpoint.aws]\nbase = \"http://127.0.0.1:{}\"\nplain = true\ninternal = true\n", cloud.0)
}

fn shows_nothing(out: &Output, secrets: &[&str]) {
    for secret in secrets {
        assert!(!out.out.contains(secret) && !out.err.contains(secret), "{out:#?}");
    }
}

#[test]
fn a_holder_switches_off_a_leaked_key() {
    let Some(cloud) = Cloud::of("KEYWHEEL_AWS_MINISTACK") else { return };
    let folder = Folder::new();
    folder.put("org.toml", endpoint(cloud));
    let revoke = |pair: &Pair| {
        folder.put("id", &pair.0);
        let mut command = folder.command(&[
            "rotate",
            "revoke",
            "--org-config",
            "org.toml",
            "--audit-log",
            "log.jsonl",
            "--rule",
            "aws-secret-access-key",
            "--with",
            "access_key_id=id",
            "--yes",
            "--wait",
            "0s",
        ]);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        child.stdin.take().unwrap().write_all(pair.1.as_bytes()).ok();
        let out = Output::of(child.wait_with_output().unwrap());
        shows_nothing(&out, &[&pair.1]);
        out
    };
    user(cloud, "leaky", true);
    let pair = key_of(cloud, "leaky");
    // An endpoint in the place of AWS proves no death in public, and the command says so; the key is dead there.
    let out = revoke(&pair).gives(3, "");
    assert!(out.out.contains("revoked not proved"), "{out:#?}");
    assert_eq!(ask(cloud, &pair), Validity::Inactive);
    let body = iam(cloud, "Action=ListAccessKeys&UserName=leaky");
    assert!(body.contains("<Status>Inactive</Status>"), "disabled, not deleted: {body}");
    // Who may not manage keys cannot switch off its own, and it is not called dead.
    user(cloud, "bound", false);
    let pair = key_of(cloud, "bound");
    let out = revoke(&pair).gives(1, "");
    assert!(out.out.contains("refused"), "{out:#?}");
    assert!(ask(cloud, &pair).is_active());
}

/// A service whose access key stands in a file, and the organisation's policy.
struct Shop {
    folder: Folder,
    user: &'static str,
}

impl Shop {
    fn new(cloud: Cloud, user: &'static str, pair: &Pair) -> Shop {
        let folder = Folder::new();
        folder.put("org.toml", endpoint(cloud));
        folder.put("app/keys.json", serde_json::json!({"aws": pair.json()}).to_string());
        let path = fs::canonicalize(folder.0.join("app")).unwrap().join("keys.json");
        let print = FingerprintKey::default().fingerprint(pair.1.as_bytes());
        folder.put(
            "policy.toml",
            format!(
                "version = 1\n[default]\nowners = ['@web']\noverlap = '1m'\ngrace = '0s'\nquiet = '0s'\nsoak = '0s'\n\
                 jitter = '0s'\nproof = ['timer']\n[team.web]\n\
                 [admin.iam]\ncredential = 'env:IAM_ADMIN'\nprovider = 'aws'\n[store.file]\nkind = 'file'\n\
                 [[key]]\nid = 'web/shop/aws'\nteam = 'web'\nservice = 'shop'\nenvironment = 'staging'\n\
                 provider = 'aws'\nrule = 'aws-secret-access-key'\naccount = '{user}'\nkey-id = '{}'\n\
                 ask = {{ user_name = '{user}' }}\nfingerprints = ['{print}']\nrotated = 2020-01-01\nadmin = 'iam'\n\
                 stores = [{{ store = 'file', path = '{}', field = 'aws' }}]\n",
                pair.0,
                path.display()
            ),
        );
        Shop { folder, user }
    }

    fn held(&self) -> Pair {
        let text = fs::read_to_string(self.folder.0.join("app/keys.json")).unwrap();
        let outer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let inner: serde_json::Value = serde_json::from_str(outer["aws"].as_str().unwrap()).unwrap();
        let part = |name: &str| inner[name].as_str().unwrap().to_owned();
        Pair(part("access_key_id"), part("secret"))
    }

    fn rotate(&self, args: &[&str]) -> Output {
        let asks: &[&str] = if args[0] == "status" { &[] } else { &["--org-config", "org.toml"] };
        let mut command = self.folder.command(&[&["rotate"][..], args, asks].concat());
        let Pair(id, secret) = root();
        command
            .env("KEYWHEEL_POLICY", "policy.toml")
            .env("KEYWHEEL_STATE", "state")
            .env("KEYWHEEL_MASTER_KEY", "env:MASTER")
            .env("MASTER", "0f".repeat(32))
            .env("IAM_ADMIN", serde_json::json!({"admin_key_id": id, "admin_secret": secret}).to_string());
        let out = Output::of(command.output().unwrap());
        println!("{} {args:?}: {}\n{}", self.user, out.out, out.err);
        shows_nothing(&out, &[&self.held().1]);
        out
    }
}

#[test]
fn a_due_key_is_turned_over_and_the_old_one_proved_dead() {
    let Some(cloud) = Cloud::of("KEYWHEEL_AWS_MINISTACK") else { return };
    user(cloud, "turned", false);
    let old = key_of(cloud, "turned");
    let shop = Shop::new(cloud, "turned", &old);
    shop.rotate(&["run"]).gives(0, "");
    let new = shop.held();
    assert!(ask(cloud, &old).is_active() && ask(cloud, &new).is_active(), "both work while they overlap");
    // Until a new key is known everywhere, the rule lets no old one die.
    std::thread::sleep(Duration::from_secs(61));
    let out = shop.rotate(&["run"]).gives(0, "done; generation 2");
    shows_nothing(&out, &[&old.1]);
    assert_eq!(shop.held().0, new.0);
    assert!(new.0 != old.0 && new.1 != old.1);
    assert_eq!(ids(cloud, "turned"), [new.0.as_str()]);
    assert!(ask(cloud, &new).is_active());
    assert_eq!(ask(cloud, &old), Validity::Inactive);
}

#[test]
fn a_full_user_waits_for_a_person_and_goes_on_when_there_is_room() {
    let Some(cloud) = Cloud::of("KEYWHEEL_AWS_MOTO") else { return };
    user(cloud, "full", false);
    let (old, other) = (key_of(cloud, "full"), key_of(cloud, "full"));
    let shop = Shop::new(cloud, "full", &old);
    let out = shop.rotate(&["run"]);
    assert_ne!(out.code, 0, "{out:#?}");
    let status = shop.rotate(&["status", "--lineage", "web/shop/aws"]);
    let told = format!("{}{}{}", out.out, out.err, status.out);
    assert!(told.contains("no room for another key: delete one that is not needed"), "{told}");
    assert_eq!(ids(cloud, "full"), [old.0.as_str(), other.0.as_str()]);
    assert_eq!(shop.held().0, old.0);
    // Somebody removes a key that nobody uses.
    iam(cloud, &format!("Action=DeleteAccessKey&UserName=full&AccessKeyId={}", other.0));
    shop.rotate(&["resume", "--lineage", "web/shop/aws"]);
    let new = shop.held();
    assert!(new.0 != old.0 && ids(cloud, "full").contains(&new.0));
}
