//! One event into the whole.

use super::{CaptureEvent, CaptureRules, What, behaviour, page, profile};
use crate::{
    briefing::{one_line, shortened},
    model::{
        captured::{Captured, PageSeen, StatedByAgent},
        turn::{Outcome, Party, Proof, ToolUse, Turn},
    },
    transcript::{json::Json, outcome_of},
};

/// How many pages are kept.
const PAGES_MAX: usize = 20;

/// How many statements of an AI agent are kept.
const STATED_MAX: usize = 24;

/// The longest statement, in characters.
const STATED_CHARS_MAX: usize = 300;

/// The longest words of a page, in characters.
const PAGE_WORDS_MAX: usize = 160;

/// Statements that a package reads; others make room for them.
pub(super) const KNOWN: [&str; 17] = [
    "area",
    "blocker",
    "category",
    "channel",
    "commitments",
    "email",
    "goal",
    "language",
    "mood",
    "name",
    "open_question",
    "page",
    "product_area",
    "reason",
    "severity",
    "summary",
    "tier",
];

/// What an event came to.
pub(super) enum Folded {
    /// There is nothing in it.
    Nothing,
    /// It is the turn at this place.
    Turn(usize),
    /// It changed something else.
    Other,
}

pub(super) fn take(captured: &mut Captured, event: &CaptureEvent, rules: &CaptureRules) -> Folded {
    match &event.what {
        What::Turn { by, text, public } => said(captured, event, (by, text, *public), rules),
        What::ToolCall { call_id, name, inputs } => {
            called(captured, event, (call_id.as_deref(), name, inputs), rules)
        }
        What::ToolResult { call_id, name, outcome, result } => {
            let key = (call_id.as_deref(), name.as_deref());
            answered(captured, event, key, (outcome, *result), rules)
        }
        What::PageView { .. } => seen(captured, event, rules),
        What::Product { .. } => behaviour::take(captured, event, rules),
        What::State(statements) => stated(captured, event, statements),
    }
}

/// Where an event can be checked: its place, else its id, else its number among those of its kind.
pub(super) fn place(captured: &Captured, event: &CaptureEvent) -> String {
    let named = event.place.as_deref().or(event.id.as_deref()).map(|name| shortened(&one_line(name), 80));
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let turns = u64::from(captured.turns_left_out).saturating_add(captured.turns.len() as u64);
        match &event.what {
            What::PageView { .. } => format!("page view {}", captured.pages.len() + 1),
            What::Product { .. } => format!("product event {}", captured.behaviour.events.saturating_add(1)),
            What::State(_) => format!("statement after turn {turns}"),
            _ => format!("turn {}", turns.saturating_add(1)),
        }
    })
}

/// A text of several lines without what hides or is no text.
fn clean(text: &str, chars_max: usize) -> String {
    let lines = text.lines().map(one_line).collect::<Vec<_>>().join("\n");
    shortened(lines.trim(), chars_max)
}

fn said(
    captured: &mut Captured,
    event: &CaptureEvent,
    (by, text, public): (&Party, &str, bool),
    rules: &CaptureRules,
) -> Folded {
    let text = clean(text, rules.turn_chars_max);
    if text.is_empty() {
        return Folded::Nothing;
    }
    let proof = Proof::Event { id: place(captured, event), at: event.at };
    let by = match by {
        Party::Bot { name: None } => Party::Bot { name: rules.agent.clone() },
        by => by.clone(),
    };
    let turn = Turn { proof, by, at: event.at, public, text, call: None };
    let is_first = turn.by == Party::Customer && comes_first(captured.first.as_ref(), &turn);
    if is_first {
        captured.first = Some(turn.clone());
    }
    Folded::Turn(insert(captured, turn))
}

/// Whether a turn comes before the customer's first one so far.
fn comes_first(first: Option<&Turn>, turn: &Turn) -> bool {
    match first {
        None => true,
        Some(first) => matches!((turn.at, first.at), (Some(new), Some(old)) if new < old),
    }
}

/// Puts a turn where its time belongs; behind all others where it has none.
fn insert(captured: &mut Captured, turn: Turn) -> usize {
    let is_later = |other: &&Turn| matches!((other.at, turn.at), (Some(other), Some(at)) if other > at);
    let later = captured.turns.iter().rev().take_while(is_later).count();
    let at = captured.turns.len() - later;
    captured.turns.insert(at, turn);
    at
}

/// The form in which a call's id stands in a proof: `message 3, call_7`.
fn call_key(id: &str) -> String {
    shortened(&one_line(id).replace(", ", " "), 60)
}

