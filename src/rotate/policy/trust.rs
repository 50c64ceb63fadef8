//! What a repository's own file may say about the keys that it uses: it may be stricter, and nothing
//! else. What can send a secret somewhere is for the organisation's file alone.

use super::{
    Export, Level, Locator, Name, Place, Policy, PolicyError, Proof, Resolved, Screen, Settings, error,
};
use crate::rotate::inventory::Key;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What a repository asks for, for one key.
#[derive(Clone, Debug)]
pub(super) struct Added {
    pub(super) key: Name,
    path: PathBuf,
    settings: Settings,
}

/// One thing that a repository's file may not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// What it says, and why that is refused.
    pub message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.place, self.message)
    }
}

/// Why a repository's file is not taken. Nothing of it is then.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] PolicyError),
    /// It says what it may not.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Refused>),
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoryFile {
    #[serde(rename = "version")]
    _version: super::file::Version,
    #[serde(default)]
    key: Vec<Stricter>,
}

/// `[[key]]` of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stricter {
    id: Name,
    #[serde(default)]
    policy: Settings,
}

/// Tables and fields of the organisation's file, and why a repository has no say in them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("store", "it would say where secrets go"),
    ("admin", "it would say which credential makes and removes keys"),
    ("hook", "it would start a program that sees secrets"),
    ("route", "it would say who is told of leaks"),
    ("approver", "it would say whose word counts"),
    ("gateway", "it would say which logs prove that a key is out of use"),
    ("repository", "it would set its own limits"),
    ("default", "it would speak for all keys"),
    ("class", "it would speak for keys of others"),
    ("team", "it would speak for keys of others"),
    ("service", "it would speak for keys of others"),
];

/// Settings that a repository may make stricter; all others are refused with this reason.
const STRICTER: &[&str] = &[
    "cadence",
    "quiet",
    "soak",
    "staging-first",
    "approvals",
    "emergency-approvals",
    "proof",
    "export-usage",
];

impl Policy {
    /// Takes what the file of `repository` says of the keys that list it among their consumers. `path` is
    /// for messages only.
    ///
    /// # Errors
    /// A file that cannot be read, or everything in it that is not stricter than the organisation's, each
    /// with its line and the reason. The policy is then as it was.
    pub fn add_repository(
        &mut self,
        repository: &Name,
        path: &Path,
        text: &str,
        screen: Screen<'_>,
    ) -> Result<(), RepositoryError> {
        // First what is no repository's business, since it would otherwise be called unknown.
        let mut refused = foreign(path, text);
        if refused.is_empty() {
            let file: RepositoryFile = error::read(path, text, screen)?;
            let locator = Locator::new(text);
            let mut added = Vec::new();
            for (n, entry) in file.key.into_iter().enumerate() {
                let at = n.to_string();
                let mut refuse = |field: &[&str], message: String| {
                    let place = locator.place(&[&["key", at.as_str()][..], field].concat());
                    refused.push(Refused { path: path.to_owned(), place, message });
                };
                match self.key(entry.id.as_str()).filter(|key| reads(key, repository)) {
                    Some(key) => {
                        let floor = self.resolve_own(key);
                        for (setting, why) in self.laxer(&entry.policy, &floor) {
                            refuse(&["policy", setting], format!("`{setting}` is not taken: {why}"));
                        }
                    }
                    None => refuse(
                        &["id"],
                        format!(
                            "no key `{}` lists the repository {repository} among its consumers; have the \
                             organisation's file say so, or remove this",
                            entry.id
                        ),
                    ),
                }
                added.push(Added { key: entry.id, path: path.to_owned(), settings: entry.policy });
            }
            if refused.is_empty() {
                self.added.extend(added);
                return Ok(());
            }
        }
        Err(RepositoryError::Refused(refused))
    }

    /// The settings that are not stricter than the organisation's, and why not.
    fn laxer(&self, asked: &Settings, floor: &Resolved) -> Vec<(&'static str, String)> {
        let mut out = Vec::new();
        for name in asked.said().into_iter().filter(|name| !STRICTER.contains(name)) {
            let list = STRICTER.join(", ");
            out.push((name, format!("only the organisation's file may set it; a repository may set {list}")));
        }
        let mut laxer = |name, is: bool, why: String| {
            if is {
                out.push((name, why));
            }
        };
        let shortest = self.file.repository.shortest_cadence;
        if let Some(asked) = asked.cadence {
            let own = floor.cadence.value;
            laxer(
                "cadence",
                asked > own,
                format!("it is longer than the organisation's {own}; make it shorter"),
            );
            laxer(
                "cadence",
                asked < shortest,
                format!("the shortest that a repository may ask for is {shortest}"),
            );
        }
        for (name, asked, own) in
            [("quiet", asked.quiet, floor.quiet.value), ("soak", asked.soak, floor.soak.value)]
        {
            let less = asked.is_some_and(|asked| asked < own);
            laxer(name, less, format!("it is shorter than the organisation's {own}; make it longer"));
        }
        let lax = asked.staging_first == Some(false) && floor.staging_first.value;
        laxer("staging-first", lax, "the organisation has staging go first; remove it".to_owned());
        for (name, asked, own) in [
            ("approvals", asked.approvals, floor.approvals.value),
            ("emergency-approvals", asked.emergency_approvals, floor.emergency_approvals.value),
        ] {
            let less = asked.is_some_and(|asked| asked < own);
            laxer(name, less, format!("the organisation asks for {own}; ask for more, or remove it"));
        }
        let more =
            |asked: &Vec<Proof>| asked.iter().any(|p| !floor.proof.value.contains(p)) || asked.is_empty();
        laxer(
            "proof",
            asked.proof.as_ref().is_some_and(more),
            "it accepts what the organisation does not, or nothing at all; name some of the organisation's"
                .to_owned(),
        );
        let less = asked.export_usage.is_some_and(|asked| asked < floor.export_usage.value);
        laxer(
            "export-usage",
            less,
            format!("the organisation says `{}`; remove it", floor.export_usage.value),
        );
        out
    }
}

