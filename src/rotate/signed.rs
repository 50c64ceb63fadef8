//! Words of people, signed with their SSH keys: `ssh-keygen -Y sign -n keywheel`
//! (<https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig>).

use super::policy::{Approver, Name};
use base64ct::{Base64, Encoding};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256, Sha512};
use std::collections::BTreeMap;

/// What a signature of ours is made for; one that was made for anything else says nothing here.
pub const NAMESPACE: &str = "keywheel";

/// Most bytes of an armoured signature.
const MOST: usize = 16 << 10;

/// What a person says of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// That it may be carried out.
    Approve,
    /// That the consumers have the new key.
    Ack,
}

impl Word {
    /// The line that is signed, with its line break.
    pub fn line(self, plan: &str) -> String {
        let word = match self {
            Word::Approve => "approve",
            Word::Ack => "ack",
        };
        format!("keywheel {word} {plan}\n")
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is none.
    #[error("this is no signature of `ssh-keygen -Y sign`")]
    Form,
    /// It was made for something else.
    #[error("the signature was made for another namespace: sign with `ssh-keygen -Y sign -n keywheel`")]
    Namespace,
    /// No approver has that key.
    #[error("the signature is of a key that no [approver] of the policy has")]
    Stranger,
    /// It does not fit.
    #[error("the signature does not fit the line: sign exactly what was printed, with its line break")]
    Unfit,
}

/// Who signed `message`.
///
/// # Errors
/// See [`SignatureError`].
pub fn signer<'a>(
    armoured: &str,
    message: &str,
    approvers: &'a BTreeMap<Name, Approver>,
) -> Result<&'a Name, SignatureError> {
    let blob = unarmour(armoured).ok_or(SignatureError::Form)?;
    let signature = Signature::parse(&blob).ok_or(SignatureError::Form)?;
    if signature.namespace != NAMESPACE.as_bytes() {
        return Err(SignatureError::Namespace);
    }
    let (name, _) = approvers
        .iter()
        .find(|(_, approver)| approver.public_key.as_bytes() == signature.key)
        .ok_or(SignatureError::Stranger)?;
    let digest = match signature.hash {
        b"sha512" => Sha512::digest(message.as_bytes()).to_vec(),
        b"sha256" => Sha256::digest(message.as_bytes()).to_vec(),
        _ => return Err(SignatureError::Form),
    };
    let mut signed = b"SSHSIG".to_vec();
    for part in [signature.namespace, b"", signature.hash, &digest] {
        signed.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        signed.extend(part);
    }
    let key = UnparsedPublicKey::new(&ED25519, signature.key);
    key.verify(&signed, signature.bytes).map_err(|_| SignatureError::Unfit)?;
    Ok(name)
}

/// A signature's parts.
struct Signature<'a> {
    key: &'a [u8],
    namespace: &'a [u8],
    hash: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Signature<'a> {
    fn parse(blob: &'a [u8]) -> Option<Signature<'a>> {
        let mut rest = blob.strip_prefix(b"SSHSIG\0\0\0\x01")?;
        let public = string(&mut rest)?;
        let namespace = string(&mut rest)?;
        let _reserved = string(&mut rest)?;
        let hash = string(&mut rest)?;
        let wrapped = string(&mut rest)?;
        let bytes = ed25519(wrapped, 64)?;
        rest.is_empty().then_some(Signature { key: ed25519(public, 32)?, namespace, hash, bytes })
    }
}

/// The one field of that length after the algorithm's name.
fn ed25519(mut wrapped: &[u8], len: usize) -> Option<&[u8]> {
    let algorithm = string(&mut wrapped)?;
    let field = string(&mut wrapped)?;
    (algorithm == b"ssh-ed25519" && field.len() == len && wrapped.is_empty()).then_some(field)
}

/// A length and as many bytes.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, tail) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let (field, tail) = tail.split_at_checked(len)?;
    *rest = tail;
    Some(field)
}

fn unarmour(text: &str) -> Option<Vec<u8>> {
    let inner = text
        .trim()
        .strip_prefix("-----BEGIN SSH SIGNATURE-----")?
        .strip_suffix("-----END SSH SIGNATURE-----")?;
    let digits: String = inner.split_ascii_whitespace().collect();
    if digits.len() > MOST {
        return None;
    }
    Base64::decode_vec(&digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        parts.iter().flat_map(|p| [&(p.len() as u32).to_be_bytes()[..], p].concat()).collect()
    }

    /// What `ssh-keygen -Y sign` writes.
    fn sign(pair: &Ed25519KeyPair, namespace: &[u8], message: &str) -> String {
        let digest = Sha512::digest(message.as_bytes());
        let signed = [b"SSHSIG".to_vec(), framed(&[namespace, b"", b"sha512", &digest])].concat();
        let bytes = pair.sign(&signed);
        let public = framed(&[b"ssh-ed25519", pair.public_key().as_ref()]);
        let wrapped = framed(&[b"ssh-ed25519", bytes.as_ref()]);
        let blob =
            [b"SSHSIG\0\0\0\x01".to_vec(), framed(&[&public, namespace, b"", b"sha512", &wrapped])].concat();
        format!(
            "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
            Base64::encode_string(&blob)
        )
    }

    fn approver(pair: &Ed25519KeyPair) -> Approver {
        let blob = framed(&[b"ssh-ed25519", pair.public_key().as_ref()]);
        let line = format!("ssh-ed25519 {}", Base64::encode_string(&blob));
        Approver { public_key: line.try_into().unwrap() }
    }

    #[test]
    fn only_the_approvers_own_word_for_this_plan_counts() {
        let pair = |n: u8| Ed25519KeyPair::from_seed_unchecked(&[n; 32]).unwrap();
        let (ann, eve) = (pair(1), pair(2));
        let approvers = BTreeMap::from([("ann".parse().unwrap(), approver(&ann))]);
        let line = Word::Approve.line("abc");
        let good = sign(&ann, b"keywheel", &line);
        assert_eq!(signer(&good, &line, &approvers).map(Name::as_str), Ok("ann"));
        for (text, message, why) in [
            (good.clone(), Word::Ack.line("abc"), SignatureError::Unfit),
            (good.clone(), Word::Approve.line("abd"), SignatureError::Unfit),
            (sign(&eve, b"keywheel", &line), line.clone(), SignatureError::Stranger),
            (sign(&ann, b"git", &line), line.clone(), SignatureError::Namespace),
            (good.replace("U1NIU0lH", "U1NIU0lI"), line.clone(), SignatureError::Form),
            (
                "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----".into(),
                line.clone(),
                SignatureError::Form,
            ),
            (String::new(), line.clone(), SignatureError::Form),
        ] {
            assert_eq!(signer(&text, &message, &approvers), Err(why), "{why}");
        }
        // Cut anywhere it is refused, and nothing panics.
        let blob = unarmour(&good).unwrap();
        assert!((0..blob.len()).all(|n| Signature::parse(&blob[..n]).is_none()));
    }
}
