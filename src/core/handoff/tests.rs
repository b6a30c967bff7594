use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{
    fact::{Fact, FactKey, FactValue, Match, Sensitivity},
    handoff::{Attempt, Evidence, SourceAnswer, Told},
    ids::AccountId,
    ticket::{CommentsSeen, ReadBy, Status, Version},
    time::Timestamp,
};

const T0: Timestamp = Timestamp(1_000_000);
/// When what is late leaves at the latest, after [`T0`].
const LATE_AT: i64 = 4_000 + 90_000;

fn at(ms: i64) -> Timestamp {
    Timestamp(T0.0 + ms)
}

fn rules() -> HandoffRules {
    let marks = BotMarks {
        assignees: BTreeSet::from(["900".into()]),
        groups: BTreeSet::from(["77".into()]),
        tags: BTreeSet::from(["bot".to_owned()]),
    };
    let bots = ["zd", "fd"].map(|account| (AccountId::from(account), marks.clone()));
    HandoffRules { bots: BTreeMap::from(bots), enrich_ms: 4_000, late_wait_ms: 90_000, expire_ms: 86_400_000 }
}

fn zd() -> TicketKey {
    TicketKey::new("zd", "1")
}

/// `900 - x` reads: assignee 900, no group, tag x.
fn fields(text: &str) -> Fields {
    let parts: Vec<&str> = text.split(' ').collect();
    let owner = |part: &str| Value::Owner((part != "-").then(|| part.into()));
    let tags = parts[2..].iter().map(|tag| (*tag).to_owned()).collect();
    Fields::from([
        (Field::Assignee, owner(parts[0])),
        (Field::Group, owner(parts[1])),
        (Field::Tags, Value::Tags(tags)),
        (Field::Status, Value::Status(Status::Open)),
    ])
}

fn human(assignee: &str, group: &str) -> Owner {
    let part = |part: &str| (part != "-").then(|| part.into());
    Owner::Human { assignee: part(assignee), group: part(group) }
}

fn view(fields: Fields) -> Observed {
    Observed {
        ticket: zd(),
        version: Version(5),
        read_by: ReadBy::Fetch,
        read_at: T0,
        fields,
        requester: None,
        comments: CommentsSeen::NotLooked,
        comment_count: None,
        marker: None,
        created_at: T0,
        follows: None,
        rating: None,
    }
}

#[test]
fn every_change_of_owner_is_told_apart() {
    use HandoffKind::{AiToHuman, HumanToAi, HumanToHuman};
    let rows = [
        // bot to …
        ("900 -", "5 -", Some(AiToHuman)),
        ("900 77", "- 8", Some(AiToHuman)),
        ("- 77", "- 8", Some(AiToHuman)),
        ("- - bot", "- 8", Some(AiToHuman)),
        ("900 77", "- -", Some(AiToHuman)),
        ("- - bot x", "- - x", Some(AiToHuman)),
        ("900 77", "- 77", None),
        ("900 8", "5 8 bot", None),
        // human to …
        ("5 -", "900 -", Some(HumanToAi)),
        ("5 8", "5 8 bot", Some(HumanToAi)),
        ("- 8", "- 77", Some(HumanToAi)),
        ("5 8", "6 8", Some(HumanToHuman)),
        ("5 8", "- 9", Some(HumanToHuman)),
        ("5 8", "- 8", Some(HumanToHuman)),
        ("- 8", "- 9", Some(HumanToHuman)),
        ("- 8", "6 9", Some(HumanToHuman)),
        ("- 8", "5 8", None),
        ("- 8", "5 -", None),
        ("5 8", "5 9", None),
        ("5 8", "- -", None),
        ("5 8", "5 8 x", None),
        // nobody to …
        ("- -", "5 -", None),
        ("- -", "900 -", None),
        ("- -", "- -", None),
    ];
    for (before, after, kind) in rows {
        let detected = detect_handoff(&zd(), &fields(before), &view(fields(after)), &rules());
        assert_eq!(detected.as_ref().map(|found| found.kind), kind, "{before} -> {after}");
        assert_eq!(detected.map(|found| found.version), kind.map(|_| 5));
    }
}

