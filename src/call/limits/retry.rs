//! When to try again, and what pause an answer asks for.

use crate::call::{CallError, Reply};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use std::time::Duration;

/// Longest pause that is kept in mind.
const MOST: Duration = Duration::from_secs(24 * 3600);

/// The pause that an answer asks for with `Retry-After`: seconds, or a date (RFC 9110).
pub fn pause(reply: &Reply, now: Timestamp) -> Option<Duration> {
    if !matches!(reply.status, 403 | 429 | 503) {
        return None;
    }
    let value = reply.headers.get("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(MOST));
    }
    let date = |text: &str| Some(DateTimeParser::new().parse_zoned(text).ok()?.timestamp());
    let until = date(value)?;
    // The server's own clock, if it tells it, since ours may be wrong.
    let now = reply.headers.get("date").and_then(|text| date(text.trim())).unwrap_or(now);
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default().min(MOST))
}

/// Whether another try may end otherwise. A redirect, an odd answer or a refusal of ours stays what it is.
pub(super) fn helps(result: &Result<Reply, CallError>) -> bool {
    match result {
        Ok(reply) => matches!(reply.status, 429 | 500 | 502..=504),
        Err(error) => matches!(error, CallError::Unconnected(_) | CallError::Lost(_)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(status: u16, headers: &[(&str, &str)]) -> Option<u64> {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let now = "2030-01-01T00:00:00Z".parse().unwrap();
        pause(&Reply { status, headers, body: String::new() }, now).map(|d| d.as_secs())
    }

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let date = "Tue, 01 Jan 2030 00:01:30 GMT";
        assert_eq!(asks(429, &[("retry-after", "7")]), Some(7));
        assert_eq!(asks(503, &[("retry-after", " 0 ")]), Some(0));
        assert_eq!(asks(403, &[("retry-after", date)]), Some(90));
        assert_eq!(asks(429, &[("retry-after", date), ("date", "Tue, 01 Jan 2030 00:01:00 GMT")]), Some(30));
        assert_eq!(asks(429, &[("retry-after", "Mon, 31 Dec 2029 00:00:00 GMT")]), Some(0));
        assert_eq!(asks(429, &[("retry-after", "99999999999")]), Some(24 * 3600));
        for odd in ["", "-1", "soon", "1.5", "99999999999999999999999", "Tue, 99 Jan 2030"] {
            assert_eq!(asks(429, &[("retry-after", odd)]), None, "{odd}");
        }
        assert_eq!(asks(429, &[]), None);
        assert_eq!(asks(200, &[("retry-after", "7")]), None);
    }
}
