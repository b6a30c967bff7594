//! Signs of one handoff that come from several places, and handoffs that follow one another.

use super::*;

#[test]
fn people_say_that_they_pass_on_and_give_back() {
    let of = |key: &str, kind| match said(key) {
        Sign::Said(words) => Sign::Said(Box::new(Said { kind, ..*words })),
        seen @ Sign::Seen(_) => seen,
    };
    let on = of("k2", HandoffKind::HumanToHuman);
    let Opening::New { new, before } = opening(Some(&accepted()), &on, 60_000) else { panic!("a new hop") };
    assert_eq!(before.map(|step| step.record.state), Some(HandoffState::PassedOn));
    assert_eq!((new.record.kind, new.record.state), (HandoffKind::HumanToHuman, HandoffState::Packaging));
    // The helpdesk shows the same change a moment later.
    let change = seen(HandoffKind::HumanToHuman, zd(), human("6", "-"), 9);
    assert_eq!(joined(opening(Some(&new.record), &change, 61_000)).record.id, new.record.id);

    let back = of("k3", HandoffKind::HumanToAi);
    let Opening::New { new, before } = opening(Some(&accepted()), &back, 60_000) else { panic!("a new hop") };
    assert_eq!(before.map(|step| step.record.state), Some(HandoffState::HandedBack));
    assert!(new.effects.contains(&Effect::Return), "{:?}", new.effects);
    let change = seen(HandoffKind::HumanToAi, zd(), Owner::Bot, 9);
    let shown = joined(opening(Some(&new.record), &change, 61_000));
    assert!(shown.effects.is_empty(), "it is told once: {:?}", shown.effects);
    // The other way round.
    let native = opening(Some(&accepted()), &change, 60_000);
    let Opening::New { new, .. } = native else { panic!("a new hop") };
    assert!(joined(opening(Some(&new.record), &back, 61_000)).effects.is_empty());
}

#[test]
fn a_request_and_the_native_change_are_one_handoff_in_either_order() {
    let api = new_record(opening(None, &said("k1"), 0));
    assert_eq!((&api.link, &api.to), (&None, &None));
    let minutes = 180_000;
    let sent = next(&api, HandoffEvent::DeadlinePassed, 4_000).record;
    let there = next(&sent, HandoffEvent::BriefingSettled(applied()), 5_000).record;
    let step = joined(opening(Some(&there), &to_human(human("-", "8")), minutes));
    assert_eq!(step.record.evidence.len(), 2);
    assert_eq!((&step.record.link, &step.record.to), (&Some("l1".into()), &Some(human("-", "8"))));
    assert!(!step.record.late_facts, "a change of owner is nothing for a note");
    let accepted = next(&there, spoke(6_000), 6_000).record;
    let step = joined(opening(Some(&accepted), &to_human(human("5", "8")), minutes));
    assert_eq!(step.record.evidence.len(), 2, "a first native change joins even after the first reply");

    let early = joined(opening(Some(&packaging()), &said("k1"), 100)).record;
    assert_eq!(early.told.attempts, [attempt("k1")], "in the briefing");
    assert!(!early.late_facts);
    let late = joined(opening(Some(&delivered()), &said("k1"), 140_000));
    assert!(matches!(late.effects[0], Effect::SendLate { .. }));
    let accepted_native = next(&delivered(), spoke(6_000), 6_000).record;
    let late = joined(opening(Some(&accepted_native), &said("k1"), 140_000));
    assert!(
        matches!(late.effects[0], Effect::SendLate { .. }),
        "the first request joins after the acceptance"
    );
}

#[test]
fn a_ticket_that_is_solved_early_still_gets_its_briefing() {
    for early in [packaging(), delivering()] {
        let step = next(&early, HandoffEvent::Solved, 100);
        assert_eq!((step.record, step.effects), (early, vec![]));
    }
}

