//! Shannon entropy, and the least that a fair value of an alphabet and length has.
//!
//! A flat floor such as 3.5 bits loses one genuine key of 32 hexadecimal digits in five. The table
//! here holds the first percentile of 400,000 fair draws for each alphabet and length; between two
//! lengths the floor is interpolated, which errs on the low side because the curve bends down. To
//! make the table again: for each size of alphabet (10, 16, 26, 32, 36, 52, 62, 64, 94) and each
//! length, draw that many characters at random, take the entropy of their counts, sort the draws,
//! and keep the one at a hundredth of the way, rounded down to three digits so that a value that
//! lies exactly there stays.

use std::sync::OnceLock;

/// Alphabets with a floor of their own, smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Alphabet {
    /// 0-9.
    Digits,
    /// 0-9 and a-f in either case, which a value does not mix.
    Hex,
    /// Letters of one case.
    Alpha26,
    /// Letters of one case and 2-7.
    Base32,
    /// Letters of one case and digits.
    Alnum36,
    /// Letters of both cases.
    Alpha52,
    /// Letters of both cases and digits.
    Alnum62,
    /// 62 and two or three more, such as `+`, `/` and `=`.
    Base64,
    /// Anything else.
    Printable,
}

/// Lengths of the table's columns.
const LENGTHS: [usize; 36] = [
    4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 28, 32, 36, 40, 44, 48, 56,
    64, 80, 96, 128, 160, 192, 224, 256,
];

/// First percentiles, one row an alphabet, rounded down.
#[rustfmt::skip]
const FLOORS: [[f32; 36]; 9] = [
    [0.811, 0.970, 1.251, 1.448, 1.750, 1.752, 1.846, 1.971, 2.054, 2.133, 2.209, 2.282, 2.311, 2.374, 2.413, 2.459, 2.501, 2.529, 2.560, 2.595, 2.621, 2.721, 2.798, 2.854, 2.903, 2.941, 2.974, 3.026, 3.066, 3.120, 3.155, 3.197, 3.222, 3.239, 3.251, 3.260], // Dig: 0-9
    [0.811, 1.370, 1.459, 1.842, 1.905, 2.058, 2.160, 2.299, 2.355, 2.449, 2.549, 2.606, 2.655, 2.748, 2.794, 2.839, 2.901, 2.944, 2.970, 3.000, 3.042, 3.168, 3.264, 3.340, 3.403, 3.456, 3.502, 3.575, 3.630, 3.707, 3.759, 3.822, 3.858, 3.882, 3.900, 3.912], // Hex
    [1.500, 1.370, 1.792, 1.842, 2.155, 2.281, 2.446, 2.550, 2.625, 2.719, 2.835, 2.923, 2.983, 3.051, 3.127, 3.155, 3.221, 3.272, 3.317, 3.360, 3.407, 3.553, 3.670, 3.766, 3.853, 3.919, 3.980, 4.081, 4.157, 4.267, 4.341, 4.436, 4.491, 4.528, 4.553, 4.572], // Alpha26: letters of one case
    [1.500, 1.521, 1.792, 2.128, 2.155, 2.419, 2.446, 2.663, 2.751, 2.815, 2.950, 3.006, 3.077, 3.146, 3.239, 3.286, 3.346, 3.403, 3.442, 3.497, 3.538, 3.695, 3.819, 3.930, 4.018, 4.096, 4.163, 4.273, 4.359, 4.487, 4.574, 4.685, 4.751, 4.795, 4.825, 4.848], // B32: letters of one case and 2-7
    [1.500, 1.521, 1.792, 2.128, 2.155, 2.419, 2.521, 2.663, 2.792, 2.873, 2.985, 3.056, 3.149, 3.219, 3.281, 3.326, 3.408, 3.463, 3.516, 3.555, 3.605, 3.767, 3.902, 4.009, 4.106, 4.189, 4.260, 4.374, 4.466, 4.604, 4.699, 4.821, 4.895, 4.943, 4.977, 5.002], // A36: letters of one case and digits
    [1.500, 1.921, 1.918, 2.128, 2.405, 2.503, 2.646, 2.845, 2.918, 3.026, 3.128, 3.189, 3.280, 3.381, 3.461, 3.511, 3.584, 3.630, 3.697, 3.740, 3.803, 3.967, 4.116, 4.239, 4.346, 4.442, 4.522, 4.662, 4.773, 4.940, 5.062, 5.222, 5.321, 5.387, 5.435, 5.470], // Alpha52: letters
    [1.500, 1.921, 1.918, 2.235, 2.405, 2.641, 2.721, 2.845, 3.022, 3.085, 3.182, 3.272, 3.327, 3.454, 3.503, 3.576, 3.646, 3.689, 3.754, 3.827, 3.855, 4.056, 4.202, 4.329, 4.446, 4.544, 4.636, 4.784, 4.902, 5.085, 5.218, 5.398, 5.510, 5.588, 5.643, 5.685], // A62: letters and digits
    [1.500, 1.921, 1.918, 2.235, 2.405, 2.641, 2.721, 2.845, 3.022, 3.085, 3.182, 3.323, 3.375, 3.454, 3.530, 3.576, 3.646, 3.725, 3.788, 3.827, 3.886, 4.066, 4.226, 4.350, 4.465, 4.570, 4.655, 4.802, 4.923, 5.110, 5.245, 5.427, 5.544, 5.623, 5.679, 5.722], // B64: a62 and two more
    [1.500, 1.921, 2.251, 2.235, 2.500, 2.641, 2.846, 2.913, 3.084, 3.180, 3.324, 3.373, 3.452, 3.572, 3.641, 3.721, 3.784, 3.844, 3.913, 3.969, 4.022, 4.208, 4.390, 4.516, 4.653, 4.760, 4.855, 5.025, 5.159, 5.379, 5.541, 5.768, 5.917, 6.022, 6.100, 6.159], // Printable
];

