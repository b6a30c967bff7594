//! Failures by what the caller may do.

use std::time::Duration;

use handoffd_core::{Field, Fields, Value};

use super::{
    bench::{Bench, Hits, Terms, private, update},
    lost::errors_after,
};
use crate::{
    contract::{Error, FeedRow, FeedStart},
    sim::{Who, faults::Faults},
};

fn throttled() -> Faults {
    Faults { throttled: 1_000, retry_after_secs: 30..=30, ..Faults::none() }
}

fn errors_before() -> Faults {
    Faults { error_before: 1_000, ..Faults::none() }
}

/// No waiting past the deadline, and no retry before the vendor's word.
pub async fn a_throttled_call_says_when(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let note = update(&ticket, Fields::new(), Some(private("Words", None)), "l0-1");
    for write in [false, true] {
        let started = bench.now();
        bench.net.trouble(Some((Hits::Every, throttled())));
        let error = if write {
            bench.desk.apply(bench.call_of(10), &note, None, &[]).await.unwrap_err()
        } else {
            bench.desk.fetch_many(bench.call_of(10), std::slice::from_ref(&ticket)).await.unwrap_err()
        };
        bench.net.trouble(None);
        let Error::Throttled { retry_at } = error else { panic!("{error}") };
        assert!(retry_at >= started.plus(Duration::from_secs(30)), "{retry_at}");
        assert!(bench.now() <= started.plus(Duration::from_secs(10)), "the caller has its answer in time");
        assert_eq!(bench.shown(&ticket).comments.len(), 1);
        bench.wait(120).await;
    }
}

/// A caller who has time gets what was asked for.
pub async fn a_throttled_call_waits_where_there_is_time(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let note = update(&ticket, Fields::new(), Some(private("Words", None)), "l0-1");
    let started = bench.now();
    bench.net.trouble(Some((Hits::Next, throttled())));
    bench.desk.fetch_many(bench.call_of(200), std::slice::from_ref(&ticket)).await.unwrap();
    assert!(bench.now() >= started.plus(Duration::from_secs(30)));
    bench.wait(120).await;
    let started = bench.now();
    bench.net.trouble(Some((Hits::NextWrite, throttled())));
    bench.desk.apply(bench.call_of(200), &note, None, &[]).await.unwrap();
    assert!(bench.now() >= started.plus(Duration::from_secs(30)));
    assert_eq!(bench.shown(&ticket).comments.len(), 2);
}

/// Reading twice does no harm.
pub async fn a_read_is_repeated(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.pass_blind_spot().await;
    let lost = Faults { lost: 1_000, ..Faults::none() };
    for faults in [errors_before(), errors_after(), lost] {
        bench.net.trouble(Some((Hits::Next, faults.clone())));
        bench.desk.fetch_many(bench.call_of(120), std::slice::from_ref(&ticket)).await.unwrap();
        bench.net.trouble(Some((Hits::Next, faults.clone())));
        assert_eq!(bench.desk.comments(bench.call_of(120), &ticket).await.unwrap().len(), 1);
        bench.net.trouble(Some((Hits::Next, faults.clone())));
        let from = FeedStart::Since(super::bench::NOW);
        let page = bench.desk.changes(bench.call_of(120), bench.desk.feeds()[0], from).await.unwrap();
        assert_eq!(page.rows.len(), 1);
        bench.net.trouble(Some((Hits::Every, faults)));
        let failed = bench.desk.fetch_many(bench.call_of(120), std::slice::from_ref(&ticket)).await;
        assert!(matches!(failed, Err(Error::Transient { .. })), "{failed:?}");
        bench.net.trouble(None);
    }
}

/// A message is never sent twice: who asks must look.
pub async fn a_write_without_an_answer_is_unknown(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    for (at, (faults, done)) in [(errors_before(), 0), (errors_after(), 1)].into_iter().enumerate() {
        let ticket = bench.ticket("Hello");
        let note = update(&ticket, Fields::new(), Some(private("Words", None)), &format!("l{at}-1"));
        bench.net.trouble(Some((Hits::NextWrite, faults)));
        let sent = bench.desk.apply(bench.call_of(120), &note, None, &[]).await;
        bench.net.trouble(None);
        assert!(matches!(sent, Err(Error::Unknown { .. })), "{sent:?}");
        assert_eq!(bench.shown(&ticket).comments.len(), 1 + done, "it is not sent again");
    }
}

/// A newer API says more.
pub async fn fields_nobody_knows_do_no_harm(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.say(&ticket, Who::Agent("Bo".to_owned()), "An answer", true);
    bench.pass_blind_spot().await;
    let (known, comments) = (bench.get(&ticket).await, bench.comments(&ticket).await);
    bench.net.add_fields(true);
    let seen = bench.get(&ticket).await;
    assert_eq!((seen.fields, seen.version, seen.requester), (known.fields, known.version, known.requester));
    assert_eq!(bench.comments(&ticket).await, comments);
    let (rows, _, _) = bench.read_feed(bench.desk.feeds()[0], FeedStart::Since(super::bench::NOW)).await;
    assert!(matches!(rows.as_slice(), [FeedRow::Changed(_)]), "{rows:?}");
    bench.apply(&update(&ticket, Fields::new(), Some(private("Words", None)), "l0-1"), None).await;
    assert_eq!(bench.desk.probe(bench.call()).await.unwrap().problems, []);
}

/// What was never sent is known not to have happened.
pub async fn a_refused_connection_is_no_unknown(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let note = update(&ticket, Fields::new(), Some(private("Words", None)), "l0-1");
    let refused = Faults { refused: 1_000, ..Faults::none() };
    bench.net.trouble(Some((Hits::EveryWrite, refused.clone())));
    let sent = bench.desk.apply(bench.call_of(120), &note, None, &[]).await;
    assert!(matches!(sent, Err(Error::Transient { .. })), "{sent:?}");
    assert_eq!(bench.shown(&ticket).comments.len(), 1);
    bench.net.trouble(Some((Hits::NextWrite, refused)));
    bench.desk.apply(bench.call_of(120), &note, None, &[]).await.unwrap();
    assert_eq!(bench.shown(&ticket).comments.len(), 2);
}

/// A read that cannot be understood is named, and a write that cannot is looked for.
pub async fn an_unreadable_answer_is_named(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.pass_blind_spot().await;
    for body in ["", "<html>hello</html>", "null", "7", "\"text\"", "{}", "{\"tickets\": 7}", "[[[["] {
        bench.net.garble(Some(body));
        let fetched = bench.desk.fetch_many(bench.call_of(60), std::slice::from_ref(&ticket)).await;
        assert!(matches!(fetched, Err(Error::Malformed { .. })), "{body:?}: {fetched:?}");
        let from = FeedStart::Since(super::bench::NOW);
        let page = bench.desk.changes(bench.call_of(60), bench.desk.feeds()[0], from).await;
        assert!(matches!(page, Err(Error::Malformed { .. })), "{body:?}: {page:?}");
        let comments = bench.desk.comments(bench.call_of(60), &ticket).await;
        assert!(matches!(comments, Err(Error::Malformed { .. })), "{body:?}: {comments:?}");
        let note = update(&ticket, Fields::new(), Some(private("Words", None)), "l0-1");
        let sent = bench.desk.apply(bench.call_of(60), &note, None, &[]).await;
        assert!(matches!(sent, Err(Error::Unknown { .. })), "{body:?}: {sent:?}");
        bench.net.garble(None);
        bench.wait(60).await;
    }
    let set = Fields::from([(Field::Subject, Value::subject("Ours"))]);
    bench.apply(&update(&ticket, set, None, "l0-2"), None).await;
}
