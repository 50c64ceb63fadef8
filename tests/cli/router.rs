//! A stateful double of OpenRouter, written from its documentation, with its refusals.

use super::example;
use super::server::Server;
use keywheel::model::FingerprintKey;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The host that it stands in for.
pub(crate) const HOST: &str = "openrouter.ai";

/// A key as OpenRouter keeps it.
#[derive(Clone)]
struct Row {
    hash: String,
    name: String,
    value: String,
    disabled: bool,
    used: Option<jiff::Timestamp>,
}

impl Row {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "hash": self.hash, "name": self.name, "label": format!("{}...", &self.value[..12]),
            "disabled": self.disabled, "limit": 5, "limit_reset": "monthly", "include_byok_in_limit": false,
            "usage": 1.5, "created_at": "2026-01-01T00:00:00Z", "last_used_at": self.used.map(|at| at.to_string()),
        })
    }
}

#[derive(Default)]
struct Book {
    rows: Vec<Row>,
    made: u8,
    /// How long a change takes.
    slow: Duration,
}

pub(crate) struct Router {
    book: Arc<Mutex<Book>>,
    pub(crate) server: Server,
}

/// The value of a key: the first one is what a scan takes for a key of OpenRouter.
pub(crate) fn value(n: u8) -> String {
    if n == 1 {
        return String::from_utf8(example("openrouter.toml", "openrouter-api-key", 0).value).unwrap();
    }
    // As varied as a drawn one, so that a scan takes it for a key as well.
    let half = |salt| FingerprintKey::new(&[n, salt]).fingerprint(b"router").as_str()[13..].to_owned();
    format!("sk-or-{}-{}{}", "v1", half(0), half(1))
}

/// The administrator's credential.
pub(crate) fn admin() -> String {
    format!("management-{}", "7d".repeat(12))
}

impl Router {
    /// With so many keys: number n has the value of that number and the hash `hash<n>`. Those that are made are counted
    /// from 41.
    pub(crate) fn new(keys: u8) -> Router {
        let row = |n| Row {
            hash: format!("hash{n}"),
            name: format!("shop {n}"),
            value: value(n),
            disabled: false,
            used: None,
        };
        let book = Arc::new(Mutex::new(Book { rows: (1..=keys).map(row).collect(), ..Book::default() }));
        let kept = Arc::clone(&book);
        let server = Server::standing_in(HOST, move |request| {
            let (answer, slow) = {
                let mut book = kept.lock().unwrap();
                (answer(&mut book, request), book.slow)
            };
            if !request.starts_with("GET ") {
                std::thread::sleep(slow);
            }
            answer
        });
        Router { book, server }
    }

    /// Lets each answer to a change come that much later.
    pub(crate) fn slow_down(&self, by: Duration) {
        self.book.lock().unwrap().slow = by;
    }

    /// What the organisation's file says of it.
    pub(crate) fn endpoint(&self) -> String {
        format!("[endpoint.openrouter]\nbase = \"https://{HOST}\"\nconnect = \"{}\"\n", self.server.address)
    }

    pub(crate) fn hashes(&self) -> Vec<String> {
        self.book.lock().unwrap().rows.iter().map(|row| row.hash.clone()).collect()
    }

    /// How often each request that changes something came, by method and path.
    pub(crate) fn changes(&self, method: &str) -> Vec<String> {
        let heard = self.server.heard();
        let lines = heard.iter().filter_map(|r| r.strip_prefix(method)?.strip_prefix(' '));
        let mut paths: Vec<String> = lines.map(|l| l.split(' ').next().unwrap().to_owned()).collect();
        paths.sort();
        paths
    }

    /// Whether a value works, without a call.
    pub(crate) fn works(&self, value: &str) -> bool {
        self.book.lock().unwrap().rows.iter().any(|row| row.value == value && !row.disabled)
    }
}

fn reply(status: &str, body: &serde_json::Value) -> Option<String> {
    let body = body.to_string();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn refused(status: &str, code: u16, words: &str) -> Option<String> {
    reply(status, &serde_json::json!({ "error": { "message": words, "code": code } }))
}

fn answer(book: &mut Book, request: &str) -> Option<String> {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let bearer = head
        .lines()
        .find_map(|l| l.strip_prefix("authorization: Bearer ").or(l.strip_prefix("Authorization: Bearer ")));
    let bearer = bearer.unwrap_or_default().to_owned();
    let mine = book.rows.iter_mut().find(|row| row.value == bearer && !row.disabled);
    match (target, mine) {
        // What its users call. Looking at one's own key is no use of it.
        ("/api/v1/chat/completions", Some(row)) => {
            row.used = Some(jiff::Timestamp::now());
            return reply("200 OK", &serde_json::json!({ "id": "gen-1", "choices": [] }));
        }
        ("/api/v1/key", Some(row)) => return reply("200 OK", &serde_json::json!({ "data": row.json() })),
        ("/api/v1/chat/completions" | "/api/v1/key", None) => {
            return refused("401 Unauthorized", 401, "User not found.");
        }
        _ => {}
    }
    if bearer != admin() {
        return refused("401 Unauthorized", 401, "Missing Authentication header");
    }
    let hash = target.strip_prefix("/api/v1/keys/").map(str::to_owned);
    let at = hash.as_ref().and_then(|hash| book.rows.iter().position(|row| row.hash == *hash));
    match (method, hash, at) {
        ("GET", None, _) if target.contains("offset=") => reply("200 OK", &serde_json::json!({ "data": [] })),
        ("GET", None, _) => {
            let list: Vec<_> = book.rows.iter().map(Row::json).collect();
            reply("200 OK", &serde_json::json!({ "data": list }))
        }
        ("POST", None, _) => {
            let asked: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(asked["limit"], 5, "the new key gets the old one's limit");
            book.made += 1;
            let n = book.made + 40;
            let name = asked["name"].as_str().unwrap().to_owned();
            let row = Row { hash: format!("hash{n}"), name, value: value(n), disabled: false, used: None };
            book.rows.push(row.clone());
            reply("201 Created", &serde_json::json!({ "data": row.json(), "key": row.value }))
        }
        ("GET", Some(_), Some(at)) => reply("200 OK", &serde_json::json!({ "data": book.rows[at].json() })),
        ("PATCH", Some(_), Some(at)) => {
            book.rows[at].disabled = body.contains("true");
            reply("200 OK", &serde_json::json!({ "data": book.rows[at].json() }))
        }
        ("DELETE", Some(_), Some(at)) => {
            book.rows.remove(at);
            reply("200 OK", &serde_json::json!({ "deleted": true }))
        }
        _ => refused("404 Not Found", 404, "API key not found"),
    }
}
