//! Every route against a server of our own on loopback that refuses, fails, hangs and loses its answer first.

use super::*;
use crate::alert::{Config, Outbox, Post, Posted, Queued, Standing};
use crate::call::{Clock, Host, Http, HttpOptions, Pattern, Reach, SystemResolver};
use rusqlite::Connection;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// What the server does with one request.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Answers so, and does nothing.
    Refuse(u16, &'static str),
    /// Does it, and answers.
    Do,
    /// Reads, and never answers.
    Hang,
    /// Does it, and closes the line before the answer.
    Lose,
}

/// What it has taken in: request line with head, and body.
type Taken = Arc<Mutex<Vec<(String, String)>>>;

struct Server {
    port: u16,
    taken: Taken,
    acts: Arc<Mutex<VecDeque<Act>>>,
}

fn serve(acts: &[Act], answer: fn(&str, &str, &Taken) -> (u16, String)) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (taken, acts) =
        (Taken::default(), Arc::new(Mutex::new(acts.iter().copied().collect::<VecDeque<_>>())));
    let server = Server { port, taken: Arc::clone(&taken), acts: Arc::clone(&acts) };
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            if let Some(kept) = one(stream, &acts, &taken, answer) {
                open.push(kept);
            }
        }
    });
    server
}

/// Answers the requests of one connection; one that is to hang is given back open.
fn one(
    stream: TcpStream,
    acts: &Mutex<VecDeque<Act>>,
    taken: &Taken,
    answer: fn(&str, &str, &Taken) -> (u16, String),
) -> Option<TcpStream> {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let (status, headers, text) = match acts.lock().unwrap().pop_front() {
            Some(Act::Refuse(status, headers)) => (status, headers, String::new()),
            Some(Act::Hang) => return Some(out),
            Some(Act::Lose) => {
                answer(&head, &body, taken);
                return None;
            }
            Some(Act::Do) | None => {
                let (status, text) = answer(&head, &body, taken);
                (status, "", text)
            }
        };
        let reply = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{text}", text.len());
        if out.write_all(reply.as_bytes()).is_err() {
            return None;
        }
    }
}

fn accept(head: &str, body: &str, taken: &Taken) -> (u16, String) {
    taken.lock().unwrap().push((head.to_owned(), body.to_owned()));
    (202, "ok".to_owned())
}

/// The issues of a repository: texts of issues, and of comments with their issue.
fn issues(head: &str, body: &str, taken: &Taken) -> (u16, String) {
    let mut list = taken.lock().unwrap();
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap().split('?').next().unwrap());
    let text = || serde_json::from_str::<Value>(body).unwrap()["body"].as_str().unwrap().to_owned();
    let made: Vec<Value> = list
        .iter()
        .filter(|(kind, _)| kind == "issue")
        .enumerate()
        .map(|(n, (_, body))| json!({"number": n + 1, "state": "open", "body": body}))
        .collect();
    match (method, path.strip_prefix("/repos/acme/keys/issues").unwrap()) {
        ("GET", "") => (200, Value::from(made).to_string()),
        ("POST", "") => {
            list.push(("issue".to_owned(), text()));
            (201, json!({"number": made.len() + 1}).to_string())
        }
        ("GET", "/1") => made.first().map_or((404, String::new()), |i| (200, i.to_string())),
        ("GET", "/1/comments") => {
            let comments = list.iter().filter(|(kind, _)| kind == "comment").map(|(_, b)| json!({"body": b}));
            (200, Value::from(comments.collect::<Vec<_>>()).to_string())
        }
        ("POST", "/1/comments") => {
            list.push(("comment".to_owned(), text()));
            (201, "{}".to_owned())
        }
        other => panic!("{other:?}"),
    }
}

/// Time that passes when the test says so. Calls have half a second.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::now().checked_sub(Duration::from_millis(29_500)).unwrap()
    }
    fn wall(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
    fn sleep(&self, _: Duration) {}
}

