use super::*;
use crate::{
    capture::{CaptureEvent, CaptureRules, What, capture},
    model::{
        fact::{Fact, FactKey, FactValue, Match, Sensitivity},
        handoff::Attempt,
        package::Stated,
        ticket::Status,
    },
};

fn fold(events: Vec<What>) -> Captured {
    let mut captured = Captured::default();
    let rules = CaptureRules {
        agent: Some("helper".to_owned()),
        areas: vec![("/billing".to_owned(), "Billing".to_owned())],
        ..CaptureRules::default()
    };
    for (number, what) in events.into_iter().enumerate() {
        let id = Some(format!("e{number}"));
        capture(&mut captured, &CaptureEvent::new(id, Some(at(number as i64)), what), &rules);
    }
    captured
}

fn says(by: Party, text: &str) -> What {
    What::Turn { by, text: text.to_owned(), public: true }
}

fn streamed() -> Captured {
    fold(vec![
        says(Party::Customer, "I was charged twice on my invoice F-77 and I want a refund."),
        What::PageView {
            page: Some("https://app.example.com/billing/invoices?token=abc".to_owned()),
            screen: None,
            build: Some("4.1".to_owned()),
            flags: Vec::new(),
            error: None,
        },
        What::ToolCall {
            call_id: Some("c1".to_owned()),
            name: "refund_charge".to_owned(),
            inputs: "{\"id\":\"ch_1\"}".to_owned(),
        },
        What::ToolResult {
            call_id: Some("c1".to_owned()),
            name: None,
            outcome: "Error: charge is locked".to_owned(),
            result: Outcome::Unclear,
        },
        says(bot(), "I could not refund the charge."),
        What::State(BTreeMap::from([("category".to_owned(), "money".to_owned())])),
    ])
}

fn plan_fact(sensitivity: Sensitivity) -> SourceAnswer {
    SourceAnswer::Facts(vec![Fact {
        key: FactKey::Plan,
        value: FactValue::Text("Team".to_owned()),
        detail: Some("past due".to_owned()),
        source: account("pay"),
        record: "sub_1".to_owned(),
        fetched_at: now(),
        sensitivity,
    }])
}

#[test]
fn each_field_comes_from_its_best_source_with_its_place() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.captured = Some(streamed());
    given.record.sources.insert(account("pay"), plan_fact(Sensitivity::Agents));
    given.record.told.reason = Some("the refund tool is locked".to_owned());
    given.record.told.summary = Some("Charged twice, one charge is to go back.".to_owned());
    let package = given.package();
    let issue = &package.issue;
    assert_eq!(package.customer.name.value().map(String::as_str), Some("Mia Li"));
    assert_eq!(
        package.customer.email.proofs(),
        [Proof::Ticket { ticket: ticket(), field: "requester".to_owned() }]
    );
    assert_eq!(package.customer.tier.value().map(String::as_str), Some("Team (past due)"));
    assert!(matches!(package.customer.tier.proofs(), [Proof::Fact { record, .. }] if record == "sub_1"));
    assert_eq!(issue.category.value().map(String::as_str), Some("money"), "what the agent states goes first");
    assert_eq!(issue.product_area.value().map(String::as_str), Some("Billing"));
    assert_eq!(
        issue.page.value().map(String::as_str),
        Some("https://app.example.com/billing/invoices?token=*")
    );
    assert_eq!(issue.page.proofs(), [Proof::Event { id: "e1".to_owned(), at: Some(at(1)) }]);
    assert_eq!(
        package.handoff.reason.proofs(),
        [Proof::Told { agent: "helper".to_owned(), path: "reason".to_owned() }]
    );
    let attempts = package.attempts.value().expect("one is known");
    let [tried] = attempts.as_slice() else { panic!("one attempt: {attempts:?}") };
    assert_eq!((tried.action.as_str(), tried.result, tried.hop), ("refund charge", Outcome::Failed, 1));
    assert_eq!(tried.proofs, [Proof::Event { id: "e2, c1".to_owned(), at: Some(at(2)) }]);
    assert_eq!(issue.goal.proofs()[0], Proof::Event { id: "e0".to_owned(), at: Some(at(0)) });
    assert!(issue.blocker.value().is_some(), "{:?}", issue.blocker);
    assert_eq!(is_thin(&package), None);
    let missing = completeness(&package).missing;
    assert_eq!(missing, [], "all that is required is known");
}

