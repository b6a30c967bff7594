//! Webhooks: what goes out, signed, and what is sent again.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handoffd_core::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use sha2::Sha256;

use super::{change::Act, events, triggers::Occasion, world::World};
use crate::sim::WebhookOut;

/// A webhook of the account.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) endpoint: String,
    /// `zen:event-type:…` names, `conditional_ticket_events`, or `zen:event-type:ticket.*`.
    pub(super) subscriptions: Vec<String>,
    pub(super) secret: String,
    pub(super) active: bool,
    pub(super) created_at: i64,
}

#[derive(Clone, Debug)]
struct Delivery {
    hook: String,
    invocation: String,
    body: Bytes,
    /// Attempts made so far.
    attempts: u32,
    due: Timestamp,
}

/// The account's webhooks and their deliveries.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    pub(super) all: BTreeMap<String, Hook>,
    /// The id of the one that the harness set.
    preset: Option<String>,
    waiting: BTreeMap<u64, Delivery>,
    under_way: BTreeMap<u64, Delivery>,
    next: u64,
}

/// The name that stands for every ticket event.
pub(super) const EVERY_TICKET_EVENT: &str = "zen:event-type:ticket.*";
/// Attempts whose end was never told are forgotten beyond this number.
const UNDER_WAY_MAX: usize = 10_000;
/// A `Retry-After` must be shorter than this for a 429 or 503 to be sent again. Seconds.
const RETRY_AFTER_MAX: u32 = 60;

impl Hooks {
    /// Sets the harness's webhook, which has every ticket event.
    pub(super) fn preset(&mut self, world: &mut World, url: &str, secret: &str) {
        let id = self.preset.get_or_insert_with(|| world.ids.ulid()).clone();
        let hook = Hook {
            id: id.clone(),
            name: "handoffd".to_owned(),
            endpoint: url.to_owned(),
            subscriptions: vec![EVERY_TICKET_EVENT.to_owned()],
            secret: secret.to_owned(),
            active: true,
            created_at: world.started_at,
        };
        self.all.insert(id, hook);
    }

    /// Queues the events of one save.
    pub(super) fn ticket_saved(&mut self, world: &mut World, occasion: &Occasion) {
        if self.wants_events() {
            let events = events::of_save(world, occasion);
            self.publish(world, events, occasion.now);
        }
    }

    /// Queues the event of a deletion.
    pub(super) fn ticket_deleted(&mut self, world: &mut World, ticket: i64, act: &Act) {
        if self.wants_events() {
            let events = events::of_deletion(world, ticket, act);
            self.publish(world, events, act.now);
        }
    }

    /// Queues one event that no save makes.
    pub(super) fn ticket_event(
        &mut self,
        world: &mut World,
        ticket: i64,
        kind: &'static str,
        told: serde_json::Value,
        act: &Act,
    ) {
        if self.wants_events() {
            let events = events::of_one(world, ticket, kind, told, act);
            self.publish(world, events, act.now);
        }
    }

    // Without a subscriber no ids are drawn for events.
    fn wants_events(&self) -> bool {
        self.all.values().any(|hook| hook.active && !hook.subscriptions.is_empty())
    }

    fn publish(&mut self, world: &mut World, events: Vec<(String, String)>, now: Timestamp) {
        for (kind, body) in events {
            let wants = |hook: &&Hook| {
                hook.active
                    && hook.subscriptions.iter().any(|name| *name == kind || name == EVERY_TICKET_EVENT)
            };
            let hooks: Vec<String> = self.all.values().filter(wants).map(|hook| hook.id.clone()).collect();
            for hook in hooks {
                self.queue(world, hook, Bytes::from(body.clone()), now);
            }
        }
    }

    /// Queues what a trigger's action sends.
    pub(super) fn call(&mut self, world: &mut World, hook: &str, body: String, now: Timestamp) {
        if self.all.get(hook).is_some_and(|hook| hook.active) {
            self.queue(world, hook.to_owned(), Bytes::from(body), now);
        }
    }

    fn queue(&mut self, world: &mut World, hook: String, body: Bytes, now: Timestamp) {
        self.next += 1;
        let delivery = Delivery { hook, invocation: world.ids.ulid(), body, attempts: 0, due: now };
        self.waiting.insert(self.next, delivery);
    }

    /// Takes the attempts that are due, oldest first.
    pub(super) fn due(&mut self, account: i64, now: Timestamp) -> Vec<WebhookOut> {
        let mut ready: Vec<(Timestamp, u64)> = self
            .waiting
            .iter()
            .filter(|(_, delivery)| delivery.due <= now)
            .map(|(id, d)| (d.due, *id))
            .collect();
        ready.sort();
        let mut out = Vec::new();
        for (_, id) in ready {
            let Some(mut delivery) = self.waiting.remove(&id) else { continue };
            delivery.attempts += 1;
            let Some(request) =
                self.all.get(&delivery.hook).and_then(|hook| signed(hook, &delivery, account, now))
            else {
                continue;
            };
            self.under_way.insert(id, delivery);
            out.push(WebhookOut { id, request });
        }
        while self.under_way.len() > UNDER_WAY_MAX {
            self.under_way.pop_first();
        }
        out
    }

    /// Sends again what the vendor would send again: 409 three times, no answer
    /// five times, 429 and 503 when they name a short wait; nothing else.
    pub(super) fn answered(&mut self, id: u64, answer: Option<(u16, Option<u32>)>, now: Timestamp) {
        let Some(delivery) = self.under_way.remove(&id) else { return };
        let retries_made = delivery.attempts - 1;
        let pause = 5_i64 << retries_made.min(6);
        let wait_secs = match answer {
            None if retries_made < 5 => Some(pause),
            Some((409, _)) if retries_made < 3 => Some(pause),
            Some((429 | 503, Some(after))) if after < RETRY_AFTER_MAX && retries_made < 5 => {
                Some(i64::from(after))
            }
            _ => None,
        };
        if let Some(secs) = wait_secs {
            self.next += 1;
            let due = Timestamp(now.0 + secs * 1_000);
            self.waiting.insert(self.next, Delivery { due, ..delivery });
        }
    }

    /// When the next attempt is due.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.waiting.values().map(|delivery| delivery.due).min()
    }
}

/// The signature: base64 of HMAC-SHA256 over the timestamp's text and the body, nothing between.
pub(super) fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(timestamp.as_bytes());
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

fn signed(hook: &Hook, delivery: &Delivery, account: i64, now: Timestamp) -> Option<Request<Bytes>> {
    let timestamp = now.to_rfc3339_secs();
    Request::post(hook.endpoint.as_str())
        .header("content-type", "application/json; charset=utf-8")
        .header("user-agent", "Zendesk Webhook")
        .header("x-zendesk-account-id", account.to_string())
        .header("x-zendesk-webhook-id", hook.id.as_str())
        .header("x-zendesk-webhook-invocation-id", delivery.invocation.as_str())
        .header("x-zendesk-webhook-signature", signature(&hook.secret, &timestamp, &delivery.body))
        .header("x-zendesk-webhook-signature-timestamp", timestamp)
        .body(delivery.body.clone())
        .ok()
}
