//! The automation rule "ticket created or updated" and its webhook.
//!
//! The admin's advanced JSON holds only ids. Nothing is signed and a delivery
//! has no id of the vendor's. Deleting a ticket is no update and fires nothing.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use handoffd_core::Timestamp;
use serde_json::json;

use super::limits::{Class, Limits};
use crate::sim::WebhookOut;

/// The vendor's waits before it tries again; then it gives up and mails the admins.
const RETRIES: [Duration; 3] =
    [Duration::from_secs(5 * 60), Duration::from_secs(30 * 60), Duration::from_secs(60 * 60)];
/// A delivery held back by the account's limit is dropped after this long.
const DEFERRED_MAX: Duration = Duration::from_secs(24 * 3600);

struct Target {
    uri: http::Uri,
    secret: String,
}

struct Delivery {
    ticket: i64,
    attempt: usize,
    due: Timestamp,
    since: Timestamp,
}

/// Deliveries that wait and deliveries on their way.
#[derive(Default)]
pub(super) struct Hooks {
    target: Option<Target>,
    next_id: u64,
    waiting: BTreeMap<u64, Delivery>,
    sent: BTreeMap<u64, Delivery>,
}

impl Hooks {
    /// Sets the rule's target. An address that is none switches the rule off.
    pub fn set(&mut self, url: &str, secret: &str) {
        self.target = url.parse().ok().map(|uri| Target { uri, secret: secret.to_owned() });
    }

    /// A ticket was created or changed.
    pub fn fire(&mut self, ticket: i64, now: Timestamp) {
        if self.target.is_some() {
            self.wait(Delivery { ticket, attempt: 0, due: now, since: now });
        }
    }

    fn wait(&mut self, delivery: Delivery) {
        self.next_id += 1;
        self.waiting.insert(self.next_id, delivery);
    }

    /// The deliveries that are due and that the account's limit lets out.
    pub fn due(&mut self, limits: &mut Limits, now: Timestamp) -> Vec<WebhookOut> {
        let ids: Vec<u64> =
            self.waiting.iter().filter(|(_, delivery)| delivery.due <= now).map(|(id, _)| *id).collect();
        let mut out = Vec::new();
        for id in ids {
            let Some(mut delivery) = self.waiting.remove(&id) else { continue };
            if limits.take(Class::Other, 1, now).is_err() {
                delivery.due = Timestamp::from_secs((now.as_secs().div_euclid(60) + 1).saturating_mul(60));
                if now.since(delivery.since) < DEFERRED_MAX {
                    self.waiting.insert(id, delivery);
                }
                continue;
            }
            if let Some(request) = self.request(&delivery) {
                out.push(WebhookOut { id, request });
                self.sent.insert(id, delivery);
            }
        }
        out
    }

    fn request(&self, delivery: &Delivery) -> Option<http::Request<Bytes>> {
        let target = self.target.as_ref()?;
        let body = json!({"ticket_id": delivery.ticket.to_string(), "token": target.secret}).to_string();
        http::Request::post(target.uri.clone())
            .header("content-type", "application/json")
            .header("x-handoffd-secret", &target.secret)
            .body(Bytes::from(body))
            .ok()
    }

    /// What became of a delivery. Any 2xx is taken.
    pub fn answered(&mut self, id: u64, answer: Option<u16>, now: Timestamp) {
        let Some(delivery) = self.sent.remove(&id) else { return };
        if answer.is_some_and(|status| (200..300).contains(&status)) {
            return;
        }
        if let Some(wait) = RETRIES.get(delivery.attempt) {
            let due = now.plus(*wait);
            self.wait(Delivery { attempt: delivery.attempt + 1, due, since: due, ..delivery });
        }
    }

    /// When the next delivery is due.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.waiting.values().map(|delivery| delivery.due).min()
    }
}
