//! What goes beside a briefing, with it or by itself: custom fields, priority, tags, the group, and
//! the next owner. Whoever took the ticket keeps it.

use std::collections::BTreeSet;

use handoffd_connectors::contract::{Error, Lane};
use handoffd_core::{
    AccountId, Fetched, Field, Fields, Handoff, HandoffKind, Observed, OpKey, Owner, Priority, RemoteId,
    TicketKey, Value, Version,
    intent::{Intent, Update},
    link::Link,
    model::package::Package,
    package::structured,
};

use super::{Fault, Inner, Look};
use crate::config::placed_field;

/// After how many writes that were taken back a briefing leaves without owners: they follow it.
const SETBACKS_WITH_OWNERS: u32 = 1;

impl Inner {
    /// What is written beside the briefing, and the version that it is tied to. Tags are a whole
    /// set, and owners may be people meanwhile: both are taken from one view of this moment, and
    /// tied to it where the helpdesk can; without one they follow by themselves.
    pub(super) async fn beside(
        &self,
        look: &Look,
        link: &Link,
        record: &mut Handoff,
        package: &Package,
    ) -> (Fields, Option<Version>) {
        let mut set = self.said_beside(record, Some(package));
        if !self.looks_first(link, record) {
            return (set, None);
        }
        let Ok(Some(view)) = self.view_now(look, &record.ticket).await else {
            record.unplaced = true;
            return (set, None);
        };
        let mut seen = self.seen_beside(link, record, &view);
        // A ticket that changes all the time must not keep the briefing away.
        if look.setbacks > SETBACKS_WITH_OWNERS && !owners_of(&seen).is_empty() {
            record.unplaced = true;
            seen.retain(|field, _| !is_owner(*field));
        }
        let matters = !owners_of(&seen).is_empty() || (!seen.is_empty() && look.setbacks == 0);
        set.extend(seen);
        (set, self.tied(&record.ticket.account, &view).filter(|_| matters))
    }

    /// What goes beside the briefing whatever the ticket shows.
    fn said_beside(&self, record: &Handoff, package: Option<&Package>) -> Fields {
        let mut set = Fields::new();
        let Some(placing) = self.parts.placing.get(&record.ticket.account) else { return set };
        if let Some(values) = package.map(structured) {
            for value in placing.fields.keys() {
                if let (Some(name), Some(text)) = (placed_field(value), values.get(value.as_str())) {
                    set.insert(Field::Custom(name), Value::text(text));
                }
            }
        }
        let word = record.wanted.priority.as_deref().and_then(priority);
        let word = word.or_else(|| placing.priority.as_deref().and_then(priority));
        if let (HandoffKind::AiToHuman, Some(priority)) = (record.kind, word) {
            set.insert(Field::Priority, Value::Priority(Some(priority)));
        }
        set
    }

    /// Whether a view is needed to know what goes beside the briefing.
    fn looks_first(&self, link: &Link, record: &Handoff) -> bool {
        let Some(placing) = self.parts.placing.get(&record.ticket.account) else { return false };
        let groups = self.asked_group(link, record).is_some() || placing.group.is_some();
        record.kind == HandoffKind::AiToHuman && (groups || !placing.tags.is_empty())
    }

    /// What goes beside the briefing by what the ticket shows, and it does not show yet.
    pub(super) fn seen_beside(&self, link: &Link, record: &Handoff, view: &Observed) -> Fields {
        let mut set = self.owners(link, record, view);
        if let Some(placing) = self.parts.placing.get(&record.ticket.account)
            && let Some(tags) = view.fields.get(&Field::Tags).and_then(Value::as_tags)
            && record.kind == HandoffKind::AiToHuman
            && !placing.tags.is_subset(tags)
        {
            let all: BTreeSet<String> = tags.union(&placing.tags).cloned().collect();
            set.insert(Field::Tags, Value::Tags(all));
        }
        set
    }

    /// The group that the AI agent asks for, else the account's, unless people have it already.
    /// With it the AI agent lets go. Where a person has the ticket, nothing.
    fn owners(&self, link: &Link, record: &Handoff, view: &Observed) -> Fields {
        let mut set = Fields::new();
        let account = &record.ticket.account;
        if record.kind != HandoffKind::AiToHuman || self.person_on(link, view).is_some() {
            return set;
        }
        let free = matches!(&record.to, None | Some(Owner::Nobody)) && !self.is_moved(link, view);
        let placing = self.parts.placing.get(account);
        let default = || placing.and_then(|placing| placing.group.as_ref()).map(RemoteId::new);
        let Some(group) = self.asked_group(link, record).or_else(|| default().filter(|_| free)) else {
            return set;
        };
        if owner(link, view, Field::Group).as_ref() != Some(&group) {
            set.insert(Field::Group, Value::Owner(Some(group)));
        }
        if owner(link, view, Field::Assignee).is_some_and(|id| self.is_bot(account, &id)) {
            set.insert(Field::Assignee, Value::Owner(None));
        }
        set
    }

