//! Features of what stands around: words that go with a login, with tests, with grammars.

use super::features::{Feature, Features};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::ops::Range;
use std::sync::OnceLock;

/// How far is looked, before and after. A first look at a history relies on it; see `detect::look`.
pub(in crate::detect) const REACH: usize = 260;
/// Most of anything that is counted.
const MOST: usize = 12;
/// Lines around that are compared with the value's own.
const LINES: usize = 6;

/// Words that count, lower case, by what they speak of.
#[rustfmt::skip]
const WORDS: &[(Feature, &[&str])] = &[
    (Feature::NearLogin, &[
        "user", "login", "email", "hostname", "host:", "host=", "\"host\"", "'host'", "dbname", "database", "jdbc",
        "smtp", "ftp", "ssh", "mysql", "postgres", "mongo", "redis", "amqp", "ldap", "connect", "account", "port:",
        "port=", "\"port\"", "'port'", "endpoint", "server", "client_id", "clientid", "driver",
    ]),
    (Feature::NearSecret, &[
        "password", "passwd", "pwd", "secret", "token", "apikey", "api_key", "api-key", "credential", "private_key",
        "access_key", "accesskey",
    ]),
    (Feature::NearTest, &[
        "test", "mock", "fake", "dummy", "example", "sample", "fixture", "assert", "expect", "stub", "should",
        "describe(", "foo", "bar\"",
    ]),
    (Feature::NearHash, &[
        "sha1", "sha256", "sha512", "sha-", "md5", "digest", "hash", "checksum", "hmac", "vector", "nonce", "cipher",
        "plaintext", "signature", "encrypt", "commit", "integrity", "uuid", "guid", "public", "salt", "\"iv\"",
    ]),
    (Feature::NearText, &[
        "label", "title", "placeholder", "tooltip", "message", "descri", "please", "your ", "enter ", "forgot",
        "invalid", "must ", "error", "required", "button", "translat", "default", "option", " the ", " is ",
    ]),
    (Feature::NearGrammar, &[
        "token::", "tok_", "lexer", "parser", "grammar", "syntax", "keyword", "punct", "kind", "node", "enum",
        "schema", "type\"", "\"type", "property", "field", "column", "keycode", "event", "class",
    ]),
];

/// Words that count on the value's own line only.
const LOOKUP: &[&str] = &[
    "getenv",
    "environ",
    "process.env",
    "get(",
    "gettext",
    "i18n",
    "print",
    "echo ",
    "log(",
    "logger",
    "raise",
    "throw",
    "format(",
    "regex",
    "compile(",
    "match(",
    "replace(",
    "split(",
    "selector",
    "xpath",
    "localstorage",
    "cookie",
    "badge",
    "svg",
    "pretrained",
    "load(",
    "header",
    "import ",
    "require(",
    "return ",
    "if ",
    "case ",
    "$t(",
    "_(\"",
    "_('",
    "contains",
];

struct Finder {
    words: AhoCorasick,
    /// Of each word, its feature.
    speaks: Vec<Feature>,
}

fn finder() -> &'static Finder {
    static FINDER: OnceLock<Finder> = OnceLock::new();
    FINDER.get_or_init(|| {
        let all = WORDS.iter().flat_map(|(feature, words)| words.iter().map(|w| (*feature, *w)));
        let all: Vec<(Feature, &str)> = all.chain(LOOKUP.iter().map(|w| (Feature::Lookup, *w))).collect();
        let words = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::DFA))
            .ascii_case_insensitive(true)
            .build(all.iter().map(|(_, w)| w))
            .expect("because the words are few and short");
        Finder { words, speaks: all.into_iter().map(|(feature, _)| feature).collect() }
    })
}

pub(super) fn measure(
    f: &mut Features,
    hay: &[u8],
    line: &Range<usize>,
    name: &Range<usize>,
    span: &Range<usize>,
) {
    let low = name.start.min(span.start).saturating_sub(REACH);
    let high = (span.end + REACH).min(hay.len());
    let finder = finder();
    let mut counts = [0u8; super::features::COUNT];
    // Neither the name nor the value speaks for itself.
    for part in [low..name.start.min(span.start), name.end.min(span.start)..span.start, span.end..high] {
        for found in finder.words.find_iter(&hay[part.clone()]) {
            let feature = finder.speaks[found.pattern().as_usize()];
            let at = part.start + found.start();
            if feature != Feature::Lookup || line.contains(&at) {
                counts[feature as usize] = counts[feature as usize].saturating_add(1);
            }
        }
    }
    let features = WORDS.iter().map(|(feature, _)| *feature).chain([Feature::Lookup]);
    features.for_each(|feature| f.set(feature, usize::from(counts[feature as usize]).min(MOST)));
    let (mut hex, mut long) = (0, 0);
    for part in [low..name.start.min(span.start), span.end..high] {
        let (h, l) = runs(&hay[part]);
        hex += h;
        long += l;
    }
    f.set(Feature::NearHex, hex.min(MOST));
    f.set(Feature::NearLong, long.min(MOST));
    f.set(Feature::NearAlike, alike(hay, low, high, line));
}

/// Rows of letters and digits that are hexadecimal and at least 16 long, and other mixed ones of at
/// least 20.
fn runs(text: &[u8]) -> (usize, usize) {
    let (mut hex, mut long) = (0, 0);
    for run in text.split(|b| !b.is_ascii_alphanumeric()).filter(|r| r.len() >= 16) {
        let digits = run.iter().filter(|b| b.is_ascii_digit()).count();
        if digits > 0 && run.iter().all(u8::is_ascii_hexdigit) {
            hex += 1;
        } else if run.len() >= 20 && digits >= 2 && digits < run.len() {
            long += 1;
        }
    }
    (hex, long)
}

/// Lines just before and after that begin with the same characters.
fn alike(hay: &[u8], low: usize, high: usize, line: &Range<usize>) -> usize {
    fn head(line: &[u8]) -> &[u8] {
        let line = line.trim_ascii_start();
        &line[..line.len().min(5)]
    }
    let own = head(&hay[line.clone()]);
    if own.len() < 3 {
        return 0;
    }
    let same = |l: &&[u8]| head(l) == own;
    let before =
        hay[low..line.start.max(low)].rsplit(|&b| b == b'\n').skip(1).take(LINES).filter(same).count();
    let after = hay[line.end.min(high)..high].split(|&b| b == b'\n').skip(1).take(LINES).filter(same).count();
    before + after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_is_counted() {
        let hay =
            b"host: db\nuser: app\n  \"k1\": 1\n  \"k2\": \"SECRET\"\n  \"k3\": 0123456789abcdef0123\nassert";
        let at = hay.windows(6).position(|w| w == b"SECRET").unwrap();
        let line = super::super::line::of(hay, &(at - 4..at - 2), &(at..at + 6));
        let mut f = Features::new();
        measure(&mut f, hay, &line, &(at - 5..at - 3), &(at..at + 6));
        assert_eq!(f.get(Feature::NearLogin), 2);
        assert_eq!(f.get(Feature::NearTest), 1);
        assert_eq!(f.get(Feature::NearHex), 1);
        assert_eq!(f.get(Feature::NearSecret), 0);
    }
}
