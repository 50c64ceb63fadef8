//! Paths, URLs and names of files, and pieces of them.

use super::words::{is_wordlike, token_start, words};
use super::{Candidate, Outcome, Reason};
use memchr::memmem;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    let secret = c.secret();
    let own_edge = c.span.start == c.whole.start;
    let found = if c.is_generic() {
        is_url(secret) || is_path(secret) || is_file_name(secret)
    } else if c.rule.fixed == 0 && !c.rule.block && own_edge {
        secret.contains(&b'/') && (is_in_url(c) || is_path(secret))
    } else {
        false
    };
    if found { Outcome::Drop(Reason::Path) } else { Outcome::Keep }
}

/// A URL without a user part.
fn is_url(value: &[u8]) -> bool {
    memmem::find(value, b"://").is_some_and(|at| {
        let host = &value[at + 3..];
        at <= 8 && !host[..host.iter().position(|&b| b == b'/').unwrap_or(host.len())].contains(&b'@')
    })
}

/// Whether a URL or an ARN begins in the token that the secret is a part of.
fn is_in_url(c: &Candidate<'_>) -> bool {
    let token = &c.hay[token_start(c.hay, c.span.start)..c.span.start];
    memmem::find(token, b"://").is_some() || token.starts_with(b"arn:")
}

/// Slashes between words: at least two of them, or one at the front. Base64 has slashes too, but
/// nothing between them that can be spoken.
fn is_path(value: &[u8]) -> bool {
    let rooted = [&b"/"[..], b"./", b"../", b"~/"].iter().any(|p| value.starts_with(p));
    let slashes = value.iter().filter(|&&b| b == b'/').count();
    if slashes < 2 - usize::from(rooted) {
        return false;
    }
    let letters: usize = words(value).filter(|w| w.len() >= 3 && is_wordlike(w)).map(<[u8]>::len).sum();
    letters * 2 >= value.len() - slashes
}

/// Words, a dot and a short extension.
fn is_file_name(value: &[u8]) -> bool {
    let Some(dot) = value.iter().rposition(|&b| b == b'.') else { return false };
    let (stem, extension) = (&value[..dot], &value[dot + 1..]);
    (1..=4).contains(&extension.len())
        && extension.iter().all(u8::is_ascii_lowercase)
        && stem.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_' | b'.' | b'/'))
        && words(stem).all(is_wordlike)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, random, table};
    use super::*;

    #[test]
    fn paths_and_urls_beside_a_name() {
        table(
            &Rule::generic(),
            run,
            Reason::Path,
            &[
                "\"secretRef\": \"«/properties/TokenValue»\"",
                "PWD: «/home/nodeuser/project»",
                "token: «https://acme.org/tokens#new»",
                "credential: «../certs/client.pem»",
                "password: «/bin/systemctl»",
                "credential.o: «git-credential.c»",
                "key: «certs/server/private»",
            ],
            &[
                "token: «/kJ8x2mQ9zLwP0aB/tR5q==»",
                "token: «https://u:Zk3mQ9xPw1@acme.org»",
                "pw: «Zk3mQ9.xPw1»",
                "pw: «a/b»",
                "pw: «hunter.2»",
            ],
        );
    }

    #[test]
    fn pieces_of_urls_are_no_base64() {
        let r = random(1, 20);
        let aws = Rule { alphabet: b"azAZ09+/", ..Rule::structured(0) };
        table(
            &aws,
            run,
            Reason::Path,
            &[
                "<https://docs.aws.org/«AWSEC2/latest/UserGuide/EBSSnapshots».html>",
                "x: «latest/UserGuide/some/Deeper/Heading»",
                &format!("https://host/«id/{r}»"),
                &format!("\"arn:aws:iam::aws:«policy/{r}»\""),
            ],
            &[&format!("«{r}/{r}»"), &format!("secret=«{r}/x+{r}/»")],
        );
        table(&Rule::structured(4), run, Reason::Path, &[], &["https://host/«acm_/some/path/here»"]);
    }
}
