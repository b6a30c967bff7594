//! What a conversation is read as.

mod corpus;
mod golden;
mod robust;

use std::collections::BTreeSet;

use super::*;
use crate::model::{
    ids::{RemoteId, TicketKey},
    package::Feeling,
    time::Timestamp,
    turn::{Outcome, Party, ToolUse},
};

pub fn rules() -> ThreadRules {
    ThreadRules {
        transfer_prefixes: vec!["transfer".to_owned()],
        inner_tools: BTreeSet::from(["think".to_owned()]),
        excerpt_chars_max: 200,
        hop: 1,
    }
}

/// A message of a ticket, the number its id and its minute.
pub fn turn(number: usize, who: &str, text: &str) -> Turn {
    let at = Timestamp::from_secs(60 * i64::try_from(number).expect("a small number"));
    let by = match who {
        "customer" => Party::Customer,
        "human" => Party::Human { name: Some("Ann".to_owned()), id: Some(RemoteId::new("7")) },
        "nobody" => Party::Nobody,
        _ => Party::Bot { name: None },
    };
    let proof =
        Proof::Message { ticket: TicketKey::new("desk", "1"), id: RemoteId::new(number.to_string()), at };
    let mut turn = Turn { proof, by, at: Some(at), public: true, text: text.to_owned(), call: None };
    if who == "tool" {
        turn.call = Some(call(text));
        turn.text = String::new();
    }
    turn
}

/// `name|inputs|outcome|worked`
fn call(text: &str) -> ToolUse {
    let parts: Vec<&str> = text.split('|').collect();
    let [name, inputs, outcome, result] = parts[..] else { panic!("{text}: four parts") };
    let result = if result == "failed" { Outcome::Failed } else { Outcome::Worked };
    ToolUse { name: name.to_owned(), inputs: inputs.to_owned(), outcome: outcome.to_owned(), result }
}

fn thread(turns: &[(&str, &str)]) -> Vec<Turn> {
    turns.iter().enumerate().map(|(at, (who, text))| turn(at + 1, who, text)).collect()
}

fn read(turns: &[(&str, &str)]) -> Findings {
    read_thread(&thread(turns), &rules())
}

fn given_in(text: &str) -> Vec<(String, String)> {
    let given = read(&[("customer", text)]).given;
    given.into_iter().map(|given| (given.topic, given.value)).collect()
}

#[test]
fn what_the_customer_gave_is_found_with_what_it_is() {
    let cases: [(&str, &[(&str, &str)]); 12] = [
        ("My order number is 77123.", &[("order number", "77123")]),
        ("Order #A-9981 is late", &[("order number", "A-9981")]),
        (
            "I'm at ann@example.org, call +49 30 1234567",
            &[("e-mail", "ann@example.org"), ("phone", "+49 30 1234567")],
        ),
        ("Invoice INV-2041 says $49.90", &[("invoice number", "INV-2041"), ("amount", "$49.90")]),
        ("Error 502 since May 20th", &[("error code", "502"), ("date", "May 20th")]),
        (
            "Meine Bestellnummer lautet 55-1234, Betrag 1.200,50 EUR",
            &[("order number", "55-1234"), ("amount", "1.200,50 EUR")],
        ),
        ("Mi número de pedido es 9930 del 3 de mayo", &[("order number", "9930"), ("date", "3 de mayo")]),
        ("Ma commande numéro 4471 du 2026-05-20", &[("order number", "4471"), ("date", "2026-05-20")]),
        ("My user ID is mia_li_3668.", &[("user id", "mia_li_3668")]),
        ("Reservation GHXKPQ please", &[("booking number", "GHXKPQ")]),
        ("My card is 4242 4242 4242 4242 and my password is hunter22", &[]),
        ("I have 3 bags at 11am on my 2nd flight", &[]),
    ];
    for (text, expected) in cases {
        let expected: Vec<(String, String)> =
            expected.iter().map(|(topic, value)| ((*topic).to_owned(), (*value).to_owned())).collect();
        assert_eq!(given_in(text), expected, "{text}");
    }
}

#[test]
fn a_bare_number_is_what_was_asked_for() {
    let found = read(&[("bot", "What is your order number?"), ("customer", "Sure, it's 88213")]);
    assert_eq!((found.given[0].topic.as_str(), found.given[0].value.as_str()), ("order number", "88213"));
    assert_eq!(found.given[0].proofs, [turn(2, "customer", "").proof]);
}

