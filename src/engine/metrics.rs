//! What is counted, in the form that Prometheus reads. Labels hold accounts and
//! fixed words only: never ticket text, addresses or secrets.

use std::sync::atomic::{AtomicI64, AtomicU64};

use handoffd_core::{AccountId, Timestamp};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// One account and one word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AccountLabels {
    account: String,
    outcome: String,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Account {
    account: String,
}

/// One word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Word {
    kind: String,
}

/// The daemon's metrics.
pub struct Metrics {
    registry: Registry,
    writes: Family<AccountLabels, Counter<u64, AtomicU64>>,
    webhooks: Family<AccountLabels, Counter<u64, AtomicU64>>,
    backfilled: Family<Word, Gauge<i64, std::sync::atomic::AtomicI64>>,
    file_bytes: Family<Word, Counter<u64, AtomicU64>>,
    wakes: Family<Word, Counter<u64, AtomicU64>>,
    conflicts: Counter<u64, AtomicU64>,
    parked: Family<Word, Counter<u64, AtomicU64>>,
    handoffs: Family<Word, Counter<u64, AtomicU64>>,
    complete_until: Family<Account, Gauge<i64, AtomicI64>>,
    rewrites: Family<Word, Counter<u64, AtomicU64>>,
    briefing_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("handoffd");
        let writes = Family::default();
        registry.register("writes", "Writes at vendors, by account and what came of them", writes.clone());
        let webhooks = Family::default();
        registry.register(
            "webhooks",
            "Webhook requests, by account and how they were answered",
            webhooks.clone(),
        );
        let backfilled = Family::default();
        registry.register(
            "backfilled_tickets",
            "Tickets of the history that were looked at, by account",
            backfilled.clone(),
        );
        let file_bytes = Family::default();
        registry.register(
            "attachment_bytes",
            "Bytes of attachments fetched for messages, by the account they go to",
            file_bytes.clone(),
        );
        let wakes = Family::default();
        registry.register("wakes", "Looks at conversations, by what asked for them", wakes.clone());
        let conflicts = Counter::default();
        registry.register(
            "conflicts",
            "Fields that several sides had changed differently",
            conflicts.clone(),
        );
        let parked = Family::default();
        registry.register("parked", "Things that were parked for an admin, by kind", parked.clone());
        let handoffs = Family::default();
        registry.register("handoff_steps", "Handoffs that reached a state", handoffs.clone());
        let rewrites = Family::default();
        registry.register(
            "rewrites",
            "Lines of briefings given to the language model, by what became of them",
            rewrites.clone(),
        );
        let complete_until = Family::default();
        registry.register(
            "feed_complete_until_seconds",
            "Every change before this Unix time of the vendor's clock was taken in",
            complete_until.clone(),
        );
        let briefing_seconds = Histogram::new(exponential_buckets(0.05, 2.0, 14));
        registry.register(
            "briefing_seconds",
            "From the first sign of a handoff until its briefing was on the ticket",
            briefing_seconds.clone(),
        );
        Self {
            registry,
            writes,
            webhooks,
            backfilled,
            file_bytes,
            wakes,
            conflicts,
            parked,
            handoffs,
            complete_until,
            rewrites,
            briefing_seconds,
        }
    }
}

impl Metrics {
    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    pub(super) fn wrote(&self, account: &AccountId, outcome: &str) {
        let labels = AccountLabels { account: account.to_string(), outcome: outcome.to_owned() };
        self.writes.get_or_create(&labels).inc();
    }

    pub(super) fn backfilled(&self, account: &AccountId, looked: u64) {
        let labels = Word { kind: account.to_string() };
        self.backfilled.get_or_create(&labels).set(i64::try_from(looked).unwrap_or(i64::MAX));
    }

    /// A file was fetched for a message to this account.
    pub(super) fn carried_file(&self, account: &AccountId, bytes: u64) {
        let labels = Word { kind: account.to_string() };
        self.file_bytes.get_or_create(&labels).inc_by(bytes);
    }

    /// A webhook request was answered.
    pub fn webhook(&self, account: &str, outcome: &str) {
        let labels = AccountLabels { account: account.to_owned(), outcome: outcome.to_owned() };
        self.webhooks.get_or_create(&labels).inc();
    }

    pub(super) fn woke(&self, cause: &str) {
        self.wakes.get_or_create(&Word { kind: cause.to_owned() }).inc();
    }

    pub(super) fn conflict(&self) {
        self.conflicts.inc();
    }

    pub(super) fn parked(&self, kind: &str) {
        self.parked.get_or_create(&Word { kind: kind.to_owned() }).inc();
    }

    pub(super) fn handoff(&self, state: &str) {
        self.handoffs.get_or_create(&Word { kind: state.to_owned() }).inc();
    }

    /// So many lines of a briefing were given to the language model, and this became of them.
    pub fn rewrote(&self, outcome: &str, lines: usize) {
        let count = self.rewrites.get_or_create(&Word { kind: outcome.to_owned() });
        count.inc_by(u64::try_from(lines).unwrap_or(u64::MAX));
    }

    pub(super) fn feed_complete(&self, account: &AccountId, until: Timestamp) {
        self.complete_until.get_or_create(&Account { account: account.to_string() }).set(until.as_secs());
    }

    pub(super) fn briefed(&self, detected: Timestamp, delivered: Timestamp) {
        self.briefing_seconds.observe(delivered.since(detected).as_secs_f64());
    }
}
