//! A program of the organisation as a store.
//!
//! It gets one JSON object on standard input: `version` (of this protocol: 1), `verb` (`read`, `write`, `promote`,
//! `restore`), `lineage`, `path` and `field` of the place, and with changes `expect`, the version that must still be
//! there, and `value`. It prints one JSON object: `version`, a text that names what is there now, and after a read also
//! `current` and `pending` where they can be given. Exit codes: 0 done, 10 the
//! version is another and nothing was changed, 11 try later, nothing was changed, 12 refused, nothing was changed;
//! all else proves nothing.

use super::form::json;
use super::openbao::quoted;
use super::program::{Program, ProgramError};
use super::{HookSpec, OpenError, Place};
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The store.
pub(super) struct HookStore {
    program: Program,
    timeout: Duration,
    place: Place,
    readable: bool,
}

impl HookStore {
    pub(super) fn new(spec: &HookSpec, place: &Place) -> Result<Self, OpenError> {
        Ok(HookStore {
            program: Program::new(&spec.run).map_err(OpenError::Spec)?,
            timeout: Duration::from_secs(spec.timeout),
            place: place.clone(),
            readable: spec.readable,
        })
    }

    fn ask(
        &self,
        call: Call,
        verb: &str,
        expect: Option<&str>,
        value: Option<&Secret>,
    ) -> Result<Content, StoreError> {
        let mut input = Zeroizing::new(String::with_capacity(1024 + value.map_or(0, |v| 6 * v.len())));
        let mut put = |name: &str, text: &str| {
            let mark = if input.is_empty() { "{" } else { "," };
            input.push_str(mark);
            [json::spell(name).as_str(), ":", text].iter().for_each(|part| input.push_str(part));
        };
        put("version", "1");
        put("verb", &json::spell(verb));
        put("lineage", &json::spell(&self.place.lineage));
        put("path", &json::spell(&self.place.path));
        if let Some(field) = &self.place.field {
            put("field", &json::spell(field));
        }
        if let Some(expect) = expect {
            put("expect", &json::spell(expect));
        }
        if let Some(value) = value {
            put("value", &quoted(value)?);
        }
        input.push_str("}\n");
        let deadline = call.deadline.min(Instant::now() + self.timeout);
        let ended = self.program.run(&Secret::new(input.as_bytes()), deadline).map_err(|e| match e {
            ProgramError::NotStarted(why) => StoreError::Refused(format!("the hook was not started: {why}")),
            ProgramError::GivenUp(why) => StoreError::Unknown(format!("the hook was given up: {why}")),
        })?;
        match ended.code {
            Some(0) => {}
            Some(10) => return Err(StoreError::Conflict),
            Some(11) => return Err(StoreError::Retry("the hook asks for it".to_owned())),
            Some(12) => return Err(StoreError::Refused("the hook's exit code is 12".to_owned())),
            Some(code) => return Err(StoreError::Unknown(format!("the hook's exit code is {code}"))),
            None => return Err(StoreError::Unknown("a signal ended the hook".to_owned())),
        }
        let strange = || StoreError::Unknown("the hook printed no JSON object with a `version`".to_owned());
        let text = std::str::from_utf8(ended.output.expose()).map_err(|_| strange())?;
        let part = |name: &str| -> Result<Option<Secret>, StoreError> {
            match json::part(text, &[name]).map_err(|_| strange())? {
                None | Some("null") => Ok(None),
                Some(_) => Ok(json::find(text, &[name.to_owned()]).map_err(|_| strange())?.map(|s| s.value)),
            }
        };
        let version = part("version")?.and_then(|v| String::from_utf8(v.expose().to_vec()).ok());
        let version = version.filter(|v| !v.is_empty() && v.len() <= 256).ok_or_else(strange)?;
        Ok(Content { current: part("current")?, pending: part("pending")?, version })
    }
}

impl Store for HookStore {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let content = self.ask(call, "read", None, None)?;
        Ok(if self.readable { content } else { Content { version: content.version, ..Content::default() } })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        self.ask(call, "write", Some(expect), Some(value)).map(|c| c.version)
    }

    fn promote(&self, call: Call, expect: &str) -> Result<String, StoreError> {
        self.ask(call, "promote", Some(expect), None).map(|c| c.version)
    }

    fn restore(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        self.ask(call, "restore", Some(expect), Some(value)).map(|c| c.version)
    }
}

#[cfg(test)]
mod tests;
