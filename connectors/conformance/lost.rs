//! Writes whose answer, or whose request, is lost.

use std::collections::BTreeSet;

use handoffd_core::{Field, Fields, Mail, Message, RemoteId, Status, Value, fold_text, intent::Intent};

use super::{
    bench::{ANN, Bench, Hits, Terms, anns, bo, private, public, update},
    create::{author as creator, mirror},
};
use crate::{
    contract::Error,
    sim::{Who, faults::Faults},
};

/// Every answer is lost on its way.
pub fn answers_lost() -> Faults {
    Faults { answer_lost: 1_000, ..Faults::none() }
}

/// Every request is lost on its way.
pub fn requests_lost() -> Faults {
    Faults { lost: 1_000, ..Faults::none() }
}

/// Every request gets a 5xx after it was done.
pub fn errors_after() -> Faults {
    Faults { error_after: 1_000, ..Faults::none() }
}

/// One ticket, and it is found.
pub async fn an_answer_to_a_creation_is_lost(terms: &'static Terms) {
    for hits in [Hits::NextWrite, Hits::EveryWrite] {
        for faults in [answers_lost(), errors_after()] {
            let bench = Bench::open(terms).await;
            let intent = mirror("Ann", ANN, Some("Hello"), "l0-new");
            let author = creator(&bench, &intent).await;
            let sent_at = bench.now();
            bench.net.trouble(Some((hits, faults)));
            let sent = bench.desk.apply(bench.call_of(120), &intent, author.as_ref(), &[]).await;
            bench.net.trouble(None);
            bench.wait(60).await;
            assert_eq!(bench.sim(|sim| sim.tickets().len()), 1);
            let made = match sent {
                // The vendor told the repetition what the first had made.
                Ok(made) if hits == Hits::NextWrite && terms.creates_once => made,
                Err(Error::Unknown { .. }) => {
                    let found =
                        bench.find(&intent, sent_at, &BTreeSet::new(), author.as_ref()).await.unwrap();
                    found.expect("it was made")
                }
                other => panic!("{other:?}"),
            };
            let shown = bench.shown(&made.ticket.id);
            assert_eq!(made.comment.as_ref(), Some(&shown.comments[0].id));
            assert_eq!((shown.tags, bench.mails()), (vec!["billing".to_owned(), "vip".to_owned()], 0));
        }
    }
}

/// Fields are set, or found to be.
pub async fn an_answer_to_fields_is_lost(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.wait(2).await;
    let set = Fields::from([
        (Field::Status, Value::Status(Status::Pending)),
        (Field::Subject, Value::subject("Ours")),
    ]);
    let intent = update(&ticket, set.clone(), None, "l0-1");
    let sent_at = bench.now();
    bench.net.trouble(Some((Hits::EveryWrite, answers_lost())));
    let sent = bench.desk.apply(bench.call_of(120), &intent, None, &[]).await;
    bench.net.trouble(None);
    assert!(matches!(sent, Err(Error::Unknown { .. })), "{sent:?}");
    let found = bench.find(&intent, sent_at, &BTreeSet::new(), None).await.unwrap().expect("it is there");
    assert_eq!((&found.ticket.id, found.comment), (&ticket, None));
    let shown = bench.get(&ticket).await;
    assert_eq!(found.version, Some(shown.version));
    for (field, value) in set {
        assert_eq!(shown.fields.get(&field), Some(&value));
    }
}

/// The answer is lost, the message is found, and it is there once.
async fn is_found(terms: &'static Terms, message: fn(&str) -> Message, by_ann: bool, mails: usize) {
    let set = Fields::from([(Field::Tags, Value::Tags(["along".to_owned()].into()))]);
    let text = "We <fixed> it &\n\nsend a new one";
    for (at, set) in [Fields::new(), set].into_iter().enumerate() {
        for faults in [answers_lost(), errors_after()] {
            for hits in [Hits::NextWrite, Hits::EveryWrite] {
                let bench = Bench::open(terms).await;
                let ticket = bench.ticket("Hello");
                let ann = bench.person("Ann", ANN).await;
                bench.say(&ticket, Who::Agent("Bo".to_owned()), "Another answer", true);
                let before = bench.mails();
                let claimed: BTreeSet<RemoteId> =
                    bench.comments(&ticket).await.iter().map(|comment| comment.id().clone()).collect();
                bench.wait(2).await;
                let author = by_ann.then_some(&ann);
                let intent = update(&ticket, set.clone(), Some(message(text)), &format!("l{at}-1"));
                let sent_at = bench.now();
                bench.net.trouble(Some((hits, faults.clone())));
                let sent = bench.desk.apply(bench.call_of(120), &intent, author, &[]).await;
                bench.net.trouble(None);
                assert!(matches!(sent, Err(Error::Unknown { .. })), "{sent:?}");
                bench.wait(20).await;
                let found =
                    bench.find(&intent, sent_at, &claimed, author).await.unwrap().expect("it is there");
                let shown = bench.shown(&ticket);
                let said = shown.comments.iter().filter(|c| fold_text(&c.text).contains("send a new one"));
                let said: Vec<_> = said.collect();
                assert_eq!(said.len(), 1, "it was said once");
                assert_eq!(found.comment.as_ref(), Some(&said[0].id));
                assert_eq!(bench.mails(), before + mails);
                let tags: Vec<String> = if set.is_empty() { Vec::new() } else { vec!["along".to_owned()] };
                assert_eq!(shown.tags, tags, "looking finishes the write");
            }
        }
    }
}

