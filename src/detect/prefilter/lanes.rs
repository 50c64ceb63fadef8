//! Sixty-four bytes at a time: which bytes are of which class, and where a wanted three-byte
//! window may start. AVX2 where the processor has it, plain Rust elsewhere; both give the same bits.

use super::literals::{Bank, WIDTH, Windows};
use crate::detect::decode::SIGNS;

/// One bit a byte of a 64-byte block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Masks {
    /// `[A-Za-z0-9]`
    pub(super) alnum: u64,
    /// `[A-Za-z0-9_]`
    pub(super) word: u64,
    /// `[A-Za-z0-9_+/-]`
    pub(super) base64: u64,
    /// `[0-9]`
    pub(super) digit: u64,
    /// `[A-Z]`
    pub(super) upper: u64,
    /// Neither white space nor control, quote, bracket, comma, semicolon; ASCII.
    pub(super) solid: u64,
    /// A wanted window may start here.
    pub(super) window: u64,
    /// One of the decoders' [`SIGNS`] stands here, with a byte behind it that it may have, or nearly so.
    pub(super) sign: u64,
}

/// Bytes a block needs: its 64 and three more for windows that start at its end.
pub(super) const NEED: usize = 63 + WIDTH;

// The vector version compares them as signed bytes: none may be 128.
const LETTER_LOW: u8 = 1; // high nibble 4 or 6, low nibble 1..=F
const LETTER_HIGH: u8 = 2; // high nibble 5 or 7, low nibble 0..=A
const DIGIT: u8 = 4;
const UNDERSCORE: u8 = 8;
const JOINER: u8 = 16; // `+`, `-`, `/`

const LOW: [u8; 16] = {
    let mut t = [0u8; 16];
    let mut i = 0;
    while i < 16 {
        if i >= 1 {
            t[i] |= LETTER_LOW;
        }
        if i <= 0xa {
            t[i] |= LETTER_HIGH;
        }
        if i <= 9 {
            t[i] |= DIGIT;
        }
        i += 1;
    }
    t[0xf] |= UNDERSCORE | JOINER;
    t[0xd] |= JOINER;
    t[0xb] |= JOINER;
    t
};

const HIGH: [u8; 16] = {
    let mut t = [0u8; 16];
    t[4] = LETTER_LOW;
    t[6] = LETTER_LOW;
    t[5] = LETTER_HIGH | UNDERSCORE;
    t[7] = LETTER_HIGH;
    t[3] = DIGIT;
    t[2] = JOINER;
    t
};

/// Tables of two bytes in a row, low and high nibbles: a bit for each line of [`SIGNS`]. A pair has
/// a bit in all four if the line has its nibbles, in whatever combination.
const SIGN_LOW: [[u8; 16]; 2] = nibbles(0);
const SIGN_HIGH: [[u8; 16]; 2] = nibbles(4);

const fn nibbles(shift: u32) -> [[u8; 16]; 2] {
    let mut t = [[0; 16]; 2];
    let mut line = 0;
    while line < SIGNS.len() {
        let (mut i, mut k) = (0, 0);
        while i < SIGNS[line].0.len() {
            t[0][(SIGNS[line].0[i] >> shift & 15) as usize] |= 1 << line;
            i += 1;
        }
        while k < SIGNS[line].1.len() {
            t[1][(SIGNS[line].1[k] >> shift & 15) as usize] |= 1 << line;
            k += 1;
        }
        line += 1;
    }
    t
}

// What breaks a solid stretch, by the same two look-ups.
const LOOSE_LOW: [u8; 16] = {
    let mut t = [1u8; 16];
    t[0x0] |= 2 | 16; // space, backtick
    t[0x2] |= 2; // "
    t[0x7] |= 2; // '
    t[0x8] |= 2; // (
    t[0x9] |= 2; // )
    t[0xb] |= 4 | 8 | 32; // ; [ {
    t[0xc] |= 2 | 4; // , <
    t[0xd] |= 8 | 32; // ] }
    t[0xe] |= 4; // >
    t[0xf] |= 32; // DEL
    t
};
const LOOSE_HIGH: [u8; 16] = [1, 1, 2, 4, 0, 8, 16, 32, 1, 1, 1, 1, 1, 1, 1, 1];

const ALNUM: u8 = LETTER_LOW | LETTER_HIGH | DIGIT;

/// The scalar version: the definition that the others must equal.
pub(super) fn scalar(block: &[u8], windows: &Windows) -> Masks {
    let mut m = Masks::default();
    for (i, &b) in block[..64].iter().enumerate() {
        let class = LOW[usize::from(b & 15)] & HIGH[usize::from(b >> 4)];
        let bit = |yes: bool| u64::from(yes) << i;
        m.alnum |= bit(class & ALNUM != 0);
        m.word |= bit(class & (ALNUM | UNDERSCORE) != 0);
        m.base64 |= bit(class != 0);
        m.digit |= bit(class & DIGIT != 0);
        m.upper |= bit(b.is_ascii_uppercase());
        m.solid |= bit(LOOSE_LOW[usize::from(b & 15)] & LOOSE_HIGH[usize::from(b >> 4)] == 0);
        let wanted = |bank: &Bank| {
            let at = |k: usize| {
                let b = block[i + k];
                bank.low[k][usize::from(b & 15)] & bank.high[k][usize::from(b >> 4)]
            };
            (0..WIDTH).map(at).fold(u8::MAX, |all, one| all & one) != 0
        };
        m.window |= bit(windows.banks.iter().any(wanted));
        let signs = |k: usize| {
            let b = block[i + k];
            SIGN_LOW[k][usize::from(b & 15)] & SIGN_HIGH[k][usize::from(b >> 4)]
        };
        m.sign |= bit(signs(0) & signs(1) != 0);
    }
    m
}

