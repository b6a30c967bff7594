//! What is written for a handoff: the briefing with what goes beside it, what came late, the next
//! owner, the words that tell the customer to hold.

use std::collections::BTreeMap;

use handoffd_connectors::contract::Lane;
use handoffd_core::{
    AccountId, Fetched, Field, Fields, Handoff, HandoffKind, Mail, Message, Observed, OpKey, Owner, Person,
    Priority, PrivateMessage, PublicMessage, PublicText, RemoteId, Role, TicketKey, Value, Version,
    briefing::Briefing,
    handoff::fields_key,
    intent::{EditNote, Intent, Update},
    link::Link,
    model::package::Package,
    package::structured,
};

use super::{Fault, Inner, Look};
use crate::{
    config::placed_field,
    store::{
        Key, Write,
        tables::{self, PACKAGES},
    },
};

impl Inner {
    /// The briefing with what goes beside it, and the row that keeps its package.
    pub(super) async fn briefing_intent(
        &self,
        look: &mut Look,
        link: &Link,
        record: &mut Handoff,
        key: OpKey,
    ) -> Result<(Intent, Vec<Write>), Fault> {
        let (package, briefing) = self.package(look, link, record).await?;
        record.briefing = Some(self.body_aside(briefing.text.body().clone()).await?);
        let (set, if_version) = match record.bare {
            Some(_) => (Fields::new(), None),
            None => self.beside(look, link, record, &package).await?,
        };
        record.placed =
            set.iter().filter(|(field, _)| is_owner(**field)).map(|(f, v)| (*f, v.clone())).collect();
        let write = self.package_write(&record.id, &package);
        let update = Update { set, if_version, ..note(record.ticket.clone(), briefing, key) };
        Ok((Intent::Update(update), vec![write]))
    }

    /// What is written beside the briefing. Tags are a whole set: they are taken from a view of
    /// this moment, and tied to it where the helpdesk can; without one they stay as they are.
    async fn beside(
        &self,
        look: &mut Look,
        link: &Link,
        record: &Handoff,
        package: &Package,
    ) -> Result<(Fields, Option<Version>), Fault> {
        let Some(placing) = self.parts.placing.get(&record.ticket.account) else {
            return Ok((Fields::new(), None));
        };
        let mut set = Fields::new();
        let values = structured(package);
        for value in placing.fields.keys() {
            if let (Some(name), Some(text)) = (placed_field(value), values.get(value.as_str())) {
                set.insert(Field::Custom(name), Value::text(text));
            }
        }
        if record.kind != HandoffKind::AiToHuman {
            return Ok((set, None));
        }
        let word = record.wanted.priority.as_deref().and_then(priority);
        if let Some(priority) = word.or_else(|| placing.priority.as_deref().and_then(priority)) {
            set.insert(Field::Priority, Value::Priority(Some(priority)));
        }
        self.place_group(link, record, &mut set);
        if placing.tags.is_empty() {
            return Ok((set, None));
        }
        let Some(view) = self.view_now(look, &record.ticket).await else { return Ok((set, None)) };
        if let Some(tags) = view.fields.get(&Field::Tags).and_then(Value::as_tags) {
            let all = tags.iter().chain(&placing.tags).cloned().collect();
            set.insert(Field::Tags, Value::Tags(all));
        }
        let conditional = self.parts.desks.get(&record.ticket.account);
        let conditional = conditional.is_some_and(|desk| desk.capabilities.conditional_writes);
        // A ticket that changes all the time must not keep the briefing away.
        let tied = conditional && look.setbacks == 0;
        Ok((set, tied.then_some(view.version)))
    }

