//! What people do on Freshdesk's own screens, and what they see there.

use handoffd_core::{Priority, RemoteId, Status, Timestamp};

use super::{
    html,
    world::{
        CLOSED, Draft, Fields, OPEN, PENDING, RESOLVED, Ticket, WAITING_ON_CUSTOMER, WAITING_ON_THIRD_PARTY,
        World,
    },
};
use crate::sim::{HumanAct, ShownComment, ShownTicket, Who};

/// Does it, or says why the vendor refuses.
pub(super) fn act(world: &mut World, act: HumanAct, now: Timestamp) -> Result<i64, String> {
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
        HumanAct::Tag { ticket, add, remove } => change(world, &ticket, now, |fields| {
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
        }),
        HumanAct::Assign { ticket, to } => assign(world, &ticket, to.as_ref(), now),
        HumanAct::Delete { ticket } => {
            let id = find(world, &ticket)?.id;
            world.set_deleted(id, true, now);
            Ok(id)
        }
        HumanAct::SayRich { .. }
        | HumanAct::SetField { .. }
        | HumanAct::MakeField { .. }
        | HumanAct::SetCustom { .. }
        | HumanAct::MakeStatus { .. }
        | HumanAct::SetStatusDetail { .. }
        | HumanAct::Hide { .. }
        | HumanAct::Redact { .. }
        | HumanAct::Edit { .. }
        | HumanAct::Merge { .. }
        | HumanAct::Spam { .. }
        | HumanAct::Rate { .. } => Err("nobody can do this here".to_owned()),
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

fn find<'a>(world: &'a World, ticket: &RemoteId) -> Result<&'a Ticket, String> {
    let id = ticket.as_str().parse::<i64>().map_err(|_| format!("no ticket {ticket}"))?;
    world.live(id).ok_or_else(|| format!("no ticket {ticket}, or it is in the trash"))
}

fn say(
    world: &mut World,
    ticket: &RemoteId,
    who: &Who,
    text: &str,
    public: bool,
    now: Timestamp,
) -> Result<i64, String> {
    let (id, requester) = find(world, ticket).map(|ticket| (ticket.id, ticket.fields.requester_id))?;
    let by_customer = *who == Who::Customer;
    let user_id = match who {
        Who::Customer if !public => return Err("a customer writes no private notes".to_owned()),
        Who::Customer => requester,
        Who::Agent(first) => world.hire(first, now),
        Who::Bot => world.bot,
    };
    let draft = Draft {
        user_id,
        incoming: by_customer,
        private: !public,
        source: if public { 0 } else { 2 },
        body: html::from_plain(text),
        cc_emails: Vec::new(),
        bcc_emails: Vec::new(),
        attachments: Vec::new(),
    };
    world.say(id, draft, now);
    Ok(id)
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

fn change(
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

fn status_id(status: Status) -> Option<i64> {
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

/// The ticket as a person sees it.
pub(super) fn shown(world: &World, ticket: &Ticket) -> ShownTicket {
    let fields = &ticket.fields;
    let status = match fields.status {
        PENDING | WAITING_ON_CUSTOMER => Status::Pending,
        WAITING_ON_THIRD_PARTY => Status::OnHold,
        RESOLVED => Status::Solved,
        CLOSED => Status::Closed,
        _ => Status::Open,
    };
    let priority = match fields.priority {
        1 => Priority::Low,
        2 => Priority::Normal,
        3 => Priority::High,
        _ => Priority::Urgent,
    };
    let assignee = fields.responder_id.and_then(|id| world.agents.get(&id));
    let assignee = assignee.map(|agent| agent.first_name.clone().unwrap_or_else(|| "bot".to_owned()));
    let mut tags = fields.tags.clone();
    tags.sort();
    ShownTicket {
        id: RemoteId::from(ticket.id),
        subject: fields.subject.clone(),
        status,
        priority: Some(priority),
        tags,
        requester: world.email_of(fields.requester_id).unwrap_or("").to_owned(),
        assignee,
        deleted: ticket.deleted_at.is_some(),
        comments: comments(world, ticket),
        ccs: Vec::new(),
        created_at: Timestamp::default(),
        custom: std::collections::BTreeMap::new(),
        due_at: None,
        follows: None,
        kind: None,
        merged_into: None,
        status_detail: None,
    }
}

fn comments(world: &World, ticket: &Ticket) -> Vec<ShownComment> {
    let opening = ShownComment {
        id: RemoteId::from("description"),
        public: true,
        by_customer: world.contacts.contains_key(&ticket.fields.requester_id),
        text: html::to_text(&ticket.fields.description),
        at: Timestamp::default(),
        author: String::new(),
        files: Vec::new(),
        html: String::new(),
    };
    let said = ticket.conversations.iter().map(|said| ShownComment {
        id: RemoteId::from(said.id),
        public: !said.private,
        by_customer: said.incoming && !world.agents.contains_key(&said.user_id),
        text: html::to_text(&said.body),
        at: Timestamp::default(),
        author: String::new(),
        files: Vec::new(),
        html: String::new(),
    });
    std::iter::once(opening).chain(said).collect()
}
