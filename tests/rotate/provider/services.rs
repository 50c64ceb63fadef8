//! Providers of language models as their documentation describes them, with their refusals.

use super::book::{Book, Key};
use super::net::{Answer, Asked, Service};
use serde_json::{Value, json};

pub(super) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

pub(super) fn ok(body: &Value) -> Answer {
    (200, body.to_string())
}

fn tail(value: &str) -> &str {
    &value[value.len() - 4..]
}

pub(crate) const OPENAI: Service = Service {
    serve: openai,
    pause: r#"{"error":{"message":"Rate limit reached.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
};

fn openai(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error = |status: u16, message: &str, code: &str| {
        (status, json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}}).to_string())
    };
    let route = asked.route();
    if route[..] == ["GET", "v1", "models"] {
        return match book.works(asked.bearer(), now) {
            true => ok(&json!({"object": "list", "data": []})),
            false => error(401, "Incorrect API key provided: sk-svcac***xyz.", "invalid_api_key"),
        };
    }
    if asked.bearer() != book.admin {
        return error(401, "Incorrect API key provided: sk-admin***xyz.", "invalid_api_key");
    }
    match route[3..] {
        ["projects", "proj_1", "service_accounts", "svc_1", "api_keys"] if asked.method == "POST" => {
            if book.full() {
                return error(400, "You have reached the maximum number of API keys.", "max_keys");
            }
            let value = book.fresh();
            let body = asked.json();
            let key = book.add(body["name"].as_str().unwrap(), value, body.clone(), now);
            ok(
                &json!({"object": "organization.project.service_account.api_key", "id": key.id, "name": key.name,
                "value": key.value, "created_at": now / 1000}),
            )
        }
        ["projects", "proj_1", "api_keys"] => {
            // Pages of two, so that lists have pages.
            let after = asked.query.get("after");
            let start =
                after.map_or(0, |id| book.keys.iter().position(|k| k.id == *id).map_or(0, |at| at + 1));
            let page: Vec<&Key> = book.keys.iter().skip(start).take(2).collect();
            let last = page.last().map(|k| k.id.clone());
            let row = |k: &&Key| {
                json!({"object": "organization.project.api_key", "id": k.id, "name": k.name,
                "created_at": k.created / 1000, "last_used_at": k.used.map(|at| at / 1000),
                "owner": {"type": "service_account", "service_account": {"id": "svc_1"}}})
            };
            ok(&json!({"object": "list", "data": page.iter().map(row).collect::<Vec<_>>(), "last_id": last,
                "has_more": start + 2 < book.keys.len()}))
        }
        ["projects", "proj_1", "api_keys", id] if asked.method == "DELETE" => match book.remove(id) {
            true => ok(&json!({"object": "organization.project.api_key.deleted", "id": id, "deleted": true})),
            false => error(404, "No such API key.", "not_found"),
        },
        ["usage", "completions"] => {
            let bucket = json!({"object": "bucket", "start_time": asked.query["start_time"],
                "results": [{"num_model_requests": 5, "api_key_id": asked.query["api_key_ids"]}]});
            ok(&json!({"object": "page", "data": [bucket], "has_more": false, "next_page": null}))
        }
        _ => error(404, "Invalid URL.", "unknown_url"),
    }
}

pub(crate) const ANTHROPIC: Service = Service {
    serve: anthropic,
    pause: r#"{"type":"error","error":{"type":"rate_limit_error","message":"Number of requests has exceeded your rate limit."}}"#,
};

fn anthropic(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error = |status: u16, kind: &str| {
        (status, json!({"type": "error", "error": {"type": kind, "message": "no"}}).to_string())
    };
    if asked.header("anthropic-version").is_empty() {
        return error(400, "invalid_request_error");
    }
    let route = asked.route();
    if route[..] == ["GET", "v1", "models"] {
        return match book.works(asked.header("x-api-key"), now) {
            true => ok(&json!({"data": [], "has_more": false})),
            false => error(401, "authentication_error"),
        };
    }
    if asked.header("x-api-key") != book.admin {
        return error(401, "authentication_error");
    }
    let row = |k: &Key| {
        json!({"type": "api_key", "id": k.id, "name": k.name, "created_at": time(k.created),
        "status": if k.off { "inactive" } else { "active" }, "partial_key_hint": "x...y"})
    };
    match route[..] {
        ["GET", "v1", "organizations", "api_keys"] => ok(
            &json!({"data": book.keys.iter().map(row).collect::<Vec<_>>(), "has_more": false, "last_id": "x"}),
        ),
        ["POST", "v1", "organizations", "api_keys", id] => {
            let status = asked.json()["status"].as_str().unwrap_or_default().to_owned();
            let Some(key) = book.key(id) else { return error(404, "not_found_error") };
            key.off = status != "active";
            let mut body = row(key);
            body["status"] = status.clone().into();
            if status == "archived" {
                book.remove(id);
            }
            ok(&body)
        }
        ["GET", "v1", "organizations", "usage_report", "messages"] => ok(
            &json!({"data": [{"starting_at": asked.query["starting_at"], "results": []}], "has_more": false}),
        ),
        _ => error(404, "not_found_error"),
    }
}

