//! Who wrote a conversation: Freshdesk names writers by number alone.
//!
//! When the first agent is needed all of them are listed, a hundred a request.
//! Whoever is not among them is asked for by id: a new agent, one who has left
//! and is a contact since, or a customer beside the requester. A key that may
//! not see them costs names, not messages: writers stay numbers until it may.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use handoffd_core::{Person, RemoteId, Role, Timestamp};
use tokio::sync::MutexGuard as Turn;

use super::{api, desk::Desk, map::customer, messages, wire};
use crate::{
    client::json::read_json,
    contract::{Call, Error, Lane, Result},
};

/// How many people are remembered.
const PEOPLE_MAX: usize = 10_000;
/// How long a list of the agents is good: names change seldom.
const GOOD: Duration = Duration::from_secs(24 * 3_600);
/// How long a refusal, or an id that leads to nobody, is taken for an answer.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// People by id.
pub type People = BTreeMap<RemoteId, Person>;

/// The writers that are known.
#[derive(Default)]
pub struct Staff {
    known: Mutex<Known>,
    /// One asks, the others wait for what it learns.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    people: People,
    /// Ids that led to nobody, and when they were tried.
    nobody: BTreeMap<RemoteId, Timestamp>,
    /// When the agents were listed last.
    listed: Option<Timestamp>,
    /// When they were refused last, and what is missing.
    refused: Option<(Timestamp, String)>,
}

impl Known {
    fn is_refused(&self, now: Timestamp) -> bool {
        self.refused.as_ref().is_some_and(|(at, _)| now.since(*at) < PATIENCE)
    }

    fn wants_list(&self, now: Timestamp) -> bool {
        !self.is_refused(now) && self.listed.is_none_or(|at| now.since(at) >= GOOD)
    }

    fn missing(&self, wanted: &BTreeSet<RemoteId>, now: Timestamp) -> Vec<RemoteId> {
        let tried = |id: &RemoteId| self.nobody.get(id).is_some_and(|at| now.since(*at) < PATIENCE);
        let unknown = wanted.iter().filter(|id| !self.people.contains_key(*id) && !tried(id));
        if self.is_refused(now) { Vec::new() } else { unknown.cloned().collect() }
    }

    fn keep(&mut self, id: RemoteId, person: Person) {
        self.nobody.remove(&id);
        if self.people.len() >= PEOPLE_MAX && !self.people.contains_key(&id) {
            self.people.pop_first();
        }
        self.people.insert(id, person);
    }
}

impl Staff {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // Names stay names whatever panicked while they were held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All agents were listed.
    pub fn listed(&self, agents: &[wire::Agent], now: Timestamp) {
        let mut known = self.lock();
        (known.listed, known.refused) = (Some(now), None);
        for agent in agents {
            if let Some((id, person)) = named(agent) {
                known.keep(id, person);
            }
        }
    }

    fn refused(&self, missing: String, now: Timestamp) {
        self.lock().refused = Some((now, missing));
    }

    fn is_nobody(&self, id: RemoteId, now: Timestamp) {
        let mut known = self.lock();
        if known.nobody.len() >= PEOPLE_MAX {
            known.nobody.pop_first();
        }
        known.nobody.insert(id, now);
    }

    fn of(&self, wanted: &BTreeSet<RemoteId>) -> People {
        let known = self.lock();
        wanted.iter().filter_map(|id| Some((id.clone(), known.people.get(id)?.clone()))).collect()
    }

    /// Waits for whoever is asking already; a call that is urgent asks itself.
    async fn turn(&self, lane: Lane) -> Option<Turn<'_, ()>> {
        match lane {
            Lane::Handoff | Lane::Live => self.asking.try_lock().ok(),
            Lane::Refresh | Lane::Backfill => Some(self.asking.lock().await),
        }
    }
}

/// An agent as a person.
fn named(agent: &wire::Agent) -> Option<(RemoteId, Person)> {
    let id = agent.id.id()?;
    let contact = agent.contact.as_ref()?;
    let name = contact.name.text().unwrap_or_default();
    let person = Person { id: Some(id.clone()), name, email: contact.email.text(), role: Role::Agent };
    Some((id, person))
}

