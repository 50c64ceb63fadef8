//! A Secret of Kubernetes, by the API server
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/>).
//!
//! A merge patch changes the one data key, under the condition that `resourceVersion` is still the expected one.
//! Deployments that read the key at their start only are told to start anew by an annotation of their pod template;
//! its value is a keyed digest of the key, so that telling twice is telling once. A write tells them as far as it can;
//! [`Rollout`] tells those that were missed, and says when all of them run with the key that is there.

use super::form::json;
use super::list::{Entry, Field, ListError, Listing, pages, standing};
use super::web::{Web, failed, header, plain, query, segments};
use super::{Doors, OpenError, Place};
use crate::call::Reply;
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// `kind = "kubernetes"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KubernetesSpec {
    /// Base address of the API server.
    pub address: String,
    /// Reference of a token that may get and patch the Secret, and the Deployments to be rolled out.
    pub token: String,
    /// Reference of the cluster's certificates, PEM.
    #[serde(default)]
    pub ca: Option<String>,
    /// Allows `http://`: keys are sent in the clear.
    #[serde(default)]
    pub plain: bool,
}

/// The annotation that tells a Deployment to start its pods anew.
const ANNOTATION: &str = "keywheel.dev/secret";

/// The store.
pub(super) struct KubeSecret {
    cluster: Cluster,
    rollout: Vec<String>,
}

struct Cluster {
    web: Web,
    token: String,
    /// Path of the Secret below the address.
    secret: String,
    namespace: String,
    field: String,
}

/// A Deployment as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deployment {
    metadata: Meta,
    spec: DeploymentSpec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    generation: u64,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct DeploymentSpec {
    /// One unless said.
    replicas: Option<u64>,
    template: Template,
}

#[derive(Deserialize)]
struct Template {
    #[serde(default)]
    metadata: Meta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: u64,
    replicas: u64,
    updated_replicas: u64,
    available_replicas: u64,
}

impl Deployment {
    fn told(&self, mark: &str) -> bool {
        let annotations = self.spec.template.metadata.annotations.as_ref();
        annotations.and_then(|a| a.get(ANNOTATION)).is_some_and(|v| v == mark)
    }

    /// As `kubectl rollout status` tells it: seen, all new, none old, all available.
    fn complete(&self) -> bool {
        let (status, wanted) = (&self.status, self.spec.replicas.unwrap_or(1));
        status.observed_generation >= self.metadata.generation
            && status.updated_replicas >= wanted
            && status.replicas <= status.updated_replicas
            && status.available_replicas >= status.updated_replicas
    }
}

impl Cluster {
    fn new(spec: &KubernetesSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Place { path: place.path.clone(), why };
        let (namespace, name) = place.path.split_once('/').ok_or(wrong("it is `namespace/name`"))?;
        let good =
            |s: &str| s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
        if ![namespace, name].into_iter().chain(place.rollout.iter().map(String::as_str)).all(good) {
            return Err(wrong("names in a cluster have small letters, digits, `-` and `.` only"));
        }
        let field = place.field.clone().filter(|f| !f.is_empty());
        let secret = segments(&["api", "v1", "namespaces", namespace, "secrets", name]);
        Ok(Cluster {
            web: Web::new(&spec.address, spec.plain, spec.ca.as_deref(), doors)?,
            token: spec.token.clone(),
            secret: secret.ok_or(wrong("it is `namespace/name`"))?,
            namespace: namespace.to_owned(),
            field: field.ok_or(wrong("say which data key in `field`"))?,
        })
    }

    fn ask(&self, method: &str, path: &str, body: Option<&str>, call: Call) -> Result<Reply, StoreError> {
        self.ask_for("application/json", method, path, body, call)
    }

