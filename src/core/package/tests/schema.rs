use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::package::{Package, Resolution, Stated};

/// Where the published schema stands.
fn published() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/package.schema.json")
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let made = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("HANDOFFD_WRITE_SCHEMA").is_some() {
        std::fs::write(published(), &made).expect("the file can be written");
    }
    let in_tree = std::fs::read_to_string(published()).unwrap_or_default();
    assert!(
        in_tree == made,
        "config/package.schema.json is not what the types give; write it by\n  \
         HANDOFFD_WRITE_SCHEMA=1 cargo nextest run -p handoffd-core the_published_schema"
    );
}

fn valid(schema: &jsonschema::Validator, value: &impl serde::Serialize) -> bool {
    schema.is_valid(&serde_json::to_value(value).unwrap())
}

fn of(definition: &str) -> jsonschema::Validator {
    let mut whole = schema();
    let object = whole.as_object_mut().unwrap();
    object.remove("anyOf");
    object.insert("$ref".to_owned(), json!(format!("#/$defs/{definition}")));
    jsonschema::validator_for(&whole).expect("a schema")
}

#[test]
fn all_three_kinds_and_a_resolution_fit_the_one_schema() {
    let whole = jsonschema::validator_for(&schema()).expect("a schema");
    let (package, resolution_form) = (of("Package"), of("Resolution"));
    for kind in [HandoffKind::AiToHuman, HandoffKind::HumanToHuman, HandoffKind::HumanToAi] {
        let mut given = Given::new(kind);
        given.record.sources.insert(account("pay"), failed("down"));
        given.turns = vec![
            message(1, Party::Customer, "Can you refund order 48213? It fails!"),
            message(2, person("Ada"), "I have refunded it. I will call you tomorrow."),
        ];
        let made = given.package();
        assert!(valid(&whole, &made) && valid(&package, &made), "{kind:?}");
        let told = resolution(&given.material(), &PackageRules::default(), now());
        assert!(valid(&whole, &told) && valid(&resolution_form, &told), "{kind:?}");
        assert!(!valid(&package, &told), "a resolution is no package");
    }
}

#[test]
fn a_value_without_proof_is_refused_by_schema_and_reader() {
    let (package, mut given) = (of("Package"), Given::new(HandoffKind::AiToHuman));
    given.turns = vec![message(1, Party::Customer, "Can you refund order 48213? It fails!")];
    let good = serde_json::to_value(given.package()).unwrap();
    assert!(package.is_valid(&good) && serde_json::from_value::<Package>(good.clone()).is_ok());
    let places = ["/issue/goal/known", "/customer/email/known", "/mood/known"];
    for place in places {
        for proofs in [Some(json!([])), None] {
            let mut bad = good.clone();
            let known = bad.pointer_mut(place).unwrap_or_else(|| panic!("{place} is known: {good}"));
            match proofs {
                Some(proofs) => known["proofs"] = proofs,
                None => drop(known.as_object_mut().unwrap().remove("proofs")),
            }
            assert!(!package.is_valid(&bad), "the schema takes {place} without proof");
            assert!(serde_json::from_value::<Package>(bad).is_err(), "{place} without proof is read");
        }
    }
    let mut bad = good.clone();
    bad["issue"]["goal"] = json!({"unknown": {}});
    assert!(
        !package.is_valid(&bad) && serde_json::from_value::<Package>(bad).is_err(),
        "unknown without why"
    );
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("mood");
    assert!(!package.is_valid(&bad) && serde_json::from_value::<Package>(bad).is_err(), "a missing field");
}

fn stated() -> impl Strategy<Value = Stated<String>> {
    let proof = prop_oneof![
        Just(Proof::Message { ticket: ticket(), id: RemoteId::new("1"), at: at(1) }),
        Just(Proof::Event { id: "message 3".to_owned(), at: None }),
        Just(Proof::Told { agent: "helper".to_owned(), path: "reason".to_owned() }),
        Just(Proof::Ticket { ticket: ticket(), field: "subject".to_owned() }),
        Just(Proof::Fact { source: account("pay"), record: "in_7".to_owned(), at: now() }),
        Just(Proof::Handoff { id: HandoffId::new("h") }),
    ];
    prop_oneof![
        ("\\PC{1,20}", prop::collection::vec(proof, 1..3))
            .prop_map(|(value, proofs)| Stated::known(value, proofs)),
        "\\PC{1,20}".prop_map(Stated::unknown),
        "\\PC{1,20}".prop_map(Stated::not_applicable),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn drawn_packages_fit_the_schema(
        fields in prop::collection::vec(stated(), 6),
        kind in prop::sample::select(vec![HandoffKind::AiToHuman, HandoffKind::HumanToHuman, HandoffKind::HumanToAi]),
        hop in 1u32..9,
    ) {
        let mut given = Given::new(kind);
        given.hop = hop;
        let mut made = given.package();
        let [reason, category, goal, blocker, area, question]: [Stated<String>; 6] = fields.try_into().unwrap();
        made.handoff.reason = reason;
        made.issue = crate::model::package::Issue { category, goal, blocker, product_area: area, ..made.issue };
        made.open_question = question;
        let value: Value = serde_json::to_value(&made).unwrap();
        let whole = SCHEMA.with(|schema| schema.is_valid(&value));
        prop_assert!(whole, "{}", value);
        prop_assert_eq!(serde_json::from_value::<Package>(value).unwrap(), made);
    }
}

thread_local! {
    static SCHEMA: jsonschema::Validator = jsonschema::validator_for(&schema()).expect("a schema");
}

#[test]
fn a_resolution_reads_back() {
    let given = Given::new(HandoffKind::HumanToAi);
    let told = resolution(&given.material(), &PackageRules::default(), now());
    let json = serde_json::to_string(&told).unwrap();
    assert_eq!(serde_json::from_str::<Resolution>(&json).unwrap(), told);
}