#[test]
fn repeats_of_a_sign_change_nothing() {
    let api = new_record(opening(None, &said("k1"), 0));
    for last in [api.clone(), Handoff { state: HandoffState::Resolved, ..api }] {
        let step = joined(opening(Some(&last), &said("k1"), 999));
        assert_eq!((step.record, step.effects), (last, vec![]));
    }
    let joined_late = joined(opening(Some(&delivered()), &said("k1"), 140_000)).record;
    let again = joined(opening(Some(&joined_late), &said("k1"), 141_000));
    assert_eq!((&again.record, again.effects), (&joined_late, vec![]));
    let over = next(&joined_late, HandoffEvent::Solved, 150_000).record;
    let again = joined(opening(Some(&over), &said("k1"), 160_000));
    assert_eq!((again.record, again.effects), (over, vec![]), "a request that joined opens nothing later");
    assert_eq!(opening(Some(&packaging()), &to_human(human("-", "8")), 5), Opening::Ignored);
    assert_eq!(opening(Some(&closed()), &to_human(human("-", "8")), 5), Opening::Ignored);
}

#[test]
fn a_second_request_joins_until_somebody_accepted() {
    let api = new_record(opening(None, &said("k1"), 0));
    let step = joined(opening(Some(&api), &said("k2"), 100));
    assert_eq!(step.record.told.attempts.len(), 2);
    let sent = next(&api, HandoffEvent::DeadlinePassed, 4_000).record;
    let there = next(&sent, HandoffEvent::BriefingSettled(applied()), 5_000).record;
    let accepted = next(&there, spoke(6_000), 6_000).record;
    let Opening::New { new, before } = opening(Some(&accepted), &said("k2"), 9_000) else { panic!() };
    assert_eq!(before.map(|step| step.record.state), Some(HandoffState::HandedBack));
    assert_ne!(new.record.id, accepted.id);
}

#[test]
fn the_target_is_corrected_before_delivery_and_a_hop_after_it() {
    let hop = seen(HandoffKind::HumanToHuman, zd(), human("-", "9"), 6);
    for undelivered in [packaging(), delivering()] {
        let step = joined(opening(Some(&undelivered), &hop, 100));
        assert_eq!(step.record.to, Some(human("-", "9")));
    }
    let Opening::New { new, before } = opening(Some(&delivered()), &hop, 9_000) else { panic!() };
    assert_eq!((new.record.kind, new.record.state), (HandoffKind::HumanToHuman, HandoffState::Packaging));
    assert_eq!((new.record.hop, &new.record.previous), (2, &Some(delivered().id)));
    let before = before.expect("its owner passed it on").record;
    assert_eq!((before.state, before.to), (HandoffState::PassedOn, Some(human("-", "8"))));
    let taken = seen(HandoffKind::HumanToHuman, zd(), human("6", "8"), 6);
    joined(opening(Some(&delivered()), &taken, 9_000));
    let elsewhere = seen(HandoffKind::HumanToHuman, TicketKey::new("fd", "4"), human("6", "8"), 6);
    let step = joined(opening(Some(&delivered()), &elsewhere, 9_000));
    assert_eq!(step.record.to, Some(human("-", "8")), "ids of another helpdesk name nobody here");
}

#[test]
fn a_release_first_and_a_target_later_are_one_handoff() {
    let released = new_record(opening(None, &to_human(Owner::Nobody), 0));
    let step = joined(opening(Some(&released), &seen(HandoffKind::AiToHuman, zd(), human("-", "8"), 6), 10));
    assert_eq!(step.record.to, Some(human("-", "8")));
    let step = joined(opening(Some(&step.record), &seen(HandoffKind::AiToHuman, zd(), Owner::Nobody, 7), 20));
    assert_eq!(step.record.to, Some(human("-", "8")), "nobody does not unname somebody");
}

#[test]
fn the_briefing_goes_where_the_owner_changed() {
    let api = new_record(opening(None, &said("k1"), 0));
    let at_fd = seen(HandoffKind::AiToHuman, TicketKey::new("fd", "4"), human("6", "8"), 6);
    let step = joined(opening(Some(&api), &at_fd, 100));
    assert_eq!(step.record.ticket, TicketKey::new("fd", "4"));
    let at_zd = joined(opening(Some(&step.record), &to_human(human("5", "-")), 200));
    assert_eq!(at_zd.record.ticket, TicketKey::new("fd", "4"), "the first one stays");
    let sent = next(&api, HandoffEvent::DeadlinePassed, 4_000).record;
    assert_eq!(joined(opening(Some(&sent), &at_fd, 5_000)).record.ticket, zd(), "it left already");
}

