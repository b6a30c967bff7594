//! The shapes that a change of hands has at a helpdesk: each once at every vendor, through the real
//! connectors and the whole daemon. What is recorded, and what the next owner finds on the ticket.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use handoffd::{
    app::{self, Outside},
    config::Config,
    store::{
        Key,
        blobs::Blobs,
        mem::MemStore,
        tables::{self, HANDOFFS},
    },
};
use handoffd_connectors::{
    client::{
        Clock,
        clock::{SeededJitter, TokioClock},
    },
    connector,
    contract::{Call, Catalog, Lane},
    sim::{HumanAct, SimSetup, Who, faults::Faults, world::World},
};
use handoffd_core::{
    AccountId, Evidence, FieldKind, Handoff, HandoffKind, HandoffState, RemoteId, Status,
    briefing::is_briefing, handoff::breach,
};
use http::Request;

use crate::{
    setup::{Made, PRIORITY, fill_stripe, hire, load},
    world::{AGENT_TOKEN, FRESHDESK, Ground, INTERCOM, Life, Profile, START, STRIPE, Tamper, ZENDESK},
};

const TAG: &str = "ai_agent";

/// By what the AI agent is recognised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    Assignee,
    Group,
    Tag,
    Pending,
}

/// Something that happens, with time after it for everything that it calls for.
#[derive(Clone, Copy)]
pub enum Act {
    Give(Option<&'static str>),
    Bot,
    Tag(bool),
    Status(Status),
    Reply(&'static str),
    Customer,
    Announce(&'static str),
    /// What comes next happens in the same moment.
    And,
    /// What comes next happens while the sources are still asked.
    Soon,
}

use Act::{Announce, Bot, Customer, Give, Reply};
use HandoffKind::{AiToHuman, HumanToAi, HumanToHuman};

pub const MARA: Act = Give(Some("Mara"));
pub const TOM: Act = Give(Some("Tom"));

/// A shape: its name, the marks, what happens after the AI agent got the ticket, and the records
/// that come of it, oldest first.
type Shape = (&'static str, Marks, &'static [Act], &'static [(HandoffKind, HandoffState)]);

const DONE: HandoffState = HandoffState::Delivered;
const TAKEN: HandoffState = HandoffState::Accepted;
const BACK: HandoffState = HandoffState::HandedBack;

const SHAPES: [Shape; 15] = [
    ("the assignee changes", Marks::Assignee, &[MARA], &[(AiToHuman, DONE)]),
    ("the group or team changes", Marks::Group, &[MARA], &[(AiToHuman, DONE)]),
    ("the AI agent's tag goes", Marks::Tag, &[Act::Tag(false), Act::And, MARA], &[(AiToHuman, DONE)]),
    ("the AI agent lets go", Marks::Assignee, &[Give(None)], &[(AiToHuman, DONE)]),
    ("its tag goes, and nobody has it", Marks::Tag, &[Act::Tag(false)], &[(AiToHuman, DONE)]),
    ("its status goes", Marks::Pending, &[Act::Status(Status::Open)], &[(AiToHuman, DONE)]),
    (
        "people pass it on",
        Marks::Assignee,
        &[MARA, Reply("Mara"), TOM],
        &[(AiToHuman, HandoffState::PassedOn), (HumanToHuman, DONE)],
    ),
    (
        "people give it back",
        Marks::Assignee,
        &[MARA, Reply("Mara"), Bot],
        &[(AiToHuman, BACK), (HumanToAi, BACK)],
    ),
    (
        "one lets it go and another takes it",
        Marks::Assignee,
        &[MARA, Reply("Mara"), Give(None), TOM],
        &[(AiToHuman, HandoffState::PassedOn), (HumanToHuman, DONE)],
    ),
    (
        "it comes back to the same hands",
        Marks::Assignee,
        &[MARA, Reply("Mara"), Act::Status(Status::Solved), Customer, Act::And, Act::Status(Status::Open)],
        &[(AiToHuman, HandoffState::InProgress)],
    ),
    (
        "it comes back to other hands",
        Marks::Assignee,
        &[
            MARA,
            Reply("Mara"),
            Act::Status(Status::Solved),
            Customer,
            Act::And,
            TOM,
            Act::And,
            Act::Status(Status::Open),
        ],
        &[(AiToHuman, HandoffState::Resolved), (HumanToHuman, DONE)],
    ),
    (
        "the AI agent had solved it",
        Marks::Assignee,
        &[Act::Status(Status::Solved), Customer, Act::And, MARA, Act::And, Act::Status(Status::Open)],
        &[(AiToHuman, DONE)],
    ),
    ("it is announced", Marks::Assignee, &[Announce("k1")], &[(AiToHuman, DONE)]),
    (
        "it is announced and seen, and told again",
        Marks::Assignee,
        &[Announce("k1"), MARA, Announce("k1"), Reply("Mara")],
        &[(AiToHuman, TAKEN)],
    ),
    (
        "it is seen and then announced",
        Marks::Tag,
        &[Act::Tag(false), Act::And, MARA, Announce("k1"), Announce("k1")],
        &[(AiToHuman, DONE)],
    ),
];

/// Where a ticket that a person lets go is nobody's: at Zendesk it is their group's then, and is
/// handed over to that.
const LET_GO: [Shape; 2] = [
    (
        "one lets it go and takes it again",
        Marks::Assignee,
        &[MARA, Reply("Mara"), Give(None), MARA],
        &[(AiToHuman, TAKEN)],
    ),
    (
        "people let it go and the AI agent takes it",
        Marks::Assignee,
        &[MARA, Reply("Mara"), Give(None), Bot],
        &[(AiToHuman, BACK), (HumanToAi, BACK)],
    ),
];

/// The daemon with one helpdesk.
async fn begin(desk: &'static str, marks: Marks) -> Life {
    begin_as(&[desk], marks, Faults::none(), |_, _, _| ()).await
}

/// The daemon with these helpdesks, the AI agent at the first, configured by `tune`, which is told
/// what the helpdesks have.
pub async fn begin_as(
    desks: &[&'static str],
    marks: Marks,
    source: Faults,
    tune: impl FnOnce(&World, &BTreeMap<&'static str, Catalog>, &mut Config),
) -> Life {
    let desk = desks[0];
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(START));
    let world = World::new(7, clock.clone());
    world.keep_log();
    for vendor in desks.iter().copied().chain([STRIPE]) {
        let setup = SimSetup { seed: 7, plan: "unlimited".to_owned(), now: clock.now() };
        let sim = connector(vendor).expect("a known vendor").simulator(setup);
        world.add(AccountId::new(vendor), sim, Faults::none());
    }
    fill_stripe(&world);
    desks.iter().for_each(|desk| hire(&world, &AccountId::new(*desk)));
    world.set_faults(&AccountId::new(STRIPE), source);
    if desks.contains(&INTERCOM) {
        let field =
            HumanAct::MakeField { title: PRIORITY.to_owned(), kind: FieldKind::Text, options: Vec::new() };
        world.human(&AccountId::new(INTERCOM), field).expect("a field");
    }
    let mut config = load(&world, desks, desk, "");
    let outside = Outside {
        clock: clock.clone(),
        jitter: Arc::new(SeededJitter::new(7)),
        transport: world.transport(),
    };
    let catalogs = catalogs(&config, desks, &outside).await;
    tune(&world, &catalogs, &mut config);
    let bots = &mut config.accounts.get_mut(desk).expect("an account").bots;
    match marks {
        Marks::Assignee => bots.groups.clear(),
        Marks::Group => bots.assignees.clear(),
        Marks::Tag | Marks::Pending => (bots.assignees, bots.groups) = Default::default(),
    }
    match marks {
        Marks::Tag => drop(bots.tags.insert(TAG.to_owned())),
        Marks::Pending => drop(bots.statuses.insert("pending".to_owned())),
        Marks::Assignee | Marks::Group => {}
    }
    let profile = Profile {
        desks: desks.to_vec(),
        facing: desk,
        rich: false,
        faults: Faults::none(),
        crashes: false,
        expiries: false,
        deletes: false,
        talks_max: 0,
        draws: 0,
        pause_ms_max: 1,
        intake_within: Duration::from_secs(60),
        quiet: Duration::from_secs(60),
    };
    let tamper = Tamper::over(world.transport());
    Life::over(7, profile, false, Ground { world, clock, config, made: Made::default(), tamper }).await
}

async fn catalogs(
    config: &Config,
    desks: &[&'static str],
    outside: &Outside,
) -> BTreeMap<&'static str, Catalog> {
    let store = Arc::new(MemStore::new(outside.clock.clone()));
    let parts = app::engine_parts(config, store, Blobs::memory(), outside).await.expect("a configuration");
    let mut found = BTreeMap::new();
    for desk in desks {
        let call = Call { lane: Lane::Live, deadline: outside.clock.now().plus(Duration::from_secs(60)) };
        let helpdesk = &parts.desks[&AccountId::new(*desk)].helpdesk;
        found.insert(*desk, helpdesk.catalog(call).await.expect("a catalog"));
    }
    found
}

pub async fn rest(life: &mut Life) {
    for _ in 0..80 {
        life.pass(Duration::from_secs(1)).await;
    }
}

/// A ticket that the AI agent has.
pub async fn opened(life: &mut Life, desk: &str, marks: Marks) -> RemoteId {
    let open = HumanAct::Open {
        name: "Dana Reyes".to_owned(),
        email: "dana@example.com".to_owned(),
        subject: "late order".to_owned(),
        text: "my order does not arrive".to_owned(),
        to_bot: matches!(marks, Marks::Assignee | Marks::Group),
    };
    let ticket = life.human(desk, open).expect("a ticket");
    match marks {
        Marks::Tag => tag(life, desk, &ticket, true),
        Marks::Pending => set_status(life, desk, &ticket, Status::Pending),
        Marks::Assignee | Marks::Group => {}
    }
    rest(life).await;
    ticket
}

fn tag(life: &Life, desk: &str, ticket: &RemoteId, on: bool) {
    let tags = vec![TAG.to_owned()];
    let (add, remove) = if on { (tags, Vec::new()) } else { (Vec::new(), tags) };
    life.human(desk, HumanAct::Tag { ticket: ticket.clone(), add, remove }).expect("a tag");
}

fn set_status(life: &Life, desk: &str, ticket: &RemoteId, status: Status) {
    life.human(desk, HumanAct::SetStatus { ticket: ticket.clone(), status }).expect("a status");
}

pub async fn perform(life: &mut Life, desk: &str, ticket: &RemoteId, act: Act) {
    let say = |who: Who, text: &str| HumanAct::Say {
        ticket: ticket.clone(),
        who,
        text: text.to_owned(),
        public: true,
    };
    let act = match act {
        Give(to) => {
            HumanAct::Assign { ticket: ticket.clone(), to: to.map(|name| Who::Agent(name.to_owned())) }
        }
        Bot => HumanAct::Assign { ticket: ticket.clone(), to: Some(Who::Bot) },
        Act::Tag(on) => return tag(life, desk, ticket, on),
        Act::Status(status) => return set_status(life, desk, ticket, status),
        Reply(name) => say(Who::Agent(name.to_owned()), "I have reset your parcel."),
        Customer => say(Who::Customer, "it still does not work"),
        Announce(key) => return announce(life, desk, ticket, key).await,
        Act::And => return,
        Act::Soon => {
            for _ in 0..20 {
                life.pass(Duration::from_millis(100)).await;
            }
            return;
        }
    };
    life.human(desk, act).expect("it may be done");
}

async fn announce(life: &Life, desk: &str, ticket: &RemoteId, key: &str) {
    announce_to(life, desk, ticket, key, &serde_json::json!({})).await;
}

/// The AI agent says that it hands over, and where it asks that it go.
pub async fn announce_to(life: &Life, desk: &str, ticket: &RemoteId, key: &str, to: &serde_json::Value) {
    let body = serde_json::json!({
        "conversation": { "account": desk, "ticket_id": ticket.as_str() },
        "reason": "a person must decide",
        "to": to,
        "transcript": [{ "role": "user", "content": "my order does not arrive" }],
    });
    let request = Request::post("/v1/handoffs")
        .header("authorization", format!("Bearer {AGENT_TOKEN}"))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Bytes::from(body.to_string()))
        .expect("a request");
    let answer = life.ask(request).await.expect("an answer");
    assert_eq!(answer.status(), 202, "{:?}", answer.body());
}

pub async fn records(life: &Life) -> Vec<Handoff> {
    let store = &*life.engine().parts().store;
    let rows = tables::read_all::<Handoff>(store, HANDOFFS, &Key(Vec::new()), 100).await.expect("readable");
    let mut records: Vec<Handoff> = rows.into_iter().map(|(_, row)| row.value).collect();
    records.sort_by_key(|record| record.hop);
    records
}

/// What is wrong with a shape at a helpdesk.
async fn flaws(desk: &'static str, shape: &Shape) -> Vec<String> {
    let (name, marks, acts, expected) = shape;
    let mut life = begin(desk, *marks).await;
    let ticket = opened(&mut life, desk, *marks).await;
    for (at, act) in acts.iter().enumerate() {
        perform(&mut life, desk, &ticket, *act).await;
        let in_haste = |act: &Act| matches!(act, Act::And | Act::Soon);
        if !in_haste(act) && !acts.get(at + 1).is_some_and(in_haste) {
            rest(&mut life).await;
        }
    }
    let found = records(&life).await;
    let mut flaws = Vec::new();
    let shown: Vec<_> = found.iter().map(|record| (record.kind, record.state)).collect();
    if shown != *expected {
        flaws.push(format!("{desk}: {name}: {shown:?} instead of {expected:?}"));
    }
    for (at, record) in found.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| found[before].id.clone());
        if record.previous != before || record.hop as usize != at + 1 {
            flaws.push(format!("{desk}: {name}: hop {} follows {:?}", record.hop, record.previous));
        }
    }
    let briefed = found.iter().filter(|record| record.kind != HumanToAi);
    let ticket = life.tickets(desk).into_iter().find(|shown| shown.id == ticket).expect("the ticket");
    for record in briefed.clone() {
        let note = record.visible.as_ref().and_then(|note| {
            ticket.comments.iter().find(|comment| comment.id == note.id && comment.at == note.at)
        });
        if note.is_none_or(|note| note.public || !is_briefing(&note.text)) {
            flaws.push(format!("{desk}: {name}: the proof {:?} is no private briefing", record.visible));
        }
    }
    let notes = ticket
        .comments
        .iter()
        .filter(|comment| comment.text.starts_with("Came after") || is_briefing(&comment.text));
    let followed = ticket.comments.iter().filter(|comment| comment.text.starts_with("Came after")).count();
    if notes.count() != briefed.count() + followed {
        flaws.push(format!("{desk}: {name}: another number of briefings than of handoffs"));
    }
    flaws
}

fn check(desk: &'static str) {
    crate::past::run(async {
        let mut all = Vec::new();
        let more = if desk == ZENDESK { &[] } else { LET_GO.as_slice() };
        for shape in SHAPES.iter().chain(more) {
            all.extend(flaws(desk, shape).await);
        }
        assert!(all.is_empty(), "\n{}\n", all.join("\n"));
    });
}

#[test]
fn every_shape_of_a_handoff_is_seen_at_zendesk() {
    check(ZENDESK);
}

#[test]
fn every_shape_of_a_handoff_is_seen_at_freshdesk() {
    check(FRESHDESK);
}

#[test]
fn every_shape_of_a_handoff_is_seen_at_intercom() {
    check(INTERCOM);
}

/// What happens, and of each record that comes of it who answered first, and whether that was before
/// the briefing was there.
type Answer = (&'static str, &'static [Act], &'static [(Option<&'static str>, bool)]);

