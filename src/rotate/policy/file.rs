//! The organisation's file as it is written. Unknown fields are errors.

use super::{Name, Period, PublicKey, Reference, Settings, Text};
use crate::alert::RouteSpec;
use crate::rotate::inventory::Key;
use crate::rotate::store::form::Form;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The form of the file: 1.
    #[serde(rename = "version")]
    pub(crate) _version: Version,
    /// What holds unless something closer says otherwise.
    #[serde(default)]
    pub default: Settings,
    /// Settings for kinds of keys, such as `critical`.
    #[serde(default)]
    pub class: BTreeMap<Name, Settings>,
    /// Teams.
    #[serde(default)]
    pub team: BTreeMap<Name, Team>,
    /// Services.
    #[serde(default)]
    pub service: BTreeMap<Name, Service>,
    /// The inventory: one key lineage each.
    #[serde(default)]
    pub key: Vec<Key>,
    /// Where keys can be put.
    #[serde(default)]
    pub store: BTreeMap<Name, Store>,
    /// Credentials that may make and remove keys.
    #[serde(default)]
    pub admin: BTreeMap<Name, Admin>,
    /// Programs that may be started.
    #[serde(default)]
    pub hook: BTreeMap<Name, Hook>,
    /// Where alerts go: `[route.NAME]`, as in the file of alerts.
    #[serde(default)]
    pub route: BTreeMap<Name, RouteSpec>,
    /// Who may approve and acknowledge.
    #[serde(default)]
    pub approver: BTreeMap<Name, Approver>,
    /// Gateways whose logs show the use of keys.
    #[serde(default)]
    pub gateway: BTreeMap<Name, Gateway>,
    /// What repositories' own files may ask for.
    #[serde(default)]
    pub repository: Limits,
}

/// The form of the file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) struct Version;

impl TryFrom<i64> for Version {
    type Error = String;
    fn try_from(n: i64) -> Result<Self, String> {
        match n {
            1 => Ok(Version),
            n => Err(format!("version {n} is not known to this Keywheel; it reads version 1")),
        }
    }
}

/// `[team.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Team {
    /// Globs of the paths it looks after, to find the owner of a key that no inventory lists.
    #[serde(deserialize_with = "globs")]
    pub paths: Vec<globset::Glob>,
    /// Settings for its keys.
    pub policy: Settings,
}

/// `[service.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    /// Whose it is, if its keys must all be of one team.
    pub team: Option<Name>,
    /// Settings for its keys.
    pub policy: Settings,
}

/// `[store.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// What it is.
    pub kind: StoreKind,
    /// Base address of its API, for those that have one of their own.
    #[serde(default)]
    pub address: Option<Url>,
    /// What opens it.
    #[serde(default)]
    pub credential: Option<Reference>,
    /// Region of AWS, or location of regional secrets of Google.
    #[serde(default)]
    pub region: Option<Name>,
    /// With `kind = "hook"`: the name of the hook.
    #[serde(default)]
    pub hook: Option<Name>,
    /// Where the certificates (PEM) are that its own is signed by, if no public authority does.
    #[serde(default)]
    pub ca: Option<Reference>,
    /// With `kind = "openbao"`: the namespace.
    #[serde(default)]
    pub namespace: Option<Text>,
    /// With `kind = "openbao"`: the id of the role to sign in as, in place of `credential`; with `kind = "infisical"`
    /// the machine identity's client id.
    #[serde(default, rename = "role-id")]
    pub role_id: Option<Reference>,
    /// What that role or identity signs in with.
    #[serde(default, rename = "secret-id")]
    pub secret_id: Option<Reference>,
    /// With `kind = "file"`: how the file is written; by its name unless said.
    #[serde(default)]
    pub form: Option<Form>,
    /// With `kind = "hook"`: whether it keeps a written value pending until it is promoted.
    #[serde(default)]
    pub staged: bool,
    /// With `kind = "hook"`: whether it can give back what it holds.
    #[serde(default = "yes")]
    pub readable: bool,
}

fn yes() -> bool {
    true
}

/// What a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// One assignment in a file, such as `.env`.
    File,
    /// A program of the organisation.
    Hook,
    /// OpenBao or HashiCorp Vault, key-value engine version 2.
    Openbao,
    /// AWS Secrets Manager.
    AwsSecretsManager,
    /// Parameter Store of AWS Systems Manager.
    AwsParameterStore,
    /// Google Secret Manager.
    GcpSecretManager,
    /// Secrets of Azure Key Vault.
    AzureKeyVault,
    /// A secret of GitHub Actions.
    GithubActions,
    /// A Secret of Kubernetes.
    Kubernetes,
    /// A secret of a Doppler config.
    Doppler,
    /// A secret of Infisical.
    Infisical,
}