#[test]
fn the_way_back_closes_and_a_new_way_out_opens() {
    let back = seen(HandoffKind::HumanToAi, zd(), Owner::Bot, 8);
    for open in [packaging(), delivering(), delivered(), accepted()] {
        let Opening::New { new, before } = opening(Some(&open), &back, 9_000) else { panic!() };
        let before = before.expect("it was open");
        assert_eq!((before.record.state, &before.effects), (HandoffState::HandedBack, &vec![Effect::Done]));
        assert_eq!((new.record.kind, new.record.state), (HandoffKind::HumanToAi, HandoffState::HandedBack));
        assert_eq!(new.effects, [Effect::Return]);
        let out = new_record(opening(
            Some(&new.record),
            &seen(HandoffKind::AiToHuman, zd(), human("-", "8"), 9),
            10_000,
        ));
        assert_ne!(out.id, open.id);
        assert_eq!((out.state, out.hop), (HandoffState::Packaging, 3));
        let echo = seen(HandoffKind::HumanToAi, TicketKey::new("fd", "4"), Owner::Bot, 3);
        let step = joined(opening(Some(&new.record), &echo, 9_500));
        assert_eq!((step.record.evidence.len(), step.effects), (2, vec![]), "the mirror's owner follows");
    }
    let unseen = seen(HandoffKind::AiToHuman, zd(), human("-", "8"), 9);
    let Opening::New { before, .. } = opening(Some(&accepted()), &unseen, 10_000) else { panic!() };
    assert_eq!(before.map(|step| step.record.state), Some(HandoffState::HandedBack), "it had it in between");
    let other_desk = seen(HandoffKind::HumanToAi, TicketKey::new("fd", "4"), Owner::Bot, 8);
    let Opening::New { before, .. } = opening(Some(&delivered()), &other_desk, 9_000) else { panic!() };
    assert!(before.is_some(), "a conversation has one owner, wherever it is seen");
    for ended in [closed(), next(&delivering(), HandoffEvent::BriefingSettled(Settled::Lost), 5_000).record] {
        assert_eq!(new_record(opening(Some(&ended), &unseen, 9_000)).state, HandoffState::Packaging);
        assert_eq!(new_record(opening(Some(&ended), &said("k7"), 1_000_000)).state, HandoffState::Packaging);
    }
}

#[test]
fn the_other_sign_of_a_handoff_that_is_solved_meanwhile_is_no_second_handoff() {
    let api = new_record(opening(None, &said("k1"), 0));
    let sent = next(&api, HandoffEvent::DeadlinePassed, 4_000).record;
    let there = next(&sent, HandoffEvent::BriefingSettled(applied()), 5_000).record;
    let solved = next(&there, HandoffEvent::Solved, 5_000).record;
    let (change, request) = (to_human(human("-", "8")), said("k7"));
    for (last, other) in [(&solved, &change), (&closed(), &request)] {
        let step = joined(opening(Some(last), other, 60_000));
        assert_eq!((step.record.state, step.record.evidence.len()), (HandoffState::Resolved, 2));
        assert_eq!(step.effects, []);
        let days_later = new_record(opening(Some(last), other, 86_400_000));
        assert_eq!(days_later.state, HandoffState::Packaging);
        let once_more = new_record(opening(Some(&step.record), &said("k8"), 60_000));
        assert_eq!(once_more.state, HandoffState::Packaging, "both signs were there already");
    }
}

