//! One rotation by declared calls: a service, a store, a journal, and a client that uses the key all the while.

use super::super::rig::Folder;
use super::super::server::http_of;
use super::book::{Book, Key};
use super::clock::Time;
use super::clouds::*;
use super::net::{Fault, Net, Service, State};
use super::platforms::*;
use super::services::*;
use keywheel::call::{Endpoint, Hosts};
use keywheel::model::Secret;
use keywheel::rotate::double::{Cell, Faults, Manner, Shelf, StoreDouble};
use keywheel::rotate::journal::New;
use keywheel::rotate::machine::{
    Ask, Does, Emergency, Export, Halt, KeyId, Path as Order, Person, Phase, Proof, Stuck, Target,
};
use keywheel::rotate::provider::{Declared, powers};
use keywheel::rotate::seal::Keyring;
use keywheel::rotate::time::Span;
use keywheel::rotate::{Engine, Frozen, Journal, Progress, Store};
use keywheel::rule::RuleSet;
use keywheel::verify::{Options, Verifier};
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const LINEAGE: &str = "team/app/prod";

/// A provider under test.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) hosts: &'static [&'static str],
    pub(crate) service: Service,
    /// Names of the administrator's credential.
    pub(crate) admin: &'static str,
    pub(crate) asked: &'static [(&'static str, &'static str)],
    /// The id of the key that goes.
    pub(crate) old: &'static str,
}

const fn case(
    name: &'static str,
    rule: &'static str,
    hosts: &'static [&'static str],
    service: Service,
) -> Case {
    Case { name, rule, hosts, service, admin: "admin", asked: &[], old: "old" }
}

/// One provider of every class that is declared by HTTP, and more.
pub(crate) const CASES: [Case; 14] = [
    Case {
        asked: &[("project_id", "proj_1"), ("service_account_id", "svc_1")],
        ..case("openai", "openai-service-account-key", &["api.openai.com"], OPENAI)
    },
    case("openrouter", "openrouter-api-key", &["openrouter.ai"], OPENROUTER),
    case("litellm", "litellm-virtual-key", &["litellm.acme.example"], LITELLM),
    Case {
        asked: &[("project_id", "cm1")],
        ..case("langfuse", "langfuse-secret-key", &["cloud.langfuse.com"], LANGFUSE)
    },
    Case {
        asked: &[("team_id", "t1")],
        ..case("xai", "xai-api-key", &["api.x.ai", "management-api.x.ai"], XAI)
    },
    Case {
        admin: "client_secret",
        asked: &[
            ("tenant", "d1"),
            ("client_id", "c1"),
            ("subscription", "s1"),
            ("group", "g1"),
            ("account", "a1"),
            ("resource", "res1"),
            ("idle", "unused"),
        ],
        old: "Key1",
        ..case(
            "azure",
            "azure-openai-key",
            &["login.microsoftonline.com", "management.azure.com", "res1.openai.azure.com"],
            AZURE,
        )
    },
    Case {
        admin: "admin_key_id",
        asked: &[("user_name", "u1")],
        ..case(
            "bedrock",
            "aws-bedrock-api-key",
            &["iam.amazonaws.com", "bedrock.us-east-1.amazonaws.com"],
            BEDROCK,
        )
    },
    Case {
        admin: "private_key",
        asked: &[("project", "123"), ("client_email", "robot@acme.example")],
        ..case(
            "google",
            "google-api-key",
            &["oauth2.googleapis.com", "apikeys.googleapis.com", "identitytoolkit.googleapis.com"],
            GOOGLE,
        )
    },
    case("linode", "linode-token", &["api.linode.com"], LINODE),
    Case {
        asked: &[("environment", "abc12345")],
        ..case("dynatrace", "dynatrace-token", &["abc12345.live.dynatrace.com"], DYNATRACE)
    },
    case("mailgun", "mailgun-api-key", &["api.mailgun.net"], MAILGUN),
    Case {
        admin: "admin_secret",
        asked: &[("owner", "sa-1")],
        ..case("confluent", "confluent-api-secret", &["api.confluent.cloud"], CONFLUENT)
    },
    case("sonar", "sonarqube-user-token", &["sonarqube.acme.example"], SONAR),
    Case { asked: &[("organisation", "o1")], ..case("snyk", "snyk-api-token", &["api.snyk.io"], SNYK) },
];

