//! Looks at a conversation: reads what the sides show, lets the core decide,
//! commits, writes, settles, and looks again until nothing is left to do.

use std::collections::BTreeSet;

use handoffd_connectors::contract::{Error, Lane};
use handoffd_core::{
    AccountId, CommentsSeen, Fetched, HandoffId, LinkId, OpKey, TicketKey, Timestamp,
    intent::{Intent, Outcome},
    link::Link,
    reconcile::{self, Decision, Plan},
    unpark::{Cause, causes},
};

use super::{
    Engine, Fault, Inner,
    accounts::Vendors,
    executor::Step,
    handoffs::Ready,
    look::{DUE, Look, READS_PER_LOOK},
    speech::Taken,
};
use crate::store::{
    Claimed, Commit, CommitError, Guard, JobDone, Key, Seq, Write,
    tables::{self, INTENTS, IntentRow, JOURNAL, JournalRow, LinkRow, PARKED, ParkedRow, TICKETS, Wake},
};

/// After how many writes that were taken back a look is put off: it would only be so again.
const SETBACKS_PER_LOOK: u32 = 3;

/// The link to look at again, and when.
pub(super) type Again = Option<(LinkId, Timestamp)>;

/// Whether a round left anything to do at once.
#[derive(PartialEq, Eq)]
enum Round {
    Again,
    Settled,
}

impl Engine {
    /// Does a job: looks at what it names until it is settled or put off.
    pub(super) async fn look(&self, wake: &Wake, claimed: &Claimed) -> Result<(), Fault> {
        let again = self.looked(wake).await?;
        self.finish(claimed, again).await
    }

    /// Looks at what a wake names until it is settled or put off; says when to look again.
    pub(super) async fn looked(&self, wake: &Wake) -> Result<Again, Fault> {
        let (link, ticket, cause) = match wake {
            Wake::Link { link } => (Some(link.clone()), None, DUE),
            Wake::Ticket { ticket, cause } => {
                let link = tables::link_of(&*self.parts.store, ticket).await?;
                (link, Some(ticket), cause.as_str())
            }
        };
        self.parts.metrics.woke(cause);
        let link = match (link, ticket) {
            (Some(link), _) => link,
            (None, Some(ticket)) => Link::id_for(ticket),
            (None, None) => return Ok(None),
        };
        let _taken = self.take(&link).await;
        if let Some(ticket) = ticket
            && let Some(known) = tables::link_of(&*self.parts.store, ticket).await?
            && known != link
        {
            return Err(Fault::Later {
                at: self.now(),
                why: "it became a side of another link meanwhile".to_owned(),
            });
        }
        let mut look = Look::at(link, cause);
        if let Some(ticket) = ticket
            && !self.first_view(&mut look, ticket).await?
        {
            return Ok(None);
        }
        self.rounds(&mut look).await
    }

    /// Rounds until one leaves nothing to do at once.
    async fn rounds(&self, look: &mut Look) -> Result<Again, Fault> {
        for _ in 0..self.parts.config.rounds_max {
            if look.setbacks >= SETBACKS_PER_LOOK {
                let at = self.now().plus(self.parts.config.retry_first.0 * 8);
                return Ok(Some((look.link.clone(), at)));
            }
            if self.round(look).await? == Round::Settled {
                return Ok(look.again_at.map(|at| (look.link.clone(), at)));
            }
        }
        Ok(Some((look.link.clone(), self.now().plus(self.parts.config.debounce.0))))
    }

    async fn finish(&self, claimed: &Claimed, again: Again) -> Result<(), Fault> {
        let done = vec![JobDone { id: claimed.job.id.clone(), rev: claimed.rev }];
        let writes = self.mended(claimed).await?;
        let jobs = again.map(|(link, at)| Wake::Link { link: link.clone() }.job(link.as_str(), at));
        let commit = Commit { done, writes, jobs: jobs.into_iter().collect(), ..Commit::default() };
        self.parts.store.commit(commit).await?;
        Ok(())
    }

