//! Features of the name that a value is given to.

use super::features::{Feature, Features};
use super::text::{contains, pieces};
use std::ops::Range;

/// Farthest that a name reaches to the left of the match.
const REACH: usize = 64;
/// Most words of a name that are looked at.
const WORDS: usize = 16;

/// Parts of words by which a name is one of a secret.
const KEYWORDS: &[&[u8]] = &[
    b"pass",
    b"pwd",
    b"psw",
    b"secret",
    b"token",
    b"key",
    b"auth",
    b"cred",
    b"senha",
    b"contrasen",
    b"kennwort",
    b"parola",
    b"haslo",
    b"wachtwoord",
    b"salasana",
    b"motdepasse",
    b"api",
    b"pw",
];

/// Words that begin or end like one of a secret and are none.
#[rustfmt::skip]
const FALSE: &[&[u8]] = &[
    b"passage", b"passages", b"passenger", b"passengers", b"passed", b"passes", b"passing", b"passive",
    b"passport", b"passthrough", b"passthru", b"bypass", b"compass", b"pass1", b"pass2", b"keyboard",
    b"keyboards", b"keyword", b"keywords", b"keydown", b"keyup", b"keypress", b"keycode", b"keyframe",
    b"keyframes", b"keyof", b"keyspace", b"keymap", b"keypoint", b"keypoints", b"keynote", b"keyring",
    b"monkey", b"donkey", b"turkey", b"hockey", b"jockey", b"tokenize", b"tokenizer", b"tokenizers",
    b"tokenized", b"tokenization", b"author", b"authors", b"authority", b"authored", b"authoring", b"surpass",
    b"trespass", b"secretary", b"keystroke", b"keyname", b"keytype", b"keysize", b"keylen", b"keyid",
];

const BEFORE_STRONG: &[&[u8]] = &[
    b"api",
    b"access",
    b"auth",
    b"secret",
    b"private",
    b"client",
    b"consumer",
    b"encryption",
    b"encrypt",
    b"signing",
    b"sign",
    b"master",
    b"account",
    b"shared",
    b"license",
    b"licence",
    b"session",
    b"refresh",
    b"bearer",
    b"oauth",
    b"oauth2",
    b"bot",
    b"webhook",
    b"jwt",
    b"app",
    b"application",
    b"admin",
    b"service",
    b"user",
    b"storage",
    b"subscription",
    b"deploy",
    b"deployment",
    b"push",
    b"security",
    b"crypt",
    b"crypto",
    b"cipher",
    b"aes",
    b"des",
    b"rsa",
    b"hmac",
    b"ssh",
    b"ssl",
    b"tls",
    b"id",
    b"personal",
    b"github",
    b"gitlab",
    b"slack",
    b"aws",
    b"gcp",
    b"azure",
    b"google",
    b"stripe",
    b"twilio",
    b"sendgrid",
    b"npm",
    b"pypi",
    b"x",
    b"db",
    b"my",
    b"server",
];

/// Words for what anybody may see, or for what is made for one use.
const PUBLIC: &[&[u8]] = &[
    b"public",
    b"publishable",
    b"pub",
    b"pubkey",
    b"publickey",
    b"site",
    b"sitekey",
    b"csrf",
    b"xsrf",
    b"next",
    b"page",
    b"continuation",
    b"idempotency",
    b"lock",
    b"verifying",
    b"peer",
];

