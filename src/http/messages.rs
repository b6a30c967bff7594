//! `POST /v1/conversations/{id}/messages`: an AI agent answers the customer through us, while it
//! has the floor; `GET` of one message: what became of it; `GET /v1/conversations/{id}/floor`: who
//! may speak.

use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use handoffd_core::{
    TicketKey, Timestamp,
    floor::{Floor, Holder},
};
use serde_json::{Value, json};

use super::{
    Site,
    agents::{self, Caller},
    answers::{self, Asked, Refusal},
    form::{Form, Place},
    reply, streams,
};
use crate::{
    engine::Words,
    store::tables::{SpeechRow, SpeechState, speech_id},
};

/// How long a request waits for its message to be said, unless it says otherwise.
const WAIT: Duration = Duration::from_secs(10);

pub(super) async fn say(
    State(site): State<Site>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
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
    match asked(&site, &caller, &id, query.as_deref(), &headers, &body, now).await {
        Ok(request) => request.answer(&site).await,
        Err(refusal) => *refusal,
    }
}

/// A message that is asked for.
struct Request<'a> {
    agent: &'a str,
    conversation: &'a str,
    ticket: TicketKey,
    key: String,
    digest: String,
    text: String,
    token: u64,
    ends_turn: bool,
    until: Timestamp,
}

async fn asked<'a>(
    site: &Site,
    caller: &Caller<'a>,
    id: &'a str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Request<'a>, Refusal> {
    let asked = Asked::of("messages", headers, caller, body)?;
    let mut form = Form::default();
    if asked.key.is_none() {
        form.wrong("Idempotency-Key", "is missing: a message is said once, by its key");
    }
    let wait = wait(site, query).map_err(|message| {
        Box::new(reply::error_at(StatusCode::UNPROCESSABLE_ENTITY, message, &["?wait".to_owned()]))
    })?;
    let value = answers::json(body)?;
    let root = Place::root(&value);
    let text = text(&root.at("text"), &mut form);
    let token = token(&root.at("floor"), &mut form);
    let ends_turn = form.flag(&root.at("final")).unwrap_or(true);
    form.refuse_rest(&root);
    let (Some(key), Some(text), Some(token), true) = (asked.key, text, token, form.wrongs.is_empty()) else {
        return Err(Box::new(reply::wrongs(&form.wrongs)));
    };
    let ticket = ticket(site, caller, id).await?;
    let longest =
        site.engine.parts().desks.get(&ticket.account).map(|desk| desk.capabilities.message_bytes_max);
    if longest.is_some_and(|longest| text.len() > longest) {
        let message = "the message is longer than the helpdesk takes";
        return Err(Box::new(reply::error_at(StatusCode::PAYLOAD_TOO_LARGE, message, &["text".to_owned()])));
    }
    let (agent, until) = (caller.agent.name.as_str(), now.plus(wait));
    let digest = asked.digest;
    Ok(Request { agent, conversation: id, ticket, key, digest, text, token, ends_turn, until })
}

/// `?wait=`: seconds, at most what the listener gives a request.
fn wait(site: &Site, query: Option<&str>) -> Result<Duration, &'static str> {
    let most = site.server.request_timeout.0.saturating_sub(Duration::from_secs(1));
    let mut asked = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let Some((_, secs)) = asked.find(|(key, _)| key == "wait") else { return Ok(WAIT.min(most)) };
    let secs: u64 = secs.trim_end_matches('s').parse().map_err(|_| "is a number of seconds")?;
    Ok(Duration::from_secs(secs).min(most))
}

/// The words as they are: a message that is cut would say something else.
fn text(place: &Place<'_>, form: &mut Form) -> Option<String> {
    form.take(place);
    let words =
        place.value.and_then(Value::as_str).map(|words| words.replace("\r\n", "\n").trim().to_owned());
    if !place.is_there() {
        form.missing(place);
    } else if words.as_ref().is_none_or(String::is_empty) {
        form.wrong(&place.path, "has to be text that says something");
    }
    words.filter(|words| !words.is_empty())
}

fn token(place: &Place<'_>, form: &mut Form) -> Option<u64> {
    form.take(place);
    match place.value {
        None | Some(Value::Null) => {
            form.wrong(&place.path, "is missing: the token of GET /v1/conversations/{id}/floor");
            None
        }
        Some(value) => value.as_u64().or_else(|| {
            form.wrong(&place.path, "has to be the floor's token, a whole number");
            None
        }),
    }
}

