//! Judged by Zendesk's own description.

use super::conformance::every;
use crate::{
    contract::AuthMethod,
    specs::{
        Exception,
        requests::{Judged, all_is_sent, judge},
    },
};

const JUDGED: Judged = Judged {
    name: "zendesk",
    file: "zendesk/zendesk-support-oas.2.0.0.yaml",
    // The file knows Basic only.
    sign_in: AuthMethod::ApiToken,
    cut_answers: false,
    // Zendesk takes the suffix or leaves it; the file leaves it, but in its prose.
    spelled: |path| path.strip_suffix(".json").unwrap_or(path).to_owned(),
    exceptions: &[
        Exception {
            request: "POST /oauth/tokens",
            said: "",
            why: "described with the OAuth guide, not with the Support API",
        },
        Exception {
            request: "POST /api/v2/tickets",
            said: "ticket.priority must be",
            why: "a ticket may have no priority, and says so as `null`",
        },
        Exception {
            request: "PUT /api/v2/tickets/",
            said: "ticket.priority must be",
            why: "`null` takes the priority off",
        },
        Exception {
            request: "GET /api/v2/incremental/tickets/cursor",
            said: "start_time",
            why: "the file demands `start_time` always; sent together with a cursor it would skip rows",
        },
    ],
};

#[test]
fn every_request_is_as_described() {
    judge(&JUDGED, &every());
}

#[test]
fn every_path_in_the_source_is_sent() {
    all_is_sent(JUDGED.name, &every());
}
