//! A tool call in the chat format of OpenAI: the call alone, an assistant's message, a whole
//! answer of the chat completions API, or `messages` that end in one. The transcript is `messages`.
//! The ticket is named in `metadata` or in the call's arguments: `account` and `ticket_id`, or
//! `conversation_id`.

use handoffd_core::{
    capture::{CaptureEvent, What},
    model::turn::Party,
    transcript::TranscriptRules,
};
use serde_json::{Value, json};

use super::{Heard, NAME_CHARS_MAX, STATED_CHARS_MAX, TURN_CHARS_MAX, WORDS_CHARS_MAX, chat, said_text};
use crate::http::form::{Form, Place};

/// Arguments of a call that hands over, by the statement that they are.
const STATEMENTS: [(&str, &str); 12] = [
    ("category", "category"),
    ("goal", "goal"),
    ("customer_goal", "goal"),
    ("blocker", "blocker"),
    ("severity", "severity"),
    ("product_area", "product_area"),
    ("language", "language"),
    ("channel", "channel"),
    ("customer_name", "name"),
    ("tier", "tier"),
    ("sentiment", "mood"),
    ("open_question", "open_question"),
];

pub(super) fn is_it(body: &Place<'_>) -> bool {
    ["tool_call", "tool_calls", "choices", "messages"].iter().any(|key| body.at(key).is_there())
        || body.at("type").peek() == Some("function_call")
}

pub(super) fn read(body: &Place<'_>, form: &mut Form, rules: &TranscriptRules) -> Heard {
    let mut heard = Heard::default();
    form.object(body);
    chat::transcript(&mut heard, &body.at("messages"), form, rules);
    for choice in body.at("choices").entries() {
        words(&mut heard, &choice.at("message"), form);
    }
    words(&mut heard, body, form);
    heard.name_ticket(&body.at("metadata"), form);
    form.object(&body.at("metadata"));
    match call_of(body, rules) {
        Some(call) => hand_over(&mut heard, &call, form),
        None => form.missing(&body.at("tool_call")),
    }
    heard.tell_turns(rules);
    heard
}

/// What the agent says with its call: the last turn of the conversation.
fn words(heard: &mut Heard, message: &Place<'_>, form: &mut Form) {
    let (role, content) = (message.at("role"), message.at("content"));
    if role.peek() != Some("assistant") {
        return;
    }
    form.take(&role);
    if content.peek().is_some()
        && let Some(text) = form.text(&content, TURN_CHARS_MAX)
    {
        let what = What::Turn { by: Party::Bot { name: None }, text, public: true };
        heard.events.push(CaptureEvent { id: None, place: Some(content.path), at: None, what });
    }
}

/// The call that hands over: its id and function. The last wins, as it came last.
#[derive(Clone)]
struct Call<'a> {
    whole: Place<'a>,
    function: Place<'a>,
}

impl<'a> Call<'a> {
    /// In `function`, as the chat completions API has it; else flat, as the responses API has it.
    fn of(whole: Place<'a>) -> Self {
        let function = whole.at("function");
        Self { function: if function.is_object() { function } else { whole.clone() }, whole }
    }

    fn id(&self) -> Place<'a> {
        self.whole.any(&["id", "call_id"])
    }

    fn hands_over(&self, rules: &TranscriptRules) -> bool {
        let name = self.function.at("name").peek().unwrap_or_default();
        name.starts_with("request_human")
            || rules.transfer_prefixes.iter().any(|start| name.starts_with(start))
    }
}

/// A call that is sent alone hands over whatever its name; of several one has to have the name.
fn call_of<'a>(body: &Place<'a>, rules: &TranscriptRules) -> Option<Call<'a>> {
    let alone = body.at("tool_call");
    if alone.is_object() {
        return Some(Call::of(alone));
    }
    if body.at("type").peek() == Some("function_call") {
        return Some(Call::of(body.clone()));
    }
    let choices = body.at("choices").entries();
    let messages = body.at("messages").entries();
    let mut lists: Vec<Place<'a>> = messages.iter().map(|message| message.at("tool_calls")).collect();
    lists.extend(choices.iter().map(|choice| choice.at("message").at("tool_calls")));
    lists.push(body.at("tool_calls"));
    lists.iter().flat_map(Place::entries).map(Call::of).rfind(|call| call.hands_over(rules))
}

