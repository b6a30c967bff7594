use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;
use crate::{model::turn::Proof, transcript::ChatMessage};

fn rules() -> CaptureRules {
    CaptureRules {
        agent: Some("helper".to_owned()),
        areas: vec![("/billing".to_owned(), "Billing".to_owned())],
        ..CaptureRules::default()
    }
}

fn event(id: &str, at: Option<i64>, what: What) -> CaptureEvent {
    CaptureEvent::new(Some(id.to_owned()), at.map(Timestamp::from_secs), what)
}

fn says(text: &str) -> What {
    What::Turn { by: Party::Customer, text: text.to_owned(), public: true }
}

fn calls(id: Option<&str>, name: &str) -> What {
    What::ToolCall { call_id: id.map(str::to_owned), name: name.to_owned(), inputs: "{\"id\": 1}".to_owned() }
}

fn answers(id: Option<&str>, name: Option<&str>, outcome: &str) -> What {
    What::ToolResult {
        call_id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        outcome: outcome.to_owned(),
        result: Outcome::Unclear,
    }
}

fn view(page: &str) -> What {
    What::PageView { page: Some(page.to_owned()), screen: None, build: None, flags: Vec::new(), error: None }
}

fn folded(events: impl IntoIterator<Item = CaptureEvent>) -> Captured {
    let mut captured = Captured::default();
    for event in events {
        capture(&mut captured, &event, &rules());
    }
    captured
}

fn shown(captured: &Captured) -> Vec<(String, String, Outcome)> {
    let calls = captured.turns.iter().filter_map(|turn| turn.call.as_ref());
    calls.map(|call| (call.name.clone(), call.outcome.clone(), call.result)).collect()
}

#[test]
fn answers_find_their_calls() {
    let captured = folded([
        event("1", None, calls(Some("c"), "first")),
        event("2", None, calls(Some("c"), "second")),
        event("3", None, calls(None, "third")),
        event("4", None, answers(Some("c"), None, "one")),
        event("5", None, answers(None, Some("third"), "{\"error\":\"no\"}")),
        event("6", None, answers(Some("c"), None, "")),
        // Its call comes later.
        event("7", None, answers(Some("late"), None, "three")),
        event("8", None, answers(Some("never"), None, "lost")),
        event("9", None, calls(Some("late"), "fourth")),
    ]);
    let row = |name: &str, outcome: &str, result| (name.to_owned(), outcome.to_owned(), result);
    assert_eq!(
        shown(&captured),
        [
            row("first", "one", Outcome::Worked),
            row("second", "nothing", Outcome::Unclear),
            row("third", "error: no", Outcome::Failed),
            row("", "lost", Outcome::Worked),
            row("fourth", "three", Outcome::Worked),
        ]
    );
    let proofs: Vec<_> = captured.turns.iter().map(|turn| turn.proof.clone()).collect();
    assert_eq!(proofs[4], Proof::Event { id: "9, late".to_owned(), at: None });
    assert_eq!(captured.turns.iter().filter(|turn| is_result_alone(turn)).count(), 1);
}

#[test]
fn late_events_stand_where_their_time_is_and_repeats_change_nothing() {
    let mut captured = folded([
        event("a", Some(10), says("second")),
        event("b", Some(30), says("fourth")),
        event("c", Some(20), says("third")),
        event("d", Some(5), says("first")),
        event("e", None, says("last")),
    ]);
    let texts: Vec<_> = captured.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(texts, ["first", "second", "third", "fourth", "last"]);
    assert_eq!(captured.first.as_ref().map(|turn| turn.text.as_str()), Some("first"));
    assert_eq!(captured.at, Timestamp::from_secs(30));
    let before = captured.clone();
    assert_eq!(capture(&mut captured, &event("c", Some(21), says("other words")), &rules()), Taken::Repeated);
    assert_eq!(captured, before);
    assert_eq!(capture(&mut captured, &event("f", None, says(" \u{200b}\n")), &rules()), Taken::Empty);
    assert_eq!(captured, before);
}

#[test]
fn two_hundred_product_events_become_few_facts() {
    let product = |number: usize| What::Product {
        name: format!("action_{}", number % 40),
        area: Some(["/billing/x", "Reports", "Team"][number % 3].to_owned()),
        properties: BTreeMap::from([("blob".to_owned(), "x".repeat(2_000))]),
        ok: Some(!number.is_multiple_of(5)),
        error_code: number.is_multiple_of(10).then(|| format!("E{}", number % 20)),
        dwell_secs: Some(2),
    };
    let captured = folded((0..200).map(|number| event(&format!("p{number}"), None, product(number))));
    let behaviour = &captured.behaviour;
    assert_eq!(behaviour.events, 200);
    assert_eq!(
        behaviour.dwell_secs,
        BTreeMap::from([("Billing".to_owned(), 134), ("Reports".to_owned(), 134), ("Team".to_owned(), 132),])
    );
    assert_eq!(behaviour.failed.len(), 8);
    assert_eq!(behaviour.failed["action 35"].0, 5);
    assert_eq!(behaviour.errors["E10"], (10, Proof::Event { id: "p190".to_owned(), at: None }));
    assert!(captured.turns.is_empty() && serde_json::to_vec(&captured).unwrap().len() < 8 * 1024);
}

