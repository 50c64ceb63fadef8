//! Comments that accept the findings of their line.

use crate::model::{By, Suppression};

/// Markers of other scanners that are honoured as written.
const PEERS: &[&str] = &[
    "gitleaks:allow",
    "betterleaks:allow",
    "trufflehog:ignore",
    "kingfisher:ignore",
    "ggignore",
    "pragma: allowlist secret",
    "nosecret",
];
const OURS: &str = "keywheel:allow";

/// The comment on a line that accepts it, if there is one that has not expired on `today` (`YYYY-MM-DD`).
pub(super) fn marker(line: &[u8], today: &str) -> Option<Suppression> {
    // Nearly every line is settled here.
    if !PEERS.iter().chain([&OURS]).any(|m| memchr::memmem::find(line, m.as_bytes()).is_some()) {
        return None;
    }
    let line = String::from_utf8_lossy(line);
    if let Some(at) = line.find(OURS) {
        let words = &line[at + OURS.len()..];
        let until = field(words, "until=").unwrap_or_default();
        if !until.is_empty() && until.as_str() < today {
            return None;
        }
        let reason = field(words, "reason=").unwrap_or_default();
        return Some(Suppression { by: By::Inline, reason, owner: String::new(), until });
    }
    let peer = PEERS.iter().find(|m| line.contains(**m))?;
    Some(Suppression {
        by: By::Inline,
        reason: format!("marked {peer}"),
        owner: String::new(),
        until: String::new(),
    })
}

/// The value of `name=`: quoted, or up to the next field.
fn field(words: &str, name: &str) -> Option<String> {
    let rest = &words[words.find(name)? + name.len()..];
    if let Some(quoted) = rest.strip_prefix('"') {
        return quoted.split('"').next().map(str::to_owned);
    }
    let end =
        ["until=", "reason=", "*/", "-->"].iter().filter_map(|m| rest.find(m)).min().unwrap_or(rest.len());
    Some(rest[..end].trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_give_their_reason_and_expire() {
        let found = |line: &str| marker(line.as_bytes(), "2026-06-01");
        let s = found("key = 'x' # keywheel:allow reason=rotated in May until=2026-07-01")
            .expect("because it is marked");
        assert_eq!((s.reason.as_str(), s.until.as_str()), ("rotated in May", "2026-07-01"));
        assert_eq!(found("x // keywheel:allow until=2026-05-31"), None);
        assert!(found("x // keywheel:allow reason=\"a b\" */").is_some_and(|s| s.reason == "a b"));
        for peer in PEERS {
            assert!(found(&format!("x # {peer}")).is_some(), "{peer}");
        }
        assert_eq!(found("an ordinary line"), None);
    }
}
