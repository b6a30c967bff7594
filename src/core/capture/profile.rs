//! Who the customer is, where a tool of the AI agent looked them up.
//!
//! A tool may answer with anybody. It is believed only where it was asked by something that the
//! customer had said themselves.

use crate::{
    briefing::{one_line, shortened},
    model::{
        captured::{Captured, StatedByAgent},
        turn::{Party, Turn},
    },
    transcript::{is_email, json::Json},
};

/// Words in the name of a tool that looks up a person.
const WHO: [&str; 8] = ["account", "caller", "client", "contact", "customer", "member", "profile", "user"];

/// Words in the name of a tool that changes something, so that its answer proves nobody.
const DOES: [&str; 8] = ["add", "cancel", "create", "delete", "list", "search", "send", "update"];

/// The shortest input that names somebody, in characters.
const KEY_CHARS_MIN: usize = 4;

/// Takes name, address and tier from the answer of the call at this place.
pub(super) fn learn(captured: &mut Captured, at: usize, answer: &str) {
    let Some(turn) = captured.turns.get(at).cloned() else { return };
    let Some(call) = &turn.call else { return };
    let tool = crate::transcript::json::words(&call.name).to_lowercase();
    let looks_up = tool.split(' ').any(|word| WHO.contains(&word.trim_end_matches('s')))
        && !tool.split(' ').any(|word| DOES.contains(&word));
    if !looks_up || !customer_said(captured, &turn, &call.inputs) {
        return;
    }
    let answer = Json::read(answer.trim());
    let found = [("name", name(&answer)), ("email", email(&answer)), ("tier", tier(&answer))];
    for (key, value) in found {
        let value = value.map(|value| shortened(&one_line(&value), 120)).filter(|value| !value.is_empty());
        if let Some(value) = value
            && !captured.stated.contains_key(key)
        {
            captured.stated.insert(key.to_owned(), StatedByAgent { value, proof: turn.proof.clone() });
        }
    }
}

/// Whether one of the inputs is in the customer's own words, before the call.
fn customer_said(captured: &Captured, call: &Turn, inputs: &str) -> bool {
    let earlier = captured.turns.iter().take_while(|turn| turn.proof != call.proof);
    let said: Vec<String> = earlier
        .chain(&captured.first)
        .filter(|turn| turn.by == Party::Customer)
        .map(|turn| turn.text.to_lowercase())
        .collect();
    let values = inputs.split(", ").filter_map(|input| input.split_once(": ")).map(|(_, value)| value.trim());
    values
        .filter(|value| value.chars().count() >= KEY_CHARS_MIN && !value.ends_with('…'))
        .any(|value| said.iter().any(|text| holds(text, &value.to_lowercase())))
}

/// Whether a text holds a value as a whole word.
fn holds(text: &str, value: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(value).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(part) && !text[at + value.len()..].starts_with(part)
    })
}

fn texts(json: &Json, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| json.get(key).text()).map(str::to_owned)
}

fn name(answer: &Json) -> Option<String> {
    let parts = |json: &Json| {
        let first = texts(json, &["first_name", "firstName", "given_name"])?;
        let last = texts(json, &["last_name", "lastName", "family_name"]).unwrap_or_default();
        Some(format!("{first} {last}"))
    };
    texts(answer, &["name", "full_name", "fullName"])
        .or_else(|| parts(answer.get("name")))
        .or_else(|| parts(answer))
}

fn email(answer: &Json) -> Option<String> {
    texts(answer, &["email", "email_address", "mail"]).filter(|email| is_email(email.trim()))
}

fn tier(answer: &Json) -> Option<String> {
    texts(answer, &["tier", "plan", "membership", "membership_level", "subscription"])
}
