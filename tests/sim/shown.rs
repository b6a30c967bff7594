//! What helpdesks show, in words that can be compared.

use std::collections::BTreeSet;

use handoffd_connectors::sim::{ShownComment, ShownTicket};
use handoffd_core::{Field, FieldKind, Fields, Priority, Typed, Value, briefing::is_briefing, fold_text};

use crate::{
    oracle::{Edit, Fate, Said, What, folded_tag},
    setup::{CUSTOM, PRIORITY},
    world::{INTERCOM, Life, ZENDESK},
};

/// How a follow-up to a briefing begins.
pub const LATE: &str = "Came after the handoff briefing above:";

/// What somebody said. A private note of somebody who writes none there begins with a line
/// that names them, a public one at Intercom with a line that says what it is; what is to be said of
/// files stands at the end.
pub fn words_of(comment: &ShownComment) -> String {
    let text = fold_text(&comment.text);
    let text = match text.split_once(", sent from another helpdesk] ") {
        Some((line, words)) if !comment.public && line.starts_with("[Public reply by ") => words.to_owned(),
        _ => text,
    };
    let signed = |line| text.split_once(line).filter(|(name, _)| !comment.public && name.len() < 40);
    let unsigned = [" (agent): ", " (customer): "].into_iter().find_map(signed);
    let text = unsigned.map_or(text.clone(), |(_, words)| words.to_owned());
    let text = text.split(" [attachment").next().unwrap_or_default();
    // Intercom shows where a link leads.
    match text.split_once(" (https://example.com/at/") {
        Some((before, after)) => format!("{before}{}", after.split_once(')').map_or("", |(_, rest)| rest)),
        None => text.to_owned(),
    }
}

/// What a message may say at a helpdesk: where nothing can be written anew, what it said before.
pub fn texts_of(said: &Said, desk: &str) -> BTreeSet<String> {
    let now = fold_text(&said.text);
    match &said.fate {
        Fate::Edited(before) if said.account != desk => {
            before.iter().map(|text| fold_text(text)).chain([now]).collect()
        }
        _ => BTreeSet::from([now]),
    }
}

/// Whether a comment is of our own words.
pub fn is_ours(text: &str) -> bool {
    is_briefing(text)
        || text.starts_with(LATE)
        || fold_text(text).starts_with("This conversation began with internal notes")
}

/// Whether a vendor tells of a merge.
pub fn is_of_a_merge(text: &str) -> bool {
    let known = [
        "This request was closed and merged into request",
        "were closed and merged into this request",
        "This ticket is closed and merged into ticket",
        "are merged into this ticket",
    ];
    known.iter().any(|words| text.contains(words))
}

/// The type in Zendesk's words.
pub fn type_of(ticket: &ShownTicket) -> String {
    match ticket.kind.as_deref() {
        Some("Feature Request") => "task".to_owned(),
        kind => kind.unwrap_or_default().to_lowercase(),
    }
}

/// A custom field's value in words that all helpdesks share.
pub fn custom_words(kind: FieldKind, shown: Option<&String>) -> String {
    let words = shown.cloned().unwrap_or_default();
    match kind {
        FieldKind::Boolean if words == "false" => String::new(),
        FieldKind::Number => words.parse::<f64>().map_or(words, |number| number.to_string()),
        _ => words,
    }
}

/// The fields as their values, the custom status and Intercom's priority among them.
pub fn fields(life: &Life, desk: &str, ticket: &ShownTicket) -> Fields {
    let waits = life.made.waiting.get(desk).is_some_and(|id| ticket.status_detail.as_ref() == Some(id))
        && life.made.waiting.len() == 2;
    let status = match waits {
        true => Value::StatusDetail { status: ticket.status, detail: "waiting".to_owned() },
        false => Value::Status(ticket.status),
    };
    // Zendesk shows the option of a field among the tags, and what merging puts on.
    let own = |tag: &&String| desk != ZENDESK || !["free", "pro", "closed_by_merge"].contains(&tag.as_str());
    let tags = ticket.tags.iter().filter(own);
    let priority = match desk {
        INTERCOM => {
            let word = ticket.custom.get(PRIORITY);
            Priority::ALL.into_iter().find(|one| word.is_some_and(|word| word == one.name()))
        }
        _ => ticket.priority,
    };
    Fields::from([
        (Field::Subject, Value::subject(&ticket.subject)),
        (Field::Status, status),
        (Field::Priority, Value::Priority(priority)),
        (Field::Tags, Value::Tags(tags.cloned().collect())),
    ])
}

/// Whether a ticket shows what was edited.
pub fn stands(life: &Life, edit: &Edit, ticket: &ShownTicket) -> bool {
    let has = |tag: &str| ticket.tags.iter().any(|have| folded_tag(have) == folded_tag(tag));
    let shown = fields(life, edit.account, ticket);
    match &edit.what {
        What::Subject(subject) => ticket.subject == *subject,
        What::Status(status) => ticket.status == *status && ticket.status_detail.is_none(),
        What::Waiting => ticket.status_detail.as_ref() == life.made.waiting.get(edit.account),
        What::Priority(priority) => shown[&Field::Priority] == Value::Priority(Some(*priority)),
        What::Tagged(tag) => has(tag),
        What::Untagged(tag) => !has(tag),
        What::Set(Field::Type, Value::Choice(kind)) => ticket.kind == *kind,
        What::Set(Field::Ccs, Value::Tags(ccs)) => {
            ticket.ccs.iter().collect::<BTreeSet<_>>() == ccs.iter().collect()
        }
        What::Set(Field::DueAt, Value::Time(at)) => ticket.due_at == *at,
        What::Set(..) => false,
        What::Custom(name, value) => {
            let (_, _, kind) = CUSTOM.into_iter().find(|(one, ..)| one == name).expect("a custom field");
            let shown = ticket.custom.get(&life.made.custom[name][edit.account]);
            let wanted = value.as_ref().map(words_of_typed);
            custom_words(kind, shown) == custom_words(kind, wanted.as_ref())
        }
    }
}

fn words_of_typed(value: &Typed) -> String {
    match value {
        Typed::Text(text) | Typed::Number(text) | Typed::Date(text) | Typed::Choice(text) => text.clone(),
        Typed::Boolean(yes) => yes.to_string(),
        Typed::Choices(all) => all.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}