#[test]
fn what_is_unknown_says_why() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.ticket = TicketFacts::default();
    let sources: [(SourceAnswer, &str); 4] = [
        (SourceAnswer::Waiting, "pay gave no answer in time"),
        (SourceAnswer::Nobody, "pay knows nobody by this e-mail"),
        (failed("it is down"), "pay failed: it is down"),
        (
            SourceAnswer::Ambiguous(vec![
                Match {
                    id: "1".to_owned(),
                    label: "a".to_owned(),
                    rule: "email".to_owned()
                };
                2
            ]),
            "pay has 2 records that match, none was picked",
        ),
    ];
    for (answer, why) in sources {
        given.record.sources.insert(account("pay"), answer);
        let package = given.package();
        assert_eq!(package.customer.tier, Stated::unknown(why));
        assert_eq!(package.silent.get(&account("pay")).map(String::as_str), Some(why));
    }
    given.record.sources.insert(account("pay"), plan_fact(Sensitivity::Restricted));
    let package = given.package();
    assert_eq!(package.customer.tier, Stated::unknown("no source says what they pay for"));
    assert_eq!(package.facts, [], "restricted facts are not for every agent");
    assert_eq!(package.attempts, Stated::unknown("no transcript came from the AI agent"));
    assert_eq!(
        package.issue.goal,
        Stated::unknown("no messages were read, so nothing says what the customer wants")
    );
    assert_eq!(package.handoff.reason, Stated::unknown("the AI agent gave no reason"));
    assert!(is_thin(&package).is_some_and(|why| why.starts_with("empty")));
    assert_eq!(repairs(&package), [Repair::ReadMessages, Repair::AskAgent]);
}

#[test]
fn a_transcript_alone_is_thin_even_where_a_person_is_asked_for() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.captured = Some(fold(vec![
        says(Party::Customer, "Good morning to you."),
        says(bot(), "Good morning. Lovely day."),
        says(Party::Customer, "Lovely, yes."),
    ]));
    let package = given.package();
    assert!(is_thin(&package).is_some_and(|why| why.contains("transcript of 3 turns")), "{package:?}");
    assert_eq!(repairs(&package), [Repair::AskAgent]);
    given.turns = vec![message(9, Party::Customer, "Please let me talk to a human agent.")];
    let package = given.package();
    assert_eq!(package.handoff.reason.value().map(String::as_str), Some("the customer asked for a person"));
    assert!(is_thin(&package).is_some_and(|why| why.contains("transcript of 4 turns")), "{package:?}");
    given.record.told.reason = Some("the customer asked for a person".to_owned());
    assert_eq!(is_thin(&given.package()), None, "the agent gave a reason");
}

#[test]
fn between_people_the_thread_tells_and_no_page_can_be() {
    let mut given = Given::new(HandoffKind::HumanToHuman);
    given.record.evidence.clear();
    given.record.from = Some(owner("5"));
    given.record.to = Some(Owner::Human { assignee: None, group: Some(RemoteId::new("9")) });
    given.names =
        BTreeMap::from([(RemoteId::new("5"), "Ada".to_owned()), (RemoteId::new("9"), "Billing".to_owned())]);
    let ada = Party::Human { name: None, id: Some(RemoteId::new("5")) };
    let note =
        Turn { public: false, ..message(4, ada.clone(), "Needs the billing team: the ledger is locked.") };
    given.turns = vec![
        message(1, Party::Customer, "The export fails with an error. Can you fix it?"),
        message(2, ada.clone(), "I have reset your export settings. I will send you an update tomorrow."),
        message(3, Party::Customer, "It still fails!"),
        note.clone(),
    ];
    let package = given.package();
    assert!(matches!(&package.handoff.from, Party::Human { name: Some(name), .. } if name == "Ada"));
    assert!(matches!(&package.handoff.to, Party::Human { name: Some(name), .. } if name == "Billing"));
    assert_eq!(package.handoff.reason.proofs(), [note.proof]);
    assert!(matches!(package.issue.page, Stated::NotApplicable { .. }));
    let attempts = package.attempts.value().expect("Ada's");
    assert!(
        attempts.iter().any(|tried| tried.action.contains("reset")
            && matches!(&tried.by, Party::Human { name: Some(name), .. } if name == "Ada")),
        "{attempts:?}"
    );
    let promises = package.promises.value().expect("a promise");
    assert!(promises[0].text.contains("update"), "{promises:?}");
    assert_eq!(package.issue.category.value().map(String::as_str), Some("technical problem"));
}

#[test]
fn a_message_that_the_stream_and_the_ticket_show_is_one() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    let long = "The charge of the twelfth came twice and ".repeat(60);
    given.captured = Some(fold(vec![
        says(Party::Customer, &long),
        says(bot(), "Let me look."),
        says(Party::Customer, "ok"),
    ]));
    given.turns = vec![
        message(1, Party::Customer, &long),
        message(2, person("Bot user"), "Let me  look."),
        // The same words much later are another message.
        message(9_000, Party::Customer, "ok"),
    ];
    let package = given.package();
    assert_eq!(package.conversation.turns, 4);
    let turns = turns::all(&given.material());
    assert!(matches!(turns[0].proof, Proof::Message { .. }) && turns[0].text == long);
    assert!(
        matches!((&turns[1].proof, &turns[1].by), (Proof::Message { .. }, Party::Bot { .. })),
        "still the bot's"
    );
}

