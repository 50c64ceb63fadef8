//! Checks the calls by which a rule's credentials are turned over, and proves each by its recorded answers.

use super::Check;
use super::calls::values;
use crate::call::{Effect, Operation, Step};
use crate::rule::{Calls, Rule, example};

impl Check {
    pub(super) fn rotate(&mut self, rule: &Rule, calls: &Calls, hosts: &[String]) {
        match (&calls.verify, &rule.verify) {
            (Some(own), _) => {
                let mut names = values(rule);
                names.extend(calls.ask.keys().chain(calls.admin.keys()).chain(&calls.parts).cloned());
                self.verify_with(rule, own, &names, hosts);
            }
            (None, Some(_)) => {}
            (None, None) => {
                self.fault(&rule.id, "rotate: calls need a `verify`, which proves keys alive and dead");
            }
        }
        let mut names = calls.names();
        let login: Vec<String> = calls.login.iter().flat_map(|s| s.capture.keys().cloned()).collect();
        let mut known: Vec<String> = names.iter().filter(|n| !login.contains(n)).cloned().collect();
        for (n, step) in calls.login.iter().enumerate() {
            self.read(rule, &format!("rotate: login[{n}]"), step, &known, hosts);
            known.extend(step.capture.keys().cloned());
        }
        if let Some(create) = &calls.create {
            let own: Vec<String> = names.iter().cloned().chain(calls.names_of_create()).collect();
            self.operation(rule, "create", create, own, hosts);
        }
        if let Some(list) = &calls.list {
            self.read(rule, "rotate: list", list, &names, hosts);
        }
        names.push("id".to_owned());
        for (what, step) in
            [("reveal", &calls.reveal), ("usage", &calls.usage), ("last_used", &calls.last_used)]
        {
            if let Some(step) = step {
                self.read(rule, &format!("rotate: {what}"), step, &names, hosts);
            }
        }
        for (what, operation) in
            [("disable", &calls.disable), ("enable", &calls.enable), ("delete", &calls.delete)]
        {
            if let Some(operation) = operation {
                self.operation(rule, what, operation, names.clone(), hosts);
            }
        }
        for (name, template) in &calls.choose {
            if let Err(message) = example::random(template) {
                self.fault(&rule.id, format!("rotate: choose.{name} {message}"));
            }
        }
    }

    fn operation(
        &mut self,
        rule: &Rule,
        what: &str,
        operation: &Operation,
        mut names: Vec<String>,
        hosts: &[String],
    ) {
        for (n, step) in operation.reads.iter().enumerate() {
            self.read(rule, &format!("rotate: {what}.reads[{n}]"), step, &names, hosts);
            names.extend(step.capture.keys().cloned());
        }
        let at = format!("rotate: {what}");
        let change = &operation.change;
        self.step(rule, &at, change, &names, hosts);
        if change.request.method == "GET" || change.find.is_some() {
            self.fault(&rule.id, format!("{at}: a change is no GET and finds nothing"));
        }
        self.captured(rule, &at, change);
        // Without a recorded refusal nothing shows that the wrong right is told from a lost answer.
        if !change.replies.iter().any(|r| r.is == Effect::Refused) {
            self.fault(&rule.id, format!("{at}: record a refusal"));
        }
    }

    fn read(&mut self, rule: &Rule, at: &str, step: &Step, names: &[String], hosts: &[String]) {
        self.step(rule, at, step, names, hosts);
        if !matches!(step.request.method.as_str(), "GET" | "POST") {
            self.fault(&rule.id, format!("{at}: a read is a GET or POST"));
        }
        self.captured(rule, at, step);
    }

    /// A recorded answer that is `done` must hold what is captured from it, through the very code that reads it.
    fn captured(&mut self, rule: &Rule, at: &str, step: &Step) {
        let done: Vec<_> = step.replies.iter().filter(|r| r.is == Effect::Done).collect();
        if done.is_empty() {
            self.fault(&rule.id, format!("{at}: record an answer that is done"));
        }
        for recorded in done {
            if let Err(error) = step.sample(&recorded.reply()) {
                self.fault(&rule.id, format!("{at}: a recorded answer that is done: {error}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{GOOD, check_text};

    const VERIFY: &str = r#"
        [rule.verify]
        request = { method = "GET", url = "https://api.acme.example/me", headers = { A = "{{ secret }}" } }
        active = [{ status = 200, json = { "/id" = "*" } }]
        replies = [{ status = 200, body = '{"id":1}', is = "active" }]
    "#;
    const ROTATE: &str = r#"
        [rule.rotate]
        class = "C"
        can = ["delete", "name-tag"]
        source = ["https://docs.acme.example"]
        [rule.rotate.calls]
        admin = { admin = "an admin key" }
        [rule.rotate.calls.list]
        request = { method = "GET", url = "https://api.acme.example/keys", headers = { A = "{{ admin }}" } }
        done = [{ status = 200, json = { "/keys" = "*" } }]
        find = { items = "/keys", where = {}, next = { by = "page", parameter = "page" } }
        capture = { id = { json = "/id" }, name = { json = "/name" } }
        replies = [{ status = 200, body = '{"keys":[{"id":"k","name":"n"}]}', is = "done" }]
        [rule.rotate.calls.create.change]
        request = { method = "POST", url = "https://api.acme.example/keys", headers = { A = "{{ admin }}" }, json = { name = "{{ name }}" } }
        done = [{ status = 201, json = { "/id" = "*" } }]
        refused = [{ status = 403, json = { "/error" = "*" } }]
        capture = { id = { json = "/id" }, secret = { json = "/key", secret = true } }
        replies = [{ status = 201, body = '{"id":"k","key":"v"}', is = "done" }, { status = 403, body = '{"error":"no"}', is = "refused" }]
    "#;

    fn told(verify: &str, from: &str, to: &str) -> String {
        assert!(ROTATE.contains(from), "{from}");
        check_text(&format!("{GOOD}{verify}{}", ROTATE.replacen(from, to, 1))).join("; ")
    }

    #[test]
    fn calls_that_hold_together_pass() {
        assert_eq!(told(VERIFY, "list", "list"), "");
    }

    #[test]
    fn each_fault_of_a_call_is_told() {
        for (from, to, what) in [
            ("{{ name }}", "{{ nobody }}", "nothing gives `nobody`"),
            ("{{ name }}", "x{{ name | json }}", "stands for a whole value"),
            ("A = \"{{ admin }}\"", "A = \"{{ admin | json }}\"", "belongs into a JSON body"),
            ("{\"id\":\"k\",\"key\":\"v\"}", "{\"id\":\"k\"}", "does not hold `secret`"),
            ("{\"id\":\"k\",\"name\":\"n\"}", "{\"name\":\"n\"}", "does not hold `id`"),
            ("is = \"refused\"", "is = \"full\"", "is judged Refused"),
            (", { status = 403, body = '{\"error\":\"no\"}', is = \"refused\" }", "", "record a refusal"),
            ("by = \"page\"", "by = \"body\"", "next needs `from`"),
            ("admin = { admin = \"an admin key\" }", "", "administrator's credential"),
            ("[\"delete\", \"name-tag\"]", "[\"name-tag\"]", ""),
            ("class = \"C\"", "class = \"none\"", "belong together"),
            ("name = { json = \"/name\" }", "label = { json = \"/name\" }", "captures id, name, created"),
        ] {
            let faults = told(VERIFY, from, to);
            assert!(
                faults.contains(what) && (what.is_empty() == faults.is_empty()),
                "{from} -> {to}: {faults}"
            );
        }
        assert!(told("", "list", "list").contains("need a `verify`"));
    }
}
