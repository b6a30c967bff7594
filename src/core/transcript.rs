//! The transcript of an AI agent, in the chat format of OpenAI, and what it
//! tells about a handoff.
//!
//! Lenient: a field that is missing, null or of another type counts as empty.
//! Only a message that is no JSON object is refused.

mod json;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Deserializer};

use crate::{
    briefing::{one_line, shortened},
    model::handoff::{Attempt, Told},
};
use json::Json;
pub(crate) use json::words as spaced;

/// The most attempts that are kept of a handoff: the newest ones.
pub const ATTEMPTS_MAX: usize = 16;

/// Who wrote a message of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatRole {
    /// The customer.
    User,
    /// The AI agent.
    Assistant,
    /// The answer of a tool.
    Tool,
    /// Instructions, or a role that is not known: not read.
    Other,
}

/// One message of a transcript.
#[derive(Clone)]
pub struct ChatMessage {
    /// Who wrote it.
    pub role: ChatRole,
    /// The text; the text parts joined where it came in parts.
    pub text: String,
    /// Tools that the AI agent calls.
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool's answer belongs to. Real agents use one id several times.
    pub tool_call_id: Option<String>,
    /// The tool's name on its answer.
    pub name: Option<String>,
}

/// A call of a tool.
#[derive(Clone)]
pub struct ToolCall {
    /// Its id in the transcript.
    pub id: Option<String>,
    /// The tool.
    pub name: String,
    arguments: Json,
}

impl fmt::Debug for ChatMessage {
    /// What was said never reaches a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.tool_calls.len();
        write!(out, "ChatMessage({:?}, {} bytes, {calls} tool calls)", self.role, self.text.len())
    }
}

impl<'de> Deserialize<'de> for ChatMessage {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let message = Json::deserialize(input)?;
        if !matches!(message, Json::Map(_)) {
            return Err(serde::de::Error::custom("a message is an object with role and content"));
        }
        Ok(Self {
            role: match message.get("role").text() {
                Some("user") => ChatRole::User,
                Some("assistant") => ChatRole::Assistant,
                Some("tool" | "function") => ChatRole::Tool,
                _ => ChatRole::Other,
            },
            text: content_text(message.get("content")),
            tool_calls: message.get("tool_calls").items().iter().filter_map(ToolCall::read).collect(),
            tool_call_id: message.get("tool_call_id").text().map(str::to_owned),
            name: message.get("name").text().map(str::to_owned),
        })
    }
}

impl ToolCall {
    /// A call without a function's name is none. Arguments are JSON in a
    /// string; some agents send the object itself.
    fn read(call: &Json) -> Option<Self> {
        let function = call.get("function");
        let arguments = function.get("arguments");
        Some(Self {
            id: call.get("id").text().map(str::to_owned),
            name: function.get("name").text()?.to_owned(),
            arguments: arguments.text().map_or_else(|| arguments.clone(), Json::read),
        })
    }
}

fn content_text(content: &Json) -> String {
    match content {
        Json::Text(text) => text.clone(),
        Json::List(parts) => {
            parts.iter().filter_map(|part| part.get("text").text()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// What counts in a transcript, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptRules {
    /// Tools whose name begins so hand the conversation over: no attempts, but
    /// their `reason` and `summary` are the AI agent's own words.
    pub transfer_prefixes: Vec<String>,
    /// Tools that do nothing outside the AI agent's head: no attempts.
    pub inner_tools: BTreeSet<String>,
    /// How many attempts are kept, the newest; at most [`ATTEMPTS_MAX`].
    pub attempts_max: usize,
    /// The longest digest of an attempt's inputs, in characters.
    pub inputs_chars_max: usize,
    /// The longest outcome, in characters.
    pub outcome_chars_max: usize,
    /// The longest statement of what the customer wants, in characters.
    pub wants_chars_max: usize,
    /// The longest reason or summary, in characters.
    pub words_chars_max: usize,
}

impl Default for TranscriptRules {
    fn default() -> Self {
        Self {
            transfer_prefixes: vec!["transfer".to_owned()],
            inner_tools: BTreeSet::from(["think".to_owned()]),
            attempts_max: ATTEMPTS_MAX,
            inputs_chars_max: 120,
            outcome_chars_max: 160,
            wants_chars_max: 200,
            words_chars_max: 800,
        }
    }
}

/// What a transcript tells about a handoff.
///
/// The customer's address is taken from the customer's own messages only: a
/// tool may answer with somebody else's.
pub fn told_from(messages: &[ChatMessage], rules: &TranscriptRules) -> Told {
    let users = || messages.iter().filter(|message| message.role == ChatRole::User);
    let first_words = users().map(|message| one_line(&message.text)).find(|text| !text.is_empty());
    let mut told = Told {
        customer_wants: first_words.map(|text| shortened(&text, rules.wants_chars_max)),
        customer_email: users().find_map(|message| first_email(&message.text)),
        attempts: attempts_in(messages, rules),
        ..Told::default()
    };
    for call in messages.iter().flat_map(|message| &message.tool_calls) {
        if rules.is_transfer(&call.name) {
            let words = |key| argument_text(&call.arguments, key, rules.words_chars_max);
            told.reason = words("reason").or(told.reason);
            told.summary = words("summary").or(told.summary);
        }
    }
    bound_attempts(&mut told, rules.attempts_max);
    told
}

impl TranscriptRules {
    fn is_transfer(&self, tool: &str) -> bool {
        self.transfer_prefixes.iter().any(|prefix| tool.starts_with(prefix.as_str()))
    }

    fn is_attempt(&self, tool: &str) -> bool {
        !self.is_transfer(tool) && !self.inner_tools.contains(tool)
    }
}

/// A call that has no answer yet; `at` is its place among the attempts, none
/// for a tool that is no attempt.
struct Waiting<'a> {
    call: &'a ToolCall,
    at: Option<usize>,
}

/// Every attempt, each with its answer. An answer belongs to the oldest call
/// with its id that has none yet; without an id, to the oldest of its name.
fn attempts_in(messages: &[ChatMessage], rules: &TranscriptRules) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut waiting: Vec<Waiting<'_>> = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        for call in &message.tool_calls {
            let counts = rules.is_attempt(&call.name);
            waiting.push(Waiting { call, at: counts.then_some(attempts.len()) });
            if counts {
                attempts.push(attempt(call, number + 1, rules));
            }
        }
        if message.role == ChatRole::Tool
            && let Some(found) = waiting.iter().position(|open| answers(message, open.call))
            && let Some(attempt) = waiting.remove(found).at.and_then(|at| attempts.get_mut(at))
        {
            let (outcome, failed) = outcome_of(&message.text);
            attempt.outcome = shortened(&outcome, rules.outcome_chars_max);
            attempt.failed = failed;
        }
    }
    attempts
}