    /// The group that the AI agent asks for, else the account's, unless people have it already.
    /// With it the AI agent lets go.
    fn place_group(&self, link: &Link, record: &Handoff, set: &mut Fields) {
        let account = &record.ticket.account;
        let asked = record.wanted.queue.as_ref().and_then(|queue| self.queue_at(link, account, queue));
        let free = matches!(&record.to, None | Some(Owner::Nobody));
        let placing = self.parts.placing.get(account);
        let default = || placing.and_then(|placing| placing.group.as_ref()).map(RemoteId::new);
        let Some(group) = asked.or_else(|| default().filter(|_| free)) else { return };
        let shadow = link.sides.get(&record.ticket).map(|side| &side.shadow);
        let owner = |field| match shadow.and_then(|shadow| shadow.get(&field)) {
            Some(Value::Owner(owner)) => owner.clone(),
            _ => None,
        };
        if owner(Field::Group).as_ref() != Some(&group) {
            set.insert(Field::Group, Value::Owner(Some(group)));
        }
        if owner(Field::Assignee).is_some_and(|id| self.is_bot(account, &id)) {
            set.insert(Field::Assignee, Value::Owner(None));
        }
    }

    /// The id of a queue at an account: by the account's own table, the link group's teams, or as it is.
    pub(super) fn queue_at(&self, link: &Link, account: &AccountId, queue: &str) -> Option<RemoteId> {
        let own = self.parts.placing.get(account).and_then(|placing| placing.queues.get(queue));
        let teams = self.parts.groups.get(&link.group).and_then(|group| group.teams.get(queue));
        own.or_else(|| teams?.get(account.as_str())).map(RemoteId::new).or_else(|| as_id(queue))
    }

    fn agent_at(&self, link: &Link, account: &AccountId, agent: &str) -> Option<RemoteId> {
        let agents = self.parts.groups.get(&link.group).map(|group| &group.agents);
        let named = agents.and_then(|agents| {
            let same = |name: &str| name.trim().eq_ignore_ascii_case(agent.trim());
            agents.iter().find(|(name, _)| same(name)).map(|(_, places)| places)
        });
        named.and_then(|places| places.get(account.as_str())).map(RemoteId::new).or_else(|| as_id(agent))
    }

    /// The ticket as it is now: a view that a helpdesk ties writes to may be older.
    async fn view_now(&self, look: &Look, ticket: &TicketKey) -> Option<Observed> {
        let desk = self.parts.desks.get(&ticket.account)?;
        let known = look.observed.get(ticket).filter(|view| view.fields.contains_key(&Field::Tags));
        if let Some(view) = known.filter(|_| desk.capabilities.conditional_writes) {
            return Some(view.clone());
        }
        let ids = std::slice::from_ref(&ticket.id);
        let fetched = desk.helpdesk.fetch_many(self.call(Lane::Handoff), ids).await.ok()?;
        match fetched.into_iter().next() {
            Some(Fetched::Shown(view)) => Some(*view),
            Some(Fetched::Gone(_) | Fetched::MovedTo { .. }) | None => None,
        }
    }

    /// What came late: the note whole where the helpdesk rewrites notes, else one more; and the
    /// custom fields that say something else now.
    pub(super) async fn late_intents(
        &self,
        link: &Link,
        record: &Handoff,
        key: OpKey,
        edit: Option<RemoteId>,
    ) -> Result<(Vec<Intent>, Vec<Write>), Fault> {
        let desk = self.parts.desks.get(&record.ticket.account);
        let can_edit = desk.is_some_and(|desk| desk.capabilities.edits_private_notes);
        let edit = edit.filter(|_| can_edit);
        let sent = match (&edit, &record.briefing) {
            (None, Some(body)) => Some(self.body_at_hand(body.clone()).await?),
            _ => None,
        };
        let sent = match edit {
            Some(_) => None,
            None => Some(sent.as_ref().and_then(handoffd_core::Body::text).unwrap_or_default()),
        };
        let known = self.stored_package(&record.id).await?;
        let (package, briefing) = self.late_note(link, record, sent).await?;
        let rows = vec![self.package_write(&record.id, &package)];
        let mut intents = Vec::new();
        let at = record.ticket.clone();
        if let Some(briefing) = briefing {
            intents.push(match edit {
                Some(comment) => {
                    let message =
                        PrivateMessage { author: None, text: briefing.text, attachments: Vec::new() };
                    Intent::EditNote(EditNote { at: at.clone(), comment, message, key })
                }
                None => Intent::Update(note(at.clone(), briefing, key)),
            });
        }
        let set = self.late_fields(record, known.as_ref(), &package);
        if !set.is_empty() {
            let key = fields_key(&record.id);
            intents.push(Intent::Update(Update { at, set, message: None, if_version: None, key }));
        }
        Ok((intents, rows))
    }

