//! What a working credential may do, as a rule file asks and grades it.

use super::{Capture, Step};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Further reads about a credential that was proved to work, and what their answers mean.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Name → where the answer that proved it holds the value.
    #[serde(default)]
    pub capture: BTreeMap<String, Capture>,
    /// Reads, in order. One that is refused or fails ends nothing: `read0`, `read1`, … hold `done`, `refused` or
    /// nothing.
    #[serde(default)]
    pub reads: Vec<Step>,
    /// Names of captured values that reports show.
    #[serde(default)]
    pub show: Vec<String>,
    /// From the worst on; the first that fits counts. None may fit.
    #[serde(default)]
    pub grades: Vec<Grading>,
    /// Captured values and the level that they must come to: the tests of the grades.
    #[serde(default)]
    pub cases: Vec<AccessCase>,
}

/// What native checks tell of the owner of a credential, beside what goes into them: names that reads, grades and
/// reports of such rules may use.
pub const TOLD: &[(&str, &[&str])] = &[("aws-sts", &["account", "arn", "caller", "user", "user_id"])];

/// One grade and when it is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grading {
    /// `admin`, `write`, `read` or `little`.
    pub level: String,
    /// What that means, a clause such as `makes and deletes keys of the organisation`.
    pub means: String,
    /// Name → words of which one must be among those of its value, which stand between commas and blanks; `*` is
    /// any word, `admin*` all that begin so. Every name must fit; without any the grade is always given.
    #[serde(default)]
    pub when: BTreeMap<String, Vec<String>>,
}

/// A test of the grades.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessCase {
    /// Captured values.
    pub values: BTreeMap<String, String>,
    /// The level; empty for none.
    #[serde(default)]
    pub level: String,
}

impl Access {
    /// The grade of captured values.
    pub fn grade(&self, values: &BTreeMap<String, String>) -> Option<&Grading> {
        self.grades.iter().find(|grade| {
            grade.when.iter().all(|(name, wanted)| {
                let value = values.get(name).map_or("", String::as_str);
                let mut words = value.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty());
                words.any(|word| wanted.iter().any(|want| fits(want, word)))
            })
        })
    }
}

fn fits(want: &str, word: &str) -> bool {
    match want.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => want == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_grade_that_fits_counts() {
        let access: Access = toml::from_str(
            "grades = [
              { level = 'admin', means = 'a', when = { scopes = ['admin:*', 'sudo'] } },
              { level = 'write', means = 'w', when = { scopes = ['repo'], owner = ['*'] } },
              { level = 'little', means = 'l', when = { read0 = ['refused'] } },
            ]",
        )
        .unwrap();
        let level = |pairs: &[(&str, &str)]| {
            let values = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            access.grade(&values).map_or("", |g| g.level.as_str()).to_owned()
        };
        assert_eq!(level(&[("scopes", "repo, admin:org")]), "admin");
        assert_eq!(level(&[("scopes", "repo read:org"), ("owner", "ann")]), "write");
        assert_eq!(level(&[("scopes", "repo")]), "");
        assert_eq!(level(&[("scopes", "repository"), ("read0", "refused")]), "little");
        assert_eq!(level(&[]), "");
    }
}
