//! Searching: filters over an index that lags, and a cursor over rows that move.
//!
//! The list of conversations reads the same index. Rows come newest change first unless `sort` says else (undocumented, as
//! clients send it). `>` and `<` leave the value itself out; the documentation
//! says both that and the contrary. The cursor is base64 of
//! `[sort_ms,id,page]`: rows changed meanwhile jump ahead of it and are missed.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    fields::{Doc, Kinds},
    filter::{self, Filter},
    http::{Answer, Call, Content},
    world::{Head, Thread, World},
};

/// How the rows are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    by_creation: bool,
    ascending: bool,
}

/// The page that was asked for.
pub(super) struct Paging {
    per_page: usize,
    after: Option<(i64, i128, i64)>,
    order: Order,
}

impl Paging {
    fn of_search(call: &Call, default: usize) -> Result<Self, Answer> {
        let none = Map::new();
        let pagination = match call.given("pagination") {
            None => &none,
            Some(given) => {
                given.as_object().ok_or_else(|| Answer::invalid("pagination must be an object"))?
            }
        };
        let per_page = match pagination.get("per_page").filter(|value| !value.is_null()) {
            None => default,
            Some(value) => per_page(value.as_u64())?,
        };
        let after = match pagination.get("starting_after").filter(|value| !value.is_null()) {
            None => None,
            Some(value) => Some(read_cursor(value.as_str().unwrap_or_default())?),
        };
        Ok(Self { per_page, after, order: order(call)? })
    }

    fn of_list(call: &Call, default: usize) -> Result<Self, Answer> {
        let per_page = match call.param("per_page") {
            None => default,
            Some(text) => per_page(text.parse().ok())?,
        };
        let after = call.param("starting_after").filter(|text| !text.is_empty());
        let after = after.map(read_cursor).transpose()?;
        Ok(Self { per_page, after, order: Order { by_creation: false, ascending: false } })
    }
}

fn per_page(wanted: Option<u64>) -> Result<usize, Answer> {
    let wanted = wanted.filter(|count| (1..=150).contains(count)).and_then(|count| count.try_into().ok());
    wanted.ok_or_else(|| Answer::invalid("per_page must be a number from 1 to 150"))
}

fn order(call: &Call) -> Result<Order, Answer> {
    let Some(sort) = call.given("sort") else { return Ok(Order { by_creation: false, ascending: false }) };
    let by_creation = match sort["field"].as_str() {
        Some("updated_at") => false,
        Some("created_at") => true,
        _ => return Err(Answer::invalid("sort field must be created_at or updated_at")),
    };
    let ascending = match sort["order"].as_str() {
        Some("ascending") => true,
        Some("descending") | None => false,
        Some(_) => return Err(Answer::invalid("sort order must be ascending or descending")),
    };
    Ok(Order { by_creation, ascending })
}

/// `[sort_ms,id,page]`. The id of a contact is a number in hex.
fn read_cursor(text: &str) -> Result<(i64, i128, i64), Answer> {
    let wrong = || Answer::invalid("starting_after is not a valid cursor");
    let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
    let parts: Vec<Value> = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let [sort_ms, id, page] = parts.as_slice() else { return Err(wrong()) };
    let id = match id {
        Value::String(hex) => i128::from_str_radix(hex, 16).ok(),
        number => number.as_i64().map(i128::from),
    };
    match (sort_ms.as_i64(), id, page.as_i64()) {
        (Some(sort_ms), Some(id), Some(page)) if page > 1 => Ok((sort_ms, id, page)),
        _ => Err(wrong()),
    }
}

/// A row that was found.
pub(super) struct Row<T> {
    pub created_at: i64,
    pub updated_at: i64,
    pub id: i128,
    pub of: T,
}

/// A page of rows.
struct Page<T> {
    rows: Vec<T>,
    total: usize,
    pages: Value,
}

fn page<T>(mut rows: Vec<Row<T>>, paging: &Paging, hex_ids: bool) -> Page<T> {
    let total = rows.len();
    let sort_of = |row: &Row<T>| {
        let at = if paging.order.by_creation { row.created_at } else { row.updated_at };
        (at.saturating_mul(1_000), row.id)
    };
    rows.sort_by_key(|row| sort_of(row));
    if !paging.order.ascending {
        rows.reverse();
    }
    let (at, number) = match paging.after {
        None => (None, 1),
        Some((sort_ms, id, number)) => (Some((sort_ms, id)), number),
    };
    let beyond = |row: &Row<T>| match at {
        None => true,
        Some(after) if paging.order.ascending => sort_of(row) > after,
        Some(after) => sort_of(row) < after,
    };
    rows.retain(beyond);
    let more = rows.len() > paging.per_page;
    rows.truncate(paging.per_page);
    let mut pages = json!({"type": "pages", "page": number, "per_page": paging.per_page,
        "total_pages": total.div_ceil(paging.per_page)});
    if let Some(last) = rows.last().filter(|_| more) {
        let (sort_ms, id) = sort_of(last);
        let id = if hex_ids { json!(format!("{id:024x}")) } else { json!(i64::try_from(id).unwrap_or(0)) };
        let cursor = STANDARD.encode(json!([sort_ms, id, number.saturating_add(1)]).to_string());
        pages["next"] = json!({"per_page": paging.per_page, "starting_after": cursor});
    }
    Page { rows: rows.into_iter().map(|row| row.of).collect(), total, pages }
}

