//! What an AI agent streams of a conversation, folded event by event to a bounded whole.
//!
//! A repeat changes nothing, an answer finds its call, and no address keeps a secret. What is too
//! much is dropped from its old end and counted.

mod behaviour;
mod bound;
mod chat;
mod fold;
mod page;
mod profile;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub(crate) use chat::all_turns;
pub use chat::events_from;
pub(crate) use fold::is_result_alone;
pub use page::{area_of, redacted_page};

use crate::model::{
    captured::Captured,
    time::Timestamp,
    turn::{Outcome, Party},
};

/// The most bytes of a [`Captured`] as JSON.
pub const CAPTURED_BYTES_MAX: usize = 24 * 1024;

/// How many ids of events are remembered.
pub const SEEN_MAX: usize = 200;

/// One event of a stream.
#[derive(Clone, PartialEq, Eq)]
pub struct CaptureEvent {
    /// Its id: a second event with it changes nothing.
    pub id: Option<String>,
    /// Where it stands in what was sent, for instance `message 3`, where its id says less to a
    /// reader; the id else.
    pub place: Option<String>,
    /// When it happened; where it is not told, events are in order of arrival.
    pub at: Option<Timestamp>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody said something.
    Turn {
        /// Who.
        by: Party,
        /// What.
        text: String,
        /// Whether the customer saw it.
        public: bool,
    },
    /// The AI agent called a tool.
    ToolCall {
        /// The call's id. Real agents use one id several times.
        call_id: Option<String>,
        /// The tool.
        name: String,
        /// The inputs, as JSON or as words.
        inputs: String,
    },
    /// A tool answered.
    ToolResult {
        /// The id of the call that it answers.
        call_id: Option<String>,
        /// The tool, where that is told.
        name: Option<String>,
        /// The answer, as JSON or as words.
        outcome: String,
        /// What came of it; where that is not told, the answer's words decide.
        result: Outcome,
    },
    /// The customer saw a page or screen.
    PageView {
        /// Its address or route, as it is: secrets are taken out here.
        page: Option<String>,
        /// The screen's name, where there is no address.
        screen: Option<String>,
        /// The build of the product.
        build: Option<String>,
        /// Feature flags that are on.
        flags: Vec<String>,
        /// The error that is shown there.
        error: Option<String>,
    },
    /// The customer did something in the product.
    Product {
        /// What, for instance `export_invoice`.
        name: String,
        /// The part of the product.
        area: Option<String>,
        /// What else was told; only `area`, `section`, `error_code` and `code` are read.
        properties: BTreeMap<String, String>,
        /// Whether it worked.
        ok: Option<bool>,
        /// The error's code.
        error_code: Option<String>,
        /// How long it took or they stayed, in seconds.
        dwell_secs: Option<u64>,
    },
    /// What the AI agent says of itself and the conversation, by name; an empty value takes a
    /// statement back.
    State(BTreeMap<String, String>),
}

/// How a stream is folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureRules {
    /// The AI agent whose stream it is: its name in the configuration.
    pub agent: Option<String>,
    /// Parts of the product by what begins a route: `/billing` is `Billing`.
    pub areas: Vec<(String, String)>,
    /// The longest text of a turn in characters.
    pub turn_chars_max: usize,
    /// The longest inputs of a call in characters.
    pub inputs_chars_max: usize,
    /// The longest outcome of a call in characters.
    pub outcome_chars_max: usize,
    /// The most bytes of the whole as JSON; at most [`CAPTURED_BYTES_MAX`].
    pub bytes_max: usize,
}

impl Default for CaptureRules {
    fn default() -> Self {
        Self {
            agent: None,
            areas: Vec::new(),
            turn_chars_max: 1_000,
            inputs_chars_max: 120,
            outcome_chars_max: 160,
            bytes_max: CAPTURED_BYTES_MAX,
        }
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in the whole.
    Taken,
    /// It came before; nothing changed.
    Repeated,
    /// There is nothing in it.
    Empty,
    /// It is older than all that there is room for; it was counted.
    TooOld,
}

impl CaptureEvent {
    /// An event with an id of its own, or none.
    pub fn new(id: Option<String>, at: Option<Timestamp>, what: What) -> Self {
        Self { id, place: None, at, what }
    }
}

impl std::fmt::Debug for CaptureEvent {
    /// What was said never reaches a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "CaptureEvent({:?}, {:?}, {:?}, {})", self.id, self.place, self.at, self.what.name())
    }
}

impl std::fmt::Debug for What {
    /// What was said never reaches a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

impl What {
    /// The kind of event, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Turn { .. } => "turn",
            Self::ToolCall { .. } => "tool_call",
            Self::ToolResult { .. } => "tool_result",
            Self::PageView { .. } => "page_view",
            Self::Product { .. } => "product",
            Self::State(_) => "state",
        }
    }
}

/// Takes one event in. It is counted and remembered even where it is too old to be kept.
pub fn capture(captured: &mut Captured, event: &CaptureEvent, rules: &CaptureRules) -> Taken {
    let mark = event.id.as_deref().map(seen_mark);
    if mark.as_ref().is_some_and(|mark| captured.seen.contains(mark)) {
        return Taken::Repeated;
    }
    let inserted = match fold::take(captured, event, rules) {
        fold::Folded::Nothing => return Taken::Empty,
        fold::Folded::Turn(at) => Some(at),
        fold::Folded::Other => None,
    };
    if let Some(mark) = mark {
        captured.seen.push(mark);
        let too_many = captured.seen.len().saturating_sub(SEEN_MAX);
        captured.seen.drain(..too_many);
    }
    captured.at = captured.at.max(event.at.unwrap_or_default());
    let dropped = bound::bound(captured, rules.bytes_max.min(CAPTURED_BYTES_MAX));
    if inserted.is_some_and(|at| at < dropped) { Taken::TooOld } else { Taken::Taken }
}

/// What is kept of an id: short however long the id is.
fn seen_mark(id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    hex::encode(digest.get(..8).unwrap_or(&digest))
}
