//! The past: read in bulk, and written with its times.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    Comment, CommentsSeen, Field, Fields, Mail, OpKey, RemoteId, Timestamp, Value,
    intent::{Create, Import, Imported, Intent},
};

use super::{
    bench::{ANN, Bench, Hits, NOW, Terms, anns, bo, private, public, supplies, with_files},
    create::mirror,
    files::FILES,
    lost::answers_lost,
};
use crate::{
    contract::{Cursor, Error, FeedRow, FeedStart},
    sim::{HumanAct, Who},
};

/// What a read of history gave.
#[derive(Debug, Default)]
pub struct Past {
    /// Every ticket that was told, and its comments if the row had them.
    pub tickets: BTreeMap<RemoteId, Option<Vec<Comment>>>,
    /// Comments beside rows, by ticket, in the order they came.
    pub comments: BTreeMap<RemoteId, Vec<Comment>>,
    /// Where each page ended.
    pub cursors: Vec<Cursor>,
    /// What the vendor said of their number.
    pub total: Option<u64>,
}

impl Past {
    /// A ticket's comments, if the pages told them.
    fn comments_of(&self, ticket: &RemoteId) -> Option<&Vec<Comment>> {
        self.tickets.get(ticket)?.as_ref().or_else(|| self.comments.get(ticket))
    }
}

/// History to its end.
pub async fn read(bench: &Bench, mut from: FeedStart) -> Past {
    let mut past = Past::default();
    for _ in 0..500 {
        let page = bench.desk.history(bench.call_of(36_000), from).await.unwrap();
        for row in page.rows {
            let FeedRow::Changed(row) = row else { continue };
            let comments = match row.comments {
                CommentsSeen::All(comments) => Some(comments),
                CommentsSeen::NotLooked => None,
            };
            past.tickets.insert(row.ticket.id, comments);
        }
        for (ticket, comment) in page.comments {
            past.comments.entry(ticket).or_default().push(comment);
        }
        past.total = past.total.or(page.total);
        past.cursors.push(page.next.clone());
        if !page.more {
            return past;
        }
        from = FeedStart::After(page.next);
    }
    panic!("history does not end")
}

/// A world with some past.
async fn lived_in(terms: &'static Terms) -> (Bench, Vec<RemoteId>) {
    let bench = Bench::with_small_pages(terms).await;
    let mut tickets = Vec::new();
    for at in 0..23 {
        let ticket =
            bench.ticket_of("Ann", &format!("ann{}@example.test", at % 5), &format!("T{at}"), "Hello");
        for more in 0..at % 4 {
            bench.wait(1).await;
            let who = if more % 2 == 0 { Who::Agent("Bo".to_owned()) } else { Who::Customer };
            bench.say(&ticket, who, &format!("Words {at} {more}"), more != 2);
        }
        tickets.push(ticket);
        bench.wait(3).await;
    }
    bench.pass_blind_spot().await;
    bench.wait(120).await;
    (bench, tickets)
}

/// What the pages tell is what the vendor lists.
pub async fn history_has_every_ticket_and_comment(terms: &'static Terms) {
    let (bench, tickets) = lived_in(terms).await;
    let past = read(&bench, FeedStart::Since(Timestamp(0))).await;
    assert_eq!(past.tickets.keys().collect::<BTreeSet<_>>(), tickets.iter().collect());
    assert!(past.total.is_none_or(|total| total == tickets.len() as u64), "{:?}", past.total);
    let told = tickets.iter().filter(|ticket| past.comments_of(ticket).is_some()).count();
    assert!(told == 0 || told == tickets.len(), "{told} of {} tickets with comments", tickets.len());
    let strays: Vec<_> = past.comments.keys().filter(|id| !tickets.contains(id)).collect();
    assert!(strays.is_empty(), "{strays:?}");
    for ticket in &tickets {
        let listed = bench.comments(ticket).await;
        if let Some(told) = past.comments_of(ticket) {
            assert_eq!(told, &listed, "of ticket {ticket}");
        }
    }
}

