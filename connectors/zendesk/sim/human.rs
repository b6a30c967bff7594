//! People at the helpdesk, and what they would see on the screen.

use handoffd_core::{RemoteId, Status, Timestamp};
use serde_json::Map;

use super::{
    Sim,
    change::{Act, Change, Note},
    fields::in_words,
    state::{Ticket, tags_of},
    text::{html_of, tidy},
    uploads::File,
    world::World,
};
use crate::sim::{HumanAct, ShownComment, ShownTicket, SimFile, Who};

/// The human agent who does what no name was given for.
pub(super) const AGENT: &str = "Alex";

impl Sim {
    /// Carries the act out.
    pub(super) fn carry_out(&mut self, act: HumanAct, now: Timestamp) -> Result<RemoteId, String> {
        match act {
            HumanAct::Open { name, email, subject, text, to_bot } => {
                self.open(&name, &email, subject, &text, to_bot, now)
            }
            HumanAct::Say { ticket, who, text, public } => self.say(&ticket, &who, &text, public, now),
            HumanAct::SetSubject { ticket, subject } => {
                self.edit(&ticket, Change { subject: Some(subject), ..Change::default() }, now)
            }
            HumanAct::SetStatus { ticket, status } => {
                self.edit(&ticket, Change { status: Some(status), ..Change::default() }, now)
            }
            HumanAct::SetPriority { ticket, priority } => {
                self.edit(&ticket, Change { priority: Some(priority), ..Change::default() }, now)
            }
            HumanAct::Tag { ticket, add, remove } => {
                let mut tags = self.shown(&ticket)?.head.tags.clone();
                tags.extend(tags_of(add.iter().map(String::as_str)));
                let gone = tags_of(remove.iter().map(String::as_str));
                tags.retain(|tag| !gone.contains(tag));
                self.edit(&ticket, Change { tags: Some(tags), ..Change::default() }, now)
            }
            HumanAct::Assign { ticket, to } => self.assign(&ticket, to, now),
            HumanAct::Delete { ticket } => {
                let (id, user) = (self.shown(&ticket)?.id, self.world.agent(AGENT, now.as_secs()));
                self.delete(id, &by(user, "web", now)).map_err(|refusal| refusal.text())?;
                Ok(ticket)
            }
            other => self.carry_out_more(other, now),
        }
    }

    pub(super) fn shown(&self, ticket: &RemoteId) -> Result<&Ticket, String> {
        let id: Option<i64> = ticket.as_str().parse().ok();
        id.and_then(|id| self.world.tickets.get(&id))
            .filter(|ticket| ticket.deleted.is_none())
            .ok_or_else(|| format!("there is no ticket {ticket}"))
    }

    fn open(
        &mut self,
        name: &str,
        email: &str,
        subject: String,
        text: &str,
        to_bot: bool,
        now: Timestamp,
    ) -> Result<RemoteId, String> {
        let requester = self.world.customer(name, email, now.as_secs());
        let change = Change {
            subject: Some(subject),
            requester: Some(requester),
            assignee: to_bot.then_some(Some(self.world.bot)),
            note: Some(note(text, requester, true)?),
            ..Change::default()
        };
        let id =
            self.create(change, Some(requester), &by(requester, "email", now)).map_err(|why| why.text())?;
        Ok(RemoteId::from(id))
    }

    fn say(
        &mut self,
        ticket: &RemoteId,
        who: &Who,
        text: &str,
        public: bool,
        now: Timestamp,
    ) -> Result<RemoteId, String> {
        let note = Note { author: None, ..note(text, 0, public)? };
        self.say_note(ticket, who, note, now)
    }

    /// A customer's words open a ticket that waits or is solved.
    pub(super) fn say_note(
        &mut self,
        ticket: &RemoteId,
        who: &Who,
        note: Note,
        now: Timestamp,
    ) -> Result<RemoteId, String> {
        let (id, requester, status) = {
            let ticket = self.shown(ticket)?;
            (ticket.id, ticket.head.requester, ticket.head.status)
        };
        let is_customer = *who == Who::Customer;
        if is_customer && note.public == Some(false) {
            return Err("customers cannot write in private".to_owned());
        }
        let user = match who {
            Who::Customer => requester,
            Who::Agent(name) => self.world.agent(name, now.as_secs()),
            Who::Bot => self.world.bot,
        };
        let waits = matches!(status, Status::Pending | Status::OnHold | Status::Solved);
        let change = Change {
            status: (is_customer && waits).then_some(Status::Open),
            note: Some(Note { author: Some(user), ..note }),
            ..Change::default()
        };
        let act = by(user, if is_customer { "email" } else { "web" }, now);
        self.update(id, &change, &act).map_err(|refusal| refusal.text())?;
        self.limits.edited_by_hand(now);
        Ok(ticket.clone())
    }

