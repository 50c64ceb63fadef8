//! A key that calls make, from a scan's finding to its death, as processes.

use super::router::{Router, admin, value};
use super::server::authority;
use super::{Folder, Output};
use keywheel::model::FingerprintKey;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A service whose key lies in a file, and the organisation's policy.
pub(crate) struct Shop {
    pub(crate) folder: Folder,
    pub(crate) router: Router,
}

impl Shop {
    pub(crate) fn new(settings: &str) -> Shop {
        let router = Router::new(1);
        let folder = Folder::new();
        folder.put("roots.pem", authority());
        folder.put("org.toml", router.endpoint());
        folder.put("app/.env", format!("OPENROUTER_API_KEY={}\n", value(1)));
        let print = FingerprintKey::default().fingerprint(value(1).as_bytes());
        let path = fs::canonicalize(folder.0.join("app")).unwrap().join(".env");
        folder.put(
            "policy.toml",
            format!(
                "version = 1\n[default]\nowners = ['@web']\noverlap = '0s'\ngrace = '0s'\nquiet = '0s'\nsoak = '0s'\n\
                 jitter = '0s'\nproof = ['timer']\nemergency-auto = true\nemergency-soak = '0s'\n{settings}\n[team.web]\n\
                 [admin.or]\ncredential = 'env:OR_ADMIN'\nprovider = 'openrouter'\n[store.env]\nkind = 'file'\n\
                 [[key]]\nid = 'web/shop/openrouter'\nteam = 'web'\nservice = 'shop'\nenvironment = 'staging'\n\
                 provider = 'openrouter'\nrule = 'openrouter-api-key'\naccount = 'acme'\nkey-id = 'hash1'\n\
                 fingerprints = ['{print}']\nrotated = 2020-01-01\nadmin = 'or'\n\
                 stores = [{{ store = 'env', path = '{}', field = 'OPENROUTER_API_KEY' }}]\n",
                path.display()
            ),
        );
        Shop { folder, router }
    }

    fn path(&self) -> PathBuf {
        self.folder.0.join("app/.env")
    }

    /// Changes the policy.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder.0.join("policy.toml")).unwrap();
        assert!(text.contains(from), "{text}");
        self.folder.put("policy.toml", text.replace(from, to));
    }

    pub(crate) fn rotate(&self, args: &[&str]) -> Output {
        self.rotate_with(&[], args)
    }

    pub(crate) fn rotate_with(&self, vars: &[(&str, &str)], args: &[&str]) -> Output {
        // Only what asks providers takes the organisation's file.
        let asks: &[&str] =
            if ["status", "alerts"].contains(&args[0]) { &[] } else { &["--org-config", "org.toml"] };
        let mut command = self.folder.command(&[&["rotate"][..], args, asks].concat());
        command
            .env("SSL_CERT_FILE", "roots.pem")
            .env("KEYWHEEL_POLICY", "policy.toml")
            .env("KEYWHEEL_STATE", "state")
            .env("KEYWHEEL_MASTER_KEY", "env:MASTER")
            .env("MASTER", "0f".repeat(32))
            .env("OR_ADMIN", admin())
            .envs(vars.iter().copied());
        let out = Output::of(command.output().unwrap());
        self.nothing_is_shown(&out);
        out
    }

    /// No key, and no administrator's credential, in outputs and in all that the journal keeps.
    fn nothing_is_shown(&self, out: &Output) {
        let mut texts = vec![out.out.clone().into_bytes(), out.err.clone().into_bytes()];
        for entry in fs::read_dir(self.folder.0.join("state")).into_iter().flatten() {
            texts.push(fs::read(entry.unwrap().path()).unwrap());
        }
        let secrets = [value(1), value(41), value(42), admin(), "0f".repeat(32)];
        for (text, secret) in texts.iter().flat_map(|t| secrets.iter().map(move |s| (t, s))) {
            assert!(
                !text.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "a secret is shown: {out:#?}"
            );
        }
    }
}

#[test]
fn a_due_key_is_turned_over_by_one_pass_and_not_twice() {
    let shop = Shop::new("");
    let plan = shop.rotate(&["plan", "--lineage", "web/shop/openrouter"]).gives(0, "");
    for told in
        ["keys are made by call", "* make a new key", "* switch the old key off", "* delete the old key"]
    {
        assert!(plan.out.contains(told), "{told}: {plan:#?}");
    }
    assert!(shop.router.server.heard().is_empty(), "a plan calls nobody");
    let out = shop.rotate(&["run"]).gives(0, "done; generation 2");
    assert_eq!(
        fs::read_to_string(shop.path()).unwrap(),
        format!("OPENROUTER_API_KEY={}\n", value(41)),
        "{out:#?}"
    );
    assert_eq!(shop.router.hashes(), ["hash41"]);
    let changes = || shop.router.server.heard().iter().filter(|r| !r.starts_with("GET ")).count();
    assert_eq!(changes(), 3, "made, switched off, deleted: one call each");
    shop.rotate(&["run"]).gives(0, "");
    assert_eq!(changes(), 3);
    // The journal knows the new key's id, so the next plan needs no word of the policy.
    let plan = shop.rotate(&["plan", "--lineage", "web/shop/openrouter"]).gives(0, "");
    assert!(plan.out.contains("old key: hash41") && plan.out.contains("generation 3"), "{plan:#?}");
}

