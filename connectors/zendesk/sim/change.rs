//! Every way in which a ticket changes, by the API and by hand alike.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Priority, Status, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::Reply,
    state::{Audit, Comment, Head, Ticket},
    triggers::Occasion,
    view::audited,
    world::World,
};

/// Comments that a ticket can hold.
const COMMENTS_MAX: usize = 5_000;

/// Who does it, and over which channel.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) user: i64,
    /// `api`, `web` or `email`.
    pub(super) channel: &'static str,
    pub(super) client: String,
    /// `metadata.custom`.
    pub(super) custom: Map<String, Value>,
    pub(super) now: Timestamp,
}

/// A new comment.
#[derive(Clone, Debug)]
pub(super) struct Note {
    /// `None`: whoever acts.
    pub(super) author: Option<i64>,
    pub(super) body: String,
    pub(super) html: String,
    /// `None`: as the ticket is.
    pub(super) public: Option<bool>,
    /// Uploaded files.
    pub(super) files: Vec<i64>,
}

/// What is to be set; a field left `None` stays.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    pub(super) subject: Option<String>,
    pub(super) status: Option<Status>,
    pub(super) custom_status: Option<i64>,
    pub(super) priority: Option<Option<Priority>>,
    pub(super) kind: Option<Option<String>>,
    pub(super) tags: Option<BTreeSet<String>>,
    pub(super) assignee: Option<Option<i64>>,
    pub(super) group: Option<Option<i64>>,
    pub(super) requester: Option<i64>,
    pub(super) external_id: Option<Option<String>>,
    pub(super) due_at: Option<Option<String>>,
    pub(super) problem_id: Option<Option<i64>>,
    pub(super) custom_fields: BTreeMap<i64, Value>,
    pub(super) note: Option<Note>,
    /// Copied on mails, and whether each is added or taken off.
    pub(super) email_ccs: Option<Vec<(i64, bool)>>,
    /// Agents who follow, and whether each is added or taken off.
    pub(super) followers: Option<Vec<(i64, bool)>>,
    /// On creation: the closed ticket that is followed up.
    pub(super) follows: Option<i64>,
}

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such ticket, or deleted.
    Gone,
    /// A field and what is wrong with it.
    Field(&'static str, String),
}

impl Refusal {
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Gone => Reply::no_record(),
            Self::Field(field, why) => Reply::invalid(field, why),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Gone => "there is no such ticket".to_owned(),
            Self::Field(field, why) => format!("{field}: {why}"),
        }
    }
}

pub(super) fn refuse<T>(field: &'static str, why: &str) -> Result<T, Refusal> {
    Err(Refusal::Field(field, why.to_owned()))
}

impl Sim {
    /// Makes a ticket and answers with its id.
    pub(super) fn create(
        &mut self,
        change: Change,
        submitter: Option<i64>,
        act: &Act,
    ) -> Result<i64, Refusal> {
        let requester = change.requester.unwrap_or(act.user);
        let Some(note) = change.note.clone() else {
            return refuse("base", "Description: cannot be blank");
        };
        let now = act.now.as_secs();
        // It works for closed tickets only, and is passed over elsewhere.
        let source = change.follows.and_then(|id| self.world.tickets.get(&id));
        let source = source.filter(|ticket| ticket.head.status == Status::Closed);
        let (follows, inherited) = (source.map(|one| one.id), source.map(|one| one.head.tags.clone()));
        let mut change = change;
        change.tags = change.tags.or(inherited);
        let mut head = self.new_head(&Change { requester: Some(requester), ..change })?;
        if head.subject.is_empty() {
            head.subject = note.body.lines().next().unwrap_or_default().chars().take(150).collect();
        }
        let id = self.world.ids.ticket();
        let audit = self.new_audit(act);
        let comment = self.new_comment(&note, true, audit.id, act);
        let mut events = vec![comment_event(&comment)];
        for (name, value) in audited(&head).into_iter().filter(|(_, value)| !is_empty(value)) {
            events.push(
                json!({"id": self.world.ids.large(), "type": "Create", "field_name": name, "value": value}),
            );
        }
        let seen = (comment.id, comment.author, comment.public);
        let ticket = Ticket {
            submitter: submitter.filter(|_| follows.is_none()).unwrap_or(act.user),
            comments: vec![comment],
            audits: vec![Audit { events, ..audit }],
            follows,
            ..Ticket::empty(id, head.clone(), act.channel, now)
        };
        self.world.tickets.insert(id, ticket);
        self.after_save(id, None, Some(seen), act);
        Ok(id)
    }

