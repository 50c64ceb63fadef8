//! Clouds as their documentation describes them, with their refusals.

use super::book::{Book, Key};
use super::net::{Answer, Asked, Service};
use super::services::{ok, time};
use serde_json::{Value, json};

pub(crate) const AZURE: Service = Service {
    serve: azure,
    pause: r#"{"error":{"code":"TooManyRequests","message":"The request was throttled."}}"#,
};

fn azure(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error =
        |status: u16, code: &str| (status, json!({"error": {"code": code, "message": "no"}}).to_string());
    match asked.host.as_str() {
        "login.microsoftonline.com" => {
            let form = asked.form();
            if form["client_secret"] != book.admin || form["scope"] != "https://management.azure.com/.default" {
                return (401, json!({"error": "invalid_client", "error_description": "AADSTS7000215"}).to_string());
            }
            ok(&json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "token-of-the-directory"}))
        }
        "management.azure.com" => {
            if asked.bearer() != "token-of-the-directory" {
                return error(401, "AuthenticationFailed");
            }
            if asked.path.ends_with("/regenerateKey") {
                if book.room.is_some() {
                    return error(403, "AuthorizationFailed");
                }
                let (value, slot) = (book.fresh(), asked.json()["keyName"].as_str().unwrap().to_owned());
                let lies = book.lies;
                for key in &mut book.keys {
                    if key.id == slot {
                        key.value.clone_from(&value);
                        key.ends = None;
                    } else if let Some(after) = lies {
                        key.ends = Some(now + after);
                    }
                }
            }
            ok(&json!({"key1": book.keys[0].value, "key2": book.keys[1].value}))
        }
        _ => match book.works(asked.header("api-key"), now) {
            true => ok(&json!({"data": [], "object": "list"})),
            false => (401, json!({"error": {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}}).to_string()),
        },
    }
}

pub(crate) const GOOGLE: Service = Service {
    serve: google,
    pause: r#"{"error":{"code":429,"message":"Quota exceeded for quota metric.","status":"RESOURCE_EXHAUSTED"}}"#,
};

fn google(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error = |status: u16, word: &str| {
        (status, json!({"error": {"code": status, "message": "no", "status": word}}).to_string())
    };
    match asked.host.as_str() {
        "oauth2.googleapis.com" => {
            // The signature itself is proved in the signer's own test.
            let form = asked.form();
            if book.admin != "accepted" || form["assertion"].split('.').count() != 3 {
                return (
                    400,
                    json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
                        .to_string(),
                );
            }
            return ok(
                &json!({"access_token": "token-of-the-account", "expires_in": 3599, "token_type": "Bearer"}),
            );
        }
        "identitytoolkit.googleapis.com" => {
            return match book.works(asked.header("x-goog-api-key"), now) {
                true => ok(&json!({"projectId": "123"})),
                false => (400, json!({"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
                    "details": [{"reason": "API_KEY_INVALID"}]}}).to_string()),
            };
        }
        _ => {}
    }
    if asked.bearer() != "token-of-the-account" {
        return error(401, "UNAUTHENTICATED");
    }
    let row = |k: &Key| {
        json!({"name": format!("projects/123/locations/global/keys/{}", k.id), "uid": k.id,
        "displayName": k.name, "createTime": time(k.created), "restrictions": k.asked["restrictions"]})
    };
    match asked.route()[6..] {
        ["keys"] if asked.method == "GET" => {
            ok(&json!({"keys": book.keys.iter().map(row).collect::<Vec<_>>()}))
        }
        ["keys"] if book.full() => error(429, "RESOURCE_EXHAUSTED"),
        ["keys"] => {
            let (value, body) = (book.fresh(), asked.json());
            book.add(body["displayName"].as_str().unwrap(), value, body.clone(), now);
            // The operation still runs when it answers.
            ok(&json!({"name": "operations/akmf.p7-123-1"}))
        }
        ["keys", id, "keyString"] => match book.key(id) {
            Some(key) => ok(&json!({"keyString": key.value})),
            None => error(404, "NOT_FOUND"),
        },
        ["keys", id] if asked.method == "GET" => match book.key(id) {
            Some(key) => ok(&row(key)),
            None => error(404, "NOT_FOUND"),
        },
        ["keys", id] => match book.remove(id) {
            true => ok(&json!({"name": "operations/akmf.p7-123-2", "done": true})),
            false => error(404, "NOT_FOUND"),
        },
        _ => error(404, "NOT_FOUND"),
    }
}

pub(crate) const BEDROCK: Service = Service {
    serve: bedrock,
    pause: "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>",
};

/// Long-term keys of Amazon Bedrock: two of a user at the most, without names, answers in XML.
fn bedrock(asked: &Asked, book: &mut Book, now: i64) -> Answer {
    let error = |status: u16, code: &str| {
        (
            status,
            format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"),
        )
    };
    if asked.host == "bedrock.us-east-1.amazonaws.com" {
        return match book.works(asked.bearer(), now) {
            true => ok(&json!({"modelSummaries": []})),
            false => (403, json!({"Message": "Authentication failed"}).to_string()),
        };
    }
    // The signature itself is proved in the signer's own test; the key's id tells who signs.
    if !asked.header("authorization").contains(&format!("Credential={}/", book.admin)) {
        return error(403, "InvalidClientTokenId");
    }
    let form = asked.form();
    let action = form["Action"].as_str();
    let row = |k: &Key| {
        let status = if k.off { "Inactive" } else { "Active" };
        format!(
            "<ServiceSpecificCredentialId>{}</ServiceSpecificCredentialId><Status>{status}</Status><CreateDate>{}</CreateDate>",
            k.id,
            time(k.created)
        )
    };
    let inner = match action {
        "ListServiceSpecificCredentials" => {
            let rows: String = book.keys.iter().map(|k| format!("<member>{}</member>", row(k))).collect();
            format!("<ServiceSpecificCredentials>{rows}</ServiceSpecificCredentials>")
        }
        "CreateServiceSpecificCredential" if book.keys.len() >= book.room.unwrap_or(2) => {
            return error(409, "LimitExceeded");
        }
        "CreateServiceSpecificCredential" => {
            let value = book.fresh();
            let key = book.add("", value, Value::Null, now);
            format!(
                "<ServiceSpecificCredential>{}<ServiceCredentialSecret>{}</ServiceCredentialSecret></ServiceSpecificCredential>",
                row(&key),
                key.value
            )
        }
        "UpdateServiceSpecificCredential" | "DeleteServiceSpecificCredential" => {
            let id = &form["ServiceSpecificCredentialId"];
            let Some(key) = book.key(id) else { return error(404, "NoSuchEntity") };
            match form.get("Status") {
                Some(status) => key.off = status == "Inactive",
                None => {
                    book.remove(id);
                }
            }
            String::new()
        }
        _ => return error(400, "ValidationError"),
    };
    let body = format!(
        "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{inner}</{action}Result></{action}Response>"
    );
    (200, body)
}
