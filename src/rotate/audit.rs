//! The audit: entries chained and authenticated under a key outside the database.

use super::seal::{Keyring, SealError, hex};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One entry. What happened is JSON without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number, from 1, without gaps.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The rotation; 0 for what concerns none.
    pub rotation: i64,
    /// What happened.
    pub body: String,
    /// Id of the master key.
    pub key: String,
    /// HMAC-SHA-256 over all of this and the entry before, in hexadecimal digits.
    pub mac: String,
}

/// The newest entry. Kept elsewhere, it shows a rewritten or shortened audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the newest entry; 0 for none.
    pub seq: u64,
    /// Its MAC.
    pub mac: String,
}

/// What is wrong with an audit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// An entry was changed, moved or put in.
    #[error("audit entry {0} was changed, moved or put in")]
    Changed(u64),
    /// An entry is missing.
    #[error("audit entry {0} is missing")]
    Missing(u64),
    /// The exported head names an entry that is not there any more.
    #[error("the audit ends at entry {have}; the exported head names entry {want}")]
    Truncated {
        /// The last that is there.
        have: u64,
        /// The one that the head names.
        want: u64,
    },
    /// The chain holds, but it is not the one whose head was exported.
    #[error("the audit was rewritten: entry {0} is not the one whose head was exported")]
    Rewritten(u64),
    /// The key that authenticates an entry is not at hand.
    #[error(transparent)]
    Key(#[from] SealError),
}

/// The MAC of an entry that follows one with the MAC `before`.
pub(super) fn mac(ring: &Keyring, entry: &Entry, before: &str) -> Result<String, SealError> {
    let parts: [&[u8]; 6] = [
        &entry.seq.to_be_bytes(),
        &entry.at.to_be_bytes(),
        &entry.rotation.to_be_bytes(),
        entry.body.as_bytes(),
        entry.key.as_bytes(),
        before.as_bytes(),
    ];
    Ok(hex(&ring.audit(&entry.key, &parts)?))
}

/// Checks a whole chain, against an exported head if there is one, and gives its own head.
///
/// # Errors
/// The first [`AuditFault`].
pub fn verify(
    ring: &Keyring,
    entries: impl IntoIterator<Item = Entry>,
    exported: Option<&Head>,
) -> Result<Head, AuditFault> {
    let mut head = Head { seq: 0, mac: String::new() };
    for entry in entries {
        if entry.seq > head.seq + 1 {
            return Err(AuditFault::Missing(head.seq + 1));
        }
        if entry.seq != head.seq + 1 || mac(ring, &entry, &head.mac)? != entry.mac {
            return Err(AuditFault::Changed(entry.seq));
        }
        if exported.is_some_and(|e| e.seq == entry.seq && e.mac != entry.mac) {
            return Err(AuditFault::Rewritten(entry.seq));
        }
        head = Head { seq: entry.seq, mac: entry.mac };
    }
    match exported {
        Some(want) if want.seq > head.seq => Err(AuditFault::Truncated { have: head.seq, want: want.seq }),
        _ => Ok(head),
    }
}

impl fmt::Display for Head {
    /// `kwa1:<number>:<mac>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kwa1:{}:{}", self.seq, self.mac)
    }
}

/// A text that is no head of an audit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a head of an audit reads `kwa1:<number>:<64 hexadecimal digits>`")]
pub struct NoHead;

impl FromStr for Head {
    type Err = NoHead;
    fn from_str(text: &str) -> Result<Head, NoHead> {
        let (seq, mac) = text.trim().strip_prefix("kwa1:").and_then(|t| t.split_once(':')).ok_or(NoHead)?;
        let seq: u64 = seq.parse().map_err(|_| NoHead)?;
        let digits = mac.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !digits || mac.len() != if seq == 0 { 0 } else { 64 } {
            return Err(NoHead);
        }
        Ok(Head { seq, mac: mac.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(ring: &Keyring, n: u64) -> Vec<Entry> {
        let mut before = String::new();
        (1..=n)
            .map(|seq| {
                let body = format!("{{\"n\":{seq}}}");
                let mut entry =
                    Entry { seq, at: 5, rotation: 1, body, key: ring.id().to_owned(), mac: String::new() };
                entry.mac = mac(ring, &entry, &before).unwrap();
                before = entry.mac.clone();
                entry
            })
            .collect()
    }

    #[test]
    fn edits_deletions_reordering_and_truncation_are_seen() {
        let ring = Keyring::new(&[9; 32]).unwrap();
        let good = chain(&ring, 5);
        let head = verify(&ring, good.clone(), None).unwrap();
        assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
        assert_eq!(verify(&ring, good.clone(), Some(&head)).unwrap(), head);

        type Edit = fn(&mut Vec<Entry>);
        let cases: [(Edit, AuditFault); 8] = [
            (|c| c[2].body.push(' '), AuditFault::Changed(3)),
            (|c| c[2].at += 1, AuditFault::Changed(3)),
            (|c| c[2].rotation += 1, AuditFault::Changed(3)),
            (|c| drop(c.remove(2)), AuditFault::Missing(3)),
            (|c| c.swap(1, 2), AuditFault::Missing(2)),
            (|c| c.insert(2, c[1].clone()), AuditFault::Changed(2)),
            (|c| c.truncate(3), AuditFault::Truncated { have: 3, want: 5 }),
            (|c| c.clear(), AuditFault::Truncated { have: 0, want: 5 }),
        ];
        for (edit, fault) in cases {
            let mut bent = good.clone();
            edit(&mut bent);
            assert_eq!(verify(&ring, bent, Some(&head)), Err(fault));
        }
        // Deleting one and numbering the rest anew breaks the chain there.
        let mut bent = good.clone();
        bent.remove(2);
        bent[2].seq = 3;
        assert_eq!(verify(&ring, bent, None), Err(AuditFault::Changed(3)));
        // Somebody with the key can rewrite, but not so that the exported head agrees.
        let mut other = chain(&ring, 6);
        other[4].body = "{}".into();
        let mut before = other[3].mac.clone();
        for entry in &mut other[4..] {
            entry.mac = mac(&ring, entry, &before).unwrap();
            before = entry.mac.clone();
        }
        assert_eq!(verify(&ring, other, Some(&head)), Err(AuditFault::Rewritten(5)));
        assert!(matches!(verify(&Keyring::new(&[8; 32]).unwrap(), good, None), Err(AuditFault::Key(_))));
    }

    #[test]
    fn only_a_whole_head_is_read() {
        for text in ["", "kwa1:1:abc", "kwa1:x:", "kwa2:0:", "kwa1:0:00"] {
            assert_eq!(text.parse::<Head>(), Err(NoHead), "{text}");
        }
        assert!("kwa1:0:".parse::<Head>().is_ok());
    }
}
