//! Sets of literals that are looked up by three of their bytes.

/// Nibble tables of eight buckets: a three-byte window of folded text (each byte `| 0x20`) may be
/// wanted only if some bucket allows all six of its nibbles. After Teddy, by way of Hyperscan.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    pub(super) low: [[u8; 16]; 3],
    pub(super) high: [[u8; 16]; 3],
}

impl Windows {
    /// Tables for windows of three folded bytes. Each goes into the bucket that it widens least.
    pub(super) fn new(windows: &[&[u8; 3]]) -> Self {
        let mut sorted: Vec<[u8; 3]> = windows.iter().map(|w| w.map(|b| b | 0x20)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        // For each bucket and position the sets of low and high nibbles, one bit each.
        let mut sets = [[[0u16; 2]; 3]; 8];
        let cost =
            |s: &[[u16; 2]; 3]| -> u32 { s.iter().map(|[l, h]| l.count_ones() * h.count_ones()).product() };
        for w in sorted {
            let widened = |s: &[[u16; 2]; 3]| {
                let mut s = *s;
                for (set, b) in s.iter_mut().zip(w) {
                    set[0] |= 1 << (b & 15);
                    set[1] |= 1 << (b >> 4);
                }
                s
            };
            let best = (0..8).min_by_key(|&i| cost(&widened(&sets[i])) - cost(&sets[i])).unwrap_or(0);
            sets[best] = widened(&sets[best]);
        }
        let mut out = Windows { low: [[0; 16]; 3], high: [[0; 16]; 3] };
        for (bucket, positions) in sets.iter().enumerate() {
            for (k, [low, high]) in positions.iter().enumerate() {
                for n in 0..16 {
                    out.low[k][n] |= ((low >> n & 1) as u8) << bucket;
                    out.high[k][n] |= ((high >> n & 1) as u8) << bucket;
                }
            }
        }
        out
    }
}

/// Values keyed by three bytes.
#[derive(Clone, Debug)]
pub(super) struct Keyed<T> {
    heads: Box<[u16]>,
    entries: Vec<(u32, T)>,
}

const BITS: u32 = 12;

fn slot(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

/// The first three bytes of a slice as a key.
#[inline]
pub(super) fn key(b: &[u8]) -> u32 {
    u32::from(b[0]) | u32::from(b[1]) << 8 | u32::from(b[2]) << 16
}

/// The key of folded text.
#[inline]
pub(super) fn folded(b: &[u8]) -> u32 {
    key(b) | 0x0020_2020
}

impl<T> Keyed<T> {
    pub(super) fn new(mut entries: Vec<(u32, T)>) -> Self {
        entries.sort_by_key(|e| slot(e.0));
        let mut heads = vec![0u16; 1 << BITS].into_boxed_slice();
        for (i, e) in entries.iter().enumerate().rev() {
            heads[slot(e.0)] = u16::try_from(i + 1).expect("because there are fewer than 65,535 literals");
        }
        Keyed { heads, entries }
    }

    /// Every value under `key`.
    #[inline]
    pub(super) fn get(&self, key: u32) -> impl Iterator<Item = &T> {
        let s = slot(key);
        let head = self.heads[s];
        let from = if head == 0 { self.entries.len() } else { usize::from(head) - 1 };
        self.entries[from..]
            .iter()
            .take_while(move |e| slot(e.0) == s)
            .filter(move |e| e.0 == key)
            .map(|e| &e.1)
    }
}

/// The offset of the three bytes of a literal that are rarest in source text and prose.
pub(super) fn rarest(literal: &[u8]) -> usize {
    // Rough parts in ten thousand of source text; the order matters, not the figures.
    let weight = |b: u8| -> u32 {
        match b | 0x20 {
            b' ' => 1200,
            b'e' | b't' => 600,
            b'a' | b'i' | b'n' | b'r' | b's' | b'o' => 450,
            b'c' | b'd' | b'l' | b'u' | b'p' => 260,
            b'f' | b'm' | b'g' | b'h' | b'b' => 170,
            b'_' | 0x7f => 200,
            b'0' | b'1' | b'2' => 150,
            b'y' | b'v' | b'k' | b'w' | b'x' => 80,
            b'3'..=b'9' => 60,
            b'-' | b'=' | b'.' | b'/' | b'"' => 90,
            b'z' | b'j' | b'q' => 20,
            _ => 30,
        }
    };
    (0..=literal.len() - 3)
        .min_by_key(|&i| literal[i..i + 3].iter().map(|&b| u64::from(weight(b))).product::<u64>())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_values_come_back_and_others_do_not() {
        let t = Keyed::new((0..500u32).map(|i| (i * 7919, i)).chain([(7919, 900)]).collect());
        for i in 0..500u32 {
            assert!(t.get(i * 7919).any(|&v| v == i));
        }
        assert_eq!(t.get(7919).count(), 2);
        assert_eq!(t.get(5).count(), 0);
    }

    #[test]
    fn the_rarest_window_avoids_common_letters() {
        assert_eq!(rarest(b"stationzqx"), 7);
    }
}