#[test]
fn a_request_that_comes_after_people_passed_on_and_solved_is_no_second_handoff() {
    let passed = |first: &Handoff, to: &str, version: i64| {
        let change = seen(HandoffKind::HumanToHuman, zd(), human(to, "-"), version);
        match opening(Some(first), &change, 60_000) {
            Opening::New { new, .. } => new.record,
            other => panic!("{other:?}"),
        }
    };
    let solved = |hop: &Handoff| Handoff { state: HandoffState::Resolved, ..hop.clone() };
    let named = Handoff { to: Some(human("5", "8")), ..accepted() };
    let hop = passed(&named, "6", 9);
    let taken = Handoff { state: HandoffState::InProgress, accepted_at: Some(at(60_500)), ..hop.clone() };
    for last in [solved(&hop), solved(&passed(&taken, "7", 11))] {
        let step = joined(opening(Some(&last), &said("k7"), 80_000));
        assert_eq!((&step.record.id, &step.effects), (&last.id, &vec![]));
        let once_more = new_record(opening(Some(&step.record), &said("k8"), 80_000));
        assert_eq!(once_more.state, HandoffState::Packaging, "it was there already");
        let days_later = new_record(opening(Some(&last), &said("k7"), 86_400_000));
        assert_eq!(days_later.state, HandoffState::Packaging);
    }
    let asked = joined(opening(Some(&named), &said("k1"), 50_000)).record;
    let again = new_record(opening(Some(&solved(&passed(&asked, "6", 9))), &said("k7"), 80_000));
    assert_eq!(again.state, HandoffState::Packaging, "the first was asked for: this is another");
}

#[test]
fn ids_are_the_same_on_every_run_and_differ_by_what_they_name() {
    let id = handoff_id_from_api("ada", "k1");
    assert_eq!(id.as_str(), "hd91178fb90680815e79e");
    assert_ne!(handoff_id_from_api("ad", "ak1"), id);
    let detected = |sign: &Sign| match sign {
        Sign::Seen(seen) => seen.detected.clone(),
        Sign::Said(_) => panic!(),
    };
    let base = detected(&to_human(human("-", "8")));
    let native = |link: &str, detected: &Detected| handoff_id_native(&link.into(), detected);
    let others = [
        native("l2", &base),
        native("l1", &Detected { version: 6, ..base.clone() }),
        native("l1", &Detected { ticket: TicketKey::new("fd", "1"), ..base.clone() }),
        native("l1", &Detected { to: human("8", "-"), ..base.clone() }),
        native("l1", &Detected { kind: HandoffKind::HumanToHuman, ..base.clone() }),
    ];
    assert_eq!(BTreeSet::from(others.clone()).len(), others.len());
    assert!(!others.contains(&native("l1", &base)));
}

#[test]
fn statuses_can_be_an_ai_agents_mark() {
    let with = |status: Value| {
        let mut fields = fields("5 8");
        fields.insert(Field::Status, status);
        fields
    };
    let custom = |detail: &str| Value::StatusDetail { status: Status::Open, detail: detail.to_owned() };
    let kind = |before: Value, after: Value| {
        detect_handoff(&zd(), &with(before), &view(with(after)), &rules()).map(|found| found.kind)
    };
    let open = || Value::Status(Status::Open);
    assert_eq!(kind(Value::Status(Status::OnHold), open()), Some(HandoffKind::AiToHuman));
    assert_eq!(kind(custom("1234"), custom("77")), Some(HandoffKind::AiToHuman));
    assert_eq!(kind(open(), custom("1234")), Some(HandoffKind::HumanToAi));
    assert_eq!(kind(open(), Value::Status(Status::Pending)), None);
}

#[test]
fn people_among_themselves_are_left_alone_where_the_rules_say_so() {
    let rules = HandoffRules { between_people: false, ..rules() };
    let detect =
        |before: &str, after: &str| detect_handoff(&zd(), &fields(before), &view(fields(after)), &rules);
    assert_eq!(detect("5 8", "6 9"), None);
    assert_eq!(detect("900 8", "6 9").map(|found| found.kind), Some(HandoffKind::AiToHuman));
}

/// A solved ticket that `who` has is open again.
fn reopened(who: Owner, version: i64) -> Sign {
    let (from, kind) = (who.clone(), HandoffKind::HumanToHuman);
    let detected = Detected { kind, ticket: zd(), from, to: who, version, reopened: true };
    Sign::Seen(Box::new(Seen { link: "l1".into(), detected }))
}

