//! Whether the context was there before the first reply, and what kept it.

use std::time::Duration;

use crate::{
    model::{
        handoff::{Breach, Handoff, HandoffState, SourceAnswer},
        time::Timestamp,
    },
    policy::HandoffRules,
};

/// How far two clocks may be apart without one of them being called late.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// What kept the context of a handoff from being there before the first reply; `None` where it
/// was, or may still be.
///
/// The note and the reply are compared by the helpdesk's own times where both stand on one
/// account; else by ours.
pub fn breach_of(record: &Handoff, rules: &HandoffRules) -> Option<Breach> {
    let note = visible_at(record);
    match (record.accepted_at, note) {
        (Some(replied), Some(note)) if replied >= note => None,
        (Some(replied), note) => why_late(record, replied, note, rules),
        (None, _) if record.state == HandoffState::Failed => Some(why_failed(record)),
        (None, None) if record.state == HandoffState::Expired => Some(Breach::Expired),
        (None, _) => None,
    }
}

/// When the note was there, in the clock in which the first reply is told.
fn visible_at(record: &Handoff) -> Option<Timestamp> {
    let same_clock =
        record.proof.reply.as_ref().is_none_or(|reply| reply.ticket.account == record.ticket.account);
    record.proof.note_at.filter(|_| same_clock).or(record.delivered_at)
}

fn why_failed(record: &Handoff) -> Breach {
    match record.failure.as_deref() {
        Some(why) if why.contains("not answered") => Breach::Lost,
        _ => Breach::Refused,
    }
}

/// Why there was no note when the reply came; `None` while a note that is on its way may turn out
/// to be older than the reply.
fn why_late(
    record: &Handoff,
    replied: Timestamp,
    note: Option<Timestamp>,
    rules: &HandoffRules,
) -> Option<Breach> {
    if note.is_none() && super::is_open(record) {
        return None;
    }
    if record.state == HandoffState::Failed && note.is_none() {
        return Some(why_failed(record));
    }
    // What is left of the clocks' difference is taken for the helpdesk's.
    if replied <= record.detected_at.plus(CLOCKS_DIFFER) {
        return Some(Breach::LateTrigger);
    }
    if record.proof.trouble.as_deref().is_some_and(|why| why.contains("rate limit")) {
        return Some(Breach::RateLimit);
    }
    let waited = record.proof.left_at.is_none_or(|left| left >= replied);
    let to_the_end = record.proof.left_at.is_none_or(|left| left >= record.deadline)
        || record.sources.values().any(|answer| *answer == SourceAnswer::Waiting);
    let slow = record.proof.left_at.is_some_and(|left| {
        left.since(record.detected_at) > Duration::from_millis(rules.enrich_ms / 2)
    });
    match waited && (to_the_end || slow) {
        true => Some(Breach::SourceDeadline),
        false => Some(Breach::VendorSlow),
    }
}