impl Added {
    /// Puts it on top, wherever it is stricter still than what another repository asked for.
    pub(super) fn tighten(&self, on: &mut Resolved) {
        let mut asked = self.settings.clone();
        asked.cadence = asked.cadence.filter(|asked| *asked < on.cadence.value);
        asked.quiet = asked.quiet.filter(|asked| *asked > on.quiet.value);
        asked.soak = asked.soak.filter(|asked| *asked > on.soak.value);
        asked.staging_first = asked.staging_first.filter(|asked| *asked && !on.staging_first.value);
        asked.approvals = asked.approvals.filter(|asked| *asked > on.approvals.value);
        asked.emergency_approvals =
            asked.emergency_approvals.filter(|asked| *asked > on.emergency_approvals.value);
        asked.export_usage =
            asked.export_usage.filter(|asked| *asked > Export::Offered.max(on.export_usage.value));
        // Of several lists what all of them accept.
        asked.proof = asked.proof.and_then(|list| {
            let both: Vec<_> = on.proof.value.iter().copied().filter(|p| list.contains(p)).collect();
            (both.len() < on.proof.value.len()).then_some(both)
        });
        on.overlay(&asked, &Level::Repository(self.path.clone()));
    }
}

fn reads(key: &Key, repository: &Name) -> bool {
    key.consumers.iter().any(|consumer| consumer.repository.as_ref() == Some(repository))
}

