//! Reading tickets, and the trash.

use std::cmp::Ordering;

use handoffd_core::Timestamp;
use serde_json::Value;

use super::{
    files::Look,
    http::{Answer, Call, Checks, Paging, invalid},
    shape,
    world::{OPEN, Ticket, World},
};

/// Without `updated_since` a list has only tickets created in this time.
const LIST_DEFAULT_MS: i64 = 30 * 24 * 3_600_000;
/// The last page that a list gives out.
const LAST_PAGE: usize = 300;
const LIST_INCLUDES: &[&str] = &["requester", "stats", "company", "description"];
const VIEW_INCLUDES: &[&str] = &["conversations", "requester", "company", "stats"];

/// `GET /tickets`.
///
/// `updated_since` is taken as inclusive and combines with every filter: neither is verified.
pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    call.only(&[
        "filter",
        "requester_id",
        "email",
        "unique_external_id",
        "company_id",
        "updated_since",
        "order_by",
        "order_type",
        "include",
        "page",
        "per_page",
    ])?;
    check_includes(call, LIST_INCLUDES)?;
    let paging = Paging::of(call, Some(LAST_PAGE))?;
    let wanted = Wanted::read(world, call)?;
    let mut found: Vec<&Ticket> =
        world.tickets.values().filter(|ticket| wanted.takes(ticket, world, call.now)).collect();
    let order = order(call)?;
    found.sort_by(|one, other| order(one, other));
    let includes = call.includes();
    let look = world.look(call);
    Ok(paging.answer(call, &found, |ticket| row(world, &look, ticket, &includes)))
}

fn row(world: &World, look: &Look<'_>, ticket: &Ticket, includes: &[&str]) -> Value {
    let mut row = shape::ticket_row(ticket);
    if includes.contains(&"description") {
        shape::add_description(&mut row, look, ticket);
    }
    add_embedded(&mut row, world, ticket, includes);
    Value::Object(row)
}

fn add_embedded(row: &mut serde_json::Map<String, Value>, world: &World, ticket: &Ticket, includes: &[&str]) {
    if includes.contains(&"requester") {
        row.insert("requester".to_owned(), shape::requester(world, ticket.fields.requester_id));
    }
    if includes.contains(&"stats") {
        row.insert("stats".to_owned(), shape::stats(ticket));
    }
    if includes.contains(&"company") {
        let company = ticket.fields.company_id.and_then(|id| world.companies.get(&id));
        let shown = company.map(|company| serde_json::json!({"id": company.id, "name": company.name}));
        row.insert("company".to_owned(), shown.unwrap_or_else(|| Value::Object(serde_json::Map::new())));
    }
}

