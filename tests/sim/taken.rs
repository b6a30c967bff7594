//! People who take a ticket, or answer, while a handoff is on its way; helpdesks that do not take
//! what goes beside a briefing; AI agents that say late what they want.

use std::time::Duration;

use bytes::Bytes;
use handoffd_connectors::{
    contract::{Call, Lane},
    sim::faults::Faults,
};
use handoffd_core::{AccountId, Fetched, Field, HandoffState, Priority, RemoteId, Value};
use http::{Method, Request, Response};
use serde_json::json;

use crate::{
    placed::{DESKS, HOLDING, all_beside, briefings, mara, only, people, shown},
    shapes::{Act, Marks, announce_to, begin_as, opened, perform, records, rest},
    world::{FRESHDESK, INTERCOM, Life},
};

/// Context sources that take between two seconds and the deadline.
fn slow() -> Faults {
    Faults { answer_slow: 1_000, answer_slow_ms: 700..=700, ..Faults::none() }
}

async fn seconds(life: &mut Life, seconds: u64) {
    for _ in 0..seconds * 4 {
        life.pass(Duration::from_millis(250)).await;
    }
}

/// Something that no webhook tells of.
async fn unheard(life: &mut Life, desk: &str, ticket: &RemoteId, act: Act) {
    let account = AccountId::new(desk);
    life.world.set_faults(&account, Faults { webhook_lost: 1_000, ..Faults::none() });
    perform(life, desk, ticket, act).await;
    life.pass(Duration::from_millis(10)).await;
    life.world.set_faults(&account, Faults::none());
}

fn refused(status: u16, retry_after: &str) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("retry-after", retry_after)
        .header("content-type", "application/json")
        .body(Bytes::from("{}"))
        .expect("an answer")
}

/// Whether a request writes at a ticket, and whether it writes a message.
fn writes(request: &Request<Bytes>) -> (bool, bool) {
    let path = request.uri().path();
    let at_ticket = path.contains("/tickets/") || path.contains("/conversations/");
    let searches = path.ends_with("/search");
    let says = path.ends_with("/notes") || path.ends_with("/reply");
    (*request.method() != Method::GET && at_ticket && !searches, says)
}

async fn group_of(life: &Life, desk: &str, ticket: &RemoteId) -> Option<RemoteId> {
    let helpdesk = &life.engine().parts().desks[&AccountId::new(desk)].helpdesk;
    let call = Call { lane: Lane::Live, deadline: life.now().plus(Duration::from_secs(60)) };
    let fetched = helpdesk.fetch_many(call, std::slice::from_ref(ticket)).await.expect("a view");
    let Some(Fetched::Shown(view)) = fetched.into_iter().next() else { panic!("no view") };
    match view.fields.get(&Field::Group) {
        Some(Value::Owner(group)) => group.clone(),
        _ => None,
    }
}

/// A ticket that its account's configuration gives to a group, announced while sources take long.
async fn announced(desk: &'static str, tags: bool) -> (Life, RemoteId) {
    let mut life = begin_as(&[desk], Marks::Assignee, slow(), |world, catalogs, config| {
        all_beside(world, catalogs, config, desk);
        if !tags {
            config.accounts.get_mut(desk).expect("an account").handoff.tags.clear();
        }
    })
    .await;
    let id = opened(&mut life, desk, Marks::Assignee).await;
    announce_to(&life, desk, &id, "k1", &json!({})).await;
    (life, id)
}

#[test]
fn who_takes_the_ticket_while_sources_are_asked_keeps_it() {
    for (desk, tags) in DESKS.into_iter().flat_map(|desk| [(desk, true), (desk, false)]) {
        crate::past::run(async {
            let (mut life, id) = announced(desk, tags).await;
            seconds(&mut life, 2).await;
            unheard(&mut life, desk, &id, Act::Give(Some("Tom"))).await;
            assert_eq!(briefings(&shown(&life, desk, &id)), 0, "{desk}: before the briefing");
            rest(&mut life).await;
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert_eq!(ticket.assignee.as_deref(), Some("Tom"), "{desk}, tags: {tags}");
            assert_eq!((record.state, briefings(&ticket)), (HandoffState::Delivered, 1), "{desk}");
            assert_eq!(ticket.tags.contains(&"ai_handoff".to_owned()), tags, "{desk}");
        });
    }
}

