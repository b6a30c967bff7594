//! `POST /v1/handoffs`: an AI agent says that a conversation goes to a human, in any of the
//! dialects; `GET /v1/handoffs/{id}`: where that stands.

use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use handoffd_core::{
    HandoffId, HandoffKind, SeenMessage, Sensitivity, TicketKey, Timestamp, handoff::handoff_id_from_api,
    model::package::Package, transcript::TranscriptRules,
};
use serde_json::{Value, json};

use super::{
    Site,
    agents::{self, Agent},
    answers::{self, Asked, Refusal},
    dialects::{Dialect, Heard},
    envelope::Envelope,
    form::{Form, Loss, Place},
    reply,
    streams::{self, Folded, Part, Talk},
};
use crate::{
    engine::records::HandoffDetail,
    store::{Commit, CommitError, ReadError, tables::IntakeRow},
};

/// How long the same body without a key is the same handoff: a repeat, and not the next time that
/// a customer asks for a person.
const SAME_BODY: Duration = Duration::from_secs(600);

/// The state of a handoff that is stored and that no look at its ticket has taken in yet.
const ANNOUNCED: &str = "announced";

const NO_HANDOFF: &str = "there is no such handoff";

pub(super) async fn create(
    State(site): State<Site>,
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
    let mut asked = match Asked::of("", &headers, &caller, &body) {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    let value = match answers::json(&body) {
        Ok(value) => value,
        Err(refusal) => return *refusal,
    };
    let (root, mut form) = (Place::root(&value), Form::default());
    let envelope = Envelope::open(&root, &mut form);
    if asked.key.is_none() {
        // An event's own name is its key; else the same body is the same handoff, for a while.
        let key = envelope.id.clone().unwrap_or_else(|| asked.digest.clone());
        asked.named("", key);
        let before = answers::answered_at(&site, &asked).await;
        if envelope.id.is_none() && before.is_some_and(|at| now.since(at) > SAME_BODY) {
            asked.named("", format!("{} {}", asked.digest, now.0));
        }
    }
    if let Some(answer) = answers::repeated(&site, &asked).await {
        return answer;
    }
    let dialect = match dialect(query.as_deref(), &envelope.inner) {
        Ok(dialect) => dialect,
        Err(refusal) => return *refusal,
    };
    let heard = dialect.read(&envelope.inner, &mut form, &transcript_rules(&site));
    let telling = Telling { site: &site, agent: caller.agent, dialect, body: &envelope.inner, now };
    telling.take(heard, form, &asked).await
}

/// What `?dialect=` says; else the one whose shape the body has.
fn dialect(query: Option<&str>, body: &Place<'_>) -> Result<Dialect, Refusal> {
    let mut asked = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let Some((_, name)) = asked.find(|(key, _)| key == "dialect") else { return Ok(Dialect::of(body)) };
    Dialect::named(&name).ok_or_else(|| {
        let names: Vec<&str> = Dialect::ALL.iter().map(|(name, _)| *name).collect();
        let message = format!("the dialects are {}", names.join(", "));
        Box::new(reply::error_at(StatusCode::UNPROCESSABLE_ENTITY, &message, &["?dialect".to_owned()]))
    })
}

fn transcript_rules(site: &Site) -> TranscriptRules {
    let config = &site.engine.parts().handoff;
    TranscriptRules {
        transfer_prefixes: config.transfer_tools.clone(),
        inner_tools: config.ignored_tools.iter().cloned().collect(),
        attempts_max: config.attempts_max,
        ..TranscriptRules::default()
    }
}

/// A handoff that is being told.
struct Telling<'a> {
    site: &'a Site,
    agent: &'a Agent,
    dialect: Dialect,
    body: &'a Place<'a>,
    now: Timestamp,
}