const ANSWERS: [Answer; 8] = [
    ("the next owner answers", &[MARA, Reply("Mara")], &[(Some("Mara"), false)]),
    ("at once", &[MARA, Act::And, Reply("Mara")], &[(Some("Mara"), true)]),
    ("somebody answers what is nobody's", &[Give(None), Act::And, Reply("Tom")], &[(Some("Tom"), true)]),
    (
        "who takes what is nobody's, and answers",
        &[Give(None), TOM, Reply("Mara"), Reply("Tom")],
        &[(Some("Mara"), false)],
    ),
    (
        "who takes what is nobody's answers in the same moment",
        &[Give(None), TOM, Act::And, Reply("Tom")],
        &[(Some("Tom"), false)],
    ),
    (
        "who passes it on says so",
        &[MARA, Reply("Mara"), Reply("Mara"), Act::And, TOM],
        &[(Some("Mara"), false), (None, false)],
    ),
    (
        "and says more afterwards, before the other",
        &[MARA, Reply("Mara"), TOM, Reply("Mara"), Reply("Tom")],
        &[(Some("Mara"), false), (Some("Tom"), false)],
    ),
    (
        "an answer without a briefing, and back at once",
        &[MARA, Act::Soon, Reply("Mara"), Act::And, Bot],
        &[(Some("Mara"), true), (None, false)],
    ),
];