/// The stored write is older than what people did.
#[test]
fn who_takes_the_ticket_while_the_briefing_waits_keeps_it() {
    for desk in DESKS {
        crate::past::run(async {
            let (mut life, id) = announced(desk, false).await;
            life.tamper.refuse(|request| writes(request).0.then(|| refused(429, "120")));
            seconds(&mut life, 20).await;
            perform(&mut life, desk, &id, Act::Give(Some("Tom"))).await;
            seconds(&mut life, 20).await;
            assert_eq!(briefings(&shown(&life, desk, &id)), 0, "{desk}: it waits");
            life.tamper.mend();
            for _ in 0..4 {
                rest(&mut life).await;
            }
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert_eq!(ticket.assignee.as_deref(), Some("Tom"), "{desk}");
            assert_eq!((record.state, briefings(&ticket)), (HandoffState::Delivered, 1), "{desk}");
        });
    }
}

/// A note that is on its ticket is delivered, whatever becomes of what goes beside it.
#[test]
fn a_briefing_is_delivered_although_its_fields_have_to_wait() {
    for desk in [FRESHDESK, INTERCOM] {
        crate::past::run(async {
            let mut life = begin_as(&[desk], Marks::Assignee, Faults::none(), |world, catalogs, config| {
                all_beside(world, catalogs, config, desk);
            })
            .await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            life.tamper.refuse(|request| (writes(request) == (true, false)).then(|| refused(429, "30")));
            announce_to(&life, desk, &id, "k1", &json!({})).await;
            for _ in 0..6 {
                rest(&mut life).await;
            }
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert_eq!((record.state, briefings(&ticket)), (HandoffState::Delivered, 1), "{desk}");
            assert!(record.visible.is_some() && record.failure.is_none(), "{desk}: {:?}", record.failure);
            assert!(!ticket.tags.contains(&"ai_handoff".to_owned()), "{desk}: not yet");
            life.tamper.mend();
            for _ in 0..3 {
                rest(&mut life).await;
            }
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert!(ticket.tags.contains(&"ai_handoff".to_owned()), "{desk}: {:?}", ticket.tags);
            assert_ne!(ticket.assignee.as_deref(), Some("bot"), "{desk}: the AI agent lets go");
            assert!(ticket.custom.values().any(|value| value == "a person must decide"), "{desk}");
            assert_eq!((record.state, briefings(&ticket)), (HandoffState::Delivered, 1), "{desk}: once");
            assert_eq!((record.bare, record.place_key), (None, None), "{desk}");
        });
    }
}

/// The native change comes first, and what the AI agent wants after the briefing is there.
#[test]
fn what_the_ai_agent_asks_for_late_is_done_unless_people_have_the_ticket() {
    for (desk, taken) in DESKS.into_iter().flat_map(|desk| [(desk, false), (desk, true)]) {
        crate::past::run(async {
            let mut queue = None;
            let mut life = begin_as(&[desk], Marks::Assignee, Faults::none(), |_, catalogs, config| {
                queue = Some(people(config, desk, catalogs));
                let group = config.groups.get_mut("support").expect("a link group");
                group.agents.insert("mara".to_owned(), [(desk.to_owned(), mara(&catalogs[desk]))].into());
            })
            .await;
            let queue = queue.expect("a group of people");
            let id = opened(&mut life, desk, Marks::Assignee).await;
            perform(&mut life, desk, &id, Act::Give(taken.then_some("Tom"))).await;
            rest(&mut life).await;
            assert_eq!(briefings(&shown(&life, desk, &id)), 1, "{desk}: the briefing is there");
            let before = shown(&life, desk, &id).priority;
            let wanted = json!({ "queue": queue, "agent": "Mara", "priority": "urgent" });
            announce_to(&life, desk, &id, "k1", &wanted).await;
            rest(&mut life).await;
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            let owner = if taken { "Tom" } else { "Mara" };
            assert_eq!(ticket.assignee.as_deref(), Some(owner), "{desk}");
            assert_eq!(record.unassigned.is_some(), taken, "{desk}: an admin is told");
            if taken {
                assert_eq!(ticket.priority, before, "{desk}: people say how urgent it is");
            } else {
                assert_eq!(group_of(&life, desk, &id).await, Some(RemoteId::new(queue)), "{desk}");
                let urgent = ticket.custom.values().any(|value| value == "urgent");
                assert!(urgent || ticket.priority == Some(Priority::Urgent), "{desk}: {ticket:?}");
            }
        });
    }
}

