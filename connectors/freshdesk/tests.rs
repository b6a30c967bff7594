//! Whole calls over a scripted net; requests and reading have files of their own.

mod calls;
mod catalog;
mod later;
mod lookups;
mod over_sim;
mod reading;
mod requests;
mod specs;
mod staff;
mod whole;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{
    AccountId, Body, Field, FieldKind, FieldName, Fields, Mail, Message, OpKey, Person, PrivateMessage,
    PrivateText, PublicMessage, PublicText, RemoteId, TicketKey, Timestamp, Value,
    intent::{Intent, Update},
};
use serde_json::Value as Json;

use super::{desk::Desk, map::Mapping, open, settings::Settings, staff::People, wire};
use crate::{
    client::{
        ClientParts, Transport, TransportError,
        auth::StaticAuthorizer,
        clock::{SeededJitter, TokioClock},
        transport::Outgoing,
    },
    contract::{AccountSetup, Call, CustomField, Lane, Secret},
};

/// 2026-11-22T08:00:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_795_334_400);

/// An answer of the scripted net: status, headers, body; status 0 is no answer.
type Reply = (u16, Vec<(&'static str, String)>, String);

/// A net that expects requests in order, each as `METHOD path?query`.
#[derive(Default)]
struct Script {
    expected: Mutex<VecDeque<(String, Reply)>>,
    bodies: Mutex<Vec<Json>>,
}

impl Transport for Script {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let uri = outgoing.request.uri();
        let asked = format!("{} {}", outgoing.request.method(), uri.path_and_query().unwrap());
        let next = self.expected.lock().unwrap().pop_front();
        let (expected, (status, headers, body)) = next.unwrap_or_else(|| panic!("nobody expects {asked}"));
        assert_eq!(asked, expected);
        assert_eq!(outgoing.request.headers()["authorization"], "Basic eDpY");
        let sent = serde_json::from_slice(outgoing.request.body()).unwrap_or(Json::Null);
        self.bodies.lock().unwrap().push(sent);
        if status == 0 {
            return Box::pin(async { Err(TransportError::NoAnswer("reset".to_owned())) });
        }
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        Box::pin(async move { Ok(response.body(Bytes::from(body)).unwrap()) })
    }
}

impl Script {
    fn expect(&self, request: &str, status: u16, body: impl Into<String>) -> &Self {
        self.expect_with(request, status, Vec::new(), body)
    }

    fn expect_with(
        &self,
        request: &str,
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: impl Into<String>,
    ) -> &Self {
        self.expected.lock().unwrap().push_back((request.to_owned(), (status, headers, body.into())));
        self
    }

    /// Everything that was expected was asked; the bodies that were sent.
    fn finish(&self) -> Vec<Json> {
        let left = self.expected.lock().unwrap();
        assert!(left.is_empty(), "never asked: {left:?}");
        self.bodies.lock().unwrap().drain(..).collect()
    }
}

/// A desk over a script, with the settings given, that has listed the agents 7000 to 7009.
fn desk_with(settings: Json) -> (Desk, Arc<Script>) {
    let (desk, script) = fresh_desk(settings);
    let agent = |id: i64| serde_json::json!({"id": id, "contact": {"name": format!("Agent {id}")}});
    let agents = Json::from((7000..7010).map(agent).collect::<Vec<_>>());
    desk.staff.listed(&serde_json::from_value::<Vec<wire::Agent>>(agents).unwrap(), NOW);
    (desk, script)
}

/// A desk that nothing was asked through yet.
fn fresh_desk(settings: Json) -> (Desk, Arc<Script>) {
    let script = Arc::new(Script::default());
    let http = ClientParts {
        transport: script.clone(),
        clock: Arc::new(TokioClock::starting_at(NOW)),
        jitter: Arc::new(SeededJitter::new(1)),
        authorizer: Arc::new(StaticAuthorizer(Secret::new("Basic eDpY"))),
    };
    let setup = AccountSetup {
        id: AccountId::from("fd"),
        base_url: "https://acme.freshdesk.test".parse().unwrap(),
        webhook_secret: None,
        settings,
        custom: custom_fields(),
    };
    (open(setup, http).unwrap(), script)
}

fn desk() -> (Desk, Arc<Script>) {
    desk_with(Json::Null)
}

/// A field of each kind, named `a_text` and `cf_text` and so on.
fn custom_fields() -> Vec<CustomField> {
    let kinds = [
        ("text", FieldKind::Text),
        ("number", FieldKind::Number),
        ("flag", FieldKind::Boolean),
        ("day", FieldKind::Date),
        ("choice", FieldKind::Choice),
        ("choices", FieldKind::Choices),
    ];
    let field = |(word, kind): (&str, FieldKind)| CustomField {
        name: FieldName::new(&format!("a_{word}")).unwrap(),
        native: format!("cf_{word}"),
        kind,
    };
    kinds.into_iter().map(field).collect()
}

fn a(word: &str) -> Field {
    Field::Custom(FieldName::new(&format!("a_{word}")).unwrap())
}

fn mapping_with(settings: Json) -> Mapping {
    let account = AccountId::from("fd");
    let (settings, statuses) = Settings::read(&account, &settings).unwrap();
    Mapping { account, settings, statuses, custom: custom_fields() }
}

fn mapping() -> Mapping {
    mapping_with(Json::Null)
}

fn call() -> Call {
    Call { lane: Lane::Live, deadline: NOW.plus(Duration::from_secs(20)) }
}

fn public(text: &str, mail: Mail) -> Message {
    Message::Public(public_message(text, mail))
}

fn public_message(text: &str, mail: Mail) -> PublicMessage {
    let text = PublicText::shown_publicly(Body::inline(text));
    PublicMessage { author: Person::customer("Ann", "ann@example.test"), text, mail, attachments: Vec::new() }
}

fn private(text: &str, author: Option<Person>) -> Message {
    Message::Private(note(text, author))
}

fn note(text: &str, author: Option<Person>) -> PrivateMessage {
    PrivateMessage { author, text: PrivateText::new(Body::inline(text)), attachments: Vec::new() }
}

fn update(set: Fields, message: Option<Message>) -> Intent {
    Intent::Update(Update {
        at: TicketKey::new("fd", "2345"),
        set,
        message,
        if_version: None,
        key: OpKey::from("l0a1b2-7"),
    })
}

fn subject(text: &str) -> Fields {
    Fields::from([(Field::Subject, Value::subject(text))])
}

fn tags(tags: &[&str]) -> Value {
    Value::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect::<BTreeSet<_>>())
}