impl Telling<'_> {
    async fn take(&self, heard: Heard, mut form: Form, asked: &Asked) -> Response {
        let ticket = match self.ticket(&heard, &mut form).await {
            Ok(ticket) => ticket,
            Err(error) => {
                tracing::warn!(%error, "A conversation could not be looked up; its agent is asked to send again.");
                return reply::unavailable();
            }
        };
        let Some(ticket) = ticket.filter(|_| form.wrongs.is_empty()) else {
            let said = self.dialect.refused(self.source(), reply::wrongs_body(&form.wrongs));
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(said)).into_response();
        };
        self.store(heard, &ticket, &form, asked).await
    }

    fn source(&self) -> &Value {
        self.body.value.unwrap_or(&Value::Null)
    }

    /// A path of the dialect's own, within the envelope where there is one.
    fn path(&self, path: &str) -> String {
        path.split('.').fold(self.body.clone(), |place, key| place.at(key)).path
    }

    /// The ticket: as the body names it, else the one that its conversation is bound to.
    async fn ticket(&self, heard: &Heard, form: &mut Form) -> Result<Option<TicketKey>, ReadError> {
        let places = self.dialect.ticket_places();
        if let (Some(account), Some(id)) = (&heard.account, &heard.ticket_id) {
            return Ok(streams::ticket_of(self.site, self.agent, account, id).map_or_else(
                |(part, message)| {
                    let at = if part == Part::Account { 0 } else { 1 };
                    form.wrong(&self.path(places[at]), message);
                    None
                },
                Some,
            ));
        }
        let bound = match &heard.conversation {
            Some(id) => self.site.engine.ticket_of_conversation(&self.agent.name, id).await?,
            None => None,
        };
        if let Some(ticket) = bound.filter(|ticket| streams::may_use(self.agent, ticket)) {
            return Ok(Some(ticket));
        }
        self.no_ticket(heard, form);
        Ok(None)
    }

    /// Says what to send so that the ticket is known.
    fn no_ticket(&self, heard: &Heard, form: &mut Form) {
        let known: Vec<String> = form.wrongs.iter().map(|wrong| wrong.path.clone()).collect();
        let conversation = self.path(self.dialect.conversation_place());
        if heard.conversation.is_some() {
            let message =
                "is bound to no ticket; name the ticket here, or in events of the conversation before";
            form.wrong(&conversation, message);
        }
        let given = [heard.account.is_some(), heard.ticket_id.is_some()];
        for (path, given) in self.dialect.ticket_places().iter().zip(given) {
            let path = self.path(path);
            if !given && !known.contains(&path) {
                let name = path.rsplit('.').next().unwrap_or_default();
                let message = format!(
                    "`{name}` is missing; `{conversation}` does instead, once events have bound it to a ticket"
                );
                form.wrong(&path, message);
            }
        }
    }

    async fn store(&self, heard: Heard, ticket: &TicketKey, form: &Form, asked: &Asked) -> Response {
        let key = asked.key.clone().unwrap_or_default();
        let row = IntakeRow {
            id: handoff_id_from_api(&self.agent.name, &key),
            ticket: ticket.clone(),
            agent: self.agent.name.clone(),
            key,
            told: heard.told,
            at: self.now,
            conversation: heard.conversation.clone(),
            wanted: heard.wanted,
            kind: heard.kind.unwrap_or(HandoffKind::AiToHuman),
        };
        let named = format!("{}:{}", ticket.account, ticket.id);
        let id = heard.conversation.as_deref().unwrap_or(&named);
        let talk = Talk { agent: self.agent, id, ticket: Some(ticket) };
        for _ in 0..streams::TRIES_MAX {
            let Ok(folded) = streams::fold(self.site, &talk, &heard.events, true, self.now).await else {
                break;
            };
            let said = self.said(&row, form, &folded);
            let mut commit =
                Commit { guards: vec![folded.guard], writes: folded.writes, ..Commit::default() };
            asked.answered_with(&said, self.now, &mut commit);
            self.site.engine.intake(&row, &mut commit);
            match self.site.engine.wake_ticket(ticket, "api", commit).await {
                Ok(_) => return answers::accepted(&said, false),
                // The key was in hand twice at once, and the other request was first; or events of
                // the same conversation came meanwhile.
                Err(CommitError::Conflict { .. }) => {
                    if let Some(answer) = answers::repeated(self.site, asked).await {
                        return answer;
                    }
                }
                Err(CommitError::TooLarge { .. }) => {
                    let message = "the handoff is too large to be kept; send less of the transcript";
                    return reply::error(StatusCode::PAYLOAD_TOO_LARGE, message);
                }
                Err(error) => {
                    tracing::warn!(%error, "A handoff could not be stored; its agent is asked to send it again.");
                    break;
                }
            }
        }
        reply::unavailable()
    }

    /// The answer's body.
    fn said(&self, row: &IntakeRow, form: &Form, folded: &Folded) -> String {
        let mut loss = form.losses();
        let transcript = self.path(self.dialect.transcript_place());
        let told = [
            (folded.turns_dropped, "older turns made room for the newest"),
            (
                folded.counts.left_out,
                "turns or statements are empty, or older than all that there is room for",
            ),
        ];
        for (count, why) in told.into_iter().filter(|(count, _)| *count > 0) {
            loss.push(Loss { path: transcript.clone(), why: why.to_owned(), times: Some(count as usize) });
        }
        let said = json!({
            "id": row.id, "state": ANNOUNCED, "url": format!("/v1/handoffs/{}", row.id), "loss": loss,
        });
        self.dialect.accepted(self.source(), said, &transcript_rules(self.site)).to_string()
    }
}

