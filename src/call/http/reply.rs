//! Reading an answer, within bounds.

use super::connect;
use crate::call::{CallError, Reply};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::io::{self, Read};
use ureq::http::{HeaderMap, Response};
use ureq::{Body, Error};
use zeroize::Zeroizing;

/// Reads the whole answer, of whose body there may be `most` bytes, inflated or not.
///
/// # Errors
/// [`CallError::Lost`] if it does not come whole, [`CallError::Unreadable`] if it breaks a bound.
pub(super) fn read(response: Response<Body>, most: u32) -> Result<Reply, CallError> {
    let (parts, mut body) = response.into_parts();
    let raw = bounded(body.as_reader(), most, |e| error(Error::from(e)))?;
    let headers = headers(&parts.headers);
    let plain = match headers.get("content-encoding").map(|v| v.trim().to_ascii_lowercase()).as_deref() {
        _ if raw.is_empty() => raw,
        None | Some("" | "identity") => raw,
        Some("gzip" | "x-gzip") => {
            bounded(MultiGzDecoder::new(raw.as_slice()), most, |_| unreadable("its gzip is broken"))?
        }
        Some(_) => return Err(unreadable("it is encoded in a way that was not asked for")),
    };
    let body = String::from_utf8_lossy(&plain).into_owned();
    Ok(Reply { status: parts.status.as_u16(), headers, body })
}

fn bounded(
    from: impl Read,
    most: u32,
    failed: impl FnOnce(io::Error) -> CallError,
) -> Result<Zeroizing<Vec<u8>>, CallError> {
    // Of its full size from the start: a vector that grows leaves what it held behind.
    let most = u64::from(most);
    let mut out = Zeroizing::new(Vec::with_capacity(most as usize + 1));
    from.take(most + 1).read_to_end(&mut out).map_err(failed)?;
    if out.len() as u64 > most {
        return Err(unreadable(&format!("it is longer than {} KiB", most >> 10)));
    }
    Ok(out)
}

fn headers(from: &HeaderMap) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in from {
        let value = String::from_utf8_lossy(value.as_bytes());
        out.entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    out
}

/// What an error of ureq means. Its own words stay out: they may hold parts of the request or of the answer.
pub(super) fn error(error: Error) -> CallError {
    let said = match error {
        Error::Other(inner) => match inner.downcast::<CallError>() {
            Ok(ours) => return *ours,
            Err(_) => CallError::Lost("the connection failed".to_owned()),
        },
        Error::LargeResponseHeader(..) => unreadable("its header is longer than 32 KiB"),
        Error::Protocol(_) | Error::BodyStalled => {
            unreadable("it is not in the form of HTTP/1.1, or has too many header fields")
        }
        Error::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            CallError::Lost("the connection ended in the middle".to_owned())
        }
        _ => CallError::Lost("the exchange failed".to_owned()),
    };
    if connect::is_sent() {
        said
    } else {
        CallError::Refused("the request cannot be sent as it is".to_owned())
    }
}

fn unreadable(why: &str) -> CallError {
    CallError::Unreadable(why.to_owned())
}
