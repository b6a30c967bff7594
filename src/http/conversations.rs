//! `POST /v1/conversations/{id}/events`: an AI agent streams what happens in a conversation, before
//! anybody hands it over.

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use handoffd_core::{
    TicketKey, Timestamp,
    capture::{CaptureEvent, What},
};
use serde_json::{Value, json};

use super::{
    Site, agents,
    answers::{self, Asked, Refusal},
    dialects::{self, ID_BYTES_MAX, NAME_CHARS_MAX, STATED_CHARS_MAX},
    envelope::Envelope,
    form::{Form, Place},
    reply,
    streams::{self, Part, Talk},
};
use crate::{
    engine::Streamed,
    store::{Commit, CommitError},
};

/// The most events of one request: as many as are known again by their ids.
const EVENTS_MAX: usize = 200;
/// The most fields of a product event or a statement.
const FIELDS_MAX: usize = 50;

pub(super) async fn events(
    State(site): State<Site>,
    Path(id): Path<String>,
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
    let asked = match Asked::of(&format!("events {id}"), &headers, &caller, &body) {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    if let Some(answer) = answers::repeated(&site, &asked).await {
        return answer;
    }
    let heard = match read(&id, &body) {
        Ok(heard) => heard,
        Err(refusal) => return *refusal,
    };
    let ticket = match ticket(&site, caller.agent, &id, &heard).await {
        Ok(ticket) => ticket,
        Err(refusal) => return *refusal,
    };
    let talk = Talk { agent: caller.agent, id: &id, ticket: ticket.as_ref() };
    store(&site, &talk, &heard.events, &asked, now).await
}

/// What a request says.
struct Heard {
    events: Vec<CaptureEvent>,
    account: Option<String>,
    ticket_id: Option<String>,
}

fn read(id: &str, body: &[u8]) -> Result<Heard, Refusal> {
    let value = answers::json(body)?;
    let mut form = Form::default();
    if id.is_empty() || id.len() > ID_BYTES_MAX || id.contains(char::is_control) {
        form.wrong("{id}", format!("has to be an id of 1 to {ID_BYTES_MAX} bytes"));
    }
    let heard = batch(&Place::root(&value), &mut form)?;
    if heard.events.is_empty() && form.wrongs.is_empty() && heard.account.is_none() {
        form.wrong("events", "`events` is missing");
    }
    match form.wrongs.is_empty() {
        true => Ok(heard),
        false => Err(Box::new(reply::wrongs(&form.wrongs))),
    }
}

/// One event, a list of them, or an object with `events`; each and the whole may be in an envelope.
fn batch(root: &Place<'_>, form: &mut Form) -> Result<Heard, Refusal> {
    let mut heard = Heard { events: Vec::new(), account: None, ticket_id: None };
    let whole = Envelope::open(root, form);
    let inner = &whole.inner;
    let ticket = inner.at("ticket");
    form.object(&ticket);
    if ticket.is_there() {
        heard.account = form.needed(&ticket.at("account"), ID_BYTES_MAX);
        heard.ticket_id = match ticket.at("ticket_id").is_there() {
            true => form.id(&ticket.at("ticket_id"), ID_BYTES_MAX),
            false => form.needed(&ticket.at("ticket_id"), ID_BYTES_MAX),
        };
    }
    let list = if inner.value.is_some_and(Value::is_array) { inner.clone() } else { inner.at("events") };
    if list.entries().len() > EVENTS_MAX {
        let message = format!("a request has at most {EVENTS_MAX} events; send them in several");
        let refusal = reply::error_at(StatusCode::PAYLOAD_TOO_LARGE, &message, &["events".to_owned()]);
        return Err(Box::new(refusal));
    }
    // An envelope's type does where the event in it has none.
    let is_typed = inner.at("type").is_there() || (whole.kind.is_some() && !ticket.is_there());
    if inner.is_object() && !inner.at("events").is_there() && is_typed {
        heard.events.extend(event(inner, &whole, form));
    }
    for entry in form.list(&list, EVENTS_MAX) {
        let envelope = Envelope::open(&entry, form);
        heard.events.extend(event(&envelope.inner.clone(), &envelope, form));
    }
    form.refuse_rest(root);
    Ok(heard)
}

fn event(place: &Place<'_>, envelope: &Envelope<'_>, form: &mut Form) -> Option<CaptureEvent> {
    if !place.is_object() {
        form.take(place);
        form.wrong(&place.path, "has to be an object");
        return None;
    }
    let id = form.id(&place.at("id"), ID_BYTES_MAX).or_else(|| envelope.id.clone());
    let at = form.time(&place.at("at")).or(envelope.at);
    let what = what(place, envelope, form)?;
    Some(CaptureEvent { id, place: None, at, what })
}

fn what(place: &Place<'_>, envelope: &Envelope<'_>, form: &mut Form) -> Option<What> {
    let given = form.line(&place.at("type"), NAME_CHARS_MAX);
    let Some(kind) = given.or_else(|| envelope.kind.clone()) else {
        form.missing(&place.at("type"));
        return None;
    };
    match kind.as_str() {
        "turn" => dialects::turn(place, form),
        "tool_call" => dialects::tool_call(place, form),
        "tool_result" => dialects::tool_result(place, form),
        "page_view" => dialects::page_view(place, form),
        "product" => product(place, form),
        "state" => state(place, form),
        _ => {
            let known = "turn, tool_call, tool_result, page_view, product or state";
            form.wrong(&place.at("type").path, format!("has to be {known}"));
            form.take(place);
            None
        }
    }
}

/// The fields of an object, if they are not too many.
fn fields<'a>(place: &Place<'a>, form: &mut Form) -> Vec<(&'a str, Place<'a>)> {
    form.object(place);
    let fields = place.fields();
    if fields.len() > FIELDS_MAX {
        form.take(place);
        form.wrong(&place.path, format!("has more than {FIELDS_MAX} fields"));
        return Vec::new();
    }
    fields
}

