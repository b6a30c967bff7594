//! The one decision: what the sides of a link show, and what is therefore to be written.
//!
//! A trigger only says "look at this ticket". Each side is compared with its own
//! shadow, so the echo of our own write is no difference and there is no echo
//! filter. [`settle`] records what came of a write.

mod amend;
mod mirrors;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    comments::{self, Source, Taken, change::DELETED_AFTER, form},
    floor::Floor,
    intent::{Intent, Update},
    link::{Link, Place, Side, Standing},
    merge::{Ground, Views, is_synced, merge_fields, refresh_behind},
    model::{
        comment::Message,
        ids::{GroupId, OpKey, TicketKey},
        ticket::{Field, Fields, Observed, ReadBy, Status, Value, Version},
        time::Timestamp,
    },
    policy::{Normalize, SyncPolicy},
};
pub use mirrors::{Follower, followers};

pub use crate::{
    decision::{Decision, DropReason, Who},
    settle::{Settled, is_past, settle},
};

/// The most updates in one plan; what is left over is planned again soon.
pub const UPDATES_MAX: usize = 20;

/// The most messages that are changed or hidden in one plan; what is left over is planned again soon.
pub const AMENDMENTS_MAX: usize = 10;

/// The most values of one field that are remembered as sent and not confirmed.
pub const IN_FLIGHT_MAX: usize = 16;

/// How soon to look again when a plan could not take in or do everything.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What was decided. Commit the link and the intents together, then act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The link as it is now.
    pub link: Link,
    /// Writes to do. Those to one ticket are done in this order, one after the
    /// other; when one comes out as [`crate::intent::Outcome::NotApplied`], see
    /// [`Settled::withdraw`].
    pub intents: Vec<Intent>,
    /// What was decided and why, for the journal.
    pub decisions: Vec<Decision>,
    /// Tickets to be fetched by id, then to be reconciled again with those
    /// views: writes wait for it.
    pub must_read_first: BTreeSet<TicketKey>,
    /// Tickets whose comments are to be listed, then to be reconciled again with
    /// [`crate::CommentsSeen::All`]: writes wait for it.
    pub look_at_comments: BTreeSet<TicketKey>,
    /// Look at the link again after this long, even if nothing wakes it.
    pub requeue_after: Option<Duration>,
}

/// The link of one ticket: its shadow is what it shows, and so is the base.
pub fn start_link(group: GroupId, observed: &Observed, policy: &SyncPolicy) -> Link {
    let synced = |field: &Field| policy.fields.contains_key(field) && is_synced(*field);
    let base = observed.fields.iter().filter(|(field, _)| synced(field));
    let rating = observed.rating.clone();
    let side = Side { shadow: observed.fields.clone(), seen: observed.version, rating, ..Side::default() };
    Link {
        id: Link::id_for(&observed.ticket),
        group,
        base: base.map(|(field, value)| (*field, value.clone())).collect(),
        sides: BTreeMap::from([(observed.ticket.clone(), side)]),
        former: Vec::new(),
        creating: BTreeMap::new(),
        create_parked: BTreeMap::new(),
        doubts: BTreeMap::new(),
        by_hand: BTreeSet::new(),
        openings: BTreeMap::new(),
        requester: observed.requester.clone(),
        handoff: None,
        floor: Floor::default(),
        next_op: 0,
        next_copy: 0,
        copies: BTreeMap::new(),
    }
}

/// The link with one more ticket that exists already. Reconcile it with a view
/// of that ticket next: fields that agree stay, others are conflicts between the
/// ticket and the base, tags and comments are united.
pub fn add_side(link: &Link, ticket: &TicketKey, policy: &SyncPolicy) -> Link {
    let mut link = link.clone();
    let receives = policy.fields.iter().filter(|(_, rule)| rule.to.contains(&ticket.account));
    let behind = receives.map(|(field, _)| *field).filter(|field| is_synced(*field)).collect();
    let uniting = Some(u64::MAX);
    link.sides.entry(ticket.clone()).or_insert_with(|| Side { behind, uniting, ..Side::default() });
    link.former.retain(|former| former != ticket);
    link
}

/// The link after a ticket was deleted at its vendor. Never spread to the others.
pub fn gone(link: &Link, ticket: &TicketKey) -> Link {
    let mut link = link.clone();
    if let Some(side) = link.sides.get_mut(ticket) {
        side.standing = Standing::Gone;
        side.outstanding.clear();
        side.behind.clear();
        side.in_flight.clear();
        side.overtaken.clear();
        side.rewritten.clear();
        side.parked = None;
    }
    drop_sending(&mut link, ticket);
    link
}

