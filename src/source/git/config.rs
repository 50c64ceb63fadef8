//! What of a repository's configuration decides whether and how it can be read: its format and
//! extensions. Nothing else is looked at, and includes are never followed.

use super::GitError;
use super::file::{self, Bounds};
use crate::model::RawPath;
use std::io::ErrorKind;
use std::path::Path;

/// Largest configuration file.
const LARGEST: u64 = 1 << 20;
/// Extensions that leave objects and refs as they are. From git's setup.c. Git refuses some of them in
/// version 0; here they do no harm in any.
const KNOWN: &[&str] = &[
    "noop",
    "noop-v1",
    "preciousobjects",
    "partialclone",
    "worktreeconfig",
    "compatobjectformat",
    "relativeworktrees",
    "submodulepathconfig",
];

/// What was learned of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    /// Whether it says that it has no work tree.
    pub(super) bare: bool,
    /// Whether a remote promises objects that are not here.
    pub(super) partial: bool,
    version: Option<i64>,
    /// Names in lower case, values as text.
    extensions: Vec<(String, String)>,
}

impl Config {
    /// Reads the configuration of a repository and of one of its work trees. Without a file it is
    /// that of the oldest format.
    ///
    /// # Errors
    /// A file cannot be read or does not parse, or says that the repository is of a form that is not
    /// read.
    pub(super) fn read(common_dir: &Path, git_dir: &Path, bounds: &Bounds) -> Result<Self, GitError> {
        let mut config = Config::default();
        config.add(&common_dir.join("config"), bounds)?;
        config.check(common_dir)?;
        let per_worktree = config.extension("worktreeconfig");
        if per_worktree.is_some_and(|v| truth(Some(v.as_bytes())) == Some(true)) {
            // Its extensions count for nothing, as with git.
            config.add(&git_dir.join("config.worktree"), bounds)?;
        }
        Ok(config)
    }

    fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn add(&mut self, path: &Path, bounds: &Bounds) -> Result<(), GitError> {
        let damaged = |what: String| GitError::Damaged { path: RawPath::from_path(path), what };
        let bytes = match bounds.read(path, LARGEST) {
            Ok(bytes) => bytes,
            // A dangling link is not the same as no file.
            Err(error) if file::is_absent(&error) && path.symlink_metadata().is_err() => return Ok(()),
            Err(error) if error.kind() == ErrorKind::InvalidData || file::is_absent(&error) => {
                return Err(damaged(format!("{error}; put git's own file in its place and scan again")));
            }
            Err(source) => return Err(GitError::Unreadable { path: RawPath::from_path(path), source }),
        };
        let mut wrong = None;
        let parsed = parse(&bytes, &mut |line, section, sub, key, value| {
            if !self.take(section, sub, key, value) {
                wrong = wrong.or(Some(line));
            }
        });
        match parsed.err().or(wrong) {
            None => Ok(()),
            Some(line) => Err(damaged(format!(
                "line {line} does not parse; correct it until `git config --list` reads it, and scan again"
            ))),
        }
    }

    /// Takes an entry; `false` if its value makes no sense.
    fn take(&mut self, section: &str, sub: Option<&[u8]>, key: &str, value: Option<&[u8]>) -> bool {
        let text = RawPath::new(value.unwrap_or_default()).text();
        match (section, sub, key) {
            ("core", None, "repositoryformatversion") => match text.trim().parse() {
                Ok(version) => self.version = Some(version),
                Err(_) => return false,
            },
            ("core", None, "bare") => match truth(value) {
                Some(bare) => self.bare = bare,
                None => return false,
            },
            ("remote", Some(_), "promisor") => match truth(value) {
                Some(promisor) => self.partial |= promisor,
                None => return false,
            },
            ("remote", Some(_), "partialclonefilter") => self.partial = true,
            ("extensions", None, "partialclone") => self.partial = true,
            ("extensions", None, "worktreeconfig") => {
                let Some(on) = truth(value) else { return false };
                self.extensions.push((key.to_owned(), on.to_string()));
            }
            ("extensions", None, _) => self.extensions.push((key.to_owned(), text)),
            _ => {}
        }
        true
    }