    fn ask_for(
        &self,
        form: &str,
        method: &str,
        path: &str,
        body: Option<&str>,
        call: Call,
    ) -> Result<Reply, StoreError> {
        let mut request = self.web.request(method, path);
        request.headers =
            vec![plain("Accept", form), header("Authorization", "Bearer ", &self.web.fetch(&self.token)?)?];
        if let Some(body) = body {
            request.headers.push(plain("Content-Type", "application/merge-patch+json"));
            request.body = Some(Secret::new(body.as_bytes()));
        }
        self.web.send(&request, call)
    }

    /// The key, if it is there, and the Secret's version.
    fn held(&self, call: Call) -> Result<(Option<Secret>, String), StoreError> {
        let reply = self.ask("GET", &self.secret, None, call)?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let steps = ["data".to_owned(), self.field.clone()];
        let Some(spot) = json::find(&reply.body, &steps).map_err(|_| strange())? else {
            return Ok((None, version(&reply)?));
        };
        let text = std::str::from_utf8(spot.value.expose()).map_err(|_| strange())?;
        let bytes = Zeroizing::new(Base64::decode_vec(text).map_err(|_| strange())?);
        Ok((Some(Secret::new(&bytes)), version(&reply)?))
    }

    /// What the annotation says of a key.
    fn mark(&self, value: &Secret) -> String {
        self.web.doors.mark(value.expose()).chars().take(16).collect()
    }

    /// Tells one Deployment to start its pods anew, unless it was told; whether all of them run with the key.
    fn settle(&self, deployment: &str, mark: &str, call: Call) -> Result<bool, StoreError> {
        let path =
            segments(&["apis", "apps", "v1", "namespaces", &self.namespace, "deployments", deployment])
                .ok_or_else(|| StoreError::Refused("a deployment has no name".to_owned()))?;
        let read = |reply: Reply| -> Result<Deployment, StoreError> {
            match reply.status {
                200 => serde_json::from_str(&reply.body).map_err(|_| strange()),
                _ => Err(refusal(&reply)),
            }
        };
        let mut found = read(self.ask("GET", &path, None, call)?)?;
        if !found.told(mark) {
            let body = format!(
                "{{\"spec\":{{\"template\":{{\"metadata\":{{\"annotations\":{{\"{ANNOTATION}\":{}}}}}}}}}}}",
                *json::spell(mark)
            );
            found = read(self.ask("PATCH", &path, Some(&body), call)?)?;
        }
        Ok(found.told(mark) && found.complete())
    }
}

fn version(reply: &Reply) -> Result<String, StoreError> {
    let steps = ["metadata".to_owned(), "resourceVersion".to_owned()];
    let spot = json::find(&reply.body, &steps).ok().flatten().ok_or_else(strange)?;
    String::from_utf8(spot.value.expose().to_vec()).map_err(|_| strange())
}

fn strange() -> StoreError {
    StoreError::Unknown("the answer is none of the API server's".to_owned())
}

fn refusal(reply: &Reply) -> StoreError {
    match reply.status {
        409 => StoreError::Conflict,
        _ => failed(reply, ""),
    }
}

impl KubeSecret {
    pub(super) fn new(
        spec: &KubernetesSpec,
        place: &Place,
        doors: Arc<dyn Doors>,
    ) -> Result<Self, OpenError> {
        Ok(KubeSecret { cluster: Cluster::new(spec, place, doors)?, rollout: place.rollout.clone() })
    }
}

impl Store for KubeSecret {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let (current, version) = self.cluster.held(call)?;
        Ok(Content { current, pending: None, version })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let coded = Zeroizing::new(Base64::encode_string(value.expose()));
        let body = Zeroizing::new(format!(
            "{{\"metadata\":{{\"resourceVersion\":{}}},\"data\":{{{}:\"{}\"}}}}",
            *json::spell(expect),
            *json::spell(&self.cluster.field),
            *coded
        ));
        let reply = self.cluster.ask("PATCH", &self.cluster.secret, Some(&body), call)?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let version = version(&reply)?;
        let mark = self.cluster.mark(value);
        for deployment in &self.rollout {
            // The key is written, whatever comes of this: the proof of the rollout tells those that were missed.
            self.cluster.settle(deployment, &mark, call).ok();
        }
        Ok(version)
    }
}