static RULES: LazyLock<RuleSet> = LazyLock::new(RuleSet::embedded);

/// A key that signs for Google's double; none where `openssl` is not there.
static PEM: LazyLock<Option<String>> = LazyLock::new(|| {
    let args = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let output = std::process::Command::new("openssl").args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
});

/// What is different from a quiet day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Twist {
    pub(crate) faults: BTreeMap<u64, Fault>,
    pub(crate) lies: bool,
    pub(crate) emergency: bool,
    /// The administrator's credential is not the right one until a person mends it.
    pub(crate) stranger: bool,
    /// There is no room until a person makes some.
    pub(crate) full: bool,
    /// What the operator answers in another way.
    pub(crate) asked: Option<(&'static str, &'static str)>,
}

/// How a rotation ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) phase: Option<Phase>,
    pub(crate) asked: Vec<Halt>,
    /// What the provider's side said last, for a person.
    pub(crate) said: Vec<String>,
    /// Calls that the service got.
    pub(crate) calls: u64,
    /// Of the journal's letters.
    pub(crate) kinds: Vec<String>,
    pub(crate) keys: Vec<Key>,
}

impl Case {
    pub(crate) fn named(name: &str) -> &'static Case {
        CASES.iter().find(|case| case.name == name).unwrap()
    }

    /// Whether it can run here.
    pub(crate) fn possible(&self) -> bool {
        let possible = self.name != "google" || PEM.is_some();
        if !possible {
            println!("{} is skipped: there is no openssl to make a key with", self.name);
        }
        possible
    }

    fn right(&self) -> String {
        match self.name {
            "google" => "accepted".to_owned(),
            _ => format!("admin-{}", "5e6f".repeat(5)),
        }
    }

    fn admin(&self) -> BTreeMap<String, Secret> {
        let value = match self.name {
            "google" => PEM.clone().unwrap(),
            _ => self.right(),
        };
        let mut all = BTreeMap::from([(self.admin.to_owned(), Secret::new(value.as_bytes()))]);
        if self.name == "confluent" {
            all.insert("admin_key".to_owned(), Secret::new(b"the-admin"));
        }
        if self.name == "bedrock" {
            all.insert("admin_secret".to_owned(), Secret::new(b"signs"));
        }
        if self.name == "langfuse" {
            all.insert("admin_public_key".to_owned(), Secret::new(b"pk-admin"));
        }
        all
    }

    /// The secret part of the key that goes.
    fn plain(&self) -> String {
        format!("old-{}", "9f8e7d6c".repeat(3))
    }

    /// Its value as stores hold it.
    pub(crate) fn value(&self) -> Secret {
        let plain = self.plain();
        let whole = match self.name {
            "langfuse" => serde_json::json!({"public_key": "pk-lf-old", "secret": plain}).to_string(),
            "confluent" => serde_json::json!({"key": "old", "secret": plain}).to_string(),
            _ => plain,
        };
        Secret::new(whole.as_bytes())
    }

    /// The secret part of a value as a store holds it.
    fn secret(&self, value: &Secret) -> String {
        let text = String::from_utf8(value.expose().to_vec()).unwrap();
        match self.name {
            "langfuse" | "confluent" => serde_json::from_str::<serde_json::Value>(&text).unwrap()["secret"]
                .as_str()
                .unwrap()
                .to_owned(),
            _ => text,
        }
    }

    fn book(&self, twist: &Twist, now: i64) -> Book {
        let old = Key {
            id: self.old.to_owned(),
            name: "by hand".to_owned(),
            value: self.plain(),
            public: "pk-lf-old".to_owned(),
            created: now - 86_400_000,
            asked: serde_json::json!({"limit": 100, "limit_reset": "monthly", "models": ["m1"], "max_budget": 10.0,
                "restrictions": {"apiTargets": [{"service": "maps-backend.googleapis.com"}]}}),
            ..Key::default()
        };
        let mut book = Book { keys: vec![old.clone()], admin: self.right(), ..Book::default() };
        if self.name == "azure" {
            let value = book.fresh();
            book.keys.push(Key { id: "Key2".to_owned(), value, ..old });
        }
        book.lies = twist.lies.then_some(1_200_000);
        book.room = twist.full.then_some(1);
        if twist.stranger {
            book.admin = "another".to_owned();
        }
        book
    }

    /// What the organisation says of hosts: a proxy has no other.
    pub(crate) fn endpoints(&self) -> Hosts {
        let mut endpoints = BTreeMap::new();
        if self.name == "litellm" {
            let base = Endpoint::new(Some("https://litellm.acme.example"), false, None, &[], false).unwrap();
            endpoints.insert("litellm".to_owned(), base);
        }
        if self.name == "sonar" {
            let base =
                Endpoint::new(Some("https://sonarqube.acme.example"), false, None, &[], false).unwrap();
            endpoints.insert("sonarqube".to_owned(), base);
        }
        Hosts::new(endpoints, [].into())
    }

    fn answers(&self, twist: &Twist) -> BTreeMap<String, String> {
        let mut asked: BTreeMap<String, String> =
            self.asked.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if let Some((name, value)) = twist.asked {
            asked.insert(name.to_owned(), value.to_owned());
        }
        asked
    }

    /// Gives a provider and its service to a test.
    pub(crate) fn with<T>(
        &self,
        twist: &Twist,
        work: impl FnOnce(&Declared<'_>, &Net, &Arc<Time>) -> T,
    ) -> T {
        let time = Arc::new(Time::new());
        let state = State { book: self.book(twist, time.now()), calls: 0, faults: twist.faults.clone() };
        let net = Net::start(self.hosts, self.service, state, Arc::clone(&time));
        let (http, hosts) = (http_of(self.hosts, net.address()), self.endpoints());
        let verifier = Verifier {
            rules: &RULES,
            transport: &http,
            hosts: &hosts,
            probes: &[],
            clock: &*time,
            options: Options::default(),
        };
        let provider = Declared::new(&verifier, self.rule, self.admin(), &self.answers(twist)).unwrap();
        work(&provider, &net, &time)
    }

    /// Rotates, with a person who mends what is asked, and checks what must hold at the end.
    pub(crate) fn rotate(&self, twist: &Twist) -> End {
        self.with(twist, |provider, net, time| self.drive(twist, provider, net, time))
    }

    fn drive(&self, twist: &Twist, provider: &Declared<'_>, net: &Net, time: &Time) -> End {
        let folder = Folder::new(&format!("{}-{:?}", self.name, std::thread::current().id()));
        let journal = Journal::open(&folder.0.join("j.db"), Keyring::new(&[7; 32]).unwrap()).unwrap();
        let value = self.value();
        let shelf = || {
            let cell = Cell::file(&folder.0.join("store.json"), &Shelf::holding(&value)).unwrap();
            StoreDouble::new(cell, Manner::Checked, Faults::default())
        };
        let (stores, client): (Vec<Box<dyn Store>>, _) = (vec![Box::new(shelf())], shelf());
        let leaked = Person { by: "ana".into(), does: Does::Emergency { capped: false } };
        let new = New {
            lineage: LINEAGE,
            frozen: self.frozen(),
            old: KeyId(self.old.to_owned()),
            value: Some(&value),
            claims: &["vault:one".to_owned()],
            leaked: twist.emergency.then_some(leaked),
        };
        let id = journal.plan(&new, keywheel::rotate::time::Moment(time.now())).unwrap();
        let engine = Engine::new(&journal, provider, &stores, &time.0, "w")
            .with_spans(Span::seconds(60), Duration::from_secs(20));
        let (mut asked, mut said) = (Vec::new(), Vec::new());
        let held = || self.secret(&client.current().unwrap().unwrap());
        let mut phase = None;
        for _ in 0..20_000 {
            match engine.advance(id).unwrap() {
                Progress::Stepped => {
                    let works = net.with(|s| s.book.used(&held(), time.now()));
                    assert!(
                        works || twist.lies || twist.emergency,
                        "{}: a client is turned away: {twist:?}",
                        self.name
                    );
                }
                Progress::Wait(until) => time.0.move_to(until).unwrap(),
                Progress::Busy => {
                    time.0.move_to(keywheel::rotate::time::Moment(time.now() + 10_000)).unwrap()
                }
                Progress::Ask(Ask::Resolve(halt)) if asked.len() < 20 => {
                    assert!(halt.words().len() > 20, "{halt:?} says what to do");
                    asked.push(halt);
                    said.extend(journal.answered(id).unwrap());
                    if twist.asked.is_some() {
                        break;
                    }
                    net.with(|s| (s.book.admin, s.book.room) = (self.right(), None));
                    // A key that nothing marks: the person finds out that it is nobody's.
                    if let Some(Halt::Stuck(Stuck::Surplus(id))) = asked.last() {
                        net.with(|s| s.book.remove(&id.0));
                    }
                    let retry = Person { by: "ana".into(), does: Does::Retry };
                    journal.say(id, &retry, keywheel::rotate::time::Moment(time.now())).unwrap();
                }
                Progress::Finished(end) => {
                    phase = Some(end);
                    break;
                }
                other => panic!("{}: {other:?} {asked:?} {said:?} {twist:?}", self.name),
            }
        }
        let kinds = journal.letters().unwrap().into_iter().map(|l| l.kind).collect();
        let (calls, keys) = net.with(|s| (s.calls, s.book.keys.clone()));
        let end = End { phase, asked, said, calls, kinds, keys };
        if let Some(phase) = phase {
            self.check(phase, &held(), net, time, &end, twist);
        }
        self.check_no_key_at_rest(&folder, &journal, &end);
        end
    }

    fn check(&self, phase: Phase, held: &str, net: &Net, time: &Time, end: &End, twist: &Twist) {
        let works = |value: &str| net.with(|s| s.book.works(value, time.now()));
        let (name, old) = (self.name, self.plain());
        assert!(works(held), "{name}: the store holds a dead key: {twist:?} {end:?}");
        let done = phase == Phase::Done;
        assert_eq!(held != old, done, "{name}: {phase} {twist:?}");
        assert_eq!(works(&old), !done, "{name}: {phase} {twist:?}");
        let wanted = if name == "azure" { 2 } else { 1 };
        assert_eq!(end.keys.len(), wanted, "{name}: a surplus key: {twist:?} {end:?}");
    }

    /// No value stands in the journal's files, its letters, or the words for a person.
    fn check_no_key_at_rest(&self, folder: &Folder, journal: &Journal, end: &End) {
        let mut texts = vec![
            format!("{:?} {:?}", journal.letters().unwrap(), journal.audit_entries().unwrap()).into_bytes(),
        ];
        texts.push(format!("{:?}", end.said).into_bytes());
        for file in fs::read_dir(&folder.0).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("j.db") {
                texts.push(fs::read(path).unwrap());
            }
        }
        let mut values: Vec<String> = end.keys.iter().map(|k| k.value.clone()).collect();
        values.extend([self.plain(), self.right()]);
        // The word that Google's double goes by is no secret.
        for value in values.iter().filter(|v| *v != "accepted") {
            let found = texts.iter().any(|text| text.windows(value.len()).any(|w| w == value.as_bytes()));
            assert!(!found, "{}: a raw key is at rest", self.name);
        }
    }

    fn frozen(&self) -> Frozen {
        let head = RULES.declared(self.rule).unwrap().rule.rotate.unwrap();
        Frozen {
            path: Order::CreateFirst,
            overlap: Span::hours(1),
            max_overlap: Span::days(3),
            quiet: Span::seconds(600),
            soak: Span::days(1),
            proofs: vec![Proof::LastUsed, Proof::Timer],
            export: Export::Offered,
            approvals: 0,
            acks: 1,
            staging: None,
            stores: vec![Target { name: "first".to_owned(), staged: false, readable: true }],
            poll: Span::seconds(1800),
            probe: Span::seconds(900),
            probes_count: false,
            patience: 4,
            emergency: Emergency {
                path: Order::CreateFirst,
                overlap: Span::ZERO,
                soak: Span::ZERO,
                export_deadline: Span::seconds(60),
                approvals: 0,
                poll: Span::seconds(1),
                daily_cap: 3,
            },
            powers: powers(&head).unwrap(),
        }
    }
}