    /// The fields of a new ticket.
    pub(super) fn new_head(&self, change: &Change) -> Result<Head, Refusal> {
        let blank = blank_head(change.requester.unwrap_or_default());
        let mut head = blank.clone();
        self.fill(&mut head, &blank, change)?;
        Ok(head)
    }

    /// The customer says what they think.
    pub(super) fn rated(&mut self, id: i64, rated: super::state::Rated, act: &Act) {
        let mut audit = self.new_audit(act);
        audit.events.push(json!({"id": self.world.ids.large(), "type": "Change",
            "field_name": "satisfaction_score", "value": rated.score, "previous_value": "offered"}));
        if let Some(ticket) = self.world.tickets.get_mut(&id) {
            ticket.rating = Some(rated);
            ticket.audits.push(audit);
            ticket.updated_at = act.now.as_secs();
            ticket.generated_at = act.now.as_secs();
        }
    }

    /// Changes a ticket. Answers with the audit, which has no events and is not kept if nothing changed.
    pub(super) fn update(&mut self, id: i64, change: &Change, act: &Act) -> Result<Value, Refusal> {
        let ticket =
            self.world.tickets.get(&id).filter(|ticket| ticket.deleted.is_none()).ok_or(Refusal::Gone)?;
        let (before, was_public) = (ticket.head.clone(), ticket.is_public());
        if before.status == Status::Closed {
            return refuse("status", "closed prevents ticket update");
        }
        if change.note.is_some() && ticket.comments.len() >= COMMENTS_MAX {
            return refuse("base", "Ticket has reached the maximum number of comments allowed (5000)");
        }
        let mut after = before.clone();
        self.fill(&mut after, &before, change)?;
        let mut audit = self.new_audit(act);
        let comment = change.note.as_ref().map(|note| self.new_comment(note, was_public, audit.id, act));
        audit.events.extend(comment.as_ref().map(comment_event));
        audit.events.extend(self.change_events(&before, &after));
        let seen = comment.as_ref().map(|comment| (comment.id, comment.author, comment.public));
        let is_empty = audit.events.is_empty();
        let Some(ticket) = self.world.tickets.get_mut(&id) else { return Err(Refusal::Gone) };
        ticket.generated_at = act.now.as_secs();
        if is_empty {
            return Ok(self.world.audit_json(id, &audit));
        }
        ticket.head = after;
        ticket.updated_at = act.now.as_secs();
        ticket.comments.extend(comment);
        ticket.audits.push(audit);
        self.after_save(id, Some(&before), seen, act);
        let audit = self.world.tickets.get(&id).and_then(|ticket| ticket.audits.last());
        Ok(audit.map_or(Value::Null, |audit| self.world.audit_json(id, audit)))
    }

    /// Deletes softly: the ticket stays in the export only.
    pub(super) fn delete(&mut self, id: i64, act: &Act) -> Result<(), Refusal> {
        let ticket =
            self.world.tickets.get_mut(&id).filter(|ticket| ticket.deleted.is_none()).ok_or(Refusal::Gone)?;
        let now = act.now.as_secs();
        ticket.deleted = Some((now, act.user));
        ticket.updated_at = now;
        ticket.generated_at = now;
        self.hooks.ticket_deleted(&mut self.world, id, act);
        Ok(())
    }

    /// Puts the change into `head`, with the side effects that Zendesk adds.
    fn fill(&self, head: &mut Head, before: &Head, change: &Change) -> Result<(), Refusal> {
        if let Some(requester) = change.requester {
            if !self.world.users.contains_key(&requester) {
                return refuse("requester", "Requester is not a user of this account");
            }
            head.requester = requester;
        }
        set(&mut head.subject, change.subject.as_ref());
        set(&mut head.priority, change.priority.as_ref());
        set(&mut head.kind, change.kind.as_ref());
        set(&mut head.tags, change.tags.as_ref());
        set(&mut head.external_id, change.external_id.as_ref());
        set(&mut head.due_at, change.due_at.as_ref());
        set(&mut head.problem_id, change.problem_id.as_ref());
        add_people(&mut head.email_ccs, change.email_ccs.as_deref());
        add_people(&mut head.followers, change.followers.as_deref());
        // Only tasks are due.
        if head.kind.as_deref() != Some("task") {
            head.due_at = None;
        }
        self.world.fill_custom_fields(head, change)?;
        self.fill_owner(head, change)?;
        self.world.fill_status(head, before, change)
    }