#[test]
fn a_reopened_ticket_goes_on_with_who_had_it() {
    let solved = Value::Status(Status::Solved);
    let mut shadow = fields("5 8");
    shadow.insert(Field::Status, solved);
    let found = detect_handoff(&zd(), &shadow, &view(fields("5 8")), &rules()).expect("it is open again");
    assert!(found.reopened && found.from == found.to);
    let went_to_nobody = detect_handoff(&zd(), &shadow, &view(fields("- -")), &rules());
    assert_eq!(went_to_nobody, None);

    let same = joined(opening(Some(&closed()), &reopened(human("5", "8"), 9), 90_000));
    assert_eq!((same.record.state, same.record.id), (HandoffState::InProgress, closed().id));
    let Opening::New { new, before } = opening(Some(&closed()), &reopened(human("6", "9"), 9), 90_000) else {
        panic!()
    };
    assert_eq!((new.record.state, new.record.reopened), (HandoffState::Packaging, true));
    assert_eq!((new.record.hop, before), (2, None));
    assert_eq!(opening(None, &reopened(human("5", "8"), 9), 0), Opening::Ignored, "no handoff before");
    assert_eq!(opening(Some(&delivered()), &reopened(human("5", "8"), 9), 9_000), Opening::Ignored);

    let back =
        new_record(opening(Some(&delivered()), &seen(HandoffKind::HumanToAi, zd(), Owner::Bot, 8), 9_000));
    let by_ai = new_record(opening(Some(&back), &reopened(human("5", "8"), 9), 90_000));
    assert_eq!((by_ai.state, by_ai.hop), (HandoffState::Packaging, 3), "the AI agent had solved it");
}

#[test]
fn a_loop_without_the_customer_is_broken() {
    let mut last: Option<Handoff> = None;
    let mut states = Vec::new();
    for turn in 0..5 {
        let out = seen(HandoffKind::AiToHuman, zd(), human("-", "8"), 10 + 2 * turn);
        let ms = turn * 1_000;
        let record = new_record(opening(last.as_ref(), &out, ms));
        states.push(record.state);
        let back = seen(HandoffKind::HumanToAi, zd(), Owner::Bot, 11 + 2 * turn);
        last = Some(new_record(opening(Some(&record), &back, ms + 500)));
    }
    use HandoffState::{Packaging, Suppressed};
    assert_eq!(states, [Packaging, Packaging, Packaging, Suppressed, Suppressed]);
    let out = seen(HandoffKind::AiToHuman, zd(), human("-", "8"), 99);
    let spoken = heard_opening(last.as_ref(), &out, 6_000, Some(at(5_500)));
    assert_eq!(new_record(spoken).state, Packaging, "the customer said something");
    let later = opening(last.as_ref(), &out, 6_000 + 3_600_000);
    assert_eq!(new_record(later).state, Packaging, "another day");
}

#[test]
fn the_next_owner_is_named_once_the_briefing_was_read_back() {
    let wanted = Wanted { agent: Some("alice".to_owned()), ..Wanted::default() };
    let start = Handoff { wanted, ..delivering() };
    let there = next(&start, HandoffEvent::BriefingSettled(applied()), 5_000);
    assert!(there.effects.contains(&Effect::ReadBack));
    assert_eq!(there.record.assign_key, None, "not before it is seen");
    let mut record = there.record;
    for ms in [5_100, 7_200] {
        let step = next(&record, HandoffEvent::BriefingNotVisible, ms);
        assert!(!step.effects.iter().any(|effect| matches!(effect, Effect::Assign { .. })));
        record = step.record;
    }
    assert_eq!(next_wake(&record, &rules()), Some(at(5_000 + 8_000)), "looked for again, later each time");
    let seen = next(&record, HandoffEvent::BriefingVisible(message(4_900)), 13_000);
    let key = assign_key(&record.id);
    assert!(seen.effects.contains(&Effect::Assign { key }));
    for ms in [20_000, 30_000, 40_000] {
        record = next(&record, HandoffEvent::BriefingNotVisible, ms).record;
    }
    assert!(record.failure.is_some() && record.assign_key.is_some(), "people are not kept waiting for ever");
}