/// By a client that remembers nothing.
pub async fn history_goes_on_where_it_stopped(terms: &'static Terms) {
    let (mut bench, tickets) = lived_in(terms).await;
    let whole = read(&bench, FeedStart::Since(Timestamp(0))).await;
    let half = whole.cursors.len() / 2;
    let mut from = FeedStart::Since(Timestamp(0));
    let mut seen = BTreeSet::new();
    let mut comments = BTreeSet::new();
    for at in 0..=half {
        let page = bench.desk.history(bench.call_of(36_000), from).await.unwrap();
        seen.extend(page.rows.iter().filter_map(|row| match row {
            FeedRow::Changed(row) => Some(row.ticket.id.clone()),
            _ => None,
        }));
        comments.extend(page.comments.iter().map(|(ticket, comment)| (ticket.clone(), comment.id().clone())));
        assert!(page.more || at == half, "it ends where it ended before");
        from = FeedStart::After(page.next);
    }
    bench.reopen().await;
    let rest = read(&bench, from).await;
    seen.extend(rest.tickets.keys().cloned());
    assert_eq!(seen.into_iter().collect::<Vec<_>>().len(), tickets.len());
    let ids = |(ticket, list): (&RemoteId, &Vec<Comment>)| -> Vec<(RemoteId, RemoteId)> {
        list.iter().map(|comment| (ticket.clone(), comment.id().clone())).collect()
    };
    comments.extend(rest.comments.iter().flat_map(ids));
    assert_eq!(comments, whole.comments.iter().flat_map(ids).collect());
    let strange = bench.desk.history(bench.call(), FeedStart::After(Cursor("nonsense".to_owned()))).await;
    assert!(matches!(strange, Err(Error::CursorRefused { .. })), "{strange:?}");
}

/// A year ago.
fn then(minutes: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() - 365 * 86_400 + minutes * 60)
}

/// A ticket with its past.
pub fn past(op: &str) -> Intent {
    let Intent::Create(create) = mirror("Ann", ANN, Some("It broke long ago"), op) else { panic!() };
    let mut ticket = create.ticket;
    ticket.fields = Fields::from([
        (Field::Subject, Value::subject("Long ago")),
        (Field::Tags, Value::Tags(["old".to_owned()].into())),
    ]);
    let one = |message, minutes, number| Imported { message, at: then(minutes), number, author: None };
    ticket.import = Some(Import {
        created_at: then(0),
        opening_at: then(0),
        messages: vec![
            one(public("Use water", Mail::Silent), 10, 1),
            one(private("A hard one", Some(bo())), 11, 2),
            one(anns("Thanks"), 12, 3),
        ],
    });
    Intent::Create(Create { ticket, key: OpKey::from(op), at: create.at })
}

/// With its times; nobody is mailed and nothing rings.
pub async fn a_past_is_imported(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ann = bench.person("Ann", ANN).await;
    let Intent::Create(mut create) = past("l0-past") else { panic!() };
    let last = create.ticket.import.as_mut().and_then(|import| import.messages.last_mut());
    last.expect("a past").author = Some(ann.clone());
    let intent = Intent::Create(create);
    let done = bench.try_apply(&intent, Some(&ann), &[]).await;
    if !bench.desk.capabilities().imports_history {
        assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
        assert!(bench.sim(|sim| sim.tickets().is_empty()));
        return;
    }
    let made = done.unwrap();
    bench.wait(60).await;
    assert_eq!(bench.mails(), 0);
    let shown = bench.shown(&made.ticket.id);
    assert_eq!((shown.subject.as_str(), shown.created_at), ("Long ago", then(0)));
    assert_eq!(shown.tags, ["old"]);
    let said: Vec<(&str, bool, bool, Timestamp)> =
        shown.comments.iter().map(|one| (one.text.as_str(), one.public, one.by_customer, one.at)).collect();
    let expected = [
        ("It broke long ago", true, true, then(0)),
        ("Use water", true, false, then(10)),
        ("A hard one", false, false, then(11)),
        ("Thanks", true, true, then(12)),
    ];
    assert_eq!(said, expected);
    let ids: Vec<&RemoteId> = shown.comments.iter().map(|one| &one.id).collect();
    assert_eq!(made.comment.as_ref(), Some(ids[0]));
    let told: Vec<&RemoteId> = made.imported.iter().collect();
    assert!(told.is_empty() || told == ids[1..], "{told:?}");
    let read = bench.comments(&made.ticket.id).await;
    assert_eq!(read.iter().map(Comment::at).collect::<Vec<_>>(), expected.map(|row| row.3));
    assert_eq!(bench.get(&made.ticket.id).await.marker, Some(OpKey::from("l0-past")));
}