#[test]
fn what_is_not_known_did_not_change() {
    let only = |text: &str, field: Field| {
        fields(text).into_iter().filter(|(known, _)| *known == field).collect::<Fields>()
    };
    let detect = |shadow: &Fields, shown: Fields| detect_handoff(&zd(), shadow, &view(shown), &rules());
    assert_eq!(detect(&Fields::new(), fields("5 8")), None, "a first view");
    assert_eq!(detect(&fields("900 8"), only("- -", Field::Status)), None, "a view without owners");
    assert_eq!(detect(&only("900 8", Field::Group), fields("5 8")), None, "an assignee seen first");
    let partial = detect(&fields("900 8"), only("5 -", Field::Assignee)).expect("a known assignee changed");
    assert_eq!((partial.from, partial.to), (Owner::Bot, human("5", "8")));
    let mut elsewhere = rules();
    elsewhere.bots.remove(&AccountId::from("zd"));
    assert_eq!(detect_handoff(&zd(), &fields("900 -"), &view(fields("5 -")), &elsewhere), None);
}

// ---- records ----

fn sources() -> BTreeSet<AccountId> {
    BTreeSet::from(["billing".into(), "crm".into()])
}

fn seen(kind: HandoffKind, ticket: TicketKey, to: Owner, version: i64) -> Sign {
    let from = match kind {
        HandoffKind::AiToHuman => Owner::Bot,
        HandoffKind::HumanToHuman | HandoffKind::HumanToAi => human("5", "8"),
    };
    let detected = Detected { kind, ticket, from, to, version };
    Sign::Seen(Box::new(Seen { link: "l1".into(), detected }))
}

fn to_human(to: Owner) -> Sign {
    seen(HandoffKind::AiToHuman, zd(), to, 5)
}

fn attempt(name: &str) -> Attempt {
    Attempt {
        action: name.to_owned(),
        inputs: String::new(),
        outcome: "no".to_owned(),
        failed: true,
        evidence: format!("message {name}"),
    }
}

fn told(name: &str) -> Told {
    Told { reason: Some(format!("reason {name}")), attempts: vec![attempt(name)], ..Told::default() }
}

fn said(key: &str) -> Sign {
    Sign::Said(Box::new(Said {
        agent: "ada".to_owned(),
        key: key.to_owned(),
        ticket: zd(),
        link: None,
        to: None,
        told: told(key),
    }))
}

fn opening(last: Option<&Handoff>, sign: &Sign, ms: i64) -> Opening {
    open_or_join(last, sign, &sources(), &rules(), at(ms))
}

fn new_record(opening: Opening) -> Handoff {
    match opening {
        Opening::New { new, .. } => new.record,
        other => panic!("not new: {other:?}"),
    }
}

fn joined(opening: Opening) -> HandoffStep {
    match opening {
        Opening::Joined(step) => *step,
        other => panic!("not joined: {other:?}"),
    }
}

fn next(record: &Handoff, event: HandoffEvent, ms: i64) -> HandoffStep {
    advance_handoff(record, &event, &rules(), at(ms))
}

fn facts(account: &str) -> SourceAnswer {
    SourceAnswer::Facts(vec![Fact {
        key: FactKey::Plan,
        value: FactValue::Text("Pro".to_owned()),
        detail: None,
        source: account.into(),
        record: "sub_1".to_owned(),
        fetched_at: T0,
        sensitivity: Sensitivity::Agents,
    }])
}

fn answered(account: &str, answer: SourceAnswer) -> HandoffEvent {
    HandoffEvent::SourceAnswered { account: account.into(), answer }
}

