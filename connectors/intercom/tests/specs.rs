//! Judged by Intercom's own description.

use handoffd_core::{FieldKind, FieldName};
use serde_json::{Value as Json, json};

use super::conformance::every;
use crate::{
    conformance::Check,
    contract::{AuthMethod, CustomField},
    specs::{
        Exception,
        answers::all_are_described,
        bodies::{By, Reading, Sampled, all_are_read, odd_ones_are_read},
        description::{Sample, examples, read},
        refusals::{all_are_named, listed},
        requests::{Judged, all_is_sent, judge},
        shared,
        tour::{on_made, whole},
    },
};

const JUDGED: Judged = Judged {
    name: "intercom",
    file: "intercom/api.intercom.io.2.14.yaml",
    sign_in: AuthMethod::Bearer,
    cut_answers: false,
    spelled: str::to_owned,
    exceptions: &[
        Exception {
            request: "GET /attachments/",
            said: "",
            why: "files are read at the addresses that messages give",
        },
        Exception { request: "GET /file", said: "", why: "a file's address on another host" },
        Exception {
            request: "POST /conversations",
            said: "from.id must match format",
            why: "the file calls a contact's id a UUID of 24 letters; it is 24 hexadecimal digits, as in its \
                  own examples",
        },
        Exception {
            request: "PUT /conversations/",
            said: "property custom_attributes.",
            why: "attributes are flags and broken numbers too, and `null` empties one; the file knows texts, \
                  whole numbers and references",
        },
    ],
};

/// An account whose mirrors are tickets.
const WITH_TICKETS: &str = r#"{"records": ["ticket"], "create": "ticket", "ticket_type_id": 53,
    "ticket_categories": ["customer", "back_office", "tracker"]}"#;

/// What is listened to: the suite, and walks through what the suite does not ask for.
fn heard() -> Vec<Check> {
    let conversations = Check { name: "tour", run: || Box::pin(whole("intercom")) };
    let tickets = Check { name: "tour of tickets", run: || Box::pin(on_made("intercom", WITH_TICKETS)) };
    every().into_iter().chain(super::tickets::every()).chain([conversations, tickets]).collect()
}

#[test]
fn every_request_is_as_described() {
    judge(&JUDGED, &heard());
}

