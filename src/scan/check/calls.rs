//! Checks what a rule says about calls: templates, hosts, expectations and recorded answers.

use super::Check;
use crate::call::{
    self, Access, By, Effect, Expect, Grading, Host, Judgement, MOST_BODY, MOST_LIST, PROBES, Request,
    Revoke, Right, Step, TOLD, Verify, holes, reserved, tree,
};
use crate::model::Level;
use crate::rule::{Rule, checksum, example};

impl Check {
    pub(super) fn verify(&mut self, rule: &Rule, verify: &Verify, hosts: &[String]) {
        self.verify_with(rule, verify, &values(rule), hosts);
    }

    pub(super) fn verify_with(&mut self, rule: &Rule, verify: &Verify, names: &[String], hosts: &[String]) {
        let request = match (&verify.request, &verify.probe) {
            (Some(request), None) => request,
            (None, Some(probe)) => {
                if !PROBES.contains(&probe.as_str()) {
                    self.fault(
                        &rule.id,
                        format!("verify: no probe is named `{probe}`; there are {}", PROBES.join(", ")),
                    );
                }
                let data = [&verify.active, &verify.restricted, &verify.inactive];
                if data.iter().any(|list| !list.is_empty()) || !verify.replies.is_empty() {
                    self.fault(
                        &rule.id,
                        "verify: a probe judges by itself; remove the expectations and replies",
                    );
                }
                return;
            }
            _ => return self.fault(&rule.id, "verify: there must be either a request or a probe"),
        };
        self.request(&rule.id, "verify", request, names, hosts);
        if verify.active.is_empty() {
            self.fault(&rule.id, "verify: no answer proves that it works");
        }
        for (what, list) in [("active", &verify.active), ("inactive", &verify.inactive)] {
            if verify.status_only.is_none() && list.iter().any(Expect::is_status_only) {
                self.fault(&rule.id, format!("verify: {what} looks at the status alone; add json, header or contains, or say in status_only why there is nothing else"));
            }
        }
        for (n, recorded) in verify.replies.iter().enumerate() {
            self.report.replies += 1;
            let judged = verify.judge(&recorded.reply());
            if judged != recorded.is {
                self.fault(
                    &rule.id,
                    format!("verify: replies[{n}] is judged {judged:?}, not {:?}", recorded.is),
                );
            }
        }
        if verify.replies.is_empty() {
            self.fault(&rule.id, "verify: no recorded replies");
        }
        if let Some(control) = &verify.control {
            let algorithm = rule.checksum.as_ref().and_then(|c| checksum::by_name(&c.algorithm));
            if let Err(message) = example::expand(control, algorithm, 0) {
                self.fault(&rule.id, format!("verify: control {message}"));
            }
        }
    }

    pub(super) fn revoke(&mut self, rule: &Rule, revoke: &Revoke, hosts: &[String]) {
        let mut names = values(rule);
        match (revoke.right, &revoke.admin) {
            (Right::Admin, None) => {
                self.fault(&rule.id, "revoke: name the rule of the administrator's credential in `admin`")
            }
            (Right::Holder | Right::Anyone, Some(_)) => {
                self.fault(&rule.id, "revoke: `admin` has no meaning unless right = \"admin\"");
            }
            (Right::Admin, Some(_)) => names.push("admin".to_owned()),
            (Right::Holder | Right::Anyone, None) => {}
        }
        names.extend(revoke.ask.keys().cloned());
        for (n, step) in revoke.reads.iter().enumerate() {
            self.step(rule, &format!("revoke: reads[{n}]"), step, &names, hosts);
            names.extend(step.capture.keys().cloned());
        }
        self.step(rule, "revoke: change", &revoke.change, &names, hosts);
        if revoke.change.request.method == "GET" {
            // A few providers do revoke by GET; that must be said, since a GET is repeated by others on the way.
            self.fault(&rule.id, "revoke: change is a GET; a change must be POST, PUT, PATCH or DELETE");
        }
        if revoke.reads.iter().any(|s| s.request.method != "GET" && s.request.method != "POST") {
            self.fault(&rule.id, "revoke: reads may be GET or POST only");
        }
    }