/// What is wrong with who answered, at a helpdesk whose context source takes its time.
async fn wrong_answers(desk: &'static str, answer: &Answer) -> Vec<String> {
    let (name, acts, expected) = answer;
    let slow = Faults { latency_ms: 1_500..=1_500, ..Faults::none() };
    let mut life = begin_as(&[desk], Marks::Assignee, slow, |_, _, _| ()).await;
    let ticket = opened(&mut life, desk, Marks::Assignee).await;
    for (at, act) in acts.iter().enumerate() {
        perform(&mut life, desk, &ticket, *act).await;
        let in_haste = |act: &Act| matches!(act, Act::And | Act::Soon);
        if !in_haste(act) && !acts.get(at + 1).is_some_and(in_haste) {
            rest(&mut life).await;
        }
    }
    rest(&mut life).await;
    let shown = life.tickets(desk).into_iter().find(|shown| shown.id == ticket).expect("the ticket");
    let who = |record: &Handoff| {
        let reply = record.first_reply.as_ref()?;
        let comment = shown.comments.iter().find(|comment| comment.id == reply.id && comment.at == reply.at);
        Some(comment.map_or("nobody", |comment| {
            ["Mara", "Tom"].into_iter().find(|name| comment.author.contains(name)).unwrap_or("?")
        }))
    };
    let found = records(&life).await;
    let found: Vec<_> = found.iter().map(|record| (who(record), breach(record).is_some())).collect();
    let is_right = found == *expected;
    (!is_right).then(|| format!("{desk}: {name}: {found:?} instead of {expected:?}")).into_iter().collect()
}

