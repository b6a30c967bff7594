//! The adapter as a whole: requests as values, fixtures, and calls against a
//! scripted Zendesk.

mod builders;
mod calls;
mod history;
mod quiet;
mod reading;
mod specs;
mod webhooks;
mod whole;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{
    AccountId, Body, Field, Fields, Mail, Message, Person, PrivateMessage, PrivateText, PublicMessage,
    PublicText, RemoteId, Role, Status, TicketKey, Timestamp, Value, Version,
    intent::{Create, Intent, NewTicket, Update},
};
use serde_json::json;

use super::{Adapter, settings::Settings};
use crate::{
    client::{ClientParts, Outgoing, SeededJitter, StaticAuthorizer, TokioClock, Transport, TransportError},
    contract::{AccountSetup, Attempted, Call, Lane, Secret},
};

/// 2026-11-22T08:00:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_795_334_400);
const KEY: &str = "l0123456789abcdef0123-0";
const CLOSED: &str = r#"{"error":"RecordInvalid","description":"Record validation errors",
    "details":{"status":[{"description":"closed prevents ticket update"}]}}"#;

type Reply = Result<http::Response<Bytes>, TransportError>;

/// Answers requests in the order of a script, and checks method and path.
struct Script {
    steps: Mutex<VecDeque<(String, Reply)>>,
    bodies: Mutex<Vec<serde_json::Value>>,
}

impl Script {
    /// Each step: the start of `METHOD path?query`, and the answer.
    fn new(steps: Vec<(&str, Reply)>) -> Arc<Self> {
        let steps = steps.into_iter().map(|(start, reply)| (start.to_owned(), reply)).collect();
        Arc::new(Self { steps: Mutex::new(steps), bodies: Mutex::default() })
    }

    /// The JSON bodies sent so far; `null` for none.
    fn bodies(&self) -> Vec<serde_json::Value> {
        self.bodies.lock().unwrap().clone()
    }

    fn assert_done(&self) {
        let left: Vec<String> = self.steps.lock().unwrap().iter().map(|(start, _)| start.clone()).collect();
        assert!(left.is_empty(), "never asked: {left:?}");
    }
}

impl Transport for Script {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let (head, body) = outgoing.request.into_parts();
        let asked = format!("{} {}", head.method, head.uri.path_and_query().unwrap());
        let (start, reply) =
            self.steps.lock().unwrap().pop_front().unwrap_or_else(|| panic!("unasked {asked}"));
        assert!(asked.starts_with(&start), "asked {asked}, not {start}");
        let body = serde_json::from_slice(&body).unwrap_or(serde_json::Value::Null);
        self.bodies.lock().unwrap().push(body);
        Box::pin(async move { reply })
    }
}

