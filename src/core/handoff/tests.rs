mod correlation;
mod moved;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::intent::Unset;
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

#[test]
fn who_lets_go_is_remembered_until_somebody_has_it() {
    let marks = &rules().bots[&AccountId::from("zd")];
    let owners = |text: &str| {
        let mut owners = fields(text);
        owners.retain(|field, _| matches!(field, Field::Assignee | Field::Group));
        owners
    };
    let rows = [
        // known before, was, is, known after
        (None, "5 -", "- -", Some("5 -")),
        (Some("5 -"), "- -", "- -", Some("5 -")),
        (Some("5 -"), "- -", "6 -", None),
        (Some("5 -"), "- -", "900 -", None),
        (None, "900 -", "- -", None),
        (None, "- -", "- -", None),
    ];
    for (before, was, is, after) in rows {
        let before = before.map(owners).unwrap_or_default();
        let found = let_go(&before, &fields(was), &fields(is), marks);
        assert_eq!(found, after.map(owners).unwrap_or_default(), "{was} -> {is}");
    }
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
        at: T0,
        kind: HandoffKind::AiToHuman,
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
    open_or_join(last, sign, &Ground { sources: &sources, rules: &rules, now: at(ms), heard, spoke: None })
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
    SeenMessage { ticket: TicketKey::new("zd", "7"), id: "c20".into(), at: at(ms) }
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
        &Ground { sources: &BTreeSet::new(), rules: &rules(), now: T0, heard: None, spoke: None },
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

#[test]
fn a_reply_after_a_briefing_that_never_came_is_a_breach() {
    let failed = next(&delivering(), HandoffEvent::BriefingSettled(Settled::Lost), 5_000).record;
    assert_eq!(in_time(&failed), None, "nobody spoke yet");
    let spoken = next(&failed, spoke(9_000), 9_000).record;
    assert_eq!((spoken.state, in_time(&spoken)), (HandoffState::Failed, Some(false)));
    assert!(breach(&spoken).is_some_and(|breach| breach.late_ms.is_none()));
    let again = next(&spoken, spoke(10_000), 10_000).record;
    assert_eq!(again.first_reply, spoken.first_reply);
}

#[test]
fn a_briefing_that_is_never_shown_is_not_there() {
    let taken = HandoffEvent::BriefingSettled(Settled::Applied { comment: Some("7".into()) });
    let mut record = next(&delivering(), taken, 5_000).record;
    record = next(&record, spoke(9_000), 9_000).record;
    record = next(&record, HandoffEvent::BriefingUnread, 9_000).record;
    assert!(wants_read_back(&record), "a ticket that cannot be read says nothing");
    assert!(read_back_at(&record).is_some_and(|due| due > at(9_000)), "nor is it asked at once");
    while wants_read_back(&record) {
        assert_eq!(in_time(&record), None);
        record = next(&record, HandoffEvent::BriefingNotVisible, 9_000).record;
    }
    assert_eq!(in_time(&record), Some(false));
    let cause = breach(&record).expect("a breach").cause;
    assert!(cause.contains("does not show it"), "{cause}");
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
        HandoffEvent::FieldsUnset(Unset::Later("busy".to_owned())),
        HandoffEvent::FieldsUnset(Unset::Refused("no".to_owned())),
    ];
    for settled in [applied(), Settled::Lost, Settled::Refused("no".to_owned())] {
        events.push(HandoffEvent::BriefingSettled(settled.clone()));
        events.push(HandoffEvent::LateSettled(settled.clone()));
        events.push(HandoffEvent::PlaceSettled(settled));
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
    let (mut briefings, mut lates, mut done, mut holds, mut assigns, mut places) = (0, 0, 0, 0, 0, 0);
    for event in events {
        let step = advance_handoff(&record, event, &rules(), at(150_000));
        for effect in &step.effects {
            match effect {
                Effect::SendBriefing { .. } => briefings += 1,
                Effect::SendLate { .. } => lates += 1,
                Effect::Done => done += 1,
                Effect::Hold { .. } => holds += 1,
                Effect::Assign { .. } => assigns += 1,
                Effect::Place { .. } => places += 1,
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
    assert_eq!(places, record.placings, "every write has a name of its own: {events:?}");
}
