//! Answers that stand: a request that comes again under its key is answered as the first was,
//! byte for byte.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use handoffd_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Site, agents::Caller, reply};
use crate::store::{
    Commit, Guard, Key,
    tables::{self, ANSWERS},
};

/// The longest idempotency key.
const KEY_BYTES_MAX: usize = 255;

/// The answer to a request that is refused.
pub(super) type Refusal = Box<Response>;

/// What was answered to an idempotency key.
#[derive(Serialize, Deserialize)]
struct Answered {
    at: Timestamp,
    /// SHA-256 of the request's body.
    digest: String,
    /// The answer's body.
    body: String,
}

/// A request under its key.
pub(super) struct Asked {
    agent: String,
    /// The key; `None` where the request has none and may be made again and again.
    pub(super) key: Option<String>,
    /// SHA-256 of the body.
    pub(super) digest: String,
    row: Option<Key>,
}

impl Asked {
    /// The signed id; else the header's key. What is signed wins, so that a captured request
    /// cannot be told again under a new key. `of` is what the key is about: the same key of
    /// another kind of request is another key.
    pub(super) fn of(
        of: &str,
        headers: &HeaderMap,
        caller: &Caller<'_>,
        body: &[u8],
    ) -> Result<Self, Refusal> {
        let wrong = |message| {
            let paths = ["Idempotency-Key".to_owned()];
            Box::new(reply::error_at(StatusCode::UNPROCESSABLE_ENTITY, message, &paths))
        };
        let key = key(headers, caller.signed_id.as_deref()).map_err(wrong)?;
        let agent = caller.agent.name.clone();
        let mut asked = Self { agent, key: None, digest: hex::encode(Sha256::digest(body)), row: None };
        if let Some(key) = key {
            asked.named(of, key);
        }
        Ok(asked)
    }

    /// Gives the request a key, where it has none.
    pub(super) fn named(&mut self, of: &str, key: String) {
        // Hashed, so that any text is a key of bounded length.
        let name = if of.is_empty() { key.clone() } else { format!("{of} {key}") };
        self.row = Some(Key::of(&[&self.agent, &hex::encode(Sha256::digest(name.as_bytes()))]));
        self.key = Some(key);
    }

    /// Adds the answer to the commit that does what was asked. Its guard is the last.
    pub(super) fn answered_with(&self, body: &str, at: Timestamp, commit: &mut Commit) {
        if let Some(row) = &self.row {
            let answered = Answered { at, digest: self.digest.clone(), body: body.to_owned() };
            commit.guards.push(Guard::Absent(ANSWERS, row.clone()));
            commit.writes.push(tables::put(ANSWERS, row.clone(), &answered));
        }
    }
}

fn key(headers: &HeaderMap, signed: Option<&str>) -> Result<Option<String>, &'static str> {
    if let Some(signed) = signed {
        return Ok(Some(signed.to_owned()));
    }
    let Some(given) = headers.get("idempotency-key") else { return Ok(None) };
    let given = given.to_str().map_err(|_| "the key is plain text")?.trim();
    match given.len() {
        0 => Err("the key is empty"),
        1..=KEY_BYTES_MAX => Ok(Some(given.to_owned())),
        _ => Err("the key is longer than 255 characters"),
    }
}

/// When a key was answered first, where that is known.
pub(super) async fn answered_at(site: &Site, asked: &Asked) -> Option<Timestamp> {
    let row = asked.row.as_ref()?;
    let row = tables::read::<Answered>(&*site.engine.parts().store, ANSWERS, row).await;
    row.ok().flatten().map(|row| row.value.at)
}

/// The first answer to a key that was used before.
pub(super) async fn repeated(site: &Site, asked: &Asked) -> Option<Response> {
    let row = asked.row.as_ref()?;
    match tables::read::<Answered>(&*site.engine.parts().store, ANSWERS, row).await {
        Ok(None) => None,
        Ok(Some(row)) if row.value.digest == asked.digest => Some(accepted(&row.value.body, true)),
        Ok(Some(_)) => {
            let message = "this key came before with another body; a new request needs a new key";
            Some(reply::error_at(StatusCode::CONFLICT, message, &["Idempotency-Key".to_owned()]))
        }
        Err(error) => {
            tracing::warn!(%error, "An answer could not be looked up; its sender is asked to send again.");
            Some(reply::unavailable())
        }
    }
}

/// 202 with a body of JSON.
pub(super) fn accepted(body: &str, repeated: bool) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (StatusCode::ACCEPTED, kind, body.to_owned()).into_response();
    if repeated {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}

/// The body as JSON; values stay out of the words.
pub(super) fn json(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("(line {}, column {})", error.line(), error.column());
        Box::new(reply::error(StatusCode::BAD_REQUEST, &format!("the body is no JSON {place}")))
    })
}