    /// What was parked about the job's ticket, and is mended by a look that went well.
    async fn mended(&self, claimed: &Claimed) -> Result<Vec<Write>, Fault> {
        let ticket = claimed.job.id.strip_prefix("t/").unwrap_or_default();
        let mut writes = Vec::new();
        for key in [Key::of(&["work", &claimed.job.id]), Key::of(&["row", ticket])] {
            if self.parts.store.get(PARKED, &key).await?.is_some() {
                writes.push(Write::Delete(PARKED, key));
            }
        }
        Ok(writes)
    }

    /// One round: stored writes that are due, the handoff, then a plan.
    async fn round(&self, look: &mut Look) -> Result<Round, Fault> {
        let row = tables::read_link(&*self.parts.store, &look.link).await?;
        if row.is_none() && look.starting.is_none() {
            self.clear_copies(&look.link).await?;
            return Ok(Round::Settled);
        }
        if let Some(row) = &row
            && self.carry_out(look, row).await? == Round::Again
        {
            return Ok(Round::Again);
        }
        if let Some(row) = &row {
            if self.serve_handoff(look, row).await? {
                return Ok(Round::Again);
            }
            self.ask_again(look, &row.link).await?;
        }
        let round = self.plan_and_commit(look, row).await?;
        match round == Round::Settled && self.serve_words(look).await? {
            true => Ok(Round::Again),
            false => Ok(round),
        }
    }

    /// Carries out the stored writes that are due, in order; a side whose write
    /// has to wait waits with all of its writes.
    async fn carry_out(&self, look: &mut Look, row: &LinkRow) -> Result<Round, Fault> {
        if self.policy(&row.link.group).is_none() {
            return Err(no_group(&row.link));
        }
        let prefix = tables::link_prefix(&look.link);
        let intents = tables::read_all::<IntentRow>(&*self.parts.store, INTENTS, &prefix, usize::MAX).await?;
        if let Some(dry) = &self.parts.dry {
            self.count_stored(dry, look, row, intents).await?;
            return Ok(Round::Settled);
        }
        let (handoffs, others): (Vec<_>, Vec<_>) =
            intents.into_iter().partition(|(_, intent)| intent.value.handoff.is_some());
        let mut waiting: BTreeSet<AccountId> = BTreeSet::new();
        for (_, intent) in handoffs.into_iter().chain(others) {
            let account = intent.value.intent.account().clone();
            let in_order = intent.value.handoff.is_none();
            if in_order && waiting.contains(&account) {
                continue;
            }
            if self.stop.is_cancelled() {
                return Err(Fault::Later { at: self.now(), why: "the daemon stops".to_owned() });
            }
            if intent.value.due > self.now() {
                look.again_by(intent.value.due);
                waiting.insert(account);
                continue;
            }
            let lane = look.lane_of(&row.link, &intent.value.intent);
            let (tried, step, taken) = self.try_write(look, row, intent.value, lane).await?;
            match step {
                Step::Keep(kept) => {
                    look.again_by(kept.due);
                    let write =
                        tables::put(INTENTS, tables::intent_key(&look.link, kept.intent.key()), &*kept);
                    self.parts.store.commit(Commit { writes: vec![write], ..Commit::default() }).await?;
                    self.note_settled(kept.intent.key());
                    waiting.insert(account);
                }
                step => {
                    self.settle(look, row, &tried, step, taken).await?;
                    return Ok(Round::Again);
                }
            }
        }
        Ok(Round::Settled)
    }

    /// One try of a write that is due, as it is right now.
    async fn try_write(
        &self,
        look: &mut Look,
        row: &LinkRow,
        stored: IntentRow,
        lane: Lane,
    ) -> Result<(IntentRow, Step, Option<Taken>), Fault> {
        if stored.speech.is_some() {
            let (step, taken) = self.speak(look, row, &stored, lane).await?;
            return Ok((stored, step, taken));
        }
        match self.made_ready(look, &row.link, &stored).await? {
            Ready::Done(step) => Ok((stored, step, None)),
            Ready::Try(ready) => {
                let step = self.execute(&row.link, &ready, lane).await?;
                Ok((*ready, step, None))
            }
        }
    }