impl World {
    /// Big pages do not come in time: now a 408, now a gateway's 504.
    fn in_time(&self, rows: usize, now: i64) -> Result<(), Answer> {
        if self.options.slow_rows.is_none_or(|slow| rows <= slow) {
            return Ok(());
        }
        if now.rem_euclid(2) == 0 {
            return Err(Answer::error(408, "request_timeout", "The server timed out handling the request"));
        }
        let page = bytes::Bytes::from_static(b"<html><body><h1>504 Gateway Time-out</h1></body></html>");
        let headers = Vec::new();
        Err(Answer { status: 504, content: Content::File("text/html".to_owned(), page), headers })
    }

    fn rows(&self, now: i64, wanted: impl Fn(&Thread, &Head) -> bool) -> Vec<Row<(&Thread, &Head)>> {
        let lag = self.options.index_lag_secs;
        let seen = self.threads.values().filter_map(|thread| Some((thread, thread.indexed(now, lag)?)));
        let rows = seen.filter(|(thread, head)| wanted(thread, head)).map(|(thread, head)| Row {
            created_at: thread.created_at,
            updated_at: head.updated_at,
            id: i128::from(thread.id),
            of: (thread, head),
        });
        rows.collect()
    }
}

fn conversations_answer(world: &World, call: &Call, page: Page<(&Thread, &Head)>) -> Result<Answer, Answer> {
    world.in_time(page.rows.len(), call.now)?;
    let style = super::conversations::style(call);
    let shown = page.rows.iter().map(|(thread, head)| world.conversation_row(thread, head, &style));
    let shown: Vec<Value> = shown.map(Value::Object).collect();
    Ok(Answer::ok(json!({"type": "conversation.list", "conversations": shown, "total_count": page.total,
        "pages": page.pages})))
}

/// `GET /conversations`.
pub(super) fn list_conversations(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let paging = Paging::of_list(call, 20)?;
    let rows = world.rows(call.now, |thread, _| thread.is_conversation);
    conversations_answer(world, call, page(rows, &paging, false))
}

fn read_filter(world: &World, call: &Call, kinds: Kinds) -> Result<Filter, Answer> {
    let query = call.given("query").ok_or_else(|| Answer::missing("query"))?;
    filter::read(query, &|field| super::fields::kind(world, kinds, field), kinds == Kinds::Contacts)
}

/// `POST /conversations/search`.
pub(super) fn conversations(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let filter = read_filter(world, call, Kinds::Conversations)?;
    let paging = Paging::of_search(call, 20)?;
    let rows = world.rows(call.now, |thread, head| {
        thread.is_conversation && filter.takes(&Doc::Conversation(world, thread, head))
    });
    conversations_answer(world, call, page(rows, &paging, false))
}

/// `POST /tickets/search`.
pub(super) fn tickets(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let filter = read_filter(world, call, Kinds::Tickets)?;
    let paging = Paging::of_search(call, 20)?;
    let rows = world.rows(call.now, |thread, head| {
        head.card.as_ref().is_some_and(|card| filter.takes(&Doc::Ticket(world, thread, head, card)))
    });
    let page = page(rows, &paging, false);
    world.in_time(page.rows.len(), call.now)?;
    let style = super::conversations::style(call);
    let shown = page.rows.iter().map(|(thread, head)| world.ticket_json(thread, head, None, &style));
    let shown: Vec<Value> = shown.collect();
    Ok(Answer::ok(
        json!({"type": "ticket.list", "tickets": shown, "total_count": page.total, "pages": page.pages}),
    ))
}

/// `POST /contacts/search`. A new contact is found late.
pub(super) fn contacts(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let filter = read_filter(world, call, Kinds::Contacts)?;
    let paging = Paging::of_search(call, 50)?;
    contacts_answer(world, call, &paging, Some(&filter))
}

/// `GET /contacts`.
pub(super) fn list_contacts(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let paging = Paging::of_list(call, 50)?;
    contacts_answer(world, call, &paging, None)
}

fn contacts_answer(
    world: &World,
    call: &Call,
    paging: &Paging,
    filter: Option<&Filter>,
) -> Result<Answer, Answer> {
    let lag = world.options.contact_lag_secs;
    let seen = world.contacts.values().filter(|contact| {
        let indexed = filter.is_none() || call.now.saturating_sub(contact.created_at) >= lag;
        !contact.archived && indexed && filter.is_none_or(|filter| filter.takes(&Doc::Contact(contact)))
    });
    let rows = seen.map(|contact| Row {
        created_at: contact.created_at,
        updated_at: contact.updated_at,
        id: i128::from_str_radix(&contact.id, 16).unwrap_or(0),
        of: contact,
    });
    let page = page(rows.collect(), paging, true);
    let shown: Vec<Value> =
        page.rows.iter().map(|contact| super::people::contact_json(world, contact)).collect();
    Ok(Answer::ok(json!({"type": "list", "data": shown, "total_count": page.total, "pages": page.pages})))
}