const CREDENTIAL: &str = "made-up-credential";

struct Place(String);

impl Fetch for Place {
    fn fetch(&self, reference: &str) -> Result<Secret, String> {
        match reference {
            "env:ADDRESS" => Ok(Secret::new(self.0.as_bytes())),
            "env:CREDENTIAL" => Ok(Secret::new(CREDENTIAL.as_bytes())),
            _ => Err("it is not there".to_owned()),
        }
    }
}

const BEGUN: i64 = 1_767_225_600;

fn event(n: usize) -> Event {
    Event {
        kind: "spike".to_owned(),
        urgency: Urgency::Warning,
        subject: "web/shop/production/openai".to_owned(),
        text: "used 10 times as often as usual <b>@all</b>".to_owned(),
        facts: vec![("since".to_owned(), "2026-01-01T00:00Z `x`".to_owned())],
        same: format!("spike:web/shop:{n}"),
        at: BEGUN,
    }
}

/// An outbox, a configuration and a clock.
struct Bench {
    db: RefCell<Connection>,
    config: Config,
    clock: TestClock,
    place: Place,
}

impl Bench {
    fn new(route: &str, port: u16) -> Bench {
        let text = format!("[route.r]\n{}", route.replace("PORT", &port.to_string()));
        Bench {
            db: RefCell::new(Connection::open_in_memory().unwrap()),
            config: Config::parse(&text).unwrap(),
            clock: TestClock(AtomicI64::new(BEGUN)),
            place: Place(format!("http://127.0.0.1:{port}/hook/x?y=z")),
        }
    }

    fn put(&self, n: usize) -> Queued {
        Outbox::new(&self.db).unwrap().put(&event(n), &["r"], 86_400).unwrap()
    }

    fn post(&self) -> Posted {
        let mut reach = Reach::new(Arc::new(SystemResolver::default()));
        reach.allow_internal(Pattern::of_operator("127.0.0.1").unwrap());
        let http = Http::new(HttpOptions { reach, roots: Vec::new(), proxy: None, connect: None }).unwrap();
        let outbox = Outbox::new(&self.db).unwrap();
        let post = Post {
            outbox: &outbox,
            config: &self.config,
            transport: &http,
            mailer: &Smtp { step: Duration::from_millis(500) },
            fetch: &self.place,
            clock: &self.clock,
        };
        post.run().unwrap()
    }

    fn later(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn list(&self, standing: Standing) -> Vec<crate::alert::Delivery> {
        Outbox::new(&self.db).unwrap().list(standing).unwrap()
    }
}

const TROUBLE: [Act; 3] = [Act::Refuse(429, "retry-after: 7200\r\n"), Act::Refuse(500, ""), Act::Hang];

#[test]
fn web_hooks_survive_trouble_without_loss_or_repetition() {
    assert!(Host::parse("127.0.0.1").is_ok());
    for route in [
        "kind = 'slack'\naddress = 'env:ADDRESS'\nplain = true",
        "kind = 'teams'\naddress = 'env:ADDRESS'\nplain = true",
        "kind = 'webhook'\naddress = 'env:ADDRESS'\ncredential = 'env:CREDENTIAL'\nplain = true",
        "kind = 'pagerduty'\nbase = 'http://127.0.0.1:PORT'\ncredential = 'env:CREDENTIAL'\nplain = true",
    ] {
        let server = serve(&TROUBLE, accept);
        let bench = Bench::new(route, server.port);
        assert_eq!(bench.put(1), Queued::New(1));
        assert_eq!(bench.put(1), Queued::Known(1), "the same is told once");
        assert_eq!(bench.post(), Posted { waiting: 1, ..Posted::default() }, "{route}");
        bench.later(3600);
        assert_eq!(bench.post(), Posted::default(), "{route}: it asked for two hours");
        for _ in 0..2 {
            bench.later(7200);
            assert_eq!(bench.post().waiting, 1, "{route}: {:?}", bench.list(Standing::Due));
        }
        bench.later(7200);
        assert_eq!(bench.post().sent, 1, "{route}");
        bench.later(86_400);
        assert_eq!(bench.post(), Posted::default());
        assert!(server.acts.lock().unwrap().is_empty());
        let taken = server.taken.lock().unwrap();
        assert_eq!(taken.len(), 1, "{route}");
        let (head, body) = &taken[0];
        assert!(body.contains("web/shop/production/openai") && body.contains("10 times"), "{body}");
        if route.contains("pagerduty") {
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["routing_key"], CREDENTIAL);
            assert!(!body["payload"].to_string().contains(CREDENTIAL));
        } else {
            assert!(!body.contains(CREDENTIAL) && !head.contains(CREDENTIAL));
            assert!(head.starts_with("POST /hook/x?y=z "), "{head}");
        }
        if route.contains("slack") {
            assert!(body.contains("&lt;b&gt;") && body.contains("sent again"), "{body}");
        }
        if route.contains("webhook") {
            let field = head.lines().find_map(|l| l.split_once("ignature: ")).unwrap().1;
            let (at, mac) = field.trim().split_once(",v1=").unwrap();
            let key = Secret::new(CREDENTIAL.as_bytes());
            assert_eq!(signature(&key, at[2..].parse().unwrap(), body.as_bytes()), mac);
        }
    }
}

