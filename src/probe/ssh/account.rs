//! Where private keys are tried: accounts that the organisation's file names, each with its host's own key.

use super::super::Fault;
use super::agree;
use super::fields::Fields;
use crate::call::{Host, Pattern};
use base64ct::{Base64, Base64Unpadded, Encoding};
use sha2::{Digest, Sha256};

/// The usual port.
pub(super) const PORT: u16 = 22;
/// Longest public key as text; one of RSA with 16,384 bits takes about 2,800 bytes.
const LONGEST: usize = 4096;

/// An account at which SSH keys are tried.
#[derive(Clone, Debug)]
pub struct SshAccount {
    pub(super) user: String,
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) pins: Vec<Pin>,
    internal: bool,
}

impl SshAccount {
    /// Reads what the organisation's file says: a user, a host with its port if that is not 22, and the host's keys,
    /// each as `SHA256:…` or as a line of its public key. `internal` lets the host have an address that is not public.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(user: &str, host: &str, keys: &[String], internal: bool) -> Result<Self, String> {
        if user.is_empty() || user.len() > 255 || user.chars().any(|c| c.is_control() || c == '@') {
            return Err(format!("user = `{}` is no name of a user", user.escape_debug()));
        }
        let (host, port) = Host::parse_with_port(host).map_err(|e| format!("host = `{host}`: {e}"))?;
        if keys.is_empty() {
            return Err(format!(
                "`host-keys` is missing: whoever answers for {host} would learn whose keys they are; \
                 `ssh-keyscan {host} | ssh-keygen -lf -` shows what it has, to be compared with what its owner says"
            ));
        }
        let pins = keys.iter().map(|text| Pin::parse(text)).collect::<Result<_, _>>()?;
        Ok(SshAccount { user: user.to_owned(), host, port: port.unwrap_or(PORT), pins, internal })
    }

    /// The host, if it may have an address that is not public.
    pub fn internal(&self) -> Option<Pattern> {
        self.internal.then(|| Pattern::exact(self.host.clone()))
    }

    /// The host, and its port if that is not the usual one.
    pub(super) fn place(&self) -> String {
        match self.port {
            PORT => self.host.to_string(),
            port => format!("{}:{port}", self.host),
        }
    }
}

/// A host key that is expected.
#[derive(Clone, Debug)]
pub(super) struct Pin {
    print: [u8; 32],
    /// The type of key, if it is known.
    kind: Option<String>,
}

impl Pin {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "host-keys: `{}` is neither SHA256:… as `ssh-keygen -lf` prints it, nor a line of a public key",
                text.escape_debug()
            )
        };
        if text.len() > LONGEST {
            return Err(wrong());
        }
        if let Some(print) = text.trim().strip_prefix("SHA256:") {
            let bytes = Base64Unpadded::decode_vec(print).map_err(|_| wrong())?;
            return Ok(Pin { print: bytes.try_into().map_err(|_| wrong())?, kind: None });
        }
        // The host may stand before, as in a file of known hosts, and a comment behind.
        let mut words = text.split_whitespace();
        let kind =
            words.find(|word| word.starts_with("ssh-") || word.starts_with("ecdsa-")).ok_or_else(wrong)?;
        let blob = words.next().and_then(|word| Base64::decode_vec(word).ok()).ok_or_else(wrong)?;
        if Fields::new(&blob).text() != Some(kind.as_bytes()) {
            return Err(wrong());
        }
        if !agree::knows(kind) {
            return Err(format!(
                "host-keys: a key of the type {kind} cannot be proved here; take another of the host"
            ));
        }
        Ok(Pin { print: Sha256::digest(&blob).into(), kind: Some(kind.to_owned()) })
    }

    /// Whether it may be a key of a type.
    pub(super) fn may_be(&self, kind: &str) -> bool {
        self.kind.as_deref().is_none_or(|own| own == kind)
    }

    /// Refuses a host key that none of these is.
    pub(super) fn among(pins: &[Pin], key: &[u8]) -> Result<(), Fault> {
        let print: [u8; 32] = Sha256::digest(key).into();
        if pins.iter().any(|pin| pin.print == print) {
            return Ok(());
        }
        Err(Fault::refused(format!(
            "the server shows another host key than `host-keys` says: {}",
            fingerprint(key)
        )))
    }
}

/// The fingerprint of a public key as `ssh-keygen` prints it. It is no secret.
pub(super) fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", Base64Unpadded::encode_string(&Sha256::digest(key)))
}

#[cfg(test)]
mod tests {
    use super::super::fields::Message;
    use super::*;

    fn account(user: &str, host: &str, keys: &[&str]) -> Result<SshAccount, String> {
        let keys: Vec<String> = keys.iter().map(|k| (*k).to_owned()).collect();
        SshAccount::new(user, host, &keys, false)
    }

    fn line(kind: &str) -> (Vec<u8>, String) {
        let blob = Message::default().text(kind).text([7; 32]).as_bytes().to_vec();
        let text = format!("{kind} {} root@host", Base64::encode_string(&blob));
        (blob, text)
    }

    #[test]
    fn a_host_key_is_a_fingerprint_or_a_public_key() {
        let (blob, text) = line("ssh-ed25519");
        for pin in [fingerprint(&blob), text.clone(), format!("[git.corp.example]:2222 {text}")] {
            let account = account("git", "git.corp.example:2222", &[&pin]).unwrap();
            assert_eq!((account.place().as_str(), account.port), ("git.corp.example:2222", 2222));
            assert_eq!(Pin::among(&account.pins, &blob), Ok(()), "{pin}");
            let other = Pin::among(&account.pins, b"another").unwrap_err();
            assert!(other.detail.contains(&fingerprint(b"another")), "{other:?}");
        }
        let pin = Pin::parse(&text).unwrap();
        assert!(pin.may_be("ssh-ed25519") && !pin.may_be("ssh-rsa"));
        assert!(Pin::parse(&fingerprint(&blob)).unwrap().may_be("ssh-rsa"));
    }

    #[test]
    fn what_would_ask_anybody_is_refused() {
        let pin = fingerprint(b"x");
        assert!(account("git", "h.example", &[&pin]).is_ok());
        let (_, dsa) = line("ssh-dss");
        for (user, host, keys, word) in [
            ("", "h.example", vec![pin.as_str()], "user"),
            ("a@b", "h.example", vec![&pin], "user"),
            ("a\nb", "h.example", vec![&pin], "user"),
            ("git", "h.example.", vec![&pin], "host"),
            ("git", "git@h.example", vec![&pin], "host"),
            ("git", "h.example", vec![], "ssh-keyscan"),
            ("git", "h.example", vec!["SHA256:short"], "host-keys"),
            ("git", "h.example", vec!["MD5:00:11"], "host-keys"),
            ("git", "h.example", vec!["ssh-ed25519 AAAA"], "host-keys"),
            ("git", "h.example", vec![&dsa], "cannot be proved"),
        ] {
            let said = account(user, host, &keys).unwrap_err();
            assert!(said.contains(word), "{user} {host}: {said}");
        }
    }
}
