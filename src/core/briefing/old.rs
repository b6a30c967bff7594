//! The form before packages: the engine's until it gathers packages. It goes then, whole.

mod head;
mod rest;

use super::{
    Briefing, NoteLimits, TITLE, TicketFacts, shortened,
    text::{self, day_text, money_text, quoted, unquoted},
};
use crate::model::{
    comment::{Body, PrivateText},
    fact::{Fact, FactKey, FactValue, Sensitivity},
    handoff::{Handoff, SourceAnswer},
    ids::AccountId,
    person::Person,
    time::Timestamp,
};

/// The most lines of a briefing's head.
pub const HEAD_LINES_MAX: usize = 8;

/// The most words of a briefing's head.
pub const HEAD_WORDS_MAX: usize = 120;

/// How much of a name is shown, in words.
const NAME_WORDS_MAX: usize = 5;

/// What stands between the head and the rest.
const SEPARATOR: &str = "----------------------------------------";

/// Everything that is known about a handoff when its briefing is composed.
#[derive(Clone, Debug)]
pub struct Package<'a> {
    /// The record.
    pub handoff: &'a Handoff,
    /// What its ticket shows.
    pub ticket: TicketFacts,
}

/// One line of the rest.
struct Item {
    /// The line up to where it changes with time: by this it is known again.
    stem: String,
    /// The remainder, for instance the age.
    tail: String,
    is_heading: bool,
}

impl Item {
    fn new(stem: impl Into<String>) -> Self {
        Self { stem: stem.into(), tail: String::new(), is_heading: false }
    }

    fn heading(stem: impl Into<String>) -> Self {
        Self { is_heading: true, ..Self::new(stem) }
    }

    fn line(&self) -> String {
        format!("{}{}", self.stem, self.tail)
    }
}

/// The briefing of a handoff.
///
/// Composed anew after more became known it is the whole text of the rewritten note.
pub fn compose_briefing(package: &Package<'_>, limits: NoteLimits, now: Timestamp) -> Briefing {
    let head = head::lines(package);
    let rest: Vec<String> = rest::items(package, now).iter().map(Item::line).collect();
    note(&head, &rest, package.handoff, limits)
}

/// A follow-up with what the briefing that was sent did not say yet, for
/// helpdesks that cannot rewrite a note. `None` when there is nothing.
///
/// A briefing whose text is not at hand is taken to have said nothing.
pub fn compose_late(package: &Package<'_>, limits: NoteLimits, now: Timestamp) -> Option<Briefing> {
    let sent = package.handoff.briefing.as_ref().and_then(Body::text).unwrap_or_default();
    let known = |stem: &str| sent.lines().any(|line| line.starts_with(stem));
    let mut head: Vec<String> = head::lines(package).into_iter().filter(|line| !known(line)).collect();
    let rest = new_lines(&rest::items(package, now), known);
    if head.is_empty() && rest.is_empty() {
        return None;
    }
    head.insert(0, "Came after the handoff briefing above:".to_owned());
    Some(note(&head, &rest, package.handoff, limits))
}

/// The items that are not known, under their headings.
fn new_lines(items: &[Item], known: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut heading = None;
    for item in items {
        if item.is_heading {
            heading = Some(item.line());
        } else if !known(&item.stem) {
            lines.extend(heading.take());
            lines.push(item.line());
        }
    }
    lines
}

/// The note's text: the head whole, then as many lines of the rest as fit.
fn note(head: &[String], rest: &[String], handoff: &Handoff, limits: NoteLimits) -> Briefing {
    let mut text = head.join("\n");
    let whole = rest.iter().map(|line| line.len() + 1).sum::<usize>() + SEPARATOR.len() + 1;
    let cut = text.len() + whole > limits.bytes_max;
    let notice =
        format!("[Cut here: the rest does not fit into a note. Handoff {} keeps all of it.]", handoff.id);
    let room = if cut { limits.bytes_max.saturating_sub(notice.len() + 1) } else { limits.bytes_max };
    for line in std::iter::once(SEPARATOR).chain(rest.iter().map(String::as_str)) {
        if text.len() + 1 + line.len() > room {
            break;
        }
        text.push('\n');
        text.push_str(line);
    }
    if cut {
        text.push('\n');
        text.push_str(&notice);
    }
    Briefing { text: PrivateText::new(Body::inline(&text)), cut, template_failed: None }
}

/// Facts of one kind that agents may see, in the order of their sources.
fn facts_of(handoff: &Handoff, key: FactKey) -> impl Iterator<Item = &Fact> {
    shown_facts(handoff).filter(move |fact| fact.key == key)
}

/// Every fact that agents may see.
fn shown_facts(handoff: &Handoff) -> impl Iterator<Item = &Fact> {
    handoff
        .sources
        .values()
        .flat_map(|answer| match answer {
            SourceAnswer::Facts(facts) => facts.as_slice(),
            _ => &[],
        })
        .filter(|fact| fact.sensitivity == Sensitivity::Agents)
}

/// A fact's value with the words that explain it.
fn fact_text(fact: &Fact) -> String {
    let value = match &fact.value {
        FactValue::Text(text) => unquoted(text),
        FactValue::Count(count) => count.to_string(),
        FactValue::Money { minor, currency } => money_text(*minor, &unquoted(currency)),
        FactValue::Time(at) => day_text(*at),
    };
    match fact.detail.as_deref().map(unquoted).filter(|detail| !detail.is_empty()) {
        Some(detail) => format!("{value} ({detail})"),
        None => value,
    }
}

/// Why a source has nothing to say, in a few words; `None` when it gave facts.
fn why_silent(account: &AccountId, answer: &SourceAnswer) -> Option<String> {
    match answer {
        SourceAnswer::Waiting => Some(format!("{account} gave no answer in time")),
        SourceAnswer::Nobody => Some(format!("{account} knows nobody by this e-mail")),
        SourceAnswer::Ambiguous(matches) => {
            Some(format!("{account} has {} records that match, none was picked", matches.len()))
        }
        SourceAnswer::Failed(why) => Some(format!("{account} failed: {}", unquoted(why))),
        SourceAnswer::Facts(_) => None,
    }
}

/// A person by name and address; the words are theirs.
fn person_text(person: &Person) -> Option<String> {
    let name =
        Some(text::clipped(&unquoted(&person.name), NAME_WORDS_MAX, 60)).filter(|name| !name.is_empty());
    let email = person
        .email
        .as_deref()
        .map(|email| shortened(&unquoted(email), 80))
        .filter(|email| !email.is_empty());
    match (name, email) {
        (Some(name), Some(email)) => Some(format!("{} <{email}>", quoted(&name))),
        (Some(name), None) => Some(quoted(&name)),
        (None, Some(email)) => Some(format!("<{email}>")),
        (None, None) => None,
    }
}
