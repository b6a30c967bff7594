//! Judged by sample bodies; Freshdesk has no description of its own.

use serde_json::{Value as Json, json};

use super::conformance::every;
use crate::{
    conformance::Check,
    specs::{
        bodies::{By, Reading, Sampled, all_are_read, odd_ones_are_read},
        description::{Sample, files},
        refusals::all_are_named,
        requests::all_is_sent,
        shared,
        tour::whole,
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
    every().into_iter().chain([tour]).collect()
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