/// Words that speak against a secret wherever they stand in a name.
#[rustfmt::skip]
const OTHER: &[&[u8]] = &[
    b"encode", b"decode", b"replace", b"split", b"startswith", b"endswith", b"equals", b"get", b"find",
    b"cancel",
    b"cancellation", b"syntax", b"lex", b"lexer", b"parse", b"parser", b"separator", b"delimiter", b"comma",
    b"primary", b"foreign", b"sort", b"partition", b"hash", b"range", b"row", b"cache", b"map", b"object",
    b"dict", b"translation", b"i18n", b"registry", b"hot", b"shortcut", b"arrow", b"natural", b"unique",
    b"index", b"change", b"max", b"min", b"total", b"num", b"count", b"pad", b"eos", b"bos",
    b"unk", b"sep", b"mask", b"cls", b"special", b"name", b"label", b"type", b"url", b"uri", b"path", b"file",
    b"field", b"header", b"length", b"size", b"regex", b"regexp", b"pattern", b"error", b"message", b"msg",
    b"text", b"title", b"placeholder", b"hint", b"description", b"desc", b"prompt", b"required", b"invalid",
    b"policy", b"expires", b"expiry", b"ttl", b"help", b"format", b"prefix", b"suffix", b"column", b"endpoint",
    b"event", b"press", b"node", b"class", b"style", b"css", b"icon", b"image", b"attr", b"attribute", b"prop",
    b"property", b"param", b"parameter", b"arg", b"option", b"input", b"output", b"form", b"filter", b"query",
    b"context", b"injection", b"reflect", b"symbol", b"version", b"algorithm", b"alg", b"method", b"mode",
];

const TEST: &[&[u8]] =
    &[b"test", b"tests", b"testing", b"example", b"sample", b"dummy", b"fake", b"mock", b"expected", b"demo"];

/// A family of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Password,
    Secret,
    Token,
    Key,
    Auth,
}

fn family(word: &[u8]) -> Option<Family> {
    let is = |list: &[&[u8]]| list.contains(&word);
    let ends = |end: &[u8]| word.ends_with(end);
    if is(FALSE) {
        return None;
    }
    let password = word.starts_with(b"pass")
        || ends(b"pass")
        || ends(b"pwd")
        || ends(b"passwd")
        || ends(b"password")
        || ends(b"psw")
        || ends(b"passwords")
        || is(&[
            b"pw",
            b"pswd",
            b"pwds",
            b"mdp",
            b"senha",
            b"contrasena",
            b"contrasenia",
            b"clave",
            b"kennwort",
        ])
        || is(&[b"parola", b"haslo", b"wachtwoord", b"salasana", b"motdepasse", b"passwort", b"pword"]);
    if password {
        Some(Family::Password)
    } else if word.starts_with(b"secret") || ends(b"secret") || ends(b"secrets") {
        Some(Family::Secret)
    } else if word.starts_with(b"token") || ends(b"token") || ends(b"tokens") {
        Some(Family::Token)
    } else if ends(b"key") || ends(b"keys") || is(&[b"apikey", b"apikeys"]) {
        Some(Family::Key)
    } else if word.starts_with(b"cred") || word.starts_with(b"auth") || ends(b"auth") {
        Some(Family::Auth)
    } else {
        None
    }
}

fn is_name(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'$' | b'@')
}

/// Where the name stands: of the names in the match before the value, the first that holds a
/// keyword; else the first of all.
pub(super) fn find(hay: &[u8], whole: &Range<usize>, span: &Range<usize>) -> Range<usize> {
    let low = whole.start.saturating_sub(REACH);
    let back = hay[low..whole.start].iter().rev().take_while(|b| is_name(b)).count();
    // In `"accept": "x", password` the name begins where the match does.
    let touches = hay.get(whole.start).is_some_and(is_name);
    let start = if touches { whole.start - back } else { whole.start };
    let (mut at, mut first) = (start, None);
    let end = span.start.max(start);
    while at < end {
        let skip = hay[at..end].iter().take_while(|b| !is_name(b)).count();
        let from = at + skip;
        let len = hay[from..end].iter().take_while(|b| is_name(b)).count();
        if len == 0 {
            break;
        }
        let name = from..from + len;
        if KEYWORDS.iter().any(|k| contains(&hay[name.clone()], k)) {
            return name;
        }
        at = name.end;
        first.get_or_insert(name);
    }
    first.unwrap_or(start..start)
}

