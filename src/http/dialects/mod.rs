//! The forms in which AI agents hand over: each is recognised by its shape and read into one
//! intake. One file a dialect, all alike: `is_it`, `read`, and what is special in the answer.
//!
//! A ticket is named by `account` and `ticket_id`, or by a `conversation_id` that was bound to
//! one before; where they stand is each dialect's own.

mod bot_framework;
mod botpress;
mod chat;
mod native;
mod openai;
#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeMap;

use handoffd_core::{
    HandoffKind, Told,
    capture::{CaptureEvent, What},
    model::turn::Party,
    transcript::{ChatMessage, TranscriptRules, told_from},
};
use serde_json::{Value, json};

use super::form::{Form, Place};
use crate::store::tables::Wanted;

pub(super) use chat::{page_view, tool_call, tool_result, turn};

/// The longest id of a conversation, an account or a ticket, in bytes.
pub(super) const ID_BYTES_MAX: usize = 200;
/// The longest words of the agent's own that are kept, in characters.
pub(super) const WORDS_CHARS_MAX: usize = 600;
/// The longest statement that is hardly more than a name, in characters.
pub(super) const NAME_CHARS_MAX: usize = 120;
/// The longest statement of the agent's own about the conversation, in characters.
pub(super) const STATED_CHARS_MAX: usize = 300;
/// The longest text of one message, in characters.
pub(super) const TURN_CHARS_MAX: usize = 1_000;
/// The longest inputs or outcome of a tool that are read, in characters.
pub(super) const TOOL_CHARS_MAX: usize = 4_000;
/// The most messages of a transcript that are read: the newest.
pub(super) const MESSAGES_MAX: usize = 1_000;
/// The most attempts that may be named outright.
pub(super) const ATTEMPTS_MAX: usize = 100;

/// Why a value of a dialect is not kept.
const NO_HOME: &str = "has no home in a handoff";

/// A form in which an AI agent hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Our own.
    Native,
    /// A `handoff.initiate` event of the Bot Framework.
    BotFramework,
    /// The input of Botpress' `startHitl`.
    Botpress,
    /// A tool call in the chat format of OpenAI.
    OpenAi,
}

impl Dialect {
    /// Each with its name in `?dialect=`.
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("native", Self::Native),
        ("bot_framework", Self::BotFramework),
        ("botpress", Self::Botpress),
        ("openai", Self::OpenAi),
    ];

    /// The one of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, dialect)| *dialect)
    }

    /// The one whose shape this is; what no other knows is our own.
    pub(super) fn of(body: &Place<'_>) -> Self {
        match body {
            body if bot_framework::is_it(body) => Self::BotFramework,
            body if native::is_it(body) => Self::Native,
            body if openai::is_it(body) => Self::OpenAi,
            body if botpress::is_it(body) => Self::Botpress,
            _ => Self::Native,
        }
    }

    /// Reads a body, noting in the form what is wrong and what found no home.
    pub(super) fn read(self, body: &Place<'_>, form: &mut Form, rules: &TranscriptRules) -> Heard {
        let heard = match self {
            Self::Native => native::read(body, form, rules),
            Self::BotFramework => bot_framework::read(body, form, rules),
            Self::Botpress => botpress::read(body, form, rules),
            Self::OpenAi => openai::read(body, form, rules),
        };
        match self {
            Self::Native => form.refuse_rest(body),
            Self::BotFramework | Self::Botpress | Self::OpenAi => form.lose_rest(body, NO_HOME),
        }
        heard
    }

    /// Where this dialect names the ticket, for whoever named none.
    pub(super) fn ticket_places(self) -> &'static [&'static str] {
        match self {
            Self::Native => &["conversation.account", "conversation.ticket_id"],
            Self::BotFramework => &["channelData.account", "channelData.ticket_id"],
            Self::Botpress | Self::OpenAi => &["metadata.account", "metadata.ticket_id"],
        }
    }

    /// Where this dialect names the conversation.
    pub(super) fn conversation_place(self) -> &'static str {
        match self {
            Self::Native | Self::BotFramework => "conversation.id",
            Self::Botpress => "conversationId",
            Self::OpenAi => "metadata.conversation_id",
        }
    }

    /// Where this dialect has the conversation so far.
    pub(super) fn transcript_place(self) -> &'static str {
        match self {
            Self::Native => "transcript",
            Self::BotFramework => "attachments",
            Self::Botpress => "messageHistory",
            Self::OpenAi => "messages",
        }
    }

    /// The answer to a handoff that was taken, in the dialect's own form, with what every answer says.
    pub(super) fn accepted(self, body: &Value, said: Value, rules: &TranscriptRules) -> Value {
        match self {
            Self::Native => said,
            Self::BotFramework => bot_framework::accepted(body, said),
            Self::Botpress => botpress::accepted(said),
            Self::OpenAi => openai::accepted(body, said, rules),
        }
    }

    /// The answer to a handoff that was refused.
    pub(super) fn refused(self, body: &Value, said: Value) -> Value {
        match self {
            Self::BotFramework => bot_framework::refused(body, said),
            Self::Native | Self::Botpress | Self::OpenAi => said,
        }
    }
}

