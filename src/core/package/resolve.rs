//! What an AI agent is told when it gets a conversation back.

use super::{Material, PackageRules, assemble};
use crate::{
    briefing::shortened,
    model::{
        handoff::HandoffKind,
        package::{Feeling, Package, Promise, Resolution, Stated, Tried},
        ticket::Status,
        time::Timestamp,
        turn::{Outcome, Party, Proof},
    },
};

/// How many things not to do are named, the newest.
const DO_NOT_MAX: usize = 16;

/// The longest of them, in characters.
const DO_NOT_CHARS_MAX: usize = 200;

/// What an AI agent is told when it gets the conversation of the material back. The human stretch
/// is what people did since the last handoff from an AI agent; `now` is its end.
pub fn resolution(material: &Material<'_>, rules: &PackageRules, now: Timestamp) -> Resolution {
    let package = assemble(material, rules, now);
    let began = package.lineage.iter().rev().find(|hop| hop.kind == HandoffKind::AiToHuman);
    let first_hop = hop_after(&package);
    let done = done(&package, first_hop);
    let promised = by_people(&package);
    let problem = problem(&package, material.previous);
    let may_follow_up = may_follow_up(&package, material.ticket.status);
    Resolution {
        problem,
        done,
        promised,
        do_not: do_not(&package),
        stretch_from: began.map(|hop| hop.at),
        stretch_until: now,
        may_follow_up,
        package,
    }
}

/// What stood in the customer's way, else what they wanted: as known now, else as known before.
fn problem(package: &Package, previous: Option<&Package>) -> Stated<String> {
    let before = |field: fn(&Package) -> &Stated<String>| previous.map(field);
    let fields = [
        Some(&package.issue.blocker),
        before(|package| &package.issue.blocker),
        Some(&package.issue.goal),
        before(|package| &package.issue.goal),
        Some(&package.conversation.subject),
    ];
    let known = fields.into_iter().flatten().find(|field| field.value().is_some());
    known.cloned().unwrap_or_else(|| Stated::unknown("nothing says what was wrong"))
}

/// The first hop in which people owned it since the AI agent gave it away: what was tried in a
/// package's hop was tried before it, so it is the one after that handoff's.
fn hop_after(package: &Package) -> u32 {
    let before = package.lineage.iter().rposition(|hop| hop.kind == HandoffKind::AiToHuman);
    let left_out = package.handoff.hop.saturating_sub(1) as usize;
    let offset = left_out.saturating_sub(package.lineage.len());
    before.map_or(1, |at| u32::try_from(offset + at + 2).unwrap_or(u32::MAX))
}

fn done(package: &Package, first_hop: u32) -> Stated<Vec<Tried>> {
    let by_people = |tried: &&Tried| matches!(tried.by, Party::Human { .. }) && tried.hop >= first_hop;
    let done: Vec<Tried> =
        package.attempts.value().into_iter().flatten().filter(by_people).cloned().collect();
    match (done.is_empty(), package.conversation.turns) {
        (false, _) => {
            let proofs: Vec<Proof> =
                done.iter().filter_map(|tried| tried.proofs.first().cloned()).take(3).collect();
            Stated::known(done, proofs)
        }
        (true, 0) => Stated::unknown("no messages of the people were read"),
        (true, turns) => {
            Stated::unknown(format!("none of the {turns} messages that were read tells of a step"))
        }
    }
}

fn by_people(package: &Package) -> Stated<Vec<Promise>> {
    let promises = package.promises.value().into_iter().flatten();
    let promised: Vec<Promise> =
        promises.filter(|promise| matches!(promise.by, Party::Human { .. })).cloned().collect();
    if promised.is_empty() {
        return match &package.promises {
            Stated::Unknown { why } => Stated::unknown(why.clone()),
            Stated::NotApplicable { why } => Stated::not_applicable(why.clone()),
            Stated::Known(_) => Stated::not_applicable("no person promised anything that is open"),
        };
    }
    let proofs: Vec<Proof> =
        promised.iter().filter_map(|promise| promise.proofs.first().cloned()).take(3).collect();
    Stated::known(promised, proofs)
}

/// What was given is not asked for, what failed is not offered, what was done is not done again.
fn do_not(package: &Package) -> Vec<String> {
    let named = |text: &str| shortened(text, 80);
    let given = package.given.iter().rev();
    let asked = given
        .map(|given| format!("do not ask for the {}: it is {}", named(&given.topic), named(&given.value)));
    let tried = package.attempts.value().into_iter().flatten().rev();
    let repeated = tried.filter_map(|tried| {
        let action = match tried.inputs.is_empty() {
            true => named(&tried.action),
            false => format!("{} ({})", named(&tried.action), shortened(&tried.inputs, 60)),
        };
        match (tried.result, &tried.by) {
            (Outcome::Failed, _) => Some(format!("do not offer again what failed: {action}")),
            (_, Party::Human { .. }) => Some(format!("do not repeat what a person did: {action}")),
            (Outcome::Worked | Outcome::Unclear, _) => None,
        }
    });
    let half = DO_NOT_MAX / 2;
    let (mut asked, mut repeated): (Vec<String>, Vec<String>) = (asked.collect(), repeated.collect());
    asked.truncate(DO_NOT_MAX - repeated.len().min(half));
    repeated.truncate(DO_NOT_MAX - asked.len());
    let all = repeated.into_iter().chain(asked);
    let mut all: Vec<String> = all.map(|words| shortened(&words, DO_NOT_CHARS_MAX)).collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|words| seen.insert(words.clone()));
    all
}

/// Nothing is open: no promise, no question, nobody angry, and the ticket is done where that is known.
fn may_follow_up(package: &Package, status: Option<Status>) -> bool {
    let is_done = matches!(status, None | Some(Status::Solved | Status::Closed));
    let is_angry = package.mood.value().is_some_and(|mood| mood.now == Feeling::Angry);
    let is_open = package.promises.value().is_some() || package.open_question.value().is_some();
    is_done && !is_angry && !is_open && package.conversation.turns > 0
}