    pub(super) fn access(&mut self, rule: &Rule, access: &Access, hosts: &[String]) {
        let Some(verify) = &rule.verify else {
            return self.fault(&rule.id, "access: without verify nothing is proved to work");
        };
        let probe = verify.probe.as_deref();
        let told = TOLD.iter().filter(|(name, _)| probe == Some(*name)).flat_map(|(_, names)| *names);
        let told: Vec<String> = told.map(|name| (*name).to_owned()).collect();
        if probe.is_some() && !access.capture.is_empty() {
            self.fault(&rule.id, "access: a native check gives no answer to capture from");
        }
        let mut known: Vec<String> = access.capture.keys().chain(&told).cloned().collect();
        let proofs = verify.replies.iter().enumerate();
        for (n, recorded) in proofs.filter(|(_, r)| matches!(r.is, Judgement::Active | Judgement::Restricted))
        {
            for (name, _) in access.capture.iter().filter(|(_, c)| c.required && !c.is_in(&recorded.reply()))
            {
                self.fault(&rule.id, format!("access: verify.replies[{n}] holds no `{name}`"));
            }
        }
        for (name, capture) in &access.capture {
            if capture.json.is_some() == capture.header.is_some() {
                self.fault(&rule.id, format!("access: capture `{name}` needs either `json` or `header`"));
            }
        }
        let mut values = values(rule);
        values.extend(told);
        for (n, step) in access.reads.iter().enumerate() {
            let at = format!("access: reads[{n}]");
            self.step(rule, &at, step, &values, hosts);
            if step.find.is_some() || !matches!(step.request.method.as_str(), "GET" | "POST") {
                self.fault(&rule.id, format!("{at}: it must be a GET or POST without `find`"));
            }
            for (m, recorded) in step.replies.iter().enumerate().filter(|(_, r)| r.is == Effect::Done) {
                for (name, _) in
                    step.capture.iter().filter(|(_, c)| c.required && !c.is_in(&recorded.reply()))
                {
                    self.fault(&rule.id, format!("{at}: replies[{m}] holds no `{name}`"));
                }
            }
            known.push(format!("read{n}"));
            known.extend(step.capture.keys().cloned());
        }
        let used = access.grades.iter().flat_map(|g| g.when.keys()).chain(&access.show);
        for name in used.filter(|name| !known.contains(name)) {
            self.fault(&rule.id, format!("access: nothing gives `{name}`; there are {}", known.join(", ")));
        }
        for level in access.grades.iter().map(|g| &g.level).filter(|level| Level::from_word(level).is_none())
        {
            self.fault(
                &rule.id,
                format!("access: `{level}` is no level; there are admin, write, read, little"),
            );
        }
        for (n, case) in access.cases.iter().enumerate() {
            self.report.replies += 1;
            let level = access.grade(&case.values).map_or("", |g| g.level.as_str());
            if level != case.level {
                let told = format!("access: cases[{n}] is graded `{level}`, not `{}`", case.level);
                self.fault(&rule.id, told);
            }
        }
        let tested = |grade: &Grading| {
            access.cases.iter().any(|c| access.grade(&c.values).is_some_and(|g| std::ptr::eq(g, grade)))
        };
        for (n, _) in access.grades.iter().enumerate().filter(|(_, grade)| !tested(grade)) {
            self.fault(&rule.id, format!("access: no case comes to grades[{n}]"));
        }
    }

