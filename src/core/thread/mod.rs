//! Reads a conversation: what the customer wants, what was tried and promised, how they feel.
//! Without any language model; every finding names the turn that it stands in.

mod human;

pub use human::promises_transfer;

use crate::model::{
    package::{Given, Mood, Promise, Stated, Tried},
    turn::{Proof, Turn},
};

/// What a conversation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// What the customer wants.
    pub goal: Stated<String>,
    /// What stands in their way.
    pub blocker: Stated<String>,
    /// What was tried, oldest first.
    pub attempts: Vec<Tried>,
    /// What was promised and is not seen to be done, oldest first.
    pub promises: Vec<Promise>,
    /// The customer's last question that nobody answered.
    pub open_question: Stated<String>,
    /// How they feel.
    pub mood: Stated<Mood>,
    /// What they said already: order numbers, dates, addresses and the like.
    pub given: Vec<Given>,
    /// The language that they write, ISO 639-1.
    pub language: Stated<String>,
    /// Where they asked for a person.
    pub asked_for_human: Option<Proof>,
}

/// What counts when a conversation is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRules {
    /// Tools whose name begins so hand the conversation over: no attempts.
    pub transfer_prefixes: Vec<String>,
    /// Tools that do nothing outside the AI agent's head: no attempts.
    pub inner_tools: std::collections::BTreeSet<String>,
    /// The longest excerpt in characters.
    pub excerpt_chars_max: usize,
    /// The hop whose turns these are, from 1.
    pub hop: u32,
}

/// What a conversation says. Turns are oldest first.
pub fn read_thread(turns: &[Turn], rules: &ThreadRules) -> Findings {
    let _ = (turns, rules);
    let unknown = || Stated::unknown("nothing was read");
    Findings {
        goal: unknown(),
        blocker: unknown(),
        attempts: Vec::new(),
        promises: Vec::new(),
        open_question: unknown(),
        mood: Stated::unknown("nothing was read"),
        given: Vec::new(),
        language: unknown(),
        asked_for_human: None,
    }
}
