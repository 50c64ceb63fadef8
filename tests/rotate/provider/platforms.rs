//! Other platforms as their documentation describes them, with their refusals.

use super::book::{Book, Key};
use super::net::{Answer, Asked, Service};
use super::services::{ok, time};
use serde_json::{Value, json};

pub(crate) const LINODE: Service =
    Service { serve: linode, pause: r#"{"errors":[{"reason":"Too many requests"}]}"# };
fn linode(a: &Asked, book: &mut Book, now: i64) -> Answer {
    let err = |s: u16, m: &str| (s, json!({"errors":[{"reason": m}]}).to_string());
    let row = |k: &Key, token: &str| json!({"id": k.id, "label": k.name, "scopes": "linodes:read_only", "created": time(k.created)[..19], "expiry": null, "token": token});
    let route = a.route();
    if route[..] == ["GET", "v4", "profile"] {
        return match book.works(a.bearer(), now) {
            true => ok(&json!({"username":"ada","email":"a@b.example"})),
            false => err(401, "Invalid Token"),
        };
    }
    if a.bearer() != book.admin {
        return err(401, "Invalid Token");
    }
    match route[..] {
        ["GET", "v4", "profile", "tokens"] => ok(
            &json!({"data": book.keys.iter().map(|k| row(k, "0123456789abcdef")).collect::<Vec<_>>(), "page":1, "pages":1, "results": 1}),
        ),
        ["GET", "v4", "profile", "tokens", id] => match book.key(id) {
            Some(k) => ok(&row(k, "0123456789abcdef")),
            None => err(404, "Not found"),
        },
        ["POST", "v4", "profile", "tokens"] => {
            if book.full() {
                return err(400, "Too many");
            }
            assert_eq!(a.json()["scopes"], "linodes:read_only");
            let v = book.fresh();
            let b = a.json();
            let k = book.add(b["label"].as_str().unwrap(), v, b.clone(), now);
            ok(&row(&k, &k.value))
        }
        ["DELETE", "v4", "profile", "tokens", id] => match book.remove(id) {
            true => (200, "{}".to_owned()),
            false => err(404, "Not found"),
        },
        _ => panic!("{} {}", a.method, a.path),
    }
}

pub(crate) const DYNATRACE: Service =
    Service { serve: dynatrace, pause: r#"{"error":{"code":429,"message":"pause"}}"# };
fn dynatrace(a: &Asked, book: &mut Book, now: i64) -> Answer {
    let err = |s: u16, m: &str| (s, json!({"error":{"code": s, "message": m}}).to_string());
    let row = |k: &Key| json!({"id": k.id, "name": k.name, "enabled": !k.off, "personalAccessToken": false, "creationDate": time(k.created), "scopes": ["metrics.read"]});
    if a.header("authorization").strip_prefix("Api-Token ").unwrap_or("") != book.admin {
        return err(401, "Token Authentication failed");
    }
    match a.route()[3..] {
        ["apiTokens"] if a.method == "GET" => {
            assert_eq!(a.query["pageSize"], "10000");
            ok(
                &json!({"totalCount":1,"pageSize":10000,"apiTokens": book.keys.iter().map(row).collect::<Vec<_>>()}),
            )
        }
        ["apiTokens"] => {
            let v = book.fresh();
            let b = a.json();
            assert_eq!(b["scopes"], json!(["metrics.read"]));
            if book.full() {
                return err(400, "full");
            }
            let k = book.add(b["name"].as_str().unwrap(), v, b.clone(), now);
            (201, json!({"id": k.id, "token": k.value}).to_string())
        }
        ["apiTokens", "lookup"] => {
            let b = a.json();
            match book.of_value(b["token"].as_str().unwrap(), now) {
                Some(k) => ok(&row(k)),
                None => err(404, "no"),
            }
        }
        ["apiTokens", id] if a.method == "GET" => match book.key(id) {
            Some(k) => ok(&row(k)),
            None => err(404, "no"),
        },
        ["apiTokens", id] if a.method == "PUT" => match book.key(id) {
            Some(k) => {
                k.off = a.json()["enabled"] == false;
                (204, String::new())
            }
            None => err(404, "no"),
        },
        ["apiTokens", id] => match book.remove(id) {
            true => (204, String::new()),
            false => err(404, "no"),
        },
        _ => panic!("{} {}", a.method, a.path),
    }
}

pub(crate) const MAILGUN: Service = Service { serve: mailgun, pause: r#"{"message":"pause"}"# };
fn mailgun(a: &Asked, book: &mut Book, now: i64) -> Answer {
    let err = |s: u16, m: &str| (s, json!({"message": m}).to_string());
    let row = |k: &Key, secret: Option<&str>| json!({"id": k.id, "description": k.name, "kind": "user", "role": "basic", "created_at": time(k.created)[..19], "is_disabled": k.off, "domain_name": null, "secret": secret});
    let who = a.basic().1;
    let route = a.route();
    if route[..] == ["GET", "v4", "domains"] {
        return match book.works(&who, now) {
            true => ok(&json!({"items":[],"total_count":0})),
            false => (401, "Forbidden".to_owned()),
        };
    }
    if who != book.admin {
        return (401, "Forbidden".to_owned());
    }
    match route[..] {
        ["GET", "v1", "keys"] => {
            assert_eq!(a.query["kind"], "user");
            ok(
                &json!({"items": book.keys.iter().map(|k| row(k, None)).collect::<Vec<_>>(), "total_count": 1}),
            )
        }
        ["POST", "v1", "keys"] => {
            let f = a.form();
            assert_eq!((f["role"].as_str(), f["kind"].as_str()), ("basic", "user"));
            if book.full() {
                return err(403, "full");
            }
            let v = book.fresh();
            let k = book.add(&f["description"], v, Value::Null, now);
            ok(&json!({"message":"great success","key": row(&k, Some(&k.value))}))
        }
        ["DELETE", "v1", "keys", id] => match book.remove(id) {
            true => ok(&json!({"message":"key deleted"})),
            false => err(404, "key not found"),
        },
        _ => panic!("{} {}", a.method, a.path),
    }
}

pub(crate) const CONFLUENT: Service = Service { serve: confluent, pause: r#"{"errors":[{"status":"429"}]}"# };
fn confluent(a: &Asked, book: &mut Book, now: i64) -> Answer {
    let err =
        |s: u16, c: &str| (s, json!({"errors":[{"id":"r1","status": s.to_string(), "code": c}]}).to_string());
    let row = |k: &Key, secret: Option<&str>| json!({"kind":"ApiKey","id": k.id, "metadata": {"created_at": time(k.created)}, "spec": {"display_name": k.name, "secret": secret, "owner": {"id":"sa-1"}, "resource": {"id":"cloud"}}});
    let (user, password) = a.basic();
    let route = a.route();
    let own =
        book.keys.iter().find(|k| k.id == user && k.value == password && book.works(&password, now)).cloned();
    if let (["GET", "iam", "v2", "api-keys", id], Some(k)) = (&route[..], &own)
        && *id == k.id
    {
        return ok(&row(k, None));
    }
    if user != "the-admin" || password != book.admin {
        return err(401, "user_unauthenticated");
    }
    match route[3..] {
        ["api-keys"] if a.method == "GET" => {
            assert_eq!(a.query["spec.owner"], "sa-1");
            ok(
                &json!({"kind":"ApiKeyList","metadata":{"next":null},"data": book.keys.iter().map(|k| row(k, None)).collect::<Vec<_>>()}),
            )
        }
        ["api-keys"] => {
            let b = a.json();
            assert_eq!(b["spec"]["resource"], json!({"id":"cloud","kind":"Cloud"}));
            assert_eq!(b["spec"]["owner"]["id"], "sa-1");
            if book.full() {
                return err(402, "full");
            }
            let v = book.fresh();
            let k = book.add(b["spec"]["display_name"].as_str().unwrap(), v, b.clone(), now);
            (202, row(&k, Some(&k.value)).to_string())
        }
        ["api-keys", id] if a.method == "GET" => match book.key(id) {
            Some(k) => ok(&row(k, None)),
            None => err(404, ""),
        },
        ["api-keys", id] => match book.remove(id) {
            true => (204, String::new()),
            false => err(404, ""),
        },
        _ => panic!("{} {}", a.method, a.path),
    }
}

pub(crate) const SONAR: Service = Service { serve: sonar, pause: r#"{"errors":[{"msg":"pause"}]}"# };
fn sonar(a: &Asked, book: &mut Book, now: i64) -> Answer {
    let route = a.route();
    if route[2..] == ["authentication", "validate"] {
        return ok(&json!({"valid": book.works(a.bearer(), now)}));
    }
    if a.bearer() != book.admin {
        return (401, String::new());
    }
    let when = |ms: i64| time(ms)[..19].to_owned() + "+0000";
    match route[2..] {
        ["user_tokens", "generate"] => {
            let f = a.form();
            if book.full() {
                return (400, json!({"errors":[{"msg":"full"}]}).to_string());
            }
            let v = book.fresh();
            let k = book.add(&f["name"], v, Value::Null, now);
            let n = k.name.clone();
            book.keys.last_mut().unwrap().id = n;
            ok(
                &json!({"login":"ada","name": k.name, "createdAt": when(now), "token": k.value, "type":"USER_TOKEN"}),
            )
        }
        ["user_tokens", "revoke"] => {
            book.remove(&a.form()["name"]);
            (204, String::new())
        }
        ["user_tokens", "search"] => ok(
            &json!({"login":"ada","userTokens": book.keys.iter().map(|k| { let mut r = json!({"name": k.id, "createdAt": when(k.created), "type":"USER_TOKEN"}); if let Some(u) = k.used { r["lastConnectionDate"] = when(u).into(); } r }).collect::<Vec<_>>()}),
        ),
        _ => panic!("{} {}", a.method, a.path),
    }
}

pub(crate) const SNYK: Service =
    Service { serve: snyk, pause: r#"{"jsonapi":{"version":"1.0"},"errors":[{"status":"429"}]}"# };
fn snyk(a: &Asked, book: &mut Book, now: i64) -> Answer {
    let err = |s: u16| {
        (
            s,
            json!({"jsonapi":{"version":"1.0"},"errors":[{"status": s.to_string(), "detail":"d"}]})
                .to_string(),
        )
    };
    let row = |k: &Key, key: Option<&str>| json!({"id": k.id, "type":"service_account","attributes":{"name": k.name, "auth_type":"api_key","role_id":"r1","created_at": time(k.created), "api_key": key}});
    let who = a.header("authorization").strip_prefix("token ").unwrap_or("").to_owned();
    let route = a.route();
    assert_eq!(a.query["version"], "2024-10-15");
    if route[2..] == ["self"] {
        return match book.works(&who, now) {
            true => ok(&json!({"jsonapi":{"version":"1.0"},"data":{"id":"s","type":"service_account"}})),
            false => err(401),
        };
    }
    if who != book.admin {
        return err(401);
    }
    match route[3..] {
        ["o1", "service_accounts"] if a.method == "GET" => ok(
            &json!({"jsonapi":{"version":"1.0"},"data": book.keys.iter().map(|k| row(k, None)).collect::<Vec<_>>()}),
        ),
        ["o1", "service_accounts"] => {
            assert_eq!(a.header("content-type"), "application/vnd.api+json");
            let b = a.json();
            assert_eq!(b["data"]["attributes"]["role_id"], "r1");
            if book.full() {
                return err(400);
            }
            let v = book.fresh();
            let k = book.add(b["data"]["attributes"]["name"].as_str().unwrap(), v, b.clone(), now);
            (201, json!({"jsonapi":{"version":"1.0"},"data": row(&k, Some(&k.value))}).to_string())
        }
        ["o1", "service_accounts", id] if a.method == "GET" => match book.key(id) {
            Some(k) => ok(&json!({"jsonapi":{"version":"1.0"},"data": row(k, None)})),
            None => err(404),
        },
        ["o1", "service_accounts", id] => match book.remove(id) {
            true => (204, String::new()),
            false => err(404),
        },
        _ => panic!("{} {}", a.method, a.path),
    }
}
