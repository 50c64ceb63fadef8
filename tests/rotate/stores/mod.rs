//! Rotations that land in each kind of store behind HTTP, with every fault at every call of it.

mod doubles;

use self::doubles::{
    Actions, Asked, Doppler, GcpSecrets, Infisical, KeyVault, Kubernetes, Openbao, ParameterStore,
    SecretsManager, Service,
};
use super::rig::{Folder, Spec, old, provider};
use crypto_box::SecretKey;
use keywheel::call::{CallError, Prepared, Reply, Transport};
use keywheel::model::Secret;
use keywheel::rotate::double::{Faults, Manner, ManualClock};
use keywheel::rotate::engine::Clock;
use keywheel::rotate::journal::New;
use keywheel::rotate::machine::{Ask, Class, Does, Halt, KeyId, Person, Phase, Target};
use keywheel::rotate::seal::Keyring;
use keywheel::rotate::store::{Doors, Place, Server};
use keywheel::rotate::time::{Moment, Span};
use keywheel::rotate::{Engine, Journal, Progress, Store};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nobody answers the phone.
    Cut,
    /// The line ends before anything happens.
    Before,
    /// It happens, and the answer is lost.
    After,
    /// 429.
    Busy,
    /// 500, and nothing happened.
    Broken,
    /// 502 from somebody between, after it happened.
    Between,
    /// 403 from somebody between.
    Denied,
    /// Another version than expected, in its own words, though nobody wrote.
    Conflict,
    /// No room, in its own words.
    Full,
}

const FAULTS: [Fault; 9] = [
    Fault::Cut,
    Fault::Before,
    Fault::After,
    Fault::Busy,
    Fault::Broken,
    Fault::Between,
    Fault::Denied,
    Fault::Conflict,
    Fault::Full,
];

struct State {
    service: Box<dyn Service>,
    calls: u64,
    faults: BTreeMap<u64, Fault>,
    /// Whether the credential is not the right one until a person mends it.
    stranger: bool,
}

/// What stores say to somebody whom they do not know, each in its own words.
const STRANGER: &str = r#"{"errors":["permission denied"],"__type":"AccessDeniedException",
    "error":{"code":"Forbidden","status":"PERMISSION_DENIED"}}"#;

/// A store's server, and the doors of the world that lead to it.
#[derive(Clone)]
struct Net {
    state: Arc<Mutex<State>>,
    clock: Arc<ManualClock>,
    ring: Arc<Keyring>,
}

fn text(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

impl Transport for Net {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        let body = request.body.as_ref().map(text).unwrap_or_default();
        let asked = Asked {
            method: request.method.clone(),
            path: text(&request.target),
            headers: request.headers.iter().map(|(k, v)| (k.to_lowercase(), text(v))).collect(),
            body: serde_json::from_str(&body).unwrap_or(serde_json::Value::String(body)),
        };
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let fault = state.faults.get(&state.calls).copied();
        let mut answer = || match state.service.knows(&asked) {
            true => state.service.answer(&asked),
            false => (403, STRANGER.to_owned()),
        };
        let lost = || CallError::Lost("the connection ended".to_owned());
        let page = |status: u16| (status, "<html>no</html>".to_owned());
        let (status, body) = match fault {
            None => answer(),
            Some(Fault::Cut) => return Err(CallError::Unconnected("refused".to_owned())),
            Some(Fault::Before) => return Err(lost()),
            Some(Fault::After) => {
                answer();
                return Err(lost());
            }
            Some(Fault::Busy) => page(429),
            Some(Fault::Broken) => page(500),
            Some(Fault::Between) => {
                answer();
                page(502)
            }
            Some(Fault::Denied) => page(403),
            Some(Fault::Conflict) => state.service.conflict(),
            Some(Fault::Full) => state.service.full(),
        };
        Ok(Reply { status, body, headers: BTreeMap::new() })
    }
}

impl Doors for Net {
    fn transport(&self, _: &Server) -> Result<Arc<dyn Transport>, String> {
        Ok(Arc::new(self.clone()))
    }