impl Desk {
    /// Who wrote these conversations, beside the requester, as far as the account tells.
    pub async fn writers(
        &self,
        call: Call,
        ticket: &wire::Ticket,
        conversations: &[wire::Conversation],
    ) -> Result<People> {
        let agents = messages::writers(ticket, conversations, false);
        let strangers = messages::writers(ticket, conversations, true);
        let wanted: BTreeSet<RemoteId> = agents.union(&strangers).cloned().collect();
        let now = self.client.now();
        let lacks = || {
            let known = self.staff.lock();
            let stale = !agents.is_empty() && known.wants_list(now);
            stale || !known.missing(&wanted, now).is_empty()
        };
        if !lacks() {
            return Ok(self.staff.of(&wanted));
        }
        let _turn = self.staff.turn(call.lane).await;
        let wants_list = !agents.is_empty() && self.staff.lock().wants_list(now);
        if wants_list {
            self.list_agents(call).await?;
        }
        let missing = self.staff.lock().missing(&wanted, now);
        for id in missing {
            self.ask_for(call, id.clone(), agents.contains(&id)).await?;
        }
        Ok(self.staff.of(&wanted))
    }

    /// Lists all agents. Answers with what is missing where the account does not show them.
    pub async fn list_agents(&self, call: Call) -> Result<Option<String>> {
        let now = self.client.now();
        let missing = match self.all::<wire::Agent>(call, api::agents).await {
            Ok(agents) => {
                self.staff.listed(&agents, now);
                return Ok(None);
            }
            Err(Error::Forbidden { missing }) => missing,
            Err(error @ (Error::Gone | Error::Refused { .. } | Error::Malformed { .. })) => error.to_string(),
            Err(error) => return Err(error),
        };
        self.staff.refused(missing.clone(), now);
        Ok(Some(missing))
    }

    /// One person: an agent, or a contact, which agents who have left are too.
    async fn ask_for(&self, call: Call, id: RemoteId, is_agent: bool) -> Result<()> {
        let now = self.client.now();
        if is_agent {
            let found = self.told::<wire::Agent>(call, api::agent(&id)?).await?;
            if let Some((_, person)) = found.as_ref().and_then(named) {
                self.staff.lock().keep(id, person);
                return Ok(());
            }
        }
        let found = self.told::<wire::Person>(call, api::contact(&id)?).await?;
        let named = found.map(|contact| customer(&contact)).filter(|person| !person.name.is_empty());
        match named {
            Some(person) => {
                let role = if is_agent { Role::Agent } else { Role::Customer };
                self.staff.lock().keep(id.clone(), Person { id: Some(id), role, ..person });
            }
            None => self.staff.is_nobody(id, now),
        }
        Ok(())
    }

    /// What the account tells; `None` where it tells nothing that can be used.
    async fn told<T: serde::de::DeserializeOwned>(
        &self,
        call: Call,
        ask: crate::client::Ask,
    ) -> Result<Option<T>> {
        match self.client.send(call, ask).await {
            Ok(answer) => Ok(read_json(&answer).ok()),
            Err(Error::Gone | Error::Forbidden { .. } | Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: usize) -> wire::Agent {
        serde_json::from_str(&format!(r#"{{"id": {id}, "contact": {{"name": "A{id}"}}}}"#)).unwrap()
    }

    #[test]
    fn memory_is_bounded() {
        let staff = Staff::default();
        let agents: Vec<wire::Agent> = (1..PEOPLE_MAX + 100).map(agent).collect();
        staff.listed(&agents, Timestamp(0));
        for id in 0..PEOPLE_MAX + 100 {
            staff.is_nobody(RemoteId::new(format!("n{id}")), Timestamp(0));
        }
        let known = staff.lock();
        assert_eq!((known.people.len(), known.nobody.len()), (PEOPLE_MAX, PEOPLE_MAX));
    }

    #[test]
    fn what_is_not_told_is_asked_for_again_in_time() {
        let staff = Staff::default();
        let wanted = BTreeSet::from(["1", "2"].map(RemoteId::from));
        let at = |secs| Timestamp::from_secs(secs);
        assert!(staff.lock().wants_list(at(0)));
        staff.listed(&[agent(1)], at(0));
        assert!(!staff.lock().wants_list(at(3_600)));
        assert_eq!(staff.lock().missing(&wanted, at(3_600)), [RemoteId::from("2")]);
        staff.is_nobody(RemoteId::from("2"), at(3_600));
        assert!(staff.lock().missing(&wanted, at(7_199)).is_empty());
        assert_eq!(staff.lock().missing(&wanted, at(7_200)), [RemoteId::from("2")]);
        assert!(staff.lock().wants_list(at(24 * 3_600)));
        staff.refused("x".to_owned(), at(24 * 3_600));
        assert!(
            !staff.lock().wants_list(at(24 * 3_600))
                && staff.lock().missing(&wanted, at(24 * 3_600)).is_empty()
        );
        assert!(staff.lock().wants_list(at(25 * 3_600)));
    }
}
