//! One issue for each subject: opened by the first event, commented by the others.
//! <https://docs.github.com/rest/issues>

use super::{Outcome, Way, address, headline, mark, number, refused};
use crate::alert::outbox::Delivery;
use crate::call::{MOST_LIST, Prepared, Reply};
use crate::model::Secret;
use serde_json::{Value, json};

/// The label of our issues.
const LABEL: &str = "keywheel";
/// Most pages of a list that are looked through.
const PAGES: usize = 20;

impl Way<'_> {
    pub(super) fn github(&self, delivery: &Delivery) -> Result<Outcome, Outcome> {
        let subject = &delivery.event.subject;
        let known = self.outbox.thread(&delivery.route, subject).map_err(|e| super::again(&e.to_string()))?;
        let issue = match known {
            Some(number) if self.is_open(number)? => Some(number),
            _ => self.find(subject)?,
        };
        match issue {
            Some(issue) => {
                self.keep(delivery, issue)?;
                self.comment(delivery, issue)
            }
            None => self.open(delivery),
        }
    }

    fn keep(&self, delivery: &Delivery, issue: i64) -> Result<(), Outcome> {
        let kept = self.outbox.set_thread(&delivery.route, &delivery.event.subject, issue);
        kept.map_err(|e| super::again(&e.to_string()))
    }

    fn request(&self, method: &str, path: &str) -> Result<Prepared, Outcome> {
        let base = self.spec.base.as_deref().unwrap_or("https://api.github.com");
        let repository = self.spec.repository.as_deref().unwrap_or_default();
        let path = format!("/repos/{repository}{path}");
        let mut request = address::prepared(method, base, &path, self.spec.plain)?;
        let token = self.secret(self.spec.credential.as_deref())?;
        let mut bearer = zeroize::Zeroizing::new(b"Bearer ".to_vec());
        bearer.extend_from_slice(token.expose());
        for (name, value) in [
            ("Authorization", Secret::new(&bearer)),
            ("Accept", Secret::new(b"application/vnd.github+json")),
            ("X-GitHub-Api-Version", Secret::new(b"2022-11-28")),
        ] {
            request.headers.push((name.to_owned(), value));
        }
        Ok(request)
    }

    fn get(&self, path: &str) -> Result<Reply, Outcome> {
        // A list of issues is longer than a verdict.
        let reply = self.transport.read_list(&self.request("GET", path)?, self.deadline, MOST_LIST);
        reply.map_err(|e| super::again(&e.to_string()))
    }

    fn is_open(&self, issue: i64) -> Result<bool, Outcome> {
        let reply = self.get(&format!("/issues/{issue}"))?;
        match reply.status {
            200 => Ok(json(&reply)["state"] == "open"),
            404 | 410 => Ok(false),
            _ => Err(self.judged(&reply)),
        }
    }

    /// The open issue about a subject, told by the mark in its text.
    fn find(&self, subject: &str) -> Result<Option<i64>, Outcome> {
        let mark = subject_mark(subject);
        for page in 1..=PAGES {
            let reply = self.get(&format!("/issues?labels={LABEL}&state=open&per_page=100&page={page}"))?;
            if reply.status != 200 {
                return Err(self.judged(&reply));
            }
            let list = json(&reply);
            let list = list.as_array().ok_or_else(|| refused("the list of issues is none"))?;
            let ours = list.iter().find(|i| i["body"].as_str().is_some_and(|b| b.contains(&mark)));
            if let Some(issue) = ours {
                return Ok(issue["number"].as_i64());
            }
            if list.len() < 100 {
                break;
            }
        }
        Ok(None)
    }

    fn open(&self, delivery: &Delivery) -> Result<Outcome, Outcome> {
        let event = &delivery.event;
        let title: String = format!("Key {}: {}", event.subject, event.kind).chars().take(200).collect();
        let body = format!("{}\n{}", text(delivery), subject_mark(&event.subject));
        let request = self.request("POST", "/issues")?;
        let reply = self.send_json(request, &json!({"title": title, "body": body, "labels": [LABEL]}))?;
        if reply.status == 201
            && let Some(number) = json(&reply)["number"].as_i64()
        {
            self.keep(delivery, number)?;
        }
        Ok(self.judged(&reply))
    }

    fn comment(&self, delivery: &Delivery, issue: i64) -> Result<Outcome, Outcome> {
        // An earlier try may have come through, in the issue itself or in a comment.
        if delivery.tries > 1 {
            let mark = letter_mark(delivery);
            let has = |body: &Value| body.as_str().is_some_and(|b| b.contains(&mark));
            let reply = self.get(&format!("/issues/{issue}"))?;
            if reply.status == 200 && has(&json(&reply)["body"]) {
                return Ok(Outcome::Taken);
            }
            for page in 1..=PAGES {
                let reply = self.get(&format!("/issues/{issue}/comments?per_page=100&page={page}"))?;
                if reply.status != 200 {
                    return Err(self.judged(&reply));
                }
                let list = json(&reply);
                let list = list.as_array().ok_or_else(|| refused("the list of comments is none"))?;
                if list.iter().any(|c| has(&c["body"])) {
                    return Ok(Outcome::Taken);
                }
                if list.len() < 100 {
                    break;
                }
            }
        }
        let request = self.request("POST", &format!("/issues/{issue}/comments"))?;
        let reply = self.send_json(request, &json!({"body": text(delivery)}))?;
        Ok(self.judged(&reply))
    }

    fn send_json(&self, mut request: Prepared, body: &Value) -> Result<Reply, Outcome> {
        request.headers.push(("Content-Type".to_owned(), Secret::new(b"application/json")));
        request.body = Some(Secret::new(body.to_string().as_bytes()));
        self.call(&request)
    }
}

fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or(Value::Null)
}

fn subject_mark(subject: &str) -> String {
    format!("<!-- keywheel:subject:{} -->", mark(subject))
}

fn letter_mark(delivery: &Delivery) -> String {
    format!("<!-- keywheel:alert:{}:{} -->", mark(&delivery.event.same), delivery.letter)
}

/// Names are not ours: within code nothing of them is a link, a mention or markup.
fn text(delivery: &Delivery) -> String {
    let code = |text: &str| format!("`{}`", text.replace('`', "'").replace(['\n', '\r'], " "));
    let event = &delivery.event;
    let mut out = code(&headline(event));
    for (name, value) in &event.facts {
        out += &format!("\n- {}: {}", code(name), code(value));
    }
    format!("{out}\n\n{}\n{}", code(&number(delivery)), letter_mark(delivery))
}