#[test]
fn nobody_is_named_over_a_person_who_took_the_ticket() {
    for desk in DESKS {
        crate::past::run(async {
            let mut life = begin_as(&[desk], Marks::Assignee, slow(), |_, catalogs, config| {
                let group = config.groups.get_mut("support").expect("a link group");
                group.agents.insert("mara".to_owned(), [(desk.to_owned(), mara(&catalogs[desk]))].into());
            })
            .await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            announce_to(&life, desk, &id, "k1", &json!({ "agent": "mara" })).await;
            seconds(&mut life, 2).await;
            unheard(&mut life, desk, &id, Act::Give(Some("Tom"))).await;
            rest(&mut life).await;
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert_eq!(ticket.assignee.as_deref(), Some("Tom"), "{desk}");
            assert!(record.unassigned.is_some_and(|why| why.contains("somebody else")), "{desk}");
        });
    }
}

#[test]
fn an_agent_who_cannot_be_named_is_told_to_an_admin() {
    for (desk, agent) in DESKS.into_iter().flat_map(|desk| [(desk, "Zoe"), (desk, "99999999")]) {
        crate::past::run(async {
            let mut life = begin_as(&[desk], Marks::Assignee, Faults::none(), |_, _, _| ()).await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            announce_to(&life, desk, &id, "k1", &json!({ "agent": agent })).await;
            rest(&mut life).await;
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert_eq!((record.state, briefings(&ticket)), (HandoffState::Delivered, 1), "{desk}");
            assert!(record.unassigned.is_some(), "{desk}: {agent}");
        });
    }
}

/// The helpdesk does not take the holding message, a person answers, the helpdesk takes it.
#[test]
fn nobody_is_told_to_hold_after_a_person_answered() {
    for (desk, heard) in DESKS.into_iter().flat_map(|desk| [(desk, true), (desk, false)]) {
        crate::past::run(async {
            let source = Faults { answer_slow: 1_000, answer_slow_ms: 60_000..=60_000, ..Faults::none() };
            let mut life = begin_as(&[desk], Marks::Assignee, source, |_, _, config| {
                let group = config.groups.get_mut("support").expect("a link group");
                group.holding_message = Some(HOLDING.to_owned());
            })
            .await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            life.tamper.refuse(|request| writes(request).0.then(|| refused(429, "600")));
            announce_to(&life, desk, &id, "k1", &json!({})).await;
            seconds(&mut life, 4).await;
            match heard {
                true => perform(&mut life, desk, &id, Act::Reply("Mara")).await,
                false => unheard(&mut life, desk, &id, Act::Reply("Mara")).await,
            }
            seconds(&mut life, 20).await;
            life.tamper.mend();
            for _ in 0..9 {
                rest(&mut life).await;
            }
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert!(record.holding_key.is_some(), "{desk}: it was to be said");
            let said = ticket.comments.iter().filter(|comment| comment.text.contains(HOLDING)).count();
            assert_eq!(said, 0, "{desk}: heard {heard}, {:?}", record.state);
            assert_eq!(briefings(&ticket), 1, "{desk}: the briefing comes all the same");
        });
    }
}