    pub(super) fn step(&mut self, rule: &Rule, at: &str, step: &Step, names: &[String], hosts: &[String]) {
        self.request(&rule.id, at, &step.request, names, hosts);
        if step.done.is_empty() {
            self.fault(&rule.id, format!("{at}: no answer proves that it was done"));
        }
        if let Some(find) = &step.find {
            if !(MOST_BODY..=MOST_LIST).contains(&find.most) {
                self.fault(&rule.id, format!("{at}: find: `most` is from {MOST_BODY} to {MOST_LIST} bytes"));
            }
            for template in find.r#where.values().filter(|t| t.as_str() != "*") {
                self.template(&rule.id, &format!("{at}: find"), template, names);
            }
        }
        for (name, capture) in &step.capture {
            if capture.json.is_some() == capture.header.is_some() {
                self.fault(&rule.id, format!("{at}: capture `{name}` needs either `json` or `header`"));
            }
        }
        if step
            .find
            .as_ref()
            .and_then(|find| find.next.as_ref())
            .is_some_and(|next| next.from.is_empty() != matches!(next.by, By::Page | By::Offset))
        {
            self.fault(&rule.id, format!("{at}: find: next needs `from` unless it counts pages or items"));
        }
        for (n, recorded) in step.replies.iter().enumerate() {
            self.report.replies += 1;
            let judged = step.judge(&recorded.reply());
            if judged != recorded.is {
                self.fault(
                    &rule.id,
                    format!("{at}: replies[{n}] is judged {judged:?}, not {:?}", recorded.is),
                );
            }
        }
        if step.replies.is_empty() {
            self.fault(&rule.id, format!("{at}: no recorded replies"));
        }
    }

    pub(super) fn request(
        &mut self,
        id: &str,
        at: &str,
        request: &Request,
        names: &[String],
        hosts: &[String],
    ) {
        for (field, template) in request.templates() {
            self.template(id, &format!("{at}: {field}"), template, names);
        }
        if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].contains(&request.method.as_str()) {
            self.fault(id, format!("{at}: method must be GET, HEAD, POST, PUT, PATCH or DELETE"));
        }
        for name in request.headers.keys().filter(|name| reserved(name)) {
            self.fault(id, format!("{at}: the header field `{name}` is not a rule's to set; remove it"));
        }
        // A hole in the host is one label.
        let host = request.host().map(|host| holes(host).map(|names| (host.to_owned(), names)));
        match host {
            None | Some(Err(_)) => {
                self.fault(id, format!("{at}: the URL must be https:// and a plain host"));
            }
            Some(Ok((host, names))) => {
                let plain = names.iter().fold(host.clone(), |text, name| fill(&text, name));
                if !Host::parse(&plain).is_ok_and(|h| call::declares(hosts, &h)) {
                    self.fault(id, format!("{at}: the host `{host}` is not among the provider's hosts"));
                }
            }
        }
    }

    fn template(&mut self, id: &str, at: &str, template: &str, names: &[String]) {
        match holes(template) {
            Err(message) => self.fault(id, format!("{at}: {message}")),
            Ok(used) => {
                match tree(template) {
                    Err(message) => self.fault(id, format!("{at}: {message}")),
                    Ok(Some(_)) if !at.contains(": json") => {
                        self.fault(id, format!("{at}: the filter json belongs into a JSON body"));
                    }
                    Ok(_) => {}
                }
                for name in used.into_iter().filter(|n| !names.iter().any(|k| k == n)) {
                    self.fault(id, format!("{at}: nothing gives `{name}`; there are {}", names.join(", ")));
                }
            }
        }
    }
}

/// The names that a call of a rule may use: the secret, other named groups, other parts.
pub(super) fn values(rule: &Rule) -> Vec<String> {
    let mut names = vec!["secret".to_owned()];
    names.extend(groups(&rule.pattern));
    names.extend(rule.with.iter().map(|w| w.name.clone()));
    names
}

/// The named groups of a pattern other than `secret`.
fn groups(pattern: &str) -> Vec<String> {
    pattern
        .match_indices("(?<")
        .filter_map(|(at, _)| Some(pattern[at + 3..].split_once('>')?.0.to_owned()))
        .filter(|name| name != "secret")
        .collect()
}

/// A template with one hole filled by a plain label.
fn fill(template: &str, name: &str) -> String {
    let hole = |open: &str, close: &str| format!("{open}{name}{close}");
    [hole("{{ ", " }}"), hole("{{", "}}")]
        .iter()
        .fold(template.to_owned(), |text, hole| text.replace(hole, "x"))
}
