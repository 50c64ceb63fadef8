//! One escape for each kind of sink. Input is text of any origin; output is safe to place where the
//! function's name says, and says the same to a reader.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;

/// Characters that steer a terminal, hide, or reorder what surrounds them.
pub(super) fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Whether a build log's older command syntax begins here: `##[…]`, `##vso[…]`, `##teamcity[…]`.
/// Unlike `::command::`, runners take it anywhere in a line.
fn log_command(rest: &str) -> bool {
    rest.strip_prefix("##")
        .is_some_and(|r| r.trim_start_matches(|c: char| c.is_ascii_alphabetic()).starts_with('['))
}

/// One line that neither a terminal nor a build log acts upon.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'#') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(plain_marked(text, 0..0).0)
}

/// [`plain`], with a byte range of `text` carried over to the result.
pub(super) fn plain_marked(text: &str, mark: Range<usize>) -> (String, Range<usize>) {
    let mut out = String::with_capacity(text.len());
    let (mut start, mut end) = (None, None);
    for (i, c) in text.char_indices() {
        if i >= mark.start {
            start.get_or_insert(out.len());
        }
        if i >= mark.end {
            end.get_or_insert(out.len());
        }
        if unprintable(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else if c == '#' && log_command(&text[i..]) {
            out.push_str("\\x23");
        } else {
            out.push(c);
        }
    }
    let (start, end) = (start.unwrap_or(out.len()), end.unwrap_or(out.len()));
    (out, start..end.max(start))
}

/// A CSV cell, always quoted. A cell that a spreadsheet would take for a formula gets a leading
/// apostrophe, which spreadsheets show as "this is text".
pub(super) fn csv(text: &str) -> String {
    let text = plain(text);
    let formula =
        text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    // `plain` has spelled out a leading tab or carriage return, so neither can hide a formula.
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// Text of XML or HTML, or a quoted attribute's value. What XML 1.0 forbids is spelled out by [`plain`].
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Text inside a Markdown line or table cell. Each character that Markdown, HTML or mathematics
/// could act upon becomes an entity. Forges look for mentions, references and mail addresses only
/// after entities are resolved, so the signs that make those stand in an element of their own.
pub fn markdown(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.char_indices() {
        let before = &text.as_bytes()[..i];
        match c {
            '@' => out.push_str("<span>@</span>"),
            '#' if text[i + 1..].starts_with(|n: char| n.is_ascii_digit()) => out.push_str("<span>#</span>"),
            '.' if before.len() >= 3 && before[i - 3..].eq_ignore_ascii_case(b"www") => out.push_str("&#46;"),
            c if "&<>\"'`*_{}[]|~$:\\!".contains(c) => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Inline code in Markdown. The element, unlike backticks, needs no fence longer than its content,
/// and forges look for no mentions in it.
pub fn markdown_code(text: &str) -> String {
    format!("<code>{}</code>", markdown(text))
}

/// The message of a workflow command.
pub(super) fn workflow_data(text: &str) -> String {
    plain(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
pub(super) fn workflow_property(text: &str) -> String {
    workflow_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The path of a URI: unreserved characters and `/` stay, every other byte is percent-encoded.
pub(super) fn uri(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &b in bytes {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(b))
            }
            b => {
                let _ = write!(out, "%{b:02X}");
            }
        }
    }
    out
}

/// Text inside a SARIF message, where brackets make links, braces are placeholders, and viewers
/// may render the rest as Markdown: such characters are percent-encoded, as is whatever is
/// unprintable.
pub(super) fn sarif(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if unprintable(c) || "%{}[]<>\"'`*\\|&".contains(c) {
            out.push_str(&uri(c.encode_utf8(&mut [0; 4]).as_bytes()));
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes `value` as one line of JSON. What a terminal or build log would act upon is written as
/// `\uNNNN`, which a JSON reader gives back unchanged.
pub(super) fn json(out: &mut (impl io::Write + ?Sized), value: &impl serde::Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Wary)).map_err(io::Error::from)
}

struct Wary;

impl serde_json::ser::Formatter for Wary {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, w: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'#') {
            return w.write_all(fragment.as_bytes());
        }
        let mut done = 0;
        for (i, c) in fragment.char_indices() {
            if unprintable(c) || (c == '#' && fragment[i + 1..].starts_with('#')) {
                w.write_all(&fragment.as_bytes()[done..i])?;
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(w, "\\u{unit:04x}")?;
                }
                done = i + c.len_utf8();
            }
        }
        w.write_all(&fragment.as_bytes()[done..])
    }
}

/// How many cells of a terminal a printable text takes, nearly enough to put a mark below it.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

fn cells(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x1ab0..=0x1aff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn table(escape: impl Fn(&str) -> String, rows: &[(&str, &str)]) {
        for (input, expected) in rows {
            assert_eq!(escape(input), *expected, "{input:?}");
        }
    }

    #[test]
    fn plain_spells_out_what_a_terminal_or_log_acts_upon() {
        table(
            |s| plain(s).into_owned(),
            &[
                ("kept as it is: ä 漢 #1 ## [", "kept as it is: ä 漢 #1 ## ["),
                ("\x1b[31m", "\\u{1b}[31m"),
                ("a\r\n\tb", "a\\u{d}\\u{a}\\u{9}b"),
                ("\u{9b}x\u{202e}y\u{200b}", "\\u{9b}x\\u{202e}y\\u{200b}"),
                ("\u{e0041}", "\\u{e0041}"),
                ("a ##[error]b", "a \\x23#[error]b"),
                ("###vso[task]", "#\\x23#vso[task]"),
            ],
        );
    }

    #[test]
    fn a_mark_stays_on_its_text() {
        let (text, mark) = plain_marked("\x07a漢\x07b", 2..6);
        assert_eq!((text.as_str(), &text[mark]), ("\\u{7}a漢\\u{7}b", "漢\\u{7}"));
        assert_eq!(plain_marked("ab", 1..9), ("ab".to_owned(), 1..2));
        assert_eq!(plain_marked("", 0..0), (String::new(), 0..0));
    }

    #[test]
    fn csv_cells_are_quoted_and_are_no_formulas() {
        table(
            csv,
            &[
                ("a", "\"a\""),
                ("a\"b,c", "\"a\"\"b,c\""),
                ("=cmd()", "\"'=cmd()\""),
                ("+1", "\"'+1\""),
                ("-1", "\"'-1\""),
                ("@x", "\"'@x\""),
                ("  =x", "\"'  =x\""),
                ("\t=x", "\"\\u{9}=x\""),
                ("\r=x", "\"\\u{d}=x\""),
                ("a\nb", "\"a\\u{a}b\""),
                ("\u{ff1d}x", "\"'\u{ff1d}x\""),
            ],
        );
    }

    #[test]
    fn xml_holds_neither_markup_nor_forbidden_characters() {
        table(
            xml,
            &[
                ("<a b='c'>&\"", "&lt;a b=&#39;c&#39;&gt;&amp;&quot;"),
                ("]]>", "]]&gt;"),
                ("\0\x08\u{ffff}\n", "\\u{0}\\u{8}\\u{ffff}\\u{a}"),
            ],
        );
    }

    #[test]
    fn markdown_has_no_active_characters_left() {
        table(
            markdown,
            &[
                ("a-b_c/d.rs", "a-b&#95;c/d.rs"),
                ("<script>", "&#60;script&#62;"),
                ("a|b`c`", "a&#124;b&#96;c&#96;"),
                ("[x](y)", "&#91;x&#93;(y)"),
                ("@team #12 #x", "<span>@</span>team <span>#</span>12 #x"),
                ("https://a.b www.a.b", "https&#58;//a.b www&#46;a.b"),
                ("a\n# b", "a&#92;u&#123;a&#125;# b"),
            ],
        );
        assert_eq!(markdown_code("a`b"), "<code>a&#96;b</code>");
    }

    #[test]
    fn workflow_commands_cannot_be_left_or_begun() {
        table(workflow_data, &[("100%\r\n::error::x", "100%25\\u{d}\\u{a}::error::x")]);
        table(workflow_property, &[("a,b:c%", "a%2Cb%3Ac%25")]);
    }

    #[test]
    fn uris_encode_bytes() {
        assert_eq!(uri(b"a b/\xff:%~-._"), "a%20b/%FF%3A%25~-._");
    }

    #[test]
    fn sarif_messages_hold_no_links_and_no_placeholders() {
        table(sarif, &[("[a](1) {0} 'x' ä\n", "%5Ba%5D(1) %7B0%7D %27x%27 ä%0A"), ("50%", "50%25")]);
    }

    #[test]
    fn json_reads_back_the_same_and_is_safe_on_a_terminal() {
        let value = "a\u{9b}\u{202e}\x1b##[error]\u{e0041}\"\\ #1";
        let mut out = Vec::new();
        json(&mut out, &value).unwrap();
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), value);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, r##""a\u009b\u202e\u001b\u0023#[error]\udb40\udc41\"\\ #1""##);
    }

    #[test]
    fn wide_and_combining_characters_are_measured() {
        assert_eq!((width("ab"), width("漢"), width("e\u{301}")), (2, 2, 1));
    }
}
