//! The vendors' REST over real HTTP, as any client would use it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Debug)]
pub struct Got {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub json: Value,
}

/// A client that goes nowhere but where it is told.
pub fn client() -> reqwest::Client {
    let built = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build();
    built.expect("a client can be made")
}

/// Sends a request and reads all of the answer.
pub async fn got(request: reqwest::RequestBuilder) -> Got {
    tried(request).await.expect("an answer")
}

/// The same; `None` when no answer comes.
pub async fn tried(request: reqwest::RequestBuilder) -> Option<Got> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.ok()?;
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Some(Got { status, headers, text, json })
}

/// `Basic …`.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// One simulated vendor.
#[derive(Clone)]
pub struct Vendor {
    /// Where it is.
    pub base_url: String,
    /// How to sign in, as the sandbox told.
    pub credentials: Value,
    /// The `Authorization` header of every request.
    pub auth: String,
    client: reqwest::Client,
}

/// A message as shown by either helpdesk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The text, without markup.
    pub text: String,
    /// Whether the customer sees it.
    pub public: bool,
}

impl Vendor {
    /// Reads what the sandbox announced of one vendor.
    pub fn new(name: &str, announced: &Value) -> Self {
        let vendor = &announced["vendors"][name];
        let credentials = vendor["credentials"].clone();
        let auth = match name {
            "zendesk" => {
                let user = format!("{}/token", word(&credentials, "email"));
                basic(&user, &word(&credentials, "api_token"))
            }
            "freshdesk" => basic(&word(&credentials, "api_key"), "X"),
            "intercom" => format!("Bearer {}", word(&credentials, "access_token")),
            _ => format!("Bearer {}", word(&credentials, "api_key")),
        };
        Self { base_url: word(vendor, "base_url"), credentials, auth, client: client() }
    }

    /// A credential.
    pub fn credential(&self, name: &str) -> String {
        word(&self.credentials, name)
    }

    /// Sends one request, whatever comes of it.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Got {
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.base_url));
        request = request.header("authorization", &self.auth);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        got(request).await
    }

    /// Reads something that is there.
    pub async fn get(&self, path: &str) -> Value {
        let got = self.send("GET", path, None).await;
        assert_eq!(got.status, 200, "{path}: {got:?}");
        got.json
    }

    /// Writes something that the vendor takes.
    pub async fn write(&self, method: &str, path: &str, body: Value) -> Value {
        let got = self.send(method, path, Some(&body)).await;
        assert!(matches!(got.status, 200 | 201), "{method} {path}: {got:?}");
        got.json
    }

    /// Opens a ticket at Zendesk as its customer.
    pub async fn zendesk_open(&self, subject: &str, text: &str) -> String {
        let requester = json!({ "name": "Ann Doe", "email": "ann@example.org" });
        let ticket = json!({ "subject": subject, "comment": { "body": text }, "requester": requester, "tags": ["shop"] });
        id(&self.write("POST", "/api/v2/tickets.json", json!({ "ticket": ticket })).await["ticket"])
    }

    /// Adds a public reply at Zendesk, by the agent who is signed in.
    pub async fn zendesk_reply(&self, ticket: &str, text: &str) {
        let body = json!({ "ticket": { "comment": { "body": text, "public": true } } });
        self.write("PUT", &format!("/api/v2/tickets/{ticket}.json"), body).await;
    }

    /// Every ticket at Zendesk with its subject.
    pub async fn zendesk_tickets(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut path = "/api/v2/tickets.json?page[size]=100".to_owned();
        loop {
            let page = self.get(&path).await;
            found.extend(rows(&page["tickets"]));
            if page["meta"]["has_more"] != true {
                return found;
            }
            path = word(&page["links"], "next").replace(&self.base_url, "");
        }
    }

    /// The messages of a ticket at Zendesk.
    pub async fn zendesk_said(&self, ticket: &str) -> Vec<Said> {
        let page = self.get(&format!("/api/v2/tickets/{ticket}/comments.json?page[size]=100")).await;
        let said = |comment: &Value| Said {
            text: word(comment, "plain_body"),
            public: comment["public"].as_bool().expect("public is a boolean"),
        };
        page["comments"].as_array().expect("comments").iter().map(said).collect()
    }

    /// Opens a ticket at Freshdesk as its customer.
    pub async fn freshdesk_open(&self, subject: &str, text: &str) -> String {
        let body = json!({ "subject": subject, "description": format!("<div>{text}</div>"),
            "email": "bob@example.org", "status": 2, "priority": 1 });
        id(&self.write("POST", "/api/v2/tickets", body).await)
    }

    /// Replies at Freshdesk, by the agent who is signed in.
    pub async fn freshdesk_reply(&self, ticket: &str, text: &str) {
        let body = json!({ "body": format!("<div>{text}</div>") });
        self.write("POST", &format!("/api/v2/tickets/{ticket}/reply"), body).await;
    }

    /// Every ticket at Freshdesk with its subject.
    pub async fn freshdesk_tickets(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for page in 1.. {
            let list = self.get(&format!("/api/v2/tickets?per_page=100&page={page}")).await;
            let before = found.len();
            found.extend(rows(&list));
            if found.len() < before + 100 {
                break;
            }
        }
        found
    }

    /// The messages of a ticket at Freshdesk, the opening one first.
    pub async fn freshdesk_said(&self, ticket: &str) -> Vec<Said> {
        let shown = self.get(&format!("/api/v2/tickets/{ticket}")).await;
        let mut said = vec![Said { text: word(&shown, "description_text"), public: true }];
        for page in 1.. {
            let path = format!("/api/v2/tickets/{ticket}/conversations?per_page=100&page={page}");
            let list = self.get(&path).await;
            let list = list.as_array().expect("conversations");
            said.extend(list.iter().map(|row| Said {
                text: word(row, "body_text"),
                public: !row["private"].as_bool().expect("private is a boolean"),
            }));
            if list.len() < 100 {
                break;
            }
        }
        said
    }
}

/// A text in an object.
pub fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).trim().to_owned()
}

/// A number in an object, as text.
pub fn id(value: &Value) -> String {
    value["id"].as_i64().unwrap_or_else(|| panic!("no id in {value}")).to_string()
}

fn rows(list: &Value) -> Vec<(String, String)> {
    let list = list.as_array().expect("a list");
    list.iter().map(|row| (id(row), word(row, "subject"))).collect()
}
