use super::*;
use crate::rotate::store::Spec;
use crate::rotate::store::tests::{Answer, Sent, World, call, key, lost, reply, text};
use serde_json::{Value, json};
use std::sync::Mutex;

const TYPED: &str = r#"{"Parameter":{"Name":"/shop/key","Type":"SecureString","Value":"a","Version":7}}"#;
const TOLD: &str = r#"{"Parameters":[{"Name":"/shop/key","KeyId":"alias/shop","Tier":"Standard"}]}"#;

fn open(field: Option<&str>, world: World) -> (Arc<World>, Box<dyn Store>) {
    let toml = "kind = 'aws-parameter-store'\nregion = 'eu-central-1'\ncredential = 'env:AWS'";
    let spec: Spec = toml::from_str(toml).unwrap();
    let mut world = world;
    let json = r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"sk","SessionToken":"st"}"#;
    world.values.insert("env:AWS".to_owned(), json.to_owned());
    let (world, doors) = world.share();
    let place = Place { path: "/shop/key".to_owned(), field: field.map(str::to_owned), ..Place::default() };
    (world, spec.open(&place, &doors).unwrap_or_else(|e| panic!("{e}")))
}

fn wrong(name: &str) -> Answer {
    reply(400, &json!({"__type": name, "message": "x"}).to_string())
}

/// One parameter, as the three actions' pages describe it: what a put leaves out goes back to what AWS presumes.
struct Parameter {
    value: String,
    version: u64,
    key: String,
    tier: String,
}

