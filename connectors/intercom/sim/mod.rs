//! Intercom in memory: conversations and tickets of its REST API 2.14 (2.11 to
//! 2.13 and 2.15 where they differ).
//!
//! How a person sees it, which is what [`VendorSim::tickets`] shows:
//!
//! | Intercom | shown |
//! | --- | --- |
//! | conversation `open`, `snoozed`, `closed` | Open, Pending, Solved |
//! | conversation `priority`, `not_priority` | High, Normal |
//! | ticket state by category `submitted`, `in_progress`, `waiting_on_customer`, `resolved` | New, Open, Pending, Solved |
//! | a ticket's priority | none |
//! | subject | `title`, else `source.subject`; of a ticket `_default_title_` |
//! | opening message | `source`, with the source's id; of a ticket `_default_description_`, with the id `description` |
//! | other messages | parts with a body, `close`, `open` and `assignment` included; private if a `note` |
//! | in copy | who takes part beside the first contact |
//! | type | of a ticket its type's name |
//! | custom fields | attributes by name, of conversations and of tickets; days in seconds since the epoch |
//! | a custom status | of a ticket a state that is not the first of its category |
//!
//! Tickets and conversations share one row of ids. A conversation that became
//! a ticket keeps its id, is shown as a conversation, and answers under both
//! paths. A ticket made as such answers under `/tickets` only. People open
//! conversations by e-mail; the API opens them in the Messenger. `Pending`
//! snoozes for a day. Statuses and priorities that Intercom has not are
//! refused, and so are a ticket's priority, a change of type or requester, hiding,
//! editing, merging and spam. The AI agent is an admin whose
//! messages have an author of type `bot`.
//!
//! What is not verified anywhere is decided here as follows. A message of a
//! customer opens a closed or snoozed conversation, and its part is then of
//! type `open`; an admin's does not. Everybody who takes part is mailed each
//! public message of an admin, imported ones (`created_at`) included, but for
//! the AI agent's in e-mail conversations. Creation of a customer ticket and a
//! change of its state are mailed unless `skip_notifications`. A contact can
//! write only where it takes part, and its markup is shown as typed when it
//! comes through the API. An image inside a body is among the attachments too.
//! An address that is new to a ticket becomes a lead. Updates of title and
//! attributes move `updated_at` and are no topic. Two versions in one second
//! cannot be told apart.

mod acts;
mod canvas;
mod catalog;
mod change;
mod conversations;
mod custom;
mod fields;
mod files;
mod filter;
mod hooks;
mod html;
mod http;
mod limits;
mod parts;
mod people;
mod routes;
mod search;
mod shape;
mod shown;
mod ticket_shape;
mod tickets;
mod workspace;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use handoffd_core::{RemoteId, Timestamp};
use serde_json::json;

pub use self::canvas::CanvasAct;
use self::{
    http::{Answer, Call, Version},
    limits::Limits,
    world::World,
};
use crate::sim::{HumanAct, MailSent, ShownTicket, SimSetup, VendorSim, WebhookOut};

/// How a workspace can differ from the usual one.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long the index of conversations and tickets stays behind, in seconds.
    pub index_lag_secs: i64,
    /// How long a new contact is not found by a search, in seconds.
    pub contact_lag_secs: i64,
    /// How long an attachment's address works, in seconds.
    pub attachment_secs: i64,
    /// A page of more rows than this times out; `None` never.
    pub slow_rows: Option<usize>,
    /// Whether conversations and tickets have the attribute `handoff_key`.
    pub marker_attributes: bool,
    /// Whether the workspace is paid for; else conversations and tickets answer 403.
    pub subscribed: bool,
    /// Every how many notifications one is sent twice; 0 for never.
    pub double_every: u64,
    /// Whether customers submit tickets where they would begin conversations.
    pub opens_tickets: bool,
    /// The version of the API that is suggested to clients.
    pub suggests: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            index_lag_secs: 3,
            contact_lag_secs: 120,
            attachment_secs: 30 * 60,
            slow_rows: Some(100),
            marker_attributes: true,
            subscribed: true,
            double_every: 0,
            opens_tickets: false,
            suggests: "2.14",
        }
    }
}

/// Starts the simulator.
pub fn start(setup: SimSetup) -> Box<dyn VendorSim> {
    start_with(setup, Options::default())
}

/// Starts the simulator of an unusual workspace.
pub fn start_with(setup: SimSetup, options: Options) -> Box<dyn VendorSim> {
    Box::new(IntercomSim::new(&setup, options))
}

/// The simulator, for tests that need more of it than every vendor has.
pub struct IntercomSim {
    /// The plan's name, for a client that paces itself.
    plan: String,
    world: World,
    limits: Limits,
    served: BTreeMap<String, u64>,
    answered: u64,
}

impl IntercomSim {
    /// A fresh workspace.
    pub fn new(setup: &SimSetup, options: Options) -> Self {
        Self {
            plan: setup.plan.clone(),
            world: World::new(setup, options),
            limits: Limits::new(&setup.plan),
            served: BTreeMap::new(),
            answered: 0,
        }
    }

    /// What Canvas Kit posts to `url` when the agent of this first name looks at a conversation.
    pub fn canvas(
        &mut self,
        url: &str,
        conversation: &RemoteId,
        agent: &str,
        act: &CanvasAct,
        now: Timestamp,
    ) -> Option<::http::Request<Bytes>> {
        self.pass(now);
        let (id, by) = (conversation.as_str().parse().ok()?, self.world.hire(agent));
        canvas::request(&self.world, url, id, by, act, now.as_secs())
    }

    /// Whether notifications are still sent: not after a 410 or a week of failures.
    pub fn notifies(&self) -> bool {
        self.world.hooks.listening() && !self.world.hooks.is_off()
    }