/// What marks the answer of a call that is not here.
const ALONE: &str = "answer to ";

/// Whether a turn is the answer of a call that never came.
pub(crate) fn is_result_alone(turn: &Turn) -> bool {
    matches!(&turn.proof, Proof::Event { id, .. } if id.rsplit(", ").next().is_some_and(|last| last.starts_with(ALONE)))
}

fn key_of(turn: &Turn) -> Option<&str> {
    match &turn.proof {
        Proof::Event { id, .. } => id.rsplit_once(", ").map_or(Some(id.as_str()), |(_, key)| Some(key)),
        _ => None,
    }
}

fn called(
    captured: &mut Captured,
    event: &CaptureEvent,
    (call_id, name, inputs): (Option<&str>, &str, &str),
    rules: &CaptureRules,
) -> Folded {
    let name = shortened(&one_line(name), 80);
    if name.is_empty() {
        return Folded::Nothing;
    }
    let inputs = match inputs.trim() {
        "" => String::new(),
        inputs => shortened(&one_line(&Json::read(inputs).flat()), rules.inputs_chars_max),
    };
    let key = call_id.map(call_key).filter(|key| !key.is_empty());
    let place = place(captured, event);
    let id = key.as_ref().map_or_else(|| place.clone(), |key| format!("{place}, {key}"));
    let proof = Proof::Event { id, at: event.at };
    let mut call = ToolUse { name, inputs, outcome: String::new(), result: Outcome::Unclear };
    // Its answer may have come before it.
    if let Some(at) = key.as_ref().and_then(|key| alone(captured, key, &call.name)) {
        let answer = captured.turns.remove(at).call;
        if let Some(answer) = answer {
            call = ToolUse { outcome: answer.outcome, result: answer.result, ..call };
        }
    }
    let by = Party::Bot { name: rules.agent.clone() };
    let turn = Turn { proof, by, at: event.at, public: false, text: String::new(), call: Some(call) };
    Folded::Turn(insert(captured, turn))
}

/// The oldest answer that waits for a call with this id.
fn alone(captured: &Captured, key: &str, name: &str) -> Option<usize> {
    captured.turns.iter().position(|turn| {
        let named = turn.call.as_ref().is_some_and(|call| call.name.is_empty() || call.name == name);
        named && is_result_alone(turn) && key_of(turn).and_then(|last| last.strip_prefix(ALONE)) == Some(key)
    })
}

/// An answer belongs to the oldest call with its id that has none yet; without an id, to the oldest
/// of its name.
fn answered(
    captured: &mut Captured,
    event: &CaptureEvent,
    (call_id, name): (Option<&str>, Option<&str>),
    (answer, result): (&str, Outcome),
    rules: &CaptureRules,
) -> Folded {
    let (words, failed) = outcome_of(answer);
    let result = match (result, failed) {
        (Outcome::Unclear, true) => Outcome::Failed,
        (Outcome::Unclear, false) if !words.is_empty() => Outcome::Worked,
        (told, _) => told,
    };
    let key = call_id.map(call_key).filter(|key| !key.is_empty());
    let outcome = match shortened(&one_line(&words), rules.outcome_chars_max) {
        words if words.is_empty() => "nothing".to_owned(),
        words => words,
    };
    let waits = |turn: &Turn| {
        let Some(call) = &turn.call else { return false };
        let fits = match (&key, name) {
            (Some(key), _) => key_of(turn) == Some(key.as_str()),
            (None, Some(name)) => call.name == name,
            (None, None) => true,
        };
        fits && call.outcome.is_empty()
    };
    if let Some(at) = captured.turns.iter().position(waits) {
        if let Some(call) = captured.turns.get_mut(at).and_then(|turn| turn.call.as_mut()) {
            call.outcome = outcome;
            call.result = result;
        }
        profile::learn(captured, at, answer);
        return Folded::Other;
    }
    let Some(key) = key else { return Folded::Nothing };
    let name = shortened(&one_line(name.unwrap_or_default()), 80);
    let id = format!("{}, {ALONE}{key}", place(captured, event));
    let call = ToolUse { name, inputs: String::new(), outcome, result };
    let by = Party::Bot { name: rules.agent.clone() };
    let proof = Proof::Event { id, at: event.at };
    let turn = Turn { proof, by, at: event.at, public: false, text: String::new(), call: Some(call) };
    Folded::Turn(insert(captured, turn))
}