#[test]
fn an_issue_takes_all_of_a_subject_and_nothing_twice() {
    let server = serve(&TROUBLE, issues);
    let route = "kind = 'github'\nbase = 'http://127.0.0.1:PORT'\nplain = true\n\
                 credential = 'env:CREDENTIAL'\nrepository = 'acme/keys'";
    let bench = Bench::new(route, server.port);
    let rounds = || {
        for _ in 0..8 {
            bench.post();
            bench.later(8 * 3600);
        }
    };
    bench.put(1);
    rounds();
    bench.put(2);
    // The list of issues, the comment: the answer to the second is lost after it was done.
    server.acts.lock().unwrap().extend([Act::Refuse(502, ""), Act::Refuse(403, "retry-after: 60\r\n")]);
    rounds();
    let count = |kind: &str| server.taken.lock().unwrap().iter().filter(|(k, _)| k == kind).count();
    assert_eq!((count("issue"), count("comment")), (1, 1));
    // Whoever loses the answer to a POST finds out that it was done.
    bench.put(3);
    bench.db.borrow().execute("DELETE FROM thread", []).unwrap();
    rounds();
    assert_eq!((count("issue"), count("comment")), (1, 2), "the issue is found by its mark");
    assert_eq!(bench.list(Standing::Sent).len(), 3, "{:?}", bench.list(Standing::Due));
    let taken = server.taken.lock().unwrap();
    assert!(taken.iter().all(|(_, body)| !body.contains(CREDENTIAL)));
    assert!(taken[0].1.starts_with("`[warning] web/shop"), "{}", taken[0].1);
}

#[test]
fn an_issue_whose_answer_was_lost_is_found() {
    let route = "kind = 'github'\nbase = 'http://127.0.0.1:PORT'\nplain = true\n\
                 credential = 'env:CREDENTIAL'\nrepository = 'acme/keys'";
    let server = serve(&[], issues);
    let bench = Bench::new(route, server.port);
    bench.put(1);
    // The list comes; the issue is made, and its answer lost.
    server.acts.lock().unwrap().extend([Act::Do, Act::Lose]);
    for _ in 0..8 {
        bench.post();
        bench.later(8 * 3600);
    }
    let taken = server.taken.lock().unwrap();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(bench.list(Standing::Sent).len(), 1);
}

