//! The feed, and tickets by id.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Fetched, Field, Observed, RemoteId, Timestamp, Value};

use super::bench::{Bench, Cannot, NOW, Terms, key};
use crate::{
    contract::{Cursor, Error, Feed, FeedRow, FeedStart},
    sim::{HumanAct, Who},
};

/// The newest view of each ticket among rows.
fn newest(rows: &[FeedRow]) -> BTreeMap<RemoteId, Observed> {
    let mut seen: BTreeMap<RemoteId, Observed> = BTreeMap::new();
    for row in rows {
        match row {
            FeedRow::Changed(observed) => {
                let old = seen.get(&observed.ticket.id);
                if old.is_none_or(|old| old.version <= observed.version) {
                    seen.insert(observed.ticket.id.clone(), (**observed).clone());
                }
            }
            FeedRow::Gone(_) | FeedRow::Moved { .. } | FeedRow::Rated { .. } => {}
            FeedRow::Unreadable { id, what } => panic!("{id:?}: {what}"),
        }
    }
    seen
}

/// The feed of changed tickets.
fn changed(bench: &Bench) -> Feed {
    bench.desk.feeds()[0]
}

async fn many(bench: &Bench, count: usize) -> BTreeSet<RemoteId> {
    let mut made = BTreeSet::new();
    for at in 0..count {
        made.insert(bench.ticket(&format!("Ticket {at}")));
        bench.wait(1).await;
    }
    made
}

fn ids(rows: &BTreeMap<RemoteId, Observed>) -> BTreeSet<RemoteId> {
    rows.keys().cloned().collect()
}

/// The client is dropped after each page, and a new one goes on.
pub async fn paging_resumes_at_every_page_boundary(terms: &'static Terms) {
    let mut bench = Bench::with_small_pages(terms).await;
    let made = many(&bench, terms.page_rows * 5 / 2).await;
    bench.pass_blind_spot().await;
    let (mut rows, mut from, mut pages) = (Vec::new(), FeedStart::Since(NOW), 0);
    loop {
        let page = bench.page(changed(&bench), from).await;
        rows.extend(page.rows);
        pages += 1;
        let saved = serde_json::to_string(&page.next).unwrap();
        from = FeedStart::After(serde_json::from_str(&saved).unwrap());
        bench.reopen().await;
        if !page.more {
            break;
        }
        assert!(pages < 50, "it does not end");
    }
    assert!(pages >= 3, "{pages} pages");
    assert_eq!(ids(&newest(&rows)), made);
}

/// Rows that change while pages are read move within the feed.
pub async fn edits_between_pages_skip_nothing(terms: &'static Terms) {
    let bench = Bench::with_small_pages(terms).await;
    let made: Vec<RemoteId> = many(&bench, terms.page_rows * 5 / 2).await.into_iter().collect();
    bench.pass_blind_spot().await;
    let (mut rows, mut from) = (Vec::new(), FeedStart::Since(NOW));
    for step in 0..50 {
        let page = bench.page(changed(&bench), from).await;
        rows.extend(page.rows);
        from = FeedStart::After(page.next);
        if !page.more {
            break;
        }
        // One that was read, and many that were not.
        let edited = made.iter().skip(step).step_by(4);
        for ticket in edited.take(terms.page_rows / 2) {
            let subject = format!("Edited at step {step}");
            bench.human(HumanAct::SetSubject { ticket: ticket.clone(), subject });
        }
        bench.wait(1).await;
    }
    bench.pass_blind_spot().await;
    rows.extend(bench.read_feed(changed(&bench), from).await.0);
    let seen = newest(&rows);
    assert_eq!(ids(&seen), made.iter().cloned().collect());
    for (ticket, observed) in seen {
        assert_eq!(
            observed.fields[&Field::Subject],
            Value::subject(&bench.shown(&ticket).subject),
            "{ticket}"
        );
    }
}

/// What a feed calls complete is complete, at any moment.
pub async fn what_the_blind_spot_hides_is_seen_later(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (mut from, mut rows, mut made) =
        (FeedStart::Since(NOW), Vec::new(), Vec::<(RemoteId, Timestamp)>::new());
    for at in 0..30 {
        made.push((bench.ticket(&format!("Ticket {at}")), bench.now()));
        let (more, next, until) = bench.read_feed(changed(&bench), from).await;
        assert!(until <= bench.now(), "nobody knows what comes");
        rows.extend(more);
        from = FeedStart::After(next);
        let seen = ids(&newest(&rows));
        for (ticket, at) in &made {
            assert!(
                *at >= until || seen.contains(ticket),
                "{ticket} of {at} is missing, complete until {until}"
            );
        }
        bench.wait(7).await;
    }
    bench.pass_blind_spot().await;
    rows.extend(bench.read_feed(changed(&bench), from).await.0);
    assert_eq!(ids(&newest(&rows)), made.into_iter().map(|(ticket, _)| ticket).collect());
}

