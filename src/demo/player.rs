//! Whoever acts in the demo: people at the vendors' screens, the AI agent at our API.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handoffd_connectors::{
    client::transport::Outgoing,
    contract::Secret,
    sim::{HumanAct, ShownTicket, Who},
};
use handoffd_core::{RemoteId, Timestamp};
use serde_json::json;

use super::{PATIENCE, STRIPE, ZENDESK};
use crate::{
    app::{Listening, Outside},
    engine::Engine,
    sandbox::Sandbox,
};

/// The address of the sandbox's AI agent.
const BOT_EMAIL: &str = "ai-agent@example.com";

/// How often a vendor's screen is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) struct Player {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) engine: Engine,
    outside: Outside,
    listening: Listening,
    token: Secret,
}

impl Player {
    pub(super) fn new(
        sandbox: Arc<Sandbox>,
        engine: Engine,
        outside: Outside,
        listening: Listening,
        token: Secret,
    ) -> Self {
        Self { sandbox, engine, outside, listening, token }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.outside.clock.now()
    }

    /// A person does something at a vendor's screen.
    pub(super) fn act(&self, vendor: &str, act: HumanAct) -> Result<RemoteId> {
        self.sandbox.human(vendor, act).map_err(|why| anyhow!("{vendor} refuses what a person does: {why}"))
    }

    pub(super) fn say(
        &self,
        vendor: &str,
        ticket: &RemoteId,
        who: Who,
        text: &str,
        public: bool,
    ) -> Result<()> {
        self.act(vendor, HumanAct::Say { ticket: ticket.clone(), who, text: text.to_owned(), public })?;
        Ok(())
    }

    pub(super) fn ticket(&self, vendor: &str, id: &RemoteId) -> Option<ShownTicket> {
        self.sandbox.tickets(vendor).into_iter().find(|ticket| ticket.id == *id)
    }

    /// Looks at the vendors until `seen` sees what it looks for.
    pub(super) async fn until<T>(&self, what: &str, mut seen: impl FnMut() -> Option<T>) -> Result<T> {
        let give_up = self.now().plus(PATIENCE);
        loop {
            if let Some(found) = seen() {
                return Ok(found);
            }
            if self.now() > give_up {
                bail!("not seen within {} s: {what}", PATIENCE.as_secs());
            }
            self.rest(LOOK_EVERY).await;
        }
    }

    pub(super) async fn rest(&self, wait: Duration) {
        self.outside.clock.sleep_until(self.now().plus(wait)).await;
    }

    /// The AI agent announces a handoff.
    pub(super) async fn announce(&self, key: &str, body: &serde_json::Value) -> Result<()> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        let give_up = self.now().plus(PATIENCE);
        loop {
            let request = http::Request::post(format!("http://{}/v1/handoffs", self.listening.public))
                .header("authorization", format!("Bearer {}", self.token.expose()))
                .header("content-type", "application/json")
                .header("idempotency-key", key)
                .body(body.clone())?;
            let response = self.send(request).await?;
            match response.status().as_u16() {
                202 => return Ok(()),
                // The same key again is the same handoff.
                429 | 503 if self.now() < give_up => self.rest(Duration::from_secs(1)).await,
                status => bail!("the API answered {status}: {}", String::from_utf8_lossy(response.body())),
            }
        }
    }

    /// The AI agent opens a conversation by writing first.
    pub(super) fn open_as_agent(
        &self,
        name: &str,
        email: &str,
        subject: &str,
        text: &str,
    ) -> Result<RemoteId> {
        let ticket = json!({
            "subject": subject,
            "requester": { "name": name, "email": email },
            "comment": { "body": text, "public": true },
        });
        let now = self.now();
        let answer = self.sandbox.with(ZENDESK, |sim| {
            let token =
                sim.credentials().get("api_token").and_then(|token| token.as_str().map(str::to_owned));
            let basic = STANDARD.encode(format!("{BOT_EMAIL}/token:{}", token.unwrap_or_default()));
            let request = http::Request::post("/api/v2/tickets.json")
                .header("authorization", format!("Basic {basic}"))
                .header("content-type", "application/json")
                .body(Bytes::from(json!({ "ticket": ticket }).to_string()));
            request.map(|request| sim.handle(request, now))
        });
        let answer = answer.ok_or_else(|| anyhow!("no helpdesk"))??;
        let body: serde_json::Value = serde_json::from_slice(answer.body())?;
        let id = body.pointer("/ticket/id").and_then(serde_json::Value::as_i64);
        let id = RemoteId::from(
            id.ok_or_else(|| anyhow!("the helpdesk refuses the ticket: {}", answer.status()))?,
        );
        self.act(ZENDESK, HumanAct::Assign { ticket: id.clone(), to: Some(Who::Bot) })?;
        Ok(id)
    }

    /// Posts a form to the simulated billing system; answers with the new object's id.
    pub(super) async fn bill(&self, path: &str, form: &[(&str, &str)]) -> Result<String> {
        let url = self.sandbox.base_url(STRIPE).ok_or_else(|| anyhow!("no billing system"))?;
        let key = self.sandbox.with(STRIPE, |sim| sim.credentials());
        let key = key.and_then(|all| Some(all.get("api_key")?.as_str()?.to_owned())).unwrap_or_default();
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(form);
        let request = http::Request::post(format!("{url}{path}"))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(encoded.finish()))?;
        let response = self.send(request).await?;
        if !response.status().is_success() {
            bail!(
                "the billing system answered {}: {}",
                response.status(),
                String::from_utf8_lossy(response.body())
            );
        }
        let body: serde_json::Value = serde_json::from_slice(response.body())?;
        body.get("id")
            .and_then(|id| id.as_str())
            .map(str::to_owned)
            .ok_or_else(|| anyhow!("no id in the answer"))
    }

    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let outgoing =
            Outgoing { request, upload: Vec::new(), timeout: PATIENCE, body_bytes_max: 1024 * 1024 };
        Ok(self.outside.transport.send(outgoing).await?)
    }
}