fn applied() -> Settled {
    Settled::Applied { comment: Some("c9".into()) }
}

fn packaging() -> Handoff {
    new_record(opening(None, &to_human(human("-", "8")), 0))
}

fn delivering() -> Handoff {
    next(&packaging(), HandoffEvent::DeadlinePassed, 4_000).record
}

fn delivered() -> Handoff {
    next(&delivering(), HandoffEvent::BriefingSettled(applied()), 5_000).record
}

fn accepted() -> Handoff {
    next(&delivered(), HandoffEvent::OwnerSpoke { at: at(6_000) }, 6_000).record
}

fn closed() -> Handoff {
    next(&delivered(), HandoffEvent::Solved, 7_000).record
}

fn wakes(step: &HandoffStep) -> Vec<Timestamp> {
    step.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::WakeAt(at) => Some(*at),
            _ => None,
        })
        .collect()
}

#[test]
fn a_handoff_asks_packs_delivers_and_is_accepted() {
    let Opening::New { new, before } = opening(None, &to_human(human("-", "8")), 0) else { panic!() };
    assert_eq!(before, None);
    assert_eq!(new.record.state, HandoffState::Packaging);
    assert_eq!(new.record.deadline, at(4_000));
    assert_eq!(new.effects, [Effect::AskSources(sources()), Effect::WakeAt(at(4_000))]);

    let one = next(&new.record, answered("billing", facts("billing")), 100);
    assert_eq!((one.record.state, wakes(&one)), (HandoffState::Packaging, vec![at(4_000)]));
    let all = next(&one.record, answered("crm", SourceAnswer::Nobody), 200);
    let key = briefing_key(&all.record.id);
    assert_eq!(all.record.state, HandoffState::Delivering);
    assert_eq!(all.effects, [Effect::SendBriefing { key: key.clone() }, Effect::WakeAt(at(86_400_000))]);
    assert_eq!(all.record.briefing_key, Some(key));

    let there = next(&all.record, HandoffEvent::BriefingSettled(applied()), 900).record;
    assert_eq!((there.state, there.delivered_at), (HandoffState::Delivered, Some(at(900))));
    assert_eq!(there.briefing_comment, Some("c9".into()));
    let spoke = next(&there, HandoffEvent::OwnerSpoke { at: at(2_000) }, 2_100).record;
    assert_eq!((spoke.state, spoke.accepted_at), (HandoffState::Accepted, Some(at(2_000))));
    assert_eq!(next_wake(&spoke, &rules()), None, "what was accepted does not expire");
    let works = next(&spoke, HandoffEvent::OwnerSpoke { at: at(3_000) }, 3_000).record;
    assert_eq!((works.state, works.accepted_at), (HandoffState::InProgress, Some(at(2_000))));
    let solved = next(&works, HandoffEvent::Solved, 9_000);
    assert_eq!((solved.record.state, solved.effects), (HandoffState::Resolved, vec![Effect::Done]));
}

#[test]
fn without_sources_the_briefing_leaves_at_once() {
    let opening = open_or_join(None, &to_human(Owner::Nobody), &BTreeSet::new(), &rules(), T0);
    let steps = opening.into_steps();
    assert_eq!(steps[0].record.state, HandoffState::Delivering);
    assert!(matches!(steps[0].effects[0], Effect::SendBriefing { .. }));
}

#[test]
fn the_deadline_sends_the_briefing_without_the_late_sources() {
    let record = next(&packaging(), answered("crm", SourceAnswer::Nobody), 10).record;
    assert_eq!(next(&record, HandoffEvent::DeadlinePassed, 3_999).effects, [], "too early");
    assert_eq!(due_events(&record, &rules(), at(3_999)), []);
    assert_eq!(due_events(&record, &rules(), at(4_000)), [HandoffEvent::DeadlinePassed]);
    let step = next(&record, HandoffEvent::DeadlinePassed, 4_000);
    assert_eq!(step.record.state, HandoffState::Delivering);
    assert_eq!(step.record.sources[&AccountId::from("billing")], SourceAnswer::Waiting);
}

