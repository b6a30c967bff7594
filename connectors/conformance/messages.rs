//! Writing and reading messages.

use handoffd_core::{
    Comment, Field, Fields, Mail, Message, OpKey, Person, PrivateMessage, RemoteId, Role, Status, Value,
    fold_text,
    intent::{EditNote, Intent},
};

use super::bench::{ANN, Bench, Cannot, Terms, anns, bo, key, private, public, public_by, update};
use crate::{contract::Error, sim::Who};

/// A message, whether its author is the customer, whether it is public, and whether it is mailed.
fn variants() -> Vec<(Message, bool, bool, bool)> {
    vec![
        (public("Public and silent", Mail::Silent), false, true, false),
        (public("Public and mailed", Mail::Send), false, true, true),
        (anns("The customer's"), true, true, false),
        (private("A colleague's note", Some(bo())), false, false, false),
        (private("Our own words", None), false, false, false),
    ]
}

/// Fields that may go along.
fn along() -> [Fields; 3] {
    let tags = Value::Tags(["along".to_owned()].into());
    [
        Fields::new(),
        Fields::from([(Field::Status, Value::Status(Status::Open))]),
        Fields::from([(Field::Subject, Value::subject("Along")), (Field::Tags, tags)]),
    ]
}

/// Whether the vendor shows a message as a note though it is public: then it says so in its first line.
fn is_noted(terms: &Terms, message: &Message) -> bool {
    let silent = matches!(message, Message::Public(public)
        if public.mail == Mail::Silent && public.author.role == Role::Agent);
    silent && !terms.can(Cannot::SaySilently)
}

/// By the name that they have there: agents, those who were hired since the first look too, and
/// customers beside the one who asked.
pub async fn everybody_is_named(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    for (name, public) in [("Bo", true), ("Cy", false)] {
        bench.wait(2).await;
        bench.say(&ticket, Who::Agent(name.to_owned()), &format!("Words of {name}"), public);
        let read = bench.comments(&ticket).await;
        let author = read.last().unwrap().author();
        assert!(author.name.contains(name) && author.role == Role::Agent, "{author:?}");
        assert!(author.email.as_ref().is_some_and(|email| email.contains('@')), "{author:?}");
    }
    let dee = bench.person("Dee", "dee@example.test").await;
    bench.wait(2).await;
    let words = public_by(Person::customer("Dee", "dee@example.test"), "Me too", Mail::Silent);
    let intent = update(&ticket, Fields::new(), Some(Message::Public(words)), "l0-1");
    if bench.try_apply(&intent, Some(&dee), &[]).await.is_ok() {
        let read = bench.comments(&ticket).await;
        let author = read.last().unwrap().author();
        assert_eq!((author.name.as_str(), author.role), ("Dee", Role::Customer));
    }
}

/// As people at the vendor see it.
pub async fn public_is_public_and_private_is_private(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ann = bench.person("Ann", ANN).await;
    for (at, (message, by_ann, is_public, _)) in variants().into_iter().enumerate() {
        for (with, set) in along().into_iter().enumerate() {
            let ticket = bench.ticket("Hello");
            bench.wait(2).await;
            let intent = update(&ticket, set.clone(), Some(message.clone()), &format!("l{at}-{with}"));
            let applied = bench.apply(&intent, by_ann.then_some(&ann)).await;
            let shown = bench.shown(&ticket);
            let last = shown.comments.last().unwrap();
            assert_eq!(shown.comments.len(), 2, "{message:?}");
            let shown_public = is_public && !is_noted(terms, &message);
            assert_eq!((last.public, last.by_customer), (shown_public, by_ann), "{message:?} with {set:?}");
            assert_eq!(applied.comment.as_ref(), Some(&last.id), "{message:?} with {set:?}");
            let fetched = bench.get(&ticket).await;
            for (field, value) in terms.shown(bench.desk.normalize(&set)) {
                assert_eq!(fetched.fields.get(&field), Some(&value), "{message:?}");
            }
            assert_eq!(shown.tags.is_empty(), !set.contains_key(&Field::Tags), "{message:?}");
        }
    }
}