/// A read in the middle of a second does not close it.
pub async fn changes_of_one_second_are_all_seen(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (mut from, mut rows, mut made) = (FeedStart::Since(NOW), Vec::new(), BTreeSet::new());
    for at in 0..4 {
        made.insert(bench.ticket(&format!("Ticket {at}")));
        let (more, next, _) = bench.read_feed(changed(&bench), from).await;
        rows.extend(more);
        from = FeedStart::After(next);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(bench.now().as_secs(), NOW.as_secs(), "it is one second");
    bench.pass_blind_spot().await;
    rows.extend(bench.read_feed(changed(&bench), from).await.0);
    assert_eq!(ids(&newest(&rows)), made);
}

/// A page boundary within a second.
pub async fn more_changes_in_a_second_than_a_page_holds(terms: &'static Terms) {
    let bench = Bench::with_small_pages(terms).await;
    let mut made = BTreeSet::new();
    for at in 0..terms.page_rows * 2 + 3 {
        made.insert(bench.ticket(&format!("Ticket {at}")));
    }
    bench.pass_blind_spot().await;
    let (rows, _, _) = bench.read_feed(changed(&bench), FeedStart::Since(NOW)).await;
    assert_eq!(ids(&newest(&rows)), made);
}

/// The same ticket, read in two ways.
pub async fn feed_rows_equal_fetched_tickets(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let plain = bench.ticket("Plain");
    let busy = bench.ticket("Busy");
    bench.wait(3).await;
    bench.say(&busy, Who::Agent("Bo".to_owned()), "Hello", true);
    bench.say(&busy, Who::Agent("Bo".to_owned()), "A note", false);
    let add = vec!["vip".to_owned(), "billing".to_owned()];
    bench.human(HumanAct::Tag { ticket: busy.clone(), add, remove: Vec::new() });
    bench.human(HumanAct::Assign { ticket: busy.clone(), to: Some(Who::Bot) });
    bench.pass_blind_spot().await;
    let (rows, _, _) = bench.read_feed(changed(&bench), FeedStart::Since(NOW)).await;
    let seen = newest(&rows);
    for ticket in [plain, busy] {
        let (row, fetched) = (&seen[&ticket], bench.get(&ticket).await);
        assert_eq!(row.version, fetched.version);
        assert_eq!(row.fields, fetched.fields);
        let held = bench.desk.capabilities().fields.iter().copied().filter(|field| terms.shows(*field));
        assert_eq!(row.fields.keys().copied().collect::<BTreeSet<_>>(), held.collect(), "each field is told");
        assert_eq!(row.requester, fetched.requester);
        assert_eq!((&row.marker, row.created_at), (&fetched.marker, fetched.created_at));
        assert!(row.requester.is_some(), "the requester comes at no further request");
    }
}

/// Told by a feed, and by fetching.
pub async fn a_deleted_ticket_is_gone(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (stays, goes) = (bench.ticket("Stays"), bench.ticket("Goes"));
    bench.pass_blind_spot().await;
    let mut cursors = Vec::new();
    for feed in bench.desk.feeds() {
        cursors.push(bench.read_feed(*feed, FeedStart::Since(NOW)).await.1);
    }
    bench.human(HumanAct::Delete { ticket: goes.clone() });
    bench.pass_blind_spot().await;
    let mut told = BTreeSet::new();
    for (feed, cursor) in bench.desk.feeds().iter().zip(cursors) {
        for row in bench.read_feed(*feed, FeedStart::After(cursor)).await.0 {
            match row {
                FeedRow::Gone(ticket) => drop(told.insert(ticket.id)),
                FeedRow::Changed(observed) => {
                    assert_ne!(observed.ticket.id, goes, "it is not shown as there")
                }
                FeedRow::Moved { .. } | FeedRow::Rated { .. } => {}
                FeedRow::Unreadable { what, .. } => panic!("{what}"),
            }
        }
    }
    let expected = terms.can(Cannot::TellDeletions).then(|| goes.clone());
    assert_eq!(told, expected.into_iter().collect());
    let fetched = bench.desk.fetch_many(bench.call(), &[goes.clone(), stays.clone()]).await.unwrap();
    assert_eq!(fetched[0], Fetched::Gone(key(&goes)));
    assert!(matches!(&fetched[1], Fetched::Shown(observed) if observed.ticket == key(&stays)));
    assert_eq!(bench.desk.comments(bench.call(), &goes).await.unwrap_err(), Error::Gone);
}

/// Whatever is asked for is answered in its place.
pub async fn fetching_many_keeps_order_and_length(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let made: Vec<RemoteId> = (0..7).map(|at| bench.ticket(&format!("Ticket {at}"))).collect();
    let unknown = RemoteId::from("987654321");
    let strange = RemoteId::from("../users/me");
    let asked = [&made[4], &unknown, &made[0], &made[6], &strange, &made[4], &made[1]].map(RemoteId::clone);
    assert_eq!(bench.desk.fetch_many(bench.call(), &[]).await.unwrap(), []);
    let asked_readable: Vec<RemoteId> = asked.iter().filter(|id| **id != strange).cloned().collect();
    let fetched = bench.desk.fetch_many(bench.call(), &asked_readable).await.unwrap();
    assert_eq!(fetched.len(), asked_readable.len());
    for (asked, fetched) in asked_readable.iter().zip(&fetched) {
        match fetched {
            Fetched::Shown(observed) => assert_eq!(observed.ticket, key(asked)),
            Fetched::Gone(gone) => assert_eq!((&gone.id, asked), (&unknown, &unknown)),
            Fetched::MovedTo { .. } => panic!("nothing was merged"),
        }
    }
    // An id that leads elsewhere is never asked for.
    match bench.desk.fetch_many(bench.call(), &[strange]).await {
        Ok(fetched) => assert!(matches!(fetched.as_slice(), [Fetched::Gone(_)]), "{fetched:?}"),
        Err(error) => assert!(matches!(error, Error::Refused { .. } | Error::Gone), "{error}"),
    }
}

/// A cursor that no feed of ours made.
pub async fn a_strange_cursor_is_refused(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    for feed in bench.desk.feeds() {
        for cursor in ["", "garbage", "{\"list\":7}", "after:", "after:%%%", "start:soon"] {
            let from = FeedStart::After(Cursor(cursor.to_owned()));
            let read = bench.desk.changes(bench.call_of(60), *feed, from).await;
            assert!(matches!(read, Err(Error::CursorRefused { .. })), "{cursor:?} in {}: {read:?}", feed.0);
        }
    }
}
