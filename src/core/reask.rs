//! What is asked again although it is known already.

use std::collections::BTreeSet;

use crate::{
    model::{
        package::{Given, Package, Resolution, Stated, Tried},
        turn::{Party, Proof, Turn},
    },
    thread::{Sentence, has, meaningful, promises_something, sentences, words},
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

/// What an agent's messages ask for although the package holds it, each field once a message. Turns
/// that are not of a human or a bot are not looked at, nor is what the customer cannot see. A
/// sentence that names the value that is known checks it, and asks for something else, asks
/// nothing again.
pub fn re_asks(package: &Package, agent_turns: &[Turn]) -> Vec<ReAsk> {
    let by_agent = |turn: &&Turn| turn.public && matches!(turn.by, Party::Human { .. } | Party::Bot { .. });
    let mut found: Vec<ReAsk> = Vec::new();
    for turn in agent_turns.iter().filter(by_agent) {
        let from = found.len();
        for sentence in sentences(&turn.text) {
            for (field, answered_by) in asked_again(package, &sentence) {
                if found[from..].iter().all(|other| other.field != field) {
                    found.push(ReAsk { turn: turn.proof.clone(), field, answered_by });
                }
            }
        }
    }
    found
}

/// The fields that a sentence asks for and the package holds, with where they stand.
fn asked_again(package: &Package, sentence: &Sentence) -> Vec<(&'static str, Vec<Proof>)> {
    if !asks(sentence) || sentence.has("elsewise") {
        return Vec::new();
    }
    let mut found: Vec<(&'static str, Vec<Proof>)> = Vec::new();
    for section in sections(sentence) {
        let known = held(package, section, sentence);
        found.extend(known.filter(|(_, proofs)| !proofs.is_empty()));
    }
    found
}

fn asks(sentence: &Sentence) -> bool {
    sentence.asks() || sentence.has("request")
}

/// What a sentence asks for, the plainest first. Who asks for an error's text or for steps says `problem`
/// too, and asks for one thing.
fn sections(sentence: &Sentence) -> Vec<&'static str> {
    const SPECIFIC: [&str; 8] =
        ["ask email", "ask order", "ask phone", "ask error", "ask tried", "ask page", "ask tier", "ask date"];
    let mut found: Vec<&str> = SPECIFIC.into_iter().filter(|section| sentence.has(section)).collect();
    if sentence.has("ask name") {
        found.push("ask name");
    }
    if found.is_empty() {
        found.extend(["ask problem", "ask goal"].into_iter().find(|section| sentence.has(section)));
    }
    found
}

/// The field that answers, with its proofs; none where it is not known or the sentence names its value.
fn held(package: &Package, section: &str, sentence: &Sentence) -> Option<(&'static str, Vec<Proof>)> {
    let issue = &package.issue;
    match section {
        "ask email" => stated("customer.email", &package.customer.email, sentence)
            .or_else(|| given(package, &["e-mail"], sentence)),
        "ask name" => stated("customer.name", &package.customer.name, sentence),
        "ask tier" => stated("customer.tier", &package.customer.tier, sentence),
        "ask page" => stated("issue.page", &issue.page, sentence)
            .or_else(|| stated("issue.product_area", &issue.product_area, sentence)),
        "ask goal" => stated("issue.goal", &issue.goal, sentence),
        "ask problem" => stated("issue.blocker", &issue.blocker, sentence)
            .or_else(|| stated("issue.goal", &issue.goal, sentence)),
        "ask error" => given(package, &["error code"], sentence).or_else(|| error_in(&issue.blocker)),
        "ask tried" => tried(&package.attempts),
        "ask phone" => given(package, &["phone"], sentence),
        "ask date" => given(package, &["date"], sentence),
        _ => given(package, &topics(sentence), sentence),
    }
}

fn stated(
    field: &'static str,
    value: &Stated<String>,
    sentence: &Sentence,
) -> Option<(&'static str, Vec<Proof>)> {
    let known = value.value().filter(|value| !names(sentence, value))?;
    (!known.is_empty()).then(|| (field, value.proofs().to_vec()))
}

/// Whether a sentence holds a value that is known.
fn names(sentence: &Sentence, value: &str) -> bool {
    let value = value.to_lowercase();
    value.chars().count() >= 3 && sentence.text.to_lowercase().contains(&value)
}

/// The kinds of number that a sentence asks for: those whose words it has; `number` alone is any.
fn topics(sentence: &Sentence) -> Vec<&'static str> {
    let of = |(section, topic)| sentence.words.iter().any(|word| is_word(section, word)).then_some(topic);
    crate::thread::kinds("topic ").filter_map(of).collect()
}

