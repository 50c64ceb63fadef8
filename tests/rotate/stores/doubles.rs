//! Stores behind HTTP as their documentation describes them, with their refusals.

use base64ct::{Base64, Encoding};
use crypto_box::SecretKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A request as a store sees it.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

/// Status and body.
pub(crate) type Answer = (u16, String);

pub(crate) trait Service: Send {
    /// Answers whoever has the right credential.
    fn answer(&mut self, asked: &Asked) -> Answer;
    /// Whether the request carries the right credential.
    fn knows(&self, asked: &Asked) -> bool;
    /// What readers get.
    fn current(&self) -> String;
    /// Its words for a version that is another one.
    fn conflict(&self) -> Answer;
    /// Its words for no room.
    fn full(&self) -> Answer;
}

fn bearer(asked: &Asked) -> bool {
    asked.headers.get("authorization").is_some_and(|v| v == "Bearer good")
}

/// The key-value engine, version 2: <https://openbao.org/api-docs/secret/kv/kv-v2/>
pub(crate) struct Openbao {
    pub(crate) version: u64,
    pub(crate) fields: Value,
}

impl Service for Openbao {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.method == "GET" {
            let data = json!({"data": self.fields, "metadata": {"version": self.version}});
            return (200, json!({ "data": data }).to_string());
        }
        if asked.body["options"]["cas"] != self.version {
            return self.conflict();
        }
        self.version += 1;
        self.fields = asked.body["data"].clone();
        (200, json!({"data": {"version": self.version}}).to_string())
    }

    fn knows(&self, asked: &Asked) -> bool {
        asked.headers.get("x-vault-token").is_some_and(|v| v == "good")
    }

    fn current(&self) -> String {
        assert_eq!(self.fields["PORT"], "1", "the other fields stay");
        self.fields["KEY"].as_str().unwrap().to_owned()
    }

    fn conflict(&self) -> Answer {
        let why = "check-and-set parameter did not match the current version";
        (400, json!({ "errors": [why] }).to_string())
    }

    fn full(&self) -> Answer {
        (413, json!({"errors": ["request body too large"]}).to_string())
    }
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/>
pub(crate) struct SecretsManager {
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) current: String,
    pub(crate) pending: String,
}

fn aws(name: &str) -> Answer {
    (400, json!({"__type": name, "Message": "no"}).to_string())
}

impl Service for SecretsManager {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let body = &asked.body;
        match asked.headers["x-amz-target"].as_str() {
            "secretsmanager.GetSecretValue" => {
                let id = if body["VersionStage"] == "AWSPENDING" { &self.pending } else { &self.current };
                match self.versions.iter().find(|(own, _)| own == id) {
                    Some((id, value)) => (200, json!({"VersionId": id, "SecretString": value}).to_string()),
                    None => aws("ResourceNotFoundException"),
                }
            }
            "secretsmanager.PutSecretValue" => {
                let id = body["ClientRequestToken"].as_str().unwrap().to_owned();
                let value = body["SecretString"].as_str().unwrap().to_owned();
                match self.versions.iter().find(|(own, _)| *own == id) {
                    Some((_, old)) if *old != value => return aws("ResourceExistsException"),
                    Some(_) => {}
                    None => self.versions.push((id.clone(), value)),
                }
                for stage in body["VersionStages"].as_array().unwrap() {
                    match stage.as_str() {
                        Some("AWSPENDING") => self.pending.clone_from(&id),
                        _ => self.current.clone_from(&id),
                    }
                }
                (200, json!({ "VersionId": id }).to_string())
            }
            "secretsmanager.UpdateSecretVersionStage" => {
                if body["RemoveFromVersionId"] != self.current.as_str() {
                    return aws("InvalidParameterException");
                }
                self.current = body["MoveToVersionId"].as_str().unwrap().to_owned();
                (200, "{}".to_owned())
            }
            other => panic!("{other}"),
        }
    }

    fn knows(&self, asked: &Asked) -> bool {
        asked.headers["authorization"].contains("Credential=good/")
    }

    fn current(&self) -> String {
        self.versions.iter().find(|(id, _)| *id == self.current).unwrap().1.clone()
    }

    fn conflict(&self) -> Answer {
        aws("ResourceExistsException")
    }

    fn full(&self) -> Answer {
        aws("LimitExceededException")
    }
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>
pub(crate) struct ParameterStore {
    pub(crate) version: u64,
    pub(crate) value: String,
}

