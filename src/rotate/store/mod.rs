//! Stores: the places where a key lands. [`Spec`] is what the organisation's file says of one, and opens it for a
//! [`Place`] in it; everything that it needs of the world comes through [`Doors`].

mod aws;
mod aws_json;
mod azure;
mod bearer;
mod doppler;
#[cfg(unix)]
mod file;
pub mod form;
mod gcp;
mod github;
#[cfg(unix)]
mod hook;
mod infisical;
mod kubernetes;
mod list;
pub(in crate::rotate) mod openbao;
mod parameter_store;
mod part;
mod pass;
#[cfg(unix)]
mod program;
mod web;

pub use aws_json::AwsSpec;
pub use azure::AzureSpec;
pub use doppler::DopplerSpec;
pub use gcp::GcpSpec;
pub use github::GithubSpec;
pub use infisical::{Identity, InfisicalSpec};
pub use kubernetes::{KubernetesSpec, Rollout};
pub use list::{Entry, Field, ListError, Listing};
pub use openbao::{AppRole, OpenbaoSpec};
#[cfg(unix)]
pub use program::{Ended, Program, ProgramError};
pub use web::Server;

use crate::call::Transport;
use crate::model::Secret;
use crate::rotate::engine::Store;
use crate::rotate::time::Moment;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// What a store is, as the organisation's file declares it. No value of a credential stands in it: they are
/// references, such as `env:NAME`, which [`Doors::fetch`] resolves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Spec {
    /// One assignment in a file.
    File(FileSpec),
    /// A program of the organisation.
    Hook(HookSpec),
    /// OpenBao or HashiCorp Vault, key-value engine version 2.
    Openbao(OpenbaoSpec),
    /// AWS Secrets Manager.
    AwsSecretsManager(AwsSpec),
    /// Parameter Store of AWS Systems Manager.
    AwsParameterStore(AwsSpec),
    /// Google Secret Manager.
    GcpSecretManager(GcpSpec),
    /// Secrets of Azure Key Vault.
    AzureKeyVault(AzureSpec),
    /// A secret of GitHub Actions.
    GithubActions(GithubSpec),
    /// A Secret of Kubernetes.
    Kubernetes(KubernetesSpec),
    /// A secret of a Doppler config.
    Doppler(DopplerSpec),
    /// A secret of Infisical.
    Infisical(InfisicalSpec),
}

/// `kind = "file"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileSpec {
    /// How the file is written; by its name unless said.
    #[serde(default)]
    pub form: Option<form::Form>,
}

/// `kind = "hook"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HookSpec {
    /// Program and arguments; the program by its absolute path.
    pub run: Vec<String>,
    /// Seconds that it may take; a call's own deadline may be sooner.
    #[serde(default = "minute")]
    pub timeout: u64,
    /// Whether it keeps a written value pending until it is promoted.
    #[serde(default)]
    pub staged: bool,
    /// Whether it can give back what it holds.
    #[serde(default = "yes")]
    pub readable: bool,
}

fn minute() -> u64 {
    60
}

fn yes() -> bool {
    true
}

/// Where in a store a key lands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Place {
    /// The lineage.
    pub lineage: String,
    /// A file; `mount/path` of a secret; its name or ARN; a parameter's name; `project/secret`; `owner/repository`,
    /// `owner/repository/environment` or an organisation; `namespace/name`; `project/config`;
    /// `project-id/environment`, with its folders.
    pub path: String,
    /// The variable, pointer, field or data key; with GitHub, Doppler and Infisical the secret's name.
    #[serde(default)]
    pub field: Option<String>,
    /// Deployments of the same namespace that read the key at their start only.
    #[serde(default)]
    pub rollout: Vec<String>,
}

/// What stores need of the world. Whoever has environment, files and network gives it. Its sentences hold no
/// secret.
pub trait Doors: Send + Sync {
    /// What sends requests to this server. The organisation named it, so that it may have an internal address.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    fn transport(&self, server: &Server) -> Result<Arc<dyn Transport>, String>;

    /// The value behind a reference, now.
    ///
    /// # Errors
    /// Why it cannot be had, in a sentence.
    fn fetch(&self, reference: &str) -> Result<Secret, String>;

    /// Whether git tracks a file.
    ///
    /// # Errors
    /// Why that is not known, in a sentence; the file is not written then.
    fn tracked(&self, file: &Path) -> Result<bool, String>;

    /// What time it is.
    fn now(&self) -> Moment;

    /// A keyed digest of at least 32 hexadecimal digits: the same for the same bytes as long as the journal
    /// lives, and nothing that a guess could be tried against without the key.
    fn mark(&self, bytes: &[u8]) -> String;
}

/// Why a store cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The declaration is wrong.
    #[error("the store's declaration: {0}")]
    Spec(String),
    /// The place in it is wrong.
    #[error("`{path}` is no place in this store: {why}")]
    Place {
        /// The path.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Not on this operating system.
    #[error("files and hooks as stores need a Unix")]
    System,
}

impl Spec {
    /// Opens the store for one place in it. Nothing is called yet.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, place: &Place, doors: &Arc<dyn Doors>) -> Result<Box<dyn Store>, OpenError> {
        let doors = Arc::clone(doors);
        Ok(match self {
            #[cfg(unix)]
            Spec::File(spec) => Box::new(file::FileStore::new(spec, place, doors)?),
            #[cfg(unix)]
            Spec::Hook(spec) => Box::new(hook::HookStore::new(spec, place)?),
            #[cfg(not(unix))]
            Spec::File(_) | Spec::Hook(_) => return Err(OpenError::System),
            Spec::Openbao(spec) => Box::new(openbao::Openbao::new(spec, place, doors)?),
            Spec::AwsSecretsManager(spec) => Box::new(aws::SecretsManager::new(spec, place, doors)?),
            Spec::AwsParameterStore(spec) => {
                Box::new(parameter_store::ParameterStore::new(spec, place, doors)?)
            }
            Spec::GcpSecretManager(spec) => Box::new(gcp::GcpSecrets::new(spec, place, doors)?),
            Spec::AzureKeyVault(spec) => Box::new(azure::KeyVault::new(spec, place, doors)?),
            Spec::GithubActions(spec) => Box::new(github::Actions::new(spec, place, doors)?),
            Spec::Kubernetes(spec) => Box::new(kubernetes::KubeSecret::new(spec, place, doors)?),
            Spec::Infisical(spec) => Box::new(infisical::Infisical::new(spec, place, doors)?),
            Spec::Doppler(spec) => Box::new(doppler::Doppler::new(spec, place, doors)?),
        })
    }

    /// Whether a written value must be promoted before readers get it.
    pub fn staged(&self) -> bool {
        match self {
            Spec::AwsSecretsManager(_) => true,
            Spec::Hook(spec) => spec.staged,
            _ => false,
        }
    }

    /// Whether the value can be read back.
    pub fn readable(&self) -> bool {
        match self {
            Spec::GithubActions(_) => false,
            Spec::Hook(spec) => spec.readable,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests;
