//! What AI agents say through us, what they are told, and what they promised.

use handoffd_core::{Body, RemoteId, TicketKey, Timestamp, floor::Floor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Key, Table};

/// Messages that AI agents say through us, by id.
pub const SPEECHES: Table = Table("speeches");
/// Messages of AI agents that are not said yet, by account, ticket, time and id.
pub const SPEAKING: Table = Table("speaking");
/// Events that AI agents are to be told, by agent, conversation, time and id.
pub const OUTBOX: Table = Table("outbox");
/// Promises of AI agents that no handoff has followed, by ticket, or by agent and conversation.
pub const PROMISES: Table = Table("promises");

/// A message that an AI agent says through us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechRow {
    /// Its id: the same for every repeat of the request.
    pub id: String,
    /// The AI agent's name in the configuration.
    pub agent: String,
    /// The conversation, as the agent calls it.
    pub conversation: String,
    /// The ticket on which it is said.
    pub ticket: TicketKey,
    /// SHA-256 of the request's body.
    pub digest: String,
    /// The words. Long ones are put aside; settled, they are gone.
    pub text: Option<Body>,
    /// The token under which the agent has the floor.
    pub token: u64,
    /// Whether the agent's turn ends with it.
    pub ends_turn: bool,
    /// When it was asked for.
    pub at: Timestamp,
    /// What became of it.
    pub state: SpeechState,
}

/// What became of a message of an AI agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeechState {
    /// It waits for its conversation to be looked at.
    Waiting,
    /// Its write is stored.
    Sending,
    /// The customer can read it.
    Said {
        /// Its id on the ticket, where the helpdesk told it.
        comment: Option<RemoteId>,
        /// Whether people took the floor while it was being written.
        overrun: bool,
    },
    /// Somebody else has the floor. It was not written.
    Refused(Floor),
    /// It was sent, not answered and not found: it may stand there.
    Lost,
    /// It cannot be written; the words say why.
    Failed(String),
}

impl SpeechState {
    /// The name in answers and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting | Self::Sending => "accepted",
            Self::Said { .. } => "said",
            Self::Refused(_) => "refused",
            Self::Lost => "lost",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether nothing more comes of it.
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Sending)
    }
}

/// The id of a message: the same for every repeat.
pub fn speech_id(agent: &str, conversation: &str, key: &str) -> String {
    format!("w{}", &hashed(&["speech", agent, conversation, key])[..20])
}

/// The key of a message that is not said yet: those of a ticket sort as they came.
pub fn speaking_key(row: &SpeechRow) -> Key {
    let at = format!("{:013}", row.at.0.max(0));
    Key::of(&[row.ticket.account.as_str(), row.ticket.id.as_str(), &at, &row.id])
}

/// An event that an AI agent is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// Its id, and the delivery's: the same on every try.
    pub id: String,
    /// The AI agent's name in the configuration.
    pub agent: String,
    /// What kind of event it is, for instance `handoff.returned`.
    pub kind: String,
    /// The request's body, as it is signed. A long one is put aside.
    pub body: Body,
    /// When it happened.
    pub at: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Not to be tried before.
    pub due: Timestamp,
    /// Given up, until an admin looks.
    pub parked: bool,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// The id of an event: the same whenever it is made again. It holds no dot, because a dot ends an
/// id in what is signed.
pub fn event_id(kind: &str, agent: &str, of: &str) -> String {
    format!("evt_{}", &hashed(&["event", kind, agent, of])[..32])
}

/// The key of an event: those of a conversation sort as they happened. `number` tells events of
/// one moment apart.
pub fn outbox_key(row: &OutboxRow, conversation: &str, number: usize) -> Key {
    // Hashed, so that any name is one part.
    let conversation = &hashed(&["conversation", conversation])[..20];
    let at = format!("{:013}-{:06}", row.at.0.max(0), number % 1_000_000);
    Key::of(&[&row.agent, conversation, &at, &row.id])
}

/// A promise of an AI agent to hand a conversation over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseRow {
    /// When it was heard.
    pub at: Timestamp,
    /// The AI agent's name in the configuration, where it is known.
    pub agent: Option<String>,
    /// The conversation, as the agent calls it, where it told.
    pub conversation: Option<String>,
    /// The ticket, where it is known.
    pub ticket: Option<TicketKey>,
    /// Where it stands: a message of the ticket, or a turn of the stream. Never its text.
    pub place: String,
    /// Until when a handoff may follow.
    pub due: Timestamp,
    /// When it was raised that none did.
    pub raised_at: Option<Timestamp>,
}

/// The key of a promise that was made on a ticket.
pub fn promise_key(ticket: &TicketKey) -> Key {
    Key::of(&["ticket", ticket.account.as_str(), ticket.id.as_str()])
}

/// The key of a promise that was made in a conversation whose ticket is not known.
pub fn promise_key_of(agent: &str, conversation: &str) -> Key {
    Key::of(&["conversation", agent, conversation])
}

/// The parts' lengths are hashed too, so that no two lists of parts look alike.
fn hashed(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}
