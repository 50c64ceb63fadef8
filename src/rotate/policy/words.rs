//! Names, free text and references, checked as they are read. What is refused is never repeated: a
//! credential may stand where a name belongs.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(&text) {
                    Ok(()) => Ok($name(text)),
                    Err(why) => Err(why.to_owned()),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                text.to_owned().try_into()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

checked!(
    /// The name of a key, team, store or the like: letters, digits and `. _ - / @ :`, 128 at the most.
    Name,
    |text| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-/@:".contains(&b);
        if text.is_empty() || text.len() > 128 || !text.bytes().all(fits) {
            return Err("this is no name: use letters, digits and . _ - / @ :, 128 of them at the most");
        }
        Ok(())
    }
);

checked!(
    /// One line of free text without characters that steer a terminal or hide.
    Text,
    |text| {
        let odd = |c: char| c.is_control() || ('\u{200b}'..='\u{206f}').contains(&c) || c == '\u{feff}';
        if text.trim().is_empty() || text.len() > 512 || text.chars().any(odd) {
            return Err("this is no line of text: it is empty, longer than 512 bytes or not printable");
        }
        Ok(())
    }
);

/// Where a credential is to be had. The value itself never stands in a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Reference {
    /// `env:NAME`: an environment variable of the command.
    Env(String),
    /// `file:/path`: the content of a file, without its last line break.
    File(PathBuf),
    /// `openbao:mount/path#field`: a field of a secret in OpenBao or Vault.
    OpenBao {
        /// Mount and path.
        path: String,
        /// The field.
        field: String,
    },
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            "a credential is named, never written here: env:NAME, file:/path or openbao:mount/path#field";
        let plain = |s: &str| !s.is_empty() && s.chars().all(|c| !c.is_control() && c != ' ');
        let read = || match text.split_once(':')? {
            ("env", name) => {
                let head = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                (head && rest).then(|| Reference::Env(name.to_owned()))
            }
            ("file", path) => {
                let whole = Path::new(path).is_absolute() && plain(path);
                (whole && !path.contains("/../")).then(|| Reference::File(path.into()))
            }
            ("openbao", place) => {
                let (path, field) = place.split_once('#')?;
                let parts = path.split('/').count() > 1 && path.split('/').all(|p| plain(p) && p != "..");
                let whole = parts && plain(field) && !field.contains(['#', '/']);
                whole.then(|| Reference::OpenBao { path: path.to_owned(), field: field.to_owned() })
            }
            _ => None,
        };
        read().ok_or_else(|| wrong.to_owned())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Env(name) => write!(f, "env:{name}"),
            Reference::File(path) => write!(f, "file:{}", path.display()),
            Reference::OpenBao { path, field } => write!(f, "openbao:{path}#{field}"),
        }
    }
}

/// An Ed25519 public key as OpenSSH writes it: `ssh-ed25519 AAAA… [comment]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key's 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = "this is no Ed25519 public key; write the line of the .pub file: ssh-ed25519 AAAA…";
        openssh(&text).map(PublicKey).ok_or_else(|| wrong.to_owned())
    }
}

/// RFC 8709 in the wire form of RFC 4251: the algorithm's name, then the key, each after its length.
fn openssh(line: &str) -> Option<[u8; 32]> {
    const HEAD: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
    let key = unbase64(line.strip_prefix("ssh-ed25519 ")?.split(' ').next()?)?;
    key.strip_prefix(HEAD)?.try_into().ok()
}

/// Standard base64 with padding; `None` for anything else.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let (mut out, mut word, mut bits) = (Vec::with_capacity(digits.len()), 0u32, 0);
    for b in digits.bytes() {
        let digit = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits & 0xff) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written_back() {
        for text in ["env:OPENAI_ADMIN_KEY", "file:/run/secrets/admin", "openbao:kv/admin/openai#key"] {
            assert_eq!(Reference::try_from(text.to_owned()).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_value_is_no_reference_and_is_not_repeated() {
        let value = format!("{}-{}", "sk", "a1B2".repeat(12));
        for text in [
            value.clone(),
            format!("env:{value}"),
            format!("key:{value}"),
            "env:".into(),
            "env:1A".into(),
            "file:relative".into(),
            "file:/a/../b".into(),
            "openbao:kv#key".into(),
            "openbao:kv/a".into(),
            "openbao:kv/../a#b".into(),
            "openbao:kv//a#b".into(),
            String::new(),
        ] {
            let told = Reference::try_from(text.clone()).expect_err(&text);
            assert!(told.contains("never written here") && !told.contains(&value), "{told}");
        }
    }

    #[test]
    fn names_and_text_hold_nothing_that_steers_a_terminal() {
        assert!("payments/checkout:prod@eu_1.a".parse::<Name>().is_ok());
        for text in ["", "a b", "a\x1b[31m", "ä", &"x".repeat(129)] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
        assert!("Zürich, 2nd floor".parse::<Text>().is_ok());
        for text in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(513)] {
            assert!(text.parse::<Text>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn public_keys_are_what_ssh_writes() {
        let base64 = "AAAAC3NzaC1lZDI1NTE5AAAAI".to_owned() + &"A".repeat(43);
        let read = PublicKey::try_from(format!("ssh-ed25519 {base64} alice@example")).unwrap();
        assert_eq!(read.as_bytes(), &[0; 32]);
        for text in [
            base64.clone(),
            format!("ssh-rsa {base64}"),
            format!("ssh-ed25519 {}", &base64[..64]),
            format!("ssh-ed25519 {base64}AAAA"),
            "ssh-ed25519 !".into(),
        ] {
            assert!(PublicKey::try_from(text.clone()).is_err(), "{text}");
        }
    }
}
