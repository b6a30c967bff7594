//! A handoff: any change of owner of a conversation, as a record of its own.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    comment::Body,
    fact::{Fact, Match},
    ids::{AccountId, HandoffId, LinkId, OpKey, RemoteId, TicketKey},
    ticket::Fields,
    time::Timestamp,
};

/// Who owns a conversation at one helpdesk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// An AI agent, by the marks in the configuration.
    Bot,
    /// A person or a group of people, by the helpdesk's own ids.
    Human {
        /// The agent.
        assignee: Option<RemoteId>,
        /// The group or team.
        group: Option<RemoteId>,
    },
    /// Nobody.
    Nobody,
}

/// Between whom a conversation changed hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandoffKind {
    /// An AI agent gave it to a human.
    AiToHuman,
    /// One human or group gave it to another.
    HumanToHuman,
    /// It went back to the AI agent.
    HumanToAi,
}

/// What made a handoff known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The owner changed at a helpdesk.
    Native {
        /// Where.
        ticket: TicketKey,
    },
    /// An AI agent said so through the API.
    Api {
        /// The agent's name in the configuration.
        agent: String,
        /// The request's idempotency key.
        key: String,
    },
}

/// A change of owner that was seen at a helpdesk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// Between whom.
    pub kind: HandoffKind,
    /// Where.
    pub ticket: TicketKey,
    /// Before.
    pub from: Owner,
    /// After.
    pub to: Owner,
    /// The version of the view that showed it.
    pub version: i64,
    /// The ticket was solved before. Then the owner may be the same as before.
    #[serde(default)]
    pub reopened: bool,
}

/// Where an AI agent asks that a conversation go; what it asks for is not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The group, team or queue, by its name in the configuration or the helpdesk's id.
    pub queue: Option<String>,
    /// The person, by name in the configuration or the helpdesk's id.
    pub agent: Option<String>,
    /// How urgent it is, in the AI agent's word.
    pub priority: Option<String>,
    /// Until when somebody should have taken it.
    pub deadline: Option<Timestamp>,
}

impl Wanted {
    /// What is asked for here, and what was asked for before where nothing is.
    #[must_use]
    pub fn or(self, before: &Self) -> Self {
        Self {
            queue: self.queue.or_else(|| before.queue.clone()),
            agent: self.agent.or_else(|| before.agent.clone()),
            priority: self.priority.or_else(|| before.priority.clone()),
            deadline: self.deadline.or(before.deadline),
        }
    }
}

/// A message at a helpdesk, by the helpdesk's own id and clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenMessage {
    /// The ticket on which it stands.
    pub ticket: TicketKey,
    /// Its id there.
    pub id: RemoteId,
    /// When the helpdesk says that it was written.
    pub at: Timestamp,
}

/// Something that was tried before the handoff, with what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The action, for instance the name of the tool that was called.
    pub action: String,
    /// The inputs, shortened.
    pub inputs: String,
    /// What came of it, shortened; empty when no answer was given.
    pub outcome: String,
    /// Whether it failed, as far as the outcome says so.
    pub failed: bool,
    /// Where it is written: a message or tool-call id of the transcript.
    pub evidence: String,
}

/// What an AI agent told about a handoff.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Why it hands over, in its own words.
    pub reason: Option<String>,
    /// Its own summary.
    pub summary: Option<String>,
    /// What the customer wants, from the transcript: the first customer message, shortened.
    pub customer_wants: Option<String>,
    /// What was tried, oldest first.
    pub attempts: Vec<Attempt>,
    /// Attempts beyond the bound that were left out.
    pub attempts_left_out: u32,
    /// The customer's e-mail, when the agent named it.
    pub customer_email: Option<String>,
}

/// What one context source answered for a handoff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceAnswer {
    /// Asked, no answer yet. Named as missing when the deadline passes.
    Waiting,
    /// It knows nobody by the subject's keys.
    Nobody,
    /// Several records tie; nothing was picked.
    Ambiguous(Vec<Match>),
    /// What it knows.
    Facts(Vec<Fact>),
    /// It could not answer; the words are for the next owner and name no secret.
    Failed(String),
}

impl HandoffKind {
    /// The name in metrics and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::AiToHuman => "ai_to_human",
            Self::HumanToHuman => "human_to_human",
            Self::HumanToAi => "human_to_ai",
        }
    }
}

/// Where a handoff stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoffState {
    /// Known; nothing was done yet.
    Detected,
    /// The sources are being asked, until the deadline.
    Packaging,
    /// The briefing is written and on its way to the ticket.
    Delivering,
    /// The briefing is on the ticket.
    Delivered,
    /// The next owner wrote their first public message.
    Accepted,
    /// The next owner is working on it.
    InProgress,
    /// The conversation was solved.
    Resolved,
    /// The conversation went back to the AI agent.
    HandedBack,
    /// The briefing could not be delivered; the reason is kept.
    Failed,
    /// Nobody took it in time.
    Expired,
    /// People passed the conversation on: the next handoff has it.
    PassedOn,
    /// It went round in a loop between AI agent and humans: recorded, and nothing else.
    Suppressed,
}

