//! Names and expressions in the place of a literal value.

use super::words::{is_password, is_wordlike, listed, name_before, quoted, words};
use super::{Candidate, FileKind, Outcome, Reason};

/// Types and constants that stand where a value is declared or missing.
#[rustfmt::skip]
const TYPES: &[&str] = &[
    "string", "str", "int", "integer", "bool", "boolean", "any", "number", "bytes", "object", "float",
    "double", "char", "byte", "text", "uuid", "void", "never", "unknown", "none", "null", "nil", "undefined",
    "true", "false", "optional", "self", "this", "super", "required", "secret", "secretstr", "password",
    "varchar", "nvarchar", "input", "stdin", "prompt", "getpass", "readonly", "async", "await", "return",
    "function", "lambda", "new", "const", "static", "public", "private", "protected", "yes", "no", "on",
    "off",
];

/// First parts of a member access.
#[rustfmt::skip]
const OBJECTS: &[&str] = &[
    "self", "this", "os", "process", "env", "environ", "config", "cfg", "conf", "settings", "options",
    "opts", "args", "params", "props", "state", "request", "req", "res", "response", "event", "ctx",
    "context", "app", "user", "data", "form", "session", "body", "var", "local", "module", "values",
    "secrets", "inputs", "credentials", "creds", "auth", "client", "account", "system", "path", "json",
    "result", "row", "item", "model", "flask", "django", "import", "meta", "window", "document",
    "localstorage", "string", "system", "string",
];

/// Marks that begin a comment.
const COMMENTS: [&[u8]; 7] = [b"//", b"#", b"*", b"/*", b"--", b";", b"<!--"];

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if !c.is_generic() {
        return Outcome::Keep;
    }
    let value = c.secret();
    let chosen = is_password(name_before(c.hay, c.span.start));
    let drop = if quoted(c.hay, c.span.start, c.span.end) {
        // A quoted text before a colon is a name itself.
        is_variable_name(value, chosen) || matches!(c.after(), [_, b':', ..])
    } else {
        let bare = value.strip_suffix(b"!").unwrap_or(value);
        listed(TYPES, value)
            || is_variable_name(bare, chosen)
            || value.strip_suffix(b".").is_some_and(is_wordlike)
            || is_expression(value)
            || is_number(value)
            || follows_into_expression(c)
            || (c.file == FileKind::Code && (is_wordlike(bare) || !in_string_or_comment(c)))
    };
    if drop { Outcome::Drop(Reason::CodeNotLiteral) } else { Outcome::Keep }
}

/// The name of a type or a constant in code, told by what ends it: `pwszBuffer: PCZZWSTR,`. However
/// drawn it looks, it is no literal.
pub(super) fn is_constant(c: &Candidate<'_>) -> bool {
    c.file == FileKind::Code
        && matches!(c.after(), [b',' | b';' | b')', ..])
        && c.secret().iter().all(|b| b.is_ascii_uppercase() || *b == b'_')
        && !quoted(c.hay, c.span.start, c.span.end)
        && !in_string_or_comment(c)
}

/// Names of variables and options: `API_KEY`, `apiKeyName`, `self.token`, `break-start`. A password
/// may be words with dashes between them, or a single word.
fn is_variable_name(value: &[u8], chosen: bool) -> bool {
    if is_member(value) {
        return true;
    }
    let separator = |b: &u8| matches!(b, b'_' | b'-');
    if !value.iter().all(|b| b.is_ascii_alphabetic() || separator(b)) {
        return false;
    }
    let spoken = words(value).all(is_wordlike);
    let count = words(value).count();
    match (value.contains(&b'_'), value.contains(&b'-')) {
        (true, false) => value.split(separator).all(|part| part.len() >= 2),
        (false, true) => spoken && !(chosen && count >= 3),
        (false, false) => spoken && (count >= 2 || !chosen),
        (true, true) => false,
    }
}

/// Digits with dots or colons: a version, a place in a file.
fn is_number(value: &[u8]) -> bool {
    value.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b':'))
        && value.iter().any(|b| matches!(b, b'.' | b':'))
}

