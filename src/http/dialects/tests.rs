//! Golden samples of each dialect, and that no field is lost in silence.

use handoffd_core::{capture::CaptureEvent, model::turn::Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The samples in `golden/`: each beside what it is read as, in `<name>.mapped.json`.
const SAMPLES: [(&str, Dialect); 8] = [
    ("native", Dialect::Native),
    ("native_least", Dialect::Native),
    ("bot_framework", Dialect::BotFramework),
    ("bot_framework_older", Dialect::BotFramework),
    ("botpress", Dialect::Botpress),
    ("openai_call", Dialect::OpenAi),
    ("openai_completion", Dialect::OpenAi),
    ("openai_message", Dialect::OpenAi),
];

fn file(name: &str) -> String {
    format!("{}/src/http/dialects/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn sample(name: &str) -> Value {
    let text = std::fs::read_to_string(file(&format!("{name}.json"))).expect("a sample");
    serde_json::from_str(&text).expect("JSON")
}

fn rules() -> TranscriptRules {
    let transfer_prefixes = ["transfer", "handoff", "escalate"].map(str::to_owned).to_vec();
    TranscriptRules { transfer_prefixes, ..TranscriptRules::default() }
}

fn read(dialect: Dialect, body: &Value) -> (Heard, Form) {
    let mut form = Form::default();
    let heard = dialect.read(&Place::root(body), &mut form, &rules());
    (heard, form)
}

fn shown_event(event: &CaptureEvent) -> Value {
    let what = match &event.what {
        What::Turn { by, text, public } => json!({ "turn": text, "by": by, "public": public }),
        What::ToolCall { call_id, name, inputs } => json!({ "call": name, "id": call_id, "inputs": inputs }),
        What::ToolResult { call_id, name, outcome, result } => {
            let result = match result {
                Outcome::Worked => "worked",
                Outcome::Failed => "failed",
                Outcome::Unclear => "unclear",
            };
            json!({ "answer": outcome, "id": call_id, "tool": name, "result": result })
        }
        What::PageView { page, screen, build, flags, error } => {
            json!({ "page": page, "screen": screen, "build": build, "flags": flags, "error": error })
        }
        What::Product { name, .. } => json!({ "product": name }),
        What::State(stated) => json!({ "state": stated }),
    };
    json!({ "place": event.place, "at": event.at.map(|at| at.to_string()), "what": what })
}

fn shown(heard: &Heard, form: &Form) -> Value {
    json!({
        "conversation": heard.conversation, "account": heard.account, "ticket_id": heard.ticket_id,
        "told": heard.told, "wanted": heard.wanted,
        "events": heard.events.iter().map(shown_event).collect::<Vec<_>>(),
        "loss": form.losses(), "wrong": form.wrongs,
    })
}

/// `HANDOFFD_GOLDEN=write` writes what is read now; look at the difference.
#[test]
fn each_sample_is_recognised_and_read_as_it_stands_beside_it() {
    for (name, dialect) in SAMPLES {
        let body = sample(name);
        assert_eq!(Dialect::of(&Place::root(&body)), dialect, "{name}");
        let (heard, form) = read(dialect, &body);
        let now = shown(&heard, &form);
        let path = file(&format!("{name}.mapped.json"));
        if std::env::var_os("HANDOFFD_GOLDEN").is_some_and(|word| word == "write") {
            std::fs::write(&path, format!("{now:#}\n")).expect("written");
        }
        let text = std::fs::read_to_string(&path).expect("what it is read as");
        let expected: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(now, expected, "{name}: now {now:#}");
        assert_eq!(form.wrongs, [], "{name}");
    }
}

/// The leaves that are neither read nor told.
fn forgotten(dialect: Dialect, body: &Value) -> Vec<String> {
    let (_, form) = read(dialect, body);
    let refused = |leaf: &String| {
        let within = |path: &str| {
            leaf.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        form.wrongs.iter().any(|wrong| within(&wrong.path))
    };
    let leaves = Place::root(body).leaves().into_iter();
    leaves.filter(|leaf| !form.accounts_for(leaf) && !refused(leaf)).collect()
}

#[test]
fn each_value_of_each_sample_is_read_or_told_by_every_dialect() {
    for (name, _) in SAMPLES {
        for (_, dialect) in Dialect::ALL {
            assert_eq!(forgotten(dialect, &sample(name)), Vec::<String>::new(), "{name} as {dialect:?}");
        }
    }
}

/// Places of the samples at which something else may stand.
fn paths(of: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    match of {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| paths(value, &format!("{path}/{key}"), all))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| paths(value, &format!("{path}/{at}"), all));
        }
        _ => {}
    }
}

/// Any JSON, small.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_.\\[\\] ]{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A sample with something else at one place, or something added there.
pub(crate) fn disturbed() -> impl Strategy<Value = Value> {
    (0..SAMPLES.len(), any::<prop::sample::Index>(), any_json(), any::<bool>()).prop_map(
        |(which, place, other, add)| {
            let mut body = sample(SAMPLES[which].0);
            let mut all = Vec::new();
            paths(&body, "", &mut all);
            let path = &all[place.index(all.len())];
            match body.pointer_mut(path) {
                Some(Value::Object(fields)) if add => drop(fields.insert("added".to_owned(), other)),
                Some(Value::Array(items)) if add => items.push(other),
                Some(value) => *value = other,
                None => {}
            }
            body
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_value_is_lost_in_silence(body in disturbed(), other in any_json()) {
        for body in [&body, &other] {
            for (_, dialect) in Dialect::ALL {
                prop_assert_eq!(forgotten(dialect, body), Vec::<String>::new(), "{:?} {}", dialect, body);
            }
        }
    }
}
