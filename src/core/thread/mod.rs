//! Reads a conversation: what the customer wants, what was tried and promised, how they feel.
//! Without any language model; every finding names the turn that it stands in.
//!
//! What words mean is told by the tables in `lexicon/`, one a language; a text in another language
//! yields its tools, what was given, and its first words.

mod attempts;
mod given;
mod human;
mod language;
mod lexicon;
mod mood;
mod promises;
mod questions;
mod sentences;
#[cfg(test)]
mod tests;
mod wishes;
mod words;

pub use human::promises_transfer;
pub(crate) use {
    lexicon::{in_class, kinds},
    promises::promises_something,
    sentences::{Sentence, meaningful, sentences},
    words::words,
};

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

/// What the customer wishes in these turns, where it is plainly another wish than the goal that was known.
pub(crate) fn new_wish(turns: &[Turn], goal: &str, rules: &ThreadRules) -> Option<Stated<String>> {
    wishes::new_wish(&sentences::said(turns), goal, rules)
}

/// Whether there is a table for the language, ISO 639-1: in any other no words are understood.
pub(crate) fn reads_language(code: &str) -> bool {
    lexicon::has_table(code)
}

/// What a conversation says. Turns are oldest first. Time grows with the text, not faster.
pub fn read_thread(turns: &[Turn], rules: &ThreadRules) -> Findings {
    let said = sentences::said(turns);
    let attempts = attempts::attempts(turns, &said, rules);
    Findings {
        goal: wishes::goal(&said, rules),
        blocker: wishes::blocker(&said, &attempts, rules),
        promises: promises::promises(turns, &said, rules),
        open_question: questions::open_question(&said, rules),
        mood: mood::mood(&said),
        given: given::given(&said, rules),
        language: language::language(&said),
        asked_for_human: human::asked_for_human(&said),
        attempts,
    }
}