    fn fetch(&self, reference: &str) -> Result<Secret, String> {
        let who = if self.state.lock().unwrap().stranger { "bad" } else { "good" };
        Ok(Secret::new(
            match reference {
                "env:AWS" => format!(r#"{{"Version":1,"AccessKeyId":"{who}","SecretAccessKey":"signs"}}"#),
                "env:AZURE" => format!(r#"{{"appId":"app","password":"{who}","tenant":"acme.example"}}"#),
                _ => who.to_owned(),
            }
            .as_bytes(),
        ))
    }

    fn tracked(&self, _: &Path) -> Result<bool, String> {
        Ok(false)
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn mark(&self, bytes: &[u8]) -> String {
        self.ring.mark(&Secret::new(bytes))
    }
}

/// A kind of store.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    spec: &'static str,
    path: &'static str,
    field: Option<&'static str>,
    staged: bool,
    readable: bool,
    double: fn(String) -> Box<dyn Service>,
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "openbao",
        spec: "kind = 'openbao'\naddress = 'https://bao.acme.example'\ntoken = 'env:T'",
        path: "kv/shop",
        field: Some("KEY"),
        staged: false,
        readable: true,
        double: |value| {
            Box::new(Openbao { version: 3, fields: serde_json::json!({"KEY": value, "PORT": "1"}) })
        },
    },
    Kind {
        name: "aws-secrets-manager",
        spec: "kind = 'aws-secrets-manager'\nregion = 'eu-central-1'\ncredential = 'env:AWS'",
        path: "shop",
        field: None,
        staged: true,
        readable: true,
        double: |value| {
            let versions = vec![("v1".to_owned(), value)];
            Box::new(SecretsManager { versions, current: "v1".to_owned(), pending: String::new() })
        },
    },
    Kind {
        name: "aws-parameter-store",
        spec: "kind = 'aws-parameter-store'\nregion = 'eu-central-1'\ncredential = 'env:AWS'",
        path: "/shop/key",
        field: None,
        staged: false,
        readable: true,
        double: |value| Box::new(ParameterStore { version: 3, value }),
    },
    Kind {
        name: "gcp-secret-manager",
        spec: "kind = 'gcp-secret-manager'\ncredential = 'env:G'",
        path: "shop-1/key",
        field: None,
        staged: false,
        readable: true,
        double: |value| Box::new(GcpSecrets { version: 3, value }),
    },
    Kind {
        name: "azure-key-vault",
        spec: "kind = 'azure-key-vault'\naddress = 'https://acme.vault.azure.net'\ncredential = 'env:AZURE'",
        path: "key",
        field: None,
        staged: false,
        readable: true,
        double: |value| Box::new(KeyVault { version: 3, value }),
    },
    Kind {
        name: "github-actions",
        spec: "kind = 'github-actions'\ncredential = 'env:G'",
        path: "acme/shop",
        field: Some("API_KEY"),
        staged: false,
        readable: false,
        double: |value| Box::new(Actions { key: SecretKey::from([7; 32]), updated: 1, value }),
    },
    Kind {
        name: "kubernetes",
        spec: "kind = 'kubernetes'\naddress = 'https://k8s.acme.example'\ntoken = 'env:K'",
        path: "shop/api",
        field: Some("key"),
        staged: false,
        readable: true,
        double: |value| Box::new(Kubernetes { version: 7, value }),
    },
    Kind {
        name: "doppler",
        spec: "kind = 'doppler'\ncredential = 'env:D'",
        path: "shop/prd",
        field: Some("API_KEY"),
        staged: false,
        readable: true,
        double: |value| Box::new(Doppler { value }),
    },
    Kind {
        name: "infisical",
        spec: "kind = 'infisical'\nidentity = { client-id = 'env:I', client-secret = 'env:S' }",
        path: "p-1/prod",
        field: Some("API_KEY"),
        staged: false,
        readable: true,
        double: |value| Box::new(Infisical { version: 4, value }),
    },
];

/// What is different from a quiet day.
#[derive(Clone, Debug, Default)]
struct Twist {
    faults: BTreeMap<u64, Fault>,
    stranger: bool,
}

#[derive(Debug)]
struct End {
    phase: Phase,
    asked: Vec<Halt>,
    calls: u64,
}

impl Kind {
    fn rotate(&self, twist: &Twist) -> End {
        let folder = Folder::new(&format!("{}-{:?}", self.name, std::thread::current().id()));
        let rotation = Spec::new(Class::C, Manner::Checked);
        let clock =
            Arc::new(ManualClock::file(&folder.0.join("clock.json"), Moment(1_800_000_000_000)).unwrap());
        let keys = provider(&folder.0, &rotation, Faults::default(), &clock);
        let ring = || Keyring::new(&[7; 32]).unwrap();
        let journal = Journal::open(&folder.0.join("j.db"), ring()).unwrap();
        let state = State {
            service: (self.double)(text(&old())),
            calls: 0,
            faults: twist.faults.clone(),
            stranger: twist.stranger,
        };
        let net =
            Net { state: Arc::new(Mutex::new(state)), clock: Arc::clone(&clock), ring: Arc::new(ring()) };
        let doors: Arc<dyn Doors> = Arc::new(net.clone());
        let place = Place {
            lineage: "team/app".to_owned(),
            path: self.path.to_owned(),
            field: self.field.map(str::to_owned),
            ..Place::default()
        };
        let spec: keywheel::rotate::store::Spec = toml::from_str(self.spec).unwrap();
        let stores: Vec<Box<dyn Store>> = vec![spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}"))];
        let mut frozen = rotation.frozen();
        frozen.stores =
            vec![Target { name: self.name.to_owned(), staged: self.staged, readable: self.readable }];
        let value = old();
        let new = New {
            lineage: "team/app",
            frozen,
            old: KeyId("old".into()),
            value: Some(&value),
            claims: &["place".to_owned()],
            leaked: None,
        };
        let id = journal.plan(&new, clock.now()).unwrap();
        let engine = Engine::new(&journal, &keys, &stores, &*clock, "w")
            .with_spans(Span::seconds(60), Duration::from_secs(20));
        let held = || Secret::new(net.state.lock().unwrap().service.current().as_bytes());
        let (mut asked, mut phase) = (Vec::new(), None);
        for _ in 0..20_000 {
            match engine.advance(id).unwrap() {
                Progress::Stepped => {
                    assert!(keys.works(&held()).unwrap(), "{}: readers get a dead key: {twist:?}", self.name);
                }
                Progress::Wait(until) => clock.move_to(until).unwrap(),
                Progress::Busy => clock.move_to(clock.now() + Span::seconds(10)).unwrap(),
                Progress::Ask(Ask::Resolve(halt)) if asked.len() < 20 => {
                    assert!(halt.words().len() > 20, "{halt:?} says what to do");
                    asked.push(halt);
                    net.state.lock().unwrap().stranger = false;
                    let retry = Person { by: "ana".into(), does: Does::Retry };
                    journal.say(id, &retry, clock.now()).unwrap();
                }
                Progress::Finished(end) => {
                    phase = Some(end);
                    break;
                }
                other => panic!("{}: {other:?} {asked:?} {twist:?}", self.name),
            }
        }
        let phase = phase.unwrap_or_else(|| panic!("{}: it never ends: {asked:?} {twist:?}", self.name));
        let (now, done) = (held(), phase == Phase::Done);
        assert!(keys.works(&now).unwrap(), "{}: {twist:?}", self.name);
        assert_eq!(
            (now == old(), keys.works(&old()).unwrap()),
            (!done, !done),
            "{}: {phase} {twist:?}",
            self.name
        );
        assert_eq!(keys.look().unwrap().ids().len(), 1, "{}: a surplus key: {twist:?}", self.name);
        journal.verify_audit(None).unwrap();
        for entry in fs::read_dir(&folder.0).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("j.db") {
                let bytes = fs::read(path).unwrap();
                for value in [&now, &old()] {
                    assert!(!bytes.windows(value.len()).any(|w| w == value.expose()), "a raw key is at rest");
                }
            }
        }
        let calls = net.state.lock().unwrap().calls;
        End { phase, asked, calls }
    }
}