/// Where the simulator is right and the file is not.
const ANSWERS: &[Exception] = &[
    Exception {
        request: "GET /contacts/",
        said: "/url breaks format",
        why: "the addresses of a contact's lists are paths, as in the file's own examples",
    },
    Exception {
        request: "POST /contacts ",
        said: "/url breaks format",
        why: "the addresses of a contact's lists are paths, as in the file's own examples",
    },
    Exception {
        request: "POST /contacts/search",
        said: "/url breaks format",
        why: "the addresses of a contact's lists are paths, as in the file's own examples",
    },
    Exception {
        request: "GET /conversations/",
        said: "/custom_attributes/",
        why: "attributes are flags and numbers too",
    },
    Exception {
        request: "PUT /conversations/",
        said: "/custom_attributes/",
        why: "attributes are flags and numbers too",
    },
    Exception {
        request: "GET /data_attributes",
        said: "/data/*/model breaks enum",
        why: "conversations have attributes too, which the file's own parameter asks for",
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

fn samples() -> Option<Vec<Sample>> {
    Some(examples(&read(&shared(JUDGED.file)?)))
}

/// The body of a record of this type.
fn record(sample: &Sample, kind: &str) -> Option<Json> {
    sample.with("type").filter(|body| body["type"] == kind)
}

/// The body, if the sample's name begins so.
fn named(sample: &Sample, begins: &str) -> Option<Json> {
    sample.with("type").filter(|_| sample.name.starts_with(begins))
}

/// The body as it is of the record that is asked for.
fn as_asked(mut body: Json) -> Json {
    body["id"] = json!("1");
    body
}

/// The body, if people say something in it.
fn telling(body: Json, parts: &str) -> Option<Json> {
    let said = body.pointer(parts).and_then(Json::as_array)?.iter().any(|part| part["body"].is_string());
    (said || body["ticket_attributes"]["_default_description_"].is_string()).then_some(body)
}

/// Attributes that are in the vendor's examples.
fn custom() -> Vec<CustomField> {
    let name = FieldName::new("issue").expect("a name");
    vec![CustomField { name, native: "issue_type".to_owned(), kind: FieldKind::Choice }]
}

/// What a record has in every case, and what a part has that says something.
const RECORD: &[&str] = &["id", "updated_at", "created_at", "conversation_parts", "ticket_parts"];

/// The same, and what a message is made of: without it there is none.
const MESSAGES: &[&str] = &[
    "id",
    "updated_at",
    "created_at",
    "conversation_parts",
    "ticket_parts",
    "body",
    "source",
    "author",
    "ticket_attributes",
    "_default_description_",
];

const ME: &str = r#"{"type": "admin", "id": "991267696", "app": {"id_code": "w"}}"#;
const STATES: &str =
    r#"{"data": [{"id": "1", "category": "submitted"}, {"id": "3", "category": "waiting_on_customer"}]}"#;
const CHANGED: &str =
    r#"{"id": "1", "created_at": 1734537521, "updated_at": 1734537524, "conversation_parts": {}}"#;
const NONE: &str = r#"{"type": "list", "data": []}"#;

const SAMPLED: Sampled = Sampled {
    name: JUDGED.name,
    // The admin who wrote the note that the vendor shows.
    settings: r#"{"admin_id": 991267696, "priority_attribute": "priority"}"#,
    prefix: "",
    samples,
    custom,
    around: &[
        ("GET /me", ME),
        ("GET /admins/", ME),
        ("GET /admins", r#"{"admins": []}"#),
        ("GET /teams", r#"{"teams": []}"#),
        ("GET /data_attributes", NONE),
        ("GET /ticket_types", NONE),
        ("GET /ticket_states", STATES),
        ("POST /contacts/search", NONE),
        ("POST /contacts$", r#"{"id": "6762f1261bb69f9f2193bba7"}"#),
        ("POST /conversations$", r#"{"id": "9", "conversation_id": "1"}"#),
        ("PUT /conversations/", CHANGED),
        ("POST /conversations/*/parts", CHANGED),
        ("POST /conversations/*/tags", "{}"),
        ("POST /tags", r#"{"id": "5", "name": "vip"}"#),
    ],
    readings: &[
        Reading {
            name: "a conversation",
            of: |sample| record(sample, "conversation"),
            answers: "GET /conversations/",
            by: By::Fetch,
            rows: None,
            needs: RECORD,
        },
        Reading {
            name: "its messages",
            of: |sample| record(sample, "conversation").map(as_asked),
            answers: "GET /conversations/",
            by: By::Comments,
            rows: Some("/conversation_parts/conversation_parts"),
            needs: MESSAGES,
        },
        Reading {
            name: "a page of a search",
            of: |sample| sample.with("conversations"),
            answers: "POST /conversations/search",
            by: By::Feed(0),
            rows: Some("/conversations"),
            needs: &["id", "updated_at"],
        },
        Reading {
            name: "a new conversation",
            of: |sample| {
                named(sample, "POST /conversations 200").map(|mut body| {
                    body["conversation_id"] = json!("1");
                    body
                })
            },
            answers: "POST /conversations$",
            by: By::Create,
            rows: None,
            needs: &["conversation_id"],
        },
        Reading {
            name: "a conversation whose fields are set",
            of: |sample| named(sample, "PUT /conversations/").map(as_asked),
            answers: "PUT /conversations/",
            by: By::Create,
            rows: None,
            needs: RECORD,
        },
        Reading {
            name: "a conversation whose state is set",
            of: |sample| named(sample, "POST /conversations/{conversation_id}/parts").map(as_asked),
            answers: "POST /conversations/*/parts",
            by: By::Create,
            rows: None,
            needs: RECORD,
        },
        Reading {
            name: "a conversation with a new note",
            of: |sample| {
                let body = named(sample, "POST /conversations/{conversation_id}/reply")?;
                sample.name.ends_with("with a Note").then(|| as_asked(body))
            },
            answers: "POST /conversations/*/reply",
            by: By::Update,
            rows: None,
            needs: MESSAGES,
        },
        Reading {
            name: "a tag",
            of: |sample| named(sample, "POST /tags"),
            answers: "POST /tags",
            by: By::Create,
            rows: None,
            needs: &["id"],
        },
        Reading {
            name: "people found",
            of: |sample| {
                named(sample, "GET /contacts 200").or_else(|| named(sample, "POST /contacts/search"))
            },
            answers: "POST /contacts/search",
            by: By::Person,
            rows: Some("/data"),
            needs: &[],
        },
        Reading {
            name: "a person made",
            of: |sample| record(sample, "contact"),
            answers: "POST /contacts$",
            by: By::Person,
            rows: None,
            needs: &["id"],
        },
        Reading {
            name: "who we are",
            of: |sample| named(sample, "GET /me"),
            answers: "GET /me",
            by: By::Probe,
            rows: None,
            needs: &["id"],
        },
        Reading {
            name: "attributes of conversations",
            of: |sample| named(sample, "GET /data_attributes"),
            answers: "GET /data_attributes",
            by: By::Probe,
            rows: Some("/data"),
            needs: &[],
        },
        Reading {
            name: "attributes for mapping",
            of: |sample| named(sample, "GET /data_attributes"),
            answers: "GET /data_attributes",
            by: By::Catalog,
            rows: Some("/data"),
            needs: &[],
        },
        Reading {
            name: "types of tickets",
            of: |sample| named(sample, "GET /ticket_types 200"),
            answers: "GET /ticket_types",
            by: By::Catalog,
            rows: Some("/data"),
            needs: &[],
        },
        Reading {
            name: "states of tickets",
            of: |sample| named(sample, "GET /ticket_states"),
            answers: "GET /ticket_states",
            by: By::Catalog,
            rows: Some("/data"),
            needs: &[],
        },
        Reading {
            name: "admins",
            of: |sample| named(sample, "GET /admins 200"),
            answers: "GET /admins",
            by: By::Catalog,
            rows: Some("/admins"),
            needs: &[],
        },
        Reading {
            name: "teams",
            of: |sample| named(sample, "GET /teams 200"),
            answers: "GET /teams",
            by: By::Catalog,
            rows: Some("/teams"),
            needs: &[],
        },
    ],
    unread: None,
    odd: &[
        ("custom_attributes/*", &["true", "7", "1.5"]),
        ("admin_assignee_id", &["0", "\"0\""]),
        ("priority", &["\"priority\"", "\"urgent\""]),
    ],
};

const TICKETS: Sampled = Sampled {
    name: JUDGED.name,
    settings: WITH_TICKETS,
    prefix: "t",
    samples,
    custom: Vec::new,
    around: &[
        ("GET /me", ME),
        ("GET /admins/", ME),
        ("GET /ticket_states", STATES),
        (
            "GET /ticket_types/",
            r#"{"id": "53", "ticket_type_attributes": {"data": [{"id": "9", "name": "handoff_key"}]}}"#,
        ),
        ("POST /contacts/search", NONE),
        ("POST /tickets$", r#"{"id": "1"}"#),
        ("PUT /tickets/", "{}"),
        ("POST /tickets/*/tags", "{}"),
        ("POST /tags", r#"{"id": "5", "name": "vip"}"#),
    ],
    readings: &[
        Reading {
            name: "a ticket",
            of: |sample| record(sample, "ticket"),
            answers: "GET /tickets/",
            by: By::Fetch,
            rows: None,
            needs: RECORD,
        },
        Reading {
            name: "its messages",
            of: |sample| telling(as_asked(record(sample, "ticket")?), "/ticket_parts/ticket_parts"),
            answers: "GET /tickets/",
            by: By::Comments,
            rows: Some("/ticket_parts/ticket_parts"),
            needs: MESSAGES,
        },
        Reading {
            name: "a page of a search",
            of: |sample| sample.with("tickets"),
            answers: "POST /tickets/search",
            by: By::Feed(0),
            rows: Some("/tickets"),
            needs: &["id", "updated_at"],
        },
        Reading {
            name: "tickets by marker",
            of: |sample| sample.with("tickets"),
            answers: "POST /tickets/search",
            by: By::FindCreate,
            rows: Some("/tickets"),
            needs: &[],
        },
        Reading {
            name: "a new ticket",
            of: |sample| record(sample, "ticket"),
            answers: "POST /tickets$",
            by: By::Create,
            rows: None,
            needs: &["id"],
        },
        Reading {
            name: "a ticket whose fields are set",
            of: |sample| record(sample, "ticket").map(as_asked),
            answers: "PUT /tickets/",
            by: By::Create,
            rows: None,
            needs: &[],
        },
        Reading {
            name: "a new part",
            of: |sample| record(sample, "ticket_part"),
            answers: "POST /tickets/*/reply",
            by: By::Update,
            rows: None,
            needs: &["id"],
        },
        Reading {
            name: "the type that is made",
            of: |sample| record(sample, "ticket_type"),
            answers: "GET /ticket_types/",
            by: By::Probe,
            rows: None,
            needs: &[],
        },
    ],
    unread: None,
    odd: &[
        ("ticket_attributes/*", &["true", "7", "[\"a\"]"]),
        ("admin_assignee_id", &["0", "null", "7"]),
        ("team_assignee_id", &["0", "null", "7"]),
    ],
};

#[test]
fn every_body_is_read() {
    all_are_read(&SAMPLED);
    all_are_read(&TICKETS);
}

#[test]
fn odd_bodies_are_read() {
    odd_ones_are_read(&SAMPLED);
    odd_ones_are_read(&TICKETS);
}

#[test]
fn every_refusal_is_named() {
    let Some(file) = shared("intercom/official-error-examples.2.14.json") else { return };
    let refusals = listed(&read(&file));
    all_are_named(&SAMPLED, &refusals);
    all_are_named(&TICKETS, &refusals);
}