/// A reply that is mailed.
pub async fn an_answer_to_a_reply_is_lost(terms: &'static Terms) {
    is_found(terms, |text| public(text, Mail::Send), false, 1).await;
}

/// Public words that are not.
pub async fn an_answer_to_silent_words_is_lost(terms: &'static Terms) {
    is_found(terms, |text| public(text, Mail::Silent), false, 0).await;
}

/// Words in a customer's name.
pub async fn an_answer_to_a_customers_words_is_lost(terms: &'static Terms) {
    is_found(terms, anns, true, 0).await;
}

/// Private notes: a colleague's and our own.
pub async fn an_answer_to_a_note_is_lost(terms: &'static Terms) {
    is_found(terms, |text| private(text, Some(bo())), false, 0).await;
    is_found(terms, |text| private(text, None), false, 0).await;
}

/// The requests are lost: nothing is done, and nothing is found.
pub async fn what_never_arrived_is_not_found(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let ann = bench.person("Ann", ANN).await;
    let set = Fields::from([(Field::Status, Value::Status(Status::Pending))]);
    let rows: Vec<(Intent, Option<&RemoteId>)> = vec![
        (mirror("Ann", ANN, Some("Hello"), "l0-0"), Some(&ann)),
        (update(&ticket, set.clone(), None, "l0-1"), None),
        (update(&ticket, Fields::new(), Some(public("Words", Mail::Send)), "l0-2"), None),
        (update(&ticket, set, Some(public("Words", Mail::Silent)), "l0-3"), None),
        (update(&ticket, Fields::new(), Some(anns("Words")), "l0-4"), Some(&ann)),
        (update(&ticket, Fields::new(), Some(private("Words", None)), "l0-5"), None),
    ];
    let before = bench.sim(|sim| sim.tickets());
    for (intent, author) in rows {
        let sent_at = bench.now();
        bench.net.trouble(Some((Hits::EveryWrite, requests_lost())));
        let sent = bench.desk.apply(bench.call_of(300), &intent, author, &[]).await;
        bench.net.trouble(None);
        assert!(matches!(sent, Err(Error::Unknown { .. } | Error::Transient { .. })), "{intent:?} {sent:?}");
        let found = bench.find(&intent, sent_at, &BTreeSet::new(), author).await.unwrap();
        assert_eq!(found, None, "{intent:?}");
        assert_eq!(bench.sim(|sim| sim.tickets()), before, "looking writes nothing");
    }
    assert_eq!(bench.mails(), 0);
}

/// Equal text of others, and our own that is claimed, is not the lost message.
pub async fn what_is_accounted_for_is_not_found_again(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let text = "Please try again";
    let kinds: [(Message, bool); 3] = [
        (public(text, Mail::Send), true),
        (public(text, Mail::Silent), true),
        (private(text, Some(bo())), false),
    ];
    for (at, (message, is_public)) in kinds.into_iter().enumerate() {
        let ticket = bench.ticket("Hello");
        bench.wait(2).await;
        let sent_at = bench.now();
        let lost = update(&ticket, Fields::new(), Some(message.clone()), &format!("l{at}-lost"));
        // A colleague says the same, and a public text is said privately.
        bench.say(&ticket, Who::Agent("Bo".to_owned()), text, is_public);
        let turned = if is_public { private(text, Some(bo())) } else { public(text, Mail::Silent) };
        bench.apply(&update(&ticket, Fields::new(), Some(turned), &format!("l{at}-turned")), None).await;
        assert_eq!(bench.find(&lost, sent_at, &BTreeSet::new(), None).await.unwrap(), None, "{message:?}");
        // We said the same before, and know it.
        let first = update(&ticket, Fields::new(), Some(message.clone()), &format!("l{at}-first"));
        let first = bench.apply(&first, None).await.comment.unwrap();
        let claimed = BTreeSet::from([first]);
        assert_eq!(bench.find(&lost, sent_at, &claimed, None).await.unwrap(), None, "{message:?}");
        let made = bench.apply(&lost, None).await.comment;
        let found = bench.find(&lost, sent_at, &claimed, None).await.unwrap().expect("now it is there");
        assert_eq!(found.comment, made);
    }
}
