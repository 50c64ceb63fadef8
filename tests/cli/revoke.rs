//! Switching keys off, as a process: servers on loopback stand in for the providers, under their own names and an
//! authority that only the test trusts.

use super::server::{Server, authority};
use super::{Folder, Output, example, key};
use keywheel::model::FingerprintKey;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a provider does with the change.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    /// Takes it, and the key dies.
    Kills,
    /// Takes it, and the key lives on.
    Nothing,
    /// Refuses it.
    Refuses,
    /// Closes without an answer; the key lives on.
    Hangs,
    /// Closes without an answer; the key dies.
    KillsAndHangs,
}

/// A provider that knows one key.
struct Provider {
    server: Server,
    folder: Folder,
    secret: String,
}

/// An answer with a body of JSON.
pub(crate) fn reply(status: &str, body: &str) -> Option<String> {
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// What a provider says to a live key, to any other, on the change, and on a refusal: status and body.
struct Says {
    provider: &'static str,
    host: &'static str,
    alive: &'static str,
    dead: &'static str,
    done: (&'static str, &'static str),
    refused: (&'static str, &'static str),
}

const GITHUB: Says = Says {
    provider: "github",
    host: "api.github.com",
    alive: r#"{"login":"octo\u001b[31m","id":1}"#,
    dead: r#"{"message":"Bad credentials"}"#,
    done: ("202 Accepted", ""),
    refused: ("422 Unprocessable Entity", r#"{"message":"Validation Failed"}"#),
};
const OPENAI: Says = Says {
    provider: "openai",
    host: "api.openai.com",
    alive: r#"{"object":"list","data":[]}"#,
    dead: r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#,
    done: ("200 OK", r#"{"object":"organization.project.api_key.deleted","id":"key_1","deleted":true}"#),
    refused: ("404 Not Found", r#"{"error":{"message":"No such API key.","code":null}}"#),
};
const GITLAB: Says = Says {
    provider: "gitlab",
    host: "gitlab.com",
    alive: r#"{"id":1,"name":"ci","revoked":false,"active":true}"#,
    dead: r#"{"error":"invalid_token","error_description":"Token was revoked."}"#,
    done: ("204 No Content", ""),
    refused: ("403 Forbidden", r#"{"error":"insufficient_scope"}"#),
};

impl Provider {
    fn new(says: &'static Says, secret: String, does: Does) -> Self {
        let (alive, known) = (Arc::new(AtomicBool::new(true)), secret.clone());
        let server = Server::standing_in(says.host, move |request| {
            if request.starts_with("GET ") {
                return if alive.load(Ordering::SeqCst) && request.contains(&known) {
                    reply("200 OK", says.alive)
                } else {
                    reply("401 Unauthorized", says.dead)
                };
            }
            if matches!(does, Does::Kills | Does::KillsAndHangs) {
                alive.store(false, Ordering::SeqCst);
            }
            match does {
                Does::Kills | Does::Nothing if says.done.0.starts_with("204") => {
                    Some(format!("HTTP/1.1 {}\r\n\r\n", says.done.0))
                }
                Does::Kills | Does::Nothing => reply(says.done.0, says.done.1),
                Does::Refuses => reply(says.refused.0, says.refused.1),
                Does::Hangs | Does::KillsAndHangs => None,
            }
        });
        let folder = Folder::new();
        folder.put("roots.pem", authority());
        let provider = Provider { server, folder, secret };
        provider.put_organisation(says, "");
        provider
    }

    fn put_organisation(&self, says: &Says, more: &str) {
        let (provider, host, address) = (says.provider, says.host, self.server.address);
        let text =
            format!("[endpoint.{provider}]\nbase = \"https://{host}\"\nconnect = \"{address}\"\n{more}");
        self.folder.put("org.toml", text);
    }

    fn revoke(&self, env: &[(&str, &str)], args: &[&str], input: &str) -> Output {
        let log: &[&str] = if args.contains(&"--audit-log") { &[] } else { &["--audit-log", "log.jsonl"] };
        let all = [&["rotate", "revoke", "--org-config", "org.toml"][..], log, args];
        let mut command = self.folder.command(&all.concat());
        command.env("SSL_CERT_FILE", "roots.pem").envs(env.iter().copied());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that ends before it reads has closed the pipe.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let out = Output::of(child.wait_with_output().unwrap());
        for text in [&out.out, &out.err, &self.log()] {
            assert!(!text.contains(&self.secret) && !text.contains('\u{1b}'), "{text}");
        }
        out
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.0.join("log.jsonl")).unwrap_or_default()
    }

    /// The events that were written down, with their outcomes.
    fn events(&self) -> Vec<(String, String)> {
        let lines = self.log();
        let line = |l: &str| {
            let v: serde_json::Value = serde_json::from_str(l).unwrap();
            let word = |name: &str| v[name].as_str().unwrap_or_default().to_owned();
            (word("event"), word("outcome"))
        };
        lines.lines().map(line).collect()
    }

    fn changes(&self) -> Vec<String> {
        self.server.heard().into_iter().filter(|r| !r.starts_with("GET ")).collect()
    }

    fn print(&self) -> String {
        FingerprintKey::default().fingerprint(self.secret.as_bytes()).to_string()
    }
}

fn github(does: Does) -> Provider {
    Provider::new(&GITHUB, key(0), does)
}

const GO: [&str; 6] = ["--mine", "our token", "--yes", "--wait", "0s", "--format=text"];

#[test]
fn a_bulk_report_ends_the_key_once_and_proves_it() {
    let p = github(Does::Kills);
    p.revoke(&[], &["--yes"], &p.secret).gives(2, "say why it is yours");
    p.revoke(&[], &["--mine", " ", "--yes"], &p.secret).gives(2, "--mine takes a reason");
    let dry = p.revoke(&[], &["--mine", "ours", "--dry-run"], &p.secret).gives(0, "");
    assert!(dry.out.contains("gone for good") && dry.out.contains("tells the owner"), "{dry:#?}");
    let other = FingerprintKey::default().fingerprint(b"other").to_string();
    p.revoke(&[], &[&["--fingerprint", other.as_str()][..], &GO].concat(), &p.secret)
        .gives(2, "holds another key");
    assert_eq!(p.server.accepted(), 0, "nothing is sent before the order is complete");
    p.revoke(&[], &GO[..2], &p.secret).gives(2, "add --yes");
    p.revoke(&[("CI", "true")], &GO, &p.secret).gives(2, "`allow = true` in [revoke]");
    assert!(p.changes().is_empty() && p.log().is_empty());

    let print = p.print();
    let out = p
        .revoke(&[], &[&["--fingerprint", print.as_str()][..], &GO].concat(), &p.secret)
        .gives(0, "it works");
    assert!(out.out.starts_with(&format!("dead: {print} (status 401 from api.github.com")), "{out:#?}");
    assert!(out.err.contains("owner octo"), "{out:#?}");
    let changes = p.changes();
    assert_eq!(changes.len(), 1);
    assert!(changes[0].starts_with("POST /credentials/revoke ") && changes[0].contains(&p.secret));
    let events = [("intent", ""), ("outcome", "dead")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(p.events(), events);
    assert!(p.log().contains(&print) && p.log().contains("our token"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(std::fs::metadata(p.folder.0.join("log.jsonl")).unwrap().mode() & 0o777, 0o600);
    }

    // What is dead stays so without another call that changes anything.
    p.put_organisation(&GITHUB, "[revoke]\nallow = true\nunowned = true\n");
    let out = p.revoke(&[("CI", "true")], &["--yes"], &p.secret).gives(0, "");
    assert!(out.out.starts_with("dead already: "), "{out:#?}");
    assert_eq!(p.changes().len(), 1);
}

#[test]
fn what_the_provider_says_is_not_believed_without_proof() {
    for (does, code, word) in [
        (Does::Nothing, 1, "still-works"),
        (Does::Refuses, 1, "refused"),
        (Does::Hangs, 3, "unknown"),
        (Does::KillsAndHangs, 0, "dead"),
    ] {
        let p = github(does);
        let args = [&GO[..5], &["--format=json"]].concat();
        let out = p.revoke(&[], &args, &p.secret).gives(code, "");
        let doc: serde_json::Value = serde_json::from_str(&out.out).unwrap();
        assert_eq!((&doc["outcome"], &doc["before"]), (&word.into(), &"active".into()), "{out:#?}");
        assert_eq!(p.changes().len(), 1, "a change is never repeated: {word}");
        assert_eq!(p.events()[1].1, word);
        let open = doc["detail"].as_str().unwrap().contains("look at the provider");
        assert_eq!(open, does == Does::Hangs, "{doc:#}");
    }
}

#[test]
fn an_administrator_ends_what_the_operator_names() {
    let secret = |id| String::from_utf8(example("openai.toml", id, 0).value).unwrap();
    let admin = secret("openai-admin-key");
    let p = Provider::new(&OPENAI, secret("openai-service-account-key"), Does::Kills);
    p.folder.put("admin", format!("{admin}\n")).put("same", &p.secret);
    let ids = ["--ask", "project_id=proj_1", "--ask", "key_id=key/1"];
    let go = ["--yes", "--wait", "0s"];
    let with = |more: &[&str]| p.revoke(&[("ADMIN", admin.as_str())], &[&go[..], more].concat(), &p.secret);
    with(&ids).gives(2, "takes an administrator's credential (rule `openai-admin-key`)");
    with(&[&ids[..], &["--admin", admin.as_str()]].concat()).gives(2, "never the credential itself");
    with(&[&ids[..], &["--admin", "env:NONE"]].concat()).gives(2, "no environment variable");
    with(&[&ids[..], &["--admin", "file:same"]].concat()).gives(2, "the very key");
    with(&[&ids[..2], &["--admin", "env:ADMIN"]].concat()).gives(2, "--ask key_id=VALUE");
    with(&[&ids[..], &["--ask", "x=1", "--admin", "env:ADMIN"]].concat()).gives(2, "asks for no `x`");
    let telling = format!("key_id={}", p.secret);
    with(&[&ids[..2], &["--ask", telling.as_str(), "--admin", "env:ADMIN"]].concat())
        .gives(2, "holds a credential");
    assert_eq!(p.server.accepted(), 0);
    let out = with(&[&ids[..], &["--admin", "file:admin"]].concat()).gives(0, "a wrong one ends another key");
    assert!(!out.err.contains(&admin) && !p.log().contains(&admin), "{out:#?}");
    let changes = p.changes();
    assert_eq!(changes.len(), 1);
    let line = "DELETE /v1/organization/projects/proj_1/api_keys/key%2F1 HTTP/1.1\r\n";
    assert!(changes[0].starts_with(line) && changes[0].contains(&format!("Bearer {admin}\r\n")));
    assert!(!changes[0].contains(&p.secret));
}

#[test]
fn a_holder_ends_his_own_key_found_again_by_a_report() {
    let secret = String::from_utf8(example("gitlab.toml", "gitlab-pat", 0).value).unwrap();
    let p = Provider::new(&GITLAB, secret, Does::Kills);
    p.folder.put("tree/a", format!("GITLAB_TOKEN={}\n", p.secret)).put("tree/b", "");
    p.folder.run(&["scan", "tree", "--format", "json=report.json"]).gives(1, "");
    let print = p.print();
    let report = ["--report", "report.json", "--root", "tree", "--yes", "--wait", "0s", "--fingerprint"];
    let other = FingerprintKey::default().fingerprint(b"other").to_string();
    p.revoke(&[], &report[..7], "").gives(2, "--fingerprint");
    p.revoke(&[], &[&report[..], &[other.as_str()]].concat(), "").gives(2, "no finding of that fingerprint");
    p.revoke(&[], &[&report[..], &["kw1:x"]].concat(), "").gives(2, "no fingerprint");
    assert_eq!(p.server.accepted(), 0);
    p.revoke(&[], &[&report[..], &[print.as_str()]].concat(), "").gives(0, "whoever holds the key");
    assert_eq!(p.changes().len(), 1);
    assert!(p.changes()[0].starts_with("DELETE /api/v4/personal_access_tokens/self "));
    std::fs::write(p.folder.0.join("tree/a"), "").unwrap();
    p.revoke(&[], &[&report[..], &[print.as_str()]].concat(), "").gives(2, "does not stand there any more");
}

#[test]
fn nothing_is_sent_if_the_intent_cannot_be_written() {
    let p = github(Does::Kills);
    p.folder.put("folder/a", "");
    p.revoke(&[], &[&GO[..], &["--audit-log", "folder"]].concat(), &p.secret).gives(2, "");
    p.put_organisation(&GITHUB, "[revoke]\naudit-log = \"/dev/full\"\n");
    p.revoke(&[], &GO, &p.secret).gives(2, "no regular file");
    p.put_organisation(&GITHUB, "[verify]\nnever = [\"github\"]\n");
    p.revoke(&[], &GO, &p.secret).gives(2, "the organisation forbids calls");
    p.put_organisation(&GITHUB, "[verify]\nhosts = [\"gitlab.com\"]\n");
    p.revoke(&[], &GO, &p.secret).gives(1, "");
    assert_eq!(p.server.accepted(), 0);
    p.folder.put("keywheel.toml", "[revoke]\nallow = true\n");
    p.folder.run(&["scan", "tree"]).gives(2, "`revoke` stands only in the organisation's file");
}