    /// Records what came of a write: the link, its row gone, the journal, and
    /// the handoff whose briefing it carried, in one commit.
    async fn settle(
        &self,
        look: &mut Look,
        row: &LinkRow,
        intent: &IntentRow,
        step: Step,
        taken: Option<Taken>,
    ) -> Result<(), Fault> {
        let ticket = intent.intent.ticket().cloned();
        let (outcome, gone) = match step {
            Step::Settle(outcome) => (outcome, false),
            Step::Stale => (Outcome::NotApplied, false),
            Step::Gone => (Outcome::NotApplied, true),
            Step::Keep(_) => return Ok(()),
        };
        let policy = self.policy(&row.link.group).ok_or_else(|| no_group(&row.link))?;
        let vendors = Vendors(&self.parts.desks);
        // A briefing that is written once more without its fields is not refused yet.
        let bare = Inner::goes_bare(intent, &outcome);
        let counts = if bare { &Outcome::NotApplied } else { &outcome };
        let settled = reconcile::settle(&row.link, &intent.intent, counts, &policy, &vendors);
        let mut link = settled.link;
        if let (true, Some(ticket)) = (gone, &ticket) {
            link = reconcile::gone(&link, ticket);
        }
        let now = self.now();
        let mut journal: Vec<JournalRow> =
            settled.decisions.into_iter().map(|d| self.decided(look, d)).collect();
        journal.push(JournalRow::Wrote {
            at: now,
            key: intent.intent.key().clone(),
            account: super::executor::account_of(&intent.intent),
            outcome: match self.take_files(intent.intent.key()) {
                Some(files) => format!("{}, with {files}", super::executor::describe(&outcome)),
                None => super::executor::describe(&outcome),
            },
        });
        let mut writes = vec![Write::Delete(INTENTS, tables::intent_key(&look.link, intent.intent.key()))];
        look.refetch.extend(settled.read_again);
        for key in &settled.withdraw {
            let (withdrawn, write) = self.withdraw(&link, key).await?;
            link = withdrawn;
            writes.extend(write);
        }
        if let Outcome::Lost | Outcome::Refused(_) = counts {
            let causes = &causes(&link) - &causes(&row.link);
            writes.push(self.park_write(&link, &intent.intent, &outcome, causes));
        }
        if let Some(handoff) = &intent.handoff {
            writes.extend(self.settle_handoff(look, &mut link, handoff, intent, &outcome, gone).await?);
        }
        let (rows, decisions) = self.settle_words(&mut link, intent, &outcome, gone, taken).await?;
        writes.extend(rows);
        journal.extend(self.words_journal(&look.cause, decisions));
        if outcome == Outcome::NotApplied && intent.speech.is_none() {
            look.setbacks += 1;
        }
        self.note_views(look, ticket, &outcome);
        self.store_link(look, Some(row), &link, writes, journal).await?;
        self.note_settled(intent.intent.key());
        if intent.speech.is_some() {
            self.spoken.notify_waiters();
        }
        Ok(())
    }

    /// Takes back a write that must not be sent any more, so that messages keep their order.
    async fn withdraw(&self, link: &Link, key: &OpKey) -> Result<(Link, Option<Write>), Fault> {
        let at = tables::intent_key(&link.id, key);
        let Some(row) = tables::read::<IntentRow>(&*self.parts.store, INTENTS, &at).await? else {
            return Ok((link.clone(), None));
        };
        let policy = self.policy(&link.group).ok_or_else(|| no_group(link))?;
        let vendors = Vendors(&self.parts.desks);
        let settled = reconcile::settle(link, &row.value.intent, &Outcome::NotApplied, &policy, &vendors);
        Ok((settled.link, Some(Write::Delete(INTENTS, at))))
    }

    /// What a written ticket showed before is old; what the answer showed is new.
    fn note_views(&self, look: &mut Look, ticket: Option<TicketKey>, outcome: &Outcome) {
        if let Some(ticket) = &ticket {
            look.observed.remove(ticket);
            if *outcome == Outcome::NotApplied {
                look.refetch.insert(ticket.clone());
            }
        }
        if let Outcome::Applied(applied) = outcome
            && let Some(shown) = &applied.shown
            && (shown.comment_count.is_some() || shown.comments != CommentsSeen::NotLooked)
        {
            // A view that says nothing of comments would cost a listing now and,
            // when the write's echo comes, another one: the echo's is enough.
            look.observed.insert(applied.ticket.clone(), shown.clone());
        }
    }

