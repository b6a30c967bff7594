//! What a conversation's handoffs before held, and what is new, each thing once.

use super::{Material, fields::Known};
use crate::{
    briefing::{one_line, shortened},
    model::{
        captured::StatedByAgent,
        comment::fold_text,
        package::{Given, Hop, Mood, Package, Promise, Stated, Tried},
        turn::{Outcome, Party, Proof, Turn},
    },
    thread::{ThreadRules, read_thread},
};

/// How many scores a mood's course has.
const COURSE_MAX: usize = 20;

/// How many things that were given are kept, the newest.
const GIVEN_MAX: usize = 40;

/// How many proofs a value has at most.
const PROOFS_MAX: usize = 3;

/// The handoffs before this one, oldest first.
pub(super) fn hops(previous: Option<&Package>) -> Vec<Hop> {
    let Some(previous) = previous else { return Vec::new() };
    let about = &previous.handoff;
    let mut hops = previous.lineage.clone();
    if hops.last().is_none_or(|last| last.id != about.id) {
        hops.push(Hop {
            id: about.id.clone(),
            kind: about.kind,
            from: about.from.clone(),
            to: about.to.clone(),
            at: about.detected_at,
            reason: about.reason.value().cloned(),
        });
    }
    hops
}

/// Everything that was tried, oldest first: what the package before knew, what the conversation
/// tells, what the AI agent told outright.
pub(super) fn attempts(known: &Known<'_>) -> Vec<Tried> {
    let mut all = match known.material.previous.and_then(|package| package.attempts.value()) {
        Some(before) => before.clone(),
        None => Vec::new(),
    };
    for tried in known.found.attempts.iter().cloned().chain(told(known.material)) {
        add(&mut all, tried);
    }
    all
}

/// What was known to be tried, with what else is, each thing once.
pub(crate) fn with_attempts(known: &[Tried], new: &[Tried]) -> Vec<Tried> {
    let mut all = known.to_vec();
    for tried in new {
        add(&mut all, tried.clone());
    }
    all
}

fn add(all: &mut Vec<Tried>, mut tried: Tried) {
    tried.proofs.truncate(PROOFS_MAX);
    tried.action = shortened(&one_line(&tried.action), 160);
    if tried.action.is_empty() || tried.proofs.is_empty() {
        return;
    }
    match all.iter_mut().find(|other| is_same(other, &tried)) {
        None => all.push(tried),
        // The answer may have come since.
        Some(other) if other.result == Outcome::Unclear && tried.result != Outcome::Unclear => {
            other.result = tried.result;
            other.outcome = tried.outcome;
        }
        Some(other) if other.outcome.is_empty() => other.outcome = tried.outcome,
        Some(_) => {}
    }
}

/// The same place, or the same words.
fn is_same(one: &Tried, other: &Tried) -> bool {
    let fold = |text: &str| fold_text(text).to_lowercase();
    if fold(&one.action) != fold(&other.action) || fold(&one.inputs) != fold(&other.inputs) {
        return false;
    }
    let same_place = one.proofs.iter().any(|proof| other.proofs.iter().any(|known| is_place(proof, known)));
    let same_words =
        fold(&one.outcome) == fold(&other.outcome) || one.outcome.is_empty() || other.outcome.is_empty();
    same_place || (same_words && (are_two_views(one, other) || (one.at.is_some() && one.at == other.at)))
}

/// Whether two readings come from different places of the same conversation: told outright, from
/// the stream, from the ticket. Then the same words are the same attempt.
fn are_two_views(one: &Tried, other: &Tried) -> bool {
    let view = |tried: &Tried| match tried.proofs.first() {
        Some(Proof::Message { .. }) => 0,
        // A transcript that is told with a handoff numbers its messages; a stream names its events.
        Some(Proof::Event { id, .. }) if id.starts_with("message ") => 4,
        Some(Proof::Event { .. }) => 1,
        Some(Proof::Told { .. }) => 2,
        _ => 3,
    };
    view(one) != view(other) || view(one) == 2
}

/// One message may have come to two tickets, or from a stream and from a ticket.
fn is_place(one: &Proof, other: &Proof) -> bool {
    match (one, other) {
        (Proof::Event { id: one, .. }, Proof::Event { id: other, .. }) => {
            one == other || call_of(one).is_some_and(|call| call_of(other) == Some(call))
        }
        (Proof::Message { ticket, id, .. }, Proof::Message { ticket: other, id: same, .. }) => {
            ticket == other && id == same
        }
        _ => one == other,
    }
}