fn hand_over(heard: &mut Heard, call: &Call<'_>, form: &mut Form) {
    form.needed(&call.function.at("name"), NAME_CHARS_MAX);
    form.line(&call.id(), NAME_CHARS_MAX);
    form.line(&call.whole.at("type"), NAME_CHARS_MAX);
    let arguments = call.function.at("arguments");
    // Arguments are JSON in a text; some agents send the object itself.
    let parsed = arguments.peek().map(serde_json::from_str::<Value>);
    match (&parsed, arguments.value) {
        (Some(Ok(value)), _) if value.is_object() => {
            form.take(&arguments);
            within(heard, &Place { value: Some(value), path: arguments.path.clone() }, form);
        }
        (None, Some(_)) if arguments.is_object() => within(heard, &arguments, form),
        (Some(_), _) | (None, Some(_)) => {
            form.take(&arguments);
            form.wrong(&arguments.path, "has to be an object, or a text that is one in JSON");
        }
        (None, None) => {}
    }
}

/// What the arguments of the call say.
fn within(heard: &mut Heard, arguments: &Place<'_>, form: &mut Form) {
    heard.told.reason = form.line(&arguments.at("reason"), WORDS_CHARS_MAX).or(heard.told.reason.take());
    let summary = arguments.any(&["summary", "conversation_summary"]);
    heard.told.summary = form.line(&summary, WORDS_CHARS_MAX).or(heard.told.summary.take());
    let email = arguments.any(&["customer_email", "email"]);
    heard.told.customer_email = form.line(&email, 254).or(heard.told.customer_email.take());
    heard.wanted.queue = form.line(&arguments.any(&["queue", "department", "team"]), NAME_CHARS_MAX);
    heard.wanted.agent = form.line(&arguments.at("agent"), 254);
    heard.wanted.priority = form.line(&arguments.any(&["priority", "urgency"]), NAME_CHARS_MAX);
    for (key, name) in STATEMENTS {
        let place = arguments.at(key);
        let value = form.line(&place, STATED_CHARS_MAX);
        heard.state(name, &place.path, value);
    }
    heard.name_ticket(arguments, form);
    others(heard, arguments, form);
}

/// Arguments that we do not know are statements under their own names, where they are words.
fn others(heard: &mut Heard, arguments: &Place<'_>, form: &mut Form) {
    let known = ["account", "ticket_id", "conversation_id"];
    for (key, place) in arguments.fields() {
        let is_plain =
            place.value.is_some_and(|value| value.is_string() || value.is_number() || value.is_boolean());
        if form.has_taken(&place) || known.contains(&key) {
            continue;
        }
        if !is_plain || heard.events.len() > 5_000 {
            form.lose(&place.path, super::NO_HOME);
            continue;
        }
        let value = form.line(&place, STATED_CHARS_MAX);
        let what = What::State([(key.to_owned(), value.unwrap_or_default())].into());
        heard.events.push(CaptureEvent { id: None, place: Some(place.path.clone()), at: None, what });
    }
}

/// The answer has the tool's message, ready to be added to the transcript.
pub(super) fn accepted(body: &Value, mut said: Value, rules: &TranscriptRules) -> Value {
    let id = call_of(&Place::root(body), rules).and_then(|call| call.id().peek().map(str::to_owned));
    if let Some(id) = id {
        let content = json!({ "id": said_text(&said, "id"), "state": said_text(&said, "state") }).to_string();
        said["message"] = json!({ "role": "tool", "tool_call_id": id, "content": content });
    }
    said
}
