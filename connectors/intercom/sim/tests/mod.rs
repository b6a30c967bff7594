//! The simulator as a client meets it.

mod access;
mod conversations;
mod hooks;
mod people;
mod random;
mod search;
mod tickets;
mod world;

use bytes::Bytes;
use handoffd_core::{RemoteId, Timestamp};
use http::{Request, Response};
use serde_json::{Value, json};

use super::{IntercomSim, Options};
use crate::sim::{HumanAct, ShownTicket, SimSetup, VendorSim, Who};

/// 2026-11-22T08:00:00Z.
const START: i64 = 1_795_334_400;

/// A simulator, its token and a clock in seconds.
struct Desk {
    sim: IntercomSim,
    token: String,
    version: &'static str,
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

    /// Status, code and message of the only error.
    fn error(&self) -> (u16, &str, &str) {
        assert_eq!(self.body["type"], "error.list", "{}", self.body);
        let error = &self.body["errors"][0];
        (self.status, error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
    }

    /// The ids of the rows of a list.
    fn ids(&self) -> Vec<&str> {
        let lists = ["conversations", "tickets", "data", "admins", "teams"];
        let rows = lists.iter().find_map(|name| self.body[*name].as_array());
        rows.unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
    }

    fn parts(&self) -> &Vec<Value> {
        self.body["conversation_parts"]["conversation_parts"].as_array().unwrap()
    }
}

impl Desk {
    fn new() -> Self {
        Self::with("unlimited", Options::default())
    }

    fn with(plan: &str, options: Options) -> Self {
        let setup = SimSetup { seed: 7, plan: plan.to_owned(), now: Timestamp::from_secs(START) };
        let sim = IntercomSim::new(&setup, options);
        let token = sim.credentials()["bearer"].as_str().unwrap().to_owned();
        Self { sim, token, version: "2.14", now: START }
    }

    /// Whose index does not lag.
    fn prompt() -> Self {
        Self::with("unlimited", Options { index_lag_secs: 0, contact_lag_secs: 0, ..Options::default() })
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
        let request = Request::builder()
            .method(method)
            .uri(format!("/{path}"))
            .header("host", "api.intercom.io")
            .header("authorization", format!("Bearer {}", self.token))
            .header("intercom-version", self.version)
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

    fn delete(&mut self, path: &str, body: Value) -> Got {
        self.call("DELETE", path, Some(body))
    }

    /// Our own admin.
    fn me(&mut self) -> String {
        self.get("me").body["id"].as_str().unwrap().to_owned()
    }

    /// A contact of this address.
    fn contact(&mut self, email: &str) -> String {
        let made = self.post("contacts", json!({"role": "user", "email": email, "name": "Ada"}));
        assert_eq!(made.status, 200, "{}", made.body);
        made.body["id"].as_str().unwrap().to_owned()
    }

    /// A conversation made through the API, by a new contact.
    fn conversation(&mut self, email: &str) -> String {
        let contact = self.contact(email);
        let made = self.post(
            "conversations",
            json!({"from": {"type": "user", "id": contact}, "body": "It <leaks>.\nBadly & often."}),
        );
        assert_eq!(made.status, 200, "{}", made.body);
        made.body["conversation_id"].as_str().unwrap().to_owned()
    }

    /// A reply or note of ours.
    fn reply(&mut self, id: &str, kind: &str, body: &str) -> Got {
        let admin = self.me();
        self.post(
            &format!("conversations/{id}/reply"),
            json!({"type": "admin", "message_type": kind, "admin_id": admin, "body": body}),
        )
    }

    /// A change of state or owner by us.
    fn manage(&mut self, id: &str, mut body: Value) -> Got {
        body["admin_id"] = json!(self.me());
        self.post(&format!("conversations/{id}/parts"), body)
    }

    /// A ticket made through the API.
    fn ticket(&mut self, title: &str) -> String {
        let made = self.post("tickets", new_ticket(title));
        assert_eq!(made.status, 200, "{}", made.body);
        made.body["id"].as_str().unwrap().to_owned()
    }

    /// A conversation that a customer opened.
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

    /// A ticket as people know it: by its id with a `t` before it.
    fn submitted(&mut self, title: &str) -> RemoteId {
        RemoteId::new(format!("t{}", self.ticket(title)))
    }

    fn shown(&self, id: &str) -> ShownTicket {
        self.sim.tickets().into_iter().find(|ticket| ticket.id.as_str() == id).unwrap()
    }

    /// The notifications that are due: topic and item. All are taken.
    fn told(&mut self) -> Vec<(String, Value)> {
        let now = self.at();
        let mut told = Vec::new();
        for out in self.sim.webhooks_due(now) {
            self.sim.webhook_answered(out.id, Some((200, None)), now);
            let body: Value = serde_json::from_slice(out.request.body()).unwrap_or_default();
            if let Some(topic) = body["topic"].as_str() {
                told.push((topic.to_owned(), body["data"]["item"].clone()));
            }
        }
        told
    }

    fn topics(&mut self) -> Vec<String> {
        self.told().into_iter().map(|(topic, _)| topic).collect()
    }

    /// Listens, and takes the check and the ping.
    fn listen(&mut self) {
        self.sim.set_webhook("http://127.0.0.1:1/hook", "s3cret");
        assert_eq!(self.topics(), ["ping"]);
    }
}

fn new_ticket(title: &str) -> Value {
    json!({"ticket_type_id": "53", "contacts": [{"email": "ada@example.com"}],
        "ticket_attributes": {"_default_title_": title, "_default_description_": "Help"}})
}

/// A query of one filter.
fn filter(field: &str, operator: &str, value: impl Into<Value>) -> Value {
    json!({"query": {"field": field, "operator": operator, "value": value.into()}})
}
