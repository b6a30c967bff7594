//! An account whose vendor answers what it is told to.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Response, StatusCode};
use serde_json::Value as Json;

use crate::{
    client::{ClientParts, Outgoing, SeededJitter, StaticAuthorizer, TokioClock, Transport, TransportError},
    conformance::bench::{NOW, account, connector},
    contract::{AccountSetup, CustomField, Opened, Secret},
    sim::SimSetup,
};

/// What is answered to requests whose `METHOD /path?query` begins so.
#[derive(Clone)]
pub struct Route {
    /// The beginning, `*` for one part of the path; empty for every request. With `$` at its end it is the whole.
    pub begins: &'static str,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// The `Intercom-Version` of the answer, if it has one.
    pub version: Option<&'static str>,
}

impl Route {
    /// A 200 with JSON.
    pub fn json(begins: &'static str, body: &Json) -> Self {
        Self { begins, status: 200, body: Bytes::from(body.to_string()), version: None }
    }

    fn fits(&self, line: &str) -> bool {
        let whole = self.begins.strip_suffix('$');
        let mut parts = whole.unwrap_or(self.begins).split('*');
        let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
        let fits = parts.all(|part| {
            let end = rest.find(['/', '?', '.']).unwrap_or(rest.len());
            rest[end..].strip_prefix(part).map(|behind| rest = behind).is_some()
        });
        fits && (whole.is_none() || rest.is_empty())
    }
}

/// Answers from a list; what is not on it is not found.
pub struct Canned {
    routes: Vec<Route>,
    asked: Mutex<Vec<String>>,
}

impl Canned {
    /// The first route that fits counts.
    pub fn new(routes: Vec<Route>) -> Arc<Self> {
        Arc::new(Self { routes, asked: Mutex::default() })
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Whether the first route was used.
    pub fn is_first_used(&self) -> bool {
        self.routes.first().is_some_and(|first| self.asked().iter().any(|line| first.fits(line)))
    }

    /// The connector's account at this vendor, with the settings that its simulator suggests, and more.
    pub fn open(
        self: &Arc<Self>,
        name: &str,
        custom: Vec<CustomField>,
        more: &str,
        clock: TokioClock,
    ) -> Opened {
        let connector = connector(name);
        let sim = connector.simulator(SimSetup { seed: 7, plan: "unlimited".to_owned(), now: NOW });
        let parts = ClientParts {
            transport: Arc::clone(self) as Arc<dyn Transport>,
            clock: Arc::new(clock),
            jitter: Arc::new(SeededJitter::new(1)),
            authorizer: Arc::new(StaticAuthorizer(Secret::new("Bearer t"))),
        };
        let setup = AccountSetup {
            id: account(),
            base_url: "https://vendor.test".parse().expect("a URL"),
            webhook_secret: None,
            settings: with_more(sim.suggested_settings(), more),
            custom,
        };
        connector.open(setup, parts).unwrap_or_else(|bad| panic!("{bad}"))
    }
}

/// Settings with those of a JSON object beside or instead of them.
pub fn with_more(mut settings: Json, more: &str) -> Json {
    let more: Json = serde_json::from_str(more).expect("settings are JSON");
    for (name, value) in more.as_object().expect("settings are an object") {
        settings[name.as_str()] = value.clone();
    }
    settings
}

impl Transport for Canned {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let request = &outgoing.request;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let line = format!("{} {path}", request.method());
        let route = self.routes.iter().find(|route| route.fits(&line));
        let (status, body) = route.map_or((404, Bytes::new()), |route| (route.status, route.body.clone()));
        let version = route.and_then(|route| route.version);
        self.asked.lock().unwrap().push(line);
        let mut answer = Response::new(body);
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
        if let Some(version) = version {
            answer.headers_mut().insert("intercom-version", http::HeaderValue::from_static(version));
        }
        Box::pin(async move { Ok(answer) })
    }
}