fn answers(message: &ChatMessage, call: &ToolCall) -> bool {
    match (&message.tool_call_id, &message.name) {
        (Some(id), _) => call.id.as_ref() == Some(id),
        (None, Some(name)) => call.name == *name,
        (None, None) => true,
    }
}

fn attempt(call: &ToolCall, number: usize, rules: &TranscriptRules) -> Attempt {
    let id = call.id.as_deref().map(|id| format!(", {}", shortened(&one_line(id), 60)));
    Attempt {
        action: shortened(&json::words(&call.name), 60),
        inputs: shortened(&call.arguments.flat(), rules.inputs_chars_max),
        outcome: String::new(),
        failed: false,
        evidence: format!("message {number}{}", id.unwrap_or_default()),
    }
}

/// What a tool answered, on one line, and whether it says that it failed: text
/// that begins with "Error", an `error` that is not empty, or `success` or `ok` that is false.
fn outcome_of(answer: &str) -> (String, bool) {
    let answer = answer.trim();
    let json = Json::read(answer);
    match &json {
        Json::Text(text) => {
            let line = text.lines().map(one_line).find(|line| !line.is_empty()).unwrap_or_default();
            let failed = line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
            (line, failed)
        }
        json => {
            let errors = ["error", "errors"].iter().any(|key| !json.get(key).is_empty());
            let denied = ["success", "ok"].iter().any(|key| matches!(json.get(key), Json::Bool(false)));
            (json.flat(), errors || denied)
        }
    }
}

fn argument_text(arguments: &Json, key: &str, chars_max: usize) -> Option<String> {
    let words = arguments.get(key).text().map(one_line).filter(|words| !words.is_empty())?;
    Some(shortened(&words, chars_max))
}

/// The first e-mail address in a text.
fn first_email(text: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || "<>()[]{}\"',;:|".contains(c))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '+'))
        .find(|word| is_email(word))
        .map(str::to_owned)
}

fn is_email(word: &str) -> bool {
    let Some((local, domain)) = word.split_once('@') else { return false };
    let labels_fit = domain
        .split('.')
        .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
    !local.is_empty() && word.len() <= 254 && domain.contains('.') && labels_fit
}

/// Keeps the newest attempts and counts the others.
fn bound_attempts(told: &mut Told, attempts_max: usize) {
    let too_many = told.attempts.len().saturating_sub(attempts_max.min(ATTEMPTS_MAX));
    told.attempts.drain(..too_many);
    told.attempts_left_out =
        told.attempts_left_out.saturating_add(u32::try_from(too_many).unwrap_or(u32::MAX));
}

/// What was told of one handoff twice: the newer words win, attempts are kept
/// once each. A repeat changes nothing.
pub fn merge_told(known: &Told, newer: &Told) -> Told {
    let pick = |newer: &Option<String>, known: &Option<String>| newer.clone().or_else(|| known.clone());
    let mut merged = Told {
        reason: pick(&newer.reason, &known.reason),
        summary: pick(&newer.summary, &known.summary),
        customer_wants: pick(&newer.customer_wants, &known.customer_wants),
        customer_email: pick(&newer.customer_email, &known.customer_email),
        attempts: known.attempts.clone(),
        attempts_left_out: known.attempts_left_out.max(newer.attempts_left_out),
    };
    for attempt in &newer.attempts {
        let same = |other: &Attempt| other.evidence == attempt.evidence && other.action == attempt.action;
        match merged.attempts.iter_mut().find(|other| same(other)) {
            Some(other) => *other = attempt.clone(),
            None => merged.attempts.push(attempt.clone()),
        }
    }
    bound_attempts(&mut merged, ATTEMPTS_MAX);
    merged
}