    /// Refuses what cannot be read, before anything is.
    fn check(&self, path: &Path) -> Result<(), GitError> {
        let refuse = |what: String, cure: &str| {
            Err(GitError::Unsupported { path: RawPath::from_path(path), what, cure: cure.to_owned() })
        };
        const NEWER: &str = "use a newer keywheel, or scan its files without --history";
        let version = self.version.unwrap_or(0);
        if !(0..=1).contains(&version) {
            return refuse(format!("has the repository format version {version}, which is not known"), NEWER);
        }
        for (name, value) in &self.extensions {
            let plain = match name.as_str() {
                "objectformat" => "sha1",
                "refstorage" => "files",
                known if KNOWN.contains(&known) => value,
                // Git knows no extensions in version 0 but its oldest.
                _ if version == 0 => value,
                unknown => {
                    return refuse(format!("has the extension `{unknown}`, which is not known"), NEWER);
                }
            };
            if value.eq_ignore_ascii_case(plain) {
                continue;
            }
            if value.eq_ignore_ascii_case("sha256") {
                return refuse(SHA256.0.to_owned(), SHA256.1);
            }
            if value.eq_ignore_ascii_case("reftable") {
                return refuse(REFTABLE.0.to_owned(), REFTABLE.1);
            }
            return refuse(format!("has the extension `{name}` with the value `{value}`"), NEWER);
        }
        Ok(())
    }
}

/// What a repository with names of 256 bits is, and the cure.
pub(super) const SHA256: (&str, &str) = (
    "names its objects by SHA-256",
    "scan its files without --history, or a copy of it that names them by SHA-1",
);
/// What a repository with refs in tables is, and the cure.
pub(super) const REFTABLE: (&str, &str) = (
    "keeps its refs in reftables",
    "scan a mirror that keeps them in files (git clone --mirror --ref-format=files)",
);

/// Reads a truth value as git does; a key without a value is true.
fn truth(value: Option<&[u8]>) -> Option<bool> {
    let Some(value) = value else { return Some(true) };
    let text = std::str::from_utf8(value).ok()?.to_ascii_lowercase();
    match text.as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" | "" => Some(false),
        number => number.parse::<i64>().ok().map(|n| n != 0),
    }
}

type Take<'a> = dyn FnMut(usize, &str, Option<&[u8]>, &str, Option<&[u8]>) + 'a;

/// Reads a configuration file entry by entry: line, section and key in lower case, subsection and
/// value as they are.
///
/// # Errors
/// The line that does not parse.
fn parse(bytes: &[u8], take: &mut Take<'_>) -> Result<(), usize> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut at = Cursor { rest: bytes, line: 1 };
    let (mut section, mut sub) = (String::new(), None);
    while let Some(b) = at.next() {
        match b {
            b if b.is_ascii_whitespace() => {}
            b'#' | b';' => at.skip_line(),
            b'[' => (section, sub) = at.header().ok_or(at.line)?,
            b if b.is_ascii_alphabetic() && !section.is_empty() => {
                let line = at.line;
                let (key, value) = at.entry(b).ok_or(line)?;
                take(line, &section, sub.as_deref(), &key, value.as_deref());
            }
            _ => return Err(at.line),
        }
    }
    Ok(())
}

struct Cursor<'a> {
    rest: &'a [u8],
    line: usize,
}

