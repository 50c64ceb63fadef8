//! Features of the value itself.

use super::features::{Feature, Features};
use super::letters;
use super::text::{contains, pieces};

/// Most of a value that is measured.
const MOST: usize = 256;

/// Rows of a keyboard.
const ROWS: [&[u8]; 4] = [b"1234567890", b"qwertyuiop", b"asdfghjkl", b"zxcvbnm"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Sign,
}

fn class(b: u8) -> Class {
    match b {
        b'a'..=b'z' => Class::Lower,
        b'A'..=b'Z' => Class::Upper,
        b'0'..=b'9' => Class::Digit,
        _ => Class::Sign,
    }
}

/// A number for the kind of a byte at an edge.
pub(super) fn edge(b: Option<u8>) -> usize {
    match b {
        None => 0,
        Some(b'\n' | b'\r') => 1,
        Some(b' ' | b'\t') => 2,
        Some(b'"' | b'\'' | b'`') => 3,
        Some(b',' | b';') => 4,
        Some(b')' | b']' | b'}' | b'>') => 5,
        Some(b'(' | b'[' | b'{' | b'<') => 6,
        Some(b'.') => 7,
        Some(b':' | b'/' | b'\\') => 8,
        Some(b'&' | b'|' | b'=' | b'+') => 9,
        Some(b'_' | b'-') => 10,
        Some(b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'*' | b'?' | b'~') => 11,
        Some(b'0'..=b'9') => 12,
        Some(b'a'..=b'z') => 13,
        Some(b'A'..=b'Z') => 14,
        Some(_) => 15,
    }
}

pub(super) fn measure(f: &mut Features, whole: &[u8], name: &[u8]) {
    let v = &whole[..whole.len().min(MOST)];
    let n = v.len().max(1);
    let share = |count: usize| count * 100 / n;
    f.set(Feature::Length, whole.len());

    let mut counts = [0u16; 256];
    for &b in v {
        counts[usize::from(b)] += 1;
    }
    let sum = |set: &[u8]| set.iter().map(|&b| usize::from(counts[usize::from(b)])).sum::<usize>();
    let of = |from: u8, to: u8| (from..=to).map(|b| usize::from(counts[usize::from(b)])).sum::<usize>();
    let (lower, upper, digits) = (of(b'a', b'z'), of(b'A', b'Z'), of(b'0', b'9'));
    let non_ascii = of(128, 255);
    f.set(Feature::Lower, share(lower));
    f.set(Feature::Upper, share(upper));
    f.set(Feature::Digits, share(digits));
    f.set(Feature::Signs, share(v.len() - lower - upper - digits));
    f.set(Feature::NonAscii, non_ascii);
    f.set(Feature::Spaces, sum(b" \t"));
    f.set(Feature::Dashes, sum(b"-"));
    f.set(Feature::Underscores, sum(b"_"));
    f.set(Feature::Dots, sum(b"."));
    f.set(Feature::Slashes, sum(b"/\\"));
    f.set(Feature::Colons, sum(b":"));
    f.set(Feature::PasswordSigns, sum(b"!@#$%^&*?~+"));
    f.set(Feature::CodeSigns, sum(b"()[]{}<>;,|=`\"'"));
    let kinds = (0..=255u8).filter(|b| counts[usize::from(*b)] > 0);
    f.set(Feature::SignKinds, kinds.clone().filter(|b| class(*b) == Class::Sign).count());
    f.set(Feature::Distinct, kinds.count() * 100 / n);
    f.set(Feature::Entropy, entropy(&counts, v.len()));

    rows(f, v);
    f.set(Feature::FirstClass, edge(v.first().copied()));
    f.set(Feature::LastClass, edge(whole.last().copied()));
    let hex_digits = digits + of(b'a', b'f') + of(b'A', b'F');
    let one_case = of(b'a', b'f') == 0 || of(b'A', b'F') == 0;
    f.flag(Feature::Hex, v.len() >= 8 && hex_digits == v.len() && one_case);
    let dashes_fit = [8, 13, 18, 23].iter().all(|&i| v.get(i) == Some(&b'-'));
    f.flag(Feature::Uuid, v.len() == 36 && dashes_fit && hex_digits == 32);
    let padding = whole.iter().rev().take_while(|&&b| b == b'=').count();
    f.flag(Feature::Padded, (1..=2).contains(&padding));
    let coded = lower + upper + digits + sum(b"+/-_=");
    f.flag(Feature::Base64Set, coded == v.len());

    let read = letters::read(v);
    f.set(Feature::Letters, read.mean);
    f.set(Feature::WorstLetters, read.worst);
    f.set(Feature::Spoken, share(read.spoken));
    f.set(Feature::Words, read.words);
    f.set(Feature::NameInValue, share(repeated(v, name)));
}

