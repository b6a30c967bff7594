//! How the customer feels, turn by turn.

use super::{
    lexicon,
    sentences::{Said, Sentence},
};
use crate::model::package::{Feeling, Mood, Stated};

/// How many of the newest turns the course shows.
const COURSE_MAX: usize = 20;

/// How many of the newest turns prove it.
const PROOFS_MAX: usize = 3;

/// How the customer feels: each turn's words weighed, the newest most.
pub fn mood(said: &[Said<'_>]) -> Stated<Mood> {
    let turns: Vec<&Said<'_>> = said.iter().filter(|said| said.is_customer()).collect();
    if turns.is_empty() {
        return Stated::unknown("the customer wrote nothing that was read");
    }
    let course: Vec<i8> = turns.iter().map(|turn| score(turn)).collect();
    let now = course.iter().fold(0, |now, turn| weighed(now, i32::from(*turn)));
    let newest = turns.len().saturating_sub(PROOFS_MAX);
    let proofs = turns[newest..].iter().map(|said| said.turn.proof.clone());
    let shown = course[course.len().saturating_sub(COURSE_MAX)..].to_vec();
    Stated::known(Mood { now: feeling(now), course: shown }, proofs)
}

/// What was felt before fades; a turn without feeling changes little.
fn weighed(before: i32, turn: i32) -> i32 {
    match turn {
        0 => before * 4 / 5,
        turn => (before + 2 * turn) / 3,
    }
}

fn feeling(now: i32) -> Feeling {
    match now {
        ..=-35 => Feeling::Angry,
        -34..=-12 => Feeling::Frustrated,
        -11..=18 => Feeling::Neutral,
        _ => Feeling::Content,
    }
}

/// A turn from -100 to 100.
fn score(said: &Said<'_>) -> i8 {
    let words: i32 = said.sentences.iter().map(of_words).sum::<i32>().clamp(-100, 100);
    let loud = if is_loud(&said.turn.text) { 3 } else { 2 };
    let score = match words {
        0 if loud > 2 && said.has("problem") => -30,
        words => words * loud / 2,
    };
    i8::try_from(score.clamp(-100, 100)).unwrap_or(0)
}

/// The weights of the words that fit. A negation close before a word turns it; thanks in a sentence
/// that complains are politeness and count nothing.
fn of_words(sentence: &Sentence) -> i32 {
    let turned = |from: usize, weight: i32| {
        let before = &sentence.words[from.saturating_sub(2)..from];
        match before.iter().any(|word| lexicon::is_negation(word)) {
            true => -weight / 2,
            false => weight,
        }
    };
    let weights: Vec<i32> =
        lexicon::weights("mood", &sentence.words).map(|(from, weight)| turned(from, weight)).collect();
    let bad: i32 = weights.iter().filter(|weight| **weight < 0).sum();
    match bad {
        0 => weights.iter().sum::<i32>().min(50),
        bad => bad,
    }
}

/// Several exclamation marks in a row, or words in capitals.
fn is_loud(text: &str) -> bool {
    let shouted = |word: &&str| {
        word.chars().filter(|c| c.is_alphabetic()).count() >= 4
            && word.chars().all(|c| c.is_uppercase() || !c.is_alphanumeric())
    };
    text.contains("!!") || text.contains("??") || text.split_whitespace().filter(shouted).take(2).count() == 2
}
