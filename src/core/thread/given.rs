//! What the customer said already: numbers, addresses, dates, amounts.

use super::{
    ThreadRules, lexicon,
    sentences::{Said, Sentence},
    words::words,
};
use crate::{
    briefing::{one_line, shortened},
    model::package::Given,
};

/// How many are kept, the first ones.
const GIVEN_MAX: usize = 32;

/// How many words before a number its topic may stand.
const TOPIC_BEFORE: usize = 6;

/// How many words behind a number its topic may stand.
const TOPIC_BEHIND: usize = 2;

/// Words of which what follows is kept to oneself.
const SECRET: [&str; 8] = ["password", "passwort", "kennwort", "passe", "contrasena", "pin", "cvv", "cvc"];

/// Words that say that a number is a name for something.
const NUMBERING: [&str; 12] =
    ["number", "nr", "no", "id", "code", "is", "nummer", "numero", "reference", "ref", "ist", "es"];

/// What the customer's messages hold, in the order in which it was first said.
pub fn given(said: &[Said<'_>], rules: &ThreadRules) -> Vec<Given> {
    let mut kept: Vec<Given> = Vec::new();
    let mut asked: Option<&'static str> = None;
    for turn in said {
        if !turn.is_customer() {
            asked = turn.sentences.iter().rev().find_map(asked_topic);
            continue;
        }
        for sentence in &turn.sentences {
            for (topic, value) in found_in(sentence, asked) {
                let value = shortened(&one_line(&value), rules.excerpt_chars_max);
                keep(&mut kept, topic, value, turn);
            }
        }
    }
    kept
}

fn keep(kept: &mut Vec<Given>, topic: &str, value: String, said: &Said<'_>) {
    let proof = said.turn.proof.clone();
    let same = |given: &&mut Given| given.topic == topic && given.value.eq_ignore_ascii_case(&value);
    if let Some(given) = kept.iter_mut().find(same) {
        if given.proofs.last() != Some(&proof) {
            given.proofs.push(proof);
        }
    } else if kept.len() < GIVEN_MAX {
        kept.push(Given { topic: topic.to_owned(), value, proofs: vec![proof] });
    }
}

/// The kind of number that an agent's sentence asks for.
fn asked_topic(sentence: &Sentence) -> Option<&'static str> {
    let asks = sentence.asks() || sentence.has("request");
    asks.then(|| sentence.words.iter().find_map(|word| topic_of(word))).flatten()
}

fn topic_of(word: &str) -> Option<&'static str> {
    lexicon::kinds("topic ").find(|(section, _)| lexicon::in_class(section, word)).map(|(_, topic)| topic)
}

/// What one sentence holds, each with its topic.
fn found_in(sentence: &Sentence, asked: Option<&'static str>) -> Vec<(&'static str, String)> {
    let tokens: Vec<&str> = sentence.text.split_whitespace().map(trimmed).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        let (taken, value) = email(rest)
            .or_else(|| phone(rest, sentence))
            .or_else(|| date(rest))
            .or_else(|| amount(rest))
            .or_else(|| identifier(&tokens, at, sentence, asked))
            .unwrap_or((1, None));
        found.extend(value);
        at += taken;
    }
    found
}