    fn park_write(&self, link: &Link, intent: &Intent, outcome: &Outcome, causes: BTreeSet<Cause>) -> Write {
        let reason = super::executor::describe(outcome);
        tracing::warn!(link = %link.id, account = %intent.account(), key = %intent.key(), reason, "A write is parked.");
        self.parts.metrics.parked("write");
        let row = ParkedRow {
            kind: "write".to_owned(),
            name: intent.key().to_string(),
            account: intent.account().clone(),
            link: Some(link.id.clone()),
            reason,
            since: self.now(),
            causes: Some(causes),
        };
        tables::put(PARKED, tables::parked_key(&row), &row)
    }

    async fn plan_and_commit(&self, look: &mut Look, row: Option<LinkRow>) -> Result<Round, Fault> {
        self.refetch(look, row.as_ref()).await?;
        let link = match (&row, &look.starting) {
            (Some(row), _) => row.link.clone(),
            (None, Some(link)) => link.clone(),
            (None, None) => return Ok(Round::Settled),
        };
        let Some(mut policy) = self.policy(&link.group) else { return Err(no_group(&link)) };
        policy.importing = self.histories().await?;
        self.hold_mirrors(look, &link, &mut policy).await?;
        self.settle_unequal(&link, &mut policy);
        let plan = loop {
            for account in look.unreachable.keys() {
                if let Some(account) = policy.accounts.get_mut(account) {
                    account.writes_armed = false;
                    account.creates_armed = false;
                }
            }
            let vendors = Vendors(&self.parts.desks);
            let plan = reconcile::reconcile(&link, &look.observed, &policy, &vendors, self.now());
            let aged = look.aged(&plan, &policy, self.now());
            if !self.fetch_needs(look, row.as_ref(), &plan, &aged).await? {
                break plan;
            }
        };
        if let Some(wait) = plan.requeue_after {
            look.again_by(self.now().plus(wait));
        }
        if let Some(at) = look.unreachable.values().min() {
            look.again_by(*at);
        }
        self.commit_plan(look, row.as_ref(), &link, plan).await
    }

    async fn commit_plan(
        &self,
        look: &mut Look,
        row: Option<&LinkRow>,
        link: &Link,
        plan: Plan,
    ) -> Result<Round, Fault> {
        let mut writes = Vec::new();
        // A dry run counts them below.
        for intent in plan.intents.iter().filter(|_| self.parts.dry.is_none()) {
            writes.push(self.intent_write(&plan.link.id, intent.clone(), None).await?);
        }
        let mut journal: Vec<JournalRow> =
            plan.decisions.into_iter().map(|decision| self.decided(look, decision)).collect();
        let mut after = plan.link;
        // Every view that the plan took in counts, those that were read meanwhile too.
        let signs = self.take_signs(look, link, &mut after).await?;
        journal.extend(signs.journal);
        let acted = signs.acted || !plan.intents.is_empty();
        writes.extend(signs.writes);
        self.move_floor(look, link, &mut after, &signs.steps);
        writes.extend(self.promise_writes(look, link, &after).await?);
        if row.is_some_and(|row| row.link == after) && writes.is_empty() {
            return Ok(if acted { Round::Again } else { Round::Settled });
        }
        self.store_link(look, row, &after, writes, journal).await?;
        if let Some(dry) = &self.parts.dry {
            self.count_plan(dry, look, &after, &plan.intents);
        }
        look.starting = None;
        self.after_commit(look, signs.steps).await?;
        Ok(if acted { Round::Again } else { Round::Settled })
    }

