//! Revisions as people and build servers write them, read as git reads them or refused.

use super::parse::{Commit, Kind, tag_target};
use super::refs::Found;
use super::{GitError, Repository};
use crate::model::{ObjectId, RawPath};

/// Fewest digits of an abbreviated id; git's own bound.
const LEAST_DIGITS: usize = 4;
/// Objects that share an abbreviation and are looked at.
const ALIKE: usize = 4096;
/// Of those, how many an error names.
const NAMED: usize = 8;
/// Tags of tags that are followed: more than anybody makes, and an end where a damaged pack leads in a ring.
const TAGS: usize = 100_000;
/// Where a short name of a ref is looked for, in git's order.
const RULES: &[(&str, &str)] = &[
    ("", ""),
    ("refs/", ""),
    ("refs/tags/", ""),
    ("refs/heads/", ""),
    ("refs/remotes/", ""),
    ("refs/remotes/", "/HEAD"),
];

/// What of objects that share an abbreviation is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Any,
    Commit,
    Tree,
}

/// One step from an object to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// `^n`: the commit's n-th parent, the commit itself for 0.
    Parent(usize),
    /// `~n`: n times the first parent.
    Ancestor(usize),
    /// `^{}`: what a tag points at, if it is one.
    Untag,
    /// `^{commit}` and its like.
    Peel(Kind),
    /// `^{object}`: the object itself.
    Stay,
}

impl Repository {
    /// The object that a revision names: an id, whole or abbreviated, or the name of a ref, with any
    /// of the suffixes `~n`, `^n`, `^{}`, `^{commit}`, `^{tree}`.
    ///
    /// # Errors
    /// It names nothing, several objects, or something that is not here; or it is written in a way
    /// that is not read.
    pub fn resolve(&self, spec: &str) -> Result<ObjectId, GitError> {
        self.resolve_as(spec, Wanted::Any)
    }

    /// The commit that a revision names, through tags.
    ///
    /// # Errors
    /// As [`Repository::resolve`]; or it names something else than a commit.
    pub fn resolve_commit(&self, spec: &str) -> Result<ObjectId, GitError> {
        let id = self.resolve_as(spec, Wanted::Commit)?;
        self.peel(&id).map_err(|e| self.explained(spec, e))
    }

    /// The commit that an object is or, being a tag, points at.
    ///
    /// # Errors
    /// An object on the way cannot be read, or the last is no commit.
    pub fn peel(&self, id: &ObjectId) -> Result<ObjectId, GitError> {
        self.peel_to(id, Kind::Commit)
    }

    fn resolve_as(&self, spec: &str, wanted: Wanted) -> Result<ObjectId, GitError> {
        let end = spec.find(['^', '~']).unwrap_or(spec.len());
        let (base, suffix) = spec.split_at(end);
        if let Some(cure) = refused(spec, base) {
            return Err(unknown(spec, cure));
        }
        let steps = steps(suffix).ok_or_else(|| {
            unknown(spec, "of suffixes, only ~n, ^n, ^{}, ^{commit}, ^{tree}, ^{blob} and ^{tag} are read")
        })?;
        let wanted = match steps.first() {
            None => wanted,
            Some(Step::Parent(_) | Step::Ancestor(_) | Step::Peel(Kind::Commit)) => Wanted::Commit,
            Some(Step::Peel(Kind::Tree)) => Wanted::Tree,
            Some(_) => Wanted::Any,
        };
        let mut id = self.base(spec, base, wanted)?;
        for step in steps {
            id = self.step(spec, &id, step).map_err(|e| self.explained(spec, e))?;
        }
        if !self.objects.contains(&id) && id != ObjectId::EMPTY_TREE {
            return Err(self.explained(spec, GitError::Absent { id }));
        }
        Ok(id)
    }

