//! `inventory discover`: from a provider's list, a file and a scan to a draft that `policy check` reads.

use super::Output;
use super::openrouter::Shop;
use super::router::{Router, admin, value};
use std::fs;

fn shop() -> Shop {
    let mut shop = Shop::new("");
    shop.router = Router::new(3);
    shop.folder.put("org.toml", shop.router.endpoint());
    shop.edit("proof = ['timer']", "proof = ['timer']\nalerts = ['chat']");
    shop.edit("[team.web]\n", "[route.chat]\nkind = 'slack'\naddress = 'env:CHAT'\n[team.web]\n");
    shop
}

fn discover_with(shop: &Shop, vars: &[(&str, &str)], args: &[&str]) -> Output {
    let all = [&["inventory", "discover", "--org-config", "org.toml"][..], args].concat();
    let mut command = shop.folder.command(&all);
    command.env("SSL_CERT_FILE", "roots.pem").env("KEYWHEEL_POLICY", "policy.toml").env("OR_ADMIN", admin());
    let out = Output::of(command.envs(vars.iter().copied()).output().unwrap());
    for secret in [value(1), value(2), value(3), admin()] {
        assert!(!out.out.contains(&secret) && !out.err.contains(&secret), "a secret is shown: {out:#?}");
    }
    out
}

fn discover(shop: &Shop, args: &[&str]) -> Output {
    discover_with(shop, &[], args)
}

/// The fields of one drafted key.
fn drafted<'a>(draft: &'a str, id: &str) -> &'a str {
    let from = draft.find(&format!("id = \"{id}\"")).unwrap_or_else(|| panic!("{id}: {draft}"));
    draft[from..].split("\n\n").next().unwrap()
}

#[test]
fn what_the_inventory_lacks_is_drafted_and_passes_once_it_is_filled_in() {
    let shop = shop();
    let listed = discover(&shop, &[]).gives(1, "2 keys drafted, 1 known");
    assert!(listed.out.starts_with(&fs::read_to_string(shop.folder.0.join("policy.toml")).unwrap()));
    let draft = drafted(&listed.out, "openrouter/shop-2");
    for told in [
        "team = \"web\"   # by its name\nservice = \"shop\"   # by its name\nenvironment = \"fill-in\"",
        "account = \"acme\"\nkey-id = \"hash2\"\ncreated = 2026-01-01T00:00:00Z\nadmin = \"or\"\n",
    ] {
        assert!(draft.contains(told), "{told}: {draft}");
    }
    assert!(listed.out.contains("# Missing: environment, stores.\n"), "{listed:#?}");
    let heard = shop.router.server.heard();
    assert!(heard.iter().all(|r| r.starts_with("GET /api/v1/keys?")), "{heard:#?}");
    assert!(heard.iter().any(|r| r.contains("offset=")), "the second page is asked for: {heard:#?}");

    // A draft is read, and refused while anything is open.
    shop.folder.put("draft.toml", &listed.out);
    let check = |name: &str| shop.folder.run(&["policy", "check", "--policy", name]);
    let told = check("draft.toml").gives(1, "").out;
    assert!(
        told.contains("error[unfilled]: key openrouter/shop-2: `environment` is a draft's `fill-in`"),
        "{told}"
    );
    let place = |n: u8| format!("stores = [{{ store = \"env\", path = \"/srv/{n}/.env\", field = \"K\" }}]");
    let mut filled = listed.out.replace("fill-in\"", "live\"");
    for n in [2, 3] {
        filled = filled.replacen("# stores = []", &place(n), 1);
    }
    shop.folder.put("filled.toml", &filled);
    let told = check("filled.toml").gives(0, "").out;
    assert!(told.contains("3 keys of 1 team: 0 errors"), "{told}");
}

