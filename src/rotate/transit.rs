//! A key of the transit engine of OpenBao or HashiCorp Vault, which wraps the data key of a journal
//! (<https://openbao.org/api-docs/secret/transit/>). The key itself never leaves the server.
//!
//! The data key is drawn here and encrypted there with the journal's id as associated data, since `datakey` takes none;
//! and `rewrap` takes none either (tried with OpenBao 2.7), so that a new version of the key is reached by decrypting
//! and encrypting. Both take a key of an AEAD: `aes256-gcm96`, which is the engine's default, or `chacha20-poly1305`.

use crate::call::Reply;
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};
use crate::rotate::journal::{WrapError, Wrapper};
use crate::rotate::store::openbao::api::{Api, refusal};
use crate::rotate::store::{Doors, OpenError, OpenbaoSpec};
use base64ct::{Base64, Encoding};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Longest time of one call.
const CALL: Duration = Duration::from_secs(20);
/// The mount unless a reference names another.
const MOUNT: &str = "transit";

/// A key of the engine.
pub struct Transit {
    api: Api,
    /// `MOUNT/KEY`.
    name: String,
    mount: String,
    key: String,
}

/// Why a reference names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitError {
    /// Its form.
    #[error("write transit:KEY, or transit:MOUNT/KEY: letters, digits, `-`, `_` and `.`")]
    Form,
    /// What the server's declaration says.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Transit {
    /// The key that `transit:KEY` or `transit:MOUNT/KEY` names, without its `transit:`. Nothing is called yet.
    ///
    /// # Errors
    /// See [`TransitError`].
    pub fn new(named: &str, spec: &OpenbaoSpec, doors: Arc<dyn Doors>) -> Result<Transit, TransitError> {
        let (mount, key) = named.rsplit_once('/').unwrap_or((MOUNT, named));
        let plain = |step: &str| {
            let sign = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            !step.is_empty() && step.bytes().all(sign) && !step.bytes().all(|b| b == b'.')
        };
        if !plain(key) || !mount.split('/').all(plain) {
            return Err(TransitError::Form);
        }
        Ok(Transit {
            api: Api::new(spec, doors)?,
            name: format!("{mount}/{key}"),
            mount: mount.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Asks for one operation, and gives one text of the answer's data.
    fn ask(&self, what: &str, body: &str, field: &str) -> Result<Zeroizing<String>, WrapError> {
        let path = format!("/v1/{}/{what}/{}", self.mount, self.key);
        let call = Call { deadline: Instant::now() + CALL };
        let reply = self.api.ask("POST", &path, Some(body), call).map_err(|e| self.failed(what, e))?;
        if reply.status != 200 {
            return Err(self.refused(what, &reply));
        }
        let body: Answer = serde_json::from_str(&reply.body).map_err(|_| self.strange())?;
        let text = match field {
            "ciphertext" => body.data.ciphertext,
            _ => body.data.plaintext,
        };
        text.filter(|text| !text.is_empty()).ok_or_else(|| self.strange())
    }

    fn strange(&self) -> WrapError {
        WrapError::Away(format!("the answer about `{}` is none of the transit engine", self.name))
    }

    fn failed(&self, what: &str, error: StoreError) -> WrapError {
        let words = format!("OpenBao does not {what} by `{}`: {error}", self.name);
        match error {
            StoreError::Refused(_) => WrapError::Refused(words),
            _ => WrapError::Away(words),
        }
    }

    /// What an answer means that is no success. Of its words only known ones count.
    fn refused(&self, what: &str, reply: &Reply) -> WrapError {
        let (name, says) = (&self.name, |words: &str| reply.body.contains(words));
        match reply.status {
            503 if says("sealed") => {
                WrapError::Away("OpenBao is sealed: unseal it, and try again".to_owned())
            }
            403 => WrapError::Refused(format!(
                "OpenBao forbids it: the token must be good, and its policy allow update of {}/{what}/{}",
                self.mount, self.key
            )),
            400 if says("encryption key not found") => WrapError::Refused(format!(
                "OpenBao has no key `{name}`: if it was deleted, what it wrapped is lost, and a backup of the key is the \
                 only way back"
            )),
            404 => WrapError::Refused(format!(
                "OpenBao has no transit engine for `{name}`: is it mounted there?"
            )),
            400 if says("message authentication failed") => WrapError::Broken(format!(
                "`{name}` does not open what the journal holds: the key was made anew, or the journal was changed"
            )),
            400 if says("associated_data") || says("missing 'context'") => WrapError::Refused(format!(
                "the key `{name}` is of another type: make it with type aes256-gcm96 or chacha20-poly1305, not derived"
            )),
            400 if says("ciphertext version is disallowed") || says("too old") => {
                WrapError::Refused(format!(
                    "`{name}` does not open versions as old as the one that wrapped the data key: lower its \
                 min_decryption_version, and run `keywheel rotate rewrap`"
                ))
            }
            _ => self.failed(what, refusal(reply)),
        }
    }
}

#[derive(serde::Deserialize)]
struct Answer {
    data: Data,
}

#[derive(serde::Deserialize)]
struct Data {
    ciphertext: Option<Zeroizing<String>>,
    plaintext: Option<Zeroizing<String>>,
}

/// What binds a data key to its journal, as the engine takes it.
fn bound(journal: &str) -> String {
    Base64::encode_string(format!("keywheel journal {journal}").as_bytes())
}

impl Wrapper for Transit {
    fn name(&self) -> &str {
        &self.name
    }

    fn wrap(&self, journal: &str, key: &Secret) -> Result<String, WrapError> {
        let plain = Zeroizing::new(Base64::encode_string(key.expose()));
        let body = Zeroizing::new(format!(
            "{{\"plaintext\":\"{}\",\"associated_data\":\"{}\"}}",
            *plain,
            bound(journal)
        ));
        let text = self.ask("encrypt", &body, "ciphertext")?;
        Ok(text.to_string())
    }

    fn unwrap(&self, journal: &str, text: &str) -> Result<Secret, WrapError> {
        let body = serde_json::json!({ "ciphertext": text, "associated_data": bound(journal) }).to_string();
        let coded = self.ask("decrypt", &body, "plaintext")?;
        let key = Zeroizing::new(Base64::decode_vec(&coded).map_err(|_| self.strange())?);
        Ok(Secret::new(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{CallError, Prepared, Transport};
    use crate::rotate::store::Server;
    use crate::rotate::time::Moment;
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Mutex;

    type Answered = (u16, String);

    /// A server that gives one answer to everything, and remembers what it was asked.
    #[derive(Clone)]
    struct World(Arc<Mutex<(Answered, Vec<String>)>>);

    impl Transport for World {
        fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
            let mut own = self.0.lock().unwrap();
            let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
            let body = request.body.as_ref().map(text).unwrap_or_default();
            own.1.push(format!("{} {} {body}", request.method, text(&request.target)));
            let (status, body) = own.0.clone();
            Ok(Reply { status, body, headers: BTreeMap::new() })
        }
    }

    impl Doors for World {
        fn transport(&self, _: &Server) -> Result<Arc<dyn Transport>, String> {
            Ok(Arc::new(self.clone()))
        }
        fn fetch(&self, _: &str) -> Result<Secret, String> {
            Ok(Secret::new(b"token"))
        }
        fn tracked(&self, _: &Path) -> Result<bool, String> {
            Ok(false)
        }
        fn now(&self) -> Moment {
            Moment(0)
        }
        fn mark(&self, _: &[u8]) -> String {
            String::new()
        }
    }

    fn transit(named: &str, status: u16, body: &str) -> (World, Result<Transit, TransitError>) {
        let world = World(Arc::new(Mutex::new(((status, body.to_owned()), Vec::new()))));
        let spec = OpenbaoSpec {
            address: "https://bao.corp.example".to_owned(),
            plain: false,
            ca: None,
            namespace: None,
            mount: None,
            token: Some("env:T".to_owned()),
            approle: None,
        };
        let made = Transit::new(named, &spec, Arc::new(world.clone()));
        (world, made)
    }

    #[test]
    fn a_data_key_is_bound_to_its_journal() {
        let answer = r#"{"data":{"ciphertext":"vault:v3:abc","plaintext":"a2V5"}}"#;
        let (world, made) = transit("team/keys/seal", 200, answer);
        let transit = made.unwrap();
        assert_eq!(transit.name(), "team/keys/seal");
        assert_eq!(transit.wrap("j1", &Secret::new(b"key")).unwrap(), "vault:v3:abc");
        assert_eq!(transit.unwrap("j1", "vault:v3:abc").unwrap(), Secret::new(b"key"));
        let bound = Base64::encode_string(b"keywheel journal j1");
        let asked = &world.0.lock().unwrap().1;
        assert_eq!(
            asked[0],
            format!(r#"POST /v1/team/keys/encrypt/seal {{"plaintext":"a2V5","associated_data":"{bound}"}}"#)
        );
        assert!(asked[1].starts_with("POST /v1/team/keys/decrypt/seal ") && asked[1].contains(&bound));
    }

    #[test]
    fn names_are_plain() {
        for good in ["keywheel", "transit/keywheel", "a/b/c.d_e-f"] {
            assert!(transit(good, 200, "").1.is_ok(), "{good}");
        }
        for bad in ["", "/k", "a/", "a//b", "../k", "k?x", "a b", "k#f", "..", "."] {
            assert_eq!(transit(bad, 200, "").1.err(), Some(TransitError::Form), "{bad}");
        }
    }

    #[test]
    fn whatever_is_no_key_is_told_by_its_cause() {
        let errors = |words: &str| format!(r#"{{"errors":["{words}"]}}"#);
        for (status, body, told) in [
            (503, errors("Vault is sealed"), "Away: OpenBao is sealed"),
            (503, "<html>".to_owned(), "Away: OpenBao does not decrypt"),
            (403, errors("permission denied"), "Refused: OpenBao forbids it"),
            (400, errors("encryption key not found"), "Refused: OpenBao has no key `transit/k`"),
            (404, errors("no handler for route"), "Refused: OpenBao has no transit engine"),
            (400, errors("cipher: message authentication failed"), "Broken: `transit/k` does not open"),
            (
                400,
                errors("'[0].associated_data' provided for non-AEAD"),
                "Refused: the key `transit/k` is of another type",
            ),
            (400, errors("anything else"), "Refused: OpenBao does not decrypt"),
            (429, errors("rate limit"), "Away: OpenBao does not decrypt"),
            (500, errors("1 error occurred"), "Away: OpenBao does not decrypt"),
            (200, "<html>".to_owned(), "Away: the answer about `transit/k`"),
            (200, r#"{"data":{"plaintext":""}}"#.to_owned(), "Away: the answer about `transit/k`"),
            (200, r#"{"data":{"plaintext":"no base64!"}}"#.to_owned(), "Away: the answer about `transit/k`"),
        ] {
            let (_, made) = transit("k", status, &body);
            let error = made.unwrap().unwrap("j", "vault:v1:x").unwrap_err();
            let kind = match &error {
                WrapError::Away(_) => "Away",
                WrapError::Refused(_) => "Refused",
                WrapError::Broken(_) => "Broken",
                WrapError::Random => "Random",
            };
            assert!(format!("{kind}: {error}").starts_with(told), "{status} {body}: {kind}: {error}");
        }
    }
}
