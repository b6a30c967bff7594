//! What is counted of handoffs, of the floor, and of what AI agents say and are told.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use super::{Word, counted, known};

/// A helpdesk account and a kind of handoff.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Context {
    pub(super) helpdesk: String,
    pub(super) kind: String,
}

/// A helpdesk account, and whether the context was there before the first reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FirstReply {
    pub(super) helpdesk: String,
    pub(super) context: String,
}

pub(super) struct Handed {
    pub(super) handoffs: Family<Word, Counter<u64, AtomicU64>>,
    pub(super) floor_overruns: Counter<u64, AtomicU64>,
    pub(super) promises_broken: Counter<u64, AtomicU64>,
    pub(super) spoken: Family<Word, Counter<u64, AtomicU64>>,
    pub(super) events: Family<Word, Counter<u64, AtomicU64>>,
    pub(super) rewrites: Family<Word, Counter<u64, AtomicU64>>,
    pub(super) time_to_context: Family<Context, Histogram>,
    pub(super) context_first: Family<FirstReply, Counter<u64, AtomicU64>>,
    pub(super) thin: Counter<u64, AtomicU64>,
    pub(super) completeness: Family<Word, Histogram>,
}

impl Handed {
    pub(super) fn new(all: &mut Registry) -> Self {
        let seconds = Family::<Context, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.05, 2.0, 14))
        });
        let percents = Family::<Word, Histogram>::new_with_constructor(|| {
            Histogram::new((1..=10).map(|n| f64::from(n * 10)))
        });
        Self {
            handoffs: known(all, "handoff_steps", "Handoffs that reached a state"),
            rewrites: known(
                all,
                "rewrites",
                "Lines of briefings given to the language model, by what became of them",
            ),
            floor_overruns: known(
                all,
                "floor_overruns",
                "Messages of AI agents that were written while a person took the floor",
            ),
            promises_broken: known(
                all,
                "promises_broken",
                "Promises of AI agents to hand over that no handoff followed",
            ),
            spoken: known(
                all,
                "agent_messages",
                "Messages that AI agents said through us, by what became of them",
            ),
            events: known(all, "outgoing_events", "Events for AI agents, by what became of each try"),
            time_to_context: counted(
                all,
                "time_to_context_seconds",
                "From the first sign of a handoff until its briefing was on the ticket, by helpdesk account and kind",
                seconds,
            ),
            context_first: known(
                all,
                "first_replies",
                "First replies of next owners, by helpdesk account and whether the context was there before",
            ),
            thin: known(all, "packages_thin", "Packages that hold hardly more than a transcript"),
            completeness: counted(
                all,
                "package_completeness_percent",
                "Share of a package's required fields that is known or cannot be, by kind of handoff",
                percents,
            ),
        }
    }
}
