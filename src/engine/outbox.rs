//! What AI agents are told: events, stored in the commit of what they tell of, and posted until
//! their receiver takes them.
//!
//! An event is signed as Standard Webhooks 1.0.0 has it, under one `webhook-id` however often it
//! is posted: a crash between the answer and the commit posts it once more, and its receiver
//! knows it by that id. Events of one conversation keep their order.

mod post;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Body, Evidence, Handoff, HandoffKind, TicketKey, model::package::Resolution};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Fault, Inner};
use crate::store::{
    Write,
    tables::{self, HANDOFFS, OUTBOX, OutboxRow, PromiseRow},
};

pub use post::signature;
pub(super) use post::{EVENT, WEBHOOK};

/// A kind of event that an AI agent may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    /// It has a conversation again: with what people did.
    #[serde(rename = "handoff.returned")]
    Returned,
    /// A handoff that it announced moved on.
    #[serde(rename = "handoff.status")]
    Status,
    /// It promised to hand over, and no handoff followed.
    #[serde(rename = "handoff.promise_broken")]
    PromiseBroken,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Returned, Self::Status, Self::PromiseBroken];

    /// The `type` of the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Returned => "handoff.returned",
            Self::Status => "handoff.status",
            Self::PromiseBroken => "handoff.promise_broken",
        }
    }
}

/// Where an AI agent is told what happens.
pub struct Hook {
    url: url::Url,
    key: Vec<u8>,
    events: BTreeSet<EventKind>,
}

impl Hook {
    /// An address, the key with which events are signed (the bytes behind `whsec_`), and what is
    /// to be told there.
    pub fn new(url: url::Url, key: Vec<u8>, events: BTreeSet<EventKind>) -> Self {
        Self { url, key, events }
    }
}

/// An event before it has a receiver.
struct Event<'a> {
    kind: EventKind,
    /// What makes it this event and no other.
    of: String,
    /// Events of one conversation keep their order.
    conversation: &'a str,
    data: Value,
}

impl Inner {
    /// The agent is told that it has the conversation again: one event for one record, in the
    /// commit that stores the record.
    pub(super) async fn told_returned(
        &self,
        record: &Handoff,
        resolution: &Resolution,
    ) -> Result<Vec<Write>, Fault> {
        let mut writes = Vec::new();
        for agent in self.returned_to(record).await? {
            let data = json!({
                "handoff": record.id,
                "conversation": self.called(&agent, &record.ticket).await?,
                "ticket": ticket_json(&record.ticket),
                "resolution": resolution,
            });
            let of = record.id.to_string();
            writes.extend(self.event(&agent, record, EventKind::Returned, of, data).await?);
        }
        Ok(writes)
    }

    /// The agent that announced a handoff is told where it stands now.
    pub(super) async fn told_status(
        &self,
        before: Option<&Handoff>,
        after: &Handoff,
    ) -> Result<Vec<Write>, Fault> {
        let mut writes = Vec::new();
        if after.kind == HandoffKind::HumanToAi {
            return Ok(writes);
        }
        let told = match before.filter(|before| before.state == after.state) {
            Some(before) => announcers(before),
            None => BTreeMap::new(),
        };
        // Who says only now what was seen before is told where it stands.
        for (agent, key) in announcers(after).into_iter().filter(|(agent, _)| !told.contains_key(agent)) {
            let data = json!({
                "handoff": after.id,
                "announced_as": handoffd_core::handoff::handoff_id_from_api(&agent, &key),
                "conversation": self.called(&agent, &after.ticket).await?,
                "ticket": ticket_json(&after.ticket),
                "state": after.state.name(),
                "failure": after.failure,
                // What it tells by a second request goes after the briefing.
                "thin": after.thin,
            });
            let of = format!("{} {} {}", after.id, after.state.name(), self.now().0);
            writes.extend(self.event(&agent, after, EventKind::Status, of, data).await?);
        }
        Ok(writes)
    }

    /// The agent is told that it promised to hand over and did not.
    pub(super) async fn told_broken(&self, promise: &PromiseRow) -> Result<Vec<Write>, Fault> {
        let agents = match (&promise.agent, &promise.ticket) {
            (Some(agent), _) => vec![agent.clone()],
            (None, Some(ticket)) => self.agents_of(ticket).await?,
            (None, None) => Vec::new(),
        };
        let mut writes = Vec::new();
        for agent in agents {
            let conversation = match (&promise.conversation, &promise.ticket) {
                (Some(conversation), _) => conversation.clone(),
                (None, Some(ticket)) => self.called(&agent, ticket).await?,
                (None, None) => continue,
            };
            let data = json!({
                "conversation": conversation,
                "ticket": promise.ticket.as_ref().map(ticket_json),
                "place": promise.place,
                "promised_at": promise.at.to_string(),
            });
            let of = format!("{conversation} {} {}", promise.place, promise.at.0);
            let told = Event { kind: EventKind::PromiseBroken, of, conversation: &conversation, data };
            writes.extend(self.event_for(&agent, told).await?);
        }
        Ok(writes)
    }

