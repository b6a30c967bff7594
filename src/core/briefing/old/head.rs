//! The head of a briefing: at most eight lines and 120 words, by construction.
//! Each line has a share of the words; what is left goes to the attempts.

use super::{Package, fact_text, facts_of, person_text, text::clipped, text::quoted, why_silent};
use crate::model::{
    fact::{Fact, FactKey, FactValue},
    handoff::{Attempt, Evidence, Handoff, SourceAnswer},
    ids::AccountId,
};

/// The longest line of the head in characters, for words without spaces.
const LINE_CHARS_MAX: usize = 260;

/// How many attempts the head names.
const ATTEMPTS_SHOWN: usize = 3;

/// The most words that the attempts take when other lines leave theirs.
const TRIED_WORDS_MAX: usize = 45;

/// A line, with its share of the words.
type Line = (fn(&Package<'_>, usize) -> Option<String>, usize);

/// The lines in order. The shares add up to [`super::HEAD_WORDS_MAX`]; a test says so.
pub(super) const LINES: [Line; super::HEAD_LINES_MAX] = [
    (title, 5),
    (customer, 14),
    (plan, 14),
    (unpaid, 18),
    (wants, 18),
    (why, 18),
    (tried, 20),
    (unclear, 13),
];

/// The place of the attempts, which get what the other lines leave.
const TRIED_AT: usize = 6;

/// The head's lines.
pub(super) fn lines(package: &Package<'_>) -> Vec<String> {
    let written =
        |(line, words_max): &Line| Some(clipped(&line(package, *words_max)?, *words_max, LINE_CHARS_MAX));
    let mut lines: Vec<Option<String>> = LINES.iter().map(written).collect();
    lines[TRIED_AT] = None;
    let taken: usize = lines.iter().flatten().map(|line| line.split_whitespace().count()).sum();
    let left = super::HEAD_WORDS_MAX.saturating_sub(taken).min(TRIED_WORDS_MAX);
    lines[TRIED_AT] = written(&(tried, left));
    lines.into_iter().flatten().collect()
}

fn title(_: &Package<'_>, _: usize) -> Option<String> {
    Some(super::TITLE.to_owned())
}

fn customer(package: &Package<'_>, _: usize) -> Option<String> {
    let who = match package.ticket.requester.as_ref().and_then(person_text) {
        Some(who) => who,
        None => match &package.handoff.told.customer_email {
            Some(email) => format!("<{}> (from the transcript)", super::unquoted(email)),
            None => "unknown (the ticket shows no requester)".to_owned(),
        },
    };
    let since = facts_of(package.handoff, FactKey::CustomerSince).next();
    Some(match since {
        Some(fact) => format!("Customer: {who}, since {}", fact_text(fact)),
        None => format!("Customer: {who}"),
    })
}

fn plan(package: &Package<'_>, _: usize) -> Option<String> {
    Some(format!("Plan: {}", stated(package.handoff, &[FactKey::Plan])))
}

fn unpaid(package: &Package<'_>, _: usize) -> Option<String> {
    let keys = [FactKey::OpenInvoice, FactKey::FailedPayment];
    let is_amount = |fact: &&Fact| matches!(fact.value, FactValue::Money { .. });
    let count = match facts_of(package.handoff, FactKey::OpenInvoice).filter(is_amount).count() {
        0 | 1 => String::new(),
        several => format!("{several}, "),
    };
    Some(format!("Open invoices: {count}{}", stated(package.handoff, &keys)))
}

/// The facts of these kinds, or why there are none.
fn stated(handoff: &Handoff, keys: &[FactKey]) -> String {
    let facts: Vec<String> = keys
        .iter()
        .flat_map(|key| facts_of(handoff, *key).map(move |fact| (key, fact)))
        .map(|(key, fact)| match key {
            FactKey::FailedPayment => format!("failed payment {}", fact_text(fact)),
            _ => fact_text(fact),
        })
        .collect();
    if !facts.is_empty() {
        return facts.join("; ");
    }
    let silent: Vec<String> =
        handoff.sources.iter().filter_map(|(account, answer)| shortly_silent(account, answer)).collect();
    match (handoff.sources.is_empty(), silent.is_empty()) {
        (true, _) => "unknown (no source is configured)".to_owned(),
        (false, true) => "unknown (no source says it, or it is restricted)".to_owned(),
        (false, false) => format!("unknown ({})", silent.join("; ")),
    }
}

/// Why a source has nothing to say, where the line about it says more.
fn shortly_silent(account: &AccountId, answer: &SourceAnswer) -> Option<String> {
    match answer {
        SourceAnswer::Waiting => Some(format!("{account} is late")),
        SourceAnswer::Nobody => why_silent(account, answer),
        SourceAnswer::Ambiguous(_) => Some(format!("{account} is ambiguous")),
        SourceAnswer::Failed(_) => Some(format!("{account} failed")),
        SourceAnswer::Facts(_) => None,
    }
}

fn wants(package: &Package<'_>, _: usize) -> Option<String> {
    Some(match (&package.handoff.told.customer_wants, &package.ticket.subject) {
        (Some(wants), _) => format!("Wants: {}", quote_clipped(wants, 16)),
        (None, Some(subject)) if !subject.trim().is_empty() => {
            format!("Wants: {} (the subject)", quote_clipped(subject, 14))
        }
        _ => "Wants: unknown (no transcript came, and the ticket has no subject)".to_owned(),
    })
}

fn why(package: &Package<'_>, _: usize) -> Option<String> {
    let told = &package.handoff.told;
    Some(match told.reason.as_ref().or(told.summary.as_ref()) {
        Some(words) => format!("Handed over: {}", quote_clipped(words, 15)),
        None if was_announced(package.handoff) => {
            "Handed over: unknown (the AI agent gave no reason)".to_owned()
        }
        None => "Handed over: unknown (the owner changed, and the AI agent said nothing)".to_owned(),
    })
}

/// Somebody else's words, cut inside their quotation marks.
fn quote_clipped(text: &str, words_max: usize) -> String {
    quoted(&clipped(&super::unquoted(text), words_max, LINE_CHARS_MAX - 40))
}

fn was_announced(handoff: &Handoff) -> bool {
    handoff.evidence.iter().any(|sign| matches!(sign, Evidence::Api { .. }))
}

/// The last attempts with what came of each; the rest is counted.
fn tried(package: &Package<'_>, words_max: usize) -> Option<String> {
    let told = &package.handoff.told;
    if told.attempts.is_empty() {
        let why = match was_announced(package.handoff) {
            true => "the AI agent's transcript holds no attempts",
            false => "no transcript came from the AI agent",
        };
        return Some(format!("Tried: unknown ({why})"));
    }
    let shown = &told.attempts[told.attempts.len().saturating_sub(ATTEMPTS_SHOWN)..];
    let earlier = told.attempts.len() - shown.len() + usize::try_from(told.attempts_left_out).unwrap_or(0);
    let words_each = words_max.saturating_sub(if earlier > 0 { 4 } else { 1 }) / shown.len();
    let attempts: Vec<String> = shown.iter().map(|attempt| attempt_text(attempt, words_each)).collect();
    let earlier = if earlier > 0 { format!(" (and {earlier} before)") } else { String::new() };
    Some(format!("Tried: {}{earlier}", attempts.join("; ")))
}

/// An attempt in at most `words_max` words; what a tool answered is not ours, so it is quoted.
fn attempt_text(attempt: &Attempt, words_max: usize) -> String {
    let action = clipped(&super::unquoted(&attempt.action), 3, 40);
    let left = words_max.saturating_sub(action.split_whitespace().count());
    let outcome =
        |words_max| quoted(&clipped(&super::unquoted(&attempt.outcome), usize::max(words_max, 1), 60));
    match (attempt.outcome.is_empty(), attempt.failed) {
        (true, _) => format!("{action}: unanswered"),
        (false, true) => format!("{action}: failed {}", outcome(left.saturating_sub(1))),
        (false, false) => format!("{action}: {}", outcome(left)),
    }
}

/// Sources that tie or are missing; no line when there are none.
fn unclear(package: &Package<'_>, _: usize) -> Option<String> {
    let missing: Vec<String> = package
        .handoff
        .sources
        .iter()
        .filter(|(_, answer)| !matches!(answer, SourceAnswer::Nobody))
        .filter_map(|(account, answer)| why_silent(account, answer))
        .collect();
    (!missing.is_empty()).then(|| format!("Unclear: {}", missing.join("; ")))
}