#[test]
fn what_comes_late_is_sent_once_and_after_the_briefing() {
    let early = next(&delivering(), answered("billing", facts("billing")), 4_100);
    assert!(early.record.late_facts && early.record.late_key.is_none(), "the briefing is not there yet");
    let there = next(&early.record, HandoffEvent::BriefingSettled(applied()), 5_000);
    assert_eq!(wakes(&there), [at(LATE_AT)], "waits for the other source");
    assert_eq!(next(&there.record, HandoffEvent::DeadlinePassed, LATE_AT - 1).effects, []);
    let key = late_key(&there.record.id);
    let send = Effect::SendLate { key: key.clone(), edit: Some("c9".into()) };
    let by_time = next(&there.record, HandoffEvent::DeadlinePassed, LATE_AT);
    assert_eq!(by_time.effects[0], send);
    let by_answer = next(&there.record, answered("crm", SourceAnswer::Failed("timeout".to_owned())), 6_000);
    assert_eq!(by_answer.effects[0], send);
    assert!(!by_answer.record.late_facts);

    let settled = next(&by_answer.record, HandoffEvent::LateSettled(applied()), 7_000);
    assert_eq!((settled.record.late_facts, settled.effects), (false, vec![]));
    let again = joined(opening(Some(&settled.record), &said("k1"), 8_000));
    assert!(again.record.late_facts, "kept, and said to be missing");
    assert!(
        !again.effects.iter().any(|effect| matches!(effect, Effect::SendLate { .. })),
        "never a second time"
    );
}

#[test]
fn a_late_message_that_did_not_arrive_is_not_repeated() {
    let late = next(&delivered(), answered("billing", facts("billing")), 140_000);
    assert!(matches!(late.effects[0], Effect::SendLate { .. }));
    for (settled, words) in
        [(Settled::Lost, "not found"), (Settled::Refused("plan".to_owned()), "refused: plan")]
    {
        let step = next(&late.record, HandoffEvent::LateSettled(settled), 141_000);
        assert_eq!((step.record.state, step.record.late_facts), (HandoffState::Delivered, true));
        assert!(step.record.failure.as_deref().is_some_and(|why| why.contains(words)));
        assert_eq!(wakes(&step), [at(86_400_000)]);
        assert_eq!(step.effects.len(), 1);
    }
    let again = next(&late.record, HandoffEvent::LateSettled(Settled::NotApplied), 141_000);
    assert_eq!(again.effects[0], late.effects[0], "certainly not there: the same write again");
}

#[test]
fn an_answer_that_tells_nothing_is_not_late_news() {
    for answer in [SourceAnswer::Nobody, SourceAnswer::Failed("x".to_owned()), SourceAnswer::Facts(vec![])] {
        assert!(!next(&delivered(), answered("billing", answer), 9_000).record.late_facts);
    }
    let tie = Match { id: "c".to_owned(), label: "C".to_owned(), rule: "email".to_owned() };
    assert!(
        next(&delivered(), answered("billing", SourceAnswer::Ambiguous(vec![tie])), 9_000).record.late_facts
    );
    let unasked = next(&delivered(), answered("other", facts("other")), 9_000);
    assert_eq!(unasked.record, delivered());
}

