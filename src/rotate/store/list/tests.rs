//! What every store that lists is asked, and what it makes of the answers.

use super::*;
use crate::rotate::store::tests::{Answer, World, call, key, reply, text};

fn spec(toml: &str) -> Spec {
    toml::from_str(toml).unwrap()
}

/// The list, and what was asked for it.
fn listed(toml: &str, shelf: &str, answers: Vec<Answer>) -> (Result<Listing, ListError>, Vec<String>) {
    let (world, doors) = World::script(answers).share();
    let listing = spec(toml).list(shelf, &doors, call());
    (listing, world.asked())
}

fn names(listing: Result<Listing, ListError>) -> Vec<String> {
    let name = |entry: &Entry| match &entry.field {
        Field::Whole => entry.path.clone(),
        Field::Named(field) => format!("{}#{field}", entry.path),
        Field::Untold => format!("{}#?", entry.path),
    };
    listing.unwrap_or_else(|e| panic!("{e}")).entries.iter().map(name).collect()
}

const BAO: &str = "kind = 'openbao'\naddress = 'https://bao.corp.example'\ntoken = 'env:T'\n";
const AWS: &str = "region = 'eu-central-1'\ncredential = 'env:AWS'\n";

/// A world whose credential of AWS can sign.
fn aws(kind: &str, answers: Vec<Answer>) -> (Result<Listing, ListError>, Vec<String>) {
    let mut world = World::script(answers);
    let credential = r#"{"AccessKeyId":"testing","SecretAccessKey":"testing"}"#;
    world.values.insert("env:AWS".to_owned(), credential.to_owned());
    let (world, doors) = world.share();
    let listing = spec(&format!("kind = '{kind}'\n{AWS}")).list("", &doors, call());
    let bodies = world.sent.lock().unwrap().iter().map(|s| s.body.clone()).collect();
    (listing, bodies)
}

