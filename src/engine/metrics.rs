//! What is counted, in the form that Prometheus reads. Labels hold accounts and
//! fixed words only: never ticket text, addresses or secrets.

use std::sync::atomic::{AtomicI64, AtomicU64};

use handoffd_core::{AccountId, Handoff, HandoffKind, Timestamp};
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
    floor_overruns: Counter<u64, AtomicU64>,
    promises_broken: Counter<u64, AtomicU64>,
    spoken: Family<Word, Counter<u64, AtomicU64>>,
    events: Family<Word, Counter<u64, AtomicU64>>,
    rewrites: Family<Word, Counter<u64, AtomicU64>>,
    time_to_context: Family<Context, Histogram>,
    context_first: Family<FirstReply, Counter<u64, AtomicU64>>,
    thin: Counter<u64, AtomicU64>,
    completeness: Family<Word, Histogram>,
}

/// A helpdesk account and a kind of handoff.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Context {
    helpdesk: String,
    kind: String,
}

/// A helpdesk account, and whether the context was there before the first reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FirstReply {
    helpdesk: String,
    context: String,
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
        let floor_overruns = Counter::default();
        registry.register(
            "floor_overruns",
            "Messages of AI agents that were written while a person took the floor",
            floor_overruns.clone(),
        );
        let promises_broken = Counter::default();
        registry.register(
            "promises_broken",
            "Promises of AI agents to hand over that no handoff followed",
            promises_broken.clone(),
        );
        let spoken = Family::default();
        registry.register(
            "agent_messages",
            "Messages that AI agents said through us, by what became of them",
            spoken.clone(),
        );
        let events = Family::default();
        registry.register(
            "outgoing_events",
            "Events for AI agents, by what became of each try",
            events.clone(),
        );
        let complete_until = Family::default();
        registry.register(
            "feed_complete_until_seconds",
            "Every change before this Unix time of the vendor's clock was taken in",
            complete_until.clone(),
        );
        let time_to_context = Family::<Context, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.05, 2.0, 14))
        });
        registry.register(
            "time_to_context_seconds",
            "From the first sign of a handoff until its briefing was on the ticket, by helpdesk account and kind",
            time_to_context.clone(),
        );
        let context_first = Family::default();
        registry.register(
            "first_replies",
            "First replies of next owners, by helpdesk account and whether the context was there before",
            context_first.clone(),
        );
        let thin = Counter::default();
        registry.register("packages_thin", "Packages that hold hardly more than a transcript", thin.clone());
        let completeness = Family::<Word, Histogram>::new_with_constructor(|| {
            Histogram::new((1..=10).map(|n| f64::from(n * 10)))
        });
        registry.register(
            "package_completeness_percent",
            "Share of a package's required fields that is known or cannot be, by kind of handoff",
            completeness.clone(),
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
            floor_overruns,
            promises_broken,
            spoken,
            events,
            rewrites,
            time_to_context,
            context_first,
            thin,
            completeness,
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
        self.floor_overruns.inc();
    }

    pub(super) fn promise_broken(&self) {
        self.promises_broken.inc();
    }

    pub(super) fn spoken(&self, state: &str) {
        self.spoken.get_or_create(&Word { kind: state.to_owned() }).inc();
    }

    pub(super) fn told(&self, outcome: &str) {
        self.events.get_or_create(&Word { kind: outcome.to_owned() }).inc();
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

    /// A briefing is on its ticket.
    pub(super) fn briefed(&self, record: &Handoff, delivered: Timestamp) {
        let labels =
            Context { helpdesk: record.ticket.account.to_string(), kind: record.kind.name().to_owned() };
        let took = delivered.since(record.detected_at);
        self.time_to_context.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// It is known whether the context was there before the first reply.
    pub(super) fn judged(&self, record: &Handoff, in_time: bool) {
        let context = if in_time { "before" } else { "after" };
        let labels = FirstReply { helpdesk: record.ticket.account.to_string(), context: context.to_owned() };
        self.context_first.get_or_create(&labels).inc();
    }

    /// A package was made.
    pub(super) fn packaged(&self, kind: HandoffKind, percent: u32, thin: bool) {
        let labels = Word { kind: kind.name().to_owned() };
        self.completeness.get_or_create(&labels).observe(f64::from(percent));
        if thin {
            self.thin.inc();
        }
    }
}