/// Rows of like characters, and changes between them.
fn rows(f: &mut Features, v: &[u8]) {
    let (mut changes, mut humps, mut digit_runs) = (0, 0, 0);
    let (mut alnum, mut alpha, mut repeat, mut sequence, mut keys) = (0, 0, 0, 0, 0);
    let (mut best_alnum, mut best_alpha, mut best_repeat, mut best_sequence, mut best_keys) = (0, 0, 0, 0, 0);
    let mut step = 0i16;
    for (i, &b) in v.iter().enumerate() {
        let (now, before) = (class(b), i.checked_sub(1).map(|i| (v[i], class(v[i]))));
        alnum = if now == Class::Sign { 0 } else { alnum + 1 };
        alpha = if matches!(now, Class::Lower | Class::Upper) { alpha + 1 } else { 0 };
        digit_runs += usize::from(now == Class::Digit && before.is_none_or(|(_, c)| c != Class::Digit));
        if let Some((last, was)) = before {
            repeat = if last == b { repeat + 1 } else { 0 };
            let (x, y) = (last.to_ascii_lowercase(), b.to_ascii_lowercase());
            let by = i16::from(y) - i16::from(x);
            sequence = match by {
                1 | -1 if now != Class::Sign && by == step => sequence + 1,
                1 | -1 if now != Class::Sign => 1,
                _ => 0,
            };
            step = by;
            keys = if neighbours(x, y) { keys + 1 } else { 0 };
            match (was, now) {
                (Class::Lower | Class::Digit, Class::Upper) => humps += 1,
                (Class::Upper, Class::Lower) => {}
                (a, b) if a != b && a != Class::Sign && b != Class::Sign => changes += 1,
                _ => {}
            }
        }
        best_alnum = best_alnum.max(alnum);
        best_alpha = best_alpha.max(alpha);
        best_repeat = best_repeat.max(repeat);
        best_sequence = best_sequence.max(sequence);
        best_keys = best_keys.max(keys);
    }
    f.set(Feature::Changes, changes);
    f.set(Feature::CamelHumps, humps);
    f.set(Feature::DigitRuns, digit_runs);
    f.set(Feature::DigitsAtEnd, v.iter().rev().take_while(|b| b.is_ascii_digit()).count());
    f.set(Feature::LongestAlnum, best_alnum);
    f.set(Feature::LongestLetters, best_alpha);
    f.set(Feature::LongestRepeat, best_repeat);
    f.set(Feature::LongestSequence, best_sequence);
    f.set(Feature::LongestKeyboard, best_keys);
}

/// Whether two keys stand side by side.
fn neighbours(a: u8, b: u8) -> bool {
    ROWS.iter().any(|row| match (row.iter().position(|&k| k == a), row.iter().position(|&k| k == b)) {
        (Some(i), Some(j)) => i.abs_diff(j) == 1,
        _ => false,
    })
}

/// Entropy in percent of the most that a text of that length can have.
fn entropy(counts: &[u16; 256], n: usize) -> usize {
    if n < 2 {
        return 0;
    }
    let sum: u64 = counts.iter().filter(|&&c| c > 1).map(|&c| n_log_n(u64::from(c))).sum();
    let whole = n_log_n(n as u64);
    usize::try_from((whole - sum) * 100 / whole).unwrap_or(0)
}

/// `n log2 n` in units of 1/1024, the same on every platform.
fn n_log_n(n: u64) -> u64 {
    const TABLE: [u64; MOST + 1] = {
        let mut table = [0; MOST + 1];
        let mut n = 2;
        while n <= MOST {
            table[n] = n as u64 * log2(n as u64);
            n += 1;
        }
        table
    };
    TABLE[(n as usize).min(MOST)]
}

/// The binary logarithm in units of 1/1024, rounded down: ten squarings give ten bits.
const fn log2(n: u64) -> u64 {
    let whole = n.ilog2() as u64;
    // The mantissa between 1 and 2, with 31 bits behind the point.
    let mut m = n << 31 >> whole;
    let (mut out, mut bit) = (whole << 10, 1 << 9);
    while bit > 0 {
        m = (m * m) >> 31;
        if m >= 2 << 31 {
            m >>= 1;
            out += bit;
        }
        bit >>= 1;
    }
    out
}

/// Bytes of the value that are words of its name.
fn repeated(v: &[u8], name: &[u8]) -> usize {
    let mut sum = 0;
    for word in pieces(name) {
        if word.len() >= 3 && contains(v, word) {
            sum += word.len();
        }
    }
    sum.min(v.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str, name: &str) -> Features {
        let mut f = Features::new();
        measure(&mut f, value.as_bytes(), name.as_bytes());
        f
    }

    #[test]
    fn logarithms_are_exact_to_the_last_bit() {
        for (n, log) in [(1, 0), (2, 1024), (3, 1623), (10, 3401), (255, 8186), (256, 8192)] {
            assert_eq!(log2(n), log, "{n}");
        }
    }

    #[test]
    fn values_are_measured() {
        let f = of("Blue42sky!", "db_password");
        for (feature, value) in [
            (Feature::Length, 10),
            (Feature::Lower, 60),
            (Feature::Upper, 10),
            (Feature::Digits, 20),
            (Feature::Signs, 10),
            (Feature::PasswordSigns, 1),
            (Feature::Changes, 2),
            (Feature::DigitRuns, 1),
            (Feature::LongestAlnum, 9),
            (Feature::Distinct, 100),
            (Feature::Entropy, 100),
        ] {
            assert_eq!(f.get(feature), value, "{feature:?}");
        }
        assert_eq!(of("qwerty99", "").get(Feature::LongestKeyboard), 5);
        assert_eq!(of("abcd4321", "").get(Feature::LongestSequence), 3);
        assert_eq!(of("aaaa", "").get(Feature::Entropy), 0);
        assert_eq!(of("passwordInput", "user_password").get(Feature::NameInValue), 61);
        assert_eq!(of("a1b2c3d4e5f60718", "").get(Feature::Hex), 1);
        assert_eq!(of("a1b2c3d4e5f6071G", "").get(Feature::Hex), 0);
    }

    #[test]
    fn nothing_is_too_odd_to_be_measured() {
        for value in [&b""[..], b"\xff\x00\x80", &[b'a'; 5000], "пароль".as_bytes()] {
            let mut f = Features::new();
            measure(&mut f, value, b"x");
        }
    }
}
