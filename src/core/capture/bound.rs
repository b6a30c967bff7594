//! Keeps the whole within its bytes. What is oldest goes first, and is counted.

use crate::{
    briefing::shortened,
    model::{captured::Captured, turn::Party},
};

/// How many turns at the new end are never shortened.
const NEWEST_WHOLE: usize = 12;

/// How long older words of the AI agent are when there is too little room, in characters.
const OLD_CHARS_MAX: usize = 200;

/// Brings the whole below `bytes_max`; says how many turns went.
pub(super) fn bound(captured: &mut Captured, bytes_max: usize) -> usize {
    if fits(captured, bytes_max) {
        return 0;
    }
    shorten_old(captured);
    let mut dropped = 0;
    while !fits(captured, bytes_max) {
        if captured.turns.len() > NEWEST_WHOLE {
            drop_turns(captured, &mut dropped);
        } else if captured.pages.len() > 5 {
            captured.pages.remove(0);
        } else if drop_behaviour(captured, 4) || shorten_stated(captured) {
        } else if captured.turns.len() > 1 {
            drop_turns(captured, &mut dropped);
        } else if captured.pages.pop().is_some() || drop_behaviour(captured, 0) {
        } else if captured.stated.pop_last().is_none() && captured.seen.pop().is_none() {
            drop_turns(captured, &mut dropped);
            captured.first = None;
            break;
        }
    }
    dropped
}

fn fits(captured: &Captured, bytes_max: usize) -> bool {
    serde_json::to_vec(captured).is_ok_and(|json| json.len() <= bytes_max)
}

fn shorten_old(captured: &mut Captured) {
    let old = captured.turns.len().saturating_sub(NEWEST_WHOLE);
    for turn in captured.turns.iter_mut().take(old).filter(|turn| turn.by != Party::Customer) {
        turn.text = shortened(&turn.text, OLD_CHARS_MAX);
    }
}

fn drop_turns(captured: &mut Captured, dropped: &mut usize) {
    if !captured.turns.is_empty() {
        captured.turns.remove(0);
        captured.turns_left_out = captured.turns_left_out.saturating_add(1);
        *dropped += 1;
    }
}

/// Leaves out what happened least.
fn drop_behaviour(captured: &mut Captured, keep: usize) -> bool {
    let behaviour = &mut captured.behaviour;
    let least = |all: &std::collections::BTreeMap<String, (u32, crate::model::turn::Proof)>| {
        all.iter().min_by_key(|(_, (times, _))| *times).map(|(name, _)| name.clone())
    };
    for all in [&mut behaviour.failed, &mut behaviour.errors] {
        if all.len() > keep
            && let Some(name) = least(all)
        {
            all.remove(&name);
            return true;
        }
    }
    let shortest = behaviour.dwell_secs.iter().min_by_key(|(_, secs)| **secs).map(|(name, _)| name.clone());
    match shortest.filter(|_| behaviour.dwell_secs.len() > keep) {
        Some(name) => behaviour.dwell_secs.remove(&name).is_some(),
        None => false,
    }
}

fn shorten_stated(captured: &mut Captured) -> bool {
    let longest = captured.stated.values_mut().max_by_key(|stated| stated.value.len());
    match longest.filter(|stated| stated.value.chars().count() > 60) {
        Some(stated) => {
            stated.value = shortened(&stated.value, 60);
            true
        }
        None => false,
    }
}
