//! A server of our own on loopback, which the organisation's file puts in GitHub's place.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A server that knows one key, answers oddly for a second one, and takes no other.
pub(crate) struct Github {
    port: u16,
    /// The tokens that came.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Github {
    /// Of the two values one works; the other is answered oddly.
    pub(crate) fn new(works: String, odd: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let known = Arc::new([works, odd]);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, known) = (Arc::clone(&seen), Arc::clone(&known));
                std::thread::spawn(move || serve(stream, &seen, &known));
            }
        });
        Github { port, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The organisation's file.
    pub(crate) fn file(&self, more: &str) -> String {
        format!(
            "[endpoint.github]\nbase = \"http://127.0.0.1:{}\"\nplain = true\ninternal = true\n{more}",
            self.port
        )
    }
}

fn serve(stream: std::net::TcpStream, seen: &Mutex<Vec<String>>, [works, odd]: &[String; 2]) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let (mut token, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("authorization: bearer ") {
                token = line[line.len() - value.len()..].trim().to_owned();
            }
            if line == "\r\n" {
                break;
            }
        }
        seen.lock().unwrap().push(token.clone());
        let (head, body) = if token == *works {
            let body = format!("{{\"login\":\"octo\",\"id\":1,\"name\":\"it is {token}\"}}");
            ("200 OK\r\nx-oauth-scopes: repo, admin:org", body)
        } else if token == *odd {
            (
                "403 Forbidden\r\nretry-after: 0",
                "{\"message\":\"You have exceeded a secondary rate limit\"}".to_owned(),
            )
        } else {
            ("401 Unauthorized", "{\"message\":\"Bad credentials\"}".to_owned())
        };
        let reply = format!(
            "HTTP/1.1 {head}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if out.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}