/// The AVX2 version.
///
/// # Safety
/// The processor has AVX2, and `block` holds at least [`NEED`] bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
pub(super) unsafe fn avx2(block: &[u8], windows: &Windows) -> Masks {
    use std::arch::x86_64::*;
    debug_assert!(block.len() >= NEED);
    let table = |t: &[u8; 16]| {
        // SAFETY: sixteen bytes are read from a sixteen-byte array.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(t.as_ptr().cast()) })
    };
    let nibble = _mm256_set1_epi8(15);
    let zero = _mm256_setzero_si256();
    // A macro, since a closure that is called twice is not inlined, and its masks would go through
    // memory in pieces.
    macro_rules! half {
        ($offset:literal) => {{
            // SAFETY: the offset is 0 or 32 and k less than WIDTH, so that at most NEED bytes are read.
            let load = |k: usize| unsafe { _mm256_loadu_si256(block.as_ptr().add($offset + k).cast()) };
            let split =
                |v| (_mm256_and_si256(v, nibble), _mm256_and_si256(_mm256_srli_epi16::<4>(v), nibble));
            let look = |low: &[u8; 16], high: &[u8; 16], (l, h): (__m256i, __m256i)| {
                _mm256_and_si256(_mm256_shuffle_epi8(table(low), l), _mm256_shuffle_epi8(table(high), h))
            };
            let bytes = load(0);
            let first = split(bytes);
            let second = split(load(1));
            let class = look(&LOW, &HIGH, first);
            let some = |v: __m256i| _mm256_movemask_epi8(_mm256_cmpgt_epi8(v, zero)) as u32;
            let none = |v: __m256i| _mm256_movemask_epi8(_mm256_cmpeq_epi8(v, zero)) as u32;
            let of = |bits: u8| some(_mm256_and_si256(class, _mm256_set1_epi8(bits as i8)));
            // A bit is moved to where the mask is taken from; what crosses into a neighbour is lower.
            let digit = _mm256_movemask_epi8(_mm256_slli_epi16::<5>(class)) as u32;
            let small = _mm256_movemask_epi8(_mm256_slli_epi16::<2>(bytes)) as u32;
            let alnum = of(ALNUM);
            let signs = _mm256_and_si256(
                look(&SIGN_LOW[0], &SIGN_HIGH[0], first),
                look(&SIGN_LOW[1], &SIGN_HIGH[1], second),
            );
            let mut all = windows.banks.each_ref().map(|b| {
                _mm256_and_si256(look(&b.low[0], &b.high[0], first), look(&b.low[1], &b.high[1], second))
            });
            for k in 2..WIDTH {
                let at = split(load(k));
                for (all, bank) in all.iter_mut().zip(&windows.banks) {
                    *all = _mm256_and_si256(*all, look(&bank.low[k], &bank.high[k], at));
                }
            }
            let any = all.into_iter().fold(zero, |any, one| _mm256_or_si256(any, one));
            [
                alnum,
                of(ALNUM | UNDERSCORE),
                some(class),
                digit,
                alnum & !digit & !small,
                none(look(&LOOSE_LOW, &LOOSE_HIGH, first)),
                none(any),
                none(signs),
            ]
        }};
    }
    let (a, b) = (half!(0), half!(32));
    let join = |i: usize| u64::from(a[i]) | u64::from(b[i]) << 32;
    Masks {
        alnum: join(0),
        word: join(1),
        base64: join(2),
        digit: join(3),
        upper: join(4),
        solid: join(5),
        window: !join(6),
        sign: !join(7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_named_sets() {
        let windows = Windows::new(&[]);
        for b in 0..=255u8 {
            let mut block = [0u8; NEED];
            block[0] = b;
            let m = scalar(&block, &windows);
            let word = b.is_ascii_alphanumeric() || b == b'_';
            assert_eq!(m.alnum & 1 == 1, b.is_ascii_alphanumeric(), "{b}");
            assert_eq!(m.word & 1 == 1, word, "{b}");
            assert_eq!(m.base64 & 1 == 1, word || b"-+/".contains(&b), "{b}");
            assert_eq!(m.digit & 1 == 1, b.is_ascii_digit(), "{b}");
            assert_eq!(m.upper & 1 == 1, b.is_ascii_uppercase(), "{b}");
            assert_eq!(m.solid & 1 == 1, crate::rule::analyse::is_solid(b), "{b}");
        }
    }

    #[test]
    fn a_sign_with_its_next_byte_is_seen_and_most_others_are_not() {
        let windows = Windows::new(&[]);
        let mut seen = 0;
        for pair in 0..=u16::MAX {
            let [a, b] = pair.to_be_bytes();
            let mut block = [0u8; NEED];
            (block[0], block[1]) = (a, b);
            let is = scalar(&block, &windows).sign & 1 == 1;
            let wanted = SIGNS.iter().any(|(first, next)| first.contains(&a) && next.contains(&b));
            assert!(is || !wanted, "{a} {b}");
            seen += u32::from(is);
        }
        assert!(seen < 200, "{seen}");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn avx2_equals_scalar() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let windows = Windows::new(
            &[b"ghp_".as_slice(), b"key=", b"://", b"pwd"].map(|l| super::super::literals::window(l, 0)),
        );
        let mut seed = 7u64;
        for round in 0..5000 {
            let block: Vec<u8> = (0..NEED)
                .map(|_| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let b = (seed >> 33) as u8;
                    if round % 2 == 0 { b"ghpkeywd:/\"_-K"[usize::from(b) % 14] } else { b }
                })
                .collect();
            // SAFETY: AVX2 was detected and the block is long enough.
            assert_eq!(unsafe { avx2(&block, &windows) }, scalar(&block, &windows));
        }
    }
}