fn product(place: &Place<'_>, form: &mut Form) -> Option<What> {
    let properties = place.at("properties");
    let told = fields(&properties, form).into_iter();
    let told = told.filter_map(|(key, field)| Some((key.to_owned(), form.any(&field, NAME_CHARS_MAX)?)));
    let properties_told = told.collect();
    Some(What::Product {
        name: form.needed(&place.at("name"), NAME_CHARS_MAX)?,
        area: form.line(&place.at("area"), NAME_CHARS_MAX),
        properties: properties_told,
        ok: form.flag(&place.at("ok")),
        error_code: form.line(&place.at("error_code"), NAME_CHARS_MAX),
        dwell_secs: form.count(&place.at("dwell_secs")),
    })
}

fn state(place: &Place<'_>, form: &mut Form) -> Option<What> {
    let state = place.at("state");
    if !state.is_there() {
        form.missing(&state);
        return None;
    }
    let mut told = std::collections::BTreeMap::new();
    for (key, field) in fields(&state, form) {
        // An empty value takes a statement back.
        let value = form.line(&field, STATED_CHARS_MAX).unwrap_or_default();
        told.insert(key.to_owned(), value);
    }
    Some(What::State(told))
}

/// The ticket that the conversation is about: as the request says, else as its id does.
async fn ticket(
    site: &Site,
    agent: &agents::Agent,
    id: &str,
    heard: &Heard,
) -> Result<Option<TicketKey>, Refusal> {
    if let (Some(account), Some(ticket)) = (&heard.account, &heard.ticket_id) {
        return streams::ticket_of(site, agent, account, ticket).map(Some).map_err(|(part, message)| {
            let path = if part == Part::Account { "ticket.account" } else { "ticket.ticket_id" };
            Box::new(reply::error_at(StatusCode::UNPROCESSABLE_ENTITY, &message, &[path.to_owned()]))
        });
    }
    let named = site.engine.ticket_of_conversation(&agent.name, id).await;
    named.map(|ticket| ticket.filter(|ticket| streams::may_use(agent, ticket))).map_err(|error| {
        tracing::warn!(%error, "A conversation could not be looked up; its sender is asked to send again.");
        Box::new(reply::unavailable())
    })
}

async fn store(
    site: &Site,
    talk: &Talk<'_>,
    events: &[CaptureEvent],
    asked: &Asked,
    now: Timestamp,
) -> Response {
    for _ in 0..streams::TRIES_MAX {
        let Ok(folded) = streams::fold(site, talk, events, false, now).await else { break };
        let said = json!({
            "conversation": talk.id, "ticket": talk.ticket.map(|ticket| {
                json!({ "account": ticket.account, "ticket_id": ticket.id })
            }),
            "taken": folded.counts.taken, "repeated": folded.counts.repeated, "left_out": folded.counts.left_out,
        });
        let said = said.to_string();
        let mut commit = Commit { guards: vec![folded.guard], writes: folded.writes, ..Commit::default() };
        if folded.counts.taken > 0 {
            let streamed =
                Streamed { agent: &talk.agent.name, conversation: talk.id, ticket: talk.ticket, events };
            if site.engine.heard(&streamed, &mut commit).await.is_err() {
                break;
            }
        }
        asked.answered_with(&said, now, &mut commit);
        match site.engine.commit(commit).await {
            Ok(_) => return answers::accepted(&said, false),
            // Others post to the same conversation: what they added is folded with.
            // Or the key was in hand twice at once: the other request was first.
            Err(CommitError::Conflict { .. }) => {
                if let Some(answer) = answers::repeated(site, asked).await {
                    return answer;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "Events could not be stored; their sender is asked to send them again.");
                break;
            }
        }
    }
    reply::unavailable()
}
