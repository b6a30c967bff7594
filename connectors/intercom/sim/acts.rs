//! What people do on Intercom's own screens.

use std::collections::BTreeMap;

use handoffd_core::{Field, Priority, RemoteId, Status};
use serde_json::json;

use super::{
    catalog::TITLE,
    change::{Draft, Opening},
    custom, html,
    tickets::{self, Edit},
    world::{Author, State, Thread, World},
};
use crate::sim::{HumanAct, Who};

/// How long a person snoozes, in seconds.
const SNOOZE_SECS: i64 = 24 * 3_600;

/// Does it, or says why the vendor refuses.
pub(super) fn act(world: &mut World, act: HumanAct, now: i64) -> Result<String, String> {
    let id = match act {
        HumanAct::Open { name, email, subject, text, to_bot } => {
            open(world, (&name, &email), &subject, &text, to_bot, now)
        }
        HumanAct::Say { ticket, who, text, public } => {
            let message = Message { body: html::from_plain(&text), files: Vec::new(), public };
            write(world, &ticket, &who, message, now)?
        }
        HumanAct::SetSubject { ticket, subject } => set_subject(world, &ticket, subject, now)?,
        HumanAct::SetStatus { ticket, status } => set_status(world, &ticket, status, now)?,
        HumanAct::SetPriority { ticket, priority } => set_priority(world, &ticket, priority, now)?,
        HumanAct::Tag { ticket, add, remove } => tag(world, &ticket, &add, &remove, now)?,
        HumanAct::Assign { ticket, to } => assign(world, &ticket, to.as_ref(), now)?,
        HumanAct::Delete { ticket } => {
            let id = find(world, &ticket)?.id;
            world.delete(id, now);
            id
        }
        other => return more(world, other, now),
    };
    Ok(world.named(id).0)
}

/// What people do with files, fields, states and verdicts.
fn more(world: &mut World, act: HumanAct, now: i64) -> Result<String, String> {
    let id = match act {
        HumanAct::SayRich { ticket, who, html, public, files } => {
            let (body, files) = world.with_files(&html, files);
            write(world, &ticket, &who, Message { body, files, public }, now)?
        }
        HumanAct::SetField { ticket, field: Field::Ccs, value } => {
            let id = find(world, &ticket)?.id;
            custom::set_ccs(world, id, &value, now)?
        }
        HumanAct::SetField { field, .. } => return Err(format!("nobody can set {}", field.name())),
        HumanAct::MakeField { title, kind, options } => {
            return custom::make_field(world, &title, kind, &options, now);
        }
        HumanAct::SetCustom { ticket, native, value } => {
            let id = find(world, &ticket)?.id;
            let by = somebody(world);
            custom::set(world, id, &native, value.as_ref(), by, now)?
        }
        HumanAct::MakeStatus { label, status } => {
            return Ok(world.add_state(&label, category(status)?).to_string());
        }
        HumanAct::SetStatusDetail { ticket, native } => {
            let id = find(world, &ticket).and_then(|thread| is_ticket(thread).map(|()| thread.id))?;
            let state = native.parse().ok().filter(|id| world.ticket_state(*id).is_some());
            let state = state.ok_or_else(|| format!("there is no state {native}"))?;
            let edit = Edit { by: somebody(world), by_app: false, silent: false, now };
            world.set_ticket_state(id, state, &edit);
            id
        }
        HumanAct::Redact { ticket, comment } => redact(world, &ticket, &comment, now)?,
        HumanAct::Rate { ticket, percent, comment } => {
            let id = find(world, &ticket)?.id;
            let rating = 1 + (u16::from(percent.min(100)) * 4 + 50) / 100;
            world.rate(id, u8::try_from(rating).unwrap_or(5), comment.as_deref().unwrap_or_default(), now);
            id
        }
        _ => return Err("nobody can do this here".to_owned()),
    };
    Ok(world.named(id).0)
}

fn is_ticket(thread: &Thread) -> Result<(), String> {
    if thread.is_conversation { Err("a conversation has no such states".to_owned()) } else { Ok(()) }
}

