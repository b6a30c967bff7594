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

pub(crate) const NOW: Timestamp = Timestamp(1_795_334_400_000); // 2026-11-22T08:00:00Z
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
            team: None,
            take_by: None,
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
        issue: Issue {
            category: none(),
            summary: none(),
            goal: none(),
            blocker: none(),
            product_area: none(),
            page: none(),
        },
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
        summary: known("Mia was charged twice and wants one charge back.", told("summary")),
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

pub(crate) fn check_head(text: &str) {
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
    assert_eq!(
        composed(&full()),
        "\
AI handoff, for agents only [h0123456789abcdef0123,4s]
Customer: “Mia Li” <mia@x.example>, tier Team (past due); open invoice 588.00 EUR (“F00-0012, 2 attempts”) [zd#35436:requester,4s][pay/sub_1A,2s][pay/in_7,2s]
Wants: “My card was charged twice, please refund one.” [zd#35436/7,3min]
Blocked by: “Error: amount is above the limit of 100.00 EUR” [message-7,call_7,2min]
Tried: list charges: worked “2 charges of 588.00…”; refund charge: failed “Error: amount is above…”; ask supervisor: unanswered (and 1 before) [message-9,call_9,3min][message-7,call_7,3min][message-5,call_5,3min]
Mood: frustrated, getting worse; area Billing, page /billing/invoices [zd#35436/9,2min][page-2,4min]
Handed over: “refund is above my limit” [ada:reason.text,4s]
Open: “When do I get my money back?”; promised: “I will pass this to a colleague right away.” [zd#35436/9,2min][message-10,1min]
----------------------------------------
What it is about:
- summary, not checked: “Mia was charged twice and wants one charge back.” [ada:summary, 4 s old]
- wants: “My card was charged twice, please refund one.” [zd#35436/7, 3 min old]
- blocked by: “Error: amount is above the limit of 100.00 EUR” [message-7,call_7, 2 min old]
- open question: “When do I get my money back?” [zd#35436/9, 2 min old]
- category: “billing” [ada:category, 4 s old]
- product area: “Billing” [page-2, 4 min old]
- page: “/billing/invoices” [page-2, 4 min old]
- subject: “Charged twice” [zd#35436:subject, 4 s old]
- channel: “email” [start, 5 min old]
- language: “en” [zd#35436/7, 3 min old]
- mood: frustrated, by message from -100 to 100: 0 -20 -45 [zd#35436/9, 2 min old]
Tried, oldest first:
- hop 1, AI agent “ada”: get user details, with “user id: mia_1”: worked, “name: Mia Li” [message-3,call_3, 3 min old]
- hop 1, AI agent “ada”: list charges, with “user id: mia_1”: worked, “2 charges of 588.00 EUR” [message-5,call_5, 3 min old]
- hop 1, AI agent “ada”: refund charge, with “user id: mia_1”: failed, “Error: amount is above the limit of 100.00 EUR” [message-7,call_7, 3 min old]
- hop 1, AI agent “ada”: ask supervisor, with “user id: mia_1”: no answer is known [message-9,call_9, 3 min old]
Promised, and not known to be done:
- AI agent “ada”: “I will pass this to a colleague right away.” [message-10, 1 min old]
Given already, do not ask again:
- order number: “B-7731” [zd#35436/7, 3 min old]
Customer:
- name: “Mia Li” [zd#35436:requester, 4 s old]
- e-mail: “mia@x.example” [zd#35436:requester, 4 s old]
- tier: “Team (past due)” [pay/sub_1A, 2 s old]
From pay:
- plan: Team (“past due”) [pay/sub_1A, 2 s old]
- open invoice: 588.00 EUR (“F00-0012, 2 attempts”) [pay/in_7, 2 s old]
- restricted, not shown here: 1
Sources that say nothing:
- crm: unknown (gave no answer in time)
This handoff:
- hop 1, from AI to people: from AI agent “ada” to agent “Billing” at 2026-11-22T07:59:56Z
- reason: “refund is above my limit” [ada:reason.text, 4 s old]
- handoff h0123456789abcdef0123; tickets: zd/35436; 9 messages read
Left out:
- 3 older attempts"
    );
}

#[test]
fn nothing_known_is_said_with_the_reason() {
    let text = composed(&bare());
    assert_eq!(
        head_of(&text),
        [
            "AI handoff, for agents only [h0123456789abcdef0123,4s]",
            "Customer: unknown (nobody said it); tier unknown (nobody said it)",
            "Wants: unknown (nobody said it)",
            "Blocked by: unknown (nobody said it)",
            "Tried: unknown (no transcript came)",
            "Mood: unknown (the customer wrote nothing); product-area unknown (nobody said it); page unknown (nobody said it)",
            "Handed over: unknown (nobody said it)",
            "Open: open-question unknown (nobody said it); promises not applicable (nobody wrote to them)",
        ]
    );
    assert!(text.contains("Promised, and not known to be done:\n- not applicable (nobody wrote to them)\n"));
}

#[test]
fn each_kind_has_its_title() {
    let hop = |kind| Hop {
        id: "h9".into(),
        kind,
        from: bot(),
        to: person("Ben"),
        at: ago(4_000),
        reason: Some("too hard".to_owned()),
    };
    let cases = [
        (HandoffKind::AiToHuman, None, bot(), "AI handoff, for agents only"),
        (HandoffKind::HumanToHuman, None, person("Ben"), "Handoff between people, for agents only"),
        (
            HandoffKind::HumanToHuman,
            Some(HandoffKind::AiToHuman),
            person("Ben"),
            "Handoff between people, for agents only",
        ),
        (HandoffKind::AiToHuman, Some(HandoffKind::HumanToAi), bot(), "Reopened handoff, for agents only"),
        (
            HandoffKind::HumanToHuman,
            Some(HandoffKind::AiToHuman),
            Party::Nobody,
            "Reopened handoff, for agents only",
        ),
        (HandoffKind::HumanToAi, None, person("Ben"), "Back to AI, for agents only"),
    ];
    for (kind, before, from, title) in cases {
        let mut package = full();
        package.handoff.kind = kind;
        package.handoff.from = from;
        package.lineage = before.into_iter().map(hop).collect();
        let text = composed(&package);
        assert!(text.starts_with(&format!("{title} [h0123")), "{kind:?}: {}", head_of(&text)[0]);
        assert!(is_briefing(&text));
    }
    assert!(!is_briefing("Hello"));
}

#[test]
fn hops_before_are_told_with_their_reasons() {
    let mut package = full();
    package.lineage = vec![Hop {
        id: "h9".into(),
        kind: HandoffKind::AiToHuman,
        from: bot(),
        to: person("Ben"),
        at: ago(4_000),
        reason: Some("too\nhard".to_owned()),
    }];
    let line = "- from AI to people: from AI agent “ada” to agent “Ben”: “too hard” [handoff:h9, 1 h old]";
    assert!(composed(&package).contains(line));
}

#[test]
fn what_is_on_no_ticket_is_told_once_by_whoever_said_it() {
    let turns = transcript();
    let extras = Extras { transcript: &turns, ..Extras::none() };
    let briefing = compose(&full(), &extras, &Template::built_in(), LIMITS, NOW);
    let text = text_of(&briefing);
    check_head(&text);
    let told: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Said to")).collect();
    assert_eq!(
        told,
        [
            "Said to the AI agent and not seen on a ticket, oldest first:",
            "- customer: “Hello Mood: content [zd#1/2,3min]” [message-1, 5 min old]",
            "- AI agent “ada”: “How can I help?” [message-2, 5 min old]",
            "- AI agent “ada”: called refund_charge with “charge: ch_1”: failed, “above the limit” [message-3, 5 min old]",
            "- agent “Ben”: “seen” (the customer did not see it) [message-4, 5 min old]",
        ]
    );
    let many: Vec<Turn> = (0..100).map(|_| turns[1].clone()).collect();
    let extras = Extras { transcript: &many, ..Extras::none() };
    let text = text_of(&compose(&full(), &extras, &Template::built_in(), LIMITS, NOW));
    assert!(text.contains("- 40 older messages are left out\n"));
    assert_eq!(text.matches("How can I help?").count(), 60);
}

#[test]
fn a_note_that_is_too_long_is_cut_with_a_notice() {
    let limits = NoteLimits { bytes_max: 1_800 };
    let briefing = compose(&full(), &Extras::none(), &Template::built_in(), limits, NOW);
    let text = text_of(&briefing);
    assert!(briefing.cut && text.len() <= 1_800, "{}", text.len());
    assert!(text.ends_with("Handoff h0123456789abcdef0123 keeps all of it.]"));
    assert_eq!(head_of(&text).len(), 8);
    let tiny = compose(&full(), &Extras::none(), &Template::built_in(), NoteLimits { bytes_max: 1 }, NOW);
    assert_eq!(text_of(&tiny).lines().count(), 9, "the head is never cut");
}

fn late(package: &Package, sent: &str, now: Timestamp) -> Option<String> {
    compose_late(package, sent, &Extras::none(), &Template::built_in(), LIMITS, now)
        .map(|late| text_of(&late))
}

#[test]
fn what_came_late_is_told_alone() {
    let mut before = full();
    before.facts = Vec::new();
    before.customer.tier = Stated::unknown("pay gave no answer in time");
    before.silent.insert("pay".into(), "gave no answer in time".to_owned());
    let sent = composed(&before);
    assert_eq!(late(&before, &sent, NOW), None);
    assert_eq!(late(&before, &sent, Timestamp(NOW.0 + 500_000)), None, "age alone is nothing new");

    let text = late(&full(), &sent, NOW).expect("facts came");
    check_head(&text);
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            LATE_TITLE,
            "Customer: “Mia Li” <mia@x.example>, tier Team (past due); open invoice 588.00 EUR (“F00-0012, 2 attempts”) [zd#35436:requester,4s][pay/sub_1A,2s][pay/in_7,2s]",
            SEPARATOR,
            "Customer:",
            "- tier: “Team (past due)” [pay/sub_1A, 2 s old]",
            "From pay:",
            "- plan: Team (“past due”) [pay/sub_1A, 2 s old]",
            "- open invoice: 588.00 EUR (“F00-0012, 2 attempts”) [pay/in_7, 2 s old]",
            "- restricted, not shown here: 1",
        ]
    );
    assert!(is_briefing(&text));
    let all = late(&full(), "", NOW).expect("a briefing that is not at hand has said nothing");
    assert!(all.contains("Wants:") && all.contains("order number"));
}

#[test]
fn a_rewritten_line_says_so_and_keeps_its_evidence() {
    let words = BTreeMap::from([
        ("wants".into(), "One of two charges\nrefunded".to_owned()),
        ("nothing".into(), "No such line".to_owned()),
    ]);
    let extras = Extras { rewritten: &words, ..Extras::none() };
    let text = text_of(&compose(&full(), &extras, &Template::built_in(), LIMITS, NOW));
    check_head(&text);
    assert!(text.contains("\nWants (reworded): One of two charges refunded [zd#35436/7,3min]\n"), "{text}");
    assert!(!text.contains("No such line"));
    // Nothing is known of the line: what a model says of it has no source.
    let text = text_of(&compose(&bare(), &extras, &Template::built_in(), LIMITS, NOW));
    assert!(text.contains("\nWants: unknown (nobody said it)\n"), "{text}");
}

#[test]
fn a_template_that_fails_gives_way_to_the_built_in_one() {
    let long = "{% if goal %}".repeat(30) + "{{ goal }}" + &"{% endif %}".repeat(30);
    let broken = template::tests::unchecked("{{ goal[7].x }}");
    let briefing = compose(&full(), &Extras::none(), &broken, LIMITS, NOW);
    assert!(briefing.template_failed.as_deref().is_some_and(|why| why.starts_with("mine: ")), "{briefing:?}");
    assert_eq!(text_of(&briefing), composed(&full()));
    let fuel = template::tests::unchecked(&long.repeat(20));
    let briefing = compose(&full(), &Extras::none(), &fuel, LIMITS, NOW);
    assert!(briefing.template_failed.as_deref().is_some_and(|why| why.contains("fuel")), "{briefing:?}");
}

mod any {
    use proptest::prelude::*;

    use super::*;

    /// Texts that would like to be more than text.
    fn text() -> impl Strategy<Value = String> {
        let nasty = prop_oneof![
            Just("a” [zd#1/2,3min]\nMood: content".to_owned()),
            Just("word ".repeat(200)),
            Just("長".repeat(500)),
            Just("\u{202E}evil\u{200B} “quoted” \"x\" {{ goal }} {% if x %}".to_owned()),
            Just(String::new()),
            "\\PC{0,80}",
            "[a-z ]{0,300}",
        ];
        nasty.boxed()
    }

    fn stated(proof: Proof) -> impl Strategy<Value = Stated<String>> {
        prop_oneof![
            3 => text().prop_map(move |text| known(&text, proof.clone())),
            1 => text().prop_map(Stated::unknown),
            1 => text().prop_map(Stated::not_applicable),
        ]
    }

    prop_compose! {
        fn package()(
            goal in stated(message("goal", 5)), blocker in stated(message("blocker", 5)),
            reason in stated(told("reason")), name in stated(message("name", 5)),
            email in stated(message("email", 5)), tier in stated(told("tier")),
            area in stated(event("area", 5)), page in stated(event("page", 5)),
            question in stated(message("question", 5)), outcomes in prop::collection::vec((text(), text()), 0..6),
            promised in prop::collection::vec(text(), 0..3), id in text(),
        ) -> Package {
            let mut package = full();
            package.issue = Issue { goal, blocker, product_area: area, page, ..package.issue };
            package.handoff.reason = reason;
            package.customer = Customer { name, email, tier };
            package.open_question = question;
            let tries: Vec<Tried> = outcomes.iter().map(|(action, outcome)| Tried {
                proofs: vec![event(&id, 9)], ..tried(action, outcome, Outcome::Failed, 1)
            }).collect();
            let proofs: Vec<Proof> = tries.iter().flat_map(|one| one.proofs.clone()).collect();
            package.attempts = Stated::known(tries, proofs);
            let promises = promised.into_iter().map(|text| Promise { text, by: bot(), at: None, proofs: vec![event(&id, 9)] });
            package.promises = Stated::known(promises.collect(), [event("promise", 9)]);
            package
        }
    }

    /// Templates as an admin might write them, right or not.
    fn template() -> impl Strategy<Value = String> {
        let field = prop::sample::select(&fields::FIELDS[..]);
        let line = (
            field.clone(),
            field,
            prop_oneof![
                Just(" and "),
                Just(" — “"),
                Just("\\n"),
                Just(" [x,1s] "),
                "[a-z ]{0,40}".prop_map(|text: String| &*text.leak())
            ],
            4_usize..40,
        );
        prop::collection::vec(line, 1..9).prop_map(|lines| {
            let mut text = "[template]\nname = \"t\"\nversion = \"1\"\n".to_owned();
            for (number, (one, other, between, words)) in lines.into_iter().enumerate() {
                let fields = if one == other { format!("\"{one}\"") } else { format!("\"{one}\", \"{other}\"") };
                text += &format!(
                    "[[line]]\nid = \"l{number}\"\nlabel = \"L{number}\"\nfields = [{fields}]\nwords = {words}\n\
                     text = \"{{{{ {one} }}}}{between}{{{{ {other} }}}}\"\n"
                );
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn no_template_and_no_text_breaks_the_head(package in package(), template in template()) {
            let templates = [Some(Template::built_in()), Template::parse("t.toml", &template).ok()];
            for template in templates.into_iter().flatten() {
                let briefing = compose(&package, &Extras::none(), &template, LIMITS, NOW);
                let text = text_of(&briefing);
                prop_assert_eq!(&briefing.template_failed, &None);
                let head = head_of(&text);
                let words: usize = head.iter().map(|line| line.split_whitespace().count()).sum();
                prop_assert!(head.len() == template.lines().len() + 1 && head.len() <= HEAD_LINES_MAX, "{head:?}");
                prop_assert!(words <= HEAD_WORDS_MAX, "{words}: {head:?}");
                for (line, shown) in template.lines().iter().zip(&head[1..]) {
                    prop_assert!(shown.starts_with(&format!("{}: ", line.label)), "{shown}");
                    prop_assert!(!text::one_line(shown).is_empty() && text::one_line(shown) == **shown, "{shown}");
                    let fields: Vec<fields::Shown> = line.fields.iter().filter_map(|name| fields::field(name, &package, template.wording())).collect();
                    let evidence = shown.rsplit(' ').next().unwrap_or_default();
                    if fields.iter().any(fields::Shown::is_known) {
                        prop_assert!(evidence.starts_with('[') && evidence.ends_with(']'), "{shown}");
                    } else {
                        prop_assert!(["unknown (", "not applicable (", "none"].iter().any(|word| shown.contains(word)), "{shown}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_that_shows_nothing_is_said_to_be_none() {
    let template = "[template]\nname = \"t\"\nversion = \"1\"\n[[line]]\nid = \"l0\"\nlabel = \"Area\"\nfields = [\"product_area\"]\nwords = 4\ntext = \"{{ product_area }}\\n{{ product_area }}\"\n";
    let template = Template::parse("t.toml", template).expect("a template");
    let mut package = full();
    let proof = Proof::Event { id: "area".to_owned(), at: Some(NOW) };
    package.issue.product_area = Stated::known(String::new(), [proof]);
    let text = text_of(&compose(&package, &Extras::none(), &template, LIMITS, NOW));
    assert!(head_of(&text)[1].starts_with("Area: none ["), "{text}");
}

fn tried_by(by: Party, action: &str, proof: Proof) -> Package {
    let mut package = full();
    let proofs = vec![proof.clone()];
    let one = Tried { by, outcome: String::new(), proofs, ..tried(action, "", Outcome::Unclear, 1) };
    package.attempts = Stated::known(vec![one], [proof]);
    package
}

#[test]
fn words_of_others_on_what_was_tried_are_theirs() {
    let cases = [
        (
            Party::Customer,
            "I restarted it.",
            message("7", 180),
            "Tried: customer “I restarted it.”: unanswered [",
        ),
        (person("Ben"), "reset it", message("7", 180), "Tried: “Ben” “reset it”: unanswered ["),
        (bot(), "reset it", told("attempts"), "Tried: “reset it”: unanswered ["),
        (bot(), "reset account", event("e1, c1", 180), "Tried: reset account: unanswered ["),
    ];
    for (by, action, proof, begins) in cases {
        let text = composed(&tried_by(by, action, proof));
        assert!(text.lines().any(|line| line.starts_with(begins)), "{begins}: {text}");
    }
}

#[test]
fn a_source_forges_no_words_and_no_evidence_of_ours() {
    let forged = "Mia [zd#1/2,3min]; tier Enterprise";
    let mut package = full();
    package.facts = vec![
        fact(FactKey::Customer, FactValue::Text(forged.to_owned()), "", "cus_1"),
        fact(FactKey::Plan, FactValue::Text("Team [zd#1/2,3min]".to_owned()), "own [x,1s]", "sub_1"),
    ];
    let text = composed(&package);
    assert!(text.contains(&format!("- customer: “{forged}” [pay/cus_1")), "{text}");
    assert!(text.contains("- plan: Team (zd#1/2,3min) (“own [x,1s]”) [pay/sub_1"), "{text}");
}

#[test]
fn an_owner_without_a_known_name_has_their_id() {
    let mut package = full();
    package.handoff.to = Party::Human { name: None, id: Some("77".into()) };
    assert!(composed(&package).contains("from AI agent “ada” to agent 77 at"));
}

#[test]
fn a_line_that_is_the_beginning_of_another_is_new() {
    let mut package = full();
    let sent = composed(&package).replace("not shown here: 1", "not shown here: 12");
    package.left_out.clear();
    let late = late(&package, &sent, NOW).expect("another number");
    assert!(late.contains("- restricted, not shown here: 1"), "{late}");
}

#[test]
fn a_note_names_the_template_that_made_it() {
    let briefing = compose(&full(), &Extras::none(), &Template::built_in(), LIMITS, NOW);
    assert_eq!(briefing.template, "default 1");
}
