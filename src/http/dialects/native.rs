//! Our own form. A field that is not known is refused, so that a misspelt one is noticed.

use handoffd_core::{
    Attempt, HandoffKind,
    briefing::text,
    capture::CaptureEvent,
    transcript::{self, TranscriptRules},
};

use super::{ATTEMPTS_MAX, Heard, ID_BYTES_MAX, NAME_CHARS_MAX, STATED_CHARS_MAX, WORDS_CHARS_MAX, chat};
use crate::http::form::{Form, Place};

/// Ours alone has a `conversation` that names a ticket, beside fields that no other knows.
pub(super) fn is_it(body: &Place<'_>) -> bool {
    body.at("conversation").is_object() && !body.at("messages").is_there()
}

pub(super) fn read(body: &Place<'_>, form: &mut Form, rules: &TranscriptRules) -> Heard {
    let mut heard = Heard::default();
    form.object(body);
    conversation(&mut heard, &body.at("conversation"), form);
    heard.told.summary = form.line(&body.at("summary"), WORDS_CHARS_MAX);
    attempts(&mut heard, &body.at("attempts"), form);
    chat::transcript(&mut heard, &body.at("transcript"), form, rules);
    chat::turns(&mut heard, &body.at("turns"), form);
    reason(&mut heard, &body.at("reason"), form);
    customer(&mut heard, &body.at("customer"), form);
    issue(&mut heard, &body.at("issue"), form);
    page(&mut heard, &body.at("page"), form);
    to(&mut heard, &body.at("to"), form);
    commitments(&mut heard, &body.at("commitments"), form);
    let question = form.line(&body.at("open_question"), STATED_CHARS_MAX);
    heard.state("open_question", "open_question", question);
    heard.state_from("language", &body.at("language"), form);
    heard.state_from("channel", &body.at("channel"), form);
    heard.wanted.deadline = form.time(&body.at("deadline"));
    heard.kind = kind(&body.at("kind"), form);
    heard.tell_turns(rules);
    heard
}

/// Between whom; from an AI agent to people where nothing is said.
fn kind(place: &Place<'_>, form: &mut Form) -> Option<HandoffKind> {
    let word = form.line(place, NAME_CHARS_MAX)?;
    let all = [HandoffKind::AiToHuman, HandoffKind::HumanToHuman, HandoffKind::HumanToAi];
    let kind = all.into_iter().find(|kind| kind.name() == word);
    if kind.is_none() {
        form.wrong(&place.path, "is one of ai_to_human, human_to_human and human_to_ai");
    }
    kind
}

fn conversation(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    form.object(place);
    heard.account = form.id(&place.at("account"), ID_BYTES_MAX);
    heard.ticket_id = form.id(&place.at("ticket_id"), ID_BYTES_MAX);
    heard.name_conversation(&place.at("id"), form);
}

/// A text, or an object with the text and a code.
fn reason(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    if !place.is_object() {
        heard.told.reason = form.line(place, WORDS_CHARS_MAX).or(heard.told.reason.take());
        return;
    }
    let code = form.line(&place.at("code"), NAME_CHARS_MAX);
    let words = form.line(&place.at("text"), WORDS_CHARS_MAX);
    let plain = code.as_ref().map(|code| text::one_line(&code.replace(['_', '-'], " ")));
    heard.told.reason = words.or(plain).or(heard.told.reason.take());
    heard.state("reason_code", "reason.code", code);
}

fn customer(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    form.object(place);
    heard.told.customer_email = form.line(&place.at("email"), 254).or(heard.told.customer_email.take());
    heard.state_from("name", &place.at("name"), form);
    heard.state_from("tier", &place.at("tier"), form);
}

fn issue(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    form.object(place);
    for name in ["category", "severity", "product_area"] {
        heard.state_from(name, &place.at(name), form);
    }
    for name in ["goal", "blocker"] {
        let words = form.line(&place.at(name), STATED_CHARS_MAX);
        heard.state(name, &format!("issue.{name}"), words);
    }
}

fn page(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    if !place.is_there() {
        return;
    }
    form.object(place);
    if let Some(what) = place.is_object().then(|| chat::page_view(place, form)).flatten() {
        heard.events.push(CaptureEvent { id: None, place: Some("page".to_owned()), at: None, what });
    }
}

fn to(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    form.object(place);
    heard.wanted.queue = form.line(&place.at("queue"), NAME_CHARS_MAX);
    heard.wanted.agent = form.line(&place.at("agent"), 254);
    heard.wanted.priority = form.line(&place.at("priority"), NAME_CHARS_MAX);
}

/// What was promised: texts, kept as one statement.
fn commitments(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    let lines: Vec<String> =
        form.list(place, 20).into_iter().filter_map(|entry| form.line(&entry, STATED_CHARS_MAX)).collect();
    let all = (!lines.is_empty()).then(|| lines.join("; "));
    heard.state("commitments", "commitments", all);
}

fn attempts(heard: &mut Heard, place: &Place<'_>, form: &mut Form) {
    if place.entries().len() > ATTEMPTS_MAX {
        form.wrong(&place.path, format!("has more than {ATTEMPTS_MAX} entries"));
    }
    for entry in form.list(place, ATTEMPTS_MAX) {
        form.object(&entry);
        let action = form.needed(&entry.at("action"), 80);
        let attempt = Attempt {
            action: action.unwrap_or_default().replace('_', " "),
            inputs: form.line(&entry.at("inputs"), 160).unwrap_or_default(),
            outcome: form.line(&entry.at("outcome"), 200).unwrap_or_default(),
            failed: form.flag(&entry.at("failed")).unwrap_or_default(),
            evidence: entry.path.clone(),
        };
        heard.told.attempts.push(attempt);
    }
    let too_many = heard.told.attempts.len().saturating_sub(transcript::ATTEMPTS_MAX);
    for at in 0..too_many {
        form.lose(
            &format!("attempts[{at}]"),
            format!("only the newest {} are kept", transcript::ATTEMPTS_MAX),
        );
    }
}