/// To the requester, about that comment.
pub async fn mail_goes_out_once_or_never(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ann = bench.person("Ann", ANN).await;
    let others = bench.mails();
    assert_eq!(others, 0, "finding a person mails nobody");
    for (at, (message, by_ann, _, mailed)) in variants().into_iter().enumerate() {
        for (with, set) in along().into_iter().enumerate() {
            for known in [false, true] {
                let ticket = bench.ticket("Hello");
                if known {
                    bench.get(&ticket).await;
                }
                bench.wait(2).await;
                let before = bench.sim(|sim| sim.mails_sent().len());
                let intent =
                    update(&ticket, set.clone(), Some(message.clone()), &format!("l{at}-{with}-{known}"));
                let applied = bench.apply(&intent, by_ann.then_some(&ann)).await;
                bench.wait(2).await;
                let sent = bench.sim(|sim| sim.mails_sent()[before..].to_vec());
                assert_eq!(sent.len(), usize::from(mailed), "{message:?} with {set:?}: {sent:?}");
                for mail in sent {
                    assert_eq!(
                        (mail.to.as_str(), &mail.ticket, &mail.comment),
                        (ANN, &ticket, &applied.comment)
                    );
                }
            }
        }
    }
    // A silent message does not silence the ticket.
    let ticket = bench.ticket("Hello");
    bench.apply(&update(&ticket, Fields::new(), Some(public("Silent", Mail::Silent)), "l9-1"), None).await;
    let before = bench.mails();
    bench.say(&ticket, Who::Agent("Bo".to_owned()), "A reply of a person", true);
    assert_eq!(bench.mails(), before + 1);
}

/// Both at the vendor and when read.
pub async fn a_customers_words_are_shown_as_theirs(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let ann = bench.person("Ann", ANN).await;
    bench.wait(2).await;
    bench.apply(&update(&ticket, Fields::new(), Some(anns("Are you there?")), "l0-1"), Some(&ann)).await;
    let shown = bench.shown(&ticket);
    assert!(shown.comments[1].by_customer && shown.comments[1].public);
    let comments = bench.comments(&ticket).await;
    let Comment::Public(read) = &comments[1] else { panic!("{comments:?}") };
    assert_eq!((read.author.role, read.author.id.as_ref(), read.mailed), (Role::Customer, Some(&ann), false));
    assert_eq!(read.text.body().text(), Some("Are you there?"));
}

/// What a customer said and an agent hid elsewhere is a note here, whoever may write notes.
pub async fn what_was_hidden_of_a_customers_is_a_note(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let ann = bench.person("Ann", ANN).await;
    bench.wait(2).await;
    let hidden = private("Ann (customer):\nMy password is", Some(Person::customer("Ann", ANN)));
    bench.apply(&update(&ticket, Fields::new(), Some(hidden), "l0-1"), Some(&ann)).await;
    let shown = bench.shown(&ticket);
    assert_eq!((shown.comments.len(), shown.comments[1].public), (2, false));
    let comments = bench.comments(&ticket).await;
    assert!(comments[1].body().text().is_some_and(|text| text.contains("My password is")), "{comments:?}");
}

/// What people wrote, and whether the vendor mailed it.
pub async fn comments_tell_order_author_and_mail(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let said = [
        (Who::Agent("Bo".to_owned()), "First answer", true),
        (Who::Customer, "Thanks", true),
        (Who::Agent("Bo".to_owned()), "A note", false),
        (Who::Bot, "I am a bot", true),
        (Who::Bot, "The bot's note", false),
        (Who::Customer, "Still broken", true),
    ];
    for (who, text, public) in &said {
        bench.wait(2).await;
        bench.say(&ticket, who.clone(), text, *public);
    }
    let shown = bench.shown(&ticket);
    let mailed: Vec<RemoteId> =
        bench.sim(|sim| sim.mails_sent().iter().filter_map(|mail| mail.comment.clone()).collect());
    let comments = bench.comments(&ticket).await;
    assert_eq!(comments.len(), said.len() + 1);
    for (comment, shown) in comments.iter().zip(&shown.comments) {
        assert_eq!(comment.id(), &shown.id);
        assert_eq!((comment.is_public(), comment.body().text()), (shown.public, Some(shown.text.as_str())));
        assert_eq!(comment.author().role == Role::Customer, shown.by_customer, "{}", shown.text);
        if let Comment::Public(comment) = comment {
            assert_eq!(comment.mailed, mailed.contains(&shown.id), "{}", shown.text);
        }
    }
    assert!(comments.is_sorted_by_key(Comment::at));
    let customers = comments.iter().filter(|comment| comment.author().role == Role::Customer);
    assert_eq!(customers.filter(|comment| comment.author().id.is_some()).count(), 3);
}

/// More comments than a page holds.
pub async fn a_long_conversation_is_listed_whole(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    for at in 0..120 {
        let who = if at % 3 == 0 { Who::Customer } else { Who::Agent("Bo".to_owned()) };
        bench.say(&ticket, who, &format!("Message {at}"), at % 3 != 1);
        if at % 2 == 0 {
            bench.wait(1).await;
        }
    }
    let comments = bench.comments(&ticket).await;
    let texts: Vec<&str> = comments.iter().skip(1).map(|comment| comment.body().text().unwrap()).collect();
    let expected: Vec<String> = (0..120).map(|at| format!("Message {at}")).collect();
    assert_eq!(texts, expected);
}

