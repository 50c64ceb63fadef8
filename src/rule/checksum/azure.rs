//! Azure's identifiable keys: base64 with the service's four letters near the end and a Marvin32
//! of all before it in the last four bytes.

use super::bytes::{BASE62, BASE64, BASE64_URL, Draw, base64_decode, base64_encode};
use super::marvin::{marvin32, seed};
use super::{Checksum, Verdict};
use std::ops::Range;

/// The keys of one service.
pub(super) struct Key {
    name: &'static str,
    proved: bool,
    /// Decoded length: the offset of the signature and of the checksum follow from it.
    bytes: usize,
    signature: &'static [u8; 4],
    url: bool,
    /// Whether the service only issues keys without `+`, `/`, `-` and `_`.
    plain: bool,
    /// One seed for each kind of key; any may hold.
    seeds: &'static [u64],
}

const fn key(name: &'static str, bytes: usize, signature: &'static [u8; 4], seeds: &'static [u64]) -> Key {
    Key { name, proved: true, bytes, signature, url: false, plain: false, seeds }
}

/// Service Bus, Event Hubs and Relay name their keys alike.
const MESSAGING: &[u64] =
    &[seed(b"Send0000"), seed(b"Manage00"), seed(b"Listen00"), seed(b"System00"), seed(b"Unknown0")];

pub(super) static STORAGE: Key = key("azure-marvin-storage", 64, b"+ASt", &[seed(b"Default0")]);
pub(super) static COSMOS: Key = key(
    "azure-marvin-cosmos",
    64,
    b"ACDb",
    &[
        seed(b"MastRW00"),
        seed(b"MastRO00"),
        seed(b"SystRW00"),
        seed(b"SystRO00"),
        seed(b"SysAll00"),
        seed(b"Resour00"),
        seed(b"Encryp00"),
    ],
);
pub(super) static BATCH: Key = key("azure-marvin-batch", 64, b"+ABa", &[seed(b"AbAcct00")]);
pub(super) static ML: Key = key("azure-marvin-ml", 64, b"+AMC", &[seed(b"Classic0")]);
pub(super) static APIM: Key = key(
    "azure-marvin-apim",
    64,
    b"APIM",
    &[seed(b"IoTHub00"), seed(b"Tenant00"), seed(b"Gatewy00"), seed(b"GitKey00")],
);
pub(super) static SERVICE_BUS: Key = key("azure-marvin-service-bus", 32, b"+ASb", MESSAGING);
pub(super) static EVENT_HUB: Key = key("azure-marvin-event-hub", 32, b"+AEh", MESSAGING);
pub(super) static RELAY: Key = key("azure-marvin-relay", 32, b"+ARm", MESSAGING);
pub(super) static IOT: Key =
    key("azure-marvin-iot", 32, b"AIoT", &[seed(b"IoTHub00"), seed(b"DpsKey00"), seed(b"Device00")]);
pub(super) static REDIS: Key =
    Key { plain: true, ..key("azure-marvin-redis", 32, b"AzCa", &[seed(b"Access00")]) };
/// The issuer's scanner and its tests disagree about the seed, so neither is taken as proved.
pub(super) static EVENT_GRID: Key = Key {
    proved: false,
    ..key("azure-marvin-event-grid", 32, b"AZEG", &[seed(b"SendRecv"), seed(b"Default0")])
};
pub(super) static CONTAINER_REGISTRY: Key =
    key("azure-marvin-container-registry", 39, b"+ACR", &[seed(b"ACRDflt0")]);
pub(super) static SEARCH: Key =
    Key { plain: true, ..key("azure-marvin-search", 39, b"AzSe", &[seed(b"PAdmin00"), seed(b"Query000")]) };
pub(super) static FUNCTION: Key = Key {
    url: true,
    ..key("azure-marvin-function", 40, b"AzFu", &[seed(b"Functi00"), seed(b"Master00"), seed(b"System00")])
};

impl Key {
    fn alphabet(&self) -> &'static [u8; 64] {
        if self.url { BASE64_URL } else { BASE64 }
    }

    /// Characters before the signature. The four checksum bytes begin in the character after it,
    /// whose leading bits the issuer keeps at zero.
    fn head(&self) -> usize {
        (self.bytes - 4) * 8 / 6 - 4
    }

    fn length(&self) -> usize {
        self.bytes.div_ceil(3) * 4
    }

    /// `head` and the signature, closed by the checksum under `seed`.
    fn close(&self, head: &[u8], seed: u64) -> Option<Vec<u8>> {
        let mut text = head.to_vec();
        text.extend_from_slice(self.signature);
        text.resize(self.length(), b'A');
        let mut bytes = base64_decode(&text)?;
        bytes.truncate(self.bytes);
        let at = self.bytes - 4;
        let sum = marvin32(&bytes[..at], seed);
        bytes[at..].copy_from_slice(&sum.to_le_bytes());
        Some(base64_encode(&bytes, self.alphabet(), true))
    }
}