#[test]
fn attempts_that_were_told_outright_count_once() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.captured = Some(Captured {
        turns: vec![call("message 3, c1", "refund_charge", "done", Outcome::Worked)],
        ..Captured::default()
    });
    let attempt = |action: &str, evidence: &str, outcome: &str| Attempt {
        action: action.to_owned(),
        inputs: if action == "refund charge" { "id: 4711".to_owned() } else { String::new() },
        outcome: outcome.to_owned(),
        failed: false,
        evidence: evidence.to_owned(),
    };
    given.record.told.attempts = vec![
        attempt("refund charge", "message 3, c1", "done"),
        attempt("refund charge", "attempts[0]", "done"),
        attempt("call the bank", "attempts[1]", ""),
    ];
    let package = given.package();
    let attempts = package.attempts.value().expect("two");
    let shown: Vec<_> = attempts.iter().map(|tried| (tried.action.as_str(), tried.result)).collect();
    assert_eq!(shown, [("refund charge", Outcome::Worked), ("call the bank", Outcome::Unclear)]);
    assert_eq!(
        attempts[1].proofs,
        [Proof::Told { agent: "helper".to_owned(), path: "attempts[1]".to_owned() }]
    );
}

#[test]
fn short_values_fit_custom_fields() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.captured = Some(streamed());
    given.record.told.reason = Some("x ".repeat(400));
    let values = structured(&given.package());
    assert!(values.values().all(|value| !value.is_empty() && value.chars().count() <= VALUE_CHARS_MAX));
    let shown = |name: &str| values.get(name).map(String::as_str);
    assert_eq!(shown("attempts"), Some("1, last: refund charge (failed)"));
    assert_eq!(shown("kind"), Some("ai_to_human"));
    assert_eq!(shown("tier"), Some("unknown"));
    assert_eq!(shown("promises"), Some("n/a"));
    assert_eq!(shown("summary"), Some("unknown"));
    assert_eq!(shown("completeness"), Some("83"), "all but the tier and a summary");
    assert_eq!((shown("hop"), shown("handoff")), (Some("1"), Some("h1")));
}

#[test]
fn a_resolution_says_what_people_did_and_what_not_to_do_again() {
    let mut first = Given::new(HandoffKind::AiToHuman);
    first.captured = Some(streamed());
    let mut back = Given::new(HandoffKind::HumanToAi);
    back.record = record("h2", HandoffKind::HumanToAi);
    back.hop = 2;
    back.previous = Some(first.package());
    back.ticket.status = Some(Status::Solved);
    back.turns = vec![
        message(100, Party::Customer, "My order number is 48213."),
        message(101, person("Ada"), "I have refunded the charge to your card."),
        message(102, Party::Customer, "Thanks, that works."),
    ];
    let told = resolution(&back.material(), &PackageRules::default(), now());
    let done = told.done.value().expect("Ada's step");
    assert!(done.iter().all(|tried| matches!(tried.by, Party::Human { .. })), "{done:?}");
    assert!(done[0].action.contains("refunded"), "{done:?}");
    assert!(
        told.do_not.iter().any(|words| words == "do not offer again what failed: refund charge (id: ch_1)"),
        "{:?}",
        told.do_not
    );
    assert!(told.do_not.iter().any(|words| words.contains("48213")), "{:?}", told.do_not);
    assert_eq!(told.stretch_from, Some(now()), "when the AI agent gave it away");
    assert!(told.may_follow_up, "{:?} {:?}", told.package.promises, told.package.open_question);
    assert!(told.problem.value().is_some());
    back.ticket.status = Some(Status::Open);
    let told = resolution(&back.material(), &PackageRules::default(), now());
    assert!(!told.may_follow_up, "it is not done yet");
}

#[test]
fn what_an_ai_agent_says_that_it_promised_is_promised() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    let told = "a colleague writes today; the second charge comes back";
    given.captured =
        Some(fold(vec![What::State(BTreeMap::from([("commitments".to_owned(), told.to_owned())]))]));
    let package = given.package();
    let promises = package.promises.value().expect("two are known");
    let texts: Vec<&str> = promises.iter().map(|promise| promise.text.as_str()).collect();
    assert_eq!(texts, ["a colleague writes today", "the second charge comes back"]);
    assert!(
        promises.iter().all(|promise| promise.by == Party::Bot { name: None } && !promise.proofs.is_empty())
    );
}

