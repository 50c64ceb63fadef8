//! What the answers of real providers come to.

use super::*;
use crate::rule::{checksum, example};

/// One embedded rule against one recorded sort of answer.
fn judged(rule: &str, provider: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Validity {
    let rules = RuleSet::embedded();
    let declared = rules.declared(rule).unwrap();
    let algorithm = declared.rule.checksum.as_ref().and_then(|c| checksum::by_name(&c.algorithm));
    let secret = example::expand(&declared.rule.matches[0], algorithm, 42).unwrap().value;
    let secret = String::from_utf8(secret).unwrap();
    let given = secret.clone();
    let headers: BTreeMap<_, _> = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let (body, dead) = (body.to_owned(), dead(provider));
    let network = Network::new(move |r| {
        if wire(r).contains(&given) {
            Ok(Reply { status, headers: headers.clone(), body: body.clone() })
        } else {
            reply(dead.0, dead.1)
        }
    });
    let mut findings = [of_rule(rule, &secret, vec![place(&[])])];
    run(&rules, &network, &mut findings);
    let [mut finding] = findings;
    if let Validity::Active { identity, .. } = &mut finding.validity {
        identity.clear();
    }
    finding.validity
}

/// What a provider says of a key that nobody issued.
fn dead(provider: &str) -> (u16, &'static str) {
    match provider {
        "github" => {
            (401, r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest"}"#)
        }
        _ => (401, r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#),
    }
}

#[test]
fn replies_of_github_and_openai() {
    let active = |restricted| Validity::Active { restricted, identity: BTreeMap::new() };
    let unknown = Validity::Unknown;
    let github = |status, headers: &[(&str, &str)], body| {
        judged("github-pat-classic", "github", status, headers, body)
    };
    let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
    let primary = r#"{"message":"API rate limit exceeded for user ID 1."}"#;
    let wall = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>";
    for (want, status, headers, body) in [
        (active(false), 200, &[][..], r#"{"login":"octo","id":1,"type":"User"}"#),
        (Validity::Inactive, 401, &[], dead("github").1),
        (active(true), 403, &[], r#"{"message":"Resource not accessible by personal access token"}"#),
        (unknown(Unknown::RateLimited), 403, &[], secondary),
        (unknown(Unknown::RateLimited), 403, &[("retry-after", "60")], secondary),
        (unknown(Unknown::RateLimited), 403, &[("x-ratelimit-remaining", "0")], primary),
        (unknown(Unknown::RateLimited), 429, &[], primary),
        (unknown(Unknown::Blocked), 403, &[("server", "cloudflare")], wall),
        (unknown(Unknown::Blocked), 200, &[], "<html><body>Sign in to the network</body></html>"),
        (unknown(Unknown::Blocked), 302, &[("location", "https://portal.example/")], ""),
        (unknown(Unknown::Unreachable), 503, &[], "<html><body>Down for maintenance</body></html>"),
        (unknown(Unknown::Ambiguous), 404, &[], r#"{"message":"Not Found"}"#),
        (unknown(Unknown::Ambiguous), 403, &[], r#"{"message":"Forbidden"}"#),
        (unknown(Unknown::Ambiguous), 200, &[], ""),
    ] {
        assert_eq!(github(status, headers, body), want, "GitHub {status} {headers:?} {body}");
    }
    let openai = |status, body| judged("openai-project-key", "openai", status, &[], body);
    for (want, status, body) in [
        (active(false), 200, r#"{"object":"list","data":[]}"#),
        (Validity::Inactive, 401, dead("openai").1),
        (
            active(true),
            403,
            r#"{"error":"You have insufficient permissions for this operation. Missing scopes: api.model.read."}"#,
        ),
        (unknown(Unknown::RateLimited), 429, r#"{"error":{"code":"rate_limit_exceeded"}}"#),
        (unknown(Unknown::Blocked), 403, wall),
        (unknown(Unknown::Ambiguous), 401, r#"{"error":{"code":"ip_not_authorized"}}"#),
        (unknown(Unknown::Unreachable), 500, ""),
    ] {
        assert_eq!(openai(status, body), want, "OpenAI {status} {body}");
    }
}
