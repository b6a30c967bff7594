//! The chat format of OpenAI as a stream of events.

use sha2::{Digest, Sha256};

use super::{CaptureEvent, CaptureRules, SEEN_MAX, What};
use crate::{
    model::{
        captured::Captured,
        turn::{Outcome, Party, Turn},
    },
    transcript::{ChatMessage, ChatRole},
};

/// The most events that are made of one transcript: all are remembered by their ids, so that the
/// same transcript sent again, with more at its end, adds only what is new.
const EVENTS_MAX: usize = SEEN_MAX - 20;

/// The newest events of a transcript, and the customer's first words. Each names the number of its
/// message, from 1; instructions and roles that are not known are not read.
pub fn events_from(messages: &[ChatMessage]) -> Vec<CaptureEvent> {
    let mut events = all_events(messages);
    let is_first =
        |event: &CaptureEvent| matches!(&event.what, What::Turn { by, .. } if *by == Party::Customer);
    if let Some(too_many) = events.len().checked_sub(EVENTS_MAX).filter(|too_many| *too_many > 0) {
        let first = events.iter().take(too_many).find(|event| is_first(event)).cloned();
        events.drain(..too_many);
        events.splice(..0, first);
    }
    events
}

/// The turns and calls of a whole transcript, however long it is.
pub(crate) fn all_turns(messages: &[ChatMessage], inputs_chars: usize, outcome_chars: usize) -> Vec<Turn> {
    let rules = CaptureRules {
        inputs_chars_max: inputs_chars,
        outcome_chars_max: outcome_chars,
        ..CaptureRules::default()
    };
    let mut whole = Captured::default();
    for event in all_events(messages) {
        super::fold::take(&mut whole, &event, &rules);
    }
    whole.turns
}

/// Every event of a transcript.
fn all_events(messages: &[ChatMessage]) -> Vec<CaptureEvent> {
    let mut events = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        for (part, what) in parts(message).into_iter().enumerate() {
            let place = format!("message {}", at + 1);
            events.push(CaptureEvent {
                id: Some(id(&place, part, &what)),
                place: Some(place),
                at: None,
                what,
            });
        }
    }
    events
}

fn parts(message: &ChatMessage) -> Vec<What> {
    let said = |by| What::Turn { by, text: message.text.clone(), public: true };
    let mut parts = Vec::new();
    match message.role {
        ChatRole::User => parts.push(said(Party::Customer)),
        ChatRole::Assistant => parts.push(said(Party::Bot { name: None })),
        ChatRole::Tool => parts.push(What::ToolResult {
            call_id: message.tool_call_id.clone(),
            name: message.name.clone(),
            outcome: message.text.clone(),
            result: Outcome::Unclear,
        }),
        ChatRole::Other => {}
    }
    parts.retain(|what| !matches!(what, What::Turn { text, .. } if text.trim().is_empty()));
    parts.extend(message.tool_calls.iter().map(|call| What::ToolCall {
        call_id: call.id.clone(),
        name: call.name.clone(),
        inputs: call.inputs(),
    }));
    parts
}

/// Two transcripts of one conversation count from 1 each, so the number alone is no id.
fn id(place: &str, part: usize, what: &What) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update(text.len().to_be_bytes());
        digest.update(text.as_bytes());
    };
    add(what.name());
    match what {
        What::Turn { text, .. } => add(text),
        What::ToolCall { call_id, name, inputs } => {
            [call_id.as_deref().unwrap_or_default(), name, inputs].into_iter().for_each(add);
        }
        What::ToolResult { call_id, outcome, .. } => {
            [call_id.as_deref().unwrap_or_default(), outcome].into_iter().for_each(add);
        }
        What::PageView { .. } | What::Product { .. } | What::State(_) => {}
    }
    format!("{place}.{part} {}", hex::encode(digest.finalize()))
}
