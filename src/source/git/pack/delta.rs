//! Deltas: how a blob is made of pieces of another and of bytes of its own.

/// The sizes in a delta's head: of the base and of the result, and where the head ends.
pub fn sizes(delta: &[u8]) -> Option<(u64, u64, usize)> {
    let (base, used) = varint(delta)?;
    let (result, more) = varint(&delta[used..])?;
    Some((base, result, used + more))
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, &b) in bytes.iter().enumerate().take(9) {
        value |= u64::from(b & 0x7f) << (7 * i);
        if b & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// Applies a delta: `out` becomes the result.
///
/// # Errors
/// What does not fit, in words; `out` is then worth nothing.
pub fn apply(base: &[u8], delta: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    out.clear();
    let (base_len, result_len, mut at) = sizes(delta).ok_or("its delta has no head")?;
    if base_len != base.len() as u64 {
        return Err("its delta is made for another base");
    }
    let result_len = usize::try_from(result_len).map_err(|_| "its delta makes more than memory holds")?;
    // What a delta claims is trusted no further than it shows.
    out.reserve(result_len.min(base.len() + delta.len() + (1 << 20)));
    while let Some(&op) = delta.get(at) {
        at += 1;
        if op & 0x80 != 0 {
            let mut field = |bits: std::ops::Range<u32>| {
                let mut value = 0usize;
                for (i, bit) in bits.enumerate() {
                    if op & (1 << bit) != 0 {
                        value |= usize::from(*delta.get(at)?) << (8 * i);
                        at += 1;
                    }
                }
                Some(value)
            };
            let from = field(0..4).ok_or("its delta ends early")?;
            let len = match field(4..7).ok_or("its delta ends early")? {
                0 => 0x10000,
                len => len,
            };
            let piece = base.get(from..from + len).ok_or("its delta copies from outside of the base")?;
            if out.len() + len > result_len {
                return Err("its delta makes more than it says");
            }
            out.extend_from_slice(piece);
        } else if op != 0 {
            let own = delta.get(at..at + usize::from(op)).ok_or("its delta ends early")?;
            if out.len() + own.len() > result_len {
                return Err("its delta makes more than it says");
            }
            out.extend_from_slice(own);
            at += own.len();
        } else {
            return Err("its delta holds an unknown instruction");
        }
    }
    if out.len() == result_len { Ok(()) } else { Err("its delta makes less than it says") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut out = Vec::new();
        apply(base, delta, &mut out).map(|()| out)
    }

    #[test]
    fn pieces_are_copied_and_inserted() {
        // "hello world" → "hello, world": copy 5, insert ",", copy 2, copy 4.
        let delta = [11, 12, 0x90, 5, 1, b',', 0x91, 5, 2, 0x91, 7, 4];
        assert_eq!(applied(b"hello world", &delta).unwrap(), b"hello, world");
    }

    #[test]
    fn a_length_of_zero_is_64_kib() {
        let base = vec![b'x'; 0x10001];
        let delta = [0x81, 0x80, 4, 0x80, 0x80, 4, 0x80];
        assert_eq!(applied(&base, &delta).unwrap().len(), 0x10000);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for delta in [
            &[][..],
            &[0x80; 12],
            &[2, 1, 0x90, 1],
            &[1, 5, 0x90, 2],
            &[1, 1, 0x91, 1, 1],
            &[1, 1, 0x91],
            &[1, 1, 3, b'a'],
            &[1, 1, 2, b'a', b'b'],
            &[1, 1, 0],
            &[1, 9, 1, b'a'],
            &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, b'a'],
        ] {
            assert!(applied(b"a", delta).is_err(), "{delta:?}");
        }
    }
}
