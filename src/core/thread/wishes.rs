//! What the customer wants, and what stands in the way.

use std::collections::BTreeSet;

use super::{
    ThreadRules,
    human::asks_for_human,
    lexicon::{in_class, is_negation},
    sentences::{Role, Said, Sentence, meaningful},
    words::words,
};
use crate::model::{
    package::{Stated, Tried},
    turn::{Outcome, Proof},
};

/// From this score on a sentence says what somebody wants.
pub const WISH_MIN: i32 = 4;

/// By how much a later wish must be clearer than the first to be taken for it.
const CLEARER_BY: i32 = 3;

/// From this score on a later wish may take the place of the goal although nothing says that it changed.
const CLEAR_MIN: i32 = 6;

/// From this score on a sentence says what stands in the way.
const HINDRANCE_MIN: i32 = 4;

/// A wish of more words than this says by itself what it is about.
const ANAPHORA_WORDS_MAX: usize = 14;

/// Among how many of the customer's first messages with a wish the clearest is looked for.
const FIRST_TURNS: usize = 3;

/// What the customer wants: the clearest of their first wishes, or a later one where the topic plainly
/// changes; without any wish, their first words that are no greeting.
pub fn goal(said: &[Said<'_>], rules: &ThreadRules) -> Stated<String> {
    if !said.iter().any(Said::is_customer) {
        return Stated::unknown("the customer wrote nothing that was read");
    }
    let first = first_wish(said);
    let found = match first {
        Some((at, wish)) => restated(said, at, wish).or(first),
        None => first_words(said),
    };
    match found {
        Some((at, wish)) => Stated::known(in_context(&said[at], wish, rules), [said[at].turn.proof.clone()]),
        None => Stated::unknown("the customer only greeted or asked for a person"),
    }
}

/// The wish, with the sentence before it where it says `it` and there is room for both.
fn in_context(said: &Said<'_>, wish: &Sentence, rules: &ThreadRules) -> String {
    let alone = wish.excerpt(rules);
    if !wish.has("anaphora") || wish.len() > ANAPHORA_WORDS_MAX {
        return alone;
    }
    let at = said.sentences.iter().position(|sentence| std::ptr::eq(sentence, wish)).unwrap_or(0);
    let before = said.sentences[..at].iter().next_back();
    match before.filter(|before| !before.is_ceremony() && before.len() > 2 && !asks_for_human(before)) {
        Some(before) => {
            let both = format!("{} {alone}", before.excerpt(rules));
            if both.chars().count() <= rules.excerpt_chars_max { both } else { alone }
        }
        None => alone,
    }
}

type Found<'a> = (usize, &'a Sentence);

/// Messages of the customer with their place.
fn of_customer<'a>(said: &'a [Said<'a>]) -> impl DoubleEndedIterator<Item = (usize, &'a Said<'a>)> {
    said.iter().enumerate().filter(|(_, said)| said.is_customer())
}

