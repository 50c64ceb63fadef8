//! CRC-32 (IEEE) in the many spellings that issuers use: what it covers and how it is written.

use super::bytes::{BASE62 as DIGITS62, BASE64, base64_encode, digits};
use super::{Checksum, Verdict, put};
use std::ops::Range;

/// One family. `covers` gets the value without the checksum's characters and returns the part of
/// it that is summed, or nothing where the value has another form.
pub(super) struct Crc {
    name: &'static str,
    proved: bool,
    width: usize,
    covers: fn(&[u8]) -> Option<&[u8]>,
    /// A prefix that the issuer may have put in front after summing.
    late_prefix: &'static [u8],
    write: fn(u32) -> Vec<u8>,
}

/// GitHub and npm: the 30 characters after the underscore.
pub(super) static BASE62: Crc = Crc {
    name: "crc32-base62",
    proved: true,
    width: 6,
    covers: |rest| after_underscore(rest).filter(|body| body.len() == 30),
    late_prefix: b"",
    write: |sum| digits(sum, DIGITS62, 6),
};

/// Cloudflare and Zuplo: the body alone, without the underscores around it.
pub(super) static HEX_BODY: Crc = Crc {
    name: "crc32-hex-body",
    proved: true,
    width: 8,
    covers: |rest| {
        let start = rest.iter().position(|&b| b == b'_')? + 1;
        let body = &rest[start..];
        Some(body.strip_suffix(b"_").unwrap_or(body)).filter(|body| !body.is_empty())
    },
    late_prefix: b"",
    write: |sum| format!("{sum:08x}").into_bytes(),
};

/// Grafana: everything before the last underscore, prefix included; the bytes of the sum reversed.
pub(super) static HEX_LE_PREFIXED: Crc = Crc {
    name: "crc32-hex-le-prefixed",
    proved: true,
    width: 8,
    covers: before_underscore,
    late_prefix: b"",
    write: |sum| format!("{:08x}", sum.swap_bytes()).into_bytes(),
};

/// GitLab's routable tokens: everything before, down to the two characters of the length.
pub(super) static GITLAB_ROUTABLE: Crc = Crc {
    name: "gitlab-routable",
    proved: true,
    width: 7,
    covers: |rest| {
        let dot = rest.len().checked_sub(3)?;
        (rest[dot] == b'.').then_some(rest)
    },
    late_prefix: b"glrt-",
    write: |sum| digits(sum, b"0123456789abcdefghijklmnopqrstuvwxyz", 7),
};

/// Atlassian and Bitbucket: everything before, prefix and `=` included.
pub(super) static HEX_UPPER_PREFIXED: Crc = Crc {
    name: "crc32-hex-upper-prefixed",
    proved: true,
    width: 8,
    covers: |rest| rest.ends_with(b"=").then_some(rest),
    late_prefix: b"",
    write: |sum| format!("{sum:08X}").into_bytes(),
};

/// Matrix Synapse: everything before the last underscore. Known from the server's source only.
pub(super) static SYNAPSE: Crc = Crc {
    name: "synapse",
    proved: false,
    width: 6,
    covers: before_underscore,
    late_prefix: b"",
    write: |sum| digits(sum, DIGITS62, 6),
};

/// Confluent: the 54 characters after `cflt`; the base64 of the reversed bytes, without padding.
pub(super) static CONFLUENT: Crc = Crc {
    name: "confluent",
    proved: true,
    width: 6,
    covers: |rest| rest.strip_prefix(b"cflt").filter(|body| body.len() == 54),
    late_prefix: b"",
    write: |sum| base64_encode(&sum.to_le_bytes(), BASE64, false),
};

fn after_underscore(rest: &[u8]) -> Option<&[u8]> {
    rest.iter().rposition(|&b| b == b'_').map(|at| &rest[at + 1..])
}

fn before_underscore(rest: &[u8]) -> Option<&[u8]> {
    rest.strip_suffix(b"_").filter(|head| !head.is_empty())
}

impl Crc {
    fn sum(&self, rest: &[u8]) -> Option<Vec<u8>> {
        (self.covers)(rest).map(|covered| (self.write)(crc32fast::hash(covered)))
    }
}

