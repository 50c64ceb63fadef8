//! Checksums that issuers build into their credentials.
//!
//! Every algorithm is a named entry of [`ALL`]; a rule file uses it by that name.

mod azure;
mod azure_devops;
mod base58;
mod bech32;
mod bip39;
pub(crate) mod bytes;
mod common_annotated;
mod crates_io;
mod crc;
mod entra;
mod marvin;
mod openpgp;

use std::ops::Range;

/// What an algorithm says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The checksum is right: no accident of that length.
    Holds,
    /// The checksum is wrong: mistyped, altered or made up.
    Fails,
    /// The value has no form that the algorithm covers, so nothing follows.
    NotApplicable,
}

impl Verdict {
    fn of(holds: bool) -> Self {
        if holds { Verdict::Holds } else { Verdict::Fails }
    }
}

/// A checksum algorithm over the whole text of a credential.
pub trait Checksum: Sync {
    /// The name by which rule files use it.
    fn name(&self) -> &'static str;

    /// Whether it was reproduced on published samples, so that a failure may drop a match.
    fn proved(&self) -> bool;

    /// Characters that `{checksum}` stands for in an example; 0 when the checksum cannot be told
    /// apart from the body, so that `{checksum}` is the whole secret.
    fn width(&self) -> usize;

    /// Whether [`fill`](Checksum::fill) can make up a whole value.
    fn makes_whole(&self) -> bool {
        self.width() == 0
    }

    /// Recomputes the checksum of `secret`.
    fn verify(&self, secret: &[u8]) -> Verdict;

    /// Makes `secret` valid by writing the characters of `hole`. A hole that is the whole of
    /// `secret` asks for a made-up body as well, drawn from `seed`. A few algorithms also redraw
    /// characters before the hole, where the checksum would leave the credential's alphabet.
    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, seed: u64);
}

/// Every algorithm, in the order in which they are listed.
pub const ALL: &[&dyn Checksum] = &[
    &crc::BASE62,
    &crc::HEX_BODY,
    &crc::HEX_LE_PREFIXED,
    &crc::GITLAB_ROUTABLE,
    &crc::HEX_UPPER_PREFIXED,
    &crc::SYNAPSE,
    &crc::CONFLUENT,
    &crates_io::CratesIo,
    &base58::Base58Check,
    &bech32::Age,
    &openpgp::Crc24,
    &bip39::Bip39,
    &azure_devops::AzureDevOps,
    &entra::Entra,
    &azure::STORAGE,
    &azure::COSMOS,
    &azure::BATCH,
    &azure::ML,
    &azure::APIM,
    &azure::SERVICE_BUS,
    &azure::EVENT_HUB,
    &azure::RELAY,
    &azure::IOT,
    &azure::REDIS,
    &azure::EVENT_GRID,
    &azure::CONTAINER_REGISTRY,
    &azure::SEARCH,
    &azure::FUNCTION,
    &common_annotated::CommonAnnotated,
];

/// The algorithm of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Checksum> {
    ALL.iter().copied().find(|c| c.name() == name)
}

/// Writes `with` over the last bytes of `hole`, which every algorithm fills from its end.
fn put(secret: &mut [u8], hole: &Range<usize>, with: &[u8]) {
    let end = hole.end.min(secret.len());
    if let Some(place) = end.checked_sub(with.len()).and_then(|start| secret.get_mut(start..end)) {
        place.copy_from_slice(with);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for c in ALL {
            assert_eq!(by_name(c.name()).map(|c| c.name()), Some(c.name()));
        }
        assert!(by_name("crc33").is_none());
    }

    #[test]
    fn whole_values_are_made_up_differ_by_seed_and_break_when_a_character_changes() {
        for c in ALL.iter().filter(|c| c.makes_whole()) {
            let mut seen = BTreeSet::new();
            for seed in 0..40 {
                let mut secret = vec![b'0'; c.width()];
                let hole = 0..secret.len();
                c.fill(&mut secret, hole, seed);
                let shown = String::from_utf8_lossy(&secret).into_owned();
                assert_eq!(c.verify(&secret), Verdict::Holds, "{} made {shown}", c.name());
                assert!(seen.insert(secret.clone()), "{} repeats itself", c.name());
                let at = secret.len() / 3;
                secret[at] = if secret[at] == b'x' { b'y' } else { b'x' };
                secret[at + 1] = if secret[at + 1] == b'q' { b'p' } else { b'q' };
                assert_ne!(c.verify(&secret), Verdict::Holds, "{} altered {shown}", c.name());
            }
        }
    }

    #[test]
    fn nothing_panics_on_odd_values() {
        let long = vec![b'A'; 4000];
        let odd: &[&[u8]] =
            &[b"", b"_", b"=", b"\xff\xfe", b"a_b", b"glpat-.", b"=ABC", &long, "ключ".as_bytes()];
        for c in ALL {
            for value in odd {
                assert_ne!(c.verify(value), Verdict::Holds, "{}", c.name());
                let mut secret = value.to_vec();
                let end = secret.len();
                c.fill(&mut secret, end..end, 1);
                let mut secret = value.to_vec();
                c.fill(&mut secret, 0..end, 1);
            }
        }
    }
}