fn redact(world: &mut World, ticket: &RemoteId, comment: &RemoteId, now: i64) -> Result<i64, String> {
    let thread = find(world, ticket)?;
    let (id, wanted) = (thread.id, comment.as_str());
    let part = thread.parts.iter().find(|part| part.id.to_string() == wanted && part.body.is_some());
    let part = match part {
        Some(part) => Some(part.id),
        None if thread.is_conversation && thread.source.id.to_string() == wanted => None,
        None => return Err(format!("no comment {comment}")),
    };
    world.redact(id, part, now);
    Ok(id)
}

/// A message that somebody is about to write.
struct Message {
    /// HTML.
    body: String,
    files: Vec<i64>,
    public: bool,
}

fn open(
    world: &mut World,
    (name, email): (&str, &str),
    subject: &str,
    text: &str,
    to_bot: bool,
    now: i64,
) -> i64 {
    let contact = world.contact_for(email, Some(name), "user", now);
    let (admin, team) = (to_bot.then_some(world.bot), if to_bot { world.ai_agents } else { world.support });
    if world.options.opens_tickets {
        return tickets::submit(world, contact, (subject, text), (admin, Some(team)), now);
    }
    let opening = Opening {
        is_conversation: true,
        kind: "email",
        delivered_as: "customer_initiated",
        subject: html::from_plain(subject),
        body: html::from_plain(text),
        author: Author::Contact(contact.clone()),
        contacts: vec![contact],
        files: Vec::new(),
        admin,
        team: Some(team),
        card: None,
        created_at: now,
    };
    let id = world.open(opening, now);
    world.notify(id, "conversation.user.created", None, now);
    id
}

fn find<'a>(world: &'a World, ticket: &RemoteId) -> Result<&'a Thread, String> {
    let none = || format!("no conversation {ticket}");
    let id = ticket.as_str().trim_start_matches('t').parse::<i64>().map_err(|_| none())?;
    world.live(id).filter(|_| world.named(id) == *ticket).ok_or_else(none)
}

/// The human who changes things when nobody is named.
fn somebody(world: &mut World) -> i64 {
    world.hire("Maya")
}

fn write(world: &mut World, ticket: &RemoteId, who: &Who, message: Message, now: i64) -> Result<i64, String> {
    let thread = find(world, ticket)?;
    let (id, customer) = (thread.id, thread.head.contacts.first().cloned());
    let back_office = thread.head.card.as_ref().is_some_and(|card| !card.shared) && !thread.is_conversation;
    let author = match who {
        Who::Customer if !message.public => return Err("a customer writes no private notes".to_owned()),
        Who::Customer if back_office => return Err("customers do not see this ticket".to_owned()),
        Who::Customer => Author::Contact(customer.ok_or("the conversation has no customer")?),
        Who::Agent(first) => Author::Admin(world.hire(first)),
        Who::Bot => Author::Admin(world.bot),
    };
    let kind = if message.public { "comment" } else { "note" };
    let draft = Draft::plain(kind, author, false, now);
    let draft = Draft { body: Some(message.body), files: message.files, ..draft };
    let made = match who {
        Who::Customer => world.customer_says(id, draft, now),
        Who::Agent(_) | Who::Bot => world.add(id, draft, now),
    };
    made.map(|_| id).ok_or_else(|| format!("no conversation {ticket}"))
}

fn set_subject(world: &mut World, ticket: &RemoteId, subject: String, now: i64) -> Result<i64, String> {
    let thread = find(world, ticket)?;
    let (id, is_conversation) = (thread.id, thread.is_conversation);
    if is_conversation {
        if let Some(thread) = world.threads.get_mut(&id) {
            thread.head.title = Some(subject);
        }
        world.touch(id, now);
    } else {
        let edit = Edit { by: somebody(world), by_app: false, silent: true, now };
        world.set_attributes(id, BTreeMap::from([(TITLE.to_owned(), json!(subject))]), &edit);
    }
    Ok(id)
}

