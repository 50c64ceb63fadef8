//! The CRC-24 under an OpenPGP armour: four base64 characters after `=` on the line before END.

use super::bytes::{BASE64, Draw, base64_decode, base64_encode};
use super::{Checksum, Verdict, put};
use std::ops::Range;

/// `openpgp-crc24`.
pub(super) struct Crc24;

const WIDTH: usize = 4;

fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce_u32;
    for b in bytes {
        crc ^= u32::from(*b) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

fn written(bytes: &[u8]) -> Vec<u8> {
    base64_encode(&crc24(bytes).to_be_bytes()[1..], BASE64, false)
}

/// The decoded body and the checksum's characters, if both are there. Headers end at an empty
/// line; a line of armour is base64 and nothing else.
fn parts(block: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut lines = block.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| line.starts_with(b"-----BEGIN PGP "))?;
    lines.find(|line| line.is_empty())?;
    let mut body = Vec::new();
    for line in lines {
        match line.strip_prefix(b"=") {
            Some(sum) if sum.len() == WIDTH => return base64_decode(&body).map(|bytes| (bytes, sum)),
            _ if line.starts_with(b"-----END") => return None,
            _ => body.extend_from_slice(line),
        }
    }
    None
}

impl Checksum for Crc24 {
    fn name(&self) -> &'static str {
        "openpgp-crc24"
    }

    fn proved(&self) -> bool {
        true
    }

    fn width(&self) -> usize {
        WIDTH
    }

    fn makes_whole(&self) -> bool {
        true
    }

    fn verify(&self, secret: &[u8]) -> Verdict {
        parts(secret)
            .map_or(Verdict::NotApplicable, |(bytes, claimed)| Verdict::of(written(&bytes) == claimed))
    }

    fn fill(&self, secret: &mut Vec<u8>, hole: Range<usize>, seed: u64) {
        if hole.start == 0 {
            let bytes = Draw::new(seed).bytes(48 * 8);
            let edge = |word: &str| format!("-----{word} PGP {} KEY BLOCK-----", "PRIVATE").into_bytes();
            *secret = edge("BEGIN");
            secret.extend_from_slice(b"\n\n");
            for line in base64_encode(&bytes, BASE64, true).chunks(64) {
                secret.extend_from_slice(line);
                secret.push(b'\n');
            }
            secret.push(b'=');
            secret.extend(written(&bytes));
            secret.push(b'\n');
            secret.extend(edge("END"));
            return;
        }
        if let Some((bytes, _)) = parts(secret) {
            put(secret, &hole, &written(&bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_standard_holds() {
        assert_eq!(crc24(b"123456789"), 0x0021_cf02);
        assert_eq!(crc24(b""), 0x00b7_04ce);
    }

    #[test]
    fn headers_line_ends_and_missing_sums_are_read() {
        let mut block = Vec::new();
        Crc24.fill(&mut block, 0..0, 4);
        let text = String::from_utf8(block).unwrap();
        let with_header = text.replacen("-----\n\n", "-----\nVersion: x\nComment: y\n\n", 1);
        assert_eq!(Crc24.verify(with_header.as_bytes()), Verdict::Holds);
        assert_eq!(Crc24.verify(with_header.replace('\n', "\r\n").as_bytes()), Verdict::Holds);
        let at = text.rfind("\n=").unwrap();
        let without = format!("{}{}", &text[..at], &text[at + 6..]);
        assert_eq!(Crc24.verify(without.as_bytes()), Verdict::NotApplicable);
        let mut holed = text.clone().into_bytes();
        holed[at + 2..at + 6].copy_from_slice(b"AAAA");
        assert_eq!(Crc24.verify(&holed), Verdict::Fails);
        Crc24.fill(&mut holed, at + 2..at + 6, 0);
        assert_eq!(holed, text.into_bytes());
    }
}
