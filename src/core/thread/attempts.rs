//! What was tried: calls of tools, what people say they did, and what the customer tried.

use super::{
    ThreadRules, lexicon,
    sentences::{Role, Said, Sentence},
};
use crate::{
    briefing::{one_line, shortened},
    model::{
        package::Tried,
        turn::{Outcome, Party, Turn},
    },
};

/// How many messages of the customer may pass before one says what came of it.
const ANSWER_WITHIN: usize = 2;

/// What was tried, oldest first; the same twice in a row with the same result is one.
pub fn attempts(turns: &[Turn], said: &[Said<'_>], rules: &ThreadRules) -> Vec<Tried> {
    let has_tools = turns.iter().any(|turn| turn.call.is_some());
    let mut found: Vec<(usize, Tried)> =
        turns.iter().enumerate().filter_map(|(at, turn)| Some((at, called(turn, rules)?))).collect();
    for (at, said_at) in said.iter().enumerate() {
        let told = match said_at.role {
            Role::Customer => by_customer(said, at, rules),
            Role::Bot if has_tools => suggested(said, at, rules),
            Role::Bot | Role::Human => {
                [done(said, at, rules), suggested(said, at, rules)].into_iter().flatten().collect()
            }
        };
        found.extend(told.into_iter().map(|tried| (said_at.place, tried)));
    }
    found.sort_by_key(|(place, _)| *place);
    without_repeats(found.into_iter().map(|(_, tried)| tried))
}

/// A call of a tool that does something.
fn called(turn: &Turn, rules: &ThreadRules) -> Option<Tried> {
    let call = turn.call.as_ref()?;
    let transfers = rules.transfer_prefixes.iter().any(|prefix| call.name.starts_with(prefix.as_str()));
    if transfers || rules.inner_tools.contains(&call.name) {
        return None;
    }
    let line = |text: &str| shortened(&one_line(text), rules.excerpt_chars_max);
    Some(Tried {
        inputs: line(&call.inputs),
        outcome: line(&call.outcome),
        result: call.result,
        ..tried(turn, line(&crate::transcript::spaced(&call.name)), turn.by.clone(), rules)
    })
}

fn tried(turn: &Turn, action: String, by: Party, rules: &ThreadRules) -> Tried {
    Tried {
        action,
        inputs: String::new(),
        outcome: String::new(),
        result: Outcome::Unclear,
        by,
        at: turn.at,
        hop: rules.hop,
        proofs: vec![turn.proof.clone()],
    }
}

/// What an agent says they did, with what the customer says came of it.
fn done(said: &[Said<'_>], at: usize, rules: &ThreadRules) -> Vec<Tried> {
    let turn = said[at].turn;
    let acts = said[at].sentences.iter().filter(|sentence| says_done(sentence));
    let mut found: Vec<Tried> =
        acts.map(|sentence| tried(turn, sentence.excerpt(rules), turn.by.clone(), rules)).collect();
    if let Some((answer, outcome, result)) = came_of_it(said, at).filter(|_| !found.is_empty()) {
        for tried in &mut found {
            tried.result = result;
            tried.outcome = outcome.excerpt(rules);
            tried.proofs.push(answer.turn.proof.clone());
        }
    }
    found
}

/// Whether an agent says that they did something: no question, and not only once something is.
pub fn says_done(sentence: &Sentence) -> bool {
    let Some((from, _)) = lexicon::find("did", &sentence.words).filter(|_| !sentence.asks()) else {
        return false;
    };
    let before = &sentence.words[from.saturating_sub(3)..from];
    !before.iter().chain(sentence.words.first()).any(|word| lexicon::in_class("hypothetical", word))
}

/// The customer's words on what came of what was done before, if they say so soon.
fn came_of_it<'a>(said: &'a [Said<'a>], at: usize) -> Option<(&'a Said<'a>, &'a Sentence, Outcome)> {
    let answers = said[at + 1..].iter().filter(|said| said.is_customer()).take(ANSWER_WITHIN);
    answers
        .into_iter()
        .find_map(|answer| outcome(&answer.sentences).map(|(text, result)| (answer, text, result)))
}

/// What sentences say of an attempt. A failure outweighs a success in one message.
fn outcome(sentences: &[Sentence]) -> Option<(&Sentence, Outcome)> {
    let failed = sentences.iter().find(|sentence| sentence.has("unsolved") && !is_fine(sentence));
    let worked = || sentences.iter().find(|sentence| sentence.has("solved") && !sentence.asks());
    failed
        .map(|text| (text, Outcome::Failed))
        .or_else(|| worked().filter(|text| !negated(text)).map(|text| (text, Outcome::Worked)))
}

/// `not ... any more` and the like are no failure where the sentence also says that it is solved.
fn is_fine(sentence: &Sentence) -> bool {
    sentence.has("solved") && !negated(sentence)
}

fn negated(sentence: &Sentence) -> bool {
    lexicon::find("solved", &sentence.words).is_some_and(|(from, until)| {
        let around = &sentence.words[from.saturating_sub(2)..until.min(sentence.words.len())];
        around.iter().any(|word| lexicon::is_negation(word))
    })
}

/// A step that an agent asked for, where the customer says what came of it.
fn suggested(said: &[Said<'_>], at: usize, rules: &ThreadRules) -> Vec<Tried> {
    let Some(step) = said[at].sentences.iter().find(|sentence| sentence.has("suggest")) else {
        return Vec::new();
    };
    let next = said[at + 1..].iter().find(|said| said.is_customer());
    let told = next.and_then(|next| outcome(&next.sentences).map(|(text, result)| (next, text, result)));
    let Some((answer, text, result)) = told else { return Vec::new() };
    let proofs = vec![said[at].turn.proof.clone(), answer.turn.proof.clone()];
    let outcome = text.excerpt(rules);
    vec![Tried {
        proofs,
        outcome,
        result,
        ..tried(answer.turn, step.excerpt(rules), answer.turn.by.clone(), rules)
    }]
}

/// What the customer says they tried; it did not help if the message goes on about the problem.
fn by_customer(said: &[Said<'_>], at: usize, rules: &ThreadRules) -> Vec<Tried> {
    let turn = &said[at];
    let own = |sentence: &&Sentence| sentence.has("tried") && !sentence.asks() && !starts_unsure(sentence);
    let tries = turn.sentences.iter().filter(own);
    let told = outcome(&turn.sentences);
    let goes_on = turn.has("problem") || turn.has("unsolved");
    tries
        .map(|sentence| {
            let (words, result) = match told {
                Some((text, result)) => (text.excerpt(rules), result),
                None if goes_on => (String::new(), Outcome::Failed),
                None => (String::new(), Outcome::Unclear),
            };
            let same = words == sentence.excerpt(rules);
            Tried {
                result,
                outcome: if same { String::new() } else { words },
                ..tried(turn.turn, sentence.excerpt(rules), Party::Customer, rules)
            }
        })
        .collect()
}

fn starts_unsure(sentence: &Sentence) -> bool {
    sentence.words.first().is_some_and(|word| lexicon::in_class("hypothetical", word))
}

fn without_repeats(all: impl Iterator<Item = Tried>) -> Vec<Tried> {
    let mut kept: Vec<Tried> = Vec::new();
    for tried in all {
        let same = |last: &&mut Tried| {
            (&last.action, &last.inputs, &last.outcome, last.result, &last.by)
                == (&tried.action, &tried.inputs, &tried.outcome, tried.result, &tried.by)
        };
        match kept.last_mut().filter(same) {
            Some(last) => last.proofs.extend(tried.proofs),
            None => kept.push(tried),
        }
    }
    kept
}
