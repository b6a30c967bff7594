//! The input of Botpress' `startHitl`, alone or as `input` of an action: `title`, `description`,
//! `userId`, `messageHistory` with `source`, `type` and `payload` each
//! (<https://github.com/botpress/botpress>, `interfaces/hitl`). The ticket is named in `metadata` or
//! in `hitlSession`: `account` and `ticket_id`; or by `conversationId`.

use handoffd_core::{
    capture::{CaptureEvent, What},
    model::turn::Party,
    transcript::TranscriptRules,
};
use serde_json::Value;

use super::{Heard, ID_BYTES_MAX, MESSAGES_MAX, NAME_CHARS_MAX, TURN_CHARS_MAX, WORDS_CHARS_MAX, said_text};
use crate::http::form::{Form, Place};

pub(super) fn is_it(body: &Place<'_>) -> bool {
    let named = [body.at("type"), body.at("action")].iter().any(|name| name.peek() == Some("startHitl"));
    let input = input_of(body);
    let other = ["userId", "messageHistory", "description", "hitlSession"];
    named || (input.at("title").is_there() && other.iter().any(|key| input.at(key).is_there()))
}

fn input_of<'a>(body: &Place<'a>) -> Place<'a> {
    let inner = body.any(&["input", "payload"]);
    if inner.is_object() { inner } else { body.clone() }
}

pub(super) fn read(body: &Place<'_>, form: &mut Form, rules: &TranscriptRules) -> Heard {
    let mut heard = Heard::default();
    form.object(body);
    for key in ["type", "action"] {
        form.line(&body.at(key), NAME_CHARS_MAX);
    }
    let input = input_of(body);
    heard.told.reason = form.needed(&input.at("title"), WORDS_CHARS_MAX);
    heard.told.summary = form.line(&input.at("description"), WORDS_CHARS_MAX);
    heard.told.customer_email = form.line(&input.at("userEmail"), 254);
    let user = input.at("userId").peek().map(str::to_owned);
    form.id(&input.at("userId"), ID_BYTES_MAX);
    for (number, message) in form.list(&input.at("messageHistory"), MESSAGES_MAX).into_iter().enumerate() {
        said(&mut heard, number + 1, &message, user.as_deref(), form);
    }
    heard.name_conversation(&input.at("conversationId"), form);
    for place in [input.at("hitlSession"), input.at("metadata"), body.at("metadata")] {
        form.object(&place);
        heard.name_ticket(&place, form);
        heard.wanted.queue = form.line(&place.at("queue"), NAME_CHARS_MAX).or(heard.wanted.queue.take());
        heard.wanted.priority =
            form.line(&place.at("priority"), NAME_CHARS_MAX).or(heard.wanted.priority.take());
    }
    heard.tell_turns(rules);
    heard
}

/// One message of the history; what is no text is told as lost.
fn said(heard: &mut Heard, number: usize, message: &Place<'_>, user: Option<&str>, form: &mut Form) {
    let source = message.at("source");
    let by = match source.at("type").peek() {
        Some("user") => Party::Customer,
        Some("bot") => Party::Bot { name: None },
        _ => {
            form.lose(&message.path, "comes from neither a user nor the bot");
            return;
        }
    };
    let payload = message.at("payload");
    let text = payload.any(&["text", "markdown"]);
    if text.peek().is_none() {
        form.lose(&message.path, "has no text");
        return;
    }
    form.take(&source.at("type"));
    if source.at("userId").peek() == user {
        form.take(&source.at("userId"));
    }
    if matches!(message.at("type").peek(), Some("text" | "markdown")) {
        form.take(&message.at("type"));
    }
    if let Some(text) = form.text(&text, TURN_CHARS_MAX) {
        let what = What::Turn { by, text, public: true };
        heard.events.push(CaptureEvent {
            id: None,
            place: Some(format!("message {number}")),
            at: None,
            what,
        });
    }
}

/// The output of the action is a `conversationId`: the handoff's.
pub(super) fn accepted(mut said: Value) -> Value {
    said["conversationId"] = Value::String(said_text(&said, "id"));
    said
}