    /// Reads what the plan asks for; `false` when it asks for nothing that can be had now.
    async fn fetch_needs(
        &self,
        look: &mut Look,
        row: Option<&LinkRow>,
        plan: &Plan,
        aged: &BTreeSet<TicketKey>,
    ) -> Result<bool, Fault> {
        let mut fetched = false;
        let needs = plan.must_read_first.iter().chain(&plan.look_at_comments).chain(aged);
        let needs: BTreeSet<TicketKey> =
            needs.filter(|ticket| !look.unreachable.contains_key(&ticket.account)).cloned().collect();
        for ticket in needs {
            if look.reads.get(&ticket).copied().unwrap_or(0) >= READS_PER_LOOK {
                look.unreachable.insert(ticket.account.clone(), self.retry_time(&ticket.account));
                return Ok(true);
            }
            let wants_view = plan.must_read_first.contains(&ticket)
                || !look.observed.contains_key(&ticket)
                || aged.contains(&ticket);
            let wants_comments = plan.look_at_comments.contains(&ticket);
            match self.fetch_one(look, &ticket, wants_view, wants_comments).await {
                Ok(()) => fetched = true,
                Err(error @ (Error::Malformed { .. } | Error::Refused { .. })) => {
                    return Err(Fault::Park { why: format!("{ticket}: {error}") });
                }
                Err(Error::Gone) if row.is_some_and(|row| row.link.sides.contains_key(&ticket)) => {
                    if let Some(row) = row {
                        self.take_off(look, row, &ticket).await?;
                    }
                    return Err(Fault::Later { at: self.now(), why: format!("{ticket} is gone") });
                }
                Err(error) => {
                    let at = match self.put_off(&ticket.account, &error).await {
                        Fault::Later { at, .. } => at,
                        _ => self.retry_time(&ticket.account),
                    };
                    look.unreachable.insert(ticket.account.clone(), at);
                    fetched = true;
                }
            }
        }
        Ok(fetched)
    }

    async fn fetch_one(
        &self,
        look: &mut Look,
        ticket: &TicketKey,
        wants_view: bool,
        wants_comments: bool,
    ) -> Result<(), Error> {
        if wants_view {
            match self.read_ticket(look, ticket).await? {
                Fetched::Shown(mut observed) => {
                    if let Some(before) = look.observed.remove(ticket)
                        && before.version == observed.version
                    {
                        observed.comments = before.comments;
                    }
                    look.observed.insert(ticket.clone(), *observed);
                }
                Fetched::Gone(_) | Fetched::MovedTo { .. } => {
                    look.observed.remove(ticket);
                    return Err(Error::Gone);
                }
            }
        }
        let Some(desk) = self.parts.desks.get(&ticket.account) else { return Ok(()) };
        if let Some(observed) = look.observed.get(ticket)
            && wants_comments
            && observed.comments == CommentsSeen::NotLooked
        {
            *look.reads.entry(ticket.clone()).or_default() += 1;
            let comments = desk.helpdesk.comments(self.call(look.lane), &ticket.id).await?;
            if let Some(observed) = look.observed.get_mut(ticket) {
                observed.comments = CommentsSeen::All(comments);
            }
        }
        Ok(())
    }

    /// Reads tickets again that changed under our hands.
    async fn refetch(&self, look: &mut Look, row: Option<&LinkRow>) -> Result<(), Fault> {
        for ticket in std::mem::take(&mut look.refetch) {
            if look.unreachable.contains_key(&ticket.account) {
                continue;
            }
            match self.read_ticket(look, &ticket).await {
                Ok(Fetched::Shown(observed)) => {
                    look.observed.insert(ticket, *observed);
                }
                Ok(Fetched::Gone(_)) => {
                    if let Some(row) = row {
                        self.take_off(look, row, &ticket).await?;
                        return Err(Fault::Later { at: self.now(), why: format!("{ticket} is gone") });
                    }
                }
                Ok(Fetched::MovedTo { from, to }) => {
                    if let Some(row) = row {
                        self.merged(look, row, &from, &to).await?;
                        return Err(Fault::Later { at: self.now(), why: format!("{from} is {to} now") });
                    }
                }
                Err(error) => {
                    let at = match self.put_off(&ticket.account, &error).await {
                        Fault::Later { at, .. } => at,
                        fault => return Err(fault),
                    };
                    look.unreachable.insert(ticket.account.clone(), at);
                }
            }
        }
        Ok(())
    }

    fn decided(&self, look: &Look, decision: Decision) -> JournalRow {
        if let Decision::Conflict { field, rule, .. } = &decision {
            tracing::info!(link = %look.link, %field, rule, "Several sides changed a field; one was kept and the others are in the journal.");
            self.parts.metrics.conflict();
        }
        JournalRow::Decided { at: self.now(), cause: look.cause.clone(), decision }
    }
}

