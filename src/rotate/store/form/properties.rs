//! Java properties (java.util.Properties): `key=value`, `key: value` or `key value`, with `\` as escape and to
//! join lines.

use super::{FormError, Quote, Spot};
use crate::model::Secret;
use zeroize::Zeroizing;

pub(super) fn find(text: &str, name: &str) -> Result<Option<Spot>, FormError> {
    let mut found = None;
    let mut at = 0;
    while at < text.len() {
        let start = at + (text.len() - at - text[at..].trim_start_matches([' ', '\t', '\u{c}']).len());
        let comment = text[start..].starts_with(['#', '!']);
        let end = if comment { line_end(text, start) } else { logical_end(text, start) };
        let line = &text[start..end];
        if !comment && !line.is_empty() {
            let key = line.len() - after(line, |c| matches!(c, '=' | ':' | ' ' | '\t' | '\u{c}')).len();
            let blank = [' ', '\t', '\u{c}'];
            let mut rest = line[key..].trim_start_matches(blank);
            rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(blank);
            if plain(&line[..key])?.as_str() == name {
                let spot = Spot {
                    span: end - rest.len()..end,
                    value: Secret::new(plain(rest)?.as_bytes()),
                    quote: Quote::None,
                };
                if found.replace(spot).is_some() {
                    return Err(FormError("the file sets the key more than once"));
                }
            }
        }
        at = end + usize::from(text[end..].starts_with('\r'));
        at += usize::from(text[at..].starts_with('\n'));
    }
    Ok(found)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find(['\n', '\r']).map_or(text.len(), |n| at + n)
}

/// Where a line ends that `\` may continue.
fn logical_end(text: &str, mut at: usize) -> usize {
    loop {
        let end = line_end(text, at);
        let slashes = text[at..end].bytes().rev().take_while(|&b| b == b'\\').count();
        if slashes % 2 == 0 || end == text.len() {
            return end;
        }
        at = end + usize::from(text[end..].starts_with("\r\n")) + 1;
    }
}

/// The rest of a text from the first character that ends a key and is not escaped.
fn after(text: &str, ends: impl Fn(char) -> bool) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && ends(c) {
            return &text[at..];
        }
        escaped = c == '\\' && !escaped;
    }
    ""
}

/// A text without its escapes.
fn plain(text: &str) -> Result<Zeroizing<String>, FormError> {
    let bad = FormError("the file has an escape that is none");
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => {}
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).map_err(|_| bad)?;
                // Half of a pair stands for nothing alone; such a value is none of ours.
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('f') => out.push('\u{c}'),
            Some(end @ ('\n' | '\r')) => {
                if end == '\r' && chars.peek() == Some(&'\n') {
                    chars.next();
                }
                while chars.peek().is_some_and(|c| matches!(c, ' ' | '\t' | '\u{c}')) {
                    chars.next();
                }
            }
            Some(other) => out.push(other),
        }
    }
    Ok(out)
}

pub(super) fn spell(value: &str) -> Zeroizing<String> {
    let mut out = super::room(value);
    for (n, c) in value.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            ' ' if n == 0 => out.push_str("\\ "),
            ' '..='~' => out.push(c),
            // Older readers take the file for Latin-1.
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}
