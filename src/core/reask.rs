//! What is asked again although it is known already.

use crate::model::{
    package::{Package, Resolution},
    turn::{Proof, Turn},
};

/// A question for what the package holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReAsk {
    /// The message that asks.
    pub turn: Proof,
    /// The field of the package that holds the answer, for instance `customer.email`.
    pub field: &'static str,
    /// Where the answer stands.
    pub answered_by: Vec<Proof>,
}

/// What an agent's messages ask for although the package holds it. Turns that are not of a
/// human or a bot are not looked at.
pub fn re_asks(package: &Package, agent_turns: &[Turn]) -> Vec<ReAsk> {
    let _ = (package, agent_turns);
    Vec::new()
}

/// Where it stands that the step was done, if a bot's follow-up asks for or offers a step that
/// was done, or one that it was told not to repeat.
pub fn repeats_done(resolution: &Resolution, text: &str) -> Option<Proof> {
    let _ = (resolution, text);
    None
}
