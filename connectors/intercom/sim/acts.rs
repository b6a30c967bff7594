//! What people do on Intercom's own screens, and what they see there.

use std::collections::BTreeMap;

use handoffd_core::{Priority, RemoteId, Status};
use serde_json::json;

use super::{
    catalog::{DESCRIPTION, TITLE},
    change::{Draft, Opening},
    html,
    tickets::Edit,
    world::{Author, Card, Head, State, Thread, World},
};
use crate::sim::{HumanAct, ShownComment, ShownTicket, Who};

/// How long a person snoozes, in seconds.
const SNOOZE_SECS: i64 = 24 * 3_600;

/// Does it, or says why the vendor refuses.
pub(super) fn act(world: &mut World, act: HumanAct, now: i64) -> Result<i64, String> {
    match act {
        HumanAct::Open { name, email, subject, text, to_bot } => {
            Ok(open(world, (&name, &email), &subject, &text, to_bot, now))
        }
        HumanAct::Say { ticket, who, text, public } => say(world, &ticket, &who, &text, public, now),
        HumanAct::SetSubject { ticket, subject } => set_subject(world, &ticket, subject, now),
        HumanAct::SetStatus { ticket, status } => set_status(world, &ticket, status, now),
        HumanAct::SetPriority { ticket, priority } => set_priority(world, &ticket, priority, now),
        HumanAct::Tag { ticket, add, remove } => tag(world, &ticket, &add, &remove, now),
        HumanAct::Assign { ticket, to } => assign(world, &ticket, to.as_ref(), now),
        HumanAct::Delete { ticket } => {
            let id = find(world, &ticket)?.id;
            world.delete(id, now);
            Ok(id)
        }
    }
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
    let opening = Opening {
        is_conversation: true,
        kind: "email",
        delivered_as: "customer_initiated",
        subject: html::from_plain(subject),
        body: html::from_plain(text),
        author: Author::Contact(contact.clone()),
        contacts: vec![contact],
        files: Vec::new(),
        admin: to_bot.then_some(world.bot),
        team: Some(if to_bot { world.ai_agents } else { world.support }),
        card: None,
        created_at: now,
    };
    let id = world.open(opening, now);
    world.notify(id, "conversation.user.created", None, now);
    id
}

fn find<'a>(world: &'a World, ticket: &RemoteId) -> Result<&'a Thread, String> {
    let id = ticket.as_str().parse::<i64>().map_err(|_| format!("no conversation {ticket}"))?;
    world.live(id).ok_or_else(|| format!("no conversation {ticket}"))
}

/// The human who changes things when nobody is named.
fn somebody(world: &mut World) -> i64 {
    world.hire("Maya")
}

fn say(
    world: &mut World,
    ticket: &RemoteId,
    who: &Who,
    text: &str,
    public: bool,
    now: i64,
) -> Result<i64, String> {
    let thread = find(world, ticket)?;
    let (id, customer) = (thread.id, thread.head.contacts.first().cloned());
    let back_office = thread.head.card.as_ref().is_some_and(|card| !card.shared) && !thread.is_conversation;
    let author = match who {
        Who::Customer if !public => return Err("a customer writes no private notes".to_owned()),
        Who::Customer if back_office => return Err("customers do not see this ticket".to_owned()),
        Who::Customer => Author::Contact(customer.ok_or("the conversation has no customer")?),
        Who::Agent(first) => Author::Admin(world.hire(first)),
        Who::Bot => Author::Admin(world.bot),
    };
    let kind = if public { "comment" } else { "note" };
    let draft = Draft { body: Some(html::from_plain(text)), ..Draft::plain(kind, author, false, now) };
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

/// The conversation or ticket as a person sees it.
pub(super) fn shown(world: &World, thread: &Thread) -> ShownTicket {
    let head = &thread.head;
    let admin = head.admin.and_then(|id| world.admins.get(&id));
    let assignee = admin.map(|admin| admin.first_name.clone().unwrap_or_else(|| "bot".to_owned()));
    let mut tags: Vec<String> =
        head.tags.iter().filter_map(|tagged| world.tags.get(&tagged.tag).cloned()).collect();
    tags.sort();
    let requester = head.contacts.first().and_then(|id| world.contacts.get(id));
    ShownTicket {
        id: RemoteId::from(thread.id),
        subject: world.subject(thread),
        status: status(world, thread, head),
        priority: thread.is_conversation.then_some(if head.priority {
            Priority::High
        } else {
            Priority::Normal
        }),
        tags,
        requester: requester.and_then(|contact| contact.email.clone()).unwrap_or_default(),
        assignee,
        deleted: thread.deleted,
        comments: comments(thread),
    }
}

fn status(world: &World, thread: &Thread, head: &Head) -> Status {
    let card = head.card.as_ref().filter(|_| !thread.is_conversation);
    match card.and_then(|card| world.ticket_state(card.state_id)) {
        Some(state) => match state.category {
            "submitted" => Status::New,
            "waiting_on_customer" => Status::Pending,
            "resolved" => Status::Solved,
            _ => Status::Open,
        },
        None => match head.state {
            State::Open => Status::Open,
            State::Snoozed => Status::Pending,
            State::Closed => Status::Solved,
        },
    }
}

fn comments(thread: &Thread) -> Vec<ShownComment> {
    let card = thread.head.card.as_ref().filter(|_| !thread.is_conversation);
    let hidden = card.is_some_and(|card| !card.shared);
    let said = thread.parts.iter().filter_map(|part| {
        Some(ShownComment {
            id: RemoteId::from(part.id),
            public: part.is_public() && !hidden,
            by_customer: matches!(part.author, Author::Contact(_)),
            text: html::to_text(part.body.as_deref()?),
        })
    });
    std::iter::once(opening(thread, card, hidden)).chain(said).collect()
}

fn opening(thread: &Thread, card: Option<&Card>, hidden: bool) -> ShownComment {
    let by_customer = matches!(thread.source.author, Author::Contact(_));
    match card {
        None => ShownComment {
            id: RemoteId::from(thread.source.id),
            public: true,
            by_customer,
            text: html::to_text(&thread.source.body),
        },
        Some(card) => ShownComment {
            id: RemoteId::from("description"),
            public: !hidden,
            by_customer,
            text: card
                .attributes
                .get(DESCRIPTION)
                .and_then(|text| text.as_str())
                .unwrap_or_default()
                .to_owned(),
        },
    }
}
