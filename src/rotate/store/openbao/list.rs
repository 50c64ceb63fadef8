//! The names of secrets and of their fields. The engine tells both without the values: metadata may be listed, and
//! `subkeys` shows what a secret consists of.

use super::super::form::json;
use super::super::list::{Entry, Field, ListError, Listing, MOST_PAGES};
use super::super::web::segments;
use super::super::{Doors, OpenError};
use super::api::{Api, refusal};
use super::{OpenbaoSpec, empty_errors};
use crate::call::Reply;
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct Listed {
    data: Keys,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<String>,
}

/// Mount and path of a folder or secret.
fn split<'a>(spec: &'a OpenbaoSpec, path: &'a str) -> (&'a str, &'a str) {
    let path = path.trim_matches('/');
    match &spec.mount {
        Some(mount) => (mount.as_str(), path),
        None => path.split_once('/').unwrap_or((path, "")),
    }
}

/// A path of the interface: `v1/MOUNT/WHAT/PATH`.
fn target(mount: &str, what: &str, path: &str) -> Result<String, OpenError> {
    let steps = ["v1"].into_iter().chain(mount.split('/')).chain([what]);
    let names: Vec<&str> = steps.chain(path.split('/').filter(|_| !path.is_empty())).collect();
    let why = "a step of it is empty or made of dots";
    segments(&names).ok_or_else(|| OpenError::Place { path: format!("{mount}/{path}"), why })
}

fn strange() -> StoreError {
    StoreError::Unknown("the answer is none of this engine; is it version 2?".to_owned())
}

/// All secrets below a folder. A folder or secret that may not be looked into is told, and the others are listed.
pub(in super::super) fn list(
    spec: &OpenbaoSpec,
    folder: &str,
    doors: Arc<dyn Doors>,
    call: Call,
) -> Result<Listing, ListError> {
    let api = Api::new(spec, doors)?;
    let (mount, top) = split(spec, folder);
    let whole = |path: &str| if spec.mount.is_some() { path.to_owned() } else { format!("{mount}/{path}") };
    let (mut listing, mut open, mut asked) = (Listing::default(), vec![top.to_owned()], 0);
    while let Some(folder) = open.pop() {
        let target = format!("{}?list=true", target(mount, "metadata", &folder)?);
        asked += 1;
        if asked > MOST_PAGES {
            return Err(ListError::Endless);
        }
        let reply = api.list(&target, call)?;
        let keys = match reply.status {
            200 => serde_json::from_str::<Listed>(&reply.body).map_err(|_| strange())?.data.keys,
            404 if empty_errors(&reply.body) => Vec::new(),
            // The folder that was named: then nothing is known at all.
            _ if folder == top => return Err(refusal(&reply).into()),
            _ => {
                listing.failed.push(format!("{}/: {}", whole(&folder), refusal(&reply)));
                continue;
            }
        };
        for key in keys {
            let path = if folder.is_empty() { key.clone() } else { format!("{folder}/{key}") };
            match path.strip_suffix('/') {
                Some(inner) => open.push(inner.to_owned()),
                None => {
                    asked += 1;
                    if asked > MOST_PAGES {
                        return Err(ListError::Endless);
                    }
                    parts(&api, mount, &path, &whole(&path), &mut listing, call)?;
                }
            }
        }
    }
    Ok(listing)
}

/// The fields of one secret.
fn parts(
    api: &Api,
    mount: &str,
    path: &str,
    whole: &str,
    listing: &mut Listing,
    call: Call,
) -> Result<(), ListError> {
    let reply = api.list(&target(mount, "subkeys", path)?, call)?;
    match (reply.status, fields_of(&reply)) {
        (200, Some(fields)) => listing.add(fields.into_iter().map(|field| Entry::named(whole, field))),
        // Its newest version is deleted.
        (404, _) => Ok(()),
        _ => {
            listing.failed.push(format!("the fields of {whole}: {}", refusal(&reply)));
            listing.add([Entry { path: whole.to_owned(), field: Field::Untold }])
        }
    }
}

/// The members that hold one value: the engine writes `null` in its place, and an object for one with members.
fn fields_of(reply: &Reply) -> Option<Vec<String>> {
    let names = json::names(&reply.body, &["data", "subkeys"]).ok()??;
    let single = |name: &String| {
        json::part(&reply.body, &["data", "subkeys", name]).ok().flatten().is_some_and(|part| part == "null")
    };
    Some(names.into_iter().filter(single).collect())
}

/// The values of a secret whose fields were not told.
pub(in super::super) fn fields(
    spec: &OpenbaoSpec,
    path: &str,
    doors: Arc<dyn Doors>,
    call: Call,
) -> Result<Vec<(Option<String>, Secret)>, ListError> {
    let api = Api::new(spec, doors)?;
    let (mount, path) = split(spec, path);
    let reply = api.list(&target(mount, "data", path)?, call)?;
    if reply.status == 404 {
        return Ok(Vec::new());
    }
    if reply.status != 200 {
        return Err(refusal(&reply).into());
    }
    let names = json::names(&reply.body, &["data", "data"]).map_err(|_| strange())?.ok_or_else(strange)?;
    let one = |name: String| {
        let steps = ["data".to_owned(), "data".to_owned(), name.clone()];
        Some((Some(name), json::find(&reply.body, &steps).ok().flatten()?.value))
    };
    Ok(names.into_iter().filter_map(one).collect())
}
