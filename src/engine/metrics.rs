//! What is counted, in the form that Prometheus reads. Labels hold accounts and
//! fixed words only: never ticket text, addresses or secrets.

mod handed;

use std::sync::atomic::{AtomicI64, AtomicU64};

use handoffd_core::{AccountId, Handoff, HandoffKind, Timestamp};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Metric, Registry},
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
    backfilled: Family<Word, Gauge<i64, AtomicI64>>,
    file_bytes: Family<Word, Counter<u64, AtomicU64>>,
    wakes: Family<Word, Counter<u64, AtomicU64>>,
    conflicts: Counter<u64, AtomicU64>,
    parked: Family<Word, Counter<u64, AtomicU64>>,
    complete_until: Family<Account, Gauge<i64, AtomicI64>>,
    handed: handed::Handed,
}

/// A metric that the registry knows by this name.
fn known<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    counted(registry, name, help, M::default())
}

fn counted<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("handoffd");
        let all = &mut registry;
        let writes = known(all, "writes", "Writes at vendors, by account and what came of them");
        let webhooks = known(all, "webhooks", "Webhook requests, by account and how they were answered");
        let backfilled =
            known(all, "backfilled_tickets", "Tickets of the history that were looked at, by account");
        let file_bytes = known(
            all,
            "attachment_bytes",
            "Bytes of attachments fetched for messages, by the account they go to",
        );
        let wakes = known(all, "wakes", "Looks at conversations, by what asked for them");
        let conflicts = known(all, "conflicts", "Fields that several sides had changed differently");
        let parked = known(all, "parked", "Things that were parked for an admin, by kind");
        let complete_until = known(
            all,
            "feed_complete_until_seconds",
            "Every change before this Unix time of the vendor's clock was taken in",
        );
        let handed = handed::Handed::new(all);
        Self {
            registry,
            writes,
            webhooks,
            backfilled,
            file_bytes,
            wakes,
            conflicts,
            parked,
            complete_until,
            handed,
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

    pub(super) fn floor_overrun(&self) {
        self.handed.floor_overruns.inc();
    }

    pub(super) fn promise_broken(&self) {
        self.handed.promises_broken.inc();
    }

    pub(super) fn spoken(&self, state: &str) {
        self.handed.spoken.get_or_create(&Word { kind: state.to_owned() }).inc();
    }

    pub(super) fn told(&self, outcome: &str) {
        self.handed.events.get_or_create(&Word { kind: outcome.to_owned() }).inc();
    }

    pub(super) fn conflict(&self) {
        self.conflicts.inc();
    }

    pub(super) fn parked(&self, kind: &str) {
        self.parked.get_or_create(&Word { kind: kind.to_owned() }).inc();
    }

    pub(super) fn handoff(&self, state: &str) {
        self.handed.handoffs.get_or_create(&Word { kind: state.to_owned() }).inc();
    }

    /// So many lines of a briefing were given to the language model, and this became of them.
    pub fn rewrote(&self, outcome: &str, lines: usize) {
        let count = self.handed.rewrites.get_or_create(&Word { kind: outcome.to_owned() });
        count.inc_by(u64::try_from(lines).unwrap_or(u64::MAX));
    }

    pub(super) fn feed_complete(&self, account: &AccountId, until: Timestamp) {
        self.complete_until.get_or_create(&Account { account: account.to_string() }).set(until.as_secs());
    }

    /// A briefing is on its ticket.
    pub(super) fn briefed(&self, record: &Handoff, delivered: Timestamp) {
        let labels = handed::Context {
            helpdesk: record.ticket.account.to_string(),
            kind: record.kind.name().to_owned(),
        };
        let took = delivered.since(record.began());
        self.handed.time_to_context.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// It is known whether the context was there before the first reply.
    pub(super) fn judged(&self, record: &Handoff, in_time: bool) {
        let context = if in_time { "before" } else { "after" };
        let labels =
            handed::FirstReply { helpdesk: record.ticket.account.to_string(), context: context.to_owned() };
        self.handed.context_first.get_or_create(&labels).inc();
    }

    /// A package was made.
    pub(super) fn packaged(&self, kind: HandoffKind, percent: u32, thin: bool) {
        let labels = Word { kind: kind.name().to_owned() };
        self.handed.completeness.get_or_create(&labels).observe(f64::from(percent));
        if thin {
            self.handed.thin.inc();
        }
    }
}
