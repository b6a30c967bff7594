//! What becomes of messages and tickets later: hidden, redacted, rewritten,
//! deleted, merged, rated, closed.

use handoffd_core::{
    Body, Comment, Fetched, Field, Fields, Mail, OpKey, PrivateMessage, PrivateText, RemoteId, Status, Value,
    intent::{Amend, Amendment, Delete, Intent},
};

use super::{
    bench::{
        ANN, Bench, Cannot, NOW, Terms, account, bo, key, private, public, supplies, update, with_files,
    },
    create::{author, mirror},
    files::FILES,
};
use crate::{
    contract::{Error, FeedRow, FeedStart},
    sim::{HumanAct, Who},
};

/// An amendment as an intent.
pub fn amend(ticket: &RemoteId, comment: &RemoteId, change: Amendment, op: &str) -> Intent {
    Intent::Amend(Amend { at: key(ticket), comment: comment.clone(), change, key: OpKey::from(op) })
}

/// The message with this text is to be private.
pub fn hide(text: &str) -> Amendment {
    Amendment::Hide(PrivateMessage {
        author: Some(bo()),
        text: PrivateText::new(Body::inline(text)),
        attachments: Vec::new(),
    })
}

/// A ticket with a public message of ours.
async fn said(bench: &Bench, text: &str) -> (RemoteId, RemoteId) {
    let ticket = bench.ticket("Hello");
    bench.wait(2).await;
    let intent = update(&ticket, Fields::new(), Some(public(text, Mail::Silent)), "l0-1");
    let comment = bench.apply(&intent, None).await.comment.unwrap();
    bench.wait(2).await;
    (ticket, comment)
}

/// Everything is as it was, and the refusal is for good.
fn assert_refused<T: std::fmt::Debug>(done: &Result<T, Error>) {
    assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
}

/// The customer sees it no more; agents do.
pub async fn a_message_is_hidden(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (ticket, comment) = said(&bench, "Not for you").await;
    let before = bench.shown(&ticket);
    let intent = amend(&ticket, &comment, hide("Not for you"), "l0-2");
    let done = bench.try_apply(&intent, None, &[]).await;
    if !bench.desk.capabilities().hides_messages {
        assert_refused(&done);
        assert_eq!(bench.shown(&ticket), before);
        return;
    }
    let done = done.unwrap();
    let now = done.comment.unwrap_or(comment);
    let read = bench.comments(&ticket).await;
    let with_words =
        |comment: &&Comment| comment.body().text().is_some_and(|text| text.contains("Not for you"));
    let found: Vec<&Comment> = read.iter().filter(with_words).collect();
    assert!(matches!(&found[..], [Comment::Private(only)] if only.id == now), "{found:?}");
    let shown = bench.shown(&ticket);
    assert!(!shown.comments.iter().any(|one| one.public && one.text.contains("Not for you")));
    let version = bench.get(&ticket).await.version;
    assert_eq!(done.version.unwrap_or(version), version);
    // Once more changes nothing: a lost answer may be asked for again.
    bench.wait(2).await;
    bench.apply(&amend(&ticket, &now, hide("Not for you"), "l0-3"), None).await;
    assert_eq!(bench.shown(&ticket).comments.len(), shown.comments.len());
    assert_eq!(bench.mails(), 0);
}

/// Neither text nor files are left.
pub async fn a_message_is_redacted(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.wait(2).await;
    let able = bench.desk.capabilities();
    let files = if able.attachments_max > 0 { &FILES[..1] } else { &[] };
    let secret = "My card is 4242-4242\n\nplease <b>forget</b> it";
    let message = with_files(public(secret, Mail::Silent), files);
    let intent = update(&ticket, Fields::new(), Some(message), "l0-1");
    let comment = bench.try_apply(&intent, None, &supplies(files)).await.unwrap().comment.unwrap();
    bench.wait(2).await;
    let before = bench.shown(&ticket);
    let intent = amend(&ticket, &comment, Amendment::Redact, "l0-2");
    let done = bench.try_apply(&intent, None, &[]).await;
    if !able.redacts_messages {
        assert_refused(&done);
        assert_eq!(bench.shown(&ticket), before);
        return;
    }
    let now = done.unwrap().comment.unwrap_or(comment);
    let shown = bench.shown(&ticket);
    let redacted = shown.comments.iter().find(|one| one.id == now);
    if let Some(one) = redacted {
        assert!(!one.text.contains("4242") && !one.html.contains("forget"), "{}", one.text);
        assert!(!one.files.iter().any(|file| file.bytes == FILES[0].2), "the file is still there");
    }
    let read = bench.comments(&ticket).await;
    for one in read.iter().filter(|one| *one.id() == now) {
        assert!(one.is_redacted(), "{one:?}");
        assert!(!one.body().text().unwrap().contains("4242"));
    }
    assert!(read.iter().all(|one| !one.is_redacted() || *one.id() == now), "the others are untouched");
}

