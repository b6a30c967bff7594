//! Writes of a handoff that are tried again, because an admin has mended what stood in their way.

use super::{Effect, HandoffStep, assign_key, holding_key, is_open, place_key, wants_placing};
use crate::model::{
    handoff::{Handoff, HandoffState},
    ids::{HandoffId, OpKey},
};

/// What trying a parked write of a handoff again comes to; `None` where nothing is to be written
/// any more: it is there, or the handoff is over. What is written again has a name of its own,
/// so that it is not taken for the first try.
pub fn tried_again(record: &Handoff, key: &OpKey) -> Option<HandoffStep> {
    let mut record = record.clone();
    let effect = if record.briefing_key.as_ref() == Some(key) {
        let failed = record.state == HandoffState::Failed && record.delivered_at.is_none();
        let key = again_key(&record.id, key);
        record.state = HandoffState::Delivering;
        record.failure = None;
        record.briefing_key = Some(key.clone());
        failed.then_some(Effect::SendBriefing { key })
    } else if record.late_key.as_ref() == Some(key) {
        let missing = is_open(&record) && record.delivered_at.is_some() && record.late_facts;
        let key = again_key(&record.id, key);
        record.failure = None;
        record.late_facts = false;
        record.late_key = Some(key.clone());
        let edit = record.briefing_comment.clone();
        missing.then_some(Effect::SendLate { key, edit })
    } else if *key == assign_key(&record.id) {
        let waits = is_open(&record) && record.accepted_at.is_none();
        record.unassigned = None;
        waits.then(|| Effect::Assign { key: key.clone() })
    } else if *key == holding_key(&record.id) {
        let waits = is_open(&record) && record.delivered_at.is_none();
        waits.then(|| Effect::Hold { key: key.clone() })
    } else if key.as_str().starts_with(&format!("{}-place-", record.id)) && record.place_key.is_none() {
        record.bare = None;
        record.placings = record.placings.saturating_add(1);
        let key = place_key(&record.id, record.placings);
        record.place_key = Some(key.clone());
        wants_placing(&record).then_some(Effect::Place { key })
    } else {
        None
    };
    effect.map(|effect| HandoffStep { record, effects: vec![effect] })
}

/// `h…-briefing` is `h…-briefing-again1` when it is tried again, then `h…-briefing-again2`.
fn again_key(id: &HandoffId, key: &OpKey) -> OpKey {
    let what = key.as_str().strip_prefix(id.as_str()).unwrap_or_default().trim_start_matches('-');
    let (what, times) = match what.rsplit_once("-again") {
        Some((what, times)) => (what, times.parse::<u32>().unwrap_or_default()),
        None => (what, 0),
    };
    OpKey(format!("{id}-{what}-again{}", times.saturating_add(1)))
}
