//! A `handoff.initiate` event activity of the Bot Framework, with its context in `value` and the
//! conversation in an attachment `Transcript`, as `EventFactory.createHandoffInitiation` makes it
//! (<https://learn.microsoft.com/azure/bot-service/bot-service-design-pattern-handoff-human>). Answered
//! with a `handoff.status` activity. The conversation is `conversation.id`; the ticket is named in
//! `channelData` or `value`: `account` and `ticket_id`.

use handoffd_core::{
    Timestamp,
    capture::{CaptureEvent, What},
    model::turn::Party,
    transcript::TranscriptRules,
};
use serde_json::{Value, json};

use super::{
    Heard, ID_BYTES_MAX, MESSAGES_MAX, NAME_CHARS_MAX, TURN_CHARS_MAX, WORDS_CHARS_MAX, chat, said_text,
};
use crate::http::form::{Form, Place};

/// Fields of `value` by the statement that they are; those of Copilot Studio begin with `va_`.
const STATEMENTS: [(&str, &str); 13] = [
    ("va_LastTopic", "category"),
    ("va_Language", "language"),
    ("Category", "category"),
    ("category", "category"),
    ("goal", "goal"),
    ("blocker", "blocker"),
    ("severity", "severity"),
    ("product_area", "product_area"),
    ("language", "language"),
    ("tier", "tier"),
    ("sentiment", "mood"),
    ("customer_name", "name"),
    ("open_question", "open_question"),
];

pub(super) fn is_it(body: &Place<'_>) -> bool {
    body.at("name").peek() == Some("handoff.initiate")
}

pub(super) fn read(body: &Place<'_>, form: &mut Form, rules: &TranscriptRules) -> Heard {
    let mut heard = Heard::default();
    form.object(body);
    if form.needed(&body.at("type"), NAME_CHARS_MAX).is_some_and(|kind| kind != "event") {
        form.wrong("type", "has to be \"event\"");
    }
    if form.needed(&body.at("name"), NAME_CHARS_MAX).is_some_and(|name| name != "handoff.initiate") {
        form.wrong("name", "has to be \"handoff.initiate\"");
    }
    let value = body.at("value");
    context(&mut heard, &value, form);
    let conversation = body.at("conversation");
    if conversation.at("id").is_there() {
        heard.name_conversation(&conversation.at("id"), form);
    }
    for place in [&value, &body.at("channelData")] {
        heard.name_ticket(place, form);
    }
    if let Some(channel) = form.line(&body.at("channelId"), NAME_CHARS_MAX) {
        heard.state("channel", "channelId", Some(channel));
    }
    if body.at("locale").is_there() {
        heard.state_from("language", &body.at("locale"), form);
    }
    for attachment in body.at("attachments").entries() {
        transcript(&mut heard, &attachment, form);
    }
    heard.tell_turns(rules);
    heard
}

/// What the bot says of the handoff: a text, or an object of the agent hub's.
fn context(heard: &mut Heard, value: &Place<'_>, form: &mut Form) {
    if !value.is_object() {
        heard.told.reason = form.line(value, WORDS_CHARS_MAX);
        return;
    }
    heard.told.reason =
        form.line(&value.any(&["reason", "Reason", "va_AgentMessage", "message"]), WORDS_CHARS_MAX);
    heard.told.summary = form.line(&value.any(&["summary", "Summary"]), WORDS_CHARS_MAX);
    heard.told.customer_wants = form.line(&value.at("va_LastPhrases"), WORDS_CHARS_MAX);
    heard.told.customer_email = form.line(&value.any(&["customer_email", "email"]), 254);
    heard.wanted.queue = form.line(&value.any(&["queue", "Skill", "skill"]), NAME_CHARS_MAX);
    heard.wanted.priority = form.line(&value.any(&["priority", "Priority"]), NAME_CHARS_MAX);
    for (key, name) in STATEMENTS {
        heard.state_from(name, &value.at(key), form);
    }
    if value.at("va_ConversationId").is_there() {
        heard.name_conversation(&value.at("va_ConversationId"), form);
    }
}

/// An attachment that is the conversation so far: a list of activities.
fn transcript(heard: &mut Heard, attachment: &Place<'_>, form: &mut Form) {
    let content = attachment.at("content");
    let activities = content.any(&["activities", "Activities"]);
    if activities.entries().is_empty() {
        return;
    }
    form.take(&attachment.at("name"));
    form.take(&attachment.at("contentType"));
    for (number, activity) in form.list(&activities, MESSAGES_MAX).into_iter().enumerate() {
        said(heard, number + 1, &activity, form);
    }
}

/// One activity; what is no message is told as lost.
fn said(heard: &mut Heard, number: usize, activity: &Place<'_>, form: &mut Form) {
    let text = activity.at("text");
    if activity.at("type").peek() != Some("message") || text.peek().is_none() {
        form.lose(&activity.path, "is no message with a text");
        return;
    }
    let from = activity.at("from");
    let (role, name) = (from.at("role"), from.at("name").peek().map(str::to_owned));
    let by = match role.peek() {
        Some(role) => chat::party(role, name),
        // Older transcripts have no roles; what answers something is the bot.
        None if activity.at("replyToId").is_there() => Some(Party::Bot { name }),
        None => Some(Party::Customer),
    };
    let Some(by) = by else {
        form.lose(&activity.path, "comes from a role that is not known");
        return;
    };
    for place in [&activity.at("type"), &role, &from.at("name"), &activity.at("replyToId")] {
        form.take(place);
    }
    let id = form.line(&activity.at("id"), ID_BYTES_MAX);
    let when = activity.at("timestamp");
    // A transcript from elsewhere is not refused for a time that cannot be read.
    let at = when.peek().and_then(|words| Timestamp::parse(words).ok());
    if at.is_some() {
        form.take(&when);
    }
    if let Some(text) = form.text(&text, TURN_CHARS_MAX) {
        let place = id.is_none().then(|| format!("message {number}"));
        heard.events.push(CaptureEvent { id, place, at, what: What::Turn { by, text, public: true } });
    }
}

/// A `handoff.status` activity, as `EventFactory.createHandoffStatus` makes it; what is ours stands in
/// `channelData`.
pub(super) fn accepted(body: &Value, said: Value) -> Value {
    let id = format!("{}-accepted", said_text(&said, "id"));
    status(body, &id, &json!({ "state": "accepted" }), json!({ "handoffd": said }))
}

/// A `handoff.status` activity that says that it failed, and why.
pub(super) fn refused(body: &Value, said: Value) -> Value {
    let message = said.pointer("/error/message").cloned().unwrap_or_default();
    let mut activity = status(
        body,
        "refused",
        &json!({ "state": "failed", "message": message }),
        json!({ "handoffd": said.clone() }),
    );
    activity["error"] = said.get("error").cloned().unwrap_or_default();
    activity
}

fn status(body: &Value, id: &str, value: &Value, ours: Value) -> Value {
    let conversation = body.pointer("/conversation/id").and_then(Value::as_str).map(|id| json!({ "id": id }));
    let mut activity = json!({
        "type": "event", "name": "handoff.status", "id": id, "value": value, "channelData": ours,
        "attachments": [], "entities": [],
    });
    if let Some(conversation) = conversation {
        activity["conversation"] = conversation;
    }
    if let Some(reply) = body.get("id").and_then(Value::as_str) {
        activity["replyToId"] = json!(reply);
    }
    activity
}