fn first_wish<'a>(said: &'a [Said<'a>]) -> Option<Found<'a>> {
    let mut best: Option<(i32, Found<'a>)> = None;
    let wishes =
        of_customer(said).filter_map(|(at, said)| best_wish(said).map(|(score, wish)| (score, (at, wish))));
    for (score, found) in wishes.take(FIRST_TURNS) {
        if best.is_none_or(|(most, _)| score >= most + CLEARER_BY) {
            best = Some((score, found));
        }
    }
    best.map(|(_, found)| found)
}

fn best_wish<'a>(said: &'a Said<'a>) -> Option<(i32, &'a Sentence)> {
    let scored = said.sentences.iter().map(|sentence| (wish_score(sentence), sentence));
    let best = scored.fold(None, |best: Option<(i32, &Sentence)>, next| match best {
        Some(best) if best.0 >= next.0 => Some(best),
        _ => Some(next),
    });
    best.filter(|(score, _)| *score >= WISH_MIN)
}

/// How much a sentence tells of what somebody wants.
pub fn wish_score(sentence: &Sentence) -> i32 {
    if sentence.is_ceremony() || asks_for_human(sentence) {
        return 0;
    }
    let points = |section: &str, points: i32| if sentence.has(section) { points } else { 0 };
    let acts = sentence.words.iter().any(|word| in_class("action", word));
    let wants = sentence.find("wants").is_some_and(|(from, _)| {
        !from.checked_sub(1).is_some_and(|before| is_negation(&sentence.words[before]))
    });
    points("problem", if wants { 1 } else { 4 })
        + if wants { 4 } else { 0 }
        + points("consent", -4)
        + points("generic", -3)
        + points("tried", -2)
        + points("addition", -1)
        + match sentence.informs() {
            0 => -3,
            1 => -1,
            _ => 0,
        }
        + if acts && wants { 2 } else { 0 }
        + i32::from(sentence.asks())
        + match sentence.len() {
            0..=2 => -3,
            3..=4 => 0,
            _ => i32::from(wants),
        }
}

/// The newest later wish that takes the place of the first: the customer says that it changed, or asks
/// for something else after an answer that closed the topic.
fn restated<'a>(said: &'a [Said<'a>], first_at: usize, first: &Sentence) -> Option<Found<'a>> {
    let mut goal: BTreeSet<&str> = first.stems().collect();
    let mut newest = None;
    for (at, turn) in of_customer(said).filter(|(at, _)| *at > first_at) {
        let Some((score, wish)) = best_wish(turn) else { continue };
        let changes = turn.sentences.iter().any(|sentence| sentence.has("change"));
        let shared = wish.stems().filter(|stem| goal.contains(stem)).count();
        let changes = changes && !wish.has("addition");
        let acts = wish.has("wants") && score >= CLEAR_MIN && !wish.asks() && !wish.has("addition");
        if score > WISH_MIN && (changes || acts && shared <= 1 && was_closed(said, at)) {
            goal = wish.stems().collect();
            newest = Some((at, wish));
        }
    }
    newest
}

/// The newest of these wishes that is plainly another than the goal that was known: it asks for something
/// to be done, and for hardly anything that the goal names.
pub fn new_wish(said: &[Said<'_>], goal: &str, rules: &ThreadRules) -> Option<Stated<String>> {
    let known = Sentence::new(goal);
    let known: BTreeSet<&str> = known.stems().collect();
    let is_other = |wish: &Sentence| {
        let shared = wish.stems().filter(|stem| known.contains(stem)).count();
        shared <= 1 && wish.stems().any(|stem| !known.contains(stem))
    };
    let mut newest = None;
    for (at, turn) in of_customer(said) {
        let plain = best_wish(turn).filter(|(score, wish)| *score >= CLEAR_MIN && wish.has("wants"));
        if let Some((_, wish)) = plain.filter(|(_, wish)| !wish.has("addition") && is_other(wish)) {
            newest = Some((at, wish));
        }
    }
    newest.map(|(at, wish)| Stated::known(in_context(&said[at], wish, rules), [said[at].turn.proof.clone()]))
}

/// Whether the message before refuses or reports something done, and asks for nothing.
fn was_closed(said: &[Said<'_>], at: usize) -> bool {
    said[..at].iter().rev().find(|said| said.turn.public).is_some_and(|before| {
        let asks = before.sentences.iter().any(|sentence| sentence.asks() || sentence.has("request"));
        !before.is_customer() && !asks && (before.has("refusal") || before.has("did"))
    })
}

fn first_words<'a>(said: &'a [Said<'a>]) -> Option<Found<'a>> {
    let speaks =
        |sentence: &&Sentence| sentence.len() >= 2 && !sentence.is_ceremony() && !asks_for_human(sentence);
    let longer = |sentence: &&Sentence| sentence.len() >= 4;
    of_customer(said).find_map(|(at, said)| {
        let mut sentences = said.sentences.iter().filter(speaks);
        let first = sentences.clone().find(longer).or_else(|| sentences.next())?;
        Some((at, first))
    })
}

/// What stands in the way: what the company refuses, what the customer says goes wrong, or a tool
/// that fails. Of several the plainest, of those the newest.
pub fn blocker(said: &[Said<'_>], attempts: &[Tried], rules: &ThreadRules) -> Stated<String> {
    if is_solved(said) {
        return Stated::not_applicable("the customer says that it is solved");
    }
    let spoken = said.iter().flat_map(|said| said.sentences.iter().map(move |sentence| (said, sentence)));
    let scored = spoken.filter_map(|(said, sentence)| Some((hindrance(said, sentence)?, said, sentence)));
    let best = scored.max_by_key(|(score, ..)| *score);
    match (best, failed_tool(attempts)) {
        (Some((score, said, sentence)), tool) if tool.is_none() || score > 3 => {
            Stated::known(sentence.excerpt(rules), [said.turn.proof.clone()])
        }
        (_, Some((text, proofs))) => {
            Stated::known(Sentence::new(&text).excerpt(rules), proofs.iter().cloned())
        }
        _ => Stated::unknown("nobody says what stands in the way"),
    }
}

/// How plainly a sentence says what stands in the way; none if it does not.
fn hindrance(said: &Said<'_>, sentence: &Sentence) -> Option<i32> {
    let points = |section: &str, points: i32| if sentence.has(section) { points } else { 0 };
    let detail = i32::from(meaningful(&sentence.words).count() >= 4);
    let score = match said.role {
        Role::Customer if sentence.has("problem") && !sentence.has("solved") && !asks_for_human(sentence) => {
            let if_asked = if sentence.asks() { -1 } else { 0 };
            let with_code = sentence.text.chars().any(|c| c.is_ascii_digit()) && sentence.has("error");
            4 + points("error", 1)
                + points("consent", -2)
                + points("tried", -1)
                + points("forgets", -3)
                + i32::from(with_code)
                + if_asked
        }
        Role::Bot | Role::Human if said.turn.public && sentence.has("refusal") && !sentence.asks() => {
            5 + points("helpless", -2) + points("holding", -2) + points("addition", -3)
        }
        _ => return None,
    };
    Some(score + detail).filter(|score| *score >= HINDRANCE_MIN)
}

/// The newest tool that failed and did not work later.
fn failed_tool(attempts: &[Tried]) -> Option<(String, &[Proof])> {
    let (at, failed) = attempts
        .iter()
        .enumerate()
        .rev()
        .find(|(_, tried)| tried.result == Outcome::Failed && is_tool(tried))?;
    let later =
        attempts[at..].iter().any(|other| other.action == failed.action && other.result == Outcome::Worked);
    let outcome = if failed.outcome.is_empty() { "it failed" } else { &failed.outcome };
    (!later).then(|| (format!("{}: {outcome}", failed.action), failed.proofs.as_slice()))
}

fn is_tool(tried: &Tried) -> bool {
    super::sentences::role(&tried.by) == Some(Role::Bot) && words(&tried.action).len() <= 8
}

/// Whether the customer's last words on it say that it is solved.
fn is_solved(said: &[Said<'_>]) -> bool {
    for (_, turn) in of_customer(said).rev().take(2) {
        for sentence in turn.sentences.iter().rev() {
            if sentence.has("unsolved") || sentence.has("problem") && !sentence.has("solved") {
                return false;
            }
            if sentence.has("solved") && !sentence.asks() {
                return true;
            }
        }
    }
    false
}
