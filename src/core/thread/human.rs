//! People: whether the customer asks for one, and whether a bot's words promise one.

use super::{
    lexicon,
    sentences::{Said, Sentence, sentences},
};
use crate::model::turn::Proof;

/// Where the customer last asked for a person.
pub fn asked_for_human(said: &[Said<'_>]) -> Option<Proof> {
    let asks = |said: &&Said<'_>| said.is_customer() && said.sentences.iter().any(asks_for_human);
    said.iter().rev().find(asks).map(|said| said.turn.proof.clone())
}

/// Whether a customer's sentence asks for a person.
pub fn asks_for_human(sentence: &Sentence) -> bool {
    let Some((from, _)) = lexicon::find("human", &sentence.words) else { return false };
    let before = &sentence.words[from.saturating_sub(3)..from];
    let refuses = before.iter().any(|word| lexicon::is_negation(word)) && !sentence.asks();
    !refuses
}

/// Whether a bot's words say that it hands the conversation to a person, now or soon. An offer
/// to do so is none, nor is a question, nor what happens only if the customer wants it.
pub fn promises_transfer(text: &str) -> bool {
    sentences(text).iter().any(is_transfer)
}

/// Whether one sentence says so.
pub fn is_transfer(sentence: &Sentence) -> bool {
    !sentence.asks() && sentence.has("transfer") && !sentence.has("offer")
}
