//! Zendesk in memory.
//!
//! Written from the vendor's documentation. Times have whole seconds, ids of
//! tickets count from 1 and all other ids are large, errors come in the
//! vendor's four envelopes, and a `.json` at the end of a path may be left out.
//! What follows a save (triggers, mails, webhooks) is the same for API calls
//! and for people.

mod account;
mod acts;
mod amends;
mod answer;
mod catalog;
mod change;
mod chores;
mod events;
mod feed;
mod fields;
mod html;
mod human;
mod imports;
mod limits;
mod oauth;
mod orgs;
mod page;
mod people;
mod read;
mod requests;
mod route;
mod search;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod tickets;
mod triggers;
mod uploads;
mod users;
mod view;
mod webhooks;
mod world;

use std::collections::BTreeMap;

use bytes::Bytes;
use handoffd_core::{RemoteId, Timestamp};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::sim::{HumanAct, MailSent, ShownTicket, SimSetup, VendorSim, WebhookOut};

use limits::Limits;
use oauth::Oauth;
use tickets::Remembered;
use webhooks::Hooks;
use world::{INTEGRATION_EMAIL, World};

/// Starts the simulator.
///
/// Plans: `team`, `growth`, `professional`, `enterprise`, `enterprise_plus`, and
/// `unlimited` for none of the limits; an unknown name has `team`'s. A plan may
/// be followed by `+page_limit=N`: exports of more than `N` rows a page end in 504.
pub fn start(setup: SimSetup) -> Box<dyn VendorSim> {
    Box::new(Sim::new(&setup))
}

/// The simulated account.
struct Sim {
    world: World,
    oauth: Oauth,
    limits: Limits,
    hooks: Hooks,
    /// Answers to creations, by `Idempotency-Key`.
    remembered: BTreeMap<String, Remembered>,
    /// Oldest first.
    jobs: Vec<(String, Value)>,
    served: BTreeMap<String, u64>,
    /// Rows a page above which an export ends in 504.
    page_limit: Option<usize>,
}

impl Sim {
    fn new(setup: &SimSetup) -> Self {
        let (plan, options) = setup.plan.split_once('+').unwrap_or((&setup.plan, ""));
        let page_limit =
            options.split('+').find_map(|option| option.strip_prefix("page_limit=")?.parse().ok());
        Self {
            world: World::new(setup.seed, setup.now.as_secs()),
            oauth: Oauth::new(setup.seed, setup.now),
            limits: Limits::new(plan),
            hooks: Hooks::default(),
            remembered: BTreeMap::new(),
            jobs: Vec::new(),
            served: BTreeMap::new(),
            page_limit,
        }
    }
}

impl VendorSim for Sim {
    fn name(&self) -> &'static str {
        "zendesk"
    }

    fn handle(&mut self, request: Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        self.answer(request, now).write()
    }

    fn human(&mut self, act: HumanAct, now: Timestamp) -> Result<RemoteId, String> {
        self.carry_out(act, now)
    }

    fn set_webhook(&mut self, url: &str, secret: &str) {
        self.hooks.preset(&mut self.world, url, secret);
    }

    fn webhooks_due(&mut self, now: Timestamp) -> Vec<WebhookOut> {
        self.hooks.due(self.world.account_id, now)
    }

    fn webhook_answered(&mut self, id: u64, answer: Option<(u16, Option<u32>)>, now: Timestamp) {
        self.hooks.answered(id, answer, now);
    }

    fn webhook_next_at(&self) -> Option<Timestamp> {
        self.hooks.next_at()
    }

    fn mails_sent(&self) -> &[MailSent] {
        &self.world.mails
    }

    fn tickets(&self) -> Vec<ShownTicket> {
        self.shown_tickets()
    }

    fn credentials(&self) -> Value {
        json!({
            "email": INTEGRATION_EMAIL,
            "api_token": self.oauth.api_token,
            "client_id": self.oauth.client_id,
            "client_secret": self.oauth.client_secret,
            "access_token": self.oauth.lasting,
            "refresh_token": self.oauth.current_refresh(),
        })
    }

    fn suggested_settings(&self) -> Value {
        json!({})
    }

    fn bot_marks(&self) -> (Vec<RemoteId>, Vec<RemoteId>) {
        (vec![RemoteId::from(self.world.bot)], vec![RemoteId::from(self.world.bot_group)])
    }

    fn requests_served(&self) -> BTreeMap<String, u64> {
        self.served.clone()
    }

    fn expire_tokens(&mut self) {
        self.oauth.expire();
    }
}
