//! What an AI agent streamed and told of a conversation, folded to a bounded whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    ids::TicketKey,
    time::Timestamp,
    turn::{Proof, Turn},
};

/// What is known of a conversation from its AI agent's side. Bounded: it fits one row of the
/// store however much was streamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The ticket, once it is known.
    pub ticket: Option<TicketKey>,
    /// The newest turns and tool calls, oldest first.
    pub turns: Vec<Turn>,
    /// Turns that were left out before them.
    pub turns_left_out: u32,
    /// The customer's first words, which are kept however long it goes on.
    pub first: Option<Turn>,
    /// Pages on which the customer was, oldest first, the newest 20.
    pub pages: Vec<PageSeen>,
    /// What they did in the product.
    pub behaviour: Behaviour,
    /// What the AI agent says of itself and the conversation, by name, for instance `category`,
    /// `goal`, `blocker`, `severity`, `language`, `channel`, `tier`, `open_question`.
    pub stated: BTreeMap<String, StatedByAgent>,
    /// Ids of events that were taken in, the newest 200: a repeat changes nothing.
    pub seen: Vec<String>,
    /// When the newest was taken in.
    pub at: Timestamp,
}

/// A page or screen on which the customer was. No secret is kept of its address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSeen {
    /// The address or route, redacted.
    pub page: String,
    /// The part of the product that the configuration says it is.
    pub area: Option<String>,
    /// The last error that was shown there.
    pub error: Option<String>,
    /// The build, where it was told.
    pub build: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// Where it can be checked.
    pub proof: Proof,
}

/// What a customer did in the product, reduced to little.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behaviour {
    /// How long they were in each area, in seconds, at most 16 areas.
    pub dwell_secs: BTreeMap<String, u64>,
    /// Actions that failed, with how often and the last event, at most 16.
    pub failed: BTreeMap<String, (u32, Proof)>,
    /// Error codes, with how often and the last event, at most 16.
    pub errors: BTreeMap<String, (u32, Proof)>,
    /// How many events were taken in.
    pub events: u64,
}

/// A statement of the AI agent's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedByAgent {
    /// What it says, shortened.
    pub value: String,
    /// Where it said so.
    pub proof: Proof,
}