fn id(text: &str) -> RemoteId {
    RemoteId::from(text)
}

crate::conformance::helpdesk!(crate::conformance::Terms {
    name: "freshdesk",
    simulator: None,
    small_pages: "{}",
    page_rows: 100,
    lacking: r#"{"marker_field": "cf_not_there"}"#,
    creates_once: false,
    tells_merges: false,
    cannot: &[],
    requests: crate::conformance::Requests {
        // The list, the trash, the spam folder and the ratings.
        feed_of_50: 4,
        feed_of_none: 4,
        // The ticket, and once who the agents are.
        fetch_1: 2,
        // There is no request for several tickets by id.
        fetch_50: 50,
        comments_3: 1,
        // The ticket with its opening, and two pages.
        comments_120: 3,
        fields: 1,
        // There is no request for both.
        fields_and_reply: 2,
        fields_and_silent: 2,
        customers_words: 1,
        note: 1,
        create: 1,
        // The ticket, and once who we are.
        find_reply: 2,
        find_create: 1,
        known_person: 1,
        new_person: 2,
        note_with_2_files: 1,
        download: 1,
        // What stands there, away with it, and its private copy.
        hide: 3,
        redact: 2,
        import: 0,
        // How many there are, and the list.
        history_of_50: 2,
        // Fields, agents, groups.
        catalog: 3,
    },
});