impl Checksum for Key {
    fn name(&self) -> &'static str {
        self.name
    }

    fn proved(&self) -> bool {
        self.proved
    }

    fn width(&self) -> usize {
        self.length() - self.head() - 4
    }

    fn makes_whole(&self) -> bool {
        true
    }

    fn verify(&self, secret: &[u8]) -> Verdict {
        let Some(bytes) = base64_decode(secret).filter(|b| b.len() == self.bytes) else {
            return Verdict::NotApplicable;
        };
        let (body, claimed) = bytes.split_at(self.bytes - 4);
        Verdict::of(self.seeds.iter().any(|&seed| marvin32(body, seed).to_le_bytes() == claimed))
    }

    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, seed: u64) {
        let mut draw = Draw::new(seed);
        let alphabet: &[u8] = if self.plain { BASE62 } else { self.alphabet() };
        let with = self.seeds[draw.below(self.seeds.len())];
        let given = secret.get(..self.head()).filter(|_| hole.start > 0).map(<[u8]>::to_vec);
        // Where the alphabet is narrower than base64, one draw in a few ends inside it.
        for attempt in 0..10_000 {
            let mut head = given.clone().unwrap_or_else(|| draw.text(alphabet, self.head()));
            if attempt > 0 && given.is_some() {
                head[..4].copy_from_slice(&draw.text(alphabet, 4));
            }
            let Some(made) = self.close(&head, with) else { return };
            let plain = made.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'=');
            if plain || !self.plain {
                *secret = made;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the issuer's own published tests: a repeated letter, the signature, the sum.
    const PUBLISHED: &[(&Key, &str, usize, &str)] = &[
        (&STORAGE, "a", 76, "5mnCaw=="),
        (&COSMOS, "a", 76, "OpqrYA=="),
        (&BATCH, "a", 76, "13FZVQ=="),
        (&ML, "a", 76, "FNqWyA=="),
        (&APIM, "a", 76, "HbKhsQ=="),
        (&EVENT_HUB, "a", 33, "G2s/8w="),
        (&RELAY, "a", 33, "D7h+qo="),
        (&SERVICE_BUS, "a", 33, "HpHeAI="),
        (&IOT, "a", 33, "Oumzco="),
        (&EVENT_GRID, "b", 33, "LiQbng="),
        (&SEARCH, "a", 42, "CjhzCu"),
        (&CONTAINER_REGISTRY, "d", 42, "CUDxQE"),
        (&FUNCTION, "d", 44, "182vhA=="),
    ];

    #[test]
    fn published_values_hold_and_altered_ones_fail() {
        for (key, letter, n, sum) in PUBLISHED {
            let signature = String::from_utf8_lossy(key.signature);
            let mut value = format!("{}{signature}{sum}", letter.repeat(*n)).into_bytes();
            assert_eq!(key.verify(&value), Verdict::Holds, "{}", key.name);
            value[3] = b'z';
            assert_eq!(key.verify(&value), Verdict::Fails, "{}", key.name);
            assert_eq!(key.verify(&value[4..]), Verdict::NotApplicable, "{}", key.name);
        }
    }

    #[test]
    fn every_seed_of_a_service_holds() {
        for key in [&COSMOS, &APIM, &RELAY, &IOT, &SEARCH, &FUNCTION] {
            for &seed in key.seeds {
                let made = key.close(&vec![b'Q'; key.head()], seed).unwrap();
                assert_eq!(key.verify(&made), Verdict::Holds, "{}", key.name);
            }
        }
    }

    #[test]
    fn a_given_body_is_kept_where_the_alphabet_allows() {
        for key in [&STORAGE, &IOT, &REDIS, &SEARCH, &FUNCTION] {
            let mut draw = Draw::new(3);
            let mut secret = draw.text(BASE62, key.head());
            let body = secret[8..].to_vec();
            secret.extend_from_slice(key.signature);
            let start = secret.len();
            secret.extend(vec![b'0'; key.width()]);
            let end = secret.len();
            key.fill(&mut secret, start..end, 5);
            assert_eq!(key.verify(&secret), Verdict::Holds, "{}", key.name);
            assert_eq!(secret.len(), key.length());
            assert_eq!(&secret[8..key.head()], &body[..]);
            assert_eq!(&secret[key.head()..start], key.signature);
            assert!(!key.plain || secret.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'='));
        }
    }
}