#[test]
fn what_nobody_takes_is_given_up_shown_and_can_be_revived() {
    let refusals = [Act::Refuse(404, "")];
    let server = serve(&refusals, accept);
    let bench = Bench::new("kind = 'slack'\naddress = 'env:ADDRESS'\nplain = true", server.port);
    bench.put(1);
    assert_eq!(bench.post().dead, 1);
    let dead = bench.list(Standing::Dead);
    assert_eq!((dead.len(), dead[0].error.as_str()), (1, "it answered 404"));
    assert_eq!(Outbox::new(&bench.db).unwrap().revive(BEGUN).unwrap(), 1);
    assert_eq!(bench.post().sent, 1);

    let all = [Act::Refuse(503, ""); 20];
    let server = serve(&all, accept);
    let bench = Bench::new("kind = 'slack'\naddress = 'env:ADDRESS'\nplain = true", server.port);
    bench.put(1);
    for _ in 0..20 {
        bench.post();
        bench.later(7 * 3600);
    }
    assert_eq!(bench.list(Standing::Dead).len(), 1, "after some tries it is enough");
    assert_eq!(server.acts.lock().unwrap().len(), 6);
}

#[test]
fn quiet_hours_put_off_and_count_no_try() {
    let server = serve(&[], accept);
    let route = "kind = 'slack'\naddress = 'env:ADDRESS'\nplain = true\n\
                 quiet = { from = '22:00', until = '07:00' }";
    let bench = Bench::new(route, server.port);
    bench.put(1);
    assert_eq!(bench.post(), Posted { waiting: 1, ..Posted::default() }, "it is midnight");
    assert_eq!(bench.list(Standing::Due)[0].tries, 0);
    bench.later(7 * 3600);
    assert_eq!(bench.post().sent, 1);
}

/// A mail server: what it says to each connection's end of data, or that it hangs up before.
fn mail_server(ends: &'static [&'static str]) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&mails);
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for (n, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let end = ends.get(n).copied().unwrap_or("250 taken");
            let mut out = stream.try_clone().unwrap();
            let mut reader = BufReader::new(stream);
            if end.starts_with("421") {
                let _ = out.write_all(format!("{end}\r\n").as_bytes());
                continue;
            }
            out.write_all(b"220 mail.example\r\n").unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 0 {
                let verb = line.trim().to_ascii_uppercase();
                line.clear();
                if verb.starts_with("EHLO") {
                    out.write_all(b"250 mail.example\r\n").unwrap();
                } else if verb == "DATA" {
                    out.write_all(b"354 go on\r\n").unwrap();
                    let mut mail = String::new();
                    while !mail.ends_with("\r\n.\r\n") && reader.read_line(&mut mail).unwrap_or(0) > 0 {}
                    if end == "hang" {
                        hanging.push(out.try_clone().unwrap());
                        break;
                    }
                    if end.starts_with("250") {
                        kept.lock().unwrap().push(mail);
                    }
                    out.write_all(format!("{end}\r\n").as_bytes()).unwrap();
                } else if verb == "QUIT" {
                    let _ = out.write_all(b"221 bye\r\n");
                    break;
                } else {
                    out.write_all(b"250 ok\r\n").unwrap();
                }
            }
        }
    });
    (port, mails)
}

#[test]
fn mail_survives_trouble_and_has_one_id() {
    let (port, mails) = mail_server(&["421 busy", "451 later", "hang"]);
    let route = "kind = 'smtp'\nplain = true\n\
                 mail = { host = '127.0.0.1', port = PORT, from = 'keywheel@acme.example', to = ['ops@acme.example'] }";
    let bench = Bench::new(route, port);
    bench.put(1);
    for _ in 0..6 {
        bench.post();
        bench.later(8 * 3600);
    }
    assert_eq!(bench.list(Standing::Sent).len(), 1, "{:?}", bench.list(Standing::Due));
    let mails = mails.lock().unwrap();
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].contains("web/shop/production/openai") && mails[0].contains("@keywheel.invalid>"),
        "{}",
        mails[0]
    );

    let (port, mails) = mail_server(&["554 never"]);
    let bench = Bench::new(route, port);
    bench.put(1);
    assert_eq!(bench.post().dead, 1);
    assert_eq!(mails.lock().unwrap().len(), 0);
}