/// What a body says, whatever its dialect.
#[derive(Default)]
pub(super) struct Heard {
    /// The AI agent's own id of the conversation.
    pub(super) conversation: Option<String>,
    /// The helpdesk account.
    pub(super) account: Option<String>,
    /// The ticket there.
    pub(super) ticket_id: Option<String>,
    /// What it says of the handoff.
    pub(super) told: Told,
    /// Between whom it is, where it says so.
    pub(super) kind: Option<HandoffKind>,
    /// Where it asks that the conversation go.
    pub(super) wanted: Wanted,
    /// The conversation so far, and what is stated of it.
    pub(super) events: Vec<CaptureEvent>,
}

impl Heard {
    /// Keeps a statement with the path at which it stands.
    fn state(&mut self, name: &str, path: &str, value: Option<String>) {
        if let Some(value) = value {
            let what = What::State(BTreeMap::from([(name.to_owned(), value)]));
            self.events.push(CaptureEvent { id: None, place: Some(path.to_owned()), at: None, what });
        }
    }

    /// Keeps a short statement of one field.
    fn state_from(&mut self, name: &str, place: &Place<'_>, form: &mut Form) {
        let value = form.line(place, NAME_CHARS_MAX);
        self.state(name, &place.path, value);
    }

    /// The fields that name a ticket, or a conversation that is bound to one.
    fn name_ticket(&mut self, place: &Place<'_>, form: &mut Form) {
        let (account, ticket) = (place.at("account"), place.at("ticket_id"));
        self.account = form.id(&account, ID_BYTES_MAX).or(self.account.take());
        self.ticket_id = form.id(&ticket, ID_BYTES_MAX).or(self.ticket_id.take());
        self.name_conversation(&place.at("conversation_id"), form);
    }

    fn name_conversation(&mut self, place: &Place<'_>, form: &mut Form) {
        self.conversation = form.id(place, ID_BYTES_MAX).or(self.conversation.take());
    }

    /// What the customer said first, for a transcript that was not in the chat format.
    fn tell_turns(&mut self, rules: &TranscriptRules) {
        let message = |event: &CaptureEvent| match &event.what {
            What::Turn { by, text, .. } => {
                let role = if *by == Party::Customer { "user" } else { "assistant" };
                serde_json::from_value::<ChatMessage>(json!({ "role": role, "content": text })).ok()
            }
            _ => None,
        };
        let messages: Vec<ChatMessage> = self.events.iter().filter_map(message).collect();
        let told = told_from(&messages, rules);
        self.told.customer_wants = self.told.customer_wants.take().or(told.customer_wants);
        self.told.customer_email = self.told.customer_email.take().or(told.customer_email);
    }
}

/// What every answer says of a handoff that was taken, from the dialect's point of view.
fn said_text(said: &Value, key: &str) -> String {
    said.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
