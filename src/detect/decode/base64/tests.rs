//! Base64 on one line and on many.

use super::*;
use crate::detect::decode::Trigger::Run;
use crate::detect::decode::tests::{base64, places, view};

#[test]
fn each_byte_comes_from_the_letter_it_begins_in() {
    // "user:password=sk-12345"
    let hay = b"auth dXNlcjpwYXNzd29yZD1zay0xMjM0NQ== end";
    let v = view(Run, hay, 5).unwrap();
    assert_eq!((v.via.as_slice(), v.outer.clone()), (&[Encoding::Base64][..], 5..37));
    assert_eq!(v.bytes, b"user:password=sk-12345");
    let map: Vec<u32> = (0..22).map(|i| 5 + i / 3 * 4 + i % 3).chain([37]).collect();
    assert_eq!(v.map, map);
    assert_eq!(places(&v, hay, "ser"), ["XNlc"]);
}

#[test]
fn lines_prefixes_and_noise_around_a_run() {
    let text = "name: \u{3a9}mega, key: sk-0123456789?>abcdefghijklmnopqrstuvwxyz~~~ and it goes on";
    let one = base64(text.as_bytes());
    assert!(one.contains('/') || one.contains('+'));
    let fold = |join: &str| {
        one.as_bytes().chunks(32).map(|l| std::str::from_utf8(l).unwrap()).collect::<Vec<_>>().join(join)
    };
    let cases = [
        (one.clone(), 0),
        (one.replace('+', "-").replace('/', "_"), 0),
        (format!("a/b_c/{one}"), 0),
        (format!("\\n{one}"), 1),
        (fold("\n"), 0),
        (format!("x: |\n    {}\nother: word", fold("\r\n    ")), 9),
        (format!("KEY='{}'", fold("\n  ")), 5),
        (format!("KEY=\"{}\"", fold("\\\n")), 5),
        (format!("# {}\n# end of it", fold("\n# ")), 2),
        (format!("// {}", fold("\n// ")), 3),
        (format!("+{}", fold("\n+")), 0),
        (format!("\"{}\\n\"", fold("\\n")), 1),
        (format!("\"{}\"", fold("\\\\r\\\\n")), 1),
        (format!("{one}\nword_that: follows"), 0),
        (format!("{one}{}", "-_-_////++++AAAA////8888"), 0),
    ];
    for (hay, at) in cases {
        let v = view(Run, hay.as_bytes(), at).unwrap_or_else(|| panic!("{hay}"));
        assert!(v.bytes.starts_with(text.as_bytes()) && v.bytes.len() < text.len() + 6, "{v:?} of {hay}");
        let place = places(&v, hay.as_bytes(), "sk-0123456789");
        assert_eq!(place.len(), 1, "{hay}");
        let letter = text.find("sk-").map(|i| i / 3 * 4 + i % 3).unwrap();
        assert!(place[0].starts_with(&one[letter..letter + 3]), "{place:?} of {hay}");
    }
}

#[test]
fn lines_of_their_own_are_not_swallowed() {
    let line = |s: &str| base64(s.as_bytes());
    let first = line("the first of two lines, with text");
    let second = "f".repeat(40);
    let hay = format!("{first}\n{second}\n");
    assert_eq!(view(Run, hay.as_bytes(), 0).unwrap().outer, 0..first.len());
}

#[test]
fn powershell_commands_are_utf16() {
    let text = "$k = 'sk-0123456789'; Invoke-Thing é";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hay = format!("-EncodedCommand {}", base64(&wide));
    let v = view(Run, hay.as_bytes(), 16).unwrap();
    assert_eq!(v.via, [Encoding::Base64, Encoding::Utf16Le]);
    assert_eq!(String::from_utf8_lossy(&v.bytes), text);
    assert_eq!(v.map[..4], [16, 18, 21, 24]);
}

#[test]
fn names_and_other_formats_are_left_alone() {
    for hay in [
        "some_long_identifier_name_that_goes_on",
        "drivers/gpu/drm/amd/display/dc/dcn10/dcn10_hubbub",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg",
        "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
        "d09GRgABAAAAAGRkAA0AAAAAlZwAAQABAAAAAAAA",
        "UEsDBBQAAAAIAAAAIQC2gziS/gAAAOEBAAATAAAA",
        "MIIEowIBAAKCAQEAwJkdh3kd92kd02kd9dkd02kdk",
        "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0",
        "0123456789abcdef0123456789abcdef01234567",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    ] {
        assert!(view(Run, hay.as_bytes(), 0).is_none(), "{hay}");
    }
}
