//! Where calls may go: the organisation's own endpoints, and the users' rule files that it lists.

use crate::call::{Endpoint, FileDigest, Hosts};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeSet;

/// The table `[call]`, which only the organisation's file has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Call {
    /// SHA-256 of the users' rule files whose calls may be made.
    #[serde(deserialize_with = "digests")]
    pub rules: BTreeSet<FileDigest>,
}

/// A table `[endpoint.<provider>]`, checked. Only the organisation's file has any.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Entry")]
pub struct SelfHosted(pub Endpoint);

/// An endpoint as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    base: Option<String>,
    #[serde(default)]
    plain: bool,
    connect: Option<String>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    internal: bool,
    #[serde(default, rename = "clear-login")]
    clear_login: bool,
}

impl TryFrom<Entry> for SelfHosted {
    type Error = String;

    fn try_from(e: Entry) -> Result<Self, String> {
        if e.clear_login && e.allow.is_empty() {
            return Err("`clear-login` is about the hosts of `allow`; there are none".to_owned());
        }
        Endpoint::new(e.base.as_deref(), e.plain, e.connect.as_deref(), &e.allow, e.internal)
            .map(|endpoint| SelfHosted(endpoint.with_clear_login(e.clear_login)))
    }
}

impl super::Config {
    /// What it says of the hosts of calls.
    pub fn hosts(&self) -> Hosts {
        let endpoints = self.endpoint.iter().map(|(id, e)| (id.clone(), e.0.clone())).collect();
        Hosts::new(endpoints, self.call.clone().unwrap_or_default().rules)
    }
}

fn digests<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<FileDigest>, D::Error> {
    let list = Vec::<String>::deserialize(from)?;
    let read = |text: &String| {
        let plain = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let byte = |i: usize| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok();
        let mut out = FileDigest::default();
        for (i, b) in out.iter_mut().enumerate().filter(|_| plain) {
            *b = byte(i)?;
        }
        plain.then_some(out)
    };
    list.iter()
        .map(|text| {
            read(text).ok_or_else(|| {
                D::Error::custom(format!(
                    "`{text}` is no SHA-256 sum in hexadecimal; `sha256sum FILE` prints it"
                ))
            })
        })
        .collect()
}