impl HandoffState {
    /// The name in logs, metrics and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::Packaging => "packaging",
            Self::Delivering => "delivering",
            Self::Delivered => "delivered",
            Self::Accepted => "accepted",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
            Self::HandedBack => "handed_back",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::PassedOn => "passed_on",
            Self::Suppressed => "suppressed",
        }
    }
}

impl Handoff {
    /// When it happened, as far as that is known: the next owner waits for the briefing from then on.
    pub fn began(&self) -> Timestamp {
        self.began_at.unwrap_or(self.detected_at).min(self.detected_at)
    }
}

/// One change of owner of a conversation, from the first sign to the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// Its id.
    pub id: HandoffId,
    /// The conversation, once its link is known.
    pub link: Option<LinkId>,
    /// The ticket on which the briefing is to appear.
    pub ticket: TicketKey,
    /// Between whom.
    pub kind: HandoffKind,
    /// Where it stands.
    pub state: HandoffState,
    /// Who owned it before, where known.
    pub from: Option<Owner>,
    /// Who is to own it, where known.
    pub to: Option<Owner>,
    /// Every sign of it: the API call, the native change.
    pub evidence: BTreeSet<Evidence>,
    /// What the AI agent told.
    pub told: Told,
    /// What each context source answered.
    pub sources: BTreeMap<AccountId, SourceAnswer>,
    /// When it was first known.
    pub detected_at: Timestamp,
    /// When it happened, as the signs have it: the AI agent's request came in, or the helpdesk's time
    /// of the change; `None` in rows of before.
    #[serde(default)]
    pub began_at: Option<Timestamp>,
    /// Until when the sources may answer; the briefing leaves then.
    pub deadline: Timestamp,
    /// The write that carries the briefing.
    pub briefing_key: Option<OpKey>,
    /// The briefing's comment id at the helpdesk, once it is there.
    pub briefing_comment: Option<RemoteId>,
    /// When the briefing was seen to be on the ticket.
    pub delivered_at: Option<Timestamp>,
    /// The write that carries what came late; at most one in a handoff's life.
    pub late_key: Option<OpKey>,
    /// Facts came after the briefing left and are not on the ticket yet.
    pub late_facts: bool,
    /// When the next owner's first public message was seen.
    pub accepted_at: Option<Timestamp>,
    /// Why it failed, in words for an admin.
    pub failure: Option<String>,
    /// The text of the briefing as it was sent.
    pub briefing: Option<Body>,
    /// The handoff of this conversation before.
    #[serde(default)]
    pub previous: Option<HandoffId>,
    /// Which handoff of the conversation it is, from 1; 0 in rows of before.
    #[serde(default)]
    pub hop: u32,
    /// People passed on what an AI agent gave them without a word, and its word may still come.
    #[serde(default)]
    pub unasked: bool,
    /// The ticket was solved before and is open again.
    #[serde(default)]
    pub reopened: bool,
    /// How many handoffs to humans came in a row before this one while the customer said nothing.
    #[serde(default)]
    pub in_a_row: u32,
    /// Where the AI agent asks that it go.
    #[serde(default)]
    pub wanted: Wanted,
    /// The helpdesk refused what goes beside the briefing, for this reason: the briefing is without it.
    #[serde(default)]
    pub bare: Option<String>,
    /// Owners that were written beside the briefing, or after it: when the ticket shows them, nobody
    /// hands anything over.
    #[serde(default)]
    pub placed: Fields,
    /// What kept the briefing's write waiting last, in words for an admin.
    #[serde(default)]
    pub trouble: Option<String>,
    /// The write that names the next owner, after the briefing is there.
    #[serde(default)]
    pub assign_key: Option<OpKey>,
    /// Why the person whom the AI agent asks for did not get it, in words for an admin.
    #[serde(default)]
    pub unassigned: Option<String>,
    /// Something goes beside the briefing and was not written with it: it is to go by itself.
    #[serde(default)]
    pub unplaced: bool,
    /// The write on its way that carries it.
    #[serde(default)]
    pub place_key: Option<OpKey>,
    /// How many such writes there were.
    #[serde(default)]
    pub placings: u32,
    /// The write that tells the customer to hold.
    #[serde(default)]
    pub holding_key: Option<OpKey>,
    /// A person answered while those words had to wait: they are not said any more.
    #[serde(default)]
    pub unheld: bool,
    /// The briefing as the helpdesk showed it when it was read back.
    #[serde(default)]
    pub visible: Option<SeenMessage>,
    /// How often it was looked for in vain after the helpdesk took it.
    #[serde(default)]
    pub read_backs: u32,
    /// The ticket could not be read when the briefing was looked for: not before then again.
    #[serde(default)]
    pub read_again: Option<Timestamp>,
    /// The next owner's first public message, as the helpdesk showed it.
    #[serde(default)]
    pub first_reply: Option<SeenMessage>,
    /// The ticket's messages could not be read for the package: the next handoff reads them.
    #[serde(default)]
    pub unread: bool,
    /// The template that made the briefing, and its version.
    #[serde(default)]
    pub template: Option<String>,
    /// Why the package is thin, if it is.
    #[serde(default)]
    pub thin: Option<String>,
    /// How many of the fields that a package must answer it answers, and how many there are.
    #[serde(default)]
    pub completeness: Option<(u32, u32)>,
}
