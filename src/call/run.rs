//! Running what a rule declares: filling a request, finding its host, signing and sending it, and reading
//! from the answer what the next step needs.

use super::{
    By, CallError, Capture, Clock, Effect, Find, HostError, Hosts, Next, Origin, Place, Prepared,
    RenderError, Reply, Request, SignError, Step, Transport, Values, render, sign,
};
use crate::model::Secret;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

/// Most pages of a list.
pub(super) const MOST_PAGES: usize = 100;
/// The name under which a host from the scanned text is among the values. It takes the place of the rule's host
/// if the organisation allows it, unless the request has a hole of that name.
pub const CAPTURED_HOST: &str = "host";

/// Makes the calls of one rule.
pub struct Caller<'a> {
    /// Sends.
    pub transport: &'a dyn Transport,
    /// What the organisation says of hosts.
    pub hosts: &'a Hosts,
    /// Whose rule it is.
    pub origin: Origin<'a>,
    /// Tells the time that is signed.
    pub clock: &'a dyn Clock,
    /// How long one call may take.
    pub each: Duration,
    /// When everything must be over.
    pub until: Instant,
}

impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({})", self.origin.provider)
    }
}

/// Why a step has no result. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// A template could not be filled.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The request has no place to go.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The request could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A read that was not proved to be done.
    #[error("the answer (status {status}) says {effect:?}, not that the read was done")]
    Unproved {
        /// What it was judged as.
        effect: Effect,
        /// HTTP status.
        status: u16,
    },
    /// The answer holds no list where one should be.
    #[error("the answer holds no list at `{0}`")]
    NoList(String),
    /// No item of the list fits.
    #[error("no item of the list fits")]
    NotFound,
    /// More than one item fits, so that none may be taken.
    #[error("more than one item of the list fits")]
    Several,
    /// The list does not end, or turns in a circle.
    #[error("the list does not end")]
    Endless,
    /// The list may go on where it is not read.
    #[error("the list may be longer than what was read of it")]
    Cut,
    /// A value that is needed is not in the answer.
    #[error("the answer does not hold `{0}`")]
    Missing(String),
}

impl StepError {
    /// Whether it is certain that nothing was sent, so that nothing can have changed.
    pub fn is_unsent(&self) -> bool {
        match self {
            StepError::Render(_) | StepError::Host(_) | StepError::Sign(_) => true,
            StepError::Call(error) => error.is_unsent(),
            _ => false,
        }
    }
}

/// The reads stopped before the last.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read {at}: {why}")]
pub struct Stopped {
    /// Which read, from 0.
    pub at: usize,
    /// Why.
    pub why: StepError,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the answer proves.
    pub effect: Effect,
    /// HTTP status.
    pub status: u16,
    /// What was captured from it.
    pub captured: Values,
    /// Captures that are needed and were not there, although it was done.
    pub missing: Vec<String>,
}

