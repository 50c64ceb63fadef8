//! The HTTP interface of OpenBao and HashiCorp Vault: signing in, and asking with the token. Its secrets and its keys
//! are asked in the same way.

use super::super::pass::{self, Pass};
use super::super::web::{Web, failed, header, plain, segments};
use super::super::{Doors, OpenError};
use super::{AppRole, OpenbaoSpec, quoted};
use crate::call::{Prepared, Reply};
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};
use std::sync::Arc;
use zeroize::Zeroizing;

enum Login {
    Token(String),
    Role(AppRole),
}

/// How a request is sent.
type Send = fn(&Web, &Prepared, Call) -> Result<Reply, StoreError>;

/// A server and who asks it.
pub(in crate::rotate) struct Api {
    web: Web,
    namespace: Option<String>,
    login: Login,
    pass: Pass,
}

impl Api {
    /// Nothing is called yet.
    pub(in crate::rotate) fn new(spec: &OpenbaoSpec, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let login = match (&spec.token, &spec.approle) {
            (Some(token), None) => Login::Token(token.clone()),
            (None, Some(role)) => Login::Role(role.clone()),
            _ => return Err(OpenError::Spec("give it either `token` or `approle`".to_owned())),
        };
        Ok(Api {
            web: Web::new(&spec.address, spec.plain, spec.ca.as_deref(), doors)?,
            namespace: spec.namespace.clone(),
            login,
            pass: Pass::default(),
        })
    }

    /// The token to call with, and whether it comes from an earlier login.
    fn token(&self, call: Call) -> Result<(Secret, bool), StoreError> {
        let role = match &self.login {
            Login::Token(reference) => return Ok((self.web.fetch(reference)?, false)),
            Login::Role(role) => role,
        };
        self.pass.token(&self.web, call, || {
            let (role_id, secret_id) = (self.web.fetch(&role.role_id)?, self.web.fetch(&role.secret_id)?);
            let mount: Vec<&str> = ["v1", "auth"].into_iter().chain(role.mount.split('/')).collect();
            let path =
                segments(&mount).ok_or_else(|| StoreError::Refused("the login's mount is empty".into()))?;
            let body = Zeroizing::new(format!(
                "{{\"role_id\":{},\"secret_id\":{}}}",
                *quoted(&role_id)?,
                *quoted(&secret_id)?
            ));
            let mut request = self.web.request("POST", &format!("{path}/login"));
            request.headers = self.headers(None)?;
            request.body = Some(Secret::new(body.as_bytes()));
            Ok(pass::Login { request, token: &["auth", "client_token"], lasts: &["auth", "lease_duration"] })
        })
    }

    fn headers(&self, token: Option<&Secret>) -> Result<Vec<(String, Secret)>, StoreError> {
        // Servers behind an agent may demand it: a browser led here cannot send it.
        let mut out = vec![plain("Content-Type", "application/json"), plain("X-Vault-Request", "true")];
        if let Some(namespace) = &self.namespace {
            out.push(header("X-Vault-Namespace", "", &Secret::new(namespace.as_bytes()))?);
        }
        if let Some(token) = token {
            out.push(header("X-Vault-Token", "", token)?);
        }
        Ok(out)
    }

    /// Sends a request to a path below the address, signed in.
    pub(in crate::rotate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        call: Call,
    ) -> Result<Reply, StoreError> {
        let mut request = self.web.request(method, path);
        request.body = body.map(|b| Secret::new(b.as_bytes()));
        self.signed(request, call, Web::send)
    }

    /// Reads what may be a long list.
    pub(super) fn list(&self, path: &str, call: Call) -> Result<Reply, StoreError> {
        self.signed(self.web.request("GET", path), call, Web::look)
    }

    fn signed(&self, mut request: Prepared, call: Call, send: Send) -> Result<Reply, StoreError> {
        let (mut token, kept) = self.token(call)?;
        request.headers = self.headers(Some(&token))?;
        let reply = send(&self.web, &request, call)?;
        if reply.status != 403 || !kept {
            return Ok(reply);
        }
        // The token was taken back early. Nothing was changed, so that it may be asked with a new one.
        self.pass.forget();
        token = self.token(call)?.0;
        request.headers = self.headers(Some(&token))?;
        send(&self.web, &request, call)
    }
}

/// An answer that is no success. The body's sentences come from the server and are not passed on.
pub(in crate::rotate) fn refusal(reply: &Reply) -> StoreError {
    match reply.status {
        400 if reply.body.contains("check-and-set parameter did not match") => StoreError::Conflict,
        // A replica that has not caught up.
        412 => StoreError::Retry("it answers 412: it has not caught up with its own writes".to_owned()),
        // Standbys of a replicated cluster take no calls.
        472 | 473 => StoreError::Retry(format!("it answers {}: it is a standby", reply.status)),
        503 if reply.body.contains("sealed") => StoreError::Retry("it is sealed".to_owned()),
        _ => failed(reply, ""),
    }
}
