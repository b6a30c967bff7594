//! What is parked is told for as long as it stands still, and no longer.

use std::{collections::BTreeSet, time::Duration};

use handoffd::{
    engine::{
        Engine,
        backfill::BackfillOrder,
        parked::{Order, OrderError, ParkedOrder},
    },
    store::{
        Commit, Seq, Store,
        tables::{self, BackfillPhase, PARKED, ParkedRow, link_writes, parked_key},
    },
};
use handoffd_connectors::sim::{HumanAct, Who};
use handoffd_core::{
    AccountId, LinkId, Priority, TicketKey, Timestamp,
    link::{Link, Origin, Place},
    unpark::{Cause, MAY_BE_THERE},
};

use crate::{
    past::{Past, run},
    world::{FRESHDESK, ZENDESK},
};

/// A conversation that both show, with an agent's reply.
async fn linked() -> (Past, TicketKey, TicketKey) {
    let mut past = Past::new(["unlimited", "unlimited"], None, 20);
    let said = [(Who::Agent("Mara".to_owned()), true)];
    let ticket = past.talk(ZENDESK, 0, "Parked", &said).await;
    rest(&mut past).await;
    let mirror = past.tickets(FRESHDESK)[0].id.clone();
    (past, TicketKey::new(ZENDESK, ticket), TicketKey::new(FRESHDESK, mirror))
}

/// An engine does what there is to do.
async fn rest(past: &mut Past) {
    let engine = past.engine(None).await;
    engine.start();
    past.sleep(Duration::from_secs(400)).await;
    engine.shutdown(Duration::from_secs(5)).await;
}

/// The conversation with something that stands still, as if a write to the mirror had failed.
async fn park(
    past: &Past,
    mirror: &TicketKey,
    name: &str,
    cause: Cause,
    change: impl Fn(&mut Link),
) -> LinkId {
    let id = tables::link_of(&*past.store, mirror).await.expect("rows").expect("a link");
    let stored = tables::read_link(&*past.store, &id).await.expect("rows").expect("a link");
    let mut link = stored.link.clone();
    change(&mut link);
    let row = ParkedRow {
        kind: "write".to_owned(),
        name: name.to_owned(),
        account: mirror.account.clone(),
        link: Some(id.clone()),
        reason: "refused".to_owned(),
        since: Timestamp(1),
        causes: Some(BTreeSet::from([cause])),
    };
    let mut writes = link_writes(Some(&stored.link), &link);
    writes.push(tables::put(PARKED, parked_key(&row), &row));
    past.store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
    id
}

/// The number of the agent's reply.
fn reply(link: &Link) -> u64 {
    let copies = link.copies.iter().filter(|(_, copy)| matches!(copy.origin, Origin::Comment(_)));
    *copies.map(|(number, _)| number).max().expect("a reply")
}

async fn park_reply(past: &Past, mirror: &TicketKey, reason: &str) {
    let id = tables::link_of(&*past.store, mirror).await.expect("rows").expect("a link");
    let stored = tables::read_link(&*past.store, &id).await.expect("rows").expect("a link");
    let number = reply(&stored.link);
    let cause = Cause::Comment { number, ticket: mirror.clone() };
    let place = Place::Parked(reason.to_owned());
    park(past, mirror, "l-7", cause, |link| {
        let copy = link.copies.get_mut(&number).expect("the reply");
        copy.places.insert(mirror.clone(), place.clone());
        link.sides.get_mut(mirror).expect("a side").comments_seen = None;
    })
    .await;
}

async fn park_side(past: &Past, mirror: &TicketKey) -> LinkId {
    park(past, mirror, "l-8", Cause::Side(mirror.clone()), |link| {
        link.sides.get_mut(mirror).expect("a side").parked = Some("refused".to_owned());
    })
    .await
}

async fn names(engine: &Engine) -> Vec<String> {
    engine.parked().await.expect("rows").into_iter().map(|one| one.id).collect()
}

fn touch(past: &Past, mirror: &TicketKey) {
    let act = HumanAct::SetPriority { ticket: mirror.id.clone(), priority: Some(Priority::Urgent) };
    past.act(FRESHDESK, act);
}

fn retry(id: &str) -> ParkedOrder {
    ParkedOrder { id: id.to_owned(), order: Order::Retry, send_again: false, join: None, alone: false }
}

#[test]
fn what_heals_by_itself_is_parked_no_more() {
    run(async {
        let (mut past, _, mirror) = linked().await;
        park_reply(&past, &mirror, MAY_BE_THERE).await;
        park_side(&past, &mirror).await;
        let engine = past.engine(None).await;
        assert_eq!(names(&engine).await, ["write/l-7", "write/l-8"]);
        touch(&past, &mirror);
        rest(&mut past).await;
        let engine = past.engine(None).await;
        assert_eq!(
            names(&engine).await,
            Vec::<String>::new(),
            "the reply stands there and the ticket changed"
        );
    });
}