impl Caller<'_> {
    /// Fills, admits and signs a request.
    ///
    /// # Errors
    /// Whatever forbids that it is sent.
    pub fn prepare(&self, request: &Request, values: &Values) -> Result<Prepared, StepError> {
        let mut prepared = request.render(values)?;
        let own = request
            .templates()
            .iter()
            .any(|(_, text)| super::holes(text).is_ok_and(|names| names.contains(&CAPTURED_HOST)));
        let captured = values.get(CAPTURED_HOST).filter(|_| !own);
        self.hosts.admit(&self.origin, captured, &mut prepared)?;
        if let Some(how) = &request.sign {
            sign::apply(how, values, &mut prepared, self.clock.wall())?;
        }
        Ok(prepared)
    }

    /// Sends a request that changes nothing.
    ///
    /// # Errors
    /// No answer.
    pub fn read(&self, request: &Request, values: &Values) -> Result<Reply, StepError> {
        let prepared = self.prepare(request, values)?;
        Ok(self.transport.read(&prepared, self.deadline())?)
    }

    /// Runs reads in order. What each captures is added to the values.
    ///
    /// # Errors
    /// The first that does not succeed.
    pub fn reads(&self, steps: &[Step], values: &mut Values) -> Result<(), Stopped> {
        for (at, step) in steps.iter().enumerate() {
            let captured = self.one_read(step, values).map_err(|why| Stopped { at, why })?;
            values.extend(captured);
        }
        Ok(())
    }

    /// Sends the one request that changes something, once.
    ///
    /// # Errors
    /// No answer. Unless [`StepError::is_unsent`], the change may have taken effect.
    pub fn change(&self, step: &Step, values: &Values) -> Result<Outcome, StepError> {
        let prepared = self.prepare(&step.request, values)?;
        let reply = self.transport.send(&prepared, self.deadline())?;
        let effect = step.judge(&reply);
        let (captured, missing) = match effect {
            Effect::Done | Effect::Already => captures(step, &reply, &body(step, &reply)),
            Effect::Refused | Effect::Busy | Effect::Full | Effect::Unknown => Default::default(),
        };
        let missing = if effect == Effect::Done { missing } else { Vec::new() };
        Ok(Outcome { effect, status: reply.status, captured, missing })
    }

    pub(super) fn deadline(&self) -> Instant {
        self.until.min(self.clock.now() + self.each)
    }

    fn one_read(&self, step: &Step, values: &Values) -> Result<Values, StepError> {
        let (captured, missing) = match &step.find {
            Some(find) => {
                let (reply, item) = self.find(step, find, values)?;
                captures(step, &reply, &item)
            }
            None => {
                let reply = self.read(&step.request, values)?;
                done(step, &reply)?;
                captures(step, &reply, &body(step, &reply))
            }
        };
        match missing.into_iter().next() {
            Some(name) => Err(StepError::Missing(name)),
            None => Ok(captured),
        }
    }

    /// The one item that fits, with the answer that it stood in. The whole list is read, since a second item
    /// that fits makes the first one worth nothing.
    fn find(&self, step: &Step, find: &Find, values: &Values) -> Result<(Reply, Value), StepError> {
        let mut found = None;
        self.items(step, find, values, &mut |reply, item| match found {
            Some(_) => Err(StepError::Several),
            None => {
                found = Some((reply.clone(), item));
                Ok(())
            }
        })?;
        found.ok_or(StepError::NotFound)
    }

    /// Every item of a list that fits, with what is captured of each; an answer that is no list is one item.
    ///
    /// # Errors
    /// The first page that was not read, or an item without a value that is needed: half a list is none.
    pub fn list(&self, step: &Step, values: &Values) -> Result<Vec<(Value, Values)>, StepError> {
        let mut all = Vec::new();
        let mut take = |reply: &Reply, item: Value| {
            let (captured, missing) = captures(step, reply, &item);
            match missing.into_iter().next() {
                Some(name) => Err(StepError::Missing(name)),
                None => {
                    all.push((item, captured));
                    Ok(())
                }
            }
        };
        match &step.find {
            Some(find) => self.items(step, find, values, &mut take)?,
            None => {
                let reply = self.read(&step.request, values)?;
                done(step, &reply)?;
                take(&reply, body(step, &reply))?;
            }
        }
        Ok(all)
    }

    /// Gives each item that fits, page after page.
    fn items(
        &self,
        step: &Step,
        find: &Find,
        values: &Values,
        each: &mut dyn FnMut(&Reply, Value) -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        let mut wanted = Vec::new();
        for (pointer, template) in &find.r#where {
            let value = if template == "*" { None } else { Some(render(template, values, Place::Body)?) };
            wanted.push((pointer.as_str(), value));
        }
        let mut cursors = BTreeSet::new();
        let mut cursor: Option<String> = None;
        let mut seen = 0;
        for page in 0..MOST_PAGES {
            let mut prepared = self.prepare(&step.request, values)?;
            if let (Some(next), Some(cursor)) = (&find.next, &cursor) {
                turn(&mut prepared, next, cursor);
                // What is signed has changed.
                if let Some(how) = &step.request.sign {
                    prepared.headers.retain(|(name, _)| !sign::sets(name));
                    sign::apply(how, values, &mut prepared, self.clock.wall())?;
                }
            }
            let reply = self.transport.read_list(&prepared, self.deadline(), find.most)?;
            done(step, &reply)?;
            let tree = body(step, &reply);
            let items = listed(step, find, &tree)?;
            seen += items.len();
            let whole = |next: &&Next| next.size.is_none_or(|size| items.len() >= size);
            let further =
                find.next.as_ref().filter(|next| goes_on(next.more.as_deref(), &tree)).filter(whole);
            cursor = further.and_then(|next| {
                let value = match next.by {
                    By::Body => text(tree.pointer(&next.from).filter(|v| **v != Value::Bool(false))?),
                    By::Last => text(items.last()?.pointer(&next.from)?),
                    By::Header => reply.headers.get(&next.from).cloned(),
                    By::Page | By::Offset if items.is_empty() => None,
                    By::Page => Some((next.first + page + 1).to_string()),
                    By::Offset => Some(seen.to_string()),
                };
                value.filter(|t| !t.is_empty())
            });
            if find.next.is_none() && find.full.is_some_and(|full| items.len() >= full) {
                return Err(StepError::Cut);
            }
            for item in items {
                let fits = wanted.iter().all(|(pointer, value)| {
                    let there = item.pointer(pointer).filter(|v| !v.is_null());
                    match value {
                        None => there.is_some(),
                        Some(want) => there.and_then(text).is_some_and(|t| t.as_bytes() == want.expose()),
                    }
                });
                if fits {
                    each(&reply, item.clone())?;
                }
            }
            match &cursor {
                None => return Ok(()),
                Some(next) if !cursors.insert(next.clone()) => return Err(StepError::Endless),
                Some(_) => {}
            }
        }
        Err(StepError::Endless)
    }
}