impl Service for ParameterStore {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let body = &asked.body;
        match asked.headers["x-amz-target"].as_str() {
            "AmazonSSM.GetParameter" => {
                let said = json!({"Type": "SecureString", "Value": self.value, "Version": self.version});
                (200, json!({ "Parameter": said }).to_string())
            }
            "AmazonSSM.DescribeParameters" => {
                (200, json!({"Parameters": [{"KeyId": "alias/shop", "Tier": "Standard"}]}).to_string())
            }
            "AmazonSSM.PutParameter" => {
                assert_eq!(body["KeyId"], "alias/shop", "it stays encrypted with the same key");
                self.value = body["Value"].as_str().unwrap().to_owned();
                self.version += 1;
                (200, json!({"Version": self.version, "Tier": "Standard"}).to_string())
            }
            other => panic!("{other}"),
        }
    }

    fn knows(&self, asked: &Asked) -> bool {
        asked.headers["authorization"].contains("Credential=good/")
    }

    fn current(&self) -> String {
        self.value.clone()
    }

    fn conflict(&self) -> Answer {
        aws("TooManyUpdates")
    }

    fn full(&self) -> Answer {
        aws("ParameterMaxVersionLimitExceeded")
    }
}

/// <https://docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/addVersion>
pub(crate) struct GcpSecrets {
    pub(crate) version: u64,
    pub(crate) value: String,
}

fn gcp(code: u16, status: &str) -> Answer {
    (code, json!({"error": {"code": code, "message": "no", "status": status}}).to_string())
}

impl Service for GcpSecrets {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.method == "POST" {
            assert!(asked.path.ends_with("/secrets/key:addVersion"), "{}", asked.path);
            let data = Base64::decode_vec(asked.body["payload"]["data"].as_str().unwrap()).unwrap();
            self.value = String::from_utf8(data).unwrap();
            self.version += 1;
        }
        let name = format!("projects/4711/secrets/key/versions/{}", self.version);
        let data = Base64::encode_string(self.value.as_bytes());
        (200, json!({"name": name, "payload": {"data": data}}).to_string())
    }

    fn knows(&self, asked: &Asked) -> bool {
        bearer(asked)
    }

    fn current(&self) -> String {
        self.value.clone()
    }

    fn conflict(&self) -> Answer {
        gcp(409, "ABORTED")
    }

    fn full(&self) -> Answer {
        gcp(400, "FAILED_PRECONDITION")
    }
}

/// <https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/set-secret/set-secret>, and the flow of client
/// credentials that gives its tokens.
pub(crate) struct KeyVault {
    pub(crate) version: u64,
    pub(crate) value: String,
}

impl Service for KeyVault {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.path.ends_with("/oauth2/v2.0/token") {
            let said = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "good"});
            return (200, said.to_string());
        }
        if asked.method == "PUT" {
            assert_eq!(asked.body["tags"]["team"], "web", "what is known of it stays");
            self.value = asked.body["value"].as_str().unwrap().to_owned();
            self.version += 1;
        }
        let id = format!("https://acme.vault.azure.net/secrets/key/{:032x}", self.version);
        (200, json!({"value": self.value, "id": id, "tags": {"team": "web"}}).to_string())
    }

    fn knows(&self, asked: &Asked) -> bool {
        let login = asked.body.as_str().is_some_and(|form| form.ends_with("&client_secret=good"));
        bearer(asked) || login && asked.path.starts_with("/acme.example/")
    }

    fn current(&self) -> String {
        self.value.clone()
    }

    fn conflict(&self) -> Answer {
        (409, json!({"error": {"code": "Conflict", "message": "no"}}).to_string())
    }

    fn full(&self) -> Answer {
        let inner = json!({"code": "ForbiddenByPolicy"});
        (403, json!({"error": {"code": "Forbidden", "message": "no", "innererror": inner}}).to_string())
    }
}

/// <https://docs.github.com/en/rest/actions/secrets>
pub(crate) struct Actions {
    pub(crate) key: SecretKey,
    pub(crate) updated: u32,
    pub(crate) value: String,
}