#[test]
fn a_long_summary_is_kept_and_what_is_cut_is_named() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    let words = "word ".repeat(160).trim().to_owned();
    given.record.told.summary = Some(words.clone());
    let package = given.package();
    assert_eq!(package.issue.summary.value(), Some(&words));
    assert!(package.left_out.is_empty(), "{:?}", package.left_out);
    given.record.told.summary = Some("word ".repeat(400));
    assert_eq!(given.package().left_out, ["1 long texts, in part"]);
}

#[test]
fn a_summary_is_asked_only_of_an_agent_that_can_give_one() {
    let missing =
        |package: &Package| completeness(package).missing.iter().any(|(field, _)| *field == "summary");
    let mut given = Given::new(HandoffKind::AiToHuman);
    assert!(missing(&given.package()));
    given.record.evidence.clear();
    assert!(!missing(&given.package()));
}

#[test]
fn a_new_wish_takes_the_place_of_the_goal_and_an_old_one_stays() {
    let mut first = Given::new(HandoffKind::AiToHuman);
    first.captured = Some(fold(vec![
        says(Party::Customer, "I want to change the billing address."),
        What::State(BTreeMap::from([("goal".to_owned(), "change the billing address".to_owned())])),
    ]));
    let first_package = first.package();
    assert_eq!(first_package.issue.goal.value().map(String::as_str), Some("change the billing address"));
    let second = |words: &str, captured: Option<Captured>| {
        let mut given = Given::new(HandoffKind::HumanToHuman);
        given.record = record("h2", HandoffKind::HumanToHuman);
        given.hop = 2;
        given.previous = Some(first_package.clone());
        given.captured = captured;
        given.turns = vec![
            message(1_000, person("Ben"), "I have changed the billing address."),
            message(1_001, Party::Customer, words),
        ];
        given.package().issue.goal.value().cloned().unwrap_or_default()
    };
    for captured in [None, first.captured.clone()] {
        let wish = "Now I want to cancel my subscription and get a refund.";
        assert_eq!(second(wish, captured.clone()), wish);
        for words in ["Thanks!", "It still does not work.", "I want the billing address changed, please."] {
            assert_eq!(second(words, captured.clone()), "change the billing address", "{words}");
        }
    }
}

#[test]
fn in_a_language_without_a_table_silence_proves_nothing() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.turns = vec![
        message(1, Party::Customer, "Dzień dobry, nie mogę zalogować się na moje konto, proszę o pomoc."),
        message(2, person("Ada"), "Zresetowałem konto i jutro zwrócimy pieniądze, obiecuję."),
        message(3, Party::Customer, "Dziękuję bardzo, ale to nadal nie działa i jestem wściekły."),
    ];
    let package = given.package();
    assert_eq!(package.conversation.language.value().map(String::as_str), Some("pl"));
    let why = "handoffd does not read pl";
    assert_eq!(package.attempts, Stated::unknown(why));
    assert_eq!(package.promises, Stated::unknown(why));
    assert_eq!(package.mood, Stated::unknown(why));
    given.turns.push(call("c1", "reset_account", "done", Outcome::Worked));
    assert!(given.package().attempts.value().is_some(), "a call tells in any language");
}

#[test]
fn a_note_from_before_the_ai_agent_spoke_is_no_reason_of_its_own() {
    let ada = Party::Human { name: Some("Ada".to_owned()), id: Some(RemoteId::new("5")) };
    let note = Turn { public: false, ..message(2, ada, "Between us: the ledger is locked.") };
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.turns = vec![
        message(1, Party::Customer, "The export fails with an error."),
        note.clone(),
        message(3, bot(), "Let me look at it."),
    ];
    assert!(!given.package().handoff.reason.proofs().contains(&note.proof));
    given.turns.swap(1, 2);
    assert_eq!(given.package().handoff.reason.proofs(), [note.proof], "who took it left a note");
}

#[test]
fn what_an_ai_agent_says_outright_but_late_is_the_reason() {
    let ada = Party::Human { name: Some("Ada".to_owned()), id: Some(RemoteId::new("5")) };
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.turns = vec![Turn { public: false, ..message(2, ada, "Taking this one.") }];
    let read = given.package();
    assert_eq!(read.handoff.reason.value().map(String::as_str), Some("Taking this one."));
    given.turns.clear();
    let silent = crate::handoff::with_news(read.clone(), given.package(), 20_000);
    assert_eq!(silent.handoff.reason, read.handoff.reason, "nothing new was said");
    given.record.told.reason = Some("the refund tool is locked".to_owned());
    let told = crate::handoff::with_news(read, given.package(), 20_000);
    assert_eq!(told.handoff.reason.value().map(String::as_str), Some("the refund tool is locked"));
}