#[test]
fn a_ticket_that_is_gone_leaves_nothing_parked() {
    run(async {
        let (mut past, _, mirror) = linked().await;
        park_side(&past, &mirror).await;
        past.act(FRESHDESK, HumanAct::Delete { ticket: mirror.id.clone() });
        let engine = past.engine(None).await;
        engine.start();
        past.sleep(Duration::from_secs(3 * 3_600)).await;
        assert_eq!(names(&engine).await, Vec::<String>::new());
        engine.shutdown(Duration::from_secs(5)).await;
    });
}

#[test]
fn a_retry_clears_what_it_moves_and_wakes_it_in_one_commit() {
    run(async {
        let (mut past, _, mirror) = linked().await;
        park_reply(&past, &mirror, "refused: too long").await;
        park_side(&past, &mirror).await;
        let engine = past.engine(None).await;
        assert!(engine.next_due().await.is_none_or(|due| due > past.clock.now()), "nothing is due");
        let Seq(before) = past.store.seq();
        engine.parked_order(&retry("write/l-8")).await.expect("an order");
        assert_eq!(past.store.seq(), Seq(before + 1), "a crash finds both or neither");
        assert!(engine.next_due().await.is_some_and(|due| due <= past.clock.now()), "it is looked at");
        assert_eq!(names(&engine).await, Vec::<String>::new(), "its sibling moves too");
    });
}

#[test]
fn a_retry_of_what_may_be_there_moves_nothing() {
    run(async {
        let (mut past, _, mirror) = linked().await;
        park_reply(&past, &mirror, MAY_BE_THERE).await;
        park_side(&past, &mirror).await;
        let engine = past.engine(None).await;
        let refused = engine.parked_order(&retry("write/l-7")).await;
        assert_eq!(refused, Err(OrderError::MayBeThere("write/l-7".to_owned(), 1)));
        assert_eq!(names(&engine).await, ["write/l-7", "write/l-8"]);
        engine.parked_order(&retry("write/l-8")).await.expect("an order");
        assert_eq!(names(&engine).await, ["write/l-7"], "it is not forgotten");
    });
}

#[test]
fn a_backfill_that_is_put_away_is_over() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        past.talk(ZENDESK, 0, "Old", &[]).await;
        past.sleep(Duration::from_secs(86_400)).await;
        let engine = past.engine(None).await;
        let order = BackfillOrder { accounts: Vec::new(), since: None, restart: false };
        engine.order_backfill(&order).await.expect("an order");
        for account in [ZENDESK, FRESHDESK] {
            let row = ParkedRow {
                kind: "backfill".to_owned(),
                name: account.to_owned(),
                account: AccountId::new(account),
                link: None,
                reason: "refused".to_owned(),
                since: Timestamp(1),
                causes: None,
            };
            let writes = vec![tables::put(PARKED, parked_key(&row), &row)];
            past.store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
            let id = format!("backfill/{account}");
            let order = ParkedOrder { id, order: Order::Drop, send_again: false, join: None, alone: false };
            let said = engine.parked_order(&order).await.expect("an order");
            assert!(said.contains("stays undone"), "{said}");
        }
        let before = past.served();
        engine.take_in_history().await.expect("nothing to do");
        assert_eq!(past.served(), before, "it is not begun again");
        let rows = engine.backfills().await.expect("rows");
        let over =
            rows.iter().all(|one| one.row.finished_at.is_some() && one.row.phase == BackfillPhase::Done);
        assert!(over && rows.len() == 2, "{rows:?}");
    });
}

#[test]
fn what_is_parked_for_a_reason_is_written_after_a_retry() {
    run(async {
        let (mut past, ticket, mirror) = linked().await;
        let text = "Another message, which is refused at first.".to_owned();
        let said =
            HumanAct::Say { ticket: ticket.id, who: Who::Agent("Mara".to_owned()), text, public: true };
        past.act(ZENDESK, said);
        park_side(&past, &mirror).await;
        rest(&mut past).await;
        let replies = |past: &Past| {
            let shown = past.tickets(FRESHDESK).into_iter().find(|one| one.id == mirror.id).expect("it");
            shown.comments.iter().filter(|one| one.text.contains("refused at first")).count()
        };
        assert_eq!(replies(&past), 0, "nothing is written while it is parked");
        let engine = past.engine(None).await;
        engine.parked_order(&retry("write/l-8")).await.expect("an order");
        rest(&mut past).await;
        assert_eq!(replies(&past), 1);
    });
}
