//! The organisation's `[store]` tables as stores that can be opened.

use crate::rotate::inventory::{Key, Target};
use crate::rotate::machine;
use crate::rotate::policy::{File, Name, StoreKind};
use crate::rotate::store::{
    AppRole, AwsSpec, AzureSpec, DopplerSpec, FileSpec, GcpSpec, GithubSpec, HookSpec, Identity,
    InfisicalSpec, KubernetesSpec, OpenbaoSpec, Place, Spec,
};

/// A place where the new key lands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The store's name in the organisation's file.
    pub name: String,
    /// What it is.
    pub spec: Spec,
    /// Where in it.
    pub place: Place,
    /// How the journal names it: no two lineages may claim the same.
    pub claim: String,
}

impl Landing {
    /// The landing of one target of a key.
    ///
    /// # Errors
    /// What is missing, in a sentence.
    pub(super) fn new(file: &File, key: &Key, target: &Target) -> Result<Landing, String> {
        Ok(Landing {
            name: target.store.to_string(),
            spec: spec(file, &target.store)?,
            place: Place {
                lineage: key.id.to_string(),
                path: target.path.as_str().to_owned(),
                field: target.field.as_ref().map(|field| field.as_str().to_owned()),
                rollout: target.rollout.iter().map(ToString::to_string).collect(),
            },
            claim: target.to_string(),
        })
    }

    /// As the machine knows it.
    pub(super) fn target(&self) -> machine::Target {
        machine::Target {
            name: self.claim.clone(),
            staged: self.spec.staged(),
            readable: self.spec.readable(),
        }
    }
}

/// A `[store.NAME]` as it is opened.
///
/// # Errors
/// What is missing, in a sentence.
pub fn spec(file: &File, name: &Name) -> Result<Spec, String> {
    let store = file.store.get(name).ok_or_else(|| format!("there is no [store.{name}]"))?;
    let missing = |what: &str| format!("[store.{name}] has no `{what}`");
    let address = || store.address.as_ref().map(|url| url.as_str().to_owned());
    // The reader takes `http` for loopback addresses only.
    let plain = store.address.as_ref().is_some_and(|url| url.as_str().starts_with("http://"));
    let credential = || store.credential.as_ref().map(ToString::to_string);
    let ca = store.ca.as_ref().map(ToString::to_string);
    let aws = || -> Result<AwsSpec, String> {
        Ok(AwsSpec {
            region: store.region.as_ref().ok_or_else(|| missing("region"))?.to_string(),
            credential: credential().ok_or_else(|| missing("credential"))?,
            address: address(),
            plain,
            ca: ca.clone(),
        })
    };
    Ok(match store.kind {
        StoreKind::File => Spec::File(FileSpec { form: store.form }),
        StoreKind::Hook => {
            let hook = store.hook.as_ref().ok_or_else(|| missing("hook"))?;
            let hook = file.hook.get(hook).ok_or_else(|| format!("there is no [hook.{hook}]"))?;
            Spec::Hook(HookSpec {
                run: hook.run.clone(),
                timeout: hook.timeout.as_secs(),
                staged: store.staged,
                readable: store.readable,
            })
        }
        StoreKind::Openbao => {
            let approle = match (&store.role_id, &store.secret_id) {
                (Some(role), Some(secret)) => Some(AppRole {
                    role_id: role.to_string(),
                    secret_id: secret.to_string(),
                    mount: "approle".to_owned(),
                }),
                _ => None,
            };
            Spec::Openbao(OpenbaoSpec {
                address: address().ok_or_else(|| missing("address"))?,
                plain,
                ca,
                namespace: store.namespace.as_ref().map(|text| text.as_str().to_owned()),
                mount: None,
                token: credential(),
                approle,
            })
        }
        StoreKind::AwsSecretsManager => Spec::AwsSecretsManager(aws()?),
        StoreKind::AwsParameterStore => Spec::AwsParameterStore(aws()?),
        StoreKind::GcpSecretManager => Spec::GcpSecretManager(GcpSpec {
            credential: credential().ok_or_else(|| missing("credential"))?,
            region: store.region.as_ref().map(ToString::to_string),
            address: address(),
            plain,
            ca,
        }),
        StoreKind::AzureKeyVault => Spec::AzureKeyVault(AzureSpec {
            address: address().ok_or_else(|| missing("address"))?,
            credential: credential().ok_or_else(|| missing("credential"))?,
            plain,
            ca,
        }),
        StoreKind::GithubActions => Spec::GithubActions(GithubSpec {
            credential: credential().ok_or_else(|| missing("credential"))?,
            address: address(),
            plain,
            ca,
        }),
        StoreKind::Infisical => Spec::Infisical(InfisicalSpec {
            address: address(),
            plain,
            ca,
            token: credential(),
            identity: match (&store.role_id, &store.secret_id) {
                (Some(id), Some(secret)) => {
                    Some(Identity { client_id: id.to_string(), client_secret: secret.to_string() })
                }
                _ => None,
            },
        }),
        StoreKind::Doppler => Spec::Doppler(DopplerSpec {
            credential: credential().ok_or_else(|| missing("credential"))?,
            address: address(),
            plain,
            ca,
        }),
        StoreKind::Kubernetes => Spec::Kubernetes(KubernetesSpec {
            address: address().ok_or_else(|| missing("address"))?,
            token: credential().ok_or_else(|| missing("credential"))?,
            ca,
            plain,
        }),
    })
}
