use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{
    fact::{Fact, FactKey, FactValue, Match, Sensitivity},
    handoff::{Attempt, Evidence, SeenMessage, SourceAnswer, Told, Wanted},
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
        statuses: BTreeSet::from(["on_hold".to_owned(), "1234".to_owned()]),
    };
    let bots = ["zd", "fd"].map(|account| (AccountId::from(account), marks.clone()));
    HandoffRules {
        bots: BTreeMap::from(bots),
        enrich_ms: 4_000,
        late_wait_ms: 90_000,
        expire_ms: 86_400_000,
        between_people: true,
        loop_max: 3,
        loop_ms: 3_600_000,
        hold_ms: None,
    }
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
    let detected = Detected { kind, ticket, from, to, version, reopened: false };
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
        wanted: Wanted::default(),
        told: told(key),
    }))
}

fn opening(last: Option<&Handoff>, sign: &Sign, ms: i64) -> Opening {
    heard_opening(last, sign, ms, None)
}

/// With when the customer said something last.
fn heard_opening(last: Option<&Handoff>, sign: &Sign, ms: i64, heard: Option<Timestamp>) -> Opening {
    let (sources, rules) = (sources(), rules());
    open_or_join(last, sign, &Ground { sources: &sources, rules: &rules, now: at(ms), heard })
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

fn message(ms: i64) -> SeenMessage {
    SeenMessage { id: "c20".into(), at: at(ms) }
}

fn spoke(ms: i64) -> HandoffEvent {
    HandoffEvent::OwnerSpoke { at: at(ms), message: message(ms) }
}

fn packaging() -> Handoff {
    new_record(opening(None, &to_human(human("-", "8")), 0))
}

fn delivering() -> Handoff {
    next(&packaging(), HandoffEvent::DeadlinePassed, 4_000).record
}

pub(super) fn delivered() -> Handoff {
    let there = next(&delivering(), HandoffEvent::BriefingSettled(applied()), 5_000).record;
    next(&there, HandoffEvent::BriefingVisible(message(4_900)), 5_000).record
}

fn accepted() -> Handoff {
    next(&delivered(), spoke(6_000), 6_000).record
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
    assert_eq!(next_wake(&there, &rules()), Some(at(900)), "it is read back at once");
    let there = next(&there, HandoffEvent::BriefingVisible(message(899)), 950).record;
    let taken = next(&there, spoke(2_000), 2_100).record;
    assert_eq!((taken.state, taken.accepted_at), (HandoffState::Accepted, Some(at(2_000))));
    assert_eq!(next_wake(&taken, &rules()), None, "what was accepted does not expire");
    let works = next(&taken, spoke(3_000), 3_000).record;
    assert_eq!((works.state, works.accepted_at), (HandoffState::InProgress, Some(at(2_000))));
    let solved = next(&works, HandoffEvent::Solved, 9_000);
    assert_eq!((solved.record.state, solved.effects), (HandoffState::Resolved, vec![Effect::Done]));
}

#[test]
fn without_sources_the_briefing_leaves_at_once() {
    let opening = open_or_join(
        None,
        &to_human(Owner::Nobody),
        &Ground { sources: &BTreeSet::new(), rules: &rules(), now: T0, heard: None },
    );
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
    assert_eq!(wakes(&there), [at(5_000)], "it is read back first");
    let there = next(&there.record, HandoffEvent::BriefingVisible(message(4_900)), 5_000);
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
    let spoke = next(&packaging(), spoke(50), 60).record;
    assert_eq!(spoke.state, HandoffState::Packaging);
    let sent = next(&spoke, HandoffEvent::DeadlinePassed, 4_000).record;
    let there = next(&sent, HandoffEvent::BriefingSettled(applied()), 5_000).record;
    assert_eq!((there.state, there.accepted_at), (HandoffState::Accepted, Some(at(50))));
}

fn every_state() -> Vec<Handoff> {
    let in_progress = next(&accepted(), spoke(8_000), 8_000).record;
    let failed = next(&delivering(), HandoffEvent::BriefingSettled(Settled::Lost), 5_000).record;
    let back = next(&packaging(), HandoffEvent::HandedBack, 10).record;
    let expired = next(&delivered(), HandoffEvent::Expired, 86_400_000).record;
    let detected = Handoff { state: HandoffState::Detected, sources: BTreeMap::new(), ..packaging() };
    let passed_on = next(&delivered(), HandoffEvent::PassedOn, 9_000).record;
    let suppressed = Handoff { state: HandoffState::Suppressed, ..packaging() };
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
        suppressed,
    ];
    let states: BTreeSet<HandoffState> = records.iter().map(|record| record.state).collect();
    assert_eq!(states.len(), 12, "every state once");
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
        spoke(9_000),
        HandoffEvent::Solved,
        HandoffEvent::HandedBack,
        HandoffEvent::PassedOn,
        HandoffEvent::Expired,
        HandoffEvent::HoldDue,
        HandoffEvent::BriefingVisible(message(9_000)),
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
    let (mut briefings, mut lates, mut done, mut holds, mut assigns) = (0, 0, 0, 0, 0);
    for event in events {
        let step = advance_handoff(&record, event, &rules(), at(150_000));
        for effect in &step.effects {
            match effect {
                Effect::SendBriefing { .. } => briefings += 1,
                Effect::SendLate { .. } => lates += 1,
                Effect::Done => done += 1,
                Effect::Hold { .. } => holds += 1,
                Effect::Assign { .. } => assigns += 1,
                Effect::AskSources(_) | Effect::WakeAt(_) | Effect::ReadBack | Effect::Return => {}
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
    assert!(holds <= 1 && assigns <= 1, "{events:?}");
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
