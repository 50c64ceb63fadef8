//! Values that nobody can guess, written like examples: what a caller sends where it may choose a key's value.

use super::{MOST, Reader, Set};
use zeroize::Zeroizing;

/// A template whose sets are drawn from the system's randomness. Characters that are no set stand for themselves.
///
/// # Errors
/// A sentence for the author of the rule; or the system gives no randomness.
pub fn random(template: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut from = Reader { rest: template, open: None };
    let mut out = Zeroizing::new(Vec::with_capacity(4 * template.len() + 256));
    while let Some(c) = from.take() {
        if c != '{' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let (name, count) = from.hole().ok_or("has a `{` that begins no set")?;
        match (Set::by_name(name), count.map(|n| n.parse::<usize>())) {
            (Some(set), Some(Ok(n))) if (1..=MOST).contains(&n) => {
                for _ in 0..n {
                    out.push(pick(set.characters)?);
                }
            }
            (None, None) if name == "uuid" => uuid(&mut out)?,
            _ => return Err(format!("has `{{{name}}}`, which is no set with a count, nor `{{uuid}}`")),
        }
    }
    Ok(out)
}

/// One of a few characters, each as likely as the others.
fn pick(from: &[u8]) -> Result<u8, String> {
    // What lies beyond the last whole round would make the first characters likelier.
    let most = 256 - 256 % from.len();
    loop {
        let mut byte = [0];
        fill(&mut byte)?;
        if usize::from(byte[0]) < most {
            return Ok(from[usize::from(byte[0]) % from.len()]);
        }
    }
}

/// A UUID of version 4, lower case.
fn uuid(out: &mut Vec<u8>) -> Result<(), String> {
    let mut bytes = Zeroizing::new([0; 16]);
    fill(&mut *bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    for (n, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&n) {
            out.push(b'-');
        }
        for nibble in [byte >> 4, byte & 15] {
            out.push(b"0123456789abcdef"[usize::from(nibble)]);
        }
    }
    Ok(())
}

fn fill(bytes: &mut [u8]) -> Result<(), String> {
    getrandom::fill(bytes).map_err(|e| format!("the system gives no randomness: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn values_have_their_shape_and_never_repeat() {
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            let value = String::from_utf8(random("k_{a62:40}.{uuid}").unwrap().to_vec()).unwrap();
            let (head, tail) = value.split_once('.').unwrap();
            assert!(head.len() == 42 && head[2..].bytes().all(|b| b.is_ascii_alphanumeric()), "{head}");
            assert!(tail.len() == 36 && &tail[14..15] == "4", "{tail}");
            assert!(seen.insert(value));
        }
        for bad in ["{a62}", "{nothing:4}", "{uuid:3}", "{a62:0}", "{", "{checksum}"] {
            assert!(random(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_character_of_a_set_comes() {
        let value = random("{a62:4000}").unwrap();
        assert_eq!(value.iter().collect::<BTreeSet<_>>().len(), 62);
    }
}
