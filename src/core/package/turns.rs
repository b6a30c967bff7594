//! One conversation from what an AI agent streamed and what its tickets show.

use std::collections::BTreeMap;

use super::Material;
use crate::{
    capture::is_result_alone,
    model::{
        comment::fold_text,
        ids::RemoteId,
        turn::{Party, Turn},
    },
};

/// How far the clocks of a helpdesk and an AI agent may be apart for one message, in milliseconds.
const SAME_WITHIN_MS: i64 = 10 * 60 * 1_000;

/// Every turn once, oldest first. Of a message that both show, the ticket's is kept: it can be
/// looked up there.
pub(super) fn all(material: &Material<'_>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    if let Some(captured) = material.captured {
        let first =
            captured.first.iter().filter(|first| captured.turns.iter().all(|turn| turn.proof != first.proof));
        turns.extend(first.chain(&captured.turns).filter(|turn| !is_result_alone(turn)).cloned());
    }
    let streamed = turns.len();
    let mut taken = vec![false; streamed];
    let mut later: Vec<Turn> = Vec::new();
    for turn in material.turns {
        let turn = Turn { by: named(&turn.by, material.names), ..turn.clone() };
        let same = (0..streamed).find(|at| !taken[*at] && is_same(&turns[*at], &turn));
        match same {
            Some(at) => {
                taken[at] = true;
                let by = clearer(&turns[at].by, &turn.by);
                turns[at] = Turn { by, ..turn };
            }
            None => later.push(turn),
        }
    }
    for turn in later {
        let at = turns
            .iter()
            .position(|other| matches!((other.at, turn.at), (Some(other), Some(at)) if other > at));
        turns.insert(at.unwrap_or(turns.len()), turn);
    }
    turns
}

/// A person or group by the name that the helpdesk shows, where it is known.
pub(super) fn named(by: &Party, names: &BTreeMap<RemoteId, String>) -> Party {
    match by {
        Party::Human { name: None, id: Some(id) } => {
            let name = names.get(id).map(|name| fold_text(name)).filter(|name| !name.is_empty());
            Party::Human { name, id: Some(id.clone()) }
        }
        by => by.clone(),
    }
}

/// Of two readings of who wrote one message: the one that knows more.
fn clearer(streamed: &Party, shown: &Party) -> Party {
    match (streamed, shown) {
        (Party::Bot { .. } | Party::Customer, _) => streamed.clone(),
        (_, Party::Nobody) => streamed.clone(),
        _ => shown.clone(),
    }
}

/// Whether what an AI agent streamed and what a ticket shows are one message.
pub fn is_same(streamed: &Turn, shown: &Turn) -> bool {
    if streamed.call.is_some() || shown.call.is_some() || !may_be_one(&streamed.by, &shown.by) {
        return false;
    }
    let is_near = match (streamed.at, shown.at) {
        (Some(one), Some(other)) => one.0.abs_diff(other.0) <= SAME_WITHIN_MS.unsigned_abs(),
        _ => true,
    };
    is_near && is_same_text(&fold_text(&streamed.text), &fold_text(&shown.text))
}

/// Streamed text may have been shortened.
fn is_same_text(streamed: &str, shown: &str) -> bool {
    match streamed.strip_suffix('…') {
        Some(start) if start.len() >= 40 => shown.starts_with(start),
        _ => !streamed.is_empty() && streamed == shown,
    }
}

/// A helpdesk may show an AI agent as an agent or as nobody.
fn may_be_one(streamed: &Party, shown: &Party) -> bool {
    (*streamed == Party::Customer) == (*shown == Party::Customer)
}
