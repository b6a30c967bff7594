//! How many requests things cost. Numbers, not times: the fewest that the
//! vendor's API allows, so that a change that needs more is seen.

use std::collections::BTreeSet;

use handoffd_core::{Field, Fields, Mail, RemoteId, Timestamp, Value, intent::Amendment};

use super::{
    amend,
    bench::{ANN, Bench, NOW, Terms, anns, private, public, supplies, update, with_files},
    create::mirror,
};
use crate::contract::FeedStart;

/// Requests by what is done. A client that has seen the ticket in the feed, as the engine's has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// A pass over a feed with 50 changed tickets, by a client that was just opened.
    pub feed_of_50: u64,
    /// A pass over a feed without news.
    pub feed_of_none: u64,
    /// One ticket by id.
    pub fetch_1: u64,
    /// Fifty.
    pub fetch_50: u64,
    /// The comments of a ticket with three.
    pub comments_3: u64,
    /// The comments of a ticket with 120.
    pub comments_120: u64,
    /// Fields alone.
    pub fields: u64,
    /// Fields and a reply that is mailed.
    pub fields_and_reply: u64,
    /// Fields, all tags among them, and public words that are not mailed.
    pub fields_and_silent: u64,
    /// Words in the customer's name.
    pub customers_words: u64,
    /// A private note.
    pub note: u64,
    /// A new ticket with its opening, the author known.
    pub create: u64,
    /// Looking for a lost reply, found.
    pub find_reply: u64,
    /// Looking for a lost creation, found.
    pub find_create: u64,
    /// A person who is known.
    pub known_person: u64,
    /// A person who is not.
    pub new_person: u64,
    /// A private note with two files; 0 where there are no files.
    pub note_with_2_files: u64,
    /// One file of a comment that was listed.
    pub download: u64,
    /// Making a public message private; 0 where that cannot be done.
    pub hide: u64,
    /// Taking a message's content out; 0 where that cannot be done.
    pub redact: u64,
    /// A ticket with its past: the opening and two messages; 0 where there are no imports.
    pub import: u64,
    /// The history of the 50 tickets, to its end.
    pub history_of_50: u64,
    /// What mapping may name.
    pub catalog: u64,
}

struct Meter<'b> {
    bench: &'b Bench,
    before: u64,
}

impl<'b> Meter<'b> {
    fn start(bench: &'b Bench) -> Self {
        Self { bench, before: served(bench) }
    }

    /// Requests since the last look.
    fn read(&mut self) -> u64 {
        let now = served(self.bench);
        now - std::mem::replace(&mut self.before, now)
    }
}

fn served(bench: &Bench) -> u64 {
    bench.sim(|sim| sim.requests_served().values().sum())
}

async fn reading(bench: &Bench, tickets: &[RemoteId], long: &RemoteId, counted: &mut Requests) {
    let mut meter = Meter::start(bench);
    let mut cursors = Vec::new();
    for feed in bench.desk.feeds() {
        cursors.push((*feed, bench.read_feed(*feed, FeedStart::Since(NOW)).await.1));
    }
    counted.feed_of_50 = meter.read();
    for (feed, cursor) in cursors {
        bench.read_feed(feed, FeedStart::After(cursor)).await;
    }
    counted.feed_of_none = meter.read();
    bench.get(&tickets[0]).await;
    counted.fetch_1 = meter.read();
    bench.desk.fetch_many(bench.call(), tickets).await.unwrap();
    counted.fetch_50 = meter.read();
    assert_eq!(bench.comments(&tickets[0]).await.len(), 3);
    counted.comments_3 = meter.read();
    assert_eq!(bench.comments(long).await.len(), 120);
    counted.comments_120 = meter.read();
    super::history::read(bench, FeedStart::Since(Timestamp(0))).await;
    counted.history_of_50 = meter.read();
    bench.desk.catalog(bench.call()).await.unwrap();
    counted.catalog = meter.read();
}

