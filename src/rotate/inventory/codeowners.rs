//! CODEOWNERS: who answers for a path, as GitHub and GitLab read it. The file comes from a scanned
//! repository: what cannot be read is counted and left out, and never an error.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::BTreeMap;

/// Lines that are looked at. GitHub takes 3 MB; patterns cost memory.
const LINES: usize = 20_000;
/// Longest pattern in bytes.
const PATTERN: usize = 1_024;

/// A file that was read.
#[derive(Debug, Default)]
pub struct CodeOwners {
    set: GlobSet,
    rules: Vec<Rule>,
    /// Lines that say nothing that can be used.
    pub ignored: usize,
}

#[derive(Debug)]
struct Rule {
    line: usize,
    section: String,
    owners: Vec<String>,
}

/// Who answers for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    /// Users, teams and mail addresses.
    pub names: Vec<String>,
    /// The line that says so, from 1; with several sections the last of them.
    pub line: usize,
}

impl CodeOwners {
    /// Reads a file.
    pub fn parse(text: &str) -> Self {
        let (mut set, mut rules, mut ignored) = (GlobSetBuilder::new(), Vec::new(), 0);
        let (mut section, mut default) = (String::new(), Vec::new());
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if n >= LINES {
                ignored += 1;
                continue;
            }
            if let Some((name, owners)) = heading(line) {
                (section, default) = (name.to_lowercase(), names(owners));
                continue;
            }
            let (pattern, rest) = split(line);
            match glob(&pattern) {
                Some(glob) => {
                    let owners = names(rest);
                    // A pattern without owners takes them away, but for a section that has its own.
                    let owners = if owners.is_empty() { default.clone() } else { owners };
                    set.add(glob);
                    rules.push(Rule { line: n + 1, section: section.clone(), owners });
                }
                None => ignored += 1,
            }
        }
        match set.build() {
            Ok(set) => CodeOwners { set, rules, ignored },
            Err(_) => CodeOwners { ignored: ignored + rules.len(), ..CodeOwners::default() },
        }
    }

    /// Who answers for a file: the last line of each section that fits. `None` if nobody does.
    pub fn of(&self, path: &str) -> Option<Owners> {
        let mut last: BTreeMap<&str, &Rule> = BTreeMap::new();
        for at in self.set.matches(path.trim_start_matches('/')) {
            last.insert(&self.rules[at].section, &self.rules[at]);
        }
        let mut rules: Vec<_> = last.into_values().filter(|rule| !rule.owners.is_empty()).collect();
        rules.sort_by_key(|rule| rule.line);
        let line = rules.last()?.line;
        let mut names = Vec::new();
        for name in rules.iter().flat_map(|rule| &rule.owners) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Some(Owners { names, line })
    }
}

/// GitLab's `[Section]`, `^[Optional section]` and `[Section][2]`, and what follows.
fn heading(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix('^').unwrap_or(line).strip_prefix('[')?.split_once(']')?;
    let rest = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => rest,
    };
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some((name, rest))
}

/// The pattern, with escapes undone, and the rest of the line.
fn split(line: &str) -> (String, &str) {
    let (mut pattern, mut chars) = (String::new(), line.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' => return (pattern, &line[at..]),
            '\\' => pattern.extend(chars.next().map(|(_, c)| c)),
            c => pattern.push(c),
        }
    }
    (pattern, "")
}

fn names(text: &str) -> Vec<String> {
    let words = text.split_whitespace().take_while(|word| !word.starts_with('#'));
    // Anything but `@user`, `@org/team` and a mail address is no owner.
    words.filter(|word| word.contains('@') && word.len() <= 256).map(str::to_owned).collect()
}