    /// What the `HEAD` on saving the webhook's address was answered with, if it was.
    pub fn head_answer(&self) -> Option<u16> {
        self.world.hooks.head_answer()
    }

    /// Time passes: snoozes end, jobs are done.
    fn pass(&mut self, now: Timestamp) {
        self.world.now = self.world.now.max(now);
        self.world.wake(now.as_secs());
    }

    /// Sign-in, then the limit, then the request itself: even a wrong one is counted.
    fn answer(&mut self, request: &::http::Request<Bytes>, now: Timestamp) -> Answer {
        let mut call = Call::read(request, now.as_secs());
        let route = routes::find(&call.segments);
        let is_file = call.segments.first().is_some_and(|first| first == "attachments");
        let pattern = match &route {
            Some(route) => route.pattern,
            None if is_file => "attachments",
            None => "other",
        };
        *self.served.entry(format!("{} /{pattern}", known_method(&call.method))).or_default() += 1;
        if is_file && call.method == "GET" {
            return self.world.file_at(&call);
        }
        if http::bearer(request) != Some(self.world.token.as_str()) {
            return Answer::error(401, "unauthorized", "Access Token Invalid");
        }
        let counted = match self.limits.take(now) {
            Ok(headers) => headers,
            Err(headers) => {
                let message = format!("Exceeded rate limit of {} in 10_seconds", self.limits.total());
                return Answer { headers, ..Answer::error(429, "rate_limit_exceeded", &message) };
            }
        };
        let mut answer = self.routed(&mut call, route, request).unwrap_or_else(|refused| refused);
        answer.headers.push(("intercom-version", call.version.name().to_owned()));
        answer.headers.extend(counted);
        answer
    }

    fn routed(
        &mut self,
        call: &mut Call,
        route: Option<routes::Route>,
        request: &::http::Request<Bytes>,
    ) -> Result<Answer, Answer> {
        call.version = Version::of(request)?;
        if !http::takes_json(request) {
            let message = "The Accept header should send a media type of application/json";
            return Err(Answer::error(406, "media_type_not_acceptable", message));
        }
        let route = route.ok_or_else(Answer::not_found)?;
        let found = route.methods.iter().find(|(method, _)| *method == call.method);
        // A method that is not supported is a path that is not there.
        let (_, handler) = found.ok_or_else(Answer::not_found)?;
        let planned = ["conversations", "tickets", "messages"].contains(&call.segments[0].as_str());
        if planned && !self.world.options.subscribed {
            return Err(Answer::error(403, "api_plan_restricted", "Active subscription needed."));
        }
        call.body = http::read_body(request)?;
        call.captured = route.captured;
        handler(&mut self.world, call)
    }
}

/// The method, or one word for all that HTTP does not know.
fn known_method(method: &str) -> &str {
    if ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"].contains(&method) {
        method
    } else {
        "OTHER"
    }
}

impl VendorSim for IntercomSim {
    fn name(&self) -> &'static str {
        "intercom"
    }

    fn handle(&mut self, request: ::http::Request<Bytes>, now: Timestamp) -> ::http::Response<Bytes> {
        self.pass(now);
        self.answered += 1;
        let request_id = world::uuid(self.world.seed, &format!("request {}", self.answered));
        self.answer(&request, now).into_http(&request_id)
    }

    fn human(&mut self, act: HumanAct, now: Timestamp) -> Result<RemoteId, String> {
        self.pass(now);
        acts::act(&mut self.world, act, now.as_secs()).map(RemoteId::new)
    }

    /// Saves the address in the Developer Hub and sets it live. The secret is the app's client secret.
    fn set_webhook(&mut self, url: &str, secret: &str) {
        let now = Timestamp::from_secs(self.world.now.as_secs());
        secret.clone_into(&mut self.world.client_secret);
        self.world.hooks.set(url, secret, now);
    }

    fn webhooks_due(&mut self, now: Timestamp) -> Vec<WebhookOut> {
        self.pass(now);
        self.world.hooks.due(now)
    }

    fn webhook_answered(&mut self, id: u64, answer: Option<(u16, Option<u32>)>, now: Timestamp) {
        self.world.hooks.answered(id, answer.map(|(status, _)| status), now);
    }

    fn webhook_next_at(&self) -> Option<Timestamp> {
        self.world.hooks.next_at()
    }

    fn mails_sent(&self) -> &[MailSent] {
        &self.world.mails
    }

    fn tickets(&self) -> Vec<ShownTicket> {
        self.world.threads.values().map(|thread| shown::shown(&self.world, thread)).collect()
    }

    fn credentials(&self) -> serde_json::Value {
        json!({"access_token": self.world.token, "bearer": self.world.token, "client_secret": self.world.client_secret})
    }

    fn suggested_settings(&self) -> serde_json::Value {
        let mut settings = json!({"plan": self.plan, "admin_id": self.world.me});
        if self.world.options.suggests != Version::default().name() {
            settings["api_version"] = json!(self.world.options.suggests);
        }
        if self.world.options.opens_tickets {
            settings["records"] = json!(["ticket"]);
            settings["create"] = json!("ticket");
            settings["ticket_type_id"] = json!(catalog::SUPPORT_REQUEST);
        }
        settings
    }

    fn bot_marks(&self) -> (Vec<RemoteId>, Vec<RemoteId>) {
        (vec![RemoteId::from(self.world.bot)], vec![RemoteId::from(self.world.ai_agents)])
    }

    fn requests_served(&self) -> BTreeMap<String, u64> {
        self.served.clone()
    }

    /// The token is revoked and made anew: [`VendorSim::credentials`] has the new one.
    fn expire_tokens(&mut self) {
        self.world.renew_token();
    }
}