#[test]
fn on_a_quiet_day_every_store_is_done_unasked() {
    for kind in &KINDS {
        let end = kind.rotate(&Twist::default());
        assert_eq!((end.phase, end.asked.len()), (Phase::Done, 0), "{}: {end:?}", kind.name);
        println!("{}: {} calls", kind.name, end.calls);
    }
}

#[test]
fn each_fault_at_each_call_of_a_store_ends_well() {
    let (mut runs, mut asked) = (0, 0);
    for kind in &KINDS {
        let calls = kind.rotate(&Twist::default()).calls;
        for fault in FAULTS {
            for n in 1..=calls {
                let twist = Twist { faults: [(n, fault)].into(), ..Twist::default() };
                let end = kind.rotate(&twist);
                assert_ne!(end.phase, Phase::Aborted, "{}: {twist:?}", kind.name);
                runs += 1;
                asked += end.asked.len();
            }
        }
    }
    println!(
        "single faults at calls of stores: {runs} rotations, {asked} times a person was asked, all ended well"
    );
}

#[test]
fn several_faults_in_a_row_end_well() {
    let mut asked = 0;
    for kind in &KINDS {
        let calls = kind.rotate(&Twist::default()).calls;
        for (f, fault) in FAULTS.into_iter().enumerate() {
            let first = 1 + (f as u64 * 3) % calls;
            let twist =
                Twist { faults: (first..first + 4).map(|n| (n, fault)).collect(), ..Twist::default() };
            asked += kind.rotate(&twist).asked.len();
        }
    }
    println!("four faults in a row at calls of stores: {asked} times a person was asked, all ended well");
}

#[test]
fn a_wrong_credential_is_told_and_writes_nothing() {
    for kind in &KINDS {
        let end = kind.rotate(&Twist { stranger: true, ..Twist::default() });
        assert_eq!(end.phase, Phase::Done, "{}: {end:?}", kind.name);
        assert!(!end.asked.is_empty(), "{}: nobody was asked", kind.name);
    }
}