#[test]
fn openbao_tells_secrets_and_fields_without_values() {
    let fields =
        |list: &str| reply(200, &format!(r#"{{"data":{{"metadata":{{"version":1}},"subkeys":{list}}}}}"#));
    let answers = vec![
        reply(200, r#"{"data":{"keys":["a b","deep/","gone","shut"]}}"#),
        fields(r#"{"KEY":null,"nested":{"x":null},"PORT":null}"#),
        reply(404, r#"{"errors":[]}"#),
        reply(403, r#"{"errors":["permission denied"]}"#),
        reply(403, r#"{"errors":["permission denied"]}"#),
    ];
    let (listing, asked) = listed(BAO, "kv/shop", answers);
    let listing = listing.unwrap();
    assert_eq!(
        asked,
        [
            "GET /v1/kv/metadata/shop?list=true",
            "GET /v1/kv/subkeys/shop/a%20b",
            "GET /v1/kv/subkeys/shop/gone",
            "GET /v1/kv/subkeys/shop/shut",
            "GET /v1/kv/metadata/shop/deep?list=true",
        ]
    );
    assert_eq!(listing.failed.len(), 2, "{listing:?}");
    assert!(
        listing.failed[0].starts_with("the fields of kv/shop/shut: ")
            && listing.failed[1].starts_with("kv/shop/deep/: ")
    );
    assert_eq!(names(Ok(listing)), ["kv/shop/a b#KEY", "kv/shop/a b#PORT", "kv/shop/shut#?"]);
    // A mount as a whole, and nothing there.
    let (listing, asked) = listed(BAO, "kv", vec![reply(404, r#"{"errors":[]}"#)]);
    assert_eq!((names(listing), asked), (vec![], vec!["GET /v1/kv/metadata?list=true".to_owned()]));
    // The folder that was named may not be listed: that is no empty one.
    for answer in
        [reply(403, r#"{"errors":["permission denied"]}"#), reply(404, r#"{"errors":["no handler"]}"#)]
    {
        assert!(matches!(
            listed(BAO, "kv/shop", vec![answer]).0,
            Err(ListError::Store(StoreError::Refused(_)))
        ));
    }
    assert!(matches!(listed(BAO, "kv/..", Vec::new()).0, Err(ListError::Open(_))));
}

#[test]
fn pages_are_followed_to_their_end() {
    let first = r#"{"SecretList":[{"Name":"a","ARN":"x"}],"NextToken":"t\"1"}"#;
    let second = r#"{"SecretList":[{"Name":"b"}]}"#;
    let (listing, bodies) = aws("aws-secrets-manager", vec![reply(200, first), reply(200, second)]);
    assert_eq!(names(listing), ["a", "b"]);
    assert_eq!(bodies[1], r#"{"MaxResults":50,"NextToken":"t\"1"}"#);
    let first = r#"{"Parameters":[],"NextToken":"t"}"#;
    let second = r#"{"Parameters":[{"Name":"/shop/a"}]}"#;
    let (listing, bodies) = aws("aws-parameter-store", vec![reply(200, first), reply(200, second)]);
    assert_eq!(names(listing), ["/shop/a"]);
    assert!(bodies[0].contains("SecureString") && bodies[1].contains(r#""NextToken":"t""#), "{bodies:?}");

    let gcp = "kind = 'gcp-secret-manager'\ncredential = 'env:G'\n";
    let pages = vec![
        reply(200, r#"{"secrets":[{"name":"projects/1/secrets/a"}],"nextPageToken":"n/1"}"#),
        reply(200, "{}"),
    ];
    let (listing, asked) = listed(gcp, "shop-1", pages);
    assert_eq!(names(listing), ["shop-1/a"]);
    assert_eq!(asked[1], "GET /v1/projects/shop-1/secrets?pageSize=100&pageToken=n%2F1");

    let vault = "kind = 'azure-key-vault'\naddress = 'https://acme.vault.azure.net'\ncredential = 'env:A'\n";
    let id = |name: &str| format!(r#"{{"id":"https://acme.vault.azure.net/secrets/{name}"}}"#);
    let pages = vec![
        reply(
            200,
            &format!(
                r#"{{"value":[{},{{"id":"https://acme.vault.azure.net/secrets/cert","managed":true}}],"nextLink":"https://evil.example/secrets?api-version=7.4&$skiptoken=s"}}"#,
                id("a")
            ),
        ),
        reply(200, &format!(r#"{{"value":[{}],"nextLink":null}}"#, id("b"))),
    ];
    let (listing, asked) = listed(vault, "", pages);
    assert_eq!(names(listing), ["a", "b"]);
    // Whatever host the next page names, the vault is asked.
    assert_eq!(asked, ["GET /secrets?api-version=7.4", "GET /secrets?api-version=7.4&$skiptoken=s"]);

    let github = "kind = 'github-actions'\ncredential = 'env:G'\n";
    let page = |name: &str| reply(200, &format!(r#"{{"total_count":2,"secrets":[{{"name":"{name}"}}]}}"#));
    let (listing, asked) = listed(github, "acme/shop", vec![page("A"), page("B")]);
    assert_eq!(names(listing), ["acme/shop#A", "acme/shop#B"]);
    assert_eq!(asked[1], "GET /repos/acme/shop/actions/secrets?per_page=100&page=2");

    let kube = "kind = 'kubernetes'\naddress = 'https://k8s.corp.example'\ntoken = 'env:K'\n";
    let page = |name: &str, next: &str| {
        let item = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
        reply(
            200,
            &format!(
                r#"{{"kind":"PartialObjectMetadataList","metadata":{{"continue":"{next}"}},"items":[{item}]}}"#
            ),
        )
    };
    let (listing, asked) = listed(kube, "shop", vec![page("a", "n"), page("b", "")]);
    assert_eq!(names(listing), ["shop/a#?", "shop/b#?"]);
    assert_eq!(asked[1], "GET /api/v1/namespaces/shop/secrets?limit=200&continue=n");
    // A server that would give values is not listened to.
    let full = reply(200, r#"{"kind":"SecretList","metadata":{},"items":[]}"#);
    assert_eq!(listed(kube, "shop", vec![full]).0, Err(ListError::NoNames));

    let doppler = "kind = 'doppler'\ncredential = 'env:D'\n";
    let (listing, asked) =
        listed(doppler, "shop/prd", vec![reply(200, r#"{"names":["DOPPLER_CONFIG","API_KEY"]}"#)]);
    assert_eq!(names(listing), ["shop/prd#API_KEY"]);
    assert_eq!(asked, ["GET /v3/configs/config/secrets/names?project=shop&config=prd"]);
}

#[test]
fn a_list_without_an_end_or_sense_is_none() {
    let same = || reply(200, r#"{"SecretList":[],"NextToken":"same"}"#);
    assert_eq!(aws("aws-secrets-manager", vec![same(), same()]).0, Err(ListError::Endless));
    let denied = reply(400, r#"{"__type":"AccessDeniedException"}"#);
    assert!(matches!(
        aws("aws-secrets-manager", vec![denied]).0,
        Err(ListError::Store(StoreError::Refused(_)))
    ));
    for body in ["<html>", "{}", "[]"] {
        let answer = aws("aws-secrets-manager", vec![reply(200, body)]).0;
        assert!(matches!(answer, Err(ListError::Store(StoreError::Unknown(_)))), "{body}");
        let github = "kind = 'github-actions'\ncredential = 'env:G'\n";
        let answer = listed(github, "acme", vec![reply(200, body)]).0;
        assert!(matches!(answer, Err(ListError::Store(StoreError::Unknown(_)))), "{body}");
    }
    // Fewer than were counted.
    let github = "kind = 'github-actions'\ncredential = 'env:G'\n";
    let short = reply(200, r#"{"total_count":2,"secrets":[]}"#);
    assert!(listed(github, "acme", vec![short]).0.is_err());
    let mut many = Listing::default();
    let entries = (0..=MOST_ENTRIES).map(|n| Entry::whole(n.to_string()));
    assert_eq!(many.add(entries), Err(ListError::Endless));
    for kind in ["kind = 'infisical'\ntoken = 'env:T'", "kind = 'hook'\nrun = ['/bin/true']"] {
        assert_eq!(spec(kind).shelf("a/b"), None);
        assert_eq!(listed(kind, "a", Vec::new()).0, Err(ListError::NoNames));
    }
}

#[cfg(unix)]
#[test]
fn a_file_tells_its_names() {
    let folder = std::env::temp_dir().join(format!("keywheel-list-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.canonicalize().unwrap();
    let put = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let env = put(".env", "# c\nexport A=1\nB='x\nC=no\n'\nD=\"open\n");
    let json = put("a.json", r#"{"a":{"b/c":"x","n":1},"l":["y"]}"#);
    let yaml = put("a.yaml", "a: b\n");
    let file = "kind = 'file'";
    assert_eq!(
        names(listed(file, &env, Vec::new()).0),
        [format!("{env}#A"), format!("{env}#B"), format!("{env}#D")]
    );
    assert_eq!(names(listed(file, &json, Vec::new()).0), [format!("{json}#/a/b~1c"), format!("{json}#/l/0")]);
    assert_eq!(listed(file, &yaml, Vec::new()).0, Err(ListError::NoNames));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn values_are_those_of_fields_whatever_the_store_tells_of_them() {
    let (_, doors) = World::script(vec![reply(
        200,
        &format!(r#"{{"data":{{"data":{{"KEY":"{}","n":1}},"metadata":{{"version":3}}}}}}"#, text(&key(1))),
    )])
    .share();
    let untold = Entry { path: "kv/shop".to_owned(), field: Field::Untold };
    assert_eq!(spec(BAO).values(&untold, &doors, call()).unwrap(), [(Some("KEY".to_owned()), key(1))]);
    let whole = Entry::whole("a".to_owned());
    for (content, wanted) in [
        (text(&key(2)), vec![(None, key(2))]),
        (format!(r#"{{\"K\":\"{}\",\"n\":1}}"#, text(&key(3))), vec![(Some("K".to_owned()), key(3))]),
    ] {
        let version = reply(200, &format!(r#"{{"VersionId":"v","SecretString":"{content}"}}"#));
        let none = reply(400, r#"{"__type":"ResourceNotFoundException"}"#);
        let mut world = World::script(vec![version, none]);
        let credential = r#"{"AccessKeyId":"testing","SecretAccessKey":"testing"}"#;
        world.values.insert("env:AWS".to_owned(), credential.to_owned());
        let (_, doors) = world.share();
        let store = spec(&format!("kind = 'aws-secrets-manager'\n{AWS}"));
        assert_eq!(store.values(&whole, &doors, call()).unwrap(), wanted);
    }
}
