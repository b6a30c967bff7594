//! `POST /v1/handoffs`: an AI agent says that a conversation goes to a human.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use handoffd_core::{
    AccountId, Attempt, Handoff, HandoffId, TicketKey, Timestamp, Told,
    briefing::text,
    handoff::handoff_id_from_api,
    transcript::{ChatMessage, TranscriptRules, merge_told, told_from},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Site, agents, reply};
use crate::store::{
    Commit, CommitError, Guard, Key,
    tables::{self, ANSWERS, IntakeRow, Wanted},
};

/// The longest idempotency key.
const KEY_BYTES_MAX: usize = 255;
/// The longest words of the agent's own that are kept, in characters.
const WORDS_CHARS_MAX: usize = 600;
/// The most attempts that may be named outright.
const ATTEMPTS_MAX: usize = 100;

/// The body of a handoff in its native form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    conversation: Conversation,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    customer: Option<Customer>,
    #[serde(default)]
    transcript: Vec<ChatMessage>,
    #[serde(default)]
    attempts: Vec<GivenAttempt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversation {
    account: String,
    ticket_id: TicketId,
}

/// A ticket's id, as a number or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum TicketId {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Customer {
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenAttempt {
    action: String,
    #[serde(default)]
    inputs: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    failed: bool,
}

/// What was answered to an idempotency key.
#[derive(Serialize, Deserialize)]
struct Answered {
    at: Timestamp,
    /// SHA-256 of the request's body.
    digest: String,
    id: HandoffId,
}

pub(super) async fn create(
    State(site): State<Site>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return reply::unread(&rejection),
    };
    let now = site.engine.parts().clock.now();
    let Some(caller) = agents::caller(&site.agents, &headers, &body, now) else {
        return reply::unauthorized("Bearer", "a bearer token or a Standard Webhooks signature is needed");
    };
    let digest = hex::encode(Sha256::digest(&body));
    let key = match idempotency_key(&headers, caller.signed_id.as_deref(), &digest) {
        Ok(key) => key,
        Err(message) => {
            return reply::error_at(
                StatusCode::UNPROCESSABLE_ENTITY,
                message,
                &["Idempotency-Key".to_owned()],
            );
        }
    };
    let agent = caller.agent.name.clone();
    if let Some(answer) = repeated(&site, &agent, &key, &digest).await {
        return answer;
    }
    let request = match read(&body) {
        Ok(request) => request,
        Err(unreadable) => return unreadable.answer(),
    };
    let row = match intake(&site, caller.agent, &key, request, now) {
        Ok(row) => row,
        Err((path, message)) => {
            return reply::error_at(StatusCode::UNPROCESSABLE_ENTITY, &message, &[path.to_owned()]);
        }
    };
    store(&site, row, digest).await
}

/// The signed id; else the header's key; else the body's own digest. What is
/// signed wins, so that a captured request cannot be told again under a new key.
fn idempotency_key(headers: &HeaderMap, signed: Option<&str>, digest: &str) -> Result<String, &'static str> {
    if let Some(signed) = signed {
        return Ok(signed.to_owned());
    }
    let given = match headers.get("idempotency-key") {
        None => return Ok(digest.to_owned()),
        Some(value) => value.to_str().map_err(|_| "the key is plain text")?.trim(),
    };
    match given.len() {
        0 => Err("the key is empty"),
        1..=KEY_BYTES_MAX => Ok(given.to_owned()),
        _ => Err("the key is longer than 255 characters"),
    }
}

fn answer_key(agent: &str, key: &str) -> Key {
    // Hashed, so that any text is a key of bounded length.
    Key::of(&[agent, &hex::encode(Sha256::digest(key.as_bytes()))])
}

/// The first answer to a key that was used before.
async fn repeated(site: &Site, agent: &str, key: &str, digest: &str) -> Option<Response> {
    let row = tables::read::<Answered>(&*site.engine.parts().store, ANSWERS, &answer_key(agent, key)).await;
    match row {
        Ok(None) => None,
        Ok(Some(row)) if row.value.digest == digest => Some(accepted(&row.value.id, true)),
        Ok(Some(_)) => {
            let message = "this key came before with another body; a new handoff needs a new key";
            Some(reply::error_at(StatusCode::CONFLICT, message, &["Idempotency-Key".to_owned()]))
        }
        Err(error) => {
            tracing::warn!(%error, "A handoff could not be looked up; its sender is asked to send it again.");
            Some(unavailable())
        }
    }
}

/// A body that cannot be read: the answer's status, words and place.
struct Unreadable {
    status: StatusCode,
    message: String,
    path: Option<String>,
}

impl Unreadable {
    fn answer(&self) -> Response {
        match &self.path {
            Some(path) => reply::error_at(self.status, &self.message, std::slice::from_ref(path)),
            None => reply::error(self.status, &self.message),
        }
    }
}

/// Values stay out of the words: only what was missing or expected is said.
fn read(body: &[u8]) -> Result<Request, Unreadable> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        let place = format!("(line {}, column {})", inner.line(), inner.column());
        if inner.is_syntax() || inner.is_eof() {
            let message = format!("the body is no JSON {place}");
            return Unreadable { status: StatusCode::BAD_REQUEST, message, path: None };
        }
        let words = inner.to_string();
        let name = words.split_once('`').and_then(|(_, rest)| rest.split_once('`')).map(|(name, _)| name);
        let (message, path) = match name {
            Some(name) if words.starts_with("missing field") => {
                (format!("`{name}` is missing"), joined(&path, name))
            }
            Some(name) if words.starts_with("unknown field") => (format!("`{name}` is not known here"), path),
            _ => (format!("has the wrong type {place}"), path),
        };
        Unreadable { status: StatusCode::UNPROCESSABLE_ENTITY, message, path: Some(path) }
    })
}

