//! Connection strings as they stand in scanned text: URLs and libpq's `key=value` form. What two readers may read
//! differently is refused, so that the host that is asked is the host that is meant.

use super::{Answer, Fault, Probed, probed};
use crate::call::{BadHost, Host, Values};
use crate::model::Secret;
use zeroize::Zeroizing;

/// Longest text that is read.
const LONGEST: usize = 4096;

/// How far a login insists on TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// Never asked for.
    Off,
    /// Used if the server has it.
    Prefer,
    /// Used, whatever the certificate says.
    Require,
    /// Used, and the certificate must be for the host.
    Verify,
}

/// Why text is no connection string that can be used. Never holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadUrl {
    #[error("it is no plain text of moderate length")]
    Text,
    #[error("it has neither a scheme nor parts of the form key=value")]
    Form,
    #[error("its scheme is for another protocol")]
    Scheme,
    #[error("its scheme takes the host from DNS records, which say where but not whose it is")]
    Srv,
    #[error("readers may disagree on where its host begins")]
    Ambiguous,
    #[error("its host cannot be used: {0}")]
    Host(#[from] BadHost),
    #[error("it names several hosts")]
    Several,
    #[error("it leads to a socket of the machine, not to a host")]
    Local,
    #[error("it has no user or no password")]
    Login,
    #[error("it has a broken percent escape or a byte that may not stand there")]
    Escape,
    #[error("an option stands twice, or names the host or user again")]
    Twice,
    #[error("its TLS mode is none that is known")]
    Mode,
}

/// A place to sign in, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Lower case, without a driver's name: `mysql` of `mysql+pymysql`.
    pub(super) scheme: String,
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) host: Host,
    pub(super) port: Option<u16>,
    /// What follows the host, without its first slash.
    pub(super) path: String,
    options: Vec<(String, String)>,
}

impl Target {
    /// Whether it is the same server, database and way there, whoever signs in.
    pub(super) fn is_place_of(&self, other: &Target) -> bool {
        let place =
            |t: &Target| (t.scheme.clone(), t.host.clone(), t.port, t.path.clone(), t.options.clone());
        place(self) == place(other)
    }

    /// The value of an option, by its name in lower case without `-` and `_`.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The TLS mode, by the options that the drivers of a protocol know; none if they say nothing.
    pub(super) fn tls(&self, names: &[&str]) -> Result<Option<Tls>, BadUrl> {
        let mut mode = None;
        for value in names.iter().filter_map(|name| self.option(name)) {
            let one = match value.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
                "disable" | "disabled" | "false" | "0" | "off" | "no" => Tls::Off,
                "allow" | "prefer" | "preferred" => Tls::Prefer,
                "require" | "required" | "true" | "1" | "on" | "yes" | "skipverify" => Tls::Require,
                "verifyca" | "verifyfull" | "verifyidentity" => Tls::Verify,
                _ => return Err(BadUrl::Mode),
            };
            if mode.is_some_and(|m| m != one) {
                return Err(BadUrl::Twice);
            }
            mode = Some(one);
        }
        Ok(mode)
    }
}

/// The connection string among the values of a finding.
pub(super) fn of(values: &Values, read: impl Fn(&Secret) -> Result<Target, BadUrl>) -> Result<Target, Fault> {
    let url = values.get("url").ok_or_else(|| Fault::refused("the connection string is missing"))?;
    read(url).map_err(|e| Fault::refused(format!("the connection string is not used: {e}")))
}

/// Signs in at the place of a connection string, on its port or the usual one.
pub(super) fn asked(
    target: Result<Target, Fault>,
    usual: u16,
    login: impl Fn(&Target, u16) -> Result<Answer, Fault>,
) -> Probed {
    match target {
        Err(fault) => probed(String::new(), Err(fault)),
        Ok(target) => {
            let port = target.port.unwrap_or(usual);
            probed(format!("{}:{port}", target.host), login(&target, port))
        }
    }
}