    fn asked_group(&self, link: &Link, record: &Handoff) -> Option<RemoteId> {
        let queue = record.wanted.queue.as_ref()?;
        self.queue_at(link, &record.ticket.account, queue)
    }

    /// The person who has the ticket, as a view of this moment shows it. Whoever is assigned while
    /// a group of AI agents has it may be one of them.
    pub(super) fn person_on(&self, link: &Link, view: &Observed) -> Option<RemoteId> {
        let account = &view.ticket.account;
        let person = owner(link, view, Field::Assignee).filter(|id| !self.is_bot(account, id))?;
        (!self.is_bots_group(account, owner(link, view, Field::Group).as_ref())).then_some(person)
    }

    /// Whether somebody gave it to another group since the ticket was in step.
    fn is_moved(&self, link: &Link, view: &Observed) -> bool {
        let Some(Value::Owner(Some(group))) = view.fields.get(&Field::Group) else { return false };
        let shadow = link.sides.get(&view.ticket).and_then(|side| side.shadow.get(&Field::Group));
        let was = matches!(shadow, Some(Value::Owner(Some(was))) if was == group);
        !was && !self.is_bots_group(&view.ticket.account, Some(group))
    }

    fn is_bots_group(&self, account: &AccountId, group: Option<&RemoteId>) -> bool {
        let marks = self.parts.rules.bots.get(account);
        marks.zip(group).is_some_and(|(marks, group)| marks.groups.contains(group))
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

    /// The ticket as it is now: a view that a helpdesk ties writes to may be older. `None`: it is
    /// not there.
    pub(super) async fn view_now(&self, look: &Look, ticket: &TicketKey) -> Result<Option<Observed>, Error> {
        let Some(desk) = self.parts.desks.get(&ticket.account) else { return Ok(None) };
        let known = look.observed.get(ticket).filter(|view| view.fields.contains_key(&Field::Tags));
        if let Some(view) = known.filter(|_| desk.capabilities.conditional_writes) {
            return Ok(Some(view.clone()));
        }
        let ids = std::slice::from_ref(&ticket.id);
        let fetched = desk.helpdesk.fetch_many(self.call(Lane::Handoff), ids).await?;
        Ok(match fetched.into_iter().next() {
            Some(Fetched::Shown(view)) => Some(*view),
            Some(Fetched::Gone(_) | Fetched::MovedTo { .. }) | None => None,
        })
    }

    /// The version that a write by this view is tied to, where the helpdesk can.
    pub(super) fn tied(&self, account: &AccountId, view: &Observed) -> Option<Version> {
        let desk = self.parts.desks.get(account)?;
        desk.capabilities.conditional_writes.then_some(view.version)
    }

    /// What goes beside the briefing, by itself. What depends on the ticket is added right before
    /// it is sent. After a refusal custom fields are left out.
    pub(super) async fn placing(&self, record: &mut Handoff, key: OpKey) -> Result<Option<Intent>, Fault> {
        if !self.parts.placing.contains_key(&record.ticket.account) {
            record.place_key = None;
            return Ok(None);
        }
        let package = match record.bare {
            Some(_) => None,
            None => self.stored_package(&record.id).await?,
        };
        let (set, at) = (self.said_beside(record, package.as_ref()), record.ticket.clone());
        Ok(Some(Intent::Update(Update { at, set, message: None, if_version: None, key })))
    }

    /// Names the next owner whom the AI agent asked for; the ticket's group stays.
    pub(super) fn assignment(&self, link: &Link, record: &mut Handoff, key: OpKey) -> Option<Intent> {
        let wanted = record.wanted.agent.clone()?;
        let Some(id) = self.agent_at(link, &record.ticket.account, &wanted) else {
            let why = "the link group's table of agents does not name them at this account";
            tracing::error!(handoff = %record.id, ticket = %record.ticket, "The agent whom an AI agent asks for is not in the link group's table of agents.");
            record.unassigned = Some(why.to_owned());
            return None;
        };
        let owner = Value::Owner(Some(id));
        record.placed.insert(Field::Assignee, owner.clone());
        let set = Fields::from([(Field::Assignee, owner)]);
        let at = record.ticket.clone();
        Some(Intent::Update(Update { at, set, message: None, if_version: None, key }))
    }
}

/// The owners among what is set.
pub(super) fn owners_of(set: &Fields) -> Fields {
    set.iter().filter(|(field, _)| is_owner(**field)).map(|(field, value)| (*field, value.clone())).collect()
}

fn is_owner(field: Field) -> bool {
    matches!(field, Field::Assignee | Field::Group)
}

/// An owner as the view shows it, else as it was known.
fn owner(link: &Link, view: &Observed, field: Field) -> Option<RemoteId> {
    let shadow = || link.sides.get(&view.ticket).and_then(|side| side.shadow.get(&field));
    match view.fields.get(&field).or_else(shadow) {
        Some(Value::Owner(owner)) => owner.clone(),
        _ => None,
    }
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