/// A page that is seen again right away is one view; what is newly known of it is added.
fn seen(captured: &mut Captured, event: &CaptureEvent, rules: &CaptureRules) -> Folded {
    let What::PageView { page, screen, build, flags, error } = &event.what else { return Folded::Nothing };
    let short = |text: &Option<String>| {
        let text = text.as_deref().map(|text| shortened(&one_line(text), PAGE_WORDS_MAX));
        text.filter(|text| !text.is_empty())
    };
    let address = [page, screen].into_iter().flatten().map(|page| page::redacted_page(page));
    let address = address.into_iter().find(|page| !page.is_empty());
    let area = [page, screen].into_iter().flatten().find_map(|page| page::area_of(page, &rules.areas));
    let error = short(error).map(|error| page::redacted_page(&error));
    let proof = Proof::Event { id: place(captured, event), at: event.at };
    let Some(address) = address.or_else(|| error.as_ref().map(|_| "(no address)".to_owned())) else {
        return Folded::Nothing;
    };
    let build = with_flags(short(build), flags);
    let view = PageSeen { page: address, area, error, build, at: event.at, proof };
    let is_later = |other: &&PageSeen| matches!((other.at, view.at), (Some(other), Some(at)) if other > at);
    let at = captured.pages.len() - captured.pages.iter().rev().take_while(is_later).count();
    match at.checked_sub(1).and_then(|before| captured.pages.get_mut(before)) {
        Some(same) if same.page == view.page => {
            let (error, build) = (view.error.or(same.error.take()), view.build.or(same.build.take()));
            *same =
                PageSeen { page: view.page, area: view.area, error, build, at: view.at, proof: view.proof };
        }
        _ => captured.pages.insert(at, view),
    }
    let too_many = captured.pages.len().saturating_sub(PAGES_MAX);
    captured.pages.drain(..too_many);
    Folded::Other
}

fn with_flags(build: Option<String>, flags: &[String]) -> Option<String> {
    let flags: Vec<String> =
        flags.iter().map(|flag| one_line(flag)).filter(|flag| !flag.is_empty()).collect();
    if flags.is_empty() {
        return build;
    }
    let flags = format!("flags: {}", flags.join(", "));
    let words = build.map_or_else(|| flags.clone(), |build| format!("{build}; {flags}"));
    Some(shortened(&words, PAGE_WORDS_MAX))
}

fn stated(
    captured: &mut Captured,
    event: &CaptureEvent,
    statements: &std::collections::BTreeMap<String, String>,
) -> Folded {
    let place = place(captured, event);
    let mut any = false;
    for (name, value) in statements {
        let name = stated_name(name);
        if name.is_empty() || crate::transcript::json::is_hidden(&name) || is_older(captured, &name, event) {
            continue;
        }
        any = true;
        let value = match name.as_str() {
            "page" => page::redacted_page(value),
            _ => shortened(&one_line(value), STATED_CHARS_MAX),
        };
        if value.is_empty() {
            captured.stated.remove(&name);
            continue;
        }
        make_room(captured, &name);
        let proof = Proof::Event { id: format!("{place}, {name}"), at: event.at };
        captured.stated.insert(name, StatedByAgent { value, proof });
    }
    if any { Folded::Other } else { Folded::Nothing }
}

/// A statement that came late does not stand above a newer one.
fn is_older(captured: &Captured, name: &str, event: &CaptureEvent) -> bool {
    let known = captured.stated.get(name).map(|stated| &stated.proof);
    matches!((known, event.at), (Some(Proof::Event { at: Some(known), .. }), Some(at)) if at < *known)
}

fn make_room(captured: &mut Captured, name: &str) {
    if captured.stated.contains_key(name) || captured.stated.len() < STATED_MAX {
        return;
    }
    let spare = captured.stated.keys().find(|other| !KNOWN.contains(&other.as_str())).cloned();
    if let Some(spare) = spare {
        captured.stated.remove(&spare);
    }
}

/// `openQuestion`, `Open question` and `open-question` are one name.
fn stated_name(name: &str) -> String {
    let words = crate::transcript::json::words(name).to_lowercase();
    let plain: String = words.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
    let name = shortened(&plain, 40).replace(' ', "_");
    match name.as_str() {
        "plan" => "tier".to_owned(),
        "intent" | "customer_goal" => "goal".to_owned(),
        "sentiment" => "mood".to_owned(),
        "topic" => "category".to_owned(),
        "locale" | "lang" => "language".to_owned(),
        "customer_name" => "name".to_owned(),
        "customer_email" => "email".to_owned(),
        _ => name,
    }
}