fn service(first: &str) -> impl Fn(&Sent) -> Answer + Send + Sync + 'static {
    let state = Mutex::new(Parameter {
        value: first.to_owned(),
        version: 7,
        key: "alias/shop".to_owned(),
        tier: "Advanced".to_owned(),
    });
    move |sent: &Sent| {
        let mut s = state.lock().unwrap();
        let scope = "Credential=id/19700101/eu-central-1/ssm/aws4_request";
        assert!(sent.headers["authorization"].contains(scope), "{}", sent.headers["authorization"]);
        let body: Value = serde_json::from_str(&sent.body).unwrap();
        match sent.headers["x-amz-target"].as_str() {
            "AmazonSSM.GetParameter" => {
                assert_eq!((&body["Name"], &body["WithDecryption"]), (&json!("/shop/key"), &json!(true)));
                let said = json!({"Name": "/shop/key", "Type": "SecureString", "Value": s.value, "Version": s.version});
                reply(200, &json!({ "Parameter": said }).to_string())
            }
            "AmazonSSM.DescribeParameters" => {
                assert_eq!(body["ParameterFilters"][0]["Values"], json!(["/shop/key"]));
                // The first page may well be empty.
                if body["NextToken"] != "t\"1" {
                    return reply(200, &json!({"Parameters": [], "NextToken": "t\"1"}).to_string());
                }
                let said =
                    json!({"Name": "/shop/key", "KeyId": s.key, "Tier": s.tier, "Description": "a \"b\""});
                reply(200, &json!({ "Parameters": [said] }).to_string())
            }
            "AmazonSSM.PutParameter" => {
                assert_eq!((&body["Overwrite"], &body["Type"]), (&json!(true), &json!("SecureString")));
                assert_eq!(body["Description"], "a \"b\"");
                s.value = body["Value"].as_str().unwrap().to_owned();
                s.key = body["KeyId"].as_str().unwrap_or("alias/aws/ssm").to_owned();
                s.tier = body["Tier"].as_str().unwrap_or("Standard").to_owned();
                assert_eq!((s.key.as_str(), s.tier.as_str()), ("alias/shop", "Advanced"));
                s.version += 1;
                reply(200, &json!({"Version": s.version, "Tier": s.tier}).to_string())
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_key_is_written_under_the_same_encryption_and_can_go_back() {
    for (field, whole) in
        [(None, text(&key(1))), (Some("K"), format!("{{\"a\":1.0,\"K\":\"{}\"}}", text(&key(1))))]
    {
        let (world, store) = open(field, World::new(service(&whole)));
        let first = store.read(call()).unwrap();
        assert_eq!((&first.current, &first.pending), (&Some(key(1)), &None));
        assert!(first.version.starts_with("7/") && first.version.len() == 34, "{}", first.version);
        let second = store.write(call(), &key(2), &first.version).unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, &read.version), (Some(key(2)), &second));
        assert_eq!(store.write(call(), &key(3), &first.version), Err(StoreError::Conflict));
        assert!(matches!(store.promote(call(), &second), Err(StoreError::Refused(_))));
        let third = store.restore(call(), &key(1), &second).unwrap();
        let read = store.read(call()).unwrap();
        assert_eq!((read.current, &read.version), (Some(key(1)), &third));
        assert_ne!(third.split_once('/').unwrap().0, first.version.split_once('/').unwrap().0);
        if field.is_some() {
            let sent = world.sent.lock().unwrap();
            let put = sent.iter().find(|s| s.headers["x-amz-target"].ends_with("PutParameter")).unwrap();
            let body: Value = serde_json::from_str(&put.body).unwrap();
            assert_eq!(body["Value"], format!("{{\"a\":1.0,\"K\":\"{}\"}}", text(&key(2))).as_str());
        }
    }
}

#[test]
fn a_number_that_came_back_is_another_version() {
    let held = |value: &str| {
        let said = json!({"Type": "SecureString", "Value": value, "Version": 1});
        reply(200, &json!({ "Parameter": said }).to_string())
    };
    let (_, store) = open(None, World::script(vec![held("a"), held("b"), held("b")]));
    let first = store.read(call()).unwrap().version;
    assert_ne!(store.read(call()).unwrap().version, first);
    assert_eq!(store.write(call(), &key(2), &first), Err(StoreError::Conflict));
}

#[test]
fn a_write_of_somebody_else_in_between_is_told() {
    let put = reply(200, r#"{"Version":9,"Tier":"Standard"}"#);
    let held = || reply(200, TYPED);
    let (_, store) = open(None, World::script(vec![held(), held(), reply(200, TOLD), put]));
    let first = store.read(call()).unwrap().version;
    let told = store.write(call(), &key(2), &first).unwrap_err();
    assert!(matches!(&told, StoreError::Unknown(why) if why.contains("somebody wrote")), "{told}");
}

#[test]
fn what_is_no_secret_or_not_there_is_not_written() {
    let plain = TYPED.replace("SecureString", "String");
    let (_, store) = open(None, World::script(vec![reply(200, &plain)]));
    let told = store.read(call()).unwrap_err();
    assert!(matches!(&told, StoreError::Refused(why) if why.contains("no SecureString")), "{told}");

    let none = || wrong("ParameterNotFound");
    let (world, store) = open(None, World::script(vec![none(), none(), none()]));
    assert_eq!(store.read(call()).unwrap(), Content { version: "-".to_owned(), ..Content::default() });
    let told = store.write(call(), &key(2), "-").unwrap_err();
    assert!(matches!(&told, StoreError::Refused(why) if why.contains("make it once")), "{told}");
    assert_eq!(store.write(call(), &key(2), "7/x"), Err(StoreError::Conflict));
    let sent = world.sent.lock().unwrap();
    assert!(sent.iter().all(|s| s.headers["x-amz-target"].ends_with("GetParameter")));
}

#[test]
fn errors_are_told_apart() {
    let held = || reply(200, TYPED);
    let told = || reply(200, TOLD);
    let without_key = || reply(200, r#"{"Parameters":[{"Name":"/shop/key"}]}"#);
    for (answers, wanted) in [
        (vec![told(), lost()], "Unknown"),
        (vec![told(), reply(500, r#"{"__type":"InternalServerError"}"#)], "Unknown"),
        (vec![told(), wrong("ThrottlingException")], "Retry"),
        (vec![told(), wrong("TooManyUpdates")], "Retry"),
        (vec![told(), wrong("ParameterMaxVersionLimitExceeded")], "Refused"),
        (vec![told(), wrong("AccessDeniedException")], "Refused"),
        (vec![told(), wrong("ParameterAlreadyExists")], "Conflict"),
        (vec![told(), wrong("SomethingNew")], "Unknown"),
        (vec![told(), reply(403, "<html>")], "Unknown"),
        (vec![told(), reply(429, "")], "Retry"),
        (vec![told(), reply(200, "{}")], "Unknown"),
        (vec![wrong("AccessDeniedException")], "ssm:DescribeParameters"),
        (vec![without_key()], "Refused"),
        (vec![reply(200, r#"{"Parameters":[]}"#)], "Conflict"),
    ] {
        let shown = format!("{answers:?}");
        let mut script = vec![held(), held()];
        script.extend(answers);
        let (_, store) = open(None, World::script(script));
        let first = store.read(call()).unwrap().version;
        let told = format!("{:?}", store.write(call(), &key(2), &first));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{shown}: {told}");
    }
    let endless = |_: &Sent| reply(200, r#"{"Parameters":[],"NextToken":"t"}"#);
    let (_, store) = open(
        None,
        World::new(move |s| match s.headers["x-amz-target"].ends_with("GetParameter") {
            true => reply(200, TYPED),
            false => endless(s),
        }),
    );
    let first = store.read(call()).unwrap().version;
    assert!(matches!(store.write(call(), &key(2), &first), Err(StoreError::Refused(_))));
}