fn check_includes(call: &Call, known: &[&str]) -> Result<(), Answer> {
    if call.includes().iter().all(|name| known.contains(name)) {
        return Ok(());
    }
    Err(invalid("include", format!("It should be one of these values: '{}'", known.join(", "))))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Filter {
    All,
    NewAndMyOpen,
    Watching,
    Spam,
    Deleted,
}

struct Wanted {
    filter: Filter,
    requester: Option<i64>,
    company: Option<i64>,
    since: Option<Timestamp>,
}

impl Wanted {
    fn read(world: &World, call: &Call) -> Result<Self, Answer> {
        let filter = match call.param("filter") {
            None => Filter::All,
            Some("new_and_my_open") => Filter::NewAndMyOpen,
            Some("watching") => Filter::Watching,
            Some("spam") => Filter::Spam,
            Some("deleted") => Filter::Deleted,
            Some(_) => {
                let names = "new_and_my_open,watching,spam,deleted";
                return Err(invalid("filter", format!("It should be one of these values: '{names}'")));
            }
        };
        let since = match call.param("updated_since") {
            None => None,
            Some(text) => Some(Timestamp::parse(text).map_err(|_| {
                invalid("updated_since", "The date must be in the 'combined date and time ISO8601' format")
            })?),
        };
        let company = call.param("company_id").map(|text| text.parse::<i64>().unwrap_or(0));
        if company.is_some_and(|id| !world.companies.contains_key(&id)) {
            return Err(invalid("company_id", "There is no company matching the given company_id"));
        }
        Ok(Self { filter, requester: requester(world, call)?, company, since })
    }

    fn takes(&self, ticket: &Ticket, world: &World, now: Timestamp) -> bool {
        let deleted = ticket.deleted_at.is_some();
        let fields = &ticket.fields;
        let shown = match self.filter {
            Filter::Deleted => deleted && !ticket.is_gone(now),
            Filter::Spam => ticket.spam && !deleted,
            Filter::All => !deleted && !ticket.spam,
            Filter::NewAndMyOpen => {
                let mine = fields.responder_id.is_none_or(|agent| agent == world.me);
                !deleted && !ticket.spam && fields.status == OPEN && mine
            }
            Filter::Watching => false,
        };
        let fresh = match self.since {
            Some(since) => ticket.updated_at >= since,
            None => now.0.saturating_sub(ticket.created_at.0) <= LIST_DEFAULT_MS,
        };
        let ours = self.company.is_none_or(|company| fields.company_id == Some(company));
        shown && fresh && ours && self.requester.is_none_or(|requester| fields.requester_id == requester)
    }
}

/// The requester that the query names. Nobody of that name is a 400, not an empty list.
fn requester(world: &World, call: &Call) -> Result<Option<i64>, Answer> {
    let nobody = |field: &str| invalid(field, format!("There is no contact matching the given {field}"));
    if let Some(text) = call.param("requester_id") {
        let id = text.parse::<i64>().ok().filter(|id| world.is_person(*id));
        return id.map(Some).ok_or_else(|| nobody("requester_id"));
    }
    if let Some(email) = call.param("email") {
        return world.person_by_email(email).map(Some).ok_or_else(|| nobody("email"));
    }
    if let Some(external) = call.param("unique_external_id") {
        let mut contacts = world.contacts.values();
        let found = contacts.find(|contact| contact.unique_external_id.as_deref() == Some(external));
        return found.map(|contact| Some(contact.id)).ok_or_else(|| nobody("unique_external_id"));
    }
    Ok(None)
}

type Order = Box<dyn Fn(&Ticket, &Ticket) -> Ordering>;

fn order(call: &Call) -> Result<Order, Answer> {
    let by: fn(&Ticket) -> i64 = match call.param("order_by") {
        None | Some("created_at") => |ticket| ticket.created_at.0,
        Some("updated_at") => |ticket| ticket.updated_at.0,
        Some("due_by") => |ticket| ticket.fields.due_by.0,
        Some("status") => |ticket| ticket.fields.status,
        Some(_) => {
            let names = "created_at,due_by,updated_at,status";
            return Err(invalid("order_by", format!("It should be one of these values: '{names}'")));
        }
    };
    let up = move |one: &Ticket, other: &Ticket| (by(one), one.id).cmp(&(by(other), other.id));
    match call.param("order_type") {
        None | Some("desc") => Ok(Box::new(move |one, other| up(other, one))),
        Some("asc") => Ok(Box::new(up)),
        Some(_) => Err(invalid("order_type", "It should be one of these values: 'asc,desc'")),
    }
}

/// `GET /tickets/{id}`. Embeds at most the ten oldest conversations.
pub(super) fn view(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    call.only(&["include"])?;
    check_includes(call, VIEW_INCLUDES)?;
    let ticket = world.kept(call.id, call.now).ok_or_else(Answer::not_found)?;
    if ticket.deleted_at.is_some() && !world.options.trash_readable {
        return Err(forbidden());
    }
    let look = world.look(call);
    let mut shown = shape::ticket(&look, ticket);
    let includes = call.includes();
    add_embedded(&mut shown, world, ticket, &includes);
    if includes.contains(&"conversations") {
        let oldest = ticket.conversations.iter().take(10);
        let listed = oldest.map(|said| shape::conversation(&look, ticket.id, said)).collect();
        shown.insert("conversations".to_owned(), listed);
    }
    Ok(Answer::ok(Value::Object(shown)))
}

/// The 403 of somebody signed in who may not.
pub(super) fn forbidden() -> Answer {
    Answer::json(
        403,
        serde_json::json!({"code": "access_denied",
            "message": "You are not authorized to perform this action."}),
    )
}

/// `DELETE /tickets/{id}`: to the trash.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    world.live(call.id).ok_or_else(Answer::not_found)?;
    world.set_deleted(call.id, true, call.now);
    Ok(Answer::empty(204))
}

/// `PUT /tickets/{id}/restore`.
pub(super) fn restore(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let ticket = world.kept(call.id, call.now).ok_or_else(Answer::not_found)?;
    if ticket.deleted_at.is_none() {
        return Err(Answer::not_found());
    }
    world.set_deleted(call.id, false, call.now);
    Ok(Answer::empty(204))
}

/// Checks a status id.
pub(super) fn check_status(world: &World, checks: &mut Checks, status: i64) {
    if !world.statuses.iter().any(|known| known.id == status) {
        let ids: Vec<String> = world.statuses.iter().map(|known| known.id.to_string()).collect();
        checks.invalid("status", format!("It should be one of these values: '{}'", ids.join(",")));
    }
}
