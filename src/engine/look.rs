//! One look at one conversation: what it has seen so far, and what it is for.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd_connectors::contract::Lane;
use handoffd_core::{
    AccountId, Handoff, LinkId, Observed, TicketKey, Timestamp, Value,
    intent::{Intent, Update},
    link::Link,
    policy::SyncPolicy,
    reconcile::{self, Plan},
};

use super::backfill::BACKFILL;

/// What asks for a look that was put off.
pub(super) const DUE: &str = "due";
/// How often one ticket is read within one look before it is put off.
pub(super) const READS_PER_LOOK: u32 = 4;
/// How old a view may be by which a whole set is replaced at a vendor without conditional writes.
const BLIND_FOR: Duration = Duration::from_secs(1);

/// One look at one conversation.
pub(super) struct Look {
    pub(super) link: LinkId,
    /// A link that is about to be started by this view.
    pub(super) starting: Option<Link>,
    pub(super) observed: BTreeMap<TicketKey, Observed>,
    /// Accounts that do not answer now, with when to try again.
    pub(super) unreachable: BTreeMap<AccountId, Timestamp>,
    /// Tickets that changed under our hands.
    pub(super) refetch: BTreeSet<TicketKey>,
    pub(super) reads: BTreeMap<TicketKey, u32>,
    /// When each ticket was asked for last: what people did since is not in its view.
    pub(super) asked_at: BTreeMap<TicketKey, Timestamp>,
    /// Whether it was looked for tickets of other accounts that are the same conversation.
    pub(super) partners_known: bool,
    /// Writes that were taken back in this look: the vendor shows something else each time.
    pub(super) setbacks: u32,
    /// Handoffs that this look changed, before they are committed.
    pub(super) changed: Vec<Handoff>,
    /// When to look again by itself.
    pub(super) again_at: Option<Timestamp>,
    pub(super) lane: Lane,
    pub(super) cause: String,
}

impl Look {
    pub(super) fn at(link: LinkId, cause: &str) -> Self {
        Self {
            link,
            starting: None,
            observed: BTreeMap::new(),
            unreachable: BTreeMap::new(),
            refetch: BTreeSet::new(),
            reads: BTreeMap::new(),
            asked_at: BTreeMap::new(),
            partners_known: false,
            setbacks: 0,
            changed: Vec::new(),
            again_at: None,
            lane: match cause {
                "resync" => Lane::Refresh,
                BACKFILL => Lane::Backfill,
                _ => Lane::Live,
            },
            cause: cause.to_owned(),
        }
    }

    /// Whether all that is seen was made since the histories were ordered: it is in nobody's index.
    pub(super) fn is_new(&self, ordered: &BTreeMap<AccountId, Timestamp>) -> bool {
        let is_new = |view: &Observed| {
            ordered.get(&view.ticket.account).is_some_and(|ordered| view.created_at >= *ordered)
        };
        !self.observed.is_empty() && self.observed.values().all(is_new)
    }

    /// The lane of a write: what carries the past is in no hurry when it is tried again either.
    pub(super) fn lane_of(&self, link: &Link, intent: &Intent) -> Lane {
        let is_again = self.cause == DUE && self.lane == Lane::Live;
        if is_again && reconcile::is_past(link, intent) { Lane::Backfill } else { self.lane }
    }

    /// The tickets whose whole set of tags or people is to be replaced where the vendor would not
    /// notice that somebody changed it meanwhile, by a view that was asked for a while ago.
    pub(super) fn aged(&self, plan: &Plan, policy: &SyncPolicy, now: Timestamp) -> BTreeSet<TicketKey> {
        let is_blind = |update: &&Update| {
            let account = policy.accounts.get(&update.at.account);
            account.is_some_and(|account| !account.conditional_writes)
                && update.set.values().any(|value| matches!(value, Value::Tags(_)))
        };
        let is_old = |ticket: &TicketKey| {
            self.asked_at.get(ticket).is_none_or(|asked| now.since(*asked) > BLIND_FOR)
                && self.reads.get(ticket).copied().unwrap_or(0) < READS_PER_LOOK
        };
        let updates = plan.intents.iter().filter_map(|intent| match intent {
            Intent::Update(update) => Some(update),
            _ => None,
        });
        updates.filter(is_blind).map(|update| update.at.clone()).filter(is_old).collect()
    }

    pub(super) fn again_by(&mut self, at: Timestamp) {
        self.again_at = Some(self.again_at.map_or(at, |again| again.min(at)));
    }
}
