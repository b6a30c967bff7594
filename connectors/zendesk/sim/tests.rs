//! What this world does as the vendor does, from the facts about it.

mod access;
mod delivery;
mod export;
mod fuzz;
mod neighbours;
mod people;
mod writing;

use bytes::Bytes;
use handoffd_core::{RemoteId, Timestamp};
use http::Request;
use serde_json::{Value, json};

use super::Sim;
use crate::sim::{HumanAct, SimSetup, VendorSim};

const START: i64 = 1_790_000_000;

/// A world, its clock, and one way of signing in.
struct Desk {
    sim: Sim,
    now: Timestamp,
    auth: String,
}

/// An answer taken apart.
struct Got {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Desk {
    fn new(plan: &str) -> Self {
        let now = Timestamp::from_secs(START);
        let sim = Sim::new(&SimSetup { seed: 11, plan: plan.to_owned(), now });
        let auth = format!("Bearer {}", sim.oauth.lasting);
        Self { sim, now, auth }
    }

    fn wait(&mut self, secs: i64) {
        self.now = Timestamp::from_secs(self.now.as_secs() + secs);
    }

    fn send(&mut self, request: http::request::Builder, body: &Value) -> Got {
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let response = self.sim.handle(request.body(bytes).unwrap(), self.now);
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Got { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    fn ask(&mut self, method: &str, path: &str, body: Value) -> Got {
        let request = Request::builder().method(method).uri(path).header("authorization", self.auth.clone());
        self.send(request, &body)
    }

    fn get(&mut self, path: &str) -> Got {
        self.ask("GET", &format!("/api/v2/{path}"), Value::Null)
    }

    fn put(&mut self, path: &str, body: Value) -> Got {
        self.ask("PUT", &format!("/api/v2/{path}"), body)
    }

    fn post(&mut self, path: &str, body: Value) -> Got {
        self.ask("POST", &format!("/api/v2/{path}"), body)
    }

    fn delete(&mut self, path: &str) -> Got {
        self.ask("DELETE", &format!("/api/v2/{path}"), Value::Null)
    }

    /// A ticket made by the API without a mail.
    fn quiet_ticket(&mut self) -> i64 {
        let ticket = json!({"ticket": {"subject": "Broken", "comment": {"body": "It broke"}, "tags": ["handoffd_quiet"],
            "requester": {"name": "Ann", "email": "ann@example.org"}}});
        let made = self.post("tickets", ticket);
        assert_eq!(made.status, 201, "{}", made.body);
        self.put(&format!("tickets/{}", made.body["ticket"]["id"]), json!({"ticket": {"tags": []}}));
        made.body["ticket"]["id"].as_i64().unwrap()
    }

    fn human(&mut self, act: HumanAct) -> Result<RemoteId, String> {
        self.sim.human(act, self.now)
    }

    /// A ticket opened by a customer.
    fn opened(&mut self, to_bot: bool) -> RemoteId {
        let act = HumanAct::Open {
            name: "Ben".to_owned(),
            email: "ben@example.org".to_owned(),
            subject: "Where is it?".to_owned(),
            text: "My order is late".to_owned(),
            to_bot,
        };
        self.human(act).unwrap()
    }
}
