use super::*;
use crate::rule::checksum::bytes::{BASE62, BASE64, Draw};

const PRINTABLE: [u8; 94] = {
    let mut all = [0; 94];
    let mut i = 0;
    while i < 94 {
        all[i] = i as u8 + 33;
        i += 1;
    }
    all
};

fn characters(alphabet: Alphabet) -> &'static [u8] {
    match alphabet {
        Alphabet::Digits => &BASE62[..10],
        Alphabet::Hex => b"0123456789abcdef",
        Alphabet::Alpha26 => &BASE62[36..],
        Alphabet::Base32 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        Alphabet::Alnum36 => &BASE62[..36],
        Alphabet::Alpha52 => &BASE62[10..],
        Alphabet::Alnum62 => BASE62,
        Alphabet::Base64 => BASE64,
        Alphabet::Printable => &PRINTABLE,
    }
}

#[test]
fn one_fair_value_in_a_hundred_lies_below_the_floor() {
    use Alphabet::*;
    for (alphabet, len) in [
        (Digits, 32),
        (Hex, 32),
        (Hex, 40),
        (Hex, 64),
        (Hex, 128),
        (Alpha26, 32),
        (Base32, 52),
        (Alnum36, 32),
        (Alnum36, 50),
        (Alpha52, 40),
        (Alnum62, 20),
        (Alnum62, 34),
        (Alnum62, 48),
        (Base64, 40),
        (Base64, 88),
        (Printable, 32),
        (Printable, 100),
    ] {
        let mut draw = Draw::new(len as u64);
        let floor = floor(alphabet, len);
        let lost = (0..20_000).filter(|_| shannon(&draw.text(characters(alphabet), len)) < floor).count();
        assert!((100..=320).contains(&lost), "{alphabet:?} {len}: {lost} of 20,000");
    }
}

#[test]
fn floors_agree_with_the_published_figures_and_grow() {
    for (alphabet, len, percentile) in [
        (Alphabet::Hex, 32, 3.26),
        (Alphabet::Hex, 40, 3.41),
        (Alphabet::Hex, 64, 3.63),
        (Alphabet::Base64, 40, 4.47),
    ] {
        assert!((floor(alphabet, len) - percentile).abs() < 0.02, "{alphabet:?} {len}");
    }
    for len in 16..300 {
        assert!(floor(Alphabet::Hex, len + 1) >= floor(Alphabet::Hex, len));
        assert!(floor(Alphabet::Alnum62, len) > floor(Alphabet::Hex, len));
    }
    assert_eq!(floor(Alphabet::Printable, 3), 0.0);
    assert_eq!(floor(Alphabet::Hex, 9000), floor(Alphabet::Hex, 256));
}

#[test]
fn entropy_is_exact() {
    for (bytes, bits) in [(&b""[..], 0.0), (b"aaaa", 0.0), (b"abab", 1.0), (b"abcd", 2.0), (b"aabc", 1.5)] {
        assert_eq!(shannon(bytes), bits);
    }
    let all: Vec<u8> = (0..=255).cycle().take(256 * 300).collect();
    assert!((shannon(&all) - 8.0).abs() < 1e-9);
}

#[test]
fn alphabets_are_the_smallest_that_contain_the_set() {
    use Alphabet::*;
    for (bytes, expected) in [
        (&b"0123456789"[..], Digits),
        (b"0123456789abcdef", Hex),
        (b"0123456789abcdefABCDEF", Hex),
        (b"0123456789abcdef-", Hex),
        (b"abcdefghijklmnopqrstuvwxyz", Alpha26),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", Base32),
        (b"abcdefghijklmnopqrstuvwxyz0123456789", Alnum36),
        (b"abcxyzABCXYZ", Alpha52),
        (BASE62, Alnum62),
        (b"azAZ09+/", Alnum62),
        (b"azAZ09+/=", Base64),
        (b"azAZ09-_.~", Printable),
        (&PRINTABLE, Printable),
    ] {
        assert_eq!(alphabet_of(&set_of(bytes)), expected, "{}", String::from_utf8_lossy(bytes));
    }
}