/// The first percentile of the entropy, in bits a character, of fair values of `alphabet` and
/// `len` characters; 0 below four characters, where entropy says nothing.
pub(crate) fn floor(alphabet: Alphabet, len: usize) -> f64 {
    let row = &FLOORS[alphabet as usize];
    if len < LENGTHS[0] {
        return 0.0;
    }
    let right = LENGTHS.partition_point(|&l| l < len);
    let Some(&end) = LENGTHS.get(right) else { return f64::from(row[row.len() - 1]) };
    if end == len {
        return f64::from(row[right]);
    }
    let start = LENGTHS[right - 1];
    let share = (len - start) as f64 / (end - start) as f64;
    f64::from(row[right - 1]) * (1.0 - share) + f64::from(row[right]) * share
}

/// Counts up to this have their `n log n` in a table.
const TABLE: usize = 257;

fn n_log_n(n: usize) -> f64 {
    static LOGS: OnceLock<[f64; TABLE]> = OnceLock::new();
    let logs =
        LOGS.get_or_init(|| std::array::from_fn(|n| if n == 0 { 0.0 } else { n as f64 * (n as f64).log2() }));
    logs.get(n).copied().unwrap_or_else(|| n as f64 * (n as f64).log2())
}

/// Shannon entropy in bits a byte; 0 for no bytes.
pub(crate) fn shannon(bytes: &[u8]) -> f64 {
    if bytes.is_empty() {
        return 0.0;
    }
    let mut counts = [0u32; 256];
    for b in bytes {
        counts[*b as usize] += 1;
    }
    // Each distinct byte is added once, at its first place; that visits less than 256 counts.
    let mut sum = 0.0;
    for b in bytes {
        let n = std::mem::take(&mut counts[*b as usize]);
        if n > 1 {
            sum += n_log_n(n as usize);
        }
    }
    let n = bytes.len();
    (n_log_n(n) - sum) / n as f64
}

/// The bits of the bytes from `first` to `last`.
const fn span(first: u8, last: u8) -> [u64; 4] {
    let mut set = [0; 4];
    let mut b = first;
    while b <= last {
        set[(b >> 6) as usize] |= 1 << (b & 63);
        b += 1;
    }
    set
}

const fn union(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    [a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]]
}

const DIGITS: [u64; 4] = span(b'0', b'9');
const UPPER: [u64; 4] = span(b'A', b'Z');
const LOWER: [u64; 4] = span(b'a', b'z');
const HEX: [u64; 4] = union(DIGITS, union(span(b'A', b'F'), span(b'a', b'f')));
const BASE32_DIGITS: [u64; 4] = span(b'2', b'7');

fn within(set: &[u64; 4], other: &[u64; 4]) -> bool {
    set.iter().zip(other).all(|(a, b)| a & !b == 0)
}

fn meet(a: &[u64; 4], b: &[u64; 4]) -> [u64; 4] {
    std::array::from_fn(|i| a[i] & b[i])
}

/// The bytes of a value as a set.
pub(crate) fn set_of(bytes: &[u8]) -> [u64; 4] {
    let mut set = [0; 4];
    for b in bytes {
        set[(b >> 6) as usize] |= 1 << (b & 63);
    }
    set
}

/// The smallest alphabet that contains `set`, a bit a byte. Up to two kinds of punctuation beside
/// letters and digits are separators or the last two of a base-64 alphabet and do not count: a
/// floor that is a little low keeps every genuine value.
pub(crate) fn alphabet_of(set: &[u64; 4]) -> Alphabet {
    let (digits, upper, lower) = (meet(set, &DIGITS), meet(set, &UPPER), meet(set, &LOWER));
    let letters = union(upper, lower);
    let others: u32 = set.iter().zip(union(digits, letters)).map(|(a, b)| (a & !b).count_ones()).sum();
    let none = [0; 4];
    let one_case = upper == none || lower == none;
    match (letters != none, digits != none) {
        _ if others > 3 => Alphabet::Printable,
        (false, true) => Alphabet::Digits,
        (_, true) if within(&union(letters, digits), &HEX) => Alphabet::Hex,
        (true, false) if one_case => Alphabet::Alpha26,
        (true, true) if one_case && within(&digits, &BASE32_DIGITS) => Alphabet::Base32,
        (true, true) if one_case => Alphabet::Alnum36,
        (true, false) => Alphabet::Alpha52,
        (true, true) if others <= 2 => Alphabet::Alnum62,
        (true, true) => Alphabet::Base64,
        (false, false) => Alphabet::Printable,
    }
}

#[cfg(test)]
mod tests;