/// A dotted name: `self.token`, `config.db.password`, `process.env.X`.
fn is_member(value: &[u8]) -> bool {
    let mut parts = value.split(|&b| b == b'.');
    let name = |p: &[u8]| {
        p.first().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'$'))
            && p.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'?' | b'!'))
    };
    let Some(first) = parts.next() else { return false };
    let known = listed(OBJECTS, first);
    let mut more = 0;
    for part in parts {
        // A random part with digits among the letters is a value such as `abc.d3f`.
        if !name(part) || (!known && part.iter().any(u8::is_ascii_digit)) {
            return false;
        }
        more += 1;
    }
    more > 0 && name(first) && (known || !first.iter().any(u8::is_ascii_digit))
}

/// A call, a subscript or an arrow within the value.
fn is_expression(value: &[u8]) -> bool {
    let called = |open: u8| {
        value
            .iter()
            .position(|&b| b == open)
            .is_some_and(|at| at > 0 && (value[at - 1].is_ascii_alphanumeric() || value[at - 1] == b'_'))
    };
    (called(b'(') && value[0].is_ascii_alphabetic())
        || (called(b'[') && value[0].is_ascii_alphabetic())
        || value.windows(2).any(|w| matches!(w, b"->" | b"=>" | b"::"))
        || value.starts_with(b":")
        || value.starts_with(b"&")
        || value.starts_with(b"new ")
}

/// Whether the value goes on into a call or a subscript: `getPassword` before `()`.
fn follows_into_expression(c: &Candidate<'_>) -> bool {
    let name = c.secret().iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$' | b':'));
    name && matches!(c.after(), [b'(' | b'[', ..] | [b'-', b'>', ..] | [b':', b':', ..])
}

/// Whether an odd number of quotes precedes the secret on its line, or the line is a comment.
fn in_string_or_comment(c: &Candidate<'_>) -> bool {
    let low = c.span.start.saturating_sub(400);
    let line = &c.hay[low..c.span.start];
    let line = &line[line.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1)..];
    let start = line.trim_ascii_start();
    if COMMENTS.iter().any(|m| start.starts_with(m)) {
        return true;
    }
    let mut open = None;
    let mut escaped = false;
    for &b in line {
        match (b, open) {
            _ if escaped => escaped = false,
            (b'\\', _) => escaped = true,
            (b'"' | b'\'' | b'`', None) => open = Some(b),
            (_, Some(quote)) if quote == b => open = None,
            _ => {}
        }
    }
    open.is_some() || memchr::memmem::find(line, b"// ").is_some()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, table};
    use super::*;

    #[test]
    fn expressions_in_code() {
        table(
            &Rule::generic().at("a.py"),
            run,
            Reason::CodeNotLiteral,
            &[
                "password = «os.environ»[\"DB\"]",
                "password = «getPassword»()",
                "def f(password: «string»)",
                "password=«password1»",
                "token = «self.token»",
                "secret: «Optional[str]»",
                "key = os.getenv(\"«API_KEY»\")",
                "key = \"«config.db.password»\"",
                "field = '«user_password»'",
                "token = «response.json()»",
                "apiKey: «process.env.X1»,",
                "\"output_token\": \"«NextPageToken»\"",
                "use winnow::token:«:take_while»;",
                "// tokens = «quote_spanned!» {",
                "// the password: «encrypt» it",
                "'secretsmanager': '«secrets-manager»'",
                "{ \"target\": \"Secret\", \"«source7»\": 1 }",
                "key = '«ed»' x",
                "late_pass.rs:«102:10»",
            ],
            &[
                "password = \"«Zk3mQ9xPw1»\"",
                "password = '«hunter»'",
                "password = '«correct-horse-battery-staple»'",
                "token = '«xkqzjwhfpxvtb»'",
                "# password: «Zk3mQ9xPw1»",
                "h = \"Authorization: Bearer «Zk3mQ9xPw1»\"",
                "u = 'https://u:«Zk3mQ9xPw1»@h'",
                "x = f(a) // password «Zk3mQ9xPw1»",
                "key = \"«a1.b2c3d4e5»\"",
            ],
        );
    }

    #[test]
    fn bare_words_are_values_in_settings() {
        table(
            &Rule::generic().at("app.yaml"),
            run,
            Reason::CodeNotLiteral,
            &[
                "password: «string»",
                "password: «null»",
                "password = «var.db_password»",
                "password = «data.vault.secret»",
                "pw: «random_password.this»",
            ],
            &["password: «Zk3mQ9xPw1»", "password: «correcthorse»", "PASSWORD=«hunter2»", "pw: «p.4ss.w0rd»"],
        );
        table(&Rule::structured(0), run, Reason::CodeNotLiteral, &[], &["key = «os.environ»[0]"]);
    }
}
