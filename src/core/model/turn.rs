//! What was said and done in a conversation, by whom, and where it can be checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ids::{AccountId, HandoffId, RemoteId, TicketKey},
    time::Timestamp,
};

/// Who said or did something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Party {
    /// The customer.
    Customer,
    /// An AI agent.
    Bot {
        /// Its name in the configuration, where it is known.
        name: Option<String>,
    },
    /// A person of the company, or one of its groups.
    Human {
        /// The name that is shown; a group's where only that is known.
        name: Option<String>,
        /// Their id at the helpdesk.
        id: Option<RemoteId>,
    },
    /// Nobody, or a machine that is no AI agent.
    Nobody,
}

/// Where a statement can be checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Proof {
    /// A message on a ticket.
    Message {
        /// The ticket.
        ticket: TicketKey,
        /// The message there.
        id: RemoteId,
        /// When it was written.
        at: Timestamp,
    },
    /// A turn, tool call or event of an AI agent's stream or transcript.
    Event {
        /// Its id there; `message 3` or `message 3, call_7` where it has none of its own.
        id: String,
        /// When it happened, where that is known.
        at: Option<Timestamp>,
    },
    /// A field of what an AI agent told when it handed over.
    Told {
        /// The AI agent's name in the configuration.
        agent: String,
        /// The field's path in what it sent, for instance `reason.text`.
        path: String,
    },
    /// What a ticket shows of itself.
    Ticket {
        /// The ticket.
        ticket: TicketKey,
        /// Which of its fields.
        field: String,
    },
    /// A record of a context source.
    Fact {
        /// The account that said so.
        source: AccountId,
        /// The record there, for instance `in_7`.
        record: String,
        /// When it was asked.
        at: Timestamp,
    },
    /// An earlier handoff of the same conversation.
    Handoff {
        /// Which.
        id: HandoffId,
    },
}

/// One message of a conversation, or one call of a tool.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Where it stands.
    pub proof: Proof,
    /// Who.
    pub by: Party,
    /// When, where that is known.
    pub at: Option<Timestamp>,
    /// Whether the customer saw it.
    pub public: bool,
    /// What was said; empty for a call of a tool.
    pub text: String,
    /// The tool that was called, with what came of it.
    pub call: Option<ToolUse>,
}

impl std::fmt::Debug for Turn {
    /// What was said never reaches a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let call = self.call.is_some();
        write!(out, "Turn({:?}, {:?}, {} bytes, call: {call})", self.proof, self.by, self.text.len())
    }
}

/// A call of a tool and what came of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUse {
    /// The tool.
    pub name: String,
    /// The inputs on one line, shortened.
    pub inputs: String,
    /// The answer on one line, shortened; empty when none is known.
    pub outcome: String,
    /// What the answer says of itself.
    pub result: Outcome,
}

impl std::fmt::Debug for ToolUse {
    /// Inputs and answers never reach a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ToolUse({}, {:?})", self.name, self.result)
    }
}

/// What came of something that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It worked.
    Worked,
    /// It failed, or did not help.
    Failed,
    /// Nothing says what came of it.
    Unclear,
}
