//! Checks what a rule says about calls: templates, hosts, expectations and recorded answers.

use super::Check;
use crate::call::{Expect, PROBES, Request, Revoke, Right, Step, Verify, holes};
use crate::rule::Rule;

impl Check {
    pub(super) fn verify(&mut self, rule: &Rule, verify: &Verify, hosts: &[String]) {
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
        self.request(rule, "verify", request, &values(rule), hosts);
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

    fn step(&mut self, rule: &Rule, at: &str, step: &Step, names: &[String], hosts: &[String]) {
        self.request(rule, at, &step.request, names, hosts);
        if step.done.is_empty() {
            self.fault(&rule.id, format!("{at}: no answer proves that it was done"));
        }
        if let Some(find) = &step.find {
            for template in find.r#where.values().filter(|t| t.as_str() != "*") {
                self.template(rule, &format!("{at}: find"), template, names);
            }
        }
        for (name, capture) in &step.capture {
            if capture.json.is_some() == capture.header.is_some() {
                self.fault(&rule.id, format!("{at}: capture `{name}` needs either `json` or `header`"));
            }
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

    fn request(&mut self, rule: &Rule, at: &str, request: &Request, names: &[String], hosts: &[String]) {
        for (field, template) in request.templates() {
            self.template(rule, &format!("{at}: {field}"), template, names);
        }
        match request.host() {
            None => self.fault(&rule.id, format!("{at}: the URL must be https:// and a plain host")),
            Some(host) if !hosts.iter().any(|h| covers(h, host)) => {
                self.fault(&rule.id, format!("{at}: the host `{host}` is not among the provider's hosts"));
            }
            Some(_) => {}
        }
    }

    fn template(&mut self, rule: &Rule, at: &str, template: &str, names: &[String]) {
        match holes(template) {
            Err(message) => self.fault(&rule.id, format!("{at}: {message}")),
            Ok(used) => {
                for name in used.into_iter().filter(|n| !names.iter().any(|k| k == n)) {
                    self.fault(
                        &rule.id,
                        format!("{at}: nothing gives `{name}`; there are {}", names.join(", ")),
                    );
                }
            }
        }
    }
}

/// The names that a call of a rule may use: the secret, other named groups, other parts.
fn values(rule: &Rule) -> Vec<String> {
    let mut names = vec!["secret".to_owned()];
    names.extend(groups(&rule.pattern));
    names.extend(rule.with.iter().map(|w| w.name.clone()));
    names
}

/// Whether a declared host covers the host of a call: the same text, or `*.` for one label.
fn covers(declared: &str, host: &str) -> bool {
    declared == host
        || match (declared.strip_prefix("*."), host.split_once('.')) {
            (Some(rest), Some((label, tail))) => !label.is_empty() && tail == rest,
            _ => false,
        }
}

/// The named groups of a pattern other than `secret`.
fn groups(pattern: &str) -> Vec<String> {
    pattern
        .match_indices("(?<")
        .filter_map(|(at, _)| Some(pattern[at + 3..].split_once('>')?.0.to_owned()))
        .filter(|name| name != "secret")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_covered_label_by_label() {
        assert!(covers("api.acme.example", "api.acme.example"));
        assert!(covers("*.acme.example", "eu.acme.example"));
        for no in ["acme.example", "a.b.acme.example", "evilacme.example", "acme.example.evil"] {
            assert!(!covers("*.acme.example", no), "{no}");
        }
    }
}
