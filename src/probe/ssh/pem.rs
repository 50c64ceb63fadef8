//! The armour around a private key, as it stands in scanned text: with line breaks, with escaped ones, in quotes.

use super::super::Fault;
use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

/// Longest text that is read.
const LONGEST: usize = 64 << 10;

/// The label and the bytes within.
///
/// # Errors
/// There is no armour, or something else than base64 within; never any of it.
pub(super) fn read(text: &[u8]) -> Result<(String, Zeroizing<Vec<u8>>), Fault> {
    let damaged = || Fault::refused("the key is damaged");
    let text = std::str::from_utf8(text).ok().filter(|t| t.len() <= LONGEST).ok_or_else(damaged)?;
    let (_, rest) = text.split_once("-----BEGIN ").ok_or_else(damaged)?;
    let (label, rest) = rest.split_once("-----").ok_or_else(damaged)?;
    let (body, _) = rest.split_once("-----END").ok_or_else(damaged)?;
    if body.contains("Proc-Type:") {
        return Err(super::key::encrypted());
    }
    let mut plain = Zeroizing::new(String::with_capacity(body.len()));
    let mut escaped = false;
    for c in body.chars() {
        match c {
            '\\' => escaped = true,
            // The letter of an escape, behind however many backslashes.
            'n' | 'r' | 't' if escaped => escaped = false,
            'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' => {
                escaped = false;
                plain.push(c);
            }
            '=' | '"' | '\'' | ',' => escaped = false,
            c if c.is_ascii_whitespace() => escaped = false,
            _ => return Err(damaged()),
        }
    }
    let mut bytes = Zeroizing::new(vec![0; plain.len() / 4 * 3 + 3]);
    let len = Base64Unpadded::decode(&*plain, &mut bytes).map_err(|_| damaged())?.len();
    bytes.truncate(len);
    Ok((label.to_owned(), bytes))
}

#[cfg(test)]
mod tests {
    use super::super::testing::armoured;
    use super::*;

    #[test]
    fn escapes_and_quotes_are_no_part_of_a_key() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = armoured("PRIVATE KEY", &bytes);
        for spelled in [
            text.clone(),
            text.replace('\n', "\r\n"),
            text.replace('\n', "\\n"),
            text.replace('\n', "\\\\r\\\\n"),
            text.replace('\n', "\",\n  \""),
            text.replace('\n', "\n    "),
            text.replace('=', ""),
            text.replace('\n', " "),
        ] {
            let (label, read) = read(spelled.as_bytes()).unwrap();
            assert_eq!((label.as_str(), &read[..]), ("PRIVATE KEY", &bytes[..]), "{spelled}");
        }
        for broken in ["", "x", &text[..40], &text.replace('\n', "!"), &text.replace("-----END", "")] {
            assert!(read(broken.as_bytes()).is_err(), "{broken}");
        }
        let old = text.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1);
        assert!(read(old.as_bytes()).unwrap_err().detail.contains("encrypted"));
    }
}
