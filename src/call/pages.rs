//! Lists that come in pages, read whole.

use super::run::{MOST_PAGES, body, done, goes_on, text, turn};
use super::{By, Caller, Expect, MOST_LIST, Next, Request, Step, StepError, Values, sign};
use serde_json::Value;
use std::collections::BTreeSet;

impl Caller<'_> {
    /// Reads every page of a list, and hands each over as it comes; `each` says how many items it held. A page that points to one that was read before
    /// is an error: a list that turns in a circle has no end, and nothing of it may count.
    ///
    /// # Errors
    /// No answer, one that is not proved to be done, or a list without an end.
    pub fn pages<E: From<StepError>>(
        &self,
        request: &Request,
        proof: &[Expect],
        next: Option<&Next>,
        values: &Values,
        each: &mut dyn FnMut(&Value) -> Result<usize, E>,
    ) -> Result<(), E> {
        let step = Step {
            request: request.clone(),
            done: proof.to_vec(),
            already: Vec::new(),
            refused: Vec::new(),
            busy: Vec::new(),
            full: Vec::new(),
            xml: false,
            find: None,
            capture: Default::default(),
            replies: Vec::new(),
        };
        let mut cursors = BTreeSet::new();
        let mut cursor: Option<String> = None;
        for n in 0..MOST_PAGES {
            let mut prepared = self.prepare(request, values)?;
            if let (Some(next), Some(cursor)) = (next, &cursor) {
                turn(&mut prepared, next, cursor);
                // What is signed has changed.
                if let Some(how) = &request.sign {
                    prepared.headers.retain(|(name, _)| !sign::sets(name));
                    sign::apply(how, values, &mut prepared, self.clock.wall()).map_err(StepError::from)?;
                }
            }
            let reply = self.transport.read_list(&prepared, self.deadline(), MOST_LIST);
            let reply = reply.map_err(StepError::from)?;
            done(&step, &reply)?;
            let page = body(&step, &reply);
            let held = each(&page)?;
            cursor = next.and_then(|next| match next.by {
                // A page without items, or with fewer than a whole one has, is the last.
                By::Page => {
                    let more = held > 0 && next.size.is_none_or(|size| held >= size);
                    more.then(|| (next.first + n + 1).to_string())
                }
                _ => following(next, &page),
            });
            match &cursor {
                None => return Ok(()),
                Some(next) if !cursors.insert(next.clone()) => return Err(StepError::Endless.into()),
                Some(_) => {}
            }
        }
        Err(StepError::Endless.into())
    }
}

/// The value that leads to the page after this one.
pub(super) fn following(next: &Next, page: &Value) -> Option<String> {
    let more = goes_on(next.more.as_deref(), page);
    let value = page.pointer(&next.from).filter(|v| **v != Value::Bool(false) && more)?;
    text(value).filter(|t| !t.is_empty())
}