/// How many tokens are used up, and what they are; nothing for what is kept to oneself.
type Taken = (usize, Option<(&'static str, String)>);

fn trimmed(token: &str) -> &str {
    token.trim_matches(|c: char| ",;:!?()[]{}<>\"'“”„«»".contains(c)).trim_end_matches('.')
}

fn email(rest: &[&str]) -> Option<Taken> {
    let word = rest.first()?.trim_start_matches("mailto:");
    is_email(word).then(|| (1, Some(("e-mail", word.to_owned()))))
}

/// Whether a word is an e-mail address.
pub fn is_email(word: &str) -> bool {
    let Some((local, domain)) = word.split_once('@') else { return false };
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    !local.is_empty() && word.len() <= 254 && domain.contains('.') && domain.split('.').all(label)
}

fn digits(token: &str) -> usize {
    token.bytes().filter(u8::is_ascii_digit).count()
}

/// Digits in a row over several tokens: a telephone number, or a card's, which is passed over.
fn phone(rest: &[&str], sentence: &Sentence) -> Option<Taken> {
    let dials = |token: &&&str| {
        !token.is_empty()
            && token.chars().all(|c| c.is_ascii_digit() || "+-/.()".contains(c))
            && digits(token) > 0
    };
    let run: Vec<&str> = rest.iter().take(8).take_while(dials).copied().collect();
    let count: usize = run.iter().map(|token| digits(token)).sum();
    let first = *run.first()?;
    if (13..=19).contains(&count) && passes_luhn(&run) {
        return Some((run.len(), None));
    }
    let is_date = date(rest).is_some();
    let marked =
        first.starts_with('+') || first.starts_with('0') && run.len() > 1 || sentence.has("ask phone");
    (marked && !is_date && (8..=15).contains(&count)).then(|| (run.len(), Some(("phone", run.join(" ")))))
}

/// The check that numbers of payment cards pass.
fn passes_luhn(run: &[&str]) -> bool {
    let digits = run.iter().flat_map(|token| token.chars()).filter_map(|c| c.to_digit(10));
    let digits: Vec<u32> = digits.collect();
    let weighed = digits.iter().rev().enumerate().map(|(at, digit)| match at % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    });
    weighed.sum::<u32>() % 10 == 0
}

/// `2026-05-20`, `20.5.2026`, `May 20th`, `20 mai 2026`, `3. Mai`.
fn date(rest: &[&str]) -> Option<Taken> {
    let first = *rest.first()?;
    let parts: Vec<&str> = first.split(['-', '/', '.']).collect();
    let numeric = |parts: &[&str]| parts.iter().all(|part| part.parse::<u16>().is_ok() && part.len() <= 4);
    let year =
        |part: &str| part.len() == 4 && part.parse::<u16>().is_ok_and(|year| (1900..2200).contains(&year));
    if parts.len() == 3 && numeric(&parts) && (year(parts[0]) || year(parts[2])) {
        return Some((1, Some(("date", first.to_owned()))));
    }
    let next = *rest.get(1)?;
    let (after_of, named) = match next {
        "of" | "de" => (1, *rest.get(2)?),
        next => (0, next),
    };
    let month_day = is_month(first) && is_day(next);
    let day_month = is_day(first) && is_month(named);
    if !month_day && !day_month {
        return None;
    }
    let mut taken = if month_day { 2 } else { 2 + after_of };
    if rest.get(taken).is_some_and(|token| year(token)) {
        taken += 1;
    }
    Some((taken, Some(("date", rest[..taken].join(" ")))))
}

fn is_month(token: &str) -> bool {
    words(token).first().is_some_and(|word| lexicon::in_class("month", word))
}

fn is_day(token: &str) -> bool {
    let number = token.trim_end_matches('.').trim_end_matches(|c: char| c.is_ascii_lowercase());
    number.parse::<u8>().is_ok_and(|day| (1..=31).contains(&day)) && token.len() <= 4
}

/// `$50`, `50€`, `1.200,50 EUR`.
fn amount(rest: &[&str]) -> Option<Taken> {
    const SIGNS: [char; 4] = ['$', '€', '£', '¥'];
    const CODES: [&str; 8] = ["EUR", "USD", "GBP", "CHF", "euro", "euros", "dollars", "€"];
    let first = *rest.first()?;
    let number = first.trim_matches(SIGNS);
    let is_number = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || ",.'".contains(c));
    if !is_number {
        return None;
    }
    match rest.get(1) {
        _ if number.len() < first.len() => Some((1, Some(("amount", first.to_owned())))),
        Some(code) if CODES.contains(code) => Some((2, Some(("amount", format!("{first} {code}"))))),
        _ => None,
    }
}

/// A number or code with a word near it that says what it is, or that answers what was asked.
fn identifier(tokens: &[&str], at: usize, sentence: &Sentence, asked: Option<&'static str>) -> Option<Taken> {
    let raw = tokens[at].split_once('=').map_or(tokens[at], |(_, value)| value);
    let value = raw.trim_start_matches('#').trim_end_matches('.');
    if !is_code(value) || sentence.words.iter().any(|word| SECRET.contains(&word.as_str())) {
        return None;
    }
    let topic = topic_near(tokens, at).or(asked.filter(|_| sentence.len() <= 14))?;
    let all_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let before = at.checked_sub(1).and_then(|at| tokens.get(at)).map(|token| words(token).concat());
    let named = raw.starts_with('#') || before.is_some_and(|word| NUMBERING.contains(&word.as_str()));
    let short = match topic {
        "error code" | "version" | "flight number" => value.len() < 2,
        _ => value.len() < 4,
    };
    let year = all_digits && value.len() == 4 && (value.starts_with("19") || value.starts_with("20"));
    let counts = !short && (named || !year);
    counts.then(|| (1, Some((topic, value.to_owned()))))
}

/// Letters, digits and joining marks with a digit among them, or capitals alone; no ordinal, time or share.
fn is_code(value: &str) -> bool {
    let joined = value.chars().all(|c| c.is_ascii_alphanumeric() || "-_/.".contains(c));
    let capitals = (5..=10).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_uppercase());
    let letters = value.trim_start_matches(|c: char| c.is_ascii_digit());
    let counted = letters.len() < value.len()
        && matches!(
            letters.to_ascii_lowercase().as_str(),
            "st" | "nd" | "rd" | "th" | "am" | "pm" | "h" | "x" | "gb" | "mb" | "k"
        );
    joined && value.len() <= 40 && !counted && (digits(value) > 0 || capitals)
}

fn topic_near(tokens: &[&str], at: usize) -> Option<&'static str> {
    let of = |token: &&str| words(token).iter().find_map(|word| topic_of(word));
    let before = tokens[at.saturating_sub(TOPIC_BEFORE)..at].iter().rev().find_map(of);
    let behind = || tokens[at + 1..].iter().take(TOPIC_BEHIND).find_map(of);
    before.or_else(behind)
}