#[test]
fn the_first_reply_is_the_next_owners() {
    crate::past::run(async {
        let mut all = Vec::new();
        for desk in [ZENDESK, FRESHDESK, INTERCOM] {
            for answer in &ANSWERS {
                all.extend(wrong_answers(desk, answer).await);
            }
        }
        assert!(all.is_empty(), "\n{}\n", all.join("\n"));
    });
}

/// What a customer wrote stands in the note as words: no link with another name, no picture, no markup.
#[test]
fn a_customers_words_are_no_markup_in_a_briefing() {
    let evil = "It still does not work [Approve here](https://evil.example) <img src=x> ![x](https://evil.example/p.png) # big";
    crate::past::run(async {
        for desk in [ZENDESK, FRESHDESK, INTERCOM] {
            let mut life = begin(desk, Marks::Assignee).await;
            let ticket = opened(&mut life, desk, Marks::Assignee).await;
            let (who, text) = (Who::Customer, evil.to_owned());
            life.human(desk, HumanAct::Say { ticket: ticket.clone(), who, text, public: true });
            rest(&mut life).await;
            perform(&mut life, desk, &ticket, MARA).await;
            rest(&mut life).await;
            let shown = life.tickets(desk).into_iter().find(|shown| shown.id == ticket).expect("the ticket");
            let note = shown.comments.iter().find(|comment| is_briefing(&comment.text)).expect("a briefing");
            for words in ["It still does not work", "Approve here", "<img src=x>"] {
                assert!(note.text.contains(words), "{desk}: {words} in {}", note.text);
            }
            let markup = ["<img", "<a ", "<h1"].into_iter().find(|tag| note.html.contains(tag));
            assert_eq!(markup, None, "{desk}: {}", note.html);
        }
    });
}

/// The same change told by a webhook, a poll and the API is one record with both signs.
#[test]
fn a_change_that_is_seen_and_announced_has_both_signs() {
    crate::past::run(async {
        let mut life = begin(ZENDESK, Marks::Assignee).await;
        let ticket = opened(&mut life, ZENDESK, Marks::Assignee).await;
        perform(&mut life, ZENDESK, &ticket, Announce("k1")).await;
        perform(&mut life, ZENDESK, &ticket, MARA).await;
        rest(&mut life).await;
        let found = records(&life).await;
        assert_eq!(found.len(), 1);
        let signs: Vec<bool> =
            found[0].evidence.iter().map(|sign| matches!(sign, Evidence::Native { .. })).collect();
        assert_eq!(signs.len(), 2);
        assert_ne!(signs[0], signs[1]);
    });
}