/// `GET /v1/handoffs/{id}`: where a handoff stands, for the agent that announced it; with
/// `?package=1` its package too.
pub(super) async fn show(
    State(site): State<Site>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let now = site.engine.parts().clock.now();
    let Some(caller) = agents::caller(&site.agents, &headers, &[], now) else {
        return reply::unauthorized("Bearer", "a bearer token is needed");
    };
    let id = HandoffId::new(id);
    let found = match site.engine.handoff_detail(&id).await {
        Ok(found) => found,
        Err(_) => return reply::unavailable(),
    };
    let found = match found {
        Some(found) => found,
        None => return waiting(&site, caller.agent, &id).await,
    };
    if !streams::may_use(caller.agent, &found.record.ticket) {
        return reply::error(StatusCode::NOT_FOUND, NO_HANDOFF);
    }
    let mut said = shown(&found);
    let query = query.unwrap_or_default();
    if url::form_urlencoded::parse(query.as_bytes()).any(|(key, word)| key == "package" && word == "1") {
        said["package"] = json!(found.package.map(for_agents));
    }
    Json(said).into_response()
}

/// Where a handoff stands that no look has taken in yet.
async fn waiting(site: &Site, agent: &Agent, id: &HandoffId) -> Response {
    let Ok(waiting) = site.engine.waiting_intake(id).await else { return reply::unavailable() };
    let Some(row) = waiting.filter(|row| streams::may_use(agent, &row.ticket)) else {
        return reply::error(StatusCode::NOT_FOUND, NO_HANDOFF);
    };
    let said = json!({
        "id": row.id, "ticket": row.ticket, "kind": row.kind, "state": ANNOUNCED, "at": row.at.to_string(),
    });
    Json(said).into_response()
}

/// A package as its AI agent may see it: without facts that are shown only where somebody said so.
fn for_agents(mut package: Package) -> Package {
    package.facts.retain(|fact| fact.sensitivity != Sensitivity::Restricted);
    package
}

fn shown(found: &HandoffDetail) -> Value {
    let record = &found.record;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let seen = |message: &Option<SeenMessage>| {
        message.as_ref().map(
            |message| json!({ "ticket": message.ticket, "id": message.id, "at": message.at.to_string() }),
        )
    };
    json!({
        "id": record.id,
        "ticket": record.ticket,
        "kind": record.kind,
        "state": record.state,
        "hop": record.hop,
        "previous": record.previous,
        "reopened": record.reopened,
        "detected_at": record.detected_at.to_string(),
        "deadline": record.deadline.to_string(),
        "delivered_at": time(record.delivered_at),
        "accepted_at": time(record.accepted_at),
        "visible": seen(&record.visible),
        "first_reply": seen(&record.first_reply),
        "late": found.line.breach,
        "thin": record.thin,
        "completeness": record.completeness.map(|(known, required)| json!({ "known": known, "required": required })),
        "failure": record.failure,
    })
}
