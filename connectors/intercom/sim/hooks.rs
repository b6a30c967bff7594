//! Webhooks: notifications, signed, and what is sent again.
//!
//! Saving the address sends an unsigned `HEAD` and then a `ping` whose id is
//! null. A failed `HEAD` is only remembered: the notifications come all the same.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use handoffd_core::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::sim::WebhookOut;

/// One retry, after this long.
const RETRY: Duration = Duration::from_secs(60);
/// The first wait that a 429 makes; it doubles.
const THROTTLE_SECS: i64 = 60;
/// The longest wait that a 429 makes.
const THROTTLE_MAX_SECS: i64 = 3_600;
/// More failures than this in a row, within [`FAILURES_WITHIN_SECS`], make a pause.
const FAILURES_MAX: u32 = 1_000;
const FAILURES_WITHIN_SECS: i64 = 15 * 60;
const PAUSE_SECS: i64 = 15 * 60;
/// Failing for longer than this suspends the subscription.
const SUSPEND_SECS: i64 = 7 * 24 * 3_600;
/// Attempts whose end was never told are forgotten beyond this number.
const SENT_MAX: usize = 10_000;
/// Notifications that nobody fetches are dropped beyond this number, oldest first.
const WAITING_MAX: usize = 100_000;

struct Target {
    uri: http::Uri,
    secret: String,
}

#[derive(Clone)]
enum Kind {
    /// The check of a saved address.
    Head,
    /// A notification without `delivery_attempts`.
    Post(Value),
}

#[derive(Clone)]
struct Delivery {
    kind: Kind,
    attempts: u32,
    due: Timestamp,
}

/// Deliveries that wait and deliveries on their way.
#[derive(Default)]
pub(super) struct Hooks {
    target: Option<Target>,
    app: String,
    next_id: u64,
    waiting: BTreeMap<u64, Delivery>,
    sent: BTreeMap<u64, Delivery>,
    /// Every how many notifications one is sent twice; 0 for never.
    double_every: u64,
    fired: u64,
    throttle_secs: i64,
    failures: u32,
    failing_since: Option<Timestamp>,
    /// Sent 410, or failed for a week.
    off: bool,
    head_answer: Option<u16>,
}

impl Hooks {
    pub fn new(app: &str, double_every: u64) -> Self {
        Self { app: app.to_owned(), double_every, ..Self::default() }
    }

    /// Sets the address and sets it live. An address that is none switches notifications off.
    pub fn set(&mut self, url: &str, secret: &str, now: Timestamp) {
        self.target = url.parse().ok().map(|uri| Target { uri, secret: secret.to_owned() });
        (self.off, self.failures, self.failing_since, self.throttle_secs) = (false, 0, None, 0);
        self.head_answer = None;
        self.waiting.clear();
        if self.target.is_some() {
            self.wait(Delivery { kind: Kind::Head, attempts: 0, due: now });
            let item = json!({"type": "ping", "message": "Pinged!"});
            let ping = self.notification("ping", &Value::Null, item, now);
            self.wait(Delivery { kind: Kind::Post(ping), attempts: 0, due: now });
        }
    }

    /// Whether anybody listens.
    pub fn listening(&self) -> bool {
        self.target.is_some() && !self.off
    }

    /// Whether notifications were switched off by 410 or a week of failures.
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// What the check of the saved address was answered with.
    pub fn head_answer(&self) -> Option<u16> {
        self.head_answer
    }

    /// Something happened that is a topic.
    pub fn fire(&mut self, topic: &str, item: Value, id: &str, now: Timestamp) {
        if !self.listening() {
            return;
        }
        let notification = self.notification(topic, &json!(format!("notif_{id}")), item, now);
        self.fired += 1;
        let delivery = Delivery { kind: Kind::Post(notification), attempts: 0, due: now };
        if self.double_every > 0 && self.fired.is_multiple_of(self.double_every) {
            self.wait(delivery.clone());
        }
        self.wait(delivery);
    }

    fn notification(&self, topic: &str, id: &Value, item: Value, now: Timestamp) -> Value {
        json!({"type": "notification_event", "app_id": self.app, "data": {"type": "notification_event_data",
            "item": item}, "links": {}, "id": id, "topic": topic, "delivery_status": "pending",
            "delivered_at": 0, "first_sent_at": now.as_secs(), "created_at": now.as_secs(), "self": null})
    }

