//! Digits, alphabets and a seeded source of characters, shared by the algorithms and the examples.

/// `A-Z a-z 0-9 + /`.
pub(crate) const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// `A-Z a-z 0-9 - _`.
pub(crate) const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Digits, then upper case, then lower case: the order in which base-62 checksums count.
pub(crate) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A small seeded generator (SplitMix64): the same seed gives the same characters everywhere.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Draw(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; the bias of the multiplication is far below anything that matters here.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// `n` characters of `alphabet`.
    pub(crate) fn text(&mut self, alphabet: &[u8], n: usize) -> Vec<u8> {
        (0..n).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

/// `value` in the base of `alphabet`, most significant digit first, padded on the left to `width`.
pub(crate) fn digits(mut value: u32, alphabet: &[u8], width: usize) -> Vec<u8> {
    let base = alphabet.len() as u32;
    let mut out = vec![alphabet[0]; width];
    for place in out.iter_mut().rev() {
        *place = alphabet[(value % base) as usize];
        value /= base;
    }
    out
}

fn sextet(b: u8) -> Option<u32> {
    Some(u32::from(match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

/// Decodes base64 of either alphabet, padded or not; leftover bits are dropped.
pub(crate) fn base64_decode(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|&b| b != b'=').map_or(0, |i| i + 1);
    if text.len() - end > 2 || end % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(end * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for &b in &text[..end] {
        bits = bits << 6 | sextet(b)?;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

/// Encodes in base64 of the given alphabet.
pub(crate) fn base64_encode(bytes: &[u8], alphabet: &[u8; 64], pad: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            if i <= group.len() {
                out.push(alphabet[(bits >> (18 - 6 * i) & 63) as usize]);
            } else if pad {
                out.push(b'=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_there_and_back() {
        let mut draw = Draw::new(7);
        for n in 0..60 {
            let bytes = draw.bytes(n);
            for (alphabet, pad) in [(BASE64, true), (BASE64, false), (BASE64_URL, true), (BASE64_URL, false)]
            {
                let text = base64_encode(&bytes, alphabet, pad);
                assert_eq!(base64_decode(&text).as_deref(), Some(&bytes[..]));
            }
        }
        assert_eq!(base64_encode(b"light w", BASE64, true), b"bGlnaHQgdw==");
        for bad in [&b"A"[..], b"AAAAA", b"AA*A", b"AA==="] {
            assert_eq!(base64_decode(bad), None);
        }
    }

    #[test]
    fn digits_are_padded_and_in_order() {
        assert_eq!(digits(0, BASE62, 6), b"000000");
        assert_eq!(digits(61 * 62 + 10, BASE62, 4), b"00zA");
        assert_eq!(digits(u32::MAX, BASE62, 6), b"4gfFC3");
    }
}
