use super::*;

fn messages(json: &str) -> Vec<ChatMessage> {
    serde_json::from_str(json).expect("the transcript reads")
}

fn told(json: &str) -> Told {
    told_from(&messages(json), &TranscriptRules::default())
}

const CHAT: &str = r#"[
  {"role":"system","content":"Never say system@secret.example."},
  {"role":"user","content":"My card was charged twice,\nplease refund it. I am Mia@X.example."},
  {"role":"assistant","content":null,"tool_calls":[
    {"id":"call_1","type":"function","function":{"name":"get_user_details","arguments":"{\"user_id\":\"mia_1\"}"}}]},
  {"role":"tool","tool_call_id":"call_1","name":"get_user_details",
   "content":"{\"name\":{\"first_name\":\"Mia\"},\"email\":\"other@x.example\",\"tags\":[]}"},
  {"role":"assistant","content":"","tool_calls":[
    {"id":"call_1","function":{"name":"refundCharge","arguments":"{\"amount\":51.5,\"password\":\"hunter2\"}"}}]},
  {"role":"tool","tool_call_id":"call_1","content":"\nError: charge not found\nstack"},
  {"role":"assistant","tool_calls":[{"id":"c","function":{"name":"think","arguments":"{}"}}]},
  {"role":"tool","tool_call_id":"c","content":""},
  {"role":"assistant","tool_calls":[{"id":"t","function":{"name":"transfer_to_human_agents",
    "arguments":"{\"summary\":\"Mia was charged\\ntwice.\",\"reason\":\"refund failed\"}"}}]},
  {"role":"tool","tool_call_id":"t","content":"Transfer successful"}
]"#;

#[test]
fn a_transcript_tells_wants_attempts_and_the_agents_own_words() {
    let told = told(CHAT);
    assert_eq!(
        told.customer_wants.as_deref(),
        Some("My card was charged twice, please refund it. I am Mia@X.example.")
    );
    assert_eq!(told.customer_email.as_deref(), Some("Mia@X.example"), "not the system's, not a tool's");
    assert_eq!(told.summary.as_deref(), Some("Mia was charged twice."));
    assert_eq!(told.reason.as_deref(), Some("refund failed"));
    let attempts: Vec<_> = told
        .attempts
        .iter()
        .map(|a| (a.action.as_str(), a.inputs.as_str(), a.outcome.as_str(), a.failed, a.evidence.as_str()))
        .collect();
    assert_eq!(
        attempts,
        [
            (
                "get user details",
                "user id: mia_1",
                "name: (first name: Mia), email: other@x.example, tags: nothing",
                false,
                "message 3, call_1"
            ),
            (
                "refund charge",
                "amount: 51.5, password: ***",
                "Error: charge not found",
                true,
                "message 5, call_1"
            ),
        ],
        "an id that is used twice pairs in order; think and transfer are no attempts"
    );
}

