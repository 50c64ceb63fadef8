//! What an answer says of a credential's owner, without anything secret that it echoes.

use crate::call::{Reply, Values};
use memchr::memmem;
use std::collections::BTreeMap;

/// Characters kept of one value.
const LONGEST: usize = 200;
/// So many bytes of a secret in a row give it away.
const TELLING: usize = 12;

/// The values at the given JSON pointers.
pub(super) fn read(
    reply: &Reply,
    pointers: &BTreeMap<String, String>,
    values: &Values,
) -> BTreeMap<String, String> {
    if pointers.is_empty() {
        return BTreeMap::new();
    }
    let Ok(body) = serde_json::from_str::<serde_json::Value>(&reply.body) else { return BTreeMap::new() };
    let value = |pointer: &str| body.pointer(pointer).and_then(text);
    pointers
        .iter()
        .filter_map(|(word, pointer)| Some((word.clone(), clean(&value(pointer)?, values))))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A value as text: lists by their parts, nothing for what is no plain value.
pub(super) fn text(value: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Array(items) => Some(items.iter().filter_map(text).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Object(_) => None,
    }
}

/// Text of a provider, cut to a sensible length; nothing of it stays if it tells a part of the credential.
pub(super) fn clean(text: &str, values: &Values) -> String {
    if values.secrets().any(|secret| tells(text.as_bytes(), secret.expose())) {
        return "…".to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn tells(text: &[u8], secret: &[u8]) -> bool {
    let windows = TELLING.min(secret.len().max(1));
    // A part of few characters, such as an account's short name, may well be what the owner is called.
    secret.len() >= 8 && secret.windows(windows).any(|w| memmem::find(text, w).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    #[test]
    fn an_echo_is_hidden_and_long_words_are_cut() {
        let key = "k3yV4lue".repeat(4);
        let mut values = Values::new();
        values.set("secret", Secret::new(key.as_bytes())).set("account", Secret::new(b"acme"));
        let body = serde_json::json!({
            "name": "acme", "echo": format!("your key {key}"), "half": &key[..14], "n": 7, "none": null,
            "scopes": ["a", "b"], "deep": {"x": 1}, "long": "ä".repeat(500),
        });
        let reply = Reply { status: 200, headers: BTreeMap::new(), body: body.to_string() };
        let pointers = ["name", "echo", "half", "n", "none", "scopes", "deep", "long", "missing"]
            .map(|n| (n.to_owned(), format!("/{n}")));
        let read = read(&reply, &pointers.into(), &values);
        assert_eq!(read["name"], "acme");
        assert_eq!((&*read["echo"], &*read["half"], &*read["n"], &*read["scopes"]), ("…", "…", "7", "a, b"));
        assert_eq!(read["long"].chars().count(), LONGEST + 1);
        assert_eq!(read.len(), 6);
    }
}
