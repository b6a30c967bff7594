//! Transcripts: messages in the chat format of OpenAI, and turns in our own.

use handoffd_core::{
    capture::{CaptureEvent, What, events_from},
    model::turn::{Outcome, Party},
    transcript::{ChatMessage, TranscriptRules, merge_told, told_from},
};

use super::{Heard, ID_BYTES_MAX, MESSAGES_MAX, NAME_CHARS_MAX, NO_HOME, TOOL_CHARS_MAX, TURN_CHARS_MAX};
use crate::http::form::{Form, Place};

/// Reads a transcript in the chat format: its turns and calls become events, what it tells of
/// the handoff is told.
pub(super) fn transcript(heard: &mut Heard, place: &Place<'_>, form: &mut Form, rules: &TranscriptRules) {
    let mut messages = Vec::new();
    for message in form.list(place, MESSAGES_MAX) {
        if !message.is_object() {
            form.take(&message);
            form.wrong(&message.path, "has to be an object with role and content");
            continue;
        }
        note(&message, form);
        form.lose_rest(&message, NO_HOME);
        // Read leniently, as every agent's transcript differs a little; what was not read is told.
        let read = message.value.and_then(|value| serde_json::from_value::<ChatMessage>(value.clone()).ok());
        messages.extend(read);
    }
    heard.events.extend(events_from(&messages));
    heard.told = merge_told(&told_from(&messages, rules), &heard.told);
}

/// Notes what is read of a message, and what is not.
fn note(message: &Place<'_>, form: &mut Form) {
    let role = message.at("role");
    let is_read = matches!(role.peek(), Some("user" | "assistant" | "tool" | "function"));
    if !is_read {
        form.lose(&message.path, "only messages of user, assistant and tool are read");
        return;
    }
    for key in ["role", "tool_call_id", "name"] {
        if !message.at(key).value.is_some_and(serde_json::Value::is_object) {
            form.take(&message.at(key));
        }
    }
    let content = message.at("content");
    let parts = content.entries();
    for part in &parts {
        if part.at("text").peek().is_some() {
            form.take(&part.at("type"));
            note_text(&part.at("text"), form);
        }
    }
    if parts.is_empty() && content.peek().is_some() {
        note_text(&content, form);
    }
    for call in message.at("tool_calls").entries() {
        if call.at("function").at("name").peek().is_some() {
            for place in [call.at("id"), call.at("type"), call.at("index"), call.at("function").at("name")] {
                form.take(&place);
            }
            let arguments = call.at("function").at("arguments");
            form.any(&arguments, TOOL_CHARS_MAX);
        }
    }
}

fn note_text(place: &Place<'_>, form: &mut Form) {
    form.text(place, TURN_CHARS_MAX);
}

/// Who said something, by any of the words that are used for it.
pub(in crate::http) fn party(role: &str, name: Option<String>) -> Option<Party> {
    Some(match role.to_ascii_lowercase().as_str() {
        "customer" | "user" | "visitor" | "end_user" => Party::Customer,
        "bot" | "assistant" | "ai" | "ai_agent" => Party::Bot { name },
        "human" | "agent" | "human_agent" => Party::Human { name, id: None },
        _ => return None,
    })
}

/// Reads one turn in our own form.
pub(in crate::http) fn turn(place: &Place<'_>, form: &mut Form) -> Option<What> {
    let name = form.line(&place.at("name"), NAME_CHARS_MAX);
    let role = place.any(&["by", "role"]);
    let said = form.needed(&role, NAME_CHARS_MAX);
    let by = said.as_deref().and_then(|role| party(role, name));
    if said.is_some() && by.is_none() {
        form.wrong(&role.path, "has to be customer, bot or human");
    }
    let words = place.any(&["text", "content"]);
    let text = form.text(&words, TURN_CHARS_MAX);
    if !words.is_there() {
        form.missing(&words);
    }
    let public = form.flag(&place.at("public")).unwrap_or(true);
    Some(What::Turn { by: by?, text: text.unwrap_or_default(), public })
}

/// Reads a list of turns in our own form.
pub(super) fn turns(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    for (number, entry) in form.list(place, MESSAGES_MAX).into_iter().enumerate() {
        form.object(&entry);
        let id = form.id(&entry.at("id"), ID_BYTES_MAX);
        let at = form.time(&entry.at("at"));
        let place = id.is_none().then(|| format!("turn {}", number + 1));
        if let Some(what) = turn(&entry, form) {
            heard.events.push(CaptureEvent { id, place, at, what });
        }
    }
}

/// Reads a tool call in our own form.
pub(in crate::http) fn tool_call(place: &Place<'_>, form: &mut Form) -> Option<What> {
    let name = form.needed(&place.at("name"), NAME_CHARS_MAX)?;
    let call_id = form.id(&place.at("call_id"), ID_BYTES_MAX);
    let inputs = form.any(&place.any(&["inputs", "arguments"]), TOOL_CHARS_MAX).unwrap_or_default();
    Some(What::ToolCall { call_id, name, inputs })
}

/// Reads a tool's answer in our own form.
pub(in crate::http) fn tool_result(place: &Place<'_>, form: &mut Form) -> Option<What> {
    let name = form.line(&place.at("name"), NAME_CHARS_MAX);
    let call_id = form.id(&place.at("call_id"), ID_BYTES_MAX);
    if name.is_none() && call_id.is_none() {
        form.missing(&place.at("call_id"));
    }
    let outcome = form.any(&place.any(&["outcome", "output"]), TOOL_CHARS_MAX).unwrap_or_default();
    let result = match form.flag(&place.at("ok")) {
        Some(true) => Outcome::Worked,
        Some(false) => Outcome::Failed,
        None => Outcome::Unclear,
    };
    Some(What::ToolResult { call_id, name, outcome, result })
}

/// Reads a page or screen in our own form.
pub(in crate::http) fn page_view(place: &Place<'_>, form: &mut Form) -> Option<What> {
    let (page, screen) = (place.any(&["url", "page"]), place.any(&["screen", "route"]));
    if !page.is_there() && !screen.is_there() {
        form.missing(&page);
    }
    let flags = place.at("flags");
    let flags = form.list(&flags, 50).into_iter().filter_map(|flag| form.line(&flag, NAME_CHARS_MAX));
    let flags = flags.collect();
    // Secrets are taken out of the address where it is folded: it is read whole until then.
    Some(What::PageView {
        page: form.line(&page, TURN_CHARS_MAX),
        screen: form.line(&screen, NAME_CHARS_MAX),
        build: form.line(&place.at("build"), NAME_CHARS_MAX),
        flags,
        error: form.line(&place.at("error"), NAME_CHARS_MAX),
    })
}
