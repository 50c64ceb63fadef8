//! gzip inside a textual layer.

use super::View;
use super::base64::SHORTEST;
use crate::model::Encoding;
use flate2::read::GzDecoder;
use std::io::{ErrorKind, Read};
use std::ops::Range;

/// The most that is unpacked of one piece, and the most that is read of it.
const LARGEST: usize = 4 << 20;

/// The most that a packed byte may become.
const RATIO: usize = 200;

/// The packed bytes within which a sound stream has shown its first text.
const PROBE: usize = 512;

/// Whether the beginning of `packed` unpacks to anything. Without this look, a file of false
/// beginnings would have each of them decoded to the file's end.
pub(super) fn sound(packed: impl Iterator<Item = u8>) -> bool {
    let (bytes, damaged) = unpack(packed.take(PROBE));
    bytes.len() >= SHORTEST && !damaged
}

/// Unpacks `packed` as far as it is sound and within bounds.
pub(super) fn inflate(packed: impl Iterator<Item = u8>) -> Vec<u8> {
    unpack(packed).0
}

/// The unpacked bytes, and whether they end because of anything but the end of the input.
fn unpack(packed: impl Iterator<Item = u8>) -> (Vec<u8>, bool) {
    let packed: Vec<u8> = packed.take(LARGEST).collect();
    let most = packed.len().saturating_mul(RATIO).min(LARGEST);
    let mut bytes = Vec::new();
    // A damaged or cut-off stream still shows its beginning.
    let read = GzDecoder::new(&packed[..]).take(most as u64).read_to_end(&mut bytes);
    (bytes, read.is_err_and(|e| e.kind() != ErrorKind::UnexpectedEof))
}

/// The view of `bytes`, unpacked from what `layer` holds in `outer`. Nobody can point at the
/// packed bytes of an unpacked one, so each stands for the whole.
pub(super) fn view(bytes: Vec<u8>, layer: Encoding, outer: Range<usize>) -> Option<View> {
    if bytes.len() < SHORTEST {
        return None;
    }
    let mut map = vec![outer.start as u32; bytes.len()];
    map.push(outer.end as u32);
    Some(View { via: vec![layer, Encoding::Gzip], bytes, outer, map })
}

#[cfg(test)]
mod tests {
    use super::super::Trigger::Run;
    use super::super::tests::{base64, view};
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_stands_for_its_whole_span() {
        let text = b"{\"release\": \"x\", \"key\": \"sk-0123456789abcdefghijklmnop\"}";
        let run = base64(&packed(text));
        let folded = run.as_bytes().chunks(36).map(|l| std::str::from_utf8(l).unwrap()).collect::<Vec<_>>();
        let digits: String = packed(text).iter().map(|b| format!("{b:02x}")).collect();
        for (run, layer) in
            [(run.clone(), Encoding::Base64), (folded.join("\n "), Encoding::Base64), (digits, Encoding::Hex)]
        {
            let hay = format!("v=\"{run}\"");
            let v = view(Run, hay.as_bytes(), 3).unwrap();
            assert_eq!((v.via.as_slice(), v.bytes.as_slice()), (&[layer, Encoding::Gzip][..], &text[..]));
            assert_eq!(v.outer_of(20..30), 3..3);
            assert_eq!(v.outer, 3..hay.len() - 1);
        }
    }

    #[test]
    fn bombs_and_damage_are_bounded() {
        let bomb = base64(&packed(&vec![b'a'; 64 << 20]));
        let v = view(Run, bomb.as_bytes(), 0).unwrap();
        assert!(v.bytes.len() <= LARGEST);
        let mut next = super::super::tests::random(3);
        let noise: Vec<u8> = (0..4000).map(|_| b' ' + (next() % 90) as u8).collect();
        let whole = base64(&packed(&noise));
        let cut = view(Run, &whole.as_bytes()[..whole.len() / 2], 0).unwrap();
        assert!(noise.starts_with(&cut.bytes) && cut.bytes.len() > 1000);
        let lie = format!("H4sIAAAAAAAAA_{}", "this_is_not_gzip_at_all_".repeat(30));
        assert!(view(Run, lie.as_bytes(), 0).is_none());
    }
}