/// Whether the flag that a list may have says that it goes on.
pub(super) fn goes_on(flag: Option<&str>, tree: &Value) -> bool {
    flag.is_none_or(|at| match tree.pointer(at) {
        Some(Value::Bool(more)) => *more,
        Some(Value::String(more)) => more == "true",
        _ => false,
    })
}

impl Step {
    /// Reads a recorded answer as a call would: its list, if it has one, and every value that is needed.
    ///
    /// # Errors
    /// What a call would stumble over.
    pub fn sample(&self, reply: &Reply) -> Result<(), StepError> {
        let tree = body(self, reply);
        let items = match &self.find {
            Some(find) => listed(self, find, &tree)?.to_vec(),
            None => vec![tree],
        };
        let lacks = items.iter().find_map(|item| captures(self, reply, item).1.into_iter().next());
        lacks.map_or(Ok(()), |name| Err(StepError::Missing(name)))
    }
}

/// The items of a page.
fn listed<'v>(step: &Step, find: &Find, tree: &'v Value) -> Result<&'v [Value], StepError> {
    match tree.pointer(&find.items) {
        Some(Value::Array(items)) => Ok(items),
        // An element without children is an empty text.
        Some(Value::String(empty)) if step.xml && empty.is_empty() => Ok(&[]),
        _ => Err(StepError::NoList(find.items.clone())),
    }
}

pub(super) fn body(step: &Step, reply: &Reply) -> Value {
    step.body(reply).unwrap_or(Value::Null)
}

pub(super) fn done(step: &Step, reply: &Reply) -> Result<(), StepError> {
    match step.judge(reply) {
        Effect::Done => Ok(()),
        effect => Err(StepError::Unproved { effect, status: reply.status }),
    }
}

/// A value as text, if it is one that can stand in a request.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a step captures, and the names of what is needed and not there.
fn captures(step: &Step, reply: &Reply, body: &Value) -> (Values, Vec<String>) {
    let (mut values, mut missing) = (Values::new(), Vec::new());
    for (name, capture) in &step.capture {
        match captured(capture, reply, body).filter(|t| !t.is_empty()) {
            Some(text) => {
                values.set(name, Secret::new(text.as_bytes()));
            }
            None if capture.required => missing.push(name.clone()),
            None => {}
        }
    }
    (values, missing)
}

fn captured(capture: &Capture, reply: &Reply, body: &Value) -> Option<zeroize::Zeroizing<String>> {
    let found = match (&capture.json, &capture.header) {
        (Some(pointer), None) if capture.tree => {
            let value = body.pointer(pointer).unwrap_or(&Value::Null);
            (!capture.required || !value.is_null()).then(|| value.to_string())
        }
        (Some(pointer), None) => text(body.pointer(pointer)?),
        (None, Some(name)) => reply.headers.get(name).cloned(),
        // Refused by the check of rules.
        (Some(_), Some(_)) | (None, None) => None,
    };
    found.map(zeroize::Zeroizing::new)
}

/// Sets a query parameter, in the place of one that is there.
/// Asks for the page that `cursor` names.
pub(super) fn turn(request: &mut Prepared, next: &Next, cursor: &str) {
    if !next.field {
        return set_parameter(request, &next.parameter, cursor);
    }
    let body = request.body.as_ref().and_then(|body| serde_json::from_slice(body.expose()).ok());
    if let Some(Value::Object(mut fields)) = body {
        fields.insert(next.parameter.clone(), Value::from(cursor));
        let text = zeroize::Zeroizing::new(Value::Object(fields).to_string());
        request.body = Some(Secret::new(text.as_bytes()));
    }
}

pub(super) fn set_parameter(request: &mut Prepared, name: &str, value: &str) {
    let target = request.target.expose();
    let cut = target.iter().position(|&b| b == b'?');
    let (path, query) = target.split_at(cut.unwrap_or(target.len()));
    let mut out = zeroize::Zeroizing::new(path.to_vec());
    let mut mark = b'?';
    let old = query.get(1..).unwrap_or_default().split(|&b| b == b'&').filter(|p| !p.is_empty());
    for pair in old.filter(|pair| pair.split(|&b| b == b'=').next() != Some(name.as_bytes())) {
        out.push(mark);
        out.extend_from_slice(pair);
        mark = b'&';
    }
    out.push(mark);
    name.bytes().for_each(|b| super::template::percent(b, &mut out));
    out.push(b'=');
    value.bytes().for_each(|b| super::template::percent(b, &mut out));
    request.target = Secret::new(&out);
}

#[cfg(test)]
mod tests;