/// The ticket of a conversation that the caller may speak of.
async fn ticket(site: &Site, caller: &Caller<'_>, id: &str) -> Result<TicketKey, Refusal> {
    let found = site.engine.ticket_of_conversation(&caller.agent.name, id).await;
    let found = found.map_err(|error| {
        tracing::warn!(%error, "A conversation could not be looked up; its agent is asked to come again.");
        Box::new(reply::unavailable())
    })?;
    found.filter(|ticket| streams::may_use(caller.agent, ticket)).ok_or_else(|| {
        let message = "there is no such conversation, or it is bound to no ticket yet; bind it in events, or name it as account:ticket";
        Box::new(reply::error(StatusCode::NOT_FOUND, message))
    })
}

impl Request<'_> {
    async fn answer(self, site: &Site) -> Response {
        let words = Words {
            agent: self.agent,
            conversation: self.conversation,
            ticket: &self.ticket,
            key: &self.key,
            digest: &self.digest,
            text: &self.text,
            token: self.token,
            ends_turn: self.ends_turn,
        };
        let stored = match site.engine.say(&words).await {
            Ok(row) => row,
            Err(error) => {
                tracing::warn!(%error, "A message could not be stored; its agent is asked to send it again.");
                return reply::unavailable();
            }
        };
        if stored.digest != self.digest {
            let message = "this key came before with another body; a new message needs a new key";
            return reply::error_at(StatusCode::CONFLICT, message, &["Idempotency-Key".to_owned()]);
        }
        match site.engine.speech_settled(&stored.id, self.until).await {
            Ok(row) => shown(&row.unwrap_or(stored), &self.key),
            Err(_) => shown(&stored, &self.key),
        }
    }
}

/// `GET /v1/conversations/{id}/messages/{key}`.
pub(super) async fn show(
    State(site): State<Site>,
    Path((id, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let now = site.engine.parts().clock.now();
    let Some(caller) = agents::caller(&site.agents, &headers, &[], now) else {
        return reply::unauthorized("Bearer", "a bearer token is needed");
    };
    match site.engine.speech(&speech_id(&caller.agent.name, &id, &key)).await {
        Ok(Some(row)) => shown(&row, &key),
        Ok(None) => reply::error(StatusCode::NOT_FOUND, "there is no message with this key"),
        Err(_) => reply::unavailable(),
    }
}

/// `GET /v1/conversations/{id}/floor`.
pub(super) async fn floor(State(site): State<Site>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let now = site.engine.parts().clock.now();
    let Some(caller) = agents::caller(&site.agents, &headers, &[], now) else {
        return reply::unauthorized("Bearer", "a bearer token is needed");
    };
    let ticket = match ticket(&site, &caller, &id).await {
        Ok(ticket) => ticket,
        Err(refusal) => return *refusal,
    };
    match site.engine.floor_of(&ticket).await {
        Ok(floor) => Json(floor_json(&floor)).into_response(),
        Err(_) => reply::unavailable(),
    }
}

fn floor_json(floor: &Floor) -> Value {
    let since = floor.is_known().then(|| floor.since.to_string());
    json!({ "holder": floor.holder, "token": floor.token, "since": since })
}

/// What became of a message: 200 said, 202 not yet, 409 somebody else has the floor, 422 the
/// helpdesk does not take it, 502 nobody knows.
fn shown(row: &SpeechRow, key: &str) -> Response {
    let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let key = key.replace('+', "%20");
    let id: String = url::form_urlencoded::byte_serialize(row.conversation.as_bytes()).collect();
    let url = format!("/v1/conversations/{}/messages/{key}", id.replace('+', "%20"));
    let ticket = json!({ "account": row.ticket.account, "ticket_id": row.ticket.id });
    let mut said = json!({ "id": row.id, "state": row.state.name(), "ticket": ticket, "url": url, "final": row.ends_turn });
    let wrong = |message: &str| json!({ "message": message });
    let status = match &row.state {
        SpeechState::Waiting | SpeechState::Sending => StatusCode::ACCEPTED,
        SpeechState::Said { comment, overrun } => {
            said["comment_id"] = json!(comment);
            said["overrun"] = json!(overrun);
            StatusCode::OK
        }
        SpeechState::Refused(floor) => {
            said["error"] = wrong(refusal(floor));
            said["floor"] = floor_json(floor);
            StatusCode::CONFLICT
        }
        SpeechState::Lost => {
            said["error"] = wrong(
                "it was sent and not answered, and is not found: it may stand there; it is never sent again",
            );
            StatusCode::BAD_GATEWAY
        }
        SpeechState::Failed(why) => {
            said["error"] = wrong(why);
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    let mut response = (status, Json(said)).into_response();
    if status == StatusCode::ACCEPTED
        && let Ok(url) = url.parse()
    {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response
}

fn refusal(floor: &Floor) -> &'static str {
    match floor.holder {
        Holder::Human => "people have the conversation; nothing was written",
        Holder::Bot | Holder::Nobody => {
            "the token is of before: the floor changed hands since; nothing was written"
        }
    }
}