fn status(status: u16, body: &str) -> Reply {
    let response = http::Response::builder().status(status);
    Ok(response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

fn ok(body: &str) -> Reply {
    status(200, body)
}

fn ok_json(body: &serde_json::Value) -> Reply {
    status(200, &body.to_string())
}

fn lost() -> Reply {
    Err(TransportError::NoAnswer("reset".to_owned()))
}

fn adapter_with(script: &Arc<Script>, settings: serde_json::Value) -> Adapter {
    adapter_over(script.clone(), settings)
}

fn adapter_over(transport: Arc<dyn Transport>, settings: serde_json::Value) -> Adapter {
    let setup = AccountSetup {
        id: AccountId::from("zd"),
        base_url: "https://acme.zendesk.test".parse().unwrap(),
        webhook_secret: Some(Secret::new("hush")),
        settings,
        custom: Vec::new(),
    };
    let parts = ClientParts {
        transport,
        clock: Arc::new(TokioClock::starting_at(NOW)),
        jitter: Arc::new(SeededJitter::new(1)),
        authorizer: Arc::new(StaticAuthorizer(Secret::new("Bearer t"))),
    };
    Adapter::open(setup, parts).unwrap()
}

fn adapter(script: &Arc<Script>) -> Adapter {
    adapter_with(script, json!({}))
}

fn call() -> Call {
    Call { lane: Lane::Live, deadline: NOW.plus(Duration::from_secs(30)) }
}

fn tags(names: &[&str]) -> Value {
    Value::Tags(names.iter().map(|name| (*name).to_owned()).collect())
}

fn text(words: &str) -> PublicText {
    PublicText::shown_publicly(Body::inline(words))
}

fn agent() -> Person {
    Person { id: None, name: "Ada".to_owned(), email: Some("ada@acme.test".to_owned()), role: Role::Agent }
}

fn zoe() -> Person {
    Person::customer("Zoe Zhang", "zoe@customer.test")
}

fn reply(author: Person, mail: Mail) -> Option<Message> {
    Some(Message::Public(PublicMessage { author, text: text("Use water."), mail, attachments: Vec::new() }))
}

fn note() -> Option<Message> {
    let text = PrivateText::new(Body::inline("Handed over."));
    Some(Message::Private(PrivateMessage { author: None, text, attachments: Vec::new() }))
}

fn create() -> Create {
    let fields = Fields::from([
        (Field::Subject, Value::subject("Printer is on fire")),
        (Field::Status, Value::Status(Status::New)),
        (Field::Tags, tags(&["fire"])),
    ]);
    let opening =
        PublicMessage { author: zoe(), text: text("It burns."), mail: Mail::Silent, attachments: Vec::new() };
    let ticket = NewTicket { requester: zoe(), opening: Some(opening), fields, follows: None, import: None };
    Create { at: AccountId::from("zd"), ticket, key: KEY.into() }
}

fn update(set: &[(Field, Value)], message: Option<Message>, if_version: Option<&str>) -> Update {
    Update {
        at: TicketKey::new("zd", "155"),
        set: set.iter().cloned().collect(),
        message,
        if_version: if_version.map(|at| Version::from(Timestamp::parse(at).unwrap())),
        key: KEY.into(),
    }
}

fn attempted<'a>(intent: &'a Intent, claimed: &'a BTreeSet<RemoteId>) -> Attempted<'a> {
    Attempted { intent, sent_at: NOW, claimed, author: None }
}

/// The answer of `show_many` for ticket 155.
fn shown(updated_at: &str, tags: &[&str]) -> serde_json::Value {
    json!({"tickets": [{"id": 155, "updated_at": updated_at, "status": "open", "tags": tags, "requester_id": 88}],
        "users": [{"id": 88, "name": "Zoe Zhang", "email": "zoe@customer.test", "role": "end-user"}]})
}

/// The answer to a write of ticket 155.
fn wrote(updated_at: &str, tags: &[&str]) -> serde_json::Value {
    json!({"ticket": {"id": 155, "updated_at": updated_at, "status": "open", "tags": tags, "requester_id": 88},
        "audit": {"id": 35, "events": [{"id": 37, "type": "Comment"}]}})
}

fn settings() -> Settings {
    Settings::default()
}

crate::conformance::helpdesk!(crate::conformance::Terms {
    name: "zendesk",
    simulator: None,
    small_pages: r#"{"export_page_rows": 10}"#,
    page_rows: 10,
    lacking: r#"{"quiet_tag": "hush"}"#,
    creates_once: true,
    tells_merges: true,
    cannot: &[],
    requests: crate::conformance::Requests {
        feed_of_50: 1,
        feed_of_none: 1,
        fetch_1: 1,
        fetch_50: 1,
        comments_3: 1,
        comments_120: 2,
        fields: 1,
        fields_and_reply: 1,
        // The quiet tag comes off again.
        fields_and_silent: 2,
        customers_words: 1,
        note: 1,
        // The quiet tag comes off again.
        create: 2,
        // The audits, and the ticket.
        find_reply: 2,
        // The ticket, and its first comment.
        find_create: 2,
        known_person: 1,
        new_person: 2,
        // Each file is uploaded by itself.
        note_with_2_files: 3,
        // The account's own address sends on to another host.
        download: 2,
        hide: 1,
        // The comment as it is, and the redaction.
        redact: 2,
        // Once who we are, the import, and the ids of its comments.
        import: 3,
        // The events with the comments, how many tickets there are, and the tickets; the people
        // were met before.
        history_of_50: 3,
        // Fields, statuses, groups, agents.
        catalog: 4,
    },
});