/// The call that an event is about: the same in a stream and in a transcript, wherever that begins.
fn call_of(event: &str) -> Option<&str> {
    event.split_once(", ").map(|(_, call)| call).filter(|call| !call.is_empty())
}

/// What the AI agent told outright.
fn told(material: &Material<'_>) -> impl Iterator<Item = Tried> {
    let agent = super::fields::agent_name(material);
    let hop = material.hop.max(1);
    material.record.told.attempts.iter().map(move |attempt| {
        let evidence = one_line(&attempt.evidence);
        let proof = match evidence.starts_with("message ") {
            true => Proof::Event { id: evidence, at: None },
            false => {
                Proof::Told { agent: agent.clone().unwrap_or_else(|| "AI agent".to_owned()), path: evidence }
            }
        };
        let result = match (attempt.failed, attempt.outcome.is_empty()) {
            (true, _) => Outcome::Failed,
            (false, true) => Outcome::Unclear,
            (false, false) => Outcome::Worked,
        };
        Tried {
            action: attempt.action.clone(),
            inputs: shortened(&one_line(&attempt.inputs), 160),
            outcome: shortened(&one_line(&attempt.outcome), 200),
            result,
            by: Party::Bot { name: agent.clone() },
            at: None,
            hop,
            proofs: vec![proof],
        }
    })
}

pub(super) fn stated_attempts(known: &Known<'_>, all: Vec<Tried>) -> Stated<Vec<Tried>> {
    if all.is_empty() {
        return known.no_attempts();
    }
    let mut proofs: Vec<Proof> = all.iter().rev().filter_map(|tried| tried.proofs.first().cloned()).collect();
    proofs.truncate(PROOFS_MAX);
    Stated::known(all, proofs)
}

/// What is promised and not seen to be done, oldest first.
pub(super) fn stated_promises(known: &Known<'_>) -> Stated<Vec<Promise>> {
    let mut all = still_open(known);
    for promise in told_promises(known).iter().chain(&known.found.promises) {
        let words = fold_text(&promise.text).to_lowercase();
        let is_new = all.iter().all(|other: &Promise| fold_text(&other.text).to_lowercase() != words);
        if is_new && !promise.text.trim().is_empty() && !promise.proofs.is_empty() {
            all.push(promise.clone());
        }
    }
    if all.is_empty() {
        if let Some(why) = known.unread() {
            return Stated::unknown(why);
        }
        let speaks = known.has_words_of(|by| !matches!(by, Party::Customer | Party::Nobody));
        return match (speaks, known.turns.len()) {
            (true, turns) => {
                Stated::not_applicable(format!("nothing is promised in the {turns} messages that were read"))
            }
            (false, 0) => Stated::unknown("no messages were read"),
            (false, _) => Stated::not_applicable("nobody but the customer has written"),
        };
    }
    let mut proofs: Vec<Proof> =
        all.iter().rev().filter_map(|promise| promise.proofs.first().cloned()).collect();
    proofs.truncate(PROOFS_MAX);
    Stated::known(all, proofs)
}

/// What the AI agent says outright that it promised.
fn told_promises(known: &Known<'_>) -> Vec<Promise> {
    let told = known.material.captured.and_then(|captured| captured.stated.get("commitments"));
    let made = |told: &StatedByAgent| {
        let promise = |text: &str| Promise {
            text: text.trim().to_owned(),
            by: Party::Bot { name: None },
            at: None,
            proofs: vec![told.proof.clone()],
        };
        told.value.split("; ").map(promise).collect()
    };
    told.map(made).unwrap_or_default()
}

/// Promises of the package before that nothing since shows to be done. Each is put among the new
/// turns as the turn that it was: read alone it must be a promise, and read with them still open.
fn still_open(known: &Known<'_>) -> Vec<Promise> {
    let Some(before) = known.material.previous.and_then(|package| package.promises.value()) else {
        return Vec::new();
    };
    let rules = ThreadRules { hop: known.material.hop.max(1), ..known.rules.thread.clone() };
    let is_before = |turn: &Turn| {
        before.iter().any(|promise| promise.proofs.iter().any(|proof| is_place(proof, &turn.proof)))
    };
    let mut turns: Vec<Turn> = known.turns.iter().filter(|turn| !is_before(turn)).cloned().collect();
    let promised: Vec<Turn> = before.iter().filter_map(as_turn).collect();
    for turn in promised.iter().rev() {
        let is_later = |other: &Turn| !matches!((other.at, turn.at), (Some(other), Some(at)) if other < at);
        let at = turns.iter().position(is_later).unwrap_or(turns.len());
        turns.insert(at, turn.clone());
    }
    let open = read_thread(&turns, &rules).promises;
    let stands =
        |found: &[Promise], turn: &Turn| found.iter().any(|found| found.proofs.contains(&turn.proof));
    let is_open = |promise: &&Promise| {
        as_turn(promise).is_some_and(|turn| {
            stands(&open, &turn) || !stands(&read_thread(std::slice::from_ref(&turn), &rules).promises, &turn)
        })
    };
    before.iter().filter(is_open).cloned().collect()
}