#[test]
fn values_join_what_stands_in_code_to_what_lies_in_stores() {
    let shop = shop();
    let env = shop.folder.0.join("app/.env");
    fs::write(&env, format!("OPENROUTER_API_KEY={}\nPORT=8080\nSPARE={}\n", value(1), value(2))).unwrap();
    shop.folder.put("tree/src/a.env", format!("OPENROUTER_API_KEY={}\n", value(2)));
    shop.folder.put("CODEOWNERS", "src/ @acme/dev\n");
    let scan = shop.folder.run(&["scan", "tree", "--format", "json=report.json"]);
    assert_eq!(scan.code, 1, "{scan:#?}");
    let seen = ["--report", "report.json", "--codeowners", "CODEOWNERS", "--format", "json"];
    let told = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&discover(&shop, &[&seen[..], args].concat()).gives(1, "").out).unwrap()
    };
    // Without leave no value is looked at: names alone.
    let found = told(&[]);
    assert_eq!(found["complete"], true);
    assert_eq!(found["keys"][0]["perhaps_in"], serde_json::json!([]));
    let fields: Vec<_> =
        found["gaps"].as_array().unwrap().iter().filter(|g| g["kind"] == "unnamed").collect();
    assert_eq!(fields.iter().map(|g| g["field"].as_str().unwrap()).collect::<Vec<_>>(), ["PORT", "SPARE"]);
    let found = told(&["--read-stores"]);
    let key = &found["keys"][0];
    assert_eq!(key["perhaps_in"][0]["field"], "SPARE");
    assert_eq!(key["perhaps_in"][0]["because"], "it holds such a key");
    assert_eq!(key["likely_owners"][0]["owners"][0], "@acme/dev");
    let code = found["gaps"].as_array().unwrap().iter().find(|g| g["kind"] == "in-code").unwrap();
    assert!(code["places"][0].as_str().unwrap().ends_with("#SPARE"), "{code}");
    assert!(code["lists"].as_str().unwrap().contains("nothing proves which"), "{code}");
    // The place of the known key moved: the value is recognised.
    fs::write(&env, format!("MOVED={}\nOPENROUTER_API_KEY={}\n", value(1), value(2))).unwrap();
    let text = discover(&shop, &["--read-stores", "--new-only"]).gives(1, "").out;
    assert!(text.starts_with("# Drafted by"), "{text}");
    for told in [
        "#MOVED is named by no lineage; it holds the value of `web/shop/openrouter`: add it",
        "#OPENROUTER_API_KEY holds none of the values whose fingerprints the inventory lists",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    // With a baseline of another key nothing would be recognised.
    shop.folder.run(&["baseline", "create", "tree", "--baseline", "other.txt"]).gives(0, "");
    discover(&shop, &["--read-stores", "--baseline", "other.txt"]).gives(2, "would ever be recognised");
}

#[test]
fn what_could_not_be_asked_is_a_gap_and_the_exit_code_says_so() {
    let shop = shop();
    let wrong = [("OR_ADMIN", "no-such-credential")];
    let out = discover_with(&shop, &wrong, &[]).gives(3, "INCOMPLETE");
    assert!(
        out.out.contains("# INCOMPLETE: openrouter-api-key by admin or: the provider refused (status 401)"),
        "{out:#?}"
    );
    assert!(!out.out.contains("shows no key"), "nothing is said to be gone: {out:#?}");
    discover_with(&shop, &[("OR_ADMIN", "")], &[]).gives(3, "the variable OR_ADMIN is not set");
    // A store that cannot be listed.
    let text = fs::read_to_string(shop.folder.0.join("policy.toml")).unwrap();
    shop.edit("[store.env]\n", "[store.bao]\nkind = 'openbao'\naddress = 'http://127.0.0.1:9'\ncredential = 'env:OR_ADMIN'\n[store.env]\n");
    discover(&shop, &["--under", "bao=kv"]).gives(3, "store bao, kv: ");
    let out = discover(&shop, &[]).gives(1, "");
    assert!(
        out.out.contains(
            "# - store bao: the inventory names nothing in it: --under bao=PATH says where to look"
        )
    );
    let only = discover(&shop, &["--store", "env", "--under", "bao=kv"]).gives(1, "");
    assert!(!only.out.contains("store bao"), "{only:#?}");
    shop.folder.put("policy.toml", text);
    for (args, told) in [
        (&["--provider", "openai"][..], "no [admin.NAME] of `openai`"),
        (&["--store", "none"], "no [store.none]"),
        (&["--under", "env"], "no STORE=PATH"),
        (&["--set", "openrouter-api-key.x=y"], "no RULE.NAME=VALUE"),
    ] {
        discover(&shop, args).gives(2, told);
    }
    // Whoever proposes a change must not have an administrator's credential used.
    let before = shop.router.server.heard().len();
    discover_with(&shop, &[("GITHUB_EVENT_NAME", "pull_request")], &[])
        .gives(2, "runs for a proposed change");
    assert_eq!(shop.router.server.heard().len(), before);
}

#[test]
fn a_draft_is_a_new_file_of_its_owner() {
    let shop = shop();
    discover(&shop, &["--output", "draft.toml"]).gives(1, "");
    let path = shop.folder.0.join("draft.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("id = \"openrouter/shop-3\""), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = shop.router.server.heard().len();
    discover(&shop, &["--output", "draft.toml"]).gives(2, "is there already");
    assert_eq!(shop.router.server.heard().len(), before, "nobody is asked in vain");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_key_that_was_turned_over_is_known() {
    let shop = shop();
    let state = ["--state", "state", "--master-key", "env:MASTER"];
    discover(&shop, &state).gives(1, "holds no journal yet");
    assert!(!shop.folder.0.join("state").exists(), "looking makes no journal");
    shop.rotate(&["run"]).gives(0, "done; generation 2");
    // By the name that the rotation gave it, and by the journal.
    let master = "0f".repeat(32);
    for args in [&[][..], &state] {
        let out = discover_with(&shop, &[("MASTER", &master)], args).gives(1, "2 keys drafted, 1 known");
        assert!(!out.out.contains("shows no key") && !out.out.contains("hash41"), "{out:#?}");
    }
}
