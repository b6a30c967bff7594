//! Judged by sample bodies; Freshdesk has no description of its own.

use serde_json::{Value as Json, json};

use super::conformance::every;
use crate::{
    conformance::{Check, recorder::exchanged_by},
    specs::{
        bodies::{By, Reading, Sampled, all_are_read, odd_ones_are_read},
        description::{Sample, files},
        refusals::all_are_named,
        requests::all_is_sent,
        shared,
        tour::{on_made, whole},
    },
};

const NAME: &str = "freshdesk";

/// The sample, if it has one of these names.
fn one(sample: &Sample, names: &[&str]) -> Option<Json> {
    names.contains(&sample.name.as_str()).then(|| sample.body.clone())
}

/// A list of the sample's rows: its own, its results, or itself alone.
fn list(sample: &Sample, names: &[&str]) -> Option<Json> {
    let body = one(sample, names)?;
    let rows = body.get("results").cloned().unwrap_or(body);
    Some(if rows.is_array() { rows } else { json!([rows]) })
}

const TICKETS: &[&str] = &["ticket_1", "ticket_1_updated", "outbound_email_1"];
const MESSAGES: &[&str] = &["note_1", "reply_1"];

const SAMPLED: Sampled = Sampled {
    name: NAME,
    settings: "{}",
    prefix: "",
    samples: || Some(files(&shared(NAME)?)),
    custom: Vec::new,
    around: &[
        ("GET /api/v2/agents/me", r#"{"id": 1, "ticket_scope": 1}"#),
        ("GET /api/v2/ticket_fields", "[]"),
        ("GET /api/v2/contacts", "[]"),
        ("GET /api/v2/tickets/*/conversations", "[]"),
        ("GET /api/v2/tickets/", r#"{"id": 1, "updated_at": "2026-11-22T08:00:00Z"}"#),
    ],
    readings: &[
        Reading {
            name: "a ticket",
            of: |sample| one(sample, TICKETS),
            answers: "GET /api/v2/tickets/",
            by: By::Fetch,
            rows: None,
            needs: &["id", "updated_at"],
        },
        Reading {
            name: "a ticket's opening",
            of: |sample| one(sample, TICKETS).filter(|ticket| ticket.get("description").is_some()),
            answers: "GET /api/v2/tickets/*?",
            by: By::Comments,
            rows: None,
            needs: &["id", "updated_at", "created_at"],
        },
        Reading {
            name: "a page of the list",
            of: |sample| list(sample, &["all_tickets", "search_tickets"]).or_else(|| list(sample, TICKETS)),
            answers: "GET /api/v2/tickets?",
            by: By::Feed(0),
            rows: Some(""),
            needs: &["id", "updated_at"],
        },
        Reading {
            name: "a new ticket",
            of: |sample| one(sample, TICKETS),
            answers: "POST /api/v2/tickets",
            by: By::Create,
            rows: None,
            needs: &["id", "updated_at"],
        },
        Reading {
            name: "conversations",
            of: |sample| list(sample, &["conversations"]).or_else(|| list(sample, MESSAGES)),
            answers: "GET /api/v2/tickets/*/conversations",
            by: By::Comments,
            rows: Some(""),
            needs: &["id", "created_at"],
        },
        Reading {
            name: "a new note",
            of: |sample| one(sample, MESSAGES),
            answers: "POST /api/v2/tickets/*/notes",
            by: By::Update,
            rows: None,
            needs: &["id"],
        },
        Reading {
            name: "contacts of an address",
            of: |sample| {
                list(sample, &["contacts", "search_contacts", "contact", "contact_updated", "customer"])
            },
            answers: "GET /api/v2/contacts",
            by: By::Person,
            rows: Some(""),
            needs: &["id"],
        },
        Reading {
            name: "a new contact",
            of: |sample| one(sample, &["contact", "contact_updated"]),
            answers: "POST /api/v2/contacts",
            by: By::Person,
            rows: None,
            needs: &["id"],
        },
        Reading {
            name: "who we are",
            of: |sample| {
                one(sample, &["agent_1", "agent_1_updated", "contact_1_agent"])
                    .or_else(|| one(sample, &["agents"])?.get(0).cloned())
            },
            answers: "GET /api/v2/agents/me",
            by: By::Probe,
            rows: None,
            needs: &["id"],
        },
    ],
    unread: Some(&[
        "companies",
        "company",
        "company_updated",
        "group_1",
        "groups",
        "role_1",
        "roles",
        "search_companies",
        "solution_articles",
        "solution_articles_fr",
        "solution_categories",
        "solution_categories_fr",
        "solution_folders",
        "solution_folders_fr",
        "time_entries",
        "time_entry_1",
    ]),
    odd: &[("custom_fields/*", &["true", "7", "[\"a\"]"])],
};

/// What is listened to: the suite, and a walk through what the suite does not ask for.
fn heard() -> Vec<Check> {
    let tour = Check { name: "tour", run: || Box::pin(whole("freshdesk")) };
    let mirror = Check { name: "tour of a mirror", run: || Box::pin(on_made("freshdesk", "{}")) };
    every().into_iter().chain([tour, mirror]).collect()
}

/// What the simulator answers is as the samples are: of the same kind where both have a field.
#[test]
fn answers_of_the_simulator_are_as_the_samples() {
    let Some(folder) = shared(NAME) else { return };
    let samples = files(&folder);
    let row = |json: &Json| json.get(0).unwrap_or(json).clone();
    let of = |name: &str| {
        let found = samples.iter().find(|sample| sample.name == name);
        row(&found.unwrap_or_else(|| panic!("no sample {name}")).body)
    };
    let kinds = [
        ("GET", "/api/v2/tickets", of("ticket_1")),
        ("GET", "/api/v2/tickets/*", of("ticket_1")),
        ("PUT", "/api/v2/tickets/*", of("ticket_1")),
        ("GET", "/api/v2/tickets/*/conversations", of("conversations")),
        ("POST", "/api/v2/tickets/*/notes", of("note_1")),
        ("POST", "/api/v2/tickets/*/reply", of("reply_1")),
        ("GET", "/api/v2/agents/me", of("agent_1")),
        ("GET", "/api/v2/agents", of("agents")),
        ("GET", "/api/v2/contacts", of("contacts")),
        ("POST", "/api/v2/contacts", of("contact")),
        ("GET", "/api/v2/groups", of("groups")),
    ];
    let (mut judged, mut wrong) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for one in exchanged_by(&heard()).iter().filter(|one| one.status.is_success()) {
        let is_id = |part: &str| part.parse::<u64>().is_ok();
        let path: Vec<&str> =
            one.uri.path().split('/').map(|part| if is_id(part) { "*" } else { part }).collect();
        let path = path.join("/");
        let fits = |kind: &&(&str, &str, Json)| kind.0 == one.method.as_str() && kind.1 == path;
        let Some((method, path, sample)) = kinds.iter().find(fits) else { continue };
        let Ok(answer) = serde_json::from_slice::<Json>(&one.body) else { continue };
        judged.insert((*method, *path));
        let rows = answer.as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
        for row in &rows {
            differences(&format!("{method} {path} "), row, sample, &mut wrong);
        }
    }
    assert_eq!(judged.len(), kinds.len(), "{judged:?}");
    assert_eq!(wrong, std::collections::BTreeSet::new());
}

/// Fields of both that hold different kinds of things.
fn differences(at: &str, ours: &Json, theirs: &Json, wrong: &mut std::collections::BTreeSet<String>) {
    let kind = |json: &Json| match json {
        Json::Null => 0,
        Json::Bool(_) => 1,
        Json::Number(_) => 2,
        Json::String(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    };
    match (ours, theirs) {
        (Json::Null, _) | (_, Json::Null) => {}
        (Json::Object(ours), Json::Object(theirs)) if !at.ends_with("custom_fields/") => {
            for (name, ours) in ours {
                if let Some(theirs) = theirs.get(name) {
                    differences(&format!("{at}{name}/"), ours, theirs, wrong);
                }
            }
        }
        (Json::Array(ours), Json::Array(theirs)) => {
            if let Some(theirs) = theirs.first() {
                ours.iter().for_each(|ours| differences(at, ours, theirs, wrong));
            }
        }
        (ours, theirs) if kind(ours) == kind(theirs) => {}
        (ours, theirs) => drop(wrong.insert(format!("{at}: {ours} where the vendor has {theirs}"))),
    }
}

#[test]
fn every_path_in_the_source_is_sent() {
    all_is_sent(NAME, &heard());
}

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