fn places(step: &HandoffStep) -> Vec<OpKey> {
    let key = |effect: &Effect| match effect {
        Effect::Place { key } => Some(key.clone()),
        _ => None,
    };
    step.effects.iter().filter_map(key).collect()
}

#[test]
fn what_the_ai_agent_asks_for_after_the_briefing_left_is_placed_and_named() {
    let mut asking = said("k1");
    let Sign::Said(said) = &mut asking else { panic!() };
    said.wanted = Wanted {
        queue: Some("billing".to_owned()),
        agent: Some("alice".to_owned()),
        priority: Some("urgent".to_owned()),
        deadline: None,
    };
    let early = joined(opening(Some(&delivering()), &asking, 3_000)).record;
    assert!(early.unplaced, "the briefing is on its way without it");
    let there = next(&early, HandoffEvent::BriefingSettled(applied()), 5_000);
    assert_eq!(places(&there), [place_key(&early.id, 1)]);

    let there = Handoff { visible: Some(message(4_900)), ..delivered() };
    let step = joined(opening(Some(&there), &asking, 140_000));
    assert_eq!(places(&step), [place_key(&there.id, 1)]);
    assert!(step.effects.contains(&Effect::Assign { key: assign_key(&there.id) }));
    let unseen = Handoff { visible: None, ..delivered() };
    let step = joined(opening(Some(&unseen), &asking, 140_000));
    assert_eq!(step.record.assign_key, None, "nobody is named before the briefing is seen");

    let accepted = Handoff { visible: Some(message(4_900)), ..accepted() };
    let step = joined(opening(Some(&accepted), &asking, 140_000));
    assert!(places(&step).is_empty() && step.record.assign_key.is_none(), "people have it");
    let nothing = joined(opening(Some(&there), &super::said("k1"), 140_000));
    assert!(places(&nothing).is_empty() && !nothing.record.unplaced, "nothing new is asked for");
}

#[test]
fn what_does_not_go_beside_a_briefing_goes_by_itself_one_write_at_a_time() {
    let unset = |unset| HandoffEvent::FieldsUnset(unset);
    let step = next(&delivered(), unset(Unset::Later("busy".to_owned())), 5_000);
    let (first, second) = (place_key(&step.record.id, 1), place_key(&step.record.id, 2));
    assert_eq!(places(&step), std::slice::from_ref(&first));
    assert_eq!(step.record.state, HandoffState::Delivered, "the briefing is there");
    let waits = Handoff { unplaced: true, ..step.record };
    let again = next(&waits, HandoffEvent::PlaceSettled(Settled::NotApplied), 5_100);
    assert_eq!(places(&again), [first], "the ticket changed: the same write once more");
    let done = next(&waits, HandoffEvent::PlaceSettled(applied()), 5_100);
    assert_eq!(places(&done), [second], "what was learned meanwhile");
    let refused = next(&done.record, HandoffEvent::PlaceSettled(Settled::Refused("no".to_owned())), 5_200);
    assert_eq!((refused.record.bare.as_deref(), refused.record.place_key), (Some("no"), None));
    let refused = next(&delivered(), unset(Unset::Refused("no".to_owned())), 5_000);
    assert_eq!((refused.record.bare.as_deref(), places(&refused)), (Some("no"), vec![]));
}

#[test]
fn what_was_refused_beside_a_briefing_is_tried_again_when_an_admin_says_so() {
    let refused = Handoff { bare: Some("no".to_owned()), placings: 1, ..delivered() };
    let step = tried_again(&refused, &place_key(&refused.id, 1)).expect("it is wanted");
    assert_eq!((places(&step), step.record.bare), (vec![place_key(&refused.id, 2)], None));
    let wanted = Wanted { agent: Some("alice".to_owned()), ..Wanted::default() };
    let key = assign_key(&refused.id);
    let start =
        Handoff { wanted, assign_key: Some(key.clone()), unassigned: Some("no".to_owned()), ..delivered() };
    let step = tried_again(&start, &key).expect("it is wanted");
    assert!(step.effects.contains(&Effect::Assign { key }) && wants_assignment(&step.record));
}

