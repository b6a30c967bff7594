//! The engine: a thin shell around the core's decisions.
//!
//! A trigger says only "look at this ticket" and is stored as a job. The queue
//! claims due jobs; a worker reads what the sides show, lets the core decide,
//! commits, writes, and settles. Pollers, the slow resync, webhooks and the API
//! only add jobs.

mod accounts;
pub mod backfill;
mod bodies;
mod captures;
mod doubts;
pub mod dry;
mod enricher;
mod executor;
mod first_look;
mod floor;
mod handoffs;
mod in_hand;
mod joining;
mod look;
mod matches;
pub mod metrics;
pub mod outbox;
pub mod parked;
mod poller;
mod queue;
mod reconciler;
pub mod records;
mod resync;
mod speech;
pub(crate) mod spool;
mod standing;
mod transfer;
mod turns;
mod views;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use handoffd_connectors::{
    client::{Clock, Jitter, transport::Transport},
    contract::{Call, ContextSource, Lane},
};
use handoffd_core::{
    AccountId, GroupId, HandoffId, LinkId, OpKey, SourceAnswer, Timestamp,
    briefing::Templates,
    policy::{HandoffRules, SyncPolicy},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{EngineConfig, GroupConfig, HandoffConfig, PlacingConfig},
    rewriter::Rewriter,
    store::{
        Commit, CommitError, NewJob, ReadError, Seq, Store, Table, Write,
        blobs::Blobs,
        tables::{self, Wake},
    },
};

pub use accounts::Desk;
pub use captures::is_ticket_id;
pub use floor::{Streamed, Voice};
pub use metrics::Metrics;
pub use poller::{FeedPass, PassError};
pub use queue::JobLeft;
pub use speech::{NotStored, Words};

/// What an engine is made of.
pub struct EngineParts {
    /// Where state is kept.
    pub store: Arc<dyn Store>,
    /// Where long text is kept.
    pub blobs: Blobs,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub jitter: Arc<dyn Jitter>,
    /// The helpdesks, by account.
    pub desks: BTreeMap<AccountId, Arc<Desk>>,
    /// The context sources, by account.
    pub sources: BTreeMap<AccountId, Arc<dyn ContextSource>>,
    /// The link groups.
    pub groups: BTreeMap<GroupId, GroupConfig>,
    /// How handoffs are seen.
    pub rules: HandoffRules,
    /// Bounds and rhythms.
    pub config: EngineConfig,
    /// How handoffs are served.
    pub handoff: HandoffConfig,
    /// What is written beside briefings, by account.
    pub placing: BTreeMap<AccountId, PlacingConfig>,
    /// What briefings look like.
    pub templates: Templates,
    /// Puts briefings into better words, where a model is configured.
    pub rewriter: Rewriter,
    /// AI agents, by name.
    pub voices: BTreeMap<String, Voice>,
    /// How events reach AI agents.
    pub transport: Arc<dyn Transport>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Counts writes instead of sending them, in a dry run.
    pub dry: Option<Arc<dry::DryRun>>,
    /// Names this run of the daemon: writes of another run may have been sent.
    pub run: String,
}

/// How a context source stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStanding {
    /// Who we are there.
    pub identity: Option<String>,
    /// What is wrong there.
    pub problems: Vec<String>,
}

/// Why work on a link stopped, by what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Wake it again then.
    Later { at: Timestamp, why: String },
    /// An admin must look: park it.
    Park { why: String },
    /// The store does not work: nothing can be done until it does.
    Store { why: String },
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable { why } => Self::Store { why },
            // A damaged row concerns the links that need it; the others go on.
            ReadError::Corrupt { why } => Self::Park { why },
        }
    }
}

