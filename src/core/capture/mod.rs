//! What an AI agent streams of a conversation, folded event by event to a bounded whole.
//!
//! A repeat changes nothing, an answer finds its call, and no address keeps a secret. What is too
//! much is dropped from its old end and counted.

use std::collections::BTreeMap;

use crate::model::{
    captured::Captured,
    time::Timestamp,
    turn::{Outcome, Party},
};

/// The most bytes of a [`Captured`] as JSON.
pub const CAPTURED_BYTES_MAX: usize = 24 * 1024;

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

/// Takes one event in.
pub fn capture(captured: &mut Captured, event: &CaptureEvent, rules: &CaptureRules) -> Taken {
    let _ = (captured, event, rules);
    Taken::Empty
}

/// The address of a page without secrets.
pub fn redacted_page(page: &str) -> String {
    page.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// The part of the product that a page belongs to, by the longest route that begins it.
pub fn area_of(page: &str, areas: &[(String, String)]) -> Option<String> {
    let _ = (page, areas);
    None
}
