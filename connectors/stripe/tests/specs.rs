//! Judged by Stripe's own description.

use super::conformance::every;
use crate::{
    contract::AuthMethod,
    specs::{
        Exception,
        requests::{Judged, all_is_sent, judge},
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
