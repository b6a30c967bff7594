//! Who is asking, and the token endpoint.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use handoffd_core::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    state::Ids,
};

/// Seconds that an access token lives unless asked otherwise.
const ACCESS_SECS: i64 = 1_800;
/// Seconds that a refresh token lives unless asked otherwise.
const REFRESH_SECS: i64 = 2_592_000;

#[derive(Clone, Debug)]
struct Access {
    /// `None`: a token from before tokens expired.
    expires_at: Option<Timestamp>,
    scope: String,
}

#[derive(Clone, Debug)]
struct Refresh {
    expires_at: Timestamp,
    /// The access token that was given together with it.
    access: Option<String>,
    scope: String,
}

/// The account's secrets.
#[derive(Debug)]
pub(super) struct Oauth {
    pub(super) api_token: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    /// The access token that does not expire.
    pub(super) lasting: String,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
}

/// Whom a request is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Nobody: no credentials, or a password.
    Anonymous,
    /// A user, with the scopes of the token.
    User { id: i64, scope: String },
}

const FULL_SCOPE: &str = "read write";

impl Oauth {
    pub(super) fn new(seed: u64, now: Timestamp) -> Self {
        // Of its own stream, so that secrets and ids do not depend on each other.
        let mut ids = Ids::new(seed ^ 0x5eed_0a07);
        let (api_token, client_secret, lasting) =
            (ids.secret(), ids.hex() + &ids.hex(), ids.hex() + &ids.hex());
        let first = Refresh {
            expires_at: Timestamp::from_secs(now.as_secs() + REFRESH_SECS),
            access: None,
            scope: FULL_SCOPE.to_owned(),
        };
        Self {
            api_token,
            client_id: "handoffd_sync".to_owned(),
            client_secret,
            access: BTreeMap::from([(
                lasting.clone(),
                Access { expires_at: None, scope: FULL_SCOPE.to_owned() },
            )]),
            lasting,
            refresh: BTreeMap::from([(ids.hex() + &ids.hex(), first)]),
        }
    }

    /// A refresh token that works now.
    pub(super) fn current_refresh(&self) -> Option<&str> {
        self.refresh.iter().max_by_key(|(_, token)| token.expires_at).map(|(token, _)| token.as_str())
    }

    /// Ends every access token that has an end.
    pub(super) fn expire(&mut self) {
        self.access.retain(|_, token| token.expires_at.is_none());
    }

    fn scope_of(&self, token: &str, now: Timestamp) -> Option<&str> {
        let access = self.access.get(token)?;
        access.expires_at.is_none_or(|end| now < end).then_some(access.scope.as_str())
    }
}

impl Sim {
    /// Reads `Authorization`.
    pub(super) fn caller(&self, call: &Call) -> Result<Caller, Reply> {
        let Some(header) = call.header("authorization") else {
            return Ok(Caller::Anonymous);
        };
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => {
                let scope = self.oauth.scope_of(rest.trim(), call.now).ok_or_else(bad_token)?;
                Ok(Caller::User { id: self.world.integration, scope: scope.to_owned() })
            }
            "basic" => self.basic(rest.trim()),
            _ => Err(Reply::not_signed_in()),
        }
    }

    fn basic(&self, encoded: &str) -> Result<Caller, Reply> {
        let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((name, secret)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
            return Err(Reply::not_signed_in());
        };
        // Passwords are no longer read: whoever sends one is nobody.
        let Some(email) = name.strip_suffix("/token") else {
            return Ok(Caller::Anonymous);
        };
        let user = self.world.user_by_email(email).filter(|user| user.role.is_staff());
        match user {
            Some(user) if secret == self.oauth.api_token => {
                Ok(Caller::User { id: user.id, scope: FULL_SCOPE.to_owned() })
            }
            _ => Err(Reply::not_signed_in()),
        }
    }

    /// `POST /oauth/tokens`.
    pub(super) fn token(&mut self, call: &Call) -> Answer {
        let form = read_form(call)?;
        let field = |name: &str| form.get(name).and_then(Value::as_str).unwrap_or_default();
        if field("client_id") != self.oauth.client_id || field("client_secret") != self.oauth.client_secret {
            return Err(refused(
                401,
                "invalid_client",
                "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
            ));
        }
        let access_secs = seconds(&form, "expires_in", ACCESS_SECS, 300, 172_800)?;
        let refresh_secs = seconds(&form, "refresh_token_expires_in", REFRESH_SECS, 604_800, 7_776_000)?;
        match field("grant_type") {
            "client_credentials" => {
                let scope = scope_asked(field("scope"))?;
                let token = self.new_access(&scope, access_secs, call.now);
                Ok(Reply::ok(json!({"access_token": token, "token_type": "bearer", "scope": scope,
                    "expires_in": access_secs})))
            }
            "refresh_token" => {
                let old = self.oauth.refresh.remove(field("refresh_token"));
                let old = old.filter(|token| call.now < token.expires_at).ok_or_else(bad_grant)?;
                if let Some(access) = &old.access {
                    self.oauth.access.remove(access);
                }
                let scope = if field("scope").is_empty() { old.scope } else { scope_asked(field("scope"))? };
                let access = self.new_access(&scope, access_secs, call.now);
                let expires_at = Timestamp::from_secs(call.now.as_secs() + refresh_secs);
                let refresh = self.world.ids.hex() + &self.world.ids.hex();
                let kept = Refresh { expires_at, access: Some(access.clone()), scope: scope.clone() };
                self.oauth.refresh.insert(refresh.clone(), kept);
                Ok(Reply::ok(
                    json!({"access_token": access, "refresh_token": refresh, "token_type": "bearer",
                    "scope": scope, "expires_in": access_secs, "refresh_token_expires_in": refresh_secs}),
                ))
            }
            "authorization_code" => Err(bad_grant()),
            _ => Err(refused(
                400,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
            )),
        }
    }

    fn new_access(&mut self, scope: &str, secs: i64, now: Timestamp) -> String {
        self.oauth.access.retain(|_, token| token.expires_at.is_none_or(|end| now < end));
        let token = self.world.ids.hex() + &self.world.ids.hex();
        let expires_at = Some(Timestamp::from_secs(now.as_secs() + secs));
        self.oauth.access.insert(token.clone(), Access { expires_at, scope: scope.to_owned() });
        token
    }
}

