//! Making tickets and people.

use std::collections::BTreeSet;

use handoffd_core::{
    Comment, Field, Fields, Mail, OpKey, Person, Priority, RemoteId, Status, Value,
    intent::{Applied, Create, Intent, NewTicket},
};

use super::bench::{ANN, Bench, Terms, account, public_by};

/// A mirror for this customer.
pub fn mirror(name: &str, email: &str, opening: Option<&str>, op: &str) -> Intent {
    let requester = Person::customer(name, email);
    let opening = opening.map(|text| public_by(requester.clone(), text, Mail::Silent));
    let fields = Fields::from([
        (Field::Subject, Value::subject("Cannot sign in")),
        (Field::Status, Value::Status(Status::Pending)),
        (Field::Priority, Value::Priority(Some(Priority::High))),
        (Field::Tags, Value::Tags(["vip".to_owned(), "billing".to_owned()].into())),
    ]);
    let ticket = NewTicket { requester, opening, fields, follows: None, import: None };
    Intent::Create(Create { at: account(), ticket, key: OpKey::from(op) })
}

/// The opening's author, where the vendor wants to be told.
pub async fn author(bench: &Bench, intent: &Intent) -> Option<RemoteId> {
    let Intent::Create(create) = intent else { return None };
    if !bench.desk.capabilities().creates_as_author {
        return None;
    }
    Some(bench.desk.ensure_person(bench.call(), &create.ticket.requester).await.unwrap())
}

async fn make(bench: &Bench, intent: &Intent) -> Applied {
    let author = author(bench, intent).await;
    bench.apply(intent, author.as_ref()).await
}

/// All of it, by one intent.
pub async fn a_mirror_has_everything_and_mails_nobody(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let text = "Hello,\n\nit is <b>broken</b>";
    let intent = mirror("Ann Onym", "Ann.Onym@Example.test", Some(text), "l0-new");
    let made = make(&bench, &intent).await;
    assert_eq!(made.ticket.account, account());
    let shown = bench.shown(&made.ticket.id);
    assert_eq!(shown.requester.to_lowercase(), "ann.onym@example.test");
    assert_eq!(shown.comments.len(), 1);
    assert!(shown.comments[0].public && shown.comments[0].by_customer);
    assert_eq!(bench.sim(|sim| sim.tickets().len()), 1);
    let fetched = bench.get(&made.ticket.id).await;
    assert_eq!(fetched.marker, Some(OpKey::from("l0-new")));
    assert_eq!(made.version.unwrap_or(fetched.version), fetched.version);
    let Intent::Create(create) = &intent else { panic!() };
    for (field, value) in terms.shown(bench.desk.normalize(&create.ticket.fields)) {
        assert_eq!(fetched.fields.get(&field), Some(&value), "{field}");
    }
    assert_eq!(shown.tags, ["billing", "vip"]);
    let requester = fetched.requester.unwrap();
    assert_eq!(requester.email_folded().as_deref(), Some("ann.onym@example.test"));
    let comments = bench.comments(&made.ticket.id).await;
    let [Comment::Public(opening)] = comments.as_slice() else { panic!("{comments:?}") };
    assert_eq!(Some(&opening.id), made.comment.as_ref());
    assert_eq!(opening.text.body().text(), Some(text));
    assert_eq!((opening.author.id.as_ref(), opening.mailed), (requester.id.as_ref(), false));
    bench.wait(60).await;
    assert_eq!(bench.mails(), 0);
    // A status that only creations have.
    let mut new = mirror("Ann", ANN, Some("Hello"), "l0-status");
    if let Intent::Create(create) = &mut new {
        create.ticket.fields.insert(Field::Status, Value::Status(Status::New));
        create.ticket.fields.insert(Field::Priority, Value::Priority(None));
    }
    let made = make(&bench, &new).await;
    let Intent::Create(create) = &new else { panic!() };
    let fetched = bench.get(&made.ticket.id).await;
    for (field, value) in terms.shown(bench.desk.normalize(&create.ticket.fields)) {
        assert_eq!(fetched.fields.get(&field), Some(&value), "{field}");
    }
}

/// By e-mail, however it is written.
pub async fn a_mirror_for_a_known_person_makes_no_second_one(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let theirs = bench.ticket("Hello");
    let known = bench.get(&theirs).await.requester.unwrap();
    bench.wait(2).await;
    for (at, email) in [ANN, "ANN@Example.TEST"].into_iter().enumerate() {
        let made = make(&bench, &mirror("Ann", email, Some("Hello"), &format!("l{at}-new"))).await;
        let requester = bench.get(&made.ticket.id).await.requester.unwrap();
        assert_eq!(requester.id, known.id, "{email}");
    }
    assert_eq!(bench.mails(), 0);
}

/// A conversation of internal notes stays internal.
pub async fn a_mirror_without_opening_shows_nothing_public(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let made = bench.apply(&mirror("Ann", ANN, None, "l0-new"), None).await;
    let comments = bench.comments(&made.ticket.id).await;
    assert!(!comments.iter().any(Comment::is_public), "{comments:?}");
    assert_eq!(bench.shown(&made.ticket.id).requester, ANN);
    bench.wait(60).await;
    assert_eq!(bench.mails(), 0);
}

/// By the vendor's own key, or because it is found.
pub async fn a_creation_is_done_once(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let intent = mirror("Ann", ANN, Some("Hello"), "l0-new");
    let sent_at = bench.now();
    let nothing = BTreeSet::new();
    let author = author(&bench, &intent).await;
    let found = bench.find(&intent, sent_at, &nothing, author.as_ref()).await.unwrap();
    assert_eq!(found, None, "it was not sent yet");
    let made = bench.apply(&intent, author.as_ref()).await;
    bench.wait(2).await;
    let found = bench.find(&intent, sent_at, &nothing, author.as_ref()).await.unwrap().expect("it is there");
    assert_eq!((&found.ticket, &found.comment), (&made.ticket, &made.comment));
    let other = mirror("Ann", ANN, Some("Hello"), "l0-other");
    assert_eq!(bench.find(&other, sent_at, &nothing, author.as_ref()).await.unwrap(), None, "another key");
    if terms.creates_once {
        let again = bench.apply(&intent, author.as_ref()).await;
        assert_eq!(again.ticket, made.ticket);
        assert_eq!(bench.sim(|sim| sim.tickets().len()), 1);
    }
}

/// Twice the same id.
pub async fn people_are_found_and_made(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let ann = bench.get(&ticket).await.requester.unwrap().id.unwrap();
    assert_eq!(bench.person("Ann", ANN).await, ann);
    assert_eq!(bench.person("", " ANN@example.TEST ").await, ann, "an address is one however it is written");
    let new = bench.person("Neo Ünï", "neo+1@example.test").await;
    assert_ne!(new, ann);
    assert_eq!(bench.person("Neo", "neo+1@example.test").await, new);
    let nameless = bench.person("", "nameless@example.test").await;
    assert!(nameless != new && nameless != ann);
    assert_eq!(bench.mails(), 0);
    let nobody = Person { email: None, ..Person::customer("Nobody", "") };
    let refused = bench.desk.ensure_person(bench.call(), &nobody).await;
    assert!(matches!(refused, Err(crate::contract::Error::Refused { .. })), "{refused:?}");
}
