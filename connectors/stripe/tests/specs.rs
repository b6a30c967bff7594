//! Judged by Stripe's own description.

use serde_json::{Value as Json, json};

use super::conformance::every;
use crate::{
    contract::AuthMethod,
    specs::{
        Exception,
        bodies::{By, Reading, Sampled, all_are_read, odd_ones_are_read},
        description::{Sample, entries, read},
        refusals::all_are_named,
        requests::{Judged, all_is_sent, judge},
        shared,
    },
};

const JUDGED: Judged = Judged {
    name: "stripe",
    file: "stripe/stripe.trimmed.json",
    sign_in: AuthMethod::ApiKey,
    cut_answers: true,
    spelled: str::to_owned,
    exceptions: &[Exception {
        request: "GET /v1/products",
        said: "",
        why: "the file is cut down to 14 paths, and products are not among them",
    }],
};

#[test]
fn every_request_is_as_described() {
    judge(&JUDGED, &every());
}

#[test]
fn every_path_in_the_source_is_sent() {
    all_is_sent(JUDGED.name, &every());
}

/// The fixtures of Stripe's own mock, by the kind of object.
fn fixtures() -> Option<Vec<Sample>> {
    let file = read(&shared("stripe/fixtures3.json")?);
    let sample =
        |(name, body): (&String, &Json)| Sample { name: name.clone(), status: 200, body: body.clone() };
    Some(entries(file.get("resources")).map(sample).collect())
}

/// The fixture of this kind.
fn one(sample: &Sample, kind: &str) -> Option<Json> {
    (sample.name == kind).then(|| sample.body.clone())
}

/// A page that holds the fixture of this kind.
fn page(sample: &Sample, kind: &str) -> Option<Json> {
    Some(json!({"object": "list", "has_more": false, "data": [one(sample, kind)?]}))
}

const NONE: &str = r#"{"object": "list", "has_more": false, "data": []}"#;

const SAMPLED: Sampled = Sampled {
    name: JUDGED.name,
    settings: "{}",
    prefix: "",
    samples: fixtures,
    custom: Vec::new,
    around: &[
        ("GET /v1/customers/search", NONE),
        ("GET /v1/customers/", r#"{"id": "cus_1", "object": "customer"}"#),
        ("GET /v1/customers", NONE),
        (
            "GET /v1/subscriptions",
            r#"{"data": [{"id": "sub_1", "status": "active", "items": {"data": [{"price": {"product": "prod_1"}}]}}]}"#,
        ),
        ("GET /v1/invoices", NONE),
        ("GET /v1/charges", NONE),
    ],
    readings: &[
        Reading {
            name: "a customer",
            of: |sample| one(sample, "customer"),
            answers: "GET /v1/customers/",
            by: By::Facts,
            rows: None,
            needs: &["id"],
        },
        Reading {
            name: "customers of an address",
            of: |sample| page(sample, "customer").or_else(|| page(sample, "deleted_customer")),
            answers: "GET /v1/customers?",
            by: By::Resolve,
            rows: Some("/data"),
            needs: &["id"],
        },
        Reading {
            name: "customers searched",
            of: |sample| page(sample, "customer"),
            answers: "GET /v1/customers/search",
            by: By::Resolve,
            rows: Some("/data"),
            needs: &["id"],
        },
        Reading {
            name: "subscriptions",
            of: |sample| page(sample, "subscription"),
            answers: "GET /v1/subscriptions",
            by: By::Facts,
            rows: Some("/data"),
            needs: &["id"],
        },
        Reading {
            name: "invoices",
            of: |sample| page(sample, "invoice"),
            answers: "GET /v1/invoices",
            by: By::Facts,
            rows: Some("/data"),
            needs: &["id"],
        },
        Reading {
            name: "charges",
            of: |sample| page(sample, "charge"),
            answers: "GET /v1/charges",
            by: By::Facts,
            rows: Some("/data"),
            needs: &["id"],
        },
        Reading {
            name: "a product",
            of: |sample| one(sample, "product"),
            answers: "GET /v1/products/",
            by: By::Facts,
            rows: None,
            needs: &["id"],
        },
    ],
    unread: None,
    odd: &[],
};

#[test]
fn every_body_is_read() {
    all_are_read(&SAMPLED);
}

#[test]
fn odd_bodies_are_read() {
    odd_ones_are_read(&SAMPLED);
}

#[test]
fn every_refusal_is_named() {
    all_are_named(&SAMPLED, &[]);
}