/// The path of a field within the part of the body that misses it.
fn joined(path: &str, name: &str) -> String {
    match path {
        "" | "." => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

fn intake(
    site: &Site,
    agent: &agents::Agent,
    key: &str,
    request: Request,
    now: Timestamp,
) -> Result<IntakeRow, (&'static str, String)> {
    let account = request.conversation.account.clone();
    let desk = site.engine.parts().desks.get(&AccountId::new(account.as_str()));
    if desk.is_none_or(|desk| desk.group.is_none())
        || agent.accounts.as_ref().is_some_and(|accounts| !accounts.contains(&account))
    {
        let message = format!("there is no helpdesk account {account:?} whose tickets you may hand over");
        return Err(("conversation.account", message));
    }
    let ticket = match &request.conversation.ticket_id {
        TicketId::Number(number) => number.to_string(),
        TicketId::Text(text) => text.trim().to_owned(),
    };
    if ticket.is_empty() || ticket.len() > 100 || ticket.contains(['/', '#', '\0']) {
        return Err(("conversation.ticket_id", "is the ticket's id at its helpdesk".to_owned()));
    }
    if request.attempts.len() > ATTEMPTS_MAX {
        return Err(("attempts", format!("has more than {ATTEMPTS_MAX} entries")));
    }
    let id = handoff_id_from_api(&agent.name, key);
    let told = told(site, request);
    let ticket = TicketKey::new(account.as_str(), ticket.as_str());
    let (agent, key) = (agent.name.clone(), key.to_owned());
    Ok(IntakeRow { id, ticket, agent, key, told, at: now, conversation: None, wanted: Wanted::default() })
}

fn told(site: &Site, request: Request) -> Told {
    let config = &site.engine.parts().handoff;
    let rules = TranscriptRules {
        transfer_prefixes: config.transfer_tools.clone(),
        inner_tools: config.ignored_tools.iter().cloned().collect(),
        attempts_max: config.attempts_max,
        ..TranscriptRules::default()
    };
    let words = |text: Option<String>| {
        text.map(|text| text::shortened(&text::one_line(&text), WORDS_CHARS_MAX))
            .filter(|text| !text.is_empty())
    };
    let given = request.attempts.into_iter().enumerate().map(|(at, attempt)| Attempt {
        action: text::shortened(&text::one_line(&attempt.action.replace('_', " ")), 80),
        inputs: text::shortened(&text::one_line(&attempt.inputs), 160),
        outcome: text::shortened(&text::one_line(&attempt.outcome), 200),
        failed: attempt.failed,
        evidence: format!("attempts[{at}]"),
    });
    let own = Told {
        reason: words(request.reason),
        summary: words(request.summary),
        attempts: given.collect(),
        customer_email: request.customer.and_then(|customer| customer.email),
        ..Told::default()
    };
    merge_told(&told_from(&request.transcript, &rules), &own)
}

async fn store(site: &Site, row: IntakeRow, digest: String) -> Response {
    let key = answer_key(&row.agent, &row.key);
    let digest_again = digest.clone();
    let answered = Answered { at: row.at, digest, id: row.id.clone() };
    let mut commit = Commit {
        guards: vec![Guard::Absent(ANSWERS, key.clone())],
        writes: vec![tables::put(ANSWERS, key, &answered)],
        ..Commit::default()
    };
    site.engine.intake(&row, &mut commit);
    match site.engine.wake_ticket(&row.ticket, "api", commit).await {
        Ok(_) => accepted(&row.id, false),
        // The key was in hand twice at once: the other request was first.
        Err(CommitError::Conflict { .. }) => {
            repeated(site, &row.agent, &row.key, &digest_again).await.unwrap_or_else(unavailable)
        }
        Err(CommitError::TooLarge { .. }) => reply::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the handoff is too large to be kept; send less of the transcript",
        ),
        Err(error) => {
            tracing::warn!(%error, "A handoff could not be stored; its sender is asked to send it again.");
            unavailable()
        }
    }
}

fn accepted(id: &HandoffId, repeated: bool) -> Response {
    let body = json!({ "id": id, "state": "accepted", "url": format!("/v1/handoffs/{id}") });
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if repeated {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}

fn unavailable() -> Response {
    let mut response =
        reply::error(StatusCode::SERVICE_UNAVAILABLE, "not stored; send it again with the same key");
    response.headers_mut().insert("retry-after", HeaderValue::from_static("5"));
    response
}

/// `GET /v1/handoffs/{id}`: where a handoff stands, for the agent that announced it.
pub(super) async fn show(State(site): State<Site>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let now = site.engine.parts().clock.now();
    let Some(caller) = agents::caller(&site.agents, &headers, &[], now) else {
        return reply::unauthorized("Bearer", "a bearer token is needed");
    };
    let record = match site.engine.handoff(&HandoffId::new(id)).await {
        Ok(record) => record,
        Err(_) => return unavailable(),
    };
    let allowed = |record: &Handoff| {
        let account = record.ticket.account.as_str();
        caller.agent.accounts.as_ref().is_none_or(|accounts| accounts.contains(account))
    };
    match record.filter(allowed) {
        Some(record) => Json(shown(&record)).into_response(),
        None => reply::error(StatusCode::NOT_FOUND, "there is no such handoff, or it is not taken in yet"),
    }
}

fn shown(record: &Handoff) -> serde_json::Value {
    json!({
        "id": record.id,
        "ticket": record.ticket,
        "kind": record.kind,
        "state": record.state,
        "detected_at": record.detected_at.to_string(),
        "delivered_at": record.delivered_at.map(|at| at.to_string()),
        "accepted_at": record.accepted_at.map(|at| at.to_string()),
        "failure": record.failure,
    })
}