#[test]
fn what_an_answer_says_of_failure() {
    let rows = [
        ("Error: no", true),
        ("error", true),
        ("ERROR 7", true),
        ("No errors found", false),
        (r#"{"error":"x"}"#, true),
        (r#"{"error":null,"ok":true}"#, false),
        (r#"{"errors":[]}"#, false),
        (r#"{"success":false}"#, true),
        (r#"{"ok":false,"why":"x"}"#, true),
        (r#""Error: in a JSON string""#, true),
        ("375", false),
        ("", false),
    ];
    for (answer, failed) in rows {
        assert_eq!(outcome_of(answer).1, failed, "{answer}");
    }
}

#[test]
fn outcomes_read_as_one_short_line() {
    let rows = [
        ("375", "375"),
        ("  \n first\nsecond", "first"),
        ("[]", "nothing"),
        (
            r#"[{"flight_number":"HAT1","seats":{"economy":2}},{"flight_number":"HAT2"}]"#,
            "(flight number: HAT1, seats: (economy: 2)); (flight number: HAT2)",
        ),
        ("[1,2,3,4]", "4 in all: 1; 2; 3"),
        (r#"{"a":null,"b":true,"c":"x\ny"}"#, "a: none, b: yes, c: x y"),
    ];
    for (answer, line) in rows {
        assert_eq!(outcome_of(answer).0, line);
    }
    let long = format!(
        r#"[{{"role":"assistant","tool_calls":[{{"id":"1","function":{{"name":"f","arguments":"{}"}}}}]}},
        {{"role":"tool","tool_call_id":"1","content":"{}"}}]"#,
        "x ".repeat(500),
        "wörd ".repeat(500)
    );
    let attempt = &told(&long).attempts[0];
    assert!(
        attempt.outcome.chars().count() <= 160 && attempt.outcome.ends_with("wörd…"),
        "{}",
        attempt.outcome
    );
    assert!(attempt.inputs.chars().count() <= 120);
}

#[test]
fn odd_messages_are_read_as_far_as_they_go() {
    let told = told(
        r#"[{"role":"user","content":[{"type":"text","text":"Hello"},{"type":"image_url","image_url":{"url":"u"}},
              {"type":"text","text":"there"}],"refusal":null},
            {"role":"critic","content":42,"tool_calls":null},
            {},
            {"role":null,"content":{"a":1},"tool_calls":[{}, {"function":{"name":"no_args"}}, 7]},
            {"role":"assistant","tool_calls":[{"id":"9","function":{"name":"with_object","arguments":{"a":[1]}}}]},
            {"role":"tool","name":"with_object","content":"done"},
            {"role":"tool","tool_call_id":"unknown","content":"lost"}]"#,
    );
    assert_eq!(told.customer_wants.as_deref(), Some("Hello there"));
    let attempts: Vec<_> =
        told.attempts.iter().map(|a| (a.action.as_str(), a.inputs.as_str(), a.outcome.as_str())).collect();
    assert_eq!(attempts, [("no args", "none", ""), ("with object", "a: 1", "done")]);
    assert!(serde_json::from_str::<ChatMessage>("7").is_err());
}

#[test]
fn only_the_newest_attempts_are_kept_and_the_others_counted() {
    let call = |n: usize| {
        format!(
            r#"{{"role":"assistant","tool_calls":[{{"id":"{n}","function":{{"name":"f{n}","arguments":"{{}}"}}}}]}}"#
        )
    };
    let chat = format!("[{}]", (0..20).map(call).collect::<Vec<_>>().join(","));
    let told = told(&chat);
    assert_eq!((told.attempts.len(), told.attempts_left_out), (ATTEMPTS_MAX, 4));
    assert_eq!(told.attempts[0].action, "f4");
    assert_eq!(merge_told(&told, &told), told, "telling it again changes nothing");
}

#[test]
fn told_twice_keeps_each_attempt_once_and_the_newest_words() {
    let first = told(CHAT);
    let more = Told {
        reason: Some("angry".to_owned()),
        attempts: vec![
            Attempt { outcome: "refunded".to_owned(), ..first.attempts[1].clone() },
            Attempt { evidence: "message 9".to_owned(), ..first.attempts[0].clone() },
        ],
        ..Told::default()
    };
    let merged = merge_told(&first, &more);
    assert_eq!(merged.reason.as_deref(), Some("angry"));
    assert_eq!(merged.summary, first.summary);
    assert_eq!(merged.attempts.len(), 3);
    assert_eq!(merged.attempts[1].outcome, "refunded");
    assert_eq!(merge_told(&merged, &more), merged);
}

#[test]
fn addresses_are_found_in_running_text() {
    let rows = [
        ("mail me: <a.b+c@x-y.example>.", Some("a.b+c@x-y.example")),
        ("a@b, c@d.example", Some("c@d.example")),
        ("twitter @mia and a@@b.example or x@y..z", None),
        ("ünï@exämple.de!", Some("ünï@exämple.de")),
    ];
    for (text, email) in rows {
        assert_eq!(first_email(text).as_deref(), email, "{text}");
    }
}

#[test]
fn what_was_said_never_shows_in_debug_output() {
    let shown = format!("{:?}", messages(CHAT));
    assert!(!shown.contains("Mia") && !shown.contains("hunter2"), "{shown}");
}

#[derive(serde::Deserialize)]
struct Recorded {
    conversation_id: String,
    transferred_to_human: bool,
    messages: Vec<ChatMessage>,
}

/// Real conversations, where they are at hand: `HANDOFFD_CORPUS` names their folder.
#[test]
fn every_recorded_transfer_gives_attempts_with_outcomes() {
    let Some(folder) = std::env::var_os("HANDOFFD_CORPUS") else {
        eprintln!("skipped: HANDOFFD_CORPUS does not name a folder with airline-agent-chats.jsonl");
        return;
    };
    let path = std::path::Path::new(&folder).join("airline-agent-chats.jsonl");
    let lines = std::fs::read_to_string(path).expect("the corpus is there");
    let (mut transfers, mut with_attempts) = (0, 0);
    for line in lines.lines() {
        let recorded: Recorded = serde_json::from_str(line).expect("every conversation reads");
        let told = told_from(&recorded.messages, &TranscriptRules::default());
        let name = &recorded.conversation_id;
        assert!(told.customer_wants.as_ref().is_some_and(|wants| wants.chars().count() <= 200), "{name}");
        assert_eq!(told.summary.is_some(), recorded.transferred_to_human, "{name}");
        if !recorded.transferred_to_human {
            continue;
        }
        transfers += 1;
        let tools = recorded.messages.iter().flat_map(|message| &message.tool_calls);
        let tried = tools.filter(|call| !call.name.starts_with("transfer") && call.name != "think").count();
        assert_eq!(told.attempts.len(), tried, "{name}");
        with_attempts += usize::from(tried > 0);
        for attempt in &told.attempts {
            assert!(
                !attempt.outcome.is_empty() && attempt.outcome.chars().count() <= 160,
                "{name} {attempt:?}"
            );
            assert_eq!(attempt.failed, attempt.outcome.starts_with("Error"), "{name} {attempt:?}");
            let number: usize =
                attempt.evidence["message ".len()..].split(',').next().unwrap().parse().unwrap();
            assert!(!recorded.messages[number - 1].tool_calls.is_empty(), "{name} {attempt:?}");
        }
    }
    assert_eq!((transfers, with_attempts), (18, 16), "two hand over without having tried a tool");
}