fn no_group(link: &Link) -> Fault {
    Fault::Park { why: format!("the link group {} is not configured any more", link.group) }
}

impl Inner {
    /// A stored write: long text put aside first.
    pub(super) async fn intent_write(
        &self,
        link: &LinkId,
        intent: Intent,
        handoff: Option<HandoffId>,
    ) -> Result<Write, Fault> {
        let row = self.intent_row(intent, handoff).await?;
        Ok(tables::put(INTENTS, tables::intent_key(link, row.intent.key()), &row))
    }

    /// A write as it is stored: long text put aside first.
    pub(super) async fn intent_row(
        &self,
        intent: Intent,
        handoff: Option<HandoffId>,
    ) -> Result<IntentRow, Fault> {
        let intent = self.put_aside(intent).await?;
        let now = self.now();
        Ok(IntentRow {
            intent,
            handoff,
            speech: None,
            run: self.parts.run.clone(),
            attempts: 0,
            lookups: 0,
            sent_at: None,
            made_at: now,
            found_at: None,
            due: now,
            last_error: None,
        })
    }

    /// A key that no other journal row of this run has.
    pub(super) fn journal_key(&self, link: &LinkId) -> Key {
        let count = self.journal_rows.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tables::journal_key(link, self.now(), count)
    }

    /// The rows of parked writes that are over now that the link is as it is.
    async fn mended_writes(&self, before: &Link, after: &Link) -> Result<Vec<Write>, Fault> {
        let standing = causes(after);
        let gone = &causes(before) - &standing;
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let of_writes = Key::of(&["write", ""]);
        let rows = tables::read_all::<ParkedRow>(&*self.parts.store, PARKED, &of_writes, usize::MAX).await?;
        let over = rows.into_iter().filter(|(_, row)| {
            row.value.link.as_ref() == Some(&after.id) && row.value.is_over(&gone, &standing)
        });
        Ok(over.map(|(key, _)| Write::Delete(PARKED, key)).collect())
    }

    /// Commits a link with whatever belongs to it. A link that changed since it
    /// was read is looked at again.
    pub(super) async fn store_link(
        &self,
        look: &Look,
        before: Option<&LinkRow>,
        after: &Link,
        writes: Vec<Write>,
        journal: Vec<JournalRow>,
    ) -> Result<(), Fault> {
        self.store_link_and(look, before, after, Commit { writes, ..Commit::default() }, journal).await
    }

    /// Commits a link with whatever belongs to it, jobs too. What was parked of it and
    /// moves again is parked no more.
    pub(super) async fn store_link_and(
        &self,
        look: &Look,
        before: Option<&LinkRow>,
        after: &Link,
        mut commit: Commit,
        journal: Vec<JournalRow>,
    ) -> Result<(), Fault> {
        if let Some(before) = before {
            commit.writes.extend(self.mended_writes(&before.link, after).await?);
        }
        let own = tables::link_writes(before.map(|row| &row.link), after);
        commit.guards.push(tables::link_guard(&after.id, before.map(|row| row.rev)));
        if before.is_none() {
            // Two looks may find the same ticket free to be joined: one of them gets it.
            let free = after.sides.keys().map(|ticket| Guard::Absent(TICKETS, tables::ticket_key(ticket)));
            commit.guards.extend(free);
        }
        commit.writes.extend(own);
        let now = self.now();
        for row in &journal {
            commit.writes.push(tables::put(JOURNAL, self.journal_key(&look.link), row));
        }
        for chunk in tables::in_chunks(commit, self.parts.store.caps().ops_max) {
            match self.commit(chunk).await {
                Ok(Seq(_)) => {}
                Err(CommitError::Conflict { .. } | CommitError::Indeterminate { .. }) => {
                    return Err(Fault::Later { at: now, why: "the link changed meanwhile".to_owned() });
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(dry) = &self.parts.dry {
            // What could not be stored is decided again, and counted then.
            dry.decided(&journal);
        }
        Ok(())
    }
}