/// The link after `from` was merged into `to` at its vendor. The conversation
/// goes on at `to`, whose fields win unless it was a side before; what stood on
/// `from` is not written there again.
pub fn moved(link: &Link, from: &TicketKey, to: &TicketKey) -> Link {
    if from == to || !link.sides.contains_key(from) {
        return link.clone();
    }
    let mut link = gone(link, from);
    link.former.retain(|former| former != to);
    link.sides.entry(to.clone()).or_default();
    supersede(&mut link, from, to);
    link
}

/// A side is one no more: the conversation goes on at another of its helpdesk,
/// where nothing that stood on it is written again.
pub(crate) fn supersede(link: &mut Link, from: &TicketKey, to: &TicketKey) {
    link.sides.remove(from);
    if !link.former.contains(from) {
        link.former.push(from.clone());
    }
    for copy in link.copies.values_mut().filter(|copy| copy.places.contains_key(from)) {
        copy.places.entry(to.clone()).or_insert_with(|| Place::Before(from.clone()));
        copy.due.remove(from);
    }
}

/// Messages on their way to a ticket are on their way no more.
fn drop_sending(link: &mut Link, ticket: &TicketKey) {
    for copy in link.copies.values_mut() {
        if matches!(copy.places.get(ticket), Some(Place::Sending(_))) {
            copy.places.remove(ticket);
        }
    }
}

/// Decides what the views mean and what is to be written. A side without a view
/// stands at its shadow. Reconciling the plan's own link with the same views and
/// more is always right.
pub fn reconcile(
    link: &Link,
    observed: &BTreeMap<TicketKey, Observed>,
    policy: &SyncPolicy,
    vendors: &dyn Normalize,
    now: Timestamp,
) -> Plan {
    let ground = Ground { policy, vendors };
    let mut planner = Planner::new(link, ground, now);
    planner.forget_unsynced();
    let views = planner.accept(observed);
    let plan = &mut planner.plan;
    merge_fields(&mut plan.link, &views, ground, &mut plan.decisions);
    planner.take_comments(&views);
    if !planner.is_uniting() {
        planner.plan_mirrors(&views);
        planner.plan_follow_ups(&views);
        planner.plan_deletions();
    }
    planner.plan_updates(&views);
    planner.plan
}

struct Planner<'a> {
    plan: Plan,
    ground: Ground<'a>,
    now: Timestamp,
    updates: usize,
    amendments: usize,
    /// Tickets that changed in nothing that their views show.
    unexplained: BTreeSet<TicketKey>,
}

impl<'a> Planner<'a> {
    fn new(link: &Link, ground: Ground<'a>, now: Timestamp) -> Self {
        let plan = Plan {
            link: link.clone(),
            intents: Vec::new(),
            decisions: Vec::new(),
            must_read_first: BTreeSet::new(),
            look_at_comments: BTreeSet::new(),
            requeue_after: None,
        };
        Self { plan, ground, now, updates: 0, amendments: 0, unexplained: BTreeSet::new() }
    }

    /// Fields that left the mapping leave the base.
    fn forget_unsynced(&mut self) {
        let ground = self.ground;
        let link = &mut self.plan.link;
        link.base.retain(|field, _| ground.rule(*field).is_some());
        for (ticket, side) in &mut link.sides {
            let receives =
                |field: Field| ground.rule(field).is_some_and(|rule| rule.to.contains(&ticket.account));
            side.behind.retain(|field| receives(*field));
            side.in_flight.retain(|field, _| ground.rule(*field).is_some());
            side.rewritten.retain(|field, _| ground.rule(*field).is_some());
        }
    }