/// Files, amendments and imports, where there are such.
async fn the_rest(bench: &Bench, ticket: &RemoteId, ann: &RemoteId, counted: &mut Requests) {
    let able = bench.desk.capabilities();
    let mut meter = Meter::start(bench);
    if able.attachments_max > 0 {
        let files: &[super::files::File<'_>] =
            &[("a.txt", "text/plain", b"one"), ("b.txt", "text/plain", b"two")];
        let note = update(ticket, Fields::new(), Some(with_files(private("Two files", None), files)), "l0-f");
        bench.try_apply(&note, None, &supplies(files)).await.unwrap();
        counted.note_with_2_files = meter.read();
        let comments = bench.comments(ticket).await;
        meter.read();
        bench.download(ticket, &comments.last().unwrap().attachments()[0]).await.unwrap();
        counted.download = meter.read();
    }
    for (at, (able, count, change)) in [
        (able.hides_messages, &mut counted.hide, amend::hide("Said")),
        (able.redacts_messages, &mut counted.redact, Amendment::Redact),
    ]
    .into_iter()
    .enumerate()
    {
        if able {
            bench.wait(2).await;
            let said = update(ticket, Fields::new(), Some(public("Said", Mail::Silent)), &format!("l1-{at}"));
            let comment = bench.apply(&said, None).await.comment.unwrap();
            bench.wait(2).await;
            meter.read();
            bench.apply(&amend::amend(ticket, &comment, change, &format!("l2-{at}")), None).await;
            *count = meter.read();
        }
    }
    if able.imports_history {
        meter.read();
        bench.apply(&super::history::past("l0-past"), Some(ann)).await;
        counted.import = meter.read();
    }
}

async fn writing(bench: &Bench, ticket: &RemoteId, counted: &mut Requests) {
    let mut meter = Meter::start(bench);
    let ann = bench.person("Ann", ANN).await;
    counted.known_person = meter.read();
    bench.person("Neo", "neo@example.test").await;
    counted.new_person = meter.read();
    let set = |subject: &str| {
        let tags = Value::Tags([subject.to_lowercase()].into());
        Fields::from([(Field::Subject, Value::subject(subject)), (Field::Tags, tags)])
    };
    let rows = [
        (&mut counted.fields, set("One"), None, None),
        (&mut counted.fields_and_reply, set("Two"), Some(public("A reply", Mail::Send)), None),
        (&mut counted.fields_and_silent, set("Three"), Some(public("Silent", Mail::Silent)), None),
        (&mut counted.customers_words, Fields::new(), Some(anns("Theirs")), Some(&ann)),
        (&mut counted.note, Fields::new(), Some(private("A note", None)), None),
    ];
    for (at, (count, set, message, author)) in rows.into_iter().enumerate() {
        bench.wait(2).await;
        bench.apply(&update(ticket, set, message, &format!("l0-{at}")), author).await;
        *count = meter.read();
    }
    let create = mirror("Ann", ANN, Some("Hello"), "l0-new");
    bench.apply(&create, Some(&ann)).await;
    counted.create = meter.read();
    let sent_at = bench.now();
    let reply = update(ticket, Fields::new(), Some(public("Lost", Mail::Send)), "l0-lost");
    bench.apply(&reply, None).await;
    meter.read();
    bench.find(&reply, sent_at, &BTreeSet::new(), None).await.unwrap().expect("the reply is there");
    counted.find_reply = meter.read();
    bench.find(&create, sent_at, &BTreeSet::new(), Some(&ann)).await.unwrap().expect("the ticket is there");
    counted.find_create = meter.read();
    the_rest(bench, ticket, &ann, counted).await;
}

/// As the vendor's line in the suite says.
pub async fn requests_are_the_fewest(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let tickets: Vec<RemoteId> = (0..49).map(|at| bench.ticket(&format!("Ticket {at}"))).collect();
    let long = bench.ticket("Long");
    for at in 1..120 {
        bench.say(&long, crate::sim::Who::Agent("Bo".to_owned()), &format!("Message {at}"), at % 2 == 0);
    }
    for public in [true, false] {
        bench.say(&tickets[0], crate::sim::Who::Agent("Bo".to_owned()), "Words", public);
    }
    bench.pass_blind_spot().await;
    let asked: Vec<RemoteId> = tickets.iter().chain([&long]).cloned().collect();
    let mut counted = Requests::default();
    reading(&bench, &asked, &long, &mut counted).await;
    writing(&bench, &tickets[1], &mut counted).await;
    println!("{} sends {counted:#?}", terms.name);
    assert_eq!(counted, terms.requests);
}