fn set_status(world: &mut World, ticket: &RemoteId, status: Status, now: i64) -> Result<i64, String> {
    let thread = find(world, ticket)?;
    let (id, state, is_conversation) = (thread.id, thread.head.state, thread.is_conversation);
    if !is_conversation {
        let wanted = category(status)?;
        let wanted = world.ticket_states.iter().find(|state| state.category == wanted);
        let wanted = wanted.map(|state| state.id).ok_or("no such state")?;
        let edit = Edit { by: somebody(world), by_app: false, silent: false, now };
        world.set_ticket_state(id, wanted, &edit);
        return Ok(id);
    }
    let (wanted, kind) = match status {
        Status::Open => (State::Open, "open"),
        Status::Pending => (State::Snoozed, "snoozed"),
        Status::Solved => (State::Closed, "close"),
        Status::New | Status::OnHold | Status::Closed => return Err(no_status(status)),
    };
    if state == wanted {
        return Ok(id);
    }
    let by = somebody(world);
    let until = (wanted == State::Snoozed).then_some(now + SNOOZE_SECS);
    world.set_state(id, wanted, until, Draft::plain(kind, Author::Admin(by), false, now), now);
    Ok(id)
}

fn no_status(status: Status) -> String {
    format!("there is no status {status:?}")
}

fn category(status: Status) -> Result<&'static str, String> {
    Ok(match status {
        Status::New => "submitted",
        Status::Open => "in_progress",
        Status::Pending => "waiting_on_customer",
        Status::Solved => "resolved",
        Status::OnHold | Status::Closed => return Err(no_status(status)),
    })
}

fn set_priority(
    world: &mut World,
    ticket: &RemoteId,
    priority: Option<Priority>,
    now: i64,
) -> Result<i64, String> {
    let thread = find(world, ticket)?;
    let (id, before) = (thread.id, thread.head.priority);
    if !thread.is_conversation {
        return Err("a ticket has no priority".to_owned());
    }
    let wanted = match priority {
        Some(Priority::High) => true,
        Some(Priority::Normal) | None => false,
        Some(Priority::Low | Priority::Urgent) => return Err("there are two priorities only".to_owned()),
    };
    if before != wanted {
        if let Some(thread) = world.threads.get_mut(&id) {
            thread.head.priority = wanted;
        }
        world.touch(id, now);
        world.notify(id, "conversation.priority.updated", None, now);
    }
    Ok(id)
}

fn tag(
    world: &mut World,
    ticket: &RemoteId,
    add: &[String],
    remove: &[String],
    now: i64,
) -> Result<i64, String> {
    let id = find(world, ticket)?.id;
    if add.iter().any(|name| name.trim().is_empty()) {
        return Err("a tag has a name".to_owned());
    }
    let by = somebody(world);
    for name in remove {
        let tag = world.tag_named(name);
        world.untag(id, tag, now);
    }
    for name in add {
        let tag = world.tag_named(name);
        world.tag(id, tag, by, now);
    }
    Ok(id)
}

fn assign(world: &mut World, ticket: &RemoteId, to: Option<&Who>, now: i64) -> Result<i64, String> {
    let thread = find(world, ticket)?;
    let (id, head) = (thread.id, thread.head.clone());
    let (admin, team) = match to {
        None => (None, None),
        Some(Who::Customer) => return Err("a conversation is not given to a customer".to_owned()),
        Some(Who::Agent(first)) => (Some(world.hire(first)), Some(world.support)),
        Some(Who::Bot) => (Some(world.bot), Some(world.ai_agents)),
    };
    let by = admin.filter(|id| *id != world.bot).unwrap_or_else(|| somebody(world));
    let draft = || Draft::plain("assignment", Author::Admin(by), false, now);
    if head.team != team {
        world.assign(id, "team", team, draft(), now);
    }
    if head.admin != admin {
        world.assign(id, "admin", admin, draft(), now);
    }
    Ok(id)
}