    fn wait(&mut self, delivery: Delivery) {
        self.next_id += 1;
        self.waiting.insert(self.next_id, delivery);
        while self.waiting.len() > WAITING_MAX {
            self.waiting.pop_first();
        }
    }

    /// The deliveries that are due.
    pub fn due(&mut self, now: Timestamp) -> Vec<WebhookOut> {
        let due = self.waiting.iter().filter(|(_, delivery)| delivery.due <= now);
        let ids: Vec<u64> = due.map(|(id, _)| *id).collect();
        let mut out = Vec::new();
        for id in ids {
            let Some(mut delivery) = self.waiting.remove(&id) else { continue };
            delivery.attempts += 1;
            if let Some(request) = self.request(&delivery) {
                out.push(WebhookOut { id, request });
                self.sent.insert(id, delivery);
            }
        }
        while self.sent.len() > SENT_MAX {
            self.sent.pop_first();
        }
        out
    }

    fn request(&self, delivery: &Delivery) -> Option<http::Request<Bytes>> {
        let target = self.target.as_ref()?;
        let Kind::Post(notification) = &delivery.kind else {
            return http::Request::head(target.uri.clone())
                .header("user-agent", USER_AGENT)
                .body(Bytes::new())
                .ok();
        };
        let mut notification = notification.clone();
        notification["delivery_attempts"] = json!(delivery.attempts);
        let body = Bytes::from(notification.to_string());
        http::Request::post(target.uri.clone())
            .header("content-type", "application/json; charset=utf-8")
            .header("accept", "application/json")
            .header("user-agent", USER_AGENT)
            .header("x-hub-signature", signature(&target.secret, &body))
            .body(body)
            .ok()
    }

    /// What became of a delivery. Any 2xx is taken.
    pub fn answered(&mut self, id: u64, answer: Option<u16>, now: Timestamp) {
        let Some(delivery) = self.sent.remove(&id) else { return };
        if matches!(delivery.kind, Kind::Head) {
            self.head_answer = answer;
            return;
        }
        match answer {
            Some(200..=299) => (self.failures, self.failing_since, self.throttle_secs) = (0, None, 0),
            Some(410) => self.switch_off(),
            Some(429) => self.throttle(delivery, now),
            _ => self.failed(delivery, now),
        }
    }

    fn switch_off(&mut self) {
        self.off = true;
        self.waiting.clear();
    }

    /// A 429 holds back everything, this delivery included.
    fn throttle(&mut self, delivery: Delivery, now: Timestamp) {
        self.throttle_secs = (self.throttle_secs * 2).clamp(THROTTLE_SECS, THROTTLE_MAX_SECS);
        self.wait(Delivery { attempts: delivery.attempts.saturating_sub(1), ..delivery });
        self.hold_until(Timestamp::from_secs(now.as_secs() + self.throttle_secs));
    }

    fn failed(&mut self, delivery: Delivery, now: Timestamp) {
        let since = *self.failing_since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        let failing_secs = now.as_secs() - since.as_secs();
        if failing_secs > SUSPEND_SECS {
            return self.switch_off();
        }
        if delivery.attempts < 2 {
            self.wait(Delivery { due: now.plus(RETRY), ..delivery });
        }
        if self.failures > FAILURES_MAX && failing_secs <= FAILURES_WITHIN_SECS {
            self.failures = 0;
            self.hold_until(Timestamp::from_secs(now.as_secs() + PAUSE_SECS));
        }
    }

    fn hold_until(&mut self, at: Timestamp) {
        for delivery in self.waiting.values_mut() {
            delivery.due = delivery.due.max(at);
        }
    }

    /// When the next delivery is due.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.waiting.values().map(|delivery| delivery.due).min()
    }
}

const USER_AGENT: &str = "intercom-parrot-service-client/1.0";

/// `X-Hub-Signature`: HMAC-SHA1 of the raw body in hex, after `sha1=`.
pub(super) fn signature(secret: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    format!("sha1={}", hex::encode(mac.finalize().into_bytes()))
}