/// Reads a URL of one of these schemes, or libpq's form where PostgreSQL's are among them. Of several hosts the
/// first is taken if `several` allows it.
pub(super) fn parse(bytes: &Secret, schemes: &[&str], several: bool) -> Result<Target, BadUrl> {
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| BadUrl::Text)?;
    // What ends a list or a statement is no part of it.
    let text = text.trim().trim_end_matches([',', ';']);
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(BadUrl::Text);
    }
    let Some((scheme, rest)) = text.split_once("://").filter(|(s, _)| !s.contains([' ', '='])) else {
        return if schemes.contains(&"postgresql") { pairs(text) } else { Err(BadUrl::Form) };
    };
    if rest.contains(['\\', ' ']) {
        return Err(BadUrl::Ambiguous);
    }
    let scheme = scheme.to_ascii_lowercase();
    if scheme.ends_with("+srv") {
        return Err(BadUrl::Srv);
    }
    let plain = scheme.split('+').next().unwrap_or_default().to_owned();
    if !schemes.contains(&plain.as_str()) {
        return Err(BadUrl::Scheme);
    }
    if scheme.split('+').any(|part| ["unix", "socket", "sentinel", "cluster"].contains(&part)) {
        return Err(BadUrl::Local);
    }
    let tls = scheme.split('+').skip(1).any(|part| part == "tls" || part == "ssl");
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // With an `@` behind the first slash, some readers take what is before the slash for the host, some what follows.
    let (login, places) = authority.split_once('@').ok_or(BadUrl::Ambiguous)?;
    if places.contains('@') || tail.split(['?', '#']).next().is_some_and(|path| path.contains('@')) {
        return Err(BadUrl::Ambiguous);
    }
    let (user, password) = login.split_once(':').ok_or(BadUrl::Login)?;
    let first = match places.split_once(',') {
        Some((first, _)) if several => first,
        Some(_) => return Err(BadUrl::Several),
        None => places,
    };
    if first.is_empty() {
        return Err(BadUrl::Local);
    }
    if first.contains('%') {
        return Err(BadUrl::Ambiguous);
    }
    let (host, port) = Host::parse_with_port(first)?;
    let tail = tail.split('#').next().unwrap_or_default();
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let mut options = Vec::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        options.push((keyword(&text_of(name)?), text_of(value)?));
    }
    // Of these a driver would take the last, or they would lead elsewhere.
    let again =
        ["host", "hostaddr", "port", "user", "username", "password", "service", "passfile", "servername"];
    let repeated =
        options.iter().enumerate().any(|(n, (name, _))| options[..n].iter().any(|(other, _)| other == name));
    if repeated || options.iter().any(|(name, _)| again.contains(&name.as_str())) {
        return Err(BadUrl::Twice);
    }
    if tls {
        options.push(("tls".to_owned(), "verify-full".to_owned()));
    }
    let password = decoded(password)?;
    if password.is_empty() {
        return Err(BadUrl::Login);
    }
    Ok(Target {
        scheme: plain,
        user: text_of(user)?,
        password: Secret::new(&password),
        host,
        port,
        path: text_of(path.strip_prefix('/').unwrap_or(path))?,
        options,
    })
}

/// libpq's `host=… user=… password=…` (<https://www.postgresql.org/docs/current/libpq-connect.html>). Values in
/// quotes are not read: the pattern that finds the form takes none.
fn pairs(text: &str) -> Result<Target, BadUrl> {
    if text.contains(['\'', '"', '\\']) {
        return Err(BadUrl::Ambiguous);
    }
    let mut options: Vec<(String, String)> = Vec::new();
    for pair in text.split(' ').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(BadUrl::Form)?;
        let name = keyword(name);
        if options.iter().any(|(other, _)| *other == name) || ["service", "passfile"].contains(&name.as_str())
        {
            return Err(BadUrl::Twice);
        }
        options.push((name, value.to_owned()));
    }
    let mut take = |name: &str| {
        let at = options.iter().position(|(own, _)| own == name)?;
        Some(options.swap_remove(at).1)
    };
    let password = Zeroizing::new(take("password").ok_or(BadUrl::Login)?);
    let user = take("user").ok_or(BadUrl::Login)?;
    let path = take("dbname").unwrap_or_default();
    let host = match (take("host"), take("hostaddr")) {
        (Some(_), Some(_)) => return Err(BadUrl::Twice),
        (Some(host), None) | (None, Some(host)) if host.contains(',') => return Err(BadUrl::Several),
        (Some(host), None) | (None, Some(host)) if !host.is_empty() && !host.starts_with(['/', '@']) => host,
        _ => return Err(BadUrl::Local),
    };
    // Brackets are of URLs only.
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let port = match take("port") {
        Some(port) => Host::parse_with_port(&format!("a.example:{port}"))?.1,
        None => None,
    };
    if password.is_empty() || path.contains("://") || path.contains('=') {
        return Err(BadUrl::Login);
    }
    let (password, host) = (Secret::new(password.as_bytes()), Host::parse(&host)?);
    Ok(Target { scheme: "postgresql".to_owned(), user, password, host, port, path, options })
}