    /// What a revision without suffixes names: an id goes first, then refs, then abbreviations.
    fn base(&self, spec: &str, base: &str, wanted: Wanted) -> Result<ObjectId, GitError> {
        if let Some(id) = ObjectId::parse(base.as_bytes()) {
            return Ok(id);
        }
        let name = if base == "@" { "HEAD" } else { base };
        for (before, after) in RULES {
            match self.follow(format!("{before}{name}{after}").as_bytes())? {
                Found::Id(id) => return Ok(id),
                Found::Dangling if name == "HEAD" => return Err(unknown(spec, "nothing is committed yet")),
                Found::Dangling | Found::None => {}
            }
        }
        // As `git describe` writes: v1.0-14-g2414721.
        let digits = base.rsplit_once("-g").map_or(base, |(_, digits)| digits);
        let is_hex = digits.len() >= LEAST_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hex && digits.len() < 2 * ObjectId::LEN {
            return self.abbreviated(spec, &digits.to_ascii_lowercase(), wanted);
        }
        Err(unknown(spec, self.where_to_get_it()))
    }

    fn abbreviated(&self, spec: &str, digits: &str, wanted: Wanted) -> Result<ObjectId, GitError> {
        let mut alike = self.objects.with_prefix(digits, ALIKE);
        let is_wanted = |id: &ObjectId| match wanted {
            Wanted::Any => true,
            Wanted::Commit => self.peel(id).is_ok(),
            Wanted::Tree => self.peel_to(id, Kind::Tree).is_ok(),
        };
        // As git does: an abbreviation that several share means the one that makes sense.
        if alike.len() > 1 && alike.iter().any(is_wanted) {
            alike.retain(is_wanted);
        }
        match alike.as_slice() {
            [] => Err(unknown(spec, self.where_to_get_it())),
            [one] => Ok(*one),
            several => {
                let names =
                    several.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let more = if several.len() > NAMED { " and others" } else { "" };
                Err(unknown(spec, &format!("write more digits; it can be {names}{more}")))
            }
        }
    }

    fn step(&self, spec: &str, id: &ObjectId, step: Step) -> Result<ObjectId, GitError> {
        match step {
            Step::Stay => Ok(*id),
            Step::Parent(0) => self.peel(id),
            Step::Parent(n) => self.parent(spec, &self.peel(id)?, n),
            Step::Ancestor(n) => {
                let mut at = self.peel(id)?;
                for _ in 0..n {
                    at = self.parent(spec, &at, 1)?;
                }
                Ok(at)
            }
            Step::Untag => {
                let mut at = *id;
                for _ in 0..TAGS {
                    let object = self.objects.read(&at)?;
                    if object.kind != Kind::Tag {
                        return Ok(at);
                    }
                    at = target(&at, &object.bytes)?;
                }
                Err(endless(id))
            }
            Step::Peel(kind) => self.peel_to(id, kind),
        }
    }

    fn parent(&self, spec: &str, id: &ObjectId, n: usize) -> Result<ObjectId, GitError> {
        if self.shallow.contains(id) {
            return Err(unknown(spec, SHALLOW));
        }
        let bytes = self.objects.read_as(id, Kind::Commit)?;
        let damaged = || GitError::BadObject { id: *id, what: "it does not parse as a commit".to_owned() };
        let commit = Commit::parse(&bytes).ok_or_else(damaged)?;
        commit.parents.get(n - 1).copied().ok_or_else(|| {
            let had = commit.parents.len();
            unknown(spec, &format!("{} has {had} parents, and number {n} is asked for", id.short()))
        })
    }

    fn peel_to(&self, id: &ObjectId, kind: Kind) -> Result<ObjectId, GitError> {
        let mut at = *id;
        for _ in 0..TAGS {
            if at == ObjectId::EMPTY_TREE && kind == Kind::Tree {
                return Ok(at);
            }
            let object = self.objects.read(&at)?;
            at = match object.kind {
                found if found == kind => return Ok(at),
                Kind::Tag => target(&at, &object.bytes)?,
                Kind::Commit if kind == Kind::Tree => {
                    let damaged =
                        || GitError::BadObject { id: at, what: "it does not parse as a commit".to_owned() };
                    return Commit::parse(&object.bytes).map(|c| c.tree).ok_or_else(damaged);
                }
                found => return Err(GitError::OtherKind { id: at, found, wanted: kind }),
            };
        }
        Err(endless(id))
    }