fn as_turn(promise: &Promise) -> Option<Turn> {
    let proof = promise.proofs.first()?.clone();
    let (by, text) = (promise.by.clone(), promise.text.clone());
    Some(Turn { proof, by, at: promise.at, public: true, text, call: None })
}

/// How the customer feels now; the course goes on from the package before.
pub(super) fn mood(known: &Known<'_>) -> Stated<Mood> {
    if let Some(why) = known.unread() {
        return Stated::unknown(why);
    }
    let before = known.material.previous.map(|package| &package.mood);
    let found = match &known.found.mood {
        Stated::Known(found) => found,
        _ => {
            return match before {
                Some(before @ Stated::Known(_)) => before.clone(),
                _ => Stated::unknown(known.why_not_found("how the customer feels")),
            };
        }
    };
    let mut course = match (before.and_then(Stated::value), known.material.captured) {
        // The stream holds the conversation from its start.
        (Some(before), None) => before.course.clone(),
        _ => Vec::new(),
    };
    course.extend(&found.value().course);
    let too_many = course.len().saturating_sub(COURSE_MAX);
    course.drain(..too_many);
    Stated::known(Mood { now: found.value().now, course }, found.proofs().to_vec())
}

/// What the customer said already, the newest; of two values under one topic both.
pub(super) fn given(known: &Known<'_>) -> Vec<Given> {
    let mut all: Vec<Given> =
        known.material.previous.map(|package| package.given.clone()).unwrap_or_default();
    for given in &known.found.given {
        let value = fold_text(&given.value).to_lowercase();
        let is_new = all
            .iter()
            .all(|other| !(other.topic == given.topic && fold_text(&other.value).to_lowercase() == value));
        if is_new && !value.is_empty() && !given.topic.trim().is_empty() && !given.proofs.is_empty() {
            let mut given = given.clone();
            given.proofs.truncate(PROOFS_MAX);
            all.push(given);
        }
    }
    let too_many = all.len().saturating_sub(GIVEN_MAX);
    all.drain(..too_many);
    all
}

/// What was left out before, and what the stream left out.
pub(super) fn left_out_before(known: &Known<'_>) -> Vec<String> {
    let mut all = known.material.previous.map(|package| package.left_out.clone()).unwrap_or_default();
    let turns = known.material.captured.map_or(0, |captured| captured.turns_left_out);
    let told = known.material.record.told.attempts_left_out;
    super::bound::note(&mut all, "older turns of the stream", u64::from(turns), false);
    super::bound::note(&mut all, "older attempts of the transcript", u64::from(told), false);
    super::bound::note(&mut all, "long texts, in part", known.cut_texts(), false);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(event: &str, result: Outcome, outcome: &str) -> Tried {
        Tried {
            action: "find charges".to_owned(),
            inputs: "{}".to_owned(),
            outcome: outcome.to_owned(),
            result,
            by: Party::Bot { name: None },
            at: None,
            hop: 1,
            proofs: vec![Proof::Event { id: event.to_owned(), at: None }],
        }
    }

    #[test]
    fn what_was_streamed_and_told_again_is_one_attempt() {
        let known = [tried("e1, call_7", Outcome::Failed, "none found")];
        let again =
            |event: &str, outcome: &str| with_attempts(&known, &[tried(event, Outcome::Failed, outcome)]);
        assert_eq!(again("message 2, call_7", "none found").len(), 1, "the same call");
        assert_eq!(again("message 2, call_7", "none, in other words").len(), 1, "the same call");
        assert_eq!(again("message 2", "none found").len(), 1, "the same words in a transcript");
        assert_eq!(again("e2, call_8", "none found").len(), 2, "another call of the stream");
    }

    #[test]
    fn an_answer_that_came_since_belongs_to_its_attempt() {
        let known = [tried("e1, call_7", Outcome::Failed, "none found")];
        let before = [tried("e1, call_7", Outcome::Unclear, "")];
        for (one, other) in [(&known, &before), (&before, &known)] {
            let all = with_attempts(one, other);
            assert_eq!((all.len(), all[0].outcome.as_str()), (1, "none found"));
        }
    }
}