#[test]
fn fields_that_are_refused_do_not_hold_the_briefing_back() {
    let step =
        next(&delivering(), HandoffEvent::BriefingSettled(Settled::FieldsRefused("no".to_owned())), 5_000);
    assert_eq!(step.record.bare.as_deref(), Some("no"));
    assert_eq!(step.effects[0], Effect::SendBriefing { key: bare_key(&step.record.id) });
    let there = next(&step.record, HandoffEvent::BriefingSettled(applied()), 5_100).record;
    assert_eq!(there.state, HandoffState::Delivered);
}

#[test]
fn the_customer_is_told_to_hold_once_and_only_while_it_lasts() {
    let rules = HandoffRules { hold_ms: Some(2_000), ..rules() };
    assert_eq!(next_wake(&packaging(), &rules), Some(at(2_000)));
    assert_eq!(due_events(&packaging(), &rules, at(1_999)), []);
    assert_eq!(due_events(&packaging(), &rules, at(2_000)), [HandoffEvent::HoldDue]);
    let step = next(&packaging(), HandoffEvent::HoldDue, 2_000);
    assert!(step.effects.contains(&Effect::Hold { key: holding_key(&step.record.id) }));
    assert_eq!(due_events(&step.record, &rules, at(3_000)), []);
    for late in [delivering(), accepted(), closed()] {
        assert_eq!(next(&late, HandoffEvent::HoldDue, 9_000).effects, []);
    }
}

#[test]
fn an_ai_agent_takes_back_what_nobody_had_taken() {
    let waits = Handoff { to: Some(Owner::Nobody), ..delivered() };
    let found = taken_back(&waits, &fields("- -"), &view(fields("900 -")), &rules()).expect("it is back");
    assert_eq!((found.kind, found.to.clone()), (HandoffKind::HumanToAi, Owner::Bot));
    let Opening::New { before, .. } = opening(Some(&waits), &sign_of(found), 60_000) else { panic!() };
    assert_eq!(before.map(|step| step.record.state), Some(HandoffState::HandedBack));
    let named = Handoff { to: Some(human("5", "8")), ..delivered() };
    for (record, was, now) in [(&waits, "900 -", "900 -"), (&waits, "- -", "5 8"), (&named, "- -", "900 -")] {
        assert_eq!(taken_back(record, &fields(was), &view(fields(now)), &rules()), None, "{was} > {now}");
    }
    assert_eq!(taken_back(&closed(), &fields("- -"), &view(fields("900 -")), &rules()), None, "it is over");
}

#[test]
fn what_was_handed_over_before_the_ticket_was_seen_is_known_by_the_ai_agents_words() {
    let seen = |owner: &str| view(fields(owner));
    let now = at(60_000);
    let found = handed_before(&seen("5 8"), Some(at(10_000)), false, &rules(), now).expect("a handoff");
    assert_eq!((found.kind, found.from, found.to), (HandoffKind::AiToHuman, Owner::Bot, human("5", "8")));
    assert_eq!(handed_before(&seen("5 8"), None, false, &rules(), now), None, "no AI agent spoke");
    assert_eq!(handed_before(&seen("900 -"), Some(at(10_000)), false, &rules(), now), None, "it has it");
    assert_eq!(handed_before(&seen("- -"), Some(at(10_000)), false, &rules(), now), None, "nobody has it");
    assert_eq!(handed_before(&seen("- 8"), Some(at(10_000)), false, &rules(), now), None, "no person has it");
    assert_eq!(
        handed_before(&seen("5 8"), Some(at(10_000)), false, &rules(), at(3_600_000)),
        None,
        "long ago"
    );
    let mut solved = fields("5 8");
    solved.insert(Field::Status, Value::Status(Status::Solved));
    assert_eq!(handed_before(&view(solved), Some(at(10_000)), false, &rules(), now), None, "it is over");
}

