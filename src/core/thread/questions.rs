//! The customer's last question that nobody answered.

use super::{
    ThreadRules,
    human::{asks_for_human, is_transfer},
    sentences::{Said, Sentence},
};
use crate::model::package::Stated;

/// The customer's last question or request that no message of the company answers. Words that only
/// hold, ask back, refuse or hand over are no answer.
pub fn open_question(said: &[Said<'_>], rules: &ThreadRules) -> Stated<String> {
    let mut asked = false;
    let newest_first = said.iter().enumerate().rev().filter(|(_, said)| said.is_customer());
    for (at, turn) in newest_first {
        let Some(question) = question_of(turn) else { continue };
        asked = true;
        if !said[at + 1..].iter().any(answers) {
            return Stated::known(question.excerpt(rules), [turn.turn.proof.clone()]);
        }
        break;
    }
    match asked {
        true => Stated::not_applicable("the customer's last question has an answer"),
        false if said.iter().any(Said::is_customer) => {
            Stated::not_applicable("the customer asked nothing that is open")
        }
        false => Stated::unknown("the customer wrote nothing that was read"),
    }
}

/// What a message asks: its last plain question, else its last request.
fn question_of<'a>(turn: &'a Said<'a>) -> Option<&'a Sentence> {
    let counts = |sentence: &&Sentence| {
        sentence.len() >= 3
            && !sentence.is_ceremony()
            && !asks_for_human(sentence)
            && !sentence.has("consent")
    };
    let mut newest_first = turn.sentences.iter().rev().filter(counts);
    let question = newest_first.clone().find(|sentence| sentence.asks() && !sentence.has("generic"));
    let mut requests =
        newest_first.clone().filter(|sentence| sentence.has("wants") && !sentence.has("generic"));
    question.or_else(|| requests.next()).or_else(|| newest_first.find(|sentence| sentence.asks()))
}

/// Whether a message tells the customer something that may answer them.
fn answers(said: &Said<'_>) -> bool {
    said.is_answer()
        && said.sentences.iter().any(|sentence| {
            let empty = sentence.asks()
                || sentence.is_ceremony()
                || sentence.len() < 3
                || is_transfer(sentence)
                || ["holding", "refusal", "request", "offer", "promise", "helpless"]
                    .iter()
                    .any(|section| sentence.has(section));
            !empty
        })
}
