//! A handoff's write right before it is tried: what was decided a while ago may not be wanted any
//! more, and people may have taken the ticket since.

use std::time::Duration;

use handoffd_connectors::contract::Lane;
use handoffd_core::{
    Field, Fields, Handoff, HandoffKind, Observed, Role,
    handoff::{assign_key, holding_key, wants_assignment, wants_hold, wants_placing},
    intent::{Applied, Intent, Outcome, Update},
    link::Link,
};

use super::{
    Fault, Inner, Look,
    messages::{own_words, said_by_bot},
    placing::owners_of,
};
use crate::{
    engine::executor::{Step, harmless},
    store::{
        Commit,
        tables::{self, INTENTS, IntentRow},
    },
};

/// For how long after it was stored a write is as fresh as the view that it was made from.
const FRESH: Duration = Duration::from_secs(1);

/// A write that is due.
pub(in crate::engine) enum Ready {
    /// It is tried like this.
    Try(Box<IntentRow>),
    /// It is not tried.
    Done(Step),
}

impl Inner {
    /// A write as it is to be tried now. What changes is committed first.
    pub(in crate::engine) async fn made_ready(
        &self,
        look: &Look,
        link: &Link,
        row: &IntentRow,
    ) -> Result<Ready, Fault> {
        let as_it_is = || Ok(Ready::Try(Box::new(row.clone())));
        let (Some(id), Intent::Update(update)) = (&row.handoff, &row.intent) else { return as_it_is() };
        let Some(record) = self.record_of(id).await? else { return as_it_is() };
        let there = self.may_be_there(row);
        let key = &update.key;
        let wanted = match key {
            key if *key == holding_key(id) => wants_hold(&record),
            key if *key == assign_key(id) => wants_assignment(&record),
            key if record.place_key.as_ref() == Some(key) => wants_placing(&record),
            _ => true,
        };
        if !wanted && !there {
            return Ok(Ready::Done(Step::Settle(Outcome::NotApplied)));
        }
        let paused = self.parts.desks.get(&update.at.account).is_none_or(|desk| desk.is_paused());
        if paused {
            return as_it_is();
        }
        if *key == holding_key(id) {
            return match there || self.is_fresh(row) {
                true => as_it_is(),
                false => self.holding_ready(link, row, update, &record).await,
            };
        }
        if *key == assign_key(id) {
            return self.assignment_ready(look, link, row, update, record).await;
        }
        if record.place_key.as_ref() == Some(key) {
            return self.placing_ready(look, link, row, update, record).await;
        }
        let is_briefing = record.briefing_key.as_ref() == Some(key) && update.message.is_some();
        if is_briefing && depends(&update.set) && !self.is_fresh(row) {
            return self.briefing_ready(look, link, row, update, record).await;
        }
        as_it_is()
    }

    fn is_fresh(&self, row: &IntentRow) -> bool {
        let first = row.last_error.is_none() && row.run == self.parts.run && row.sent_at.is_none();
        first && self.now().since(row.made_at) <= FRESH
    }

    /// Words that had to wait are not said once a person has answered, seen or not.
    async fn holding_ready(
        &self,
        link: &Link,
        row: &IntentRow,
        update: &Update,
        record: &Handoff,
    ) -> Result<Ready, Fault> {
        let Some(desk) = self.parts.desks.get(&update.at.account) else {
            return Ok(Ready::Try(Box::new(row.clone())));
        };
        let comments = match desk.helpdesk.comments(self.call(Lane::Handoff), &update.at.id).await {
            Ok(comments) => comments,
            Err(error) => return Ok(Ready::Done(self.after_error(desk, row, harmless(error), false).await)),
        };
        let ours = own_words(link, &update.at);
        let answered = comments.iter().any(|comment| {
            let is_bot = comment.author().id.as_ref().is_some_and(|id| self.is_bot(&update.at.account, id))
                || said_by_bot(link, &update.at, comment.id());
            let answers = comment.is_public() && comment.author().role == Role::Agent && !is_bot;
            answers && comment.at() >= record.detected_at && !ours.contains(comment.id())
        });
        if !answered {
            return Ok(Ready::Try(Box::new(row.clone())));
        }
        let writes = vec![self.handoff_write(&Handoff { unheld: true, ..record.clone() })];
        self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
        Ok(Ready::Done(Step::Settle(Outcome::NotApplied)))
    }

