//! `search/tickets` and `search/contacts`: an index that stays behind.

use handoffd_core::Timestamp;
use serde_json::{Value, json};

use super::{
    companies::{self, Company},
    http::{Answer, Call, invalid},
    query::{How, Query, Term},
    shape,
    world::{Contact, Indexed, Ticket, World},
};

const PER_PAGE: usize = 30;

/// `GET /search/tickets`. Matches what the index knew a minute ago.
pub(super) fn tickets(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let (query, page) = read(call)?;
    let mut found: Vec<&Ticket> = Vec::new();
    let blank = blank(world);
    query.matches(&|term| ticket_term(&blank, Timestamp(0), term)).ok_or_else(bad_query)?;
    for ticket in world.tickets.values().filter(|ticket| ticket.deleted_at.is_none() && !ticket.spam) {
        let Some(row) = ticket.indexed(call.now) else { continue };
        if query.matches(&|term| ticket_term(row, ticket.created_at, term)) == Some(true) {
            found.push(ticket);
        }
    }
    found.sort_by_key(|ticket| std::cmp::Reverse((ticket.created_at, ticket.id)));
    let look = world.look(call);
    Ok(answer(page, &found, |ticket| {
        let mut row = shape::ticket_row(ticket);
        shape::add_description(&mut row, &look, ticket);
        Value::Object(row)
    }))
}

fn blank(world: &World) -> Indexed {
    let at = Timestamp(0);
    Indexed { at, fields: world.blank_fields(0, at), updated_at: at }
}

/// `GET /search/contacts`.
pub(super) fn contacts(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let (query, page) = read(call)?;
    query.matches(&|term| contact_term(&Contact::default(), term)).ok_or_else(bad_query)?;
    let settled = call.now.minus(std::time::Duration::from_secs(60));
    let found: Vec<&Contact> = world
        .contacts
        .values()
        .filter(|contact| !contact.deleted && contact.updated_at <= settled)
        .filter(|contact| query.matches(&|term| contact_term(contact, term)) == Some(true))
        .collect();
    Ok(answer(page, &found, |contact| shape::contact(contact)))
}

/// `GET /search/companies`.
pub(super) fn companies(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let (query, page) = read(call)?;
    query.matches(&|term| company_term(&Company::default(), term)).ok_or_else(bad_query)?;
    let settled = call.now.minus(std::time::Duration::from_secs(60));
    let found: Vec<&Company> = world
        .companies
        .values()
        .filter(|company| company.updated_at <= settled)
        .filter(|company| query.matches(&|term| company_term(company, term)) == Some(true))
        .collect();
    Ok(answer(page, &found, |company| companies::shape(company)))
}

fn company_term(company: &Company, term: &Term) -> Option<bool> {
    match term.field.as_str() {
        "domain" => Some(company.domains.iter().any(|domain| domain.eq_ignore_ascii_case(&term.value))),
        "name" => text(Some(&company.name), term),
        "created_at" => day(company.created_at, term),
        "updated_at" => day(company.updated_at, term),
        _ => None,
    }
}

fn bad_query() -> Answer {
    invalid("query", "Given query is invalid")
}

fn read(call: &Call) -> Result<(Query, usize), Answer> {
    call.only(&["query", "page"])?;
    let page = call.param("page").map_or(Some(1), |text| text.parse::<usize>().ok());
    let page = page
        .filter(|page| (1..=10).contains(page))
        .ok_or_else(|| invalid("page", "It should be a Positive Integer less than or equal to 10"))?;
    let query = call.param("query").and_then(Query::read).ok_or_else(bad_query)?;
    Ok((query, page))
}

fn answer<T>(page: usize, found: &[T], shape: impl Fn(&T) -> Value) -> Answer {
    let rows: Vec<Value> = found.iter().skip((page - 1) * PER_PAGE).take(PER_PAGE).map(shape).collect();
    Answer::ok(json!({"total": found.len(), "results": rows}))
}

fn ticket_term(row: &Indexed, created_at: Timestamp, term: &Term) -> Option<bool> {
    let fields = &row.fields;
    match term.field.as_str() {
        "status" => number(Some(fields.status), term),
        "priority" => number(Some(fields.priority), term),
        "agent_id" => number(fields.responder_id, term),
        "group_id" => number(fields.group_id, term),
        "type" => text(fields.kind.as_deref(), term),
        "tag" => Some(fields.tags.iter().any(|tag| tag.eq_ignore_ascii_case(&term.value))),
        "created_at" => day(created_at, term),
        "updated_at" => day(row.updated_at, term),
        "due_by" => day(fields.due_by, term),
        "fr_due_by" => day(fields.fr_due_by, term),
        custom => match fields.custom.get(custom)? {
            Value::Number(held) => number(held.as_i64(), term),
            Value::Bool(held) => text(Some(if *held { "true" } else { "false" }), term),
            Value::String(held) => text(Some(held), term),
            _ => Some(term.value == "null" && !term.quoted),
        },
    }
}

fn contact_term(contact: &Contact, term: &Term) -> Option<bool> {
    match term.field.as_str() {
        "email" => text(contact.email.as_deref(), term),
        "phone" => text(contact.phone.as_deref(), term),
        "mobile" => text(contact.mobile.as_deref(), term),
        "twitter_id" => text(contact.twitter_id.as_deref(), term),
        "unique_external_id" => text(contact.unique_external_id.as_deref(), term),
        "tag" => Some(contact.tags.iter().any(|tag| tag.eq_ignore_ascii_case(&term.value))),
        "created_at" => day(contact.created_at, term),
        "updated_at" => day(contact.updated_at, term),
        "company_id" => number(contact.company_id, term),
        "active" | "language" | "time_zone" => Some(false),
        _ => None,
    }
}

fn number(held: Option<i64>, term: &Term) -> Option<bool> {
    if term.value == "null" {
        return Some(held.is_none());
    }
    let wanted = term.value.parse::<i64>().ok()?;
    Some(held.is_some_and(|held| match term.how {
        How::Equal => held == wanted,
        How::AtLeast => held >= wanted,
        How::AtMost => held <= wanted,
    }))
}

fn text(held: Option<&str>, term: &Term) -> Option<bool> {
    if term.value == "null" && !term.quoted {
        return Some(held.is_none());
    }
    Some(held.is_some_and(|held| held.eq_ignore_ascii_case(&term.value)))
}

/// Days are compared, not moments.
fn day(held: Timestamp, term: &Term) -> Option<bool> {
    let wanted = term.value.get(..10)?;
    Timestamp::parse(&format!("{wanted}T00:00:00Z")).ok()?;
    let shown = held.to_string();
    let held = shown.get(..10)?;
    Some(match term.how {
        How::Equal => held == wanted,
        How::AtLeast => held >= wanted,
        How::AtMost => held <= wanted,
    })
}