/// A pattern as a glob over whole paths. Like gitignore's, but for `!` and character lists, which
/// CODEOWNERS does not have, and a `*` at the end, which stops at the next slash.
fn glob(pattern: &str) -> Option<globset::Glob> {
    if pattern.is_empty() || pattern.len() > PATTERN || pattern.starts_with('!') {
        return None;
    }
    let bare = pattern.trim_start_matches('/');
    let folder = bare.ends_with('/');
    let bare = bare.trim_end_matches('/');
    if bare.is_empty() {
        return build("**");
    }
    let anchored = pattern.starts_with('/') || bare.contains('/');
    let head = if anchored { "" } else { "**/" };
    let text: String = bare.chars().flat_map(literal).collect();
    let last = bare.rsplit('/').next().unwrap_or_default();
    // A name stands for the file and for all of the folder; a star for what lies right here.
    match (folder, last.contains('*')) {
        (true, _) => build(&format!("{head}{text}/**")),
        (false, true) => build(&format!("{head}{text}")),
        (false, false) => build(&format!("{head}{text}{{,/**}}")),
    }
}

/// A character of a pattern, so that only `*`, `**` and `?` mean more than themselves.
fn literal(c: char) -> Vec<char> {
    if "[]{}!\\,".contains(c) { vec!['\\', c] } else { vec![c] }
}

fn build(glob: &str) -> Option<globset::Glob> {
    GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).empty_alternates(true).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, path: &str) -> String {
        CodeOwners::parse(text)
            .of(path)
            .map_or("-".to_owned(), |o| format!("{}:{}", o.line, o.names.join(" ")))
    }

    #[test]
    fn patterns_mean_what_github_says() {
        for (pattern, fits, misses) in [
            ("*", &["a", "a/b/c"][..], &[][..]),
            ("*.js", &["a.js", "x/y.js"], &["a.jsx"]),
            ("/build/logs/", &["build/logs/a", "build/logs/a/b"], &["x/build/logs/a", "build/logs"]),
            ("docs/*", &["docs/a.md"], &["docs/a/b.md", "x/docs/a.md"]),
            ("apps/", &["apps/a", "x/apps/a/b"], &["apps"]),
            ("/docs/", &["docs/a/b"], &["x/docs/a"]),
            ("/scripts", &["scripts", "scripts/a"], &["x/scripts"]),
            ("**/logs", &["build/logs/a", "logs/a", "x/y/logs"], &["logs2"]),
            ("/apps/github", &["apps/github/x"], &["apps/gitlab"]),
            ("a[b].c", &["a[b].c"], &["ab.c"]),
            ("\\#x", &["#x"], &["x"]),
            ("my\\ file", &["my file"], &["my"]),
            ("{a,b}", &["{a,b}"], &["a"]),
            ("/", &["a", "a/b"], &[]),
        ] {
            for path in fits {
                assert_eq!(of(&format!("{pattern} @o"), path), "1:@o", "{pattern} {path}");
            }
            for path in misses {
                assert_eq!(of(&format!("{pattern} @o"), path), "-", "{pattern} {path}");
            }
        }
    }

    #[test]
    fn the_last_line_wins_and_a_bare_one_takes_away() {
        let text = "* @all\n# comment\n/src @org/dev dev@acme.example # note\n/src/free\n";
        assert_eq!(of(text, "README"), "1:@all");
        assert_eq!(of(text, "src/a.rs"), "3:@org/dev dev@acme.example");
        assert_eq!(of(text, "src/free/a.rs"), "-");
    }

    #[test]
    fn sections_are_read_side_by_side() {
        let text = "* @all\n[Ops][2] @ops\ndeploy/\n^[Docs]\n*.md @writers\n";
        assert_eq!(of(text, "deploy/a.md"), "5:@all @ops @writers");
        assert_eq!(of(text, "deploy/a"), "3:@all @ops");
    }

    #[test]
    fn a_hostile_file_costs_little_and_fails_nothing() {
        let owners = CodeOwners::parse(&format!("!a @x\n{} @x\nb nobody\n* @all", "y".repeat(2_000)));
        assert_eq!(
            (owners.ignored, owners.of("b"), owners.of("c").map(|o| o.line)),
            (2, owners.of("c"), Some(4))
        );
        let many = "**/a*b*c*d*e*f* @x\n".repeat(LINES + 5);
        assert_eq!(CodeOwners::parse(&many[..19 * 100]).ignored, 0);
        assert_eq!(CodeOwners::parse(&"\n# x\n".repeat(LINES)).ignored, 0);
        assert_eq!(CodeOwners::parse(&"/x @y\n".repeat(LINES + 5)).ignored, 5);
    }
}