/// What in a file is no repository's business, by its first two levels.
fn foreign(path: &Path, text: &str) -> Vec<Refused> {
    let mut refused = Vec::new();
    let Ok(root) = toml::de::DeTable::parse(text) else { return refused };
    let mut refuse = |at: usize, message: String| {
        refused.push(Refused { path: path.to_owned(), place: Place::of(text, at), message });
    };
    for (name, value) in root.get_ref() {
        if let Some((table, why)) = ELSEWHERE.iter().find(|(table, _)| *table == name.get_ref()) {
            let message = format!("`{table}` is not taken: {why}; only the organisation's file may have it");
            refuse(name.span().start, message);
        }
        let keys = value.get_ref().as_array().filter(|_| name.get_ref() == "key");
        for table in keys.into_iter().flatten().filter_map(|key| key.get_ref().as_table()) {
            for field in table.keys().filter(|f| !["id", "policy"].contains(&f.get_ref().as_ref())) {
                let message =
                    "the inventory is the organisation's: here a key has its `id` and a `policy` only";
                refuse(field.span().start, message.to_owned());
            }
        }
    }
    refused.sort_by_key(|r| r.place);
    refused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotate::policy::tests::{KEY, none, policy};

    const ORGANISATION: &str = "[default]\ncadence = '60d'\napprovals = 1\nquiet = '12h'\nsoak = '3d'\n\
        export-usage = 'required'\nproof = ['usage', 'ack']\n[repository]\nshortest-cadence = '7d'\n";

    fn organisation() -> Policy {
        let consumers = "consumers = [{ name = 'app', repository = 'acme/app' }]\n";
        let other = KEY.replace("'k'", "'other'");
        policy(&[ORGANISATION, KEY, consumers, &other])
    }

    fn add(policy: &mut Policy, text: &str) -> Result<(), String> {
        let name = "acme/app".parse().unwrap();
        let text = format!("version = 1\n{text}");
        let added = policy.add_repository(&name, Path::new("repo.toml"), &text, &none);
        added.map_err(|e| e.to_string())
    }

    fn resolved(policy: &Policy) -> Resolved {
        policy.resolve(policy.key("k").unwrap())
    }

    #[test]
    fn a_repository_may_be_stricter() {
        let mut policy = organisation();
        let text = "[[key]]\nid = 'k'\npolicy = { cadence = '30d', approvals = 2, quiet = '1d', soak = '4d', \
                    proof = ['usage'], emergency-approvals = 1, staging-first = true, export-usage = 'required' }";
        assert_eq!(add(&mut policy, text), Ok(()));
        let r = resolved(&policy);
        assert_eq!(
            (r.cadence.value, r.approvals.value, r.emergency_approvals.value),
            (Period::days(30), 2, 1)
        );
        assert_eq!((r.quiet.value, r.soak.value), (Period::days(1), Period::days(4)));
        assert_eq!(r.proof.value, [Proof::Usage]);
        assert_eq!(r.level_of("cadence").to_string(), "repository (repo.toml)");
        assert_eq!(r.level_of("export-usage"), Level::Default, "it says the same");
        assert_eq!(policy.resolve(policy.key("other").unwrap()).cadence.value, Period::days(60));
    }

    #[test]
    fn of_two_repositories_the_stricter_one_holds() {
        for order in [["30d", "20d"], ["20d", "30d"]] {
            let mut policy = organisation();
            for cadence in order {
                add(&mut policy, &format!("[[key]]\nid = 'k'\npolicy.cadence = '{cadence}'")).unwrap();
            }
            assert_eq!(resolved(&policy).cadence.value, Period::days(20));
        }
        let mut policy = organisation();
        for proof in ["usage", "ack"] {
            add(&mut policy, &format!("[[key]]\nid = 'k'\npolicy.proof = ['{proof}']")).unwrap();
        }
        assert!(resolved(&policy).proof.value.is_empty(), "what both accept: nothing, so a person decides");
    }

    #[test]
    fn anything_laxer_is_refused_with_line_and_reason() {
        for (setting, why) in [
            ("cadence = '61d'", "longer than the organisation's 60d"),
            ("cadence = '6d'", "the shortest that a repository may ask for is 7d"),
            ("quiet = '11h'", "shorter than the organisation's 12h"),
            ("soak = '0s'", "shorter than the organisation's 3d"),
            ("staging-first = false", "staging go first"),
            ("approvals = 0", "asks for 1"),
            ("proof = ['usage', 'timer']", "accepts what the organisation does not"),
            ("proof = []", "nothing at all"),
            ("export-usage = 'where-offered'", "says `required`"),
        ] {
            let mut policy = organisation();
            let name = setting.split(' ').next().unwrap();
            let told =
                add(&mut policy, &format!("[[key]]\nid = 'k'\n[key.policy]\n{setting}")).expect_err(setting);
            assert!(told.starts_with(&format!("repo.toml:5:1: `{name}` is not taken: ")), "{told}");
            assert!(told.contains(why), "{told}");
            assert_eq!(resolved(&policy), resolved(&organisation()), "nothing is taken");
        }
    }

    #[test]
    fn every_other_setting_is_the_organisations() {
        let value = |name: &str| match name {
            "window" => "[{ from = '09:00', until = '10:00' }]",
            "freeze" => "[{ from = 2026-01-01, until = 2026-01-02, reason = 'x' }]",
            "emergency-daily" | "pool-low" => "9",
            "emergency-auto" => "true",
            "order" | "emergency-order" => "'revoke-first'",
            "approvers" | "owners" | "alerts" | "smoke" | "gateways" => "['x']",
            _ => "'1h'",
        };
        for name in Settings::NAMES.iter().filter(|name| !STRICTER.contains(name)) {
            let text = format!("[[key]]\nid = 'k'\n[key.policy]\n{name} = {}", value(name));
            let told = add(&mut organisation(), &text).expect_err(name);
            assert!(told.starts_with(&format!("repo.toml:5:1: `{name}` is not taken: only the")), "{told}");
        }
    }

    #[test]
    fn what_can_send_a_secret_somewhere_is_refused() {
        for (text, line, why) in [
            ("[store.x]\nkind = 'file'", "2:2", "where secrets go"),
            ("[hook.x]\nrun = ['/bin/x']", "2:2", "start a program"),
            ("[admin.x]\ncredential = 'env:X'\nprovider = 'acme'", "2:2", "which credential"),
            ("[route.x]\nhook = 'x'", "2:2", "who is told"),
            ("[approver.x]", "2:2", "whose word"),
            ("[gateway.x]\naddress = 'https://x.example'", "2:2", "which logs"),
            ("[repository]\nshortest-cadence = '1s'", "2:2", "its own limits"),
            ("[default]\ncadence = '1d'", "2:2", "for all keys"),
            ("[class.x]", "2:2", "of others"),
            ("[team.x]", "2:2", "of others"),
            ("[service.x]", "2:2", "of others"),
            ("[[key]]\nid = 'k'\nstores = []", "4:1", "inventory is the organisation's"),
            ("[[key]]\nid = 'k'\nadmin = 'x'", "4:1", "inventory is the organisation's"),
            ("[[key]]\nid = 'other'", "3:1", "lists the repository acme/app"),
            ("[[key]]\nid = 'none'", "3:1", "lists the repository acme/app"),
            ("surprise = 1", "2:1", "unknown field"),
        ] {
            let told = add(&mut organisation(), text).expect_err(text);
            assert!(told.starts_with(&format!("repo.toml:{line}: ")) && told.contains(why), "{text}: {told}");
        }
        assert_eq!(ELSEWHERE.len() + 2, super::super::tests::tables().len(), "version and key are allowed");
    }

    use crate::rotate::policy::Period;
}
