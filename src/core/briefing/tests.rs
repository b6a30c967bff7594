use std::collections::BTreeMap;

use super::*;
use crate::model::{
    fact::{Fact, FactKey, FactValue, Sensitivity},
    handoff::HandoffKind,
    ids::TicketKey,
    package::{
        About, Conversation, Customer, Feeling, Given, Hop, Issue, Mood, PACKAGE_VERSION, Promise, Stated,
        Tried,
    },
    turn::{Outcome, Party, Proof, ToolUse},
};

pub(super) const NOW: Timestamp = Timestamp(1_795_334_400_000); // 2026-11-22T08:00:00Z
const LIMITS: NoteLimits = NoteLimits { bytes_max: 60_000 };

fn ago(secs: i64) -> Timestamp {
    Timestamp(NOW.0 - secs * 1_000)
}

fn zd() -> TicketKey {
    TicketKey::new("zd", "35436")
}

fn message(id: &str, secs: i64) -> Proof {
    Proof::Message { ticket: zd(), id: id.into(), at: ago(secs) }
}

fn event(id: &str, secs: i64) -> Proof {
    Proof::Event { id: id.to_owned(), at: Some(ago(secs)) }
}

fn told(path: &str) -> Proof {
    Proof::Told { agent: "ada".to_owned(), path: path.to_owned() }
}

fn known(text: &str, proof: Proof) -> Stated<String> {
    Stated::known(text.to_owned(), [proof])
}

fn bot() -> Party {
    Party::Bot { name: Some("ada".to_owned()) }
}

fn person(name: &str) -> Party {
    Party::Human { name: Some(name.to_owned()), id: Some("7".into()) }
}

fn tried(action: &str, outcome: &str, result: Outcome, number: usize) -> Tried {
    Tried {
        action: action.to_owned(),
        inputs: "user id: mia_1".to_owned(),
        outcome: outcome.to_owned(),
        result,
        by: bot(),
        at: Some(ago(180)),
        hop: 1,
        proofs: vec![event(&format!("message {number}, call_{number}"), 180)],
    }
}

/// Nothing is known.
pub(crate) fn bare() -> Package {
    let none = || Stated::unknown("nobody said it");
    Package {
        version: PACKAGE_VERSION.to_owned(),
        handoff: About {
            id: "h0123456789abcdef0123".into(),
            kind: HandoffKind::AiToHuman,
            hop: 1,
            from: bot(),
            to: person("Billing"),
            reason: none(),
            detected_at: ago(4),
        },
        conversation: Conversation {
            tickets: vec![zd()],
            subject: none(),
            channel: none(),
            language: none(),
            turns: 0,
            from: None,
            until: None,
        },
        customer: Customer { name: none(), email: none(), tier: none() },
        issue: Issue { category: none(), goal: none(), blocker: none(), product_area: none(), page: none() },
        attempts: Stated::unknown("no transcript came"),
        mood: Stated::unknown("the customer wrote nothing"),
        promises: Stated::not_applicable("nobody wrote to them"),
        open_question: none(),
        given: Vec::new(),
        facts: Vec::new(),
        silent: BTreeMap::new(),
        lineage: Vec::new(),
        left_out: Vec::new(),
    }
}

fn fact(key: FactKey, value: FactValue, detail: &str, record: &str) -> Fact {
    Fact {
        key,
        value,
        detail: Some(detail.to_owned()).filter(|detail| !detail.is_empty()),
        source: "pay".into(),
        record: record.to_owned(),
        fetched_at: ago(2),
        sensitivity: Sensitivity::Agents,
    }
}

fn facts() -> Vec<Fact> {
    let invoice = FactValue::Money { minor: 58_800, currency: "EUR".to_owned() };
    let restricted = fact(FactKey::Customer, FactValue::Text("VIP list".to_owned()), "", "cus_9");
    vec![
        fact(FactKey::OpenInvoice, invoice, "F00-0012, 2 attempts", "in_7"),
        fact(FactKey::Plan, FactValue::Text("Team".to_owned()), "past due", "sub_1A"),
        Fact { sensitivity: Sensitivity::Restricted, ..restricted },
    ]
}