impl From<CommitError> for Fault {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::TooLarge { .. } => Self::Park { why: error.to_string() },
            _ => Self::Store { why: error.to_string() },
        }
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// What an engine's tasks share.
pub struct Inner {
    pub(crate) parts: EngineParts,
    views: views::Views,
    /// Links that a worker has in hand.
    busy: Mutex<BTreeSet<LinkId>>,
    /// A worker is free.
    freed: tokio::sync::Notify,
    /// A link is free.
    link_freed: tokio::sync::Notify,
    /// Answers of context sources that no worker has taken in yet.
    answers: Mutex<BTreeMap<HandoffId, Vec<(AccountId, SourceAnswer)>>>,
    /// Handoffs whose sources are being asked.
    asking: Mutex<BTreeSet<HandoffId>>,
    /// How the context sources stand, by what they answered last.
    sources: Mutex<BTreeMap<AccountId, SourceStanding>>,
    /// Jobs that workers have in hand.
    in_hand: in_hand::InHand,
    /// Calls for an early poll.
    poll_now: tokio::sync::Notify,
    /// Writes that were sent in this run and are not settled in the store yet.
    sent: Mutex<BTreeMap<OpKey, Timestamp>>,
    /// A backfill was ordered.
    backfill_now: tokio::sync::Notify,
    /// How fast backfills go.
    paces: Mutex<backfill::Paces>,
    /// How the reading of histories goes.
    turns: Mutex<turns::Turns>,
    /// Bounds how many writes fetch their files at once.
    transfers: tokio::sync::Semaphore,
    /// The files that went with writes which are not settled yet, in words for the journal.
    carried: Mutex<BTreeMap<OpKey, String>>,
    /// Something came of a message of an AI agent.
    spoken: tokio::sync::Notify,
    /// A promise was heard.
    promises_now: tokio::sync::Notify,
    /// An event may be stored that is to be told.
    events_now: tokio::sync::Notify,
    /// Numbers events within one moment.
    event_rows: std::sync::atomic::AtomicUsize,
    /// Numbers journal rows within one moment.
    journal_rows: std::sync::atomic::AtomicUsize,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl std::ops::Deref for Engine {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Engine {
    /// An engine that does nothing until it is started.
    pub fn new(parts: EngineParts) -> Self {
        let views = views::Views::new(parts.config.feed_views_max);
        let transfers = tokio::sync::Semaphore::new(parts.config.transfers_max.max(1));
        Self(Arc::new(Inner {
            parts,
            views,
            busy: Mutex::default(),
            freed: tokio::sync::Notify::new(),
            link_freed: tokio::sync::Notify::new(),
            answers: Mutex::default(),
            asking: Mutex::default(),
            sources: Mutex::default(),
            in_hand: in_hand::InHand::default(),
            poll_now: tokio::sync::Notify::new(),
            sent: Mutex::default(),
            backfill_now: tokio::sync::Notify::new(),
            paces: Mutex::default(),
            turns: Mutex::default(),
            transfers,
            carried: Mutex::default(),
            spoken: tokio::sync::Notify::new(),
            promises_now: tokio::sync::Notify::new(),
            events_now: tokio::sync::Notify::new(),
            event_rows: std::sync::atomic::AtomicUsize::new(0),
            journal_rows: std::sync::atomic::AtomicUsize::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Starts the queue alone: work that is stored is done, nothing is polled.
    pub fn start_queue(&self) {
        let engine = self.clone();
        self.tasks.spawn(async move { engine.run_queue().await });
    }

    /// Starts everything: queue, pollers, resync, probes.
    pub fn start(&self) {
        self.start_queue();
        for desk in self.parts.desks.values() {
            for feed in desk.helpdesk.feeds() {
                let (engine, desk) = (self.clone(), desk.clone());
                self.tasks.spawn(async move { engine.run_poller(&desk, *feed).await });
            }
            let (engine, swept) = (self.clone(), desk.clone());
            self.tasks.spawn(async move { engine.run_resync(&swept).await });
            let (engine, probed) = (self.clone(), desk.clone());
            self.tasks.spawn(async move { engine.run_probes(&probed).await });
        }
        for account in self.parts.sources.keys() {
            let (engine, account) = (self.clone(), account.clone());
            self.tasks.spawn(async move { engine.run_source_probes(&account).await });
        }
        let engine = self.clone();
        self.tasks.spawn(async move {
            if let Err(fault) = engine.wake_asked().await {
                // Whatever wakes those conversations next asks again, while it helps.
                tracing::warn!(?fault, "Handoffs whose sources have not answered could not be looked for.");
            }
        });
        let engine = self.clone();
        self.tasks.spawn(async move { engine.run_sweeps().await });
        let engine = self.clone();
        self.tasks.spawn(async move { engine.run_backfills().await });
        let engine = self.clone();
        self.tasks.spawn(async move { engine.run_promises().await });
        let engine = self.clone();
        self.tasks.spawn(async move { engine.run_outbox().await });
    }

    /// Reads every feed as soon as possible instead of waiting for its rhythm.
    pub fn poll_soon(&self) {
        self.poll_now.notify_waiters();
    }

    /// Stops: no new work is begun, work in hand is given `grace` to finish.
    /// What is not finished is stored and goes on at the next start.
    pub async fn shutdown(&self, grace: Duration) {
        self.stop.cancel();
        self.tasks.close();
        let until = self.now().plus(grace);
        tokio::select! {
            biased;
            () = self.tasks.wait() => tracing::info!("Work in hand is finished."),
            () = self.parts.clock.sleep_until(until) => tracing::warn!("Work in hand was cut short; it goes on at the next start."),
        }
    }

    /// Asks that a ticket be looked at.
    pub async fn wake_ticket(
        &self,
        ticket: &handoffd_core::TicketKey,
        cause: &str,
        more: Commit,
    ) -> Result<Seq, CommitError> {
        let mut commit = more;
        commit.jobs.push(self.ticket_job(ticket, cause, self.now()).await);
        self.commit(commit).await
    }

    pub(crate) async fn ticket_job(
        &self,
        ticket: &handoffd_core::TicketKey,
        cause: &str,
        at: Timestamp,
    ) -> NewJob {
        let link = crate::store::tables::link_of(&*self.parts.store, ticket).await.ok().flatten();
        let order_key = link.map_or_else(|| ticket.to_string(), |link| link.to_string());
        Wake::Ticket { ticket: ticket.clone(), cause: cause.to_owned() }.job(&order_key, at)
    }

    /// The parts, for those who show what the engine knows.
    pub fn parts(&self) -> &EngineParts {
        &self.parts
    }
}

impl Inner {
    /// Commits, and wakes whoever waits for rows of the commit. Woken before they are stored they
    /// would find nothing, and rest.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<Seq, CommitError> {
        let puts = |table: Table| {
            commit.writes.iter().any(|write| matches!(write, Write::Put(into, ..) if *into == table))
        };
        let (tells, promises) = (puts(tables::OUTBOX), puts(tables::PROMISES));
        let stored = self.parts.store.commit(commit).await;
        if stored.is_ok() && tells {
            self.events_now.notify_one();
        }
        if stored.is_ok() && promises {
            self.promises_now.notify_one();
        }
        stored
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn call(&self, lane: Lane) -> Call {
        Call { lane, deadline: self.now().plus(self.parts.config.call_deadline.0) }
    }

    fn jittered(&self, rhythm: crate::config::Rhythm) -> Duration {
        rhythm.every.0 + rhythm.jitter.0.mul_f64(self.parts.jitter.fraction())
    }

    /// The rules of a link group, as its accounts stand now.
    fn policy(&self, group: &GroupId) -> Option<SyncPolicy> {
        let config = self.parts.groups.get(group)?;
        let accounts = config.accounts.iter().filter_map(|name| {
            let id = AccountId::new(name);
            self.parts.desks.get(&id).map(|desk| (id, desk.policy()))
        });
        Some(SyncPolicy {
            group: group.clone(),
            accounts: accounts.collect(),
            customer_facing: config.customer_facing(),
            fields: config.field_rules(&|account, field| {
                let desk = self.parts.desks.get(&AccountId::new(account));
                desk.is_some_and(|desk| desk.capabilities.fields.contains(&field))
            }),
            routes: config.route_rules(),
            private_notes: config.private_notes,
            deletions: config.deletions,
            agents: config.agents_by_account(),
            importing: BTreeMap::new(),
            at_once: self.parts.dry.is_some(),
        })
    }
}
