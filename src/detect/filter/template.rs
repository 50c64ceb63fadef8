//! Templates and references: the secret itself stands elsewhere.

use super::words::token_start;
use super::{Candidate, Outcome, Reason};
use memchr::memmem;

/// How references to stores of secrets begin.
const REFERENCES: &[&[u8]] = &[
    b"op://",
    b"vault:",
    b"vault://",
    b"secret://",
    b"secrets://",
    b"awssm://",
    b"gcpsm://",
    b"azurekv://",
    b"akv://",
    b"sm://",
    b"ssm:",
    b"ssm://",
    b"bws://",
    b"doppler://",
    b"infisical://",
    b"keyring:",
    b"keychain:",
    b"ref+",
    b"arn:aws",
    b"projects/",
    b"secretsmanager:",
    b"resolve:",
    b"file:",
    b"file://",
    b"env:",
    b"env://",
    b"env.",
    b"ENV[",
    b"ENV.",
    b"secrets.",
    b"vars.",
    b"inputs.",
    b"process.env",
    b"os.environ",
    b"@Microsoft.KeyVault",
    b"{{resolve:",
    b"!Ref",
    b"!Sub",
    b"!GetAtt",
    b"!ImportValue",
    b"!secret",
    b"!vault",
    b"!env_var",
    b"lookup(",
    b"getenv(",
];

/// Tags of YAML and HCL after which a bare word is a name.
const TAGS: &[&[u8]] =
    &[b"!Ref ", b"!Sub ", b"!GetAtt ", b"!ImportValue ", b"!secret ", b"!vault ", b"!env_var "];

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if is_interpolated(c.secret(), c.is_generic()) || (!c.rule.is_distinctive() && is_reference(c)) {
        Outcome::Drop(Reason::Template)
    } else {
        Outcome::Keep
    }
}

fn is_reference(c: &Candidate<'_>) -> bool {
    let secret = c.secret();
    if is_enclosed(c) || TAGS.iter().any(|tag| c.before().ends_with(tag)) {
        return true;
    }
    if !c.is_generic() {
        return false;
    }
    if is_verb(secret) {
        return true;
    }
    let start = token_start(c.hay, c.span.start);
    let begins = |text: &[u8]| REFERENCES.iter().any(|p| text.starts_with(p));
    begins(secret) || (start < c.span.start && begins(&c.hay[start..]))
}

/// Whether the marks of a template stand right around the secret. A default value, as in
/// `${VAR:-value}`, does not touch the opening mark.
fn is_enclosed(c: &Candidate<'_>) -> bool {
    let (before, after) = (c.before().trim_ascii_end(), c.after().trim_ascii_start());
    let both = |open: &[u8], close: &[u8]| before.ends_with(open) && after.starts_with(close);
    both(b"${", b"}")
        || both(b"{{", b"}}")
        || both(b"#{", b"}")
        || both(b"$(", b")")
        || both(b"%(", b")")
        || both(b"<%=", b"%>")
        || both(b"[[", b"]]")
        || (c.before().ends_with(b"<") && c.after().starts_with(b">"))
        || (c.before().ends_with(b"%") && c.after().starts_with(b"%"))
        || (c.before().ends_with(b"@") && c.after().starts_with(b"@"))
        || (c.is_generic() && c.before().ends_with(b"$") && is_name(c.secret()))
}

fn is_name(text: &[u8]) -> bool {
    text.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// A name that a person would give a variable: no digits except at the end, and upper case, lower
/// case or words; so that a password such as `$ecr3t` is none.
fn is_variable(text: &[u8]) -> bool {
    let stem = &text[..text.iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |i| i + 1)];
    is_name(text) && !stem.iter().any(u8::is_ascii_digit)
}

/// Whether a secret holds an interpolation. Bytes that begin one are looked for first, since most
/// secrets have none.
/// A verb of a format, beside the texts that a program was built with: `token: %v`.
fn is_verb(secret: &[u8]) -> bool {
    matches!(secret, [b'%', b'v' | b's' | b'q' | b'w', ..])
}