#[test]
fn from_a_finding_to_the_old_keys_death_without_a_person() {
    let shop = Shop::new("");
    shop.folder.put("tree/a.env", format!("OPENROUTER_API_KEY={}\n", value(1)));
    let mut scan = shop.folder.command(&["scan", "tree", "--format", "json=report.json"]);
    assert_eq!(scan.status().unwrap().code(), Some(1));
    let print = FingerprintKey::default().fingerprint(value(1).as_bytes()).to_string();
    let since = Instant::now();
    let args = ["apply", "--report", "report.json", "--fingerprint", &print, "--root", "tree", "--auto"];
    let out = shop.rotate(&args).gives(0, "done; generation 2");
    let took = since.elapsed();
    println!(
        "from the finding to the old key's death, export included: {took:?}, {} calls",
        shop.router.server.heard().len()
    );
    assert_eq!(shop.router.hashes(), ["hash41"], "{out:#?}");
    let heard = shop.router.server.heard();
    let place =
        |text: &str| heard.iter().position(|r| r.starts_with(text)).unwrap_or_else(|| panic!("{text}"));
    let exported = heard.iter().rposition(|r| r.starts_with("GET /api/v1/keys/hash1 ")).unwrap();
    assert!(place("POST ") < exported && exported < place("PATCH ") && place("PATCH ") < place("DELETE "));
    // Generous: many tests share the machine. The demonstration holds it to five seconds.
    assert!(took < Duration::from_secs(60));
    let status = shop.rotate(&["status", "--lineage", "web/shop/openrouter"]).gives(0, "");
    for told in ["emergency", "declares the old key leaked", "the old key's use is exported", "done"] {
        assert!(status.out.contains(told), "{told}: {status:#?}");
    }
}

#[test]
fn a_refusal_waits_for_a_person_and_stops_others_at_the_provider() {
    let shop = Shop::new("");
    // The administrator's credential is of no use there.
    let text = fs::read_to_string(shop.folder.0.join("policy.toml")).unwrap();
    shop.folder.put("wrong", "no-such-credential");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(shop.folder.0.join("wrong"), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let wrong = format!("file:{}", fs::canonicalize(shop.folder.0.join("wrong")).unwrap().display());
    shop.folder.put("policy.toml", text.replace("env:OR_ADMIN", &wrong));
    shop.rotate(&["run"]).gives(1, "mend the administrator's access, then retry or abort");
    assert_eq!(shop.router.hashes(), ["hash1"]);
    shop.folder.put("policy.toml", &text);
    shop.rotate(&["resume", "--lineage", "web/shop/openrouter"]).gives(0, "done; generation 2");
    assert_eq!(shop.router.hashes(), ["hash41"]);
}

#[test]
fn a_scan_goes_on_to_the_plan_of_what_it_proved() {
    let shop = Shop::new("");
    shop.folder.put("tree/a.env", format!("OPENROUTER_API_KEY={}\n", value(1)));
    let scan = |more: &[&str], vars: &[(&str, &str)]| {
        let args = ["scan", "tree", "--verify-cache", "none", "--org-config", "org.toml"];
        let mut command = shop.folder.command(&[&args[..], more].concat());
        let out = Output::of(
            command.env("SSL_CERT_FILE", "roots.pem").envs(vars.iter().copied()).output().unwrap(),
        );
        shop.nothing_is_shown(&out);
        out
    };
    let proved = ["--verify", "--policy", "policy.toml"];
    let told = "web/shop/openrouter: emergency rotation to generation 2";
    let out = scan(&proved, &[]).gives(1, told);
    assert!(out.err.contains("* make a new key") && out.err.contains("rotate apply --report"), "{out:#?}");
    assert!(!out.out.contains("emergency rotation"), "the report is a report: {out:#?}");
    scan(&["--verify"], &[("KEYWHEEL_POLICY", "policy.toml")]).gives(1, told);
    // In a job it stands in the summary.
    let job = [("GITHUB_STEP_SUMMARY", "summary.md"), ("GITHUB_EVENT_NAME", "push")];
    let out = scan(&proved, &job).gives(1, "");
    let summary = fs::read_to_string(shop.folder.0.join("summary.md")).unwrap();
    assert!(summary.contains("### `web/shop/openrouter`: emergency rotation"), "{summary}");
    assert!(!out.err.contains("emergency rotation"), "{out:#?}");
    // Nothing follows from what is not proved, and nothing is said where anybody could propose.
    let nothing = |out: Output| {
        let out = out.gives(1, "");
        assert!(!out.err.contains("generation 2") && !out.out.contains("generation 2"), "{out:#?}");
        assert_eq!(fs::read_to_string(shop.folder.0.join("summary.md")).unwrap(), summary);
        out
    };
    nothing(scan(&["--policy", "policy.toml"], &[]));
    for event in ["pull_request", "pull_request_target", "issue_comment"] {
        let out = nothing(scan(&proved, &[job[0], ("GITHUB_EVENT_NAME", event)]));
        assert!(out.err.contains("no plans of rotation: this job runs for a proposed change"), "{out:#?}");
    }
    // A policy that cannot be read costs no finding.
    let out = nothing(scan(&["--verify", "--policy", "none.toml"], &[]));
    assert!(out.err.contains("no plans of rotation: cannot read `none.toml`"), "{out:#?}");
    // A value that no lineage lists: why there is no plan, and whom to ask.
    let print = FingerprintKey::default().fingerprint(value(1).as_bytes());
    shop.edit(&format!("fingerprints = ['{print}']\n"), "");
    shop.edit("[team.web]\n", "[team.web]\npaths = ['**']\n");
    nothing(scan(&proved, &[])).gives(1, "no plan: ");
}