/// `[admin.NAME]`: a credential with which Keywheel makes and removes keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Where it is.
    pub credential: Reference,
    /// The provider it belongs to.
    pub provider: Name,
    /// Its own lineage in the inventory, if it has one.
    #[serde(default)]
    pub key: Option<Name>,
}

/// `[hook.NAME]`: a program that Keywheel starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Program and arguments; the program by its absolute path.
    #[serde(deserialize_with = "command")]
    pub run: Vec<String>,
    /// How long it may take.
    #[serde(default = "Hook::timeout")]
    pub timeout: Period,
}

impl Hook {
    fn timeout() -> Period {
        Period::seconds(60)
    }
}

/// `[approver.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The key that its approvals are signed with, as in an OpenSSH `.pub` file.
    #[serde(rename = "public-key")]
    pub public_key: PublicKey,
}

/// `[gateway.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Base address of its API.
    pub address: Url,
    /// What opens it.
    #[serde(default)]
    pub credential: Option<Reference>,
    /// What its logs are called in the file of usage: the name that they were imported under, or the account that they
    /// are pulled with. The gateway's own name unless said.
    #[serde(default)]
    pub logs: Option<Text>,
    /// How late a request may turn up in its logs.
    #[serde(default = "Gateway::lag")]
    pub lag: Period,
}

impl Gateway {
    fn lag() -> Period {
        Period::hours(1)
    }
}

/// `[repository]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The shortest cadence that a repository may ask for.
    #[serde(rename = "shortest-cadence")]
    pub shortest_cadence: Period,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { shortest_cadence: Period::days(1) }
    }
}

/// `https://host[:port][/path]`, or plain `http` to a loopback address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url(String);

impl Url {
    /// The text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = "this is no usable address; write https://host[:port][/path] without user, query or \
                     fragment (http only for 127.0.0.1, [::1] and localhost)";
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong.to_owned()),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        // A colon that is not inside brackets begins the port.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, "443"),
        };
        let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
        let path = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        let fits = !host.is_empty() && host.bytes().all(plain) && rest[authority.len()..].bytes().all(path);
        if !fits || port.parse::<u16>().is_err() || !(tls || loopback) {
            return Err(wrong.to_owned());
        }
        Ok(Url(text.trim_end_matches('/').to_owned()))
    }
}

fn globs<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<globset::Glob>, D::Error> {
    let glob = |text: Text| globset::GlobBuilder::new(text.as_str()).literal_separator(true).build();
    let read = Vec::<Text>::deserialize(from)?.into_iter().map(glob).collect::<Result<_, _>>();
    read.map_err(|e| serde::de::Error::custom(format!("this is no glob: {}", e.kind())))
}

fn command<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let run = Vec::<String>::deserialize(from)?;
    let wrong = |why: &str| Err(serde::de::Error::custom(why));
    match run.first() {
        None => wrong("the list is empty; write the program's absolute path and its arguments"),
        Some(program) if !std::path::Path::new(program).is_absolute() => wrong(
            "the program is not named by its absolute path; nothing is looked up in PATH, and no shell is used",
        ),
        Some(_) if run.iter().any(|word| word.contains('\0')) => wrong("an argument holds a NUL byte"),
        Some(_) => Ok(run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_or_loopback() {
        for text in [
            "https://bao.acme.example:8200/",
            "https://a.example/x/y",
            "http://127.0.0.1:8200",
            "http://[::1]:1",
        ] {
            assert_eq!(Url::try_from(text.to_owned()).unwrap().as_str(), text.trim_end_matches('/'));
        }
        for text in [
            "http://bao.acme.example",
            "https://",
            "https://user:pass@acme.example",
            "https://acme.example?token=x",
            "https://acme.example/#x",
            "https://acme.example:99999",
            "http://127.0.0.1.acme.example",
            "ftp://acme.example",
            "acme.example",
        ] {
            assert!(Url::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn hooks_are_absolute() {
        let read = |text: &str| toml::from_str::<Hook>(text).map_err(|e| e.message().to_owned());
        assert_eq!(read("run = ['/usr/bin/true', '-x']").unwrap().timeout, Period::seconds(60));
        for (text, told) in [
            ("run = []", "empty"),
            ("run = ['true']", "absolute path"),
            ("run = [\"/usr/bin/true\", \"a\\u0000\"]", "NUL"),
            ("run = ['/usr/bin/true']\nshell = true", "unknown field"),
        ] {
            assert!(read(text).unwrap_err().contains(told), "{text}");
        }
    }
}