/// The Deployments of a place as a proof that nobody holds the old key any more.
pub struct Rollout {
    cluster: Cluster,
    deployments: Vec<String>,
}

impl Rollout {
    /// The rollout of a place; none if it names no Deployments.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn new(
        spec: &KubernetesSpec,
        place: &Place,
        doors: Arc<dyn Doors>,
    ) -> Result<Option<Rollout>, OpenError> {
        let cluster = Cluster::new(spec, place, doors)?;
        let deployments = place.rollout.clone();
        Ok((!deployments.is_empty()).then_some(Rollout { cluster, deployments }))
    }

    /// Whether every pod of every Deployment was started with the key as it is now. Those that were not told are
    /// told. A pod counts once it is available, and old ones until they are gone.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing is proved then.
    pub fn complete(&self, call: Call) -> Result<bool, StoreError> {
        let Some(value) = self.cluster.held(call)?.0 else { return Ok(false) };
        let mark = self.cluster.mark(&value);
        let mut complete = true;
        for deployment in &self.deployments {
            complete &= self.cluster.settle(deployment, &mark, call)?;
        }
        Ok(complete)
    }
}

/// The form of answers that leaves the content out
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches>).
const NAMES_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

#[derive(Deserialize)]
struct Page {
    kind: String,
    metadata: ListMeta,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct ListMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    metadata: ItemMeta,
}

#[derive(Deserialize)]
struct ItemMeta {
    name: String,
}

/// All Secrets of a namespace, without what they hold: so the names of their data keys are not told.
pub(super) fn list(
    spec: &KubernetesSpec,
    namespace: &str,
    doors: Arc<dyn Doors>,
    call: Call,
) -> Result<Listing, ListError> {
    let cluster = Cluster::new(spec, &standing(format!("{namespace}/x")), doors)?;
    let all = cluster.secret.strip_suffix("/x").unwrap_or(&cluster.secret);
    let mut listing = Listing::default();
    pages(|token| {
        let asked = [("limit", "200")].into_iter().chain(token.map(|t| ("continue", t)));
        let asked = query(&asked.collect::<Vec<_>>()).ok_or_else(strange)?;
        let reply = cluster.ask_for(NAMES_ONLY, "GET", &format!("{all}{asked}"), None, call)?;
        if reply.status != 200 {
            return Err(refusal(&reply).into());
        }
        let page: Page = serde_json::from_str(&reply.body).map_err(|_| strange())?;
        // A server that does not know the form would have given the values, which nobody asked for.
        if page.kind != "PartialObjectMetadataList" {
            return Err(ListError::NoNames);
        }
        let names = page.items.into_iter().map(|item| format!("{namespace}/{}", item.metadata.name));
        listing.add(names.map(|path| Entry { path, field: Field::Untold }))?;
        Ok(page.metadata.next)
    })?;
    Ok(listing)
}

/// The values of a Secret.
pub(super) fn fields(
    spec: &KubernetesSpec,
    path: &str,
    doors: Arc<dyn Doors>,
    call: Call,
) -> Result<Vec<(Option<String>, Secret)>, ListError> {
    let cluster = Cluster::new(spec, &standing(path.to_owned()), doors)?;
    let reply = cluster.ask("GET", &cluster.secret, None, call)?;
    if reply.status != 200 {
        return Err(refusal(&reply).into());
    }
    let names = json::names(&reply.body, &["data"]).map_err(|_| strange())?.unwrap_or_default();
    let one = |name: String| {
        let spot = json::find(&reply.body, &["data".to_owned(), name.clone()]).ok().flatten()?;
        let coded = std::str::from_utf8(spot.value.expose()).ok()?;
        let bytes = Zeroizing::new(Base64::decode_vec(coded).ok()?);
        Some((Some(name), Secret::new(&bytes)))
    };
    Ok(names.into_iter().filter_map(one).collect())
}

#[cfg(test)]
mod tests;