impl Checksum for Crc {
    fn name(&self) -> &'static str {
        self.name
    }

    fn proved(&self) -> bool {
        self.proved
    }

    fn width(&self) -> usize {
        self.width
    }

    fn verify(&self, secret: &[u8]) -> Verdict {
        let Some((rest, claimed)) =
            secret.len().checked_sub(self.width).and_then(|at| secret.split_at_checked(at))
        else {
            return Verdict::NotApplicable;
        };
        let Some(sum) = self.sum(rest) else { return Verdict::NotApplicable };
        let bare = rest.strip_prefix(self.late_prefix).filter(|_| !self.late_prefix.is_empty());
        let holds = sum == claimed || bare.and_then(|bare| self.sum(bare)).is_some_and(|sum| sum == claimed);
        Verdict::of(holds)
    }

    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, _seed: u64) {
        let rest = hole.end.checked_sub(self.width).and_then(|at| secret.get(..at));
        if let Some(sum) = rest.and_then(|rest| self.sum(rest)) {
            put(secret, &hole, &sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::Draw;
    use super::*;

    /// Void samples of documentation and of an issuer's tests, in pieces. `crc32-hex-body`,
    /// `confluent` and `crc32-hex-upper-prefixed` were reproduced on samples of peers' tests, which
    /// are not repeated here, because nobody says that those keys are void.
    const PUBLISHED: &[(&Crc, &[&str])] = &[
        (&BASE62, &["ghp", "_", "zQWBuTSOoRi4A9s", "pHcVY5ncnsDkxkJ", "0mLq17"]),
        (&HEX_LE_PREFIXED, &["glsa", "_", "iNValIdinValiDin", "validinvalidinva", "_", "5b582697"]),
    ];

    #[test]
    fn published_samples_hold_and_altered_ones_fail() {
        for (crc, pieces) in PUBLISHED {
            let mut sample = pieces.concat().into_bytes();
            assert_eq!(crc.verify(&sample), Verdict::Holds, "{} {pieces:?}", crc.name);
            let at = sample.len() - 20;
            sample[at] ^= 1;
            assert_eq!(crc.verify(&sample), Verdict::Fails, "{} {pieces:?}", crc.name);
        }
    }

    #[test]
    fn the_checksum_is_filled_from_the_rest() {
        let cases: &[(&Crc, &str, usize, &str)] = &[
            (&BASE62, "npm_", 30, ""),
            (&HEX_BODY, "cfut_", 40, ""),
            (&HEX_BODY, "zpka_", 32, "_"),
            (&HEX_LE_PREFIXED, "glsa_", 32, "_"),
            (&GITLAB_ROUTABLE, "glpat-", 27, ".0r"),
            (&GITLAB_ROUTABLE, "glrt-t1_", 27, ".01.0r"),
            (&HEX_UPPER_PREFIXED, "ATATT3xFfGF0", 171, "="),
            (&SYNAPSE, "syt_dGVzdGVy_", 20, "_"),
            (&CONFLUENT, "cflt", 54, ""),
        ];
        for (crc, prefix, n, suffix) in cases {
            let mut draw = Draw::new(crc.width as u64);
            for _ in 0..50 {
                let mut secret = prefix.as_bytes().to_vec();
                secret.extend(draw.text(DIGITS62, *n));
                secret.extend_from_slice(suffix.as_bytes());
                let start = secret.len();
                secret.extend(vec![b'?'; crc.width]);
                assert_eq!(crc.verify(&secret), Verdict::Fails, "{}", crc.name);
                let end = secret.len();
                crc.fill(&mut secret, start..end, 0);
                assert_eq!(crc.verify(&secret), Verdict::Holds, "{}", crc.name);
            }
        }
    }

    #[test]
    fn other_forms_are_not_judged() {
        let cases: &[(&Crc, &str)] = &[
            (&BASE62, "ghs_tooshort0mLq17"),
            (&BASE62, "nounderscore"),
            (&HEX_BODY, "nounderscore"),
            (&HEX_LE_PREFIXED, "nounderscorebefore5b582697"),
            (&GITLAB_ROUTABLE, "glpat-without-dots-00000000"),
            (&HEX_UPPER_PREFIXED, "ATATT3noequalssign5b582697"),
            (&CONFLUENT, "cflt-short"),
        ];
        for (crc, value) in cases {
            assert_eq!(crc.verify(value.as_bytes()), Verdict::NotApplicable, "{value}");
        }
    }
}