    /// Custom fields that were written beside the briefing and say something else now. A helpdesk
    /// that refused them once is not asked again.
    fn late_fields(&self, record: &Handoff, known: Option<&Package>, package: &Package) -> Fields {
        let placing = self.parts.placing.get(&record.ticket.account).filter(|_| record.bare.is_none());
        let names = placing.into_iter().flat_map(|placing| placing.fields.keys());
        let (before, now) = (known.map(structured).unwrap_or_default(), structured(package));
        let changed = names.filter(|name| before.get(name.as_str()) != now.get(name.as_str()));
        let set = changed.filter_map(|name| {
            Some((Field::Custom(placed_field(name)?), Value::text(now.get(name.as_str())?)))
        });
        set.collect()
    }

    /// Names the next owner whom the AI agent asked for; the ticket's group stays.
    pub(super) fn assignment(&self, link: &Link, record: &mut Handoff, key: OpKey) -> Option<Intent> {
        let wanted = record.wanted.agent.clone()?;
        let Some(id) = self.agent_at(link, &record.ticket.account, &wanted) else {
            tracing::warn!(handoff = %record.id, ticket = %record.ticket, "The agent whom an AI agent asks for is not in the link group's table of agents.");
            return None;
        };
        let owner = Value::Owner(Some(id));
        record.placed.insert(Field::Assignee, owner.clone());
        let set = Fields::from([(Field::Assignee, owner)]);
        let at = record.ticket.clone();
        Some(Intent::Update(Update { at, set, message: None, if_version: None, key }))
    }

    /// What the customer is told, once, by the account that mails them.
    pub(super) fn holding_message(&self, link: &Link, key: OpKey) -> Option<Intent> {
        let group = self.parts.groups.get(&link.group)?;
        let text = group.holding_message.as_ref()?;
        let (at, _) = link.side_at(&group.customer_facing())?;
        let message = PublicMessage {
            author: Person { id: None, name: String::new(), email: None, role: Role::Agent },
            text: PublicText::of_an_admin(text),
            mail: Mail::Send,
            attachments: Vec::new(),
        };
        let (at, message) = (at.clone(), Some(Message::Public(message)));
        Some(Intent::Update(Update { at, set: BTreeMap::new(), message, if_version: None, key }))
    }

    /// What the AI agent is told that has the conversation again: kept with the handoff, and sent
    /// once.
    pub(super) async fn handed_back(
        &self,
        look: &mut Look,
        link: &Link,
        record: &mut Handoff,
    ) -> Result<Vec<Write>, Fault> {
        let resolution = self.resolved(look, link, record).await?;
        let key = Key::of(&[record.id.as_str(), "resolution"]);
        let mut writes = vec![
            self.package_write(&record.id, &resolution.package),
            tables::put(PACKAGES, key, &resolution),
        ];
        writes.extend(self.told_returned(record, &resolution).await?);
        Ok(writes)
    }
}

fn is_owner(field: Field) -> bool {
    matches!(field, Field::Assignee | Field::Group)
}

/// A helpdesk's id, where a text can be one.
fn as_id(text: &str) -> Option<RemoteId> {
    let is_id = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    is_id.then(|| RemoteId::new(text))
}

fn priority(word: &str) -> Option<Priority> {
    let word = word.trim().to_lowercase();
    match word.as_str() {
        "medium" => Some(Priority::Normal),
        "critical" => Some(Priority::Urgent),
        word => Priority::ALL.into_iter().find(|priority| priority.name() == word),
    }
}

fn note(at: TicketKey, briefing: Briefing, key: OpKey) -> Update {
    let message =
        Message::Private(PrivateMessage { author: None, text: briefing.text, attachments: Vec::new() });
    Update { at, set: BTreeMap::new(), message: Some(message), if_version: None, key }
}
