//! What comes after a handoff: its ticket is merged, its sources answer late, its briefing is tried
//! again, its rows grow old.

use std::time::Duration;

use bytes::Bytes;
use handoffd::{
    config::Span,
    engine::parked::{Order, ParkedOrder},
    store::{
        Commit, Key, Table,
        tables::{self, HANDOFF_NAMES, HANDOFFS, INTAKES, INTENTS, IntakeRow, IntentRow, PACKAGES},
    },
};
use handoffd_connectors::sim::{HumanAct, ShownTicket, faults::Faults};
use handoffd_core::{
    AccountId, Body, FieldKind, Handoff, HandoffState, LinkId, Message, OpKey, PrivateMessage, PrivateText,
    RemoteId, SourceAnswer, Status, TicketKey, briefing::is_briefing, intent::Update,
};
use http::{Method, Request, Response};
use serde_json::json;

use crate::{
    past::run,
    shapes::{Act, Marks, announce_to, begin_as, opened, perform, records, rest},
    world::{FRESHDESK, INTERCOM, Life, STRIPE, ZENDESK},
};

/// The daemon with one helpdesk whose people answer at once.
async fn begin(desk: &'static str) -> Life {
    begin_as(&[desk], Marks::Assignee, Faults::none(), |_, _, _| ()).await
}

fn slow(ms: u64) -> Faults {
    Faults { answer_slow: 1_000, answer_slow_ms: ms..=ms, ..Faults::none() }
}

async fn pass(life: &mut Life, time: Duration) {
    let until = life.now().plus(time);
    while life.now() < until {
        life.pass(Duration::from_secs(1).min(time)).await;
    }
}

fn shown(life: &Life, desk: &str, id: &RemoteId) -> ShownTicket {
    life.tickets(desk).into_iter().find(|ticket| ticket.id == *id).expect("the ticket")
}

fn briefings(life: &Life, desk: &str, id: &RemoteId) -> usize {
    let ticket = shown(life, desk, id);
    ticket.comments.iter().filter(|comment| !comment.public && is_briefing(&comment.text)).count()
}

async fn link_of(life: &Life, desk: &str, id: &RemoteId) -> Option<LinkId> {
    let store = &*life.engine().parts().store;
    tables::link_of(store, &TicketKey::new(desk, id.clone())).await.expect("readable")
}

async fn rows(life: &Life, table: Table) -> usize {
    life.engine().parts().store.page(table, &Key(Vec::new()), None, 90).await.expect("readable").rows.len()
}

fn merge(life: &Life, ticket: &RemoteId, into: &RemoteId) {
    let merge = HumanAct::Merge { ticket: ticket.clone(), into: into.clone() };
    life.human(ZENDESK, merge).expect("it may be merged");
}

async fn announce(life: &Life, desk: &str, id: &RemoteId, key: &str) {
    announce_to(life, desk, id, key, &json!({})).await;
}

/// The customer and one of the people talk; the ticket may be solved.
async fn taken(life: &mut Life, id: &RemoteId, solved: bool) {
    perform(life, ZENDESK, id, Act::Reply("Mara")).await;
    rest(life).await;
    if solved {
        perform(life, ZENDESK, id, Act::Status(Status::Solved)).await;
        rest(life).await;
    }
}

#[test]
fn a_conversation_that_had_a_handoff_is_merged_into_another() {
    for solved in [true, false] {
        run(async {
            let mut life = begin(ZENDESK).await;
            let ends = opened(&mut life, ZENDESK, Marks::Assignee).await;
            announce(&life, ZENDESK, &ends, "k1").await;
            rest(&mut life).await;
            taken(&mut life, &ends, solved).await;
            let stays = opened(&mut life, ZENDESK, Marks::Assignee).await;
            rest(&mut life).await;
            merge(&life, &ends, &stays);
            rest(&mut life).await;
            let link = link_of(&life, ZENDESK, &stays).await;
            assert_eq!(link_of(&life, ZENDESK, &ends).await, link, "solved: {solved}: they are one");
            assert!(link.is_some());
            // What is said of the ticket that ended is about the one that goes on.
            announce(&life, ZENDESK, &ends, "k2").await;
            rest(&mut life).await;
            let last = records(&life).await.pop().expect("a record");
            assert_eq!(last.ticket.id, stays, "solved: {solved}");
            assert_eq!(last.state, HandoffState::Delivered, "solved: {solved}");
            assert_eq!(briefings(&life, ZENDESK, &stays), 1, "solved: {solved}");
            assert_eq!(rows(&life, INTAKES).await, 0);
        });
    }
}