    /// The next owner is named unless somebody has the ticket.
    async fn assignment_ready(
        &self,
        look: &Look,
        link: &Link,
        row: &IntentRow,
        update: &Update,
        mut record: Handoff,
    ) -> Result<Ready, Fault> {
        let view = match self.seen_for(look, row, update).await {
            Ok(Some(view)) => view,
            Ok(None) => return Ok(Ready::Try(Box::new(row.clone()))),
            Err(step) => return Ok(Ready::Done(step)),
        };
        if let Some(person) = self.person_on(link, &view) {
            let asked = update.set.get(&Field::Assignee);
            if asked == Some(&handoffd_core::Value::Owner(Some(person))) {
                return Ok(Ready::Done(there_already(update)));
            }
            if !self.may_be_there(row) {
                record.unassigned = Some("somebody else had the ticket already".to_owned());
                record.placed.remove(&Field::Assignee);
                let writes = vec![self.handoff_write(&record)];
                self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
                return Ok(Ready::Done(Step::Settle(Outcome::NotApplied)));
            }
        }
        let if_version = self.tied(&update.at.account, &view);
        let intent = Intent::Update(Update { if_version, ..update.clone() });
        Ok(Ready::Try(Box::new(IntentRow { intent, ..row.clone() })))
    }

    /// What goes beside the briefing by itself is what the ticket does not show yet. Where a
    /// person has it, they say how urgent it is.
    async fn placing_ready(
        &self,
        look: &Look,
        link: &Link,
        row: &IntentRow,
        update: &Update,
        record: Handoff,
    ) -> Result<Ready, Fault> {
        let view = match self.seen_for(look, row, update).await {
            Ok(Some(view)) => view,
            Ok(None) => return Ok(Ready::Try(Box::new(row.clone()))),
            Err(step) => return Ok(Ready::Done(step)),
        };
        let mut set = independent(&update.set);
        set.extend(self.seen_beside(link, &record, &view));
        let taken = self.person_on(link, &view).is_some();
        set.retain(|field, value| {
            view.fields.get(field) != Some(value) && !(taken && *field == Field::Priority)
        });
        if set.is_empty() && !self.may_be_there(row) {
            return Ok(Ready::Done(there_already(update)));
        }
        let if_version = self.tied(&update.at.account, &view);
        self.amended(look, row, Update { set, if_version, ..update.clone() }, record).await
    }

    /// A briefing that could not be sent at once: its owners and tags are of before.
    async fn briefing_ready(
        &self,
        look: &Look,
        link: &Link,
        row: &IntentRow,
        update: &Update,
        mut record: Handoff,
    ) -> Result<Ready, Fault> {
        let mut set = independent(&update.set);
        let view = self.view_now(look, &update.at).await.ok().flatten();
        match &view {
            Some(view) => set.extend(self.seen_beside(link, &record, view)),
            // The briefing goes; the rest follows it.
            None => record.unplaced = record.kind == HandoffKind::AiToHuman,
        }
        let tied = view.filter(|_| depends(&set)).and_then(|view| self.tied(&update.at.account, &view));
        self.amended(look, row, Update { set, if_version: tied, ..update.clone() }, record).await
    }

    /// Stores a write as it is to be tried, with the owners that it places.
    async fn amended(
        &self,
        look: &Look,
        row: &IntentRow,
        update: Update,
        mut record: Handoff,
    ) -> Result<Ready, Fault> {
        if !self.may_be_there(row) {
            record.placed = match update.message {
                Some(_) => owners_of(&update.set),
                None => record.placed.into_iter().chain(owners_of(&update.set)).collect(),
            };
        }
        let row = IntentRow { intent: Intent::Update(update), ..row.clone() };
        let at = tables::intent_key(&look.link, row.intent.key());
        let writes = vec![tables::put(INTENTS, at, &row), self.handoff_write(&record)];
        self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
        Ok(Ready::Try(Box::new(row)))
    }

    async fn seen_for(
        &self,
        look: &Look,
        row: &IntentRow,
        update: &Update,
    ) -> Result<Option<Observed>, Step> {
        match (self.view_now(look, &update.at).await, self.parts.desks.get(&update.at.account)) {
            (Ok(view), _) => Ok(view),
            (Err(error), Some(desk)) => {
                Err(self.after_error(desk, row, harmless(error), self.may_be_there(row)).await)
            }
            (Err(_), None) => Ok(None),
        }
    }
}

/// What depends on what the ticket shows.
fn depends(set: &Fields) -> bool {
    set.keys().any(|field| matches!(field, Field::Group | Field::Assignee | Field::Tags))
}

fn independent(set: &Fields) -> Fields {
    let mut set = set.clone();
    set.retain(|field, _| !matches!(field, Field::Group | Field::Assignee | Field::Tags));
    set
}

/// The ticket shows it: nothing is sent.
fn there_already(update: &Update) -> Step {
    Step::Settle(Outcome::Applied(Box::new(Applied {
        ticket: update.at.clone(),
        version: None,
        shown: None,
        comment: None,
        written_at: None,
        imported: Vec::new(),
        unset: None,
    })))
}