/// Texts that markup could spoil.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "One line",
        "Two\nlines",
        "A paragraph\n\nand another\n\nand a third",
        "# no heading\n* no list\n- nor this\n1. nor this\n> no quote\n**no bold** _no slant_ `no code`",
        "    indented\n  less\nnot",
        "<b>no markup</b> <script>alert(1)</script> <br> a < b > c & d &amp; &lt;x&gt; &copy;",
        "https://example.test/?a=1&b=2#c and <ann@example.test>",
        "Ünïcödé ✓ 漢字 🎫 \u{202e}mirror",
        "\"quotes\" 'more' \\ back\\slash {{ticket.id}} {% liquid %} %s",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "```\nfn main() {}\n```",
    ]
    .map(str::to_owned)
    .into();
    texts.push((0..400).map(|at| format!("Line {at} of a long text.\n")).collect());
    texts
}

fn assert_same(read: &str, written: &str) {
    assert_eq!(fold_text(read), fold_text(written));
    let lines = |text: &str| text.trim().lines().map(fold_text).collect::<Vec<_>>();
    assert_eq!(lines(read), lines(written), "line breaks are kept");
}

/// Text comes back, whatever it looks like.
pub async fn what_we_write_is_read_back(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    for (at, text) in texts().into_iter().enumerate() {
        let ticket = bench.ticket("Hello");
        let messages = [public(&text, Mail::Silent), public(&text, Mail::Send), private(&text, Some(bo()))];
        let noted = messages.iter().filter(|message| is_noted(terms, message)).count();
        for (with, message) in messages.into_iter().enumerate() {
            bench.wait(2).await;
            bench.apply(&update(&ticket, Fields::new(), Some(message), &format!("l{at}-{with}")), None).await;
        }
        let comments = bench.comments(&ticket).await;
        assert_eq!(comments.len(), 4);
        for comment in &comments[1..] {
            assert_same(comment.body().text().unwrap(), &text);
        }
        let shown = bench.shown(&ticket);
        let (said, other): (Vec<_>, Vec<_>) =
            shown.comments[1..].iter().partition(|shown| fold_text(&shown.text) == fold_text(&text));
        assert_eq!((said.len(), other.len()), (3 - noted, noted), "as people see it");
        for shown in other {
            assert!(!shown.public && fold_text(&shown.text).ends_with(&fold_text(&text)), "{}", shown.text);
        }
    }
}

/// What people type, and the opening.
pub async fn what_people_write_is_read(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    for text in texts() {
        let ticket = bench.ticket_of("Ann", ANN, "Hello", &text);
        bench.wait(1).await;
        bench.say(&ticket, Who::Customer, &text, true);
        bench.say(&ticket, Who::Agent("Bo".to_owned()), &text, false);
        let comments = bench.comments(&ticket).await;
        assert_eq!(comments.len(), 3);
        for comment in &comments {
            assert_same(comment.body().text().unwrap(), &text);
        }
    }
}

/// Where the vendor can: in place, still private.
pub async fn a_private_note_is_rewritten(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let made = update(&ticket, Fields::new(), Some(private("A short note", None)), "l0-1");
    let comment = bench.apply(&made, None).await.comment.unwrap();
    let Message::Private(PrivateMessage { text, .. }) = private("A longer note\nof two lines", None) else {
        panic!("it is private")
    };
    let message = PrivateMessage { author: None, text, attachments: Vec::new() };
    let edit = EditNote { at: key(&ticket), comment: comment.clone(), message, key: OpKey::from("l0-2") };
    bench.wait(2).await;
    let before = bench.shown(&ticket);
    let edited = bench.desk.apply(bench.call(), &Intent::EditNote(edit), None, &[]).await;
    let after = bench.shown(&ticket);
    if !bench.desk.capabilities().edits_private_notes {
        assert!(matches!(edited, Err(Error::Refused { .. })), "{edited:?}");
        assert_eq!(after, before);
        return;
    }
    assert_eq!(edited.unwrap().comment, Some(comment.clone()));
    assert_eq!(after.comments.len(), 2);
    assert!(!after.comments[1].public && after.comments[1].id == comment);
    let read = &bench.comments(&ticket).await[1];
    let text = read.body().text().unwrap();
    assert!(text.contains("A longer note\nof two lines") && !text.contains("A short note"), "{text}");
    assert_eq!(bench.mails(), 0);
}
