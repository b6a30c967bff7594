//! What was promised to the customer and is not seen to be done.

use std::collections::BTreeSet;

use super::{
    ThreadRules,
    attempts::says_done,
    human::is_transfer,
    lexicon,
    sentences::{Role, Said, Sentence, meaningful},
    words::{stem, words},
};
use crate::model::{
    package::Promise,
    turn::{Outcome, Turn},
};

/// The most promises that are kept, the newest.
const PROMISES_MAX: usize = 24;

/// The most reports that promises are compared with, the newest.
const REPORTS_MAX: usize = 64;

/// Promises to the customer, oldest first. What somebody of the company reports done later, or a
/// tool did, is dropped.
pub fn promises(turns: &[Turn], said: &[Said<'_>], rules: &ThreadRules) -> Vec<Promise> {
    let mut kept: Vec<(Promise, BTreeSet<String>)> = Vec::new();
    let mut seen = Seen::default();
    let mut calls_from = turns.len();
    for turn in said.iter().rev().filter(|said| said.is_answer()) {
        seen.calls(&turns[turn.place..calls_from]);
        calls_from = turn.place;
        for sentence in turn.sentences.iter().rev().filter(|sentence| promises_something(sentence)) {
            let stems: BTreeSet<String> = sentence.stems().map(str::to_owned).collect();
            if seen.kept(sentence, &stems) {
                continue;
            }
            if let Some((promise, _)) = kept.iter_mut().find(|(_, other)| says_same(other, &stems)) {
                promise.proofs.insert(0, turn.turn.proof.clone());
            } else if kept.len() < PROMISES_MAX {
                kept.push((promise(sentence, turn, rules), stems));
            }
        }
        seen.report(turn);
    }
    kept.into_iter().rev().map(|(promise, _)| promise).collect()
}

/// Sections whose words are acts: what a promise is about.
const ACTS: [&str; 4] = ["pledge", "action", "future", "fixed"];

/// What is known to be done, read from the end of the conversation to its beginning.
#[derive(Default)]
struct Seen {
    acts: BTreeSet<String>,
    called: BTreeSet<String>,
    reports: Vec<BTreeSet<String>>,
    heard_of: bool,
}

impl Seen {
    /// Tools that worked.
    fn calls(&mut self, turns: &[Turn]) {
        for call in
            turns.iter().filter_map(|turn| turn.call.as_ref()).filter(|call| call.result != Outcome::Failed)
        {
            let name = words(&crate::transcript::spaced(&call.name));
            self.called.extend(meaningful(&name).map(str::to_owned));
        }
    }

    /// What a message of the company reports.
    fn report(&mut self, said: &Said<'_>) {
        for sentence in said.sentences.iter().filter(|sentence| says_done(sentence)) {
            let acts = sentence.words.iter().filter(|word| lexicon::in_class("done", word));
            self.acts.extend(acts.map(|word| stem(word).to_owned()));
            if self.reports.len() < REPORTS_MAX {
                self.reports.push(sentence.stems().map(str::to_owned).collect());
            }
            self.heard_of = true;
        }
        self.heard_of |= said.role == Role::Human && said.has("refusal");
    }

    /// Whether what is promised is done: its act was reported, or the same things with it. A promise to be
    /// in touch is kept by any report.
    fn kept(&self, promised: &Sentence, stems: &BTreeSet<String>) -> bool {
        if promised.has("getback") {
            return self.heard_of;
        }
        let is_act = |word: &&String| ACTS.iter().any(|section| lexicon::in_class(section, word));
        let mut acts = promised.words.iter().filter(is_act).map(|word| stem(word));
        acts.any(|act| self.acts.contains(act) || self.called.contains(act))
            || self.reports.iter().any(|report| report.intersection(stems).count() >= 2)
    }
}

/// Whether a sentence promises something that is not done in the same breath.
pub fn promises_something(sentence: &Sentence) -> bool {
    sentence.has("promise") && !sentence.asks() && !sentence.has("nopromise") && !is_transfer(sentence)
}

fn promise(sentence: &Sentence, said: &Said<'_>, rules: &ThreadRules) -> Promise {
    let proofs = vec![said.turn.proof.clone()];
    Promise { text: sentence.excerpt(rules), by: said.turn.by.clone(), at: said.turn.at, proofs }
}

fn says_same(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let shared = one.intersection(other).count();
    shared >= 2 && shared * 3 >= one.len().max(other.len()) * 2
}