#[test]
fn a_briefing_that_is_lost_or_refused_fails_and_is_not_sent_again() {
    for (settled, words) in [(Settled::Lost, "not found"), (Settled::Refused("403".to_owned()), "403")] {
        let failed = next(&delivering(), HandoffEvent::BriefingSettled(settled), 5_000);
        assert_eq!((failed.record.state, &failed.effects), (HandoffState::Failed, &vec![Effect::Done]));
        assert!(failed.record.failure.as_deref().is_some_and(|why| why.contains(words)));
        for event in [HandoffEvent::DeadlinePassed, HandoffEvent::Expired, HandoffEvent::Solved] {
            let after = next(&failed.record, event, 99_000_000);
            assert_eq!((after.record, after.effects), (failed.record.clone(), vec![]));
        }
        let found = next(&failed.record, HandoffEvent::BriefingSettled(applied()), 9_000).record;
        assert_eq!((found.state, found.briefing_comment), (HandoffState::Failed, Some("c9".into())));
    }
    let again = next(&delivering(), HandoffEvent::BriefingSettled(Settled::NotApplied), 5_000);
    assert_eq!(again.record, delivering());
    assert_eq!(again.effects[0], Effect::SendBriefing { key: briefing_key(&delivering().id) });
}

#[test]
fn nobody_who_takes_it_lets_it_expire() {
    let record = delivered();
    assert_eq!(next_wake(&record, &rules()), Some(at(86_400_000)));
    assert_eq!(due_events(&record, &rules(), at(86_400_000)), [HandoffEvent::Expired]);
    let expired = next(&record, HandoffEvent::Expired, 86_400_000);
    assert_eq!((expired.record.state, expired.effects), (HandoffState::Expired, vec![Effect::Done]));
    assert_eq!(next(&accepted(), HandoffEvent::Expired, 86_400_000).record, accepted());
}

#[test]
fn a_reply_before_the_briefing_is_there_counts_once_it_is() {
    let spoke = next(&packaging(), HandoffEvent::OwnerSpoke { at: at(50) }, 60).record;
    assert_eq!(spoke.state, HandoffState::Packaging);
    let sent = next(&spoke, HandoffEvent::DeadlinePassed, 4_000).record;
    let there = next(&sent, HandoffEvent::BriefingSettled(applied()), 5_000).record;
    assert_eq!((there.state, there.accepted_at), (HandoffState::Accepted, Some(at(50))));
}

fn every_state() -> Vec<Handoff> {
    let in_progress = next(&accepted(), HandoffEvent::OwnerSpoke { at: at(8_000) }, 8_000).record;
    let failed = next(&delivering(), HandoffEvent::BriefingSettled(Settled::Lost), 5_000).record;
    let back = next(&packaging(), HandoffEvent::HandedBack, 10).record;
    let expired = next(&delivered(), HandoffEvent::Expired, 86_400_000).record;
    let detected = Handoff { state: HandoffState::Detected, sources: BTreeMap::new(), ..packaging() };
    let passed_on = new_record(opening(None, &seen(HandoffKind::HumanToHuman, zd(), human("6", "9"), 5), 0));
    let records = vec![
        detected,
        packaging(),
        delivering(),
        delivered(),
        accepted(),
        in_progress,
        closed(),
        failed,
        back,
        expired,
        passed_on,
    ];
    let states: BTreeSet<HandoffState> = records.iter().map(|record| record.state).collect();
    assert_eq!(states.len(), 10, "every state once");
    records
}

fn every_event() -> Vec<HandoffEvent> {
    let evidence = Evidence::Api { agent: "ada".to_owned(), key: "k".to_owned() };
    let news = News { evidence: Some(evidence), told: told("x"), ..News::default() };
    let mut events = vec![
        HandoffEvent::Opened { sources: sources() },
        HandoffEvent::Evidence(Box::new(news)),
        answered("billing", facts("billing")),
        answered("crm", SourceAnswer::Nobody),
        answered("crm", SourceAnswer::Waiting),
        HandoffEvent::DeadlinePassed,
        HandoffEvent::OwnerSpoke { at: at(9_000) },
        HandoffEvent::Solved,
        HandoffEvent::HandedBack,
        HandoffEvent::Expired,
    ];
    for settled in [applied(), Settled::Lost, Settled::Refused("no".to_owned())] {
        events.push(HandoffEvent::BriefingSettled(settled.clone()));
        events.push(HandoffEvent::LateSettled(settled));
    }
    events
}

