//! Chains of handoffs, drawn.

use proptest::prelude::*;

use super::*;
use crate::model::{comment::fold_text, package::Stated};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "I have reset your password.",
            "I will call you back tomorrow.",
            "Can you refund order 48213?",
            "It still does not work!",
            "I have sent the invoice again.",
            "Hablo español, quiero un reembolso por favor.",
            "Ich möchte mit einem Menschen sprechen.",
            "As promised, I called you back.",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,80}",
        1 => any::<String>(),
        1 => "(wort 🦀 \\n){0,400}",
    ]
}

fn by() -> impl Strategy<Value = Party> {
    prop_oneof![
        Just(Party::Customer),
        Just(bot()),
        Just(person("Ada")),
        Just(Party::Human { name: None, id: Some(RemoteId::new("5")) }),
        Just(Party::Nobody),
    ]
}

/// A drawn turn's words, writer and whether it is a call.
type Drawn = (String, Party, Option<Outcome>);

fn turns() -> impl Strategy<Value = Vec<Drawn>> {
    let result = prop_oneof![Just(Outcome::Worked), Just(Outcome::Failed), Just(Outcome::Unclear)];
    prop::collection::vec((text(), by(), prop::option::of(result)), 0..14)
}

fn made(number: i64, (text, by, result): &Drawn) -> Turn {
    match result {
        Some(result) => Turn {
            at: Some(at(number)),
            ..call(&format!("e{number}"), &format!("tool_{}", number % 7), text, *result)
        },
        None => message(number, by.clone(), text),
    }
}

const KINDS: [HandoffKind; 4] =
    [HandoffKind::AiToHuman, HandoffKind::HumanToHuman, HandoffKind::HumanToHuman, HandoffKind::HumanToAi];

/// Every hop's package, each made of the turns since the one before.
fn chain(hops: &[Vec<Drawn>], rules: &PackageRules) -> Vec<Package> {
    let mut packages: Vec<Package> = Vec::new();
    let mut number = 0;
    for (hop, drawn) in hops.iter().enumerate() {
        let mut given = Given::new(KINDS[hop % KINDS.len()]);
        given.record = record(&format!("h{hop}"), given.record.kind);
        given.hop = hop as u32 + 1;
        given.previous = packages.last().cloned();
        for turn in drawn {
            number += 1;
            given.turns.push(made(number, turn));
        }
        packages.push(assemble(&given.material(), rules, now()));
    }
    packages
}

fn attempts(package: &Package) -> Vec<crate::model::package::Tried> {
    package.attempts.value().cloned().unwrap_or_default()
}

fn texts(package: &Package) -> Vec<(&'static str, &Stated<String>)> {
    vec![
        ("reason", &package.handoff.reason),
        ("subject", &package.conversation.subject),
        ("channel", &package.conversation.channel),
        ("language", &package.conversation.language),
        ("name", &package.customer.name),
        ("email", &package.customer.email),
        ("tier", &package.customer.tier),
        ("category", &package.issue.category),
        ("goal", &package.issue.goal),
        ("blocker", &package.issue.blocker),
        ("product_area", &package.issue.product_area),
        ("page", &package.issue.page),
        ("open_question", &package.open_question),
    ]
}

fn no_silence(package: &Package) -> Result<(), TestCaseError> {
    for (name, field) in texts(package) {
        let words = match field {
            Stated::Known(known) => known.value(),
            Stated::Unknown { why } | Stated::NotApplicable { why } => why,
        };
        prop_assert!(!words.trim().is_empty(), "{} is silently empty", name);
    }
    match (&package.attempts, &package.promises, &package.mood) {
        (Stated::Unknown { why } | Stated::NotApplicable { why }, _, _)
        | (_, Stated::Unknown { why } | Stated::NotApplicable { why }, _)
        | (_, _, Stated::Unknown { why } | Stated::NotApplicable { why }) => prop_assert!(!why.is_empty()),
        _ => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn four_hops_lose_nothing_and_double_nothing(hops in prop::collection::vec(turns(), 4)) {
        let rules = PackageRules { bytes_max: 1 << 20, ..PackageRules::default() };
        let packages = chain(&hops, &rules);
        let last = packages.last().unwrap();
        let all = attempts(last);
        for package in &packages {
            for tried in attempts(package) {
                let kept = all.iter().any(|other| other.action == tried.action && other.inputs == tried.inputs && other.hop == tried.hop && other.by == tried.by && other.proofs.contains(&tried.proofs[0]));
                prop_assert!(kept, "lost {:?}", tried);
            }
        }
        for (at, one) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                let same_words = fold_text(&one.action) == fold_text(&other.action) && one.inputs == other.inputs;
                prop_assert!(!(same_words && one.proofs[0] == other.proofs[0]), "double {:?}", one);
            }
        }
        prop_assert_eq!(last.lineage.len(), 3);
        let ids: Vec<_> = last.lineage.iter().map(|hop| hop.id.as_str()).collect();
        prop_assert_eq!(ids, ["h0", "h1", "h2"]);
    }

    #[test]
    fn a_package_is_bounded_and_never_silent(hops in prop::collection::vec(turns(), 1..5), bytes_max in 0usize..40_000) {
        let rules = PackageRules { bytes_max, ..PackageRules::default() };
        let mut tried_before = 0;
        for package in chain(&hops, &rules) {
            let json = serde_json::to_vec(&package).unwrap();
            prop_assert!(json.len() <= bytes_max.max(PACKAGE_BYTES_MIN), "{} bytes", json.len());
            let read: Package = serde_json::from_slice(&json).expect("it reads");
            prop_assert_eq!(&read, &package);
            no_silence(&package)?;
            let kept = attempts(&package).len();
            let named = package.left_out.iter().any(|words| words.ends_with(" older attempts"));
            prop_assert!(kept >= tried_before || named, "attempts went without a word");
            tried_before = kept;
            let completeness = completeness(&package);
            prop_assert_eq!(completeness.required as usize, completeness.known as usize + completeness.missing.len());
            prop_assert!(structured(&package).values().all(|value| value.chars().count() <= VALUE_CHARS_MAX));
        }
    }
}

