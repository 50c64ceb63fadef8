use super::*;
use crate::rule::checksum::by_name;

fn text(example: &str) -> String {
    String::from_utf8(expand(example, None, 7).unwrap().text).unwrap()
}

#[test]
fn plain_text_marks_and_escapes() {
    for (example, expected, secret) in [
        ("KEY=<abc>", "KEY=abc", "abc"),
        ("<abc>", "abc", "abc"),
        (r"<a\<b\>c> \<x\>", "a<b>c <x>", "a<b>c"),
        (r"\{hex:4} <v>", "{hex:4} v", "v"),
        (r"a\\b <v>", r"a\b v", "v"),
        (r#"{"k": "<v>"}"#, r#"{"k": "v"}"#, "v"),
        (r#"\"<v>\"\n"#, r#"\"v\"\n"#, "v"),
        ("h => <v>", "h => v", "v"),
        ("{nope:3} {hex:x} {hex <v>", "{nope:3} {hex:x} {hex v", "v"),
        ("ключ <v> é", "ключ v é", "v"),
        ("<v>\n", "v\n", "v"),
    ] {
        let made = expand(example, None, 1).unwrap();
        assert_eq!(String::from_utf8_lossy(&made.text), expected);
        assert_eq!(made.value, secret.as_bytes(), "{example}");
        assert_eq!(&made.text[made.secret], secret.as_bytes());
    }
}

#[test]
fn holes_draw_the_asked_number_from_the_seed() {
    let example = "<acme_{a62:40}> {uuid} {x:4}";
    let made = text(example);
    assert_eq!(made.len(), 5 + 40 + 1 + 36 + 1 + 4);
    assert!(made.ends_with(" xxxx"));
    assert_eq!(made, text(example));
    assert_ne!(made.into_bytes(), expand(example, None, 8).unwrap().text);
    let twice = text("<{hex:20}> {hex:20}");
    assert_ne!(twice[..20], twice[21..]);
}

#[test]
fn encodings_nest() {
    let basic = expand("Basic <{base64|user:{x:3}}>", None, 1).unwrap();
    assert_eq!(basic.value, b"dXNlcjp4eHg=");
    assert_eq!(text("<v> {base64url|a?{base64|{\"k\":1}}}"), "v YT9leUpySWpveGZRPT0");
    assert_eq!(text(r"<v> {base64|a\}b}"), "v YX1i");
    assert_eq!(text("<v> {base64|{}}"), "v e30=");
}

#[test]
fn a_secret_inside_an_encoding_is_marked_in_the_encoded_text() {
    let made = expand("Basic {base64|user:<secret>}.", None, 1).unwrap();
    assert_eq!(made.value, b"secret");
    assert_eq!(made.text, b"Basic dXNlcjpzZWNyZXQ=.");
    // Five bytes before it end in the seventh character; it runs to the end.
    assert_eq!(&made.text[made.secret], b"pzZWNyZXQ=");
}

#[test]
fn checksums_are_filled_last() {
    for (name, example) in [
        ("crc32-base62", "T=<ghp_{a62:30}{checksum}>;"),
        ("crc32-hex-body", "<zpka_{lnum:32}_{checksum}>"),
        ("gitlab-routable", "<glpat-{b64u:27}.0r{checksum}>"),
        ("crc32-hex-upper-prefixed", "<ATATT3xFfGF0{b64u:171}={checksum}>"),
        ("azure-marvin-storage", "AccountKey=<{b64:76}+ASt{checksum}>;"),
        ("azure-marvin-storage", "AccountKey=<{checksum}>;"),
        ("azure-marvin-search", "<{a62:42}AzSe{checksum}>"),
        ("azure-devops-crc32", "pat: <{checksum}>"),
        ("base58check", "<xprv{b58:101}{checksum}>"),
        ("bech32-age", "<AGE-SECRET-KEY-1{checksum}>"),
        ("bip39", "seed = \"<{checksum}>\""),
        ("openpgp-crc24", "<{checksum}>"),
        ("crc32-base62", "{base64|x:<ghp_{a62:30}{checksum}>}"),
    ] {
        let algorithm = by_name(name).unwrap();
        for seed in 0..20 {
            let made = expand(example, Some(algorithm), seed).unwrap();
            assert_eq!(algorithm.verify(&made.value), Verdict::Holds, "{example}");
        }
    }
}

#[test]
fn rejects_have_no_marks() {
    let plain = |example| String::from_utf8(expand_plain(example, None, 1).unwrap()).unwrap();
    assert_eq!(plain("KEY=<your-key> -> {x:2}"), "KEY=<your-key> -> xx");
    assert_eq!(plain(r"\<a\> <<"), "<a> <<");
    let algorithm = by_name("crc32-base62");
    let made = expand_plain("let a = 'ghp_{a62:30}{checksum}';", algorithm, 1).unwrap();
    assert_eq!(algorithm.unwrap().verify(&made[9..49]), Verdict::Holds);
}

#[test]
fn errors_say_what_to_do() {
    let crc = by_name("crc32-base62");
    for (example, checksum, part) in [
        ("no mark", None, "marks no secret"),
        ("<a> <b>", None, "two secrets"),
        ("<a <b>>", None, "inside the marked secret"),
        ("<a", None, "no `>`"),
        ("<>", None, "marks nothing"),
        ("<{hex}>", None, "without a count"),
        ("<{hex:0}>", None, "without a count"),
        ("<{hex:9999999}>", None, "without a count"),
        ("<a> {base64|b", None, "no `}`"),
        ("<a{checksum}>", None, "names no algorithm"),
        ("<a> {checksum}", crc, "outside the marked secret"),
        ("<{checksum}{checksum}>", crc, "two checksums"),
        ("<{checksum}>", crc, "needs the rest"),
        ("<ghp_{a62:10}{checksum}>", crc, "cannot be made to hold"),
        ("<{base64|<a>}>", None, "two secrets"),
    ] {
        let error = expand(example, checksum, 1).unwrap_err();
        assert!(error.contains(part), "{example}: {error}");
    }
}