fn is_word(section: &str, word: &str) -> bool {
    crate::thread::in_class(section, word)
}

fn given(package: &Package, topics: &[&str], sentence: &Sentence) -> Option<(&'static str, Vec<Proof>)> {
    let of_topic = |given: &&Given| topics.contains(&given.topic.as_str());
    let known: Vec<&Given> = package.given.iter().filter(of_topic).collect();
    if known.iter().any(|given| names(sentence, &given.value)) {
        return None;
    }
    let proofs: Vec<Proof> = known.iter().flat_map(|given| given.proofs.iter().cloned()).collect();
    (!proofs.is_empty()).then_some(("given", proofs))
}

/// The blocker, where it tells of an error.
fn error_in(blocker: &Stated<String>) -> Option<(&'static str, Vec<Proof>)> {
    let told = blocker.value().is_some_and(|text| has("error", &words(text)));
    told.then(|| ("issue.blocker", blocker.proofs().to_vec()))
}

fn tried(attempts: &Stated<Vec<Tried>>) -> Option<(&'static str, Vec<Proof>)> {
    let known = attempts.value().filter(|tried| !tried.is_empty())?;
    let proofs = known.iter().flat_map(|tried| tried.proofs.iter().cloned());
    Some(("attempts", proofs.collect()))
}

/// Where it stands that the step was done, if a bot's follow-up asks for or offers a step that
/// was done, or one that it was told not to repeat; also where the answer stands if it asks for
/// what is known.
pub fn repeats_done(resolution: &Resolution, text: &str) -> Option<Proof> {
    sentences(text).iter().find_map(|sentence| {
        let asked = || {
            let known = asked_again(&resolution.package, sentence).into_iter();
            known
                .filter(|(field, _)| !field.starts_with("issue."))
                .find_map(|(_, proofs)| proofs.into_iter().next())
        };
        match proposes(sentence) {
            true => {
                step_done(resolution, sentence).or_else(|| forbidden(resolution, sentence)).or_else(asked)
            }
            false => asked(),
        }
    })
}

/// Whether a sentence asks for a step or offers one: it does not ask how one went.
fn proposes(sentence: &Sentence) -> bool {
    let offers = ["suggest", "offer", "wants"].iter().any(|section| sentence.has(section));
    (offers || promises_something(sentence) || sentence.has("promise")) && !sentence.has("elsewise")
}

/// The proof of what was done or promised that the sentence proposes.
fn step_done(resolution: &Resolution, sentence: &Sentence) -> Option<Proof> {
    let stems: BTreeSet<&str> = sentence.stems().collect();
    let package = resolution.package.attempts.value().into_iter().flatten();
    let mut done = resolution.done.value().into_iter().flatten().chain(package);
    let same = |tried: &&Tried| overlaps(&stems, &format!("{} {}", tried.action, tried.inputs));
    done.find(same).and_then(|tried| tried.proofs.first().cloned())
}

/// The proof for a line of `do_not` that the sentence goes against: what the line is about, else the
/// handoff.
fn forbidden(resolution: &Resolution, sentence: &Sentence) -> Option<Proof> {
    let stems: BTreeSet<&str> = sentence.stems().collect();
    let package = &resolution.package;
    resolution.do_not.iter().find(|line| overlaps(&stems, line))?;
    Some(Proof::Handoff { id: package.handoff.id.clone() })
}

/// Whether a sentence is about the same step: it has two of the step's words, and most of them or
/// most of its own; for a step of one word, that word.
fn overlaps(stems: &BTreeSet<&str>, step: &str) -> bool {
    let step = words(step);
    let of_step: BTreeSet<&str> =
        meaningful(&step).filter(|stem| !stem.bytes().any(|byte| byte.is_ascii_digit())).collect();
    let shared = of_step.intersection(stems).count();
    let enough = shared * 2 >= of_step.len().min(stems.len());
    match of_step.len() {
        0 => false,
        1 => shared == 1,
        _ => shared >= 2 && enough,
    }
}