/// Walks all sequences of three events from every state, each event twice.
#[test]
fn repeats_change_nothing_and_no_note_is_sent_twice() {
    for start in every_state() {
        for first in every_event() {
            for second in every_event() {
                for third in every_event() {
                    walk(&start, &[&first, &second, &third]);
                }
            }
        }
    }
}

fn walk(start: &Handoff, events: &[&HandoffEvent]) {
    let mut record = start.clone();
    let (mut briefings, mut lates, mut done) = (0, 0, 0);
    for event in events {
        let step = advance_handoff(&record, event, &rules(), at(150_000));
        for effect in &step.effects {
            match effect {
                Effect::SendBriefing { .. } => briefings += 1,
                Effect::SendLate { .. } => lates += 1,
                Effect::Done => done += 1,
                Effect::AskSources(_) | Effect::WakeAt(_) => {}
            }
        }
        assert!(is_open(&record) || step.record.state == record.state, "closed stays closed: {event:?}");
        assert_eq!(done == 1, is_open(start) && !is_open(&step.record), "{events:?}");
        let again = advance_handoff(&step.record, event, &rules(), at(150_000));
        assert_eq!((&again.record, &again.effects), (&step.record, &Vec::new()), "{event:?} twice");
        record = step.record;
    }
    assert!(briefings <= usize::from(start.briefing_key.is_none()), "{events:?}");
    assert!(lates <= usize::from(start.late_key.is_none()), "{events:?}");
}

// ---- correlation ----

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
    let accepted = next(&there, HandoffEvent::OwnerSpoke { at: at(6_000) }, 6_000).record;
    let step = joined(opening(Some(&accepted), &to_human(human("5", "8")), minutes));
    assert_eq!(step.record.evidence.len(), 2, "a first native change joins even after the first reply");

    let early = joined(opening(Some(&packaging()), &said("k1"), 100)).record;
    assert_eq!(early.told.attempts, [attempt("k1")], "in the briefing");
    assert!(!early.late_facts);
    let late = joined(opening(Some(&delivered()), &said("k1"), 140_000));
    assert!(matches!(late.effects[0], Effect::SendLate { .. }));
    let accepted_native = next(&delivered(), HandoffEvent::OwnerSpoke { at: at(6_000) }, 6_000).record;
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
    let accepted = next(&there, HandoffEvent::OwnerSpoke { at: at(6_000) }, 6_000).record;
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
    assert_eq!((new.record.kind, new.record.state), (HandoffKind::HumanToHuman, HandoffState::Detected));
    assert!(new.effects.is_empty() && !is_open(&new.record), "recorded, nothing done");
    let before = before.expect("the stretch goes on with the new target").record;
    assert_eq!((before.state, before.to), (HandoffState::Delivered, Some(human("-", "9"))));
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
        assert!(new.effects.is_empty());
        let out = new_record(opening(
            Some(&before.record),
            &seen(HandoffKind::AiToHuman, zd(), human("-", "8"), 9),
            10_000,
        ));
        assert_ne!(out.id, open.id);
        assert_eq!(out.state, HandoffState::Packaging);
    }
    let unseen = seen(HandoffKind::AiToHuman, zd(), human("-", "8"), 9);
    let Opening::New { before, .. } = opening(Some(&accepted()), &unseen, 10_000) else { panic!() };
    assert_eq!(before.map(|step| step.record.state), Some(HandoffState::HandedBack), "it had it in between");
    let other_desk = seen(HandoffKind::HumanToAi, TicketKey::new("fd", "4"), Owner::Bot, 8);
    let Opening::New { before, .. } = opening(Some(&delivered()), &other_desk, 9_000) else { panic!() };
    assert_eq!(before, None, "the other helpdesk's owner is not the one who was briefed");
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