/// Or the refusal is clear.
pub async fn a_message_is_rewritten(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.wait(2).await;
    let note = update(&ticket, Fields::new(), Some(private("First words", Some(bo()))), "l0-1");
    let comment = bench.apply(&note, None).await.comment.unwrap();
    bench.wait(2).await;
    let before = bench.shown(&ticket);
    let change = Amendment::Rewrite(private("Second words", Some(bo())));
    let done = bench.try_apply(&amend(&ticket, &comment, change, "l0-2"), None, &[]).await;
    let shown = bench.shown(&ticket);
    if !bench.desk.capabilities().rewrites_messages {
        assert_refused(&done);
        assert_eq!(shown, before);
        return;
    }
    let now = done.unwrap().comment.unwrap_or(comment);
    let read = bench.comments(&ticket).await;
    let found = read.iter().find(|one| *one.id() == now).expect("it is still there");
    assert_eq!((found.body().text(), found.is_public()), (Some("Second words"), false));
    assert!(!shown.comments.iter().any(|one| one.text.contains("First words")));
}

/// Hidden, redacted and rewritten by people, where people can.
pub async fn what_people_do_to_messages_is_seen(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    for text in ["To hide", "To redact", "To rewrite"] {
        bench.wait(2).await;
        bench.say(&ticket, Who::Agent("Bo".to_owned()), text, true);
    }
    let comments = bench.comments(&ticket).await;
    let able = bench.desk.capabilities();
    let ids: Vec<RemoteId> = comments[1..].iter().map(|comment| comment.id().clone()).collect();
    let (at, text) = (ticket.clone(), "Other words".to_owned());
    let acts = [
        (able.hides_messages, HumanAct::Hide { ticket: at.clone(), comment: ids[0].clone() }),
        (able.redacts_messages, HumanAct::Redact { ticket: at.clone(), comment: ids[1].clone() }),
        (able.rewrites_messages, HumanAct::Edit { ticket: at, comment: ids[2].clone(), text }),
    ];
    for (number, (we_can, act)) in acts.into_iter().enumerate() {
        bench.wait(2).await;
        let before = bench.get(&ticket).await.version;
        if let Err(why) = bench.world.human(&account(), act) {
            // People may be able to do less than we are, or this to notes alone.
            assert!(!why.is_empty() && bench.get(&ticket).await.version == before, "{we_can}: {why}");
            continue;
        }
        let read = bench.comments(&ticket).await;
        let one = read.iter().find(|one| *one.id() == ids[number]);
        match number {
            0 => assert!(one.is_some_and(|one| !one.is_public()), "{one:?}"),
            1 => assert!(
                one.is_none_or(|one| one.is_redacted() && one.body().text() != Some("To redact")),
                "{one:?}"
            ),
            _ => assert_eq!(one.and_then(|one| one.body().text()), Some("Other words")),
        }
        let after = bench.get(&ticket).await.version;
        assert!(after > before, "an act of people moves the version, so that somebody looks");
    }
}

/// For good as far as the customer can see.
pub async fn a_ticket_is_deleted(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let other = bench.ticket("Other");
    let intent = Intent::Delete(Delete { at: key(&ticket), key: OpKey::from("l0-1") });
    let done = bench.try_apply(&intent, None, &[]).await;
    if !bench.desk.capabilities().deletes {
        assert_refused(&done);
        assert!(!bench.shown(&ticket).deleted);
        return;
    }
    assert_eq!(done.unwrap().ticket, key(&ticket));
    let gone = bench.desk.fetch_many(bench.call(), std::slice::from_ref(&ticket)).await.unwrap();
    assert_eq!(gone, [Fetched::Gone(key(&ticket))]);
    assert!(bench.sim(|sim| sim.tickets().into_iter().all(|one| one.deleted == (one.id == ticket))));
    assert!(!bench.shown(&other).deleted);
    // Nothing is left to delete: that is as good.
    let again = bench.try_apply(&intent, None, &[]).await;
    assert!(matches!(&again, Err(Error::Gone)) || again.is_ok(), "{again:?}");
    assert_eq!(bench.mails(), 0);
}

/// By id and in the feeds.
pub async fn spam_is_gone(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Buy now");
    bench.wait(2).await;
    if bench.world.human(&account(), HumanAct::Spam { ticket: ticket.clone() }).is_err() {
        assert!(!bench.shown(&ticket).deleted, "who refuses does nothing");
        return;
    }
    let gone = bench.desk.fetch_many(bench.call(), std::slice::from_ref(&ticket)).await.unwrap();
    assert_eq!(gone, [Fetched::Gone(key(&ticket))]);
    assert!(rows(&bench).await.iter().any(|row| matches!(row, FeedRow::Gone(at) if at.id == ticket)));
}

/// Every row of every feed.
async fn rows(bench: &Bench) -> Vec<FeedRow> {
    bench.pass_blind_spot().await;
    let mut rows = Vec::new();
    for feed in bench.desk.feeds() {
        rows.extend(bench.read_feed(*feed, FeedStart::Since(NOW)).await.0);
    }
    rows
}

