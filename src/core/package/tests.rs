mod chain;
mod corpus;
mod fields;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{
    captured::Captured,
    handoff::{Evidence, Handoff, HandoffKind, HandoffState, Owner, SourceAnswer, Told},
    ids::{AccountId, HandoffId, RemoteId, TicketKey},
    person::Person,
    turn::{Outcome, Party, Proof, ToolUse, Turn},
};

pub(super) fn now() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_799_990_000 + secs)
}

pub(super) fn ticket() -> TicketKey {
    TicketKey::new("zd", "7")
}

pub(super) fn record(id: &str, kind: HandoffKind) -> Handoff {
    Handoff {
        id: HandoffId::new(id),
        link: None,
        ticket: ticket(),
        kind,
        state: HandoffState::Packaging,
        from: None,
        to: None,
        evidence: BTreeSet::from([Evidence::Api { agent: "helper".to_owned(), key: "k".to_owned() }]),
        told: Told::default(),
        sources: BTreeMap::new(),
        began_at: None,
        detected_at: now(),
        deadline: now(),
        briefing_key: None,
        briefing_comment: None,
        delivered_at: None,
        late_key: None,
        late_facts: false,
        accepted_at: None,
        failure: None,
        briefing: None,
        previous: None,
        hop: 1,
        reopened: false,
        in_a_row: 0,
        wanted: crate::model::handoff::Wanted::default(),
        bare: None,
        placed: crate::model::ticket::Fields::new(),
        trouble: None,
        assign_key: None,
        unassigned: None,
        unplaced: false,
        place_key: None,
        placings: 0,
        holding_key: None,
        unheld: false,
        visible: None,
        read_backs: 0,
        read_again: None,
        first_reply: None,
        unread: false,
        template: None,
        thin: None,
        unasked: false,
        completeness: None,
    }
}

pub(super) fn person(name: &str) -> Party {
    Party::Human { name: Some(name.to_owned()), id: None }
}

pub(super) fn bot() -> Party {
    Party::Bot { name: Some("helper".to_owned()) }
}

/// A message on the ticket.
pub(super) fn message(id: i64, by: Party, text: &str) -> Turn {
    let proof = Proof::Message { ticket: ticket(), id: RemoteId::from(id), at: at(id) };
    Turn { proof, by, at: Some(at(id)), public: true, text: text.to_owned(), call: None }
}

/// A call of a tool in the stream.
pub(super) fn call(id: &str, name: &str, outcome: &str, result: Outcome) -> Turn {
    let call =
        ToolUse { name: name.to_owned(), inputs: "id: 4711".to_owned(), outcome: outcome.to_owned(), result };
    let proof = Proof::Event { id: id.to_owned(), at: None };
    Turn { proof, by: bot(), at: None, public: false, text: String::new(), call: Some(call) }
}

/// What a test's material owns.
pub(super) struct Given {
    pub(super) record: Handoff,
    pub(super) hop: u32,
    pub(super) ticket: TicketFacts,
    pub(super) captured: Option<Captured>,
    pub(super) turns: Vec<Turn>,
    pub(super) previous: Option<Package>,
    pub(super) names: BTreeMap<RemoteId, String>,
}

impl Given {
    pub(super) fn new(kind: HandoffKind) -> Self {
        let ticket = TicketFacts {
            subject: Some("Charged twice".to_owned()),
            requester: Some(Person::customer("Mia Li", "mia@example.com")),
            status: None,
        };
        Self {
            record: record("h1", kind),
            hop: 1,
            ticket,
            captured: None,
            turns: Vec::new(),
            previous: None,
            names: BTreeMap::new(),
        }
    }

    pub(super) fn material(&self) -> Material<'_> {
        Material {
            record: &self.record,
            hop: self.hop,
            ticket: &self.ticket,
            tickets: vec![ticket()],
            captured: self.captured.as_ref(),
            turns: &self.turns,
            previous: self.previous.as_ref(),
            names: &self.names,
        }
    }

    pub(super) fn package(&self) -> Package {
        assemble(&self.material(), &PackageRules::default(), now())
    }
}

pub(super) fn failed(words: &str) -> SourceAnswer {
    SourceAnswer::Failed(words.to_owned())
}

pub(super) fn owner(assignee: &str) -> Owner {
    Owner::Human { assignee: Some(RemoteId::new(assignee)), group: Some(RemoteId::new("9")) }
}

pub(super) fn account(name: &str) -> AccountId {
    AccountId::new(name)
}