fn is_interpolated(secret: &[u8], generic: bool) -> bool {
    if !secret.iter().any(|b| matches!(b, b'$' | b'{' | b'<' | b'%' | b'#' | b'@' | b'[')) {
        return false;
    }
    let has = |mark: &[u8]| memmem::find(secret, mark).is_some();
    if has(b"${") || has(b"{{") || has(b"#{") || has(b"$(") || has(b"<%") || has(b"${{") || has(b"$[[") {
        return true;
    }
    if let Some(name) = secret.strip_prefix(b"$") {
        return generic && name.split(|b| matches!(b, b'.' | b'-')).all(is_variable);
    }
    let named = |open: u8, close: u8| {
        let start = secret.iter().position(|&b| b == open)? + 1;
        let end = start + secret[start..].iter().position(|&b| b == close)?;
        Some(&secret[start..end])
    };
    // `<your key>` and `{name}`; `%NAME%` and `@NAME@`; `%(name)s`; `%s` and `{0}` alone.
    let words = |text: &[u8]| {
        text.iter().any(u8::is_ascii_alphabetic)
            && text.iter().all(|b| b.is_ascii_alphanumeric() || b"_-. :/".contains(b))
    };
    named(b'<', b'>').is_some_and(words)
        || named(b'{', b'}').is_some_and(|n| n.is_empty() || n.iter().all(u8::is_ascii_digit) || words(n))
        || [b'%', b'@'].iter().any(|&m| {
            named(m, m).is_some_and(|n| {
                n.first().is_some_and(|b| !b.is_ascii_digit())
                    && n.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
            })
        })
        || (has(b"%(") && has(b")s"))
        || (secret.starts_with(b"%") && secret.len() <= 4 && is_name(&secret[1..]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, random, table};
    use super::*;

    #[test]
    fn interpolations_inside_the_value() {
        table(
            &Rule::generic(),
            run,
            Reason::Template,
            &[
                "password: «${DB_PASSWORD}»",
                "password: \"«abc${x}def»\"",
                "token: «{{ .Values.token }}»",
                "x = \"«#{secret}»\"",
                "pw=«$(cat /run/pw)»",
                "pw=«$DB_PASS»",
                "pw = «$password1»",
                "key = '«$request.header.x-api-key»'",
                "key: «<your-api-key>»",
                "key: «%API_KEY%»",
                "key: «@API_KEY@»",
                "key: «%(password)s»",
                "url = \"u:«%s»\"",
                "f\"u:«{password}»\"",
                "\"u:«{0}»\"",
                "\"u:«{}»\"",
                "x: «<%= token %>»",
            ],
            &[
                "pw = \"«$ecr3tW0rd»\"",
                "pw = \"«abc%def»\"",
                "pw = \"«p@ssw0rd@1»\"",
                "pw = \"«a{b»\"",
                "pw = \"«a#b$c»\"",
                "pw = \"«1<2>3»\"",
                "pw = \"«100%25%ab»\"",
            ],
        );
    }

    #[test]
    fn references_and_marks_around_the_value() {
        let r = random(1, 20);
        let make = |t: &str| t.replace('#', &r);
        let dropped = [
            "pw: «op://vault/item/#»",
            "pw: «arn:aws:secretsmanager:eu-1:1:secret:#»",
            "pw: op://vault/«#»",
            "pw: ${«#»}",
            "pw: ${{ «#» }}",
            "pw: {{ «#» }}",
            "pw: $«DB_PASS»",
            "pw: <«#»>",
            "pw: %«#»%",
            "pw: !Ref «#»",
            "pw: !secret «#»",
            "pw: secrets.«#»",
            "pw: '@Microsoft.KeyVault(«#»)'",
        ]
        .map(make);
        let kept =
            ["pw: ${DB:-«#»}", "pw: «#»", "<pw>«#»</pw>", "pw: {\"a\":\"«#»\"}", "pw = f(«#»)", "pw: [«#»]"]
                .map(make);
        let refs = |list: &[String]| list.iter().map(String::as_str).collect::<Vec<_>>().join("\u{1}");
        let (dropped, kept) = (refs(&dropped), refs(&kept));
        let split = |list: &'static str| list.split('\u{1}').collect::<Vec<_>>();
        let (dropped, kept): (&'static str, &'static str) = (dropped.leak(), kept.leak());
        table(&Rule::generic(), run, Reason::Template, &split(dropped), &split(kept));
    }

    #[test]
    fn a_distinctive_key_survives_marks_around_it_but_not_inside() {
        let key = format!("<«acm_{}»>", random(1, 20));
        table(&Rule::structured(4), run, Reason::Template, &["«acm_${KEY}»", "«acm_<token>»"], &[&key]);
    }
}