/// To the ticket that has the conversation now; or, where the vendor does not tell, it is over.
pub async fn a_merged_ticket_is_followed(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (from, to) = (bench.ticket("First"), bench.ticket("Second"));
    bench.wait(2).await;
    let act = HumanAct::Merge { ticket: from.clone(), into: to.clone() };
    if bench.world.human(&account(), act).is_err() {
        assert!(!terms.tells_merges && bench.shown(&from).merged_into.is_none());
        return;
    }
    assert_eq!(bench.shown(&from).merged_into, Some(to.clone()));
    let fetched = bench.desk.fetch_many(bench.call(), &[to.clone(), from.clone()]).await.unwrap();
    assert!(matches!(&fetched[0], Fetched::Shown(shown) if shown.ticket.id == to), "{fetched:?}");
    let rows = rows(&bench).await;
    if terms.tells_merges {
        assert_eq!(fetched[1], Fetched::MovedTo { from: key(&from), to: key(&to) });
        let moved = |row: &FeedRow| matches!(row, FeedRow::Moved { from: a, to: b } if *a == key(&from) && *b == key(&to));
        assert!(rows.iter().any(moved), "{rows:?}");
    } else {
        let over = |shown: &handoffd_core::Observed| {
            let status = shown.fields.get(&Field::Status).and_then(Value::as_status);
            matches!(status, Some(Status::Solved | Status::Closed))
        };
        let followed = Fetched::MovedTo { from: key(&from), to: key(&to) };
        let is_over = matches!(&fetched[1], Fetched::Shown(shown) if over(shown));
        assert!(is_over || fetched[1] == followed, "{fetched:?}");
    }
}

/// With the ticket or by itself.
pub async fn a_rating_is_read(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    for (percent, words) in [(100, Some("Great!")), (0, None)] {
        let ticket = bench.ticket("Hello");
        assert_eq!(bench.get(&ticket).await.rating, None, "nobody said anything");
        bench.wait(2).await;
        bench.say(&ticket, Who::Agent("Bo".to_owned()), "Done", true);
        bench.human(HumanAct::SetStatus { ticket: ticket.clone(), status: Status::Solved });
        bench.wait(2).await;
        let act = HumanAct::Rate { ticket: ticket.clone(), percent, comment: words.map(str::to_owned) };
        if let Err(why) = bench.world.human(&account(), act) {
            panic!("every helpdesk has ratings: {why}");
        }
        let told = rows(&bench).await.into_iter().find_map(|row| match row {
            FeedRow::Rated { ticket: at, rating } if at.id == ticket => Some(rating),
            _ => None,
        });
        let rating = bench.get(&ticket).await.rating.or(told);
        if !terms.can(Cannot::TellRatings) {
            assert_eq!(rating, None);
            continue;
        }
        let rating = rating.expect("a rating");
        assert_eq!((rating.percent, rating.comment.as_deref()), (percent, words));
        assert!(!rating.label.is_empty());
    }
}

/// Where closed is for good, a new ticket goes on; elsewhere a closed ticket takes words.
pub async fn a_closed_ticket_is_followed_up(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.wait(2).await;
    let close = |status| HumanAct::SetStatus { ticket: ticket.clone(), status };
    // Where solved and closed are one, solved is as closed as it gets.
    if bench.world.human(&account(), close(Status::Closed)).is_err() {
        bench.human(close(Status::Solved));
    }
    bench.wait(2).await;
    let writes = [
        update(&ticket, Fields::new(), Some(private("A note", None)), "l0-1"),
        update(&ticket, Fields::new(), Some(public("Words", Mail::Silent)), "l0-2"),
        update(&ticket, Fields::from([(Field::Subject, Value::subject("Other"))]), None, "l0-3"),
    ];
    if !bench.desk.capabilities().follows_up {
        for write in &writes {
            bench.apply(write, None).await;
        }
        assert_eq!(bench.shown(&ticket).comments.len(), 3);
        return;
    }
    for write in &writes {
        let done = bench.try_apply(write, None, &[]).await;
        assert!(matches!(done, Err(Error::Closed)), "{done:?}");
    }
    assert_eq!(bench.shown(&ticket).comments.len(), 1);
    let mut intent = mirror("Ann", ANN, Some("It broke again"), "l0-new");
    let Intent::Create(create) = &mut intent else { panic!() };
    create.ticket.follows = Some(ticket.clone());
    let author = author(&bench, &intent).await;
    let made = bench.apply(&intent, author.as_ref()).await.ticket.id;
    assert_eq!(bench.shown(&made).follows, Some(ticket.clone()));
    let seen = bench.get(&made).await;
    assert_eq!(seen.follows, Some(ticket));
    let Intent::Create(create) = &intent else { panic!() };
    for (field, value) in bench.desk.normalize(&create.ticket.fields) {
        assert_eq!(seen.fields.get(&field), Some(&value), "{field}");
    }
    assert_eq!(bench.mails(), 0);
}