#[test]
fn who_takes_a_ticket_of_the_group_is_the_next_owner() {
    let record = Handoff { to: Some(human("-", "8")), ..delivered() };
    let found = taken_up(&record, &fields("- 8"), &view(fields("5 8")), &rules()).expect("somebody has it");
    let step = joined(opening(Some(&record), &sign_of(found), 60_000));
    assert_eq!(step.record.to, Some(human("5", "8")));
    let answered = next(&record, spoke(6_000), 6_000).record;
    let later = taken_up(&answered, &fields("- 8"), &view(fields("5 8")), &rules());
    assert_eq!(later, None, "somebody answered before");
}

#[test]
fn an_answer_that_is_read_after_the_ticket_was_solved_is_the_first_reply() {
    let solved = closed();
    assert_eq!(solved.accepted_at, None);
    let step = next(&solved, spoke(4_000), 90_000);
    assert_eq!((step.record.state, step.record.accepted_at), (HandoffState::Resolved, Some(at(4_000))));
    assert!(breach(&step.record).is_some(), "it was there before the briefing");
}

#[test]
fn a_word_is_awaited_where_only_the_change_was_seen() {
    assert!(awaits_word(&delivered(), at(60_000)));
    assert!(!awaits_word(&delivered(), at(86_400_000)), "too late");
    assert!(!awaits_word(&closed(), at(60_000)), "it is over");
    assert!(!awaits_word(&new_record(opening(None, &said("k1"), 0)), at(60_000)), "it was said");
}

#[test]
fn who_had_the_groups_ticket_and_passes_it_on_hands_over() {
    let answered = next(&Handoff { to: Some(human("-", "8")), ..delivered() }, spoke(6_000), 6_000).record;
    let on = Detected {
        kind: HandoffKind::HumanToHuman,
        ticket: zd(),
        from: human("5", "8"),
        to: human("6", "8"),
        version: 90_000,
        reopened: false,
    };
    let record = new_record(opening(Some(&answered), &sign_of(on.clone()), 90_000));
    assert_eq!((record.kind, record.to), (HandoffKind::HumanToHuman, Some(human("6", "8"))));
    let taken = sign_of(Detected { from: human("-", "8"), ..on });
    assert_eq!(joined(opening(Some(&answered), &taken, 90_000)).record.id, answered.id);
    let unnamed = Handoff { to: None, ..answered };
    assert_eq!(joined(opening(Some(&unnamed), &taken, 90_000)).record.id, unnamed.id);
}

#[test]
fn an_announcement_on_a_ticket_that_is_seen_first_is_to_the_person_who_has_it() {
    let shown = view(fields("5 8"));
    let found = handed_before(&shown, None, true, &rules(), at(3_600_000)).expect("it was announced");
    let waits = new_record(opening(None, &said("k1"), 0));
    assert_eq!(joined(opening(Some(&waits), &sign_of(found), 0)).record.to, Some(human("5", "8")));
    assert_eq!(handed_before(&view(fields("- 8")), None, true, &rules(), T0), None, "no person has it");
}

#[test]
fn what_an_ai_agent_lets_go_after_it_spoke_again_is_another_handoff() {
    let announced = new_record(opening(None, &said("k1"), 0));
    let answered = Handoff { evidence: announced.evidence, ..accepted() };
    let lets_go = to_human(human("5", "8"));
    let (sources, rules) = (sources(), rules());
    let judged = |spoke| {
        let ground = Ground { sources: &sources, rules: &rules, now: at(700_000), heard: None, spoke };
        open_or_join(Some(&answered), &lets_go, &ground)
    };
    let one = |spoke| joined(judged(spoke)).record.id == answered.id;
    assert!(one(None) && one(Some(at(5_000))) && one(Some(at(20_000))), "it finished its sentence");
    let Opening::New { before, .. } = judged(Some(at(600_000))) else { panic!("it had it again") };
    assert_eq!(before.map(|step| step.record.state), Some(HandoffState::HandedBack));
}

fn sign_of(detected: Detected) -> Sign {
    Sign::Seen(Box::new(Seen { link: "l1".into(), detected }))
}
