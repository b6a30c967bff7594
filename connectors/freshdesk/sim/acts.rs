//! What people do on Freshdesk's own screens, and what they see there.

use handoffd_core::{Priority, RemoteId, Status, Timestamp};

use super::{
    html, more_acts,
    world::{CLOSED, Draft, Fields, OPEN, PENDING, RESOLVED, Ticket, WAITING_ON_THIRD_PARTY, World},
};
use crate::sim::{HumanAct, Who};

/// Does it, or says why the vendor refuses.
pub(super) fn act(world: &mut World, act: HumanAct, now: Timestamp) -> Result<RemoteId, String> {
    match act {
        HumanAct::MakeField { title, kind, options } => {
            more_acts::make_field(world, &title, kind, options).map(RemoteId)
        }
        HumanAct::MakeStatus { label, status } => {
            more_acts::make_status(world, label, status).map(RemoteId::from)
        }
        other => on_ticket(world, other, now).map(RemoteId::from),
    }
}

fn label(
    world: &mut World,
    ticket: &RemoteId,
    add: Vec<String>,
    remove: &[String],
    now: Timestamp,
) -> Result<i64, String> {
    change(world, ticket, now, |fields| {
        if add.iter().any(|tag| tag.chars().count() > 32) {
            return Err("a tag has at most 32 characters".to_owned());
        }
        fields.tags.retain(|tag| !remove.contains(tag));
        for tag in add {
            if !fields.tags.contains(&tag) {
                fields.tags.push(tag);
            }
        }
        Ok(())
    })
}

fn on_ticket(world: &mut World, act: HumanAct, now: Timestamp) -> Result<i64, String> {
    match act {
        HumanAct::Open { name, email, subject, text, to_bot } => {
            Ok(open(world, &name, &email, subject, &text, to_bot, now))
        }
        HumanAct::Say { ticket, who, text, public } => say(world, &ticket, &who, &text, public, now),
        HumanAct::SetSubject { ticket, subject } => change(world, &ticket, now, |fields| {
            fields.subject = subject;
            Ok(())
        }),
        HumanAct::SetStatus { ticket, status } => {
            let status = status_id(status).ok_or("there is no status New")?;
            change(world, &ticket, now, |fields| {
                fields.status = status;
                Ok(())
            })
        }
        HumanAct::SetPriority { ticket, priority } => {
            let priority = priority.map(priority_id).ok_or("a ticket always has a priority")?;
            change(world, &ticket, now, |fields| {
                fields.priority = priority;
                Ok(())
            })
        }
        HumanAct::Tag { ticket, add, remove } => label(world, &ticket, add, &remove, now),
        HumanAct::Assign { ticket, to } => assign(world, &ticket, to.as_ref(), now),
        HumanAct::Delete { ticket } => {
            let id = find(world, &ticket)?.id;
            world.set_deleted(id, true, now);
            Ok(id)
        }
        HumanAct::SayRich { ticket, who, html, public, files } => {
            more_acts::say_rich(world, &ticket, &who, &html, public, &files, now)
        }
        HumanAct::SetField { ticket, field, value } => {
            more_acts::set_field(world, &ticket, field, value, now)
        }
        HumanAct::SetCustom { ticket, native, value } => {
            more_acts::set_custom(world, &ticket, &native, value, now)
        }
        HumanAct::SetStatusDetail { ticket, native } => {
            let known = world.statuses.iter().find(|status| status.id.to_string() == native);
            let id = known.map(|status| status.id).ok_or("there is no such status")?;
            change(world, &ticket, now, |fields| {
                fields.status = id;
                Ok(())
            })
        }
        HumanAct::Hide { .. } => Err("what was said publicly stays public".to_owned()),
        HumanAct::Redact { ticket, comment } => more_acts::redact(world, &ticket, &comment, now),
        HumanAct::Edit { ticket, comment, text } => more_acts::edit(world, &ticket, &comment, &text, now),
        HumanAct::Merge { ticket, into } => more_acts::merge(world, &ticket, &into, now),
        HumanAct::Spam { ticket } => {
            let id = find(world, &ticket)?.id;
            world.set_spam(id, now);
            Ok(id)
        }
        HumanAct::Rate { ticket, percent, comment } => {
            let id = find(world, &ticket)?.id;
            super::ratings::rate(world, id, percent, comment, now);
            Ok(id)
        }
        HumanAct::MakeField { .. } | HumanAct::MakeStatus { .. } => Err("it is of no ticket".to_owned()),
    }
}