#[test]
fn moods_go_from_bad_to_good() {
    let now = |texts: &[&str]| {
        let turns: Vec<(&str, &str)> = texts.iter().map(|text| ("customer", *text)).collect();
        read(&turns).mood.value().expect("a mood").now
    };
    let cases: [(&[&str], Feeling); 12] = [
        (&["THIS IS RIDICULOUS!!! Nobody answers!"], Feeling::Angry),
        (&["I am furious, this is a scam."], Feeling::Angry),
        (&["Das ist eine Frechheit!!"], Feeling::Angry),
        (&["C'est inadmissible, j'en ai marre."], Feeling::Angry),
        (&["Es una vergüenza, estoy harto."], Feeling::Angry),
        (&["It still does not work, that is annoying."], Feeling::Frustrated),
        (&["Leider geht es immer noch nicht."], Feeling::Frustrated),
        (&["Where can I change my address?"], Feeling::Neutral),
        (&["Wo finde ich meine Rechnung?"], Feeling::Neutral),
        (&["Great, that works, thank you so much!"], Feeling::Content),
        (&["I hate this", "ok", "Wonderful, it works perfectly, thanks!"], Feeling::Content),
        (&["Merci beaucoup, c'est parfait !"], Feeling::Content),
    ];
    for (texts, expected) in cases {
        assert_eq!(now(texts), expected, "{texts:?}");
    }
}

#[test]
fn the_course_of_the_mood_is_the_newest_twenty_turns() {
    let turns: Vec<(&str, &str)> = (0..30).map(|_| ("customer", "thanks")).collect();
    let mood = read(&turns).mood;
    assert_eq!(mood.value().expect("a mood").course.len(), 20);
    assert!(read(&[("bot", "thanks")]).mood.value().is_none(), "only the customer's");
}

#[test]
fn languages_are_told_from_little() {
    let cases = [
        ("I can't log in to my account", Some("en")),
        ("Ich kann mich nicht anmelden", Some("de")),
        ("Je ne peux pas me connecter", Some("fr")),
        ("No puedo entrar en mi cuenta", Some("es")),
        ("ログインできません。パスワードを忘れました。", Some("ja")),
        ("Не могу войти в свой аккаунт уже второй день", Some("ru")),
        ("77123", None),
    ];
    for (text, code) in cases {
        assert_eq!(read(&[("customer", text)]).language.value().map(String::as_str), code, "{text}");
    }
}

#[test]
fn where_a_person_is_asked_for_is_known() {
    let asks = |text: &str| read(&[("customer", text)]).asked_for_human.is_some();
    for text in [
        "I want to speak to a human",
        "Agent please",
        "Can I talk to someone real?",
        "Ich möchte mit einem Mitarbeiter sprechen",
        "Je veux parler à un conseiller",
        "Quiero hablar con una persona",
    ] {
        assert!(asks(text), "{text}");
    }
    for text in ["I spoke to an agent yesterday", "The person next to me broke it", "Ich brauche Hilfe"] {
        assert!(!asks(text), "{text}");
    }
    assert!(read(&[("bot", "Do you want to speak to a human?")]).asked_for_human.is_none());
}

#[test]
fn what_nobody_sees_promises_nothing_but_counts_as_tried() {
    let mut turns = thread(&[
        ("customer", "My sync is broken."),
        ("human", "I have reset the token. I'll call him tomorrow."),
    ]);
    turns[1].public = false;
    let found = read_thread(&turns, &rules());
    assert_eq!(found.promises, []);
    assert_eq!(found.attempts.len(), 1);
    assert_eq!(read(&[("nobody", "I have reset the token. I'll call tomorrow.")]).attempts, []);
}

#[test]
fn tools_that_hand_over_or_only_think_are_no_attempts() {
    let found = read(&[
        ("tool", "think|thought: hm||worked"),
        ("tool", "transfer_to_human_agents|summary: x||worked"),
        ("tool", "getOrder|order: 7|not found|failed"),
        ("tool", "getOrder|order: 7|not found|failed"),
    ]);
    let [only] = &found.attempts[..] else { panic!("one attempt") };
    assert_eq!((only.action.as_str(), only.result, only.proofs.len()), ("get order", Outcome::Failed, 2));
}

#[test]
fn a_solved_matter_has_no_blocker() {
    let found = read(&[
        ("customer", "Checkout fails."),
        ("human", "I have fixed it."),
        ("customer", "It works now, thanks!"),
    ]);
    assert!(matches!(found.blocker, Stated::NotApplicable { .. }), "{:?}", found.blocker);
}

#[test]
fn without_a_customer_nothing_is_known() {
    let found = read(&[("bot", "Hello, how can I help you?")]);
    for field in [&found.goal, &found.open_question, &found.language] {
        assert!(matches!(field, Stated::Unknown { why } if !why.is_empty()), "{field:?}");
    }
    assert_eq!(read(&[]).attempts, []);
}

#[test]
fn a_wish_that_says_it_brings_what_it_is() {
    let found =
        read(&[("customer", "Hi. The lamp I bought on 3 March is broken. Could you send a new one?")]);
    let goal = found.goal.value().map(String::as_str);
    assert_eq!(goal, Some("The lamp I bought on 3 March is broken. Could you send a new one?"));
}