    async fn event(
        &self,
        agent: &str,
        record: &Handoff,
        kind: EventKind,
        of: String,
        data: Value,
    ) -> Result<Option<Write>, Fault> {
        let conversation =
            record.link.as_ref().map_or_else(|| record.ticket.to_string(), |id| id.to_string());
        self.event_for(agent, Event { kind, of, conversation: &conversation, data }).await
    }

    /// The event's row; none where the agent does not want to be told.
    async fn event_for(&self, agent: &str, event: Event<'_>) -> Result<Option<Write>, Fault> {
        let hook = self.parts.voices.get(agent).and_then(|voice| voice.hook.as_ref());
        if !hook.is_some_and(|hook| hook.events.contains(&event.kind)) || self.parts.dry.is_some() {
            return Ok(None);
        }
        let now = self.now();
        let body = json!({ "type": event.kind.name(), "timestamp": now.to_string(), "data": event.data });
        let row = OutboxRow {
            id: tables::event_id(event.kind.name(), agent, &event.of),
            agent: agent.to_owned(),
            kind: event.kind.name().to_owned(),
            body: self.body_aside(Body::Inline(body.to_string())).await?,
            at: now,
            attempts: 0,
            due: now,
            parked: false,
            last_error: None,
        };
        let number = self.event_rows.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let key = tables::outbox_key(&row, event.conversation, number);
        Ok(Some(tables::put(OUTBOX, key, &row)))
    }

    /// Who is told that a conversation is an AI agent's again: whoever handed it over; else whoever
    /// streams it; else every agent that may speak of the ticket.
    async fn returned_to(&self, record: &Handoff) -> Result<Vec<String>, Fault> {
        let mut earlier = record.previous.clone();
        for _ in 0..8 {
            let Some(id) = earlier else { break };
            let key = crate::store::Key::of(&[id.as_str()]);
            let row = tables::read::<Handoff>(&*self.parts.store, HANDOFFS, &key).await?;
            let Some(before) = row.map(|row| row.value) else { break };
            if let Some((agent, _)) = announcers(&before).into_iter().next() {
                return Ok(vec![agent]);
            }
            earlier = before.previous;
        }
        self.agents_of(&record.ticket).await
    }

    /// The agent whose conversation a ticket is: who streamed it last, else the only one that may
    /// speak of it. What is said of a customer goes to nobody by guess.
    async fn agents_of(&self, ticket: &TicketKey) -> Result<Vec<String>, Fault> {
        let talks = tables::conversations_of(&*self.parts.store, ticket).await?;
        // Whoever spoke of it last: one agent has a conversation.
        if let Some((agent, _)) = talks.into_iter().next() {
            return Ok(vec![agent]);
        }
        let may = self.parts.voices.iter().filter(|(_, voice)| {
            voice.accounts.as_ref().is_none_or(|accounts| accounts.contains(ticket.account.as_str()))
        });
        let may: Vec<String> = may.map(|(name, _)| name.clone()).collect();
        if may.len() > 1 {
            tracing::warn!(%ticket, agents = may.len(), "Several AI agents may have this conversation, and none streamed or announced it: none is told.");
            return Ok(Vec::new());
        }
        Ok(may)
    }

    /// What an agent calls the conversation of a ticket.
    async fn called(&self, agent: &str, ticket: &TicketKey) -> Result<String, Fault> {
        let talks = tables::conversations_of(&*self.parts.store, ticket).await?;
        let own = talks.into_iter().find(|(of, _)| of == agent).map(|(_, id)| id);
        Ok(own.unwrap_or_else(|| format!("{}:{}", ticket.account, ticket.id)))
    }
}

/// The agents that announced a handoff, each with the key under which it did.
fn announcers(record: &Handoff) -> BTreeMap<String, String> {
    let announced = record.evidence.iter().filter_map(|sign| match sign {
        Evidence::Api { agent, key } => Some((agent.clone(), key.clone())),
        Evidence::Native { .. } => None,
    });
    announced.collect()
}

fn ticket_json(ticket: &TicketKey) -> Value {
    json!({ "account": ticket.account, "ticket_id": ticket.id })
}