pub(crate) const OPENROUTER: Service =
    Service { serve: openrouter, pause: r#"{"error":{"message":"Rate limit exceeded","code":429}}"# };

fn openrouter(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error = |status: u16, message: &str| {
        (status, json!({"error": {"message": message, "code": status}}).to_string())
    };
    let route = asked.route();
    if route[..] == ["GET", "api", "v1", "key"] {
        return match book.works(asked.bearer(), now) {
            true => ok(&json!({"data": {"label": "sk-or-v1-0e6...1c9", "usage": 1}})),
            false => error(401, "User not found."),
        };
    }
    if asked.bearer() != book.admin {
        return error(401, "Missing Authentication header");
    }
    let row = |k: &Key| {
        json!({"hash": k.id, "name": k.name, "disabled": k.off, "usage": 25.5,
        "created_at": time(k.created), "last_used_at": k.used.map(time),
        "limit": k.asked["limit"], "limit_reset": k.asked["limit_reset"]})
    };
    match route[..] {
        ["GET", "api", "v1", "keys"] => {
            let skip = asked.query.get("offset").map_or(0, |n| n.parse().unwrap());
            ok(&json!({"data": book.keys.iter().skip(skip).take(2).map(row).collect::<Vec<_>>()}))
        }
        ["POST", "api", "v1", "keys"] if book.full() => error(400, "Too many keys"),
        ["POST", "api", "v1", "keys"] => {
            let (value, body) = (book.fresh(), asked.json());
            let key = book.add(body["name"].as_str().unwrap(), value, body.clone(), now);
            (201, json!({"data": row(&key), "key": key.value}).to_string())
        }
        [method, "api", "v1", "keys", id] => {
            let Some(key) = book.key(id) else { return error(404, "API key not found") };
            match method {
                "GET" => ok(&json!({"data": row(key)})),
                "PATCH" => {
                    key.off = asked.json()["disabled"] == json!(true);
                    ok(&json!({"data": row(key)}))
                }
                _ => {
                    book.remove(id);
                    ok(&json!({"deleted": true}))
                }
            }
        }
        _ => error(404, "Not Found"),
    }
}

pub(crate) const LITELLM: Service = Service {
    serve: litellm,
    pause: r#"{"error":{"message":"Rate limit exceeded.","type":"None","param":"None","code":"429"}}"#,
};

fn litellm(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error = |status: u16, message: &str| {
        let body = json!({"error": {"message": message, "type": "auth_error", "param": "None", "code": status.to_string()}});
        (status, body.to_string())
    };
    let info = |k: &Key| {
        json!({"key": k.id, "info": {"token": k.id, "key_alias": k.name, "spend": 0.5,
        "models": k.asked["models"], "max_budget": k.asked["max_budget"], "blocked": k.off}})
    };
    let bearer = asked.bearer().to_owned();
    let route = asked.route();
    if bearer != book.admin {
        return match (&route[..], book.of_value(&bearer, now)) {
            (["GET", "key", "info"], Some(key)) if !key.off => ok(&info(key)),
            (_, Some(key)) if key.off => {
                error(401, "Authentication Error, Key is blocked. Update via `/key/unblock` if you're admin.")
            }
            (_, Some(_)) => error(403, "Only proxy admin can do this."),
            (_, None) => error(
                401,
                "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...abcd",
            ),
        };
    }
    let body = asked.json();
    let id = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    match route[..] {
        ["GET", "key", "info"] => match book.key(&asked.query["key"]) {
            Some(key) => ok(&info(key)),
            None => error(404, "Key not found in database"),
        },
        ["GET", "key", "list"] => {
            let page: usize = asked.query.get("page").map_or(1, |n| n.parse().unwrap());
            let row = |k: &Key| json!({"token": k.id, "key_alias": k.name, "created_at": time(k.created), "blocked": if k.off { json!(true) } else { json!(null) }});
            let keys: Vec<Value> = book.keys.iter().skip((page - 1) * 2).take(2).map(row).collect();
            ok(&json!({"keys": keys, "total_pages": book.keys.len().div_ceil(2), "current_page": page}))
        }
        ["POST", "key", "generate"] => {
            if book.full() {
                return error(400, "Budget exceeded: no more keys for this user.");
            }
            if book.keys.iter().any(|k| k.name == id("key_alias") || k.value == id("key")) {
                return error(400, "Key with this alias or value already exists.");
            }
            let key = book.add(&id("key_alias"), id("key"), body.clone(), now);
            ok(&json!({"key": key.value, "token_id": key.id, "key_alias": key.name, "expires": null}))
        }
        ["POST", "key", "block" | "unblock"] => match book.key(&id("key")) {
            Some(key) => {
                key.off = route[2] == "block";
                ok(&json!({"token": key.id, "blocked": key.off}))
            }
            None => error(404, "Key not found in database"),
        },
        ["POST", "key", "delete"] => {
            let id = body["keys"][0].as_str().unwrap_or_default().to_owned();
            match book.remove(&id) {
                true => ok(&json!({"deleted_keys": [id]})),
                false => error(404, "Key not found in database"),
            }
        }
        _ => error(404, "Not Found"),
    }
}

pub(crate) const LANGFUSE: Service =
    Service { serve: langfuse, pause: r#"{"message":"Rate limit exceeded"}"# };

fn langfuse(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error = |status: u16, message: &str| (status, json!({"message": message}).to_string());
    let (user, password) = asked.basic();
    let route = asked.route();
    if route[..] == ["GET", "api", "public", "projects"] {
        return match book.of_value(&password, now) {
            Some(key) if key.public == user => ok(&json!({"data": [{"id": "cm1", "name": "example"}]})),
            _ => error(401, "Invalid credentials. Confirm that you've configured the correct host."),
        };
    }
    if password != book.admin || user != "pk-admin" {
        return error(401, "Invalid credentials. Confirm that you've configured the correct host.");
    }
    let row = |k: &Key| {
        json!({"id": k.id, "note": k.name, "createdAt": time(k.created), "lastUsedAt": k.used.map(time),
        "publicKey": k.public, "displaySecretKey": format!("sk-lf-...{}", tail(&k.value))})
    };
    match route[1..] {
        ["api", "public", "projects", "cm1", "apiKeys"] if asked.method == "GET" => {
            ok(&json!({"apiKeys": book.keys.iter().map(row).collect::<Vec<_>>()}))
        }
        ["api", "public", "projects", "cm1", "apiKeys"] => {
            let body = asked.json();
            let part = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            if book.full() {
                return error(403, "The plan allows no more keys.");
            }
            if !part("publicKey").starts_with("pk-lf-") || !part("secretKey").starts_with("sk-lf-") {
                return error(400, "Both predefined keys are needed, with their prefixes.");
            }
            if book.keys.iter().any(|k| k.public == part("publicKey")) {
                return error(409, "A key of this value exists.");
            }
            let mut key = book.add(&part("note"), part("secretKey"), Value::Null, now);
            key.public = part("publicKey");
            if let Some(kept) = book.key(&key.id) {
                kept.public.clone_from(&key.public);
            }
            let mut body = row(&key);
            body["secretKey"] = key.value.into();
            ok(&body)
        }
        ["api", "public", "projects", "cm1", "apiKeys", id] => match book.remove(id) {
            true => ok(&json!({"success": true})),
            false => error(404, "API key not found"),
        },
        _ => error(404, "Not Found"),
    }
}

pub(crate) const XAI: Service =
    Service { serve: xai, pause: r#"{"code":"resource-exhausted","error":"Too many requests"}"# };

fn xai(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error = |status: u16, code: &str, message: &str| {
        (status, json!({"code": code, "error": message}).to_string())
    };
    if asked.host == "api.x.ai" {
        return match book.of_value(asked.bearer(), now) {
            Some(key) => ok(&json!({"api_key_id": key.id, "team_blocked": false, "api_key_blocked": false,
                "api_key_disabled": key.off})),
            None => {
                error(400, "Client specified an invalid argument", "Incorrect API key provided: xa***4o.")
            }
        };
    }
    if asked.bearer() != book.admin {
        return error(401, "unauthenticated", "Invalid or missing management key");
    }
    match asked.route()[..] {
        ["GET", "auth", "teams", "t1", "api-keys"] => {
            let row = |k: &Key| {
                json!({"apiKeyId": k.id, "name": k.name, "createTime": time(k.created),
                "redactedApiKey": format!("xai-...{}-{}", k.former.len(), tail(&k.value)), "disabled": k.off})
            };
            ok(&json!({"apiKeys": book.keys.iter().map(row).collect::<Vec<_>>(), "paginationToken": ""}))
        }
        ["POST", "auth", "api-keys", id, "rotate"] => {
            let until = asked.json()["oldSecretExpireTime"].as_str().map(str::to_owned);
            let until: jiff::Timestamp = until.unwrap_or_default().parse().unwrap();
            if until.as_millisecond() > now + 7 * 86_400_000 {
                return error(400, "invalid-argument", "oldSecretExpireTime is more than 7 days ahead");
            }
            if book.room.is_some() {
                return error(429, "resource-exhausted", "Too many rotations");
            }
            let value = book.fresh();
            let Some(key) = book.key(id) else { return error(404, "not-found", "API key not found") };
            let old = std::mem::replace(&mut key.value, value.clone());
            key.former.push((old, until.as_millisecond()));
            // The lie is about the former value only.
            if let Some(after) = book.lies {
                for (_, ends) in book.keys.iter_mut().flat_map(|key| &mut key.former) {
                    *ends = now + after;
                }
            }
            ok(&json!({"apiKey": value, "apiKeyId": id, "redactedApiKey": "xai-...1234"}))
        }
        _ => error(404, "not-found", "Not found"),
    }
}