fn open(
    world: &mut World,
    name: &str,
    email: &str,
    subject: String,
    text: &str,
    to_bot: bool,
    now: Timestamp,
) -> i64 {
    let requester = world.contact_for(email, Some(name), now);
    let blank = world.blank_fields(requester, now);
    let fields = Fields {
        subject,
        description: html::from_plain(text),
        source: 1,
        responder_id: to_bot.then_some(world.bot),
        group_id: Some(if to_bot { world.ai_agents } else { world.support }),
        ..blank
    };
    world.open(fields, now)
}

/// A ticket that people see.
pub(super) fn find<'a>(world: &'a World, ticket: &RemoteId) -> Result<&'a Ticket, String> {
    let id = ticket.as_str().parse::<i64>().map_err(|_| format!("no ticket {ticket}"))?;
    world.live(id).ok_or_else(|| format!("no ticket {ticket}, or it is in the trash"))
}

/// Says something in plain words.
fn say(
    world: &mut World,
    ticket: &RemoteId,
    who: &Who,
    text: &str,
    public: bool,
    now: Timestamp,
) -> Result<i64, String> {
    let draft = draft(world, ticket, who, public, now)?;
    let id = find(world, ticket)?.id;
    world.say(id, Draft { body: html::from_plain(text), ..draft }, now);
    Ok(id)
}

/// A message of somebody, still without words.
pub(super) fn draft(
    world: &mut World,
    ticket: &RemoteId,
    who: &Who,
    public: bool,
    now: Timestamp,
) -> Result<Draft, String> {
    let requester = find(world, ticket)?.fields.requester_id;
    let user_id = match who {
        Who::Customer if !public => return Err("a customer writes no private notes".to_owned()),
        Who::Customer => requester,
        Who::Agent(first) => world.hire(first, now),
        Who::Bot => world.bot,
    };
    Ok(Draft {
        user_id,
        incoming: *who == Who::Customer,
        private: !public,
        source: if public { 0 } else { 2 },
        body: String::new(),
        cc_emails: Vec::new(),
        bcc_emails: Vec::new(),
        attachments: Vec::new(),
    })
}

fn assign(world: &mut World, ticket: &RemoteId, to: Option<&Who>, now: Timestamp) -> Result<i64, String> {
    find(world, ticket)?;
    let (responder, group) = match to {
        None => (None, None),
        Some(Who::Customer) => return Err("a ticket is not given to a customer".to_owned()),
        Some(Who::Agent(first)) => (Some(world.hire(first, now)), Some(world.support)),
        Some(Who::Bot) => (Some(world.bot), Some(world.ai_agents)),
    };
    change(world, ticket, now, |fields| {
        fields.responder_id = responder;
        fields.group_id = group;
        Ok(())
    })
}

/// Sets fields as a person does.
pub(super) fn change(
    world: &mut World,
    ticket: &RemoteId,
    now: Timestamp,
    edit: impl FnOnce(&mut Fields) -> Result<(), String>,
) -> Result<i64, String> {
    let ticket = find(world, ticket)?;
    let (id, mut fields) = (ticket.id, ticket.fields.clone());
    edit(&mut fields)?;
    world.set_fields(id, fields, now);
    Ok(id)
}

/// What people mean by a status of a fresh account.
pub(super) fn meaning(id: i64) -> Status {
    match id {
        PENDING | super::world::WAITING_ON_CUSTOMER => Status::Pending,
        WAITING_ON_THIRD_PARTY => Status::OnHold,
        RESOLVED => Status::Solved,
        CLOSED => Status::Closed,
        _ => Status::Open,
    }
}

/// The status that people pick for a word.
pub(super) fn status_id(status: Status) -> Option<i64> {
    Some(match status {
        Status::New => return None,
        Status::Open => OPEN,
        Status::Pending => PENDING,
        Status::OnHold => WAITING_ON_THIRD_PARTY,
        Status::Solved => RESOLVED,
        Status::Closed => CLOSED,
    })
}

fn priority_id(priority: Priority) -> i64 {
    match priority {
        Priority::Low => 1,
        Priority::Normal => 2,
        Priority::High => 3,
        Priority::Urgent => 4,
    }
}
