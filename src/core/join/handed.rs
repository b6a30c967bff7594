//! The handoffs of conversations whose tickets are merged or joined.

use super::FoldRefused;
use crate::{
    handoff::{HandoffEvent, advance_handoff, is_open},
    model::{
        handoff::{Handoff, HandoffState},
        ids::{HandoffId, LinkId, TicketKey},
        time::Timestamp,
    },
    policy::HandoffRules,
};

/// Which handoff two conversations that are one go on with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneHandoff {
    /// It; `None` where neither had one.
    pub id: Option<HandoffId>,
    /// Records as they are from now on, where they change.
    pub changed: Vec<Handoff>,
}

/// The handoff with which `link` goes on after another link was folded into it: the open one, else
/// the newer. Of two that are open one has the conversation and the other was passed on to it: the
/// one whose briefing is not there yet, else that of `link`. Of two briefings on their way
/// one has to arrive before.
pub fn one_handoff(
    link: &LinkId,
    ours: Option<&Handoff>,
    theirs: Option<&Handoff>,
    rules: &HandoffRules,
    now: Timestamp,
) -> Result<OneHandoff, FoldRefused> {
    let id_of = |record: &Handoff| Some(record.id.clone());
    let Some(theirs) = theirs else {
        return Ok(OneHandoff { id: ours.and_then(id_of), changed: Vec::new() });
    };
    let rehomed = Handoff { link: Some(link.clone()), ..theirs.clone() };
    let Some(ours) = ours else { return Ok(OneHandoff { id: id_of(theirs), changed: vec![rehomed] }) };
    let passed_on = |record| advance_handoff(record, &HandoffEvent::PassedOn, rules, now).record;
    let is_there = |record: &Handoff| record.delivered_at.is_some();
    let (theirs_goes_on, changed) = match (is_open(ours), is_open(theirs)) {
        (true, true) if is_there(theirs) => (false, vec![passed_on(theirs)]),
        (true, true) if is_there(ours) => (true, vec![passed_on(ours), rehomed]),
        (true, true) => return Err(FoldRefused::Handoff),
        (false, true) => (true, vec![rehomed]),
        (false, false) if theirs.detected_at > ours.detected_at => (true, vec![rehomed]),
        (true, false) | (false, false) => (false, Vec::new()),
    };
    Ok(OneHandoff { id: id_of(if theirs_goes_on { theirs } else { ours }), changed })
}

/// A handoff after its ticket was merged into another; `None` where it stays as it is. What is not
/// delivered belongs on the ticket that goes on, if its write certainly never left (`taken_back`),
/// or was refused because the ticket ended, and that not longer ago than a handoff is waited for.
pub fn moved_to(
    record: &Handoff,
    from: &TicketKey,
    to: &TicketKey,
    taken_back: bool,
    rules: &HandoffRules,
    now: Timestamp,
) -> Option<Handoff> {
    if record.ticket != *from || record.delivered_at.is_some() {
        return None;
    }
    let again = Handoff {
        ticket: to.clone(),
        state: HandoffState::Packaging,
        briefing_key: None,
        failure: None,
        ..record.clone()
    };
    let waited = now.since(record.detected_at).as_millis();
    match record.state {
        HandoffState::Detected | HandoffState::Packaging => {
            Some(Handoff { ticket: to.clone(), ..record.clone() })
        }
        HandoffState::Delivering if taken_back => Some(again),
        HandoffState::Failed if was_refused(record) && waited <= u128::from(rules.expire_ms) => Some(again),
        _ => None,
    }
}

/// Whether the briefing is certainly not on its ticket.
fn was_refused(record: &Handoff) -> bool {
    record.failure.as_ref().is_some_and(|why| why.starts_with("the briefing was refused"))
}