/// The name of an option in one spelling.
fn keyword(name: &str) -> String {
    name.to_ascii_lowercase().replace(['-', '_'], "")
}

/// Undoes percent escapes. A byte that ends a text for some readers is refused.
fn decoded(text: &str) -> Result<Zeroizing<Vec<u8>>, BadUrl> {
    let bytes = text.as_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let byte = if b == b'%' {
            let digit = |n: usize| char::from(*bytes.get(at + n)?).to_digit(16);
            let (Some(high), Some(low)) = (digit(1), digit(2)) else { return Err(BadUrl::Escape) };
            at += 2;
            (high * 16 + low) as u8
        } else {
            b
        };
        if byte < 0x20 || byte == 0x7f {
            return Err(BadUrl::Escape);
        }
        out.push(byte);
        at += 1;
    }
    Ok(out)
}

fn text_of(text: &str) -> Result<String, BadUrl> {
    String::from_utf8(decoded(text)?.to_vec()).map_err(|_| BadUrl::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Target, BadUrl> {
        parse(&Secret::new(text.as_bytes()), &["postgres", "postgresql", "mysql", "redis"], false)
    }

    #[test]
    fn urls_are_read_as_drivers_read_them() {
        for (text, user, password, host, port, path) in [
            ("postgres://svc:p4ss@db.example/app", "svc", "p4ss", "db.example", None, "app"),
            ("POSTGRESQL://svc:p%40ss@DB.example:6543/", "svc", "p@ss", "db.example", Some(6543), ""),
            ("mysql+pymysql://a%2Fb:x:y@10.0.0.1", "a/b", "x:y", "10.0.0.1", None, ""),
            ("redis://:p4ss@[::1]:7000/0#x", "", "p4ss", "[::1]", Some(7000), "0"),
            ("postgres://u:p@h.example/d?sslmode=require&x=a@b", "u", "p", "h.example", None, "d"),
            ("postgres://u:p@h.example/d,", "u", "p", "h.example", None, "d"),
        ] {
            let t = read(text).unwrap();
            assert_eq!(
                (t.user.as_str(), t.password.expose(), t.path.as_str()),
                (user, password.as_bytes(), path)
            );
            assert_eq!((t.host.to_string().as_str(), t.port), (host, port), "{text}");
        }
        let t =
            read("host=db.example port=6000 user=svc dbname=app sslmode=verify-full password=p4ss").unwrap();
        assert_eq!(
            (t.host.to_string().as_str(), t.port, &*t.user, &*t.path),
            ("db.example", Some(6000), "svc", "app")
        );
        assert_eq!((t.password.expose(), t.tls(&["sslmode"])), (&b"p4ss"[..], Ok(Some(Tls::Verify))));
    }

    #[test]
    fn what_may_be_read_in_two_ways_is_refused() {
        use BadUrl as B;
        for (text, why) in [
            ("postgres://u:p@good.example@evil.example/d", B::Ambiguous),
            ("postgres://u:p/x@good.example/d", B::Ambiguous),
            ("postgres://u:p@good.example/x@evil.example/d", B::Ambiguous),
            ("postgres://u:p#@good.example", B::Ambiguous),
            ("postgres://u:p?@good.example", B::Ambiguous),
            ("postgres://u:p@good.example\\@evil.example", B::Ambiguous),
            ("postgres://u:p@good%2eexample", B::Ambiguous),
            ("postgres://u:p@%2Fvar%2Frun", B::Ambiguous),
            ("postgres://u:p@one.example,two.example/d", B::Several),
            ("postgres://u:p@/d", B::Local),
            ("postgres://u:p@h.example/d?host=evil.example", B::Twice),
            ("postgres://u:p@h.example/d?hostaddr=10.0.0.1", B::Twice),
            ("postgres://u:p@h.example/d?sslmode=require&ssl_mode=disable", B::Twice),
            ("postgres://u:p@h.example/d?ssl-mode=require&SSLMODE=disable", B::Twice),
            ("postgres://u:@h.example", B::Login),
            ("postgres://u@h.example", B::Login),
            ("postgres://h.example", B::Ambiguous),
            ("postgres://u:p%0@h.example", B::Escape),
            ("postgres://u:p%zz@h.example", B::Escape),
            ("postgres://u:p%00q@h.example", B::Escape),
            ("postgres://u%0d%0aX:p@h.example", B::Escape),
            ("postgres://u:p@h.example:0", B::Host(BadHost::Port)),
            ("postgres://u:p@h.example:+1", B::Host(BadHost::Port)),
            ("postgres://u:p@h.example:65536", B::Host(BadHost::Port)),
            ("postgres://u:p@h.example.", B::Host(BadHost::Empty)),
            ("postgres://u:p@0x7f.1", B::Host(BadHost::Spelling)),
            ("postgres://u:p@2130706433", B::Host(BadHost::Spelling)),
            ("postgres://u:p@h\u{e4}.example", B::Host(BadHost::Character)),
            ("mongodb+srv://u:p@h.example", B::Srv),
            ("imap://u:p@h.example", B::Scheme),
            ("redis+unix://u:p@h.example", B::Local),
            ("nonsense", B::Form),
            ("", B::Login),
            ("user=u password=p", B::Local),
            ("host=/var/run user=u password=p", B::Local),
            ("host=a.example hostaddr=10.0.0.1 user=u password=p", B::Twice),
            ("host=a.example host=b.example user=u password=p", B::Twice),
            ("host=a.example,b.example user=u password=p", B::Several),
            ("host=a.example user=u password='p q'", B::Ambiguous),
            ("host=a.example user=u dbname=postgres://b.example password=p", B::Login),
            ("host=a.example port=x user=u password=p", B::Host(BadHost::Port)),
        ] {
            assert_eq!(read(text).unwrap_err(), why, "{text}");
        }
        assert_eq!(read(&format!("postgres://u:{}@h.example", "p".repeat(5000))).unwrap_err(), B::Text);
        assert_eq!(read("postgres://u:p\n@h.example").unwrap_err(), B::Text);
        let first = parse(&Secret::new(b"postgres://u:p@one.example:1,two.example:2/d"), &["postgres"], true)
            .unwrap();
        assert_eq!((first.host.to_string().as_str(), first.port), ("one.example", Some(1)));
    }

    #[test]
    fn modes_of_tls_are_known_or_refused() {
        let mode =
            |query: &str| read(&format!("mysql://u:p@h.example/d?{query}")).unwrap().tls(&["sslmode", "ssl"]);
        for (query, expected) in [
            ("", Ok(None)),
            ("sslmode=disable", Ok(Some(Tls::Off))),
            ("ssl-mode=PREFERRED", Ok(Some(Tls::Prefer))),
            ("ssl=true", Ok(Some(Tls::Require))),
            ("ssl-mode=VERIFY_IDENTITY", Ok(Some(Tls::Verify))),
            ("sslmode=whatever", Err(BadUrl::Mode)),
            ("sslmode=", Err(BadUrl::Mode)),
            ("sslmode=disable&ssl=true", Err(BadUrl::Twice)),
        ] {
            assert_eq!(mode(query), expected, "{query}");
        }
    }
}