pub(super) fn measure(f: &mut Features, name: &[u8]) {
    let mut buffer = [0u8; 2 * REACH];
    let mut ends = [0usize; WORDS];
    let (mut n, mut at) = (0, 0);
    for word in pieces(&name[..name.len().min(buffer.len())]).take(WORDS) {
        buffer[at..at + word.len()].copy_from_slice(word);
        at += word.len();
        ends[n] = at;
        n += 1;
    }
    buffer[..at].make_ascii_lowercase();
    let word = |i: usize| &buffer[if i == 0 { 0 } else { ends[i - 1] }..ends[i]];
    // A number at the end counts the names: `password2`.
    let stem = |w: &[u8]| w.iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |i| i + 1);
    let mut last_family = None;
    let mut strong = false;
    for i in 0..n {
        let w = &word(i)[..stem(word(i))];
        let Some(family) = family(w) else { continue };
        last_family = Some(i);
        let feature = match family {
            Family::Password => Feature::NamePassword,
            Family::Secret => Feature::NameSecret,
            Family::Token => Feature::NameToken,
            Family::Key => Feature::NameKey,
            Family::Auth => Feature::NameAuth,
        };
        f.flag(feature, true);
        strong |= match family {
            Family::Password | Family::Secret => true,
            Family::Token | Family::Key => {
                w.len() > 6 || i.checked_sub(1).is_some_and(|j| BEFORE_STRONG.contains(&word(j)))
            }
            Family::Auth => false,
        };
    }
    let any = |list: &[&[u8]]| (0..n).filter(|&i| list.contains(&&word(i)[..stem(word(i))])).count();
    f.set(Feature::NameLength, name.len());
    f.set(Feature::NameWords, n);
    f.flag(Feature::NameStrong, strong);
    f.flag(Feature::NameLast, n > 0 && last_family == Some(n - 1));
    f.flag(Feature::NameAttribute, n > 0 && crate::detect::filter::is_attribute(word(n - 1)));
    f.set(Feature::NameOther, any(OTHER));
    f.set(Feature::NamePublic, any(PUBLIC));
    f.set(Feature::NameTest, any(TEST));
    f.flag(Feature::NamePlural, n > 0 && word(n - 1).ends_with(b"s") && !word(n - 1).ends_with(b"ss"));
    let letters = name.iter().filter(|b| b.is_ascii_alphabetic());
    f.flag(Feature::NameCapitals, n > 0 && letters.clone().all(u8::is_ascii_uppercase));
    f.set(Feature::NameDotted, name.iter().filter(|b| matches!(b, b'.' | b'-' | b'/' | b'$' | b'@')).count());
    f.set(Feature::NameAfter, last_family.map_or(n, |i| n - 1 - i));
    f.set(Feature::NameBefore, last_family.unwrap_or(n));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Features {
        let mut f = Features::new();
        measure(&mut f, name.as_bytes());
        f
    }

    #[test]
    fn the_name_with_the_keyword_is_taken() {
        for (text, match_from, expected) in [
            ("my.db_password: &str = \"#", "password", "my.db_password"),
            ("<property name=\"db.passwd\" value=\"#", "name", "db.passwd"),
            ("x <apiKey>#", "<apiKey", "apiKey"),
            ("https://user:#", "https", "https"),
            ("curl -u me:#", "curl", "curl"),
        ] {
            let at = text.find('#').unwrap();
            let start = text.find(match_from).unwrap();
            let span = find(text.as_bytes(), &(start..at + 1), &(at..at + 1));
            assert_eq!(&text[span], expected);
        }
    }

    #[test]
    fn names_are_measured() {
        for (name, feature, value) in [
            ("apiKey", Feature::NameStrong, 1),
            ("key", Feature::NameStrong, 0),
            ("DB_PASSWORD2", Feature::NameLast, 1),
            ("password_length", Feature::NameLast, 0),
            ("password_length", Feature::NameAfter, 1),
            ("password_length", Feature::NameAttribute, 1),
            ("keyboard", Feature::NameKey, 0),
            ("publicKey", Feature::NamePublic, 1),
            ("AUTHOR", Feature::NameAuth, 0),
            ("AUTH", Feature::NameAuth, 1),
            ("tokens", Feature::NamePlural, 1),
            ("test_secret", Feature::NameTest, 1),
            ("SECRET", Feature::NameCapitals, 1),
            ("", Feature::NameWords, 0),
        ] {
            assert_eq!(of(name).get(feature), value, "{name} {feature:?}");
        }
    }
}