    /// An assignee moves the ticket to their group and opens a new one; a group
    /// that the assignee is not in takes the assignee away.
    fn fill_owner(&self, head: &mut Head, change: &Change) -> Result<(), Refusal> {
        if let Some(group) = change.group {
            if group.is_some_and(|group| !self.world.groups.contains_key(&group)) {
                return refuse("group", "Group is not a group of this account");
            }
            head.group = group;
            let stays = head.assignee.is_none_or(|user| self.group_of(user) == group);
            if !stays {
                head.assignee = None;
            }
        }
        match change.assignee {
            Some(Some(user)) => {
                if !self.world.is_staff(user) {
                    return refuse("assignee", "Assignee: is not an agent");
                }
                head.assignee = Some(user);
                head.group = self.group_of(user).or(head.group);
            }
            Some(None) => head.assignee = None,
            None => {}
        }
        Ok(())
    }

    fn group_of(&self, user: i64) -> Option<i64> {
        self.world.users.get(&user).and_then(|user| user.group)
    }

    pub(super) fn new_audit(&mut self, act: &Act) -> Audit {
        Audit {
            id: self.world.ids.large(),
            author: act.user,
            channel: act.channel,
            client: act.client.clone(),
            custom: act.custom.clone(),
            events: Vec::new(),
            created_at: act.now.as_secs(),
        }
    }

    pub(super) fn new_comment(&mut self, note: &Note, inherited: bool, audit_id: i64, act: &Act) -> Comment {
        Comment {
            id: self.world.ids.large(),
            audit_id,
            author: note.author.unwrap_or(act.user),
            body: note.body.clone(),
            html: note.html.clone(),
            files: note.files.clone(),
            public: note.public.unwrap_or(inherited),
            channel: act.channel,
            created_at: act.now.as_secs(),
        }
    }

    fn change_events(&mut self, before: &Head, after: &Head) -> Vec<Value> {
        let (cc_before, cc_after) = (listed(&before.email_ccs), listed(&after.email_ccs));
        let (follow_before, follow_after) = (listed(&before.followers), listed(&after.followers));
        let (before, after) = (audited(before), audited(after));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let mut events = Vec::new();
        for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
            events.push(json!({"id": self.world.ids.large(), "type": "Change", "field_name": name,
                "value": after.get(name), "previous_value": before.get(name)}));
        }
        for (kind, was, is) in
            [("EmailCcChange", cc_before, cc_after), ("FollowerChange", follow_before, follow_after)]
                .into_iter()
                .filter(|(_, was, is)| was != is)
        {
            events.push(json!({"id": self.world.ids.large(), "type": kind, "field_name": "collaborator_ids",
                "previous_value": was, "value": is}));
        }
        events
    }

    /// Triggers, then webhooks.
    fn after_save(&mut self, id: i64, before: Option<&Head>, comment: Option<(i64, i64, bool)>, act: &Act) {
        let Some(saved) = self.world.tickets.get(&id).map(|ticket| ticket.head.clone()) else { return };
        let occasion = Occasion {
            ticket: id,
            created: before.is_none(),
            before: before.cloned().unwrap_or(saved),
            user: act.user,
            channel: act.channel,
            comment,
            now: act.now,
        };
        let done = self.world.run_triggers(&occasion);
        if let Some(audit) = self.world.tickets.get_mut(&id).and_then(|ticket| ticket.audits.last_mut()) {
            audit.events.extend(done.events);
        }
        self.hooks.ticket_saved(&mut self.world, &occasion);
        for (hook, body) in done.webhooks {
            self.hooks.call(&mut self.world, &hook, body, act.now);
        }
    }
}

fn set<T: Clone>(field: &mut T, to: Option<&T>) {
    if let Some(to) = to {
        field.clone_from(to);
    }
}

fn add_people(people: &mut BTreeSet<i64>, edits: Option<&[(i64, bool)]>) {
    for (id, is_added) in edits.unwrap_or_default() {
        if *is_added {
            people.insert(*id);
        } else {
            people.remove(id);
        }
    }
}

fn blank_head(requester: i64) -> Head {
    Head {
        subject: String::new(),
        status: Status::New,
        custom_status: World::custom_status(Status::New),
        priority: None,
        kind: None,
        tags: BTreeSet::new(),
        email_ccs: BTreeSet::new(),
        followers: BTreeSet::new(),
        assignee: None,
        group: None,
        requester,
        external_id: None,
        due_at: None,
        problem_id: None,
        custom_fields: BTreeMap::new(),
    }
}

pub(super) fn comment_event(comment: &Comment) -> Value {
    json!({"id": comment.id, "type": "Comment", "author_id": comment.author, "body": comment.body,
        "html_body": comment.html, "plain_body": comment.body, "public": comment.public, "attachments": [],
        "audit_id": comment.audit_id})
}

fn listed(ids: &BTreeSet<i64>) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value == ""
}
