//! The public API over its router, without sockets. Every request that is taken and every answer is
//! held against the description.

mod described;
mod dialects;
mod messages;
mod streams;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request},
};
use handoffd_connectors::{
    client::{ReqwestTransport, SeededJitter, SystemClock},
    contract::Secret,
};
use handoffd_core::{TicketKey, model::captured::Captured};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Agent, Site, SiteParts, public_router};
use crate::{
    app::{self, Outside},
    config::{self, SecretRef},
    engine::Engine,
    status::Readiness,
    store::{
        Key,
        blobs::Blobs,
        mem::MemStore,
        tables::{self, INTAKES, IntakeRow},
    },
};

const CONFIG: &str = r#"
[accounts.zd]
connector = "zendesk"
base_url = "https://zd.invalid"
auth = { method = "bearer", token = "env:MADE" }
[accounts.fd]
connector = "freshdesk"
base_url = "https://fd.invalid"
auth = { method = "api_key", key = "env:MADE" }
[groups.support]
accounts = ["zd", "fd"]
customer_facing = "zd"
routes = [{ from = "zd", to = "fd" }]
[handoff]
areas = { "/billing" = "Billing" }
"#;

struct Ready;

impl Readiness for Ready {
    fn not_ready(&self) -> Option<String> {
        None
    }
}

/// A daemon that does no work: only its listener.
struct World {
    router: Router,
    store: Arc<MemStore>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
    json: Value,
}

impl World {
    async fn new() -> Self {
        let mut config = config::load_text("a test's configuration", CONFIG, &[]).expect("it loads");
        for account in config.accounts.values_mut() {
            account.auth.token = account.auth.token.take().map(|_| SecretRef::Made(Secret::new("t")));
            account.auth.key = account.auth.key.take().map(|_| SecretRef::Made(Secret::new("k")));
        }
        let outside = Outside {
            clock: Arc::new(SystemClock),
            jitter: Arc::new(SeededJitter::new(1)),
            transport: Arc::new(ReqwestTransport::new().expect("a client")),
        };
        let store = Arc::new(MemStore::new(outside.clock.clone()));
        let parts = app::engine_parts(&config, store.clone(), Blobs::memory(), &outside);
        let agent = |name: &str, accounts: Option<&str>| {
            let accounts = accounts.map(|account| [account.to_owned()].into());
            let token = Some(Secret::new(format!("token-of-{name}")));
            Agent::new(name.to_owned(), accounts, token, None).expect("a token")
        };
        let site = Site::new(SiteParts {
            engine: Engine::new(parts.await.expect("a good configuration")),
            server: config.server.clone(),
            agents: vec![agent("ada", None), agent("bob", Some("fd"))],
            admin_token: Secret::new("nobody asks"),
            readiness: Arc::new(Ready),
        });
        Self { router: public_router(site), store }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let mut request = request;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 4000))));
        let answer = self.router.clone().oneshot(request).await.expect("a router answers");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: head.status.as_u16(), headers: head.headers, text, json }
    }

    async fn post_as(&self, agent: &str, path: &str, key: Option<&str>, body: &str) -> Answer {
        let mut request = Request::post(path).header("authorization", format!("Bearer token-of-{agent}"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = self.send(request.body(Body::from(body.to_owned())).expect("a request")).await;
        described::judge("post", path, body, &answer);
        answer
    }

    async fn get_as(&self, agent: &str, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer token-of-{agent}"));
        let answer = self.send(request.body(Body::empty()).expect("a request")).await;
        described::judge("get", path, "", &answer);
        answer
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as("ada", path, None, &body.to_string()).await
    }

    async fn captured(&self, ticket: &str) -> Option<Captured> {
        tables::captured_of(&*self.store, &TicketKey::new("zd", ticket)).await.expect("readable")
    }

    async fn intakes(&self) -> Vec<IntakeRow> {
        let rows = tables::read_all::<IntakeRow>(&*self.store, INTAKES, &Key(Vec::new()), 1_000).await;
        rows.expect("readable").into_iter().map(|(_, row)| row.value).collect()
    }
}

#[tokio::test]
async fn nobody_unknown_is_heard() {
    let world = World::new().await;
    for path in ["/v1/handoffs", "/v1/conversations/c1/events"] {
        let answer = world.post_as("eve", path, None, "{}").await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.text);
    }
    assert_eq!(world.post_as("ada", "/v1/handoffs", None, "{").await.status, 400);
    let long = json!({ "summary": "x".repeat(3_000_000) });
    assert_eq!(world.post("/v1/handoffs", &long).await.status, 413);
}