#[test]
fn a_briefing_that_is_being_made_goes_to_the_ticket_that_goes_on() {
    run(async {
        let mut life = begin_as(&[ZENDESK], Marks::Assignee, slow(60_000), |_, _, _| ()).await;
        let ends = opened(&mut life, ZENDESK, Marks::Assignee).await;
        let stays = opened(&mut life, ZENDESK, Marks::Assignee).await;
        rest(&mut life).await;
        announce(&life, ZENDESK, &ends, "k1").await;
        pass(&mut life, Duration::from_secs(1)).await;
        assert_eq!(records(&life).await[0].state, HandoffState::Packaging, "its source is slow");
        merge(&life, &ends, &stays);
        rest(&mut life).await;
        let record = records(&life).await.pop().expect("a record");
        assert_eq!((record.state, &record.ticket.id), (HandoffState::Delivered, &stays));
        assert_eq!((briefings(&life, ZENDESK, &ends), briefings(&life, ZENDESK, &stays)), (0, 1));
    });
}

#[test]
fn a_handoff_that_is_announced_for_a_closed_ticket_fails_and_says_so() {
    run(async {
        let mut life = begin(ZENDESK).await;
        let id = opened(&mut life, ZENDESK, Marks::Assignee).await;
        rest(&mut life).await;
        perform(&mut life, ZENDESK, &id, Act::Status(Status::Closed)).await;
        rest(&mut life).await;
        announce(&life, ZENDESK, &id, "k1").await;
        rest(&mut life).await;
        let record = records(&life).await.pop().expect("a record");
        assert_eq!(record.state, HandoffState::Failed, "{:?}", record.failure);
        assert_eq!(rows(&life, INTAKES).await, 0);
    });
}

#[test]
fn a_source_that_was_being_asked_is_asked_again_after_a_restart() {
    run(async {
        let mut life = begin_as(&[FRESHDESK], Marks::Assignee, slow(12_000), |_, _, _| ()).await;
        let id = opened(&mut life, FRESHDESK, Marks::Assignee).await;
        announce(&life, FRESHDESK, &id, "k1").await;
        pass(&mut life, Duration::from_secs(9)).await;
        let before = records(&life).await.pop().expect("a record");
        assert_eq!(before.state, HandoffState::Delivered, "it waited for the source no longer");
        assert_eq!(before.sources[&AccountId::new(STRIPE)], SourceAnswer::Waiting);
        life.stop_and_start().await;
        rest(&mut life).await;
        let record = records(&life).await.pop().expect("a record");
        assert!(matches!(record.sources[&AccountId::new(STRIPE)], SourceAnswer::Facts(_)), "{record:?}");
        assert!(record.late_key.is_some(), "the next owner is told");
    });
}

#[test]
fn what_came_late_is_in_the_fields_too() {
    for desk in [ZENDESK, FRESHDESK, INTERCOM] {
        run(async {
            let mut native = String::new();
            let mut life = begin_as(&[desk], Marks::Assignee, slow(12_000), |world, _, config| {
                let (title, kind) = ("Tier".to_owned(), FieldKind::Text);
                let field = HumanAct::MakeField { title, kind, options: Vec::new() };
                let made = world.human(&AccountId::new(desk), field).expect("a field");
                native = made.as_str().to_owned();
                let placing = &mut config.accounts.get_mut(desk).expect("an account").handoff;
                placing.fields = [("completeness".to_owned(), native.clone())].into();
            })
            .await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            announce(&life, desk, &id, "k1").await;
            pass(&mut life, Duration::from_secs(9)).await;
            let before = shown(&life, desk, &id).custom.get(&native).cloned();
            assert!(before.is_some(), "{desk}: it is written beside the briefing");
            rest(&mut life).await;
            let record = records(&life).await.pop().expect("a record");
            assert!(record.late_key.is_some(), "{desk}: {record:?}");
            let after = shown(&life, desk, &id).custom.get(&native).cloned();
            assert_ne!(after, before, "{desk}: more is known by now");
            assert_eq!(rows(&life, INTENTS).await, 0, "{desk}");
        });
    }
}

#[test]
fn nothing_of_a_handoff_is_kept_for_ever() {
    run(async {
        let hour = |hours: u64| Span(Duration::from_secs(3_600 * hours));
        let mut life = begin_as(&[ZENDESK], Marks::Tag, Faults::none(), |_, _, config| {
            config.engine.journal_keep = hour(1);
            config.handoff.expire_after = hour(1);
            config.handoff.captured_keep = hour(1);
        })
        .await;
        let (over, open) =
            (opened(&mut life, ZENDESK, Marks::Tag).await, opened(&mut life, ZENDESK, Marks::Tag).await);
        // The change is seen first: the agent knows it by another name.
        perform(&mut life, ZENDESK, &over, Act::Tag(false)).await;
        perform(&mut life, ZENDESK, &over, Act::Give(Some("Mara"))).await;
        rest(&mut life).await;
        announce(&life, ZENDESK, &over, "k1").await;
        announce(&life, ZENDESK, &open, "k2").await;
        rest(&mut life).await;
        taken(&mut life, &over, true).await;
        taken(&mut life, &open, false).await;
        let left = IntakeRow {
            id: "hx".into(),
            ticket: TicketKey::new("nowhere", "1"),
            agent: "assistant".to_owned(),
            key: "k3".to_owned(),
            told: Default::default(),
            at: life.now(),
            conversation: None,
            wanted: Default::default(),
            kind: handoffd_core::HandoffKind::AiToHuman,
        };
        let writes = vec![tables::put(INTAKES, Key::of(&["nowhere", "1", "hx"]), &left)];
        life.engine().parts().store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
        assert_eq!(rows(&life, HANDOFFS).await, 2);
        assert_eq!(rows(&life, HANDOFF_NAMES).await, 1);
        for _ in 0..20 * 60 {
            life.pass(Duration::from_secs(60)).await;
        }
        for table in [HANDOFFS, PACKAGES, HANDOFF_NAMES, INTAKES] {
            assert_eq!(rows(&life, table).await, 0, "{table:?}");
        }
    });
}