/// Whether the scopes cover the request; ticket audits need the global `read`.
pub(super) fn is_covered(call: &Call, scope: &str) -> bool {
    let need = if call.method == http::Method::GET { "read" } else { "write" };
    let resource = call.path.first().map_or("", String::as_str);
    let only_global = call.path.iter().any(|part| part.contains("audits"));
    scope
        .split_whitespace()
        .any(|given| given == need || (!only_global && given == format!("{resource}:{need}")))
}

/// 403 of a token whose scopes are too narrow.
pub(super) fn missing_scope(call: &Call) -> Reply {
    let need = if call.method == http::Method::GET { "read" } else { "write" };
    Reply::json(
        403,
        json!({"error": "Forbidden", "description": format!("You are missing the following required scopes: {need}")}),
    )
}

fn read_form(call: &Call) -> Result<Map<String, Value>, Reply> {
    if call.header("content-type").is_some_and(|kind| kind.contains("form-urlencoded")) {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&call.body).unwrap_or_default();
        return Ok(pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect());
    }
    match call.json()? {
        Value::Object(map) => Ok(map),
        _ => Err(refused(400, "invalid_request", "The request is not an object.")),
    }
}

fn seconds(form: &Map<String, Value>, name: &str, usual: i64, least: i64, most: i64) -> Result<i64, Reply> {
    let Some(given) = form.get(name).filter(|value| !value.is_null()) else {
        return Ok(usual);
    };
    let secs = given.as_i64().or_else(|| given.as_str()?.parse().ok());
    secs.filter(|secs| (least..=most).contains(secs)).ok_or_else(|| {
        refused(
            400,
            "invalid_request",
            &format!("{name} must be a number of seconds from {least} to {most}."),
        )
    })
}

/// No scope asked for is full access.
fn scope_asked(scope: &str) -> Result<String, Reply> {
    if scope.trim().is_empty() {
        return Ok(FULL_SCOPE.to_owned());
    }
    let known = |word: &str| {
        ["read", "write", "impersonate"].contains(&word)
            || word
                .split_once(':')
                .is_some_and(|(what, how)| !what.is_empty() && ["read", "write"].contains(&how))
    };
    if scope.split_whitespace().all(known) {
        return Ok(scope.to_owned());
    }
    Err(refused(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed."))
}

fn refused(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, json!({"error": error, "error_description": description}))
}

fn bad_grant() -> Reply {
    refused(
        400,
        "invalid_grant",
        "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.",
    )
}

fn bad_token() -> Reply {
    refused(
        401,
        "invalid_token",
        "The access token provided is expired, revoked, malformed or invalid for other reasons.",
    )
    .with("www-authenticate", "Bearer error=\"invalid_token\"")
}