pub(crate) fn full() -> Package {
    let mut package = bare();
    package.handoff.reason = known("refund is above my limit", told("reason.text"));
    package.conversation.subject =
        known("Charged twice", Proof::Ticket { ticket: zd(), field: "subject".to_owned() });
    package.conversation.channel = known("email", event("start", 300));
    package.conversation.language = known("en", message("7", 180));
    package.conversation.turns = 9;
    package.customer = Customer {
        name: known("Mia Li", Proof::Ticket { ticket: zd(), field: "requester".to_owned() }),
        email: known("mia@x.example", Proof::Ticket { ticket: zd(), field: "requester".to_owned() }),
        tier: known(
            "Team (past due)",
            Proof::Fact { source: "pay".into(), record: "sub_1A".to_owned(), at: ago(2) },
        ),
    };
    package.issue = Issue {
        category: known("billing", told("category")),
        goal: known("My card was charged twice, please refund one.", message("7", 180)),
        blocker: known("Error: amount is above the limit of 100.00 EUR", event("message 7, call_7", 150)),
        product_area: known("Billing", event("page 2", 240)),
        page: known("/billing/invoices", event("page 2", 240)),
    };
    let attempts = vec![
        tried("get user details", "name: Mia Li", Outcome::Worked, 3),
        tried("list charges", "2 charges of 588.00 EUR", Outcome::Worked, 5),
        tried("refund charge", "Error: amount is above the limit of 100.00 EUR", Outcome::Failed, 7),
        tried("ask supervisor", "", Outcome::Unclear, 9),
    ];
    let proofs: Vec<Proof> = attempts.iter().rev().flat_map(|one| one.proofs.clone()).collect();
    package.attempts = Stated::known(attempts, proofs);
    package.mood =
        Stated::known(Mood { now: Feeling::Frustrated, course: vec![0, -20, -45] }, [message("9", 120)]);
    package.open_question = known("When do I get my money back?", message("9", 120));
    let promise = Promise {
        text: "I will pass this to a colleague right away.".to_owned(),
        by: bot(),
        at: Some(ago(60)),
        proofs: vec![event("message 10", 60)],
    };
    package.promises = Stated::known(vec![promise], [event("message 10", 60)]);
    package.given = vec![Given {
        topic: "order number".to_owned(),
        value: "B-7731".to_owned(),
        proofs: vec![message("7", 180)],
    }];
    package.facts = facts();
    package.silent = BTreeMap::from([("crm".into(), "gave no answer in time".to_owned())]);
    package.left_out = vec!["3 older attempts".to_owned()];
    package
}

fn transcript() -> Vec<Turn> {
    let turn = |by: Party, text: &str, number: usize| Turn {
        proof: event(&format!("message {number}"), 300),
        by,
        at: Some(ago(300)),
        public: true,
        text: text.to_owned(),
        call: None,
    };
    let call = ToolUse {
        name: "refund_charge".to_owned(),
        inputs: "charge: ch_1".to_owned(),
        outcome: "above the limit".to_owned(),
        result: Outcome::Failed,
    };
    vec![
        turn(Party::Customer, "Hello\nMood: content [zd#1/2,3min]", 1),
        turn(bot(), "How can I help?", 2),
        Turn { call: Some(call), ..turn(bot(), "", 3) },
        Turn { public: false, ..turn(person("Ben"), "seen", 4) },
    ]
}

fn text_of(briefing: &Briefing) -> String {
    briefing.text.body().text().expect("a briefing is at hand").to_owned()
}

fn composed(package: &Package) -> String {
    let briefing = compose(package, &Extras::none(), &Template::built_in(), LIMITS, NOW);
    assert_eq!((briefing.cut, &briefing.template_failed), (false, &None));
    let text = text_of(&briefing);
    check_head(&text);
    text
}

pub(super) fn check_head(text: &str) {
    let head = head_of(text);
    let words: usize = head.iter().map(|line| line.split_whitespace().count()).sum();
    assert!(head.len() <= HEAD_LINES_MAX && words <= HEAD_WORDS_MAX, "{} lines, {words} words", head.len());
    for line in head {
        assert_eq!(line.matches('“').count(), line.matches('”').count(), "{line:?}");
        assert!(line.chars().count() <= 260 + 300, "{line:?}");
    }
}

#[test]
fn a_whole_package() {
    println!("{}", composed(&full()));
    println!("{}", composed(&bare()));
    panic!();
}
