//! Freshdesk in memory.
//!
//! What is not verified anywhere is decided here as follows. A message of a
//! customer, public note marked `incoming` included, reopens a pending,
//! resolved or closed ticket. Nobody is mailed that a ticket was received.
//! Writes on a ticket in the trash answer 404. A list asked for an unknown
//! contact answers 400.

mod account;
mod acts;
mod bulk;
mod companies;
mod conversations;
mod fields;
mod files;
mod hooks;
mod html;
mod http;
mod limits;
mod more_acts;
mod multipart;
mod people;
mod query;
mod ratings;
mod routes;
mod search;
mod shape;
mod shown;
mod ticket_write;
mod tickets;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use handoffd_core::{RemoteId, Timestamp};
use serde_json::json;

use self::{
    http::{Answer, Call},
    limits::Limits,
    world::World,
};
use crate::sim::{HumanAct, MailSent, ShownTicket, SimSetup, VendorSim, WebhookOut};

/// How an account can differ from the usual one.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether tickets have the custom field `cf_handoff_key`.
    pub marker_field: bool,
    /// Whether a ticket in the trash can be read; some accounts answer 403.
    pub trash_readable: bool,
    /// Whether the plan has satisfaction surveys; without them 403.
    pub surveys: bool,
    /// Whether an update may name `cc_emails`; as far as is known only a creation may.
    pub updates_ccs: bool,
    /// Whether the key's agent may make ticket fields; else 403.
    pub admin: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { marker_field: true, trash_readable: true, surveys: true, updates_ccs: false, admin: true }
    }
}

/// Starts the simulator.
pub fn start(setup: SimSetup) -> Box<dyn VendorSim> {
    start_with(setup, Options::default())
}

/// Starts the simulator of an unusual account.
pub fn start_with(setup: SimSetup, options: Options) -> Box<dyn VendorSim> {
    Box::new(FreshdeskSim {
        plan: setup.plan.clone(),
        world: World::new(&setup, options),
        limits: Limits::new(&setup.plan),
        served: BTreeMap::new(),
    })
}

struct FreshdeskSim {
    /// The plan's name, for a client that paces itself.
    plan: String,
    world: World,
    limits: Limits,
    served: BTreeMap<String, u64>,
}

impl FreshdeskSim {
    /// Sign-in, then the limit, then the request itself: even a wrong one is counted.
    fn answer(&mut self, request: &::http::Request<Bytes>, now: Timestamp) -> Answer {
        let mut call = Call::read(request, now);
        let route = routes::find(&call.segments).filter(|_| call.path.starts_with("/api/v2/"));
        let pattern = route.as_ref().map_or("other", |route| route.pattern);
        *self.served.entry(format!("{} /api/v2/{pattern}", call.method)).or_default() += 1;
        if let Some(answer) = self.world.file_at(&call).filter(|_| call.method == "GET") {
            return answer;
        }
        if http::basic_user(request).as_deref() != Some(self.world.api_key.as_str()) {
            let message = "You have to be logged in to perform this action.";
            return Answer::json(401, json!({"code": "invalid_credentials", "message": message}));
        }
        let class = routes::class(&call.method, pattern);
        let counted = match self.limits.take(class, routes::cost(&call, pattern), call.now) {
            Ok(counted) => counted,
            Err(over) => {
                let message = "You have exceeded the limit of requests per minute";
                let body = json!({"message": message});
                return Answer { headers: over.headers, ..Answer::json(429, body) };
            }
        };
        let mut answer = match route {
            None => Answer::not_found(),
            Some(route) => {
                call.id = route.id;
                self.routed(&mut call, &route, request).unwrap_or_else(|refused| refused)
            }
        };
        answer.headers.extend(counted.headers);
        answer
    }

    fn routed(
        &mut self,
        call: &mut Call,
        route: &routes::Route,
        request: &::http::Request<Bytes>,
    ) -> Result<Answer, Answer> {
        let found = route.methods.iter().find(|(method, _)| *method == call.method);
        let Some((_, handler)) = found else {
            let allowed: Vec<&str> = route.methods.iter().map(|(method, _)| *method).collect();
            return Err(Answer::no_method(&call.method, &allowed));
        };
        (call.body, call.files) = http::read_body(request, &self.world.custom_fields)?;
        handler(&mut self.world, call)
    }
}

impl VendorSim for FreshdeskSim {
    fn name(&self) -> &'static str {
        "freshdesk"
    }

    fn handle(&mut self, request: ::http::Request<Bytes>, now: Timestamp) -> ::http::Response<Bytes> {
        let mut answer = self.answer(&request, now);
        let count: u64 = self.served.values().sum();
        answer
            .headers
            .push(("x-request-id", world::secret(self.world.seed, &format!("request {count}"), 32)));
        answer.into_http()
    }

    fn human(&mut self, act: HumanAct, now: Timestamp) -> Result<RemoteId, String> {
        let now = Timestamp::from_secs(now.as_secs());
        acts::act(&mut self.world, act, now)
    }

    fn set_webhook(&mut self, url: &str, secret: &str) {
        self.world.hooks.set(url, secret);
    }

    fn webhooks_due(&mut self, now: Timestamp) -> Vec<WebhookOut> {
        self.world.hooks.due(&mut self.limits, now)
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
        self.world.tickets.values().map(|ticket| shown::ticket(&self.world, ticket)).collect()
    }

    fn credentials(&self) -> serde_json::Value {
        json!({"api_key": self.world.api_key})
    }

    fn suggested_settings(&self) -> serde_json::Value {
        let own = self.world.statuses.iter().filter(|status| status.id > world::CLOSED);
        let statuses: BTreeMap<String, _> = own.map(|status| (status.id.to_string(), status.means)).collect();
        json!({"plan": self.plan, "statuses": statuses})
    }

    fn bot_marks(&self) -> (Vec<RemoteId>, Vec<RemoteId>) {
        (vec![RemoteId::from(self.world.bot)], vec![RemoteId::from(self.world.ai_agents)])
    }

    fn requests_served(&self) -> BTreeMap<String, u64> {
        self.served.clone()
    }

    /// The agent's key is made anew: the old one is dead and [`VendorSim::credentials`] has the new one.
    fn expire_tokens(&mut self) {
        self.world.regenerate_key();
    }
}