impl Service for Actions {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let name = asked.path.rsplit('/').next().unwrap();
        match (asked.method.as_str(), name) {
            ("GET", "public-key") => {
                let key = Base64::encode_string(self.key.public_key().as_bytes());
                (200, json!({"key_id": "568250167242549743", "key": key}).to_string())
            }
            ("GET", _) => {
                let at = format!("2026-01-01T{:02}:{:02}:00Z", self.updated / 60, self.updated % 60);
                (
                    200,
                    json!({"name": name, "created_at": "2020-01-01T00:00:00Z", "updated_at": at}).to_string(),
                )
            }
            _ => {
                let sealed = Base64::decode_vec(asked.body["encrypted_value"].as_str().unwrap()).unwrap();
                self.value = String::from_utf8(self.key.unseal(&sealed).unwrap()).unwrap();
                self.updated += 1;
                (204, String::new())
            }
        }
    }

    fn knows(&self, asked: &Asked) -> bool {
        bearer(asked)
    }

    fn current(&self) -> String {
        self.value.clone()
    }

    fn conflict(&self) -> Answer {
        (409, json!({"message": "Conflict"}).to_string())
    }

    fn full(&self) -> Answer {
        (422, json!({"message": "Secrets limit reached"}).to_string())
    }
}

/// <https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/>
pub(crate) struct Kubernetes {
    pub(crate) version: u64,
    pub(crate) value: String,
}

impl Kubernetes {
    fn secret(&self) -> String {
        json!({"metadata": {"resourceVersion": self.version.to_string()},
               "data": {"key": Base64::encode_string(self.value.as_bytes())}})
        .to_string()
    }
}

impl Service for Kubernetes {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.method == "PATCH" {
            if asked.body["metadata"]["resourceVersion"] != self.version.to_string().as_str() {
                return self.conflict();
            }
            let coded = asked.body["data"]["key"].as_str().unwrap();
            self.value = String::from_utf8(Base64::decode_vec(coded).unwrap()).unwrap();
            self.version += 1;
        }
        (200, self.secret())
    }

    fn knows(&self, asked: &Asked) -> bool {
        bearer(asked)
    }

    fn current(&self) -> String {
        self.value.clone()
    }

    fn conflict(&self) -> Answer {
        (409, json!({"kind": "Status", "reason": "Conflict", "code": 409}).to_string())
    }

    fn full(&self) -> Answer {
        (
            403,
            json!({"kind": "Status", "reason": "Forbidden", "message": "exceeded quota", "code": 403})
                .to_string(),
        )
    }
}

/// <https://docs.doppler.com/reference/secrets-update>
pub(crate) struct Doppler {
    pub(crate) value: String,
}

impl Service for Doppler {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.method == "GET" {
            let value = json!({"raw": self.value, "computed": self.value, "note": ""});
            return (200, json!({"name": "API_KEY", "value": value}).to_string());
        }
        let change = &asked.body["change_requests"][0];
        if change["originalValue"] != self.value.as_str() {
            return self.conflict();
        }
        self.value = change["value"].as_str().unwrap().to_owned();
        (200, json!({"success": true}).to_string())
    }

    fn knows(&self, asked: &Asked) -> bool {
        bearer(asked)
    }

    fn current(&self) -> String {
        self.value.clone()
    }

    fn conflict(&self) -> Answer {
        (400, json!({"success": false, "messages": ["the original value is another one"]}).to_string())
    }

    fn full(&self) -> Answer {
        (403, json!({"success": false, "messages": ["this config is locked"]}).to_string())
    }
}

/// <https://infisical.com/docs/api-reference/endpoints/secrets/update>
pub(crate) struct Infisical {
    pub(crate) version: u64,
    pub(crate) value: String,
}

impl Service for Infisical {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.path.ends_with("/universal-auth/login") {
            return (
                200,
                json!({"accessToken": "good", "expiresIn": 7200, "tokenType": "Bearer"}).to_string(),
            );
        }
        if asked.method == "PATCH" {
            self.value = asked.body["secretValue"].as_str().unwrap().to_owned();
            self.version += 1;
        }
        let secret = json!({"id": "s1", "version": self.version, "secretValue": self.value,
                            "secretValueHidden": false});
        (200, json!({ "secret": secret }).to_string())
    }

    fn knows(&self, asked: &Asked) -> bool {
        match asked.path.ends_with("/universal-auth/login") {
            true => asked.body["clientSecret"] == "good",
            false => bearer(asked),
        }
    }

    fn current(&self) -> String {
        self.value.clone()
    }

    /// It compares nothing: this is what it says where a policy asks for approval.
    fn conflict(&self) -> Answer {
        (200, json!({"approval": {"id": "a1", "status": "open", "hasMerged": false}}).to_string())
    }

    fn full(&self) -> Answer {
        (
            400,
            json!({"statusCode": 400, "message": "the plan's limit is reached", "error": "BadRequest"})
                .to_string(),
        )
    }
}
