//! What a key's name at its provider says of it.

use super::super::Key;
use crate::rotate::policy::Policy;
use std::collections::BTreeSet;

/// Names of environments that need not be in the inventory to be understood.
const ENVIRONMENTS: [&str; 4] = ["production", "staging", "development", "test"];
/// Short forms of them.
const SHORT: [(&str, &str); 3] = [("prod", "production"), ("stage", "staging"), ("dev", "development")];

/// What a name speaks of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) team: Option<String>,
    pub(super) service: Option<String>,
    pub(super) environment: Option<String>,
}

/// Small letters and digits, with one `-` between words.
pub(super) fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(200) {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(60);
    out.trim_end_matches('-').to_owned()
}

/// The one of these names that the text has as whole words; none if there are several, unless one holds the others.
fn one<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let inside = |name: &str, text: &str| format!("-{text}-").contains(&format!("-{}-", slug(name)));
    let found: BTreeSet<&str> = names.filter(|name| !slug(name).is_empty() && inside(name, text)).collect();
    let longest = found.iter().copied().max_by_key(|name| name.len())?;
    found.iter().all(|name| inside(name, &slug(longest))).then(|| longest.to_owned())
}

/// What the name of a key says, by the names that the policy knows.
pub(super) fn guess(policy: &Policy, name: &str) -> Guess {
    let (text, file) = (slug(name), &policy.file);
    let keys = || file.key.iter();
    let services = file.service.keys().map(|n| n.as_str()).chain(keys().map(|k| k.service.as_str()));
    let service = one(&text, services);
    let of_service = |key: &&Key| Some(key.service.as_str()) == service.as_deref();
    let teams: BTreeSet<&str> = keys().filter(of_service).map(|key| key.team.as_str()).collect();
    let declared = service.as_ref().and_then(|s| file.service.get(s.as_str())?.team.as_ref());
    let team = declared.map(ToString::to_string).or_else(|| match teams.len() {
        1 => teams.first().map(|team| (*team).to_owned()),
        _ => one(&text, file.team.keys().map(|n| n.as_str())),
    });
    let known: BTreeSet<&str> = keys().map(|k| k.environment.as_str()).chain(ENVIRONMENTS).collect();
    let short = |text: &str| {
        let found = one(text, SHORT.iter().map(|(short, _)| *short))?;
        SHORT.iter().find(|(short, _)| *short == found).map(|(_, long)| (*long).to_owned())
    };
    let environment = one(&text, known.iter().copied()).or_else(|| short(&text));
    Guess { team, service, environment }
}
