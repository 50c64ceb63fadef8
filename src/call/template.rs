//! Filling the holes of a template. Where a hole stands decides how its value is written there, so
//! that no value can end the segment, field or line that it was put into.

use super::request::{Filter, pieces};
use super::{Piece, RenderError};
use crate::model::Secret;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The values that holes are filled with, by name. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Values(BTreeMap<String, Secret>);

impl Values {
    /// No values.
    pub fn new() -> Self {
        Values::default()
    }

    /// Sets a value; one of the same name is replaced.
    pub fn set(&mut self, name: &str, value: Secret) -> &mut Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// Adds values; those of the same name are replaced.
    pub fn extend(&mut self, others: Values) -> &mut Self {
        self.0.extend(others.0);
        self
    }

    /// All values, to hide them in what is shown.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Where a template stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The host of the URL: a value is one label of letters, digits and inner hyphens.
    Host,
    /// Path or query of the URL: a value is percent-encoded, so that it stays one segment or one value.
    Url,
    /// A header field: visible ASCII and blanks, so that a value cannot begin another line.
    Header,
    /// A form field, encoded when the form is written, or a text of a JSON tree.
    Body,
}

/// Fills a template.
///
/// # Errors
/// A name without a value; a value that cannot stand in this place.
pub fn render(template: &str, values: &Values, place: Place) -> Result<Secret, RenderError> {
    let mut out = Zeroizing::new(Vec::with_capacity(template.len() + 128));
    for piece in pieces(template).map_err(RenderError::Template)? {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Hole { name, filters } => {
                let value = values.get(name).ok_or_else(|| RenderError::Missing(name.to_owned()))?;
                let mut bytes = Zeroizing::new(value.expose().to_vec());
                for filter in filters {
                    match filter {
                        Filter::Base64 => bytes = base64(&bytes),
                        Filter::Json => {
                            return Err(RenderError::Template(format!(
                                "`{template}`: the filter json stands for a whole value of a JSON body"
                            )));
                        }
                    }
                }
                put(&bytes, place, &mut out).map_err(|why| RenderError::Unfit {
                    name: name.to_owned(),
                    place,
                    why,
                })?;
            }
        }
    }
    Ok(Secret::new(&out))
}

fn put(bytes: &[u8], place: Place, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match place {
        Place::Host => {
            let plain = bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
            let inner = bytes.first() != Some(&b'-') && bytes.last() != Some(&b'-');
            if bytes.is_empty() || bytes.len() > 63 || !plain || !inner {
                return Err("it is not one label of a host name");
            }
            out.extend_from_slice(bytes);
        }
        Place::Url => {
            // A segment of dots would be resolved away by whoever reads the URL.
            if bytes.is_empty() || bytes == b"." || bytes == b".." {
                return Err("it is empty or a dot segment");
            }
            bytes.iter().for_each(|&b| percent(b, out));
        }
        Place::Header => {
            if !bytes.iter().all(|&b| (b' '..=b'~').contains(&b)) {
                return Err("it has bytes that a header field may not hold");
            }
            out.extend_from_slice(bytes);
        }
        Place::Body => {
            if std::str::from_utf8(bytes).is_err() {
                return Err("it is not UTF-8");
            }
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}

/// Writes one byte percent-encoded, unreserved characters (RFC 3986) as they are.
pub(super) fn percent(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        out.push(byte);
    } else {
        out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Standard base64 with padding (RFC 4648), into memory that is wiped.
pub(super) fn base64(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len().div_ceil(3) * 4));
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |w, (i, &b)| w | u32::from(b) << (16 - 8 * i));
        for i in 0..4 {
            out.push(if i <= chunk.len() { SIGNS[(word >> (18 - 6 * i) & 63) as usize] } else { b'=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let mut v = Values::new();
        v.set("secret", Secret::new(b"a/b c?&=%\xC3\xA4")).set("line", Secret::new(b"x\r\nHost: evil"));
        v.set("label", Secret::new(b"us-east")).set("dots", Secret::new(b".."));
        v
    }

    fn text(template: &str, place: Place) -> Result<String, RenderError> {
        render(template, &values(), place).map(|s| String::from_utf8_lossy(s.expose()).into_owned())
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        assert_eq!(text("/v1/{{ secret }}/x", Place::Url).unwrap(), "/v1/a%2Fb%20c%3F%26%3D%25%C3%A4/x");
        assert_eq!(text("{{ label }}.acme.example", Place::Host).unwrap(), "us-east.acme.example");
        for (template, place) in [
            ("Bearer {{ line }}", Place::Header),
            ("Bearer {{ secret }}", Place::Header),
            ("{{ secret }}.acme.example", Place::Host),
            ("/{{ dots }}/", Place::Url),
        ] {
            assert!(matches!(text(template, place), Err(RenderError::Unfit { .. })), "{template}");
        }
        assert!(matches!(text("{{ none }}", Place::Body), Err(RenderError::Missing(name)) if name == "none"));
    }

    #[test]
    fn base64_is_the_standard_one() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()).as_slice(), coded.as_bytes());
        }
    }
}