/// Refuses to write private notes to Zendesk.
fn refuse_notes(life: &Life) {
    life.tamper.refuse(|request: &Request<Bytes>| {
        let is_note = request.method() == Method::PUT
            && request.uri().path().contains("/api/v2/tickets/")
            && String::from_utf8_lossy(request.body()).contains("\"public\":false");
        let body = Bytes::from(json!({ "error": "RecordInvalid", "description": "no" }).to_string());
        is_note.then(|| Response::builder().status(422).body(body).expect("an answer"))
    });
}

#[test]
fn a_failed_briefing_is_written_when_an_admin_tries_it_again() {
    run(async {
        let mut life = begin(ZENDESK).await;
        let id = opened(&mut life, ZENDESK, Marks::Assignee).await;
        refuse_notes(&life);
        announce(&life, ZENDESK, &id, "k1").await;
        rest(&mut life).await;
        let failed = records(&life).await.pop().expect("a record");
        assert_eq!(failed.state, HandoffState::Failed);
        let parked = life.engine().parked().await.expect("rows").pop().expect("it is parked");
        life.tamper.mend();
        let order =
            |id: String| ParkedOrder { id, order: Order::Retry, send_again: false, join: None, alone: false };
        let told = life.engine().parked_order(&order(parked.id.clone())).await.expect("it is tried again");
        assert!(told.contains("is tried again"), "{told}");
        rest(&mut life).await;
        let record = records(&life).await.pop().expect("a record");
        assert_eq!((record.state, record.failure), (HandoffState::Delivered, None));
        assert_eq!(briefings(&life, ZENDESK, &id), 1);
        assert_eq!(life.engine().parked().await.expect("rows"), []);
        // It stands there: an old row of it has nothing to try.
        let writes = vec![tables::put(tables::PARKED, Key::of(&["write", &parked.row.name]), &parked.row)];
        life.engine().parts().store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
        let refused = life.engine().parked_order(&order(parked.id)).await.expect_err("it is there");
        assert!(refused.to_string().contains("delivered"), "{refused}");
    });
}

#[test]
fn a_parked_look_leaves_stored_writes_their_time() {
    run(async {
        let mut life = begin(ZENDESK).await;
        let id = opened(&mut life, ZENDESK, Marks::Assignee).await;
        rest(&mut life).await;
        let link = link_of(&life, ZENDESK, &id).await.expect("a link");
        let text = PrivateText::new(Body::inline("A note of ours."));
        let message = Message::Private(PrivateMessage { author: None, text, attachments: Vec::new() });
        let key = OpKey("h1-briefing".to_owned());
        let at = TicketKey::new(ZENDESK, id.clone());
        let update = Update {
            at,
            set: Default::default(),
            message: Some(message),
            if_version: None,
            key: key.clone(),
        };
        let due = life.now().plus(Duration::from_secs(30));
        let row = IntentRow {
            intent: handoffd_core::intent::Intent::Update(update),
            handoff: None,
            speech: None,
            run: life.engine().parts().run.clone(),
            attempts: 1,
            lookups: 0,
            sent_at: None,
            made_at: life.now(),
            found_at: None,
            due,
            last_error: None,
        };
        let writes = vec![tables::put(INTENTS, tables::intent_key(&link, &key), &row)];
        life.engine().parts().store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
        // What the ticket shows makes no sense.
        life.tamper.spoil(|body| {
            if let Some(tickets) = body.get_mut("tickets") {
                *tickets = json!("none");
            }
        });
        perform(&mut life, ZENDESK, &id, Act::Customer).await;
        pass(&mut life, Duration::from_secs(20)).await;
        assert!(!life.engine().parked().await.expect("rows").is_empty(), "the look is parked");
        rest(&mut life).await;
        assert_eq!(rows(&life, INTENTS).await, 0, "the write did not wait for an admin");
        let ticket = shown(&life, ZENDESK, &id);
        assert!(ticket.comments.iter().any(|comment| comment.text.contains("A note of ours.")));
        let _: Vec<Handoff> = records(&life).await;
    });
}
