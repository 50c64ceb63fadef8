//! Why an answer that fits no expectation says nothing: told apart by status, headers and body.

use crate::call::{CallError, Reply};
use crate::model::Unknown;

/// Header fields that say how many calls are left.
const REMAINING: &[&str] = &[
    "x-ratelimit-remaining",
    "ratelimit-remaining",
    "x-rate-limit-remaining",
    "x-ratelimit-remaining-requests",
];

/// What providers write when they want fewer calls. GitHub's secondary limit comes as a 403.
const SLOWER: &[&str] = &[
    "rate limit",
    "rate-limit",
    "rate_limit",
    "ratelimit",
    "too many requests",
    "abuse detection",
    "throttl",
    "quota exceeded",
];

/// Header fields that only firewalls and content networks set on pages of their own.
const WALLS: &[&str] =
    &["cf-mitigated", "x-amzn-waf-action", "x-sucuri-block", "x-iinfo", "x-akamai-request-bc", "x-datadome"];

/// What stands on the pages of firewalls, content networks and portals.
const WALL_WORDS: &[&str] = &[
    "cloudflare",
    "attention required",
    "just a moment",
    "akamai",
    "errors.edgesuite.net",
    "request blocked",
    "the request could not be satisfied",
    "incapsula",
    "captive",
    "web application firewall",
    "access denied",
];

/// The cause and, where it helps, a word on it.
pub(super) fn of_reply(reply: &Reply) -> (Unknown, &'static str) {
    let status = reply.status;
    let head: String = reply.body.chars().take(4096).collect::<String>().to_lowercase();
    let page = is_page(reply, &head);
    let header = |name: &str| reply.headers.get(name).map(String::as_str);
    match status {
        429 => return (Unknown::RateLimited, ""),
        407 => return (Unknown::Blocked, "a proxy wants to know who we are"),
        511 => return (Unknown::Blocked, "the network wants a login"),
        451 => return (Unknown::Blocked, "blocked for legal reasons"),
        _ => {}
    }
    if WALLS.iter().any(|name| header(name).is_some()) {
        return (Unknown::Blocked, "a firewall answered");
    }
    if (300..400).contains(&status) {
        return (Unknown::Blocked, "redirected, which is not followed");
    }
    if status >= 500 {
        return (Unknown::Unreachable, "the provider is down or in maintenance");
    }
    let spent = REMAINING.iter().any(|name| header(name).is_some_and(|v| v.trim() == "0"));
    let slower = !page && SLOWER.iter().any(|words| head.contains(words));
    if status >= 400 && (header("retry-after").is_some() || spent) || slower {
        return (Unknown::RateLimited, "");
    }
    if page {
        let known = WALL_WORDS.iter().any(|words| head.contains(words));
        return (
            Unknown::Blocked,
            if known { "a firewall answered" } else { "a web page, not the provider's data" },
        );
    }
    (Unknown::Ambiguous, "")
}

/// The cause of a call without an answer, and a word on it.
pub(super) fn of_error(error: &CallError) -> Unknown {
    match error {
        CallError::Refused(_) => Unknown::Refused,
        CallError::Limited(_) => Unknown::RateLimited,
        CallError::Unconnected(_) | CallError::Lost(_) => Unknown::Unreachable,
        CallError::Unreadable(_) => Unknown::Ambiguous,
    }
}

fn is_page(reply: &Reply, head: &str) -> bool {
    let declared =
        reply.headers.get("content-type").is_some_and(|v| v.to_ascii_lowercase().contains("text/html"));
    let start = head.trim_start();
    declared && !start.starts_with(['{', '['])
        || start.starts_with("<!doctype html")
        || start.starts_with("<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_403_is_told_apart_by_body_and_headers() {
        let cause = |status: u16, headers: &[(&str, &str)], body: &str| {
            let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            of_reply(&Reply { status, headers, body: body.to_owned() }).0
        };
        use Unknown::*;
        for (want, status, headers, body) in [
            (RateLimited, 429, &[][..], ""),
            (RateLimited, 429, &[], "<html>Too many</html>"),
            (RateLimited, 403, &[("retry-after", "60")], "{}"),
            (RateLimited, 403, &[("x-ratelimit-remaining", "0")], "{}"),
            (RateLimited, 403, &[], r#"{"message":"You have exceeded a secondary rate limit."}"#),
            (RateLimited, 200, &[], r#"{"ok":false,"error":"ratelimited"}"#),
            (Ambiguous, 200, &[("x-ratelimit-remaining", "0")], r#"{"id":7}"#),
            (Ambiguous, 403, &[("x-ratelimit-remaining", "12")], r#"{"message":"no"}"#),
            (Blocked, 403, &[("server", "cloudflare")], "<!DOCTYPE html><title>Just a moment...</title>"),
            (Blocked, 403, &[("cf-mitigated", "challenge")], ""),
            (Blocked, 403, &[("server", "AkamaiGHost")], "<HTML><HEAD><TITLE>Access Denied</TITLE>"),
            (Blocked, 403, &[("server", "CloudFront")], "<html>Request blocked.</html>"),
            (Blocked, 403, &[("x-amzn-waf-action", "captcha")], "{}"),
            (Blocked, 200, &[], "<html><body>Sign in to the network</body></html>"),
            (Blocked, 200, &[("content-type", "text/html; charset=utf-8")], "welcome"),
            (Blocked, 302, &[("location", "https://portal.example/")], ""),
            (Blocked, 407, &[], ""),
            (Blocked, 511, &[], ""),
            (Unreachable, 503, &[("retry-after", "3600")], "<html>Down for maintenance</html>"),
            (Unreachable, 500, &[], "{}"),
            (Unreachable, 502, &[], ""),
            (Ambiguous, 404, &[], r#"{"message":"Not Found"}"#),
            (Ambiguous, 409, &[], ""),
            (Ambiguous, 200, &[], ""),
        ] {
            assert_eq!(cause(status, headers, body), want, "{status} {headers:?} {body}");
        }
    }
}