impl Cursor<'_> {
    /// The next byte; CR LF counts as LF.
    fn next(&mut self) -> Option<u8> {
        if self.rest.starts_with(b"\r\n") {
            self.rest = &self.rest[1..];
        }
        let (&b, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.line += usize::from(b == b'\n');
        Some(b)
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|b| b != b'\n') {}
    }

    /// What follows `[`: `core]`, `remote "a b"]`, or the old form `remote.a]`.
    fn header(&mut self) -> Option<(String, Option<Vec<u8>>)> {
        let mut name = String::new();
        loop {
            match self.next()? {
                b']' if !name.is_empty() => {
                    return Some(match name.split_once('.') {
                        Some((section, sub)) => (section.to_owned(), Some(sub.as_bytes().to_vec())),
                        None => (name, None),
                    });
                }
                b' ' | b'\t' => break,
                b if b.is_ascii_alphanumeric() || b == b'-' || b == b'.' => {
                    name.push(b.to_ascii_lowercase() as char);
                }
                _ => return None,
            }
        }
        let mut b = self.next()?;
        while b == b' ' || b == b'\t' {
            b = self.next()?;
        }
        if b != b'"' || name.is_empty() {
            return None;
        }
        let mut sub = Vec::new();
        loop {
            match self.next()? {
                b'"' => break,
                b'\n' => return None,
                b'\\' => sub.push(self.next().filter(|&b| b != b'\n')?),
                b => sub.push(b),
            }
        }
        (self.next()? == b']').then_some((name, Some(sub)))
    }

    /// What follows the first letter of a key.
    fn entry(&mut self, first: u8) -> Option<(String, Option<Vec<u8>>)> {
        let mut key = String::from(first.to_ascii_lowercase() as char);
        let mut b = loop {
            match self.next() {
                Some(b) if b.is_ascii_alphanumeric() || b == b'-' => key.push(b.to_ascii_lowercase() as char),
                other => break other,
            }
        };
        while matches!(b, Some(b' ' | b'\t')) {
            b = self.next();
        }
        match b {
            None | Some(b'\n') => Some((key, None)),
            Some(b'#' | b';') => {
                self.skip_line();
                Some((key, None))
            }
            Some(b'=') => Some((key, Some(self.value()?))),
            Some(_) => None,
        }
    }

    /// What follows `=`, to the end of the line.
    fn value(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        // How much of `out` stays when white space at the end goes.
        let mut kept = 0;
        let mut quoted = false;
        loop {
            match self.next() {
                None | Some(b'\n') if quoted => return None,
                None | Some(b'\n') => break,
                Some(b'"') => {
                    quoted = !quoted;
                    kept = out.len();
                }
                Some(b'#' | b';') if !quoted => {
                    self.skip_line();
                    break;
                }
                Some(b'\\') => {
                    match self.next()? {
                        b'\n' => continue,
                        b'n' => out.push(b'\n'),
                        b't' => out.push(b'\t'),
                        b'b' => out.push(8),
                        b @ (b'"' | b'\\') => out.push(b),
                        _ => return None,
                    }
                    kept = out.len();
                }
                Some(b) if b.is_ascii_whitespace() && !quoted => {
                    if !out.is_empty() {
                        out.push(b);
                    }
                }
                Some(b) => {
                    out.push(b);
                    kept = out.len();
                }
            }
        }
        out.truncate(kept);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::git::tests::Scratch;

    fn entries(text: &str) -> Result<Vec<String>, usize> {
        let mut out = Vec::new();
        let lossy = |v: Option<&[u8]>| v.map_or("-".to_owned(), |v| RawPath::new(v).text());
        parse(text.as_bytes(), &mut |line, section, sub, key, value| {
            out.push(format!("{line} {section} {} {key}={}", lossy(sub), lossy(value)));
        })?;
        Ok(out)
    }

    #[test]
    fn entries_are_read_as_git_reads_them() {
        let text = "\u{feff}# note\n[Core] bare = true ; no\n\tRepositoryFormatVersion=1 # x\r\n\
                    [remote \"a \\\"b\"]\n promisor\nurl = \"a # b\" c  \\\n  d  \n[Remote.Old]\nx=\\t\\\\\n y = \" q \" \n";
        assert_eq!(
            entries(text).unwrap(),
            [
                "2 core - bare=true",
                "3 core - repositoryformatversion=1",
                "5 remote a \"b promisor=-",
                "6 remote a \"b url=a # b c    d",
                "9 remote old x=\\u{9}\\\\",
                "10 remote old y= q ",
            ]
        );
        assert!(entries("").unwrap().is_empty());
    }

    #[test]
    fn what_does_not_parse_is_told_by_its_line() {
        for (text, line) in [
            ("a = 1", 1),
            ("\n[core", 2),
            ("[core]\n= x", 2),
            ("[core]\na = \"x\n", 2),
            ("[core]\na = \\q", 2),
            ("[core \"x]\n", 1),
            ("[]\n", 1),
            ("[core]\na b\n", 2),
            ("[core]\n\0\n", 2),
        ] {
            let told = entries(text).unwrap_err();
            assert!(told == line || told == line + 1, "{text:?}: {told}");
        }
    }

    fn read(text: impl AsRef<[u8]>) -> Result<Config, String> {
        let dir = Scratch::new();
        dir.put("config", text);
        dir.put("config.worktree", "[core]\nbare = false\n[remote \"o\"]\npromisor = 1\n");
        let own = dir.path("");
        Config::read(&own, &own, &Bounds::new([own.as_path()])).map_err(|e| match e {
            GitError::Unsupported { .. } => format!("unsupported: {e}"),
            other => other.to_string(),
        })
    }

    #[test]
    fn forms_that_are_not_read_are_refused() {
        let v1 = "[core]\nrepositoryformatversion = 1\n[extensions]\n";
        for (text, told) in [
            ("[core]\nrepositoryformatversion = 2\n".to_owned(), "version 2"),
            ("[core]\nrepositoryformatversion = -1\n".to_owned(), "version -1"),
            (format!("{v1}objectFormat = SHA256\n"), "SHA-256"),
            ("[extensions]\nobjectformat = sha256\n".to_owned(), "SHA-256"),
            (format!("{v1}objectFormat = sha256\nobjectFormat = sha1\n"), "SHA-256"),
            (format!("{v1}refStorage = reftable\n"), "reftables"),
            (format!("{v1}refStorage = \"reftable://x\"\n"), "`refstorage`"),
            (format!("{v1}x-odd\n"), "`x-odd`"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains("unsupported") && error.contains(told), "{text}: {error}");
        }
        for text in [
            String::new(),
            "[extensions]\nx-odd = 1\n".to_owned(),
            format!("{v1}objectformat = sha1\nrefstorage = files\nnoop\npreciousObjects = true\n"),
            "[include]\npath = /none\n[includeIf \"gitdir:/\"]\npath = /none\n[core]\nworktree = /\n"
                .to_owned(),
        ] {
            assert_eq!(read(&text).map(|c| c.partial), Ok(false), "{text}");
        }
    }

    #[test]
    fn promised_objects_and_work_trees_are_known() {
        assert!(read("[extensions]\npartialClone = origin\n").unwrap().partial);
        assert!(read("[remote \"o\"]\npromisor = true\n").unwrap().partial);
        assert!(read("[remote \"o\"]\npartialclonefilter = blob:none\n").unwrap().partial);
        assert!(!read("[remote \"o\"]\npromisor = off\n").unwrap().partial);
        assert!(read("[core]\nbare\n").unwrap().bare);
        let own = read("[core]\nbare\n[extensions]\nworktreeConfig = true\n").unwrap();
        assert!(!own.bare && own.partial);
    }

    #[test]
    fn values_without_sense_and_huge_files_are_damage() {
        for text in
            ["[core]\nbare = perhaps\n", "[core]\nrepositoryformatversion = one\n", "[core]\nbare = \""]
        {
            let error = read(text).unwrap_err();
            assert!(error.contains("damaged") && error.contains("git config --list"), "{error}");
        }
        assert!(read(vec![b'\n'; (1 << 20) + 1]).unwrap_err().contains("larger"));
    }

    #[cfg(unix)]
    #[test]
    fn what_would_block_or_leads_out_is_refused() {
        let dir = Scratch::new();
        dir.fifo("a/config");
        dir.put("out", "");
        dir.put("b/x", "");
        dir.put("c/x", "");
        std::os::unix::fs::symlink("../out", dir.path("b/config")).unwrap();
        std::os::unix::fs::symlink("none", dir.path("c/config")).unwrap();
        for (name, told) in [("a", "no regular file"), ("b", "--storage-root"), ("c", "No such file")] {
            let own = dir.path(name);
            let error = Config::read(&own, &own, &Bounds::new([own.as_path()])).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
