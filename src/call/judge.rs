//! Judging an answer by what a rule declares. What fits nothing, or several things at once, proves nothing.

use super::{Capture, Effect, Expect, Judgement, Recorded, Step, StepReply, Verify, xml};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroize;

/// An answer of a provider. It may echo or hold a credential: wiped when dropped, and `Debug` shows the status only.
#[derive(Clone, Default)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields, names in lower case; the values of a repeated field are joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// Body as text; bytes that are not UTF-8 are replaced.
    pub body: String,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.body.zeroize();
        self.headers.values_mut().for_each(Zeroize::zeroize);
    }
}

impl Reply {
    /// The body, if it is JSON.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }
}

impl Recorded {
    /// The answer without its judgement.
    pub fn reply(&self) -> Reply {
        Reply { status: self.status, headers: self.headers.clone(), body: self.body.clone() }
    }
}

impl StepReply {
    /// The answer without its judgement.
    pub fn reply(&self) -> Reply {
        Reply { status: self.status, headers: self.headers.clone(), body: self.body.clone() }
    }
}

impl Expect {
    fn holds(&self, reply: &Reply, body: Option<&Value>) -> bool {
        self.status.contains(reply.status)
            && self.json.iter().all(|(pointer, want)| {
                body.and_then(|b| b.pointer(pointer)).is_some_and(|v| match v {
                    Value::Null => false,
                    _ if want == "*" => true,
                    Value::String(s) => s == want,
                    other => {
                        let text = other.to_string();
                        text == *want
                    }
                })
            })
            && self.header.iter().all(|(name, want)| {
                reply.headers.get(name).is_some_and(|v| want == "*" || v.contains(want.as_str()))
            })
            && self.contains.as_ref().is_none_or(|c| reply.body.contains(c.as_str()))
    }
}

impl Verify {
    /// Judges an answer.
    pub fn judge(&self, reply: &Reply) -> Judgement {
        self.matched(reply).map_or(Judgement::Unknown, |(judgement, _)| judgement)
    }

    /// Judges an answer, and gives the index of the first expectation of that list that it fits.
    pub fn matched(&self, reply: &Reply) -> Option<(Judgement, usize)> {
        let lists = [&self.active, &self.restricted, &self.inactive];
        let (list, index) = one(lists, reply, reply.json().as_ref())?;
        Some(([Judgement::Active, Judgement::Restricted, Judgement::Inactive][list], index))
    }
}

impl Capture {
    /// Whether an answer holds the value.
    pub fn is_in(&self, reply: &Reply) -> bool {
        let body = reply.json();
        match (&self.json, &self.header) {
            (Some(pointer), _) => {
                body.as_ref().and_then(|b| b.pointer(pointer)).is_some_and(|v| !v.is_null())
            }
            (None, Some(name)) => reply.headers.contains_key(name),
            (None, None) => false,
        }
    }
}

impl Step {
    /// Judges an answer.
    pub fn judge(&self, reply: &Reply) -> Effect {
        const EFFECTS: [Effect; 5] =
            [Effect::Done, Effect::Already, Effect::Refused, Effect::Busy, Effect::Full];
        let lists = [&self.done, &self.already, &self.refused, &self.busy, &self.full];
        one(lists, reply, self.body(reply).as_ref()).map_or(Effect::Unknown, |(list, _)| EFFECTS[list])
    }

    /// The body of an answer as a tree, if it is one.
    pub fn body(&self, reply: &Reply) -> Option<Value> {
        if self.xml { xml::tree(&reply.body) } else { reply.json() }
    }
}

/// Which one of several lists an answer fits, and where in it; none if it fits more than one. An answer that
/// points elsewhere is not followed, and says nothing of what is there.
fn one<const N: usize>(
    lists: [&Vec<Expect>; N],
    reply: &Reply,
    body: Option<&Value>,
) -> Option<(usize, usize)> {
    if (300..400).contains(&reply.status) {
        return None;
    }
    let mut fitting = lists.iter().enumerate().filter_map(|(n, list)| {
        let at = list.iter().position(|e| e.holds(reply, body))?;
        Some((n, at))
    });
    let first = fitting.next();
    first.filter(|_| fitting.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Judgement, StatusSet};

    fn verify() -> Verify {
        toml::from_str(
            r#"
            request = { method = "GET", url = "https://api.acme.example/me" }
            active = [{ status = 200, json = { "/id" = "*" } }]
            inactive = [{ status = [401, 403], json = { "/error/code" = "bad_key" } }]
            "#,
        )
        .expect("because the text is fixed")
    }

    fn judge(status: u16, body: &str) -> Judgement {
        verify().judge(&Reply { status, body: body.to_owned(), headers: BTreeMap::new() })
    }

    #[test]
    fn only_declared_answers_prove_anything() {
        assert_eq!(judge(200, r#"{"id":7}"#), Judgement::Active);
        assert_eq!(judge(403, r#"{"error":{"code":"bad_key"}}"#), Judgement::Inactive);
        assert_eq!(judge(200, r#"{"id":null}"#), Judgement::Unknown);
        assert_eq!(judge(200, "<html>welcome</html>"), Judgement::Unknown);
        assert_eq!(judge(403, "<html>blocked</html>"), Judgement::Unknown);
        assert_eq!(judge(429, ""), Judgement::Unknown);
    }

    #[test]
    fn an_answer_that_points_elsewhere_proves_nothing() {
        let mut loose = verify();
        loose.active[0].status = StatusSet::Many(vec![200, 302]);
        let reply = |status| Reply { status, body: r#"{"id":7}"#.to_owned(), headers: BTreeMap::new() };
        assert_eq!(loose.judge(&reply(200)), Judgement::Active);
        assert_eq!(loose.judge(&reply(302)), Judgement::Unknown);
    }
}
