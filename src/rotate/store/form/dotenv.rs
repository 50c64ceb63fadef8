//! `NAME=value` lines as shells, Docker Compose and the dotenv libraries read them. Their dialects differ in
//! escapes, so that only what all of them read alike is written.

use super::{FormError, Quote, Spot};
use crate::model::Secret;
use zeroize::Zeroizing;

pub(super) fn find(text: &str, name: &str) -> Result<Option<Spot>, FormError> {
    let mut found = None;
    for (_, spot) in assignments(text).into_iter().filter(|(own, _)| *own == name) {
        let spot = spot.ok_or(FormError("the quotes of the assignment do not match"))?;
        if found.replace(spot).is_some() {
            return Err(FormError("the file assigns the name more than once"));
        }
    }
    Ok(found)
}

/// The names that are assigned, in order.
pub(super) fn names(text: &str) -> Vec<String> {
    assignments(text).into_iter().map(|(name, _)| name.to_owned()).collect()
}

/// The assignments in order, each with its value; none where the quotes do not match.
fn assignments(text: &str) -> Vec<(&str, Option<Spot>)> {
    let mut found = Vec::new();
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    while at < text.len() {
        let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
        let Some((own, value)) = assignment(&text[at..end]) else {
            at = end + 1;
            continue;
        };
        match value_at(text, at + value, end) {
            Some((spot, after)) => {
                found.push((own, Some(spot)));
                // A quoted value may have ended lines further down.
                at = text[after..].find('\n').map_or(text.len(), |n| after + n + 1);
            }
            None => {
                found.push((own, None));
                at = end + 1;
            }
        }
    }
    found
}

/// The name that a line assigns, and where the value begins.
fn assignment(line: &str) -> Option<(&str, usize)> {
    let mut rest = line.trim_start_matches([' ', '\t']);
    if let Some(after) = rest.strip_prefix("export") {
        let trimmed = after.trim_start_matches([' ', '\t']);
        if trimmed.len() < after.len() {
            rest = trimmed;
        }
    }
    let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')));
    let (name, rest) = rest.split_at(len?);
    let value = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    (!name.is_empty()).then(|| (name, line.len() - value.trim_start_matches([' ', '\t']).len()))
}

/// The value that begins at `at`, in a line that ends at `end`, and where it ends; none if its quotes are not
/// closed or something follows them.
fn value_at(text: &str, at: usize, end: usize) -> Option<(Spot, usize)> {
    let quote = match text.as_bytes().get(at).filter(|_| at < end) {
        Some(b'\'') => Quote::Single,
        Some(b'"') => Quote::Double,
        Some(b'`') => Quote::Back,
        _ => {
            let line = &text[at..end];
            let comment =
                line.char_indices().find(|&(i, c)| c == '#' && (i == 0 || line[..i].ends_with([' ', '\t'])));
            let plain = line[..comment.map_or(line.len(), |(i, _)| i)].trim_end();
            let spot =
                Spot { span: at..at + plain.len(), value: Secret::new(plain.as_bytes()), quote: Quote::None };
            return Some((spot, end));
        }
    };
    let body = &text[at + 1..];
    let mut value = Zeroizing::new(String::with_capacity(body.len()));
    let mut chars = body.char_indices();
    let close = loop {
        match chars.next()? {
            (i, '\'') if quote == Quote::Single => break i,
            (i, '`') if quote == Quote::Back => break i,
            (i, '"') if quote == Quote::Double => break i,
            (_, '\\') if quote == Quote::Double => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('"' | '\\' | '$' | '`') => value.push(c),
                c => value.extend(['\\', c]),
            },
            (_, c) => value.push(c),
        }
    };
    let after = at + 1 + close + 1;
    let rest = text[after..].split('\n').next().unwrap_or_default().trim();
    if !rest.is_empty() && !rest.starts_with('#') {
        return None;
    }
    Some((Spot { span: at..after, value: Secret::new(value.as_bytes()), quote }, after))
}

pub(super) fn spell(quote: Quote, value: &str) -> Result<Zeroizing<String>, FormError> {
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.,:/@%+=~^".contains(&b));
    let mark = match quote {
        Quote::None if plain => "",
        Quote::Double if plain => "\"",
        Quote::Back if plain => "`",
        // Without escapes or expansion in every dialect.
        _ if !value.contains('\'') => "'",
        _ => return Err(FormError("the new value has a quotation mark; readers of `.env` differ about it")),
    };
    let mut out = super::room(value);
    [mark, value, mark].iter().for_each(|part| out.push_str(part));
    Ok(out)
}