/// Everybody who is known there is who they are, and every message has its files.
pub async fn a_past_keeps_authors_and_files(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ann = bench.person("Ann", ANN).await;
    let seen = bench.ticket("Seen");
    let said = |who: &str| HumanAct::Say {
        ticket: seen.clone(),
        who: Who::Agent(who.to_owned()),
        text: format!("{who} was here"),
        public: false,
    };
    bench.wait(2).await;
    bench.human(said("Bo"));
    let bo = bench.comments(&seen).await.last().and_then(|one| one.author().id.clone());
    assert!(bo.is_some(), "agents have ids");
    let Intent::Create(mut create) = past("l0-past") else { panic!() };
    let import = create.ticket.import.as_mut().expect("a past");
    let of_each = [(bo, &FILES[..1]), (None, &FILES[1..]), (Some(ann.clone()), &[])];
    for (said, (author, files)) in import.messages.iter_mut().zip(of_each) {
        said.author = author;
        said.message = with_files(said.message.clone(), files);
    }
    let intent = Intent::Create(create);
    let done = bench.try_apply(&intent, Some(&ann), &supplies(&FILES)).await;
    if !bench.desk.capabilities().imports_history {
        assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
        return;
    }
    let made = done.unwrap();
    let shown = bench.shown(&made.ticket.id);
    let by: Vec<&str> = shown.comments.iter().map(|one| one.author.as_str()).collect();
    assert_eq!((by[0], by[1], by[3]), ("Ann", "Bo", "Ann"));
    assert!(!["Ann", "Bo"].contains(&by[2]), "who is not known there is our own user: {by:?}");
    let names: Vec<Vec<&str>> =
        shown.comments.iter().map(|one| one.files.iter().map(|file| file.name.as_str()).collect()).collect();
    assert_eq!(names, [vec![], vec![FILES[0].0], vec![FILES[1].0], vec![]]);
    assert_eq!(shown.comments[2].files[0].bytes, FILES[1].2);
    assert_eq!(bench.mails(), 0);
}

/// And not made twice.
pub async fn a_lost_import_is_found(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ann = bench.person("Ann", ANN).await;
    if !bench.desk.capabilities().imports_history {
        let done = bench.try_apply(&past("l0-past"), Some(&ann), &[]).await;
        assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
        return;
    }
    let intent = past("l0-past");
    let sent_at = bench.now();
    bench.net.trouble(Some((Hits::EveryWrite, answers_lost())));
    let done = bench.desk.apply(bench.call_of(120), &intent, Some(&ann), &[]).await;
    bench.net.trouble(None);
    assert!(matches!(done, Err(Error::Unknown { .. })), "{done:?}");
    bench.wait(60).await;
    assert_eq!(bench.sim(|sim| sim.tickets().len()), 1, "an import is never sent twice blindly");
    let found = bench.find(&intent, sent_at, &BTreeSet::new(), Some(&ann)).await.unwrap();
    let found = found.expect("it is there");
    let shown = bench.shown(&found.ticket.id);
    assert_eq!(found.comment.as_ref(), Some(&shown.comments[0].id));
    assert_eq!(bench.mails(), 0);
}