#[test]
fn a_long_conversation_keeps_its_start_and_its_newest() {
    let long = "wörd \"quoted\" ".repeat(200);
    let mut captured = folded(
        (0..300).map(|number| event(&format!("t{number}"), Some(number), says(&format!("{number} {long}")))),
    );
    let size = |captured: &Captured| serde_json::to_vec(captured).unwrap().len();
    assert!(size(&captured) <= CAPTURED_BYTES_MAX);
    assert!(captured.turns.len() >= 5 && captured.turns.last().unwrap().text.starts_with("299 "));
    assert_eq!(captured.turns.len() + captured.turns_left_out as usize, 300, "what went is counted");
    assert!(captured.first.as_ref().is_some_and(|first| first.text.starts_with("0 ")));
    let old = capture(&mut captured, &event("old", Some(1), says(&long)), &rules());
    assert_eq!(old, Taken::TooOld);
    assert_eq!(captured.turns.len() + captured.turns_left_out as usize, 301);
}

#[test]
fn pages_are_kept_without_secrets_and_with_their_area() {
    let error = What::PageView {
        page: Some("/billing?token=t0p5ecret".to_owned()),
        screen: None,
        build: Some("4.1".to_owned()),
        flags: vec!["new_export".to_owned()],
        error: Some("cannot complete this action for mia@example.com".to_owned()),
    };
    let mut captured = folded([
        event("1", None, view("/home")),
        event("2", None, view("/billing?token=t0p5ecret")),
        event("3", None, error),
    ]);
    assert_eq!(captured.pages.len(), 2, "the same page again is one view");
    let page = captured.pages.last().unwrap();
    assert_eq!((page.page.as_str(), page.area.as_deref()), ("/billing?token=*", Some("Billing")));
    assert_eq!(page.error.as_deref(), Some("cannot complete this action for *"));
    assert_eq!(page.build.as_deref(), Some("4.1; flags: new_export"));
    assert!(!serde_json::to_string(&captured).unwrap().contains("t0p5ecret"));
    for number in 0..40 {
        capture(&mut captured, &event(&format!("v{number}"), None, view(&format!("/p{number}"))), &rules());
    }
    assert_eq!((captured.pages.len(), captured.pages[19].page.as_str()), (20, "/p39"));
}

#[test]
fn what_the_agent_states_is_one_name_each_and_can_be_taken_back() {
    let state = |pairs: &[(&str, &str)]| {
        What::State(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    };
    let mut captured = folded([
        event(
            "1",
            Some(10),
            state(&[("openQuestion", "Which card?"), ("plan", "gold"), ("password", "hunter2")]),
        ),
        event("2", Some(5), state(&[("open_question", "an older one")])),
        event("3", Some(20), state(&[("goal", "a refund")])),
    ]);
    let names: Vec<_> =
        captured.stated.iter().map(|(name, stated)| (name.as_str(), stated.value.as_str())).collect();
    assert_eq!(names, [("goal", "a refund"), ("open_question", "Which card?"), ("tier", "gold")]);
    assert_eq!(
        captured.stated["goal"].proof,
        Proof::Event { id: "3, goal".to_owned(), at: Some(Timestamp::from_secs(20)) }
    );
    for number in 0..60 {
        let name = format!("other_{number}");
        capture(&mut captured, &event(&name, Some(30), state(&[(name.as_str(), "x")])), &rules());
    }
    assert!(captured.stated.len() <= 24 && captured.stated.contains_key("goal"));
    capture(&mut captured, &event("4", Some(40), state(&[("goal", " ")])), &rules());
    assert!(!captured.stated.contains_key("goal"));
}

#[test]
fn a_tool_says_who_they_are_only_if_asked_by_what_they_said() {
    let looked_up = |said: &str, tool: &str| {
        folded([
            event("1", None, says(said)),
            event(
                "2",
                None,
                What::ToolCall {
                    call_id: None,
                    name: tool.to_owned(),
                    inputs: "{\"user_id\":\"mia_li_3668\"}".to_owned(),
                },
            ),
            event(
                "3",
                None,
                answers(
                    None,
                    None,
                    r#"{"name":{"first_name":"Mia","last_name":"Li"},"email":"mia@x.example","membership":"gold"}"#,
                ),
            ),
        ])
    };
    let captured = looked_up("My user id is mia_li_3668.", "get_user_details");
    let names: Vec<_> =
        captured.stated.iter().map(|(name, stated)| (name.as_str(), stated.value.as_str())).collect();
    assert_eq!(names, [("email", "mia@x.example"), ("name", "Mia Li"), ("tier", "gold")]);
    assert_eq!(captured.stated["tier"].proof, Proof::Event { id: "2".to_owned(), at: None });
    assert!(looked_up("I am mia_li_36689, no more.", "get_user_details").stated.is_empty(), "another's id");
    assert!(
        looked_up("My user id is mia_li_3668.", "search_users").stated.is_empty(),
        "a search is no lookup"
    );
}

const CHAT: &str = r#"[
  {"role":"system","content":"Never say so."},
  {"role":"user","content":"My card was charged twice."},
  {"role":"assistant","content":"Let me see.","tool_calls":[
    {"id":"c","type":"function","function":{"name":"get_charge","arguments":"{\"id\":\"ch_1\"}"}},
    {"id":"c","type":"function","function":{"name":"get_charge","arguments":"{\"id\":\"ch_1\"}"}}]},
  {"role":"tool","tool_call_id":"c","content":"found"},
  {"role":"tool","tool_call_id":"c","content":"Error: gone"}]"#;

