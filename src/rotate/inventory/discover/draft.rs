//! The draft: what is new in the policy's language, and the gaps as comments below it.

use super::{Discovery, Drafted, FILL_IN};
use std::fmt::Write as _;

/// Most lines of one kind in a comment.
const MOST: usize = 200;

/// What is to be added to an organisation's file. Everything in it is a comment or a `[[key]]`.
pub fn draft(found: &Discovery, day: &str) -> String {
    let mut out = String::new();
    let mut line = |text: &str| comment(&mut out, text);
    line(&format!(
        "Drafted by `keywheel inventory discover` on {day}: {} of {} listed keys are not in the inventory.",
        found.keys.len(),
        found.keys.len() + found.known
    ));
    line(&format!(
        "What nobody knows says `{FILL_IN}`, which `keywheel policy check` refuses. What stands behind a `#` is"
    ));
    line("possible and not proved.");
    for missed in &found.failed {
        line(&format!("INCOMPLETE: {missed}"));
    }
    for key in &found.keys {
        out.push('\n');
        one(&mut out, key);
    }
    if !found.gaps.is_empty() {
        out.push('\n');
        comment(&mut out, "Gaps:");
        some(&mut out, found.gaps.iter().map(|gap| format!("- {gap}")));
    }
    if !found.passed.is_empty() {
        out.push('\n');
        comment(&mut out, "Not looked at:");
        some(&mut out, found.passed.iter().map(|missed| format!("- {missed}")));
    }
    out
}

fn one(out: &mut String, key: &Drafted) {
    let name = key.name.as_ref().map(|name| format!(" as {}", quoted(name))).unwrap_or_default();
    let off = if key.enabled { "" } else { "; it is switched off there" };
    comment(out, &format!("Shown to the credential {}{name}{off}.", key.admin));
    let age = match (&key.created, key.age_days) {
        (Some(made), Some(days)) => format!("Made {made}, {days} days ago"),
        _ => "When it was made is not said".to_owned(),
    };
    let used = match key.used.as_deref() {
        Some("never") => "never used, as far as the provider knows".to_owned(),
        Some(at) => format!("last used {at}"),
        None => "when it was used is not said".to_owned(),
    };
    comment(out, &format!("{age}; {used}."));
    comment(out, &format!("Missing: {}.", key.missing.join(", ")));
    out.push_str("[[key]]\n");
    field(out, "id", &key.id, "");
    let guessed = [("team", &key.team), ("service", &key.service), ("environment", &key.environment)];
    for (what, value) in guessed {
        let why = if value.is_some() { "by its name" } else { "" };
        field(out, what, value.as_deref().unwrap_or(FILL_IN), why);
    }
    field(out, "provider", &key.provider, "");
    field(out, "rule", &key.rule, "");
    field(out, "account", key.account.as_deref().unwrap_or(FILL_IN), "");
    if let Some(id) = &key.key_id {
        field(out, "key-id", id, "");
    }
    if !key.ask.is_empty() {
        let asked: Vec<_> = key.ask.iter().map(|(n, v)| format!("{} = {}", quoted(n), quoted(v))).collect();
        let _ = writeln!(out, "ask = {{ {} }}", asked.join(", "));
    }
    if let Some(created) = key.created.as_ref().filter(|_| key.age_days.is_some_and(|days| days >= 0)) {
        let _ = writeln!(out, "created = {created}");
    }
    field(out, "admin", &key.admin, "");
    if key.perhaps_in.is_empty() {
        comment(out, "stores = []");
    }
    some(
        out,
        key.perhaps_in.iter().map(|at| {
            let inner = at.field.as_ref().map(|f| format!(", field = {}", quoted(f))).unwrap_or_default();
            let (store, path) = (quoted(&at.store), quoted(&at.path));
            format!("stores = [{{ store = {store}, path = {path}{inner} }}]   # {}", at.because)
        }),
    );
    for owner in &key.likely_owners {
        let names: Vec<_> = owner.owners.iter().map(|name| quoted(name)).collect();
        comment(
            out,
            &format!(
                "policy.owners = [{}]   # {}, where such a key stands in code",
                names.join(", "),
                owner.because
            ),
        );
    }
    some(
        out,
        key.perhaps_in_code.iter().map(|spot| format!("such a key stands in {}:{}", spot.path, spot.line)),
    );
}

fn field(out: &mut String, name: &str, value: &str, why: &str) {
    let why = if why.is_empty() { String::new() } else { format!("   # {why}") };
    let _ = writeln!(out, "{name} = {}{why}", quoted(value));
}

/// A TOML text: its escapes are those of JSON.
fn quoted(text: &str) -> String {
    let safe: String = text.chars().map(|c| if odd(c) { '\u{fffd}' } else { c }).collect();
    serde_json::Value::String(safe).to_string()
}

/// Characters that end a line, steer a terminal or hide.
fn odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// One line that is a comment whatever is in the text.
fn comment(out: &mut String, text: &str) {
    out.push_str("# ");
    for c in text.chars() {
        if odd(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out.push('\n');
}

/// Comments, up to a bound, and how many more there are.
fn some(out: &mut String, lines: impl ExactSizeIterator<Item = String>) {
    let left = lines.len().saturating_sub(MOST);
    lines.take(MOST).for_each(|line| comment(out, &line));
    if left > 0 {
        comment(out, &format!("- and {left} more; `--format json` has all"));
    }
}
