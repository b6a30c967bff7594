//! Judged by Zendesk's own description.

use super::conformance::every;
use crate::{
    conformance::Check,
    contract::AuthMethod,
    specs::{
        Exception,
        answers::all_are_described,
        bodies::{By, Reading, Sampled, all_are_read, odd_ones_are_read},
        description::{examples, read},
        refusals::all_are_named,
        requests::{Judged, all_is_sent, judge},
        shared,
        tour::whole,
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
            request: "GET /attachments/",
            said: "",
            why: "files are read at the addresses that messages give",
        },
        Exception { request: "GET /file", said: "", why: "a file's address on another host" },
        Exception { request: "GET /stored/", said: "", why: "where a file's address leads on to" },
        Exception {
            request: "GET /api/v2/groups",
            said: "user_id",
            why: "the file demands a part of the path that this path does not have",
        },
        Exception {
            request: "POST /api/v2/ticket_fields",
            said: "INVALID_CONTENT_TYPE",
            why: "the file forgets the body of a new field, which its prose shows",
        },
        Exception {
            request: "POST /api/v2/uploads",
            said: "INVALID_CONTENT_TYPE",
            why: "the file forgets the body of an upload, which is the file itself",
        },
        Exception {
            request: "PUT /api/v2/comment_redactions/",
            said: "INVALID_CONTENT_TYPE",
            why: "the file forgets the body of a redaction, which its prose shows",
        },
        Exception {
            request: "PUT /api/v2/tickets/",
            said: "must have required property",
            why: "of a custom field's value the file demands what a field's definition has",
        },
        Exception {
            request: "PUT /api/v2/tickets/",
            said: "ticket.type must be",
            why: "`null` takes the type off",
        },
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
            request: "PUT /api/v2/tickets/",
            said: "ticket.assignee_id must be integer",
            why: "`null` takes the ticket from its agent",
        },
        Exception {
            request: "PUT /api/v2/tickets/",
            said: "ticket.group_id must be integer",
            why: "`null` takes the ticket from its group",
        },
        Exception {
            request: "GET /api/v2/incremental/tickets/cursor",
            said: "start_time",
            why: "the file demands `start_time` always; sent together with a cursor it would skip rows",
        },
    ],
};

/// What is listened to: the suite, and a walk through what the suite does not ask for.
fn heard() -> Vec<Check> {
    let tour = Check { name: "tour", run: || Box::pin(whole("zendesk")) };
    every().into_iter().chain([tour]).collect()
}

#[test]
fn every_request_is_as_described() {
    judge(&JUDGED, &heard());
}

/// Where the simulator is right and the file is not.
const ANSWERS: &[Exception] = &[
    Exception {
        request: "GET /api/v2/incremental/tickets/cursor",
        said: "/tickets/*/status breaks enum",
        why: "the export has deleted tickets too",
    },
    Exception {
        request: "GET /api/v2/tickets/show_many",
        said: "/custom_fields/*/value breaks type",
        why: "a checkbox's value is a truth value",
    },
    Exception {
        request: "PUT /api/v2/tickets/{ticket_id} ",
        said: "/custom_fields/*/value breaks type",
        why: "a checkbox's value is a truth value",
    },
];

#[test]
fn every_answer_of_the_simulator_is_as_described() {
    all_are_described(&JUDGED, &heard(), ANSWERS);
}

#[test]
fn every_path_in_the_source_is_sent() {
    all_is_sent(JUDGED.name, &heard());
}

/// What a ticket has in every case.
const TICKET: &[&str] = &["id", "updated_at"];

const SAMPLED: Sampled = Sampled {
    name: JUDGED.name,
    settings: "{}",
    prefix: "",
    samples: || Some(examples(&read(&shared(JUDGED.file)?))),
    custom: Vec::new,
    around: &[
        ("GET /api/v2/users/me", r#"{"user": {"id": 1, "name": "Bo", "role": "admin"}}"#),
        ("GET /api/v2/incremental/tickets/cursor", r#"{"tickets": [], "end_of_stream": true}"#),
        ("GET /api/v2/triggers", r#"{"triggers": []}"#),
        ("GET /api/v2/users/search", r#"{"users": []}"#),
        ("POST /api/v2/users/create_or_update", r#"{"user": {"id": 1}}"#),
        (
            "GET /api/v2/tickets/show_many",
            r#"{"tickets": [{"id": 1, "updated_at": "2026-11-22T08:00:00Z", "requester_id": 2}]}"#,
        ),
        ("GET /api/v2/tickets/", r#"{"comments": []}"#),
    ],
    readings: &[
        Reading {
            name: "tickets by id",
            of: |sample| sample.with("tickets"),
            answers: "GET /api/v2/tickets/show_many",
            by: By::Fetch,
            rows: Some("/tickets"),
            needs: TICKET,
        },
        Reading {
            name: "a page of the export",
            of: |sample| sample.with("tickets"),
            answers: "GET /api/v2/incremental/tickets/cursor",
            by: By::Feed(0),
            rows: Some("/tickets"),
            needs: TICKET,
        },
        Reading {
            name: "tickets by marker",
            of: |sample| sample.with("tickets"),
            answers: "GET /api/v2/tickets",
            by: By::FindCreate,
            rows: Some("/tickets"),
            needs: TICKET,
        },
        Reading {
            name: "an updated ticket",
            of: |sample| sample.with("ticket").filter(|body| body["ticket"].is_object()),
            answers: "PUT /api/v2/tickets/",
            by: By::Update,
            rows: None,
            needs: &["ticket", "id"],
        },
        Reading {
            name: "a new ticket",
            of: |sample| sample.with("ticket").filter(|body| body["ticket"].is_object()),
            answers: "POST /api/v2/tickets",
            by: By::Create,
            rows: None,
            needs: &["ticket", "id"],
        },
        Reading {
            name: "comments",
            of: |sample| sample.with("comments"),
            answers: "GET /api/v2/tickets/*/comments",
            by: By::Comments,
            rows: Some("/comments"),
            needs: &["id"],
        },
        Reading {
            name: "audits",
            of: |sample| sample.with("audits"),
            answers: "GET /api/v2/tickets/*/audits",
            by: By::FindUpdate,
            rows: Some("/audits"),
            needs: &[],
        },
        Reading {
            name: "people found",
            of: |sample| sample.with("users"),
            answers: "GET /api/v2/users/search",
            by: By::Person,
            rows: Some("/users"),
            needs: &[],
        },
        Reading {
            name: "a person made",
            of: |sample| sample.with("user"),
            answers: "POST /api/v2/users/create_or_update",
            by: By::Person,
            rows: None,
            needs: &["id", "user"],
        },
        Reading {
            name: "who we are",
            of: |sample| sample.with("user"),
            answers: "GET /api/v2/users/me",
            by: By::Probe,
            rows: None,
            needs: &["id", "user"],
        },
        Reading {
            name: "triggers",
            of: |sample| sample.with("triggers"),
            answers: "GET /api/v2/triggers",
            by: By::Probe,
            rows: Some("/triggers"),
            needs: &[],
        },
    ],
    unread: None,
    odd: &[("custom_fields/*/value", &["true", "[\"a\", \"b\"]", "7"]), ("attachments/*/size", &["\"7\""])],
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