    /// Taken from everybody, a ticket goes back to the group of the humans, so
    /// that a bot's letting go is seen by group and assignee alike.
    fn assign(&mut self, ticket: &RemoteId, to: Option<Who>, now: Timestamp) -> Result<RemoteId, String> {
        self.shown(ticket)?;
        let change = match to {
            Some(Who::Customer) => return Err("a customer cannot own a ticket".to_owned()),
            Some(Who::Bot) => Change { assignee: Some(Some(self.world.bot)), ..Change::default() },
            Some(Who::Agent(name)) => {
                let agent = self.world.agent(&name, now.as_secs());
                Change { assignee: Some(Some(agent)), ..Change::default() }
            }
            None => {
                let support = Some(self.world.support_group);
                Change { assignee: Some(None), group: Some(support), ..Change::default() }
            }
        };
        self.edit(ticket, change, now)
    }

    pub(super) fn edit(
        &mut self,
        ticket: &RemoteId,
        change: Change,
        now: Timestamp,
    ) -> Result<RemoteId, String> {
        let id = self.shown(ticket)?.id;
        let user = self.world.agent(AGENT, now.as_secs());
        self.update(id, &change, &by(user, "web", now)).map_err(|refusal| refusal.text())?;
        self.limits.edited_by_hand(now);
        Ok(ticket.clone())
    }

    /// Every ticket, as shown.
    pub(super) fn shown_tickets(&self) -> Vec<ShownTicket> {
        self.world.tickets.values().map(|ticket| self.shown_ticket(ticket)).collect()
    }

    fn shown_ticket(&self, ticket: &Ticket) -> ShownTicket {
        let head = &ticket.head;
        let requester = self.world.users.get(&head.requester).and_then(|user| user.email.clone());
        let assignee = head.assignee.map(|user| {
            let name = self.world.users.get(&user).map(|user| user.name.clone()).unwrap_or_default();
            if user == self.world.bot { "bot".to_owned() } else { name }
        });
        let comment = |comment: &super::state::Comment| ShownComment {
            id: RemoteId::from(comment.id),
            public: comment.public,
            by_customer: !self.world.is_staff(comment.author),
            text: comment.body.clone(),
            at: Timestamp::from_secs(comment.created_at),
            author: self.world.users.get(&comment.author).map(|user| user.name.clone()).unwrap_or_default(),
            files: comment.files.iter().filter_map(|id| self.world.files.get(id)).map(sim_file).collect(),
            html: comment.html.clone(),
        };
        let email = |id: &i64| self.world.users.get(id).and_then(|user| user.email.clone());
        let mut ccs: Vec<String> = head.email_ccs.iter().filter_map(email).collect();
        ccs.sort();
        let detail = Some(head.custom_status).filter(|id| *id != World::custom_status(head.status));
        let custom = head.custom_fields.iter();
        ShownTicket {
            id: RemoteId::from(ticket.id),
            subject: head.subject.clone(),
            status: head.status,
            priority: head.priority,
            tags: head.tags.iter().cloned().collect(),
            requester: requester.unwrap_or_default(),
            assignee,
            deleted: ticket.deleted.is_some(),
            comments: ticket.comments.iter().map(comment).collect(),
            ccs,
            created_at: Timestamp::from_secs(ticket.created_at),
            custom: custom.map(|(id, value)| (id.to_string(), in_words(value))).collect(),
            due_at: head.due_at.as_deref().and_then(|at| Timestamp::parse(at).ok()),
            follows: ticket.follows.map(RemoteId::from),
            kind: head.kind.clone(),
            merged_into: ticket.merged_into.map(RemoteId::from),
            status_detail: detail.map(|id| id.to_string()),
        }
    }
}

pub(super) fn by(user: i64, channel: &'static str, now: Timestamp) -> Act {
    Act { user, channel, client: "Mozilla/5.0".to_owned(), custom: Map::new(), now }
}

fn note(text: &str, author: i64, public: bool) -> Result<Note, String> {
    let body = tidy(text);
    if body.is_empty() {
        return Err("the message is empty".to_owned());
    }
    Ok(Note { author: Some(author), html: html_of(&body), body, public: Some(public), files: Vec::new() })
}

fn sim_file(file: &File) -> SimFile {
    SimFile { name: file.name.clone(), content_type: file.kind.clone(), bytes: file.bytes.to_vec() }
}
