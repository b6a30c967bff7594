//! The simulator as a client meets it.

mod api;
mod neighbours;
mod people;
mod random;
mod world;

use bytes::Bytes;
use handoffd_core::{RemoteId, Timestamp};
use http::{Request, Response};
use serde_json::{Value, json};

use super::{Options, start_with};
use crate::sim::{HumanAct, ShownTicket, SimSetup, VendorSim, Who};

/// 2026-11-22T08:00:00Z.
const START: i64 = 1_795_334_400;

/// A simulator, its key and a clock in seconds.
struct Desk {
    sim: Box<dyn VendorSim>,
    key: String,
    now: i64,
}

/// An answer, read.
struct Got {
    status: u16,
    body: Value,
    response: Response<Bytes>,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    fn ids(&self) -> Vec<i64> {
        let rows = self.body.as_array().cloned().unwrap_or_default();
        rows.iter().filter_map(|row| row["id"].as_i64()).collect()
    }

    /// Field and code of each thing that was wrong.
    fn wrong(&self) -> Vec<(String, String)> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let text = |error: &Value, name: &str| error[name].as_str().unwrap_or("").to_owned();
        errors.iter().map(|error| (text(error, "field"), text(error, "code"))).collect()
    }
}

impl Desk {
    fn new(plan: &str) -> Self {
        Self::with(plan, Options::default())
    }

    fn with(plan: &str, options: Options) -> Self {
        let setup = SimSetup { seed: 7, plan: plan.to_owned(), now: Timestamp::from_secs(START) };
        let sim = start_with(setup, options);
        let key = sim.credentials()["api_key"].as_str().unwrap().to_owned();
        Self { sim, key, now: START }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_secs(self.now)
    }

    fn send(&mut self, request: Request<Bytes>) -> Got {
        let response = self.sim.handle(request, Timestamp(self.now * 1_000 + 250));
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        Got { status: response.status().as_u16(), body, response }
    }

    fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Got {
        let credentials =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{}:X", self.key));
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v2/{path}"))
            .header("host", "acme.freshdesk.com")
            .header("authorization", format!("Basic {credentials}"))
            .header("content-type", "application/json")
            .body(body.map(|body| Bytes::from(body.to_string())).unwrap_or_default())
            .unwrap();
        self.send(request)
    }

    fn get(&mut self, path: &str) -> Got {
        self.call("GET", path, None)
    }

    fn post(&mut self, path: &str, body: Value) -> Got {
        self.call("POST", path, Some(body))
    }

    fn put(&mut self, path: &str, body: Value) -> Got {
        self.call("PUT", path, Some(body))
    }

    /// A ticket made through the API.
    fn ticket(&mut self, subject: &str) -> i64 {
        let made = self.post("tickets", new_ticket(subject));
        assert_eq!(made.status, 201, "{}", made.body);
        made.body["id"].as_i64().unwrap()
    }

    /// A ticket that a customer opened.
    fn opened(&mut self, to_bot: bool) -> RemoteId {
        let now = self.at();
        let open = HumanAct::Open {
            name: "Ada".to_owned(),
            email: "ada@example.com".to_owned(),
            subject: "Broken kettle".to_owned(),
            text: "It <leaks>.\nBadly & often.".to_owned(),
            to_bot,
        };
        self.sim.human(open, now).unwrap()
    }

    fn say(&mut self, ticket: &RemoteId, who: Who, text: &str, public: bool) -> Result<RemoteId, String> {
        let now = self.at();
        self.sim.human(HumanAct::Say { ticket: ticket.clone(), who, text: text.to_owned(), public }, now)
    }

    fn shown(&self, id: &RemoteId) -> ShownTicket {
        self.sim.tickets().into_iter().find(|ticket| ticket.id == *id).unwrap()
    }
}

fn new_ticket(subject: &str) -> Value {
    json!({"email": "ada@example.com", "subject": subject, "description": "<div>Help</div>",
        "status": 2, "priority": 1})
}

fn pair(field: &str, code: &str) -> (String, String) {
    (field.to_owned(), code.to_owned())
}