    /// The views that are news or at least no older than what is known.
    fn accept<'o>(&mut self, observed: &'o BTreeMap<TicketKey, Observed>) -> Views<'o> {
        let taken = observed.iter().filter(|(ticket, view)| self.accept_one(ticket, view));
        taken.collect()
    }

    fn accept_one(&mut self, ticket: &TicketKey, view: &Observed) -> bool {
        let Some(side) = self.plan.link.sides.get(ticket) else {
            self.drop(ticket, DropReason::NotASide);
            return false;
        };
        if view.version < side.seen {
            self.drop(ticket, DropReason::Older);
            if view.read_by == ReadBy::Fetch {
                self.requeue();
            }
            return false;
        }
        let is_page = view.read_by == ReadBy::Feed;
        let is_same = view.version == side.seen;
        if !is_page && is_same && view.read_at < side.read_at {
            self.drop(ticket, DropReason::Older);
            return false;
        }
        if is_page && (side.standing == Standing::Gone || (is_same && differs(side, view))) {
            self.plan.must_read_first.insert(ticket.clone());
            self.plan.decisions.push(Decision::NeedsFetch { ticket: ticket.clone() });
            return false;
        }
        self.take_view(ticket, view);
        true
    }

    fn drop(&mut self, ticket: &TicketKey, why: DropReason) {
        self.plan.decisions.push(Decision::Dropped { ticket: ticket.clone(), why });
    }

    fn requeue(&mut self) {
        self.plan.requeue_after = Some(LOOK_AGAIN);
    }

    /// What a view says about the side as a whole.
    fn take_view(&mut self, ticket: &TicketKey, view: &Observed) {
        let link = &mut self.plan.link;
        // Somebody without an address cannot be written for: one who has got one by now can.
        if link.requester.as_ref().is_none_or(|known| known.email.is_none()) && view.requester.is_some() {
            link.requester.clone_from(&view.requester);
        }
        let Some(side) = link.sides.get_mut(ticket) else { return };
        if view.version > side.seen && side.parked.take().is_some() {
            self.plan.decisions.push(Decision::Unparked { ticket: ticket.clone() });
        }
        let is_newer = view.version > side.seen;
        if is_newer && !differs(side, view) {
            self.unexplained.insert(ticket.clone());
        }
        side.seen = view.version;
        side.read_at = side.read_at.max(view.read_at);
        take_rating(ticket, side, view, &mut self.plan.decisions);
        if side.standing == Standing::Gone || (is_newer && is_open_again(side, view)) {
            side.standing = Standing::Live;
            side.comments_seen = None;
            self.plan.decisions.push(Decision::Back { ticket: ticket.clone() });
            for (field, _) in self.ground.fields() {
                refresh_behind(&mut self.plan.link, ticket, field, self.ground);
            }
        }
    }

    fn take_comments(&mut self, views: &Views<'_>) {
        let mut taken = Vec::new();
        for view in views.values() {
            let plan = &mut self.plan;
            let policy = self.ground.policy;
            let explained = !self.unexplained.contains(&view.ticket);
            taken.push(comments::take_comments(&mut plan.link, view, explained, policy, &mut plan.decisions));
        }
        comments::end_uniting(&mut self.plan.link);
        if taken.contains(&Taken::Ignored) {
            self.requeue();
        }
        if taken.contains(&Taken::Doubtful) {
            self.plan.requeue_after.get_or_insert(DELETED_AFTER);
        }
        let unlooked = comments::unlooked(&self.plan.link, views, self.ground.policy);
        self.plan.look_at_comments.extend(unlooked);
    }

    /// Whether a ticket was joined and its comments, or the others', are not known
    /// yet: what is written now might stand there already.
    fn is_uniting(&self) -> bool {
        self.plan.link.sides.values().any(|side| side.uniting.is_some())
    }

    /// Whether comments of a ticket in hand are still to be listed: they may hold
    /// messages for the others, which then travel in the same requests.
    fn waits_for_comments(&self, views: &Views<'_>) -> bool {
        self.plan.look_at_comments.iter().any(|ticket| views.contains_key(ticket))
    }

    fn plan_updates(&mut self, views: &Views<'_>) {
        let tickets: Vec<_> = self.plan.link.sides.keys().cloned().collect();
        for ticket in tickets {
            if self.may_write(&ticket) {
                self.plan_side(&ticket, views);
            }
        }
    }

    fn may_write(&self, ticket: &TicketKey) -> bool {
        let armed = self.ground.policy.accounts.get(&ticket.account).is_some_and(|one| one.writes_armed);
        let free = self.plan.link.sides.get(ticket).is_some_and(|side| {
            side.standing == Standing::Live && side.outstanding.is_empty() && side.parked.is_none()
        });
        armed && free && !self.plan.must_read_first.contains(ticket)
    }

    /// All that one side lacks: the fields and the first message in one update,
    /// each further message in one of its own.
    fn plan_side(&mut self, ticket: &TicketKey, views: &Views<'_>) {
        let set = self.lacking_fields(ticket);
        if self.is_uniting() {
            return;
        }
        let mut messages = self.lacking_messages(ticket, views).into_iter();
        if self.waits_for_comments(views) {
            return;
        }
        let Some(condition) = self.condition(ticket, &set, views) else {
            self.plan.must_read_first.insert(ticket.clone());
            return;
        };
        if !set.is_empty() {
            self.push_update(ticket, set, messages.next(), condition);
        }
        for message in messages {
            self.push_update(ticket, Fields::new(), Some(message), None);
        }
        self.plan_amendments(ticket, views);
    }

    /// The values to send, and `behind` without the fields that need nothing.
    fn lacking_fields(&mut self, ticket: &TicketKey) -> Fields {
        let Some(side) = self.plan.link.sides.get(ticket) else { return Fields::new() };
        let missing = |field: &Field| {
            Some((*field, self.ground.missing(&self.plan.link.base, &ticket.account, side, *field)?))
        };
        let set: Fields = side.behind.iter().filter_map(missing).collect();
        if let Some(side) = self.plan.link.sides.get_mut(ticket) {
            side.behind.retain(|field| set.contains_key(field));
        }
        set
    }

    /// The messages that a side lacks and whose text is at hand. Behind one
    /// whose text is not, the others of its ticket wait: order is kept per origin.
    fn lacking_messages(&mut self, ticket: &TicketKey, views: &Views<'_>) -> Vec<(u64, Message)> {
        let mut messages = Vec::new();
        let mut waiting = BTreeSet::new();
        for number in comments::pending(&self.plan.link, ticket, self.ground.policy) {
            let Some(copy) = self.plan.link.copies.get(&number) else { continue };
            match comments::source(&self.plan.link, views, copy) {
                Source::Text(original) if !waiting.contains(&comments::origin(copy)) => {
                    let message = form::message(copy, original, &ticket.account, self.ground.policy);
                    messages.push((number, message));
                }
                Source::Text(_) => {}
                Source::Look(at) => {
                    waiting.insert(comments::origin(copy));
                    self.plan.look_at_comments.insert(at);
                }
                Source::Lost => self.park_comment(number, ticket, "the original is not there any more"),
            }
        }
        messages
    }

    fn park_comment(&mut self, number: u64, ticket: &TicketKey, reason: &str) {
        let reason = reason.to_owned();
        if let Some(copy) = self.plan.link.copies.get_mut(&number) {
            copy.places.insert(ticket.clone(), Place::Parked(reason.clone()));
        }
        self.plan.decisions.push(Decision::CommentParked { number, ticket: ticket.clone(), reason });
    }

    /// The condition under which fields are set; `None` when the ticket has to
    /// be read by id before, because its vendor cannot check one.
    #[expect(clippy::option_option, reason = "no condition needed differs from none possible")]
    fn condition(&self, ticket: &TicketKey, set: &Fields, views: &Views<'_>) -> Option<Option<Version>> {
        if set.is_empty() {
            return Some(None);
        }
        let seen = self.plan.link.sides.get(ticket).map(|side| side.seen);
        let account = self.ground.policy.accounts.get(&ticket.account);
        let is_known = seen.is_some_and(|version| version > Version::default());
        if is_known && account.is_some_and(|account| account.conditional_writes) {
            return Some(seen);
        }
        // A ticket that was made without an answer has no version to name.
        views.get(ticket).is_some_and(|view| view.read_by != ReadBy::Feed).then_some(None)
    }

    fn push_update(
        &mut self,
        ticket: &TicketKey,
        set: Fields,
        message: Option<(u64, Message)>,
        if_version: Option<Version>,
    ) {
        if self.updates >= UPDATES_MAX && !self.ground.policy.at_once {
            self.requeue();
            return;
        }
        self.updates += 1;
        let key = self.plan.link.take_op();
        if let Some(side) = self.plan.link.sides.get_mut(ticket) {
            side.outstanding.insert(key.clone());
            for (field, value) in &set {
                fly(side, *field, value);
            }
        }
        let message = message.map(|(number, message)| {
            self.mark_sending(number, ticket, &key);
            message
        });
        let update = Update { at: ticket.clone(), set, message, if_version, key };
        self.plan.intents.push(Intent::Update(update));
    }

    fn mark_sending(&mut self, number: u64, ticket: &TicketKey, key: &OpKey) {
        if let Some(copy) = self.plan.link.copies.get_mut(&number) {
            copy.places.insert(ticket.clone(), Place::Sending(key.clone()));
        }
    }
}

/// What a customer thought of the help they got: told once, and when it changes.
fn take_rating(ticket: &TicketKey, side: &mut Side, view: &Observed, decisions: &mut Vec<Decision>) {
    let Some(rating) = view.rating.as_ref().filter(|rating| side.rating.as_ref() != Some(rating)) else {
        return;
    };
    side.rating = Some(rating.clone());
    let (percent, label) = (rating.percent, rating.label.clone());
    decisions.push(Decision::Rated { ticket: ticket.clone(), percent, label });
}

/// Whether a ticket that took no writes because it was closed is open again.
fn is_open_again(side: &Side, view: &Observed) -> bool {
    let status = view.fields.get(&Field::Status).and_then(Value::as_status);
    side.standing == Standing::Closed && status.is_some_and(|status| status != Status::Closed)
}

/// Remembers a value as sent.
fn fly(side: &mut Side, field: Field, value: &Value) {
    let values = side.in_flight.entry(field).or_default();
    values.push(value.clone());
    if values.len() > IN_FLIGHT_MAX {
        values.remove(0);
    }
}

/// Whether a view shows another content than the side's shadow.
fn differs(side: &Side, view: &Observed) -> bool {
    view.fields.iter().any(|(field, value)| side.shadow.get(field) != Some(value))
}