    /// An object that is not there is no wonder in a part of a repository: says how to get it.
    fn explained(&self, spec: &str, error: GitError) -> GitError {
        match error {
            GitError::Absent { id } => {
                unknown(spec, &format!("the object {} is not here; {}", id.short(), self.where_to_get_it()))
            }
            other => other,
        }
    }

    fn where_to_get_it(&self) -> &'static str {
        if !self.shallow.is_empty() {
            SHALLOW
        } else if self.partial {
            "the clone is partial: git fetch --refetch --no-filter, or name a revision that is here"
        } else {
            "fetch it (git fetch), or name a revision that `git rev-parse` knows here"
        }
    }
}

const SHALLOW: &str =
    "the clone is shallow: git fetch --unshallow, or `fetch-depth: 0` where a build checks out";

fn target(id: &ObjectId, tag: &[u8]) -> Result<ObjectId, GitError> {
    tag_target(tag)
        .ok_or_else(|| GitError::BadObject { id: *id, what: "it does not parse as a tag".to_owned() })
}

fn endless(id: &ObjectId) -> GitError {
    GitError::BadObject { id: *id, what: "its tags of tags have no end".to_owned() }
}

fn unknown(spec: &str, cure: &str) -> GitError {
    // It may come from a payload that somebody else wrote.
    GitError::UnknownRevision { spec: RawPath::new(spec.as_bytes()).text(), cure: cure.to_owned() }
}

/// Why a form of revision is not read, with the cure.
fn refused(spec: &str, base: &str) -> Option<&'static str> {
    // No ref's name holds two dots.
    if spec.contains("..") {
        Some("it is a range; name one commit")
    } else if base.is_empty() {
        Some("name a branch, a tag or a commit")
    } else if base.contains("@{") {
        Some("reflogs and upstreams are not read; name the branch or the commit")
    } else if base.contains(':') {
        Some("paths and searches are not read; name the commit")
    } else {
        None
    }
}

/// Reads the suffixes; `None` if one is not known.
fn steps(mut text: &str) -> Option<Vec<Step>> {
    let mut found = Vec::new();
    while let Some(mark) = text.chars().next() {
        text = &text[mark.len_utf8()..];
        if mark == '^'
            && let Some(rest) = text.strip_prefix('{')
        {
            let (word, after) = rest.split_once('}')?;
            found.push(match word {
                "" => Step::Untag,
                "object" => Step::Stay,
                word => Step::Peel(Kind::parse(word.as_bytes())?),
            });
            text = after;
            continue;
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let n = if digits == 0 { 1 } else { text[..digits].parse().ok()? };
        text = &text[digits..];
        found.push(match mark {
            '^' => Step::Parent(n),
            '~' => Step::Ancestor(n),
            _ => return None,
        });
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_read_in_their_order() {
        use Step::*;
        assert_eq!(
            steps("~2^^3^{}^{tree}~"),
            Some(vec![Ancestor(2), Parent(1), Parent(3), Untag, Peel(Kind::Tree), Ancestor(1)])
        );
        assert_eq!(steps("^0^{object}~0"), Some(vec![Parent(0), Stay, Ancestor(0)]));
        assert_eq!(steps(""), Some(vec![]));
        for text in ["^!", "^@", "^-", "^{/x}", "^{", "~x", "~99999999999999999999999", "^\u{e4}"] {
            assert_eq!(steps(text), None, "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused_with_a_cure() {
        for (text, told) in [
            ("@{u}", "upstreams"),
            ("a..b", "range"),
            ("HEAD:x", "paths"),
            (":/x", "paths"),
            ("", "name a branch"),
        ] {
            assert!(refused(text, text).is_some_and(|cure| cure.contains(told)), "{text}");
        }
        assert_eq!(refused("refs/heads/-x", "refs/heads/-x"), None);
    }
}