#[test]
fn much_is_bounded_by_leaving_out_the_oldest_and_saying_so() {
    let step = |number: usize| {
        let words = format!("outcome {number} {}", "wörd ".repeat(40));
        (words, bot(), Some(Outcome::Worked))
    };
    let rules = PackageRules { bytes_max: 0, ..PackageRules::default() };
    // The names of tools differ by seven; what differs further is the outcome and the place.
    let packages = chain(&[(0..120).map(step).collect(), Vec::new()], &rules);
    for package in &packages {
        let kept = attempts(package);
        assert!(serde_json::to_vec(package).unwrap().len() <= PACKAGE_BYTES_MIN);
        assert_eq!(kept.last().unwrap().proofs[0], Proof::Event { id: "e120".to_owned(), at: None });
        let left_out = 120 - kept.len();
        assert!(
            left_out > 0 && package.left_out.contains(&format!("{left_out} older attempts")),
            "{:?}",
            package.left_out
        );
    }
}

#[test]
fn a_promise_goes_on_until_it_is_seen_to_be_done() {
    let rules = PackageRules::default();
    let says = |text: &str| (text.to_owned(), person("Ada"), None);
    let promise = vec![says("I will send you the corrected invoice tomorrow.")];
    let nothing = vec![("Any news?".to_owned(), Party::Customer, None)];
    let done = vec![says("I have sent you the corrected invoice.")];
    let packages = chain(&[promise, nothing, done], &rules);
    let open = |package: &Package| package.promises.value().map_or(0, Vec::len);
    assert_eq!(open(&packages[0]), 1, "{:?}", packages[0].promises);
    assert_eq!(open(&packages[1]), 1, "it is carried on: {:?}", packages[1].promises);
    assert_eq!(packages[1].promises.value(), packages[0].promises.value());
    assert_eq!(open(&packages[2]), 0, "{:?}", packages[2].promises);
}

#[test]
fn making_the_same_package_again_of_what_it_holds_adds_nothing() {
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.captured = Some(Captured {
        turns: vec![call("e1", "refund_charge", "", Outcome::Unclear)],
        ..Captured::default()
    });
    let first = given.package();
    // The answer came since.
    given.captured = Some(Captured {
        turns: vec![call("e1", "refund_charge", "done", Outcome::Worked)],
        ..Captured::default()
    });
    given.previous = Some(first);
    given.hop = 2;
    given.record.id = HandoffId::new("h2");
    let again = given.package();
    let [tried] = again.attempts.value().unwrap().as_slice() else { panic!("{:?}", again.attempts) };
    assert_eq!((tried.hop, tried.result, tried.outcome.as_str()), (1, Outcome::Worked, "done"));
}

#[test]
fn what_the_stream_tells_again_in_a_later_hop_is_known_by_its_words() {
    let words = "Please restart the export service.";
    let said = |proof| Turn { proof, by: bot(), at: None, public: true, text: words.to_owned(), call: None };
    let streamed = said(Proof::Event { id: "e1".to_owned(), at: None });
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.captured = Some(Captured { turns: vec![streamed], ..Captured::default() });
    given.turns = vec![message(1, bot(), words), message(2, Party::Customer, "I did, it does not work.")];
    let first = given.package();
    assert_eq!(attempts(&first).len(), 1, "{:?}", first.attempts);
    assert!(matches!(attempts(&first)[0].proofs[0], Proof::Message { .. }), "the ticket's is kept");
    let mut later = Given::new(HandoffKind::HumanToHuman);
    later.record.id = HandoffId::new("h2");
    later.hop = 2;
    later.captured = given.captured.clone();
    later.previous = Some(first);
    later.turns = vec![message(50, Party::Customer, "Hello?")];
    let second = later.package();
    let all = attempts(&second);
    assert_eq!((all.len(), all[0].hop), (1, 1), "{all:?}");
}
