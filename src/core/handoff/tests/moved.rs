//! Handoffs of tickets that are merged, and writes that are tried again.

use super::*;
use crate::join::{FoldRefused, moved_to, one_handoff};

fn later(record: Handoff) -> Handoff {
    let mut record = Handoff { detected_at: at(5), ..record };
    record.id = HandoffId("h-later".to_owned());
    record
}

fn folded(ours: &Handoff, theirs: &Handoff) -> Result<(bool, Vec<HandoffState>), FoldRefused> {
    let link = LinkId("l1".to_owned());
    let one = one_handoff(&link, Some(ours), Some(theirs), &rules(), at(9))?;
    Ok((one.id == Some(ours.id.clone()), one.changed.iter().map(|record| record.state).collect()))
}

#[test]
fn conversations_that_are_one_go_on_with_the_open_handoff_else_with_the_newer() {
    use HandoffState::{Accepted, Packaging, PassedOn};
    assert_eq!(folded(&closed(), &later(closed())), Ok((false, vec![closed().state])));
    assert_eq!(folded(&later(closed()), &closed()), Ok((true, Vec::new())));
    let open_stays = folded(&accepted(), &later(closed()));
    assert_eq!(open_stays, Ok((true, Vec::new())), "an open one is not forgotten");
    assert_eq!(folded(&closed(), &later(accepted())), Ok((false, vec![Accepted])));
    assert_eq!(folded(&accepted(), &later(accepted())), Ok((true, vec![PassedOn])), "one has it");
    assert_eq!(folded(&accepted(), &later(packaging())), Ok((false, vec![PassedOn, Packaging])));
    assert_eq!(folded(&delivering(), &later(packaging())), Err(FoldRefused::Handoff));
    let link = LinkId("l1".to_owned());
    let one = one_handoff(&link, None, Some(&closed()), &rules(), at(9)).expect("nothing is open");
    assert_eq!(one.changed[0].link, Some(link.clone()));
    assert_eq!(one_handoff(&link, None, None, &rules(), at(9)).expect("none").id, None);
}

#[test]
fn a_briefing_that_is_not_there_goes_to_the_ticket_that_goes_on() {
    let to = TicketKey::new("zd", "2");
    let moved = |record: &Handoff, taken_back, ms| {
        let moved = moved_to(record, &zd(), &to, taken_back, &rules(), at(ms))?;
        assert_eq!(moved.ticket, to);
        Some((moved.state, moved.briefing_key.is_some()))
    };
    assert_eq!(moved(&packaging(), false, 9), Some((HandoffState::Packaging, false)));
    assert_eq!(moved(&delivering(), true, 9), Some((HandoffState::Packaging, false)));
    assert_eq!(moved(&delivering(), false, 9), None, "it may be there");
    assert_eq!(moved(&delivered(), true, 9), None, "it is there");
    assert_eq!(moved(&closed(), true, 9), None);
    let settle = |settled| next(&delivering(), HandoffEvent::BriefingSettled(settled), 5).record;
    let refused = settle(Settled::Refused("the ticket is closed".to_owned()));
    assert_eq!(moved(&refused, false, 9), Some((HandoffState::Packaging, false)));
    assert_eq!(moved(&refused, false, 90_000_000), None, "nobody waits for it any more");
    assert_eq!(moved(&settle(Settled::Lost), false, 9), None, "it may be there");
    let elsewhere = moved_to(&packaging(), &to, &zd(), false, &rules(), at(9));
    assert_eq!(elsewhere, None, "another ticket was merged");
}

#[test]
fn a_failed_briefing_that_is_tried_again_is_on_its_way_under_another_name() {
    let lost = next(&delivering(), HandoffEvent::BriefingSettled(Settled::Lost), 5).record;
    let key = lost.briefing_key.clone().expect("it left");
    let again = tried_again(&lost, &key).expect("it is missing");
    assert_eq!((again.record.state, &again.record.failure), (HandoffState::Delivering, &None));
    let new = OpKey(format!("{key}-again1"));
    assert_eq!(again.effects, [Effect::SendBriefing { key: new.clone() }]);
    assert_eq!(again.record.briefing_key, Some(new.clone()));
    let there = next(&again.record, HandoffEvent::BriefingSettled(applied()), 6).record;
    assert_eq!(there.state, HandoffState::Delivered);
    assert_eq!(tried_again(&there, &new), None, "it is there");
    assert_eq!(tried_again(&again.record, &key), None, "the first try is over");
    let lost = next(&again.record, HandoffEvent::BriefingSettled(Settled::Lost), 6).record;
    let third = tried_again(&lost, &new).expect("it is missing");
    assert_eq!(third.record.briefing_key, Some(OpKey(format!("{key}-again2"))));
}

#[test]
fn what_came_late_and_was_refused_is_tried_again() {
    let late = Handoff { late_facts: true, late_key: Some(late_key(&delivered().id)), ..delivered() };
    let key = late.late_key.clone().expect("a name");
    let again = tried_again(&late, &key).expect("it is missing");
    assert!(matches!(&again.effects[..], [Effect::SendLate { .. }]), "{:?}", again.effects);
    assert!(!again.record.late_facts && again.record.late_key != Some(key.clone()));
    assert_eq!(tried_again(&Handoff { late_facts: false, ..late }, &key), None);
    assert_eq!(tried_again(&accepted(), &assign_key(&accepted().id)), None, "somebody has it");
    assert!(tried_again(&delivered(), &assign_key(&delivered().id)).is_some());
    assert!(tried_again(&packaging(), &holding_key(&packaging().id)).is_some());
}

#[test]
fn sources_are_asked_again_as_long_as_it_helps() {
    let asks = |record: &Handoff, ms| still_asks(record, &rules(), at(ms));
    assert!(asks(&packaging(), 0));
    assert!(asks(&delivered(), LATE_AT - 1), "what comes late is still told");
    assert!(!asks(&delivered(), LATE_AT));
    assert!(!asks(&closed(), 0));
    assert!(!asks(&Handoff { late_key: Some(OpKey("k".to_owned())), ..delivered() }, 0), "at most one");
}