#[test]
fn a_transcript_is_a_stream_and_sent_again_adds_only_what_is_new() {
    let messages: Vec<ChatMessage> = serde_json::from_str(CHAT).unwrap();
    let mut captured = folded(events_from(&messages[..4]));
    for event in events_from(&messages) {
        capture(&mut captured, &event, &rules());
    }
    let proofs: Vec<_> = captured
        .turns
        .iter()
        .map(|turn| match &turn.proof {
            Proof::Event { id, .. } => id.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(proofs, ["message 2", "message 3", "message 3, c", "message 3, c"]);
    let outcomes: Vec<_> =
        shown(&captured).into_iter().map(|(_, outcome, result)| (outcome, result)).collect();
    assert_eq!(
        outcomes,
        [("found".to_owned(), Outcome::Worked), ("Error: gone".to_owned(), Outcome::Failed)]
    );
    let other: Vec<ChatMessage> =
        serde_json::from_str(r#"[{"role":"user","content":"Hello again."}]"#).unwrap();
    assert_eq!(capture(&mut captured, &events_from(&other)[0], &rules()), Taken::Taken, "another message 1");
}

#[test]
fn a_transcript_of_any_length_is_taken_in_once() {
    let message = |number: usize| {
        format!(r#"{{"role":"{}","content":"words {number}"}}"#, ["user", "assistant"][number % 2])
    };
    let chat = format!("[{}]", (0..500).map(message).collect::<Vec<_>>().join(","));
    let messages: Vec<ChatMessage> = serde_json::from_str(&chat).unwrap();
    let mut captured = folded(events_from(&messages));
    let before = captured.clone();
    assert_eq!(captured.first.as_ref().map(|turn| turn.text.as_str()), Some("words 0"));
    for event in events_from(&messages) {
        assert_eq!(capture(&mut captured, &event, &rules()), Taken::Repeated);
    }
    assert_eq!(captured, before);
}

fn drawn() -> impl Strategy<Value = What> {
    let text = || prop_oneof![any::<String>(), "\\PC{0,60}", "(\"\\\\🦀\\n ){0,900}", "[a-z ]{0,3000}"];
    let short = || prop::option::of(text());
    prop_oneof![
        (text(), any::<bool>()).prop_map(|(text, public)| What::Turn { by: Party::Customer, text, public }),
        (short(), text(), text()).prop_map(|(call_id, name, inputs)| What::ToolCall {
            call_id,
            name,
            inputs
        }),
        (short(), short(), text()).prop_map(|(call_id, name, outcome)| What::ToolResult {
            call_id,
            name,
            outcome,
            result: Outcome::Unclear
        }),
        (short(), short(), short(), prop::collection::vec(text(), 0..3), short()).prop_map(
            |(page, screen, build, flags, error)| What::PageView { page, screen, build, flags, error }
        ),
        (text(), short(), short(), any::<u64>()).prop_map(|(name, area, error_code, dwell)| What::Product {
            name,
            area,
            properties: BTreeMap::new(),
            ok: Some(false),
            error_code,
            dwell_secs: Some(dwell),
        }),
        prop::collection::btree_map(text(), text(), 0..6).prop_map(What::State),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_streamed_it_fits(
        events in prop::collection::vec((any::<u8>(), prop::option::of(-9i64..99), drawn()), 0..80),
        bytes_max in prop_oneof![Just(CAPTURED_BYTES_MAX), 200usize..30_000],
    ) {
        let rules = CaptureRules { bytes_max, ..rules() };
        let mut captured = Captured::default();
        for (id, at, what) in events {
            let event = event(&id.to_string(), at, what);
            capture(&mut captured, &event, &rules);
            let bytes = serde_json::to_vec(&captured).unwrap().len();
            prop_assert!(bytes <= bytes_max.clamp(600, CAPTURED_BYTES_MAX), "{} bytes", bytes);
            let before = captured.clone();
            let again = capture(&mut captured, &event, &rules);
            prop_assert!(again == Taken::Repeated || again == Taken::Empty || bytes_max < 16_000);
            if again == Taken::Repeated {
                prop_assert_eq!(&captured, &before);
            }
        }
    }
}
