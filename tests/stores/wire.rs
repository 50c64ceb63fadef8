//! HTTP to loopback, just enough for these tests, and a world that resolves references from a table.

use keywheel::call::{CallError, Prepared, Reply, Transport};
use keywheel::model::Secret;
use keywheel::rotate::engine::Call;
use keywheel::rotate::store::{Doors, Server};
use keywheel::rotate::time::Moment;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn call() -> Call {
    Call { deadline: Instant::now() + Duration::from_secs(30) }
}

/// Sends a request; the answer ends with the connection.
pub(crate) fn send(request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
    assert!(!request.tls && request.host == "127.0.0.1", "tests stay on loopback");
    let port = request.port.unwrap();
    send_as(request, &format!("127.0.0.1:{port}"), port, deadline)
}

/// Sends a request to a port of loopback, whatever host it names there.
pub(crate) fn send_as(
    request: &Prepared,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Reply, CallError> {
    let mut stream =
        TcpStream::connect(("127.0.0.1", port)).map_err(|e| CallError::Unconnected(e.to_string()))?;
    stream.set_read_timeout(Some(deadline.saturating_duration_since(Instant::now()))).unwrap();
    let mut head = format!("{} ", request.method).into_bytes();
    head.extend_from_slice(request.target.expose());
    head.extend_from_slice(format!(" HTTP/1.0\r\nHost: {host}\r\n").as_bytes());
    for (name, value) in &request.headers {
        head.extend_from_slice(format!("{name}: ").as_bytes());
        head.extend_from_slice(value.expose());
        head.extend_from_slice(b"\r\n");
    }
    let body = request.body.as_ref().map_or(&b""[..], |b| b.expose());
    head.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    head.extend_from_slice(body);
    let lost = |e: std::io::Error| CallError::Lost(e.to_string());
    stream.write_all(&head).map_err(lost)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(lost)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let headers = head.lines().skip(1).filter_map(|l| l.split_once(": "));
    let headers: BTreeMap<_, _> = headers.map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
    assert!(!headers.contains_key("transfer-encoding"), "HTTP/1.0 knows no chunks");
    Ok(Reply { status, headers, body: body.to_owned() })
}

/// The form of AWS's header field, from which an emulator takes service and region; it checks no signature.
pub(crate) fn authorization(id: &str, region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={id}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

struct Plain;

impl Transport for Plain {
    fn send(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        send(request, deadline)
    }
}

/// What stores need of the world.
#[derive(Clone, Default)]
pub(crate) struct World(BTreeMap<String, String>);

impl World {
    pub(crate) fn set(&mut self, reference: &str, value: &str) {
        self.0.insert(reference.to_owned(), value.to_owned());
    }
}

impl Doors for World {
    fn transport(&self, _: &Server) -> Result<Arc<dyn Transport>, String> {
        Ok(Arc::new(Plain))
    }
    fn fetch(&self, reference: &str) -> Result<Secret, String> {
        self.0.get(reference).map(|v| Secret::new(v.as_bytes())).ok_or_else(|| "not set".to_owned())
    }
    fn tracked(&self, _: &Path) -> Result<bool, String> {
        Ok(false)
    }
    fn now(&self) -> Moment {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Moment(i64::try_from(since.as_millis()).unwrap())
    }
    fn mark(&self, bytes: &[u8]) -> String {
        // FNV-1a, twice over: a test has nothing to hide.
        let hash =
            |seed: u64| bytes.iter().fold(seed, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        format!("{:016x}{:016x}", hash(0xcbf2_9ce4_8422_2325), hash(0x6c62_272e_07bb_0142))
    }
}
